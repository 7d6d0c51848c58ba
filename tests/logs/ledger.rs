//! A ledger that is missing, cut off, changed or cannot be read: nobody else knows which lines a copy wrote itself, so none of
//! them may come back to it. It stays as it is, people are told, and there is a way out.
//!
//! Apart from `lost_archive`, where the lines themselves are gone.

use std::fs;
use std::path::PathBuf;

use cr0sync::logs::{self, Options};
use cr0sync::report::LogProblemKind;
use serde_json::Value;

use super::world::{Logs, NAME};

fn ledger(logs: &Logs) -> PathBuf {
    logs.root().join("sync_state/logs").join(format!("{NAME}.ledger"))
}

/// All are merged, but for the bot: what others wrote waits until it has finished a line. What lies between is its own.
fn lagging() -> (Logs, String) {
    let logs = Logs::new(&["bot", "other"]);
    logs.add("bot", 20);
    logs.add("other", 20);
    logs.settle();
    logs.add("other", 10);
    logs.add("bot", 10);
    let line = logs.line("bot");
    let (half, rest) = line.split_at(20);
    std::io::Write::write_all(&mut logs.open("bot"), half.as_bytes()).unwrap();
    logs.merge();
    logs.add("other", 10);
    logs.add("central", 3);
    (logs, rest.to_owned())
}

fn finish(logs: &Logs, rest: &str) {
    std::io::Write::write_all(&mut logs.open("bot"), rest.as_bytes()).unwrap();
}

fn told(report: &Value) -> String {
    let log = &report["logs"][NAME];
    let warnings = log["warnings"].as_array().unwrap().iter().filter_map(Value::as_str);
    warnings.chain(log["reason"].as_str()).collect::<Vec<_>>().join("\n")
}

fn is_proven(logs: &Logs) -> Result<(), String> {
    let report = logs::verify(&logs.config(), &Options::default()).unwrap();
    let log = &report.logs[NAME];
    if report.ok { Ok(()) } else { Err(log.reason.clone().unwrap_or_default()) }
}

/// What was set aside, and is for people to look at.
fn aside(logs: &Logs) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(logs.root().join("sync_state/logs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{NAME}.ledger.")))
        .collect();
    found.sort();
    found
}

/// Everything is where it belongs, though somebody has to acknowledge what happened first.
fn judge_acknowledged(logs: &Logs, told: &str) {
    let found = aside(logs);
    assert_eq!(found.len(), 1, "{told}: {found:?}");
    let why = is_proven(logs).unwrap_err();
    assert!(why.contains(found[0].to_str().unwrap()), "{told}: {why}");
    fs::remove_file(&found[0]).unwrap();
    logs.judge(told);
    logs.judge_sources(told);
}

#[test]
fn a_copy_that_waits_gets_nothing_of_its_own_back() {
    let (logs, rest) = lagging();
    finish(&logs, &rest);
    logs.settle();
    logs.judge("a whole ledger");
    logs.judge_sources("a whole ledger");
}

#[test]
fn where_the_ledger_is_gone_it_is_told_by_content_what_a_copy_lacks() {
    let (logs, rest) = lagging();
    fs::remove_file(ledger(&logs)).unwrap();
    finish(&logs, &rest);
    let report = logs.merge();
    assert!(told(&report).contains("found by its content"), "{report:#}");
    logs.settle();
    judge_acknowledged(&logs, "gone");
    logs.add("bot", 5);
    logs.add("other", 5);
    logs.settle();
    logs.judge("gone, and later");
    logs.judge_sources("gone, and later");
}

/// What is done to a ledger, and what becomes of it.
type Damage = (&'static str, fn(&[u8]) -> Vec<u8>);

/// Ways in which a ledger is not what it was.
const DAMAGES: [Damage; 4] = [
    ("cut off", |text| text[..text.len() - 40].to_vec()),
    ("emptied", |_| Vec::new()),
    ("without its last entry", |text| {
        let end = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
        text[..=end].to_vec()
    }),
    ("changed", |text| {
        let mut text = text.to_vec();
        let end = text.len() - 3;
        text[end] ^= 1;
        text
    }),
];

#[test]
fn a_damaged_ledger_is_left_as_it_is_until_it_is_whole_again() {
    for (damage, make) in DAMAGES {
        for moved_away in [false, true] {
            let (logs, rest) = lagging();
            let whole = fs::read(ledger(&logs)).unwrap();
            let damaged = make(&whole);
            fs::write(ledger(&logs), &damaged).unwrap();
            finish(&logs, &rest);
            let before = fs::read(logs.path("bot")).unwrap();
            for _ in 0..3 {
                let report = logs.run();
                let words = told(&report);
                assert!(words.contains(ledger(&logs).to_str().unwrap()), "{damage}: {report:#}");
                assert!(words.contains("move it away"), "{damage}: {report:#}");
            }
            assert!(fs::read(logs.path("bot")).unwrap() == before, "{damage}: something came back");
            let now = fs::read(ledger(&logs)).unwrap();
            assert!(now.starts_with(&damaged), "{damage}: it was written over");
            is_proven(&logs).unwrap_err();
            let told = format!("{damage}, moved away: {moved_away}");
            if moved_away {
                fs::remove_file(ledger(&logs)).unwrap();
                logs.settle();
                judge_acknowledged(&logs, &told);
            } else {
                fs::write(ledger(&logs), &whole).unwrap();
                logs.settle();
                logs.judge(&told);
                logs.judge_sources(&told);
            }
        }
    }
}

/// The entry of a copy that waits may be bad, and the last one good.
#[test]
fn damage_in_the_midst_holds_up_who_needs_it_and_nobody_else() {
    let (logs, rest) = lagging();
    logs.merge();
    let whole = fs::read(ledger(&logs)).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let bad = lines.iter().rposition(|line| line.contains("\"origin\":\"bot\"")).unwrap();
    assert!(bad + 1 < lines.len(), "the last one is good: {text}");
    let damaged = text.replace(lines[bad], &lines[bad].replace("\"bot\"", "\"bat\""));
    fs::write(ledger(&logs), damaged).unwrap();
    finish(&logs, &rest);
    let before = fs::read(logs.path("bot")).unwrap();
    let status = logs::status(&logs.config(), &Options::default()).unwrap();
    let problem = status.logs[NAME].problems.first().unwrap();
    assert_eq!((problem.kind, problem.side.as_deref()), (LogProblemKind::Ledger, Some("bot")), "{status:#?}");
    logs.add("other", 1);
    let report = logs.merge();
    assert!(told(&report).contains("bot is passed over"), "{report:#}");
    assert!(fs::read(logs.path("bot")).unwrap() == before);
    let mirror = logs.content(super::world::MIRROR);
    assert!(mirror == logs.archive(), "the mirror needs no old entry");
    let now = fs::read_to_string(ledger(&logs)).unwrap();
    assert!(now.len() > text.len(), "new lines are written down");
    fs::write(ledger(&logs), now.replace("\"bat\"", "\"bot\"")).unwrap();
    logs.settle();
    logs.judge("mended");
    logs.judge_sources("mended");
}

#[test]
fn a_ledger_that_cannot_be_read_is_waited_for() {
    let (logs, rest) = lagging();
    let away = ledger(&logs).with_extension("away");
    fs::rename(ledger(&logs), &away).unwrap();
    fs::create_dir(ledger(&logs)).unwrap();
    finish(&logs, &rest);
    let before = fs::read(logs.path("bot")).unwrap();
    let report = logs.run();
    assert!(told(&report).contains(ledger(&logs).to_str().unwrap()), "{report:#}");
    assert!(fs::read(logs.path("bot")).unwrap() == before);
    fs::remove_dir(ledger(&logs)).unwrap();
    fs::rename(&away, ledger(&logs)).unwrap();
    logs.settle();
    logs.judge("readable again");
    logs.judge_sources("readable again");
}

#[test]
fn an_archive_that_is_made_anew_leaves_its_ledger_beside() {
    let logs = Logs::new(&["bot", "other"]);
    logs.add("bot", 20);
    logs.settle();
    let mut kept = Vec::new();
    for round in 0..3 {
        let text = fs::read(ledger(&logs)).unwrap();
        fs::remove_file(logs.path("central")).unwrap();
        logs.add("bot", 5);
        logs.settle();
        kept.push(text);
        let found: Vec<Vec<u8>> = aside(&logs).iter().map(|path| fs::read(path).unwrap()).collect();
        assert_eq!(found.len(), round + 1);
        assert!(kept.iter().all(|text| found.contains(text)), "a ledger was written over");
        let why = is_proven(&logs).unwrap_err();
        assert!(why.contains("the archive that was merged is gone"), "{why}");
    }
    for path in aside(&logs) {
        is_proven(&logs).unwrap_err();
        fs::remove_file(path).unwrap();
    }
    is_proven(&logs).unwrap();
}

#[test]
fn a_ledger_outlives_the_state() {
    let logs = Logs::new(&["bot", "other"]);
    logs.add("bot", 20);
    logs.add("other", 20);
    logs.settle();
    let text = fs::read(ledger(&logs)).unwrap();
    fs::remove_file(logs.root().join("sync_state/logs/state")).unwrap();
    logs.add("bot", 5);
    logs.settle();
    let found = aside(&logs);
    assert_eq!(found.len(), 1);
    assert!(fs::read(&found[0]).unwrap() == text);
    judge_acknowledged(&logs, "without its state");
}
