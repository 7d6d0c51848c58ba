//! Taking a run back: the rows it touched are set to what they were before, on every side, as an ordinary merge.
//!
//! Apart from `resolution`, which decides one row. A row that is no longer what the run made of it is left and listed,
//! and so is one whose way back would leave a reference that leads nowhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::report::{counted, rows};

use super::decide::constraints::TableState;
use super::decide::decision::{Decision, Whole};
use super::decide::merge::Origin;
use super::key::{Key, KeyPart, key_of};
use super::model::{Cluster, Edit, Rules};
use super::plan::Side;
use super::shape::{Shape, TableShape};
use super::store::{Nearest, PastRun, Store};
use super::value::{Row, Value};
use super::{Fault, archive, observe, reentry, sql_error, state_failure};

/// Says of a run that has nothing to take back what can be done instead.
///
/// Errors: when our state, or a place of backups, cannot be read.
pub(crate) fn nothing(config: &Config, store: &Store, past: &PastRun, databases: &[&str]) -> Result<Error> {
    let run = past.number;
    let error = Error::new(ErrorKind::Usage, format!("run {run} has nothing that can be taken back"));
    let nearest = |which: Nearest| -> Result<Option<i64>> {
        let mut found = None;
        for database in databases {
            let own = store.nearest_touched(run, database, which).map_err(state_failure)?;
            found = match which {
                Nearest::Before => found.max(own),
                Nearest::After => found.into_iter().chain(own).min(),
            };
        }
        Ok(found)
    };
    if past.kind == "restore" {
        let copies = archive::emergencies_of(config, store, &past.report)?;
        let copies = match copies.as_slice() {
            [] => "what was there before is in an emergency copy, as long as `backups` lists it".to_owned(),
            copies => format!("what was there before is in {}; restore that", copies.join(", ")),
        };
        let after = nearest(Nearest::After)?
            .map(|run| format!(". What a later run brought to the other sides, `undo {run}` takes back"));
        return Ok(error.hint(format!("it is a restore: {copies}{}", after.unwrap_or_default())));
    }
    Ok(match nearest(Nearest::Before)? {
        Some(before) => error.hint(format!(
            "it changed no row that was merged before: it carried an earlier run on, or was the first of a side. The last \
             one before it that can be taken back is run {before}"
        )),
        None => error.hint(
            "it changed no row that was merged before; the first run of a side cannot be taken back, nor one of long ago",
        ),
    })
}

/// How many rows that are left are named one by one.
const NAMED: usize = 20;

/// What a run did to the merged state of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Table name.
    pub(crate) table: String,
    /// Column names of the rows.
    pub(crate) columns: Vec<String>,
    /// Every row before and after.
    pub(crate) rows: Vec<(Option<Row>, Option<Row>)>,
    /// How many rows without a key became more or fewer.
    pub(crate) contents: i64,
}

/// A run to take back.
#[derive(Debug)]
pub(crate) struct Undo {
    /// By table.
    pub(crate) tables: Vec<Touched>,
    /// What may be said of rows that are left.
    pub(crate) telling: Telling,
}

/// What may be said of rows that are left as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Which they are, by their keys.
    Rows,
    /// How many they are: what is told lies where no value of a row may.
    Counts,
}

/// One row on its way back.
struct Return<'a> {
    before: Option<Row>,
    after: Option<Row>,
    key: Key,
    /// The columns that were there then.
    known: &'a [String],
}

impl Undo {
    fn of<'u>(&'u self, rules: &Rules) -> impl Iterator<Item = Return<'u>> {
        let tables = self.tables.iter().filter(|table| table.table.eq_ignore_ascii_case(&rules.name));
        let mut found = Vec::new();
        for table in tables {
            for (before, after) in &table.rows {
                let fit = |row: &Option<Row>| row.as_ref().map(|row| fit(rules, &table.columns, row));
                let (before, after) = (fit(before), fit(after));
                let key = after.as_ref().or(before.as_ref()).and_then(|row| rules.key(row));
                found.extend(key.map(|key| Return { before, after, key, known: &table.columns }));
            }
        }
        found.into_iter()
    }

    /// Rows that the plan must look at, by table.
    pub(crate) fn targets(&self, shape: &Shape) -> Vec<BTreeSet<Key>> {
        shape.tables.iter().map(|table| self.of(&table.rules).map(|row| row.key).collect()).collect()
    }

    /// Replaces the decisions about all rows that can go back. Returns what is left, in words.
    pub(crate) fn impose(
        &self,
        shape: &Shape,
        tables: &mut [TableState],
        sides: &[Side],
    ) -> Result<Vec<String>, Fault> {
        let (mut left, mut counts) = (Vec::new(), BTreeMap::new());
        for index in 0..tables.len() {
            let Some(of_shape) = shape.tables.get(index) else { continue };
            for row in self.of(&of_shape.rules) {
                let way = Way { undo: self, shape, index, of_shape, sides };
                let Some(reason) = way.back(&row, tables)? else { continue };
                match self.telling {
                    Telling::Rows => left.push(format!("{} {}: {reason}", of_shape.rules.name, named(&row))),
                    Telling::Counts => {
                        let so_many: &mut usize = counts.entry((&of_shape.rules.name, reason)).or_default();
                        *so_many = so_many.saturating_add(1);
                    }
                }
            }
        }
        for ((table, reason), count) in counts {
            left.push(format!("{table}: {}: {reason}", rows(count)));
        }
        for table in self.tables.iter().filter(|table| table.contents != 0) {
            let rows = rows(usize::try_from(table.contents).unwrap_or(usize::MAX));
            left.push(format!("{}: {rows} without a key cannot be taken back", table.table));
        }
        let more = left.len().saturating_sub(NAMED);
        left.truncate(NAMED);
        if more > 0 {
            left.push(format!("and {}", counted(more, "more row", "more rows")));
        }
        Ok(left)
    }
}

/// A stored row in the columns of today.
fn fit(rules: &Rules, columns: &[String], row: &Row) -> Row {
    let at = |name: &String| columns.iter().position(|own| own.eq_ignore_ascii_case(name));
    let cells = rules.columns.iter().map(|name| at(name).and_then(|at| row.get(at)).cloned());
    cells.map(|cell| cell.unwrap_or(Value::Null)).collect()
}

/// The key of a row for people.
fn named(row: &Return<'_>) -> String {
    let parts = row.key.iter().map(|part| match part {
        KeyPart::Integer(number) => number.to_string(),
        KeyPart::Real(bits) => f64::from_bits(*bits).to_string(),
        KeyPart::Text(text) => String::from_utf8_lossy(text).into_owned(),
        KeyPart::Blob(_) => "(blob)".to_owned(),
    });
    parts.collect::<Vec<_>>().join(", ")
}

struct Way<'a> {
    undo: &'a Undo,
    shape: &'a Shape,
    index: usize,
    of_shape: &'a TableShape,
    sides: &'a [Side],
}

impl Way<'_> {
    /// Sends one row back, or says why not.
    fn back(&self, row: &Return<'_>, tables: &mut [TableState]) -> Result<Option<&'static str>, Fault> {
        let rules = &self.of_shape.rules;
        let held = |row: &Option<Row>| row.iter().flat_map(|row| row.iter()).any(|cell| *cell == Value::Held);
        if held(&row.before) || held(&row.after) {
            return Ok(Some("a cell of it is held"));
        }
        let Some(table) = tables.get(self.index) else { return Ok(None) };
        let about = |cluster: &Cluster| {
            let rows = cluster.seats.iter().filter_map(|seat| seat.after.as_ref()).map(|local| &local.row);
            rows.chain(cluster.merged.as_ref()).any(|own| rules.key(own).as_ref() == Some(&row.key))
        };
        let position = table.clusters.iter().position(about);
        let is_still = |seat: &Edit| match (&seat.after, &row.after) {
            (Some(local), Some(after)) => same(rules, row.known, &local.row, after),
            (now, then) => now.is_none() && then.is_none(),
        };
        let still = match position.and_then(|position| table.clusters.get(position)) {
            Some(cluster) => cluster.seats.iter().all(is_still),
            None => row.after.is_none(),
        };
        if !still {
            return Ok(Some("it has changed since"));
        }
        match &row.before {
            None if self.has_children(row)? => return Ok(Some("rows that came since point at it")),
            Some(before) if !self.has_parents(before)? => return Ok(Some("what it points at is gone")),
            _ => {}
        }
        let merged = row.before.as_ref().map(|before| {
            let today = position.and_then(|position| table.clusters.get(position));
            let today = today.and_then(|cluster| cluster.seats.iter().find_map(|seat| seat.after.as_ref()));
            let cells = rules.columns.iter().enumerate().map(|(column, name)| {
                let known = row.known.iter().any(|own| own.eq_ignore_ascii_case(name));
                let now = today.and_then(|local| local.row.get(column)).filter(|_| !known);
                now.or_else(|| before.get(column)).cloned().unwrap_or(Value::Null)
            });
            Whole::of(cells.collect(), Origin::Merged)
        });
        let decision = Decision { merged, ..Decision::default() };
        let id = match (&row.before, rules.assigned_id(), position) {
            (Some(before), Some(column), None) => {
                Some(reentry::free_id(self.of_shape, table, self.sides, before, column)?)
            }
            _ => None,
        };
        let Some(table) = tables.get_mut(self.index) else { return Ok(None) };
        match position.and_then(|position| table.decisions.get_mut(position)) {
            Some(slot) => *slot = decision,
            None => reentry::add(table, decision, id, self.sides.len()),
        }
        Ok(None)
    }

    /// Whether rows point at a row that is to go, other than those that go with it.
    fn has_children(&self, row: &Return<'_>) -> Result<bool, Fault> {
        let Some(after) = &row.after else { return Ok(false) };
        for child in &self.shape.tables {
            for reference in child.rules.references.iter().filter(|reference| reference.parent == self.index)
            {
                let by = reference.pointers();
                let Some(key) = key_of(after, &reference.parent_columns) else { continue };
                let going: BTreeSet<Key> = self
                    .undo
                    .of(&child.rules)
                    .filter(|own| own.before.is_none())
                    .map(|own| own.key)
                    .collect();
                for side in self.sides {
                    let source = side.source(&child.rules.name);
                    let rows = observe::rows_by_key(child, source, &by, &BTreeSet::from([key.clone()]))
                        .map_err(|e| sql_error(e, &side.name))?;
                    let stays = |row: &Row| child.rules.key(row).is_none_or(|key| !going.contains(&key));
                    if rows.iter().any(|(_, row)| stays(row)) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Whether what a row points at is there, or comes back with it.
    fn has_parents(&self, before: &Row) -> Result<bool, Fault> {
        reentry::has_parents(self.shape, self.index, self.sides, before, |reference, key| {
            let Some(parent) = self.shape.tables.get(reference.parent) else { return false };
            let is_it = |row: &Row| key_of(row, &reference.parent_columns).as_ref() == Some(key);
            self.undo.of(&parent.rules).any(|own| own.before.as_ref().is_some_and(is_it))
        })
    }
}

/// Whether two rows agree in all columns that were known then.
fn same(rules: &Rules, known: &[String], a: &Row, b: &Row) -> bool {
    rules.columns.iter().enumerate().all(|(column, name)| {
        !known.iter().any(|own| own.eq_ignore_ascii_case(name)) || a.get(column) == b.get(column)
    })
}
