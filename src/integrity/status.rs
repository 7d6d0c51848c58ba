//! How it is with watched files, without looking at them.

use chrono::DateTime;
use serde_json::Value;

use super::beat;
use super::check;
use super::names;
use super::scope::Scope;
use super::store::{self, Loaded};
use crate::clock;
use crate::config::Config;
use crate::durable;
use crate::error::Result;
use crate::report::{BaselineStatus, IntegrityStatusReport, SCHEMA};

/// Says whether the baseline can be believed, what the last check found, and whether a watcher is at work.
///
/// What the last check found is as the website's group can write it: for people, and nothing is decided by it.
///
/// # Errors
/// When the list of what to watch makes no sense, or the disk fails.
pub fn status(config: &Config) -> Result<IntegrityStatusReport> {
    let scope = Scope::read(config)?;
    let (baseline, mut warnings) = match store::load(config)? {
        Ok(loaded) => (believed(&loaded), loaded.flaws.iter().map(|flaw| flaw.reason.clone()).collect()),
        Err(broken) => (doubted(&broken.reason), Vec::new()),
    };
    warnings.extend(scope.warnings.iter().cloned());
    let last_check = check::kept(config);
    let watch = beat::status(config)?;
    let found_nothing = match &last_check {
        Value::Object(report) => report.get("ok").and_then(Value::as_bool).unwrap_or(false),
        _ => true,
    };
    Ok(IntegrityStatusReport {
        schema: SCHEMA,
        ok: baseline.ok && warnings.is_empty() && found_nothing && !watch.stale,
        baseline,
        last_check,
        watch,
        locks: durable::locks_held(&config.root),
        roots: scope.roots.iter().map(|root| names::shown(root).0).collect(),
        excluded: scope.excluded(),
        warnings,
    })
}

fn believed(loaded: &Loaded) -> BaselineStatus {
    let baseline = &loaded.baseline;
    BaselineStatus {
        ok: true,
        problem: None,
        generation: baseline.generation,
        created: DateTime::from_timestamp(baseline.created, 0).map(clock::stamp),
        entries: u64::try_from(baseline.entries.len()).unwrap_or(u64::MAX),
    }
}

fn doubted(reason: &str) -> BaselineStatus {
    BaselineStatus { ok: false, problem: Some(reason.to_owned()), generation: 0, created: None, entries: 0 }
}
