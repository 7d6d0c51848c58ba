//! The list of what to watch makes no sense, so that nothing is watched: that is put on record once, as the finding that it is.
//!
//! Apart from `scope`, which reads the list, because reading must not write.

use std::os::unix::ffi::OsStrExt;

use super::alerts::{self, Extent, Hearer};
use super::compare;
use super::memory::Memory;
use super::private::Private;
use super::scope::Scope;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::report::FindingKind;

/// What is watched; that nobody can know is told before it is given back.
///
/// # Errors
/// As [`Scope::read`].
pub(super) fn scope(config: &Config) -> Result<Scope> {
    Scope::read(config).map_err(|error| match tell(config, &error) {
        Ok(warnings) if warnings.is_empty() => error,
        Ok(warnings) => with(error, &warnings.join("; ")),
        Err(cause) => with(error, &format!("it could not be put on record: {}", cause.in_words())),
    })
}

/// Why nothing is watched, as long as that is so.
pub(crate) fn blind(config: &Config) -> Option<String> {
    Scope::read(config).err().map(|error| format!("no file is watched: {}", error.in_words()))
}

fn tell(config: &Config, error: &Error) -> Result<Vec<String>> {
    let path = config.integrity.config.as_os_str().as_bytes();
    let changes = vec!["configuration".to_owned()];
    let finding = compare::finding(FindingKind::Baseline, path, None, changes, Some(error.in_words()));
    let private = Private::open(config).ok();
    let memory = Memory::of(config, private.as_ref())?;
    let mut warnings = Vec::new();
    let told = alerts::tell(config, None, &memory, &[finding], Extent::Part, Hearer::Caller, &mut warnings);
    told.unkept.map_or(Ok(warnings), Err)
}

fn with(error: Error, more: &str) -> Error {
    let hint = error.hint_text().map_or_else(|| more.to_owned(), |hint| format!("{hint}; {more}"));
    error.hint(hint)
}
