//! Rate limits: how many requests a client may make, exact under any number of processes at the same time.
//!
//! - `gcra` (pure): the arithmetic of one bucket. `key` (pure): whose bucket it is. `word` (pure): the format.
//! - `table`: buckets in shared memory, changed by compare and swap. `mapping`: that memory. `file`: where it comes from.
//! - `legacy` (pure) and `clean`: the hourly cleanup, also of the file that today's pages write.
//! - `limiter`: what callers use. `kept`: one for a process that serves many requests. `status`: how all of it is.
//!
//! Requests are measured by a clock that counts from the start of the machine and that nobody can set: a step of the wall
//! clock lets nobody in and locks nobody out, and a new start begins with full buckets. No lock is taken and no file read
//! to decide. What cannot be decided is an error, never a yes.

mod clean;
mod file;
mod gcra;
mod kept;
mod key;
mod legacy;
mod limiter;
mod mapping;
mod status;
mod table;
mod word;

pub use clean::cleanup;
pub use gcra::Policy;
pub use kept::{Kept, Origin};
pub use key::Rule;
pub use limiter::{Check, Limiter, rate_limit};
pub use mapping::release;
pub use status::status;

#[cfg(test)]
#[path = "../../../tests/limits/mod.rs"]
mod tests;
