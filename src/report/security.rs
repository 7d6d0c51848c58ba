//! What a run of the periodic jobs over files, keys and events says.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::events::EventsBreak;
use super::integrity::{IntegrityStatusReport, WatchStatus};

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It was due, and ran.
    Ran,
    /// It ran lately.
    NotDue,
    /// Somebody else is at it; the next minute tries again.
    Skipped,
    /// It was due, and something went wrong.
    Failed,
}

/// A lock that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockHeld {
    /// What it is about: `databases`, `logs`, `integrity`, `security` and so on.
    pub name: String,
    /// Its file.
    pub path: String,
    /// Who holds it, where the kernel says so.
    pub process: Option<u32>,
    /// Since when, RFC 3339 UTC, as the holder wrote it down.
    pub since: Option<String>,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SecurityJob {
    /// What became of it.
    pub state: JobState,
    /// Why it was skipped or failed, and what to do.
    pub reason: Option<String>,
    /// When it is due again, RFC 3339 UTC; null for the next minute.
    pub next: Option<String>,
    /// What it says, as the function does that stands for it alone; null where it did not get so far.
    pub report: Value,
}

/// What a run did of what was due.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SecurityRunReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether nothing failed, the check found nothing and the chain of events is whole where that was looked at, and no watcher
    /// is missed.
    pub ok: bool,
    /// Those of the check where it ran: 1 new, 2 removed, 4 changed, 8 unreadable or unstable, 16 baseline; added up.
    pub exit_bits: u32,
    /// How many findings of the check are new.
    pub new_findings: u64,
    /// Where the chain of events is broken, if this run is the first to say so.
    pub new_break: Option<EventsBreak>,
    /// `check`, `limits`, `sessions`, `archive` and `verify_events`.
    pub jobs: BTreeMap<&'static str, SecurityJob>,
    /// The watcher.
    pub watch: WatchStatus,
    /// That the watcher is missed, where this run is the first to say so.
    pub missed: Option<String>,
    /// What people should know, what the jobs say too.
    pub warnings: Vec<String>,
    /// Those of the jobs that were not said when they ran before.
    pub new_warnings: Vec<String>,
    /// What went wrong beside the jobs.
    pub problems: Vec<String>,
    /// How long it took.
    pub duration_ms: u64,
}

impl SecurityRunReport {
    /// The exit code of the scripts: 2 where something failed, 1 where something new was found, else 0.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        let is_new = self.new_findings > 0 || self.missed.is_some() || self.new_break.is_some();
        if self.has_failed() { 2 } else { i32::from(is_new) }
    }

    /// Whether anything went wrong.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        !self.problems.is_empty() || self.jobs.values().any(|job| job.state == JobState::Failed)
    }
}

/// How it is with watched files, and with what is done by the clock.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SecurityStatusReport {
    /// Watched files; `problems` has all that is not as it should be.
    #[serde(flatten)]
    pub files: IntegrityStatusReport,
    /// When each job ran last, RFC 3339 UTC; null where it never did, and for who may not look where that is written down.
    pub last_runs: BTreeMap<&'static str, Option<String>>,
    /// What the last look at the chain of events came to: `whole` or `broken`; null where nobody knows.
    pub chain: Option<&'static str>,
}

impl SecurityStatusReport {
    /// Always 0: looking is never a failure.
    #[must_use]
    pub const fn exit_code(&self) -> i32 {
        self.files.exit_code()
    }
}
