//! What people and accidents do to the file of the table, and to that of today's pages.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::clock;
use crate::rng::Rng;

type Damage = fn(&Path);

/// A world in which one client has used up everything.
fn exhausted(clients: u32) -> (World, Limiter) {
    let world = World::new();
    world.now.set(clock::boot_nanos());
    let mut limiter = world.limiter(clients);
    assert!(world.ask(&mut limiter, "a", Rule::Tier("ten"), 10).verdict.allowed);
    assert!(!world.ask(&mut limiter, "a", Rule::Tier("ten"), 1).verdict.allowed);
    (world, limiter)
}

fn writable(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

#[test]
fn a_table_that_is_cut_under_those_who_use_it_is_made_anew_and_ends_nobody() {
    for left in [0, 1, 80, 4096, 5000] {
        let (world, mut limiter) = exhausted(64);
        writable(&world.table()).set_len(left).unwrap();
        // Who has it open finds out by using it, at once. Only where no page is gone as a whole he has to look.
        world.wait(if left > 4096 { 25_000_000 } else { 0 });
        let verdict = world.ask(&mut limiter, "a", Rule::Tier("ten"), 10).verdict;
        assert!(verdict.allowed, "cut to {left}");
        assert!(!world.ask(&mut limiter, "a", Rule::Tier("ten"), 1).verdict.allowed);
        // Who has not uses the same new one.
        let mut other = world.limiter(64);
        assert!(!world.ask(&mut other, "a", Rule::Tier("ten"), 1).verdict.allowed);
        assert_eq!(fs::metadata(world.table()).unwrap().len(), 4096 + 8 * 512);
    }
}

#[test]
fn what_is_no_table_of_this_start_of_the_machine_is_made_anew() {
    let damages: [(&str, Damage); 8] = [
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("longer", |path| writable(path).set_len(1 << 20).unwrap()),
        ("another version", |path| writable(path).write_all_at(&[2], 8).unwrap()),
        ("another number of sets", |path| writable(path).write_all_at(&[9], 16).unwrap()),
        ("another start of the machine", |path| writable(path).write_all_at(&[0; 16], 24).unwrap()),
        ("zeros", |path| {
            let length = fs::metadata(path).unwrap().len();
            fs::write(path, vec![0; usize::try_from(length).unwrap()]).unwrap();
        }),
        ("a symlink", |path| {
            fs::rename(path, path.with_extension("away")).unwrap();
            symlink(path.with_extension("away"), path).unwrap();
        }),
        ("a pipe", |path| {
            fs::remove_file(path).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
    ];
    for (name, damage) in damages {
        let (world, limiter) = exhausted(64);
        drop(limiter);
        damage(&world.table());
        let mut limiter = world.limiter(64);
        assert!(world.ask(&mut limiter, "a", Rule::Tier("ten"), 10).verdict.allowed, "{name}");
        let mut other = world.limiter(64);
        assert!(!world.ask(&mut other, "a", Rule::Tier("ten"), 1).verdict.allowed, "{name}");
        let found = fs::symlink_metadata(world.table()).unwrap();
        assert!(found.is_file(), "{name}");
        assert_eq!(found.mode() & 0o7777, 0o660, "{name}");
    }
}

#[test]
fn what_cannot_be_replaced_is_an_error_and_never_a_yes() {
    let world = World::new();
    fs::create_dir_all(world.table().join("inside")).unwrap();
    let error =
        world.limiter(64).take(&[Check { client: b"a", rule: Rule::Tier("ten"), cost: 1 }]).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Io, "{error}");
}

#[test]
fn any_words_in_the_sets_are_lived_with() {
    for seed in 0..20 {
        let (world, mut limiter) = exhausted(64);
        let mut rng = Rng::new(seed);
        let file = writable(&world.table());
        for _ in 0..2000 {
            let at = 4096 + u64::try_from(rng.below(8 * 64)).unwrap() * 8;
            file.write_all_at(&rng.next().to_le_bytes(), at).unwrap();
        }
        for number in 0..200 {
            let check = Check {
                client: format!("key{number}").into_bytes().leak(),
                rule: Rule::Tier("ten"),
                cost: 1,
            };
            // An answer or an error, and soon.
            if let Err(error) = limiter.take_at(&[check], || world.now.get()) {
                assert_ne!(error.kind(), crate::ErrorKind::Internal, "seed {seed}: {error}");
            }
        }
    }
}

#[test]
fn another_size_keeps_every_bucket_that_is_not_full() {
    for (from, to) in [(64, 4096), (4096, 64), (4096, 5000), (5000, 4096)] {
        let (world, mut limiter) = exhausted(from);
        for number in 0..40 {
            world.ask(&mut limiter, &format!("key{number}"), Rule::Tier("ten"), 10);
        }
        let report = super::super::cleanup(&config(world.root(), to)).unwrap();
        assert!(report.ok && report.table.resized, "{report:?}");
        let size = u64::from(to).div_ceil(8) * 512 + 4096;
        assert_eq!(fs::metadata(world.table()).unwrap().len(), size);
        // Who had the old one open notices at once.
        for number in 0..40 {
            let key = format!("key{number}");
            assert!(
                !world.ask(&mut limiter, &key, Rule::Tier("ten"), 1).verdict.allowed,
                "{from} to {to}: {key}"
            );
        }
        assert!(world.ask(&mut limiter, "new", Rule::Tier("ten"), 10).verdict.allowed);
        let mut other = world.limiter(to);
        assert!(!world.ask(&mut other, "new", Rule::Tier("ten"), 1).verdict.allowed);
        assert!(!super::super::cleanup(&config(world.root(), to)).unwrap().table.resized);
    }
}

#[test]
fn a_move_whose_mover_died_is_finished_by_the_next_one() {
    let (world, mut limiter) = exhausted(64);
    // The word that says so, and one slot that was stopped already.
    let file = writable(&world.table());
    file.write_all_at(&1_u64.to_le_bytes(), 2048).unwrap();
    let verdict = world.ask(&mut limiter, "a", Rule::Tier("ten"), 1).verdict;
    assert!(!verdict.allowed);
    assert!(world.ask(&mut limiter, "b", Rule::Tier("ten"), 1).verdict.allowed);
    assert_eq!(file.metadata().unwrap().nlink(), 0, "another table is in its place");
}

#[test]
fn cleaning_removes_what_is_full_again_and_nothing_else() {
    let (world, mut limiter) = exhausted(64);
    // By the real clock, as the cleanup goes by that: full again a moment later.
    for number in 0..20 {
        world.ask(&mut limiter, &format!("key{number}"), policy(1_000_000_000, 1, 1), 1);
    }
    let report = super::super::cleanup(&config(world.root(), 64)).unwrap();
    assert_eq!((report.table.removed, report.table.kept), (20, 1));
    assert!(!world.ask(&mut limiter, "a", Rule::Tier("ten"), 1).verdict.allowed);
}

#[test]
fn the_file_of_todays_pages_is_pruned_and_keeps_what_is_not_ours() {
    let world = World::new();
    let path = world.root().join("shared_storage/api_rate_limits.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let now = clock::now().timestamp();
    let recent = now - 5;
    let text = format!(
        r#"{{"192.0.2.7_\/api": {{"requests": [1, 2, {recent}], "blocked_until": 0, "x": {{"y": 1.50}}}},
            "192.0.2.8_search": {{"requests": [3], "blocked_until": 0}}, "note": "of another page"}}"#
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    // The longest period of a tier of this world is a week.
    let report = super::super::cleanup(&config(world.root(), 64)).unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!((report.legacy.removed, report.legacy.kept, report.legacy.requests), (1, 2, 3));
    let expected = format!(
        "{{\n    \"192.0.2.7_\\/api\": {{\n        \"requests\": [\n            {recent}\n        ],\n        \
         \"blocked_until\": 0,\n        \"x\": {{\n            \"y\": 1.5\n        }}\n    }},\n    \
         \"note\": \"of another page\"\n}}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    let found = fs::metadata(&path).unwrap();
    assert_eq!(found.mode() & 0o7777, 0o640);
    // Nothing to do: the file is not written again.
    super::super::cleanup(&config(world.root(), 64)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().ino(), found.ino());
    let strange = "[1, 2]";
    fs::write(&path, strange).unwrap();
    let report = super::super::cleanup(&config(world.root(), 64)).unwrap();
    assert!(!report.ok && report.legacy.problem.is_some() && report.exit_code() == 2, "{report:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), strange, "it is left as it is");
}

#[test]
fn a_file_of_todays_pages_that_makes_no_sense_is_moved_aside_and_told() {
    for broken in ["{\"a\": ", "", "\0\0\0", "{} {}"] {
        let world = World::new();
        let config = config(world.root(), 64);
        let path = world.root().join("shared_storage/api_rate_limits.json");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, broken).unwrap();
        let report = super::super::cleanup(&config).unwrap();
        let problem = report.legacy.problem.clone().unwrap_or_default();
        assert!(!report.ok && report.exit_code() == 2 && problem.contains(".corrupt-2"), "{report:?}");
        // Nothing is begun in its place, and what it was stays.
        let names: Vec<PathBuf> =
            fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(matches!(names.as_slice(), [one] if problem.contains(&*one.to_string_lossy())), "{names:?}");
        assert!(problem.ends_with("mend that, or put a good copy back"), "{problem}");
        assert_eq!(fs::read_to_string(&names[0]).unwrap(), broken);
        let events = fs::read_to_string(&config.events.log).unwrap();
        assert_eq!(events.lines().count(), 1, "{events}");
        assert!(events.contains("CORRUPT_FILE") && events.contains("CRITICAL"), "{events}");
        // Pages begin another one, and all is well.
        let now = clock::now().timestamp();
        fs::write(&path, format!(r#"{{"a": {{"requests": [1, {now}]}}}}"#)).unwrap();
        let report = super::super::cleanup(&config).unwrap();
        assert!(report.ok && report.legacy.requests == 1, "{report:?}");
    }
}

/// One of those who write to it: takes its lock, and looks whether it is still the same file.
fn write_in_turn(path: &Path, alter: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) {
    let file = loop {
        let file = writable(path);
        fs2::FileExt::lock_exclusive(&file).unwrap();
        if fs::metadata(path).is_ok_and(|there| there.ino() == file.metadata().unwrap().ino()) {
            break file;
        }
    };
    let mut value: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    alter(value.as_object_mut().unwrap());
    let text = value.to_string();
    file.set_len(0).unwrap();
    file.write_all_at(text.as_bytes(), 0).unwrap();
}

#[test]
fn what_others_write_to_the_file_of_todays_pages_meanwhile_is_kept() {
    const ROUNDS: u64 = 300;
    let world = World::new();
    let config = config(world.root(), 64);
    let path = world.root().join("shared_storage/api_rate_limits.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "{}").unwrap();
    let now = clock::now().timestamp();
    let mut removed = 0;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..ROUNDS {
                write_in_turn(&path, |clients| {
                    clients.insert(format!("old{round}"), serde_json::json!({ "requests": [1] }));
                    clients
                        .insert(format!("new{round}"), serde_json::json!({ "requests": [now], "x": round }));
                });
            }
        });
        loop {
            let is_last = writer.is_finished();
            let report = super::super::cleanup(&config).unwrap();
            assert!(report.ok, "{report:?}");
            removed += report.legacy.removed;
            if is_last {
                break;
            }
        }
    });
    assert_eq!(removed, ROUNDS, "each that is over goes once");
    let value: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let clients = value.as_object().unwrap();
    assert_eq!(u64::try_from(clients.len()).unwrap(), ROUNDS);
    for round in 0..ROUNDS {
        assert_eq!(clients[&format!("new{round}")]["x"], round);
    }
}
