//! What happens to logs on real machines, one thing at a time, between and during runs. In the end every line is
//! everywhere once, in its writer's order.
//!
//! Apart from the random scripts, which mix such things: here each is named, and is tried where numbers of files are
//! given again and where they are not. The list is that of the design, with which other tools were compared.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::world::{Logs, append, pack};

/// What happens, and whether the sources have everything in the end: what is truncated takes along what others wrote.
type Scenario = (&'static str, fn(&Logs), bool);

const SCENARIOS: &[Scenario] = &[
    ("appended to, with a line that has no end yet", partial, true),
    ("renamed", renamed, true),
    ("renamed, and written to by who has it open", renamed_late, true),
    ("renamed twice between two runs", renamed_twice, true),
    ("copied, truncated and grown past where it was read", copied, true),
    ("renamed and packed, its number given again", packed, true),
    ("removed, its number given again, and grown", removed, false),
    ("truncated, and shorter than before", truncated, false),
    ("known to nobody any more", forgotten, true),
    ("lines that are the same", repeats, true),
    ("different on both sides before the first run", diverged, false),
    ("the archive appended to by hand", by_hand, true),
    ("the archive saved by an editor", edited, true),
    ("midnight, a night in which an hour comes twice, a clock that goes back", clocks, true),
];

const DAY: Duration = Duration::from_secs(86_400);

/// The other source writes as well, and a run follows.
fn run(logs: &Logs) {
    logs.add("other", 20);
    logs.merge();
}

fn partial(logs: &Logs) {
    for _ in 0..4 {
        logs.add("bot", 500);
        let line = logs.line("bot");
        let mut file = logs.open("bot");
        file.write_all(&line.as_bytes()[..20]).unwrap();
        run(logs);
        file.write_all(&line.as_bytes()[20..]).unwrap();
    }
    run(logs);
}

fn renamed(logs: &Logs) {
    logs.add("bot", 500);
    run(logs);
    logs.add("bot", 100);
    logs.rename("bot", ".1");
    logs.add("bot", 300);
    run(logs);
    logs.add("bot", 100);
    run(logs);
}

fn renamed_late(logs: &Logs) {
    logs.add("bot", 500);
    run(logs);
    let old = logs.open("bot");
    logs.write(&old, "bot", 100);
    logs.rename("bot", ".1");
    logs.write(&old, "bot", 50);
    let new = logs.open("bot");
    logs.write(&new, "bot again", 300);
    run(logs);
    logs.write(&old, "bot", 30);
    drop(old);
    logs.write(&new, "bot again", 100);
    run(logs);
    run(logs);
}

fn renamed_twice(logs: &Logs) {
    logs.add("bot", 500);
    run(logs);
    logs.add("bot", 100);
    logs.rename("bot", ".1");
    logs.add("bot", 300);
    fs::rename(logs.rotated_path("bot", ".1"), logs.rotated_path("bot", ".2")).unwrap();
    logs.rename("bot", ".1");
    logs.add("bot", 200);
    run(logs);
    run(logs);
}

fn copied(logs: &Logs) {
    logs.add("bot", 500);
    run(logs);
    logs.add("bot", 100);
    fs::copy(logs.path("bot"), logs.rotated_path("bot", ".1")).unwrap();
    logs.open("bot").set_len(0).unwrap();
    logs.add("bot", 900);
    run(logs);
    logs.add("bot", 10);
    run(logs);
}

fn packed(logs: &Logs) {
    logs.add("bot", 500);
    run(logs);
    logs.add("bot", 100);
    let number = number(logs);
    logs.rename("bot", ".1");
    pack(&logs.rotated_path("bot", ".1"));
    make_with(logs, number);
    logs.add("bot", 900);
    run(logs);
    run(logs);
}

fn removed(logs: &Logs) {
    logs.add("bot", 500);
    run(logs);
    let number = number(logs);
    fs::remove_file(logs.path("bot")).unwrap();
    make_with(logs, number);
    logs.add("bot", 900);
    run(logs);
    logs.add("bot", 10);
    run(logs);
}

fn number(logs: &Logs) -> u64 {
    fs::metadata(logs.path("bot")).unwrap().ino()
}

/// Makes the bot's file so often that it gets that number again, where numbers are given again.
fn make_with(logs: &Logs, number: u64) {
    let away = logs.directory("bot").join("away");
    fs::create_dir(&away).unwrap();
    for n in 0..2000 {
        if File::create(logs.path("bot")).unwrap().metadata().unwrap().ino() == number {
            break;
        }
        fs::rename(logs.path("bot"), away.join(n.to_string())).unwrap();
    }
    fs::remove_dir_all(away).unwrap();
}

fn truncated(logs: &Logs) {
    logs.add("bot", 500);
    run(logs);
    logs.open("bot").set_len(0).unwrap();
    logs.add("bot", 100);
    run(logs);
    logs.add("bot", 500);
    run(logs);
}

fn forgotten(logs: &Logs) {
    for _ in 0..3 {
        logs.add("bot", 500);
        run(logs);
        logs.lose_state();
        logs.add("bot", 100);
        run(logs);
    }
    logs.lose_state();
    run(logs);
}

fn repeats(logs: &Logs) {
    for _ in 0..3 {
        for _ in 0..100 {
            logs.add_text("bot", b"[12:34] <nick> lol\n[12:34] <nick> lol\n[12:34] <nick> lol\n");
            logs.add("bot", 2);
        }
        logs.add_text("other", b"[12:34] <nick> lol\n");
        run(logs);
    }
}

fn diverged(logs: &Logs) {
    logs.add("bot", 300);
    fs::copy(logs.path("bot"), logs.path("central")).unwrap();
    logs.add("bot", 40);
    logs.add("central", 30);
    logs.merge();
    logs.add("bot", 10);
    run(logs);
}

fn by_hand(logs: &Logs) {
    for _ in 0..3 {
        logs.add("bot", 100);
        run(logs);
        logs.add("central", 2);
        logs.add("bot", 100);
    }
    run(logs);
}

/// As an editor does it: the whole of it in a new file, with a line more.
fn edited(logs: &Logs) {
    logs.add("bot", 300);
    run(logs);
    logs.add("bot", 10);
    let new = logs.directory("central").join("new");
    fs::copy(logs.path("central"), &new).unwrap();
    append(&new).write_all(logs.line("central").as_bytes()).unwrap();
    fs::rename(new, logs.path("central")).unwrap();
    run(logs);
    logs.add("bot", 10);
    run(logs);
}

fn clocks(logs: &Logs) {
    let now = SystemTime::now();
    // The hour from two to three comes twice, and some say the same in both.
    for _ in 0..2 {
        for minute in 0..60 {
            logs.add_text("bot", format!("[02:{minute:02}] <nick> hi\n").as_bytes());
            logs.add("bot", 1);
            if minute % 20 == 0 {
                run(logs);
            }
        }
    }
    // The clock goes back a day, and what is written then is older than what was read.
    logs.open("bot").set_modified(now - DAY).unwrap();
    run(logs);
    logs.add("bot", 100);
    logs.open("bot").set_modified(now - DAY).unwrap();
    run(logs);
    // At midnight it is rotated, by a clock that is wrong.
    logs.add("bot", 100);
    logs.open("bot").set_modified(now - DAY).unwrap();
    logs.rename("bot", ".2025-10-26");
    logs.add("bot", 50);
    logs.open("bot").set_modified(now - DAY).unwrap();
    run(logs);
    // A clock that was ahead is put right.
    logs.add("bot", 50);
    logs.open("bot").set_modified(now + DAY).unwrap();
    run(logs);
    logs.rename("bot", ".2025-10-27");
    logs.add("bot", 50);
    run(logs);
    logs.add("bot", 50);
    run(logs);
}

fn every_scenario(new: fn(&[&str]) -> Logs) {
    for (told, scenario, whole) in SCENARIOS {
        let logs = new(&["bot", "other"]);
        scenario(&logs);
        logs.settle();
        logs.judge(told);
        if *whole {
            logs.judge_sources(told);
        }
    }
}

#[test]
fn every_scenario_on_a_disk() {
    every_scenario(Logs::on_disk);
}

#[test]
fn every_scenario_in_memory() {
    every_scenario(Logs::new);
}

/// A change that leaves places as they are is seen by who looks at everything.
#[test]
fn a_line_of_the_archive_that_was_changed_is_found_by_verify() {
    let logs = Logs::new(&["bot"]);
    logs.add("bot", 2000);
    logs.settle();
    logs.judge("before");
    let mut text = logs.archive();
    text[60_000] ^= 1;
    fs::write(logs.path("central"), text).unwrap();
    let report = cr0sync::logs::verify(&logs.config(), &cr0sync::logs::Options::default()).unwrap();
    assert_ne!(report.exit_code(), 0, "{report:#?}");
    logs.add("bot", 10);
    logs.settle();
    let found = logs.written.borrow().judge(&logs.archive());
    assert_eq!((found.lost, found.torn, found.twice), (1, 1, 0), "{found:?}");
    assert_eq!(logs.run()["ok"], json!(true));
}
