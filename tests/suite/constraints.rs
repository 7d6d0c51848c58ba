//! What the constraints of a schema make of edits on two sides: keys, UNIQUE values and references, each kind of edit
//! against each other, with and without a primary key.
//!
//! Apart from `decisions`, whose rows never get into each other's way. One table; every case says what each side holds
//! afterwards and what is on record. Nothing may be gone without a record, and no reference may lead nowhere.

use serde_json::json;

use crate::common::{World, assert_converged, assert_settled, check, check_side, conflict_lines, query};

struct Case {
    name: &'static str,
    /// Schema and the rows that both sides start with.
    start: &'static str,
    bot: &'static str,
    central: &'static str,
    look: &'static str,
    /// What bot holds afterwards; central the same unless said otherwise.
    bot_has: &'static [&'static str],
    central_has: Option<&'static [&'static str]>,
    /// As `conflict_lines` tells them.
    conflicts: &'static [&'static str],
}

const TEXT: &str = "CREATE TABLE t(k TEXT PRIMARY KEY, v, w); INSERT INTO t VALUES('a', 0, 0), ('b', 0, 0)";
const NUMBER: &str =
    "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v, w); INSERT INTO t(v, w) VALUES(0, 0)";
const UNIQUE: &str = "CREATE TABLE t(k TEXT PRIMARY KEY, u TEXT UNIQUE COLLATE NOCASE, v); INSERT INTO t VALUES('a', 'x', 0), ('b', 'y', 0), ('c', 'z', 0)";
const TREE: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
     CREATE TABLE c(id INTEGER PRIMARY KEY AUTOINCREMENT, pid INTEGER REFERENCES p(id), v);
     INSERT INTO p(name) VALUES('one'), ('two'); INSERT INTO c(pid, v) VALUES(1, 'first'), (2, 'second')";
const NAMED: &str = "CREATE TABLE p(name TEXT PRIMARY KEY, v);
     CREATE TABLE c(k TEXT PRIMARY KEY, of TEXT REFERENCES p(name), v);
     INSERT INTO p VALUES('one', 0), ('two', 0); INSERT INTO c VALUES('x', 'one', 0)";
const BAG: &str = "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 1), (1, 1), (2, 2)";

#[rustfmt::skip]
const CASES: &[Case] = &[
    // Primary keys.
    Case { name: "insert and insert, one text key, equal rows", start: TEXT,
        bot: "INSERT INTO t VALUES('n', 1, 1)", central: "INSERT INTO t VALUES('n', 1, 1)",
        look: "SELECT v, w FROM t WHERE k = 'n'", bot_has: &["1 1"], central_has: None, conflicts: &[] },
    Case { name: "insert and insert, one text key, other cells", start: TEXT,
        bot: "INSERT INTO t VALUES('n', 1, 9)", central: "INSERT INTO t VALUES('n', 2, 9)",
        look: "SELECT v, w FROM t WHERE k = 'n'", bot_has: &["2 9"], central_has: None,
        conflicts: &["t insert_insert [v] central open"] },
    Case { name: "insert and insert, one new id", start: NUMBER,
        bot: "INSERT INTO t(v, w) VALUES('bot', 1)", central: "INSERT INTO t(v, w) VALUES('central', 1)",
        look: "SELECT id, v FROM t WHERE id > 1", bot_has: &["2 'central'", "3 'bot'"], central_has: None, conflicts: &[] },
    Case { name: "insert against a row renamed to that key", start: TEXT,
        bot: "INSERT INTO t VALUES('n', 1, 1)", central: "UPDATE t SET k = 'n' WHERE k = 'a'",
        look: "SELECT k, v FROM t", bot_has: &["'a' 0", "'b' 0", "'n' 1"], central_has: Some(&["'b' 0", "'n' 0"]),
        conflicts: &["t unique [k] central held"] },
    Case { name: "update and update of one key", start: TEXT,
        bot: "UPDATE t SET k = 'n' WHERE k = 'a'", central: "UPDATE t SET k = 'm' WHERE k = 'a'",
        look: "SELECT k, v FROM t", bot_has: &["'b' 0", "'m' 0"], central_has: None,
        conflicts: &["t update_update [k] central open"] },
    Case { name: "two rows renamed to one key", start: TEXT,
        bot: "UPDATE t SET k = 'n' WHERE k = 'a'", central: "UPDATE t SET k = 'n' WHERE k = 'b'",
        look: "SELECT k, v FROM t", bot_has: &["'b' 0", "'n' 0"], central_has: Some(&["'a' 0", "'n' 0"]),
        conflicts: &["t unique [k] central held"] },
    Case { name: "a rename against a deletion", start: TEXT,
        bot: "DELETE FROM t WHERE k = 'a'", central: "UPDATE t SET k = 'n' WHERE k = 'a'",
        look: "SELECT k, v FROM t", bot_has: &["'b' 0", "'n' 0"], central_has: None,
        conflicts: &["t update_delete [] central open"] },
    Case { name: "deleted and inserted again against an update", start: TEXT,
        bot: "DELETE FROM t WHERE k = 'a'; INSERT INTO t VALUES('a', 7, 0)", central: "UPDATE t SET w = 8 WHERE k = 'a'",
        look: "SELECT v, w FROM t WHERE k = 'a'", bot_has: &["7 8"], central_has: None, conflicts: &[] },
    Case { name: "a new number given to a known row against an update", start: NUMBER,
        bot: "UPDATE t SET id = 9 WHERE id = 1", central: "UPDATE t SET v = 5 WHERE id = 1",
        look: "SELECT v FROM t", bot_has: &["0", "5"], central_has: None,
        conflicts: &["t update_delete [] central open"] },

    // UNIQUE values.
    Case { name: "insert and insert, one UNIQUE value", start: UNIQUE,
        bot: "INSERT INTO t VALUES('m', 'n', 'bot')", central: "INSERT INTO t VALUES('n', 'N', 'central')",
        look: "SELECT k, u FROM t WHERE k > 'c'", bot_has: &["'m' 'n'"], central_has: Some(&["'n' 'N'"]),
        conflicts: &["t unique [u] central held"] },
    Case { name: "update and insert, one UNIQUE value", start: UNIQUE,
        bot: "UPDATE t SET u = 'n' WHERE k = 'a'", central: "INSERT INTO t VALUES('n', 'n', 1)",
        look: "SELECT k, u FROM t WHERE k IN ('a', 'n')", bot_has: &["'a' 'n'"], central_has: Some(&["'a' 'x'", "'n' 'n'"]),
        conflicts: &["t unique [u] central held"] },
    Case { name: "update and update, one UNIQUE value", start: UNIQUE,
        bot: "UPDATE t SET u = 'n' WHERE k = 'a'", central: "UPDATE t SET u = 'n' WHERE k = 'b'",
        look: "SELECT k, u FROM t", bot_has: &["'a' 'n'", "'b' 'y'", "'c' 'z'"], central_has: Some(&["'a' 'x'", "'b' 'n'", "'c' 'z'"]),
        conflicts: &["t unique [u] central held"] },
    Case { name: "three UNIQUE values rotate while a row of them is edited", start: UNIQUE,
        bot: "UPDATE t SET u = NULL; UPDATE t SET u = 'y' WHERE k = 'a'; UPDATE t SET u = 'z' WHERE k = 'b'; UPDATE t SET u = 'x' WHERE k = 'c'",
        central: "UPDATE t SET v = 5 WHERE k = 'b'",
        look: "SELECT k, u, v FROM t", bot_has: &["'a' 'y' 0", "'b' 'z' 5", "'c' 'x' 0"], central_has: None, conflicts: &[] },
    Case { name: "a UNIQUE value that a deleted row left, against an edit of that row", start: UNIQUE,
        bot: "DELETE FROM t WHERE k = 'a'; INSERT INTO t VALUES('n', 'x', 1)", central: "UPDATE t SET v = 5 WHERE k = 'a'",
        look: "SELECT k, u, v FROM t WHERE u = 'x'", bot_has: &["'n' 'x' 1"], central_has: Some(&["'a' 'x' 5"]),
        conflicts: &["t unique [u] merged held", "t update_delete [] central open"] },
    Case { name: "a UNIQUE value handed on", start: UNIQUE,
        bot: "UPDATE t SET u = NULL WHERE k = 'a'", central: "UPDATE t SET u = NULL WHERE k = 'a'; INSERT INTO t VALUES('n', 'x', 1)",
        look: "SELECT k, u FROM t WHERE k IN ('a', 'n')", bot_has: &["'a' NULL", "'n' 'x'"], central_has: None, conflicts: &[] },

    // References.
    Case { name: "a parent deleted with its children, a child added", start: TREE,
        bot: "DELETE FROM c WHERE pid = 1; DELETE FROM p WHERE id = 1", central: "INSERT INTO c(pid, v) VALUES(1, 'new')",
        look: "SELECT name, v FROM c LEFT JOIN p ON p.id = pid", bot_has: &["'one' 'new'", "'two' 'second'"], central_has: None,
        conflicts: &["p foreign_key [] merged open"] },
    Case { name: "a parent deleted, a child moved to it", start: TREE,
        bot: "DELETE FROM c WHERE pid = 1; DELETE FROM p WHERE id = 1", central: "UPDATE c SET pid = 1 WHERE id = 2",
        look: "SELECT name, v FROM c LEFT JOIN p ON p.id = pid", bot_has: &["'one' 'second'"], central_has: None,
        conflicts: &["p foreign_key [] merged open"] },
    Case { name: "a parent deleted with its child, the child edited", start: TREE,
        bot: "DELETE FROM c WHERE pid = 1; DELETE FROM p WHERE id = 1", central: "UPDATE c SET v = 'edited' WHERE pid = 1",
        look: "SELECT name, v FROM c LEFT JOIN p ON p.id = pid", bot_has: &["'one' 'edited'", "'two' 'second'"], central_has: None,
        conflicts: &["c update_delete [] central open", "p foreign_key [] merged open"] },
    Case { name: "a parent deleted and its child let go, the child edited", start: TREE,
        bot: "UPDATE c SET pid = NULL WHERE pid = 1; DELETE FROM p WHERE id = 1", central: "UPDATE c SET v = 'edited' WHERE pid = 1",
        look: "SELECT name, v FROM c LEFT JOIN p ON p.id = pid", bot_has: &["NULL 'edited'", "'two' 'second'"], central_has: None,
        conflicts: &[] },
    Case { name: "a parent deleted, the parent edited", start: TREE,
        bot: "DELETE FROM c WHERE pid = 1; DELETE FROM p WHERE id = 1", central: "UPDATE p SET name = 'uno' WHERE id = 1",
        look: "SELECT name, v FROM p LEFT JOIN c ON p.id = pid", bot_has: &["'two' 'second'", "'uno' NULL"], central_has: None,
        conflicts: &["p update_delete [] central open"] },
    Case { name: "parents on one new id, a child each", start: TREE,
        bot: "INSERT INTO p(name) VALUES('bot'); INSERT INTO c(pid, v) VALUES(3, 'of bot')",
        central: "INSERT INTO p(name) VALUES('central'); INSERT INTO c(pid, v) VALUES(3, 'of central')",
        look: "SELECT name, v FROM c JOIN p ON p.id = pid WHERE v LIKE 'of%'", bot_has: &["'bot' 'of bot'", "'central' 'of central'"], central_has: None,
        conflicts: &[] },
    Case { name: "a child of a row that is held waits with it",
        start: "CREATE TABLE p(id INTEGER PRIMARY KEY, k TEXT NOT NULL UNIQUE, u TEXT UNIQUE); CREATE TABLE c(k TEXT PRIMARY KEY, pid REFERENCES p(id))",
        bot: "INSERT INTO p VALUES(1, 'bot', 'n'); INSERT INTO c VALUES('of bot', 1)",
        central: "INSERT INTO p VALUES(1, 'central', 'n'); INSERT INTO c VALUES('of central', 1)",
        look: "SELECT c.k, p.k FROM c LEFT JOIN p ON p.id = pid", bot_has: &["'of bot' 'bot'"], central_has: Some(&["'of central' 'central'"]),
        conflicts: &["p unique [u] central held"] },
    Case { name: "a parent renamed with its children, a child added", start: NAMED,
        bot: "UPDATE c SET of = 'uno' WHERE of = 'one'; UPDATE p SET name = 'uno' WHERE name = 'one'",
        central: "INSERT INTO c VALUES('y', 'one', 1)",
        look: "SELECT k, name FROM c LEFT JOIN p ON name = of", bot_has: &["'x' 'uno'", "'y' 'uno'"], central_has: None, conflicts: &[] },
    Case { name: "a parent renamed with its children, a child moved to it", start: NAMED,
        bot: "UPDATE p SET name = 'dos' WHERE name = 'two'", central: "UPDATE c SET of = 'two'",
        look: "SELECT k, name FROM c LEFT JOIN p ON name = of", bot_has: &["'x' 'dos'"], central_has: None, conflicts: &[] },

    // Without a key.
    Case { name: "insert and insert, equal rows without a key", start: BAG,
        bot: "INSERT INTO t VALUES(3, 3)", central: "INSERT INTO t VALUES(3, 3)",
        look: "SELECT a, count(*) FROM t GROUP BY a", bot_has: &["1 2", "2 1", "3 2"], central_has: None, conflicts: &[] },
    Case { name: "delete and delete of one of two equal rows", start: BAG,
        bot: "DELETE FROM t WHERE rowid = 1", central: "DELETE FROM t WHERE rowid = 2",
        look: "SELECT a, count(*) FROM t GROUP BY a", bot_has: &["2 1"], central_has: None, conflicts: &[] },
    Case { name: "update against delete, without a key", start: BAG,
        bot: "UPDATE t SET b = 5 WHERE a = 2", central: "DELETE FROM t WHERE a = 2",
        look: "SELECT a, b, count(*) FROM t GROUP BY a, b", bot_has: &["1 1 2", "2 5 1"], central_has: None, conflicts: &[] },
    Case { name: "rows with NULL in their key", start: TEXT,
        bot: "INSERT INTO t VALUES(NULL, 1, 1)", central: "INSERT INTO t VALUES(NULL, 1, 1), (NULL, 2, 2)",
        look: "SELECT v, count(*) FROM t WHERE k IS NULL GROUP BY v", bot_has: &["1 2", "2 1"], central_has: None, conflicts: &[] },
];

#[test]
fn what_constraints_make_of_edits() {
    let mut wrong = Vec::new();
    for case in CASES {
        let world = World::two().start(case.start);
        world.edit("bot", case.bot);
        world.edit("central", case.central);
        let report = world.sync();
        assert_eq!(report["ok"], json!(true), "{}: {report:#}", case.name);
        let expected = [("bot", case.bot_has), ("central", case.central_has.unwrap_or(case.bot_has))];
        for (side, rows) in expected {
            let found = world.lines(side, case.look);
            if found != rows {
                wrong.push(format!("{}: {side} has {found:?}, not {rows:?}", case.name));
            }
            let lost = query(&world.open(side), "PRAGMA foreign_key_check").rows;
            if !lost.is_empty() {
                wrong.push(format!("{}: {side} has references that lead nowhere: {lost:?}", case.name));
            }
        }
        let found = conflict_lines(&world);
        if found != case.conflicts {
            wrong.push(format!("{}: on record is {found:?}, not {:?}", case.name, case.conflicts));
        }
        assert_settled(&world);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A plan may hold a row that a side does not take; whether pages were read right has nothing to do with that.
#[test]
fn a_row_that_waits_for_a_value_is_no_mistake_of_pages() {
    for keys in ["k TEXT PRIMARY KEY, v", "id INTEGER PRIMARY KEY, k TEXT UNIQUE NOT NULL, v"] {
        let world = World::two().start(&format!(
            "CREATE TABLE t({keys}); INSERT INTO t(k, v) VALUES('a', 0), ('b', 1), ('c', 2), ('d', 3)"
        ));
        world.edit("central", "INSERT INTO t(k, v) VALUES('g', 8)");
        world.edit("bot", "UPDATE t SET k = 'g' WHERE k = 'c'");
        world.sync();
        world.edit("bot", "INSERT INTO t(k, v) VALUES('c', 3)");
        world.sync();
        world.edit("bot", "DELETE FROM t WHERE k = 'g'");
        for v in 0..4 {
            // Each run says so where pages and rows differ, and `sync` fails.
            world.sync();
            world.edit("bot", &format!("UPDATE t SET v = {v} WHERE k = 'd'"));
        }
        world.sync();
        check(&world, "SELECT k, v FROM t ORDER BY k", &["'a' 0", "'b' 1", "'c' 3", "'d' 3", "'g' 8"]);
    }
}

/// A row that is held keeps its old key where others have it; who takes that meanwhile waits as well, and is not taken for it.
#[test]
fn a_key_that_a_held_row_has_left_is_not_free_yet() {
    for keys in [
        "k TEXT PRIMARY KEY, v) WITHOUT ROWID",
        "k TEXT PRIMARY KEY, v)",
        "id INTEGER PRIMARY KEY, k TEXT UNIQUE NOT NULL, v)",
    ] {
        let world = World::three().start(&format!(
            "CREATE TABLE t({keys}; INSERT INTO t(k, v) VALUES('a', 0), ('b', 1), ('c', 2), ('d', 3), ('e', 4)"
        ));
        world.edit("central", "INSERT INTO t(k, v) VALUES('g', 8)");
        world.edit("website", "UPDATE t SET k = 'g' WHERE k = 'c'; DELETE FROM t WHERE k = 'e'");
        world.sync();
        world.edit("website", "INSERT INTO t(k, v) VALUES('c', 3)");
        world.sync();
        let look = "SELECT k, v FROM t WHERE k > 'b' ORDER BY k";
        for side in ["bot", "central"] {
            check_side(&world, side, look, &["'c' 2", "'d' 3", "'g' 8"]);
        }
        check_side(&world, "website", look, &["'c' 3", "'d' 3", "'g' 2"]);
        // The one that was there first is on record as before, and the other waits with it.
        assert_eq!(conflict_lines(&world), ["t unique [k] central held"]);
        assert_eq!(world.conflicts()[0]["values"]["website"]["k"], json!("g"));
        world.edit("bot", "UPDATE t SET k = 'e' WHERE k = 'c'");
        world.sync();
        world.sync();
        check(&world, look, &["'c' 3", "'d' 3", "'e' 2", "'g' 8"]);
        assert_converged(&world);
        assert_settled(&world);
    }
}
