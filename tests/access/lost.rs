//! All that was on record as withdrawn is gone, or could not be written: no key that was revoked is good again without a word.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};

use cr0sync::access::{Permission, keys, sessions};
use serde_json::Value;

use super::users::{ask, is_root, website};
use super::withdrawn::{copies, log, put, says};
use super::world::{KEYS, OLD_KEY, SESSIONS, WEBSITE, World, key, session};

#[test]
fn both_copies_gone_let_nobody_in_where_somebody_was_revoked() {
    let world = World::new();
    let config = world.config();
    let good = keys::issue(&config, &key()).unwrap();
    let stale = fs::read(world.shared(KEYS)).unwrap();
    // Where nobody was ever revoked nothing is missed.
    fs::remove_dir_all(world.root().join("sync_state")).unwrap();
    assert_eq!((says(&config, OLD_KEY), says(&config, &good.key)), ("granted", "granted"));
    keys::revoke(&config, "key_old").unwrap();
    fs::remove_dir_all(world.root().join("sync_state")).unwrap();
    let paths = copies(&world, KEYS);
    put(&paths[1], None);
    fs::write(world.shared(KEYS), &stale).unwrap();
    assert_eq!((says(&config, OLD_KEY), says(&config, &good.key)), ("unavailable", "unavailable"));
    assert!(
        log(&world).contains("WITHDRAWN_UNKNOWN") && log(&world).contains("both were there"),
        "{}",
        log(&world)
    );
    let warnings = keys::list(&config, None).unwrap().warnings.concat();
    assert!(warnings.contains("nobody can say which") && warnings.contains("begin anew"), "{warnings}");
    assert!(keys::issue(&config, &key()).unwrap_err().to_string().contains("gave out none"));
    // Somebody says what the words say.
    keys::revoke(&config, "key_old").unwrap();
    fs::write(&paths[1], "[\"begin anew\"]\n").unwrap();
    assert_eq!((says(&config, OLD_KEY), says(&config, &good.key)), ("revoked", "granted"));
    fs::write(world.shared(KEYS), &stale).unwrap();
    assert_eq!((says(&config, OLD_KEY), says(&config, &good.key)), ("revoked", "granted"));
    assert!(keys::list(&config, None).unwrap().warnings.is_empty());
}

#[test]
fn both_copies_of_sessions_gone_let_nobody_in() {
    let world = World::new();
    let config = world.config();
    let opened = sessions::open(&config, &session()).unwrap();
    let stale = fs::read(world.shared(SESSIONS)).unwrap();
    sessions::close(&config, opened.token.as_bytes()).unwrap();
    copies(&world, SESSIONS).iter().for_each(|path| put(path, None));
    fs::write(world.shared(SESSIONS), &stale).unwrap();
    let said = sessions::verify(&config, opened.token.as_bytes(), Permission::Read).unwrap();
    assert_eq!(said.reason, Some("unavailable"));
    assert!(sessions::open(&config, &session()).is_err());
    fs::write(world.shared(SESSIONS), "{}").unwrap();
    fs::write(&copies(&world, SESSIONS)[1], "[\"begin anew\"]\n").unwrap();
    let opened = sessions::open(&config, &session()).unwrap();
    assert!(sessions::verify(&config, opened.token.as_bytes(), Permission::Read).unwrap().granted);
}

#[test]
fn what_nobody_mends_is_told_once_an_hour_by_all_processes_together() {
    let world = World::new();
    let config = world.config();
    keys::revoke(&config, "key_old").unwrap();
    copies(&world, KEYS).iter().for_each(|path| put(path, Some(b"{")));
    let count = || log(&world).matches("WITHDRAWN_UNKNOWN").count();
    let verify = || ask(&world, None, &format!("verify {OLD_KEY}"));
    for _ in 0..3 {
        let said = verify();
        assert!(said.starts_with("unavailable") && said.contains("begin anew"), "{said}");
        assert_eq!(count(), 1, "{}", log(&world));
    }
    let note = world.root().join("sync_state/access/keys.told");
    let made = fs::read_to_string(&note).unwrap();
    let (boot, seconds) = made.trim_end().split_once(' ').unwrap();
    // Of the future, of another start of the machine, and what says nothing; whatever time the file itself has.
    let later = format!("{boot} {}", seconds.parse::<u64>().unwrap() + 86_400);
    let mut expected = 1;
    for text in [later, format!("another {seconds}"), "told\n".to_owned(), String::new()] {
        fs::write(&note, &text).unwrap();
        expected += 1;
        for _ in 0..2 {
            verify();
            assert_eq!(count(), expected, "{text}: {}", log(&world));
        }
    }
    // What is read, and not when it was written.
    let file = fs::File::options().write(true).open(&note).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(86_400)).unwrap();
    verify();
    assert_eq!(count(), expected, "{}", log(&world));
    // Others may have written to this one.
    fs::set_permissions(&note, fs::Permissions::from_mode(0o664)).unwrap();
    verify();
    assert_eq!(count(), expected + 1, "{}", log(&world));
    // What happens again after it was mended is told again.
    fs::write(&copies(&world, KEYS)[1], "[\"begin anew\"]\n").unwrap();
    verify();
    copies(&world, KEYS).iter().for_each(|path| put(path, Some(b"{")));
    verify();
    assert_eq!(count(), expected + 2, "{}", log(&world));
}

/// The website may write its own note, and put an older one of others in its place; neither silences the cleanup.
#[test]
fn the_website_silences_nobody_but_itself() {
    if !is_root() {
        return;
    }
    let world = World::new();
    keys::revoke(&world.config(), "key_old").unwrap();
    copies(&world, KEYS).iter().for_each(|path| put(path, Some(b"{")));
    world.give();
    let count = || log(&world).matches("WITHDRAWN_UNKNOWN").count();
    let note = world.root().join("sync_state/access/keys.told");
    for _ in 0..2 {
        ask(&world, Some(&website()), &format!("verify {OLD_KEY}"));
        assert_eq!((count(), fs::metadata(&note).unwrap().uid()), (1, WEBSITE), "{}", log(&world));
    }
    // As the same user that the cron jobs run as here, which is root.
    for _ in 0..2 {
        sessions::cleanup(&world.config()).unwrap();
        assert_eq!((count(), fs::metadata(&note).unwrap().uid()), (2, 0), "{}", log(&world));
    }
    // What root told the website need not tell.
    ask(&world, Some(&website()), &format!("verify {OLD_KEY}"));
    assert_eq!(count(), 2, "{}", log(&world));
}

/// Nobody can take the lock of the record while something else has its name.
fn lock(world: &World) -> std::path::PathBuf {
    world.root().join("sync_state/locks/api_keys_withdrawn.lock")
}

#[test]
fn what_could_not_go_on_record_goes_there_as_soon_as_it_can() {
    for later in ["verify", "cleanup"] {
        let world = World::new();
        let config = world.config();
        let good = keys::issue(&config, &key()).unwrap();
        let stale = fs::read(world.shared(KEYS)).unwrap();
        let mut value: Value = serde_json::from_slice(&stale).unwrap();
        value[0]["active"] = false.into();
        value[0]["revoked_at"] = 1_700_000_000.into();
        fs::write(world.shared(KEYS), value.to_string()).unwrap();
        put(&lock(&world), None);
        fs::create_dir(lock(&world)).unwrap();
        let said = keys::verify(&config, good.key.as_bytes(), Permission::Read).unwrap();
        assert!(said.granted && said.warnings.concat().contains("is not on record"), "{later}: {said:?}");
        fs::remove_dir(lock(&world)).unwrap();
        match later {
            "verify" => assert_eq!(says(&config, &good.key), "granted"),
            _ => drop(sessions::cleanup(&config).unwrap()),
        }
        fs::write(world.shared(KEYS), &stale).unwrap();
        assert_eq!((says(&config, OLD_KEY), says(&config, &good.key)), ("revoked", "granted"), "{later}");
    }
    // What nobody asks for.
    let world = World::new();
    let config = world.config();
    let stale = fs::read_to_string(world.shared(KEYS)).unwrap();
    fs::write(world.shared(KEYS), stale.replace("\"active\":true", "\"active\":false,\"revoked_at\":5"))
        .unwrap();
    sessions::cleanup(&config).unwrap();
    fs::write(world.shared(KEYS), &stale).unwrap();
    assert_eq!(says(&config, OLD_KEY), "revoked");
}

#[test]
fn whoever_rotates_gets_the_key_that_is_in_the_file() {
    for (grace, expected) in [(0, "revoked"), (3_600, "granted")] {
        let world = World::new();
        let config = world.config();
        let old = keys::issue(&config, &key()).unwrap();
        put(&lock(&world), None);
        fs::create_dir(lock(&world)).unwrap();
        let new = keys::rotate(&config, &old.id, grace, None).unwrap();
        assert!(new.warnings.concat().contains(&format!("that {} is replaced", old.id)), "{new:?}");
        assert_eq!((says(&config, &old.key), says(&config, &new.key)), (expected, "granted"));
        let active = world.value(KEYS).as_array().unwrap().iter().filter(|key| key["active"] == true).count();
        assert_eq!(active, if grace == 0 { 2 } else { 3 }, "no other one was made");
    }
}

#[test]
fn a_file_of_keys_that_was_put_aside_is_told_by_the_list() {
    let world = World::new();
    let config = world.config();
    assert!(keys::list(&config, None).unwrap().warnings.is_empty());
    fs::write(world.shared(KEYS), "{\"half\": ").unwrap();
    assert!(keys::list(&config, None).is_err());
    assert_eq!(says(&config, OLD_KEY), "unavailable");
    for _ in 0..2 {
        let listed = keys::list(&config, None).unwrap();
        let [warning] = listed.warnings.as_slice() else { panic!("{listed:?}") };
        assert!(warning.contains("api_keys.json.corrupt-2") && warning.contains("move it away"), "{warning}");
        // A new file does not make them good.
        keys::issue(&config, &key()).unwrap();
    }
}
