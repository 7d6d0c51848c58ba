//! What of before stays known, and to whom: a new baseline says what it accepts, accepting one file says nothing of others, and
//! what was found is read from where only the cron user can have written.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use cr0sync::integrity;
use serde_json::{Value, json};

use super::world::World;

/// The website's user and group.
const WEBSITE: u32 = 33;

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Lets the website's group in where it may be; none where nobody can.
fn let_in(world: &World) -> Option<()> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can give files away");
        return None;
    }
    for name in ["", "integrity", "locks"] {
        let path = world.path("root/sync_state").join(name);
        let before = std::fs::metadata(&path).unwrap().permissions();
        chown(&path, None, Some(WEBSITE)).unwrap();
        std::fs::set_permissions(&path, before).unwrap();
    }
    for name in ["integrity", "locks"] {
        for entry in std::fs::read_dir(world.path("root/sync_state").join(name)).unwrap() {
            chown(entry.unwrap().path(), None, Some(WEBSITE)).unwrap();
        }
    }
    Some(())
}

/// The events of one type.
fn events(world: &World, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(&world.config.events.log).unwrap();
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|event| event["type"] == kind).collect()
}

/// How bad the last baseline is said to be.
fn severity(world: &World) -> String {
    events(world, "baseline_created").last().unwrap()["severity"].as_str().unwrap().to_owned()
}

#[test]
fn a_new_baseline_says_what_it_accepts() {
    let world = World::new();
    let first = world.baseline();
    assert_eq!((first.compared_with, first.changed_count, first.new_key), (None, 0, true));
    let said = first.warnings.join("\n");
    assert!(!said.contains("baseline before") && !said.contains("key"), "it is the first one: {said}");
    assert_eq!(severity(&world), "HIGH");
    let same = world.baseline();
    assert_eq!((same.compared_with, same.changed_count, same.new_key), (Some(1), 0, false), "{same:?}");
    assert_eq!(severity(&world), "LOW");
    world.write("web/data/uploads/shell.php", "<?php system($_GET[0]);");
    let made = world.baseline();
    let [shell] = made.changed.as_slice() else { panic!("{made:?}") };
    assert!(shell.path.ends_with("uploads/shell.php") && shell.severity == "CRITICAL", "{shell:?}");
    assert_eq!((made.changed_count, made.compared_with, made.ok), (1, Some(2), true));
    assert_eq!(severity(&world), "HIGH");
    let last = events(&world, "baseline_created").pop().unwrap();
    assert_eq!((&last["details"]["changed"], &last["details"]["new_key"]), (&json!(1), &json!(false)));
    // What is taken over from the list that it made itself is nothing new.
    let list = world.config.integrity.baseline.clone();
    let imported = integrity::baseline(&world.config, Some(&list)).unwrap();
    assert_eq!((imported.imported > 0, imported.changed_count), (true, 0), "{imported:?}");
    for number in 0..1_005 {
        world.write(&format!("web/core/many/{number}"), "x");
    }
    let many = world.baseline();
    assert_eq!((many.changed.len(), many.changed_count), (1_000, 1_006));
}

#[test]
fn a_baseline_after_one_that_cannot_be_compared_with_says_so() {
    let world = World::new();
    world.baseline();
    world.baseline();
    std::fs::rename(world.path("root/sync_state/private"), world.path("away")).unwrap();
    world.write("web/core/shell.php", "<?php");
    let made = world.baseline();
    assert_eq!((made.generation, made.compared_with, made.new_key), (1, None, true));
    let said = made.warnings.join("\n");
    for part in ["is not there to compare with", "begin anew with 1", "a new one signs from now on"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(severity(&world), "HIGH");
    for (number, copy) in [(2, "gone"), (3, "there")] {
        std::fs::write(world.path("root/sync_state/integrity/baseline"), "forged").unwrap();
        if copy == "gone" {
            std::fs::remove_file(world.path("root/sync_state/private/integrity.baseline")).unwrap();
        }
        let is_compared = copy == "there";
        let made = world.baseline();
        let said = made.warnings.join("\n");
        assert_eq!(said.contains("could not be believed"), !is_compared, "{said}");
        assert!(!said.contains("begin anew"), "{said}");
        let expected = (number, is_compared.then_some(2), false);
        assert_eq!((made.generation, made.compared_with, made.new_key), expected);
        assert_eq!(severity(&world), if is_compared { "LOW" } else { "HIGH" });
    }
}

#[test]
fn what_the_last_check_found_is_not_what_the_website_wrote() {
    let world = World::new();
    world.baseline();
    if let_in(&world).is_none() {
        return;
    }
    world.write("web/auth.php", "hacked");
    world.check();
    let copy = world.path("root/sync_state/integrity/report.json");
    let told: Value = serde_json::from_slice(&std::fs::read(&copy).unwrap()).unwrap();
    assert_eq!(told["findings"].as_array().unwrap().len(), 1, "pages have a copy");
    let forged = json!({ "at": "2999-01-01T00:00:00.000Z", "ok": true, "complete": true, "findings": [], "source": "private" });
    std::fs::write(&copy, forged.to_string()).unwrap();
    let status = integrity::status(&world.config).unwrap();
    let last = &status.last_check;
    assert_eq!((last["findings"].as_array().unwrap().len(), &last["source"]), (1, &json!("private")));
    assert!(
        status.problems.iter().any(|one| one.problem.contains("1 finding in the last check")),
        "{status:?}"
    );
    let site = world.as_user(WEBSITE, "status").unwrap();
    assert_eq!(site["last_check"]["source"], "site", "{site}");
    // What a page checks is its own.
    std::fs::remove_file(&copy).unwrap();
    let checked = world.as_user(WEBSITE, "check").unwrap();
    assert_eq!(checked["findings"].as_array().unwrap().len(), 1, "{checked}");
    assert!(!copy.exists());
    let site = world.as_user(WEBSITE, "status").unwrap();
    assert_eq!(site["last_check"]["source"], "own", "{site}");
}

#[test]
fn a_page_is_told_what_is_wrong_with_the_public_key() {
    for (text, expected) in [
        (Some("x"), "is no public key"),
        (Some("5ikM2y0KXTXvAAWZ9GSFrs+JZUTbiUAG7Tci8hLMkHM=\n"), "not signed by the public key beside it"),
        (None, "the public key is missing"),
    ] {
        let world = World::new();
        world.baseline();
        if let_in(&world).is_none() {
            return;
        }
        let path = world.path("root/sync_state/integrity/public_key");
        match text {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let report = world.as_user(WEBSITE, "check").unwrap();
        let reason = report["findings"][0]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(expected) && !reason.contains("forged"), "{expected}: {report}");
    }
}

#[test]
fn the_website_cannot_move_the_private_directory() {
    let world = World::new();
    world.baseline();
    if let_in(&world).is_none() {
        return;
    }
    let state = world.path("root/sync_state");
    let moves = |mode_of_state: u32| {
        mode(&state, mode_of_state);
        let mut order = Command::new("mv");
        order.arg(state.join("private")).arg(state.join("elsewhere")).uid(WEBSITE).gid(WEBSITE);
        order.output().unwrap().status.success()
    };
    let made = std::fs::metadata(&state).unwrap().permissions().mode() & 0o7777;
    assert!(!moves(made), "mode {made:o}");
    // Or this would prove nothing.
    assert!(moves(0o2770));
    std::fs::rename(state.join("elsewhere"), state.join("private")).unwrap();
    // One that was made before is mended.
    world.baseline();
    let mended = std::fs::metadata(&state).unwrap().permissions().mode() & 0o7777;
    assert!(mended == 0o3770 && !moves(mended), "mode {mended:o}");
}

#[test]
fn a_private_directory_that_is_open_again_is_told_again() {
    let world = World::new();
    world.baseline();
    let private = world.path("root/sync_state/private");
    for _ in 0..2 {
        mode(&private, 0o755);
        assert_eq!((world.check().new_findings, world.check().new_findings), (1, 0));
        mode(&private, 0o700);
        assert!(world.check().ok);
    }
}

#[test]
fn what_stands_in_the_way_of_the_heartbeat_loses_no_report() {
    let world = World::new();
    world.baseline();
    let place = world.path("root/sync_state/integrity");
    std::fs::rename(&place, world.path("away")).unwrap();
    symlink(world.path("away"), &place).unwrap();
    let status = integrity::status(&world.config).unwrap();
    assert_eq!((status.watch.problem, status.baseline.ok), (None, true), "the private ones are read");
    let first = status.problems[0].first.clone().unwrap();
    assert_eq!(first, format!("find out who did that, and move {} away", place.display()));
    mode(&world.path("root/sync_state/private"), 0o755);
    let status = integrity::status(&world.config).unwrap();
    let problem = status.watch.problem.unwrap();
    assert!(problem.starts_with("no heartbeat of a watcher is known: refused what should be"), "{problem}");
    assert!(status.problems.iter().any(|one| one.problem == problem));
    let report = cr0sync::security::run(&world.config).unwrap();
    assert!(report.problems.contains(&problem), "{report:?}");
    assert_eq!((report.exit_bits, report.exit_code()), (16, 2));
}
