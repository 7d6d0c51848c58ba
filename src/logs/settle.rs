//! Finishes what a run that died had planned for one log.
//!
//! Behind the end of the archive that is on record lies, in the order of the plan, a beginning of what was to be
//! appended, with whatever others wrote in between (`behind`), and in the copies what they were given (`given`). The rest of
//! what was to be appended is then appended (`work`).

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::config::LogConfig;

use super::archive::Archive;
use super::behind::{Behind, take_apart};
use super::file::{LogFile, in_words};
use super::find;
use super::given::{Receiver, found};
use super::journal::{Deed, Ending, Unfinished};
use super::lacks::Since;
use super::ledger::UNKNOWN;
use super::plan::{Problem, Setting, Stop, archive_shelf, hidden, is_quiet, look, report};
use super::state::{CopyState, LogState};
use super::stream::Stream;
use super::take;
use super::work::{PartNow, Piece, Target, Whose, Work, all, of_entry};

/// What is left of a plan. None where nothing of its archive is there any more, so that all is to be aligned anew.
pub(crate) fn settle<'a>(
    setting: &'a Setting<'a>,
    name: &'a str,
    log: &'a LogConfig,
    unfinished: &Unfinished,
) -> Result<Option<Work<'a>>, Stop> {
    let Some(hub_path) = log.copies.get(setting.hub) else { return Ok(None) };
    let fail = |cause: io::Error| Stop::Fail(in_words("read", hub_path, &cause));
    let (shelf, live) = archive_shelf(setting, hub_path, Some(&unfinished.planned.state))?;
    let planned = &unfinished.planned;
    let mut archive = Archive::find(&shelf, &live, Some(&planned.state)).map_err(fail)?;
    if archive.anew {
        // It may be the one that cannot be read now, so nothing is taken for gone.
        return match hidden(&shelf) {
            Some(why) => Err(unfinishable(&why)),
            None => Ok(None),
        };
    }
    let mut shelves = BTreeMap::new();
    for (side, path) in log.others(setting.hub) {
        match look(setting, path, take::access(log, side), &live) {
            Ok(shelf) => drop(shelves.insert(side.as_str(), shelf)),
            // Nobody waits for a copy that was only to get something.
            Err(_) if planned.parts.iter().all(|part| part.side != *side) => {}
            Err(why) => return Err(unfinishable(&Problem::from(why))),
        }
    }
    let mut parts = Vec::new();
    for part in &planned.parts {
        let ranges: Vec<_> = part.ranges.iter().map(|(start, end)| *start..*end).collect();
        let length =
            ranges.iter().map(|range| range.end - range.start).sum::<u64>() + u64::from(part.newline);
        let file = match shelves.get(part.side.as_str()) {
            Some(shelf) => found(shelf, find::on_shelf(&part.end, shelf, &[], 0).map_err(fail)?),
            None => None,
        };
        if let (None, Some(shelf)) = (&file, shelves.get(part.side.as_str()))
            && !shelf.refused.is_empty()
        {
            let refused = shelf.refused.join(", ");
            return Err(unfinishable(&format!("a rotated file is passed over: {refused}")));
        }
        let stream = file.map(|file| Stream { file, ranges, newline: part.newline });
        parts.push(PartNow { side: part.side.clone(), stream, length, missing: all(length) });
    }
    let ending = setting.journal.ending(planned);
    let Behind { mut pieces, found: unwritten, open, cut, end } =
        take_apart(&archive, &live, &unfinished.deeds, &mut parts, ending).map_err(fail)?;
    if let Some(cut) = cut {
        cut_off(setting, name, &archive, &live, (cut, end))?;
    }
    for deed in &unwritten {
        // What is appended next would hide it from the run that comes after this one.
        write_down(setting, name, deed)?;
    }
    if open > 0 {
        if !is_quiet(&live) {
            return Err(Stop::Wait(format!(
                "somebody is writing a line at the end of {}",
                hub_path.display()
            )));
        }
        let start = end - open;
        pieces.push(Piece { start, length: open, whose: Whose::Hub, sha256: None });
    }
    let mut state = planned.state.clone();
    for (side, path) in log.others(setting.hub) {
        let Some(then) = state.copies.get_mut(side).filter(|then| then.open.is_none()) else { continue };
        let shelf = match (shelves.get(side.as_str()), ending) {
            (Some(shelf), Ending::Process) => shelf,
            (shelf, _) => {
                let deeds = unfinished.deeds.iter().filter(|deed| deed.side() == Some(side));
                let deeds: Vec<Deed> = deeds.cloned().collect();
                then.open = Some(deeds).filter(|deeds| shelf.is_some() || !deeds.is_empty());
                continue;
            }
        };
        let target = Target { side, path, is_mirror: log.mirrors.contains(side), seen: 0 };
        Receiver { setting, name, target: &target, shelf, ending }
            .settle(&mut archive, &unfinished.deeds, &[], then)
            .map_err(|cause| Stop::Fail(in_words("finish what was given to", path, &cause)))?;
    }
    let (end, mut newline) = (cut.unwrap_or(end), open > 0);
    if !newline && !goes_on(&pieces, &parts) {
        newline = !live.ends_a_line(end.saturating_sub(archive.base())).map_err(fail)?;
    }
    if let Some(last) = pieces.last_mut().filter(|_| newline && open == 0)
        && let Whose::Part(part, place) = last.whose
    {
        end_half(setting, name, &live, (part, place + last.length), end)?;
        last.length += 1;
        newline = false;
    }
    let mut report = report(log);
    report.warnings.extend(parts.iter().filter_map(lost));
    // Nobody is given anything before it is looked at what became of its files since.
    let targets = Vec::new();
    Ok(Some(Work { setting, name, archive, live, parts, pieces, newline, state, targets, report }))
}

/// Whether what is appended first goes on with what lies at the end of the archive.
fn goes_on(pieces: &[Piece], parts: &[PartNow]) -> bool {
    let last = pieces.last().and_then(|piece| match piece.whose {
        Whose::Part(part, place) => Some((part, place + piece.length)),
        Whose::Hub | Whose::Nobody => None,
    });
    let mut there = parts.iter().enumerate().filter(|(_, part)| part.stream.is_some());
    let next = there.find_map(|(number, part)| Some((number, part.missing.first()?.start)));
    last.is_some() && last == next
}

/// Ends what there is of a line at the end of the archive, of which the rest is nowhere any more.
fn end_half(
    setting: &Setting<'_>,
    name: &str,
    live: &LogFile,
    (part, place): (usize, u64),
    end: u64,
) -> Result<(), Stop> {
    // It counts as the next byte of what it ends: a run that dies here must not take it for a line of somebody's.
    write_down(setting, name, &Deed::Appended { part, place, start: end, length: 1 })?;
    let written = (&mut live.file()).write_all(b"\n");
    written.map_err(|cause| Stop::Fail(in_words("end the last line of", &live.path, &cause)))
}

/// What people should know of a part of which the file is gone.
fn lost(part: &PartNow) -> Option<String> {
    let bytes: u64 = part.missing.iter().map(|range| range.end - range.start).sum();
    (part.stream.is_none() && bytes > 0).then(|| {
        format!(
            "{}: {bytes} bytes that the run before was to take are gone with their file. If you have it, append those of its lines to the archive that are not there",
            part.side
        )
    })
}

fn unfinishable(why: &str) -> Stop {
    Stop::Wait(format!("the last run was ended in its midst, and what it did cannot be finished: {why}"))
}

/// Compares with their files what copies have got, where that could not be done at once. The archive has everything again.
/// None where nothing of that is to be done now.
pub(crate) fn copies(
    setting: &Setting<'_>,
    name: &str,
    log: &LogConfig,
    known: &LogState,
    since: &Since<'_>,
) -> Result<Option<LogState>, Stop> {
    let Some(hub_path) = log.copies.get(setting.hub) else { return Ok(None) };
    if known.copies.values().all(|copy| copy.open.is_none()) {
        return Ok(None);
    }
    let (shelf, live) = archive_shelf(setting, hub_path, Some(known))?;
    let fail = |cause: io::Error| Stop::Fail(in_words("read", hub_path, &cause));
    let mut archive = Archive::find(&shelf, &live, Some(known)).map_err(fail)?;
    if archive.anew {
        // All copies are aligned.
        return Ok(None);
    }
    let (mut state, mut has_changed) = (known.clone(), false);
    for (side, path) in log.others(setting.hub) {
        let Some(then) = state.copies.get_mut(side).filter(|then| then.open.is_some()) else { continue };
        // The plan says why a copy is passed over.
        let Ok(shelf) = look(setting, path, take::access(log, side), &live) else { continue };
        let entries = since(then.sent).map_err(Stop::Fail)?;
        has_changed = true;
        if entries.iter().any(|entry| entry.origin == UNKNOWN && entry.end() > then.sent) {
            // Nobody knows any more what it was to get, so what it has is compared. Up to where it was read stays known, and
            // which of its files were read: what the archive has cleaned away since would come back as new.
            *then = CopyState { open: None, lost: true, refill: false, ..then.clone() };
            continue;
        }
        let origins: Vec<_> = entries.iter().map(of_entry).collect();
        let deeds = then.open.take().unwrap_or_default();
        let target = Target { side, path, is_mirror: log.mirrors.contains(side), seen: 0 };
        Receiver { setting, name, target: &target, shelf: &shelf, ending: Ending::Machine }
            .settle(&mut archive, &deeds, &origins, then)
            .map_err(|cause| Stop::Fail(in_words("finish what was given to", path, &cause)))?;
    }
    Ok(has_changed.then_some(state))
}

fn write_down(setting: &Setting<'_>, name: &str, deed: &Deed) -> Result<(), Stop> {
    let written = setting.journal.done(name, deed);
    written.map_err(|cause| Stop::Fail(format!("cannot write the journal: {cause}")))
}

/// Cuts off what is nobody's at the end of the archive, so close behind a look that hardly anybody comes in between.
fn cut_off(
    setting: &Setting<'_>,
    name: &str,
    archive: &Archive,
    live: &LogFile,
    (cut, end): (u64, u64),
) -> Result<(), Stop> {
    let fail =
        |cause: io::Error| Stop::Fail(in_words("cut off what did not come to disk of", &live.path, &cause));
    if archive.end().map_err(fail)? != end {
        return Err(Stop::Wait(format!("somebody is writing to {}", live.path.display())));
    }
    live.file().set_len(cut.saturating_sub(archive.base())).map_err(fail)?;
    // A run that dies before this finds by content that what was behind it is not there.
    write_down(setting, name, &Deed::CutOff { end: cut })
}
