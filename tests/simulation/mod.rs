//! Deterministic simulation: thousands of small worlds in which owners write and the sync dies between any two steps.
//! One seed is one world.
//!
//! Fault model. Between any two steps of a run, also while sides are locked, any owner may write through a connection of
//! its own (what is locked keeps it waiting, and it tries again), begin a transaction that lasts, or end one. At any of
//! them the process may die: it unwinds to the outside, handles no error on its way, and everything it had open is
//! closed. A run that died may die again while it is finished. A side may be out of reach for a run, or locked, or read by
//! somebody who does not end. 2 to 5 sides, in rollback and WAL mode side by side, with owners that stay and owners that
//! come and go (the last one to leave takes a write-ahead log with it). What dies between two system calls is for
//! `tests/crash.rs`, what goes on at the same time in several processes for the soak; here it is every order of events
//! that the steps allow.
//!
//! Invariant, when all is quiet and one more run has been: all sides are equal; a second run has nothing to do; every
//! counter is the exact sum of what was added, every cell with one writer has the last value that was acknowledged, the
//! log has every line as often as it was written, every child is there once with its own parent, a cell of many writers
//! has a value that one of them wrote, and nothing else is a conflict. Convergence alone would notice none of the planted
//! mistakes below. Rows reported as `uncertain` are exempt; how many worlds have any is printed, and bounded.
//!
//! The engine runs unchanged on real files in memory. `CR0SYNC_WORLDS` sets how many worlds there are (1,000),
//! `CR0SYNC_SEED` lives through one and tells its story.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::explicit_auto_deref,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a test fails by panicking and talks by printing"
)]

mod judge;
mod owners;
use crate::rng;
#[path = "../common/value.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod value;
mod world;

use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::database::steps::Mutant;

use world::{Seen, live};

/// How many worlds there are unless told otherwise.
const WORLDS: u64 = 1_000;
/// In how many of a thousand worlds something may be left to a person.
const UNCERTAIN_PER_MILLE: usize = 20;
/// Of so many worlds each step has its death.
const ENOUGH: usize = 1_000;
/// Steps after which a process may die.
const STEPS: usize = 15;
/// How many broken worlds are told of.
const STORIES: usize = 3;
/// Tells a child which worlds are its own: the first one, how far on the next one is, and the end.
const SHARE: &str = "CR0SYNC_SHARE";

/// What became of some worlds.
#[derive(Default, Serialize, Deserialize)]
struct Outcome {
    seen: Seen,
    stories: Vec<String>,
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[test]
fn every_world_keeps_its_promises() {
    if let Ok(words) = std::env::var(SHARE) {
        share(&words);
        return;
    }
    if let Some(seed) = number("CR0SYNC_SEED") {
        let (seen, verdict) = live(seed, None);
        println!("{seen:#?}");
        verdict.unwrap_or_else(|story| panic!("{story}"));
        return;
    }
    let worlds = number("CR0SYNC_WORLDS").unwrap_or(WORLDS);
    // Processes, since the threads of one wait for each other inside SQLite.
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let children: Vec<_> = (0..count)
        .map(|first| {
            Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "database::simulation::every_world_keeps_its_promises",
                    "--nocapture",
                    "--test-threads=1",
                ])
                .env(SHARE, format!("{first} {count} {worlds}"))
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut all = Outcome::default();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("share "));
        let line = line.unwrap_or_else(|| panic!("a child says nothing: {}\n{text}", output.status));
        let part: Outcome = serde_json::from_str(line).unwrap();
        all.seen.add(&part.seen);
        all.stories.extend(part.stories);
    }
    println!("{:#?}", all.seen);
    let Outcome { seen, stories } = all;
    assert!(stories.is_empty(), "{} worlds broke a promise:\n{}", stories.len(), stories.join("\n\n"));
    assert_eq!(seen.worlds, usize::try_from(worlds).unwrap());
    let few = seen.worlds * UNCERTAIN_PER_MILLE / 1_000 + 1;
    assert!(seen.uncertain <= few, "{} of {} worlds are uncertain", seen.uncertain, seen.worlds);
    if seen.worlds >= ENOUGH {
        assert_eq!(seen.deaths.len(), STEPS, "some step never saw a death: {:?}", seen.deaths);
    }
}

/// What a child of the test above does.
fn share(words: &str) {
    let numbers: Vec<u64> = words.split(' ').map(|word| word.parse().unwrap()).collect();
    let mut outcome = Outcome::default();
    let step = usize::try_from(numbers[1]).unwrap();
    for seed in (numbers[0]..numbers[2]).step_by(step) {
        let (seen, verdict) = live(seed, None);
        outcome.seen.add(&seen);
        outcome.stories.extend(verdict.err());
        if outcome.stories.len() >= STORIES {
            break;
        }
    }
    println!("\nshare {}", serde_json::to_string(&outcome).unwrap());
}

/// Lives through worlds with a mistake in the protocol until one of them shows.
fn is_noticed_within(worlds: u64, mutant: Mutant) {
    let shown = (0..worlds).find_map(|seed| live(seed, Some(mutant)).1.err());
    let shown = shown.unwrap_or_else(|| panic!("{mutant:?} was not noticed in {worlds} worlds"));
    println!("{mutant:?}: {}", shown.lines().next().unwrap_or_default());
}

#[test]
fn a_run_without_intents_is_noticed() {
    is_noticed_within(200, Mutant::NoIntent);
}

#[test]
fn a_run_without_a_guard_is_noticed() {
    is_noticed_within(200, Mutant::NoGuard);
}

#[test]
fn bases_that_run_ahead_are_noticed() {
    is_noticed_within(200, Mutant::EarlyBase);
}

#[test]
fn evidence_that_says_yes_to_everything_is_noticed() {
    is_noticed_within(200, Mutant::TrustfulEvidence);
}

#[test]
fn counters_that_agree_before_they_are_added_up_are_noticed() {
    is_noticed_within(200, Mutant::SumsAgree);
}
