//! The rows of one table that may differ: what lies on pages that are not shared, without what is the same on both.
//!
//! Apart from `mod`, where it is argued that no other row can differ.

use std::cmp::Ordering;
use std::rc::Rc;

use rusqlite::types::ValueRef;

use super::cell::{self, Cell, Source};
use super::differences::{Bits, Differences};
use super::record::first_values;
use super::tree::{Kind, Part, Tree, walk};
use super::{Ended, Look, Page, Pages, Step, page};
use crate::database::key::{Collation, compare_cells};
use crate::database::model::Slot;
use crate::database::schema::Direction;
use crate::database::value::Value;

/// Keys longer than this are not worth the trouble (bytes from the start of the record).
const KEY_BYTES: usize = 64 << 10;
/// So many rows are always worth it, and one for each leaf beyond: where more differ, reading all of them takes no longer.
const ROWS_AT_LEAST: usize = 1_000;
/// -0.0, which sorts before 0.0 here and equals it there.
const MINUS_ZERO: u64 = 1 << 63;

/// A row that may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Where it is kept.
    pub(crate) slot: Slot,
    /// Whether the state before has a cell of it.
    pub(crate) before: bool,
    /// Whether the state after has.
    pub(crate) after: bool,
}

/// How the rows of a table are ordered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order<'o> {
    /// By row id.
    Rowid,
    /// By the first values of their records.
    Key(&'o [(Collation, Direction)]),
}

impl Order<'_> {
    fn kind(self) -> Kind {
        match self {
            Order::Rowid => Kind::Table,
            Order::Key(_) => Kind::Index,
        }
    }

    fn compare(self, a: &Slot, b: &Slot) -> Ordering {
        match (self, a, b) {
            (Order::Key(parts), Slot::Key(a), Slot::Key(b)) => {
                for ((a, b), (collation, direction)) in a.iter().zip(b).zip(parts) {
                    let order = compare_cells(cell_of(a), cell_of(b), *collation);
                    if order != Ordering::Equal {
                        return if *direction == Direction::Falling { order.reverse() } else { order };
                    }
                }
                Ordering::Equal
            }
            _ => a.cmp(b),
        }
    }

    /// Where the row of a cell is kept.
    fn slot(self, cell: &Cell, source: &Source<'_>) -> Result<Slot, Ended> {
        match (self, cell.rowid) {
            (Order::Rowid, Some(rowid)) => Ok(Slot::Rowid(rowid)),
            (Order::Key(parts), None) => {
                let values = first_values(&cell.beginning(source, KEY_BYTES)?, parts.len())?;
                // SQL finds no row by the one, and by the other also those of 0.0.
                let is_odd = |value: &Value| matches!(value, Value::Null | Value::Real(MINUS_ZERO));
                if values.iter().any(is_odd) {
                    return Err(Ended::Doubt("a key has no value, or an odd one"));
                }
                Ok(Slot::Key(values))
            }
            _ => Err(Ended::Doubt("a page of a tree is of another kind")),
        }
    }
}

fn cell_of(value: &Value) -> ValueRef<'_> {
    match value {
        Value::Null | Value::Held => ValueRef::Null,
        Value::Integer(integer) => ValueRef::Integer(*integer),
        Value::Real(bits) => ValueRef::Real(f64::from_bits(*bits)),
        Value::Text(bytes) => ValueRef::Text(bytes),
        Value::Blob(bytes) => ValueRef::Blob(bytes),
    }
}

/// The rows of a table that may differ, in their order. `roots` are those of its trees, before
/// and after; `look` is asked from time to time whether to go on.
pub(crate) fn candidates(
    (before, after): (&dyn Pages, &dyn Pages),
    differences: &Differences,
    (old_root, new_root): (u32, u32),
    order: Order<'_>,
    look: &mut dyn FnMut() -> Result<(), Ended>,
) -> Result<Vec<Candidate>, Ended> {
    let look = Look::new(look);
    let step: Step<'_> = &|| look.step();
    let old = walk(before, old_root, order.kind(), &differences.before, step)?;
    let new = walk(after, new_root, order.kind(), &differences.after, step)?;
    let differ = &differences.differ;
    let most = ROWS_AT_LEAST + old.leaves.max(new.leaves);
    let mut found = Found { rows: Vec::new(), most, step };
    #[cfg(test)]
    if super::planted::is(super::planted::Mistake::Blind) {
        return Ok(found.rows);
    }
    let (was, is) = (Source::new(before, step), Source::new(after, step));
    unshared(&mut found, Side::new(&was, &old, &new, differ), Side::new(&is, &new, &old, differ), order)?;
    let chains = differences.chains;
    #[cfg(test)]
    let chains = chains && !super::planted::is(super::planted::Mistake::Chains);
    if chains {
        chained(&mut found, &is, &new, &old, differ, order)?;
    }
    let mut rows = found.rows;
    rows.sort_by(|a, b| order.compare(&a.slot, &b.slot));
    // Each key is in a tree once, and a row is named once.
    if rows.is_sorted_by(|a, b| order.compare(&a.slot, &b.slot) == Ordering::Less) {
        Ok(rows)
    } else {
        Err(Ended::Doubt("a key is in a tree twice"))
    }
}

/// What was found so far.
struct Found<'l> {
    rows: Vec<Candidate>,
    most: usize,
    step: Step<'l>,
}

impl Found<'_> {
    fn add(&mut self, slot: Slot, before: bool, after: bool) -> Result<(), Ended> {
        self.rows.push(Candidate { slot, before, after });
        if self.rows.len() > self.most { Err(Ended::Doubt("too many rows differ")) } else { Ok(()) }
    }
}

/// Whether a page of a tree is the same page of the other.
fn is_shared(page: u32, other: &Tree, differ: &Bits) -> bool {
    #[cfg(test)]
    if super::planted::is(super::planted::Mistake::Membership) {
        return !differ.has(page);
    }
    other.reached.has(page) && !differ.has(page)
}

/// Names what lies on pages that are not shared, without the cells that both states have.
fn unshared(
    found: &mut Found<'_>,
    mut before: Side<'_>,
    mut after: Side<'_>,
    order: Order<'_>,
) -> Result<(), Ended> {
    let (mut old, mut new) = (before.next()?, after.next()?);
    loop {
        (found.step)()?;
        let step = match (&old, &new) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) if a.is_same(before.source, b, after.source)? => {
                (old, new) = (before.next()?, after.next()?);
                continue;
            }
            (Some(a), Some(b)) => {
                order.compare(&order.slot(a, before.source)?, &order.slot(b, after.source)?)
            }
        };
        match (step, &old, &new) {
            (Ordering::Less | Ordering::Equal, Some(cell), _) => {
                found.add(order.slot(cell, before.source)?, true, step == Ordering::Equal)?;
            }
            (_, _, Some(cell)) => found.add(order.slot(cell, after.source)?, false, true)?,
            _ => return Err(Ended::Doubt("a tree has lost its place")),
        }
        if step != Ordering::Greater {
            old = before.next()?;
        }
        if step != Ordering::Less {
            new = after.next()?;
        }
    }
}

/// Names the rows of shared pages whose chains meet a page that differs.
fn chained(
    found: &mut Found<'_>,
    source: &Source<'_>,
    tree: &Tree,
    other: &Tree,
    differ: &Bits,
    order: Order<'_>,
) -> Result<(), Ended> {
    let mut shared = Side { source, parts: Box::new(tree.shared(other, differ)), here: None, inner: None };
    while let Some(cell) = shared.next()? {
        (found.step)()?;
        if cell.overflow != 0 && cell.meets(source, differ)? {
            found.add(order.slot(&cell, source)?, true, true)?;
        }
    }
    Ok(())
}

impl Tree {
    fn shared<'t>(&'t self, other: &'t Tree, differ: &'t Bits) -> impl Iterator<Item = Part> + 't {
        self.parts.iter().copied().filter(|part| is_shared(part.page(), other, differ))
    }
}

/// The cells of some parts of a tree, one after the other.
struct Side<'s> {
    source: &'s Source<'s>,
    parts: Box<dyn Iterator<Item = Part> + 's>,
    here: Option<(Page, std::ops::Range<usize>)>,
    inner: Option<(u32, Page)>,
}

impl<'s> Side<'s> {
    /// Those that are not shared.
    fn new(source: &'s Source<'s>, tree: &'s Tree, other: &'s Tree, differ: &'s Bits) -> Side<'s> {
        let parts = tree.parts.iter().copied().filter(|part| !is_shared(part.page(), other, differ));
        #[cfg(test)]
        let parts = parts.filter(|part| {
            !(matches!(part, Part::Inner(..)) && super::planted::is(super::planted::Mistake::Inner))
        });
        Side { source, parts: Box::new(parts), here: None, inner: None }
    }

    fn next(&mut self) -> Result<Option<Cell>, Ended> {
        loop {
            if let Some((page, indexes)) = &mut self.here
                && let Some(index) = indexes.next()
            {
                return Cell::parse(page, self.source.pages.header(), index).map(Some);
            }
            let Some(part) = self.parts.next() else { return Ok(None) };
            // The cells of an inner page are parts of their own, with a leaf between them.
            let page = match (&self.inner, part) {
                (Some((number, page)), Part::Inner(same, _)) if *number == same => Rc::clone(page),
                _ => page(self.source.pages, part.page())?,
            };
            if let Part::Inner(number, _) = part {
                self.inner = Some((number, Rc::clone(&page)));
            }
            let indexes = cell::indexes(&page, part)?;
            self.here = Some((page, indexes));
        }
    }
}
