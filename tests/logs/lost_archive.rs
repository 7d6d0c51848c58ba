//! An archive that lost lines to somebody else: removed, brought back from an older backup, or edited in its midst. It gets
//! them back from the copies, once, however many of those have them.
//!
//! Apart from `scenarios`, where nobody takes anything out of the archive.

use std::fs;

use super::verdict::lines;
use super::world::Logs;

/// Lines of the bot are everywhere; then the archive becomes what `spoil` makes of it. Judges how often each line is there
/// in the end; what came back may lie behind what came later.
fn spoiled(sources: &[&str], spoil: impl FnOnce(&Logs, &[u8])) {
    let logs = Logs::new(sources);
    for side in sources {
        logs.add(side, 20);
    }
    logs.merge();
    logs.add("bot", 20);
    logs.settle();
    logs.judge("before");
    spoil(&logs, &logs.archive());
    logs.add("bot", 10);
    logs.settle();
    let found = logs.written.borrow().judge(&logs.archive());
    assert_eq!((found.lost, found.twice, found.torn), (0, 0, 0), "{found:?}");
}

/// The copies of one source are the source and the mirror; with a second one, there is one more.
fn with_and_without_another_source(spoil: fn(&Logs, &[u8])) {
    spoiled(&["bot"], spoil);
    spoiled(&["bot", "other"], spoil);
}

#[test]
fn an_archive_that_was_removed_gets_its_lines_back_once() {
    with_and_without_another_source(|logs, _| fs::remove_file(logs.path("central")).unwrap());
}

#[test]
fn an_archive_from_an_older_backup_gets_its_lines_back_once() {
    with_and_without_another_source(|logs, text| {
        let old: Vec<&[u8]> = lines(text).take(25).collect();
        fs::write(logs.path("central"), old.concat()).unwrap();
    });
}

#[test]
fn an_archive_that_lacks_a_line_in_its_midst_gets_it_back_once() {
    with_and_without_another_source(|logs, text| {
        let mut left: Vec<&[u8]> = lines(text).collect();
        left.remove(20);
        fs::write(logs.path("central"), left.concat()).unwrap();
    });
}

#[test]
fn an_archive_and_a_state_that_were_removed_are_made_anew() {
    with_and_without_another_source(|logs, _| {
        fs::remove_file(logs.path("central")).unwrap();
        logs.lose_state();
    });
}
