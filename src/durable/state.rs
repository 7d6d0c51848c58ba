//! The directory of everything that we remember, and those in it.

use std::fs;
use std::io::ErrorKind as Cause;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use super::{Folder, lock, owner, owners, shared};
use crate::config::Ownership;
use crate::error::{Error, ErrorKind, Result};

/// Who does not own a file in such a directory may neither move nor remove it.
const STICKY: u32 = 0o1000;

/// Creates a directory of ours with its parents (mode 2770) unless it exists.
pub(crate) fn private_directory(path: &Path) -> Result<()> {
    if is_there(path)? {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o770);
    let above = path.parent().map_or(Ok(()), |above| builder.recursive(true).create(above));
    // The last one by itself: whoever may write in the one above may have put a link there since.
    match above.and_then(|()| builder.recursive(false).create(path)) {
        Ok(()) => {}
        Err(cause) if cause.kind() == Cause::AlreadyExists && is_there(path)? => return Ok(()),
        Err(cause) => return Err(cannot_create(path, cause)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty())
        .and_then(|directory| rustix::fs::fchmod(directory, Mode::from_raw_mode(0o2770)))
        .map_err(|cause| Error::io("set the mode of", path, cause.into()))
}

/// Whether a directory is there, or a link to one that whoever asks, root or the owner of the directory above has made: a page
/// could have left one to a directory of ours.
fn is_there(path: &Path) -> Result<bool> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        // Making it says what is in the way.
        Err(cause)
            if matches!(cause.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
        {
            return Ok(false);
        }
        Err(cause) => return Err(Error::io("look at", path, cause)),
    };
    if !found.is_symlink() {
        return Ok(found.is_dir());
    }
    let above = path.parent().and_then(|above| fs::metadata(above).ok()).map(|above| above.uid());
    if ![Some(rustix::process::geteuid().as_raw()), Some(0), above].contains(&Some(found.uid())) {
        let whose = super::whose(found.uid());
        return Err(Error::new(
            ErrorKind::Access,
            format!("refused a link of {whose} in the place of a directory:"),
        )
        .at(path)
        .hint("find out why it is there, and move it away"));
    }
    Ok(path.is_dir())
}

/// That the root is there. It is the installation's to make, and nobody's who happens to name it.
///
/// # Errors
/// [`ErrorKind::Config`] where it is not.
pub(crate) fn root_directory(root: &Path) -> Result<()> {
    if root.is_dir() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Config, "cannot find the root directory")
        .at(root)
        .hint("create it, or name another with --root or \"root\" in the configuration"))
}

/// Creates the directory of everything that we remember, unless it exists: for the configured user and group, as far as
/// we may give it away. The group is how the website gets at its queue. In it, each may move or remove only what is his:
/// else the website could put an older private directory in the place of the one that is there.
///
/// # Errors
/// [`ErrorKind::Access`] for a page that comes before it is made: it would own the directory then, and may exchange all that
/// the cron user keeps in it.
pub(crate) fn state_directory(path: &Path, ownership: &Ownership) -> Result<()> {
    // Else whoever mistypes the root would have limits, keys and events of his own.
    path.parent().map_or(Ok(()), root_directory)?;
    if let Some(found) = usable(path, ownership)? {
        return keep_apart(path, &found);
    }
    refuse_stranger(path, ownership)?;
    private_directory(path).map_err(|error| match error.kind() {
        ErrorKind::Access => error.hint(owners::install(path, ownership)),
        _ => error,
    })?;
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
    let found = fs::metadata(path).map_err(|cause| Error::io("look at", path, cause))?;
    keep_apart(path, &found)
}

/// What that directory is like, where it is there; it stays as it is, for who only shows what he would do.
///
/// # Errors
/// [`ErrorKind::Access`] for who may not look into it.
pub(crate) fn usable(path: &Path, ownership: &Ownership) -> Result<Option<fs::Metadata>> {
    let Some(found) = fs::metadata(path).ok().filter(fs::Metadata::is_dir) else { return Ok(None) };
    if rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS) == Err(Errno::ACCESS) {
        return Err(withheld(path, &found, ownership));
    }
    Ok(Some(found))
}

/// Refuses whoever should not own it.
fn refuse_stranger(path: &Path, ownership: &Ownership) -> Result<()> {
    let user = rustix::process::geteuid();
    let Some(root) = path.parent() else { return Ok(()) };
    let Ok(above) = fs::metadata(root) else { return Ok(()) };
    if user.is_root() || user.as_raw() == above.uid() || Some(user.as_raw()) == super::user(ownership) {
        return Ok(());
    }
    let maker = owners::maker(root, ownership);
    let message =
        format!("this is missing, and for {maker} to make, not for {}:", owners::whose(user.as_raw()));
    Err(Error::new(ErrorKind::Access, message).at(path).hint(format!(
        "run `security_monitoring_script.php run` as {maker} first, as cron does each minute: it makes that directory for all"
    )))
}

/// Why this user gets at nothing in it, and what mends that.
fn withheld(path: &Path, found: &fs::Metadata, ownership: &Ownership) -> Error {
    let message = format!(
        "this is not for {}: it belongs to {} and group {}, with mode {:o}:",
        owners::whose(rustix::process::geteuid().as_raw()),
        owners::whose(found.uid()),
        found.gid(),
        found.mode() & 0o7777
    );
    Error::new(ErrorKind::Access, message).at(path).hint(owners::give(path, ownership))
}

/// Creates a directory in that one unless it exists, in which each may move or remove only what is his (mode 3770), for the
/// owner of that one as far as we may give it away; as its owner, makes it one.
pub(crate) fn apart_directory(path: &Path) -> Result<()> {
    if !is_there(path)? {
        Folder::create(path)?;
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // What cannot be opened, or belongs to somebody else, stays as it is; whoever looks how it is says so.
    let Ok(directory) = rustix::fs::openat(CWD, path, flags, Mode::empty()) else { return Ok(()) };
    if let Ok(found) = rustix::fs::fstat(&directory)
        && found.st_mode & STICKY == 0
    {
        let _ = rustix::fs::fchmod(&directory, Mode::from_raw_mode(found.st_mode & 0o7777 | STICKY));
    }
    Ok(())
}

/// What each run of the cron user puts right: in directories that he shares he owns what is there, so that nobody else may
/// move it away or shut others out of it; and in one that others only read, only he may write.
///
/// What fails is tried again by whoever needs it, who says why he cannot go on.
pub(crate) fn prepare(root: &Path, ownership: &Ownership) {
    let state = root.join("sync_state");
    if state_directory(&state, ownership).is_err() {
        return;
    }
    let locks = state.join("locks");
    for directory in [&locks, &state.join("events")] {
        let _ = apart_directory(directory);
    }
    for name in lock::ALL {
        let _ = super::private_file(&locks.join(format!("{name}.lock")));
    }
    let _ = super::private_file(&state.join("lock"));
    if let Ok(Some(read_only)) = Folder::open(&state.join("integrity")) {
        read_only.narrow();
    }
    shared::give_modes_back(&state);
}

/// Lets only the owner move or remove what is in a directory; as its owner or root, who alone can say so.
fn keep_apart(path: &Path, found: &fs::Metadata) -> Result<()> {
    let user = rustix::process::geteuid();
    let may = user.is_root() || user.as_raw() == found.uid();
    if found.mode() & STICKY != 0 || !may {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(found.mode() & 0o7777 | STICKY))
        .map_err(|cause| Error::io("set the mode of", path, cause))
}

/// Why there is none, and what to do.
fn cannot_create(path: &Path, cause: std::io::Error) -> Error {
    let hint = match cause.kind() {
        Cause::PermissionDenied => Some(
            "as root: chown -hR USER:GROUP sync_state, with the user and group of the configuration (ownership)",
        ),
        Cause::NotADirectory | Cause::AlreadyExists => {
            Some("something else has its name, or that of a directory above it: move that away")
        }
        Cause::NotFound => Some("a directory above it is gone, or a symlink that leads nowhere: mend that"),
        _ => None,
    };
    let error = Error::io("create the state directory", path, cause);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_counts_only_of_somebody_who_may() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let (there, link) = (directory.path().join("there"), directory.path().join("link"));
        fs::create_dir(&there)?;
        std::os::unix::fs::symlink(&there, &link)?;
        private_directory(&link)?;
        apart_directory(&link)?;
        // Only root can make it somebody else's.
        if std::os::unix::fs::lchown(&link, Some(65_533), None).is_ok() {
            for refused in [private_directory(&link), apart_directory(&link)] {
                assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::Access));
            }
        }
        Ok(())
    }

    #[test]
    fn only_the_owner_may_move_what_is_in_it_whoever_made_it()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let config = crate::config::Config::parse(br#"{"version": 1}"#, directory.path(), None)?;
        let mode = |name: &str| -> std::io::Result<u32> {
            Ok(fs::metadata(directory.path().join(name))?.mode() & 0o7777)
        };
        state_directory(&directory.path().join("made"), &config.ownership)?;
        assert_eq!(mode("made")?, 0o3770);
        let found = directory.path().join("found");
        fs::create_dir(&found)?;
        fs::set_permissions(&found, fs::Permissions::from_mode(0o2750))?;
        state_directory(&found, &config.ownership)?;
        assert_eq!(mode("found")?, 0o3750, "and nothing else is changed");
        Ok(())
    }

    #[test]
    fn what_cannot_be_made_is_told_with_what_to_do() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "")?;
        std::os::unix::fs::symlink(at("nowhere"), at("link"))?;
        for (path, hint) in [
            (at("file"), "something else has its name"),
            (at("file/below"), "something else has its name"),
            (at("link"), "leads nowhere"),
        ] {
            let Err(error) = private_directory(&path) else {
                return Err(format!("{path:?} was made").into());
            };
            assert!(error.to_string().starts_with("cannot create the state directory"), "{error}");
            let told = error.hint_text().unwrap_or_default();
            assert!(told.contains(hint) || told.contains("something else"), "{path:?}: {told}");
        }
        Ok(())
    }

    #[test]
    fn a_run_of_the_cron_user_owns_what_others_share_and_lets_them_write_no_more_than_they_must()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let root = directory.path();
        let config = crate::config::Config::parse(br#"{"version": 1}"#, root, None)?;
        let state = root.join("sync_state");
        let mode =
            |name: &str| -> std::io::Result<u32> { Ok(fs::metadata(state.join(name))?.mode() & 0o7777) };
        // As an older version left it.
        state_directory(&state, &config.ownership)?;
        for (name, bits) in [("locks", 0o2770), ("integrity", 0o2770), ("integrity/of_ours", 0o660)] {
            let path = state.join(name);
            if name.contains('/') {
                fs::write(&path, "")?
            } else {
                fs::create_dir(&path)?
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(bits))?;
        }
        // Somebody has given a file of elsewhere a name there.
        fs::write(root.join("elsewhere"), "")?;
        fs::set_permissions(root.join("elsewhere"), fs::Permissions::from_mode(0o664))?;
        fs::hard_link(root.join("elsewhere"), state.join("integrity/linked"))?;
        std::os::unix::fs::symlink(root.join("elsewhere"), state.join("integrity/pointing"))?;
        for _ in 0..2 {
            prepare(root, &config.ownership);
            let found = [mode("locks")?, mode("events")?, mode("integrity")?, mode("integrity/of_ours")?];
            assert_eq!(found.map(|bits| format!("{bits:o}")), ["3770", "3770", "2750", "640"]);
            for name in lock::ALL {
                assert_eq!(mode(&format!("locks/{name}.lock"))?, 0o660, "{name}");
            }
            assert_eq!((mode("lock")?, mode("integrity/linked")?), (0o660, 0o664));
        }
        let folder = Folder::create_for_readers(&state.join("integrity"))?;
        folder.put("new", b"")?;
        let fresh = Folder::create_for_readers(&state.join("fresh"))?;
        fresh.put("new", b"")?;
        let found = [mode("integrity/new")?, mode("fresh")? & 0o777, mode("fresh/new")?];
        assert_eq!(found.map(|bits| format!("{bits:o}")), ["640", "750", "640"]);
        Ok(())
    }
}
