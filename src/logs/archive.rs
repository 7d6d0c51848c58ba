//! The archive of a log: the hub's live file and its rotated segments, as one stream of bytes that only grows.
//!
//! Places in it count from its beginning, whatever segment they lie in now. Apart from `find`, which is about one copy's
//! files, and from `apply`, which appends.

use std::io;
use std::ops::Range;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::align::Line;
use super::file::{BLOCK, LogFile, hex, to_size};
use super::find::{self, Found, Shelf};
use super::names::Packing;
use super::state::LogState;
use super::stream::{Stream, fill};

/// The archive as it lies there.
#[derive(Debug)]
pub(crate) struct Archive {
    /// Segments, oldest first, with where each begins; the live file is the last one.
    parts: Vec<(u64, Rc<LogFile>)>,
    /// Segments before those, oldest first: nobody has asked for them yet, and packed ones have to be unpacked to know
    /// how long they are.
    older: Vec<Rc<LogFile>>,
    /// Where the known end lies.
    pub(crate) known: u64,
    /// Why some of its segments may be there and not be seen.
    pub(crate) hidden: Option<String>,
    /// Whether nothing of it was known, or nothing of what was known is there.
    pub(crate) anew: bool,
}

impl Archive {
    /// Finds what was known of it. `live` is its live file.
    pub(crate) fn find(shelf: &Shelf, live: &Rc<LogFile>, state: Option<&LogState>) -> io::Result<Archive> {
        let found = match state {
            Some(state) => find::on_shelf(&state.archive, shelf, &[], 0)?,
            None => Found::Lost,
        };
        let (first, begin, anew) = match (found, state) {
            (Found::Live, Some(state)) => (shelf.rotated.len(), state.base, false),
            // Somebody else has rotated it.
            (Found::Rotated(index), Some(state)) => (index, state.base, false),
            _ => (0, 0, true),
        };
        let (mut parts, mut begin) = (Vec::new(), begin);
        for file in shelf.rotated.iter().skip(first) {
            // What cannot be unpacked is no part of it.
            let Ok(length) = file.length() else { continue };
            parts.push((begin, Rc::clone(file)));
            begin += length;
        }
        parts.push((begin, Rc::clone(live)));
        let older = shelf.rotated.iter().take(first).cloned().collect();
        let known = state.filter(|_| !anew).map_or(0, LogState::end);
        let hidden = shelf.refused.iter().chain(&shelf.missing).next().cloned();
        Ok(Archive { parts, older, known, hidden, anew })
    }

    /// Looks into older segments, until one begins before a place.
    pub(crate) fn reach(&mut self, place: u64) -> io::Result<()> {
        while let Some((begin, _)) = self.parts.first().filter(|(begin, _)| *begin > place) {
            let Some(file) = self.older.pop() else { break };
            let from = begin.checked_sub(file.length()?);
            let Some(from) = from else { break };
            self.parts.insert(0, (from, file));
        }
        Ok(())
    }

    /// Where its live file begins.
    pub(crate) fn base(&self) -> u64 {
        self.parts.last().map_or(0, |(base, _)| *base)
    }

    /// A range of it, as one stream for each segment that has a part of it.
    pub(crate) fn range(&self, range: Range<u64>) -> io::Result<Vec<Stream>> {
        let mut streams = Vec::new();
        for (index, (begin, file)) in self.parts.iter().enumerate() {
            let end = match self.parts.get(index + 1) {
                Some((next, _)) => *next,
                None => begin + file.length()?,
            };
            let (from, to) = (range.start.max(*begin), range.end.min(end));
            if from < to {
                streams.push(Stream::of(file, from - begin..to - begin));
            }
        }
        Ok(streams)
    }

    /// Where what was looked at of it begins.
    pub(crate) fn begin(&self) -> u64 {
        self.parts.first().map_or(0, |(begin, _)| *begin)
    }

    /// The digest of a range; of as much of it as there is.
    pub(crate) fn digest(&self, range: Range<u64>) -> io::Result<String> {
        let mut digest = Sha256::new();
        let mut block = vec![0; BLOCK.min(to_size(range.end - range.start)).max(1)];
        for stream in self.range(range)? {
            let mut reader = stream.reader(0)?;
            loop {
                let had = fill(&mut reader, &mut block)?;
                digest.update(block.get(..had).unwrap_or_default());
                if had < block.len() {
                    break;
                }
            }
        }
        Ok(hex(&digest.finalize()))
    }

    /// Its end now, whether known or not.
    pub(crate) fn end(&self) -> io::Result<u64> {
        match self.parts.last() {
            Some((base, file)) => Ok(base + file.length()?),
            None => Ok(0),
        }
    }

    /// All of its lines that have an end, where all of it was looked at.
    pub(crate) fn lines(&self) -> io::Result<Vec<Line>> {
        let mut all = Vec::new();
        for (_, file) in &self.parts {
            all.extend(lines(file, Unfinished::Left)?.into_iter().map(|(line, _)| line));
        }
        Ok(all)
    }
}

/// The lines that copies are aligned with: those of the archive, and those that it will have got from other copies.
#[derive(Debug)]
pub(crate) struct Against<'a> {
    archive: &'a mut Archive,
    /// Where the last line of the archive ends.
    end: u64,
    /// None until somebody asks.
    lines: Option<Vec<Line>>,
    /// How many of them lie in the archive.
    there: usize,
    /// Where each of the others will end.
    ends: Vec<u64>,
}

impl<'a> Against<'a> {
    pub(crate) fn new(archive: &'a mut Archive, end: u64) -> Against<'a> {
        Against { archive, end, lines: None, there: 0, ends: Vec::new() }
    }

    /// How many lines the archive has, and all lines, those first.
    pub(crate) fn lines(&mut self) -> io::Result<(usize, &[Line])> {
        if self.lines.is_none() {
            self.archive.reach(0)?;
            let lines = self.archive.lines()?;
            self.there = lines.len();
            self.lines = Some(lines);
        }
        Ok((self.there, self.lines.as_deref().unwrap_or_default()))
    }

    /// Where in the archive the first so many lines end.
    pub(crate) fn place(&self, count: usize) -> u64 {
        match count.checked_sub(self.there) {
            Some(more @ 1..) => self.ends.get(more - 1).copied().unwrap_or(self.end),
            _ => {
                let behind = self.lines.iter().flatten().take(self.there).skip(count);
                self.end.saturating_sub(behind.map(|line| line.bytes).sum())
            }
        }
    }

    /// Lines that a copy will give, from a place of the archive on.
    pub(crate) fn extend(&mut self, from: u64, lines: &[Line]) {
        let mut at = from;
        for line in lines {
            at += line.bytes;
            self.ends.push(at);
        }
        self.lines.get_or_insert_default().extend_from_slice(lines);
    }
}

/// What becomes of a last line without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// It is still being written.
    Left,
    /// Nobody will write to it any more; it counts as if it had an end.
    Taken,
}

/// The lines of a file, each with where it ends.
pub(crate) fn lines(file: &LogFile, unfinished: Unfinished) -> io::Result<Vec<(Line, u64)>> {
    let mut reader = file.reader(0)?;
    let mut block = vec![0; BLOCK];
    let (mut found, mut digest, mut begin, mut at) = (Vec::new(), Sha256::new(), 0_u64, 0_u64);
    let close = |digest: &mut Sha256, begin: &mut u64, end: u64| {
        let bytes: [u8; 32] = std::mem::take(digest).finalize().into();
        let half = bytes.first_chunk::<16>().map_or(0, |half| u128::from_le_bytes(*half));
        let line = Line { digest: half, bytes: end - *begin };
        *begin = end;
        (line, end)
    };
    loop {
        let had = fill(&mut reader, &mut block)?;
        let mut part = block.get(..had).unwrap_or_default();
        while let Some(end) = memchr::memchr(b'\n', part) {
            let (line, rest) = part.split_at(end + 1);
            digest.update(line);
            at += u64::try_from(line.len()).unwrap_or(0);
            found.push(close(&mut digest, &mut begin, at));
            part = rest;
        }
        digest.update(part);
        at += u64::try_from(part.len()).unwrap_or(0);
        if had < block.len() {
            break;
        }
    }
    if at > begin && unfinished == Unfinished::Taken {
        digest.update(b"\n");
        found.push(close(&mut digest, &mut begin, at));
    }
    Ok(found)
}

/// Whether a file is packed, and so final.
pub(crate) fn is_packed(file: &LogFile) -> bool {
    file.packing != Packing::Plain
}
