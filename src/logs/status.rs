//! What is known of logs, and what lies there now. Only reads, and takes no lock.

use std::path::Path;

use crate::config::{Config, LogConfig};
use crate::error::Result;
use crate::report::{LogSideStatus, LogStatus, LogsStatusReport, RotatedFile, SCHEMA};

use super::archive::Archive;
use super::around::Around;
use super::file::{Access, LogFile};
use super::find::{self, Found, Shelf};
use super::journal::Journal;
use super::state::{CopyState, Ledger, LogState, State};
use super::stream::own;
use super::work::{NOBODY, of_entry, wanted};
use super::{Options, chosen};

/// Tells of every log its copies, how far each was read and what each lacks.
///
/// # Errors
/// [`crate::ErrorKind::Usage`] when a name fits no log, [`crate::ErrorKind::Corrupt`] when what is known cannot be read.
/// What is wrong with one log is in its report.
pub fn status(config: &Config, options: &Options) -> Result<LogsStatusReport> {
    let chosen = chosen(config, &options.logs)?;
    let directory = config.root.join("sync_state").join("logs");
    let state = State::open(&directory)?;
    let mut left = Journal::of(&directory).unfinished()?;
    left.retain(|name, log| state.log(name).is_none_or(|state| state.run != log.planned.state.run));
    let around = Around::of(config);
    let mut logs = std::collections::BTreeMap::new();
    for (name, log) in chosen {
        let mut one =
            look(log, &config.hub, &around, state.log(name).as_ref(), &Ledger::of(&directory, name));
        one.unfinished = left.contains_key(name);
        logs.insert(name.to_owned(), one);
    }
    let ok = logs.values().all(|log| log.sides.values().all(|side| side.problem.is_none()));
    Ok(LogsStatusReport { schema: SCHEMA, ok, logs })
}

fn look(
    log: &LogConfig,
    hub: &str,
    around: &Around<'_>,
    known: Option<&LogState>,
    ledger: &Ledger,
) -> LogStatus {
    let mut found =
        LogStatus { last_merge: known.and_then(|known| known.merged_at.clone()), ..LogStatus::default() };
    let Some(hub_path) = log.copies.get(hub) else { return found };
    let mut end = known.map(LogState::end);
    let old = log.rotate.directory(hub_path);
    let mut archive = side(hub_path, false);
    match find::shelf_with(hub_path, old.as_deref(), Access::Read, around) {
        Err(why) => archive.problem = Some(why),
        Ok(shelf) => {
            fill(&mut archive, &shelf);
            found.rotated = shelf
                .rotated
                .iter()
                .map(|file| RotatedFile { path: file.path.clone(), bytes: file.size })
                .collect();
            if let (Some(live), Some(known)) = (&shelf.live, known) {
                archive.cursor = known.archive.offset;
                match Archive::find(&shelf, live, Some(known)) {
                    Ok(archive) if !archive.anew => end = archive.end().ok(),
                    Ok(_) => archive.problem = Some("what was merged is not there any more".to_owned()),
                    Err(cause) => archive.problem = Some(format!("cannot be read: {cause}")),
                }
                archive.unread_bytes = end.unwrap_or(0).saturating_sub(known.end());
            }
        }
    }
    found.sides.insert(hub.to_owned(), archive);
    for (name, path) in log.others(hub) {
        let mut one = side(path, log.mirrors.contains(name));
        let copy = known.and_then(|known| known.copies.get(name));
        match find::shelf(path, Access::Read, around) {
            Err(why) => one.problem = Some(why),
            Ok(shelf) => {
                fill(&mut one, &shelf);
                let unread = copy.map_or(one.bytes, |copy| unread(copy, &shelf));
                one.unread_bytes = unread;
            }
        }
        if path.parent().is_none_or(|directory| !directory.is_dir()) {
            one.problem = Some(format!("the directory of {} is not there", path.display()));
        }
        if let (Some(copy), Some(known)) = (copy, known) {
            one.cursor = copy.live.as_ref().map_or(0, |cursor| cursor.offset);
            one.foreign_bytes = copy.foreign_bytes;
            one.weak = copy.weak;
            one.merged = copy.aside.then(|| super::plan::beside(path));
            one.lag_bytes = lag(name, copy, known.end(), &|| ledger.read(known.ledger).unwrap_or_default());
        }
        found.sides.insert(name.clone(), one);
    }
    found
}

fn side(path: &Path, mirror: bool) -> LogSideStatus {
    LogSideStatus { path: path.to_path_buf(), mirror, ..LogSideStatus::default() }
}

fn fill(side: &mut LogSideStatus, shelf: &Shelf) {
    side.exists = shelf.live.is_some();
    side.bytes = shelf.live.as_ref().map_or(0, |live| live.size);
    if side.problem.is_none() {
        side.problem = shelf.refused.first().cloned();
    }
}

/// Bytes of its own that are not in the archive, as far as that can be told by a look.
fn unread(copy: &CopyState, shelf: &Shelf) -> u64 {
    let rest = |file: &LogFile, from: u64| -> u64 {
        let foreign: Vec<(u64, u64)> = copy
            .foreign
            .iter()
            .filter(|foreign| foreign.id == file.id)
            .map(|foreign| (foreign.start, foreign.length))
            .collect();
        let end = file.length().unwrap_or(0).max(from);
        own(from, end, &foreign).iter().map(|range| range.end - range.start).sum()
    };
    let live = || shelf.live.as_ref().map_or(0, |live| rest(live, 0));
    match copy.live.as_ref().map(|cursor| (cursor, find::on_shelf(cursor, shelf, &[], copy.seen))) {
        None | Some((_, Err(_) | Ok(Found::Lost))) => live(),
        Some((cursor, Ok(Found::Live))) => shelf.live.as_ref().map_or(0, |live| rest(live, cursor.offset)),
        Some((cursor, Ok(Found::Rotated(index)))) => {
            let rotated = shelf.rotated.iter().enumerate().skip(index);
            let older: u64 =
                rotated.map(|(at, file)| rest(file, if at == index { cursor.offset } else { 0 })).sum();
            older + live()
        }
    }
}

/// Bytes of others that a copy lacks.
fn lag(side: &str, copy: &CopyState, end: u64, ledger: &dyn Fn() -> Vec<super::state::Entry>) -> u64 {
    if copy.sent >= end {
        return 0;
    }
    let mut origins: Vec<_> = ledger().iter().map(of_entry).collect();
    origins.retain(|(_, origin)| !copy.refill || origin == NOBODY);
    wanted(copy.sent..end, side, &origins).iter().map(|range| range.end - range.start).sum()
}
