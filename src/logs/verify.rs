//! Proves that an archive is what was merged: every range of it still has the digest that was written down when it came,
//! and what was written down is a chain in which each entry has the digest of the one before. An archive that is another one
//! now is not what was merged, until somebody has seen to what is left of the one before (`breaks`). Only reads, and
//! everything once.

use std::collections::BTreeMap;
use std::io;

use crate::clock;
use crate::config::{Config, LogConfig};
use crate::error::Result;
use crate::interrupt;
use crate::report::{BadRange, LogProof, LogVerifyReport, LogsVerifyReport, SCHEMA};

use super::archive::Archive;
use super::around::Around;
use super::breaks::{self, with_hint};
use super::changed::changed;
use super::file::{Access, in_words};
use super::find;
use super::ledger::{Entry, Ledger};
use super::plan::Problem;
use super::segment;
use super::state::{LogState, State};
use super::{Options, chosen, lock};

/// Compares the archives with what was written down of them.
///
/// # Errors
/// [`crate::ErrorKind::Locked`] when a run is at it, [`crate::ErrorKind::Usage`] when a name fits no log,
/// [`crate::ErrorKind::Corrupt`] when what is known cannot be read. What is wrong with one log is in its report.
pub fn verify(config: &Config, options: &Options) -> Result<LogsVerifyReport> {
    let began = clock::start();
    let chosen = chosen(config, &options.logs)?;
    let directory = config.root.join("sync_state").join("logs");
    // Nothing moves meanwhile.
    let _lock = if directory.is_dir() { lock(config, options)? } else { None };
    let state = State::open(&directory)?;
    let around = Around::of(config);
    let rotation = segment::under_way(&directory);
    let mut logs = BTreeMap::new();
    for (name, log) in chosen {
        let ledger = Ledger::of(&directory, name);
        let report = match state.log(name) {
            None => report(LogProof::Unknown, Some("it was never merged".to_owned())),
            Some(known) => prove(log, &config.hub, &around, &known, &ledger)
                .unwrap_or_else(|why| report(LogProof::Failed, Some(why))),
        };
        // What a stop has kept from being read is not wrong with it.
        interrupt::check()?;
        let report = settled(report, name, &rotation);
        logs.insert(name.to_owned(), unbroken(report, &ledger));
    }
    let ok = logs.values().all(|log| matches!(log.state, LogProof::Ok | LogProof::Unknown));
    Ok(LogsVerifyReport {
        schema: SCHEMA,
        ok,
        run: clock::now().timestamp_millis().to_string(),
        duration_ms: began.millis(),
        logs,
    })
}

fn report(state: LogProof, reason: Option<String>) -> LogVerifyReport {
    LogVerifyReport { state, reason, ranges: 0, bytes: 0, gone_bytes: 0, unmerged_bytes: 0, first_bad: None }
}

/// While lines are moved from one file to another they may be in both, or in none of those that count: an archive of which a
/// rotation was interrupted is not damaged for that.
fn settled(
    found: LogVerifyReport,
    name: &str,
    rotation: &std::result::Result<Option<String>, Problem>,
) -> LogVerifyReport {
    match (rotation, found.state) {
        (_, LogProof::Ok | LogProof::Unknown) => found,
        (Ok(Some(log)), _) if log == name => report(
            LogProof::Unknown,
            Some("it is being rotated: that was interrupted, and the next merge or rotation finishes it; verify it again then".to_owned()),
        ),
        (Err(why), LogProof::Bad) => report(LogProof::Failed, Some(why.clone())),
        _ => found,
    }
}

fn prove(
    log: &LogConfig,
    hub: &str,
    around: &Around<'_>,
    known: &LogState,
    ledger: &Ledger,
) -> std::result::Result<LogVerifyReport, String> {
    let path = log.copies.get(hub).ok_or_else(|| "the hub has no copy".to_owned())?;
    let shelf = find::shelf(path, Access::Read, around)?;
    let fail = |cause: io::Error| in_words("read", path, &cause);
    let live = shelf.live.clone().ok_or_else(|| format!("{} is not there", path.display()))?;
    let mut archive = Archive::find(&shelf, &live, Some(known)).map_err(fail)?;
    if archive.anew {
        return Ok(report(
            LogProof::Bad,
            Some("what lies before the end that is on record is not what was there: it was changed, or taken away".to_owned()),
        ));
    }
    archive.reach_all().map_err(fail)?;
    let mut found = report(LogProof::Ok, None);
    found.unmerged_bytes = archive.end().map_err(fail)?.saturating_sub(known.end());
    let whole = ledger.whole(known.ledger, &known.chain).map_err(|why| with_hint(&why))?;
    let first = whole.entries.first().map_or(0, |entry| entry.from);
    found.gone_bytes = whole.trimmed.as_ref().map_or(0, |trimmed| trimmed.end - trimmed.start);
    let mut at = whole.trimmed.map_or(first, |trimmed| trimmed.end);
    let mut walk = None;
    for entry in &whole.entries {
        if entry.from != at {
            return Ok(bad(found, entry, "what is written down has a gap before it"));
        }
        at = entry.end();
        found.ranges += 1;
        if archive.begin() > entry.from {
            let is_left = archive.without_room().map_err(fail)?.is_some() && entry.from >= known.begin;
            if is_left {
                let files = changed(&archive, &whole.entries).map_err(fail)?;
                return Ok(bad(found, entry, &changed_in(&files)));
            }
            // Cleaned away, or at least its beginning.
            found.gone_bytes += entry.length;
            continue;
        }
        if walk.is_none() {
            walk = Some(archive.walk(entry.from).map_err(fail)?);
        }
        let digest = match &mut walk {
            Some(walk) => walk.digest(entry.length).map_err(fail)?,
            None => None,
        };
        if digest.as_ref() != Some(&entry.sha256) {
            let files = changed(&archive, &whole.entries).map_err(fail)?;
            return Ok(bad(found, entry, &changed_in(&files)));
        }
        found.bytes += entry.length;
    }
    if at != known.end() {
        return Err("what is written down ends before the end of what was merged".to_owned());
    }
    Ok(found)
}

/// What is wrong, and where.
fn changed_in(files: &[String]) -> String {
    let told = "its bytes are not those that were merged";
    match files.is_empty() {
        true => told.to_owned(),
        false => format!("{told}: look at {}, and put back what was there", files.join(", ")),
    }
}

/// With what waits for somebody beside the ledger.
fn unbroken(found: LogVerifyReport, ledger: &Ledger) -> LogVerifyReport {
    let told = match breaks::left(ledger) {
        Ok(left) => left.iter().map(|(lost, file)| lost.told(file)).collect::<Vec<_>>(),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(cause) => vec![format!("cannot look beside {}: {cause}", ledger.path().display())],
    };
    if told.is_empty() {
        return found;
    }
    let reason: Vec<String> = found.reason.iter().cloned().chain(told).collect();
    let state = match found.state {
        LogProof::Failed => LogProof::Failed,
        LogProof::Ok | LogProof::Bad | LogProof::Unknown => LogProof::Bad,
    };
    LogVerifyReport { state, reason: Some(reason.join("; ")), ..found }
}

fn bad(found: LogVerifyReport, entry: &Entry, why: &str) -> LogVerifyReport {
    let first_bad = BadRange {
        from: entry.from,
        length: entry.length,
        origin: entry.origin.clone(),
        offset: entry.offset,
        at: entry.at.clone(),
    };
    LogVerifyReport {
        state: LogProof::Bad,
        reason: Some(why.to_owned()),
        first_bad: Some(first_bad),
        ..found
    }
}
