//! When an archive is to be rotated. Pure.
//!
//! Apart from `rotate`, which does it.

use chrono::{DateTime, Utc};

use crate::config::Rotation;

/// Which logs are rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Those that are larger than their limit.
    Large,
    /// All.
    Whatever,
}

/// The day of a time in nanoseconds.
pub(crate) fn day(written: i128) -> Option<chrono::NaiveDate> {
    let seconds = i64::try_from(written / 1_000_000_000).ok()?;
    DateTime::from_timestamp(seconds, 0).map(|at| at.date_naive())
}

/// Whether a live file of so many bytes is to be rotated. `newest` is the day of the newest rotated file.
pub(crate) fn is_due(
    bytes: u64,
    rotation: &Rotation,
    newest: Option<chrono::NaiveDate>,
    now: DateTime<Utc>,
    demand: Demand,
) -> bool {
    let is_another_day = newest.is_none_or(|newest| newest < now.date_naive());
    match demand {
        Demand::Whatever => bytes > 0 || !rotation.skip_empty,
        Demand::Large => {
            bytes > rotation.max_bytes
                || (is_another_day && rotation.min_bytes.is_some_and(|most| bytes > most))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_file_is_due() {
        let now = DateTime::from_timestamp(1_752_500_000, 0).unwrap();
        let (today, before) = (Some(now.date_naive()), now.date_naive().pred_opt());
        let policy = |max_bytes, min_bytes| Rotation { max_bytes, min_bytes, ..Rotation::default() };
        use Demand::{Large, Whatever};
        for (what, bytes, rotation, newest, demand, expected) in [
            ("as large as allowed", 100, policy(100, None), None, Large, false),
            ("larger", 101, policy(100, None), today, Large, true),
            ("small, and asked for", 1, policy(100, None), today, Whatever, true),
            ("empty, and asked for", 0, policy(100, None), None, Whatever, false),
            ("larger than the least, the first", 51, policy(100, Some(50)), None, Large, true),
            ("on another day", 51, policy(100, Some(50)), before, Large, true),
            ("on the same day", 51, policy(100, Some(50)), today, Large, false),
            ("not larger than the least", 50, policy(100, Some(50)), before, Large, false),
            ("too large on the same day", 101, policy(100, Some(50)), today, Large, true),
        ] {
            assert_eq!(is_due(bytes, &rotation, newest, now, demand), expected, "{what}");
        }
        let empty = Rotation { skip_empty: false, ..Rotation::default() };
        assert!(is_due(0, &empty, None, now, Whatever));
    }
}
