//! A row that is nowhere and comes in again, because a person said so.
//!
//! Apart from `undo` and `resolution`, which say which rows do.

use std::collections::{BTreeSet, HashSet};

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

/// The row ids of a table.
pub(crate) struct Ids {
    last: i64,
    taken: HashSet<i64>,
}

impl Ids {
    /// Those in use.
    pub(crate) fn of(of_shape: &TableShape, table: &TableState, sides: &[Side]) -> Result<Ids, Fault> {
        let taken: HashSet<i64> = table.clusters.iter().filter_map(|cluster| cluster.id).collect();
        let mut last = taken.iter().copied().fold(table.last, i64::max);
        for side in sides {
            let source = side.source(&of_shape.rules.name);
            last = last.max(observe::last_rowid(of_shape, source).map_err(|e| sql_error(e, &side.name))?);
        }
        Ok(Ids { last, taken })
    }

    /// The id that a row had, unless another has it now.
    pub(crate) fn own(
        &mut self,
        of_shape: &TableShape,
        sides: &[Side],
        row: &Row,
        column: usize,
    ) -> Result<Option<i64>, Fault> {
        let wanted = row.get(column).and_then(Value::as_integer).filter(|id| !self.taken.contains(id));
        let Some(id) = wanted else { return Ok(None) };
        let keys = BTreeSet::from([Key::from([KeyPart::Integer(id)])]);
        for side in sides {
            let source = side.source(&of_shape.rules.name);
            let there = observe::rows_by_key(of_shape, source, &[(column, Collation::Binary)], &keys);
            if !there.map_err(|e| sql_error(e, &side.name))?.is_empty() {
                return Ok(None);
            }
        }
        self.last = self.last.max(id);
        self.taken.insert(id);
        Ok(Some(id))
    }

    /// The same, or one that is free everywhere.
    pub(crate) fn free(
        &mut self,
        of_shape: &TableShape,
        sides: &[Side],
        row: &Row,
        column: usize,
    ) -> Result<i64, Fault> {
        if let Some(own) = self.own(of_shape, sides, row, column)? {
            return Ok(own);
        }
        self.last = self.last.checked_add(1).ok_or_else(|| plan::exhausted(&of_shape.rules.name))?;
        self.taken.insert(self.last);
        Ok(self.last)
    }
}

/// What is known of rows that others point at, beside what is there.
#[derive(Debug, Default)]
pub(crate) struct Parents {
    /// They come in as well.
    pub(crate) coming: BTreeSet<Key>,
    /// What has their key is not what was meant.
    pub(crate) lost: BTreeSet<Key>,
}

/// What rows point at that is gone and does not come in as well, by reference of their table. What the hub has and a side has not
/// got yet is there.
pub(crate) fn missing_parents<'r>(
    shape: &Shape,
    index: usize,
    (sides, hub): (&[Side], usize),
    rows: impl Iterator<Item = &'r Row> + Clone,
    parents: impl Fn(&Reference) -> Parents,
) -> Result<Vec<BTreeSet<Key>>, Fault> {
    let references = shape.tables.get(index).map(|table| table.rules.references.as_slice());
    let mut missing = Vec::new();
    for reference in references.unwrap_or_default() {
        let pointers = reference.pointers();
        let known = parents(reference);
        let mut keys: BTreeSet<Key> = rows.clone().filter_map(|row| key_of(row, &pointers)).collect();
        keys.retain(|key| !known.coming.contains(key));
        let mut gone: BTreeSet<Key> = keys.intersection(&known.lost).cloned().collect();
        if let Some(parent) = shape.tables.get(reference.parent).filter(|_| !keys.is_empty()) {
            for (number, side) in sides.iter().enumerate() {
                let has = |source, keys: &BTreeSet<Key>| -> Result<BTreeSet<Key>, Fault> {
                    let rows = observe::rows_by_key(parent, source, &reference.parent_columns, keys)
                        .map_err(|e| sql_error(e, &side.name))?;
                    Ok(rows.iter().filter_map(|(_, row)| key_of(row, &reference.parent_columns)).collect())
                };
                let name = &parent.rules.name;
                let there = has(side.source(name), &keys)?;
                let lacks: BTreeSet<Key> = keys.difference(&there).cloned().collect();
                match number == hub {
                    true => gone.extend(lacks),
                    // It had it, so that its owner has deleted it.
                    false if !lacks.is_empty() => gone.extend(has(side.base_source(name), &lacks)?),
                    false => {}
                }
            }
        }
        missing.push(gone);
    }
    Ok(missing)
}

/// Whether a row points at something that is missing.
pub(crate) fn is_orphan(references: &[Reference], missing: &[BTreeSet<Key>], row: &Row) -> bool {
    let mut each = references.iter().zip(missing);
    each.any(|(reference, gone)| key_of(row, &reference.pointers()).is_some_and(|key| gone.contains(&key)))
}
