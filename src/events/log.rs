//! Appends to the event log.
//!
//! One write a line, under a lock that all processes of ours take, and that nobody holds for long; the site's own pages append
//! without it, which the chain bears (`chain`). Where the chain ends is written down before and after (`place`).

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::os::unix::fs::OpenOptionsExt;

use super::Event;
use super::line::{self, Link};
use super::place::{self, Place};
use crate::clock;
use crate::config::Config;
use crate::durable::{self, Lock};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::{self, Quiet};
use crate::report::{EventRecorded, SCHEMA};

/// So long another process may write its line (milliseconds).
const WAIT_MS: u64 = 5_000;
/// So often a line is made anew as others wrote meanwhile.
const LOOKS: u32 = 8;

/// Puts something that happened on record.
///
/// A line of high severity is on disk when this returns.
///
/// # Errors
/// [`ErrorKind::Usage`] when its kind is no word, [`ErrorKind::Locked`] when another process writes for seconds,
/// [`ErrorKind::Corrupt`] when there is no number left, [`ErrorKind::Io`] or [`ErrorKind::Access`] when it cannot be written;
/// then nothing of it is.
pub fn record(config: &Config, event: &Event) -> Result<EventRecorded> {
    let _lock = lock(config)?;
    let mut file = open(config)?;
    let Next { end, seq, stamp, text } = next(config, &file, event)?;
    let line = text.trim_matches('\n');
    let digest = line::digest(line.as_bytes());
    append(config, &mut file, text.as_bytes())?;
    let fail = |cause| Error::io("append to the event log", &config.events.log, cause);
    if event.severity >= super::Severity::High {
        file.sync_data().map_err(fail)?;
    }
    let size = file.stream_position().map_err(fail)?;
    let length = u64::try_from(line.len()).unwrap_or(0).saturating_add(1);
    let start = size.saturating_sub(length);
    // What others wrote since it was looked, the next event names before anything else.
    let fold = match end.held {
        Some(held) if held < start => place::base(&file, held..start, &digest).map_err(fail)?,
        _ => digest.clone(),
    };
    let inode = end.place.inode;
    Place { seq, own: digest, fold, size, inode, ..Place::default() }.save(config)?;
    Ok(EventRecorded { schema: SCHEMA, seq, timestamp: stamp })
}

/// The line that is about to be written, and behind what.
struct Next {
    end: place::End,
    seq: u64,
    stamp: String,
    /// With all newlines.
    text: String,
}

/// Makes the next line. Where others write meanwhile it is made again, so that few of their lines are not held by it.
fn next(config: &Config, file: &File, event: &Event) -> Result<Next> {
    let mut tries = LOOKS;
    loop {
        let end = place::end(config, file)?;
        let seq = end.place.seq.checked_add(1).filter(|seq| *seq <= line::MAX_SEQ).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "there is no number left for an event in").at(&config.events.log).hint(
                "somebody wrote a line with the highest number there is: find out who, then move the log and sync_state/events away",
            )
        })?;
        let stamp = clock::stamp(clock::now());
        let mut text = line::line(event, &stamp, Link { seq, prev: &end.prev, behind: end.behind })?;
        let digest = line::digest(text.trim_end_matches('\n').as_bytes());
        if end.is_torn {
            // What somebody was stopped in is a line of its own.
            text.insert(0, '\n');
        }
        // Whoever dies behind this has written that line, or none.
        Place { next: digest, ..end.place.clone() }.save(config)?;
        let size = file.metadata().map_err(|cause| Error::io("look at", &config.events.log, cause))?.len();
        tries = tries.saturating_sub(1);
        if size == end.size || tries == 0 {
            return Ok(Next { end, seq, stamp, text });
        }
    }
}

/// Appends whole lines in one write, or nothing.
pub(super) fn append(config: &Config, file: &mut File, text: &[u8]) -> Result<()> {
    let fail = |cause| Error::io("append to the event log", &config.events.log, cause);
    let count = file.write(text).map_err(fail)?;
    if count < text.len() {
        // The disk is full: what was written of it is taken back, while nobody has written behind it.
        let at = file.stream_position().map_err(fail)?;
        if file.metadata().map_err(fail)?.len() == at {
            file.set_len(at.saturating_sub(u64::try_from(count).unwrap_or(0))).map_err(fail)?;
        }
        return Err(fail(std::io::ErrorKind::StorageFull.into()));
    }
    Ok(())
}

/// Whoever changes the log, or moves a part of it, holds this.
pub(super) fn lock(config: &Config) -> Result<Writing> {
    let lock = Lock::take(&config.root, &config.ownership, "events", WAIT_MS)?;
    Ok(Writing { _lock: lock, _quiet: interrupt::quiet() })
}

/// Nobody else writes, and nobody is asked whether it goes on: he may want to put an event on record.
#[derive(Debug)]
pub(super) struct Writing {
    _lock: Lock,
    _quiet: Quiet,
}

/// Whoever moves lines away, or needs all of them to stay where they are, holds this; nobody who writes waits for it.
pub(super) fn archive_lock(config: &Config) -> Result<Lock> {
    Lock::take(&config.root, &config.ownership, "events-archive", WAIT_MS)
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
