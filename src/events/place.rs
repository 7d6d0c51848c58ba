//! Where the chain of the event log ends, which alone shows that nobody cut off its last lines: `sync_state/events/head`.
//!
//! It says which line of ours was the last, and before a line is written, which one that will be; so a death in between leaves
//! nothing unknown. Neither is brought to disk: after a power cut lines may be missing that nobody cut, and what is written
//! down may be older than the log, which is borne where the machine has started since. Where it is gone although there is a
//! chain, or makes no sense, the next line of ours names [`chain::UNKNOWN`] as the one before it, so that it stays known.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::chain::{At, State};
use super::lines::{Line, Lines, MAX_LINE};
use super::{chain, clean, line, pack};
use crate::clock;
use crate::config::Config;
use crate::durable;
use crate::error::{Error, Result};

/// The first word of the file, with its version; and the one before, which knew less.
const FORMAT: &str = "cr0sync-events-2";
const FORMAT_1: &str = "cr0sync-events-1";
/// More that others wrote since the last line of ours is not held by the next one (bytes), as its writer would wait for long.
const MAX_BEHIND: u64 = 4 << 20;

/// A line without end of more is not looked through (bytes).
const MAX_TORN: u64 = 64 << 20;

/// So often it is looked, a millisecond apart, whether a line gets its end.
const LOOKS: u32 = 3;

/// Where the chain ended when the last line of ours was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of that line, 0 before the first.
    pub(super) seq: u64,
    /// Its digest.
    pub(super) own: String,
    /// What the next one names before anything else: what is folded of it, of lines of others that came in its moment, and
    /// of those behind it up to a size of the log.
    pub(super) fold: String,
    pub(super) size: u64,
    pub(super) inode: u64,
    /// The digest of the line that is being written; empty where none is.
    pub(super) next: String,
    /// Which start of the machine it was.
    pub(super) boot: String,
}

impl Place {
    /// What is written down; none where nothing is, or where it makes no sense.
    pub(super) fn of(config: &Config) -> Result<Option<Place>> {
        let path = file(config);
        let mut text = String::new();
        match durable::open_regular(&path) {
            // What is no text makes no sense.
            Ok(file) => drop(file.take(4096).read_to_string(&mut text)),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(Error::io("read where the event log ends in", &path, cause)),
        }
        Ok(Place::read(&text))
    }

    fn read(text: &str) -> Option<Place> {
        let mut words = text.split_whitespace();
        let mut next = || words.next();
        let word =
            |word: Option<&str>| word.map(|word| if word == "-" { String::new() } else { word.to_owned() });
        let format = next()?;
        let (seq, own) = (next()?.parse().ok()?, word(next())?);
        let fold = match format {
            FORMAT => word(next())?,
            FORMAT_1 => own.clone(),
            _ => return None,
        };
        let (size, inode) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let (next, boot) = (word(next()).unwrap_or_default(), word(next()).unwrap_or_default());
        Some(Place { seq, own, fold, size, inode, next, boot }).filter(|place| place.seq <= line::MAX_SEQ)
    }

    fn text(&self) -> String {
        let word = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let [own, fold, next] = [&self.own, &self.fold, &self.next].map(|text| word(text));
        let boot = word(&clock::boot().id);
        format!("{FORMAT} {} {own} {fold} {} {} {next} {boot}\n", self.seq, self.size, self.inode)
    }

    pub(super) fn save(&self, config: &Config) -> Result<()> {
        let path = file(config);
        let fail = |cause| Error::io("write down where the event log ends in", &path, cause);
        durable::apart_directory(path.parent().unwrap_or(Path::new(".")))?;
        durable::private_file(&path)?;
        let file = durable::open_to_write(&path).map_err(fail)?;
        // In one write of a few bytes; what is left of a longer one says nothing.
        let text = self.text();
        let length = u64::try_from(text.len()).unwrap_or(0);
        file.write_all_at(text.as_bytes(), 0).and_then(|()| file.set_len(length)).map_err(fail)
    }

    /// Whether the machine has started since: then what is written down may be older than the log.
    pub(super) fn is_of_before(&self) -> bool {
        self.boot != clock::boot().id
    }

    /// Where its line ends. That is somewhere else than is written down where somebody has changed the length of what stands
    /// before it.
    fn start(&self, log: &File, size: u64) -> std::io::Result<u64> {
        if self.size == 0 || self.ends_at(log, self.size, size)? {
            return Ok(self.size);
        }
        Ok(behind(log, size, self)?.unwrap_or(self.size))
    }

    /// Whether its line is the one that ends at this place of a log of this size.
    fn ends_at(&self, log: &File, end: u64, size: u64) -> std::io::Result<bool> {
        if end > size || end == 0 {
            return Ok(false);
        }
        let first = end.saturating_sub(u64::try_from(MAX_LINE).unwrap_or(0));
        let start = line_end(log, first, end - 1)?;
        let mut text = vec![0; usize::try_from(end - start).unwrap_or(0)];
        log.read_exact_at(&mut text, start)?;
        Ok(text.strip_suffix(b"\n").is_some_and(|line| line::digest(line) == self.own))
    }

    /// Whether a line is the next one of ours.
    fn is_next(&self, fold: &str, line: &Line<'_>) -> bool {
        let Some(read) = line.text.and_then(line::read) else { return false };
        let follows = read.seq.is_some() && read.seq == self.seq.checked_add(1);
        follows
            && (line.digest == self.next
                || self.is_of_before() && (read.prev == fold || read.prev == self.own))
    }
}

/// Where it ends now that others may have written behind it.
#[derive(Debug)]
pub(super) struct End {
    /// The last line of ours.
    pub(super) place: Place,
    /// What the next line of ours names.
    pub(super) prev: String,
    /// So much of what others wrote since is not in that (bytes), as it is too much.
    pub(super) behind: Option<u64>,
    /// Up to where of the log it is held by that, or said not to be; none where nobody knows what was before.
    pub(super) held: Option<u64>,
    /// How long the log is.
    pub(super) size: u64,
    /// Whether the last line has no end.
    pub(super) is_torn: bool,
}

/// Looks where the chain ends. Whoever asks holds the lock of the log.
pub(super) fn end(config: &Config, log: &File) -> Result<End> {
    let fail = |cause| Error::io("read the event log", &config.events.log, cause);
    let inode = log.metadata().map_err(fail)?.ino();
    let (size, is_torn) = settled(log).map_err(fail)?;
    let unknown = |place: Place, prev: String| End { place, prev, behind: None, held: None, size, is_torn };
    let place = match Place::of(config)? {
        Some(place) if place.inode == inode => {
            let start = place.start(log, size).map_err(fail)?;
            Some(Place { size: start, ..place })
        }
        // The log is another file: by an archive that died, or by somebody.
        Some(place) => match behind(log, size, &place).map_err(fail)? {
            Some(start) => Some(Place { size: start, inode, ..place }),
            None => match archived(config, &place)? {
                Some(fold) => Some(Place { fold, size: 0, inode, ..place }),
                None => {
                    let prev = place.fold.clone();
                    return Ok(unknown(Place { size, inode, ..place }, prev));
                }
            },
        },
        None => None,
    };
    let place = match place {
        Some(place) => place,
        None => match last(config, log, size).map_err(fail)? {
            // There was never an event.
            None => Place { inode, ..Place::default() },
            Some(seq) => {
                let [own, fold] = [chain::UNKNOWN; 2].map(str::to_owned);
                let place = Place { seq, own, fold, size, inode, ..Place::default() };
                return Ok(unknown(place, chain::UNKNOWN.to_owned()));
            }
        },
    };
    let held = if is_torn { line_end(log, place.size, size).map_err(fail)? } else { size.max(place.size) };
    let end = if held - place.size > MAX_BEHIND {
        let (prev, behind) = (place.fold.clone(), Some(held - place.size));
        End { place, prev, behind, held: Some(held), size, is_torn }
    } else {
        let (place, prev) = follow(log, held, place).map_err(fail)?;
        let held = (prev != chain::UNKNOWN).then_some(held);
        End { place, prev, behind: None, held, size, is_torn }
    };
    Ok(end)
}

/// Where the last whole line ends, of those behind a place; that place where a line at the end is far longer than any event.
pub(super) fn line_end(log: &File, from: u64, size: u64) -> std::io::Result<u64> {
    let mut end = size;
    let least = from.max(size.saturating_sub(MAX_TORN));
    let mut block = [0; 1 << 16];
    while end > least {
        let start = least.max(end.saturating_sub(1 << 16));
        let text = block.get_mut(..usize::try_from(end - start).unwrap_or(0)).unwrap_or_default();
        log.read_exact_at(text, start)?;
        if let Some(at) = memchr::memrchr(b'\n', text) {
            return Ok(start + u64::try_from(at).unwrap_or(0) + 1);
        }
        end = start;
    }
    Ok(from)
}

/// What the next line of ours names before anything else, where others wrote a part of the log in the moment of the last one.
pub(super) fn base(mut log: &File, part: std::ops::Range<u64>, own: &str) -> std::io::Result<String> {
    let bytes = part.end.saturating_sub(part.start);
    if bytes > chain::MAX_MOMENT {
        return Ok(own.to_owned());
    }
    let at = log.stream_position()?;
    log.seek(SeekFrom::Start(part.start))?;
    let (mut lines, mut digests) = (Lines::of(log.take(bytes)), Vec::new());
    while let Some(line) = lines.next()? {
        digests.push(line.digest);
    }
    log.seek(SeekFrom::Start(at))?;
    Ok(chain::base(own, digests.iter(), bytes))
}

/// What is folded up to the end of the last archive, where the last line of ours is in it.
fn archived(config: &Config, place: &Place) -> Result<Option<String>> {
    let all = pack::manifests(config)?.all;
    let after = all.last().map(|(_, last)| last.after());
    Ok(after.filter(|after| after.seq == place.seq && place.own != chain::UNKNOWN).map(|after| after.digest))
}

/// How long the log is, and whether its last line has no end. One that is being written seems cut off for a moment.
fn settled(log: &File) -> std::io::Result<(u64, bool)> {
    for _ in 0..LOOKS {
        let size = log.metadata()?.len();
        if ends_a_line(log, size)? {
            return Ok((size, false));
        }
        clock::pause(1);
    }
    let size = log.metadata()?.len();
    Ok((size, !ends_a_line(log, size)?))
}

/// Follows whole lines that were written since.
fn follow(mut log: &File, size: u64, mut place: Place) -> std::io::Result<(Place, String)> {
    if size <= place.size {
        let prev = place.fold.clone();
        return Ok((place, prev));
    }
    log.seek(SeekFrom::Start(place.size))?;
    let mut at = place.size;
    let mut lines = Lines::of(log.take(size - place.size));
    let mut state = State::after(place.seq, At::default(), place.fold.clone());
    while let Some(line) = lines.next()? {
        at += line.bytes;
        if place.is_next(state.fold(), &line) {
            let fit = line.text.and_then(line::read).and_then(|read| state.fit(&read.prev, read.behind));
            let fold = state.base_after(&line.digest, fit);
            let seq = place.seq.saturating_add(1);
            state = State::after(seq, At::default(), fold.clone());
            (place.seq, place.own, place.fold, place.size) = (seq, line.digest, fold, at);
        } else {
            state.other(At::default(), &line.digest, line.bytes);
        }
    }
    Ok((place, state.fold().to_owned()))
}

/// Where the last line of ours ends in another file; none where it is not among its last lines.
fn behind(log: &File, size: u64, place: &Place) -> std::io::Result<Option<u64>> {
    let (start, text) = tail(log, size)?;
    let mut lines = Lines::of(text.as_slice());
    let (mut at, mut found) = (start, None);
    while let Some(line) = lines.next()? {
        at += line.bytes;
        if line.digest == place.own {
            found = Some(at);
        } else if line.digest == place.next && found.is_none() {
            // Its writer died, and the line before it was moved away.
            found = Some(at - line.bytes);
        }
    }
    Ok(found)
}

/// The number of the last event where that was not written down; none where there was never one.
fn last(config: &Config, log: &File, size: u64) -> std::io::Result<Option<u64>> {
    let (_, text) = tail(log, size)?;
    let here = text.rsplit(|byte| *byte == b'\n').find_map(|line| line::read(line)?.seq);
    // An archive that cannot be read is a chain as well, of which nobody knows how far it went.
    let archived = match pack::manifests(config) {
        Ok(listed) => {
            let known = listed.all.last().map(|(_, last)| last.after().seq);
            known.or((!listed.damaged.is_empty()).then_some(0))
        }
        Err(_) => Some(0),
    };
    let cleaned = clean::anchor(config).map(|anchor| anchor.head().seq);
    Ok([here, archived, cleaned].into_iter().flatten().max())
}

pub(super) fn ends_a_line(log: &File, size: u64) -> std::io::Result<bool> {
    let mut last = [0];
    if size == 0 {
        return Ok(true);
    }
    log.read_exact_at(&mut last, size - 1)?;
    Ok(last == *b"\n")
}

/// Its last bytes, as many as some lines have, and where they begin.
fn tail(log: &File, size: u64) -> std::io::Result<(u64, Vec<u8>)> {
    let start = size.saturating_sub(u64::try_from(MAX_LINE).unwrap_or(0));
    let mut bytes = vec![0; usize::try_from(size - start).unwrap_or(0)];
    log.read_exact_at(&mut bytes, start)?;
    Ok((start, bytes))
}

pub(super) fn file(config: &Config) -> PathBuf {
    config.root.join("sync_state").join("events").join("head")
}
