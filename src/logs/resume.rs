//! Where in a file something lies that a run that died was about to write there. Only reads.

use std::io;

use super::file::BLOCK;
use super::stream::{Stream, agreement, fill};

/// So many equal bytes are no accident.
const STRONG: u64 = 1024;

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

/// Where a block that we were about to append to a copy's file lies behind `from`: its start, and how much of it is
/// there. It was written at once, so all of it is there, or it was cut off: then it is found at the end of the file, after
/// more than an accident could have made, or right at `from` with whole lines.
pub(crate) fn find_block(tail: &Stream, from: u64, block: &Stream) -> io::Result<Option<(u64, u64)>> {
    let (mut at, end) = (from, tail.length());
    let mut begun = None;
    while at < end {
        let found = agreement(tail, at, block, 0, block.length().min(end - at))?;
        let is_whole = found.bytes == block.length();
        let is_cut = at + found.bytes == end && (found.lines > 0 || found.bytes >= STRONG);
        if is_whole || is_cut {
            return Ok(Some((at, found.bytes)));
        }
        if at == from && found.lines > 0 {
            begun = Some((at, found.lines));
        }
        match line(tail, at)? {
            Some(length) => at += length,
            None => break,
        }
    }
    Ok(begun)
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
    fn where_a_block_lies() -> Outcome {
        let directory = tempfile::tempdir()?;
        for (tail, from, block, expected) in [
            ("own\nblock\nof two\n", 0, "block\nof two\n", Some((4, 13))),
            ("own\nblock\nof", 0, "block\nof two\n", Some((4, 8))),
            // So little may be the beginning of somebody else's line.
            ("own\nblo", 0, "block\n", None),
            // Cut off, and its owner went on.
            ("block\nof own\n", 0, "block\nof two\n", Some((0, 6))),
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
