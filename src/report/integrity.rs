//! What the operations over watched files return.

use serde::Serialize;
use serde_json::Value;

use super::security::LockHeld;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingKind {
    /// A file is new.
    Added,
    /// A file is gone.
    Removed,
    /// A file is not what it was.
    Modified,
    /// A file has another name.
    Moved,
    /// It cannot be read.
    Unreadable,
    /// It changed each time it was read.
    Unstable,
    /// What was accepted cannot be believed.
    Baseline,
}

impl FindingKind {
    /// Its bit in the exit bits.
    #[must_use]
    pub const fn bit(self) -> u32 {
        match self {
            FindingKind::Added => 1,
            FindingKind::Removed => 2,
            FindingKind::Modified | FindingKind::Moved => 4,
            FindingKind::Unreadable | FindingKind::Unstable => 8,
            FindingKind::Baseline => 16,
        }
    }
}

/// Something that is otherwise than it was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IntegrityFinding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The file; control characters and bytes that are no UTF-8 as `\xHH`.
    pub path: String,
    /// Its path in base64, where `path` is not exactly that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
    /// Of a file that was moved, its path before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// That in base64, where `from` is not exactly that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_b64: Option<String>,
    /// Which attributes changed.
    pub changes: Vec<String>,
    /// Of what changed or moved, these as they were accepted; of what is gone, all that is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<FileAttributes>,
    /// Of what changed or moved, these as they are now; of what is new, all that is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<FileAttributes>,
    /// `LOW`, `MEDIUM`, `HIGH` or `CRITICAL`.
    pub severity: &'static str,
    /// Why, where that needs saying.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Attributes of a file; what is not told is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FileAttributes {
    /// `file`, `directory`, `symlink`, `fifo`, `socket`, `character device` or `block device`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// Four octal digits, as `4755`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The number of its owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The number of its group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When its content changed, RFC 3339 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtime: Option<String>,
    /// When anything of it changed, RFC 3339 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctime: Option<String>,
    /// The number of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// So many names it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nlink: Option<u32>,
    /// Of a device, which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<u64>,
    /// Whether something is mounted at its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount: Option<bool>,
    /// Where a symlink leads, shown as a path is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// That in base64, where `target` is not exactly that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_b64: Option<String>,
    /// Of its content, where that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Something that is not watched, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// A path, what paths begin with, or a pattern of names.
    pub path: String,
    /// In base64, where `path` is not exactly that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
    /// Why.
    pub reason: String,
}

/// Whether files are what was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IntegrityReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether nothing was found.
    pub ok: bool,
    /// 1 new, 2 removed, 4 changed, 8 unreadable or unstable, 16 baseline; added up.
    pub exit_bits: u32,
    /// Files that were looked at.
    pub checked: u64,
    /// Bytes that were read.
    pub hashed_bytes: u64,
    /// Whether everything was looked at that should be.
    pub complete: bool,
    /// After how long a change is found at the latest, in words.
    pub guarantee: String,
    /// What is otherwise than it was accepted.
    pub findings: Vec<IntegrityFinding>,
    /// How many of these are new since the last check.
    pub new_findings: u64,
    /// Which baseline it was compared with; 0 where there is none to believe.
    pub generation: u64,
    /// When what was read longest ago was read, RFC 3339 UTC.
    pub oldest_reading: Option<String>,
    /// Databases, of which only attributes are compared.
    pub not_read: u64,
    /// What is left out.
    pub excluded: Vec<Excluded>,
    /// What people should know.
    pub warnings: Vec<String>,
    /// How long it took.
    pub duration_ms: u64,
}

impl IntegrityReport {
    /// The exit code of the scripts: 1 as long as something is otherwise than it was accepted.
    ///
    /// Also where it was told before: whoever asks twice must not hear the second time that all is well. What is new is
    /// counted in `new_findings`, and only that alerts.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        i32::from(!self.ok)
    }
}

/// A baseline was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IntegrityBaselineReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether everything is in it that should be.
    pub ok: bool,
    /// Its number.
    pub generation: u64,
    /// Its digest.
    pub sha256: String,
    /// Files, directories and everything else in it.
    pub entries: u64,
    /// Bytes that were read.
    pub hashed_bytes: u64,
    /// Files that were taken over from a list of the site's pages.
    pub imported: u64,
    /// What could not be read, and is not in it.
    pub findings: Vec<IntegrityFinding>,
    /// What is otherwise than in the baseline before it, and accepted now; the first thousand.
    pub changed: Vec<IntegrityFinding>,
    /// How many these are.
    pub changed_count: u64,
    /// The number of the baseline that it was compared with; none where there was none to believe, so that nobody knows what is
    /// otherwise.
    pub compared_with: Option<u64>,
    /// Whether the key that signs was made for it.
    pub new_key: bool,
    /// So many open alerts of the site's pages it has closed.
    pub resolved_alerts: u64,
    /// What is left out.
    pub excluded: Vec<Excluded>,
    /// What people should know.
    pub warnings: Vec<String>,
    /// How long it took.
    pub duration_ms: u64,
}

impl IntegrityBaselineReport {
    /// The exit code of the scripts.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        i32::from(!self.ok)
    }
}

/// Findings were accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IntegrityAcceptReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether everything could be accepted.
    pub ok: bool,
    /// Whether this was only to show what would be accepted.
    pub dry_run: bool,
    /// The number of the baseline that holds it; as it was where nothing was to be accepted.
    pub generation: u64,
    /// What is accepted now.
    pub accepted: Vec<IntegrityFinding>,
    /// What could not be read, and is as it was.
    pub refused: Vec<IntegrityFinding>,
    /// So many open alerts of the site's pages it has closed.
    pub resolved_alerts: u64,
    /// What people should know.
    pub warnings: Vec<String>,
}

impl IntegrityAcceptReport {
    /// The exit code of the scripts.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        i32::from(!self.ok)
    }
}

/// The baseline as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BaselineStatus {
    /// Whether it can be believed.
    pub ok: bool,
    /// Why not.
    pub problem: Option<String>,
    /// Its number.
    pub generation: u64,
    /// When it was made, RFC 3339 UTC.
    pub created: Option<String>,
    /// Files, directories and everything else in it.
    pub entries: u64,
}

/// The watcher as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WatchStatus {
    /// Whether one is at work.
    pub running: bool,
    /// When it last said so, RFC 3339 UTC.
    pub heartbeat: Option<String>,
    /// Whether one should be, and has said nothing for too long.
    pub stale: bool,
    /// Why that is not known, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How it is with watched files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IntegrityStatusReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether the baseline can be believed, the last check found nothing, and no watcher is missed.
    pub ok: bool,
    /// The baseline.
    pub baseline: BaselineStatus,
    /// The report of the last whole check, with when it was made and where it is from: `private`, or `site` or `own` where others
    /// may have written it; and of each finding whether it is `silenced`. Null where there is none.
    pub last_check: Value,
    /// The watcher.
    pub watch: WatchStatus,
    /// Locks that somebody holds now; nobody waits for any other.
    pub locks: Vec<LockHeld>,
    /// What is watched.
    pub roots: Vec<String>,
    /// What is left out.
    pub excluded: Vec<Excluded>,
    /// What is not as it should be, with what to do.
    pub problems: Vec<StatusProblem>,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// Findings that were silenced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IntegritySilenceReport {
    /// Version of this document.
    pub schema: u32,
    /// The paths of which an alert is silenced now, as findings show them.
    pub silenced: Vec<String>,
    /// Those of which no alert is open.
    pub unknown: Vec<String>,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusProblem {
    /// What.
    pub problem: String,
    /// What a person has to do first, where the command alone would not mend it.
    pub first: Option<String>,
    /// The command of the script that comes next.
    pub next: &'static str,
}

impl IntegrityStatusReport {
    /// Always 0: looking is never a failure.
    #[must_use]
    pub const fn exit_code(&self) -> i32 {
        0
    }
}

/// Why watching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchEnd {
    /// Its time was over.
    Time,
    /// It was told to stop.
    Asked,
}

/// What a watcher saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IntegrityWatchReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether nothing was found, and nothing went wrong.
    pub ok: bool,
    /// Why it ended.
    pub ended: WatchEnd,
    /// Directories that were watched at the end.
    pub watches: u64,
    /// What the kernel told.
    pub events: u64,
    /// Checks that were made,
    pub checks: u64,
    /// and how many of these were of everything.
    pub rescans: u64,
    /// How often more changed at once than the kernel keeps.
    pub overflows: u64,
    /// 1 new, 2 removed, 4 changed, 8 unreadable or unstable, 16 baseline; added up.
    pub exit_bits: u32,
    /// Findings that were new.
    pub new_findings: u64,
    /// What was found, each once, the first thousand; those that were open already too.
    pub findings: Vec<IntegrityFinding>,
    /// What people should know.
    pub warnings: Vec<String>,
    /// How long it took.
    pub duration_ms: u64,
}

impl IntegrityWatchReport {
    /// The exit code of the scripts: 1 where something new was found.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        i32::from(self.new_findings > 0)
    }
}
