//! Puts the event log in place without its first lines, which are in archives, while others write to it.
//!
//! What stays is copied without the lock of the log; only what came meanwhile is copied under it, and the copy put in place.
//! Whoever opened the log before, as the site's pages do without our lock, writes to the old file: that keeps a second name
//! until nobody has it open any more, and what was added to it follows into the log, each line once, wherever a run dies.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::archive::{Step, before, is_same};
use super::chain::Head;
use super::pack::MAX_NOTE;
use super::place::{self, Place};
use super::{archive, log};
use crate::clock;
use crate::config::Config;
use crate::durable::{self, Held, Nascent};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Looking;
use crate::report::EventsArchiveReport;

/// So much may be copied while others wait (bytes).
const MAX_REST: u64 = 1 << 20;
/// So often the rest is copied before others wait for more of it.
const ROUNDS: u32 = 50;
/// So much follows in one write (bytes).
const MAX_STEP: u64 = 1 << 20;
/// So often it is looked, a millisecond apart, whether somebody still has the old log open.
const LOOKS: u32 = 500;
/// The same where the kernel does not tell, as the log belongs to another user: a page opens it for less.
const BLIND_LOOKS: u32 = 250;
/// Then nobody who wrote to it without saying so still does (seconds).
const LONG: i64 = 3_600;
/// What is looked through for lines that may have followed already, besides those (bytes).
const MAX_BETWEEN: u64 = 1 << 20;

/// How far what was added to the old log has followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Following {
    version: u32,
    /// When the log was cut, in seconds since 1970.
    since: i64,
    /// So much of the old log is in the new one.
    copied: u64,
    /// The step that is being done: up to where, and the size that the new log had before.
    step: Option<(u64, u64)>,
}

impl Following {
    fn note(config: &Config) -> PathBuf {
        config.root.join("sync_state").join("events").join("following")
    }

    fn save(&self, config: &Config) -> Result<()> {
        let text = serde_json::to_vec(self).map_err(|cause| {
            Error::new(ErrorKind::Internal, "cannot write down what follows").because(cause)
        })?;
        durable::replace(&Following::note(config), &text)
    }

    fn noted(config: &Config) -> Option<Following> {
        let text = durable::read_regular(&Following::note(config), MAX_NOTE).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// Puts the log in place without its first bytes, behind which the chain goes on from a place.
pub(super) fn cut(
    config: &Config,
    old: &File,
    bytes: u64,
    after: &Head,
    each: &mut dyn FnMut(Step) -> Result<()>,
) -> Result<()> {
    let path = &config.events.log;
    let fail = |cause| Error::io("take archived lines out of the event log", path, cause);
    let source = old.metadata().map_err(fail)?;
    let nascent = Nascent::like(path, "cut", &source)?;
    share(&nascent, &source)?;
    let mut copied = bytes;
    for _ in 0..ROUNDS {
        let length = whole(old, copied).map_err(fail)?;
        copy(old, copied..length, &mut nascent.file()).map_err(fail)?;
        let rest = length.saturating_sub(copied);
        copied = length;
        if rest <= MAX_REST {
            break;
        }
    }
    nascent.file().sync_data().map_err(fail)?;
    each(Step::Copied)?;
    let _lock = log::lock(config)?;
    let there = std::fs::symlink_metadata(path).map_err(fail)?;
    if archive::number(&there) != archive::number(&source) {
        return Err(Error::new(ErrorKind::Stale, "somebody has put another file in the place of")
            .at(path)
            .hint("nothing was taken out of it; the next archive looks at what is there now"));
    }
    let length = whole(old, copied).map_err(fail)?;
    copy(old, copied..length, &mut nascent.file()).map_err(fail)?;
    let place = Place::of(config)?.is_some().then(|| place::end(config, old)).transpose()?;
    Following { version: 1, since: clock::now().timestamp(), copied: length, step: None }.save(config)?;
    std::fs::hard_link(path, before(config)).map_err(|cause| Error::io("keep", before(config), cause))?;
    durable::sync_directory(path)?;
    let new = nascent.supersede()?;
    if let Some(end) = place {
        let inode = new.metadata().map_err(fail)?.ino();
        let (fold, size) = match end.place.size.checked_sub(bytes) {
            Some(size) if size > 0 => (end.place.fold, size),
            _ => (after.digest.clone(), 0),
        };
        Place { fold, size, inode, ..end.place }.save(config)?;
    }
    Ok(())
}

/// Gives a new log to those who shared the old one, as far as we may; refuses where they could not append any more.
fn share(nascent: &Nascent, source: &std::fs::Metadata) -> Result<()> {
    let fail = |cause| Error::io("set the mode of", nascent.path(), cause);
    let made = nascent.file().metadata().map_err(fail)?;
    if made.gid() == source.gid() {
        // Who makes it is in its group, so everybody may what they might.
        let mode = source.mode() & 0o777 | 0o600;
        return nascent.file().set_permissions(std::fs::Permissions::from_mode(mode)).map_err(fail);
    }
    if source.uid() == made.uid() && source.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Access, "refused to archive as others could not append any more to a new")
        .at(nascent.path())
        .hint(format!(
            "run as root, as its owner (user {}) or as a user in its group ({})",
            source.uid(),
            source.gid()
        )))
}

/// Where the last whole line ends. Of a line that is being written, the rest goes to the old log: it follows when it is whole.
fn whole(log: &File, from: u64) -> io::Result<u64> {
    place::line_end(log, from, log.metadata()?.len())
}

fn copy(mut from: &File, range: std::ops::Range<u64>, to: &mut dyn Write) -> io::Result<()> {
    from.seek(SeekFrom::Start(range.start))?;
    let length = range.end.saturating_sub(range.start);
    if io::copy(&mut Looking(from.take(length)), to)? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Brings what was added to the old log into the new one, until nobody has it open; then the old one goes.
pub(super) fn follow(config: &Config, report: &mut EventsArchiveReport) -> Result<()> {
    let path = before(config);
    let fail = |cause| Error::io("read", &path, cause);
    let old = match durable::open_regular(&path) {
        Ok(old) => old,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return forget(config),
        Err(cause) => return Err(fail(cause)),
    };
    if is_same(&path, &config.events.log) {
        // A run died before it put the new one in place.
        durable::remove(&path)?;
        return forget(config);
    }
    let Some(mut state) = Following::noted(config).filter(|state| {
        old.metadata().is_ok_and(|old| old.len() >= state.copied.max(state.step.map_or(0, |step| step.0)))
    }) else {
        return aside(&path, report);
    };
    let mut looks = 0;
    loop {
        // Asked first, so that what is read behind it is all there will be.
        let held = durable::held(&old);
        if step(config, &old, held, &mut state)? {
            looks = 0;
            continue;
        }
        let is_over = match held {
            Held::No => true,
            Held::Yes => false,
            Held::Unknown => clock::now().timestamp().saturating_sub(state.since).abs() > LONG,
        };
        if is_over {
            durable::remove(&path)?;
            return forget(config);
        }
        looks += 1;
        if looks > if held == Held::Yes { LOOKS } else { BLIND_LOOKS } {
            break;
        }
        clock::pause(1);
    }
    if durable::held(&old) == Held::Yes {
        report.warnings.push(format!(
            "a process keeps the event log open since before it was archived: what it writes goes to {}, and follows with the next archive",
            path.display()
        ));
    }
    Ok(())
}

/// Moves away what may be a log of before, of which nobody knows what followed: what is not there can stop no archive.
fn aside(path: &Path, report: &mut EventsArchiveReport) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("-{}", clock::now().format("%Y-%m-%d_%H-%M-%S%.6f")));
    let target = PathBuf::from(name);
    durable::set_aside(path, &target)?;
    report.warnings.push(format!(
        "nobody knows how much of {} is in the event log, or who put it there: it is {} now; bring over what is missing",
        path.display(),
        target.display()
    ));
    Ok(())
}

/// Takes away what says how far it has followed.
fn forget(config: &Config) -> Result<()> {
    match std::fs::symlink_metadata(Following::note(config)) {
        Ok(_) => durable::remove(&Following::note(config)),
        Err(_) => Ok(()),
    }
}

/// Brings over the next lines that were added; whether there were any.
fn step(config: &Config, old: &File, held: Held, state: &mut Following) -> Result<bool> {
    let fail = |cause| Error::io("read", archive::before(config), cause);
    let (end, size) = match state.step {
        Some(step) => step,
        None => {
            let Some(end) = next_end(old, held, state.copied).map_err(fail)? else { return Ok(false) };
            (end, u64::MAX)
        }
    };
    let mut text = vec![0; usize::try_from(end.saturating_sub(state.copied).min(MAX_STEP)).unwrap_or(0)];
    old.read_exact_at(&mut text, state.copied).map_err(fail)?;
    let _lock = log::lock(config)?;
    let mut new = log::open(config)?;
    let fail = |cause| Error::io("read the event log", &config.events.log, cause);
    let now = new.metadata().map_err(fail)?.len();
    let is_there = size <= now && contains(&new, size, &text).map_err(fail)?;
    if !is_there {
        state.step = Some((end, now));
        state.save(config)?;
        let mut lines = Vec::new();
        if !place::ends_a_line(&new, now).map_err(fail)? {
            lines.push(b'\n');
        }
        lines.extend_from_slice(&text);
        log::append(config, &mut new, &lines)?;
        new.sync_data().map_err(fail)?;
    }
    (state.copied, state.step) = (end, None);
    state.save(config)?;
    Ok(true)
}

/// Up to where whole lines were added, or all where nobody adds more; none where nothing was.
fn next_end(old: &File, held: Held, from: u64) -> io::Result<Option<u64>> {
    let length = old.metadata()?.len();
    let most = length.saturating_sub(from).min(MAX_STEP);
    if most == 0 {
        return Ok(None);
    }
    let mut text = vec![0; usize::try_from(most).unwrap_or(0)];
    old.read_exact_at(&mut text, from)?;
    let whole = memchr::memrchr(b'\n', &text).map(|at| u64::try_from(at).unwrap_or(0) + 1);
    Ok(match whole {
        Some(whole) if held != Held::No || most == MAX_STEP => Some(from + whole),
        None if held != Held::No && most < MAX_STEP => None,
        _ => Some(from + most),
    })
}

/// Whether lines stand behind a place of the log, as a run that died may have put them there.
fn contains(log: &File, from: u64, lines: &[u8]) -> io::Result<bool> {
    let mut log = log;
    log.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    let most = u64::try_from(lines.len()).unwrap_or(0).saturating_add(MAX_BETWEEN);
    log.take(most).read_to_end(&mut text)?;
    Ok(memchr::memmem::find(&text, lines).is_some())
}
