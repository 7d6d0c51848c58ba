//! Commands by which root sets owners and modes right, which follow no link that somebody has put in the place meanwhile: what
//! is advised is entered minutes or hours later, and lies where others may write. A directory above is taken as it is then.
//!
//! `chown -h` and `chgrp -h` change a link itself, and leave alone what it leads to. `chmod` follows links, so it is called with
//! the rights of the owner alone: who exchanges what is his gets done what he could do himself. The group is that of the thing, as
//! else the bit that hands it down would be taken away (`chmod(2)`).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{group_named, user_numbered};

/// A path as a word of a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,@%".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Gives something to a user, or to a user and a group (`USER:GROUP`).
pub(crate) fn chown(whom: &str, path: &Path) -> String {
    format!("chown -h {whom} {}", quoted(path))
}

/// Gives a tree to a user and a group; links in it are not followed.
pub(crate) fn chown_all(whom: &str, paths: &[impl AsRef<Path>]) -> String {
    let all: Vec<String> = paths.iter().map(|path| quoted(path.as_ref())).collect();
    format!("chown -hR {whom} {}", all.join(" "))
}

/// Gives something to a group.
pub(crate) fn chgrp(group: &str, path: &Path) -> String {
    format!("chgrp -h {group} {}", quoted(path))
}

/// Changes the mode of something that is, or is by then, of a user and a group.
pub(crate) fn chmod(change: &str, path: &Path, user: u32, group: u32) -> String {
    let place = quoted(path);
    if user == 0 {
        let link = if is_open(path) { format!("test ! -L {place} && ") } else { String::new() };
        return format!("{link}chmod {change} {place}");
    }
    let (who, groups) = match user_numbered(user) {
        Some(name) => (name, "--init-groups"),
        None => (user.to_string(), "--clear-groups"),
    };
    format!("setpriv --reuid={who} --regid={} {groups} chmod {change} {place}", group_named(group))
}

/// Makes a directory for a user and a group; one that is there already is left alone.
pub(crate) fn mkdir(whom: &str, mode: &str, path: &Path) -> String {
    format!("mkdir -m {mode} {} && {}", quoted(path), chown(whom, path))
}

/// Whether others than root may put something else in the place of something.
fn is_open(path: &Path) -> bool {
    let others = |above: &Path| {
        fs::metadata(above).map_or(true, |found| found.uid() != 0 || found.mode() & 0o022 != 0)
    };
    path.ancestors().skip(1).any(others)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown as give, symlink};
    use std::process::Command;

    use super::*;

    /// What somebody puts in the place of his file, or of his directory, between the advice and the command, stays as it is.
    #[test]
    fn a_link_in_the_place_gains_nobody_anything() {
        const SOMEBODY: u32 = 65_533;
        if !rustix::process::geteuid().is_root() {
            // Only root can make files of others.
            return;
        }
        let place = tempfile::Builder::new().prefix("mend").tempdir_in("/tmp").unwrap();
        let top = place.path();
        let set = |path: &Path, user: u32, mode: u32| {
            give(path, Some(user), Some(user)).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        set(top, SOMEBODY, 0o755);
        let (target, file) = (top.join("target"), top.join("file"));
        for owner in [SOMEBODY, 0] {
            fs::write(&target, "").unwrap();
            set(&target, 0, 0o600);
            let state = || {
                let found = fs::metadata(&target).unwrap();
                (found.uid(), found.gid(), found.mode() & 0o7777)
            };
            let before = state();
            let commands = [
                chown("daemon:daemon", &file),
                chgrp("daemon", &file),
                chmod("0666", &file, owner, 0),
                chown_all("daemon", &[&file]),
                mkdir("daemon:daemon", "2775", &file),
            ];
            let run = |command: &str| Command::new("sh").args(["-c", command]).output().unwrap();
            for command in &commands {
                symlink(&target, &file).unwrap();
                run(command);
                assert_eq!(state(), before, "{command}");
                fs::remove_file(&file).unwrap();
            }
            // And each does what it should.
            fs::write(&file, "").unwrap();
            set(&file, owner, 0o600);
            let [owned, grouped, opened, all, _] = &commands;
            assert!(run(opened).status.success(), "{opened}");
            assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o666, "{opened}");
            for command in [owned, grouped, all] {
                set(&file, owner, 0o600);
                assert!(run(command).status.success(), "{command}");
                let found = fs::metadata(&file).unwrap();
                assert!((found.uid(), found.gid()) != (owner, owner), "{command}");
            }
            fs::remove_file(&file).unwrap();
            fs::remove_file(&target).unwrap();
        }
    }

    #[test]
    fn the_bit_that_hands_a_group_down_is_given_by_an_owner_who_is_not_in_it() {
        if !rustix::process::geteuid().is_root() {
            // Only root can make files of others.
            return;
        }
        let place = tempfile::Builder::new().prefix("mend").tempdir_in("/tmp").unwrap();
        give(place.path(), Some(65_533), Some(1)).unwrap();
        let command = chmod("g+ws", place.path(), 65_533, 1);
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
        assert_eq!(fs::metadata(place.path()).unwrap().mode() & 0o2020, 0o2020, "{command}");
    }
}
