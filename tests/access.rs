//! Keys, sessions and the file of rate limits from outside: real files that several users share, real deaths and full disks,
//! through the public interface. Whoever opens one of them sees all of one state, and no change is lost.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and talks by printing"
)]

#[allow(unused_imports, reason = "what compares databases is not for these files")]
mod common;
#[path = "crash/trace.rs"]
#[allow(dead_code, reason = "shared with the crash tests")]
mod trace;
mod access {
    pub(crate) mod clock;
    mod deaths;
    mod foreign;
    mod full;
    mod locks;
    mod lost;
    mod newer;
    mod odd;
    mod pages;
    mod refusals;
    mod taken;
    pub(crate) mod users;
    mod withdrawn;
    pub(crate) mod world;
}

/// The child of the tests that let a change die; on its own it does nothing.
#[test]
fn child() {
    trace::child(access::world::act);
}

/// The child of those in which several users change the files at once; on its own it does nothing.
#[test]
fn user() {
    access::users::child();
}

/// The child of the test whose processes have a wall clock of their own; on its own it does nothing.
#[test]
fn clock() {
    access::clock::child();
}
