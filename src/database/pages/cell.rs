//! One row as a page holds it: its row id, how long it is, how much of it is there and where the rest begins.
//!
//! Apart from `tree`, which finds the pages, and from `page`, whose cells are those that lie on one page whole. Nothing here
//! reads beyond a page, whatever it says. Source: sqlite.org/fileformat2.html sections 1.6 and 1.7.

use std::cell::Cell as Counter;
use std::ops::Range;
use std::rc::Rc;

use super::differences::Bits;
use super::tree::Part;
use super::{Ended, Header, Page, Pages, Step, four_bytes, page, two_bytes};
use crate::database::page::varint;

/// The pages of one state, for reading chains. Each page of a sound file is in one chain at most: whoever reads several times as
/// many as there are goes round in circles.
pub(super) struct Source<'p> {
    pub(super) pages: &'p dyn Pages,
    left: Counter<u64>,
    step: Step<'p>,
}

impl<'p> Source<'p> {
    pub(super) fn new(pages: &'p dyn Pages, step: Step<'p>) -> Source<'p> {
        Source { pages, left: Counter::new(u64::from(pages.header().count).saturating_mul(4)), step }
    }

    fn page(&self, number: u32) -> Result<Page, Ended> {
        (self.step)()?;
        let left = self.left.get().checked_sub(1).ok_or(Ended::Doubt("chains have no end"))?;
        self.left.set(left);
        page(self.pages, number)
    }
}

/// A cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    page: Page,
    /// The row id, in a tree that has them.
    pub(super) rowid: Option<i64>,
    /// Bytes of the record.
    length: usize,
    /// Which bytes of the page are its beginning.
    local: Range<usize>,
    /// The page where the rest begins; 0 where nothing is left.
    pub(super) overflow: u32,
}

/// How many cells of a page are rows of a part.
pub(super) fn indexes(page: &[u8], part: Part) -> Result<Range<usize>, Ended> {
    match part {
        Part::Leaf(_) => Ok(0..two_bytes(page, 3)?),
        Part::Inner(_, index) => Ok(index..index + 1),
    }
}

impl Cell {
    /// Takes a cell of a page apart.
    pub(super) fn parse(page: &Page, header: Header, index: usize) -> Result<Cell, Ended> {
        const BROKEN: Ended = Ended::Doubt("a cell is broken");
        let (has_rowid, pointers, child) = match page.first() {
            Some(0x0d) => (true, 8, 0),
            Some(0x0a) => (false, 8, 0),
            Some(0x02) => (false, 12, 4),
            _ => return Err(BROKEN),
        };
        let at = two_bytes(page, pointers + 2 * index)? + child;
        let (length, at) = varint(page, at).ok_or(BROKEN)?;
        let length = usize::try_from(length).ok().filter(|length| *length < 1 << 31).ok_or(BROKEN)?;
        let (rowid, at) = match has_rowid {
            true => varint(page, at).map(|(rowid, at)| (Some(rowid), at)).ok_or(BROKEN)?,
            false => (None, at),
        };
        let here = inline(header.usable, length, has_rowid);
        let end = at.checked_add(here).filter(|end| *end <= header.usable).ok_or(BROKEN)?;
        let overflow = if here < length { four_bytes(page, end)? } else { 0 };
        if here < length && (overflow < 2 || overflow > header.count) {
            return Err(BROKEN);
        }
        Ok(Cell { page: Rc::clone(page), rowid, length, local: at..end, overflow })
    }

    fn local(&self) -> &[u8] {
        self.page.get(self.local.clone()).unwrap_or_default()
    }

    /// Bytes of the record that lie elsewhere.
    fn rest(&self) -> usize {
        self.length.saturating_sub(self.local.len())
    }

    /// Whether two cells, each of its own state, are the same to the last byte.
    pub(super) fn is_same(
        &self,
        source: &Source<'_>,
        other: &Cell,
        of_other: &Source<'_>,
    ) -> Result<bool, Ended> {
        if (self.rowid, self.length) != (other.rowid, other.length) || self.local() != other.local() {
            return Ok(false);
        }
        #[cfg(test)]
        if super::planted::is(super::planted::Mistake::Starts) {
            return Ok(true);
        }
        let mut mine = Chain::of(self, source);
        let mut theirs = Chain::of(other, of_other);
        loop {
            match (mine.next()?, theirs.next()?) {
                (None, None) => return Ok(true),
                (Some(mine), Some(theirs)) if mine == theirs => {}
                _ => return Ok(false),
            }
        }
    }

    /// Whether its chain meets one of these pages.
    pub(super) fn meets(&self, source: &Source<'_>, differ: &Bits) -> Result<bool, Ended> {
        let mut chain = Chain::of(self, source);
        while chain.left > 0 {
            if differ.has(chain.at) {
                return Ok(true);
            }
            chain.next()?;
        }
        Ok(false)
    }

    /// The beginning of the record, `most` bytes of it or all.
    pub(super) fn beginning(&self, source: &Source<'_>, most: usize) -> Result<Vec<u8>, Ended> {
        let mut bytes = self.local().to_vec();
        let mut chain = Chain::of(self, source);
        while bytes.len() < most
            && let Some(more) = chain.next()?
        {
            bytes.extend_from_slice(&more);
        }
        bytes.truncate(most);
        Ok(bytes)
    }
}

/// How many bytes of a record lie on the page itself.
pub(super) fn inline(usable: usize, length: usize, is_table: bool) -> usize {
    // X, M and K of section 1.6.
    let most = if is_table { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
    if length <= most {
        return length;
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let here = least + (length - least) % (usable - 4);
    if here <= most { here } else { least }
}

/// The pages that hold the rest of a record, one after the other.
struct Chain<'p> {
    source: &'p Source<'p>,
    at: u32,
    left: usize,
}

impl<'p> Chain<'p> {
    fn of(cell: &Cell, source: &'p Source<'p>) -> Chain<'p> {
        Chain { source, at: cell.overflow, left: cell.rest() }
    }

    /// The next bytes of the record. It ends with the record, however the pages point.
    fn next(&mut self) -> Result<Option<Vec<u8>>, Ended> {
        if self.left == 0 {
            return Ok(None);
        }
        let page = self.source.page(self.at)?;
        let here = self.left.min(self.source.pages.header().usable.saturating_sub(4));
        let bytes = page.get(4..4 + here).ok_or(Ended::Doubt("a page ends too early"))?.to_vec();
        self.at = four_bytes(&page, 0)?;
        self.left -= here;
        Ok(Some(bytes))
    }
}
