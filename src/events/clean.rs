//! Removes archives of the event log that are older than is to be kept.
//!
//! A clock may be wrong, once, by years, and what is removed does not come back. So nothing is removed that was not already too
//! old a day before, by the time since the machine was started, which nobody sets: what is too old is written down (`Waiting`),
//! and goes when that is so for a day. Where the clock says something else meanwhile, the day begins anew.

use std::path::PathBuf;

use chrono::{DateTime, Days, NaiveDate};
use serde::{Deserialize, Serialize};

use super::chain::Head;
use super::pack::{self, Listed, MAX_NOTE, Manifest, manifests};
use crate::clock::{Moment, Since};
use crate::config::Config;
use crate::durable;
use crate::error::Result;
use crate::report::EventsArchiveReport;

/// So long an archive is too old before it goes (seconds): less than between two runs of a daily job, of which one may be early.
const WAIT: i64 = 20 * 3600;
/// As many become too old in a day where no clock was set, and people are told of more.
const USUAL: usize = 3;

/// What was too old at a moment: the number of the last of those archives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    number: u64,
    since: Moment,
}

impl Waiting {
    /// Whether that is long ago.
    fn is_over(&self, now: &Moment) -> bool {
        match now.since(&self.since) {
            Since::Seconds(since) => since >= WAIT,
            Since::OtherStart => now.unix.saturating_sub(self.since.unix) >= WAIT,
            Since::Never => false,
        }
    }
}

/// The day of a moment, in UTC.
pub(super) fn day(now: &Moment) -> NaiveDate {
    DateTime::from_timestamp(now.unix, 0).unwrap_or_default().date_naive()
}

/// Removes what is older than is to be kept, and was so a day ago; nothing where the clock is behind the newest archive.
pub(super) fn clean(config: &Config, now: &Moment, report: &mut EventsArchiveReport) -> Result<()> {
    let Some(keep) = config.events.keep_days else { return Ok(()) };
    let today = day(now);
    let Listed { all, damaged } = manifests(config)?;
    if !damaged.is_empty() {
        let told = damaged.iter().map(|damaged| format!("{}; until then none is removed", damaged.told()));
        report.warnings.extend(told);
        return Ok(());
    }
    let day = |manifest: &Manifest| manifest.day.parse::<NaiveDate>().ok();
    if all.iter().any(|(_, manifest)| day(manifest).is_some_and(|day| day > today)) {
        report.warnings.push("the clock is behind the newest archive; none is removed".to_owned());
        return Ok(());
    }
    let Some(first) = today.checked_sub_days(Days::new(u64::from(keep))) else { return Ok(()) };
    // From the oldest on, so that what stays is one chain.
    let old: Vec<_> =
        all.iter().take_while(|(_, manifest)| day(manifest).is_some_and(|day| day < first)).collect();
    let known = waiting(config);
    let Some(last) = old.last().map(|(_, last)| last.number) else {
        return known.map_or(Ok(()), |_| durable::remove(&note(config)));
    };
    let known = known.filter(|known| known.number <= last && now.since(&known.since) != Since::Never);
    if known.as_ref().is_some_and(|known| !known.is_over(now)) {
        return Ok(());
    }
    let over = known.map_or(0, |known| known.number);
    remove(config, old.iter().filter(|(_, manifest)| manifest.number <= over), report)?;
    let count = old.iter().filter(|(_, manifest)| manifest.number > over).count();
    if count == 0 {
        return durable::remove(&note(config));
    }
    if count > USUAL {
        report.warnings.push(format!(
            "{count} archives are older than {keep} days by the clock, and are removed a day from now: look whether it is right"
        ));
    }
    let text = serde_json::to_vec(&Waiting { number: last, since: now.clone() }).unwrap_or_default();
    durable::replace(&note(config), &text)
}

/// Removes these, from the oldest on.
fn remove<'a>(
    config: &Config,
    old: impl Iterator<Item = &'a &'a (PathBuf, Manifest)> + Clone,
    report: &mut EventsArchiveReport,
) -> Result<()> {
    let Some((_, last)) = old.clone().last() else { return Ok(()) };
    let after = last.after();
    let anchor = Anchor { number: last.number, seq: after.seq, digest: after.digest };
    durable::replace(&place(config), &serde_json::to_vec(&anchor).unwrap_or_default())?;
    for (file, _) in old {
        // Its manifest last: as long as it is there, the next run removes both.
        if std::fs::symlink_metadata(file).is_ok() {
            durable::remove(file)?;
        }
        durable::remove(&pack::manifest_of(file))?;
        report.removed.push(file.clone());
    }
    Ok(())
}

fn note(config: &Config) -> PathBuf {
    config.root.join("sync_state").join("events").join("too_old")
}

fn waiting(config: &Config) -> Option<Waiting> {
    durable::read_regular(&note(config), MAX_NOTE).ok().and_then(|text| serde_json::from_slice(&text).ok())
}

/// Where the chain was behind the last archive that was removed as too old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Anchor {
    number: u64,
    seq: u64,
    digest: String,
}

impl Anchor {
    pub(super) fn head(&self) -> Head {
        Head { seq: self.seq, digest: self.digest.clone() }
    }

    /// Of that archive.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

/// The file that says so.
pub(super) fn place(config: &Config) -> PathBuf {
    config.root.join("sync_state").join("events").join("cleaned")
}

pub(super) fn anchor(config: &Config) -> Option<Anchor> {
    durable::read_regular(&place(config), MAX_NOTE).ok().and_then(|text| serde_json::from_slice(&text).ok())
}

/// Where the chain begins of which something is left, and the number of the last archive before. Archives before it were
/// removed as too old; where others are gone as well, it begins before them, so that they are missed.
pub(super) fn beginning(config: &Config, first: Option<&Manifest>) -> (u64, Head) {
    let cleaned = anchor(config).map_or_else(Default::default, |anchor| (anchor.number, anchor.head()));
    // A cleaning that died has written that down, and has not removed all of them.
    first
        .map(|first| (first.number.saturating_sub(1), first.before()))
        .filter(|(number, before)| *number <= cleaned.0 && before.seq <= cleaned.1.seq)
        .unwrap_or(cleaned)
}
