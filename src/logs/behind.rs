//! What lies behind the end of the archive that is on record, after a run that did not come to its end: whose each piece is.
//!
//! Apart from `settle`, which brings it to its end, and from `resume`, which compares. Only reads.
//!
//! Where only the process died, what the journal says was appended is there, and of one more block all of it, or as much as
//! the kernel had written when it was stopped. Where the machine died, the journal says where to look and nothing more: each
//! range is compared with what it was to be, and what it does not tell of is looked for by content.
//!
//! A file may then have its size and not what was written there, but NULs. Those are no lines of anybody's, and what was to
//! be there is appended again. Up to the end of the archive they are cut off, with what lies between them, which is all
//! ours; this takes away nothing that its source does not have. Where somebody has written behind them they stay, as
//! nothing that is there is ever written over or moved; they are given to nobody. What is not NUL and not what it was to be
//! is somebody else's, and stays.
//!
//! Invariant: of a line of which not all is there nothing counts, unless its rest is what is appended next, at once behind it.
//! What there is of it is nobody's then, and the line is appended again as a whole: its rest would be glued to what somebody
//! has written behind it.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;

use super::append::block_length;
use super::archive::Archive;
use super::file::LogFile;
use super::journal::{Deed, Ending};
use super::plan::is_quiet;
use super::resume::{self, Block, sure};
use super::stream::{Agreement, Stream, agreement};
use super::work::{PartNow, Piece, Whose};

/// What was found.
#[derive(Debug)]
pub(crate) struct Behind {
    /// In order.
    pub(crate) pieces: Vec<Piece>,
    /// What was found without the journal.
    pub(crate) found: Vec<Deed>,
    /// How many bytes at its end are no line, or not yet known to be anybody's.
    pub(crate) open: u64,
    /// Where the archive is to be cut off, in bytes from its beginning.
    pub(crate) cut: Option<u64>,
    /// Its end when it was looked at.
    pub(crate) end: u64,
}

/// Takes apart what lies behind the known end of the archive. Parts will know what of them is missing there.
pub(crate) fn take_apart(
    archive: &Archive,
    live: &LogFile,
    deeds: &[Deed],
    parts: &mut [PartNow],
    ending: Ending,
) -> io::Result<Behind> {
    let end = archive.end()?;
    let (at, pieces, found) = (archive.known, Vec::new(), Vec::new());
    let (next, told) = (None, BTreeSet::new());
    let mut walk = Walk { archive, live, parts, ending, end, at, pieces, found, next, is_found: true, told };
    walk.next = walk.missing(0, 0, 0);
    let mut appended: Vec<_> = deeds
        .iter()
        .filter_map(|deed| match deed {
            Deed::Appended { part, place, start, length } => Some((*start, *part, *place, *length)),
            _ => None,
        })
        .collect();
    appended.sort_unstable();
    walk.told = appended.iter().map(|(_, part, place, _)| (*part, *place)).collect();
    for (start, part, place, length) in appended {
        walk.told.remove(&(part, place));
        let passed = walk.at.saturating_sub(start);
        if passed >= length {
            continue;
        }
        if start >= end {
            break;
        }
        walk.until(start)?;
        if !walk.as_written_down(part, place + passed, length - passed)? {
            break;
        }
    }
    walk.is_found = false;
    walk.told.clear();
    let open = walk.until(end)?;
    walk.only_whole_lines()?;
    let Walk { mut pieces, mut found, parts, .. } = walk;
    let cut = if open == 0 { cut_off(&mut pieces, parts, archive.base()) } else { None };
    found.retain(|deed| cut.is_none_or(|cut| matches!(deed, Deed::Appended { start, .. } if *start < cut)));
    Ok(Behind { pieces, found, open, cut, end })
}

/// Where what is nobody's can be cut off, with what of ours lies behind it, in the live file, which begins at `base`. Those
/// pieces are then not there any more.
fn cut_off(pieces: &mut Vec<Piece>, parts: &mut [PartNow], base: u64) -> Option<u64> {
    let first = pieces.iter().rposition(|piece| piece.whose == Whose::Hub).map_or(0, |last| last + 1);
    let nobody = pieces.iter().skip(first).position(|piece| piece.whose == Whose::Nobody)? + first;
    let cut = pieces.get(nobody)?.start;
    // What is there, and was taken from a file that is gone, is nowhere else.
    let behind = || pieces.iter().skip(nobody);
    let is_elsewhere = behind().all(|piece| match piece.whose {
        Whose::Part(part, _) => parts.get(part).is_some_and(|part| part.stream.is_some()),
        Whose::Hub | Whose::Nobody => true,
    });
    if !is_elsewhere || cut < base {
        return None;
    }
    for piece in pieces.drain(nobody..) {
        if let Whose::Part(part, place) = piece.whose
            && let Some(part) = parts.get_mut(part)
        {
            part.lacks(place..place + piece.length);
        }
    }
    Some(cut)
}

/// On the way from the known end of the archive to its end.
struct Walk<'a> {
    archive: &'a Archive,
    live: &'a LogFile,
    parts: &'a mut [PartNow],
    ending: Ending,
    end: u64,
    at: u64,
    pieces: Vec<Piece>,
    found: Vec<Deed>,
    /// The part, and the place in it, that comes here if nobody else has written.
    next: Option<(usize, u64)>,
    /// Where the process died: whether the one block that the journal may lack was found, or cannot be here.
    is_found: bool,
    /// What the journal tells of and was not looked at yet: parts, and places in them.
    told: BTreeSet<(usize, u64)>,
}

impl Walk<'_> {
    /// The first place that is missing of a part from a place on, or of those behind it, and so many bytes further on.
    fn missing(&self, part: usize, place: u64, further: u64) -> Option<(usize, u64)> {
        let mut left = further;
        for (number, now) in self.parts.iter().enumerate().skip(part).filter(|(_, now)| now.stream.is_some())
        {
            for range in &now.missing {
                let start = if number == part { range.start.max(place) } else { range.start };
                let length = range.end.saturating_sub(start);
                if left < length {
                    return Some((number, start + left));
                }
                left -= length;
            }
        }
        None
    }

    fn piece(&mut self, length: u64, whose: Whose) {
        let start = self.at;
        self.at += length;
        match self.pieces.last_mut() {
            _ if length == 0 => {}
            Some(last) if last.whose == whose && !matches!(whose, Whose::Part(..)) => last.length += length,
            _ => self.pieces.push(Piece { start, length, whose, sha256: None }),
        }
    }

    fn ours(&mut self, part: usize, place: u64, length: u64) {
        self.piece(length, Whose::Part(part, place));
        if let Some(part) = self.parts.get_mut(part) {
            part.has(place..place + length);
        }
        self.next = self.missing(part, place + length, 0).or_else(|| self.missing(0, 0, 0));
    }

    /// The same, where the journal does not tell of it.
    fn ours_by_content(&mut self, part: usize, place: u64, length: u64) {
        if length > 0 {
            self.found.push(Deed::Appended { part, place, start: self.at, length });
            self.ours(part, place, length);
        }
    }

    /// Where what is there may be gone on with at once: at the end of the archive lies what comes before what is appended next.
    fn goes_on(&self) -> Option<(usize, u64)> {
        let last = self.pieces.last().filter(|_| self.at == self.end)?;
        let Whose::Part(part, place) = last.whose else { return None };
        self.missing(0, 0, 0).filter(|next| *next == (part, place + last.length))
    }

    /// Takes for nobody's what there is of lines of which not all is there. Returns whether there was any.
    fn only_whole_lines(&mut self) -> io::Result<bool> {
        let (goes_on, mut torn) = (self.goes_on(), Vec::new());
        for (number, part) in self.parts.iter().enumerate() {
            let Some(stream) = &part.stream else { continue };
            for place in part.missing.iter().flat_map(|range| [range.start, range.end]) {
                let is_told = goes_on == Some((number, place)) || self.told.contains(&(number, place));
                if is_told || place == 0 || place >= part.length {
                    continue;
                }
                let begin = resume::line_begin(stream, place)?;
                if begin < place {
                    let end = resume::line(stream, place)?.map_or(part.length, |rest| place + rest);
                    torn.push((number, begin..end));
                }
            }
        }
        for (part, line) in &torn {
            self.give_up(*part, line);
        }
        Ok(!torn.is_empty())
    }

    /// What there is of a line counts no more.
    fn give_up(&mut self, part: usize, line: &Range<u64>) {
        for piece in std::mem::take(&mut self.pieces) {
            let place = match piece.whose {
                Whose::Part(of, place) if of == part => place,
                _ => {
                    self.pieces.push(piece);
                    continue;
                }
            };
            let end = place + piece.length;
            let (from, to) = (line.start.clamp(place, end), line.end.clamp(place, end));
            for (range, whose) in [
                (place..from, Whose::Part(part, place)),
                (from..to, Whose::Nobody),
                (to..end, Whose::Part(part, to)),
            ] {
                if !range.is_empty() {
                    let (start, length) = (piece.start + (range.start - place), range.end - range.start);
                    self.pieces.push(Piece { start, length, whose, sha256: None });
                }
            }
        }
        if let Some(part) = self.parts.get_mut(part) {
            part.lacks(line.clone());
        }
        self.next = self.missing(part, line.start, 0).or_else(|| self.missing(0, 0, 0));
    }

    /// What lies from here on, in one file.
    fn tail(&self, to: u64) -> io::Result<Option<Stream>> {
        Ok(self.archive.range(self.at..to)?.into_iter().next())
    }

    /// Nothing has come to disk of what was to lie behind what agrees. Lines of which not all is there are nobody's, too.
    fn ruin(
        &mut self,
        tail: &Stream,
        (part, place): (usize, u64),
        stream: &Stream,
        same: Agreement,
        nothing: u64,
    ) -> io::Result<u64> {
        self.ours_by_content(part, place, same.lines);
        let passed = same.bytes + nothing;
        let begins = passed == 0 || stream.between(&(0..place + passed)).ends_with_line()?;
        let rest = match begins {
            true => 0,
            false => {
                let line = resume::line(stream, place + passed)?.unwrap_or(0);
                agreement(tail, passed, stream, place + passed, line)?.bytes
            }
        };
        self.piece(passed - same.lines + rest, Whose::Nobody);
        self.next = self.missing(part, place + same.lines, passed - same.lines + rest);
        Ok(passed + rest)
    }

    /// What the journal tells of. Returns whether all of it is as it says.
    fn as_written_down(&mut self, part: usize, place: u64, length: u64) -> io::Result<bool> {
        let stop = self.end.min(self.at + length);
        let Some(stream) = self.parts.get(part).and_then(|part| part.stream.clone()) else {
            self.ours(part, place, stop - self.at);
            return Ok(true);
        };
        let mut place = place;
        while let Some(tail) = self.tail(stop)? {
            let same = agreement(&tail, 0, &stream, place, tail.length())?;
            if same.bytes == tail.length() {
                self.ours(part, place, same.bytes);
                place += same.bytes;
                continue;
            }
            let nothing = tail.nothing(same.bytes)?;
            if nothing == 0 {
                // Something else lies there: not even the journal of a process that died can say so.
                self.ending = Ending::Machine;
                self.ours_by_content(part, place, sure(same));
                return Ok(false);
            }
            place += self.ruin(&tail, (part, place), &stream, same, nothing)?;
        }
        Ok(true)
    }

    /// What the journal does not tell of, up to a place. Returns how many bytes before it are no line, or not yet known to be
    /// anybody's, where that is the end of the archive.
    fn until(&mut self, to: u64) -> io::Result<u64> {
        while let Some(tail) = self.tail(to)? {
            match self.here(&tail)? {
                Here::Ours => continue,
                Here::Unknown => return Ok(tail.length()),
                Here::Others => {}
            }
            // It may be that the line was written again here.
            let is_behind_ours = self.pieces.last().is_some_and(|last| matches!(last.whose, Whose::Part(..)));
            if is_behind_ours && self.only_whole_lines()? {
                continue;
            }
            match resume::line(&tail, 0)? {
                Some(line) => self.piece(line, Whose::Hub),
                // Nobody goes on with it.
                None if self.at + tail.length() < self.end => self.piece(tail.length(), Whose::Hub),
                None => return Ok(tail.length()),
            }
        }
        Ok(0)
    }

    /// Looks for what is to come next, here, and takes it.
    fn here(&mut self, tail: &Stream) -> io::Result<Here> {
        let Some((part, place)) = self.next else { return Ok(Here::Others) };
        let Some(now) = self.parts.get(part) else { return Ok(Here::Others) };
        let range = now.missing.iter().find(|range| range.contains(&place));
        let (Some(stream), Some(range)) = (now.stream.clone(), range) else { return Ok(Here::Others) };
        let length = block_length(&stream, place)?.min(range.end - place);
        let ours = match self.ending {
            Ending::Process if self.is_found => 0,
            Ending::Process => {
                let block = Block { stream: &stream, from: place, length, in_file: tail.in_file(0) };
                let found = block.found_at(tail, 0)?;
                self.is_found = found.bytes > 0;
                // Where somebody has written behind it, the line that was cut off is written again.
                if self.at + found.bytes == self.end { found.bytes } else { found.lines }
            }
            Ending::Machine => {
                let same = agreement(tail, 0, &stream, place, length.min(tail.length()))?;
                let nothing = if same.bytes < length { tail.nothing(same.bytes)? } else { 0 };
                if nothing > 0 {
                    let nothing = nothing.min(self.left().saturating_sub(same.bytes));
                    self.ruin(tail, (part, place), &stream, same, nothing)?;
                    return Ok(Here::Ours);
                }
                match same.bytes {
                    all if all == length => all,
                    // It may be the beginning of somebody's line while he writes it.
                    some if some > 0 && self.at + some == self.end => match is_quiet(self.live) {
                        true => some,
                        false => return Ok(Here::Unknown),
                    },
                    _ => sure(same),
                }
            }
        };
        self.ours_by_content(part, place, ours);
        Ok(if ours > 0 { Here::Ours } else { Here::Others })
    }

    /// How many bytes may come yet.
    fn left(&self) -> u64 {
        let Some((part, place)) = self.next else { return 0 };
        let parts = self.parts.iter().enumerate().skip(part);
        parts
            .flat_map(|(number, now)| now.missing.iter().map(move |range| (number, range)))
            .map(|(number, range)| {
                let start = if number == part { range.start.max(place) } else { range.start };
                range.end.saturating_sub(start)
            })
            .sum()
    }
}

/// What lies at a place.
enum Here {
    Ours,
    Others,
    /// It cannot be told yet.
    Unknown,
}
