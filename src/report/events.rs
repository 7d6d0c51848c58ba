//! What the operations over the security event log return.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};

/// An event is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventRecorded {
    /// Version of this shape.
    pub schema: u32,
    /// Its number, at most that of the highest integer of PHP.
    pub seq: u64,
    /// RFC 3339, UTC.
    pub timestamp: String,
}

/// Events that were asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventsFound {
    /// Version of this shape.
    pub schema: u32,
    /// As they are in the log, the newest first.
    pub events: Vec<Map<String, Value>>,
    /// Whether there are older ones that fit.
    pub more: bool,
    /// Lines that are no events, and files that cannot be read.
    pub problems: Vec<String>,
}

/// One day that was moved away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventsArchived {
    /// Where it lies now.
    pub file: PathBuf,
    /// Lines.
    pub lines: u64,
    /// Bytes before it was packed.
    pub bytes: u64,
}

/// What archiving did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventsArchiveReport {
    /// Version of this shape.
    pub schema: u32,
    /// Whether all went well.
    pub ok: bool,
    /// What was moved away.
    pub archived: Vec<EventsArchived>,
    /// Archives that were old, and are gone.
    pub removed: Vec<PathBuf>,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// A place at which the chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventsBreak {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1 on: the first that is not what it was; one more than there are where the end is missing.
    pub line: u64,
    /// The number of the event that shows it; of the first one that is missing where nothing does.
    pub seq: u64,
    /// `missing`, `again`, `inserted`, `moved`, `changed`; `cut` where the end is missing, `end` where nobody knows whether it
    /// is; `long` for a line that is no event; `archive` where an archive is not what its manifest says; `rewritten` where
    /// events are not those that were verified before.
    pub kind: String,
    /// In words.
    pub reason: String,
}

/// Whether the log is what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventsVerifyReport {
    /// Version of this shape.
    pub schema: u32,
    /// Whether it is.
    pub ok: bool,
    /// Lines of ours.
    pub events: u64,
    /// Lines of the site's own pages.
    pub others: u64,
    /// Of those, as many as no line of ours holds, so that nobody can tell whether they are what was written: they were
    /// written since the last of ours, or more at once than one of ours can hold.
    pub unheld: u64,
    /// The first of them.
    pub first_unheld: Option<EventsUnheld>,
    /// Archives that were read.
    pub archives: u64,
    /// The first place at which the chain does not hold.
    pub first_break: Option<EventsBreak>,
    /// How many there are in all.
    pub breaks: u64,
    /// Of those, as many as a person has acknowledged: they stay, and are no news.
    pub acknowledged: u64,
    /// Why this is not what `status` tells from then on, and was not compared with what was verified before; `None` where it is
    /// and was.
    pub aside: Option<String>,
    /// As many of them as are told one by one, with how many events or changes each is of.
    #[serde(skip)]
    pub(crate) told: Vec<(EventsBreak, u64)>,
    /// The number and digest of the last event.
    #[serde(skip)]
    pub(crate) end: Option<(u64, String)>,
}

/// A line of the site's own pages that no line of ours holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventsUnheld {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1 on.
    pub line: u64,
}

impl EventsVerifyReport {
    /// 0, or 1 where something was found that nobody has acknowledged.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        i32::from(self.breaks > self.acknowledged)
    }
}

impl EventsArchiveReport {
    /// 0, or 2 where something failed.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        if self.ok { 0 } else { 2 }
    }
}
