//! Watched files from outside: real attacks and accidents on real files, through the public interface. Each must be told as
//! what it is, and nothing that is well must be told.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking and talks by printing"
)]

#[allow(unused_imports, reason = "what compares databases is not for these files")]
mod common;
mod integrity {
    mod aide;
    mod attacks;
    mod baselines;
    mod copies;
    mod keys;
    mod last_check;
    mod lists;
    mod mutations;
    mod old_kernels;
    mod outputs;
    mod races;
    mod renewed;
    #[path = "../property/rng.rs"]
    #[allow(dead_code, reason = "shared with tests that shuffle")]
    mod rng;
    mod runs;
    mod shared_files;
    mod silenced;
    mod unread;
    mod vectors;
    mod watch;
    mod watch_baselines;
    mod watch_cost;
    pub(crate) mod world;
}

/// The child of the tests that check as another user; on its own it does nothing.
#[test]
fn child() {
    integrity::world::child();
}
