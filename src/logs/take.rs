//! What is to be taken from one copy: its new lines, wherever its files went since they were read.
//!
//! Apart from `find`, which finds one file, and from `work`, which brings the lines to the archive. Only reads.

use std::io;
use std::rc::Rc;

use crate::clock;
use crate::config::LogConfig;

use super::adopt::adopt;
use super::against::Against;
use super::align::{Relation, Trust};
use super::archive::{Unfinished, is_packed};
use super::broken::{again, tell};
use super::file::{Access, FileId, LogFile};
use super::find::{self, Found, Shelf};
use super::plan::out_of_sight;
use super::state::{CopyState, Cursor, Watched};
use super::stream::{Stream, own};
use crate::durable::lease::{self, Held};

/// Where nobody can tell whether somebody has a rotated file open, it is given up after so many runs in a row in which it
/// has not changed.
const QUIET_RUNS: u32 = 2;

/// What a copy has for the archive.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// In order.
    pub(crate) streams: Vec<Stream>,
    /// Where it will have been read to; what it got is for `plan` to say.
    pub(crate) then: CopyState,
    /// How its lines lay to the archive, where that had to be found out, and where in that the last of them ends.
    pub(crate) adopted: Option<(Relation, u64)>,
    /// So many bytes of it were in the archive then.
    pub(crate) common: u64,
    /// Whether what it has for the archive was found out by content.
    pub(crate) is_aligned: bool,
    /// Packed files that were passed over until the next look, as one is broken.
    pub(crate) waiting: Vec<FileId>,
    /// What people should know.
    pub(crate) warnings: Vec<String>,
}

/// What is to be done with a copy that is not the archive.
pub(crate) fn access(log: &LogConfig, side: &str) -> Access {
    if log.mirrors.contains(side) { Access::ReadFirst } else { Access::Read }
}

/// What we wrote into a file, by start and length.
pub(crate) fn foreign_in(state: &CopyState, id: FileId) -> Vec<(u64, u64)> {
    let all = state.foreign.iter();
    let mut found: Vec<(u64, u64)> =
        all.filter(|foreign| foreign.id == id).map(|foreign| (foreign.start, foreign.length)).collect();
    found.sort_unstable();
    found
}

/// Keeps in mind what we wrote into files only where they were not read up to there.
pub(crate) fn forget_read(state: &mut CopyState) {
    let cursors: Vec<(FileId, u64)> = state
        .live
        .iter()
        .chain(state.watched.iter().map(|watched| &watched.cursor))
        .map(|cursor| (cursor.id, cursor.offset))
        .collect();
    state.foreign.retain(|foreign| {
        cursors.iter().any(|(id, offset)| *id == foreign.id && foreign.start + foreign.length > *offset)
    });
}

/// Looks for new lines. `archive` is only asked where places are not enough.
pub(crate) fn take(shelf: &Shelf, state: Option<&CopyState>, archive: &mut Against<'_>) -> io::Result<Taken> {
    let mut taken = look(shelf, state, archive)?;
    forget_read(&mut taken.then);
    tell(shelf, state, &mut taken);
    Ok(taken)
}

fn look(shelf: &Shelf, state: Option<&CopyState>, archive: &mut Against<'_>) -> io::Result<Taken> {
    let mut taken = Taken { then: state.cloned().unwrap_or_default(), ..Taken::default() };
    taken.warnings.extend(shelf.refused.iter().map(|refused| format!("passed over: {refused}")));
    taken.then.watched.clear();
    taken.then.seen = newest(shelf).max(taken.then.seen);
    let Some(state) = state else {
        adopt(&shelf.rotated, shelf.live.as_ref(), Trust::Adopted, archive, &mut taken)?;
        return Ok(taken);
    };
    let (mut known, mut back) = (Vec::new(), None);
    for watched in &state.watched {
        match late(shelf, state, watched, &mut taken)? {
            Late::Of(files) => known.extend(files),
            Late::Back => back = Some(&watched.cursor),
        }
    }
    let seen_to = again(shelf, state, &known, back, archive, &mut taken)?;
    known.extend(seen_to);
    if state.lost {
        untold(shelf, state, &known, archive, &mut taken)?;
        return Ok(taken);
    }
    if let (Some(cursor), Some(live)) = (back, &shelf.live) {
        // It was moved back to its name, and is read on where it was read to.
        let unread = unread(state, &known);
        for file in shelf.rotated.iter().filter(|file| unread(file)) {
            drain(file, 0, &foreign_in(state, file.id), 0, &mut taken)?;
        }
        follow(live, cursor.offset, &foreign_in(state, cursor.id), &mut taken)?;
        return Ok(taken);
    }
    if state.seen == 0 && state.live.is_none() {
        // It was not there, so what is there now was written since, unless that cannot be.
        adopt(&shelf.rotated, shelf.live.as_ref(), Trust::Fresh, archive, &mut taken)?;
        return Ok(taken);
    }
    let Some(cursor) = &state.live else {
        // There was no live file, and all others were read: whatever is younger is new.
        let unread = unread(state, &known);
        for file in shelf.rotated.iter().filter(|file| unread(file)) {
            drain(file, 0, &foreign_in(state, file.id), 0, &mut taken)?;
        }
        if let Some(live) = &shelf.live {
            follow(live, 0, &foreign_in(state, live.id), &mut taken)?;
        }
        return Ok(taken);
    };
    match find::on_shelf(cursor, shelf, &known, state.seen)? {
        Found::Live => {
            if let Some(live) = &shelf.live {
                follow(live, cursor.offset, &foreign_in(state, live.id), &mut taken)?;
            }
        }
        Found::Rotated(index) => {
            // What we wrote into it went along.
            if let Some(file) = shelf.rotated.get(index) {
                for foreign in taken.then.foreign.iter_mut().filter(|foreign| foreign.id == cursor.id) {
                    foreign.id = file.id;
                }
            }
            for (at, file) in shelf.rotated.iter().enumerate().skip(index) {
                // Whoever numbers files upwards has older ones behind it. A packed file is not watched.
                let is_old = at > index && is_packed(file) && !unread(state, &known)(file);
                if known.contains(&file.id) || (is_old && file.written < i128::from(state.seen)) {
                    continue;
                }
                // Packed or copied, it has another number, and in the same places what we wrote.
                let from = if at == index { cursor.offset } else { 0 };
                let foreign = foreign_in(&taken.then, file.id);
                drain(file, from, &foreign, 0, &mut taken)?;
            }
            match &shelf.live {
                // One that was truncated after it was copied has lost what we wrote, too.
                Some(live) => {
                    let foreign = foreign_in(&taken.then, live.id);
                    follow(live, 0, &foreign, &mut taken)?;
                }
                None => taken.then.live = None,
            }
        }
        // It may be the one that cannot be read now, so nothing is taken for gone.
        Found::Lost if shelf.hidden().is_some() => return Err(waits(shelf)),
        Found::Lost if shelf.live.is_none() && !shelf.rotated.iter().any(unread(state, &known)) => {
            // Moved away or removed; what comes next is new.
            taken.then.live = state.live.clone();
        }
        Found::Lost => {
            let files: Vec<Rc<LogFile>> =
                shelf.rotated.iter().filter(|file| unread(state, &known)(file)).cloned().collect();
            taken.then.foreign.retain(|foreign| foreign.id != cursor.id);
            taken
                .warnings
                .push("what was read of it is not there any more; it was aligned by its content".to_owned());
            adopt(&files, shelf.live.as_ref(), Trust::Fresh, archive, &mut taken)?;
        }
    }
    Ok(taken)
}

/// Takes what content tells to be new behind where the files were read to: there lies what we wrote as well, and nobody knows
/// any more which of that it is. What lies before, and what was read of other files, is not new, whatever the archive has still.
fn untold(
    shelf: &Shelf,
    state: &CopyState,
    known: &[FileId],
    archive: &mut Against<'_>,
    taken: &mut Taken,
) -> io::Result<()> {
    let read = match &state.live {
        Some(cursor) => match find::on_shelf(cursor, shelf, known, state.seen)? {
            Found::Live => shelf.live.as_ref().map(|file| (file, cursor.offset)),
            Found::Rotated(index) => shelf.rotated.get(index).map(|file| (file, cursor.offset)),
            Found::Lost if shelf.hidden().is_some() => return Err(waits(shelf)),
            Found::Lost => None,
        },
        None => None,
    };
    let is_it = |file: &Rc<LogFile>| read.is_some_and(|(read, _)| Rc::ptr_eq(read, file));
    let unread = unread(state, known);
    let files: Vec<_> = shelf.rotated.iter().filter(|file| is_it(file) || unread(file)).cloned().collect();
    let before = taken.streams.len();
    (taken.then.lost, taken.then.live) = (false, None);
    adopt(&files, shelf.live.as_ref(), Trust::Adopted, archive, taken)?;
    // It was adopted before.
    (taken.adopted, taken.then.weak) = (None, state.weak);
    for stream in taken.streams.iter_mut().skip(before) {
        if let Some((_, offset)) = read.filter(|(read, _)| Rc::ptr_eq(read, &stream.file)) {
            for range in &mut stream.ranges {
                range.start = range.start.max(offset).min(range.end);
            }
            stream.ranges.retain(|range| !range.is_empty());
        }
    }
    taken.streams.retain(|stream| stream.length() > 0);
    taken.warnings.push(
        "nobody knows any more what it was given by the run before; what is new in it was found by its content"
            .to_owned(),
    );
    Ok(())
}

/// Why nothing of a copy can be taken, as what was read of it is out of sight.
fn waits(shelf: &Shelf) -> io::Error {
    io::Error::other(out_of_sight("read of it", shelf).unwrap_or_default())
}

/// When the youngest file was last written to.
fn newest(shelf: &Shelf) -> i64 {
    let all = shelf.rotated.iter().chain(&shelf.live);
    all.filter_map(|file| i64::try_from(file.written).ok()).max().unwrap_or(0)
}

/// Which rotated files were not there at the last look, or had more to come. Where the clock was set back, times say
/// nothing.
pub(crate) fn unread<'a>(state: &CopyState, known: &'a [FileId]) -> impl Fn(&Rc<LogFile>) -> bool + 'a {
    let seen = i128::from(state.seen);
    let is_behind = clock::now().timestamp_nanos_opt().is_some_and(|now| i128::from(now) < seen);
    move |file| !known.contains(&file.id) && (is_behind || file.written > seen)
}

/// What became of a file that was rotated away.
enum Late {
    /// It lies there under these numbers, or is gone.
    Of(Vec<FileId>),
    /// It has its old name again.
    Back,
}

/// What came late to a file that was rotated away.
fn late(shelf: &Shelf, state: &CopyState, watched: &Watched, taken: &mut Taken) -> io::Result<Late> {
    let cursor = &watched.cursor;
    let all = shelf.rotated.iter().chain(&shelf.live);
    let same = all.clone().filter(|file| file.id == cursor.id);
    let packed =
        shelf.rotated.iter().filter(|file| is_packed(file) && file.written >= i128::from(cursor.written));
    for file in same.chain(packed) {
        if find::fits(file, cursor)? {
            let is_live = shelf.live.as_ref().is_some_and(|live| Rc::ptr_eq(live, file));
            if is_live {
                return Ok(Late::Back);
            }
            if watched.closed && file.size == watched.size {
                taken.then.watched.push(watched.clone());
                return Ok(Late::Of(vec![file.id]));
            }
            let quiet = if file.size == watched.size { watched.quiet + 1 } else { 0 };
            drain(file, cursor.offset, &foreign_in(state, cursor.id), quiet, taken)?;
            return Ok(Late::Of(vec![file.id, cursor.id]));
        }
    }
    Ok(Late::Of(vec![cursor.id]))
}

/// Takes what a live file has behind a place, up to its last line that has an end.
fn follow(file: &Rc<LogFile>, from: u64, foreign: &[(u64, u64)], taken: &mut Taken) -> io::Result<()> {
    let end = push(file, from, file.size, Unfinished::Left, foreign, taken)?;
    taken.then.live = Some(cursor_at(file, end, foreign)?);
    Ok(())
}

/// Takes what a rotated file has behind a place; all of it once nobody writes to it any more.
fn drain(
    file: &Rc<LogFile>,
    from: u64,
    foreign: &[(u64, u64)],
    quiet: u32,
    taken: &mut Taken,
) -> io::Result<()> {
    let is_final = is_packed(file)
        || match lease::held(file.file()) {
            Held::No => true,
            Held::Yes => false,
            Held::Unknown => quiet >= QUIET_RUNS,
        };
    // What was written before its writer let go of it.
    let length = if is_final { file.length()? } else { file.size };
    let unfinished = if is_final { Unfinished::Taken } else { Unfinished::Left };
    let end = push(file, from, length, unfinished, foreign, taken)?;
    if !is_packed(file) {
        let cursor = cursor_at(file, end, foreign)?;
        taken.then.watched.push(Watched { cursor, size: length, quiet, closed: is_final });
    }
    Ok(())
}

/// Takes what a file has from one place to another, without what we wrote there. Returns up to where.
fn push(
    file: &Rc<LogFile>,
    from: u64,
    to: u64,
    unfinished: Unfinished,
    foreign: &[(u64, u64)],
    taken: &mut Taken,
) -> io::Result<u64> {
    let mut ranges = own(from, to.max(from), foreign);
    let (mut end, mut newline) = (to.max(from), false);
    if unfinished == Unfinished::Left {
        // A line may have been begun before what we wrote.
        while let Some(last) = ranges.last_mut() {
            let line_end = file.last_line_end(last.start, last.end)?;
            if line_end == last.end {
                break;
            }
            (last.end, end) = (line_end, line_end);
            if last.is_empty() {
                ranges.pop();
                continue;
            }
            break;
        }
    } else if let Some(last) = ranges.last() {
        newline = !file.ends_a_line(last.end)?;
    }
    if !ranges.is_empty() {
        taken.streams.push(Stream { file: Rc::clone(file), ranges, newline });
    }
    Ok(end)
}

/// A cursor at a place of a file; where our own lines follow at once, they are passed over.
pub(crate) fn cursor_at(file: &LogFile, offset: u64, foreign: &[(u64, u64)]) -> io::Result<Cursor> {
    let mut offset = offset;
    for (start, length) in foreign {
        if *start <= offset {
            offset = offset.max(start + length);
        }
    }
    let proof = file.proof(offset)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let written = i64::try_from(file.written).unwrap_or(i64::MAX);
    Ok(Cursor { id: file.id, offset, proof, written })
}
