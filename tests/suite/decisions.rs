//! The decision table of the design, all sixteen cells, through files.
//!
//! Apart from `policies`, which changes single answers of it. The hub `central` is preferred; left is `bot`.

use serde_json::Value;

use crate::common::{World, assert_converged, assert_settled, conflict_lines};

/// What one side does to the row.
#[derive(Clone, Copy)]
enum Act {
    Nothing,
    Put(i64, i64),
    Set(&'static str),
    Delete,
}

struct Story {
    name: &'static str,
    base: bool,
    bot: Act,
    central: Act,
    /// `a b`, or nothing.
    want: Option<&'static str>,
    /// `kind [columns] winner`, or nothing.
    conflict: Option<&'static str>,
}

const fn story(
    name: &'static str,
    base: bool,
    bot: Act,
    central: Act,
    want: Option<&'static str>,
    conflict: Option<&'static str>,
) -> Story {
    Story { name, base, bot, central, want, conflict }
}

#[rustfmt::skip]
const TABLE: &[Story] = {
    use Act::{Delete, Nothing, Put, Set};
    &[
        story("none none", false, Nothing, Nothing, None, None),
        story("none insert", false, Nothing, Put(1, 2), Some("1 2"), None),
        story("none update", true, Nothing, Set("a = 7"), Some("7 0"), None),
        story("none delete", true, Nothing, Delete, None, None),
        story("insert none", false, Put(1, 2), Nothing, Some("1 2"), None),
        story("insert insert equal", false, Put(1, 2), Put(1, 2), Some("1 2"), None),
        story("insert insert clash", false, Put(1, 2), Put(1, 3), Some("1 3"), Some("insert_insert [b] central")),
        story("update none", true, Set("a = 7"), Nothing, Some("7 0"), None),
        story("update update equal", true, Set("a = 7"), Set("a = 7"), Some("7 0"), None),
        story("update update apart", true, Set("a = 7"), Set("b = 8"), Some("7 8"), None),
        story("update update clash", true, Set("a = 7"), Set("a = 8"), Some("8 0"), Some("update_update [a] central")),
        story("update update both", true, Set("a = 7, b = 1"), Set("a = 8"), Some("8 1"), Some("update_update [a] central")),
        story("update delete", true, Set("a = 7"), Delete, Some("7 0"), Some("update_delete [] bot")),
        story("delete none", true, Delete, Nothing, None, None),
        story("delete update", true, Delete, Set("a = 7"), Some("7 0"), Some("update_delete [] central")),
        story("delete delete", true, Delete, Delete, None, None),
        story("changed and back", true, Set("a = 7; UPDATE t SET a = 0"), Delete, None, None),
    ]
};

fn act(name: &str, act: Act) -> String {
    match act {
        Act::Nothing => String::new(),
        Act::Put(a, b) => format!("INSERT INTO t(k, a, b) VALUES('{name}', {a}, {b});"),
        Act::Set(set) => {
            let all = set.replace("; UPDATE t SET", &format!(" WHERE k = '{name}'; UPDATE t SET"));
            format!("UPDATE t SET {all} WHERE k = '{name}';")
        }
        Act::Delete => format!("DELETE FROM t WHERE k = '{name}';"),
    }
}

fn line(conflict: &Value) -> String {
    let columns: Vec<&str> =
        conflict["columns"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let word = |name: &str| conflict[name].as_str().unwrap();
    format!("{} [{}] {}", word("kind"), columns.join(","), word("winner"))
}

fn tell(schema: &str) {
    let mut start = format!("{schema};");
    for story in TABLE.iter().filter(|story| story.base) {
        start += &format!("INSERT INTO t(k, a, b) VALUES('{}', 0, 0);", story.name);
    }
    let world = World::two().start(&start);
    let edits =
        |pick: fn(&Story) -> Act| TABLE.iter().map(|story| act(story.name, pick(story))).collect::<String>();
    world.edit("bot", &edits(|story| story.bot));
    world.edit("central", &edits(|story| story.central));
    let report = world.sync();
    let conflicts = world.conflicts();
    for story in TABLE {
        let told = format!("{schema}: {}", story.name);
        for side in ["bot", "central"] {
            let rows = world.lines(side, &format!("SELECT a, b FROM t WHERE k = '{}'", story.name));
            assert_eq!(rows.first().map(String::as_str), story.want, "{told} on {side}");
        }
        let found: Vec<String> =
            conflicts.iter().filter(|conflict| conflict["key"]["k"] == story.name).map(line).collect();
        let want: Vec<&str> = story.conflict.into_iter().collect();
        assert_eq!(found, want, "{told}");
    }
    let wanted = TABLE.iter().filter(|story| story.conflict.is_some()).count();
    assert_eq!(report["conflicts"], wanted, "{:?}", conflict_lines(&world));
    assert_converged(&world);
    assert_settled(&world);
}

#[test]
fn with_a_text_key() {
    tell("CREATE TABLE t(k TEXT PRIMARY KEY, a, b)");
}

#[test]
fn without_rowid() {
    tell("CREATE TABLE t(k TEXT PRIMARY KEY, a, b) WITHOUT ROWID");
}

#[test]
fn with_a_natural_key() {
    tell("CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, k TEXT NOT NULL UNIQUE, a, b)");
}

#[test]
fn with_a_unique_key_alone() {
    tell("CREATE TABLE t(a, b, k TEXT NOT NULL UNIQUE)");
}

#[test]
fn strict() {
    tell("CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, a INTEGER, b ANY) STRICT");
}

/// A conflict says everything needed to take the loser back.
#[test]
fn a_conflict_tells_the_whole_story() {
    let world = World::three()
        .prefer(&["website", "central", "bot"])
        .start("CREATE TABLE t(k TEXT PRIMARY KEY, a, b); INSERT INTO t VALUES('x', 1, 1)");
    world.edit("bot", "UPDATE t SET a = 2");
    world.edit("central", "UPDATE t SET a = 3");
    world.edit("website", "UPDATE t SET b = 4");
    let report = world.sync();
    let conflict = world.conflicts()[0].clone();
    assert_eq!(conflict["database"], "d");
    assert_eq!(conflict["table"], "t");
    assert_eq!(conflict["key"], serde_json::json!({ "k": "x" }));
    assert_eq!(conflict["kind"], "update_update");
    assert_eq!(conflict["columns"], serde_json::json!(["a"]));
    assert_eq!(conflict["base"]["a"], 1);
    assert_eq!(conflict["values"]["bot"]["a"], 2);
    assert_eq!(conflict["values"]["central"]["a"], 3);
    assert_eq!(conflict["winner"], "central");
    assert_eq!(conflict["status"], "open");
    assert_eq!(conflict["run"], report["run"]);
    assert!(conflict["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    assert!(conflict["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{conflict}");
    assert_eq!(world.lines("bot", "SELECT a, b FROM t"), ["3 4"]);
    assert_converged(&world);
    assert_settled(&world);
}
