//! How everything is, by one call: databases, logs, and watched files with what is done by the clock.
//!
//! Apart from the domains, none of which knows the others. It looks and writes nothing, decides nothing, and never lets one
//! part that cannot be told keep the others from it.

use crate::config::Config;
use crate::database::{self, Detail};
use crate::error::Result;
use crate::report::SystemStatusReport;
use crate::{durable, logs, security};

/// Tells how everything is. What keeps a part from being told is in the report.
///
/// # Errors
/// [`crate::ErrorKind::Config`] where the root is not there.
pub fn status(config: &Config) -> Result<SystemStatusReport> {
    durable::root_directory(&config.root)?;
    Ok(SystemStatusReport::of(
        database::status(config, &database::Options::default(), Detail::Summary),
        logs::status(config, &logs::Options::default()),
        security::status(config),
    ))
}
