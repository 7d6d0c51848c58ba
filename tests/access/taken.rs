//! Taken back while somebody else holds a lock: it is refused from then on, is told as taken back, stands in the log, and the
//! next cleanup writes what could not be written. A key that is replaced at the same time does not go on in another one.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::thread;

use cr0sync::access::{Permission, keys, sessions};
use fs2::FileExt;

use super::withdrawn::{copies, log, put, says};
use super::world::{KEYS, OLD_HASH, OLD_KEY, SESSIONS, World, key, session};

/// Somebody who holds a lock until this is dropped.
fn hold(path: PathBuf) -> File {
    let file = File::options().create(true).append(true).open(&path).unwrap();
    file.try_lock_exclusive().unwrap();
    file
}

fn lock(world: &World, name: &str) -> PathBuf {
    world.root().join("sync_state/locks").join(format!("{name}.lock"))
}

fn events(world: &World, kind: &str) -> usize {
    log(world).matches(kind).count()
}

#[test]
fn a_key_that_only_the_record_has_is_revoked_and_the_file_follows() {
    // A page that holds its own file, and one of ours that changes it.
    for ours in [false, true] {
        let world = World::new();
        let config = world.config();
        let held = hold(if ours { lock(&world, "api_keys") } else { world.shared(KEYS) });
        let said = keys::revoke(&config, "key_old").unwrap();
        assert!(said.revoked, "{said:?}");
        let [warning] = said.warnings.as_slice() else { panic!("{said:?}") };
        assert!(
            warning.contains("the next cleanup writes that") && warning.contains("holds the lock"),
            "{warning}"
        );
        assert_eq!((says(&config, OLD_KEY), events(&world, "API_KEY_REVOKED")), ("revoked", 1));
        assert_eq!(world.value(KEYS)[0]["active"], true, "the file is not changed yet");
        drop(held);
        let cleaned = sessions::cleanup(&config).unwrap();
        assert!(cleaned.ok, "{cleaned:?}");
        let key = &world.value(KEYS)[0];
        assert!(key["active"] == false && key["revoked_at"].is_i64(), "{key}");
        assert_eq!(events(&world, "API_KEY_REVOKED"), 1);
        assert!(!keys::revoke(&config, "key_old").unwrap().revoked);
    }
}

#[test]
fn a_key_that_only_the_file_has_is_revoked_and_the_record_follows() {
    let world = World::new();
    let config = world.config();
    let stale = fs::read(world.shared(KEYS)).unwrap();
    let held = hold(lock(&world, "api_keys_withdrawn"));
    let said = keys::revoke(&config, "key_old").unwrap();
    assert!(
        said.revoked && said.warnings.concat().contains("the next cleanup puts it on record"),
        "{said:?}"
    );
    assert_eq!((says(&config, OLD_KEY), events(&world, "API_KEY_REVOKED")), ("revoked", 1));
    assert!(copies(&world, KEYS).iter().all(|path| !path.exists()));
    drop(held);
    assert!(sessions::cleanup(&config).unwrap().ok);
    fs::write(world.shared(KEYS), &stale).unwrap();
    assert_eq!(says(&config, OLD_KEY), "revoked");
}

#[test]
fn a_key_that_neither_has_is_not_revoked() {
    let world = World::new();
    let config = world.config();
    let path = lock(&world, "api_keys_withdrawn");
    put(&path, None);
    fs::create_dir(&path).unwrap();
    let _held = hold(world.shared(KEYS));
    let error = keys::revoke(&config, "key_old").unwrap_err();
    assert_eq!(error.kind(), cr0sync::ErrorKind::Locked, "{error}");
    assert_eq!((says(&config, OLD_KEY), events(&world, "API_KEY_REVOKED")), ("granted", 0));
}

#[test]
fn a_session_is_closed_where_either_has_it() {
    let world = World::new();
    let config = world.config();
    let [first, second] = [(); 2].map(|()| sessions::open(&config, &session()).unwrap());
    let reason = |token: &str| sessions::verify(&config, token.as_bytes(), Permission::Read).unwrap().reason;
    let held = hold(world.shared(SESSIONS));
    let said = sessions::close(&config, first.token.as_bytes()).unwrap();
    assert!(said.closed && said.warnings.concat().contains("the next cleanup writes that"), "{said:?}");
    assert_eq!((said.id.as_deref(), reason(&first.token)), (Some(first.id.as_str()), Some("revoked")));
    drop(held);
    sessions::cleanup(&config).unwrap();
    assert!(world.value(SESSIONS)[&first.id].is_null());
    let held = hold(lock(&world, "api_sessions_withdrawn"));
    let said = sessions::close(&config, second.id.as_bytes()).unwrap();
    assert!(said.closed && said.warnings.concat().contains("stands in the file only"), "{said:?}");
    assert_eq!(reason(&second.token), Some("unknown"));
    drop(held);
}

#[test]
fn a_key_that_is_revoked_while_it_is_replaced_does_not_go_on_in_another_one() {
    let world = World::new();
    let config = world.config();
    let held = hold(lock(&world, "api_keys"));
    thread::scope(|scope| {
        let (sender, rotated) = channel();
        let config = &config;
        scope.spawn(move || sender.send(keys::rotate(config, "key_old", 3_600, None)).unwrap());
        // It has looked at the key by the time that it says so in the log.
        while !log(&world).contains("API_KEY_ROTATED") {
            thread::yield_now();
        }
        let revoked = scope.spawn(|| keys::revoke(config, "key_old").unwrap());
        let second = &copies(&world, KEYS)[1];
        while !fs::read_to_string(second).unwrap_or_default().contains(OLD_HASH) {
            thread::yield_now();
        }
        FileExt::unlock(&held).unwrap();
        let error = rotated.recv().unwrap().unwrap_err();
        assert!(error.to_string().contains("counts no longer"), "{error}");
        assert!(revoked.join().unwrap().revoked);
    });
    let all = world.value(KEYS);
    assert!(all.as_array().unwrap().len() == 1 && all[0]["active"] == false, "{all}");
    assert!(log(&world).contains("API_KEY_NOT_ISSUED"));
}

#[test]
fn a_key_that_a_page_took_away_or_back_meanwhile_is_not_replaced() {
    for page in ["removed", "switched off", "revoked"] {
        let world = World::new();
        let config = world.config();
        let held = hold(lock(&world, "api_keys"));
        thread::scope(|scope| {
            let rotated = scope.spawn(|| keys::rotate(&config, "key_old", 3_600, None));
            while !log(&world).contains("API_KEY_ROTATED") {
                thread::yield_now();
            }
            let mut value = world.value(KEYS);
            match page {
                "removed" => drop(value.as_array_mut().unwrap().remove(0)),
                "revoked" => value[0]["revoked_at"] = 5.into(),
                _ => value[0]["active"] = false.into(),
            }
            fs::write(world.shared(KEYS), value.to_string()).unwrap();
            FileExt::unlock(&held).unwrap();
            assert!(rotated.join().unwrap().is_err(), "{page}");
        });
        let active = world.value(KEYS).as_array().unwrap().iter().filter(|key| key["active"] == true).count();
        assert_eq!(active, usize::from(page == "revoked"), "{page}: {}", world.value(KEYS));
        assert_ne!(says(&config, OLD_KEY), "granted", "{page}");
    }
}

#[test]
fn whoever_revokes_a_key_is_told_which_ones_were_issued_in_its_place() {
    let world = World::new();
    let config = world.config();
    let second = keys::rotate(&config, "key_old", 3_600, None).unwrap();
    assert!(log(&world).contains("\"replaces\":\"key_old\""), "{}", log(&world));
    let third = keys::rotate(&config, &second.id, 0, None).unwrap();
    let other = keys::issue(&config, &key()).unwrap();
    // The second one counts no longer, and what came of it does.
    let said = keys::revoke(&config, "key_old").unwrap();
    let [warning] = said.warnings.as_slice() else { panic!("{said:?}") };
    assert!(warning.starts_with(&format!("{} was issued in place of {}", third.id, second.id)), "{warning}");
    assert_eq!((says(&config, &third.key), says(&config, &other.key)), ("granted", "granted"));
    assert!(keys::revoke(&config, &third.id).unwrap().warnings.is_empty());
    assert!(keys::revoke(&config, &other.id).unwrap().warnings.is_empty());
}
