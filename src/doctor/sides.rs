//! Whether the cron user and the user of the website's pages get at every side: the file, what SQLite keeps beside it, its
//! directory, in which both make such files, and each directory above.
//!
//! The cron user needs all of them. The pages need those that are theirs: the hub, a side called `website`, and whatever
//! lies in a directory of their user or groups; that they do not get at others, as a bot's home, is as it should be.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::accounts::{Account, group_named};
use super::finding::{problem, warning, well};
use super::reach::{self, FILL, Reach, USE};
use crate::config::{Config, Ownership};
use crate::database;
use crate::report::DoctorFinding;

/// The side of pages, as the shipped configuration calls it.
const WEBSITE: &str = "website";
/// What SQLite keeps beside a file.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

pub(super) fn findings(config: &Config) -> Vec<DoctorFinding> {
    let ownership = &config.ownership;
    let mut all = Vec::new();
    // That the cron user is missing, `security` says.
    let cron = Account::named(&ownership.user);
    let pages = Account::named(&ownership.website_user);
    if pages.is_none() {
        let name = &ownership.website_user;
        let what = format!("this machine has no user {name}: what the pages get at was not looked at");
        let remedy = "name the user of the pages as website_user under ownership in cr0sync.json";
        all.push(warning("access", what).mended_by(remedy));
    }
    if let Some(cron) = &cron {
        all.extend(of_account(config, cron, |_, _| true));
    }
    if let Some(pages) = pages.filter(|pages| cron.as_ref().is_none_or(|cron| cron.user != pages.user)) {
        let hub = config.hub.as_str();
        let is_theirs = |side: &str, path: &Path| side == hub || side == WEBSITE || belongs(&pages, path);
        all.extend(of_account(config, &pages, is_theirs));
    }
    all.extend(missing(config));
    all
}

/// Whether what a file lies in is of an account.
fn belongs(account: &Account, path: &Path) -> bool {
    let found = path.parent().and_then(|directory| fs::metadata(directory).ok());
    found.is_some_and(|found| found.uid() == account.user || account.groups.contains(&found.gid()))
}

/// What stands in the way of an account, each thing once, however many files are behind it.
fn of_account(
    config: &Config,
    account: &Account,
    concerns: impl Fn(&str, &Path) -> bool,
) -> Vec<DoctorFinding> {
    let mut barriers: BTreeMap<PathBuf, (Reach, Vec<String>, Option<PathBuf>)> = BTreeMap::new();
    let (mut reached, mut all) = (0_usize, 0_usize);
    for (name, database) in &config.databases {
        let present = database.replicas.iter().filter(|(_, path)| !is_directory_gone(path));
        for (side, written) in present.filter(|(side, path)| concerns(side, path)) {
            all += 1;
            // What SQLite keeps beside a file lies where the file is.
            let path = fs::canonicalize(written).unwrap_or_else(|_| written.clone());
            let stands = parts(&path).find_map(|(part, bits)| match reach::reach(account, &part, bits) {
                Reach::Yes | Reach::Missing(_) => None,
                Reach::No { path, found, bits } => Some((path.clone(), Reach::No { path, found, bits })),
                Reach::Unknown(path, why) => Some((path.clone(), Reach::Unknown(path, why))),
            });
            match stands {
                None => reached += 1,
                Some((path, why)) => {
                    let barrier = barriers.entry(path).or_insert_with(|| (why, Vec::new(), None));
                    barrier.1.push(format!("{name}:{side}"));
                    barrier.2 = barrier.2.take().or_else(|| link(written));
                }
            }
        }
    }
    let mut findings: Vec<DoctorFinding> = barriers
        .into_values()
        .filter_map(|(why, behind, link)| told(account, why, &behind, link.as_deref(), &config.ownership))
        .collect();
    if all == 0 {
        return findings;
    }
    findings.push(well("access", format!("{} gets at {reached} of {all} sides", account.name)));
    findings
}

/// The directory, the file and what lies beside it, with what has to be done there.
fn parts(path: &Path) -> impl Iterator<Item = (PathBuf, u32)> {
    let beside = BESIDE.map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        (PathBuf::from(name), USE)
    });
    let directory = path.parent().unwrap_or(path).to_path_buf();
    [(directory, FILL), (path.to_path_buf(), USE)].into_iter().chain(beside)
}

/// The first link of a path, if there is one.
fn link(path: &Path) -> Option<PathBuf> {
    let mut all: Vec<&Path> = path.ancestors().collect();
    all.reverse();
    all.into_iter().find(|part| part.is_symlink()).map(Path::to_path_buf)
}

/// What to do. Behind a link there is no command: whoever has made it may have meant something that is not his to give.
fn told(
    account: &Account,
    why: Reach,
    behind: &[String],
    link: Option<&Path>,
    ownership: &Ownership,
) -> Option<DoctorFinding> {
    let sides = match behind {
        [one] => one.clone(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
        [] => return None,
    };
    let name = &account.name;
    match why {
        Reach::No { path, found, bits } => {
            let verb = match bits {
                reach::PASS => "go through",
                FILL => "make files in",
                _ => "read and write",
            };
            let shared = group_named(&ownership.group).map(|number| (ownership.group.as_str(), number));
            let what = format!("{name} cannot {verb} it (mode {:o}), and so not use {sides}", found.mode);
            let remedy = match link {
                None => reach::remedy(account, &path, &found, bits, shared),
                Some(link) => format!(
                    "{} is a link: see who made it and where it leads, and give {name} the right there",
                    database::quoted(link)
                ),
            };
            Some(problem("access", what).at(&path).mended_by(remedy))
        }
        Reach::Unknown(path, cause) => {
            let what = format!("whether {name} can use {sides} cannot be said: {cause}");
            let remedy =
                format!("as root: run doctor, or try it: sudo -u {name} ls -ld {}", database::quoted(&path));
            Some(warning("access", what).at(&path).mended_by(remedy))
        }
        Reach::Yes | Reach::Missing(_) => None,
    }
}

/// Whether what a file should lie in is not there.
pub(super) fn is_directory_gone(path: &Path) -> bool {
    let directory = path.parent().unwrap_or(path);
    matches!(fs::metadata(directory), Err(cause) if cause.kind() == std::io::ErrorKind::NotFound)
}

/// Directories of databases and logs that are not there, each once.
fn missing(config: &Config) -> Vec<DoctorFinding> {
    let replicas = config.databases.iter().map(|(name, database)| (name, &database.replicas));
    let copies = config.logs.iter().map(|(name, log)| (name, &log.copies));
    let mut all: BTreeMap<&Path, Vec<String>> = BTreeMap::new();
    for (name, files) in replicas.chain(copies) {
        for (side, path) in files.iter().filter(|(_, path)| is_directory_gone(path)) {
            all.entry(path.parent().unwrap_or(path)).or_default().push(format!("{name}:{side}"));
        }
    }
    let told = |(directory, behind): (&Path, Vec<String>)| {
        let what =
            format!("the directory is not there, so that these sides are left out: {}", behind.join(", "));
        warning("access", what).at(directory).mended_by(format!(
            "mount what belongs there, or make it (mkdir -p {}), or take these sides out of cr0sync.json",
            database::quoted(directory)
        ))
    };
    all.into_iter().map(told).collect()
}
