//! What the cron scripts write down of themselves: one small file for each, of lines `NAME=value`.
//!
//! The website's group could write there, so each is read as what a stranger has written: only numbers count.

use std::collections::BTreeMap;
use std::path::Path;

use crate::durable;

/// The jobs there are.
pub(crate) const JOBS: [&str; 3] = ["databases", "logs", "security"];
/// The first line of such a file; the number is its version.
const FORMAT: &str = "cr0sync cron 1";
/// A longer file is none (bytes).
const MAX_BYTES: u64 = 4_096;

/// What one of them wrote down; times in seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) last_run: Option<i64>,
    pub(crate) last_exit: Option<i64>,
    pub(crate) since: Option<i64>,
    /// When the run began that is at work, or that was the last one.
    pub(crate) started: Option<i64>,
    /// After so many seconds a run is ended.
    pub(crate) timeout: Option<i64>,
    /// When the last run ended that did what it should.
    pub(crate) last_success: Option<i64>,
    /// How often it ran in all; it is not set back as `runs` is.
    pub(crate) total: Option<i64>,
    /// When its last cleanup ended that could do nothing, until one does what it should.
    pub(crate) cleanup_failed: Option<i64>,
}

/// Those below a root, by job.
pub(crate) fn stamps(root: &Path) -> BTreeMap<&'static str, Stamp> {
    let directory = root.join("sync_state").join("cron");
    let read = |job: &'static str| {
        let bytes = durable::read_regular(&directory.join(job), MAX_BYTES).ok()?;
        Some((job, parse(&String::from_utf8_lossy(&bytes))?))
    };
    JOBS.into_iter().filter_map(read).collect()
}

fn parse(text: &str) -> Option<Stamp> {
    let mut lines = text.lines();
    if lines.next()?.trim_end() != FORMAT {
        return None;
    }
    let mut stamp = Stamp::default();
    for (name, value) in lines.filter_map(|line| line.split_once('=')) {
        let value = value.trim().parse::<i64>().ok().filter(|value| *value >= 0);
        match name {
            "last_run" => stamp.last_run = value,
            "last_exit" => stamp.last_exit = value,
            "since" => stamp.since = value,
            "started" => stamp.started = value,
            "timeout" => stamp.timeout = value,
            "last_success" => stamp.last_success = value,
            "total" => stamp.total = value,
            "cleanup_failed" => stamp.cleanup_failed = value.filter(|at| *at > 0),
            _ => {}
        }
    }
    Some(stamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_a_file_of_ours_count() {
        let text = "cr0sync cron 1\nlast_run=17\nlast_exit=1\nsince=-4\nruns=x\nother=3\nodd\n";
        let stamp = Stamp { last_run: Some(17), last_exit: Some(1), ..Stamp::default() };
        assert_eq!(parse(text), Some(stamp));
        let text = "cr0sync cron 1\nstarted=5\ntimeout=600\nlast_success=4\ntotal=9\ncleanup_failed=0\n";
        let (started, timeout, last_success, total) = (Some(5), Some(600), Some(4), Some(9));
        assert_eq!(parse(text), Some(Stamp { started, timeout, last_success, total, ..Stamp::default() }));
        assert_eq!(parse("cr0sync cron 2\nlast_run=17\n"), None);
        assert_eq!(parse(""), None);
    }
}
