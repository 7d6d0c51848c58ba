//! Rotated files of the archive that somebody else removes or replaces while a copy has not got all of them: where the others
//! lie in the archive cannot be told by their lengths any more, and nobody gets the wrong lines.
//!
//! Apart from `lost_archive`, where what was merged is gone at its end as well.

use std::fs;
use std::path::{Path, PathBuf};

use cr0sync::logs::{self, Options};
use cr0sync::report::RotateState;
use serde_json::{Value, json};

use super::verdict::Verdict;
use super::world::{Logs, MIRROR, NAME, pack, read};

/// Three rotated files; the bot has got nothing of the second one that others wrote, and could get it now.
fn lagging(rotate: Value) -> (Logs, Vec<PathBuf>) {
    let logs = Logs::new(&["bot", "other"]).rotated(rotate);
    let turn = || rotate_now(&logs);
    logs.add("bot", 20);
    logs.add("other", 30);
    logs.settle();
    turn();
    logs.add("bot", 10);
    logs.add("other", 10);
    let line = logs.line("bot");
    let (half, rest) = line.split_at(20);
    std::io::Write::write_all(&mut logs.open("bot"), half.as_bytes()).unwrap();
    turn();
    logs.add("other", 10);
    turn();
    logs.add("other", 5);
    std::io::Write::write_all(&mut logs.open("bot"), rest.as_bytes()).unwrap();
    let mut files: Vec<PathBuf> = fs::read_dir(logs.directory("central"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| *path != logs.path("central"))
        .collect();
    files.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    assert_eq!(files.len(), 3);
    (logs, files)
}

/// Other lines, as many bytes as there were, or some more.
fn replace(path: &Path, more: usize) {
    let at = fs::metadata(path).unwrap().modified().unwrap();
    let length = read(path).len();
    let text: String = (0..length + more).map(|n| if n % 50 == 49 { '\n' } else { 'x' }).collect();
    let plain = path.with_extension("");
    let is_packed = path.extension().is_some_and(|end| end == "gz");
    fs::write(if is_packed { &plain } else { path }, text).unwrap();
    if is_packed {
        fs::remove_file(path).unwrap();
        pack(&plain);
    }
    fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

/// What is done to a file.
type Change = (&'static str, fn(&Path));

#[test]
fn nobody_gets_lines_of_another_place() {
    let changes: [Change; 3] = [
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("replaced", |path| replace(path, 0)),
        ("replaced by a longer one", |path| replace(path, 70)),
    ];
    for rotate in [json!({}), json!({"compress": false})] {
        for (change, make) in changes {
            let told = format!("{change}, {rotate}");
            let (logs, files) = lagging(rotate.clone());
            // The end that is on record lies in the third.
            let file = &files[1];
            let away = logs.root().join("away");
            fs::copy(file, &away).unwrap();
            let at = fs::metadata(file).unwrap().modified().unwrap();
            make(file);
            let before = fs::read(logs.path("bot")).unwrap();
            for _ in 0..2 {
                let report = logs.run();
                let warnings = report["logs"][NAME]["warnings"].to_string();
                assert!(warnings.contains("bot is passed over"), "{told}: {report:#}");
            }
            assert!(fs::read(logs.path("bot")).unwrap() == before, "{told}: wrong lines");
            let report = logs::verify(&logs.config(), &Options::default()).unwrap();
            assert!(report.logs[NAME].first_bad.is_some(), "{told}: {report:#?}");
            fs::copy(&away, file).unwrap();
            fs::File::options().write(true).open(file).unwrap().set_modified(at).unwrap();
            logs.settle();
            logs.judge(&told);
            logs.judge_sources(&told);
        }
    }
}

/// A way in which a file is there and cannot be read, and what is said of it.
type Veil = (&'static str, fn(&Path), &'static str);

/// What hides a rotated file of the archive; it lies at `away` meanwhile.
const VEILS: [Veil; 4] = [
    ("linked", |path| fs::hard_link(away(path), path).unwrap(), "hard links"),
    ("a symlink", |path| std::os::unix::fs::symlink(away(path), path).unwrap(), "is a symlink"),
    ("a directory", |path| fs::create_dir(path).unwrap(), "is a directory"),
    ("broken", |path| fs::write(path.with_extension("1.gz"), "no gzip").unwrap(), ""),
];

fn away(path: &Path) -> PathBuf {
    path.parent().unwrap().join("away")
}

/// The oldest rotated file of the archive cannot be read while `look` looks.
fn veiled(logs: &Logs, path: &Path, veil: &Veil, look: impl FnOnce()) {
    fs::rename(path, away(path)).unwrap();
    (veil.1)(path);
    let there =
        if path.symlink_metadata().is_ok() { path.to_path_buf() } else { path.with_extension("1.gz") };
    look();
    let is_directory = there.symlink_metadata().unwrap().is_dir();
    if is_directory {
        fs::remove_dir(&there).unwrap()
    } else {
        fs::remove_file(&there).unwrap()
    }
    fs::rename(away(path), path).unwrap();
    logs.settle();
}

#[test]
fn what_was_known_and_lost_is_not_aligned_without_a_rotated_file_that_is_hidden() {
    for veil in &VEILS {
        let logs = Logs::new(&["bot"]);
        logs.add("bot", 20);
        logs.settle();
        logs.rename("central", ".1");
        logs.add("bot", 5);
        logs.settle();
        logs.lose_state();
        veiled(&logs, &logs.rotated_path("central", ".1"), veil, || {
            for _ in 0..2 {
                let report = logs.run();
                let log = &report["logs"][NAME];
                assert_eq!(log["state"], "failed", "{}: {report:#}", veil.0);
                let why = log["reason"].as_str().unwrap();
                assert!(why.contains("x.log.1") && why.contains(veil.2), "{}: {why}", veil.0);
            }
        });
        logs.judge(veil.0);
    }
}

#[test]
fn what_lies_between_two_rotated_files_is_waited_for() {
    for veil in &VEILS {
        let logs = Logs::new(&["bot"]);
        logs.add("bot", 20);
        logs.settle();
        logs.rename("central", ".2");
        logs.add("central", 10);
        logs.rename("central", ".1");
        logs.add("central", 10);
        logs.add("bot", 5);
        veiled(&logs, &logs.rotated_path("central", ".1"), veil, || {
            let report = logs.run();
            let log = &report["logs"][NAME];
            assert_eq!(log["state"], "failed", "{}: {report:#}", veil.0);
            assert!(log["reason"].to_string().contains("x.log.1"), "{}: {report:#}", veil.0);
        });
        logs.judge(veil.0);
        logs.judge_sources(veil.0);
    }
}

#[test]
fn a_copy_that_comes_waits_for_a_rotated_file_that_is_hidden() {
    for veil in &VEILS {
        let mut logs = Logs::new(&["bot", "late"]);
        let late = logs.json["logs"][NAME]["copies"].as_object_mut().unwrap().remove("late").unwrap();
        logs.add("bot", 20);
        logs.settle();
        logs.rename("central", ".1");
        logs.add("bot", 20);
        logs.settle();
        fs::write(logs.path("late"), read(&logs.path("bot"))).unwrap();
        logs.json["logs"][NAME]["copies"]["late"] = late;
        logs.add("bot", 1);
        veiled(&logs, &logs.rotated_path("central", ".1"), veil, || {
            let report = logs.merge();
            let told = report["logs"][NAME]["warnings"].to_string();
            assert!(told.contains("late is passed over") && told.contains("x.log.1"), "{}: {told}", veil.0);
        });
        logs.judge(veil.0);
        logs.judge_sources(veil.0);
    }
}

/// All that lies in these directories below that of a side, and in its live file, by when it was written.
fn spread(logs: &Logs, side: &str, below: &[&str]) -> Vec<u8> {
    let mut files: Vec<PathBuf> = Vec::new();
    for directory in below.iter().map(|name| logs.directory(side).join(name)) {
        let entries = fs::read_dir(directory).into_iter().flatten();
        files.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
    }
    files.retain(|path| *path != logs.path(side));
    files.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    files.push(logs.path(side));
    files.iter().flat_map(|path| read(path)).collect()
}

fn judge_spread(logs: &Logs, side: &str, told: &str) {
    let written = logs.written.borrow();
    let archive = spread(logs, "central", &["", "old", "new"]);
    assert_eq!(written.judge(&archive), Verdict::default(), "{told}: the archive");
    assert_eq!(written.judge(&logs.content(MIRROR)), Verdict::default(), "{told}: the mirror");
    assert_eq!(written.judge(&spread(logs, side, &["", "old", "new"])), Verdict::default(), "{told}: {side}");
    let report = logs::verify(&logs.config(), &Options::default()).unwrap();
    assert_eq!(report.exit_code(), 0, "{told}: {report:#?}");
    let status = logs::status(&logs.config(), &Options::default()).unwrap();
    assert!(status.ok, "{told}: {status:#?}");
}

/// What is written from here on has a later time than what was.
pub(crate) fn tick(logs: &Logs) {
    let probe = logs.root().join("probe");
    let at = || {
        fs::write(&probe, "").unwrap();
        fs::metadata(&probe).unwrap().modified().unwrap()
    };
    let before = at();
    while at() == before {}
}

/// Rotates. What a process that another test starts has open for a moment, before it begins, waits for the next run.
pub(crate) fn rotate_now(logs: &Logs) {
    for _ in 0..1000 {
        let force = Options { force: true, ..Options::default() };
        let report = logs::rotate(&logs.config(), &force).unwrap();
        match report.logs[NAME].state {
            RotateState::Skipped => {}
            RotateState::Rotated => return,
            RotateState::Unchanged | RotateState::Failed => panic!("{report:#?}"),
        }
    }
    panic!("never rotated");
}

/// Where rotated files go is changed before anybody looks at what was rotated last.
#[test]
fn what_was_rotated_to_another_directory_before_is_still_part_of_the_archive() {
    let ways: [(&str, Value); 3] = [
        ("renamed", json!({})),
        ("by number", json!({ "dateext": false, "compress": false })),
        ("below its writer", json!({ "copytruncate": true })),
    ];
    for (way, rotate) in ways {
        for (first, then) in [("old", Some("new")), ("old", None), ("", Some("new"))] {
            let told = format!("{way}, {first:?} and then {then:?}");
            let to = |directory: Option<&str>| {
                let mut rotate = rotate.clone();
                if let Some(directory) = directory.filter(|directory| !directory.is_empty()) {
                    rotate["olddir"] = json!(directory);
                }
                rotate
            };
            let mut logs = Logs::new(&["bot", "other"]).rotated(to(Some(first)));
            let writer = (way == "below its writer").then(|| logs.open("central"));
            let turn = |logs: &Logs| {
                logs.add("bot", 20);
                rotate_now(logs);
                tick(logs);
            };
            turn(&logs);
            turn(&logs);
            logs = logs.rotated(to(then));
            logs.add("bot", 5);
            logs.settle();
            turn(&logs);
            logs.add("bot", 5);
            logs.settle();
            judge_spread(&logs, "bot", &told);
            drop(writer);
        }
    }
}

#[test]
fn what_a_source_rotated_to_another_directory_before_is_still_taken() {
    let mut logs = Logs::new(&["bot"]);
    let old = logs.directory("bot").join("old");
    for name in ["old", "new"] {
        fs::create_dir(logs.directory("bot").join(name)).unwrap();
    }
    logs.json["logs"][NAME]["olddirs"] = json!({ "bot": "old" });
    logs.add("bot", 20);
    logs.settle();
    logs.add("bot", 10);
    fs::rename(logs.path("bot"), old.join("x.log.1")).unwrap();
    logs.add("bot", 10);
    logs.json["logs"][NAME]["olddirs"] = json!({ "bot": "new" });
    logs.settle();
    judge_spread(&logs, "bot", "changed");
    // It is not looked for where none lies any more.
    fs::remove_file(old.join("x.log.1")).unwrap();
    logs.add("bot", 1);
    logs.settle();
    fs::remove_dir(old).unwrap();
    logs.add("bot", 1);
    logs.settle();
}

/// A missing one may have what is looked for, and nothing is taken for gone.
#[test]
fn a_directory_of_before_that_is_missing_is_waited_for() {
    let mut logs = Logs::new(&["bot"]).rotated(json!({ "olddir": "old" }));
    logs.add("bot", 20);
    rotate_now(&logs);
    let (old, kept) = (logs.directory("central").join("old"), logs.directory("kept"));
    fs::rename(&old, &kept).unwrap();
    for then in ["old", "new"] {
        logs = logs.rotated(json!({ "olddir": then }));
        logs.add("bot", 5);
        let report = logs.run();
        let why = report["logs"][NAME]["reason"].to_string();
        assert!(why.contains(old.to_str().unwrap()), "{then}: {report:#}");
    }
    fs::rename(&kept, &old).unwrap();
    logs.settle();
    judge_spread(&logs, "bot", "there again");
}

/// Whoever moves to another directory copies what lay in the first, with the time at which it was written.
#[test]
fn a_rotated_file_that_was_copied_elsewhere_counts_once() {
    let mut logs = Logs::new(&["bot"]).rotated(json!({ "olddir": "old" }));
    logs.add("bot", 20);
    rotate_now(&logs);
    let at = |name: &str| logs.directory("central").join(name);
    fs::create_dir(at("new")).unwrap();
    for entry in fs::read_dir(at("old")).unwrap() {
        let path = entry.unwrap().path();
        let copy = at("new").join(path.file_name().unwrap());
        fs::copy(&path, &copy).unwrap();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        fs::File::options().write(true).open(copy).unwrap().set_modified(written).unwrap();
    }
    logs = logs.rotated(json!({ "olddir": "new" }));
    logs.add("bot", 5);
    logs.settle();
    let is_proven = || logs::verify(&logs.config(), &Options::default()).unwrap().exit_code() == 0;
    assert_eq!(logs.written.borrow().judge(&logs.content(MIRROR)), Verdict::default(), "the mirror");
    assert!(is_proven(), "with both");
    fs::remove_dir_all(logs.directory("central").join("old")).unwrap();
    logs.add("bot", 5);
    logs.settle();
    assert!(is_proven(), "with one");
    assert_eq!(logs.written.borrow().judge(&spread(&logs, "central", &["new"])), Verdict::default());
}

/// What is removed is what was merged; where it is not, it stays.
#[test]
fn a_rotated_file_that_was_changed_is_not_removed() {
    for number in 0..2 {
        let logs = Logs::new(&["bot"]).rotated(json!({ "maxage": 1, "rotate": 0 }));
        for _ in 0..3 {
            logs.add("bot", 20);
            rotate_now(&logs);
            tick(&logs);
        }
        logs.settle();
        let mut files: Vec<PathBuf> =
            logs.names("central").iter().map(|name| logs.directory("central").join(name)).collect();
        files.retain(|path| *path != logs.path("central"));
        files.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
        let begin = std::time::SystemTime::now() - std::time::Duration::from_secs(40 * 86_400);
        for (path, hour) in files.iter().zip(0..) {
            let at = begin + std::time::Duration::from_secs(3600 * hour);
            fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
        }
        logs.settle();
        let changed = &files[number];
        let away = logs.root().join("away");
        fs::copy(changed, &away).unwrap();
        replace(changed, 0);
        let clean = || logs::clean(&logs.config(), &Options::default()).unwrap().logs[NAME].clone();
        let report = clean();
        let kept: Vec<bool> = report.files.iter().map(|file| file.keep).collect();
        assert_eq!(kept, (0..3).map(|n| n >= number).collect::<Vec<_>>(), "{number}: {report:#?}");
        assert!(report.warnings.concat().contains(changed.to_str().unwrap()), "{number}: {report:#?}");
        assert!(files.iter().skip(number).all(|path| path.exists()), "{number}");
        fs::copy(&away, changed).unwrap();
        fs::File::options().write(true).open(changed).unwrap().set_modified(begin).unwrap();
        let report = clean();
        assert!(report.files.iter().all(|file| !file.keep), "{number}: {report:#?}");
        assert_eq!(logs.names("central"), ["x.log"], "{number}");
    }
}

/// The ledger tells that there was an archive, and a part of that may lie where nobody can look.
#[test]
fn where_the_state_is_lost_a_directory_that_is_missing_is_waited_for() {
    let logs = Logs::new(&["bot"]).rotated(json!({ "olddir": "old" }));
    logs.add("bot", 20);
    rotate_now(&logs);
    logs.add("bot", 5);
    logs.settle();
    let (old, kept) = (logs.directory("central").join("old"), logs.directory("kept"));
    fs::remove_file(logs.root().join("sync_state/logs/state")).unwrap();
    fs::rename(&old, &kept).unwrap();
    for _ in 0..2 {
        let report = logs.run();
        let why = report["logs"][NAME]["reason"].to_string();
        assert!(why.contains(old.to_str().unwrap()), "{report:#}");
    }
    fs::rename(&kept, &old).unwrap();
    logs.settle();
    let written = logs.written.borrow();
    assert_eq!(written.judge(&spread(&logs, "central", &["", "old"])), Verdict::default(), "the archive");
    assert_eq!(written.judge(&logs.content(MIRROR)), Verdict::default(), "the mirror");
}
