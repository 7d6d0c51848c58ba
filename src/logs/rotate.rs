//! Rotates the archives of logs once they are large, and packs what was rotated.
//!
//! Cut at line ends. A file that nobody holds open gets another name, and a new one its old one; so does one whose writer can
//! be told to open it again (`reopen`). Where a writer keeps it open, its lines are taken out below him (`segment`), or, only
//! when asked for, copied and truncated. After a new name nothing has to be recorded, as the merge finds the archive again by
//! its content. It never removes a line, but for those that `copytruncate` loses: that is for `clean`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, Timelike, Utc};

use crate::clock;
use crate::config::{Compress, Config, LogConfig, Naming, Ownership, Rotation};
use crate::durable::{self, Nascent};
use crate::error::Result;
use crate::interrupt::{self, Continue};
use crate::report::{
    LogRotateReport, LogState as Ended, LogsRotateReport, RotateMethod, RotateState, SCHEMA,
};

use super::around::Around;
use super::breaks::{hinted, with_hint};
use super::due::{Demand, day, is_due};
use super::file::{Access, LogFile, Owners, in_words};
use super::find::{self, Found, Shelf};
use super::names::Packing;
use super::plan::{Problem, Stop};
use super::run::{self, Merged};
use super::segment::Job;
use super::state::State;
use super::steps::{self, Listener, Phase, Progress, Step, Steps, Unwatched};
use super::{Options, cut, label, pack, reopen, segment};
use crate::durable::lease::{self, Held};

/// Merges logs, rotates the archives of those that are large, and packs what was rotated.
///
/// # Errors
/// [`crate::ErrorKind::Locked`] when another run is at it, [`crate::ErrorKind::Usage`] when a name fits no log. What goes
/// wrong with one log is in its report, and stops no other.
pub fn rotate(config: &Config, options: &Options) -> Result<LogsRotateReport> {
    rotate_with(config, options, clock::now(), &Unwatched).map_err(hinted)
}

/// Rotates logs as [`rotate`] does, and tells which one it is at.
///
/// # Errors
/// Those of [`rotate`], and [`crate::ErrorKind::Cancelled`] where `tell` says that it stops: what is done by then stays done.
pub fn rotate_watched(
    config: &Config,
    options: &Options,
    tell: &mut dyn FnMut(&Progress<'_>) -> Continue,
) -> Result<LogsRotateReport> {
    rotate_with(config, options, clock::now(), &Listener::new(tell)).map_err(hinted)
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
        let logs_chosen = chosen.len();
        for ((name, log), number) in chosen.into_iter().zip(1..) {
            let progress = Progress { log: name, number, logs: logs_chosen, phase: Phase::Rotating };
            steps::tell(steps, &progress)?;
            let Some(merge) = merged.logs.get(name) else { continue };
            let not_merged = || {
                let why = merge.reason.as_deref().unwrap_or("nobody knows why");
                format!("it was not merged, and so not rotated: {why}")
            };
            let mut report = match (&unsettled, merge.state) {
                (Some((log, why)), _) if log == name => failed(why.clone()),
                (_, Ended::Failed) => failed(not_merged()),
                (_, Ended::Skipped) => report(RotateState::Skipped, Some(not_merged())),
                (_, Ended::Merged | Ended::Unchanged) => turn.log(name, log, &mut state),
            };
            // What a stop has kept from being read is not wrong with it.
            interrupt::check()?;
            report.warnings.splice(0..0, merge.warnings.iter().cloned());
            report.reason = report.reason.or_else(|| merge.reason.clone());
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

fn stopped(why: Stop) -> LogRotateReport {
    match why {
        Stop::Wait(why) => report(RotateState::Skipped, Some(why)),
        Stop::Fail(why) | Stop::Full(why) => failed(why),
    }
}

/// What was done with a live file.
enum Done {
    /// Its size in bytes, how, and what people should know.
    Rotated(u64, RotateMethod, Vec<String>),
    /// Nothing, and why.
    Skipped(Problem),
}

/// How a live file is to be rotated.
enum Way {
    Rename,
    /// The writer is told to open it again.
    RenameAndTell,
    /// Taken out below the writer; in words, why not otherwise.
    InPlace(String),
}

/// One log that is due.
struct One<'a> {
    name: &'a str,
    rotation: &'a Rotation,
    live: &'a LogFile,
    shelf: &'a Shelf,
    /// What is to be renamed before, in this order.
    shifts: Vec<(PathBuf, PathBuf)>,
    /// What the rotated file is called.
    target: PathBuf,
}

impl Turn<'_> {
    /// Rotates one log if it is due, and packs what was rotated.
    pub(crate) fn log(&self, name: &str, log: &LogConfig, state: &mut State) -> LogRotateReport {
        let mut report = match self.look(log) {
            Err(why) => stopped(why),
            Ok(shelf) => match self.due(&log.rotate, &shelf) {
                Err(report) => *report,
                Ok(live) => {
                    let (shifts, target) = self.names(&log.rotate, live, &shelf);
                    let one = One { name, rotation: &log.rotate, live, shelf: &shelf, shifts, target };
                    self.rotate(one, state)
                }
            },
        };
        if segment::pending(self.directory).as_deref() != Some(name) {
            self.pack_all(log, &mut report);
        }
        report
    }

    /// What `log` would do.
    fn foresee(&self, log: &LogConfig, is_known: bool) -> LogRotateReport {
        let shelf = match self.look(log) {
            Ok(shelf) => shelf,
            Err(why) => return stopped(why),
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
        let (_, target) = self.names(&log.rotate, live, &shelf);
        LogRotateReport {
            file: Some(target),
            bytes: live.size,
            method: Some(method),
            ..report(RotateState::Rotated, Some(format!("it would be rotated: {reason}{later}")))
        }
    }

    fn look(&self, log: &LogConfig) -> std::result::Result<Shelf, Stop> {
        let path = log.copies.get(self.hub).ok_or_else(|| Stop::Fail("the hub has no copy".to_owned()))?;
        find::shelf(path, Access::Read, self.around)
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
            (Held::Yes, true) => Way::InPlace("a writer keeps it open".to_owned()),
            (Held::Unknown, true) => Way::InPlace(lease::why_unknown(live.file())),
        }
    }

    /// What is to be renamed before, and what the rotated file is called. Names that are not read are taken as well.
    fn names(
        &self,
        rotation: &Rotation,
        live: &LogFile,
        shelf: &Shelf,
    ) -> (Vec<(PathBuf, PathBuf)>, PathBuf) {
        let directory = rotation.directory(&live.path);
        let directory = directory.as_deref().or(live.path.parent()).unwrap_or(Path::new("."));
        let name = |path: &Path| path.file_name().unwrap_or_default().as_bytes().to_vec();
        let at = |name: &[u8]| directory.join(OsStr::from_bytes(name));
        let own = name(&live.path);
        let rotated = || shelf.rotated.iter().map(|file| &file.path).chain(&shelf.doubles);
        match &rotation.naming {
            Naming::Dated(format) => {
                let now = self.now;
                let year = u32::try_from(now.year()).unwrap_or(0);
                let date = [year, now.month(), now.day(), now.hour(), now.minute(), now.second()];
                let others: Vec<Vec<u8>> =
                    rotated().chain(&shelf.refused_names).map(|path| name(path)).collect();
                (Vec::new(), at(&label::dated(&own, &others, format, &date)))
            }
            Naming::Numbered => {
                let is_here = |path: &&PathBuf| path.parent() == Some(directory);
                let here: Vec<Vec<u8>> = rotated().filter(is_here).map(|path| name(path)).collect();
                let fixed: Vec<Vec<u8>> =
                    shelf.refused_names.iter().filter(is_here).map(|path| name(path)).collect();
                let room = label::shifted(&own, &here, &fixed);
                let shifts = room.moves.iter().map(|(from, to)| (at(from), at(to))).collect();
                (shifts, at(&room.first))
            }
        }
    }

    fn rotate(&self, one: One<'_>, state: &mut State) -> LogRotateReport {
        let done = match self.way(one.rotation, one.live) {
            Way::InPlace(why) => self.in_place(&one, &why, state),
            way => self.move_away(&one, &way),
        };
        match done {
            Err(why) => failed(why),
            Ok(Done::Skipped(why)) => report(RotateState::Skipped, Some(why)),
            Ok(Done::Rotated(bytes, method, warnings)) => LogRotateReport {
                file: Some(one.target),
                bytes,
                method: Some(method),
                warnings,
                ..report(RotateState::Rotated, None)
            },
        }
    }

    /// Makes the directory of rotated files where it is missing, and its first name free.
    fn make_room(&self, one: &One<'_>) -> std::result::Result<(), Problem> {
        if let Some(directory) = one.rotation.directory(&one.live.path) {
            durable::owned_directory(&directory, self.ownership).map_err(|cause| with_hint(&cause))?;
        }
        let mut shifts = one.shifts.iter();
        shifts.try_for_each(|(from, to)| durable::set_aside(from, to)).map_err(|cause| with_hint(&cause))
    }

    fn move_away(&self, one: &One<'_>, way: &Way) -> std::result::Result<Done, Problem> {
        let live = one.live;
        let is_told = matches!(way, Way::RenameAndTell);
        let is_unfinished =
            !live.ends_a_line(live.size).map_err(|cause| in_words("read", &live.path, &cause))?;
        if is_unfinished && is_told {
            return Ok(Done::Skipped("its last line has no end: somebody is writing it".to_owned()));
        }
        self.make_room(one)?;
        if is_unfinished {
            end_line(live, &self.around.owners(&live.path))?;
        }
        let mut warnings = self.set_aside(one.rotation, live, &one.target)?;
        // It may be there for others than a writer: always where something was rotated, as logrotate does it.
        warnings.extend(reopen::run(&one.rotation.post_rotate).err());
        if is_told && lease::held(live.file()) == Held::Yes {
            warnings.push(format!(
                "{} is still open for writing after postrotate: what is written there after the next merge does not reach other sides",
                one.target.display()
            ));
        }
        let bytes = live.file().metadata().map_or(live.size, |now| now.len());
        Ok(Done::Rotated(bytes, RotateMethod::Rename, warnings))
    }

    /// Takes its lines out below a writer. `why` says why it is not renamed.
    fn in_place(&self, one: &One<'_>, why: &str, state: &mut State) -> std::result::Result<Done, Problem> {
        let live = one.live;
        if segment::pending(self.directory).is_some() {
            return Ok(Done::Skipped(format!(
                "{why}, and the rotation of another log has to be settled before"
            )));
        }
        if let Some(process) = lease::overwriter(live.file()) {
            return Ok(Done::Skipped(format!(
                "process {process} keeps it open without appending (O_APPEND), and would leave a hole: let it append, or set \"postrotate\" to make it open the file again"
            )));
        }
        let fail = |cause: io::Error| in_words("read", &live.path, &cause);
        let is_known = match state.log(one.name) {
            Some(known) => find::on_shelf(&known.archive, one.shelf, &[], 0).map_err(fail)? == Found::Live,
            None => false,
        };
        let job = Job {
            directory: self.directory,
            around: self.around,
            steps: self.steps,
            log: one.name,
            live,
            segment: &one.target,
            is_known,
        };
        let block = cut::block(&live.path)?;
        let place = block.map_or(Ok(None), |block| cut::place(live, block)).map_err(fail)?;
        let cannot = match (block, place) {
            (_, Some(place)) => {
                self.make_room(one)?;
                let bytes = job.collapse(place, state)?;
                return Ok(Done::Rotated(bytes, RotateMethod::InPlace, Vec::new()));
            }
            (Some(_), None) => "it has no place where a line ends with a block of the file system",
            (None, None) => "its file system cannot take lines out in place",
        };
        if one.rotation.copy_truncate {
            self.make_room(one)?;
            let bytes = job.copy_and_truncate(state)?;
            let warning = "copytruncate: lines that were written between the copy and the truncation are lost; \"postrotate\" loses none";
            return Ok(Done::Rotated(bytes, RotateMethod::CopyTruncate, vec![warning.to_owned()]));
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
        durable::set_aside(&live.path, target).map_err(|cause| with_hint(&cause))?;
        self.steps.at(Step::Renamed);
        let mut ownership = self.ownership.clone();
        if let Some(mode) = rotation.create.mode {
            ownership.file_mode = mode;
        }
        if let Some((user, group)) = &rotation.create.owner {
            (ownership.user, ownership.group) = (user.clone(), group.clone());
        }
        let made = Nascent::beside(&live.path, "log", &ownership);
        match made.and_then(|(nascent, warnings)| nascent.publish().map(|_| warnings)) {
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
            Err(why) => return report.warnings.push(why.into()),
        };
        let owners = log.copies.get(self.hub).map(|path| self.around.owners(path)).unwrap_or_default();
        let stay = usize::from(log.rotate.compress == Compress::Later);
        for file in shelf.rotated.iter().rev().skip(stay).rev() {
            if file.packing != Packing::Plain || !self.is_final(file) {
                continue;
            }
            match pack::pack(file, &owners, self.steps) {
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
fn end_line(live: &LogFile, owners: &Owners) -> std::result::Result<(), Problem> {
    let file = live.again(Access::Append, owners)?;
    let end = || {
        if !file.ends_a_line(file.size)? {
            file.file().write_all(b"\n")?;
        }
        file.file().sync_all()
    };
    end().map_err(|cause: io::Error| in_words("end the last line of", &live.path, &cause))
}
