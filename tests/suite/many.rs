//! Many sides, and many databases in one run: one that cannot go on holds up no other.
//!
//! Apart from `acts`, whose worlds have one database.

use cr0sync::ErrorKind;
use cr0sync::database::{self, Mode, Options};
use serde_json::{Value, json};

use crate::common::{World, assert_converged, open, options, query, seen};

fn chosen(patterns: &[&str]) -> Options {
    Options { databases: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(), ..options() }
}

/// The names of the databases that a report is about.
fn names(report: &Value) -> Vec<String> {
    report["databases"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn five_sides_become_one() {
    let sides = ["bot", "central", "mirror", "phone", "website"];
    let world = World::new(&sides)
        .tables(json!({ "score": { "columns": { "points": "sum" } } }))
        .start(
            "CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, nick TEXT NOT NULL UNIQUE, a, b, c, d, e);
             CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER REFERENCES users(id), body TEXT);
             CREATE TABLE score(nick TEXT PRIMARY KEY, points INTEGER);
             CREATE TABLE bag(x);
             INSERT INTO users(nick) VALUES('ann'), ('bob');
             INSERT INTO score VALUES('ann', 100);",
        );
    for (n, side) in sides.iter().enumerate() {
        let column = ["a", "b", "c", "d", "e"][n];
        world.edit(
            side,
            &format!(
                "UPDATE users SET {column} = '{side}' WHERE nick = 'ann';
                 UPDATE users SET a = 'clash of {side}' WHERE nick = 'bob';
                 UPDATE score SET points = points + 10;
                 INSERT INTO users(nick) VALUES('new of {side}');
                 INSERT INTO notes(uid, body) VALUES(last_insert_rowid(), 'note of {side}');
                 INSERT INTO bag VALUES('same');"
            ),
        );
    }
    let report = world.sync();
    assert_eq!(report["ok"], json!(true), "{report:#}");
    assert_eq!(report["conflicts"], json!(1), "{report:#}");
    assert_converged(&world);
    assert_eq!(
        world.lines("phone", "SELECT a, b, c, d, e FROM users WHERE nick = 'ann'"),
        ["'bot' 'central' 'mirror' 'phone' 'website'"]
    );
    // The hub is preferred where nothing else is configured.
    assert_eq!(world.lines("phone", "SELECT a FROM users WHERE nick = 'bob'"), ["'clash of central'"]);
    assert_eq!(world.lines("phone", "SELECT points FROM score"), ["150"]);
    let joined =
        "SELECT count(*) FROM notes JOIN users ON uid = users.id WHERE 'note of ' || substr(nick, 8) = body";
    assert_eq!(world.lines("mirror", joined), ["5"]);
    assert_eq!(world.lines("mirror", "SELECT count(*) FROM bag"), ["5"]);
    assert_eq!(world.sync()["databases"]["d"]["state"], json!("unchanged"));
}

#[test]
fn of_five_sides_two_are_away_and_catch_up() {
    let sides = ["bot", "central", "mirror", "phone", "website"];
    let world =
        World::new(&sides).start("CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES('a', 0)");
    for side in ["mirror", "phone"] {
        std::fs::rename(world.path(side), world.path(side).with_extension("away")).unwrap();
        // A directory is no database, and no missing one either.
        std::fs::create_dir(world.path(side)).unwrap();
    }
    world.edit("bot", "INSERT INTO t VALUES('b', 1)");
    world.edit("website", "UPDATE t SET v = 1 WHERE k = 'a'");
    let report = world.sync();
    assert_eq!(report["ok"], json!(true), "{report:#}");
    assert_eq!(report["databases"]["d"]["warnings"].as_array().unwrap().len(), 2, "{report:#}");
    for side in ["mirror", "phone"] {
        std::fs::remove_dir(world.path(side)).unwrap();
        std::fs::rename(world.path(side).with_extension("away"), world.path(side)).unwrap();
        world.edit(side, &format!("INSERT INTO t VALUES('{side}', 2)"));
    }
    let report = world.sync();
    assert_eq!(report["conflicts"], json!(0), "{report:#}");
    assert_converged(&world);
    assert_eq!(
        world.lines("phone", "SELECT k, v FROM t ORDER BY k"),
        ["'a' 1", "'b' 1", "'mirror' 2", "'phone' 2"]
    );
}

/// Fifty databases called `n00` to `n49`, beside `d`, which no side has.
fn fifty() -> World {
    let mut world = World::three();
    for n in 0..50 {
        let name = format!("n{n:02}");
        world.add_database(&name);
        for side in &world.sides {
            open(&world.file(side, &name))
                .execute_batch("CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES('old', 1)")
                .unwrap();
        }
    }
    world.json["databases"].as_object_mut().unwrap().remove("d");
    world
}

#[test]
fn of_fifty_databases_the_broken_ones_hold_up_no_other() {
    let world = fifty();
    let first = world.sync();
    assert_eq!(names(&first).len(), 50);
    assert_eq!(first["ok"], json!(true), "{first:#}");
    for n in 0..50 {
        let edit = format!("INSERT INTO t VALUES('new', {n})");
        open(&world.file("bot", &format!("n{n:02}"))).execute_batch(&edit).unwrap();
    }
    // No database, a damaged hub, a hub that is gone with its directory, two sides that are one file, an empty spoke.
    std::fs::write(world.file("website", "n07"), b"this is no database, however long it is looked at")
        .unwrap();
    std::fs::write(world.file("central", "n13"), b"this is no database either").unwrap();
    let mut world = world;
    world.json["databases"]["n21"]["replicas"]["central"] = json!(world.root().join("gone/n21.db"));
    std::fs::remove_file(world.file("website", "n30")).unwrap();
    std::fs::hard_link(world.file("bot", "n30"), world.file("website", "n30")).unwrap();
    std::fs::write(world.file("website", "n42"), b"").unwrap();

    let report = world.sync();
    assert_eq!(names(&report).len(), 50);
    assert_eq!(report["ok"], json!(false), "{report:#}");
    let other: Vec<(String, String)> = names(&report)
        .into_iter()
        .map(|name| (name.clone(), report["databases"][&name]["state"].as_str().unwrap().to_owned()))
        .filter(|(_, state)| state != "synced")
        .collect();
    let want = [("n07", "quarantined"), ("n13", "quarantined"), ("n21", "skipped"), ("n30", "failed")];
    assert_eq!(other, want.map(|(name, state)| (name.to_owned(), state.to_owned())), "{report:#}");
    for n in (0..50).filter(|n| ![13, 21, 30].contains(n)) {
        let sides = if n == 7 { vec!["bot", "central"] } else { vec!["bot", "central", "website"] };
        for side in sides {
            let rows = query(&open(&world.file(side, &format!("n{n:02}"))), "SELECT count(*), max(v) FROM t");
            assert_eq!(format!("{:?}", rows.rows), format!("[[2, {}]]", n.max(1)), "{side} n{n:02}");
        }
    }
    assert_eq!(std::fs::read(world.file("central", "n13")).unwrap(), b"this is no database either");
}

#[test]
fn patterns_choose_databases() {
    let world = fifty();
    for (patterns, want) in [
        (&["n07"][..], 1),
        (&["n0?"][..], 10),
        (&["*7"][..], 5),
        (&["n4*", "n?2"][..], 14),
        (&["n1*", "n1*"][..], 10),
        (&["*"][..], 50),
    ] {
        let options = Options { mode: Mode::DryRun, ..chosen(patterns) };
        let report = world.run(&options).unwrap();
        assert_eq!(names(&report).len(), want, "{patterns:?}");
        assert_eq!(
            names(&seen(database::status(&world.config(), &options, database::Detail::Summary).unwrap()))
                .len(),
            want
        );
    }
    let error = world.run(&chosen(&["n01", "x*"])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.message().contains("x*"), "{error}");
    assert!(!world.root().join("sync_state").exists(), "nothing was touched");

    open(&world.file("bot", "n01")).execute_batch("INSERT INTO t VALUES('new', 1)").unwrap();
    open(&world.file("bot", "n02")).execute_batch("INSERT INTO t VALUES('new', 1)").unwrap();
    let report = world.run(&chosen(&["n*1"])).unwrap();
    assert_eq!(names(&report), ["n01", "n11", "n21", "n31", "n41"]);
    let count = |name: &str| {
        format!("{:?}", query(&open(&world.file("central", name)), "SELECT count(*) FROM t").rows)
    };
    assert_eq!(
        (count("n01"), count("n02")),
        ("[[2]]".to_owned(), "[[1]]".to_owned()),
        "only what was chosen"
    );
}
