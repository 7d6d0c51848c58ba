//! What one line of the event log says: from an event to bytes that can do nothing to whoever looks at them, and back.
//!
//! Pure. A line is ASCII: everything else is escaped as JSON does it, so that no control character, and nothing that turns
//! the direction of text around, reaches a terminal; and it has one newline, at its end.

use std::borrow::Cow;

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
/// Where a file is must not be lost: under these names texts are longer, and what is longer than any path keeps both ends.
const PATH_NAMES: [&str; 7] = ["file", "path", "path_b64", "from", "from_b64", "target", "target_b64"];
/// The longest path there is (bytes), in base64.
const MAX_PATH: usize = 5464;
/// Details of more than this are cut to their beginning as text (bytes), but for what paths need.
const MAX_DETAILS: usize = 16 << 10;
/// Details with paths have at most this, as they stand in the line (bytes): far less than a line may have.
const MAX_WHOLE: usize = 640 << 10;
/// Who asks for a session or an address gets at most so much of what was given (characters).
const MAX_WORD: usize = 128;

/// Names under which there are secrets, as parts of names in small letters, without what stands between words.
const SECRET_NAMES: [&str; 12] = [
    "password",
    "pwd",
    "bearer",
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
/// Of what comes behind that, so many letters are an id, which is no secret. So a file that is called by such a name is told.
const ID: usize = 16;

/// What stands in the place of a secret.
const HIDDEN: &str = "(hidden)";

/// No event has a higher number, as there is no higher integer in PHP; whoever writes one writes no line of ours.
pub(super) const MAX_SEQ: u64 = i64::MAX.unsigned_abs();

/// Where a line stands in the chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link<'a> {
    pub(super) seq: u64,
    pub(super) prev: &'a str,
    /// So many bytes of others before it are not in what it names, as they were too many.
    pub(super) behind: Option<u64>,
}

/// The line of an event, with its newline.
///
/// # Errors
/// [`ErrorKind::Usage`] when its kind is no word.
pub(super) fn line(event: &Event, timestamp: &str, link: Link<'_>) -> Result<String> {
    let is_word = |kind: &str| {
        (1..=MAX_KIND).contains(&kind.len())
            && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    if !is_word(&event.kind) {
        return Err(Error::new(ErrorKind::Usage, "the type of an event must be a word")
            .hint("up to 64 letters, digits, _, . and -, like LOGIN_FAILED"));
    }
    let word = |text: &Option<String>| text.as_deref().map(|text| cut(&without_secrets(text), MAX_WORD));
    let details = details(&event.details);
    let mut value = json!({
        "timestamp": timestamp,
        "type": event.kind,
        "severity": event.severity.word(),
        "details": details,
        "session_id": word(&event.session),
        "ip": word(&event.ip),
        "seq": link.seq,
        "prev": link.prev,
    });
    if let (Some(bytes), Some(value)) = (link.behind, value.as_object_mut()) {
        value.insert("behind".to_owned(), Value::from(bytes));
    }
    let mut text = ascii(&value.to_string());
    text.push('\n');
    Ok(text)
}

/// The digest of a line, without its newline.
pub(super) fn digest(line: &[u8]) -> String {
    hex(&Sha256::digest(line))
}

fn details(value: &Value) -> Value {
    let mut paths = 0;
    let safe = safe(value, MAX_DEPTH, MAX_TEXT, &mut paths);
    let text = safe.to_string();
    if text.len() <= MAX_DETAILS.saturating_add(paths) && (paths == 0 || ascii(&text).len() <= MAX_WHOLE) {
        return safe;
    }
    let mut end = MAX_DETAILS;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    json!({ "cut": text.get(..end), "bytes": text.len() })
}

/// Without secrets, and no larger than somebody would read; `paths` grows by what paths have, as JSON.
fn safe(value: &Value, depth: usize, most: usize, paths: &mut usize) -> Value {
    match value {
        Value::String(text) if most == MAX_PATH => {
            let text = Value::from(cut_between(&without_secrets(text), most));
            *paths = paths.saturating_add(text.to_string().len());
            text
        }
        Value::String(text) => Value::from(cut(&without_secrets(text), most)),
        Value::Array(_) | Value::Object(_) if depth == 0 => Value::from("(left out)"),
        Value::Array(items) => {
            let mut all: Vec<Value> =
                items.iter().take(MAX_MEMBERS).map(|item| safe(item, depth - 1, most, paths)).collect();
            if items.len() > MAX_MEMBERS {
                all.push(Value::from(format!("({} more)", items.len() - MAX_MEMBERS)));
            }
            Value::from(all)
        }
        Value::Object(members) => {
            let mut all = Map::new();
            for (name, member) in members.iter().take(MAX_MEMBERS) {
                let most = if PATH_NAMES.contains(&name.as_str()) { MAX_PATH } else { MAX_TEXT };
                let is_hidden = is_secret(name);
                let safe = if is_hidden { Value::from(HIDDEN) } else { safe(member, depth - 1, most, paths) };
                all.insert(cut(&without_secrets(name), MAX_WORD), safe);
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
    // Of `pass` only where it is the end, as in `db_pass`.
    name.ends_with("pass") || SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// What may be a key or token stands there with its id alone.
fn without_secrets(text: &str) -> Cow<'_, str> {
    let mut safe = String::new();
    let mut rest = text;
    while let Some(at) =
        SECRET_PREFIXES.iter().filter_map(|prefix| Some(rest.find(prefix)? + prefix.len())).min()
    {
        let (before, behind) = rest.split_at(at);
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric();
        let count = behind.bytes().take_while(is_part).count();
        let (part, behind) = behind.split_at(count);
        safe.push_str(before);
        match part.get(..ID) {
            Some(id) if count > ID => {
                safe.push_str(id);
                safe.push_str(HIDDEN);
            }
            _ => safe.push_str(part),
        }
        rest = behind;
    }
    if safe.is_empty() {
        return Cow::Borrowed(text);
    }
    safe.push_str(rest);
    Cow::Owned(safe)
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

/// With both of its ends, as a path says there where it is and what.
fn cut_between(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let half = most / 2;
    let first: String = text.chars().take(half).collect();
    let last: String = text.chars().skip(count - half).collect();
    format!("{first} ({} left out) {last}", count - 2 * half)
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
    /// Of a line of ours, what it says that it does not hold (bytes).
    pub(super) behind: Option<u64>,
}

/// Reads a line without its newline; nothing where it is no JSON object.
pub(super) fn read(line: &[u8]) -> Option<Read> {
    let Ok(Value::Object(value)) = serde_json::from_slice(line) else { return None };
    let seq = value.get("seq").and_then(Value::as_u64);
    let prev = value.get("prev").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_ours = |seq: &u64| (1..=MAX_SEQ).contains(seq) && value.contains_key("prev");
    let behind = value.get("behind").and_then(Value::as_u64);
    Some(Read { seq: seq.filter(is_ours), prev, behind, value })
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

    const LINK: Link<'_> = Link { seq: 7, prev: "abc", behind: None };

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
        let line = line(&event(details), "2025-07-14T09:31:02Z", LINK)?;
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
            let line = line(&event(json!({ "nick": text, text: 1 })), "now", LINK)?;
            let (last, rest) = line.as_bytes().split_last().ok_or("empty")?;
            assert_eq!(*last, b'\n');
            assert!(rest.iter().all(|byte| (b' '..=b'~').contains(byte)), "{line}");
            assert_eq!(details_of(json!({ "nick": text }))?, json!({ "nick": text }));
        }
        Ok(())
    }

    #[test]
    fn secrets_are_hidden_wherever_they_stand() -> Outcome {
        let (key, token) = (format!("crk_{}", "0a".repeat(32)), format!("crs_{}", "1b".repeat(32)));
        let [short_key, short_token] = ["crk_0a0a0a0a0a0a0a0a(hidden)", "crs_1b1b1b1b1b1b1b1b(hidden)"];
        let found = details_of(json!({
            "user": "a", "Password": "x", "db_pass": 1, "passes": 2, "X-API-Key": "x", "at": token, "crk_short": "crs_", "path": format!("/w/{key}.php"),
            "nested": [{ "X-Api_Key": 1, "csrf_token": ["y"], "note": format!("got {key}, {token}crk_{key}.") }],
        }))?;
        assert_eq!(
            found,
            json!({
                "user": "a", "Password": "(hidden)", "db_pass": "(hidden)", "passes": 2, "X-API-Key": "(hidden)", "at": short_token, "crk_short": "crs_",
                "path": format!("/w/{short_key}.php"),
                "nested": [{
                    "X-Api_Key": "(hidden)", "csrf_token": "(hidden)",
                    "note": format!("got {short_key}, {short_token}_{short_key}."),
                }],
            })
        );
        assert_eq!(details_of(json!({ key: 1 }))?, json!({ short_key: 1 }));
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
    fn a_path_is_whole_and_a_longer_text_keeps_both_ends() -> Outcome {
        let (path, coded) = (format!("/{}/shell.php", "d".repeat(4000)), "Q".repeat(5464));
        let one = json!({ "path": path, "path_b64": coded, "from": path });
        assert_eq!(details_of(one.clone())?, one);
        // As many as share an event.
        let many = json!({ "findings": vec![one; 40] });
        assert_eq!(details_of(many.clone())?, many);
        let found = details_of(json!({ "path": format!("/{}/shell.php", "d".repeat(9000)) }))?;
        let found = found["path"].as_str().ok_or("no text")?;
        assert!(found.starts_with("/ddd") && found.ends_with("d/shell.php"), "{found}");
        assert!(found.contains("(3547 left out)") && found.len() < 5500, "{found}");
        // Whatever is in it, a line is one that is read.
        let many: Vec<Value> = (0..64).map(|_| json!({ "path": "\u{1}".repeat(5464) })).collect();
        let line = line(&event(json!({ "findings": many })), "now", LINK)?;
        assert!(line.len() < crate::events::lines::MAX_LINE, "{}", line.len());
        Ok(())
    }

    #[test]
    fn a_kind_is_a_word() {
        for kind in ["", "two words", "x\n", "\u{e9}", &"x".repeat(65)] {
            let event = Event { kind: kind.to_owned(), ..event(Value::Null) };
            assert_eq!(line(&event, "", LINK).map_err(|error| error.kind()), Err(ErrorKind::Usage), "{kind}");
        }
    }
}
