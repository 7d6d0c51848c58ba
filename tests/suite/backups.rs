//! Backups: where they lie and whose they are, that they are sound, which of them go, and the way back into a file
//! that others have open.
//!
//! Apart from `acts`, which tells of runs. Which ones a policy keeps is told by the tables beside the policy itself.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use cr0sync::ErrorKind;
use cr0sync::database::{self, Force, Mode, Options, Target};
use serde_json::{Value, json};

use crate::common::{World, assert_settled, differences, dump, open, options, query, seen};

pub(super) const TABLE: &str = "CREATE TABLE t(k TEXT PRIMARY KEY, x); CREATE INDEX t_x ON t(x);
    INSERT INTO t VALUES('ann', 1), ('bob', 2), ('cid', 3)";

pub(super) fn backup(world: &World) -> Value {
    let report = database::backup(&world.config(), &options()).unwrap();
    assert_eq!(report.exit_code(), if report.ok { 0 } else { 2 });
    seen(report)
}

pub(super) fn backups(world: &World) -> Vec<Value> {
    seen(database::backups(&world.config(), &options()).unwrap())["backups"].as_array().unwrap().clone()
}

fn clean(world: &World, mode: Mode) -> Value {
    seen(database::clean_backups(&world.config(), &Options { mode, ..options() }).unwrap())
}

pub(super) fn restore(world: &World, id: &str, target: &Target) -> cr0sync::Result<Value> {
    database::restore(&world.config(), id, target, &options()).map(seen)
}

pub(super) fn side(name: &str) -> Target {
    Target::Side(name.to_owned())
}

/// The path of the only backup of a side that `backup` made.
pub(super) fn path_of(report: &Value, side: &str) -> PathBuf {
    let all = report["backups"].as_array().unwrap();
    let one = all.iter().find(|one| one["side"] == side).unwrap_or_else(|| panic!("{report:#}"));
    PathBuf::from(one["path"].as_str().unwrap())
}

pub(super) fn id_of(report: &Value, side: &str) -> String {
    let all = report["backups"].as_array().unwrap();
    all.iter().find(|one| one["side"] == side).unwrap()["id"].as_str().unwrap().to_owned()
}

/// Everything below a directory with its bytes.
pub(super) fn files(below: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push((path.clone(), fs::read(&path).unwrap_or_default())),
        }
    }
    found.sort();
    found
}

/// Holds the same rows as a side does.
pub(super) fn assert_same(world: &World, side: &str, copy: &Path) {
    let lines = differences("copy", &dump(&open(copy)), side, &world.dump(side));
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

#[test]
fn every_side_gets_a_verified_copy_in_its_place() {
    let world = World::three().start(TABLE);
    let report = backup(&world);
    assert_eq!(
        (&report["schema"], &report["ok"], &report["warnings"]),
        (&json!(1), &json!(true), &json!([]))
    );
    for (side, directory) in [
        ("bot", world.root().join("databases/backups/bot")),
        ("central", world.path("central").parent().unwrap().to_owned()),
        ("website", world.root().join("databases/backups/website")),
    ] {
        let path = path_of(&report, side);
        assert_eq!(path.parent().unwrap(), directory, "{side}");
        let name = path.file_name().unwrap().to_str().unwrap();
        let time = name.strip_prefix("d.db.backup.").unwrap();
        assert_eq!(time.len(), "2025-07-14_09-31-02".len(), "{name}");
        assert_eq!(id_of(&report, side), format!("d:{side}:{time}"));
        assert_same(&world, side, &path);
        let latest = directory.join("d.db.backup.latest");
        assert_eq!(fs::read_link(&latest).unwrap(), Path::new(name));
        assert_eq!(
            fs::metadata(&path).unwrap().mode() & 0o777,
            0o640,
            "the source is 0644, others are left out"
        );
    }
    for one in report["backups"].as_array().unwrap() {
        assert_eq!(one["verified"], true);
        assert!(one["bytes"].as_u64().unwrap() > 0 && one["created_at"].as_str().unwrap().ends_with("Z"));
        assert!(one["kept_because"].as_array().unwrap().contains(&json!("the newest verified one")), "{one}");
        let keys: Vec<&String> = one.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            ["id", "database", "side", "path", "created_at", "bytes", "verified", "kept_because"]
        );
    }
    assert_eq!(backups(&world), *report["backups"].as_array().unwrap());
    assert_settled(&world);
}

#[test]
fn two_in_one_second_are_two() {
    let world = World::two().start(TABLE);
    for _ in 0..3 {
        assert_eq!(backup(&world)["ok"], true);
    }
    let all = backups(&world);
    assert_eq!(all.len(), 6, "{all:#?}");
    assert!(all.iter().all(|one| one["verified"] == true), "{all:#?}");
}

#[test]
fn a_copy_has_what_is_still_in_the_wal_and_is_one_file() {
    let world = World::two();
    world.edit_all("PRAGMA journal_mode = WAL");
    let world = world.start(TABLE);
    let owner = world.open("bot");
    owner.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES('dan', 4)").unwrap();
    let path = path_of(&backup(&world), "bot");
    let copy = open(&path);
    assert_eq!(query(&copy, "SELECT count(*) FROM t").rows, query(&owner, "SELECT 4").rows);
    assert_eq!(query(&copy, "PRAGMA journal_mode").rows, query(&owner, "SELECT 'delete'").rows);
    drop(copy);
    assert!(
        fs::metadata(world.path("bot").with_file_name("d.db-wal")).unwrap().len() > 0,
        "nothing was checkpointed"
    );
}

#[test]
fn all_go_to_one_directory_when_it_is_named() {
    let mut world = World::two();
    world.json["backups"] = json!({ "directory": "saved" });
    let world = world.start(TABLE);
    let report = backup(&world);
    for side in ["bot", "central"] {
        assert_eq!(path_of(&report, side).parent().unwrap(), world.root().join("saved").join(side));
    }
    assert_eq!(backups(&world).len(), 2);
}

#[test]
fn what_others_put_in_the_way_is_not_replaced() {
    let world = World::two().start(TABLE);
    let latest = world.path("central").with_file_name("d.db.backup.latest");
    fs::write(&latest, "mine").unwrap();
    let report = backup(&world);
    assert_eq!(report["ok"], true);
    assert!(report["warnings"][0].as_str().unwrap().contains("not a symlink"), "{report:#}");
    assert_eq!(fs::read_to_string(&latest).unwrap(), "mine");
}

#[test]
fn a_side_that_cannot_be_copied_stops_no_other() {
    let world = World::three().start(TABLE);
    fs::remove_file(world.path("bot")).unwrap();
    let report = backup(&world);
    assert_eq!((report["ok"].as_bool(), report["backups"].as_array().unwrap().len()), (Some(true), 2));
    assert!(report["warnings"][0].as_str().unwrap().contains("d on bot has no database yet"), "{report:#}");
    fs::write(world.path("bot"), vec![b'x'; 5000]).unwrap();
    let report = backup(&world);
    assert_eq!((report["ok"].as_bool(), report["backups"].as_array().unwrap().len()), (Some(false), 2));
    assert!(report["warnings"][0].as_str().unwrap().contains("is not a database"), "{report:#}");
}

/// A page in the middle is not what it was.
pub(super) fn damage(path: &Path) {
    use std::io::{Seek, Write};
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(std::io::SeekFrom::Start(4096)).unwrap();
    file.write_all(&[0x5a; 4096]).unwrap();
}

#[test]
fn a_damaged_source_gets_no_backup() {
    let world = World::two().start(TABLE);
    damage(&world.path("bot"));
    let before = files(&world.root());
    let report = backup(&world);
    assert_eq!(report["ok"], false);
    assert!(report["warnings"][0].as_str().unwrap().contains("cannot make a sound backup"), "{report:#}");
    let made: Vec<PathBuf> =
        files(&world.root().join("databases")).into_iter().map(|(path, _)| path).collect();
    assert!(made.is_empty(), "{made:?} {}", before.len());
}

#[test]
fn a_dry_run_makes_nothing() {
    let world = World::two();
    world.edit_all(TABLE);
    let dry = Options { mode: Mode::DryRun, ..options() };
    let report = seen(database::backup(&world.config(), &dry).unwrap());
    assert_eq!(report["warnings"].as_array().unwrap().len(), 2, "{report:#}");
    assert!(files(&world.root()).is_empty());
}

#[test]
fn copies_belong_to_the_owner_of_the_source() {
    let world = World::two().start(TABLE);
    if fs::metadata(world.path("bot")).unwrap().uid() != 0 {
        println!("skipped: only root can give files away");
        return;
    }
    std::os::unix::fs::chown(world.path("bot"), Some(65_534), Some(65_533)).unwrap();
    for (mode, expected) in [(0o666, 0o660), (0o640, 0o640), (0o600, 0o600), (0o444, 0o640)] {
        fs::set_permissions(world.path("bot"), fs::Permissions::from_mode(mode)).unwrap();
        let file = fs::metadata(path_of(&backup(&world), "bot")).unwrap();
        assert_eq!((file.uid(), file.gid(), file.mode() & 0o7777), (65_534, 65_533, expected), "{mode:o}");
    }
    let link = world.root().join("databases/backups/bot/d.db.backup.latest");
    assert_eq!(fs::symlink_metadata(link).unwrap().uid(), 65_534);
    let directory = fs::metadata(world.root().join("databases/backups/bot")).unwrap();
    assert_eq!(directory.mode() & 0o777, 0o750, "dir_mode is 0755, others are left out");
}

#[test]
fn a_full_disk_gets_no_backup() {
    let disk = tempfile::tempdir().unwrap();
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(disk.path()).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        println!("skipped: a small disk cannot be mounted here");
        return;
    }
    let mut world = World::two();
    world.json["backups"] = json!({ "directory": disk.path() });
    world.json["guards"]["min_free_percent"] = json!(5);
    let world = world.start(TABLE);
    let full = {
        world.edit("bot", "CREATE TABLE big(x); INSERT INTO big VALUES (zeroblob(1000000))");
        backup(&world)
    };
    let left = fs::read_dir(disk.path().join("bot")).unwrap().count();
    let tight = {
        let mut world = world;
        world.edit("bot", "DROP TABLE big; VACUUM");
        world.json["guards"]["min_free_percent"] = json!(99);
        backup(&world)
    };
    Command::new("umount").arg(disk.path()).status().unwrap();
    assert_eq!((full["ok"].as_bool(), full["backups"].as_array().unwrap().len()), (Some(false), 1));
    let warning = full["warnings"][0].as_str().unwrap();
    assert!(warning.contains("1 MiB would leave less than 5 percent of the disk free"), "{warning}");
    assert!(warning.contains("guards.min_free_percent"), "{warning}");
    assert_eq!(left, 0, "something was left of the attempt");
    assert_eq!(
        (tight["ok"].as_bool(), tight["backups"].as_array().unwrap().len()),
        (Some(false), 0),
        "{tight:#}"
    );
}

#[test]
fn damage_is_found_by_verify_and_refused_by_restore() {
    let world = World::two().start(TABLE);
    let report = backup(&world);
    let verified = database::verify(&world.config(), &options()).unwrap();
    assert_eq!((verified.ok, verified.exit_code()), (true, 0), "{verified:#?}");
    let ids: Vec<String> = verified.checked.iter().map(|one| one.id.clone()).collect();
    let (bot, central) = (id_of(&report, "bot"), id_of(&report, "central"));
    let others = ["base", "agreement", "live"]
        .into_iter()
        .flat_map(|what| [format!("d:bot:{what}"), format!("d:central:{what}")]);
    let expected: Vec<String> =
        [bot.clone(), central, "state".to_owned()].into_iter().chain(others).collect();
    assert_eq!(ids, expected);

    damage(&path_of(&report, "bot"));
    let stale: Vec<bool> = backups(&world).iter().map(|one| one["verified"].as_bool().unwrap()).collect();
    assert_eq!(stale, [false, true], "what changed is no longer called verified");
    let verified = database::verify(&world.config(), &options()).unwrap();
    assert_eq!((verified.ok, verified.exit_code()), (false, 2));
    let bad: Vec<&str> = verified.checked.iter().filter(|one| !one.ok).map(|one| one.id.as_str()).collect();
    assert_eq!(bad, [bot.as_str()]);

    let before = files(world.path("bot").parent().unwrap());
    for mode in [Mode::DryRun, Mode::Apply] {
        let options = Options { mode, force: Force::Yes, ..options() };
        let error =
            database::restore(&world.config(), &bot, &Target::Own, &options).expect_err("it is damaged");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    assert_eq!(files(world.path("bot").parent().unwrap()), before);
    assert_settled(&world);
}

/// A base that tells something else than the others is found, whatever table it is in, and how to go on is said.
#[test]
fn verify_proves_that_what_is_remembered_agrees() {
    let world = World::two();
    let world = world.start(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, n TEXT UNIQUE, x); CREATE TABLE bag(x);
         CREATE TABLE w(k TEXT PRIMARY KEY, x) WITHOUT ROWID;
         INSERT INTO t(n) VALUES('a'), ('b'); INSERT INTO bag VALUES(1), (1), (2); INSERT INTO w VALUES('k', 1)",
    );
    let base = || {
        let bases = fs::read_dir(world.root().join("sync_state/bases")).unwrap();
        let base = bases.map(|e| e.unwrap().path()).find(|p| p.to_str().unwrap().contains("d@central@"));
        rusqlite::Connection::open(base.unwrap()).unwrap()
    };
    for (table, sql, back) in [
        ("t", "UPDATE t SET x = 1 WHERE n = 'a'", "UPDATE t SET x = NULL"),
        ("t", "UPDATE t SET id = 9 WHERE n = 'b'", "UPDATE t SET id = 2 WHERE id = 9"),
        ("bag", "DELETE FROM bag WHERE x = 2", "INSERT INTO bag VALUES(2)"),
        ("bag", "UPDATE bag SET x = 2 WHERE rowid = 1", "UPDATE bag SET x = 1 WHERE rowid = 1"),
        ("w", "INSERT INTO w VALUES('new', 1)", "DELETE FROM w WHERE k = 'new'"),
    ] {
        base().execute_batch(sql).unwrap();
        let verified = database::verify(&world.config(), &options()).unwrap();
        let bad: Vec<_> = verified.checked.iter().filter(|one| !one.ok).collect();
        assert_eq!(bad.len(), 1, "{sql}: {verified:#?}");
        assert_eq!(bad[0].id, "d:central:agreement", "{sql}");
        let problem = bad[0].problem.clone().unwrap();
        assert!(problem.contains(&format!("{table} (")) && problem.contains(" from bot)"), "{problem}");
        base().execute_batch(back).unwrap();
        assert!(database::verify(&world.config(), &options()).unwrap().ok, "{back}");
    }
    world.edit("bot", "INSERT INTO bag VALUES(3)");
    let verified = database::verify(&world.config(), &options()).unwrap();
    assert!(verified.ok);
    assert!(
        verified
            .warnings
            .iter()
            .any(|line| line == "d: bot holds what was not merged yet, or is held, in bag"),
        "{:?}",
        verified.warnings
    );
    world.sync();
    assert_settled(&world);
}

#[test]
fn cleaning_says_why_and_removes_no_more() {
    let mut world = World::two();
    world.json["backups"] = json!({ "keep_within_hours": 0, "keep_hourly": 0, "keep_daily": 2, "keep_weekly": 0,
        "keep_min": 1 });
    let world = world.start(TABLE);
    let made = path_of(&backup(&world), "central");
    let directory = made.parent().unwrap();
    for time in ["2025-01-01_10-00-00", "2025-01-01_09-00-00", "2024-12-31_10-00-00", "2095-01-01_00-00-00"] {
        fs::copy(&made, directory.join(format!("d.db.backup.{time}"))).unwrap();
    }
    fs::write(directory.join("d.db.backup.notes"), "mine").unwrap();
    let before = files(directory);
    let dry = clean(&world, Mode::DryRun);
    assert_eq!(files(directory), before);
    let real = clean(&world, Mode::Apply);
    assert_eq!(dry, real);
    let words = |list: &Value, key: &str| -> Vec<String> {
        let of_central = list.as_array().unwrap().iter().filter(|one| one["side"] == "central");
        of_central
            .map(|one| {
                let date: String = one["created_at"].as_str().unwrap().chars().take(13).collect();
                format!("{date} {}", one[key])
            })
            .collect()
    };
    let kept = words(&real["kept"], "kept_because");
    assert_eq!(kept.len(), 3, "{real:#}");
    assert_eq!(kept[0], r#"2095-01-01T00 ["dated in the future"]"#);
    assert!(
        kept[1].ends_with(r#"["the newest verified one","among the newest 1","the newest of its day"]"#),
        "{kept:?}"
    );
    assert_eq!(kept[2], r#"2025-01-01T10 ["the newest of its day"]"#);
    assert_eq!(
        words(&real["removed"], "removed_because"),
        [r#"2025-01-01T09 "no rule keeps it""#, r#"2024-12-31T10 "no rule keeps it""#]
    );
    assert_eq!(real["freed_bytes"].as_u64().unwrap(), 2 * fs::metadata(&made).unwrap().len());
    assert_eq!(files(directory).len(), before.len() - 2);
    assert!(directory.join("d.db.backup.notes").exists());
    assert_eq!(clean(&world, Mode::Apply)["removed"], json!([]));
}

#[test]
fn a_run_copies_before_it_writes_and_never_when_quiet() {
    let world = World::two().start(TABLE);
    assert_eq!(backups(&world).len(), 0, "nothing was written");
    world.edit("bot", "INSERT INTO t VALUES('dan', 4)");
    world.sync();
    let all = backups(&world);
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(all[0]["side"], "central");
    let copy = open(Path::new(all[0]["path"].as_str().unwrap()));
    assert_eq!(query(&copy, "SELECT k FROM t WHERE k = 'dan'").rows.len(), 0);
    world.edit("bot", "INSERT INTO t VALUES('eve', 4)");
    world.sync();
    for _ in 0..3 {
        world.sync();
    }
    assert_eq!(backups(&world).len(), 1);
}
