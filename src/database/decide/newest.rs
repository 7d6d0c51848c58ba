//! Reading a time out of a cell, for `newest` and `newest_by`.
//!
//! ISO 8601 text, Unix seconds or milliseconds, and Julian days are understood, as SQLite's own date functions
//! do. Apart from `merge`, which only needs an order. No clock: what counts as the future comes in.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::database::value::Value;

/// Seconds a stamp may lie ahead of now before it is disbelieved: a day covers every time zone.
const FUTURE_SECONDS: f64 = 86_400.0;
/// Below this a number is a Julian day (the year 22 666), above it Unix seconds.
const JULIAN_LIMIT: f64 = 10_000_000.0;
/// The Julian day of the Unix epoch.
const JULIAN_EPOCH: f64 = 2_440_587.5;
/// Above this, Unix time is in milliseconds (as seconds it would be the year 5138).
const MILLISECONDS_LIMIT: f64 = 1.0e11;

/// Unix seconds of a stamp; `None` when it is no time, or lies more than a day after `now`.
pub(crate) fn age(value: &Value, now: i64) -> Option<f64> {
    let seconds = match value {
        #[expect(clippy::cast_precision_loss, reason = "times lie far below 2^53")]
        Value::Integer(i) => numeric(*i as f64),
        Value::Real(bits) => numeric(f64::from_bits(*bits)),
        Value::Text(bytes) => text(std::str::from_utf8(bytes).ok()?.trim())?,
        Value::Null | Value::Blob(_) | Value::Held => return None,
    };
    #[expect(clippy::cast_precision_loss, reason = "times lie far below 2^53")]
    let limit = now as f64 + FUTURE_SECONDS;
    (seconds.is_finite() && seconds <= limit).then_some(seconds)
}

fn numeric(number: f64) -> f64 {
    if number > 0.0 && number < JULIAN_LIMIT {
        (number - JULIAN_EPOCH) * 86_400.0
    } else if number.abs() > MILLISECONDS_LIMIT {
        number / 1000.0
    } else {
        number
    }
}

fn text(text: &str) -> Option<f64> {
    let precise = |time: DateTime<chrono::Utc>| {
        #[expect(clippy::cast_precision_loss, reason = "times lie far below 2^53")]
        let seconds = time.timestamp() as f64;
        seconds + f64::from(time.timestamp_subsec_nanos()) / 1.0e9
    };
    if let Ok(number) = text.parse::<f64>() {
        return Some(numeric(number));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(precise(time.to_utc()));
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Some(precise(time.and_utc()));
        }
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(precise(date.and_time(chrono::NaiveTime::MIN).and_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_agree() {
        let now = 1_752_500_000;
        let expected = 1_752_485_462.0;
        for stamp in [
            Value::text("2025-07-14 09:31:02"),
            Value::text("2025-07-14T09:31:02Z"),
            Value::text("2025-07-14T11:31:02+02:00"),
            Value::Integer(1_752_485_462),
            Value::Integer(1_752_485_462_000),
            Value::text("1752485462"),
        ] {
            assert_eq!(age(&stamp, now), Some(expected), "{stamp:?}");
        }
        let julian = age(&Value::Real(2_460_870.896_550_9_f64.to_bits()), now);
        assert!(julian.is_some_and(|seconds| (seconds - expected).abs() < 1.0), "{julian:?}");
    }

    #[test]
    fn nonsense_and_the_far_future_do_not_win() {
        let now = 1_752_500_000;
        for stamp in
            [Value::Null, Value::text("yesterday"), Value::Integer(now + 86_401), Value::text("2031-01-01")]
        {
            assert_eq!(age(&stamp, now), None, "{stamp:?}");
        }
        assert!(age(&Value::Integer(now + 86_399), now).is_some());
    }
}
