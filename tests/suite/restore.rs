//! The way back: a backup is written into a live file, wins the next run, and keeps everything as it is where it cannot.
//!
//! Apart from `backups`, which makes and cleans them.

use crate::common::{NAME, World, check, check_side, differences, dump, open, options, query, seen, state};
use cr0sync::ErrorKind;
use cr0sync::database::{self, Force, Mode, Options, Target};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

use super::backups::*;

/// Yesterday's content of the bot, and what happened since on both sides: `bob` is edited after the last run, where
/// the backup has nothing else than what was merged; `cid` before it, so that the backup has something else.
fn a_day_later(world: World) -> (World, String) {
    let world = world.start(TABLE);
    let id = id_of(&backup(&world), "bot");
    world.edit(
        "bot",
        "DELETE FROM t WHERE k = 'ann'; INSERT INTO t VALUES('dan', 4); UPDATE t SET x = 30 WHERE k = 'cid'",
    );
    assert_eq!(world.sync()["ok"], true);
    world.edit("bot", "UPDATE t SET x = 20 WHERE k = 'bob'");
    world.edit(
        "central",
        "UPDATE t SET x = 21 WHERE k = 'bob'; UPDATE t SET x = 31 WHERE k = 'cid'; INSERT INTO t VALUES('eve', 5)",
    );
    (world, id)
}

#[test]
fn a_restored_backup_wins_everywhere_in_the_next_run() {
    for journal in ["delete", "wal", "truncate"] {
        let world = World::two().prefer(&["central"]);
        world.edit_all(&format!("PRAGMA journal_mode = {journal}"));
        let (world, id) = a_day_later(world);
        let open_before = world.open("bot");
        let mut select = open_before.prepare("SELECT group_concat(k || x, ' ') FROM t").unwrap();
        let seen_by_owner = |select: &mut rusqlite::Statement<'_>| -> String {
            select.query_row([], |row| row.get(0)).unwrap()
        };
        assert_eq!(seen_by_owner(&mut select), "bob20 cid30 dan4");
        let before = world.dump("bot");

        let report = restore(&world, &id, &Target::Own).unwrap();
        assert_eq!((state(&report), report["ok"].as_bool()), ("restored", Some(true)), "{report:#}");
        let warning = report["databases"][NAME]["warnings"][0].as_str().unwrap();
        assert!(!warning.contains("row by row"), "{journal}: {warning}");
        // Whoever had it open goes on, reading and writing.
        assert_eq!(seen_by_owner(&mut select), "ann1 bob2 cid3", "{journal}");
        drop(select);
        open_before.execute_batch("INSERT INTO t VALUES('fay', 6)").unwrap();
        let mode: String = open_before.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, if journal == "wal" { "wal" } else { "delete" }, "truncate is a connection's own");
        drop(open_before);
        let fresh: String =
            world.open("bot").pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(fresh, if journal == "wal" { "wal" } else { "delete" });
        // What it had is still there.
        let copy = Path::new(warning.rsplit(' ').next().unwrap());
        assert!(differences("before", &before, "copy", &dump(&open(copy))).is_empty());
        assert!(copy.file_name().unwrap().to_str().unwrap().starts_with("d.db.emergency."));

        let report = world.sync();
        assert_eq!(report["ok"], true, "{report:#}");
        check(
            &world,
            "SELECT k, x FROM t ORDER BY k",
            &["'ann' 1", "'bob' 21", "'cid' 3", "'eve' 5", "'fay' 6"],
        );
        let kinds: Vec<Value> =
            world.history(9)["runs"].as_array().unwrap().iter().map(|run| run["kind"].clone()).collect();
        assert_eq!(kinds[1], "restore", "{kinds:?}");
    }
}

#[test]
fn a_backup_goes_into_all_sides_at_once() {
    let (world, id) = a_day_later(World::three());
    let report = restore(&world, &id, &Target::AllSides).unwrap();
    assert_eq!(report["databases"][NAME]["sides"].as_object().unwrap().len(), 3, "{report:#}");
    for side in ["bot", "central", "website"] {
        check_side(&world, side, "SELECT k, x FROM t ORDER BY k", &["'ann' 1", "'bob' 2", "'cid' 3"]);
    }
    assert_eq!(world.sync()["conflicts"], 0);
    check(&world, "SELECT k, x FROM t ORDER BY k", &["'ann' 1", "'bob' 2", "'cid' 3"]);
}

#[test]
fn a_backup_goes_into_another_side() {
    let (world, id) = a_day_later(World::two());
    restore(&world, &id, &side("central")).unwrap();
    check_side(&world, "central", "SELECT k, x FROM t ORDER BY k", &["'ann' 1", "'bob' 2", "'cid' 3"]);
    check_side(&world, "bot", "SELECT k, x FROM t ORDER BY k", &["'bob' 20", "'cid' 30", "'dan' 4"]);
    world.sync();
    check(&world, "SELECT k, x FROM t ORDER BY k", &["'ann' 1", "'bob' 20", "'cid' 3"]);
}

#[test]
fn a_dry_run_restores_nothing() {
    let (world, id) = a_day_later(World::two());
    let before = (files(world.path("bot").parent().unwrap()), world.dump("central"), backups(&world));
    let dry = Options { mode: Mode::DryRun, ..options() };
    let report = seen(database::restore(&world.config(), &id, &Target::AllSides, &dry).unwrap());
    assert_eq!(report["databases"][NAME]["warnings"].as_array().unwrap().len(), 4, "{report:#}");
    let after = (files(world.path("bot").parent().unwrap()), world.dump("central"), backups(&world));
    assert!(before == after);
    assert_eq!(world.history(1)["runs"][0]["kind"], "bidirectional");
}

#[test]
fn a_dry_run_counts_the_rows_that_would_change() {
    let world =
        World::two().start(&format!("{TABLE}; CREATE TABLE log(line); INSERT INTO log VALUES('a'), ('b')"));
    let id = id_of(&backup(&world), "bot");
    let dry = Options { mode: Mode::DryRun, ..options() };
    let foretold = |target: &Target| {
        let report = seen(database::restore(&world.config(), &id, target, &dry).unwrap());
        let database = &report["databases"][NAME];
        (database["sides"].clone(), database["warnings"].as_array().unwrap().clone())
    };
    let counts = |inserted, updated, deleted| json!({ "inserted": inserted, "updated": updated, "deleted": deleted, "rekeyed": 0, "lock_ms": 0 });
    let (sides, lines) = foretold(&Target::Own);
    assert_eq!(sides, json!({ "bot": counts(0, 0, 0) }));
    assert_eq!(lines, [json!(format!("bot would get the content of {id}"))]);
    // By type and bytes, whatever the policy says of the table.
    world.edit(
        "bot",
        "UPDATE t SET x = x + 0.0 WHERE k = 'ann'; DELETE FROM t WHERE k = 'bob'; INSERT INTO t VALUES('dan', 4), ('eve', 5);
         DELETE FROM log; CREATE TABLE new(a); INSERT INTO new VALUES(1)",
    );
    let (sides, lines) = foretold(&Target::AllSides);
    assert_eq!(sides, json!({ "bot": counts(3, 1, 3), "central": counts(0, 0, 0) }));
    let told = |line: &str| lines.contains(&json!(line));
    assert!(told("bot, t: 1 row inserted, 1 updated, 2 deleted"), "{lines:#?}");
    assert!(told("bot, log: 2 rows inserted, 0 updated, 0 deleted"), "{lines:#?}");
    assert!(told("bot, new: 0 rows inserted, 0 updated, 1 deleted"), "{lines:#?}");
    // It is what then happens.
    let copied = world.path("central");
    let done = restore(&world, &id, &Target::Own).unwrap()["databases"][NAME].clone();
    for count in ["inserted", "updated", "deleted"] {
        assert_eq!(done["sides"]["bot"][count], sides["bot"][count], "{done:#}");
    }
    let told = done["warnings"].as_array().unwrap();
    assert!(told.contains(&json!("bot, log: 2 rows inserted, 0 updated, 0 deleted")), "{done:#}");
    assert_same(&world, "bot", &copied);
    fs::remove_file(world.path("bot")).unwrap();
    let (sides, lines) = foretold(&Target::Own);
    assert_eq!(
        (sides, lines),
        (json!({}), vec![json!(format!("bot is not there and would be made from {id}"))])
    );
}

#[test]
fn a_backup_of_another_database_is_refused() {
    let (world, _) = a_day_later(World::two());
    let other = world.root().join("other.db");
    open(&other).execute_batch("CREATE TABLE unrelated(x); INSERT INTO unrelated VALUES(1)").unwrap();
    let (path, before) = (other.to_str().unwrap(), world.dump("bot"));
    for mode in [Mode::DryRun, Mode::Apply] {
        let options = Options { databases: vec![NAME.to_owned()], mode, ..options() };
        let error =
            database::restore(&world.config(), path, &side("bot"), &options).expect_err("no table in common");
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.hint_text().unwrap().contains("--force"), "{error:?}");
    }
    assert_eq!(world.dump("bot"), before);
    let force = Options { databases: vec![NAME.to_owned()], force: Force::Yes, ..options() };
    database::restore(&world.config(), path, &side("bot"), &force).unwrap();
    check_side(&world, "bot", "SELECT x FROM unrelated", &["1"]);
}

#[test]
fn what_is_missing_or_empty_is_made_from_the_backup() {
    for empty in [false, true] {
        let (world, id) = a_day_later(World::two());
        fs::remove_file(world.path("bot")).unwrap();
        if empty {
            fs::write(world.path("bot"), "").unwrap();
        }
        let report = restore(&world, &id, &Target::Own).unwrap();
        let was = if empty { "bot had no bytes and" } else { "bot was not there and" };
        assert!(report["databases"][NAME]["warnings"][0].as_str().unwrap().contains(was), "{report:#}");
        world.sync();
        check(&world, "SELECT k, x FROM t ORDER BY k", &["'ann' 1", "'bob' 21", "'cid' 3", "'eve' 5"]);
    }
}

#[test]
fn a_damaged_file_is_overwritten_only_by_force() {
    let (world, id) = a_day_later(World::two());
    damage(&world.path("bot"));
    let error = restore(&world, &id, &Target::Own).expect_err("no sound emergency copy can be made");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.hint_text().unwrap().contains("--force"), "{error:?}");
    let dry = Options { mode: Mode::DryRun, ..options() };
    let foretold = seen(database::restore(&world.config(), &id, &Target::Own, &dry).unwrap());
    assert!(foretold["databases"][NAME]["warnings"].to_string().contains("--force"), "{foretold:#}");
    let force = Options { force: Force::Yes, ..options() };
    let report = seen(database::restore(&world.config(), &id, &Target::Own, &force).unwrap());
    assert_eq!(state(&report), "restored");
    check_side(&world, "bot", "SELECT k, x FROM t ORDER BY k", &["'ann' 1", "'bob' 2", "'cid' 3"]);
    let kept =
        backups(&world).into_iter().find(|one| one["id"].as_str().unwrap().contains(":emergency:")).unwrap();
    assert_eq!(kept["verified"], false, "{kept:#}");

    fs::write(world.path("bot"), vec![b'x'; 5000]).unwrap();
    let error =
        database::restore(&world.config(), &id, &Target::Own, &force).expect_err("not a database at all");
    assert!(error.hint_text().unwrap().contains("move the file away"), "{error}");
}

#[test]
fn another_page_size_is_no_obstacle() {
    for (journal, way) in [("delete", "pages"), ("wal", "rows")] {
        let world = World::two();
        world.edit("bot", "PRAGMA page_size = 1024; VACUUM");
        let (world, id) = a_day_later(world);
        world.edit("bot", &format!("PRAGMA page_size = 8192; VACUUM; PRAGMA journal_mode = {journal}"));
        let owner = world.open("bot");
        assert_eq!(query(&owner, "SELECT count(*) FROM t").rows.len(), 1);
        let report = restore(&world, &id, &Target::Own).unwrap();
        let warning = report["databases"][NAME]["warnings"][0].as_str().unwrap();
        assert_eq!(
            warning.contains("row by row because its page size is another"),
            way == "rows",
            "{warning}"
        );
        owner.execute_batch("INSERT INTO t VALUES('fay', 6)").unwrap();
        let page_size: i64 = owner.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
        assert_eq!(page_size, if way == "rows" { 8192 } else { 1024 });
        let sound: String = owner.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        drop(owner);
        world.sync();
        check(
            &world,
            "SELECT k, x FROM t ORDER BY k",
            &["'ann' 1", "'bob' 21", "'cid' 3", "'eve' 5", "'fay' 6"],
        );
    }
}

#[test]
fn a_file_in_wal_mode_does_not_switch_its_target() {
    let (world, _) = a_day_later(World::two());
    let file = world.root().join("theirs.db");
    let theirs = Connection::open(&file).unwrap();
    theirs.execute_batch(&format!("PRAGMA journal_mode = WAL; {TABLE}")).unwrap();
    drop(theirs);
    let header = fs::read(&file).unwrap();
    assert_eq!(header[18..20], [2, 2], "it is in WAL mode");
    let chosen = Options { databases: vec![NAME.into()], ..options() };
    let file = file.to_str().unwrap();
    let report = seen(database::restore(&world.config(), file, &side("bot"), &chosen).unwrap());
    assert_eq!(state(&report), "restored");
    let mode: String = world.open("bot").pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete");
    assert_eq!(fs::read(world.path("bot")).unwrap()[18..20], [1, 1]);
    assert_eq!(fs::read(file).unwrap(), header);
    check_side(&world, "bot", "SELECT k, x FROM t ORDER BY k", &["'ann' 1", "'bob' 2", "'cid' 3"]);
}

#[test]
fn a_reader_that_never_ends_keeps_everything_as_it_is() {
    let (mut world, id) = a_day_later(World::two());
    world.json["guards"]["busy_timeout_ms"] = json!(300);
    let before = world.dump("bot");
    let reader = world.open("bot");
    let mut statement = reader.prepare("SELECT k FROM t").unwrap();
    let mut rows = statement.query([]).unwrap();
    assert!(rows.next().unwrap().is_some());
    let error = restore(&world, &id, &Target::Own).expect_err("it is read all the time");
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(rows.next().unwrap().is_some(), "the reader goes on");
    drop(rows);
    drop(statement);
    drop(reader);
    assert!(differences("before", &before, "after", &world.dump("bot")).is_empty());
    let runs = world.history(1);
    assert_ne!(runs["runs"][0]["kind"], "restore", "{runs:#}");
    // And it was not given any preference.
    world.sync();
    check(&world, "SELECT k, x FROM t ORDER BY k", &["'bob' 21", "'cid' 31", "'dan' 4", "'eve' 5"]);
}

#[test]
fn a_reader_that_ends_late_is_waited_for_row_by_row() {
    let (world, id) = a_day_later(World::two());
    let (path, journal) = (world.path("bot"), world.path("bot").with_file_name("d.db-journal"));
    let (reads, read) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let reader = open(&path);
        let mut statement = reader.prepare("SELECT k FROM t").unwrap();
        let mut rows = statement.query([]).unwrap();
        assert!(rows.next().unwrap().is_some());
        reads.send(()).unwrap();
        // A journal appears when rows are written, and not while pages are tried.
        let start = std::time::Instant::now();
        while !journal.exists() && start.elapsed().as_secs() < 20 {
            std::thread::yield_now();
        }
        assert!(rows.next().unwrap().is_some());
    });
    read.recv().unwrap();
    let report = restore(&world, &id, &Target::Own).unwrap();
    reader.join().unwrap();
    let warning = report["databases"][NAME]["warnings"][0].as_str().unwrap();
    assert!(warning.contains("row by row because somebody kept reading it"), "{warning}");
    check_side(&world, "bot", "SELECT k, x FROM t ORDER BY k", &["'ann' 1", "'bob' 2", "'cid' 3"]);
    let sound: String = world.open("bot").query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

#[test]
fn a_reader_is_no_obstacle_in_wal_mode() {
    let world = World::two();
    world.edit_all("PRAGMA journal_mode = WAL");
    let (world, id) = a_day_later(world);
    let reader = world.open("bot");
    reader.execute_batch("BEGIN").unwrap();
    let count = |reader: &Connection| -> i64 {
        reader.query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap()
    };
    assert_eq!(count(&reader), 3);
    let report = restore(&world, &id, &Target::Own).unwrap();
    assert!(!report.to_string().contains("row by row"), "{report:#}");
    let name: String = reader.query_row("SELECT min(k) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(name, "bob", "its snapshot is kept");
    reader.execute_batch("COMMIT").unwrap();
    let name: String = reader.query_row("SELECT min(k) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(name, "ann");
}

#[test]
fn schemas_come_back_too() {
    let (world, id) = a_day_later(World::two());
    world.edit(
        "bot",
        "ALTER TABLE t ADD COLUMN more; CREATE TABLE u(x); DROP INDEX t_x; PRAGMA user_version = 9",
    );
    restore(&world, &id, &Target::Own).unwrap();
    let objects =
        world.lines("bot", "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY name");
    assert_eq!(objects, ["'t'", "'t_x'"]);
    check_side(&world, "bot", "SELECT count(*) FROM pragma_table_info('t')", &["2"]);
    check_side(&world, "bot", "PRAGMA user_version", &["0"]);
}

#[test]
fn what_makes_no_sense_is_refused_and_explained() {
    let (world, id) = a_day_later(World::two());
    let file = world.root().join("theirs.db");
    open(&file).execute_batch(TABLE).unwrap();
    let file = file.to_str().unwrap();
    let one = Options { databases: vec![NAME.into()], ..options() };
    for (backup, target, options, message) in [
        (
            "d:bot:2001-01-01_00-00-00",
            Target::Own,
            &options(),
            "there is no backup d:bot:2001-01-01_00-00-00",
        ),
        ("/nowhere/a.db", Target::Own, &options(), "there is no backup /nowhere/a.db"),
        (id.as_str(), side("moon"), &options(), "d has no side moon"),
        (file, side("bot"), &one, ""),
        (file, Target::Own, &one, "this file does not say which side it is of"),
        (world.path("central").to_str().unwrap(), side("bot"), &one, "this is no backup but a live file"),
    ] {
        match database::restore(&world.config(), backup, &target, options) {
            Ok(report) => assert_eq!(message, "", "{report:?}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
                assert!(!message.is_empty() && error.to_string().contains(message), "{error}");
            }
        }
    }
    let mut world = world;
    world.add_database("other");
    let error = restore(&world, file, &side("bot")).expect_err("into which database?");
    assert!(error.hint_text().unwrap().contains("--database"), "{error}");
    let other = Options { databases: vec!["other".into()], ..options() };
    let error = database::restore(&world.config(), &id, &Target::Own, &other).expect_err("it is of another");
    assert!(error.to_string().contains("which is not chosen"), "{error}");
}

#[test]
fn a_backup_is_found_by_its_path_and_by_the_link() {
    for link in [false, true] {
        let (world, id) = a_day_later(World::two());
        let one = backups(&world).into_iter().find(|one| one["id"] == json!(id)).unwrap();
        let mut path = PathBuf::from(one["path"].as_str().unwrap());
        if link {
            path = path.with_file_name("d.db.backup.latest");
        }
        let report = restore(&world, path.to_str().unwrap(), &Target::Own).unwrap();
        assert!(report["databases"][NAME]["warnings"][0].as_str().unwrap().contains(&id), "{report:#}");
        check_side(&world, "bot", "SELECT count(*) FROM t", &["3"]);
    }
}

#[test]
fn a_restore_passes_the_guard_once() {
    let world = World::two().start("CREATE TABLE t(k INTEGER PRIMARY KEY, x)");
    let id = id_of(&backup(&world), "bot");
    world.edit("bot", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO t SELECT i, i FROM n");
    world.sync();
    restore(&world, &id, &Target::Own).unwrap();
    let report = world.sync();
    assert_eq!(state(&report), "synced", "{report:#}");
    check(&world, "SELECT count(*) FROM t", &["0"]);
    world.edit("bot", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO t SELECT i, i FROM n");
    world.sync();
    world.edit("bot", "DELETE FROM t");
    assert_eq!(state(&world.sync()), "held");
}
