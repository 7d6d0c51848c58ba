//! Whether what pages tell can be believed without SQLite's check of the whole file: the same questions, asked of what differs.
//!
//! Apart from `candidates`, which names rows whatever they are, and from `backup::verify`, which asks SQLite. That reads every
//! page, each time a single row has changed.
//!
//! **Invariant: where this is content, no damage that SQLite's check would find has changed or hidden a row of these tables since
//! the base was last compared.** A letter that is another one is an edit to both. Such damage lies on pages that differ from those
//! of the base, or hides pages:
//! - Each leaf that differs, each leaf whose place a page above that differs tells, and each inner page holds together as SQLite's check
//!   wants it: each byte is of one cell, of one free block, or counted as a fragment; keys rise, and lie between those of
//!   the page above; all leaves are equally deep. A cell that was lost, made up or moved leaves a gap, or covers another.
//! - No page has two uses among all trees of the file and its list of free pages, which is as long as the file says.
//! - No leaf is without use, and nothing that differs: neither a page that the table has left, nor one that is new, as where the
//!   page that leads to it was never written. So none was forgotten with the rows on it.
//!
//! What would take reading more ends in a doubt, and SQLite checks all: rows longer than their pages, tables without row ids,
//! auto-vacuum. What lies on the pages of indexes is not looked at, as no row is read there. Source: sqlite.org/fileformat2.html
//! section 1.6, and `checkTreePage` of SQLite's btree.c.

use super::cell::inline;
use super::differences::{Bits, Differences, Leaves, MANY};
use super::tree::{Kind, walk};
use super::{Ended, Header, Look, Pages, Step, four_bytes, page, two_bytes};
use crate::database::page::varint;

/// Deeper than SQLite allows any tree to be.
const DEEPEST: usize = 20;
/// Bytes of the header of a leaf, and of an inner page.
const HEADERS: (usize, usize) = (8, 12);
/// A cell takes so many bytes at least, and so does a free block.
const LEAST: usize = 4;
/// What is before the table of all tables on the first page.
const FILE_HEADER: usize = 100;

/// The changed tables, by the roots of their trees before and after, and the roots of all trees there are after.
#[derive(Debug)]
pub(crate) struct Roots {
    /// Of tables with row ids that have changed rows.
    pub(crate) changed: Vec<(u32, u32)>,
    /// Of all others, indexes too; the table of all tables is not among them.
    pub(crate) others: Vec<u32>,
}

/// Ends in a doubt unless it is shown that no damage has changed a row of the tables that changed.
pub(crate) fn believe(
    (before, after): (&dyn Pages, &dyn Pages),
    differences: &Differences,
    roots: &Roots,
    look: &mut dyn FnMut() -> Result<(), Ended>,
) -> Result<(), Ended> {
    #[cfg(test)]
    if super::planted::is(super::planted::Mistake::Credulous) {
        return Ok(());
    }
    let look = Look::new(look);
    let step: Step<'_> = &|| look.step();
    let header = after.header();
    if header.has_maps {
        return Err(Ended::Doubt("pages say of others what they are for"));
    }
    if differences.chains {
        return Err(Ended::Doubt("a chain may have changed"));
    }
    let mut used = Bits::none_of(header.count);
    for root in &roots.others {
        others(after, *root, &differences.after, &mut used, step)?;
    }
    schema(after, &differences.after, &mut used, step)?;
    free(after, &mut used, step)?;
    let mut left = Bits::none_of(before.header().count);
    for (old, new) in &roots.changed {
        let mut check = Check { pages: after, differences, used: &mut used, leaf: None, step };
        check.tree(*new)?;
        let tree = walk(before, *old, Kind::Table, &differences.before, step)?;
        left.join(&tree.reached);
    }
    // All that it held is of a changed table still, or free, or of another tree. So is whatever looks like a leaf, as no page of a chain
    // does in a file of fewer pages, and whatever differs: what became of it cannot be told else.
    let Leaves { table, index } = &differences.after;
    let is_used = |number| number > header.count || used.has(number);
    let all = [&left, table, index, &differences.differ];
    match header.count < MANY && all.iter().all(|pages| pages.all(is_used)) {
        true => Ok(()),
        false => Err(Ended::Doubt("a page is forgotten")),
    }
}

const TWICE: Ended = Ended::Doubt("a page has two uses");

/// Notes the pages of a tree whose rows are not looked at.
fn others(
    pages: &dyn Pages,
    root: u32,
    leaves: &Leaves,
    used: &mut Bits,
    step: Step<'_>,
) -> Result<(), Ended> {
    let kind = match page(pages, root)?.first() {
        Some(0x05 | 0x0d) => Kind::Table,
        _ => Kind::Index,
    };
    let tree = walk(pages, root, kind, leaves, step)?;
    if used.join(&tree.reached) { Ok(()) } else { Err(TWICE) }
}

/// Notes the pages of the table of all tables, which begins on the first one.
fn schema(pages: &dyn Pages, leaves: &Leaves, used: &mut Bits, step: Step<'_>) -> Result<(), Ended> {
    let first = page(pages, 1)?;
    if !used.insert(1) {
        return Err(TWICE);
    }
    match first.get(FILE_HEADER) {
        Some(0x0d) => return Ok(()),
        Some(0x05) => {}
        _ => return Err(Ended::Doubt("the first page is of another kind")),
    }
    let right = four_bytes(&first, FILE_HEADER + 8)?;
    for index in 0..two_bytes(&first, FILE_HEADER + 3)? {
        let at = two_bytes(&first, FILE_HEADER + HEADERS.1 + 2 * index)?;
        others(pages, four_bytes(&first, at)?, leaves, used, step)?;
    }
    others(pages, right, leaves, used, step)
}

/// Notes the free pages (section 1.5).
fn free(pages: &dyn Pages, used: &mut Bits, step: Step<'_>) -> Result<(), Ended> {
    let mut next = pages.header().free;
    let mut found = 0;
    while next != 0 {
        step()?;
        if !used.insert(next) {
            return Err(TWICE);
        }
        found += 1;
        let trunk = page(pages, next)?;
        let count = usize::try_from(four_bytes(&trunk, 4)?).unwrap_or(usize::MAX);
        for index in 0..count {
            let at = index.checked_mul(4).and_then(|at| at.checked_add(8));
            if !used.insert(four_bytes(&trunk, at.ok_or(TWICE)?)?) {
                return Err(TWICE);
            }
            found += 1;
        }
        next = four_bytes(&trunk, 0)?;
    }
    if found == pages.header().unused {
        Ok(())
    } else {
        Err(Ended::Doubt("its free pages are not as many as it says"))
    }
}

/// The check of one tree with row ids.
struct Check<'c> {
    pages: &'c dyn Pages,
    differences: &'c Differences,
    used: &'c mut Bits,
    /// How much deeper than its first leaf it could be.
    leaf: Option<usize>,
    step: Step<'c>,
}

/// Between which row ids a page lies: above the first, and up to the second.
#[derive(Clone, Copy)]
struct Bounds(Option<i64>, Option<i64>);

impl Check<'_> {
    fn tree(&mut self, root: u32) -> Result<(), Ended> {
        if root < 2 {
            return Err(Ended::Doubt("a table has no root"));
        }
        self.descend(root, (DEEPEST, true), Bounds(None, None))
    }

    /// `depth` is how much deeper it may go, `is_new` whether a page above that says between which keys it lies differs.
    fn descend(&mut self, number: u32, (depth, is_new): (usize, bool), bounds: Bounds) -> Result<(), Ended> {
        (self.step)()?;
        if depth == 0 || !self.used.insert(number) {
            return Err(TWICE);
        }
        let differs = self.differences.differ.has(number);
        if self.differences.after.table.has(number) {
            if *self.leaf.get_or_insert(depth) != depth {
                return Err(Ended::Doubt("the leaves of a table are not equally deep"));
            }
            return match differs || is_new {
                true => Leaf::of(&page(self.pages, number)?, self.pages.header(), depth == DEEPEST)?
                    .lie_in(bounds),
                false => Ok(()),
            };
        }
        let page = page(self.pages, number)?;
        let inner = children(&page, self.pages.header())?;
        let mut above = bounds.0;
        // The first and the last page below it lie where the pages above it say.
        for (index, (child, key)) in inner.into_iter().enumerate() {
            let Bounds(low, high) = Bounds(above, Some(key));
            if low.is_some_and(|low| key <= low) || bounds.1.is_some_and(|most| key > most) {
                return Err(UNORDERED);
            }
            self.descend(child, (depth - 1, differs || (is_new && index == 0)), Bounds(low, high))?;
            above = Some(key);
        }
        self.descend(four_bytes(&page, 8)?, (depth - 1, differs || is_new), Bounds(above, bounds.1))
    }
}

const UNORDERED: Ended = Ended::Doubt("the keys of a table do not rise");
const TORN: Ended = Ended::Doubt("a page does not hold together");

/// The row ids of a leaf that holds together: the least and the largest, where it has any.
struct Leaf(Option<(i64, i64)>);

impl Leaf {
    fn of(page: &[u8], header: Header, is_root: bool) -> Result<Leaf, Ended> {
        if page.first() != Some(&0x0d) {
            return Err(TORN);
        }
        let mut ids: Option<(i64, i64)> = None;
        let mut cells = Vec::new();
        for index in 0..two_bytes(page, 3)? {
            let start = two_bytes(page, HEADERS.0 + 2 * index)?;
            let (length, at) = varint(page, start).ok_or(TORN)?;
            let (id, at) = varint(page, at).ok_or(TORN)?;
            let length = usize::try_from(length).map_err(|_| TORN)?;
            let here = inline(header.usable, length, true);
            if here < length {
                return Err(Ended::Doubt("a row is longer than its page"));
            }
            ids = match ids {
                Some((_, last)) if id <= last => return Err(UNORDERED),
                Some((first, _)) => Some((first, id)),
                None => Some((id, id)),
            };
            cells.push((start, at.checked_add(here).ok_or(TORN)?));
        }
        if ids.is_none() && !is_root {
            return Err(Ended::Doubt("a leaf is empty"));
        }
        hold_together(page, header.usable, HEADERS.0, cells)?;
        Ok(Leaf(ids))
    }

    fn lie_in(&self, Bounds(low, high): Bounds) -> Result<(), Ended> {
        let Some((first, last)) = self.0 else { return Ok(()) };
        if low.is_some_and(|low| first <= low) || high.is_some_and(|high| last > high) {
            return Err(UNORDERED);
        }
        Ok(())
    }
}

/// The pages below an inner one that holds together, each with the largest row id below it; the last one is not among them.
fn children(page: &[u8], header: Header) -> Result<Vec<(u32, i64)>, Ended> {
    if page.first() != Some(&0x05) {
        return Err(Ended::Doubt("a page of a tree is of another kind"));
    }
    let (mut found, mut cells) = (Vec::new(), Vec::new());
    for index in 0..two_bytes(page, 3)? {
        let start = two_bytes(page, HEADERS.1 + 2 * index)?;
        let (key, end) = varint(page, start.saturating_add(4)).ok_or(TORN)?;
        found.push((four_bytes(page, start)?, key));
        cells.push((start, end));
    }
    if found.is_empty() {
        return Err(TORN);
    }
    hold_together(page, header.usable, HEADERS.1, cells)?;
    Ok(found)
}

/// Whether each byte behind the pointers of a page is of one cell or free block, or counted as a fragment.
fn hold_together(
    page: &[u8],
    usable: usize,
    pointers: usize,
    cells: Vec<(usize, usize)>,
) -> Result<(), Ended> {
    let content = match two_bytes(page, 5)? {
        0 => 65_536,
        content => content,
    };
    if content < pointers + 2 * cells.len() || content > usable {
        return Err(TORN);
    }
    let mut parts: Vec<(usize, usize)> =
        cells.into_iter().map(|(start, end)| (start, end.max(start.saturating_add(LEAST)))).collect();
    let mut next = two_bytes(page, 1)?;
    while next != 0 {
        let (after, length) = (two_bytes(page, next)?, two_bytes(page, next.saturating_add(2))?);
        let end = next.saturating_add(length);
        // Free blocks rise, and three bytes between two of them are not kept apart from them.
        if length < LEAST || (after != 0 && after <= end.saturating_add(3)) {
            return Err(TORN);
        }
        parts.push((next, end));
        next = after;
    }
    parts.sort_unstable();
    let (mut at, mut fragments) = (content, 0);
    for (start, end) in parts {
        fragments += start.checked_sub(at).ok_or(TORN)?;
        at = end;
    }
    fragments += usable.checked_sub(at).ok_or(TORN)?;
    if page.get(7).copied().map(usize::from) == Some(fragments) { Ok(()) } else { Err(TORN) }
}
