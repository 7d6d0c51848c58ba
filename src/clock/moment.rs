//! A moment by both clocks: the one that people set, and the one that has run since the machine was started.
//!
//! How long something is ago is asked of the second as far as that goes, as nobody can set it.

use serde::{Deserialize, Serialize};

/// A moment, by both clocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moment {
    /// Seconds since 1970.
    pub(crate) unix: i64,
    /// Which start of the machine.
    pub(crate) boot: String,
    /// Seconds since it started, asleep or not.
    pub(crate) up: u64,
}

/// What the time since the machine started says of how long something is ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// So many seconds.
    Seconds(i64),
    /// Nothing, as the machine has started since.
    OtherStart,
    /// That it is still to come: so nobody wrote that down who saw it.
    Never,
}

impl Moment {
    /// Now.
    pub(crate) fn now() -> Moment {
        let boot = super::boot();
        Moment { unix: super::now().timestamp(), boot: boot.id, up: boot.seconds }
    }

    /// How long ago another one was, by the clock that nobody sets.
    pub(crate) fn since(&self, last: &Moment) -> Since {
        if self.boot != last.boot {
            return Since::OtherStart;
        }
        match self.up.checked_sub(last.up) {
            Some(since) => Since::Seconds(i64::try_from(since).unwrap_or(i64::MAX)),
            None => Since::Never,
        }
    }

    /// How long ago another one was (seconds), by the other clock where the machine has started since.
    pub(crate) fn age_of(&self, last: &Moment) -> i64 {
        match self.since(last) {
            Since::Seconds(since) => since,
            Since::OtherStart => self.unix.saturating_sub(last.unix).max(0),
            Since::Never => i64::MAX,
        }
    }
}
