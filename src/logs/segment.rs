//! Rotates a file whose writer keeps it open: its lines go into a segment, and out of the file.
//!
//! Invariant: every line is in the live file or in the segment at any time, on disk. The segment is whole, on disk and compared
//! before anything is taken out; what was about to be done is on record before the segment appears. So after a crash either
//! the live file still has all bytes of the segment, which then goes, or they were taken out, and the state moves on. Where
//! neither can be told, both stay.
//!
//! Both have on disk what the record says before anything goes. What a file that is truncated got after that may, when the
//! machine dies, be on disk in one of the two only: NULs are then taken for what did not come to disk, and the one goes of
//! which the other has everything.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::config::Config;
use crate::durable::{self, Nascent};
use crate::error::{Error, Result};
use crate::interrupt;

use super::around::Around;
use super::breaks::with_hint;
use super::cut::{self, Place};
use super::file::{Access, BLOCK, FileId, LogFile, Owners, Unopened, in_words};
use super::find;
use super::names::Packing;
use super::pack;
use super::plan::Problem;
use super::state::{LogState, State};
use super::steps::{Step, Steps};
use super::take::cursor_at;
use super::torn::{self, Left};

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
    /// Which start of the machine, where that can be told: while it runs, nothing of what was written is lost.
    #[serde(default)]
    boot: Option<String>,
}

fn record_path(directory: &Path) -> PathBuf {
    directory.join("rotation")
}

/// Which start of the machine this is, where that can be told.
fn boot() -> Option<String> {
    Some(clock::boot().id).filter(|id| !id.is_empty())
}

impl Record {
    /// Whether the machine may have died since, and not this program alone.
    fn is_of_before(&self) -> bool {
        self.boot.is_none() || self.boot != boot()
    }

    fn save(&self, directory: &Path) -> Result<()> {
        durable::replace(&record_path(directory), &serde_json::to_vec(self).unwrap_or_default())
    }
}

/// The log of a rotation that has not been settled, and why not.
pub(crate) type Unsettled = Option<(String, Problem)>;

/// One file to be rotated in place.
pub(crate) struct Job<'a, 'c> {
    /// Where what we remember of logs lies; its lock is held.
    pub(crate) directory: &'a Path,
    pub(crate) around: &'a Around<'c>,
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

impl Job<'_, '_> {
    /// Brings the beginning up to a place into the segment, and takes it out.
    pub(crate) fn collapse(&self, place: Place, state: &mut State) -> Outcome {
        let how = How::Collapse { telling: place.telling, digest: place.digest };
        let record = self.record(place.at, how, state);
        let (live, segment) = self.begin(&record)?;
        let _quiet = interrupt::quiet();
        // Whatever happens from here on, the record says how to go on.
        if !equal(&live, &segment, place.at)? {
            return Err(format!("{} was changed while it was copied", live.path.display()));
        }
        if let Err(cause) = cut::take_out(live.file(), place.at) {
            let why = format!("its file system does not take lines out of {}: {cause}", live.path.display());
            return Err(self.undo(&record, why));
        }
        self.steps.at(Step::Cut);
        finish(&record, &live, Some(&segment), self.directory, state)?;
        Ok(place.at)
    }

    /// Copies all of it into the segment, and truncates it at once. What is written between the last look and that is lost.
    pub(crate) fn copy_and_truncate(&self, state: &mut State) -> Outcome {
        let record = self.record(self.live.size, How::Truncate, state);
        let (live, segment) = self.begin(&record)?;
        // What is written until it is truncated is lost.
        let _quiet = interrupt::quiet();
        let copied = copy_rest(&live, &segment)
            .and_then(|at| {
                live.file().set_len(0).map(|()| at).map_err(|cause| in_words("truncate", &live.path, &cause))
            })
            .map_err(|why| self.undo(&record, why))?;
        self.steps.at(Step::Cut);
        finish(&record, &live, Some(&segment), self.directory, state)?;
        Ok(copied)
    }

    /// Puts on record what is to be done, and brings the first bytes of the live file into the segment.
    fn begin(&self, record: &Record) -> std::result::Result<(LogFile, LogFile), Problem> {
        // There is one record, so what it says of another log would be forgotten.
        if pending(self.directory).is_some() {
            return Err("the rotation of another log has to be settled before".to_owned());
        }
        let live = self.open()?;
        // Whether it was truncated is told later by whether it has these.
        live.file().sync_data().map_err(|cause| in_words("bring to disk", &live.path, &cause))?;
        record.save(self.directory).map_err(|cause| with_hint(&cause))?;
        self.steps.at(Step::Recorded);
        // It may be in its place although that failed.
        let segment = self.publish(&live, record.cut).map_err(|why| self.undo(record, why))?;
        self.steps.at(Step::Segmented);
        Ok((live, segment))
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
            boot: boot(),
        }
    }

    /// The live file, for us to change.
    fn open(&self) -> std::result::Result<LogFile, Problem> {
        let mut file = self.live.again(Access::Append, &self.around.owners(&self.live.path))?;
        if file.size < self.live.size {
            return Err(format!("{} was truncated while it was looked at", self.live.path.display()));
        }
        file.size = self.live.size;
        Ok(file)
    }

    /// Copies the first bytes of the live file into the segment, on disk.
    fn publish(&self, live: &LogFile, bytes: u64) -> std::result::Result<LogFile, Problem> {
        let fail = |cause: io::Error| {
            format!("cannot copy {} to {}: {cause}", live.path.display(), self.segment.display())
        };
        let like = live.file().metadata().map_err(fail)?;
        let nascent = Nascent::like(self.segment, TAG, &like).map_err(|cause| with_hint(&cause))?;
        let made = nascent.file();
        copy(live, made, 0, bytes).map_err(fail)?;
        let times = like.modified().and_then(|at| made.set_times(std::fs::FileTimes::new().set_modified(at)));
        times.map_err(fail)?;
        let made = nascent.publish().map_err(|cause| with_hint(&cause))?;
        let now = made.metadata().map_err(fail)?;
        Ok(LogFile::of(made, self.segment, &now, Packing::Plain))
    }

    /// Takes a segment away that nothing was taken out for.
    fn undo(&self, record: &Record, why: Problem) -> Problem {
        match undo(record, self.directory, self.around) {
            Ok(true) => why,
            Ok(false) => format!("{why}; {} stays, as not all of it is in the file", self.segment.display()),
            Err(cause) => format!("{why}; {cause}"),
        }
    }
}

/// Copies what was written meanwhile, until the end of the file is the end of a line; returns how much all of it is.
fn copy_rest(live: &LogFile, segment: &LogFile) -> std::result::Result<u64, Problem> {
    let fail = |cause: io::Error| in_words("copy", &live.path, &cause);
    let mut at = live.size;
    for round in 0..=MOST_ROUNDS {
        let size = live.file().metadata().map_err(fail)?.len();
        if size > at {
            // Bringing it to disk takes time, in which a fast writer writes more. In the end that has to come after.
            let is_synced = round < SYNCED_ROUNDS;
            if is_synced {
                live.file().sync_data().map_err(fail)?;
            }
            copy(live, segment.file(), at, size).map_err(fail)?;
            at = size;
            if is_synced {
                segment.file().sync_data().map_err(fail)?;
                continue;
            }
        }
        if at == 0 || live.last_line_end(at - 1, at).map_err(fail)? == at {
            return Ok(at);
        }
    }
    Err("its last line has no end: somebody is writing it".to_owned())
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
        Err(cause) => Err(cause.in_words(path)),
    }
}

/// The log of which a rotation in place waits to be settled; its rotated files must stay as they are until then.
pub(crate) fn pending(directory: &Path) -> Option<String> {
    match std::fs::read(record_path(directory)) {
        Ok(bytes) => {
            Some(serde_json::from_slice(&bytes).map(|record: Record| record.log).unwrap_or_default())
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
        Err(_) => Some(String::new()),
    }
}

/// The live file of a record, whatever it is called by now.
fn live_of(record: &Record, around: &Around<'_>) -> std::result::Result<Option<Rc<LogFile>>, Problem> {
    let shelf = find::shelf(&record.live, Access::Read, around)?;
    Ok(shelf.live.into_iter().chain(shelf.rotated).find(|file| file.id == record.id))
}

/// Whether the live file still has every byte of the segment.
fn has_all(record: &Record, live: &LogFile, segment: &LogFile) -> std::result::Result<bool, Problem> {
    if matches!(record.how, How::Truncate) {
        return Ok(torn::left(live, segment, record.cut)? == Left::All);
    }
    let bytes = segment.length().map_err(|cause| in_words("look at", &segment.path, &cause))?;
    Ok(live.size >= record.cut && equal(live, segment, bytes)?)
}

/// Removes a segment of which the live file still has every byte, and then the record; whether it does.
fn undo(record: &Record, directory: &Path, around: &Around<'_>) -> std::result::Result<bool, Problem> {
    if let Some(segment) = open(&record.segment, Access::Read, &around.owners(&record.live))? {
        match live_of(record, around)? {
            Some(live) if has_all(record, &live, &segment)? => {}
            _ => return Ok(false),
        }
        durable::remove(&segment.path).map_err(|cause| with_hint(&cause))?;
    }
    durable::remove(&record_path(directory)).map_err(|cause| with_hint(&cause))?;
    Ok(true)
}

/// Where a rotation was when it was left.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// The segment is not there.
    Begun,
    /// Nothing was taken out.
    Copied,
    /// Nothing was taken out, and the segment has more than what is left of the live file.
    Less,
    /// It was taken out.
    Done,
    /// Somebody else has changed the live file.
    Lost,
}

fn stage(
    record: &Record,
    live: Option<&LogFile>,
    segment: Option<&LogFile>,
) -> std::result::Result<Stage, Problem> {
    let Some(live) = live else {
        return Ok(if segment.is_some() { Stage::Lost } else { Stage::Begun });
    };
    if let How::Collapse { telling, digest } = &record.how {
        let now = || cut::digest_of(live.file(), 0, *telling);
        if live.size >= *telling && now().map_err(|cause| in_words("read", &live.path, &cause))? == *digest {
            return Ok(Stage::Done);
        }
    }
    let Some(segment) = segment else { return Ok(Stage::Begun) };
    if let How::Collapse { .. } = record.how {
        return Ok(if has_all(record, live, segment)? { Stage::Copied } else { Stage::Lost });
    }
    match torn::left(live, segment, record.cut)? {
        Left::Nothing => Ok(Stage::Done),
        Left::All => Ok(Stage::Copied),
        // A file that lost nothing, and has less than its copy, was truncated: it began again as it had begun before.
        Left::Less | Left::Neither if !record.is_of_before() => Ok(Stage::Done),
        Left::Less => Ok(Stage::Less),
        Left::Neither => Err(format!(
            "either of {} and {} has lines that the other has not: append those that {1} alone has to {0}, and move {1} away",
            live.path.display(),
            segment.path.display()
        )),
    }
}

/// Truncates a live file of which the segment has everything, so close behind a look that hardly anybody comes in between.
fn truncate(live: &LogFile, owners: &Owners) -> std::result::Result<LogFile, Problem> {
    let now = live.again(Access::Append, owners)?;
    if now.size != live.size {
        return Err(format!("somebody is writing to {}", live.path.display()));
    }
    now.file().set_len(0).map_err(|cause| in_words("truncate", &live.path, &cause))?;
    live.again(Access::Append, owners)
}

/// Finishes what is on record, or takes it back.
fn settle(
    record: &Record,
    directory: &Path,
    around: &Around<'_>,
    state: &mut State,
) -> std::result::Result<(), Problem> {
    let segment = open(&record.segment, Access::Read, &around.owners(&record.live))?;
    let live = live_of(record, around)?;
    match (stage(record, live.as_deref(), segment.as_ref())?, live) {
        (Stage::Done, Some(live)) => finish(record, &live, segment.as_ref(), directory, state),
        (Stage::Less, Some(live)) => {
            let live = truncate(&live, &around.owners(&record.live))?;
            finish(record, &live, segment.as_ref(), directory, state)
        }
        (Stage::Copied, _) => match undo(record, directory, around)? {
            true => Ok(()),
            false => Err(format!("{} was changed while it was looked at", record.live.display())),
        },
        (Stage::Begun, Some(live)) if pack::packed_name(&record.segment).exists() => Err(format!(
            "{} was packed before that, and {} may still have its lines: compare them, and move one of them away",
            record.segment.display(),
            live.path.display()
        )),
        _ => durable::remove(&record_path(directory)).map_err(|cause| with_hint(&cause)),
    }
}

/// Puts on record what was taken out. Until then the record says so, and not before it is on disk: after a power cut nobody
/// could tell where the lines are, when the file had them again and only the state said that they are in the segment.
fn finish(
    record: &Record,
    live: &LogFile,
    segment: Option<&LogFile>,
    directory: &Path,
    state: &mut State,
) -> std::result::Result<(), Problem> {
    for file in segment.into_iter().chain([live]) {
        file.file().sync_all().map_err(|cause| in_words("bring to disk", &file.path, &cause))?;
    }
    let is_known = |known: &LogState| {
        Some((known.base, known.archive.offset)) == record.known && known.archive.id == record.id
    };
    if let Some(known) = state.log(&record.log).filter(is_known)
        && let Some(moved) = moved(record, known, live, segment)?
    {
        state
            .set(&record.log, "-".to_owned(), &moved)
            .and_then(|()| state.save())
            .map_err(|cause| with_hint(&cause))?;
    }
    durable::remove(&record_path(directory)).map_err(|cause| with_hint(&cause))
}

/// The state once the beginning is a segment of its own. None where the end that is known lies in a segment that is not
/// there any more: it is found by its content.
fn moved(
    record: &Record,
    known: LogState,
    live: &LogFile,
    segment: Option<&LogFile>,
) -> std::result::Result<Option<LogState>, Problem> {
    let fail = |file: &LogFile, cause: io::Error| in_words("read", &file.path, &cause);
    let cut = match segment {
        Some(segment) => segment.length().map_err(|cause| fail(segment, cause))?,
        None => record.cut,
    };
    let offset = known.archive.offset;
    let (archive, base) = match (offset.checked_sub(cut), segment) {
        (Some(rest), _) => (cursor_at(live, rest, &[]).map_err(|cause| fail(live, cause))?, known.base + cut),
        // Not all of it was known, and what follows is found in the segment.
        (None, Some(segment)) => {
            (cursor_at(segment, offset, &[]).map_err(|cause| fail(segment, cause))?, known.base)
        }
        (None, None) => return Ok(None),
    };
    Ok(Some(LogState { archive, base, ..known }))
}

/// The log of which a rotation is under way, or was interrupted and waits to be settled; only looks.
pub(crate) fn under_way(directory: &Path) -> std::result::Result<Option<String>, Problem> {
    let path = record_path(directory);
    match std::fs::read(&path) {
        Ok(bytes) => match serde_json::from_slice::<Record>(&bytes) {
            Ok(record) => Ok(Some(record.log)),
            Err(_) => {
                Err(format!("{} says nothing of a rotation that this version can read", path.display()))
            }
        },
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(format!("cannot read {}: {cause}", path.display())),
    }
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
    match settle(&record, directory, &Around::of(config), state) {
        Ok(()) => Ok(None),
        Err(why) => {
            Ok(Some((record.log, format!("its rotation was interrupted, and cannot be settled: {why}"))))
        }
    }
}
