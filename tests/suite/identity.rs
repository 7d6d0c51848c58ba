//! Which row is which: the same new id on two sides, children, renames, REPLACE, unique values, sequences.
//!
//! Apart from `decisions`, which starts once it is known that two rows are one.

use serde_json::json;

use crate::common::{World, assert_converged, assert_settled, check, check_side, conflict_lines};

const NONE: [&str; 0] = [];

#[test]
fn the_same_new_id_is_two_rows() {
    let world = World::three()
        .start("CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, x); INSERT INTO t(x) VALUES('old')");
    for side in ["bot", "central", "website"] {
        world.edit(side, &format!("INSERT INTO t(x) VALUES('{side} 1'), ('{side} 2')"));
    }
    let report = world.sync();
    assert_eq!(report["conflicts"], 0);
    assert_eq!(report["databases"]["d"]["sides"]["central"]["rekeyed"], 0, "{report:#}");
    check(
        &world,
        "SELECT x FROM t",
        &["'bot 1'", "'bot 2'", "'central 1'", "'central 2'", "'old'", "'website 1'", "'website 2'"],
    );
    check_side(
        &world,
        "bot",
        "SELECT id, x FROM t WHERE id <= 3",
        &["1 'old'", "2 'central 1'", "3 'central 2'"],
    );
    check_side(&world, "bot", "SELECT min(id) > 3 FROM t WHERE x GLOB 'bot*'", &["1"]);
    check_side(&world, "bot", "SELECT seq >= (SELECT max(id) FROM t) FROM sqlite_sequence", &["1"]);
}

/// A column may be called as SQLite calls the row id, beside the one that shows it.
#[test]
fn a_column_called_rowid_is_not_the_row_id() {
    for other in ["rowid INTEGER", "rowid TEXT", "_rowid_ INTEGER, rowid INTEGER, oid INTEGER"] {
        let world =
            World::two().start(&format!("CREATE TABLE t(\"the id\" INTEGER PRIMARY KEY, {other}, v)"));
        world.edit(
            "bot",
            "INSERT INTO t(\"the id\", rowid, v) VALUES (5, 9, 'five'), (9, 5, 'nine'), (7, 7, 'seven'), (8, 6, 'eight')",
        );
        world.sync();
        world.edit("bot", "UPDATE t SET v = 'new' WHERE \"the id\" = 5");
        world.edit(
            "central",
            "DELETE FROM t WHERE \"the id\" = 8; INSERT INTO t(\"the id\", rowid, v) VALUES (6, 8, 'six')",
        );
        world.sync();
        check(&world, "SELECT \"the id\", v FROM t", &["5 'new'", "6 'six'", "7 'seven'", "9 'nine'"]);
        world.edit("bot", "DELETE FROM t WHERE \"the id\" = 5");
        world.edit("central", "UPDATE t SET v = 'again' WHERE \"the id\" = 9");
        world.sync();
        check(&world, "SELECT \"the id\", v FROM t", &["6 'six'", "7 'seven'", "9 'again'"]);
        assert_settled(&world);
    }
}

#[test]
fn identical_new_rows_are_one() {
    let world = World::two().start("CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
    world.edit("bot", "INSERT INTO t VALUES(5, 'same'), (6, 'bot')");
    world.edit("central", "INSERT INTO t VALUES(5, 'same'), (6, 'central')");
    world.sync();
    check(&world, "SELECT x FROM t", &["'bot'", "'central'", "'same'"]);
    assert_eq!(conflict_lines(&world), NONE);
}

#[test]
fn without_rekey_they_are_one_row_in_conflict() {
    let world = World::two()
        .tables(json!({ "t": { "rekey": false } }))
        .start("CREATE TABLE t(id INTEGER PRIMARY KEY, x, y)");
    world.edit("bot", "INSERT INTO t VALUES(1, 'bot', 7)");
    world.edit("central", "INSERT INTO t VALUES(1, 'central', 7)");
    world.sync();
    assert_eq!(conflict_lines(&world), ["t insert_insert [x] central open"]);
    check(&world, "SELECT * FROM t", &["1 'central' 7"]);
}

#[test]
fn children_follow_their_parent_to_its_new_id() {
    let schemas = [
        ("uid INTEGER REFERENCES users(id)", json!({})),
        ("uid INTEGER", json!({ "notes": { "references": { "uid": "users.id" } } })),
        ("uid REFERENCES users", json!({})),
    ];
    for (column, tables) in schemas {
        let world = World::three().tables(tables).start(&format!(
            "CREATE TABLE users(id INTEGER PRIMARY KEY, email);
             CREATE TABLE notes(id INTEGER PRIMARY KEY, body, {column});
             INSERT INTO users VALUES(1, 'old'); INSERT INTO notes VALUES(1, 'of old', 1)"
        ));
        for side in ["bot", "central", "website"] {
            world.edit(
                side,
                &format!("INSERT INTO users VALUES(2, '{side}'); INSERT INTO notes(body, uid) VALUES('of {side}', 2)"),
            );
        }
        world.edit("bot", "UPDATE notes SET uid = 2 WHERE id = 1");
        world.sync();
        check(
            &world,
            "SELECT email, body FROM users JOIN notes ON uid = users.id",
            &["'bot' 'of bot'", "'bot' 'of old'", "'central' 'of central'", "'website' 'of website'"],
        );
        assert_eq!(conflict_lines(&world), NONE, "{column}");
        // Rows that look the same but belong to different new parents are two rows.
        for side in ["bot", "central"] {
            world.edit(
                side,
                &format!(
                    "INSERT INTO users VALUES(99, 'more {side}'); INSERT INTO notes VALUES(99, 'hi', 99)"
                ),
            );
        }
        world.sync();
        check(
            &world,
            "SELECT email FROM users JOIN notes ON uid = users.id WHERE body = 'hi'",
            &["'more bot'", "'more central'"],
        );
    }
}

#[test]
fn one_natural_key_under_two_ids_is_one_row() {
    let world = World::two().start(
        "CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, nick TEXT NOT NULL UNIQUE COLLATE NOCASE, x);
         CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, uid REFERENCES users(id), body)",
    );
    world.edit(
        "bot",
        "INSERT INTO users VALUES(1, 'ann', 1), (2, 'bob', 1); INSERT INTO notes(uid, body) VALUES(2, 'bot')",
    );
    world.edit("central", "INSERT INTO users VALUES(1, 'BOB', 1), (2, 'cid', 1); INSERT INTO notes(uid, body) VALUES(1, 'central')");
    world.sync();
    assert_eq!(conflict_lines(&world), ["users insert_insert [nick] central open"]);
    check(&world, "SELECT nick FROM users", &["'BOB'", "'ann'", "'cid'"]);
    check(
        &world,
        "SELECT nick, body FROM users JOIN notes ON uid = users.id",
        &["'BOB' 'bot'", "'BOB' 'central'"],
    );
}

#[test]
fn insert_or_replace_is_an_update() {
    let world = World::two()
        .tables(json!({ "s": { "columns": { "score": "sum", "best": "max" } } }))
        .start(
            "CREATE TABLE s(id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, game TEXT NOT NULL, score, best, UNIQUE(user, game));
             INSERT INTO s(user, game, score, best) VALUES('ann', 'uno', 10, 4), ('bob', 'uno', 10, 4)",
        );
    let play = |side: &str, user: &str, score: i64, best: i64| {
        world.edit(
            side,
            &format!(
                "INSERT OR REPLACE INTO s(user, game, score, best)
                 SELECT user, game, score + {score}, max(best, {best}) FROM s WHERE user = '{user}'"
            ),
        );
    };
    for (side, score, best) in [("bot", 5, 5), ("central", 7, 9), ("bot", 1, 2)] {
        play(side, "ann", score, best);
    }
    play("central", "bob", 1, 1);
    world.sync();
    check(&world, "SELECT user, score, best FROM s", &["'ann' 23 9", "'bob' 11 4"]);
    assert_eq!(conflict_lines(&world), NONE);
    play("bot", "bob", 1, 1);
    world.sync();
    check(&world, "SELECT user, score, best FROM s", &["'ann' 23 9", "'bob' 12 4"]);
}

#[test]
fn a_renamed_row_is_followed() {
    let schemas = [
        "CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT NOT NULL UNIQUE, x, y)",
        "CREATE TABLE t(k TEXT PRIMARY KEY, x, y)",
        "CREATE TABLE t(k TEXT PRIMARY KEY, x, y) WITHOUT ROWID",
    ];
    for schema in schemas {
        let world =
            World::two().start(&format!("{schema}; INSERT INTO t(k, x, y) VALUES('a', 1, 1), ('b', 2, 2)"));
        world.edit("bot", "UPDATE t SET k = 'renamed' WHERE k = 'a'");
        world.edit("central", "UPDATE t SET x = 9 WHERE k = 'a'; UPDATE t SET k = 'also' WHERE k = 'b'");
        let report = world.sync();
        assert_eq!(report["conflicts"], 0, "{schema}: {report:#}");
        check(&world, "SELECT k, x, y FROM t", &["'also' 2 2", "'renamed' 9 1"]);
        // Renamed on both sides: one name wins, reported.
        world.edit("bot", "UPDATE t SET k = 'left' WHERE k = 'also'");
        world.edit("central", "UPDATE t SET k = 'right' WHERE k = 'also'");
        world.sync();
        check(&world, "SELECT k, x, y FROM t", &["'renamed' 9 1", "'right' 2 2"]);
        assert_eq!(world.conflicts().len(), 1, "{schema}");
    }
}

#[test]
fn unique_values_swap_and_rotate() {
    let schemas = [
        "CREATE TABLE t(k TEXT PRIMARY KEY, u TEXT UNIQUE, x)",
        "CREATE TABLE t(k TEXT PRIMARY KEY, u TEXT UNIQUE, x) WITHOUT ROWID",
        "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, k TEXT NOT NULL UNIQUE, u TEXT UNIQUE, x)",
        "CREATE TABLE t(k TEXT PRIMARY KEY, u TEXT, x, g AS (u || x) STORED); CREATE UNIQUE INDEX tu ON t(u) WHERE u <> 'free'",
        "CREATE TABLE t(k TEXT PRIMARY KEY, u TEXT, x); CREATE UNIQUE INDEX tu ON t(lower(u))",
    ];
    for schema in schemas {
        let world = World::two()
            .start(&format!("{schema}; INSERT INTO t(k, u, x) VALUES('a', '1', 0), ('b', '2', 0), ('c', '3', 0), ('d', '4', 0)"));
        world.edit(
            "bot",
            "UPDATE t SET u = 'temp' WHERE k = 'a'; UPDATE t SET u = '1' WHERE k = 'b'; UPDATE t SET u = '2' WHERE k = 'c';
             UPDATE t SET u = '3' WHERE k = 'a'; DELETE FROM t WHERE k = 'd'; INSERT INTO t(k, u, x) VALUES('e', '4', 0)",
        );
        world.edit("central", "UPDATE t SET x = 5 WHERE k = 'b'");
        let report = world.sync();
        assert_eq!(report["conflicts"], 0, "{schema}: {report:#}");
        check(&world, "SELECT k, u, x FROM t", &["'a' '3' 0", "'b' '1' 5", "'c' '2' 0", "'e' '4' 0"]);
    }
}

#[test]
fn a_unique_value_taken_twice_is_held() {
    let world = World::three().start("CREATE TABLE t(k TEXT PRIMARY KEY, u TEXT UNIQUE, x)");
    world.edit("bot", "INSERT INTO t VALUES('b', 'same', 'bot'), ('fine', 'f', 1)");
    world.edit("central", "INSERT INTO t VALUES('c', 'same', 'central')");
    let report = world.sync();
    assert_eq!(report["ok"], true, "{report:#}");
    let lines = conflict_lines(&world);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].starts_with("t unique") && lines[0].ends_with("held"), "{lines:#?}");
    check_side(&world, "central", "SELECT k FROM t", &["'c'", "'fine'"]);
    check_side(&world, "website", "SELECT k FROM t", &["'c'", "'fine'"]);
    check_side(&world, "bot", "SELECT k FROM t", &["'b'", "'fine'"]);
    assert_settled(&world);
    // The writer mends it: both rows are free to travel.
    world.edit("bot", "UPDATE t SET u = 'other' WHERE k = 'b'");
    world.sync();
    check(&world, "SELECT k, u FROM t", &["'b' 'other'", "'c' 'same'", "'fine' 'f'"]);
}

#[test]
fn a_parent_comes_back_for_its_child() {
    let world = World::two().start(
        "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, nick TEXT NOT NULL UNIQUE);
         CREATE TABLE c(id INTEGER PRIMARY KEY AUTOINCREMENT, pid INTEGER NOT NULL REFERENCES p(id) ON DELETE CASCADE, x);
         INSERT INTO p(nick) VALUES('ann'), ('bob'); INSERT INTO c(pid, x) VALUES(1, 'old')",
    );
    world.edit(
        "bot",
        "PRAGMA foreign_keys = ON; DELETE FROM p WHERE nick = 'ann'; DELETE FROM p WHERE nick = 'bob'",
    );
    world.edit("central", "INSERT INTO c(pid, x) VALUES(1, 'new')");
    let report = world.sync();
    assert_eq!(report["conflicts"], 1, "{:?}", conflict_lines(&world));
    assert_eq!(world.conflicts()[0]["kind"], "foreign_key");
    check(&world, "SELECT nick, x FROM p LEFT JOIN c ON pid = p.id", &["'ann' 'new'"]);
    check_side(&world, "bot", "PRAGMA foreign_key_check", &[]);
}

#[test]
fn rows_without_a_key_are_counted() {
    let world =
        World::three().start("CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 'x'), (1, 'x'), (2, 'y')");
    world.edit("bot", "INSERT INTO t VALUES(1, 'x'), (3, 'z')");
    world.edit("central", "DELETE FROM t WHERE rowid = 1; INSERT INTO t VALUES(3, 'z')");
    world.edit("website", "UPDATE t SET b = 'yy' WHERE a = 2");
    world.sync();
    check(&world, "SELECT * FROM t", &["1 'x'", "1 'x'", "2 'yy'", "3 'z'", "3 'z'"]);
    assert_eq!(conflict_lines(&world), NONE);
}

#[test]
fn rows_with_null_in_their_key_have_none() {
    let world =
        World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES(NULL, 1), ('a', 1)");
    world.edit("bot", "INSERT INTO t VALUES(NULL, 1), (NULL, 2); UPDATE t SET x = 5 WHERE k = 'a'");
    world.edit("central", "INSERT INTO t VALUES(NULL, 2)");
    world.sync();
    check(&world, "SELECT * FROM t", &["NULL 1", "NULL 1", "NULL 2", "NULL 2", "'a' 5"]);
}

#[test]
fn the_sequence_is_the_maximum() {
    let world = World::two()
        .start("CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, x); INSERT INTO t(x) VALUES(1)");
    world.edit(
        "bot",
        "INSERT INTO t VALUES(500, 'high'); DELETE FROM t WHERE id = 500; INSERT INTO t(x) VALUES('bot')",
    );
    world.edit("central", "INSERT INTO t(x) VALUES('central')");
    world.sync();
    check_side(&world, "central", "SELECT seq >= 501 FROM sqlite_sequence WHERE name = 't'", &["1"]);
    check_side(&world, "bot", "SELECT seq >= 501 FROM sqlite_sequence WHERE name = 't'", &["1"]);
    check(&world, "SELECT x FROM t", &["1", "'bot'", "'central'"]);
}

/// Nothing is remembered: union, the preferred side where rows differ, nothing deleted.
#[test]
fn sides_that_meet_for_the_first_time() {
    let world = World::two().tables(json!({ "t": { "columns": { "n": "sum" } } }));
    let schema = "CREATE TABLE t(k TEXT PRIMARY KEY, x, n); CREATE TABLE log(a);";
    world.edit("bot", &format!("{schema} INSERT INTO t VALUES('bot', 1, 1), ('both', 'b', 5), ('same', 1, 1); INSERT INTO log VALUES(1), (1)"));
    world.edit("central", &format!("{schema} INSERT INTO t VALUES('central', 1, 1), ('both', 'c', 9), ('same', 1, 1); INSERT INTO log VALUES(1), (2)"));
    let report = world.sync();
    assert_eq!(report["ok"], true);
    assert_eq!(conflict_lines(&world), ["t adoption [x,n] central open"]);
    assert!(
        report["databases"]["d"]["warnings"].to_string().contains("log: 1 row without a key"),
        "{report:#}"
    );
    check(&world, "SELECT * FROM t", &["'bot' 1 1", "'both' 'c' 9", "'central' 1 1", "'same' 1 1"]);
    check(&world, "SELECT * FROM log", &["1", "1", "2"]);
    assert_converged(&world);
}

/// Meeting for the first time under bare ids: half of the cells decide.
#[test]
fn bare_ids_that_meet_are_compared() {
    let world = World::two();
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c);";
    world.edit("bot", &format!("{schema} INSERT INTO t VALUES(1, 1, 1, 'bot'), (2, 'x', 'y', 'z')"));
    world.edit("central", &format!("{schema} INSERT INTO t VALUES(1, 1, 1, 'central'), (2, 'p', 'q', 'r')"));
    world.sync();
    assert_eq!(conflict_lines(&world), ["t adoption [c] central open"]);
    check(&world, "SELECT a, b, c FROM t", &["1 1 'central'", "'p' 'q' 'r'", "'x' 'y' 'z'"]);
}
