//! Tables that are left alone for a while, while sides come and go: what happened meanwhile arrives when they go on.
//!
//! Apart from `schema`, which says when a table is left alone, and from `adversary`, where sides are away.

use serde_json::json;

use crate::common::{World, assert_converged, assert_settled, check, check_side, is_empty_run, open, state};

const TABLES: &str =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 'a'), (2, 'b'), (5, 'e');
                      CREATE TABLE o(id INTEGER PRIMARY KEY, v)";

/// The bot is busy while rows of t come, change and go at the hub.
fn missed(sides: &[&str]) -> World {
    let mut world = World::new(sides);
    world.json["guards"]["busy_timeout_ms"] = json!(20);
    let world = world.start(TABLES);
    world.sync();
    let busy = open(&world.path("bot"));
    busy.execute_batch("BEGIN EXCLUSIVE").unwrap();
    world.edit("central", "INSERT INTO t(id, v) VALUES(3, 'new'); UPDATE t SET v = 'B' WHERE id = 2; DELETE FROM t WHERE id = 5");
    let report = world.sync();
    assert!(
        report["databases"]["d"]["warnings"][0].as_str().unwrap().starts_with("bot was skipped"),
        "{report:#}"
    );
    busy.execute_batch("ROLLBACK").unwrap();
    world
}

const SIDES: [&[&str]; 2] = [&["bot", "central"], &["bot", "central", "website"]];

#[test]
fn what_a_side_missed_of_a_table_arrives_when_that_goes_on() {
    for sides in SIDES {
        let world = missed(sides);
        world.edit("bot", "ALTER TABLE t ADD COLUMN n TEXT; UPDATE t SET v = 'A' WHERE id = 1");
        world.edit("central", "ALTER TABLE t ADD COLUMN n INTEGER; INSERT INTO o VALUES(1, 1)");
        let report = world.sync();
        let warnings = report["databases"]["d"]["warnings"].to_string();
        assert!(warnings.contains("t is left alone"), "{report:#}");
        check_side(&world, "bot", "SELECT * FROM o", &["1 1"]);
        check_side(&world, "bot", "SELECT id, v FROM t", &["1 'A'", "2 'b'", "5 'e'"]);
        // As long as it takes.
        world.edit("central", "INSERT INTO o VALUES(2, 1)");
        world.sync();
        world.edit("bot", "ALTER TABLE t DROP COLUMN n");
        world.sync();
        world.sync();
        check(&world, "SELECT id, v FROM t", &["1 'A'", "2 'B'", "3 'new'"]);
        assert_converged(&world);
        assert_settled(&world);
        // Nothing is behind any more.
        world.edit("bot", "DELETE FROM t WHERE id = 3");
        world.sync();
        check(&world, "SELECT id, v FROM t", &["1 'A'", "2 'B'"]);
        assert!(is_empty_run(&world.sync()));
    }
}

#[test]
fn what_a_side_missed_of_a_table_arrives_when_that_is_no_longer_excluded() {
    for sides in SIDES {
        let world = missed(sides).tables(json!({ "t": { "exclude": true } }));
        world.edit("bot", "INSERT INTO t(id, v) VALUES(4, 'bot')");
        world.edit("central", "INSERT INTO o VALUES(1, 1)");
        world.sync();
        check_side(&world, "bot", "SELECT * FROM o", &["1 1"]);
        check_side(&world, "bot", "SELECT id FROM t", &["1", "2", "4", "5"]);
        let world = world.tables(json!({}));
        world.sync();
        check(&world, "SELECT id, v FROM t", &["1 'a'", "2 'B'", "3 'new'", "4 'bot'"]);
        assert_converged(&world);
        assert_settled(&world);
    }
}

/// A table that came while a side was away is not one that the side has emptied.
#[test]
fn a_table_that_a_side_has_missed_as_a_whole_arrives_with_its_rows() {
    for sides in SIDES {
        let mut world = World::new(sides);
        world.json["guards"]["busy_timeout_ms"] = json!(20);
        let world = world.start("CREATE TABLE o(id INTEGER PRIMARY KEY, v)");
        world.sync();
        let busy = open(&world.path("bot"));
        busy.execute_batch("BEGIN EXCLUSIVE").unwrap();
        world.edit(
            "central",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 'a'), (2, 'b')",
        );
        world.sync();
        busy.execute_batch("ROLLBACK").unwrap();
        let world = world.tables(json!({ "t": { "exclude": true } }));
        world.edit("central", "INSERT INTO o VALUES(1, 1)");
        world.sync();
        check_side(&world, "bot", "SELECT * FROM o", &["1 1"]);
        let world = world.tables(json!({}));
        world.sync();
        check(&world, "SELECT * FROM t", &["1 'a'", "2 'b'"]);
        assert_converged(&world);
        assert_settled(&world);
    }
}

/// Whoever lacks something of a table cannot be the one that all others follow.
#[test]
fn a_side_that_is_behind_in_a_table_is_no_hub() {
    let world = missed(&["bot", "central"]).tables(json!({ "t": { "exclude": true } }));
    world.edit("central", "INSERT INTO o VALUES(1, 1)");
    world.sync();
    let mut world = world.tables(json!({}));
    world.json["hub"] = json!("bot");
    let report = world.sync();
    assert_eq!(state(&report), "failed", "{report:#}");
    assert!(report.to_string().contains("has missed what became of t"), "{report:#}");
    check_side(&world, "central", "SELECT id, v FROM t", &["1 'a'", "2 'B'", "3 'new'"]);
    world.json["hub"] = json!("central");
    world.sync();
    world.json["hub"] = json!("bot");
    world.sync();
    check(&world, "SELECT id, v FROM t", &["1 'a'", "2 'B'", "3 'new'"]);
    assert_converged(&world);
}
