//! What is wrong with an installation, and what to do about each thing.
//!
//! Looks, and changes nothing. Everything that a status report knows is taken from there; here is what none of them is
//! about: the machine, its users and file systems, and whether anything calls us at all. One file for each kind of check;
//! each looks at what is there, and a pure function in it says what that means. A check that cannot be made is a finding,
//! and stops no other.

mod accounts;
mod clocks;
mod copies;
mod cron;
mod databases;
mod filesystems;
mod finding;
mod locks;
mod logs;
mod reach;
mod security;
mod sides;
mod stamps;
mod state;

#[cfg(test)]
mod tests;

use crate::clock::{self, Boot};
use crate::config::Config;
use crate::report::{DoctorFinding, DoctorReport, DoctorState, SCHEMA};

use finding::problem;

pub(crate) use locks::held_seconds;
pub(crate) use stamps::{Stamp, stamps};

/// What only a shell knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shell {
    /// The table of cron of the user who runs the jobs, as `crontab -l` prints it; none where nobody looked.
    pub crontab: Option<String>,
    /// Which program this is, with its version.
    pub program: Option<String>,
}

/// Now, by both clocks.
pub(crate) struct Now {
    pub(crate) unix: i64,
    pub(crate) boot: Boot,
}

impl Now {
    pub(crate) fn read() -> Now {
        Now { unix: clock::now().timestamp(), boot: clock::boot() }
    }

    /// How many seconds ago a time was that a report tells; none where it is no time.
    pub(crate) fn age(&self, stamp: &str) -> Option<i64> {
        unix(stamp).map(|then| self.unix.saturating_sub(then))
    }
}

/// A time that a report tells, in seconds since 1970.
pub(crate) fn unix(stamp: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(stamp).ok().map(|time| time.timestamp())
}

/// Looks at everything.
#[must_use]
pub fn examine(config: &Config, shell: &Shell) -> DoctorReport {
    examine_at(config, shell, &Now::read())
}

fn examine_at(config: &Config, shell: &Shell, now: &Now) -> DoctorReport {
    if !config.root.is_dir() {
        let what = "there is no such directory, so that nothing of it was looked at";
        let remedy = "make it, or name another as root, in cr0sync.json or with --root";
        return report(vec![
            copies::findings(shell),
            vec![problem("root", what).at(&config.root).mended_by(remedy)],
        ]);
    }
    let stamps = stamps(&config.root);
    let known = databases::Known::read(config);
    report(vec![
        copies::findings(shell),
        sides::findings(config),
        state::findings(config),
        filesystems::findings(config),
        clocks::findings(now, &stamps, &known),
        cron::findings(&config.root, shell.crontab.as_deref(), &stamps, now),
        databases::findings(&known, now),
        logs::findings(config),
        locks::findings(&config.root, now),
        security::findings(config),
    ])
}

/// What was found by all checks, the worst of each first.
fn report(checks: Vec<Vec<DoctorFinding>>) -> DoctorReport {
    let mut findings = Vec::new();
    for mut check in checks {
        check.sort_by_key(|one| std::cmp::Reverse(one.state));
        findings.extend(check);
    }
    let count = |state| findings.iter().filter(|one| one.state == state).count();
    let (warnings, problems) = (count(DoctorState::Warning), count(DoctorState::Problem));
    DoctorReport { schema: SCHEMA, ok: warnings == 0 && problems == 0, warnings, problems, findings }
}
