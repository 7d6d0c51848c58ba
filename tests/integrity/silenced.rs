//! Findings that somebody on the website has silenced: they stay what they are, and what changes again is told.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cr0sync::ErrorKind;
use cr0sync::events::{self, Filter};
use cr0sync::integrity::{self, Accept, CheckOptions};
use serde_json::{Value, json};

use super::world::World;

fn alerts(world: &World) -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(&world.config.integrity.alerts).unwrap()).unwrap()
}

/// Each alert: its file and status.
fn statuses(world: &World) -> Vec<String> {
    let name = |alert: &Value| alert["file"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let line = |alert: &Value| format!("{} {}", name(alert), alert["status"].as_str().unwrap());
    alerts(world).iter().map(line).collect()
}

/// Each finding of the last check, and whether it is silenced.
fn findings(world: &World) -> Vec<String> {
    let status = integrity::status(&world.config).unwrap();
    let name = |one: &Value| one["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let line = |one: &Value| format!("{} {}", name(one), one["silenced"]);
    status.last_check["findings"].as_array().unwrap().iter().map(line).collect()
}

fn silence(world: &World, paths: &[PathBuf]) -> Value {
    let report = integrity::silence(&world.config, paths, "ann").unwrap();
    let value = serde_json::to_value(&report).unwrap();
    let names = |list: &Value| -> Vec<String> {
        let name = |path: &Value| path.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        list.as_array().unwrap().iter().map(name).collect()
    };
    assert!(report.warnings.is_empty(), "{report:?}");
    json!([names(&value["silenced"]), names(&value["unknown"])])
}

fn events(world: &World) -> Vec<Value> {
    let filter = Filter { kinds: vec!["integrity_silenced".to_owned()], limit: 100, ..Filter::default() };
    events::query(&world.config, &filter).unwrap().events.into_iter().map(Value::Object).collect()
}

#[test]
fn what_is_silenced_stays_a_finding_and_another_change_is_told_anew() {
    let world = World::new();
    world.baseline();
    world.write("web/auth.php", "hacked");
    world.write("web/core/new.php", "x");
    world.check();
    assert_eq!(findings(&world), ["auth.php false", "new.php false"]);
    let before = alerts(&world);
    let auth = world.path("web/auth.php");
    let paths = [auth.clone(), world.path("web/index.html"), PathBuf::from("/etc/passwd")];
    assert_eq!(silence(&world, &paths), json!([["auth.php"], ["passwd", "index.html"]]));
    assert_eq!(statuses(&world), ["auth.php acknowledged", "new.php open"]);
    // Nothing else of it is another.
    let mut expected = before;
    expected[0]["status"] = json!("acknowledged");
    assert_eq!(alerts(&world), expected);
    let told = events(&world);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["details"], json!({"by": "ann", "count": 1, "paths": [auth]}));
    // It is found, and is no news.
    for _ in 0..2 {
        let report = world.check();
        assert_eq!((report.findings.len(), report.new_findings, report.ok), (2, 0, false));
    }
    assert_eq!(findings(&world), ["auth.php true", "new.php false"]);
    let status = integrity::status(&world.config).unwrap();
    assert!(
        !status.ok && status.problems.iter().any(|one| one.problem.starts_with("2 findings")),
        "{status:?}"
    );
    // Once more changes nothing, and is not put on record.
    assert_eq!(silence(&world, std::slice::from_ref(&auth)), json!([["auth.php"], []]));
    assert_eq!(events(&world).len(), 1);
    world.write("web/auth.php", "hacked again");
    assert_eq!(world.check().new_findings, 1);
    assert_eq!(statuses(&world), ["auth.php acknowledged", "new.php open", "auth.php open"]);
    assert_eq!(findings(&world), ["auth.php false", "new.php false"]);
    silence(&world, std::slice::from_ref(&auth));
    assert_eq!(findings(&world), ["auth.php true", "new.php false"]);
    // Accepting ends all of it, and what comes then is open.
    let report = integrity::accept(&world.config, &[auth], Accept::Sign).unwrap();
    assert_eq!(report.resolved_alerts, 2);
    assert_eq!(statuses(&world), ["auth.php resolved", "new.php open", "auth.php resolved"]);
    world.write("web/auth.php", "and again");
    world.check();
    assert_eq!(findings(&world), ["auth.php false", "new.php false"]);
    assert!(events::verify(&world.config).unwrap().ok);
}

/// The list of alerts may say anything: a finding counts as silenced only where its last alert is about the same change.
#[test]
fn what_an_alert_says_of_another_change_silences_nothing() {
    let world = World::new();
    world.baseline();
    world.write("web/auth.php", "hacked");
    world.check();
    silence(&world, &[world.path("web/auth.php")]);
    // The alert about the next change is lost.
    let kept = std::fs::read(&world.config.integrity.alerts).unwrap();
    world.write("web/auth.php", "hacked again");
    world.check();
    std::fs::write(&world.config.integrity.alerts, &kept).unwrap();
    assert_eq!(findings(&world), ["auth.php false"]);
    // The same at another time.
    world.write("web/auth.php", "hacked");
    world.check();
    std::fs::write(&world.config.integrity.alerts, &kept).unwrap();
    assert_eq!(findings(&world), ["auth.php true"]);
    // Read as a whole, which tells more of it.
    world.check_with(&CheckOptions { full: true, ..CheckOptions::default() });
    assert_eq!(findings(&world), ["auth.php true"]);
    for hostile in [
        json!([{"file": world.path("web/auth.php"), "status": "acknowledged"}]),
        json!([{"file": world.path("web/auth.php"), "status": "acknowledged", "details": {"kind": "modified"}}]),
        json!([7, null, [], {"file": 7, "status": {}, "details": []}, {"status": "acknowledged", "details": {"kind": 1}}]),
        json!({"0": {"file": world.path("web/auth.php"), "status": "open"}}),
        json!([]),
    ] {
        std::fs::write(&world.config.integrity.alerts, hostile.to_string()).unwrap();
        assert_eq!(findings(&world), ["auth.php false"], "{hostile}");
    }
    for broken in ["", "{", "7", r#"{"a": 1}"#] {
        std::fs::write(&world.config.integrity.alerts, broken).unwrap();
        assert_eq!(findings(&world), ["auth.php false"], "{broken}");
        let warnings = integrity::status(&world.config).unwrap().warnings;
        assert!(warnings.iter().any(|one| one.contains("nobody can say what was silenced")), "{warnings:?}");
        assert_eq!(std::fs::read_to_string(&world.config.integrity.alerts).unwrap(), broken);
    }
}

#[test]
fn a_name_of_any_bytes_is_silenced_as_it_is_and_as_it_is_shown() {
    for by_what_is_shown in [false, true] {
        let world = World::new();
        world.baseline();
        let odd = world.web().join(std::ffi::OsStr::from_bytes(b"odd\n\xff"));
        std::fs::write(&odd, "x").unwrap();
        world.check();
        let path = if by_what_is_shown { world.path("web/odd\\x0a\\xff") } else { odd };
        assert_eq!(silence(&world, &[path]).to_string().matches("odd").count(), 1);
        assert_eq!(findings(&world), ["odd\\x0a\\xff true"], "{by_what_is_shown}");
    }
}

#[test]
fn what_makes_no_sense_silences_nothing() {
    let world = World::new();
    world.baseline();
    world.write("web/auth.php", "hacked");
    world.check();
    let auth = [world.path("web/auth.php")];
    for (paths, by) in [(&[][..], "ann"), (&auth, "two\nlines"), (&auth, &"x".repeat(201))] {
        let error = integrity::silence(&world.config, paths, by).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
    // Where it cannot be put on record, it is not done.
    let log = world.config.events.log.clone();
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    integrity::silence(&world.config, &auth, "ann").unwrap_err();
    assert_eq!(statuses(&world), ["auth.php open"]);
    assert!(Path::new(&log).is_dir());
}
