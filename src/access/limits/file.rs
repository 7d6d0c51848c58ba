//! The file of the table: found, checked, made, made anew, and made of another size.
//!
//! Apart from `table`, which knows no file. The file appears whole or not at all, under a lock that nobody needs who finds
//! a good one. A file of another version, another start of the machine or another size than it says, and what is no file,
//! is replaced by a new one; only what this user may not open is left, as an error, but for whom all of it belongs to. It must never follow a symlink, and
//! never be made shorter.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::SeqCst;

use rustix::fs::{FallocateFlags, OFlags};
use sha2::{Digest, Sha256};

use super::key::{Hasher, SECRET};
use super::mapping::{HEADER, Mapping, SET};
use super::table::{Process, Stuck, Table};
use crate::clock;
use crate::config::Ownership;
use crate::durable::{self, Lock, Nascent};
use crate::error::{Error, ErrorKind, Result};

/// What the file begins with: its format, its version, and how many slots a set has.
const FORMAT: [u8; 16] = *b"cr0limit\x01\0\0\0\x0f\0\0\0";
/// Clients for each set of 15 slots: with about half of them in use, next to no set is full when others are not.
const CLIENTS: u32 = 8;
/// More sets than any configuration leads to (2^24 clients).
const MOST_SETS: usize = 1 << 21;
/// How long we wait for whoever makes the table (milliseconds).
const WAIT_MS: u64 = 5_000;
/// The states of a table, in its word for that.
const MOVING: u64 = 1;
const RETIRED: u64 = 2;

/// Where the table lies, and for whom it is made.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) root: PathBuf,
    pub(super) ownership: Ownership,
    /// So many clients a new one is made for.
    pub(super) clients: u32,
}

impl Place {
    pub(super) fn path(&self) -> PathBuf {
        // In a directory of its own, where each may put another in the place of one that somebody else has made.
        self.root.join("sync_state").join("limits").join("rate_limits.table")
    }

    fn sets(&self) -> usize {
        usize::try_from(self.clients.div_ceil(CLIENTS)).unwrap_or(1).clamp(1, MOST_SETS)
    }
}

/// A table that is mapped.
#[derive(Debug)]
pub(super) struct Open {
    mapping: Mapping,
    secret: [u8; SECRET],
    pub(super) hasher: Hasher,
    /// Which file it is.
    file: (u64, u64),
}

impl Open {
    pub(super) fn table(&self) -> Table<'_> {
        Table { sets: self.mapping.sets(), process: PROCESS }
    }

    /// Whether nobody has put another table in its place, as far as can be told without looking for the file.
    pub(super) fn current(&self) -> bool {
        self.mapping.retired().load(SeqCst) == 0
    }

    /// Whether a part of it went while it was used: what it said last counts for nothing.
    pub(super) fn lost(&self) -> bool {
        self.mapping.lost()
    }

    /// Whether it is what lies there, whole.
    pub(super) fn lies_at(&self, path: &Path) -> bool {
        let length = length(self.mapping.sets().len());
        fs::symlink_metadata(path)
            .is_ok_and(|found| (found.dev(), found.ino()) == self.file && found.size() == length)
    }
}

const PROCESS: Process = Process { own: own_pid, lives };

fn own_pid() -> u64 {
    u64::try_from(rustix::process::getpid().as_raw_nonzero().get()).unwrap_or(0)
}

fn lives(pid: u64) -> bool {
    i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).is_some_and(|pid| {
        // Whoever may not be asked lives.
        rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
    })
}

/// What lies there.
enum Found {
    Usable(Open),
    /// It was being moved, or was replaced.
    Unfinished(Open),
    /// Nothing that could be used.
    Nothing,
}

/// The table that is to be used; it is made where there is none.
pub(super) fn open(place: &Place) -> Result<Open> {
    if let Found::Usable(open) = look(&place.path())? {
        return Ok(open);
    }
    let _lock = lock(place)?;
    match look(&place.path())? {
        Found::Usable(open) => Ok(open),
        Found::Unfinished(old) => replace(place, &old),
        Found::Nothing => make(place, clock::random()?, |_| Ok(())),
    }
}

/// Makes a table of another size than the configured one anew, with all buckets that are not full. Whether it did.
pub(super) fn resize(place: &Place) -> Result<Option<Open>> {
    let _lock = lock(place)?;
    match look(&place.path())? {
        Found::Usable(old) if old.mapping.sets().len() != place.sets() => replace(place, &old).map(Some),
        _ => Ok(None),
    }
}

/// How many slots the table has, and how many are in use; `None` where there is none that can be used. Makes and changes
/// nothing.
pub(super) fn used(place: &Place, now: u64) -> Result<Option<(u64, u64)>> {
    let (Found::Usable(open) | Found::Unfinished(open)) = look(&place.path())? else { return Ok(None) };
    let counted = open.table().used(now);
    if open.lost() {
        let error = Error::new(ErrorKind::Corrupt, "cannot count in a table that somebody made shorter:");
        return Err(error.at(place.path()).hint("it is made anew by whoever needs it next"));
    }
    Ok(Some(counted))
}

fn lock(place: &Place) -> Result<Lock> {
    Lock::take(&place.root, &place.ownership, "rate_limits", WAIT_MS)
}

fn look(path: &Path) -> Result<Found> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = fs::symlink_metadata(path).and_then(|found| {
        // Opening a device can do things, so it is looked at before.
        if !found.is_file() {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        let flags = i32::try_from(flags.bits()).unwrap_or(0);
        OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
    });
    let file = match opened {
        Ok(file) => file,
        // Whoever made it keeps it to himself; whose directory it is puts another in its place.
        Err(cause) if cause.kind() == std::io::ErrorKind::PermissionDenied && is_its_owner(path) => {
            return Ok(Found::Nothing);
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::PermissionDenied => {
            let hint = "it is for the user and the group of the configuration (ownership)";
            return Err(Error::io("open the table of rate limits", path, cause).hint(hint));
        }
        Err(cause) if cause.raw_os_error() == Some(libc::ELOOP) => return Ok(Found::Nothing),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(cause) => return Err(Error::io("open the table of rate limits", path, cause)),
    };
    let found = file.metadata().map_err(|cause| Error::io("look at", path, cause))?;
    let mut bytes = [0; HEAD];
    if !found.is_file() || file.read_exact_at(&mut bytes, 0).is_err() {
        return Ok(Found::Nothing);
    }
    let Some((sets, secret)) = understood(&bytes, &boot()).filter(|(sets, _)| length(*sets) == found.size())
    else {
        return Ok(Found::Nothing);
    };
    let open = map(&file, sets, secret).map_err(|cause| Error::io("map", path, cause))?;
    Ok(if open.current() { Found::Usable(open) } else { Found::Unfinished(open) })
}

fn is_its_owner(path: &Path) -> bool {
    let directory = path.parent().and_then(|directory| fs::metadata(directory).ok());
    directory.is_some_and(|found| found.uid() == rustix::process::geteuid().as_raw())
}

fn map(file: &File, sets: usize, secret: [u8; SECRET]) -> std::io::Result<Open> {
    let mapping = Mapping::of(file, sets)?;
    let found = file.metadata()?;
    Ok(Open { mapping, secret, hasher: Hasher::new(&secret), file: (found.dev(), found.ino()) })
}

fn length(sets: usize) -> u64 {
    let bytes = sets.saturating_mul(SET).saturating_add(HEADER);
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Moves what another table holds into a new one, in its place. Whoever was at it and died has lost nothing: the old one
/// stays as it is until the new one is there.
fn replace(place: &Place, old: &Open) -> Result<Open> {
    let now = clock::boot_nanos();
    let path = place.path();
    let stuck =
        |_: Stuck| Error::new(ErrorKind::Busy, "cannot move the buckets of").at(&path).hint("try again");
    old.mapping.retired().store(MOVING, SeqCst);
    old.table().freeze(now).map_err(stuck)?;
    let new = make(place, old.secret, |new| new.table().adopt_all(old.mapping.sets(), now).map_err(stuck))?;
    old.mapping.retired().store(RETIRED, SeqCst);
    Ok(new)
}

/// Makes a new table in the place of whatever lies there.
fn make(place: &Place, secret: [u8; SECRET], fill: impl FnOnce(&Open) -> Result<()>) -> Result<Open> {
    let path = place.path();
    let fail = |cause: std::io::Error| Error::io("make the table of rate limits", &path, cause);
    if let Some(directory) = path.parent() {
        durable::private_directory(directory)?;
    }
    let (nascent, _) = Nascent::beside(&path, "made", &place.ownership)?;
    let file = nascent.file();
    let sets = place.sets();
    allocate(file, length(sets)).map_err(fail)?;
    file.write_all_at(&header(sets, &secret, &boot()), 0).map_err(fail)?;
    file.set_permissions(fs::Permissions::from_mode(0o660)).map_err(fail)?;
    let open = map(file, sets, secret).map_err(fail)?;
    fill(&open)?;
    nascent.supersede()?;
    Ok(open)
}

/// Has all of it there before anybody writes: on a full disk there would be no room for what is written in memory.
fn allocate(file: &File, length: u64) -> std::io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length) {
        Ok(()) => Ok(()),
        // Not every file system can; then it is written.
        Err(rustix::io::Errno::OPNOTSUPP) => zeros(file, length),
        Err(cause) => Err(cause.into()),
    }
}

fn zeros(file: &File, length: u64) -> std::io::Result<()> {
    let zeros = [0; SET];
    for at in (0..length).step_by(SET) {
        file.write_all_at(&zeros, at)?;
    }
    Ok(())
}

/// Bytes of the header that say something.
const HEAD: usize = 80;

/// Which start of the machine this is.
fn boot() -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(clock::boot().id).into();
    digest.first_chunk().copied().unwrap_or_default()
}

fn header(sets: usize, secret: &[u8; SECRET], boot: &[u8; 16]) -> Vec<u8> {
    let mut bytes = FORMAT.to_vec();
    bytes.extend(u64::try_from(sets).unwrap_or(0).to_le_bytes());
    bytes.extend(boot);
    bytes.extend(secret);
    let check: [u8; 32] = Sha256::digest(&bytes).into();
    bytes.extend(check.first_chunk::<8>().copied().unwrap_or_default());
    bytes
}

/// How many sets a header says there are, and the secret; `None` when it is not one that we wrote since this machine was
/// started.
fn understood(bytes: &[u8; HEAD], boot: &[u8; 16]) -> Option<(usize, [u8; SECRET])> {
    let sets = u64::from_le_bytes(*bytes.get(16..)?.first_chunk()?);
    let sets = usize::try_from(sets).ok().filter(|sets| (1..=MOST_SETS).contains(sets))?;
    let secret = *bytes.get(40..)?.first_chunk()?;
    (header(sets, &secret, boot) == bytes).then_some((sets, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_that_cannot_allocate_gets_zeros() -> std::io::Result<()> {
        let file = tempfile::tempfile()?;
        zeros(&file, length(3))?;
        assert_eq!(file.metadata()?.len(), length(3));
        let other = tempfile::tempfile()?;
        allocate(&other, length(3))?;
        assert_eq!(other.metadata()?.len(), length(3));
        assert!(other.metadata()?.blocks() >= length(3) / 512);
        Ok(())
    }

    #[test]
    fn a_header_is_understood_only_as_it_was_written() {
        let written: [u8; HEAD] = header(17, &[9; SECRET], &[3; 16]).try_into().unwrap();
        assert_eq!(understood(&written, &[3; 16]), Some((17, [9; SECRET])));
        assert_eq!(understood(&written, &[4; 16]), None, "another start of the machine");
        for bit in 0..HEAD * 8 {
            let mut damaged = written;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(understood(&damaged, &[3; 16]), None, "bit {bit}");
        }
    }
}
