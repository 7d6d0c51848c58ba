//! What is to be done with one log: looks at all of its copies and decides, and changes nothing, but that the archive's file
//! is made where it is missing.
//!
//! Apart from `take`, which is about one copy, and from `work`, which carries it out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use crate::clock;
use crate::config::{LogConfig, Ownership};
use crate::durable;
use crate::report::{Adopted, LogReport, LogSideReport, LogState as Ended};

use super::against::Against;
use super::align::Relation;
use super::archive::Archive;
use super::around::{Around, Nowhere, one_file};
use super::breaks::with_hint;
use super::file::{Access, FileId, LogFile, in_words};
use super::find::{self, Shelf};
use super::journal::Journal;
use super::names::Packing;
use super::state::{CopyState, LogState};
use super::steps::Steps;
use super::take::{self, Taken, cursor_at};
use super::work::{PartNow, Piece, Target, Whose, Work};
use crate::durable::lease::{self, Held};

/// A line without an end is finished when nobody has gone on with it for so long.
const QUIET: Duration = Duration::from_secs(60);
/// So often it is looked, a millisecond apart, whether a line that is being written has got its end.
const LOOKS: u32 = 20;
/// How the name of the file ends in which a copy gets what others write, where its writer leaves no room for that.
pub(crate) const BESIDE: &str = ".merged";

/// What is the same for all logs of a run.
pub(crate) struct Setting<'a> {
    pub(crate) hub: &'a str,
    pub(crate) ownership: &'a Ownership,
    pub(crate) around: &'a Around<'a>,
    /// RFC 3339.
    pub(crate) at: &'a str,
    /// The number of the run: when it began, in nanoseconds since 1970.
    pub(crate) run: i64,
    pub(crate) steps: &'a dyn Steps,
    pub(crate) journal: &'a Journal,
    /// Nothing is to be changed.
    pub(crate) dry: bool,
    /// Directories of archives that this run has made.
    pub(crate) made: RefCell<Vec<PathBuf>>,
}

/// Why a log is not merged now, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The next run may well do it.
    Wait(String),
    /// Somebody has to do something.
    Fail(String),
    /// The same, and no other file of the log can be looked at either.
    Full(String),
}

/// Why something cannot be done with a file, in words.
pub(crate) type Problem = String;

impl From<Stop> for Problem {
    fn from(stop: Stop) -> Problem {
        match stop {
            Stop::Wait(why) | Stop::Fail(why) | Stop::Full(why) => why,
        }
    }
}

/// The archive's shelf and its live file, which is made where it is missing.
pub(crate) fn archive_shelf(
    setting: &Setting<'_>,
    path: &Path,
    known: Option<&LogState>,
) -> Result<(Shelf, Rc<LogFile>), Stop> {
    if let Some(other) = setting.around.same(path) {
        return Err(Stop::Fail(one_file(path, other)));
    }
    let access = if setting.dry { Access::Read } else { Access::Append };
    let look = || find::shelf(path, access, setting.around);
    let mut shelf = look()?;
    if shelf.live.is_none() {
        may_be_made(path, known).map_err(Stop::Fail)?;
    }
    if shelf.live.is_none() && !setting.dry {
        create(setting, path).map_err(Stop::Fail)?;
        shelf = look()?;
    }
    if shelf.live.is_none() && setting.dry {
        shelf.live =
            Some(Rc::new(nothing(path).map_err(|cause| Stop::Fail(in_words("read", path, &cause)))?));
    }
    let live = shelf.live.clone().ok_or_else(|| Stop::Fail(format!("{} is not there", path.display())))?;
    Ok((shelf, live))
}

/// An archive that had lines is not made anew where its file system is missing.
pub(crate) fn may_be_made(path: &Path, known: Option<&LogState>) -> Result<(), Problem> {
    let Some(known) = known.filter(|known| known.end() > 0) else { return Ok(()) };
    let directory = path.parent().and_then(|directory| std::fs::metadata(directory).ok());
    if directory
        .is_some_and(|directory| std::os::unix::fs::MetadataExt::dev(&directory) == known.archive.id.dev)
    {
        return Ok(());
    }
    Err(format!(
        "{} is not there, nor is the file system that it lay on: a mount may be missing. Mount it; or, if it is gone, move sync_state/logs away: the archive is then made anew from what the copies have",
        path.display()
    ))
}

/// An empty file that is nowhere, in the place of one that a real run would make.
fn nothing(path: &Path) -> io::Result<LogFile> {
    let file = File::from(rustix::fs::memfd_create("cr0sync", rustix::fs::MemfdFlags::CLOEXEC)?);
    let now = file.metadata()?;
    Ok(LogFile::of(file, path, &now, Packing::Plain))
}

pub(crate) fn create(setting: &Setting<'_>, path: &Path) -> Result<(), String> {
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        setting.made.borrow_mut().push(directory.to_path_buf());
    }
    let made = path
        .parent()
        .map_or(Ok(()), |directory| durable::owned_directory(directory, setting.ownership))
        .and_then(|()| durable::Nascent::beside(path, "log", setting.ownership))
        .and_then(|(nascent, _)| nascent.publish());
    made.map(drop).map_err(|cause| with_hint(&cause))
}

/// What there is to say where the directory of an archive was not there: it may be one by mistake.
pub(crate) fn made(setting: &Setting<'_>, path: &Path) -> Option<String> {
    let made = setting.made.borrow();
    let directory = path.parent().filter(|directory| made.iter().any(|made| made == directory))?;
    Some(format!(
        "{}: {} was not there, and was made: if the archive is to lie elsewhere, or a mount is missing, correct that now",
        setting.hub,
        directory.display()
    ))
}

/// A mirror that had lines is not made anew where its file system is missing.
fn is_mounted(path: &Path, before: &CopyState) -> Result<(), Problem> {
    let Some(cursor) = &before.live else { return Ok(()) };
    let directory = path.parent().and_then(|directory| std::fs::metadata(directory).ok());
    let is_other = |found: std::fs::Metadata| std::os::unix::fs::MetadataExt::dev(&found) != cursor.id.dev;
    match directory.is_some_and(is_other) {
        true => Err(format!(
            "{} is not there, nor is the file system that it lay on: a mount may be missing. Mount it; or make an empty file there, which then gets what is new",
            path.display()
        )),
        false => Ok(()),
    }
}

/// Why what was merged may be there and not be seen.
pub(crate) fn hidden(shelf: &Shelf) -> Option<Problem> {
    out_of_sight("merged", shelf)
}

/// Why what something was done with may be there and not be seen.
pub(crate) fn out_of_sight(done: &str, shelf: &Shelf) -> Option<Problem> {
    if !shelf.refused.is_empty() {
        return Some(format!(
            "what was {done} may lie in a rotated file that is passed over: {}",
            shelf.refused.join(", ")
        ));
    }
    let missing = shelf.missing.as_ref()?;
    Some(format!(
        "what was {done} may lie among its rotated files: {missing}. A directory that is missing is to be mounted; or, if what lay there was moved or is not needed, made anew, and left empty (mkdir)"
    ))
}

/// The files of one copy.
pub(crate) fn look(
    setting: &Setting<'_>,
    path: &Path,
    access: Access,
    live: &LogFile,
) -> Result<Shelf, Stop> {
    if let Some(other) = setting.around.same(path) {
        return Err(Stop::Fail(one_file(path, other)));
    }
    if let Some(Nowhere::Missing(why) | Nowhere::Unreadable(why)) = setting.around.obstacle(path) {
        return Err(Stop::Fail(why));
    }
    let shelf = find::shelf(path, access, setting.around)?;
    if shelf.live.as_ref().is_some_and(|file| file.id == live.id) {
        return Err(Stop::Fail(one_file(path, &live.path)));
    }
    Ok(shelf)
}

/// Whether nobody goes on with the line at the end of an archive, so that it is to get its end.
pub(crate) fn is_quiet(live: &LogFile) -> bool {
    let written = live.file().metadata().and_then(|now| now.modified());
    written.is_ok_and(|at| match SystemTime::from(clock::now()).duration_since(at) {
        Ok(ago) => ago > QUIET,
        // The clock was set back.
        Err(ahead) => ahead.duration() > QUIET,
    })
}

/// The end of an archive, at a moment at which it is the end of a line: whoever looks while a line is being written may see
/// a part of it. Where that does not come, the end as it is.
fn settled_end(live: &LogFile, from: u64) -> io::Result<u64> {
    let mut size = live.file().metadata()?.len();
    for _ in 0..LOOKS {
        if live.ends_a_line(size)? {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
        size = live.file().metadata()?.len();
    }
    Ok(size.max(from))
}

/// Looks at all copies of a log, and decides.
pub(crate) fn plan<'a>(
    setting: &'a Setting<'a>,
    name: &'a str,
    log: &'a LogConfig,
    known: Option<LogState>,
) -> Result<Work<'a>, Stop> {
    let Some(hub_path) = log.copies.get(setting.hub) else {
        return Err(Stop::Fail("the hub has no copy".to_owned()));
    };
    let mut report = report(log);
    let (shelf, live) = archive_shelf(setting, hub_path, known.as_ref())?;
    let fail = |cause: io::Error| Stop::Fail(in_words("read", hub_path, &cause));
    report.warnings.extend(setting.around.strangers(log));
    report.warnings.extend(made(setting, hub_path));
    report
        .warnings
        .extend(shelf.refused.iter().map(|refused| format!("{}: passed over: {refused}", setting.hub)));
    let mut archive = Archive::find(&shelf, &live, known.as_ref()).map_err(fail)?;
    if archive.anew && known.as_ref().is_some_and(|known| known.end() > 0) {
        // It may be the one that cannot be read now, so nothing is taken for gone.
        if let Some(why) = hidden(&shelf) {
            return Err(Stop::Fail(why));
        }
        report.warnings.push(format!(
            "{}: what was merged is not there any more; all copies are aligned with what is there",
            setting.hub
        ));
    }
    let known = known.filter(|_| !archive.anew);
    let base = archive.base();
    let from = archive.known.saturating_sub(base);
    let line_end = live.last_line_end(from, live.size.max(from)).map_err(fail)?;
    if archive.anew {
        archive.known = base + line_end;
    }
    let before = match &known {
        Some(known) if known.base == base && known.end() == archive.known => Ok(known.archive.clone()),
        _ => cursor_at(&live, archive.known.saturating_sub(base), &[]),
    };
    let cursor = match (before, &known) {
        // Somebody else has rotated it, and what was known lies in another file.
        (_, Some(known)) if archive.known < base => known.archive.clone(),
        (cursor, _) => cursor.map_err(fail)?,
    };
    let state_base = match &known {
        Some(known) if archive.known < base => known.base,
        _ => base,
    };
    let mut state = LogState {
        archive: cursor,
        base: state_base,
        ledger: known.as_ref().map_or(0, |known| known.ledger),
        chain: known.as_ref().map(|known| known.chain.clone()).unwrap_or_default(),
        untold: false,
        copies: known.as_ref().map(|known| known.copies.clone()).unwrap_or_default(),
        run: setting.run,
        merged_at: known.as_ref().and_then(|known| known.merged_at.clone()),
        begin: known.as_ref().map_or(0, |known| known.begin),
        olddirs: olddirs(setting.around, log)?,
    };
    if let Some(own) = state.olddirs.get_mut(setting.hub).filter(|_| archive.is_whole()) {
        find::forget_removed(own, hub_path, setting.around);
    }
    let (mut parts, mut targets): (Vec<PartNow>, Vec<Target<'_>>) = (Vec::new(), Vec::new());
    let mut anew = Vec::new();
    // A file may be mounted in two places.
    let mut ids: Vec<(FileId, &Path)> = Vec::new();
    let places = Places { known: archive.known, base };
    let mut against = Against::new(&mut archive, base + line_end);
    for (side, path) in log.others(setting.hub) {
        let is_mirror = log.mirrors.contains(side);
        let before = state.copies.get(side).cloned();
        let looked = match look(setting, path, take::access(log, side), &live) {
            Err(Stop::Full(why)) => return Err(Stop::Full(why)),
            looked => looked.map_err(Problem::from),
        };
        let found = looked.and_then(|shelf| {
            let id = shelf.live.as_ref().map(|file| file.id);
            if let Some((_, other)) = ids.iter().find(|(known, _)| Some(*known) == id) {
                return Err(one_file(path, other));
            }
            ids.extend(id.map(|id| (id, path.as_path())));
            if let Some(before) = before.as_ref().filter(|_| is_mirror && shelf.live.is_none()) {
                is_mounted(path, before)?;
            }
            if before.as_ref().is_some_and(|before| before.open.is_some()) {
                return Err("what it got of a run that was ended in its midst is still to be compared; the next run does that".to_owned());
            }
            let taken = take::take(&shelf, before.as_ref(), &mut against)
                .map_err(|cause| in_words("read", path, &cause))?;
            Ok((shelf, taken))
        });
        let (shelf, taken) = match found {
            Ok(found) => found,
            Err(why) => {
                report.warnings.push(format!("{side} is passed over: {why}"));
                continue;
            }
        };
        report.warnings.extend(taken.warnings.iter().map(|warning| format!("{side}: {warning}")));
        // Nothing is said of what lies beside nothing.
        if before.is_none()
            && places.known > 0
            && let Some((relation, _)) = taken.adopted
        {
            report.adopt(side, adopted(relation, taken.then.weak), taken.common);
        }
        let mut then = will_have(&shelf, &taken, before.as_ref(), is_mirror, &places);
        if then.refill && before.is_some_and(|before| before.foreign_bytes > 0) {
            anew.push(format!("{side}: it was not there, and is made anew from the archive"));
        }
        if !is_mirror && let Some(told) = judge(&shelf, path, &mut then) {
            report.warnings.push(format!("{side}: {told}"));
        }
        // What a copy gives is not new when the next one has it as well.
        let planned: u64 = parts.iter().map(|part| part.length).sum();
        if taken.is_aligned {
            against.extend(base + line_end + planned, &taken.streams);
        }
        for stream in taken.streams {
            parts.push(PartNow::new(side.clone(), stream));
        }
        state.copies.insert(side.clone(), then);
        let seen = shelf.live.as_ref().map_or(0, |file| file.size);
        targets.push(Target { side, path, is_mirror, seen });
    }
    // It is made once there is something for it.
    if line_end > 0 || !parts.is_empty() {
        report.warnings.extend(anew);
    }
    // Nothing is appended to a line of somebody else's.
    let (mut end, mut newline) = (line_end, false);
    if !parts.is_empty() {
        let size = settled_end(&live, line_end).map_err(fail)?;
        newline = !live.ends_a_line(size).map_err(fail)?;
        if newline && !is_quiet(&live) {
            return Err(Stop::Wait(format!(
                "somebody is writing a line at the end of {}",
                hub_path.display()
            )));
        }
        end = size;
    }
    // What copies give comes behind what others have written meanwhile, and so do places in it.
    let later = end - line_end + u64::from(newline);
    for copy in state.copies.values_mut().filter(|copy| copy.sent > base + line_end) {
        copy.sent += later;
    }
    // What others have appended to the archive is its own.
    let mut pieces = Vec::new();
    if base + end > archive.known {
        pieces.push(Piece {
            start: archive.known,
            length: base + end - archive.known,
            whose: Whose::Hub,
            sha256: None,
        });
    }
    Ok(Work { setting, name, archive, live, parts, pieces, newline, state, targets, report })
}

/// Where rotated files of copies may lie, by side.
fn olddirs(around: &Around<'_>, log: &LogConfig) -> Result<BTreeMap<String, Vec<PathBuf>>, Stop> {
    let mut all = BTreeMap::new();
    for (side, path) in &log.copies {
        let found = find::olddirs(path, around)?;
        if !found.is_empty() {
            all.insert(side.clone(), found);
        }
    }
    Ok(all)
}

/// The file in which a copy gets what others write, where its writer leaves no room for that.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(BESIDE);
    PathBuf::from(name)
}

/// Looks whether the writer of a source's file writes at a place of its own instead of at the end; once for each file. What
/// goes into a file beside it does so until its file is another one, and somebody is seen who appends to that. Returns
/// what people should know.
fn judge(shelf: &Shelf, path: &Path, then: &mut CopyState) -> Option<String> {
    let live = shelf.live.as_ref().filter(|live| then.judged != Some(live.id))?;
    let held = lease::held(live.file());
    let overwrites = held != Held::No && lease::overwriter(live.file()).is_some();
    if then.aside {
        if overwrites || held != Held::Yes {
            return None;
        }
        (then.aside, then.torn, then.judged) = (false, 0, Some(live.id));
        return Some(format!(
            "its file is another one, whose writer appends; what others write goes into {} again, and {} stays as it is",
            path.display(),
            beside(path).display()
        ));
    }
    (then.aside, then.judged) = (overwrites, Some(live.id));
    overwrites.then(|| {
        format!(
            "its writer does not append, and would write over it; what others write goes into {} from now on",
            beside(path).display()
        )
    })
}

/// Places in the archive.
struct Places {
    /// Its known end.
    known: u64,
    /// The beginning of its live file.
    base: u64,
}

/// What of others a copy has already.
fn will_have(
    shelf: &Shelf,
    taken: &Taken,
    before: Option<&CopyState>,
    is_mirror: bool,
    archive: &Places,
) -> CopyState {
    let mut then = taken.then.clone();
    match before {
        None => {
            (then.sent, then.refill) = match (is_mirror, taken.adopted) {
                (true, None) => (archive.base, true),
                (true, Some((Relation::Apart, _))) => (archive.base, false),
                // A source is not given what was written before it came,
                (false, None | Some((Relation::Apart, _))) => (archive.known, false),
                (false, _) if then.weak => (archive.known, false),
                // which is up to the last line that it has.
                (_, Some((_, place))) => (place, false),
            };
        }
        Some(_) if is_mirror && shelf.live.is_none() && shelf.rotated.is_empty() => {
            then = CopyState {
                foreign_bytes: then.foreign_bytes,
                broken: then.broken,
                read: then.read,
                sent: archive.base,
                refill: true,
                ..CopyState::default()
            };
        }
        Some(_) => {}
    }
    then
}

/// The word of a report.
fn adopted(relation: Relation, weak: bool) -> Adopted {
    match (relation, weak) {
        (_, true) => Adopted::Weak,
        (Relation::Contained, _) => Adopted::Contained,
        (Relation::Overlap, _) => Adopted::Overlap,
        (Relation::Diverged | Relation::Apart, _) => Adopted::Diverged,
    }
}

pub(crate) fn report(log: &LogConfig) -> LogReport {
    LogReport {
        state: Ended::Unchanged,
        reason: None,
        sides: log.copies.keys().map(|side| (side.clone(), LogSideReport::default())).collect(),
        adopted: None,
        rotated: None,
        warnings: Vec::new(),
    }
}
