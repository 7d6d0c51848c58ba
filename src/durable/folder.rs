//! A directory that others may write to, so that nothing in it is believed: it is opened once, and every file is
//! named below that descriptor.
//!
//! Apart from the rest of `durable`, whose directories only we write to. It must never follow a symlink, open what is
//! not a regular file, or read more than it was told to: whoever may write here could otherwise have us read, replace
//! or wait for a file of his choice.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::clock;
use crate::error::{Error, ErrorKind, Result};

/// Mode of the directories: for owner and group, which is handed down.
const DIRECTORY_MODE: u32 = 0o2770;
/// The same where the group only reads.
const READABLE_MODE: u32 = 0o2750;
/// Of the mode of files: what the owner may always do, and the group where it may do so with the directory.
const OWNER: u32 = 0o600;
const GROUP: u32 = 0o060;
/// Who is not the owner may write by one of these (mode).
const OTHERS_WRITE: u32 = 0o022;
/// Who does not own what is in such a directory may neither move nor remove it (mode).
const STICKY: u32 = 0o1000;
/// More names are not looked at at once.
const MAX_NAMES: usize = 10_000;
/// How the name of a file in the making begins.
const NASCENT: &str = ".new-";

/// An open directory.
#[derive(Debug)]
pub(crate) struct Folder {
    descriptor: OwnedFd,
    path: PathBuf,
}

/// What lies under a name.
#[derive(Debug)]
pub(crate) enum Content {
    /// Nothing.
    Missing,
    /// A regular file, whole.
    Bytes(Vec<u8>),
    /// A regular file that is not read, and why.
    Refused(String),
    /// A directory, symlink, pipe, device or socket.
    Other,
}

impl Folder {
    /// Opens a directory; `None` when there is none.
    ///
    /// # Errors
    /// `Corrupt` when something else has its name, a symlink too.
    pub(crate) fn open(path: &Path) -> Result<Option<Folder>> {
        Folder::open_at(fs::CWD, path, path)
    }

    /// Opens a directory in this one.
    pub(crate) fn open_inside(&self, name: &str) -> Result<Option<Folder>> {
        Folder::open_at(self.descriptor.as_fd(), Path::new(name), &self.path.join(name))
    }

    /// Opens a directory in one that exists, and makes it first where it is missing, for the owner and the group of the
    /// one above.
    pub(crate) fn create(path: &Path) -> Result<Folder> {
        Folder::create_at(fs::CWD, path, path, DIRECTORY_MODE)
    }

    /// The same for one in which the group only reads, as do others its files.
    pub(crate) fn create_for_readers(path: &Path) -> Result<Folder> {
        let folder = Folder::create_at(fs::CWD, path, path, READABLE_MODE)?;
        folder.narrow();
        Ok(folder)
    }

    /// The same for a directory in this one.
    pub(crate) fn create_inside_for_readers(&self, name: &str) -> Result<Folder> {
        let path = self.path.join(name);
        let folder = Folder::create_at(self.descriptor.as_fd(), Path::new(name), &path, READABLE_MODE)?;
        folder.narrow();
        Ok(folder)
    }

    /// Lets each move or remove only what is his, as far as we may say so.
    pub(crate) fn keep_apart(&self) {
        if let Ok(found) = fs::fstat(&self.descriptor)
            && found.st_mode & STICKY == 0
        {
            let _ = fs::fchmod(&self.descriptor, Mode::from_raw_mode(found.st_mode & 0o7777 | STICKY));
        }
    }

    /// Whether it belongs to one of these users.
    pub(crate) fn is_of(&self, users: &[u32]) -> bool {
        fs::fstat(&self.descriptor).is_ok_and(|found| users.contains(&found.st_uid))
    }

    fn open_at(below: BorrowedFd<'_>, name: &Path, path: &Path) -> Result<Option<Folder>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match fs::openat(below, name, flags, Mode::empty()) {
            Ok(descriptor) => Ok(Some(Folder { descriptor, path: path.to_path_buf() })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let error = Error::new(ErrorKind::Corrupt, "refused what should be a directory of its own:");
                Err(error.at(path).hint("remove it; it is made again"))
            }
            Err(cause) => Err(Error::io("open the directory", path, cause.into())),
        }
    }

    fn create_at(below: BorrowedFd<'_>, name: &Path, path: &Path, mode: u32) -> Result<Folder> {
        if let Some(folder) = Folder::open_at(below, name, path)? {
            return Ok(folder);
        }
        let fail = |cause: Errno| Error::io("create the directory", path, cause.into());
        let made = match fs::mkdirat(below, name, Mode::from_raw_mode(mode & 0o770)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(cause) => return Err(fail(cause)),
        };
        let folder = Folder::open_at(below, name, path)?.ok_or_else(|| fail(Errno::NOENT))?;
        if made {
            let above = fs::openat(&folder.descriptor, "..", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
            if let Ok(above) = above.and_then(fs::fstat) {
                folder.hand_over(&above);
            }
            fs::fchmod(&folder.descriptor, Mode::from_raw_mode(mode)).map_err(fail)?;
        }
        Ok(folder)
    }

    /// Gives it the owner and group of the directory above, as far as we may: only root can give away, and only members
    /// can give to a group.
    fn hand_over(&self, above: &fs::Stat) {
        let user = rustix::process::geteuid().is_root().then(|| fs::Uid::from_raw(above.st_uid));
        let _ = fs::fchown(&self.descriptor, user, Some(fs::Gid::from_raw(above.st_gid)));
    }

    /// Takes from others the right to write to it and to what lies in it, as far as we own that.
    pub(super) fn narrow(&self) {
        let Ok(found) = fs::fstat(&self.descriptor) else { return };
        if found.st_mode & OTHERS_WRITE == 0 {
            return;
        }
        for name in self.names(MAX_NAMES).unwrap_or_default() {
            // Opening a device can do things, so it is looked at before.
            if self.written(&name).is_none() {
                continue;
            }
            let flags =
                OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            let Ok(file) = fs::openat(&self.descriptor, name.as_str(), flags, Mode::empty()) else {
                continue;
            };
            let Ok(there) = fs::fstat(&file) else { continue };
            // One with two names may be a file of somewhere else.
            if there.st_nlink == 1 && there.st_mode & OTHERS_WRITE != 0 {
                let _ = fs::fchmod(&file, Mode::from_raw_mode(there.st_mode & 0o7777 & !OTHERS_WRITE));
            }
        }
        let _ = fs::fchmod(&self.descriptor, Mode::from_raw_mode(found.st_mode & 0o7777 & !OTHERS_WRITE));
    }

    /// The names in it, in order, at most so many.
    pub(crate) fn names(&self, most: usize) -> Result<Vec<String>> {
        let fail = |cause: Errno| Error::io("list", &self.path, cause.into());
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.descriptor).map_err(fail)? {
            if names.len() >= most {
                break;
            }
            if let Ok(name) = entry.map_err(fail)?.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Whether anything at all has this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// When a regular file was last written, in seconds since 1970; `None` for everything else.
    pub(crate) fn written(&self, name: &str) -> Option<i64> {
        let file = fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        (FileType::from_raw_mode(file.st_mode) == FileType::RegularFile).then_some(file.st_mtime)
    }

    /// Whose a file is; `None` where there is none.
    pub(crate) fn owner_of(&self, name: &str) -> Option<u32> {
        fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW).ok().map(|file| file.st_uid)
    }

    /// Reads a file of at most so many bytes.
    pub(crate) fn read(&self, name: &str, most: u64) -> Result<Content> {
        // Opening a device can do things, so it is looked at before.
        match fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(file) if FileType::from_raw_mode(file.st_mode) != FileType::RegularFile => {
                return Ok(Content::Other);
            }
            Ok(_) => {}
            Err(Errno::NOENT) => return Ok(Content::Missing),
            Err(cause) => return Err(Error::io("look at", self.path.join(name), cause.into())),
        }
        // Not blocking, should it have become a pipe since.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let descriptor = match fs::openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(descriptor) => descriptor,
            Err(Errno::NOENT) => return Ok(Content::Missing),
            Err(Errno::LOOP | Errno::NXIO) => return Ok(Content::Other),
            Err(cause) => return Ok(Content::Refused(format!("it cannot be opened: {cause}"))),
        };
        let fail = |cause: std::io::Error| Error::io("read", self.path.join(name), cause);
        let file = fs::fstat(&descriptor).map_err(|cause| fail(cause.into()))?;
        if FileType::from_raw_mode(file.st_mode) != FileType::RegularFile {
            return Ok(Content::Other);
        }
        if file.st_nlink > 1 {
            // It may be a file of somebody else's that whoever linked it cannot read.
            return Ok(Content::Refused("it has more names than one (hard links)".to_owned()));
        }
        let mut bytes = Vec::new();
        File::from(descriptor).take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= most) {
            Ok(Content::Bytes(bytes))
        } else {
            Ok(Content::Refused(format!("it has more than {most} bytes")))
        }
    }

    /// Puts a file in its place, whole or not at all, and makes that last. What had its name is replaced, and a symlink
    /// is not followed.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let temporary = format!("{NASCENT}{}", clock::chance()?);
        let fail = |cause: std::io::Error| Error::io("write", self.path.join(name), cause);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = fs::openat(&self.descriptor, temporary.as_str(), flags, Mode::from_raw_mode(0o600))
            .map_err(|cause| fail(cause.into()))?;
        let written = fs::fstat(&self.descriptor)
            .and_then(|directory| {
                // Root stays the owner: what the website may not write, it should not own either.
                let _ = fs::fchown(&descriptor, None, Some(fs::Gid::from_raw(directory.st_gid)));
                fs::fchmod(&descriptor, Mode::from_raw_mode(OWNER | directory.st_mode & GROUP))
            })
            .map_err(std::io::Error::from)
            .and_then(|()| {
                let mut file = File::from(descriptor);
                file.write_all(bytes)?;
                file.sync_all()
            })
            .and_then(|()| Ok(fs::renameat(&self.descriptor, temporary.as_str(), &self.descriptor, name)?));
        written.map_err(|cause| {
            let _ = fs::unlinkat(&self.descriptor, temporary.as_str(), AtFlags::empty());
            fail(cause)
        })?;
        self.sync()
    }

    /// Removes a file, and makes that last; no matter if it is gone already.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        match fs::unlinkat(&self.descriptor, name, AtFlags::empty()) {
            Ok(()) => self.sync(),
            Err(Errno::NOENT) => Ok(()),
            Err(cause) => Err(Error::io("remove", self.path.join(name), cause.into())),
        }
    }

    /// Moves a file into another directory under another name, as it is.
    pub(crate) fn move_into(&self, name: &str, other: &Folder, new: &str) -> Result<()> {
        fs::renameat(&self.descriptor, name, &other.descriptor, new)
            .map_err(|cause| Error::io("move away", self.path.join(name), cause.into()))?;
        other.sync()?;
        self.sync()
    }

    /// Whether the name is that of a file in the making, whose maker may have died.
    pub(crate) fn is_nascent(name: &str) -> bool {
        name.starts_with(NASCENT)
    }

    /// Locks the directory until it is dropped; `false` when somebody else has. There is no file that could be put in
    /// the way.
    pub(crate) fn try_lock(&self) -> Result<bool> {
        match fs::flock(&self.descriptor, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(cause) => Err(Error::io("lock", &self.path, cause.into())),
        }
    }

    fn sync(&self) -> Result<()> {
        fs::fsync(&self.descriptor).map_err(|cause| Error::io("sync the directory", &self.path, cause.into()))
    }
}
