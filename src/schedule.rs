//! Which periodic jobs are due.
//!
//! Deciding is pure. Time is cut into slots of a job's length, counted from 1970 in UTC; a job runs once in each, and after
//! any sleep, once. So a daily job runs in the first minute of a day, whatever was missed. Where the clock was set back, its
//! slots say nothing for a while; then the time since the machine started counts, which nobody sets.
//!
//! It lies where only the user of the cron jobs writes: whoever could write it could have a job never run again. It is read
//! and written through the directory that was opened and looked at, whatever has its name meanwhile.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::{Moment, Since};
use crate::error::{Error, ErrorKind, Result};

/// What the file begins with.
const FORMAT: &str = "cr0sync schedule";
const VERSION: u32 = 1;
const NAME: &str = "schedule";
/// A schedule larger than this is none (bytes).
const MAX_FILE: usize = 1 << 20;
/// Of what a job came to no more is kept (characters).
const MAX_TEXT: usize = 2_000;

/// Whether a job of so many minutes is due that ran last at a moment.
pub(crate) fn is_due(every_minutes: u32, last: Option<&Moment>, now: &Moment) -> bool {
    let Some(last) = last else { return true };
    let length = length(every_minutes);
    let slot = |moment: &Moment| moment.unix.div_euclid(length);
    if slot(now) > slot(last) {
        return true;
    }
    // In the same slot, unless the clock says less than it should.
    match now.since(last) {
        Since::Seconds(since) => since >= length,
        // Nobody knows how long it was off: what looks like the future was a wrong clock.
        Since::OtherStart => now.unix < last.unix,
        Since::Never => true,
    }
}

/// When a job is due again that is not now, in seconds since 1970, should nobody set the clock.
pub(crate) fn next(every_minutes: u32, last: &Moment, now: &Moment) -> i64 {
    let length = length(every_minutes);
    let slot_ends = last.unix.div_euclid(length).saturating_add(1).saturating_mul(length);
    match now.since(last) {
        Since::Seconds(since) => slot_ends.min(now.unix.saturating_add(length.saturating_sub(since))),
        Since::OtherStart | Since::Never => slot_ends,
    }
}

/// Seconds.
fn length(every_minutes: u32) -> i64 {
    i64::from(every_minutes.max(1)) * 60
}

/// Where it lies: a directory that was opened once and looked at, to which only the user of the cron jobs writes.
pub(crate) trait Place: std::fmt::Debug {
    /// A file of it; none where there is none that can be believed.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>>;
    /// Replaces a file of it, whole or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<()>;
}

/// What a job came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// When it began.
    pub(crate) of: Moment,
    /// Why it failed.
    pub(crate) problem: Option<String>,
    /// What it found, where that stays so until it runs again.
    pub(crate) found: Option<String>,
}

/// When each job ran last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct File {
    format: String,
    version: u32,
    jobs: BTreeMap<String, Moment>,
    #[serde(default)]
    told: BTreeMap<String, String>,
    #[serde(default)]
    ended: BTreeMap<String, Ended>,
    #[serde(default)]
    waits: BTreeMap<String, Moment>,
}

impl File {
    fn new() -> File {
        File {
            format: FORMAT.to_owned(),
            version: VERSION,
            jobs: BTreeMap::new(),
            told: BTreeMap::new(),
            ended: BTreeMap::new(),
            waits: BTreeMap::new(),
        }
    }
}

/// The schedule of one machine. Its caller holds a lock on what the jobs do.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// Where it lies; nowhere, where nothing can be remembered.
    place: Option<Box<dyn Place>>,
    file: File,
}

impl Schedule {
    /// One that remembers nothing: then all is due.
    pub(crate) fn empty() -> Schedule {
        Schedule { place: None, file: File::new() }
    }

    /// Reads it. What is no schedule, a newer one, or one that others could have written counts for nothing: then all is
    /// due, which does no harm.
    pub(crate) fn open(place: Box<dyn Place>) -> Result<Schedule> {
        let text = place.read(NAME)?.filter(|text| text.len() <= MAX_FILE);
        let file = text.and_then(|text| serde_json::from_slice::<File>(&text).ok());
        let file = file.filter(|file| file.format == FORMAT && file.version <= VERSION);
        let file = file.map_or_else(File::new, |file| File { version: VERSION, ..file });
        Ok(Schedule { place: Some(place), file })
    }

    /// When a job ran last.
    pub(crate) fn last(&self, job: &str) -> Option<&Moment> {
        self.file.jobs.get(job)
    }

    /// A job begins: one that dies is not tried again before its next slot, or it would be each minute.
    pub(crate) fn begin(&mut self, job: &str, now: &Moment) -> Result<()> {
        self.file.jobs.insert(job.to_owned(), now.clone());
        self.write()
    }

    /// It did not begin after all, as somebody else was at it: the next minute tries again.
    pub(crate) fn put_back(&mut self, job: &str, last: Option<Moment>) -> Result<()> {
        match last {
            Some(last) => self.file.jobs.insert(job.to_owned(), last),
            None => self.file.jobs.remove(job),
        };
        self.write()
    }

    /// A job that began at a moment came to an end.
    pub(crate) fn end(&mut self, job: &str, ended: Ended) -> Result<()> {
        let short = |text: Option<String>| text.map(|text| text.chars().take(MAX_TEXT).collect());
        let ended = Ended { problem: short(ended.problem), found: short(ended.found), ..ended };
        self.file.ended.insert(job.to_owned(), ended);
        self.write()
    }

    /// What a job came to when it ran last; none where it never came to an end.
    pub(crate) fn ended(&self, job: &str) -> Option<&Ended> {
        self.file.ended.get(job)
    }

    /// Whether it began and did not end: where nobody is at it now, something killed it.
    pub(crate) fn is_unfinished(&self, job: &str) -> bool {
        let last = self.last(job);
        last.is_some() && self.ended(job).map(|ended| &ended.of) != last
    }

    /// A job that is due finds others at it: since when it has done so each time.
    pub(crate) fn wait(&mut self, job: &str, now: &Moment) -> Moment {
        self.file.waits.entry(job.to_owned()).or_insert_with(|| now.clone()).clone()
    }

    /// Since when a job finds others at it.
    pub(crate) fn waits(&self, job: &str) -> Option<&Moment> {
        self.file.waits.get(job)
    }

    /// It does so no more.
    pub(crate) fn end_wait(&mut self, job: &str) -> Result<()> {
        if self.file.waits.remove(job).is_some() { self.write() } else { Ok(()) }
    }

    /// What a job has told people of, so that it is told once.
    pub(crate) fn told(&self, job: &str) -> Option<&str> {
        self.file.told.get(job).map(String::as_str)
    }

    /// It has told of this; of nothing any more, where that is over.
    pub(crate) fn tell(&mut self, job: &str, what: Option<String>) -> Result<()> {
        match what {
            Some(what) => self.file.told.insert(job.to_owned(), what),
            None => self.file.told.remove(job),
        };
        self.write()
    }

    fn write(&self) -> Result<()> {
        let Some(place) = &self.place else { return Ok(()) };
        let text = serde_json::to_vec(&self.file).map_err(|cause| {
            Error::new(ErrorKind::Internal, "cannot write down the schedule").because(cause)
        })?;
        place.write(NAME, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60;
    const HOUR: i64 = 3600;
    const DAY: i64 = 86_400;

    /// Runs each minute for so long, with a clock that is set by so many seconds at some minutes, on a machine that sleeps or
    /// starts again at some; returns the minutes in which the job ran.
    fn minutes(
        every: u32,
        minutes: i64,
        sets: &[(i64, i64)],
        skips: &[(i64, i64)],
        starts: &[i64],
    ) -> Vec<i64> {
        let mut last: Option<Moment> = None;
        let mut ran = Vec::new();
        let (mut offset, mut boot, mut since) = (0, 0, 0);
        // In the second minute of a day.
        let begin = 20_000 * DAY + MINUTE;
        for minute in 0..minutes {
            offset += sets.iter().filter(|(at, _)| *at == minute).map(|(_, by)| by).sum::<i64>();
            if starts.contains(&minute) {
                (boot, since) = (boot + 1, minute);
            }
            if skips.iter().any(|(from, to)| (*from..*to).contains(&minute)) {
                continue;
            }
            let now = Moment {
                unix: begin + minute * MINUTE + offset,
                boot: boot.to_string(),
                up: u64::try_from((minute - since) * MINUTE).unwrap_or(0),
            };
            if is_due(every, last.as_ref(), &now) {
                ran.push(minute);
                last = Some(now);
            }
        }
        ran
    }

    #[test]
    fn jobs_run_once_in_each_of_their_slots() {
        assert_eq!(minutes(5, 21, &[], &[], &[]), [0, 4, 9, 14, 19]);
        assert_eq!(minutes(60, 181, &[], &[], &[]), [0, 59, 119, 179]);
        assert_eq!(minutes(1440, 3000, &[], &[], &[]), [0, 1439, 2879]);
    }

    #[test]
    fn what_was_missed_runs_once() {
        assert_eq!(minutes(5, 31, &[], &[(3, 17)], &[]), [0, 17, 19, 24, 29]);
        assert_eq!(minutes(60, 400, &[], &[(30, 300)], &[]), [0, 300, 359]);
        assert_eq!(minutes(1440, 6000, &[], &[(1000, 5000)], &[]), [0, 5000, 5759]);
        // The machine was off meanwhile.
        assert_eq!(minutes(60, 400, &[], &[(30, 300)], &[300]), [0, 300, 359]);
    }

    #[test]
    fn a_clock_that_is_set_stops_no_job_and_repeats_none() {
        // An hour ahead: one slot is begun at once.
        assert_eq!(minutes(60, 181, &[(30, HOUR)], &[], &[]), [0, 30, 59, 119, 179]);
        // An hour back: by the time since the start, until the clock is where it was.
        assert_eq!(minutes(60, 241, &[(70, -HOUR)], &[], &[]), [0, 59, 119, 179, 239]);
        assert_eq!(minutes(5, 30, &[(7, -HOUR)], &[], &[]), [0, 4, 9, 14, 19, 24, 29]);
        // A day ahead, and back again.
        assert_eq!(minutes(1440, 3000, &[(10, DAY), (20, -DAY)], &[], &[]), [0, 10, 1450, 2879]);
        // A clock that was far ahead is put right while the machine starts again.
        assert_eq!(minutes(60, 130, &[(10, 365 * DAY), (20, -365 * DAY)], &[], &[20]), [0, 10, 20, 59, 119]);
    }

    #[test]
    fn nothing_runs_twice_in_a_minute_and_nothing_sleeps_for_two_lengths() {
        for (every, sets) in [(5_i64, 17_i64), (60, 45), (60, 119), (1440, 700)] {
            for by in [-HOUR, HOUR, -90, 90, -DAY, DAY] {
                let ran = minutes(u32::try_from(every).unwrap_or(1), 5000, &[(sets, by)], &[], &[]);
                for pair in ran.windows(2) {
                    assert!(pair[1] - pair[0] <= every, "{every} {by} {pair:?}");
                }
                let most = 5000 / every + 3;
                assert!(i64::try_from(ran.len()).unwrap_or(0) <= most, "{every} {by} {}", ran.len());
            }
        }
    }

    #[test]
    fn the_next_time_is_the_first_at_which_it_is_due() {
        let at = |unix: i64, boot: &str, up: u64| Moment { unix, boot: boot.to_owned(), up };
        let begin = 20_000 * DAY + 7;
        for every in [1, 5, 60, 1440] {
            for (last, now) in [
                (at(begin, "a", 100), at(begin + 20, "a", 120)),
                (at(begin, "a", 100), at(begin, "a", 100)),
                // Set back, by an hour and by a year.
                (at(begin, "a", 100), at(begin - HOUR, "a", 110)),
                (at(begin, "a", 100), at(begin - 365 * DAY, "a", 130)),
                // After another start.
                (at(begin, "a", 100), at(begin + 20, "b", 5)),
            ] {
                let next = next(every, &last, &now);
                let then = |unix: i64| {
                    let waited = u64::try_from(unix - now.unix).unwrap_or(0);
                    Moment { unix, boot: now.boot.clone(), up: now.up + waited }
                };
                assert!(next > now.unix && !is_due(every, Some(&last), &now), "{every} {last:?}");
                assert!(is_due(every, Some(&last), &then(next)), "{every} {last:?} {next}");
                assert!(!is_due(every, Some(&last), &then(next - 1)), "{every} {last:?} {next}");
            }
        }
    }

    #[test]
    fn what_nobody_can_have_seen_keeps_no_job_from_running() {
        let now = Moment { unix: 20_000 * DAY, boot: "a".to_owned(), up: 1000 };
        let far = Moment { unix: i64::MAX, boot: "a".to_owned(), up: u64::MAX };
        assert!(is_due(5, Some(&far), &now) && is_due(1440, Some(&far), &now));
        assert_eq!(next(5, &far, &now), i64::MAX);
    }
}
