//! Two programs write on two sides all the time while the sides are being synced: nothing they committed is lost.
//!
//! Apart from `suite` because it takes real programs and some seconds. The writers print what they committed; the
//! test believes those lines and looks for every one of them on every side. Without python3 or php it says so and
//! passes. The writers end by themselves; should one hang, it is ended by its own handle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and talks by printing"
)]

mod common;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use common::{Val, World, assert_converged, assert_settled, query};

const SECONDS: &str = "6";

const SCHEMA: &str = "
    CREATE TABLE links(id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT NOT NULL UNIQUE, user TEXT, seen INTEGER);
    CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, link INTEGER NOT NULL REFERENCES links(id), body TEXT);
    CREATE TABLE log(who TEXT, n INTEGER);
    CREATE TABLE scores(id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL UNIQUE, score INTEGER, games INTEGER);
    CREATE TABLE state(name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
    INSERT INTO scores(user, score, games) VALUES('ann', 0, 0);
    INSERT INTO state VALUES('bot', 0), ('website', 0);";

struct Writer {
    name: &'static str,
    child: Child,
}

impl Writer {
    fn start(program: &str, script: &str, world: &World, name: &'static str) -> Writer {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live").join(script);
        let child = Command::new(program)
            .arg(script)
            .arg(world.path(name))
            .args([name, SECONDS])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Writer { name, child }
    }

    fn running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The numbers it committed.
    fn committed(mut self) -> (&'static str, BTreeSet<i64>) {
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(self.child.wait().unwrap().success(), "the writer on {} failed", self.name);
        (self.name, text.lines().map(|line| line.parse().unwrap()).collect())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn there(program: &str, probe: [&str; 2]) -> bool {
    let found = Command::new(program).args(probe).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = found.is_ok_and(|status| status.success());
    if !there {
        println!("skipped: {program} is missing or knows no SQLite");
    }
    there
}

/// Rows that must exist, by what a writer committed.
fn wanted(name: &str, done: &BTreeSet<i64>) -> (BTreeSet<String>, BTreeSet<String>) {
    let links = done.iter().map(|n| format!("{name}/{n}")).collect();
    let gone = |n: &i64| done.contains(&(n + 3)) && (n + 3) % 7 == 0;
    let notes = done.iter().filter(|n| !gone(n)).map(|n| format!("note of {name}/{n}")).collect();
    (links, notes)
}

fn column(world: &World, side: &str, sql: &str) -> BTreeSet<String> {
    let rows = query(&world.open(side), sql).rows;
    rows.iter()
        .map(|row| {
            if let Val::Text(text) = &row[0] {
                String::from_utf8(text.clone()).unwrap()
            } else {
                format!("{:?}", row[0])
            }
        })
        .collect()
}

fn live(journal: &str) {
    let php = ["-r", "exit(extension_loaded('pdo_sqlite') ? 0 : 1);"];
    if !there("python3", ["-c", "import sqlite3"]) || !there("php", php) {
        return;
    }
    let world = World::three().tables(json!({ "scores": { "columns": { "score": "sum", "games": "sum" } } }));
    for side in &world.sides {
        world.edit(side, &format!("PRAGMA journal_mode = {journal}; {SCHEMA}"));
    }
    assert_eq!(world.sync()["ok"], json!(true));

    let mut writers = [
        Writer::start("python3", "writer.py", &world, "bot"),
        Writer::start("php", "writer.php", &world, "website"),
    ];
    let end = Instant::now() + Duration::from_secs(60);
    let mut runs = 0;
    while writers.iter_mut().any(Writer::running) {
        assert!(Instant::now() < end, "the writers do not end");
        let report = world.sync();
        assert_eq!(report["ok"], json!(true), "{report:#}");
        assert_eq!(report["conflicts"], json!(0), "{:#?}", world.conflicts());
        runs += 1;
    }
    world.sync();
    assert_converged(&world);
    assert_settled(&world);

    let done: Vec<(&str, BTreeSet<i64>)> = writers.into_iter().map(Writer::committed).collect();
    let (mut score, mut games) = (0, 0);
    for (name, done) in &done {
        println!("{journal}: {name} committed {} times during {runs} runs", done.len());
        assert!(done.len() > 50, "{name} committed only {} times: it was locked out", done.len());
        score += done.iter().map(|n| n % 5).sum::<i64>();
        games += done.len();
    }
    for side in &world.sides {
        for (name, done) in &done {
            let (links, notes) = wanted(name, done);
            let one = |sql: &str| column(&world, side, &sql.replace('?', &format!("'{name}'")));
            assert_eq!(one("SELECT url FROM links WHERE user = ?"), links, "links of {name} on {side}");
            let joined = "SELECT body FROM notes JOIN links ON link = links.id WHERE user = ? AND body = 'note of ' || url";
            assert_eq!(one(joined), notes, "notes of {name} on {side}");
            let seen: BTreeSet<String> = done
                .iter()
                .filter(|n| *n % 3 == 0 && done.contains(&(*n - 1)))
                .map(|n| format!("{name}/{}", n - 1))
                .collect();
            assert_eq!(
                one("SELECT url FROM links WHERE user = ? AND seen IS NOT NULL"),
                seen,
                "seen of {name} on {side}"
            );
            let last = done.last().unwrap().to_string();
            assert_eq!(
                one("SELECT value FROM state WHERE name = ?"),
                [last].into(),
                "state of {name} on {side}"
            );
            let count = done.len().to_string();
            assert_eq!(
                one("SELECT count(*) FROM log WHERE who = ?"),
                [count].into(),
                "log of {name} on {side}"
            );
        }
        let total = [format!("{score} {games}")].into();
        let scores = "SELECT score || ' ' || games FROM scores WHERE user = 'ann'";
        assert_eq!(column(&world, side, scores), total, "scores on {side}");
    }
}

#[test]
fn nothing_is_lost_while_others_write() {
    live("delete");
}

#[test]
fn nothing_is_lost_in_wal_mode() {
    live("wal");
}
