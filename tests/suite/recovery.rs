//! Runs that are interrupted at one chosen step, with owners that go on: nothing is merged twice, nothing is forgotten.
//!
//! Apart from the crash tests, which kill at every step but know one world. A reader on our own files makes a step fail
//! where a killed run would have stopped.

use cr0sync::ErrorKind;
use cr0sync::database::{self, Take};
use serde_json::json;

use crate::common::{World, assert_settled, check, conflict_lines, open, options, query, seen};

fn base_of(world: &World, side: &str) -> std::path::PathBuf {
    let mut found: Vec<_> = std::fs::read_dir(world.root().join("sync_state/bases"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| {
            p.file_name().unwrap().to_str().unwrap().starts_with(&format!("d@{side}@"))
                && p.extension().unwrap() == "db"
        })
        .collect();
    found.sort();
    found.pop().unwrap()
}

/// Two sides whose runs do not wait for readers.
fn impatient() -> World {
    let mut world = World::two();
    world.json["guards"]["busy_timeout_ms"] = json!(50);
    world
}

/// Runs while a reader sits on a base: the record of that side fails, as if we were killed between its COMMIT and its record.
fn killed_before_record_of(world: &World, side: &str) -> serde_json::Value {
    without_record_of(world, side, || world.sync())
}

fn without_record_of<T>(world: &World, side: &str, run: impl FnOnce() -> T) -> T {
    let base = rusqlite::Connection::open(base_of(world, side)).unwrap();
    base.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").unwrap();
    let outcome = run();
    base.execute_batch("COMMIT").unwrap();
    outcome
}

/// A conflict that is decided, but for the record of it: whoever comes next finishes that, be it the same decision.
#[test]
fn a_decision_outlives_its_run() {
    for again in [false, true] {
        let world = World::two().prefer(&["central", "bot"]);
        let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0)");
        world.edit("bot", "UPDATE t SET x = 1");
        world.edit("central", "UPDATE t SET x = 2");
        world.sync();
        let id = world.conflicts()[0]["id"].as_str().unwrap().to_owned();
        let take = || world.resolve(&id, Take::Side("bot".into()));
        let failed = without_record_of(&world, "central", take);
        assert!(failed.is_err() || failed.unwrap()["ok"] == json!(false), "the record was to fail");
        assert_eq!(world.lines("central", "SELECT x FROM t"), ["1"], "the hub was to be written");
        assert_eq!(conflict_lines(&world), ["t update_update [x] central open"]);
        if again {
            let error = take().expect_err("it was decided");
            assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
            assert!(error.to_string().contains("is resolved already, by the run"), "{error}");
        } else {
            world.sync();
        }
        // The other side has it by the next run.
        world.sync();
        assert_eq!(conflict_lines(&world), ["t update_update [x] central resolved"]);
        check(&world, "SELECT x FROM t", &["1"]);
    }
}

/// Before the hub has it, nothing is decided: the conflict stays open, and the same decision is taken.
#[test]
fn a_decision_that_never_was_stays_to_be_taken() {
    let world = World::two().prefer(&["central", "bot"]);
    let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0)");
    world.edit("bot", "UPDATE t SET x = 1");
    world.edit("central", "UPDATE t SET x = 2");
    world.sync();
    let id = world.conflicts()[0]["id"].as_str().unwrap().to_owned();
    let take = || world.resolve(&id, Take::Side("bot".into()));
    let reader = world.open("central");
    reader.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
    let _ = take();
    drop(reader);
    assert_eq!(conflict_lines(&world), ["t update_update [x] central open"]);
    take().unwrap();
    assert_eq!(conflict_lines(&world), ["t update_update [x] central resolved"]);
    check(&world, "SELECT x FROM t", &["1"]);
}

/// The same, and the note of who has committed is missing as well: the file itself must tell.
fn killed_before_note_of(world: &World, side: &str) {
    killed_before_record_of(world, side);
    let state = rusqlite::Connection::open(world.root().join("sync_state/state.db")).unwrap();
    let noted =
        state.execute("UPDATE intents SET decided = 1 WHERE side = ?1 AND decided > 1", [side]).unwrap();
    assert_eq!(noted, 1, "the run did not get as far as its note");
}

/// The same where nothing was written, as somebody reads the side.
fn killed_before_write_of(world: &World, side: &str) {
    let reader = world.open(side);
    reader.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").unwrap();
    killed_before_note_of(world, side);
}

#[test]
fn crash_log_insert_on_spoke() {
    let world = World::two().start("CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT); INSERT INTO log(what) VALUES('old')");
    // the hub's record of run 2 succeeds, the spoke's COMMIT fails because of a reader and its record too
    world.edit("central", "INSERT INTO log(what) VALUES('from central')");
    world.edit("bot", "UPDATE log SET what = 'older'");
    killed_before_write_of(&world, "bot");
    // the bot goes on
    world.edit("bot", "INSERT INTO log(what) VALUES('from bot')");
    world.sync();
    check(&world, "SELECT what FROM log ORDER BY what", &["'from bot'", "'from central'", "'older'"]);
}

/// The owner's next rows get the very ids that the killed run had planned for others: for its own row that was to move away, and
/// for a new one.
#[test]
fn ids_that_the_owner_gave_out_himself_are_no_witnesses() {
    let owners: [&[&str]; 5] = [
        &["UPDATE users SET email = 'zz' WHERE name = 'bob'", "INSERT INTO users(name) VALUES ('n50')"],
        &["INSERT INTO users(name) VALUES ('n50')", "INSERT INTO users(name) VALUES ('n51')"],
        &[
            "INSERT INTO users(name, email) VALUES ('n50', 'e')",
            "UPDATE users SET score = score + 1 WHERE name = 'bob'",
        ],
        &["UPDATE users SET email = 'mine' WHERE name = 'bot1'", "INSERT INTO users(name) VALUES ('n50')"],
        &[
            "DELETE FROM users WHERE name = 'bot1'",
            "INSERT INTO users(name) VALUES ('n50')",
            "INSERT INTO users(name) VALUES ('n51')",
        ],
    ];
    for (central, rows) in [
        ("INSERT INTO users(name) VALUES ('wrc')", ["wrc"].as_slice()),
        ("INSERT INTO users(name, email) VALUES ('wrc', 'w'), ('wrd', 'w')", ["wrc", "wrd"].as_slice()),
        (
            "INSERT INTO users(name) VALUES ('wrc'); UPDATE users SET score = score + 5 WHERE name = 'bob'",
            ["wrc"].as_slice(),
        ),
    ] {
        for owner in owners {
            for is_written in [false, true] {
                let world = impatient()
                    .tables(json!({ "users": { "identity": ["name"], "columns": { "score": "sum" } } }))
                    .start(
                        "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, email TEXT, score INTEGER DEFAULT 0);
                         INSERT INTO users(name, score) VALUES ('bob', 10)",
                    );
                world.edit("central", central);
                world.edit("bot", "INSERT INTO users(name) VALUES ('bot1')");
                let reader = world.open("bot");
                if !is_written {
                    reader.execute_batch("BEGIN; SELECT count(*) FROM users").unwrap();
                }
                killed_before_note_of(&world, "bot");
                drop(reader);
                owner.iter().for_each(|text| world.edit("bot", text));
                world.sync();
                world.sync();
                let about = format!("{central} {owner:?} {is_written}");
                let names = world.lines("bot", "SELECT name FROM users ORDER BY name");
                let all = owner.join(";");
                let there = |name: &str, is_there: bool| {
                    let count = names.iter().filter(|one| **one == format!("'{name}'")).count();
                    assert_eq!(count, usize::from(is_there), "{name}: {about}: {names:?}");
                };
                rows.iter().for_each(|row| there(row, true));
                ["n50", "n51"].iter().for_each(|row| there(row, all.contains(row)));
                there("bob", true);
                // What nobody can know is said, and never only wrong.
                let added = if all.contains("score + 1") { 1 } else { 0 }
                    + if central.contains("score + 5") { 5 } else { 0 };
                let score = world.lines("bot", "SELECT score FROM users WHERE name = 'bob'");
                let is_told = conflict_lines(&world).iter().any(|line| line.contains("uncertain"));
                assert!(score == [(10 + added).to_string()] || is_told, "{score:?}: {about}");
                assert_settled(&world);
            }
        }
    }
}

/// The hub has committed and is lost before it was recorded: what was merged is in our notes alone.
/// A new counter that its owner has counted on, and one that he only edited, are no signs that nothing was written.
#[test]
fn a_new_counter_that_moved_is_not_counted_twice() {
    for (new, edit, expected) in [
        (
            "INSERT INTO score VALUES ('ann', 3, NULL)",
            "UPDATE score SET n = n + 1 WHERE nick = 'ann'",
            "'ann' 4",
        ),
        (
            "INSERT INTO score VALUES ('ann', 3, 'x')",
            "UPDATE score SET n = n + 1 WHERE nick = 'ann'",
            "'ann' 4",
        ),
        (
            "INSERT INTO score VALUES ('ann', 3, 'x')",
            "UPDATE score SET note = 'y' WHERE nick = 'ann'",
            "'ann' 3",
        ),
    ] {
        let world = impatient()
            .tables(json!({ "score": { "columns": { "n": "sum" } } }))
            .start("CREATE TABLE score(nick TEXT PRIMARY KEY, n INTEGER, note TEXT); INSERT INTO score VALUES ('bob', 1, 'b')");
        world.edit("central", &format!("{new}; UPDATE score SET n = n + 5 WHERE nick = 'bob'"));
        killed_before_note_of(&world, "bot");
        world.edit("bot", edit);
        world.edit("bot", "UPDATE score SET note = 'c' WHERE nick = 'bob'");
        world.sync();
        world.sync();
        let found = world.lines("bot", "SELECT nick, n FROM score ORDER BY nick");
        let is_told = conflict_lines(&world).iter().any(|line| line.contains("uncertain"));
        assert!(found == [expected, "'bob' 6"] || is_told, "{new} {edit}: {found:?}");
        assert_settled(&world);
    }
}

#[test]
fn crash_then_hub_lost() {
    for sql in ["UPDATE t SET n = n + 7", "UPDATE t SET m = 1"] {
        let world = World::two()
            .tables(json!({"t":{"columns":{"n":"sum"}}}))
            .start("CREATE TABLE t(k TEXT PRIMARY KEY, n, m); INSERT INTO t VALUES('a', 10, 0)");
        world.edit("bot", "UPDATE t SET n = n + 5; INSERT INTO t VALUES('b', 1, 1)");
        world.edit("central", sql);
        killed_before_record_of(&world, "central");
        std::fs::remove_file(world.path("central")).unwrap();
        world.edit("bot", "UPDATE t SET n = n + 100 WHERE k = 'a'");
        world.sync();
        let merged = if sql.contains('7') { "'a' 122 0" } else { "'a' 115 1" };
        check(&world, "SELECT * FROM t", &[merged, "'b' 1 1"]);
    }
}

#[test]
fn crash_then_spoke_recreated() {
    let world = World::two()
        .tables(json!({"t":{"columns":{"n":"sum"}}}))
        .start("CREATE TABLE t(k TEXT PRIMARY KEY, n); INSERT INTO t VALUES('a', 10)");
    world.edit("central", "UPDATE t SET n=n+5");
    killed_before_note_of(&world, "bot");
    std::fs::remove_file(world.path("bot")).unwrap();
    world.edit("central", "UPDATE t SET n=n+7");
    world.sync();
    world.sync();
    check(&world, "SELECT * FROM t", &["'a' 22"]);
}

#[test]
fn crash_then_bases_lost() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, n); INSERT INTO t VALUES('a', 10)");
    world.edit("central", "UPDATE t SET n=n+5");
    killed_before_record_of(&world, "bot");
    std::fs::remove_dir_all(world.root().join("sync_state/bases")).unwrap();
    world.sync();
    let r = world.sync();
    assert_eq!(r["ok"], true);
}

#[test]
fn base_names_collide() {
    let mut world = World::new(&["central", "b.c", "c"]);
    world.json["databases"] = json!({
      "a": {"replicas": {"central": world.file("central","a"), "b.c": world.file("b.c","a")}},
      "a.b": {"replicas": {"central": world.file("central","a.b"), "c": world.file("c","a.b")}}});
    let t = "CREATE TABLE t(k TEXT PRIMARY KEY)";
    for (s, n) in [("central", "a"), ("b.c", "a")] {
        open(&world.file(s, n)).execute_batch(&format!("{t}; INSERT INTO t VALUES('1'),('2')")).unwrap();
    }
    for (s, n) in [("central", "a.b"), ("c", "a.b")] {
        open(&world.file(s, n))
            .execute_batch(&format!("{t}; INSERT INTO t VALUES('1'),('2'),('3')"))
            .unwrap();
    }
    world.sync();
    open(&world.file("central", "a")).execute_batch("INSERT INTO t VALUES('3')").unwrap();
    world.sync();
    assert_eq!(query(&open(&world.file("central", "a")), "SELECT * FROM t").rows.len(), 3);
    assert_eq!(query(&open(&world.file("b.c", "a")), "SELECT * FROM t").rows.len(), 3);
}

/// Killed between the declaration of the intents and the hub's COMMIT.
fn killed_before_commit_of_hub(world: &World) {
    let reader = world.open("central");
    reader.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").unwrap();
    let state = rusqlite::Connection::open(world.root().join("sync_state/state.db")).unwrap();
    let config = world.config();
    std::thread::scope(|scope| {
        let run = scope.spawn(move || database::sync(&config, &options()).map(seen));
        loop {
            let n: i64 = state
                .query_row("SELECT count(*) FROM intents WHERE side = 'central'", [], |r| r.get(0))
                .unwrap_or(0);
            if n > 0 && state.execute_batch("BEGIN IMMEDIATE").is_ok() {
                break;
            }
        }
        // It fails, as it should: the state cannot be written any more.
        let _ = run.join().unwrap();
        state.execute_batch("ROLLBACK").unwrap();
    });
    let n: i64 = state.query_row("SELECT count(*) FROM intents", [], |r| r.get(0)).unwrap();
    assert!(n > 0);
}

#[test]
fn crash_log_insert_on_hub() {
    let world = World::two().start("CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT); INSERT INTO log(what) VALUES('old')");
    world.edit("bot", "INSERT INTO log(what) VALUES('from bot')");
    killed_before_commit_of_hub(&world);
    world.edit("central", "INSERT INTO log(what) VALUES('from central')");
    world.sync();
    check(&world, "SELECT what FROM log ORDER BY what", &["'from bot'", "'from central'", "'old'"]);
}

#[test]
fn base_busy_means_adoption() {
    let world =
        World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, n); INSERT INTO t VALUES('a', 10),('b',1)");
    world.edit("bot", "DELETE FROM t WHERE k='a'");
    let base = rusqlite::Connection::open(base_of(&world, "bot")).unwrap();
    base.execute_batch("BEGIN EXCLUSIVE").unwrap();
    world.sync();
    base.execute_batch("COMMIT").unwrap();
    world.sync();
    check(&world, "SELECT k FROM t", &["'b'"]);
}

#[test]
fn counter_looks_written() {
    let world = World::two()
        .tables(json!({"t":{"columns":{"n":"sum"}}}))
        .start("CREATE TABLE t(k TEXT PRIMARY KEY, n); INSERT INTO t VALUES('ann', 10), ('bob', 0)");
    world.edit("central", "UPDATE t SET n = n + 1 WHERE k = 'ann'");
    world.edit("bot", "UPDATE t SET n = n + 1 WHERE k = 'bob'");
    killed_before_write_of(&world, "bot");
    world.edit("bot", "UPDATE t SET n = n + 1 WHERE k = 'ann'");
    world.sync();
    // Nothing can tell the owner's step from ours: it must at least be said.
    assert_eq!(conflict_lines(&world), ["t uncertain [] merged open"]);
    check(&world, "SELECT * FROM t", &["'ann' 11", "'bob' 1"]);
}

/// What nobody could tell, a person decides: whatever is offered is done, also where the row is what the run and its owner
/// made of it together, or is gone.
#[test]
fn what_is_uncertain_can_be_decided() {
    const COUNT: &str = "UPDATE t SET n = n + 1 WHERE name = 'ann'";
    let counter = |owner: &'static [&'static str]| {
        move || {
            let world = impatient().tables(json!({"t":{"columns":{"n":"sum"}}})).start(
                "CREATE TABLE t(name TEXT PRIMARY KEY, n); INSERT INTO t VALUES('ann', 10), ('bob', 0)",
            );
            world.edit("central", "UPDATE t SET n = n + 1 WHERE name = 'ann'");
            world.edit("bot", "UPDATE t SET n = n + 1 WHERE name = 'bob'");
            killed_before_write_of(&world, "bot");
            owner.iter().for_each(|text| world.edit("bot", text));
            world
        }
    };
    // The owner's next rows get the ids that the run had planned for others, and are like them.
    let users = || {
        let world = impatient().tables(json!({ "t": { "identity": ["name"], "columns": { "n": "sum" } } })).start(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, kind TEXT DEFAULT 'user', n INTEGER DEFAULT 0);
             INSERT INTO t(name, n) VALUES ('bob', 10)",
        );
        world
            .edit("central", "INSERT INTO t(name) VALUES ('wrc'); UPDATE t SET n = n + 5 WHERE name = 'bob'");
        world.edit("bot", "INSERT INTO t(name) VALUES ('bot1')");
        killed_before_write_of(&world, "bot");
        world.edit("bot", "DELETE FROM t WHERE name = 'bot1'; INSERT INTO t(name) VALUES ('n50'), ('n51')");
        world.edit("bot", "UPDATE t SET n = n + 1 WHERE name = 'bob'");
        world
    };
    type Maker = Box<dyn Fn() -> World>;
    let worlds: [(&str, Maker); 4] = [
        ("as planned", Box::new(counter(&[COUNT]))),
        ("counted on", Box::new(counter(&[COUNT, "UPDATE t SET n = n + 2 WHERE name = 'ann'"]))),
        ("gone", Box::new(counter(&["DELETE FROM t WHERE name = 'ann'", "INSERT INTO t VALUES('bot2', 0)"]))),
        ("other ids", Box::new(users)),
    ];
    for (about, world) in worlds {
        let (mut decided, mut index) = (0, 0);
        loop {
            let world = world();
            world.sync();
            world.sync();
            let found = world.conflicts();
            let uncertain = found.iter().filter(|one| one["kind"] == "uncertain");
            let mut takes = uncertain.flat_map(|one| {
                let choices = one["choices"].as_array().unwrap().clone();
                choices.into_iter().map(move |take| (one, take))
            });
            let Some((one, take)) = takes.nth(index) else { break };
            index += 1;
            let take = take.as_str().unwrap();
            let want = if take == "base" { &one["base"] } else { &one["values"][take] };
            let done = world.resolve(one["id"].as_str().unwrap(), Take::from(take));
            if about == "other ids" && one["key"]["name"] == "bob" {
                // 10, 15 by the run, 11 by its owner: 16 was never shown, so nobody has decided against it.
                let error = done.expect_err("a total that nobody saw");
                assert_eq!(error.kind(), ErrorKind::Stale, "{error}");
                assert!(error.hint_text().unwrap().contains("`acknowledge` keeps what is there"), "{error}");
                check(&world, "SELECT n FROM t WHERE name = 'bob'", &["16"]);
                decided += 1;
                continue;
            }
            let report = done.unwrap_or_else(|error| panic!("{about}: {take} of {one:#}: {error}"));
            assert_eq!(report["ok"], true, "{about}: {report:#}");
            let now = format!("SELECT n FROM t WHERE name = {}", one["key"]["name"]);
            let want: Vec<String> = want.get("n").iter().map(ToString::to_string).collect();
            check(&world, &now.replace('"', "'"), &want.iter().map(String::as_str).collect::<Vec<_>>());
            assert!(
                world.conflicts().iter().any(|own| own["id"] == one["id"] && own["status"] == "resolved")
            );
            assert_settled(&world);
            decided += 1;
        }
        let left = world();
        let said = left.sync();
        assert!(decided >= 3, "{about}: {decided}: {said:#} {:#?}", left.conflicts());
        println!("{about}: {decided} decisions");
    }
}

/// A row that lies where a killed run was to put another one is none of the conflict's, and what has no key cannot be taken.
#[test]
fn what_is_uncertain_offers_no_row_of_others() {
    let killed = |schema: &str, central: &str, bot: &str| {
        let world = impatient().start(schema);
        world.edit("central", central);
        world.edit("bot", bot);
        killed_before_write_of(&world, "bot");
        world
    };
    let uncertain = |world: &World| -> Vec<serde_json::Value> {
        let found = world.conflicts().into_iter().filter(|one| one["kind"] == "uncertain");
        found.collect()
    };
    let memos = "CREATE TABLE t(id INTEGER PRIMARY KEY, who, kind DEFAULT 'user', msg); INSERT INTO t(who, msg) VALUES('bob', 'x')";
    for take in ["base", "merged"] {
        let world = killed(memos, "INSERT INTO t(who, msg) VALUES('wrc', 'A')", "UPDATE t SET msg = 'z'");
        world.edit("bot", "INSERT INTO t(who, msg) VALUES('n50', 'B')");
        world.edit("bot", "UPDATE t SET msg = 'y' WHERE who = 'bob'");
        world.sync();
        let told = uncertain(&world);
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(told[0]["choices"], json!(["merged", "base"]), "{told:#?}");
        assert_eq!(told[0]["values"].as_object().unwrap().len(), 1, "{told:#?}");
        world.resolve(told[0]["id"].as_str().unwrap(), Take::from(take)).unwrap();
        let mut want = vec!["'bob' 'y'", "'n50' 'B'"];
        want.extend((take == "merged").then_some("'wrc' 'A'"));
        check(&world, "SELECT who, msg FROM t ORDER BY who", &want);
        assert_settled(&world);
    }
    let world = killed(
        "CREATE TABLE t(who, n); INSERT INTO t VALUES('ann', 1)",
        "INSERT INTO t VALUES('bob', 1)",
        "UPDATE t SET n = 3",
    );
    world.edit("bot", "INSERT INTO t VALUES('bob', 1)");
    world.edit("bot", "UPDATE t SET n = 2 WHERE who = 'ann'");
    world.sync();
    let told = uncertain(&world);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["choices"], json!([]), "{told:#?}");
    let error = world.resolve(told[0]["id"].as_str().unwrap(), Take::Base).expect_err("no key");
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}

/// What was decided about is what was shown: another value of the row is left alone.
#[test]
fn what_is_uncertain_is_not_decided_over_what_came_since() {
    let world = impatient()
        .tables(json!({"t":{"columns":{"n":"sum"}}}))
        .start("CREATE TABLE t(name TEXT PRIMARY KEY, n, note); INSERT INTO t VALUES('ann', 10, 'x'), ('bob', 0, 'x')");
    world.edit("central", "UPDATE t SET n = n + 1 WHERE name = 'ann'");
    world.edit("bot", "UPDATE t SET n = n + 1 WHERE name = 'bob'");
    killed_before_write_of(&world, "bot");
    world.edit("bot", "UPDATE t SET n = n + 1 WHERE name = 'ann'");
    world.sync();
    let id = world.conflicts()[0]["id"].as_str().unwrap().to_owned();
    world.edit("bot", "UPDATE t SET note = 'new' WHERE name = 'ann'");
    for take in ["bot", "merged", "base"] {
        let error = world.resolve(&id, Take::from(take)).expect_err("it has changed since");
        assert_eq!(error.kind(), ErrorKind::Stale, "{error}");
    }
    world.sync();
    check(&world, "SELECT n, note FROM t WHERE name = 'ann'", &["11 'new'"]);
    assert_eq!(conflict_lines(&world), ["t uncertain [] merged open"]);
}

/// The same with the note: then nothing needs to be guessed.
#[test]
fn what_was_noted_is_known() {
    for written in [false, true] {
        let world = World::two()
            .tables(json!({"t":{"columns":{"n":"sum"}}}))
            .start("CREATE TABLE t(k TEXT PRIMARY KEY, n); INSERT INTO t VALUES('ann', 10), ('bob', 0)");
        world.edit("central", "UPDATE t SET n = n + 1 WHERE k = 'ann'");
        world.edit("bot", "UPDATE t SET n = n + 1 WHERE k = 'bob'");
        let reader = world.open("bot");
        if !written {
            reader.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
        }
        killed_before_record_of(&world, "bot");
        drop(reader);
        world.edit("bot", "UPDATE t SET n = n + 1 WHERE k = 'ann'");
        world.sync();
        assert_eq!(conflict_lines(&world), [""; 0]);
        check(&world, "SELECT * FROM t", &["'ann' 12", "'bob' 1"]);
    }
}

#[test]
fn withdraw_forgets_a_decided_intent() {
    let mut world = World::three().tables(json!({"t":{"columns":{"n":"sum"}}}));
    world.json["guards"]["busy_timeout_ms"] = 50.into();
    let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, n); INSERT INTO t VALUES('ann', 10)");
    world.edit("central", "UPDATE t SET n = n + 5");
    killed_before_note_of(&world, "bot");
    assert_eq!(world.lines("bot", "SELECT n FROM t"), ["15"]);
    world.edit("website", "INSERT INTO t VALUES('new', 1)");
    let lock = world.open("bot");
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    killed_before_commit_of_hub(&world);
    drop(lock);
    world.sync();
    world.sync();
    check(&world, "SELECT * FROM t", &["'ann' 15", "'new' 1"]);
}

#[test]
fn two_log_rows_on_the_hub() {
    let world = World::two().start("CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT); INSERT INTO log(what) VALUES('old')");
    world.edit("bot", "INSERT INTO log(what) VALUES('bot 1'),('bot 2')");
    killed_before_commit_of_hub(&world);
    world.edit("central", "INSERT INTO log(what) VALUES('central 1'),('central 2')");
    world.sync();
    let all: String = world.conflicts().iter().map(|c| c.to_string()).collect();
    assert!(
        all.contains("bot 2") || world.lines("bot", "SELECT what FROM log").contains(&"'bot 2'".to_owned()),
        "bot 2 is nowhere any more: {all}"
    );
}

/// A log that is empty says nothing: another one, with what we wrote, may have come and gone with its owner.
#[test]
fn an_empty_log_is_no_witness() {
    let world = World::two().tables(json!({"t":{"columns":{"n":"sum"}}}));
    world.edit_all("PRAGMA journal_mode = wal");
    let world =
        world.start("CREATE TABLE t(k TEXT PRIMARY KEY, n, m); INSERT INTO t VALUES('a', 0, 0), ('b', 0, 0)");
    world.edit("bot", "UPDATE t SET n = n + 5, m = 1 WHERE k = 'a'");
    world.edit("central", "UPDATE t SET n = n + 7 WHERE k = 'b'");
    killed_before_note_of(&world, "bot");
    let state = rusqlite::Connection::open(world.root().join("sync_state/state.db")).unwrap();
    state.execute("UPDATE intents SET decided = 0", []).unwrap();
    for side in ["bot", "central"] {
        world.edit(side, "SELECT 1");
        assert!(!world.path(side).with_extension("db-wal").exists(), "the last to leave takes the log along");
    }
    world.sync();
    check(&world, "SELECT * FROM t", &["'a' 5 1", "'b' 7 0"]);
}

/// A damaged base says nothing against the file that it is about.
#[test]
fn a_damaged_base_is_made_anew_and_its_side_stays_in_use() {
    for side in ["bot", "central", "website"] {
        let world = World::three().start(
            "CREATE TABLE t(k TEXT PRIMARY KEY, x);
             WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT 'key ' || i, 0 FROM n",
        );
        let base = base_of(&world, side);
        let mut bytes = std::fs::read(&base).unwrap();
        for page in bytes.chunks_mut(4096).skip(2) {
            page[..64].fill(0x5a);
        }
        std::fs::write(&base, bytes).unwrap();
        world.edit(side, "UPDATE t SET x = 1 WHERE k = 'key 7'; INSERT INTO t VALUES('new', 1)");
        let dry = world.dry_run();
        assert!(dry.to_string().contains("damaged"), "{dry:#}");
        let report = world.sync();
        assert!(report.to_string().contains(&format!("what was remembered of {side} is")), "{report:#}");
        assert_eq!(report["ok"], true, "{report:#}");
        check(&world, "SELECT count(*), max(x) FROM t WHERE k = 'new' OR x = 0 OR k = 'key 7'", &["2001 1"]);
        check(&world, "SELECT x FROM t WHERE k = 'new'", &["1"]);
        assert_settled(&world);
    }
}

/// Nor does a damaged file against its base: rows that a CHECK refuses are no damage.
#[test]
fn a_base_outlives_the_damage_of_its_file() {
    let world = World::three().start(
        "CREATE TABLE t(k TEXT PRIMARY KEY, x CHECK(x >= 0)); PRAGMA ignore_check_constraints = ON;
         WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT 'key ' || i, -1 FROM n",
    );
    let mut bytes = std::fs::read(world.path("bot")).unwrap();
    for page in bytes.chunks_mut(4096).skip(2) {
        page[..64].fill(0x5a);
    }
    std::fs::write(world.path("bot"), bytes).unwrap();
    let base = base_of(&world, "bot");
    let report = world.sync();
    assert_eq!(report["databases"]["d"]["state"], "quarantined", "{report:#}");
    assert!(!report.to_string().contains("what was remembered"), "{report:#}");
    assert_eq!(base_of(&world, "bot"), base);
}
