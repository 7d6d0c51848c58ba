//! What a snapshot is.
//!
//! Apart from `names`, which writes and reads the file names. Plain data: holds no handle and opens nothing.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::names;

/// Why a snapshot was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// In the normal course of things: retention thins them out.
    Regular,
    /// Before something drastic: kept by age alone.
    Emergency,
}

/// One verified or merely present copy of one side of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Database name.
    pub(crate) database: String,
    /// Side name.
    pub(crate) side: String,
    /// Why it was made.
    pub(crate) kind: Kind,
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// The moment that its name says, to the second.
    pub(crate) created_at: DateTime<Utc>,
    /// Its size.
    pub(crate) bytes: u64,
    /// Its file as it was when looked at, see [`mark`].
    pub(crate) mark: String,
    /// Whether it was found sound, and is the same file since. Whoever remembers that fills it in.
    pub(crate) verified: bool,
}

impl Snapshot {
    /// Names it for people and for `restore`: `database:side:time`, with `emergency` before the time of one that
    /// was made as such.
    pub(crate) fn id(&self) -> String {
        let kind = match self.kind {
            Kind::Regular => "",
            Kind::Emergency => "emergency:",
        };
        format!("{}:{}:{kind}{}", self.database, self.side, names::stamp(self.created_at))
    }
}
