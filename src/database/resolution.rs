//! A person's decision about one conflict, carried out as part of an ordinary merge.
//!
//! Apart from `decide`, which decides by rule. It refuses when a row is no longer what the person saw.

use std::collections::BTreeSet;

use crate::error::{Error, ErrorKind, Result};
use crate::report::counted;

use super::decide::constraints::TableState;
use super::decide::decision::{Decision, Whole};
use super::decide::merge::Origin;
use super::key::{Key, key_of};
use super::model::{Cluster, Reference, Rules, with_cell};
use super::plan::Side;
use super::reentry::{self, Ids, Parents};
use super::shape::{Shape, TableShape};
use super::store::{RESOLVED, Store, StoredConflict, UNCERTAIN};
use super::value::{Row, Value};
use super::{Fault, observe, sql_error, state_error};

/// What to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Take {
    /// What this side had.
    Side(String),
    /// What was there before anyone changed it.
    Base,
    /// Both rows, the second under a new id.
    Both,
}

impl From<&str> for Take {
    /// As people write it: `base`, `both`, or the name of a side.
    fn from(word: &str) -> Take {
        match word {
            "base" => Take::Base,
            "both" => Take::Both,
            side => Take::Side(side.to_owned()),
        }
    }
}

/// A conflict and what to take.
#[derive(Debug)]
pub(crate) struct Resolution {
    /// The conflict.
    pub(crate) conflict: StoredConflict,
    /// The decision.
    pub(crate) take: Take,
}

impl Resolution {
    /// Checks that the decision makes sense for the conflict.
    pub(crate) fn new(conflict: StoredConflict, take: Take) -> Result<Resolution> {
        Resolution::check(&conflict, &take)?;
        Ok(Resolution { conflict, take })
    }

    /// The decisions that make sense for a conflict, as people write them.
    pub(crate) fn choices(conflict: &StoredConflict) -> Vec<String> {
        let sides: BTreeSet<&str> = conflict.rows.values.iter().map(|(side, _)| &**side).collect();
        let sides = sides.into_iter().map(|side| Take::Side(side.to_owned()));
        let both = conflict.rows.both.then_some(Take::Both);
        let takes = sides.chain([Take::Base]).chain(both);
        takes
            .filter(|take| Resolution::check(conflict, take).is_ok())
            .map(|take| match take {
                Take::Side(side) => side,
                Take::Base => "base".to_owned(),
                Take::Both => "both".to_owned(),
            })
            .collect()
    }

    fn check(conflict: &StoredConflict, take: &Take) -> Result<()> {
        let usage = |message: String| Error::new(ErrorKind::Usage, message);
        if &*conflict.status == RESOLVED {
            return Err(usage(format!("conflict {} is resolved already", conflict.number)));
        }
        if conflict.rows.identity.is_none() {
            return Err(usage(format!("conflict {} is not about a row", conflict.number))
                .hint("acknowledge it once you have dealt with it"));
        }
        match take {
            Take::Side(side) if !conflict.rows.values.iter().any(|(name, _)| **name == **side) => {
                let names: Vec<&str> = conflict.rows.values.iter().map(|(name, _)| &**name).collect();
                Err(usage(format!("conflict {} has no side {side}", conflict.number))
                    .hint(format!("take one of: {}, base", names.join(", "))))
            }
            Take::Base if &*conflict.kind == "adoption" => {
                Err(usage(format!("nobody knows what the row of conflict {} was before", conflict.number))
                    .hint("take a side"))
            }
            Take::Side(side) if &*conflict.kind == "unique" && conflict.has_row_on(side) => Err(usage(format!(
                "conflict {} is about two different rows that want the same {}",
                conflict.number,
                conflict.rows.clashing.join(", ")
            ))
            .hint("change one of them on its side, and the next run carries both; or take base, or a side that lacks the row")),
            Take::Both if &*conflict.kind != "insert_insert" && &*conflict.kind != "adoption" => {
                Err(usage(format!("conflict {} is about one row; both cannot be kept", conflict.number))
                    .hint("take a side, or base"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to decide what the run that was interrupted, and is finished now, has decided.
    pub(crate) fn refuse_decided(&self, store: &Store) -> std::result::Result<(), Fault> {
        let number = self.conflict.number;
        if !store.is_resolved(number).map_err(state_error)? {
            return Ok(());
        }
        let what = format!("conflict {number} is resolved already, by the run that was interrupted");
        Err(Fault::Error(
            Error::new(ErrorKind::Usage, what)
                .hint("that run is finished now; look at the row with `conflicts`"),
        ))
    }

    /// The table and key of the row it is about.
    pub(crate) fn target(&self, shape: &Shape) -> Option<(usize, Key)> {
        let index =
            shape.tables.iter().position(|t| t.rules.name.eq_ignore_ascii_case(&self.conflict.table))?;
        let rules = &shape.tables.get(index)?.rules;
        let key = rules.key(&self.fit(rules, self.conflict.rows.identity.as_ref()?, None))?;
        Some((index, key))
    }

    /// A stored row in the columns of today; columns that are new since have the value of `today`.
    fn fit(&self, rules: &Rules, row: &Row, today: Option<&[Value]>) -> Row {
        let cells = rules.columns.iter().enumerate().map(|(column, name)| {
            let then = self.position(name).and_then(|at| row.get(at));
            then.or_else(|| today?.get(column)).cloned().unwrap_or(Value::Null)
        });
        cells.collect()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.conflict.rows.columns.iter().position(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether a row still is what the conflict shows, as far as the conflict knows; of a held cell only that cell.
    fn is_still(&self, rules: &Rules, seen: &Row, now: &Row, held: bool) -> bool {
        rules.columns.iter().enumerate().all(|(column, name)| {
            let clashing = &self.conflict.rows.clashing;
            let matters =
                !held || clashing.is_empty() || clashing.iter().any(|own| own.eq_ignore_ascii_case(name));
            let then = self.position(name).and_then(|at| seen.get(at));
            !matters || then.is_none_or(|then| Some(then) == now.get(column))
        })
    }

    /// Whether a row is one that an interrupted run can have left: of each cell what was there before, what was to be there,
    /// or what was found. No row where one of them is none.
    fn may_be_left(&self, rules: &Rules, now: Option<&Row>) -> bool {
        let rows = &self.conflict.rows;
        let found = rows.values.iter().map(|(_, row)| row.as_ref());
        let mut shown = found.chain([rows.base.as_ref(), rows.merged.as_ref()]);
        let Some(now) = now else { return shown.any(|row| row.is_none()) };
        let shown: Vec<&Row> = shown.flatten().collect();
        rules.columns.iter().enumerate().all(|(column, name)| {
            let at = self.position(name);
            at.is_none_or(|at| shown.iter().any(|row| row.get(at) == now.get(column)))
        })
    }

    /// Brings a row back that is on no side. Returns its place.
    fn bring_back(
        &self,
        of_shape: &TableShape,
        shape: &Shape,
        (index, table): (usize, &mut TableState),
        (sides, hub): (&[Side], usize),
    ) -> std::result::Result<Option<usize>, Fault> {
        let Some(row) = self.chosen() else { return Ok(None) };
        let rules = &of_shape.rules;
        let row = self.fit(rules, &row, Some(&of_shape.defaults));
        // One that points at itself brings what it points at.
        let comes = |reference: &Reference| {
            let own = (reference.parent == index).then(|| key_of(&row, &reference.parent_columns));
            Parents { coming: own.flatten().into_iter().collect(), lost: BTreeSet::new() }
        };
        let missing = reentry::missing_parents(shape, index, (sides, hub), std::iter::once(&row), comes)?;
        if reentry::is_orphan(&rules.references, &missing, &row) {
            let error = Error::new(
                ErrorKind::Usage,
                format!("what the row of conflict {} points at is gone", self.conflict.number),
            );
            return Err(Fault::Error(error.hint("put that back first")));
        }
        let id = match rules.assigned_id() {
            Some(column) => Some(Ids::of(of_shape, table, sides)?.free(of_shape, sides, &row, column)?),
            None => None,
        };
        let decision = Decision { merged: Some(Whole::of(row, Origin::Person)), ..Decision::default() };
        reentry::add(table, decision, id, sides.len());
        Ok(table.clusters.len().checked_sub(1))
    }

    /// Refuses what does not come to pass: where another row has its UNIQUE value, or a side does not take it.
    pub(crate) fn refuse_unheld(
        &self,
        tables: &[TableState],
        (index, position): (usize, usize),
    ) -> std::result::Result<(), Fault> {
        let decision = tables.get(index).and_then(|table| table.decisions.get(position));
        let Some(decision) = decision.filter(|one| one.frozen || !one.blocked.is_empty()) else {
            return Ok(());
        };
        let reason = decision.conflicts.first().map(|draft| format!(": {}", draft.reason));
        let reason = reason.unwrap_or_else(|| ", since another row is in its way".to_owned());
        let error = format!("the row of conflict {} cannot be so{reason}", self.conflict.number);
        let error = Error::new(ErrorKind::Usage, error);
        Err(Fault::Error(error.hint("change what is in its way, and decide again; nothing was changed now")))
    }

    /// The row that is to be there.
    fn chosen(&self) -> Option<Row> {
        match &self.take {
            Take::Side(side) => {
                let values = &self.conflict.rows.values;
                values.iter().find(|(name, _)| **name == **side).and_then(|(_, row)| row.clone())
            }
            Take::Base => self.conflict.rows.base.clone(),
            Take::Both => self.loser(),
        }
    }

    /// Replaces the decision about the row. Returns its table and its place in it, where there is to be one.
    pub(crate) fn impose(
        &self,
        shape: &Shape,
        tables: &mut [TableState],
        (sides, hub): (&[Side], usize),
    ) -> std::result::Result<Option<(usize, usize)>, Fault> {
        let stale = || {
            Fault::Error(
                Error::new(
                    ErrorKind::Stale,
                    format!("the row of conflict {} has changed since", self.conflict.number),
                )
                .hint(
                    "look at it again with `conflicts`; `acknowledge` keeps what is there, and the row itself can be edited",
                ),
            )
        };
        let (index, key) = self.target(shape).ok_or_else(stale)?;
        let table = tables.get_mut(index).ok_or_else(stale)?;
        let rules = table.rules.clone();
        let about = |cluster: &Cluster| {
            let rows = cluster.seats.iter().filter_map(|seat| seat.after.as_ref()).map(|local| &local.row);
            rows.chain(cluster.merged.as_ref()).any(|row| rules.key(row).as_ref() == Some(&key))
        };
        let held = &*self.conflict.status == "held" || &*self.conflict.winner == "none";
        let is_uncertain = &*self.conflict.kind == UNCERTAIN;
        let unchanged = |cluster: &Cluster| {
            sides.iter().zip(&cluster.seats).all(|(side, seat)| {
                let now = seat.after.as_ref().map(|local| &local.raw);
                if is_uncertain {
                    return self.may_be_left(&rules, now);
                }
                let seen = match held {
                    true => self
                        .conflict
                        .rows
                        .values
                        .iter()
                        .find(|(name, _)| **name == side.name)
                        .map(|(_, row)| row),
                    false => Some(&self.conflict.rows.merged),
                };
                seen.is_none_or(|seen| match (seen, now) {
                    (Some(seen), Some(now)) => self.is_still(&rules, seen, now, held),
                    (seen, now) => seen.is_none() && now.is_none(),
                })
            })
        };
        let position = table.clusters.iter().position(|cluster| about(cluster) && unchanged(cluster));
        // A row that is on no side has no cluster.
        let may_be_gone = match is_uncertain {
            true => self.may_be_left(&rules, None),
            false => !held && self.conflict.rows.merged.is_none(),
        };
        if may_be_gone && !table.clusters.iter().any(about) {
            let of_shape = shape.tables.get(index).ok_or_else(stale)?;
            let place = self.bring_back(of_shape, shape, (index, table), (sides, hub))?;
            return Ok(place.map(|place| (index, place)));
        }
        let position = position.ok_or_else(stale)?;
        let Some(cluster) = table.clusters.get(position) else { return Err(stale()) };
        let chosen = self.chosen();
        let today = cluster.seats.iter().find_map(|seat| seat.after.as_ref()).map(|local| &*local.row);
        let chosen = chosen.map(|row| self.fit(&rules, &row, today));
        if self.take == Take::Both {
            self.add_other(table, chosen, sides.len())?;
            return Ok(table.clusters.len().checked_sub(1).map(|place| (index, place)));
        }
        if chosen.is_none() {
            self.refuse_orphans(shape, index, cluster, sides)?;
        }
        // What clashed is decided; the rest of the row is as it is today.
        let merged_now = table.decisions.get(position).and_then(|decision| decision.row(&rules, cluster));
        let then = self.conflict.rows.merged.as_ref().map(|row| self.fit(&rules, row, today));
        let current = if held { merged_now.or(then) } else { then };
        let row = match (chosen, current) {
            (Some(chosen), Some(current)) if !self.conflict.rows.clashing.is_empty() => {
                let mut row = current;
                for (column, name) in rules.columns.iter().enumerate() {
                    let clashes =
                        self.conflict.rows.clashing.iter().any(|clash| clash.eq_ignore_ascii_case(name));
                    if let (true, Some(cell)) = (clashes, chosen.get(column)) {
                        row = with_cell(&row, column, cell);
                    }
                }
                Some(row)
            }
            (chosen, _) => chosen,
        };
        let decision =
            Decision { merged: row.map(|row| Whole::of(row, Origin::Person)), ..Decision::default() };
        let id =
            rules.assigned_id().and_then(|id| cluster.merged.as_ref()?.get(id)).and_then(Value::as_integer);
        if let Some(cluster) = table.clusters.get_mut(position) {
            cluster.id = cluster.id.or(id);
        }
        if let Some(slot) = table.decisions.get_mut(position) {
            *slot = decision;
        }
        Ok(Some((index, position)))
    }

    /// Refuses to take a row away that others point at.
    fn refuse_orphans(
        &self,
        shape: &Shape,
        index: usize,
        cluster: &Cluster,
        sides: &[Side],
    ) -> std::result::Result<(), Fault> {
        for child in &shape.tables {
            for reference in child.rules.references.iter().filter(|reference| reference.parent == index) {
                let by = reference.pointers();
                for (side, seat) in sides.iter().zip(&cluster.seats) {
                    let Some(local) = &seat.after else { continue };
                    let Some(key) = key_of(&local.raw, &reference.parent_columns) else { continue };
                    let source = side.source(&child.rules.name);
                    let rows = observe::rows_by_key(child, source, &by, &BTreeSet::from([key]))
                        .map_err(|e| sql_error(e, &side.name))?;
                    if !rows.is_empty() {
                        let point = counted(rows.len(), "row points", "rows point");
                        let error = Error::new(
                            ErrorKind::Usage,
                            format!(
                                "{point} at the row of conflict {} ({} on {}), so it cannot be taken away",
                                self.conflict.number, child.rules.name, side.name
                            ),
                        );
                        return Err(Fault::Error(
                            error.hint("delete or move those first, or take another side"),
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// The row that did not win.
    fn loser(&self) -> Option<Row> {
        let rows = &self.conflict.rows;
        let merged = rows.merged.as_ref();
        let others = rows.values.iter().filter(|(side, _)| *side != self.conflict.winner);
        others.filter_map(|(_, row)| row.clone()).find(|row| Some(row) != merged)
    }

    /// Adds the row that lost under an id of its own.
    fn add_other(
        &self,
        table: &mut TableState,
        row: Option<Row>,
        sides: usize,
    ) -> std::result::Result<(), Fault> {
        let usage = |message: &str| Fault::Error(Error::new(ErrorKind::Usage, message.to_owned()));
        let super::model::Identity::Id(column) = table.rules.identity else {
            return Err(usage("both rows have the same key, so only one of them can be kept"));
        };
        let row = row.ok_or_else(|| usage("there is no second row to keep"))?;
        let ids = table.clusters.iter().filter_map(|cluster| cluster.id);
        let next = ids.max().and_then(|id| id.max(table.last).checked_add(1));
        let next = next.ok_or_else(|| usage("the table has used up its row ids"))?;
        let row = with_cell(&row, column, &Value::Integer(next));
        let decision = Decision { merged: Some(Whole::of(row, Origin::Person)), ..Decision::default() };
        reentry::add(table, decision, Some(next), sides);
        Ok(())
    }
}
