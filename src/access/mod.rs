//! Who may use the site's API, and how often.
//!
//! - [`limits`]: rate limits, exact under any number of processes.

pub mod limits;
