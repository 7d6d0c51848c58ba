//! What the site's pages read and write: alerts in their shape, and events.

use std::os::unix::fs::PermissionsExt;

use cr0sync::events::{self, Filter};
use serde_json::{Value, json};

use super::world::World;

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
    // What is no list is kept beside it.
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
    let report = world.check();
    assert_eq!(report.findings.len(), 3, "the report has them");
    assert!(report.warnings.iter().any(|warning| warning.contains("auto_update_baseline")));
    let all = alerts(&world);
    assert_eq!(all.len(), 1);
    assert!(all[0]["file"].as_str().unwrap().ends_with("uploads/b.php"));
    assert_eq!(world.check().findings.len(), 3, "nothing was accepted by itself");
}

#[test]
fn many_findings_share_events_and_none_is_left_out() {
    let world = World::new();
    world.baseline();
    for number in 0..1000 {
        world.write(&format!("web/core/n{number:04}.php"), "x");
    }
    let report = world.check();
    assert_eq!(report.findings.len(), 1000);
    assert_eq!(alerts(&world).len(), 500);
    let found = events::query(&world.config, &Filter { limit: 1000, ..Filter::default() }).unwrap();
    let files: usize =
        found.events.iter().filter_map(|event| event["details"]["files"].as_array()).map(Vec::len).sum();
    // With that of the baseline.
    assert_eq!((files, found.events.len()), (1000, 26));
}
