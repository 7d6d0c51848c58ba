//! Random histories against a naive model: converged, equal to the model, every conflict reported, nothing left to do.
//!
//! Apart from `suite`, whose cases are told one by one. The model is written from the design alone and shares no
//! code with the engine. `CR0SYNC_CASES` sets how many cases run in all (20,000), `CR0SYNC_SEED` where they
//! start; a seed alone runs one case of each kind.
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
mod property {
    pub(crate) mod case;
    pub(crate) mod collide;
    pub(crate) mod compare;
    pub(crate) mod edits;
    pub(crate) mod expect;
    pub(crate) mod family;
    pub(crate) mod merge;
    pub(crate) mod model;
    pub(crate) mod rng;
    pub(crate) mod runner;
    pub(crate) mod schema;
    mod tables;
}

use property::case::Family;
use property::family::run_family;

/// Text, composite and configured keys, with and without rowid.
#[test]
fn rows_with_a_key() {
    run_family(Family::Keyed, 18);
}

/// An integer beside a natural key: REPLACE, renames, new ids.
#[test]
fn rows_with_a_natural_key() {
    run_family(Family::Natural, 18);
}

/// An integer alone: the same new id on two sides.
#[test]
fn rows_with_an_id_alone() {
    run_family(Family::Numbered, 13);
}

/// No key, or NULL in it: counted by content.
#[test]
fn rows_without_identity() {
    run_family(Family::Bags, 8);
}

/// Parents and children, declared and configured.
#[test]
fn rows_that_point_at_others() {
    run_family(Family::References, 13);
}

/// A second unique column: swaps and collisions.
#[test]
fn rows_with_unique_values() {
    run_family(Family::Unique, 10);
}

/// One side misses a run and comes back.
#[test]
fn sides_that_come_late() {
    run_family(Family::Late, 10);
}

/// What was remembered is lost: everything meets for the first time.
#[test]
fn sides_that_meet_first() {
    run_family(Family::Adoption, 5);
}

/// Anything goes; nothing may be lost silently.
#[test]
fn wild_histories() {
    run_family(Family::Wild, 5);
}
