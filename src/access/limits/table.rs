//! The buckets of all clients: fixed sets of slots that any number of processes change at the same time without a lock.
//!
//! A key has its place in one set, in any slot of it. The invariants, which every step keeps, so that a process may be
//! killed or stopped between any two instructions:
//!
//! 1. At most one published slot of a set has a given key. Publishing compares and swaps the set's control word, which
//!    counts every change, so it only succeeds where nothing was published since the set was searched.
//! 2. The key of a slot changes only while its state is `Claimed`, which only one process can make of it, and its bit in
//!    the control word is taken away before the first word of the key is written.
//! 3. A bucket is its state word alone. It is changed by compare and swap on exactly the word that was read before the
//!    key was. Another key never has the same word: a time only goes back when something is given back, and then the
//!    generation differs.
//! 4. Whoever finds a slot `Filled` and published makes it `Live` himself, and waits for nobody.
//!
//! **Eviction.** A new key takes a free slot, else the one whose bucket is full first. Where that bucket is not full yet,
//! the set remembers in its floor when it would have been, and nobody begins in this set with a bucket that is full
//! before its floor. So a client whose bucket went comes back with less than it had, never more, and a flood of keys
//! resets nobody's bucket. (The idea of the space-saving sketch: Metwally, Agrawal, El Abbadi, 2005.) A key that would be
//! refused takes no slot.
//!
//! A process that dies while it claims a slot leaves it claimed; others take it over when the process is gone.
//! Processes that cannot see each other (in containers that share the file and not the process numbers) take each other
//! for dead: one that was stopped for more than a second between claiming a slot and filling it, which is a few
//! instructions, could then write its key over another. Here is no file and no clock: `now` comes in, in nanoseconds
//! since the machine was started.

use std::sync::atomic::Ordering::SeqCst;

use super::gcra::{self, HORIZON, Outcome, Policy};
use super::mapping::{Set, Slot};
use super::word::{Published, State, age, changed, published};

/// A claim is not looked into before that: filling a slot takes less than a microsecond (milliseconds).
pub(super) const CLAIM_MS: u64 = 1000;
/// So often one request begins anew, as others changed its set, before it gives up. Each time somebody else got on.
const TRIES: usize = 100_000;
/// Nanoseconds in a millisecond.
const MILLISECOND: u64 = 1_000_000;

/// 128 bits of a keyed digest of whose bucket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) high: u64,
    pub(super) low: u64,
}

/// Who asks, and whether a process still lives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process {
    /// Our own number.
    pub(super) own: fn() -> u64,
    /// Whether one with that number is there.
    pub(super) lives: fn(u64) -> bool,
}

/// Why there is no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stuck {
    /// The buckets are moving to another table.
    Moving,
    /// Others changed the set all the time, or claim all of it.
    Busy,
}

/// Where a key is.
enum Found<'a> {
    /// In a slot whose state is that.
    At { slot: &'a Slot, word: u64, generation: u64, full_at: u64 },
    /// Nowhere, at the time of that control word.
    Nowhere { control: u64 },
    /// Something changed meanwhile.
    Again,
}

/// All sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    pub(super) sets: &'a [Set],
    pub(super) process: Process,
}

impl<'a> Table<'a> {
    fn set(&self, key: Key) -> Option<&'a Set> {
        let count = u128::try_from(self.sets.len()).ok()?;
        let index = u128::from(key.high).checked_mul(count)? >> 64;
        self.sets.get(usize::try_from(index).ok()?)
    }

    /// Asks a bucket, and takes from it where it lets the request in and the cost is not 0.
    pub(super) fn take(&self, key: Key, policy: &Policy, cost: u32, now: u64) -> Result<Outcome, Stuck> {
        let set = self.set(key).ok_or(Stuck::Moving)?;
        for attempt in 0..TRIES {
            match find(set, key)? {
                Found::At { slot, word, generation, full_at } => {
                    let outcome = gcra::decide(policy, full_at, now, cost);
                    let (Some(full_at), 1..) = (outcome.full_at, cost) else { return Ok(outcome) };
                    let next = State::Live { generation, full_at }.word();
                    if slot.state.compare_exchange(word, next, SeqCst, SeqCst).is_ok() {
                        return Ok(outcome);
                    }
                }
                Found::Nowhere { .. } => {
                    let Some(victim) = self.victim(set, now) else {
                        pause(attempt);
                        continue;
                    };
                    let outcome = gcra::decide(policy, victim.full_at, now, cost);
                    if outcome.full_at.is_none() || cost == 0 {
                        return Ok(outcome);
                    }
                    self.settle(set, key, &victim, now)?;
                }
                Found::Again => pause(attempt),
            }
        }
        Err(Stuck::Busy)
    }

    /// Asks a bucket what it would say to that, and takes nothing.
    pub(super) fn look(&self, key: Key, policy: &Policy, cost: u32, now: u64) -> Result<Outcome, Stuck> {
        let set = self.set(key).ok_or(Stuck::Moving)?;
        for attempt in 0..TRIES {
            let full_at = match find(set, key)? {
                Found::At { full_at, .. } => Some(full_at),
                Found::Nowhere { .. } => self.victim(set, now).map(|victim| victim.full_at),
                Found::Again => None,
            };
            match full_at {
                Some(full_at) => {
                    return Ok(gcra::look(policy, full_at, now, cost));
                }
                None => pause(attempt),
            }
        }
        Err(Stuck::Busy)
    }

    /// Gives back what was taken; what the client got back by waiting is not given twice.
    pub(super) fn give_back(&self, key: Key, price: u64, taken_at: u64, now: u64) -> Result<(), Stuck> {
        let set = self.set(key).ok_or(Stuck::Moving)?;
        for attempt in 0..TRIES {
            match find(set, key)? {
                Found::At { slot, word, generation, full_at } => {
                    let full_at = gcra::give_back(full_at, price, taken_at, now).max(1);
                    let next = State::Live { generation, full_at }.word();
                    if slot.state.compare_exchange(word, next, SeqCst, SeqCst).is_ok() {
                        return Ok(());
                    }
                }
                // It had to make room, with what was taken on the floor.
                Found::Nowhere { .. } => return Ok(()),
                Found::Again => pause(attempt),
            }
        }
        Err(Stuck::Busy)
    }

    /// Frees slots whose bucket is full, and those of dead processes. How many went, and how many are in use.
    pub(super) fn prune(&self, now: u64) -> (u64, u64) {
        let (mut freed, mut used) = (0_u64, 0_u64);
        for set in self.sets {
            for (index, slot) in set.slots.iter().enumerate() {
                let word = slot.state.load(SeqCst);
                let goes = match State::of(word) {
                    State::Free { .. } => continue,
                    State::Live { full_at, .. } => full_at < now || full_at > now.saturating_add(HORIZON),
                    _ => self.abandoned(set, index, slot, word, now),
                };
                if goes && self.claim(slot, word, now).is_some() {
                    clear(set, index, slot);
                    freed = freed.saturating_add(1);
                } else {
                    used = used.saturating_add(1);
                }
            }
        }
        (freed, used)
    }

    /// How many slots there are, and how many have a bucket that is not full, or that somebody is about to fill. Changes
    /// nothing.
    pub(super) fn used(&self, now: u64) -> (u64, u64) {
        let (mut slots, mut used) = (0_u64, 0_u64);
        for slot in self.sets.iter().flat_map(|set| &set.slots) {
            slots = slots.saturating_add(1);
            let is_used = match State::of(slot.state.load(SeqCst)) {
                State::Free { .. } => false,
                State::Live { full_at, .. } | State::Moved { full_at, .. } => {
                    sane(full_at, now).is_some_and(|full_at| full_at >= now)
                }
                State::Claimed { .. } | State::Filled { .. } => true,
            };
            used = used.saturating_add(u64::from(is_used));
        }
        (slots, used)
    }

    /// Stops every change, and keeps all buckets as they are, so that they can be put into another table.
    pub(super) fn freeze(&self, now: u64) -> Result<(), Stuck> {
        for set in self.sets {
            for (index, slot) in set.slots.iter().enumerate() {
                self.freeze_slot(set, index, slot, now)?;
            }
        }
        Ok(())
    }

    fn freeze_slot(&self, set: &Set, index: usize, slot: &Slot, now: u64) -> Result<(), Stuck> {
        for attempt in 0..TRIES {
            let word = slot.state.load(SeqCst);
            let next = match State::of(word) {
                State::Moved { .. } => return Ok(()),
                State::Free { generation } => State::Moved { generation, full_at: 0 },
                State::Live { generation, full_at } => State::Moved { generation, full_at },
                State::Filled { generation, full_at } if published(set.control.load(SeqCst), index) => {
                    State::Live { generation, full_at }
                }
                _ => {
                    if self.abandoned(set, index, slot, word, now) && self.claim(slot, word, now).is_some() {
                        clear(set, index, slot);
                    }
                    pause(attempt);
                    continue;
                }
            };
            let _ = slot.state.compare_exchange(word, next.word(), SeqCst, SeqCst);
        }
        Err(Stuck::Busy)
    }

    /// Takes over what another table had when it was frozen.
    pub(super) fn adopt_all(&self, other: &[Set], now: u64) -> Result<(), Stuck> {
        for (index, set) in other.iter().enumerate() {
            let floor = sane(set.floor.load(SeqCst), now).unwrap_or(0);
            for own in self.sets.get(overlap(index, other.len(), self.sets.len())).into_iter().flatten() {
                own.floor.fetch_max(floor, SeqCst);
            }
            for slot in &set.slots {
                if let State::Moved { full_at, .. } = State::of(slot.state.load(SeqCst)) {
                    let key = Key { high: slot.high.load(SeqCst), low: slot.low.load(SeqCst) };
                    if full_at > now && sane(full_at, now).is_some() {
                        self.adopt(key, full_at, now)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts a bucket in its place as it was in another table.
    fn adopt(&self, key: Key, full_at: u64, now: u64) -> Result<(), Stuck> {
        let set = self.set(key).ok_or(Stuck::Moving)?;
        for _ in 0..TRIES {
            let Some(victim) = self.victim(set, now) else { return Err(Stuck::Busy) };
            if matches!(State::of(victim.word), State::Live { .. }) && victim.full_at >= full_at {
                // There is no room for what is full before everything else; whose it is begins at the floor.
                set.floor.fetch_max(full_at, SeqCst);
                return Ok(());
            }
            self.settle(set, key, &Victim { full_at: full_at.max(victim.full_at), ..victim }, now)?;
            if matches!(find(set, key)?, Found::At { .. }) {
                return Ok(());
            }
        }
        Err(Stuck::Busy)
    }

    /// The slot that a new key takes, and when its bucket is full at the beginning.
    fn victim(&self, set: &'a Set, now: u64) -> Option<Victim<'a>> {
        let floor = sane(set.floor.load(SeqCst), now).unwrap_or(0);
        let least = floor.max(now);
        let mut best: Option<Victim<'a>> = None;
        for (index, slot) in set.slots.iter().enumerate() {
            let word = slot.state.load(SeqCst);
            let full_at = match State::of(word) {
                State::Free { .. } => return Some(Victim { index, slot, word, full_at: least }),
                State::Live { full_at, .. } => sane(full_at, now).unwrap_or(0),
                State::Filled { generation, full_at } if published(set.control.load(SeqCst), index) => {
                    // Whoever filled it did not come to the last step. Now it can go like any other.
                    let live = State::Live { generation, full_at }.word();
                    let _ = slot.state.compare_exchange(word, live, SeqCst, SeqCst);
                    continue;
                }
                _ if self.abandoned(set, index, slot, word, now) => 0,
                _ => continue,
            };
            if best.as_ref().is_none_or(|best| full_at < best.full_at) {
                best = Some(Victim { index, slot, word, full_at });
            }
        }
        best.map(|best| Victim { full_at: best.full_at.max(least), ..best })
    }

    /// Whether a slot is half filled and nobody goes on.
    fn abandoned(&self, set: &Set, index: usize, slot: &Slot, word: u64, now: u64) -> bool {
        let (pid, age) = match State::of(word) {
            State::Claimed { pid, moment, .. } => (pid, age(moment, now / MILLISECOND)),
            State::Filled { full_at, .. } if !published(set.control.load(SeqCst), index) => {
                // It is filled with a time that was not before its claim; a late one waits for its time.
                (slot.owner.load(SeqCst), now.saturating_sub(full_at) / MILLISECOND)
            }
            _ => return false,
        };
        age > CLAIM_MS && !(self.process.lives)(pid)
    }

    /// Makes a slot ours; `None` when it is no longer what it was.
    fn claim(&self, slot: &Slot, word: u64, now: u64) -> Option<u64> {
        let generation = State::of(word).next_generation();
        let claimed =
            State::Claimed { generation, pid: (self.process.own)(), moment: now / MILLISECOND }.word();
        slot.state.compare_exchange(word, claimed, SeqCst, SeqCst).ok().map(|_| generation)
    }

    /// Gives a slot to a key, unless somebody else was faster in anything; either way the caller looks again.
    fn settle(&self, set: &Set, key: Key, victim: &Victim<'_>, now: u64) -> Result<(), Stuck> {
        let slot = victim.slot;
        if let State::Live { full_at, .. } = State::of(victim.word)
            && let Some(full_at) = sane(full_at, now).filter(|full_at| *full_at >= now)
        {
            set.floor.fetch_max(full_at, SeqCst);
        }
        let Some(generation) = self.claim(slot, victim.word, now) else { return Ok(()) };
        hide(set, victim.index);
        slot.high.store(key.high, SeqCst);
        slot.low.store(key.low, SeqCst);
        slot.owner.store((self.process.own)(), SeqCst);
        let filled = State::Filled { generation, full_at: victim.full_at }.word();
        slot.state.store(filled, SeqCst);
        loop {
            match find(set, key) {
                Ok(Found::Nowhere { control }) => {
                    let next = changed(control, victim.index, Published::Yes);
                    if set.control.compare_exchange(control, next, SeqCst, SeqCst).is_ok() {
                        break;
                    }
                }
                Ok(Found::Again) => {}
                // Somebody else has published the same key, or all are moving.
                Ok(Found::At { .. }) => {
                    clear(set, victim.index, slot);
                    return Ok(());
                }
                Err(stuck) => {
                    clear(set, victim.index, slot);
                    return Err(stuck);
                }
            }
        }
        // It fails where somebody has done it already.
        let live = State::Live { generation, full_at: victim.full_at }.word();
        let _ = slot.state.compare_exchange(filled, live, SeqCst, SeqCst);
        Ok(())
    }
}

/// Which of so many sets hold keys of one among so many others.
pub(super) fn overlap(index: usize, others: usize, own: usize) -> std::ops::Range<usize> {
    let at = |index: usize| index.saturating_mul(own);
    let start = at(index).checked_div(others).unwrap_or(0);
    let end = at(index.saturating_add(1)).div_ceil(others.max(1));
    start..end.min(own)
}

/// A slot that a new key can have.
struct Victim<'a> {
    index: usize,
    slot: &'a Slot,
    word: u64,
    /// When the bucket of the new key is full.
    full_at: u64,
}

/// A time that is possible; what is later was not written by us.
fn sane(full_at: u64, now: u64) -> Option<u64> {
    (full_at <= now.saturating_add(HORIZON)).then_some(full_at)
}

/// Searches a set for a key.
fn find(set: &Set, key: Key) -> Result<Found<'_>, Stuck> {
    let control = set.control.load(SeqCst);
    for (index, slot) in set.slots.iter().enumerate() {
        let word = slot.state.load(SeqCst);
        // The state first: what the key is said to be counts only while the state is still the same word.
        let same = || slot.high.load(SeqCst) == key.high && slot.low.load(SeqCst) == key.low;
        match State::of(word) {
            State::Moved { .. } => return Err(Stuck::Moving),
            State::Live { generation, full_at } if same() => {
                return Ok(Found::At { slot, word, generation, full_at });
            }
            State::Filled { generation, full_at } if same() => {
                let visible = published(set.control.load(SeqCst), index);
                if slot.state.load(SeqCst) != word {
                    return Ok(Found::Again);
                }
                if visible {
                    let live = State::Live { generation, full_at }.word();
                    let _ = slot.state.compare_exchange(word, live, SeqCst, SeqCst);
                    return Ok(Found::Again);
                }
            }
            _ => {}
        }
    }
    Ok(Found::Nowhere { control })
}

/// Takes a slot that is ours out of sight.
fn hide(set: &Set, index: usize) {
    let mut control = set.control.load(SeqCst);
    while published(control, index) {
        let next = changed(control, index, Published::No);
        match set.control.compare_exchange(control, next, SeqCst, SeqCst) {
            Ok(_) => break,
            Err(now) => control = now,
        }
    }
}

/// Leaves a slot that is ours.
fn clear(set: &Set, index: usize, slot: &Slot) {
    hide(set, index);
    let generation = State::of(slot.state.load(SeqCst)).next_generation();
    slot.state.store(State::Free { generation }.word(), SeqCst);
}

/// Lets others get on.
fn pause(attempt: usize) {
    if attempt < 64 { std::hint::spin_loop() } else { std::thread::yield_now() }
}
