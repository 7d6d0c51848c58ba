//! What `status` tells of a log that something is wrong with: of which side, and of what kind.
//!
//! Apart from `hostile`, which is about what a run does then.

use std::fs;

use cr0sync::logs::{self, Options};
use cr0sync::report::{LogProblemKind, LogStatus};
use serde_json::json;

use super::world::{Logs, NAME};

fn status(logs: &Logs) -> (bool, LogStatus) {
    let mut report = logs::status(&logs.config(), &Options::default()).unwrap();
    (report.ok, report.logs.remove(NAME).unwrap())
}

/// There is one problem, and it is this one.
fn check(logs: &Logs, side: Option<&str>, kind: LogProblemKind, words: &str) {
    let (ok, found) = status(logs);
    assert!(!ok, "{words}: {found:#?}");
    let [problem] = &found.problems[..] else { panic!("{words}: {found:#?}") };
    assert_eq!((problem.side.as_deref(), problem.kind), (side, kind), "{words}: {found:#?}");
    assert!(problem.message.contains(words), "{words}: {found:#?}");
    if let Some(side) = side {
        assert_eq!(found.sides[side].problem.as_ref(), Some(&problem.message));
    }
}

fn merged() -> Logs {
    let logs = Logs::new(&["bot"]);
    logs.add("bot", 20);
    logs.settle();
    assert_eq!(status(&logs).1.problems, []);
    logs
}

#[test]
fn what_cannot_be_entered_is_not_taken_for_missing() {
    for (end, kind, words) in [
        ("none/x.log", LogProblemKind::DirectoryMissing, "is not there"),
        ("file/x.log", LogProblemKind::Unreadable, "is no directory"),
        ("file/within/x.log", LogProblemKind::Unreadable, "cannot look at"),
    ] {
        let mut logs = merged();
        fs::write(logs.directory("bot").join("file"), "").unwrap();
        logs.json["logs"][NAME]["copies"]["bot"] = json!(logs.directory("bot").join(end));
        check(&logs, Some("bot"), kind, words);
        let report = logs.run();
        assert!(report["logs"][NAME]["warnings"].to_string().contains(words), "{report:#}");
    }
}

#[test]
fn every_kind_has_its_side() {
    let logs = merged();
    fs::create_dir(logs.rotated_path("bot", ".1")).unwrap();
    check(&logs, Some("bot"), LogProblemKind::PassedOver, "is a directory");
    fs::remove_dir(logs.rotated_path("bot", ".1")).unwrap();
    fs::write(logs.path("central"), "something else\n").unwrap();
    check(&logs, Some("central"), LogProblemKind::ArchiveGone, "is not there any more");
    fs::remove_file(logs.path("central")).unwrap();
    check(&logs, Some("central"), LogProblemKind::ArchiveGone, "is not there any more");
    let logs = merged();
    fs::write(logs.root().join("sync_state/logs/rotation"), "nonsense").unwrap();
    check(&logs, None, LogProblemKind::Unsettled, "says nothing of a rotation");
}
