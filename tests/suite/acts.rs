//! What a person does: look, resolve, acknowledge, take everything from one side, read the history.
//!
//! Apart from the merge itself. Every act is a run like any other: recorded, and the sides are equal afterwards.

use cr0sync::database::{self, Detail, Mode, Options, Selection, Take};
use cr0sync::{ErrorKind, Page};
use serde_json::{Value, json};

use crate::common::{
    World, assert_converged, assert_settled, check, check_side, conflict_lines, options, seen, state,
};

/// Two sides, one clash: central's 3 won over bot's 2, the ancestor was 1.
fn clash() -> World {
    let world = World::two()
        .start("CREATE TABLE t(k TEXT PRIMARY KEY, x, y); INSERT INTO t VALUES('k', 1, 0), ('o', 1, 0)");
    world.edit("bot", "UPDATE t SET x = 2 WHERE k = 'k'");
    world.edit("central", "UPDATE t SET x = 3 WHERE k = 'k'");
    assert_eq!(world.sync()["conflicts"], 1);
    check(&world, "SELECT x FROM t WHERE k = 'k'", &["3"]);
    world
}

fn id(world: &World) -> String {
    world.conflicts()[0]["id"].as_str().unwrap().to_owned()
}

fn statuses(world: &World) -> Vec<String> {
    world.conflicts().iter().map(|conflict| conflict["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_loser_can_be_taken_back() {
    for (take, want) in
        [(Take::Side("bot".into()), "2"), (Take::Side("central".into()), "3"), (Take::Base, "1")]
    {
        let world = clash();
        let report = world.resolve(&id(&world), take.clone()).unwrap();
        assert_eq!(report["ok"], true, "{report:#}");
        check(&world, "SELECT x FROM t WHERE k = 'k'", &[want]);
        assert!(
            statuses(&world).iter().all(|status| status == "resolved"),
            "{take:?} {:?}",
            statuses(&world)
        );
    }
}

#[test]
fn resolving_keeps_its_hands_off_a_row_that_changed() {
    let world = clash();
    let id = id(&world);
    world.edit("bot", "UPDATE t SET y = 9 WHERE k = 'k'");
    let error = world.resolve(&id, Take::Side("bot".into())).expect_err("the row changed meanwhile");
    assert_eq!(error.kind(), ErrorKind::Stale, "{error}");
    check_side(&world, "central", "SELECT x FROM t WHERE k = 'k'", &["3"]);
    world.sync();
    check(&world, "SELECT x, y FROM t WHERE k = 'k'", &["3 9"]);
}

#[test]
fn resolving_needs_sense() {
    let world = clash();
    let id = id(&world);
    for (id, take) in
        [("no-such-id", Take::Base), (id.as_str(), Take::Side("nobody".into())), (id.as_str(), Take::Both)]
    {
        let error = world.resolve(id, take.clone()).expect_err("makes no sense");
        assert_eq!(error.kind(), ErrorKind::Usage, "{id} {take:?}: {error}");
    }
    check(&world, "SELECT x FROM t WHERE k = 'k'", &["3"]);
    assert_eq!(statuses(&world), ["open"]);
}

#[test]
fn a_deleted_row_can_stay_deleted() {
    let world =
        World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 1), ('o', 1)");
    world.edit("bot", "DELETE FROM t WHERE k = 'k'");
    world.edit("central", "UPDATE t SET x = 3 WHERE k = 'k'");
    world.sync();
    check(&world, "SELECT k, x FROM t", &["'k' 3", "'o' 1"]);
    world.resolve(&id(&world), Take::Side("bot".into())).unwrap();
    check(&world, "SELECT k, x FROM t", &["'o' 1"]);
    assert_eq!(world.conflicts().len(), 1);
}

#[test]
fn a_held_cell_is_let_go() {
    let world = World::two()
        .tables(json!({ "t": { "columns": { "x": "hold" } } }))
        .start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 1)");
    world.edit("bot", "UPDATE t SET x = 2");
    world.edit("central", "UPDATE t SET x = 3");
    world.sync();
    assert_eq!(statuses(&world), ["held"]);
    world.resolve(&id(&world), Take::Side("bot".into())).unwrap();
    check(&world, "SELECT x FROM t", &["2"]);
    assert_eq!(statuses(&world), ["resolved"]);
}

/// A deletion that won is no end of the row.
#[test]
fn a_row_that_is_gone_comes_back() {
    for (schema, row) in [
        ("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 1)", "'k' 2"),
        ("CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES(7, 1), (8, 8)", "7 2"),
    ] {
        let world = World::two().tables(json!({ "t": { "on_delete_update": "delete" } })).start(schema);
        world.edit("bot", "UPDATE t SET x = 2 WHERE x = 1");
        world.edit("central", "DELETE FROM t WHERE x = 1");
        world.sync();
        check(&world, "SELECT * FROM t WHERE x < 8", &[]);
        world.resolve(&id(&world), Take::Side("bot".into())).unwrap();
        check(&world, "SELECT * FROM t WHERE x < 8", &[row]);
        assert_eq!(statuses(&world), ["resolved"]);
    }
}

/// A row that points at nothing is not put back.
#[test]
fn a_row_that_is_gone_does_not_come_back_without_its_parent() {
    let world = World::two().tables(json!({ "t": { "on_delete_update": "delete" } })).start(
        "CREATE TABLE p(k TEXT PRIMARY KEY); INSERT INTO p VALUES('p');
         CREATE TABLE t(k TEXT PRIMARY KEY, p REFERENCES p, x); INSERT INTO t VALUES('k', 'p', 1)",
    );
    world.edit("bot", "UPDATE t SET x = 2");
    world.edit("central", "DELETE FROM t");
    world.sync();
    world.edit("bot", "DELETE FROM p");
    world.sync();
    let error = world.resolve(&id(&world), Take::Side("bot".into())).expect_err("its parent is gone");
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    assert!(error.to_string().contains("points at is gone"), "{error}");
    check(&world, "SELECT * FROM t", &[]);
}

/// Where a row cannot be put back, that is said, nothing changes, and it can be decided later.
#[test]
fn a_row_that_has_no_place_is_not_called_resolved() {
    let world = World::two().tables(json!({ "t": { "on_delete_update": "delete" } })).start(
        "CREATE TABLE t(k TEXT PRIMARY KEY, email UNIQUE, x CHECK (x < 5)); INSERT INTO t VALUES('ann', 'a', 1), ('eve', 'e', 1)",
    );
    world.edit("bot", "UPDATE t SET x = 2 WHERE k = 'ann'");
    world.edit("central", "DELETE FROM t WHERE k = 'ann'");
    world.sync();
    world.edit("bot", "INSERT INTO t VALUES('bea', 'a', 1)");
    world.sync();
    let error = world.resolve(&id(&world), Take::Side("bot".into())).expect_err("its address is taken");
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    assert!(error.to_string().contains("cannot be so"), "{error}");
    assert_eq!(statuses(&world), ["open"]);
    check(&world, "SELECT k FROM t ORDER BY k", &["'bea'", "'eve'"]);
    // A column that came since has what the others got, also where it must not be empty.
    world.edit_all(
        "UPDATE t SET email = 'b' WHERE k = 'bea'; ALTER TABLE t ADD COLUMN d INTEGER NOT NULL DEFAULT 5",
    );
    world.resolve(&id(&world), Take::Side("bot".into())).unwrap();
    check(&world, "SELECT k, x, d FROM t ORDER BY k", &["'ann' 2 5", "'bea' 1 5", "'eve' 1 5"]);
    assert_eq!(statuses(&world), ["resolved"]);
    assert_settled(&world);
}

/// A row that points at itself brings what it points at.
#[test]
fn a_row_that_points_at_itself_comes_back() {
    let world = World::two().tables(json!({ "t": { "on_delete_update": "delete" } })).start(
        "CREATE TABLE t(k TEXT PRIMARY KEY, boss REFERENCES t(k), x); INSERT INTO t VALUES('ann', 'ann', 1)",
    );
    world.edit("bot", "UPDATE t SET x = 2");
    world.edit("central", "DELETE FROM t");
    world.sync();
    world.resolve(&id(&world), Take::Side("bot".into())).unwrap();
    check(&world, "SELECT * FROM t", &["'ann' 'ann' 2"]);
}

#[test]
fn both_rows_where_two_are_possible() {
    let world = World::two()
        .tables(json!({ "t": { "rekey": false } }))
        .start("CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
    world.edit("bot", "INSERT INTO t VALUES(1, 'bot')");
    world.edit("central", "INSERT INTO t VALUES(1, 'central')");
    world.sync();
    check(&world, "SELECT x FROM t", &["'central'"]);
    world.resolve(&id(&world), Take::Both).unwrap();
    check(&world, "SELECT x FROM t", &["'bot'", "'central'"]);
}

/// What is offered is what is taken.
#[test]
fn only_what_is_possible_is_offered() {
    let offered = |schema: &str, rekey: bool, started: bool| {
        let world = World::two().tables(json!({ "t": { "rekey": rekey } }));
        world.edit_all(schema);
        if started {
            world.sync();
        }
        for side in ["bot", "central"] {
            world.edit(side, &format!("INSERT INTO t VALUES(1, 'a', '{side}')"));
        }
        world.sync();
        let conflict = world.conflicts()[0].clone();
        let choices: Vec<String> = serde_json::from_value(conflict["choices"].clone()).unwrap();
        for take in ["bot", "central", "base", "both"] {
            let done = world.resolve(&id(&world), Take::from(take));
            assert_eq!(done.is_ok(), choices.iter().any(|choice| choice == take), "{schema}: {take}");
            if done.is_ok() {
                break;
            }
        }
        choices.join(" ")
    };
    let (by_id, by_key) =
        ("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)", "CREATE TABLE t(k PRIMARY KEY, a, b)");
    assert_eq!(offered(by_id, false, true), "bot central base both");
    assert_eq!(offered(by_key, true, true), "bot central base");
    assert_eq!(offered(by_id, true, false), "bot central both");
    assert_eq!(offered(by_key, true, false), "bot central");
    let world = clash();
    world.resolve(&id(&world), Take::Base).unwrap();
    assert_eq!(world.conflicts()[0]["choices"], json!([]), "it is resolved");
}

/// What waits already is nothing new, neither in a plan nor in a run.
#[test]
fn a_dry_run_counts_what_a_run_would_count() {
    let world = World::two()
        .tables(json!({ "t": { "columns": { "y": "hold" } } }))
        .start("CREATE TABLE t(k TEXT PRIMARY KEY, x, y); INSERT INTO t VALUES('k', 1, 1), ('o', 1, 1)");
    world.edit("bot", "UPDATE t SET x = 2 WHERE k = 'k'; UPDATE t SET y = 2 WHERE k = 'o'");
    world.edit("central", "UPDATE t SET x = 3 WHERE k = 'k'; UPDATE t SET y = 3 WHERE k = 'o'");
    assert_eq!(world.dry_run()["conflicts"], 2);
    assert_eq!(world.sync()["conflicts"], 2);
    assert_eq!(world.dry_run()["conflicts"], 0);
    let conflicts = world.conflicts();
    let id = conflicts.iter().find(|one| one["columns"] == json!(["x"])).unwrap()["id"].as_str().unwrap();
    for mode in [Mode::DryRun, Mode::Apply] {
        let options = Options { mode, ..Options::default() };
        let report = database::resolve(&world.config(), id, Take::Side("bot".into()), &options).unwrap();
        assert_eq!((report.conflicts, report.exit_code()), (0, 0), "{mode:?}");
    }
}

/// Conflicts and what stays of a run that is taken back come in the order of the rows, whatever the run.
#[test]
fn conflicts_come_in_the_order_of_their_rows() {
    let rows: Vec<String> = (0..60).map(|n| format!("('{n:02}', 0)")).collect();
    let world = World::two()
        .start(&format!("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES{}", rows.join(",")));
    world.edit("bot", "UPDATE t SET x = 1");
    world.edit("central", "UPDATE t SET x = 2");
    world.sync();
    let keys: Vec<String> =
        world.conflicts().iter().map(|one| one["key"]["k"].as_str().unwrap().to_owned()).collect();
    let wanted: Vec<String> = (0..60).map(|n| format!("{n:02}")).collect();
    assert_eq!(keys, wanted);
}

/// A page of those that are so and so, and how many there are.
#[test]
fn conflicts_are_listed_by_status_and_id_and_page() {
    let rows: Vec<String> = (1..=7).map(|n| format!("({n}, 0)")).collect();
    let mut world = World::two();
    world.add_database("other");
    let world = world
        .start(&format!("CREATE TABLE t(k INTEGER PRIMARY KEY, x); INSERT INTO t VALUES{}", rows.join(",")));
    world.edit("bot", "UPDATE t SET x = 1");
    world.edit("central", "UPDATE t SET x = 2");
    world.sync();
    world.acknowledge(&["2".to_owned(), "3".to_owned()]).unwrap();
    world.resolve("4", Take::Side("bot".into())).unwrap();
    let told = |databases: &[&str], statuses: &[&str], ids: &[&str], skip: usize, limit: Option<usize>| {
        let words = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<String>>();
        let selection = Selection { statuses: words(statuses), ids: words(ids), page: Page { skip, limit } };
        let options = Options { databases: words(databases), ..options() };
        let report = seen(database::conflicts_of(&world.config(), &options, &selection).unwrap());
        let list = report["conflicts"].as_array().unwrap();
        let ids: Vec<String> = list.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        let whole: Vec<Value> = world.conflicts();
        assert!(list.iter().all(|one| whole.contains(one)), "a page shows all of each");
        format!("{} of {}", ids.join(" "), report["total"])
    };
    for (databases, statuses, ids, skip, limit, wanted) in [
        (&[][..], &[][..], &[][..], 0, None, "1 2 3 4 5 6 7 of 7"),
        (&["d"], &[], &[], 0, None, "1 2 3 4 5 6 7 of 7"),
        (&["other"], &[], &[], 0, None, " of 0"),
        (&[], &["open"], &[], 0, None, "1 5 6 7 of 4"),
        (&[], &["acknowledged", "resolved"], &[], 0, None, "2 3 4 of 3"),
        (&[], &["held"], &[], 0, None, " of 0"),
        (&[], &[], &["6", "2", "2", "99", "x", "", "+1", "02"], 0, None, "2 6 of 2"),
        (&[], &["open"], &["6", "2"], 0, None, "6 of 1"),
        (&["other"], &[], &["6"], 0, None, " of 0"),
        (&[], &[], &["99"], 0, None, " of 0"),
        (&[], &[], &[], 2, Some(3), "3 4 5 of 7"),
        (&[], &["open"], &[], 3, Some(3), "7 of 4"),
        (&[], &["open"], &[], 4, Some(3), " of 4"),
        (&[], &["open"], &[], 0, Some(0), " of 4"),
        (&[], &[], &["1", "5", "7"], 1, Some(1), "5 of 3"),
    ] {
        assert_eq!(told(databases, statuses, ids, skip, limit), wanted, "{statuses:?} {ids:?} {skip}");
    }
    let unknown = Selection { statuses: vec!["Open".to_owned()], ..Selection::default() };
    let error = database::conflicts_of(&world.config(), &options(), &unknown).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Usage, "no conflict is Open"));
}

#[test]
fn acknowledged_conflicts_are_at_rest() {
    let world = clash();
    let id = id(&world);
    let report = world.acknowledge(std::slice::from_ref(&id)).unwrap();
    assert_eq!(report["acknowledged"], json!([id]));
    assert!(statuses(&world).iter().all(|status| status == "acknowledged"));
    assert_settled(&world);
    world.resolve(&id, Take::Side("bot".into())).unwrap();
    let report = world.acknowledge(std::slice::from_ref(&id)).unwrap();
    assert_eq!((&report["acknowledged"], &report["resolved"]), (&json!([]), &json!([id])));
    assert_eq!(statuses(&world), ["resolved"]);
    let error = world.acknowledge(&["no-such-id".to_owned()]).expect_err("there is no such conflict");
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}

#[test]
fn everything_from_one_side() {
    let world = World::three().start(
        "CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('a', 1), ('b', 1), ('c', 1), ('d', 1)",
    );
    world.edit(
        "bot",
        "UPDATE t SET x = 2 WHERE k = 'a'; DELETE FROM t WHERE k = 'b'; INSERT INTO t VALUES('bot', 1)",
    );
    world.edit(
        "central",
        "UPDATE t SET x = 3 WHERE k = 'a'; INSERT INTO t VALUES('central', 1); DELETE FROM t WHERE k = 'c'",
    );
    let report = world.sync_from("bot").unwrap();
    assert_eq!(report["ok"], true, "{report:#}");
    check_side(&world, "central", "SELECT k, x FROM t", &["'a' 2", "'bot' 1", "'c' 1", "'d' 1"]);
    assert!(emergency(&world), "there is no emergency backup");
    world.sync();
    check(&world, "SELECT k, x FROM t", &["'a' 2", "'bot' 1", "'c' 1", "'d' 1"]);
    let error = world.sync_from("nobody").expect_err("there is no such side");
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}

/// A file with the name of an emergency backup that still holds what the hub had.
fn emergency(world: &World) -> bool {
    let mut folders = vec![world.root().parent().unwrap().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if name.starts_with("d.db.emergency.") {
                let db = crate::common::open(&entry.path());
                return !crate::common::query(&db, "SELECT 1 FROM t WHERE k = 'central'").rows.is_empty();
            }
        }
    }
    false
}

#[test]
fn the_history_tells_every_run_that_did_something() {
    let world = clash();
    world.edit("bot", "INSERT INTO t VALUES('new', 1, 1)");
    let report = world.sync();
    world.sync();
    world.sync();
    let history = world.history(10);
    let runs = history["runs"].as_array().unwrap();
    assert_eq!(runs[0]["run"], report["run"], "newest first: {history:#}");
    assert_eq!(runs[0]["databases"]["d"]["sides"]["central"]["inserted"], 1, "{history:#}");
    for run in runs {
        assert!(run["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{run}");
        assert!(run["kind"].is_string() && run["duration_ms"].is_u64(), "{run}");
    }
    assert_eq!(world.history(1)["runs"].as_array().unwrap().len(), 1);
}

/// Cron asks each minute, and a person is away for a week.
#[test]
fn what_waits_is_told_once() {
    let rows: Vec<String> = (0..100).map(|n| format!("({n})")).collect();
    let world =
        World::two().start(&format!("CREATE TABLE t(k PRIMARY KEY); INSERT INTO t VALUES{}", rows.join(",")));
    let runs = || world.history(99)["runs"].as_array().unwrap().len();
    let before = runs();
    world.edit("bot", "DELETE FROM t WHERE k < 80");
    let held = world.sync();
    assert_eq!((state(&held), held["run"].as_str().unwrap().is_empty(), runs()), ("held", false, before + 1));
    for _ in 0..3 {
        let again = world.sync();
        assert_eq!((state(&again), &again["run"], runs()), ("held", &json!(""), before + 1));
    }
    world.edit("bot", "DELETE FROM t WHERE k < 81");
    assert_eq!((state(&world.sync()), runs()), ("held", before + 2), "it waits for something else now");
    let back = "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 80) INSERT INTO t SELECT n FROM n";
    world.edit("bot", back);
    world.sync();
    let well = runs();
    world.edit("bot", "DELETE FROM t WHERE k < 81");
    assert_eq!((state(&world.sync()), runs()), ("held", well + 1), "it was well in between");
}

#[test]
fn status_says_where_things_stand() {
    let world = clash();
    let status = world.status(Detail::Summary);
    let one = &status["databases"]["d"];
    assert_eq!(status["schema"], 1);
    assert_eq!(one["open_conflicts"], 1, "{status:#}");
    for side in ["bot", "central"] {
        let at = &one["sides"][side];
        assert_eq!(at["path"], world.path(side).display().to_string());
        assert_eq!(at["exists"], true);
        assert_eq!(at["journal_mode"], "delete");
        assert!(at["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
        assert_eq!(at["problem"], Value::Null, "{status:#}");
    }
    std::fs::remove_file(world.path("bot")).unwrap();
    assert_eq!(world.status(Detail::Summary)["databases"]["d"]["sides"]["bot"]["exists"], false);
}

#[test]
fn explaining_names_rules_and_policies() {
    let world = World::two().tables(json!({ "c": { "identity": ["k"] }, "t": { "columns": { "n": "sum" } } })).start(
        "CREATE TABLE c(id INTEGER PRIMARY KEY, k); CREATE TABLE t(k TEXT PRIMARY KEY, n);
         CREATE TABLE nat(id INTEGER PRIMARY KEY, nick TEXT NOT NULL UNIQUE); CREATE TABLE num(id INTEGER PRIMARY KEY, x);
         CREATE TABLE bag(x)",
    );
    let status = world.status(Detail::Explain);
    let tables = &status["databases"]["d"]["tables"];
    assert_eq!(tables["c"]["identity"], json!(["k"]), "{tables:#}");
    assert_eq!(tables["t"]["identity"], json!(["k"]), "{tables:#}");
    assert_eq!(tables["nat"]["identity"], json!(["nick"]), "{tables:#}");
    assert_eq!(tables["num"]["identity"], json!(["id"]), "{tables:#}");
    assert_eq!(tables["t"]["columns"]["n"], "sum", "{tables:#}");
    for name in ["c", "t", "nat", "num", "bag"] {
        assert!(!tables[name]["rule"].is_null(), "{name}: {tables:#}");
    }
}

#[test]
fn secrets_stay_secret() {
    let mut world = World::two();
    world.json["secrets"] = json!(["*shoe*"]);
    let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, password_hash, api_token, shoe_size, plain)");
    for side in ["bot", "central"] {
        world.edit(
            side,
            &format!("INSERT INTO t VALUES('k', '{side} 1', '{side} 2', '{side} 3', '{side} 4')"),
        );
    }
    world.sync();
    let report = seen(database::conflicts(&world.config(), &Options::default()).unwrap());
    let text = report.to_string();
    for n in 1..=3 {
        assert!(!text.contains(&format!("bot {n}")) && !text.contains(&format!("central {n}")), "{text}");
    }
    let values = &report["conflicts"][0]["values"]["bot"];
    assert_eq!(values["password_hash"], json!({ "redacted": true }));
    assert_eq!(values["plain"], "bot 4");
    assert_eq!(world.conflicts()[0]["values"]["bot"]["password_hash"], "bot 1", "shown when asked for");
}

#[test]
fn databases_are_chosen_by_name() {
    let mut world = World::two();
    world.add_database("other");
    for name in ["d", "other"] {
        let db = crate::common::open(&world.file("bot", name));
        db.execute_batch("CREATE TABLE t(k TEXT PRIMARY KEY)").unwrap();
    }
    let options = Options { databases: vec!["oth*".into()], ..Options::default() };
    let report = world.run(&options).unwrap();
    assert_eq!(report["databases"].as_object().unwrap().keys().collect::<Vec<_>>(), ["other"]);
    assert!(!world.path("central").exists() && world.file("central", "other").exists());
    let error = world
        .run(&Options { databases: vec!["nope".into()], ..Options::default() })
        .expect_err("no such database");
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}

#[test]
fn of_many_databases_some_are_named() {
    let mut world = World::two();
    let hint = |world: &World| {
        let options = Options { databases: vec!["nope".into()], ..Options::default() };
        world.run(&options).expect_err("no such database").hint_text().unwrap().to_owned()
    };
    assert_eq!(hint(&world), "databases are: d");
    (1..10).for_each(|n| world.add_database(&format!("d{n}")));
    assert_eq!(hint(&world), "databases are: d, d1, d2, d3, d4 and 5 more; `status` lists them");
}

/// Neither file can be spared, and only one of them is the hub.
#[test]
fn a_broken_source_is_not_called_the_hub() {
    for (side, words) in [("bot", "bot: "), ("central", "the hub central cannot be used: ")] {
        let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 1)");
        std::fs::write(world.path(side), "no database, but long enough to be told from an empty one")
            .unwrap();
        let report = world.sync_from("bot").unwrap();
        let reason = report["databases"]["d"]["reason"].as_str().unwrap();
        assert_eq!(state(&report), "quarantined");
        assert!(reason.starts_with(words) && reason.contains("is not a database"), "{reason}");
    }
}

#[test]
fn a_run_without_anything_to_do_says_so() {
    let world = clash();
    let report = world.sync();
    assert_eq!(state(&report), "unchanged", "{report:#}");
    assert_eq!(conflict_lines(&world).len(), 1);
    assert_converged(&world);
}

/// Nobody can read a file that another holds exclusively: a run that still calls it unchanged has not opened it. It
/// does not trust file times before they are two seconds old.
#[test]
fn an_unchanged_database_is_not_opened() {
    let mut world = World::two();
    world.json["guards"]["busy_timeout_ms"] = json!(20);
    let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0)");
    let start = std::time::Instant::now();
    let mut opened = 0;
    loop {
        world.sync();
        let owner = world.open("central");
        owner.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let report = world.sync();
        owner.execute_batch("ROLLBACK").unwrap();
        match state(&report) {
            "unchanged" => break,
            "skipped" => opened += 1,
            other => panic!("{other}: {report:#}"),
        }
        assert!(start.elapsed().as_secs() < 30, "it is opened again and again: {report:#}");
    }
    assert!(opened > 0, "a file that changed this very moment was trusted");
    // A side that changed is looked at, whatever the others do.
    world.edit("bot", "UPDATE t SET x = 1");
    assert_eq!(state(&world.sync()), "synced");
    check_side(&world, "central", "SELECT x FROM t", &["1"]);
}

#[test]
fn exit_codes_follow_the_report() {
    let world = World::two();
    world.edit_all("CREATE TABLE t(k TEXT PRIMARY KEY, x)");
    let code = || database::sync(&world.config(), &Options::default()).unwrap().exit_code();
    assert_eq!(code(), 0);
    world.edit("bot", "INSERT INTO t VALUES('k', 1)");
    world.edit("central", "INSERT INTO t VALUES('k', 2)");
    assert_eq!(code(), 1);
    assert_eq!(code(), 0);
    std::fs::remove_file(world.path("bot")).unwrap();
    std::fs::hard_link(world.path("central"), world.path("bot")).unwrap();
    assert_eq!(code(), 2);
}
