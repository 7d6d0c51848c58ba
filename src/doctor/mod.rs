//! What is wrong with an installation, and what to do about each thing.
//!
//! Looks, and changes nothing. Everything that a status report knows is taken from there; here is what none of them is
//! about: the machine, its users and file systems, and whether anything calls us at all. One file for each kind of check;
//! each looks at what is there, and a pure function in it says what that means. A check that cannot be made is a finding,
//! and stops no other.

mod backups;
mod clocks;
mod commands;
mod copies;
mod cron;
mod databases;
mod filesystems;
mod finding;
mod jobs;
mod locks;
mod logs;
mod reach;
mod scripts;
mod security;
mod settings;
mod sides;
mod stamps;
mod state;

#[cfg(test)]
mod tests;

use std::io::ErrorKind as Cause;
use std::path::{Path, PathBuf};

use crate::clock::{self, Boot};
use crate::config::Config;
use crate::error::Error;
use crate::report::{DoctorFinding, DoctorReport, DoctorState, SCHEMA};

use commands::Commands;
use finding::{failed, problem};
use settings::Settings;

pub(crate) use locks::held_seconds;
pub(crate) use stamps::{Stamp, stamps};

/// What only a shell knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shell {
    /// The table of cron of the user who runs the jobs, as `crontab -l` prints it; none where nobody looked.
    pub crontab: Option<String>,
    /// Which program this is, with its version.
    pub program: Option<String>,
    /// Where the script lies that was called, beside the others.
    pub script: Option<PathBuf>,
    /// The program that takes mail.
    pub mailer: Option<PathBuf>,
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
    if let Some(missing) = missing(&config.root) {
        return report(vec![copies::findings(shell), vec![missing]]);
    }
    let commands = Commands::of(config, shell);
    let settings = Settings::read(config);
    if let Some(shut) = state::shut(config) {
        return report(vec![
            copies::findings(shell),
            sides::findings(config),
            vec![shut],
            scripts::findings(config, shell, &settings),
            filesystems::findings(config, &commands),
        ]);
    }
    let stamps = stamps(&config.root);
    let known = databases::Known::read(config);
    report(vec![
        copies::findings(shell),
        sides::findings(config),
        state::findings(config, &commands),
        scripts::findings(config, shell, &settings),
        filesystems::findings(config, &commands),
        clocks::findings(now, &stamps, &known),
        cron::findings(config, shell, &stamps, now, &commands),
        jobs::findings(config, shell, &settings, now, &commands),
        databases::findings(&known, now, &commands),
        backups::findings(config),
        logs::findings(config, &commands),
        locks::findings(&config.root, now),
        security::findings(config, &commands),
    ])
}

/// What keeps anything of the root from being looked at.
fn missing(root: &Path) -> Option<DoctorFinding> {
    match root.metadata() {
        Ok(found) if found.is_dir() => None,
        Err(cause) if !matches!(cause.kind(), Cause::NotFound | Cause::NotADirectory) => {
            let error = Error::io("look at", root, cause);
            Some(failed("root", &error).mended_by("as root: run doctor, or let this user look into it"))
        }
        Ok(_) | Err(_) => {
            let what = "there is no such directory, so that nothing of it was looked at";
            let remedy = "make it, or name another as root, in cr0sync.json or with --root";
            Some(problem("root", what).at(root).mended_by(remedy))
        }
    }
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
