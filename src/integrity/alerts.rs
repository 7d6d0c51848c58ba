//! Tells of new findings: in the file that the site's pages show, and, complete, in the event log.
//!
//! A finding that is open is told once. What could not be told is told again by the next check.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::export;
use super::memory::{self, Memory};
use super::names;
use super::published;
use super::scope::Scope;
use super::severity;
use crate::clock;
use crate::config::Config;
use crate::durable;
use crate::error::Result;
use crate::events::{self, Event, Severity};
use crate::report::{FindingKind, IntegrityFinding};

/// So many alerts the site's pages keep.
const MAX_ALERTS: usize = 500;
/// More new findings than this share events: each of high severity is brought to disk by itself.
const MAX_EVENTS: usize = 200;
/// So many findings share one.
const SHARED: usize = 40;

/// What a check was about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Extent<'a> {
    /// Everything, and all of it was looked at.
    Whole,
    /// Everything, but not all of it was looked at.
    Part,
    /// These paths, as they are shown.
    Paths(&'a [String]),
}

/// Tells of those findings that are not open, and remembers which are; returns how many are new.
pub(super) fn tell(
    config: &Config,
    scope: Option<&Scope>,
    memory: &Memory<'_>,
    findings: &[IntegrityFinding],
    extent: Extent<'_>,
    warnings: &mut Vec<String>,
) -> Result<u64> {
    let before = memory.open()?;
    let mut open: BTreeSet<String> = before.iter().filter(|mark| stays(mark, extent)).cloned().collect();
    let fresh: Vec<&IntegrityFinding> =
        findings.iter().filter(|finding| !before.contains(&memory::mark(finding))).collect();
    let wanted: Vec<&IntegrityFinding> =
        fresh.iter().copied().filter(|finding| is_wanted(finding, scope)).collect();
    let told = write_alerts(config, &wanted, warnings).and_then(|()| record(config, &wanted));
    if let Err(error) = &told {
        warnings.push(format!("could not tell of new findings, the next check tries again: {error}"));
    }
    for finding in findings {
        let mark = memory::mark(finding);
        if told.is_ok() || before.contains(&mark) {
            open.insert(mark);
        }
    }
    if open != before {
        memory.set_open(&open)?;
    }
    Ok(u64::try_from(fresh.len()).unwrap_or(u64::MAX))
}

/// Whether an open finding stays open though this check did not find it.
fn stays(mark: &str, extent: Extent<'_>) -> bool {
    match extent {
        Extent::Whole => false,
        Extent::Part => true,
        Extent::Paths(paths) => {
            let path = memory::path_of(mark);
            let is_in = |above: &String| {
                path.strip_prefix(above.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            !paths.iter().any(is_in)
        }
    }
}

/// Whether somebody asked for alerts about such things. Code where none belongs is always worth one.
fn is_wanted(finding: &IntegrityFinding, scope: Option<&Scope>) -> bool {
    let Some(scope) = scope else { return true };
    match finding.kind {
        FindingKind::Added => {
            scope.alerts_on_new || severity::is_code_in_data(finding.kind, finding.path.as_bytes())
        }
        FindingKind::Removed => scope.alerts_on_missing,
        _ => true,
    }
}

/// Appends to the list that the site's pages show; of what is in it, the last stay as they are.
fn write_alerts(config: &Config, findings: &[&IntegrityFinding], warnings: &mut Vec<String>) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let path = &config.integrity.alerts;
    let mut list = match published::small_file(path)?.map(|bytes| serde_json::from_slice::<Value>(&bytes)) {
        None => Vec::new(),
        Some(Ok(Value::Array(list))) => list,
        Some(_) => {
            let now = clock::now().format("%Y-%m-%d_%H-%M-%S");
            let mut aside = path.as_os_str().to_owned();
            aside.push(format!(".corrupt-{now}"));
            let aside = PathBuf::from(aside);
            durable::set_aside(path, &aside)?;
            warnings.push(format!("{} was no list of alerts; it is {} now", path.display(), aside.display()));
            Vec::new()
        }
    };
    let first = findings.len().saturating_sub(MAX_ALERTS);
    for finding in findings.iter().skip(first) {
        list.push(alert(finding)?);
    }
    list.drain(..list.len().saturating_sub(MAX_ALERTS));
    export::put(config, path, &export::pretty(&list)?)
}

/// One alert, in the shape of the site's pages.
fn alert(finding: &IntegrityFinding) -> Result<Value> {
    let changed = |name: &str| finding.changes.iter().any(|change| change == name);
    let mut details = details(finding);
    if let Some(details) = details.as_object_mut() {
        details.insert(
            "changes".to_owned(),
            json!({
                "content_modified": changed("content"),
                "size_changed": changed("size"),
                "timestamp_changed": changed("mtime"),
                "permissions_changed": changed("mode"),
            }),
        );
    }
    Ok(json!({
        "id": format!("integrity_{}", clock::chance()?),
        "timestamp": export::time(clock::now().timestamp()),
        "type": word(finding),
        "file": finding.path,
        "severity": finding.severity,
        "details": details,
        "ip": "system",
        "status": "open",
    }))
}

fn word(finding: &IntegrityFinding) -> &'static str {
    severity::word(finding.kind, finding.changes.iter().any(|change| change == "missing"))
}

fn details(finding: &IntegrityFinding) -> Value {
    let mut all = json!({ "kind": finding.kind, "attributes": finding.changes });
    if let Some(members) = all.as_object_mut() {
        for (name, text) in [
            ("path_b64", &finding.path_b64),
            ("from", &finding.from),
            ("from_b64", &finding.from_b64),
            ("reason", &finding.reason),
        ] {
            if let Some(text) = text {
                members.insert(name.to_owned(), Value::from(text.as_str()));
            }
        }
    }
    all
}

/// Puts all of them on record.
fn record(config: &Config, findings: &[&IntegrityFinding]) -> Result<()> {
    if findings.len() <= MAX_EVENTS {
        for finding in findings {
            let mut details = details(finding);
            if let Some(members) = details.as_object_mut() {
                members.insert("file".to_owned(), Value::from(finding.path.as_str()));
            }
            one(config, word(finding), finding.severity, details)?;
        }
        return Ok(());
    }
    let mut groups: Vec<(&'static str, &'static str)> =
        findings.iter().map(|finding| (word(finding), finding.severity)).collect();
    groups.sort_unstable();
    groups.dedup();
    for (kind, severity) in groups {
        let members: Vec<&IntegrityFinding> = findings
            .iter()
            .copied()
            .filter(|finding| (word(finding), finding.severity) == (kind, severity))
            .collect();
        for part in members.chunks(SHARED) {
            let files: Vec<&str> = part.iter().map(|finding| finding.path.as_str()).collect();
            one(config, kind, severity, json!({ "count": files.len(), "files": files }))?;
        }
    }
    Ok(())
}

fn one(config: &Config, kind: &str, severity: &str, details: Value) -> Result<()> {
    let severity = Severity::of(severity).unwrap_or(Severity::High);
    let event = Event { kind: kind.to_owned(), severity, details, ip: None, session: None };
    events::record(config, &event).map(drop)
}

/// An event about watching itself.
pub(super) fn about_watching(
    config: &Config,
    kind: &str,
    severity: Severity,
    path: &[u8],
    reason: &str,
) -> Result<()> {
    let (path, path_b64) = names::shown(path);
    let details = json!({ "file": path, "path_b64": path_b64, "reason": reason });
    one(config, kind, severity.word(), details)
}
