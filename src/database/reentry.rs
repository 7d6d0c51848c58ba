//! A row that is nowhere and comes in again, because a person said so.
//!
//! Apart from `undo` and `resolution`, which say which rows do.

use std::collections::BTreeSet;

use super::decide::constraints::TableState;
use super::decide::decision::Decision;
use super::key::{Collation, Key, KeyPart, key_of};
use super::model::{Ancestor, Cluster, Edit, Reference};
use super::plan::Side;
use super::shape::{Shape, TableShape};
use super::value::{Row, Value};
use super::{Fault, observe, plan, sql_error};

/// Adds a row that no side has.
pub(crate) fn add(table: &mut TableState, decision: Decision, id: Option<i64>, sides: usize) {
    let nobody = Edit { before: Ancestor::Known(None), after: None };
    table.clusters.push(Cluster { merged: None, seats: vec![nobody; sides], id });
    table.decisions.push(decision);
}

/// The id that a row had, or, where another has it now, one that is free everywhere.
pub(crate) fn free_id(
    of_shape: &TableShape,
    table: &TableState,
    sides: &[Side],
    row: &Row,
    column: usize,
) -> Result<i64, Fault> {
    let mut last = table.clusters.iter().filter_map(|cluster| cluster.id).fold(table.last, i64::max);
    let wanted = row.get(column).and_then(Value::as_integer);
    let mut taken = wanted.is_none() || table.clusters.iter().any(|cluster| cluster.id == wanted);
    for side in sides {
        let source = side.source(&of_shape.rules.name);
        let fail = |e| sql_error(e, &side.name);
        last = last.max(observe::last_rowid(of_shape, source).map_err(fail)?);
        let keys: BTreeSet<Key> = wanted.map(|id| Key::from([KeyPart::Integer(id)])).into_iter().collect();
        let by = [(column, Collation::Binary)];
        taken |= !observe::rows_by_key(of_shape, source, &by, &keys).map_err(fail)?.is_empty();
    }
    match wanted {
        Some(id) if !taken => Ok(id),
        _ => last.checked_add(1).ok_or_else(|| plan::exhausted(&of_shape.rules.name)),
    }
}

/// Whether what a row points at is on all sides, or comes in as well.
pub(crate) fn has_parents(
    shape: &Shape,
    index: usize,
    sides: &[Side],
    row: &Row,
    comes: impl Fn(&Reference, &Key) -> bool,
) -> Result<bool, Fault> {
    let references = shape.tables.get(index).map(|table| table.rules.references.as_slice());
    for reference in references.unwrap_or_default() {
        let Some(parent) = shape.tables.get(reference.parent) else { continue };
        let Some(key) = key_of(row, &reference.pointers()) else { continue };
        if comes(reference, &key) {
            continue;
        }
        let keys = BTreeSet::from([key]);
        for side in sides {
            let source = side.source(&parent.rules.name);
            let rows = observe::rows_by_key(parent, source, &reference.parent_columns, &keys)
                .map_err(|e| sql_error(e, &side.name))?;
            if rows.is_empty() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
