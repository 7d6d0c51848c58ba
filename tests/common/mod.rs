//! What the test binaries share: values by type and bytes, whole-database dumps, and a playground of sides.
//!
//! Apart from the tests because several binaries use it. It must never reach into the library beyond its public
//! interface: reports are looked at as the JSON that a user sees.
#![allow(dead_code, reason = "each test binary uses its own part of this module")]

pub(crate) mod check;
pub(crate) mod disk;
pub(crate) mod value;
pub(crate) mod world;

pub(crate) use check::*;
pub(crate) use value::*;
pub(crate) use world::*;
