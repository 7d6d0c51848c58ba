//! Proves that the event log, and the archives before it, are what was written.
//!
//! Nobody who writes waits for it: it reads what there is at one moment, while nothing is archived.

use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use chrono::DateTime;

use super::archive::{self, Whole};
use super::chain::{At, Break, Chain, Found, UNKNOWN};
use super::lines::Lines;
use super::pack::{self, Damaged, Manifest};
use super::place::{self, Place};
use super::{clean, log};
use crate::clock::{self, Stopwatch};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;
use crate::report::{EventsBreak, EventsUnheld, EventsVerifyReport, SCHEMA};

/// So many lines are read before it is looked how long it took.
const AT_ONCE: u32 = 1024;
/// Seconds.
const DAY: i64 = 86_400;

/// Follows the chain from the oldest archive to the last line.
///
/// # Errors
/// When the log cannot be read, [`crate::ErrorKind::Locked`] while another process archives or verifies. What is wrong in it
/// is in the report.
pub fn verify(config: &Config) -> Result<EventsVerifyReport> {
    verify_through(config, &Demand::default())
}

/// An event that was there when the chain was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) seq: u64,
    pub(crate) digest: String,
    /// When that was, in seconds since 1970.
    pub(crate) at: i64,
}

/// What is asked of a look at the chain.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    /// It must go through this event: what was verified once is not written anew, whoever may write the log.
    pub(crate) through: Option<Passed>,
    /// So long it may take (milliseconds).
    pub(crate) most_ms: Option<u64>,
}

/// The same, where more is asked.
///
/// # Errors
/// As [`verify`], [`ErrorKind::Busy`] where it takes longer than it may.
pub(crate) fn verify_through(config: &Config, demand: &Demand) -> Result<EventsVerifyReport> {
    let budget = Budget::of(demand.most_ms);
    let _moving = log::archive_lock(config)?;
    let (Whole { log, archives, damaged }, size, known) = now(config)?;
    let (mut number, head) = clean::beginning(config, archives.first().map(|(_, first)| first));
    let cleaned = clean::anchor(config).map_or(0, |anchor| anchor.number());
    let mut chain = Chain::from(&head);
    if let Some(passed) = &demand.through {
        chain.want(passed.seq, &passed.digest);
    }
    let mut walk = Walk { config, chain, budget, files: Vec::new(), pushed: Vec::new() };
    let mut damaged: Vec<&Damaged> = damaged.iter().collect();
    for (file, manifest) in &archives {
        while manifest.number > number.saturating_add(1) && walk.damaged(&mut damaged) {
            number = number.saturating_add(1);
        }
        walk.enter(file);
        walk.gap(manifest, number);
        walk.archive(file, manifest, manifest.number <= cleaned);
        number = manifest.number;
        walk.budget.spare()?;
    }
    while walk.damaged(&mut damaged) {}
    walk.budget.spare()?;
    for one in damaged {
        walk.tell(one);
    }
    walk.enter(&config.events.log);
    if let Some(mut log) = log {
        let fail = |cause| Error::io("read the event log", &config.events.log, cause);
        let followed = log.rewind().and_then(|()| follow(&mut walk.chain, log.take(size), &walk.budget));
        walk.budget.spare()?;
        followed.map_err(fail)?;
    }
    walk.end(known.as_ref());
    if let Some(passed) = &demand.through {
        walk.through(passed, head.seq);
    }
    let breaks = u64::try_from(walk.pushed.len()).unwrap_or(u64::MAX).saturating_add(walk.chain.breaks);
    let (unheld, first_unheld) = walk.chain.unheld();
    let first_unheld = first_unheld
        .map(|at| EventsUnheld { file: walk.files.get(at.file).cloned().unwrap_or_default(), line: at.line });
    let (events, others) = (walk.chain.ours, walk.chain.others);
    let end = walk.chain.last().map(|(_, digest)| (walk.chain.head().seq, digest.to_owned()));
    let told = walk.told();
    Ok(EventsVerifyReport {
        schema: SCHEMA,
        ok: breaks == 0,
        events,
        others,
        unheld,
        first_unheld,
        archives: u64::try_from(archives.len()).unwrap_or(u64::MAX),
        breaks,
        acknowledged: 0,
        aside: None,
        first_break: told.first().map(|(first, _)| first.clone()),
        told,
        end,
    })
}

/// How long reading may take: others can make much to be read.
#[derive(Debug)]
pub(super) struct Budget {
    start: Stopwatch,
    most_ms: Option<u64>,
}

impl Budget {
    pub(super) fn of(most_ms: Option<u64>) -> Budget {
        Budget { start: clock::start(), most_ms }
    }

    pub(super) fn is_over(&self) -> bool {
        self.most_ms.is_some_and(|most| self.start.millis() > most)
    }

    /// Whether there is some left.
    pub(super) fn spare(&self) -> Result<()> {
        // What could not be read as somebody said that it stops is not wrong.
        interrupt::check()?;
        if !self.is_over() {
            return Ok(());
        }
        let seconds = self.most_ms.unwrap_or_default() / 1000;
        Err(Error::new(ErrorKind::Busy, format!("did not come to an end of events and archives in {seconds} seconds"))
            .hint("look whether somebody put archives there or made the log that long, and run verify-events, which takes as long as it needs"))
    }
}

/// What there is at one moment, and what is known of its end. Nobody writes in that moment; the rest is read later.
fn now(config: &Config) -> Result<(Whole, u64, Option<Place>)> {
    // What is to be waited for is looked at before.
    let whole = archive::whole(config)?;
    let _writing = log::lock(config)?;
    let size = match &whole.log {
        Some(log) => log.metadata().map_err(|cause| Error::io("look at", &config.events.log, cause))?.len(),
        None => 0,
    };
    Ok((whole, size, Place::of(config)?))
}

pub(super) fn follow(chain: &mut Chain, from: impl Read, budget: &Budget) -> io::Result<()> {
    let mut lines = Lines::of(from);
    let mut left = AT_ONCE;
    while let Some(line) = lines.next()? {
        chain.next(&line);
        left -= 1;
        if left == 0 {
            if budget.is_over() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            left = AT_ONCE;
        }
    }
    Ok(())
}

/// Takes out of archives whose manifests are damaged the one whose lines go on with the chain; with the chain behind it.
pub(super) fn next<'a>(
    chain: &Chain,
    damaged: &mut Vec<&'a Damaged>,
    budget: &Budget,
) -> Option<(&'a Damaged, Chain)> {
    let (index, behind) = damaged.iter().enumerate().find_map(|(index, one)| {
        let mut behind = chain.clone();
        one.open().and_then(|text| follow(&mut behind, text, budget)).ok()?;
        let has_lines = behind.ours.saturating_add(behind.others) > chain.ours.saturating_add(chain.others);
        (behind.breaks == chain.breaks && has_lines).then_some((index, behind))
    })?;
    Some((damaged.remove(index), behind))
}

struct Walk<'a> {
    config: &'a Config,
    chain: Chain,
    budget: Budget,
    /// Those that were looked at, in the order of the chain.
    files: Vec<PathBuf>,
    /// What is wrong beside what the chain has found.
    pushed: Vec<(At, EventsBreak, u64)>,
}

impl Walk<'_> {
    fn enter(&mut self, file: &Path) {
        self.chain.enter(self.files.len());
        self.files.push(file.to_path_buf());
    }

    fn push(&mut self, at: At, seq: u64, kind: &str, reason: String) {
        self.push_all(at, seq, 1, kind, reason);
    }

    /// Of so many events.
    fn push_all(&mut self, at: At, seq: u64, events: u64, kind: &str, reason: String) {
        let file = self.files.get(at.file).cloned().unwrap_or_default();
        let told = EventsBreak { file, line: at.line.max(1), seq, kind: kind.to_owned(), reason };
        self.pushed.push((at, told, events));
    }

    /// Goes on through one of these archives, of which it is not known what they are to hold: what is in one counts where the
    /// chain shows that it belongs there. Whether there was one.
    fn damaged(&mut self, waiting: &mut Vec<&Damaged>) -> bool {
        let mut chain = self.chain.clone();
        chain.enter(self.files.len());
        let Some((one, chain)) = next(&chain, waiting, &self.budget) else { return false };
        self.tell(one);
        self.chain = chain;
        true
    }

    fn tell(&mut self, damaged: &Damaged) {
        self.enter(&pack::manifest_of(&damaged.file));
        let (at, seq) = (self.chain.at(), self.chain.head().seq.saturating_add(1));
        self.push(at, seq, "archive", damaged.told());
    }

    /// Archives that are not there, before one.
    fn gap(&mut self, manifest: &Manifest, last: u64) {
        let (before, at) = (self.chain.head(), self.chain.at());
        if manifest.number <= last {
            let reason = format!("there are two archives with the number {}", manifest.number);
            self.push(at, manifest.first_seq, "archive", reason);
        } else if manifest.number > last.saturating_add(1) {
            let events = match (before.seq.saturating_add(1), manifest.before().seq) {
                (first, last) if first <= last => events(first, last),
                _ => "lines of the site's pages".to_owned(),
            };
            let count = manifest.number - last - 1;
            let reason = match count {
                1 => format!("an archive before it is not there: {events}"),
                _ => format!("{count} archives before it are not there: {events}"),
            };
            let events = manifest.before().seq.saturating_sub(before.seq).max(1);
            self.push_all(at, before.seq.saturating_add(1), events, "missing", reason);
        } else {
            return;
        }
        self.chain.go_on(&manifest.before());
    }

    fn archive(&mut self, file: &Path, manifest: &Manifest, was_cleaned: bool) {
        let mut chain = self.chain.clone();
        let read = manifest.open(file).and_then(|mut text| {
            follow(&mut chain, &mut text, &self.budget)?;
            Ok(manifest.fits(&text))
        });
        let why = match read {
            Ok(true) if pack::is_archive(self.config, &manifest.day, file) => {
                self.chain = chain;
                return;
            }
            // The cleaning that removed it died behind that.
            Err(cause) if was_cleaned && cause.kind() == io::ErrorKind::NotFound => {
                return self.chain.go_on(&manifest.after());
            }
            Ok(true) => "its name is not that of its day".to_owned(),
            Ok(false) => "it is not what was archived".to_owned(),
            Err(cause) => format!("it cannot be unpacked: {cause}"),
        };
        // A line that was changed in it is named where the chain shows it.
        let known = self.chain.found().len();
        let shown = chain.found().get(known..).unwrap_or_default();
        let at = shown.iter().map(|found| found.at).find(|at| at.file == chain.at().file);
        let at = at.unwrap_or(self.chain.at());
        let events = match manifest.events {
            0 => "lines of the site's pages".to_owned(),
            _ => events(manifest.first_seq, manifest.last_seq),
        };
        self.push(at, manifest.first_seq, "archive", format!("{why}: {events}"));
        self.chain.go_on(&manifest.after());
    }

    /// Whether the last line is the one that was written last.
    fn end(&mut self, known: Option<&Place>) {
        let (seq, here) = (self.chain.head().seq, self.chain.at());
        let behind = At { line: here.line.saturating_add(1), ..here };
        let last = self.chain.last().map(|(at, digest)| (at, digest.to_owned()));
        let is_last = |digest: &str| last.as_ref().is_none_or(|(_, last)| last == digest);
        let head = place::file(self.config);
        let unknown = |why: &str| {
            format!(
                "{} {why}, so nobody knows whether events were cut off here: look for them in backups; the next event says that this was so",
                head.display()
            )
        };
        match known {
            None if seq == 0 && self.chain.ours == 0 => {}
            None => {
                self.push(behind, seq.saturating_add(1), "end", unknown("is not there or makes no sense"))
            }
            Some(place) if place.own == UNKNOWN => {
                self.push(behind, seq.saturating_add(1), "end", unknown("was not there or made no sense"));
            }
            Some(place) if place.seq > seq => {
                let reason = format!("the log ends before {}", events(seq.saturating_add(1), place.seq));
                self.push_all(behind, seq.saturating_add(1), place.seq - seq, "cut", reason);
            }
            Some(place) if place.seq == seq => {
                if is_last(&place.own) {
                    self.moment(place, seq);
                } else {
                    let at = last.as_ref().map_or(here, |(at, _)| *at);
                    self.push(at, seq, "changed", format!("event {seq} is not the one that was written"));
                }
            }
            Some(place) if place.seq.saturating_add(1) == seq && is_last(&place.next) => {}
            // It was not brought to disk, and the lines are.
            Some(place) if place.is_of_before() => {}
            Some(place) => {
                let why =
                    format!("says that event {} is the last one, and is an older one or another", place.seq);
                self.push(behind, seq, "end", unknown(&why));
            }
        }
    }

    /// Whether it went through an event that was there before; it began behind one of this number.
    fn through(&mut self, passed: &Passed, began: u64) {
        let seqs = self.pushed.iter().map(|(_, told, _)| told.seq);
        if seqs.chain(self.chain.found().iter().map(|found| found.seq)).any(|seq| seq == passed.seq) {
            // What is wrong there is told.
            return;
        }
        let here = self.chain.at();
        let at = At { line: here.line.saturating_add(1), ..here };
        let then = DateTime::from_timestamp(passed.at, 0).map(clock::stamp).unwrap_or_default();
        let seq = passed.seq;
        let why = match self.chain.is_wanted {
            Some(true) => return,
            Some(false) => "is another one now",
            // What is too old is removed, and what was verified is not at once.
            None if began >= seq => {
                let age = clock::now().timestamp().saturating_sub(passed.at);
                let is_old = |keep: u32| age > i64::from(keep).saturating_sub(1).saturating_mul(DAY);
                if self.config.events.keep_days.is_some_and(is_old) {
                    return;
                }
                "is gone with all before it, and it was not too old"
            }
            None if self.chain.head().seq < seq => "is not there any more",
            // It is in an archive that cannot be read, which is told.
            None => return,
        };
        let reason = format!(
            "event {seq}, which was there when the chain was verified at {then}, {why}: it was written anew"
        );
        self.push(at, seq, "rewritten", reason);
    }

    /// Whether what stands directly before the last event came in its moment.
    fn moment(&mut self, place: &Place, seq: u64) {
        let Some((base, first)) = self.chain.base() else { return };
        match first {
            // What is written down goes on behind lines that were archived.
            _ if place.size == 0 => {}
            _ if place.fold == base => self.chain.prove(),
            Some(first) => {
                let reason = format!("lines from here on, before event {seq}, do not belong there");
                self.push(first, seq.saturating_sub(1), "inserted", reason);
            }
            None => {
                let at = self.chain.last().map_or_else(|| self.chain.at(), |(at, _)| at);
                let reason = format!("lines of the site's pages directly before event {seq} are gone");
                self.push(at, seq, "changed", reason);
            }
        }
    }

    /// What is wrong, in the order of the chain, as far as it is told one by one; with how many events or changes each is of.
    fn told(self) -> Vec<(EventsBreak, u64)> {
        let found =
            self.chain.found().iter().map(|found| (found.at, told(&self.files, found), found.extent()));
        let mut all: Vec<_> = found.chain(self.pushed).collect();
        all.sort_by_key(|(at, ..)| *at);
        all.into_iter().map(|(_, told, events)| (told, events)).collect()
    }
}

fn events(first: u64, last: u64) -> String {
    if first == last { format!("event {first}") } else { format!("events {first} to {last}") }
}

/// What the chain has found, in words.
fn told(files: &[PathBuf], found: &Found) -> EventsBreak {
    let file = |at: At| files.get(at.file).cloned().unwrap_or_default();
    let place = |at: At| {
        if at.file == found.at.file {
            format!("line {}", at.line)
        } else {
            format!("line {} of {}", at.line, file(at).display())
        }
    };
    let seq = match found.what {
        Break::Missing(first, _) => first,
        _ => found.seq,
    };
    let (kind, reason) = match found.what {
        Break::Missing(first, last) if first == last => {
            ("missing", format!("event {first} before it is not there"))
        }
        Break::Missing(first, last) => {
            ("missing", format!("events {first} to {last} before it are not there"))
        }
        Break::Again => ("again", format!("the number {seq} was there before")),
        Break::Inserted => ("inserted", format!("this line, with the number {seq}, does not belong there")),
        Break::Put(count) => (
            "inserted",
            match count {
                1 => "this line does not belong there: no event behind it knows of it".to_owned(),
                _ => format!(
                    "{count} lines from here on do not belong there: no event behind them knows of them"
                ),
            },
        ),
        Break::Moved(behind) => ("moved", format!("event {seq} belongs behind {}", place(behind))),
        Break::Changed(last) if last == found.at => (
            "changed",
            "this line is not the one that was there, or lines of others behind it are gone".to_owned(),
        ),
        Break::Changed(last) => {
            ("changed", format!("from here to {} a line was changed, put in or taken out", place(last)))
        }
        Break::Unknown => (
            "end",
            format!(
                "when event {seq} was written, nobody knew what had been before: events may have been cut off there"
            ),
        ),
        Break::Long(bytes) => {
            ("long", format!("this line of {bytes} bytes is longer than any event: look who wrote it"))
        }
    };
    EventsBreak { file: file(found.at), line: found.at.line.max(1), seq, kind: kind.to_owned(), reason }
}
