//! Finds out by content what of a copy's files the archive lacks.
//!
//! Apart from `take`, which knows up to where they were read, and from `against`, which knows what the archive has.

use std::io;
use std::ops::Range;
use std::rc::Rc;

use super::against::Against;
use super::align::Trust;
use super::archive::is_packed;
use super::file::{FileId, LogFile, in_words};
use super::state::{Broken, Watched};
use super::stream::Stream;
use super::take::{Taken, cursor_at};
use crate::durable::lease::{self, Held};

/// One file of the copy.
struct Part<'a> {
    file: &'a Rc<LogFile>,
    /// Whether nobody has it open, and it is not the live one.
    is_final: bool,
    /// All of its lines.
    stream: Stream,
    end: u64,
}

impl Part<'_> {
    /// What of it lies in ranges that are counted from elsewhere, where it begins at `begin`.
    fn missing(&self, begin: u64, all: &[Range<u64>]) -> Option<Stream> {
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

/// Leaves a file that cannot be unpacked, keeps it in mind and tells of it.
fn leave(file: &LogFile, cause: &io::Error, taken: &mut Taken) {
    keep(
        Broken {
            path: file.path.clone(),
            id: file.id,
            size: file.size,
            written: i64::try_from(file.written).unwrap_or(i64::MAX),
            why: in_words("unpack", &file.path, cause),
        },
        taken,
    );
}

fn keep(broken: Broken, taken: &mut Taken) {
    taken.warnings.push(broken.told());
    taken.then.broken.push(broken);
}

impl Broken {
    /// What people have to know.
    pub(crate) fn told(&self) -> String {
        format!(
            "{}; its lines are not in the archive, unless another copy has them. Put a whole one in its place, or move it away",
            self.why
        )
    }

    /// The file as it lies there now, whatever it is called, or what was put in its place.
    pub(crate) fn now<'a>(&self, rotated: &'a [Rc<LogFile>]) -> Option<&'a Rc<LogFile>> {
        let same = rotated.iter().find(|file| file.id == self.id);
        same.or_else(|| rotated.iter().find(|file| file.path == self.path))
    }
}

/// Looks again at what could not be unpacked; from what is whole now it takes what the archive lacks. Returns which files
/// those are, whose lines are all taken.
pub(crate) fn again(
    rotated: &[Rc<LogFile>],
    archive: &mut Against<'_>,
    taken: &mut Taken,
) -> io::Result<Vec<FileId>> {
    let mut done = Vec::new();
    for broken in std::mem::take(&mut taken.then.broken) {
        let Some(file) = broken.now(rotated) else { continue };
        let is_same =
            (file.id, file.size, file.written) == (broken.id, broken.size, i128::from(broken.written));
        if is_same && file.path == broken.path {
            keep(broken, taken);
            continue;
        }
        let part = match part(file, true) {
            Ok(part) => part,
            Err(cause) if is_packed(file) => {
                leave(file, &cause, taken);
                continue;
            }
            Err(cause) => return Err(cause),
        };
        let found = archive.align(std::slice::from_ref(&part.stream), Trust::Adopted)?;
        taken.streams.extend(part.missing(0, &found.missing));
        taken.is_aligned = true;
        done.push(file.id);
    }
    Ok(done)
}

/// The lines of a file; of one that nobody has open also the last one, when it has no end.
fn part(file: &Rc<LogFile>, is_final: bool) -> io::Result<Part<'_>> {
    let end = if is_final { file.length()? } else { file.last_line_end(0, file.size)? };
    let newline = is_final && end > 0 && !file.ends_a_line(end)?;
    let stream = Stream { newline, ..Stream::of(file, 0..end) };
    Ok(Part { file, is_final, stream, end })
}
