//! The file names of snapshots: `{file}.backup.{time}`, `{file}.emergency.{time}`, `{file}.backup.latest`.
//!
//! Other programs read and write these names too, so there is exactly one way to write a time: UTC,
//! `YYYY-MM-DD_HH-MM-SS`. Pure.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::model::Kind;

/// The time in a name.
const FORMAT: &str = "%Y-%m-%d_%H-%M-%S";
/// Between the time of a snapshot and the tag of a file in the making.
const UNFINISHED: &str = ".new-";
/// How many seconds ahead a free name is looked for: nobody makes more copies of one file a minute.
const SECONDS_AHEAD: i64 = 60;

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Regular => "backup",
        Kind::Emergency => "emergency",
    }
}

/// A time as it stands in names.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.format(FORMAT).to_string()
}

/// The name of a snapshot of `file`.
pub(super) fn format(file: &str, kind: Kind, at: DateTime<Utc>) -> String {
    format!("{file}.{}.{}", word(kind), stamp(at))
}

/// The name of the symlink to the newest snapshot of `file`.
pub(super) fn latest(file: &str) -> String {
    format!("{file}.{}.latest", word(Kind::Regular))
}

/// What the name of a snapshot of `file` says; `None` for any other name.
pub(super) fn parse(file: &str, name: &str) -> Option<(Kind, DateTime<Utc>)> {
    let rest = name.strip_prefix(file)?.strip_prefix('.')?;
    let (kind, time) = [Kind::Regular, Kind::Emergency]
        .into_iter()
        .find_map(|kind| Some((kind, rest.strip_prefix(word(kind))?.strip_prefix('.')?)))?;
    let at = NaiveDateTime::parse_from_str(time, FORMAT).ok()?.and_utc();
    // Single digits and other spellings of the same time are somebody else's names.
    (stamp(at) == time).then_some((kind, at))
}

/// Whether a name is that of a snapshot of `file` in the making, or of its journal.
pub(super) fn is_unfinished(file: &str, name: &str) -> bool {
    name.split_once(UNFINISHED).is_some_and(|(snapshot, _)| parse(file, snapshot).is_some())
}

/// The first second from `at` on whose name is free: two snapshots of one second would have one name.
pub(super) fn free_second(at: DateTime<Utc>, taken: impl Fn(DateTime<Utc>) -> bool) -> Option<DateTime<Utc>> {
    (0..SECONDS_AHEAD)
        .filter_map(|seconds| at.checked_add_signed(TimeDelta::seconds(seconds)))
        .find(|at| !taken(*at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        NaiveDateTime::parse_from_str(text, FORMAT).unwrap().and_utc()
    }

    #[test]
    fn a_name_is_read_as_it_was_written() {
        let time = at("2025-07-14_09-31-02");
        for (kind, name) in [
            (Kind::Regular, "users.db.backup.2025-07-14_09-31-02"),
            (Kind::Emergency, "users.db.emergency.2025-07-14_09-31-02"),
        ] {
            assert_eq!(format("users.db", kind, time), name);
            assert_eq!(parse("users.db", name), Some((kind, time)));
        }
        assert_eq!(latest("users.db"), "users.db.backup.latest");
    }

    #[test]
    fn other_names_are_none_of_ours() {
        for name in [
            "users.db",
            "users.db.backup.latest",
            "users.db.backup.2025-07-14_09-31-02-journal",
            "users.db.backup.2025-07-14_09-31-02.new-7",
            "users.db.backup.2025-7-14_09-31-02",
            "users.db.backup.2025-07-14_09-31-2",
            "users.db.backup.2025-07-14 09-31-02",
            "users.db.backup.2025-13-14_09-31-02",
            "users.db.backup.2025-02-30_09-31-02",
            "users.db.backup.",
            "users.db.old.backup.2025-07-14_09-31-02",
            "old_users.db.backup.2025-07-14_09-31-02",
            "users.dbxbackup.2025-07-14_09-31-02",
        ] {
            assert_eq!(parse("users.db", name), None, "{name}");
        }
    }

    #[test]
    fn what_a_killed_run_leaves_is_known() {
        for (name, unfinished) in [
            ("users.db.backup.2025-07-14_09-31-02.new-7", true),
            ("users.db.emergency.2025-07-14_09-31-02.new-7-journal", true),
            ("users.db.backup.2025-07-14_09-31-02", false),
            ("users.db.new-7", false),
            ("other.db.backup.2025-07-14_09-31-02.new-7", false),
        ] {
            assert_eq!(is_unfinished("users.db", name), unfinished, "{name}");
        }
    }

    #[test]
    fn two_of_one_second_get_two_names() {
        let time = at("2025-12-31_23-59-59");
        assert_eq!(free_second(time, |_| false), Some(time));
        let taken = [time, time + TimeDelta::seconds(1)];
        assert_eq!(free_second(time, |at| taken.contains(&at)), Some(at("2026-01-01_00-00-01")));
        assert_eq!(free_second(time, |_| true), None);
    }
}
