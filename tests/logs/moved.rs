//! Files that are back where they were, and files that cannot be read for a while: neither is taken for new or for gone.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::world::{Logs, MIRROR, append, pack, read};
use crate::trace::{Blow, End, run_until};

#[test]
fn a_file_that_is_moved_back_is_read_on() {
    for is_begun_anew in [false, true] {
        let logs = Logs::new(&["bot", "other"]);
        logs.open("other");
        logs.add("bot", 10);
        logs.settle();
        logs.add("other", 5);
        logs.settle();
        logs.rename("bot", ".1");
        if is_begun_anew {
            logs.open("bot");
        }
        logs.settle();
        fs::rename(logs.rotated_path("bot", ".1"), logs.path("bot")).unwrap();
        logs.add("bot", 5);
        logs.add("other", 5);
        logs.settle();
        logs.judge("moved back");
        logs.judge_sources("moved back");
    }
}

#[test]
fn a_rotated_file_that_cannot_be_read_now_is_read_later() {
    let logs = Logs::new(&["bot", "other"]);
    logs.open("other");
    logs.add("bot", 10);
    logs.settle();
    logs.add("bot", 5);
    logs.rename("bot", ".1");
    let link = logs.root().join("link");
    fs::hard_link(logs.rotated_path("bot", ".1"), &link).unwrap();
    logs.add("bot", 5);
    let told = logs.run()["logs"]["x"]["warnings"].to_string();
    assert!(told.contains("passed over") && told.contains("x.log.1"), "{told}");
    fs::remove_file(link).unwrap();
    logs.settle();
    logs.judge("linked");
    logs.judge_sources("linked");
}

#[test]
fn an_archive_whose_segment_cannot_be_read_now_is_not_made_anew() {
    let logs = Logs::new(&["bot"]);
    logs.add("bot", 10);
    logs.settle();
    logs.rename("central", ".1");
    let link = logs.root().join("link");
    fs::hard_link(logs.rotated_path("central", ".1"), &link).unwrap();
    logs.add("bot", 5);
    let report = logs.run();
    assert_eq!(report["logs"]["x"]["state"], "failed", "{report:#}");
    assert!(report["logs"]["x"]["reason"].to_string().contains("x.log.1"), "{report:#}");
    fs::remove_file(link).unwrap();
    logs.settle();
    logs.judge("linked");
}

/// Whoever writes into a rotated file of the archive makes no line of it new.
#[test]
fn a_line_that_comes_late_to_a_rotated_archive_makes_no_line_come_twice() {
    for begun in [0, 3] {
        let logs = Logs::new(&["bot"]);
        logs.add("bot", 1);
        logs.add("central", 5);
        logs.settle();
        logs.rename("central", ".1");
        logs.open("central");
        logs.add("central", begun);
        logs.settle();
        append(&logs.rotated_path("central", ".1")).write_all(b"late\n").unwrap();
        logs.settle();
        let text = read(&logs.path(MIRROR));
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let unique: std::collections::BTreeSet<&[u8]> = lines.iter().copied().collect();
        assert!(unique.len() >= 6 + begun && lines.len() == unique.len(), "{begun}: {lines:?}");
    }
}

/// Numbers that grow with time, and packed files, which are not watched.
#[test]
fn whoever_numbers_upwards_has_no_file_read_twice() {
    for is_packed in [false, true] {
        let logs = Logs::new(&["bot"]);
        // A minute lies between two writes, and none of them is yet to come.
        let begin = SystemTime::now() - Duration::from_secs(3600);
        let write = |minute: u64| {
            logs.add("bot", 10);
            logs.open("bot").set_modified(begin + Duration::from_secs(60 * minute)).unwrap();
        };
        for number in 1..=7 {
            write(2 * number);
            logs.merge();
            write(2 * number + 1);
            logs.rename("bot", &format!(".{number}"));
            if is_packed {
                pack(&logs.rotated_path("bot", &format!(".{number}")));
            }
            logs.merge();
        }
        let found = logs.written.borrow().judge(&logs.archive());
        assert_eq!((found.lost, found.twice, found.torn), (0, 0, 0), "{is_packed}: {found:?}");
    }
}

/// A mirror is not made anew on the file system below the one that is missing.
#[test]
fn what_lay_on_another_file_system_is_waited_for() {
    let logs = Logs::new(&["bot"]);
    logs.add("bot", 5);
    logs.settle();
    let here = logs.directory(MIRROR);
    let away = tempfile::tempdir_in("/tmp").unwrap();
    let is_other = |path: &std::path::Path| fs::metadata(path).unwrap().dev();
    if is_other(&here) == is_other(away.path()) {
        println!("skipped: /tmp and /dev/shm are one file system");
        return;
    }
    // The directory is another one, as where nothing is mounted.
    let kept = logs.directory("kept");
    fs::rename(&here, &kept).unwrap();
    std::os::unix::fs::symlink(away.path(), &here).unwrap();
    logs.add("bot", 5);
    let report = logs.merge();
    let told = report["logs"]["x"]["warnings"].to_string();
    assert!(told.contains("a mount may be missing"), "{told}");
    assert_eq!(fs::read_dir(away.path()).unwrap().count(), 0);
    fs::remove_file(&here).unwrap();
    fs::rename(kept, here).unwrap();
    logs.settle();
    logs.judge("it is there again");
}

/// A run that died has appended lines, and what it was to go on with cannot be seen for a while: its plan waits for that.
#[test]
fn a_plan_waits_for_an_archive_that_is_hidden() {
    for is_missing in [false, true] {
        let mut deaths = 0;
        for n in 1.. {
            let logs = Logs::new(&["bot", "other"]).rotated(json!({ "olddir": "old", "compress": false }));
            logs.add("bot", 20);
            logs.settle();
            // The end that is on record lies in the midst of what somebody else rotates.
            logs.add("central", 3);
            let old = logs.directory("central").join("old");
            let segment = old.join("x.log.1");
            fs::create_dir(&old).unwrap();
            fs::rename(logs.path("central"), &segment).unwrap();
            logs.add("bot", 10);
            let (end, said) = run_until(&logs.config_file(), None, n, Blow::Death);
            if end == End::NotAllowed {
                println!("skipped: this machine does not let a process trace another");
                return;
            }
            let (away, link) = (logs.directory("kept"), logs.root().join("link"));
            match is_missing {
                true => fs::rename(&old, &away).unwrap(),
                false => fs::hard_link(&segment, &link).unwrap(),
            }
            logs.add("other", 5);
            let report = logs.run();
            match is_missing {
                true => fs::rename(&away, &old).unwrap(),
                false => fs::remove_file(&link).unwrap(),
            }
            if end == End::Finished {
                assert_eq!(report["ok"], json!(true), "{said} {report:#}");
                break;
            }
            deaths += 1;
            logs.settle();
            let text = [read(&segment), read(&logs.path("central"))].concat();
            for (side, text) in [("central", text), (MIRROR, logs.content(MIRROR))] {
                let found = logs.written.borrow().judge(&text);
                assert_eq!((found.lost, found.twice, found.torn), (0, 0, 0), "{n}, {side}: {found:?}");
            }
        }
        assert!(deaths > 5, "{deaths}");
    }
}

/// Where a directory of before was removed, and the live file made anew, the source waits, and what to do is told.
#[test]
fn a_directory_of_before_that_was_removed_is_told_with_what_to_do() {
    let mut logs = Logs::new(&["bot"]);
    let [former, now] = ["A", "B"].map(|name| logs.directory("bot").join(name));
    for directory in [&former, &now] {
        fs::create_dir(directory).unwrap();
    }
    logs.json["logs"]["x"]["olddirs"] = json!({ "bot": &former });
    for end in [".2", ".1"] {
        logs.add("bot", 40);
        logs.settle();
        fs::rename(logs.path("bot"), former.join(format!("x.log{end}"))).unwrap();
    }
    logs.add("bot", 40);
    logs.settle();
    for entry in fs::read_dir(&former).unwrap() {
        let path = entry.unwrap().path();
        fs::rename(&path, now.join(path.file_name().unwrap())).unwrap();
    }
    fs::remove_dir(&former).unwrap();
    logs.json["logs"]["x"]["olddirs"] = json!({ "bot": now });
    let problems = || {
        let found = cr0sync::logs::status(&logs.config(), &cr0sync::logs::Options::default()).unwrap();
        found.logs["x"].problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>()
    };
    logs.add("bot", 5);
    logs.settle();
    assert_eq!(problems(), Vec::<String>::new(), "it holds up nothing");
    fs::remove_file(logs.path("bot")).unwrap();
    logs.add("bot", 40);
    for _ in 0..3 {
        let told = logs.merge()["logs"]["x"]["warnings"].to_string();
        for text in [told, problems().join("\n")] {
            assert!(text.contains(former.to_str().unwrap()) && text.contains("(mkdir)"), "{text}");
        }
    }
    fs::create_dir(&former).unwrap();
    logs.settle();
    assert_eq!(problems(), Vec::<String>::new());
    logs.judge("made anew");
}
