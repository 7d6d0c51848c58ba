//! Snapshots of replicas: verified copies with a name that tells when, and the way back.
//!
//! `names` and `place` say where they lie, `model` what they are; `copy` and `snapshot` make them, `list` finds
//! them, `verify` looks whether they are sound, `retention` (pure) says which stay, `restore` and `rows` write one
//! into a live file. Which databases there are, and what is remembered of a snapshot, is the caller's business.
//!
//! Every copy goes through SQLite in one step, so that it is one moment of its source. A snapshot appears whole,
//! verified and synced to disk, under a name that was free; nothing that lies there is ever replaced but the
//! symlink `latest`. The caller holds the run lock whenever something is made or removed.

pub(crate) mod copy;
pub(crate) mod list;
mod model;
mod names;
mod place;
pub(crate) mod restore;
pub(crate) mod retention;
mod rows;
pub(crate) mod snapshot;
pub(crate) mod verify;

pub(crate) use model::{Kind, Snapshot};
pub(crate) use place::Place;
