//! Rotated files in more than one directory: those that look alike, a directory that is not there, and which file it is that
//! somebody changed.
//!
//! Apart from `segments`, where rotated files are removed or replaced.

use std::fs;
use std::path::PathBuf;

use cr0sync::logs::{self, Options};
use serde_json::{Value, json};

use super::segments::{rotate_now, tick};
use super::verdict::Verdict;
use super::world::{Logs, NAME, append};

/// Two files of one date, of which the younger one lies where the configuration says now.
#[test]
fn files_of_one_date_in_two_directories_are_all_taken() {
    for (first, then) in [("", "new"), ("old", ""), ("z", "a"), ("a", "z")] {
        let mut logs = Logs::new(&["bot"]);
        let at = |name: &str| logs.directory("bot").join(name);
        for name in ["old", "new", "a", "z"] {
            fs::create_dir(at(name)).unwrap();
        }
        let (first_at, then_at) = (at(first), at(then));
        let olddirs = |name: &str| if name.is_empty() { json!({}) } else { json!({ "bot": name }) };
        logs.json["logs"][NAME]["olddirs"] = olddirs(first);
        logs.add("bot", 20);
        logs.settle();
        for directory in [first_at, then_at] {
            logs.add("bot", 300);
            fs::rename(logs.path("bot"), directory.join("x.log-20261129")).unwrap();
            tick(&logs);
        }
        logs.add("bot", 10);
        logs.json["logs"][NAME]["olddirs"] = olddirs(then);
        logs.settle();
        let written = logs.written.borrow();
        assert_eq!(written.judge(&logs.archive()), Verdict::default(), "{first:?} and then {then:?}");
    }
}

/// Programs that begin each file alike, and those that differ in their midst only.
#[test]
fn files_of_one_name_that_look_alike_are_all_taken() {
    let filler = "-".repeat(5000);
    let same = ["session start\n".to_owned(), "session start\n".to_owned()];
    let middle = ["one", "two"].map(|word| format!("{filler}\n{word}\n{filler}\n"));
    for texts in [same, middle] {
        let mut logs = Logs::new(&["bot"]);
        let at = |name: &str| logs.directory("bot").join(name);
        fs::create_dir(at("a")).unwrap();
        fs::create_dir(at("b")).unwrap();
        let places = [at("a"), at("b")];
        logs.json["logs"][NAME]["olddirs"] = json!({ "bot": "a" });
        logs.open("bot");
        logs.settle();
        for (text, place) in texts.iter().zip(&places) {
            logs.add_text("bot", text.as_bytes());
            fs::rename(logs.path("bot"), place.join("x.log.1")).unwrap();
            tick(&logs);
            logs.open("bot");
            logs.settle();
            logs.json["logs"][NAME]["olddirs"] = json!({ "bot": "b" });
        }
        assert_eq!(String::from_utf8(logs.archive()).unwrap(), texts.concat());
    }
}

/// Four rotated files of which cleaning removed the oldest.
fn cleaned(rotate: Value) -> Logs {
    let logs = Logs::new(&["bot"]).rotated(rotate);
    for _ in 0..4 {
        logs.add("bot", 20);
        rotate_now(&logs);
        tick(&logs);
    }
    logs.settle();
    let oldest = rotated_of(&logs).remove(0);
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(40 * 86_400);
    fs::File::options().write(true).open(&oldest).unwrap().set_modified(long_ago).unwrap();
    let report = logs::clean(&logs.config(), &Options::default()).unwrap();
    assert!(report.exit_code() == 0 && !oldest.exists(), "{report:#?}");
    logs
}

/// Rotated files of the archive, wherever they lie, oldest first.
fn rotated_of(logs: &Logs) -> Vec<PathBuf> {
    let below = ["", "old", "new"].map(|name| logs.directory("central").join(name));
    let entries = below.iter().flat_map(|directory| fs::read_dir(directory).into_iter().flatten());
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.retain(|path| *path != logs.path("central"));
    files.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    files
}

/// All that is left is found elsewhere: nobody waits for the directory of before, nor for one that was never made.
#[test]
fn a_directory_that_is_not_there_and_has_nothing_is_not_waited_for() {
    for (first, then) in [(Some("old"), "new"), (None, "old")] {
        let told = format!("{first:?} and then {then}");
        let rotate = |olddir: Option<&str>| {
            let mut rotate = json!({ "maxage": 3, "rotate": 1 });
            if let Some(olddir) = olddir {
                rotate["olddir"] = json!(olddir);
            }
            rotate
        };
        let mut logs = cleaned(rotate(first));
        if let Some(first) = first {
            let at = |name: &str| logs.directory("central").join(name);
            fs::rename(at(first), at(then)).unwrap();
        }
        logs = logs.rotated(rotate(Some(then)));
        logs.add("bot", 5);
        logs.settle();
        let report = logs::verify(&logs.config(), &Options::default()).unwrap();
        assert_eq!(report.exit_code(), 0, "{told}: {report:#?}");
        // What comes then is aligned with all there is.
        let late = logs.directory("late");
        fs::create_dir_all(&late).unwrap();
        fs::write(late.join("x.log"), "of a late one\n").unwrap();
        logs.json["logs"][NAME]["copies"]["late"] = json!(late.join("x.log"));
        let report = logs.run();
        assert!(!report["logs"][NAME]["warnings"].to_string().contains("passed over"), "{told}: {report:#}");
        assert!(logs.archive().ends_with(b"of a late one\n"), "{told}");
        let state = fs::read_to_string(logs.root().join("sync_state/logs/state")).unwrap();
        assert!(first.is_none() || !state.contains("central/old"), "{told}: {state}");
        let oldest = rotated_of(&logs).remove(0);
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(40 * 86_400);
        fs::File::options().write(true).open(&oldest).unwrap().set_modified(long_ago).unwrap();
        let report = logs::clean(&logs.config(), &Options::default()).unwrap();
        assert!(report.exit_code() == 0 && !oldest.exists(), "{told}: {report:#?}");
    }
}

/// Where a part is nowhere, the directory is named that may have it, with what to do.
#[test]
fn a_directory_that_may_have_what_is_nowhere_is_named() {
    let mut logs = cleaned(json!({ "maxage": 3, "rotate": 1, "olddir": "old" }));
    let at = |name: &str| logs.directory("central").join(name);
    fs::create_dir(at("new")).unwrap();
    let files = rotated_of(&logs);
    for path in files.iter().skip(1) {
        fs::rename(path, at("new").join(path.file_name().unwrap())).unwrap();
    }
    let (old, kept) = (at("old"), at("kept"));
    fs::rename(&old, &kept).unwrap();
    logs = logs.rotated(json!({ "maxage": 3, "rotate": 1, "olddir": "new" }));
    logs.add("bot", 5);
    logs.merge();
    let verify = || logs::verify(&logs.config(), &Options::default()).unwrap();
    let why = verify().logs[NAME].reason.clone().unwrap_or_default();
    for part in [old.to_str().unwrap(), "Mount it", "make an empty directory"] {
        assert!(why.contains(part), "{why}");
    }
    fs::rename(&kept, &old).unwrap();
    logs.settle();
    assert_eq!(verify().exit_code(), 0);
}

/// A line that somebody writes into a rotated file moves all that lies before it; the others are not named for that.
#[test]
fn the_file_that_was_changed_is_named_and_no_other() {
    for is_oldest_gone in [false, true] {
        for number in usize::from(is_oldest_gone)..4 {
            let logs = Logs::new(&["bot"]).rotated(json!({ "maxage": 3, "rotate": 0, "compress": false }));
            for _ in 0..4 {
                logs.add("bot", 20);
                rotate_now(&logs);
                tick(&logs);
            }
            logs.settle();
            let files = rotated_of(&logs);
            let begin = std::time::SystemTime::now() - std::time::Duration::from_secs(40 * 86_400);
            std::io::Write::write_all(&mut append(&files[number]), b"somebody was here\n").unwrap();
            for (path, hour) in files.iter().zip(0..) {
                let at = begin + std::time::Duration::from_secs(3600 * hour);
                fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
            }
            if is_oldest_gone {
                fs::rename(&files[0], logs.root().join("away")).unwrap();
            }
            let told = format!("{number}, {is_oldest_gone}");
            let clean = logs::clean(&logs.config(), &Options::default()).unwrap();
            let verify = logs::verify(&logs.config(), &Options::default()).unwrap();
            let proven = verify.logs[NAME].reason.clone().unwrap_or_default();
            for said in [clean.logs[NAME].warnings.concat(), proven] {
                for (index, path) in files.iter().enumerate() {
                    let name = path.display();
                    let is_named = said.contains(&format!("{name} ")) || said.contains(&format!("{name},"));
                    assert_eq!(is_named, index == number, "{told}: {} in {said}", path.display());
                }
            }
        }
    }
}
