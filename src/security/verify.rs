//! Verifies the chain of events for a person, as the job of each day does: what comes of it is what `status` says from then on.

use serde_json::json;

use super::chain::{self, Chain};
use super::job::{Job, place};
use crate::clock::Moment;
use crate::config::Config;
use crate::durable::{self, Lock};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Demand, Event, Severity};
use crate::integrity::Private;
use crate::report::EventsVerifyReport;
use crate::schedule::{Ended, Schedule};

/// So long a run may be at work (milliseconds).
const WAIT_MS: u64 = 10_000;

/// Why somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Look {
    /// To see what is wrong.
    #[default]
    Only,
    /// To say that what is wrong is known: it is no news any more, and stays to be seen.
    Acknowledge,
}

/// Follows the chain of events through all archives and the log, and through what was there when it was verified last.
///
/// The user of the cron jobs has it remembered, so that `status` tells of it. Whoever else looks, or looks while a run is at work,
/// has the report, which says so.
///
/// # Errors
/// As [`events::verify`]. To acknowledge, [`crate::ErrorKind::Access`] for everybody but the user of the cron jobs and root, and
/// [`crate::ErrorKind::Locked`] while a run is at work.
pub fn verify_events(config: &Config, look: Look) -> Result<EventsVerifyReport> {
    verify_within(config, look, WAIT_MS)
}

fn verify_within(config: &Config, look: Look, wait_ms: u64) -> Result<EventsVerifyReport> {
    let lock = Lock::take(&config.root, &config.ownership, "security", wait_ms);
    let opened = lock.and_then(|lock| {
        let schedule = Schedule::open(Box::new(Private::create(config)?))?;
        Ok((lock, schedule))
    });
    match opened {
        Ok((_lock, schedule)) => look_at(config, schedule, look, &Moment::now()),
        Err(error) if look == Look::Acknowledge => Err(error),
        Err(error) => aside(config, &error),
    }
}

/// Looks without what is remembered, and says so.
fn aside(config: &Config, error: &Error) -> Result<EventsVerifyReport> {
    let then = match error.kind() {
        ErrorKind::Locked | ErrorKind::Busy => "; again in a minute",
        ErrorKind::Access => "; that is for the user of the cron jobs, and root",
        _ => "",
    };
    let why = format!(
        "status does not tell of this, and it was not compared with what was verified before: {}{then}",
        error.in_words()
    );
    Ok(EventsVerifyReport { aside: Some(why), ..events::verify(config)? })
}

pub(super) fn look_at(
    config: &Config,
    mut schedule: Schedule,
    look: Look,
    now: &Moment,
) -> Result<EventsVerifyReport> {
    let job = Job::VerifyEvents.name();
    let last = schedule.last(job).cloned();
    schedule.begin(job, now)?;
    let looked = looked_at(config, &mut schedule, look, now);
    if let Err(error) = &looked
        && error.kind() == ErrorKind::Cancelled
    {
        // As if nobody had looked: the run of the day does.
        schedule.put_back(job, last)?;
    }
    // What was found stands until somebody has looked again, and what is wrong now is no sudden death.
    let ended = match &looked {
        Err(error) if error.kind() == ErrorKind::Cancelled => return looked.map(|(report, _)| report),
        Ok((_, found)) => Ended { of: now.clone(), problem: None, found: found.clone() },
        Err(error) => {
            let found = schedule.ended(job).and_then(|ended| ended.found.clone());
            Ended { of: now.clone(), problem: Some(error.in_words()), found }
        }
    };
    let noted = schedule.end(job, ended);
    let (report, _) = looked?;
    noted.map(|()| report)
}

/// What it came to, and what stays so until somebody looks again.
fn looked_at(
    config: &Config,
    schedule: &mut Schedule,
    look: Look,
    now: &Moment,
) -> Result<(EventsVerifyReport, Option<String>)> {
    let job = Job::VerifyEvents.name();
    let through = chain::through(schedule, job);
    let mut report = events::verify_through(config, &Demand { through, most_ms: None })?;
    let chain = Chain::of(&report);
    chain::tell(config, schedule, job, &chain)?;
    if look == Look::Acknowledge {
        if let (false, Some(first)) = (report.ok, &report.first_break) {
            let number = rustix::process::geteuid().as_raw();
            let user = durable::user_numbered(number).unwrap_or_else(|| number.to_string());
            let details = json!({ "breaks": report.breaks, "first": place(first), "user": user });
            let kind = "EVENT_CHAIN_ACKNOWLEDGED".to_owned();
            events::record(
                config,
                &Event { kind, severity: Severity::High, details, ip: None, session: None },
            )?;
        }
        chain.acknowledge(schedule, job)?;
    }
    chain.remember(schedule, job, now)?;
    let found = chain.open(schedule, job).as_ref().map(place);
    report.acknowledged = chain.count_acknowledged(schedule, job);
    Ok((report, found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::tests::World;

    #[test]
    fn who_only_looks_is_told_so() {
        let world = World::new();
        world.run();
        assert_eq!(verify_events(&world.config, Look::Only).unwrap().aside, None);
        let lock = Lock::take(&world.config.root, &world.config.ownership, "security", 0).unwrap();
        let report = verify_within(&world.config, Look::Only, 0).unwrap();
        assert!(report.ok && report.aside.clone().unwrap().ends_with("; again in a minute"), "{report:?}");
        assert_eq!(verify_within(&world.config, Look::Acknowledge, 0).unwrap_err().kind(), ErrorKind::Locked);
        drop(lock);
    }

    #[test]
    fn a_look_that_fails_is_told_as_that() {
        let world = World::new();
        world.run();
        let log = world.config.events.log.clone();
        let kept = log.with_extension("kept");
        std::fs::rename(&log, &kept).unwrap();
        std::fs::create_dir(&log).unwrap();
        let schedule = || Schedule::open(Box::new(Private::create(&world.config).unwrap())).unwrap();
        look_at(&world.config, schedule(), Look::Only, &world.now).unwrap_err();
        let ended = schedule().ended(Job::VerifyEvents.name()).cloned().unwrap();
        assert!(ended.of == world.now && ended.problem.unwrap().contains("no regular file"));
        let told = world.problems();
        assert!(told.contains("no regular file") && !told.contains("killed"), "{told}");
        std::fs::remove_dir(&log).unwrap();
        std::fs::rename(&kept, &log).unwrap();
        look_at(&world.config, schedule(), Look::Only, &world.now).unwrap();
        assert_eq!(schedule().ended(Job::VerifyEvents.name()).unwrap().problem, None);
    }
}
