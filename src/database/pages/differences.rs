//! Which pages of two states differ, and what kind of page each is.
//!
//! Apart from the trees, which say what a page is for. Both files are read once, from front to back.

use super::{Ended, Header, Look, Pages, Step, four_bytes, page};

/// How much of each file is read at once (bytes): more than the largest page, less than what a processor keeps at hand.
const AT_ONCE: usize = 256 << 10;
/// After how many of these whoever waits is asked whether to go on.
const LOOK: u32 = 64;
/// Where one of the states has so many pages, a page of a chain may begin like a page of a tree: with the number of the next.
pub(super) const MANY: u32 = 0x0200_0000;

/// A set of page numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// None of so many.
    pub(crate) fn none_of(count: u32) -> Bits {
        Bits(vec![0; usize::try_from(count / 64).unwrap_or(0) + 1])
    }

    /// Puts one in; tells whether it is new. Numbers beyond what was said are not kept, and are never new.
    pub(crate) fn insert(&mut self, number: u32) -> bool {
        let Some(word) = usize::try_from(number / 64).ok().and_then(|at| self.0.get_mut(at)) else {
            return false;
        };
        let bit = 1 << (number % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Whether one is in it.
    pub(crate) fn has(&self, number: u32) -> bool {
        let word = usize::try_from(number / 64).ok().and_then(|at| self.0.get(at));
        word.is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// Puts in all of another; tells whether none was in it. Numbers beyond what was said are not kept.
    pub(super) fn join(&mut self, other: &Bits) -> bool {
        let mut is_new = true;
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            is_new &= *word & more == 0;
            *word |= more;
        }
        is_new
    }

    /// Whether something is so of all that are in it.
    pub(super) fn all(&self, is_so: impl Fn(u32) -> bool) -> bool {
        (0_u32..)
            .step_by(64)
            .zip(&self.0)
            .all(|(first, word)| (0..64).filter(|bit| word & (1 << bit) != 0).all(|bit| is_so(first + bit)))
    }
}

/// The leaves of one state, by what they begin with.
#[derive(Debug, Default)]
pub(crate) struct Leaves {
    /// Of tables with row ids.
    pub(crate) table: Bits,
    /// Of indexes, and of tables without row ids.
    pub(crate) index: Bits,
}

impl Leaves {
    fn of(header: Header) -> Leaves {
        Leaves { table: Bits::none_of(header.count), index: Bits::none_of(header.count) }
    }

    fn note(&mut self, number: u32, first: Option<&u8>) {
        match first {
            Some(0x0d) => self.table.insert(number),
            Some(0x0a) => self.index.insert(number),
            _ => false,
        };
    }
}

/// What a comparison of all pages came to.
#[derive(Debug)]
pub(crate) struct Differences {
    /// Pages whose bytes differ, or that only one state has.
    pub(crate) differ: Bits,
    /// The leaves of the state before.
    pub(crate) before: Leaves,
    /// The leaves of the state after.
    pub(crate) after: Leaves,
    /// Whether a page that differs can be one of a chain in both states.
    pub(crate) chains: bool,
}

/// Compares all pages of two states. `look` is asked from time to time whether to go on.
pub(crate) fn compare(
    before: &dyn Pages,
    after: &dyn Pages,
    look: &mut dyn FnMut() -> Result<(), Ended>,
) -> Result<Differences, Ended> {
    let look = Look::new(look);
    let (old, new) = (before.header(), after.header());
    if !old.is_like(new) {
        return Err(Ended::Doubt("the sizes of their pages differ"));
    }
    if old.is_mostly_free() || new.is_mostly_free() {
        return Err(Ended::Doubt("most of its pages are free"));
    }
    let size = old.page_size;
    let (most, both) = (old.count.max(new.count), old.count.min(new.count));
    let mut found = Differences {
        differ: Bits::none_of(most),
        before: Leaves::of(old),
        after: Leaves::of(new),
        chains: false,
    };
    let mut suspects = Vec::new();
    let at_once = u32::try_from(AT_ONCE / size).unwrap_or(1).max(1);
    let (mut a, mut b) = (vec![0; AT_ONCE.max(size)], vec![0; AT_ONCE.max(size)]);
    let mut rounds = 0_u32;
    let mut first = 1;
    while first <= most {
        if rounds.is_multiple_of(LOOK) {
            look.ask()?;
        }
        rounds = rounds.wrapping_add(1);
        // Where one state ends, the rest is read of the other alone.
        let end = if first <= both { both } else { most };
        let count = at_once.min(end - first + 1);
        let length = usize::try_from(count).unwrap_or(0).saturating_mul(size);
        let a = fill(before, first, &mut a, length)?;
        let b = fill(after, first, &mut b, length)?;
        let same = a == b;
        let none: &[u8] = &[];
        let mut old_pages = a.chunks_exact(size);
        let mut new_pages = b.chunks_exact(size);
        for number in first..first + count {
            let (x, y) = (old_pages.next().unwrap_or(none), new_pages.next().unwrap_or(none));
            found.before.note(number, x.first());
            found.after.note(number, y.first());
            if same || x == y {
                continue;
            }
            found.differ.insert(number);
            // A page of a chain that both have is one in both.
            if number == 1 || old.is_no_content(number) || new.is_no_content(number) {
                continue;
            }
            let may_be_chain = |page: &[u8]| page.first().is_some_and(|first| *first <= 1);
            if (may_be_chain(x) && may_be_chain(y)) || most >= MANY {
                suspects.push(number);
            }
        }
        first += count;
    }
    if !suspects.is_empty() {
        let step: Step<'_> = &|| look.step();
        let free = [free_trunks(before, step)?, free_trunks(after, step)?];
        found.chains = suspects.iter().any(|number| !free.iter().any(|free| free.has(*number)));
    }
    Ok(found)
}

/// So many bytes of pages from one on; none of a state that has ended before.
fn fill<'b>(pages: &dyn Pages, first: u32, buffer: &'b mut [u8], length: usize) -> Result<&'b [u8], Ended> {
    if first > pages.header().count {
        return Ok(&[]);
    }
    let into = buffer.get_mut(..length).ok_or(Ended::Doubt("its pages are too large"))?;
    pages.read(first, into).ok_or(Ended::Doubt("a page cannot be read"))?;
    Ok(into)
}

/// The trunk pages of the list of free pages (section 1.5), which begin like pages of a chain.
fn free_trunks(pages: &dyn Pages, step: Step<'_>) -> Result<Bits, Ended> {
    let header = pages.header();
    let mut free = Bits::none_of(header.count);
    let mut next = header.free;
    while next != 0 {
        step()?;
        if !free.insert(next) {
            return Err(Ended::Doubt("its free pages have no end"));
        }
        next = four_bytes(&page(pages, next)?, 0)?;
    }
    Ok(free)
}
