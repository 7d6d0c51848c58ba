//! Whether the cron user can write backups where they are kept. Without that runs go on, and only say so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::finding::{problem, warning};
use super::reach::{self, FILL, Reach, Shared};
use crate::backup::Place;
use crate::config::Config;
use crate::durable::{self, Account};
use crate::report::DoctorFinding;

pub(super) fn findings(config: &Config) -> Vec<DoctorFinding> {
    let Some(runner) = Account::of_runs(&config.root, &config.ownership) else { return Vec::new() };
    let mut directories: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for name in config.databases.keys() {
        for place in Place::all(config, name) {
            // What a database lies in itself, `sides` looks at; and of what is not there, nothing is to be kept.
            if place.live.exists() && place.live.parent() != Some(&place.directory) {
                directories.entry(place.directory).or_default().push(format!("{name}:{}", place.side));
            }
        }
    }
    let all = directories.into_iter();
    all.filter_map(|(directory, of)| of_directory(config, &runner, &directory, &of)).collect()
}

fn of_directory(config: &Config, runner: &Account, directory: &Path, of: &[String]) -> Option<DoctorFinding> {
    // What is not there is made in the next one above.
    let there = directory.ancestors().find(|above| above.symlink_metadata().is_ok())?;
    let (who, of) = (&runner.name, of.join(", "));
    match reach::reach(runner, there, FILL) {
        Reach::Yes | Reach::Missing(_) => None,
        Reach::No { path, found, bits } => {
            let verb = if bits == reach::PASS { "go through" } else { "make files in" };
            let what = format!(
                "no backup of {of} can be written: {who} cannot {verb} it (mode {:o}); runs go on without",
                found.mode
            );
            let remedy = reach::remedy(runner, &path, &found, bits, Shared::of(&config.ownership));
            Some(problem("backups", what).at(&path).mended_by(remedy))
        }
        Reach::Listed(path) => {
            let what = format!(
                "whether a backup of {of} can be written cannot be said: it has an access list (getfacl)"
            );
            Some(warning("backups", what).at(&path).mended_by(reach::by_list(runner, &path)))
        }
        Reach::Unknown(path, cause) => {
            let what = format!("whether a backup of {of} can be written cannot be said: {cause}");
            let place = durable::quoted(&path);
            let remedy = format!("as root: run doctor, or try it: runuser -u {who} -- ls -ld {place}");
            Some(warning("backups", what).at(&path).mended_by(remedy))
        }
    }
}
