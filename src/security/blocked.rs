//! Tells people of a job that cannot run because others hold its lock, or that fails again and again, and once as long as that
//! is so.
//!
//! Whoever may write in the directory of locks may hold one, or put something in its place that cannot be opened. So nobody may
//! switch a job off that way without being seen.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::job::Job;
use crate::clock::Moment;
use crate::config::Config;
use crate::durable;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Event, Severity};
use crate::integrity::{Kept, Private};
use crate::report::LockHeld;
use crate::schedule::Schedule;

/// Why a job does not do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Others are at it.
    Blocked,
    /// It fails.
    Failed,
}

impl Why {
    const fn word(self) -> &'static str {
        match self {
            Why::Blocked => "blocked",
            Why::Failed => "failed",
        }
    }

    fn key(self, job: Job) -> String {
        format!("{} {}", job.name(), self.word())
    }

    /// By which name the schedule knows since when.
    fn wait(self, job: Job) -> String {
        match self {
            Why::Blocked => job.name().to_owned(),
            Why::Failed => self.key(job),
        }
    }

    /// It is so now. Since when, where that is too long.
    pub(super) fn since(
        self,
        config: &Config,
        schedule: &mut Schedule,
        job: Job,
        now: &Moment,
    ) -> Option<Moment> {
        let since = schedule.wait(&self.wait(job), now);
        (now.age_of(&since) >= job.patience(config)).then_some(since)
    }

    /// Says it in the event log, unless that was said.
    pub(super) fn tell(
        self,
        config: &Config,
        schedule: &mut Schedule,
        job: Job,
        since: &Moment,
        reason: &str,
    ) -> Result<()> {
        let (key, mark) = (self.key(job), since.unix.to_string());
        if schedule.told(&key) == Some(&mark) {
            return Ok(());
        }
        let name = if job == Job::Check { "check" } else { "job" };
        let details = json!({
            "job": job.name(), "since": super::time(since), "reason": reason, "locks": durable::locks_held(&config.root),
        });
        let (kind, severity) = (format!("{name}_{}", self.word()), Severity::Critical);
        events::record(config, &Event { kind, severity, details, ip: None, session: None })?;
        schedule.tell(&key, Some(mark))
    }

    /// It is over.
    pub(super) fn end(self, schedule: &mut Schedule, job: Job) -> Result<()> {
        let key = self.key(job);
        schedule.end_wait(&self.wait(job))?;
        if schedule.told(&key).is_some() { schedule.tell(&key, None) } else { Ok(()) }
    }
}

/// What a run finds that others keep from working, in the private place: since when, and whether that was told.
const TURNED_AWAY: &str = "turned_away";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Turned {
    since: Moment,
    is_told: bool,
}

/// A run found another one at work, or somebody who holds its lock. Where no check was made for so long that it has failed,
/// that is put on record, once; and it is what the run comes to, and no word that the next minute tries again.
pub(super) fn turned_away(config: &Config, now: &Moment, error: Error) -> Error {
    let Ok(private) = Private::create(config) else { return error };
    let known = private.read(TURNED_AWAY).ok().and_then(Kept::bytes);
    let known = known.and_then(|text| serde_json::from_slice::<Turned>(&text).ok());
    let mut turned = known.unwrap_or_else(|| Turned { since: now.clone(), is_told: false });
    let save = |turned: &Turned| private.write(TURNED_AWAY, &serde_json::to_vec(turned).unwrap_or_default());
    let mut problem = save(&turned).err();
    let last = Private::create(config).and_then(|private| Schedule::open(Box::new(private))).ok();
    let last = last.and_then(|schedule| schedule.last(Job::Check.name()).cloned());
    let patience = Job::Check.patience(config);
    let is_late =
        last.is_none_or(|last| now.age_of(&last) >= patience) && now.age_of(&turned.since) >= patience;
    if !is_late {
        return error;
    }
    let since = super::time(&turned.since).unwrap_or_default();
    if !turned.is_told {
        let details = json!({ "since": since, "locks": durable::locks_held(&config.root) });
        let kind = "check_blocked".to_owned();
        let event = Event { kind, severity: Severity::Critical, details, ip: None, session: None };
        turned.is_told = true;
        problem = events::record(config, &event).and_then(|_| save(&turned)).err().or(problem);
    }
    let not_told = problem.map(|error| format!("; that is in no event log: {}", error.in_words()));
    let why = format!("nothing was done since {since}{}: {}", not_told.unwrap_or_default(), error.in_words());
    Error::new(ErrorKind::Busy, why).hint("find out who that is (status tells), and end it")
}

/// A run is at work.
pub(super) fn is_let_in(config: &Config) {
    let Some(private) = Private::look(config) else { return };
    let is_known =
        private.read(TURNED_AWAY).is_ok_and(|kept| kept.bytes().is_some_and(|text| text.len() > 2));
    if is_known {
        // Where that cannot be written, it is told once more.
        let _ = private.write(TURNED_AWAY, b"{}");
    }
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
