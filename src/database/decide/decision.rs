//! What becomes of one cluster: groups of sides with one ancestor are merged one after the other.
//!
//! A side that was away has an older ancestor than the rest: the rest is merged first, and the result takes part
//! in the merge with that side as one more version. A side without any ancestor is adopted: nothing it has is
//! deleted, what differs is a conflict. Apart from `merge`, which knows one ancestor only, and `constraints`,
//! which knows other rows. No I/O, no clock, no SQL.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::config::ColumnPolicy;
use crate::database::model::{Ancestor, Cluster, Edit, Rules, SideIndex, with_cell};
use crate::database::value::{Row, Value};

use super::merge::{Cells, DeleteOutcome, Merged, Origin, Version, merge};

/// What is known when clusters are decided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// The hub's index.
    pub(crate) hub: SideIndex,
    /// Unix seconds, for stamps that claim to come from the future.
    pub(crate) now: i64,
}

/// The kinds of conflicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// One cell changed on several sides.
    UpdateUpdate,
    /// A row changed here and deleted there.
    UpdateDelete,
    /// One row inserted differently on several sides.
    InsertInsert,
    /// Different rows that a UNIQUE key does not allow together.
    Unique,
    /// A row without the row it points at.
    ForeignKey,
    /// Schemas that cannot be brought together.
    Schema,
    /// Rows that differ and have no ancestor.
    Adoption,
    /// A cell that a side takes back each time.
    Oscillation,
}

impl Kind {
    /// Its name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::UpdateUpdate => "update_update",
            Kind::UpdateDelete => "update_delete",
            Kind::InsertInsert => "insert_insert",
            Kind::Unique => "unique",
            Kind::ForeignKey => "foreign_key",
            Kind::Schema => "schema",
            Kind::Adoption => "adoption",
            Kind::Oscillation => "oscillation",
        }
    }
}

/// Who won.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Winner {
    /// One side in all of it.
    Side(SideIndex),
    /// Some cells from here, some from there.
    Merged,
    /// Nobody yet: it is held.
    Nobody,
}

/// A conflict in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    /// What kind.
    pub(crate) kind: Kind,
    /// Clashing columns; all of the row when empty.
    pub(crate) columns: Vec<usize>,
    /// The ancestor.
    pub(crate) base: Option<Row>,
    /// Who won.
    pub(crate) winner: Winner,
    /// Why, in words.
    pub(crate) reason: Cow<'static, str>,
}

/// A merged row. It shares what a side has, where that is the same: most of what is decided is what somebody has.
#[derive(Debug, Clone)]
pub(crate) struct Whole {
    /// The cells.
    pub(crate) row: Row,
    /// Where each of them came from.
    pub(crate) origins: Box<[Origin]>,
}

impl Whole {
    /// A row whose cells all came from one place.
    pub(crate) fn of(row: Row, origin: Origin) -> Whole {
        let origins = row.iter().map(|_| origin).collect();
        Whole { row, origins }
    }

    /// Cells that were merged.
    fn merged(cells: Cells, cluster: &Cluster) -> Whole {
        let same = |row: &&Row| row.iter().eq(cells.iter().map(|(value, _)| value));
        let locals = cluster.seats.iter().filter_map(|seat| seat.after.as_ref());
        let known =
            locals.flat_map(|local| [&local.row, &local.raw]).chain(&cluster.merged).find(same).cloned();
        let origins = cells.iter().map(|(_, origin)| *origin).collect();
        let row = known.unwrap_or_else(|| cells.into_iter().map(|(value, _)| value).collect());
        Whole { row, origins }
    }
}

/// What becomes of a cluster.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decision {
    /// The merged row; `None` is absent.
    pub(crate) merged: Option<Whole>,
    /// Columns where every side keeps its own cell.
    pub(crate) held: BTreeSet<usize>,
    /// Those of them whose ancestors are not the same for all sides: they have none afterwards, so that no side looks
    /// as if it had not changed.
    pub(crate) unfounded: BTreeSet<usize>,
    /// What to report.
    pub(crate) conflicts: Vec<Draft>,
    /// Sides whose deletion or update does not count, since the table only grows.
    pub(crate) ignored: BTreeSet<SideIndex>,
    /// Nobody moves: every side keeps what it has and its ancestor.
    pub(crate) frozen: bool,
    /// Sides that cannot take the merged row now.
    pub(crate) blocked: BTreeSet<SideIndex>,
}

/// Sides that share an ancestor, with what they made of it.
struct Group {
    /// The ancestor, under the id that the row gets.
    ancestor: Option<Row>,
    /// The ancestor as it was.
    base: Option<Row>,
    versions: Vec<(SideIndex, Option<Row>)>,
}

/// Decides one cluster on its own.
pub(crate) fn decide(rules: &Rules, cluster: &Cluster, context: Context) -> Decision {
    let mut decision = Decision::default();
    let neutral = |row: &Row| match (rules.assigned_id(), cluster.id) {
        (Some(column), Some(id)) => with_cell(row, column, &Value::Integer(id)),
        _ => row.clone(),
    };
    let merged_before = cluster.merged.as_ref().map(neutral);
    let mut groups =
        vec![Group { ancestor: merged_before.clone(), base: cluster.merged.clone(), versions: Vec::new() }];
    let mut adopted = Vec::new();
    for (side, seat) in cluster.seats.iter().enumerate() {
        let after = seat.after.as_ref().map(|local| neutral(&local.row));
        let Ancestor::Known(before) = &seat.before else {
            adopted.extend(after.map(|row| (side, row)));
            continue;
        };
        let base = before;
        let before = before.as_ref().map(neutral);
        if rules.append_only && before.is_some() && after != before {
            decision.ignored.insert(side);
            continue;
        }
        if before == after {
            continue;
        }
        match groups.iter_mut().find(|group| group.ancestor == before) {
            Some(group) => group.versions.push((side, after)),
            None => {
                groups.push(Group { ancestor: before, base: base.clone(), versions: vec![(side, after)] })
            }
        }
    }

    let mut state: Option<Cells> = None;
    for (index, Group { ancestor, base, versions }) in groups.into_iter().enumerate() {
        let mut versions: Vec<Version> =
            versions.iter().map(|(side, row)| Version::of_side(*side, row.as_ref())).collect();
        if index > 0 {
            let unchanged = match (&state, &ancestor) {
                (Some(cells), Some(row)) => cells.iter().map(|(value, _)| value).eq(row.iter()),
                (None, None) => true,
                _ => false,
            };
            if !unchanged {
                versions
                    .push(Version { cells: as_of_hub(state, context.hub), side: Origin::Side(context.hub) });
            }
        }
        let merged = merge(rules, ancestor.as_ref(), &versions, context.now);
        if index > 0 {
            decision.unfounded.extend(&merged.held);
        }
        let kind = if ancestor.is_none() { Kind::InsertInsert } else { Kind::UpdateUpdate };
        state = take(rules, &mut decision, merged, kind, base);
    }
    if !adopted.is_empty() && !decision.frozen {
        state = adopt(rules, &mut decision, state, merged_before, adopted, context);
    }
    if decision.frozen {
        decision.held.clear();
    } else {
        decision.merged = state.map(|cells| Whole::merged(cells, cluster));
    }
    decision
}

/// The merged state as a version of its own: what nobody changed this time is the hub's.
fn as_of_hub(state: Option<Cells>, hub: SideIndex) -> Option<Cells> {
    state.map(|cells| {
        cells
            .into_iter()
            .map(|(value, origin)| {
                (value, if origin == Origin::Ancestor { Origin::Side(hub) } else { origin })
            })
            .collect()
    })
}

/// Books a merge into the decision and hands on the merged row.
fn take(
    rules: &Rules,
    decision: &mut Decision,
    merged: Merged,
    kind: Kind,
    base: Option<Row>,
) -> Option<Cells> {
    let Merged { cells, clashes, held, deleted } = merged;
    let held_clash = clashes.iter().any(|(column, _)| held.contains(column));
    let decided: Vec<(usize, Origin)> =
        clashes.iter().filter(|(column, _)| !held.contains(column)).copied().collect();
    if !decided.is_empty() {
        report(rules, decision, kind, &decided, base.clone());
    }
    let (bouncing, waiting): (Vec<usize>, Vec<usize>) =
        held.iter().copied().filter(|_| held_clash).partition(|column| rules.oscillating.contains(column));
    let reasons = [
        (waiting, kind, "policy hold: every side keeps its own until a person decides"),
        (
            bouncing,
            Kind::Oscillation,
            "a side took it back three times: it stays as it is until a person decides",
        ),
    ];
    for (columns, kind, reason) in reasons {
        if !columns.is_empty() {
            let (base, winner, reason) = (base.clone(), Winner::Nobody, reason.into());
            decision.report(Draft { kind, columns, base, winner, reason });
        }
    }
    decision.held.extend(held);
    if let Some(outcome) = deleted {
        let (winner, reason) = match outcome {
            DeleteOutcome::Kept(origin) => (winner([origin]), "on_delete_update keep: the edit survives"),
            DeleteOutcome::Gone(origin) => (winner([origin]), "on_delete_update delete: the deletion wins"),
            DeleteOutcome::Held => {
                decision.frozen = true;
                (Winner::Nobody, "on_delete_update hold: every side keeps what it has until a person decides")
            }
        };
        let kind = if kind == Kind::Adoption { kind } else { Kind::UpdateDelete };
        decision.report(Draft { kind, columns: Vec::new(), base, winner, reason: reason.into() });
    }
    cells
}

/// Puts clashing cells on record; one row has one conflict of a kind, however many steps it took to merge.
fn report(
    rules: &Rules,
    decision: &mut Decision,
    kind: Kind,
    clashes: &[(usize, Origin)],
    base: Option<Row>,
) {
    let winner = winner(clashes.iter().map(|(_, origin)| *origin));
    let columns = clashes.iter().map(|(column, _)| *column);
    let known =
        decision.conflicts.iter_mut().find(|draft| draft.kind == kind && draft.winner != Winner::Nobody);
    match known {
        Some(draft) => {
            let all: BTreeSet<usize> = draft.columns.iter().copied().chain(columns).collect();
            draft.columns = all.into_iter().collect();
            if draft.winner != winner {
                draft.winner = Winner::Merged;
            }
        }
        None => decision.report(Draft {
            kind,
            columns: columns.collect(),
            base,
            winner,
            reason: reason(rules, clashes),
        }),
    }
}

/// Merges sides that have no ancestor with what is merged so far.
fn adopt(
    rules: &Rules,
    decision: &mut Decision,
    state: Option<Cells>,
    before: Option<Row>,
    adopted: Vec<(SideIndex, Row)>,
    context: Context,
) -> Option<Cells> {
    let mut rules = rules.clone();
    let mut totals = Vec::new();
    for (column, policy) in rules.policies.iter_mut().enumerate() {
        if *policy != ColumnPolicy::Sum {
            continue;
        }
        let mut values: BTreeSet<&Value> = adopted.iter().filter_map(|(_, row)| row.get(column)).collect();
        values.extend(state.iter().filter_map(|cells| cells.get(column)).map(|(value, _)| value));
        if values.iter().all(|value| value.is_number()) {
            *policy = ColumnPolicy::Max;
            if values.len() > 1 {
                totals.push(column);
            }
        } else {
            *policy = ColumnPolicy::Prefer;
        }
    }
    let mut versions = Vec::new();
    let ancestor = match (&state, &before) {
        (None, Some(_)) => {
            // Deleted elsewhere in this run: an adopted row that differs survives it.
            versions.push(Version { cells: None, side: Origin::Side(context.hub) });
            before.clone()
        }
        _ => None,
    };
    let current = as_of_hub(state, context.hub);
    for (side, row) in &adopted {
        let cells = row
            .iter()
            .enumerate()
            .map(|(column, value)| {
                let unchanged = before.as_ref().and_then(|before| before.get(column)) == Some(value);
                match current.as_ref().and_then(|cells| cells.get(column)) {
                    Some(cell) if unchanged => cell.clone(),
                    _ => (value.clone(), Origin::Side(*side)),
                }
            })
            .collect();
        versions.push(Version { cells: Some(cells), side: Origin::Side(*side) });
    }
    if let Some(cells) = current {
        versions.push(Version { cells: Some(cells), side: Origin::Side(context.hub) });
    }
    let mut merged = merge(&rules, ancestor.as_ref(), &versions, context.now);
    decision.unfounded.extend(&merged.held);
    // Which part of a total came from which side nobody knows any more: the larger one is kept, and said.
    for column in totals {
        let origin = merged.cells.as_ref().and_then(|cells| cells.get(column)).map(|(_, origin)| *origin);
        merged.clashes.extend(origin.map(|origin| (column, origin)));
    }
    merged.clashes.sort_unstable();
    take(&rules, decision, merged, Kind::Adoption, before)
}

fn winner(origins: impl IntoIterator<Item = Origin>) -> Winner {
    let distinct: BTreeSet<Origin> = origins.into_iter().collect();
    match distinct.iter().copied().collect::<Vec<_>>().as_slice() {
        [Origin::Side(side)] => Winner::Side(*side),
        _ => Winner::Merged,
    }
}

fn reason(rules: &Rules, clashes: &[(usize, Origin)]) -> Cow<'static, str> {
    let is = |column: usize, policy| rules.policies.get(column) == Some(&policy);
    if clashes.iter().all(|(column, _)| is(*column, ColumnPolicy::Max)) {
        return "totals without a common ancestor: the larger one".into();
    }
    let newest = |column: usize| is(column, ColumnPolicy::Newest);
    let stamp = rules.newest_by.and_then(|column| rules.columns.get(column));
    match stamp {
        Some(stamp) if clashes.iter().all(|(column, _)| newest(*column)) => {
            format!("newest by {stamp}").into()
        }
        Some(stamp) if clashes.iter().any(|(column, _)| newest(*column)) => {
            format!("newest by {stamp}, else the preferred side").into()
        }
        _ => "the preferred side".into(),
    }
}

/// Whether a side's row or its absence differs from its ancestor.
pub(crate) fn changed(seat: &Edit) -> bool {
    match &seat.before {
        Ancestor::Known(before) => before.as_ref() != seat.after.as_ref().map(|local| &local.row),
        Ancestor::Unknown => seat.after.is_some(),
    }
}

impl Decision {
    /// Puts a conflict on record. Few rows have more than one.
    pub(crate) fn report(&mut self, draft: Draft) {
        self.conflicts.reserve_exact(1);
        self.conflicts.push(draft);
    }

    /// The merged row.
    pub(crate) fn row(&self, rules: &Rules, cluster: &Cluster) -> Option<Row> {
        let row = &self.merged.as_ref()?.row;
        Some(match (rules.assigned_id(), cluster.id) {
            (Some(column), Some(id)) => with_cell(row, column, &Value::Integer(id)),
            _ => row.clone(),
        })
    }

    /// What a side is to have: the merged row, or what it has where it does not take part.
    pub(crate) fn row_on(&self, rules: &Rules, cluster: &Cluster, side: SideIndex) -> Option<Row> {
        let current = cluster.seats.get(side).and_then(|seat| seat.after.as_ref());
        if self.frozen || self.blocked.contains(&side) || self.ignored.contains(&side) {
            return current.map(|local| local.raw.clone());
        }
        let mut row = self.row(rules, cluster)?;
        if let Some(local) = current {
            for column in &self.held {
                if let Some(own) = local.raw.get(*column) {
                    row = with_cell(&row, *column, own);
                }
            }
        }
        Some(row)
    }

    /// The merged state after this run, which is the ancestor of every side that takes part.
    pub(crate) fn merged_after(&self, rules: &Rules, cluster: &Cluster) -> Option<Row> {
        if self.frozen {
            return cluster.merged.clone();
        }
        let mut row = self.row(rules, cluster)?;
        for column in &self.held {
            let before = cluster.merged.as_ref().and_then(|row| row.get(*column)).cloned();
            let before = before.filter(|_| !self.unfounded.contains(column));
            row = with_cell(&row, *column, &before.unwrap_or(Value::Held));
        }
        Some(row)
    }

    /// The ancestor of a side after this run.
    pub(crate) fn ancestor_after(&self, rules: &Rules, cluster: &Cluster, side: SideIndex) -> Option<Row> {
        let seat = cluster.seats.get(side);
        if self.frozen {
            return match seat.map(|seat| &seat.before) {
                Some(Ancestor::Known(row)) => row.clone(),
                // An adopted row that is held stays new.
                _ => None,
            };
        }
        if self.blocked.contains(&side) {
            // Its edit is part of the merged state; what it lacks of it comes later.
            return seat.and_then(|seat| seat.after.as_ref()).map(|local| local.row.clone());
        }
        self.merged_after(rules, cluster)
    }
}
