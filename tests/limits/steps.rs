//! One set of the table, step by step: what the dead leave, and who makes room for whom.

use std::sync::atomic::Ordering::SeqCst;

use crate::access::limits::Policy;
use crate::access::limits::mapping::{HEADER, Mapping, SET, SLOTS, Set, Slot};
use crate::access::limits::table::{CLAIM_MS, Key, Process, Stuck, Table, overlap};
use crate::access::limits::word::{Published, State, changed};

const MILLISECOND: u64 = 1_000_000;
const NOW: u64 = 1_000_000 * MILLISECOND;
const DEAD: u64 = 7;
const ALIVE: u64 = 8;
const OWN: u64 = 9;

fn mapping() -> Mapping {
    let file = tempfile::tempfile().unwrap();
    file.set_len(u64::try_from(HEADER + SET).unwrap()).unwrap();
    Mapping::of(&file, 1).unwrap()
}

fn table(mapping: &Mapping) -> Table<'_> {
    Table { sets: mapping.sets(), process: Process { own: || OWN, lives: |pid| pid != DEAD } }
}

fn key(number: u64) -> Key {
    Key { high: number + 100, low: number + 200 }
}

/// Three in an hour, all at once.
fn policy() -> Policy {
    Policy::new(3, 3600, 3).unwrap()
}

fn put(set: &Set, index: usize, number: u64, state: State, visible: Published) {
    let slot = &set.slots[index];
    slot.high.store(key(number).high, SeqCst);
    slot.low.store(key(number).low, SeqCst);
    slot.owner.store(DEAD, SeqCst);
    slot.state.store(state.word(), SeqCst);
    set.control.store(changed(set.control.load(SeqCst), index, visible), SeqCst);
}

fn admitted(table: &Table<'_>, number: u64, now: u64) -> usize {
    let ask = |_: &usize| table.take(key(number), &policy(), 1, now).unwrap().full_at.is_some();
    (0..10).filter(ask).count()
}

/// What a process leaves that dies at each step of giving a slot to key 1, which key 0 had before.
#[test]
fn whoever_dies_at_any_step_leaves_a_bucket_or_none_and_never_two() {
    let moment = NOW / MILLISECOND;
    let claimed = State::Claimed { generation: 1, pid: DEAD, moment };
    let filled = State::Filled { generation: 1, full_at: NOW };
    let late = NOW + 2 * CLAIM_MS * MILLISECOND;
    for (step, number, state, visible) in [
        ("claimed", 0, claimed, Published::Yes),
        ("out of sight", 0, claimed, Published::No),
        ("key written", 1, claimed, Published::No),
        ("filled", 1, filled, Published::No),
        ("published", 1, filled, Published::Yes),
        ("live", 1, State::Live { generation: 1, full_at: NOW }, Published::Yes),
    ] {
        for now in [NOW + MILLISECOND, late] {
            let mapping = mapping();
            let (table, set) = (table(&mapping), &mapping.sets()[0]);
            put(set, 3, number, state, visible);
            assert_eq!(admitted(&table, 1, now), 3, "{step}");
            assert_eq!(admitted(&table, 0, now), 3, "{step}");
            let same = |slot: &&Slot| {
                slot.high.load(SeqCst) == key(1).high
                    && matches!(State::of(slot.state.load(SeqCst)), State::Live { .. })
            };
            assert_eq!(set.slots.iter().filter(same).count(), 1, "{step}");
            // When it is known to be dead, nothing of it is left.
            table.prune(late);
            let half = |slot: &&Slot| {
                !matches!(State::of(slot.state.load(SeqCst)), State::Live { .. } | State::Free { .. })
            };
            assert_eq!(set.slots.iter().filter(half).count(), 0, "{step}");
        }
    }
}

#[test]
fn slots_of_the_dead_are_taken_over_and_those_of_the_living_are_not() {
    for (pid, after_ms, expected) in [
        (DEAD, CLAIM_MS + 1, Ok(true)),
        (DEAD, CLAIM_MS - 1, Err(Stuck::Busy)),
        (ALIVE, 60_000, Err(Stuck::Busy)),
    ] {
        let mapping = mapping();
        let (table, set) = (table(&mapping), &mapping.sets()[0]);
        for index in 0..SLOTS {
            let state = State::Claimed { generation: 1, pid, moment: NOW / MILLISECOND };
            put(set, index, 50, state, Published::No);
        }
        let said = table.take(key(1), &policy(), 1, NOW + after_ms * MILLISECOND);
        assert_eq!(said.map(|outcome| outcome.full_at.is_some()), expected, "{pid} {after_ms}");
    }
}

#[test]
fn who_made_room_comes_back_with_no_more_than_before() {
    let mapping = mapping();
    let table = table(&mapping);
    // One more than there is room for, each with one left.
    for number in 0..=u64::try_from(SLOTS).unwrap() {
        let cost = if number < u64::try_from(SLOTS).unwrap() { 2 } else { 1 };
        assert!(
            table.take(key(number), &policy(), cost, NOW + number).unwrap().full_at.is_some(),
            "{number}"
        );
    }
    // The last one begins with what the first one owed.
    let last = table.look(key(u64::try_from(SLOTS).unwrap()), &policy(), 0, NOW + 100).unwrap();
    assert_eq!((last.full_at, last.remaining), (None, 0));
    assert_eq!(admitted(&table, 0, NOW + 100), 1);
    // In two hours at most all is as if nothing had been.
    let later = NOW + 2 * 3_600_000 * MILLISECOND;
    assert_eq!(admitted(&table, 0, later), 3);
    assert_eq!(admitted(&table, 99, later), 3);
}

#[test]
fn each_part_of_the_keys_is_in_the_sets_that_hold_it() {
    for (others, own) in [(1, 1), (1, 7), (7, 1), (8, 512), (512, 8), (3, 5), (5, 3), (2_097_152, 3)] {
        for high in [0, 1, u64::MAX / 3, u64::MAX / 2, u64::MAX / 5 * 4, u64::MAX] {
            let at = |count: usize| {
                usize::try_from((u128::from(high) * u128::try_from(count).unwrap()) >> 64).unwrap()
            };
            assert!(overlap(at(others), others, own).contains(&at(own)), "{others} {own} {high}");
        }
    }
}
