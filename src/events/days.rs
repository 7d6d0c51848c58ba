//! Which day each line of the event log belongs to, as it is archived.
//!
//! Lines of others say what they like: what one says counts only where it can be. One that says nothing belongs to the line
//! before it, or, where none is before it, to the next that does. So does one of an earlier day than that: pages write local
//! time, and a line of each kind in turn would be an archive each. One of a day that is still to come waits for the next line
//! of a day that can be, and goes with the line before it then; until there is one, the clock may be wrong instead.

use std::fs::File;
use std::io::{self, Seek};
use std::path::PathBuf;

use chrono::NaiveDate;

use super::lines::Lines;
use super::{line, pack};
use crate::config::Config;

/// A day of more is several archives (bytes, unpacked).
const MAX_DAY: u64 = 1 << 30;

/// The past days at the beginning of a log.
#[derive(Debug, Default)]
pub(super) struct Days {
    /// In order: which file, and how many bytes.
    pub(super) days: Vec<(String, PathBuf, u64)>,
    /// How many lines among them say of no day that can be when they were written, and the first of them.
    pub(super) odd: Option<(u64, u64)>,
}

/// Lines that wait for one which says to which day they belong.
#[derive(Debug, Default)]
struct Waiting {
    bytes: u64,
    lines: u64,
    first: u64,
}

impl Days {
    fn put(&mut self, config: &Config, day: NaiveDate, bytes: u64) {
        let day = self.last().map_or(day, |last| last.max(day)).to_string();
        match self.days.last_mut() {
            Some((last, _, size)) if *last == day && *size < MAX_DAY => *size += bytes,
            _ => {
                let file = pack::free(config, &day, &self.days);
                self.days.push((day, file, bytes));
            }
        }
    }

    /// The day of the last line.
    fn last(&self) -> Option<NaiveDate> {
        self.days.last().and_then(|(day, ..)| day.parse().ok())
    }

    fn settle(&mut self, config: &Config, day: NaiveDate, waiting: &mut Waiting) {
        let Waiting { bytes, lines, first } = std::mem::take(waiting);
        if lines > 0 {
            self.put(config, day, bytes);
            let (count, first) = self.odd.map_or((0, first), |(count, first)| (count, first));
            self.odd = Some((count.saturating_add(lines), first));
        }
    }
}

/// The days of whole lines before today, from the beginning of the log on.
pub(super) fn of(config: &Config, mut log: &File, today: NaiveDate) -> io::Result<Days> {
    log.rewind()?;
    let (mut days, mut waiting) = (Days::default(), Waiting::default());
    let mut lines = Lines::of(log);
    let mut number = 0;
    while let Some(line) = lines.next()? {
        number += 1;
        if !line.has_end {
            break;
        }
        let said = line.text.and_then(day);
        match (said, days.last()) {
            (Some(day), last) if day <= today => {
                if let Some(before) = last.or((day < today).then_some(day)) {
                    days.settle(config, before, &mut waiting);
                }
                if day == today {
                    break;
                }
                days.put(config, day, line.bytes);
            }
            // A line that does not say when belongs to the one before it.
            (None, Some(last)) if waiting.lines == 0 => days.put(config, last, line.bytes),
            _ => {
                if waiting.lines == 0 {
                    waiting.first = number;
                }
                waiting.lines += 1;
                waiting.bytes += line.bytes;
            }
        }
    }
    Ok(days)
}

/// The day of a line.
fn day(line: &[u8]) -> Option<NaiveDate> {
    line::read(line)?.text("timestamp").get(..10)?.parse().ok()
}
