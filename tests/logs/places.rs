//! Copies that come with lines of their own: where in the archive the last line lies that they have, so that they get what
//! comes behind it, and nothing that they have.
//!
//! Apart from `scenarios`, where the archive is at rest while copies are aligned with it.

use std::fs;
use std::io::Write;
use std::time::{Duration, SystemTime};

use super::verdict::Verdict;
use super::world::Logs;

/// The archive ends with a line that nobody goes on with and that gets its end, so that all that copies give lies further on
/// than its last line ended.
#[test]
fn what_two_copies_have_is_given_to_neither() {
    let logs = Logs::new(&["bot", "other"]);
    logs.add("central", 10);
    let line = logs.line("central");
    logs.open("central").write_all(line.trim_end().as_bytes()).unwrap();
    let a_while_ago = SystemTime::now() - Duration::from_secs(120);
    logs.open("central").set_modified(a_while_ago).unwrap();
    logs.add("bot", 20);
    fs::copy(logs.path("bot"), logs.path("other")).unwrap();
    let had = fs::read(logs.path("other")).unwrap();
    logs.settle();
    assert_eq!(logs.written.borrow().judge(&logs.archive()), Verdict::default());
    // The first one gets the line that has got its end now; the other has what comes behind that already.
    assert!(fs::read(logs.path("bot")).unwrap() == [had.as_slice(), line.as_bytes()].concat(), "bot");
    assert!(fs::read(logs.path("other")).unwrap() == had, "the other has got what it had");
    logs.add("bot", 5);
    logs.settle();
    let found = logs.written.borrow().judge(&logs.content("other"));
    assert_eq!((found.lost, found.twice, found.torn), (11, 0, 0), "{found:?}");
}
