//! Two configured paths that lead to one file, by a link to a directory. Whatever is written there was written once.
//!
//! The configuration sees paths that are the same, and hard links are refused where they lie: neither sees this.

use std::fs;
use std::os::unix::fs::symlink;

use super::world::{Logs, MIRROR, NAME};

/// Puts a link to the directory of one side in the place of another's.
fn lead(logs: &Logs, side: &str, to: &str) {
    fs::remove_dir_all(logs.directory(side)).unwrap();
    symlink(logs.directory(to), logs.directory(side)).unwrap();
}

/// Runs often enough for a line to come back, and says what a user was told.
fn runs(logs: &Logs) -> String {
    (0..4).map(|_| format!("{:#}\n", logs.run())).collect()
}

/// Every line is in the archive once, and nothing came into the file that its writer did not write.
fn judge(told: &str, logs: &Logs, written_to: &str) {
    let said = runs(logs);
    logs.add(written_to, 3);
    let said = said + &runs(logs);
    let written = logs.written.borrow();
    let (archive, own) = (written.judge(&logs.archive()), written.judge(&logs.content(written_to)));
    assert_eq!((archive, own), Default::default(), "{told}: the archive, and {written_to}\n{said}");
    assert!(said.contains("is the same file as"), "{told}: nobody was told\n{said}");
}

#[test]
fn a_source_that_is_there_twice_is_read_once() {
    let logs = Logs::new(&["bot", "other"]);
    lead(&logs, "other", "bot");
    logs.add("bot", 5);
    judge("two sources", &logs, "bot");
}

#[test]
fn a_mirror_that_is_a_source_gets_nothing_back() {
    let logs = Logs::new(&["bot"]);
    lead(&logs, MIRROR, "bot");
    logs.add("bot", 5);
    judge("a mirror and a source", &logs, "bot");
}

#[test]
fn a_source_that_is_the_archive_is_refused() {
    let logs = Logs::new(&["bot", "other"]);
    lead(&logs, "other", "central");
    logs.add("bot", 5);
    judge("a source and the archive", &logs, "bot");
}

/// The same over two logs: each would be what the other has.
fn two_logs(side: &str) {
    let mut logs = Logs::new(&["bot", "other"]).with_log("y");
    let link = logs.root().join("link");
    symlink(logs.directory(side), &link).unwrap();
    logs.json["logs"]["y"]["copies"][side] = serde_json::json!(link.join(format!("{NAME}.log")));
    logs.add("bot", 5);
    judge(&format!("{side} of two logs"), &logs, "bot");
}

#[test]
fn two_logs_do_not_share_an_archive() {
    two_logs("central");
}

#[test]
fn two_logs_do_not_share_a_source() {
    two_logs("bot");
}
