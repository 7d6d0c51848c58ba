//! Whether the cron user and the user of the website's pages get at every side of a database: the file, what SQLite keeps
//! beside it, its directory, in which both make such files, and each directory above; and at the logs and the events.
//!
//! The cron user needs all of them. The pages need those that are theirs: the hub, a side called `website`, and whatever
//! lies in a directory of their user or groups that they can come to, without which they only see less; that they do not get at
//! others, as a bot's home, is as it should be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::finding::{problem, warning, well};
use super::reach::{self, FILL, Reach, Shared, USE};
use crate::config::Config;
use crate::durable::{self, Account, apart, mend};
use crate::report::DoctorFinding;

/// The side of pages, as the shipped configuration calls it.
const WEBSITE: &str = "website";
/// What SQLite keeps beside a file.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// To read a file.
const READ: u32 = 4;
/// To see what a directory has.
const LIST: u32 = 5;

/// A file that an account needs, with what it has to do there and in the directory.
struct Need<'a> {
    name: String,
    path: &'a Path,
    directory: u32,
    file: u32,
    beside: &'static [&'static str],
    /// Whether anything fails without it.
    must: bool,
}

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
        all.extend(of_account(cron, &needs_of_runs(config), config));
    }
    let known: Vec<u32> = [cron.as_ref(), pages.as_ref()].into_iter().flatten().map(|one| one.user).collect();
    if let Some(pages) = pages.filter(|pages| cron.as_ref().is_none_or(|cron| cron.user != pages.user)) {
        all.extend(of_account(&pages, &needs_of_pages(config, &pages), config));
    }
    for (owner, needs) in needs_of_owners(config, &known) {
        all.extend(of_account(&owner, &needs, config));
    }
    all.extend(missing(config));
    all
}

/// What others own, as a bot with a user of its own: they must get at what is theirs, and at what lies beside it.
fn needs_of_owners<'a>(config: &'a Config, known: &[u32]) -> Vec<(Account, Vec<Need<'a>>)> {
    let owner = |path: &Path| fs::metadata(path).ok().map(|found| found.uid());
    let files = || config.databases.values().flat_map(|database| database.replicas.values());
    let all: BTreeSet<u32> =
        files().filter_map(|path| owner(path)).filter(|user| *user != 0 && !known.contains(user)).collect();
    let of = |user| {
        let account = Account::named(&durable::user_numbered(user)?)?;
        Some((account, databases(config, |_, path| (owner(path) == Some(user)).then_some(true))))
    };
    all.into_iter().filter_map(of).collect()
}

fn needs_of_runs(config: &Config) -> Vec<Need<'_>> {
    let mut all = databases(config, |_, _| Some(true));
    for (name, log) in &config.logs {
        all.extend(log.copies.iter().map(|(side, path)| {
            // Others are only read, as long as they lack nothing.
            let is_written = *side == config.hub || log.mirrors.contains(side);
            let (directory, file) = if is_written { (FILL, USE) } else { (LIST, READ) };
            Need { name: format!("{name}:{side}"), path, directory, file, beside: &[], must: true }
        }));
    }
    all.push(events(config));
    all
}

fn needs_of_pages<'a>(config: &'a Config, pages: &Account) -> Vec<Need<'a>> {
    let hub = config.hub.as_str();
    let mut all = databases(config, |side, path| match () {
        () if side == hub || side == WEBSITE => Some(true),
        () => belongs(pages, path).then_some(false),
    });
    for (name, log) in &config.logs {
        all.extend(log.copies.get(WEBSITE).map(|path| Need {
            name: format!("{name}:{WEBSITE}"),
            path,
            directory: reach::PASS,
            file: READ,
            beside: &[],
            must: true,
        }));
    }
    all.push(events(config));
    all
}

/// Sides that concern somebody, and whether he must get at them.
fn databases(config: &Config, concerns: impl Fn(&str, &Path) -> Option<bool>) -> Vec<Need<'_>> {
    let mut all = Vec::new();
    for (name, database) in &config.databases {
        all.extend(database.replicas.iter().filter_map(|(side, path)| {
            let (must, name) = (concerns(side, path)?, format!("{name}:{side}"));
            Some(Need { name, path, directory: FILL, file: USE, beside: &BESIDE, must })
        }));
    }
    all
}

/// Everybody writes events.
fn events(config: &Config) -> Need<'_> {
    Need {
        name: "the events".to_owned(),
        path: &config.events.log,
        directory: FILL,
        file: USE,
        beside: &[],
        must: true,
    }
}

/// Whether what a file lies in is of an account, and nothing above keeps it from there: in a bot's home that is the bot's alone,
/// a directory may well be of the group that all share.
fn belongs(account: &Account, path: &Path) -> bool {
    let Some(directory) = path.parent() else { return false };
    let Ok(found) = fs::metadata(directory) else { return false };
    let is_its = found.uid() == account.user || account.groups.contains(&found.gid());
    let above = fs::canonicalize(directory).ok().and_then(|place| place.parent().map(Path::to_path_buf));
    is_its
        && above.is_none_or(|above| !matches!(reach::reach(account, &above, reach::PASS), Reach::No { .. }))
}

/// Something that stands in the way, with what lies behind it.
struct Barrier<'a> {
    why: Reach,
    behind: Vec<String>,
    files: Vec<&'a Path>,
    /// The first link on the way.
    link: Option<PathBuf>,
    must: bool,
}

/// What stands in the way of an account, each thing once, however many files are behind it.
fn of_account(account: &Account, needs: &[Need<'_>], config: &Config) -> Vec<DoctorFinding> {
    let mut barriers: BTreeMap<PathBuf, Barrier<'_>> = BTreeMap::new();
    let (mut reached, mut all) = (0_usize, 0_usize);
    for need in needs.iter().filter(|need| !is_directory_gone(need.path)) {
        all += 1;
        let stands =
            need.parts().into_iter().find_map(|(part, bits)| match reach::reach(account, &part, bits) {
                Reach::Yes | Reach::Missing(_) => None,
                Reach::No { path, found, bits } => Some((path.clone(), Reach::No { path, found, bits })),
                Reach::Unknown(path, why) => Some((path.clone(), Reach::Unknown(path, why))),
                Reach::Listed(path) => Some((path.clone(), Reach::Listed(path))),
            });
        match stands {
            None => reached += 1,
            Some((path, why)) => {
                let new = || Barrier { why, behind: Vec::new(), files: Vec::new(), link: None, must: false };
                let barrier = barriers.entry(path).or_insert_with(new);
                barrier.behind.push(need.name.clone());
                barrier.files.push(need.path);
                barrier.link = barrier.link.take().or_else(|| link(need.path));
                barrier.must |= need.must;
            }
        }
    }
    let mut findings: Vec<DoctorFinding> =
        barriers.into_values().filter_map(|barrier| told(account, barrier, config)).collect();
    if all == 0 {
        return findings;
    }
    findings.push(well("access", format!("{} gets at {reached} of {all} files", account.name)));
    findings
}

impl Need<'_> {
    /// The directory, the file and what lies beside it, with what has to be done there.
    fn parts(&self) -> Vec<(PathBuf, u32)> {
        // What SQLite keeps beside a file lies where the file is.
        let path = fs::canonicalize(self.path).unwrap_or_else(|_| self.path.to_path_buf());
        let beside = self.beside.iter().map(|end| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            (PathBuf::from(name), USE)
        });
        let directory = path.parent().unwrap_or(&path).to_path_buf();
        [(directory, self.directory), (path.clone(), self.file)].into_iter().chain(beside).collect()
    }
}

/// The first link of a path, if there is one.
pub(super) fn link(path: &Path) -> Option<PathBuf> {
    let mut all: Vec<&Path> = path.ancestors().collect();
    all.reverse();
    all.into_iter().find(|part| part.is_symlink()).map(Path::to_path_buf)
}

/// What to do. Behind a link there is no command: whoever has made it may have meant something that is not his to give.
fn told(account: &Account, barrier: Barrier<'_>, config: &Config) -> Option<DoctorFinding> {
    let Barrier { why, behind, files, link, must } = barrier;
    let sides = match behind.as_slice() {
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
                LIST => "look into",
                READ => "read",
                _ => "read and write",
            };
            let shared = Shared::of(&config.ownership);
            let what = format!("{name} cannot {verb} it (mode {:o}), and so not use {sides}", found.mode);
            // Its owner gains nothing that he does not have.
            let gives = bits == FILL && account.user != found.user;
            let remedy = match &link {
                None if gives && !apart::may_be_given(config, &path) => apart::instead(config, &path, &files),
                None => reach::remedy(account, &path, &found, bits, shared),
                Some(link) => format!(
                    "{} is a link: see who made it and where it leads, and give {name} the right there",
                    durable::quoted(link)
                ),
            };
            let told = match must {
                true => problem("access", what).mended_by(remedy),
                // Pages may do without: cron writes there what they ask for.
                false => warning("access", what).mended_by(format!("only if pages are to use it, {remedy}")),
            };
            Some(told.at(&path))
        }
        Reach::Unknown(path, cause) => {
            let what = format!("whether {name} can use {sides} cannot be said: {cause}");
            let remedy = format!(
                "as root: run doctor, or try it: runuser -u {name} -- ls -ld {}",
                durable::quoted(&path)
            );
            Some(warning("access", what).at(&path).mended_by(remedy))
        }
        Reach::Listed(path) => {
            let what =
                format!("whether {name} can use {sides} cannot be said: it has an access list (getfacl)");
            Some(warning("access", what).at(&path).mended_by(reach::by_list(account, &path)))
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
        let ownership = &config.ownership;
        warning("access", what).at(directory).mended_by(format!(
            "mount what belongs there, or make it (as root: {}), or take these sides out of cr0sync.json",
            mend::mkdir(&format!("{}:{}", ownership.user, ownership.group), "2775", directory)
        ))
    };
    all.into_iter().map(told).collect()
}
