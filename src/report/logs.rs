//! What the operations over logs return.

use std::collections::BTreeMap;

use serde::Serialize;

/// How a run ended for one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogState {
    /// Nothing had changed.
    Unchanged,
    /// Lines were merged.
    Merged,
    /// It could not be looked at now; the next run tries again.
    Skipped,
    /// It could not be merged.
    Failed,
}

/// What was done with one copy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LogSideReport {
    /// Bytes that were taken from it.
    pub read_bytes: u64,
    /// Bytes that were appended to it.
    pub appended_bytes: u64,
    /// Lines that were appended to it.
    pub lines: u64,
    /// Bytes of others that it does not have yet.
    pub lag_bytes: u64,
}

/// How a run went for one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// How it ended.
    pub state: LogState,
    /// Why, where that needs saying.
    pub reason: Option<String>,
    /// By side.
    pub sides: BTreeMap<String, LogSideReport>,
    /// How a copy that is new to us lay to the archive: `overlap`, `contained`, `diverged`, or `weak` where that rests on
    /// less than 8 lines and 1 KiB. None where no copy is new, or has nothing.
    pub adopted: Option<String>,
    /// What people should know.
    pub warnings: Vec<String>,
}

impl LogReport {
    /// Adds what was done to it before in the same run.
    pub(crate) fn add(&mut self, before: &LogReport) {
        for (side, earlier) in &before.sides {
            let side = self.sides.entry(side.clone()).or_default();
            side.read_bytes += earlier.read_bytes;
            side.appended_bytes += earlier.appended_bytes;
            side.lines += earlier.lines;
        }
        if before.state == LogState::Merged && self.state == LogState::Unchanged {
            self.state = LogState::Merged;
        }
        self.adopted = self.adopted.take().or_else(|| before.adopted.clone());
    }
}

/// A run over logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogsReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether nothing failed.
    pub ok: bool,
    /// Its number.
    pub run: String,
    /// How long it took.
    pub duration_ms: u64,
    /// By name.
    pub logs: BTreeMap<String, LogReport>,
}

impl LogsReport {
    /// The exit code of the scripts.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        if self.ok { 0 } else { 2 }
    }
}
