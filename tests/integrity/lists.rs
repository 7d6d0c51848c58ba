//! What a list of what to watch says, and paths that people name: nothing is believed watched, checked or accepted that is not.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cr0sync::integrity::{self, Accept, CheckOptions};
use cr0sync::{Config, Error, ErrorKind};
use serde_json::{Value, json};

use super::world::World;

fn check_of(world: &World, paths: &[PathBuf]) -> Result<cr0sync::report::IntegrityReport, Error> {
    integrity::check(&world.config, &CheckOptions { paths: paths.to_vec(), ..CheckOptions::default() })
}

/// The events whose text has this, and how bad they are.
fn recorded(world: &World, what: &str) -> Vec<String> {
    let text = std::fs::read_to_string(&world.config.events.log).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| line["details"].to_string().contains(what))
        .map(|line| line["severity"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_a_list_says_and_means_nothing_is_told() {
    let world = World::new();
    let web = world.web();
    let nope = world.path("nope");
    let all = |more: Value| {
        let mut list = json!({ "monitored_files": [], "monitored_directories": [web] });
        list.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        list
    };
    let none = "";
    for (list, expected, is_complete) in [
        (all(json!({})), none, true),
        (all(json!({ "check_interval_minutes": 60, "alert_on_new_files": 1 })), none, true),
        (all(json!({ "ignore_pattern": ["*.x"] })), "did you mean \"ignore_patterns\"?", true),
        (all(json!({ "note": "x" })), "known are: monitored_files", true),
        (json!({ "monitored_directories": [web] }), "monitored_files is not in", false),
        (all(json!({ "monitored_files": [nope] })), "nope is to be watched and is not there", false),
    ] {
        world.watch(&list);
        let made = world.baseline();
        let report = world.check();
        let status = integrity::status(&world.config).unwrap();
        for warnings in [&made.warnings, &report.warnings] {
            let is_told = warnings.iter().any(|warning| warning.contains(expected));
            assert!(is_told || expected == none, "{list}: {warnings:?}");
            let others = warnings.iter().filter(|warning| !warning.contains("this machine has no"));
            assert!(expected != none || others.count() == 0, "{list}: {warnings:?}");
        }
        assert_eq!(report.complete, is_complete, "{list}");
        assert!(expected == none || !status.ok, "{list}");
    }
    // What was there when it was accepted is a finding instead.
    std::fs::write(&nope, "x").unwrap();
    world.baseline();
    std::fs::remove_file(&nope).unwrap();
    let report = world.check();
    assert_eq!((world.lines(&report).as_str(), report.complete), ("removed nope\n", true));
}

#[test]
fn a_list_that_watches_nothing_is_an_event_once_and_an_error_each_time() {
    let world = World::new();
    for (list, expected) in [
        ("{", "EOF"),
        ("[]", "no object"),
        (r#"{"monitored_files": [], "monitored_directories": []}"#, "both lists are empty"),
        (r#"{"monitored_files": "/x"}"#, "monitored_files is no list"),
        (r#"{"alert_on_new_files": "no"}"#, "neither true nor false"),
    ] {
        world.watch(&json!({ "monitored_files": [], "monitored_directories": [world.web()] }));
        world.baseline();
        assert!(world.check().ok);
        let before = recorded(&world, "integrity_config.json").len();
        std::fs::write(&world.config.integrity.config, list).unwrap();
        for _ in 0..2 {
            let error = check_of(&world, &[]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{list}");
            let said = format!("{error} {}", error.hint_text().unwrap_or_default());
            assert!(said.contains(expected) && said.contains("remove"), "{said}");
            assert_eq!(recorded(&world, "integrity_config.json")[before..], ["CRITICAL"], "{list}");
        }
        let alerts: Vec<Value> =
            serde_json::from_slice(&std::fs::read(&world.config.integrity.alerts).unwrap()).unwrap();
        let last = alerts.last().unwrap();
        assert_eq!((&last["severity"], &last["status"]), (&json!("CRITICAL"), &json!("open")));
        assert!(last["file"].as_str().unwrap().ends_with("integrity_config.json"));
    }
}

#[test]
fn a_list_that_a_page_is_just_writing_is_waited_for() {
    let world = World::new();
    world.baseline();
    let path = world.config.integrity.config.clone();
    let text = std::fs::read(&path).unwrap();
    std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(30));
            std::fs::write(&path, &text).unwrap();
        });
        assert!(world.check().ok);
    });
    let events = std::fs::read_to_string(&world.config.events.log).unwrap();
    assert!(!events.contains("configuration"), "{events}");
}

#[test]
fn nothing_is_made_where_there_is_nothing_to_watch() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    let config = json!({ "version": 1, "root": root, "databases": {}, "logs": {} }).to_string();
    let config = Config::parse(config.as_bytes(), directory.path(), None).unwrap();
    if Path::new("/var/www/html/index.html").exists() {
        println!("skipped: this machine has what the shipped list names");
        return;
    }
    let error = integrity::baseline(&config, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let hint = error.hint_text().unwrap();
    let (_, example) = hint.split_once("as {").unwrap();
    let example = serde_json::from_str::<Value>(&format!("{{{example}")).unwrap();
    assert!(example["monitored_directories"].is_array(), "{hint}");
    assert!(hint.contains("integrity_config.json") && !root.exists(), "{hint}");
}

#[test]
fn a_path_that_is_nowhere_is_no_success() {
    let world = World::new();
    world.baseline();
    let fails = |path: PathBuf, expected: &str| {
        for outcome in [
            check_of(&world, std::slice::from_ref(&path)).map(drop),
            integrity::accept(&world.config, std::slice::from_ref(&path), Accept::Sign).map(drop),
        ] {
            let error = outcome.expect_err(&path.display().to_string());
            assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
            let said = format!("{error} {}", error.hint_text().unwrap_or_default());
            assert!(said.contains(expected) && said.contains(path.to_str().unwrap()), "{said}");
        }
    };
    let web = world.web().display().to_string();
    fails(world.path("web/atuh.php"), &format!("did you mean {web}/auth.php?"));
    fails(world.path("web/cor/x"), "no such file");
    fails("index.html".into(), &format!("begins at {}", world.config.root.display()));
    fails(world.path("web/x.log"), "left out of what is watched");
    // What is gone, and was accepted, is somewhere.
    std::fs::remove_file(world.path("web/auth.php")).unwrap();
    assert_eq!(check_of(&world, &[world.path("web/auth.php")]).unwrap().findings.len(), 1);
    assert_eq!(check_of(&world, &[world.path("")]).unwrap().findings.len(), 1, "above what is watched");
    let accepted = integrity::accept(&world.config, &[world.path("web/auth.php")], Accept::Sign).unwrap();
    assert_eq!(accepted.accepted.len(), 1);
}

#[test]
fn what_was_printed_can_be_named_as_it_was() {
    let world = World::new();
    world.baseline();
    let name = |bytes: &[u8]| world.web().join(std::ffi::OsStr::from_bytes(bytes));
    for bytes in [&b"new\nline.php"[..], b"\xff.php", "a\u{202e}gpj.php".as_bytes()] {
        std::fs::write(name(bytes), "x").unwrap();
        let report = world.check();
        let [finding] = report.findings.as_slice() else { panic!("{report:?}") };
        assert_eq!(check_of(&world, &[PathBuf::from(&finding.path)]).unwrap().findings.len(), 1);
        let done = integrity::accept(&world.config, &[PathBuf::from(&finding.path)], Accept::Sign).unwrap();
        assert_eq!((done.accepted.len(), world.check().ok), (1, true), "{finding:?}");
    }
    // Another file, whose name is what is shown of the first one: nobody can know which of them is meant.
    std::fs::write(name(b"two\n"), "x").unwrap();
    std::fs::write(name(b"two\\x0a"), "x").unwrap();
    let error = integrity::accept(&world.config, &[name(b"two\\x0a")], Accept::Sign).unwrap_err();
    assert!(error.to_string().contains("two files are shown like this"), "{error}");
    let done = integrity::accept(&world.config, &[name(b"two\n")], Accept::Sign).unwrap();
    assert_eq!(done.accepted.len(), 1);
    assert_eq!(world.check().findings.len(), 1);
}

#[test]
fn what_a_server_might_run_is_watched_whatever_its_name_ends_with() {
    let world = World::new();
    world.baseline();
    for name in ["a.php.tmp", "b.PHP5.cache", "c.phtml.lock", "d.tmp", "e.cache", "f.lock"] {
        world.write(&format!("web/core/{name}"), "x");
    }
    let report = world.check();
    let expected = "added web/core/a.php.tmp\nadded web/core/b.PHP5.cache\nadded web/core/c.phtml.lock\n";
    assert_eq!(world.lines(&report), expected);
    let always = report.excluded.iter().filter(|one| one.reason.contains("always ignored"));
    assert_eq!(
        always.map(|one| one.path.as_str()).collect::<Vec<_>>(),
        ["*.cache", "*.lock", "*.log", "*.tmp"]
    );
}

#[test]
fn accepting_closes_the_alerts_about_it_and_no_others() {
    let world = World::new();
    world.baseline();
    world.write("web/core/a.php", "new");
    world.write("web/core/n\n.php", "new");
    world.write("web/auth.php", "hacked");
    world.check();
    let states = || {
        let bytes = std::fs::read(&world.config.integrity.alerts).unwrap();
        let alerts: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
        let short = |alert: &Value| {
            let file = alert["file"].as_str().unwrap();
            format!("{} {}", file.rsplit('/').next().unwrap(), alert["status"].as_str().unwrap())
        };
        alerts.iter().map(short).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(states(), "auth.php open, a.php open, n\\x0a.php open");
    let core = [world.path("web/core")];
    let shown = integrity::accept(&world.config, &core, Accept::DryRun).unwrap();
    assert_eq!((shown.resolved_alerts, states().matches("open").count()), (0, 3));
    let done = integrity::accept(&world.config, &core, Accept::Sign).unwrap();
    assert_eq!(done.resolved_alerts, 2);
    assert_eq!(states(), "auth.php open, a.php resolved, n\\x0a.php resolved");
    // The same again is told again, though no check was made in between.
    world.write("web/core/a.php", "<?php // a");
    integrity::accept(&world.config, &core, Accept::Sign).unwrap();
    world.write("web/core/a.php", "new");
    assert_eq!(world.check().new_findings, 1);
    assert_eq!(world.baseline().resolved_alerts, 2, "a new baseline accepts everything");
    assert!(!states().contains("open"));
}
