//! Deciding: pure functions from what every side did to what every side is to have.
//!
//! `edits` tells what one side did; `cluster` finds which rows of different sides are one; `ids` gives them their
//! row ids; `merge` merges cells and `decision` whole rows; `contents` merges rows without identity;
//! `constraints` brings rows of different identity into line. No I/O, no clock, no SQL in any of them.

pub(crate) mod cluster;
pub(crate) mod constraints;
pub(crate) mod contents;
pub(crate) mod decision;
pub(crate) mod edits;
pub(crate) mod ids;
pub(crate) mod merge;
mod newest;
