//! A change is killed at its first system call that writes, at its second, at its third, until none is left: after each
//! death every file is the old one or the new one as a whole, and the next change works and leaves nothing behind.
//!
//! Where tracing is not allowed a test says so and passes.

use std::collections::BTreeSet;
use std::fs;

use cr0sync::access::{Permission, keys, sessions};
use cr0sync::events;
use serde_json::Value;

use super::world::{ACTS, KEYS, LIMITS, SESSIONS, World, is_done, perform};
use crate::trace::{Blow, End, run_until};

/// The files are whole, whose they were, and what nobody of us knows is in them.
fn judge(world: &World, before: &[(&str, Vec<u8>)], act: &str, told: &str) {
    let owner = if nix::unistd::geteuid().is_root() { Some((4001, 4003, 0o664)) } else { None };
    for (name, old) in before {
        let now = fs::read(world.shared(name)).unwrap();
        let owns = ACTS.contains(&(act, name));
        if now != *old {
            let value: Value =
                serde_json::from_slice(&now).unwrap_or_else(|error| panic!("{told}: {name}: {error}"));
            assert!(owns && is_done(act, &value), "{told}: {name}: {value:#}");
            assert!(value.to_string().contains(r#""x":{"y":[1.5]}"#), "{told}: {value:#}");
        }
        assert!(owner.is_none_or(|owner| owner == world.owner(name)), "{told}: {:?}", world.owner(name));
    }
}

/// The next changes work, and are the last ones in every file.
fn go_on(world: &World, told: &str) {
    let config = world.config();
    let key = keys::issue(&config, &super::world::key()).unwrap_or_else(|error| panic!("{told}: {error}"));
    let said = keys::verify(&config, key.key.as_bytes(), Permission::Read).unwrap();
    assert!(said.granted && said.warnings.is_empty(), "{told}: {said:?}");
    let session = sessions::open(&config, &super::world::session()).unwrap();
    assert!(sessions::verify(&config, session.token.as_bytes(), Permission::Read).unwrap().granted, "{told}");
    keys::revoke(&config, &key.id).unwrap();
    sessions::close(&config, session.token.as_bytes()).unwrap();
    let report = perform(&config, "limits").unwrap();
    assert!(report["ok"] == true && is_done("limits", &world.value(LIMITS)), "{told}: {report}");
    let chain = events::verify(&config).unwrap();
    assert!(chain.ok, "{told}: {chain:?}");
}

#[test]
fn a_change_may_die_at_any_call() {
    for (act, file) in ACTS {
        let (mut n, mut hit, mut changed) = (1, BTreeSet::new(), 0);
        // What there is beside the files when nobody died.
        let world = World::new();
        perform(&world.config(), act).unwrap();
        go_on(&world, act);
        let names = world.names();
        loop {
            let world = World::new();
            let before = [KEYS, SESSIONS, LIMITS].map(|name| (name, fs::read(world.shared(name)).unwrap()));
            let (end, said) = run_until(&world.ask(act), None, n, Blow::Death);
            let told = format!("{act} killed at writing call {n}: {end:?}");
            match end {
                End::NotAllowed => {
                    println!("skipped: this machine does not let a process trace another");
                    return;
                }
                End::Struck(struck) => {
                    judge(&world, &before, act, &told);
                    changed += usize::from(is_done(act, &world.value(file)));
                    hit.extend(struck.rsplit('/').next().map(str::to_owned));
                    go_on(&world, &told);
                    assert_eq!(world.names(), names, "{told}");
                }
                End::Finished => {
                    assert!(said.contains("\nreport "), "{told}: {said}");
                    assert!(is_done(act, &world.value(file)), "{told}: {said}");
                    break;
                }
            }
            n += 1;
        }
        println!("{act}: {} deaths, {changed} of them after the change, over {hit:?}", n - 1);
        assert!(hit.contains(&format!("{file}.new-json")) && hit.contains(file), "{act}: {hit:?}");
        assert!(changed > 0, "{act}: no run died after its change");
    }
}

/// What makes no sense is moved aside: whoever dies over that loses nothing, and it is told.
#[test]
fn moving_aside_may_die_at_any_call() {
    for (act, file) in [("issue", KEYS), ("open", SESSIONS), ("limits", LIMITS)] {
        let (mut n, mut aside) = (1, 0);
        loop {
            let world = World::new();
            let half = "{\"half\": ";
            fs::write(world.shared(file), half).unwrap();
            let (end, said) = run_until(&world.ask(act), None, n, Blow::Death);
            let told = format!("{act} killed at writing call {n}: {end:?}");
            if end == End::NotAllowed {
                println!("skipped: this machine does not let a process trace another");
                return;
            }
            let is_over = end == End::Finished;
            assert!(!is_over || said.contains("\nreport "), "{told}: {said}");
            let is_aside = !fs::read(world.shared(file)).is_ok_and(|bytes| bytes == half.as_bytes());
            aside += usize::from(is_aside && !is_over);
            let log = fs::read_to_string(world.config().events.log).unwrap_or_default();
            assert!(!is_aside || log.contains("CORRUPT_FILE"), "{told}: it is aside, and nobody tells of it");
            let config = world.config();
            perform(&config, act).unwrap();
            let mut broken = Vec::new();
            for entry in fs::read_dir(world.root().join("shared_storage")).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                if name.starts_with(&format!("{file}.corrupt-2")) {
                    broken.push(fs::read_to_string(&path).unwrap());
                } else {
                    assert!([KEYS, SESSIONS, LIMITS].contains(&name.as_str()), "{told}: {name}");
                }
            }
            assert_eq!(broken, [half], "{told}");
            let log = fs::read_to_string(&config.events.log).unwrap();
            assert!(log.contains("CORRUPT_FILE") && log.contains("CRITICAL"), "{told}: {log}");
            assert!(events::verify(&config).unwrap().ok, "{told}");
            if is_over {
                break;
            }
            n += 1;
        }
        println!("{act}: {} deaths, {aside} of them after it was moved aside", n - 1);
        assert!(aside > 0, "{act}: no run died after that");
    }
}
