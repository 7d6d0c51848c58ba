//! Tests of what is to be told, by a clock of their own.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::events::{Event, record};

struct World {
    _directory: TempDir,
    config: Config,
    now: i64,
}

impl World {
    fn new(alerts: Value) -> World {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let config = json!({ "version": 1, "databases": {}, "logs": {}, "alerts": alerts });
        let config = Config::parse(config.to_string().as_bytes(), root, None).unwrap();
        World { _directory: directory, config, now: clock::now().timestamp() + 1 }
    }

    fn happens(&self, severity: Severity, kinds: &[&str]) {
        for kind in kinds {
            let (kind, details) = ((*kind).to_owned(), Value::Null);
            record(&self.config, &Event { kind, severity, details, ip: None, session: None }).unwrap();
        }
    }

    fn due(&self) -> (Vec<String>, AlertsReport) {
        let report = due_at(&self.config, self.now).unwrap();
        let kind = |event: &Map<String, Value>| event["type"].as_str().unwrap().to_owned();
        (report.events.iter().map(kind).collect(), report)
    }

    fn told(&self, report: &AlertsReport) -> usize {
        accept(&self.config, report.token.as_deref().unwrap()).unwrap().told
    }

    fn memory(&self) -> PathBuf {
        self.config.root.join("sync_state/private/alerts")
    }
}

#[test]
fn an_event_is_given_until_it_was_told_and_then_no_more() {
    let mut world = World::new(json!({ "severity": "HIGH" }));
    assert_eq!(world.due().0, [""; 0]);
    world.happens(Severity::Critical, &["A"]);
    world.happens(Severity::Medium, &["SMALL"]);
    world.happens(Severity::High, &["B"]);
    for _ in 0..3 {
        world.now += 60;
        assert_eq!(world.due().0, ["A", "B"], "nobody was told");
    }
    let (_, first) = world.due();
    // Somebody else asked meanwhile.
    let (_, second) = world.due();
    let refused = accept(&world.config, first.token.as_deref().unwrap()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Usage);
    assert_eq!(world.told(&second), 2);
    let again = accept(&world.config, second.token.as_deref().unwrap()).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Usage);
    assert_eq!(world.due().0, [""; 0]);
    world.happens(Severity::Critical, &["C"]);
    assert_eq!(world.due().0, ["C"]);
    // Its time is over, and it was not told: it is still given.
    world.now += 50 * 60;
    assert_eq!(world.due().0, ["C"]);
    world.now += 10 * HOUR;
    let (kinds, report) = world.due();
    assert_eq!((kinds, world.told(&report)), (vec!["C".to_owned()], 1));
    world.now += 10 * HOUR;
    assert_eq!(world.due().0, [""; 0]);
}

#[test]
fn the_rate_limit_lets_events_wait_and_drops_none() {
    let mut world = World::new(json!({ "per_hour": 2 }));
    for kind in ["A", "B"] {
        world.happens(Severity::Critical, &[kind]);
        let (kinds, report) = world.due();
        assert_eq!((kinds, world.told(&report)), (vec![kind.to_owned()], 1));
    }
    world.happens(Severity::Critical, &["C", "D"]);
    for _ in 0..2 {
        let (kinds, report) = world.due();
        assert_eq!((kinds.len(), report.waiting, report.token.clone()), (0, 2, None));
        assert_eq!(unix_next(&report), world.now + HOUR);
    }
    world.now += HOUR;
    let (kinds, report) = world.due();
    assert_eq!((kinds, world.told(&report)), (vec!["C".to_owned(), "D".to_owned()], 2));
}

fn unix_next(report: &AlertsReport) -> i64 {
    DateTime::parse_from_rfc3339(report.next.as_deref().unwrap()).unwrap().timestamp()
}

#[test]
fn of_many_the_first_and_the_last_are_told_and_then_the_others() {
    let mut world = World::new(json!({ "per_hour": 1 }));
    let kinds: Vec<String> = (0..230).map(|number| format!("E{number}")).collect();
    world.happens(Severity::Critical, &kinds.iter().map(String::as_str).collect::<Vec<_>>());
    let ends = |all: &[String]| [&all[..50], &all[all.len() - 50..]].concat();
    let mut left = kinds;
    for rest in [130, 30] {
        let (given, report) = world.due();
        assert_eq!((&given, report.left_out), (&ends(&left), rest));
        assert_eq!(world.told(&report), 100);
        left.retain(|kind| !given.contains(kind));
        // They stay in reach while they wait, and nobody is told twice.
        world.now += 2 * HOUR;
    }
    let (given, report) = world.due();
    assert_eq!((given, report.left_out, world.told(&report)), (left, 0, 30));
    world.now += 2 * HOUR;
    assert_eq!(world.due().0, [""; 0]);
}

/// Whoever fills the log hides no later event, and that some were not told is said.
#[test]
fn more_than_is_looked_for_is_said_and_holds_up_nobody() {
    let mut world = World::new(json!({ "per_hour": 1000 }));
    let kinds: Vec<String> = (0..50).map(|number| format!("E{number}")).collect();
    world.happens(Severity::Critical, &kinds.iter().map(String::as_str).collect::<Vec<_>>());
    let within = |world: &World| due_within(&world.config, world.now, 10).unwrap();
    let report = within(&world);
    assert_eq!((report.events.len(), report.more, report.problems.len()), (MOST_SEARCHES * 10, true, 0));
    world.told(&report);
    world.now += 60;
    let report = within(&world);
    assert!(report.events.is_empty() && report.problems[0].contains("were not told"), "{report:?}");
    world.happens(Severity::Critical, &["LATER"]);
    world.now += 60;
    let report = within(&world);
    let kinds: Vec<&Value> = report.events.iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["LATER"]);
    world.told(&report);
    world.now += 2 * HOUR;
    within(&world);
    world.now += 60;
    assert_eq!(within(&world).problems, [""; 0], "they are out of reach, and nobody waits for them");
}

#[test]
fn all_that_is_handed_out_is_there_once_and_in_order() {
    for count in [0, 1, 49, 50, 51, 99, 100, 101, 150, 1000] {
        let all: Vec<usize> = (0..count).rev().collect();
        let given: Vec<usize> = at_the_ends(&all.iter().collect::<Vec<_>>()).into_iter().copied().collect();
        let wanted: Vec<usize> = (0..count).filter(|one| *one < 50 || one + 50 >= count).collect();
        assert_eq!(given, if count <= 100 { (0..count).collect() } else { wanted }, "{count}");
    }
}

#[test]
fn a_memory_that_others_could_have_written_counts_for_nothing() {
    let world = World::new(json!({}));
    world.happens(Severity::Critical, &["A"]);
    let (_, report) = world.due();
    world.told(&report);
    assert_eq!(world.due().0, [""; 0], "it survives");
    let text = std::fs::read(world.memory()).unwrap();
    let mode =
        |mode| std::fs::set_permissions(world.memory(), std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o666);
    let (kinds, report) = world.due();
    assert_eq!(kinds, ["A"]);
    assert!(report.problems[0].contains("others may write to it"), "{:?}", report.problems);
    world.told(&report);
    assert_eq!(world.memory().metadata().unwrap().permissions().mode() & 0o077, 0, "it is written anew");
    assert_eq!(world.due().1.problems, [""; 0]);
    for wrong in ["{", "{\"format\":\"cr0sync-alerts-1\",\"told\":7}"] {
        std::fs::write(world.memory(), wrong).unwrap();
        let (kinds, report) = world.due();
        assert_eq!((kinds.len(), report.problems.len()), (1, 1), "{report:?}");
        world.told(&report);
    }
    std::fs::write(world.memory(), String::from_utf8_lossy(&text).replace("alerts-1", "alerts-2")).unwrap();
    assert_eq!(due_at(&world.config, world.now).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_line_of_somebody_else_keeps_no_event_from_being_told() {
    let world = World::new(json!({}));
    world.happens(Severity::Critical, &["A"]);
    let log = &world.config.events.log;
    let line = std::fs::read_to_string(log).unwrap();
    let forged = line.replacen("\"seq\":1", "\"seq\":9000000000", 1);
    assert_ne!(line, forged);
    std::fs::write(log, format!("{line}{forged}")).unwrap();
    let (kinds, report) = world.due();
    assert_eq!(kinds.len(), 2);
    world.told(&report);
    std::fs::write(log, &line).unwrap();
    world.happens(Severity::Critical, &["B"]);
    assert_eq!(world.due().0, ["B"]);
}

#[test]
fn attempts_count_and_what_could_never_be_told_is_not_forgotten() {
    let mut world = World::new(json!({ "per_hour": 3 }));
    world.happens(Severity::Critical, &["A"]);
    // The program that should be told fails from the first time on.
    for hour in 0..5 {
        for attempt in 0..3 {
            assert_eq!(world.due().0, ["A"], "hour {hour}, attempt {attempt}");
            world.now += 60;
        }
        assert_eq!(world.due().1.waiting, 1, "hour {hour}");
        world.now += HOUR;
    }
    let (_, report) = world.due();
    assert_eq!(world.told(&report), 1);
    assert_eq!(world.due().0, [""; 0]);
}

#[test]
fn what_waits_for_long_is_seen_by_who_only_looks() {
    let mut world = World::new(json!({ "severity": "HIGH", "per_hour": 1 }));
    let waiting =
        |world: &World| waiting(&world.config, world.now, 180).map(|one| (one.count, one.next.is_some()));
    assert_eq!(waiting(&world), None, "nobody ever asked");
    assert!(!world.memory().exists(), "looking makes nothing");
    world.due();
    world.happens(Severity::High, &["A", "B"]);
    world.happens(Severity::Low, &["SMALL"]);
    world.now += 100;
    assert_eq!(waiting(&world), None, "the next minute tells of them");
    world.now += 100;
    assert_eq!(waiting(&world), Some((2, false)));
    let (_, report) = world.due();
    let before = std::fs::read(world.memory()).unwrap();
    assert_eq!(
        waiting(&world),
        Some((2, true)),
        "they were handed out, which is the one delivery of the hour"
    );
    assert_eq!(std::fs::read(world.memory()).unwrap(), before);
    world.told(&report);
    assert_eq!(waiting(&world), None);
}
