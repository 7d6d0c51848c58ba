//! Whether pages could put something else in the place of what cron runs as the cron user: the scripts of PHP, what they
//! load, the scripts of cron, and every directory above them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Shell;
use super::finding::{problem, well};
use super::reach::{self, Found};
use super::settings::Settings;
use crate::config::Config;
use crate::database::quoted;
use crate::durable::Account;
use crate::report::DoctorFinding;

/// What the scripts of PHP are called.
const PHP: [&str; 3] = ["database_sync_script.php", "log_sync_script.php", "security_monitoring_script.php"];
/// Who does not own a thing in such a directory cannot move it.
const STICKY: u32 = 0o1000;
/// To put something into a directory.
const PUT: u32 = 3;
const WRITE: u32 = 2;

pub(super) fn findings(config: &Config, shell: &Shell, settings: &Settings) -> Vec<DoctorFinding> {
    let ownership = &config.ownership;
    let runner = Account::of_runs(&config.root, ownership);
    let Some(pages) = Account::named(&ownership.website_user) else { return Vec::new() };
    if pages.user == 0 || runner.is_some_and(|runner| runner.user == pages.user) {
        return Vec::new();
    }
    let places = [shell.script.as_deref().and_then(Path::parent), settings.scripts.as_deref()];
    let mut all: BTreeSet<PathBuf> = places.into_iter().flatten().flat_map(of_php).collect();
    let is_shell = |path: &PathBuf| path.extension().is_some_and(|end| end == "sh");
    all.extend(listed(&config.root).into_iter().filter(is_shell));
    let mut open: BTreeMap<PathBuf, Vec<&Path>> = BTreeMap::new();
    for path in &all {
        if let Some(place) = exchangeable(&pages, path) {
            open.entry(place).or_default().push(path);
        }
    }
    if open.is_empty() && !all.is_empty() {
        let what = format!("{} cannot exchange what cron runs as {}", pages.name, ownership.user);
        return vec![well("scripts", what)];
    }
    let told = |(place, behind): (PathBuf, Vec<&Path>)| {
        let first = behind.first().map_or(place.as_path(), |first| first);
        let more = match behind.len().saturating_sub(1) {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        let what = format!(
            "pages ({}) may write here, and so put something else in the place of {}{more}, which cron runs as {} each minute",
            pages.name,
            first.display(),
            ownership.user
        );
        let mut remedy = format!("as root: chown root {0} && chmod go-w {0}", quoted(&place));
        if place.is_dir() && !place.starts_with(&config.root) {
            let env = config.root.join("cron.env");
            remedy.push_str(&format!(
                "; where pages have to write there: WEB=/usr/local/share/cr0sync in {}, where make install puts the scripts too",
                env.display()
            ));
        }
        problem("scripts", what).at(&place).mended_by(remedy)
    };
    open.into_iter().map(told).collect()
}

/// The scripts in a directory, and what they load, where they are installed as in the source.
fn of_php(place: &Path) -> Vec<PathBuf> {
    let scripts = PHP.iter().map(|name| place.join(name)).filter(|path| path.symlink_metadata().is_ok());
    let mut all: Vec<PathBuf> = scripts.collect();
    if all.is_empty() {
        return all;
    }
    let source = place.join("../src");
    let library = if source.join("start.php").is_file() { source } else { place.join("cr0sync") };
    all.extend(listed(&library).into_iter().filter(|path| path.extension().is_some_and(|end| end == "php")));
    all
}

fn listed(place: &Path) -> Vec<PathBuf> {
    fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// What an account may write of a file and the directories above it, as the path is written and where its links lead.
fn exchangeable(account: &Account, path: &Path) -> Option<PathBuf> {
    let real = fs::canonicalize(path).ok();
    let written = std::path::absolute(path).ok();
    [real, written].into_iter().flatten().find_map(|path| along(account, &path))
}

fn along(account: &Account, path: &Path) -> Option<PathBuf> {
    let look = |path: &Path| {
        let found = fs::symlink_metadata(path).ok()?;
        Some(Found { user: found.uid(), group: found.gid(), mode: found.mode() & 0o7777 })
    };
    let file = look(path)?;
    let is_link = path.is_symlink();
    if file.user == account.user || !is_link && reach::may(account, &file, WRITE) {
        return Some(path.to_path_buf());
    }
    let mut below = file;
    for directory in path.ancestors().skip(1) {
        let found = look(directory)?;
        let is_kept = found.mode & STICKY != 0 && below.user != account.user;
        if found.user == account.user || reach::may(account, &found, PUT) && !is_kept {
            return (!directory.is_symlink()).then(|| directory.to_path_buf());
        }
        below = found;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    #[test]
    fn whoever_may_write_a_script_or_a_directory_above_is_found() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let place = tempfile::Builder::new().prefix("scripts").tempdir_in("/tmp").unwrap();
        let top = place.path().canonicalize().unwrap();
        let (web, link) = (top.join("web"), top.join("link"));
        let file = web.join("a.php");
        fs::create_dir(&web).unwrap();
        fs::write(&file, "").unwrap();
        symlink(&web, &link).unwrap();
        let pages = Account { name: "pages".to_owned(), user: 65_533, groups: vec![65_531] };
        let set = |path: &Path, user: u32, mode: u32| {
            chown(path, Some(user), Some(65_531)).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for (above, directory, script, expected) in [
            ((0, 0o755), (0, 0o755), (0, 0o644), None),
            ((0, 0o755), (0, 0o755), (0, 0o664), Some(&file)),
            ((0, 0o755), (0, 0o755), (65_533, 0o444), Some(&file)),
            ((0, 0o755), (0, 0o775), (0, 0o644), Some(&web)),
            ((0, 0o755), (0, 0o1775), (0, 0o644), None),
            ((0, 0o755), (65_533, 0o1755), (0, 0o644), Some(&web)),
            ((0, 0o775), (0, 0o755), (0, 0o644), Some(&top)),
            ((0, 0o1777), (0, 0o755), (0, 0o644), None),
        ] {
            set(&top, above.0, above.1);
            set(&web, directory.0, directory.1);
            set(&file, script.0, script.1);
            for path in [&file, &link.join("a.php")] {
                assert_eq!(
                    exchangeable(&pages, path).as_ref(),
                    expected,
                    "{above:?} {directory:?} {script:?}"
                );
            }
        }
    }
}
