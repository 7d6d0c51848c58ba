//! What the kernel says has changed below the roots of the scope: one inotify watch for each directory.
//!
//! Apart from `watch`, which decides what to do about it. A directory is opened as a check opens it, over no symlink, and
//! watched through that descriptor; only then it is listed, so that what is made meanwhile is told or seen. A watch is on a
//! directory and not on a path: whatever is renamed is let go and watched anew under its new name.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::model::{Kind, Look, is_within};
use super::names;
use super::scope::{Scope, Verdict, parent};
use super::walk::Base;

/// What a check looks at: names, attributes and content; and whether the directory is there still.
const MASK: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);
/// So much is read at once (bytes).
const BUFFER: usize = 64 << 10;
/// Whoever makes things happen faster than they are read is not listened to for ever.
const MOST_EVENTS: usize = 100_000;

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// These, with all that is below them, may not be what they were.
    pub(super) dirty: BTreeSet<Vec<u8>>,
    /// Directories of which nothing is told any more, though they were not removed.
    pub(super) lost: BTreeSet<Vec<u8>>,
    /// More happened than the kernel keeps: anything may have changed.
    pub(super) has_overflowed: bool,
    /// How much was told.
    pub(super) events: u64,
}

/// Why not everything is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shortage {
    /// The user may have no more watches.
    Watches,
    /// The user may have no more watchers.
    Watchers,
    /// A directory can be read and not watched.
    Other,
}

impl Shortage {
    /// What to do about it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Shortage::Watches => {
                "not every directory can be watched, as the kernel allows this user no more watches; raise it: sysctl -w \
                 fs.inotify.max_user_watches=1048576"
            }
            Shortage::Watchers => {
                "nothing can be watched, as the kernel allows this user no more watchers; raise it: sysctl -w \
                 fs.inotify.max_user_instances=1024"
            }
            Shortage::Other => {
                "not every directory can be watched, as the kernel refuses it; look whether /proc is mounted, and whether there is \
                 memory left"
            }
        }
    }
}

/// Which directory lies at a path; none where there is none.
type Identity = Option<(u64, u64)>;

/// The directories that are watched.
#[derive(Debug)]
pub(super) struct Tree {
    descriptor: Option<OwnedFd>,
    /// The paths of each watch: more than one where a directory is mounted twice.
    paths: BTreeMap<i32, BTreeSet<Vec<u8>>>,
    watches: BTreeMap<Vec<u8>, i32>,
    /// The roots and what lies above them, as they were found last.
    known: BTreeMap<Vec<u8>, Identity>,
    pub(super) shortage: Option<Shortage>,
}

/// One thing that was told.
struct Told {
    watch: i32,
    what: ReadFlags,
    name: Option<Vec<u8>>,
}

impl Tree {
    /// Watches all of a scope.
    pub(super) fn of(scope: &Scope) -> Result<Tree, Errno> {
        let (descriptor, shortage) = match inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC) {
            Ok(descriptor) => (Some(descriptor), None),
            Err(Errno::MFILE | Errno::NFILE) => (None, Some(Shortage::Watchers)),
            Err(cause) => return Err(cause),
        };
        let (paths, watches, known) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut tree = Tree { descriptor, paths, watches, known, shortage };
        tree.verify(scope);
        Ok(tree)
    }

    /// Lets everything go.
    pub(super) fn clear(&mut self) {
        self.descriptor = None;
        self.paths.clear();
        self.watches.clear();
        self.known.clear();
    }

    /// How many directories are watched.
    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }

    /// Waits until something is told, at most so long (milliseconds), or until a signal comes.
    pub(super) fn wait(&self, milliseconds: u32) {
        let limit = Timespec { tv_sec: 0, tv_nsec: i64::from(milliseconds.min(999)) * 1_000_000 };
        // A signal ends it early, which is what it is for; nothing else can go wrong.
        let _ = match &self.descriptor {
            Some(descriptor) => poll(&mut [PollFd::new(descriptor, PollFlags::IN)], Some(&limit)),
            None => poll(&mut [], Some(&limit)),
        };
    }

    /// Whether the roots are what they were; those that are not are watched anew and named. For what no watch tells, as when
    /// a directory far above is moved away.
    pub(super) fn verify(&mut self, scope: &Scope) -> Vec<Vec<u8>> {
        let mut others = Vec::new();
        for root in &scope.roots {
            let above = parent(root).to_vec();
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let opened = fs::open(above.as_slice(), flags, Mode::empty()).ok();
            let is = opened.as_ref().and_then(identity);
            if above != *root && self.known.get(&above) != Some(&is) {
                self.let_go(&above, Below::Leave);
                if let Some(opened) = &opened {
                    self.add(opened.as_fd(), &above);
                }
                self.known.insert(above, is);
            }
            let found = Base::of(root).and_then(|base| base.open(root, OFlags::PATH)).ok();
            let is = found.as_ref().and_then(identity);
            if self.known.get(root) != Some(&is) {
                self.let_go(root, Below::Too);
                self.attach(scope, root);
                self.known.insert(root.clone(), is);
                others.push(root.clone());
            }
        }
        others
    }

    /// Watches a directory and all that is below it.
    fn attach(&mut self, scope: &Scope, path: &[u8]) {
        let Some(base) = scope.root_of(path).and_then(|root| Base::of(root).ok()) else { return };
        let mut waiting = vec![path.to_vec()];
        while let Some(path) = waiting.pop() {
            // What is no directory, is gone, or may not be read needs no watch: a check says what is to be said.
            let Ok(opened) = base.open(&path, OFlags::RDONLY | OFlags::DIRECTORY) else { continue };
            self.add(opened.as_fd(), &path);
            waiting.extend(directories(scope, opened, &path));
        }
    }

    fn add(&mut self, directory: BorrowedFd<'_>, path: &[u8]) {
        let Some(descriptor) = &self.descriptor else { return };
        match inotify::add_watch(descriptor, format!("/proc/self/fd/{}", directory.as_raw_fd()), MASK) {
            Ok(watch) => {
                self.paths.entry(watch).or_default().insert(path.to_vec());
                if let Some(before) =
                    self.watches.insert(path.to_vec(), watch).filter(|before| *before != watch)
                {
                    self.forget(before, path);
                }
            }
            Err(Errno::NOSPC) => self.shortage = Some(Shortage::Watches),
            // A directory that may not be read, which a check says.
            Err(Errno::ACCESS) => {}
            Err(_) => self.shortage = self.shortage.or(Some(Shortage::Other)),
        }
    }

    /// A watch does not stand for a path any more.
    fn forget(&mut self, watch: i32, path: &[u8]) {
        let Some(paths) = self.paths.get_mut(&watch) else { return };
        paths.remove(path);
        if paths.is_empty() {
            self.paths.remove(&watch);
            if let Some(descriptor) = &self.descriptor {
                // It may be gone already.
                let _ = inotify::remove_watch(descriptor, watch);
            }
        }
    }

    /// Does not watch a path any more, and what is below it.
    fn let_go(&mut self, path: &[u8], below: Below) {
        let mut all: Vec<Vec<u8>> = vec![path.to_vec()];
        if below == Below::Too {
            let beginning = [path.strip_suffix(b"/").unwrap_or(path), b"/"].concat();
            let rest = self.watches.range(beginning.clone()..).map(|(path, _)| path);
            all.extend(rest.take_while(|path| path.starts_with(&beginning)).cloned());
        }
        for path in all {
            if let Some(watch) = self.watches.remove(&path) {
                self.forget(watch, &path);
            }
        }
    }

    /// Everything that was told since the last time.
    pub(super) fn read(&mut self, scope: &Scope, changes: &mut Changes) {
        let mut all = Vec::new();
        if let Some(descriptor) = &self.descriptor {
            let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
            let mut reader = Reader::new(descriptor, &mut buffer);
            while all.len() < MOST_EVENTS {
                match reader.next() {
                    Ok(event) => {
                        let name = event.file_name().map(|name| name.to_bytes().to_vec());
                        all.push(Told { watch: event.wd(), what: event.events(), name });
                    }
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => break,
                    Err(_) => {
                        changes.has_overflowed = true;
                        break;
                    }
                }
            }
            // What was taken from the kernel and not looked at is lost.
            changes.has_overflowed |= all.len() >= MOST_EVENTS;
        }
        for told in all {
            changes.events = changes.events.saturating_add(1);
            if told.what.contains(ReadFlags::QUEUE_OVERFLOW) {
                changes.has_overflowed = true;
            } else {
                self.hear(scope, &told, changes);
            }
        }
    }

    fn hear(&mut self, scope: &Scope, told: &Told, changes: &mut Changes) {
        // Of a watch that was let go since, nothing is to be said: what it was for is looked at anew.
        let Some(paths) = self.paths.get(&told.watch).cloned() else { return };
        for path in paths {
            match &told.name {
                Some(name) => {
                    let beginning = if path == b"/" { &b""[..] } else { &path };
                    self.name_changed(scope, &path, &[beginning, b"/", name].concat(), told.what, changes);
                }
                None => self.itself_changed(scope, &path, told.what, changes),
            }
        }
    }

    /// Something happened to a name in a directory.
    fn name_changed(
        &mut self,
        scope: &Scope,
        directory: &[u8],
        path: &[u8],
        what: ReadFlags,
        changes: &mut Changes,
    ) {
        if scope.root_of(path).is_none() || !is_meant(scope, directory, path, what) {
            return;
        }
        if what.contains(ReadFlags::ISDIR) {
            if what.intersects(ReadFlags::MOVED_FROM | ReadFlags::DELETE) {
                self.let_go(path, Below::Too);
                // Where two changed places, the other one is told before.
                self.attach(scope, path);
            } else if what.intersects(ReadFlags::MOVED_TO | ReadFlags::CREATE) {
                self.attach(scope, path);
            } else {
                // It may be read now, and could not before.
                self.attach_again(scope, path);
            }
        }
        changes.dirty.insert(path.to_vec());
    }

    /// Something happened to a directory that is watched.
    fn itself_changed(&mut self, scope: &Scope, path: &[u8], what: ReadFlags, changes: &mut Changes) {
        let is_of_scope = scope.root_of(path).is_some();
        if what.intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT) {
            // A directory that was removed was let go before this is told.
            self.let_go(path, Below::Leave);
            self.known.remove(path);
            changes.lost.insert(path.to_vec());
            // What was mounted there hid something.
            self.attach(scope, path);
        } else if what.contains(ReadFlags::DELETE_SELF) {
            self.let_go(path, Below::Leave);
            self.known.remove(path);
        } else if what.contains(ReadFlags::MOVE_SELF) {
            self.known.remove(path);
            self.let_go(path, if is_of_scope { Below::Too } else { Below::Leave });
            self.attach(scope, path);
        } else if !what.contains(ReadFlags::ATTRIB) {
            return;
        }
        if is_of_scope {
            changes.dirty.insert(path.to_vec());
        }
    }

    fn attach_again(&mut self, scope: &Scope, path: &[u8]) {
        if !self.watches.contains_key(path) {
            self.attach(scope, path);
        }
    }
}

/// Whether what is below a path goes the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Below {
    Too,
    Leave,
}

/// Whether a check would look at what has changed.
fn is_meant(scope: &Scope, directory: &[u8], path: &[u8], what: ReadFlags) -> bool {
    if scope.is_ours(path) {
        return false;
    }
    let local = scope.inside(directory);
    let verdict = |kind| local.verdict(path, names::file_name(path), kind);
    if what.contains(ReadFlags::ISDIR) {
        return verdict(Kind::Directory) != Verdict::Leave;
    }
    // Written all day. A symlink in its place is for the check that runs by the clock.
    if scope.is_our_file(path) {
        return false;
    }
    let is_content = !what.intersects(
        ReadFlags::CREATE
            | ReadFlags::DELETE
            | ReadFlags::MOVED_FROM
            | ReadFlags::MOVED_TO
            | ReadFlags::ATTRIB,
    );
    match verdict(Kind::File) {
        // What is in a database is not looked at.
        Verdict::Watch(Look::Outside) => !is_content,
        Verdict::Watch(Look::Whole | Look::Closed) => true,
        // It may be a symlink, a pipe or the like, which a pattern of names does not leave out.
        Verdict::Leave => !is_content && verdict(Kind::Symlink) != Verdict::Leave,
    }
}

/// The directories in a directory that are watched.
fn directories(scope: &Scope, opened: OwnedFd, path: &[u8]) -> Vec<Vec<u8>> {
    let local = scope.inside(path);
    let beginning = if path == b"/" { &b""[..] } else { path };
    let mut all = Vec::new();
    let Ok(mut listing) = Dir::new(opened) else { return all };
    // What cannot be listed to its end is told by the check.
    while let Some(Ok(entry)) = listing.read() {
        let name = entry.file_name().to_bytes();
        let is_directory = match entry.file_type() {
            FileType::Directory => true,
            FileType::Unknown => listing.fd().is_ok_and(|fd| {
                let found = fs::statat(fd, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
                found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory)
            }),
            _ => false,
        };
        let full = [beginning, b"/", name].concat();
        let is_dots = matches!(name, b"." | b"..");
        if is_directory && !is_dots && local.verdict(&full, name, Kind::Directory) != Verdict::Leave {
            all.push(full);
        }
    }
    all
}

fn identity(opened: &OwnedFd) -> Identity {
    fs::fstat(opened).ok().map(|found| (found.st_dev, found.st_ino))
}

/// Of many paths, so few that a check of just them is quick: the directories that they lie in, else the roots.
pub(super) fn coarse(scope: &Scope, dirty: BTreeSet<Vec<u8>>, most: usize) -> BTreeSet<Vec<u8>> {
    if dirty.len() <= most {
        return dirty;
    }
    let above = |path: &Vec<u8>| {
        let above = parent(path);
        if scope.root_of(above).is_some() { above.to_vec() } else { path.clone() }
    };
    let directories: BTreeSet<Vec<u8>> = dirty.iter().map(above).collect();
    if directories.len() <= most {
        return directories;
    }
    let is_touched = |root: &&Vec<u8>| directories.iter().any(|path| is_within(path, root));
    scope.roots.iter().filter(is_touched).cloned().collect()
}
