//! The table against a naive model that has room for everybody.

use std::collections::BTreeMap;

use super::*;
use crate::rng::Rng;

/// When each bucket is full, in nanoseconds, of who was let in.
#[derive(Default)]
struct Naive(BTreeMap<(usize, u64), u64>);

const POLICIES: [(u32, u32, u32); 4] = [(10, 3600, 10), (60, 60, 5), (1, 10, 1), (100, 1, 20)];

impl Naive {
    fn would(&self, rule: usize, key: u64, cost: u32, now: u64) -> bool {
        let (limit, period, burst) = POLICIES[rule];
        let interval = (u64::from(period) * SECOND).div_ceil(u64::from(limit));
        let full_at = self.0.get(&(rule, key)).copied().unwrap_or(0).max(now);
        full_at + interval * u64::from(cost) <= now + interval * u64::from(burst)
    }

    fn take(&mut self, rule: usize, key: u64, cost: u32, now: u64) {
        let (limit, period, _) = POLICIES[rule];
        let interval = (u64::from(period) * SECOND).div_ceil(u64::from(limit));
        let full_at = self.0.entry((rule, key)).or_default();
        *full_at = (*full_at).max(now) + interval * u64::from(cost);
    }
}

/// Random requests of so many clients; how often the table let in and the model did, each time one of them would.
fn story(seed: u64, clients: u32, keys: u64, exact: &str) -> (u64, u64) {
    let mut rng = Rng::new(seed);
    let world = World::new();
    let mut limiter = world.limiter(clients);
    let mut naive = Naive::default();
    let (mut let_in, mut would_have) = (0, 0);
    for step in 0..4000 {
        world.wait(rng.next() % 200 * 1_000_000);
        let asked: Vec<(usize, u64, u32)> = (0..1 + rng.below(3))
            .map(|_| {
                let rule = rng.below(4);
                let most = u64::from(POLICIES[rule].2.min(3));
                (rule, rng.next() % keys, u32::try_from(1 + rng.next() % most).unwrap())
            })
            .collect();
        let mut distinct: Vec<(usize, u64)> = asked.iter().map(|(rule, key, _)| (*rule, *key)).collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < asked.len() {
            continue;
        }
        let names: Vec<String> = asked.iter().map(|(_, key, _)| format!("key{key}")).collect();
        let checks: Vec<Check<'_>> = asked
            .iter()
            .zip(&names)
            .map(|(&(rule, _, cost), name)| {
                let (limit, period, burst) = POLICIES[rule];
                Check { client: name.as_bytes(), rule: policy(limit, period, burst), cost }
            })
            .collect();
        let now = world.now.get();
        let would = asked.iter().all(|&(rule, key, cost)| naive.would(rule, key, cost, now));
        let report = world.ask_all(&mut limiter, &checks);
        assert!(would || !report.verdict.allowed, "seed {seed}, step {step}: {asked:?} {report:?}");
        if exact == "exact" {
            assert_eq!(would, report.verdict.allowed, "seed {seed}, step {step}: {asked:?} {report:?}");
        }
        would_have += u64::from(would);
        if report.verdict.allowed {
            let_in += 1;
            for (rule, key, cost) in asked {
                naive.take(rule, key, cost, now);
            }
        }
    }
    (let_in, would_have)
}

#[test]
fn with_room_for_all_it_is_the_model() {
    for seed in 0..10 {
        let (let_in, _) = story(seed, 4096, 40, "exact");
        assert!(let_in > 200, "seed {seed}: {let_in}");
    }
}

#[test]
fn without_room_it_lets_in_nobody_whom_the_model_refuses() {
    for seed in 0..10 {
        let (let_in, would_have) = story(seed, 64, 2000, "never more");
        assert!(let_in > 100 && let_in < would_have, "seed {seed}: {let_in} of {would_have}");
    }
}

#[test]
fn several_limits_let_in_together_or_count_nothing() {
    let world = World::new();
    let mut limiter = world.limiter(64);
    let check = |client: &'static str, rule, cost| Check { client: client.as_bytes(), rule, cost };
    let both = [check("a", policy(5, 60, 5), 2), check("b", policy(3, 60, 3), 2)];
    let first = world.ask_all(&mut limiter, &both);
    assert!(first.verdict.allowed);
    let left = |report: &RateLimitReport| -> Vec<u32> {
        report.limits.iter().flatten().map(|verdict| verdict.remaining).collect()
    };
    assert_eq!(left(&first), [3, 1]);
    assert_eq!(first.verdict.remaining, 1, "the answer is that of the limit with the least left");
    for _ in 0..3 {
        let refused = world.ask_all(&mut limiter, &both);
        assert!(!refused.verdict.allowed);
        assert_eq!(left(&refused), [3, 1]);
        assert_eq!(refused.verdict.limit, 3);
        assert_eq!(refused.verdict.retry_after_ms, Some(20_000));
    }
    // One that never lets anybody in, beside one that would.
    let closed = [check("a", policy(5, 60, 5), 1), check("c", policy(0, 60, 1), 1)];
    let refused = world.ask_all(&mut limiter, &closed).verdict;
    assert_eq!((refused.allowed, refused.limit, refused.retry_after_ms), (false, 0, None));
    // The same bucket twice counts twice, and gives back what the second cannot have.
    let twice = [check("d", policy(3, 60, 3), 2), check("d", policy(3, 60, 3), 2)];
    let refused = world.ask_all(&mut limiter, &twice);
    assert_eq!((refused.verdict.allowed, left(&refused)), (false, vec![3, 3]));
    assert!(world.ask(&mut limiter, "d", policy(3, 60, 3), 3).verdict.allowed);
}

#[test]
fn what_makes_no_sense_is_an_error_that_says_so() {
    let world = World::new();
    let mut limiter = world.limiter(64);
    for (rule, cost, count, expected) in [
        (Rule::Tier("tne"), 1, 1, "there is no tier \"tne\""),
        (Rule::Tier("ten"), 11, 1, "more than 10 at once are never let in"),
        (policy(1, 1, 1), u32::MAX, 1, "more than 1 at once are never let in"),
        (Rule::Tier("ten"), 1, 0, "refused 0 limits"),
        (Rule::Tier("ten"), 1, 33, "refused 33 limits"),
    ] {
        let checks = vec![Check { client: b"a", rule, cost }; count];
        let error = limiter.take(&checks).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Usage);
        assert!(error.to_string().contains(expected), "{error}");
    }
    // Nothing was counted for any of them.
    assert_eq!(world.ask(&mut limiter, "a", Rule::Tier("ten"), 1).verdict.remaining, 9);
    let closed = world.ask(&mut limiter, "a", Rule::Tier("closed"), u32::MAX).verdict;
    assert_eq!((closed.allowed, closed.retry_after_ms), (false, None));
}
