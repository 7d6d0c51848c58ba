//! Whether a plan fits the rows that are there, on sides of which pages alone told what changed.
//!
//! Apart from `write::verify`, which asks whether rows still are what they were when they were read: here it is asked whether
//! anything was missed before that. Each row that a plan touches anywhere is looked at on each of those sides, in its base
//! and in its file: both are alike, or the difference is what was told. So a change that pages missed is never written over,
//! and a row that came or went unnoticed decides nothing; what nobody else touches is found by the next comparison of all rows.
//!
//! It is asked in the very transactions that a plan was made in, so that under the lock an unchanged `data_version` says that
//! it still fits. Only reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::interrupt;

use super::changes::Reading;
use super::key::{Collation, Key};
use super::model::{Identity, Slot, Write};
use super::observe::{row_at, rows_by_content, rows_by_key};
use super::plan::{Plan, Side};
use super::record::{Intent, TableWrites};
use super::shape::TableShape;
use super::value::Row;
use super::{Fault, apply, sql_error};

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
        if let Some(table) = apply::unlike(plan, side, &side.schema, intent).map_err(fail)? {
            return Ok(Some((side.name.clone(), table)));
        }
    }
    Ok(None)
}

fn writes<'t>(tables: &'t [TableWrites], shape: &TableShape) -> &'t [Write] {
    let table = tables.iter().find(|table| table.table == shape.rules.name);
    table.map(|table| table.writes.as_slice()).unwrap_or_default()
}

/// Whether the rows of one table that a plan touches are on a side what it takes them for.
fn fits(plan: &Plan, shape: &TableShape, side: &Side, intent: &Intent) -> rusqlite::Result<bool> {
    let written = plan.intents.iter().flat_map(|intent| writes(&intent.writes, shape));
    let written: Vec<&(Slot, Row)> = written.flat_map(placed).collect();
    if written.is_empty() {
        return Ok(true);
    }
    let told = writes(&intent.observed, shape);
    same_slots(plan, shape, side, (told, writes(&intent.writes, shape)), &written)?
        .then(|| same_contents(shape, side, told, &written))
        .unwrap_or(Ok(false))
}

fn placed(write: &Write) -> impl Iterator<Item = &(Slot, Row)> {
    write.old.iter().chain(&write.new)
}

/// Whether nothing but what was told is different where rows with these keys are, or were.
fn same_slots(
    plan: &Plan,
    shape: &TableShape,
    side: &Side,
    (told, own): (&[Write], &[Write]),
    written: &[&(Slot, Row)],
) -> rusqlite::Result<bool> {
    let name = &shape.rules.name;
    let (base, live) = (side.recorded_from(name), side.source(name));
    let mut slots: BTreeSet<Slot> = own.iter().flat_map(placed).map(|(slot, _)| slot.clone()).collect();
    let identity: Option<Vec<(usize, Collation)>> = match &shape.rules.identity {
        Identity::Key(columns) => Some(columns.clone()),
        Identity::Id(column) => Some(vec![(*column, Collation::Binary)]),
        Identity::Content => None,
    };
    if let Some(identity) = identity {
        let observed = plan.intents.iter().flat_map(|intent| writes(&intent.observed, shape));
        let rows = observed.flat_map(placed).chain(written.iter().copied());
        let keys: BTreeSet<Key> = rows.filter_map(|(_, row)| shape.rules.key(row)).collect();
        for state in [base, live] {
            slots.extend(rows_by_key(shape, state, &identity, &keys)?.into_iter().map(|(slot, _)| slot));
        }
    }
    let told: HashMap<&Slot, &Write> =
        told.iter().filter_map(|write| Some((&placed(write).next()?.0, write))).collect();
    for slot in &slots {
        interrupt::check_sql()?;
        let (before, after) = (row_at(shape, base, slot)?, row_at(shape, live, slot)?);
        let row = |placed: &Option<(Slot, Row)>| placed.as_ref().map(|(_, row)| row.clone());
        let is_told = match told.get(slot) {
            Some(write) => (row(&write.old), row(&write.new)) == (before, after),
            None => before == after,
        };
        if !is_told {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether of each written row without identity there are as many as there were, and as were told to have come.
fn same_contents(
    shape: &TableShape,
    side: &Side,
    told: &[Write],
    written: &[&(Slot, Row)],
) -> rusqlite::Result<bool> {
    let content = |row: &Row| shape.rules.key(row).is_none().then(|| shape.rules.content(row));
    let wanted: BTreeSet<Row> = written.iter().filter_map(|(_, row)| content(row)).collect();
    if wanted.is_empty() {
        return Ok(true);
    }
    let mut more: BTreeMap<Row, i64> = BTreeMap::new();
    for write in told {
        for (placed, one) in [(&write.old, -1), (&write.new, 1)] {
            if let Some(row) = placed.as_ref().and_then(|(_, row)| content(row)) {
                *more.entry(row).or_default() += one;
            }
        }
    }
    let name = &shape.rules.name;
    let [before, after] = [side.recorded_from(name), side.source(name)]
        .map(|state| rows_by_content(shape, state, |row| wanted.contains(row)));
    let (before, after) = (before?, after?);
    let count = |of: &BTreeMap<Row, Vec<(Slot, Row)>>, row: &Row| {
        i64::try_from(of.get(row).map_or(0, Vec::len)).unwrap_or(i64::MAX)
    };
    Ok(wanted
        .iter()
        .all(|row| count(&before, row) + more.get(row).copied().unwrap_or(0) == count(&after, row)))
}
