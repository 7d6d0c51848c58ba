//! The section `alerts`: who is told of bad events, and how often. Nobody is, unless somebody writes it.

use serde_json::{Value, json};

use super::json::Place;
use super::names::texts;
use super::parse::{Read, unless_null};

/// The words of severities, from the least.
const SEVERITIES: [(&str, &str); 5] =
    [("INFO", "INFO"), ("LOW", "LOW"), ("MEDIUM", "MEDIUM"), ("HIGH", "HIGH"), ("CRITICAL", "CRITICAL")];
/// One each second is as good as no limit.
const MAX_PER_HOUR: u64 = 3_600;
/// A longer address is none (bytes; what mail allows).
const MAX_ADDRESS: usize = 254;

/// Who is told of bad events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alerts {
    /// A program with its arguments, that gets them as one JSON document on its standard input.
    pub command: Option<Vec<String>>,
    /// Where a mail goes.
    pub mail: Option<String>,
    /// At least so bad they are: the word of a severity.
    pub severity: String,
    /// So often in an hour somebody is told at most.
    pub per_hour: u32,
}

impl Alerts {
    pub(super) fn shipped() -> Alerts {
        Alerts { command: None, mail: None, severity: "CRITICAL".to_owned(), per_hour: 10 }
    }

    pub(super) fn read(place: &Place<'_>) -> Read<Alerts> {
        let default = Alerts::shipped();
        let [command, mail, severity, per_hour] =
            place.fields(["command", "mail", "severity", "per_hour"])?;
        Ok(Alerts {
            command: unless_null(command).map(|place| program(&place)).transpose()?,
            mail: unless_null(mail).map(|place| address(&place)).transpose()?,
            severity: match severity {
                Some(place) => place.choice(&SEVERITIES)?.to_owned(),
                None => default.severity,
            },
            per_hour: match per_hour {
                Some(place) => u32::try_from(place.whole_from(1, MAX_PER_HOUR)?).unwrap_or(default.per_hour),
                None => default.per_hour,
            },
        })
    }

    pub(super) fn written(&self) -> Value {
        json!({
            "command": self.command,
            "mail": self.mail,
            "severity": self.severity,
            "per_hour": self.per_hour,
        })
    }
}

fn program(place: &Place<'_>) -> Read<Vec<String>> {
    let words = texts(place)?;
    match words.first() {
        Some(first) if first.starts_with('/') => Ok(words),
        Some(_) => {
            let items = place.items()?;
            Err(items.first().unwrap_or(place).wrong("must be an absolute path"))
        }
        None => Err(place
            .wrong("must name a program")
            .hint("write [\"/path/of/program\", \"argument\"], or null")),
    }
}

/// One address: it becomes a line of a mail's head, and must not become more.
fn address(place: &Place<'_>) -> Read<String> {
    let text = place.text()?;
    let is_plain = |c: char| c.is_ascii_graphic() && !"<>(),;:\\\"[]".contains(c);
    if text.len() <= MAX_ADDRESS && text.chars().all(is_plain) && !text.starts_with('-') {
        return Ok(text.to_owned());
    }
    Err(place.wrong("must be one address").hint("write \"root@localhost\", or null"))
}
