//! Finishes what a run that died had planned for one log.
//!
//! Behind the end of the archive that is on record lies, in the order of the plan, a beginning of what was to be
//! appended, with whatever others wrote in between. What the journal says was appended is believed; the last block, which
//! may lack its line, is found by content: all of it, or as much as the kernel had written when it was stopped, which it
//! is only between two pages. Other lines are the archive's own. The rest of what was to be appended is then appended
//! (`work`).

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use crate::config::LogConfig;

use super::append::{Appended, Wanted, append, block_length};
use super::archive::Archive;
use super::file::{Access, LogFile};
use super::find::{self, Found, Shelf};
use super::journal::{Deed, Unfinished};
use super::names::Packing;
use super::plan::{Setting, Stop, archive_shelf, beside, in_words, is_quiet, look, report};
use super::resume;
use super::send::note;
use super::state::{CopyState, Cursor, Foreign};
use super::stream::{Stream, agreement};
use super::work::{PartNow, Piece, Target, Work};

/// What is left of a plan. None where nothing of its archive is there any more, so that all is to be aligned anew.
pub(crate) fn settle<'a>(
    setting: &'a Setting<'a>,
    name: &'a str,
    log: &'a LogConfig,
    unfinished: &Unfinished,
) -> Result<Option<Work<'a>>, Stop> {
    let Some(hub_path) = log.copies.get(setting.hub) else { return Ok(None) };
    let fail = |cause: io::Error| Stop::Fail(in_words("read", hub_path, &cause));
    let (shelf, live) = archive_shelf(setting, log, hub_path, Some(&unfinished.planned.state))?;
    let planned = &unfinished.planned;
    let mut archive = Archive::find(&shelf, &live, Some(&planned.state)).map_err(fail)?;
    if archive.anew {
        return Ok(None);
    }
    let mut shelves = BTreeMap::new();
    for (side, path) in log.others(setting.hub) {
        let shelf = look(setting, side, path, &live).map_err(|why| {
            Stop::Wait(format!(
                "the last run was ended in its midst, and what it did cannot be finished: {why}"
            ))
        })?;
        shelves.insert(side.as_str(), shelf);
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
            return Err(Stop::Wait(format!(
                "the last run was ended in its midst, and what it did cannot be finished while a rotated file is passed over: {}",
                shelf.refused.join(", ")
            )));
        }
        let stream = file.map(|file| Stream { file, ranges, newline: part.newline });
        parts.push(PartNow { side: part.side.clone(), stream, length, done: 0 });
    }
    let end = archive.end().map_err(fail)?;
    let mut pieces = appended(&unfinished.deeds, &mut parts, archive.known, end);
    let at = pieces.last().map_or(archive.known, |piece| piece.start + piece.length);
    let open = by_content(&archive, at, end, &mut parts, &mut pieces).map_err(fail)?;
    for piece in pieces.iter().filter(|piece| piece.start >= at) {
        // What is appended next would hide it from the run that comes after this one.
        if let Some((part, place)) = piece.from {
            let deed = Deed::Appended { part, place, start: piece.start, length: piece.length };
            setting
                .journal
                .done(name, &deed)
                .map_err(|cause| Stop::Fail(format!("cannot write the journal: {cause}")))?;
        }
    }
    if open > 0 {
        if !is_quiet(&live) {
            return Err(Stop::Wait(format!(
                "somebody is writing a line at the end of {}",
                hub_path.display()
            )));
        }
        pieces.push(Piece { start: end - open, length: open, from: None, sha256: None });
    }
    let mut state = planned.state.clone();
    for (side, path) in log.others(setting.hub) {
        let (Some(shelf), Some(then)) = (shelves.get(side.as_str()), state.copies.get_mut(side)) else {
            continue;
        };
        let target = Target { side, path, is_mirror: log.mirrors.contains(side), seen: 0 };
        given(setting, name, &target, shelf, &mut archive, &unfinished.deeds, then)
            .map_err(|cause| Stop::Fail(in_words("finish what was given to", path, &cause)))?;
    }
    let newline = open > 0;
    // Nobody is given anything before it is looked at what became of its files since.
    let targets = Vec::new();
    Ok(Some(Work {
        setting,
        name,
        archive,
        live,
        parts,
        pieces,
        newline,
        state,
        targets,
        report: report(log),
    }))
}

fn found(shelf: &Shelf, found: Found) -> Option<Rc<LogFile>> {
    match found {
        Found::Live => shelf.live.clone(),
        Found::Rotated(index) => shelf.rotated.get(index).cloned(),
        Found::Lost => None,
    }
}

/// What is on record as appended.
fn appended(deeds: &[Deed], parts: &mut [PartNow], known: u64, end: u64) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = known;
    for deed in deeds {
        let Deed::Appended { part, place, start, length } = deed else { continue };
        if *start < at || *start >= end {
            break;
        }
        if *start > at {
            pieces.push(Piece { start: at, length: start - at, from: None, sha256: None });
        }
        let length = (*length).min(end - start);
        pieces.push(Piece { start: *start, length, from: Some((*part, *place)), sha256: None });
        if let Some(part) = parts.get_mut(*part) {
            part.done = part.done.max(place + length);
        }
        at = start + length;
    }
    pieces
}

/// Takes what lies behind that apart. Returns how many bytes at its end are no line, and not ours.
fn by_content(
    archive: &Archive,
    from: u64,
    end: u64,
    parts: &mut [PartNow],
    pieces: &mut Vec<Piece>,
) -> io::Result<u64> {
    let base = archive.base();
    let mut start = from;
    // One block at the most was written and not put on record.
    let mut next = parts.iter().position(|part| part.done < part.length && part.stream.is_some());
    for tail in archive.range(from..end)? {
        let length = tail.length();
        let mut at = 0;
        while at < length {
            let mut ours = 0;
            let mut place = 0;
            if let Some(PartNow { stream: Some(stream), length: all, done, .. }) =
                next.and_then(|next| parts.get(next))
            {
                let block = resume::Block {
                    stream,
                    from: *done,
                    length: block_length(stream, *done)?.min(all - done),
                    in_file: (start + at).saturating_sub(base),
                };
                let found = block.found_at(&tail, at)?;
                // Where somebody has written behind it, the line that was cut off is written again.
                ours = if at + found.bytes == length { found.bytes } else { found.lines };
                place = *done;
            }
            let piece = if let (1.., Some(number)) = (ours, next) {
                if let Some(part) = parts.get_mut(number) {
                    part.done += ours;
                }
                next = None;
                Piece { start: start + at, length: ours, from: Some((number, place)), sha256: None }
            } else {
                match resume::line(&tail, at)? {
                    Some(line) => Piece { start: start + at, length: line, from: None, sha256: None },
                    None if start + length < end => {
                        Piece { start: start + at, length: length - at, from: None, sha256: None }
                    }
                    None => return Ok(length - at),
                }
            };
            at += piece.length;
            match pieces.last_mut() {
                Some(last)
                    if last.from.is_none()
                        && piece.from.is_none()
                        && last.start + last.length == piece.start =>
                {
                    last.length += piece.length;
                }
                _ => pieces.push(piece),
            }
        }
        start += length;
    }
    Ok(0)
}

/// Puts on record what a copy has got.
fn given(
    setting: &Setting<'_>,
    name: &str,
    target: &Target<'_>,
    shelf: &Shelf,
    archive: &mut Archive,
    deeds: &[Deed],
    then: &mut CopyState,
) -> io::Result<()> {
    // What it gets in a file beside it lies there.
    let aside = then.aside && !target.is_mirror;
    let alone = aside || target.is_mirror;
    let near;
    let shelf = if aside {
        near = find::shelf(&beside(target.path), Access::Read, setting.around).map_err(io::Error::other)?;
        &near
    } else {
        shelf
    };
    let note = |then: &mut CopyState, file: Option<&LogFile>, place: Foreign| match aside {
        true => {
            then.foreign_bytes += place.length;
            Ok(())
        }
        false => note(then, file, place),
    };
    let mut open: Option<(&Cursor, &[(u64, u64)])> = None;
    for deed in deeds {
        match deed {
            Deed::About { side, end, ranges } if side == target.side => open = Some((end, ranges)),
            Deed::Given { side, start, length, end, sent } if side == target.side => {
                open = None;
                then.sent = *sent;
                // It may have been rotated, packed or copied since.
                let file = found(shelf, find::on_shelf(end, shelf, &[], 0)?);
                note(then, file.as_deref(), Foreign { id: end.id, start: *start, length: *length })?;
            }
            _ => {}
        }
    }
    // Begun, and not known to be done.
    let Some((before, [(from, to)])) = open else { return Ok(()) };
    archive.reach(*from)?;
    let mut streams = archive.range(*from..*to)?;
    let (Some(block), true) = (streams.pop(), streams.is_empty()) else { return Ok(()) };
    let likely = found(shelf, find::on_shelf(before, shelf, &[], 0)?);
    let mut place = None;
    for file in likely.iter().chain(&shelf.live).chain(&shelf.rotated) {
        // What is being packed cannot be read.
        let Ok(end) = file.length() else { continue };
        let tail = Stream::of(file, 0..end);
        if let Some((start, length)) = resume::find_block(&tail, before.offset, &block, alone)? {
            place = Some((Rc::clone(file), start, length, end));
            break;
        }
    }
    let Some((file, start, mut length, end)) = place else { return Ok(()) };
    let line_end = match resume::line(&block, length)? {
        _ if length == 0 || length == block.length() => length,
        Some(rest) => length + rest,
        None => block.length(),
    };
    if start + length == end && file.packing == Packing::Plain && !file.ends_a_line(end)? {
        // It was cut off in the middle of a line; nobody has written behind it, so it gets its end.
        let whole = LogFile::open(&file.path, Packing::Plain, Access::Append, &setting.around.owners);
        if let Ok(whole) = whole.map_err(|_| ())
            && whole.id == file.id
            && whole.size == end
        {
            let (mut runs, mut written) = (Vec::new(), Appended::default());
            append(
                &whole,
                &block.first(line_end),
                length,
                Wanted::Nothing,
                &mut runs,
                &mut written,
                &mut |_, _, _| Ok(()),
            )?;
            length += written.bytes;
        }
    }
    // What was cut off and could not be finished is given again.
    let sent = from + block_lines(&block, length)?;
    let proof = file.proof(start + length)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let given = Cursor { id: before.id, offset: start + length, proof, written: before.written };
    setting
        .journal
        .done(name, &Deed::Given { side: target.side.to_owned(), start, length, end: given, sent })?;
    then.sent = sent;
    note(then, Some(&file), Foreign { id: before.id, start, length })
}

/// How much of the first bytes of a block is whole lines.
fn block_lines(block: &Stream, length: u64) -> io::Result<u64> {
    Ok(agreement(block, 0, block, 0, length)?.lines)
}
