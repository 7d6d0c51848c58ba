//! A run is killed at its first system call that writes, at its second, at its third, until none is left: after each
//! death the next runs must bring every line everywhere once, whatever writers did in between.
//!
//! Apart from `deaths`, where nobody knows where a run was. Where tracing is not allowed a test says so and passes.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use super::world::{Logs, append, pack};
use crate::trace::{self, Blow, End, run_until};

/// What writers do between a death and the next run.
type Later = fn(&Logs);

/// A run that has everything to do: new lines, late lines of a file that was renamed, and ones that others are to get. Long
/// enough for several pages of every file.
fn before() -> Logs {
    let logs = Logs::new(&["bot", "other"]);
    logs.add("bot", 30);
    logs.add("other", 30);
    logs.settle();
    let old = logs.open("bot");
    logs.rename("bot", ".1");
    logs.write(&old, "bot", 100);
    logs.write(&logs.open("bot"), "bot again", 100);
    logs.add("other", 200);
    logs
}

/// Past its limit the archive is rotated in the same run, and packed.
fn before_rotation() -> Logs {
    before().rotated(json!({ "size": 10_000, "compress": true, "delaycompress": false }))
}

fn nothing(_: &Logs) {}

fn appended(logs: &Logs) {
    logs.add("other", 5);
    logs.write(&logs.open("bot"), "bot again", 5);
}

fn rotated(logs: &Logs) {
    logs.write(&logs.open("bot"), "bot again", 5);
    fs::rename(logs.rotated_path("bot", ".1"), logs.rotated_path("bot", ".2")).unwrap();
    logs.rename("bot", ".1");
    pack(&logs.rotated_path("bot", ".2"));
    logs.write(&append(&logs.path("bot")), "bot again", 20);
    logs.rename("other", ".1");
    logs.add("other", 5);
}

fn forgotten(logs: &Logs) {
    rotated(logs);
    let _ = fs::remove_dir_all(logs.root().join("sync_state"));
}

/// What was begun of a rotation is done or gone.
fn all_is_rotated(logs: &Logs, told: &str) {
    for _ in 0..50 {
        logs.rotate();
        // Another test that starts a process may have our files in its hands for a moment.
        if logs.names("central").len() > 1 {
            break;
        }
    }
    logs.settle();
    logs.judge(told);
    let names = logs.names("central");
    let (live, old): (Vec<_>, Vec<_>) = names.iter().partition(|name| *name == "x.log");
    let is_packed = old.iter().all(|name| name.starts_with("x.log.2") && name.ends_with(".gz"));
    assert!(live.len() == 1 && !old.is_empty() && is_packed, "{told}: {names:?}");
}

fn every_death(told: &str, before: fn() -> Logs, blow: Blow, later: Later, of_sources: bool) {
    let mut n = std::env::var("CR0SYNC_FIRST").map_or(1, |n| n.parse().unwrap());
    let (mut hit, mut torn) = (BTreeSet::new(), 0);
    loop {
        let logs = before();
        let (end, said) = run_until(&logs.config_file(), None, n, blow);
        if end == End::NotAllowed {
            println!("skipped: this machine does not let a process trace another");
            return;
        }
        let told = format!("{told}, {blow:?} at writing call {n}: {end:?}");
        torn += usize::from(logs.sides().iter().any(|side| !logs.content(side).ends_with(b"\n")));
        later(&logs);
        logs.settle();
        logs.judge(&told);
        if of_sources {
            logs.judge_sources(&told);
        }
        if logs.json["logs"]["x"]["rotate"].is_object() {
            all_is_rotated(&logs, &told);
        }
        match end {
            End::Struck(file) => {
                let below = file.strip_prefix(logs.root().parent().unwrap().to_str().unwrap());
                hit.extend(below.and_then(|below| below.split('/').nth(1)).map(str::to_owned));
            }
            _ => {
                assert!(said.contains("\"ok\":true"), "{told}: {said}");
                break;
            }
        }
        n += 1;
    }
    println!("{told}, {blow:?}: {} times, over files of {hit:?}, {torn} lines cut off", n - 1);
    assert_eq!(torn > 0, blow == Blow::Torn, "{told}");
    let expected = ["bot", "central", "other", "root", "website"];
    assert!(expected.iter().all(|side| hit.contains(*side)), "{told}: died over {hit:?} only");
}

#[test]
fn a_run_may_die_at_any_call() {
    every_death("nobody writes", before, Blow::Death, nothing, true);
}

#[test]
fn a_run_may_die_and_writers_go_on() {
    every_death("appended to", before, Blow::Death, appended, true);
}

#[test]
fn a_run_may_die_and_files_are_rotated() {
    every_death("rotated", before, Blow::Death, rotated, true);
}

/// Then nobody knows any more which lines of others a source lacks, if it has later ones of its own.
#[test]
fn a_run_may_die_and_be_forgotten() {
    every_death("forgotten", before, Blow::Death, forgotten, false);
}

#[test]
fn a_rotation_may_die_at_any_call() {
    for (told, later) in
        [("nobody writes", nothing as Later), ("appended to", appended), ("rotated", rotated)]
    {
        every_death(&format!("rotation, {told}"), before_rotation, Blow::Death, later, true);
    }
}

/// The run goes on then, or says that it cannot.
fn any_call_may_fail(blow: Blow) {
    if !trace::CAN_FAIL {
        println!("skipped: calls can be made to fail on x86_64 only");
        return;
    }
    every_death("fails", before, blow, appended, true);
    every_death("fails, rotation", before_rotation, blow, appended, true);
}

#[test]
fn the_disk_may_be_full_at_any_call() {
    any_call_may_fail(Blow::FromThenOn(libc::ENOSPC));
}

/// The journal's call, above all.
#[test]
fn what_was_given_while_the_journal_fails_does_not_come_back() {
    any_call_may_fail(Blow::Once(libc::EIO));
}

/// Where a write is cut in two, the first part of it ends with a page.
#[test]
fn a_write_may_be_cut_in_two() {
    if !trace::CAN_FAIL {
        println!("skipped: calls can be made to fail on x86_64 only");
        return;
    }
    every_death("nobody writes", before, Blow::Torn, nothing, true);
    every_death("rotation, nobody writes", before_rotation, Blow::Torn, nothing, true);
}

/// The sources' own files are not judged: whoever writes behind a line that was cut off goes on with that line, and nobody
/// can help it there. In the archive it must be a line of its own.
#[test]
fn a_line_written_behind_one_that_was_cut_off_is_whole() {
    if !trace::CAN_FAIL {
        println!("skipped: calls can be made to fail on x86_64 only");
        return;
    }
    every_death("appended to", before, Blow::Torn, appended, false);
}
