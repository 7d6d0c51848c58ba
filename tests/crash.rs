//! A run is killed at its first system call that writes, at its second, at its third, until none is left: after each
//! death the next run must bring everything to the one right end, with every edit merged exactly once.
//!
//! Apart from `suite` because a run has to die in a process of its own. The child is this program again; it is traced
//! and killed at the entry of a call, so that the call itself does not happen. Where tracing is not allowed the test
//! says so and passes.
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

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cr0sync::Config;
use cr0sync::database::{self, Options, Request};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::json;

use common::{Val, World, assert_converged, assert_settled, query};

/// Tells the child which configuration to run.
const CHILD: &str = "CR0SYNC_CRASH_CONFIG";

/// Calls that change what a disk holds, or promise that it does.
const WRITING: [libc::c_long; 12] = [
    libc::SYS_write,
    libc::SYS_pwrite64,
    libc::SYS_writev,
    libc::SYS_pwritev,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_openat,
    libc::SYS_fchmod,
];

/// Old names of calls that only some machines have.
#[cfg(target_arch = "x86_64")]
const OLD: [libc::c_long; 3] = [libc::SYS_unlink, libc::SYS_rename, libc::SYS_open];
#[cfg(not(target_arch = "x86_64"))]
const OLD: [libc::c_long; 0] = [];

/// The child of the tests below; on its own it does nothing.
#[test]
fn child() {
    let Some(config) = std::env::var_os(CHILD) else { return };
    let config = Config::load(Some(Path::new(&config)), None).unwrap();
    // Whoever traces this thread must know it, and says when to go on.
    println!("\nthread {}", std::fs::read_link("/proc/thread-self").unwrap().display());
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
    let report = database::sync(&config, &Options::default()).unwrap();
    assert!(report.ok, "{report:?}");
}

/// How a traced run ended.
#[derive(PartialEq, Eq, Debug)]
enum End {
    /// Killed at the call it was to be killed at.
    Killed,
    /// It had fewer calls than that.
    Finished,
    /// This machine does not let us trace.
    NotAllowed,
}

/// Runs the child and kills it at its `n`th writing call, counted from 1.
fn run_until(config: &Path, n: usize) -> End {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CHILD, config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut words = BufReader::new(child.stdout.take().unwrap());
    let end = trace(&mut child, &mut words, n);
    if end == End::Finished {
        // Let it say its last words, and end by itself.
        std::io::copy(&mut words, &mut std::io::sink()).unwrap();
    } else {
        let _ = child.kill();
    }
    let status = child.wait().unwrap();
    assert!(end != End::Finished || status.success(), "the run failed without being killed: {status}");
    end
}

fn trace(child: &mut Child, words: &mut impl BufRead, n: usize) -> End {
    let mut line = String::new();
    let thread = loop {
        line.clear();
        assert!(words.read_line(&mut line).unwrap() > 0, "the child says nothing");
        if let Some(link) = line.trim_end().strip_prefix("thread ") {
            break Pid::from_raw(link.rsplit('/').next().unwrap().parse().unwrap());
        }
    };
    if ptrace::seize(thread, ptrace::Options::PTRACE_O_TRACESYSGOOD).is_err() {
        return End::NotAllowed;
    }
    ptrace::interrupt(thread).unwrap();
    waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
    ptrace::syscall(thread, None).unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let mut calls = 0;
    loop {
        let signal = match waitpid(thread, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::PtraceSyscall(_)) => {
                if enters_a_writing_call(thread) {
                    calls += 1;
                    if calls == n {
                        child.kill().unwrap();
                        // A traced thread is gone only when its tracer has seen that.
                        while matches!(waitpid(thread, Some(WaitPidFlag::__WALL)), Ok(status) if !is_end(status))
                        {
                        }
                        return End::Killed;
                    }
                }
                None
            }
            Ok(status) if is_end(status) => return End::Finished,
            Err(_) => return End::Finished,
            Ok(WaitStatus::Stopped(_, Signal::SIGTRAP)) => None,
            Ok(WaitStatus::Stopped(_, signal)) => Some(signal),
            Ok(_) => None,
        };
        if ptrace::syscall(thread, signal).is_err() {
            return End::Finished;
        }
    }
}

fn is_end(status: WaitStatus) -> bool {
    matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..))
}

/// Whether a thread that is about to enter a call would change a disk with it.
fn enters_a_writing_call(thread: Pid) -> bool {
    if ptrace::syscall_info(thread).unwrap().op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return false;
    }
    // The kernel's own words: the number of the call and its arguments.
    let text = std::fs::read_to_string(format!("/proc/{thread}/syscall")).unwrap();
    let mut words = text.split_ascii_whitespace();
    let call: libc::c_long = words.next().unwrap().parse().unwrap();
    let arguments: Vec<u64> =
        words.map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).unwrap()).collect();
    if call == libc::SYS_openat {
        return arguments[2] & u64::from(libc::O_CREAT.unsigned_abs()) != 0;
    }
    WRITING.contains(&call) || OLD.contains(&call)
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
    loop {
        let (world, config) = world(journal);
        let end = run_until(&config, n);
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
        if end == End::Finished {
            break;
        }
        n += 1;
    }
    println!("{journal}: {} deaths", n - 1);
    assert!(n > 40, "only {n} writing calls were seen");
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
    let mut ends = std::collections::BTreeMap::new();
    loop {
        let (world, config) = asked();
        let end = run_until(&config, n);
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
