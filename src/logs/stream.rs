//! Bytes that are to be taken from one file, in order: what an owner wrote, without what we wrote there.
//!
//! Apart from `file`, which is about one file as it lies there. A stream is read again and again, from any place, and
//! is never in memory as a whole.

use std::io::{self, Read};
use std::ops::Range;
use std::rc::Rc;

use super::file::{BLOCK, LogFile, to_size};

/// What is to be taken from one file.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) file: Rc<LogFile>,
    /// In order, apart from each other.
    pub(crate) ranges: Vec<Range<u64>>,
    /// Whether its last line has no end and gets one from us, as nobody will write to it again.
    pub(crate) newline: bool,
}

impl Stream {
    /// One range of a file.
    pub(crate) fn of(file: &Rc<LogFile>, range: Range<u64>) -> Stream {
        Stream { file: Rc::clone(file), ranges: vec![range], newline: false }
    }

    /// Bytes in all.
    pub(crate) fn length(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum::<u64>() + u64::from(self.newline)
    }

    /// Reads from a place of the stream to its end.
    pub(crate) fn reader(&self, from: u64) -> io::Result<Box<dyn Read + '_>> {
        let mut chain: Box<dyn Read + '_> = Box::new(io::empty());
        let mut left = from;
        for range in &self.ranges {
            let length = range.end - range.start;
            let skipped = left.min(length);
            left -= skipped;
            if skipped < length {
                let part = self.file.reader(range.start + skipped)?.take(length - skipped);
                chain = Box::new(chain.chain(part));
            }
        }
        if self.newline && left == 0 {
            chain = Box::new(chain.chain(&b"\n"[..]));
        }
        Ok(chain)
    }

    /// Its first bytes, as a stream.
    pub(crate) fn first(&self, bytes: u64) -> Stream {
        let mut left = bytes;
        let mut ranges = Vec::new();
        for range in &self.ranges {
            let length = left.min(range.end - range.start);
            left -= length;
            if length > 0 {
                ranges.push(range.start..range.start + length);
            }
        }
        Stream { file: Rc::clone(&self.file), ranges, newline: self.newline && left > 0 }
    }

    /// A range of it, as a stream.
    pub(crate) fn between(&self, range: &Range<u64>) -> Stream {
        let mut stream = self.first(range.end);
        let mut left = range.start;
        for range in &mut stream.ranges {
            let skipped = left.min(range.end - range.start);
            range.start += skipped;
            left -= skipped;
        }
        stream.ranges.retain(|range| !range.is_empty());
        stream
    }

    /// Whether its last line has an end.
    pub(crate) fn ends_with_line(&self) -> io::Result<bool> {
        match self.ranges.last() {
            Some(last) if !self.newline => self.file.ends_a_line(last.end),
            _ => Ok(true),
        }
    }

    /// How many bytes from a place on are NUL.
    pub(crate) fn nothing(&self, from: u64) -> io::Result<u64> {
        let mut reader = self.reader(from)?;
        let mut block = vec![0; BLOCK.min(to_size(self.length().saturating_sub(from)))];
        let mut found = 0;
        loop {
            let had = fill(&mut reader, &mut block)?;
            let nothing = block.iter().take(had).take_while(|byte| **byte == 0).count();
            found += u64::try_from(nothing).unwrap_or(0);
            if nothing < block.len() || had == 0 {
                return Ok(found);
            }
        }
    }

    /// Where in the file a place of the stream lies.
    pub(crate) fn in_file(&self, place: u64) -> u64 {
        let mut left = place;
        for range in &self.ranges {
            let length = range.end - range.start;
            if left < length {
                return range.start + left;
            }
            left -= length;
        }
        self.ranges.last().map_or(0, |range| range.end)
    }
}

/// How far two streams agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// Bytes that are equal.
    pub(crate) bytes: u64,
    /// Those of them up to the end of a line.
    pub(crate) lines: u64,
}

/// Compares two streams from a place each, over at most `most` bytes.
pub(crate) fn agreement(
    a: &Stream,
    a_from: u64,
    b: &Stream,
    b_from: u64,
    most: u64,
) -> io::Result<Agreement> {
    let (mut a, mut b) = (a.reader(a_from)?, b.reader(b_from)?);
    let size = BLOCK.min(to_size(most));
    let (mut block_a, mut block_b) = (vec![0; size], vec![0; size]);
    let mut found = Agreement { bytes: 0, lines: 0 };
    loop {
        let wanted = to_size((most - found.bytes).min(u64::try_from(BLOCK).unwrap_or(0)));
        let had_a = fill(&mut a, block_a.get_mut(..wanted).unwrap_or_default())?;
        let had_b = fill(&mut b, block_b.get_mut(..had_a).unwrap_or_default())?;
        let both = block_a.iter().zip(&block_b).take(had_b);
        let equal = both.take_while(|(a, b)| a == b).count();
        let part = block_a.get(..equal).unwrap_or_default();
        if let Some(at) = memchr::memrchr(b'\n', part) {
            found.lines = found.bytes + u64::try_from(at).unwrap_or(0) + 1;
        }
        found.bytes += u64::try_from(equal).unwrap_or(0);
        if equal < BLOCK || found.bytes == most {
            return Ok(found);
        }
    }
}

/// Reads until a buffer is full or there is nothing more.
pub(crate) fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut had = 0;
    while let Some(rest) = buffer.get_mut(had..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => had += read,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(had)
}

/// Ranges from one place to another without those that we wrote, given by start and length.
pub(crate) fn own(from: u64, to: u64, foreign: &[(u64, u64)]) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut at = from;
    for (start, length) in foreign {
        if *start >= to {
            break;
        }
        if *start > at {
            ranges.push(at..*start);
        }
        at = at.max(start + length);
    }
    if at < to {
        ranges.push(at..to);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::file::{Access, Owners};
    use crate::logs::names::Packing;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    fn file(text: &str) -> std::result::Result<(tempfile::TempDir, Rc<LogFile>), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a");
        std::fs::write(&path, text)?;
        let file = LogFile::open(&path, Packing::Plain, Access::Read, &Owners::default())
            .map_err(|cause| format!("{cause:?}"))?;
        Ok((directory, Rc::new(file)))
    }

    #[test]
    fn a_stream_leaves_out_what_we_wrote() -> Outcome {
        let (_directory, file) = file("own1\nours\nown2\nown3")?;
        let stream = Stream { file, ranges: own(0, 19, &[(5, 5)]), newline: true };
        assert_eq!(stream.length(), 15);
        for (from, expected) in
            [(0, "own1\nown2\nown3\n"), (3, "1\nown2\nown3\n"), (5, "own2\nown3\n"), (14, "\n"), (15, "")]
        {
            let mut text = String::new();
            stream.reader(from)?.read_to_string(&mut text)?;
            assert_eq!(text, expected, "{from}");
        }
        assert_eq!((stream.in_file(0), stream.in_file(5), stream.in_file(14)), (0, 10, 19));
        Ok(())
    }

    #[test]
    fn own_ranges() {
        assert_eq!(own(0, 10, &[]), vec![0..10]);
        assert_eq!(own(2, 10, &[(2, 3), (5, 1), (8, 2), (12, 1)]), vec![6..8]);
        assert_eq!(own(4, 10, &[(2, 1), (8, 20)]), vec![4..8]);
        assert!(own(10, 10, &[(10, 5)]).is_empty());
    }

    #[test]
    fn how_far_two_agree() -> Outcome {
        let ((_a, a), (_b, b)) = (file("x\none\ntwo\nthree\n")?, file("one\ntwo\nthirty\n")?);
        let (a, b) = (Stream::of(&a, 0..16), Stream::of(&b, 0..15));
        assert_eq!(agreement(&a, 2, &b, 0, 100)?, Agreement { bytes: 10, lines: 8 });
        assert_eq!(agreement(&a, 2, &b, 0, 6)?, Agreement { bytes: 6, lines: 4 });
        assert_eq!(agreement(&a, 0, &b, 0, 100)?, Agreement { bytes: 0, lines: 0 });
        Ok(())
    }
}
