//! What a run tells on its way, and that it can be stopped anywhere without a trace.
//!
//! Apart from `acts` because here somebody listens. What is told within a phase depends on the time, so only phases are
//! looked at.

use cr0sync::database::{self, Continue, Mode, Options, Phase, Progress};
use cr0sync::{ErrorKind, Result};
use serde_json::{Value, json};

use crate::common::{World, assert_converged, assert_settled, open, options, seen};

fn sync_with(world: &World, tell: &mut dyn FnMut(&Progress<'_>) -> Continue) -> Result<Value> {
    database::sync_with(&world.config(), &options(), tell).map(seen)
}

/// The phases of a run, each change of database or phase once.
fn phases(world: &World, options: &Options) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let report = database::sync_with(&world.config(), options, &mut |progress| {
        assert!(progress.number >= 1 && progress.number <= progress.databases, "{progress:?}");
        assert!((progress.phase == Phase::Comparing) == progress.table.is_some(), "{progress:?}");
        let phase = format!("{} {}", progress.database, progress.phase.name());
        if told.last() != Some(&phase) {
            told.push(phase);
        }
        Continue::Yes
    });
    assert!(report.unwrap().ok);
    told
}

const START: &str = "
    CREATE TABLE score(nick TEXT PRIMARY KEY, points INTEGER);
    CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT);
    CREATE TABLE bag(x);
    INSERT INTO score VALUES('ann', 100); INSERT INTO log(what) VALUES('old'); INSERT INTO bag VALUES(1);";

fn world() -> World {
    World::two().tables(json!({ "score": { "columns": { "points": "sum" } } }))
}

fn edit_both(world: &World) {
    for side in ["bot", "central"] {
        world.edit(
            side,
            &format!(
                "UPDATE score SET points = points + 5; INSERT INTO log(what) VALUES('{side}');
                 INSERT INTO bag VALUES('new')"
            ),
        );
    }
}

#[test]
fn every_phase_is_told() {
    let world = world();
    world.edit_all(START);
    let first = ["d looking", "d copying", "d comparing", "d planning", "d writing"];
    assert_eq!(phases(&world, &options()), first);
    edit_both(&world);
    let dry = Options { mode: Mode::DryRun, ..options() };
    assert_eq!(phases(&world, &dry), ["d looking", "d comparing", "d planning"]);
    assert_eq!(phases(&world, &options()), ["d looking", "d comparing", "d planning", "d writing"]);
    std::fs::remove_file(world.path("bot")).unwrap();
    let told = phases(&world, &options());
    assert_eq!(told.first().map(String::as_str), Some("d looking"));
    assert_eq!(told.last().map(String::as_str), Some("d copying"));
}

#[test]
fn a_run_can_be_stopped_whenever_it_tells_something() {
    for is_new in [true, false] {
        for n in 1.. {
            let world = if is_new { world() } else { world().start(START) };
            if is_new {
                world.edit_all(START);
            } else {
                edit_both(&world);
            }
            let before: Vec<_> = world.sides.iter().map(|side| world.dump(side)).collect();
            let mut calls = 0;
            let outcome = sync_with(&world, &mut |_| {
                calls += 1;
                assert!(calls <= n, "nobody is called after he said stop");
                if calls == n { Continue::Stop } else { Continue::Yes }
            });
            let stopped = calls == n;
            if stopped {
                assert_eq!(outcome.as_ref().unwrap_err().kind(), ErrorKind::Cancelled);
                for (side, before) in world.sides.iter().zip(&before) {
                    world.open(side).execute_batch("BEGIN IMMEDIATE; ROLLBACK").unwrap();
                    assert_eq!(&world.dump(side), before, "{side} after stopping at {n}");
                }
                let runs = world.history(10)["runs"].as_array().unwrap().len();
                assert_eq!(runs, 0, "nothing was done");
            }
            let report = if stopped { world.sync() } else { outcome.unwrap() };
            assert_eq!(report["ok"], json!(true), "{report:#}");
            assert_converged(&world);
            let points = if is_new { "100" } else { "110" };
            assert_eq!(world.lines("bot", "SELECT points FROM score"), [points], "stopped at {n}");
            let (log, bag) = if is_new { ("1", "1") } else { ("3", "3") };
            assert_eq!(world.lines("bot", "SELECT count(*) FROM log"), [log], "stopped at {n}");
            assert_eq!(world.lines("bot", "SELECT count(*) FROM bag"), [bag], "stopped at {n}");
            assert_settled(&world);
            if !stopped {
                assert!(n > 4, "there was something to stop");
                break;
            }
        }
    }
}

#[test]
fn what_came_before_a_stop_is_done_and_on_record() {
    let mut world = world();
    world.add_database("e");
    world.add_database("f");
    for name in ["d", "e", "f"] {
        open(&world.file("central", name)).execute_batch(START).unwrap();
        open(&world.file("bot", name)).execute_batch("CREATE TABLE other(k TEXT PRIMARY KEY)").unwrap();
    }
    let outcome = sync_with(&world, &mut |progress| match (progress.database, progress.phase) {
        ("e", Phase::Writing) => Continue::Stop,
        _ => Continue::Yes,
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    let history = world.history(10);
    let databases = history["runs"][0]["databases"].as_object().unwrap();
    assert_eq!(databases.keys().collect::<Vec<_>>(), ["d"], "{history:#}");
    let tables = |name: &str| {
        let db = open(&world.file("bot", name));
        db.query_row(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence'",
            [],
            |row| row.get::<_, i64>(0),
        )
        .unwrap()
    };
    assert_eq!(["d", "e", "f"].map(tables), [4, 1, 1]);
    world.sync();
    assert_eq!(["d", "e", "f"].map(tables), [4, 4, 4]);
}

#[test]
fn a_listener_that_begins_another_run_is_told_that_one_is_at_work() {
    let world = world().start(START);
    edit_both(&world);
    let mut refused = 0;
    sync_with(&world, &mut |_| {
        let error = world.run(&options()).unwrap_err();
        refused += usize::from(error.kind() == ErrorKind::Locked);
        Continue::Yes
    })
    .unwrap();
    assert!(refused > 2);
    assert_converged(&world);
}
