//! What people are told where something is wrong, in full: what, where, and what to do next.
//!
//! Apart from `hostile` and `full`, which are about what is done then: here a message that lacks its place or its next step
//! fails.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use cr0sync::Config;
use cr0sync::logs::{self, Options};
use cr0sync::report::LogProblemKind;
use serde_json::json;

use super::hostile::{give, is_root, run_as_nobody};
use super::world::{Logs, MIRROR, NAME};
use crate::common::disk::Disk;

/// Everything that a run says of the log, with the directories by their sides' names.
fn said(logs: &Logs) -> String {
    let report = logs.run();
    let log = &report["logs"][NAME];
    let reason = log["reason"].as_str().into_iter();
    let words = reason.chain(log["warnings"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()));
    shown(logs, &words.collect::<Vec<_>>().join("\n"))
}

fn shown(logs: &Logs, words: &str) -> String {
    words.replace(&format!("{}/", logs.root().parent().unwrap().display()), "/")
}

fn begun() -> Logs {
    let logs = Logs::new(&["bot"]);
    logs.add("bot", 20);
    logs.settle();
    logs
}

fn make(program: &str, path: &Path) {
    assert!(Command::new(program).arg(path).status().unwrap().success());
}

#[test]
fn what_lies_in_the_place_of_a_copy_is_told_with_what_to_do() {
    type Put = fn(&Path, &Path);
    let table: [(&str, Put, &str); 4] = [
        (
            "a symlink",
            |path, away| symlink(away, path).unwrap(),
            "is a symlink, and none is followed: name what it leads to in the configuration, or put the file itself there",
        ),
        (
            "a hard link",
            |path, away| fs::hard_link(away, path).unwrap(),
            "has more names than one (hard links): remove the others (find -samefile names them), or replace it by a copy of its own",
        ),
        (
            "a directory",
            |path, _| fs::create_dir(path).unwrap(),
            "is a directory: move it away, or correct the path in the configuration",
        ),
        (
            "a FIFO",
            |path, _| make("mkfifo", path),
            "is no regular file: move it away, or correct the path in the configuration",
        ),
    ];
    for (thing, put, words) in table {
        for (side, before) in [("bot", "bot is passed over: "), ("central", "")] {
            let logs = begun();
            let (path, away) = (logs.path(side), logs.directory(side).join("away"));
            fs::rename(&path, &away).unwrap();
            put(&path, &away);
            assert_eq!(said(&logs), format!("{before}/{side}/x.log {words}"), "{thing}");
            let status = logs::status(&logs.config(), &Options::default()).unwrap();
            let problem = status.logs[NAME].sides[side].problem.clone().unwrap();
            assert_eq!(shown(&logs, &problem), format!("/{side}/x.log {words}"), "{thing}");
        }
    }
}

#[test]
fn two_paths_of_one_file_are_told_by_runs_and_status() {
    let logs = begun();
    fs::remove_dir_all(logs.directory(MIRROR)).unwrap();
    symlink(logs.directory("bot"), logs.directory(MIRROR)).unwrap();
    let words = "/website/x.log is the same file as /bot/x.log: take one of the two out of the configuration, or give it a file of its own";
    assert_eq!(said(&logs), format!("website is passed over: {words}"));
    let status = logs::status(&logs.config(), &Options::default()).unwrap();
    let problem = &status.logs[NAME].problems[0];
    assert_eq!((problem.kind, problem.side.as_deref()), (LogProblemKind::SameFile, Some(MIRROR)));
    assert_eq!(shown(&logs, &problem.message), words);
    assert!(!status.ok);
}

#[test]
fn a_full_or_read_only_disk_is_told_with_what_to_do() {
    for (side, words) in [
        (
            "central",
            "cannot append to /central/x.log: No space left on device (os error 28); free some space there; what was appended was taken back",
        ),
        (
            MIRROR,
            "website: cannot append to /website/x.log: No space left on device (os error 28); free some space there",
        ),
    ] {
        let logs = begun();
        let Some(disk) = Disk::mount(&logs.directory(side), 1 << 20) else { return };
        logs.settle();
        disk.fill(0);
        logs.add("bot", 500);
        assert_eq!(said(&logs), words);
    }
    let logs = begun();
    let Some(_disk) = Disk::mount(&logs.directory(MIRROR), 1 << 20) else { return };
    logs.settle();
    logs.add("bot", 5);
    let at = logs.directory(MIRROR);
    let done = Command::new("mount").args(["-o", "remount,ro"]).arg(&at).status().unwrap();
    assert!(done.success());
    let next = "Read-only file system (os error 30); its file system can only be read: see why (dmesg; after an error of the disk \
                the kernel does that), then as root mount it for writing (mount -o remount,rw)";
    assert_eq!(said(&logs), format!("website: /website/x.log cannot be opened: {next}"));
    let status = logs::status(&logs.config(), &Options::default()).unwrap();
    let problem = &status.logs[NAME].problems[0];
    assert_eq!((problem.kind, problem.side.as_deref()), (LogProblemKind::Unwritable, Some(MIRROR)));
    assert_eq!(shown(&logs, &problem.message), format!("cannot write to /website/x.log: {next}"));
}

#[test]
fn what_may_not_be_read_or_written_is_told_with_what_to_do() {
    if !is_root() {
        println!("skipped: only root can be somebody else");
        return;
    }
    for (side, mode, words) in [
        (
            "bot",
            0o600,
            "bot is passed over: /bot/x.log may not be opened by this user: it needs the right to read it (r), and to pass (x) each directory above",
        ),
        (
            MIRROR,
            0o600,
            "website is passed over: /website/x.log may not be opened by this user: it needs the right to read and write it (rw), and to pass (x) each directory above",
        ),
        (
            MIRROR,
            0o444,
            "website: /website/x.log may not be opened by this user: it needs the right to read and write it (rw), and to pass (x) each directory above",
        ),
        (
            "central",
            0o444,
            "/central/x.log may not be opened by this user: it needs the right to read and write it (rw), and to pass (x) each directory above",
        ),
    ] {
        let mut logs = Logs::new(&["bot"]);
        logs.json["ownership"] = json!({ "user": "cr0sync-test-nobody", "group": "cr0sync-test-nobody" });
        let above = logs.root().parent().unwrap().to_path_buf();
        fs::set_permissions(&above, fs::Permissions::from_mode(0o755)).unwrap();
        logs.add("bot", 20);
        give(&above);
        assert_eq!(run_as_nobody(&logs)["ok"], json!(true));
        logs.add("bot", 20);
        give(&above);
        chown(logs.path(side), Some(0), Some(0)).unwrap();
        fs::set_permissions(logs.path(side), fs::Permissions::from_mode(mode)).unwrap();
        let report = run_as_nobody(&logs);
        let log = &report["logs"][NAME];
        let warnings = log["warnings"].as_array().unwrap().iter();
        let told: Vec<&str> =
            log["reason"].as_str().into_iter().chain(warnings.filter_map(|one| one.as_str())).collect();
        assert_eq!(shown(&logs, &told.join("\n")), words, "{mode:o} at {side}");
    }
}

#[test]
fn a_configuration_that_cannot_be_used_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.json");
    let told = || {
        let error = Config::load(Some(&file), None).unwrap_err();
        let words = format!("{error}; {}", error.hint_text().unwrap_or("NO HINT"));
        words.replace(&file.display().to_string(), "FILE")
    };
    let missing = "cannot read the configuration FILE: No such file or directory (os error 2); put it there and let this user read it, or name another one";
    assert_eq!(told(), missing);
    fs::write(&file, "{\"version\": 1,\n").unwrap();
    let wrong = "cannot use the configuration FILE: EOF while parsing a value at line 2 column 0; it is no JSON there: correct that line (python3 -m json.tool FILE finds it as well)";
    assert_eq!(told(), wrong);
}

#[test]
fn a_log_that_nobody_has_written_is_told_unless_that_is_allowed() {
    let logs = Logs::new(&["bot"]);
    let words = "nobody has written it yet: /bot/x.log is not there. Correct \"copies\" in the configuration, or set \"missingok\" of \"rotate\" where that is as it should be";
    for _ in 0..4 {
        assert_eq!(said(&logs), words, "each run says so");
    }
    let status = logs::status(&logs.config(), &Options::default()).unwrap();
    let problem = &status.logs[NAME].problems[0];
    assert_eq!((problem.kind, problem.side.as_deref()), (LogProblemKind::Missing, None));
    assert_eq!(shown(&logs, &problem.message), words);
    assert!(status.ok, "it may come yet");
    let rotated = logs::rotate(&logs.config(), &Options::default()).unwrap();
    assert_eq!(rotated.logs[NAME].reason.as_deref().map(|why| shown(&logs, why)).as_deref(), Some(words));
    let silent = Logs::new(&["bot"]).rotated(json!({ "missingok": true }));
    assert_eq!(said(&silent), "");
    assert_eq!(logs::status(&silent.config(), &Options::default()).unwrap().logs[NAME].problems, []);
    logs.add("bot", 1);
    assert_eq!(said(&logs), "");
}

/// Also in the run that makes the directory of its archive.
#[test]
fn a_log_that_nobody_has_written_is_told_at_once() {
    let mut logs = Logs::new(&["bot"]);
    logs.json["logs"][NAME]["copies"]["central"] = json!(logs.directory("elsewhere").join("x.log"));
    for _ in 0..2 {
        let told = said(&logs);
        assert!(told.contains("nobody has written it yet: /bot/x.log is not there"), "{told}");
    }
}

/// A mirror of which there is nothing to be made is not said to be made.
#[test]
fn a_mirror_is_said_to_be_made_anew_when_it_is() {
    let logs = Logs::new(&["bot"]);
    logs.add("bot", 20);
    logs.settle();
    logs.rename("central", ".1");
    logs.settle();
    fs::remove_file(logs.path(MIRROR)).unwrap();
    for _ in 0..3 {
        assert_eq!(said(&logs), "");
    }
    logs.add("bot", 5);
    assert_eq!(said(&logs), "website: it was not there, and is made anew from the archive");
    for _ in 0..3 {
        assert_eq!(said(&logs), "");
    }
}

#[test]
fn a_program_that_fails_after_a_rotation_is_told_with_what_to_do() {
    let next = "the log is rotated all the same: see to that program, and run it once by hand";
    for (program, words) in [
        (json!(["/bin/false"]), format!("postrotate: /bin/false failed (exit status: 1); {next}")),
        (
            json!(["/nowhere/x"]),
            format!("postrotate: cannot run /nowhere/x: No such file or directory (os error 2); {next}"),
        ),
    ] {
        let logs = Logs::new(&["bot"]).rotated(json!({ "postrotate": program }));
        logs.add("bot", 20);
        let force = Options { force: true, ..Options::default() };
        let report = logs::rotate(&logs.config(), &force).unwrap();
        let log = &report.logs[NAME];
        assert!(log.file.is_some(), "{log:?}");
        assert_eq!(log.warnings.iter().filter(|told| told.starts_with("postrotate")).count(), 1, "{log:?}");
        assert!(log.warnings.contains(&words), "{log:?}");
    }
}

#[test]
fn a_ledger_that_was_changed_is_told_in_one_sentence() {
    let logs = begun();
    let ledger = logs.root().join("sync_state/logs/x.ledger");
    let text = fs::read_to_string(&ledger).unwrap();
    fs::write(&ledger, text.replacen("bot", "bat", 1)).unwrap();
    logs.add("bot", 5);
    let told = said(&logs);
    assert!(told.contains("x.ledger; put it back from a backup"), "{told}");
}

#[test]
fn a_run_that_is_told_to_stop_keeps_what_is_done() {
    let logs = Logs::new(&["bot"]).with_log("y").with_log("z");
    for name in ["x", "y", "z"] {
        fs::write(logs.file("bot", name), format!("of {name}\n")).unwrap();
    }
    for phase in [logs::Phase::Looking, logs::Phase::Writing] {
        let mut told = Vec::new();
        let mut tell = |at: &logs::Progress<'_>| {
            told.push(format!("{} {}/{} {}", at.log, at.number, at.logs, at.phase.name()));
            if at.log == "y" && at.phase == phase { logs::Continue::Stop } else { logs::Continue::Yes }
        };
        let error = logs::merge_watched(&logs.config(), &Options::default(), &mut tell).unwrap_err();
        assert_eq!(error.kind(), cr0sync::ErrorKind::Cancelled);
        let expected: &[&str] = match phase {
            logs::Phase::Looking => &["x 1/3 looking", "y 2/3 looking"],
            _ => &["x 1/3 looking", "y 2/3 looking", "z 3/3 looking", "x 1/3 writing", "y 2/3 writing"],
        };
        assert_eq!(told, expected);
        assert!(!logs.file(MIRROR, "y").exists(), "it was stopped before");
    }
    logs.settle();
    for name in ["x", "y", "z"] {
        for side in ["bot", "central", MIRROR] {
            assert_eq!(fs::read_to_string(logs.file(side, name)).unwrap(), format!("of {name}\n"));
        }
    }
}
