//! Moves a file that makes no sense out of the way, and never another one.
//!
//! Others may put a good file in its place between the look at it and the move. So it is looked at once more right before,
//! and what was moved is looked at again: what is not the file that was judged goes back. Nothing is ever written over.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};

use super::watched;
use crate::clock;
use crate::error::{Error, Result};

/// So many files of one moment are kept apart.
const MAX_NAMES: u32 = 1_000;

/// A file that was judged: which it was, and all that it said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged<'a> {
    pub(crate) found: &'a fs::Metadata,
    pub(crate) bytes: &'a [u8],
}

/// A file that made no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Why.
    pub(crate) reason: String,
    /// Where it goes.
    pub(crate) moved_to: PathBuf,
    /// What becomes of it.
    pub(crate) fate: Fate,
}

/// What becomes of a file that made no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is about to be moved aside.
    Goes,
    /// It was not: somebody had put another one in its place, which is there.
    Replaced,
}

/// Moves a file aside that was judged to make no sense, unless another one is there meanwhile. `tell` is called right
/// before, so that whoever dies in between tells of it once more, and never not at all; and again where it was not moved.
///
/// # Errors
/// When it cannot be moved.
pub(crate) fn put_aside(
    path: &Path,
    reason: String,
    judged: Judged<'_>,
    tell: &mut impl FnMut(&Broken),
) -> Result<()> {
    let stamp = clock::now().format("%Y-%m-%d_%H-%M-%S%.6f").to_string();
    // Whoever may not move it would tell of it at every call.
    may_replace(path)?;
    if !is_still(path, judged)? {
        return Ok(());
    }
    let mut broken = Broken { reason, moved_to: name(path, &stamp), fate: Fate::Goes };
    tell(&broken);
    match move_aside(path, &broken.moved_to, judged) {
        Ok(Moved::Aside) => Ok(()),
        Ok(Moved::Back | Moved::Other) => {
            broken.fate = Fate::Replaced;
            tell(&broken);
            Ok(())
        }
        // It went by itself.
        Err(_) if !is_still(path, judged)? => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether the directory of a file lets us move that, and make another one.
///
/// # Errors
/// When it does not.
pub(crate) fn may_replace(path: &Path) -> Result<()> {
    let directory = path.parent().unwrap_or(path);
    rustix::fs::accessat(CWD, directory, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
        .map_err(|cause| Error::io("move aside what makes no sense:", path, cause.into()))
}

/// Moves aside what lies in the place of a file of ours and cannot be read as one: a symlink, a directory, a file that is far
/// too large, or one that may not be read. `found` is what was seen there, itself and not what it names. The rest is as with
/// [`put_aside`].
///
/// # Errors
/// When it cannot be moved.
pub(crate) fn put_foreign_aside(
    path: &Path,
    reason: String,
    found: &fs::Metadata,
    tell: &mut impl FnMut(&Broken),
) -> Result<()> {
    let stamp = clock::now().format("%Y-%m-%d_%H-%M-%S%.6f").to_string();
    may_replace(path)?;
    let is_it = |path: &Path| {
        fs::symlink_metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (found.dev(), found.ino()))
    };
    if !is_it(path) {
        return Ok(());
    }
    let mut broken = Broken { reason, moved_to: name(path, &stamp), fate: Fate::Goes };
    tell(&broken);
    super::set_aside(path, &broken.moved_to)?;
    if !is_it(&broken.moved_to) {
        // Another one stays aside only where a third one has its place.
        let _ = super::set_aside(&broken.moved_to, path);
        broken.fate = Fate::Replaced;
        tell(&broken);
    }
    Ok(())
}

/// What lies beside a file that was moved aside as it made no sense, in order.
pub(crate) fn lying_aside(path: &Path) -> Vec<PathBuf> {
    let mut start = path.file_name().unwrap_or_default().to_os_string();
    start.push(".corrupt-");
    let directory = path.parent().unwrap_or(path);
    let names = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let is_one = |name: &OsString| name.as_encoded_bytes().starts_with(start.as_encoded_bytes());
    let mut all: Vec<PathBuf> = names.filter(is_one).map(|name| directory.join(name)).collect();
    all.sort();
    all
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moved {
    /// It is aside.
    Aside,
    /// Another one had its place, and has it again.
    Back,
    /// Another one had its place and was moved, and a third one has it now: the other one stays aside.
    Other,
}

/// A free name beside a file, for one that made no sense at a time.
fn name(path: &Path, stamp: &str) -> PathBuf {
    let named = |more: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".corrupt-{stamp}{more}"));
        PathBuf::from(name)
    };
    let is_free = |path: &PathBuf| fs::symlink_metadata(path).is_err();
    let numbered = (2..MAX_NAMES).map(|number| named(&format!("-{number}")));
    // Where none is free, moving fails, and says so.
    std::iter::once(named("")).chain(numbered).find(is_free).unwrap_or_else(|| named(""))
}

/// Whether a file is still the one that was judged.
fn is_still(path: &Path, judged: Judged<'_>) -> Result<bool> {
    let Some(file) = watched::open(path)? else { return Ok(false) };
    let now = file.metadata().map_err(|cause| Error::io("look at", path, cause))?;
    let is_it = (now.dev(), now.ino()) == (judged.found.dev(), judged.found.ino());
    Ok(is_it && watched::whole(&file, path)? == judged.bytes)
}

/// Gives a file that was judged another name, which must be free.
///
/// # Errors
/// When it cannot be renamed or looked at; then it has one of the two names.
fn move_aside(path: &Path, target: &Path, judged: Judged<'_>) -> Result<Moved> {
    super::set_aside(path, target)?;
    if is_still(target, judged)? {
        return Ok(Moved::Aside);
    }
    match super::set_aside(target, path) {
        Ok(()) => Ok(Moved::Back),
        Err(_) if fs::symlink_metadata(path).is_ok() => Ok(Moved::Other),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn files_of_one_moment_are_all_kept() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a.json");
        let mut kept = Vec::new();
        for text in ["one", "two", "three"] {
            fs::write(&path, text)?;
            let found = fs::metadata(&path)?;
            let target = name(&path, "2026-01-01_00-00-00");
            assert_eq!(
                move_aside(&path, &target, Judged { found: &found, bytes: text.as_bytes() })?,
                Moved::Aside
            );
            kept.push((target, text));
        }
        for (target, text) in kept {
            assert_eq!(fs::read_to_string(target)?, text);
        }
        Ok(())
    }

    #[test]
    fn what_was_not_judged_goes_back() -> Outcome {
        let directory = tempfile::tempdir()?;
        let (path, target) = (directory.path().join("a.json"), directory.path().join("aside"));
        fs::write(&path, "bad")?;
        let found = fs::metadata(&path)?;
        let judged = Judged { found: &found, bytes: b"bad" };
        assert!(is_still(&path, judged)?);
        // The same file with other bytes; another one with the same.
        fs::write(&path, "new")?;
        assert!(!is_still(&path, judged)?);
        assert_eq!(move_aside(&path, &target, judged)?, Moved::Back);
        assert_eq!((fs::read_to_string(&path)?.as_str(), target.exists()), ("new", false));
        fs::write(directory.path().join("b"), "bad")?;
        fs::rename(directory.path().join("b"), &path)?;
        assert_eq!(move_aside(&path, &target, judged)?, Moved::Back);
        assert_eq!((fs::read_to_string(&path)?.as_str(), target.exists()), ("bad", false));
        Ok(())
    }
}
