//! One log: what is new on each side goes into the archive, what is new in the archive to the other sides.
//!
//! Invariant: a place is moved on only when the lines before it are in the archive, and on disk. So a run that dies at
//! any point has at most appended lines whose places were not moved on; the next run finds them behind the known end
//! (`resume`) and moves the places on without appending them again. Observing and carrying out are apart, so that what
//! is about to be appended to can be written down in between (`state::Intent`).

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, Write};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use crate::config::{LogConfig, Ownership};
use crate::durable;
use crate::report::{LogReport, LogSideReport, LogState as Ended};

use super::align::Relation;
use super::archive::Archive;
use super::file::{Access, BLOCK, LogFile, Owners, Unopened, hex};
use super::find::{self, Shelf};
use super::names::Packing;
use super::resume::{self, Expected};
use super::state::{self, CopyState, Entry, Foreign, Given, LogIntent, LogState};
use super::steps::{Step, Steps};
use super::stream::{Stream, fill};
use super::take::{self, Taken, cursor_at};

/// So much is written at once into the file of a source, which others append to (bytes); the rest comes in the next run.
const AT_ONCE: u64 = 8 << 20;

/// What is the same for all logs of a run.
pub(crate) struct Setting<'a> {
    pub(crate) hub: &'a str,
    pub(crate) ownership: &'a Ownership,
    pub(crate) owners: &'a Owners,
    /// RFC 3339.
    pub(crate) at: &'a str,
    pub(crate) steps: &'a dyn Steps,
    /// Where what we remember of logs lies.
    pub(crate) directory: &'a Path,
}

/// Why a log cannot be merged now, in words.
pub(crate) type Problem = String;

/// One copy as it was looked at.
struct Copy<'a> {
    side: &'a str,
    path: &'a Path,
    is_mirror: bool,
    /// None where it is new to us.
    state: Option<CopyState>,
    shelf: Shelf,
    taken: Taken,
}

/// What is to be done with one log.
pub(crate) struct Plan<'a> {
    setting: &'a Setting<'a>,
    name: &'a str,
    archive: Archive,
    live: Rc<LogFile>,
    copies: Vec<Copy<'a>>,
    /// What lies behind the known end: length, and the copy and stream that it came from.
    found: Vec<(u64, Option<(usize, usize)>)>,
    /// How much of each stream is in the archive already, by copy.
    used: Vec<Vec<u64>>,
    /// Bytes behind all that, which have no end of a line and are not ours.
    unfinished: u64,
    /// Whose line was cut off at the end of the archive.
    torn: Option<(usize, usize)>,
    state: Option<LogState>,
    report: LogReport,
}

/// What was done: what is to be remembered, and which files are to be brought to disk.
pub(crate) struct Done {
    pub(crate) state: LogState,
    pub(crate) entries: Vec<Entry>,
    pub(crate) touched: Vec<std::fs::File>,
    pub(crate) report: LogReport,
}

fn in_words(what: &str, path: &Path, cause: &io::Error) -> Problem {
    format!("cannot {what} {}: {cause}", path.display())
}

/// Looks at all copies of a log. `died` says what a run that died may have done to it.
pub(crate) fn observe<'a>(
    setting: &'a Setting<'a>,
    name: &'a str,
    log: &'a LogConfig,
    state: Option<LogState>,
    died: Option<Option<&LogIntent>>,
    ledger: &dyn Fn() -> Vec<Entry>,
) -> Result<Plan<'a>, Problem> {
    let Some(hub_path) = log.copies.get(setting.hub) else { return Err("the hub has no copy".to_owned()) };
    let mut report = LogReport {
        state: Ended::Merged,
        reason: None,
        sides: log.copies.keys().map(|side| (side.clone(), LogSideReport::default())).collect(),
        adopted: None,
        warnings: Vec::new(),
    };
    let apart: Vec<&Path> = log.copies.values().map(|path| path.as_path()).collect();
    let shelf = archive_shelf(setting, hub_path, &apart)?;
    let live = shelf.live.clone().ok_or_else(|| format!("{} is not there", hub_path.display()))?;
    let fail = |cause: io::Error| in_words("read", hub_path, &cause);
    let mut archive = Archive::find(&shelf, &live, state.as_ref()).map_err(fail)?;
    let state = state.filter(|_| !archive.anew);
    if archive.anew {
        archive.known = archive.base() + live.last_line_end(0, live.size).map_err(fail)?;
    }
    let mut lines = None;
    let mut copies = Vec::new();
    for (side, path) in log.others(setting.hub) {
        let found = look(setting, side, path, &apart).and_then(|shelf| {
            if shelf.live.as_ref().is_some_and(|file| file.id == live.id) {
                return Err(format!("{} is the same file as {}", path.display(), hub_path.display()));
            }
            let before = state.as_ref().and_then(|state| state.copies.get(side)).cloned();
            let mut all = || match &lines {
                Some(lines) => Ok(Vec::clone(lines)),
                None => {
                    archive.reach(0)?;
                    Ok(lines.insert(archive.lines()?).clone())
                }
            };
            let taken = take::take(&shelf, before.as_ref(), &mut all)
                .map_err(|cause| in_words("read", path, &cause))?;
            Ok(Copy { side, path, is_mirror: log.mirrors.contains(side), state: before, shelf, taken })
        });
        match found {
            Ok(copy) => copies.push(copy),
            Err(why) => report.warnings.push(format!("{side} is passed over: {why}")),
        }
    }
    let mut plan = Plan {
        setting,
        name,
        archive,
        live,
        copies,
        found: Vec::new(),
        used: Vec::new(),
        unfinished: 0,
        torn: None,
        state,
        report,
    };
    plan.look_behind(died).map_err(fail)?;
    if let Some(intent) = died {
        plan.find_blocks(intent, ledger).map_err(|cause| format!("cannot read its copies: {cause}"))?;
    }
    Ok(plan)
}

/// The hub's files; its live one is made where it is missing.
fn archive_shelf(setting: &Setting<'_>, path: &Path, apart: &[&Path]) -> Result<Shelf, Problem> {
    let shelf = find::shelf(path, Access::Append, setting.owners, apart)?;
    if shelf.live.is_some() {
        return Ok(shelf);
    }
    create(setting, path)?;
    find::shelf(path, Access::Append, setting.owners, apart)
}

fn create(setting: &Setting<'_>, path: &Path) -> Result<(), Problem> {
    let made = path
        .parent()
        .map_or(Ok(()), |directory| durable::owned_directory(directory, setting.ownership))
        .and_then(|()| durable::Nascent::beside(path, "log", setting.ownership))
        .and_then(|(nascent, _)| nascent.publish());
    made.map_err(|cause| cause.to_string())
}

fn look(setting: &Setting<'_>, side: &str, path: &Path, apart: &[&Path]) -> Result<Shelf, Problem> {
    match path.parent() {
        Some(directory) if directory.is_dir() => find::shelf(path, Access::Read, setting.owners, apart),
        _ => Err(format!(
            "the directory of {} is not there; a mount may be missing. Make it, or take {side} out of the configuration",
            path.display()
        )),
    }
}

impl<'a> Plan<'a> {
    /// Takes apart what lies behind the known end.
    fn look_behind(&mut self, died: Option<Option<&LogIntent>>) -> io::Result<()> {
        self.used = self.copies.iter().map(|copy| vec![0; copy.taken.streams.len()]).collect();
        let end = self.archive.end()?;
        let mut behind = self.archive.range(self.archive.known..end)?;
        let Some(tail) = behind.pop() else { return Ok(()) };
        for older in behind {
            // Somebody else has rotated the archive; nobody cuts a line there.
            self.found.push((older.length(), None));
        }
        let mut names = Vec::new();
        let mut expected = Vec::new();
        if let Some(intent) = died {
            for (copy, one) in self.copies.iter().enumerate() {
                for (stream, what) in one.taken.streams.iter().enumerate() {
                    let read = |intent: &LogIntent| {
                        intent.reads.iter().find(|(id, _)| *id == what.file.id).map(|(_, end)| *end)
                    };
                    let most = match intent.map(read) {
                        // It did not know this file, or all of it is unknown.
                        None | Some(None) => what.length(),
                        Some(Some(end)) => up_to(what, end),
                    };
                    names.push((copy, stream));
                    expected.push(Expected { stream: what, most });
                }
            }
        }
        let pieces = resume::take_apart(&tail, &expected)?;
        let mut passed = 0;
        for piece in &pieces {
            let from = piece.stream.and_then(|stream| names.get(stream)).copied();
            if let Some((copy, stream)) = from
                && let Some(used) = self.used.get_mut(copy).and_then(|used| used.get_mut(stream))
            {
                *used += piece.length;
            }
            self.found.push((piece.length, from));
            passed += piece.length;
        }
        self.unfinished = tail.length() - passed;
        if let (0, Some((_, Some(last)))) = (self.unfinished, self.found.last())
            && self.live.last_line_end(0, self.live.size)? < self.live.size
        {
            self.torn = Some(*last);
        }
        Ok(())
    }

    /// Finds what a run that died has appended to the other copies, and reads their own lines again without it.
    fn find_blocks(
        &mut self,
        intent: Option<&LogIntent>,
        ledger: &dyn Fn() -> Vec<Entry>,
    ) -> io::Result<()> {
        let end = self.archive.known + self.found.iter().map(|(length, _)| length).sum::<u64>();
        let fresh = self.fresh();
        let base = self.archive.base();
        for copy in &mut self.copies {
            let Some(state) = &mut copy.state else { continue };
            let given = intent.into_iter().flat_map(|intent| &intent.given);
            let mut any = false;
            for given in given.filter(|given| given.side == copy.side && given.sent <= end) {
                any = true;
                state.foreign.push(given.place);
                state.foreign_bytes += given.place.length;
                state.sent = state.sent.max(given.sent);
            }
            if any {
                copy.taken = take::take(&copy.shelf, Some(state), &mut || Ok(Vec::new()))?;
                continue;
            }
            if state.sent >= end || state.sent < base {
                continue;
            }
            let then = intent.and_then(|intent| intent.copies.get(copy.side)).copied();
            let all = copy.shelf.live.iter().chain(&copy.shelf.rotated);
            // It may have been rotated since; where it was made for what it got, there was none before.
            let file = match then {
                Some((id, _)) => all.clone().find(|file| file.id == id),
                None => copy.shelf.live.as_ref(),
            };
            let Some(file) = file.filter(|file| file.packing == Packing::Plain).cloned() else { continue };
            let cursors = state.live.iter().chain(state.watched.iter().map(|watched| &watched.cursor));
            let read = cursors.filter(|cursor| cursor.id == file.id).map(|cursor| cursor.offset).max();
            let from = then.map_or(0, |(_, size)| size).max(read.unwrap_or(0));
            let mut origins = fresh.clone();
            origins.extend(ledger().iter().map(of_entry));
            let ranges = wanted(state.sent..end, copy.side, &origins);
            let ranges: Vec<_> = ranges.iter().map(|range| range.start - base..range.end - base).collect();
            let block = Stream { file: Rc::clone(&self.live), ranges, newline: false };
            if block.length() == 0 || from >= file.size {
                continue;
            }
            let tail = Stream::of(&file, 0..file.size);
            let Some((start, length)) = resume::find_block(&tail, from, &block)? else { continue };
            state.foreign.push(Foreign { id: file.id, start, length });
            state.foreign_bytes += length;
            state.sent = base + block.in_file(length);
            let again = take::take(&copy.shelf, Some(state), &mut || Ok(Vec::new()))?;
            copy.taken = again;
        }
        for (used, copy) in self.used.iter_mut().zip(&self.copies) {
            used.resize(copy.taken.streams.len(), 0);
        }
        Ok(())
    }

    /// Ranges of the archive that became known in this run, with the side that wrote them.
    fn fresh(&self) -> Vec<(Range<u64>, String)> {
        let mut at = self.archive.known;
        let name = |from: &Option<(usize, usize)>| match from.and_then(|(copy, _)| self.copies.get(copy)) {
            Some(copy) => copy.side.to_owned(),
            None => self.setting.hub.to_owned(),
        };
        let ranges = self.found.iter().map(|(length, from)| {
            at += length;
            (at - length..at, name(from))
        });
        ranges.collect()
    }

    /// What it is about to append to.
    pub(crate) fn intent(&self) -> LogIntent {
        let reads = self.copies.iter().flat_map(|copy| &copy.taken.streams);
        let sizes = self.copies.iter().filter_map(|copy| {
            let live = copy.shelf.live.as_ref()?;
            Some((copy.side.to_owned(), (live.id, live.size)))
        });
        LogIntent {
            archive: self.live.size,
            reads: reads
                .filter_map(|stream| Some((stream.file.id, stream.ranges.last()?.end)))
                .collect(),
            copies: sizes.collect(),
            given: Vec::new(),
        }
    }

    /// Carries it out. `ledger` gives entries that were written down before, oldest first.
    ///
    /// # Errors
    /// In words. What was appended to the archive was taken back, if that could be done.
    pub(crate) fn carry_out(mut self, ledger: &dyn Fn() -> Vec<Entry>) -> Result<Done, Problem> {
        if self.unfinished > 0 {
            return Err(format!(
                "the last line of {} has no end and is none of ours: somebody is writing it",
                self.live.path.display()
            ));
        }
        let before = self.live.file().metadata().map(|now| now.len());
        let before = before.map_err(|cause| in_words("look at", &self.live.path, &cause))?;
        let mut written = Appended::default();
        if let Err(cause) = self.append_all(&mut written) {
            let ours = before + written.bytes;
            let taken_back = match self.live.file().metadata() {
                Ok(now) if now.len() == ours => self.live.file().set_len(before).is_ok(),
                _ => false,
            };
            let path = self.live.path.display();
            return Err(format!(
                "cannot append to {path}: {cause}; {}",
                if taken_back { "what was appended was taken back" } else { "the next run goes on from what is there" }
            ));
        }
        let mut touched = Vec::new();
        let live = Rc::clone(&self.live);
        let fail = |cause: io::Error| in_words("read", &live.path, &cause);
        if written.bytes > 0 {
            touched.extend(self.live.file().try_clone());
        }
        let mut entries = self.entries(&written).map_err(fail)?;
        let end = entries.last().map_or(self.archive.known, |entry| entry.from + entry.length);
        let sides = self.send_all(end, &entries, ledger, &mut touched);
        let base = self.archive.base();
        let archive = reread(&self.live)
            .and_then(|live| cursor_at(&live, end - base, &[]))
            .map_err(fail)?;
        if let Some(hub) = self.report.sides.get_mut(self.setting.hub) {
            hub.appended_bytes = written.bytes;
            hub.lines = written.lines;
        }
        let merged = written.bytes > 0 || !self.found.is_empty() || sides.any_sent;
        let known = self.state.as_ref();
        let merged_at = match merged {
            true => Some(self.setting.at.to_owned()),
            false => known.and_then(|state| state.merged_at.clone()),
        };
        if self.archive.anew && end > 0 && known.is_none() {
            // What was there before we came is the hub's own.
            let length = self.archive.known;
            if length > 0 {
                entries.insert(0, self.entry(0..length, None).map_err(fail)?);
            }
        }
        let mut copies = known.map(|state| state.copies.clone()).unwrap_or_default();
        copies.extend(sides.states);
        let state = LogState {
            archive,
            base,
            ledger: known.map_or(0, |state| state.ledger),
            chain: known.map(|state| state.chain.clone()).unwrap_or_default(),
            copies,
            merged_at,
        };
        Ok(Done { state, entries, touched, report: self.report })
    }

    /// Puts on record what a run that died has done, and does no more than to end a line that was cut off: the next run
    /// of ours could die as well, and would have to tell both apart.
    pub(crate) fn settle(mut self) -> Result<Done, Problem> {
        let path = self.live.path.clone();
        let fail = |cause: io::Error| in_words("append to", &path, &cause);
        let mut written = Appended::default();
        if let Some((copy, stream)) = self.torn
            && let Some(used) = self.used.get(copy).and_then(|used| used.get(stream)).copied()
            && let Some(what) = self.copies.get(copy).and_then(|copy| copy.taken.streams.get(stream))
            && let Some(length) = resume::line(what, used).map_err(fail)?
        {
            append(&self.live, &what.first(used + length), used, (copy, stream), &mut written).map_err(fail)?;
            if let Some(used) = self.used.get_mut(copy).and_then(|used| used.get_mut(stream)) {
                *used += length;
            }
        }
        let entries = self.entries(&written).map_err(fail)?;
        let end = entries.last().map_or(self.archive.known, |entry| entry.from + entry.length);
        let base = self.archive.base();
        let archive =
            reread(&self.live).and_then(|live| cursor_at(&live, end - base, &[])).map_err(fail)?;
        let known = self.state.as_ref();
        let mut copies = known.map(|state| state.copies.clone()).unwrap_or_default();
        for (copy, used) in self.copies.iter().zip(&self.used) {
            let state = take::rewound(&copy.taken, copy.state.as_ref(), used).map_err(fail)?;
            match state {
                Some(mut state) if copy.state.is_some() => {
                    let before = copy.state.as_ref();
                    state.sent = before.map_or(0, |before| before.sent);
                    copies.insert(copy.side.to_owned(), state);
                }
                _ => {}
            }
        }
        let state = LogState {
            archive,
            base,
            ledger: known.map_or(0, |state| state.ledger),
            chain: known.map(|state| state.chain.clone()).unwrap_or_default(),
            copies,
            merged_at: known.and_then(|state| state.merged_at.clone()),
        };
        let touched = self.live.file().try_clone().into_iter().collect();
        Ok(Done { state, entries, touched, report: self.report })
    }

    /// Whether nothing was known of it before, so that there is nothing to settle.
    pub(crate) fn is_new(&self) -> bool {
        self.state.is_none()
    }

    /// Appends everything that is new to the archive: first the rest of a line that was cut off.
    fn append_all(&mut self, written: &mut Appended) -> io::Result<()> {
        let mut order: Vec<(usize, usize)> = self.torn.into_iter().collect();
        for (copy, one) in self.copies.iter().enumerate() {
            order.extend((0..one.taken.streams.len()).map(|stream| (copy, stream)));
        }
        let torn = self.torn;
        for (number, (copy, stream)) in order.into_iter().enumerate() {
            if number > 0 && torn == Some((copy, stream)) {
                continue;
            }
            let Some(one) = self.copies.get(copy) else { continue };
            let Some(what) = one.taken.streams.get(stream) else { continue };
            let used = self.used.get(copy).and_then(|used| used.get(stream)).copied().unwrap_or(0);
            if used >= what.length() {
                continue;
            }
            let part = append(&self.live, what, used, (copy, stream), written)?;
            self.setting.steps.at(Step::Appended);
            if let Some(side) = self.report.sides.get_mut(one.side) {
                side.read_bytes += part;
            }
        }
        Ok(())
    }

    /// What is to be written down of every range that became known: what was found there, and what was appended.
    fn entries(&self, written: &Appended) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut at = self.archive.known;
        let mut passed: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for (length, from) in &self.found {
            let place = from.map(|from| {
                let place = passed.entry(from).or_default();
                *place += length;
                (from, *place - length)
            });
            entries.push(self.entry(at..at + length, place)?);
            at += length;
        }
        let base = self.archive.base();
        for run in &written.runs {
            let from = base + run.start;
            if from > at {
                // Somebody else wrote in between.
                entries.push(self.entry(at..from, None)?);
            }
            let source = self.copies.get(run.from.0).and_then(|copy| copy.taken.streams.get(run.from.1));
            entries.push(Entry {
                from,
                length: run.length,
                origin: self.side_of(Some(run.from)),
                file: source.map(|stream| stream.file.id),
                offset: source.map_or(0, |stream| stream.in_file(run.place)),
                sha256: run.sha256.clone(),
                at: self.setting.at.to_owned(),
                before: String::new(),
            });
            at = from + run.length;
        }
        Ok(entries)
    }

    fn side_of(&self, from: Option<(usize, usize)>) -> String {
        let copy = from.and_then(|(copy, _)| self.copies.get(copy));
        copy.map_or(self.setting.hub, |copy| copy.side).to_owned()
    }

    /// An entry for a range that lies in the archive. `from` says the stream, and where in it.
    fn entry(&self, range: Range<u64>, from: Option<((usize, usize), u64)>) -> io::Result<Entry> {
        let mut digest = Sha256::new();
        let mut block = vec![0; BLOCK];
        for stream in self.archive.range(range.clone())? {
            let mut reader = stream.reader(0)?;
            loop {
                let had = fill(&mut reader, &mut block)?;
                digest.update(block.get(..had).unwrap_or_default());
                if had < block.len() {
                    break;
                }
            }
        }
        let source = from.and_then(|((copy, stream), _)| self.copies.get(copy)?.taken.streams.get(stream));
        Ok(Entry {
            from: range.start,
            length: range.end - range.start,
            origin: self.side_of(from.map(|(from, _)| from)),
            file: source.map(|stream| stream.file.id),
            offset: source.zip(from).map_or(0, |(stream, (_, place))| stream.in_file(place)),
            sha256: hex(&digest.finalize()),
            at: self.setting.at.to_owned(),
            before: String::new(),
        })
    }

    /// Gives every copy what others wrote.
    fn send_all(
        &mut self,
        end: u64,
        entries: &[Entry],
        ledger: &dyn Fn() -> Vec<Entry>,
        touched: &mut Vec<std::fs::File>,
    ) -> Sent {
        let mut sent = Sent::default();
        let known = self.archive.known;
        let base = self.archive.base();
        for copy in std::mem::take(&mut self.copies) {
            let is_new = copy.state.is_none();
            let mut then = copy.taken.then;
            let mut warnings = copy.taken.warnings;
            let mut refilled = false;
            if is_new {
                if let Some((relation, _)) = copy.taken.adopted {
                    self.report.adopted = Some(adopted(relation, then.weak));
                }
                then.sent = match (copy.is_mirror, copy.taken.adopted) {
                    // A source is not given what was written before it came.
                    (false, _) => known,
                    (true, Some((Relation::Apart, _)) | None) => {
                        refilled = true;
                        base
                    }
                    (true, Some((_, behind))) => known.saturating_sub(behind),
                };
            } else if copy.is_mirror
                && copy.shelf.live.is_none()
                && copy.shelf.rotated.is_empty()
                && then.watched.is_empty()
            {
                if end > base {
                    warnings.push("it was not there, and is made anew from the archive".to_owned());
                }
                then = CopyState { foreign_bytes: then.foreign_bytes, ..CopyState::default() };
                (then.sent, refilled) = (base, true);
            }
            let mut origins: Vec<(Range<u64>, String)> = Vec::new();
            if !refilled {
                if then.sent < known {
                    origins.extend(ledger().iter().map(of_entry));
                }
                origins.extend(entries.iter().map(of_entry));
            }
            let ranges = wanted(then.sent..end, copy.side, &origins);
            let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
            let outcome = if total == 0 {
                then.sent = end;
                Ok(0)
            } else {
                let target = Target {
                    setting: self.setting,
                    name: self.name,
                    side: copy.side,
                    path: copy.path,
                    is_mirror: copy.is_mirror,
                };
                target.send(&mut self.archive, &ranges, &mut then, end, touched)
            };
            let side = self.report.sides.entry(copy.side.to_owned()).or_default();
            match outcome {
                Ok(bytes) => {
                    side.appended_bytes += bytes.min(total);
                    side.lag_bytes = total - bytes;
                    sent.any_sent |= bytes > 0;
                    self.setting.steps.at(Step::Sent);
                }
                Err(why) => {
                    side.lag_bytes = total;
                    warnings.push(why);
                }
            }
            let named = warnings.into_iter().map(|warning| format!("{}: {warning}", copy.side));
            self.report.warnings.extend(named);
            sent.states.insert(copy.side.to_owned(), then);
        }
        sent
    }
}

/// The word of a report.
fn adopted(relation: Relation, weak: bool) -> String {
    match (relation, weak) {
        (_, true) => "weak",
        (Relation::Contained, _) => "contained",
        (Relation::Overlap, _) => "overlap",
        (Relation::Diverged | Relation::Apart, _) => "diverged",
    }
    .to_owned()
}

#[derive(Default)]
struct Sent {
    states: BTreeMap<String, CopyState>,
    any_sent: bool,
}

fn of_entry(entry: &Entry) -> (Range<u64>, String) {
    (entry.from..entry.from + entry.length, entry.origin.clone())
}

/// How many bytes of a stream lie before a place of its file.
fn up_to(stream: &Stream, place: u64) -> u64 {
    stream.ranges.iter().map(|range| range.end.min(place).saturating_sub(range.start)).sum()
}

/// Ranges within `all` that are not known to have come from a side.
fn wanted(all: Range<u64>, side: &str, origins: &[(Range<u64>, String)]) -> Vec<Range<u64>> {
    let own: Vec<(u64, u64)> = origins
        .iter()
        .filter(|(_, origin)| origin == side)
        .map(|(range, _)| (range.start, range.end - range.start))
        .collect();
    super::stream::own(all.start, all.end, &own)
}

/// What was appended to the archive.
#[derive(Default)]
struct Appended {
    bytes: u64,
    lines: u64,
    runs: Vec<Run>,
}

/// One piece of it.
struct Run {
    /// Where in the live file.
    start: u64,
    length: u64,
    /// The copy and the stream.
    from: (usize, usize),
    /// Where in the stream.
    place: u64,
    sha256: String,
}

/// Appends what a stream has behind a place. Whatever others append meanwhile stays whole: every write goes to the end,
/// and ends with a line wherever it can.
fn append(
    live: &LogFile,
    stream: &Stream,
    used: u64,
    from: (usize, usize),
    written: &mut Appended,
) -> io::Result<u64> {
    let mut reader = stream.reader(used)?;
    let mut file = live.file();
    let mut block = vec![0; BLOCK];
    let (mut held, mut total) = (0, 0_u64);
    let mut digest = Sha256::new();
    let mut run: Option<Run> = None;
    loop {
        held += fill(&mut reader, block.get_mut(held..).unwrap_or_default())?;
        let is_last = held < block.len();
        let whole = block.get(..held).unwrap_or_default();
        let cut = match memchr::memrchr(b'\n', whole) {
            Some(at) if !is_last => at + 1,
            _ => held,
        };
        let part = whole.get(..cut).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        let mut start = None;
        let mut rest = part;
        while !rest.is_empty() {
            let count = match file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => count,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(cause),
            };
            let length = u64::try_from(count).unwrap_or(0);
            written.bytes += length;
            // Where an append ends is where the file's own place is now.
            let begin = file.stream_position()? - length;
            start.get_or_insert(begin);
            rest = rest.get(count..).unwrap_or_default();
        }
        let (start, length) = (start.unwrap_or(0), u64::try_from(part.len()).unwrap_or(0));
        written.lines += u64::try_from(memchr::memchr_iter(b'\n', part).count()).unwrap_or(0);
        match &mut run {
            Some(run) if run.start + run.length == start => run.length += length,
            other => {
                close(other.take(), &mut digest, written);
                *other = Some(Run { start, length, from, place: used + total, sha256: String::new() });
            }
        }
        digest.update(part);
        total += length;
        block.copy_within(cut..held, 0);
        held -= cut;
        if is_last {
            break;
        }
    }
    close(run, &mut digest, written);
    Ok(total)
}

fn close(run: Option<Run>, digest: &mut Sha256, written: &mut Appended) {
    if let Some(run) = run {
        written.runs.push(Run { sha256: hex(&std::mem::take(digest).finalize()), ..run });
    }
}

/// The file as it is now.
fn reread(file: &LogFile) -> io::Result<LogFile> {
    Ok(LogFile::of(file.file().try_clone()?, &file.path, &file.file().metadata()?, Packing::Plain))
}

/// A copy that gets something.
struct Target<'a> {
    setting: &'a Setting<'a>,
    name: &'a str,
    side: &'a str,
    path: &'a Path,
    is_mirror: bool,
}

impl Target<'_> {
    /// Appends ranges of the archive. Returns how many bytes, which are fewer where the rest has to wait.
    fn send(
        &self,
        archive: &mut Archive,
        ranges: &[Range<u64>],
        then: &mut CopyState,
        end: u64,
        touched: &mut Vec<std::fs::File>,
    ) -> Result<u64, Problem> {
        let fail = |what: &str, cause: io::Error| in_words(what, self.path, &cause);
        let open = || LogFile::open(self.path, Packing::Plain, Access::Append, self.setting.owners);
        let file = match open() {
            Err(Unopened::Missing) if self.is_mirror => {
                create(self.setting, self.path)?;
                open()
            }
            Err(Unopened::Missing) => return Ok(0),
            found => found,
        };
        let file = file.map_err(|cause| match cause {
            Unopened::Missing => format!("{} is not there", self.path.display()),
            Unopened::Refused(why) => format!("{} {why}", self.path.display()),
        })?;
        if file.last_line_end(file.size.saturating_sub(1), file.size).map_err(|e| fail("read", e))? < file.size {
            // Its writer is in the middle of a line.
            return Ok(0);
        }
        if let Some(first) = ranges.first() {
            archive.reach(first.start).map_err(|cause| format!("cannot read the archive: {cause}"))?;
        }
        let before = file.size;
        let mut total = 0;
        for range in ranges {
            let streams =
                archive.range(range.clone()).map_err(|cause| format!("cannot read the archive: {cause}"))?;
            let reached: u64 = streams.iter().map(Stream::length).sum();
            if reached < range.end - range.start {
                return Err("a rotated part of the archive that it has not got yet is gone".to_owned());
            }
            let mut at = range.start;
            for stream in streams {
                let written = match self.is_mirror {
                    true => self.pour(&file, &stream),
                    false => self.write_at_once(&file, &stream),
                };
                let (start, length) = match written {
                    Ok(written) => written,
                    Err(cause) => {
                        let ours = file.file().metadata().is_ok_and(|now| now.len() > before);
                        if ours && self.is_mirror {
                            // Only we write there.
                            let _ = file.file().set_len(before + total);
                        }
                        return Err(fail("append to", cause));
                    }
                };
                at += length;
                then.sent = at;
                if length > 0 {
                    let place = Foreign { id: file.id, start, length };
                    let given = Given { log: self.name.to_owned(), side: self.side.to_owned(), place, sent: at };
                    // Without it, content has to tell.
                    let _ = state::given(self.setting.directory, &given);
                }
                note(then, &file, start, length).map_err(|e| fail("read", e))?;
                total += length;
                if length < stream.length() {
                    touched.extend(file.file().try_clone());
                    return Ok(total);
                }
            }
        }
        then.sent = end;
        touched.extend(file.file().try_clone());
        Ok(total)
    }

    /// Into a file that only we write to, piece by piece.
    fn pour(&self, file: &LogFile, stream: &Stream) -> io::Result<(u64, u64)> {
        let mut written = Appended::default();
        append(file, stream, 0, (0, 0), &mut written)?;
        Ok((written.runs.first().map_or(0, |run| run.start), written.bytes))
    }

    /// Into a file that others append to: whole lines, in one write.
    fn write_at_once(&self, file: &LogFile, stream: &Stream) -> io::Result<(u64, u64)> {
        let mut bytes = Vec::new();
        stream.reader(0)?.take(AT_ONCE).read_to_end(&mut bytes)?;
        let cut = memchr::memrchr(b'\n', &bytes).map_or(0, |at| at + 1);
        let part = bytes.get(..cut).unwrap_or_default();
        if part.is_empty() {
            return Ok((file.size, 0));
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
        Ok((end - length, length))
    }
}

/// What we wrote into a copy is not read as its own.
fn note(then: &mut CopyState, file: &LogFile, start: u64, length: u64) -> io::Result<()> {
    if length == 0 {
        return Ok(());
    }
    then.foreign_bytes += length;
    then.foreign.push(Foreign { id: file.id, start, length });
    let own: Vec<(u64, u64)> = then
        .foreign
        .iter()
        .filter(|foreign| foreign.id == file.id)
        .map(|foreign| (foreign.start, foreign.length))
        .collect();
    // Where it was rotated away while we looked, the next run finds out.
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
