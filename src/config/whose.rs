//! Whether the configuration that lies in the root may say what is done there.
//!
//! Pages may make files in the root, and a configuration says which files are written and which program is told of events:
//! one that a page could have written would let it do all that the cron user may. A file that somebody names himself is his
//! own affair.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::durable::{self, mend};
use crate::error::{Error, ErrorKind, Result};

/// Accepts a file of root, of this user or of whom the root belongs to, to which nobody else may write.
///
/// # Errors
/// [`ErrorKind::Config`] for any other.
pub(super) fn check(file: &File, path: &Path, root: &Path) -> Result<()> {
    let failed = |path: &Path, cause| Error::io("look at", path, cause);
    let found = file.metadata().map_err(|cause| failed(path, cause))?;
    let owner = fs::metadata(root).map_err(|cause| failed(root, cause))?.uid();
    let own = rustix::process::geteuid().as_raw();
    // Pages may make a link as well, to something of ours that they like better.
    let named = fs::symlink_metadata(path).map_err(|cause| failed(path, cause))?;
    let found = if [0, own, owner].contains(&named.uid()) { found } else { named };
    let Some((why, remedy)) = objection(&found, [0, own, owner], durable::private_group(found.uid())) else {
        return Ok(());
    };
    let whom = durable::user_numbered(owner).unwrap_or_else(|| owner.to_string());
    let close = |user: u32| mend::chmod("g-w,o-w", path, user, found.gid());
    let remedy = match remedy {
        Remedy::Give => format!("{} && {}", mend::chown(&whom, path), close(owner)),
        Remedy::Close => close(found.uid()),
    };
    Err(Error::new(ErrorKind::Config, format!("refused the configuration, as {why}:"))
        .at(path)
        .hint(format!("read what it says, and move it away or take it over, as root: {remedy}")))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    Give,
    Close,
}

/// Why a file is not believed, whose group is `own_group` where that is his alone.
fn objection(found: &impl Rights, trusted: [u32; 3], own_group: Option<u32>) -> Option<(String, Remedy)> {
    let (user, group, mode) = found.rights();
    if !trusted.contains(&user) {
        let whom = durable::user_numbered(user).unwrap_or_else(|| user.to_string());
        return Some((format!("it belongs to {whom}"), Remedy::Give));
    }
    if mode & 0o002 != 0 {
        return Some(("everybody may write to it".to_owned(), Remedy::Close));
    }
    if mode & 0o020 != 0 && own_group != Some(group) {
        return Some((format!("the group {} may write to it", durable::group_named(group)), Remedy::Close));
    }
    None
}

/// Owner, group and mode.
trait Rights {
    fn rights(&self) -> (u32, u32, u32);
}

impl Rights for fs::Metadata {
    fn rights(&self) -> (u32, u32, u32) {
        (self.uid(), self.gid(), self.mode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Rights for (u32, u32, u32) {
        fn rights(&self) -> (u32, u32, u32) {
            *self
        }
    }

    #[test]
    fn nobody_but_the_owner_may_be_able_to_write_it() {
        // 7 is the user of the cron jobs, whose own group is 70; 8 is that of pages, 80 their group.
        for (rights, own_group, expected) in [
            ((7, 70, 0o644), Some(70), None),
            ((7, 80, 0o644), Some(70), None),
            ((0, 0, 0o600), Some(0), None),
            ((7, 70, 0o664), Some(70), None),
            ((7, 80, 0o664), Some(70), Some(Remedy::Close)),
            ((7, 80, 0o664), None, Some(Remedy::Close)),
            ((7, 70, 0o646), Some(70), Some(Remedy::Close)),
            ((8, 80, 0o600), Some(80), Some(Remedy::Give)),
            ((8, 70, 0o644), Some(80), Some(Remedy::Give)),
        ] {
            let found = objection(&rights, [0, 7, 7], own_group);
            assert_eq!(found.map(|(_, remedy)| remedy), expected, "{rights:?}");
        }
    }

    #[test]
    fn one_that_lies_in_the_root_is_looked_at_and_one_that_is_named_is_not() {
        use crate::config::Config;
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cr0sync.json");
        fs::write(&path, r#"{"version": 1, "databases": {}, "logs": {}}"#).unwrap();
        let load = |path| Config::load(path, Some(root.path()));
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        load(None).unwrap();
        mode(0o666);
        let error = load(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("everybody may write to it"), "{error}");
        assert!(error.hint_text().unwrap().contains("chmod g-w,o-w "), "{error:?}");
        load(Some(&path)).unwrap();
        // A link counts as whose it is, wherever it leads; only root can give one away.
        mode(0o644);
        let real = root.path().join("real.json");
        fs::rename(&path, &real).unwrap();
        std::os::unix::fs::symlink(&real, &path).unwrap();
        load(None).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::lchown(&path, Some(65_534), None).unwrap();
            assert!(load(None).unwrap_err().to_string().contains("it belongs to "));
        }
    }
}
