//! Finds out by content what of a copy's files the archive lacks.
//!
//! Apart from `take`, which knows up to where they were read, and from `against`, which knows what the archive has.

use std::io;
use std::ops::Range;
use std::rc::Rc;

use super::against::Against;
use super::align::Trust;
use super::archive::is_packed;
use super::broken::leave;
use super::file::LogFile;
use super::state::Watched;
use super::stream::Stream;
use super::take::{Taken, cursor_at};
use crate::durable::lease::{self, Held};

/// One file of the copy.
pub(crate) struct Part<'a> {
    file: &'a Rc<LogFile>,
    /// Whether nobody has it open, and it is not the live one.
    is_final: bool,
    /// All of its lines.
    pub(crate) stream: Stream,
    pub(crate) end: u64,
}

impl Part<'_> {
    /// What of it lies in ranges that are counted from elsewhere, where it begins at `begin`.
    pub(crate) fn missing(&self, begin: u64, all: &[Range<u64>]) -> Option<Stream> {
        let mut found = Stream { ranges: Vec::new(), newline: false, ..self.stream.clone() };
        for range in all {
            let from = range.start.saturating_sub(begin);
            let to = range.end.saturating_sub(begin).min(self.stream.length());
            // The newline that it gets from us lies behind its end.
            if from < to.min(self.end) {
                found.ranges.push(from..to.min(self.end));
            }
            found.newline |= self.stream.newline && from <= self.end && to > self.end;
        }
        (found.length() > 0).then_some(found)
    }
}

/// Takes what the archive lacks.
pub(crate) fn adopt(
    rotated: &[Rc<LogFile>],
    live: Option<&Rc<LogFile>>,
    trust: Trust,
    archive: &mut Against<'_>,
    taken: &mut Taken,
) -> io::Result<()> {
    let mut parts = Vec::new();
    for file in rotated {
        match part(file, is_packed(file) || lease::held(file.file()) == Held::No) {
            Ok(part) => parts.push(part),
            Err(cause) if is_packed(file) => leave(file, &cause, taken),
            Err(cause) => return Err(cause),
        }
    }
    if let Some(live) = live {
        parts.push(part(live, false)?);
    }
    let source: Vec<Stream> = parts.iter().map(|part| part.stream.clone()).collect();
    let found = archive.align(&source, trust)?;
    let is_empty = source.iter().all(|stream| stream.length() == 0);
    taken.adopted = (trust == Trust::Adopted && !is_empty).then_some((found.relation, found.place));
    let missing: u64 = found.missing.iter().map(|range| range.end - range.start).sum();
    taken.common = source.iter().map(Stream::length).sum::<u64>().saturating_sub(missing);
    taken.then.weak = found.weak;
    taken.is_aligned = true;
    let mut begin = 0;
    for part in parts {
        taken.streams.extend(part.missing(begin, &found.missing));
        begin += part.stream.length();
        if live.is_some_and(|live| Rc::ptr_eq(live, part.file)) {
            taken.then.live = Some(cursor_at(part.file, part.end, &[])?);
        } else if !is_packed(part.file) {
            let cursor = cursor_at(part.file, part.end, &[])?;
            let size = if part.is_final { part.end } else { part.file.size };
            taken.then.watched.push(Watched { cursor, size, quiet: 0, closed: part.is_final });
        }
    }
    if live.is_none() {
        taken.then.live = None;
    }
    Ok(())
}

/// The lines of a file; of one that nobody has open also the last one, when it has no end.
pub(crate) fn part(file: &Rc<LogFile>, is_final: bool) -> io::Result<Part<'_>> {
    let end = if is_final { file.length()? } else { file.last_line_end(0, file.size)? };
    let newline = is_final && end > 0 && !file.ends_a_line(end)?;
    let stream = Stream { newline, ..Stream::of(file, 0..end) };
    Ok(Part { file, is_final, stream, end })
}
