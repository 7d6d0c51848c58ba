//! The b-tree of one table: the pages it reaches, in the order of its rows. Leaves are not read for that.
//!
//! Apart from `cell`, which takes apart what is on a page. Source: sqlite.org/fileformat2.html section 1.6.

use super::differences::{Bits, Leaves};
use super::{Ended, Pages, Step, four_bytes, page, two_bytes};

/// Deeper than SQLite allows any tree to be.
const DEEPEST: usize = 20;
/// Bytes of the header of an inner page.
const INNER_HEADER: usize = 12;

/// What a tree is keyed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Row ids: rows lie on leaves only.
    Table,
    /// Keys, as of an index: rows lie on inner pages too.
    Index,
}

/// Some rows that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of a leaf.
    Leaf(u32),
    /// One cell of an inner page, by its index there.
    Inner(u32, usize),
}

impl Part {
    pub(super) fn page(self) -> u32 {
        match self {
            Part::Leaf(page) | Part::Inner(page, _) => page,
        }
    }
}

/// A tree.
#[derive(Debug)]
pub(super) struct Tree {
    /// Every page that it reaches.
    pub(super) reached: Bits,
    /// Where its rows are, in their order.
    pub(super) parts: Vec<Part>,
    /// How many leaves it has.
    pub(super) leaves: usize,
}

/// Walks a tree from its root, a step for each page.
pub(super) fn walk(
    pages: &dyn Pages,
    root: u32,
    kind: Kind,
    leaves: &Leaves,
    step: Step<'_>,
) -> Result<Tree, Ended> {
    // On the first page lies the header, and the table of all tables.
    if root < 2 {
        return Err(Ended::Doubt("a table has no root"));
    }
    let reached = Bits::none_of(pages.header().count);
    let leaves = match kind {
        Kind::Table => &leaves.table,
        Kind::Index => &leaves.index,
    };
    let tree = Tree { reached, parts: Vec::new(), leaves: 0 };
    let mut walk = Walk { tree, pages, kind, leaves, step };
    walk.descend(root, DEEPEST)?;
    Ok(walk.tree)
}

struct Walk<'w> {
    tree: Tree,
    pages: &'w dyn Pages,
    kind: Kind,
    leaves: &'w Bits,
    step: Step<'w>,
}

impl Walk<'_> {
    fn descend(&mut self, number: u32, depth: usize) -> Result<(), Ended> {
        (self.step)()?;
        // A number beyond the file is never new either.
        if depth == 0 || !self.tree.reached.insert(number) || number > self.pages.header().count {
            return Err(Ended::Doubt("a tree is none"));
        }
        if self.leaves.has(number) {
            self.tree.parts.push(Part::Leaf(number));
            self.tree.leaves += 1;
            return Ok(());
        }
        let page = page(self.pages, number)?;
        let is_inner = match self.kind {
            Kind::Table => page.first() == Some(&0x05),
            Kind::Index => page.first() == Some(&0x02),
        };
        if !is_inner {
            return Err(Ended::Doubt("a page of a tree is of another kind"));
        }
        for index in 0..two_bytes(&page, 3)? {
            let at = two_bytes(&page, INNER_HEADER + 2 * index)?;
            self.descend(four_bytes(&page, at)?, depth - 1)?;
            if self.kind == Kind::Index {
                self.tree.parts.push(Part::Inner(number, index));
            }
        }
        self.descend(four_bytes(&page, 8)?, depth - 1)
    }
}
