//! Carries out one request, through the operations that everyone else calls, and says what came of it.
//!
//! Apart from the queue, which knows nothing of actions but whether they may be repeated. It must never decide what an
//! operation decides, and never put a value of a row into a result.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::report::{CheckedBackup, SCHEMA, State, SyncReport, VerifyReport, counted};

use super::super::undo::Telling;
use super::super::{
    Force, Mode, Options, acknowledge, archive, existing_state, find_conflict, force, resolve, restore,
    sync_from, undo_telling, verify,
};
use super::request::Action;

/// The longest report that is kept whole (bytes): a run over fifty databases of five sides is shorter.
const MAX_REPORT_BYTES: usize = 64 << 10;

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was done; its report.
    Done(Json),
    /// It was not, or not as a whole; the report where there is one.
    Failed(Error, Option<Json>),
    /// Another run is at work, so nothing was done.
    NotNow,
    /// Whoever called wanted to stop; it is done again.
    Stopped,
}

/// Whether a request is carried out for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// Yes.
    First,
    /// It was begun before, by a run that did not live to say how it ended.
    Again,
}

/// Whether doing it again does no more than doing it once. Others could undo, or force, what happened since.
pub(crate) fn is_repeatable(action: &Action) -> bool {
    match action {
        Action::Resolve { .. }
        | Action::Acknowledge { .. }
        | Action::Backup { .. }
        | Action::CleanBackups { .. }
        | Action::Verify { .. } => true,
        Action::Restore { .. } | Action::Force { .. } | Action::SyncFrom { .. } | Action::Undo { .. } => {
            false
        }
    }
}

/// Does it.
pub(crate) fn carry_out(config: &Config, action: &Action, time: Time) -> Outcome {
    let ended = act(config, action);
    match ended {
        Ok(outcome) => outcome,
        Err(error) if error.kind() == ErrorKind::Locked => Outcome::NotNow,
        Err(error) if error.kind() == ErrorKind::Cancelled => match is_repeatable(action) {
            true => Outcome::Stopped,
            // It may have been done, or a part of it.
            false => Outcome::Failed(error.hint("ask again, if what it was to do is not done"), None),
        },
        Err(error) => match action {
            Action::Resolve { conflict, .. } if time == Time::Again && is_resolved(config, conflict) => {
                Outcome::Done(
                    json!({ "schema": SCHEMA, "note": "it had been resolved before it was interrupted" }),
                )
            }
            Action::Resolve { .. } if time == Time::Again && error.kind() == ErrorKind::Stale => {
                let message = format!("it was interrupted, and may have been carried out: {error}");
                let error = Error::new(ErrorKind::Stale, message);
                Outcome::Failed(
                    error.hint("look at `conflicts` and at the row; ask again if it is not done"),
                    None,
                )
            }
            _ => Outcome::Failed(error, None),
        },
    }
}

fn act(config: &Config, action: &Action) -> Result<Outcome> {
    let of = |database: &Option<String>, force| Options {
        databases: database.iter().cloned().collect(),
        force,
        ..Options::default()
    };
    Ok(match action {
        Action::Resolve { conflict, take, force } => {
            let report = resolve(config, conflict, take.clone(), &of(&None, *force))?;
            // A side that must not be touched does not keep the others from it.
            judged(&report, &[State::Synced, State::Unchanged, State::Quarantined])
        }
        Action::Acknowledge { conflicts } => {
            Outcome::Done(short(&acknowledge(config, conflicts, Mode::Apply)?))
        }
        Action::Restore { backup, target, force } => {
            listed(config, backup)?;
            judged(&restore(config, backup, target, &of(&None, *force))?, &[State::Restored])
        }
        Action::Force { database } => judged(&force(config, database)?, &[State::Synced, State::Unchanged]),
        Action::SyncFrom { side, database, force } => {
            let report = sync_from(config, side, &of(database, *force))?;
            judged(&report, &[State::Synced, State::Unchanged])
        }
        Action::Backup { database } => {
            let report = archive::backup(config, &of(database, Force::No))?;
            warned(report.ok, &report.warnings, short(&report))
        }
        Action::CleanBackups { database } => {
            let report = archive::clean_backups(config, &of(database, Force::No))?;
            warned(report.ok, &report.warnings, short(&report))
        }
        Action::Verify { database } => sound(&verify(config, &of(database, Force::No))?),
        Action::Undo { run, database } => {
            let report = undo_telling(config, run, &of(database, Force::No), Telling::Counts)?;
            // A side that must not be touched does not keep the others from it.
            judged(&report, &[State::Synced, State::Unchanged, State::Quarantined])
        }
    })
}

/// Refuses what is not the id of a backup: the operation also takes the path of a file.
fn listed(config: &Config, backup: &str) -> Result<()> {
    let listed = archive::backups(config, &Options::default())?;
    if listed.backups.iter().any(|one| one.id == backup) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, format!("there is no backup {backup}"))
        .hint("`backups` lists them with their ids"))
}

fn is_resolved(config: &Config, conflict: &str) -> bool {
    let store = existing_state(config).ok().flatten();
    let found = store.and_then(|store| find_conflict(&store, conflict).ok().flatten());
    found.is_some_and(|conflict| &*conflict.status == "resolved")
}

/// A run did what was asked when every database that it was about ended well.
fn judged(report: &SyncReport, well: &[State]) -> Outcome {
    let bad = report.databases.iter().find(|(_, database)| !well.contains(&database.state));
    let Some((name, database)) = bad else { return Outcome::Done(short(report)) };
    let (kind, state) = match database.state {
        State::Skipped => (ErrorKind::Busy, "skipped"),
        State::Held => (ErrorKind::Stale, "held"),
        State::Quarantined => (ErrorKind::Corrupt, "quarantined"),
        _ => (ErrorKind::Io, "not done"),
    };
    let because = database.reason.as_deref().unwrap_or("it does not say why");
    let error = Error::new(kind, format!("{name} was {state}: {because}"));
    Outcome::Failed(error, Some(short(report)))
}

/// What is not sound must not look as if all were well.
fn sound(report: &VerifyReport) -> Outcome {
    let bad: Vec<&CheckedBackup> = report.checked.iter().filter(|one| !one.ok).collect();
    let Some(first) = bad.first().filter(|_| !report.ok) else { return Outcome::Done(short(report)) };
    let count = counted(bad.len(), "thing is", "things are");
    let problem = first.problem.as_deref().unwrap_or("it does not say why");
    let error = Error::new(ErrorKind::Corrupt, format!("{count} not sound; {}: {problem}", first.id));
    Outcome::Failed(error.hint("`verify` lists all of it"), Some(short(report)))
}

fn warned(ok: bool, warnings: &[String], report: Json) -> Outcome {
    if ok {
        return Outcome::Done(report);
    }
    let message = warnings.first().map_or("not everything went well", String::as_str);
    Outcome::Failed(Error::new(ErrorKind::Io, message), Some(report))
}

/// A report, or where it is long, what stands at its head.
fn short(report: &impl Serialize) -> Json {
    let json = serde_json::to_value(report).unwrap_or_default();
    if json.to_string().len() <= MAX_REPORT_BYTES {
        return json;
    }
    let mut head: Map<String, Json> = match json {
        Json::Object(map) => map.into_iter().filter(|(_, v)| !v.is_array() && !v.is_object()).collect(),
        _ => Map::new(),
    };
    head.insert("shortened".to_owned(), json!(true));
    Json::Object(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::AcknowledgeReport;

    #[test]
    fn long_reports_are_cut() {
        let mut report =
            AcknowledgeReport { schema: 1, acknowledged: vec!["1".to_owned()], resolved: Vec::new() };
        assert_eq!(short(&report), json!({"schema": 1, "acknowledged": ["1"], "resolved": []}));
        report.acknowledged = vec!["1".to_owned(); MAX_REPORT_BYTES];
        assert_eq!(short(&report), json!({"schema": 1, "shortened": true}));
    }
}
