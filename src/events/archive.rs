//! Moves the lines of past days out of the event log: packed, one file a day, each with a manifest that holds the chain.
//!
//! Invariant: every line is in the log or in an archive that was read back, and no two archives have one line. What is to
//! be moved is written down first (`Moving`), so that a run that dies is finished by the next one at the same place,
//! however the log has grown since; then come archives and manifests, each whole or not at all; then the log is put in
//! place without those lines (`cut`), and the note goes. As long as the note is there and the log has those lines, their
//! archives do not count.
//!
//! Whoever writes waits for none of this: the beginning of a log never changes, so it is read and packed without its lock.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::chain::{Chain, Head};
use super::days;
use super::pack::{self, Damaged, Listed, MAX_NOTE, Manifest, manifests};
use super::verify::Budget;
use super::{clean, cut, log, verify};
use crate::clock::Moment;
use crate::config::Config;
use crate::durable;
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::interrupt::Looking;
use crate::report::{EventsArchiveReport, EventsArchived, SCHEMA};

const VERSION: u32 = 1;
/// No log is larger (bytes), as the lines of a day are moved away: whoever made it so wants us to read for hours.
const MAX_LOG: u64 = 8 << 30;
/// So long it is looked where archives belong whose manifests are damaged (milliseconds).
const MOST_MS: u64 = 120_000;

/// The steps of moving, for whoever wants to strike between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// What is to be moved is written down.
    Noted,
    /// An archive is in its place.
    Packed,
    /// Its manifest is.
    Listed,
    /// What stays is copied, but for what comes until the log is put in place.
    Copied,
    /// The log is without those lines.
    Cut,
    /// What its writers added meanwhile followed.
    Followed,
}

/// Moves the lines of past days away, and removes archives that are too old.
///
/// # Errors
/// When the log cannot be read or an archive not be written, [`ErrorKind::Locked`] while another process archives or
/// verifies. Nothing is lost then, and the next call goes on.
pub fn archive(config: &Config) -> Result<EventsArchiveReport> {
    archive_at(config, &Moment::now(), &mut |_| Ok(()))
}

pub(super) fn archive_at(
    config: &Config,
    now: &Moment,
    each: &mut dyn FnMut(Step) -> Result<()>,
) -> Result<EventsArchiveReport> {
    let _lock = log::archive_lock(config)?;
    let mut report = EventsArchiveReport {
        schema: SCHEMA,
        ok: true,
        archived: Vec::new(),
        removed: Vec::new(),
        warnings: Vec::new(),
    };
    // Of a run before this one, whose log is still open somewhere, or that died.
    cut::follow(config, &mut report)?;
    let Some(old) = open(config)? else { return Ok(report) };
    let today = clean::day(now);
    if let Some(moving) = moving(config, &old, today, &mut report)? {
        if std::fs::symlink_metadata(before(config)).is_ok() {
            return Err(Error::new(
                ErrorKind::Busy,
                "the log of before the last archive may still be written to:",
            )
            .at(before(config))
            .hint("end the process that has it open, or try again in an hour; nothing is lost"));
        }
        durable::replace(&note(config), &moving.text()?)?;
        each(Step::Noted)?;
        let after = move_days(config, &old, &moving, &mut report, each)?;
        cut::cut(config, &old, moving.bytes, &after, each)?;
        durable::remove(&note(config))?;
        each(Step::Cut)?;
        cut::follow(config, &mut report)?;
        each(Step::Followed)?;
    } else {
        forget(config)?;
    }
    clean::clean(config, now, &mut report)?;
    Ok(report)
}

/// The log, where there is one.
fn open(config: &Config) -> Result<Option<File>> {
    let path = &config.events.log;
    let fail = |cause| Error::io("read the event log", path, cause);
    let log = match durable::open_regular(path) {
        Ok(log) => log,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(fail(cause)),
    };
    let size = log.metadata().map_err(fail)?.len();
    if size > MAX_LOG {
        return Err(Error::new(ErrorKind::Corrupt, format!("refused an event log of {size} bytes:"))
            .at(path)
            .hint("find out who made it that large, and move it away; events go on in a new one, of which it is told that its beginning is missing"));
    }
    Ok(Some(log))
}

/// Takes away the note of a run that died when it had done what is noted.
fn forget(config: &Config) -> Result<()> {
    match std::fs::symlink_metadata(note(config)) {
        Ok(_) => durable::remove(&note(config)),
        Err(_) => Ok(()),
    }
}

/// What is being moved: the beginning of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Moving {
    version: u32,
    bytes: u64,
    sha256: String,
    /// The number of its first archive, and the end of the chain before it.
    number: u64,
    before_seq: u64,
    before: String,
    /// Its days, in order: which file, and how many bytes.
    days: Vec<(String, PathBuf, u64)>,
    /// The day on which that was written down.
    #[serde(default)]
    today: String,
}

impl Moving {
    fn text(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|cause| {
            Error::new(ErrorKind::Internal, "cannot write down what is moved").because(cause)
        })
    }

    /// What is written down, if it may be: others may write where that lies, so it says nothing of where files are made.
    fn noted(config: &Config) -> Option<Moving> {
        let text = durable::read_regular(&note(config), MAX_NOTE).ok()?;
        let noted = serde_json::from_slice::<Moving>(&text).ok()?;
        let sum = noted.days.iter().try_fold(0_u64, |sum, (_, _, bytes)| sum.checked_add(*bytes));
        let is_ours = noted.days.iter().all(|(day, file, _)| pack::is_archive(config, day, file));
        (is_ours && sum == Some(noted.bytes)).then_some(noted)
    }

    /// Whether it is what we would write down: others could have written that lines of today are old ones, which are removed.
    fn is_ours(
        &self,
        config: &Config,
        log: &File,
        today: NaiveDate,
        known: &Listed,
        budget: &Budget,
    ) -> Result<bool> {
        let fail = |cause| Error::io("read the event log", &config.events.log, cause);
        // The clock may have been set back since.
        let then = self.today.parse::<NaiveDate>().unwrap_or(today);
        let found = days::of(config, log, then).map_err(fail)?.days;
        let last_day = self.days.len().saturating_sub(1);
        let fits = self.days.iter().enumerate().all(|(number, (day, _, bytes))| {
            found.get(number).is_some_and(|(found, _, whole)| {
                // Lines may have come since that belong to the last one.
                found == day && (bytes == whole || number == last_day && bytes < whole)
            })
        });
        let before = Listed {
            all: known.all.iter().filter(|(_, manifest)| manifest.number < self.number).cloned().collect(),
            damaged: known.damaged.clone(),
        };
        let (number, head) = last(config, &before, budget)?;
        let goes_on = number.checked_add(1) == Some(self.number)
            && (head.seq, head.digest.as_str()) == (self.before_seq, self.before.as_str());
        Ok(fits && goes_on)
    }

    /// Whether its lines are still in the log.
    fn is_in(&self, log: &File) -> io::Result<bool> {
        Ok(log.metadata()?.len() >= self.bytes && digest(log, self.bytes)? == self.sha256)
    }
}

/// Where that is written down.
pub(super) fn note(config: &Config) -> PathBuf {
    config.root.join("sync_state").join("events").join("moving")
}

/// What is to be moved; what a run that died was about to move, where its lines are still in the log.
fn moving(
    config: &Config,
    log: &File,
    today: NaiveDate,
    report: &mut EventsArchiveReport,
) -> Result<Option<Moving>> {
    let fail = |cause| Error::io("read the event log", &config.events.log, cause);
    durable::apart_directory(&config.root.join("sync_state").join("events"))?;
    let known = manifests(config)?;
    let budget = Budget::of(Some(MOST_MS));
    if let Some(noted) = Moving::noted(config)
        && noted.is_in(log).map_err(fail)?
    {
        if noted.is_ours(config, log, today, &known, &budget)? {
            return Ok(Some(noted));
        }
        report
            .warnings
            .push(format!("{} is not what is written there: look who wrote it", note(config).display()));
    }
    let (number, before) = last(config, &known, &budget)?;
    let Some(number) = number.checked_add(1) else {
        let manifest =
            known.all.last().map_or_else(|| clean::place(config), |(file, _)| pack::manifest_of(file));
        return Err(Error::new(ErrorKind::Corrupt, "there is no number left for an archive after").at(manifest).hint(
            "nobody made so many archives: somebody wrote that number; move the file and its archive away, and verify",
        ));
    };
    let days::Days { days, odd } = days::of(config, log, today).map_err(fail)?;
    if days.is_empty() {
        return Ok(None);
    }
    if let Some((count, first)) = odd {
        report.warnings.push(format!(
            "{count} lines of {} say of no day that can be when they were written, the first of them line {first}: they are archived with those before or behind them; look who wrote them",
            config.events.log.display()
        ));
    }
    let bytes = days.iter().map(|(_, _, bytes)| bytes).sum();
    let sha256 = digest(log, bytes).map_err(fail)?;
    Ok(Some(Moving {
        version: VERSION,
        bytes,
        sha256,
        number,
        before_seq: before.seq,
        before: before.digest,
        days,
        today: today.to_string(),
    }))
}

/// The number of the last archive, and the end of the chain behind it.
fn last(config: &Config, known: &Listed, budget: &Budget) -> Result<(u64, Head)> {
    let (mut number, head) = clean::beginning(config, known.all.first().map(|(_, first)| first));
    let mut chain = Chain::from(&head);
    // Where one belongs whose manifest is damaged, its lines say: between others of which one is missing, or behind all.
    let mut damaged: Vec<&Damaged> = known.damaged.iter().collect();
    for (_, manifest) in &known.all {
        while manifest.number > number.saturating_add(1) {
            let Some((_, behind)) = verify::next(&chain, &mut damaged, budget) else { break };
            (chain, number) = (behind, number.saturating_add(1));
        }
        (chain, number) = (Chain::from(&manifest.after()), manifest.number);
    }
    while let Some((_, behind)) = verify::next(&chain, &mut damaged, budget) {
        (chain, number) = (behind, number.saturating_add(1));
    }
    // What cannot be read has a number as well, where its name says that it comes behind them.
    let is_behind = |damaged: &&&Damaged| known.all.last().is_none_or(|(last, _)| !damaged.is_before(last));
    number = number.saturating_add(u64::try_from(damaged.iter().filter(is_behind).count()).unwrap_or(0));
    budget.spare()?;
    Ok((number, chain.head()))
}

/// Puts each day where it belongs, unless a run that died has done that; the end of the chain behind them.
fn move_days(
    config: &Config,
    log: &File,
    moving: &Moving,
    report: &mut EventsArchiveReport,
    each: &mut dyn FnMut(Step) -> Result<()>,
) -> Result<Head> {
    let fail = |cause| Error::io("read the event log", &config.events.log, cause);
    durable::owned_directory(&config.events.archive, &config.ownership)?;
    let mut head = Head { seq: moving.before_seq, digest: moving.before.clone() };
    let mut start = 0;
    for (number, (day, file, bytes)) in (moving.number..).zip(&moving.days) {
        let end = start + bytes;
        let (manifest, long) = Manifest::of(log, start..end, number, day, head).map_err(fail)?;
        pack::pack(config, file, log, start, &manifest)?;
        each(Step::Packed)?;
        pack::list(config, file, &manifest)?;
        each(Step::Listed)?;
        if long > 0 {
            report.warnings.push(format!(
                "{long} lines in {} are longer than any event: look who wrote them",
                file.display()
            ));
        }
        let lines = manifest.lines;
        report.archived.push(EventsArchived { file: file.clone(), lines, bytes: *bytes });
        (head, start) = (manifest.after(), end);
    }
    Ok(head)
}

/// What there is at one moment: the log, and the archives whose lines are not in it.
pub(super) struct Whole {
    /// None where there is none.
    pub(super) log: Option<File>,
    pub(super) archives: Vec<(PathBuf, Manifest)>,
    /// Those of which it is not known what they are to hold.
    pub(super) damaged: Vec<Damaged>,
}

/// So often the log may be cut while somebody looks.
const LOOKS: u32 = 20;

/// Looks at all of it, without a lock: again where lines are moved meanwhile.
pub(super) fn whole(config: &Config) -> Result<Whole> {
    let path = &config.events.log;
    let fail = |cause| Error::io("read the event log", path, cause);
    let noted = || durable::read_regular(&note(config), MAX_NOTE).ok();
    for _ in 0..LOOKS {
        let before = noted();
        let log = open(config)?;
        let Listed { all: mut archives, damaged } = manifests(config)?;
        let is_moved = |log: &Option<File>| -> io::Result<bool> {
            let there = std::fs::symlink_metadata(path).ok().map(|there| number(&there));
            let opened = log.as_ref().map(File::metadata).transpose()?.map(|log| number(&log));
            Ok(there != opened)
        };
        if is_moved(&log).map_err(fail)? || noted() != before {
            continue;
        }
        if let (Some(moving), Some(log)) = (Moving::noted(config), &log)
            && moving.is_in(log).map_err(fail)?
        {
            archives.retain(|(_, manifest)| manifest.number < moving.number);
        }
        return Ok(Whole { log, archives, damaged });
    }
    Err(Error::new(ErrorKind::Busy, "others move again and again the lines of").at(path).hint("try again"))
}

fn digest(mut log: &File, bytes: u64) -> io::Result<String> {
    log.rewind()?;
    let mut digest = Sha256::new();
    io::copy(&mut Looking(log.take(bytes)), &mut digest)?;
    Ok(hex(&digest.finalize()))
}

/// What its writers added to the log after it was cut is there, under this name, until all of it followed.
pub(super) fn before(config: &Config) -> PathBuf {
    let mut name = config.events.log.as_os_str().to_owned();
    name.push(".before");
    PathBuf::from(name)
}

/// Whether two names are of one file.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let number = |path: &Path| std::fs::symlink_metadata(path).ok().map(|there| number(&there));
    number(one).is_some_and(|one| number(other) == Some(one))
}

/// Which file it is, whatever its name.
pub(super) fn number(file: &std::fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
