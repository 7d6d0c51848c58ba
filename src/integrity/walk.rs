//! Looks at every file of the scope, without opening any but directories.
//!
//! By descriptor: a directory is opened below its root with `openat2`, over no symlink and to nothing outside, and what is
//! in it is looked at through that descriptor. So whoever swaps a directory for a symlink meanwhile leads us nowhere. Where
//! the kernel has no `openat2`, or a filter keeps us from it, directories are opened one by one to the same effect. A symlink
//! is written down and never followed. Reading what is in files is for `hash`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{
    self, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Statx, StatxAttributes, StatxFlags,
};
use rustix::io::Errno;

use super::hash;
use super::model::{Entry, Kind, Known, Look, Problem, ProblemKind, Stamp, Stat, is_within};
use super::names;
use super::scope::{Local, Scope, Verdict, parent};
use crate::interrupt;

/// So often whoever waits for other threads looks whether it goes on.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Observation {
    /// In the order of paths.
    pub(super) entries: Vec<Entry>,
    pub(super) problems: Vec<Problem>,
}

/// Whether extended attributes are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Xattrs {
    Read,
    Ignore,
}

/// How to look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) xattrs: Xattrs,
    pub(super) threads: usize,
}

/// The directory above a root: what everything of the root is opened below.
#[derive(Debug)]
pub(super) struct Base {
    descriptor: OwnedFd,
    /// Its path, with a slash at its end.
    path: Vec<u8>,
    way: Way,
}

/// How to get to what lies below a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By one call of `openat2`.
    AtOnce,
    /// One directory after the other.
    StepByStep,
}

/// Over no symlink, and to nothing outside.
const RESOLVE: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

impl Base {
    /// Opens it. Up to here symlinks are followed, as where a system keeps its files is its own affair; whoever swaps one
    /// of them shows us other inodes.
    pub(super) fn of(root: &[u8]) -> Result<Base, Errno> {
        let name = names::file_name(root);
        let path = root.get(..root.len().saturating_sub(name.len())).filter(|path| !path.is_empty());
        let path = path.unwrap_or(b"/");
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = fs::open(path, flags, Mode::empty())?;
        // Opening itself without reading it needs no right: where that fails, the call is missing or forbidden.
        let way = match fs::openat2(&descriptor, c".", flags, Mode::empty(), RESOLVE) {
            Ok(_) => Way::AtOnce,
            Err(_) => Way::StepByStep,
        };
        Ok(Base { descriptor, path: path.to_vec(), way })
    }

    /// Opens what lies below it, over no symlink.
    pub(super) fn open(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let below = path.strip_prefix(self.path.as_slice()).filter(|below| !below.is_empty()).unwrap_or(b".");
        let always = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let open = |flags: OFlags| match self.way {
            Way::AtOnce => fs::openat2(&self.descriptor, below, flags, Mode::empty(), RESOLVE),
            Way::StepByStep => self.open_step_by_step(below, flags),
        };
        if flags.contains(OFlags::PATH) {
            return open(flags | OFlags::NOFOLLOW | OFlags::CLOEXEC);
        }
        // Only the owner of a file, and root, may leave no trace of having read it.
        match open(flags | always | OFlags::NOATIME) {
            Err(Errno::PERM) => open(flags | always),
            result => result,
        }
    }

    /// Fails as `openat2` does, which of a symlink on the way says that it is one.
    fn open_step_by_step(&self, below: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let name = names::file_name(below);
        let above = below.get(..below.len().saturating_sub(name.len())).unwrap_or_default();
        let through = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut last: Option<OwnedFd> = None;
        for part in above.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            let from = last.as_ref().map_or(self.descriptor.as_fd(), AsFd::as_fd);
            last = Some(match step(from, part, through) {
                Err(Errno::NOTDIR) if is_symlink(from, part) => return Err(Errno::LOOP),
                result => result?,
            });
        }
        let from = last.as_ref().map_or(self.descriptor.as_fd(), AsFd::as_fd);
        step(from, if name.is_empty() { b"." } else { name }, flags)
    }
}

/// Opens one name of a directory, over no symlink.
fn step(from: BorrowedFd<'_>, name: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    match name {
        b".." => Err(Errno::XDEV),
        name => fs::openat(from, name, flags | OFlags::NOFOLLOW, Mode::empty()),
    }
}

fn is_symlink(from: BorrowedFd<'_>, name: &[u8]) -> bool {
    fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
}

/// Looks at the roots of the scope, or at some paths within them.
pub(super) fn walk(scope: &Scope, only: Option<&[Vec<u8>]>, manner: Manner) -> Observation {
    let mut found = Observation::default();
    for root in &scope.roots {
        let base = match Base::of(root) {
            Ok(base) => base,
            // What is not there has no files.
            Err(Errno::NOENT | Errno::NOTDIR) => continue,
            Err(cause) => {
                found.problems.push(problem(root, cause));
                continue;
            }
        };
        match only {
            None => look(scope, &base, root, manner, &mut found),
            Some(paths) => {
                for path in paths.iter().filter(|path| is_within(path, root)) {
                    if !is_left_out(scope, root, path) {
                        look(scope, &base, path, manner, &mut found);
                    }
                }
            }
        }
    }
    found
}

/// Whether a directory above a path is left out.
fn is_left_out(scope: &Scope, root: &[u8], path: &[u8]) -> bool {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    ends.filter_map(|end| path.get(..end)).filter(|above| is_within(above, root)).any(|above| {
        let name = names::file_name(above);
        let directory = parent(above);
        scope.inside(directory).verdict(above, name, Kind::Directory) == Verdict::Leave
    })
}

/// Looks at one path and all that is below it.
fn look(scope: &Scope, base: &Base, path: &[u8], manner: Manner, found: &mut Observation) {
    let local = scope.inside(parent(path));
    let name = names::file_name(path);
    let above = match base.open(parent(path), OFlags::PATH | OFlags::DIRECTORY) {
        Ok(above) => above,
        Err(Errno::NOENT | Errno::NOTDIR) => return,
        Err(cause) => return found.problems.push(problem(path, cause)),
    };
    let begins = path.len().saturating_sub(name.len());
    let first = match item(above.as_fd(), path.to_vec(), begins, &local) {
        Ok(Some(entry)) => entry,
        Ok(None) => return,
        Err(problem) => return found.problems.push(problem),
    };
    if first.stat.kind != Kind::Directory {
        found.entries.push(first);
        return;
    }
    let tree = Tree { scope, base, manner, state: Mutex::new(State::default()), ready: Condvar::new() };
    tree.search(path);
    let state = tree.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    assemble(first, state, found);
}

/// A directory that was looked into.
#[derive(Debug, Default)]
struct Inside {
    /// In the order of names.
    items: Vec<Entry>,
    /// Of each item, where it is in the list when it is a directory.
    below: Vec<Option<usize>>,
    /// What became of the directory itself.
    itself: Option<Result<Itself, Problem>>,
}

/// What its own descriptor says of a directory.
#[derive(Debug)]
struct Itself {
    stat: Stat,
    xattrs: Option<super::model::Digest>,
}

/// Work for several threads: directories to look into.
#[derive(Debug, Default)]
struct State {
    waiting: Vec<(usize, Vec<u8>)>,
    /// Directories that somebody looks into now.
    busy: usize,
    inside: Vec<Inside>,
    problems: Vec<Problem>,
    /// Whether somebody has said that it stops.
    is_stopped: bool,
}

struct Tree<'a> {
    scope: &'a Scope,
    base: &'a Base,
    manner: Manner,
    state: Mutex<State>,
    ready: Condvar,
}

impl Tree<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn search(&self, path: &[u8]) {
        {
            let mut state = self.lock();
            state.inside.push(Inside::default());
            state.waiting.push((0, path.to_vec()));
        }
        std::thread::scope(|threads| {
            let deaf = interrupt::deaf();
            for _ in 1..self.manner.threads {
                threads.spawn(|| self.work());
            }
            drop(deaf);
            self.work();
        });
    }

    fn work(&self) {
        while let Some((index, path)) = self.next() {
            let (mut inside, problems) = self.look_into(&path);
            let mut state = self.lock();
            for item in &inside.items {
                let is_directory = item.stat.kind == Kind::Directory;
                inside.below.push(is_directory.then_some(state.inside.len()));
                if is_directory {
                    let index = state.inside.len();
                    state.inside.push(Inside::default());
                    state.waiting.push((index, item.path.clone()));
                }
            }
            if let Some(place) = state.inside.get_mut(index) {
                *place = inside;
            }
            state.problems.extend(problems);
            state.busy = state.busy.saturating_sub(1);
            drop(state);
            self.ready.notify_all();
        }
    }

    /// The next directory; none when there will be none.
    fn next(&self) -> Option<(usize, Vec<u8>)> {
        let stops = interrupt::check().is_err();
        let mut state = self.lock();
        state.is_stopped |= stops;
        loop {
            if state.is_stopped {
                return None;
            }
            if let Some(job) = state.waiting.pop() {
                state.busy = state.busy.saturating_add(1);
                return Some(job);
            }
            if state.busy == 0 {
                return None;
            }
            // The other threads have nobody to ask whether it goes on.
            state = self.ready.wait_timeout(state, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner).0;
            drop(state);
            let stops = interrupt::check().is_err();
            state = self.lock();
            state.is_stopped |= stops;
        }
    }

    fn look_into(&self, path: &[u8]) -> (Inside, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut inside = Inside::default();
        let opened = self.base.open(path, OFlags::RDONLY | OFlags::DIRECTORY).and_then(Dir::new);
        let mut directory = match opened {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return (inside, problems),
            Err(cause) => {
                inside.itself = Some(Err(problem(path, cause)));
                return (inside, problems);
            }
        };
        let beginning = if path == b"/" { &b"/"[..] } else { &[path, b"/"].concat() };
        let mut paths: Vec<Vec<u8>> = Vec::new();
        while let Some(entry) = directory.read() {
            match entry {
                Ok(entry) => match entry.file_name().to_bytes() {
                    b"." | b".." => {}
                    name => paths.push([beginning, name].concat()),
                },
                Err(cause) => {
                    inside.itself = Some(Err(problem(path, cause)));
                    break;
                }
            }
        }
        paths.sort_unstable();
        let Ok(descriptor) = directory.fd() else { return (inside, problems) };
        let local = self.scope.inside(path);
        inside.items.reserve(paths.len());
        for path in paths {
            if interrupt::check_often().is_err() {
                break;
            }
            match item(descriptor, path, beginning.len(), &local) {
                Ok(Some(entry)) => inside.items.push(entry),
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        if inside.itself.is_none() {
            inside.itself = Some(self.itself(descriptor, path));
        }
        (inside, problems)
    }

    fn itself(&self, descriptor: BorrowedFd<'_>, path: &[u8]) -> Result<Itself, Problem> {
        let stat = stat_of(descriptor).map_err(|cause| problem(path, cause))?;
        let xattrs = match self.manner.xattrs {
            Xattrs::Read => Some(hash::xattrs(descriptor).map_err(|cause| problem(path, cause))?),
            Xattrs::Ignore => None,
        };
        Ok(Itself { stat, xattrs })
    }
}

/// Puts what several threads found into order.
fn assemble(first: Entry, mut state: State, found: &mut Observation) {
    found.problems.append(&mut state.problems);
    // Directories whose items are being put out.
    let mut open: Vec<std::vec::IntoIter<(Entry, Option<usize>)>> = vec![vec![(first, Some(0))].into_iter()];
    while let Some(items) = open.last_mut() {
        let Some((mut entry, below)) = items.next() else {
            open.pop();
            continue;
        };
        let inside = below.and_then(|index| state.inside.get_mut(index)).map(std::mem::take);
        if let Some(inside) = inside {
            match inside.itself {
                Some(Ok(itself)) => {
                    // That which was opened counts, should it have been swapped since its name was looked at.
                    entry.stat = itself.stat;
                    entry.xattrs = itself.xattrs;
                }
                Some(Err(problem)) => found.problems.push(problem),
                // It is gone.
                None => continue,
            }
            open.push(inside.items.into_iter().zip(inside.below).collect::<Vec<_>>().into_iter());
        }
        found.entries.push(entry);
    }
}

/// One path, whose name in the directory begins there; none for what is gone or left out.
fn item(
    directory: BorrowedFd<'_>,
    path: Vec<u8>,
    begins: usize,
    local: &Local<'_>,
) -> Result<Option<Entry>, Problem> {
    let name = path.get(begins..).filter(|name| !name.is_empty()).unwrap_or(b".");
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let stat = match fs::statx(directory, name, flags, StatxFlags::BASIC_STATS) {
        Ok(found) => stat(&found),
        Err(Errno::NOENT) => return Ok(None),
        Err(cause) => return Err(problem(&path, cause)),
    };
    let Verdict::Watch(look) = local.verdict(&path, name, stat.kind) else { return Ok(None) };
    let target = match stat.kind {
        Kind::Symlink => match fs::readlinkat(directory, name, Vec::new()) {
            Ok(target) => Some(target.into_bytes()),
            Err(Errno::NOENT | Errno::INVAL) => return Ok(None),
            Err(cause) => return Err(problem(&path, cause)),
        },
        _ => None,
    };
    Ok(Some(entry(path, stat, look, target)))
}

fn entry(path: Vec<u8>, stat: Stat, look: Look, target: Option<Vec<u8>>) -> Entry {
    Entry { path, stat, look, known: Known::All, target, content: None, md5: None, xattrs: None, read_at: 0 }
}

/// What an open file is.
pub(super) fn stat_of(descriptor: BorrowedFd<'_>) -> Result<Stat, Errno> {
    let found = fs::statx(descriptor, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?;
    Ok(stat(&found))
}

fn stat(found: &Statx) -> Stat {
    let mode = u32::from(found.stx_mode);
    let kind = match FileType::from_raw_mode(mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo => Kind::Fifo,
        FileType::CharacterDevice => Kind::CharacterDevice,
        FileType::BlockDevice => Kind::BlockDevice,
        _ => Kind::Socket,
    };
    Stat {
        kind,
        mode: mode & 0o7777,
        uid: found.stx_uid,
        gid: found.stx_gid,
        nlink: found.stx_nlink,
        inode: found.stx_ino,
        size: found.stx_size,
        mtime: Stamp { seconds: found.stx_mtime.tv_sec, nanos: found.stx_mtime.tv_nsec },
        ctime: Stamp { seconds: found.stx_ctime.tv_sec, nanos: found.stx_ctime.tv_nsec },
        is_mount: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        device: u64::from(found.stx_rdev_major) << 32 | u64::from(found.stx_rdev_minor),
    }
}

/// Why something could not be looked at.
pub(super) fn problem(path: &[u8], cause: Errno) -> Problem {
    let (kind, reason) = match cause {
        Errno::LOOP | Errno::XDEV | Errno::NOTDIR | Errno::AGAIN => {
            (ProblemKind::Unstable, "it was replaced while it was looked at".to_owned())
        }
        Errno::NAMETOOLONG => (ProblemKind::Unreadable, "it lies too deep to be opened".to_owned()),
        cause => (ProblemKind::Unreadable, std::io::Error::from(cause).to_string()),
    };
    Problem { path: path.to_vec(), kind, reason }
}
