//! Tests of the periodic jobs as a whole, by the minutes of a machine of their own.

use serde_json::json;
use tempfile::TempDir;

use super::*;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// A small site with a baseline, and the clocks of its machine.
pub(super) struct World {
    directory: TempDir,
    pub(super) config: Config,
    pub(super) now: Moment,
}

impl World {
    pub(super) fn new() -> World {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let web = root.join("web");
        std::fs::create_dir_all(&web).unwrap();
        std::fs::create_dir(root.join("shared_storage")).unwrap();
        std::fs::write(web.join("auth.php"), "<?php").unwrap();
        let list = json!({ "monitored_files": [], "monitored_directories": [web] });
        std::fs::write(root.join("shared_storage/integrity_config.json"), list.to_string()).unwrap();
        let config = json!({ "version": 1, "root": root, "databases": {}, "logs": {} });
        let config = Config::parse(config.to_string().as_bytes(), root, None).unwrap();
        integrity::baseline(&config, None).unwrap();
        // In the second minute of a day.
        let now = Moment { unix: 20_000 * DAY + MINUTE, boot: "a".to_owned(), up: 1000 };
        World { directory, config, now }
    }

    /// Time goes on by so much.
    pub(super) fn wait(&mut self, seconds: i64) {
        self.now.unix += seconds;
        self.now.up += u64::try_from(seconds).unwrap();
    }

    /// A run at this moment.
    pub(super) fn run(&self) -> SecurityRunReport {
        run_at(&self.config, &self.now).unwrap()
    }

    /// What ran in it, and what else is to be said.
    fn said(&self) -> String {
        words(&self.run())
    }

    /// What `status` says of problems, without that of this machine.
    pub(super) fn problems(&self) -> String {
        let status = status::status_at(&self.config, &self.now).unwrap();
        let problems = status.files.problems.iter();
        problems.map(|one| format!("{}; {:?}; {}\n", one.problem, one.first, one.next)).collect()
    }

    /// So many events of a kind.
    pub(super) fn events(&self, kind: &str) -> usize {
        let text = std::fs::read_to_string(&self.config.events.log).unwrap_or_default();
        text.lines().filter(|line| line.contains(kind)).count()
    }

    /// What ran in so many minutes, each of which has a run, with how often.
    fn minutes(&mut self, minutes: i64) -> BTreeMap<&'static str, u32> {
        let mut counts = BTreeMap::new();
        for _ in 0..minutes {
            self.wait(MINUTE);
            for (name, job) in self.run().jobs {
                assert_ne!(job.state, JobState::Failed, "{name} {job:?}");
                if job.state == JobState::Ran {
                    *counts.entry(name).or_default() += 1;
                }
            }
        }
        counts
    }
}

/// The state of each job that was due, in the order of names.
pub(super) fn words(report: &SecurityRunReport) -> String {
    let due = report.jobs.iter().filter(|(_, job)| job.state != JobState::NotDue);
    let words: Vec<String> = due.map(|(name, job)| format!("{name} {:?}", job.state)).collect();
    words.join(", ")
}

const ALL: &str = "archive Ran, check Ran, limits Ran, sessions Ran, verify_events Ran";

#[test]
fn each_job_runs_in_each_of_its_slots() {
    let mut world = World::new();
    assert_eq!(world.said(), ALL);
    assert_eq!(world.said(), "", "a second run in the same minute does nothing");
    let counts = world.minutes(125);
    assert_eq!(counts, BTreeMap::from([("check", 25), ("limits", 2), ("sessions", 2)]));
    let report = world.run();
    let next = |name: &str| report.jobs[name].next.clone().unwrap();
    // The clock is at 02:06.
    assert_eq!(next("check"), "2024-10-04T02:10:00.000Z");
    assert_eq!(next("limits"), "2024-10-04T03:00:00.000Z");
    assert_eq!(next("archive"), "2024-10-05T00:00:00.000Z");
    assert_eq!((report.ok, report.exit_code()), (true, 0));
    let status = status::status_at(&world.config, &world.now).unwrap();
    assert_eq!((status.files.ok, status.chain), (status.files.warnings.is_empty(), Some("whole")));
    let last = |name: &str| status.last_runs[name].clone().unwrap();
    assert_eq!(last("check"), "2024-10-04T02:05:00.000Z");
    assert_eq!(last("verify_events"), "2024-10-04T00:01:00.000Z");
}

#[test]
fn minutes_without_a_run_are_made_up_for_once() {
    let mut world = World::new();
    world.run();
    world.wait(9 * DAY);
    assert_eq!(world.said(), ALL);
    assert_eq!(world.said(), "");
    world.wait(17 * MINUTE);
    assert_eq!(world.said(), "check Ran");
    world.wait(MINUTE);
    assert_eq!(world.said(), "");
    // Another start of the machine.
    (world.now.boot, world.now.up) = ("b".to_owned(), 3);
    world.wait(2 * 60 * MINUTE);
    assert_eq!(world.said(), "check Ran, limits Ran, sessions Ran");
}

#[test]
fn a_clock_that_is_set_stops_no_job_and_repeats_none() {
    for by in [-DAY, -60 * MINUTE, -90, 90, 60 * MINUTE, DAY] {
        let mut world = World::new();
        world.run();
        world.minutes(7);
        world.now.unix += by;
        let counts = world.minutes(120);
        assert!((24..=25).contains(&counts["check"]), "{by} {counts:?}");
        assert!((2..=3).contains(&counts["limits"]), "{by} {counts:?}");
        assert_eq!(counts.get("archive").copied().unwrap_or(0), u32::from(by == DAY), "{by}");
        // And back again.
        world.now.unix -= by;
        let counts = world.minutes(120);
        assert!((24..=25).contains(&counts["check"]), "{by} {counts:?}");
    }
}

#[test]
fn a_job_that_fails_stops_no_other_and_is_told() {
    let mut world = World::new();
    // A directory where there should be a file of sessions, and one in the place of the event log.
    std::fs::create_dir_all(&world.config.access.sessions).unwrap();
    std::fs::remove_file(&world.config.events.log).unwrap();
    std::fs::create_dir_all(&world.config.events.log).unwrap();
    let report = world.run();
    assert_eq!(
        words(&report),
        "archive Failed, check Ran, limits Ran, sessions Failed, verify_events Failed"
    );
    assert_eq!((report.ok, report.exit_code()), (false, 2));
    let reason = report.jobs["sessions"].reason.clone().unwrap();
    assert!(reason.contains("api_sessions.json"), "{reason}");
    // Not in each minute, but in its next slot; that no event can be written, in each.
    world.wait(MINUTE);
    let report = world.run();
    assert_eq!((words(&report).as_str(), report.exit_code()), ("", 2));
    std::fs::remove_dir(&world.config.access.sessions).unwrap();
    world.wait(60 * MINUTE);
    assert_eq!(world.said(), "check Ran, limits Ran, sessions Ran");
}

#[test]
fn what_is_found_is_told_once() {
    let mut world = World::new();
    world.run();
    std::fs::write(world.directory.path().join("web/new.php"), "").unwrap();
    world.wait(5 * MINUTE);
    let report = world.run();
    assert_eq!((report.exit_bits, report.new_findings, report.ok, report.exit_code()), (1, 1, false, 1));
    assert_eq!(report.jobs["check"].report["findings"][0]["kind"], "added");
    world.wait(5 * MINUTE);
    let report = world.run();
    assert_eq!((report.exit_bits, report.new_findings, report.ok, report.exit_code()), (1, 0, false, 0));
}

#[test]
fn a_list_that_makes_no_sense_is_told_by_each_run_and_put_on_record_once() {
    let mut world = World::new();
    world.run();
    let list = std::fs::read(&world.config.integrity.config).unwrap();
    std::fs::write(&world.config.integrity.config, "{").unwrap();
    let recorded = |world: &World| {
        let text = std::fs::read_to_string(&world.config.events.log).unwrap_or_default();
        text.lines()
            .filter(|line| line.contains("integrity_config.json") && line.contains("CRITICAL"))
            .filter(|line| !line.contains("check_failed"))
            .count()
    };
    for expected in ["check Failed", "", "", "check Failed"] {
        world.wait(if expected.is_empty() { MINUTE } else { 5 * MINUTE });
        let report = world.run();
        assert_eq!((words(&report).as_str(), report.exit_code(), report.ok), (expected, 2, false));
        let said = report.problems.first().cloned().or(report.jobs["check"].reason.clone()).unwrap();
        assert!(said.contains("mend it or remove it"), "{said}");
    }
    assert_eq!(recorded(&world), 1);
    std::fs::write(&world.config.integrity.config, list).unwrap();
    world.wait(5 * MINUTE);
    assert_eq!((world.run().exit_code(), world.run().problems), (0, Vec::new()));
    // When it breaks again, that is told again.
    std::fs::write(&world.config.integrity.config, r#"{"monitored_files": [], "monitored_directories": []}"#)
        .unwrap();
    world.wait(5 * MINUTE);
    assert_eq!((world.run().exit_code(), recorded(&world)), (2, 2));
}

#[test]
fn a_job_that_somebody_else_is_at_is_tried_again_and_fails_in_the_end() {
    let mut world = World::new();
    world.run();
    world.wait(5 * MINUTE);
    let checking = Lock::take(&world.config.root, &world.config.ownership, "integrity", 0).unwrap();
    let report = world.run();
    assert_eq!((words(&report).as_str(), report.exit_code()), ("check Skipped", 0));
    assert_eq!(report.jobs["check"].next, None);
    drop(checking);
    world.wait(MINUTE);
    assert_eq!(world.said(), "check Ran");
    let checking = Lock::take(&world.config.root, &world.config.ownership, "integrity", 0).unwrap();
    // Somebody is at it, and nobody can tell yet that it will not end.
    world.wait(4 * MINUTE);
    for _ in 0..5 {
        assert_eq!((world.said().as_str(), world.events("check_blocked")), ("check Skipped", 0));
        world.wait(MINUTE);
    }
    for _ in 0..3 {
        let report = world.run();
        assert_eq!((words(&report).as_str(), report.exit_code()), ("check Failed", 2));
        assert_eq!(world.events("check_blocked"), 1, "once");
        let own = format!("process {} holds the lock integrity", std::process::id());
        let problems = world.problems();
        assert!(
            problems.starts_with("check is due and has not run since") && problems.contains(&own),
            "{problems}"
        );
        world.wait(MINUTE);
    }
    drop(checking);
    assert_eq!((world.said().as_str(), world.problems().as_str()), ("check Ran", ""));
    // And told again, should it come again.
    let _checking = Lock::take(&world.config.root, &world.config.ownership, "integrity", 0).unwrap();
    world.wait(5 * MINUTE);
    world.run();
    world.wait(5 * MINUTE);
    assert_eq!((world.run().exit_code(), world.events("check_blocked")), (2, 2));
}

#[test]
fn a_run_is_turned_away_while_another_is_at_work() {
    let world = World::new();
    let _other = Lock::take(&world.config.root, &world.config.ownership, "security", 0).unwrap();
    let error = run_at(&world.config, &world.now).unwrap_err();
    assert_eq!((error.kind(), error.kind().exit_code()), (ErrorKind::Locked, 75));
}

#[test]
fn a_schedule_that_makes_no_sense_makes_all_due() {
    let mut world = World::new();
    world.run();
    world.wait(MINUTE);
    let path = world.config.root.join("sync_state/private/schedule");
    assert_eq!(world.said(), "");
    std::fs::write(&path, "cr0").unwrap();
    assert_eq!(world.said(), ALL);
    // One that nobody can have written who saw these clocks.
    let far = json!({ "unix": i64::MAX, "boot": "a", "up": u64::MAX });
    let jobs = json!({ "check": far, "limits": far, "sessions": far, "archive": far, "verify_events": far });
    let text = json!({ "format": "cr0sync schedule", "version": 1, "jobs": jobs }).to_string();
    std::fs::write(&path, text).unwrap();
    assert_eq!(world.said(), ALL);
    assert_eq!(world.said(), "");
    // Where nothing can be remembered, the jobs run all the same, and that is told.
    let private = path.parent().unwrap();
    std::fs::rename(private, private.with_extension("away")).unwrap();
    std::fs::write(private, "").unwrap();
    let report = world.run();
    assert_eq!((words(&report).as_str(), report.exit_code(), report.problems.len()), (ALL, 2, 1));
    assert_eq!(report.exit_bits, 16);
}

/// As whoever may write beside it may do at any moment.
#[test]
fn what_takes_the_place_of_the_directory_of_the_schedule_is_neither_read_nor_written()
-> std::result::Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let config = Config::parse(br#"{"version": 1}"#, directory.path(), None)?;
    let place = directory.path().join("sync_state/private");
    let away = directory.path().join("away");
    let now = Moment { unix: 1, boot: "a".to_owned(), up: 1 };
    let private = integrity::Private::create(&config)?;
    std::fs::rename(&place, &away)?;
    std::fs::create_dir(&place)?;
    let theirs = r#"{"format": "cr0sync schedule", "version": 1,
                     "jobs": {"check": {"unix": 9, "boot": "a", "up": 9}}}"#;
    std::fs::write(place.join("schedule"), theirs)?;
    let mut schedule = Schedule::open(Box::new(private))?;
    assert_eq!(schedule.last("check"), None);
    schedule.begin("check", &now)?;
    assert_eq!(std::fs::read_to_string(place.join("schedule"))?, theirs);
    assert!(std::fs::read_to_string(away.join("schedule"))?.contains("\"unix\":1"));
    Ok(())
}
