//! The security event log from outside: real deaths at every call that writes, real users, several writers at once, and files
//! that are far larger than memory. No event is lost or doubled, and nothing that happens by itself looks like tampering.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and talks by printing"
)]

#[path = "crash/trace.rs"]
#[allow(dead_code, reason = "shared with the crash tests")]
mod trace;
mod events {
    mod deaths;
    pub(crate) mod large;
    mod users;
    pub(crate) mod world;
}

/// The child of the tests that let a change die; on its own it does nothing.
#[test]
fn child() {
    trace::child(events::world::act);
}

/// The child of those that may hold little memory; on its own it does nothing.
#[test]
fn reader() {
    events::large::child();
}
