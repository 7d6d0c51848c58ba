//! How everything is, by one call: databases, logs, and watched files with what is done by the clock.
//!
//! Apart from the domains, none of which knows the others. It looks and writes nothing, decides nothing, and never lets one
//! part that cannot be told keep the others from it.

use crate::config::Config;
use crate::database::{self, Detail};
use crate::report::SystemStatusReport;
use crate::{logs, security};

/// Tells how everything is. What keeps a part from being told is in the report.
#[must_use]
pub fn status(config: &Config) -> SystemStatusReport {
    SystemStatusReport::of(
        database::status(config, &database::Options::default(), Detail::Summary),
        logs::status(config, &logs::Options::default()),
        security::status(config),
    )
}
