//! The directory of everything that we remember, and those in it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use super::owner;
use crate::config::Ownership;
use crate::error::{Error, Result};

/// Who does not own a file in such a directory may neither move nor remove it.
const STICKY: u32 = 0o1000;

/// Creates a directory of ours with its parents (mode 2770) unless it exists.
pub(crate) fn private_directory(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o770)
        .create(path)
        .map_err(|cause| cannot_create(path, cause))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o2770))
        .map_err(|cause| Error::io("set the mode of", path, cause))
}

/// Creates the directory of everything that we remember, unless it exists: for the configured user and group, as far as
/// we may give it away. The group is how the website gets at its queue. In it, each may move or remove only what is his:
/// else the website could put an older private directory in the place of the one that is there.
pub(crate) fn state_directory(path: &Path, ownership: &Ownership) -> Result<()> {
    if let Some(found) = fs::metadata(path).ok().filter(fs::Metadata::is_dir) {
        return keep_apart(path, &found);
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
    let found = fs::metadata(path).map_err(|cause| Error::io("look at", path, cause))?;
    keep_apart(path, &found)
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
        ErrorKind::PermissionDenied => Some(
            "run this once as root, or make that directory for the user and group of the configuration (mode 3770)",
        ),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            Some("something else has its name, or that of a directory above it: move that away")
        }
        ErrorKind::NotFound => {
            Some("a directory above it is gone, or a symlink that leads nowhere: mend that")
        }
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
}
