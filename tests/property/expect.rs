//! What every side must hold after a run, what must be reported, and what the next run starts from.
//!
//! Apart from `merge`, which knows one row. Restores parents, finds collisions of unique values, says which ids are
//! free to choose. It never looks at the engine's plan, only at what was there before.

use std::collections::{BTreeMap, BTreeSet};

use super::merge::{Clash, Fate, Meeting, Merged, Part, merge};
use super::model::{Cell, Content, Row, Snap, Token, ancestor, fold};
use super::schema::{Domain, Identity, Table};
use crate::common::{Dump, Val};

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
    kept: Vec<(String, Token)>,
    held: Vec<(String, Token, BTreeSet<usize>)>,
}

/// A merged table.
type Merge = BTreeMap<Token, Fate>;

pub(crate) fn expect(frame: &Frame<'_>, before: &Before) -> Expected {
    let mut out = Expected { sides: before.now.iter().map(|now| now.as_ref().map(|_| BTreeMap::new())).collect(), ..Expected::default() };
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
        collisions(table, &all[&table.name], &mut out);
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

fn content<'a>(snap: Option<&'a Snap>, table: &Table) -> Option<&'a Content> {
    snap.and_then(|snap| snap.get(&table.name))
}

fn row_in<'a>(snap: Option<&'a Snap>, table: &Table, token: &Token) -> Option<&'a Row> {
    content(snap, table).and_then(|content| content.rows.get(token))
}

fn sides(before: &Before) -> impl Iterator<Item = usize> + '_ {
    (0..before.now.len()).filter(|side| before.now[*side].is_some())
}

fn tokens(before: &Before, table: &Table) -> BTreeSet<Token> {
    sides(before)
        .flat_map(|side| [content(before.ancestors[side].as_ref(), table), content(before.now[side].as_ref(), table)])
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
    let anyone: Vec<usize> = (0..frame.rank.len()).filter(|side| *side != late).map(|side| frame.rank[side]).collect();
    let (row, ranks) = match &others {
        Fate::Here(merged) => {
            let cells = merged.cells.iter().map(|allowed| allowed[0].clone()).collect();
            let ranks = merged
                .from
                .iter()
                .map(|from| {
                    if from.is_empty() { anyone.clone() } else { from.iter().map(|side| frame.rank[*side]).collect() }
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
    for clash in more {
        match clashes.iter_mut().find(|one| one.kind == clash.kind) {
            Some(one) => one.columns.extend(clash.columns),
            None => clashes.push(clash),
        }
    }
    (fate, clashes)
}

fn restore_parents(frame: &Frame<'_>, before: &Before, all: &mut BTreeMap<String, Merge>, out: &mut Expected) {
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
                let old = sides(before).find_map(|side| row_in(before.ancestors[side].as_ref(), parent, &token));
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

/// Rows that would share a unique value, or a key.
fn collisions(table: &Table, merged: &Merge, out: &mut Expected) {
    let rows: Vec<(&Token, &Merged)> = merged
        .iter()
        .filter_map(|(token, fate)| match fate {
            Fate::Here(row) => Some((token, row)),
            _ => None,
        })
        .collect();
    let mut keys = BTreeSet::new();
    for (_, row) in &rows {
        let key: Vec<Val> = table.key().iter().map(|at| folded(table, *at, &row.cells[*at][0])).collect();
        if !key.is_empty() && !keys.insert(key) {
            out.undecided = true;
        }
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
        for group in groups.into_values().filter(|group| group.len() > 1) {
            for token in group {
                out.exempt.insert((table.name.clone(), token.clone()));
            }
        }
    }
}

fn folded(table: &Table, at: usize, cell: &Cell) -> Val {
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
                    if let Some(own) = own {
                        cells[*at] = vec![own.cells[*at].clone()];
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
    let count = |snap: Option<&Snap>, row: &Vec<Val>| content(snap, table).and_then(|c| c.bag.get(row)).copied().unwrap_or(0);
    let rows: BTreeSet<Vec<Val>> = sides(before)
        .flat_map(|side| [before.ancestors[side].as_ref(), before.now[side].as_ref()])
        .filter_map(|snap| content(snap, table))
        .flat_map(|content| content.bag.keys().cloned())
        .collect();
    let mut bag = BTreeMap::new();
    for row in rows {
        let delta = |side: usize| count(before.now[side].as_ref(), &row) - count(before.ancestors[side].as_ref(), &row);
        let allowed = if before.meeting == Meeting::First {
            vec![sides(before).map(|side| count(before.now[side].as_ref(), &row)).max().unwrap_or(0)]
        } else if table.append_only {
            let others: i64 = sides(before).filter(|other| *other != side).map(|other| delta(other).max(0)).sum();
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
                let first = rivals.iter().all(|rival| matches!(rival, Token::New(..)) && best(token) < best(rival));
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
    if before.meeting == Meeting::First || (before.late.is_some() && !moved.is_empty()) {
        return IdRule::Free;
    }
    let taken = sides(before)
        .flat_map(|side| [before.ancestors[side].as_ref(), before.now[side].as_ref()])
        .filter_map(|snap| content(snap, table))
        .flat_map(|content| &content.rows)
        .any(|(other, row)| other != token && (row.id == Some(want) || row.id == base));
    if taken { IdRule::Free } else { IdRule::Exact(want) }
}

/// What differs between a side and what was expected, and the side's numbers by what they mean.
pub(crate) fn compare(
    frame: &Frame<'_>,
    want: &BTreeMap<String, WantTable>,
    exempt: &BTreeSet<(String, Token)>,
    dump: &Dump,
) -> Vec<String> {
    let mut lines = Vec::new();
    let mut numbers: BTreeMap<String, BTreeMap<i64, Token>> = BTreeMap::new();
    for table in frame.tables {
        let want = &want[&table.name];
        let mut left: Vec<Option<&Vec<Val>>> = Vec::new();
        let mut bag: BTreeMap<Vec<Val>, i64> = BTreeMap::new();
        for raw in &dump[&table.name].rows {
            let keyless = table.identity == Identity::Bag
                || (matches!(table.identity, Identity::Key(_)) && super::model::key_of(table, raw).is_none());
            if keyless { *bag.entry(raw.clone()).or_default() += 1 } else { left.push(Some(raw)) }
        }
        let mut mine = BTreeMap::new();
        for row in &want.rows {
            let spared = exempt.contains(&(table.name.clone(), row.token.clone()));
            let found = left.iter().position(|raw| raw.is_some_and(|raw| fits(table, row, raw, &numbers, spared)));
            match found {
                Some(at) => {
                    let raw = left[at].take().unwrap();
                    if let Some(Val::Int(id)) = table.id().map(|at| &raw[at]) {
                        mine.insert(*id, row.token.clone());
                    }
                }
                None if spared => {}
                None => lines.push(format!("{} lacks {} ({:?}, id {:?})", table.name, show(&row.cells), row.token, row.id)),
            }
        }
        lines.extend(left.iter().flatten().map(|raw| format!("{} has too much: {raw:?}", table.name)));
        for row in want.bag.keys().chain(bag.keys().filter(|row| !want.bag.contains_key(*row))) {
            let (allowed, has) = (want.bag.get(row).cloned().unwrap_or(vec![0]), bag.get(row).copied().unwrap_or(0));
            if !allowed.contains(&has) {
                lines.push(format!("{} has {has} times {row:?}, wanted {allowed:?}", table.name));
            }
        }
        numbers.insert(table.name.clone(), mine);
    }
    lines
}

fn show(cells: &[Vec<Cell>]) -> String {
    let one = |cell: &Cell| match cell {
        Cell::V(value) => format!("{value:?}"),
        Cell::To(token) => format!("->{token:?}"),
        Cell::Missing => "missing".into(),
    };
    cells.iter().map(|allowed| allowed.iter().map(one).collect::<Vec<_>>().join(" or ")).collect::<Vec<_>>().join(", ")
}

fn fits(
    table: &Table,
    row: &Want,
    raw: &[Val],
    numbers: &BTreeMap<String, BTreeMap<i64, Token>>,
    spared: bool,
) -> bool {
    if spared {
        return match &row.token {
            Token::Key(key) => super::model::key_of(table, raw).as_ref() == Some(key),
            Token::Id(id) | Token::New(_, id) => table.id().is_some_and(|at| raw[at] == Val::Int(*id)),
        };
    }
    let id = table.id().map(|at| &raw[at]);
    let id_fits = match (&row.id, id) {
        (IdRule::Exact(want), Some(Val::Int(id))) => want == id,
        (IdRule::Above(low), Some(Val::Int(id))) => id > low,
        _ => true,
    };
    id_fits
        && table.columns.iter().enumerate().all(|(at, column)| match (&column.domain, &raw[at]) {
            (Domain::Id, _) => true,
            (Domain::Ref(parent), Val::Int(id)) => {
                let cell = numbers.get(parent).and_then(|all| all.get(id)).map(|token| Cell::To(token.clone()));
                row.cells[at].iter().any(|allowed| match (allowed, &cell) {
                    (Cell::To(_), Some(cell)) => allowed == cell,
                    (Cell::V(Val::Int(number)), None) => number == id,
                    _ => false,
                })
            }
            (_, value) => row.cells[at].contains(&Cell::V(value.clone())),
        })
}

/// What the next run starts from: the sides as they are, but for what was deliberately not merged.
pub(crate) fn after(
    frame: &Frame<'_>,
    before: Before,
    out: &Expected,
    dumps: &[Dump],
) -> (Vec<Option<Snap>>, BTreeSet<(String, Token)>) {
    let mut ancestors = before.ancestors.clone();
    let mut held = BTreeSet::new();
    for side in sides(&before) {
        let mut snap = ancestor(frame.tables, &dumps[side]);
        let old = |table: &Table, token: &Token| row_in(before.ancestors[side].as_ref(), table, token).cloned();
        for (name, token) in &out.kept {
            let table = frame.tables.iter().find(|table| table.name == *name).unwrap();
            let rows = &mut snap.get_mut(name).unwrap().rows;
            if let Some(row) = row_in(before.now[side].as_ref(), table, token) {
                rows.remove(&landing(table, token, &row.cells));
            }
            if let Some(row) = old(table, token) {
                rows.insert(token.clone(), row);
            }
            if !table.append_only {
                held.insert((name.clone(), token.clone()));
            }
        }
        for (name, token, columns) in &out.held {
            let table = frame.tables.iter().find(|table| table.name == *name).unwrap();
            let want = out.sides[side].as_ref().and_then(|all| all[name].rows.iter().find(|row| row.token == *token));
            let cells: Vec<Cell> = want.unwrap().cells.iter().map(|allowed| allowed[0].clone()).collect();
            let place = landing(table, token, &cells);
            let base = old(table, token);
            if let Some(row) = snap.get_mut(name).unwrap().rows.get_mut(&place) {
                for at in columns {
                    row.cells[*at] = base.as_ref().map_or(Cell::Missing, |row| row.cells[*at].clone());
                }
            }
            held.insert((name.clone(), place));
        }
        ancestors[side] = Some(snap);
    }
    (ancestors, held)
}

/// The token a merged row has afterwards.
fn landing(table: &Table, token: &Token, cells: &[Cell]) -> Token {
    match token {
        Token::Key(_) => Token::Key(table.key().iter().map(|at| folded(table, *at, &cells[*at])).collect()),
        Token::New(_, id) => Token::Id(*id),
        Token::Id(_) => token.clone(),
    }
}
