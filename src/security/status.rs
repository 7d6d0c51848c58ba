//! How it is, with what is done by the clock: a cron that stopped, a job that fails, and one that cannot run are seen here.
//!
//! Looks and writes nothing. What is known of jobs lies where only their user may look; others see it by the last check.

use chrono::DateTime;
use serde_json::Value;

use super::blocked::holders;
use super::chain;
use super::job::Job;
use super::time;
use crate::clock::Moment;
use crate::config::Config;
use crate::error::Result;
use crate::report::{LockHeld, SecurityStatusReport, StatusProblem};
use crate::schedule::Schedule;
use crate::{access, durable, events, integrity};

/// What has not run for so many times its length is told.
const PATIENCE: i64 = 2;

/// Says how it is with watched files, what the jobs came to, and whether they run at all.
///
/// # Errors
/// As [`integrity::status`].
pub fn status(config: &Config) -> Result<SecurityStatusReport> {
    status_at(config, &Moment::now())
}

pub(super) fn status_at(config: &Config, now: &Moment) -> Result<SecurityStatusReport> {
    let mut files = integrity::status(config)?;
    let private = integrity::Private::look(config);
    let schedule = private.and_then(|private| Schedule::open(Box::new(private)).ok());
    let problems = match &schedule {
        Some(schedule) => by_schedule(config, schedule, &files.locks, now),
        None => by_last_check(config, &files.last_check, now).into_iter().collect(),
    };
    files.problems.extend(problems);
    files.problems.extend(durable::problems(config));
    files.problems.extend(access::problems(config));
    files.problems.extend(unusable(config));
    files.ok = files.ok && files.problems.is_empty();
    let schedule = schedule.unwrap_or_else(Schedule::empty);
    let last = |job: Job| schedule.last(job.name()).and_then(time);
    let chain = schedule.ended(Job::VerifyEvents.name()).and_then(|ended| match ended {
        ended if ended.found.is_some() => Some("broken"),
        _ if chain::is_acknowledged(&schedule, Job::VerifyEvents.name()) => Some("acknowledged"),
        ended => ended.problem.is_none().then_some("whole"),
    });
    let last_runs = Job::ALL.into_iter().map(|job| (job.name(), last(job))).collect();
    Ok(SecurityStatusReport { files, last_runs, chain })
}

/// What keeps events from being written.
fn unusable(config: &Config) -> impl Iterator<Item = StatusProblem> {
    let problem =
        |events::Problem { problem, first }| StatusProblem { problem, first: Some(first), next: "status" };
    events::problems(config).into_iter().map(problem)
}

fn by_schedule(config: &Config, schedule: &Schedule, locks: &[LockHeld], now: &Moment) -> Vec<StatusProblem> {
    let is_new = |job: Job| schedule.last(job.name()).is_none() && schedule.waits(job.name()).is_none();
    if Job::ALL.into_iter().all(is_new) {
        let held = holders(locks, Job::Check);
        let problem = format!("nothing was done by the clock yet{held}");
        return vec![StatusProblem {
            problem,
            first: Some(format!("have cron call it: {}", caller(config))),
            next: "run",
        }];
    }
    Job::ALL.into_iter().flat_map(|job| of_job(config, schedule, job, locks, now)).collect()
}

/// What makes cron call it each minute.
fn caller(config: &Config) -> String {
    let script = config.root.join("install_crontabs.sh");
    match script.is_file() {
        true => format!("sh {}", durable::quoted(&script)),
        false => format!(
            "make install-system ROOT={}, then install_crontabs.sh there",
            durable::quoted(&config.root)
        ),
    }
}

/// What is to be said of one job.
fn of_job(
    config: &Config,
    schedule: &Schedule,
    job: Job,
    locks: &[LockHeld],
    now: &Moment,
) -> Vec<StatusProblem> {
    let mut all = Vec::new();
    let (name, held) = (job.name(), holders(locks, job));
    let every = job.every_minutes(config);
    let is_old = |last: &Moment| now.age_of(last) > i64::from(every) * 60 * PATIENCE;
    let (last, waits) = (schedule.last(name), schedule.waits(name));
    let said = |moment: Option<&Moment>| moment.and_then(time).unwrap_or_else(|| "a time unknown".to_owned());
    match (last, waits) {
        (_, Some(since)) if now.age_of(since) >= job.patience(config) => {
            let since = said(Some(since));
            all.push(StatusProblem {
                problem: format!("{name} is due and has not run since {since}, as others are at it{held}"),
                first: Some("find out who they are, and end them".to_owned()),
                next: "run",
            });
        }
        (Some(last), _) if is_old(last) => all.push(StatusProblem {
            problem: format!(
                "{name} ran last at {}, and should every {every} minutes{held}",
                said(Some(last))
            ),
            first: Some(format!("see that cron calls it: {}", caller(config))),
            next: "run",
        }),
        (None, None) => {
            all.push(StatusProblem { problem: format!("{name} never ran{held}"), first: None, next: "run" })
        }
        _ => {}
    }
    let ended = schedule.ended(name);
    let is_at_work = locks.iter().any(|lock| lock.name == "security");
    if !is_at_work && schedule.is_unfinished(name) {
        all.push(StatusProblem {
            problem: format!("{name} began at {} and did not end: something killed it", said(last)),
            first: None,
            next: job.command(),
        });
    }
    let Some(ended) = ended else { return all };
    let at = said(Some(&ended.of));
    if let Some(found) = &ended.found {
        let problem = format!("the chain of events is broken, as {name} found at {at}: {found}");
        let first = Some("find out who did that (verify-events looks again)".to_owned());
        all.push(StatusProblem { problem, first, next: "verify-events --acknowledge" });
    }
    if let Some(problem) = &ended.problem {
        let problem = format!("{name} failed at {at}: {problem}");
        all.push(StatusProblem { problem, first: None, next: job.command() });
    }
    all
}

/// For who may not look at what is known of jobs: the report of the last check says when that was.
fn by_last_check(config: &Config, last_check: &Value, now: &Moment) -> Option<StatusProblem> {
    let at = last_check.get("at")?.as_str()?;
    let then = DateTime::parse_from_rfc3339(at).ok()?.timestamp();
    let most = i64::from(config.integrity.every_minutes) * 60 * PATIENCE;
    (now.unix.saturating_sub(then) > most).then(|| StatusProblem {
        problem: format!(
            "the last check was at {at}, and one should be every {} minutes",
            config.integrity.every_minutes
        ),
        first: Some(format!("see that cron calls it: {}", caller(config))),
        next: "run",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::durable::Lock;
    use crate::report::{JobState, SecurityRunReport};
    use crate::security::tests::{World, words};

    const MINUTE: i64 = 60;
    const DAY: i64 = 86_400;

    #[test]
    fn that_nobody_is_let_in_is_a_problem_of_each_cleanup() {
        let mut world = World::new();
        let _ = world.run();
        let keys = world.config.access.keys.clone();
        let ledgers = [
            world.config.root.join("sync_state/access/keys"),
            std::path::PathBuf::from(format!("{}.withdrawn", keys.display())),
        ];
        for ledger in &ledgers {
            std::fs::create_dir_all(ledger.parent().unwrap()).unwrap();
            std::fs::write(ledger, "damaged").unwrap();
        }
        for _ in 0..2 {
            world.wait(60 * MINUTE);
            let report = world.run();
            assert_eq!(
                (words(&report).as_str(), report.exit_code()),
                ("check Ran, limits Ran, sessions Failed", 2)
            );
            let reason = report.jobs["sessions"].reason.clone().unwrap();
            assert!(reason.contains("nobody can say which"), "{reason}");
            assert!(world.problems().starts_with("sessions failed at "), "{}", world.problems());
        }
        ledgers.iter().for_each(|ledger| std::fs::remove_file(ledger).unwrap());
        world.wait(60 * MINUTE);
        assert_eq!((world.run().exit_code(), world.problems().as_str()), (0, ""));
        // A file that makes no sense as well.
        std::fs::write(&keys, "{").unwrap();
        world.wait(60 * MINUTE);
        let report = world.run();
        assert_eq!(report.exit_code(), 2);
        assert!(world.problems().contains("api_keys.json lets nobody in"), "{}", world.problems());
    }

    #[test]
    fn warnings_of_jobs_are_told_and_are_new_once() {
        let mut world = World::new();
        world.run();
        let odd = |name: &str| json!({ name: { "permissions": 1 } }).to_string();
        let told = |report: &SecurityRunReport| {
            let count = |all: &[String]| all.iter().filter(|one| one.starts_with("sessions: ")).count();
            (count(&report.warnings), count(&report.new_warnings), report.exit_code())
        };
        for (name, expected) in [("a", (1, 1, 0)), ("a", (1, 0, 0)), ("b", (1, 1, 0))] {
            std::fs::write(&world.config.access.keys, odd(name)).unwrap();
            world.wait(60 * MINUTE);
            let report = world.run();
            assert_eq!(told(&report), expected, "{report:?}");
        }
        std::fs::write(&world.config.access.keys, "{}").unwrap();
        world.wait(60 * MINUTE);
        assert_eq!(told(&world.run()), (0, 0, 0));
    }

    #[test]
    fn a_cron_that_stopped_or_was_never_there_is_seen() {
        let mut world = World::new();
        integrity::check(&world.config, &integrity::CheckOptions::default()).unwrap();
        assert!(world.problems().starts_with("nothing was done by the clock yet; "), "{}", world.problems());
        world.run();
        assert_eq!(world.problems(), "");
        world.wait(10 * MINUTE);
        assert_eq!(world.problems(), "", "one may be missed");
        world.wait(1);
        let _run = Lock::take(&world.config.root, &world.config.ownership, "security", 0).unwrap();
        let problems = world.problems();
        let own = format!(
            "check ran last at 2024-10-04T00:01:00.000Z, and should every 5 minutes; process {} holds",
            std::process::id()
        );
        assert!(problems.starts_with(&own) && problems.ends_with("run\n"), "{problems}");
        drop(_run);
        world.wait(2 * DAY);
        assert_eq!(world.problems().lines().count(), 5, "{}", world.problems());
    }

    #[test]
    fn a_job_that_was_killed_is_seen() {
        let mut world = World::new();
        world.run();
        world.wait(MINUTE);
        let private = integrity::Private::create(&world.config).unwrap();
        Schedule::open(Box::new(private)).unwrap().begin("archive", &world.now).unwrap();
        assert!(
            world.problems().starts_with("archive began at 2024-10-04T00:02:00.000Z and did not end"),
            "{}",
            world.problems()
        );
        // And done again by the next run, though the day is not over.
        world.wait(MINUTE);
        assert_eq!(world.run().jobs["archive"].state, JobState::Ran);
        assert_eq!(world.problems(), "");
        world.wait(MINUTE);
        assert_eq!(world.run().jobs["archive"].state, JobState::NotDue);
    }

    #[test]
    fn a_chain_that_is_broken_is_a_problem_until_it_was_seen_to_be_whole() {
        let mut world = World::new();
        for _ in 0..3 {
            let (kind, details) = ("TEST".to_owned(), Value::Null);
            let severity = crate::events::Severity::Low;
            let event = crate::events::Event { kind, severity, details, ip: None, session: None };
            crate::events::record(&world.config, &event).unwrap();
        }
        world.run();
        let log = world.config.events.log.clone();
        let text = std::fs::read_to_string(&log).unwrap();
        std::fs::write(&log, text.replacen("LOW", "INFO", 1)).unwrap();
        world.wait(DAY);
        world.run();
        for _ in 0..2 {
            let status = status_at(&world.config, &world.now).unwrap();
            assert_eq!((status.files.ok, status.chain), (false, Some("broken")));
            let problems = world.problems();
            assert!(
                problems.contains("the chain of events is broken")
                    && problems.ends_with("verify-events --acknowledge\n"),
                "{problems}"
            );
            world.wait(5 * MINUTE);
            world.run();
        }
        // A look that fails says nothing else.
        std::fs::rename(&log, log.with_extension("away")).unwrap();
        std::fs::create_dir(&log).unwrap();
        world.wait(DAY);
        world.run();
        assert_eq!(status_at(&world.config, &world.now).unwrap().chain, Some("broken"));
    }

    #[test]
    fn that_no_event_can_be_written_is_a_problem_of_each_run() {
        let mut world = World::new();
        world.run();
        for path in [world.config.events.log.clone(), world.config.root.join("sync_state/events/head")] {
            let away = path.with_extension("away");
            std::fs::rename(&path, &away).unwrap();
            std::fs::create_dir(&path).unwrap();
            for _ in 0..2 {
                world.wait(MINUTE);
                let report = world.run();
                let told = report
                    .problems
                    .iter()
                    .any(|one| one.starts_with("no event can be put on record: ") && one.ends_with("away"));
                assert!(told && report.exit_code() == 2, "{report:?}");
                assert!(world.problems().contains("no event can be put on record"), "{}", world.problems());
            }
            std::fs::remove_dir(&path).unwrap();
            std::fs::rename(&away, &path).unwrap();
        }
        assert_eq!((world.run().exit_code(), world.problems().as_str()), (0, ""));
    }

    #[test]
    fn whoever_holds_the_lock_of_runs_is_told() {
        let mut world = World::new();
        world.run();
        let holds = Lock::take(&world.config.root, &world.config.ownership, "security", 0).unwrap();
        let mut codes = Vec::new();
        for _ in 0..8 {
            world.wait(MINUTE);
            codes.push(crate::security::run_at(&world.config, &world.now).unwrap_err().kind().exit_code());
        }
        assert_eq!(codes, [75, 75, 75, 75, 75, 2, 2, 2]);
        assert_eq!(world.events("check_blocked"), 1);
        drop(holds);
        world.wait(MINUTE);
        assert_eq!(world.run().exit_code(), 0);
        let _holds = Lock::take(&world.config.root, &world.config.ownership, "security", 0).unwrap();
        world.wait(MINUTE);
        assert_eq!(crate::security::run_at(&world.config, &world.now).unwrap_err().kind().exit_code(), 75);
        world.wait(10 * MINUTE);
        assert_eq!(crate::security::run_at(&world.config, &world.now).unwrap_err().kind().exit_code(), 2);
        assert_eq!(world.events("check_blocked"), 2);
    }

    #[test]
    fn a_report_is_not_lost_over_the_place_of_the_watcher() {
        let mut world = World::new();
        world.run();
        let place = world.config.root.join("sync_state/integrity");
        let away = place.with_extension("away");
        std::fs::rename(&place, &away).unwrap();
        std::os::unix::fs::symlink(&away, &place).unwrap();
        world.wait(5 * MINUTE);
        let report = world.run();
        assert_eq!((words(&report).as_str(), report.exit_bits), ("check Ran", 16));
        let problems = world.problems();
        let first = format!("and move {} away", place.display());
        assert!(
            problems.starts_with("refused what should be a directory") && problems.contains(&first),
            "{problems}"
        );
    }

    #[test]
    fn what_comes_next_is_what_mends_it() {
        use std::os::unix::fs::PermissionsExt;
        let world = World::new();
        world.run();
        let private = world.config.root.join("sync_state/private");
        let mode = |mode| std::fs::set_permissions(&private, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o755);
        let expected = format!("find out who did that, and chmod 700 {}", private.display());
        assert!(world.problems().contains(&format!("Some({expected:?}); check")), "{}", world.problems());
        assert!(integrity::baseline(&world.config, None).is_err(), "a new baseline is refused");
        mode(0o700);
        assert_eq!(world.problems(), "");
        // Of somebody else.
        if std::os::unix::fs::chown(&private, Some(65_533), None).is_ok() {
            let expected = format!("find out who did that, and move {} away", private.display());
            assert!(
                world.problems().contains(&format!("Some({expected:?}); baseline")),
                "{}",
                world.problems()
            );
            std::fs::rename(&private, private.with_extension("away")).unwrap();
            assert!(integrity::baseline(&world.config, None).is_ok());
        }
    }
}
