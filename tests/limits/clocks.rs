//! Clocks that step.

use super::*;

const HOUR: u64 = 3600 * SECOND;

#[test]
fn a_clock_that_steps_lets_nobody_in_who_has_to_wait_and_locks_nobody_out_for_good() {
    let world = World::new();
    world.wait(2 * HOUR);
    let mut limiter = world.limiter(64);
    let ten = Rule::Tier("ten");
    let start = world.now.get();
    while world.ask(&mut limiter, "a", ten, 1).verdict.allowed {}
    // Back by an hour: who waits, waits on, and nobody new is refused.
    world.now.set(start - HOUR);
    assert!(!world.ask(&mut limiter, "a", ten, 1).verdict.allowed);
    assert!(world.ask(&mut limiter, "b", ten, 10).verdict.allowed);
    // There again: nothing is different from before.
    world.now.set(start);
    let verdict = world.ask(&mut limiter, "a", ten, 1).verdict;
    assert_eq!((verdict.allowed, verdict.retry_after_ms), (false, Some(360_000)));
    world.wait(360 * SECOND);
    assert!(world.ask(&mut limiter, "a", ten, 1).verdict.allowed);
    assert!(!world.ask(&mut limiter, "a", ten, 1).verdict.allowed);
}

#[test]
fn what_decides_does_not_know_the_wall_clock() {
    // The wall clock has one door, `clock::now`. Only what reads the file of today's pages, whose times are of that clock,
    // goes through it, and decides nothing.
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/access/limits");
    let mut knows: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if std::fs::read_to_string(entry.path()).unwrap().contains("clock::now") {
            knows.push(entry.file_name().into_string().unwrap());
        }
    }
    knows.sort();
    assert_eq!(knows, ["clean.rs", "status.rs"]);
}

#[test]
fn times_are_told_in_whole_units_that_are_long_enough() {
    let world = World::new();
    let mut limiter = world.limiter(64);
    // One in each 1.333.. seconds.
    let rule = policy(3, 4, 1);
    assert_eq!(world.ask(&mut limiter, "a", rule, 1).verdict.reset, 2);
    let verdict = world.ask(&mut limiter, "a", rule, 1).verdict;
    assert_eq!(verdict.retry_after_ms, Some(1334));
    world.wait(1_333_000_000);
    assert_eq!(world.ask(&mut limiter, "a", rule, 1).verdict.retry_after_ms, Some(1));
    world.wait(1_000_000);
    assert!(world.ask(&mut limiter, "a", rule, 1).verdict.allowed);
}
