//! Archives of the event log: one packed file a day, with a manifest beside it that holds its place in the chain.
//!
//! Read and written as a stream, whatever size they have or claim to have. Which lines go into one, and when they leave the
//! log, is for `archive`.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::chain::{Chain, Head};
use super::lines::Lines;
use super::{line, query};
use crate::clock;
use crate::config::Config;
use crate::durable::{self, Nascent};
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::interrupt::{self, Looking};

/// What a manifest begins with.
const FORMAT: &str = "cr0sync event archive";
const VERSION: u32 = 1;
/// What we wrote beside an archive is smaller (bytes).
pub(super) const MAX_NOTE: u64 = 16 << 20;
/// Of an archive of which nothing is known no more is read (bytes, unpacked): a day of more is several archives.
const MAX_UNPACKED: u64 = 2 << 30;
/// What the names of archives begin with, before the day.
const NAME: &str = "security_events.";

/// What is known of one archive; it lies beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: String,
    version: u32,
    /// Its place among all that were ever made, from 1 on.
    pub(super) number: u64,
    /// The day of its lines.
    pub(super) day: String,
    /// When the day ended, or the last of its lines says that it was written; RFC 3339.
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
    /// Of the next lines of a log, which go on with a chain; how many of them are longer than any event.
    pub(super) fn of(
        mut log: &File,
        range: std::ops::Range<u64>,
        number: u64,
        day: &str,
        before: Head,
    ) -> io::Result<(Manifest, u64)> {
        log.seek(SeekFrom::Start(range.start))?;
        let bytes = range.end.saturating_sub(range.start);
        let mut digest = Digesting { from: log.take(bytes), digest: Sha256::new(), bytes: 0 };
        let mut lines = Lines::of(&mut digest);
        let mut chain = Chain::from(&before);
        let (mut count, mut long) = (0, 0);
        let mut until = until(day);
        while let Some(line) = lines.next()? {
            count += 1;
            long += u64::from(line.text.is_none());
            if let Some(later) = line.text.and_then(time).filter(|time| *time > until) {
                until = later;
            }
            chain.next(&line);
        }
        let (after, events) = (chain.head(), chain.ours);
        let first_seq = if events > 0 { before.seq.saturating_add(1) } else { before.seq };
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            number,
            day: day.to_owned(),
            until,
            lines: count,
            events,
            first_seq,
            last_seq: after.seq,
            bytes,
            sha256: digest.hex(),
            before_seq: before.seq,
            before: before.digest,
            after_seq: after.seq,
            after: after.digest,
        };
        Ok((manifest, long))
    }

    /// What a file says; why not, where it says nothing.
    fn read(path: &Path) -> std::result::Result<Manifest, String> {
        let text = durable::read_regular(path, MAX_NOTE)
            .map_err(|cause| format!("this manifest of an archive cannot be read: {cause}"))?;
        let manifest = serde_json::from_slice::<Manifest>(&text).ok();
        manifest.filter(|manifest| manifest.format == FORMAT && manifest.version <= VERSION).ok_or_else(|| {
            "this is no manifest of an archive that this version can read: it is damaged, or a newer cr0sync wrote it"
                .to_owned()
        })
    }

    pub(super) fn before(&self) -> Head {
        Head { seq: self.before_seq, digest: self.before.clone() }
    }

    pub(super) fn after(&self) -> Head {
        Head { seq: self.after_seq, digest: self.after.clone() }
    }

    /// Opens the archive, to read no more than it should hold and one byte.
    pub(super) fn open(&self, file: &Path) -> io::Result<Unpacked<File>> {
        self.unpack(durable::open_regular(file)?)
    }

    fn unpack<F: Read + Seek>(&self, mut file: F) -> io::Result<Unpacked<F>> {
        file.rewind()?;
        let packed = flate2::read::GzDecoder::new(BufReader::new(file));
        Ok(Digesting {
            from: packed.take(self.bytes.saturating_add(1).min(MAX_UNPACKED)),
            digest: Sha256::new(),
            bytes: 0,
        })
    }

    /// Whether these, which were read to their end, are its lines.
    pub(super) fn fits<R>(&self, read: &Digesting<R>) -> bool {
        read.bytes == self.bytes && read.hex() == self.sha256
    }

    fn is_in<F: Read + Seek>(&self, file: F) -> io::Result<bool> {
        let mut text = self.unpack(file)?;
        io::copy(&mut text, &mut io::sink())?;
        Ok(self.fits(&text))
    }
}

/// The lines of an archive.
pub(super) type Unpacked<F> = Digesting<io::Take<flate2::read::GzDecoder<BufReader<F>>>>;

/// What is read, and its digest.
#[derive(Debug)]
pub(super) struct Digesting<R> {
    from: R,
    digest: Sha256,
    bytes: u64,
}

impl<R> Digesting<R> {
    fn hex(&self) -> String {
        hex(&self.digest.clone().finalize())
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        interrupt::check_io()?;
        let read = self.from.read(into)?;
        self.digest.update(into.get(..read).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(u64::try_from(read).unwrap_or(0));
        Ok(read)
    }
}

/// Packs a part of the log, and reads it back, unless it is there already.
pub(super) fn pack(
    config: &Config,
    file: &Path,
    mut log: &File,
    from: u64,
    manifest: &Manifest,
) -> Result<()> {
    let fail = |cause| Error::io("write the archive", file, cause);
    if std::fs::symlink_metadata(file).is_ok() {
        if durable::open_regular(file).and_then(|file| manifest.is_in(file)).unwrap_or(false) {
            return Ok(());
        }
        interrupt::check()?;
        return Err(Error::new(ErrorKind::Corrupt, "this is not the archive that was to be there:")
            .at(file)
            .hint("move it away; the lines are still in the log, and are archived by the next run"));
    }
    let (nascent, _) = Nascent::beside(file, "archive", &config.ownership)?;
    let mut packer = flate2::write::GzEncoder::new(nascent.file(), flate2::Compression::default());
    log.seek(SeekFrom::Start(from))
        .map_err(|cause| Error::io("read the event log", &config.events.log, cause))?;
    io::copy(&mut Looking(log.take(manifest.bytes)), &mut packer)
        .and_then(|_| packer.finish())
        .map_err(fail)?;
    if !manifest.is_in(nascent.file()).map_err(fail)? {
        return Err(fail(io::Error::other("what was written is not what is read back")));
    }
    nascent.publish().map(drop)
}

/// Puts the manifest beside its archive, unless it is there already.
pub(super) fn list(config: &Config, file: &Path, manifest: &Manifest) -> Result<()> {
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

/// All archives that there are.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// With their manifests, in the order of the chain; also those whose lines are still in the log, as they are being moved.
    pub(super) all: Vec<(PathBuf, Manifest)>,
    /// Those whose manifests cannot be read, in the order of their names.
    pub(super) damaged: Vec<Damaged>,
}

/// An archive whose manifest cannot be read.
#[derive(Debug, Clone)]
pub(super) struct Damaged {
    pub(super) file: PathBuf,
    pub(super) why: String,
}

impl Damaged {
    /// In words, with what to do.
    pub(super) fn told(&self) -> String {
        format!(
            "{}: {}; leave it where it is, as it shows what was done, and bring it back from a backup",
            manifest_of(&self.file).display(),
            self.why
        )
    }

    /// Opens the archive, to read no more than any may hold.
    pub(super) fn open(&self) -> io::Result<impl Read + use<>> {
        let packed = flate2::read::GzDecoder::new(BufReader::new(durable::open_regular(&self.file)?));
        Ok(packed.take(MAX_UNPACKED))
    }

    /// Whether its name says that it comes before another one.
    pub(super) fn is_before(&self, other: &Path) -> bool {
        place(&self.file) < place(other)
    }
}

/// What the name of an archive says of its order: its day, and its number in that.
fn place(file: &Path) -> Option<(String, u32)> {
    let name = file.file_name()?.to_str()?.strip_prefix(NAME)?.strip_suffix(".json.gz")?;
    let (day, rest) = name.split_at_checked(10)?;
    Some((day.to_owned(), rest.strip_prefix('-').map_or(Some(1), |number| number.parse().ok())?))
}

/// All archives. One whose manifest is damaged hides none of the others.
pub(super) fn manifests(config: &Config) -> Result<Listed> {
    let directory = &config.events.archive;
    let fail = |cause| Error::io("list the archives of events in", directory, cause);
    let mut listed = Listed::default();
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(listed),
        Err(cause) => return Err(fail(cause)),
    };
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        let Some(file) = path.to_str().and_then(|path| path.strip_suffix(".manifest.json")) else { continue };
        let file = PathBuf::from(file);
        match Manifest::read(&path) {
            Ok(manifest) => listed.all.push((file, manifest)),
            Err(why) => listed.damaged.push(Damaged { file, why }),
        }
    }
    listed.all.sort_by_key(|(_, manifest)| manifest.number);
    listed.damaged.sort_by_key(|damaged| place(&damaged.file));
    Ok(listed)
}

pub(super) fn manifest_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".manifest.json");
    PathBuf::from(name)
}

/// Whether a file may be the archive of a day.
pub(super) fn is_archive(config: &Config, day: &str, file: &Path) -> bool {
    let number = |name: &str| {
        let number = name.strip_prefix(NAME)?.strip_prefix(day)?.strip_suffix(".json.gz")?;
        Some(number.is_empty() || number.strip_prefix('-')?.parse::<u32>().is_ok())
    };
    day.parse::<NaiveDate>().is_ok()
        && file.parent() == Some(config.events.archive.as_path())
        && file.file_name().and_then(|name| number(name.to_str()?)) == Some(true)
}

/// A name that no archive has.
pub(super) fn free(config: &Config, day: &str, taken: &[(String, PathBuf, u64)]) -> PathBuf {
    let name = |number: u32| {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        config.events.archive.join(format!("{NAME}{day}{number}.json.gz"))
    };
    let is_free = |path: &PathBuf| {
        std::fs::symlink_metadata(path).is_err() && !taken.iter().any(|(_, taken, _)| taken == path)
    };
    (1..).map(name).find(is_free).unwrap_or_else(|| name(1))
}

/// When a line says that it was written.
fn time(line: &[u8]) -> Option<String> {
    query::stamp(line::read(line)?.text("timestamp")).ok()
}

/// When a day has ended.
fn until(day: &str) -> String {
    let next = day.parse::<NaiveDate>().ok().and_then(|day| day.succ_opt());
    let midnight = next.and_then(|next| next.and_hms_opt(0, 0, 0));
    midnight.map_or_else(String::new, |midnight| clock::stamp(midnight.and_utc()))
}
