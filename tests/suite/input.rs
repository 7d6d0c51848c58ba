//! Bad input: each file and each configuration that is not what it should be gets a clear word, and the rest goes on.
//!
//! Apart from `owners`, where the files are fine. A second, healthy database must be synced in every case.

use std::fs;
use std::path::Path;

use cr0sync::database::{Force, Options};
use cr0sync::{Config, ErrorKind};
use serde_json::{Value, json};

use crate::common::{World, check, check_side, open, options, scratch};

/// A world with a healthy database beside the one on trial, both with an edit waiting.
fn worlds() -> World {
    let mut world = World::two();
    world.add_database("healthy");
    for name in ["d", "healthy"] {
        for side in ["bot", "central"] {
            open(&world.file(side, name))
                .execute_batch("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('old', 1)")
                .unwrap();
        }
    }
    assert_eq!(world.sync()["ok"], true);
    for name in ["d", "healthy"] {
        for side in ["bot", "central"] {
            let sql = format!("INSERT INTO t VALUES('{side}', 1)");
            open(&world.file(side, name)).execute_batch(&sql).unwrap();
        }
    }
    world
}

fn reason(report: &Value) -> String {
    let one = &report["databases"]["d"];
    format!("{} {} {}", one["reason"].as_str().unwrap_or_default(), one["warnings"], one["sides"])
}

fn healthy(world: &World) {
    for side in ["bot", "central"] {
        let rows = crate::common::query(&open(&world.file(side, "healthy")), "SELECT k FROM t").rows;
        assert_eq!(rows.len(), 3, "the healthy database was not synced on {side}");
    }
}

#[test]
fn a_missing_file_is_created() {
    for side in ["bot", "central"] {
        let world = worlds();
        fs::remove_file(world.path(side)).unwrap();
        let report = world.sync();
        assert_eq!(report["ok"], true, "{report:#}");
        healthy(&world);
        // What the lost file had told nobody is gone with it; nothing else is.
        let other = if side == "bot" { "central" } else { "bot" };
        for at in ["bot", "central"] {
            let mut want = [format!("'{other}'"), "'old'".to_owned()];
            want.sort();
            assert_eq!(world.lines(at, "SELECT k FROM t"), want, "{at} after {side} was lost");
        }
    }
}

#[test]
fn no_file_at_all_is_said() {
    let world = World::two();
    let report = world.sync();
    assert_ne!(report["databases"]["d"]["state"], "synced", "{report:#}");
    assert!(!world.path("bot").exists() && !world.path("central").exists());
}

#[test]
fn zero_bytes_are_filled() {
    for side in ["bot", "central"] {
        let world = worlds();
        fs::write(world.path(side), b"").unwrap();
        let report = world.sync();
        assert_eq!(report["ok"], true, "{report:#}");
        let told = report["databases"]["d"]["warnings"][0].as_str().unwrap();
        assert!(told.starts_with(&format!("{side} had no bytes; it was filled")), "{told}");
        healthy(&world);
        let other = if side == "bot" { "central" } else { "bot" };
        for at in ["bot", "central"] {
            let rows = world.lines(at, "SELECT k FROM t");
            assert!(
                rows.contains(&"'old'".to_owned()) && rows.contains(&format!("'{other}'")),
                "{at}: {rows:?}"
            );
        }
    }
}

#[test]
fn what_is_not_a_database_is_quarantined() {
    for side in ["bot", "central"] {
        for bytes in
            [b"this is not a database, just some text that is long enough".repeat(100), vec![0x5a; 4096]]
        {
            let world = worlds();
            fs::write(world.path(side), &bytes).unwrap();
            let report = world.sync();
            assert_eq!(report["databases"]["d"]["state"], "quarantined", "{report:#}");
            assert!(reason(&report).contains(side), "{report:#}");
            assert_eq!(fs::read(world.path(side)).unwrap(), bytes, "a foreign file was written");
            healthy(&world);
        }
    }
}

#[test]
fn a_torn_database_is_quarantined() {
    let world = worlds();
    {
        let db = world.open("bot");
        db.execute_batch(
            "CREATE TABLE big(x); WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
             INSERT INTO big SELECT randomblob(100) FROM n",
        )
        .unwrap();
    }
    let mut bytes = fs::read(world.path("bot")).unwrap();
    let end = bytes.len();
    bytes[4096..end].fill(0x5a);
    fs::write(world.path("bot"), &bytes).unwrap();
    let report = world.sync();
    assert_eq!(report["databases"]["d"]["state"], "quarantined", "{report:#}");
    assert_eq!(fs::read(world.path("bot")).unwrap(), bytes);
    healthy(&world);
}

/// A directory in the file's place stands for what cannot be read: root may read everything else.
#[test]
fn what_cannot_be_opened_is_skipped() {
    for side in ["bot", "central"] {
        let world = worlds();
        fs::remove_file(world.path(side)).unwrap();
        fs::create_dir(world.path(side)).unwrap();
        let report = world.sync();
        let state = report["databases"]["d"]["state"].as_str().unwrap();
        assert!(["skipped", "failed", "synced", "unchanged", "quarantined"].contains(&state), "{report:#}");
        assert!(reason(&report).contains(side), "{report:#}");
        assert!(world.path(side).is_dir());
        healthy(&world);
    }
}

#[test]
fn a_missing_directory_is_not_a_missing_file() {
    let world = worlds();
    let away = world.root().join("away");
    fs::rename(world.path("bot").parent().unwrap(), &away).unwrap();
    let report = world.sync();
    assert_eq!(report["ok"], true, "{report:#}");
    assert!(reason(&report).contains("bot"), "{report:#}");
    assert!(!world.path("bot").exists());
    fs::rename(&away, world.path("bot").parent().unwrap()).unwrap();
    world.sync();
    healthy(&world);
    check_side(&world, "bot", "SELECT k FROM t", &["'bot'", "'central'", "'old'"]);
    check_side(&world, "central", "SELECT k FROM t", &["'bot'", "'central'", "'old'"]);
}

#[test]
fn one_file_on_two_sides_fails() {
    for link in [
        (|from: &Path, to: &Path| std::os::unix::fs::symlink(from, to))
            as fn(&Path, &Path) -> std::io::Result<()>,
        |from, to| fs::hard_link(from, to),
    ] {
        let world = worlds();
        fs::remove_file(world.path("bot")).unwrap();
        link(&world.path("central"), &world.path("bot")).unwrap();
        let before = world.dump("central");
        let report = world.sync();
        assert_eq!(report["databases"]["d"]["state"], "failed", "{report:#}");
        assert_eq!(report["ok"], false, "{report:#}");
        let why = reason(&report);
        assert!(
            why.contains("same file") || why.contains("same inode") || why.contains("hard link"),
            "{why}"
        );
        assert_eq!(world.dump("central"), before);
        healthy(&world);
    }
}

#[test]
fn an_emptied_database_deletes_nothing() {
    let world = World::two().start(
        "CREATE TABLE t(k INTEGER PRIMARY KEY, x); \
         WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO t SELECT i, i FROM n",
    );
    world.edit("bot", "DELETE FROM t WHERE k <= 190");
    let report = world.sync();
    assert_eq!(report["databases"]["d"]["state"], "held", "{report:#}");
    assert!(reason(&report).contains('t'), "{report:#}");
    check_side(&world, "central", "SELECT count(*) FROM t", &["200"]);
    world.edit("bot", "DROP TABLE t");
    let report = world.sync();
    assert_eq!(report["databases"]["d"]["state"], "held", "{report:#}");
    assert!(reason(&report).contains("bot has no table left"), "{report:#}");
    check_side(&world, "central", "SELECT count(*) FROM t", &["200"]);
}

/// What is meant is done when a person says so, and only then.
#[test]
fn a_held_deletion_waits_for_force() {
    let world = World::two().start(
        "CREATE TABLE t(k INTEGER PRIMARY KEY, x); CREATE TABLE o(k TEXT PRIMARY KEY); \
         WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t SELECT i, i FROM n",
    );
    world.edit("bot", "DELETE FROM t WHERE k <= 50; INSERT INTO o VALUES('bot')");
    let report = world.sync();
    assert_eq!(report["databases"]["d"]["state"], "synced", "half is not more than half: {report:#}");
    world.edit_all("WITH n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 1099) INSERT INTO t SELECT i, i FROM n");
    world.sync();
    world.edit("bot", "DELETE FROM t WHERE k >= 1000; INSERT INTO o VALUES('more')");
    world.edit("central", "UPDATE t SET x = 'kept' WHERE k = 1000");
    for _ in 0..2 {
        let report = world.sync();
        assert_eq!(report["databases"]["d"]["state"], "held", "{report:#}");
        assert!(reason(&report).contains("--force"), "{report:#}");
        check_side(&world, "central", "SELECT count(*) FROM t", &["150"]);
        check_side(&world, "central", "SELECT k FROM o", &["'bot'"]);
    }
    let report = world.run(&Options { force: Force::Yes, ..options() }).unwrap();
    assert_eq!(report["databases"]["d"]["state"], "synced", "{report:#}");
    check(&world, "SELECT count(*), max(x = 'kept') FROM t", &["51 1"]);
}

/// A file under two names would get two journals.
#[test]
fn hard_links_are_refused() {
    let world = worlds();
    world.edit("bot", "INSERT INTO t VALUES('linked', 1)");
    let link = world.root().join("other-name.db");
    fs::hard_link(world.path("bot"), &link).unwrap();
    let report = world.sync();
    assert!(reason(&report).contains("hard links"), "{report:#}");
    healthy(&world);
    fs::remove_file(link).unwrap();
    world.sync();
    assert_eq!(world.dump("bot"), world.dump("central"));
}

/// Each configuration and words that its error must contain.
#[test]
fn configurations_that_make_no_sense() {
    let one = |extra: Value| {
        let mut all =
            json!({ "hub": "a", "databases": { "d": { "replicas": { "a": "/x/a.db", "b": "/x/b.db" } } } });
        for (name, value) in extra.as_object().unwrap() {
            all[name] = value.clone();
        }
        all
    };
    let table = |policy: Value| {
        one(
            json!({ "databases": { "d": { "replicas": { "a": "/x/a.db", "b": "/x/b.db" }, "tables": { "t": policy } } } }),
        )
    };
    let cases: Vec<(Value, &[&str])> = vec![
        (one(json!({ "hubb": "a" })), &["hubb"]),
        (one(json!({ "hub": 5 })), &["hub"]),
        (one(json!({ "hub": "c" })), &["hub"]),
        (one(json!({ "version": 99 })), &["version"]),
        (one(json!({ "guards": { "max_delete_percent": "many" } })), &["guards", "max_delete_percent"]),
        (one(json!({ "guards": { "nope": 1 } })), &["guards", "nope"]),
        (one(json!({ "databases": { "d": { "replicas": { "a": "/x/a.db" } } } })), &["databases", "d"]),
        (
            one(
                json!({ "databases": { "d": { "replicas": { "a": "/x/a.db", "b": "/x/b.db" }, "prefer": ["c"] } } }),
            ),
            &["prefer"],
        ),
        (
            one(
                json!({ "databases": { "d": { "replicas": { "a": "/x/a.db", "b": "/x/b.db" }, "schema": "some" } } }),
            ),
            &["schema"],
        ),
        (table(json!({ "columns": { "x": "plus" } })), &["tables", "t", "x"]),
        (table(json!({ "columns": { "x": 1 } })), &["tables", "t", "x"]),
        (table(json!({ "colums": {} })), &["tables", "t", "colums"]),
        (table(json!({ "identity": "k" })), &["tables", "t", "identity"]),
        (table(json!({ "references": { "uid": "users" } })), &["tables", "t", "uid"]),
        (table(json!({ "on_delete_update": "maybe" })), &["tables", "t", "on_delete_update"]),
        (table(json!({ "append_only": "yes" })), &["tables", "t", "append_only"]),
    ];
    for (json, words) in cases {
        let error =
            Config::parse(json.to_string().as_bytes(), Path::new("/x"), None).expect_err(&json.to_string());
        assert_eq!(error.kind(), ErrorKind::Config, "{json}");
        for word in words {
            assert!(error.to_string().contains(word), "{json}: {error}");
        }
    }
    for text in ["", "{", "[]", "null", "{\"hub\": \"a\",}"] {
        let error = Config::parse(text.as_bytes(), Path::new("/x"), None).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Config, "{text}");
    }
}

/// A policy of the user's that does not fit the schema is an error of that database alone.
#[test]
fn a_policy_for_a_missing_column_is_said() {
    let mut world = worlds();
    world.json["databases"]["d"]["tables"] = json!({ "t": { "columns": { "nope": "sum" } } });
    let report = world.sync();
    assert_eq!(report["databases"]["d"]["state"], "failed", "{report:#}");
    assert!(reason(&report).contains("nope"), "{report:#}");
    healthy(&world);
}

#[test]
fn the_defaults_need_no_file() {
    let dir = scratch();
    let config = Config::load(None, Some(dir.path())).unwrap();
    assert_eq!(config.hub, "central");
    let bot = &config.databases["rizon_bot"].replicas;
    assert_eq!(bot.keys().collect::<Vec<_>>(), ["bot", "central", "website"]);
    assert!(config.databases.contains_key("users"));
    let error = Config::load(Some(&dir.path().join("none.json")), None).expect_err("a named file must exist");
    assert!(error.to_string().contains("none.json"), "{error}");
}

/// A file that is missing because its disk is: nothing is made in the empty directory below, and nothing is deleted.
#[test]
fn a_missing_mount_is_not_a_missing_file() {
    for side in ["bot", "central"] {
        let world = worlds();
        let directory = world.path(side).parent().unwrap().to_path_buf();
        let away = world.root().join("away");
        fs::create_dir(&away).unwrap();
        let mount = |what: &str| {
            std::process::Command::new(what)
                .args(if what == "mount" { vec!["-t", "tmpfs", "none"] } else { vec![] })
                .arg(&directory)
                .output()
                .is_ok_and(|output| output.status.success())
        };
        // The files move onto a disk of their own, and are seen there.
        let files: Vec<_> = fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path()).collect();
        for file in &files {
            fs::rename(file, away.join(file.file_name().unwrap())).unwrap();
        }
        if !mount("mount") {
            println!("skipped: nothing can be mounted here");
            return;
        }
        for file in &files {
            fs::copy(away.join(file.file_name().unwrap()), file).unwrap();
        }
        world.sync();
        let before = world.dump(side);
        let copies: Vec<(_, Vec<u8>)> = files.iter().map(|file| (file, fs::read(file).unwrap())).collect();
        assert!(mount("umount"));
        let report = world.sync();
        assert!(reason(&report).contains("is a mount missing?"), "{side}: {report:#}");
        assert_eq!(
            fs::read_dir(&directory).unwrap().count(),
            0,
            "{side}: something was made below the mount"
        );
        assert!(mount("mount"));
        for (file, bytes) in copies {
            fs::write(file, bytes).unwrap();
        }
        world.sync();
        let after = world.dump(side);
        assert!(mount("umount"));
        assert_eq!(before, after, "{side}");
    }
}
