//! What the owners of the files may rely on: no trace of us but the merged rows.
//!
//! Apart from `input`, where the files are not what they should be. Triggers stay silent, settings and schema stay
//! as they were, a dry run leaves every byte alone.

use std::fs;

use crate::common::{World, assert_converged, assert_settled, check, check_side, conflict_lines, shape};

const RICH: &str = "
    CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, nick TEXT NOT NULL UNIQUE COLLATE NOCASE, x DEFAULT 3 CHECK(x < 1000));
    CREATE TABLE log(what);
    CREATE INDEX t_x ON t(x) WHERE x > 1;
    CREATE VIEW v AS SELECT nick FROM t;
    CREATE TRIGGER ti AFTER INSERT ON t BEGIN INSERT INTO log VALUES('insert ' || new.nick); END;
    CREATE TRIGGER tu AFTER UPDATE ON t BEGIN INSERT INTO log VALUES('update ' || new.nick); END;
    CREATE TRIGGER td AFTER DELETE ON t BEGIN INSERT INTO log VALUES('delete ' || old.nick); END;
    INSERT INTO t(nick, x) VALUES('ann', 1), ('bob', 2), ('cid', 3);";

#[test]
fn triggers_run_once_where_the_writer_is() {
    let world = World::two().start(RICH);
    let before = world.lines("bot", "SELECT what FROM log").len();
    world.edit("bot", "INSERT INTO t(nick) VALUES('dan'); UPDATE t SET x = 9 WHERE nick = 'ann'");
    world.edit("central", "DELETE FROM t WHERE nick = 'cid'");
    assert_eq!(world.sync()["conflicts"], 0);
    check(&world, "SELECT nick, x FROM t", &["'ann' 9", "'bob' 2", "'dan' 3"]);
    for side in ["bot", "central"] {
        assert_eq!(world.lines(side, "SELECT what FROM log").len(), before + 3, "{side}");
    }
}

#[test]
fn schema_and_settings_stay() {
    for journal in ["delete", "wal", "truncate", "persist"] {
        let world = World::two();
        for (side, number) in [("bot", 7), ("central", 8)] {
            world.edit(
                side,
                &format!(
                    "PRAGMA page_size = 8192; PRAGMA journal_mode = {journal}; PRAGMA user_version = {number};
                     PRAGMA application_id = {number}; {RICH}"
                ),
            );
        }
        let shapes = [shape(&world, "bot"), shape(&world, "central")];
        assert_eq!(world.sync()["ok"], true);
        for n in 0..3 {
            world.edit("bot", &format!("INSERT INTO t(nick, x) VALUES('bot{n}', {n}); UPDATE t SET x = 10 + {n} WHERE nick = 'ann'"));
            world.edit(
                "central",
                &format!(
                    "INSERT INTO t(nick, x) VALUES('central{n}', {n}); DELETE FROM t WHERE nick = 'bot{}'",
                    n - 1
                ),
            );
            let report = world.sync();
            assert_eq!(report["ok"], true, "{journal}: {report:#}");
            assert_converged(&world);
        }
        assert_eq!([shape(&world, "bot"), shape(&world, "central")], shapes, "{journal}");
        assert_settled(&world);
    }
}

#[test]
fn wal_replicas_with_open_readers_and_writers() {
    let world = World::three();
    for side in ["bot", "central", "website"] {
        world.edit(
            side,
            "PRAGMA journal_mode = WAL; CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0)",
        );
    }
    let open: Vec<_> = world.sides.iter().map(|side| world.open(side)).collect();
    assert_eq!(world.sync()["ok"], true);
    for n in 1..6 {
        open[0].execute_batch(&format!("INSERT INTO t VALUES('bot {n}', {n})")).unwrap();
        open[1].execute_batch(&format!("UPDATE t SET x = {n} WHERE k = 'k'")).unwrap();
        open[2].execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
        assert_eq!(world.sync()["ok"], true);
        open[2].execute_batch("COMMIT").unwrap();
        world.sync();
        check(&world, "SELECT x FROM t WHERE k = 'k'", &[&n.to_string()]);
    }
    // What we wrote is there for those who had the file open all the time.
    let count: i64 = open[2].query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 6);
}

#[test]
fn a_schema_that_resolves_conflicts_itself_does_not_eat_rows() {
    let world = World::two().start(
        "CREATE TABLE t(k TEXT PRIMARY KEY ON CONFLICT REPLACE, u TEXT UNIQUE ON CONFLICT REPLACE, x NOT NULL ON CONFLICT IGNORE);
         INSERT INTO t VALUES('a', '1', 1), ('b', '2', 2)",
    );
    world.edit("bot", "UPDATE t SET u = '3' WHERE k = 'a'");
    world.edit("central", "INSERT INTO t VALUES('c', '3', 3)");
    world.sync();
    let rows: usize =
        world.sides.iter().map(|side| world.lines(side, "SELECT k FROM t WHERE k IN ('a', 'b')").len()).sum();
    assert_eq!(rows, 4, "a row vanished");
    assert!(conflict_lines(&world)[0].starts_with("t unique"), "{:?}", conflict_lines(&world));
    assert_settled(&world);
}

#[test]
fn a_dry_run_touches_nothing() {
    let world = World::two().start(RICH);
    world.edit("bot", "INSERT INTO t(nick) VALUES('dan'); UPDATE t SET x = 9 WHERE nick = 'ann'");
    world.edit("central", "DELETE FROM t WHERE nick = 'cid'; UPDATE t SET x = 8 WHERE nick = 'ann'");
    let everything = |world: &World| {
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        let mut folders = vec![world.root().parent().unwrap().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else if !entry.path().to_string_lossy().contains("lock") {
                    files.push((entry.path().display().to_string(), fs::read(entry.path()).unwrap()));
                }
            }
        }
        files.sort();
        files
    };
    let before = everything(&world);
    let report = world.dry_run();
    assert_eq!(report["ok"], true, "{report:#}");
    assert_eq!(report["conflicts"], 1, "{report:#}");
    // The row, and what the triggers wrote into the log of its side.
    assert_eq!(report["databases"]["d"]["sides"]["central"]["inserted"], 3, "{report:#}");
    assert_eq!(report["databases"]["d"]["sides"]["bot"]["deleted"], 1, "{report:#}");
    let after = everything(&world);
    for (was, is) in before.iter().zip(&after) {
        assert!(was == is, "a dry run changed {} or {}", was.0, is.0);
    }
    assert_eq!(before.len(), after.len());
    assert!(world.conflicts().is_empty());
    // And then the real one does what was said.
    assert_eq!(world.sync()["databases"]["d"]["sides"]["central"]["inserted"], 3);
    check(&world, "SELECT nick, x FROM t", &["'ann' 8", "'bob' 2", "'dan' 3"]);
}

#[test]
fn a_locked_side_is_skipped_and_catches_up() {
    let mut world = World::three();
    world.json["guards"]["busy_timeout_ms"] = 50.into();
    let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0)");
    world.edit("bot", "INSERT INTO t VALUES('bot', 1)");
    world.edit("website", "INSERT INTO t VALUES('website', 1); UPDATE t SET x = 7 WHERE k = 'k'");
    let lock = world.open("website");
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let report = world.sync();
    assert_eq!(report["ok"], true, "{report:#}");
    assert!(report["databases"]["d"]["warnings"].to_string().contains("website"), "{report:#}");
    check_side(&world, "central", "SELECT k FROM t", &["'bot'", "'k'"]);
    drop(lock);
    assert_eq!(world.sync()["conflicts"], 0);
    check(&world, "SELECT k, x FROM t", &["'bot' 1", "'k' 7", "'website' 1"]);
}

#[test]
fn a_locked_hub_postpones_the_database() {
    let mut world = World::two();
    world.json["guards"]["busy_timeout_ms"] = 50.into();
    let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0)");
    world.edit("bot", "INSERT INTO t VALUES('bot', 1)");
    let lock = world.open("central");
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let report = world.sync();
    assert_eq!(report["databases"]["d"]["state"], "skipped", "{report:#}");
    assert!(
        report["databases"]["d"]["reason"].as_str().is_some_and(|reason| reason.contains("central")),
        "{report:#}"
    );
    drop(lock);
    world.sync();
    check(&world, "SELECT k, x FROM t", &["'bot' 1", "'k' 0"]);
}
