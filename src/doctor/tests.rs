//! Broken worlds: each finding appears, and is gone when what it says is done.
//!
//! Root is the cron user here, and `daemon` a real user for the website's pages; only root can make such a world.

mod broken;
mod world;

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;

use super::*;
use crate::database::{self, Options};
use crate::durable;
use crate::{integrity, security};
use broken::BROKEN;
use world::{DAY, World, give, is_possible, mode, obey};

#[test]
fn a_world_that_is_well_has_no_finding() {
    if !is_possible() {
        return;
    }
    let world = World::new();
    let report = world.look();
    assert_eq!(world.wrong(), []);
    let checks: std::collections::BTreeSet<&str> = report.findings.iter().map(|one| one.check).collect();
    let all = [
        "access",
        "backups",
        "clock",
        "conflicts",
        "cron",
        "databases",
        "filesystems",
        "locks",
        "logs",
        "queue",
        "scripts",
        "security",
        "space",
        "sqlite",
        "state",
        "versions",
    ];
    assert_eq!(checks.into_iter().collect::<Vec<_>>(), all);
}

#[test]
fn rights_that_are_missing_are_told_with_the_command_that_gives_them() {
    if !is_possible() {
        return;
    }
    let world = World::new();
    let other = durable::group_numbered("daemon").unwrap() + 1;
    let journal = |side: &str| PathBuf::from(format!("{}-journal", world.file(side).display()));
    type Breaks<'a> = Box<dyn Fn() + 'a>;
    let table: Vec<(&str, DoctorState, &str, Option<&str>, Breaks<'_>)> = vec![
        (
            "access",
            DoctorState::Problem,
            "make files in it",
            Some("website"),
            Box::new(|| mode(&world.root.join("web/data"), 0o2755)),
        ),
        (
            "access",
            DoctorState::Problem,
            "go through it",
            Some("website"),
            Box::new(|| mode(&world.root.join("web"), 0o2700)),
        ),
        (
            "access",
            DoctorState::Problem,
            "read and write it",
            Some("central"),
            Box::new(|| mode(&world.file("central"), 0o600)),
        ),
        (
            "access",
            DoctorState::Problem,
            "read and write it",
            Some("central"),
            Box::new(|| {
                std::os::unix::fs::chown(world.file("central"), None, Some(other)).unwrap();
                mode(&world.file("central"), 0o660);
            }),
        ),
        (
            "access",
            DoctorState::Problem,
            "read and write it",
            None,
            Box::new(|| {
                fs::write(journal("website"), "").unwrap();
                mode(&journal("website"), 0o600);
            }),
        ),
        (
            "state",
            DoctorState::Warning,
            "everybody",
            None,
            Box::new(|| mode(&world.root.join("sync_state"), 0o3775)),
        ),
        (
            "state",
            DoctorState::Problem,
            "their group may not use it",
            None,
            Box::new(|| mode(&world.root.join("sync_state"), 0o3750)),
        ),
    ];
    for (check, state, word, shut, breaks) in table {
        breaks();
        let all = world.wrong();
        let [one] = &all[..] else { panic!("{word}: {all:?}") };
        assert!(one.check == check && one.state == state && one.what.contains(word), "{one:?}");
        if let Some(side) = shut {
            assert!(!world.pages_can_write(side), "{one:?}");
        }
        obey(one);
        assert_eq!(world.wrong(), [], "{word}");
        for side in ["central", "website"] {
            assert!(world.pages_can_write(side), "{word}");
        }
    }
}

#[test]
fn what_is_broken_is_told_and_no_more_when_it_is_mended() {
    if !is_possible() {
        return;
    }
    let mut world = World::new();
    for (breaks, (check, state, word, remedy), mends) in BROKEN {
        let is_told = |world: &World| {
            let told = |one: &DoctorFinding| {
                one.check == check
                    && one.state == state
                    && one.what.contains(word)
                    && one.remedy.as_ref().is_some_and(|one| one.contains(remedy))
            };
            world.wrong().iter().any(told)
        };
        assert!(!is_told(&world), "{word}");
        breaks(&mut world);
        assert!(is_told(&world), "{word}: {:?}", world.wrong());
        assert_ne!(world.look().exit_code(), 0);
        let is_odd = |one: &DoctorFinding| one.state == DoctorState::Ok && one.what.ends_with(" is problem");
        assert!(!world.look().findings.iter().any(is_odd), "{word}");
        mends(&mut world);
        assert!(!is_told(&world), "{word}: {:?}", world.wrong());
        world.later = 0;
        security::run(&world.config).unwrap();
        world.cron(0);
    }
    assert_eq!(world.wrong(), []);
}

#[test]
fn a_disk_that_is_full_and_a_clock_that_was_set_back_are_told() {
    if !is_possible() {
        return;
    }
    let mut world = World::new();
    let of = |world: &World, check: &str| {
        let all = world.look().findings;
        all.iter().any(|one| one.check == check && one.state == DoctorState::Problem)
    };
    assert!(!of(&world, "space") && !of(&world, "clock"));
    world.config.guards.min_free_percent = 100;
    world.later = -DAY;
    assert!(of(&world, "space") && of(&world, "clock"));
    let told = |one: &DoctorFinding| one.check == "space" && one.what.contains("write databases without one");
    assert!(world.look().findings.iter().any(told), "{:?}", world.look());
    assert_eq!(world.look().exit_code(), 2);
}

#[test]
fn what_nobody_has_yet_is_well_and_a_root_that_is_not_there_is_all_there_is_to_tell() {
    if !is_possible() {
        return;
    }
    let mut world = World::new();
    let mut none = world.config.databases["notes"].clone();
    for path in none.replicas.values_mut() {
        path.set_file_name("none.db");
    }
    world.config.databases.insert("none".to_owned(), none);
    assert_eq!(world.wrong(), []);
    let told = |one: &DoctorFinding| one.what == "no side has one yet of none";
    assert!(world.look().findings.iter().any(told), "{:?}", world.look());
    world.config.root = world.root.join("nowhere");
    let all = world.wrong();
    assert!(matches!(&all[..], [one] if one.check == "root" && one.state == DoctorState::Problem), "{all:?}");
}

/// What comes by itself in the next minute, or is still to be installed, is nothing that does not work.
#[test]
fn a_fresh_installation_has_no_problem() {
    if !is_possible() {
        return;
    }
    let mut world = World::installed();
    let block = std::mem::take(&mut world.crontab);
    let problems = |world: &World| {
        let all = world.wrong().into_iter();
        all.filter(|one| one.state == DoctorState::Problem).collect::<Vec<_>>()
    };
    assert_eq!(problems(&world), []);
    let told = |word: &str| {
        world.wrong().iter().any(|one| one.remedy.as_ref().is_some_and(|one| one.contains(word)))
    };
    assert!(told("install_crontabs.sh"), "{:?}", world.wrong());
    fs::create_dir(world.root.join("sync_state")).unwrap();
    give(&world.root.join("sync_state"));
    mode(&world.root.join("sync_state"), 0o3770);
    world.crontab = block;
    world.sql("central", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)");
    give(&world.file("central"));
    mode(&world.file("central"), 0o664);
    assert_eq!(problems(&world), []);
    let coming = "notes:website is missing; the next run creates it";
    assert!(world.look().findings.iter().any(|one| one.what == coming && one.state == DoctorState::Ok));
    world.sync();
    assert_eq!(problems(&world), []);
}

/// The first run makes what is missing. What a later one does not make it cannot, and each minute says so again.
#[test]
fn a_side_that_no_run_can_make_is_a_problem() {
    if !is_possible() {
        return;
    }
    let world = World::new();
    let told = |word: &str| {
        let is_told = |one: &DoctorFinding| one.state == DoctorState::Problem && one.what.contains(word);
        world.wrong().iter().any(is_told)
    };
    let run = || database::sync(&world.config, &Options::default()).unwrap();
    let journal = PathBuf::from(format!("{}-journal", world.file("website").display()));
    fs::remove_file(world.file("website")).unwrap();
    fs::write(&journal, "x").unwrap();
    let report = run();
    assert_eq!(report.exit_code(), 1, "{report:?}");
    assert!(told("notes:website is not synced: missing"), "{:?}", world.wrong());
    fs::remove_file(&journal).unwrap();
    assert_eq!(run().exit_code(), 0);
    world.sql("central", "UPDATE notes SET text = 'm' WHERE id = 2");
    world.sync();
    assert_eq!(world.wrong(), []);
    // A disk that is not mounted: the directory is there, on another device than it was.
    let state = Connection::open(world.root.join("sync_state/state.db")).unwrap();
    let moved = |by: i64| {
        let sql = "UPDATE replicas SET device = device + ?1 WHERE side = 'website'";
        assert_eq!(state.execute(sql, [by]).unwrap(), 1);
    };
    moved(1);
    let away = world.root.join("away.db");
    fs::rename(world.file("website"), &away).unwrap();
    assert!(told("is a mount missing?"), "{:?}", world.wrong());
    let report = run();
    assert_eq!(report.exit_code(), 1, "{report:?}");
    assert!(told("is a mount missing?") && !world.file("website").exists(), "{:?}", world.wrong());
    fs::rename(&away, world.file("website")).unwrap();
    moved(-1);
    assert_eq!(run().exit_code(), 0);
    assert_eq!(world.wrong(), []);
}

/// What is held can go both ways, and a dry run without force would only say again that it is held.
#[test]
fn what_waits_for_a_person_is_told_with_both_ways_out() {
    if !is_possible() {
        return;
    }
    let told = |world: &World| {
        let all = world.wrong().into_iter().filter(|one| one.what.contains("waits for a person"));
        all.filter_map(|one| one.remedy).collect::<Vec<_>>()
    };
    let world = World::new();
    world.sql("website", "DELETE FROM notes");
    world.sync();
    let all = told(&world);
    let [one] = &all[..] else { panic!("{all:?}") };
    for word in ["--dry-run --force", "bidirectional --force", " backups ", "restore BACKUP --side website"] {
        assert!(one.contains(word), "{word}: {one}");
    }
    let world = World::new();
    let old = fs::read(world.file("website")).unwrap();
    for text in ["b", "c", "d"] {
        world.sql("central", &format!("UPDATE notes SET text = '{text}' WHERE id < 10"));
        world.sync();
    }
    fs::write(world.file("website"), old).unwrap();
    world.sync();
    let all = told(&world);
    let [one] = &all[..] else { panic!("{all:?}") };
    for word in ["--dry-run --force", "bidirectional --force", "move it away with its -wal and -journal"] {
        assert!(one.contains(word), "{word}: {one}");
    }
    assert!(one.contains(&format!("stop what has {} open", world.file("website").display())), "{one}");
}

/// After a `chmod -R`, or a command that root ran; what is said mends it.
#[test]
fn what_pages_share_with_runs_is_named_where_they_are_kept_from_it() {
    if !is_possible() {
        return;
    }
    let world = World::new();
    let state = world.root.join("sync_state");
    for name in ["locks", "events", "queue", "queue/results", "integrity", "events/head"] {
        let path = state.join(name);
        let found = fs::metadata(&path).unwrap();
        let before = std::os::unix::fs::MetadataExt::mode(&found) & 0o7777;
        for roots in [false, true] {
            if roots {
                std::os::unix::fs::chown(&path, Some(0), Some(0)).unwrap();
            }
            mode(&path, if found.is_dir() { 0o2700 } else { 0o600 });
            let named = |one: &DoctorFinding| {
                one.check == "state"
                    && one.state == DoctorState::Problem
                    && one.place.as_deref() == path.to_str()
                    && one.what.contains("so that pages (daemon) cannot ")
            };
            let all = world.wrong();
            let told = all.iter().find(|one| named(one)).unwrap_or_else(|| panic!("{name}: {all:?}"));
            obey(told);
            let now = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap()) & 0o7777;
            assert_eq!(format!("{now:o}"), format!("{before:o}"), "{name}");
            assert!(!world.wrong().iter().any(|one| one.check == "state"), "{name}: {:?}", world.wrong());
        }
    }
}

/// Runs go on without, and only say so.
#[test]
fn a_place_of_backups_that_the_cron_user_cannot_write_to_is_a_problem() {
    let Some(runner) = durable::Account::named("bin").filter(|_| is_possible()) else { return };
    let mut world = World::new();
    let backups = world.root.join("databases/backups");
    let side = backups.join("website");
    mode(&backups, 0o755);
    std::os::unix::fs::chown(&side, Some(0), Some(0)).unwrap();
    mode(&side, 0o755);
    let told = |world: &World| {
        let all = world.wrong().into_iter();
        all.filter(|one| one.what.starts_with("no backup of notes:website can be written: "))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&world), []);
    world.config.ownership.user = runner.name;
    let all = told(&world);
    let [one] = &all[..] else { panic!("{:?}", world.wrong()) };
    assert!(one.check == "backups" && one.state == DoctorState::Problem, "{one:?}");
    assert_eq!(one.place.as_deref(), side.to_str());
    obey(one);
    assert_eq!(told(&world), []);
    // Where it is to be made, it cannot be either.
    fs::remove_dir_all(&backups).unwrap();
    assert_eq!(told(&world).len(), 1, "{:?}", world.wrong());
}

/// Without it nothing is deleted, as nobody knows what was there before; what differs is a conflict.
#[test]
fn a_state_that_is_damaged_is_named_and_made_again_when_it_is_moved_away() {
    if !is_possible() {
        return;
    }
    let world = World::new();
    let state = world.root.join("sync_state/state.db");
    let mut bytes = fs::read(&state).unwrap();
    bytes[4096..].fill(0x5a);
    fs::write(&state, bytes).unwrap();
    let error = database::sync(&world.config, &Options::default()).unwrap_err();
    let hint = error.hint_text().unwrap_or_default();
    assert!(
        error.path() == Some(&state) && hint.contains("move it away, with its -journal"),
        "{error}: {hint}"
    );
    let path = state.display().to_string();
    let named = |one: &DoctorFinding| {
        one.place.as_ref() == Some(&path)
            && one.remedy.as_ref().is_some_and(|one| one.contains("move it away"))
    };
    assert!(world.wrong().iter().any(named), "{:?}", world.wrong());
    fs::rename(&state, world.root.join("sync_state/state.db.damaged")).unwrap();
    world.sql("website", "DELETE FROM notes WHERE id = 1");
    world.sql("central", "UPDATE notes SET text = 'central' WHERE id = 2");
    let report = database::sync(&world.config, &Options::default()).unwrap();
    assert_eq!(report.exit_code(), 0, "{report:?}");
    for side in ["central", "website"] {
        let live = Connection::open(world.file(side)).unwrap();
        let count = |sql: &str| live.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        // The one that was deleted is back, and of the one that differs there are both: its number may have been given twice.
        assert_eq!(count("SELECT count(*) FROM notes"), 61, "{side}");
        assert_eq!(count("SELECT count(*) FROM notes WHERE text = 'central'"), 1, "{side}");
        assert_eq!(count("SELECT count(*) FROM notes WHERE id = 1"), 1, "{side}");
    }
    world.sync();
    let of_databases = |one: &DoctorFinding| ["databases", "state"].contains(&one.check);
    assert!(!world.wrong().iter().any(of_databases), "{:?}", world.wrong());
    // One that is only out of reach is never to be moved.
    fs::rename(&state, world.root.join("sync_state/state.db.there")).unwrap();
    fs::create_dir(&state).unwrap();
    let error = database::sync(&world.config, &Options::default()).unwrap_err();
    assert!(!error.hint_text().unwrap_or_default().contains("move"), "{:?}", error.hint_text());
}

/// Whoever asks, what the runs would leave out is told: here root asks for a user who could not give what he makes to the
/// owner of the file.
#[test]
fn a_side_that_the_runs_leave_out_is_told_to_root_as_well() {
    let Some(runner) = durable::Account::named("bin").filter(|_| is_possible()) else { return };
    let mut world = World::new();
    world.config.ownership.user = runner.name;
    let place = world.root.join("web/data");
    assert!(
        world.wrong().iter().any(|one| one.what.contains("so that bin may not write to it")),
        "{:?}",
        world.wrong()
    );
    // That says what to do, and that it is busy now does not; that it is no database says more.
    let refused = |world: &World| {
        world
            .wrong()
            .iter()
            .any(|one| one.what.contains("website is not synced") && one.what.contains("so that bin may not"))
    };
    let busy = Connection::open(world.file("website")).unwrap();
    busy.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(refused(&world), "{:?}", world.wrong());
    drop(busy);
    let bytes = fs::read(world.file("website")).unwrap();
    fs::write(world.file("website"), "x".repeat(5000)).unwrap();
    assert!(!refused(&world), "{:?}", world.wrong());
    fs::write(world.file("website"), bytes).unwrap();
    world.config.ownership.user = "root".to_owned();
    mode(&place, 0o775);
    assert_eq!(world.wrong(), []);
}

/// A bot's home is the bot's alone, and pages have no business there, whatever group a directory in it is of.
#[test]
fn pages_need_no_side_that_they_cannot_come_to() {
    if !is_possible() {
        return;
    }
    let mut world = World::new();
    let home = world.root.join("home");
    fs::create_dir_all(home.join("data")).unwrap();
    give(&home.join("data"));
    mode(&home.join("data"), 0o2770);
    mode(&home, 0o755);
    let path = home.join("data/notes.db");
    fs::copy(world.file("central"), &path).unwrap();
    world.config.databases.get_mut("notes").unwrap().replicas.insert("bot".to_owned(), path.clone());
    give(&path);
    mode(&path, 0o600);
    let needs = |world: &World| {
        let told =
            |one: &DoctorFinding| one.what.contains("not use notes:bot") && one.state == DoctorState::Warning;
        world.wrong().iter().any(told)
    };
    assert!(needs(&world), "{:?}", world.wrong());
    mode(&home, 0o700);
    assert!(!needs(&world), "{:?}", world.wrong());
}

/// Who installs makes a baseline when the site is as it should be; until then, and until it is checked, nothing is wrong.
#[test]
fn what_is_still_to_be_done_for_the_first_time_is_no_problem() {
    if !is_possible() {
        return;
    }
    let world = World::installed();
    let of_security = |world: &World| {
        let all = world.wrong().into_iter().filter(|one| one.check == "security");
        all.map(|one| (one.state, one.what)).collect::<Vec<_>>()
    };
    let all_are_warnings = |word: &str| {
        let all = of_security(&world);
        assert!(
            all.iter().any(|(_, what)| what.contains(word))
                && all.iter().all(|one| one.0 == DoctorState::Warning),
            "{word}: {all:?}"
        );
    };
    world.sync();
    all_are_warnings("no baseline");
    security::run(&world.config).unwrap();
    all_are_warnings("no baseline");
    integrity::baseline(&world.config, None).unwrap();
    let all = of_security(&world);
    assert!(all.iter().all(|one| one.0 == DoctorState::Warning), "{all:?}");
    integrity::check(&world.config, &integrity::CheckOptions::default()).unwrap();
    assert_eq!(of_security(&world), []);
}
