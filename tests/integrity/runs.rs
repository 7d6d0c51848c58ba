//! Runs of the periodic jobs that meet, and a watcher that was killed.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::world::{World, answer};

/// The private directory.
fn private(world: &World) -> PathBuf {
    world.path("root/sync_state/private")
}

/// What a heartbeat of so long ago says, by the time since the machine started.
fn beat(seconds_ago: u64) -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let text = std::fs::read_to_string("/proc/uptime").unwrap();
    let up = text.split('.').next().unwrap().parse::<u64>().unwrap() - seconds_ago;
    format!("cr0sync-watch-1 beats 1700000000 {up} {}\n", boot.trim())
}

/// The events about a watcher that is missed.
fn missed(world: &World) -> usize {
    let text = std::fs::read_to_string(&world.config.events.log).unwrap_or_default();
    text.lines().filter(|line| line.contains("monitor_stale")).count()
}

#[test]
fn of_runs_that_meet_one_does_what_is_due() {
    let world = World::new();
    world.baseline();
    for _ in 0..5 {
        let _ = std::fs::remove_file(private(&world).join("schedule"));
        let children: Vec<_> = (0..6).map(|_| world.spawn("run")).collect();
        let answers: Vec<Value> =
            children.into_iter().map(|child| answer(&child.wait_with_output().unwrap())).collect();
        for job in ["check", "limits", "sessions", "archive"] {
            let ran = answers.iter().filter(|answer| answer["jobs"][job]["state"] == "ran").count();
            assert_eq!(ran, 1, "{job} {answers:?}");
        }
        for answer in &answers {
            let is_fine = answer["kind"] == "locked" || answer["ok"] == true;
            assert!(is_fine, "{answer}");
        }
    }
}

#[test]
fn a_run_is_for_the_user_of_the_cron_jobs() {
    let world = World::new();
    world.baseline();
    world.give_to(65_534);
    let user = |user: u32| world.as_user(user, "run");
    let Some(answer) = user(65_534) else { return };
    assert_eq!(answer["jobs"]["check"]["state"], "ran", "{answer}");
    // To whom neither that directory nor the state belongs.
    assert_eq!(user(65_533).unwrap()["kind"], json!("access"));
}

#[test]
fn a_watcher_that_says_nothing_is_missed_once() {
    let world = World::new();
    world.baseline();
    let run = || cr0sync::security::run(&world.config).unwrap();
    assert_eq!((run().missed, missed(&world)), (None, 0), "nobody ever watched");
    for name in ["root/sync_state/private/watch", "root/sync_state/integrity/watch"] {
        world.write(name, beat(30));
    }
    let report = run();
    assert_eq!((report.missed, report.watch.running, report.watch.stale), (None, true, false));
    for name in ["root/sync_state/private/watch", "root/sync_state/integrity/watch"] {
        world.write(name, beat(90));
    }
    let report = run();
    let said = report.missed.clone().unwrap();
    assert!(said.contains("2023-11-14T22:13:20.000Z; start it again"), "{said}");
    assert_eq!((report.exit_code(), report.watch.stale, missed(&world)), (1, true, 1));
    let report = run();
    assert_eq!((report.missed, report.watch.stale, report.ok), (None, true, false));
    assert_eq!(missed(&world), 1, "it is told once");
}

#[test]
fn whoever_takes_the_heartbeat_for_pages_away_silences_nothing() {
    let world = World::new();
    world.baseline();
    world.write("root/sync_state/private/watch", beat(90));
    for text in [None, Some(beat(0))] {
        if let Some(text) = text {
            world.write("root/sync_state/integrity/watch", text);
        }
        let report = cr0sync::security::run(&world.config).unwrap();
        assert_eq!((report.watch.running, report.watch.stale, report.ok), (false, true, false), "{report:?}");
        assert_eq!(missed(&world), 1);
        std::fs::remove_file(world.path("root/sync_state/integrity/watch")).unwrap();
    }
}
