//! Whether references still hold on a side that others wrote to after it was observed.
//!
//! Apart from `write::verify`, which looks at planned rows: here it is rows outside the plan, come since then to point
//! at what the plan moves or takes away, and parents gone since then that planned rows point at. What dangled before is
//! its owner's affair. Only reads, under the lock.

use std::collections::BTreeSet;

use super::key::{Key, key_of};
use super::model::{Reference, Slot, Write};
use super::observe::{Source, row_at, rows_by_key};
use super::plan::{Plan, Side};
use super::record::{Intent, TableWrites};
use super::shape::TableShape;
use super::value::Row;

/// Whether no reference was broken, or would be, by what an owner did since the side was observed.
pub(crate) fn hold(plan: &Plan, side: &Side, intent: &Intent) -> rusqlite::Result<bool> {
    let none: &[Write] = &[];
    let planned = |name: &str| table(&intent.writes, name).map_or(none, |table| table.writes.as_slice());
    for child in &plan.shape.tables {
        for reference in &child.rules.references {
            let Some(parent) = plan.shape.tables.get(reference.parent) else { continue };
            let look = Look { side, intent, child, parent, reference };
            let (of_child, of_parent) = (planned(&child.rules.name), planned(&parent.rules.name));
            if !look.nobody_came(of_child, of_parent)? || !look.nobody_left(of_child, of_parent)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn table<'t>(tables: &'t [TableWrites], name: &str) -> Option<&'t TableWrites> {
    tables.iter().find(|table| table.table == name)
}

struct Look<'a> {
    side: &'a Side,
    intent: &'a Intent,
    child: &'a TableShape,
    parent: &'a TableShape,
    reference: &'a Reference,
}

impl Look<'_> {
    fn live(&self, shape: &TableShape) -> Source<'_> {
        Source { connection: &self.side.live, table: self.side.schema.table(&shape.rules.name), cells: None }
    }

    /// No row outside the plan has come to point at a row that the plan moves or takes away.
    fn nobody_came(&self, of_child: &[Write], of_parent: &[Write]) -> rusqlite::Result<bool> {
        let key = |placed: &Option<(Slot, Row)>| key_of(&placed.as_ref()?.1, &self.reference.parent_columns);
        let leaving = |write: &Write| key(&write.old).filter(|old| Some(old) != key(&write.new).as_ref());
        let keys: BTreeSet<Key> = of_parent.iter().filter_map(leaving).collect();
        if keys.is_empty() {
            return Ok(true);
        }
        let planned: BTreeSet<&Slot> =
            of_child.iter().filter_map(|write| write.old.as_ref()).map(|(slot, _)| slot).collect();
        for (slot, row) in rows_by_key(self.child, self.live(self.child), &self.reference.pointers(), &keys)?
        {
            if !planned.contains(&slot) && !self.was_there(self.child, &slot, &row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// No parent that planned rows point at has gone since it was observed.
    fn nobody_left(&self, of_child: &[Write], of_parent: &[Write]) -> rusqlite::Result<bool> {
        let pointers = self.reference.pointers();
        let wanted = of_child.iter().filter_map(|write| key_of(&write.new.as_ref()?.1, &pointers));
        let mut wanted: BTreeSet<Key> = wanted.collect();
        let parents = &self.reference.parent_columns;
        for row in of_parent.iter().filter_map(|write| write.new.as_ref()) {
            if let Some(key) = key_of(&row.1, parents) {
                wanted.remove(&key);
            }
        }
        if wanted.is_empty() {
            return Ok(true);
        }
        for (_, row) in rows_by_key(self.parent, self.live(self.parent), parents, &wanted)? {
            if let Some(key) = key_of(&row, parents) {
                wanted.remove(&key);
            }
        }
        if wanted.is_empty() {
            return Ok(true);
        }
        let base = self.side.base_source(&self.parent.rules.name);
        for (slot, row) in rows_by_key(self.parent, base, parents, &wanted)? {
            if self.was_there(self.parent, &slot, &row)? {
                return Ok(false);
            }
        }
        let observed = table(&self.intent.observed, &self.parent.rules.name).into_iter();
        let new = observed.flat_map(|table| &table.writes).filter_map(|write| write.new.as_ref());
        Ok(!new.filter_map(|(_, row)| key_of(row, parents)).any(|key| wanted.contains(&key)))
    }

    /// Whether a row was there just so when the side was observed: in its base, or among what differed from it.
    fn was_there(&self, shape: &TableShape, slot: &Slot, row: &Row) -> rusqlite::Result<bool> {
        let observed = table(&self.intent.observed, &shape.rules.name).into_iter();
        let mut touched = false;
        for write in observed.flat_map(|table| &table.writes) {
            if write.new.as_ref().is_some_and(|(at, now)| at == slot && now == row) {
                return Ok(true);
            }
            touched |= [&write.old, &write.new].into_iter().flatten().any(|(at, _)| at == slot);
        }
        Ok(!touched && row_at(shape, self.side.base_source(&shape.rules.name), slot)?.as_ref() == Some(row))
    }
}
