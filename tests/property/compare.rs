//! Side by side: what a side holds and what it was expected to hold, and what that means for the next run.
//!
//! Apart from `expect`, which never sees the outcome.

use std::collections::{BTreeMap, BTreeSet};

use super::expect::{Before, Expected, Frame, IdRule, Want, WantTable, folded, row_in, sides};
use super::model::{Cell, Snap, Token, ancestor, key_of};
use super::schema::{Domain, Identity, Table};
use crate::common::{Dump, Val};

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
                || (matches!(table.identity, Identity::Key(_)) && key_of(table, raw).is_none());
            if keyless { *bag.entry(raw.clone()).or_default() += 1 } else { left.push(Some(raw)) }
        }
        let mut mine = BTreeMap::new();
        for row in &want.rows {
            let spared = exempt.contains(&(table.name.clone(), row.token.clone()));
            let found =
                left.iter().position(|raw| raw.is_some_and(|raw| fits(table, row, raw, &numbers, spared)));
            match found {
                Some(at) => {
                    let raw = left[at].take().unwrap();
                    if let Some(Val::Int(id)) = table.id().map(|at| &raw[at]) {
                        mine.insert(*id, row.token.clone());
                    }
                }
                None if spared => {}
                None => lines.push(format!(
                    "{} lacks {} ({:?}, id {:?})",
                    table.name,
                    show(&row.cells),
                    row.token,
                    row.id
                )),
            }
        }
        lines.extend(left.iter().flatten().map(|raw| format!("{} has too much: {raw:?}", table.name)));
        for row in want.bag.keys().chain(bag.keys().filter(|row| !want.bag.contains_key(*row))) {
            let (allowed, has) =
                (want.bag.get(row).cloned().unwrap_or(vec![0]), bag.get(row).copied().unwrap_or(0));
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
    cells
        .iter()
        .map(|allowed| allowed.iter().map(one).collect::<Vec<_>>().join(" or "))
        .collect::<Vec<_>>()
        .join(", ")
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
            Token::Key(key) => {
                let merged: Vec<Val> =
                    table.key().iter().map(|at| folded(table, *at, &row.cells[*at][0])).collect();
                key_of(table, raw).is_some_and(|has| has == *key || has == merged)
            }
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
                let cell =
                    numbers.get(parent).and_then(|all| all.get(id)).map(|token| Cell::To(token.clone()));
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
        let old =
            |table: &Table, token: &Token| row_in(before.ancestors[side].as_ref(), table, token).cloned();
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
            let want = out.sides[side]
                .as_ref()
                .and_then(|all| all[name].rows.iter().find(|row| row.token == *token));
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
