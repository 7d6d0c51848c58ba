//! Who may use the site's API, and how often: keys, sessions and rate limits.
//!
//! The files are the site's own, in its shape: its pages and we write them both (`durable::document`). A key or token is
//! known by its SHA-256 only. What was revoked or closed here stays so, whoever writes an old copy of a file over the new
//! one: that is kept apart, in two copies (`withdrawn`, `ledger`, `standing`), and it wins.
//!
//! - open, observe: `known` reads a file, and reads it again whenever it is another
//! - look, and say what is wrong, for `status`: `problems`
//! - decide (pure): `grant` (granted, or why not), `token` (what is a key at all), `record` (what the file says of one)
//! - apply: `copy` writes one copy of what is withdrawn; `remembered` keeps a third where only the cron user may write; `broken` changes a file, and tells of one that makes no sense; `keys`, `sessions`; `used` writes down when one was used, at most once a minute; `told` when people were told that nobody can be let in
//!
//! [`limits`] are apart: they count in a table of our own, exact under any number of processes.
//!
//! Whoever is refused must not learn why: reasons are for the log of the one who asks.

mod broken;
mod copy;
mod grant;
pub mod keys;
mod known;
mod ledger;
pub mod limits;
mod problems;
mod record;
mod remembered;
pub mod sessions;
mod shelf;
mod standing;
mod token;
mod told;
mod used;
mod withdrawn;

pub use grant::{Permission, Reason};
pub(crate) use problems::problems;
