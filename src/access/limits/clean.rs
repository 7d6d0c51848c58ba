//! The hourly cleanup: our own table, and the file that today's pages write.
//!
//! Nothing depends on it: the table makes room by itself, and pages pass over what is old. It keeps both small, and gives
//! the table another size when the configuration has one.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use serde::Serialize;
use serde_json::Value;

use super::file::{self, Place};
use super::legacy::{self, Pruned};
use crate::clock;
use crate::config::Config;
use crate::durable::{self, Lock, Nascent};
use crate::error::{Error, ErrorKind, Result};
use crate::report::{RateCleanupReport, RateFileCleaned, RateTableCleaned, SCHEMA};

/// A file of today's pages that is larger was not written by them (bytes).
const MOST_BYTES: u64 = 256 << 20;
/// So often the file is read again, as somebody wrote to it meanwhile.
const TRIES: usize = 10;
/// How long we wait for others of us who write to it (milliseconds).
const WAIT_MS: u64 = 5_000;

/// Takes away what no limit needs any more: buckets that are full again, and in `api_rate_limits.json` requests that are
/// older than the longest period of a tier.
///
/// # Errors
/// What keeps our table from being opened. What is wrong with the file of today's pages is told in the report, and the
/// file is left as it is.
pub fn cleanup(config: &Config) -> Result<RateCleanupReport> {
    let table = clean_table(config)?;
    let legacy = clean_legacy(config);
    Ok(RateCleanupReport { schema: SCHEMA, ok: legacy.problem.is_none(), table, legacy })
}

fn clean_table(config: &Config) -> Result<RateTableCleaned> {
    let place = Place {
        root: config.root.clone(),
        ownership: config.ownership.clone(),
        clients: config.access.clients,
    };
    let open = file::open(&place)?;
    let (open, resized) = match file::resize(&place)? {
        Some(new) => (new, true),
        None => (open, false),
    };
    let (removed, kept) = open.table().prune(clock::boot_nanos());
    if open.lost() {
        let error = Error::new(ErrorKind::Corrupt, "cannot clean a table that somebody made shorter:");
        return Err(error.at(place.path()).hint("it is made anew by whoever needs it next"));
    }
    Ok(RateTableCleaned { path: place.path().to_string_lossy().into_owned(), removed, kept, resized })
}

fn clean_legacy(config: &Config) -> RateFileCleaned {
    let path = &config.access.rate_limits;
    let (pruned, problem) = match prune(config, path) {
        Ok(pruned) => (pruned, None),
        Err(error) => (Pruned::default(), Some(error.to_string())),
    };
    RateFileCleaned {
        path: path.to_string_lossy().into_owned(),
        removed: pruned.removed,
        kept: pruned.kept,
        requests: pruned.requests,
        problem,
    }
}

fn prune(config: &Config, path: &Path) -> Result<Pruned> {
    let window =
        config.access.tiers.values().map(|tier| i64::from(tier.period_seconds)).max().unwrap_or(3600);
    if fs::symlink_metadata(path).is_err_and(|cause| cause.kind() == std::io::ErrorKind::NotFound) {
        return Ok(Pruned::default());
    }
    let _lock = Lock::take(&config.root, &config.ownership, "api_rate_limits", WAIT_MS)?;
    for _ in 0..TRIES {
        let (mut document, found) = read(path)?;
        let before = document.clone();
        let now = clock::now().timestamp();
        let pruned = legacy::prune(&mut document, now, window).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "expected an object of clients in")
                .at(path)
                .hint("it is left as it is; pages write it anew when it is moved away")
        })?;
        if document == before || write(path, &document, &found)? == Written::Yes {
            return Ok(pruned);
        }
    }
    Err(Error::new(ErrorKind::Busy, "others write all the time to").at(path))
}

fn read(path: &Path) -> Result<(Value, fs::Metadata)> {
    let fail = |cause| Error::io("read", path, cause);
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(fail)?;
    let found = file.metadata().map_err(fail)?;
    if !found.is_file() || found.len() > MOST_BYTES {
        return Err(
            Error::new(ErrorKind::Corrupt, "refused what is no file, or larger than 256 MiB:").at(path)
        );
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(fail)?;
    let document = serde_json::from_slice(&bytes)
        .map_err(|cause| Error::new(ErrorKind::Corrupt, "cannot understand").at(path).because(cause))?;
    Ok((document, found))
}

/// Whether a file was replaced.
#[derive(Debug, PartialEq, Eq)]
enum Written {
    Yes,
    /// Somebody has written to it since it was read.
    No,
}

fn write(path: &Path, document: &Value, found: &fs::Metadata) -> Result<Written> {
    // As PHP's JSON_PRETTY_PRINT.
    let mut bytes = Vec::new();
    let pretty = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    document
        .serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, pretty))
        .map_err(|cause| Error::new(ErrorKind::Internal, "cannot write as JSON").at(path).because(cause))?;
    let nascent = Nascent::like(path, "pruned", found)?;
    nascent.file().write_all(&bytes).map_err(|cause| Error::io("write", nascent.path(), cause))?;
    let now = fs::symlink_metadata(path).map_err(|cause| Error::io("look at", path, cause))?;
    if durable::mark(&now) != durable::mark(found) {
        return Ok(Written::No);
    }
    nascent.supersede()?;
    Ok(Written::Yes)
}
