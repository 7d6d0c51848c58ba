//! Tells people of a job that cannot run because others hold its lock, and once as long as that is so.
//!
//! Whoever may write in the directory of locks may hold one. So nobody may switch a job off that way without being seen.

use serde_json::json;

use super::job::Job;
use crate::config::Config;
use crate::durable;
use crate::error::Result;
use crate::events::{self, Event, Severity};
use crate::report::LockHeld;
use crate::schedule::{Moment, Schedule};

fn key(job: Job) -> String {
    format!("{} blocked", job.name())
}

/// Says it in the event log, unless that was said.
pub(super) fn tell(
    config: &Config,
    schedule: &mut Schedule,
    job: Job,
    since: &Moment,
    reason: &str,
) -> Result<()> {
    let (key, mark) = (key(job), since.unix.to_string());
    if schedule.told(&key) == Some(&mark) {
        return Ok(());
    }
    let kind = if job == Job::Check { "check_blocked" } else { "job_blocked" };
    let details = json!({
        "job": job.name(), "since": super::time(since), "reason": reason, "locks": durable::locks_held(&config.root),
    });
    let event =
        Event { kind: kind.to_owned(), severity: Severity::Critical, details, ip: None, session: None };
    events::record(config, &event)?;
    schedule.tell(&key, Some(mark))
}

/// It is over.
pub(super) fn end(schedule: &mut Schedule, job: Job) -> Result<()> {
    let key = key(job);
    schedule.end_wait(job.name())?;
    if schedule.told(&key).is_some() { schedule.tell(&key, None) } else { Ok(()) }
}

/// Who holds what a job needs, as the kernel says.
pub(super) fn holders(locks: &[LockHeld], job: Job) -> String {
    let is_needed =
        |lock: &&LockHeld| lock.name == "security" || job == Job::Check && lock.name == "integrity";
    let told = locks.iter().filter(is_needed).map(|lock| {
        let who = lock.process.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"));
        let since = lock.since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default();
        format!("; {who} holds the lock {}{since}", lock.name)
    });
    told.collect()
}
