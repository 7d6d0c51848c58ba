//! Looks for events, the newest first: backwards through the log, then through its archives.
//!
//! Holds a block of the log in memory, and what was found, which is bounded as well; a page of a log of gigabytes costs what
//! a page of a small one does. An archive is read twice: which of its events are wanted is known when they are counted.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde_json::{Map, Value};

use super::archive::{self, Whole};
use super::lines::{Lines, MAX_LINE};
use super::pack::Manifest;
use super::verify::Budget;
use super::{Severity, line};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::report::{EventsFound, SCHEMA};
use crate::{durable, interrupt};

/// So much of the log is read at once (bytes).
const BLOCK: u64 = 1 << 20;
/// Events of more are no page (bytes, as they stand in the log): it ends before, and says that there are more.
const MAX_PAGE: usize = 16 << 20;
/// More problems are not told one by one.
const MAX_PROBLEMS: usize = 100;
/// So long archives are looked through for one page (milliseconds), as others can make them long.
const MOST_MS: u64 = 30_000;
/// More events at once are no page.
const MAX_LIMIT: usize = 10_000;

/// Which events are asked for.
#[derive(Debug, Clone)]
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
    /// At most so many, 1 to 10,000.
    pub limit: usize,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            kinds: Vec::new(),
            severity: None,
            since: None,
            until: None,
            ip: None,
            session: None,
            text: None,
            skip: 0,
            limit: 100,
        }
    }
}

/// Looks for events.
///
/// # Errors
/// [`ErrorKind::Usage`] when a time cannot be understood or the limit is none; when the log cannot be read.
pub fn query(config: &Config, filter: &Filter) -> Result<EventsFound> {
    if !(1..=MAX_LIMIT).contains(&filter.limit) {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("the limit is 1 to {MAX_LIMIT} events, not {}", filter.limit),
        ));
    }
    let mut search = Search::of(filter)?;
    durable::root_directory(&config.root)?;
    let Whole { log, archives, damaged } = archive::whole(config)?;
    for damaged in &damaged {
        search.problem(format!("{}; until then its events are not found", damaged.told()));
    }
    let path = &config.events.log;
    let mut is_done = match log {
        Some(log) => {
            let fail = |cause| Error::io("read the event log", path, cause);
            backwards(&log, &config.events.log, &mut search).map_err(fail)?
        }
        None => false,
    };
    let budget = Budget::of(Some(MOST_MS));
    for (file, manifest) in archives.into_iter().rev() {
        if is_done {
            break;
        }
        if budget.is_over() {
            search.problem(format!(
                "{} and those before it were not looked through, as that takes long",
                file.display()
            ));
            break;
        }
        // One before it may be of a later day, as lines say of themselves when they were written.
        if search.since.as_ref().is_some_and(|since| manifest.until.as_str() < since.as_str()) {
            continue;
        }
        match packed(&file, &manifest, &mut search, &budget) {
            Ok(done) => is_done = done,
            Err(cause) => {
                interrupt::check()?;
                search.problem(format!("{} cannot be read: {cause}", file.display()));
            }
        }
    }
    let more = search.is_cut || search.found.len() > search.limit;
    search.found.truncate(search.limit);
    Ok(EventsFound { schema: SCHEMA, events: search.found, more, problems: search.problems })
}

struct Search<'a> {
    filter: &'a Filter,
    since: Option<String>,
    until: Option<String>,
    text: Option<String>,
    skip: usize,
    limit: usize,
    found: Vec<Map<String, Value>>,
    /// Of what was found, as it stands in the log.
    bytes: usize,
    /// Whether there is more than one page may hold.
    is_cut: bool,
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
            limit: filter.limit,
            found: Vec::new(),
            bytes: 0,
            is_cut: false,
            problems: Vec::new(),
        })
    }

    /// Takes a line if it fits. Whether there are as many as are wanted, and one more.
    fn is_full(&mut self, text: &[u8]) -> bool {
        let Some(read) = line::read(text).filter(|read| self.fits(read)) else { return false };
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.take(read, text.len())
    }

    fn take(&mut self, read: line::Read, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_PAGE && !self.found.is_empty() {
            self.is_cut = true;
            return true;
        }
        self.found.push(read.value);
        self.found.len() > self.limit
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
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
pub(super) fn stamp(time: &str) -> Result<String> {
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
fn backwards(file: &File, path: &Path, search: &mut Search<'_>) -> io::Result<bool> {
    let mut end = file.metadata()?.len();
    // What was read of a line whose beginning lies further back; none of one that is too long.
    let mut rest: Option<Vec<u8>> = Some(Vec::new());
    while end > 0 {
        interrupt::check_io()?;
        let start = end.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(end - start).unwrap_or(0)];
        file.read_exact_at(&mut block, start)?;
        let first = match (memchr::memchr(b'\n', &block), rest.take()) {
            (None, None) => None,
            // All of it, but for a line that is too long.
            (Some(first), None) => {
                block.truncate(memchr::memrchr(b'\n', &block).unwrap_or(first));
                Some(first)
            }
            (first, Some(rest)) => {
                block.extend_from_slice(&rest);
                Some(first.unwrap_or(block.len()))
            }
        };
        if let Some(first) = first {
            let behind = block.get(first.saturating_add(1)..).unwrap_or_default();
            if first < block.len() && behind.rsplit(|byte| *byte == b'\n').any(|line| search.is_full(line)) {
                return Ok(true);
            }
            block.truncate(first);
            if block.len() > MAX_LINE {
                search.problem(format!("a line of {} is too long for an event", path.display()));
            } else {
                rest = Some(block);
            }
        }
        end = start;
    }
    Ok(rest.is_some_and(|rest| search.is_full(&rest)))
}

/// Takes what is wanted of an archive; whether that was enough.
fn packed(file: &Path, manifest: &Manifest, search: &mut Search<'_>, budget: &Budget) -> io::Result<bool> {
    let (mut count, mut all) = (0, 0_u64);
    let mut lines = Lines::of(manifest.open(file)?);
    let mut long = 0;
    while let Some(line) = lines.next()? {
        all += 1;
        if all % 1024 == 0 && budget.is_over() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        long += usize::from(line.text.is_none());
        count += usize::from(line.text.and_then(line::read).is_some_and(|read| search.fits(&read)));
    }
    if long > 0 {
        search.problem(format!("{long} lines of {} are too long for an event", file.display()));
    }
    let end = count.saturating_sub(search.skip);
    search.skip = search.skip.saturating_sub(count);
    if end == 0 {
        return Ok(false);
    }
    let wanted = end.saturating_sub((search.limit + 1).saturating_sub(search.found.len()))..end;
    let (mut at, mut found) = (0, VecDeque::new());
    let (mut bytes, mut lines) = (0_usize, Lines::of(manifest.open(file)?));
    while let Some(line) = lines.next()? {
        let Some(text) = line.text else { continue };
        let Some(read) = line::read(text).filter(|read| search.fits(read)) else { continue };
        if wanted.contains(&at) {
            bytes += text.len();
            found.push_back((read, text.len()));
        }
        at += 1;
        // The newest ones are wanted, as many as a page may hold and one more.
        while bytes > MAX_PAGE && found.len() > 1 {
            bytes -= found.pop_front().map_or(0, |(_, bytes)| bytes);
            search.is_cut = true;
        }
    }
    let is_done = found.into_iter().rev().any(|(read, bytes)| search.take(read, bytes));
    Ok(is_done || search.is_cut)
}
