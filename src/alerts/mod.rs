//! Which events somebody is to be told of who was not told yet.
//!
//! Says which, and remembers which were told; a shell delivers them. Every event is told at least once: what was handed out
//! counts as told when the shell says so, and is handed out again until then. The rate limit lets a delivery wait, and
//! drops nothing: the next one has all that waited.
//!
//! Which ones were told is remembered by what they are, not by a number up to which all were: the log can be written by the
//! website's group, and one line with a large number would keep every later event from being told. It lies where only
//! the cron user may write.

mod memory;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use chrono::DateTime;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::clock;
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Filter, Severity};
use crate::report::{AlertsReport, AlertsToldReport, SCHEMA};
use memory::{Memory, Offered};

/// So many are in one delivery; of more it says how many there are.
const MOST: usize = 100;
/// More than that at once are not counted, which is as many as one search gives.
const MOST_FOUND: usize = 10_000;
/// The rate limit counts over so long (seconds).
const HOUR: i64 = 3_600;
/// Events are looked for from so long before the last look on: a clock may be set back by as much between two events
/// (seconds). Whoever asks for the first time is told of so much of the past.
const MARGIN: i64 = 3_600;

/// Which events are to be told now.
///
/// # Errors
/// [`ErrorKind::Access`] for everybody but the user of the cron jobs and root; when the log cannot be read or what was told
/// cannot be written down.
pub fn due(config: &Config) -> Result<AlertsReport> {
    due_at(config, clock::now().timestamp())
}

/// Writes down that what [`due`] gave was delivered.
///
/// # Errors
/// [`ErrorKind::Usage`] when it did not give this token last.
pub fn told(config: &Config, token: &str) -> Result<AlertsToldReport> {
    accept(config, token)
}

fn due_at(config: &Config, now: i64) -> Result<AlertsReport> {
    let (mut memory, doubt) = Memory::open(config)?;
    let since = memory.known.asked.map_or(now, |asked| asked.min(now)).saturating_sub(MARGIN);
    let filter = Filter {
        severity: Severity::of(&config.alerts.severity),
        since: DateTime::from_timestamp(since, 0).map(clock::stamp),
        limit: MOST_FOUND,
        ..Filter::default()
    };
    let found = events::query(config, &filter)?;
    let mut report = AlertsReport {
        schema: SCHEMA,
        severity: config.alerts.severity.clone(),
        events: Vec::new(),
        left_out: 0,
        more: found.more,
        waiting: 0,
        next: None,
        token: None,
        problems: doubt.into_iter().chain(found.problems).collect(),
    };
    let named: Vec<(String, Map<String, Value>)> =
        found.events.into_iter().map(|event| (name(&event), event)).collect();
    let in_reach: BTreeSet<&String> = named.iter().map(|(name, _)| name).collect();
    memory.known.told.retain(|name| in_reach.contains(name));
    let fresh: Vec<&(String, Map<String, Value>)> =
        named.iter().filter(|(name, _)| !memory.known.told.contains(name)).collect();
    memory.known.sent.retain(|sent| *sent <= now && now - *sent < HOUR);
    let most = usize::try_from(config.alerts.per_hour).unwrap_or(usize::MAX);
    if fresh.is_empty() {
        memory.known.asked = Some(now);
        memory.known.offered = None;
    } else if memory.known.sent.len() >= most {
        report.waiting = fresh.len();
        let oldest = memory.known.sent.iter().min();
        let next = oldest.and_then(|sent| DateTime::from_timestamp(sent.saturating_add(HOUR), 0));
        report.next = next.map(clock::stamp);
        return Ok(report);
    } else {
        let token = clock::chance()?;
        // Until they are told, they stay in reach, however long that takes.
        memory.known.asked.get_or_insert(now);
        // What somebody may have been told of counts, also where that failed.
        memory.known.sent.push(now);
        // The newest come first.
        report.events = fresh.iter().take(MOST).rev().map(|(_, event)| event.clone()).collect();
        report.left_out = fresh.len().saturating_sub(MOST);
        report.token = Some(token.clone());
        let names = fresh.iter().map(|(name, _)| name.clone()).collect();
        memory.known.offered = Some(Offered { token, at: now, names });
    }
    memory.write()?;
    Ok(report)
}

fn accept(config: &Config, token: &str) -> Result<AlertsToldReport> {
    let (mut memory, _) = Memory::open(config)?;
    let Some(offered) = memory.known.offered.take().filter(|offered| offered.token == token) else {
        return Err(Error::new(ErrorKind::Usage, "these events were not handed out last")
            .hint("call it with the token of the last cr0_alerts; what it gave is given again"));
    };
    let told = offered.names.len();
    memory.known.told.extend(offered.names);
    memory.known.asked = Some(offered.at);
    memory.write()?;
    Ok(AlertsToldReport { schema: SCHEMA, told })
}

/// What an event is, short.
fn name(event: &Map<String, Value>) -> String {
    let text = Value::Object(event.clone()).to_string();
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
