//! The same requests to Symfony's rate limiters (Debian's php-symfony-rate-limiter) and to ours.
//!
//! What is equal: while a `token_bucket` of theirs is not full, it and ours say the same to every request, and leave the
//! same. What differs:
//!
//! - `token_bucket`: theirs fills in steps counted from its first request, and goes on counting while it is full. Ours
//!   begins to fill when something is taken from it. So a request after a rest may find one more in theirs, by less than
//!   one interval; from one rest to the next neither is ever more than one request ahead of the other.
//! - `fixed_window`: theirs lets in nobody until the window is over (after its end, not at it), and then all at once, twice the limit around its end.
//!   Ours lets in one in each interval.
//! - `sliding_window`: theirs lets in nobody either after a burst until the window is over, and then one in each interval.
//!   Of the window before it knows only how many there were.
//! - Theirs forget everything when the wall clock is set forward, and lock everybody out when it is set back.
//! - A limit of 0 is an exception there. A cost of more than the burst is one in both.
//!
//! All times are eighths of a second, which the floating-point numbers of PHP hold exactly.

use std::io::Write;
use std::process::{Command, Stdio};

use super::*;
use crate::rng::Rng;

const EIGHTH: u64 = SECOND / 8;

struct Trace {
    policy: &'static str,
    limit: u32,
    seconds: u32,
    requests: Vec<(u64, u32)>,
}

/// Theirs counts below nothing.
type Answer = Vec<(bool, i64)>;

/// What theirs say; `None` where there is no Symfony.
fn theirs(traces: &[Trace]) -> Option<Vec<Answer>> {
    let json: Vec<serde_json::Value> = traces
        .iter()
        .map(|trace| {
            serde_json::json!({
                "policy": trace.policy,
                "limit": trace.limit,
                "seconds": trace.seconds,
                "requests": trace.requests,
            })
        })
        .collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/limits/symfony.php");
    let there = Command::new("php")
        .args(["-r", "exit(@include 'Symfony/Component/RateLimiter/autoload.php' ? 0 : 1);"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !there.is_ok_and(|status| status.success()) {
        println!("skipped: php-symfony-rate-limiter is not installed");
        return None;
    }
    let mut child =
        Command::new("php").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let input = serde_json::to_vec(&json).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// What ours say, and for each request whether the bucket was full before it.
fn ours(trace: &Trace, rule: Rule<'_>) -> (Answer, Vec<bool>) {
    let world = World::new();
    let mut limiter = world.limiter(64);
    let start = world.now.get();
    trace
        .requests
        .iter()
        .map(|&(eighths, cost)| {
            world.now.set(start + eighths * EIGHTH);
            let full = world.ask(&mut limiter, "a", rule, 0).verdict.reset == 0;
            let verdict = world.ask(&mut limiter, "a", rule, cost).verdict;
            ((verdict.allowed, i64::from(verdict.remaining)), full)
        })
        .unzip()
}

fn random(rng: &mut Rng, policy: &'static str, requests: usize, pause: u64) -> Trace {
    let limit = u32::try_from(1 + rng.below(12)).unwrap();
    let seconds = u32::try_from(1 + rng.below(20)).unwrap();
    let mut at = 0;
    let requests = (0..requests)
        .map(|_| {
            at += rng.next() % (1 + pause * u64::from(seconds) * 8);
            (at, u32::try_from(1 + rng.next() % u64::from(limit.min(3))).unwrap())
        })
        .collect();
    Trace { policy, limit, seconds, requests }
}

#[test]
fn a_token_bucket_that_is_never_full_says_the_same() {
    let mut rng = Rng::new(1);
    let mut traces: Vec<Trace> = (0..200).map(|_| random(&mut rng, "token_bucket", 300, 2)).collect();
    for trace in &mut traces {
        // Everything is taken at first.
        trace.requests.insert(0, (0, trace.limit));
    }
    let Some(theirs) = theirs(&traces) else { return };
    let (mut compared, mut refused) = (0, 0);
    for (number, (trace, theirs)) in traces.iter().zip(&theirs).enumerate() {
        let (ours, full) = ours(trace, policy(1, trace.seconds, trace.limit));
        let until = full.iter().skip(1).position(|full| *full).map_or(ours.len(), |at| at + 1);
        for step in 0..until {
            assert_eq!(ours[step], theirs[step], "trace {number}, step {step}: {:?}", trace.requests[step]);
            compared += 1;
            refused += usize::from(!ours[step].0);
        }
    }
    assert!(compared > 10_000 && refused > 1000, "{compared} compared, {refused} refused");
}

#[test]
fn a_token_bucket_that_rests_is_never_more_than_one_request_ahead() {
    let mut rng = Rng::new(2);
    let mut traces: Vec<Trace> = (0..200).map(|_| random(&mut rng, "token_bucket", 300, 3)).collect();
    for trace in &mut traces {
        trace.requests.iter_mut().for_each(|(_, cost)| *cost = 1);
    }
    let Some(theirs) = theirs(&traces) else { return };
    let mut different = 0;
    for (number, (trace, theirs)) in traces.iter().zip(&theirs).enumerate() {
        let (ours, full) = ours(trace, policy(1, trace.seconds, trace.limit));
        let mut ahead = 0_i32;
        for step in 0..ours.len() {
            // From rest to rest.
            ahead = if full[step] { 0 } else { ahead };
            ahead += i32::from(theirs[step].0) - i32::from(ours[step].0);
            different += usize::from(theirs[step].0 != ours[step].0);
            assert!((-1..=1).contains(&ahead), "trace {number}, step {step}: {ahead}");
        }
    }
    assert!(different > 0, "the difference that is documented was not seen");
}

#[test]
fn windows_let_in_as_many_in_the_long_run_and_at_other_times() {
    // Somebody who asks each second, of 5 a minute; what each lets in, by second.
    let trace = |policy| Trace {
        policy,
        limit: 5,
        seconds: 60,
        requests: (0..180).map(|second| (second * 8, 1)).collect(),
    };
    let traces = [trace("fixed_window"), trace("sliding_window")];
    let Some(theirs) = theirs(&traces) else { return };
    let (ours, _) = ours(&traces[0], policy(5, 60, 5));
    let when = |answer: &Answer| -> Vec<usize> {
        answer.iter().enumerate().filter(|(_, said)| said.0).map(|(second, _)| second).collect()
    };
    assert_eq!(
        when(&ours),
        [0, 1, 2, 3, 4, 12, 24, 36, 48, 60, 72, 84, 96, 108, 120, 132, 144, 156, 168],
        "ours"
    );
    assert_eq!(
        when(&theirs[0]),
        [0, 1, 2, 3, 4, 61, 62, 63, 64, 65, 122, 123, 124, 125, 126],
        "fixed window"
    );
    assert_eq!(
        when(&theirs[1]),
        [0, 1, 2, 3, 4, 61, 73, 85, 97, 109, 121, 133, 145, 157, 169],
        "sliding window"
    );
}

#[test]
fn over_many_windows_nobody_is_let_in_more_than_one_burst_more_often() {
    let mut rng = Rng::new(3);
    let mut traces: Vec<Trace> = (0..60).map(|_| random(&mut rng, "fixed_window", 1, 1)).collect();
    for trace in &mut traces {
        // More than is allowed, over 20 windows.
        trace.seconds += 3;
        let eighths = u64::from(trace.seconds) * 8;
        trace.requests = (0..20 * eighths).map(|at| (at, 1)).collect();
    }
    let Some(theirs) = theirs(&traces) else { return };
    for (number, (trace, theirs)) in traces.iter().zip(&theirs).enumerate() {
        let (ours, _) = ours(trace, policy(trace.limit, trace.seconds, trace.limit));
        let count = |answer: &Answer| answer.iter().filter(|said| said.0).count();
        let (ours, theirs, limit) = (count(&ours), count(theirs), usize::try_from(trace.limit).unwrap());
        assert!(ours.abs_diff(theirs) <= limit + 1, "trace {number}: {ours} and {theirs} of {limit}");
    }
}
