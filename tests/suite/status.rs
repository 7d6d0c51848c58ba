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
