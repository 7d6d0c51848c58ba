//! Packed files of a copy that could not be unpacked: kept in mind, and told, until a whole one in their place was aligned.
//!
//! Nobody knows which lines such a file had, so none of them counts as read. A whole one may come late, by another name,
//! unpacked or numbered over: while one is missing, each file is looked at that lay not there when the others were read. Apart
//! from `adopt`, which is about files of which nothing is known.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::adopt::part;
use super::against::Against;
use super::align::{Relation, Trust};
use super::archive::is_packed;
use super::file::{FileId, LogFile, in_words};
use super::find::{self, Found, Shelf};
use super::plan::is_quiet;
use super::state::{Broken, CopyState, Cursor, Watched};
use super::take::{Taken, cursor_at, unread};
use crate::durable::lease::{self, Held};

/// What becomes of a file that may have been put in the place of a broken one.
enum Outcome {
    /// Nothing yet: it is still being written.
    Waits,
    /// It cannot be unpacked either.
    Broken(io::Error),
    /// It is one that came by itself, and is read as any other.
    New,
    /// The archive had all that it has.
    Had,
    /// The archive gets what it lacked of it.
    Gave,
}

/// Leaves a file that cannot be unpacked, and keeps it in mind.
pub(crate) fn leave(file: &LogFile, cause: &io::Error, taken: &mut Taken) {
    taken.then.broken.retain(|broken| broken.id != file.id);
    taken.then.broken.push(Broken {
        path: file.path.clone(),
        id: file.id,
        size: file.size,
        written: i64::try_from(file.written).unwrap_or(i64::MAX),
        why: in_words("unpack", &file.path, cause),
    });
}

/// The place of a rotated file, whether packed or not.
fn place(path: &Path) -> PathBuf {
    let is_ending = path.extension().is_some_and(|ending| ending == "gz" || ending == "zst");
    if is_ending { path.with_extension("") } else { path.to_path_buf() }
}

impl Broken {
    /// What people have to know.
    pub(crate) fn told(&self, shelf: &Shelf) -> String {
        let is_there = shelf.rotated.iter().any(|file| file.id == self.id)
            || shelf.refused_names.contains(&self.path)
            || shelf.doubles.contains(&self.path);
        let now = if is_there { "" } else { ", and it is not there any more" };
        format!(
            "{}{now}; its lines are not in the archive, unless another copy has them. Put a whole one in its place, packed or not; or, if there is none, move it away and put an empty file there until the next run (touch {})",
            self.why,
            self.free_place(shelf).display()
        )
    }

    /// Where an empty file says that there is no whole one: its place, or the next number that is free.
    fn free_place(&self, shelf: &Shelf) -> PathBuf {
        let own = place(&self.path);
        let taken = shelf.rotated.iter().filter(|file| file.id != self.id).map(|file| &file.path);
        let refused = shelf.refused_names.iter().filter(|path| **path != self.path);
        let taken: Vec<PathBuf> = taken.chain(refused).map(|path| place(path)).collect();
        let is_taken = |path: &PathBuf| taken.contains(path);
        let number = own.extension().and_then(|number| number.to_str()?.parse::<u32>().ok());
        let later = number.into_iter().flat_map(|number| number..number.saturating_add(1_000));
        let free = later.map(|number| own.with_extension(number.to_string())).find(|path| !is_taken(path));
        free.unwrap_or(own)
    }

    /// Whether a file is the same as when it could not be unpacked.
    fn is_still(&self, file: &LogFile) -> bool {
        (file.id, file.size, file.written) == (self.id, self.size, i128::from(self.written))
            && file.path == self.path
    }
}

/// Looks again at what could not be unpacked, and for what was put in its place; of that it takes what the archive lacks.
/// `known` are files that were found again, and `back` is where one was read to that has its old name again. Returns which
/// files it has seen to.
pub(crate) fn again(
    shelf: &Shelf,
    state: &CopyState,
    known: &[FileId],
    back: Option<&Cursor>,
    archive: &mut Against<'_>,
    taken: &mut Taken,
) -> io::Result<Vec<FileId>> {
    let mut done = Vec::new();
    if state.broken.is_empty() {
        return Ok(done);
    }
    let found = match &state.live {
        Some(_) if back.is_some() => Some(Found::Live),
        Some(cursor) => Some(find::on_shelf(cursor, shelf, known, state.seen)?),
        None => None,
    };
    // What was being written to when it was read last, and what came behind it, is read on.
    let end = match found {
        Some(Found::Rotated(index)) => index,
        _ => shelf.rotated.len(),
    };
    let is_new = unread(state, known);
    let mut gave = false;
    for (at, file) in shelf.rotated.iter().enumerate() {
        if known.contains(&file.id) || state.read.contains(&file.id) || at == end {
            continue;
        }
        if taken.then.broken.iter().any(|broken| broken.is_still(file)) {
            done.push(file.id);
            continue;
        }
        if taken.then.broken.is_empty() {
            break;
        }
        let may_be_new = at > end || (matches!(found, None | Some(Found::Lost)) && is_new(file));
        let trust = if may_be_new { Trust::Strong } else { Trust::Adopted };
        // The archive has to have what one gave before another one is aligned.
        let outcome = match gave {
            false => look(file, trust, archive, taken)?,
            true if may_be_new => Outcome::New,
            true => Outcome::Waits,
        };
        settle(file, &outcome, taken);
        gave |= matches!(outcome, Outcome::Gave);
        match outcome {
            Outcome::New => {}
            Outcome::Waits | Outcome::Broken(_) => {
                taken.waiting.push(file.id);
                done.push(file.id);
            }
            Outcome::Had | Outcome::Gave => done.push(file.id),
        }
    }
    Ok(done)
}

/// Takes what the archive lacks of one file.
fn look(
    file: &Rc<LogFile>,
    trust: Trust,
    archive: &mut Against<'_>,
    taken: &mut Taken,
) -> io::Result<Outcome> {
    let is_whole = || match lease::held(file.file()) {
        Held::No => true,
        Held::Yes => false,
        Held::Unknown => is_quiet(file),
    };
    if !is_packed(file) && !is_whole() {
        return Ok(if trust == Trust::Strong { Outcome::New } else { Outcome::Waits });
    }
    let part = match part(file, true) {
        Ok(part) => part,
        // Whoever reads it as a new one says so.
        Err(_) if is_packed(file) && trust == Trust::Strong => return Ok(Outcome::New),
        Err(cause) if is_packed(file) => return Ok(Outcome::Broken(cause)),
        Err(cause) => return Err(cause),
    };
    let mut missing = None;
    if part.end > 0 {
        let found = archive.align(std::slice::from_ref(&part.stream), trust)?;
        if trust == Trust::Strong && found.relation == Relation::Apart {
            return Ok(Outcome::New);
        }
        missing = part.missing(0, &found.missing);
        taken.is_aligned = true;
    }
    if !is_packed(file) {
        let cursor = cursor_at(file, part.end, &[])?;
        taken.then.watched.push(Watched { cursor, size: part.end, quiet: 0, closed: true });
    }
    let outcome = if missing.is_some() { Outcome::Gave } else { Outcome::Had };
    taken.streams.extend(missing);
    Ok(outcome)
}

/// Forgets the broken one in whose place a file was put. One of which the archive had all may be any.
fn settle(file: &LogFile, outcome: &Outcome, taken: &mut Taken) {
    let all = &mut taken.then.broken;
    let is_gone = |broken: &Broken| broken.path.symlink_metadata().is_err();
    let by_number = all.iter().position(|broken| broken.id == file.id);
    let by_place = || all.iter().position(|broken| place(&broken.path) == place(&file.path));
    let by_time = || all.iter().position(|broken| i128::from(broken.written) == file.written);
    let is_empty = !is_packed(file) && file.size == 0;
    let at = match outcome {
        Outcome::Waits | Outcome::New => None,
        Outcome::Broken(_) => by_number.or_else(by_place),
        Outcome::Had | Outcome::Gave => {
            let any = matches!(outcome, Outcome::Gave) || is_empty;
            let gone = || any.then(|| all.iter().position(is_gone).or(Some(0))).flatten();
            by_number.or_else(by_place).or_else(by_time).or_else(gone)
        }
    };
    let Some(at) = at.filter(|at| *at < all.len()) else { return };
    all.remove(at);
    if let Outcome::Broken(cause) = outcome {
        leave(file, cause, taken);
    }
}

/// Says what is still broken, and keeps in mind which packed files were read as long as that is to be known.
pub(crate) fn tell(shelf: &Shelf, before: Option<&CopyState>, taken: &mut Taken) {
    if taken.then.broken.is_empty() {
        taken.then.read.clear();
        return;
    }
    let told: Vec<String> = taken.then.broken.iter().map(|broken| broken.told(shelf)).collect();
    taken.warnings.extend(told);
    let is_there = |id: &FileId| shelf.rotated.iter().any(|file| file.id == *id);
    let is_hidden = shelf.hidden().is_some();
    let mut read = before.map(|before| before.read.clone()).unwrap_or_default();
    read.retain(|id| is_hidden || is_there(id));
    for file in shelf.rotated.iter().filter(|file| is_packed(file)) {
        let is_open = taken.then.broken.iter().any(|broken| broken.id == file.id);
        if !is_open && !taken.waiting.contains(&file.id) && !read.contains(&file.id) {
            read.push(file.id);
        }
    }
    taken.then.read = read;
}
