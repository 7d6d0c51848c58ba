//! Runs the cases of a family, two at a time, and tells a failure as small as it gets.
//!
//! Apart from `runner`, which knows one case. A failure names the seed, the edits and what differs; the same seed
//! gives the same case for ever.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;

use super::case::{Case, Family, Round, case};
use super::runner::{NAMES, Verdict, run, tables_json};

/// Runs `cases` cases of a family, two at a time over the whole process, and panics with the smallest failure.
pub(crate) fn run_family(family: Family, share: u64) {
    let seed = number("CR0SYNC_SEED");
    let default = if seed.is_some() { 1 } else { 20_000 };
    let cases = (number("CR0SYNC_CASES").unwrap_or(default) * share / 100).max(1);
    let first = seed.unwrap_or((family as u64 + 1) * 10_000_000);
    let start = Instant::now();
    for n in 0..cases {
        let made = case(family, first + n);
        let _turn = turn();
        if let Err(problem) = attempt(&made) {
            let (small, problem) = shrink(made, problem, Instant::now() + Duration::from_secs(60));
            panic!("{family:?} case with CR0SYNC_SEED={} fails:\n{}\n{problem}", small.seed, print(&small));
        }
    }
    println!("{family:?}: {cases} cases in {:.1} s", start.elapsed().as_secs_f64());
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}

/// At most two cases at a time, whatever the test harness does.
fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURNS: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];
    TURNS[0].try_lock().unwrap_or_else(|_| TURNS[1].lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// A verdict even when something panics.
fn attempt(case: &Case) -> Verdict {
    catch_unwind(AssertUnwindSafe(|| run(case))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
    })
}

/// Leaves out edits and rounds as long as the case still fails.
fn shrink(mut case: Case, mut problem: String, until: Instant) -> (Case, String) {
    std::panic::set_hook(Box::new(|_| {}));
    let in_time = |_: &Case| Instant::now() < until;
    while let Some((smaller, found)) = smaller(&case)
        .into_iter()
        .take_while(in_time)
        .find_map(|case| attempt(&case).err().map(|found| (case, found)))
    {
        (case, problem) = (smaller, found);
    }
    drop(std::panic::take_hook());
    (case, problem)
}

fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Case)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        all.push(smaller);
    };
    if case.rounds.len() > 1 {
        with(&|case| drop(case.rounds.pop()));
    }
    for round in 0..case.rounds.len() {
        for edit in 0..case.rounds[round].edits.len() {
            with(&|case| drop(case.rounds[round].edits.remove(edit)));
        }
    }
    for row in 0..case.seed_rows.len() {
        with(&|case| drop(case.seed_rows.remove(row)));
    }
    all
}

/// The case as a person would repeat it.
fn print(case: &Case) -> String {
    let mut lines = vec![format!(
        "sides {:?}, hub {}, prefer {:?}, {}",
        &NAMES[..case.sides],
        NAMES[case.hub],
        case.prefer.iter().map(|side| NAMES[*side]).collect::<Vec<_>>(),
        if case.filled { "all sides filled at first" } else { "only the hub filled at first" },
    )];
    lines.push(format!("tables {}", json!(tables_json(case))));
    lines.extend(case.tables.iter().map(|table| format!("  {};", table.sql)));
    lines.extend(case.seed_rows.iter().map(|sql| format!("  {sql};")));
    for (n, round) in case.rounds.iter().enumerate() {
        lines.push(format!(
            "round {}{}{}",
            n + 1,
            busy_words(round),
            if round.forget { ", state lost" } else { "" }
        ));
        lines.extend(round.edits.iter().map(|(side, sql)| format!("  {}: {sql};", NAMES[*side])));
    }
    lines.join("\n")
}

fn busy_words(round: &Round) -> String {
    round.busy.map_or(String::new(), |(side, lock)| format!(", {} locked ({lock:?})", NAMES[side]))
}
