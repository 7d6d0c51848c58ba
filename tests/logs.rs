//! Logs from outside: real files, real writers, real deaths, through the public interface. Every complete line that a side
//! wrote must be everywhere once, as it was, in its source's order.
//!
//! Apart from the random scripts, which are compiled into the library and strike between its steps.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and talks by printing"
)]

#[allow(unused_imports, reason = "what compares databases is not for logs")]
mod common;
#[path = "property/rng.rs"]
#[allow(dead_code, reason = "shared with the property tests")]
mod rng;
#[path = "crash/trace.rs"]
#[allow(dead_code, reason = "shared with the crash tests")]
mod trace;
mod logs {
    mod beside;
    mod broken;
    mod calls;
    pub(crate) mod deaths;
    mod directories;
    mod full;
    mod hostile;
    mod irc;
    mod ledger;
    mod lost_archive;
    mod moved;
    mod places;
    mod power;
    mod same_file;
    mod scenarios;
    mod segments;
    mod told;
    pub(crate) mod verdict;
    mod waits;
    mod words;
    pub(crate) mod world;
    mod writers;
}

/// The child of the tests that let a run die, or run as another user; on its own it does nothing.
#[test]
fn child() {
    trace::child(|config| cr0sync::logs::merge(config, &cr0sync::logs::Options::default()));
}

/// The child of those that kill a run whenever they like, or limit what it may write; on its own it does nothing.
#[test]
fn runner() {
    logs::deaths::runner();
}
