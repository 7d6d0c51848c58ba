//! What a person may force, and what is kept before it is done.
//!
//! Apart from `input`, which has the guards that nobody can force, and from `backups`, which has the ordinary copies.

use std::path::PathBuf;

use cr0sync::database::{self, Detail, Force, Options};
use serde_json::json;

use crate::common::{Dump, World, check_side, dump, open, options, state};

const TABLE: &str = "CREATE TABLE t(k INTEGER PRIMARY KEY, x); \
     WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t SELECT i, 0 FROM n";

fn forced() -> Options {
    Options { force: Force::Yes, ..options() }
}

/// The emergency copies of a side.
fn copies(world: &World, side: &str) -> Vec<PathBuf> {
    let directory = match side {
        "central" => world.path(side).parent().unwrap().to_path_buf(),
        _ => world.root().join("databases/backups").join(side),
    };
    let mut found: Vec<PathBuf> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("d.db.emergency."))
        .collect();
    found.sort();
    found
}

/// How a world comes to be held, and which sides the forced run writes to.
type Case = (&'static str, fn(&World), &'static [&'static str]);

const CASES: [Case; 4] = [
    ("deleted 80", |world| world.edit("bot", "DELETE FROM t WHERE k <= 80"), &["central", "website"]),
    ("has no table left", |world| world.edit("bot", "DROP TABLE t"), &[]),
    (
        "gone back in time",
        |world| {
            let old = std::fs::read(world.path("bot")).unwrap();
            world.edit("central", "UPDATE t SET x = 1 WHERE k <= 10");
            world.sync();
            std::fs::write(world.path("bot"), old).unwrap();
        },
        &["central", "website"],
    ),
    (
        "gone back in time",
        |world| {
            let old = std::fs::read(world.path("central")).unwrap();
            world.edit("bot", "UPDATE t SET x = 1 WHERE k <= 10");
            world.sync();
            std::fs::write(world.path("central"), old).unwrap();
            // Its owner goes on, so that each side gets something.
            world.edit("bot", "UPDATE t SET x = 2 WHERE k = 100");
        },
        &["bot", "central", "website"],
    ),
];

/// However young the last backup is, each side that is written is copied as it was.
#[test]
fn what_is_forced_is_copied_first() {
    for (why, hold, written) in CASES {
        let world = World::three().start(TABLE);
        // A backup of each side that would be young enough for an ordinary run.
        world.edit_all("UPDATE t SET x = 'young' WHERE k = 50");
        world.edit("bot", "UPDATE t SET x = 'young' WHERE k = 51");
        world.edit("central", "UPDATE t SET x = 'young' WHERE k = 52");
        world.sync();
        hold(&world);
        let report = world.sync();
        assert_eq!(state(&report), "held", "{why}: {report:#}");
        let reason = report["databases"]["d"]["reason"].as_str().unwrap();
        assert!(reason.contains(why), "{why}: {reason}");
        let none: Vec<PathBuf> = world.sides.iter().flat_map(|side| copies(&world, side)).collect();
        assert!(none.is_empty(), "{why}: what is held needs no copy: {none:?}");

        let before: Vec<Dump> = world.sides.iter().map(|side| world.dump(side)).collect();
        let report = world.run(&forced()).unwrap();
        assert_eq!(report["ok"], json!(true), "{why}: {report:#}");
        for (side, before) in world.sides.iter().zip(before) {
            let found = copies(&world, side);
            let changed = world.dump(side) != before;
            assert_eq!(changed, written.contains(&side.as_str()), "{why}: {side}: {report:#}");
            assert_eq!(found.len(), usize::from(changed), "{why}: {side}: {found:?}");
            if let Some(copy) = found.first() {
                assert_eq!(dump(&open(copy)), before, "{why}: {side}");
                let told = format!("{side} was copied to {} first", copy.display());
                let warnings = report["databases"]["d"]["warnings"].as_array().unwrap();
                assert!(warnings.contains(&json!(told)), "{why}: {report:#}");
            }
        }
    }
}

/// Without a copy nothing is forced, and the next attempt is free to do it.
#[test]
fn without_room_for_a_copy_nothing_is_forced() {
    let mut world = World::two().start(TABLE);
    world.edit("bot", "DELETE FROM t WHERE k <= 80");
    world.json["guards"]["min_free_percent"] = json!(100);
    let report = world.run(&forced()).unwrap();
    assert_eq!((&report["ok"], state(&report)), (&json!(false), "failed"), "{report:#}");
    check_side(&world, "central", "SELECT count(*) FROM t", &["100"]);
    world.json["guards"]["min_free_percent"] = json!(0);
    world.run(&forced()).unwrap();
    check_side(&world, "central", "SELECT count(*) FROM t", &["20"]);
    assert_eq!(copies(&world, "central").len(), 1);
}

/// Nobody deleted anything, as far as its owner knows.
#[test]
fn a_table_without_a_key_says_what_counts_as_deleted() {
    for (table, says) in [("CREATE TABLE t(a)", true), ("CREATE TABLE t(a PRIMARY KEY)", false)] {
        let rows: Vec<String> = (0..100).map(|n| format!("({n})")).collect();
        let world = World::two().start(&format!("{table}; INSERT INTO t VALUES{}", rows.join(",")));
        world.edit("bot", if says { "UPDATE t SET a = a + 1000" } else { "DELETE FROM t WHERE a < 90" });
        let report = world.sync();
        assert_eq!(state(&report), "held", "{report:#}");
        let reason = report["databases"]["d"]["reason"].as_str().unwrap();
        assert_eq!(reason.contains("a row that changed counts as deleted and added"), says, "{reason}");
    }
}

/// Where no guard waits, force is an ordinary run with an ordinary backup.
#[test]
fn what_nothing_holds_needs_no_emergency_copy() {
    let world = World::two().start(TABLE);
    world.edit("bot", "UPDATE t SET x = 1 WHERE k = 1");
    world.run(&forced()).unwrap();
    check_side(&world, "central", "SELECT x FROM t WHERE k = 1", &["1"]);
    assert!(copies(&world, "central").is_empty());
}

/// What waits for a person is told by status until it does not wait any more, and since when.
#[test]
fn status_tells_what_is_held_and_what_is_left_alone() {
    let world = World::two().start(
        "CREATE TABLE t(k TEXT PRIMARY KEY, x); CREATE TABLE odd(k TEXT PRIMARY KEY, x INTEGER);
         WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 100)
         INSERT INTO t SELECT n, n FROM n",
    );
    let status = || {
        let report = database::status(&world.config(), &options(), Detail::Summary);
        serde_json::to_value(report.unwrap()).unwrap()["databases"]["d"].clone()
    };
    assert_eq!((status()["held"].clone(), status()["paused"].clone()), (json!(null), json!({})));
    world.edit("bot", "ALTER TABLE odd DROP COLUMN x");
    world.sync();
    let first = status();
    let reason = first["paused"]["odd"]["reason"].as_str().unwrap().to_owned();
    assert!(!reason.is_empty() && first["held"].is_null(), "{first:#}");
    world.edit("bot", "DELETE FROM t");
    assert_eq!(world.sync()["databases"]["d"]["state"], "held");
    let held = status();
    assert_eq!(held["state"], "held");
    assert!(held["held"]["reason"].as_str().unwrap().contains("--force"), "{held:#}");
    assert_eq!(held["paused"], first["paused"], "what nobody looked at since stays, with its date");
    world.sync();
    assert_eq!(status()["held"]["since"], held["held"]["since"]);
    world.edit("bot", "ALTER TABLE odd ADD COLUMN x INTEGER");
    database::sync(&world.config(), &forced()).unwrap();
    world.sync();
    let settled = status();
    assert!(settled["held"].is_null(), "{settled:#}");
    assert_eq!(settled["paused"], json!({}), "{settled:#}");
}

/// A world in which a bot's file was copied, and then a run and its owner went on.
fn with_an_old_copy(journal: &str) -> (World, PathBuf) {
    let world = World::two();
    world.edit_all(&format!("PRAGMA journal_mode = {journal}"));
    let world = world.start(TABLE);
    let copy = world.root().join("old.db");
    world.open("bot").execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    if journal == "wal" {
        open(&copy).query_row("PRAGMA journal_mode = wal", [], |_| Ok(())).unwrap();
    }
    world.edit("central", "UPDATE t SET x = 'new' WHERE k = 7");
    world.sync();
    (world, copy)
}

/// Lets a file take the place of the bot's, as mv and rsync do.
fn replace(world: &World, by: &std::path::Path) {
    for suffix in ["-wal", "-shm"] {
        let mut beside = world.path("bot").into_os_string();
        beside.push(suffix);
        let _ = std::fs::remove_file(beside);
    }
    std::fs::rename(by, world.path("bot")).unwrap();
}

/// Commits until the change counter of a file is beyond any that was seen.
fn age(path: &std::path::Path) {
    let db = open(path);
    for _ in 0..50 {
        db.execute_batch("UPDATE t SET x = 'mine' WHERE k = 90; UPDATE t SET x = 0 WHERE k = 90").unwrap();
    }
}

#[test]
fn an_old_copy_in_a_files_place_is_held() {
    for journal in ["delete", "wal"] {
        for written_since in [false, true] {
            let told = format!("{journal}, written since: {written_since}");
            let (world, copy) = with_an_old_copy(journal);
            age(&copy);
            if written_since {
                open(&copy).execute_batch("UPDATE t SET x = 'edit' WHERE k = 99").unwrap();
            }
            replace(&world, &copy);
            let report = world.sync();
            assert_eq!(state(&report), "held", "{told}: {report:#}");
            let reason = report["databases"]["d"]["reason"].as_str().unwrap();
            assert!(reason.contains("before run 2") && reason.contains("--force"), "{told}: {reason}");
            check_side(&world, "central", "SELECT x FROM t WHERE k = 7", &["'new'"]);
            // The owner takes it away again: it is made anew, and nothing is lost.
            std::fs::remove_file(world.path("bot")).unwrap();
            for suffix in ["db-wal", "db-shm"] {
                let _ = std::fs::remove_file(world.path("bot").with_extension(suffix));
            }
            world.sync();
            check_side(&world, "bot", "SELECT x FROM t WHERE k = 7", &["'new'"]);
        }
    }
}

/// A copy of another side's file, from before the last run.
#[test]
fn an_old_copy_of_another_side_is_held() {
    let world = World::two().start(TABLE);
    let copy = world.root().join("old.db");
    world.edit("bot", "UPDATE t SET x = 'new' WHERE k IN (7, 8)");
    age(&world.path("central"));
    std::fs::copy(world.path("central"), &copy).unwrap();
    world.sync();
    replace(&world, &copy);
    let report = world.sync();
    assert_eq!(state(&report), "held", "{report:#}");
    let report = world.run(&forced()).unwrap();
    assert_eq!(report["ok"], json!(true), "{report:#}");
    check_side(&world, "central", "SELECT x FROM t WHERE k = 7", &["0"]);
    assert_eq!(copies(&world, "central").len(), 1);
}

/// A copy that has what its owner wrote, which the last run merged, and lacks what the others wrote.
#[test]
fn an_old_copy_with_its_owners_own_edit_is_held() {
    for (last, held) in [(9, true), (8, false)] {
        let world = World::two().start(TABLE);
        let copy = world.root().join("old.db");
        world.edit("bot", "UPDATE t SET x = 'own' WHERE k = 1");
        world.open("bot").execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        world.edit("central", &format!("UPDATE t SET x = 'new' WHERE k BETWEEN 7 AND {last}"));
        world.sync();
        age(&copy);
        replace(&world, &copy);
        let report = world.sync();
        assert_eq!(state(&report) == "held", held, "{last}: {report:#}");
        let expected = if held { "'new'" } else { "0" };
        check_side(&world, "central", "SELECT x FROM t WHERE k = 7", &[expected]);
    }
}

/// What people and programs do to their files that is no old copy.
#[test]
fn another_file_is_no_old_copy_as_long_as_what_was_merged_stands() {
    type Act = fn(&World);
    let acts: [(&str, Act); 5] = [
        ("VACUUM INTO and rename", |world| {
            let new = world.root().join("new.db");
            world.open("bot").execute("VACUUM INTO ?1", [new.to_str().unwrap()]).unwrap();
            replace(world, &new);
        }),
        ("the same with an edit", |world| {
            let new = world.root().join("new.db");
            world.open("bot").execute("VACUUM INTO ?1", [new.to_str().unwrap()]).unwrap();
            open(&new).execute_batch("UPDATE t SET x = 'edit' WHERE k = 1").unwrap();
            age(&new);
            replace(world, &new);
        }),
        ("VACUUM", |world| world.edit("bot", "VACUUM")),
        ("a value is taken back in the same file", |world| {
            world.edit("bot", "UPDATE t SET x = 0 WHERE k = 7");
        }),
        ("many values are set in the same file", |world| world.edit("bot", "UPDATE t SET x = 0")),
    ];
    for (told, act) in acts {
        let (world, _) = with_an_old_copy("delete");
        act(&world);
        let report = world.sync();
        assert_ne!(state(&report), "held", "{told}: {report:#}");
        assert_eq!(report["ok"], json!(true), "{told}: {report:#}");
        crate::common::assert_converged(&world);
    }
}
