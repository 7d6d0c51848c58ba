//! Gives one copy what others wrote.
//!
//! Into a file that others append to go whole lines only, in one write, and only behind the end of a line.

use std::io::{self, Read, Seek, Write};
use std::ops::Range;
use std::path::Path;

use super::append::{Appended, Wanted, append, lines};
use super::archive::Archive;
use super::file::{Access, LogFile, Unopened, in_words};
use super::find;
use super::journal::Deed;
use super::names::Packing;
use super::plan::{Setting, beside, create};
use super::state::{CopyState, Foreign};
use super::steps::Step;
use super::stream::Stream;
use super::take::{self, cursor_at};
use super::work::{Target, reread};

/// So much is written at once into the file of a source, which others append to (bytes); the rest comes in the next run.
const AT_ONCE: u64 = 8 << 20;
/// In so many runs in a row a file may end in the middle of a line before what others write goes into one beside it.
const TORN_RUNS: u32 = 3;

impl Target<'_> {
    /// Appends ranges of the archive. Returns how much, which is less where the rest has to wait.
    pub(crate) fn send(
        &self,
        setting: &Setting<'_>,
        name: &str,
        archive: &mut Archive,
        ranges: &[Range<u64>],
        then: &mut CopyState,
        touched: &mut Vec<std::fs::File>,
    ) -> Result<Appended, String> {
        let fail = |what: &str, cause: io::Error| in_words(what, self.path, &cause);
        // Into a file beside it nobody else writes.
        let aside = then.aside && !self.is_mirror;
        let alone = self.is_mirror || aside;
        let path = if aside { beside(self.path) } else { self.path.to_path_buf() };
        let Some((file, is_new)) = open(setting, &path, alone)? else { return Ok(Appended::default()) };
        let is_same = match &then.live {
            _ if aside => true,
            Some(cursor) => {
                cursor.id == file.id
                    && file.size >= self.seen
                    && find::fits(&file, cursor).map_err(|cause| fail("read", cause))?
            }
            None => is_new,
        };
        if !is_same {
            // It was rotated or truncated since it was looked at; that is to be seen to first.
            return Ok(Appended::default());
        }
        if let Some(first) = ranges.first() {
            archive.reach(first.start).map_err(|cause| format!("cannot read the archive: {cause}"))?;
        }
        let mut total = Appended::default();
        for range in ranges {
            let streams =
                archive.range(range.clone()).map_err(|cause| format!("cannot read the archive: {cause}"))?;
            let reached: u64 = streams.iter().map(Stream::length).sum();
            if reached < range.end - range.start {
                return Err("a rotated part of the archive that it has not got yet is gone".to_owned());
            }
            let mut at = range.start;
            for stream in streams {
                if !ends_a_line(&file).map_err(|cause| fail("read", cause))? {
                    // Its writer is in the middle of a line. One that often is fills a buffer before it writes.
                    then.torn += 1;
                    then.aside = !alone && then.torn >= TORN_RUNS;
                    touched.extend(file.file().try_clone());
                    return Ok(total);
                }
                let size = file.file().metadata().map_err(|cause| fail("look at", cause))?.len();
                let ranges = vec![(at, at + stream.length())];
                let end = cursor_at(&file, size, &[]).map_err(|cause| fail("read", cause))?;
                let about = Deed::About { side: self.side.to_owned(), end, ranges };
                setting
                    .journal
                    .done(name, &about)
                    .map_err(|cause| format!("cannot write the journal: {cause}"))?;
                // So close before the write that hardly anybody comes in between.
                if !ends_a_line(&file).map_err(|cause| fail("read", cause))? {
                    touched.extend(file.file().try_clone());
                    return Ok(total);
                }
                then.torn = 0;
                let written = match alone {
                    true => pour(&file, &stream),
                    false => write_at_once(&file, &stream),
                };
                setting.steps.at(Step::Given);
                let (start, written) = match written {
                    Ok(written) => written,
                    Err(cause) => {
                        // What was written of it was taken back where that could be done; the journal tells where not.
                        let now = file.file().metadata().map_or(size, |now| now.len());
                        if alone && now > size {
                            // Only we write there.
                            let _ = file.file().set_len(size);
                        }
                        return Err(fail("append to", cause));
                    }
                };
                let length = written.bytes;
                at += length;
                then.sent = at;
                let end = cursor_at(&file, start + length, &[]).map_err(|cause| fail("read", cause))?;
                let given = Deed::Given { side: self.side.to_owned(), start, length, end, sent: at };
                // Whether it can be put into the journal or not, it is known from now on.
                if aside {
                    then.foreign_bytes += length;
                } else {
                    note(then, Some(&file), Foreign { id: file.id, start, length })
                        .map_err(|cause| fail("read", cause))?;
                }
                setting
                    .journal
                    .done(name, &given)
                    .map_err(|cause| format!("cannot write the journal: {cause}"))?;
                setting.steps.at(Step::Sent);
                total.bytes += length;
                total.lines += written.lines;
                if length < stream.length() {
                    touched.extend(file.file().try_clone());
                    return Ok(total);
                }
            }
        }
        touched.extend(file.file().try_clone());
        Ok(total)
    }
}

/// A copy's file, and whether it was made now, as one that only we write to is where it is missing.
fn open(setting: &Setting<'_>, path: &Path, alone: bool) -> Result<Option<(LogFile, bool)>, String> {
    let mut is_new = false;
    let owners = setting.around.owners(path);
    let open = || LogFile::open(path, Packing::Plain, Access::Append, &owners);
    let file = match open() {
        Err(Unopened::Missing) if alone => {
            create(setting, path)?;
            is_new = true;
            open()
        }
        Err(Unopened::Missing) => return Ok(None),
        found => found,
    };
    file.map(|file| Some((file, is_new))).map_err(|cause| cause.in_words(path))
}

pub(crate) fn ends_a_line(file: &LogFile) -> io::Result<bool> {
    let size = file.file().metadata()?.len();
    Ok(file.last_line_end(size.saturating_sub(1), size)? == size)
}

/// Into a file that only we write to, piece by piece.
fn pour(file: &LogFile, stream: &Stream) -> io::Result<(u64, Appended)> {
    let (mut written, mut runs) = (Appended::default(), Vec::new());
    append(file, stream, 0, Wanted::Nothing, &mut runs, &mut written, &mut |_, _, _| Ok(()))?;
    Ok((runs.first().map_or(0, |run| run.start), written))
}

/// Into a file that others append to: whole lines, in one write.
fn write_at_once(file: &LogFile, stream: &Stream) -> io::Result<(u64, Appended)> {
    let mut bytes = Vec::new();
    stream.reader(0)?.take(AT_ONCE).read_to_end(&mut bytes)?;
    let mut cut = memchr::memrchr(b'\n', &bytes).map_or(0, |at| at + 1);
    if cut == 0 {
        // One line that is longer than that.
        bytes.clear();
        let length = super::resume::line(stream, 0)?.unwrap_or(0);
        stream.reader(0)?.take(length).read_to_end(&mut bytes)?;
        cut = bytes.len();
    }
    let part = bytes.get(..cut).unwrap_or_default();
    if part.is_empty() {
        return Ok((file.file().metadata()?.len(), Appended::default()));
    }
    let mut target = file.file();
    let count = target.write(part)?;
    let end = target.stream_position()?;
    let length = u64::try_from(count).unwrap_or(0);
    if count < part.len() {
        // The disk is full. What was written is taken back while nobody has written behind it.
        if target.metadata()?.len() == end {
            target.set_len(end - length)?;
        }
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok((end - length, Appended { bytes: length, lines: lines(part) }))
}

/// What we wrote into a copy is not read as its own. `file` is where that lies now.
pub(crate) fn note(then: &mut CopyState, file: Option<&LogFile>, place: Foreign) -> io::Result<()> {
    if place.length == 0 {
        return Ok(());
    }
    then.foreign_bytes += place.length;
    then.foreign.push(place);
    // Where it was rotated away while we looked, the next run finds out.
    let Some(file) = file.filter(|file| file.id == place.id) else { return Ok(()) };
    let own = take::foreign_in(then, file.id);
    let offset = match &then.live {
        None => Some(0),
        Some(cursor) if cursor.id == file.id => Some(cursor.offset),
        Some(_) => None,
    };
    if let Some(offset) = offset {
        then.live = Some(cursor_at(&reread(file)?, offset, &own)?);
        take::forget_read(then);
    }
    Ok(())
}
