//! Taking a run back: the rows it touched are set to what they were before, on every side, as an ordinary merge.
//!
//! Apart from `resolution`, which decides one row. A row that is no longer what the run made of it is left and listed,
//! and so is one whose way back would leave a reference that leads nowhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::report::{counted, rows};

use super::decide::constraints::TableState;
use super::decide::decision::{Decision, Whole, changed};
use super::decide::merge::Origin;
use super::key::{Collation, Key, KeyPart, key_of};
use super::model::{Ancestor, Cluster, Edit, Rules};
use super::plan::Side;
use super::reentry::{self, Ids, Parents};
use super::shape::{Shape, TableShape};
use super::store::{Nearest, PastRun, Store};
use super::value::{Row, Value};
use super::{Fault, archive, observe, sql_error, state_failure};

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

    /// Replaces the decisions about all rows that can go back; those that are stuck, by table, cannot.
    pub(crate) fn impose(
        &self,
        shape: &Shape,
        tables: &mut [TableState],
        (sides, hub): (&[Side], usize),
        stuck: &[BTreeSet<Key>],
    ) -> Result<Imposed, Fault> {
        let mut imposed = Imposed::default();
        for (index, table) in tables.iter_mut().enumerate() {
            let Some(of_shape) = shape.tables.get(index) else { continue };
            let rows: Vec<Return<'_>> = self.of(&of_shape.rules).collect();
            if rows.is_empty() {
                continue;
            }
            let way = Way {
                of_shape,
                sides,
                places: places(table),
                pointed: self.pointed(shape, index, sides, &rows, stuck)?,
                missing: self.missing(shape, index, (sides, hub), &rows, stuck)?,
                stuck: stuck.get(index).cloned().unwrap_or_default(),
            };
            let mut ids = Ids::of(of_shape, table, sides)?;
            for row in &rows {
                match way.back(row, table, &mut ids)? {
                    Ok(position) => {
                        let is_there = row.before.is_some();
                        imposed.set.push(Set { index, position, key: row.key.clone(), is_there });
                    }
                    Err(reason) => imposed.left.push((index, row.key.clone(), reason)),
                }
            }
        }
        Ok(imposed)
    }

    /// What is left, in words, once all that rows demand of each other is settled.
    pub(crate) fn left(&self, imposed: Imposed, tables: &[TableState]) -> Vec<String> {
        let (mut left, mut counts) = (Vec::new(), BTreeMap::new());
        for (index, key, reason) in imposed.left {
            let Some(table) = tables.get(index).map(|table| table.rules.name.as_str()) else { continue };
            match self.telling {
                Telling::Rows => left.push(format!("{table} {}: {reason}", named(&key))),
                Telling::Counts => {
                    let so_many: &mut usize = counts.entry((table, reason)).or_default();
                    *so_many = so_many.saturating_add(1);
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
        left
    }

    /// Rows that are to go, or to have another name, and that others point at which do not go with them: by reference to the
    /// table.
    fn pointed(
        &self,
        shape: &Shape,
        index: usize,
        sides: &[Side],
        rows: &[Return<'_>],
        stuck: &[BTreeSet<Key>],
    ) -> Result<Vec<Pointed>, Fault> {
        let mut pointed = Vec::new();
        for (child, own_stuck) in shape.tables.iter().zip(stuck) {
            for reference in child.rules.references.iter().filter(|reference| reference.parent == index) {
                let by = reference.pointers();
                // By deletion, or by another name.
                let name = |row: &Option<Row>| key_of(row.as_ref()?, &reference.parent_columns);
                let leaves =
                    |row: &Return<'_>| name(&row.after).filter(|old| Some(old) != name(&row.before).as_ref());
                let keys: BTreeSet<Key> = rows.iter().filter_map(leaves).collect();
                if keys.is_empty() {
                    continue;
                }
                let at = |row: &Option<Row>| key_of(row.as_ref()?, &by);
                let own = self.of(&child.rules).filter(|own| !own_stuck.contains(&own.key));
                let with_it: BTreeSet<Key> =
                    own.filter(|own| at(&own.before) != at(&own.after)).map(|own| own.key).collect();
                let mut found = BTreeSet::new();
                for side in sides {
                    let source = side.source(&child.rules.name);
                    let there = observe::rows_by_key(child, source, &by, &keys)
                        .map_err(|e| sql_error(e, &side.name))?;
                    let stays = |row: &Row| child.rules.key(row).is_none_or(|key| !with_it.contains(&key));
                    let staying = there.iter().filter(|(_, row)| stays(row));
                    found.extend(staying.filter_map(|(_, row)| key_of(row, &by)));
                }
                pointed.push(Pointed { columns: reference.parent_columns.clone(), keys: found });
            }
        }
        Ok(pointed)
    }

    /// What rows that are to come back point at, where it is gone and does not come back with them: by reference.
    fn missing(
        &self,
        shape: &Shape,
        index: usize,
        sides: (&[Side], usize),
        rows: &[Return<'_>],
        stuck: &[BTreeSet<Key>],
    ) -> Result<Vec<BTreeSet<Key>>, Fault> {
        let back = rows.iter().filter_map(|row| row.before.as_ref());
        reentry::missing_parents(shape, index, sides, back, |reference| {
            let (Some(parent), Some(stuck)) =
                (shape.tables.get(reference.parent), stuck.get(reference.parent))
            else {
                return Parents::default();
            };
            // An id that another row has by now is not the one that was meant.
            let by_id = parent
                .rules
                .assigned_id()
                .is_some_and(|id| reference.parent_columns.iter().map(|(column, _)| *column).eq([id]));
            let mut parents = Parents::default();
            for own in self.of(&parent.rules) {
                let Some(key) = own.before.as_ref().and_then(|row| key_of(row, &reference.parent_columns))
                else {
                    continue;
                };
                match stuck.contains(&own.key) {
                    false => parents.coming.insert(key),
                    true => by_id && own.after.is_none() && parents.lost.insert(key),
                };
            }
            parents
        })
    }
}

/// What became of the rows of a run that is taken back.
#[derive(Debug, Default)]
pub(crate) struct Imposed {
    /// Rows that go back.
    set: Vec<Set>,
    /// Rows that are left: their table, their key, and why.
    left: Vec<(usize, Key, &'static str)>,
}

/// A row that goes back.
#[derive(Debug)]
struct Set {
    /// Its table.
    index: usize,
    /// Its place in it.
    position: usize,
    key: Key,
    /// Whether it is to be there.
    is_there: bool,
}

impl Imposed {
    /// Rows that do not go back, by table, once all that rows demand of each other is settled.
    pub(crate) fn stuck(&self, tables: &[TableState]) -> Vec<BTreeSet<Key>> {
        let mut stuck = vec![BTreeSet::new(); tables.len()];
        let stays = self.set.iter().filter(|set| {
            let decision = tables.get(set.index).and_then(|table| table.decisions.get(set.position));
            decision.is_some_and(|decision| {
                decision.frozen || !decision.blocked.is_empty() || decision.merged.is_some() != set.is_there
            })
        });
        let left = self.left.iter().map(|(index, key, _)| (*index, key));
        for (index, key) in left.chain(stays.map(|set| (set.index, &set.key))) {
            stuck.get_mut(index).map(|keys: &mut BTreeSet<Key>| keys.insert(key.clone()));
        }
        stuck
    }
}

/// Why a row that could go back does not.
const IN_ITS_WAY: &str = "another row is in its way";

/// The same, where others may point at its number.
const OTHER_ID: &str = "another row has its id now";

/// Where each key is, in the first of the clusters that have it.
fn places(table: &TableState) -> BTreeMap<Key, usize> {
    let mut places = BTreeMap::new();
    for (position, cluster) in table.clusters.iter().enumerate() {
        let rows = cluster.seats.iter().filter_map(|seat| seat.after.as_ref()).map(|local| &local.row);
        for key in rows.chain(cluster.merged.as_ref()).filter_map(|row| table.rules.key(row)) {
            places.entry(key).or_insert(position);
        }
    }
    places
}

/// A stored row in the columns of today.
fn fit(rules: &Rules, columns: &[String], row: &Row) -> Row {
    let at = |name: &String| columns.iter().position(|own| own.eq_ignore_ascii_case(name));
    let cells = rules.columns.iter().map(|name| at(name).and_then(|at| row.get(at)).cloned());
    cells.map(|cell| cell.unwrap_or(Value::Null)).collect()
}

/// The key of a row for people.
fn named(key: &Key) -> String {
    let parts = key.iter().map(|part| match part {
        KeyPart::Integer(number) => number.to_string(),
        KeyPart::Real(bits) => f64::from_bits(*bits).to_string(),
        KeyPart::Text(text) => String::from_utf8_lossy(text).into_owned(),
        KeyPart::Blob(_) => "(blob)".to_owned(),
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// Rows that others point at by these columns.
struct Pointed {
    columns: Vec<(usize, Collation)>,
    keys: BTreeSet<Key>,
}

struct Way<'a> {
    of_shape: &'a TableShape,
    sides: &'a [Side],
    places: BTreeMap<Key, usize>,
    pointed: Vec<Pointed>,
    missing: Vec<BTreeSet<Key>>,
    stuck: BTreeSet<Key>,
}

impl Way<'_> {
    /// Sends one row back, and says where it is, or why not.
    fn back(
        &self,
        row: &Return<'_>,
        table: &mut TableState,
        ids: &mut Ids,
    ) -> Result<Result<usize, &'static str>, Fault> {
        let rules = &self.of_shape.rules;
        let held = |row: &Option<Row>| row.iter().flat_map(|row| row.iter()).any(|cell| *cell == Value::Held);
        if held(&row.before) || held(&row.after) {
            return Ok(Err("a cell of it is held"));
        }
        let position = self.places.get(&row.key).copied();
        let cluster = position.and_then(|position| table.clusters.get(position));
        let is_after = |now: Option<&Row>| match (now, &row.after) {
            (Some(now), Some(after)) => same(rules, row.known, now, after),
            (now, then) => now.is_none() && then.is_none(),
        };
        let is_still = |seat: &Edit| is_after(seat.after.as_ref().map(|local| &local.row));
        // A side that the run has not reached has changed nothing: it only is behind.
        let is_behind = |seat: &Edit| matches!(seat.before, Ancestor::Known(_)) && !changed(seat);
        let still = match cluster {
            Some(cluster) if is_after(cluster.merged.as_ref()) => {
                cluster.seats.iter().all(|seat| is_still(seat) || is_behind(seat))
            }
            Some(cluster) => cluster.seats.iter().all(is_still),
            None => row.after.is_none(),
        };
        if !still || (row.before.is_none() && cluster.is_some_and(|cluster| self.has_new_cells(row, cluster)))
        {
            return Ok(Err("it has changed since"));
        }
        let ordinary = position.and_then(|at| table.decisions.get(at));
        if ordinary.is_some_and(|decision| decision.frozen || !decision.held.is_empty()) {
            return Ok(Err("a cell of it is held"));
        }
        match (&row.before, &row.after) {
            (_, Some(after)) if self.is_pointed_at(after) => {
                return Ok(Err("rows that came since point at it"));
            }
            (Some(before), _) if reentry::is_orphan(&rules.references, &self.missing, before) => {
                return Ok(Err("what it points at is gone"));
            }
            _ => {}
        }
        // What came since is as everybody's edits make it.
        let today = ordinary.and_then(|decision| decision.merged.as_ref()).map(|whole| &whole.row);
        let today = today.or_else(|| {
            let seats = &cluster?.seats;
            seats.iter().find_map(|seat| seat.after.as_ref()).map(|local| &local.row)
        });
        let merged = row.before.as_ref().map(|before| {
            let cells = rules.columns.iter().enumerate().map(|(column, name)| {
                let known = row.known.iter().any(|own| own.eq_ignore_ascii_case(name));
                let now = today.and_then(|row| row.get(column)).filter(|_| !known);
                let since = || self.of_shape.defaults.get(column).filter(|_| !known);
                now.or_else(since).or_else(|| before.get(column)).cloned().unwrap_or(Value::Null)
            });
            Whole::of(cells.collect(), Origin::Merged)
        });
        let decision = Decision { merged, ..Decision::default() };
        let has_id = cluster.is_some_and(|cluster| cluster.id.is_some());
        let is_stuck = self.stuck.contains(&row.key);
        let id = match (&row.before, rules.assigned_id()) {
            (Some(before), Some(column)) => {
                let is = cluster.and_then(|cluster| cluster.id);
                let was = before.get(column).and_then(Value::as_integer);
                match &row.after {
                    // Its number stays, so that this would be no way back.
                    Some(after) if after.get(column) != before.get(column) => {
                        return Ok(Err("its row id stays"));
                    }
                    _ if has_id && rules.id_is_referenced && is != was => return Ok(Err(OTHER_ID)),
                    _ if has_id => None,
                    _ => match ids.own(self.of_shape, self.sides, before, column)? {
                        None if rules.id_is_referenced => return Ok(Err(OTHER_ID)),
                        None if is_stuck => None,
                        None => Some(ids.free(self.of_shape, self.sides, before, column)?),
                        own => own,
                    },
                }
            }
            _ => None,
        };
        if is_stuck {
            return Ok(Err(IN_ITS_WAY));
        }
        let found =
            position.and_then(|at| Some((at, table.clusters.get_mut(at)?, table.decisions.get_mut(at)?)));
        let Some((position, cluster, slot)) = found else {
            reentry::add(table, decision, id, self.sides.len());
            return Ok(Ok(table.clusters.len().saturating_sub(1)));
        };
        cluster.id = cluster.id.or(id);
        *slot = decision;
        Ok(Ok(position))
    }

    /// Whether a row that is to go has values in columns that came since.
    fn has_new_cells(&self, row: &Return<'_>, cluster: &Cluster) -> bool {
        let rules = &self.of_shape.rules;
        let is_new = |name: &String| !row.known.iter().any(|own| own.eq_ignore_ascii_case(name));
        let here = cluster.seats.iter().filter_map(|seat| seat.after.as_ref()).map(|local| &local.row);
        let mut rows = here.chain(cluster.merged.as_ref());
        rows.any(|now| {
            let cells = rules.columns.iter().zip(now.iter()).zip(&self.of_shape.defaults);
            cells.filter(|((name, _), _)| is_new(name)).any(|((_, cell), default)| cell != default)
        })
    }

    fn is_pointed_at(&self, row: &Row) -> bool {
        let mut each = self.pointed.iter();
        each.any(|pointed| key_of(row, &pointed.columns).is_some_and(|key| pointed.keys.contains(&key)))
    }
}

/// Whether two rows agree in all columns that were known then.
fn same(rules: &Rules, known: &[String], a: &Row, b: &Row) -> bool {
    rules.columns.iter().enumerate().all(|(column, name)| {
        !known.iter().any(|own| own.eq_ignore_ascii_case(name)) || a.get(column) == b.get(column)
    })
}
