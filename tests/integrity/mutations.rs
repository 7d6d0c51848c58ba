//! A tree of files that is changed by chance, in every way in which a file can be changed.
//!
//! Apart from `aide`, which looks at what comes of it. All chance comes from a seed, so that the same one makes the same
//! changes again.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, RenameFlags, XattrFlags, renameat_with};

use super::rng::Rng;
use super::world::special;

/// What names begin with; a number follows, so that each is new. Of control characters those that AIDE 0.18 writes down
/// right.
const STEMS: [&[u8]; 18] = [
    b"plain",
    b"with space ",
    b"new\nline",
    b"\xff\xfe\x80",
    b"percent%41%",
    b"quote\"'",
    b"back\\012",
    b"-rf",
    b"\xc3\xa9",
    "\u{202e}gpj.".as_bytes(),
    b"tab\t",
    b".hidden",
    b"*star?",
    b"[a-z]$",
    b"@@end_db",
    b"#hash",
    b"\x01\x02[31m",
    b"UPPER",
];
/// Modes that leave a file readable to its owner, and a directory open.
const MODES: [u32; 6] = [0o644, 0o600, 0o755, 0o4755, 0o2770, 0o1777];
const OWNERS: [u32; 4] = [0, 33, 1000, 65534];
const ATTRIBUTE: &str = "user.cr0sync";

pub(crate) struct Tree {
    root: PathBuf,
    rng: Rng,
    made: usize,
    /// What was done, for whoever has to understand a failure.
    pub(crate) done: Vec<String>,
}

type Change = fn(&mut Tree) -> Option<String>;

/// Whether there is anything at a path, be it a symlink that leads nowhere.
fn kind(path: &Path) -> Option<fs::FileType> {
    fs::symlink_metadata(path).ok().map(|found| found.file_type())
}

impl Tree {
    pub(crate) fn new(root: &Path, seed: u64) -> Tree {
        fs::create_dir(root).unwrap();
        let mut tree = Tree { root: root.to_path_buf(), rng: Rng::new(seed), made: 0, done: Vec::new() };
        for _ in 0..60 {
            let make = *tree.rng.pick(&[
                Tree::add as Change,
                Tree::add,
                Tree::add_directory,
                Tree::link,
                Tree::hard_link,
                Tree::sparse,
                Tree::pipe,
            ]);
            make(&mut tree);
        }
        tree
    }

    /// Does some changes.
    pub(crate) fn change(&mut self) {
        let all: [Change; 26] = [
            Tree::write,
            Tree::write,
            Tree::tamper,
            Tree::append,
            Tree::empty,
            Tree::mode,
            Tree::same_mode,
            Tree::owner,
            Tree::touch,
            Tree::delete,
            Tree::delete_directory,
            Tree::add,
            Tree::add,
            Tree::add_directory,
            Tree::rename,
            Tree::exchange,
            Tree::link,
            Tree::retarget,
            Tree::pipe,
            Tree::socket,
            Tree::hard_link,
            Tree::replace,
            Tree::become_file,
            Tree::become_directory,
            Tree::sparse,
            Tree::attribute,
        ];
        self.done.clear();
        for _ in 0..1 + self.rng.below(10) {
            let change = *self.rng.pick(&all);
            let done = change(self);
            self.done.extend(done);
        }
    }

    /// Everything in it, itself as well.
    pub(crate) fn everything(&self) -> Vec<PathBuf> {
        let mut all = vec![self.root.clone()];
        let mut at = 0;
        while let Some(path) = all.get(at).cloned() {
            if kind(&path).is_some_and(|kind| kind.is_dir()) {
                let mut inside: Vec<PathBuf> =
                    fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
                inside.sort();
                all.extend(inside);
            }
            at += 1;
        }
        all
    }

    fn some(&mut self, fits: impl Fn(fs::FileType) -> bool) -> Option<PathBuf> {
        let all: Vec<PathBuf> =
            self.everything().into_iter().skip(1).filter(|path| kind(path).is_some_and(&fits)).collect();
        (!all.is_empty()).then(|| self.rng.pick(&all).clone())
    }

    fn file(&mut self) -> Option<PathBuf> {
        self.some(|kind| kind.is_file())
    }

    /// A path that nothing is at.
    fn new_path(&mut self) -> PathBuf {
        let directories: Vec<PathBuf> = self
            .everything()
            .into_iter()
            .filter(|path| kind(path).is_some_and(|kind| kind.is_dir()) && path.as_os_str().len() < 600)
            .collect();
        self.made += 1;
        let end = if self.rng.chance(8) { ".db" } else { "" };
        let name = [*self.rng.pick(&STEMS), format!("{}{end}", self.made).as_bytes()].concat();
        self.rng.pick(&directories).join(OsStr::from_bytes(&name))
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.rng.next().to_le_bytes()[0]).collect()
    }

    fn add(&mut self) -> Option<String> {
        let path = self.new_path();
        let length = if self.rng.chance(20) { 0 } else { self.rng.below(3000) };
        let bytes = self.bytes(length);
        fs::write(&path, bytes).unwrap();
        Some(format!("add {path:?}, {length} bytes"))
    }

    fn add_directory(&mut self) -> Option<String> {
        let path = self.new_path();
        fs::create_dir(&path).unwrap();
        Some(format!("add directory {path:?}"))
    }

    fn write(&mut self) -> Option<String> {
        let path = self.file()?;
        let length = self.rng.below(3000);
        let bytes = self.bytes(length);
        fs::write(&path, bytes).unwrap();
        Some(format!("write {path:?}, {length} bytes"))
    }

    fn tamper(&mut self) -> Option<String> {
        let path = self.file()?;
        let before = fs::metadata(&path).unwrap();
        let bytes = self.bytes(usize::try_from(before.len()).unwrap());
        fs::write(&path, bytes).unwrap();
        set_modified(&path, before.modified().unwrap());
        Some(format!("tamper with {path:?}"))
    }

    fn append(&mut self) -> Option<String> {
        let path = self.file()?;
        File::options().append(true).open(&path).unwrap().write_all(b"more").unwrap();
        Some(format!("append to {path:?}"))
    }

    fn empty(&mut self) -> Option<String> {
        let path = self.file()?;
        fs::write(&path, "").unwrap();
        Some(format!("empty {path:?}"))
    }

    fn sparse(&mut self) -> Option<String> {
        let path = if self.rng.chance(50) { self.file()? } else { self.new_path() };
        let length = 1 + u64::try_from(self.rng.below(1 << 20)).unwrap();
        let file = File::options().write(true).create(true).truncate(false).open(&path).unwrap();
        file.set_len(length).unwrap();
        Some(format!("{path:?} has {length} bytes, with a hole"))
    }

    fn mode(&mut self) -> Option<String> {
        let path = self.some(|kind| !kind.is_symlink())?;
        let mode = *self.rng.pick(&MODES) | if path.is_dir() { 0o700 } else { 0 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Some(format!("mode {mode:o} {path:?}"))
    }

    /// Changes nothing but the time of the last change.
    fn same_mode(&mut self) -> Option<String> {
        let path = self.some(|kind| !kind.is_symlink())?;
        fs::set_permissions(&path, fs::metadata(&path).unwrap().permissions()).unwrap();
        Some(format!("the same mode {path:?}"))
    }

    fn owner(&mut self) -> Option<String> {
        let path = self.some(|_| true)?;
        let (user, group) = (*self.rng.pick(&OWNERS), *self.rng.pick(&OWNERS));
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        std::os::unix::fs::lchown(&path, Some(user), Some(group)).unwrap();
        Some(format!("owner {user}:{group} {path:?}"))
    }

    fn touch(&mut self) -> Option<String> {
        let path = self.some(|kind| kind.is_file() || kind.is_dir())?;
        let seconds = u64::try_from(self.rng.below(2_000_000_000)).unwrap();
        let nanos = u32::try_from(self.rng.below(1_000_000_000)).unwrap();
        set_modified(&path, SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos));
        Some(format!("modified at {seconds} {path:?}"))
    }

    fn delete(&mut self) -> Option<String> {
        let path = self.some(|kind| !kind.is_dir())?;
        fs::remove_file(&path).unwrap();
        Some(format!("delete {path:?}"))
    }

    fn delete_directory(&mut self) -> Option<String> {
        if self.rng.chance(70) {
            return None;
        }
        let path = self.some(|kind| kind.is_dir())?;
        fs::remove_dir_all(&path).unwrap();
        Some(format!("delete directory {path:?}"))
    }

    fn rename(&mut self) -> Option<String> {
        let from = self.some(|_| true)?;
        let to = self.new_path();
        if to.starts_with(&from) {
            return None;
        }
        fs::rename(&from, &to).unwrap();
        Some(format!("rename {from:?} to {to:?}"))
    }

    fn exchange(&mut self) -> Option<String> {
        let (left, right) = (self.some(|_| true)?, self.some(|_| true)?);
        if left.starts_with(&right) || right.starts_with(&left) {
            return None;
        }
        renameat_with(CWD, &left, CWD, &right, RenameFlags::EXCHANGE).unwrap();
        Some(format!("exchange {left:?} and {right:?}"))
    }

    fn target(&mut self) -> PathBuf {
        let there = self.everything();
        let somewhere = self.rng.pick(&there).clone();
        let odd: [&[u8]; 5] = [b"nowhere", b"/etc/passwd", b"\xff\n", b"..", b"0"];
        let odd = PathBuf::from(OsStr::from_bytes(self.rng.pick::<&[u8]>(&odd)));
        if self.rng.chance(50) { somewhere } else { odd }
    }

    fn link(&mut self) -> Option<String> {
        let (path, target) = (self.new_path(), self.target());
        symlink(&target, &path).unwrap();
        Some(format!("symlink {path:?} to {target:?}"))
    }

    fn retarget(&mut self) -> Option<String> {
        let path = self.some(|kind| kind.is_symlink())?;
        let target = self.target();
        fs::remove_file(&path).unwrap();
        symlink(&target, &path).unwrap();
        Some(format!("symlink {path:?} now to {target:?}"))
    }

    fn pipe(&mut self) -> Option<String> {
        self.special(FileType::Fifo)
    }

    fn socket(&mut self) -> Option<String> {
        self.special(FileType::Socket)
    }

    fn special(&mut self, kind: FileType) -> Option<String> {
        let path = self.new_path();
        special(&path, kind, 0o644, 0).unwrap();
        Some(format!("{kind:?} {path:?}"))
    }

    fn hard_link(&mut self) -> Option<String> {
        let (from, to) = (self.some(|kind| !kind.is_dir())?, self.new_path());
        fs::hard_link(&from, &to).unwrap();
        Some(format!("hard link {from:?} {to:?}"))
    }

    /// By a file with the same content and modification time.
    fn replace(&mut self) -> Option<String> {
        let (path, other) = (self.file()?, self.new_path());
        fs::copy(&path, &other).unwrap();
        set_modified(&other, fs::metadata(&path).unwrap().modified().unwrap());
        fs::rename(&other, &path).unwrap();
        Some(format!("replace {path:?} by the same"))
    }

    fn become_file(&mut self) -> Option<String> {
        let path = self.some(|kind| kind.is_dir() || kind.is_symlink())?;
        if kind(&path)?.is_dir() {
            fs::remove_dir_all(&path).unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
        fs::write(&path, "now a file").unwrap();
        Some(format!("{path:?} is a file now"))
    }

    fn become_directory(&mut self) -> Option<String> {
        let path = self.some(|kind| !kind.is_dir())?;
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        Some(format!("{path:?} is a directory now"))
    }

    /// Where the file system has them.
    fn attribute(&mut self) -> Option<String> {
        let path = self.some(|kind| kind.is_file() || kind.is_dir())?;
        let (length, is_removed) = (self.rng.below(40), self.rng.chance(30));
        let value = self.bytes(length);
        if is_removed {
            rustix::fs::removexattr(&path, ATTRIBUTE).ok()?;
            return Some(format!("no attribute {path:?}"));
        }
        rustix::fs::setxattr(&path, ATTRIBUTE, &value, XattrFlags::empty()).ok()?;
        Some(format!("attribute of {length} bytes {path:?}"))
    }
}

fn set_modified(path: &Path, time: SystemTime) {
    File::open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    debug_assert!(fs::metadata(path).unwrap().mtime() >= 0);
}
