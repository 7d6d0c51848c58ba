//! What an owner does between our look at its file and our lock on it.
//!
//! Apart from the live writers, which hit such moments by chance only. A lock on the hub holds the run up meanwhile.

use std::time::Duration;

use cr0sync::database;

use crate::common::{USERS, World, check, fk_violations, options, seen};

/// Something happens between our looking and our locking: the hub is locked for a while.
fn meanwhile(world: &World, what: impl FnOnce()) -> serde_json::Value {
    let lock = world.open("central");
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let config = world.config();
    std::thread::scope(|scope| {
        let run = scope.spawn(move || seen(database::sync(&config, &options()).unwrap()));
        std::thread::sleep(Duration::from_millis(700));
        what();
        lock.execute_batch("ROLLBACK").unwrap();
        run.join().unwrap()
    })
}

#[test]
fn race_child_of_rekeyed() {
    let world = World::two().start(&format!(
        "{USERS}; CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, uid REFERENCES users(id), t)"
    ));
    world.edit("bot", "INSERT INTO users(nick) VALUES('bob')");
    world.edit("central", "INSERT INTO users(nick) VALUES('cat')");
    meanwhile(&world, || {
        world.edit("bot", "INSERT INTO notes(uid, t) SELECT id, 'of bob' FROM users WHERE nick='bob'")
    });
    world.sync();
    check(&world, "SELECT nick, t FROM notes JOIN users ON users.id=uid", &["'bob' 'of bob'"]);
}

#[test]
fn race_child_of_deleted() {
    let world = World::two().start(&format!("{USERS}; CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, uid REFERENCES users(id), t); INSERT INTO users VALUES(1,'ann'),(2,'bob'); CREATE TABLE k(x PRIMARY KEY)"));
    world.edit("central", "DELETE FROM users WHERE id=2");
    world.edit("bot", "INSERT INTO k VALUES(1)");
    meanwhile(&world, || {
        world.edit("bot", "PRAGMA foreign_keys=ON; INSERT INTO notes(uid, t) VALUES(2, 'of bob')")
    });
    world.sync();
    assert_eq!(fk_violations(&world, "bot") + fk_violations(&world, "central"), 0);
}

#[test]
fn race_empty_file() {
    let world3 = World::three();
    for side in ["central", "website"] {
        world3.edit(side, "CREATE TABLE t(k TEXT PRIMARY KEY); INSERT INTO t VALUES('a')");
    }
    world3.sync();
    std::fs::write(world3.path("bot"), b"").unwrap();
    world3.edit("website", "INSERT INTO t VALUES('b')");
    meanwhile(&world3, || {
        world3.edit("bot", "CREATE TABLE t(k TEXT PRIMARY KEY); INSERT INTO t VALUES('from bot')")
    });
    world3.sync();
    check(&world3, "SELECT k FROM t ORDER BY 1", &["'a'", "'b'", "'from bot'"]);
}

#[test]
fn created_spoke_and_eager_owner() {
    let mut lost = 0;
    for _ in 0..6 {
        let world = World::two();
        world.edit("central", "CREATE TABLE t(k INTEGER PRIMARY KEY, x); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<20000) INSERT INTO t SELECT i,i FROM c");
        let path = world.path("bot");
        let stop = std::sync::atomic::AtomicBool::new(false);
        let acked = std::thread::scope(|scope| {
            let w = scope.spawn(|| {
                let mut n = 0;
                let mut acked = Vec::new();
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    if !path.exists() {
                        continue;
                    }
                    let Ok(db) = rusqlite::Connection::open_with_flags(
                        &path,
                        rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE,
                    ) else {
                        continue;
                    };
                    db.execute_batch("PRAGMA synchronous=OFF").unwrap();
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        if db.execute("INSERT INTO t VALUES(?1, 'owner')", [1000000 + n]).is_ok() {
                            acked.push(1000000 + n);
                        }
                        n += 1;
                        if acked.len() > 200 {
                            return acked;
                        }
                    }
                }
                acked
            });
            world.sync();
            std::thread::sleep(Duration::from_millis(50));
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            w.join().unwrap()
        });
        world.sync();
        let there = world.lines("central", "SELECT k FROM t WHERE k >= 1000000").len();
        lost += acked.len() - there;
    }
    assert_eq!(lost, 0);
}
