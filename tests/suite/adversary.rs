//! What an adversary tried: late and rebuilt schemas, paused tables, references, resolutions, files that are replaced.
//!
//! Apart from the other stories because each of these once lost or doubled something, got stuck, or said that it was
//! done when it was not. `recovery` and `races` have those that need a moment to be hit.

use cr0sync::database::Take;
use serde_json::json;

use crate::common::{
    USERS, World, assert_converged, assert_settled, check, check_side, conflict_lines, fk_violations, state,
};

#[test]
fn both_added_the_column_bag() {
    let world = World::two().start("CREATE TABLE score(u, p); INSERT INTO score VALUES('a',1),('b',2)");
    world.edit_all("ALTER TABLE score ADD COLUMN lvl INTEGER DEFAULT 1");
    world.sync();
    check(&world, "SELECT * FROM score", &["'a' 1 1", "'b' 2 1"]);
}

#[test]
fn both_added_the_column_sum() {
    // the policy names a column which does not exist yet, so start without
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY); INSERT INTO t VALUES('a')");
    world.edit_all(
        "ALTER TABLE t ADD COLUMN n INTEGER DEFAULT 0; ALTER TABLE t ADD COLUMN m INTEGER DEFAULT 0",
    );
    let world = world.tables(json!({"t":{"columns":{"n":"sum"}}}));
    world.edit("bot", "UPDATE t SET n=n+3, m = 8");
    world.edit("central", "UPDATE t SET n=n+2");
    let r = world.sync();
    assert_eq!(r["conflicts"], 0, "{:?}", conflict_lines(&world));
    check(&world, "SELECT * FROM t", &["'a' 5 8"]);
}

#[test]
fn dedup_then_unique_index() {
    let world = World::two().start("CREATE TABLE t(id INTEGER PRIMARY KEY, u, x); CREATE TABLE o(k TEXT PRIMARY KEY); INSERT INTO t VALUES(1,'a',1),(2,'a',2)");
    world.edit("bot", "DELETE FROM t WHERE id=2; CREATE UNIQUE INDEX tu ON t(u); INSERT INTO o VALUES('z')");
    world.sync();
    world.sync();
    check(&world, "SELECT * FROM o", &["'z'"]);
    check(&world, "SELECT * FROM t", &["1 'a' 1"]);
}

#[test]
fn dedup_both_then_unique_index() {
    let world = World::two().start("CREATE TABLE t(id INTEGER PRIMARY KEY, u, x); CREATE TABLE o(k TEXT PRIMARY KEY); INSERT INTO t VALUES(1,'a',1),(2,'a',2)");
    world.edit_all("DELETE FROM t WHERE id=2");
    world.edit("bot", "CREATE UNIQUE INDEX tu ON t(u); INSERT INTO o VALUES('z')");
    world.sync();
    world.sync();
    check(&world, "SELECT * FROM o", &["'z'"]);
    check(&world, "SELECT * FROM t", &["1 'a' 1"]);
}

#[test]
fn index_name_clash() {
    let world =
        World::two().start("CREATE TABLE a(k TEXT PRIMARY KEY, x); CREATE TABLE b(k TEXT PRIMARY KEY, x)");
    world.edit("bot", "CREATE INDEX i ON a(x); INSERT INTO a VALUES('1',1)");
    world.edit("central", "CREATE INDEX i ON b(x); INSERT INTO b VALUES('1',1)");
    let r = world.sync();
    assert_eq!(r["ok"], true);
}

#[test]
fn bag_refused() {
    let world = World::two();
    world.edit("bot", "CREATE TABLE s(u, p); CREATE TABLE o(k TEXT PRIMARY KEY)");
    world.edit("central", "CREATE TABLE s(u, p NOT NULL); CREATE TABLE o(k TEXT PRIMARY KEY)");
    world.sync();
    world.edit("bot", "INSERT INTO s VALUES('x', NULL); INSERT INTO o VALUES('z')");
    let r = world.sync();
    for side in ["bot", "central"] {
        check_side(&world, side, "SELECT * FROM o", &["'z'"]);
    }
    assert_eq!(r["ok"], true);
    assert!(r.to_string().contains("s is left alone"), "{r:#}");
}

#[test]
fn nullable_unique_without_pk() {
    let world = World::two().start("CREATE TABLE s(nick TEXT UNIQUE, n); CREATE TABLE o(k TEXT PRIMARY KEY); INSERT INTO s VALUES('a', 1)");
    world.edit("bot", "UPDATE s SET n=2; INSERT INTO o VALUES('z')");
    world.edit("central", "UPDATE s SET n=3");
    world.sync();
    check(&world, "SELECT * FROM o", &["'z'"]);
}

#[test]
fn many_refused() {
    let world = World::two();
    world.edit("bot", "CREATE TABLE s(k TEXT PRIMARY KEY, p); CREATE TABLE o(k TEXT PRIMARY KEY)");
    world.edit(
        "central",
        "CREATE TABLE s(k TEXT PRIMARY KEY, p CHECK(p>0)); CREATE TABLE o(k TEXT PRIMARY KEY)",
    );
    world.sync();
    world.edit("bot", "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<60) INSERT INTO s SELECT i, 0 FROM c; INSERT INTO o VALUES('z')");
    let r = world.sync();
    for side in ["bot", "central"] {
        check_side(&world, side, "SELECT * FROM o", &["'z'"]);
    }
    assert_eq!(r["ok"], true);
    assert!(r.to_string().contains("s is left alone"), "{r:#}");
}

#[test]
fn unknown_function_index() {
    let world = World::two();
    let sql = "CREATE TABLE s(k TEXT PRIMARY KEY, p); CREATE TABLE o(k TEXT PRIMARY KEY)";
    for side in ["bot", "central"] {
        world.edit(side, sql);
    }
    world.sync();
    let out = std::process::Command::new("python3").arg("-c").arg("import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.create_function('mine',1,lambda x:1,deterministic=True); c.executescript(\"CREATE INDEX si ON s(mine(p)); INSERT INTO s VALUES('x', 1); INSERT INTO o VALUES('z')\")").arg(world.path("bot")).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let r = world.sync();
    for side in ["bot", "central"] {
        check_side(&world, side, "SELECT * FROM o", &["'z'"]);
    }
    assert_eq!(r["ok"], true);
    assert!(r.to_string().contains("s is left alone"), "{r:#}");
}

/// What points at a table by configuration follows it, also where the table is made later.
#[test]
fn children_come_before_their_configured_parent() {
    for (columns, bot, central, want) in [
        ("uid, pts", "1, 1", "1, 2", ["'bob' 1", "'cat' 2"]),
        ("id INTEGER PRIMARY KEY, uid, pts", "1, 1, 5", "1, 1, 5", ["'bob' 5", "'cat' 5"]),
        ("uid, item, pts, PRIMARY KEY(uid, item)", "1, 1, 5", "1, 1, 6", ["'bob' 5", "'cat' 6"]),
    ] {
        let world = World::two()
            .tables(json!({"score":{"references":{"uid":"users.id"}}}))
            .start(&format!("CREATE TABLE score({columns}); {USERS}"));
        world.edit("bot", &format!("INSERT INTO users(nick) VALUES('bob'); INSERT INTO score VALUES({bot})"));
        world.edit(
            "central",
            &format!("INSERT INTO users(nick) VALUES('cat'); INSERT INTO score VALUES({central})"),
        );
        world.sync();
        check(&world, "SELECT nick, pts FROM score JOIN users ON users.id = uid", &want);
    }
}

#[test]
fn self_reference_adoption() {
    let world = World::two();
    let t = "CREATE TABLE n(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, parent REFERENCES n(id))";
    world.edit("bot", &format!("{t}; INSERT INTO n VALUES(1,'a',NULL),(3,'c',1)"));
    world.edit("central", &format!("{t}; INSERT INTO n VALUES(1,'x',NULL),(3,'c',1)"));
    world.sync();
    assert!(
        conflict_lines(&world).iter().any(|l| l.contains("parent")),
        "c hung on a at the bot and on x at the hub"
    );
}

#[test]
fn natural_parent_renamed_many_cols() {
    let world = World::two().start("CREATE TABLE u(id INTEGER PRIMARY KEY, nick TEXT NOT NULL UNIQUE, e); CREATE TABLE c(id INTEGER PRIMARY KEY, nick REFERENCES u(nick) ON UPDATE CASCADE, x); INSERT INTO u VALUES(1,'a',5),(2,'q',6); INSERT INTO c VALUES(1,'a',1)");
    world.edit("bot", "PRAGMA foreign_keys=ON; UPDATE u SET nick='b' WHERE nick='a'");
    world.edit("central", "PRAGMA foreign_keys=ON; INSERT INTO c VALUES(2,'a',2)");
    world.sync();
    assert_eq!(fk_violations(&world, "central") + fk_violations(&world, "bot"), 0);
}

#[test]
fn null_key_rows_ids() {
    let world = World::two().tables(json!({"users":{"identity":["nick"]}})).start("CREATE TABLE users(id INTEGER PRIMARY KEY, nick TEXT UNIQUE); CREATE TABLE notes(id INTEGER PRIMARY KEY, uid REFERENCES users(id), t)");
    world.edit("bot", "INSERT INTO users VALUES(5, NULL); INSERT INTO notes VALUES(1, 5, 'of nobody')");
    world.edit("central", "INSERT INTO users VALUES(5, 'x'); INSERT INTO notes VALUES(1, 5, 'of x')");
    world.sync();
    for side in ["bot", "central"] {
        assert_eq!(
            world.lines(side, "SELECT t, nick FROM notes LEFT JOIN users ON users.id=uid ORDER BY t"),
            &["'of nobody' NULL", "'of x' 'x'"]
        );
    }
}

#[test]
fn paused_parent() {
    let world = World::two().start("CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, nick TEXT NOT NULL UNIQUE, c); CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, uid REFERENCES users(id), t)");
    world.edit("bot", "ALTER TABLE users DROP COLUMN c; INSERT INTO users(nick) VALUES('bob'); INSERT INTO notes(uid,t) VALUES(1,'of bob')");
    world.edit(
        "central",
        "INSERT INTO users(nick) VALUES('cat'); INSERT INTO notes(uid,t) VALUES(1,'of cat')",
    );
    world.sync();
    world.edit("bot", "ALTER TABLE users ADD COLUMN c");
    world.sync();
    check(
        &world,
        "SELECT nick, t FROM notes JOIN users ON users.id=uid ORDER BY 1",
        &["'bob' 'of bob'", "'cat' 'of cat'"],
    );
}

#[test]
fn excluded_then_included() {
    let world = World::two().tables(json!({"t":{"exclude":true}}));
    let t = "CREATE TABLE t(k TEXT PRIMARY KEY, x)";
    world.edit("bot", &format!("{t}; INSERT INTO t VALUES('bot',1)"));
    world.edit("central", &format!("{t}; INSERT INTO t VALUES('central',1)"));
    world.sync();
    let world = world.tables(json!({}));
    world.sync();
    check(&world, "SELECT k FROM t ORDER BY 1", &["'bot'", "'central'"]);
}

#[test]
fn excluded_sync_from_then_included() {
    let world = World::two().tables(json!({"t":{"exclude":true}}));
    let t = "CREATE TABLE t(k TEXT PRIMARY KEY, x); CREATE TABLE o(k TEXT PRIMARY KEY)";
    world.edit("bot", &format!("{t}; INSERT INTO t VALUES('bot',1),('both',1)"));
    world.edit("central", &format!("{t}; INSERT INTO t VALUES('central',1),('both',1)"));
    world.sync();
    world.edit("bot", "INSERT INTO o VALUES('z')");
    world.sync_from("bot").unwrap();
    let world = world.tables(json!({}));
    world.sync();
    check(&world, "SELECT k FROM t ORDER BY 1", &["'bot'", "'both'", "'central'"]);
}

#[test]
fn paused_at_adoption() {
    let world = World::two();
    world.edit("bot", "CREATE TABLE t(k TEXT PRIMARY KEY, x INT); INSERT INTO t VALUES('bot',1)");
    world.edit("central", "CREATE TABLE t(k TEXT PRIMARY KEY, x TEXT); INSERT INTO t VALUES('central',1)");
    world.sync();
    world.edit("central", "ALTER TABLE t RENAME TO t2; CREATE TABLE t(k TEXT PRIMARY KEY, x INT); INSERT INTO t SELECT * FROM t2; DROP TABLE t2");
    world.sync();
    check(&world, "SELECT k FROM t ORDER BY 1", &["'bot'", "'central'"]);
}

#[test]
fn acknowledged_unique_comes_again() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, u UNIQUE)");
    world.edit("bot", "INSERT INTO t VALUES('b', 1)");
    world.edit("central", "INSERT INTO t VALUES('c', 1)");
    world.sync();
    let id = world.conflicts()[0]["id"].as_str().unwrap().to_owned();
    world.acknowledge(&[id]).unwrap();
    world.edit("bot", "INSERT INTO t VALUES('d', 2)");
    let r = world.sync();
    assert_eq!(r["conflicts"], 0);
}

#[test]
fn held_cell_late_rename() {
    let mut world = World::three();
    world.json["guards"]["busy_timeout_ms"] = 50.into();
    let world = world.tables(json!({"t":{"columns":{"c":"hold"}}})).start("CREATE TABLE t(id INTEGER PRIMARY KEY, nick TEXT NOT NULL UNIQUE, c, d); INSERT INTO t VALUES(1,'a',0,0)");
    world.edit("bot", "UPDATE t SET c=1");
    world.edit("central", "UPDATE t SET c=2");
    world.sync();
    world.edit("central", "UPDATE t SET nick='b'");
    let lock = world.open("bot");
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    world.sync();
    drop(lock);
    world.sync();
    check_side(&world, "bot", "SELECT nick, c FROM t", &["'b' 1"]);
    check_side(&world, "central", "SELECT nick, c FROM t", &["'b' 2"]);
    assert_settled(&world);
}

#[test]
fn hard_link_refused() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    std::fs::hard_link(world.path("bot"), world.path("bot").with_file_name("other.db")).unwrap();
    world.edit("central", "INSERT INTO t VALUES('a')");
    world.sync();
    assert!(world.lines("bot", "SELECT * FROM t").is_empty(), "a file with two names was written");
}

#[test]
fn sequence_follows() {
    let world = World::two().start(&format!("{USERS}; INSERT INTO users(nick) VALUES('a')"));
    world.edit("bot", "INSERT INTO users(nick) VALUES('b'),('c'); DELETE FROM users WHERE nick IN ('b','c')");
    world.sync();
    check(&world, "SELECT seq FROM sqlite_sequence", &["3"]);
}

#[test]
fn bag_emptied() {
    let world = World::two().start("CREATE TABLE s(u,p); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<200) INSERT INTO s SELECT i,i FROM c");
    world.edit("bot", "DELETE FROM s");
    let r = world.sync();
    assert_eq!(state(&r), "held");
}

#[test]
fn favoured_survives_busy() {
    let mut world = World::three();
    world.json["guards"]["busy_timeout_ms"] = 50.into();
    let world = world
        .prefer(&["website"])
        .start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('a', 0)");
    world.edit("bot", "UPDATE t SET x='bot'");
    world.edit("website", "UPDATE t SET x='website'");
    world.sync_from("bot").unwrap();
    let lock = world.open("website");
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    world.sync();
    drop(lock);
    world.sync();
    check(&world, "SELECT x FROM t", &["'bot'"]);
}

#[test]
fn paused_sync_from_then_mended() {
    let world =
        World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, x, y); CREATE TABLE o(k TEXT PRIMARY KEY)");
    world.edit("bot", "ALTER TABLE t DROP COLUMN y; INSERT INTO o VALUES('z')");
    world.edit("central", "INSERT INTO t VALUES('central', 1, 1)");
    world.sync_from("bot").unwrap();
    world.edit("bot", "ALTER TABLE t ADD COLUMN y");
    world.sync();
    check(&world, "SELECT k FROM t", &["'central'"]);
}

#[test]
fn both_rebuilt_with_a_column_that_alter_refuses() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, n); INSERT INTO t VALUES('a', 10)");
    world.edit_all("CREATE TABLE t2(k TEXT PRIMARY KEY, n, made TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP); INSERT INTO t2 SELECT k, n, '2025-01-01' FROM t; DROP TABLE t; ALTER TABLE t2 RENAME TO t");
    world.edit("bot", "INSERT INTO t(k, n) VALUES('b', 1)");
    world.sync();
    world.sync();
    check(&world, "SELECT k FROM t", &["'a'", "'b'"]);
}

#[test]
fn both_rebuilt_with_a_unique_column() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, n); INSERT INTO t VALUES('a', 10)");
    world.edit_all("CREATE TABLE t2(k TEXT PRIMARY KEY, n, u UNIQUE); INSERT INTO t2 SELECT k, n, k FROM t; DROP TABLE t; ALTER TABLE t2 RENAME TO t");
    world.edit("bot", "INSERT INTO t(k, n) VALUES('b', 1)");
    world.sync();
    world.sync();
    check(&world, "SELECT k FROM t", &["'a'", "'b'"]);
}

fn python(path: &std::path::Path, sql: &str) {
    let out = std::process::Command::new("python3").arg("-c").arg("import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.create_function('mine',1,lambda x:1,deterministic=True); c.create_collation('german',lambda a,b:(a>b)-(a<b)); c.executescript(sys.argv[2])").arg(path).arg(sql).output().unwrap();
    assert!(out.status.success(), "{out:?}");
}

#[test]
fn app_function_index_from_the_start() {
    for (name, index) in [
        ("function", "CREATE INDEX si ON s(mine(p))"),
        ("collation", "CREATE INDEX si ON s(p COLLATE german)"),
    ] {
        let world = World::two();
        for side in ["bot", "central"] {
            python(
                &world.path(side),
                &format!(
                    "CREATE TABLE s(k TEXT PRIMARY KEY, p); CREATE TABLE o(k TEXT PRIMARY KEY); {index}"
                ),
            );
        }
        world.sync();
        python(&world.path("bot"), "INSERT INTO s VALUES('x', 1); INSERT INTO o VALUES('z')");
        world.sync();
        let r = world.sync();
        check_side(&world, "central", "SELECT * FROM o", &["'z'"]);
        assert_eq!(r["ok"], true, "{name}");
    }
}

#[test]
fn held_conflict_while_side_is_away() {
    let mut world = World::three();
    world.json["guards"]["busy_timeout_ms"] = 50.into();
    let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, u UNIQUE)");
    world.edit("bot", "INSERT INTO t VALUES('b', 1)");
    world.edit("central", "INSERT INTO t VALUES('c', 1)");
    world.sync();
    world.edit("website", "INSERT INTO t VALUES('d', 2)");
    let lock = world.open("bot");
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    world.sync();
    drop(lock);
    let r = world.sync();
    assert_eq!(r["conflicts"], 0, "the same held row was reported again");
    assert_eq!(conflict_lines(&world), ["t unique [u] central held"]);
}

#[test]
fn rowid_max() {
    let world = World::two().start("CREATE TABLE t(id INTEGER PRIMARY KEY, x); CREATE TABLE o(k TEXT PRIMARY KEY); INSERT INTO t VALUES(9223372036854775807, 'top')");
    world.edit("bot", "INSERT INTO t VALUES(5, 'bot'); INSERT INTO o VALUES('z')");
    world.edit("central", "INSERT INTO t VALUES(5, 'central')");
    world.sync();
    for side in ["bot", "central"] {
        check_side(&world, side, "SELECT * FROM o", &["'z'"]);
    }
    check_side(&world, "bot", "SELECT x FROM t ORDER BY x", &["'bot'", "'top'"]);
}

#[test]
fn added_column_while_a_side_is_late() {
    let mut world = World::three();
    world.json["guards"]["busy_timeout_ms"] = 50.into();
    let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, x); CREATE TABLE s(u); INSERT INTO t VALUES('a', 0); INSERT INTO s VALUES('r')");
    let lock = world.open("website");
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    world.edit("bot", "ALTER TABLE t ADD COLUMN n INTEGER DEFAULT 7; UPDATE t SET n = 8; ALTER TABLE s ADD COLUMN n INTEGER DEFAULT 7");
    world.sync();
    drop(lock);
    // the website's own upgrade comes before it is merged again
    world.edit("website", "ALTER TABLE t ADD COLUMN n INTEGER DEFAULT 7; ALTER TABLE s ADD COLUMN n INTEGER DEFAULT 7; UPDATE t SET x = 1");
    world.sync();
    check(&world, "SELECT * FROM t", &["'a' 1 8"]);
    check(&world, "SELECT * FROM s", &["'r' 7"]);
}

#[test]
fn self_reference_identical_children() {
    let world = World::two().start("CREATE TABLE n(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, parent REFERENCES n(id)); INSERT INTO n VALUES(1,'root',NULL)");
    world.edit("bot", "INSERT INTO n VALUES(2,'b',1),(3,'child',2)");
    world.edit("central", "INSERT INTO n VALUES(2,'c',1),(3,'child',2)");
    world.sync();
    check(
        &world,
        "SELECT c.name, p.name FROM n c JOIN n p ON p.id = c.parent ORDER BY 1,2",
        &["'b' 'root'", "'c' 'root'", "'child' 'b'", "'child' 'c'"],
    );
}

#[test]
fn hub_switched_to_a_late_side() {
    let mut world = World::three();
    world.json["guards"]["busy_timeout_ms"] = 50.into();
    let mut world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('a', 0)");
    world.edit("bot", "INSERT INTO t VALUES('new', 1); UPDATE t SET x = 5 WHERE k='a'");
    let lock = world.open("website");
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    world.sync();
    drop(lock);
    world.json["hub"] = json!("website");
    let report = world.sync();
    assert_eq!(state(&report), "failed", "{report:#}");
    check_side(&world, "bot", "SELECT * FROM t ORDER BY k", &["'a' 5", "'new' 1"]);
    world.json["hub"] = json!("central");
    world.sync();
    world.json["hub"] = json!("website");
    check(&world, "SELECT * FROM t ORDER BY k", &["'a' 5", "'new' 1"]);
}

#[test]
fn resolve_after_upgrade() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('a', 0)");
    world.edit("bot", "UPDATE t SET x = 1");
    world.edit("central", "UPDATE t SET x = 2");
    world.sync();
    world.edit("bot", "ALTER TABLE t ADD COLUMN n INTEGER DEFAULT 0");
    world.sync();
    let id = world.conflicts()[0]["id"].as_str().unwrap().to_owned();
    world.resolve(&id, Take::Side("bot".into())).unwrap();
    check(&world, "SELECT * FROM t", &["'a' 1 0"]);
}

#[test]
fn resolve_delete_parent() {
    let world = World::two().start(&format!("{USERS}; CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, uid REFERENCES users(id), t); INSERT INTO users VALUES(1,'ann'),(2,'bob')"));
    world.edit("bot", "DELETE FROM users WHERE id=2");
    world.edit("central", "INSERT INTO notes(uid,t) VALUES(2,'of bob')");
    world.sync();
    let id = world.conflicts()[0]["id"].as_str().unwrap().to_owned();
    let _ = world.resolve(&id, Take::Side("bot".into()));
    assert_eq!(fk_violations(&world, "bot") + fk_violations(&world, "central"), 0);
}

#[test]
fn view_and_table() {
    let world = World::two().start("CREATE TABLE o(k TEXT PRIMARY KEY)");
    world.edit("bot", "CREATE TABLE v(k TEXT PRIMARY KEY); INSERT INTO o VALUES('z')");
    world.edit("central", "CREATE VIEW v AS SELECT 1 AS k");
    world.sync();
    check_side(&world, "central", "SELECT * FROM o", &["'z'"]);
}

#[test]
fn utf16() {
    let world = World::two();
    world.edit_all("PRAGMA encoding='UTF-16le'; CREATE TABLE t(k TEXT PRIMARY KEY, x) WITHOUT ROWID; INSERT INTO t VALUES('b',0),('ā',0),('𝄞',1),('ﬀ',1); CREATE TABLE h(k TEXT PRIMARY KEY, x)");
    world.sync();
    world.edit("bot", "INSERT INTO t VALUES('c',1),('ă',2); INSERT INTO h VALUES('ă',2)");
    world.edit(
        "central",
        "DELETE FROM t WHERE k='b'; INSERT INTO t VALUES('𝄟',7); INSERT INTO h VALUES('é',2)",
    );
    world.sync();
    check(&world, "SELECT count(*) FROM t", &["6"]);
    assert_converged(&world);
}

#[test]
fn held_parent_and_bag() {
    let world = World::two().start("CREATE TABLE users(id INTEGER PRIMARY KEY, nick TEXT NOT NULL UNIQUE, email UNIQUE); CREATE TABLE score(uid REFERENCES users(id), p); CREATE TABLE notes(id INTEGER PRIMARY KEY, uid REFERENCES users(id), t)");
    world.edit("bot", "INSERT INTO users VALUES(1,'bob','e'); INSERT INTO score VALUES(1,5); INSERT INTO notes VALUES(1,1,'of bob')");
    world.edit("central", "INSERT INTO users VALUES(1,'cat','e'); INSERT INTO score VALUES(1,6); INSERT INTO notes VALUES(1,1,'of cat')");
    world.sync();
    assert_settled(&world);
    world.edit("bot", "UPDATE users SET email='f' WHERE nick='bob'");
    world.sync();
    check(&world, "SELECT nick, p FROM score JOIN users ON id=uid", &["'bob' 5", "'cat' 6"]);
    check(
        &world,
        "SELECT nick, t FROM notes JOIN users ON users.id=uid",
        &["'bob' 'of bob'", "'cat' 'of cat'"],
    );
}

#[test]
fn reinstalled_spoke() {
    let t = "CREATE TABLE t(k TEXT PRIMARY KEY, x)";
    let world = World::two().start(&format!("{t}; WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<40) INSERT INTO t SELECT 'k'||i,i FROM c"));
    std::fs::remove_file(world.path("bot")).unwrap();
    world.edit("bot", t);
    world.sync();
    assert_eq!(world.lines("central", "SELECT * FROM t").len(), 40);
}

#[test]
fn resolve_unique_held_says_done() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, u UNIQUE)");
    world.edit("bot", "INSERT INTO t VALUES('b', 1)");
    world.edit("central", "INSERT INTO t VALUES('c', 1)");
    world.sync();
    let id = world.conflicts()[0]["id"].as_str().unwrap().to_owned();
    let _ = world.resolve(&id, Take::Side("bot".into()));
    world.sync();
    let open = conflict_lines(&world).iter().any(|line| line.ends_with("held") || line.ends_with("open"));
    let equal = world.lines("bot", "SELECT k FROM t") == world.lines("central", "SELECT k FROM t");
    assert!(open || equal, "the sides differ and no conflict says so: {:?}", conflict_lines(&world));
}

/// What was decided about one side's held cell is not undone by another side that waits for the same cell.
#[test]
fn sync_from_while_a_cell_is_held() {
    for from in ["bot", "website"] {
        let world = World::three()
            .tables(json!({ "t": { "columns": { "x": "hold" } } }))
            .start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0)");
        world.edit("bot", "UPDATE t SET x = 'bot'");
        world.edit("website", "UPDATE t SET x = 'website'");
        world.sync();
        world.sync_from(from).unwrap();
        for _ in 0..3 {
            world.sync();
            for side in ["bot", "website"] {
                check_side(&world, side, "SELECT x FROM t", &[&format!("'{side}'")]);
            }
            check_side(&world, "central", "SELECT x FROM t", &[&format!("'{from}'")]);
            assert!(conflict_lines(&world).iter().any(|line| line == "t update_update [x] none held"));
        }
    }
}

/// A held cell can be decided although another cell of its row was merged in the same run.
#[test]
fn a_held_cell_of_a_row_that_was_merged_is_decided() {
    for (take, want) in [
        (Take::Side("bot".into()), "'bot' 1"),
        (Take::Side("central".into()), "'central' 1"),
        (Take::Base, "0 1"),
    ] {
        let world = World::two()
            .tables(json!({ "t": { "columns": { "x": "hold" } } }))
            .start("CREATE TABLE t(k TEXT PRIMARY KEY, x, y); INSERT INTO t VALUES('k', 0, 0)");
        world.edit("bot", "UPDATE t SET x = 'bot', y = 1");
        world.edit("central", "UPDATE t SET x = 'central'");
        world.sync();
        world.resolve(world.conflicts()[0]["id"].as_str().unwrap(), take).unwrap();
        check(&world, "SELECT x, y FROM t", &[want]);
    }
}

/// A column that every side dropped or renamed is no reason to wait.
#[test]
fn what_all_sides_changed_in_a_schema_is_agreed() {
    for (change, columns, want) in [
        ("ALTER TABLE t DROP COLUMN y", "x", "'a' 5"),
        ("ALTER TABLE t RENAME COLUMN y TO z", "x, z", "'a' 1 2"),
    ] {
        let world = World::three().start("CREATE TABLE t(k TEXT PRIMARY KEY, x, y NOT NULL DEFAULT 0); CREATE TABLE s(x, y); INSERT INTO t VALUES('a', 1, 2); INSERT INTO s VALUES(1, 2)");
        world.edit_all(&format!("{change}; {}", change.replace("TABLE t", "TABLE s")));
        // Which column became which nobody knows: after a rename the table is adopted, and clashes would be said.
        let edit = if change.contains("DROP") { "UPDATE t SET x = 5" } else { "SELECT 1" };
        world.edit("bot", &format!("{edit}; INSERT INTO s(x) VALUES(7)"));
        let report = world.sync();
        assert_eq!(report["conflicts"], json!(0), "{report:#} {:?}", conflict_lines(&world));
        check(&world, &format!("SELECT k, {columns} FROM t"), &[want]);
        check(&world, "SELECT x FROM s", &["1", "7"]);
    }
    let world = World::three().start(
        "CREATE TABLE g(k TEXT PRIMARY KEY); INSERT INTO g VALUES('old'); CREATE TABLE o(k TEXT PRIMARY KEY)",
    );
    world.edit_all("DROP TABLE g");
    world.sync();
    world.edit("website", "CREATE TABLE g(k TEXT PRIMARY KEY, x); INSERT INTO g VALUES('new', 1)");
    assert_eq!(world.sync()["databases"]["d"]["warnings"], json!([]));
    check(&world, "SELECT k, x FROM g", &["'new' 1"]);
}

/// Nobody knows what an adopted row was before; taking that away would delete it everywhere.
#[test]
fn an_adopted_row_has_no_base_to_take() {
    let world = World::two();
    for side in ["bot", "central"] {
        world.edit(
            side,
            &format!("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', '{side}')"),
        );
    }
    world.sync();
    let id = world.conflicts()[0]["id"].as_str().unwrap().to_owned();
    world.resolve(&id, Take::Base).expect_err("there is no base");
    check(&world, "SELECT x FROM t", &["'central'"]);
    world.resolve(&id, Take::Side("bot".into())).unwrap();
    check(&world, "SELECT x FROM t", &["'bot'"]);
}

/// An old copy of a file that was put in its place would read as edits that undo what came since.
#[test]
fn a_file_that_went_back_in_time_is_held() {
    for side in ["bot", "central"] {
        let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0)");
        let old = std::fs::read(world.path(side)).unwrap();
        for n in 1..4 {
            world.edit("bot", &format!("UPDATE t SET x = {n}; INSERT INTO t VALUES('new {n}', 0)"));
            world.sync();
        }
        world.sync();
        std::fs::write(world.path(side), &old).unwrap();
        let report = world.sync();
        assert_eq!(state(&report), "held", "{side}: {report:#}");
        let other = if side == "bot" { "central" } else { "bot" };
        check_side(&world, other, "SELECT count(*), max(x) FROM t", &["4 3"]);
        std::fs::remove_file(world.path(side)).unwrap();
        world.sync();
        world.sync();
        check(&world, "SELECT count(*), max(x) FROM t", &["4 3"]);
    }
}

/// A program that writes its own value each time is not answered for ever.
#[test]
fn a_cell_that_goes_to_and_fro_is_held() {
    for (winner, value) in [("bot", "90 5"), ("central", "60 5")] {
        let world = World::two()
            .start("CREATE TABLE c(k TEXT PRIMARY KEY, v, w); INSERT INTO c VALUES('timeout', 90, 0)");
        let (bot, web) = ("UPDATE c SET v = 90", "UPDATE c SET v = 60");
        let is_held = || conflict_lines(&world).iter().any(|line| line.starts_with("c oscillation [v]"));
        // Written in the first run, taken back in the three after it.
        for (side, edit) in [("central", web), ("bot", bot), ("central", web), ("bot", bot)] {
            assert!(!is_held());
            world.edit(side, edit);
            world.sync();
        }
        world.edit("central", web);
        world.sync();
        assert!(is_held(), "{:?}", conflict_lines(&world));
        // From now on each keeps its own, quietly, and the rest of the row travels.
        world.edit("bot", &format!("{bot}; UPDATE c SET w = 5"));
        world.edit("central", web);
        assert_eq!(world.sync()["conflicts"], json!(0));
        check_side(&world, "bot", "SELECT v, w FROM c", &["90 5"]);
        check_side(&world, "central", "SELECT v, w FROM c", &["60 5"]);
        assert_settled(&world);
        // A person decides, and the cell travels again.
        let all = world.conflicts();
        let held = all.iter().find(|conflict| conflict["status"] == json!("held")).unwrap();
        world.resolve(held["id"].as_str().unwrap(), Take::Side(winner.into())).unwrap();
        check(&world, "SELECT v, w FROM c", &[value]);
        world.edit("central", "UPDATE c SET v = 30");
        assert_eq!(world.sync()["conflicts"], json!(0));
        check(&world, "SELECT v, w FROM c", &["30 5"]);
    }
}

/// Cells that are too long to be kept are known again all the same.
#[test]
fn a_long_cell_that_goes_to_and_fro_is_held() {
    let world = World::two().start("CREATE TABLE c(k TEXT PRIMARY KEY, v); INSERT INTO c VALUES('page', 0)");
    let write = |side: &str, letter: &str| {
        world.edit(side, &format!("UPDATE c SET v = replace(hex(zeroblob(5000)), '0', '{letter}')"));
        world.sync();
        conflict_lines(&world).iter().any(|line| line.starts_with("c oscillation [v]"))
    };
    assert!(!write("bot", "b"), "where all began");
    for (side, letter, held) in
        [("central", "c", false), ("bot", "b", false), ("central", "c", false), ("bot", "x", false)]
    {
        assert_eq!(write(side, letter), held, "{letter}");
    }
    // What is new takes nothing back, so that it takes as long again.
    for (side, letter, held) in [("central", "c", false), ("bot", "x", false), ("central", "c", false)] {
        assert_eq!(write(side, letter), held, "{letter}, again");
    }
    assert!(write("bot", "x"));
}

/// It takes no longer where all programs write between two runs, and none where one side changes its own mind.
#[test]
fn a_cell_that_all_write_each_time_is_held_as_soon() {
    let runs_until_held = |edits: &[(&str, &str)], together: bool| {
        let world = World::three()
            .prefer(&["website", "central", "bot"])
            .start("CREATE TABLE c(k TEXT PRIMARY KEY, v); INSERT INTO c VALUES('timeout', 0)");
        let is_held = || conflict_lines(&world).iter().any(|line| line.starts_with("c oscillation [v]"));
        for run in 1..=24 {
            for (at, (side, value)) in edits.iter().enumerate() {
                if together || at == (run - 1) % edits.len() {
                    world.edit(side, &format!("UPDATE c SET v = {value}"));
                }
            }
            world.sync();
            if is_held() {
                return Some(run);
            }
        }
        None
    };
    assert_eq!(runs_until_held(&[("bot", "90"), ("website", "60")], true), Some(5));
    // Nothing is taken back before the second run here.
    assert_eq!(runs_until_held(&[("bot", "90"), ("website", "60")], false), Some(6));
    assert_eq!(runs_until_held(&[("bot", "90"), ("website", "v + 1")], true), Some(5));
    assert_eq!(runs_until_held(&[("bot", "90"), ("bot", "60")], false), None);
    assert_eq!(runs_until_held(&[("bot", "v + 1"), ("website", "v + 1")], false), None);
}

/// What is added up is not given by one side to another: who counts up and down in turn takes nothing back.
#[test]
fn a_sum_that_comes_back_to_where_it_was_is_not_held() {
    let world = World::two()
        .tables(json!({"c": {"columns": {"online": "sum"}}}))
        .start("CREATE TABLE c(k TEXT PRIMARY KEY, online); INSERT INTO c VALUES('channel', 3)");
    for _ in 0..6 {
        for (side, by, value) in [("bot", "+ 1", "4"), ("central", "- 1", "3")] {
            world.edit(side, &format!("UPDATE c SET online = online {by}"));
            world.sync();
            check(&world, "SELECT online FROM c", &[value]);
        }
    }
    assert!(conflict_lines(&world).is_empty(), "{:?}", conflict_lines(&world));
}

/// Also when the copy was taken right before the last run wrote to the file.
#[test]
fn a_copy_of_a_moment_ago_is_held() {
    let world = World::three().start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0)");
    let old = std::fs::read(world.path("website")).unwrap();
    world.edit("bot", "UPDATE t SET x = 1");
    world.sync();
    check_side(&world, "website", "SELECT x FROM t", &["1"]);
    std::fs::write(world.path("website"), old).unwrap();
    let report = world.sync();
    assert_eq!(state(&report), "held", "{report:#}");
    check_side(&world, "bot", "SELECT x FROM t", &["1"]);
}
