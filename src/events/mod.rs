//! The security event log: what happened, who did it, and a chain that shows when somebody took a line out.
//!
//! One JSON object a line, in the shape that the site's pages write and read, plus `seq`, `prev` and `ip`. `prev` is the
//! digest of the event before and of all that others wrote since, so that lines of the site's own pages are held by the chain
//! as well.
//!
//! - open, apply: `log` appends one line, `place` remembers where the chain ends
//! - decide (pure): `line` (what a line says), `chain` (whether lines follow each other)
//! - observe: `lines` (of any file, in bounded memory), `query`, `verify`; `filter` (pure) is how callers ask
//! - `archive` moves older days away, which are those that `days` says: into what `pack` makes, out of what `cut` leaves.
//!
//! No event holds a secret: values under names that say so are hidden before they are written.

mod archive;
mod chain;
mod clean;
mod cut;
mod days;
mod filter;
mod line;
mod lines;
mod log;
mod pack;
mod place;
mod query;
mod usable;
mod verify;

use serde_json::Value;

pub use archive::archive;
pub use log::record;
pub use query::{Filter, query};
pub(crate) use usable::{Problem, problems};
pub use verify::verify;
pub(crate) use verify::{Demand, Passed, verify_through};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is wrong.
    Info,
    /// Somebody may want to know.
    Low,
    /// Somebody should look at it.
    Medium,
    /// Soon.
    High,
    /// Now.
    Critical,
}

impl Severity {
    /// All, from the least.
    pub const ALL: [Severity; 5] =
        [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// The word in files and reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Severity::Info => "INFO",
            Severity::Low => "LOW",
            Severity::Medium => "MEDIUM",
            Severity::High => "HIGH",
            Severity::Critical => "CRITICAL",
        }
    }

    /// The one of a word, in capitals or not.
    #[must_use]
    pub fn of(word: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| severity.word().eq_ignore_ascii_case(word))
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What, in a word: letters, digits, `_`, `.` and `-`.
    pub kind: String,
    /// How bad it is.
    pub severity: Severity,
    /// All that is to be known.
    pub details: Value,
    /// From where.
    pub ip: Option<String>,
    /// In which session.
    pub session: Option<String>,
}

#[cfg(test)]
mod tests;
