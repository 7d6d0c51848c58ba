//! The directories of `sync_state` that pages need, and files in them, with the modes that they are made with.
//!
//! Apart from `withheld`, which is about what runs remember and pages only read. A `chmod -R` over `sync_state`, or a command that
//! root ran, keeps pages from asking for anything, from counting and from telling; the first of these the next run mends, as far
//! as the thing is of the owner and group of `sync_state`.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

use super::withheld::Withheld;
use super::{Account, accounts, lock, mend, owners};
use crate::config::Ownership;

/// To read and write a file.
const USE: u32 = 6;
/// To make and remove files in a directory.
const FILL: u32 = 7;
/// To see what a directory has.
const LIST: u32 = 5;

/// What pages do in a directory.
struct Shared {
    name: &'static str,
    mode: u32,
    /// What they have to be allowed there.
    bits: u32,
    /// What they cannot do without it.
    use_of: &'static str,
}

/// Each after the one that it lies in.
const DIRECTORIES: [Shared; 6] = [
    Shared { name: "locks", mode: 0o3770, bits: FILL, use_of: "take the locks in it" },
    Shared { name: "events", mode: 0o3770, bits: FILL, use_of: "write events" },
    Shared { name: "limits", mode: 0o2770, bits: FILL, use_of: "count what is limited" },
    Shared { name: "queue", mode: 0o3770, bits: FILL, use_of: "ask the runs for anything" },
    Shared { name: "queue/results", mode: 0o2750, bits: LIST, use_of: "see what came of requests" },
    Shared { name: "integrity", mode: 0o2750, bits: LIST, use_of: "see what checks have found" },
];

/// Files that everybody writes, beside the locks. What is in them is not looked at, so no run gives them their modes back.
const FILES: [Shared; 2] = [
    Shared { name: "events/head", mode: 0o660, bits: USE, use_of: "write events" },
    Shared { name: "limits/rate_limits.table", mode: 0o660, bits: USE, use_of: "count what is limited" },
];

/// Gives back the modes that these were made with, where they are of the owner and group of `sync_state` and not of somebody who
/// made them since. What cannot be mended is left, and whoever looks says so.
pub(crate) fn give_modes_back(state: &Path) {
    let Ok(above) = fs::metadata(state) else { return };
    for one in &DIRECTORIES {
        if let Some(there) = open_as_it_lies(state, one.name) {
            give_mode_back(&there, &above, one.mode);
        }
    }
    // A file of the same owner can be moved here by pages, which may not read it: only what has nothing but a holder is a lock.
    for name in lock::ALL {
        if let Some(there) = open_as_it_lies(state, &format!("locks/{name}.lock"))
            && lock::is_one(&there)
        {
            give_mode_back(&there, &above, 0o660);
        }
    }
}

/// Opens what has a name there; none of the directories on the way may be a link.
fn open_as_it_lies(state: &Path, name: &str) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut there = rustix::fs::openat(CWD, state, flags, Mode::empty()).ok()?;
    for part in name.split('/') {
        // Opening a device can do things, so it is looked at before.
        let found = rustix::fs::statat(&there, part, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let kind = rustix::fs::FileType::from_raw_mode(found.st_mode);
        if !kind.is_dir() && !kind.is_file() {
            return None;
        }
        there = rustix::fs::openat(&there, part, flags, Mode::empty()).ok()?;
    }
    Some(there)
}

fn give_mode_back(there: &OwnedFd, above: &fs::Metadata, mode: u32) {
    let Ok(found) = rustix::fs::fstat(there) else { return };
    let is_of_state = found.st_uid == above.uid() && found.st_gid == above.gid();
    let is_dir = rustix::fs::FileType::from_raw_mode(found.st_mode).is_dir();
    // One with two names may be a file of somewhere else. And who is not in the group would take the bit away that hands it down.
    if is_of_state && found.st_mode & 0o7777 != mode && (is_dir || found.st_nlink == 1) && is_in(found.st_gid)
    {
        let _ = rustix::fs::fchmod(there, Mode::from_raw_mode(mode));
    }
}

/// Whether whoever runs is in a group, or is root.
fn is_in(group: u32) -> bool {
    rustix::process::geteuid().is_root()
        || rustix::process::getegid().as_raw() == group
        || rustix::process::getgroups().is_ok_and(|all| all.iter().any(|one| one.as_raw() == group))
}

/// What an account does not get at, with what it cannot do without that.
pub(crate) fn from(root: &Path, ownership: &Ownership, account: &Account) -> Vec<(Withheld, &'static str)> {
    let state = root.join("sync_state");
    let runs = super::user(ownership).or_else(|| fs::metadata(&state).ok().map(|found| found.uid()));
    let mut all = Vec::new();
    for one in DIRECTORIES.iter().chain(&FILES) {
        let path = state.join(one.name);
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        // Who runs the sync writes in each of them.
        let bits = if Some(account.user) == runs && one.bits == LIST { FILL } else { one.bits };
        if found.is_symlink() || account.may(&found, bits) || accounts::has_list(&path) {
            continue;
        }
        let withheld = Withheld {
            what: owners::described(&found),
            remedy: command(root, ownership, &path, &found, one.mode),
            path,
        };
        all.push((withheld, one.use_of));
    }
    all
}

/// Gives it to the configured user and group where it is somebody else's, and gives it the mode that it was made with.
fn command(root: &Path, ownership: &Ownership, path: &Path, found: &fs::Metadata, mode: u32) -> String {
    let owner = super::user(ownership).or_else(|| fs::metadata(root).ok().map(|found| found.uid()));
    let (user, group) = (owner.unwrap_or(found.uid()), super::group(ownership).unwrap_or(found.gid()));
    let chmod = mend::chmod(&format!("{mode:o}"), path, user, group);
    if (found.uid(), found.gid()) == (user, group) {
        return format!("as root: {chmod}");
    }
    format!("as root: {} && {chmod}", mend::chown(&owners::spec(root, ownership), path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::prepare;
    use super::*;
    use crate::config::Config;

    /// After `chmod -R` over all of it, whatever the mode.
    #[test]
    fn each_run_gives_back_the_modes_that_pages_need() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let root = directory.path();
        let config = Config::parse(br#"{"version": 1}"#, root, None)?;
        let state = root.join("sync_state");
        let mode =
            |name: &str, bits: u32| fs::set_permissions(state.join(name), fs::Permissions::from_mode(bits));
        prepare(root, &config.ownership);
        for one in &DIRECTORIES {
            fs::create_dir_all(state.join(one.name))?;
        }
        for one in &FILES {
            fs::write(state.join(one.name), "")?;
        }
        let gid = fs::metadata(&state)?.gid();
        let all = || DIRECTORIES.iter().chain(&FILES);
        for one in all() {
            std::os::unix::fs::chown(state.join(one.name), None, Some(gid))?;
        }
        fs::write(root.join("elsewhere"), "")?;
        mode("../elsewhere", 0o604)?;
        for bits in [0o755, 0o700, 0o777] {
            for one in all() {
                mode(one.name, bits)?;
            }
            mode("locks/events.lock", bits)?;
            prepare(root, &config.ownership);
            for one in &DIRECTORIES {
                let found = fs::metadata(state.join(one.name))?.mode() & 0o7777;
                assert_eq!(format!("{found:o}"), format!("{:o}", one.mode), "{}", one.name);
            }
            assert_eq!(fs::metadata(state.join("locks/events.lock"))?.mode() & 0o7777, 0o660);
        }
        // What pages have moved here is not opened to them.
        for name in ["events/head", "limits/rate_limits.table", "locks/events.lock"] {
            fs::write(state.join(name), "secret")?;
            mode(name, 0o600)?;
            prepare(root, &config.ownership);
            assert_eq!(fs::metadata(state.join(name))?.mode() & 0o7777, 0o600, "{name}");
        }
        // What somebody has put in its place leads to nothing of ours.
        fs::remove_file(state.join("events/head"))?;
        std::os::unix::fs::symlink(root.join("elsewhere"), state.join("events/head"))?;
        fs::remove_file(state.join("limits/rate_limits.table"))?;
        fs::hard_link(root.join("elsewhere"), state.join("limits/rate_limits.table"))?;
        prepare(root, &config.ownership);
        assert_eq!(fs::metadata(root.join("elsewhere"))?.mode() & 0o7777, 0o604);
        Ok(())
    }
}
