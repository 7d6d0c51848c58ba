//! One copy of the list of those that count no longer, as it lies there: looked at and written under our lock.
//!
//! Apart from `ledger`, which says what its text means, and from `withdrawn`, which knows both. Others may write to its
//! directory: what is no file that can be read is a damaged copy, is not read any further, and is never written over.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;

use super::broken;
use super::ledger::{self, Copied};
use crate::config::{Config, Ownership};
use crate::durable::{self, Judged, Nascent, Reading};
use crate::error::{Error, Result};

/// Larger ones are none of ours (bytes).
const MOST: u64 = 64 << 20;

/// A copy.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) copy: Copied,
    lies: Lies,
}

/// What has its name.
enum Lies {
    Nothing,
    /// A file, and its bytes.
    File(fs::Metadata, Vec<u8>),
    /// What cannot be read as a copy.
    Foreign(fs::Metadata),
}

impl Found {
    /// Looks what is there.
    ///
    /// # Errors
    /// When nobody can say what is there.
    pub(super) fn look(path: PathBuf) -> Result<Found> {
        let file = match durable::open_regular(&path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                return Ok(Found { path, copy: Copied::Missing, lies: Lies::Nothing });
            }
            Err(cause) => {
                let found =
                    fs::symlink_metadata(&path).map_err(|cause| Error::io("look at", &path, cause))?;
                // A file that should be readable may be so the next time.
                if found.is_file() && cause.kind() != ErrorKind::PermissionDenied {
                    return Err(Error::io("open", &path, cause));
                }
                return Ok(Found::foreign(path, found, cause.to_string()));
            }
        };
        let mut bytes = Vec::new();
        let fail = |cause| Error::io("read", &path, cause);
        let found = file.metadata().map_err(fail)?;
        if found.len() <= MOST {
            file.take(MOST.saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
        }
        if found.len() > MOST || u64::try_from(bytes.len()).map_or(true, |length| length > MOST) {
            return Ok(Found::foreign(path, found, format!("it has more than {MOST} bytes")));
        }
        Ok(Found { copy: Copied::of(Reading::of(&bytes)), path, lies: Lies::File(found, bytes) })
    }

    /// Whether it says to begin anew.
    pub(super) fn says_anew(&self) -> bool {
        let Lies::File(_, bytes) = &self.lies else { return false };
        serde_json::from_slice(bytes).is_ok_and(|value| ledger::is_anew(&value))
    }

    fn foreign(path: PathBuf, found: fs::Metadata, reason: String) -> Found {
        Found { path, copy: Copied::Broken(reason), lies: Lies::Foreign(found) }
    }

    /// Puts a text in its place, unless it is there. What makes no sense is moved aside first, and told.
    pub(super) fn write(&self, config: &Config, text: &str, warnings: &mut Vec<String>) -> Result<()> {
        let mut tell = |broken: &durable::Broken| warnings.push(broken::tell(config, &self.path, broken));
        match (&self.lies, self.copy.doubt()) {
            (Lies::File(_, bytes), _) if bytes == text.as_bytes() => return Ok(()),
            (Lies::File(found, bytes), Some(reason)) => {
                durable::put_aside(&self.path, reason, Judged { found, bytes }, &mut tell)?;
            }
            (Lies::Foreign(found), Some(reason)) => {
                durable::put_foreign_aside(&self.path, reason, found, &mut tell)?;
            }
            _ => {}
        }
        let nascent = match &self.lies {
            Lies::File(found, _) => Nascent::in_place_of(&self.path, "copy", found, &config.ownership)?,
            Lies::Nothing | Lies::Foreign(_) => {
                let ownership = Ownership { file_mode: 0o660, ..config.ownership.clone() };
                Nascent::beside(&self.path, "copy", &ownership)?.0
            }
        };
        let fail = |cause| Error::io("write", nascent.path(), cause);
        nascent.file().write_all(text.as_bytes()).map_err(fail)?;
        nascent.supersede().map(drop)
    }
}
