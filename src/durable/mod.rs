//! Bytes that survive a crash: the run lock, directories of our own, and files put in place whole or not at all.
//!
//! The only module that renames files. Apart from the engines, which say what the bytes mean. `folder` is for
//! directories that others may write to, `document` for files that others change, and `watched` for reading such files.

mod accounts;
pub(crate) mod apart;
mod aside;
mod document;
mod folder;
mod holders;
pub(crate) mod lease;
mod lock;
pub(crate) mod mend;
pub(crate) mod numbers;
mod owner;
mod owners;
mod pretty;
pub(crate) mod shared;
mod state;
mod unusable;
mod wary;
mod watched;
pub(crate) mod withheld;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fs2::FileExt;

use crate::config::Ownership;
use crate::error::{Error, ErrorKind, Result};

pub(crate) use accounts::{Account, has_list};
pub(crate) use aside::{Broken, Fate, Judged, lying_aside, may_replace, put_aside, put_foreign_aside};
pub(crate) use document::{Altered, Document};
pub(crate) use folder::{Content, Folder};
pub(crate) use holders::{held as locks_held, is_in_use};
pub(crate) use lease::{Held, held};
pub(crate) use lock::Lock;
pub(crate) use mend::quoted;
pub(crate) use owner::AsOwner;
pub(crate) use owners::{foreign, give_state, problems, remedy, trusted, ungiven, whose};
pub(crate) use state::{
    apart_directory, prepare, private_directory, root_directory, state_directory, usable,
};
use wary::wary;
pub(crate) use wary::{open_regular, open_to_append, open_to_write, read_regular};
pub use watched::Stamp;
pub(crate) use watched::{Reading, Watched, settled};

/// Held while a run writes; other runs are turned away. Released when dropped, or by the kernel.
#[derive(Debug)]
pub(crate) struct RunLock(File);

impl RunLock {
    /// Takes the lock, or says who is in the way.
    pub(crate) fn take(directory: &Path) -> Result<RunLock> {
        let path = directory.join("lock");
        let mut options = OpenOptions::new();
        options.truncate(false).write(true).mode(0o660).custom_flags(wary());
        // In such a directory the kernel may refuse to make what another user has made already, so it is opened first.
        let file = match options.open(&path) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => options.create(true).open(&path),
            opened => opened,
        };
        let file = file.map_err(|cause| Error::io("open the run lock", &path, cause))?;
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

/// Creates an empty file of ours (mode 0660) unless it exists, for SQLite to fill: it would give it to its owner
/// alone. Must not be called while this process has the file open.
///
/// It appears with its mode: made under its own name it would be its maker's alone for a moment, and for ever where the
/// maker dies in that moment.
pub(crate) fn private_file(path: &Path) -> Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    let fail = |cause| Error::io("create", path, cause);
    match appear(path) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => return Ok(()),
        Err(cause @ (rustix::io::Errno::ACCESS | rustix::io::Errno::NOSPC)) => {
            return Err(fail(cause.into()));
        }
        // Some file systems have no files without a name.
        Err(_) => {}
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o660).open(path) {
        Ok(file) => file
            .set_permissions(fs::Permissions::from_mode(0o660))
            .map_err(|cause| Error::io("set the mode of", path, cause)),
        Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(cause) => Err(fail(cause)),
    }
}

/// Makes a file without a name, and names it when it has its mode. A death before that leaves nothing.
fn appear(path: &Path) -> rustix::io::Result<()> {
    use rustix::fs::{AtFlags, CWD, Mode, OFlags};
    let mode = Mode::from_raw_mode(0o660);
    let directory = path.parent().unwrap_or(path);
    let file = rustix::fs::openat(CWD, directory, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, mode)?;
    rustix::fs::fchmod(&file, mode)?;
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, unnamed, CWD, path, AtFlags::SYMLINK_FOLLOW)
}

/// Changes whenever the file does, or is another one.
pub(crate) fn mark(file: &fs::Metadata) -> String {
    let mut text = String::new();
    add_mark(&mut text, file);
    text
}

/// The same, behind what there is.
pub(crate) fn add_mark(text: &mut String, file: &fs::Metadata) {
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "{}:{}:{}:{}.{:09}:{}.{:09}",
        file.dev(),
        file.ino(),
        file.size(),
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec()
    );
}

/// A file in the making, in the directory where it will appear. Removed when dropped before it is published.
///
/// Others may write to that directory, and may put something else under its name meanwhile. So it is opened once, when it is
/// made, and filled, read and looked at through that; and what has its name in the end is what was made, or it is an error.
#[derive(Debug)]
pub(crate) struct Nascent {
    file: File,
    name: Temporary,
    target: PathBuf,
}

/// The name of a file in the making, which goes unless somebody keeps it.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    kept: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Nascent {
    fn create(target: &Path, tag: &str) -> Result<Nascent> {
        let mut name = target.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".new-{tag}"));
        let path = target.with_file_name(name);
        // A leftover of a killed run; the run lock is held, so it is nobody's.
        let _ = fs::remove_file(&path);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(wary())
            .open(&path)
            .map_err(|cause| Error::io("create", &path, cause))?;
        Ok(Nascent { file, name: Temporary { path, kept: false }, target: target.to_path_buf() })
    }

    /// Creates an empty file beside the target, with the target's future owner and mode.
    pub(crate) fn beside(target: &Path, tag: &str, ownership: &Ownership) -> Result<(Nascent, Vec<String>)> {
        let nascent = Nascent::create(target, tag)?;
        let mut warnings = Vec::new();
        if rustix::process::geteuid().is_root() {
            let fail = |cause| Error::io("set the owner of", nascent.path(), cause);
            match owner(ownership) {
                Some((user, group)) => {
                    std::os::unix::fs::fchown(&nascent.file, Some(user), Some(group)).map_err(fail)?;
                }
                None => {
                    let directory = target.parent().and_then(|parent| fs::metadata(parent).ok());
                    if let Some(directory) = directory {
                        let (user, group) = (directory.uid(), directory.gid());
                        std::os::unix::fs::fchown(&nascent.file, Some(user), Some(group)).map_err(fail)?;
                    }
                    warnings.push(format!(
                        "{}:{} does not exist on this machine; {} belongs to the owner of its directory",
                        ownership.user,
                        ownership.group,
                        target.display()
                    ));
                }
            }
        } else if let Some(group) = group(ownership) {
            // Who is not in that group cannot give it away; then it is for his own group.
            let _ = std::os::unix::fs::fchown(&nascent.file, None, Some(group));
        }
        nascent.set_mode(ownership.file_mode)?;
        Ok((nascent, warnings))
    }

    /// Creates an empty file beside the target that only we may open; for passing use, it need not be published.
    pub(crate) fn of_ours(target: &Path, tag: &str) -> Result<Nascent> {
        Nascent::create(target, tag)
    }

    /// Creates an empty file beside the target for the owner of `source` and, at most, its group.
    ///
    /// Only root can give a file away. Anyone else keeps it, for the group of the source where that is theirs, else
    /// for themselves alone.
    pub(crate) fn of_owner(target: &Path, tag: &str, source: &fs::Metadata) -> Result<Nascent> {
        let nascent = Nascent::create(target, tag)?;
        let mut mode = source.mode() & 0o660;
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::fchown(&nascent.file, Some(source.uid()), Some(source.gid()))
                .map_err(|cause| Error::io("set the owner of", nascent.path(), cause))?;
        } else if std::os::unix::fs::fchown(&nascent.file, None, Some(source.gid())).is_err() {
            mode &= 0o600;
        }
        // Whoever makes it must be able to fill it, whatever the source lets its owner do.
        nascent.set_mode(mode | 0o600)?;
        Ok(nascent)
    }

    /// The same, and with all of the source's mode where it belongs to the same user and group.
    pub(crate) fn like(target: &Path, tag: &str, source: &fs::Metadata) -> Result<Nascent> {
        let nascent = Nascent::of_owner(target, tag, source)?;
        let made = nascent.file.metadata().map_err(|cause| Error::io("look at", nascent.path(), cause))?;
        if (made.uid(), made.gid()) == (source.uid(), source.gid()) {
            nascent.set_mode(source.mode() & 0o777 | 0o600)?;
        }
        Ok(nascent)
    }

    /// Creates an empty file beside the target, for all who may use the source, which others change in turn.
    ///
    /// Only root can keep the owner. Who cannot keep the group gives it to the configured one, with the same rights; who can
    /// do neither gives his own group no more than everybody has, and takes nothing from everybody.
    pub(crate) fn in_place_of(
        target: &Path,
        tag: &str,
        source: &fs::Metadata,
        ownership: &Ownership,
    ) -> Result<Nascent> {
        let nascent = Nascent::create(target, tag)?;
        let mut mode = source.mode() & 0o777;
        let give = |group| std::os::unix::fs::fchown(&nascent.file, None, Some(group)).is_ok();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::fchown(&nascent.file, Some(source.uid()), Some(source.gid()))
                .map_err(|cause| Error::io("set the owner of", nascent.path(), cause))?;
        } else if !give(source.gid()) && !group(ownership).is_some_and(give) {
            mode = mode & 0o707 | (mode & 0o007) << 3;
        }
        // Whoever makes it must be able to fill it, whatever the source lets its owner do.
        nascent.set_mode(mode | 0o600)?;
        Ok(nascent)
    }

    fn set_mode(&self, mode: u32) -> Result<()> {
        self.file
            .set_permissions(fs::Permissions::from_mode(mode))
            .map_err(|cause| Error::io("set the mode of", self.path(), cause))
    }

    /// The file to fill, open for reading and writing.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Its name until it is published: to be told, and for SQLite, which opens files by name only.
    pub(crate) fn path(&self) -> &Path {
        &self.name.path
    }

    /// Puts the file in its place, which must still be free, and makes that last.
    ///
    /// # Errors
    /// Also when it is in its place and that may not last, or when somebody has put something else under its name.
    pub(crate) fn publish(self) -> Result<File> {
        let Nascent { file, mut name, target } = self;
        let fail = |cause| Error::io("put in place", &target, cause);
        let made = file.sync_all().and_then(|()| file.metadata()).map_err(fail)?;
        refuse_another(&made, &name.path)?;
        let here = rustix::fs::CWD;
        rustix::fs::renameat_with(here, &name.path, here, &target, rustix::fs::RenameFlags::NOREPLACE)
            .map_err(|cause| fail(cause.into()))?;
        name.kept = true;
        refuse_another(&made, &target)?;
        sync_directory(&target)?;
        Ok(file)
    }
}

impl Nascent {
    /// Puts the file in its place, instead of what is there, and makes that last.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub(crate) fn supersede(self) -> Result<File> {
        let target = self.target.clone();
        let placed = self.supersede_if(|| Ok(true))?;
        placed.ok_or_else(|| Error::new(ErrorKind::Internal, "cannot replace").at(target))
    }

    /// The same, unless what is there is no longer what it should be, which is asked at the last moment; `None` then.
    pub(crate) fn supersede_if(self, may: impl FnOnce() -> Result<bool>) -> Result<Option<File>> {
        let Nascent { file, mut name, target } = self;
        let fail = |cause| Error::io("replace", &target, cause);
        let made = file.sync_all().and_then(|()| file.metadata()).map_err(fail)?;
        refuse_another(&made, &name.path)?;
        if !may()? {
            return Ok(None);
        }
        fs::rename(&name.path, &target).map_err(fail)?;
        name.kept = true;
        refuse_another(&made, &target)?;
        sync_directory(&target)?;
        Ok(Some(file))
    }

    /// Puts the file in its place where others may put theirs there at the same moment: it or one of those is there then.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub(crate) fn supersede_among_others(self) -> Result<()> {
        let Nascent { file, mut name, target } = self;
        let fail = |cause| Error::io("replace", &target, cause);
        let made = file.sync_all().and_then(|()| file.metadata()).map_err(fail)?;
        refuse_another(&made, &name.path)?;
        fs::rename(&name.path, &target).map_err(fail)?;
        name.kept = true;
        sync_directory(&target)
    }
}

/// Refuses what has the name of a file that we have made, and is not that file.
fn refuse_another(made: &fs::Metadata, path: &Path) -> Result<()> {
    let there = fs::symlink_metadata(path).map_err(|cause| Error::io("look at", path, cause))?;
    if (there.dev(), there.ino()) == (made.dev(), made.ino()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Io, "refused what somebody has put in the place of a file in the making:")
        .at(path)
        .hint("look who may write in this directory, and move it away"))
}

/// Replaces a file of ours (mode 0660), whole or not at all, and makes that last.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |cause| Error::io("replace", path, cause);
    let Nascent { mut file, mut name, .. } = Nascent::create(path, "replace")?;
    file.write_all(bytes)
        .and_then(|()| file.set_permissions(fs::Permissions::from_mode(0o660)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&name.path, path))
        .map_err(fail)?;
    name.kept = true;
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

/// Creates a directory below the root with its parents, for the configured owner and nobody else, unless it exists. Only
/// root can give it to the user; others give it to the group, where they are in it.
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
    } else if let Some(group) = group(ownership) {
        let _ = std::os::unix::fs::chown(path, None, Some(group));
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

/// What is to be said where this machine lacks the configured owner: what is made belongs to whoever makes it.
pub(crate) fn missing_owner(ownership: &Ownership) -> Option<String> {
    let lacks = [("user", &ownership.user, "/etc/passwd"), ("group", &ownership.group, "/etc/group")]
        .into_iter()
        .filter(|(_, name, file)| number(file, name).is_none())
        .map(|(what, name, _)| format!("{what} {name}"))
        .collect::<Vec<_>>();
    (!lacks.is_empty()).then(|| {
        format!(
            "this machine has no {}, so that files belong to whoever makes them: make it, or name others under \
             ownership in cr0sync.json",
            lacks.join(" and no ")
        )
    })
}

/// The number of a user; `None` when this machine has no such user.
pub(crate) fn user_named(name: &str) -> Option<u32> {
    number("/etc/passwd", name)
}

/// The name of a user; `None` when this machine has none with that number.
pub(crate) fn user_numbered(number: u32) -> Option<String> {
    name("/etc/passwd", number)
}

/// The name of a group, or its number where this machine has none with that number.
pub(crate) fn group_named(number: u32) -> String {
    name("/etc/group", number).unwrap_or_else(|| number.to_string())
}

/// The group that a user has for himself alone, called as he is; `None` where he has none.
pub(crate) fn private_group(user: u32) -> Option<u32> {
    number("/etc/group", &user_numbered(user)?)
}

/// The name of a number in one of the system's lists.
fn name(file: &str, number: u32) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then(|| name.to_owned())
    })
}

/// The numbers of a configured owner, from the system's own lists.
pub(crate) fn owner(ownership: &Ownership) -> Option<(u32, u32)> {
    Some((number("/etc/passwd", &ownership.user)?, number("/etc/group", &ownership.group)?))
}

/// The number of the configured group; `None` when this machine has no such group.
fn group(ownership: &Ownership) -> Option<u32> {
    number("/etc/group", &ownership.group)
}

/// The number of a group of this machine; `None` where it has none of that name.
pub(crate) fn group_numbered(name: &str) -> Option<u32> {
    number("/etc/group", name)
}

/// The number of a name in one of the system's lists.
fn number(file: &str, name: &str) -> Option<u32> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

/// That of nobody, for tests.
#[cfg(test)]
pub(crate) fn of_nobody() -> Ownership {
    Ownership {
        user: "nobody".into(),
        group: "nogroup".into(),
        website_user: "nobody".into(),
        dir_mode: 0o775,
        file_mode: 0o664,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn what_somebody_put_under_the_name_of_a_file_in_the_making_is_not_put_in_place() -> Outcome {
        let directory = tempfile::tempdir()?;
        let (source, victim, target) =
            (directory.path().join("a"), directory.path().join("victim"), directory.path().join("a.gz"));
        fs::write(&source, "x")?;
        fs::write(&victim, "mine")?;
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o600))?;
        let nascent = Nascent::like(&target, "pack", &fs::metadata(&source)?)?;
        fs::remove_file(nascent.path())?;
        std::os::unix::fs::symlink(&victim, nascent.path())?;
        assert!(nascent.publish().is_err());
        let now = fs::metadata(&victim)?;
        assert_eq!((fs::read(&victim)?, now.mode() & 0o777), (b"mine".to_vec(), 0o600));
        assert!(fs::symlink_metadata(&target).is_err());
        Ok(())
    }
}
