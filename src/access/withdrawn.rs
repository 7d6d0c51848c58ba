//! What was revoked or closed by us, whatever the site's files say: `sync_state/access/`.
//!
//! The site's pages read a file, change it and write all of it. One that had read it before a key was revoked, and writes
//! it afterwards, makes the key good again without knowing. So it is written down apart, before the file is changed, and
//! wins; the next change of ours puts the file right.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::broken;
use super::grant::Digest;
use super::known::{self, Index, Kept};
use super::record::seconds;
use super::shelf::Kind;
use crate::config::{Config, Ownership};
use crate::durable::{self, Altered, Document, Reading};
use crate::error::{Error, ErrorKind, Result};
use crate::hex::{hex, unhex};

const FORMAT: &str = "cr0sync withdrawn";
const VERSION: i64 = 1;
/// So long another process may write (milliseconds).
const WAIT_MS: u64 = 5_000;
/// After its last end nobody has an old copy of a session any more (seconds).
const SPARE: i64 = 7 * 86_400;

thread_local! {
    static KEPT: Kept<State> = const { Kept::new(Vec::new()) };
}

/// Since when something counts no longer that was taken back at once, wherever the clock is set to.
pub(super) const AT_ONCE: i64 = 0;

/// One that counts no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Withdrawn {
    pub(super) digest: Digest,
    /// From this second on, since 1970.
    pub(super) from: i64,
    /// Until it need not be remembered, as it ends by itself; `None` for ever.
    pub(super) until: Option<i64>,
}

/// What the file says.
#[derive(Debug)]
pub(super) enum State {
    /// Who counts no longer, and since when.
    Known(Index<Withdrawn>),
    /// It makes no sense.
    Broken,
    /// A newer version wrote it.
    Newer,
}

impl State {
    fn of(reading: Reading) -> State {
        match reading {
            Reading::Missing => State::Known(Index::default()),
            Reading::Broken(_) => State::Broken,
            Reading::Whole(value) => State::of_value(&value),
        }
    }

    fn of_value(value: &Value) -> State {
        let is_ours = value.get("format").and_then(Value::as_str) == Some(FORMAT);
        let (Some(version), true) = (value.get("version").and_then(Value::as_i64), is_ours) else {
            return State::Broken;
        };
        if version > VERSION {
            return State::Newer;
        }
        let mut index = Index::default();
        let entries = value.get("entries").and_then(Value::as_object);
        for (hash, entry) in entries.into_iter().flatten() {
            if let Some(digest) = unhex(hash) {
                // Since when is unclear where it is no number: then since ever.
                let from = entry.get("from").and_then(seconds).unwrap_or(0);
                let until = entry.get("until").and_then(seconds);
                index.add(digest, Withdrawn { digest, from, until });
            }
        }
        State::Known(index)
    }

    /// Since when a digest counts no longer.
    pub(super) fn since(&self, digest: &Digest) -> Option<i64> {
        match self {
            State::Known(index) => index.find(digest).map(|one| one.from).min(),
            State::Broken | State::Newer => None,
        }
    }
}

/// Asks what is known now.
pub(super) fn ask<A>(config: &Config, kind: Kind, question: impl FnOnce(&State) -> A) -> Result<A> {
    let by = (config.root.as_path(), kind);
    KEPT.with(|kept| known::ask(kept, by, || path(config, kind), State::of, question))
}

/// Puts one on record, for good. The first time counts. Says what people should know.
pub(super) fn add(config: &Config, kind: Kind, one: Withdrawn) -> Result<Vec<String>> {
    change(config, kind, |entries| {
        let hash = hex(&one.digest);
        let before = entries.get(&hash).and_then(|entry| entry.get("from")).and_then(seconds);
        let from = before.map_or(one.from, |before| before.min(one.from));
        if before == Some(from) {
            return Altered::No(());
        }
        entries.insert(hash, json!({ "from": from, "until": one.until }));
        Altered::Yes(())
    })
}

/// Forgets those that nobody can bring back any more, and moves aside what makes no sense.
pub(super) fn clean(config: &Config, kind: Kind, now: i64) -> Result<Vec<String>> {
    if std::fs::symlink_metadata(path(config, kind)).is_err() {
        return Ok(Vec::new());
    }
    change(config, kind, |entries| {
        let before = entries.len();
        entries.retain(|_, entry| {
            let until = entry.get("until").and_then(seconds);
            until.is_none_or(|until| now < until.saturating_add(SPARE))
        });
        if entries.len() < before { Altered::Yes(()) } else { Altered::No(()) }
    })
}

fn change(
    config: &Config,
    kind: Kind,
    mut alter: impl FnMut(&mut Map<String, Value>) -> Altered<()>,
) -> Result<Vec<String>> {
    let path = path(config, kind);
    let directory = config.root.join("sync_state");
    durable::state_directory(&directory, &config.ownership)?;
    durable::private_directory(&directory.join("access"))?;
    let ownership = Ownership { file_mode: 0o660, ..config.ownership.clone() };
    let document = Document {
        path: &path,
        root: &config.root,
        lock: kind.withdrawn_lock(),
        ownership: &ownership,
        wait_ms: WAIT_MS,
    };
    let changed = broken::change(config, &document, |value| {
        if matches!(State::of_value(value), State::Newer) {
            return Err(newer().at(&path));
        }
        // An empty list is what stands for a missing file. What is not ours has nothing to keep, and is not left.
        let is_new = !matches!(State::of_value(value), State::Known(_))
            || !value.get("entries").is_some_and(Value::is_object);
        if is_new {
            *value = json!({ "format": FORMAT, "version": VERSION, "entries": {} });
        }
        let altered = value.get_mut("entries").and_then(Value::as_object_mut).map(&mut alter);
        Ok(if is_new { Altered::Yes(()) } else { altered.unwrap_or(Altered::No(())) })
    });
    changed.map(|((), warnings)| warnings)
}

/// The error for a file of a newer version.
pub(super) fn newer() -> Error {
    Error::new(ErrorKind::Corrupt, "refused what a newer version of cr0sync wrote:")
        .hint("install that version again, on every machine that uses this root")
}

/// Where it is written down.
pub(super) fn path(config: &Config, kind: Kind) -> PathBuf {
    config.root.join("sync_state").join("access").join(kind.withdrawn_file())
}
