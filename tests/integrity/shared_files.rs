//! What the site's pages read and write: alerts in their shape, and events.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use cr0sync::events::{self, Filter};
use serde_json::{Value, json};

use super::world::{World, tamper};

fn alerts(world: &World) -> Vec<Value> {
    match std::fs::read(&world.config.integrity.alerts) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap(),
        Err(_) => Vec::new(),
    }
}

#[test]
fn alerts_have_the_shape_of_the_site_and_come_once() {
    let world = World::new();
    world.baseline();
    world.check();
    assert!(alerts(&world).is_empty());
    world.write("web/auth.php", "hacked");
    world.write("web/core/new.php", "x");
    std::fs::remove_file(world.path("web/core/a.php")).unwrap();
    world.check();
    let all = alerts(&world);
    let told: Vec<String> = all
        .iter()
        .map(|alert| format!("{} {} {}", alert["type"], alert["severity"], alert["status"]))
        .collect();
    let expected = [
        "\"FILE_MODIFIED\" \"CRITICAL\" \"open\"",
        "\"FILE_MISSING\" \"HIGH\" \"open\"",
        "\"NEW_FILE_DETECTED\" \"MEDIUM\" \"open\"",
    ];
    assert_eq!(told, expected);
    let names: Vec<&String> = all[0].as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "timestamp", "type", "file", "severity", "details", "ip", "status"]);
    assert!(all[0]["id"].as_str().unwrap().starts_with("integrity_"));
    assert!(
        chrono::NaiveDateTime::parse_from_str(all[0]["timestamp"].as_str().unwrap(), "%Y-%m-%d %H:%M:%S")
            .is_ok()
    );
    assert_eq!(
        all[0]["details"]["changes"],
        json!({ "content_modified": true, "size_changed": true, "timestamp_changed": true, "permissions_changed": false })
    );
    assert_eq!(all[0]["file"], world.path("web/auth.php").to_str().unwrap());
    for _ in 0..3 {
        world.check();
    }
    assert_eq!(alerts(&world), all, "an open finding is told once");
    // One that was closed and comes again is told again.
    std::fs::remove_file(world.path("web/core/new.php")).unwrap();
    world.check();
    world.write("web/core/new.php", "x");
    world.check();
    assert_eq!(alerts(&world).len(), 4);
    let found = events::query(&world.config, &Filter { limit: 100, ..Filter::default() }).unwrap();
    // With that of the baseline.
    assert_eq!(found.events.len(), 5);
    assert_eq!(found.events[3]["type"], "FILE_MODIFIED");
    assert_eq!(found.events[3]["details"]["file"], world.path("web/auth.php").to_str().unwrap());
    assert!(events::verify(&world.config).unwrap().ok);
}

#[test]
fn what_others_wrote_into_the_alerts_stays() {
    let world = World::new();
    world.baseline();
    let path = world.config.integrity.alerts.clone();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let old: Vec<Value> =
        (0..500).map(|number| json!({ "id": number, "status": "silenced", "note": "\u{e9}" })).collect();
    std::fs::write(&path, serde_json::to_vec(&old).unwrap()).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o664)).unwrap();
    world.write("web/auth.php", "hacked");
    world.check();
    let all = alerts(&world);
    assert_eq!(all.len(), 500, "no more than the site keeps");
    assert_eq!(all[..499], old[1..]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o664);
    // What makes no sense is kept beside it, and that is told.
    std::fs::write(&path, "[{\"id\": \"half").unwrap();
    world.write("web/index.html", "hacked");
    let report = world.check();
    assert!(report.warnings.iter().any(|warning| warning.contains("was no list of alerts")), "{report:?}");
    assert_eq!(alerts(&world).len(), 1);
    let aside = std::fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("integrity_alerts.json.corrupt-"));
    assert_eq!(aside.count(), 1);
}

/// The events of one kind.
fn events_of(world: &World, kind: &str) -> Vec<Value> {
    let filter = Filter { limit: 10_000, ..Filter::default() };
    let found = events::query(&world.config, &filter).unwrap().events;
    found.into_iter().filter(|event| event["type"] == kind).map(Value::Object).collect()
}

#[test]
fn a_page_that_is_just_writing_the_alerts_is_waited_for() {
    let world = World::new();
    world.baseline();
    let path = world.config.integrity.alerts.clone();
    let list = r#"[{"id": "integrity_1", "file": "/x", "status": "open", "note": {"by": "page"}}]"#;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "[]").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let is_root = nix::unistd::geteuid().is_root();
    if is_root {
        std::os::unix::fs::chown(&path, Some(4001), Some(4002)).unwrap();
    }
    world.write("web/auth.php", "hacked");
    // As PHP does with LOCK_EX: half of it is there, and the rest follows.
    let mut page = std::fs::File::options().write(true).open(&path).unwrap();
    fs2::FileExt::lock_exclusive(&page).unwrap();
    page.set_len(0).unwrap();
    page.write_all(&list.as_bytes()[..20]).unwrap();
    let report = std::thread::scope(|scope| {
        let check = scope.spawn(|| world.check());
        std::thread::sleep(std::time::Duration::from_millis(300));
        page.write_all(&list.as_bytes()[20..]).unwrap();
        drop(page);
        check.join().unwrap()
    });
    assert_eq!(report.warnings, [""; 0]);
    let all = alerts(&world);
    assert_eq!(
        all[0],
        serde_json::from_str::<Vec<Value>>(list).unwrap()[0],
        "with all that means nothing to us"
    );
    assert_eq!((all.len(), &all[1]["severity"]), (2, &json!("CRITICAL")));
    let found = std::fs::metadata(&path).unwrap();
    assert_eq!(found.permissions().mode() & 0o7777, 0o640);
    assert!(!is_root || (found.uid(), found.gid()) == (4001, 4002), "owner and group stay");
    assert_eq!(events_of(&world, "CORRUPT_FILE").len(), 0);
}

#[test]
fn alerts_that_cannot_be_written_come_later_and_events_only_once() {
    let world = World::new();
    world.baseline();
    let path = world.config.integrity.alerts.clone();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let theirs = r#"{"what": "is this"}"#;
    std::fs::write(&path, theirs).unwrap();
    world.write("web/auth.php", "hacked");
    for _ in 0..2 {
        let report = world.check();
        assert!(
            report.warnings.iter().any(|warning| warning.contains("expected a list of alerts")),
            "{report:?}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), theirs);
        assert_eq!(events_of(&world, "FILE_MODIFIED").len(), 1);
    }
    // A list of which a page took the first one out, as PHP writes that.
    std::fs::write(&path, r#"{"1": {"id": 1}}"#).unwrap();
    assert_eq!((world.check().new_findings, alerts(&world).len()), (0, 2));
    world.check();
    assert_eq!((alerts(&world).len(), events_of(&world, "FILE_MODIFIED").len()), (2, 1));
    assert_eq!(alerts(&world)[0], json!({ "id": 1 }));
}

#[test]
fn another_change_of_what_is_open_is_told_and_the_same_one_is_not() {
    let world = World::new();
    world.baseline();
    let path = world.path("web/core/a.php");
    let mode = |mode: u32| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    let told = |what: &str, expected: usize| {
        for _ in 0..3 {
            world.check();
        }
        let counts = (alerts(&world).len(), events_of(&world, "FILE_MODIFIED").len());
        assert_eq!(counts, (expected, expected), "{what}");
    };
    mode(0o600);
    told("a mode", 1);
    mode(0o4755);
    told("another mode", 2);
    // Of the same length as what was accepted, so that it is read.
    tamper(&path, "<?php // 1");
    told("content", 3);
    tamper(&path, "<?php // 2");
    told("another content", 4);
    let last = alerts(&world).pop().unwrap();
    assert_eq!(
        (&last["details"]["before"]["mode"], &last["details"]["after"]["mode"]),
        (&json!("0644"), &json!("4755"))
    );
    // Of another length: it is not read, and the times say that it is another one.
    std::fs::write(&path, "longer than it was").unwrap();
    told("another length", 5);
    std::fs::write(&path, "as long as before.").unwrap();
    told("another content of that length", 6);
}

#[test]
fn nobody_is_told_of_what_he_does_not_ask_for_but_of_code_among_data() {
    let world = World::new();
    world.watch(&json!({
        "monitored_directories": [world.web()], "monitored_files": [],
        "alert_on_new_files": false, "alert_on_missing_files": false, "auto_update_baseline": true,
    }));
    world.baseline();
    world.write("web/data/uploads/b.png", "x");
    world.write("web/data/uploads/b.php", "x");
    std::fs::remove_file(world.path("web/core/a.php")).unwrap();
    std::fs::remove_file(world.path("web/auth.php")).unwrap();
    let report = world.check();
    assert_eq!(report.findings.len(), 4, "the report has them");
    assert!(report.warnings.iter().any(|warning| warning.contains("auto_update_baseline")));
    let all = alerts(&world);
    let mut files: Vec<&str> = all.iter().map(|alert| alert["file"].as_str().unwrap()).collect();
    files.sort_unstable();
    let base = format!("{}/", world.web().display());
    let files: Vec<&str> = files.iter().map(|file| file.trim_start_matches(&base)).collect();
    assert_eq!(files, ["auth.php", "data/uploads/b.php"], "what is critical is told all the same");
    assert_eq!(world.check().findings.len(), 4, "nothing was accepted by itself");
    // The event log has all of them all the same.
    assert_eq!(
        (events_of(&world, "NEW_FILE_DETECTED").len(), events_of(&world, "FILE_MISSING").len()),
        (2, 2)
    );
}

#[test]
fn many_findings_share_events_and_none_is_left_out_or_cut() {
    let world = World::new();
    world.baseline();
    let long = "long-".repeat(40);
    for number in 0..1000 {
        let more = if number % 2 == 0 { long.as_str() } else { "" };
        world.write(&format!("web/core/n{number:04}.php{more}"), "x");
    }
    let report = world.check();
    assert_eq!(report.findings.len(), 1000);
    assert_eq!(alerts(&world).len(), 500);
    let found = events_of(&world, "NEW_FILE_DETECTED");
    let mut files = std::collections::BTreeSet::new();
    for event in &found {
        let shared = event["details"]["files"].as_array().unwrap();
        assert!(shared.len() <= 40 && event["details"]["count"] == shared.len(), "{event}");
        for one in shared {
            assert_eq!(one["after"]["type"], "file", "with all that is told of it: {one}");
            files.insert(one["file"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(files.len(), 1000);
    // Long names, of which fewer share one: nothing of them is cut.
    assert!(found.iter().all(|event| event["details"].get("cut").is_none()));
    assert!(files.iter().any(|file| file.ends_with(&long)));
}
