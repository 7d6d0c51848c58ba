//! Reads what is in files: SHA-256, over a descriptor whose file is looked at before and after.
//!
//! With `read`, never through a mapping: a file that is truncated meanwhile would end the process. Only regular files are
//! opened; should a name have become a pipe since `walk` saw it, opening does not wait. A file that changes each time it is
//! read is `Unstable`, which is a finding of its own.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use md5::Md5;
use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::model::{Digest, Entry, Kind, Problem, ProblemKind, Stat};
use super::scope::Scope;
use super::walk::{self, Base, Xattrs};
use crate::clock::{self, Stopwatch};
use crate::interrupt;

/// So often a file is read again that changed while it was read.
const TRIES: u32 = 3;
/// Read at once (bytes).
const CHUNK: usize = 256 << 10;
/// So often whoever waits for other threads looks whether it goes on.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A larger file is not read (bytes): a hole of terabytes, which costs nobody anything to make, would stop every check.
const MAX_READ: u64 = 16 << 30;
/// More extended attributes of one file than this are not compared (bytes); the kernel has none longer.
const MAX_XATTRS: usize = 64 << 10;

/// What reading came to.
#[derive(Debug)]
pub(super) enum Outcome {
    Read(Box<Content>),
    /// It is gone, or no regular file any more; what is there now.
    Other(Option<Stat>),
    Problem(Problem),
    /// There was no time left.
    NotYet,
}

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    /// As it was while it was read.
    pub(super) stat: Stat,
    pub(super) content: Digest,
    pub(super) md5: Option<[u8; 16]>,
    pub(super) xattrs: Option<Digest>,
    /// When reading began (milliseconds since 1970).
    pub(super) at: i64,
}

/// How to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) xattrs: Xattrs,
    pub(super) has_md5: bool,
    pub(super) threads: usize,
    pub(super) limit: Limit,
}

/// How long it may take.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    None,
    /// So many milliseconds since a start.
    Budget(Stopwatch, u64),
}

impl Limit {
    fn is_over(self) -> bool {
        match self {
            Limit::None => false,
            Limit::Budget(start, milliseconds) => start.millis() >= milliseconds,
        }
    }
}

/// When there is no time left, or somebody has said that it stops.
#[derive(Debug)]
struct End {
    limit: Limit,
    is_stopped: AtomicBool,
}

impl End {
    fn has_come(&self) -> bool {
        if interrupt::check().is_err() {
            self.is_stopped.store(true, Ordering::Relaxed);
        }
        self.is_stopped.load(Ordering::Relaxed) || self.limit.is_over()
    }
}

/// All of what was read.
#[derive(Debug, Default)]
pub(super) struct Hashed {
    /// By the number of the entry.
    pub(super) outcomes: Vec<(usize, Outcome)>,
    pub(super) bytes: u64,
}

/// Reads some of the entries, in this order, several at once.
pub(super) fn hash(scope: &Scope, entries: &[Entry], wanted: &[usize], manner: Manner) -> Hashed {
    let bases: Vec<(&[u8], Result<Base, Errno>)> =
        scope.roots.iter().map(|root| (root.as_slice(), Base::of(root))).collect();
    let base = |path: &[u8]| {
        let root = scope.root_of(path)?;
        bases.iter().find(|(other, _)| *other == root).map(|(_, base)| base)
    };
    let next = AtomicUsize::new(0);
    let bytes = AtomicU64::new(0);
    let all = Mutex::new(Vec::with_capacity(wanted.len()));
    let end = End { limit: manner.limit, is_stopped: AtomicBool::new(false) };
    let work = || {
        let mut buffer = vec![0; CHUNK];
        let mut own = Vec::new();
        while let Some(index) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Some(entry) = entries.get(*index) else { continue };
            let outcome = if end.has_come() {
                Outcome::NotYet
            } else {
                match base(&entry.path) {
                    Some(Ok(base)) => read(base, &entry.path, (manner, &end), &mut buffer, &bytes),
                    Some(Err(cause)) => Outcome::Problem(walk::problem(&entry.path, *cause)),
                    None => Outcome::Other(None),
                }
            };
            own.push((*index, outcome));
        }
        all.lock().unwrap_or_else(std::sync::PoisonError::into_inner).append(&mut own);
    };
    std::thread::scope(|threads| {
        // Nothing is sent: whoever ends lets go of his end.
        let (at_work, others) = mpsc::channel::<()>();
        let deaf = interrupt::deaf();
        for _ in 1..manner.threads.min(wanted.len()) {
            let at_work = at_work.clone();
            threads.spawn(move || {
                work();
                drop(at_work);
            });
        }
        drop((at_work, deaf));
        work();
        // The others have nobody to ask whether it goes on.
        while others.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            end.has_come();
        }
    });
    let mut outcomes = all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    outcomes.sort_unstable_by_key(|(index, _)| *index);
    Hashed { outcomes, bytes: bytes.into_inner() }
}

/// Whether so large a file is read at all.
pub(super) fn is_too_large(size: u64) -> bool {
    size > MAX_READ
}

/// Why such a file was not.
pub(super) fn too_large(path: &[u8]) -> Problem {
    let reason = format!("it has more than {} GiB; only its attributes are compared", MAX_READ >> 30);
    Problem { path: path.to_vec(), kind: ProblemKind::Unreadable, reason }
}

fn read(base: &Base, path: &[u8], how: (Manner, &End), buffer: &mut [u8], bytes: &AtomicU64) -> Outcome {
    for _ in 0..TRIES {
        match attempt(base, path, how, buffer, bytes) {
            Ok(Some(outcome)) => return outcome,
            Ok(None) => {}
            Err(Errno::NOENT) => return Outcome::Other(None),
            // A socket, or a device without a driver.
            Err(Errno::NXIO) => return Outcome::Other(None),
            Err(cause) => return Outcome::Problem(walk::problem(path, cause)),
        }
    }
    let reason = format!("it changed each of {TRIES} times that it was read");
    Outcome::Problem(Problem { path: path.to_vec(), kind: ProblemKind::Unstable, reason })
}

/// Reads a file once; none where it changed meanwhile.
fn attempt(
    base: &Base,
    path: &[u8],
    (manner, end): (Manner, &End),
    buffer: &mut [u8],
    bytes: &AtomicU64,
) -> Result<Option<Outcome>, Errno> {
    let at = clock::now().timestamp_millis();
    let descriptor = base.open(path, OFlags::RDONLY)?;
    let before = walk::stat_of(descriptor.as_fd())?;
    if before.kind != Kind::File {
        return Ok(Some(Outcome::Other(Some(before))));
    }
    if is_too_large(before.size) {
        return Ok(Some(Outcome::Problem(too_large(path))));
    }
    let mut sha = Sha256::new();
    let mut md5 = manner.has_md5.then(Md5::new);
    let mut length: u64 = 0;
    loop {
        let count = match rustix::io::read(&descriptor, &mut *buffer) {
            Ok(count) => count,
            Err(Errno::INTR) => continue,
            Err(cause) => return Err(cause),
        };
        let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { break };
        sha.update(part);
        if let Some(md5) = &mut md5 {
            md5.update(part);
        }
        let count = u64::try_from(count).unwrap_or(0);
        length = length.saturating_add(count);
        bytes.fetch_add(count, Ordering::Relaxed);
        // One that grows as fast as it is read would have no end.
        if length > before.size {
            return Ok(None);
        }
        if length < before.size && end.has_come() {
            return Ok(Some(Outcome::NotYet));
        }
    }
    let xattrs = match manner.xattrs {
        Xattrs::Read => Some(xattrs(descriptor.as_fd())?),
        Xattrs::Ignore => None,
    };
    let after = walk::stat_of(descriptor.as_fd())?;
    if before.mark() != after.mark() || length != after.size {
        return Ok(None);
    }
    Ok(Some(Outcome::Read(Box::new(Content {
        stat: after,
        content: sha.finalize().into(),
        md5: md5.map(|md5| md5.finalize().into()),
        xattrs,
        at,
    }))))
}

/// Of all extended attributes of an open file: access lists, capabilities, and what users put there.
pub(super) fn xattrs(descriptor: BorrowedFd<'_>) -> Result<Digest, Errno> {
    let mut list = vec![0_u8; MAX_XATTRS];
    let count = match rustix::fs::flistxattr(descriptor, &mut *list) {
        Ok(count) => count,
        Err(Errno::NOTSUP) => 0,
        Err(cause) => return Err(cause),
    };
    let names = list.get(..count).unwrap_or_default();
    let mut names: Vec<&[u8]> = names.split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    let mut value = vec![0_u8; MAX_XATTRS];
    let mut hash = Sha256::new();
    for name in names {
        let count = match rustix::fs::fgetxattr(descriptor, name, &mut *value) {
            Ok(count) => count,
            // Removed in between, or not for us to see.
            Err(Errno::NODATA | Errno::PERM | Errno::ACCESS) => 0,
            Err(cause) => return Err(cause),
        };
        let value = value.get(..count).unwrap_or_default();
        hash.update(u64::try_from(name.len()).unwrap_or(0).to_le_bytes());
        hash.update(name);
        hash.update(u64::try_from(value.len()).unwrap_or(0).to_le_bytes());
        hash.update(value);
    }
    Ok(hash.finalize().into())
}
