//! What the owners of the files may rely on: no trace of us but the merged rows.
//!
//! Apart from `input`, where the files are not what they should be. Triggers stay silent, settings and schema stay
//! as they were, a dry run leaves every byte alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use cr0sync::database::{self, Detail, Options};
use cr0sync::doctor::{self, Shell};
use cr0sync::report::State;
use cr0sync::{Config, metrics};
use serde_json::json;

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
    // As a system that was installed by other means may have it: a run sets that right, and a dry run only looks.
    fs::set_permissions(world.root().join("sync_state"), fs::Permissions::from_mode(0o2770)).unwrap();
    let everything = |world: &World| {
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        let mut folders = vec![world.root().parent().unwrap().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    let mode = entry.metadata().unwrap().permissions().mode();
                    files.push((entry.path().display().to_string(), format!("{mode:o}").into_bytes()));
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

/// The configuration that a child of this test looks with, and what it is to find.
const CHILD: &str = "CR0SYNC_LOOK_CHILD";
const REFUSED: &str = "CR0SYNC_LOOK_REFUSED";

/// The user of the runs, who looks at all that people look at, and then runs.
#[test]
fn look_child() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let config = Config::load(Some(Path::new(&path)), None).unwrap();
    let wanted = std::env::var(REFUSED).unwrap_or_default();
    let (is_refused, is_unseen) = (wanted.ends_with("refused"), wanted == "unseen");
    let status = database::status(&config, &Options::default(), Detail::Explain).unwrap();
    let side = &status.databases["d"].sides["bot"];
    assert_eq!((side.problem.is_some(), side.unseen.is_some()), (is_refused, is_unseen), "{side:?}");
    assert_eq!(side.journal_mode.is_none(), is_refused || is_unseen, "{side:?}");
    let up = format!("cr0sync_database_side_up{{database=\"d\",side=\"bot\"}} {}", i32::from(!is_refused));
    let text = metrics::metrics(&config).unwrap().text;
    assert!(text.contains(&up), "{text}");
    let report = doctor::examine(&config, &Shell::default());
    let told = report.findings.iter().find(|one| one.what.starts_with("d:bot is not synced"));
    assert_eq!(told.is_some(), is_refused, "{report:#?}");
    let told = report.findings.iter().any(|one| one.what.starts_with("d:bot was not looked at"));
    assert_eq!(told, is_unseen, "{report:#?}");
    if is_unseen {
        return;
    }
    let verified = database::verify(&config, &Options::default());
    assert!(verified.is_ok(), "{verified:?}");
    let run = database::sync(&config, &Options::default()).unwrap();
    assert_eq!(run.exit_code(), i32::from(is_refused), "{run:#?}");
    let warnings = run.databases["d"].warnings.join("\n");
    assert_eq!(warnings.contains("so that this user "), is_refused, "{warnings}");
    let command = format!("chown -h nobody:www-data {}-shm && setpriv ", side.path);
    assert_eq!(warnings.contains(&command), wanted.starts_with("index"), "{warnings}");
    if !is_refused {
        // So that a later run knows these files without a look into them.
        std::thread::sleep(std::time::Duration::from_secs(4));
        for state in [None, Some(State::Unchanged)] {
            let run = database::sync(&config, &Options::default()).unwrap();
            assert!(state.is_none_or(|state| run.databases["d"].state == state), "{run:#?}");
        }
    }
}

/// In a directory that does not hand its group down, a log and its index would be for the group of whoever looks, and the
/// owner could not write any more.
#[test]
fn whoever_looks_leaves_nothing_that_the_owner_cannot_use() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can be two users");
        return;
    }
    let number = |list: &str, name: &str| -> Option<u32> {
        let text = fs::read_to_string(list).ok()?;
        let line = text.lines().find(|line| line.split(':').next() == Some(name))?.to_owned();
        line.split(':').nth(2)?.parse().ok()
    };
    let owner = number("/etc/passwd", "nobody");
    let runner = (number("/etc/passwd", "daemon"), number("/etc/group", "daemon"));
    let (Some(owner), (Some(user), Some(own)), Some(group)) =
        (owner, runner, number("/etc/group", "www-data"))
    else {
        println!("skipped: there is no nobody, daemon or www-data");
        return;
    };
    for (bits, is_refused) in [(0o775, true), (0o2775, false)] {
        let mut world = World::two();
        world.json["ownership"] =
            json!({"user": "daemon", "group": "www-data", "dir_mode": "2775", "file_mode": "0664"});
        world.edit_all(
            "PRAGMA journal_mode = WAL; CREATE TABLE t(k TEXT PRIMARY KEY); INSERT INTO t VALUES('k')",
        );
        let set = |path: &Path, user: u32, bits: u32| {
            chown(path, Some(user), Some(group)).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
        };
        let base = world.root().parent().unwrap().to_path_buf();
        fs::set_permissions(&base, fs::Permissions::from_mode(0o755)).unwrap();
        set(&world.root(), user, 0o775);
        for (side, user, bits) in [("central", user, 0o2775), ("bot", owner, bits)] {
            set(&world.path(side), user, 0o664);
            set(world.path(side).parent().unwrap(), user, bits);
        }
        let mut json = world.json.clone();
        json["root"] = json!(world.root());
        let config = base.join("cr0sync.json");
        fs::write(&config, json.to_string()).unwrap();
        let program = base.join("child");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let look = |config: &Path, wanted: &str| {
            let mut child = Command::new("setpriv");
            child
                .arg(format!("--reuid={user}"))
                .arg(format!("--regid={own}"))
                .arg(format!("--groups={group}"));
            child.arg(&program).args([
                "--exact",
                "suite::owners::look_child",
                "--nocapture",
                "--test-threads=1",
            ]);
            child.env(CHILD, config).env(REFUSED, wanted).current_dir(&base);
            let Ok(child) = child.output() else {
                println!("skipped: setpriv is missing");
                return false;
            };
            let said = [child.stdout, child.stderr].concat();
            assert!(child.status.success(), "{wanted}: {}", String::from_utf8_lossy(&said));
            assert!(String::from_utf8_lossy(&said).contains("1 passed"), "it was not there");
            true
        };
        if is_refused {
            // Its owner runs the jobs, and somebody else looks.
            json["ownership"]["user"] = json!("nobody");
            let theirs = base.join("theirs.json");
            fs::write(&theirs, json.to_string()).unwrap();
            if !look(&theirs, "unseen") {
                return;
            }
        }
        if !look(&config, if is_refused { "refused" } else { "" }) {
            return;
        }
        if !is_refused {
            // As another program has left it: only its owner gets at the index of the log.
            let index = PathBuf::from(format!("{}-shm", world.path("bot").display()));
            fs::write(&index, "").unwrap();
            set(&index, owner, 0o600);
            look(&config, "index refused");
            set(&index, owner, 0o664);
            look(&config, "");
        }
        if !is_refused {
            // Nothing of the files changes, but for whom a run would leave what it makes beside them.
            set(world.path("bot").parent().unwrap(), owner, 0o775);
            look(&config, "refused");
        }
        let beside = |end: &str| PathBuf::from(format!("{}{end}", world.path("bot").display()));
        for end in ["-wal", "-shm"] {
            match fs::metadata(beside(end)) {
                Ok(_) if is_refused => panic!("{end} was left"),
                Ok(left) => assert_eq!(std::os::unix::fs::MetadataExt::gid(&left), group, "{end}"),
                Err(_) => {}
            }
        }
        // Whoever asks is told, root as well.
        let problem = world.status(Detail::Summary)["databases"]["d"]["sides"]["bot"]["problem"].clone();
        let told = problem.as_str().is_some_and(|text| text.contains("so that daemon may not write to it"));
        // By the system's lists that user is in no other group.
        assert!(told, "{problem}");
    }
}
