//! What is known of logs, what lies there now, and everything that is wrong with it. Only reads, and takes no lock, so that a
//! run that is under way may be seen in its midst.

use std::path::Path;
use std::rc::Rc;

use crate::config::{Config, LogConfig};
use crate::error::Result;
use crate::report::{
    LogProblem, LogProblemKind, LogSideStatus, LogStatus, LogsStatusReport, RotatedFile, SCHEMA,
};

use super::archive::Archive;
use super::around::{self, Around, Nowhere, one_file};
use super::breaks::{hinted, with_hint};
use super::file::{Access, FileId, LogFile, in_words};
use super::find::{self, Shelf};
use super::journal::Journal;
use super::lacks::Since;
use super::ledger::{Ledger, NOBODY};
use super::plan::{self, Problem};
use super::segment;
use super::state::{CopyState, LogState, State};
use super::stream::own;
use super::take::{access, foreign_in};
use super::work::{of_entry, wanted};
use super::{Options, chosen};

/// Tells of every log its copies, how far each was read and what each lacks.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] when a name fits no log, [`crate::ErrorKind::Corrupt`] when what is known cannot be read.
/// What is wrong with one log is in its report.
pub fn status(config: &Config, options: &Options) -> Result<LogsStatusReport> {
    status_of(config, options).map_err(hinted)
}

fn status_of(config: &Config, options: &Options) -> Result<LogsStatusReport> {
    let chosen = chosen(config, &options.logs)?;
    let directory = config.root.join("sync_state").join("logs");
    let state = State::open(&directory)?;
    let mut left = Journal::of(&directory).unfinished()?;
    left.retain(|name, log| state.log(name).is_none_or(|state| state.run != log.planned.state.run));
    let around = Around::of(config);
    let rotation = segment::under_way(&directory);
    let mut logs = std::collections::BTreeMap::new();
    for (name, log) in chosen {
        let ledger = Ledger::of(&directory, name);
        let known = state.log(name);
        let one = Look { log, hub: &config.hub, around: &around, known: known.as_ref(), ledger: &ledger };
        let mut one = one.status();
        let unsettled = match &rotation {
            Ok(rotated) if rotated.as_deref() == Some(name) => {
                Some("a rotation of it is under way, or was interrupted: the next run settles it, or says why it cannot".to_owned())
            }
            Ok(_) => left.contains_key(name).then(|| {
                "a run is under way, or was ended in its midst: the next one finishes it, or says why it cannot".to_owned()
            }),
            Err(why) => Some(why.clone()),
        };
        one.unfinished = unsettled.is_some();
        let about = |message| LogProblem { kind: LogProblemKind::Unsettled, side: None, message };
        one.problems.extend(unsettled.map(about));
        logs.insert(name.to_owned(), one);
    }
    let is_harmless = |kind| matches!(kind, LogProblemKind::Unsettled | LogProblemKind::Missing);
    let is_fine = |log: &LogStatus| log.problems.iter().all(|found| is_harmless(found.kind));
    let ok = rotation.is_ok() && logs.values().all(is_fine);
    Ok(LogsStatusReport { schema: SCHEMA, ok, logs })
}

/// One log, and what is known of it.
struct Look<'a, 'b> {
    log: &'a LogConfig,
    hub: &'a str,
    around: &'a Around<'b>,
    known: Option<&'a LogState>,
    ledger: &'a Ledger,
}

/// What is wrong with one side.
type Found = Vec<(LogProblemKind, Problem)>;

impl Look<'_, '_> {
    fn status(&self) -> LogStatus {
        let merged_at = self.known.and_then(|known| known.merged_at.clone());
        let mut status = LogStatus { last_merge: merged_at, ..LogStatus::default() };
        let Some(hub_path) = self.log.copies.get(self.hub) else { return status };
        let mut found = Found::new();
        // A file may be mounted in two places.
        let mut ids: Vec<(FileId, &Path)> = Vec::new();
        let archive = self.archive(hub_path, &mut status.rotated, &mut ids, &mut found);
        add(&mut status, self.hub, archive, found);
        for (name, path) in self.log.others(self.hub) {
            let mut found = Found::new();
            let one = self.copy(name, path, &mut ids, &mut found);
            add(&mut status, name, one, found);
        }
        let is_new = self.known.is_none_or(|known| known.end() == 0) && status.problems.is_empty();
        if is_new && let Some(message) = around::missing(self.log, self.hub) {
            status.problems.push(LogProblem { kind: LogProblemKind::Missing, side: None, message });
        }
        status
    }

    /// Another copy that is the same file, by its place or by its number.
    fn same<'p>(
        &self,
        path: &'p Path,
        live: Option<&Rc<LogFile>>,
        ids: &mut Vec<(FileId, &'p Path)>,
        found: &mut Found,
    ) {
        let id = live.map(|live| live.id);
        let by_number = ids.iter().find(|(known, _)| Some(*known) == id).map(|(_, other)| *other);
        match self.around.same(path).or(by_number) {
            Some(other) => found.push((LogProblemKind::SameFile, one_file(path, other))),
            None => ids.extend(id.map(|id| (id, path))),
        }
    }

    fn archive<'p>(
        &self,
        path: &'p Path,
        rotated: &mut Vec<RotatedFile>,
        ids: &mut Vec<(FileId, &'p Path)>,
        found: &mut Found,
    ) -> LogSideStatus {
        let mut one = LogSideStatus { path: path.to_path_buf(), ..LogSideStatus::default() };
        let shelf = match find::shelf(path, Access::Read, self.around) {
            Ok(shelf) => shelf,
            Err(why) => {
                found.push((LogProblemKind::Unreadable, why.into()));
                return one;
            }
        };
        fill(&mut one, &shelf, found);
        self.same(path, shelf.live.as_ref(), ids, found);
        found.extend(unwritable(path));
        let told = |file: &Rc<LogFile>| RotatedFile { path: file.path.clone(), bytes: file.size };
        *rotated = shelf.rotated.iter().map(told).collect();
        let Some(known) = self.known else { return one };
        one.cursor = known.archive.offset;
        if let Some(live) = &shelf.live {
            match Archive::find(&shelf, live, Some(known)) {
                Ok(archive) if !archive.anew => {
                    one.unread_bytes = archive.end().unwrap_or(0).saturating_sub(known.end());
                }
                Ok(_) => {
                    let gone = || "what was merged is not there any more".to_owned();
                    let message = plan::hidden(&shelf).unwrap_or_else(gone);
                    found.push((LogProblemKind::ArchiveGone, message));
                }
                Err(cause) => found.push((LogProblemKind::Unreadable, in_words("read", path, &cause))),
            }
        } else if known.end() > 0
            && !matches!(find::on_shelf(&known.archive, &shelf, &[], 0), Ok(find::Found::Rotated(_)))
        {
            let gone = || format!("{} is not there any more", path.display());
            found.push((LogProblemKind::ArchiveGone, plan::hidden(&shelf).unwrap_or_else(gone)));
        }
        one
    }

    fn copy<'p>(
        &self,
        name: &str,
        path: &'p Path,
        ids: &mut Vec<(FileId, &'p Path)>,
        found: &mut Found,
    ) -> LogSideStatus {
        let mirror = self.log.mirrors.contains(name);
        let mut one = LogSideStatus { path: path.to_path_buf(), mirror, ..LogSideStatus::default() };
        let copy = self.known.and_then(|known| known.copies.get(name));
        let shelf = match self.around.obstacle(path) {
            Some(Nowhere::Missing(why)) => Err((LogProblemKind::DirectoryMissing, why)),
            Some(Nowhere::Unreadable(why)) => Err((LogProblemKind::Unreadable, why)),
            None => find::shelf(path, access(self.log, name), self.around)
                .map_err(|why| (LogProblemKind::Unreadable, why.into())),
        };
        match shelf {
            Err(why) => found.push(why),
            Ok(shelf) => {
                fill(&mut one, &shelf, found);
                self.same(path, shelf.live.as_ref(), ids, found);
                one.unread_bytes = copy.map_or(one.bytes, |copy| unread(copy, &shelf));
                // One that is not needed holds up nothing.
                if shelf.refused.is_empty() && copy.is_some_and(|copy| is_lost(copy, &shelf)) {
                    let why = plan::out_of_sight("read of it", &shelf);
                    found.extend(why.map(|why| (LogProblemKind::DirectoryMissing, why)));
                }
                let broken = copy.iter().flat_map(|copy| &copy.broken);
                found.extend(broken.map(|broken| (LogProblemKind::PassedOver, broken.told(&shelf))));
            }
        }
        if let (Some(copy), Some(known)) = (copy, self.known) {
            one.cursor = copy.live.as_ref().map_or(0, |cursor| cursor.offset);
            one.foreign_bytes = copy.foreign_bytes;
            one.weak = copy.weak;
            one.merged = copy.aside.then(|| plan::beside(path));
            let since =
                |place| self.ledger.since(known.ledger, &known.chain, place).map_err(|why| with_hint(&why));
            one.lag_bytes = lag(name, copy, known.end(), &since).unwrap_or_else(|why| {
                found.push((LogProblemKind::Ledger, why));
                known.end().saturating_sub(copy.sent)
            });
        }
        // A source that lacks nothing is only read.
        if found.is_empty() && (mirror || one.lag_bytes > 0) {
            found.extend(unwritable(one.merged.as_deref().unwrap_or(path)));
        }
        one
    }
}

/// Adds a side with what is wrong with it.
fn add(status: &mut LogStatus, name: &str, mut one: LogSideStatus, found: Found) {
    one.problem = found.first().map(|(_, message)| message.clone());
    let about = |(kind, message)| LogProblem { kind, side: Some(name.to_owned()), message };
    status.problems.extend(found.into_iter().map(about));
    status.sides.insert(name.to_owned(), one);
}

fn fill(side: &mut LogSideStatus, shelf: &Shelf, found: &mut Found) {
    side.exists = shelf.live.is_some();
    side.bytes = shelf.live.as_ref().map_or(0, |live| live.size);
    found.extend(shelf.refused.iter().map(|refused| (LogProblemKind::PassedOver, refused.clone())));
}

/// Whether what was read of a copy is not among what can be seen.
fn is_lost(copy: &CopyState, shelf: &Shelf) -> bool {
    let found = copy.live.as_ref().map(|cursor| find::on_shelf(cursor, shelf, &[], copy.seen));
    matches!(found, Some(Ok(find::Found::Lost)))
}

/// Why this user cannot write a file, or make it where it is not there.
fn unwritable(path: &Path) -> Option<(LogProblemKind, Problem)> {
    let place = match path.symlink_metadata() {
        Ok(_) => path,
        Err(_) => path.parent().filter(|directory| directory.is_dir())?,
    };
    let cause = rustix::fs::access(place, rustix::fs::Access::WRITE_OK).err()?;
    Some((LogProblemKind::Unwritable, in_words("write to", place, &cause.into())))
}

/// Bytes of its own that are not in the archive, as far as that can be told by a look.
fn unread(copy: &CopyState, shelf: &Shelf) -> u64 {
    let rest = |file: &LogFile, from: u64| -> u64 {
        let foreign = foreign_in(copy, file.id);
        let end = file.length().unwrap_or(0).max(from);
        own(from, end, &foreign).iter().map(|range| range.end - range.start).sum()
    };
    let live = || shelf.live.as_ref().map_or(0, |live| rest(live, 0));
    match copy.live.as_ref().map(|cursor| (cursor, find::on_shelf(cursor, shelf, &[], copy.seen))) {
        None | Some((_, Err(_) | Ok(find::Found::Lost))) => live(),
        Some((cursor, Ok(find::Found::Live))) => {
            shelf.live.as_ref().map_or(0, |live| rest(live, cursor.offset))
        }
        Some((cursor, Ok(find::Found::Rotated(index)))) => {
            let rotated = shelf.rotated.iter().enumerate().skip(index);
            let older: u64 =
                rotated.map(|(at, file)| rest(file, if at == index { cursor.offset } else { 0 })).sum();
            older + live()
        }
    }
}

/// Bytes of others that a copy lacks; as many as it may be where nobody knows who wrote them.
fn lag(side: &str, copy: &CopyState, end: u64, since: &Since<'_>) -> Result<u64, Problem> {
    if copy.sent >= end {
        return Ok(0);
    }
    let mut origins: Vec<_> = since(copy.sent)?.iter().map(of_entry).collect();
    origins.retain(|(_, origin)| !copy.refill || origin == NOBODY);
    Ok(wanted(copy.sent..end, side, &origins).iter().map(|range| range.end - range.start).sum())
}
