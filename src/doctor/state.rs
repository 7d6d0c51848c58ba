//! Whether what we remember lies in directories that have the modes they were made with.
//!
//! Whose they are, and whether somebody could exchange them, `security::status` says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;

use super::commands::Commands;
use super::finding::{failed, problem, warning, well};
use crate::config::Config;
use crate::database;
use crate::durable::quoted;
use crate::durable::{self, Account, mend, shared, withheld};
use crate::error::Error;
use crate::report::{DoctorFinding, DoctorState};

/// So many files of killed runs that the next run has not removed are more than an accident.
const MANY: usize = 10;
/// For its owner and its group; what is made there is for the group; and who does not own a thing cannot move it.
const MODE: u32 = 0o3770;

/// That whoever asks may not look into it, so that all that is said of what lies there would be wrong; nothing where he may.
pub(super) fn shut(config: &Config) -> Option<DoctorFinding> {
    let state = config.root.join("sync_state");
    let look = Access::READ_OK | Access::EXEC_OK;
    if rustix::fs::accessat(CWD, &state, look, AtFlags::EACCESS) != Err(Errno::ACCESS) {
        return None;
    }
    let user = durable::whose(rustix::process::geteuid().as_raw());
    let cron = &config.ownership.user;
    let what = format!(
        "{user} may not look into it, so that runs, databases, files, keys and events were not looked at"
    );
    Some(problem("state", what).at(&state).mended_by(format!("run doctor as {cron} or root")))
}

pub(super) fn findings(config: &Config, commands: &Commands) -> Vec<DoctorFinding> {
    let state = config.root.join("sync_state");
    let found = match fs::symlink_metadata(&state) {
        Ok(found) => found,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            let what = "nothing is remembered yet: nothing was ever synced here";
            return vec![warning("state", what).at(&state).mended_by(commands.database("bidirectional"))];
        }
        Err(cause) => return vec![failed("state", &Error::io("look at", &state, cause))],
    };
    if !found.is_dir() {
        let what = "what should be a directory is something else";
        let remedy = format!("find out who did that, and move {} away", quoted(&state));
        return vec![problem("state", what).at(&state).mended_by(remedy)];
    }
    let mode = found.mode() & 0o7777;
    let finding = match wrong(mode) {
        None => well("state", format!("mode {mode:o}")),
        Some((state_of, what)) => DoctorFinding {
            state: state_of,
            ..problem("state", format!("{what} (mode {mode:o}, and should be {MODE:o})")).mended_by(format!(
                "as root: {}",
                mend::chmod(&format!("{MODE:o}"), &state, found.uid(), found.gid())
            ))
        },
    };
    let mut all = vec![finding.at(&state)];
    all.extend(withheld_inside(config));
    let left = database::super_journals(config);
    if left > MANY {
        let what = format!("{left} files of runs that were killed lie beside state.db (state.db-mj...)");
        let remedy =
            format!("{} removes them, as soon as nothing needs them", commands.database("bidirectional"));
        all.push(warning("state", what).at(&state).mended_by(remedy));
    }
    all
}

/// What lies in it that the users who need it do not get at: after a command that root ran, or a backup put back as root. Whoever
/// asks, this is told; for all else that would be said of it, root's rights are in the way.
fn withheld_inside(config: &Config) -> Vec<DoctorFinding> {
    let (root, ownership) = (&config.root, &config.ownership);
    let runner = Account::of_runs(root, ownership);
    // Those who ask for themselves are known by what they are, not by what they are called.
    let name =
        |account: &Account| durable::user_numbered(account.user).unwrap_or_else(|| account.name.clone());
    let mut all = Vec::new();
    let mut told = BTreeSet::new();
    if let Some(runner) = &runner {
        for one in withheld::from_runs(root, ownership, runner) {
            let what = format!(
                "it {}, so that {} cannot use it and no run can go on; nothing of it is lost, so leave it where it is",
                one.what,
                name(runner)
            );
            told.insert(one.path.clone());
            all.push(problem("state", what).at(&one.path).mended_by(one.remedy));
        }
    }
    let pages = Account::named(&ownership.website_user);
    let pages = pages.filter(|pages| runner.as_ref().is_none_or(|runner| runner.user != pages.user));
    for (one, pages) in pages
        .iter()
        .flat_map(|pages| {
            withheld::from_pages(root, ownership, pages).into_iter().map(move |one| (one, pages))
        })
        .filter(|(one, _)| !told.contains(&one.path))
    {
        let what = format!("it {}, so that pages ({}) cannot ask it anything", one.what, name(pages));
        all.push(problem("state", what).at(&one.path).mended_by(one.remedy));
    }
    // The same may keep both from a thing.
    let mut kept: BTreeMap<PathBuf, (withheld::Withheld, &str, Vec<String>)> = BTreeMap::new();
    let accounts = runner.iter().map(|one| (one, name(one)));
    for (account, who) in accounts.chain(pages.iter().map(|one| (one, format!("pages ({})", name(one))))) {
        for (one, use_of) in shared::from(root, ownership, account) {
            kept.entry(one.path.clone()).or_insert((one, use_of, Vec::new())).2.push(who.clone());
        }
    }
    for (one, use_of, who) in kept.into_values().filter(|(one, ..)| !told.contains(&one.path)) {
        let what = format!("it {}, so that {} cannot {use_of}", one.what, who.join(" and "));
        all.push(problem("state", what).at(&one.path).mended_by(one.remedy));
    }
    all
}

/// What is wrong with its mode, the worst first.
fn wrong(mode: u32) -> Option<(DoctorState, &'static str)> {
    use DoctorState::{Problem, Warning};
    let table = [
        (
            mode & 0o070 != 0o070,
            Problem,
            "pages can ask for nothing and see nothing: their group may not use it",
        ),
        (mode & 0o700 != 0o700, Problem, "its owner cannot use it"),
        (mode & 0o002 != 0, Problem, "everybody on this machine may put something into it"),
        (
            mode & 0o1000 == 0,
            Problem,
            "pages may move away what lies in it, and put something else in its place",
        ),
        (mode & 0o005 != 0, Warning, "everybody on this machine may look into it"),
        (mode & 0o2000 == 0, Warning, "what is made in it is not for its group"),
    ];
    table.into_iter().find(|(is_so, ..)| *is_so).map(|(_, state, what)| (state, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_mode_that_it_is_made_with_is_well() {
        for (mode, expected) in [
            (MODE, None),
            (0o2770, Some((DoctorState::Problem, "move away"))),
            (0o2777, Some((DoctorState::Problem, "put something into it"))),
            (0o3777, Some((DoctorState::Problem, "put something into it"))),
            (0o3775, Some((DoctorState::Warning, "look into it"))),
            (0o1770, Some((DoctorState::Warning, "not for its group"))),
            (0o3750, Some((DoctorState::Problem, "ask for nothing"))),
            (0o3070, Some((DoctorState::Problem, "its owner"))),
        ] {
            let found = wrong(mode);
            assert_eq!(found.map(|(state, _)| state), expected.map(|(state, _)| state), "{mode:o}");
            assert!(
                found.is_none_or(|(_, what)| expected.is_some_and(|(_, word)| what.contains(word))),
                "{mode:o}"
            );
        }
    }
}
