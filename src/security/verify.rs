//! Verifies the chain of events for a person, as the job of each day does: what comes of it is what `status` says from then on.

use serde_json::json;

use super::chain::{self, Chain};
use super::job::{Job, place};
use crate::clock::Moment;
use crate::config::Config;
use crate::durable::{self, Lock};
use crate::error::Result;
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
/// The user of the cron jobs has it remembered, so that `status` tells of it; whoever else looks has the report.
///
/// # Errors
/// As [`events::verify`]. To acknowledge, [`crate::ErrorKind::Access`] for everybody but the user of the cron jobs and root, and
/// [`crate::ErrorKind::Locked`] while a run is at work.
pub fn verify_events(config: &Config, look: Look) -> Result<EventsVerifyReport> {
    let lock = Lock::take(&config.root, &config.ownership, "security", WAIT_MS);
    let opened = lock.and_then(|lock| {
        let schedule = Schedule::open(Box::new(Private::create(config)?))?;
        Ok((lock, schedule))
    });
    match opened {
        Ok((_lock, schedule)) => look_at(config, schedule, look, &Moment::now()),
        Err(error) if look == Look::Acknowledge => Err(error),
        Err(_) => events::verify(config),
    }
}

pub(super) fn look_at(
    config: &Config,
    mut schedule: Schedule,
    look: Look,
    now: &Moment,
) -> Result<EventsVerifyReport> {
    let job = Job::VerifyEvents.name();
    let through = chain::through(&schedule, job);
    schedule.begin(job, now)?;
    let mut report = events::verify_through(config, &Demand { through, most_ms: None })?;
    let chain = Chain::of(&report);
    chain::tell(config, &mut schedule, job, &chain)?;
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
        chain.acknowledge(&mut schedule, job)?;
    }
    chain.remember(&mut schedule, job, now)?;
    let found = chain.open(&schedule, job).as_ref().map(place);
    schedule.end(job, Ended { of: now.clone(), problem: None, found })?;
    report.acknowledged = chain.count_acknowledged(&schedule, job);
    Ok(report)
}
