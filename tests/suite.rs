//! The library through its public interface, one story at a time.
//!
//! Apart from `property`, whose cases are random. Each file under `suite/` tells one area; a failing test prints
//! what differs between the sides.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    reason = "a test fails by panicking and talks by printing"
)]

mod common;
mod suite {
    mod acts;
    mod adversary;
    mod backups;
    mod chinook;
    mod constraints;
    mod decisions;
    mod full_disk;
    mod guards;
    mod hostile;
    mod identity;
    mod input;
    mod job;
    mod left_alone;
    mod many;
    mod owners;
    mod policies;
    mod progress;
    mod queue;
    mod races;
    mod recovery;
    mod restore;
    mod schema;
    mod status;
    mod undo;
    mod values;
    mod virtual_tables;
}
