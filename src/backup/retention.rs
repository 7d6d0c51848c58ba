//! Which snapshots stay: a pure function from snapshots, policy and time to a verdict with reasons for each.
//!
//! Apart from `snapshot`, which removes. Rules count as restic's do: "14 daily" are the newest of each of the last
//! 14 days *that have any*, so a database that rests keeps its past. Hours, days and weeks are those of UTC, where
//! each has one length; weeks begin on Monday.
//!
//! Invariant: never removed are, of each side, the newest verified snapshot, the last one before an open conflict
//! of its database, the newest `keep_min`, and whatever is dated in the future, which a wrong clock has made or
//! will make valuable. The size limit bends to them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};

use crate::config::Backups;

use super::model::{Kind, Snapshot};

/// A conflict that waits for a person: what was there before it may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenConflict {
    /// Database name.
    pub(crate) database: String,
    /// When it was found.
    pub(crate) at: DateTime<Utc>,
}

/// What becomes of a snapshot, with every reason in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It stays.
    Keep(Vec<String>),
    /// It goes.
    Remove(String),
}

/// What becomes of each of `snapshots`, in their order.
pub(crate) fn judge(
    snapshots: &[Snapshot],
    policy: &Backups,
    conflicts: &[OpenConflict],
    now: DateTime<Utc>,
) -> Vec<Verdict> {
    let mut replicas: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (index, snapshot) in snapshots.iter().enumerate() {
        replicas.entry((&snapshot.database, &snapshot.side)).or_default().push(index);
    }
    let mut ruling =
        Ruling { snapshots, reasons: vec![Vec::new(); snapshots.len()], sacred: BTreeSet::new() };
    for ((database, _), mut indexes) in replicas {
        indexes.sort_by_key(|index| std::cmp::Reverse(snapshots.get(*index).map(|s| (s.created_at, s.kind))));
        let conflicts = conflicts.iter().filter(|conflict| conflict.database == database);
        ruling.replica(&indexes, policy, conflicts, now);
    }
    let over = ruling.over(policy.max_total_bytes);
    let verdicts = ruling.reasons.into_iter().enumerate().map(|(index, reasons)| {
        match (reasons.is_empty(), over.contains(&index)) {
            (true, _) => Verdict::Remove("no rule keeps it".to_owned()),
            (_, true) => Verdict::Remove("over max_total_bytes, and the oldest that may go".to_owned()),
            _ => Verdict::Keep(reasons),
        }
    });
    verdicts.collect()
}

/// The reasons found so far.
struct Ruling<'a> {
    snapshots: &'a [Snapshot],
    /// Why each stays.
    reasons: Vec<Vec<String>>,
    /// Those that no limit removes.
    sacred: BTreeSet<usize>,
}

impl Ruling<'_> {
    /// Applies every rule to the snapshots of one side, newest first.
    fn replica<'c>(
        &mut self,
        all: &[usize],
        policy: &Backups,
        conflicts: impl Iterator<Item = &'c OpenConflict>,
        now: DateTime<Utc>,
    ) {
        let (future, past): (Vec<usize>, Vec<usize>) =
            all.iter().partition(|index| self.of(**index).is_some_and(|s| s.created_at > now));
        for index in future {
            self.hold_sacred(index, "dated in the future".to_owned());
        }
        let of_kind = |kind| -> Vec<usize> {
            past.iter().copied().filter(|index| self.of(*index).is_some_and(|s| s.kind == kind)).collect()
        };
        let (regular, emergency) = (of_kind(Kind::Regular), of_kind(Kind::Emergency));
        self.newest(&regular, &emergency);
        for conflict in conflicts {
            let before =
                past.iter().copied().filter(|i| self.of(*i).is_some_and(|s| s.created_at <= conflict.at));
            if let Some(index) = self.best(&before.collect::<Vec<_>>()) {
                let found = conflict.at.format("%Y-%m-%d %H:%M:%S");
                self.hold_sacred(index, format!("the last before the open conflict of {found}"));
            }
        }
        for index in regular.iter().take(usize::try_from(policy.keep_min).unwrap_or(usize::MAX)) {
            self.hold_sacred(*index, format!("among the newest {}", policy.keep_min));
        }
        self.within(&regular, i64::from(policy.keep_within_hours), now);
        self.one_each(&regular, policy.keep_hourly, "hour", |at| {
            (at.year(), i64::from(at.ordinal()) * 24 + i64::from(at.hour()))
        });
        self.one_each(&regular, policy.keep_daily, "day", |at| (at.year(), i64::from(at.ordinal())));
        self.one_each(&regular, policy.keep_weekly, "week", |at| {
            let week = at.iso_week();
            (week.year(), i64::from(week.week()))
        });
        self.emergencies(&emergency, policy, now);
    }

    /// The newest that is known to be sound; where none is, the newest.
    fn newest(&mut self, regular: &[usize], emergency: &[usize]) {
        let verified = |index: &&usize| self.of(**index).is_some_and(|snapshot| snapshot.verified);
        let sound = regular.iter().find(verified).or_else(|| emergency.iter().find(verified));
        match (sound.copied(), regular.first().or(emergency.first()).copied()) {
            (Some(index), _) => self.hold_sacred(index, "the newest verified one".to_owned()),
            (None, Some(index)) => self.hold_sacred(index, "the newest, and none is verified".to_owned()),
            (None, None) => {}
        }
    }

    fn within(&mut self, regular: &[usize], hours: i64, now: DateTime<Utc>) {
        let Some(since) = TimeDelta::try_hours(hours).and_then(|span| now.checked_sub_signed(span)) else {
            return;
        };
        for index in regular {
            if self.of(*index).is_some_and(|snapshot| snapshot.created_at > since) {
                self.keep(*index, format!("within {hours} hours"));
            }
        }
    }

    /// The best of each of the last `count` hours, days or weeks that have any.
    fn one_each(
        &mut self,
        regular: &[usize],
        count: u32,
        period: &str,
        of: impl Fn(DateTime<Utc>) -> (i32, i64),
    ) {
        let period_of = |index: &usize| self.of(*index).map(|snapshot| of(snapshot.created_at));
        let periods: Vec<Vec<usize>> =
            regular.chunk_by(|a, b| period_of(a) == period_of(b)).map(<[usize]>::to_vec).collect();
        for period_indexes in periods.iter().take(usize::try_from(count).unwrap_or(usize::MAX)) {
            if let Some(index) = self.best(period_indexes) {
                self.keep(index, format!("the newest of its {period}"));
            }
        }
    }

    /// Copies made before something drastic stay for as many days as there are daily ones, and at least as long as
    /// everything does.
    fn emergencies(&mut self, emergency: &[usize], policy: &Backups, now: DateTime<Utc>) {
        let hours = i64::from(policy.keep_daily).saturating_mul(24).max(i64::from(policy.keep_within_hours));
        let since = TimeDelta::try_hours(hours).and_then(|span| now.checked_sub_signed(span));
        for index in emergency {
            if self.of(*index).is_some_and(|snapshot| since.is_none_or(|since| snapshot.created_at > since)) {
                let span =
                    if hours % 24 == 0 { format!("{} days", hours / 24) } else { format!("{hours} hours") };
                self.keep(*index, format!("an emergency copy of the last {span}"));
            }
        }
    }

    /// What has to go for the sake of size: the oldest first, of all sides together.
    fn over(&self, limit: Option<u64>) -> BTreeSet<usize> {
        let mut over = BTreeSet::new();
        let Some(limit) = limit else { return over };
        let kept =
            self.reasons.iter().zip(self.snapshots).enumerate().filter(|(_, (why, _))| !why.is_empty());
        let mut oldest: Vec<(usize, &Snapshot)> =
            kept.map(|(index, (_, snapshot))| (index, snapshot)).collect();
        oldest.sort_by(|(_, a), (_, b)| (a.created_at, &a.path).cmp(&(b.created_at, &b.path)));
        let mut total: u64 = oldest.iter().fold(0, |sum, (_, snapshot)| sum.saturating_add(snapshot.bytes));
        for (index, snapshot) in oldest {
            if total <= limit {
                break;
            }
            if !self.sacred.contains(&index) {
                total = total.saturating_sub(snapshot.bytes);
                over.insert(index);
            }
        }
        over
    }

    /// The first that is verified, else the first: the newest, as they come newest first.
    fn best(&self, indexes: &[usize]) -> Option<usize> {
        let verified =
            indexes.iter().find(|index| self.of(**index).is_some_and(|snapshot| snapshot.verified));
        verified.or(indexes.first()).copied()
    }

    fn of(&self, index: usize) -> Option<&Snapshot> {
        self.snapshots.get(index)
    }

    fn keep(&mut self, index: usize, reason: String) {
        if let Some(reasons) = self.reasons.get_mut(index) {
            reasons.push(reason);
        }
    }

    fn hold_sacred(&mut self, index: usize, reason: String) {
        self.sacred.insert(index);
        self.keep(index, reason);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use chrono::NaiveDateTime;

    use super::*;

    /// A Monday at noon.
    const NOW: &str = "2025-07-14 12:00:00";

    fn time(text: &str) -> DateTime<Utc> {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap().and_utc()
    }

    /// `2025-07-14 09:00:00`, then any of: `?` not verified, `!` emergency, `@SIDE`, `=BYTES`.
    fn snapshot(text: &str) -> Snapshot {
        let (at, flags) = text.split_at(19);
        let flag = |start| flags.split(' ').find_map(|flag| flag.strip_prefix(start));
        let (kind, side) = match flag('!') {
            Some(_) => (Kind::Emergency, flag('@').unwrap_or("bot")),
            None => (Kind::Regular, flag('@').unwrap_or("bot")),
        };
        Snapshot {
            database: "users".into(),
            side: side.into(),
            kind,
            path: PathBuf::from(format!("{side}/{at}")),
            created_at: time(at),
            bytes: flag('=').map_or(100, |bytes| bytes.parse().unwrap()),
            mark: String::new(),
            verified: flag('?').is_none(),
        }
    }

    /// `within 24 hourly 2 ...`; whatever is not named keeps nothing.
    fn policy(text: &str) -> Backups {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number =
            |name: &str| words.chunks(2).find(|pair| pair[0] == name).map(|pair| pair[1].parse().unwrap());
        let small = |name: &str| u32::try_from(number(name).unwrap_or(0)).unwrap();
        Backups {
            directory: None,
            keep_within_hours: small("within"),
            keep_hourly: small("hourly"),
            keep_daily: small("daily"),
            keep_weekly: small("weekly"),
            keep_min: small("min"),
            max_total_bytes: number("bytes"),
            every_minutes: 15,
        }
    }

    /// Every snapshot with the verdict that is expected on it.
    type Golden<'a> = &'a [(&'a str, &'a str)];

    fn check(rules: &str, conflicts: &[&str], golden: Golden<'_>) {
        let conflicts: Vec<OpenConflict> =
            conflicts.iter().map(|at| OpenConflict { database: "users".into(), at: time(at) }).collect();
        let snapshots: Vec<Snapshot> = golden.iter().map(|(text, _)| snapshot(text)).collect();
        let verdicts = judge(&snapshots, &policy(rules), &conflicts, time(NOW));
        let found: Vec<String> = golden
            .iter()
            .zip(verdicts)
            .map(|((text, _), verdict)| match verdict {
                Verdict::Keep(reasons) => format!("{text}: keep, {}", reasons.join(", ")),
                Verdict::Remove(reason) => format!("{text}: remove, {reason}"),
            })
            .collect();
        let expected: Vec<String> =
            golden.iter().map(|(text, verdict)| format!("{text}: {verdict}")).collect();
        assert_eq!(found, expected, "{rules} {conflicts:?}\n{found:#?}");
    }

    #[test]
    fn without_any_rule_the_newest_verified_one_stays() {
        check(
            "",
            &[],
            &[
                ("2025-07-14 11:00:00 ?", "remove, no rule keeps it"),
                ("2025-07-14 10:00:00", "keep, the newest verified one"),
                ("2025-07-14 09:00:00", "remove, no rule keeps it"),
            ],
        );
    }

    #[test]
    fn where_none_is_verified_the_newest_stays() {
        check(
            "",
            &[],
            &[
                ("2025-07-14 11:00:00 ?", "keep, the newest, and none is verified"),
                ("2025-07-14 10:00:00 ?", "remove, no rule keeps it"),
            ],
        );
    }

    #[test]
    fn nothing_gives_nothing() {
        check("within 24 hourly 48 daily 14 weekly 8 min 3", &[], &[]);
    }

    #[test]
    fn all_of_the_last_hours_stay() {
        check(
            "within 24",
            &[],
            &[
                ("2025-07-14 12:00:00", "keep, the newest verified one, within 24 hours"),
                ("2025-07-14 11:59:59", "keep, within 24 hours"),
                ("2025-07-13 12:00:01", "keep, within 24 hours"),
                ("2025-07-13 12:00:00", "remove, no rule keeps it"),
            ],
        );
    }

    #[test]
    fn one_stays_for_each_hour_that_has_any() {
        check(
            "hourly 3",
            &[],
            &[
                ("2025-07-14 11:45:00", "keep, the newest verified one, the newest of its hour"),
                ("2025-07-14 11:00:00", "remove, no rule keeps it"),
                ("2025-07-14 10:59:59", "keep, the newest of its hour"),
                ("2025-07-14 10:00:00", "remove, no rule keeps it"),
                ("2025-07-12 10:30:00", "keep, the newest of its hour"),
                ("2025-07-12 09:30:00", "remove, no rule keeps it"),
            ],
        );
    }

    #[test]
    fn one_stays_for_each_day_that_has_any() {
        check(
            "daily 2",
            &[],
            &[
                ("2025-07-14 00:00:00", "keep, the newest verified one, the newest of its day"),
                ("2025-07-13 23:59:59", "keep, the newest of its day"),
                ("2025-07-13 00:00:00", "remove, no rule keeps it"),
                ("2025-07-12 12:00:00", "remove, no rule keeps it"),
            ],
        );
    }

    #[test]
    fn weeks_begin_on_monday_and_cross_the_year() {
        check(
            "weekly 3",
            &[],
            &[
                ("2025-07-14 00:00:00", "keep, the newest verified one, the newest of its week"),
                ("2025-07-13 23:59:59", "keep, the newest of its week"),
                ("2025-07-07 00:00:00", "remove, no rule keeps it"),
                ("2025-01-05 00:00:00", "keep, the newest of its week"),
                ("2024-12-30 00:00:00", "remove, no rule keeps it"),
                ("2024-12-29 00:00:00", "remove, no rule keeps it"),
            ],
        );
    }

    /// Where clocks are set back, an hour of local time comes twice, and one never comes in spring. Here each is one.
    #[test]
    fn summer_time_makes_no_hour_longer() {
        check(
            "hourly 9",
            &[],
            &[
                ("2025-03-30 02:30:00", "keep, the newest verified one, the newest of its hour"),
                ("2025-03-30 01:30:00", "keep, the newest of its hour"),
                ("2025-03-30 00:30:00", "keep, the newest of its hour"),
                ("2024-10-27 02:30:00", "keep, the newest of its hour"),
                ("2024-10-27 01:30:00", "keep, the newest of its hour"),
                ("2024-10-27 01:10:00", "remove, no rule keeps it"),
                ("2024-10-27 00:30:00", "keep, the newest of its hour"),
            ],
        );
    }

    #[test]
    fn a_period_is_stood_for_by_one_that_is_verified() {
        check(
            "hourly 2",
            &[],
            &[
                ("2025-07-14 11:45:00 ?", "remove, no rule keeps it"),
                ("2025-07-14 11:30:00", "keep, the newest verified one, the newest of its hour"),
                ("2025-07-14 10:45:00 ?", "keep, the newest of its hour"),
                ("2025-07-14 10:30:00 ?", "remove, no rule keeps it"),
            ],
        );
    }

    #[test]
    fn the_newest_few_stay_whatever_is_said() {
        check(
            "min 2",
            &[],
            &[
                ("2020-01-02 00:00:00", "keep, the newest verified one, among the newest 2"),
                ("2020-01-01 00:00:00", "keep, among the newest 2"),
                ("2019-12-31 00:00:00", "remove, no rule keeps it"),
            ],
        );
    }

    #[test]
    fn what_is_dated_in_the_future_stays_and_counts_for_nothing() {
        check(
            "hourly 1 min 1",
            &[],
            &[
                ("2031-01-01 00:00:00", "keep, dated in the future"),
                ("2025-07-14 12:00:01 ?", "keep, dated in the future"),
                (
                    "2025-07-14 11:30:00",
                    "keep, the newest verified one, among the newest 1, the newest of its hour",
                ),
                ("2025-07-14 11:00:00", "remove, no rule keeps it"),
            ],
        );
    }

    #[test]
    fn the_last_before_an_open_conflict_stays() {
        check(
            "",
            &["2025-06-01 10:00:00", "2025-06-01 10:00:30", "2025-01-01 00:00:00"],
            &[
                ("2025-07-14 11:00:00", "keep, the newest verified one"),
                ("2025-06-01 10:00:01 ?", "remove, no rule keeps it"),
                (
                    "2025-06-01 10:00:00",
                    "keep, the last before the open conflict of 2025-06-01 10:00:00, the last before the open conflict of 2025-06-01 10:00:30",
                ),
                ("2025-05-31 10:00:00", "remove, no rule keeps it"),
            ],
        );
    }

    #[test]
    fn a_conflict_of_another_database_protects_nothing() {
        let snapshots = [snapshot("2025-07-14 11:00:00"), snapshot("2025-06-01 10:00:00")];
        let conflict = OpenConflict { database: "other".into(), at: time("2025-06-02 00:00:00") };
        let verdicts = judge(&snapshots, &policy(""), &[conflict], time(NOW));
        assert_eq!(verdicts[1], Verdict::Remove("no rule keeps it".into()));
    }

    #[test]
    fn emergency_copies_stay_by_age_alone() {
        check(
            "hourly 1 daily 2",
            &[],
            &[
                ("2025-07-14 11:50:00 !", "keep, an emergency copy of the last 2 days"),
                (
                    "2025-07-14 11:45:00",
                    "keep, the newest verified one, the newest of its hour, the newest of its day",
                ),
                ("2025-07-14 11:40:00 !", "keep, an emergency copy of the last 2 days"),
                ("2025-07-12 12:00:01 !", "keep, an emergency copy of the last 2 days"),
                ("2025-07-12 12:00:00 !", "remove, no rule keeps it"),
            ],
        );
        check(
            "within 5",
            &[],
            &[
                (
                    "2025-07-14 07:30:00 !",
                    "keep, the newest verified one, an emergency copy of the last 5 hours",
                ),
                ("2025-07-14 06:30:00 !", "remove, no rule keeps it"),
            ],
        );
    }

    #[test]
    fn sides_do_not_count_for_each_other() {
        check(
            "hourly 1",
            &[],
            &[
                ("2025-07-14 11:45:00", "keep, the newest verified one, the newest of its hour"),
                ("2025-07-14 11:30:00 @web", "keep, the newest verified one, the newest of its hour"),
                ("2025-07-14 10:30:00", "remove, no rule keeps it"),
                ("2025-07-14 09:30:00 @web", "remove, no rule keeps it"),
            ],
        );
    }

    #[test]
    fn above_the_size_limit_the_oldest_of_all_sides_go() {
        check(
            "daily 9 bytes 350",
            &[],
            &[
                ("2025-07-14 11:00:00", "keep, the newest verified one, the newest of its day"),
                ("2025-07-13 11:00:00", "keep, the newest of its day"),
                ("2025-07-12 11:00:00", "remove, over max_total_bytes, and the oldest that may go"),
                ("2025-07-12 12:00:00 @web", "keep, the newest verified one, the newest of its day"),
                ("2025-07-11 11:00:00 @web", "remove, over max_total_bytes, and the oldest that may go"),
            ],
        );
    }

    #[test]
    fn what_goes_anyway_counts_for_no_size() {
        check(
            "daily 2 bytes 200",
            &[],
            &[
                ("2025-07-14 11:00:00", "keep, the newest verified one, the newest of its day"),
                ("2025-07-14 10:00:00 =5000", "remove, no rule keeps it"),
                ("2025-07-13 11:00:00", "keep, the newest of its day"),
            ],
        );
    }

    #[test]
    fn the_size_limit_bends_to_what_must_stay() {
        check(
            "daily 9 min 2 bytes 1",
            &["2025-07-01 00:00:00"],
            &[
                ("2026-01-01 00:00:00", "keep, dated in the future"),
                ("2025-07-14 11:00:00 ?", "keep, among the newest 2, the newest of its day"),
                ("2025-07-13 11:00:00 ?", "keep, among the newest 2, the newest of its day"),
                ("2025-07-12 11:00:00", "keep, the newest verified one, the newest of its day"),
                ("2025-07-11 11:00:00", "remove, over max_total_bytes, and the oldest that may go"),
                (
                    "2025-06-30 11:00:00",
                    "keep, the last before the open conflict of 2025-07-01 00:00:00, the newest of its day",
                ),
            ],
        );
    }

    #[test]
    fn a_day_of_copies_each_quarter_of_an_hour_thins_out() {
        let quarter = |n: i64| time(NOW) - TimeDelta::minutes(15 * n);
        let snapshots: Vec<Snapshot> = (0..4 * 24 * 100)
            .map(|n| snapshot(&quarter(n).format("%Y-%m-%d %H:%M:%S").to_string()))
            .collect();
        let policy = policy("within 24 hourly 48 daily 14 weekly 8 min 3");
        let verdicts = judge(&snapshots, &policy, &[], time(NOW));
        let kept: Vec<&Snapshot> = snapshots
            .iter()
            .zip(&verdicts)
            .filter_map(|(snapshot, verdict)| matches!(verdict, Verdict::Keep(_)).then_some(snapshot))
            .collect();
        let older =
            |hours: i64| kept.iter().filter(|s| s.created_at <= time(NOW) - TimeDelta::hours(hours)).count();
        // 96 of the last day, one for each hour of the day before, then for each day to the 1st of July, and for the
        // five weeks before that week.
        assert_eq!((kept.len() - older(24), older(24) - older(48), older(48) - older(14 * 24)), (96, 23, 11));
        assert_eq!(older(14 * 24), 5, "{kept:#?}");
        // Whoever asks again gets the same answer of what is left.
        let left: Vec<Snapshot> = kept.into_iter().cloned().collect();
        let again = judge(&left, &policy, &[], time(NOW));
        assert!(again.iter().all(|verdict| matches!(verdict, Verdict::Keep(_))));
    }
}
