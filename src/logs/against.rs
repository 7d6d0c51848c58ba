//! What copies are aligned with: the archive, and what it will have got from other copies.
//!
//! Apart from `align`, which is pure. Where a copy and the archive begin with the same bytes, which is how most lie to each
//! other, nothing is held in memory; only for others are all lines read, as digests.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::align::{self, Line, Relation, Trust};
use super::archive::Archive;
use super::file::{BLOCK, PROOF, to_size};
use super::stream::{Stream, fill};

/// How a copy lies to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) relation: Relation,
    pub(crate) weak: bool,
    /// Where in the archive the last line ends that both have.
    pub(crate) place: u64,
    /// What the archive lacks, in bytes from the beginning of what the copy has.
    pub(crate) missing: Vec<std::ops::Range<u64>>,
}

/// The archive, and what other copies give to it in this run.
#[derive(Debug)]
pub(crate) struct Against<'a> {
    archive: &'a mut Archive,
    /// Where the last line of the archive ends.
    end: u64,
    /// What others give, and where in the archive each will begin.
    given: Vec<(u64, Stream)>,
    /// None until somebody asks.
    lines: Option<Lines>,
}

/// All lines, those of the archive first.
#[derive(Debug, Default)]
struct Lines {
    all: Vec<Line>,
    /// How many of them lie in the archive.
    there: usize,
    /// Where each of the others will end.
    ends: Vec<u64>,
    /// How much of what others give is among them.
    given: usize,
}

impl<'a> Against<'a> {
    pub(crate) fn new(archive: &'a mut Archive, end: u64) -> Against<'a> {
        Against { archive, end, given: Vec::new(), lines: None }
    }

    /// A copy will give something, from a place of the archive on.
    pub(crate) fn extend(&mut self, from: u64, streams: &[Stream]) {
        let mut at = from;
        for stream in streams {
            self.given.push((at, stream.clone()));
            at += stream.length();
        }
    }

    /// Aligns what a copy has: whole lines, one stream a file.
    pub(crate) fn align(&mut self, source: &[Stream], trust: Trust) -> io::Result<Found> {
        self.archive.reach_all()?;
        match self.prefix(source, trust)? {
            Some(found) => Ok(found),
            None => self.by_lines(source, trust),
        }
    }

    /// Where one of the two begins with all of the other, and that is no accident.
    fn prefix(&self, source: &[Stream], trust: Trust) -> io::Result<Option<Found>> {
        let mut all = self.archive.range(self.archive.begin()..self.end)?;
        // What ends in the midst of a line may be whole in the copy.
        for stream in &all {
            if !stream.file.ends_a_line(stream.ranges.last().map_or(0, |range| range.end))? {
                return Ok(None);
            }
        }
        if trust == Trust::Adopted {
            all.extend(self.given.iter().map(|(_, stream)| stream.clone()));
        }
        let (there, length) = (bytes(&all), bytes(source));
        if there == 0 {
            let missing = Some(0..length).filter(|all| !all.is_empty()).into_iter().collect();
            return Ok(Some(Found { relation: Relation::Apart, weak: false, place: self.end, missing }));
        }
        let both = there.min(length);
        if both < align::STRONG_BYTES || common(&all, source, both)? < both {
            return Ok(None);
        }
        let relation = if length > there { Relation::Overlap } else { Relation::Contained };
        // What lies at the beginning may lie there once more.
        if length < there && occurs_again(&all, source)? {
            return Ok(None);
        }
        let missing = Some(both..length).filter(|rest| !rest.is_empty()).into_iter().collect();
        Ok(Some(Found { relation, weak: false, place: self.place_of_byte(both), missing }))
    }

    fn by_lines(&mut self, source: &[Stream], trust: Trust) -> io::Result<Found> {
        let mut lines = Vec::new();
        for stream in source {
            read_lines(stream, &mut lines)?;
        }
        let all = self.lines()?;
        let before = all.all.get(..all.there).unwrap_or_default();
        // Other copies may have lines by accident, unless they are many in one piece.
        let strong = (trust == Trust::Adopted && all.all.len() > all.there)
            .then(|| align::align(&all.all, &lines, Trust::Strong))
            .filter(|found| found.relation != Relation::Apart);
        let (found, count) = match strong {
            Some(found) => (found, all.all.len()),
            None => (align::align(before, &lines, trust), all.there),
        };
        let place = self.place_of_line(count.saturating_sub(found.behind));
        let (mut missing, mut at, mut next) = (Vec::new(), 0_u64, 0_usize);
        for range in found.missing {
            at += length(lines.get(next..range.start));
            let end = at + length(lines.get(range.clone()));
            missing.push(at..end);
            (at, next) = (end, range.end);
        }
        Ok(Found { relation: found.relation, weak: found.weak, place, missing })
    }

    fn lines(&mut self) -> io::Result<&Lines> {
        let mut lines = match self.lines.take() {
            Some(lines) => lines,
            None => {
                let mut lines = Lines::default();
                for stream in self.archive.range(self.archive.begin()..self.end)? {
                    read_lines(&stream, &mut lines.all)?;
                }
                lines.there = lines.all.len();
                lines
            }
        };
        for (from, stream) in self.given.iter().skip(lines.given) {
            let (first, mut at) = (lines.all.len(), *from);
            read_lines(stream, &mut lines.all)?;
            for line in lines.all.iter().skip(first) {
                at += line.bytes;
                lines.ends.push(at);
            }
            lines.given += 1;
        }
        Ok(self.lines.insert(lines))
    }

    /// Where in the archive the first so many lines end.
    fn place_of_line(&self, count: usize) -> u64 {
        let Some(lines) = &self.lines else { return self.end };
        match count.checked_sub(lines.there) {
            Some(more @ 1..) => lines.ends.get(more - 1).copied().unwrap_or(self.end),
            _ => self.end.saturating_sub(length(lines.all.get(count..lines.there))),
        }
    }

    /// Where in the archive so many bytes of it, and of what others give, end.
    fn place_of_byte(&self, count: u64) -> u64 {
        let begin = self.archive.begin();
        let Some(mut rest) = (begin + count).checked_sub(self.end).filter(|rest| *rest > 0) else {
            return begin + count;
        };
        for (from, stream) in &self.given {
            let length = stream.length();
            if rest <= length {
                return from + rest;
            }
            rest -= length;
        }
        self.end
    }
}

fn length(lines: Option<&[Line]>) -> u64 {
    lines.unwrap_or_default().iter().map(|line| line.bytes).sum()
}

fn bytes(streams: &[Stream]) -> u64 {
    streams.iter().map(Stream::length).sum()
}

/// All of them, one behind the other.
fn chain(streams: &[Stream]) -> io::Result<Box<dyn Read + '_>> {
    let mut all: Box<dyn Read + '_> = Box::new(io::empty());
    for stream in streams {
        all = Box::new(all.chain(stream.reader(0)?));
    }
    Ok(all)
}

/// How many bytes are equal at the beginning, of at most so many.
fn common(a: &[Stream], b: &[Stream], most: u64) -> io::Result<u64> {
    let (mut a, mut b) = (chain(a)?.take(most), chain(b)?.take(most));
    let (mut block_a, mut block_b) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut equal = 0;
    loop {
        let had = fill(&mut a, &mut block_a)?;
        let both = fill(&mut b, &mut block_b)?.min(had);
        let (part_a, part_b) = (block_a.get(..both), block_b.get(..both));
        if part_a != part_b {
            return Ok(equal);
        }
        equal += u64::try_from(both).unwrap_or(0);
        if both < BLOCK {
            return Ok(equal);
        }
    }
}

/// Whether the first bytes of a source are anywhere in an archive but at its beginning.
fn occurs_again(archive: &[Stream], source: &[Stream]) -> io::Result<bool> {
    let mut wanted = vec![0; to_size(PROOF.min(bytes(source)))];
    let had = fill(&mut chain(source)?, &mut wanted)?;
    wanted.truncate(had);
    let finder = memchr::memmem::Finder::new(&wanted);
    let mut reader = chain(archive)?;
    // What may be the beginning of it is kept when more is read; the first byte is not looked at.
    let mut block = vec![0; BLOCK];
    let mut held = 0;
    let mut first = 1;
    loop {
        let read = fill(&mut reader, block.get_mut(held..).unwrap_or_default())?;
        let part = block.get(..held + read).unwrap_or_default();
        if finder.find(part.get(first..).unwrap_or_default()).is_some() {
            return Ok(true);
        }
        if held + read < BLOCK {
            return Ok(false);
        }
        let keep = wanted.len().saturating_sub(1).min(part.len());
        (held, first) = (keep, 0);
        block.copy_within(BLOCK - keep.., 0);
    }
}

/// Reads the lines of a stream that have an end.
pub(crate) fn read_lines(stream: &Stream, lines: &mut Vec<Line>) -> io::Result<()> {
    let mut reader = stream.reader(0)?;
    let mut block = vec![0; BLOCK.min(to_size(stream.length())).max(1)];
    let (mut digest, mut bytes) = (Sha256::new(), 0_u64);
    loop {
        let had = fill(&mut reader, &mut block)?;
        let mut part = block.get(..had).unwrap_or_default();
        while let Some(end) = memchr::memchr(b'\n', part) {
            let (line, rest) = part.split_at(end + 1);
            digest.update(line);
            bytes += u64::try_from(line.len()).unwrap_or(0);
            let whole: [u8; 32] = std::mem::take(&mut digest).finalize().into();
            lines.push(Line::of(&whole, std::mem::take(&mut bytes)));
            part = rest;
        }
        digest.update(part);
        bytes += u64::try_from(part.len()).unwrap_or(0);
        if had < block.len() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::logs::file::{Access, LogFile, Owners};
    use crate::logs::find::Shelf;
    use crate::logs::names::Packing;

    use proptest::prelude::*;

    type Outcome<T> = std::result::Result<T, Box<dyn std::error::Error>>;

    fn file(directory: &std::path::Path, name: &str, text: &str) -> Outcome<Rc<LogFile>> {
        let path = directory.join(name);
        std::fs::write(&path, text)?;
        let file = LogFile::open(&path, Packing::Plain, Access::Read, &Owners::default());
        Ok(Rc::new(file.map_err(|cause| format!("{cause:?}"))?))
    }

    /// How `source` lies to an archive of one rotated and one live file, where another copy gives something: by both ways.
    fn both_ways(archive: [&str; 2], given: &str, source: &str, trust: Trust) -> Outcome<[Option<Found>; 2]> {
        let directory = tempfile::tempdir()?;
        let [rotated, live] =
            [file(directory.path(), "1", archive[0])?, file(directory.path(), "0", archive[1])?];
        let shelf = Shelf { live: Some(Rc::clone(&live)), rotated: vec![rotated], ..Shelf::default() };
        let mut found = Archive::find(&shelf, &live, None)?;
        let end = found.end()?;
        let mut against = Against::new(&mut found, end);
        let stream = |name: &str, text: &str| -> Outcome<Stream> {
            let file = file(directory.path(), name, text)?;
            Ok(Stream::of(&file, 0..file.size))
        };
        if !given.is_empty() {
            against.extend(end, &[stream("given", given)?]);
        }
        let source = [stream("source", source)?];
        Ok([against.prefix(&source, trust)?, Some(against.by_lines(&source, trust)?)])
    }

    fn text(lines: &[u8]) -> String {
        lines.iter().map(|n| format!("{}\n", format!("line {n} ").repeat(30))).collect()
    }

    #[test]
    fn what_begins_alike_needs_no_lines() -> Outcome<()> {
        let (old, new) = (text(&[1, 2, 3, 4, 5, 6]), text(&[7, 8]));
        let all = old.clone() + &new;
        let (end, far) = (u64::try_from(old.len())?, u64::try_from(all.len())?);
        // Up to where both are alike, and where the source ends.
        let found = |relation, place, both, length| {
            let missing = Some(both..length).filter(|rest| !rest.is_empty()).into_iter().collect();
            Some(Found { relation, weak: false, place, missing })
        };
        for (archive, given, source, expected) in [
            ([old.as_str(), ""], "", all.as_str(), found(Relation::Overlap, end, end, far)),
            (["", old.as_str()], "", old.as_str(), found(Relation::Contained, end, end, end)),
            ([old.as_str(), new.as_str()], "", old.as_str(), found(Relation::Contained, end, end, end)),
            (["", old.as_str()], new.as_str(), all.as_str(), found(Relation::Contained, far, far, far)),
            (["", ""], "", old.as_str(), found(Relation::Apart, 0, 0, end)),
            // What occurs twice has to be looked at closely.
            ([old.as_str(), old.as_str()], "", old.as_str(), None),
            ([new.as_str(), ""], "", old.as_str(), None),
        ] {
            let [prefix, _] = both_ways(archive, given, source, Trust::Adopted)?;
            assert_eq!(prefix, expected, "{} {}", archive[1].len(), source.len());
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        // Both ways say the same, wherever the short one says anything.
        #[test]
        fn the_short_way_is_the_long_one(
            lines in prop::collection::vec(0_u8..6, 0..24),
            cuts in prop::array::uniform3(0_usize..24),
            more in prop::collection::vec(0_u8..6, 0..6),
            is_longer: bool,
            is_fresh: bool,
        ) {
            let mut cuts = cuts.map(|cut| cut.min(lines.len()));
            cuts.sort_unstable();
            let [first, second, third] = cuts;
            let mut source = lines.get(..if is_longer { lines.len() } else { first }).unwrap_or_default().to_vec();
            source.extend(&more);
            let trust = if is_fresh { Trust::Fresh } else { Trust::Adopted };
            let part = |range: std::ops::Range<usize>| text(lines.get(range).unwrap_or_default());
            let (archive, given) = ([part(0..first), part(first..second)], part(second..third));
            let both = both_ways([&archive[0], &archive[1]], &given, &text(&source), trust);
            let [prefix, by_lines] = both.map_err(|cause| TestCaseError::fail(cause.to_string()))?;
            if let (Some(prefix), Some(by_lines)) = (prefix, by_lines) {
                // Of what has nothing in common nobody asks where.
                if by_lines.relation == Relation::Apart {
                    prop_assert_eq!(prefix.missing, by_lines.missing);
                } else {
                    prop_assert_eq!(prefix, by_lines);
                }
            }
        }
    }
}
