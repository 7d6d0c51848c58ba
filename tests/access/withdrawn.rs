//! What is on record as withdrawn is cut, changed or gone, and a page writes the file back as it was before: no key that was
//! revoked is ever good again, also where a process died over it.

use std::fs;
use std::path::{Path, PathBuf};

use cr0sync::Config;
use cr0sync::access::{Permission, keys, sessions};
use serde_json::Value;

use super::world::{KEYS, OLD_HASH, OLD_KEY, SESSIONS, World, key};
use crate::trace::{Blow, End, run_until};

/// The two copies of what is on record of a file.
pub(crate) fn copies(world: &World, file: &str) -> [PathBuf; 2] {
    let name = file.trim_start_matches("api_").trim_end_matches(".json");
    [world.root().join("sync_state/access").join(name), world.shared(&format!("{file}.withdrawn"))]
}

/// What may become of a copy: its bytes from then on; `None` for none.
fn damages(whole: &[u8]) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let mut flipped = whole.to_vec();
    let at = whole.windows(4).position(|four| four == &OLD_HASH.as_bytes()[..4]).unwrap();
    flipped[at] ^= 1;
    vec![
        ("gone", None),
        ("empty", Some(Vec::new())),
        ("half", Some(whole[..whole.len() / 2].to_vec())),
        ("nothing but spaces", Some(b"   ".to_vec())),
        ("zeros", Some(vec![0; whole.len()])),
        ("one bit", Some(flipped)),
        ("emptied", Some(br#"{"format": "cr0sync withdrawn", "version": 1, "entries": {}}"#.to_vec())),
    ]
}

pub(crate) fn put(path: &Path, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            // Whoever died early had not made it yet.
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        None => fs::remove_file(path).unwrap_or_default(),
    }
}

pub(crate) fn says(config: &Config, key: &str) -> &'static str {
    let said = keys::verify(config, key.as_bytes(), Permission::Read).unwrap();
    assert_eq!(said.granted, said.reason.is_none());
    said.reason.unwrap_or("granted")
}

pub(crate) fn log(world: &World) -> String {
    fs::read_to_string(world.config().events.log).unwrap_or_default()
}

#[test]
fn one_lost_copy_brings_no_key_back() {
    for lost in [0, 1] {
        let kinds = damages(format!("{OLD_HASH}{OLD_HASH}").as_bytes()).len();
        for kind in 0..kinds {
            let world = World::new();
            let config = world.config();
            let good = keys::issue(&config, &key()).unwrap();
            let stale = fs::read(world.shared(KEYS)).unwrap();
            keys::revoke(&config, "key_old").unwrap();
            let paths = copies(&world, KEYS);
            let whole = fs::read(&paths[0]).unwrap();
            assert_eq!(fs::read(&paths[1]).unwrap(), whole, "both say the same");
            let (what, bytes) = damages(&whole).swap_remove(kind);
            let told = format!("copy {lost}: {what}");
            put(&paths[lost], bytes.as_deref());
            fs::write(world.shared(KEYS), &stale).unwrap();
            assert_eq!(says(&config, OLD_KEY), "revoked", "{told}");
            assert_eq!(says(&config, &good.key), "granted", "{told}");
            // It is mended by then, and told where somebody must have done it.
            let is_told = log(&world).contains("CORRUPT_FILE");
            let is_sound = what == "emptied" || (what == "gone" && lost == 1);
            assert_eq!(is_told, !is_sound, "{told}: {}", log(&world));
            keys::issue(&config, &key()).unwrap();
            for path in &paths {
                assert!(fs::read_to_string(path).unwrap().contains(OLD_HASH), "{told}");
            }
            put(&paths[1 - lost], None);
            fs::write(world.shared(KEYS), &stale).unwrap();
            assert_eq!(says(&config, OLD_KEY), "revoked", "{told}: then the other one");
        }
    }
}

#[test]
fn all_that_we_remember_may_be_removed() {
    let world = World::new();
    let config = world.config();
    let stale = fs::read(world.shared(KEYS)).unwrap();
    keys::revoke(&config, "key_old").unwrap();
    fs::remove_dir_all(world.root().join("sync_state")).unwrap();
    fs::write(world.shared(KEYS), &stale).unwrap();
    assert_eq!(says(&config, OLD_KEY), "revoked");
}

#[test]
fn where_nobody_can_say_who_was_revoked_all_are_refused_until_somebody_acts() {
    let kinds = damages(format!("{OLD_HASH}{OLD_HASH}").as_bytes());
    for (first, second) in [("half", "half"), ("half", "gone"), ("gone", "empty"), ("one bit", "zeros")] {
        let world = World::new();
        let config = world.config();
        let good = keys::issue(&config, &key()).unwrap();
        let stale = fs::read(world.shared(KEYS)).unwrap();
        keys::revoke(&config, "key_old").unwrap();
        let paths = copies(&world, KEYS);
        let whole = fs::read(&paths[0]).unwrap();
        for (path, wanted) in paths.iter().zip([first, second]) {
            let (_, bytes) = damages(&whole).into_iter().find(|(what, _)| *what == wanted).unwrap();
            put(path, bytes.as_deref());
        }
        let before = paths.clone().map(|path| fs::read(path).ok());
        fs::write(world.shared(KEYS), &stale).unwrap();
        let told = format!("{first}, {second} of {}", kinds.len());
        for _ in 0..3 {
            assert_eq!(
                (says(&config, OLD_KEY), says(&config, &good.key)),
                ("unavailable", "unavailable"),
                "{told}"
            );
        }
        // Nothing is given out that lets nobody in; other changes go on, and touch nothing of it.
        for error in [
            keys::issue(&config, &key()).unwrap_err(),
            keys::rotate(&config, &good.id, 60, None).unwrap_err(),
        ] {
            assert!(error.to_string().contains("gave out none"), "{told}: {error}");
            assert!(error.hint_text().unwrap().contains("begin anew"), "{told}: {error:?}");
        }
        let listed = keys::list(&config, None).unwrap();
        assert_eq!(listed.keys.len(), 2, "{told}");
        assert!(listed.warnings.concat().contains("nobody can say which"), "{told}: {listed:?}");
        sessions::cleanup(&config).unwrap();
        assert_eq!(paths.clone().map(|path| fs::read(path).ok()), before, "{told}");
        assert_eq!(log(&world).matches("WITHDRAWN_UNKNOWN").count(), 1, "{told}: {}", log(&world));
        assert!(log(&world).contains("CRITICAL") && log(&world).contains("keys revoke ID"), "{told}");
        // What the words say is what helps.
        let said = keys::revoke(&config, "key_old").unwrap();
        assert!(said.revoked && said.warnings.concat().contains("begin anew"), "{said:?}");
        paths.iter().for_each(|path| put(path, None));
        assert_eq!(says(&config, &good.key), "unavailable", "{told}: to remove them says nothing");
        for (path, wanted) in paths.iter().zip([first, second]) {
            let (_, bytes) = damages(&whole).into_iter().find(|(what, _)| *what == wanted).unwrap();
            put(path, bytes.as_deref());
        }
        fs::write(&paths[1], "[\"begin anew\"]\n").unwrap();
        assert_eq!((says(&config, OLD_KEY), says(&config, &good.key)), ("revoked", "granted"), "{told}");
        fs::write(world.shared(KEYS), &stale).unwrap();
        assert_eq!(says(&config, OLD_KEY), "revoked", "{told}: and it lasts");
    }
}

#[test]
fn what_a_page_has_revoked_is_on_record_as_soon_as_it_is_seen() {
    // By a question about another key, about itself, and by a change.
    for seen in ["another", "itself", "change"] {
        let world = World::new();
        let config = world.config();
        let good = keys::issue(&config, &key()).unwrap();
        let stale = fs::read(world.shared(KEYS)).unwrap();
        let mut value: Value = serde_json::from_slice(&stale).unwrap();
        value[0]["active"] = false.into();
        value[0]["revoked_at"] = 1_700_000_000.into();
        fs::write(world.shared(KEYS), value.to_string()).unwrap();
        match seen {
            "another" => assert_eq!(says(&config, &good.key), "granted"),
            "itself" => assert_eq!(says(&config, OLD_KEY), "revoked"),
            _ => drop(keys::issue(&config, &key()).unwrap()),
        }
        fs::write(world.shared(KEYS), &stale).unwrap();
        assert_eq!((says(&config, OLD_KEY), says(&config, &good.key)), ("revoked", "granted"), "{seen}");
    }
    // Also where it was seen, and then all that was on record went.
    let world = World::new();
    let config = world.config();
    let stale = fs::read(world.shared(KEYS)).unwrap();
    keys::revoke(&config, "key_old").unwrap();
    assert_eq!(says(&config, OLD_KEY), "revoked");
    copies(&world, KEYS).iter().for_each(|path| put(path, None));
    assert_eq!(says(&config, OLD_KEY), "unavailable");
    fs::write(&copies(&world, KEYS)[1], "[\"begin anew\"]\n").unwrap();
    assert_eq!(says(&config, OLD_KEY), "revoked");
    fs::write(world.shared(KEYS), &stale).unwrap();
    assert_eq!(says(&config, OLD_KEY), "revoked");
    // What is only switched off may be switched on.
    let world = World::new();
    let on = fs::read_to_string(world.shared(KEYS)).unwrap();
    fs::write(world.shared(KEYS), on.replace("\"active\":true", "\"active\":false")).unwrap();
    assert_eq!(says(&world.config(), OLD_KEY), "revoked");
    fs::write(world.shared(KEYS), &on).unwrap();
    assert_eq!(says(&world.config(), OLD_KEY), "granted");
}

#[test]
fn a_closed_session_stays_closed() {
    for lost in [0, 1] {
        let world = World::new();
        let config = world.config();
        let opened = sessions::open(&config, &super::world::session()).unwrap();
        let stale = fs::read(world.shared(SESSIONS)).unwrap();
        sessions::close(&config, opened.token.as_bytes()).unwrap();
        let paths = copies(&world, SESSIONS);
        let half = fs::read(&paths[lost]).unwrap();
        put(&paths[lost], Some(&half[..half.len() / 2]));
        fs::write(world.shared(SESSIONS), &stale).unwrap();
        let said = sessions::verify(&config, opened.token.as_bytes(), Permission::Read).unwrap();
        assert_eq!(said.reason, Some("revoked"), "copy {lost}");
        put(&paths[0], Some(b"{"));
        put(&paths[1], Some(b"{"));
        let said = sessions::verify(&config, opened.token.as_bytes(), Permission::Read).unwrap();
        assert_eq!(said.reason, Some("unavailable"), "copy {lost}");
    }
}

/// Killed at each writing call of a revocation; then one copy is lost and an old file comes back.
#[test]
fn a_death_while_a_key_is_revoked_brings_it_back_only_where_nothing_was_written() {
    let (mut n, mut held) = (1, 0);
    loop {
        let world = World::new();
        let config = world.config();
        let stale = fs::read(world.shared(KEYS)).unwrap();
        let (end, said) = run_until(&world.ask("revoke"), None, n, Blow::Death);
        if end == End::NotAllowed {
            println!("skipped: this machine does not let a process trace another");
            return;
        }
        let is_over = end == End::Finished;
        assert!(!is_over || said.contains("\nreport "), "{said}");
        let paths = copies(&world, KEYS);
        let kept = paths.clone().map(|path| fs::read(path).ok());
        let has = kept
            .clone()
            .map(|bytes| bytes.is_some_and(|bytes| String::from_utf8_lossy(&bytes).contains(OLD_HASH)));
        let told = format!("killed at writing call {n}: {end:?}, {has:?}");
        held += usize::from(has[0] || has[1]);
        assert!(!is_over || has == [true, true], "{told}");
        let restore = || {
            paths.iter().zip(&kept).for_each(|(path, bytes)| put(path, bytes.as_deref()));
            fs::write(world.shared(KEYS), &stale).unwrap();
        };
        restore();
        assert_eq!(says(&config, OLD_KEY) != "granted", has[0] || has[1], "{told}");
        for (lost, other) in [(0, 1), (1, 0)] {
            for (what, bytes) in [("gone", None), ("cut", Some(&b"{\"format\": \"cr0"[..]))] {
                restore();
                put(&paths[lost], bytes);
                let is_refused = says(&config, OLD_KEY) != "granted";
                assert!(is_refused || !has[other], "{told}: copy {lost} {what}");
            }
        }
        if is_over {
            break;
        }
        n += 1;
    }
    println!("revoke: {} deaths, after {held} of them it was on record", n - 1);
    assert!(held > 2, "no run died after it was on record");
}

/// Killed at each writing call while a copy is mended.
#[test]
fn a_death_while_a_copy_is_mended_brings_no_key_back() {
    for (lost, half) in [(0, true), (0, false), (1, true), (1, false)] {
        let mut n = 1;
        loop {
            let world = World::new();
            let config = world.config();
            let stale = fs::read(world.shared(KEYS)).unwrap();
            keys::revoke(&config, "key_old").unwrap();
            let paths = copies(&world, KEYS);
            put(&paths[lost], half.then_some(&b"{\"half"[..]));
            fs::write(world.shared(KEYS), &stale).unwrap();
            let (end, said) = run_until(&world.ask("use"), None, n, Blow::Death);
            if end == End::NotAllowed {
                println!("skipped: this machine does not let a process trace another");
                return;
            }
            let told = format!("copy {lost}, killed at writing call {n}: {end:?}");
            assert!(!said.contains("\"granted\":true"), "{told}: {said}");
            assert_eq!(says(&config, OLD_KEY), "revoked", "{told}");
            keys::issue(&config, &key()).unwrap();
            let all = paths.clone().map(|path| fs::read_to_string(path).unwrap());
            assert!(all[0] == all[1] && all[0].contains(OLD_HASH), "{told}: {all:?}");
            if end == End::Finished {
                break;
            }
            n += 1;
        }
        println!("mending copy {lost}: {} deaths", n - 1);
        assert!(n > 3, "nothing was mended");
    }
}
