//! Locks that somebody has made so that others cannot take them.
//!
//! Apart from `lock`, which takes them, and `holders`, which says who has one: whoever may make a file may make one that only he
//! may open. It is not removed by itself, as it may be held; who may remove it is told.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::process::geteuid;

use super::{holders, owners};
use crate::config::{Config, Ownership};
use crate::error::Error;
use crate::report::StatusProblem;

/// Locks of the cron scripts, which nobody but their user is to take: else pages could hold up cron. The scripts tell of one that
/// is somebody else's.
const OF_SCRIPTS: &str = "cron-";

/// The locks that are there and that this user cannot take; as root those that the cron user cannot.
pub(crate) fn problems(config: &Config) -> Vec<StatusProblem> {
    let mut all: Vec<StatusProblem> = holders::files(&config.root.join("sync_state"))
        .into_iter()
        .filter(|(name, _)| !name.starts_with(OF_SCRIPTS))
        .filter_map(|(name, path)| {
            let why = why(&path, &config.ownership)?;
            let problem = format!("nobody but its owner can take the lock {name}: {} {why}", path.display());
            Some(StatusProblem { problem, first: Some(help(&path)), next: "run" })
        })
        .collect();
    all.sort_by(|a, b| a.problem.cmp(&b.problem));
    all
}

/// The error of a lock that could not be opened: whose it is, and what to do.
pub(super) fn refused(path: &Path, cause: io::Error) -> Error {
    let said = fs::symlink_metadata(path).ok().map(|found| format!("it {}; {}", is(&found), help(path)));
    let error = Error::io("open the lock", path, cause);
    match said {
        Some(said) => error.hint(said),
        None => error,
    }
}

/// Why a lock cannot be taken; none where it can, or is not there.
fn why(path: &Path, ownership: &Ownership) -> Option<String> {
    let found = fs::symlink_metadata(path).ok()?;
    if !found.is_file() {
        return Some(is(&found));
    }
    if geteuid().is_root() {
        let (user, group) = super::owner(ownership)?;
        let has = |bits: u32| found.mode() & bits == bits;
        let may = user == 0
            || found.uid() == user && has(0o600)
            || found.gid() == group && has(0o060)
            || has(0o006);
        return (!may).then(|| is(&found));
    }
    let opened = OpenOptions::new().read(true).write(true).custom_flags(super::wary()).open(path);
    match opened {
        Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => Some(is(&found)),
        _ => None,
    }
}

/// What it is, and whose.
fn is(found: &fs::Metadata) -> String {
    let what = if found.is_file() { "" } else { "is no regular file, " };
    format!("{what}belongs to {} and has mode {:o}", owners::whose(found.uid()), found.mode() & 0o7777)
}

/// Who may take it away, and how.
fn help(path: &Path) -> String {
    let owner = path.parent().and_then(|directory| fs::metadata(directory).ok()).map(|found| found.uid());
    let who = match owner {
        Some(0) | None => "root".to_owned(),
        Some(owner) => format!("{} or root", owners::whose(owner)),
    };
    let command = if fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) { "rmdir" } else { "rm" };
    format!("as {who}: {command} {}; it is made again", path.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Lock;
    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn a_lock_that_nobody_else_can_open_is_told_and_so_is_what_is_none() -> Outcome {
        let directory = tempfile::tempdir()?;
        let root = directory.path();
        let text = br#"{"version": 1, "ownership": {"user": "daemon", "group": "daemon"}}"#;
        let config = Config::parse(text, root, None)?;
        super::super::prepare(root, &config.ownership);
        assert_eq!(problems(&config), []);
        let path = root.join("sync_state/locks/integrity.lock");
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode));
        if geteuid().is_root() && super::super::owner(&config.ownership).is_some() {
            std::os::unix::fs::chown(&path, Some(65_533), None)?;
            for (bits, is_told) in [(0o400, true), (0o600, true), (0o660, false)] {
                mode(bits)?;
                let told = problems(&config);
                assert_eq!(told.len(), usize::from(is_told), "{bits:o}: {told:?}");
                for one in told {
                    let first = one.first.unwrap_or_default();
                    assert!(one.problem.contains("lock integrity") && one.problem.contains("user 65533"));
                    assert!(first.starts_with("as daemon (user 1) or root: rm "), "{first}");
                }
            }
        } else {
            mode(0o400)?;
            assert_eq!(problems(&config).len(), usize::from(!geteuid().is_root()));
        }
        fs::remove_file(&path)?;
        fs::create_dir(&path)?;
        // Nobody else is to take that one.
        fs::create_dir(path.with_file_name("cron-logs.lock"))?;
        let told = problems(&config);
        let [one] = told.as_slice() else { return Err(format!("{told:?}").into()) };
        assert!(one.problem.contains("is no regular file"), "{one:?}");
        let error = match Lock::take(root, &config.ownership, "integrity", 0) {
            Err(error) => error,
            Ok(_) => return Err("a directory was locked".into()),
        };
        let hint = error.hint_text().unwrap_or_default();
        assert!(error.to_string().contains("integrity.lock") && hint.contains("rmdir"), "{error} {hint}");
        Ok(())
    }
}
