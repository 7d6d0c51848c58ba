//! What could not be read: now, or when it was accepted; and what must be read before it is accepted under another name.

use std::os::unix::fs::PermissionsExt;

use cr0sync::integrity::{self, Accept, CheckOptions};
use cr0sync::report::FindingKind;
use serde_json::json;

use super::world::{World, tamper};

#[test]
fn what_may_not_be_read_is_told() {
    let world = World::new();
    let user = 54_321;
    world.give_to(user);
    let Some(made) = world.as_user(user, "baseline") else { return };
    assert_eq!(made["ok"], true, "{made}");
    let report = world.as_user(user, "check").unwrap();
    assert_eq!(report["findings"], json!([]), "{report}");
    let mode = |name: &str, mode| {
        std::fs::set_permissions(world.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("web/core/a.php", 0);
    mode("web/data", 0);
    let report = world.as_user(user, "check").unwrap();
    let kinds: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let name = finding["path"].as_str().unwrap().rsplit("/web/").next().unwrap().to_owned();
            format!("{} {name} {}", finding["kind"].as_str().unwrap(), finding["changes"])
        })
        .collect();
    let expected = [
        "modified core/a.php [\"mode\",\"ctime\"]",
        "unreadable core/a.php []",
        "modified data [\"mode\"]",
        "unreadable data []",
    ];
    assert_eq!(kinds, expected, "what is below a closed directory is not called gone");
    assert_eq!((&report["exit_bits"], &report["complete"]), (&json!(12), &json!(false)));
    // Root reads it, and sees the mode.
    mode("web/data", 0o755);
    assert_eq!(world.lines(&world.check()), "modified web/core/a.php mode,ctime\n");
}

#[test]
fn what_could_not_be_read_when_it_was_accepted_is_told_as_soon_as_it_can_be() {
    let user = 54_321;
    let world = World::new();
    let mode = |name: &str, mode| {
        std::fs::set_permissions(world.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    world.write("web/names/only.php", "its directory can be listed, and nothing in it looked at");
    world.give_to(user);
    mode("web/core/a.php", 0);
    mode("web/data/uploads", 0);
    mode("web/names", 0o444);
    let Some(made) = world.as_user(user, "baseline") else { return };
    let told = |report: &serde_json::Value| -> Vec<String> {
        let line = |finding: &serde_json::Value| {
            let name = finding["path"].as_str().unwrap().rsplit("/web/").next().unwrap().to_owned();
            let has_word =
                finding["reason"].as_str().is_some_and(|why| why.contains("when the baseline was made"));
            let word = if has_word { " (not known)" } else { "" };
            format!("{} {name}{word}", finding["kind"].as_str().unwrap())
        };
        report["findings"].as_array().unwrap().iter().map(line).collect()
    };
    let unreadable = ["unreadable core/a.php", "unreadable data/uploads", "unreadable names/only.php"];
    assert_eq!((told(&made).as_slice(), &made["ok"]), (&unreadable.map(str::to_owned)[..], &json!(false)));
    let report = world.as_user(user, "check").unwrap();
    assert_eq!(told(&report), unreadable, "{report}");
    assert_eq!(report["complete"], false, "{report}");
    // Root reads what its owner cannot; and it stays told.
    let unknown = [
        "modified core/a.php (not known)",
        "added data/uploads/picture.png (not known)",
        "added names/only.php (not known)",
    ];
    for _ in 0..2 {
        assert_eq!(told(&serde_json::to_value(world.check()).unwrap()), unknown);
    }
    for full in [false, true] {
        let report = world.check_with(&CheckOptions { full, ..CheckOptions::default() });
        assert_eq!(told(&serde_json::to_value(report).unwrap()), unknown);
    }
    let accepted = integrity::accept(&world.config, &[world.web()], Accept::Sign).unwrap();
    assert_eq!(told(&json!({ "findings": accepted.accepted })), unknown);
    assert_eq!(world.lines(&world.check()), "");
}

#[test]
fn accepting_another_name_shows_what_else_was_changed() {
    let world = World::new();
    world.baseline();
    let name = world.path("web/core/z.php");
    std::fs::rename(world.path("web/core/a.php"), &name).unwrap();
    tamper(&name, "<?php // z");
    let accepted = integrity::accept(&world.config, &[world.path("web/core")], Accept::DryRun).unwrap();
    let kinds: Vec<FindingKind> = accepted.accepted.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::Moved, FindingKind::Modified], "{accepted:?}");
    assert_eq!(accepted.accepted[1].changes, ["content"]);
}
