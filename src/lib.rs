//! cr0sync keeps the databases of an IRC-bot and website infrastructure equal on all sides, and loses nothing.
//!
//! Every side goes on reading and writing its own SQLite file. A run finds out what each side did since the last
//! merge, merges row by row and cell by cell, and brings every side to the result. What two people did to one
//! cell is decided by rule and put on record, with everything it takes to decide otherwise.
//!
//! # Code map
//!
//! - [`Config`]: one JSON file, parsed into a value that can only be valid.
//! - [`database`]: open, observe, decide, apply, record. `database/decide` is pure.
//! - [`logs`]: exactly-once merge of logs, with rotated files.
//! - `backup`: verified snapshots, which of them stay (pure), and the way back into a live file.
//! - [`access`]: who may use the site's API, and how often.
//! - [`integrity`]: whether watched files are what was accepted.
//! - [`security`]: what cron calls each minute; `schedule` says what of it is due.
//! - [`status()`]: how everything is, by one call.
//! - [`doctor`]: what is wrong with an installation, and what to do; [`metrics`]: how it is, for Prometheus; [`alerts`]: which
//!   events people are to be told of.
//! - [`report`]: what operations return.
//! - `durable`: locks, files that appear whole or not at all, directories that others write to; the only module that
//!   renames.
//! - `clock`: the only door to time.
//! - [`interrupt`]: how whoever waits for a call is looked after meanwhile, and stops it.
//! - `ffi`: all of it for C, with the feature `capi`.
//! - `docs`: how rows and lines are merged, what a crash can leave behind, which files there are, and the reference of
//!   watched files.
//!
//! # Architecture invariants
//!
//! - Decision modules import no file system, no SQL, no clock and no chance.
//! - Only `durable` renames files; only `database/native`, `database/bytes`, `durable/lease`,
//!   `access/limits/mapping`, `clock/boot`, `ffi` and the PHP shell contain `unsafe`.
//! - A conflict or a broken file is a value in the report. `Err` means that the run could not be decided.
//! - The library never prints, reads the environment (its shells do, `ffi` among them) or exits. The one signal that it catches, SIGBUS, it catches where it
//!   comes from memory of its own (`access/limits/mapping`), and passes on otherwise.
//! - One copy of SQLite a process: the system's. A database and its WAL are opened through SQLite only, since closing
//!   any other descriptor on them would drop this process's locks. On a rollback journal SQLite keeps none; `beside`
//!   reads the end of it, before SQLite would do what it says.
//! - No checkpoint, pragma or schema object of ours in a database that is not ours.
//! - Nothing on disk lacks a version.

pub mod access;
pub mod alerts;
mod backup;
mod clock;
mod config;
pub mod database;
#[cfg(all(doc, not(doctest)))]
pub mod docs;
pub mod doctor;
mod durable;
mod error;
pub mod events;
// Its own tests run without the feature.
#[cfg(any(feature = "capi", test))]
mod ffi;
mod hex;
pub mod integrity;
pub mod interrupt;
pub mod logs;
pub mod metrics;
mod page;
pub mod report;
mod schedule;
pub mod security;
mod status;

pub use clock::Stopwatch;
pub use config::{
    Access, Alerts, Backups, ColumnPolicy, Compress, Config, Create, DatabaseConfig, DateFormat, Events,
    Guards, Integrity, LogConfig, Naming, OnDeleteUpdate, Ownership, PolicyOrigin, Rekey, Rotation,
    SchemaPolicy, TablePolicy, Tier,
};
pub use durable::Stamp;
pub use error::{Error, ErrorKind, Result};
pub use page::Page;
pub use status::status;

// For the tests that are compiled in here.
#[cfg(test)]
#[path = "../tests/property/rng.rs"]
mod rng;

// What stops each of the operations at every look; outside, looks depend on the time.
#[cfg(test)]
#[path = "../tests/stopped/mod.rs"]
mod stopped;
