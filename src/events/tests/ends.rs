//! Tests of where the chain ends: what is known of it, what is told where nothing is, and where numbers end.

use std::fs::{self, File};
use std::io::Write;

use serde_json::{Value, json};

use super::{Outcome, World, archive_at, at, world_of_days};
use crate::events::{line, verify};

/// Only that says where the chain ends: whoever takes it away, or puts another in its place, is found out, also later.
#[test]
fn an_end_that_nobody_knows_is_a_break() -> Outcome {
    let head = |world: &World| world.directory.path().join("sync_state/events/head");
    let cut = |world: &World, lines: usize| -> Outcome {
        let text = fs::read_to_string(world.log())?;
        let all: Vec<&str> = text.split_inclusive('\n').collect();
        Ok(fs::write(world.log(), all.get(..all.len() - lines).unwrap_or_default().concat())?)
    };
    type Act<'a> = &'a dyn Fn(&World, &[u8]) -> Outcome;
    let remove = |world: &World, _: &[u8]| -> Outcome { Ok(fs::remove_file(head(world))?) };
    let put =
        |text: &'static [u8]| move |world: &World, _: &[u8]| -> Outcome { Ok(fs::write(head(world), text)?) };
    // Of four events: what is told at once, and what when others were written.
    type Told = (&'static str, u64);
    let acts: [(&str, Act<'_>, Told, Told); 8] = [
        ("removed", &remove, ("end", 5), ("end", 5)),
        (
            "removed, and the end cut off",
            &|world, old| cut(world, 1).and_then(|()| remove(world, old)),
            ("end", 4),
            ("end", 4),
        ),
        ("emptied", &put(b""), ("end", 5), ("end", 5)),
        ("no text", &put(&[0xff; 200]), ("end", 5), ("end", 5)),
        (
            "a number without end",
            &put(b"cr0sync-events-2 18446744073709551615 a a 1 1 - -"),
            ("end", 5),
            ("end", 5),
        ),
        ("an older one", &|world, old| Ok(fs::write(head(world), old)?), ("end", 4), ("again", 3)),
        (
            "another digest",
            &|world, _| {
                let text = fs::read_to_string(head(world))?;
                let digest = text.split(' ').nth(2).ok_or("no digest")?;
                Ok(fs::write(head(world), text.replace(digest, &"0".repeat(64)))?)
            },
            ("changed", 4),
            ("changed", 4),
        ),
        ("the end cut off", &|world, _| cut(world, 1), ("cut", 4), ("missing", 4)),
    ];
    for (told, act, at_once, later) in acts {
        let world = World::new()?;
        world.event(0)?;
        world.event(1)?;
        let old = fs::read(head(&world))?;
        world.event(2)?;
        world.event(3)?;
        act(&world, &old)?;
        for expected in [at_once, later, later] {
            let found = verify(&world.config)?;
            let first = found.first_break.ok_or_else(|| format!("{told}: nothing was found"))?;
            assert_eq!(
                (first.kind.as_str(), first.seq, found.ok),
                (expected.0, expected.1, false),
                "{told}: {first:?}"
            );
            world.event(4)?;
        }
    }
    // Before the first event there is nothing to be known.
    let world = World::new()?;
    assert!(verify(&world.config)?.ok);
    fs::create_dir_all(world.log().parent().ok_or("no directory")?)?;
    world.page(0, "2025-07-14")?;
    assert!(verify(&world.config)?.ok);
    world.event(1)?;
    assert!(verify(&world.config)?.ok);
    // A log that is gone with all that is known of it is one more beginning, and its archives show that it was not.
    let world = world_of_days()?;
    archive_at(&world.config, at(1)?, &mut |_| Ok(()))?;
    world.event(7)?;
    fs::remove_file(world.log())?;
    fs::remove_file(head(&world))?;
    assert_eq!(verify(&world.config)?.first_break.map(|found| found.kind).as_deref(), Some("end"));
    world.event(8)?;
    assert_eq!(verify(&world.config)?.first_break.map(|found| found.kind).as_deref(), Some("end"));
    Ok(())
}

#[test]
fn numbers_come_to_an_end_with_an_error() -> Outcome {
    let world = World::new()?;
    world.event(0)?;
    let forged = |seq: u64| format!("{}\n", json!({ "type": "X", "seq": seq, "prev": "x" }));
    // As long as it is known which one was the last, a line that says otherwise is only a line.
    let mut log = File::options().append(true).open(world.log())?;
    log.write_all(forged(line::MAX_SEQ).as_bytes())?;
    log.write_all(forged(u64::MAX).as_bytes())?;
    world.event(1)?;
    let found = verify(&world.config)?;
    let first = found.first_break.ok_or("nothing was found")?;
    assert_eq!(
        (first.kind.as_str(), first.line, found.events, found.breaks),
        ("inserted", 2, 2, 1),
        "{first:?}"
    );
    // Where it is not, there is no number behind that one.
    log.write_all(forged(line::MAX_SEQ).as_bytes())?;
    fs::remove_file(world.directory.path().join("sync_state/events/head"))?;
    let why = world.event(2).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(why.contains("no number left"), "{why}");
    // The number of an archive.
    let world = world_of_days()?;
    archive_at(&world.config, at(1)?, &mut |_| Ok(()))?;
    for file in fs::read_dir(&world.config.events.archive)?.flatten().map(|file| file.path()) {
        if file.to_string_lossy().ends_with(".manifest.json") {
            let mut manifest: Value = serde_json::from_slice(&fs::read(&file)?)?;
            manifest["number"] = json!(u64::MAX);
            fs::write(&file, manifest.to_string())?;
        }
    }
    assert!(!verify(&world.config)?.ok);
    world.event(3)?;
    let why = archive_at(&world.config, at(1)?, &mut |_| Ok(())).err().map(|error| error.to_string());
    assert!(why.as_ref().is_some_and(|why| why.contains("no number left")), "{why:?}");
    Ok(())
}
