//! What `status` shows of findings: those of the last whole check, with what a watcher, a check of some files and whoever accepts
//! ended or added since; and what only a watcher told is told to cron once.

use cr0sync::integrity::{self, Accept, CheckOptions, Continue, WatchOptions};
use cr0sync::report::SecurityRunReport;
use serde_json::Value;

use super::world::World;

/// The open findings that `status` shows, as names of files.
fn open(world: &World) -> Vec<String> {
    let status = integrity::status(&world.config).unwrap();
    let last = status.last_check;
    let all = last["findings"].as_array().unwrap();
    assert_eq!(last["ok"], all.is_empty(), "{last}");
    let is_told = status.problems.iter().any(|one| one.problem.contains("in the last check"));
    assert_eq!(is_told, !all.is_empty(), "{:?}", status.problems);
    assert_eq!(last["exit_bits"] == 0, all.is_empty(), "{last}");
    let name = |one: &Value| one["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    all.iter().map(name).collect()
}

/// Watches until something was done and the watcher has looked at it.
fn watch(world: &World, act: impl Fn()) {
    let mut checks = 0;
    integrity::watch(&world.config, WatchOptions { seconds: Some(120), rescan_seconds: None }, &mut |news| {
        if news.report.is_none() {
            return Continue::Yes;
        }
        checks += 1;
        if checks == 1 {
            act();
            return Continue::Yes;
        }
        Continue::Stop
    })
    .unwrap();
    assert!(checks > 1);
}

/// What is new of what a watcher found and a run does not.
fn over(report: &SecurityRunReport) -> Vec<&String> {
    report.new_warnings.iter().filter(|warning| warning.contains("the watcher found")).collect()
}

/// Runs what is due, and that is everything.
fn run(world: &World) -> SecurityRunReport {
    let _ = std::fs::remove_file(world.path("root/sync_state/private/schedule"));
    let report = cr0sync::security::run(&world.config).unwrap();
    assert_eq!(report.jobs["check"].report["schema"], 1);
    report
}

#[test]
fn what_a_watcher_finds_is_open_at_once_and_told_by_the_next_run_once() {
    let world = World::new();
    world.baseline();
    assert_eq!(run(&world).new_findings, 0);
    assert!(open(&world).is_empty());
    watch(&world, || world.write("web/data/uploads/shell.php", "<?php"));
    assert_eq!(open(&world), ["shell.php"]);
    let report = run(&world);
    assert_eq!((report.new_findings, report.exit_code()), (1, 1), "cron mails it: {report:?}");
    let report = run(&world);
    assert_eq!((report.new_findings, report.exit_code()), (0, 0), "once: {report:?}");
    // Its event was written once.
    let log = std::fs::read_to_string(&world.config.events.log).unwrap();
    assert_eq!(log.matches("NEW_FILE_DETECTED").count(), 1, "{log}");
    watch(&world, || std::fs::remove_file(world.path("web/data/uploads/shell.php")).unwrap());
    assert!(open(&world).is_empty(), "what is gone is not open any more");
    assert!(over(&run(&world)).is_empty(), "which cron has told of before");
    // What comes and goes between two runs is told as well, and once.
    watch(&world, || world.write("web/data/uploads/gone.php", "<?php"));
    watch(&world, || std::fs::remove_file(world.path("web/data/uploads/gone.php")).unwrap());
    watch(&world, || world.write("web/data/uploads/other.php", "<?php"));
    assert_eq!(open(&world), ["other.php"]);
    let report = run(&world);
    assert_eq!((report.new_findings, over(&report).len()), (1, 1), "{report:?}");
    assert!(over(&report)[0].ends_with("/web/data/uploads/gone.php"), "{report:?}");
    assert!(over(&run(&world)).is_empty());
}

#[test]
fn what_a_check_of_some_files_finds_is_open_and_what_is_accepted_is_not() {
    let world = World::new();
    world.baseline();
    world.check();
    for name in ["web/core/a.php", "web/core/b.php", "web/auth.php"] {
        world.write(name, "other");
    }
    let check = |name: &str| {
        let options = CheckOptions { paths: vec![world.path(name)], ..CheckOptions::default() };
        world.check_with(&options)
    };
    check("web/core");
    assert_eq!(open(&world), ["a.php", "b.php"]);
    check("web/auth.php");
    assert_eq!(open(&world), ["a.php", "b.php", "auth.php"]);
    let accept = |name: &str, mode| integrity::accept(&world.config, &[world.path(name)], mode).unwrap();
    accept("web/core/a.php", Accept::DryRun);
    assert_eq!(open(&world).len(), 3);
    accept("web/core/a.php", Accept::Sign);
    assert_eq!(open(&world), ["b.php", "auth.php"]);
    world.check();
    assert_eq!(open(&world), ["auth.php", "b.php"]);
    world.baseline();
    assert!(open(&world).is_empty());
    assert!(world.check().ok && open(&world).is_empty());
}

#[test]
fn a_finding_about_the_baseline_is_open_until_it_is_put_right() {
    let world = World::new();
    world.baseline();
    world.check();
    let list = world.config.integrity.baseline.clone();
    std::fs::write(&list, "{}").unwrap();
    world.check();
    assert_eq!(open(&world), ["file_hashes.json"]);
    // As it is printed.
    let status = integrity::status(&world.config).unwrap();
    let first = status.problems[0].first.clone().unwrap();
    assert!(first.ends_with(&format!("accept {}", list.display())), "{first}");
    integrity::accept(&world.config, &[list], Accept::Sign).unwrap();
    assert!(open(&world).is_empty());
    let status = integrity::status(&world.config).unwrap();
    assert!(status.baseline.ok, "{status:?}");
    let clock = "nothing was done by the clock";
    assert!(status.problems.iter().all(|one| one.problem.starts_with(clock)), "{:?}", status.problems);
}
