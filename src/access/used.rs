//! Writes down that a key or session was used, at most once a minute for each.
//!
//! What was used in between is counted in this process until then; a process that ends before loses its count, so what
//! stands in the file is the least that it was used. Nobody who may come in is kept out because that cannot be written.

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::Value;

use super::grant::{Digest, is_same};
use super::record::{Record, seconds};
use super::shelf::{self, Kind};
use crate::clock::{self, Stopwatch};
use crate::config::Config;
use crate::durable::Altered;
use crate::error::ErrorKind;
use crate::hex::unhex;

/// Between two notes (seconds).
const EVERY: i64 = 60;
/// After one that could not be made (milliseconds).
const AGAIN_MS: u64 = 60_000;
/// After one that somebody else was making just then (milliseconds).
const SOON_MS: u64 = 1_000;
/// More are not counted at once in one process.
const MAX_COUNTED: usize = 4_096;

thread_local! {
    static COUNTS: RefCell<HashMap<(Kind, Digest), Count>> = RefCell::default();
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    uses: i64,
    /// When it could not be written down, and how long not to try it again (milliseconds).
    failed: Option<(Stopwatch, u64)>,
}

/// What is to be written down of a use.
pub(super) enum Use {
    Nothing,
    Due(Digest),
}

/// Counts one use.
pub(super) fn count(kind: Kind, record: &Record, now: i64) -> Use {
    COUNTS.with_borrow_mut(|counts| {
        if counts.len() >= MAX_COUNTED {
            counts.clear();
        }
        let count = counts.entry((kind, record.digest)).or_default();
        count.uses = count.uses.saturating_add(1);
        let may = count.failed.is_none_or(|(since, pause)| since.millis() >= pause);
        if is_due(record.last_used, now) && may { Use::Due(record.digest) } else { Use::Nothing }
    })
}

/// Whether it was not used for a minute; in the future nothing was.
fn is_due(last: Option<i64>, now: i64) -> bool {
    last.is_none_or(|last| last > now || now.saturating_sub(last) >= EVERY)
}

/// Writes it down; says what went wrong.
pub(super) fn write(config: &Config, kind: Kind, digest: Digest, now: i64) -> Vec<String> {
    let uses = COUNTS.with_borrow(|counts| counts.get(&(kind, digest)).map_or(1, |count| count.uses));
    // Nobody waits for this: where somebody else is at it, it is done a little later.
    let changed = shelf::change(config, kind, 0, |value| {
        let hash = |member: &serde_json::Map<String, Value>| {
            member.get(kind.hash()).and_then(Value::as_str).and_then(unhex)
        };
        let member = shelf::members(value)
            .into_iter()
            .find(|member| hash(member).is_some_and(|own| is_same(&own, &digest)));
        let Some(member) = member else { return Ok(Altered::No(false)) };
        if !is_due(member.get("last_used_at").and_then(seconds), now) {
            return Ok(Altered::No(false));
        }
        member.insert("last_used_at".to_owned(), now.into());
        if kind == Kind::Keys {
            let before = member.get("usage_count").and_then(seconds).unwrap_or(0);
            member.insert("usage_count".to_owned(), before.saturating_add(uses).into());
        }
        Ok(Altered::Yes(true))
    });
    let (uses, failed, warnings) = match changed {
        Ok((true, warnings)) => (0, None, warnings),
        Ok((false, warnings)) => (uses, None, warnings),
        Err(error) if error.kind() == ErrorKind::Locked => (uses, Some(SOON_MS), Vec::new()),
        Err(error) => (uses, Some(AGAIN_MS), vec![format!("its use cannot be written down: {error}")]),
    };
    COUNTS.with_borrow_mut(|counts| {
        let failed = failed.map(|pause| (clock::start(), pause));
        counts.insert((kind, digest), Count { uses, failed });
    });
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_once_a_minute() {
        for (last, expected) in [
            (None, true),
            (Some(1_000), false),
            (Some(941), false),
            (Some(940), true),
            (Some(0), true),
            (Some(1_001), true),
            (Some(i64::MIN), true),
        ] {
            assert_eq!(is_due(last, 1_000), expected, "{last:?}");
        }
    }
}
