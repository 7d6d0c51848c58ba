//! Whose the directories are in which we remember things, and the commands that mend that.
//!
//! Looks, and changes nothing. Who owns a directory may put something else in the place of whatever lies in it, also where the
//! sticky bit keeps everybody else from that. So what only the cron user should know is believed only where every directory
//! from the root down to it is his, or that of root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, StatVfsMountFlags};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, getgroups};

use super::{mend, unusable};
use crate::config::{Config, Ownership};
use crate::error::READ_ONLY;
use crate::report::StatusProblem;

/// Others than the owner may write there, and may not move what is not theirs.
const STICKY: u32 = 0o1000;
/// What lies in these must be nobody's to exchange but the cron user's.
const KEPT_APART: [&str; 3] = ["locks", "events", "integrity"];

/// A directory that belongs to somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreign {
    path: PathBuf,
    owner: u32,
}

impl Foreign {
    /// What is wrong with what lies below it.
    pub(crate) fn why(&self) -> String {
        let whose = whose(self.owner);
        format!("{} belongs to {whose}, who may put an older one in its place", self.path.display())
    }
}

/// A user, by name where there is one.
pub(crate) fn whose(user: u32) -> String {
    super::user_numbered(user).map_or_else(|| format!("user {user}"), |name| format!("{name} (user {user})"))
}

/// Whose directories count as the cron user's. On a machine without that user they are those of whoever the root belongs to,
/// and of whoever asks.
pub(crate) fn trusted(root: &Path, ownership: &Ownership) -> Vec<u32> {
    match super::user(ownership) {
        Some(cron) => vec![cron, 0],
        None => fs::metadata(root).iter().map(MetadataExt::uid).chain([geteuid().as_raw(), 0]).collect(),
    }
}

/// The first directory from the root down to `sync_state` that belongs to somebody else.
pub(crate) fn foreign(root: &Path, ownership: &Ownership) -> Option<Foreign> {
    let trusted = trusted(root, ownership);
    [root.to_path_buf(), root.join("sync_state")].into_iter().find_map(|path| {
        let owner = fs::metadata(&path).ok()?.uid();
        (!trusted.contains(&owner)).then_some(Foreign { path, owner })
    })
}

/// What mends the owners of the directories above the private one, and of itself; `None` where they are as they should be.
pub(crate) fn remedy(root: &Path, ownership: &Ownership) -> Option<String> {
    let state = root.join("sync_state");
    match foreign(root, ownership) {
        Some(foreign) if foreign.path == state => {
            Some(format!("as root: {}", mend::chown(&spec(root, ownership), &state)))
        }
        Some(foreign) => Some(format!(
            "as root: {}, or name its owner under ownership in cr0sync.json",
            mend::chown(&ownership.user, &foreign.path)
        )),
        None => is_withheld(&state, ownership).then(|| give(&state, ownership)),
    }
}

/// Whether the cron user, who asks, does not get at what is his: somebody else has put it there, as root does from a backup.
fn is_withheld(state: &Path, ownership: &Ownership) -> bool {
    let user = geteuid().as_raw();
    if super::user(ownership) != Some(user) || !state.is_dir() {
        return false;
    }
    let may = rustix::fs::accessat(CWD, state, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
    // Where nobody can write, whose it is does not matter.
    may == Err(Errno::ACCESS)
        || fs::metadata(state.join("private")).is_ok_and(|private| private.uid() != user)
}

/// The command that gives all that is there to the configured user and group.
pub(super) fn give(state: &Path, ownership: &Ownership) -> String {
    give_all(state.parent().unwrap_or(state), &[state.to_path_buf()], ownership)
}

/// The same, of a root.
pub(crate) fn give_state(root: &Path, ownership: &Ownership) -> String {
    give(&root.join("sync_state"), ownership)
}

fn give_all(root: &Path, all: &[PathBuf], ownership: &Ownership) -> String {
    format!("as root: {}{}", join(ownership), mend::chown_all(&spec(root, ownership), all))
}

fn listed(all: &[PathBuf]) -> String {
    all.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
}

/// The command that makes the directory.
pub(super) fn install(state: &Path, ownership: &Ownership) -> String {
    let whom = spec(state.parent().unwrap_or(state), ownership);
    format!("as root: {}", mend::mkdir(&whom, "3770", state))
}

/// The command that lets the cron user give what he makes to the group, where he is not in it.
fn join(ownership: &Ownership) -> String {
    match super::owner(ownership) {
        Some((user, group)) if !is_member(user, group, ownership) => {
            format!("usermod -aG {} {} && ", ownership.group, ownership.user)
        }
        _ => String::new(),
    }
}

/// Whose something is, and with what mode.
pub(super) fn described(found: &fs::Metadata) -> String {
    format!(
        "belongs to {}:{} (mode {:04o})",
        super::user_numbered(found.uid()).unwrap_or_else(|| found.uid().to_string()),
        super::group_named(found.gid()),
        found.mode() & 0o7777
    )
}

/// The configured user and group, as far as this machine has them.
pub(super) fn spec(root: &Path, ownership: &Ownership) -> String {
    let user = match super::user(ownership) {
        Some(_) => ownership.user.clone(),
        None => maker(root, ownership),
    };
    match super::group(ownership) {
        Some(_) => format!("{user}:{}", ownership.group),
        None => user,
    }
}

/// Who is to make what is missing: the configured user, or on a machine without him whoever the root belongs to.
pub(super) fn maker(root: &Path, ownership: &Ownership) -> String {
    if super::user(ownership).is_some() {
        return ownership.user.clone();
    }
    let owner = fs::metadata(root).map_or(0, |found| found.uid());
    super::user_numbered(owner).unwrap_or_else(|| owner.to_string())
}

/// Whether a user is in the group: this process's own groups, or what the system's lists say.
fn is_member(user: u32, group: u32, ownership: &Ownership) -> bool {
    if user == 0 {
        return true;
    }
    if geteuid().as_raw() == user {
        let groups = getgroups().unwrap_or_default();
        return getegid().as_raw() == group || groups.iter().any(|one| one.as_raw() == group);
    }
    let field = |file: &str, name: &str, at: usize| -> Option<String> {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
        line.split(':').nth(at).map(str::to_owned)
    };
    let members = field("/etc/group", &ownership.group, 3).unwrap_or_default();
    members.split(',').any(|member| member.trim() == ownership.user)
        || field("/etc/passwd", &ownership.user, 3).and_then(|own| own.parse().ok()) == Some(group)
}

/// All that is wrong with owners, groups and locks, for `status`; but not what `remedy` is about.
pub(crate) fn problems(config: &Config) -> Vec<StatusProblem> {
    if let Some(read_only) = read_only(config) {
        return vec![read_only];
    }
    let all = [ungiven(config), open_root(config), open_inside(config)];
    all.into_iter().flatten().chain(unusable::problems(config)).collect()
}

/// Nobody can write what we remember. All else that is said of owners and locks is about rights, which do not help then.
fn read_only(config: &Config) -> Option<StatusProblem> {
    let state = config.root.join("sync_state");
    let found = rustix::fs::statvfs(&state).ok()?;
    found.f_flag.contains(StatVfsMountFlags::RDONLY).then(|| StatusProblem {
        problem: format!(
            "{} is on a file system that can only be read, so that nothing is remembered",
            state.display()
        ),
        first: Some(READ_ONLY.to_owned()),
        next: "status",
    })
}

/// What is made here is not for the configured group, so that pages get nothing of it.
pub(crate) fn ungiven(config: &Config) -> Option<StatusProblem> {
    let ownership = &config.ownership;
    let (user, group) = super::owner(ownership)?;
    let withheld = withheld(config, user, group);
    let is_outside = geteuid().as_raw() == user && !is_member(user, group, ownership);
    let (problem, first) = match withheld.len() {
        1.. => (
            format!(
                "not for the group {}, so that pages get nothing of what lies there: {}",
                ownership.group,
                listed(&withheld)
            ),
            give_all(&config.root, &withheld, ownership),
        ),
        0 if is_outside => (
            format!(
                "{} is not in the group {}: pages get nothing of what that user makes",
                ownership.user, ownership.group
            ),
            format!("as root: usermod -aG {} {}", ownership.group, ownership.user),
        ),
        0 => return None,
    };
    Some(StatusProblem { problem, first: Some(first), next: "run" })
}

/// Our directories that are for another group: that in which we remember, and those of logs that the cron user made and nobody
/// else may look into.
fn withheld(config: &Config, user: u32, group: u32) -> Vec<PathBuf> {
    let is_of_others = |found: &fs::Metadata| found.gid() != group;
    let is_shut = |found: &fs::Metadata| found.uid() == user && found.mode() & 0o007 == 0;
    let state = config.root.join("sync_state");
    let mut all: Vec<PathBuf> = Vec::new();
    all.extend(fs::metadata(&state).is_ok_and(|found| is_of_others(&found)).then_some(state));
    for directory in
        [&config.events.log, &config.integrity.alerts].into_iter().filter_map(|file| file.parent())
    {
        if fs::metadata(directory).is_ok_and(|found| is_of_others(&found) && is_shut(&found)) {
            all.push(directory.to_path_buf());
        }
    }
    all.dedup();
    all
}

/// The group of the pages may move all that we remember out of the root, and something else into its place.
fn open_root(config: &Config) -> Option<StatusProblem> {
    let found = fs::metadata(&config.root).ok()?;
    let is_of_pages = super::group(&config.ownership) == Some(found.gid());
    let is_open = found.mode() & 0o002 != 0 || found.mode() & 0o020 != 0 && is_of_pages;
    if !is_open || found.mode() & STICKY != 0 {
        return None;
    }
    let root = config.root.display();
    Some(StatusProblem {
        problem: format!(
            "others may write in {root} (mode {:o}), and put another sync_state in the place of the one that is there",
            found.mode() & 0o7777
        ),
        first: Some(format!("as root: {}", mend::chmod("+t", &config.root, found.uid(), found.gid()))),
        next: "status",
    })
}

/// Directories that somebody else made, in which he may exchange whatever lies there.
fn open_inside(config: &Config) -> Option<StatusProblem> {
    let (root, ownership) = (&config.root, &config.ownership);
    let (state, trusted) = (root.join("sync_state"), trusted(root, ownership));
    let all = KEPT_APART.map(|name| state.join(name)).into_iter().filter_map(|path| {
        let found = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_dir)?;
        (!trusted.contains(&found.uid())).then(|| (path.display().to_string(), found.uid()))
    });
    let all: Vec<(String, u32)> = all.collect();
    let (_, owner) = all.first()?;
    let paths: Vec<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
    Some(StatusProblem {
        problem: format!(
            "{}: not the cron user's ({}), who may remove and exchange what lies there",
            paths.join(", "),
            whose(*owner)
        ),
        first: Some(format!("as root: chown -h {} {}", spec(root, ownership), paths.join(" "))),
        next: "run",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    /// The configured user is root, so that anybody else is somebody else; root must run this.
    fn config(root: &Path) -> std::result::Result<Config, Box<dyn std::error::Error>> {
        let text = br#"{"version": 1, "ownership": {"user": "root", "group": "daemon"}}"#;
        Ok(Config::parse(text, root, None)?)
    }

    fn mode(path: &Path, mode: u32) -> std::io::Result<()> {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
    }

    #[test]
    fn every_directory_down_to_the_private_one_must_be_ours() -> Outcome {
        if !geteuid().is_root() || super::super::group(&config(Path::new("/"))?.ownership).is_none() {
            return Ok(());
        }
        let directory = tempfile::tempdir()?;
        let root = directory.path();
        let config = config(root)?;
        let state = root.join("sync_state");
        super::super::state_directory(&state, &config.ownership)?;
        assert_eq!((foreign(root, &config.ownership), problems(&config)), (None, Vec::new()));
        for path in [root, &state] {
            std::os::unix::fs::chown(path, Some(65_533), None)?;
            let found = foreign(root, &config.ownership).ok_or("it is believed")?;
            assert_eq!(found, Foreign { path: path.to_path_buf(), owner: 65_533 });
            let remedy = remedy(root, &config.ownership).unwrap_or_default();
            let expected =
                if path == state { "as root: chown -h root:daemon /" } else { "as root: chown -h root /" };
            assert!(remedy.starts_with(expected) && remedy.contains(&path.display().to_string()), "{remedy}");
            std::os::unix::fs::chown(path, Some(0), None)?;
        }
        assert_eq!(remedy(root, &config.ownership), None);
        Ok(())
    }

    #[test]
    fn what_others_could_exchange_is_told_with_the_command_that_mends_it() -> Outcome {
        let named = config(Path::new("/"))?;
        let (true, Some(group)) = (geteuid().is_root(), super::super::group(&named.ownership)) else {
            return Ok(());
        };
        let directory = tempfile::tempdir()?;
        let root = directory.path();
        let config = config(root)?;
        let state = root.join("sync_state");
        super::super::prepare(root, &config.ownership);
        let told = || -> Vec<(String, String)> {
            let all = problems(&config).into_iter();
            all.map(|one| (one.problem, one.first.unwrap_or_default())).collect()
        };
        assert_eq!(told(), []);
        // A group that pages are not in.
        std::os::unix::fs::chown(&state, None, Some(group.saturating_add(1)))?;
        let [(problem, first)] = &told()[..] else { return Err(format!("{:?}", told()).into()) };
        assert!(
            problem.contains("not for the group daemon") && first.contains("chown -hR root:daemon"),
            "{problem} {first}"
        );
        std::os::unix::fs::chown(&state, None, Some(group))?;
        let logs = root.join("logs/security");
        fs::create_dir_all(&logs)?;
        std::os::unix::fs::chown(&logs, None, Some(group.saturating_add(1)))?;
        for (bits, is_shut) in [(0o755, false), (0o770, true)] {
            mode(&logs, bits)?;
            let told = told();
            assert_eq!(!told.is_empty(), is_shut, "{bits:o}: {told:?}");
            assert!(told.iter().all(|(_, first)| first.ends_with("/logs/security")), "{told:?}");
        }
        fs::remove_dir(&logs)?;
        // A root in which the group may write.
        std::os::unix::fs::chown(root, None, Some(group))?;
        for (bits, is_open) in [(0o755, false), (0o775, true), (0o777, true), (0o1775, false)] {
            mode(root, bits)?;
            let told = told();
            assert_eq!(!told.is_empty(), is_open, "{bits:o}: {told:?}");
            assert!(told.iter().all(|(_, first)| first.contains("chmod +t")), "{told:?}");
        }
        std::os::unix::fs::chown(state.join("locks"), Some(65_533), None)?;
        let [(problem, first)] = &told()[..] else { return Err(format!("{:?}", told()).into()) };
        assert!(problem.contains("user 65533") && first.ends_with("/sync_state/locks"), "{problem} {first}");
        Ok(())
    }
}
