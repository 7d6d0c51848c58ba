//! Schemas that grow on one side before the other.
//!
//! Apart from `owners`, which shows that a schema nobody changed stays as it is.

use serde_json::json;

use crate::common::{World, check, check_side, shape};

#[test]
fn a_new_column_travels_with_its_values() {
    for (from, to) in [("bot", "central"), ("central", "bot")] {
        let world = World::two()
            .start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('a', 1), ('b', 1)");
        world.edit(
            from,
            "ALTER TABLE t ADD COLUMN mood TEXT DEFAULT 'fine'; UPDATE t SET mood = 'great' WHERE k = 'a';
             INSERT INTO t VALUES('c', 1, 'new')",
        );
        world.edit(to, "UPDATE t SET x = 2 WHERE k = 'a'; INSERT INTO t VALUES('d', 1)");
        let report = world.sync();
        assert_eq!(report["ok"], true, "{report:#}");
        assert_eq!(report["conflicts"], 0, "{:?}", world.conflicts());
        check(
            &world,
            "SELECT k, x, mood FROM t",
            &["'a' 2 'great'", "'b' 1 'fine'", "'c' 1 'new'", "'d' 1 'fine'"],
        );
        world.edit(to, "INSERT INTO t(k) VALUES('e'); UPDATE t SET mood = 'bad' WHERE k = 'b'");
        world.sync();
        check_side(&world, from, "SELECT k, mood FROM t WHERE k IN ('b', 'e')", &["'b' 'bad'", "'e' 'fine'"]);
    }
}

#[test]
fn a_new_table_and_its_index_travel() {
    let world = World::three().start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    world.edit(
        "website",
        "CREATE TABLE [new table](id INTEGER PRIMARY KEY AUTOINCREMENT, \"odd \"\"name\" TEXT, x CHECK(x > 0));
         CREATE INDEX [new index] ON [new table](x); INSERT INTO [new table](x) VALUES(1), (2)",
    );
    assert_eq!(world.sync()["conflicts"], 0);
    check(&world, "SELECT id, x FROM [new table]", &["1 1", "2 2"]);
    assert_eq!(shape(&world, "bot"), shape(&world, "website"));
    assert_eq!(shape(&world, "central"), shape(&world, "website"));
}

#[test]
fn triggers_and_views_stay_home() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    world.edit(
        "bot",
        "CREATE VIEW v AS SELECT k FROM t; CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM t; END; CREATE TABLE n(x)",
    );
    world.sync();
    check_side(&world, "central", "SELECT name FROM sqlite_schema WHERE type IN ('view', 'trigger')", &[]);
    check_side(&world, "central", "SELECT name FROM sqlite_schema WHERE name = 'n'", &["'n'"]);
}

#[test]
fn schema_none_carries_nothing() {
    let mut world = World::two();
    world.json["databases"]["d"]["schema"] = json!("none");
    let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, x)");
    world.edit("bot", "CREATE TABLE n(x); CREATE INDEX tx ON t(x); INSERT INTO t VALUES('a', 1)");
    let report = world.sync();
    assert_eq!(report["ok"], true);
    println!("{report:#}");
    check_side(&world, "central", "SELECT name FROM sqlite_schema WHERE name IN ('n', 'tx')", &[]);
    check_side(&world, "central", "SELECT k FROM t", &["'a'"]);
}

/// Anything but growing pauses that table; the others go on.
#[test]
fn a_dropped_column_pauses_its_table() {
    let world = World::two().start(
        "CREATE TABLE t(k TEXT PRIMARY KEY, x, y); CREATE TABLE other(k TEXT PRIMARY KEY); INSERT INTO t VALUES('a', 1, 2)",
    );
    world.edit(
        "bot",
        "ALTER TABLE t DROP COLUMN y; INSERT INTO t VALUES('b', 1); INSERT INTO other VALUES('bot')",
    );
    world.edit("central", "INSERT INTO other VALUES('central')");
    let report = world.sync();
    assert_eq!(report["ok"], true, "{report:#}");
    let told = report["databases"]["d"]["warnings"].to_string();
    assert!(told.contains("column y"), "{told}");
    check_side(&world, "central", "SELECT k, x, y FROM t", &["'a' 1 2"]);
    for side in ["bot", "central"] {
        check_side(&world, side, "SELECT k FROM other", &["'bot'", "'central'"]);
    }
}

#[test]
fn generated_columns_are_left_to_sqlite() {
    let world = World::two().start(
        "CREATE TABLE t(k TEXT PRIMARY KEY, x INTEGER, twice AS (x * 2), stored AS (x * 3) STORED); INSERT INTO t(k, x) VALUES('a', 1)",
    );
    world.edit("bot", "UPDATE t SET x = 5; INSERT INTO t(k, x) VALUES('b', 2)");
    assert_eq!(world.sync()["conflicts"], 0);
    check(&world, "SELECT k, twice, stored FROM t", &["'a' 10 15", "'b' 4 6"]);
}
