//! What is no file of ours lies in the place of a copy of what was withdrawn: the other copy goes on saying who counts, and what
//! is there is moved aside.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use cr0sync::access::keys;

use super::users::{ask, is_root, website};
use super::withdrawn::{copies, log, says};
use super::world::{KEYS, OLD_HASH, OLD_KEY, World, key};

/// Kinds of it.
const KINDS: [&str; 5] = ["symlink", "directory", "full directory", "pipe", "huge"];

fn lay(path: &Path, kind: &str) {
    fs::remove_file(path).unwrap();
    match kind {
        "symlink" => symlink("/etc/passwd", path).unwrap(),
        "directory" => fs::create_dir(path).unwrap(),
        "full directory" => {
            fs::create_dir(path).unwrap();
            fs::write(path.join("x"), "theirs").unwrap();
        }
        "pipe" => assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
        // Nobody has the memory for that.
        _ => fs::File::create(path).unwrap().set_len(1 << 40).unwrap(),
    }
}

fn aside(path: &Path) -> Vec<std::path::PathBuf> {
    let start = format!("{}.corrupt-", path.file_name().unwrap().to_str().unwrap());
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&start)).collect()
}

#[test]
fn one_copy_that_is_no_file_stops_nobody() {
    for kind in KINDS {
        for lost in [0, 1] {
            for first in ["verify", "revoke", "issue"] {
                let world = World::new();
                let config = world.config();
                let told = format!("copy {lost} is a {kind}, {first}");
                let [good, other] = [(); 2].map(|()| keys::issue(&config, &key()).unwrap());
                let stale = fs::read(world.shared(KEYS)).unwrap();
                keys::revoke(&config, "key_old").unwrap();
                let paths = copies(&world, KEYS);
                lay(&paths[lost], kind);
                fs::write(world.shared(KEYS), &stale).unwrap();
                match first {
                    "revoke" => assert!(keys::revoke(&config, &other.id).unwrap().revoked, "{told}"),
                    "issue" => {
                        let made = keys::issue(&config, &key()).unwrap();
                        assert!(made.warnings.concat().contains(".corrupt-"), "{told}: {made:?}");
                    }
                    _ => {}
                }
                assert_eq!(
                    (says(&config, OLD_KEY), says(&config, &good.key)),
                    ("revoked", "granted"),
                    "{told}"
                );
                for path in &paths {
                    assert!(fs::symlink_metadata(path).unwrap().is_file(), "{told}");
                    assert!(fs::read_to_string(path).unwrap().contains(OLD_HASH), "{told}");
                }
                assert_eq!(aside(&paths[lost]).len(), 1, "{told}");
                assert_eq!(log(&world).matches("CORRUPT_FILE").count(), 1, "{told}: {}", log(&world));
                keys::revoke(&config, &other.id).unwrap();
                fs::write(world.shared(KEYS), &stale).unwrap();
                assert_eq!(says(&config, &other.key), "revoked", "{told}");
            }
        }
    }
}

#[test]
fn two_copies_that_are_no_files_let_nobody_in_and_stay() {
    for kind in KINDS {
        let world = World::new();
        let config = world.config();
        let good = keys::issue(&config, &key()).unwrap();
        keys::revoke(&config, "key_old").unwrap();
        let paths = copies(&world, KEYS);
        paths.iter().for_each(|path| lay(path, kind));
        assert_eq!(says(&config, &good.key), "unavailable", "{kind}");
        assert!(paths.iter().all(|path| aside(path).is_empty()), "{kind}");
        assert!(log(&world).contains("WITHDRAWN_UNKNOWN"), "{kind}");
    }
}

#[test]
fn a_copy_that_may_not_be_read_stops_nobody() {
    if !is_root() {
        return;
    }
    for lost in [0, 1] {
        let world = World::new();
        let config = world.config();
        let good = keys::issue(&config, &key()).unwrap();
        let stale = fs::read(world.shared(KEYS)).unwrap();
        keys::revoke(&config, "key_old").unwrap();
        let paths = copies(&world, KEYS);
        fs::set_permissions(&paths[lost], fs::Permissions::from_mode(0o000)).unwrap();
        chown(&paths[lost], Some(0), Some(0)).unwrap();
        fs::write(world.shared(KEYS), &stale).unwrap();
        let said = ask(&world, Some(&website()), &format!("verify {}", good.key));
        assert!(said.starts_with("granted"), "copy {lost}: {said}");
        let said = ask(&world, Some(&website()), &format!("verify {OLD_KEY}"));
        assert!(said.starts_with("revoked"), "copy {lost}: {said}");
        assert!(
            ask(&world, Some(&website()), &format!("revoke {}", good.id)).starts_with("Ok"),
            "copy {lost}"
        );
        assert_eq!(says(&config, &good.key), "revoked", "copy {lost}");
        assert_eq!(aside(&paths[lost]).len(), 1, "copy {lost}");
    }
}
