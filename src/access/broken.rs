//! Changes files that make no sense now and then: one that is moved aside is told.
//!
//! One place for all files of access, so that none goes without a CRITICAL event.

use std::path::Path;

use serde_json::{Value, json};

use crate::config::Config;
use crate::durable::{Altered, Broken, Document, Fate};
use crate::error::Result;
use crate::events::{self, Event, Severity};

/// So many ids stand in an event.
const MAX_IDS: usize = 1_000;
/// And so many in a sentence.
const MAX_TOLD: usize = 10;

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
pub(super) fn tell(config: &Config, path: &Path, broken: &Broken) -> String {
    let (file, moved_to) = (path.display().to_string(), broken.moved_to.display().to_string());
    let details = json!({ "file": file, "reason": broken.reason, "moved_to": moved_to });
    match broken.fate {
        Fate::Goes => {
            let told = format!(
                "{file} is broken ({}), and was moved to {moved_to}; mend that, or put a good copy back",
                broken.reason
            );
            record(config, "CORRUPT_FILE", Severity::Critical, details, told)
        }
        Fate::Replaced => {
            let told = format!(
                "{file} was not moved after all: somebody put another file there in between, which stays"
            );
            record(config, "CORRUPT_FILE_REPLACED", Severity::Info, details, told)
        }
    }
}

/// Reports that one of two copies was gone, and is written again.
pub(super) fn tell_missing(config: &Config, path: &Path, other: &Path) -> String {
    let (file, other) = (path.display().to_string(), other.display().to_string());
    let told = format!("{file} was missing, and is written again from {other}: look who removed it");
    let details = json!({ "file": file, "reason": "it is missing", "written_from": other });
    record(config, "CORRUPT_FILE", Severity::Critical, details, told)
}

/// Reports that some were taken off record, and are put back.
pub(super) fn tell_put_back(config: &Config, path: &Path, ids: &[String]) -> String {
    let file = path.display().to_string();
    let told = format!(
        "{} that were revoked or closed stood in no copy any more, and are put back into {file}: {}; look who did that, and \
         what they were used for meanwhile",
        ids.len(),
        some(ids)
    );
    let details = json!({ "file": file, "count": ids.len(), "ids": ids.get(..MAX_IDS).unwrap_or(ids) });
    record(config, "WITHDRAWN_PUT_BACK", Severity::Critical, details, told)
}

/// Reports that somebody had the record begin anew, and who is not on it any more as far as anybody knows.
pub(super) fn tell_anew(config: &Config, path: &Path, what: &str, ids: &[String]) -> String {
    let file = path.display().to_string();
    let known = match ids.len() {
        0 => "the event log names none that are on record no longer".to_owned(),
        count => format!(
            "{count} that the event log calls revoked are on record no longer, and count again unless the site's file says \
             otherwise: {}",
            some(ids)
        ),
    };
    let told = format!(
        "{file} says to begin anew with what is withdrawn of {what}: {known}; unless you wrote that, find out who did, and \
         revoke what must not come back"
    );
    let details = json!({ "file": file, "count": ids.len(), "ids": ids.get(..MAX_IDS).unwrap_or(ids) });
    record(config, "WITHDRAWN_BEGUN_ANEW", Severity::Critical, details, told)
}

/// The first of them, for people.
fn some(ids: &[String]) -> String {
    let more = if ids.len() > MAX_TOLD { " and more, see the event" } else { "" };
    format!("{}{more}", ids.get(..MAX_TOLD).unwrap_or(ids).join(", "))
}

/// Reports that nobody can be let in, and what to do.
pub(super) fn tell_lost(config: &Config, path: &Path, told: &str) -> String {
    let details = json!({ "file": path.display().to_string(), "reason": told });
    record(config, "WITHDRAWN_UNKNOWN", Severity::Critical, details, told.to_owned())
}

fn record(config: &Config, kind: &str, severity: Severity, details: Value, told: String) -> String {
    let event = Event { kind: kind.to_owned(), severity, details, ip: None, session: None };
    match events::record(config, &event) {
        Ok(_) => told,
        Err(error) => format!("{told}; that is in no event log: {error}"),
    }
}
