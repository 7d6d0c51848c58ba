//! A copy of what was withdrawn says that a newer version wrote it, as anybody may write who may write there.

use std::fs;
use std::path::Path;

use cr0sync::ErrorKind;
use cr0sync::access::{Permission, keys, sessions};

use super::withdrawn::{copies, log, put, says};
use super::world::{KEYS, OLD_HASH, OLD_KEY, World, key};

/// What `sed` makes of a copy.
fn claim(path: &Path) -> Vec<u8> {
    let text = fs::read_to_string(path).unwrap();
    let newer = text.replace("\"version\": 2", "\"version\": 9");
    assert_ne!(text, newer);
    fs::write(path, &newer).unwrap();
    newer.into_bytes()
}

fn aside(path: &Path) -> Vec<Vec<u8>> {
    let start = format!("{}.corrupt-", path.file_name().unwrap().to_str().unwrap());
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let is_aside =
        |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&start);
    entries.filter(is_aside).map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn one_that_says_so_beside_a_whole_one_stops_no_key() {
    for claiming in [0, 1] {
        for first in ["verify", "issue", "revoke", "list", "cleanup"] {
            let world = World::new();
            let config = world.config();
            let good = keys::issue(&config, &key()).unwrap();
            let other = keys::issue(&config, &key()).unwrap();
            let stale = fs::read(world.shared(KEYS)).unwrap();
            keys::revoke(&config, "key_old").unwrap();
            let paths = copies(&world, KEYS);
            let newer = claim(&paths[claiming]);
            fs::write(world.shared(KEYS), &stale).unwrap();
            let told = format!("copy {claiming}, {first}");
            match first {
                "issue" => drop(keys::issue(&config, &key()).unwrap()),
                "revoke" => assert!(keys::revoke(&config, &other.id).unwrap().revoked, "{told}"),
                "list" => assert_eq!(keys::list(&config, None).unwrap().keys[0].state, "revoked", "{told}"),
                "cleanup" => assert!(!sessions::cleanup(&config).unwrap().ok, "{told}"),
                _ => {}
            }
            assert_eq!((says(&config, OLD_KEY), says(&config, &good.key)), ("revoked", "granted"), "{told}");
            // What it said is kept, and told once with the file that said it.
            assert_eq!(aside(&paths[claiming]), [newer], "{told}");
            assert_eq!(log(&world).matches("CORRUPT_FILE").count(), 1, "{told}: {}", log(&world));
            assert!(log(&world).contains(&format!("\"file\":\"{}\"", paths[claiming].display())), "{told}");
            let all = paths.clone().map(|path| fs::read_to_string(path).unwrap());
            assert!(all[0] == all[1] && all[0].contains(OLD_HASH), "{told}: {all:?}");
            assert!(keys::list(&config, None).unwrap().warnings.is_empty(), "{told}");
        }
    }
}

/// A newer version that died before it had written the other copy.
#[test]
fn whom_only_the_newer_one_has_is_revoked_too() {
    let world = World::new();
    let config = world.config();
    let good = keys::issue(&config, &key()).unwrap();
    let paths = copies(&world, KEYS);
    keys::revoke(&config, &good.id).unwrap();
    let before = fs::read(&paths[1]).unwrap();
    let stale = fs::read(world.shared(KEYS)).unwrap();
    keys::revoke(&config, "key_old").unwrap();
    claim(&paths[0]);
    fs::write(&paths[1], before).unwrap();
    for _ in 0..2 {
        fs::write(world.shared(KEYS), &stale).unwrap();
        assert_eq!((says(&config, OLD_KEY), says(&config, &good.key)), ("revoked", "revoked"));
    }
    assert!(paths.iter().all(|path| fs::read_to_string(path).unwrap().contains(OLD_HASH)));
}

#[test]
fn where_both_say_so_nobody_is_let_in_and_the_list_says_what_is_known() {
    // Both, and one where the other one is gone; and which of them is named.
    for (gone, named) in [(None, 0), (Some(1), 0), (Some(0), 1)] {
        let world = World::new();
        let config = world.config();
        let good = keys::issue(&config, &key()).unwrap();
        keys::revoke(&config, "key_old").unwrap();
        let stale = fs::read(world.shared(KEYS)).unwrap();
        let paths = copies(&world, KEYS);
        paths.iter().for_each(|path| drop(claim(path)));
        if let Some(gone) = gone {
            put(&paths[gone], None);
        }
        let before = paths.clone().map(|path| fs::read(path).ok());
        let told = format!("{gone:?} is gone");
        let errors = [
            keys::verify(&config, good.key.as_bytes(), Permission::Read).unwrap_err(),
            keys::issue(&config, &key()).unwrap_err(),
            keys::rotate(&config, &good.id, 60, None).unwrap_err(),
            keys::revoke(&config, &good.id).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{told}: {error}");
            assert!(
                error.to_string().contains(&format!("wrote: {}", paths[named].display())),
                "{told}: {error}"
            );
            assert!(error.hint_text().unwrap().contains("install that version again"), "{told}: {error:?}");
        }
        let listed = keys::list(&config, None).unwrap();
        let states: Vec<&str> = listed.keys.iter().map(|key| key.state).collect();
        assert_eq!(states, ["revoked", "active"], "{told}");
        assert!(listed.warnings.concat().contains("only a newer version"), "{told}: {listed:?}");
        assert_eq!(log(&world).matches("WITHDRAWN_UNKNOWN").count(), 1, "{told}: {}", log(&world));
        assert_eq!(paths.clone().map(|path| fs::read(path).ok()), before, "{told}: nothing is written over");
        assert_eq!(fs::read(world.shared(KEYS)).unwrap(), stale, "{told}");
        // Where nobody had such a version, the words say what helps, and nobody comes back.
        fs::write(&paths[1], "[\"begin anew\"]\n").unwrap();
        assert_eq!((says(&config, OLD_KEY), says(&config, &good.key)), ("revoked", "granted"), "{told}");
    }
}

#[test]
fn what_only_says_that_it_is_newer_is_damaged() {
    for text in [
        "{\"format\": \"cr0sync withdrawn\", \"version\": 9}",
        "{\"format\": \"cr0sync withdrawn\", \"version\": 9, \"sum\": \"00\", \"entries\": {}}",
    ] {
        let world = World::new();
        let config = world.config();
        let good = keys::issue(&config, &key()).unwrap();
        keys::revoke(&config, "key_old").unwrap();
        let paths = copies(&world, KEYS);
        let whole = fs::read(&paths[0]).unwrap();
        fs::write(&paths[1], text).unwrap();
        assert_eq!(says(&config, &good.key), "granted", "{text}");
        paths.iter().for_each(|path| fs::write(path, text).unwrap());
        assert_eq!(says(&config, &good.key), "unavailable", "{text}");
        // One that fits beside a damaged one is no more than that.
        fs::write(&paths[0], whole).unwrap();
        claim(&paths[0]);
        assert_eq!(says(&config, &good.key), "unavailable", "{text}");
    }
}
