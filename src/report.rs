//! What operations return: plain values that serialise to the documented JSON (`"schema": 1`).
//!
//! Shells print them and turn [`SyncReport::exit_code`] into their own; nothing here decides anything.

mod access;
mod doctor;
mod events;
mod integrity;
mod limits;
mod logs;
mod security;
mod status;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use access::{
    KeyFacts, KeyIssued, KeyListed, KeyRevoked, KeyRotated, KeyVerdict, KeysReport, SessionClosed,
    SessionFacts, SessionListed, SessionOpened, SessionVerdict, SessionsCleaned, SessionsReport,
};
pub use doctor::{AlertsReport, AlertsToldReport, DoctorFinding, DoctorReport, DoctorState, MetricsReport};
pub use events::{
    EventRecorded, EventsArchiveReport, EventsArchived, EventsBreak, EventsFound, EventsUnheld,
    EventsVerifyReport,
};
pub use integrity::{
    BaselineStatus, Excluded, FileAttributes, FindingKind, IntegrityAcceptReport, IntegrityBaselineReport,
    IntegrityFinding, IntegrityReport, IntegritySilenceReport, IntegrityStatusReport, IntegrityWatchReport,
    StatusProblem, WatchEnd, WatchStatus,
};
pub use limits::{
    RateCleanupReport, RateClient, RateFileCleaned, RateFileStatus, RateLimitReport, RateStatusReport,
    RateTableCleaned, RateTableStatus, RateTier, RateVerdict,
};
pub use logs::{
    Adopted, BadRange, CleanState, LogCleanReport, LogFileVerdict, LogProblem, LogProblemKind, LogProof,
    LogReport, LogRotateReport, LogSideReport, LogSideStatus, LogState, LogStatus, LogVerifyReport,
    LogsCleanReport, LogsReport, LogsRotateReport, LogsStatusReport, LogsVerifyReport, RotateMethod,
    RotateState, RotatedFile,
};
pub use security::{JobState, LockHeld, SecurityJob, SecurityRunReport, SecurityStatusReport};
pub use status::SystemStatusReport;

/// The version of the documents.
pub(crate) const SCHEMA: u32 = 1;

/// A number of rows, in words.
pub(crate) fn rows(number: usize) -> String {
    counted(number, "row", "rows")
}

/// A number of things, in words.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// How a run ended for one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing had changed.
    Unchanged,
    /// Everything reachable is equal.
    Synced,
    /// A backup was written into a side, which the next run brings to the others.
    Restored,
    /// No side has it yet; the first side that does brings it to the others.
    Absent,
    /// It could not be looked at now; the next run tries again.
    Skipped,
    /// It waits for a person.
    Held,
    /// A file of it must not be touched; the others were synced.
    Quarantined,
    /// It could not be synced.
    Failed,
}

/// What was done to one side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SideReport {
    /// Rows that are new there.
    pub inserted: usize,
    /// Rows that changed there.
    pub updated: usize,
    /// Rows that are gone there.
    pub deleted: usize,
    /// New rows of its own that got another id.
    pub rekeyed: usize,
    /// How long it was locked for writing, in milliseconds.
    pub lock_ms: u64,
}

/// How a run went for one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseReport {
    /// How it ended.
    pub state: State,
    /// Why, where that needs saying.
    pub reason: Option<String>,
    /// New conflicts.
    pub conflicts: usize,
    /// By side.
    pub sides: BTreeMap<String, SideReport>,
    /// What people should know.
    pub warnings: Vec<String>,
    /// Tables that were left alone, with the reason, where they were looked at; `status` tells.
    #[serde(skip)]
    pub(crate) paused: Option<BTreeMap<String, String>>,
    /// Sides that were looked at: why one is quarantined, or nothing where one is well; `status` tells.
    #[serde(skip)]
    pub(crate) looked: BTreeMap<String, Option<String>>,
    /// Sides that were left out, and will be until a person does something.
    #[serde(skip)]
    pub(crate) refused: BTreeSet<String>,
}

impl DatabaseReport {
    /// A report without rows.
    pub(crate) fn new(state: State, reason: Option<String>) -> DatabaseReport {
        let (sides, warnings) = (BTreeMap::new(), Vec::new());
        let (paused, looked, refused) = (None, BTreeMap::new(), BTreeSet::new());
        DatabaseReport { state, reason, conflicts: 0, sides, warnings, paused, looked, refused }
    }
}

/// How a run went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SyncReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether no database failed.
    pub ok: bool,
    /// The run, for `history`; empty when nothing was done.
    pub run: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// New conflicts, also of what was carried out of the queue before.
    pub conflicts: usize,
    /// By database.
    pub databases: BTreeMap<String, DatabaseReport>,
    /// What was carried out of the queue before, newest first; in a dry run what waits there. Only of a sync of all
    /// sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Vec<QueuedRequest>>,
}

impl SyncReport {
    /// 0 done, 1 done but a person should look (new conflicts, a database that is held, or a side that is left out until
    /// somebody mends it), 2 failed, 69 when no database could be looked at.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        let skipped = |database: &DatabaseReport| database.state == State::Skipped;
        if !self.databases.is_empty() && self.databases.values().all(skipped) {
            return 69;
        }
        let waits = |one: &DatabaseReport| one.state == State::Held || !one.refused.is_empty();
        match (self.ok, self.conflicts > 0 || self.databases.values().any(waits)) {
            (false, _) => 2,
            (true, false) => 0,
            (true, true) => 1,
        }
    }
}

/// One conflict on record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conflict {
    /// For `resolve` and `acknowledge`.
    pub id: String,
    /// Database name.
    pub database: String,
    /// Table name.
    pub table: String,
    /// The columns that identify the row, with their values.
    pub key: Json,
    /// `update_update`, `update_delete`, `insert_insert`, `unique`, `foreign_key`, `schema`, `adoption`,
    /// `uncertain`, `oscillation`.
    pub kind: String,
    /// The columns that clash; empty means the whole row.
    pub columns: Vec<String>,
    /// The row before anyone changed it.
    pub base: Json,
    /// What each side had.
    pub values: BTreeMap<String, Json>,
    /// What can be taken: sides, `base`, `both`; nothing where it can only be acknowledged.
    pub choices: Vec<String>,
    /// A side, `merged`, or `none`.
    pub winner: String,
    /// Why.
    pub reason: String,
    /// `open`, `held`, `acknowledged`, `resolved`.
    pub status: String,
    /// The run that found it.
    pub run: String,
    /// When, RFC 3339 UTC.
    pub at: String,
}

/// Conflicts on record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConflictsReport {
    /// Version of this document.
    pub schema: u32,
    /// Oldest first.
    pub conflicts: Vec<Conflict>,
    /// How many fit, those on other pages too.
    pub total: usize,
}

/// Conflicts that were acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcknowledgeReport {
    /// Version of this document.
    pub schema: u32,
    /// Their ids.
    pub acknowledged: Vec<String>,
    /// Those that were resolved already, and stay so.
    pub resolved: Vec<String>,
}

/// One run of the past.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Its number.
    pub run: String,
    /// When it began, RFC 3339 UTC.
    pub at: String,
    /// What was asked for.
    pub kind: String,
    /// How long it took.
    pub duration_ms: u64,
    /// As in the report of the run.
    pub databases: Json,
}

/// Runs that did something, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryReport {
    /// Version of this document.
    pub schema: u32,
    /// The runs.
    pub runs: Vec<Run>,
}

/// What is known of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SideStatus {
    /// Where it is.
    pub path: String,
    /// Whether there is a file.
    pub exists: bool,
    /// Its size.
    pub bytes: u64,
    /// `delete`, `wal` and so on; absent when it cannot be read.
    pub journal_mode: Option<String>,
    /// `user:group` of the file, by number where they have no name.
    pub owner: Option<String>,
    /// Merges it has missed.
    pub lag: i64,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// Why nobody looked into it, where whoever asked could not without doing harm. That is nothing wrong with it.
    pub unseen: Option<String>,
}

/// How rows of a table are matched and merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableStatus {
    /// The columns that identify a row; empty where only its content does.
    pub identity: Vec<String>,
    /// Why these, in words.
    pub rule: String,
    /// Policy by column.
    pub columns: BTreeMap<String, String>,
    /// What its columns point at: column to `table.column`.
    pub references: BTreeMap<String, String>,
    /// A deletion against an edit.
    pub on_delete_update: String,
    /// Whether only inserts travel.
    pub append_only: bool,
    /// Why it is left alone, when it is.
    pub paused: Option<String>,
}

/// What is known of one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseStatus {
    /// `synced`, `changed`, `new`, `absent` (no side has it yet), `held`, or `problem`.
    pub state: String,
    /// Why the whole database waits for a person, if it does.
    pub held: Option<Notice>,
    /// Tables that are left alone, with the reason, as the last run that looked found them.
    pub paused: BTreeMap<String, Notice>,
    /// Sides that are neither read nor written, with the reason, as the last run that looked found them.
    pub quarantined: BTreeMap<String, Notice>,
    /// When it was last looked at.
    pub last_run: Option<String>,
    /// When it last changed.
    pub last_change: Option<String>,
    /// Conflicts that wait for a person.
    pub open_conflicts: usize,
    /// By side.
    pub sides: BTreeMap<String, SideStatus>,
    /// By table; only when asked to explain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<BTreeMap<String, TableStatus>>,
}

/// Something that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Why.
    pub reason: String,
    /// Since which run, RFC 3339 UTC.
    pub since: String,
}

/// What is known of all databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusReport {
    /// Version of this document.
    pub schema: u32,
    /// By name.
    pub databases: BTreeMap<String, DatabaseStatus>,
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// For `restore`: `database:side:time`.
    pub id: String,
    /// Database name.
    pub database: String,
    /// Side name.
    pub side: String,
    /// Where it lies.
    pub path: String,
    /// When it was made, RFC 3339 UTC.
    pub created_at: String,
    /// Its size.
    pub bytes: u64,
    /// Whether it was found sound, and nobody changed it since.
    pub verified: bool,
    /// Why the next cleaning keeps it; empty when it does not.
    pub kept_because: Vec<String>,
}

/// All backups of some databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupsReport {
    /// Version of this document.
    pub schema: u32,
    /// By database and side, newest first.
    pub backups: Vec<Backup>,
}

/// Backups that were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether every side that has a database has a new one.
    pub ok: bool,
    /// The new ones.
    pub backups: Vec<Backup>,
    /// What went wrong, and what people should know.
    pub warnings: Vec<String>,
}

/// A backup that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemovedBackup {
    /// It.
    pub id: String,
    /// Database name.
    pub database: String,
    /// Side name.
    pub side: String,
    /// Where it lay.
    pub path: String,
    /// When it was made, RFC 3339 UTC.
    pub created_at: String,
    /// Its size.
    pub bytes: u64,
    /// Why.
    pub removed_because: String,
}

/// A cleaning of backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CleanReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether everything could be removed that was to go.
    pub ok: bool,
    /// The size of what went.
    pub freed_bytes: u64,
    /// What stays, with every reason.
    pub kept: Vec<Backup>,
    /// What went, or in a dry run would go.
    pub removed: Vec<RemovedBackup>,
    /// What went wrong.
    pub warnings: Vec<String>,
}

/// Something that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedBackup {
    /// The backup; `state`; or `database:side:WHAT`: `live` for the file of the side, `base` for the copy of what was
    /// merged last, `agreement` for whether that tells the same as those of the other sides.
    pub id: String,
    /// Database name.
    pub database: String,
    /// Side name.
    pub side: String,
    /// Where it lies.
    pub path: String,
    /// Whether it is sound.
    pub ok: bool,
    /// What is wrong with it.
    pub problem: Option<String>,
}

/// A check of everything that a recovery would rely on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether all of them are sound.
    pub ok: bool,
    /// What was checked.
    pub checked: Vec<CheckedBackup>,
    /// Sides without a backup, and what the next run has to do.
    pub warnings: Vec<String>,
}

/// A request that was put into the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueuedReport {
    /// Version of this document.
    pub schema: u32,
    /// The request, for finding it in the queue.
    pub id: String,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    /// Not carried out yet, or being carried out right now.
    Pending,
    /// Carried out.
    Done,
    /// Refused, or not carried out as a whole.
    Failed,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueuedRequest {
    /// Our name for it.
    pub id: String,
    /// `resolve`, `acknowledge`, `restore`, `force`, `sync-from`, `backup`, `clean-backups`, `verify`, `undo`; `unknown`
    /// where the request did not say it.
    pub action: String,
    /// What the action is about.
    pub arguments: Json,
    /// Who asked, in their own words.
    pub by: String,
    /// When it was asked for, RFC 3339 UTC.
    pub at: String,
    /// Where it is.
    pub state: RequestState,
    /// The report of the action, or its head where that is long.
    pub result: Option<Json>,
    /// Why it failed: `{kind, message, path, hint}`.
    pub error: Option<Json>,
    /// When it was done or failed, RFC 3339 UTC.
    pub finished_at: Option<String>,
}

impl QueuedRequest {
    /// How many new conflicts carrying it out has made; none where its report says nothing of the kind.
    pub(crate) fn new_conflicts(&self) -> usize {
        let count = self.result.as_ref().and_then(|report| report.get("conflicts")).and_then(Json::as_u64);
        count.map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX))
    }
}

/// The requests there are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueReport {
    /// Version of this document.
    pub schema: u32,
    /// Newest first.
    pub requests: Vec<QueuedRequest>,
}

macro_rules! two_unless_ok {
    ($($report:ty),*) => {$(
        impl $report {
            /// 0 when all went well, else 2.
            #[must_use]
            pub const fn exit_code(&self) -> i32 {
                if self.ok { 0 } else { 2 }
            }
        }
    )*};
}
two_unless_ok!(BackupReport, CleanReport, VerifyReport);

macro_rules! always_zero {
    ($($report:ty),*) => {$(
        impl $report {
            /// Always 0: looking is never a failure.
            #[must_use]
            pub const fn exit_code(&self) -> i32 {
                0
            }
        }
    )*};
}
always_zero!(
    ConflictsReport,
    AcknowledgeReport,
    HistoryReport,
    StatusReport,
    BackupsReport,
    QueuedReport,
    QueueReport
);
