//! A filter as callers write it: an object with a few known members.
//!
//! Apart from `query`, which looks for what a filter says, because every shell takes filters in this form.

use chrono::DateTime;
use serde_json::{Map, Value};

use super::{Filter, Severity};
use crate::clock;

/// Names that a filter knows.
const NAMES: [&str; 9] = ["type", "severity", "since", "until", "ip", "session", "text", "skip", "limit"];

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// What is wrong with it, to be said after its name: `has no key "x", only: ...`.
    pub fn parse(members: &Map<String, Value>) -> Result<Filter, String> {
        if let Some(name) = members.keys().find(|name| !NAMES.contains(&name.as_str())) {
            return Err(format!("has no key \"{name}\", only: {}", NAMES.join(", ")));
        }
        let wrong = |name: &str, what: &str| format!("[\"{name}\"] must be {what}");
        // As the address of a page has them, where all is text.
        let text = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(wrong(name, "of type string")),
        };
        let seconds = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let time = |name: &str| match members.get(name).and_then(seconds) {
            Some(seconds) => DateTime::from_timestamp(seconds, 0)
                .map(|time| Some(clock::stamp(time)))
                .ok_or_else(|| wrong(name, "a time")),
            None => text(name),
        };
        let count = |name: &str, default: usize| match members.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => {
                let digits = value.as_str().and_then(|digits| digits.parse().ok());
                let count = value.as_u64().or(digits).and_then(|count| usize::try_from(count).ok());
                count.ok_or_else(|| wrong(name, "of type int, and not negative"))
            }
        };
        let kinds = match members.get("type") {
            Some(Value::Array(kinds)) => {
                let all: Option<Vec<String>> =
                    kinds.iter().map(|kind| kind.as_str().map(str::to_owned)).collect();
                all.ok_or_else(|| wrong("type", "a string or a list of strings"))?
            }
            _ => text("type")?.into_iter().collect(),
        };
        let severity = match text("severity")? {
            None => None,
            Some(word) => {
                Some(Severity::of(&word).ok_or_else(|| wrong("severity", "the word of a severity"))?)
            }
        };
        Ok(Filter {
            kinds,
            severity,
            since: time("since")?,
            until: time("until")?,
            ip: text("ip")?,
            session: text("session")?,
            text: text("text")?,
            skip: count("skip", 0)?,
            limit: count("limit", Filter::default().limit)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_filter_may_be_all_text_and_times_may_be_numbers() {
        let read = |value: Value| Filter::parse(value.as_object().unwrap());
        let filter = read(
            json!({ "limit": "2", "skip": 3, "text": 5, "since": 0, "until": "2025-07-14", "ip": null }),
        )
        .unwrap();
        assert_eq!((filter.limit, filter.skip, filter.text.as_deref()), (2, 3, Some("5")));
        assert_eq!(filter.since.as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(
            read(json!({ "since": "60" })).unwrap().since.as_deref(),
            Some("1970-01-01T00:01:00.000Z")
        );
        assert_eq!((filter.until.as_deref(), filter.ip), (Some("2025-07-14"), None));
        for wrong in [
            json!({ "limit": "many" }),
            json!({ "limit": -1 }),
            json!({ "text": [] }),
            json!({ "since": i64::MAX }),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
