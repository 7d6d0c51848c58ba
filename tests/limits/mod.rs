//! Rate limits as a whole: many processes, deaths, floods, damage, and other people's limiters, by a clock of the tests.
//!
//! Compiled into the library, since nobody outside may choose the time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and talks by printing"
)]

mod clocks;
mod damage;
mod flood;
mod model;
mod processes;
mod steps;
mod symfony;

use std::cell::Cell;
use std::path::{Path, PathBuf};

use super::limiter::{Check, Limiter};
use super::{Policy, Rule};
use crate::config::Config;
use crate::report::RateLimitReport;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// A root of its own, and a clock that goes only when it is told to.
struct World {
    directory: tempfile::TempDir,
    now: Cell<u64>,
}

impl World {
    fn new() -> World {
        let directory = tempfile::Builder::new().prefix("cr0sync-limits-").tempdir().unwrap();
        World { directory, now: Cell::new(1000 * SECOND) }
    }

    fn root(&self) -> &Path {
        self.directory.path()
    }

    fn table(&self) -> PathBuf {
        table(self.root())
    }

    fn limiter(&self, clients: u32) -> Limiter {
        Limiter::new(&config(self.root(), clients)).unwrap()
    }

    fn ask(&self, limiter: &mut Limiter, client: &str, rule: Rule<'_>, cost: u32) -> RateLimitReport {
        self.ask_all(limiter, &[Check { client: client.as_bytes(), rule, cost }])
    }

    fn ask_all(&self, limiter: &mut Limiter, checks: &[Check<'_>]) -> RateLimitReport {
        limiter.take_at(checks, || self.now.get()).unwrap()
    }

    fn wait(&self, nanoseconds: u64) {
        self.now.set(self.now.get() + nanoseconds);
    }
}

fn table(root: &Path) -> PathBuf {
    root.join("sync_state/limits/rate_limits.table")
}

fn config(root: &Path, clients: u32) -> Config {
    let json = serde_json::json!({
        "version": 1,
        "access": {
            "clients": clients,
            "tiers": {
                "ten": {"limit": 10, "period_seconds": 3600},
                "week": {"limit": 1000, "period_seconds": 604_800},
                "closed": {"limit": 0},
            },
        },
    });
    Config::parse(json.to_string().as_bytes(), root, None).unwrap()
}

fn policy(limit: u32, period: u32, burst: u32) -> Rule<'static> {
    Rule::Policy(Policy::new(limit, period, burst).unwrap())
}

/// The child of the tests with many processes; on its own it does nothing.
#[test]
fn child() {
    processes::child();
}
