//! What a run needs of all that we remember, and whether an account gets at it.
//!
//! Apart from `owners`, which is about the directories above: here are the state database, what SQLite keeps beside it, and the
//! bases. A command that root ran by hand, or a backup that was put back as root, leaves them as root's. None of that is lost, so
//! nobody is ever told to move it away: without it, what was deleted comes back. It only looks.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;

use super::{Account, accounts, mend, owners};
use crate::config::Ownership;
use crate::error::{Error, ErrorKind};

/// To read and write a file.
const USE: u32 = 6;
/// To make and remove files in a directory.
const FILL: u32 = 7;

/// Something that is there and not to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Withheld {
    /// What it is.
    pub(crate) path: PathBuf,
    /// Whose it is, and with what mode.
    pub(crate) what: String,
    /// The command that gives it.
    pub(crate) remedy: String,
}

/// What an account that carries out runs does not get at, in the order in which a run needs it.
pub(crate) fn from_runs(root: &Path, ownership: &Ownership, account: &Account) -> Vec<Withheld> {
    let all = [database(root), directories(root), bases(root)].concat();
    of(root, ownership, &all, |path, found, bits| account.may(found, bits) || accounts::has_list(path))
}

/// What somebody who only asks does not get at: the state database alone.
pub(crate) fn from_pages(root: &Path, ownership: &Ownership, account: &Account) -> Vec<Withheld> {
    of(root, ownership, &database(root), |path, found, bits| {
        account.may(found, bits) || accounts::has_list(path)
    })
}

/// Why whoever asks cannot carry out a run, as an error with the command; `Ok` where nothing is in the way. A base that he may not
/// read keeps only its own side out.
///
/// # Errors
/// [`ErrorKind::Access`] with the first thing that is not his; [`ErrorKind::Io`] where the file system is read-only.
pub(crate) fn refuse_run(root: &Path, ownership: &Ownership) -> Result<(), Error> {
    refuse(root, ownership, &[database(root), directories(root)].concat())
}

/// The same for who only asks.
///
/// # Errors
/// As [`refuse_run`].
pub(crate) fn refuse_look(root: &Path, ownership: &Ownership) -> Result<(), Error> {
    refuse(root, ownership, &database(root))
}

fn refuse(root: &Path, ownership: &Ownership, needed: &[(PathBuf, u32)]) -> Result<(), Error> {
    let mut shut = Vec::new();
    for (path, bits) in needed {
        match asked(path, *bits) {
            Err(Errno::ACCESS) => shut.push((path.clone(), *bits)),
            Err(Errno::ROFS) => {
                return Err(Error::io("write to", path, io::Error::from(Errno::ROFS)));
            }
            _ => {}
        }
    }
    let all = of(root, ownership, &shut, |_, _, _| false);
    let Some(first) = all.first() else { return Ok(()) };
    let user = owners::whose(rustix::process::geteuid().as_raw());
    let message = format!("this is not for {user}: it {}:", first.what);
    Err(Error::new(ErrorKind::Access, message).at(&first.path).hint(first.remedy.clone()))
}

fn asked(path: &Path, bits: u32) -> Result<(), Errno> {
    let access = if bits == FILL {
        Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK
    } else {
        Access::READ_OK | Access::WRITE_OK
    };
    rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS)
}

/// The state database and its journal.
fn database(root: &Path) -> Vec<(PathBuf, u32)> {
    let state = root.join("sync_state");
    ["state.db", "state.db-journal"].map(|name| (state.join(name), USE)).into()
}

/// Where journals are made, and bases.
fn directories(root: &Path) -> Vec<(PathBuf, u32)> {
    let state = root.join("sync_state");
    vec![(state.clone(), FILL), (state.join("bases"), FILL)]
}

/// What is remembered of each side.
fn bases(root: &Path) -> Vec<(PathBuf, u32)> {
    let entries = fs::read_dir(root.join("sync_state/bases"));
    let mut all: Vec<(PathBuf, u32)> =
        entries.into_iter().flatten().flatten().map(|entry| (entry.path(), USE)).collect();
    all.sort();
    all
}

/// Those that are there and may not be used, with one command for all of them.
fn of(
    root: &Path,
    ownership: &Ownership,
    needed: &[(PathBuf, u32)],
    may: impl Fn(&Path, &fs::Metadata, u32) -> bool,
) -> Vec<Withheld> {
    let mut shut: Vec<(PathBuf, fs::Metadata, u32)> = Vec::new();
    for (path, bits) in needed {
        let Ok(found) = fs::symlink_metadata(path) else { continue };
        // What lies in a directory that is given away is given with it.
        let is_in = shut.iter().any(|(above, ..)| path.starts_with(above));
        if !found.is_symlink() && !is_in && !may(path, &found, *bits) {
            shut.push((path.clone(), found, *bits));
        }
    }
    let command = command(root, ownership, &shut);
    let told = |(path, found, _): (PathBuf, fs::Metadata, u32)| Withheld {
        path,
        what: owners::described(&found),
        remedy: command.clone(),
    };
    shut.into_iter().map(told).collect()
}

/// Gives what is somebody else's to the configured user and group, and what is his the right that is missing.
fn command(root: &Path, ownership: &Ownership, shut: &[(PathBuf, fs::Metadata, u32)]) -> String {
    let state = root.join("sync_state");
    let owner = super::user(ownership).or_else(|| fs::metadata(root).ok().map(|found| found.uid()));
    let group = super::group(ownership);
    let is_his =
        |found: &fs::Metadata| Some(found.uid()) == owner && group.is_none_or(|group| found.gid() == group);
    let (his, others): (Vec<_>, Vec<_>) = shut.iter().partition(|(_, found, _)| is_his(found));
    let mut all = Vec::new();
    // All of it: what root made here, it has mostly made more of.
    if others.iter().any(|(path, ..)| *path == state) {
        return owners::give_state(root, ownership);
    }
    if !others.is_empty() {
        let paths: Vec<&PathBuf> = others.iter().map(|(path, ..)| path).collect();
        all.push(mend::chown_all(&owners::spec(root, ownership), &paths));
    }
    // Whoever gets it needs the right as well.
    for (path, found, bits) in shut {
        let letters = if *bits == FILL { "rwx" } else { "rw" };
        let needed = bits << 6 | bits << 3;
        if his.iter().any(|(one, ..)| one == path) || found.mode() & needed != needed {
            let (user, group) = (owner.unwrap_or(found.uid()), group.unwrap_or(found.gid()));
            all.push(mend::chmod(&format!("u+{letters},g+{letters}"), path, user, group));
        }
    }
    format!("as root: {}", all.join(" && "))
}
