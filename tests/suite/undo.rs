//! Taking runs back.
//!
//! Apart from `acts`, which decides single conflicts. What a run touched goes back on every side; what has changed since
//! stays, and is said.

use cr0sync::ErrorKind;
use cr0sync::database::{self, Target};
use serde_json::{Value, json};

use crate::common::{World, assert_converged, assert_settled, check, conflict_lines, options, seen};

const START: &str = "
    CREATE TABLE u(id INTEGER PRIMARY KEY AUTOINCREMENT, nick TEXT NOT NULL UNIQUE, points);
    CREATE TABLE n(id INTEGER PRIMARY KEY AUTOINCREMENT, uid REFERENCES u(id), body);
    CREATE TABLE bag(x);
    INSERT INTO u(nick, points) VALUES('ann', 1), ('bob', 2), ('cat', 3); INSERT INTO n(uid, body) VALUES(1, 'of ann'), (2, 'of bob')";

fn warnings(report: &Value) -> String {
    report["databases"]["d"]["warnings"].to_string()
}

fn run_of(report: &Value) -> String {
    report["run"].as_str().unwrap().to_owned()
}

#[test]
fn a_run_is_taken_back_on_every_side() {
    let world = World::three().tables(json!({ "u": { "columns": { "points": "sum" } } })).start(START);
    let before = world.dump("central");
    world.edit("bot", "UPDATE u SET points = points + 5 WHERE nick = 'ann'; DELETE FROM n WHERE uid = 2; DELETE FROM u WHERE nick = 'bob'");
    world.edit("website", "UPDATE u SET points = points + 7 WHERE nick = 'ann'; INSERT INTO u(nick, points) VALUES('dan', 4); INSERT INTO n(uid, body) VALUES(4, 'of dan')");
    let report = world.sync();
    let after = world.dump("central");
    let undone = world.undo(&run_of(&report)).unwrap();
    assert_eq!(undone["ok"], json!(true), "{undone:#}");
    assert!(!warnings(&undone).contains("left as it is"), "{undone:#}");
    for side in ["bot", "central", "website"] {
        assert_eq!(world.dump(side), before, "{side}");
    }
    assert_settled(&world);
    assert_eq!(world.history(9)["runs"][0]["kind"], json!(format!("undo {}", run_of(&report))));
    // Taking it back is a run like any other.
    world.undo(&run_of(&undone)).unwrap();
    assert_eq!(world.dump("bot"), after);
    assert_settled(&world);
}

/// A side that the run has not reached has changed nothing: what is taken back does not reach it at all.
#[test]
fn a_side_that_is_behind_keeps_nothing_from_going_back() {
    for edit in [
        "DELETE FROM n; DELETE FROM u WHERE nick <> 'ann'",
        "UPDATE u SET points = 10; INSERT INTO u(nick, points) VALUES('eve', 9)",
    ] {
        let mut world = World::three();
        world.json["guards"]["busy_timeout_ms"] = json!(50);
        let world = world.start(START);
        let before = world.dump("central");
        world.edit("bot", edit);
        let busy = world.open("website");
        busy.execute_batch("BEGIN IMMEDIATE").unwrap();
        let report = world.sync();
        busy.execute_batch("ROLLBACK").unwrap();
        assert_eq!(world.dump("website"), before, "it was to be left out");
        assert_ne!(world.dump("central"), before, "the others were not");
        let undone = world.undo(&run_of(&report)).unwrap();
        assert!(!warnings(&undone).contains("left as it is"), "{undone:#}");
        for side in ["bot", "central", "website"] {
            assert_eq!(world.dump(side), before, "{side}: {edit}");
        }
        world.sync();
        assert_eq!(world.dump("website"), before, "{edit}");
        assert_settled(&world);
    }
}

/// A row whose UNIQUE value another has now stays away, and that is said.
#[test]
fn a_row_that_has_no_place_is_left() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, email UNIQUE); INSERT INTO t VALUES('ann', 'a'), ('bob', 'b'), ('cat', 'c')");
    world.edit("bot", "DELETE FROM t WHERE k <> 'cat'");
    let report = world.sync();
    world.edit("bot", "INSERT INTO t VALUES('bea', 'a')");
    world.sync();
    let undone = world.undo(&run_of(&report)).unwrap();
    let told = warnings(&undone);
    assert!(told.contains("left as it is: t ann: another row is in its way"), "{told}");
    assert!(!told.contains("bob"), "{told}");
    check(&world, "SELECT k FROM t ORDER BY k", &["'bea'", "'bob'", "'cat'"]);
}

/// No reference leads nowhere, or to a row that was not meant: what stays keeps those that point at it, or that it points at.
#[test]
fn references_lead_where_they_led() {
    struct Case {
        what: &'static str,
        start: &'static str,
        run: &'static [&'static str],
        since: &'static [&'static str],
        left: &'static [&'static str],
        rows: &'static [&'static str],
    }
    const BY_NAME: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE); CREATE TABLE c(k TEXT PRIMARY KEY, p REFERENCES p(id), x);
        INSERT INTO p VALUES(1, 'ann'), (2, 'bob'), (3, 'cat'); INSERT INTO c VALUES('of bob', 2, 0), ('of cat', 3, 0)";
    const BY_ID: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE c(k TEXT PRIMARY KEY, p REFERENCES p(id), x);
        INSERT INTO p VALUES(1, 'ann'), (2, 'bob'); INSERT INTO c VALUES('of bob', 2, 0)";
    const BY_KEY: &str = "CREATE TABLE g(id TEXT PRIMARY KEY); CREATE TABLE p(id TEXT PRIMARY KEY, name UNIQUE, g REFERENCES g(id));
        CREATE TABLE c(k TEXT PRIMARY KEY, p REFERENCES p(id), x);
        INSERT INTO g VALUES('g'), ('h'); INSERT INTO p VALUES('ann', 'a', 'g'), ('bob', 'b', 'h'); INSERT INTO c VALUES('of bob', 'bob', 0)";
    for case in [
        Case {
            what: "another row has the number of one whose name tells which it is",
            start: BY_NAME,
            run: &["DELETE FROM c; DELETE FROM p WHERE id > 1"],
            since: &["INSERT INTO p(name) VALUES('eve')"],
            left: &["p bob: another row has its id now", "c of bob: what it points at is gone"],
            rows: &["'of cat' 'cat'"],
        },
        Case {
            what: "another row has the number of one that nothing else tells",
            start: BY_ID,
            run: &["DELETE FROM c; DELETE FROM p WHERE id = 2"],
            since: &["INSERT INTO p(name) VALUES('eve')"],
            left: &["p 2: it has changed since", "c of bob: what it points at is gone"],
            rows: &[],
        },
        Case {
            what: "another row has the name",
            start: BY_KEY,
            run: &["DELETE FROM c; DELETE FROM p WHERE id = 'bob'"],
            since: &["INSERT INTO p VALUES('bea', 'b', NULL)"],
            left: &["p bob: another row is in its way", "c of bob: what it points at is gone"],
            rows: &[],
        },
        Case {
            what: "what it points at points at what is gone",
            start: BY_KEY,
            run: &["DELETE FROM c; DELETE FROM p WHERE id = 'bob'"],
            since: &["DELETE FROM g WHERE id = 'h'"],
            left: &["p bob: what it points at is gone", "c of bob: what it points at is gone"],
            rows: &[],
        },
        Case {
            what: "what points at it has changed",
            start: BY_KEY,
            run: &["INSERT INTO p VALUES('eve', 'e', 'g'); INSERT INTO c VALUES('of eve', 'eve', 0)"],
            since: &["UPDATE c SET x = 1 WHERE k = 'of eve'"],
            left: &["c of eve: it has changed since", "p eve: rows that came since point at it"],
            rows: &["'of bob' 'b'", "'of eve' 'e'"],
        },
        Case {
            what: "what came since points at its new name",
            start: BY_KEY,
            run: &["UPDATE p SET id = 'anna' WHERE id = 'ann'"],
            since: &["INSERT INTO c VALUES('of anna', 'anna', 0)"],
            left: &["anna: "],
            rows: &["'of anna' 'a'", "'of bob' 'b'"],
        },
        Case {
            what: "what was moved to it is moved back",
            start: BY_KEY,
            run: &["INSERT INTO p VALUES('eve', 'e', 'g'); UPDATE c SET p = 'eve'"],
            since: &[],
            left: &[],
            rows: &["'of bob' 'b'"],
        },
    ] {
        let world = World::two().start(case.start);
        case.run.iter().for_each(|text| world.edit("bot", text));
        let report = world.sync();
        case.since.iter().for_each(|text| world.edit("bot", text));
        world.sync();
        let undone = world.undo(&run_of(&report)).unwrap();
        let told = warnings(&undone);
        for words in case.left {
            assert!(told.contains(words), "{}: {words}: {told}", case.what);
        }
        assert_eq!(told.matches("left as it is").count(), case.left.len(), "{}: {told}", case.what);
        for side in ["bot", "central"] {
            let lost = world.lines(side, "SELECT * FROM pragma_foreign_key_check");
            assert!(lost.is_empty(), "{}: {side}: {lost:?}", case.what);
            let rows = world.lines(side, "SELECT c.k, p.name FROM c JOIN p ON p.id = c.p ORDER BY c.k");
            assert_eq!(rows, case.rows, "{}: {side}", case.what);
        }
        assert_settled(&world);
    }
}

/// What a row got in a column that came since is nobody's to lose, and a parent that is on its way to a side is there.
#[test]
fn what_came_since_is_kept_where_a_side_is_behind() {
    let busy = |sides: &[&str]| {
        let mut world = World::three().prefer(sides);
        world.json["guards"]["busy_timeout_ms"] = json!(50);
        world
    };
    let world = busy(&["website", "central", "bot"])
        .start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('a', 1), ('b', 1)");
    let away = world.open("website");
    away.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.edit("bot", "UPDATE t SET x = 2; INSERT INTO t VALUES('new', 1)");
    let first = run_of(&world.sync());
    world.edit("bot", "ALTER TABLE t ADD COLUMN d; UPDATE t SET d = 9 WHERE k <> 'b'");
    world.sync();
    away.execute_batch("ROLLBACK").unwrap();
    world.edit("central", "UPDATE t SET d = 8 WHERE k = 'b'");
    let undone = world.undo(&first).unwrap();
    assert!(warnings(&undone).contains("left as it is: t new: it has changed since"), "{undone:#}");
    check(&world, "SELECT k, x, d FROM t ORDER BY k", &["'a' 1 9", "'b' 1 8", "'new' 1 9"]);
    assert_settled(&world);

    let world = busy(&[]).start(
        "CREATE TABLE p(k TEXT PRIMARY KEY); CREATE TABLE c(k TEXT PRIMARY KEY, p REFERENCES p(k), x)",
    );
    let away = world.open("website");
    away.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.edit("bot", "INSERT INTO p VALUES('p'); INSERT INTO c VALUES('c', 'p', 1)");
    world.sync();
    world.edit("bot", "UPDATE c SET x = 2");
    let second = run_of(&world.sync());
    away.execute_batch("ROLLBACK").unwrap();
    let undone = world.undo(&second).unwrap();
    assert!(!warnings(&undone).contains("left as it is"), "{undone:#}");
    world.sync();
    check(&world, "SELECT * FROM c", &["'c' 'p' 1"]);
    assert_settled(&world);
}

#[test]
fn what_has_changed_since_stays() {
    let world = World::two().start(START);
    world.edit(
        "bot",
        "UPDATE u SET points = 10; INSERT INTO u(nick) VALUES('eve'); INSERT INTO bag VALUES(1)",
    );
    let report = world.sync();
    world.edit("central", "UPDATE u SET points = 11 WHERE nick = 'bob'; INSERT INTO n(uid, body) SELECT id, 'new' FROM u WHERE nick = 'eve'");
    let undone = world.undo(&run_of(&report)).unwrap();
    let told = warnings(&undone);
    for words in ["u bob: it has changed since", "u eve: rows that came since point at it", "bag: "] {
        assert!(told.contains(words), "{told}");
    }
    check(&world, "SELECT nick, points FROM u", &["'ann' 1", "'bob' 11", "'cat' 3", "'eve' NULL"]);
    check(&world, "SELECT body FROM n", &["'new'", "'of ann'", "'of bob'"]);
    check(&world, "SELECT x FROM bag", &["1"]);
    assert_eq!(conflict_lines(&world), Vec::<String>::new());
}

#[test]
fn a_deleted_row_comes_back_under_a_free_id() {
    let world = World::two()
        .start("CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES(1, 'a'), (2, 'b')");
    world.edit("bot", "DELETE FROM t WHERE id = 2");
    let report = world.sync();
    world.edit("central", "INSERT INTO t VALUES(2, 'other')");
    world.sync();
    let undone = world.undo(&run_of(&report)).unwrap();
    assert!(warnings(&undone).contains("t 2: it has changed since"), "{undone:#}");
    world.edit("central", "DELETE FROM t WHERE id = 2");
    world.sync();
    world.undo(&run_of(&report)).unwrap();
    check(&world, "SELECT id, x FROM t", &["1 'a'", "2 'b'"]);
    assert_converged(&world);
}

#[test]
fn what_cannot_be_taken_back_is_said() {
    let world = World::two();
    world.edit_all(START);
    world.edit("bot", "INSERT INTO u(nick) VALUES('dan')");
    assert_eq!(run_of(&world.sync()), "1");
    let refused = |run: &str| {
        let error = world.undo(run).expect_err(run);
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        (error.to_string(), error.hint_text().unwrap().to_owned())
    };
    for run in ["77", "x", ""] {
        assert_eq!(refused(run).0, format!("there is no run {run}"));
    }
    let (what, hint) = refused("1");
    assert_eq!(what, "run 1 has nothing that can be taken back");
    assert!(hint.contains("the first run of a side"), "{hint}");
}

/// A run that only brings on what an earlier one did, and a restore, say what to do instead.
#[test]
fn what_can_be_taken_back_instead_is_said() {
    let world = World::three().start(START);
    world.edit("bot", "UPDATE u SET points = 10");
    let first = run_of(&world.sync());
    std::fs::remove_file(world.path("website")).unwrap();
    let carried = run_of(&world.sync());
    let hint = |run: &str| world.undo(run).expect_err(run).hint_text().unwrap().to_owned();
    assert!(hint(&carried).ends_with(&format!("is run {first}")), "{}", hint(&carried));

    let backups = database::backup(&world.config(), &options()).unwrap().backups;
    let backup = backups.iter().find(|one| one.side == "bot").unwrap();
    world.edit("bot", "UPDATE u SET points = 20");
    world.sync();
    let restored = seen(database::restore(&world.config(), &backup.id, &Target::Own, &options()).unwrap());
    let told = hint(&run_of(&restored));
    let copies = database::backups(&world.config(), &options()).unwrap().backups;
    let copy = copies.iter().find(|one| one.id.contains(":emergency:")).unwrap();
    assert!(told.contains(&copy.id) && !told.contains("undo"), "{told}");
    let after = run_of(&world.sync());
    assert!(hint(&run_of(&restored)).contains(&format!("`undo {after}`")), "{}", hint(&run_of(&restored)));
    world.undo(&after).unwrap();
    check(&world, "SELECT DISTINCT points FROM u", &["20"]);
}

/// What a run did is kept in pieces, by rows and by bytes.
#[test]
fn a_large_run_is_taken_back_whole() {
    let world = World::two().start(
        "CREATE TABLE many(id INTEGER PRIMARY KEY, v); CREATE TABLE large(k TEXT PRIMARY KEY, v, w);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) INSERT INTO many SELECT i, i FROM n;
         INSERT INTO large SELECT id, 0, zeroblob(700000 + id) FROM many LIMIT 5",
    );
    let before = world.dump("central");
    world.edit(
        "bot",
        "UPDATE many SET v = -v; UPDATE large SET v = 1; UPDATE large SET w = zeroblob(9) WHERE k > '3'",
    );
    let report = world.sync();
    assert_ne!(world.dump("central"), before);
    let undone = world.undo(&run_of(&report)).unwrap();
    assert!(!warnings(&undone).contains("left as it is"), "{undone:#}");
    for side in ["bot", "central"] {
        assert!(world.dump(side) == before, "{side}");
    }
    assert_settled(&world);
}
