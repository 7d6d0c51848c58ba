//! The archive of a log: the hub's live file and its rotated segments, as one stream of bytes that only grows.
//!
//! Places in it count from its beginning, whatever segment they lie in now. Those in the file of the known end are certain,
//! as that has a proof; those before rest on how long the segments are that lie there. Apart from `find`, which is about one
//! copy's files, from `append`, which writes, and from `lacks`, which proves what is to be given away.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::file::{BLOCK, LogFile, in_file, to_size};
use super::find::{self, Found, Shelf};
use super::names::{self, Packing};
use super::state::LogState;
use super::stream::{Stream, fill};
use crate::hex::hex;

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
    /// What is to be done about that.
    remedy: Option<String>,
    /// What lies before was removed by us.
    removed: u64,
    /// Whether nothing of it was known, or nothing of what was known is there.
    pub(crate) anew: bool,
    /// Where the file of the known end begins.
    pub(crate) proven: u64,
}

impl Archive {
    /// Finds what was known of it. `live` is its live file.
    pub(crate) fn find(shelf: &Shelf, live: &Rc<LogFile>, state: Option<&LogState>) -> io::Result<Archive> {
        let found = match state {
            // What others write into a rotated file of it makes that no copy of this one.
            Some(state) if state.archive.id == live.id && find::fits(live, &state.archive)? => Found::Live,
            Some(state) => find::on_shelf(&state.archive, shelf, &[], 0)?,
            None => Found::Lost,
        };
        match found {
            Found::Live => {}
            // Whoever knew lines of it says what that means.
            Found::Lost if state.is_some_and(|state| state.end() > 0) => {}
            // Its lines may be new, or be those that copies still have.
            Found::Rotated(index) => no_gap(shelf, live, shelf.rotated.get(index))?,
            Found::Lost => no_gap(shelf, live, None)?,
        }
        let (first, begin, anew) = match (found, state) {
            (Found::Live, Some(state)) => (shelf.rotated.len(), state.base, false),
            // Somebody else has rotated it.
            (Found::Rotated(index), Some(state)) => (index, state.base, false),
            _ => (0, 0, true),
        };
        let (mut parts, proven, mut begin) = (Vec::new(), begin, begin);
        for file in shelf.rotated.iter().skip(first) {
            parts.push((begin, Rc::clone(file)));
            // Its lines may be new, or be those that copies still have, and all that follows has its place behind it.
            begin += length(file)?;
        }
        parts.push((begin, Rc::clone(live)));
        let older = shelf.rotated.iter().take(first).cloned().collect();
        let known = state.filter(|_| !anew).map_or(0, LogState::end);
        let removed = state.filter(|_| !anew).map_or(0, |state| state.begin);
        Ok(Archive {
            parts,
            older,
            known,
            hidden: shelf.hidden(),
            remedy: remedy(shelf),
            removed,
            anew,
            proven,
        })
    }

    /// Looks into older segments, until one begins before a place.
    pub(crate) fn reach(&mut self, place: u64) -> io::Result<()> {
        while let Some((begin, _)) = self.parts.first().filter(|(begin, _)| *begin > place) {
            let Some(file) = self.older.last().cloned() else { break };
            let from = begin.checked_sub(length(&file)?);
            let Some(from) = from else { break };
            self.older.pop();
            self.parts.insert(0, (from, file));
        }
        Ok(())
    }

    /// Looks into all of them, for whoever has to see all there is. Where one of them is hidden, those before it have no place
    /// that is certain, unless nothing is missing before the others.
    ///
    /// # Errors
    /// Names the file or directory that is to be seen to.
    pub(crate) fn reach_all(&mut self) -> io::Result<()> {
        let Some(remedy) = self.remedy.as_ref().filter(|_| self.begin() > self.removed) else {
            return self.reach_first();
        };
        if self.before()?.is_some_and(|before| before > self.removed) {
            return Err(io::Error::other(remedy.clone()));
        }
        self.reach_first()
    }

    /// Where its oldest segment begins, by how long all of them are; none where they are longer than what was merged.
    fn before(&self) -> io::Result<Option<u64>> {
        let mut before = Some(self.begin());
        for file in self.older.iter().rev() {
            let length = length(file)?;
            before = before.and_then(|before| before.checked_sub(length));
        }
        Ok(before)
    }

    /// Whether all of it is found that was not removed by us, so that nothing of it is hidden.
    pub(crate) fn is_whole(&self) -> bool {
        match self.hidden {
            None => true,
            Some(_) => !self.anew && matches!(self.before(), Ok(Some(before)) if before == self.removed),
        }
    }

    /// The youngest segment that has no place after all were looked into, as it is longer than what was merged there.
    pub(crate) fn without_room(&self) -> io::Result<Option<&LogFile>> {
        let Some(file) = self.older.last().filter(|_| self.begin() > self.removed) else { return Ok(None) };
        Ok((length(file)? > self.begin()).then_some(&**file))
    }

    /// The segments in which a range lies.
    pub(crate) fn files(&self, range: Range<u64>) -> Vec<&LogFile> {
        let nexts = self.parts.iter().skip(1).map(|(begin, _)| *begin).chain([u64::MAX]);
        let all = self.parts.iter().zip(nexts);
        let within =
            all.filter(|((begin, _), next)| *begin < range.end && *next > range.start && begin < next);
        within.map(|((_, file), _)| &**file).collect()
    }

    /// Up to the first of them, also where that is empty.
    fn reach_first(&mut self) -> io::Result<()> {
        self.reach(0)?;
        while let Some(file) = self.older.last().filter(|_| self.begin() == 0) {
            if length(file)? > 0 {
                break;
            }
            let file = self.older.pop();
            self.parts.splice(0..0, file.map(|file| (0, file)));
        }
        Ok(())
    }

    /// Where each of its segments ends that was looked at, oldest first; the last one is the live file.
    pub(crate) fn ends(&self) -> io::Result<Vec<u64>> {
        let mut ends: Vec<u64> = self.parts.iter().skip(1).map(|(begin, _)| *begin).collect();
        ends.push(self.end()?);
        Ok(ends)
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

    /// Reads it from a place on, which must not lie before its beginning.
    pub(crate) fn walk(&self, from: u64) -> io::Result<Walk<'_>> {
        let first = self.parts.iter().rposition(|(begin, _)| *begin <= from).unwrap_or(0);
        let mut parts = self.parts.get(first..).unwrap_or_default().iter();
        let reader = match parts.next() {
            Some((begin, file)) => Some(file.reader(from.saturating_sub(*begin))?),
            None => None,
        };
        Ok(Walk { parts, reader, block: vec![0; BLOCK] })
    }

    /// Its end now, whether known or not.
    pub(crate) fn end(&self) -> io::Result<u64> {
        match self.parts.last() {
            Some((base, file)) => Ok(base + file.length()?),
            None => Ok(0),
        }
    }
}

/// Nobody knows which lines a file has that is passed over, nor where what follows it lies.
///
/// # Errors
/// Where there is one, and its name does not make it older than the first file that counts.
fn no_gap(shelf: &Shelf, live: &LogFile, first: Option<&Rc<LogFile>>) -> io::Result<()> {
    let name = live.path.file_name().unwrap_or_default().as_encoded_bytes();
    let is_older = |path: &Path| first.is_some_and(|first| names::is_older(name, path, &first.path));
    let all = shelf.refused.iter().zip(&shelf.refused_names);
    let newer: Vec<&str> =
        all.filter(|(_, path)| !is_older(path)).map(|(refused, _)| refused.as_str()).collect();
    if newer.is_empty() { Ok(()) } else { Err(io::Error::other(waits_for(&newer.join(", ")))) }
}

/// What is to be done where a part of an archive may lie where nobody sees it.
fn remedy(shelf: &Shelf) -> Option<String> {
    let Some(directory) = shelf.removed.as_ref().filter(|_| shelf.refused.is_empty()) else {
        return shelf.hidden().as_deref().map(waits_for);
    };
    Some(format!(
        "a part of it is nowhere, and may lie in {}, which is not there. Mount it; or, if it was removed and there is nothing to put back, make an empty directory in its place",
        directory.display()
    ))
}

/// What is to be done about a part of an archive that cannot be seen.
fn waits_for(hidden: &str) -> String {
    format!(
        "a rotated file of it cannot be read, and its lines may come twice or never without it: {hidden}. Make it readable; or, if it is none of this log, move it away"
    )
}

/// Bytes of a segment, which is named where it cannot be read, with what is to be done about one that is broken.
fn length(file: &LogFile) -> io::Result<u64> {
    let advice = is_packed(file).then_some(
        "it is broken, and a rotated file of the archive: put a whole one in its place, from a backup; or, if there is none, move it away, and the archive does without its lines",
    );
    file.length().map_err(|cause| in_file(&file.path, &cause, advice))
}

/// An archive that is read once, from one place to its end: a packed segment is unpacked once, whatever is asked of it.
pub(crate) struct Walk<'a> {
    /// Those to come.
    parts: std::slice::Iter<'a, (u64, Rc<LogFile>)>,
    reader: Option<Box<dyn io::Read + 'a>>,
    block: Vec<u8>,
}

impl Walk<'_> {
    /// The digest of the next bytes; none where there are fewer.
    pub(crate) fn digest(&mut self, bytes: u64) -> io::Result<Option<String>> {
        let (mut digest, mut left) = (Sha256::new(), bytes);
        while left > 0 {
            let Some(reader) = &mut self.reader else {
                let Some((_, file)) = self.parts.next() else { return Ok(None) };
                self.reader = Some(file.reader(0)?);
                continue;
            };
            let wanted = to_size(left).min(self.block.len());
            let had = fill(reader, self.block.get_mut(..wanted).unwrap_or_default())?;
            digest.update(self.block.get(..had).unwrap_or_default());
            left -= u64::try_from(had).unwrap_or(0);
            if had < wanted {
                self.reader = None;
            }
        }
        Ok(Some(hex(&digest.finalize())))
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

/// Whether a file is packed, and so final.
pub(crate) fn is_packed(file: &LogFile) -> bool {
    file.packing != Packing::Plain
}
