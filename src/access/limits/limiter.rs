//! Asking several limits as one: all of them let a request in and count it, or none does.
//!
//! Apart from `table`, which knows one bucket at a time. First all are asked without taking anything; a request that one
//! of them refuses has touched nothing. Then each is taken from in turn. Where a bucket got empty meanwhile, what was
//! taken before is given back, and no more than that: in between, and for good where a process dies there, others find
//! less than there is, never more.

use std::collections::BTreeMap;

use super::file::{self, Open, Place};
use super::gcra::{HORIZON, Outcome, Policy};
use super::key::Rule;
use super::table::{Key, Stuck};
use super::word::MAX_TIME;
use crate::clock;
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::report::{RateLimitReport, RateVerdict, SCHEMA};

/// So long we believe that the file is still there without looking (nanoseconds). Who replaces it tells at once, by a word
/// in it; this is for those who only remove it.
const BELIEVED: u64 = 20_000_000;
/// So often one call begins anew with another table.
const TRIES: usize = 8;
/// More limits for one request than that are a mistake.
const MOST: usize = 32;

/// One limit that a request is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check<'a> {
    /// Whose bucket: an address, a user, an API key, with or without the name of an endpoint. IPv6 addresses count by
    /// their first 64 bits.
    pub client: &'a [u8],
    /// How much is allowed.
    pub rule: Rule<'a>,
    /// How many requests it counts for. 0 takes nothing, and tells whether one would be let in.
    pub cost: u32,
}

/// The limits of a configuration, with the table open. One for each process, or each thread.
#[derive(Debug)]
pub struct Limiter {
    place: Place,
    tiers: BTreeMap<String, Policy>,
    open: Option<Open>,
    /// When the file was last looked for.
    looked_at: u64,
}

/// One limit, ready to be asked.
struct Asked {
    key: Key,
    policy: Policy,
    cost: u32,
}

impl Limiter {
    /// The limits of a configuration. Opens nothing yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a tier that makes no sense.
    pub fn new(config: &Config) -> Result<Limiter> {
        let mut tiers = BTreeMap::new();
        for (name, tier) in &config.access.tiers {
            let policy = Policy::new(tier.limit, tier.period_seconds, tier.burst).map_err(|error| {
                Error::new(ErrorKind::Config, format!("access.tiers.{name}: {}", error.message()))
            })?;
            tiers.insert(name.clone(), policy);
        }
        let place = Place {
            root: config.root.clone(),
            ownership: config.ownership.clone(),
            clients: config.access.clients,
        };
        Ok(Limiter { place, tiers, open: None, looked_at: 0 })
    }

    /// Lets a request in and counts it, by all of these limits or by none.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for an unknown tier, no limit or too many, and a cost that is more than the burst, which could
    /// never be let in. Whatever keeps the table from being opened or made.
    pub fn take(&mut self, checks: &[Check<'_>]) -> Result<RateLimitReport> {
        self.take_at(checks, clock::boot_nanos)
    }

    /// The same by another clock.
    pub(super) fn take_at(
        &mut self,
        checks: &[Check<'_>],
        clock: impl Fn() -> u64,
    ) -> Result<RateLimitReport> {
        self.take_now(checks, clock(), clock)
    }

    /// The same where somebody has just looked at the clock.
    pub(super) fn take_now(
        &mut self,
        checks: &[Check<'_>],
        now: u64,
        clock: impl Fn() -> u64,
    ) -> Result<RateLimitReport> {
        // Most requests are measured by one limit, and nothing is gathered for it.
        if let [check] = checks {
            let policy = self.policy(check)?;
            let outcome = self.with_table(now, &clock, |open, now| {
                open.table().take(open.hasher.key(&check.rule, check.client), &policy, check.cost, now)
            })?;
            let verdict = verdict(&policy, &outcome);
            return Ok(RateLimitReport { schema: SCHEMA, verdict, limits: None });
        }
        if checks.is_empty() || checks.len() > MOST {
            let what = format!("refused {} limits for one request, not 1 to {MOST}", checks.len());
            return Err(Error::new(ErrorKind::Usage, what));
        }
        let policies = checks.iter().map(|check| self.policy(check)).collect::<Result<Vec<Policy>>>()?;
        let outcomes = self.with_table(now, &clock, |open, now| {
            let asked = |(check, policy): (&Check<'_>, &Policy)| Asked {
                key: open.hasher.key(&check.rule, check.client),
                policy: *policy,
                cost: check.cost,
            };
            let asked: Vec<Asked> = checks.iter().zip(&policies).map(asked).collect();
            all_or_none(open, &asked, now, &clock)
        })?;
        Ok(report(&policies, &outcomes))
    }

    /// Asks the table, and asks another one where it turns out to be no good.
    fn with_table<T>(
        &mut self,
        now: u64,
        clock: impl Fn() -> u64,
        ask: impl Fn(&Open, u64) -> Result<T, Stuck>,
    ) -> Result<T> {
        let mut now = now;
        for _ in 0..TRIES {
            if now > MAX_TIME.saturating_sub(HORIZON) {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "the machine has been up for more than eight years",
                ));
            }
            let open = self.opened(now)?;
            match ask(open, now) {
                Ok(said) if !open.lost() => return Ok(said),
                Err(Stuck::Busy) if !open.lost() => {
                    return Err(
                        Error::new(ErrorKind::Busy, "cannot get at a bucket of").at(self.place.path())
                    );
                }
                // Somebody has cut the file, or moves the buckets.
                _ => self.open = None,
            }
            now = clock();
        }
        let error = Error::new(ErrorKind::Corrupt, "cannot keep the table of rate limits whole:");
        Err(error.at(self.place.path()).hint("look who writes to it or removes it"))
    }

    fn policy(&self, check: &Check<'_>) -> Result<Policy> {
        let policy = match check.rule {
            Rule::Policy(policy) => policy,
            Rule::Tier(name) => *self.tiers.get(name).ok_or_else(|| {
                let known: Vec<&str> = self.tiers.keys().map(String::as_str).collect();
                Error::new(ErrorKind::Usage, format!("there is no tier {name:?}"))
                    .hint(format!("known are: {}", known.join(", ")))
            })?,
        };
        if policy.limit() > 0 && check.cost > policy.burst() {
            let (cost, burst) = (check.cost, policy.burst());
            let what = format!("refused a cost of {cost}: more than {burst} at once are never let in");
            return Err(Error::new(ErrorKind::Usage, what).hint("ask for less, or allow a larger burst"));
        }
        Ok(policy)
    }

    /// The table that is to be used now.
    fn opened(&mut self, now: u64) -> Result<&Open> {
        let believed = now.saturating_sub(self.looked_at) < BELIEVED;
        let usable = |open: &Open| open.current() && (believed || open.lies_at(&self.place.path()));
        if !self.open.as_ref().is_some_and(usable) {
            // Unmapped before another one is mapped.
            self.open = None;
            self.open = Some(file::open(&self.place)?);
        }
        if !believed {
            self.looked_at = now;
        }
        self.open.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "a table is not where it was put"))
    }
}

/// Lets a request in and counts it, by all of these limits or by none, with a configuration that was just read.
///
/// A process that asks more than once keeps a [`Limiter`].
///
/// # Errors
/// As [`Limiter::take`].
pub fn rate_limit(config: &Config, checks: &[Check<'_>]) -> Result<RateLimitReport> {
    Limiter::new(config)?.take(checks)
}

/// What each limit says.
fn all_or_none(
    open: &Open,
    asked: &[Asked],
    now: u64,
    clock: impl Fn() -> u64,
) -> Result<Vec<Outcome>, Stuck> {
    let table = open.table();
    if let [only] = asked {
        return Ok(vec![table.take(only.key, &only.policy, only.cost, now)?]);
    }
    let first: Vec<Outcome> = asked
        .iter()
        .map(|one| {
            // Asking whether one would be let in is no answer where more are wanted.
            table.look(one.key, &one.policy, one.cost, now)
        })
        .collect::<Result<_, Stuck>>()?;
    if first.iter().any(|outcome| outcome.full_at.is_none()) {
        return Ok(first);
    }
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(asked.len());
    for (index, one) in asked.iter().enumerate() {
        let outcome = table.take(one.key, &one.policy, one.cost, now);
        if let Ok(outcome) = outcome {
            outcomes.push(outcome);
            if outcome.full_at.is_some() {
                continue;
            }
        }
        for taken in asked.iter().take(index).filter(|taken| taken.cost > 0) {
            table.give_back(taken.key, taken.policy.price(taken.cost), now, clock())?;
        }
        outcome?;
        // What the others say is what they said before anything was taken.
        outcomes.truncate(0);
        for (place, one) in asked.iter().enumerate() {
            let said = table.look(one.key, &one.policy, one.cost, now)?;
            outcomes.push(if place == index { Outcome { full_at: None, ..said } } else { said });
        }
        return Ok(outcomes);
    }
    Ok(outcomes)
}

fn report(policies: &[Policy], outcomes: &[Outcome]) -> RateLimitReport {
    let allowed = outcomes.iter().all(|outcome| outcome.full_at.is_some());
    let verdicts: Vec<RateVerdict> =
        policies.iter().zip(outcomes).map(|(policy, outcome)| verdict(policy, outcome)).collect();
    // Of those that refuse, the one that does so the longest; else the one with the least left.
    let binding = verdicts
        .iter()
        .filter(|verdict| verdict.allowed == allowed)
        .max_by_key(|verdict| {
            let wait = verdict.retry_after_ms.unwrap_or(u64::MAX);
            (wait, std::cmp::Reverse(verdict.remaining), verdict.reset)
        })
        .copied()
        .unwrap_or_default();
    let limits = if verdicts.len() > 1 { Some(verdicts) } else { None };
    RateLimitReport { schema: SCHEMA, verdict: binding, limits }
}

fn verdict(policy: &Policy, outcome: &Outcome) -> RateVerdict {
    let allowed = outcome.full_at.is_some();
    RateVerdict {
        allowed,
        limit: policy.limit(),
        remaining: outcome.remaining,
        retry_after_ms: if allowed {
            Some(0)
        } else {
            outcome.wait.map(|wait| wait.max(1).div_ceil(1_000_000))
        },
        reset: outcome.fills_in.div_ceil(1_000_000_000),
    }
}
