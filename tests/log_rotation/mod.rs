//! Whole rotations over real files: every line that was written is in the archive once, in its order, whatever way a file was
//! rotated and wherever the run died.
//!
//! Two file systems: that of temporary files, which may be able to take lines out below a writer, and that of shared
//! memory, which cannot. Times are given, never waited for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and talks by printing"
)]

mod copies;
mod halves;
mod ledger;
mod moving;
mod random;
use crate::rng;
mod settled;
mod writer;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::clean::clean_at;
use super::rotate::rotate_with;
use super::steps::{Step, Steps, Unwatched};
use super::{Options, cut, merge};
use crate::config::Config;
use crate::report::{CleanState, LogCleanReport, LogRotateReport, LogState, RotateMethod, RotateState};

const NOW: &str = "2031-07-14 12:00:00";

fn time(text: &str) -> DateTime<Utc> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap().and_utc()
}

/// Strikes at one step.
struct Strikes {
    at: Step,
    done: Cell<bool>,
}

struct Death;

impl Steps for Strikes {
    fn at(&self, step: Step) {
        if step == self.at && !self.done.replace(true) {
            resume_unwind(Box::new(Death));
        }
    }
}

struct World {
    dir: TempDir,
    config: Config,
}

impl World {
    /// A log `x` with these sides beside the hub; `website` is a mirror.
    fn new(within: &Path, others: &[&str], rotate: Value) -> World {
        let dir = tempfile::Builder::new().prefix("cr0sync-test-").tempdir_in(within).unwrap();
        let sides = others.iter().chain(&["central"]);
        let copies: BTreeMap<&str, PathBuf> = sides
            .map(|side| {
                fs::create_dir(dir.path().join(side)).unwrap();
                (*side, dir.path().join(side).join("x.log"))
            })
            .collect();
        let mirrors: Vec<&&str> = others.iter().filter(|side| **side == "website").collect();
        let json = json!({
            "version": 1, "hub": "central", "databases": {},
            "logs": { "x": { "copies": copies, "mirrors": mirrors, "rotate": rotate } },
        });
        let config = Config::parse(json.to_string().as_bytes(), dir.path(), None).unwrap();
        World { dir, config }
    }

    fn path(&self, side: &str) -> PathBuf {
        self.dir.path().join(side).join("x.log")
    }

    fn append(&self, side: &str, text: &str) {
        File::options()
            .append(true)
            .create(true)
            .open(self.path(side))
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    }

    fn merge(&self) {
        let report = merge(&self.config, &Options::default()).unwrap();
        let log = &report.logs["x"];
        assert!(!matches!(log.state, LogState::Failed | LogState::Skipped), "{log:?}");
        assert_eq!(log.warnings, [""; 0]);
    }

    fn rotate_at(&self, now: &str) -> LogRotateReport {
        let options = Options { force: true, ..Options::default() };
        rotate_with(&self.config, &options, time(now), &Unwatched).unwrap().logs.remove("x").unwrap()
    }

    fn rotate(&self) -> LogRotateReport {
        self.rotate_at(NOW)
    }

    fn dies_at(&self, step: Step) -> bool {
        let options = Options { force: true, ..Options::default() };
        let strikes = Strikes { at: step, done: Cell::new(false) };
        let run = AssertUnwindSafe(|| rotate_with(&self.config, &options, time(NOW), &strikes));
        matches!(catch_unwind(run), Err(cause) if cause.is::<Death>())
    }

    fn clean_at(&self, now: &str, dry_run: bool) -> LogCleanReport {
        let options = Options { dry_run, ..Options::default() };
        clean_at(&self.config, &options, time(now)).unwrap().logs.remove("x").unwrap()
    }

    /// Names of the files in the hub's directory.
    fn names(&self) -> Vec<String> {
        let listed = fs::read_dir(self.dir.path().join("central")).unwrap();
        let mut names: Vec<String> =
            listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Everything in the archive, in its order.
    fn archive(&self) -> String {
        let shelf = super::find::shelf(
            &self.path("central"),
            super::file::Access::Read,
            &super::around::Around::of(&self.config),
        );
        let shelf = shelf.unwrap();
        let mut text = String::new();
        for file in shelf.rotated.iter().chain(&shelf.live) {
            file.reader(0).unwrap().read_to_string(&mut text).unwrap();
        }
        text
    }

    fn read(&self, side: &str) -> String {
        fs::read_to_string(self.path(side)).unwrap_or_default()
    }

    /// Everything below the directory: names, sizes, times.
    fn tree(&self) -> Vec<String> {
        fn walk(directory: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let file = fs::symlink_metadata(&path).unwrap();
                found.push(format!("{} {} {:?}", path.display(), file.len(), file.modified().unwrap()));
                if file.is_dir() {
                    walk(&path, found);
                }
            }
        }
        let mut found = Vec::new();
        walk(self.dir.path(), &mut found);
        found.sort();
        found
    }
}

fn temporary() -> PathBuf {
    std::env::temp_dir()
}

/// Where lines can never be taken out in place.
fn memory() -> Option<PathBuf> {
    let shm = PathBuf::from("/dev/shm");
    (shm.is_dir() && cut::block(&shm.join("cr0sync-test")) == Ok(None)).then_some(shm)
}

fn can_cut(within: &Path) -> bool {
    matches!(cut::block(&within.join("cr0sync-test")), Ok(Some(_)))
}

/// Numbered lines of many lengths.
fn lines(range: std::ops::Range<usize>) -> String {
    range.map(|n| format!("2031-07-14 {n:07} {}\n", "x".repeat(n % 61))).collect()
}

#[test]
fn a_file_that_nobody_holds_gets_another_name() {
    let world = World::new(&temporary(), &["bot", "website"], json!({}));
    world.append("bot", &lines(0..100));
    let report = world.rotate();
    assert_eq!(
        (report.state, report.method),
        (RotateState::Rotated, Some(RotateMethod::Rename)),
        "{report:?}"
    );
    assert_eq!(report.compressed, [world.path("central").with_file_name("x.log.2031-07-14.gz")]);
    assert_eq!(
        (world.names(), world.read("central")),
        (vec!["x.log".into(), "x.log.2031-07-14.gz".into()], String::new())
    );
    world.append("bot", &lines(100..200));
    world.append("central", "by hand\n");
    world.merge();
    world.append("bot", &lines(200..300));
    let report = world.rotate();
    assert_eq!(report.file, Some(world.path("central").with_file_name("x.log.2031-07-14-2")));
    let report = world.rotate();
    assert_eq!((report.state, report.reason), (RotateState::Unchanged, None), "there is nothing to rotate");
    world.append("bot", &lines(300..400));
    world.merge();
    let all = format!("{}by hand\n{}", lines(0..100), lines(100..400));
    assert_eq!(world.archive(), all);
    assert_eq!(world.read("website"), all);
    assert_eq!(world.names(), ["x.log", "x.log.2031-07-14-2.gz", "x.log.2031-07-14.gz"]);
}

#[test]
fn names_stay_in_order_when_the_clock_goes_back() {
    let world = World::new(&temporary(), &["bot", "website"], json!({"compress": false}));
    for (n, now) in [NOW, "2031-07-10 12:00:00", "2031-07-15 12:00:00"].iter().enumerate() {
        world.append("bot", &lines(n * 100..n * 100 + 100));
        assert_eq!(world.rotate_at(now).state, RotateState::Rotated);
    }
    world.merge();
    assert_eq!(world.names(), ["x.log", "x.log.2031-07-14", "x.log.2031-07-14-2", "x.log.2031-07-15"]);
    assert_eq!((world.archive(), world.read("website")), (lines(0..300), lines(0..300)));
}

#[test]
fn numbered_files_make_room() {
    let world =
        World::new(&temporary(), &["bot", "website"], json!({"dateext": false, "delaycompress": true}));
    for n in 0..4 {
        world.append("bot", &lines(n * 100..n * 100 + 100));
        assert_eq!(world.rotate().state, RotateState::Rotated);
    }
    world.append("bot", &lines(400..500));
    world.merge();
    assert_eq!(world.names(), ["x.log", "x.log.1", "x.log.2.gz", "x.log.3.gz", "x.log.4.gz"]);
    assert_eq!((world.archive(), world.read("website")), (lines(0..500), lines(0..500)));
}

#[test]
fn only_what_is_large_is_rotated_unless_forced() {
    let world = World::new(&temporary(), &[], json!({"maxsize": "1k"}));
    world.append("central", &"x".repeat(1023));
    world.append("central", "\n");
    let rotate = || super::rotate(&world.config, &Options::default()).unwrap().logs.remove("x").unwrap();
    assert_eq!(rotate().state, RotateState::Unchanged);
    world.append("central", "\n");
    assert_eq!(rotate().state, RotateState::Rotated);
}

#[test]
fn a_dry_run_touches_nothing() {
    let world = World::new(&temporary(), &["website"], json!({"rotate": 0, "maxage": 1}));
    world.append("central", &lines(0..100));
    world.rotate();
    world.append("central", &lines(100..200));
    world.merge();
    let before = world.tree();
    let options = Options { force: true, dry_run: true, ..Options::default() };
    let report = super::rotate(&world.config, &options).unwrap().logs.remove("x").unwrap();
    assert_eq!((report.state, report.method), (RotateState::Rotated, Some(RotateMethod::Rename)));
    assert_eq!(report.reason.as_deref(), Some("it would be rotated: nobody keeps it open"));
    let report = world.clean_at("2099-01-01 00:00:00", true);
    assert_eq!((report.state, report.files[0].reason.as_str()), (CleanState::Cleaned, "older than 1 day"));
    assert_eq!(world.tree(), before);
}

#[test]
fn a_writer_that_keeps_it_open_notices_nothing() {
    let within = temporary();
    if !can_cut(&within) {
        println!("the file system of {} cannot take lines out in place", within.display());
        return;
    }
    let world = World::new(&within, &["bot", "website"], json!({}));
    let mut writer = File::options().append(true).create(true).open(world.path("central")).unwrap();
    let mut all = String::new();
    for n in 0..4 {
        let more = lines(n * 10_000..n * 10_000 + 10_000);
        writer.write_all(more.as_bytes()).unwrap();
        all.push_str(&more);
        let report = world.rotate();
        assert_eq!(
            (report.state, report.method),
            (RotateState::Rotated, Some(RotateMethod::InPlace)),
            "{report:?}"
        );
        assert_eq!(report.warnings, [""; 0]);
        assert!(world.read("central").len() < 1 << 20);
    }
    world.append("bot", "of the bot\n");
    world.merge();
    all.push_str("of the bot\n");
    assert_eq!(world.archive(), all);
    assert_eq!(world.read("website"), all);
    assert_eq!(world.names().len(), 5);
}

#[test]
fn where_it_cannot_be_cut_it_says_what_to_do() {
    let Some(memory) = memory() else { return };
    let text = lines(0..1000);
    let world = World::new(&memory, &["website"], json!({}));
    let mut writer = File::options().append(true).create(true).open(world.path("central")).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    let report = world.rotate();
    assert_eq!((report.state, report.file), (RotateState::Skipped, None));
    assert_eq!(
        report.reason.as_deref(),
        Some(
            "a writer keeps it open, and its file system cannot take lines out in place: set \"postrotate\" to make the writer open the file again, or \"copytruncate\", which loses the lines that are written meanwhile"
        )
    );
    assert_eq!((world.read("central"), world.names()), (text.clone(), vec!["x.log".to_owned()]));

    let world = World::new(&memory, &["website"], json!({"copytruncate": true}));
    let mut writer = File::options().append(true).create(true).open(world.path("central")).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    let report = world.rotate();
    assert_eq!(
        (report.state, report.method),
        (RotateState::Rotated, Some(RotateMethod::CopyTruncate)),
        "{report:?}"
    );
    assert!(report.warnings[0].starts_with("copytruncate: lines that were written between"));
    writer.write_all(lines(1000..2000).as_bytes()).unwrap();
    world.merge();
    assert_eq!((world.archive(), world.read("website")), (lines(0..2000), lines(0..2000)));
}

#[test]
fn a_writer_that_is_told_opens_it_again() {
    for within in [Some(temporary()), memory()].into_iter().flatten() {
        let world = World::new(&within, &["website"], json!({"postrotate": ["/bin/true"]}));
        let mut writer = File::options().append(true).create(true).open(world.path("central")).unwrap();
        writer.write_all(lines(0..100).as_bytes()).unwrap();
        writer.write_all(b"half of ").unwrap();
        // A line that is being written is not cut.
        assert_eq!(world.rotate().state, RotateState::Skipped);
        writer.write_all(b"a line\n").unwrap();
        let report = world.rotate();
        assert_eq!((report.state, report.method), (RotateState::Rotated, Some(RotateMethod::Rename)));
        let told = |warning: &String| warning.contains("still open for writing after postrotate");
        assert!(report.warnings.iter().any(told), "{report:?}");
        assert!(report.compressed.is_empty(), "what is held open is not packed");
        writer.write_all(b"late\n").unwrap();
        drop(writer);
        world.append("central", "new\n");
        world.merge();
        assert_eq!(world.read("website"), format!("{}half of a line\nlate\nnew\n", lines(0..100)));
        let report = world.rotate();
        assert_eq!(report.compressed.len(), 2);
    }
    let world =
        World::new(&temporary(), &[], json!({"postrotate": ["/bin/sh", "-c", "echo no bot; exit 1"]}));
    let _writer = File::options().append(true).create(true).open(world.path("central")).unwrap();
    world.append("central", "a\n");
    let report = world.rotate();
    let why = "postrotate: /bin/sh failed (exit status: 1): no bot; ";
    assert!(report.warnings.iter().any(|warning| warning.starts_with(why)), "{report:?}");
}

#[test]
fn a_program_is_run_after_a_rotation_that_nobody_holds_open_as_well() {
    let mark = tempfile::tempdir().unwrap();
    let runs = mark.path().join("runs");
    let command = ["/bin/sh", "-c", "echo run >>\"$0\"", runs.to_str().unwrap()];
    let world = World::new(&temporary(), &["bot"], json!({"postrotate": command}));
    assert_ne!(world.rotate().state, RotateState::Rotated, "there is nothing");
    assert!(!runs.exists(), "nothing was rotated");
    for expected in ["run\n", "run\nrun\n"] {
        world.append("bot", &lines(0..10));
        let report = world.rotate();
        assert_eq!((report.state, report.method), (RotateState::Rotated, Some(RotateMethod::Rename)));
        assert_eq!(fs::read_to_string(&runs).unwrap(), expected);
    }
}

#[test]
fn a_writer_that_does_not_append_is_left_alone() {
    let world = World::new(&temporary(), &[], json!({"copytruncate": true}));
    let mut writer = File::options().write(true).create_new(true).open(world.path("central")).unwrap();
    writer.write_all(lines(0..1000).as_bytes()).unwrap();
    let report = world.rotate();
    assert_eq!(report.state, RotateState::Skipped);
    assert!(report.reason.unwrap().contains("without appending (O_APPEND)"));
}

#[test]
fn wherever_it_dies_nothing_is_lost_and_nothing_twice() {
    let held_ways = [
        (Some(temporary()).filter(|within| can_cut(within)), json!({})),
        (memory(), json!({"copytruncate": true})),
    ];
    let held = [Step::Recorded, Step::Segmented, Step::Cut, Step::Packed, Step::Saved];
    for (within, rotate) in held_ways {
        let Some(within) = within else { continue };
        for step in held {
            for next_is_merge in [true, false] {
                let world = World::new(&within, &["bot", "website"], rotate.clone());
                let mut writer =
                    File::options().append(true).create(true).open(world.path("central")).unwrap();
                writer.write_all(lines(0..5000).as_bytes()).unwrap();
                world.append("bot", &lines(5000..6000));
                assert!(world.dies_at(step), "{step:?}");
                writer.write_all(lines(6000..6100).as_bytes()).unwrap();
                if step == Step::Recorded {
                    // A process that is killed does not clear up.
                    let half = world.path("central").with_file_name("x.log.2031-07-14.new-rotate");
                    fs::write(half, "half of it").unwrap();
                }
                if next_is_merge {
                    world.merge();
                    let all = [lines(0..5000), lines(5000..6000), lines(6000..6100)].concat();
                    assert_eq!(
                        (world.archive() == all, world.read("website") == all),
                        (true, true),
                        "{step:?}"
                    );
                }
                world.append("bot", &lines(6100..30_000));
                let report = world.rotate();
                assert_eq!(report.state, RotateState::Rotated, "{step:?} {report:?}");
                writer.write_all(lines(30_000..30_100).as_bytes()).unwrap();
                world.merge();
                let all = lines(0..30_100);
                assert!(world.archive() == all, "{step:?}: {:?}", world.names());
                assert!(world.read("website") == all, "{step:?}");
                assert!(
                    world.names().iter().all(|name| !name.contains(".new-")),
                    "{step:?}: {:?}",
                    world.names()
                );
            }
        }
    }
    for step in [Step::Renamed, Step::Packed, Step::Appended, Step::Saved] {
        let world = World::new(&temporary(), &["bot", "website"], json!({}));
        world.append("bot", &lines(0..1000));
        assert!(world.dies_at(step), "{step:?}");
        world.append("bot", &lines(1000..1100));
        world.rotate();
        world.append("bot", &lines(1100..1200));
        world.rotate();
        assert!(world.archive() == lines(0..1200), "{step:?}: {:?}", world.names());
        assert!(world.read("website") == lines(0..1200), "{step:?}");
        assert!(
            world.names().iter().all(|name| *name == "x.log" || name.ends_with(".gz")),
            "{:?}",
            world.names()
        );
    }
}

#[test]
fn a_segment_goes_only_while_the_file_has_all_of_it() {
    let within = temporary();
    if !can_cut(&within) {
        return;
    }
    let world = World::new(&within, &[], json!({"compress": false}));
    let mut writer = File::options().append(true).create(true).open(world.path("central")).unwrap();
    writer.write_all(lines(0..5000).as_bytes()).unwrap();
    assert!(world.dies_at(Step::Segmented));
    // Somebody truncates it in between: the segment is all that is left.
    File::options().write(true).open(world.path("central")).unwrap().set_len(0).unwrap();
    writer.write_all(b"after that\n").unwrap();
    let report = merge(&world.config, &Options::default()).unwrap();
    let told = &report.logs["x"].warnings;
    assert!(matches!(&told[..], [told] if told.contains("is not there any more")), "{told:?}");
    let names = world.names();
    assert_eq!(names.len(), 2, "{names:?}");
    let segment = fs::read_to_string(world.path("central").with_file_name(&names[1])).unwrap();
    assert!(lines(0..5000).starts_with(&segment) && !segment.is_empty());
}

#[test]
fn a_record_that_nobody_can_read_stops_everything_in_words() {
    let world = World::new(&temporary(), &[], json!({}));
    world.append("central", "a\n");
    world.merge();
    fs::write(world.dir.path().join("sync_state/logs/rotation"), "{").unwrap();
    let why = merge(&world.config, &Options::default()).unwrap_err();
    assert!(why.to_string().contains("this says nothing of a rotation"), "{why}");
}

#[test]
fn the_old_go_once_every_copy_has_them() {
    let world = World::new(&temporary(), &["bot", "website"], json!({"maxage": 30, "rotate": 1}));
    let website = world.path("website");
    let aged = |name: &str, days: u64| {
        let file = File::options().write(true).open(world.path("central").with_file_name(name)).unwrap();
        file.set_modified(SystemTime::from(time(NOW)) - Duration::from_secs(days * 86_400)).unwrap();
    };
    for (n, day) in ["2031-04-01 00:00:00", "2031-04-02 00:00:00", "2031-07-01 00:00:00"].iter().enumerate() {
        world.append("bot", &lines(n * 100..n * 100 + 100));
        assert_eq!(world.rotate_at(day).state, RotateState::Rotated);
    }
    for (name, days) in
        [("x.log.2031-04-01.gz", 104), ("x.log.2031-04-02.gz", 103), ("x.log.2031-07-01.gz", 13)]
    {
        aged(name, days);
    }
    let reasons = |report: &LogCleanReport| -> Vec<String> {
        report.files.iter().map(|file| format!("{} {} {}", file.age_days, file.keep, file.reason)).collect()
    };
    // The end that is on record lies in the third.
    let report = world.clean_at("2020-01-01 00:00:00", false);
    assert_eq!(report.state, CleanState::Unchanged);
    assert!(
        report.files.iter().all(|file| file.keep && file.reason.contains("nothing is removed")),
        "{report:?}"
    );
    // The website is not there for a while.
    fs::rename(world.path("website").parent().unwrap(), world.dir.path().join("away")).unwrap();
    world.append("bot", &lines(300..400));
    let _ = merge(&world.config, &Options::default()).unwrap();
    world.append("bot", &lines(400..500));
    assert_eq!(world.rotate_at("2031-07-02 00:00:00").state, RotateState::Rotated);
    aged("x.log.2031-07-02.gz", 60);
    let report = world.clean_at(NOW, false);
    assert_eq!(
        reasons(&report),
        [
            "104 false older than 30 days",
            "103 false older than 30 days",
            "13 true of the last 30 days",
            "60 true among the newest 1"
        ]
    );
    assert_eq!(report.state, CleanState::Cleaned);
    aged("x.log.2031-07-01.gz", 61);
    world.append("bot", &lines(500..600));
    assert_eq!(world.rotate_at("2031-07-03 00:00:00").state, RotateState::Rotated);
    aged("x.log.2031-07-03.gz", 59);
    let report = world.clean_at(NOW, false);
    assert_eq!(
        reasons(&report),
        [
            "61 false older than 30 days",
            "60 true older than 30 days, but website has not got all of it",
            "59 true among the newest 1"
        ]
    );
    // It comes back, gets the rest, and nothing twice.
    fs::rename(world.dir.path().join("away"), website.parent().unwrap()).unwrap();
    world.append("bot", &lines(600..700));
    world.merge();
    assert!(world.read("website") == lines(0..700));
    let report = world.clean_at(NOW, false);
    assert_eq!(reasons(&report), ["60 false older than 30 days", "59 true among the newest 1"]);
    world.append("bot", &lines(700..800));
    world.merge();
    assert!(world.read("website") == lines(0..800));
}

#[test]
fn a_log_of_the_hub_alone_is_cleaned_by_age() {
    let world = World::new(&temporary(), &[], json!({"maxage": 1, "rotate": 0}));
    world.append("central", "a\n");
    assert_eq!(world.rotate().state, RotateState::Rotated);
    let report = world.clean_at("2099-01-01 00:00:00", false);
    assert_eq!(report.files[0].reason, "older than 1 day, but it was not merged since it was rotated");
    world.merge();
    let report = world.clean_at("2099-01-01 00:00:00", false);
    assert_eq!((report.state, world.names()), (CleanState::Cleaned, vec!["x.log".to_owned()]), "{report:?}");
}

#[test]
fn what_lies_in_another_directory_is_of_the_archive() {
    let world = World::new(&temporary(), &["bot", "website"], json!({"olddir": "old"}));
    world.append("bot", &lines(0..100));
    let report = world.rotate();
    assert_eq!(
        (report.state, world.names()),
        (RotateState::Rotated, vec!["old".to_owned(), "x.log".to_owned()])
    );
    world.append("bot", &lines(100..200));
    world.merge();
    assert_eq!(fs::read_to_string(world.path("central")).unwrap(), lines(100..200));
    assert_eq!(fs::read_to_string(world.path("website")).unwrap(), lines(0..200));
}
