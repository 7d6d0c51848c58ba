//! Whether a plan fits the rows that are there, on sides of which pages alone told what changed.
//!
//! Apart from `write::verify`, which asks whether rows still are what they were when they were read: here it is asked whether
//! anything was missed before that. Each row that a plan touches anywhere is looked at on each of those sides, in its base
//! and in its file: both are alike, or the difference is what was told. So a change that pages missed is never written over,
//! and a row that came or went unnoticed decides nothing; what nobody else touches is found by the next comparison of all
//! rows. Where a plan touches many rows, or rows that no key finds, all of the table are compared at once.
//!
//! It is asked in the very transactions that a plan was made in, so that under the lock an unchanged `data_version` says that
//! it still fits. Only reads.

use std::collections::{BTreeMap, BTreeSet};

use crate::interrupt;

use super::changes::Reading;
use super::key::{Collation, Key, key_of};
use super::model::{Identity, Slot, Write};
use super::observe::{self, Place, Source, place, row_at, rows_by_key};
use super::plan::{Plan, Side};
use super::record::{Intent, TableWrites};
use super::shape::TableShape;
use super::value::Row;
use super::{Fault, references, sql_error};

/// So many rows are looked for one by one whatever the size of their table,
const ROWS_AT_LEAST: u64 = 1_000;
/// and one of so many beyond: where a plan touches more, comparing all of them takes no longer.
const ONE_OF: u64 = 50;

/// Where a plan does not fit: side and table.
pub(crate) fn misfit(
    plan: &Plan,
    sides: &[Side],
    reading: &Reading,
) -> Result<Option<(String, String)>, Fault> {
    if !plan.intents.iter().any(Intent::writes_anything) {
        return Ok(None);
    }
    for (side, intent) in sides.iter().zip(&plan.intents) {
        if !side.known || !reading.is_of_pages(&side.name) {
            continue;
        }
        let fail = |cause| sql_error(cause, &side.name);
        for shape in &plan.shape.tables {
            if !fits(plan, shape, side, intent).map_err(fail)? {
                return Ok(Some((side.name.clone(), shape.rules.name.clone())));
            }
        }
        if !references::hold(plan, side, intent).map_err(fail)? {
            return Ok(Some((side.name.clone(), "its references".to_owned())));
        }
    }
    Ok(None)
}

fn writes<'t>(tables: &'t [TableWrites], shape: &TableShape) -> &'t [Write] {
    let table = tables.iter().find(|table| table.table == shape.rules.name);
    table.map(|table| table.writes.as_slice()).unwrap_or_default()
}

fn placed(write: &Write) -> impl Iterator<Item = &(Slot, Row)> {
    write.old.iter().chain(&write.new)
}

fn rows(write: &Write) -> (Option<&Row>, Option<&Row>) {
    (write.old.as_ref().map(|(_, row)| row), write.new.as_ref().map(|(_, row)| row))
}

/// Whether the rows of one table that a plan touches are on a side what it takes them for.
fn fits(plan: &Plan, shape: &TableShape, side: &Side, intent: &Intent) -> rusqlite::Result<bool> {
    let all = |tables: fn(&Intent) -> &[TableWrites]| {
        plan.intents.iter().flat_map(move |intent| writes(tables(intent), shape)).flat_map(placed)
    };
    let written = || all(|intent| &intent.writes);
    if written().next().is_none() {
        return Ok(true);
    }
    let (told, own) = (writes(&intent.observed, shape), writes(&intent.writes, shape));
    let name = &shape.rules.name;
    let (base, live) = (side.recorded_from(name), side.source(name));
    let identity: Vec<(usize, Collation)> = match &shape.rules.identity {
        Identity::Key(columns) => columns.clone(),
        Identity::Id(column) => vec![(*column, Collation::Binary)],
        Identity::Content => Vec::new(),
    };
    let mut keys: BTreeSet<Key> = BTreeSet::new();
    let mut without = identity.is_empty();
    for (_, row) in written() {
        match shape.rules.key(row) {
            Some(key) => _ = keys.insert(key),
            None => without = true,
        }
    }
    keys.extend(all(|intent| &intent.observed).filter_map(|(_, row)| shape.rules.key(row)));
    let touched = u64::try_from(keys.len().max(own.len())).unwrap_or(u64::MAX);
    let many = ROWS_AT_LEAST.max(observe::about_rows(live)?.unwrap_or(0) / ONE_OF);
    if without || touched > many {
        return all_as_told(shape, (base, live), told);
    }
    let mut slots: BTreeSet<Slot> = own.iter().flat_map(placed).map(|(slot, _)| slot.clone()).collect();
    let mut look_up = |columns: &[(usize, Collation)], keys: &BTreeSet<Key>| -> rusqlite::Result<()> {
        for state in [base, live] {
            slots.extend(rows_by_key(shape, state, columns, keys)?.into_iter().map(|(slot, _)| slot));
        }
        Ok(())
    };
    look_up(&identity, &keys)?;
    // Whoever has a value that is to be UNIQUE there: whether the side takes the row is for itself to say.
    for columns in shape.rules.uniques.iter().filter(|columns| **columns != identity) {
        let news = own.iter().filter_map(|write| write.new.as_ref());
        let keys: BTreeSet<Key> = news.filter_map(|(_, row)| key_of(row, columns)).collect();
        if !keys.is_empty() {
            look_up(columns, &keys)?;
        }
    }
    as_told(shape, (base, live), told, &slots)
}

/// Whether nothing is different at all but what was told.
fn all_as_told(
    shape: &TableShape,
    (base, live): (Source<'_>, Source<'_>),
    told: &[Write],
) -> rusqlite::Result<bool> {
    let mut told = told.iter();
    let mut is_told = true;
    let look = || interrupt::check_often().map_err(|_| interrupt::interrupted());
    observe::each_change(shape, base, live, look, |change| {
        is_told &= told.next().map(rows) == Some((change.before.as_ref(), change.after.as_ref()));
    })?;
    Ok(is_told && told.next().is_none())
}

/// Whether nothing is different at these slots but what was told.
fn as_told(
    shape: &TableShape,
    (base, live): (Source<'_>, Source<'_>),
    told: &[Write],
    slots: &BTreeSet<Slot>,
) -> rusqlite::Result<bool> {
    let told: BTreeMap<Place, &Write> =
        told.iter().filter_map(|write| Some((place(shape, &placed(write).next()?.0), write))).collect();
    for slot in slots {
        interrupt::check_sql()?;
        let (before, after) = (row_at(shape, base, slot)?, row_at(shape, live, slot)?);
        let is_told = match told.get(&place(shape, slot)) {
            Some(write) => rows(write) == (before.as_ref(), after.as_ref()),
            None => before == after,
        };
        if !is_told {
            return Ok(false);
        }
    }
    Ok(true)
}
