//! Tells of new findings: in the file that the site's pages show, and, complete, in the event log.
//!
//! A finding that is open is told once. What could not be told is told again by the next check.

use serde_json::{Map, Value, json};

use super::export;
use super::memory::{self, Memory, OpenFindings, State};
use super::model::is_within;
use super::names;
use super::scope::Scope;
use super::severity;
use crate::clock;
use crate::config::Config;
use crate::durable::{Altered, Broken, Document, Fate};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Event, Severity};
use crate::report::{FindingKind, IntegrityFinding};

/// So many alerts the site's pages keep.
const MAX_ALERTS: usize = 500;
/// More new findings than this share events: each of high severity is brought to disk by itself.
const MAX_EVENTS: usize = 200;
/// So many findings share one,
const SHARED: usize = 40;
/// or fewer, as details of an event beyond this are cut (bytes, with all that is escaped).
const MAX_SHARED: usize = 12 << 10;
/// So many findings of a watcher are remembered that nobody else will find,
const MOST_OVER: usize = 1_000;
/// and so many are named.
const MOST_NAMED: usize = 5;
/// So long pages may keep the list of alerts to themselves (milliseconds).
const WAIT_MS: u64 = 2_000;
/// What an alert is that somebody has to look at,
pub(super) const OPEN: &str = "open";
/// that somebody on the website has silenced,
pub(super) const SILENCED: &str = "acknowledged";
/// and that nobody has to look at any more.
const RESOLVED: &str = "resolved";

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

/// Who hears of what a check finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearer {
    /// Whoever asked for it: a person, or cron, which mails it.
    Caller,
    /// Nobody whom cron mails: a watcher tells it where it runs.
    Watcher,
}

/// What was told.
#[derive(Debug)]
pub(super) struct Told {
    /// So many findings are new to whoever hears of them.
    pub(super) new: u64,
    /// Whether other findings are open than before, or in another way.
    pub(super) is_other: bool,
    /// Why it is not remembered, so that it is told again.
    pub(super) unkept: Option<Error>,
}

/// Tells of those findings that are not open, or are no longer what was told of them, and remembers which are open. What only
/// a watcher told is new to the next caller.
pub(super) fn tell(
    config: &Config,
    scope: Option<&Scope>,
    memory: &Memory<'_>,
    findings: &[IntegrityFinding],
    extent: Extent<'_>,
    hearer: Hearer,
    warnings: &mut Vec<String>,
) -> Told {
    let (before, mut unkept) = match memory.open() {
        Ok(before) => (before, None),
        Err(error) => (OpenFindings::new(), Some(error)),
    };
    let is_caller = hearer == Hearer::Caller;
    let mut unheard = 0_u64;
    let mut open = OpenFindings::new();
    open.extend(
        before
            .iter()
            .filter(|(identity, told)| !told.is_over && stays(identity, extent))
            .map(|(a, b)| (a.clone(), b.clone())),
    );
    let (mut fresh, mut unshown) = (Vec::new(), Vec::new());
    for finding in findings {
        let (identity, now) = (memory::identity(finding), State::of(finding));
        match before.get(&identity).filter(|told| !told.is_over && told.is_still(&now)) {
            Some(told) => {
                if !told.is_shown {
                    unshown.push(finding);
                }
                unheard = unheard.saturating_add(u64::from(is_caller && !told.is_heard));
                let mut state = told.and(now);
                state.is_heard |= is_caller;
                open.insert(identity, state);
            }
            None => fresh.push(finding),
        }
    }
    let is_found = |identity: &String| {
        open.contains_key(identity) || fresh.iter().any(|finding| memory::identity(finding) == *identity)
    };
    // What only a watcher told, and nobody finds any more, is told as well.
    let over = before.iter().filter(|(identity, told)| told.is_over || !told.is_heard && !is_found(identity));
    let over: Vec<(String, State)> = over.take(MOST_OVER).map(|(a, b)| (a.clone(), b.clone())).collect();
    for (identity, mut state) in over.iter().filter(|_| !is_caller).cloned() {
        state.is_over = true;
        open.insert(identity, state);
    }
    if is_caller && !over.is_empty() {
        warnings.push(of_over(over.iter().map(|(identity, _)| memory::path_of(identity))));
    }
    // The event log is the complete one, so it comes first; what could not be put there is told anew by the next check.
    match record(config, &fresh) {
        Ok(()) => {
            for finding in &fresh {
                let mut state = State::of(finding);
                state.is_heard = is_caller;
                open.insert(memory::identity(finding), state);
            }
            unshown.extend(fresh.iter().copied());
        }
        Err(error) => {
            for identity in fresh.iter().map(|finding| memory::identity(finding)) {
                open.extend(before.get(&identity).map(|told| (identity, told.clone())));
            }
            warnings.push(format!(
                "could not tell of new findings, the next check tries again: {}",
                error.in_words()
            ));
        }
    }
    let wanted: Vec<&IntegrityFinding> =
        unshown.iter().copied().filter(|finding| is_wanted(finding, scope)).collect();
    let shown = write_alerts(config, &wanted, warnings);
    if let Err(error) = &shown {
        let path = config.integrity.alerts.display();
        warnings.push(format!("{path} lacks new findings, the next check tries again: {}", error.in_words()));
    }
    for finding in &unshown {
        if let Some(state) = open.get_mut(&memory::identity(finding)) {
            state.is_shown = shown.is_ok();
        }
    }
    let is_other = open != before || !fresh.is_empty();
    if open != before
        && let Err(error) = memory.set_open(&open)
    {
        unkept = Some(error);
    }
    Told { new: u64::try_from(fresh.len()).unwrap_or(u64::MAX).saturating_add(unheard), is_other, unkept }
}

/// That a watcher has found something, and a check does not any more.
fn of_over<'a>(paths: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = match paths.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named: Vec<&str> = paths.take(MOST_NAMED).collect();
    format!(
        "the watcher found what is not so any more; the event log says what it was: {}{more}",
        named.join(", ")
    )
}

/// Whether an open finding stays open though this check did not find it.
fn stays(identity: &str, extent: Extent<'_>) -> bool {
    match extent {
        Extent::Whole => false,
        Extent::Part => true,
        // Whatever is looked at, the baseline is as well.
        Extent::Paths(_) if memory::is_of_baseline(identity) => false,
        Extent::Paths(paths) => {
            let path = memory::path_of(identity);
            !paths.iter().any(|above| is_within(path.as_bytes(), above.as_bytes()))
        }
    }
}

/// Whether somebody asked for alerts about such things. What is critical, as code where none belongs, is always worth one.
fn is_wanted(finding: &IntegrityFinding, scope: Option<&Scope>) -> bool {
    let Some(scope) = scope else { return true };
    let is_asked_for = match finding.kind {
        FindingKind::Added => scope.alerts_on_new,
        FindingKind::Removed => scope.alerts_on_missing,
        _ => true,
    };
    is_asked_for || finding.severity == Severity::Critical.word()
}

/// Appends to the list that the site's pages show; of what is in it, the last stay as they are.
fn write_alerts(config: &Config, findings: &[&IntegrityFinding], warnings: &mut Vec<String>) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let first = findings.len().saturating_sub(MAX_ALERTS);
    let fresh: Vec<Value> =
        findings.iter().skip(first).map(|finding| alert(finding)).collect::<Result<_>>()?;
    change(config, warnings, |list| {
        list.extend(fresh.iter().cloned());
        list.drain(..list.len().saturating_sub(MAX_ALERTS));
        Altered::Yes(())
    })
}

/// Ends the alerts about what was accepted, and forgets that it was told, so that it is told anew when it comes again;
/// returns how many alerts those were. What cannot be done is said: it is accepted all the same.
pub(super) fn resolve(
    config: &Config,
    memory: &Memory<'_>,
    is_accepted: &dyn Fn(&[u8]) -> bool,
    warnings: &mut Vec<String>,
) -> u64 {
    let mut said = Vec::new();
    let resolved = forget(memory, is_accepted).and_then(|()| end(config, is_accepted, &mut said));
    warnings.append(&mut said);
    resolved.unwrap_or_else(|error| {
        warnings.push(format!("could not close the alerts about what was accepted: {}", error.in_words()));
        0
    })
}

fn forget(memory: &Memory<'_>, is_accepted: &dyn Fn(&[u8]) -> bool) -> Result<()> {
    let before = memory.open()?;
    let mut open = before.clone();
    open.retain(|identity, _| !is_accepted(&memory::exact_path_of(identity)));
    if open == before { Ok(()) } else { memory.set_open(&open) }
}

fn end(config: &Config, is_accepted: &dyn Fn(&[u8]) -> bool, warnings: &mut Vec<String>) -> Result<u64> {
    if !config.integrity.alerts.exists() {
        return Ok(0);
    }
    change(config, warnings, |list| {
        let mut count = 0_u64;
        for alert in list.iter_mut().filter_map(Value::as_object_mut) {
            let stands = [OPEN, SILENCED].into_iter().any(|status| is_as(alert, status));
            if stands && is_accepted(&path_of(alert)) {
                alert.insert("status".to_owned(), Value::from(RESOLVED));
                count = count.saturating_add(1);
            }
        }
        if count > 0 { Altered::Yes(count) } else { Altered::No(count) }
    })
}

/// The file that an alert is about.
pub(super) fn path_of(alert: &Map<String, Value>) -> Vec<u8> {
    let exact = alert.get("details").and_then(|details| details.get("path_b64")).and_then(Value::as_str);
    names::exact(alert.get("file").and_then(Value::as_str).unwrap_or_default(), exact)
}

pub(super) fn is_as(alert: &Map<String, Value>, status: &str) -> bool {
    alert.get("status").is_some_and(|own| own == status)
}

/// Changes the list of alerts, which pages change too. One that makes no sense is moved aside, and that is told.
pub(super) fn change<T>(
    config: &Config,
    warnings: &mut Vec<String>,
    mut alter: impl FnMut(&mut Vec<Value>) -> Altered<T>,
) -> Result<T> {
    let path = &config.integrity.alerts;
    let document = Document {
        path,
        root: &config.root,
        lock: "integrity_alerts",
        ownership: &config.ownership,
        wait_ms: WAIT_MS,
    };
    document.change(
        |broken| warnings.push(tell_broken(config, broken)),
        |value| {
            let mut list = list(value).ok_or_else(|| {
                Error::new(ErrorKind::Corrupt, "expected a list of alerts in")
                    .at(path)
                    .hint("it is left as it is; look what it is and move it away, and the next check writes a new one")
            })?;
            let altered = alter(&mut list);
            *value = Value::Array(list);
            Ok(altered)
        },
    )
}

/// The alerts; PHP makes an object of a list that a page took something out of.
pub(super) fn list(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(list) => Some(list.clone()),
        Value::Object(members) => {
            let is_number = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
            members.keys().all(is_number).then(|| members.values().cloned().collect())
        }
        _ => None,
    }
}

/// Puts on record that the list made no sense, and says so.
fn tell_broken(config: &Config, broken: &Broken) -> String {
    let path = config.integrity.alerts.display().to_string();
    let moved_to = broken.moved_to.display().to_string();
    let details = json!({ "file": path, "reason": broken.reason, "moved_to": moved_to });
    let (kind, severity, told) = match broken.fate {
        Fate::Goes => {
            let told = format!("{path} was no list of alerts ({}); it is {moved_to} now", broken.reason);
            ("CORRUPT_FILE", Severity::Critical, told)
        }
        Fate::Replaced => {
            let told = format!(
                "{path} was not moved after all: somebody put another file there in between, which stays"
            );
            ("CORRUPT_FILE_REPLACED", Severity::Info, told)
        }
    };
    match one(config, kind, severity.word(), details) {
        Ok(()) => told,
        Err(error) => format!("{told}; that is in no event log: {}", error.in_words()),
    }
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
        for (name, attributes) in [("before", &finding.before), ("after", &finding.after)] {
            if let Some(Ok(attributes)) = attributes.as_ref().map(serde_json::to_value) {
                members.insert(name.to_owned(), attributes);
            }
        }
    }
    all
}

/// Puts all of them on record.
fn record(config: &Config, findings: &[&IntegrityFinding]) -> Result<()> {
    if findings.len() <= MAX_EVENTS {
        for finding in findings {
            one(config, word(finding), finding.severity, with_file(finding))?;
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
        for files in parts(members.into_iter().map(with_file).collect()) {
            one(config, kind, severity, json!({ "count": files.len(), "files": files }))?;
        }
    }
    Ok(())
}

fn with_file(finding: &IntegrityFinding) -> Value {
    let mut details = details(finding);
    if let Some(members) = details.as_object_mut() {
        members.insert("file".to_owned(), Value::from(finding.path.as_str()));
    }
    details
}

/// What shares one event each: no more than are written whole.
pub(super) fn parts(files: Vec<Value>) -> Vec<Vec<Value>> {
    let mut parts: Vec<Vec<Value>> = Vec::new();
    let mut size = 0_usize;
    for file in files {
        let more = file.to_string().len();
        match parts.last_mut().filter(|part| part.len() < SHARED && size.saturating_add(more) <= MAX_SHARED) {
            Some(part) => part.push(file),
            None => {
                size = 0;
                parts.push(vec![file]);
            }
        }
        size = size.saturating_add(more);
    }
    parts
}

/// Writes an event.
pub(super) fn one(config: &Config, kind: &str, severity: &str, details: Value) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_was_not_moved_after_all_is_not_said_to_be()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let config = Config::parse(br#"{"version": 1}"#, directory.path(), None)?;
        let broken = |fate| Broken { reason: "it is empty".to_owned(), moved_to: "/aside".into(), fate };
        let said = [Fate::Goes, Fate::Replaced].map(|fate| tell_broken(&config, &broken(fate)));
        assert!(said[0].contains("it is /aside now") && !said[1].contains("/aside"), "{said:?}");
        assert!(said[1].contains("was not moved after all"), "{said:?}");
        let log = std::fs::read_to_string(&config.events.log)?;
        let told: Vec<Value> = log.lines().map(serde_json::from_str).collect::<serde_json::Result<_>>()?;
        let told: Vec<[&Value; 2]> = told.iter().map(|event| [&event["type"], &event["severity"]]).collect();
        assert_eq!(told, [["CORRUPT_FILE", "CRITICAL"], ["CORRUPT_FILE_REPLACED", "INFO"]]);
        Ok(())
    }
}
