//! How programs are measured beside each other.
//!
//! In rounds, in each of which all take their turn, in an order that changes; what is printed is the median of the ratios
//! within a round, with the least and the largest, so that a machine that is busy for a while bears on all alike. For a
//! profiler there are `--alone`, with none but ours, and `--rounds=N`.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Does those cases whose name has a part that was asked for, or all.
pub(crate) fn run_all(cases: &[(&str, &dyn Fn())]) {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with("--"));
    for (name, case) in cases {
        if wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str())) {
            println!("{name}");
            case();
        }
    }
}

/// Somebody who is measured.
pub(crate) struct Runner<'a> {
    name: String,
    /// Makes ready, and is not timed.
    before: Box<dyn FnMut() + 'a>,
    run: Box<dyn FnMut() + 'a>,
}

pub(crate) fn runner<'a>(name: &str, before: impl FnMut() + 'a, run: impl FnMut() + 'a) -> Runner<'a> {
    Runner { name: name.to_owned(), before: Box::new(before), run: Box::new(run) }
}

/// Measures all of them in rounds; the first one is ours.
pub(crate) fn compare(rounds: usize, mut runners: Vec<Runner<'_>>) {
    let asked = std::env::args().find_map(|word| word.strip_prefix("--rounds=")?.parse().ok());
    let rounds = asked.unwrap_or(rounds);
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); runners.len()];
    for round in 0..rounds {
        for turn in 0..runners.len() {
            let index = (turn + round) % runners.len();
            let runner = &mut runners[index];
            (runner.before)();
            let start = Instant::now();
            (runner.run)();
            times[index].push(start.elapsed());
        }
    }
    for (index, runner) in runners.iter().enumerate() {
        let mut sorted = times[index].clone();
        sorted.sort_unstable();
        let median = sorted[sorted.len() / 2].as_secs_f64() * 1000.0;
        let mut ratios: Vec<f64> = times[index]
            .iter()
            .zip(&times[0])
            .map(|(other, ours)| other.as_secs_f64() / ours.as_secs_f64())
            .collect();
        ratios.sort_by(f64::total_cmp);
        let ratio = match index {
            0 => String::new(),
            _ => format!(
                "  {:.2} times ours ({:.2} to {:.2})",
                ratios[ratios.len() / 2],
                ratios[0],
                ratios[ratios.len() - 1]
            ),
        };
        println!("  {:<28} {median:>10.2} ms{ratio}", runner.name);
    }
}

pub(crate) fn has(program: &str) -> bool {
    if std::env::args().any(|word| word == "--alone") {
        return false;
    }
    let there =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    let there = there.is_ok_and(|status| status.success());
    if !there {
        println!("  {program} is not installed, and so not measured");
    }
    there
}

pub(crate) fn run(program: &str, arguments: &[&str]) {
    let status =
        Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}
