//! What the operations over logs return.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

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

/// How a copy that is new to us lay to the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Adopted {
    /// It began with what the archive ended with.
    Overlap,
    /// The archive had all of it.
    Contained,
    /// Each had lines that the other lacked.
    Diverged,
    /// It rests on less than 8 lines and 1 KiB.
    Weak,
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
    /// How it lay to the archive, where it is new to us and both had something.
    pub adopted: Option<Adopted>,
    /// Bytes of it that were in the archive when it was adopted.
    pub known_bytes: u64,
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
    /// How the last copy that is new to us lay to the archive; each is told with its side. None where no copy is new, or one
    /// of the two has nothing.
    pub adopted: Option<Adopted>,
    /// Where its archive was rotated to, as it was past its size limit.
    #[serde(serialize_with = "perhaps_path")]
    pub rotated: Option<PathBuf>,
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
            side.adopted = side.adopted.or(earlier.adopted);
            side.known_bytes = side.known_bytes.max(earlier.known_bytes);
        }
        if before.state == LogState::Merged && self.state == LogState::Unchanged {
            self.state = LogState::Merged;
        }
        self.adopted = self.adopted.or(before.adopted);
    }

    /// A copy is new, and so many bytes of it were in the archive already.
    pub(crate) fn adopt(&mut self, side: &str, how: Adopted, known_bytes: u64) {
        self.adopted = Some(how);
        let side = self.sides.entry(side.to_owned()).or_default();
        (side.adopted, side.known_bytes) = (Some(how), known_bytes);
    }
}

/// A run over logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogsReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether nothing failed.
    pub ok: bool,
    /// When it began, in milliseconds since 1970; also where it had nothing to do.
    pub run: String,
    /// How long it took.
    pub duration_ms: u64,
    /// The side whose copies are the archives.
    pub hub: String,
    /// By name.
    pub logs: BTreeMap<String, LogReport>,
}

impl LogsReport {
    /// The exit code of the scripts: 69 when no log could be looked at.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        if !self.logs.is_empty() && self.logs.values().all(|log| log.state == LogState::Skipped) {
            return 69;
        }
        if self.ok { 0 } else { 2 }
    }
}

/// How a rotation ended for one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RotateState {
    /// There was nothing to rotate.
    Unchanged,
    /// It was rotated; in a dry run, it would be.
    Rotated,
    /// It should be rotated, and cannot be now without losing something; the next run tries again.
    Skipped,
    /// It could not be looked at, merged or rotated.
    Failed,
}

/// How a file was rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RotateMethod {
    /// It got another name, and there is a new one.
    Rename,
    /// Whole lines of it were copied, and then taken out at its beginning; its writer noticed nothing.
    InPlace,
    /// It was copied, then truncated; lines written in between are lost.
    #[serde(rename = "copytruncate")]
    CopyTruncate,
}

/// How a rotation went for one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRotateReport {
    /// How it ended.
    pub state: RotateState,
    /// Why, in words.
    pub reason: Option<String>,
    /// The rotated file.
    #[serde(serialize_with = "perhaps_path")]
    pub file: Option<PathBuf>,
    /// How large it is (bytes).
    pub bytes: u64,
    /// How it was made.
    pub method: Option<RotateMethod>,
    /// Files that were packed, as they are called now.
    #[serde(serialize_with = "paths")]
    pub compressed: Vec<PathBuf>,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// A rotation of logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogsRotateReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether nothing failed.
    pub ok: bool,
    /// Its number.
    pub run: String,
    /// How long it took.
    pub duration_ms: u64,
    /// By name.
    pub logs: BTreeMap<String, LogRotateReport>,
}

impl LogsRotateReport {
    /// The exit code of the scripts.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        if self.ok { 0 } else { 2 }
    }
}

/// How cleaning ended for one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CleanState {
    /// All of its files stay.
    Unchanged,
    /// Rotated files were removed; in a dry run, they would be.
    Cleaned,
    /// It could not be looked at, or a file could not be removed.
    Failed,
}

/// What became of one rotated file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogFileVerdict {
    /// Where it lies.
    #[serde(serialize_with = "path")]
    pub path: PathBuf,
    /// Bytes on disk.
    pub bytes: u64,
    /// Whole days since it was last written to.
    pub age_days: i64,
    /// Whether it stays.
    pub keep: bool,
    /// Why.
    pub reason: String,
}

/// How cleaning went for one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogCleanReport {
    /// How it ended.
    pub state: CleanState,
    /// Why, where that needs saying.
    pub reason: Option<String>,
    /// Its rotated files, oldest first.
    pub files: Vec<LogFileVerdict>,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// A cleaning of logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogsCleanReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether nothing failed.
    pub ok: bool,
    /// Its number.
    pub run: String,
    /// How long it took.
    pub duration_ms: u64,
    /// By name.
    pub logs: BTreeMap<String, LogCleanReport>,
}

impl LogsCleanReport {
    /// The exit code of the scripts.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        if self.ok { 0 } else { 2 }
    }
}

/// A rotated file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RotatedFile {
    /// Where it is.
    #[serde(serialize_with = "path")]
    pub path: PathBuf,
    /// Its size on disk.
    pub bytes: u64,
}

/// One copy of a log as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LogSideStatus {
    /// Where it is.
    #[serde(serialize_with = "path")]
    pub path: PathBuf,
    /// Whether nobody writes to it but us.
    pub mirror: bool,
    /// Whether it is there.
    pub exists: bool,
    /// Its size.
    pub bytes: u64,
    /// Up to where it was read (bytes); of the hub's, up to where it is known.
    pub cursor: u64,
    /// Bytes of its own that are not in the archive yet; of the hub's, bytes that others wrote into it since.
    pub unread_bytes: u64,
    /// Bytes of others that it does not have yet.
    pub lag_bytes: u64,
    /// Bytes of others that were written into it, ever.
    pub foreign_bytes: u64,
    /// Whether what it had at first was found in the archive by less than 8 lines and 1 KiB.
    pub weak: bool,
    /// The file beside it in which it gets what others write, as its writer does not append whole lines.
    pub merged: Option<PathBuf>,
    /// The first thing that is wrong with it.
    pub problem: Option<String>,
}

/// What a problem with a log is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogProblemKind {
    /// The directory of a copy is not there; a mount may be missing.
    DirectoryMissing,
    /// A copy or its directory cannot be read.
    Unreadable,
    /// A rotated file is passed over.
    PassedOver,
    /// What was merged is not in the archive any more.
    ArchiveGone,
    /// What was written down of where lines came from cannot be read, or is not what it was.
    Ledger,
    /// A run or a rotation is under way, or was ended in its midst: the next one settles that, or says why it cannot.
    Unsettled,
    /// A copy that is to get lines cannot be written.
    Unwritable,
    /// Two paths are one file, of which this one is not read.
    SameFile,
    /// None of its copies is there.
    Missing,
}

/// Something that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogProblem {
    /// What it is about.
    pub kind: LogProblemKind,
    /// The side; none where it is about the log as a whole.
    pub side: Option<String>,
    /// In words, with what to do.
    pub message: String,
}

/// One log as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LogStatus {
    /// When lines were last merged, RFC 3339 UTC.
    pub last_merge: Option<String>,
    /// Whether a run or a rotation was ended in its midst, and the next one has to finish it.
    pub unfinished: bool,
    /// Everything that is wrong.
    pub problems: Vec<LogProblem>,
    /// By side.
    pub sides: BTreeMap<String, LogSideStatus>,
    /// Rotated files of the archive, oldest first.
    pub rotated: Vec<RotatedFile>,
}

/// All logs as they are now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogsStatusReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether nothing is wrong, but for what the next run settles, and logs that are not there yet.
    pub ok: bool,
    /// By name.
    pub logs: BTreeMap<String, LogStatus>,
}

impl LogsStatusReport {
    /// Always 0: looking is never a failure.
    #[must_use]
    pub const fn exit_code(&self) -> i32 {
        0
    }
}

/// What comparing an archive with what was written down has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogProof {
    /// It is what was merged.
    Ok,
    /// It is not.
    Bad,
    /// Nothing was merged, or a rotation that was interrupted is to be finished before.
    Unknown,
    /// It could not be read.
    Failed,
}

/// A range of an archive that is not what was merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadRange {
    /// Where it begins, in bytes from the beginning of the archive.
    pub from: u64,
    /// How long it is (bytes).
    pub length: u64,
    /// The side that wrote it.
    pub origin: String,
    /// Where in that side's file it began.
    pub offset: u64,
    /// When it was merged, RFC 3339 UTC.
    pub at: String,
}

/// Whether one archive is what was merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogVerifyReport {
    /// The outcome.
    pub state: LogProof,
    /// Why, where that needs saying.
    pub reason: Option<String>,
    /// Ranges that are written down.
    pub ranges: u64,
    /// Bytes that were compared.
    pub bytes: u64,
    /// Bytes that are written down, in files that were cleaned away.
    pub gone_bytes: u64,
    /// Bytes behind what was merged.
    pub unmerged_bytes: u64,
    /// The first range that is not what was merged.
    pub first_bad: Option<BadRange>,
}

/// Whether archives are what was merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogsVerifyReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether none is bad.
    pub ok: bool,
    /// Its number.
    pub run: String,
    /// How long it took.
    pub duration_ms: u64,
    /// By name.
    pub logs: BTreeMap<String, LogVerifyReport>,
}

impl LogsVerifyReport {
    /// The exit code of the scripts.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        if self.ok { 0 } else { 2 }
    }
}

// A path need not be UTF-8, and a document is.

fn path<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.display())
}

#[expect(clippy::ref_option, reason = "what serde calls it with")]
fn perhaps_path<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.display().to_string()).serialize(to)
}

fn paths<S: Serializer>(paths: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(paths.iter().map(|path| path.display().to_string()))
}
