//! The lines of a file, one at a time, in bounded memory whatever the file holds.
//!
//! A line that is longer than any event is read through, and counts, but is not kept. Apart from `line`, which says what one
//! means.

use std::io::{self, BufRead, BufReader, Read};

use sha2::{Digest, Sha256};

use super::line;
use crate::hex::hex;
use crate::interrupt;

/// A longer line is no event (bytes).
pub(super) const MAX_LINE: usize = 1 << 20;
/// Read at once (bytes).
const BLOCK: usize = 1 << 16;

/// One line, without its newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// None where it is longer than any event.
    pub(super) text: Option<&'a [u8]>,
    /// Of all of it.
    pub(super) digest: String,
    /// With its newline.
    pub(super) bytes: u64,
    pub(super) has_end: bool,
}

/// Where they come from.
#[derive(Debug)]
pub(super) struct Lines<R> {
    from: BufReader<R>,
    text: Vec<u8>,
}

impl<R: Read> Lines<R> {
    pub(super) fn of(from: R) -> Lines<R> {
        Lines { from: BufReader::with_capacity(BLOCK, from), text: Vec::new() }
    }

    /// The next one; none at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        if interrupt::is_worth_a_look() {
            interrupt::check_io()?;
        }
        self.text.clear();
        let most = u64::try_from(MAX_LINE + 1).unwrap_or(u64::MAX);
        let read = (&mut self.from).take(most).read_until(b'\n', &mut self.text)?;
        if read == 0 {
            return Ok(None);
        }
        let mut bytes = u64::try_from(read).unwrap_or(u64::MAX);
        let mut has_end = self.text.last() == Some(&b'\n');
        if has_end || self.text.len() <= MAX_LINE {
            let text = self.text.strip_suffix(b"\n").unwrap_or(&self.text);
            return Ok(Some(Line { text: Some(text), digest: line::digest(text), bytes, has_end }));
        }
        let mut digest = Sha256::new();
        digest.update(&self.text);
        has_end = self.pass(&mut digest, &mut bytes)?;
        Ok(Some(Line { text: None, digest: hex(&digest.finalize()), bytes, has_end }))
    }

    /// Reads the rest of a line; whether it ends.
    fn pass(&mut self, digest: &mut Sha256, bytes: &mut u64) -> io::Result<bool> {
        loop {
            interrupt::check_io()?;
            let block = self.from.fill_buf()?;
            if block.is_empty() {
                return Ok(false);
            }
            let end = memchr::memchr(b'\n', block);
            let text = block.get(..end.unwrap_or(block.len())).unwrap_or_default();
            digest.update(text);
            let used = text.len() + usize::from(end.is_some());
            *bytes += u64::try_from(used).unwrap_or(0);
            self.from.consume(used);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_and_longer_ones_are_counted_and_not_kept() -> io::Result<()> {
        let long = vec![b'x'; MAX_LINE + 70_000];
        let most = vec![b'y'; MAX_LINE];
        let parts: [&[u8]; 5] = [b"a", b"", &most, &long, b"end"];
        let whole = parts.join(&b'\n');
        let mut lines = Lines::of(whole.as_slice());
        for (number, part) in parts.iter().enumerate() {
            let line = lines.next()?.ok_or_else(|| io::Error::other("no line"))?;
            let is_last = number + 1 == parts.len();
            assert_eq!(line.text, (part.len() <= MAX_LINE).then_some(*part), "{number}");
            assert_eq!(line.digest, line::digest(part), "{number}");
            let length = part.len() + usize::from(!is_last);
            assert_eq!(
                (line.bytes, line.has_end),
                (u64::try_from(length).unwrap_or(0), !is_last),
                "{number}"
            );
        }
        assert_eq!(lines.next()?, None);
        Ok(())
    }
}
