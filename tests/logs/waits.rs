//! Copies whose last line has no end: nobody waits silently, nor for ever, and nothing is glued to it.
//!
//! Apart from `beside`, which is about writers that leave no room, and the file they get instead.

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, SystemTime};

use super::world::{Logs, MIRROR, append, read};

fn warnings(report: &serde_json::Value) -> String {
    report["logs"]["x"]["warnings"].to_string()
}

fn lag(report: &serde_json::Value, side: &str) -> u64 {
    report["logs"]["x"]["sides"][side]["lag_bytes"].as_u64().unwrap()
}

/// As if nobody had written to it for so long.
fn age(file: &File, seconds: u64) {
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[test]
fn a_line_without_an_end_in_a_mirror_gets_one() {
    let logs = Logs::new(&["bot", "other"]);
    logs.add("bot", 3);
    logs.add("other", 1);
    logs.merge();
    let mut stray = append(&logs.path(MIRROR));
    stray.write_all(b"by hand").unwrap();
    logs.note(MIRROR, b"by hand\n");
    logs.add("bot", 3);
    let report = logs.merge();
    let told = warnings(&report);
    assert!(told.contains(MIRROR) && told.contains("no end"), "{told}");
    assert!(lag(&report, MIRROR) > 0);
    age(&stray, 120);
    let report = logs.merge();
    assert_eq!((lag(&report, MIRROR), warnings(&report).as_str()), (0, "[]"));
    logs.add("bot", 3);
    logs.settle();
    assert_eq!(logs.written.borrow().judge(&logs.archive()), Default::default());
    assert_eq!(logs.written.borrow().judge(&read(&logs.path(MIRROR))), Default::default());
    logs.judge_sources("a stray line in the mirror");
}

#[test]
fn who_waits_for_a_line_is_told_of() {
    let logs = Logs::new(&["bot", "other"]);
    logs.merge();
    let mut writer = append(&logs.path("bot"));
    writer.write_all(b"half of ").unwrap();
    logs.add("other", 5);
    for (run, expected) in [(1, "[]"), (2, "waits"), (3, "x.log.merged from now on")] {
        let report = logs.merge();
        assert!(lag(&report, "bot") > 0, "run {run}");
        assert!(warnings(&report).contains(expected), "run {run}: {report:#}");
    }
}

#[test]
fn a_file_beside_ends_with_the_file_of_a_writer_who_appends() {
    let logs = Logs::new(&["bot", "other"]);
    logs.merge();
    let writer = File::create(logs.path("bot")).unwrap();
    logs.write(&writer, "bot", 2);
    logs.add("other", 2);
    logs.merge();
    drop(writer);
    logs.rename("bot", ".1");
    // Nobody is seen to append to it.
    logs.add("bot", 1);
    logs.add("other", 1);
    assert_eq!(warnings(&logs.merge()), "[]");
    let before = fs::read(logs.directory("bot").join("x.log.merged")).unwrap();
    let writer = logs.open("bot");
    logs.write(&writer, "bot", 1);
    logs.add("other", 1);
    let told = warnings(&logs.merge());
    assert!(told.contains("appends") && told.contains("x.log.merged stays"), "{told}");
    assert_eq!(fs::read(logs.directory("bot").join("x.log.merged")).unwrap(), before);
    drop(writer);
    logs.settle();
    logs.judge("a file beside for a while");
    // What lies beside is older than the end of its own file.
    let found = logs.written.borrow().judge(&logs.content("bot"));
    assert_eq!((found.lost, found.twice, found.torn), (0, 0, 0), "{found:?}");
}

#[test]
fn what_a_rotated_file_of_the_archive_ends_with_is_not_waited_for() {
    let logs = Logs::new(&["bot", "other"]);
    logs.add("bot", 2);
    logs.merge();
    // Somebody writes to the archive, dies within a line, and it is rotated.
    append(&logs.path("central")).write_all(b"whole\nhalf").unwrap();
    logs.note("central", b"whole\n");
    logs.note("central", b"half\n");
    logs.rename("central", ".1");
    logs.add("bot", 2);
    logs.add("other", 2);
    for _ in 0..4 {
        logs.merge();
        logs.add("other", 1);
    }
    logs.settle();
    let written = logs.written.borrow();
    for side in [MIRROR, "bot", "other"] {
        assert_eq!(written.judge(&read(&logs.path(side))), Default::default(), "{side}");
    }
}

/// What lies in a rotated file that somebody has removed cannot be waited for.
#[test]
fn a_part_of_the_archive_that_is_gone_is_told_of_once() {
    let logs = Logs::new(&["bot", "other"]);
    for side in ["bot", "other"] {
        logs.add(side, 1);
    }
    logs.merge();
    let away = logs.directory("away");
    fs::rename(logs.directory(MIRROR), &away).unwrap();
    logs.add("bot", 5);
    logs.merge();
    logs.rename("central", ".1");
    logs.add("bot", 5);
    logs.merge();
    fs::remove_file(logs.rotated_path("central", ".1")).unwrap();
    logs.add("bot", 5);
    logs.merge();
    fs::rename(&away, logs.directory(MIRROR)).unwrap();
    let told = warnings(&logs.merge());
    assert!(told.contains("gone with a rotated file"), "{told}");
    let report = logs.merge();
    assert_eq!((lag(&report, MIRROR), warnings(&report).as_str()), (0, "[]"));
    let archive = logs.archive();
    assert!(read(&logs.path(MIRROR)).ends_with(&archive), "it has what is there");
}
