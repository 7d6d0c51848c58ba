//! Rotates a file whose writer keeps it open: its lines go into a segment, and out of the file.
//!
//! Invariant: every line is in the live file or in the segment at any time, on disk. The segment is whole, on disk and compared
//! before anything is taken out; what was about to be done is on record before the segment appears. So after a crash either
//! the live file still has all bytes of the segment, which then goes, or they were taken out, and the state moves on. Where
//! neither can be told, both stay.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::durable::{self, Nascent};
use crate::error::{Error, Result};

use super::cut::{self, Place};
use super::file::{Access, BLOCK, FileId, LogFile, Owners, Unopened};
use super::names::Packing;
use super::pack;
use super::plan::Problem;
use super::state::{LogState, State};
use super::steps::{Step, Steps};
use super::take::cursor_at;

/// The version of the record.
const VERSION: u32 = 1;
/// How the name of a segment in the making ends.
const TAG: &str = "rotate";
/// What comes while a file is copied is copied and brought to disk so often before it is truncated,
const SYNCED_ROUNDS: u32 = 5;
/// and its last line is looked for an end so often.
const MOST_ROUNDS: u32 = 1000;

/// What is to be taken out of a live file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    /// Its beginning, with what follows it then, as `cut::Place` has it.
    Collapse { telling: u64, digest: String },
    /// All of it.
    Truncate,
}

/// A rotation in place that is under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    version: u32,
    log: String,
    live: PathBuf,
    segment: PathBuf,
    /// Of the live file.
    id: FileId,
    /// Bytes that the live file had.
    size: u64,
    /// Bytes that go into the segment; at least, where all of it is truncated.
    cut: u64,
    how: How,
    /// Where in the archive the live file began, and up to where it was known, where it was known.
    known: Option<(u64, u64)>,
}

fn record_path(directory: &Path) -> PathBuf {
    directory.join("rotation")
}

impl Record {
    fn save(&self, directory: &Path) -> Result<()> {
        durable::replace(&record_path(directory), &serde_json::to_vec(self).unwrap_or_default())
    }
}

/// The log of a rotation that has not been settled, and why not.
pub(crate) type Unsettled = Option<(String, Problem)>;

/// One file to be rotated in place.
pub(crate) struct Job<'a> {
    /// Where what we remember of logs lies; its lock is held.
    pub(crate) directory: &'a Path,
    pub(crate) owners: &'a Owners,
    pub(crate) steps: &'a dyn Steps,
    pub(crate) log: &'a str,
    pub(crate) live: &'a LogFile,
    /// Where the segment is to appear.
    pub(crate) segment: &'a Path,
    /// Whether the end of the archive that is on record lies in the live file.
    pub(crate) is_known: bool,
}

/// What came of it: the size of the segment in bytes, or why nothing was done, in words.
pub(crate) type Outcome = std::result::Result<u64, Problem>;

impl Job<'_> {
    /// Brings the beginning up to a place into the segment, and takes it out.
    pub(crate) fn collapse(&self, place: Place, state: &mut State) -> Outcome {
        let how = How::Collapse { telling: place.telling, digest: place.digest };
        let record = self.record(place.at, how, state);
        let live = self.open(Access::Append)?;
        record.save(self.directory).map_err(|cause| cause.to_string())?;
        self.steps.at(Step::Recorded);
        let segment = self.publish(&live, place.at).inspect_err(|_| self.forget())?;
        self.steps.at(Step::Segmented);
        // Whatever happens from here on, the record says how to go on.
        if !equal(&live, &segment, place.at)? {
            return Err(format!("{} was changed while it was copied", live.path.display()));
        }
        if let Err(cause) = cut::take_out(live.file(), place.at) {
            let why = format!("its file system does not take lines out of {}: {cause}", live.path.display());
            return Err(self.undo(&record, why));
        }
        self.steps.at(Step::Cut);
        live.file()
            .sync_all()
            .map_err(|cause| format!("cannot bring {} to disk: {cause}", live.path.display()))?;
        settle(&record, self.directory, self.owners, state).map_err(|cause| cause.to_string())?;
        Ok(place.at)
    }

    /// Copies all of it into the segment, and truncates it at once. What is written between the last look and that is lost.
    pub(crate) fn copy_and_truncate(&self, state: &mut State) -> Outcome {
        let live = self.open(Access::Append)?;
        let record = self.record(live.size, How::Truncate, state);
        record.save(self.directory).map_err(|cause| cause.to_string())?;
        self.steps.at(Step::Recorded);
        let segment = self.publish(&live, live.size).inspect_err(|_| self.forget())?;
        self.steps.at(Step::Segmented);
        let fail = |cause: io::Error| format!("cannot copy {}: {cause}", live.path.display());
        let append = File::options().append(true).open(&segment.path).map_err(fail)?;
        let mut at = live.size;
        for round in 0.. {
            let size = live.file().metadata().map_err(fail)?.len();
            if size > at {
                copy(&live, &append, at, size).map_err(fail)?;
                at = size;
                // Bringing it to disk takes time, in which a fast writer writes more. In the end that has to come after.
                if round < SYNCED_ROUNDS {
                    append.sync_data().map_err(fail)?;
                    continue;
                }
            }
            if live.ends_a_line(at).map_err(fail)? {
                break;
            }
            if round > MOST_ROUNDS {
                drop(append);
                return Err(self.undo(&record, "its last line has no end: somebody is writing it".to_owned()));
            }
        }
        live.file().set_len(0).map_err(fail)?;
        self.steps.at(Step::Cut);
        append.sync_all().and_then(|()| live.file().sync_all()).map_err(fail)?;
        drop(append);
        settle(&record, self.directory, self.owners, state).map_err(|cause| cause.to_string())?;
        Ok(at)
    }

    fn record(&self, cut: u64, how: How, state: &State) -> Record {
        let known =
            state.log(self.log).filter(|_| self.is_known).map(|known| (known.base, known.archive.offset));
        Record {
            version: VERSION,
            log: self.log.to_owned(),
            live: self.live.path.clone(),
            segment: self.segment.to_path_buf(),
            id: self.live.id,
            size: self.live.size,
            cut,
            how,
            known,
        }
    }

    /// The live file, for us to change.
    fn open(&self, access: Access) -> std::result::Result<LogFile, Problem> {
        match open(&self.live.path, access, self.owners)? {
            Some(mut file) if file.id == self.live.id && file.size >= self.live.size => {
                file.size = self.live.size;
                Ok(file)
            }
            _ => Err(format!("{} was changed while it was looked at", self.live.path.display())),
        }
    }

    /// Copies the first bytes of the live file into the segment, on disk.
    fn publish(&self, live: &LogFile, bytes: u64) -> std::result::Result<LogFile, Problem> {
        let fail = |cause: io::Error| {
            format!("cannot copy {} to {}: {cause}", live.path.display(), self.segment.display())
        };
        let like = live.file().metadata().map_err(fail)?;
        let nascent = Nascent::like(self.segment, TAG, &like).map_err(|cause| cause.to_string())?;
        let made = File::options().append(true).open(nascent.path()).map_err(fail)?;
        copy(live, &made, 0, bytes).map_err(fail)?;
        let times = like.modified().and_then(|at| made.set_times(std::fs::FileTimes::new().set_modified(at)));
        times.map_err(fail)?;
        drop(made);
        nascent.publish().map_err(|cause| cause.to_string())?;
        open(self.segment, Access::Read, self.owners)?
            .ok_or_else(|| format!("{} is gone", self.segment.display()))
    }

    /// Takes a segment away that nothing was taken out for.
    fn undo(&self, record: &Record, why: Problem) -> Problem {
        match undo(record, self.directory, self.owners) {
            Ok(true) => why,
            Ok(false) => format!("{why}; {} stays, as not all of it is in the file", self.segment.display()),
            Err(cause) => format!("{why}; {cause}"),
        }
    }

    fn forget(&self) {
        // A record without a segment says nothing.
        let _ = durable::remove(&record_path(self.directory));
    }
}

/// Copies a range of a file to the end of another.
fn copy(from: &LogFile, mut to: &File, start: u64, end: u64) -> io::Result<()> {
    let mut reader = io::Read::take(from.reader(start)?, end - start);
    let copied = io::copy(&mut io::BufReader::with_capacity(BLOCK, &mut reader), &mut to)?;
    to.flush()?;
    if copied < end - start { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// Whether the first bytes of a file are all of a segment.
fn equal(live: &LogFile, segment: &LogFile, bytes: u64) -> std::result::Result<bool, Problem> {
    let compare = || {
        let is_whole = segment.length()? == bytes && live.length()? >= bytes;
        let mut reader = io::Read::take(live.reader(0)?, bytes);
        Ok(is_whole && pack::same(&mut reader, segment.reader(0))?)
    };
    compare().map_err(|cause: io::Error| {
        format!("cannot compare {} with {}: {cause}", live.path.display(), segment.path.display())
    })
}

fn open(path: &Path, access: Access, owners: &Owners) -> std::result::Result<Option<LogFile>, Problem> {
    match LogFile::open(path, Packing::Plain, access, owners) {
        Ok(file) => Ok(Some(file)),
        Err(Unopened::Missing) => Ok(None),
        Err(Unopened::Refused(why)) => Err(format!("{} {why}", path.display())),
    }
}

/// Removes a segment of which the live file still has every byte; whether it does.
fn undo(record: &Record, directory: &Path, owners: &Owners) -> std::result::Result<bool, Problem> {
    let (live, segment) =
        (open(&record.live, Access::Read, owners)?, open(&record.segment, Access::Read, owners)?);
    let (Some(live), Some(segment)) = (live, segment) else { return Ok(false) };
    let bytes =
        segment.length().map_err(|cause| format!("cannot look at {}: {cause}", segment.path.display()))?;
    if live.id != record.id || live.size < record.size || !equal(&live, &segment, bytes)? {
        return Ok(false);
    }
    durable::remove(&segment.path)
        .and_then(|()| durable::remove(&record_path(directory)))
        .map_err(|cause| cause.to_string())?;
    Ok(true)
}

/// Where a rotation was when it was left.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// The segment is not there.
    Begun,
    /// Nothing was taken out.
    Copied,
    /// It was taken out.
    Done,
    /// Somebody else has changed the live file.
    Lost,
}

fn stage(record: &Record, owners: &Owners) -> std::result::Result<Stage, Problem> {
    let Some(segment) = open(&record.segment, Access::Read, owners)? else { return Ok(Stage::Begun) };
    let Some(live) = open(&record.live, Access::Read, owners)?.filter(|live| live.id == record.id) else {
        return Ok(Stage::Lost);
    };
    let fail = |cause: io::Error| format!("cannot read {}: {cause}", live.path.display());
    let bytes = segment.length().map_err(fail)?;
    match &record.how {
        How::Collapse { telling, digest } => {
            if live.size >= *telling && cut::digest_of(live.file(), 0, *telling).map_err(fail)? == *digest {
                return Ok(Stage::Done);
            }
            Ok(if equal(&live, &segment, bytes)? { Stage::Copied } else { Stage::Lost })
        }
        How::Truncate if live.size >= record.size && equal(&live, &segment, bytes)? => Ok(Stage::Copied),
        How::Truncate => Ok(Stage::Done),
    }
}

/// Finishes what is on record, or takes it back.
fn settle(record: &Record, directory: &Path, owners: &Owners, state: &mut State) -> Result<()> {
    let fail = |why: Problem| Error::new(crate::error::ErrorKind::Io, why);
    match stage(record, owners).map_err(fail)? {
        Stage::Begun | Stage::Lost => {}
        Stage::Copied => {
            undo(record, directory, owners).map_err(fail)?;
            return Ok(());
        }
        Stage::Done => {
            let known = state.log(&record.log).filter(|known| {
                Some((known.base, known.archive.offset)) == record.known && known.archive.id == record.id
            });
            if let Some(known) = known {
                let moved = moved(record, known, owners).map_err(fail)?;
                state.set(&record.log, "-".to_owned(), &moved)?;
                state.save()?;
            }
        }
    }
    durable::remove(&record_path(directory))
}

/// The state once the beginning is a segment of its own.
fn moved(record: &Record, known: LogState, owners: &Owners) -> std::result::Result<LogState, Problem> {
    let gone = |path: &Path| format!("{} is gone", path.display());
    let segment = open(&record.segment, Access::Read, owners)?.ok_or_else(|| gone(&record.segment))?;
    let live = open(&record.live, Access::Read, owners)?.ok_or_else(|| gone(&record.live))?;
    let offset = known.archive.offset;
    let cursor = match offset.checked_sub(segment.size) {
        Some(rest) => cursor_at(&live, rest, &[]),
        // Not all of it was known, and what follows is found in the segment.
        None => cursor_at(&segment, offset, &[]),
    };
    let archive = cursor.map_err(|cause| format!("cannot read {}: {cause}", live.path.display()))?;
    let base = if offset >= segment.size { known.base + segment.size } else { known.base };
    Ok(LogState { archive, base, ..known })
}

/// Finishes a rotation that a run left when it died. The lock of the directory is held.
///
/// # Errors
/// When the record cannot be read. What goes wrong with the one log is returned; it must not be touched then.
pub(crate) fn recover(directory: &Path, state: &mut State, config: &Config) -> Result<Unsettled> {
    let path = record_path(directory);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(Error::io("read what was to be rotated from", &path, cause)),
    };
    let Some(record) =
        serde_json::from_slice::<Record>(&bytes).ok().filter(|record| record.version == VERSION)
    else {
        return Err(Error::new(crate::error::ErrorKind::Corrupt, "this says nothing of a rotation that this version can read:")
            .at(&path)
            .hint("a newer cr0sync may have written it; if it is damaged, compare the newest rotated file of each log with its live file, and move this away"));
    };
    // One in the making is nobody's.
    let mut name = record.segment.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".new-{TAG}"));
    let _ = std::fs::remove_file(record.segment.with_file_name(name));
    match settle(&record, directory, &super::owners(config), state) {
        Ok(()) => Ok(None),
        Err(why) => {
            Ok(Some((record.log, format!("its rotation was interrupted, and cannot be settled: {why}"))))
        }
    }
}
