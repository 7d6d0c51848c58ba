//! Moves the lines of past days out of the event log: packed, one file a day, each with a manifest that holds the chain.
//!
//! Invariant: every line is in the log or in an archive that was read back, and no two archives have one line. What is to
//! be moved is written down first (`Moving`), so that a run that dies is finished by the next one at the same place,
//! however the log has grown since; then come archives and manifests, each whole or not at all; then the log is put in
//! place without those lines; what its writers added to the old file meanwhile follows.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::chain::{Chain, Head};
use super::line;
use super::log::{self, Place};
use crate::clock;
use crate::config::Config;
use crate::durable::{self, Held, Nascent};
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::report::{EventsArchiveReport, EventsArchived, SCHEMA};

/// What a manifest begins with.
const FORMAT: &str = "cr0sync event archive";
const VERSION: u32 = 1;
/// An archive of one day is no larger than this (bytes, unpacked): it is read whole.
const MAX_DAY: u64 = 1 << 30;
/// What we wrote beside it is smaller (bytes).
const MAX_NOTE: u64 = 16 << 20;
/// So often it is looked, a millisecond apart, whether somebody still has the old log open.
const LOOKS: u32 = 5_000;

/// What is known of one archive; it lies beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: String,
    version: u32,
    /// Its place among all that were ever made, from 1 on.
    number: u64,
    /// The day of its lines.
    pub(super) day: String,
    /// When the day ended, RFC 3339.
    pub(super) until: String,
    /// Lines, whoever wrote them.
    pub(super) lines: u64,
    /// Events of ours: how many, and their numbers.
    pub(super) events: u64,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    /// Unpacked.
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// The end of the chain before its first line.
    before_seq: u64,
    before: String,
    /// And behind its last.
    after_seq: u64,
    after: String,
}

impl Manifest {
    pub(super) fn before(&self) -> Head {
        Head { seq: self.before_seq, digest: self.before.clone() }
    }

    pub(super) fn after(&self) -> Head {
        Head { seq: self.after_seq, digest: self.after.clone() }
    }

    /// Whether these are its lines.
    pub(super) fn fits(&self, text: &[u8]) -> bool {
        line::digest(text) == self.sha256
    }
}

/// The steps of moving, for whoever wants to strike between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// What is to be moved is written down.
    Noted,
    /// An archive is in its place.
    Packed,
    /// Its manifest is.
    Listed,
    /// The log is without those lines.
    Cut,
    /// What its writers added meanwhile followed.
    Followed,
}

/// Moves the lines of past days away, and removes archives that are too old.
///
/// # Errors
/// When the log cannot be read or an archive not be written. Nothing is lost then, and the next call goes on.
pub fn archive(config: &Config) -> Result<EventsArchiveReport> {
    archive_at(config, clock::now(), &mut |_| Ok(()))
}

pub(super) fn archive_at(
    config: &Config,
    now: DateTime<Utc>,
    each: &mut dyn FnMut(Step) -> Result<()>,
) -> Result<EventsArchiveReport> {
    let _lock = log::lock(config)?;
    let mut report = EventsArchiveReport {
        schema: SCHEMA,
        ok: true,
        archived: Vec::new(),
        removed: Vec::new(),
        warnings: Vec::new(),
    };
    let path = &config.events.log;
    let mut old = match durable::open_regular(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(report),
        Err(cause) => return Err(Error::io("read the event log", path, cause)),
    };
    let today = now.date_naive();
    if let Some(moving) = moving(config, &mut old, today)? {
        durable::replace(&note(config), &moving.text()?)?;
        each(Step::Noted)?;
        move_days(config, &mut old, &moving, &mut report, each)?;
        cut(config, &old, moving.bytes, &mut report, each)?;
        durable::remove(&note(config))?;
    }
    clean(config, today, &mut report)?;
    Ok(report)
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
}

/// Where that is written down.
fn note(config: &Config) -> PathBuf {
    config.root.join("sync_state").join("events").join("moving")
}

/// What is to be moved; what a run that died was about to move, where its lines are still in the log.
fn moving(config: &Config, log: &mut File, today: NaiveDate) -> Result<Option<Moving>> {
    let fail = |cause| Error::io("read the event log", &config.events.log, cause);
    durable::private_directory(&config.root.join("sync_state").join("events"))?;
    let noted = durable::read_regular(&note(config), MAX_NOTE)
        .ok()
        .and_then(|text| serde_json::from_slice::<Moving>(&text).ok());
    // Others may write where that lies, so it says nothing of where files are made.
    let is_ours = |noted: &Moving| noted.days.iter().all(|(day, file, _)| is_archive(config, day, file));
    if let Some(noted) = noted.filter(is_ours)
        && log.metadata().map_err(fail)?.len() >= noted.bytes
        && digest(log, noted.bytes).map_err(fail)? == noted.sha256
    {
        return Ok(Some(noted));
    }
    let known = manifests(config)?;
    let last = known.last().map(|(_, last)| last);
    // Where all archives were removed as too old, what was written down of that says how far they went.
    let (number, before) = match last {
        Some(last) => (last.number, last.after()),
        None => anchor(config).map_or_else(Default::default, |anchor| (anchor.number, anchor.head())),
    };
    let mut days: Vec<(String, PathBuf, u64)> = Vec::new();
    let mut lines = Lines::of(log).map_err(fail)?;
    while let Some(line) = lines.next().map_err(fail)? {
        // A line that does not say when belongs to the one before it.
        let day = day(line).or_else(|| days.last().and_then(|(day, ..)| day.parse().ok())).unwrap_or(today);
        if day >= today || !line.ends_with(b"\n") {
            break;
        }
        let (day, length) = (day.to_string(), u64::try_from(line.len()).unwrap_or(0));
        match days.last_mut() {
            Some((last, _, bytes)) if *last == day && *bytes < MAX_DAY => *bytes += length,
            _ => {
                let file = free(config, &day, &days);
                days.push((day, file, length));
            }
        }
    }
    let bytes = days.iter().map(|(_, _, bytes)| bytes).sum();
    if days.is_empty() {
        return Ok(None);
    }
    let sha256 = digest(log, bytes).map_err(fail)?;
    Ok(Some(Moving {
        version: VERSION,
        bytes,
        sha256,
        number: number + 1,
        before_seq: before.seq,
        before: before.digest,
        days,
    }))
}

/// What the names of archives begin with, before the day.
const NAME: &str = "security_events.";

/// Whether a file may be the archive of a day.
fn is_archive(config: &Config, day: &str, file: &Path) -> bool {
    let number = |name: &str| {
        let number = name.strip_prefix(NAME)?.strip_prefix(day)?.strip_suffix(".json.gz")?;
        Some(number.is_empty() || number.strip_prefix('-')?.parse::<u32>().is_ok())
    };
    day.parse::<NaiveDate>().is_ok()
        && file.parent() == Some(config.events.archive.as_path())
        && file.file_name().and_then(|name| number(name.to_str()?)) == Some(true)
}

/// A name that no archive has.
fn free(config: &Config, day: &str, taken: &[(String, PathBuf, u64)]) -> PathBuf {
    let name = |number: u32| {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        config.events.archive.join(format!("{NAME}{day}{number}.json.gz"))
    };
    let is_free = |path: &PathBuf| {
        std::fs::symlink_metadata(path).is_err() && !taken.iter().any(|(_, taken, _)| taken == path)
    };
    (1..).map(name).find(is_free).unwrap_or_else(|| name(1))
}

/// Puts each day where it belongs, unless a run that died has done that.
fn move_days(
    config: &Config,
    log: &mut File,
    moving: &Moving,
    report: &mut EventsArchiveReport,
    each: &mut dyn FnMut(Step) -> Result<()>,
) -> Result<()> {
    let fail = |cause| Error::io("read the event log", &config.events.log, cause);
    durable::owned_directory(&config.events.archive, &config.ownership)?;
    let before = Head { seq: moving.before_seq, digest: moving.before.clone() };
    let mut chain = Chain::from(Some(&before));
    let mut lines = Lines::of(log).map_err(fail)?;
    for (number, (day, file, bytes)) in (moving.number..).zip(&moving.days) {
        let (before, first) = (chain.head(), chain.ours);
        let (mut text, mut count) = (Vec::new(), 0);
        while u64::try_from(text.len()).is_ok_and(|length| length < *bytes) {
            let Some(line) = lines.next().map_err(fail)? else { break };
            chain.next(line.strip_suffix(b"\n").unwrap_or(line));
            text.extend_from_slice(line);
            count += 1;
        }
        let after = chain.head();
        let events = chain.ours - first;
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            number,
            day: day.clone(),
            until: until(day),
            lines: count,
            events,
            first_seq: if events > 0 { before.seq + 1 } else { before.seq },
            last_seq: after.seq,
            bytes: *bytes,
            sha256: line::digest(&text),
            before_seq: before.seq,
            before: before.digest,
            after_seq: after.seq,
            after: after.digest,
        };
        pack(config, file, &text, &manifest)?;
        each(Step::Packed)?;
        list(config, file, &manifest)?;
        each(Step::Listed)?;
        report.archived.push(EventsArchived { file: file.clone(), lines: count, bytes: *bytes });
    }
    Ok(())
}

/// Packs one day, and reads it back, unless it is there already.
fn pack(config: &Config, file: &Path, text: &[u8], manifest: &Manifest) -> Result<()> {
    let is_it = |path: &Path| unpack(path).is_ok_and(|text| manifest.fits(&text));
    if std::fs::symlink_metadata(file).is_ok() {
        if is_it(file) {
            return Ok(());
        }
        return Err(Error::new(ErrorKind::Corrupt, "this is not the archive that was to be there:")
            .at(file)
            .hint("move it away; the lines are still in the log, and are archived by the next run"));
    }
    let (nascent, _) = Nascent::beside(file, "archive", &config.ownership)?;
    let fail = |cause| Error::io("write the archive", file, cause);
    let mut packer = flate2::write::GzEncoder::new(nascent.file(), flate2::Compression::default());
    packer.write_all(text).and_then(|()| packer.finish().map(drop)).map_err(fail)?;
    if !manifest.fits(&unpacked(nascent.file()).map_err(fail)?) {
        return Err(fail(io::Error::other("what was written is not what is read back")));
    }
    nascent.publish().map(drop)
}

fn list(config: &Config, file: &Path, manifest: &Manifest) -> Result<()> {
    let path = manifest_of(file);
    let mut text = serde_json::to_vec_pretty(manifest).unwrap_or_default();
    text.push(b'\n');
    if durable::read_regular(&path, MAX_NOTE).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let (nascent, _) = Nascent::beside(&path, "manifest", &config.ownership)?;
    nascent.file().write_all(&text).map_err(|cause| Error::io("write the manifest", &path, cause))?;
    nascent.publish().map(drop)
}

/// Puts the log in place without its first bytes; then what its writers have added to the old file meanwhile.
fn cut(
    config: &Config,
    old: &File,
    bytes: u64,
    report: &mut EventsArchiveReport,
    each: &mut dyn FnMut(Step) -> Result<()>,
) -> Result<()> {
    let path = &config.events.log;
    let fail = |cause| Error::io("take archived lines out of the event log", path, cause);
    let place = Place::of(config)?;
    let source = old.metadata().map_err(fail)?;
    let nascent = Nascent::like(path, "cut", &source)?;
    let mut copied = source.len();
    copy(old, bytes..copied, &mut nascent.file()).map_err(fail)?;
    let new = nascent.supersede()?;
    each(Step::Cut)?;
    // Whoever opened it before still writes to the old one.
    for look in 0.. {
        let held = durable::held(old);
        let length = old.metadata().map_err(fail)?.len();
        if length > copied {
            copy(old, copied..length, &mut &new).map_err(fail)?;
            copied = length;
            continue;
        }
        if held == Held::No || look >= LOOKS {
            if held != Held::No {
                report.warnings.push(format!(
                    "a process keeps {} open since before it was archived; what it writes goes nowhere until it opens it again",
                    path.display()
                ));
            }
            break;
        }
        clock::pause(1);
    }
    let now = new.metadata().map_err(fail)?;
    new.sync_all().map_err(fail)?;
    if place.head.seq > 0 {
        let inode = std::os::unix::fs::MetadataExt::ino(&now);
        // What others wrote behind the last event is looked at by the next one.
        Place { head: place.head, size: place.size.saturating_sub(bytes), inode }.save(config)?;
    }
    each(Step::Followed)
}

fn copy(from: &File, range: std::ops::Range<u64>, to: &mut dyn Write) -> io::Result<()> {
    let mut from = from;
    from.seek(io::SeekFrom::Start(range.start))?;
    let length = range.end.saturating_sub(range.start);
    if io::copy(&mut from.take(length), to)? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Removes what is older than is to be kept; nothing where the clock is behind the newest archive.
fn clean(config: &Config, today: NaiveDate, report: &mut EventsArchiveReport) -> Result<()> {
    let Some(keep) = config.events.keep_days else { return Ok(()) };
    let all = manifests(config)?;
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
        let anchor = Anchor { number: last.number, seq: last.after_seq, digest: last.after.clone() };
        let text = serde_json::to_vec(&anchor).unwrap_or_default();
        durable::replace(&cleaned(config), &text)?;
    }
    for (file, _) in old {
        durable::remove(file)?;
        durable::remove(&manifest_of(file))?;
        report.removed.push(file.clone());
    }
    Ok(())
}

/// Where the chain was behind the last archive that was removed as too old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Anchor {
    number: u64,
    seq: u64,
    digest: String,
}

impl Anchor {
    fn head(&self) -> Head {
        Head { seq: self.seq, digest: self.digest.clone() }
    }
}

/// The file that says so.
fn cleaned(config: &Config) -> PathBuf {
    config.root.join("sync_state").join("events").join("cleaned")
}

fn anchor(config: &Config) -> Option<Anchor> {
    durable::read_regular(&cleaned(config), MAX_NOTE).ok().and_then(|text| serde_json::from_slice(&text).ok())
}

/// Where the chain begins of which something is left. Archives before it were removed as too old; where others are gone as
/// well, it begins before them, so that they are missed.
pub(super) fn beginning(config: &Config, first: Option<&Manifest>) -> Head {
    let cleaned = anchor(config).map_or_else(Head::default, |anchor| anchor.head());
    // A cleaning that died has written that down, and has not removed all of them.
    first.map(Manifest::before).filter(|before| before.seq <= cleaned.seq).unwrap_or(cleaned)
}

/// All archives with their manifests, in the order of the chain.
pub(super) fn manifests(config: &Config) -> Result<Vec<(PathBuf, Manifest)>> {
    let directory = &config.events.archive;
    let fail = |cause| Error::io("list the archives of events in", directory, cause);
    let mut all = Vec::new();
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(all),
        Err(cause) => return Err(fail(cause)),
    };
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        let Some(file) = path.to_str().and_then(|path| path.strip_suffix(".manifest.json")) else { continue };
        let text = durable::read_regular(&path, MAX_NOTE)
            .map_err(|cause| Error::io("read the manifest", &path, cause))?;
        let manifest = serde_json::from_slice::<Manifest>(&text)
            .ok()
            .filter(|manifest| manifest.format == FORMAT && manifest.version <= VERSION);
        let Some(manifest) = manifest else {
            return Err(Error::new(ErrorKind::Corrupt, "this is no manifest that this version can read:")
                .at(&path)
                .hint(
                    "a newer cr0sync may have written it; if it is damaged, move it and its archive away",
                ));
        };
        all.push((PathBuf::from(file), manifest));
    }
    all.sort_by_key(|(_, manifest)| manifest.number);
    Ok(all)
}

fn manifest_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".manifest.json");
    PathBuf::from(name)
}

/// The lines of an archive.
pub(super) fn unpack(file: &Path) -> io::Result<Vec<u8>> {
    unpacked(&durable::open_regular(file)?)
}

fn unpacked(mut file: &File) -> io::Result<Vec<u8>> {
    file.rewind()?;
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(BufReader::new(file)).take(2 * MAX_DAY).read_to_end(&mut text)?;
    Ok(text)
}

/// The day of a line.
fn day(line: &[u8]) -> Option<NaiveDate> {
    let time = line::read(line)?.value.get("timestamp").and_then(Value::as_str)?.get(..10)?.to_owned();
    time.parse().ok()
}

/// When a day has ended.
fn until(day: &str) -> String {
    let next = day.parse::<NaiveDate>().ok().and_then(|day| day.succ_opt());
    let midnight = next.and_then(|next| next.and_hms_opt(0, 0, 0));
    midnight.map_or_else(String::new, |midnight| clock::stamp(midnight.and_utc()))
}

fn digest(log: &mut File, bytes: u64) -> io::Result<String> {
    log.rewind()?;
    let mut digest = Sha256::new();
    io::copy(&mut log.take(bytes), &mut digest)?;
    Ok(hex(&digest.finalize()))
}

/// The lines of a file, one at a time.
struct Lines<'a> {
    reader: BufReader<&'a mut File>,
    line: Vec<u8>,
}

impl Lines<'_> {
    fn of(file: &mut File) -> io::Result<Lines<'_>> {
        file.rewind()?;
        Ok(Lines { reader: BufReader::with_capacity(1 << 16, file), line: Vec::new() })
    }

    /// The next one with its newline, if it has one.
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let read = self.reader.read_until(b'\n', &mut self.line)?;
        Ok((read > 0).then_some(self.line.as_slice()))
    }
}
