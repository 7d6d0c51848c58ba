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
use super::plan::{Setting, beside, create, is_quiet};
use super::state::{CopyState, Foreign};
use super::steps::Step;
use super::stream::Stream;
use super::take::{self, cursor_at};
use super::work::{Target, reread};

/// So much is written at once into the file of a source, which others append to (bytes); the rest comes in the next run.
const AT_ONCE: u64 = 8 << 20;
/// In so many runs in a row a file may end in the middle of a line before what others write goes into one beside it.
const TORN_RUNS: u32 = 3;

/// What came of it for one copy.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Bytes that it got,
    pub(crate) bytes: u64,
    /// and lines.
    pub(crate) lines: u64,
    /// Bytes of the archive that it still lacks.
    pub(crate) lacks: u64,
    /// What people should know.
    pub(crate) told: Vec<String>,
}

impl Target<'_> {
    /// Appends ranges of the archive, or as many of them as can be given now.
    pub(crate) fn send(
        &self,
        setting: &Setting<'_>,
        name: &str,
        archive: &mut Archive,
        ranges: &[Range<u64>],
        then: &mut CopyState,
        touched: &mut Vec<std::fs::File>,
    ) -> Result<Sent, String> {
        let lacks = |ranges: &[Range<u64>]| ranges.iter().map(|range| range.end - range.start).sum();
        let mut sent = Sent { lacks: lacks(ranges), ..Sent::default() };
        // Into a file beside it nobody else writes.
        let aside = then.aside && !self.is_mirror;
        let alone = self.is_mirror || aside;
        let path = if aside { beside(self.path) } else { self.path.to_path_buf() };
        let Some((file, is_new)) = open(setting, &path, alone)? else { return Ok(sent) };
        if !aside && !self.is_same(&file, is_new, then)? {
            // It was rotated or truncated since it was looked at; that is to be seen to first.
            return Ok(sent);
        }
        let ranges = there(archive, ranges, &mut sent.told)?;
        sent.lacks = lacks(&ranges);
        touched.extend(file.file().try_clone());
        let giving = Giving { setting, name, side: self.side, file: &file, alone, aside };
        for range in ranges {
            let streams = lines_of(archive, range.clone()).map_err(|cause| unread(&cause))?;
            for (at, stream) in streams {
                if !giving.has_room(self, then, &mut sent.told)?
                    || !giving.give(at, &stream, then, &mut sent)?
                {
                    return Ok(sent);
                }
            }
        }
        Ok(sent)
    }

    /// Whether its file is the one that was looked at.
    fn is_same(&self, file: &LogFile, is_new: bool, then: &CopyState) -> Result<bool, String> {
        let Some(cursor) = &then.live else { return Ok(is_new) };
        let is_it = cursor.id == file.id && file.size >= self.seen;
        Ok(is_it && find::fits(file, cursor).map_err(|cause| in_words("read", self.path, &cause))?)
    }
}

fn unread(cause: &io::Error) -> String {
    format!("cannot read the archive: {cause}")
}

/// Those of the ranges that lie in what there is of the archive. What was in a rotated file that is gone cannot be given to
/// anybody any more, and what is there does not wait for it; what may only be hidden is waited for.
fn there(
    archive: &mut Archive,
    ranges: &[Range<u64>],
    told: &mut Vec<String>,
) -> Result<Vec<Range<u64>>, String> {
    let Some(first) = ranges.first() else { return Ok(Vec::new()) };
    archive.reach(first.start).map_err(|cause| unread(&cause))?;
    let begin = archive.begin();
    if first.start >= begin {
        return Ok(ranges.to_vec());
    }
    if let Some(hidden) = &archive.hidden {
        return Err(format!(
            "it has not got yet what lies in a rotated file of the archive that is not there: {hidden}"
        ));
    }
    let left = ranges.iter().filter(|range| range.end > begin);
    let left: Vec<_> = left.map(|range| range.start.max(begin)..range.end).collect();
    let all = |ranges: &[Range<u64>]| ranges.iter().map(|range| range.end - range.start).sum::<u64>();
    told.push(format!(
        "{} bytes that it had not got yet are gone with a rotated file of the archive, and it will not get them; it goes on with what is there. If you have that file, append its lines to the archive",
        all(ranges) - all(&left)
    ));
    Ok(left)
}

/// A range of the archive, as one stream for each segment that has a part of it, each with where in the archive it begins.
/// What ends in the midst of a line, as whoever rotated the archive was quicker than who wrote it, gets an end from us, so
/// that nothing is glued to it.
pub(crate) fn lines_of(archive: &Archive, range: Range<u64>) -> io::Result<Vec<(u64, Stream)>> {
    let (mut at, mut streams) = (range.start, Vec::new());
    for mut stream in archive.range(range)? {
        let length = stream.length();
        let end = stream.ranges.last().map_or(0, |range| range.end);
        stream.newline = !stream.file.ends_a_line(end)?;
        streams.push((at, stream));
        at += length;
    }
    Ok(streams)
}

/// A file that gets something.
struct Giving<'a, 's> {
    setting: &'a Setting<'s>,
    name: &'a str,
    side: &'a str,
    file: &'a LogFile,
    /// Whether nobody else writes to it.
    alone: bool,
    /// Whether it is the one beside a source's own.
    aside: bool,
}

impl Giving<'_, '_> {
    fn fail(&self, what: &str, cause: &io::Error) -> String {
        in_words(what, &self.file.path, cause)
    }

    fn size(&self) -> Result<u64, String> {
        Ok(self.file.file().metadata().map_err(|cause| self.fail("look at", &cause))?.len())
    }

    fn ends_a_line(&self, size: u64) -> Result<bool, String> {
        self.file.ends_a_line(size).map_err(|cause| self.fail("read", &cause))
    }

    fn write_down(&self, deed: &Deed) -> Result<(), String> {
        let written = self.setting.journal.done(self.name, deed);
        written.map_err(|cause| format!("cannot write the journal: {cause}"))
    }

    /// Whether its last line has an end. Where that is missing, and nobody else should write there, it gets one once it was
    /// quiet: the line is whose it was, and so is its end. Where its writer is in the middle of a line, he is waited for; one
    /// that often is fills a buffer before he writes, and what others write goes into a file beside his.
    fn has_room(
        &self,
        target: &Target<'_>,
        then: &mut CopyState,
        told: &mut Vec<String>,
    ) -> Result<bool, String> {
        if self.ends_a_line(self.size()?)? {
            return Ok(true);
        }
        let path = self.file.path.display();
        if self.alone {
            let quiet = is_quiet(self.file);
            match quiet {
                true => self.file.file().write_all(b"\n").map_err(|cause| self.fail("append to", &cause))?,
                false => told.push(format!(
                    "the last line of {path} has no end, though nobody else should write there: what others wrote waits until it was quiet for a minute; then the line gets its end"
                )),
            }
            return Ok(quiet);
        }
        then.torn += 1;
        then.aside = then.torn >= TORN_RUNS;
        if then.aside {
            told.push(format!(
                "the last line of {path} had no end in {TORN_RUNS} runs on end; what others write goes into {} from now on",
                beside(target.path).display()
            ));
        } else if then.torn > 1 {
            told.push(format!("the last line of {path} has no end again: what others wrote waits for that"));
        }
        Ok(false)
    }

    /// Appends what lies at a place of the archive; whether all of it.
    fn give(&self, at: u64, stream: &Stream, then: &mut CopyState, sent: &mut Sent) -> Result<bool, String> {
        let size = self.size()?;
        // The end that its last line may get from us is not in the archive.
        let length = stream.length() - u64::from(stream.newline);
        let end = cursor_at(self.file, size, &[]).map_err(|cause| self.fail("read", &cause))?;
        self.write_down(&Deed::About { side: self.side.to_owned(), end, ranges: vec![(at, at + length)] })?;
        // So close before the write that hardly anybody comes in between.
        if !self.ends_a_line(self.size()?)? {
            return Ok(false);
        }
        then.torn = 0;
        let written = match self.alone {
            true => pour(self.file, stream),
            false => write_at_once(self.file, stream),
        };
        self.setting.steps.at(Step::Given);
        let (start, written) = written.map_err(|cause| {
            // What was written of it was taken back where that could be done; the journal tells where not.
            if self.alone && self.size().is_ok_and(|now| now > size) {
                // Only we write there.
                let _ = self.file.file().set_len(size);
            }
            self.fail("append to", &cause)
        })?;
        let passed = written.bytes.min(length);
        then.sent = at + passed;
        let deed = self.gave(start, written.bytes, then)?;
        self.write_down(&deed)?;
        self.setting.steps.at(Step::Sent);
        sent.bytes += written.bytes;
        sent.lines += written.lines;
        sent.lacks -= passed;
        Ok(written.bytes == stream.length())
    }

    /// Keeps in mind what it got: whether that can be put into the journal or not, it is known from now on.
    fn gave(&self, start: u64, length: u64, then: &mut CopyState) -> Result<Deed, String> {
        let fail = |cause: io::Error| self.fail("read", &cause);
        let end = cursor_at(self.file, start + length, &[]).map_err(fail)?;
        let given = Deed::Given { side: self.side.to_owned(), start, length, end, sent: then.sent };
        if self.aside {
            then.foreign_bytes += length;
            then.beside = start + length;
        } else {
            note(then, Some(self.file), Foreign { id: self.file.id, start, length }).map_err(fail)?;
        }
        Ok(given)
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
