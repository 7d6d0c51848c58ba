//! Tests of the log as a whole: what is appended, moved away day by day, and found again.
//!
//! Compiled in, as time and the steps of archiving come in through what nobody outside can reach.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::archive::{self, Step};
use super::{Demand, Event, Filter, Passed, Severity, query, record, verify, verify_through};
use crate::Config;
use crate::clock::Moment;
use crate::error::{Error, ErrorKind};

mod ends;
mod forged;

type Outcome<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const STEPS: [Step; 6] = [Step::Noted, Step::Packed, Step::Listed, Step::Copied, Step::Cut, Step::Followed];

struct World {
    directory: tempfile::TempDir,
    config: Config,
}

impl World {
    fn new() -> Outcome<World> {
        let directory = tempfile::tempdir()?;
        let config = Config::parse(br#"{"version": 1}"#, directory.path(), None)?;
        Ok(World { directory, config })
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("logs/security/security_events.json")
    }

    fn event(&self, n: u32) -> Outcome {
        let details = json!({ "n": n });
        let kind = "TEST".to_owned();
        record(&self.config, &Event { kind, severity: Severity::Low, details, ip: None, session: None })?;
        Ok(())
    }

    /// As the site's pages write.
    fn page(&self, n: u32, day: &str) -> Outcome {
        let line = json!({ "timestamp": format!("{day} 10:00:00"), "type": "PAGE", "severity": "INFO", "details": { "n": n } });
        let mut file = File::options().append(true).create(true).open(self.log())?;
        Ok(file.write_all(format!("{line}\n").as_bytes())?)
    }

    /// The numbers of all events, oldest first, wherever they lie.
    fn all(&self) -> Outcome<Vec<u64>> {
        let found = query(&self.config, &Filter { limit: 10_000, ..Filter::default() })?;
        assert_eq!(found.problems, Vec::<String>::new());
        let number = |event: &serde_json::Map<String, Value>| event.get("details")?.get("n")?.as_u64();
        Ok(found.events.iter().rev().filter_map(number).collect())
    }
}

fn at(day: i64) -> Outcome<DateTime<Utc>> {
    let today = crate::clock::now().date_naive();
    let day = today.checked_add_signed(chrono::Duration::days(day)).ok_or("no such day")?;
    Ok(day.and_hms_opt(0, 1, 0).ok_or("no such time")?.and_utc())
}

/// As if the machine had run all the time, and nobody set its clock.
fn archive_at(
    config: &Config,
    now: DateTime<Utc>,
    each: &mut dyn FnMut(Step) -> crate::error::Result<()>,
) -> crate::error::Result<crate::report::EventsArchiveReport> {
    let unix = now.timestamp();
    let up = u64::try_from(unix).unwrap_or(0);
    archive::archive_at(config, &Moment { unix, boot: "a".to_owned(), up }, each)
}

/// A log of two past days, by pages, with events of ours of today between that count as of the day before when it is
/// archived tomorrow.
fn world_of_days() -> Outcome<World> {
    let world = World::new()?;
    world.event(0)?;
    let old = at(-1)?.date_naive().to_string();
    for n in 1..4 {
        world.page(n, &old)?;
    }
    for n in 4..7 {
        world.event(n)?;
    }
    Ok(world)
}

#[test]
fn past_days_are_moved_away_and_the_chain_goes_on() -> Outcome {
    let world = world_of_days()?;
    let report = archive_at(&world.config, at(1)?, &mut |_| Ok(()))?;
    assert_eq!(
        (report.ok, report.archived.iter().map(|one| one.lines).sum::<u64>()),
        (true, 7),
        "{report:#?}"
    );
    assert_eq!(fs::metadata(world.log())?.len(), 0);
    world.event(7)?;
    world.page(8, &at(0)?.date_naive().to_string())?;
    world.event(9)?;
    assert_eq!(world.all()?, (0..10).collect::<Vec<u64>>());
    let found = verify(&world.config)?;
    assert_eq!((found.ok, found.events, found.others, found.unheld), (true, 6, 4, 0), "{found:#?}");
    // Nothing is due twice.
    let again = archive_at(&world.config, at(0)?, &mut |_| Ok(()))?;
    assert_eq!(again.archived, []);
    Ok(())
}

#[test]
fn wherever_it_dies_every_line_is_there_once() -> Outcome {
    for step in STEPS {
        for nth in 0..3 {
            let world = world_of_days()?;
            let mut left = nth;
            let died = archive_at(&world.config, at(1)?, &mut |now| {
                if now == step {
                    if left == 0 {
                        return Err(Error::new(ErrorKind::Internal, "killed"));
                    }
                    left -= 1;
                }
                Ok(())
            });
            // What comes meanwhile belongs to the same day, and must not be moved with what was moved already.
            world.event(7)?;
            world.page(8, &at(0)?.date_naive().to_string())?;
            let report = archive_at(&world.config, at(1)?, &mut |_| Ok(()))?;
            assert!(report.ok, "{report:#?}");
            world.event(9)?;
            assert_eq!(world.all()?, (0..10).collect::<Vec<u64>>(), "{step:?} {nth} {died:?}");
            let found = verify(&world.config)?;
            assert!(found.ok, "{step:?} {nth}: {found:#?}");
        }
    }
    Ok(())
}

#[test]
fn nobody_who_writes_or_looks_waits_for_an_archive_or_sees_a_line_twice() -> Outcome {
    let world = world_of_days()?;
    let (today, mut n) = (at(0)?.date_naive().to_string(), 7);
    let mut seen = Vec::new();
    let mut one = |step| -> Outcome {
        world.event(n)?;
        world.page(n + 1, &today)?;
        n += 2;
        seen.push((step, n, world.all()?));
        Ok(())
    };
    let report = archive_at(&world.config, at(1)?, &mut |step| {
        one(step).map_err(|error| Error::new(ErrorKind::Internal, format!("{step:?}: {error}")))
    })?;
    assert_eq!(report.warnings, [""; 0]);
    let steps: Vec<Step> = seen.iter().map(|(step, ..)| *step).collect();
    assert!(STEPS.iter().all(|step| steps.contains(step)), "{steps:?}");
    for (step, n, all) in seen {
        assert_eq!(all, (0..u64::from(n)).collect::<Vec<u64>>(), "{step:?}");
    }
    assert!(!fs::read_to_string(world.log())?.contains("\"n\":6}"), "it was moved");
    let found = verify(&world.config)?;
    // The last line is a page's.
    assert!(found.ok && found.unheld == 1, "{found:#?}");
    Ok(())
}

/// What was killed is finished by the next one, whatever came meanwhile and whoever has the old log open.
#[test]
fn what_is_written_to_the_old_log_follows_once_wherever_it_dies() -> Outcome {
    let late = |n: u32| -> Outcome<String> {
        Ok(format!(
            "{}\n",
            json!({ "timestamp": at(0)?.to_rfc3339(), "type": "PAGE", "details": { "n": n } })
        ))
    };
    for step in STEPS {
        let world = world_of_days()?;
        let mut open = File::options().append(true).open(world.log())?;
        let mut died = false;
        let _ = archive_at(&world.config, at(1)?, &mut |now| {
            if now == step && !died {
                died = true;
                return Err(Error::new(ErrorKind::Internal, "killed"));
            }
            Ok(())
        });
        open.write_all(late(7)?.as_bytes())?;
        world.event(8)?;
        open.write_all(late(9)?.as_bytes())?;
        open.write_all(b"{\"half\":")?;
        let report = archive_at(&world.config, at(0)?, &mut |_| Ok(()))?;
        let is_told = report.warnings.iter().any(|warning| warning.contains("keeps the event log open"));
        assert!(is_told, "{step:?} {report:#?}");
        open.write_all(b"1}\n")?;
        drop(open);
        let report = archive_at(&world.config, at(0)?, &mut |_| Ok(()))?;
        assert_eq!(report.warnings, [""; 0], "{step:?}");
        world.event(10)?;
        let mut all = world.all()?;
        all.sort_unstable();
        assert_eq!(all, (0..11).collect::<Vec<u64>>(), "{step:?}");
        let log = fs::read_to_string(world.log())?;
        let halves = query(&world.config, &Filter { text: Some("half".to_owned()), ..Filter::default() })?;
        assert_eq!(halves.events.len(), 1, "{step:?}: {log}");
        assert!(!fs::exists(super::archive::before(&world.config))?, "{step:?}");
        let found = verify(&world.config)?;
        assert!(found.ok, "{step:?}: {found:#?}");
    }
    Ok(())
}

/// What a run that died had noted lies where the website may write.
#[test]
fn what_is_noted_makes_no_file_elsewhere() -> Outcome {
    let world = world_of_days()?;
    let _ = archive_at(&world.config, at(1)?, &mut |step| match step {
        Step::Noted => Err(Error::new(ErrorKind::Internal, "killed")),
        _ => Ok(()),
    });
    let note = world.directory.path().join("sync_state/events/moving");
    let mut noted: Value = serde_json::from_slice(&fs::read(&note)?)?;
    let elsewhere = world.directory.path().join("elsewhere");
    fs::create_dir(&elsewhere)?;
    for name in ["authorized_keys", "security_events.2025-07-14.json.gz"] {
        noted["days"][0][1] = json!(elsewhere.join(name));
        fs::write(&note, noted.to_string())?;
        let report = archive_at(&world.config, at(1)?, &mut |_| Ok(()))?;
        assert!(report.ok, "{report:#?}");
        assert_eq!(fs::read_dir(&elsewhere)?.count(), 0, "{name}");
    }
    assert!(verify(&world.config)?.ok);
    Ok(())
}

/// Nobody ever writes into a pipe that somebody has put there.
#[test]
fn a_pipe_in_the_place_of_a_file_is_told() -> Outcome {
    for (name, is_error) in
        [("sync_state/events/head", true), ("logs/security/archive/x.manifest.json", false)]
    {
        let world = world_of_days()?;
        world.event(1)?;
        let path = world.directory.path().join(name);
        fs::create_dir_all(path.parent().ok_or("no directory")?)?;
        let _ = fs::remove_file(&path);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)?;
        let why = match verify(&world.config) {
            Err(why) if is_error => why.to_string(),
            Ok(report) if !is_error => format!("{:?}", report.first_break),
            other => return Err(format!("{other:?}").into()),
        };
        assert!(why.contains("no regular file") && why.contains(name), "{why}");
    }
    Ok(())
}

#[test]
fn who_has_the_log_open_loses_nothing() -> Outcome {
    let world = world_of_days()?;
    let mut open = File::options().append(true).open(world.log())?;
    let late = json!({ "timestamp": at(0)?.to_rfc3339(), "type": "PAGE", "severity": "INFO", "details": { "n": 7 } });
    let mut wrote = None;
    archive_at(&world.config, at(1)?, &mut |step| {
        if step == Step::Cut {
            wrote = Some(open.write_all(format!("{late}\n").as_bytes()));
            // It lets go of it.
            if let Ok(other) = File::open("/dev/null") {
                open = other;
            }
        }
        Ok(())
    })?;
    assert!(matches!(wrote, Some(Ok(()))));
    assert!(!fs::exists(super::archive::before(&world.config))?);
    assert_eq!(world.all()?, (0..8).collect::<Vec<u64>>());
    assert!(verify(&world.config)?.ok);
    Ok(())
}

/// Three archives: of events 1 and 2, of a page, and of event 3; event 4 is in the log.
fn world_of_archives() -> Outcome<(World, Vec<PathBuf>)> {
    let world = World::new()?;
    let step = |day: i64| -> Outcome {
        archive_at(&world.config, at(day)?, &mut |_| Ok(()))?;
        Ok(())
    };
    world.event(0)?;
    world.event(1)?;
    step(1)?;
    world.page(2, &at(1)?.date_naive().to_string())?;
    step(2)?;
    world.event(3)?;
    step(3)?;
    world.event(4)?;
    let mut files: Vec<PathBuf> =
        super::pack::manifests(&world.config)?.all.into_iter().map(|(file, _)| file).collect();
    files.truncate(3);
    assert_eq!(files.len(), 3);
    Ok((world, files))
}

fn packed(text: &[u8]) -> Outcome<Vec<u8>> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text)?;
    Ok(packer.finish()?)
}

#[test]
fn what_somebody_does_to_an_archive_is_found() -> Outcome {
    let manifest = |file: &PathBuf| super::pack::manifest_of(file);
    let remove = |file: &PathBuf| fs::remove_file(file).and_then(|()| fs::remove_file(manifest(file)));
    let text = |file: &PathBuf| -> Outcome<String> {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(File::open(file)?), &mut text)?;
        Ok(text)
    };
    type Act<'a> = &'a dyn Fn(&[PathBuf]) -> Outcome;
    // The kind, the file and the line that are named; the file from 0 on, 3 is the log.
    let acts: [(&str, Act<'_>, &str, usize, u64); 9] = [
        ("nothing", &|_| Ok(()), "", 0, 0),
        (
            "half of one",
            &|all| {
                let whole = fs::read(&all[0])?;
                Ok(fs::write(&all[0], &whole[..whole.len() / 2])?)
            },
            "archive",
            0,
            1,
        ),
        ("another, packed well", &|all| Ok(fs::write(&all[2], packed(b"{}\n")?)?), "archive", 2, 1),
        (
            "one that unpacks for ever",
            &|all| Ok(fs::write(&all[2], packed(&vec![0; 64 << 20])?)?),
            "archive",
            2,
            1,
        ),
        (
            "a line of one is edited",
            &|all| Ok(fs::write(&all[0], packed(text(&all[0])?.replacen("LOW", "INFO", 1).as_bytes())?)?),
            "archive",
            0,
            1,
        ),
        ("the first is gone", &|all| Ok(remove(&all[0])?), "missing", 1, 1),
        ("one of pages is gone", &|all| Ok(remove(&all[1])?), "missing", 2, 1),
        ("the last is gone", &|all| Ok(remove(&all[2])?), "missing", 3, 1),
        (
            "two are swapped",
            &|all| {
                let first = fs::read(&all[0])?;
                fs::write(&all[0], fs::read(&all[2])?)?;
                Ok(fs::write(&all[2], first)?)
            },
            "archive",
            0,
            1,
        ),
    ];
    for (told, act, kind, file, line) in acts {
        let (world, mut files) = world_of_archives()?;
        act(&files)?;
        files.push(world.log());
        let found = verify(&world.config)?.first_break;
        let found =
            found.map(|found| (found.kind, files.iter().position(|file| *file == found.file), found.line));
        let expected = (!kind.is_empty()).then(|| (kind.to_owned(), Some(file), line));
        assert_eq!(found, expected, "{told}");
    }
    Ok(())
}

#[test]
fn old_archives_go_and_none_where_the_clock_is_behind() -> Outcome {
    let mut world = world_of_days()?;
    world.config.events.keep_days = Some(30);
    archive_at(&world.config, at(1)?, &mut |_| Ok(()))?;
    world.event(7)?;
    let behind = archive_at(&world.config, at(-100)?, &mut |_| Ok(()))?;
    assert_eq!((behind.removed.len(), behind.warnings.len()), (0, 1), "{behind:#?}");
    let report = archive_at(&world.config, at(40)?, &mut |_| Ok(()))?;
    assert!(report.removed.is_empty(), "what is too old goes a day later: {report:#?}");
    let report = archive_at(&world.config, at(41)?, &mut |_| Ok(()))?;
    assert!(!report.removed.is_empty(), "{report:#?}");
    world.event(8)?;
    assert!(verify(&world.config)?.ok);
    Ok(())
}

#[test]
fn a_clock_that_is_wrong_for_less_than_a_day_removes_nothing() -> Outcome {
    const HOUR: u64 = 3600;
    const YEAR: i64 = 365 * 86_400;
    let today = at(0)?.timestamp();
    // How wrong the clock is, which start of the machine it is, how long that is ago; whether archives are gone then.
    type Look = (i64, &'static str, u64, bool);
    let cases: [&[Look]; 6] = [
        &[(2 * YEAR, "a", 0, false), (2 * YEAR, "a", HOUR, false), (0, "a", 30 * HOUR, false)],
        &[(2 * YEAR, "a", 0, false), (0, "a", HOUR, false), (2 * YEAR, "a", 25 * HOUR, false)],
        &[(2 * YEAR, "a", 0, false), (0, "b", HOUR, false), (2 * YEAR, "c", 0, false)],
        &[(2 * YEAR, "a", 0, false), (2 * YEAR, "a", 21 * HOUR, true)],
        // Two years have gone by.
        &[(2 * YEAR, "a", 0, false), (2 * YEAR + 86_400, "b", HOUR, true)],
        &[(2 * YEAR, "a", 21 * HOUR, false), (2 * YEAR, "a", HOUR, false), (2 * YEAR, "a", 22 * HOUR, true)],
    ];
    for (number, looks) in cases.into_iter().enumerate() {
        let (mut world, _) = world_of_archives()?;
        world.config.events.keep_days = Some(30);
        for (by, boot, up, is_gone) in looks {
            let now = Moment { unix: today + 4 * 86_400 + by, boot: (*boot).to_owned(), up: *up };
            let report = archive::archive_at(&world.config, &now, &mut |_| Ok(()))?;
            assert_eq!(!report.removed.is_empty(), *is_gone, "{number}: {by} {boot} {up} {report:?}");
            assert!(verify(&world.config)?.ok, "{number}");
        }
        assert_eq!(world.all()?.len() == 5, !looks.iter().any(|(.., is_gone)| *is_gone), "{number}");
    }
    Ok(())
}

#[test]
fn the_chain_goes_through_what_was_verified_before() -> Outcome {
    let (mut world, _) = world_of_archives()?;
    world.config.events.keep_days = Some(30);
    let now = crate::clock::now().timestamp();
    let end = verify(&world.config)?.end.ok_or("no end")?;
    let breaks = |world: &World, seq: u64, digest: &str, at: i64| -> Outcome<Vec<String>> {
        let through = Some(Passed { seq, digest: digest.to_owned(), at });
        let found = verify_through(&world.config, &Demand { through, most_ms: None })?;
        Ok(found.told.into_iter().map(|(found, _)| format!("{} {}", found.kind, found.seq)).collect())
    };
    world.event(5)?;
    assert_eq!(breaks(&world, end.0, &end.1, now)?, [""; 0]);
    assert_eq!(breaks(&world, end.0, "another", now)?, ["rewritten 4"]);
    assert_eq!(breaks(&world, 9, &end.1, now)?, ["rewritten 9"]);
    // It is too old by now, or somebody says so.
    for day in [40, 41] {
        archive_at(&world.config, at(day)?, &mut |_| Ok(()))?;
    }
    assert_eq!(breaks(&world, 1, "any", now - 40 * 86_400)?, [""; 0]);
    assert_eq!(breaks(&world, 1, "any", now)?, ["rewritten 1"]);
    Ok(())
}

#[test]
fn a_line_that_was_cut_off_is_a_line_of_its_own() -> Outcome {
    let world = World::new()?;
    world.event(0)?;
    File::options().append(true).open(world.log())?.write_all(b"{\"timestamp\":\"2025-")?;
    world.event(1)?;
    assert_eq!(world.all()?, [0, 1]);
    let found = verify(&world.config)?;
    assert_eq!((found.ok, found.others), (true, 1), "{found:#?}");
    Ok(())
}

#[test]
fn many_processes_make_one_chain() -> Outcome {
    let world = World::new()?;
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let world = &world;
            scope.spawn(move || (0..50).try_for_each(|n| world.event(thread * 50 + n)).map_err(|_| ()));
        }
    });
    let mut all = world.all()?;
    all.sort_unstable();
    assert_eq!(all, (0..400).collect::<Vec<u64>>());
    let found = verify(&world.config)?;
    assert_eq!((found.ok, found.events, found.unheld), (true, 400, 0));
    Ok(())
}
