//! What one line of the event log says: from an event to bytes that can do nothing to whoever looks at them, and back.
//!
//! Pure. A line is ASCII: everything else is escaped as JSON does it, so that no control character, and nothing that turns
//! the direction of text around, reaches a terminal; and it has one newline, at its end.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Event, Severity};
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;

/// A longer kind is no word (bytes).
const MAX_KIND: usize = 64;
/// Longer texts are cut (characters): a line is to be read.
const MAX_TEXT: usize = 1024;
/// More members of one list or object are left out.
const MAX_MEMBERS: usize = 64;
/// What lies deeper is left out.
const MAX_DEPTH: usize = 6;
/// Details of more than this are cut to their beginning as text (bytes), so that a line stays one write.
const MAX_DETAILS: usize = 16 << 10;
/// Who asks for a session or an address gets at most so much of what was given (characters).
const MAX_WORD: usize = 128;

/// Names under which there are secrets, as parts of names in small letters, without what stands between words.
const SECRET_NAMES: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "authorization",
    "cookie",
    "privatekey",
    "otp",
];
/// What an API key and the token of a session begin with, wherever they stand.
const SECRET_PREFIXES: [&str; 2] = ["crk_", "crs_"];

/// What stands in the place of a secret.
const HIDDEN: &str = "(hidden)";

/// No event has a higher number, as there is no higher integer in PHP; whoever writes one writes no line of ours.
pub(super) const MAX_SEQ: u64 = i64::MAX.unsigned_abs();

/// The line of an event, with its newline.
///
/// # Errors
/// [`ErrorKind::Usage`] when its kind is no word.
pub(super) fn line(event: &Event, timestamp: &str, seq: u64, prev: &str) -> Result<String> {
    let is_word = |kind: &str| {
        (1..=MAX_KIND).contains(&kind.len())
            && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    if !is_word(&event.kind) {
        return Err(Error::new(ErrorKind::Usage, "the type of an event must be a word")
            .hint("up to 64 letters, digits, _, . and -, like LOGIN_FAILED"));
    }
    let word = |text: &Option<String>| {
        text.as_deref().map(|text| if has_secret(text) { HIDDEN.to_owned() } else { cut(text, MAX_WORD) })
    };
    let details = details(&event.details);
    let value = json!({
        "timestamp": timestamp,
        "type": event.kind,
        "severity": event.severity.word(),
        "details": details,
        "session_id": word(&event.session),
        "ip": word(&event.ip),
        "seq": seq,
        "prev": prev,
    });
    let mut text = ascii(&value.to_string());
    text.push('\n');
    Ok(text)
}

/// The digest of a line, without its newline.
pub(super) fn digest(line: &[u8]) -> String {
    hex(&Sha256::digest(line))
}

fn details(value: &Value) -> Value {
    let safe = safe(value, MAX_DEPTH);
    let text = safe.to_string();
    if text.len() <= MAX_DETAILS {
        return safe;
    }
    let mut end = MAX_DETAILS;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    json!({ "cut": text.get(..end), "bytes": text.len() })
}

/// Without secrets, and no larger than somebody would read.
fn safe(value: &Value, depth: usize) -> Value {
    match value {
        Value::String(text) if has_secret(text) => Value::from(HIDDEN),
        Value::String(text) => Value::from(cut(text, MAX_TEXT)),
        Value::Array(_) | Value::Object(_) if depth == 0 => Value::from("(left out)"),
        Value::Array(items) => {
            let mut all: Vec<Value> =
                items.iter().take(MAX_MEMBERS).map(|item| safe(item, depth - 1)).collect();
            if items.len() > MAX_MEMBERS {
                all.push(Value::from(format!("({} more)", items.len() - MAX_MEMBERS)));
            }
            Value::from(all)
        }
        Value::Object(members) => {
            let mut all = Map::new();
            for (name, member) in members.iter().take(MAX_MEMBERS) {
                let safe = if is_secret(name) { Value::from(HIDDEN) } else { safe(member, depth - 1) };
                all.insert(cut(name, MAX_WORD), safe);
            }
            if members.len() > MAX_MEMBERS {
                all.insert("(more)".to_owned(), Value::from(members.len() - MAX_MEMBERS));
            }
            Value::Object(all)
        }
        other => other.clone(),
    }
}

fn is_secret(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

fn has_secret(text: &str) -> bool {
    SECRET_PREFIXES.iter().any(|prefix| text.contains(prefix))
}

fn cut(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let mut first: String = text.chars().take(most).collect();
    first.push_str(&format!(" ({} more)", count - most));
    first
}

/// JSON with everything but printable ASCII escaped. Outside of its texts JSON has nothing else.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        match c {
            ' '..='~' => text.push(c),
            _ => {
                for unit in c.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

/// What of a line is asked for; the line may be of somebody else.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Read {
    pub(super) value: Map<String, Value>,
    /// None for a line that is not ours.
    pub(super) seq: Option<u64>,
    pub(super) prev: String,
}

/// Reads a line without its newline; nothing where it is no JSON object.
pub(super) fn read(line: &[u8]) -> Option<Read> {
    let Ok(Value::Object(value)) = serde_json::from_slice(line) else { return None };
    let seq = value.get("seq").and_then(Value::as_u64);
    let prev = value.get("prev").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_ours = |seq: &u64| (1..=MAX_SEQ).contains(seq) && value.contains_key("prev");
    Some(Read { seq: seq.filter(is_ours), prev, value })
}

impl Read {
    pub(super) fn text(&self, name: &str) -> &str {
        self.value.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn severity(&self) -> Option<Severity> {
        Severity::of(self.text("severity"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    fn event(details: Value) -> Event {
        Event {
            kind: "LOGIN_FAILED".to_owned(),
            severity: Severity::High,
            details,
            ip: Some("192.0.2.1".to_owned()),
            session: None,
        }
    }

    fn details_of(details: Value) -> std::result::Result<Value, Box<dyn std::error::Error>> {
        let line = line(&event(details), "2025-07-14T09:31:02Z", 7, "abc")?;
        let read = read(line.trim_end().as_bytes()).ok_or("no line of ours")?;
        assert_eq!((read.seq, read.prev.as_str(), read.severity()), (Some(7), "abc", Some(Severity::High)));
        Ok(read.value.get("details").cloned().unwrap_or_default())
    }

    #[test]
    fn whatever_is_said_a_line_is_one_line_of_printable_ascii() -> Outcome {
        for text in [
            "a\nb",
            "\u{1b}[2J",
            "\u{202e}gpj.exe",
            "\u{9b}31m",
            "\u{2028}",
            "\u{7f}",
            "emoji \u{1f600}",
            "\"},{\"",
            "\0",
        ] {
            let line = line(&event(json!({ "nick": text, text: 1 })), "now", 1, "")?;
            let (last, rest) = line.as_bytes().split_last().ok_or("empty")?;
            assert_eq!(*last, b'\n');
            assert!(rest.iter().all(|byte| (b' '..=b'~').contains(byte)), "{line}");
            assert_eq!(details_of(json!({ "nick": text }))?, json!({ "nick": text }));
        }
        Ok(())
    }

    #[test]
    fn secrets_are_hidden_wherever_they_stand() -> Outcome {
        let found = details_of(json!({
            "user": "a", "Password": "x", "X-API-Key": "x", "at": "crs_abc", "nested": [{ "X-Api_Key": 1, "csrf_token": ["y"], "note": "got crk_abc" }],
        }))?;
        assert_eq!(
            found,
            json!({
                "user": "a", "Password": "(hidden)", "X-API-Key": "(hidden)", "at": "(hidden)",
                "nested": [{ "X-Api_Key": "(hidden)", "csrf_token": "(hidden)", "note": "(hidden)" }],
            })
        );
        Ok(())
    }

    #[test]
    fn what_nobody_would_read_is_cut() -> Outcome {
        let found = details_of(json!({ "long": "x".repeat(3000) }))?;
        assert_eq!(found, json!({ "long": format!("{} (1976 more)", "x".repeat(1024)) }));
        let found = details_of(json!((0..100).collect::<Vec<_>>()))?;
        assert_eq!(found.as_array().map(Vec::len), Some(65));
        let many: Vec<String> = (0..60).map(|_| "y".repeat(1000)).collect();
        let found = details_of(json!(many))?;
        assert_eq!(found.get("bytes"), Some(&json!(60 * 1003 + 1)));
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!([deep]);
        }
        assert_eq!(details_of(deep)?, json!([[[[[["(left out)"]]]]]]));
        Ok(())
    }

    #[test]
    fn a_kind_is_a_word() {
        for kind in ["", "two words", "x\n", "\u{e9}", &"x".repeat(65)] {
            let event = Event { kind: kind.to_owned(), ..event(Value::Null) };
            assert_eq!(
                line(&event, "", 1, "").map_err(|error| error.kind()),
                Err(ErrorKind::Usage),
                "{kind}"
            );
        }
    }
}
