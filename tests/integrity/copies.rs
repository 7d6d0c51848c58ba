//! The cron user's own copy of the baseline: whatever becomes of the one that everybody reads, comparing goes on, and what is
//! wrong is told and put right. Only where that copy is gone too is there nothing to compare with.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use cr0sync::integrity::{self, Accept, CheckOptions};
use cr0sync::report::FindingKind;
use cr0sync::{ErrorKind, report::IntegrityReport};
use serde_json::Value;

use super::baselines::PUBLIC;
use super::world::World;
use crate::common::disk::Disk;

const PRIVATE: &str = "root/sync_state/private/integrity.baseline";
const PUBLISHED: &str = "root/sync_state/integrity/baseline";
const HEAD: &str = "root/sync_state/private/integrity.head";

fn read(world: &World, name: &str) -> Vec<u8> {
    std::fs::read(world.path(name)).unwrap()
}

/// The events of one type, as how bad each is.
fn severities(world: &World, kind: &str) -> Vec<String> {
    let text = std::fs::read_to_string(&world.config.events.log).unwrap();
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|event| event["type"] == kind)
        .map(|event| event["severity"].as_str().unwrap().to_owned())
        .collect()
}

/// What is wrong with the baseline.
fn doubts(report: &IntegrityReport) -> Vec<String> {
    let all = report.findings.iter().filter(|finding| finding.kind == FindingKind::Baseline);
    all.map(|finding| finding.reason.clone().unwrap()).collect()
}

#[test]
fn whatever_becomes_of_the_baseline_for_everybody_comparing_goes_on() {
    for (name, harm, expected) in PUBLIC {
        let world = World::new();
        world.baseline();
        std::fs::copy(world.path(PUBLISHED), world.path("first")).unwrap();
        world.baseline();
        let good = read(&world, PUBLISHED);
        assert_eq!(read(&world, PRIVATE), good, "{name}");
        harm(&world);
        world.write("web/auth.php", "hacked");
        // Looking puts nothing right.
        let status = integrity::status(&world.config).unwrap();
        assert!(status.baseline.ok && !status.ok, "{name}: {status:?}");
        let problem = &status.problems[0];
        assert!(problem.problem.contains(expected), "{name}: {problem:?}");
        assert_eq!(
            (problem.first.as_deref(), problem.next),
            (Some("find out who did that"), "check"),
            "{name}"
        );
        let report = world.check();
        let [doubt] = &doubts(&report)[..] else { panic!("{name}: {report:?}") };
        assert!(doubt.contains(expected) && doubt.contains("was compared with"), "{name}: {doubt}");
        assert_eq!((report.findings.len(), report.exit_bits, report.generation), (2, 20, 2), "{name}");
        assert!(
            report.warnings.iter().any(|warning| warning.contains("was written again")),
            "{name}: {report:?}"
        );
        assert_eq!(read(&world, PUBLISHED), good, "{name}");
        // A second new file is told, and nothing was accepted.
        world.write("web/core/new.php", "x");
        let report = world.check();
        assert_eq!(
            world.lines(&report),
            "modified web/auth.php content,size,mtime,ctime\nadded web/core/new.php\n",
            "{name}"
        );
        assert_eq!((report.new_findings, report.generation), (1, 2), "{name}");
        // Whoever makes a baseline now is told what he accepts.
        harm(&world);
        let made = world.baseline();
        assert_eq!((made.compared_with, made.changed_count), (Some(2), 2), "{name}: {made:?}");
    }
}

#[test]
fn where_nothing_is_left_to_compare_with_the_signed_list_comes_first() {
    for (what, imports) in [("whole", true), ("changed", false)] {
        let world = World::new();
        world.baseline();
        let list = world.config.integrity.baseline.clone();
        std::fs::write(world.path(PUBLISHED), "forged").unwrap();
        std::fs::remove_file(world.path(PRIVATE)).unwrap();
        if what == "changed" {
            std::fs::write(&list, "{\"hashes\": []}").unwrap();
        }
        world.write("web/core/shell.php", "<?php");
        assert!(world.check().guarantee.starts_with("none"));
        let status = integrity::status(&world.config).unwrap();
        let first = status.problems[0].first.clone().unwrap();
        let command = format!("baseline --import {}", list.display());
        assert_eq!(
            (first.contains(&command), status.problems[0].next == "check"),
            (imports, imports),
            "{first}"
        );
        assert_eq!(first.contains("compare the files with a backup"), !imports, "{first}");
        let import = imports.then_some(list.as_path());
        let made = integrity::baseline(&world.config, import).unwrap();
        assert_eq!((made.compared_with, made.new_key, made.generation), (None, false, 2));
        assert_eq!(severities(&world, "baseline_created"), ["HIGH", "HIGH"], "{what}");
        let said = made.warnings.join("\n");
        assert_eq!(said.contains("everything is accepted as it is now"), !imports, "{said}");
        assert_eq!(said.contains("what the list says is accepted as it says"), imports, "{said}");
        let expected = if imports { "added web/core/shell.php\n" } else { "" };
        assert_eq!(world.lines(&world.check()), expected, "{what}");
        assert_eq!(read(&world, PRIVATE), read(&world, PUBLISHED));
    }
}

#[test]
fn whoever_dies_after_the_copy_is_followed_by_one_that_finishes() {
    let world = World::new();
    world.baseline();
    let list = world.config.integrity.baseline.clone();
    let outputs =
        [world.path(PUBLISHED), list.clone(), list.with_file_name("file_hashes.json.sig"), world.path(HEAD)];
    world.write("web/core/new.php", "x");
    let before: Vec<Vec<u8>> = outputs.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let accept = || integrity::accept(&world.config, &[world.path("web/core")], Accept::Sign).unwrap();
    assert_eq!(accept().generation, 2);
    let after: Vec<Vec<u8>> = outputs.iter().map(|path| std::fs::read(path).unwrap()).collect();
    // After each step of it: so many were written.
    for written in 0..outputs.len() {
        for (number, path) in outputs.iter().enumerate() {
            std::fs::write(path, if number < written { &after[number] } else { &before[number] }).unwrap();
        }
        let report = world.check();
        assert_eq!((report.generation, report.findings.as_slice()), (2, &[][..]), "{written}");
        assert!(report.warnings.iter().any(|warning| warning.contains("number 2, was ended")), "{report:?}");
        for (path, expected) in outputs.iter().zip(&after) {
            assert_eq!(&std::fs::read(path).unwrap(), expected, "{written} {}", path.display());
        }
    }
    // And nobody need check before the next one is made.
    for (path, text) in outputs.iter().zip(&before) {
        std::fs::write(path, text).unwrap();
    }
    world.write("web/core/b.php", "y");
    assert_eq!(accept().generation, 3);
    let report = world.check();
    assert!(report.ok && report.generation == 3 && report.warnings.is_empty(), "{report:?}");
}

#[test]
fn a_copy_is_made_where_there_is_none_and_a_bad_one_is_told() {
    let world = World::new();
    world.baseline();
    let good = read(&world, PRIVATE);
    std::fs::remove_file(world.path(PRIVATE)).unwrap();
    let report = world.check();
    assert!(report.ok && report.warnings.is_empty(), "one of before has none: {report:?}");
    assert_eq!(read(&world, PRIVATE), good);
    std::fs::write(world.path(PRIVATE), &good[..40]).unwrap();
    let report = world.check();
    assert!(doubts(&report)[0].contains("truncated or damaged"), "{report:?}");
    assert!(world.check().ok);
    assert_eq!(read(&world, PRIVATE), good);
}

#[test]
fn what_is_written_of_a_baseline_is_written_again_by_its_name() {
    let world = World::new();
    world.baseline();
    world.write("web/core/new.php", "x");
    let list = world.config.integrity.baseline.clone();
    let signature = list.with_file_name("file_hashes.json.sig");
    let paths = [list, signature, world.path("root/sync_state/integrity/public_key"), world.path(PUBLISHED)];
    for path in paths {
        let good = std::fs::read(&path).unwrap();
        std::fs::write(&path, "x").unwrap();
        let done = integrity::accept(&world.config, &[path.clone()], Accept::Sign).unwrap();
        assert_eq!((done.accepted.len(), done.ok), (0, true), "{done:?}");
        let is_key = path.ends_with("public_key");
        assert!(std::fs::read(&path).unwrap() == good || !is_key, "{}", path.display());
        assert_eq!(world.lines(&world.check()), "added web/core/new.php\n", "{}", path.display());
    }
}

#[test]
fn a_directory_in_the_way_is_told_with_what_to_do_and_stops_nothing() {
    let list = "root/shared_storage/file_hashes.json";
    for name in [PUBLISHED, "root/sync_state/integrity/public_key", list] {
        let world = World::new();
        world.baseline();
        let path = world.path(name);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        world.write("web/core/new.php", "x");
        let first = integrity::status(&world.config).unwrap().problems[0].first.clone().unwrap();
        assert!(first.contains(&format!("move {} away", path.display())), "{name}: {first}");
        for _ in 0..2 {
            let report = world.check();
            assert_eq!((report.findings.len(), report.exit_bits), (2, 17), "{name}: {report:?}");
        }
        let made = world.baseline();
        let said = made.warnings.join("\n");
        assert!(!made.ok && said.contains("a directory lies there: move it away"), "{name}: {said}");
        assert_eq!((made.generation, made.changed_count), (2, 1), "{name}");
        std::fs::remove_dir(&path).unwrap();
        // As they say.
        let report = world.check();
        assert_eq!((report.findings.len(), report.generation), (1, 2), "{name}: {report:?}");
        if name == list {
            integrity::accept(&world.config, &[path], Accept::Sign).unwrap();
        }
        let report = world.check();
        assert!(report.ok, "{name}: {report:?}");
    }
}

#[test]
fn what_cannot_be_remembered_hides_nothing_that_was_found() {
    let world = World::new();
    let state = world.path("root/sync_state");
    std::fs::create_dir(&state).unwrap();
    let Some(disk) = Disk::mount(&state, 1 << 20) else { return };
    world.baseline();
    assert!(world.check().ok);
    disk.fill(0);
    world.write("web/core/new.php", "x");
    for _ in 0..2 {
        let report = world.check();
        assert_eq!(world.lines(&report), "added web/core/new.php\n");
        let said = report.warnings.join("\n");
        assert!(said.contains("cannot be remembered") && said.contains("free some space"), "{said}");
        assert_eq!((report.exit_code(), report.new_findings), (1, 1), "{report:?}");
    }
    let run = cr0sync::security::run(&world.config).unwrap();
    assert_eq!(run.jobs["check"].report["findings"].as_array().unwrap().len(), 1, "{run:?}");
    assert_ne!(run.exit_code(), 0);
    // What was accepted counts only where it could be written.
    let error = integrity::accept(&world.config, &[world.path("web/core")], Accept::Sign).unwrap_err();
    assert_eq!(error.hint_text(), Some("free some space there"), "{error}");
    // Nothing else tells that it was not remembered.
    std::fs::remove_file(world.path("web/core/new.php")).unwrap();
    let status = integrity::status(&world.config).unwrap();
    assert_eq!(status.baseline.generation, 1, "{status:?}");
    disk.make_room();
    let report = world.check();
    assert!(report.ok, "{report:?}");
}

#[test]
fn what_a_list_cannot_name_stays_as_it_was_accepted() {
    let world = World::new();
    let odd = |name: &[u8]| -> PathBuf { world.path("web/core").join(OsStr::from_bytes(name)) };
    std::fs::write(odd(b"a\xff.php"), "<?php").unwrap();
    std::fs::write(odd(b"b\xff.php"), "<?php").unwrap();
    world.baseline();
    std::fs::write(odd(b"a\xff.php"), "<?php evil()").unwrap();
    std::fs::remove_file(odd(b"b\xff.php")).unwrap();
    std::fs::write(odd(b"c\xff.php"), "<?php").unwrap();
    let list = world.config.integrity.baseline.clone();
    let made = integrity::baseline(&world.config, Some(&list)).unwrap();
    let said = made.warnings.join("\n");
    assert!(said.contains("2 stay as the baseline before says, and 1 that it does not know"), "{said}");
    let expected = "modified web/core/a\\xff.php content,size,mtime,ctime\nremoved web/core/b\\xff.php\n\
                    added web/core/c\\xff.php\n";
    assert_eq!(world.lines(&world.check()), expected);
}

#[test]
fn an_empty_path_names_nothing() {
    let world = World::new();
    world.baseline();
    let empty = vec![PathBuf::new()];
    let options = CheckOptions { paths: empty.clone(), ..CheckOptions::default() };
    let error = integrity::check(&world.config, &options).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Usage, "an empty path names nothing"));
    let error = integrity::accept(&world.config, &empty, Accept::Sign).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}
