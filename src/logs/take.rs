//! What is to be taken from one copy: its new lines, wherever its files went since they were read.
//!
//! Apart from `find`, which finds one file, and from `merge`, which brings the lines to the archive. Only reads.

use std::io;
use std::rc::Rc;

use super::align::{self, Line, Relation, Trust};
use super::archive::{Unfinished, is_packed, lines};
use super::file::{FileId, LogFile};
use super::find::{self, Found, Shelf};
use super::lease::{self, Held};
use super::state::{CopyState, Cursor, Watched};
use super::stream::{Stream, own};

/// Where nobody can tell whether somebody has a rotated file open, it is given up after so many runs in a row in which it
/// has not changed.
const QUIET_RUNS: u32 = 2;

/// What a copy has for the archive.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// In order.
    pub(crate) streams: Vec<Stream>,
    /// Where it will have been read to; what it got is for `merge` to say.
    pub(crate) then: CopyState,
    /// How its lines lay to the archive, where that had to be found out, with the bytes of the archive behind them.
    pub(crate) adopted: Option<(Relation, u64)>,
    /// What people should know.
    pub(crate) warnings: Vec<String>,
}

/// What we wrote into a file, by start and length.
fn foreign_in(state: Option<&CopyState>, id: FileId) -> Vec<(u64, u64)> {
    let all = state.iter().flat_map(|state| &state.foreign);
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

/// Looks for new lines. `archive` gives the lines of the archive, and is only asked where places are not enough.
pub(crate) fn take(
    shelf: &Shelf,
    state: Option<&CopyState>,
    archive: &mut dyn FnMut() -> io::Result<Vec<Line>>,
) -> io::Result<Taken> {
    let mut taken = look(shelf, state, archive)?;
    forget_read(&mut taken.then);
    Ok(taken)
}

fn look(
    shelf: &Shelf,
    state: Option<&CopyState>,
    archive: &mut dyn FnMut() -> io::Result<Vec<Line>>,
) -> io::Result<Taken> {
    let mut taken = Taken { then: state.cloned().unwrap_or_default(), ..Taken::default() };
    taken.warnings.extend(shelf.refused.iter().map(|refused| format!("passed over: {refused}")));
    taken.then.watched.clear();
    taken.then.seen = newest(shelf).max(taken.then.seen);
    let Some(state) = state else {
        adopt(shelf, 0, Trust::Adopted, archive, &mut taken)?;
        return Ok(taken);
    };
    let mut known: Vec<FileId> = Vec::new();
    for watched in &state.watched {
        known.extend(late(shelf, state, watched, &mut taken)?);
    }
    if state.seen == 0 && state.live.is_none() {
        // It was not there, so what is there now was written since, unless that cannot be.
        adopt(shelf, 0, Trust::Fresh, archive, &mut taken)?;
        return Ok(taken);
    }
    let Some(cursor) = &state.live else {
        // There was no live file, and all others were read: whatever is younger is new.
        let unread = |file: &&Rc<LogFile>| !known.contains(&file.id) && file.written > i128::from(state.seen);
        for file in shelf.rotated.iter().filter(unread) {
            drain(file, 0, &foreign_in(Some(state), file.id), 0, &mut taken)?;
        }
        if let Some(live) = &shelf.live {
            follow(live, 0, &foreign_in(Some(state), live.id), &mut taken)?;
        }
        return Ok(taken);
    };
    match find::on_shelf(cursor, shelf, &known)? {
        Found::Live => {
            if let Some(live) = &shelf.live {
                follow(live, cursor.offset, &foreign_in(Some(state), live.id), &mut taken)?;
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
                if known.contains(&file.id) {
                    continue;
                }
                // Packed or copied, it has another number, and in the same places what we wrote.
                let (from, id) = if at == index { (cursor.offset, cursor.id) } else { (0, file.id) };
                drain(file, from, &foreign_in(Some(state), id), 0, &mut taken)?;
            }
            match &shelf.live {
                // One that was truncated after it was copied has lost what we wrote, too.
                Some(live) if live.id == cursor.id => follow(live, 0, &[], &mut taken)?,
                Some(live) => follow(live, 0, &foreign_in(Some(state), live.id), &mut taken)?,
                None => taken.then.live = None,
            }
        }
        Found::Lost if shelf.live.is_none() && !unseen(shelf, cursor, &known) => {
            // Moved away or removed; what comes next is new.
            taken.then.live = state.live.clone();
        }
        Found::Lost => {
            let from = shelf
                .rotated
                .iter()
                .position(|file| !known.contains(&file.id) && file.written > i128::from(cursor.written))
                .unwrap_or(shelf.rotated.len());
            taken.then.foreign.retain(|foreign| foreign.id != cursor.id);
            taken.warnings.push("what was read of it is not there any more; it was aligned by its content".to_owned());
            adopt(shelf, from, Trust::Fresh, archive, &mut taken)?;
        }
    }
    Ok(taken)
}

/// When the youngest file was last written to.
fn newest(shelf: &Shelf) -> i64 {
    let all = shelf.rotated.iter().chain(&shelf.live);
    all.filter_map(|file| i64::try_from(file.written).ok()).max().unwrap_or(0)
}

fn unseen(shelf: &Shelf, cursor: &Cursor, known: &[FileId]) -> bool {
    let later = |file: &Rc<LogFile>| !known.contains(&file.id) && file.written > i128::from(cursor.written);
    shelf.rotated.iter().any(later)
}

/// What came late to a file that was rotated away. Returns the numbers of files that it is.
fn late(shelf: &Shelf, state: &CopyState, watched: &Watched, taken: &mut Taken) -> io::Result<Vec<FileId>> {
    let cursor = &watched.cursor;
    let all = shelf.rotated.iter().chain(&shelf.live);
    let same = all.clone().filter(|file| file.id == cursor.id);
    let packed = shelf.rotated.iter().filter(|file| is_packed(file) && file.written >= i128::from(cursor.written));
    for file in same.chain(packed) {
        if find::fits(file, cursor)? {
            let is_live = shelf.live.as_ref().is_some_and(|live| Rc::ptr_eq(live, file));
            if is_live {
                // It was moved back, so it is read as what it is.
                return Ok(Vec::new());
            }
            let quiet = if file.size == watched.size { watched.quiet + 1 } else { 0 };
            drain(file, cursor.offset, &foreign_in(Some(state), cursor.id), quiet, taken)?;
            return Ok(vec![file.id, cursor.id]);
        }
    }
    Ok(vec![cursor.id])
}

/// Takes what a live file has behind a place, up to its last line that has an end.
fn follow(file: &Rc<LogFile>, from: u64, foreign: &[(u64, u64)], taken: &mut Taken) -> io::Result<()> {
    let end = file.last_line_end(from, file.size.max(from))?;
    push(file, from, end, foreign, taken);
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
    let end = if is_packed(file) { length } else { file.last_line_end(from, length.max(from))? };
    if !is_final {
        push(file, from, end, foreign, taken);
        let cursor = cursor_at(file, end, foreign)?;
        taken.then.watched.push(Watched { cursor, size: file.size, quiet });
        return Ok(());
    }
    if push(file, from, length, foreign, taken)
        && !ends_with_newline(file, length)?
        && let Some(stream) = taken.streams.last_mut()
    {
        stream.newline = true;
    }
    Ok(())
}

fn ends_with_newline(file: &LogFile, length: u64) -> io::Result<bool> {
    let mut last = Vec::new();
    io::Read::read_to_end(&mut file.reader(length.saturating_sub(1))?, &mut last)?;
    Ok(last.first() == Some(&b'\n'))
}

/// Whether there was anything.
fn push(file: &Rc<LogFile>, from: u64, to: u64, foreign: &[(u64, u64)], taken: &mut Taken) -> bool {
    let ranges = own(from, to, foreign);
    let any = !ranges.is_empty();
    if any {
        taken.streams.push(Stream { file: Rc::clone(file), ranges, newline: false });
    }
    any
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

/// Finds out by content which lines of a copy the archive lacks. Rotated files before `from` were read long ago.
fn adopt(
    shelf: &Shelf,
    from: usize,
    trust: Trust,
    archive: &mut dyn FnMut() -> io::Result<Vec<Line>>,
    taken: &mut Taken,
) -> io::Result<()> {
    let mut files: Vec<(&Rc<LogFile>, Vec<(Line, u64)>)> = Vec::new();
    for file in shelf.rotated.iter().skip(from) {
        // What cannot be unpacked is told, and left.
        let is_final = is_packed(file) || lease::held(file.file()) == Held::No;
        let unfinished = if is_final { Unfinished::Taken } else { Unfinished::Left };
        match lines(file, unfinished) {
            Ok(lines) => files.push((file, lines)),
            Err(cause) => taken.warnings.push(format!("{} cannot be read: {cause}", file.path.display())),
        }
    }
    if let Some(live) = &shelf.live {
        files.push((live, lines(live, Unfinished::Left)?));
    }
    let source: Vec<Line> = files.iter().flat_map(|(_, lines)| lines.iter().map(|(line, _)| *line)).collect();
    let archive = archive()?;
    let found = align::align(&archive, &source, trust);
    let behind: u64 = archive.iter().rev().take(found.behind).map(|line| line.bytes).sum();
    taken.adopted = (trust == Trust::Adopted && !source.is_empty()).then_some((found.relation, behind));
    taken.then.weak = found.weak;
    let mut first = 0;
    for (file, lines) in files {
        let range = first..first + lines.len();
        first = range.end;
        let place = |line: usize| match (line - range.start).checked_sub(1) {
            None => 0,
            Some(before) => lines.get(before).map_or(0, |(_, end)| *end),
        };
        let mut ranges: Vec<std::ops::Range<u64>> = Vec::new();
        for missing in &found.missing {
            let (from, to) = (missing.start.max(range.start), missing.end.min(range.end));
            if from < to {
                ranges.push(place(from)..place(to));
            }
        }
        let end = place(range.end);
        let is_live = shelf.live.as_ref().is_some_and(|live| Rc::ptr_eq(live, file));
        let newline = !is_live && ranges.last().is_some_and(|range| range.end == end) && !ends_with_newline(file, end)?;
        if !ranges.is_empty() {
            taken.streams.push(Stream { file: Rc::clone(file), ranges, newline });
        }
        if is_live {
            taken.then.live = Some(cursor_at(file, end, &[])?);
        } else if !is_packed(file) && lease::held(file.file()) != Held::No {
            taken.then.watched.push(Watched { cursor: cursor_at(file, end, &[])?, size: file.size, quiet: 0 });
        }
    }
    if shelf.live.is_none() {
        taken.then.live = None;
    }
    Ok(())
}
