//! What the doctor found, and what is to be told to people outside.

use serde::Serialize;
use serde_json::{Map, Value};

/// How it is with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DoctorState {
    /// As it should be.
    Ok,
    /// It works, and somebody should look.
    Warning,
    /// Something does not work, or is not safe.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoctorFinding {
    /// Of which check: `root`, `versions`, `sqlite`, `access`, `state`, `scripts`, `filesystems`, `space`, `clock`, `cron`,
    /// `alerts`, `databases`, `conflicts`, `queue`, `backups`, `logs`, `locks`, `security`.
    pub check: &'static str,
    /// How it is.
    pub state: DoctorState,
    /// In words.
    pub what: String,
    /// The file or directory that it is about.
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// What to do.
    #[serde(rename = "do")]
    pub remedy: Option<String>,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether all is as it should be.
    pub ok: bool,
    /// How many findings are warnings.
    pub warnings: usize,
    /// How many are problems.
    pub problems: usize,
    /// By check; in each the worst first.
    pub findings: Vec<DoctorFinding>,
}

impl DoctorReport {
    /// 0 when all is well, 1 with warnings, 2 with problems.
    #[must_use]
    pub const fn exit_code(&self) -> i32 {
        match (self.problems, self.warnings) {
            (0, 0) => 0,
            (0, _) => 1,
            _ => 2,
        }
    }
}

/// Events that somebody is to be told of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertsReport {
    /// Version of this document.
    pub schema: u32,
    /// At least so bad they are.
    pub severity: String,
    /// Those that nobody was told of, the oldest first: of more than a hundred the first fifty and the last fifty; none while the
    /// rate limit has them wait.
    pub events: Vec<Map<String, Value>>,
    /// How many more there are beside these, which the next ones have.
    pub left_out: usize,
    /// Whether there are even more, which were not counted.
    pub more: bool,
    /// How many wait because of the rate limit.
    pub waiting: usize,
    /// When the rate limit lets the next ones through, RFC 3339 UTC.
    pub next: Option<String>,
    /// What to hand to `cr0_alerts_told` when they were delivered; none where there is nothing to tell.
    pub token: Option<String>,
    /// What people should know.
    pub problems: Vec<String>,
}

/// Events that somebody was told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertsToldReport {
    /// Version of this document.
    pub schema: u32,
    /// How many that were.
    pub told: usize,
}

/// Metrics as Prometheus reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetricsReport {
    /// Version of this document.
    pub schema: u32,
    /// The text.
    pub text: String,
}
