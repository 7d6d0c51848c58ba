//! Which warnings of a job are new: cron mails what is said, so each is to be said once as long as it stays.
//!
//! Only digests are remembered, as warnings may be long.

use sha2::{Digest as _, Sha256};

use super::job::Job;
use crate::error::Result;
use crate::hex::hex;
use crate::schedule::Schedule;

/// More are told each time.
const MAX: usize = 1_000;

/// Those that the job did not have when it ran last.
pub(super) fn fresh(schedule: &mut Schedule, job: Job, warnings: &[String]) -> Result<Vec<String>> {
    let key = format!("{} warnings", job.name());
    let told = schedule.told(&key).unwrap_or_default().to_owned();
    let is_told = |mark: &String| told.split(' ').any(|known| known == mark);
    let marks: Vec<String> = warnings.iter().map(|warning| mark(warning)).collect();
    let fresh = warnings.iter().zip(&marks).filter(|(_, mark)| !is_told(mark));
    let fresh = fresh.map(|(warning, _)| warning.clone()).collect();
    let now = marks.iter().take(MAX).cloned().collect::<Vec<_>>().join(" ");
    if now != told {
        schedule.tell(&key, (!now.is_empty()).then_some(now))?;
    }
    Ok(fresh)
}

fn mark(warning: &str) -> String {
    hex(Sha256::digest(warning.as_bytes()).get(..8).unwrap_or_default())
}
