//! Appends to the event log, and remembers where its chain ends.
//!
//! One write a line, under a lock that all processes of ours take; the site's own pages append without it, which the
//! chain bears (`chain`). `sync_state/events` says where the chain ends, so that lines that are cut off at the end are
//! missed. The write of it is not brought to disk: after a power cut lines may be missing that nobody cut.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::chain::Head;
use super::{Event, line};
use crate::clock;
use crate::config::Config;
use crate::durable::{self, Lock};
use crate::error::{Error, ErrorKind, Result};
use crate::report::{EventRecorded, SCHEMA};

/// So long another process may write its line (milliseconds).
const WAIT_MS: u64 = 5_000;
/// Lines that somebody else wrote are no longer than this (bytes).
const MAX_LINE: u64 = 1 << 20;
/// The first word of the file that says where the chain ends; the number is its version.
const FORMAT: &str = "cr0sync-events-1";

/// Puts something that happened on record.
///
/// A line of high severity is on disk when this returns.
///
/// # Errors
/// [`ErrorKind::Usage`] when its kind is no word, [`ErrorKind::Locked`] when another process writes for seconds,
/// [`ErrorKind::Io`] or [`ErrorKind::Access`] when it cannot be written; then nothing of it is.
pub fn record(config: &Config, event: &Event) -> Result<EventRecorded> {
    let _lock = lock(config)?;
    let mut file = open(config)?;
    let end = Place::of(config)?.end(&mut file, &config.events.log)?;
    let seq = end.head.seq + 1;
    let stamp = clock::stamp(clock::now());
    let mut text = line::line(event, &stamp, seq, &end.head.digest)?;
    if end.is_torn {
        // What somebody was stopped in is a line of its own.
        text.insert(0, '\n');
    }
    let fail = |cause| Error::io("append to the event log", &config.events.log, cause);
    let count = file.write(text.as_bytes()).map_err(fail)?;
    if count < text.len() {
        // The disk is full: what was written of it is taken back, while nobody has written behind it.
        let at = file.stream_position().map_err(fail)?;
        if file.metadata().map_err(fail)?.len() == at {
            file.set_len(at.saturating_sub(u64::try_from(count).unwrap_or(0))).map_err(fail)?;
        }
        return Err(fail(std::io::ErrorKind::StorageFull.into()));
    }
    if event.severity >= super::Severity::High {
        file.sync_data().map_err(fail)?;
    }
    let digest = line::digest(text.trim_matches('\n').as_bytes());
    Place { head: Head { seq, digest }, size: file.metadata().map_err(fail)?.len(), inode: end.inode }
        .save(config)?;
    Ok(EventRecorded { schema: SCHEMA, seq: seq.to_string(), timestamp: stamp })
}

/// Whoever changes the log, or moves a part of it, holds this.
pub(super) fn lock(config: &Config) -> Result<Lock> {
    Lock::take(&config.root, &config.ownership, "events", WAIT_MS)
}

/// The log, which is made where it is missing.
pub(super) fn open(config: &Config) -> Result<File> {
    let path = &config.events.log;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let open = || OpenOptions::new().read(true).append(true).custom_flags(flags).open(path);
    let file = match open() {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                durable::owned_directory(directory, &config.ownership)?;
            }
            // Somebody else may make it at the same moment.
            let made = durable::Nascent::beside(path, "log", &config.ownership)
                .and_then(|(nascent, _)| nascent.publish().map(drop));
            open().map_err(|cause| made.err().unwrap_or_else(|| Error::io("open the event log", path, cause)))
        }
        file => file.map_err(|cause| Error::io("open the event log", path, cause)),
    }?;
    let now = file.metadata().map_err(|cause| Error::io("look at", path, cause))?;
    if !now.is_file() {
        return Err(Error::new(ErrorKind::Io, "refused an event log that is no regular file:")
            .at(path)
            .hint("move it away; it is made anew"));
    }
    Ok(file)
}

/// Where the chain ended when the last line of ours was written.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) head: Head,
    /// Bytes of the log then.
    pub(super) size: u64,
    pub(super) inode: u64,
}

/// Where it ends now.
struct End {
    head: Head,
    inode: u64,
    /// Whether the last line has no end.
    is_torn: bool,
}

impl Place {
    /// What is remembered; nothing where that makes no sense.
    pub(super) fn of(config: &Config) -> Result<Place> {
        let path = file(config);
        let mut text = String::new();
        match durable::open_regular(&path) {
            // What is no text makes no sense.
            Ok(file) => drop(file.take(4096).read_to_string(&mut text)),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Place::default()),
            Err(cause) => return Err(Error::io("read where the event log ended in", &path, cause)),
        };
        let mut words = text.split_whitespace();
        let mut next = || words.next().unwrap_or_default();
        if next() != FORMAT {
            return Ok(Place::default());
        }
        let (seq, digest, size, inode) = (next().parse(), next().to_owned(), next().parse(), next().parse());
        match (seq, size, inode) {
            (Ok(seq), Ok(size), Ok(inode)) => Ok(Place { head: Head { seq, digest }, size, inode }),
            _ => Ok(Place::default()),
        }
    }

    pub(super) fn save(&self, config: &Config) -> Result<()> {
        let path = file(config);
        let fail = |cause| Error::io("write down where the event log ends in", &path, cause);
        let directory = path.parent().unwrap_or(Path::new("."));
        durable::private_directory(directory)?;
        durable::private_file(&path)?;
        let text = format!("{FORMAT} {} {} {} {}\n", self.head.seq, self.head.digest, self.size, self.inode);
        // In one write of a few bytes, behind which nothing else is left standing.
        let file = OpenOptions::new().write(true).open(&path).map_err(fail)?;
        let length = u64::try_from(text.len()).unwrap_or(0);
        file.write_all_at(text.as_bytes(), 0).and_then(|()| file.set_len(length)).map_err(fail)
    }

    /// Where it ends now that others may have written behind it.
    fn end(self, log: &mut File, path: &Path) -> Result<End> {
        let fail = |cause| Error::io("read the event log", path, cause);
        let now = log.metadata().map_err(fail)?;
        let (size, inode) = (now.len(), now.ino());
        if self.head.seq > 0 && self.inode == inode && self.size >= size {
            // It ends where it did; or somebody has cut it, which the next line then shows.
            let is_torn = self.size > size && !ends_a_line(log, size).map_err(fail)?;
            return Ok(End { head: self.head, inode, is_torn });
        }
        if size == 0 {
            return Ok(End { head: self.head, inode, is_torn: false });
        }
        let tail = tail(log, size).map_err(fail)?;
        let is_torn = tail.last() != Some(&b'\n');
        let text = tail.strip_suffix(b"\n").unwrap_or(&tail);
        let mut lines = text.rsplit(|byte| *byte == b'\n');
        let digest = lines.clone().next().map(line::digest).unwrap_or_default();
        // Where nothing is remembered, the last line of ours says how far it was.
        let found = lines.find_map(|line| line::read(line)?.seq).unwrap_or(0);
        Ok(End { head: Head { seq: self.head.seq.max(found), digest }, inode, is_torn })
    }
}

fn ends_a_line(log: &File, size: u64) -> std::io::Result<bool> {
    let mut last = [0];
    if size == 0 {
        return Ok(true);
    }
    log.read_exact_at(&mut last, size - 1)?;
    Ok(last == *b"\n")
}

/// Its last bytes, as many as some lines have.
fn tail(log: &mut File, size: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    log.seek(SeekFrom::Start(size.saturating_sub(MAX_LINE)))?;
    (&mut *log).take(size.min(MAX_LINE)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn file(config: &Config) -> std::path::PathBuf {
    config.root.join("sync_state").join("events").join("head")
}
