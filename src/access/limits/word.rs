//! What the words of the table mean: the state of a slot, and the control word of a set.
//!
//! Apart from `table`, which changes them, because this is the format on disk. Any 64 bits mean something, as whoever
//! may write to the file may write anything. Pure.

use super::mapping::SLOTS;

/// Bits of a time: nanoseconds of nine years.
const TIME_BITS: u32 = 58;
/// The largest time.
pub(super) const MAX_TIME: u64 = (1 << TIME_BITS) - 1;
/// Bits of a generation.
const GENERATION: u64 = 0xf;
/// Bits of a process number; Linux has none above 2^22.
const PID_BITS: u32 = 22;
const PID: u64 = (1 << PID_BITS) - 1;
/// Bits of the moment of a claim, in milliseconds; two years, after which they begin again.
const MOMENT: u64 = (1 << (TIME_BITS - PID_BITS)) - 1;

/// What a slot is.
///
/// The generation counts who has had the slot, so that the same time in the hands of another key is another word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody's.
    Free { generation: u64 },
    /// A bucket, and when it is full.
    Live { generation: u64, full_at: u64 },
    /// A bucket that has moved to another table, where this one still counts if that never appeared.
    Moved { generation: u64, full_at: u64 },
    /// A process is writing another key into it, and nobody else may.
    Claimed { generation: u64, pid: u64, moment: u64 },
    /// That is done. It is a bucket as soon as the control word says that it is published.
    Filled { generation: u64, full_at: u64 },
}

impl State {
    /// The meaning of a word.
    pub(super) const fn of(word: u64) -> State {
        let (generation, time) = (word >> TIME_BITS & GENERATION, word & MAX_TIME);
        match word >> 62 {
            0 if time == 0 => State::Free { generation },
            0 => State::Live { generation, full_at: time },
            1 => State::Moved { generation, full_at: time },
            2 => State::Claimed { generation, pid: time & PID, moment: time >> PID_BITS },
            _ => State::Filled { generation, full_at: time },
        }
    }

    /// The word of it.
    pub(super) const fn word(self) -> u64 {
        let (kind, generation, time) = match self {
            State::Free { generation } => (0, generation, 0),
            State::Live { generation, full_at } => (0, generation, full_at),
            State::Moved { generation, full_at } => (1, generation, full_at),
            State::Claimed { generation, pid, moment } => {
                (2, generation, (moment & MOMENT) << PID_BITS | pid & PID)
            }
            State::Filled { generation, full_at } => (3, generation, full_at),
        };
        // What does not fit is cut down to the largest time, which is against the client.
        let time = if time > MAX_TIME { MAX_TIME } else { time };
        kind << 62 | (generation & GENERATION) << TIME_BITS | time
    }

    /// Who has had it before.
    pub(super) const fn generation(self) -> u64 {
        match self {
            State::Free { generation }
            | State::Live { generation, .. }
            | State::Moved { generation, .. }
            | State::Claimed { generation, .. }
            | State::Filled { generation, .. } => generation,
        }
    }

    /// The one after.
    pub(super) const fn next_generation(self) -> u64 {
        self.generation().wrapping_add(1) & GENERATION
    }
}

/// How long ago a claim was made (milliseconds).
pub(super) const fn age(moment: u64, now: u64) -> u64 {
    now.wrapping_sub(moment) & MOMENT
}

/// Where the number of changes begins in a control word.
const CHANGES: u32 = 16;
const _: () = assert!(SLOTS <= 16, "a control word has a bit for each slot");

/// Whether a slot is published.
pub(super) const fn published(control: u64, slot: usize) -> bool {
    slot < SLOTS && control >> slot & 1 == 1
}

/// The control word after a slot is published, or no longer is.
pub(super) const fn changed(control: u64, slot: usize, now: Published) -> u64 {
    let bit = if slot < SLOTS { 1 << slot } else { 0 };
    let bits = match now {
        Published::Yes => control | bit,
        Published::No => control & !bit,
    };
    bits.wrapping_add(1 << CHANGES)
}

/// Whether everybody may see what a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    /// Everybody.
    Yes,
    /// Nobody.
    No,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_word_means_something_and_comes_back(word in any::<u64>()) {
            prop_assert_eq!(State::of(word).word(), word);
        }

        #[test]
        fn a_control_word_never_comes_back(control in any::<u64>(), slot in 0..SLOTS) {
            let with = changed(control, slot, Published::Yes);
            let without = changed(with, slot, Published::No);
            prop_assert!(published(with, slot) && !published(without, slot));
            prop_assert!(with != control && without != control && with != without);
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_and_touches_nothing_else() {
        let live = State::Live { generation: 17, full_at: u64::MAX };
        assert_eq!(State::of(live.word()), State::Live { generation: 1, full_at: MAX_TIME });
        let claimed = State::Claimed { generation: 3, pid: 4_194_303, moment: u64::MAX };
        assert_eq!(
            State::of(claimed.word()),
            State::Claimed { generation: 3, pid: 4_194_303, moment: MOMENT }
        );
        assert_eq!((age(MOMENT, 2), age(5, 1005)), (3, 1000));
        assert_eq!(State::of(0), State::Free { generation: 0 });
    }
}
