//! Rotates the archives of logs once they are large, and packs what was rotated.
//!
//! Cut at line ends. A file that nobody holds open gets another name, and a new one its old one; so does one whose writer can
//! be told to open it again (`reopen`). Where a writer keeps it open, its lines are taken out below him (`segment`), or, only
//! when asked for, copied and truncated. After a new name nothing has to be recorded, as the merge finds the archive again by
//! its content. It never removes a line: that is for `clean`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, Timelike, Utc};

use crate::clock;
use crate::config::{Compress, Config, LogConfig, Naming, Ownership, Rotation};
use crate::durable::{self, Nascent};
use crate::error::Result;
use crate::report::{
    LogReport, LogRotateReport, LogState as Ended, LogsRotateReport, RotateMethod, RotateState, SCHEMA,
};

use super::around::Around;
use super::file::{Access, LogFile};
use super::find::{self, Found, Shelf};
use super::lease::{self, Held};
use super::names::Packing;
use super::plan::Problem;
use super::run::{self, Merged};
use super::segment::Job;
use super::state::State;
use super::steps::{Step, Steps, Unwatched};
use super::{Options, cut, label, pack, reopen};

/// Merges logs, rotates the archives of those that are large, and packs what was rotated.
///
/// # Errors
/// [`crate::ErrorKind::Locked`] when another run is at it, [`crate::ErrorKind::Usage`] when a name fits no log. What goes
/// wrong with one log is in its report, and stops no other.
pub fn rotate(config: &Config, options: &Options) -> Result<LogsRotateReport> {
    rotate_with(config, options, clock::now(), &Unwatched)
}

pub(crate) fn rotate_with(
    config: &Config,
    options: &Options,
    now: DateTime<Utc>,
    steps: &dyn Steps,
) -> Result<LogsRotateReport> {
    let began = clock::start();
    let chosen = super::chosen(config, &options.logs)?;
    let directory = config.root.join("sync_state").join("logs");
    let around = Around::of(config);
    let demand = if options.force { Demand::Whatever } else { Demand::Large };
    let turn = Turn {
        directory: &directory,
        hub: &config.hub,
        ownership: &config.ownership,
        around: &around,
        now,
        demand,
        steps,
    };
    let mut logs = BTreeMap::new();
    if options.dry_run {
        let state = State::open(&directory)?;
        for (name, log) in chosen {
            logs.insert(name.to_owned(), turn.foresee(log, state.log(name).is_some()));
        }
    } else {
        let _lock = super::lock(config, options)?;
        let meant = Options { logs: options.logs.clone(), ..Options::default() };
        let Merged { report: merged, mut state, unsettled } =
            run::merge(config, &meant, &directory, now, steps)?;
        for (name, log) in chosen {
            let is_merged = |log: &&LogReport| matches!(log.state, Ended::Merged | Ended::Unchanged);
            let ended = merged.logs.get(name).filter(is_merged);
            let why = || merged.logs.get(name).and_then(|log| log.reason.clone()).unwrap_or_default();
            let report = match (&unsettled, ended) {
                (Some((log, why)), _) if log == name => failed(why.clone()),
                (_, None) => failed(format!("it was not merged, and so not rotated: {}", why())),
                (unsettled, Some(_)) => turn.log(name, log, &mut state, unsettled.is_none()),
            };
            logs.insert(name.to_owned(), report);
        }
    }
    let ok = logs.values().all(|report| report.state != RotateState::Failed);
    Ok(LogsRotateReport {
        schema: SCHEMA,
        ok,
        run: now.timestamp_millis().to_string(),
        duration_ms: began.millis(),
        logs,
    })
}

/// Which logs are rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Those that are larger than their limit.
    Large,
    /// All.
    Whatever,
}

/// What is the same for all logs of a rotation.
pub(crate) struct Turn<'a> {
    /// Where what we remember of logs lies; its lock is held.
    pub(crate) directory: &'a Path,
    pub(crate) hub: &'a str,
    pub(crate) ownership: &'a Ownership,
    pub(crate) around: &'a Around<'a>,
    pub(crate) now: DateTime<Utc>,
    pub(crate) demand: Demand,
    pub(crate) steps: &'a dyn Steps,
}

fn report(state: RotateState, reason: Option<String>) -> LogRotateReport {
    LogRotateReport {
        state,
        reason,
        file: None,
        bytes: 0,
        method: None,
        compressed: Vec::new(),
        warnings: Vec::new(),
    }
}

fn failed(why: Problem) -> LogRotateReport {
    report(RotateState::Failed, Some(why))
}

/// What was done with a live file.
enum Done {
    /// Where it is now, its size in bytes, how, and what people should know.
    Rotated(PathBuf, u64, RotateMethod, Vec<String>),
    /// Nothing, and why.
    Skipped(Problem),
}

/// How a live file is to be rotated.
enum Way {
    Rename,
    /// The writer is told to open it again.
    RenameAndTell,
    /// Taken out below the writer; in words, why not otherwise.
    InPlace(&'static str),
}

const HELD: &str = "a writer keeps it open";
const PERHAPS_HELD: &str = "whether a writer keeps it open cannot be told";

impl Turn<'_> {
    /// Rotates one log if it is due, and packs what was rotated. `may_cut` says that no rotation in place waits to be settled.
    pub(crate) fn log(
        &self,
        name: &str,
        log: &LogConfig,
        state: &mut State,
        may_cut: bool,
    ) -> LogRotateReport {
        let rotation = &log.rotate;
        let mut report = match self.look(log) {
            Err(why) => return failed(why),
            Ok(shelf) => match self.due(rotation, &shelf) {
                Err(report) => *report,
                Ok(live) => match self.rotate(name, log, live, &shelf, state, may_cut) {
                    Err(why) => failed(why),
                    Ok(Done::Skipped(why)) => report(RotateState::Skipped, Some(why)),
                    Ok(Done::Rotated(file, bytes, method, warnings)) => LogRotateReport {
                        file: Some(file),
                        bytes,
                        method: Some(method),
                        warnings,
                        ..self::report(RotateState::Rotated, None)
                    },
                },
            },
        };
        self.pack_all(log, &mut report);
        report
    }

    /// What `log` would do.
    fn foresee(&self, log: &LogConfig, is_known: bool) -> LogRotateReport {
        let shelf = match self.look(log) {
            Ok(shelf) => shelf,
            Err(why) => return failed(why),
        };
        let live = match self.due(&log.rotate, &shelf) {
            Ok(live) => live,
            Err(report) => return *report,
        };
        let (method, reason) = match self.way(&log.rotate, live) {
            Way::Rename => (RotateMethod::Rename, "nobody keeps it open".to_owned()),
            Way::RenameAndTell => (RotateMethod::Rename, "its writer is told to open it again".to_owned()),
            Way::InPlace(why) => (RotateMethod::InPlace, format!("{why}; in place if the file system can")),
        };
        let later = if is_known { "" } else { "; it is merged first" };
        let (_, target) = self.names(log, live, &shelf);
        LogRotateReport {
            file: Some(target),
            bytes: live.size,
            method: Some(method),
            ..report(RotateState::Rotated, Some(format!("it would be rotated: {reason}{later}")))
        }
    }

    fn look(&self, log: &LogConfig) -> std::result::Result<Shelf, Problem> {
        let path = log.copies.get(self.hub).ok_or_else(|| "the hub has no copy".to_owned())?;
        find::shelf_with(path, log.rotate.directory(path).as_deref(), Access::Read, self.around)
    }

    /// The live file if it is to be rotated, else what there is to say.
    fn due<'s>(
        &self,
        rotation: &Rotation,
        shelf: &'s Shelf,
    ) -> std::result::Result<&'s LogFile, Box<LogRotateReport>> {
        let Some(live) = &shelf.live else {
            let (state, why) = match rotation.missing_ok {
                true => (RotateState::Unchanged, None),
                false => (RotateState::Skipped, Some("it is not there".to_owned())),
            };
            return Err(Box::new(report(state, why)));
        };
        let newest = shelf.rotated.last().and_then(|file| day(file.written));
        match is_due(live.size, rotation, newest, self.now, self.demand) {
            true => Ok(live),
            false => Err(Box::new(report(RotateState::Unchanged, None))),
        }
    }

    fn way(&self, rotation: &Rotation, live: &LogFile) -> Way {
        match (lease::held(live.file()), rotation.post_rotate.is_empty()) {
            (Held::No, _) => Way::Rename,
            (_, false) => Way::RenameAndTell,
            (Held::Yes, true) => Way::InPlace(HELD),
            (Held::Unknown, true) => Way::InPlace(PERHAPS_HELD),
        }
    }

    /// What is to be renamed before, and what the rotated file is called.
    fn names(&self, log: &LogConfig, live: &LogFile, shelf: &Shelf) -> (Vec<(PathBuf, PathBuf)>, PathBuf) {
        let directory = log.rotate.directory(&live.path);
        let directory = directory.as_deref().or(live.path.parent()).unwrap_or(Path::new("."));
        let name = |path: &Path| path.file_name().unwrap_or_default().as_bytes().to_vec();
        let (own, others) =
            (name(&live.path), shelf.rotated.iter().map(|file| name(&file.path)).collect::<Vec<_>>());
        let at = |name: &[u8]| directory.join(OsStr::from_bytes(name));
        match &log.rotate.naming {
            Naming::Dated(format) => {
                let now = self.now;
                let year = u32::try_from(now.year()).unwrap_or(0);
                let date = [year, now.month(), now.day(), now.hour(), now.minute(), now.second()];
                (Vec::new(), at(&label::dated(&own, &others, format, &date)))
            }
            Naming::Numbered => {
                let here: Vec<Vec<u8>> = shelf
                    .rotated
                    .iter()
                    .filter(|file| file.path.parent() == Some(directory))
                    .map(|file| name(&file.path))
                    .collect();
                let shifts = label::shifted(&own, &here);
                (shifts.iter().map(|(from, to)| (at(from), at(to))).collect(), at(&label::first(&own)))
            }
        }
    }

    fn rotate(
        &self,
        name: &str,
        log: &LogConfig,
        live: &LogFile,
        shelf: &Shelf,
        state: &mut State,
        may_cut: bool,
    ) -> std::result::Result<Done, Problem> {
        let rotation = &log.rotate;
        let way = self.way(rotation, live);
        let unfinished = !live
            .ends_a_line(live.size)
            .map_err(|cause| format!("cannot read {}: {cause}", live.path.display()))?;
        if unfinished && matches!(way, Way::RenameAndTell) {
            return Ok(Done::Skipped("its last line has no end: somebody is writing it".to_owned()));
        }
        let (shifts, target) = self.names(log, live, shelf);
        let make_room = || -> std::result::Result<(), Problem> {
            if let Some(directory) = rotation.directory(&live.path) {
                durable::owned_directory(&directory, self.ownership).map_err(|cause| cause.to_string())?;
            }
            shifts
                .iter()
                .try_for_each(|(from, to)| durable::set_aside(from, to))
                .map_err(|cause| cause.to_string())
        };
        let why = match way {
            Way::InPlace(why) => why,
            Way::Rename | Way::RenameAndTell => {
                make_room()?;
                if unfinished {
                    end_line(live)?;
                }
                let mut warnings = self.set_aside(rotation, live, &target)?;
                if matches!(way, Way::RenameAndTell) {
                    warnings.extend(reopen::run(&rotation.post_rotate).err());
                    if lease::held(live.file()) == Held::Yes {
                        warnings.push(format!(
                            "{} is still open for writing after postrotate: what is written there after the next merge does not reach other sides",
                            target.display()
                        ));
                    }
                }
                let bytes = live.file().metadata().map_or(live.size, |now| now.len());
                return Ok(Done::Rotated(target, bytes, RotateMethod::Rename, warnings));
            }
        };
        if !may_cut {
            return Ok(Done::Skipped(format!(
                "{why}, and the rotation of another log has to be settled before"
            )));
        }
        if let Some(process) = lease::overwriter(live.file()) {
            return Ok(Done::Skipped(format!(
                "process {process} keeps it open without appending (O_APPEND), and would leave a hole: let it append, or set \"postrotate\" to make it open the file again"
            )));
        }
        let is_known = match state.log(name) {
            Some(known) => {
                let found = find::on_shelf(&known.archive, shelf, &[], 0);
                found.map_err(|cause| format!("cannot read {}: {cause}", live.path.display()))? == Found::Live
            }
            None => false,
        };
        let job = Job {
            directory: self.directory,
            owners: &self.around.owners,
            steps: self.steps,
            log: name,
            live,
            segment: &target,
            is_known,
        };
        let block = cut::block(&live.path)?;
        let place = match block {
            Some(block) => cut::place(live, block)
                .map_err(|cause| format!("cannot read {}: {cause}", live.path.display()))?,
            None => None,
        };
        let cannot = match (block, place) {
            (_, Some(place)) => {
                make_room()?;
                let bytes = job.collapse(place, state)?;
                return Ok(Done::Rotated(target, bytes, RotateMethod::InPlace, Vec::new()));
            }
            (Some(_), None) => "it has no place where a line ends with a block of the file system",
            (None, None) => "its file system cannot take lines out in place",
        };
        if rotation.copy_truncate {
            make_room()?;
            let bytes = job.copy_and_truncate(state)?;
            let warning = "copytruncate: lines that were written between the copy and the truncation are lost; \"postrotate\" loses none";
            return Ok(Done::Rotated(target, bytes, RotateMethod::CopyTruncate, vec![warning.to_owned()]));
        }
        Ok(Done::Skipped(format!(
            "{why}, and {cannot}: set \"postrotate\" to make the writer open the file again, or \"copytruncate\", which loses the lines that are written meanwhile"
        )))
    }

    /// Gives the live file its rotated name, and makes a new one.
    fn set_aside(
        &self,
        rotation: &Rotation,
        live: &LogFile,
        target: &Path,
    ) -> std::result::Result<Vec<String>, Problem> {
        durable::set_aside(&live.path, target).map_err(|cause| cause.to_string())?;
        self.steps.at(Step::Renamed);
        let mut ownership = self.ownership.clone();
        if let Some(mode) = rotation.create.mode {
            ownership.file_mode = mode;
        }
        if let Some((user, group)) = &rotation.create.owner {
            (ownership.user, ownership.group) = (user.clone(), group.clone());
        }
        let made = Nascent::beside(&live.path, "log", &ownership);
        match made.and_then(|(nascent, warnings)| nascent.publish().map(|()| warnings)) {
            Ok(warnings) => Ok(warnings),
            // Its writer was faster.
            Err(_) if live.path.exists() => Ok(Vec::new()),
            Err(cause) => Ok(vec![format!("a new file is made by the next merge: {cause}")]),
        }
    }

    /// Packs rotated files that nobody writes to.
    fn pack_all(&self, log: &LogConfig, report: &mut LogRotateReport) {
        if log.rotate.compress == Compress::Never {
            return;
        }
        let shelf = match self.look(log) {
            Ok(shelf) => shelf,
            Err(why) => return report.warnings.push(why),
        };
        let stay = usize::from(log.rotate.compress == Compress::Later);
        for file in shelf.rotated.iter().rev().skip(stay).rev() {
            if file.packing != Packing::Plain || !self.is_final(file) {
                continue;
            }
            match pack::pack(file, &self.around.owners, self.steps) {
                Ok(path) => report.compressed.push(path),
                Err(why) => report.warnings.push(why),
            }
        }
    }

    /// Whether nobody will write to a rotated file.
    fn is_final(&self, file: &LogFile) -> bool {
        match lease::held(file.file()) {
            Held::No => true,
            Held::Yes => false,
            Held::Unknown => day(file.written).is_some_and(|day| day < self.now.date_naive()),
        }
    }
}

/// Ends a last line that nobody writes any more.
fn end_line(live: &LogFile) -> std::result::Result<(), Problem> {
    let end = || {
        let mut file = std::fs::OpenOptions::new().append(true).open(&live.path)?;
        file.write_all(b"\n")?;
        file.sync_all()
    };
    end().map_err(|cause: std::io::Error| {
        format!("cannot end the last line of {}: {cause}", live.path.display())
    })
}

/// The day of a time in nanoseconds.
fn day(written: i128) -> Option<chrono::NaiveDate> {
    let seconds = i64::try_from(written / 1_000_000_000).ok()?;
    DateTime::from_timestamp(seconds, 0).map(|at| at.date_naive())
}

/// Whether a live file of so many bytes is to be rotated. `newest` is the day of the newest rotated file.
fn is_due(
    bytes: u64,
    rotation: &Rotation,
    newest: Option<chrono::NaiveDate>,
    now: DateTime<Utc>,
    demand: Demand,
) -> bool {
    let is_another_day = newest.is_none_or(|newest| newest < now.date_naive());
    match demand {
        Demand::Whatever => bytes > 0 || !rotation.skip_empty,
        Demand::Large => {
            bytes > rotation.max_bytes
                || (is_another_day && rotation.min_bytes.is_some_and(|most| bytes > most))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_file_is_due() {
        let now = DateTime::from_timestamp(1_752_500_000, 0).unwrap();
        let (today, before) = (Some(now.date_naive()), now.date_naive().pred_opt());
        let policy = |max_bytes, min_bytes| Rotation { max_bytes, min_bytes, ..Rotation::default() };
        use Demand::{Large, Whatever};
        for (what, bytes, rotation, newest, demand, expected) in [
            ("as large as allowed", 100, policy(100, None), None, Large, false),
            ("larger", 101, policy(100, None), today, Large, true),
            ("small, and asked for", 1, policy(100, None), today, Whatever, true),
            ("empty, and asked for", 0, policy(100, None), None, Whatever, false),
            ("larger than the least, the first", 51, policy(100, Some(50)), None, Large, true),
            ("on another day", 51, policy(100, Some(50)), before, Large, true),
            ("on the same day", 51, policy(100, Some(50)), today, Large, false),
            ("not larger than the least", 50, policy(100, Some(50)), before, Large, false),
            ("too large on the same day", 101, policy(100, Some(50)), today, Large, true),
        ] {
            assert_eq!(is_due(bytes, &rotation, newest, now, demand), expected, "{what}");
        }
        let empty = Rotation { skip_empty: false, ..Rotation::default() };
        assert!(is_due(0, &empty, None, now, Whatever));
    }
}
