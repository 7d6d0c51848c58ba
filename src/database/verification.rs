//! Checking everything that a recovery would rely on: backups, the state, the sides, and that all of these agree.
//!
//! Apart from `archive`, which makes and keeps backups, and from `agreement`, which compares rows. Changes nothing but
//! what is remembered of backups.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::backup::{Kind, Place, list, verify};
use crate::clock;
use crate::config::{Config, DatabaseConfig};
use crate::error::Result;
use crate::interrupt;
use crate::report::{CheckedBackup, SCHEMA, VerifyReport};

use super::agreement::{self, Remembered};
use super::open::{self, Found};
use super::store::Store;
use super::{Mode, Options, archive, choose, enter, record, state_failure};

/// Checks the newest backups of each side and remembers what was found; then the sides, their bases and the state, and that
/// they agree: what was merged is told alike by all of them. Changes nothing but those notes.
///
/// Errors: as `sync`. A file that is not sound is in the report.
pub fn verify(config: &Config, options: &Options) -> Result<VerifyReport> {
    let chosen = choose(config, options)?;
    let now = clock::now();
    let mut report = VerifyReport { schema: SCHEMA, ok: true, checked: Vec::new(), warnings: Vec::new() };
    // A base is in use while a run is at work.
    let (store, _lock) = enter(config, options.mode)?;
    for place in chosen.iter().flat_map(|(name, _)| Place::all(config, name)) {
        let all = list::at(&place)?;
        let newest = |kind| all.iter().find(|one| one.kind == kind && one.created_at <= now);
        for one in [newest(Kind::Regular), newest(Kind::Emergency)].into_iter().flatten() {
            let verdict = verify::file(&one.path);
            interrupt::check()?;
            let sound = verdict == verify::Verdict::Sound;
            if options.mode == Mode::Apply {
                archive::remember(&store, one, sound, now)?;
            }
            report.note(one.id(), &place.database, &place.side, &one.path, verdict);
        }
        if newest(Kind::Regular).is_none() {
            report.warnings.push(format!("{} on {} has no backup yet", place.database, place.side));
        }
    }
    agree(&mut report, config, &store, &chosen)?;
    Ok(report)
}

/// Checks that the state is sound, and that sides, bases and state agree.
fn agree(
    report: &mut VerifyReport,
    config: &Config,
    store: &Store,
    chosen: &[(&str, &DatabaseConfig)],
) -> Result<()> {
    let state = verify::connection_is_sound(&store.connection);
    let state = state.unwrap_or_else(|cause| verify::Verdict::Damaged(cause.to_string()));
    interrupt::check()?;
    report.note("state".into(), "", "", &store.path(), state);
    for (name, database) in chosen {
        let mut bases = Vec::new();
        for side in database.replicas.keys() {
            let Some(state) = store.replica(name, side).map_err(state_failure)? else { continue };
            let path = store.base_path(&state.base);
            let (verdict, base) = base(&path, config);
            interrupt::check()?;
            report.note(format!("{name}:{side}:base"), name, side, &path, verdict);
            bases.extend(base.map(|base| (side.as_str(), state.epoch, path, base)));
        }
        let remembered: Vec<Remembered<'_>> =
            bases.iter().map(|(side, epoch, _, base)| Remembered { side, epoch: *epoch, base }).collect();
        let disagree = agreement::disagreements(config, store, name, database, &remembered)?;
        for (side, _, path, _) in &bases {
            let verdict = match disagree.get(*side) {
                None => verify::Verdict::Sound,
                Some(tables) => verify::Verdict::Damaged(format!(
                    "it does not tell the same merged state as the others: {}; delete {} and the next run adopts \
                     the side anew, deleting nothing",
                    tables.join(", "),
                    path.display()
                )),
            };
            report.note(format!("{name}:{side}:agreement"), name, side, path, verdict);
        }
        for side in record::waiting(store, name)? {
            let text = format!("{name}: an interrupted run is to be finished for {side}; the next one does");
            report.warnings.push(text);
        }
        for (side, path) in &database.replicas {
            let known = remembered.iter().find(|known| known.side == side);
            if known.is_some_and(|known| remembered.iter().any(|other| other.epoch > known.epoch)) {
                report.warnings.push(format!("{name}: {side} has missed runs, and catches up in the next"));
            }
            look_at(report, config, (name, database), (side, path), known.map(|known| known.base))?;
        }
    }
    Ok(())
}

/// Checks the file of a side, and says what of it was not merged yet.
fn look_at(
    report: &mut VerifyReport,
    config: &Config,
    (name, database): (&str, &DatabaseConfig),
    (side, path): (&str, &Path),
    base: Option<&Connection>,
) -> Result<()> {
    let wait = Duration::from_millis(config.guards.busy_timeout_ms);
    let (verdict, live) = match open::replica(path, wait, config) {
        Found::Replica(replica) => {
            let checked = verify::connection_is_sound(&replica.connection);
            let verdict = checked.unwrap_or_else(|cause| verify::Verdict::Damaged(cause.to_string()));
            (verdict, Some(replica.connection))
        }
        Found::Quarantined(reason) => (verify::Verdict::Damaged(reason), None),
        Found::Missing | Found::Empty => {
            report.warnings.push(format!("{name}: {side} is not there; the next run makes it"));
            return Ok(());
        }
        Found::Skipped(reason) | Found::Refused(reason) => {
            report.warnings.push(format!("{name}: {side} was not looked at: {reason}"));
            return Ok(());
        }
    };
    interrupt::check()?;
    let sound = verdict == verify::Verdict::Sound;
    report.note(format!("{name}:{side}:live"), name, side, path, verdict);
    if let (true, Some(live), Some(base)) = (sound, &live, base) {
        let tables = agreement::unmerged(config, name, database, base, live)?.join(", ");
        if !tables.is_empty() {
            let text = format!("{name}: {side} holds what was not merged yet, or is held, in {tables}");
            report.warnings.push(text);
        }
    }
    Ok(())
}

/// Bases are written at times, so their journals count.
fn base(path: &Path, config: &Config) -> (verify::Verdict, Option<Connection>) {
    let wait = Duration::from_millis(config.guards.busy_timeout_ms);
    let checked = open::connect(path, wait)
        .and_then(|connection| Ok((verify::connection_is_sound(&connection)?, connection)));
    match checked {
        Ok((verify::Verdict::Sound, connection)) => (verify::Verdict::Sound, Some(connection)),
        Ok((verdict, _)) => (verdict, None),
        Err(cause) => (verify::Verdict::Damaged(cause.to_string()), None),
    }
}

impl VerifyReport {
    fn note(&mut self, id: String, database: &str, side: &str, path: &Path, verdict: verify::Verdict) {
        let problem = match verdict {
            verify::Verdict::Sound => None,
            verify::Verdict::Damaged(reason) => Some(reason),
        };
        self.ok &= problem.is_none();
        self.checked.push(CheckedBackup {
            id,
            database: database.to_owned(),
            side: side.to_owned(),
            path: path.display().to_string(),
            ok: problem.is_none(),
            problem,
        });
    }
}
