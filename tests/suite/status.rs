//! What `status` says of a database between two runs: whether it is in sync, and what waits for a person.
//!
//! Apart from `acts`, which tells of runs. A monitor asks right after a run as well as long after it.

use std::fs;

use cr0sync::database::Detail;
use serde_json::{Value, json};

use crate::common::World;

fn status(world: &World) -> Value {
    world.status(Detail::Summary)["databases"]["d"].clone()
}

fn state(world: &World) -> String {
    status(world)["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_database_is_in_sync_right_after_a_run_that_wrote_to_it() {
    for mode in ["delete", "wal"] {
        let world = World::three();
        world.edit_all(&format!(
            "PRAGMA journal_mode = {mode}; CREATE TABLE t(k TEXT PRIMARY KEY, x); CREATE TABLE log(l)"
        ));
        assert_eq!(state(&world), "new", "{mode}");
        world.sync();
        assert_eq!(state(&world), "synced", "{mode}: adopted");
        for n in 0..3 {
            world.edit("bot", &format!("INSERT INTO t VALUES('k{n}', {n}); INSERT INTO log VALUES({n})"));
            assert_eq!(state(&world), "changed", "{mode} {n}");
            world.sync();
            assert_eq!(state(&world), "synced", "{mode} {n}");
            assert_eq!(state(&world), "synced", "{mode} {n}: a look changes nothing");
        }
        // Of the same size, and in the same moment as far as the clock of the files goes.
        for side in ["bot", "central", "website"] {
            world.edit(side, "UPDATE t SET x = 7 WHERE k = 'k1'");
            assert_eq!(state(&world), "changed", "{mode}: {side} was written");
            world.sync();
            world.edit(side, "UPDATE t SET x = 1 WHERE k = 'k1'");
            world.sync();
            assert_eq!(state(&world), "synced", "{mode}");
        }
        world.edit("website", "CREATE TABLE new(a)");
        assert_eq!(state(&world), "changed", "{mode}: a table without rows");
    }
}

/// What is too young to be told from what was written in the same moment is asked from the file.
#[test]
fn a_change_that_the_times_of_the_files_hide_is_seen() {
    for mode in ["delete", "wal"] {
        let world = World::two();
        world.edit_all(&format!("PRAGMA journal_mode = {mode}; CREATE TABLE t(k TEXT PRIMARY KEY, x)"));
        let bot = world.open("bot");
        bot.execute_batch("INSERT INTO t VALUES('k', 0)").unwrap();
        world.sync();
        let remembered = rusqlite::Connection::open(world.root().join("sync_state/state.db")).unwrap();
        let left: String = remembered
            .query_row("SELECT left_as FROM replicas WHERE side = 'bot'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(left, files_of_the_bot(&world), "{mode}");
        bot.execute_batch("UPDATE t SET x = 1").unwrap();
        assert_eq!(state(&world), "changed", "{mode}");
        world.sync();
        bot.execute_batch("UPDATE t SET x = 2").unwrap();
        // The files are made to look as if the last run had left them so.
        let now = files_of_the_bot(&world);
        remembered.execute("UPDATE replicas SET left_as = ?1 WHERE side = 'bot'", [now]).unwrap();
        assert_eq!(state(&world), "changed", "{mode}: it is another row, whatever the times say");
        world.sync();
        assert_eq!(state(&world), "synced", "{mode}");
    }
}

/// What the files of the bot look like, as a run notes it.
fn files_of_the_bot(world: &World) -> String {
    use std::os::unix::fs::MetadataExt;
    let mut text = String::new();
    for suffix in ["", "-journal", "-wal"] {
        let mut path = world.path("bot").into_os_string();
        path.push(suffix);
        match fs::metadata(path) {
            Ok(file) if file.size() > 0 => text.push_str(&format!(
                "{}:{}:{}:{}.{:09}:{}.{:09};",
                file.dev(),
                file.ino(),
                file.size(),
                file.mtime(),
                file.mtime_nsec(),
                file.ctime(),
                file.ctime_nsec()
            )),
            _ => text.push('-'),
        }
    }
    text
}

#[test]
fn a_side_that_missed_a_run_is_not_in_sync() {
    let mut world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    world.json["guards"]["busy_timeout_ms"] = json!(50);
    world.edit("central", "INSERT INTO t VALUES('a')");
    let lock = world.open("bot");
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.sync();
    drop(lock);
    assert_eq!((state(&world).as_str(), &status(&world)["sides"]["bot"]["lag"]), ("changed", &json!(1)));
    world.sync();
    assert_eq!((state(&world).as_str(), &status(&world)["sides"]["bot"]["lag"]), ("synced", &json!(0)));
}

#[test]
fn a_copy_put_in_its_place_is_a_change() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    world.edit("bot", "INSERT INTO t VALUES('a')");
    world.sync();
    assert_eq!(state(&world), "synced");
    let other = fs::read(world.path("central")).unwrap();
    fs::remove_file(world.path("bot")).unwrap();
    fs::write(world.path("bot"), other).unwrap();
    assert_eq!(state(&world), "changed");
}

/// A damaged page is found by who reads it, which a look does not.
#[test]
fn a_side_that_is_quarantined_is_told_until_it_is_well() {
    let world = World::three().start(
        "CREATE TABLE t(k TEXT PRIMARY KEY, x); WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 200)
         INSERT INTO t SELECT 'k' || n, zeroblob(100) FROM n",
    );
    assert_eq!(status(&world)["quarantined"], json!({}));
    let sound = fs::read(world.path("website")).unwrap();
    let mut damaged = sound.clone();
    damaged[3 * 4096..].fill(0xff);
    fs::write(world.path("website"), damaged).unwrap();
    world.edit("bot", "INSERT INTO t VALUES('new', 1)");
    let report = world.sync();
    assert_eq!(report["databases"]["d"]["state"], "quarantined");
    let (reason, path) = (report["databases"]["d"]["reason"].as_str().unwrap(), world.path("website"));
    assert!(reason.starts_with("website: ") && reason.contains(path.to_str().unwrap()), "{reason}");
    assert!(reason.contains("away") && reason.contains("the next run makes it again"), "{reason}");
    let told = status(&world);
    let notice = &told["quarantined"]["website"];
    assert_eq!(format!("website: {}", notice["reason"].as_str().unwrap()), reason);
    assert_eq!(
        (&told["state"], &told["sides"]["website"]["problem"]),
        (&json!("problem"), &notice["reason"])
    );
    assert_eq!(told["sides"]["bot"]["problem"], Value::Null);
    world.sync();
    assert_eq!(&status(&world)["quarantined"]["website"], notice, "since the first run that found it");
    // What a person may do: another file, or none.
    fs::write(world.path("website"), sound).unwrap();
    world.sync();
    assert_eq!((status(&world)["quarantined"].clone(), state(&world)), (json!({}), "synced".to_owned()));
    fs::write(world.path("website"), "no database, but long enough to be told from an empty one").unwrap();
    world.sync();
    assert_eq!(status(&world)["quarantined"].as_object().unwrap().len(), 1);
    fs::remove_file(world.path("website")).unwrap();
    world.sync();
    assert_eq!(status(&world)["quarantined"], json!({}));
    world.sync();
    assert_eq!(state(&world), "synced");
}

#[test]
fn a_quarantined_hub_is_told() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    fs::write(world.path("central"), "no database, but long enough to be told from an empty one").unwrap();
    let report = world.sync();
    let reason = report["databases"]["d"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("the hub central cannot be used: "), "{reason}");
    assert!(reason.contains("the next run makes it again"), "{reason}");
    assert_eq!(status(&world)["quarantined"].as_object().unwrap().keys().collect::<Vec<_>>(), ["central"]);
    fs::remove_file(world.path("central")).unwrap();
    world.sync();
    assert_eq!(status(&world)["quarantined"], json!({}));
}

#[test]
fn a_database_that_nobody_has_is_absent_and_one_that_cannot_be_opened_is_not() {
    let world = World::three();
    let told = |report: &Value| {
        let database = &report["databases"]["d"];
        let word = |name: &str| database[name].as_str().unwrap_or("").to_owned();
        (word("state"), word("reason"), report["ok"].as_bool().unwrap())
    };
    let nobody = ("absent".to_owned(), "no side has a database yet".to_owned(), true);
    for side in ["bot", "central", "website"] {
        let _ = fs::remove_file(world.path(side));
    }
    assert_eq!(told(&world.dry_run()), nobody);
    assert_eq!(told(&world.sync()), nobody);
    assert_eq!(world.history(10)["runs"], json!([]), "it is nothing that a run did");
    let seen = status(&world);
    assert_eq!(seen["state"], "absent", "{seen:#}");
    assert_eq!(seen["sides"]["bot"]["problem"], Value::Null, "nobody misses it");
    fs::write(world.path("bot"), "").unwrap();
    assert_eq!(told(&world.sync()), nobody, "a file without bytes is none");
    assert_eq!(state(&world), "absent");

    fs::write(world.path("bot"), "no database ".repeat(1_000)).unwrap();
    for report in [world.dry_run(), world.sync()] {
        let (state, reason, _) = told(&report);
        assert_eq!(state, "skipped", "{report:#}");
        assert!(reason.contains("has no database, and bot cannot be used: "), "{reason}");
    }
    fs::remove_file(world.path("bot")).unwrap();
    world.edit("website", "CREATE TABLE t(k TEXT PRIMARY KEY); INSERT INTO t VALUES('a')");
    assert_eq!(told(&world.sync()).0, "synced");
    assert_eq!(world.lines("central", "SELECT k FROM t"), ["'a'"]);
    for side in ["bot", "central", "website"] {
        fs::remove_file(world.path(side)).unwrap();
    }
    assert_eq!(state(&world), "problem", "what was there once is missed");
}
