//! Judging a world: are the sides equal, is a second run empty, did the owners' files keep their shape.
//!
//! Apart from `world`, which builds and acts. A check prints both sides' differences before it fails.

use cr0sync::database::{self, Options};
use serde_json::{Value, json};

use super::{NAME, Val, World, differences, query};

/// Every side holds the same rows, by type and bytes.
pub(crate) fn assert_converged(world: &World) {
    let first = &world.sides[0];
    let expected = world.dump(first);
    for side in &world.sides[1..] {
        let lines = differences(first, &expected, side, &world.dump(side));
        assert!(lines.is_empty(), "{first} and {side} differ:\n{}", lines.join("\n"));
    }
}

/// A run right after a run writes nothing and reports nothing new.
pub(crate) fn assert_settled(world: &World) {
    let before: Vec<_> = world.sides.iter().map(|side| world.dump(side)).collect();
    let report = world.sync();
    assert_eq!(report["ok"], json!(true), "{report:#}");
    assert!(is_empty_run(&report), "the second run did something: {report:#}");
    for (side, before) in world.sides.iter().zip(&before) {
        let lines = differences("before", before, "after", &world.dump(side));
        assert!(lines.is_empty(), "{side} changed in the second run:\n{}", lines.join("\n"));
    }
    assert_agreed(world);
}

/// What is remembered of all sides is one, and nothing of ours lies beside their files.
pub(crate) fn assert_agreed(world: &World) {
    let verified = database::verify(&world.config(), &Options::default()).unwrap();
    // Tests damage backups; the rest is ours to keep.
    let ours = |id: &str| ["state", ":base", ":agreement", ":live"].iter().any(|what| id.ends_with(what));
    let bad: Vec<_> = verified.checked.iter().filter(|one| !one.ok && ours(&one.id)).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    for side in &world.sides {
        let mode = query(&world.open(side), "PRAGMA journal_mode").rows;
        if mode != [[Val::text("wal")]] {
            for suffix in ["-wal", "-shm"] {
                let mut beside = world.path(side).into_os_string();
                beside.push(suffix);
                assert!(!std::path::Path::new(&beside).exists(), "{beside:?} is ours");
            }
        }
    }
}

/// No new conflict, no row written on any side.
pub(crate) fn is_empty_run(report: &Value) -> bool {
    report["conflicts"] == json!(0)
        && report["databases"].as_object().is_some_and(|databases| {
            databases.values().all(|database| {
                database["conflicts"] == json!(0)
                    && database["sides"].as_object().is_none_or(|sides| {
                        sides.values().all(|side| {
                            ["inserted", "updated", "deleted", "rekeyed"]
                                .iter()
                                .all(|n| side[*n].as_u64() == Some(0))
                        })
                    })
            })
        })
}

/// Converged, settled, and exactly these rows on every side.
pub(crate) fn check(world: &World, sql: &str, expect: &[&str]) {
    for side in &world.sides {
        assert_eq!(world.lines(side, sql), expect, "{sql} on {side}");
    }
    assert_converged(world);
    assert_settled(world);
}

/// Exactly these rows on one side.
pub(crate) fn check_side(world: &World, side: &str, sql: &str, expect: &[&str]) {
    assert_eq!(world.lines(side, sql), expect, "{sql} on {side}");
}

/// The state of the database `d` in a report.
pub(crate) fn state(report: &Value) -> &str {
    report["databases"][NAME]["state"].as_str().unwrap_or("none")
}

/// The open and held conflicts as `table kind columns winner status`.
pub(crate) fn conflict_lines(world: &World) -> Vec<String> {
    let mut lines: Vec<String> = world
        .conflicts()
        .iter()
        .map(|c| {
            let columns: Vec<&str> =
                c["columns"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let word = |name: &str| c[name].as_str().unwrap_or("?").to_owned();
            format!(
                "{} {} [{}] {} {}",
                word("table"),
                word("kind"),
                columns.join(","),
                word("winner"),
                word("status")
            )
        })
        .collect();
    lines.sort();
    lines
}

/// What the owner of a database may rely on: its schema and its settings.
pub(crate) fn shape(world: &World, side: &str) -> Vec<String> {
    let db = world.open(side);
    let mut lines: Vec<String> = query(&db, "SELECT type, name, tbl_name, sql FROM sqlite_schema")
        .rows
        .iter()
        .map(|row| format!("{row:?}"))
        .collect();
    for pragma in ["user_version", "application_id", "journal_mode", "page_size", "auto_vacuum", "encoding"] {
        lines.push(format!("{pragma} {:?}", query(&db, &format!("PRAGMA {pragma}")).rows));
    }
    lines
}

/// A table that others point at by its id.
pub(crate) const USERS: &str =
    "CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, nick TEXT NOT NULL UNIQUE)";

/// How many references lead nowhere.
pub(crate) fn fk_violations(world: &World, side: &str) -> usize {
    world.lines(side, "PRAGMA foreign_key_check").len()
}
