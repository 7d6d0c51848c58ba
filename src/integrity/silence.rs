//! Silences findings: somebody on the website has seen them, and they stay what they are.
//!
//! Apart from `accept`, which signs, and which only the cron user can do: whoever may write the list of alerts may silence, and
//! a silenced finding is found by every check. A file that changes again is told of anew. What is silenced is written down
//! in the alerts alone, which anybody on the website may write: it says what pages show, and nothing depends on it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::alerts::{self, OPEN, SILENCED, is_as, path_of};
use super::memory::State;
use super::names;
use crate::config::Config;
use crate::durable::{self, Altered, Reading};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Severity;
use crate::report::{IntegritySilenceReport, SCHEMA};

/// A longer word on who asks is none (bytes).
const MAX_BY: usize = 200;
/// A longer list of alerts is none (bytes).
const MAX_ALERTS: u64 = 64 << 20;

/// Silences what is found of some files: their open alerts become `acknowledged`. That is put on record first, with who asks,
/// in his own words. Paths are taken as they are, and as findings show them.
///
/// # Errors
/// [`ErrorKind::Usage`] without paths, or when `by` is no line of at most 200 bytes; whatever keeps the event log or the alerts
/// from being written: nothing is silenced then, though the log may say that somebody asked for it.
pub fn silence(config: &Config, paths: &[PathBuf], by: &str) -> Result<IntegritySilenceReport> {
    if paths.is_empty() {
        let error = Error::new(ErrorKind::Usage, "nothing was named that is to be silenced");
        return Err(error.hint("name the paths of findings"));
    }
    if by.len() > MAX_BY || by.chars().any(char::is_control) {
        let error = Error::new(ErrorKind::Usage, "who asks is a line of text of at most 200 bytes");
        return Err(error.hint("name the user who clicked"));
    }
    let wanted: BTreeSet<&[u8]> = paths.iter().map(|path| path.as_os_str().as_bytes()).collect();
    let mut warnings = Vec::new();
    let found = alerts::change(config, &mut warnings, |list| {
        let mut found = BTreeMap::<&[u8], bool>::new();
        for alert in list.iter().filter_map(Value::as_object) {
            let is_open = is_as(alert, OPEN);
            for path in meant(&wanted, alert).filter(|_| is_open || is_as(alert, SILENCED)) {
                *found.entry(path).or_default() |= is_open;
            }
        }
        Altered::No(found)
    })?;
    let open: BTreeSet<&[u8]> =
        found.iter().filter(|(_, is_open)| **is_open).map(|(path, _)| *path).collect();
    if !open.is_empty() {
        record(config, &open, by)?;
        alerts::change(config, &mut warnings, |list| set(list, &open))?;
    }
    let told = |path: &&[u8]| names::shown(path).0;
    let (silenced, unknown): (Vec<&[u8]>, Vec<&[u8]>) =
        wanted.iter().copied().partition(|path| found.contains_key(path));
    Ok(IntegritySilenceReport {
        schema: SCHEMA,
        silenced: silenced.iter().map(told).collect(),
        unknown: unknown.iter().map(told).collect(),
        warnings,
    })
}

/// Which of some paths an alert is about: the file itself, or how it is shown.
fn meant<'a>(wanted: &BTreeSet<&'a [u8]>, alert: &Map<String, Value>) -> impl Iterator<Item = &'a [u8]> {
    let exact = path_of(alert);
    let shown = alert.get("file").and_then(Value::as_str).unwrap_or_default();
    let is_it = |path: &[u8]| wanted.get(path).copied();
    let both = [is_it(&exact), is_it(shown.as_bytes()).filter(|path| **path != *exact)];
    both.into_iter().flatten()
}

fn set(list: &mut [Value], open: &BTreeSet<&[u8]>) -> Altered<()> {
    let mut is_other = false;
    for alert in list.iter_mut().filter_map(Value::as_object_mut) {
        if is_as(alert, OPEN) && meant(open, alert).next().is_some() {
            alert.insert("status".to_owned(), Value::from(SILENCED));
            is_other = true;
        }
    }
    if is_other { Altered::Yes(()) } else { Altered::No(()) }
}

/// Puts on record who silences what: one event, or several where one could not hold it.
fn record(config: &Config, open: &BTreeSet<&[u8]>, by: &str) -> Result<()> {
    let paths = open.iter().map(|path| Value::from(names::shown(path).0)).collect();
    for paths in alerts::parts(paths) {
        let details = json!({ "by": by, "count": paths.len(), "paths": paths });
        alerts::one(config, "integrity_silenced", Severity::Medium.word(), details)?;
    }
    Ok(())
}

/// Says of each finding of the last check whether it is silenced: the last alert about it is, and is about the same change.
/// Says why, where nobody knows.
pub(super) fn mark(config: &Config, last_check: &mut Value) -> Option<String> {
    let Some(Value::Array(findings)) = last_check.get_mut("findings") else { return None };
    if findings.is_empty() {
        return None;
    }
    let (last, problem) = match last_alerts(config) {
        Ok(last) => (last, None),
        Err(reason) => (HashMap::new(), Some(reason)),
    };
    for finding in findings.iter_mut().filter_map(Value::as_object_mut) {
        let text = |name: &str| finding.get(name).and_then(Value::as_str);
        let about = (names::exact(text("path").unwrap_or_default(), text("path_b64")), text("kind"));
        let about = (about.0, about.1.unwrap_or_default().to_owned());
        let now = State::read(finding.get("changes"), finding.get("after"));
        let silenced =
            last.get(&about).is_some_and(|told| told.as_ref().is_some_and(|told| told.is_still(&now)));
        finding.insert("silenced".to_owned(), Value::from(silenced));
    }
    problem
}

/// What was silenced of each file and kind of finding, by the last alert about it: `None` where that one is not silenced.
type Last = HashMap<(Vec<u8>, String), Option<State>>;

fn last_alerts(config: &Config) -> std::result::Result<Last, String> {
    let path = &config.integrity.alerts;
    let problem = |reason: String| {
        format!("nobody can say what was silenced, as {} is no list of alerts: {reason}", path.display())
    };
    let list = match durable::settled(path, MAX_ALERTS) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Last::new()),
        Err(cause) => return Err(problem(cause.to_string())),
        Ok(bytes) => match Reading::of(&bytes) {
            Reading::Missing => Vec::new(),
            Reading::Broken(reason) => return Err(problem(reason)),
            Reading::Whole(value) => {
                alerts::list(&value).ok_or_else(|| problem("it holds something else".to_owned()))?
            }
        },
    };
    let mut last = Last::new();
    for alert in list.iter().filter_map(Value::as_object) {
        let details = |name: &str| alert.get("details").and_then(|details| details.get(name));
        let Some(kind) = details("kind").and_then(Value::as_str) else { continue };
        let told = is_as(alert, SILENCED).then(|| State::read(details("attributes"), details("after")));
        last.insert((path_of(alert), kind.to_owned()), told);
    }
    Ok(last)
}
