//! Whether pages could put something else in the place of what cron runs as the cron user: the scripts of PHP, what they
//! load, the scripts of cron, the programs that tell people of events, and every directory above them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::finding::{problem, warning, well};
use super::reach::{self, Found};
use super::settings::Settings;
use super::{Shell, sides};
use crate::config::Config;
use crate::durable::{self, Account, mend};
use crate::report::DoctorFinding;

/// What the scripts of PHP are called.
const PHP: [&str; 3] = ["database_sync_script.php", "log_sync_script.php", "security_monitoring_script.php"];
/// Who does not own a thing in such a directory cannot move it.
const STICKY: u32 = 0o1000;
/// To put something into a directory.
const PUT: u32 = 3;
const WRITE: u32 = 2;
/// More links than these lead nowhere (`ELOOP` of Linux).
const MAX_LINKS: usize = 40;

pub(super) fn findings(config: &Config, shell: &Shell, settings: &Settings) -> Vec<DoctorFinding> {
    let ownership = &config.ownership;
    let runner = Account::of_runs(&config.root, ownership);
    let Some(pages) = Account::named(&ownership.website_user) else { return Vec::new() };
    if pages.user == 0 || runner.as_ref().is_some_and(|runner| runner.user == pages.user) {
        return Vec::new();
    }
    let places = [shell.script.as_deref().and_then(Path::parent), settings.scripts.as_deref()];
    let mut unseen: BTreeMap<PathBuf, Unseen> = BTreeMap::new();
    let mut all: BTreeSet<PathBuf> = BTreeSet::new();
    for place in places.into_iter().flatten() {
        all.extend(of_php(place, &mut unseen));
    }
    all.extend(listed(&config.root, "sh", &mut unseen));
    all.extend(told_of_events(config, shell));
    all.extend(settings.php.clone());
    let mut open: BTreeMap<PathBuf, (Found, Vec<&Path>)> = BTreeMap::new();
    for path in &all {
        match exchangeable(&pages, path) {
            Ok(None) => {}
            Ok(Some((place, found))) => open.entry(place).or_insert((found, Vec::new())).1.push(path),
            Err((place, cause)) => {
                unseen.insert(place, cause);
            }
        }
    }
    let unseen = unseen.into_iter().map(|(place, cause)| {
        let (why, remedy) = match cause {
            Unseen::Listed => ("it has an access list (getfacl)".to_owned(), reach::by_list(&pages, &place)),
            Unseen::Failed(why) => (why, "as root: run doctor".to_owned()),
        };
        let what = format!("whether {} can exchange what cron runs cannot be said: {why}", pages.name);
        warning("scripts", what).at(&place).mended_by(remedy)
    });
    let mut findings: Vec<DoctorFinding> = unseen.collect();
    if open.is_empty() && !all.is_empty() && findings.is_empty() {
        let what = format!("{} cannot exchange what cron runs as {}", pages.name, ownership.user);
        return vec![well("scripts", what)];
    }
    let told = |(place, (found, behind)): (PathBuf, (Found, Vec<&Path>))| {
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
        let mut remedy = remedy(&config.root, runner.as_ref(), &place, &found);
        if place.is_dir() && !place.starts_with(&config.root) {
            let env = config.root.join("cron.env");
            remedy.push_str(&format!(
                "; where pages have to write there: WEB=/usr/local/share/cr0sync in {}, where make install puts the scripts too",
                env.display()
            ));
        }
        problem("scripts", what).at(&place).mended_by(remedy)
    };
    findings.extend(open.into_iter().map(told));
    findings
}

/// The programs that tell people of events: the cron user runs them as well.
fn told_of_events(config: &Config, shell: &Shell) -> Vec<PathBuf> {
    let program = config.alerts.command.as_ref().and_then(|command| command.first()).map(PathBuf::from);
    let mailer = config.alerts.mail.as_ref().and(shell.mailer.clone());
    program.into_iter().chain(mailer).filter(|path| path.is_absolute()).collect()
}

/// The command that mends it. Whoever runs the jobs keeps what is his; what pages have to write to below the root they keep,
/// but for what is not theirs there.
fn remedy(root: &Path, runner: Option<&Account>, place: &Path, found: &Found) -> String {
    let chmod = |change: &str, user: u32| mend::chmod(change, place, user, found.group);
    let is_trusted = found.user == 0 || runner.is_some_and(|runner| runner.user == found.user);
    match (is_trusted, place.is_dir() && place.starts_with(root)) {
        (true, true) => format!("as root: {}", chmod("+t", found.user)),
        (true, false) => format!("as root: {}", chmod("go-w", found.user)),
        (false, _) => format!("as root: {} && {}", mend::chown("root", place), chmod("go-w", 0)),
    }
}

/// The scripts in a directory, and what they load, where they are installed as in the source.
fn of_php(place: &Path, unseen: &mut BTreeMap<PathBuf, Unseen>) -> Vec<PathBuf> {
    let scripts = PHP.iter().map(|name| place.join(name));
    let mut all: Vec<PathBuf> =
        scripts.filter(|path| !path.symlink_metadata().is_err_and(|cause| is_gone(&cause))).collect();
    if all.is_empty() {
        return all;
    }
    let source = place.join("../src");
    let library = if source.join("start.php").is_file() { source } else { place.join("cr0sync") };
    all.extend(listed(&library, "php", unseen));
    all
}

fn is_gone(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The files in a directory with an extension.
fn listed(place: &Path, end: &str, unseen: &mut BTreeMap<PathBuf, Unseen>) -> Vec<PathBuf> {
    let entries = match fs::read_dir(place) {
        Ok(entries) => entries,
        Err(cause) => {
            if !is_gone(&cause) {
                unseen.insert(place.to_path_buf(), Unseen::Failed(cause.to_string()));
            }
            return Vec::new();
        }
    };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|own| own == end)).collect()
}

/// What keeps a thing from being looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unseen {
    /// It has an access list.
    Listed,
    Failed(String),
}

/// What an account may write of a file and the directories above it, as the path is written and wherever its links lead.
fn exchangeable(account: &Account, path: &Path) -> Result<Option<(PathBuf, Found)>, (PathBuf, Unseen)> {
    let mut unseen = None;
    for way in ways(path) {
        match along(account, &way) {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            Err(why) => unseen = Some(why),
        }
    }
    unseen.map_or(Ok(None), Err)
}

/// A path, and what it is when its first link is followed, until there is none.
fn ways(path: &Path) -> Vec<PathBuf> {
    let mut way = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut all = Vec::new();
    for _ in 0..MAX_LINKS {
        all.push(way.clone());
        let next = sides::link(&way).and_then(|link| {
            let (to, rest) = (fs::read_link(&link).ok()?, way.strip_prefix(&link).ok()?);
            let to = link.parent()?.join(to);
            Some(if rest.as_os_str().is_empty() { to } else { to.join(rest) })
        });
        match next {
            Some(next) => way = next,
            None => break,
        }
    }
    all
}

/// What an account may exchange on one way. A link has no mode: whoever may exchange it may write in its directory.
fn along(account: &Account, path: &Path) -> Result<Option<(PathBuf, Found)>, (PathBuf, Unseen)> {
    let mut below: Option<Found> = None;
    for place in path.ancestors() {
        let file = match fs::symlink_metadata(place) {
            Ok(file) => file,
            Err(cause) if below.is_none() && is_gone(&cause) => return Ok(None),
            Err(cause) => return Err((place.to_path_buf(), Unseen::Failed(cause.to_string()))),
        };
        let found = Found { user: file.uid(), group: file.gid(), mode: file.mode() & 0o7777 };
        let bits = if below.is_some() { PUT } else { WRITE };
        let is_kept = found.mode & STICKY != 0 && below.is_some_and(|below| below.user != account.user);
        let is_anybodys = found.mode & bits == bits && !is_kept;
        if found.user != account.user && !is_anybodys && !file.is_symlink() && durable::has_list(place) {
            // Its mode says nothing of whom the list names.
            return Err((place.to_path_buf(), Unseen::Listed));
        }
        let is_open = found.user == account.user || reach::may(account, &found, bits) && !is_kept;
        if is_open && !file.is_symlink() {
            return Ok(Some((fs::canonicalize(place).unwrap_or_else(|_| place.to_path_buf()), found)));
        }
        below = Some(found);
    }
    Ok(None)
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
                    exchangeable(&pages, path).unwrap().map(|(place, _)| place).as_ref(),
                    expected,
                    "{above:?} {directory:?} {script:?}"
                );
            }
        }
    }

    /// A link in an open directory, to what lies in closed ones: whoever exchanges the link runs what he likes.
    #[test]
    fn a_link_hides_nothing_of_what_is_above_it() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let place = tempfile::Builder::new().prefix("scripts").tempdir_in("/tmp").unwrap();
        let top = place.path().canonicalize().unwrap();
        let pages = Account { name: "pages".to_owned(), user: 65_533, groups: vec![65_531] };
        let mode =
            |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for (path, bits) in
            [(&top, 0o755), (&top.join("closed"), 0o755), (&top.join("a"), 0o755), (&top.join("b"), 0o755)]
        {
            let _ = fs::create_dir(path);
            mode(path, bits);
        }
        let (first, second) = (top.join("a/link"), top.join("b/link"));
        fs::write(top.join("closed/a.php"), "").unwrap();
        mode(&top.join("closed/a.php"), 0o644);
        symlink("../b/link", &first).unwrap();
        symlink(top.join("closed"), &second).unwrap();
        let path = first.join("a.php");
        let open = || exchangeable(&pages, &path).map(|found| found.map(|(place, _)| place));
        assert_eq!(open().unwrap(), None);
        for directory in [top.join("a"), top.join("b")] {
            mode(&directory, 0o777);
            assert_eq!(open().unwrap().map(|found| found.canonicalize().unwrap()), Some(directory.clone()));
            // In a sticky one only his own link is his.
            mode(&directory, 0o1777);
            assert_eq!(open().unwrap(), None, "{}", directory.display());
            mode(&directory, 0o755);
        }
        mode(&top.join("b"), 0o1777);
        std::os::unix::fs::lchown(&second, Some(65_533), None).unwrap();
        assert!(open().unwrap().is_some());
    }

    #[test]
    fn what_is_told_to_do_leaves_the_runner_and_the_pages_what_they_need() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        let runner = Account { name: "runner".to_owned(), user: 65_533, groups: vec![8] };
        let file = root.join("a.sh");
        fs::write(&file, "").unwrap();
        let of = |user: u32, path: &Path| {
            remedy(root, Some(&runner), path, &Found { user, group: 8, mode: 0o775 })
        };
        for user in [0, 65_533] {
            for (path, change) in [(root, "+t"), (&file, "go-w"), (Path::new("/"), "go-w")] {
                assert_eq!(of(user, path), format!("as root: {}", mend::chmod(change, path, user, 8)));
            }
        }
        let both = format!("as root: {} && {}", mend::chown("root", root), mend::chmod("go-w", root, 0, 8));
        assert_eq!(of(9, root), both);
    }

    #[test]
    fn what_an_access_list_lets_pages_do_is_not_judged_by_the_mode() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.php");
        fs::write(&path, "").unwrap();
        // As `setfacl -m u:65533:rwx` writes it: version 2, then tag, rights and number of each entry.
        let entries: [(u16, u16, u32); 5] =
            [(1, 7, u32::MAX), (2, 7, 65_533), (4, 5, u32::MAX), (16, 7, u32::MAX), (32, 5, u32::MAX)];
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, rights, number) in entries {
            list.extend(
                tag.to_le_bytes().into_iter().chain(rights.to_le_bytes()).chain(number.to_le_bytes()),
            );
        }
        let name = "system.posix_acl_access";
        if rustix::fs::setxattr(place.path(), name, &list, rustix::fs::XattrFlags::empty()).is_err() {
            // Not every file system has them.
            return;
        }
        let pages = Account { name: "pages".to_owned(), user: 65_533, groups: vec![65_531] };
        let found = exchangeable(&pages, &path).unwrap_err();
        assert_eq!(found, (place.path().to_path_buf(), Unseen::Listed));
    }

    #[test]
    fn a_directory_that_cannot_be_looked_at_is_told() {
        let pages = Account { name: "pages".to_owned(), user: 65_533, groups: vec![65_531] };
        // Longer than any name may be, which root cannot look at either.
        let place = Path::new("/tmp").join("x".repeat(300)).join("a.php");
        let (place, _) = exchangeable(&pages, &place).unwrap_err();
        assert!(place.ends_with("a.php"), "{}", place.display());
    }
}
