//! The only door to time and chance, so that everything behind it can be tested without them.

mod boot;
mod moment;

use std::time::Instant;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::error::{Error, ErrorKind, Result};

pub(crate) use moment::{Moment, Since};

/// Now.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A point to measure a duration from.
pub(crate) fn start() -> Stopwatch {
    Stopwatch::start()
}

/// A running measurement.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Whole milliseconds since the start.
    #[must_use]
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Waits.
pub(crate) fn pause(milliseconds: u64) {
    std::thread::sleep(std::time::Duration::from_millis(milliseconds));
}

/// A time in the form every document of ours uses: RFC 3339, UTC, milliseconds.
pub(crate) fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Sixteen hexadecimal digits that nobody can guess.
pub(crate) fn chance() -> Result<String> {
    Ok(random::<8>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// How long the machine has been up, which nobody can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Boot {
    /// Which start of the machine; empty where nobody says.
    pub(crate) id: String,
    /// Seconds since then, asleep or not.
    pub(crate) seconds: u64,
}

/// Now, by that clock.
pub(crate) fn boot() -> Boot {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Boot { id: id.trim().to_owned(), seconds: boot::nanoseconds() / 1_000_000_000 }
}

/// Nanoseconds since the machine was started, asleep or not.
pub(crate) fn boot_nanos() -> u64 {
    boot::nanoseconds()
}

/// Hashes as nobody outside of this process can foretell.
pub(crate) type Hashing = std::collections::hash_map::RandomState;

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(count) if count == N => Ok(bytes),
        Ok(_) => Err(Error::new(ErrorKind::Io, "cannot get enough random bytes")),
        Err(cause) => Err(Error::new(ErrorKind::Io, "cannot get random bytes").because(cause)),
    }
}
