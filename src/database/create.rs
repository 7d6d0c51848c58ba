//! Making files: bases, missing replicas, the hub after a loss, emergency copies.
//!
//! The copying itself is `backup`'s. Apart from `run`, which decides when. Never replaces a file that is there.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::backup::copy;
use crate::config::DatabaseConfig;
use crate::durable::{self, Nascent};
use crate::report::{DatabaseReport, State};

use super::archive;
use super::open::{self, Found};
use super::plan::Base;
use super::run::Job;
use super::schema;
use super::store::ReplicaState;
use super::{Fault, Mode, sql_error, state_error};

/// Why a replica is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// There is no file.
    Missing,
    /// There is a file without content.
    Empty,
}

/// Makes a base of a side as it is in the caller's read transaction. In a dry run it stays in memory.
pub(crate) fn base(job: &Job<'_>, database: &str, side: &str, live: &Connection) -> Result<Base, Fault> {
    let fail = |cause| sql_error(cause, side);
    let file = format!("{database}.{side}.{}.db", job.run);
    let mut connection = match job.mode {
        Mode::DryRun => Connection::open_in_memory().map_err(fail)?,
        Mode::Apply => {
            let path = job.store.base_path(&file);
            if let Some(directory) = path.parent() {
                durable::private_directory(directory)?;
            }
            // A leftover of a killed run of the same number.
            let _ = std::fs::remove_file(&path);
            durable::private_file(&path)?;
            Connection::open(&path).map_err(state_error)?
        }
    };
    copy::whole(live, &mut connection).map_err(fail)?;
    open::harden(&connection).map_err(state_error)?;
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(state_error)?;
    let schema = schema::read(&connection, "main").map_err(state_error)?;
    Ok(Base { file, connection, schema })
}

/// Creates a spoke that is not there from the hub, which holds the merged state.
pub(crate) fn spoke(
    job: &Job<'_>,
    database: &str,
    config: &DatabaseConfig,
    side: &str,
    absence: Absence,
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    let hub_name = &job.config.hub;
    let (Some(hub), Some(path)) = (config.replicas.get(hub_name), config.replicas.get(side)) else {
        return Ok(());
    };
    let wait = Duration::from_millis(job.config.guards.busy_timeout_ms);
    let hub = open::connect(hub, wait).map_err(|e| sql_error(e, hub_name))?;
    let Some(merged) = job.store.replica(database, hub_name).map_err(state_error)? else { return Ok(()) };
    fill(job, &hub, path, absence, side, report)?;
    let live = open::connect(path, wait).map_err(|e| sql_error(e, side))?;
    let base = base(job, database, side, &live)?;
    let state = ReplicaState { base: base.file, epoch: merged.epoch, fingerprint: None };
    job.store.set_replica(database, side, &state).map_err(state_error)?;
    job.store.clear_overlay(database, side).map_err(state_error)?;
    report.warnings.push(format!("{side} was not there; it was created ({})", path.display()));
    Ok(())
}

/// Brings back a hub that is not there: from its base, else from the most preferred side that is.
pub(crate) fn hub(
    job: &Job<'_>,
    database: &str,
    config: &DatabaseConfig,
    ranked: &[String],
    found: &Found,
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    let name = &job.config.hub;
    let Some(path) = config.replicas.get(name) else { return Ok(()) };
    let wait = Duration::from_millis(job.config.guards.busy_timeout_ms);
    let remembered = job.store.replica(database, name).map_err(state_error)?;
    let base = remembered.and_then(|state| open::connect(&job.store.base_path(&state.base), wait).ok());
    let (source, from) = match base {
        Some(base) => (base, "what was merged last".to_owned()),
        None => {
            let others = ranked.iter().filter(|side| *side != name);
            let found = others.filter_map(|side| match open::replica(config.replicas.get(side)?, wait) {
                Found::Replica(replica) => Some((replica.connection, side.clone())),
                _ => None,
            });
            let Some(found) = found.into_iter().next() else {
                let reason = "no side has a database yet".to_owned();
                return Err(Fault::Side { name: name.clone(), state: State::Skipped, reason });
            };
            found
        }
    };
    let absence = if matches!(found, Found::Empty) { Absence::Empty } else { Absence::Missing };
    fill(job, &source, path, absence, name, report)?;
    report.warnings.push(format!("{name} was not there; it was created from {from} ({})", path.display()));
    Ok(())
}

/// Puts a copy where no database is.
pub(super) fn fill(
    job: &Job<'_>,
    from: &Connection,
    path: &Path,
    absence: Absence,
    side: &str,
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    for suffix in ["-journal", "-wal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        if std::fs::symlink_metadata(&name).is_ok() {
            let path = Path::new(&name).display();
            return Err(Fault::Failed(format!(
                "{path} is left over from a database that is gone and would be mixed into a new one; move it away"
            )));
        }
    }
    let fail = |cause| sql_error(cause, side);
    if absence == Absence::Empty {
        let wait = Duration::from_millis(job.config.guards.busy_timeout_ms);
        let mut target = open::connect(path, wait).map_err(fail)?;
        copy::whole(from, &mut target).map_err(fail)?;
        return target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(fail);
    }
    let (nascent, warnings) = Nascent::beside(path, &job.run.to_string(), &job.config.ownership)?;
    report.warnings.extend(warnings);
    drop(copy::fill(from, nascent.path()).map_err(fail)?);
    nascent.publish()?;
    Ok(())
}

/// A verified copy of a replica before something drastic happens to it: `{file}.emergency.{time}`.
pub(crate) fn emergency(job: &Job<'_>, live: &Connection, path: &Path, side: &str) -> Result<String, Fault> {
    let of_path = |own: &Path| own == path || std::fs::canonicalize(own).is_ok_and(|own| own == path);
    let databases = &job.config.databases;
    let found =
        databases.iter().find(|(_, config)| config.replicas.get(side).is_some_and(|own| of_path(own)));
    let Some((database, _)) = found else {
        return Err(Fault::Failed(format!("{} is no replica of {side}", path.display())));
    };
    let copy = archive::emergency(job, database, side, live)?;
    Ok(copy.path.display().to_string())
}
