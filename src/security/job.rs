//! The periodic jobs: how often each is due, and what it came to.
//!
//! Apart from `run`, which knows nothing of what they do.

use serde_json::{Value, to_value};

use super::chain::{self, Chain};
use crate::access::{limits, sessions};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Demand};
use crate::integrity::{self, CheckOptions};
use crate::report::EventsBreak;
use crate::schedule::Schedule;

/// Minutes between two cleanups.
const CLEANUP: u32 = 60;
/// Minutes between two archives of events, and between two looks at their chain.
const DAILY: u32 = 24 * 60;
/// A job that others are at for so many minutes has failed, also where it is due less often.
const PATIENCE: u32 = 60;

/// So long the chain of events may be followed while all else waits (milliseconds).
const MOST_MS: u64 = 120_000;

/// What is done by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    Check,
    Limits,
    Sessions,
    Archive,
    VerifyEvents,
}

impl Job {
    /// In the order in which they run: what others wait for comes first.
    pub(super) const ALL: [Job; 5] =
        [Job::Check, Job::Limits, Job::Sessions, Job::Archive, Job::VerifyEvents];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Job::Check => "check",
            Job::Limits => "limits",
            Job::Sessions => "sessions",
            Job::Archive => "archive",
            Job::VerifyEvents => "verify_events",
        }
    }

    /// The command of the script that does the same.
    pub(super) const fn command(self) -> &'static str {
        match self {
            Job::Check => "check",
            Job::Limits | Job::Sessions => "cleanup",
            Job::Archive => "archive",
            Job::VerifyEvents => "verify-events",
        }
    }

    pub(super) fn every_minutes(self, config: &Config) -> u32 {
        match self {
            Job::Check => config.integrity.every_minutes,
            Job::Limits | Job::Sessions => CLEANUP,
            Job::Archive | Job::VerifyEvents => DAILY,
        }
    }

    /// So long it may find others at it (seconds): until it is due once more, and never for a day.
    pub(super) fn patience(self, config: &Config) -> i64 {
        i64::from(self.every_minutes(config).min(PATIENCE)) * 60
    }

    /// Does it; what is known of it from before is in the schedule.
    pub(super) fn run(self, config: &Config, schedule: &Schedule) -> Result<Done> {
        Ok(match self {
            Job::Check => {
                let report = integrity::check(config, &CheckOptions::default())?;
                let (bits, new, ok) = (report.exit_bits, report.new_findings, report.ok);
                let found = Found { bits, new, ok, ..Found::NOTHING };
                Done::of(to_value(&report), found)?.warn(report.warnings)
            }
            Job::Limits => {
                let report = limits::cleanup(config)?;
                let problem = report.legacy.problem.clone().unwrap_or_else(|| "see its report".to_owned());
                let names = problem.contains(&report.legacy.path);
                let problem = if names { problem } else { format!("{}: {problem}", report.legacy.path) };
                let done = Done::of(to_value(&report), Found::NOTHING)?;
                if report.ok { done } else { done.fail(problem) }
            }
            Job::Sessions => {
                let report = sessions::cleanup(config)?;
                let done = Done::of(to_value(&report), Found::NOTHING)?;
                if report.ok { done.warn(report.warnings) } else { done.fail(report.warnings.join("; ")) }
            }
            Job::Archive => {
                let report = events::archive(config)?;
                let done = Done::of(to_value(&report), Found::NOTHING)?;
                if report.ok { done.warn(report.warnings) } else { done.fail(report.warnings.join("; ")) }
            }
            Job::VerifyEvents => {
                let through = chain::through(schedule, self.name());
                let demand = Demand { through, most_ms: Some(MOST_MS) };
                let mut report = events::verify_through(config, &demand)?;
                let chain = Chain::of(&report);
                report.acknowledged = chain.count_acknowledged(schedule, self.name());
                let open = chain.open(schedule, self.name());
                let done =
                    Done::of(to_value(&report), Found { ok: open.is_none(), chain, ..Found::NOTHING })?;
                Done { what: open.as_ref().map(place), ..done }
            }
        })
    }
}

/// Where a break is, and what.
pub(super) fn place(broken: &EventsBreak) -> String {
    let EventsBreak { file, line, seq, reason, .. } = broken;
    format!("{}, line {line}, event {seq}: {reason}", file.display())
}

/// What a job came to.
pub(super) struct Done {
    pub(super) report: Value,
    /// What went wrong in it all the same.
    pub(super) problem: Option<String>,
    /// What people should know.
    pub(super) warnings: Vec<String>,
    /// What it found that stays so until it runs again, in words.
    pub(super) what: Option<String>,
    pub(super) found: Found,
}

impl Done {
    fn of(report: serde_json::Result<Value>, found: Found) -> Result<Done> {
        let report = report.map_err(|cause| {
            Error::new(ErrorKind::Internal, "cannot write the report as JSON").because(cause)
        })?;
        Ok(Done { report, problem: None, warnings: Vec::new(), what: None, found })
    }

    fn warn(self, warnings: Vec<String>) -> Done {
        Done { warnings, ..self }
    }

    fn fail(self, problem: String) -> Done {
        Done { problem: Some(problem), ..self }
    }
}

/// What jobs found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) bits: u32,
    pub(super) new: u64,
    pub(super) ok: bool,
    pub(super) chain: Chain,
}

impl Found {
    pub(super) const NOTHING: Found = Found { bits: 0, new: 0, ok: true, chain: Chain::Unknown };

    /// What this job found as well.
    pub(super) fn and(self, other: Found) -> Found {
        Found {
            bits: self.bits | other.bits,
            new: self.new.saturating_add(other.new),
            ok: self.ok && other.ok,
            chain: match other.chain {
                Chain::Unknown => self.chain,
                chain => chain,
            },
        }
    }
}
