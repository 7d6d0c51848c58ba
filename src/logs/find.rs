//! Which of the files that lie there is the one that was read, whatever was renamed, packed, truncated or made anew.
//!
//! A file is known by its number and by what it has (see `file::Proof`): numbers are given again and files are copied,
//! so neither is believed alone. `locate` is pure but for the proofs that it asks for.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::clock;

use super::around::Around;
use super::file::{Access, FileId, LogFile, PROOF, Unopened, in_words};
use super::handles;
use super::names::{self, Age, Packing, Rotated};
use super::plan::Stop;
use super::state::Cursor;

/// Names may move while they are looked at, as programs rename and pack files; so often they are looked at,
const LOOKS: u32 = 5;
/// with a pause between (milliseconds).
const PAUSE_MS: u64 = 2;

/// What lies at a copy's path and around it.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    /// The file at the path itself.
    pub(crate) live: Option<Rc<LogFile>>,
    /// The rotated ones, oldest first.
    pub(crate) rotated: Vec<Rc<LogFile>>,
    /// What was passed over, and why.
    pub(crate) refused: Vec<String>,
    /// Its names.
    pub(crate) refused_names: Vec<PathBuf>,
    /// Packed files that are not counted, as what they were packed from still lies there.
    pub(crate) doubles: Vec<PathBuf>,
    /// The directory of its rotated files where that is not there, in words.
    pub(crate) missing: Option<String>,
    /// The directory itself.
    pub(crate) removed: Option<PathBuf>,
}

impl Shelf {
    /// What may lie there and cannot be seen, in words.
    pub(crate) fn hidden(&self) -> Option<String> {
        let all: Vec<&str> = self.refused.iter().chain(&self.missing).map(String::as_str).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }
}

/// Looks at the path, and around it for its rotated files, in its own directory, in the one that the configuration names
/// and in those that it named before. All of what is found had its name at one and the same moment: otherwise a file that is renamed meanwhile would be
/// found twice, or not at all.
///
/// # Errors
/// `Fail` when the file at the path cannot be read, `Wait` when names do not stop moving.
pub(crate) fn shelf(path: &Path, access: Access, around: &Around<'_>) -> Result<Shelf, Stop> {
    handles::make_room();
    let olddir = around.olddir(path);
    let former = around.former_olddirs(path);
    let named = former.iter().map(PathBuf::as_path).chain(olddir.as_deref());
    let directories: Vec<&Path> = named.chain(path.parent()).collect();
    for look in 0..LOOKS {
        if look > 0 {
            directories.iter().for_each(|directory| around.forget(directory));
            clock::pause(PAUSE_MS);
        }
        if let Some(shelf) = look_once(path, &directories, access, around)? {
            return Ok(shelf);
        }
    }
    Err(Stop::Wait(format!(
        "rotated files of {} are being renamed or packed at this moment; the next run looks again",
        path.display()
    )))
}

/// None where a name has moved meanwhile.
fn look_once(
    path: &Path,
    directories: &[&Path],
    access: Access,
    around: &Around<'_>,
) -> Result<Option<Shelf>, Stop> {
    let owners = around.owners(path);
    let all = rotated_in(directories, path, around)?;
    let listed = all.clone();
    let mut shelf = Shelf::default();
    let missing =
        directories.iter().find(|directory| path.parent() != Some(directory) && !directory.is_dir());
    shelf.removed = missing.map(|olddir| olddir.to_path_buf());
    shelf.missing =
        missing.map(|olddir| format!("{} is not there; a mount may be missing", olddir.display()));
    let (listed, taken_over) = without_others(listed, path, around);
    shelf.missing = shelf.missing.or(taken_over);
    match LogFile::open(path, Packing::Plain, access, &owners) {
        Ok(file) => shelf.live = Some(Rc::new(file)),
        Err(Unopened::Missing) => {}
        Err(cause @ Unopened::Full(_)) => return Err(Stop::Full(cause.in_words(path))),
        Err(cause @ Unopened::Refused(_)) => return Err(Stop::Fail(cause.in_words(path))),
    }
    let mut found: Vec<(LogFile, &Age)> = Vec::new();
    for (path, rotated) in &listed {
        match LogFile::open(path, rotated.packing, Access::Read, &owners) {
            Ok(file) => found.push((file, &rotated.age)),
            Err(Unopened::Missing) => return Ok(None),
            Err(cause @ Unopened::Full(_)) => return Err(Stop::Full(cause.in_words(path))),
            Err(cause @ Unopened::Refused(_)) => {
                shelf.refused.push(cause.in_words(path));
                shelf.refused_names.push(path.clone());
            }
        }
    }
    let is_there = match &shelf.live {
        Some(live) => live.has_its_name(),
        None => std::fs::symlink_metadata(path).is_err(),
    };
    if !is_there
        || !found.iter().all(|(file, _)| file.has_its_name())
        || rotated_in(directories, path, around)? != all
    {
        return Ok(None);
    }
    names::oldest_first(&mut found, |(_, age)| age, |(file, _)| file.written, |(file, _)| file.path.parent());
    let found = found.into_iter().map(|(file, _)| file).collect();
    (shelf.rotated, shelf.doubles) = without_doubles(found);
    without_copies(&mut shelf).map_err(|cause| Stop::Fail(in_words("read", path, &cause)))?;
    Ok(Some(shelf))
}

/// In a directory that is no more that of this copy and is that of another one, nobody knows whose a file is. Says so where
/// there is one.
fn without_others(
    mut listed: Vec<(PathBuf, Rotated)>,
    path: &Path,
    around: &Around<'_>,
) -> (Vec<(PathBuf, Rotated)>, Option<String>) {
    let mut told = None;
    for directory in around.former_olddirs(path) {
        let Some(other) = around.taken_over(&directory, path) else { continue };
        let count = listed.len();
        listed.retain(|(file, _)| file.parent() != Some(&directory));
        if listed.len() < count {
            told = Some(format!(
                "rotated files of {} lay in {} before, which is now for those of {}: move them to where the configuration says",
                path.display(),
                directory.display(),
                other.display()
            ));
        }
    }
    (listed, told)
}

/// Whoever moves to another directory may have copied what lay in the first: of two such files one is not counted.
fn without_copies(shelf: &mut Shelf) -> io::Result<()> {
    let mut counted: HashMap<OsString, Vec<Rc<LogFile>>> = HashMap::new();
    let mut copies = Vec::new();
    for file in &shelf.rotated {
        let name = file.path.file_name().unwrap_or_default().to_owned();
        let counted = counted.entry(name).or_default();
        let mut is_copy = false;
        for other in counted.iter() {
            is_copy = is_copy || other.is_copied_to(file)?;
        }
        if is_copy {
            copies.push(file.path.clone());
        } else {
            counted.push(Rc::clone(file));
        }
    }
    shelf.rotated.retain(|file| !copies.contains(&file.path));
    shelf.doubles.extend(copies);
    Ok(())
}

/// Where rotated files of the copy at a path may lie, as far as a later run has to know it, whatever the configuration says
/// then: one that is not named any more is forgotten once none lies there.
pub(crate) fn olddirs(path: &Path, around: &Around<'_>) -> Result<Vec<PathBuf>, Stop> {
    let mut all = around.former_olddirs(path);
    let mut kept = Vec::new();
    for directory in all.drain(..) {
        if !directory.is_dir() || !rotated_in(&[&directory], path, around)?.is_empty() {
            kept.push(directory);
        }
    }
    kept.extend(around.olddir(path));
    Ok(kept)
}

/// Forgets directories of before that are not there, where all that may have lain in them is found elsewhere.
pub(crate) fn forget_removed(all: &mut Vec<PathBuf>, path: &Path, around: &Around<'_>) {
    let now = around.olddir(path);
    all.retain(|directory| directory.is_dir() || now.as_ref() == Some(directory));
}

/// The rotated files of a log in its directories, whatever they are.
fn rotated_in(
    directories: &[&Path],
    path: &Path,
    around: &Around<'_>,
) -> Result<Vec<(PathBuf, Rotated)>, Stop> {
    let live = path.file_name().map(std::os::unix::ffi::OsStrExt::as_bytes).unwrap_or_default();
    let stem = names::stem(live);
    let mut all = Vec::new();
    for directory in directories {
        let names = match around.names(directory) {
            Ok(names) => names,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
            Err(cause) if handles::are_used_up(&cause) => {
                return Err(Stop::Full(format!("{} {}", directory.display(), handles::told(&cause))));
            }
            Err(cause) => return Err(Stop::Fail(in_words("list", directory, &cause))),
        };
        let first = names.partition_point(|name| name.as_slice() < stem);
        let found = names.iter().skip(first).take_while(|name| name.starts_with(stem)).filter_map(|name| {
            let path = directory.join(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(name));
            Some((path, names::rotated(live, name)?))
        });
        all.extend(found.filter(|(path, _)| !around.is_copy(path)));
    }
    Ok(all)
}

/// While a file is packed, both it and what it is packed into lie there; the plain one counts. The others by their names.
fn without_doubles(files: Vec<LogFile>) -> (Vec<Rc<LogFile>>, Vec<PathBuf>) {
    let plain: HashSet<_> =
        files.iter().filter(|file| file.packing == Packing::Plain).map(|file| file.path.clone()).collect();
    let is_double =
        |file: &LogFile| file.packing != Packing::Plain && plain.contains(&file.path.with_extension(""));
    let (doubles, files): (Vec<_>, Vec<_>) = files.into_iter().partition(is_double);
    (files.into_iter().map(Rc::new).collect(), doubles.into_iter().map(|file| file.path).collect())
}

/// Where a cursor's file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// At the path, as before.
    Live,
    /// Rotated: this one of the shelf's.
    Rotated(usize),
    /// Nowhere.
    Lost,
}

/// What `locate` has to know of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) id: FileId,
    pub(crate) written: i128,
}

/// Finds a cursor's file among the live one and the rotated ones (oldest first). `fits` says whether a file has at the
/// cursor's place what the cursor's file had; the live one's number is `None`. Files that are `known` to be others are
/// not asked; what was written no later than `seen` was read.
pub(crate) fn locate(
    cursor: &Cursor,
    live: Option<Candidate>,
    rotated: &[Candidate],
    known: &[FileId],
    seen: i64,
    mut fits: impl FnMut(Option<usize>) -> io::Result<bool>,
) -> io::Result<Found> {
    // So few bytes may be how every file of this log begins.
    let is_short = cursor.offset < PROOF;
    let same = |candidate: &Candidate| candidate.id == cursor.id;
    let unknown = |candidate: &Candidate| !known.contains(&candidate.id);
    let later = |candidate: &Candidate| unknown(candidate) && candidate.written >= i128::from(cursor.written);
    // Truncated after it was copied, and written again with the same beginning?
    let mut copied = None;
    if is_short {
        let after = |file: &Candidate| {
            later(file) && !same(file) && file.written > i128::from(cursor.written.max(seen))
        };
        for (index, _) in rotated.iter().enumerate().filter(|(_, file)| after(file)) {
            if fits(Some(index))? {
                copied = Some(index);
                break;
            }
        }
    }
    if copied.is_none() && live.as_ref().is_some_and(same) && fits(None)? {
        return Ok(Found::Live);
    }
    for (index, _) in rotated.iter().enumerate().filter(|(_, file)| same(file)) {
        if fits(Some(index))? {
            return Ok(Found::Rotated(copied.unwrap_or(index).min(index)));
        }
    }
    // Packed or copied, it has kept the time of its last write, or a later one; the oldest of those is the one, as any
    // file that was begun after it is younger.
    // A file that still has its number was truncated; what was copied of it before is older than what it has now.
    let number = rotated.iter().position(same);
    let most = number.filter(|_| is_short).unwrap_or(rotated.len());
    for (index, _) in rotated.iter().enumerate().take(most).filter(|(_, file)| later(file)) {
        if fits(Some(index))? {
            return Ok(Found::Rotated(index));
        }
    }
    if cursor.offset == 0 {
        // Nothing was read of it, so whatever lies there is as good.
        return Ok(if live.is_some() { Found::Live } else { Found::Lost });
    }
    if !is_short {
        if live.is_some() && fits(None)? {
            return Ok(Found::Live);
        }
        for (index, _) in rotated.iter().enumerate().rev().filter(|(_, file)| unknown(file)) {
            if fits(Some(index))? {
                return Ok(Found::Rotated(index));
            }
        }
    }
    Ok(Found::Lost)
}

/// The same for the files of a shelf.
pub(crate) fn on_shelf(cursor: &Cursor, shelf: &Shelf, known: &[FileId], seen: i64) -> io::Result<Found> {
    let candidate = |file: &LogFile| Candidate { id: file.id, written: file.written };
    let rotated: Vec<Candidate> = shelf.rotated.iter().map(|file| candidate(file)).collect();
    locate(cursor, shelf.live.as_deref().map(candidate), &rotated, known, seen, |index| {
        let file = match index {
            None => shelf.live.as_ref(),
            Some(index) => shelf.rotated.get(index),
        };
        file.map_or(Ok(false), |file| fits(file, cursor))
    })
}

/// Whether a file has at the cursor's place what the cursor's file had. One that cannot be unpacked, as it may be in the
/// making, does not.
pub(crate) fn fits(file: &LogFile, cursor: &Cursor) -> io::Result<bool> {
    if file.packing == Packing::Plain && file.size < cursor.offset {
        return Ok(false);
    }
    match file.proof(cursor.offset) {
        Ok(proof) => Ok(proof.as_ref() == Some(&cursor.proof)),
        Err(_) if file.packing != Packing::Plain => Ok(false),
        Err(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::file::Proof;

    fn id(ino: u64) -> FileId {
        FileId { dev: 1, ino, born: None }
    }

    #[test]
    fn where_a_file_went() -> io::Result<()> {
        use Found::{Live, Lost, Rotated};
        // The cursor is in file 7, last written at 50. For each file: its number, when it was written, whether it fits.
        type File = (u64, i128, bool);
        type Case<'a> = (&'a str, u64, Option<File>, &'a [File], Found);
        let table: &[Case<'_>] = &[
            ("unchanged", 9000, Some((7, 50, true)), &[], Live),
            ("renamed", 9000, Some((8, 60, false)), &[(7, 55, true)], Rotated(0)),
            ("renamed twice", 9000, Some((9, 60, false)), &[(7, 55, true), (8, 58, false)], Rotated(0)),
            ("packed", 9000, Some((8, 60, false)), &[(3, 40, false), (9, 55, true)], Rotated(1)),
            ("copied and truncated", 9000, Some((7, 60, false)), &[(8, 55, true)], Rotated(0)),
            ("its number given again", 9000, Some((7, 60, false)), &[], Lost),
            ("written anew by an editor", 9000, Some((8, 60, true)), &[], Live),
            ("gone", 9000, None, &[(3, 40, false)], Lost),
            // So short that all begin alike: the oldest that was written later is the one.
            ("short and renamed", 10, Some((8, 60, true)), &[(3, 40, true), (7, 55, true)], Rotated(1)),
            (
                "short and packed",
                10,
                Some((8, 60, true)),
                &[(3, 40, true), (5, 55, true), (6, 58, true)],
                Rotated(1),
            ),
            (
                "short, copied and truncated",
                10,
                Some((7, 60, true)),
                &[(3, 40, true), (8, 55, true)],
                Rotated(1),
            ),
            (
                "short, copied, truncated and renamed",
                10,
                Some((9, 70, true)),
                &[(8, 55, true), (7, 60, true)],
                Rotated(0),
            ),
            ("short and made anew", 10, Some((8, 60, true)), &[(3, 40, true)], Lost),
            ("short and unchanged", 10, Some((7, 60, true)), &[(3, 40, true)], Live),
            ("empty until now", 0, Some((8, 60, true)), &[(3, 40, true)], Live),
        ];
        for (what, offset, live, rotated, expected) in table {
            let proof = Proof::of(b"", b"");
            let cursor = Cursor { id: id(7), offset: *offset, proof, written: 50 };
            let candidate = |file: &File| Candidate { id: id(file.0), written: file.1 };
            let candidates: Vec<_> = rotated.iter().map(candidate).collect();
            let found = locate(&cursor, live.as_ref().map(candidate), &candidates, &[], 0, |index| {
                Ok(index.map_or(live.as_ref(), |index| rotated.get(index)).is_some_and(|file| file.2))
            })?;
            assert_eq!(found, *expected, "{what}");
        }
        Ok(())
    }
}
