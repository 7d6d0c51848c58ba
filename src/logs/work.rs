//! Carries out what is planned for one log: appends to the archive, and gives every copy what others wrote.
//!
//! Every deed goes into the journal as soon as it is done, so that a run that dies here is finished by the next one
//! (`settle`), which comes through here as well.

use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use crate::report::{LogReport, LogState as Ended};

use super::append::{Appended, Wanted, append};
use super::archive::Archive;
use super::file::{LogFile, in_words};
use super::journal::{Deed, Part, Planned};
use super::lacks::{Since, lacks};
use super::ledger::{Entry, NOBODY, UNKNOWN};
use super::plan::{Setting, Stop};
use super::send::Sent;
use super::state::LogState;
use super::steps::Step;
use super::stream::Stream;
use super::take::cursor_at;

/// One part that is to be appended to the archive.
#[derive(Debug)]
pub(crate) struct PartNow {
    pub(crate) side: String,
    /// None where its file is gone.
    pub(crate) stream: Option<Stream>,
    pub(crate) length: u64,
    /// What of it is not in the archive, in order.
    pub(crate) missing: Vec<Range<u64>>,
}

impl PartNow {
    pub(crate) fn new(side: String, stream: Stream) -> PartNow {
        let length = stream.length();
        PartNow { side, stream: Some(stream), length, missing: all(length) }
    }

    /// A range of it is in the archive.
    pub(crate) fn has(&mut self, range: Range<u64>) {
        let left = |missing: Range<u64>| {
            let before = missing.start..missing.end.min(range.start);
            let behind = missing.start.max(range.end)..missing.end;
            [before, behind].into_iter().filter(|range| !range.is_empty())
        };
        self.missing = std::mem::take(&mut self.missing).into_iter().flat_map(left).collect();
    }

    /// A range of it is not in the archive any more.
    pub(crate) fn lacks(&mut self, range: Range<u64>) {
        self.missing.push(range);
        self.missing.sort_unstable_by_key(|range| range.start);
        let mut all: Vec<Range<u64>> = Vec::new();
        for range in self.missing.drain(..) {
            match all.last_mut() {
                Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
                _ => all.push(range),
            }
        }
        self.missing = all;
    }

    /// Whether nothing of it is in the archive.
    fn is_untouched(&self) -> bool {
        self.missing == all(self.length)
    }
}

/// All of a part.
pub(crate) fn all(length: u64) -> Vec<Range<u64>> {
    std::iter::once(0..length).filter(|range| !range.is_empty()).collect()
}

/// Whose something is that lies in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// It came from a part: which one, and where in that it lies.
    Part(usize, u64),
    /// Somebody else wrote it there.
    Hub,
    /// Nobody's: what the disk has of a write of ours of which only the size came to disk. It stays where it cannot be cut off,
    /// and is given to nobody.
    Nobody,
}

/// Something that lies behind the end of the archive that is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where, in bytes from the beginning of the archive.
    pub(crate) start: u64,
    pub(crate) length: u64,
    pub(crate) whose: Whose,
    /// Its digest, where that is known already.
    pub(crate) sha256: Option<String>,
}

/// A copy that gets what others wrote.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) side: &'a str,
    pub(crate) path: &'a Path,
    pub(crate) is_mirror: bool,
    /// How many bytes its file had when it was looked at.
    pub(crate) seen: u64,
}

/// What is to be done with one log.
pub(crate) struct Work<'a> {
    pub(crate) setting: &'a Setting<'a>,
    pub(crate) name: &'a str,
    pub(crate) archive: Archive,
    pub(crate) live: Rc<LogFile>,
    pub(crate) parts: Vec<PartNow>,
    /// What lies behind the known end already, in order.
    pub(crate) pieces: Vec<Piece>,
    /// Whether the last line there has no end, and gets one.
    pub(crate) newline: bool,
    /// What will be on record; its end of the archive is the one before.
    pub(crate) state: LogState,
    pub(crate) targets: Vec<Target<'a>>,
    pub(crate) report: LogReport,
}

/// What was done: what is to be remembered, and which files are to be brought to disk.
pub(crate) struct Done {
    pub(crate) state: LogState,
    pub(crate) entries: Vec<Entry>,
    pub(crate) touched: Vec<std::fs::File>,
    pub(crate) report: LogReport,
}

/// What cannot be done, and whether everything is as it was before.
pub(crate) struct Failed {
    pub(crate) why: Stop,
    pub(crate) taken_back: bool,
}

impl Work<'_> {
    /// Whether any file is to be written to.
    pub(crate) fn has_work(&self) -> bool {
        let end = self.end();
        !self.parts.is_empty()
            || !self.pieces.is_empty()
            || self.newline
            || self
                .targets
                .iter()
                .any(|target| self.state.copies.get(target.side).is_some_and(|copy| copy.sent < end))
    }

    /// Whether what lies in the archive already is to be written down, as nothing is of it.
    pub(crate) fn begins_ledger(&self) -> bool {
        self.state.ledger == 0 && self.archive.known > 0
    }

    /// Where what is known to lie in the archive ends.
    fn end(&self) -> u64 {
        self.pieces.last().map_or(self.archive.known, |piece| piece.start + piece.length)
    }

    /// The plan as it goes into the journal.
    pub(crate) fn planned(&self) -> io::Result<Planned> {
        let parts = self.parts.iter().filter_map(|part| {
            let stream = part.stream.as_ref()?;
            let end = stream.ranges.last()?.end;
            let known = self.state.copies.get(&part.side).and_then(|copy| copy.live.as_ref());
            let cursor = match known.filter(|live| live.id == stream.file.id && live.offset == end) {
                Some(live) => Ok(live.clone()),
                None => cursor_at(&stream.file, end, &[]),
            };
            Some(cursor.map(|end| Part {
                side: part.side.clone(),
                ranges: stream.ranges.iter().map(|range| (range.start, range.end)).collect(),
                newline: stream.newline,
                end,
            }))
        });
        let parts = parts.collect::<io::Result<_>>()?;
        Ok(Planned { state: self.state.clone(), parts, boot: self.setting.journal.boot() })
    }

    /// What a run would do, where nothing is to be done.
    pub(crate) fn foretell(mut self) -> LogReport {
        let bytes: u64 = self.parts.iter().map(|part| part.length).sum();
        for part in &self.parts {
            if let Some(side) = self.report.sides.get_mut(&part.side) {
                side.read_bytes += part.length;
            }
        }
        if let Some(hub) = self.report.sides.get_mut(self.setting.hub) {
            hub.appended_bytes = bytes;
        }
        let end = self.end();
        for target in &self.targets {
            let sent = self.state.copies.get(target.side).map_or(0, |copy| copy.sent);
            let own: u64 =
                self.parts.iter().filter(|part| part.side == target.side).map(|part| part.length).sum();
            if let Some(side) = self.report.sides.get_mut(target.side) {
                side.lag_bytes = (end + bytes - own).saturating_sub(sent);
            }
        }
        if self.has_work() {
            self.report.state = Ended::Merged;
        }
        self.report
    }

    /// Carries it out. `since` gives entries that were written down before.
    pub(crate) fn carry_out(mut self, since: &Since<'_>) -> Result<Done, Failed> {
        let path = self.live.path.clone();
        let size = |live: &LogFile| live.file().metadata().map(|now| now.len());
        let before = size(&self.live).map_err(|cause| failed(in_words("look at", &path, &cause)))?;
        // What a run that died has appended stays on record, and so does what follows it.
        let is_first = self.parts.iter().all(PartNow::is_untouched)
            && self.state.copies.values().all(|copy| copy.open.is_none());
        let mut written = Appended::default();
        if let Err(cause) = self.append_all(&mut written) {
            let is_ours = size(&self.live).is_ok_and(|now| now == before + written.bytes);
            // Taken back before it is, so that nobody believes what is on record of it.
            let taken_back = is_first
                && is_ours
                && self.setting.journal.done(self.name, &Deed::TakenBack).is_ok()
                && self.live.file().set_len(before).is_ok();
            let what = if taken_back {
                "what was appended was taken back"
            } else {
                "the next run goes on from what is there"
            };
            let why = Stop::Fail(format!("{}; {what}", in_words("append to", &path, &cause)));
            return Err(Failed { why, taken_back });
        }
        let mut touched = Vec::new();
        let fail = |cause: io::Error| failed(in_words("read", &path, &cause));
        if written.bytes > 0 {
            touched.extend(self.live.file().try_clone());
        }
        let entries = self.entries().map_err(fail)?;
        let end = self.end();
        let sent = self.send_all(end, &entries, since, &mut touched);
        let base = self.archive.base();
        self.state.archive =
            reread(&self.live).and_then(|live| cursor_at(&live, end - base, &[])).map_err(fail)?;
        self.state.base = base;
        if let Some(hub) = self.report.sides.get_mut(self.setting.hub) {
            hub.appended_bytes = written.bytes;
            hub.lines = written.lines;
        }
        if written.bytes > 0 || !self.pieces.is_empty() || sent > 0 {
            self.state.merged_at = Some(self.setting.at.to_owned());
            self.report.state = Ended::Merged;
        }
        Ok(Done { state: self.state, entries, touched, report: self.report })
    }

    /// Appends what is to be in the archive and is not.
    fn append_all(&mut self, written: &mut Appended) -> io::Result<()> {
        let base = self.archive.base();
        if self.newline {
            (&mut self.live.file()).write_all(b"\n")?;
            written.bytes += 1;
            match self.pieces.last_mut() {
                Some(last) => last.length += 1,
                None => self.pieces.push(Piece {
                    start: self.archive.known,
                    length: 1,
                    whose: Whose::Hub,
                    sha256: None,
                }),
            }
            self.newline = false;
        }
        for number in 0..self.parts.len() {
            let missing = self.parts.get_mut(number).map(|part| std::mem::take(&mut part.missing));
            for range in missing.unwrap_or_default() {
                self.append_range(number, range, base, written)?;
            }
        }
        Ok(())
    }

    /// Appends a range of a part.
    fn append_range(
        &mut self,
        number: usize,
        range: Range<u64>,
        base: u64,
        written: &mut Appended,
    ) -> io::Result<()> {
        let Some(PartNow { side, stream: Some(stream), .. }) = self.parts.get(number) else { return Ok(()) };
        let (setting, name) = (self.setting, self.name);
        let mut each = |start, length, place| {
            setting.steps.at(Step::Written);
            let place = range.start + place;
            setting.journal.done(name, &Deed::Appended { part: number, place, start: base + start, length })
        };
        let (mut runs, stream) = (Vec::new(), stream.first(range.end));
        let length =
            append(&self.live, &stream, range.start, Wanted::Digests, &mut runs, written, &mut each)?;
        if let Some(side) = self.report.sides.get_mut(side) {
            side.read_bytes += length;
        }
        for run in runs {
            let (start, end) = (base + run.start, self.end());
            if start > end {
                // Somebody else wrote in between.
                let length = start - end;
                self.pieces.push(Piece { start: end, length, whose: Whose::Hub, sha256: None });
            }
            let whose = Whose::Part(number, range.start + run.place);
            // A digest that is missing is made from what is there.
            let sha256 = Some(run.sha256).filter(|digest| !digest.is_empty());
            self.pieces.push(Piece { start, length: run.length, whose, sha256 });
        }
        self.setting.steps.at(Step::Appended);
        Ok(())
    }

    /// What is to be written down of everything behind the end that was on record, and of what was there before us.
    fn entries(&mut self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        if self.begins_ledger() {
            self.archive.reach_all()?;
            let start = self.archive.begin();
            let length = self.archive.known.saturating_sub(start);
            let mut entry = self.entry(&Piece { start, length, whose: Whose::Hub, sha256: None })?;
            if self.state.untold {
                UNKNOWN.clone_into(&mut entry.origin);
            }
            entries.push(entry);
        }
        for piece in &self.pieces {
            entries.push(self.entry(piece)?);
        }
        Ok(entries)
    }

    fn entry(&self, piece: &Piece) -> io::Result<Entry> {
        let sha256 = match &piece.sha256 {
            Some(sha256) => sha256.clone(),
            None => self.archive.digest(piece.start..piece.start + piece.length)?,
        };
        let from = match piece.whose {
            Whose::Part(part, place) => self.parts.get(part).map(|part| (part, place)),
            Whose::Hub | Whose::Nobody => None,
        };
        let others = if piece.whose == Whose::Nobody { NOBODY } else { self.setting.hub };
        Ok(Entry {
            from: piece.start,
            length: piece.length,
            origin: from.map_or(others, |(part, _)| &part.side).to_owned(),
            file: from.and_then(|(part, _)| part.stream.as_ref()).map(|stream| stream.file.id),
            offset: from.and_then(|(part, place)| Some(part.stream.as_ref()?.in_file(place))).unwrap_or(0),
            sha256,
            at: self.setting.at.to_owned(),
            before: String::new(),
        })
    }

    /// Gives every copy what others wrote; returns how many bytes in all.
    fn send_all(
        &mut self,
        end: u64,
        entries: &[Entry],
        since: &Since<'_>,
        touched: &mut Vec<std::fs::File>,
    ) -> u64 {
        let mut all = 0;
        for target in &self.targets {
            let Some(then) = self.state.copies.get_mut(target.side) else { continue };
            let side = self.report.sides.entry(target.side.to_owned()).or_default();
            let found = match lacks(self.setting, target, &mut self.archive, then, end, entries, since) {
                Ok(found) => found,
                Err(why) => {
                    // As much as it may be.
                    side.lag_bytes = end.saturating_sub(then.sent);
                    self.report.warnings.push(format!("{} is passed over: {why}", target.side));
                    continue;
                }
            };
            let total: u64 = found.ranges.iter().map(|range| range.end - range.start).sum();
            if found.by_content {
                self.report.warnings.push(format!(
                    "{}: what it lacks was found by its content ({total} bytes), as nobody knows any more who wrote what",
                    target.side
                ));
            }
            let mut outcome = Ok(Sent::default());
            if total > 0 {
                outcome =
                    target.send(self.setting, self.name, &mut self.archive, &found.ranges, then, touched);
            }
            match outcome {
                Ok(sent) => {
                    if sent.lacks == 0 {
                        (then.sent, then.refill) = (end, false);
                    }
                    side.appended_bytes += sent.bytes;
                    side.lines += sent.lines;
                    side.lag_bytes = sent.lacks;
                    all += sent.bytes;
                    let told = sent.told.into_iter().map(|told| format!("{}: {told}", target.side));
                    self.report.warnings.extend(told);
                }
                Err(why) => {
                    side.lag_bytes = total;
                    self.report.warnings.push(format!("{}: {why}", target.side));
                }
            }
        }
        all
    }
}

fn failed(why: String) -> Failed {
    Failed { why: Stop::Fail(why), taken_back: false }
}

pub(crate) fn of_entry(entry: &Entry) -> (Range<u64>, String) {
    (entry.from..entry.end(), entry.origin.clone())
}

/// Ranges within `all` that are not known to have come from a side, or from nobody.
pub(crate) fn wanted(all: Range<u64>, side: &str, origins: &[(Range<u64>, String)]) -> Vec<Range<u64>> {
    let own: Vec<(u64, u64)> = origins
        .iter()
        .filter(|(_, origin)| origin == side || origin == NOBODY)
        .map(|(range, _)| (range.start, range.end - range.start))
        .collect();
    super::stream::own(all.start, all.end, &own)
}

/// The file as it is now.
pub(crate) fn reread(file: &LogFile) -> io::Result<LogFile> {
    Ok(LogFile::of(
        file.file().try_clone()?,
        &file.path,
        &file.file().metadata()?,
        super::names::Packing::Plain,
    ))
}
