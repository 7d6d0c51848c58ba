//! What a copy lacks of the archive: all that others wrote behind what it has got.
//!
//! Apart from `send`, which gives it. The ledger tells who wrote what, and proves that what lies there is what was merged: a
//! rotated file that was removed or replaced would shift all places before it. Where the ledger was lost, the lines of the
//! copy's own files tell what it has.
//!
//! Invariant: where neither tells, nothing is given.

use std::io;
use std::ops::Range;

use super::against::read_lines;
use super::align::{self, Line, Trust};
use super::archive::{Archive, is_packed};
use super::file::Access;
use super::find;
use super::ledger::{Entry, NOBODY, UNKNOWN};
use super::plan::{Problem, Setting, beside};
use super::state::CopyState;
use super::stream::Stream;
use super::work::{Target, wanted};

/// What a copy is to get.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacks {
    /// In order.
    pub(crate) ranges: Vec<Range<u64>>,
    /// Whether a part of that was found by the lines of its own files.
    pub(crate) by_content: bool,
}

/// Entries of the ledger about what lies behind a place of the archive; or why nobody can tell, with what to do.
pub(crate) type Since<'a> = dyn Fn(u64) -> Result<Vec<Entry>, Problem> + 'a;

/// Finds out what a copy is to get of the archive up to `end`. `written` is what this run has put there.
///
/// # Errors
/// In words, where that cannot be told, or what is to be given is not what was merged.
pub(crate) fn lacks(
    setting: &Setting<'_>,
    target: &Target<'_>,
    archive: &mut Archive,
    then: &CopyState,
    end: u64,
    written: &[Entry],
    since: &Since<'_>,
) -> Result<Lacks, Problem> {
    if then.sent >= end {
        return Ok(Lacks::default());
    }
    let mut entries = Vec::new();
    if then.sent < archive.known {
        entries = match since(then.sent) {
            Ok(entries) => entries,
            // Who gets all of what has its place for certain needs to know no more.
            Err(_) if then.refill && then.sent >= archive.proven => Vec::new(),
            Err(why) => return Err(why),
        };
        prove(archive, &entries, then.sent)?;
    }
    entries.extend_from_slice(written);
    if then.refill {
        let nobodys = entries.iter().filter(|entry| entry.origin == NOBODY);
        let origins: Vec<_> = nobodys.map(super::work::of_entry).collect();
        return Ok(Lacks { ranges: wanted(then.sent..end, target.side, &origins), by_content: false });
    }
    let unknown = entries.iter().filter(|entry| entry.origin == UNKNOWN && entry.end() > then.sent);
    let told = unknown.map(Entry::end).max().unwrap_or(then.sent).min(end);
    let mut ranges = Vec::new();
    if told > then.sent {
        ranges = by_content(setting, target, archive, then.sent..told)
            .map_err(|cause| format!("what it lacks cannot be found by its content: {cause}"))?;
    }
    let origins: Vec<_> = entries.iter().map(super::work::of_entry).collect();
    ranges.extend(wanted(told..end, target.side, &origins));
    Ok(Lacks { ranges, by_content: told > then.sent })
}

/// Compares what lies in rotated files behind a place with what was merged.
fn prove(archive: &mut Archive, entries: &[Entry], place: u64) -> Result<(), Problem> {
    let fail = |cause: io::Error| format!("cannot read the archive: {cause}");
    let certain = archive.proven;
    for entry in entries.iter().filter(|entry| entry.end() > place && entry.from < certain) {
        archive.reach(entry.from).map_err(fail)?;
        // What is gone altogether is told by whoever gives the rest.
        if entry.end() <= archive.begin() {
            continue;
        }
        if archive.digest(entry.from..entry.end()).map_err(fail)? != entry.sha256 {
            return Err(format!(
                "{} bytes from {} on in the archive, which it has not got yet, are not what was merged: a rotated file was removed, replaced or changed. Put it back; or, if it is gone for good, move sync_state/logs away: all copies are then aligned by their content",
                entry.length, entry.from
            ));
        }
    }
    Ok(())
}

/// The ranges within one of the archive of which a copy's files do not have the lines.
fn by_content(
    setting: &Setting<'_>,
    target: &Target<'_>,
    archive: &mut Archive,
    range: Range<u64>,
) -> io::Result<Vec<Range<u64>>> {
    let aside = beside(target.path);
    let mut has: Vec<Line> = Vec::new();
    // What it got in a file beside its own it has as well.
    for path in [target.path, &aside] {
        let shelf = find::shelf(path, Access::Read, setting.around)
            .map_err(|why| io::Error::other(String::from(why)))?;
        // A file that is passed over may have what seems to be missing.
        if !shelf.refused.is_empty() {
            return Err(io::Error::other(shelf.refused.join(", ")));
        }
        for file in shelf.rotated.iter().chain(&shelf.live) {
            let end = file.length()?;
            // Nobody goes on with the last line of a packed file.
            let newline = is_packed(file) && end > 0 && !file.ends_a_line(end)?;
            read_lines(&Stream { newline, ..Stream::of(file, 0..end) }, &mut has)?;
        }
    }
    archive.reach(range.start)?;
    let (mut there, mut ends, mut at) = (Vec::new(), Vec::new(), range.start);
    for stream in archive.range(range.clone())? {
        let (first, mut end) = (there.len(), at);
        read_lines(&stream, &mut there)?;
        for line in there.iter().skip(first) {
            end += line.bytes;
            ends.push(end);
        }
        at += stream.length();
    }
    let missing = align::align(&has, &there, Trust::Adopted).missing;
    let place = |count: usize| match count.checked_sub(1) {
        None => range.start,
        Some(last) => ends.get(last).copied().unwrap_or(range.end),
    };
    Ok(missing.into_iter().map(|missing| place(missing.start)..place(missing.end)).collect())
}
