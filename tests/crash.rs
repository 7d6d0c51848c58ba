//! A run is killed at its first system call that writes, at its second, at its third, until none is left: after each
//! death the next run must bring everything to the one right end, with every edit merged exactly once.
//!
//! Apart from `suite` because a run has to die in a process of its own. Other tests let the call fail instead, as a broken
//! or full disk would, once or from then on. Where tracing is not allowed a test says so and passes.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and talks by printing"
)]

mod common;
mod crash {
    pub(crate) mod trace;
    pub(crate) mod users;
}

use std::collections::{BTreeMap, BTreeSet};

use cr0sync::database::{self, Request};
use serde_json::json;

use common::{Val, World, assert_converged, assert_settled, query};
use crash::trace::{self, Blow, End, run_until};
use crash::users;

/// The child of the tests below; on its own it does nothing.
#[test]
fn child() {
    trace::child(|config| database::sync(config, &database::Options::default()));
}

/// The same for the owners in some of them.
#[test]
fn owner() {
    users::owner();
}

const SCHEMA: &str = "
    CREATE TABLE scores(id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL UNIQUE, score INTEGER);
    CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT, of INTEGER REFERENCES scores(id));
    CREATE TABLE log(who TEXT, n INTEGER);
    CREATE TABLE kv(k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID;
    CREATE VIRTUAL TABLE texts USING fts5(text); INSERT INTO texts VALUES('old word');
    INSERT INTO scores(user, score) VALUES('ann', 1000), ('bob', 0);
    INSERT INTO log VALUES('all', 0), ('all', 0);
    INSERT INTO kv VALUES('a', 'old'), ('b', 'old'), ('c', 'old'), ('d', 'old');";

/// What the three owners did since the last run.
const EDITS: [(&str, &str); 3] = [
    (
        "bot",
        "INSERT OR REPLACE INTO scores(user, score) SELECT user, score + 5 FROM scores WHERE user = 'ann';
         INSERT INTO scores(user, score) VALUES('bot', 1);
         INSERT INTO notes(body, of) VALUES('of bot', last_insert_rowid());
         INSERT INTO log VALUES('all', 0), ('bot', 1); DELETE FROM kv WHERE k = 'c';
         INSERT INTO texts VALUES('word of bot'); CREATE VIEW one AS SELECT 1 AS n;
         CREATE VIRTUAL TABLE boxes USING rtree(id, a, b); INSERT INTO boxes VALUES(1, 0, 0.1)",
    ),
    (
        "central",
        "UPDATE scores SET score = score + 7 WHERE user = 'ann'; INSERT INTO scores(user, score) VALUES('central', 2);
         INSERT INTO notes(body, of) VALUES('of central', last_insert_rowid());
         DELETE FROM log WHERE rowid = (SELECT min(rowid) FROM log); UPDATE kv SET v = 'central' WHERE k = 'a'",
    ),
    (
        "website",
        "UPDATE scores SET score = score + 11 WHERE user = 'ann'; INSERT INTO scores(user, score) VALUES('website', 3);
         INSERT INTO notes(body, of) VALUES('of website', last_insert_rowid());
         INSERT INTO log VALUES('all', 0), ('website', 1); UPDATE kv SET v = 'website' WHERE k = 'b';
         ALTER TABLE kv ADD COLUMN mood TEXT DEFAULT 'fine'; CREATE TABLE fresh(k TEXT PRIMARY KEY);
         INSERT INTO texts VALUES('word of website')",
    ),
];

/// What the owners do between the death of a run and the next one.
const LATER: [(&str, &str); 2] = [
    (
        "bot",
        "UPDATE scores SET score = score + 100 WHERE user = 'ann'; INSERT INTO log VALUES('bot', 2);
         UPDATE kv SET v = 'later' WHERE k = 'd'; INSERT INTO texts VALUES('later word')",
    ),
    (
        "website",
        "UPDATE scores SET score = score + 10000 WHERE user = 'ann'; INSERT INTO log VALUES('all', 0);
         INSERT INTO kv(k, v) VALUES('e', 'later')",
    ),
];

fn world(journal: &str) -> (World, std::path::PathBuf) {
    let mut world = World::three().tables(json!({ "scores": { "columns": { "score": "sum" } } }));
    world.json["databases"]["d"]["schema"] = json!("all");
    world.edit_all(&format!("PRAGMA journal_mode = {journal}"));
    let world = world.start(SCHEMA);
    for (side, sql) in EDITS {
        world.edit(side, sql);
    }
    let config = world.root().join("crash.json");
    let mut json = world.json.clone();
    json["root"] = json!(world.root());
    std::fs::write(&config, json.to_string()).unwrap();
    (world, config)
}

fn number(world: &World, side: &str, sql: &str) -> i64 {
    match query(&world.open(side), sql).rows[0][0] {
        Val::Int(number) => number,
        ref other => panic!("{sql} on {side}: {other:?}"),
    }
}

/// The one right end.
fn judge(world: &World, told: &str, later: bool) {
    for side in &world.sides {
        let check = query(&world.open(side), "PRAGMA quick_check").rows;
        assert_eq!(check, [[Val::text("ok")]], "{told}: {side}");
    }
    let report = world.sync();
    if std::env::var_os("CR0SYNC_TALK").is_some() {
        println!("{told}: {report:#}");
    }
    assert_eq!(report["ok"], json!(true), "{told}: {report:#}");
    let kinds: Vec<String> = world.conflicts().iter().map(|c| c["kind"].to_string()).collect();
    assert!(kinds.is_empty(), "{told}: {:#?}", world.conflicts());
    assert_converged(world);
    assert_settled(world);
    let extra = |n: i64| if later { n } else { 0 };
    let expected = [
        ("SELECT score FROM scores WHERE user = 'ann'", 1023 + extra(10100)),
        ("SELECT count(*) FROM scores", 5),
        ("SELECT count(*) FROM notes JOIN scores ON of = scores.id WHERE body = 'of ' || user", 3),
        ("SELECT count(*) FROM notes", 3),
        ("SELECT count(*) FROM log WHERE who = 'all'", 3 + extra(1)),
        ("SELECT count(*) FROM log WHERE who = 'bot'", 1 + extra(1)),
        ("SELECT count(*) FROM log", 5 + extra(2)),
        ("SELECT count(*) FROM kv", 3 + extra(1)),
        ("SELECT count(*) FROM kv WHERE (k, v) IN (VALUES('a', 'central'), ('b', 'website'))", 2),
        ("SELECT count(*) FROM kv WHERE v = 'later'", extra(2)),
        ("SELECT count(*) FROM kv WHERE mood = 'fine'", 3 + extra(1)),
        ("SELECT count(*) FROM fresh", 0),
        ("SELECT count(*) FROM texts", 3 + extra(1)),
        ("SELECT count(*) FROM texts WHERE texts MATCH 'word'", 3 + extra(1)),
        ("SELECT count(*) FROM boxes WHERE a = 0", 1),
        ("SELECT n FROM one", 1),
    ];
    for side in &world.sides {
        for (sql, want) in expected {
            assert_eq!(number(world, side, sql), want, "{told}: {sql} on {side}");
        }
        world.edit(side, "INSERT INTO texts(texts) VALUES('integrity-check')");
    }
}

fn every_death(journal: &str, later: bool) {
    let mut n = std::env::var("CR0SYNC_FIRST").map_or(1, |n| n.parse().unwrap());
    let mut hit = BTreeSet::new();
    loop {
        let (world, config) = world(journal);
        let (end, said) = run_until(&config, None, n, Blow::Death);
        if end == End::NotAllowed {
            println!("skipped: this machine does not let a process trace another");
            return;
        }
        if later {
            for (side, sql) in LATER {
                world.edit(side, sql);
            }
        }
        judge(&world, &format!("journal_mode {journal}, killed at writing call {n}, later {later}"), later);
        match end {
            End::Struck(file) => hit.extend(kind_of(&file, &world)),
            _ => {
                assert!(said.contains("\"ok\":true"), "{said}");
                break;
            }
        }
        n += 1;
    }
    println!("{journal}: {} deaths", n - 1);
    assert!(n > 40, "only {n} writing calls were seen");
    let log = if journal == "wal" { "-wal" } else { "-journal" };
    let sides =
        ["bot", "central", "website"].map(|side| [format!("{side}/d.db{log}"), format!("{side} backup")]);
    let ours = ["state", "state-journal", "base", "base-journal", "latest"].map(String::from);
    let expected: BTreeSet<String> = sides.into_iter().flatten().chain(ours).collect();
    let missing: Vec<&String> = expected.difference(&hit).collect();
    assert!(missing.is_empty(), "no run died over {missing:?}, only over {hit:?}");
}

/// What kind of file it was over which a run died.
fn kind_of(file: &str, world: &World) -> Option<String> {
    let root = world.root();
    let name = std::path::Path::new(file).file_name()?.to_str()?.to_owned();
    let side = world
        .sides
        .iter()
        .find(|side| world.path(side).parent().is_some_and(|own| file.starts_with(own.to_str().unwrap())));
    Some(match file.strip_prefix(root.to_str()?) {
        Some(own) if own.contains("/bases/") => {
            name.find("-journal").map_or("base", |_| "base-journal").into()
        }
        Some("/sync_state/state.db") => "state".into(),
        Some("/sync_state/state.db-journal") => "state-journal".into(),
        _ if name.contains("latest") => "latest".into(),
        Some(own) if own.contains("/backups/") => format!("{} backup", own.split('/').nth(3)?),
        _ if name.contains(".backup.") => format!("{} backup", side?),
        _ => format!("{}/{name}", side?),
    })
}

#[test]
fn a_run_may_die_at_any_call() {
    every_death("delete", false);
}

#[test]
fn a_run_may_die_and_owners_go_on() {
    every_death("delete", true);
}

#[test]
fn a_run_may_die_in_wal_mode() {
    every_death("wal", false);
}

#[test]
fn a_run_may_die_in_wal_mode_and_owners_go_on() {
    every_death("wal", true);
}

/// Lets a call fail, at each writing call in turn. Whatever the run says of it, the next one brings the right end.
fn every_failure(journal: &str, blow: fn(i32) -> Blow, error: i32, stride: usize) {
    if !trace::CAN_FAIL {
        println!("skipped: calls can be made to fail on x86_64 only");
        return;
    }
    let (mut n, mut failed, mut partly) = (1, 0, 0);
    loop {
        let (world, config) = world(journal);
        let (end, said) = run_until(&config, None, n, blow(error));
        if end == End::NotAllowed {
            println!("skipped: this machine does not let a process trace another");
            return;
        }
        let told = format!("journal_mode {journal}, {:?} from writing call {n} on: {end:?}", blow(error));
        // It says what became of it, in words, and where.
        if let Some(error) = said.lines().find_map(|line| line.strip_prefix("error ")) {
            assert!(error.contains('/') || error.contains("state"), "{told}: {error}");
            failed += 1;
        } else {
            let report = said
                .lines()
                .find_map(|line| line.strip_prefix("report "))
                .unwrap_or_else(|| panic!("{told}: {said}"));
            partly += usize::from(report.contains("\"ok\":false"));
        }
        judge(&world, &told, false);
        if end == End::Finished {
            break;
        }
        n += stride;
    }
    println!("{journal}: {} failures, of which {failed} ended the run and {partly} a database", n / stride);
    assert!(failed + partly > 10, "{failed} and {partly} of {n}: the failures do not reach the run");
}

#[test]
fn any_call_may_fail() {
    every_failure("delete", Blow::Once, libc::EIO, 2);
}

#[test]
fn any_call_may_fail_in_wal_mode() {
    every_failure("wal", Blow::Once, libc::EIO, 2);
}

#[test]
fn the_disk_may_be_full_at_any_call() {
    every_failure("delete", Blow::FromThenOn, libc::ENOSPC, 3);
}

#[test]
fn the_disk_may_be_full_at_any_call_in_wal_mode() {
    every_failure("wal", Blow::FromThenOn, libc::ENOSPC, 3);
}

#[test]
fn owners_can_go_on_when_a_run_of_root_dies() {
    users::owners_go_on(None, ["wal", "delete", "wal"], 7);
}

#[test]
fn owners_can_go_on_when_a_run_of_the_bot_user_dies() {
    users::owners_go_on(Some(users::cr0()), ["delete", "wal", "delete"], 7);
    users::owners_go_on(Some(users::cr0()), ["wal", "delete", "wal"], 7);
}

#[test]
fn owners_can_go_on_when_a_run_of_the_website_dies() {
    users::owners_go_on(Some(users::website()), ["delete", "wal", "delete"], 7);
}

/// How many calls lie between two deaths of a run over counters: the other tests die at every one.
const STRIDE: usize = 3;

/// Two sides that only count. After the death of a run one of them counts on, which nobody can tell from what the run was
/// about to write, but by where its file was.
fn counts(journal: &str, step: i64, rows: usize) {
    let (mut n, mut uncertain) = (1, 0);
    loop {
        let world = World::two().tables(json!({ "t": { "columns": { "n": "sum" } } }));
        world.edit_all(&format!("PRAGMA journal_mode = {journal}"));
        let world = world
            .start("CREATE TABLE t(k TEXT PRIMARY KEY, n); INSERT INTO t VALUES('a', 0), ('b', 0), ('c', 0)");
        // An owner that stays: the last one to leave takes a write-ahead log with it.
        let bot = world.open("bot");
        let also = if rows > 1 { "'c'" } else { "NULL" };
        world.edit("central", &format!("UPDATE t SET n = n + 1 WHERE k IN ('a', {also})"));
        bot.execute_batch(&format!("UPDATE t SET n = n + 1 WHERE k IN ('b', {also})")).unwrap();
        let config = world.root().join("crash.json");
        let mut json = world.json.clone();
        json["root"] = json!(world.root());
        std::fs::write(&config, json.to_string()).unwrap();
        let (end, _) = run_until(&config, None, n, Blow::Death);
        if end == End::NotAllowed {
            println!("skipped: this machine does not let a process trace another");
            return;
        }
        bot.execute_batch(&format!("UPDATE t SET n = n + {step} WHERE k = 'a'")).unwrap();
        let told = format!("journal_mode {journal}, killed at writing call {n}, step {step}, {rows} rows");
        assert_eq!(world.sync()["ok"], json!(true), "{told}");
        assert_converged(&world);
        let kinds: Vec<String> = world.conflicts().iter().map(|c| c["kind"].to_string()).collect();
        assert!(kinds.iter().all(|kind| kind == "\"uncertain\""), "{told}: {kinds:?}");
        let guessed = !kinds.is_empty();
        let exact = number(&world, "central", "SELECT n FROM t WHERE k = 'a'") == 1 + step;
        assert!(exact || guessed, "{told}: a count was lost or doubled, and nobody said so");
        assert_eq!(number(&world, "central", "SELECT n FROM t WHERE k = 'b'"), 1, "{told}");
        uncertain += usize::from(guessed);
        if end == End::Finished {
            break;
        }
        n += STRIDE;
    }
    println!("{journal}, step {step}, {rows} rows: {} deaths, {uncertain} uncertain", n / STRIDE);
    assert!(n > 40, "only {n} writing calls were seen");
    if journal == "wal" && rows > 1 {
        // The log has our transaction as it was.
        assert_eq!(uncertain, 0, "{journal}, step {step}, {rows} rows");
    }
}

#[test]
fn a_run_over_counters_may_die() {
    counts("delete", 5, 1);
    counts("delete", 1, 2);
}

#[test]
fn a_run_over_counters_may_die_in_wal_mode() {
    counts("wal", 5, 2);
    counts("wal", 1, 1);
}

/// A world with a conflict that central won, and two requests in the queue: to take the other side, and to force.
fn asked() -> (World, std::path::PathBuf) {
    let world = World::two().prefer(&["central", "bot"]);
    let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0)");
    world.edit("bot", "UPDATE t SET x = 1");
    world.edit("central", "UPDATE t SET x = 2");
    world.sync();
    for (action, arguments) in
        [("resolve", json!({"conflict": "1", "take": "bot"})), ("force", json!({"database": "d"}))]
    {
        let request = Request::new(action, arguments.as_object().unwrap().clone(), "").unwrap();
        database::enqueue(&world.config(), &request).unwrap();
    }
    let config = world.root().join("crash.json");
    let mut json = world.json.clone();
    json["root"] = json!(world.root());
    std::fs::write(&config, json.to_string()).unwrap();
    (world, config)
}

#[test]
fn a_run_may_die_over_its_queue() {
    let mut n = 1;
    let mut ends = BTreeMap::new();
    loop {
        let (world, config) = asked();
        let (end, _) = run_until(&config, None, n, Blow::Death);
        if end == End::NotAllowed {
            println!("skipped: this machine does not let a process trace another");
            return;
        }
        let told = format!("killed at writing call {n}");
        assert_eq!(world.sync()["ok"], json!(true), "{told}");
        let queue = serde_json::to_value(database::queue(&world.config()).unwrap()).unwrap();
        let mut lines = Vec::new();
        for one in queue["requests"].as_array().unwrap() {
            let why = one["error"]["message"].as_str().unwrap_or_default();
            lines.push(format!("{} {} {why}", one["action"], one["state"]));
        }
        // Each of the two ends once, and what was asked for is so, whatever is told of it.
        assert_eq!(lines.len(), 2, "{told}: {lines:?}");
        assert_eq!(lines[1], "\"resolve\" \"done\" ", "{told}: {lines:?}");
        let statuses: Vec<String> = world.conflicts().iter().map(|c| c["status"].to_string()).collect();
        assert_eq!(statuses, ["\"resolved\""], "{told}: {lines:?}");
        let interrupted = "\"force\" \"failed\" it was interrupted; look at history";
        assert!(lines[0] == "\"force\" \"done\" " || lines[0] == interrupted, "{told}: {lines:?}");
        assert_converged(&world);
        assert_settled(&world);
        assert_eq!(number(&world, "central", "SELECT x FROM t"), 1, "{told}: {lines:?}");
        let mut left: Vec<_> = std::fs::read_dir(world.root().join("sync_state/queue/results"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".json") && !name.starts_with(".new-"))
            .collect();
        left.sort();
        assert!(left.is_empty(), "{told}: {left:?}");
        *ends.entry(lines.join(", ")).or_insert(0) += 1;
        if end == End::Finished {
            break;
        }
        n += 1;
    }
    println!("{} deaths: {ends:#?}", n - 1);
    assert!(n > 40, "only {n} writing calls were seen");
}
