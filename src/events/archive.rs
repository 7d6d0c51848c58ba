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

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::chain::{Chain, Head};
use super::days;
use super::pack::{self, Damaged, Listed, MAX_NOTE, Manifest, manifests};
use super::{cut, log, verify};
use crate::clock;
use crate::config::Config;
use crate::durable;
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::report::{EventsArchiveReport, EventsArchived, SCHEMA};

const VERSION: u32 = 1;

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
    archive_at(config, clock::now(), &mut |_| Ok(()))
}

pub(super) fn archive_at(
    config: &Config,
    now: DateTime<Utc>,
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
    let path = &config.events.log;
    let old = match durable::open_regular(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(report),
        Err(cause) => return Err(Error::io("read the event log", path, cause)),
    };
    let today = now.date_naive();
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
    clean(config, today, &mut report)?;
    Ok(report)
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
    durable::private_directory(&config.root.join("sync_state").join("events"))?;
    if let Some(noted) = Moving::noted(config)
        && noted.is_in(log).map_err(fail)?
    {
        return Ok(Some(noted));
    }
    let known = manifests(config)?;
    let (number, before) = last(config, &known);
    let Some(number) = number.checked_add(1) else {
        let manifest = known.all.last().map_or_else(|| cleaned(config), |(file, _)| pack::manifest_of(file));
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
    }))
}

/// The number of the last archive, and the end of the chain behind it.
fn last(config: &Config, known: &Listed) -> (u64, Head) {
    let (mut number, head) = beginning(config, known.all.first().map(|(_, first)| first));
    let mut chain = Chain::from(&head);
    // Where one belongs whose manifest is damaged, its lines say: between others of which one is missing, or behind all.
    let mut damaged: Vec<&Damaged> = known.damaged.iter().collect();
    for (_, manifest) in &known.all {
        while manifest.number > number.saturating_add(1) {
            let Some((_, behind)) = verify::next(&chain, &mut damaged) else { break };
            (chain, number) = (behind, number.saturating_add(1));
        }
        (chain, number) = (Chain::from(&manifest.after()), manifest.number);
    }
    while let Some((_, behind)) = verify::next(&chain, &mut damaged) {
        (chain, number) = (behind, number.saturating_add(1));
    }
    // What cannot be read has a number as well, where its name says that it comes behind them.
    let is_behind = |damaged: &&&Damaged| known.all.last().is_none_or(|(last, _)| !damaged.is_before(last));
    number = number.saturating_add(u64::try_from(damaged.iter().filter(is_behind).count()).unwrap_or(0));
    (number, chain.head())
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
        let log = match durable::open_regular(path) {
            Ok(file) => Some(file),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            Err(cause) => return Err(fail(cause)),
        };
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

/// Removes what is older than is to be kept; nothing where the clock is behind the newest archive.
fn clean(config: &Config, today: NaiveDate, report: &mut EventsArchiveReport) -> Result<()> {
    let Some(keep) = config.events.keep_days else { return Ok(()) };
    let Listed { all, damaged } = manifests(config)?;
    if !damaged.is_empty() {
        let told = damaged.iter().map(|damaged| format!("{}; until then none is removed", damaged.told()));
        report.warnings.extend(told);
        return Ok(());
    }
    let day = |manifest: &Manifest| manifest.day.parse::<NaiveDate>().ok();
    if all.iter().any(|(_, manifest)| day(manifest).is_some_and(|day| day > today)) {
        report.warnings.push("the clock is behind the newest archive; none is removed".to_owned());
        return Ok(());
    }
    let Some(first) = today.checked_sub_days(Days::new(u64::from(keep))) else { return Ok(()) };
    // From the oldest on, so that what stays is one chain.
    let old: Vec<_> =
        all.iter().take_while(|(_, manifest)| day(manifest).is_some_and(|day| day < first)).collect();
    if let Some((_, last)) = old.last() {
        let after = last.after();
        let anchor = Anchor { number: last.number, seq: after.seq, digest: after.digest };
        let text = serde_json::to_vec(&anchor).unwrap_or_default();
        durable::replace(&cleaned(config), &text)?;
    }
    for (file, _) in old {
        // Its manifest last: as long as it is there, the next run removes both.
        if std::fs::symlink_metadata(file).is_ok() {
            durable::remove(file)?;
        }
        durable::remove(&pack::manifest_of(file))?;
        report.removed.push(file.clone());
    }
    Ok(())
}

/// Where the chain was behind the last archive that was removed as too old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Anchor {
    number: u64,
    seq: u64,
    digest: String,
}

impl Anchor {
    pub(super) fn head(&self) -> Head {
        Head { seq: self.seq, digest: self.digest.clone() }
    }

    /// Of that archive.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

/// The file that says so.
fn cleaned(config: &Config) -> PathBuf {
    config.root.join("sync_state").join("events").join("cleaned")
}

pub(super) fn anchor(config: &Config) -> Option<Anchor> {
    durable::read_regular(&cleaned(config), MAX_NOTE).ok().and_then(|text| serde_json::from_slice(&text).ok())
}

/// Where the chain begins of which something is left, and the number of the last archive before. Archives before it were
/// removed as too old; where others are gone as well, it begins before them, so that they are missed.
pub(super) fn beginning(config: &Config, first: Option<&Manifest>) -> (u64, Head) {
    let cleaned = anchor(config).map_or_else(Default::default, |anchor| (anchor.number, anchor.head()));
    // A cleaning that died has written that down, and has not removed all of them.
    first
        .map(|first| (first.number.saturating_sub(1), first.before()))
        .filter(|(number, before)| *number <= cleaned.0 && before.seq <= cleaned.1.seq)
        .unwrap_or(cleaned)
}

fn digest(mut log: &File, bytes: u64) -> io::Result<String> {
    log.rewind()?;
    let mut digest = Sha256::new();
    io::copy(&mut log.take(bytes), &mut digest)?;
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
