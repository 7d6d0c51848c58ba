//! The heartbeat of the watcher: a file that says when it was last alive, so that one that was killed is missed.
//!
//! By the time since the machine started, which nobody sets. The cron user's lies in the private directory, and a copy for
//! pages beside the baseline; a watcher that ends in order takes both away.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::DateTime;

use super::alerts;
use super::check;
use super::private::{Kept, Private};
use super::store;
use crate::clock::{self, Stopwatch};
use crate::config::Config;
use crate::durable::{Content, Folder};
use crate::error::Result;
use crate::events::Severity;
use crate::interrupt;
use crate::report::WatchStatus;

/// So often it beats (milliseconds).
const EVERY_MS: u64 = 10_000;
/// After so long without one it is missed (seconds): several beats, as a machine may be busy.
const MISSED_S: u64 = 60;
/// What cannot be checked for so long is not watched (milliseconds).
const PATIENCE_MS: u64 = 30_000;
/// A check that takes longer than this hangs (milliseconds).
const LONGEST_CHECK_MS: u64 = 30 * 60_000;
const NAME: &str = "watch";
/// What the file begins with; the number is its version.
const FORMAT: &str = "cr0sync-watch-1";

/// One beat.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Beat {
    unix: i64,
    boot: clock::Boot,
    /// Whether somebody has said that it is missed.
    is_missed: bool,
}

impl Beat {
    fn now() -> Beat {
        Beat { unix: clock::now().timestamp(), boot: clock::boot(), is_missed: false }
    }

    fn text(&self) -> String {
        let word = if self.is_missed { "missed" } else { "beats" };
        format!("{FORMAT} {word} {} {} {}\n", self.unix, self.boot.seconds, self.boot.id)
    }

    fn read(bytes: &[u8]) -> Option<Beat> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut words = text.split_whitespace();
        if words.next() != Some(FORMAT) {
            return None;
        }
        let is_missed = words.next()? == "missed";
        let (unix, seconds) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let id = words.next().unwrap_or_default().to_owned();
        Some(Beat { unix, boot: clock::Boot { id, seconds }, is_missed })
    }

    /// Whether it is too long ago, or of before the machine was started.
    fn is_stale(&self, now: &clock::Boot) -> bool {
        self.boot.id != now.id || now.seconds.saturating_sub(self.boot.seconds) > MISSED_S
    }
}

/// What the watcher says of itself to whoever beats for it.
#[derive(Debug)]
pub(super) struct Pulse {
    state: Mutex<State>,
    /// When there is something to wait for no longer.
    over: Condvar,
}

#[derive(Debug)]
struct State {
    is_over: bool,
    /// When it last said that it is alive.
    alive: Stopwatch,
    /// Since when it cannot do its work.
    ill: Option<Stopwatch>,
}

impl Pulse {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is at work. What takes it long is not this but a check, which may.
    pub(super) fn is_alive(&self) {
        self.lock().alive = clock::start();
    }

    /// It does its work.
    pub(super) fn is_well(&self) {
        self.lock().ill = None;
    }

    /// It cannot do its work now.
    pub(super) fn is_ill(&self) {
        let mut state = self.lock();
        state.ill = state.ill.or_else(|| Some(clock::start()));
    }

    /// Beats until it is over, as long as it does its work.
    fn beat(&self, config: &Config, private: Option<&Private>) {
        let every = Duration::from_millis(EVERY_MS);
        let mut state = self.lock();
        while !state.is_over {
            let is_ill = state.ill.is_some_and(|since| since.millis() > PATIENCE_MS);
            if !is_ill && state.alive.millis() < LONGEST_CHECK_MS {
                drop(state);
                // One that cannot be written down is missed, which is told.
                let _ = put(config, private, &Beat::now());
                state = self.lock();
            }
            if !state.is_over {
                state = self.over.wait_timeout(state, every).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

/// Does something, with a heartbeat that ends in order when it does.
pub(super) fn during<T>(
    config: &Config,
    private: Option<&Private>,
    act: impl FnOnce(&Pulse) -> Result<T>,
) -> Result<T> {
    /// Also when that panics: whoever beats is waited for.
    struct Over<'a>(&'a Pulse);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.lock().is_over = true;
            self.0.over.notify_all();
        }
    }
    put(config, private, &Beat::now())?;
    let state = State { is_over: false, alive: clock::start(), ill: None };
    let pulse = Pulse { state: Mutex::new(state), over: Condvar::new() };
    let done = std::thread::scope(|threads| {
        let deaf = interrupt::deaf();
        threads.spawn(|| pulse.beat(config, private));
        drop(deaf);
        let _over = Over(&pulse);
        act(&pulse)
    })?;
    end(config, private)?;
    Ok(done)
}

fn put(config: &Config, private: Option<&Private>, beat: &Beat) -> Result<()> {
    // Nobody else is believed that he watches, so nobody else says so to pages.
    let Some(private) = private else { return Ok(()) };
    private.write(NAME, beat.text().as_bytes())?;
    Folder::create_for_readers(&store::place(config))?.put(NAME, beat.text().as_bytes())
}

/// The watcher ends in order.
fn end(config: &Config, private: Option<&Private>) -> Result<()> {
    let Some(private) = private else { return Ok(()) };
    private.write(NAME, b"")?;
    Folder::create_for_readers(&store::place(config))?.remove(NAME)
}

/// Says once that a watcher is missed, also where nothing is checked; and how, where it did.
///
/// # Errors
/// [`ErrorKind::Locked`](crate::ErrorKind::Locked) while a check is at work, which says it itself.
pub(crate) fn missed(config: &Config) -> Result<Option<String>> {
    let Ok(private) = Private::open(config) else { return Ok(None) };
    if due(&private)?.is_none() {
        return Ok(None);
    }
    let _lock = check::lock(config, check::WAIT_MS)?;
    miss(config, &private)
}

/// The last beat of a watcher that is missed, where nobody has said so.
fn due(private: &Private) -> Result<Option<Beat>> {
    let last = private.read(NAME)?.bytes().and_then(|bytes| Beat::read(&bytes));
    Ok(last.filter(|last| !last.is_missed && last.is_stale(&clock::boot())))
}

/// Says once that a watcher is missed; a check does this, whatever it finds, under its lock.
pub(super) fn miss(config: &Config, private: &Private) -> Result<Option<String>> {
    let Some(mut last) = due(private)? else { return Ok(None) };
    let since = DateTime::from_timestamp(last.unix, 0).map(clock::stamp).unwrap_or_default();
    let reason = format!("the watcher has said nothing since {since}; start it again");
    alerts::about_watching(config, "monitor_stale", Severity::High, b"", &reason)?;
    last.is_missed = true;
    put(config, Some(private), &last)?;
    Ok(Some(reason))
}

/// How it is with the watcher: by the private directory for who may look there, where nobody else can take a heartbeat away or
/// make one; else by the copy for pages. That neither can be read is a problem of its own, and no heartbeat is known then.
pub(crate) fn status(config: &Config) -> WatchStatus {
    let bytes = match Private::open(config) {
        Ok(private) => private.read(NAME).map(Kept::bytes),
        Err(_) => published(config),
    };
    let (last, problem) = match bytes {
        Ok(bytes) => (bytes.and_then(|bytes| Beat::read(&bytes)), None),
        Err(error) => (None, Some(format!("no heartbeat of a watcher is known: {}", error.in_words()))),
    };
    let stale = last.as_ref().is_some_and(|last| last.is_stale(&clock::boot()));
    let heartbeat = last.as_ref().and_then(|last| DateTime::from_timestamp(last.unix, 0)).map(clock::stamp);
    WatchStatus { running: last.is_some() && !stale, heartbeat, stale, problem }
}

/// The copy for pages.
fn published(config: &Config) -> Result<Option<Vec<u8>>> {
    let content = match Folder::open(&store::place(config))? {
        Some(folder) => folder.read(NAME, 4096)?,
        None => Content::Missing,
    };
    Ok(match content {
        Content::Bytes(bytes) => Some(bytes),
        Content::Missing | Content::Refused(_) | Content::Other => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_is_missed_after_a_minute_or_a_start_of_the_machine() {
        let boot = |id: &str, seconds| clock::Boot { id: id.to_owned(), seconds };
        let beat = Beat { unix: 7, boot: boot("a", 100), is_missed: false };
        assert_eq!(Beat::read(beat.text().as_bytes()), Some(beat.clone()));
        assert!(
            !beat.is_stale(&boot("a", 160))
                && beat.is_stale(&boot("a", 161))
                && beat.is_stale(&boot("b", 100))
        );
        assert_eq!(Beat::read(b""), None);
        assert_eq!(Beat::read(b"cr0sync-watch-2 beats 1 1 a"), None);
    }
}
