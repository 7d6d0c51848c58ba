//! Where merged rows get into each other's way, and where the design leaves the outcome open.
//!
//! Apart from `expect`, which merges rows one at a time. It only marks rows: what is marked is checked loosely.

use std::collections::{BTreeMap, BTreeSet};

use super::expect::{Before, Expected, Merge, content, folded, row_in, sides};
use super::merge::{Fate, Merged};
use super::model::{Cell, Content, Token};
use super::schema::{Domain, Identity, Orphan, Table};
use crate::common::Val;

/// Rows that would share a unique value, or a key.
pub(crate) fn collisions(before: &Before, table: &Table, merged: &Merge, out: &mut Expected) {
    let rows: Vec<(&Token, &Merged)> = merged
        .iter()
        .filter_map(|(token, fate)| match fate {
            Fate::Here(row) => Some((token, row)),
            _ => None,
        })
        .collect();
    let mut keys = BTreeSet::new();
    for (_, row) in &rows {
        // A key column may have several allowed values: any of them may be in the way.
        let mut mine = vec![Vec::new()];
        for at in table.key() {
            let longer = |key: &Vec<Val>| {
                row.cells[*at]
                    .iter()
                    .map(|cell| [key.clone(), vec![folded(table, *at, cell)]].concat())
                    .collect()
            };
            mine = mine.iter().flat_map(|key| -> Vec<Vec<Val>> { longer(key) }).collect();
        }
        mine.sort();
        mine.dedup();
        for key in mine {
            out.undecided |= !table.key().is_empty() && !keys.insert(key);
        }
    }
    // A reference that points at nothing anybody knows may come to point at something by chance.
    for (at, _) in
        table.columns.iter().enumerate().filter(|(_, column)| matches!(column.domain, Domain::Ref(_)))
    {
        let mut now = sides(before).filter_map(|side| content(before.now[side].as_ref(), table));
        out.undecided |=
            now.any(|now| now.rows.values().any(|row| matches!(row.cells[at], Cell::V(Val::Int(_)))));
    }
    for (token, _) in merged.iter().filter(|(_, fate)| matches!(fate, Fate::Kept)) {
        for row in sides(before).filter_map(|side| row_in(before.now[side].as_ref(), table, token)) {
            let key: Vec<Val> = table.key().iter().map(|at| folded(table, *at, &row.cells[*at])).collect();
            out.undecided |= keys.contains(&key);
        }
    }
    // A row that is held whole may have been renamed meanwhile, or its name be given to another row: the design does
    // not say which of the two is the held one.
    for (_, token) in before.held.iter().filter(|(name, _)| *name == table.name) {
        out.undecided |= sides(before).any(|side| {
            let old = before.ancestors[side].as_ref();
            let fresh = |now: &Content| now.rows.keys().any(|other| row_in(old, table, other).is_none());
            let gone =
                |now: &Content| table.on_delete_update == Orphan::Hold || !now.rows.contains_key(token);
            row_in(old, table, token).is_some()
                && content(before.now[side].as_ref(), table).is_some_and(|now| gone(now) && fresh(now))
        });
    }
    for (at, column) in table.columns.iter().enumerate() {
        if column.domain != Domain::Unique {
            continue;
        }
        let mut groups: BTreeMap<Val, Vec<&Token>> = BTreeMap::new();
        for (token, row) in &rows {
            groups.entry(folded(table, at, &row.cells[at][0])).or_default().push(token);
        }
        groups.remove(&Val::Null);
        let mut spared: BTreeSet<&Token> =
            groups.values().filter(|group| group.len() > 1).flatten().copied().collect();
        // A row that stays on its own side keeps its value there, so that others cannot have it.
        loop {
            let kept: BTreeSet<Val> = sides(before)
                .flat_map(|side| {
                    spared.iter().filter_map(move |token| row_in(before.now[side].as_ref(), table, token))
                })
                .map(|row| folded(table, at, &row.cells[at]))
                .collect();
            let size = spared.len();
            spared
                .extend(groups.iter().filter(|(value, _)| kept.contains(value)).flat_map(|(_, group)| group));
            if spared.len() == size {
                break;
            }
        }
        out.exempt.extend(spared.into_iter().map(|token| (table.name.clone(), token.clone())));
    }
}

/// On some side a row's old name, or its old number, was given to another row: which of the two is the old row depends
/// on whether the table is referenced, and edits of the other sides may then meet either.
pub(crate) fn takes_a_name_over(before: &Before, table: &Table) -> bool {
    let one_side = |side: usize| {
        let old = content(before.ancestors[side].as_ref(), table);
        let now = content(before.now[side].as_ref(), table);
        let (Some(old), Some(now)) = (old, now) else { return false };
        let name = old.rows.iter().any(|(token, row)| {
            now.rows.get(token).is_some_and(|moved| moved.id != row.id)
                && now.rows.iter().any(|(other, heir)| heir.id == row.id && !old.rows.contains_key(other))
        });
        let number = now.rows.iter().any(|(token, row)| {
            table.referenced && old.rows.iter().any(|(other, was)| other != token && was.id == row.id)
        });
        name || number
    };
    matches!(table.identity, Identity::Natural { .. }) && !table.exclude && sides(before).any(one_side)
}

/// While a side was away, a number it knows was given to another name: a row deleted and another inserted look like one
/// row renamed, and what the side did to the old row may follow it there.
pub(crate) fn renamed_while_away(before: &Before, hub: usize, table: &Table) -> bool {
    let Some(late) = before.late else { return false };
    let old = content(before.ancestors[late].as_ref(), table);
    let merged = content(before.ancestors[hub].as_ref(), table);
    let (Some(old), Some(merged)) = (old, merged) else { return false };
    matches!(table.identity, Identity::Natural { .. })
        && old.rows.iter().any(|(token, row)| {
            !merged.rows.contains_key(token)
                && merged.rows.iter().any(|(other, heir)| heir.id == row.id && !old.rows.contains_key(other))
        })
}
