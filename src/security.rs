//! What cron calls each minute: whatever is due of the periodic jobs over files, keys and events.
//!
//! Apart from `schedule`, which knows when and not what. A job that fails stops no other. One that somebody else is at, as a
//! person who checks at that moment, is tried again in the next minute; if that goes on, it has failed.

mod blocked;
mod chain;
mod job;
mod status;
mod verify;
mod warned;

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::Value;

use crate::clock::{self, Moment};
use crate::config::Config;
use crate::durable::Lock;
use crate::error::{ErrorKind, Result};
use crate::report::{JobState, SCHEMA, SecurityJob, SecurityRunReport};
use crate::schedule::{self, Ended, Schedule};
use crate::{events, integrity, interrupt};
use blocked::Why;
use job::{Done, Found, Job};

pub use status::status;
pub use verify::{Look, verify_events};

/// Does what is due, and says what it did, what was not due, and what failed.
///
/// A slot that was missed is made up for once. Nothing is done twice where two runs meet: the second is turned away.
///
/// # Errors
/// [`ErrorKind::Locked`] while another run is at work, [`ErrorKind::Access`] for everybody but the user of the cron jobs and
/// root. That a job fails is a value.
pub fn run(config: &Config) -> Result<SecurityRunReport> {
    run_at(config, &Moment::now())
}

fn run_at(config: &Config, now: &Moment) -> Result<SecurityRunReport> {
    let start = clock::start();
    let _lock = match Lock::take(&config.root, &config.ownership, "security", 0) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::Locked => {
            return Err(blocked::turned_away(config, now, error));
        }
        Err(error) => return Err(error),
    };
    blocked::is_let_in(config);
    let (mut warnings, mut problems) = (Vec::new(), Vec::new());
    let mut schedule = match integrity::Private::create(config)
        .and_then(|private| Schedule::open(Box::new(private)))
    {
        Ok(schedule) => schedule,
        Err(error) if error.kind() == ErrorKind::Access => return Err(error),
        Err(error) => {
            problems.push(format!("what ran when is not known, so that all is due: {}", error.in_words()));
            Schedule::empty()
        }
    };
    // Before the check, which would say it otherwise.
    let missed = integrity::missed(config).unwrap_or_else(|error| {
        warnings.push(format!("could not say whether the watcher is missed: {}", error.in_words()));
        None
    });
    let mut done = Vec::new();
    // What was killed comes last: should it end that way again, it keeps no other from running.
    let mut order = Job::ALL;
    order.sort_by_key(|job| schedule.is_unfinished(job.name()));
    for job in order {
        if interrupt::check().is_err() {
            break;
        }
        done.push((job, one(config, job, &mut schedule, now)));
    }
    // What the jobs have found by then is on record.
    let _quiet = interrupt::quiet();
    let chain = done.iter().fold(Found::NOTHING, |found, (_, ran)| found.and(ran.found.clone())).chain;
    let new_break =
        chain::tell(config, &mut schedule, Job::VerifyEvents.name(), &chain).unwrap_or_else(|error| {
            problems.push(format!("could not tell that the chain of events is broken: {}", error.in_words()));
            None
        });
    if let Err(error) = chain.remember(&mut schedule, Job::VerifyEvents.name(), now) {
        problems.push(format!("cannot write down how far events were verified: {}", error.in_words()));
    }
    // Nobody gets the report of a run that was stopped: what it would tell is news for the next one.
    if interrupt::is_stopped() {
        return Err(interrupt::cancelled());
    }
    let mut found = Found::NOTHING;
    let mut jobs = BTreeMap::new();
    let mut new_warnings = Vec::new();
    for (job, Ran { report, found: what, warnings: told }) in done {
        if !matches!(report.state, JobState::NotDue | JobState::Skipped) {
            let fresh = warned::fresh(&mut schedule, job, &told).unwrap_or_else(|error| {
                problems.push(format!("cannot write down what was told: {}", error.in_words()));
                told.clone()
            });
            let name = |warning: String| format!("{}: {warning}", job.name());
            new_warnings.extend(fresh.into_iter().map(name));
            warnings.extend(told.into_iter().map(name));
        }
        found = found.and(what);
        jobs.insert(job.name(), report);
    }
    problems
        .extend(events::problems(config).into_iter().map(|one| format!("{}; {}", one.problem, one.first)));
    // A check that is due has failed and said so; until the next one this is as true.
    if jobs.get(Job::Check.name()).is_some_and(|job| job.state == JobState::NotDue) {
        problems.extend(integrity::blind(config));
    }
    let watch = integrity::watched(config);
    problems.extend(watch.problem.clone());
    let mut report = SecurityRunReport {
        schema: SCHEMA,
        ok: true,
        exit_bits: found.bits,
        new_findings: found.new,
        new_break,
        jobs,
        watch,
        missed,
        warnings,
        new_warnings,
        problems,
        duration_ms: start.millis(),
    };
    report.ok = !report.has_failed() && found.ok && !report.watch.stale;
    Ok(report)
}

/// A moment, RFC 3339 UTC.
fn time(moment: &Moment) -> Option<String> {
    DateTime::from_timestamp(moment.unix, 0).map(clock::stamp)
}

impl schedule::Place for integrity::Private {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.read(name).map(integrity::Kept::bytes)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.write(name, bytes)
    }
}

/// What became of a job.
struct Ran {
    report: SecurityJob,
    found: Found,
    warnings: Vec<String>,
}

impl Ran {
    fn without(state: JobState, reason: Option<String>, next: Option<String>) -> Ran {
        let report = SecurityJob { state, reason, next, report: Value::Null };
        Ran { report, found: Found::NOTHING, warnings: Vec::new() }
    }

    /// That went wrong as well.
    fn fail(mut self, why: String, next: Option<String>) -> Ran {
        let reason = self.report.reason.map(|reason| format!("; {reason}")).unwrap_or_default();
        self.report = SecurityJob {
            state: JobState::Failed,
            reason: Some(format!("{why}{reason}")),
            next,
            report: self.report.report,
        };
        self
    }
}

/// One job, and what it found.
fn one(config: &Config, job: Job, schedule: &mut Schedule, now: &Moment) -> Ran {
    let every = job.every_minutes(config);
    let last = schedule.last(job.name()).cloned();
    let next =
        |last: &Moment| DateTime::from_timestamp(schedule::next(every, last, now), 0).map(clock::stamp);
    // What was killed is done again at once, and not in its next slot.
    let is_due = schedule.is_unfinished(job.name()) || schedule::is_due(every, last.as_ref(), now);
    if let Some(last) = last.as_ref().filter(|_| !is_due) {
        return Ran::without(JobState::NotDue, None, next(last));
    }
    if let Err(error) = schedule.begin(job.name(), now) {
        // It would be done each minute, and does no harm; what cannot be written down is told.
        return carry_out(config, job, schedule, next(now)).0.fail(error.in_words(), next(now));
    }
    let (ran, found) = carry_out(config, job, schedule, next(now));
    if ran.report.state != JobState::Ran && interrupt::is_stopped() {
        // It is due again, and nobody was in its way.
        return match schedule.put_back(job.name(), last) {
            Ok(()) => ran,
            Err(error) => ran.fail(error.in_words(), None),
        };
    }
    if ran.report.state == JobState::Skipped {
        return skip(config, job, schedule, last, now, ran);
    }
    let problem = ran.report.reason.clone();
    // What was found stands until somebody has looked again.
    let before = || schedule.ended(job.name()).and_then(|ended| ended.found.clone());
    let found = if problem.is_some() { found.or_else(before) } else { found };
    let told = match &problem {
        None => Why::Failed.end(schedule, job),
        Some(reason) => match Why::Failed.since(config, schedule, job, now) {
            Some(since) => Why::Failed.tell(config, schedule, job, &since, reason),
            None => Ok(()),
        },
    };
    let ended = Ended { of: now.clone(), problem, found };
    match told.and(schedule.end(job.name(), ended)).and_then(|()| Why::Blocked.end(schedule, job)) {
        Ok(()) => ran,
        Err(error) => ran.fail(error.in_words(), next(now)),
    }
}

/// Others are at it: the next minute tries again. Where that goes on, it has failed, and that is put on record.
fn skip(
    config: &Config,
    job: Job,
    schedule: &mut Schedule,
    last: Option<Moment>,
    now: &Moment,
    ran: Ran,
) -> Ran {
    let since = Why::Blocked.since(config, schedule, job, now);
    if let Err(error) = schedule.put_back(job.name(), last) {
        return ran.fail(error.in_words(), None);
    }
    let Some(since) = since else { return ran };
    let reason = ran.report.reason.clone().unwrap_or_default();
    let told = Why::Blocked.tell(config, schedule, job, &since, &reason);
    let not_told = told.err().map(|error| format!("; that is in no event log: {}", error.in_words()));
    let since = time(&since).unwrap_or_default();
    let why = format!(
        "it is due and has not run since {since}, as others are at it: find out who they are, and end them{}",
        not_told.unwrap_or_default()
    );
    ran.fail(why, None)
}

/// Does it, and says what of it stays as it is until the next time.
fn carry_out(config: &Config, job: Job, schedule: &Schedule, next: Option<String>) -> (Ran, Option<String>) {
    match job.run(config, schedule) {
        Ok(Done { report, problem, warnings, what, found }) => {
            let state = if problem.is_some() { JobState::Failed } else { JobState::Ran };
            (Ran { report: SecurityJob { state, reason: problem, next, report }, found, warnings }, what)
        }
        Err(error) if matches!(error.kind(), ErrorKind::Locked | ErrorKind::Cancelled) => {
            (Ran::without(JobState::Skipped, Some(error.in_words()), None), None)
        }
        Err(error) => (Ran::without(JobState::Failed, Some(error.in_words()), next), None),
    }
}

#[cfg(test)]
mod tests;
