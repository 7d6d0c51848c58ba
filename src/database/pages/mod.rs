//! Which rows of a side can differ from its base, told from the pages of both files without reading every row.
//!
//! Apart from `observe`, which compares rows by SQL and stays the measure of all this: **pages only name rows, and never
//! say what is in them.** Whatever is named here is read from both sides by SQL, with the code that compares whole tables,
//! and compared there. So a row too many costs two look-ups, and only a row too few would be a mistake.
//!
//! **Invariant: a row that is in one state and not in the other, or not byte for byte the same, is named.** A table whose
//! two definitions read alike is one b-tree in each file, and each of its rows lies in exactly one cell of each tree. A page
//! is *shared* when both trees of the table reach it and its bytes are the same in both files. Take a row that is not named:
//! - Its cell lies on a shared page in one state. Then the other state has the same cell on the same page, and as a key is
//!   in a tree once, that is its cell. What of it lies beyond the page hangs on the same first page of a chain in both: a
//!   chain that meets a page that differs would have named the row, and one that meets none is the same in both.
//! - Else its cell was met by one of the other tree that has the same key, the same length and the same bytes, those of its
//!   chain included; all others that lie on pages which are not shared are named.
//!
//! Either way both states have it, and have it alike. It follows what must never be left out: pages that one tree has left
//! although nobody wrote over them (a free page keeps its bytes), pages that are as before but belong to another tree, rows on
//! inner pages of a `WITHOUT ROWID` table, and pages of chains, which change while the leaf does not.
//!
//! The same bytes are the same row only where they are read alike: with the same definition, page size, reserve, encoding and
//! format. **Any doubt ends it** ([`Ended::Doubt`]), and the rows are compared instead: what differs in those, what cannot be
//! a tree, a log that may have moved meanwhile, more rows than it is worth. Both states stand still while they are looked at:
//! the live one in a read transaction ([`Moment`]), the base because only the run that holds the lock writes to it.

mod candidates;
mod cell;
mod differences;
mod file;
mod header;
mod record;
mod sound;
mod tree;

// It lies with the other tests, since it asks the environment how much to do; what it drives is private.
#[cfg(test)]
#[path = "../../../tests/pages/mod.rs"]
mod tests;

pub(crate) use candidates::{Candidate, Order, candidates};
pub(crate) use differences::{Differences, compare};
pub(crate) use file::{File, Moment, Overlay};
pub(crate) use header::Header;
pub(crate) use sound::{Roots, believe};

use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Why pages do not say which rows differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It cannot be told from them for certain: for this reason.
    Doubt(&'static str),
    /// Whoever waits does not want to any more.
    Stopped,
}

/// After how many pages and cells whoever waits is asked whether to go on.
const STEPS: u32 = if cfg!(test) { 16 } else { 4_096 };

/// One more page or cell is looked at.
type Step<'s> = &'s dyn Fn() -> Result<(), Ended>;

/// Whoever waits, in loops whose steps are too small for asking at each.
struct Look<'l> {
    ask: RefCell<&'l mut dyn FnMut() -> Result<(), Ended>>,
    steps: Cell<u32>,
}

impl<'l> Look<'l> {
    fn new(ask: &'l mut dyn FnMut() -> Result<(), Ended>) -> Look<'l> {
        Look { ask: RefCell::new(ask), steps: Cell::new(0) }
    }

    /// Asks now.
    fn ask(&self) -> Result<(), Ended> {
        // Whoever is asked does not come back here.
        self.ask.try_borrow_mut().map_or(Ok(()), |mut ask| ask())
    }

    /// One more page or cell is looked at.
    fn step(&self) -> Result<(), Ended> {
        self.steps.set(self.steps.get().wrapping_add(1));
        if self.steps.get().is_multiple_of(STEPS) { self.ask() } else { Ok(()) }
    }
}

/// One state of a database, page by page.
pub(crate) trait Pages {
    /// What its first page says.
    fn header(&self) -> Header;
    /// Fills `into` with whole pages, from that one on; `None` where they cannot be read.
    fn read(&self, first: u32, into: &mut [u8]) -> Option<()>;
}

/// A page that was read.
type Page = Rc<Vec<u8>>;

fn page(pages: &dyn Pages, number: u32) -> Result<Page, Ended> {
    let Header { page_size, count, .. } = pages.header();
    if number == 0 || number > count {
        return Err(Ended::Doubt("a page points beyond the file"));
    }
    let mut bytes = vec![0; page_size];
    pages.read(number, &mut bytes).ok_or(Ended::Doubt("a page cannot be read"))?;
    Ok(Rc::new(bytes))
}

fn two_bytes(page: &[u8], at: usize) -> Result<usize, Ended> {
    let bytes = page.get(at..at.saturating_add(2)).and_then(|bytes| bytes.try_into().ok());
    Ok(usize::from(u16::from_be_bytes(bytes.ok_or(Ended::Doubt("a page ends too early"))?)))
}

fn four_bytes(page: &[u8], at: usize) -> Result<u32, Ended> {
    let bytes = page.get(at..at.saturating_add(4)).and_then(|bytes| bytes.try_into().ok());
    Ok(u32::from_be_bytes(bytes.ok_or(Ended::Doubt("a page ends too early"))?))
}

/// Known mistakes, for showing that the tests notice them.
#[cfg(test)]
pub(crate) use planted::{Mistake, is as is_planted, plant};

#[cfg(test)]
mod planted {
    use std::cell::Cell;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Mistake {
        /// A page that looks the same counts as shared, whichever tree it belongs to.
        Membership,
        /// Chains are not looked at where the leaf is shared.
        Chains,
        /// Cells with the same start and length are taken for the same.
        Starts,
        /// Rows on inner pages are forgotten.
        Inner,
        /// What is in the log is not seen.
        Log,
        /// Whatever pages tell is believed.
        Credulous,
        /// Nothing is seen.
        Blind,
        /// Nothing is seen on this side.
        BlindOn(&'static str),
    }

    thread_local! {
        static PLANTED: Cell<Option<Mistake>> = const { Cell::new(None) };
    }

    pub(crate) fn plant(mistake: Option<Mistake>) {
        PLANTED.set(mistake);
    }

    pub(crate) fn is(mistake: Mistake) -> bool {
        PLANTED.get() == Some(mistake)
    }
}
