//! Schemas that grow on one side before the other.
//!
//! Apart from `owners`, which shows that a schema nobody changed stays as it is.

use serde_json::json;

use crate::common::{World, assert_settled, check, check_side, is_empty_run, open, query, shape};

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

/// A world whose schema policy is `policy`.
fn with_policy(world: World, policy: &str) -> World {
    let mut world = world;
    world.json["databases"]["d"]["schema"] = json!(policy);
    world
}

const CODE: &str = "SELECT type, name FROM sqlite_schema WHERE type IN ('view', 'trigger')";
const MAKE_CODE: &str = "CREATE VIEW v AS SELECT k FROM t; CREATE VIEW a_w AS SELECT * FROM v;
    CREATE TRIGGER on_v INSTEAD OF INSERT ON v BEGIN INSERT INTO t(k) VALUES(new.k); END;
    CREATE TRIGGER on_t AFTER INSERT ON t BEGIN INSERT INTO log VALUES(new.k); END";

#[test]
fn views_and_triggers_travel_with_schema_all() {
    let world = with_policy(World::three(), "all").start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    world.edit(
        "bot",
        &format!("CREATE TABLE log(k); CREATE INDEX log_k ON log(k); {MAKE_CODE}; INSERT INTO v VALUES('a')"),
    );
    let report = world.sync();
    assert_eq!(report["ok"], true, "{report:#}");
    assert_eq!(report["databases"]["d"]["warnings"], json!([]));
    let all = ["'trigger' 'on_t'", "'trigger' 'on_v'", "'view' 'a_w'", "'view' 'v'"];
    check(&world, CODE, &all);
    // Our own writes fire nothing: what triggers wrote travels as rows.
    check(&world, "SELECT k FROM log", &["'a'"]);
    world.edit("website", "INSERT INTO v VALUES('b')");
    world.sync();
    check(&world, "SELECT k FROM log", &["'a'", "'b'"]);
    check(&world, "SELECT k FROM a_w", &["'a'", "'b'"]);
    assert_settled(&world);
}

#[test]
fn views_and_triggers_stay_where_they_are_otherwise() {
    for policy in ["additive", "none"] {
        let world = with_policy(World::two(), policy)
            .start("CREATE TABLE t(k TEXT PRIMARY KEY); CREATE TABLE log(k)");
        world.edit("bot", &format!("{MAKE_CODE}; INSERT INTO t VALUES('a')"));
        assert_eq!(world.sync()["databases"]["d"]["warnings"], json!([]));
        check_side(&world, "central", CODE, &[]);
        check(&world, "SELECT k FROM log", &["'a'"]);
    }
}

#[test]
fn each_side_keeps_its_own_view() {
    let world = with_policy(World::three(), "all").start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    world.edit("bot", "CREATE VIEW v AS SELECT 'bot'");
    world.edit("central", "CREATE VIEW v AS SELECT 'central'");
    let report = world.sync();
    let told = report["databases"]["d"]["warnings"].to_string();
    assert!(told.contains("view v is not the same on central and bot; each keeps its own"), "{told}");
    for (side, has) in [("bot", "'bot'"), ("central", "'central'"), ("website", "'central'")] {
        check_side(&world, side, "SELECT * FROM v", &[has]);
    }
    assert!(is_empty_run(&world.sync()));
}

#[test]
fn a_dropped_view_is_not_brought_back_until_it_is_new() {
    let world = with_policy(World::two(), "all").start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    world.edit("bot", "CREATE VIEW v AS SELECT 1");
    world.sync();
    world.edit("central", "DROP VIEW v");
    world.edit("bot", "INSERT INTO t VALUES('a')");
    world.sync();
    check_side(&world, "central", CODE, &[]);
    check_side(&world, "bot", CODE, &["'view' 'v'"]);
    world.edit("bot", "DROP VIEW v");
    world.sync();
    world.edit("bot", "CREATE VIEW v AS SELECT 2");
    world.sync();
    check(&world, "SELECT * FROM v", &["2"]);
}

/// Nothing that a view or trigger runs into keeps a row.
#[test]
fn a_view_that_a_side_refuses_is_a_warning() {
    let world = with_policy(World::two(), "all").start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    world.edit("central", "CREATE INDEX taken ON t(k)");
    world.edit(
        "bot",
        "CREATE VIEW taken AS SELECT 1; CREATE VIEW fine AS SELECT 1; INSERT INTO t VALUES('a')",
    );
    // The index cannot come to the bot either; that waits with its table, as ever.
    let report = world.sync();
    assert_eq!(report["ok"], true, "{report:#}");
    let told = report["databases"]["d"]["warnings"].to_string();
    assert!(told.contains("taken"), "{told}");
    check_side(&world, "central", "SELECT name FROM sqlite_schema WHERE type = 'view'", &["'fine'"]);
}

#[test]
fn a_trigger_on_a_table_that_does_not_travel_stays() {
    let world = with_policy(World::two(), "all")
        .tables(json!({ "own": { "exclude": true } }))
        .start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    world.edit("bot", "CREATE TABLE own(a); CREATE TRIGGER tr AFTER INSERT ON own BEGIN SELECT 1; END");
    assert_eq!(world.sync()["databases"]["d"]["warnings"], json!([]));
    check_side(&world, "central", "SELECT name FROM sqlite_schema WHERE name IN ('own', 'tr')", &[]);
    assert_settled(&world);
}

/// What an intruder may have put into one side's schema is not run on another.
#[test]
fn a_forged_schema_plants_nothing() {
    let forged = [
        ("table", "CREATE TABLE x(a); CREATE TABLE planted(a)"),
        ("table", "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM t; END"),
        ("index", "CREATE INDEX x ON t(v); CREATE TABLE planted(a)"),
        ("index", "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM t; END"),
    ];
    for (kind, sql) in forged {
        let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, v)");
        let db = world.open("bot");
        // Something of the kind that is there, with other words put in its place.
        db.execute_batch(if kind == "table" { "CREATE TABLE x(a)" } else { "CREATE INDEX x ON t(v)" })
            .unwrap();
        db.execute_batch("PRAGMA writable_schema = ON").unwrap();
        db.execute("UPDATE sqlite_schema SET sql = ?1 WHERE name = 'x'", [sql]).unwrap();
        drop(db);
        world.edit("central", "INSERT INTO t VALUES('a', 1)");
        world.sync();
        check_side(
            &world,
            "central",
            "SELECT name FROM sqlite_schema WHERE type = 'trigger' OR name = 'planted'",
            &[],
        );
        check_side(&world, "central", "SELECT k FROM t", &["'a'"]);
    }
}

/// Tables of every make, in files of every make, one row edited on each side.
#[test]
fn tables_and_files_of_every_make() {
    let tables = [
        "CREATE TABLE t(k TEXT PRIMARY KEY, v ANY) STRICT",
        "CREATE TABLE t(k TEXT, v, PRIMARY KEY(k DESC)) WITHOUT ROWID",
        "CREATE TABLE t(k TEXT, v, PRIMARY KEY(k DESC))",
        "CREATE TABLE t(rowid TEXT, _rowid_ TEXT, k TEXT PRIMARY KEY, v)",
        "CREATE TABLE t(oid TEXT, rowid INTEGER PRIMARY KEY, k TEXT UNIQUE NOT NULL, v)",
        "CREATE TABLE t(k TEXT PRIMARY KEY, v, twice AS (v || v), kept AS (v || v) STORED)",
        "CREATE TABLE t(id INTEGER PRIMARY KEY DESC, k TEXT, v)",
        "CREATE TABLE t(k TEXT, v)",
    ];
    let files = [
        "PRAGMA page_size = 512",
        "PRAGMA page_size = 65536",
        "PRAGMA encoding = 'UTF-16le'",
        "PRAGMA encoding = 'UTF-16be'",
        "PRAGMA auto_vacuum = FULL",
        "PRAGMA journal_mode = WAL",
    ];
    for table in tables {
        for file in files {
            let world = World::two().start(&format!(
                "{file}; {table}; INSERT INTO t(k, v) VALUES('a', '1'), ('b', '2'), ('c', '3')"
            ));
            world.edit("bot", "UPDATE t SET v = '9' WHERE k = 'a'; INSERT INTO t(k, v) VALUES('d', 'bot')");
            world.edit("central", "DELETE FROM t WHERE k = 'b'; INSERT INTO t(k, v) VALUES('e', 'central')");
            assert_eq!(world.sync()["conflicts"], 0, "{file}; {table}: {:?}", world.conflicts());
            check(&world, "SELECT k, v FROM t", &["'a' '9'", "'c' '3'", "'d' 'bot'", "'e' 'central'"]);
            let generated = query(
                &world.open("central"),
                "SELECT name FROM pragma_table_xinfo('t') WHERE name = 'twice'",
            );
            if !generated.rows.is_empty() {
                check(&world, "SELECT twice FROM t WHERE twice = kept AND k = 'a'", &["'99'"]);
            }
        }
    }
}

/// Without a name to reach its row ids by, a table cannot be told apart row by row.
#[test]
fn a_table_that_hides_its_row_ids_is_left_alone() {
    let world =
        World::two().start("CREATE TABLE t(rowid, _rowid_, oid); CREATE TABLE other(k TEXT PRIMARY KEY)");
    world.edit("bot", "INSERT INTO t VALUES(1, 2, 3); INSERT INTO other VALUES('a')");
    let told = world.sync()["databases"]["d"]["warnings"].to_string();
    assert!(told.contains("t is left alone: its columns hide every name of the row id"), "{told}");
    check_side(&world, "central", "SELECT k FROM other", &["'a'"]);
    assert_settled(&world);
}

/// A collation of the owner's is not here, so rows cannot be matched or put in order by it.
#[test]
fn a_table_of_an_unknown_collation_is_left_alone() {
    let world = World::two()
        .start("CREATE TABLE t(k TEXT PRIMARY KEY COLLATE NOCASE); CREATE TABLE other(k TEXT PRIMARY KEY)");
    world.edit_all("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'own') WHERE name = 't'");
    world.edit("bot", "INSERT INTO other VALUES('a')");
    let told = world.sync()["databases"]["d"]["warnings"].to_string();
    assert!(told.contains("t is left alone: ") && told.contains("unknown collation own"), "{told}");
    check_side(&world, "central", "SELECT k FROM other", &["'a'"]);
}

/// A trigger that cannot do its work would make every write of that side's owner fail.
#[test]
fn what_would_not_work_on_a_side_is_not_made_there() {
    let world = with_policy(World::two(), "all")
        .tables(json!({ "own": { "exclude": true } }))
        .start("CREATE TABLE t(k TEXT PRIMARY KEY, v)");
    world.edit(
        "bot",
        "CREATE TABLE own(k); CREATE VIEW v AS SELECT k FROM own;
         CREATE TRIGGER tr_i AFTER INSERT ON t BEGIN INSERT INTO own VALUES(new.k); END;
         CREATE TRIGGER tr_u AFTER UPDATE OF v ON t BEGIN INSERT INTO own VALUES(new.k); END;
         CREATE TRIGGER tr_d AFTER DELETE ON t BEGIN DELETE FROM own WHERE k = old.k; END;
         CREATE TRIGGER fine AFTER DELETE ON t BEGIN SELECT 1; END;
         INSERT INTO t VALUES('a', 1)",
    );
    let report = world.sync();
    assert_eq!(report["ok"], true, "{report:#}");
    let told = report["databases"]["d"]["warnings"].to_string();
    for title in ["view v", "trigger tr_i", "trigger tr_u", "trigger tr_d"] {
        assert!(
            told.contains(&format!("{title} was not made on central: no such table: main.own")),
            "{told}"
        );
    }
    check_side(&world, "central", CODE, &["'trigger' 'fine'"]);
    world.edit("central", "INSERT INTO t VALUES('b', 1); UPDATE t SET v = 2; DELETE FROM t WHERE k = 'a'");
    let report = world.sync();
    assert_eq!(report["databases"]["d"]["warnings"], json!([]), "said once");
    for side in ["bot", "central"] {
        check_side(&world, side, "SELECT k, v FROM t", &["'b' 2"]);
    }
}

const USERS: &str = "CREATE TABLE u(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, token TEXT); \
     CREATE TABLE w(k TEXT PRIMARY KEY, token TEXT) WITHOUT ROWID; CREATE TABLE l(line TEXT, token TEXT); \
     WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80) \
     INSERT INTO u(name, token) SELECT 'u' || i, iif(i % 10, 't' || i, NULL) FROM n; \
     INSERT INTO w SELECT name, token FROM u; INSERT INTO l SELECT name, token FROM u; \
     INSERT INTO l SELECT name, token FROM u WHERE id < 5;";

/// Whoever adds a column again, as he is told to, has not emptied it everywhere.
#[test]
fn a_column_that_is_back_gets_its_values_back() {
    for side in ["bot", "central", "website"] {
        let world = World::three().start(USERS);
        for table in ["u", "w", "l"] {
            world.edit(side, &format!("ALTER TABLE {table} DROP COLUMN token"));
        }
        let report = world.sync();
        assert!(report.to_string().contains("column token was dropped on"), "{report:#}");
        // What others do meanwhile, and the side itself: one row is written anew under another id.
        world.edit("bot", "UPDATE u SET name = 'renamed' WHERE name = 'u7'");
        world.edit(side, "INSERT OR REPLACE INTO u(name) VALUES ('u8'); INSERT INTO u(name) VALUES ('new')");
        world.sync();
        for table in ["u", "w", "l"] {
            world.edit(side, &format!("ALTER TABLE {table} ADD COLUMN token TEXT"));
        }
        world.edit(side, "UPDATE u SET token = 'own' WHERE name = 'u9'");
        let dry = world.dry_run();
        assert!(dry.to_string().contains("is back on"), "{dry:#}");
        let report = world.sync();
        assert_eq!(report["databases"]["d"]["conflicts"], 0, "{side}: {report:#}");
        assert!(report.to_string().contains("is back on"), "{report:#}");
        for other in ["bot", "central", "website"] {
            check_side(&world, other, "SELECT count(*), count(token) FROM u", &["81 72"]);
            check_side(
                &world,
                other,
                "SELECT name, token FROM u WHERE name IN ('renamed', 'u8', 'u9', 'u10', 'new') ORDER BY name",
                &["'new' NULL", "'renamed' 't7'", "'u10' NULL", "'u8' 't8'", "'u9' 'own'"],
            );
            check_side(&world, other, "SELECT count(token) FROM w", &["72"]);
            check_side(&world, other, "SELECT count(*), count(token) FROM l", &["84 76"]);
        }
        assert!(!world.sync().to_string().contains("is back on"));
    }
}

/// Nor has whoever creates a table again deleted its rows.
#[test]
fn a_table_that_is_back_gets_its_rows_back() {
    for side in ["bot", "central", "website"] {
        let world = World::three().start(USERS);
        let rows = |other: &str| {
            ["SELECT * FROM w ORDER BY k", "SELECT * FROM l ORDER BY line"].map(|sql| world.lines(other, sql))
        };
        let before = rows("bot");
        world.edit(side, "DROP TABLE w; DROP TABLE l");
        let report = world.sync();
        assert!(report.to_string().contains("it was dropped on"), "{report:#}");
        world.edit(
            side,
            "CREATE TABLE w(k TEXT PRIMARY KEY, token TEXT) WITHOUT ROWID; CREATE TABLE l(line TEXT, token TEXT)",
        );
        let report = world.sync();
        assert_eq!(report["databases"]["d"]["conflicts"], 0, "{side}: {report:#}");
        for other in ["bot", "central", "website"] {
            assert_eq!(rows(other), before, "{side}, on {other}: {report:#}");
        }
    }
}

/// What may be an old copy is not written to, whatever of it is back.
#[test]
fn a_column_that_is_back_in_an_old_copy_waits_with_it() {
    let world = World::two().start(USERS);
    let old = std::fs::read(world.path("bot")).unwrap();
    world.edit("bot", "ALTER TABLE w DROP COLUMN token");
    world.edit("central", "UPDATE u SET token = 'new' WHERE id > 10");
    world.sync();
    let mut copy = old;
    // Its counter is lower, and one of its cells is as if it had just been added.
    let path = world.root().join("old.db");
    std::fs::write(&path, &copy).unwrap();
    open(&path).execute("UPDATE w SET token = NULL WHERE k = 'u1'", []).unwrap();
    copy = std::fs::read(&path).unwrap();
    std::fs::remove_file(world.path("bot")).unwrap();
    std::fs::write(world.path("bot"), &copy).unwrap();
    let report = world.sync();
    assert_eq!(report["databases"]["d"]["state"], "held", "{report:#}");
    assert!(std::fs::read(world.path("bot")).unwrap() == copy, "it was written to: {report:#}");
}
