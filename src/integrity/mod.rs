//! Whether watched files are what somebody accepted.
//!
//! A signed baseline says what was accepted; a check looks at every file and tells what is otherwise. It changes nothing in
//! the files that it looks at, not even when they were read last.
//!
//! - open: `scope` (what is watched), `store` and `private` (the baseline, and what of it can be believed), `published` (what pages read
//!   of it), `codec`
//! - observe: `walk` (attributes, by descriptor), `hash` (content)
//! - decide (pure): `seen` (what to read), `matching` (what is what), `compare` (findings), `severity`
//! - apply: `make` and `accept` (a new baseline), `copies` (where it lies), `export` (the site's list), `alerts`
//! - record: `memory`, `last_check`; `silence` (what somebody on the website has seen)
//! - `watch` checks at once what the kernel says has changed (`watch_tree`), and `beat` tells that it is alive. The check that runs by the clock is the guarantee.
//!
//! **What a check can promise.** A file's content is read again when its size, inode or times changed, when it was read
//! within a minute of its last change, and in turn, so that every file is read within `reread_hours`. A change of content
//! that leaves size, inode and times as they were (a second store into a mapped page, or a disk that is written to below
//! its file system) is thus found within that time; everything else by the next check. The report says so.
//!
//! **What it never does**: follow a symlink, open a pipe, device or socket, open a database (closing it would drop this
//! process's locks on it), make a baseline that nobody asked for.

mod accept;
mod alerts;
mod attributes;
mod beat;
mod blind;
mod check;
mod codec;
mod compare;
mod copies;
mod export;
mod hash;
mod last_check;
mod make;
mod matching;
mod memory;
mod model;
mod named;
mod names;
mod private;
mod published;
mod scope;
mod seen;
mod severity;
mod silence;
mod status;
mod store;
mod walk;
mod watch;
mod watch_moves;
mod watch_tree;

pub use crate::interrupt::Continue;
pub use accept::{Accept, accept};
pub(crate) use beat::{missed, status as watched};
pub(crate) use blind::blind;
pub use check::{CheckOptions, check};
pub use make::baseline;
pub(crate) use private::{Kept, Private};
pub(crate) use scope::NOT_THERE;
pub use silence::silence;
pub use status::status;
pub(crate) use status::{BECOME, FORGOTTEN, UNCHECKED};
pub use watch::{WatchNews, WatchOptions, watch};
