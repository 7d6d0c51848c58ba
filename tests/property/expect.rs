//! What every side must hold after a run, what must be reported, and what the next run starts from.
//!
//! Apart from `merge`, which knows one row. Restores parents, finds collisions of unique values, says which ids are
//! free to choose. It never looks at the engine's plan, only at what was there before.

use std::collections::{BTreeMap, BTreeSet};

use super::collide::{collisions, renamed_while_away, takes_a_name_over};
use super::merge::{Clash, Fate, Meeting, Merged, Part, merge};
use super::model::{Cell, Content, Row, Snap, Token, fold};
use super::schema::{Domain, Identity, Table};
use crate::common::Val;

/// What does not change during a case.
pub(crate) struct Frame<'a> {
    pub(crate) tables: &'a [Table],
    pub(crate) hub: usize,
    /// Preference of each side, smaller wins.
    pub(crate) rank: Vec<usize>,
}

/// What is known before a run.
pub(crate) struct Before {
    pub(crate) ancestors: Vec<Option<Snap>>,
    /// `None`: this side takes no part.
    pub(crate) now: Vec<Option<Snap>>,
    /// The side that missed the last run.
    pub(crate) late: Option<usize>,
    /// Rows that were held before; their conflicts may or may not be reported again.
    pub(crate) held: BTreeSet<(String, Token)>,
    pub(crate) meeting: Meeting,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IdRule {
    Exact(i64),
    Above(i64),
    Free,
}

#[derive(Clone, Debug)]
pub(crate) struct Want {
    pub(crate) token: Token,
    pub(crate) cells: Vec<Vec<Cell>>,
    pub(crate) id: IdRule,
}

#[derive(Clone, Default, Debug)]
pub(crate) struct WantTable {
    pub(crate) rows: Vec<Want>,
    pub(crate) bag: BTreeMap<Vec<Val>, Vec<i64>>,
}

#[derive(Default)]
pub(crate) struct Expected {
    pub(crate) sides: Vec<Option<BTreeMap<String, WantTable>>>,
    pub(crate) clashes: Vec<(String, Token, Clash)>,
    /// Rows whose outcome is not checked cell by cell: they collide over a unique value.
    pub(crate) exempt: BTreeSet<(String, Token)>,
    /// The design does not say what happens: only that nothing is lost.
    pub(crate) undecided: bool,
    /// Parents that must come back.
    pub(crate) restored: Vec<(String, Token)>,
    pub(crate) kept: Vec<(String, Token)>,
    pub(crate) held: Vec<(String, Token, BTreeSet<usize>)>,
}

/// A merged table.
pub(crate) type Merge = BTreeMap<Token, Fate>;

pub(crate) fn expect(frame: &Frame<'_>, before: &Before) -> Expected {
    let mut out = Expected {
        sides: before.now.iter().map(|now| now.as_ref().map(|_| BTreeMap::new())).collect(),
        ..Expected::default()
    };
    let mut all: BTreeMap<String, Merge> = BTreeMap::new();
    for table in frame.tables {
        let mut merged = Merge::new();
        if !table.exclude {
            for token in tokens(before, table) {
                merge_token(frame, before, table, &token, &mut merged, &mut out);
            }
        }
        all.insert(table.name.clone(), merged);
    }
    restore_parents(frame, before, &mut all, &mut out);
    for table in frame.tables {
        collisions(before, table, &all[&table.name], &mut out);
        out.undecided |= takes_a_name_over(before, table) || renamed_while_away(before, frame.hub, table);
    }
    for side in 0..before.now.len() {
        if before.now[side].is_none() {
            continue;
        }
        for table in frame.tables {
            let want = want_table(frame, before, table, side, &all[&table.name]);
            if let Some(tables) = &mut out.sides[side] {
                tables.insert(table.name.clone(), want);
            }
        }
    }
    for (table, token, clash) in &mut out.clashes {
        clash.optional |= before.held.contains(&(table.clone(), token.clone()));
    }
    out
}

pub(crate) fn content<'a>(snap: Option<&'a Snap>, table: &Table) -> Option<&'a Content> {
    snap.and_then(|snap| snap.get(&table.name))
}

pub(crate) fn row_in<'a>(snap: Option<&'a Snap>, table: &Table, token: &Token) -> Option<&'a Row> {
    content(snap, table).and_then(|content| content.rows.get(token))
}

pub(crate) fn sides(before: &Before) -> impl Iterator<Item = usize> + '_ {
    (0..before.now.len()).filter(|side| before.now[*side].is_some())
}

fn tokens(before: &Before, table: &Table) -> BTreeSet<Token> {
    sides(before)
        .flat_map(|side| {
            [content(before.ancestors[side].as_ref(), table), content(before.now[side].as_ref(), table)]
        })
        .flatten()
        .flat_map(|content| content.rows.keys().cloned())
        .collect()
}

fn merge_token(
    frame: &Frame<'_>,
    before: &Before,
    table: &Table,
    token: &Token,
    merged: &mut Merge,
    out: &mut Expected,
) {
    let known = sides(before).any(|side| row_in(before.ancestors[side].as_ref(), table, token).is_some());
    if table.append_only && known {
        merged.insert(token.clone(), Fate::Kept);
        out.kept.push((table.name.clone(), token.clone()));
        return;
    }
    let width = table.columns.len();
    let parts: Vec<Part<'_>> = sides(before)
        .filter(|side| before.late != Some(*side))
        .map(|side| Part {
            who: side,
            row: row_in(before.now[side].as_ref(), table, token),
            ranks: vec![vec![frame.rank[side]]; width],
        })
        .collect();
    let base = row_in(before.ancestors[frame.hub].as_ref(), table, token);
    let (mut fate, mut clashes) = merge(table, base, &parts, before.meeting);
    if let Some(late) = before.late {
        (fate, clashes) = catch_up(frame, before, table, token, late, fate, clashes);
    }
    match &fate {
        Fate::Kept => out.kept.push((table.name.clone(), token.clone())),
        Fate::Here(row) if !row.held.is_empty() => {
            out.held.push((table.name.clone(), token.clone(), row.held.clone()));
        }
        _ => {}
    }
    out.clashes.extend(clashes.into_iter().map(|clash| (table.name.clone(), token.clone(), clash)));
    merged.insert(token.clone(), fate);
}

/// The side that missed a run: merged as (its old ancestor, itself, what the others made).
fn catch_up(
    frame: &Frame<'_>,
    before: &Before,
    table: &Table,
    token: &Token,
    late: usize,
    others: Fate,
    mut clashes: Vec<Clash>,
) -> (Fate, Vec<Clash>) {
    let width = table.columns.len();
    let anyone: Vec<usize> =
        (0..frame.rank.len()).filter(|side| *side != late).map(|side| frame.rank[side]).collect();
    let (row, ranks) = match &others {
        Fate::Here(merged) => {
            let cells = merged.cells.iter().map(|allowed| allowed[0].clone()).collect();
            let ranks = merged
                .from
                .iter()
                .map(|from| {
                    if from.is_empty() {
                        anyone.clone()
                    } else {
                        from.iter().map(|side| frame.rank[*side]).collect()
                    }
                })
                .collect();
            (Some(Row { cells, id: None }), ranks)
        }
        _ => (None, vec![anyone.clone(); width]),
    };
    let parts = [
        Part {
            who: late,
            row: row_in(before.now[late].as_ref(), table, token),
            ranks: vec![vec![frame.rank[late]]; width],
        },
        Part { who: usize::MAX, row: row.as_ref(), ranks },
    ];
    let base = row_in(before.ancestors[late].as_ref(), table, token);
    let (fate, more) = merge(table, base, &parts, before.meeting);
    if matches!(fate, Fate::Gone) && !more.is_empty() {
        // What the others disagreed about is gone with the row; the one entry shows what everybody had.
        clashes.iter_mut().for_each(|clash| clash.optional = true);
    }
    for clash in more {
        match clashes.iter_mut().find(|one| one.kind == clash.kind) {
            // One entry for both meetings, or one for each.
            Some(_) if clash.columns.is_empty() => clashes.push(Clash { optional: true, ..clash }),
            Some(one) => one.columns.extend(clash.columns),
            None => clashes.push(clash),
        }
    }
    (fate, clashes)
}

fn restore_parents(
    frame: &Frame<'_>,
    before: &Before,
    all: &mut BTreeMap<String, Merge>,
    out: &mut Expected,
) {
    for table in frame.tables.iter().filter(|table| !table.exclude) {
        for (at, column) in table.columns.iter().enumerate() {
            let Domain::Ref(parent_name) = &column.domain else { continue };
            let Some(parent) = frame.tables.iter().find(|table| table.name == *parent_name) else { continue };
            let wanted: BTreeSet<Token> = all[&table.name]
                .values()
                .filter_map(|fate| match fate {
                    Fate::Here(row) => match &row.cells[at][..] {
                        [Cell::To(token)] => Some(token.clone()),
                        _ => None,
                    },
                    _ => None,
                })
                .collect();
            for token in wanted {
                if !matches!(all[parent_name].get(&token), None | Some(Fate::Gone)) {
                    continue;
                }
                // What was merged last; a side that was away remembers an older state.
                let old = std::iter::once(frame.hub)
                    .chain(sides(before))
                    .find_map(|side| row_in(before.ancestors[side].as_ref(), parent, &token));
                // Some side itself left a child behind when it deleted the parent: garbage that may stay garbage.
                out.undecided |= sides(before).any(|side| {
                    row_in(before.now[side].as_ref(), parent, &token).is_none()
                        && content(before.now[side].as_ref(), table).is_some_and(|now| {
                            now.rows.values().any(|row| row.cells[at] == Cell::To(token.clone()))
                        })
                });
                if let Some(row) = old {
                    let cells = row.cells.iter().map(|cell| vec![cell.clone()]).collect::<Vec<_>>();
                    let from = vec![Vec::new(); cells.len()];
                    let merged = Merged { cells, held: BTreeSet::new(), from };
                    all.get_mut(parent_name).unwrap().insert(token.clone(), Fate::Here(merged));
                    out.restored.push((parent_name.clone(), token));
                }
            }
        }
    }
}

pub(crate) fn folded(table: &Table, at: usize, cell: &Cell) -> Val {
    match cell {
        Cell::V(value) => fold(table.columns[at].coll, value),
        other => Val::text(format!("{other:?}")),
    }
}

fn want_table(frame: &Frame<'_>, before: &Before, table: &Table, side: usize, merged: &Merge) -> WantTable {
    let now = content(before.now[side].as_ref(), table);
    let mut want = WantTable::default();
    if table.exclude {
        for (token, row) in now.into_iter().flat_map(|now| &now.rows) {
            want.rows.push(as_is(token, row));
        }
        want.bag = now.into_iter().flat_map(|now| &now.bag).map(|(k, n)| (k.clone(), vec![*n])).collect();
        return want;
    }
    for (token, fate) in merged {
        let own = now.and_then(|now| now.rows.get(token));
        match (fate, own) {
            (Fate::Gone, _) | (Fate::Kept, None) => {}
            (Fate::Kept, Some(row)) => want.rows.push(as_is(token, row)),
            (Fate::Here(row), own) => {
                let mut cells = row.cells.clone();
                for at in &row.held {
                    match own {
                        Some(own) => cells[*at] = vec![own.cells[*at].clone()],
                        // A side that gets the row back has no cell of its own: any of the known values will do.
                        None => cells[*at].extend(
                            row_in(before.ancestors[side].as_ref(), table, token)
                                .map(|old| old.cells[*at].clone()),
                        ),
                    }
                }
                let id = id_rule(frame, before, table, token, merged);
                want.rows.push(Want { token: token.clone(), cells, id });
            }
        }
    }
    want.rows.sort_by_key(|row| !matches!(row.id, IdRule::Exact(_)));
    want.bag = bags(frame, before, table, side);
    want
}

fn as_is(token: &Token, row: &Row) -> Want {
    Want {
        token: token.clone(),
        cells: row.cells.iter().map(|cell| vec![cell.clone()]).collect(),
        id: row.id.map_or(IdRule::Free, IdRule::Exact),
    }
}

fn bags(frame: &Frame<'_>, before: &Before, table: &Table, side: usize) -> BTreeMap<Vec<Val>, Vec<i64>> {
    let count = |snap: Option<&Snap>, row: &Vec<Val>| {
        content(snap, table).and_then(|c| c.bag.get(row)).copied().unwrap_or(0)
    };
    let rows: BTreeSet<Vec<Val>> = sides(before)
        .flat_map(|side| [before.ancestors[side].as_ref(), before.now[side].as_ref()])
        .filter_map(|snap| content(snap, table))
        .flat_map(|content| content.bag.keys().cloned())
        .collect();
    let mut bag = BTreeMap::new();
    for row in rows {
        let delta = |side: usize| {
            count(before.now[side].as_ref(), &row) - count(before.ancestors[side].as_ref(), &row)
        };
        let allowed = if before.meeting == Meeting::First {
            vec![sides(before).map(|side| count(before.now[side].as_ref(), &row)).max().unwrap_or(0)]
        } else if table.append_only {
            let others: i64 =
                sides(before).filter(|other| *other != side).map(|other| delta(other).max(0)).sum();
            vec![count(before.now[side].as_ref(), &row) + others]
        } else {
            let start = count(before.ancestors[frame.hub].as_ref(), &row);
            let early: i64 = sides(before).filter(|side| before.late != Some(*side)).map(delta).sum();
            let late = before.late.map_or(0, delta);
            vec![(start + early + late).max(0), ((start + early).max(0) + late).max(0)]
        };
        bag.insert(row, allowed);
    }
    bag
}

fn id_rule(frame: &Frame<'_>, before: &Before, table: &Table, token: &Token, merged: &Merge) -> IdRule {
    let here = |token: &Token| matches!(merged.get(token), Some(Fate::Here(_) | Fate::Kept));
    match &table.identity {
        Identity::Key(_) | Identity::Bag => IdRule::Free,
        Identity::Id(_) => match token {
            Token::Id(id) => IdRule::Exact(*id),
            Token::New(_, id) => {
                let gone =
                    |side: usize| row_in(before.ancestors[side].as_ref(), table, &Token::Id(*id)).is_some();
                if sides(before).any(gone) && !here(&Token::Id(*id)) {
                    // Another row had it once and is gone: it may be given again or not.
                    return IdRule::Free;
                }
                let best = |token: &Token| {
                    sides(before)
                        .filter(|side| row_in(before.now[*side].as_ref(), table, token).is_some())
                        .map(|side| frame.rank[side])
                        .min()
                };
                let rivals: Vec<&Token> = merged
                    .keys()
                    .filter(|other| *other != token && here(other))
                    .filter(|other| matches!(other, Token::New(_, n) | Token::Id(n) if n == id))
                    .collect();
                let first =
                    rivals.iter().all(|rival| matches!(rival, Token::New(..)) && best(token) < best(rival));
                if first { IdRule::Exact(*id) } else { IdRule::Above(largest_id(before, table)) }
            }
            Token::Key(_) => IdRule::Free,
        },
        Identity::Natural { .. } => natural_id(frame, before, table, token),
    }
}

fn largest_id(before: &Before, table: &Table) -> i64 {
    sides(before)
        .flat_map(|side| [before.ancestors[side].as_ref(), before.now[side].as_ref()])
        .filter_map(|snap| content(snap, table))
        .flat_map(|content| content.rows.values().filter_map(|row| row.id))
        .max()
        .unwrap_or(0)
}

fn natural_id(frame: &Frame<'_>, before: &Before, table: &Table, token: &Token) -> IdRule {
    let base = row_in(before.ancestors[frame.hub].as_ref(), table, token).and_then(|row| row.id);
    let mut moved: Vec<(usize, i64)> = sides(before)
        .filter_map(|side| Some((frame.rank[side], row_in(before.now[side].as_ref(), table, token)?.id?)))
        .filter(|(_, id)| Some(*id) != base)
        .collect();
    moved.sort();
    let want = match (base, moved.as_slice()) {
        (Some(id), []) => id,
        (Some(id), _) if table.referenced => id,
        (_, [(_, id), ..]) => *id,
        (None, []) => return IdRule::Free,
    };
    let held = before.held.contains(&(table.name.clone(), token.clone()));
    if held || before.meeting == Meeting::First || (before.late.is_some() && !moved.is_empty()) {
        return IdRule::Free;
    }
    let taken = sides(before)
        .flat_map(|side| [before.ancestors[side].as_ref(), before.now[side].as_ref()])
        .filter_map(|snap| content(snap, table))
        .flat_map(|content| &content.rows)
        .any(|(other, row)| other != token && (row.id == Some(want) || row.id == base));
    if taken { IdRule::Free } else { IdRule::Exact(want) }
}
