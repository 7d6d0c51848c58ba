//! What lies behind the end of an archive that we know: what a run that died has appended, and what others wrote.
//!
//! Invariant: behind the known end lies, in pieces, a beginning of what each source has behind its known place, and
//! whatever somebody else has appended. So every piece is either found in a source, whose place then moves on, or is the
//! archive's own. Only reads.

use std::io;

use super::file::BLOCK;
use super::stream::{Stream, agreement, fill};

/// So many equal bytes are no accident.
const STRONG: u64 = 1024;

/// One piece of what lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Bytes.
    pub(crate) length: u64,
    /// The stream it came from; none for what is the archive's own.
    pub(crate) stream: Option<usize>,
}

/// What is to be expected of one stream.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) stream: &'a Stream,
    /// The run that died read no further than this (bytes of the stream).
    pub(crate) most: u64,
}

/// Takes what lies there apart. What has no end of a line and is not the beginning of one of ours is left: it is being
/// written.
pub(crate) fn take_apart(tail: &Stream, expected: &[Expected<'_>]) -> io::Result<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut used = vec![0; expected.len()];
    let (mut at, end) = (0, tail.length());
    while at < end {
        let mut best: Option<(usize, u64)> = None;
        for (index, one) in expected.iter().enumerate() {
            let from = used.get(index).copied().unwrap_or(0);
            let most = one.most.saturating_sub(from).min(end - at);
            let found = agreement(tail, at, one.stream, from, most)?;
            // In the middle only whole lines are ours; at the end a line may have been cut off.
            let length = if at + found.bytes == end { found.bytes } else { found.lines };
            if length > best.map_or(0, |(_, length)| length) {
                best = Some((index, length));
            }
        }
        let piece = match best {
            Some((index, length)) => {
                if let Some(used) = used.get_mut(index) {
                    *used += length;
                }
                Piece { length, stream: Some(index) }
            }
            None => match line(tail, at)? {
                Some(length) => Piece { length, stream: None },
                None => break,
            },
        };
        at += piece.length;
        match pieces.last_mut() {
            Some(last) if last.stream == piece.stream => last.length += piece.length,
            _ => pieces.push(piece),
        }
    }
    Ok(pieces)
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

/// Where a block that we were about to append to a source's file lies behind `from`: its start, and how much of it is
/// there. It was written at once, so all of it is there, or it was cut off at the end of the file: in the middle of a
/// line, or after more than an accident could have made.
pub(crate) fn find_block(tail: &Stream, from: u64, block: &Stream) -> io::Result<Option<(u64, u64)>> {
    let (mut at, end) = (from, tail.length());
    while at < end {
        let found = agreement(tail, at, block, 0, block.length().min(end - at))?;
        let is_whole = found.bytes == block.length();
        let is_cut = at + found.bytes == end && (found.bytes > found.lines || found.bytes >= STRONG);
        if is_whole || is_cut {
            return Ok(Some((at, found.bytes)));
        }
        match line(tail, at)? {
            Some(length) => at += length,
            None => break,
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::file::{Access, LogFile, Owners};
    use crate::logs::names::Packing;
    use std::rc::Rc;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    fn stream(directory: &std::path::Path, name: &str, text: &str) -> Result<Stream, Box<dyn std::error::Error>> {
        let path = directory.join(name);
        std::fs::write(&path, text)?;
        let file = LogFile::open(&path, Packing::Plain, Access::Read, &Owners::default())
            .map_err(|cause| format!("{cause:?}"))?;
        let size = file.size;
        Ok(Stream::of(&Rc::new(file), 0..size))
    }

    #[test]
    fn what_lies_behind_the_end() -> Outcome {
        let directory = tempfile::tempdir()?;
        for (tail, sources, expected) in [
            ("", vec!["a\n"], vec![]),
            ("a\nb\n", vec!["a\nb\nc\n"], vec![(4, Some(0))]),
            // Cut off in the middle of a line.
            ("a\nlo", vec!["a\nlong\n"], vec![(4, Some(0))]),
            // Others wrote before and behind.
            ("x\na\nb\ny\n", vec!["a\nb\n"], vec![(2, None), (4, Some(0)), (2, None)]),
            ("a\nb\n1\n2\n", vec!["a\nb\nc\n", "1\n2\n"], vec![(4, Some(0)), (4, Some(1))]),
            // Late lines of another file came in between.
            ("l\n", vec!["late\n", "l\nm\n"], vec![(2, Some(1))]),
            // Both begin alike: the one that goes on longer.
            ("x\nb\nx\na\n", vec!["x\na\n", "x\nb\n"], vec![(4, Some(1)), (4, Some(0))]),
            // Somebody is writing.
            ("a\nnot yet", vec!["a\nb\n"], vec![(2, Some(0))]),
            ("not yet", vec!["a\n"], vec![]),
        ] {
            let tail = stream(directory.path(), "tail", tail)?;
            let sources = sources
                .iter()
                .enumerate()
                .map(|(n, text)| stream(directory.path(), &format!("source{n}"), text))
                .collect::<Result<Vec<_>, _>>()?;
            let all: Vec<Expected<'_>> =
                sources.iter().map(|stream| Expected { stream, most: stream.length() }).collect();
            let found: Vec<_> =
                take_apart(&tail, &all)?.into_iter().map(|piece| (piece.length, piece.stream)).collect();
            assert_eq!(found, expected);
        }
        Ok(())
    }

    #[test]
    fn no_further_than_was_read() -> Outcome {
        let directory = tempfile::tempdir()?;
        let (tail, a, b) = (
            stream(directory.path(), "tail", "own\nfrom b\n")?,
            stream(directory.path(), "a", "own\nfrom b\n")?,
            stream(directory.path(), "b", "from b\n")?,
        );
        // What we wrote into a is no line of a's own.
        let expected = [Expected { stream: &a, most: 4 }, Expected { stream: &b, most: 7 }];
        let found = take_apart(&tail, &expected)?;
        assert_eq!(found, [Piece { length: 4, stream: Some(0) }, Piece { length: 7, stream: Some(1) }]);
        Ok(())
    }

    #[test]
    fn where_a_block_lies() -> Outcome {
        let directory = tempfile::tempdir()?;
        for (tail, from, block, expected) in [
            ("own\nblock\nof two\n", 0, "block\nof two\n", Some((4, 13))),
            ("own\nblo", 0, "block\n", Some((4, 3))),
            ("own\n", 0, "block\n", None),
            ("block\nown\n", 6, "block\n", None),
            // Its owner wrote one of the lines as well.
            ("own\nblock\nmore\n", 0, "block\nof two\n", None),
            ("block\nblock\nof two\nmore\n", 0, "block\nof two\n", Some((6, 13))),
        ] {
            let (tail, block) =
                (stream(directory.path(), "tail", tail)?, stream(directory.path(), "block", block)?);
            assert_eq!(find_block(&tail, from, &block)?, expected);
        }
        Ok(())
    }
}
