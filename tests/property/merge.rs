//! The decision table and the policies, as the design states them, one row at a time.
//!
//! Apart from `expect`, which applies this to whole sides. Where the design leaves a choice open, a cell has several
//! allowed values. Pure: no database, no clock.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::model::{Cell, Row};
use super::schema::{Orphan, Policy, Table};
use crate::common::Val;

/// What one side (or the already merged others) says about a row.
#[derive(Clone)]
pub(crate) struct Part<'a> {
    /// Who: a number that means the same in `Merged::own`.
    pub(crate) who: usize,
    pub(crate) row: Option<&'a Row>,
    /// Preference by column, smaller wins; several numbers where the origin of a value is not known.
    pub(crate) ranks: Vec<Vec<usize>>,
}

/// The merged row.
#[derive(Clone, Debug)]
pub(crate) struct Merged {
    /// Allowed values by column.
    pub(crate) cells: Vec<Vec<Cell>>,
    /// Columns that each side keeps as they are.
    pub(crate) held: BTreeSet<usize>,
    /// Who a column's value came from: parts that changed it to this value.
    pub(crate) from: Vec<Vec<usize>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Gone,
    Here(Merged),
    /// Every side keeps what it has.
    Kept,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Clash {
    pub(crate) kind: &'static str,
    /// Empty when the columns say nothing.
    pub(crate) columns: BTreeSet<usize>,
    /// It may also go unreported.
    pub(crate) optional: bool,
}

impl Clash {
    fn new(kind: &'static str, columns: BTreeSet<usize>, optional: bool) -> Clash {
        Clash { kind, columns, optional }
    }
}

/// Whether there is an ancestor at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Meeting {
    Usual,
    /// First adoption: nobody knows what was before.
    First,
}

/// Merges one row.
pub(crate) fn merge(
    table: &Table,
    base: Option<&Row>,
    parts: &[Part<'_>],
    meeting: Meeting,
) -> (Fate, Vec<Clash>) {
    let here: Vec<&Part<'_>> = parts.iter().filter(|part| part.row.is_some()).collect();
    if here.is_empty() {
        return (Fate::Gone, Vec::new());
    }
    let Some(base) = base else {
        let kind = if meeting == Meeting::First { "adoption" } else { "insert_insert" };
        let (merged, clash) = cells(table, None, &here, kind, meeting);
        return (Fate::Here(merged), clash);
    };
    let gone = parts.len() > here.len();
    let edited = here.iter().any(|part| part.row.is_some_and(|row| row.cells != base.cells));
    if !gone {
        let (merged, clash) = cells(table, Some(base), &here, "update_update", meeting);
        return (Fate::Here(merged), clash);
    }
    if !edited {
        return (Fate::Gone, Vec::new());
    }
    let mut clashes = vec![Clash::new("update_delete", BTreeSet::new(), false)];
    match table.on_delete_update {
        Orphan::Keep => {
            let (merged, more) = cells(table, Some(base), &here, "update_update", meeting);
            clashes.extend(more.into_iter().map(|clash| Clash { optional: true, ..clash }));
            (Fate::Here(merged), clashes)
        }
        Orphan::Delete => (Fate::Gone, clashes),
        Orphan::Hold => (Fate::Kept, clashes),
    }
}

fn cells(
    table: &Table,
    base: Option<&Row>,
    here: &[&Part<'_>],
    kind: &'static str,
    meeting: Meeting,
) -> (Merged, Vec<Clash>) {
    let mut merged = Merged { cells: Vec::new(), held: BTreeSet::new(), from: Vec::new() };
    let mut clashing = BTreeSet::new();
    for at in 0..table.columns.len() {
        let old = base.map(|row| &row.cells[at]);
        let changed: Vec<&Part<'_>> = here
            .iter()
            .copied()
            .filter(|part| part.row.is_some_and(|row| old != Some(&row.cells[at])))
            .collect();
        let choice = cell(table, at, old, &changed, meeting);
        let allowed = if choice.allowed.is_empty() {
            vec![old.cloned().unwrap_or(Cell::V(Val::Null))]
        } else {
            choice.allowed
        };
        merged.from.push(
            changed
                .iter()
                .filter(|part| part.row.is_some_and(|row| allowed.contains(&row.cells[at])))
                .map(|part| part.who)
                .collect(),
        );
        merged.cells.push(allowed);
        if choice.clash {
            clashing.insert(at);
        }
        if choice.held {
            merged.held.insert(at);
        }
    }
    // What is held waits for a person, what is decided does not: two entries.
    let (kept, decided): (BTreeSet<usize>, BTreeSet<usize>) =
        clashing.into_iter().partition(|at| merged.held.contains(at));
    let clashes = [kept, decided].into_iter().filter(|columns| !columns.is_empty());
    let clashes = clashes.map(|columns| Clash::new(kind, columns, false)).collect();
    (merged, clashes)
}

#[derive(Default)]
struct Choice {
    /// Empty: the ancestor's value.
    allowed: Vec<Cell>,
    clash: bool,
    held: bool,
}

impl Choice {
    fn only(cell: Cell) -> Choice {
        Choice { allowed: vec![cell], ..Choice::default() }
    }

    fn any(mut allowed: Vec<Cell>, clash: bool) -> Choice {
        allowed.sort();
        allowed.dedup();
        Choice { allowed, clash, held: false }
    }
}

fn cell(table: &Table, at: usize, old: Option<&Cell>, changed: &[&Part<'_>], meeting: Meeting) -> Choice {
    let value = |part: &Part<'_>| part.row.map(|row| row.cells[at].clone()).unwrap();
    let policy = table.policy(at);
    let mut distinct: Vec<Cell> = changed.iter().map(|part| value(part)).collect();
    if changed.is_empty() {
        return Choice::default();
    }
    if policy == Policy::Sum && changed.len() > 1 {
        if meeting == Meeting::First {
            distinct.sort();
            distinct.dedup();
            if let [one] = distinct.as_slice() {
                return Choice::only(one.clone());
            }
            if distinct.iter().all(|cell| number(cell).is_some()) {
                return Choice::any(extreme(&distinct, Ordering::Greater), true);
            }
            return prefer(at, changed);
        }
        if let Some(sum) = sum(old, &distinct) {
            return Choice::any(sum, false);
        }
    }
    distinct.sort();
    distinct.dedup();
    if let [one] = distinct.as_slice() {
        return Choice::only(one.clone());
    }
    match policy {
        Policy::Prefer | Policy::Sum => prefer(at, changed),
        Policy::Max => Choice::any(extreme(&distinct, Ordering::Greater), false),
        Policy::Min => Choice::any(extreme(&distinct, Ordering::Less), false),
        Policy::MinNonzero => {
            let real: Vec<Cell> =
                distinct.iter().filter(|cell| !matches!(number(cell), Some(0.0))).cloned().collect();
            let real: Vec<Cell> = real.into_iter().filter(|cell| *cell != Cell::V(Val::Null)).collect();
            if real.is_empty() {
                Choice::any(distinct, false)
            } else {
                Choice::any(extreme(&real, Ordering::Less), false)
            }
        }
        Policy::Hold => Choice { allowed: distinct, clash: true, held: true },
        Policy::Newest => newest(table, at, changed, distinct),
    }
}

/// The value of the most preferred side that changed the cell.
fn prefer(at: usize, changed: &[&Part<'_>]) -> Choice {
    let first = |part: &Part<'_>| part.ranks[at].iter().copied().min().unwrap();
    let last = |part: &Part<'_>| part.ranks[at].iter().copied().max().unwrap();
    let allowed = changed
        .iter()
        .filter(|part| changed.iter().all(|other| other.who == part.who || first(part) < last(other)))
        .map(|part| part.row.map(|row| row.cells[at].clone()).unwrap())
        .collect();
    Choice::any(allowed, true)
}

fn number(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::V(value) => value.number(),
        _ => None,
    }
}

fn whole(cell: &Cell) -> bool {
    matches!(cell, Cell::V(Val::Int(_)))
}

fn sum(old: Option<&Cell>, values: &[Cell]) -> Option<Vec<Cell>> {
    let start = match old {
        None => 0.0,
        Some(cell) => number(cell)?,
    };
    let mut total = start;
    for value in values {
        total += number(value)? - start;
    }
    let integer = Cell::V(Val::Int(total as i64));
    let real = Cell::V(Val::real(total));
    let all_whole = values.iter().all(whole) && old.is_none_or(whole);
    Some(if all_whole {
        vec![integer]
    } else if total.fract() == 0.0 {
        vec![integer, real]
    } else {
        vec![real]
    })
}

/// Numbers before text before blobs; NULL is told apart by the caller of `extreme`.
fn order(left: &Cell, right: &Cell) -> Ordering {
    let class = |cell: &Cell| match cell {
        Cell::V(Val::Null) | Cell::Missing => 0,
        Cell::V(Val::Int(_) | Val::Real(_)) => 1,
        Cell::V(Val::Text(_)) => 2,
        Cell::V(Val::Blob(_)) => 3,
        Cell::To(_) => 4,
    };
    match (left, right) {
        (Cell::V(Val::Int(l)), Cell::V(Val::Int(r))) => l.cmp(r),
        _ => match (number(left), number(right)) {
            (Some(l), Some(r)) => l.partial_cmp(&r).unwrap_or(Ordering::Equal),
            _ if class(left) != class(right) => class(left).cmp(&class(right)),
            _ => left.cmp(right),
        },
    }
}

/// The largest or smallest values; NULL never wins against a value.
fn extreme(values: &[Cell], side: Ordering) -> Vec<Cell> {
    let real: Vec<&Cell> = values.iter().filter(|cell| **cell != Cell::V(Val::Null)).collect();
    let mut best: Vec<Cell> = Vec::new();
    for value in real {
        match best.first().map(|one| order(value, one)) {
            None => best.push(value.clone()),
            Some(Ordering::Equal) => best.push(value.clone()),
            Some(found) if found == side => best = vec![value.clone()],
            Some(_) => {}
        }
    }
    if best.is_empty() { values.to_vec() } else { best }
}

fn newest(table: &Table, at: usize, changed: &[&Part<'_>], distinct: Vec<Cell>) -> Choice {
    let stamp = table.newest_by.unwrap();
    let future = |cell: &Cell| match cell {
        Cell::V(Val::Text(bytes)) => bytes.starts_with(b"2999"),
        Cell::V(Val::Int(time)) => *time > 30_000_000_000,
        _ => false,
    };
    if at == stamp {
        let past: Vec<Cell> = distinct.iter().filter(|cell| !future(cell)).cloned().collect();
        let mut allowed = extreme(&distinct, Ordering::Greater);
        allowed.extend(extreme(&past, Ordering::Greater));
        return Choice::any(allowed, false);
    }
    let time = |part: &Part<'_>| part.row.map(|row| row.cells[stamp].clone()).unwrap();
    let times: Vec<Cell> = changed.iter().map(|part| time(part)).collect();
    let past: Vec<Cell> = times.iter().filter(|cell| !future(cell)).cloned().collect();
    let best = if past.is_empty() { times } else { extreme(&past, Ordering::Greater) };
    let open = past_is_empty(&best, &future);
    let winners = changed.iter().filter(|part| open || best.contains(&time(part)));
    let allowed: Vec<Cell> = winners.map(|part| part.row.map(|row| row.cells[at].clone()).unwrap()).collect();
    if allowed.is_empty() { Choice::any(distinct, true) } else { Choice::any(allowed, true) }
}

fn past_is_empty(best: &[Cell], future: &impl Fn(&Cell) -> bool) -> bool {
    best.iter().all(|cell| future(cell) || *cell == Cell::V(Val::Null))
}
