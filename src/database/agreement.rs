//! Whether what we remember agrees: all bases of one merge tell the same merged state, and the files what was merged.
//!
//! Apart from `plan`, which only ever compares a side with its own base and would not notice that two bases have come to
//! differ. Invariant that is checked: for sides of one epoch, base and overlay give the same rows of the merged state,
//! table by table. Rows are not compared one by one but by a sum over their digests, which no order and no row id plays
//! a part in, so that it needs no memory. Only reads; `verify` asks.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection;

use crate::config::{Config, DatabaseConfig};
use crate::error::Result;
use crate::report::counted;

use super::model::Identity;
use super::observe::{self, Source};
use super::schema::{self, Schema};
use super::shape::{self, SideSchema, TableShape};
use super::state_failure;
use super::store::{Overlay, OverlayEntry, Store};
use super::value::{Row, Value};

/// A side whose base could be opened.
pub(crate) struct Remembered<'a> {
    /// Side name.
    pub(crate) side: &'a str,
    /// The merge it took part in last.
    pub(crate) epoch: i64,
    /// Its base.
    pub(crate) base: &'a Connection,
}

/// How often each digest is there.
type Tally = HashMap<observe::Digest, i64>;

/// The tables in which the bases of sides of one epoch disagree, by side, in words.
pub(crate) fn disagreements(
    config: &Config,
    store: &Store,
    name: &str,
    database: &DatabaseConfig,
    sides: &[Remembered<'_>],
) -> Result<BTreeMap<String, Vec<String>>> {
    let mut found = BTreeMap::new();
    let latest = sides.iter().map(|side| side.epoch).max().unwrap_or(0);
    let mut read = Vec::new();
    for side in sides.iter().filter(|side| side.epoch == latest) {
        let schema = schema::read(side.base, "main").map_err(state_failure)?;
        let mut merged = store.merged_tables(name, side.side).map_err(state_failure)?;
        for table in store.tables_behind(name, side.side).map_err(state_failure)? {
            merged.remove(&table);
        }
        let overlay = store.overlay(name, side.side).map_err(state_failure)?;
        read.push(Base { side: side.side, connection: side.base, schema, merged, overlay });
    }
    let Some((first, others)) = read.split_first() else { return Ok(found) };
    let schemas: Vec<SideSchema<'_>> =
        read.iter().map(|base| SideSchema { side: base.side, now: &base.schema, base: None }).collect();
    let shape = shape::build(config, name, database, &schemas, 0, &[])?;
    for other in others {
        let mut tables = Vec::new();
        for table in &shape.tables {
            let name = table.rules.name.to_ascii_lowercase();
            let both = [first, other];
            let complete = |base: &&Base<'_>| {
                let columns = base.schema.table(&name).map(|have| have.columns.len());
                base.merged.contains(&name) && columns == Some(table.rules.columns.len())
            };
            // What one of them has not merged yet, is behind in, or lacks columns of, is no part of what they share.
            if !both.iter().all(complete) {
                continue;
            }
            if first.sum(table).map_err(state_failure)? == other.sum(table).map_err(state_failure)? {
                continue;
            }
            let mut tally = first.tally(table).map_err(state_failure)?;
            for (digest, count) in other.tally(table).map_err(state_failure)? {
                *tally.entry(digest).or_default() -= count;
            }
            let rows: i64 = tally.values().map(|count| count.abs()).sum();
            let rows = counted(usize::try_from(rows).unwrap_or(usize::MAX), "row differs", "rows differ");
            tables.push(format!("{} ({rows} from {})", table.rules.name, first.side));
        }
        if !tables.is_empty() {
            found.insert(other.side.to_owned(), tables);
        }
    }
    Ok(found)
}

/// One base with what belongs to it.
struct Base<'a> {
    side: &'a str,
    connection: &'a Connection,
    schema: Schema,
    merged: std::collections::BTreeSet<String>,
    overlay: Vec<Overlay>,
}

impl Base<'_> {
    /// The sum over the digests of all rows of the merged state, and their number.
    fn sum(&self, shape: &TableShape) -> rusqlite::Result<(u128, i64)> {
        let (mut sum, mut number) = (0_u128, 0_i64);
        self.each(shape, |digest, count| {
            let times = u128::from(count.unsigned_abs());
            let part = u128::from_le_bytes(digest).wrapping_mul(times);
            sum = if count < 0 { sum.wrapping_sub(part) } else { sum.wrapping_add(part) };
            number = number.wrapping_add(count);
        })?;
        Ok((sum, number))
    }

    fn tally(&self, shape: &TableShape) -> rusqlite::Result<Tally> {
        let mut tally = Tally::new();
        self.each(shape, |digest, count| *tally.entry(digest).or_default() += count)?;
        Ok(tally)
    }

    /// Every row of the merged state as this base and its overlay tell it, some of them added and taken away again.
    fn each(&self, shape: &TableShape, mut each: impl FnMut(observe::Digest, i64)) -> rusqlite::Result<()> {
        let rules = &shape.rules;
        let digest = |row: &Row| match rules.key(row) {
            Some(_) => observe::digest(row),
            // A row without identity is whatever row id it has.
            None => observe::digest(&rules.content(row)),
        };
        let source =
            Source { connection: self.connection, table: self.schema.table(&rules.name), cells: None };
        observe::each_row(shape, source, |row| each(digest(&row), 1))?;
        for overlay in self.overlay.iter().filter(|overlay| overlay.table.eq_ignore_ascii_case(&rules.name)) {
            let fit = |row: &Row| -> Row {
                let at =
                    |name: &String| overlay.columns.iter().position(|own| own.eq_ignore_ascii_case(name));
                let cells = rules.columns.iter().zip(&shape.defaults);
                let cell = |(name, default): (&String, &Value)| {
                    at(name).and_then(|at| row.get(at)).unwrap_or(default).clone()
                };
                cells.map(cell).collect()
            };
            match &overlay.entry {
                OverlayEntry::Row { mirror, merged, .. } => {
                    if let Some((_, mirror)) = mirror {
                        each(digest(&fit(mirror)), -1);
                    }
                    if let Some(merged) = merged {
                        each(digest(&fit(merged)), 1);
                    }
                }
                OverlayEntry::Content { row, count } => each(digest(&fit(row)), -count),
            }
        }
        Ok(())
    }
}

/// The tables of a side that are not what its base holds: what the next run is going to look at.
pub(crate) fn unmerged(
    config: &Config,
    name: &str,
    database: &DatabaseConfig,
    base: &Connection,
    live: &Connection,
) -> Result<Vec<String>> {
    let schemas = [
        schema::read(base, "main").map_err(state_failure)?,
        schema::read(live, "main").map_err(state_failure)?,
    ];
    let [of_base, of_live] = &schemas;
    let sides = [SideSchema { side: "", now: of_live, base: None }];
    let shape = shape::build(config, name, database, &sides, 0, &[])?;
    let mut found = Vec::new();
    for table in &shape.tables {
        let sum = |connection, schema: &Schema| {
            let mut sum = (0_u128, 0_u64);
            let source = Source { connection, table: schema.table(&table.rules.name), cells: None };
            observe::each_row(table, source, |row| {
                let row = match &table.rules.identity {
                    Identity::Content => table.rules.content(&row),
                    _ => row,
                };
                let part = u128::from_le_bytes(observe::digest(&row));
                sum = (sum.0.wrapping_add(part), sum.1.wrapping_add(1));
            })?;
            Ok(sum)
        };
        let both = sum(base, of_base).and_then(|base| Ok((base, sum(live, of_live)?)));
        let (of_base, of_live): ((u128, u64), (u128, u64)) = both.map_err(state_failure)?;
        if of_base != of_live {
            found.push(table.rules.name.clone());
        }
    }
    Ok(found)
}
