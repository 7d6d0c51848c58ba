//! What rows demand of each other: UNIQUE keys and references.
//!
//! A row that a UNIQUE key does not allow beside a preferred one stays on its own side, held, with what points at
//! it. A parent deleted on one side while another side has work on a child comes back. Everything here only ever
//! freezes, blocks or restores more, so it ends. Apart from `decision`, which sees one row. No I/O, no SQL.

use std::collections::{BTreeSet, HashMap};

use crate::database::key::{Collation, Key, key_of};
use crate::database::model::{Ancestor, Cluster, Edit, Identity, Rules, SideIndex, with_cell};
use crate::database::value::{Row, Value};

use super::contents::Contents;
use super::decision::{Decision, Draft, Kind, Whole, Winner, changed};
use super::merge::Origin;

/// One table in the middle of being planned.
#[derive(Debug, Clone)]
pub(crate) struct TableState {
    /// Its rules.
    pub(crate) rules: Rules,
    /// Its rows with identity.
    pub(crate) clusters: Vec<Cluster>,
    /// What becomes of them.
    pub(crate) decisions: Vec<Decision>,
    /// Its rows without.
    pub(crate) contents: Contents,
    /// The highest row id in use on any side.
    pub(crate) last: i64,
}

/// Restores parents, holds what collides and what waits for it, until nothing changes.
pub(crate) fn settle(tables: &mut [TableState], sides: usize) {
    loop {
        let mut moved = false;
        for child in 0..tables.len() {
            moved |= restore_parents(tables, child);
        }
        for table in tables.iter_mut() {
            moved |= hold_collisions(table);
            for side in 0..sides {
                moved |= block_collisions(table, side);
            }
        }
        for child in 0..tables.len() {
            moved |= hold_orphans(tables, child, sides);
        }
        if !moved {
            return;
        }
    }
}

/// Who deleted the row of a cluster.
fn deleters(cluster: &Cluster) -> BTreeSet<SideIndex> {
    let deleted = |(side, seat): (SideIndex, &crate::database::model::Edit)| {
        let had = matches!(&seat.before, Ancestor::Known(Some(_)));
        (had && seat.after.is_none()).then_some(side)
    };
    cluster.seats.iter().enumerate().filter_map(deleted).collect()
}

/// Brings back rows that were deleted on one side while another works, or has worked unseen, on a row that points at
/// them.
fn restore_parents(tables: &mut [TableState], child: usize) -> bool {
    let Some(references) = tables.get(child).map(|table| table.rules.references.clone()) else {
        return false;
    };
    let mut restored = false;
    for reference in &references {
        let Some(parent) = tables.get(reference.parent) else { continue };
        let mut gone: HashMap<Key, usize> = HashMap::new();
        for (index, (cluster, decision)) in parent.clusters.iter().zip(&parent.decisions).enumerate() {
            if decision.merged.is_some() || decision.frozen {
                continue;
            }
            let key = last_known(cluster).and_then(|row| key_of(row, &reference.parent_columns));
            gone.extend(key.map(|key| (key, index)));
        }
        if gone.is_empty() {
            continue;
        }
        let pointers = reference.pointers();
        let key_of_child = |row: &Row| key_of(row, &pointers);
        let Some(table) = tables.get(child) else { continue };
        let mut wanted: BTreeSet<usize> = BTreeSet::new();
        for (cluster, decision) in table.clusters.iter().zip(&table.decisions) {
            let workers =
                cluster.seats.iter().enumerate().filter(|(_, seat)| changed(seat) && seat.after.is_some());
            let workers: BTreeSet<SideIndex> = workers.map(|(side, _)| side).collect();
            let mut rows: Vec<Row> = decision.row(&table.rules, cluster).into_iter().collect();
            if decision.frozen {
                rows.extend(
                    cluster.seats.iter().filter_map(|seat| seat.after.as_ref()).map(|l| l.row.clone()),
                );
            }
            for (key, index) in rows.iter().filter_map(|row| gone.get_key_value(&key_of_child(row)?)) {
                let by = parent_deleters(tables, reference.parent, *index);
                // Whoever deleted it and left nothing that points there did not mean to leave this row without it.
                let points = |row: &Row| key_of_child(row).as_ref() == Some(key);
                let left = |seat: &Edit| seat.after.as_ref().is_some_and(|local| points(&local.row));
                let clean = by.iter().filter_map(|side| cluster.seats.get(*side)).any(|seat| !left(seat));
                if clean || workers.iter().any(|worker| !by.contains(worker)) {
                    wanted.insert(*index);
                }
            }
        }
        for (side, _, row) in table.contents.additions() {
            if let Some(index) = key_of_child(row).and_then(|key| gone.get(&key))
                && !parent_deleters(tables, reference.parent, *index).contains(&side)
            {
                wanted.insert(*index);
            }
        }
        restored |= !wanted.is_empty();
        let Some(parent) = tables.get_mut(reference.parent) else { continue };
        for index in wanted {
            if let (Some(cluster), Some(decision)) =
                (parent.clusters.get(index), parent.decisions.get_mut(index))
            {
                restore(cluster, decision);
            }
        }
    }
    restored
}

fn parent_deleters(tables: &[TableState], parent: usize, index: usize) -> BTreeSet<SideIndex> {
    tables.get(parent).and_then(|table| table.clusters.get(index)).map(deleters).unwrap_or_default()
}

/// The row as it was last merged: in the merged state, or for a side that has been away since.
fn last_known(cluster: &Cluster) -> Option<&Row> {
    cluster.merged.as_ref().or_else(|| {
        cluster.seats.iter().find_map(|seat: &Edit| match &seat.before {
            Ancestor::Known(row) => row.as_ref(),
            Ancestor::Unknown => None,
        })
    })
}

fn restore(cluster: &Cluster, decision: &mut Decision) {
    let Some(row) = last_known(cluster) else { return };
    decision.merged = Some(Whole::of(row.clone(), Origin::Ancestor));
    decision.report(Draft {
        kind: Kind::ForeignKey,
        columns: Vec::new(),
        base: Some(row.clone()),
        winner: Winner::Merged,
        reason: "deleted on one side while another side works on a row that points at it: it comes back"
            .into(),
    });
}

/// Holds the less preferred of two different rows that share a UNIQUE key. A row that is held keeps its place in the merged state,
/// and no other one can be known there by the key that identifies it.
fn hold_collisions(table: &mut TableState) -> bool {
    let mut held = false;
    for unique in table.rules.uniques.clone() {
        let identifies = matches!(&table.rules.identity, Identity::Key(identity) if *identity == unique);
        let mut owners: HashMap<Key, (Claim, usize)> = HashMap::new();
        for index in 0..table.clusters.len() {
            let (Some(cluster), Some(decision)) = (table.clusters.get(index), table.decisions.get(index))
            else {
                continue;
            };
            let stays = identifies && decision.frozen;
            let row = if stays { cluster.merged.clone() } else { decision.row(&table.rules, cluster) };
            let Some(key) = row.and_then(|row| key_of(&row, &unique)) else { continue };
            let claim = if stays { Claim::Stays } else { Claim::Of(claim_of(decision, &unique)) };
            let claim = (claim, index);
            let Some(owner) = owners.get_mut(&key) else {
                owners.insert(key, claim);
                continue;
            };
            let loser = if claim < *owner { std::mem::replace(owner, claim).1 } else { index };
            let claim = owner.0;
            let Some(decision) = table.decisions.get_mut(loser).filter(|decision| !decision.frozen) else {
                continue;
            };
            held = true;
            let Claim::Of(winner) = claim else {
                // It waits with the other one, which is on record.
                *decision = Decision { frozen: true, ..Decision::default() };
                continue;
            };
            let names: Vec<&str> = unique
                .iter()
                .filter_map(|(column, _)| table.rules.columns.get(*column))
                .map(String::as_str)
                .collect();
            let reason =
                format!("another row has the same UNIQUE {}; this one stays where it is", names.join(", "));
            freeze(table, loser, &unique, winner, reason);
        }
    }
    held
}

/// What gives a row a UNIQUE key, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// It is in the merged state, and stays there as it is.
    Stays,
    /// Its cells come from there.
    Of(Origin),
}

/// How strong a row's claim to a UNIQUE key is: the weakest origin among the cells of the key.
fn claim_of(decision: &Decision, unique: &[(usize, Collation)]) -> Origin {
    let origins = decision.merged.as_ref().map(|merged| &*merged.origins).unwrap_or_default();
    let of_key = unique.iter().filter_map(|(column, _)| origins.get(*column));
    of_key.copied().max().unwrap_or(Origin::Ancestor)
}

fn freeze(
    table: &mut TableState,
    index: usize,
    unique: &[(usize, Collation)],
    winner: Origin,
    reason: String,
) {
    let base = table.clusters.get(index).and_then(|cluster| cluster.merged.clone());
    if let Some(decision) = table.decisions.get_mut(index) {
        *decision = Decision { frozen: true, ..Decision::default() };
        decision.report(Draft {
            kind: Kind::Unique,
            columns: unique.iter().map(|(column, _)| *column).collect(),
            base,
            winner: match winner {
                Origin::Side(side) => Winner::Side(side),
                Origin::Person | Origin::Ancestor | Origin::Merged => Winner::Merged,
            },
            reason: reason.into(),
        });
    }
}

/// Blocks rows on a side where a row that stays there has their UNIQUE key.
fn block_collisions(table: &mut TableState, side: SideIndex) -> bool {
    let mut blocked = false;
    // A row id is as unique as any key; ids of the merged state differ, but a row that stays may have one of them.
    let id = table.rules.assigned_id().map(|id| vec![(id, Collation::Binary)]);
    for unique in table.rules.uniques.iter().cloned().chain(id).collect::<Vec<_>>() {
        let mut owners: HashMap<Key, (bool, usize)> = HashMap::new();
        for index in 0..table.clusters.len() {
            let (Some(cluster), Some(decision)) = (table.clusters.get(index), table.decisions.get(index))
            else {
                continue;
            };
            let Some(row) = decision.row_on(&table.rules, cluster, side) else { continue };
            let Some(key) = key_of(&row, &unique) else { continue };
            let current =
                cluster.seats.get(side).and_then(|seat| seat.after.as_ref()).map(|local| &local.raw);
            let claim = (current != Some(&row), index);
            let Some(owner) = owners.get_mut(&key) else {
                owners.insert(key, claim);
                continue;
            };
            let loser = if claim < *owner { std::mem::replace(owner, claim).1 } else { index };
            if let Some(decision) = table.decisions.get_mut(loser) {
                blocked |= !decision.frozen && decision.blocked.insert(side);
            }
        }
    }
    blocked
}

/// Holds rows that point at a row which is held where it is new, and blocks them where it cannot be.
fn hold_orphans(tables: &mut [TableState], child: usize, sides: usize) -> bool {
    let Some(references) = tables.get(child).map(|table| table.rules.references.clone()) else {
        return false;
    };
    let mut moved = false;
    for reference in &references {
        let Some(parent) = tables.get(reference.parent) else { continue };
        let mut frozen: BTreeSet<Key> = BTreeSet::new();
        let mut blocked: Vec<BTreeSet<Key>> = vec![BTreeSet::new(); sides];
        for (cluster, decision) in parent.clusters.iter().zip(&parent.decisions) {
            if decision.frozen && cluster.merged.is_none() {
                // Rows that point at it do so by the id that it was to get.
                let rows = cluster.seats.iter().filter_map(|seat| seat.after.as_ref());
                let rows = rows.map(|local| match (parent.rules.assigned_id(), cluster.id) {
                    (Some(column), Some(id)) => with_cell(&local.row, column, &Value::Integer(id)),
                    _ => local.row.clone(),
                });
                frozen.extend(rows.filter_map(|row| key_of(&row, &reference.parent_columns)));
            }
            for side in &decision.blocked {
                let absent = cluster.seats.get(*side).is_some_and(|seat| seat.after.is_none());
                let key =
                    decision.row(&parent.rules, cluster).and_then(|r| key_of(&r, &reference.parent_columns));
                if let (true, Some(key), Some(keys)) = (absent, key, blocked.get_mut(*side)) {
                    keys.insert(key);
                }
            }
        }
        let columns = reference.pointers();
        let Some(table) = tables.get_mut(child) else { continue };
        for (cluster, decision) in table.clusters.iter().zip(table.decisions.iter_mut()) {
            let Some(key) = decision.row(&table.rules, cluster).and_then(|row| key_of(&row, &columns)) else {
                continue;
            };
            if frozen.contains(&key) {
                *decision = Decision { frozen: true, ..Decision::default() };
                moved = true;
                continue;
            }
            for (side, keys) in blocked.iter().enumerate() {
                moved |= keys.contains(&key) && decision.blocked.insert(side);
            }
        }
        let waiting: Vec<(SideIndex, Row)> = table
            .contents
            .additions()
            .filter(|(_, _, row)| key_of(row, &columns).is_some_and(|key| frozen.contains(&key)))
            .map(|(side, raw, _)| (side, raw.clone()))
            .collect();
        for (side, row) in waiting {
            table.contents.keep(side, &row);
            moved = true;
        }
    }
    moved
}
