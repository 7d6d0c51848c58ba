//! What both copies of those that count no longer are good for.
//!
//! Pure. Whoever may write to the directory of a copy may damage that, or let it say that a newer version wrote it. Neither
//! stops anything while the other one is whole. The order of the two says nothing:
//!
//! | | missing | broken | newer | whole |
//! |---|---|---|---|---|
//! | **missing** | whole; lost where there were copies before | lost | newer | hurt |
//! | **broken** | | lost | lost | hurt |
//! | **newer** | | | newer | hurt |
//! | **whole** | | | | whole where both say the same, else uneven |
//!
//! What either says, as far as it can be read, takes a key back in every line.

use super::grant::Digest;
use super::ledger::Copied;

/// What both copies say.
#[derive(Debug, Clone, Copy)]
pub(super) struct State<'a> {
    pub(super) copies: [&'a Copied; 2],
    pub(super) before: Before,
}

/// Whether there were copies before, where there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Never,
    Were,
    /// Nobody may look.
    Unclear,
}

/// What the copies are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Both say the same, or nobody was ever withdrawn.
    Whole,
    /// Both are whole, and one knows more: somebody is just writing the other one, or died before that.
    Uneven,
    /// One is whole; the other is to be written again.
    Hurt,
    /// Nobody knows who was withdrawn.
    Lost,
    /// A newer version wrote them.
    Newer,
}

impl State<'_> {
    pub(super) fn standing(self) -> Standing {
        match self.copies {
            [Copied::Missing, Copied::Missing] if self.before == Before::Never => Standing::Whole,
            [first @ Copied::Whole(..), second @ Copied::Whole(..)] => {
                if first.is_as(second) {
                    Standing::Whole
                } else {
                    Standing::Uneven
                }
            }
            [Copied::Whole(..), _] | [_, Copied::Whole(..)] => Standing::Hurt,
            [Copied::Newer(_), Copied::Newer(_) | Copied::Missing] | [Copied::Missing, Copied::Newer(_)] => {
                Standing::Newer
            }
            _ => Standing::Lost,
        }
    }

    /// Whether nothing is on record, nor ever was as far as anybody can tell.
    pub(super) fn is_blank(self) -> bool {
        matches!(self.copies, [Copied::Missing, Copied::Missing])
    }

    /// Since when a digest counts no longer.
    pub(super) fn since(self, digest: &Digest) -> Option<i64> {
        self.copies.iter().filter_map(|copy| copy.since(digest)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::super::known::Index;
    use super::super::ledger::Entry;
    use super::*;

    /// The one whose digest has this number only.
    fn index(number: u8) -> Index<Entry> {
        let mut index = Index::default();
        index.add([number; 32], Entry { from: i64::from(number), until: None });
        index
    }

    #[test]
    fn every_field_of_the_table() {
        let states = [
            Copied::Missing,
            Copied::Broken("cut".to_owned()),
            Copied::Newer(index(3)),
            Copied::Whole(index(4), [4; 32]),
            Copied::Whole(index(5), [5; 32]),
        ];
        use Standing::{Hurt, Lost, Newer, Uneven, Whole};
        let table = [
            [Lost, Lost, Newer, Hurt, Hurt],
            [Lost, Lost, Lost, Hurt, Hurt],
            [Newer, Lost, Newer, Hurt, Hurt],
            [Hurt, Hurt, Hurt, Whole, Uneven],
            [Hurt, Hurt, Hurt, Uneven, Whole],
        ];
        for (first, line) in states.iter().zip(table) {
            for (second, expected) in states.iter().zip(line) {
                let state = State { copies: [first, second], before: Before::Were };
                assert_eq!(state.standing(), expected, "{state:?}");
                // Who is in one of them counts no longer, whatever it is good for.
                for (number, copy) in [(3, 2), (4, 3), (5, 4)] {
                    let is_in = [first, second].into_iter().any(|one| std::ptr::eq(one, &states[copy]));
                    assert_eq!(state.since(&[number; 32]), is_in.then_some(i64::from(number)), "{state:?}");
                }
            }
        }
        for (before, expected) in [(Before::Never, Whole), (Before::Were, Lost), (Before::Unclear, Lost)] {
            let state = State { copies: [&Copied::Missing; 2], before };
            assert_eq!((state.standing(), state.is_blank()), (expected, true));
        }
        // What was there before says nothing where anything is there.
        for (first, expected) in [(&states[1], Lost), (&states[2], Newer), (&states[3], Hurt)] {
            let state = State { copies: [first, &Copied::Missing], before: Before::Never };
            assert_eq!((state.standing(), state.is_blank()), (expected, false));
        }
    }
}
