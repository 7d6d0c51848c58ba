//! Tests of what others can write: lines of days that cannot be, lines put in, manifests that are damaged.

use std::fs::{self, File};
use std::io::Write;

use serde_json::json;
use sha2::Digest as _;

use super::{Outcome, World, archive_at, at, world_of_archives, world_of_days};
use crate::events::{Filter, archive, pack, query, verify};

fn put(world: &World, text: &str) -> Outcome {
    let mut file = File::options().append(true).create(true).open(world.log())?;
    Ok(file.write_all(format!("{text}\n").as_bytes())?)
}

/// A page's line of so many days from now, or of none.
fn line(n: u32, day: Option<i64>) -> Outcome<String> {
    let mut line = json!({ "type": "PAGE", "severity": "INFO", "details": { "n": n } });
    if let Some(day) = day {
        line["timestamp"] = json!(format!("{} 10:00:00", at(day)?.date_naive()));
    }
    Ok(line.to_string())
}

#[test]
fn a_line_of_no_day_that_can_be_stops_no_archive() -> Outcome {
    const FAR: i64 = 9_000;
    // Days of lines, today being 0; the lines of each archive; how many were odd, and the first of them.
    type Case<'a> = (&'a [Option<i64>], &'a [(i64, u64)], Option<(u64, u64)>);
    let cases: [Case<'_>; 9] = [
        (&[Some(-2), Some(-1), Some(0)], &[(-2, 1), (-1, 1)], None),
        (&[None, Some(-2), Some(-1), Some(0)], &[(-2, 2), (-1, 1)], Some((1, 1))),
        (&[Some(FAR), None, Some(-2), Some(-1), Some(0)], &[(-2, 3), (-1, 1)], Some((2, 1))),
        (&[Some(-2), None, Some(-1), Some(0)], &[(-2, 2), (-1, 1)], None),
        (&[Some(-2), Some(FAR), Some(-1), Some(0)], &[(-2, 2), (-1, 1)], Some((1, 2))),
        (&[Some(-2), Some(1), None, Some(-1), Some(FAR), Some(0)], &[(-2, 3), (-1, 2)], Some((3, 2))),
        // The clock may be behind instead.
        (&[Some(-2), Some(FAR), Some(1)], &[(-2, 1)], None),
        (&[Some(FAR), None], &[], None),
        (&[None, Some(0)], &[], None),
    ];
    for (days, archives, odd) in cases {
        let world = World::new()?;
        fs::create_dir_all(world.log().parent().ok_or("no directory")?)?;
        for (n, day) in (0..).zip(days) {
            put(&world, &line(n, *day)?)?;
        }
        let report = archive_at(&world.config, at(0)?, &mut |_| Ok(()))?;
        let name = |day: i64| -> Outcome<String> {
            Ok(format!("security_events.{}.json.gz", at(day)?.date_naive()))
        };
        let expected: Vec<(String, u64)> =
            archives.iter().map(|(day, lines)| Ok((name(*day)?, *lines))).collect::<Outcome<_>>()?;
        let found: Vec<(String, u64)> = report
            .archived
            .iter()
            .map(|one| (one.file.file_name().unwrap_or_default().to_string_lossy().into_owned(), one.lines))
            .collect();
        assert_eq!(found, expected, "{days:?}");
        let told = report.warnings.first().map(|told| {
            odd.is_some_and(|(count, first)| {
                told.starts_with(&format!("{count} lines of ")) && told.contains(&format!("line {first}:"))
            })
        });
        assert_eq!(told, odd.map(|_| true), "{days:?}: {:?}", report.warnings);
        assert_eq!(world.all()?.len(), days.len(), "{days:?}");
    }
    Ok(())
}

#[test]
fn what_is_asked_for_is_found_behind_archives_of_older_days() -> Outcome {
    let world = World::new()?;
    fs::create_dir_all(world.log().parent().ok_or("no directory")?)?;
    for (n, day) in [(0, -2), (1, -9), (2, -3), (3, 9_000), (4, -9), (5, 0)] {
        put(&world, &line(n, Some(day))?)?;
    }
    archive_at(&world.config, at(0)?, &mut |_| Ok(()))?;
    for (since, expected) in
        [(-2, vec![0, 3, 5]), (-3, vec![0, 2, 3, 5]), (-9, vec![0, 1, 2, 3, 4, 5]), (1, vec![3])]
    {
        let since = Some(at(since)?.date_naive().to_string());
        let found = query(&world.config, &Filter { since, limit: 100, ..Filter::default() })?;
        let mut numbers: Vec<u64> =
            found.events.iter().filter_map(|event| event.get("details")?.get("n")?.as_u64()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, expected);
    }
    Ok(())
}

#[test]
fn lines_put_in_before_an_event_are_found_and_those_behind_the_last_are_counted() -> Outcome {
    for count in [1, 500, 4096, 4097] {
        for events in [2, 3] {
            let world = World::new()?;
            (0..events).try_for_each(|n| world.event(n))?;
            let whole = fs::read_to_string(world.log())?;
            let lines: Vec<&str> = whole.split_inclusive('\n').collect();
            let forged: String =
                (0..count).map(|n| line(n, Some(0)).map(|line| line + "\n")).collect::<Outcome<_>>()?;
            fs::write(world.log(), format!("{}{forged}{}", lines[0], lines[1..].concat()))?;
            for written in 0..3 {
                let found = verify(&world.config)?;
                let first = found.first_break.ok_or("nothing was found")?;
                let told = (first.kind.as_str(), first.line, found.breaks);
                assert_eq!(told, ("inserted", 2, 1), "{count} {events} {written}");
                world.event(9)?;
            }
        }
    }
    let world = World::new()?;
    world.event(0)?;
    world.page(1, &at(0)?.date_naive().to_string())?;
    world.page(2, &at(0)?.date_naive().to_string())?;
    let found = verify(&world.config)?;
    let first = found.first_unheld.map(|first| (first.file, first.line));
    assert_eq!((found.ok, found.unheld, first), (true, 2, Some((world.log(), 2))));
    world.event(3)?;
    let found = verify(&world.config)?;
    assert_eq!((found.ok, found.unheld, found.first_unheld), (true, 0, None));
    Ok(())
}

#[test]
fn more_than_an_event_can_hold_is_told_and_no_break() -> Outcome {
    let world = World::new()?;
    world.event(0)?;
    let one = line(1, Some(0))? + "\n";
    let count = (5 << 20) / one.len();
    File::options().append(true).open(world.log())?.write_all(one.repeat(count).as_bytes())?;
    world.event(2)?;
    world.event(3)?;
    let found = verify(&world.config)?;
    assert!(found.ok, "{found:?}");
    assert_eq!((found.unheld, found.first_unheld.map(|first| first.line)), (u64::try_from(count)?, Some(2)));
    // One more is one too many.
    let text = fs::read_to_string(world.log())?;
    fs::write(world.log(), text.replacen(&one, &one.repeat(2), 1))?;
    assert!(!verify(&world.config)?.ok);
    Ok(())
}

#[test]
fn a_damaged_manifest_hides_nothing_else() -> Outcome {
    for which in 0..3 {
        for text in ["", "{}", "no manifest"] {
            let (world, files) = world_of_archives()?;
            let manifest = pack::manifest_of(&files[which]);
            fs::write(&manifest, text)?;
            let found = verify(&world.config)?;
            let first = found.first_break.ok_or("nothing was found")?;
            assert_eq!(
                (first.kind.as_str(), &first.file, found.breaks),
                ("archive", &manifest, 1),
                "{which}"
            );
            assert_eq!((found.events, found.others), (4, 1), "{which}: its lines were followed");
            assert!(!first.reason.contains("move"), "{}", first.reason);
            let events = query(&world.config, &Filter { limit: 100, ..Filter::default() })?;
            let lost = [2, 1, 1][which];
            assert_eq!((events.events.len(), events.problems.len()), (5 - lost, 1), "{which}: {events:?}");
            // A line that is gone from the log as well is a break of its own.
            let log = fs::read_to_string(world.log())?;
            fs::write(world.log(), "")?;
            assert_eq!(verify(&world.config)?.breaks, 2, "{which}");
            fs::write(world.log(), log)?;
            // What is archived behind it goes on with the chain.
            let report = archive_at(&world.config, at(4)?, &mut |_| Ok(()))?;
            assert_eq!(report.archived.len(), 1, "{which}: {report:?}");
            assert!(report.warnings.iter().any(|told| told.contains("none is removed")), "{report:?}");
            world.event(9)?;
            let found = verify(&world.config)?;
            assert_eq!((found.breaks, found.events, found.others), (1, 5, 1), "{which}: {found:?}");
        }
    }
    // What is in the archive is another thing than what belongs there.
    let (world, files) = world_of_archives()?;
    fs::write(pack::manifest_of(&files[0]), "")?;
    fs::write(&files[0], "no archive")?;
    let found = verify(&world.config)?;
    assert_eq!((found.breaks, found.events), (2, 2), "{found:?}");
    Ok(())
}

#[test]
fn days_that_come_in_turn_are_no_archive_each() -> Outcome {
    let world = World::new()?;
    fs::create_dir_all(world.log().parent().ok_or("no directory")?)?;
    for n in 0..200 {
        put(&world, &line(n, Some(if n % 2 == 0 { -2 } else { -3 }))?)?;
    }
    let report = archive_at(&world.config, at(0)?, &mut |_| Ok(()))?;
    assert_eq!(report.archived.len(), 1, "{report:?}");
    assert_eq!(world.all()?.len(), 200);
    let since = Some(at(-2)?.date_naive().to_string());
    assert_eq!(query(&world.config, &Filter { since, limit: 1000, ..Filter::default() })?.events.len(), 100);
    Ok(())
}

#[test]
fn a_note_that_others_wrote_moves_nothing_of_today() -> Outcome {
    let world = world_of_days()?;
    let text = fs::read(world.log())?;
    let sum = crate::hex::hex(&sha2::Sha256::digest(&text));
    let archive = &world.config.events.archive;
    fs::create_dir_all(world.directory.path().join("sync_state/events"))?;
    for (day, today) in [(-2000, 0), (-2000, -1999), (-1, 9000)] {
        let day = at(day)?.date_naive().to_string();
        let file = archive.join(format!("security_events.{day}.json.gz"));
        let note = json!({
            "version": 1, "bytes": text.len(), "sha256": sum, "number": 1, "before_seq": 0, "before": "",
            "days": [[day, file, text.len()]], "today": at(today)?.date_naive().to_string(),
        });
        fs::write(world.directory.path().join("sync_state/events/moving"), note.to_string())?;
        let report = archive_at(&world.config, at(-30)?, &mut |_| Ok(()))?;
        assert_eq!((report.archived.len(), report.warnings.len()), (0, 1), "{report:?}");
        assert_eq!(fs::read(world.log())?, text);
    }
    Ok(())
}

#[test]
fn what_lies_under_the_name_of_a_log_of_before_stops_no_archive() -> Outcome {
    for left in ["", "{\"type\":\"PAGE\"}\n"] {
        let world = world_of_days()?;
        let before = archive::before(&world.config);
        fs::write(&before, left)?;
        let report = archive_at(&world.config, at(1)?, &mut |_| Ok(()))?;
        assert_eq!((report.archived.is_empty(), report.warnings.len()), (false, 1), "{report:?}");
        let names = fs::read_dir(before.parent().ok_or("no directory")?)?.flatten().map(|entry| entry.path());
        let aside: Vec<_> = names.filter(|path| path.to_string_lossy().contains(".json.before-")).collect();
        assert_eq!(aside.len(), 1);
        assert_eq!(fs::read_to_string(&aside[0])?, left);
        assert!(verify(&world.config)?.ok);
    }
    Ok(())
}

#[test]
fn what_has_no_end_is_not_waited_for() -> Outcome {
    // A pipe in the place of what says where the chain ends, and a log of holes.
    let world = World::new()?;
    world.event(0)?;
    let head = world.directory.path().join("sync_state/events/head");
    fs::remove_file(&head)?;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &head,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o660),
        0,
    )?;
    assert!(world.event(1).is_err());
    fs::remove_file(&head)?;
    world.event(2)?;
    File::options().append(true).open(world.log())?.set_len(1 << 42)?;
    world.event(3)?;
    let told = |error: Option<crate::error::Error>| error.map(|error| error.to_string()).unwrap_or_default();
    for said in
        [told(verify(&world.config).err()), told(archive_at(&world.config, at(1)?, &mut |_| Ok(())).err())]
    {
        assert!(said.starts_with("refused an event log of "), "{said}");
    }
    Ok(())
}
