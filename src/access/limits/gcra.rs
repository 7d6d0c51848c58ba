//! The arithmetic of one rate limit: who is admitted when, and what is left.
//!
//! GCRA, the generic cell rate algorithm (ITU-T I.371): a bucket is one number, the time at which it is full again. Each
//! request moves it on by what one request costs; who would move it further from now than the whole bucket takes is
//! refused. That is a token bucket that fills all the time instead of in steps. Pure: times come in as nanoseconds of a
//! clock that nobody can set. It must never admit more than the policy says, so whatever is rounded is rounded against
//! the client.

use crate::error::{Error, ErrorKind, Result};

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;
/// An empty bucket that takes longer to fill is a mistake, and its times could not be told from damage (nanoseconds; 400
/// days).
pub(crate) const HORIZON: u64 = 400 * 24 * 3600 * SECOND;

/// So many requests in each period, and so many at once after a while of none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    limit: u32,
    burst: u32,
    /// What one request costs, in nanoseconds, rounded up; `None` where nobody is let in.
    interval: Option<u64>,
    /// What an empty bucket takes to fill.
    capacity: u64,
}

impl Policy {
    /// A policy. A limit of 0 lets nobody in.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the period or the burst is 0, or an empty bucket would take more than 400 days to fill.
    pub fn new(limit: u32, period_seconds: u32, burst: u32) -> Result<Policy> {
        let wrong = |what: &str| Err(Error::new(ErrorKind::Usage, format!("refused a rate limit {what}")));
        if period_seconds == 0 {
            return wrong("whose period is 0 seconds");
        }
        if burst == 0 {
            return wrong("whose burst is 0, as nobody could ever be let in; a limit of 0 says that");
        }
        if limit == 0 {
            return Ok(Policy { limit, burst, interval: None, capacity: 0 });
        }
        let interval = u64::from(period_seconds).saturating_mul(SECOND).div_ceil(u64::from(limit));
        let capacity = interval.saturating_mul(u64::from(burst));
        if capacity > HORIZON {
            return wrong(
                "that takes more than 400 days to fill again: its burst is too large for its limit",
            );
        }
        Ok(Policy { limit, burst, interval: Some(interval), capacity })
    }

    /// How many requests in each period.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// How many at once.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// What so many requests cost (nanoseconds). More than fit into the bucket cost more than it holds.
    pub(crate) fn price(&self, cost: u32) -> u64 {
        self.interval.unwrap_or(0).saturating_mul(u64::from(cost))
    }
}

/// What a bucket says to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// When the bucket is full after that; `None` when the request is refused.
    pub(crate) full_at: Option<u64>,
    /// How many more would be let in right now.
    pub(crate) remaining: u32,
    /// How long to wait until the same request is let in (nanoseconds); `None` when that will never be. 0 when it is.
    pub(crate) wait: Option<u64>,
    /// How long until the bucket is full (nanoseconds).
    pub(crate) fills_in: u64,
}

/// What a bucket that is full at `full_at` says to a request at `now`. A cost of 0 takes nothing, and asks whether one
/// request would be let in.
pub(crate) fn decide(policy: &Policy, full_at: u64, now: u64, cost: u32) -> Outcome {
    let Some(interval) = policy.interval else {
        return Outcome { full_at: None, remaining: 0, wait: None, fills_in: 0 };
    };
    let left = |debt: u64| {
        let free = policy.capacity.saturating_sub(debt);
        u32::try_from(free.checked_div(interval).unwrap_or(0)).unwrap_or(u32::MAX)
    };
    let debt = full_at.saturating_sub(now);
    let wanted = debt.saturating_add(policy.price(cost.max(1)));
    if wanted > policy.capacity {
        let wait = (cost <= policy.burst).then(|| wanted.saturating_sub(policy.capacity));
        return Outcome { full_at: None, remaining: left(debt), wait, fills_in: debt };
    }
    let owed = if cost == 0 { debt } else { wanted };
    Outcome { full_at: Some(now.saturating_add(owed)), remaining: left(owed), wait: Some(0), fills_in: owed }
}

/// The same without taking anything: whether it would be let in, and what is left as it is.
pub(crate) fn look(policy: &Policy, full_at: u64, now: u64, cost: u32) -> Outcome {
    let said = decide(policy, full_at, now, cost);
    let as_it_is = decide(policy, full_at, now, 0);
    Outcome {
        full_at: said.full_at,
        wait: said.wait,
        remaining: as_it_is.remaining,
        fills_in: as_it_is.fills_in,
    }
}

/// When the bucket is full once so much of it is given back that was taken at `taken_at`.
///
/// What would have run over while it was taken is not given back: a full bucket does not fill. So nobody ever gains by a
/// request that was taken back.
pub(crate) fn give_back(full_at: u64, price: u64, taken_at: u64, now: u64) -> u64 {
    full_at.saturating_sub(price.saturating_sub(now.saturating_sub(taken_at)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(limit: u32, period: u32, burst: u32) -> Policy {
        Policy::new(limit, period, burst).unwrap()
    }

    /// One line for each request: what it says.
    fn story(policy: &Policy, requests: &[(u64, u32)]) -> Vec<String> {
        let mut full_at = 0;
        requests
            .iter()
            .map(|&(now, cost)| {
                let outcome = decide(policy, full_at, now * SECOND / 10, cost);
                full_at = outcome.full_at.unwrap_or(full_at);
                let word = if outcome.full_at.is_some() { "yes" } else { "no" };
                let wait = outcome.wait.map_or("never".to_owned(), |wait| (wait / 100_000_000).to_string());
                format!("{word} {} {wait} {}", outcome.remaining, outcome.fills_in / 100_000_000)
            })
            .collect()
    }

    #[test]
    fn a_bucket_admits_its_burst_and_then_one_in_each_interval() {
        // One in each 10 tenths, 3 at once. What is left, the tenths to wait, and those until it is full.
        let policy = policy(60, 60, 3);
        for (requests, expected) in [
            (
                &[(100, 1), (100, 1), (100, 1), (100, 1)][..],
                &["yes 2 0 10", "yes 1 0 20", "yes 0 0 30", "no 0 10 30"][..],
            ),
            (
                &[(100, 3), (109, 1), (110, 1), (110, 1)],
                &["yes 0 0 30", "no 0 1 21", "yes 0 0 30", "no 0 10 30"],
            ),
            (&[(100, 3), (200, 3), (200, 1)], &["yes 0 0 30", "yes 0 0 30", "no 0 10 30"]),
            (&[(100, 2), (100, 2), (100, 1)], &["yes 1 0 20", "no 1 10 20", "yes 0 0 30"]),
            (
                &[(100, 4), (100, 0), (100, 3), (100, 0)],
                &["no 3 never 0", "yes 3 0 0", "yes 0 0 30", "no 0 10 30"],
            ),
            (&[(100, u32::MAX), (100, 1)], &["no 3 never 0", "yes 2 0 10"]),
        ] {
            assert_eq!(story(&policy, requests), expected, "{requests:?}");
        }
    }

    #[test]
    fn a_limit_of_zero_lets_nobody_in_ever() {
        let policy = policy(0, 60, 1);
        for cost in [0, 1, u32::MAX] {
            let outcome = decide(&policy, 0, SECOND, cost);
            assert_eq!((outcome.full_at, outcome.wait, outcome.remaining), (None, None, 0));
        }
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        for (limit, period, burst, expected) in [
            (1, 0, 1, "period is 0"),
            (1, 1, 0, "burst is 0"),
            (1, 7 * 24 * 3600, 58, "more than 400 days"),
            (1, u32::MAX, u32::MAX, "more than 400 days"),
        ] {
            let error = Policy::new(limit, period, burst).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert!(Policy::new(u32::MAX, 1, u32::MAX).is_ok());
    }

    #[test]
    fn times_at_the_end_of_the_clock_do_not_run_over() {
        let policy = policy(100, 3600, 100);
        let outcome = decide(&policy, u64::MAX, u64::MAX - 1, 1);
        assert!(outcome.full_at.is_some());
        let outcome = decide(&policy, u64::MAX, 0, 1);
        assert_eq!((outcome.full_at, outcome.remaining), (None, 0));
    }

    /// A token bucket as one would write it down: real tokens, as a fraction of what one costs, filled all the time.
    struct Naive {
        parts: u128,
        at: u64,
    }

    impl Naive {
        fn take(&mut self, policy: &Policy, now: u64, cost: u32) -> bool {
            let (interval, most) = (u128::from(policy.interval.unwrap()), u128::from(policy.capacity));
            self.parts = most.min(self.parts + u128::from(now - self.at));
            self.at = now;
            let wanted = interval * u128::from(cost);
            let enough = self.parts >= wanted;
            self.parts -= if enough { wanted } else { 0 };
            enough
        }
    }

    proptest! {
        #[test]
        fn it_is_a_token_bucket(
            limit in 1_u32..2000, period in 1_u32..7200, burst in 1_u32..50,
            steps in prop::collection::vec((0_u64..20_000_000_000, 1_u32..5), 1..200),
        ) {
            let policy = policy(limit, period, burst);
            let mut naive = Naive { parts: u128::from(policy.capacity), at: 5 * SECOND };
            let (mut full_at, mut now) = (0, 5 * SECOND);
            for (wait, cost) in steps {
                now += wait;
                let outcome = decide(&policy, full_at, now, cost);
                prop_assert_eq!(outcome.full_at.is_some(), naive.take(&policy, now, cost));
                let left = naive.parts / u128::from(policy.interval.unwrap());
                prop_assert_eq!(u128::from(outcome.remaining), left);
                full_at = outcome.full_at.unwrap_or(full_at);
                if let (None, Some(wait)) = (outcome.full_at, outcome.wait) {
                    // Not a moment earlier, and then it is let in.
                    prop_assert!(decide(&policy, full_at, now + wait, cost).full_at.is_some());
                    prop_assert!(decide(&policy, full_at, now + wait - 1, cost).full_at.is_none());
                }
            }
        }

        #[test]
        fn no_window_of_one_period_sees_more_than_burst_and_limit(
            limit in 1_u32..100, period in 1_u32..100, burst in 1_u32..20,
            steps in prop::collection::vec(0_u64..3_000_000_000, 1..400),
        ) {
            let policy = policy(limit, period, burst);
            let (mut full_at, mut now, mut admitted) = (0, SECOND, Vec::new());
            for wait in steps {
                now += wait;
                if let Some(then) = decide(&policy, full_at, now, 1).full_at {
                    full_at = then;
                    admitted.push(now);
                }
            }
            let window = u64::from(period) * SECOND;
            for (index, start) in admitted.iter().enumerate() {
                let count = admitted[index..].iter().filter(|at| **at < start + window).count();
                prop_assert!(count <= usize::try_from(burst + limit).unwrap());
            }
        }

        #[test]
        fn what_is_given_back_leaves_no_more_than_if_it_had_never_been_taken(
            before in 0_u64..20_000, price in 1_u64..5_000, taken_at in 5_000_u64..10_000,
            others in prop::collection::vec((0_u64..3_000, 1_u64..5_000), 0..10), wait in 0_u64..6_000,
        ) {
            let charge = |full_at: u64, at: u64, price: u64| full_at.max(at) + price;
            let (mut with, mut without) = (charge(before, taken_at, price), before);
            let mut now = taken_at;
            for (wait, price) in others {
                now += wait;
                with = charge(with, now, price);
                without = charge(without, now, price);
            }
            now += wait;
            let back = give_back(with, price, taken_at, now);
            prop_assert!(back.max(now) >= without.max(now));
            prop_assert!(back <= with);
            if now == taken_at && before >= now {
                prop_assert_eq!(back, without);
            }
        }
    }
}
