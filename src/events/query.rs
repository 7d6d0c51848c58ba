//! Looks for events, the newest first: backwards through the log, then through its archives.
//!
//! Holds a block of the log in memory, and what was found; a page of a log of gigabytes costs what a page of a small one
//! does.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;

use serde_json::{Map, Value};

use super::archive::{manifests, unpack};
use super::{Severity, line};
use crate::config::Config;
use crate::durable;
use crate::error::{Error, ErrorKind, Result};
use crate::report::{EventsFound, SCHEMA};

/// So much of the log is read at once (bytes); a longer line is told, and passed over.
const BLOCK: u64 = 1 << 20;
/// More events at once are no page.
const MAX_LIMIT: usize = 10_000;

/// Which events are asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this kind; all where none is named.
    pub kinds: Vec<String>,
    /// At least so bad.
    pub severity: Option<Severity>,
    /// Not before this time, as the log writes it.
    pub since: Option<String>,
    /// Before this time.
    pub until: Option<String>,
    /// From this address.
    pub ip: Option<String>,
    /// In this session.
    pub session: Option<String>,
    /// With this text anywhere in it, in small letters or not.
    pub text: Option<String>,
    /// Passes over so many of them.
    pub skip: usize,
    /// At most so many.
    pub limit: usize,
}

/// Looks for events.
///
/// # Errors
/// [`ErrorKind::Usage`] when a time cannot be understood, or when the log cannot be read.
pub fn query(config: &Config, filter: &Filter) -> Result<EventsFound> {
    let mut search = Search::of(filter)?;
    let path = &config.events.log;
    let mut is_done = false;
    match durable::open_regular(path) {
        Ok(file) => {
            is_done = backwards(&file, &mut search)
                .map_err(|cause| Error::io("read the event log", path, cause))?;
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
        Err(cause) => return Err(Error::io("read the event log", path, cause)),
    }
    for (file, manifest) in manifests(config)?.into_iter().rev() {
        if is_done || search.since.as_ref().is_some_and(|since| manifest.until.as_str() < since.as_str()) {
            break;
        }
        match unpack(&file) {
            Ok(text) => is_done = text.rsplit(|byte| *byte == b'\n').any(|line| search.is_full(line)),
            Err(cause) => search.problems.push(format!("{} cannot be read: {cause}", file.display())),
        }
    }
    let more = search.found.len() > search.limit;
    search.found.truncate(search.limit);
    Ok(EventsFound { schema: SCHEMA, events: search.found.into(), more, problems: search.problems })
}

struct Search<'a> {
    filter: &'a Filter,
    since: Option<String>,
    until: Option<String>,
    text: Option<String>,
    skip: usize,
    limit: usize,
    found: VecDeque<Map<String, Value>>,
    problems: Vec<String>,
}

impl Search<'_> {
    fn of(filter: &Filter) -> Result<Search<'_>> {
        let time = |time: &Option<String>| time.as_deref().map(stamp).transpose();
        Ok(Search {
            filter,
            since: time(&filter.since)?,
            until: time(&filter.until)?,
            text: filter.text.as_ref().map(|text| text.to_lowercase()),
            skip: filter.skip,
            limit: filter.limit.clamp(1, MAX_LIMIT),
            found: VecDeque::new(),
            problems: Vec::new(),
        })
    }

    /// Takes a line if it fits. Whether there are as many as are wanted, and one more.
    fn is_full(&mut self, text: &[u8]) -> bool {
        let Some(read) = line::read(text) else { return false };
        if !self.fits(&read) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.found.push_back(read.value);
        self.found.len() > self.limit
    }

    fn fits(&self, read: &line::Read) -> bool {
        let filter = self.filter;
        let time = stamp(read.text("timestamp")).unwrap_or_default();
        let is = |wanted: &Option<String>, name: &str| {
            wanted.as_deref().is_none_or(|wanted| read.text(name) == wanted)
        };
        (filter.kinds.is_empty() || filter.kinds.iter().any(|kind| kind == read.text("type")))
            && filter.severity.is_none_or(|least| read.severity().is_some_and(|severity| severity >= least))
            && self.since.as_ref().is_none_or(|since| time >= *since)
            && self.until.as_ref().is_none_or(|until| time < *until)
            && is(&filter.ip, "ip")
            && is(&filter.session, "session_id")
            && self.text.as_ref().is_none_or(|text| {
                let whole = Value::Object(read.value.clone()).to_string();
                whole.to_lowercase().contains(text)
            })
    }
}

/// A time in one form, whichever of the usual ones it has: RFC 3339, `Y-m-d H:i:s` or `Y-m-d`, in UTC.
fn stamp(time: &str) -> Result<String> {
    use chrono::{DateTime, NaiveDate, NaiveDateTime};
    let naive = |time: NaiveDateTime| crate::clock::stamp(time.and_utc());
    if let Ok(time) = DateTime::parse_from_rfc3339(time) {
        return Ok(crate::clock::stamp(time.to_utc()));
    }
    if let Ok(time) = NaiveDateTime::parse_from_str(time, "%Y-%m-%d %H:%M:%S") {
        return Ok(naive(time));
    }
    match NaiveDate::parse_from_str(time, "%Y-%m-%d") {
        Ok(day) => Ok(naive(day.and_hms_opt(0, 0, 0).unwrap_or_default())),
        Err(_) => Err(Error::new(ErrorKind::Usage, format!("cannot understand the time {time:?}"))
            .hint("write it like 2025-07-14 or 2025-07-14T09:31:02Z")),
    }
}

/// Reads the log from its end; whether that was enough.
fn backwards(file: &File, search: &mut Search<'_>) -> std::io::Result<bool> {
    let mut end = file.metadata()?.len();
    // What was read of a line whose beginning lies further back.
    let mut rest: Vec<u8> = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(end - start).unwrap_or(0)];
        file.read_exact_at(&mut block, start)?;
        block.extend_from_slice(&rest);
        let mut lines = block.rsplit(|byte| *byte == b'\n');
        let mut first = None;
        for line in &mut lines {
            if let Some(line) = first.replace(line)
                && search.is_full(line)
            {
                return Ok(true);
            }
        }
        rest = first.unwrap_or_default().to_vec();
        if u64::try_from(rest.len()).unwrap_or(u64::MAX) > 4 * BLOCK {
            search.problems.push(format!("a line before byte {end} is too long for an event"));
            rest.clear();
        }
        end = start;
    }
    Ok(search.is_full(&rest))
}
