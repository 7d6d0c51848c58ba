//! Two states of a database that nobody wrote: which rows differ, or a doubt, and never anything else.
//!
//! Apart from `page`, which takes one page: here pages point at each other.

use std::cell::Cell;

use super::input::Input;
use crate::database::key::Collation;
use crate::database::pages::{Header, Order, Pages, Roots, believe, candidates, compare};
use crate::database::schema::Direction;

const SIZE: usize = 512;

struct Bytes<'b> {
    bytes: &'b [u8],
    usable: usize,
    reads: Cell<u64>,
}

impl Pages for Bytes<'_> {
    fn header(&self) -> Header {
        let free =
            self.bytes.get(32..36).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
        let count = u32::try_from(self.bytes.len() / SIZE).unwrap();
        let has_maps = self.bytes.get(52) == Some(&1);
        Header { page_size: SIZE, usable: self.usable, count, free, unused: 0, has_maps }
    }

    fn read(&self, first: u32, into: &mut [u8]) -> Option<()> {
        self.reads.set(self.reads.get() + 1);
        let start = usize::try_from(first.checked_sub(1)?).ok()? * SIZE;
        into.copy_from_slice(self.bytes.get(start..start + into.len())?);
        Some(())
    }
}

/// A byte for the bytes that are reserved on a page, one for each root, one for the order; then pages, half of them before.
pub fn trees(bytes: &[u8]) {
    let mut input = Input(bytes);
    let usable = SIZE - input.byte() % 33;
    let roots = (u32::try_from(input.byte()).unwrap(), u32::try_from(input.byte()).unwrap());
    let by_key = input.byte() % 2 == 1;
    let pages = input.0;
    let _ = Header::parse(pages);
    let half = pages.len() / SIZE / 2 * SIZE;
    let (old, new) = pages.split_at(half);
    let state = |bytes| Bytes { bytes, usable, reads: Cell::new(0) };
    let (old, new) = (state(old), state(&new[..new.len() / SIZE * SIZE]));
    let key = [(Collation::Nocase, Direction::Rising), (Collation::Binary, Direction::Falling)];
    let order = if by_key { Order::Key(&key) } else { Order::Rowid };
    let mut look = || Ok(());
    if let Ok(differences) = compare(&old, &new, &mut look) {
        let _ = candidates((&old, &new), &differences, roots, order, &mut look);
        let roots = Roots { changed: vec![roots], others: vec![roots.0, roots.1 ^ 1] };
        let _ = believe((&old, &new), &differences, &roots, &mut look);
    }
    // Chains are read a few times as often as there are pages, trees a few times, leaves twice.
    let most = 32 * u64::from(old.header().count + new.header().count) + 32;
    assert!(old.reads.get() + new.reads.get() <= most, "{} reads", old.reads.get() + new.reads.get());
    if let Ok(same) = compare(&new, &new, &mut look)
        && let Ok(slots) = candidates((&new, &new), &same, (roots.1, roots.1), order, &mut look)
    {
        assert!(slots.is_empty(), "a state differs from itself: {slots:?}");
    }
}
