//! What a restore would change in a live file: the rows that come, change and go, by table.
//!
//! Apart from `restoration`, which does it. Rows are compared by where they lie, since a restore replaces what is there
//! and matches nothing: no policy plays a part. It writes to neither file, and holds a read transaction on the live one.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::config::{Config, DatabaseConfig, SchemaPolicy, TablePolicy};
use crate::error::Result;
use crate::report::{SideReport, rows};

use super::model::Change;
use super::observe::{self, Source};
use super::open;
use super::schema::{self, Schema};
use super::shape::{self, Shape, SideSchema, TableShape};
use super::{Fault, sql_error};

/// What it means that a backup cannot be read.
pub(crate) fn of_backup(cause: rusqlite::Error) -> Fault {
    Fault::Failed(format!("the backup cannot be compared: {cause}"))
}

/// What would change in one side.
#[derive(Debug, Default)]
pub(crate) struct Forecast {
    /// All tables together.
    pub(crate) all: SideReport,
    /// In words, for each table that would change or that cannot be compared.
    pub(crate) tables: Vec<String>,
}

/// Compares a backup with the live file of one side, outside any transaction.
pub(crate) fn of(
    config: &Config,
    side: &str,
    backup: &Connection,
    live: &Connection,
) -> Result<Forecast, Fault> {
    live.execute_batch("BEGIN").map_err(|cause| sql_error(cause, side))?;
    let forecast = compare(config, side, backup, live);
    // Ends the read transaction; where it ended by itself this fails.
    let _ = live.execute_batch("ROLLBACK");
    forecast
}

fn compare(config: &Config, side: &str, backup: &Connection, live: &Connection) -> Result<Forecast, Fault> {
    let now = open::first_read(live).map_err(|cause| sql_error(cause, side))?;
    let then = schema::read(backup, "main").map_err(of_backup)?;
    let shape = plain_shape(config, [(side, &now), ("the backup", &then)])?;
    let mut forecast = Forecast::default();
    for table in &shape.tables {
        let name = &table.rules.name;
        let before = Source { connection: live, table: now.table(name), cells: None };
        let after = Source { connection: backup, table: then.table(name), cells: None };
        match count(table, before, after) {
            Ok(counts) if counts == SideReport::default() => {}
            Ok(counts) => {
                let SideReport { inserted, updated, deleted, .. } = counts;
                forecast.all.inserted += inserted;
                forecast.all.updated += updated;
                forecast.all.deleted += deleted;
                let inserted = rows(inserted);
                let counts = format!("{inserted} inserted, {updated} updated, {deleted} deleted");
                forecast.tables.push(format!("{side}, {name}: {counts}"));
            }
            Err(cause) => forecast.tables.push(format!("{side}, {name}: cannot be compared: {cause}")),
        }
    }
    let paused = shape.paused.iter();
    forecast
        .tables
        .extend(paused.map(|(name, reason)| format!("{side}, {name}: cannot be compared: {reason}")));
    Ok(forecast)
}

/// The shape of two states of one database when no policy plays a part.
pub(crate) fn plain_shape(config: &Config, states: [(&str, &Schema); 2]) -> Result<Shape> {
    let plain = DatabaseConfig {
        replicas: BTreeMap::new(),
        prefer: Vec::new(),
        schema: SchemaPolicy::Additive,
        tables: vec![("*".to_owned(), TablePolicy::default())],
    };
    let sides = states.map(|(side, now)| SideSchema { side, now, base: None });
    shape::build(config, "", &plain, &sides, 0, &[])
}

fn count(table: &TableShape, before: Source<'_>, after: Source<'_>) -> rusqlite::Result<SideReport> {
    let mut counts = SideReport::default();
    let each = |change: Change| match (change.before, change.after) {
        (None, _) => counts.inserted += 1,
        (Some(_), Some(_)) => counts.updated += 1,
        (Some(_), None) => counts.deleted += 1,
    };
    observe::each_change(table, before, after, || Ok(()), each)?;
    Ok(counts)
}
