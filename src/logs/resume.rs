//! Where in a file something lies that a run that died was about to write there. Only reads.

use std::io;

use super::file::BLOCK;
use super::stream::{Agreement, Stream, agreement, fill};

/// A write that is stopped, by a signal or a full disk, has written whole pages (bytes).
const PAGE: u64 = 4096;
/// Fewer bytes than these are how lines of a log begin (bytes).
pub(crate) const SAME: u64 = 64;

/// A block that was about to be written.
pub(crate) struct Block<'a> {
    pub(crate) stream: &'a Stream,
    /// Where in the stream it begins.
    pub(crate) from: u64,
    pub(crate) length: u64,
    /// The place of the file at which it is looked for.
    pub(crate) in_file: u64,
}

impl Block<'_> {
    /// How much of it lies at a place of a tail: all of it, or as much as can have been written before it was stopped.
    pub(crate) fn found_at(&self, tail: &Stream, at: u64) -> io::Result<Agreement> {
        let rest = tail.length() - at;
        let equal = agreement(tail, at, self.stream, self.from, self.length.min(rest))?;
        if equal.bytes == self.length {
            return Ok(Agreement { bytes: self.length, lines: self.length });
        }
        // Behind the page at which it was stopped somebody may have gone on with the same few bytes.
        let excess = (self.in_file + equal.bytes) % PAGE;
        let bytes = equal.bytes.saturating_sub(excess);
        let is_line = equal.lines > 0 && equal.lines <= bytes;
        let nothing = Agreement { bytes: 0, lines: 0 };
        // How a line begins may be how every line of this log begins.
        if excess >= SAME || !(is_line || bytes >= SAME) {
            return Ok(nothing);
        }
        Ok(Agreement { bytes, lines: if is_line { equal.lines } else { 0 } })
    }
}

/// How much of what agrees at a place is ours for sure, where any part of it may have come to disk and somebody may have
/// gone on behind it: his line may begin as ours does, and one short line may be his.
pub(crate) fn sure(same: Agreement) -> u64 {
    match same.bytes - same.lines >= SAME {
        true => same.bytes,
        false if same.lines >= SAME => same.lines,
        false => 0,
    }
}

/// The length of the line at a place; none when it has no end.
pub(crate) fn line(stream: &Stream, from: u64) -> io::Result<Option<u64>> {
    let mut reader = stream.reader(from)?;
    let mut block = vec![0; BLOCK.min(1 << 16)];
    let mut passed = 0;
    loop {
        let had = fill(&mut reader, &mut block)?;
        let part = block.get(..had).unwrap_or_default();
        if let Some(at) = memchr::memchr(b'\n', part) {
            return Ok(Some(passed + u64::try_from(at).unwrap_or(0) + 1));
        }
        if had < block.len() {
            return Ok(None);
        }
        passed += u64::try_from(had).unwrap_or(0);
    }
}

/// Where the line begins that has a byte before a place; the place itself where a line ends there.
pub(crate) fn line_begin(stream: &Stream, place: u64) -> io::Result<u64> {
    let before = stream.first(place);
    let mut reader = before.reader(0)?;
    let mut block = vec![0; BLOCK.min(1 << 16)];
    let (mut passed, mut begin) = (0, 0);
    loop {
        let had = fill(&mut reader, &mut block)?;
        let part = block.get(..had).unwrap_or_default();
        if let Some(at) = memchr::memrchr(b'\n', part) {
            begin = passed + u64::try_from(at).unwrap_or(0) + 1;
        }
        if had < block.len() {
            return Ok(begin);
        }
        passed += u64::try_from(had).unwrap_or(0);
    }
}

/// What a copy's file has of a block that we were about to append to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lies {
    /// Where in the file it begins.
    pub(crate) start: u64,
    /// How much of it is there.
    pub(crate) length: u64,
    /// Bytes behind that of which not all came to disk: NULs, and what of the block lies between them.
    pub(crate) nothing: u64,
}

/// Where a block that we were about to append to a copy's file lies behind `from`. `alone` says that nobody else writes to it, so that a beginning of the block at its end is ours however long.
pub(crate) fn find_block(tail: &Stream, from: u64, block: &Stream, alone: bool) -> io::Result<Option<Lies>> {
    let (mut at, end) = (from, tail.length());
    while at < end {
        let whole = Block { stream: block, from: 0, length: block.length(), in_file: at };
        // What was cut off in the midst of a line is ours to the last byte, whatever its owner has written behind it.
        let found = if alone {
            agreement(tail, at, block, 0, block.length().min(end - at))?.bytes
        } else {
            whole.found_at(tail, at)?.bytes
        };
        if found > 0 {
            return Ok(Some(Lies { start: at, length: found, nothing: 0 }));
        }
        match line(tail, at)? {
            Some(length) => at += length,
            None => break,
        }
    }
    Ok(None)
}

/// The same where any part of the block may not have come to disk.
pub(crate) fn find_ruined(tail: &Stream, from: u64, block: &Stream, alone: bool) -> io::Result<Option<Lies>> {
    let (mut at, end) = (from, tail.length());
    while at < end {
        let same = agreement(tail, at, block, 0, block.length().min(end - at))?;
        let nothing = ruin(tail, at, block, same.bytes)?;
        let all = same.bytes == block.length() || alone || (nothing > 0 && at == from);
        // It may be that only the process was stopped.
        let whole = Block { stream: block, from: 0, length: block.length(), in_file: at };
        let length = if all { same.bytes } else { sure(same).max(whole.found_at(tail, at)?.bytes) };
        if length > 0 || (nothing > 0 && all) {
            let nothing = if length == same.bytes { nothing } else { 0 };
            return Ok(Some(Lies { start: at, length, nothing }));
        }
        match line(tail, at)? {
            Some(length) => at += length,
            None => break,
        }
    }
    Ok(None)
}

/// How many bytes behind the first ones of a block lie in the place of what did not come to disk.
fn ruin(tail: &Stream, at: u64, block: &Stream, from: u64) -> io::Result<u64> {
    let mut place = from;
    while place < block.length() {
        let nothing = tail.nothing(at + place)?.min(block.length() - place);
        if nothing == 0 {
            break;
        }
        place += nothing;
        let rest = (block.length() - place).min(tail.length().saturating_sub(at + place));
        place += agreement(tail, at + place, block, place, rest)?.bytes;
    }
    Ok(place - from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::file::{Access, LogFile, Owners};
    use crate::logs::names::Packing;
    use std::rc::Rc;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    fn stream(
        directory: &std::path::Path,
        name: &str,
        text: &str,
    ) -> Result<Stream, Box<dyn std::error::Error>> {
        let path = directory.join(name);
        std::fs::write(&path, text)?;
        let file = LogFile::open(&path, Packing::Plain, Access::Read, &Owners::default())
            .map_err(|cause| format!("{cause:?}"))?;
        let size = file.size;
        Ok(Stream::of(&Rc::new(file), 0..size))
    }

    #[test]
    fn where_a_line_begins() -> Outcome {
        let directory = tempfile::tempdir()?;
        let long = format!("a\n{}\nb", "x".repeat(200_000));
        let long = stream(directory.path(), "long", &long)?;
        for (place, expected) in
            [(0, 0), (1, 0), (2, 2), (3, 2), (200_002, 2), (200_003, 200_003), (200_004, 200_003)]
        {
            assert_eq!(line_begin(&long, place)?, expected, "{place}");
        }
        Ok(())
    }

    #[test]
    fn where_a_block_lies() -> Outcome {
        let directory = tempfile::tempdir()?;
        // Fills a page but for so many bytes.
        let page = |less: usize| format!("{}\n", "x".repeat(4095 - less));
        for (tail, from, block, alone, expected) in [
            ("own\nblock\nof two\n".to_owned(), 0, "block\nof two\n", false, Some((4, 13))),
            // So little is the beginning of somebody else's line.
            ("own\nblock\nof".to_owned(), 0, "block\nof two\n", false, None),
            ("own\nblo".to_owned(), 0, "block\n", false, None),
            // But where nobody else writes.
            ("own\nblo".to_owned(), 4, "block\n", true, Some((4, 3))),
            // Stopped at the end of a page, and whether somebody has written behind it.
            (page(8) + "block\nof", 0, "block\nof two\n", false, Some((4088, 8))),
            (page(8) + "block\nofown\n", 0, "block\nof two\n", false, Some((4088, 8))),
            ("own\n".to_owned(), 0, "block\n", false, None),
            ("block\nown\n".to_owned(), 6, "block\n", false, None),
            // Its owner wrote one of the lines as well.
            ("own\nblock\nmore\n".to_owned(), 0, "block\nof two\n", false, None),
            ("block\nblock\nof two\nmore\n".to_owned(), 0, "block\nof two\n", false, Some((6, 13))),
        ] {
            let (tail, block) =
                (stream(directory.path(), "tail", &tail)?, stream(directory.path(), "block", block)?);
            let found = find_block(&tail, from, &block, alone)?.map(|lies| (lies.start, lies.length));
            assert_eq!(found, expected);
        }
        Ok(())
    }

    #[test]
    fn where_a_block_lies_of_which_not_all_came_to_disk() -> Outcome {
        let directory = tempfile::tempdir()?;
        let line = |letter: &str| format!("{}\n", letter.repeat(79));
        let nul = |bytes: usize| "\0".repeat(bytes);
        let block = line("a") + &line("b");
        for (tail, alone, expected) in [
            ("own\n".to_owned() + &block, false, Some((4, 160, 0))),
            (line("a"), false, Some((0, 80, 0))),
            (line("a") + "own\n", false, Some((0, 80, 0))),
            // How a line begins may be how somebody else's does.
            (line("a") + "bbown\n", false, Some((0, 80, 0))),
            (line("a") + "bbown\n", true, Some((0, 82, 0))),
            ("aaa".to_owned(), false, None),
            ("aaa".to_owned(), true, Some((0, 3, 0))),
            // Only its size came to disk, or a part of it.
            (nul(160), false, Some((0, 0, 160))),
            (nul(160) + "own\n", false, Some((0, 0, 160))),
            (line("a") + &nul(9), false, Some((0, 80, 9))),
            (nul(80) + &line("b") + "own\n", false, Some((0, 0, 160))),
            ("own\n".to_owned() + &nul(9), false, None),
        ] {
            let (file, block) =
                (stream(directory.path(), "tail", &tail)?, stream(directory.path(), "block", &block)?);
            let found = find_ruined(&file, 0, &block, alone)?;
            let found = found.map(|lies| (lies.start, lies.length, lies.nothing));
            assert_eq!(found, expected, "{tail:?}");
        }
        Ok(())
    }
}
