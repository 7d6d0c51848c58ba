//! Bytes that survive a crash: the run lock, directories of our own, and files put in place whole or not at all.
//!
//! The only module that renames files. Apart from the engines, which say what the bytes mean. `folder` is for
//! directories that others may write to.

mod folder;
mod owner;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fs2::FileExt;

use crate::config::Ownership;
use crate::error::{Error, ErrorKind, Result};

pub(crate) use folder::{Content, Folder};
pub(crate) use owner::AsOwner;

/// Held while a run writes; other runs are turned away. Released when dropped, or by the kernel.
#[derive(Debug)]
pub(crate) struct RunLock(File);

impl RunLock {
    /// Takes the lock, or says who is in the way.
    pub(crate) fn take(directory: &Path) -> Result<RunLock> {
        let path = directory.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o660)
            .custom_flags(wary())
            .open(&path)
            .map_err(|cause| Error::io("open the run lock", &path, cause))?;
        match FileExt::try_lock_exclusive(&file) {
            Ok(()) => {
                // Whoever made it may have had a narrower mask; only its owner can and need mend that.
                let _ = file.set_permissions(fs::Permissions::from_mode(0o660));
                Ok(RunLock(file))
            }
            Err(cause) if cause.kind() == fs2::lock_contended_error().kind() => {
                Err(Error::new(ErrorKind::Locked, "another run holds the lock")
                    .at(&path)
                    .hint("wait for it to end; cron tries again by itself"))
            }
            Err(cause) => Err(Error::io("lock", &path, cause)),
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Closing releases it too; a failure here changes nothing.
        let _ = FileExt::unlock(&self.0);
    }
}

/// For a file in a directory that others may write to: a symlink is not followed, and a pipe is not waited for.
fn wary() -> i32 {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    i32::try_from(flags.bits()).unwrap_or(0)
}

/// Creates a directory of ours with its parents (mode 2770) unless it exists.
pub(crate) fn private_directory(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o770)
        .create(path)
        .map_err(|cause| Error::io("create the state directory", path, cause))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o2770))
        .map_err(|cause| Error::io("set the mode of", path, cause))
}

/// Creates the directory of everything that we remember, unless it exists: for the configured user and group, as far as
/// we may give it away. The group is how the website gets at its queue.
pub(crate) fn state_directory(path: &Path, ownership: &Ownership) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    private_directory(path)?;
    if let Some((user, group)) = owner(ownership) {
        let user = rustix::process::geteuid().is_root().then_some(user);
        // Who is not in the group cannot give it to the group. Then the website has no queue, which is for the one who
        // installs to settle; everything else works.
        if std::os::unix::fs::chown(path, user, Some(group)).is_ok() {
            // Giving a directory away may take the bit that hands its group down.
            fs::set_permissions(path, fs::Permissions::from_mode(0o2770))
                .map_err(|cause| Error::io("set the mode of", path, cause))?;
        }
    }
    Ok(())
}

/// Creates an empty file of ours (mode 0660) unless it exists, for SQLite to fill: it would give it to its owner
/// alone. Must not be called while this process has the file open.
pub(crate) fn private_file(path: &Path) -> Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o660).open(path) {
        Ok(file) => file
            .set_permissions(fs::Permissions::from_mode(0o660))
            .map_err(|cause| Error::io("set the mode of", path, cause)),
        Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(cause) => Err(Error::io("create", path, cause)),
    }
}

/// Changes whenever the file does, or is another one.
pub(crate) fn mark(file: &fs::Metadata) -> String {
    format!(
        "{}:{}:{}:{}.{:09}:{}.{:09}",
        file.dev(),
        file.ino(),
        file.size(),
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec()
    )
}

/// A file in the making, in the directory where it will appear. Removed when dropped before it is published.
#[derive(Debug)]
pub(crate) struct Nascent {
    temporary: PathBuf,
    target: PathBuf,
    published: bool,
}

impl Nascent {
    fn create(target: &Path, tag: &str) -> Result<(Nascent, File)> {
        let mut name = target.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".new-{tag}"));
        let temporary = target.with_file_name(name);
        // A leftover of a killed run; the run lock is held, so it is nobody's.
        let _ = fs::remove_file(&temporary);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(|cause| Error::io("create", &temporary, cause))?;
        let nascent = Nascent { temporary, target: target.to_path_buf(), published: false };
        Ok((nascent, file))
    }

    /// Creates an empty file beside the target, with the target's future owner and mode.
    pub(crate) fn beside(target: &Path, tag: &str, ownership: &Ownership) -> Result<(Nascent, Vec<String>)> {
        let (nascent, file) = Nascent::create(target, tag)?;
        let mut warnings = Vec::new();
        if rustix::process::geteuid().is_root() {
            match owner(ownership) {
                Some((user, group)) => std::os::unix::fs::fchown(&file, Some(user), Some(group))
                    .map_err(|cause| Error::io("set the owner of", &nascent.temporary, cause))?,
                None => {
                    let directory = target.parent().and_then(|parent| fs::metadata(parent).ok());
                    if let Some(directory) = directory {
                        std::os::unix::fs::fchown(&file, Some(directory.uid()), Some(directory.gid()))
                            .map_err(|cause| Error::io("set the owner of", &nascent.temporary, cause))?;
                    }
                    warnings.push(format!(
                        "{}:{} does not exist on this machine; {} belongs to the owner of its directory",
                        ownership.user,
                        ownership.group,
                        target.display()
                    ));
                }
            }
        }
        file.set_permissions(fs::Permissions::from_mode(ownership.file_mode))
            .map_err(|cause| Error::io("set the mode of", &nascent.temporary, cause))?;
        Ok((nascent, warnings))
    }

    /// Creates an empty file beside the target that only we may open; for passing use, it need not be published.
    pub(crate) fn of_ours(target: &Path, tag: &str) -> Result<Nascent> {
        Nascent::create(target, tag).map(|(nascent, _)| nascent)
    }

    /// Creates an empty file beside the target for the owner of `source` and, at most, its group.
    ///
    /// Only root can give a file away. Anyone else keeps it, for the group of the source where that is theirs, else
    /// for themselves alone.
    pub(crate) fn of_owner(target: &Path, tag: &str, source: &fs::Metadata) -> Result<Nascent> {
        let (nascent, file) = Nascent::create(target, tag)?;
        let mut mode = source.mode() & 0o660;
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::fchown(&file, Some(source.uid()), Some(source.gid()))
                .map_err(|cause| Error::io("set the owner of", &nascent.temporary, cause))?;
        } else if std::os::unix::fs::fchown(&file, None, Some(source.gid())).is_err() {
            mode &= 0o600;
        }
        // Whoever makes it must be able to fill it, whatever the source lets its owner do.
        file.set_permissions(fs::Permissions::from_mode(mode | 0o600))
            .map_err(|cause| Error::io("set the mode of", &nascent.temporary, cause))?;
        Ok(nascent)
    }

    /// The same, and with all of the source's mode where it belongs to the same user and group.
    pub(crate) fn like(target: &Path, tag: &str, source: &fs::Metadata) -> Result<Nascent> {
        let nascent = Nascent::of_owner(target, tag, source)?;
        let fail = |cause| Error::io("set the mode of", &nascent.temporary, cause);
        let made = fs::metadata(&nascent.temporary).map_err(fail)?;
        if (made.uid(), made.gid()) == (source.uid(), source.gid()) {
            let mode = fs::Permissions::from_mode(source.mode() & 0o777 | 0o600);
            fs::set_permissions(&nascent.temporary, mode).map_err(fail)?;
        }
        Ok(nascent)
    }

    /// The file to fill.
    pub(crate) fn path(&self) -> &Path {
        &self.temporary
    }

    /// Puts the file in its place, which must still be free, and makes that last.
    pub(crate) fn publish(mut self) -> Result<()> {
        let fail = |cause| Error::io("put in place", &self.target, cause);
        File::open(&self.temporary).and_then(|file| file.sync_all()).map_err(fail)?;
        let here = rustix::fs::CWD;
        rustix::fs::renameat_with(
            here,
            &self.temporary,
            here,
            &self.target,
            rustix::fs::RenameFlags::NOREPLACE,
        )
        .map_err(|cause| fail(cause.into()))?;
        self.published = true;
        sync_directory(&self.target)
    }
}

impl Drop for Nascent {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Replaces a file of ours (mode 0660), whole or not at all, and makes that last.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |cause| Error::io("replace", path, cause);
    let (mut nascent, mut file) = Nascent::create(path, "replace")?;
    file.write_all(bytes)
        .and_then(|()| file.set_permissions(fs::Permissions::from_mode(0o660)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&nascent.temporary, path))
        .map_err(fail)?;
    nascent.published = true;
    sync_directory(path)
}

/// Gives a file another name, which must be free, and makes that last.
pub(crate) fn set_aside(path: &Path, target: &Path) -> Result<()> {
    let here = rustix::fs::CWD;
    rustix::fs::renameat_with(here, path, here, target, rustix::fs::RenameFlags::NOREPLACE)
        .map_err(|cause| Error::io("rename", path, cause.into()))?;
    sync_directory(target)?;
    if path.parent() == target.parent() { Ok(()) } else { sync_directory(path) }
}

/// Removes a file, and makes that last.
pub(crate) fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|cause| Error::io("remove", path, cause))?;
    sync_directory(path)
}

/// Makes a symlink name another file of its directory, from one moment to the next.
///
/// # Errors
/// When something that is not a symlink has its name.
pub(crate) fn point(link: &Path, target: &OsStr, owner: &fs::Metadata) -> Result<()> {
    if fs::symlink_metadata(link).is_ok_and(|there| !there.is_symlink()) {
        return Err(Error::new(ErrorKind::Io, "refused to replace a file that is not a symlink:")
            .at(link)
            .hint("move it away"));
    }
    let mut name = link.as_os_str().to_owned();
    name.push(".new");
    let temporary = PathBuf::from(name);
    let fail = |cause| Error::io("point", link, cause);
    let _ = fs::remove_file(&temporary);
    std::os::unix::fs::symlink(target, &temporary).map_err(fail)?;
    if rustix::process::geteuid().is_root() {
        // Who owns a link matters to nobody but the owner of a sticky directory.
        let _ = std::os::unix::fs::lchown(&temporary, Some(owner.uid()), Some(owner.gid()));
    }
    fs::rename(&temporary, link).map_err(|cause| {
        let _ = fs::remove_file(&temporary);
        fail(cause)
    })?;
    sync_directory(link)
}

/// Creates a directory below the root with its parents, for the configured owner and nobody else, unless it exists.
pub(crate) fn owned_directory(path: &Path, ownership: &Ownership) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        owned_directory(parent, ownership)?;
    }
    let fail = |cause| Error::io("create the directory", path, cause);
    fs::DirBuilder::new().mode(0o700).create(path).map_err(fail)?;
    if rustix::process::geteuid().is_root() {
        let parent = path.parent().and_then(|parent| fs::metadata(parent).ok());
        let owner = owner(ownership).or_else(|| parent.map(|parent| (parent.uid(), parent.gid())));
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(path, Some(user), Some(group)).map_err(fail)?;
        }
    }
    // Where the parent hands its group down, this one does too.
    let inherited = fs::metadata(path).map_err(fail)?.mode() & 0o2000;
    let mode = ownership.dir_mode & 0o770 | inherited;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(fail)
}

/// Makes the directory entry of a file last.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|cause| Error::io("sync the directory", directory, cause))
}

/// The number of the configured user; `None` when this machine has no such user.
pub(crate) fn user(ownership: &Ownership) -> Option<u32> {
    number("/etc/passwd", &ownership.user)
}

/// The number of a user; `None` when this machine has no such user.
pub(crate) fn user_named(name: &str) -> Option<u32> {
    number("/etc/passwd", name)
}

/// The numbers of a configured owner, from the system's own lists.
fn owner(ownership: &Ownership) -> Option<(u32, u32)> {
    Some((number("/etc/passwd", &ownership.user)?, number("/etc/group", &ownership.group)?))
}

/// The number of a name in one of the system's lists.
fn number(file: &str, name: &str) -> Option<u32> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}
