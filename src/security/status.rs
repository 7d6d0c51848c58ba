//! How it is, with what is done by the clock: a cron that stopped, a job that fails, and one that cannot run are seen here.
//!
//! Looks and writes nothing. What is known of jobs lies where only their user may look; others see it by the last check.

use chrono::DateTime;
use serde_json::Value;

use super::blocked::holders;
use super::job::Job;
use super::time;
use crate::config::Config;
use crate::error::Result;
use crate::integrity;
use crate::report::{LockHeld, SecurityStatusReport, StatusProblem};
use crate::schedule::{self, Moment, Schedule};

/// What has not run for so many times its length is told.
const PATIENCE: i64 = 2;
/// What to put into the table of cron.
const CRON: &str = "* * * * *  php security_monitoring_script.php run --quiet";

/// Says how it is with watched files, what the jobs came to, and whether they run at all.
///
/// # Errors
/// As [`integrity::status`].
pub fn status(config: &Config) -> Result<SecurityStatusReport> {
    status_at(config, &schedule::now())
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
    files.ok = files.ok && files.problems.is_empty();
    let schedule = schedule.unwrap_or_else(Schedule::empty);
    let last = |job: Job| schedule.last(job.name()).and_then(time);
    let chain = schedule.ended(Job::VerifyEvents.name()).and_then(|ended| match ended {
        ended if ended.found.is_some() => Some("broken"),
        ended => ended.problem.is_none().then_some("whole"),
    });
    let last_runs = Job::ALL.into_iter().map(|job| (job.name(), last(job))).collect();
    Ok(SecurityStatusReport { files, last_runs, chain })
}

fn by_schedule(config: &Config, schedule: &Schedule, locks: &[LockHeld], now: &Moment) -> Vec<StatusProblem> {
    let is_new = |job: Job| schedule.last(job.name()).is_none() && schedule.waits(job.name()).is_none();
    if Job::ALL.into_iter().all(is_new) {
        let held = holders(locks, Job::Check);
        let problem = format!("nothing was done by the clock yet{held}");
        return vec![StatusProblem {
            problem,
            first: Some(format!("have cron call it: {CRON}")),
            next: "run",
        }];
    }
    Job::ALL.into_iter().flat_map(|job| of_job(config, schedule, job, locks, now)).collect()
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
    let is_old = |last: &Moment| schedule::age(last, now) > i64::from(every) * 60 * PATIENCE;
    let (last, waits) = (schedule.last(name), schedule.waits(name));
    let said = |moment: Option<&Moment>| moment.and_then(time).unwrap_or_else(|| "a time unknown".to_owned());
    match (last, waits) {
        (_, Some(since)) if schedule::age(since, now) >= job.patience(config) => {
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
            first: Some(format!("see that cron calls it: {CRON}")),
            next: "run",
        }),
        (None, None) => {
            all.push(StatusProblem { problem: format!("{name} never ran{held}"), first: None, next: "run" })
        }
        _ => {}
    }
    let ended = schedule.ended(name);
    let is_at_work = locks.iter().any(|lock| lock.name == "security");
    if last.is_some() && !is_at_work && ended.map(|ended| &ended.of) != last {
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
        let first = Some("find out who did that".to_owned());
        all.push(StatusProblem { problem, first, next: job.command() });
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
        first: Some(format!("see that cron calls it: {CRON}")),
        next: "run",
    })
}
