//! The hourly cleanup: our own table, and the file that today's pages write.
//!
//! Nothing depends on it: the table makes room by itself, and pages pass over what is old. It keeps both small, and gives
//! the table another size when the configuration has one.

use std::path::Path;

use super::super::broken;
use super::file::{self, Place};
use super::legacy::{self, Pruned};
use crate::clock;
use crate::config::Config;
use crate::durable::{Altered, Document};
use crate::error::{Error, ErrorKind, Result};
use crate::report::{RateCleanupReport, RateFileCleaned, RateTableCleaned, SCHEMA};

/// How long we wait for whoever writes to the file of today's pages (milliseconds).
const WAIT_MS: u64 = 5_000;

/// Takes away what no limit needs any more: buckets that are full again, and in `api_rate_limits.json` requests that are
/// older than the longest period of a tier.
///
/// # Errors
/// What keeps our table from being opened. What is wrong with the file of today's pages is told in the report.
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
        Ok((pruned, told)) => (pruned, (!told.is_empty()).then(|| told.join("; "))),
        Err(error) => (Pruned::default(), Some(in_words(&error))),
    };
    RateFileCleaned {
        path: path.to_string_lossy().into_owned(),
        removed: pruned.removed,
        kept: pruned.kept,
        requests: pruned.requests,
        problem,
    }
}

/// Prunes it, and says what people should know. Where it made no sense nothing is put in its place: pages begin a new one,
/// as they do with a broken one. Who was blocked in it is so no longer, but for our own limits, which never ask it.
fn prune(config: &Config, path: &Path) -> Result<(Pruned, Vec<String>)> {
    let window = window(config);
    let document = Document {
        path,
        root: &config.root,
        lock: "api_rate_limits",
        ownership: &config.ownership,
        wait_ms: WAIT_MS,
    };
    broken::change(config, &document, |value| {
        let pruned = legacy::prune(value, clock::now().timestamp(), window).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "expected an object of clients in")
                .at(path)
                .hint("it is left as it is; pages write it anew when it is moved away")
        })?;
        let is_same = (pruned.removed, pruned.requests) == (0, 0);
        Ok(if is_same { Altered::No(pruned) } else { Altered::Yes(pruned) })
    })
}

/// So long a request in that file counts (seconds): as long as the longest period of a tier.
pub(super) fn window(config: &Config) -> i64 {
    config.access.tiers.values().map(|tier| i64::from(tier.period_seconds)).max().unwrap_or(3600)
}

fn in_words(error: &Error) -> String {
    error.hint_text().map_or_else(|| error.to_string(), |hint| format!("{error}; {hint}"))
}
