//! Requests from web pages: put into the queue by one user, carried out by the run of another.
//!
//! Apart from `decisions` and `backups`, which are about what the operations do. Here it is about asking: in which
//! order, what comes back, what an interruption leaves, and that nothing in the queue can hurt the one who reads it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use cr0sync::database::{self, Options, Request};
use cr0sync::{Config, ErrorKind, Result};
use serde_json::{Value, json};

use crate::common::{World, check, check_side, conflict_lines, options, seen};

/// Tells the child which configuration to ask with.
const CHILD: &str = "CR0SYNC_QUEUE_CONFIG";

fn ask(world: &World, action: &str, arguments: Value) -> Result<String> {
    let arguments = arguments.as_object().unwrap().clone();
    let request = Request::new(action, arguments, "ann")?;
    database::enqueue(&world.config(), &request).map(|report| report.id)
}

/// All requests, newest first.
fn requests(world: &World) -> Vec<Value> {
    let report = seen(database::queue(&world.config()).unwrap());
    assert_eq!(report["schema"], 1);
    report["requests"].as_array().unwrap().clone()
}

fn work(world: &World) -> Vec<Value> {
    seen(database::work_queue(&world.config()).unwrap())["requests"].as_array().unwrap().clone()
}

/// The requests, oldest first: action, state, why.
fn lines(requests: &[Value]) -> Vec<String> {
    let line = |one: &Value| {
        let message = one["error"]["message"].as_str().unwrap_or_default();
        format!("{} {} {message}", one["action"].as_str().unwrap(), one["state"].as_str().unwrap())
            .trim_end()
            .to_owned()
    };
    requests.iter().rev().map(line).collect()
}

fn queue_directory(world: &World) -> PathBuf {
    world.root().join("sync_state/queue")
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A world with one conflict, won by central.
fn in_conflict() -> World {
    let world = World::two().prefer(&["central", "bot"]);
    let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0)");
    world.edit("bot", "UPDATE t SET x = 1");
    world.edit("central", "UPDATE t SET x = 2");
    world.sync();
    check_side(&world, "bot", "SELECT x FROM t", &["2"]);
    world
}

/// A file for the queue that asks for something, with a name of ours.
fn plant(world: &World, number: u8, fields: &str) -> String {
    let id = format!("20250714T0931020000000{number:02}Z-0123456789abcdef");
    let at = "2025-07-14T09:31:02Z";
    let text = format!(r#"{{"version":1,"id":"{id}","by":"eve","at":"{at}",{fields}}}"#);
    fs::write(queue_directory(world).join(format!("{id}.json")), text).unwrap();
    id
}

#[test]
fn the_website_asks_and_the_next_run_acts() {
    let world = in_conflict();
    let id = ask(&world, "resolve", json!({"conflict": "1", "take": "bot"})).unwrap();
    let waiting = requests(&world);
    assert_eq!(
        waiting,
        [json!({
            "id": id, "action": "resolve", "arguments": {"conflict": "1", "take": "bot"}, "by": "ann",
            "at": waiting[0]["at"], "state": "pending", "result": null, "error": null, "finished_at": null
        })]
    );
    assert_eq!(world.dry_run()["requests"], json!(waiting), "it tells what waits");
    assert_eq!(lines(&requests(&world)), ["resolve pending"]);
    check_side(&world, "central", "SELECT x FROM t", &["2"]);
    let report = world.sync();
    assert_eq!(report["ok"], true);
    check(&world, "SELECT x FROM t", &["1"]);
    let over = requests(&world);
    // The run that carried it out tells of it, with its run and its counts.
    assert_eq!(report["requests"], json!(over));
    assert_eq!(
        (&over[0]["result"]["run"], &report["databases"]["d"]["state"]),
        (&json!("3"), &json!("unchanged"))
    );
    for side in ["bot", "central"] {
        assert_eq!(over[0]["result"]["databases"]["d"]["sides"][side]["updated"], 1);
    }
    assert_eq!(world.sync()["requests"], json!([]));
    assert_eq!(lines(&over), ["resolve done"]);
    assert_eq!(over[0]["id"], json!(id));
    assert_eq!(over[0]["result"]["databases"]["d"]["state"], "synced");
    assert!(over[0]["finished_at"].is_string());
    assert_eq!(conflict_lines(&world), ["t update_update [x] central resolved"]);
    assert!(work(&world).is_empty());
}

#[test]
fn every_action_is_carried_out_in_order() {
    let world = in_conflict();
    ask(&world, "backup", json!({"database": "d"})).unwrap();
    ask(&world, "acknowledge", json!({"conflicts": ["1"]})).unwrap();
    assert_eq!(lines(&work(&world)), ["backup done", "acknowledge done"]);
    let backups = database::backups(&world.config(), &options()).unwrap().backups;
    let backup = backups.iter().find(|one| one.side == "bot").unwrap().id.clone();
    world.edit("bot", "UPDATE t SET x = 9");
    ask(&world, "sync-from", json!({"side": "bot", "database": "d"})).unwrap();
    ask(&world, "restore", json!({"backup": backup, "side": "central"})).unwrap();
    ask(&world, "force", json!({"database": "d"})).unwrap();
    ask(&world, "clean-backups", json!({})).unwrap();
    assert_eq!(
        lines(&work(&world)),
        ["sync-from done", "restore done", "force done", "clean-backups done"],
        "{:#?}",
        requests(&world)
    );
    // The restore came after the sync from the bot, and the forced sync brought it everywhere.
    check(&world, "SELECT x FROM t", &["2"]);
    assert_eq!(lines(&requests(&world)).len(), 6);
}

#[test]
fn a_check_is_asked_for_and_what_is_not_sound_fails_it() {
    let world = in_conflict();
    ask(&world, "backup", json!({})).unwrap();
    ask(&world, "verify", json!({})).unwrap();
    ask(&world, "verify", json!({"database": "d"})).unwrap();
    let over = work(&world);
    assert_eq!(lines(&over), ["backup done", "verify done", "verify done"]);
    assert_eq!(over[0]["result"]["ok"], true);
    assert!(over[0]["result"]["checked"].as_array().unwrap().len() > 3, "{:#}", over[0]);
    let backups = database::backups(&world.config(), &options()).unwrap().backups;
    // The newest may bear a time that is still to come, and is no backup to rely on before.
    for backup in backups.iter().filter(|one| one.side == "bot") {
        fs::write(&backup.path, "no database").unwrap();
    }
    ask(&world, "verify", json!({})).unwrap();
    let over = work(&world);
    let line = lines(&over)[0].clone();
    assert!(line.starts_with("verify failed 1 thing is not sound; d:bot:"), "{line}");
    assert_eq!((&over[0]["error"]["kind"], &over[0]["result"]["ok"]), (&json!("corrupt"), &json!(false)));
    let error = ask(&world, "verify", json!({"database": "nobody"})).unwrap_err();
    assert_eq!(error.to_string(), "no database is called nobody");
}

#[test]
fn a_run_is_taken_back_on_request_and_no_value_is_told() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0)");
    world.edit("bot", "INSERT INTO t VALUES('hunter2', 1), ('hunter3', 1), ('other', 1)");
    let run = world.sync()["run"].as_str().unwrap().to_owned();
    world.edit("central", "UPDATE t SET x = 2 WHERE k LIKE 'hunter%'");
    world.sync();
    ask(&world, "undo", json!({"run": run, "database": "d"})).unwrap();
    let over = work(&world);
    assert_eq!(lines(&over), ["undo done"]);
    check(&world, "SELECT k, x FROM t", &["'hunter2' 2", "'hunter3' 2", "'k' 0"]);
    let warnings = over[0]["result"]["databases"]["d"]["warnings"].as_array().unwrap();
    assert_eq!(warnings.last(), Some(&json!("left as it is: t: 2 rows: it has changed since")));
    assert!(!over[0].to_string().contains("hunter"), "{:#}", over[0]);
    // What can no longer be done is said, also by the one who carries it out.
    for (run, database, wanted) in [
        ("999", "d", "undo failed there is no run 999"),
        ("99999999999999999999", "d", "\"run\" needs the number of a run, as text"),
        ("1", "nobody", "no database is called nobody"),
    ] {
        let told = match ask(&world, "undo", json!({"run": run, "database": database})) {
            Ok(_) => lines(&work(&world))[0].clone(),
            Err(error) => error.to_string(),
        };
        assert_eq!(told, wanted);
    }
    // Who may only ask cannot have more done by writing the file himself.
    plant(&world, 1, r#""action":"undo","run":"1","force":true"#);
    plant(&world, 2, r#""action":"undo","run":"1","database":"nobody""#);
    plant(&world, 3, r#""action":"verify","database":"../../etc/passwd""#);
    assert_eq!(
        lines(&work(&world)),
        [
            "unknown failed the request was refused: it has an unknown field \"force\"",
            "undo failed no database is called nobody",
            "verify failed no database is called ../../etc/passwd",
        ]
    );
}

#[test]
fn force_goes_on_where_a_guard_waits() {
    let rows: Vec<String> = (0..200).map(|n| format!("({n})")).collect();
    let world = World::two()
        .start(&format!("CREATE TABLE t(k TEXT PRIMARY KEY); INSERT INTO t VALUES{}", rows.join(",")));
    world.edit("bot", "DELETE FROM t WHERE k <> '7'");
    assert_eq!(world.sync()["databases"]["d"]["state"], "held");
    ask(&world, "force", json!({"database": "d"})).unwrap();
    world.sync();
    assert_eq!(lines(&requests(&world)), ["force done"]);
    check(&world, "SELECT k FROM t", &["'7'"]);
}

/// Nobody but the run that carries a request out would tell of what it found.
#[test]
fn conflicts_of_a_request_count_for_its_run() {
    let rows: Vec<String> = (0..200).map(|n| format!("({n}, 0)")).collect();
    let start = format!("CREATE TABLE t(k INTEGER PRIMARY KEY, x); INSERT INTO t VALUES{}", rows.join(","));
    let world = World::two().start(&start);
    world.edit("bot", "DELETE FROM t WHERE k > 7; UPDATE t SET x = 1 WHERE k = 7");
    world.edit("central", "UPDATE t SET x = 2 WHERE k = 7");
    assert_eq!(world.sync()["databases"]["d"]["state"], "held");
    ask(&world, "force", json!({"database": "d"})).unwrap();
    let report = database::sync(&world.config(), &options()).unwrap();
    assert_eq!((report.conflicts, report.exit_code()), (1, 1));
    assert_eq!(seen(&report)["databases"]["d"]["conflicts"], 0, "a database counts what came after");
    assert_eq!(seen(&report)["requests"][0]["result"]["conflicts"], 1);
    let report = database::sync(&world.config(), &options()).unwrap();
    assert_eq!((report.conflicts, report.exit_code()), (0, 0));
}

#[test]
fn what_fails_is_told_and_the_rest_goes_on() {
    let world = in_conflict();
    ask(&world, "resolve", json!({"conflict": "99", "take": "bot"})).unwrap();
    ask(&world, "restore", json!({"backup": "d:bot:2001-01-01_00-00-00"})).unwrap();
    ask(&world, "sync-from", json!({"side": "central"})).unwrap();
    ask(&world, "acknowledge", json!({"conflicts": ["1"]})).unwrap();
    assert_eq!(world.sync()["ok"], true);
    assert_eq!(
        lines(&requests(&world)),
        [
            "resolve failed there is no conflict 99",
            "restore failed there is no backup d:bot:2001-01-01_00-00-00",
            "sync-from failed central is the hub; name the side it should be made equal to",
            "acknowledge done",
        ]
    );
    let error = &requests(&world)[3]["error"];
    assert_eq!((&error["kind"], &error["path"]), (&json!("usage"), &Value::Null));
    assert_eq!(error["hint"], "`conflicts` lists them with their ids");
}

#[test]
fn a_skipped_database_is_not_done() {
    let mut world = in_conflict();
    world.json["guards"]["busy_timeout_ms"] = 50.into();
    ask(&world, "resolve", json!({"conflict": "1", "take": "bot"})).unwrap();
    let lock = world.open("central");
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let over = work(&world);
    drop(lock);
    assert!(lines(&over)[0].starts_with("resolve failed d was skipped: the hub central"), "{over:#?}");
    assert_eq!(over[0]["error"]["kind"], "busy");
    assert_eq!(over[0]["result"]["databases"]["d"]["state"], "skipped");
}

#[test]
fn nonsense_is_refused_before_it_waits() {
    let world = in_conflict();
    for (action, arguments, expected) in [
        ("fly", json!({}), "there is no action fly"),
        ("undo", json!({}), "\"run\" needs the number of a run, as text"),
        ("force", json!({"database": "*"}), "no database is called *"),
        ("sync-from", json!({"side": "moon"}), "no database has a side moon"),
        ("restore", json!({"backup": "/etc/passwd"}), "\"backup\" must be an id, not a path"),
        ("backup", json!({"databases": "d"}), "it has an unknown field \"databases\""),
    ] {
        let error = ask(&world, action, arguments).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Usage, expected));
    }
    assert!(requests(&world).is_empty());
    let new = World::two();
    let error = ask(&new, "backup", json!({})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Access, "{error}");
    assert!(requests(&new).is_empty());
    assert!(!new.root().join("sync_state").exists());
}

#[test]
fn the_queue_has_an_end() {
    let world = in_conflict();
    for _ in 0..100 {
        ask(&world, "acknowledge", json!({"conflicts": ["1"]})).unwrap();
    }
    let error = ask(&world, "acknowledge", json!({"conflicts": ["1"]})).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Busy, "the queue is full: 100 requests wait")
    );
    assert_eq!(work(&world).len(), 100);
    ask(&world, "acknowledge", json!({"conflicts": ["1"]})).unwrap();
}

#[test]
fn results_are_kept_for_a_while() {
    let world = in_conflict();
    let old = ask(&world, "acknowledge", json!({"conflicts": ["1"]})).unwrap();
    work(&world);
    let results = queue_directory(&world).join("results");
    let file = results.join(format!("{old}.json"));
    let before = |seconds| std::time::SystemTime::now() - std::time::Duration::from_secs(seconds);
    let age = |path: &Path, days: u64| {
        fs::File::options()
            .append(true)
            .open(path)
            .unwrap()
            .set_modified(before(days * 86_400 + 60))
            .unwrap();
    };
    age(&file, 6);
    work(&world);
    assert!(file.exists());
    age(&file, 7);
    fs::write(results.join(".new-0123"), "half of").unwrap();
    age(&results.join(".new-0123"), 1);
    fs::write(results.join("not ours.json"), "x").unwrap();
    age(&results.join("not ours.json"), 30);
    work(&world);
    assert_eq!(names(&results), ["not ours.json"]);
    for number in 0..501_u32 {
        fs::write(results.join(format!("20250714T093102000{number:06}Z-0123456789abcdef.json")), "{}")
            .unwrap();
    }
    work(&world);
    let left = names(&results);
    assert_eq!(left.len(), 501, "500 results and a file that is not ours");
    assert_eq!(left[0], "20250714T093102000000001Z-0123456789abcdef.json");
    assert!(requests(&world).is_empty(), "what is no result is not shown");
}

#[test]
fn hostile_files_are_refused_or_left_alone() {
    let world = in_conflict();
    let queue = queue_directory(&world);
    let id = plant(&world, 0, "\"action\":\"acknowledge\",\"conflicts\":[\"1\"]");
    let good = queue.join(format!("{id}.json"));
    let name = |number: u8| queue.join(format!("20250714T0931020000000{number:02}Z-0123456789abcdef.json"));
    symlink("/etc/passwd", name(1)).unwrap();
    symlink(&good, name(2)).unwrap();
    assert!(Command::new("mkfifo").arg(name(3)).status().unwrap().success());
    fs::create_dir(name(4)).unwrap();
    fs::write(name(5), vec![b' '; 10 << 20]).unwrap();
    fs::write(name(6), format!("{}{}", "[".repeat(30_000), "]".repeat(30_000))).unwrap();
    fs::write(name(7), "root:x:0:0:root").unwrap();
    fs::write(name(8), b"\xff\xfe\x00").unwrap();
    fs::write(name(9), "").unwrap();
    let linked = world.root().join("secret");
    fs::write(&linked, "password").unwrap();
    fs::hard_link(&linked, name(10)).unwrap();
    plant(&world, 11, "\"action\":[\"backup\"]");
    plant(&world, 12, "\"action\":\"backup\",\"run\":\"rm -rf /\"");
    plant(&world, 13, "\"action\":\"force\",\"database\":\"*\"");
    let other = fs::read_to_string(&good).unwrap().replace(&id, "../../../escaped");
    fs::write(name(14), other).unwrap();
    fs::write(queue.join("..json"), "{}").unwrap();
    fs::write(queue.join("notes.txt"), "left alone").unwrap();
    assert_eq!(lines(&requests(&world)), ["acknowledge pending", "force pending"]);

    assert_eq!(world.sync()["ok"], true);

    let over = requests(&world);
    assert_eq!(
        lines(&over),
        [
            "acknowledge done",
            "unknown failed the request was refused: it has more than 65536 bytes",
            "unknown failed the request was refused: it is no JSON (line 1, column 128)",
            "unknown failed the request was refused: it is no JSON (line 1, column 1)",
            "unknown failed the request was refused: it is no JSON (line 1, column 1)",
            "unknown failed the request was refused: it is no JSON (line 1, column 0)",
            "unknown failed the request was refused: it has more names than one (hard links)",
            "unknown failed the request was refused: \"action\" must be text",
            "unknown failed the request was refused: it has an unknown field \"run\"",
            "force failed no database is called *",
            "unknown failed the request was refused: its \"id\" is not the name of its file",
            "unknown failed the request was refused: its name is none that we give",
        ]
    );
    let left = names(&queue);
    assert_eq!(left.len(), 6, "two links, the pipe, a directory, results and notes: {left:?}");
    assert_eq!(fs::read_to_string(&linked).unwrap(), "password");
    assert!(!world.root().join("escaped.json").exists());
    let refused = names(&queue.join("results")).iter().filter(|name| name.ends_with(".refused")).count();
    assert_eq!(refused, 10);
    // Nothing is tried for ever.
    assert!(work(&world).is_empty());
}

#[test]
fn a_queue_that_is_a_symlink_stops_nothing_but_itself() {
    let world = in_conflict();
    let queue = queue_directory(&world);
    let elsewhere = world.root().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    for path in [queue.join("results"), queue] {
        fs::remove_dir_all(&path).unwrap();
        symlink(&elsewhere, &path).unwrap();
        let report = world.sync();
        assert_eq!(report["ok"], true);
        let warnings = report["databases"]["d"]["warnings"].to_string();
        assert!(
            warnings.contains("the queue of requests was not carried out: refused what should"),
            "{warnings}"
        );
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
    }
    assert!(names(&elsewhere).is_empty());
}

#[test]
fn what_was_interrupted_is_repeated_or_reported() {
    let world = in_conflict();
    let begin = |id: &str, attempt: u32| {
        let from = queue_directory(&world).join(format!("{id}.json"));
        let mut request: Value = serde_json::from_slice(&fs::read(&from).unwrap()).unwrap();
        request["attempt"] = json!(attempt);
        let to = queue_directory(&world).join(format!("results/{id}.begun"));
        fs::write(to, request.to_string()).unwrap();
        from
    };
    // Killed before the request left the queue: nothing of it was done.
    let id = ask(&world, "force", json!({"database": "d"})).unwrap();
    begin(&id, 1);
    assert_eq!(lines(&requests(&world)), ["force pending"]);
    assert_eq!(lines(&work(&world)), ["force done"]);
    // Killed between the result and the end.
    fs::copy(
        queue_directory(&world).join(format!("results/{id}.json")),
        queue_directory(&world).join(format!("results/{id}.begun")),
    )
    .unwrap();
    assert!(work(&world).is_empty());
    // Killed while it was carried out.
    for (action, arguments) in [
        ("resolve", json!({"conflict": "1", "take": "bot"})),
        ("acknowledge", json!({"conflicts": ["1"]})),
        ("backup", json!({})),
        ("clean-backups", json!({})),
        ("verify", json!({})),
        ("undo", json!({"run": "2"})),
        ("force", json!({"database": "d"})),
        ("sync-from", json!({"side": "bot"})),
        ("restore", json!({"backup": "d:bot:2001-01-01_00-00-00"})),
    ] {
        let id = ask(&world, action, arguments).unwrap();
        fs::remove_file(begin(&id, 1)).unwrap();
    }
    assert!(requests(&world)[..9].iter().all(|one| one["state"] == "pending"));
    world.sync();
    assert_eq!(
        lines(&requests(&world)[..9]),
        [
            "resolve done",
            "acknowledge done",
            "backup done",
            "clean-backups done",
            "verify done",
            "undo failed it was interrupted; look at history",
            "force failed it was interrupted; look at history",
            "sync-from failed it was interrupted; look at history",
            "restore failed it was interrupted; look at history",
        ]
    );
    check(&world, "SELECT x FROM t", &["1"]);
    // It had resolved the conflict before it was killed.
    let id = ask(&world, "resolve", json!({"conflict": "1", "take": "bot"})).unwrap();
    fs::remove_file(begin(&id, 1)).unwrap();
    let over = work(&world);
    assert_eq!(lines(&over), ["resolve done"]);
    assert_eq!(over[0]["result"]["note"], "it had been resolved before it was interrupted");
    // What kills each run that tries it.
    let id = ask(&world, "backup", json!({})).unwrap();
    fs::remove_file(begin(&id, 3)).unwrap();
    assert_eq!(lines(&work(&world)), ["backup failed it was interrupted; look at history"]);
    assert!(names(&queue_directory(&world).join("results")).iter().all(|name| name.ends_with(".json")));
}

#[test]
fn another_run_only_postpones() {
    let world = in_conflict();
    let id = ask(&world, "force", json!({"database": "d"})).unwrap();
    let lock = fs::File::options().write(true).open(world.root().join("sync_state/lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert!(work(&world).is_empty());
    assert_eq!(lines(&requests(&world)), ["force pending"]);
    assert_eq!(names(&queue_directory(&world)), [format!("{id}.json"), "results".to_owned()]);
    assert!(names(&queue_directory(&world).join("results")).is_empty());
    drop(lock);
    assert_eq!(lines(&work(&world)), ["force done"]);
}

#[test]
fn a_pipe_in_place_of_the_lock_is_not_waited_for() {
    let world = in_conflict();
    let lock = world.root().join("sync_state/lock");
    fs::remove_file(&lock).unwrap();
    assert!(Command::new("mkfifo").arg(&lock).status().unwrap().success());
    assert_eq!(world.run(&options()).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn only_the_group_has_access() {
    let world = in_conflict();
    let id = ask(&world, "backup", json!({})).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let queue = queue_directory(&world);
    assert_eq!((mode(&queue), mode(&queue.join("results"))), (0o3770, 0o2750));
    assert_eq!(mode(&queue.join(format!("{id}.json"))), 0o660);
    work(&world);
    let result = queue.join(format!("results/{id}.json"));
    assert_eq!(mode(&result), 0o640);
    // As older programs made them.
    for (path, bits) in [(&queue, 0o2770), (&queue.join("results"), 0o2770), (&result, 0o660)] {
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
    }
    work(&world);
    assert_eq!((mode(&queue), mode(&queue.join("results")), mode(&result)), (0o3770, 0o2750, 0o640));
}

#[test]
fn a_forged_result_of_odd_shape_is_not_told() {
    let world = in_conflict();
    let id = ask(&world, "acknowledge", json!({"conflicts": ["1"]})).unwrap();
    work(&world);
    let path = queue_directory(&world).join(format!("results/{id}.json"));
    let sound: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (name, value) in [
        ("result", json!("text")),
        ("result", json!({"removed": []})),
        ("result", json!({"backups": 7})),
        ("result", Value::Null),
        ("arguments", json!("x")),
        ("error", json!("x")),
        ("by", json!("x".repeat(201))),
    ] {
        let mut forged = sound.clone();
        forged["request"][name] = value;
        fs::write(&path, forged.to_string()).unwrap();
        assert!(requests(&world).is_empty(), "{name}: {forged}");
    }
    fs::write(&path, sound.to_string()).unwrap();
    assert_eq!(lines(&requests(&world)), ["acknowledge done"]);
}

#[test]
fn of_thousands_of_files_few_are_told() {
    let world = in_conflict();
    let id = ask(&world, "acknowledge", json!({"conflicts": ["1"]})).unwrap();
    work(&world);
    let queue = queue_directory(&world);
    let results = queue.join("results");
    let sound = fs::read_to_string(results.join(format!("{id}.json"))).unwrap();
    let name = |year: u32, number: u32| format!("{year}0714T093102{number:09}Z-0123456789abcdef");
    let request = |id: &str| json!({"version": 1, "id": id, "by": "eve", "at": "2025-07-14T09:31:02Z", "action": "backup"});
    for number in 0..2000 {
        let (waits, over) = (name(2025, number), name(2024, number));
        fs::write(queue.join(format!("{waits}.json")), request(&waits).to_string()).unwrap();
        fs::write(results.join(format!("{over}.json")), sound.replace(&id, &over)).unwrap();
    }
    fs::remove_file(results.join(format!("{id}.json"))).unwrap();
    let told = requests(&world);
    let ids = |state: &str| -> Vec<String> {
        let of = told.iter().filter(|one| one["state"] == state);
        of.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    // What the next run carries out, and what came last.
    assert_eq!(ids("pending"), (0..100).rev().map(|number| name(2025, number)).collect::<Vec<_>>());
    assert_eq!(ids("done"), (1500..2000).rev().map(|number| name(2024, number)).collect::<Vec<_>>());
}

/// The child of the test below; on its own it does nothing.
#[test]
fn queue_child() {
    let Some(config) = std::env::var_os(CHILD) else { return };
    let config = Config::load(Some(Path::new(&config)), None).unwrap();
    let arguments = json!({"database": "d"}).as_object().unwrap().clone();
    let request = Request::new("force", arguments, "the website").unwrap();
    let id = database::enqueue(&config, &request).unwrap().id;
    let report = database::queue(&config).unwrap();
    assert_eq!((report.requests.len(), report.requests[0].id.clone()), (1, id));
    // What comes of requests is for others to say.
    let queue = config.root.join("sync_state/queue");
    let results = queue.join("results");
    assert!(fs::read_dir(&results).is_ok(), "it was to read results");
    let told = format!("{}.json", report.requests[0].id);
    for tried in [
        fs::write(results.join(&told), "{}"),
        fs::copy(queue.join(&told), results.join(&told)).map(|_| ()),
        fs::rename(queue.join(&told), results.join(&told)),
        fs::rename(&results, queue.join("away")),
        fs::set_permissions(&results, fs::Permissions::from_mode(0o777)),
    ] {
        assert_eq!(tried.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    }
    // It does not own the state, so it carries nothing out.
    assert_eq!(database::work_queue(&config).unwrap_err().kind(), ErrorKind::Access);
    let _ = database::sync(&config, &Options::default());
    assert_eq!(seen(database::queue(&config).unwrap())["requests"][0]["state"], "pending");
    let file = &config.databases["d"].replicas["central"];
    assert!(fs::File::options().write(true).open(file).is_err(), "it was not to write databases");
    // A queue that it made would be its own.
    let fresh = Config { root: config.root.with_file_name("fresh"), ..config.clone() };
    assert_eq!(database::enqueue(&fresh, &request).unwrap_err().kind(), ErrorKind::Access);
    assert!(!fresh.root.join("sync_state/queue").exists());
    // Where it may do nothing at all, it is told who may.
    let closed = Config { root: config.root.with_file_name("closed"), ..config };
    for error in [
        database::enqueue(&closed, &request).unwrap_err(),
        database::sync(&closed, &Options::default()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Access, "{error}");
        let hint = error.hint_text().unwrap_or_default();
        assert!(hint.contains("root") && hint.contains("group www-data"), "{error}: {hint}");
    }
}

#[test]
fn one_user_asks_and_another_acts() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can be two users");
        return;
    }
    let number = |list: &str, name: &str| -> Option<String> {
        let text = fs::read_to_string(list).ok()?;
        let line = text.lines().find(|line| line.split(':').next() == Some(name))?.to_owned();
        line.split(':').nth(2).map(str::to_owned)
    };
    let who = (number("/etc/passwd", "nobody"), number("/etc/group", "www-data"));
    let (Some(user), Some(group)) = who else {
        println!("skipped: there is no nobody, or no www-data");
        return;
    };
    let mut world = World::two();
    world.json["ownership"] =
        json!({"user": "root", "group": "www-data", "dir_mode": "0755", "file_mode": "0644"});
    let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY); INSERT INTO t VALUES('k')");
    let base = world.root().parent().unwrap().to_path_buf();
    // As others see it: databases to read, nothing to write but what the group has.
    fs::set_permissions(&base, fs::Permissions::from_mode(0o755)).unwrap();
    let config = base.join("cr0sync.json");
    let mut json = world.json.clone();
    json["root"] = json!(world.root());
    fs::write(&config, json.to_string()).unwrap();
    let closed = base.join("closed/sync_state");
    fs::create_dir_all(closed.join("queue")).unwrap();
    fs::write(closed.join("lock"), "").unwrap();
    let fresh = base.join("fresh/sync_state");
    fs::create_dir_all(&fresh).unwrap();
    chown(&fresh, None, Some(group.parse().unwrap())).unwrap();
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o3770)).unwrap();
    let program = base.join("child");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let child = Command::new("setpriv")
        .args(["--reuid", &user, "--regid", &group, "--clear-groups"])
        .arg(&program)
        .args(["--exact", "suite::queue::queue_child", "--nocapture", "--test-threads=1"])
        .env(CHILD, &config)
        .current_dir(&base)
        .output();
    let Ok(child) = child else {
        println!("skipped: setpriv is missing");
        return;
    };
    let said = [child.stdout, child.stderr].concat();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&said));
    let id = requests(&world)[0]["id"].as_str().unwrap().to_owned();
    let queue = queue_directory(&world);
    let file = fs::metadata(queue.join(format!("{id}.json"))).unwrap();
    let user_id = file.uid();
    assert_eq!((user_id.to_string(), file.gid().to_string()), (user, group.clone()));
    world.sync();
    let over = requests(&world);
    assert_eq!(lines(&over), ["force done"]);
    assert_eq!(over[0]["by"], "the website");
    let result = fs::metadata(queue.join(format!("results/{id}.json"))).unwrap();
    assert_eq!((result.uid(), result.gid().to_string()), (0, group));
    assert_eq!(result.permissions().mode() & 0o7777, 0o640);
    // What it could write before the directory was closed is not told, and one of its own is not taken for ours.
    let (file, number) = (queue.join(format!("results/{id}.json")), user_id);
    chown(&file, Some(number), None).unwrap();
    assert!(requests(&world).is_empty());
    chown(&file, Some(0), None).unwrap();
    chown(queue.join("results"), Some(number), None).unwrap();
    assert!(requests(&world).is_empty());
    let error = database::work_queue(&world.config()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Access, "{error}");
    assert!(error.to_string().contains("refused results of somebody who does not run the sync"), "{error}");
    chown(queue.join("results"), Some(0), None).unwrap();
}
