//! The C interface: the same operations, for C, C++ and everything that can load a C library.
//!
//! Built only with the feature `capi`, so that the PHP extension exports none of it. `include/cr0sync.h` is made of these
//! files and is the contract: who owns what, what may be null, which thread may call. One file for each
//! noun of the header:
//!
//! - `error`: what went wrong. `call`: the one boundary that no panic crosses, and how arguments are read.
//! - `system`: a configuration, opened. `options`: what a call is asked for. `report`: what it returns.
//! - `database`, `logs`, `integrity`, `access`, `limits`, `events`, `operation`: the operations.
//!
//! Nothing here decides anything: each function reads its arguments, calls the library, and hands out what that returns.
#![expect(unreachable_pub, reason = "what is public here is public to C")]

mod access;
mod call;
mod database;
mod error;
mod events;
mod integrity;
mod limits;
mod logs;
mod operation;
mod options;
mod report;
mod system;

#[cfg(test)]
mod tests;
