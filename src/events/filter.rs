//! A filter as callers write it: an object with a few known members.
//!
//! Apart from `query`, which looks for what a filter says, because every shell takes filters in this form.

use serde_json::{Map, Value};

use super::{Filter, Severity};

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
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(name, "of type string")),
        };
        let count = |name: &str, default: usize| match members.get(name) {
            None => Ok(default),
            Some(value) => {
                let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
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
            since: text("since")?,
            until: text("until")?,
            ip: text("ip")?,
            session: text("session")?,
            text: text("text")?,
            skip: count("skip", 0)?,
            limit: count("limit", Filter::default().limit)?,
        })
    }
}
