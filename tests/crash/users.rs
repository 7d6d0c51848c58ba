//! Files of different owners, as they lie on a machine: a bot with a home that nobody else may enter, a website that
//! shares a group with the rest. A run dies at some call, and before anybody mends anything each owner must be able to
//! use its own files.
//!
//! Real users, by number: root makes the children run as them, so that this is skipped for everybody else.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::json;

use super::trace::{Blow, CHILD, End, User, run_until};
use crate::common::{World, assert_agreed, query};

/// Tells the child which database to use as its owner does.
const OWNER: &str = "CR0SYNC_CRASH_OWNER";

const BOT: u32 = 4001;
const WEBSITE: u32 = 4002;
/// The group that the website, the central store and whoever runs the sync have in common.
const SHARED: u32 = 4003;

/// What an owner does with its file: reads it, writes to it, and looks whether it is whole.
pub(crate) fn owner() {
    let Some(path) = std::env::var_os(OWNER) else { return };
    let db = Connection::open(path).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(2)).unwrap();
    db.execute_batch(
        // The new row is what a killed run can be told by.
        "BEGIN IMMEDIATE; UPDATE t SET n = n + 1 WHERE k = 'owner';
         INSERT INTO t VALUES (hex(randomblob(8)), 0); COMMIT",
    )
    .unwrap();
    let check: String = db.query_row("PRAGMA quick_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    println!("\nused");
}

fn user(uid: u32, gid: u32) -> User {
    User { uid, gid, groups: vec![SHARED] }
}

/// Whose file a side's is, and how it lies there.
fn owner_of(side: &str) -> User {
    if side == "website" { user(WEBSITE, SHARED) } else { user(BOT, BOT) }
}

fn world(journals: [&str; 3]) -> (World, PathBuf) {
    let mut world = World::three().tables(json!({ "t": { "columns": { "n": "sum" } } }));
    // No such users are known here: what is made anew keeps the owner that it has.
    world.json["ownership"] = json!({ "user": "cr0sync-test-nobody", "group": "cr0sync-test-nobody" });
    for (side, journal) in world.sides.clone().iter().zip(journals) {
        world.edit(side, &format!("PRAGMA journal_mode = {journal}"));
    }
    let world =
        world.start("CREATE TABLE t(k TEXT PRIMARY KEY, n); INSERT INTO t VALUES('owner', 0), ('run', 0)");
    let config = world.root().join("crash.json");
    let mut json = world.json.clone();
    json["root"] = json!(world.root());
    std::fs::write(&config, json.to_string()).unwrap();
    for side in &world.sides {
        let directory = world.path(side).parent().unwrap().to_path_buf();
        let (gid, mode, file) = if side == "bot" { (BOT, 0o700, 0o600) } else { (SHARED, 0o2775, 0o664) };
        let uid = owner_of(side).uid;
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            chown(&path, Some(uid), Some(gid)).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(file)).unwrap();
        }
        chown(&directory, Some(uid), Some(gid)).unwrap();
        std::fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
    }
    // The state belongs to who runs the sync, and is shared with the group.
    let above = world.root().parent().unwrap().to_path_buf();
    std::fs::set_permissions(above, Permissions::from_mode(0o755)).unwrap();
    share(&world.root());
    (world, config)
}

fn share(path: &Path) {
    chown(path, Some(BOT), Some(SHARED)).unwrap();
    if path.is_dir() {
        std::fs::set_permissions(path, Permissions::from_mode(0o2775)).unwrap();
        for entry in std::fs::read_dir(path).unwrap() {
            share(&entry.unwrap().path());
        }
    } else {
        std::fs::set_permissions(path, Permissions::from_mode(0o664)).unwrap();
    }
}

/// Uses a side's file as its owner.
fn use_as_owner(world: &World, side: &str, told: &str) {
    let out = owner_of(side)
        .command(std::env::current_exe().unwrap())
        .args(["--exact", "owner", "--nocapture", "--test-threads=1"])
        .env(OWNER, world.path(side))
        .env_remove(CHILD)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    let beside: Vec<String> = std::fs::read_dir(world.path(side).parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let file = entry.metadata().unwrap();
            format!("{:?} {}:{} {:o}", entry.file_name(), file.uid(), file.gid(), file.mode())
        })
        .collect();
    assert!(
        said.contains("\nused"),
        "{told}: the owner of {side} cannot use its file: {beside:#?}\n{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// Kills runs of one user, and lets every owner use its file before the next run.
pub(crate) fn owners_go_on(runner: Option<User>, journals: [&str; 3], stride: usize) {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can let children run as other users");
        return;
    }
    let mut n = 1;
    loop {
        let (world, config) = world(journals);
        let sees_bot = runner.as_ref().is_none_or(|user| user.uid != WEBSITE);
        // What the run brings to every side that it can reach, by the hand of each owner.
        for side in &world.sides {
            use_as_owner(&world, side, "before");
        }
        let before: Vec<(u64, Vec<u8>)> = mains(&world, journals);
        let (end, said) = run_until(&config, runner.as_ref(), n, Blow::Death);
        if end == End::NotAllowed {
            println!("skipped: this machine does not let a process trace another");
            return;
        }
        let told = format!("{runner:?}, {journals:?}, killed at writing call {n}: {end:?}");
        assert_eq!(before, mains(&world, journals), "{told}: somebody has checkpointed a log");
        for side in &world.sides {
            use_as_owner(&world, side, &told);
        }
        if end == End::Finished {
            assert!(said.contains("\"ok\":true"), "{told}: {said}");
        }
        // The same user mends it; nothing of the next run is written for the last time here.
        let (last, said) = run_until(&config, runner.as_ref(), usize::MAX, Blow::Death);
        assert!(last == End::Finished && said.contains("\"ok\":true"), "{told}: {said}");
        for side in &world.sides {
            let expected = if sees_bot {
                6
            } else if side == "bot" {
                2
            } else {
                4
            };
            let n = query(&world.open(side), "SELECT n FROM t WHERE k = 'owner'").rows;
            assert_eq!(format!("{n:?}"), format!("[[{expected}]]"), "{told}: {side}\n{said}");
            use_as_owner(&world, side, &told);
        }
        if sees_bot {
            assert_agreed(&world);
        } else {
            assert!(said.contains("bot was skipped"), "{told}: {said}");
        }
        if end == End::Finished {
            break;
        }
        n += stride;
    }
    println!("{runner:?}, {journals:?}: {} deaths", n / stride);
    assert!(n > 40, "only {n} writing calls were seen");
}

/// The main files of the databases that keep a log: what our run changes is in the log, and stays there.
fn mains(world: &World, journals: [&str; 3]) -> Vec<(u64, Vec<u8>)> {
    let sides = world.sides.iter().zip(journals).filter(|(_, journal)| *journal == "wal");
    sides
        .map(|(side, _)| {
            let path = world.path(side);
            (std::fs::metadata(&path).unwrap().ino(), std::fs::read(&path).unwrap())
        })
        .collect()
}

pub(crate) fn cr0() -> User {
    user(BOT, BOT)
}

pub(crate) fn website() -> User {
    user(WEBSITE, SHARED)
}
