//! Which rotated files of an archive stay: a pure function from files, policy and time to a verdict with its reason for each.
//!
//! Apart from `clean`, which removes. Files come oldest first, and go oldest first.
//!
//! Invariant: never removed is a file that not all copies have got, one of the newest `keep`, one behind a file that stays
//! (positions in the archive are counted through all of them), and none at all on a clock that may have gone back.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Rotation;
use crate::report::counted;

/// One rotated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// When it was last written to.
    pub(crate) written: DateTime<Utc>,
    /// Why it is still needed; none where every copy has all of it.
    pub(crate) needed: Option<String>,
}

/// What becomes of a file, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It stays.
    Keep(String),
    /// It goes.
    Remove(String),
}

/// Whole days that a file is old.
pub(crate) fn age_days(written: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    now.signed_duration_since(written).num_days()
}

/// Why the clock is not to be trusted. `seen` is the latest time that we have on record.
pub(crate) fn doubt(files: &[Segment], seen: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<String> {
    let day = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S").to_string();
    if let Some(file) = files.iter().find(|file| file.written > now) {
        return Some(format!("the clock says {}, and a file was written at {}", day(now), day(file.written)));
    }
    let seen = seen.filter(|seen| *seen > now)?;
    Some(format!("the clock says {}, and it has said {}", day(now), day(seen)))
}

/// What becomes of each of `files`, which come oldest first, in their order.
pub(crate) fn judge(
    files: &[Segment],
    policy: &Rotation,
    seen: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Vec<Verdict> {
    if let Some(doubt) = doubt(files, seen, now) {
        return files.iter().map(|_| Verdict::Keep(format!("{doubt}: nothing is removed"))).collect();
    }
    let keep = usize::try_from(policy.keep).unwrap_or(usize::MAX);
    let mut stays = false;
    files
        .iter()
        .enumerate()
        .map(|(index, file)| {
            let verdict = if files.len() - index <= keep {
                Verdict::Keep(format!("among the newest {keep}"))
            } else if stays {
                Verdict::Keep("an older one stays".to_owned())
            } else {
                by_age(file, policy, now)
            };
            stays |= matches!(verdict, Verdict::Keep(_));
            verdict
        })
        .collect()
}

fn by_age(file: &Segment, policy: &Rotation, now: DateTime<Utc>) -> Verdict {
    let why = match policy.max_age_days {
        None => format!("more than {} are there", policy.keep),
        Some(days) => {
            let most = TimeDelta::try_days(i64::from(days)).unwrap_or(TimeDelta::MAX);
            if now.signed_duration_since(file.written) <= most {
                return Verdict::Keep(format!("of the last {}", in_days(days)));
            }
            format!("older than {}", in_days(days))
        }
    };
    match &file.needed {
        Some(needed) => Verdict::Keep(format!("{why}, but {needed}")),
        None => Verdict::Remove(why),
    }
}

fn in_days(days: u32) -> String {
    counted(usize::try_from(days).unwrap_or(usize::MAX), "day", "days")
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDateTime;

    use super::*;

    const NOW: &str = "2025-07-14 12:00:00";

    fn time(text: &str) -> DateTime<Utc> {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap().and_utc()
    }

    /// `2025-07-14 09:00:00`, and ` !` where some copy still needs it.
    fn segment(text: &str) -> Segment {
        let (at, flag) = text.split_at(19);
        Segment {
            written: time(at),
            needed: (flag == " !").then(|| "website has not got all of it".to_owned()),
        }
    }

    fn check(keep: u32, days: Option<u32>, seen: Option<&str>, golden: &[(&str, &str)]) {
        let files: Vec<Segment> = golden.iter().map(|(text, _)| segment(text)).collect();
        let policy = Rotation { keep, max_age_days: days, ..Rotation::default() };
        let verdicts = judge(&files, &policy, seen.map(time), time(NOW));
        let found: Vec<String> = verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Keep(why) => format!("keep: {why}"),
                Verdict::Remove(why) => format!("remove: {why}"),
            })
            .collect();
        let expected: Vec<&str> = golden.iter().map(|(_, verdict)| *verdict).collect();
        assert_eq!(found, expected, "{golden:?}");
    }

    #[test]
    fn the_old_go_and_the_newest_stay() {
        check(
            2,
            Some(30),
            None,
            &[
                ("2025-05-01 00:00:00", "remove: older than 30 days"),
                ("2025-06-14 11:59:59", "remove: older than 30 days"),
                ("2025-06-14 12:00:00", "keep: of the last 30 days"),
                ("2025-07-13 00:00:00", "keep: among the newest 2"),
                ("2025-07-14 00:00:00", "keep: among the newest 2"),
            ],
        );
        check(
            2,
            Some(30),
            None,
            &[
                ("2020-01-01 00:00:00", "keep: among the newest 2"),
                ("2020-01-02 00:00:00", "keep: among the newest 2"),
            ],
        );
        check(5, Some(30), None, &[]);
    }

    #[test]
    fn counting_alone() {
        check(
            1,
            None,
            None,
            &[
                ("2025-07-12 00:00:00", "remove: more than 1 are there"),
                ("2025-07-13 00:00:00", "remove: more than 1 are there"),
                ("2025-07-14 00:00:00", "keep: among the newest 1"),
            ],
        );
        check(0, None, None, &[("2025-07-14 00:00:00", "remove: more than 0 are there")]);
    }

    #[test]
    fn what_is_needed_stays_and_whatever_came_after_it() {
        check(
            1,
            Some(30),
            None,
            &[
                ("2025-01-01 00:00:00", "remove: older than 30 days"),
                ("2025-01-02 00:00:00 !", "keep: older than 30 days, but website has not got all of it"),
                ("2025-01-03 00:00:00", "keep: an older one stays"),
                ("2025-07-14 00:00:00", "keep: among the newest 1"),
            ],
        );
        // Somebody has touched the oldest.
        check(
            0,
            Some(30),
            None,
            &[
                ("2025-07-01 00:00:00", "keep: of the last 30 days"),
                ("2025-01-03 00:00:00", "keep: an older one stays"),
            ],
        );
    }

    #[test]
    fn nothing_goes_on_a_clock_that_went_back() {
        let back = "keep: the clock says 2025-07-14 12:00:00, and a file was written at 2025-07-14 12:00:01: nothing is removed";
        check(0, Some(1), None, &[("2020-01-01 00:00:00", back), ("2025-07-14 12:00:01", back)]);
        check(
            0,
            Some(1),
            Some("2025-07-15 00:00:00"),
            &[(
                "2020-01-01 00:00:00",
                "keep: the clock says 2025-07-14 12:00:00, and it has said 2025-07-15 00:00:00: nothing is removed",
            )],
        );
        check(0, Some(1), Some(NOW), &[("2020-01-01 00:00:00", "remove: older than 1 day")]);
    }
}
