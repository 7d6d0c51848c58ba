//! One copy of the list of those that count no longer: what it says, and its text.
//!
//! Pure. The text carries the SHA-256 of its entries, so that one that lost a part, or was changed by hand, is told from one
//! that is whole. Every later version keeps `entries` and `sum` as they are here, whatever it adds: so one that says that it
//! is of such a version is held to the same, and what cannot be checked is damaged. What two copies say together is for
//! `standing`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::grant::{Digest, is_same};
use super::known::Index;
use super::record::seconds;
use super::token;
use crate::durable::Reading;
use crate::hex::{hex, unhex};

const FORMAT: &str = "cr0sync withdrawn";
const VERSION: i64 = 2;
/// This one had no sum, and one copy.
const FIRST: i64 = 1;
/// What a person writes in place of a copy (a list of this text): all that is withdrawn stands in the site's file.
pub(super) const ANEW: &str = "begin anew";

/// Since when one counts no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// From this second on, since 1970.
    pub(super) from: i64,
    /// Until it need not be remembered, as it ends by itself; `None` for ever.
    pub(super) until: Option<i64>,
}

impl Entry {
    /// What two that are about one key say together: it counts no longer where either says so.
    fn with(self, other: Entry) -> Entry {
        let until = match (self.until, other.until) {
            (Some(a), Some(b)) => Some(a.max(b)),
            _ => None,
        };
        Entry { from: self.from.min(other.from), until }
    }
}

/// All of them.
pub(super) type Entries = BTreeMap<Digest, Entry>;

/// Adds one; whether that says anything new. The first time counts.
pub(super) fn add(entries: &mut Entries, digest: Digest, entry: Entry) -> bool {
    let before = entries.get(&digest).copied();
    let together = before.map_or(entry, |before| before.with(entry));
    entries.insert(digest, together);
    before.is_none_or(|before| before.from != together.from)
}

/// What one copy says.
#[derive(Debug)]
pub(super) enum Copied {
    /// There is none.
    Missing,
    /// It makes no sense, or is not all that was written, and why.
    Broken(String),
    /// It says that a newer version wrote it. Anybody may write that, so only what `standing` makes of both counts.
    Newer(Index<Entry>),
    /// All that was written, and the digest of that.
    Whole(Index<Entry>, Digest),
}

/// Whether a person has said that all that is withdrawn stands in the site's file.
pub(super) fn is_anew(value: &Value) -> bool {
    *value == json!([ANEW])
}

impl Copied {
    pub(super) fn of(reading: Reading) -> Copied {
        let value = match reading {
            Reading::Missing => return Copied::Missing,
            Reading::Broken(reason) => return Copied::Broken(reason),
            Reading::Whole(value) => value,
        };
        if is_anew(&value) {
            let entries = Entries::new();
            return Copied::Whole(Index::default(), sum(&entries));
        }
        let is_ours = value.get("format").and_then(Value::as_str) == Some(FORMAT);
        let (Some(version), true) = (value.get("version").and_then(Value::as_i64), is_ours) else {
            return Copied::Broken("it does not say that it is ours".to_owned());
        };
        let Some(entries) = entries(&value) else {
            return Copied::Broken("its entries are none".to_owned());
        };
        let told = value.get("sum").map(|sum| sum.as_str().and_then(unhex));
        let sum = sum(&entries);
        let is_right = |told: Digest| is_same(&told, &sum);
        let is_all = match told {
            None => version == FIRST,
            Some(told) => version >= VERSION && told.is_some_and(is_right),
        };
        if !is_all {
            return Copied::Broken("its checksum is another".to_owned());
        }
        let mut index = Index::default();
        for (digest, entry) in entries {
            index.add(digest, entry);
        }
        if version > VERSION { Copied::Newer(index) } else { Copied::Whole(index, sum) }
    }

    /// Why it is no good copy beside a whole one.
    pub(super) fn doubt(&self) -> Option<String> {
        match self {
            Copied::Broken(reason) => Some(reason.clone()),
            Copied::Newer(_) => {
                Some("it says that a newer version wrote it, and the other copy does not".to_owned())
            }
            Copied::Missing | Copied::Whole(..) => None,
        }
    }

    /// What it can be read as: also what a newer version is said to have written takes a key back, and gives none.
    fn index(&self) -> Option<&Index<Entry>> {
        match self {
            Copied::Whole(index, _) | Copied::Newer(index) => Some(index),
            Copied::Missing | Copied::Broken(_) => None,
        }
    }

    /// Since when a digest counts no longer.
    pub(super) fn since(&self, digest: &Digest) -> Option<i64> {
        self.index()?.find(digest).map(|one| one.from).min()
    }

    /// Whether two whole copies say the same.
    pub(super) fn is_as(&self, other: &Copied) -> bool {
        matches!((self, other), (Copied::Whole(_, own), Copied::Whole(_, other)) if is_same(own, other))
    }

    /// Adds what it says to others.
    pub(super) fn add_to(&self, entries: &mut Entries) {
        for (digest, entry) in self.index().into_iter().flat_map(Index::each) {
            add(entries, *digest, *entry);
        }
    }
}

fn entries(value: &Value) -> Option<Entries> {
    let mut all = Entries::new();
    for (hash, entry) in value.get("entries")?.as_object()? {
        // Since when is unclear where it is no number: then since ever.
        let from = entry.get("from").and_then(seconds).unwrap_or(0);
        let until = entry.get("until").and_then(seconds);
        add(&mut all, unhex(hash)?, Entry { from, until });
    }
    Some(all)
}

/// The digest of what the entries say.
fn sum(entries: &Entries) -> Digest {
    let mut text = String::new();
    for (digest, Entry { from, until }) in entries {
        let until = until.map_or_else(|| "-".to_owned(), |until| until.to_string());
        text.push_str(&format!("{} {from} {until}\n", hex(digest)));
    }
    token::digest(text.as_bytes())
}

/// The text of a copy.
pub(super) fn text(entries: &Entries) -> String {
    let listed: serde_json::Map<String, Value> = entries
        .iter()
        .map(|(digest, entry)| (hex(digest), json!({ "from": entry.from, "until": entry.until })))
        .collect();
    let value = json!({ "format": FORMAT, "version": VERSION, "sum": hex(&sum(entries)), "entries": listed });
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Copied {
        match serde_json::from_str(text) {
            Ok(value) => Copied::of(Reading::Whole(value)),
            Err(cause) => Copied::of(Reading::Broken(cause.to_string())),
        }
    }

    fn entries() -> Entries {
        let mut entries = Entries::new();
        add(&mut entries, [1; 32], Entry { from: 0, until: None });
        add(&mut entries, [2; 32], Entry { from: 7, until: Some(9) });
        entries
    }

    #[test]
    fn what_is_written_is_read() {
        for entries in [entries(), Entries::new()] {
            let mut read_back = Entries::new();
            let copy = read(&text(&entries));
            assert!(matches!(copy, Copied::Whole(..)), "{copy:?}");
            copy.add_to(&mut read_back);
            assert_eq!(read_back, entries);
        }
    }

    /// No copy that lost anything, or of which one digit is another, is taken for one that says who counts.
    #[test]
    fn what_is_damaged_is_never_whole() {
        let text = text(&entries());
        for at in 0..text.len() - 2 {
            let copy = read(&text[..at]);
            assert!(matches!(copy, Copied::Broken(_)), "cut at {at}: {copy:?}");
        }
        for (at, old) in text.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
            for new in "0179".chars().filter(|new| *new != old) {
                let other = format!("{}{new}{}", &text[..at], &text[at + 1..]);
                let copy = read(&other);
                let is_newer = matches!(copy, Copied::Newer(_)) && text[..at].ends_with("\"version\": ");
                assert!(is_newer || matches!(copy, Copied::Broken(_)), "{at}: {other}");
            }
        }
        for (wrong, right) in [
            ("[]", false),
            (r#"["begin anew"]"#, true),
            (r#"["begin anew", 1]"#, false),
            (r#"["begin"]"#, false),
            ("{}", false),
            (r#"{"format": "cr0sync withdrawn", "version": 1}"#, false),
            (r#"{"format": "cr0sync withdrawn", "version": 1, "entries": {"x": {}}}"#, false),
            (r#"{"format": "cr0sync withdrawn", "version": 1, "entries": {}}"#, true),
            (r#"{"format": "cr0sync withdrawn", "version": 2, "entries": {}}"#, false),
        ] {
            assert_eq!(matches!(read(wrong), Copied::Whole(..)), right, "{wrong}");
        }
    }

    /// What says that it is newer counts as that only where its checksum fits, and is read like any other.
    #[test]
    fn what_says_that_it_is_newer_is_checked() {
        let newer = text(&entries()).replace("\"version\": 2", "\"version\": 9");
        let copy = read(&newer);
        assert!(matches!(copy, Copied::Newer(_)) && copy.doubt().is_some(), "{copy:?}");
        assert_eq!(
            (copy.since(&[1; 32]), copy.since(&[2; 32]), copy.since(&[3; 32])),
            (Some(0), Some(7), None)
        );
        for wrong in [
            newer.replace("\"from\": 7", "\"from\": 8"),
            newer.replace("\"sum\"", "\"some\""),
            r#"{"format": "cr0sync withdrawn", "version": 9}"#.to_owned(),
            r#"{"format": "cr0sync withdrawn", "version": 9, "entries": {}}"#.to_owned(),
        ] {
            assert_ne!(wrong, newer);
            assert!(matches!(read(&wrong), Copied::Broken(_)), "{wrong}");
        }
    }

    #[test]
    fn what_two_say_of_one_is_the_stricter() {
        let mut entries = entries();
        assert!(!add(&mut entries, [2; 32], Entry { from: 8, until: None }));
        assert_eq!(entries.get(&[2; 32]), Some(&Entry { from: 7, until: None }));
        assert!(add(&mut entries, [2; 32], Entry { from: 3, until: Some(20) }));
        assert_eq!(entries.get(&[2; 32]), Some(&Entry { from: 3, until: None }));
    }
}
