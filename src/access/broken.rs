//! Changes files that make no sense now and then: one that is moved aside is told.
//!
//! One place for all files of access, so that none goes without a CRITICAL event.

use std::path::Path;

use serde_json::{Value, json};

use crate::config::Config;
use crate::durable::{Altered, Broken, Document};
use crate::error::Result;
use crate::events::{self, Event, Severity};

/// Changes a document. Returns what `alter` said, and what people should know.
///
/// # Errors
/// As [`Document::change`].
pub(super) fn change<T>(
    config: &Config,
    document: &Document<'_>,
    alter: impl FnMut(&mut Value) -> Result<Altered<T>>,
) -> Result<(T, Vec<String>)> {
    let mut warnings = Vec::new();
    let said = document.change(|broken| warnings.push(tell(config, document.path, broken)), alter)?;
    Ok((said, warnings))
}

/// Reports one, and says so.
fn tell(config: &Config, path: &Path, broken: &Broken) -> String {
    let moved_to = broken.moved_to.display().to_string();
    let event = Event {
        kind: "CORRUPT_FILE".to_owned(),
        severity: Severity::Critical,
        details: json!({ "file": path.display().to_string(), "reason": broken.reason, "moved_to": moved_to }),
        ip: None,
        session: None,
    };
    let told = format!("{} is broken ({}), and was moved to {moved_to}", path.display(), broken.reason);
    match events::record(config, &event) {
        Ok(_) => told,
        Err(error) => format!("{told}; that is in no event log: {error}"),
    }
}
