//! Which conflicts on record are listed: by status and id, and which page of them.
//!
//! Apart from [`super::Options`], which chooses databases for every operation. What makes no sense is refused, so that a
//! list that lacks something says so.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::page::Page;
use crate::report::{ConflictsReport, SCHEMA};

use super::store::Undecided;
use super::{Options, choose, existing_state, json, state_failure};

/// What a conflict can be.
const STATUSES: [&str; 4] = ["open", "held", "acknowledged", "resolved"];

/// Which conflicts; nothing chosen is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those that are `open`, `held`, `acknowledged`, `resolved`; empty means all.
    pub statuses: Vec<String>,
    /// Only these; ids that nobody has fit nothing. Empty means all.
    pub ids: Vec<String>,
    /// Which of those that fit.
    pub page: Page,
}

/// The conflicts on record, oldest first.
///
/// Errors: `Io` when the state cannot be read.
pub fn conflicts(config: &Config, options: &Options) -> Result<ConflictsReport> {
    conflicts_of(config, options, &Selection::default())
}

/// Some of them, oldest first, and how many fit. No more is read of others than what they are.
///
/// Errors: `Usage` for a status that there is not, `Io` when the state cannot be read.
pub fn conflicts_of(config: &Config, options: &Options, selection: &Selection) -> Result<ConflictsReport> {
    let chosen = choose(config, options)?;
    if let Some(status) = selection.statuses.iter().find(|status| !STATUSES.contains(&status.as_str())) {
        return Err(Error::new(ErrorKind::Usage, format!("no conflict is {status}"))
            .hint(format!("they are: {}", STATUSES.join(", "))));
    }
    let ids: BTreeSet<i64> = selection.ids.iter().filter_map(|id| number(id)).collect();
    let mut report = ConflictsReport { schema: SCHEMA, conflicts: Vec::new(), total: 0 };
    let Some(store) = existing_state(config)? else { return Ok(report) };
    let fits = |database: &str, status: &str| {
        let is_one = selection.statuses.is_empty() || selection.statuses.iter().any(|one| one == status);
        is_one && chosen.iter().any(|(name, _)| *name == database)
    };
    let only = (!selection.ids.is_empty()).then_some(&ids);
    let numbers = store.conflicts_that(fits, only).map_err(state_failure)?;
    report.total = numbers.len();
    let secrets = json::Secrecy::new(config, options.secrets);
    for number in selection.page.of(numbers) {
        if let Some(conflict) = store.conflict(number).map_err(state_failure)? {
            report.conflicts.push(json::conflict(conflict, &secrets));
        }
    }
    Ok(report)
}

/// Those that wait for a person, oldest first, without what is in them.
pub(crate) fn undecided(config: &Config) -> Result<Vec<Undecided>> {
    match existing_state(config)? {
        Some(store) => store.undecided().map_err(state_failure),
        None => Ok(Vec::new()),
    }
}

/// The number of an id; none for what no conflict is called.
pub(super) fn number(id: &str) -> Option<i64> {
    id.parse::<i64>().ok().filter(|number| number.to_string() == id)
}
