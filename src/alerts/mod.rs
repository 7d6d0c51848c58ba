//! Which events somebody is to be told of who was not told yet.
//!
//! Says which, and remembers which were told; a shell delivers them. Every event is told at least once: what was handed out
//! counts as told when the shell says so, and is handed out again until then. The rate limit lets a delivery wait, and
//! drops nothing: the next ones have all that waited. Where more happened than is looked for in one run, the oldest stay untold
//! once all others were told, which is said.
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
use crate::report::{AlertsReport, AlertsToldReport, EventsFound, SCHEMA};
use memory::{Known, Memory, Offered};

/// So many are in one delivery; the next ones have the others.
const MOST: usize = 100;
/// As many as one search gives.
const MOST_AT_ONCE: usize = 10_000;
/// So often is looked for more, which others may have written to keep the rest from being read.
const MOST_SEARCHES: usize = 4;
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
    due_within(config, now, MOST_AT_ONCE)
}

fn due_within(config: &Config, now: i64, at_once: usize) -> Result<AlertsReport> {
    let (mut memory, doubt) = Memory::open(config)?;
    memory.known.sent.retain(|sent| counts(*sent, now));
    let limited = limited_until(config, &memory.known, now);
    // What waits is only counted.
    let searches = if limited.is_some() { 1 } else { MOST_SEARCHES };
    let looked_for = Filter { limit: at_once, ..filter(config, memory.known.asked, now) };
    let found = found(config, &looked_for, searches)?;
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
    if !found.more {
        let in_reach: BTreeSet<&String> = named.iter().map(|(name, _)| name).collect();
        memory.known.told.retain(|name| in_reach.contains(name));
    }
    let fresh: Vec<&(String, Map<String, Value>)> =
        named.iter().filter(|(name, _)| !memory.known.told.contains(name)).collect();
    if fresh.is_empty() {
        if report.more && limited.is_some() {
            // Only some were looked at.
            return Ok(report);
        }
        if report.more {
            // Else no run would ever get to those that come after.
            report.problems.push(format!(
                "more events than {} are bad enough for somebody to be told of: those before the newest were not told, and are in {}",
                named.len(),
                config.events.log.display()
            ));
        }
        memory.known.asked = Some(now);
        memory.known.offered = None;
    } else if let Some(next) = limited {
        report.waiting = fresh.len();
        report.next = Some(next);
        return Ok(report);
    } else {
        let token = clock::chance()?;
        // Until they are told, they stay in reach, however long that takes.
        memory.known.asked.get_or_insert(now);
        // What somebody may have been told of counts, also where that failed.
        memory.known.sent.push(now);
        let given = at_the_ends(&fresh);
        report.events = given.iter().map(|(_, event)| event.clone()).collect();
        report.left_out = fresh.len().saturating_sub(given.len());
        report.token = Some(token.clone());
        let names = given.iter().map(|(name, _)| name.clone()).collect();
        let whole = report.left_out == 0 && !report.more;
        memory.known.offered = Some(Offered { token, at: now, names, whole });
    }
    memory.write()?;
    Ok(report)
}

/// As many as are in one delivery, the oldest first, of all, which come with the newest first: the first and the last of them.
/// Whoever writes many lines to hide one would have to write them before it and after it.
fn at_the_ends<'a, T>(all: &[&'a T]) -> Vec<&'a T> {
    let half = if all.len() > MOST { MOST / 2 } else { all.len() };
    let oldest = all.iter().skip(half.max(all.len().saturating_sub(half)));
    let mut given: Vec<&T> = all.iter().take(half).chain(oldest).copied().collect();
    given.reverse();
    given
}

/// All events that may have to be told, the newest first; as many as so many searches give, each of which is bounded.
fn found(config: &Config, filter: &Filter, searches: usize) -> Result<EventsFound> {
    let mut all = events::query(config, filter)?;
    for _ in 1..searches {
        if !all.more || all.events.is_empty() {
            break;
        }
        let skip = all.events.len();
        let next = events::query(config, &Filter { skip, ..filter.clone() })?;
        all.more = next.more;
        all.events.extend(next.events);
    }
    Ok(all)
}

/// Events that should have been told a while ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// How many, at most as many as one search gives.
    pub(crate) count: usize,
    /// When the oldest happened, as the log writes it.
    pub(crate) since: String,
    /// When the rate limit lets them through, RFC 3339 UTC; none where it is not what they wait for.
    pub(crate) next: Option<String>,
}

/// What waits to be told for longer than `patience` seconds. Looks, and remembers nothing; none also for who may not know.
pub(crate) fn waiting(config: &Config, now: i64, patience: i64) -> Option<Waiting> {
    let known = memory::look(config)?;
    let until = DateTime::from_timestamp(now.saturating_sub(patience), 0).map(clock::stamp);
    let found = events::query(config, &Filter { until, ..filter(config, known.asked, now) }).ok()?;
    let fresh: Vec<_> = found.events.iter().filter(|event| !known.told.contains(&name(event))).collect();
    let oldest = fresh.last()?;
    let since = oldest.get("timestamp").and_then(Value::as_str).unwrap_or("an unknown time").to_owned();
    Some(Waiting { count: fresh.len(), since, next: limited_until(config, &known, now) })
}

/// Which events are looked for by who asked last at a time.
fn filter(config: &Config, asked: Option<i64>, now: i64) -> Filter {
    let since = asked.map_or(now, |asked| asked.min(now)).saturating_sub(MARGIN);
    Filter {
        severity: Severity::of(&config.alerts.severity),
        since: DateTime::from_timestamp(since, 0).map(clock::stamp),
        limit: MOST_AT_ONCE,
        ..Filter::default()
    }
}

/// Whether a delivery counts for the rate limit.
fn counts(sent: i64, now: i64) -> bool {
    sent <= now && now - sent < HOUR
}

/// When the next delivery may be, where that is not now.
fn limited_until(config: &Config, known: &Known, now: i64) -> Option<String> {
    let most = usize::try_from(config.alerts.per_hour).unwrap_or(usize::MAX);
    let sent: Vec<i64> = known.sent.iter().copied().filter(|sent| counts(*sent, now)).collect();
    let oldest = sent.iter().min().filter(|_| sent.len() >= most)?;
    DateTime::from_timestamp(oldest.saturating_add(HOUR), 0).map(clock::stamp)
}

fn accept(config: &Config, token: &str) -> Result<AlertsToldReport> {
    let (mut memory, _) = Memory::open(config)?;
    let Some(offered) = memory.known.offered.take().filter(|offered| offered.token == token) else {
        return Err(Error::new(ErrorKind::Usage, "these events were not handed out last")
            .hint("call it with the token of the last cr0_alerts; what it gave is given again"));
    };
    let told = offered.names.len();
    memory.known.told.extend(offered.names);
    if offered.whole {
        memory.known.asked = Some(offered.at);
    }
    memory.write()?;
    Ok(AlertsToldReport { schema: SCHEMA, told })
}

/// What an event is, short.
fn name(event: &Map<String, Value>) -> String {
    let text = Value::Object(event.clone()).to_string();
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
