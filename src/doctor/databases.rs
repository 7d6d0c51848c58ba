//! What the status of databases, their conflicts, the queue and the backups say that a person should look at.

use std::collections::BTreeMap;

use super::commands::Commands;
use super::finding::{failed, problem, warning, well};
use super::{Now, sides, unix};
use crate::config::Config;
use crate::database::{self, Detail, Options, Undecided};
use crate::durable;
use crate::error::Result;
use crate::report::{Backup, DatabaseStatus, DoctorFinding, QueuedRequest, RequestState, counted};

/// What a merge has brought to others should reach a side with the next run; after so long something keeps it (seconds).
const STALE: i64 = 3_600;
/// There is at most one merge a minute, so that who has missed so many has been away for an hour at least.
const MANY: i64 = 60;
/// A database is looked at each minute; after so long nobody does (seconds).
const UNSEEN: i64 = 3_600;
/// A conflict that nobody has decided for so long was forgotten (seconds; a week).
const OLD_CONFLICT: i64 = 7 * 86_400;
/// The next run carries requests out; after so long none does (seconds).
const OLD_REQUEST: i64 = 600;

/// Everything that is known, or why it is not.
pub(crate) struct Known {
    status: Result<BTreeMap<String, DatabaseStatus>>,
    undecided: Result<Vec<Undecided>>,
    requests: Result<Vec<QueuedRequest>>,
    backups: Result<Vec<Backup>>,
}

impl Known {
    pub(super) fn read(config: &Config) -> Known {
        let all = Options::default();
        Known {
            status: database::status(config, &all, Detail::Summary).map(|report| report.databases),
            undecided: database::undecided(config),
            requests: database::queue(config).map(|report| report.requests),
            backups: database::backups(config, &all).map(|report| report.backups),
        }
    }

    /// When something was done, as far as it is written down.
    pub(super) fn times(&self) -> impl Iterator<Item = i64> {
        let databases = self.status.iter().flat_map(BTreeMap::values);
        databases.filter_map(|database| unix(database.last_run.as_deref()?))
    }
}

pub(super) fn findings(known: &Known, now: &Now, commands: &Commands) -> Vec<DoctorFinding> {
    let mut all = Vec::new();
    match &known.status {
        Ok(status) => {
            let (absent, present): (Vec<_>, Vec<_>) =
                status.iter().partition(|(_, one)| one.state == database::ABSENT);
            for (name, database) in present {
                all.extend(of_database(name, database, now, commands));
            }
            if !absent.is_empty() {
                let names: Vec<&str> = absent.iter().map(|(name, _)| name.as_str()).collect();
                all.push(well("databases", format!("no side has one yet of {}", names.join(", "))));
            }
            if let Ok(backups) = &known.backups {
                all.extend(status.iter().flat_map(|(name, one)| of_backups(name, one, backups, commands)));
            }
        }
        Err(error) => all.push(failed("databases", error)),
    }
    match &known.undecided {
        Ok(undecided) => all.extend(of_conflicts(undecided, now, commands)),
        Err(error) => add_new(&mut all, failed("conflicts", error)),
    }
    match &known.requests {
        Ok(requests) => all.extend(of_requests(requests, now, commands)),
        Err(error) => add_new(&mut all, failed("queue", error)),
    }
    if let Err(error) = &known.backups {
        add_new(&mut all, failed("backups", error));
    }
    all
}

/// Adds what was not told yet: all of it may fail for one reason.
fn add_new(all: &mut Vec<DoctorFinding>, one: DoctorFinding) {
    if !all.iter().any(|told| told.what == one.what) {
        all.push(one);
    }
}

fn of_database(name: &str, database: &DatabaseStatus, now: &Now, commands: &Commands) -> Vec<DoctorFinding> {
    let command = |words: &str| commands.database(&format!("{words} --database {name}"));
    let run = command("bidirectional");
    let mut all = Vec::new();
    if let Some(held) = &database.held {
        let what = format!("{name} waits for a person since {}: {}", held.since, held.reason);
        all.push(problem("databases", what).mended_by(of_held(name, database, &held.reason, commands)));
    }
    for (table, notice) in &database.paused {
        let what =
            format!("the table {table} of {name} is left alone since {}: {}", notice.since, notice.reason);
        all.push(warning("databases", what).mended_by(command("status --explain")));
    }
    for (side, status) in &database.sides {
        let path = std::path::Path::new(&status.path);
        // Of a directory that is not there `sides` tells, once for all that would lie in it.
        if sides::is_directory_gone(path) {
            continue;
        }
        // What the first run has not made yet comes with it; what a later one has not, it could not.
        let coming =
            status.problem.as_deref().filter(|why| matches!(*why, database::MISSING | database::EMPTY));
        if let Some(coming) = coming.filter(|_| database.last_run.is_none()) {
            all.push(well("databases", format!("{name}:{side} is {coming}")).at(path));
        } else if let Some(reason) = &status.problem {
            let what = format!("{name}:{side} is not synced: {reason}");
            let remedy = match coming {
                None => format!("mend that, then {run}"),
                Some(_) => format!("see what {run} says of it"),
            };
            all.push(problem("databases", what).at(path).mended_by(remedy));
        } else if status.lag >= MANY
            || status.lag > 0 && database.last_change.as_deref().and_then(|at| now.age(at)) > Some(STALE)
        {
            let merges = counted(usize::try_from(status.lag).unwrap_or(0), "merge", "merges");
            let what = format!("{name}:{side} has missed {merges}, and does not catch up");
            all.push(
                warning("databases", what).at(path).mended_by(format!("{run}, and see why it is skipped")),
            );
        }
        if let Some(why) = &status.unseen {
            let what = format!("{name}:{side} was {why}");
            all.push(warning("databases", what).at(path).mended_by("as root: run doctor"));
        }
    }
    match database.last_run.as_deref().and_then(|at| Some((at, now.age(at)?))) {
        None => {
            all.push(warning("databases", format!("{name} was never synced")).mended_by(run));
        }
        Some((at, age)) if age > UNSEEN => {
            let what = format!("{name} was synced last at {at}, and should be every minute");
            all.push(problem("databases", what).mended_by(format!("{run}; see also what is said of cron")));
        }
        // What is wrong with it is told already, here or of the directory.
        Some(_) if all.iter().all(|one| one.remedy.is_none()) && database.state != "problem" => {
            all.push(well("databases", format!("{name} is {}", database.state)))
        }
        Some(_) => {}
    }
    all
}

/// Both ways that there are. A dry run without force says only again that it is held.
fn of_held(name: &str, database: &DatabaseStatus, reason: &str, commands: &Commands) -> String {
    let command = |words: &str| commands.database(&format!("{words} --database {name}"));
    let (look, force) = (command("bidirectional --dry-run --force"), command("bidirectional --force"));
    let concerned = database
        .sides
        .iter()
        .find(|(side, _)| reason.strip_prefix(side.as_str()).is_some_and(|rest| rest.starts_with(' ')));
    let Some((side, status)) = concerned else {
        return format!("{look} shows what would be written, {force} writes it");
    };
    let anew = || {
        format!(
            "stop what has {} open, move it away with its -wal and -journal, and {} creates it again",
            durable::quoted(std::path::Path::new(&status.path)),
            command("bidirectional")
        )
    };
    if reason.contains("has gone back in time") {
        return format!(
            "{look} shows what would be written; where what {side} has now counts: {force}; where it does not: {}",
            anew()
        );
    }
    if reason.contains("has no table left") {
        return format!("{}; or put back what it had", anew());
    }
    format!(
        "{look} shows what would be deleted; where that is meant: {force}; where the rows are to be kept: {}, then {} with one \
         of them",
        command("backups"),
        commands.database(&format!("restore BACKUP --side {side}"))
    )
}

fn of_conflicts(undecided: &[Undecided], now: &Now, commands: &Commands) -> Vec<DoctorFinding> {
    let mut old: BTreeMap<&str, Vec<&Undecided>> = BTreeMap::new();
    for one in undecided {
        if now.age(&one.at).is_some_and(|age| age > OLD_CONFLICT) {
            old.entry(&one.database).or_default().push(one);
        }
    }
    if old.is_empty() {
        return vec![well("conflicts", "none is open for more than a week")];
    }
    let told = |(database, all): (&str, Vec<&Undecided>)| {
        let first = all.first().map_or("", |one| one.at.as_str());
        let ids: Vec<String> = all.iter().map(|one| one.number.to_string()).take(5).collect();
        let what = format!(
            "{} conflicts of {database} are open for more than a week, the first since {first}",
            all.len()
        );
        warning("conflicts", what).mended_by(format!(
            "{}, then {}, or {}",
            commands.database(&format!("conflicts --database {database}")),
            commands.database("resolve ID --take SIDE"),
            commands.database(&format!("acknowledge {}", ids.join(" ")))
        ))
    };
    old.into_iter().map(told).collect()
}

fn of_requests(requests: &[QueuedRequest], now: &Now, commands: &Commands) -> Vec<DoctorFinding> {
    let is_old = |one: &&QueuedRequest| {
        one.state == RequestState::Pending && now.age(&one.at).is_some_and(|age| age > OLD_REQUEST)
    };
    let old: Vec<&QueuedRequest> = requests.iter().filter(is_old).collect();
    match old.last() {
        None => vec![well("queue", "no request of a page waits for long")],
        Some(first) => {
            let what = format!(
                "{} requests of pages wait for more than ten minutes, the first since {}",
                old.len(),
                first.at
            );
            let run = commands.database("bidirectional");
            let remedy = format!("{run} carries them out; see also what is said of cron");
            vec![warning("queue", what).mended_by(remedy)]
        }
    }
}

/// Whether what could be lost can be had again. A run keeps a copy of a side before it writes there, so that there is one of
/// some side wherever a run has changed anything.
fn of_backups(
    name: &str,
    database: &DatabaseStatus,
    backups: &[Backup],
    commands: &Commands,
) -> Vec<DoctorFinding> {
    if database.last_change.is_none() {
        return Vec::new();
    }
    let make = commands.database(&format!("backup --database {name}"));
    let verify = commands.database(&format!("verify --database {name}"));
    let mut newest: BTreeMap<&str, &Backup> = BTreeMap::new();
    // The newest of each side come first.
    for one in backups.iter().filter(|one| one.database == name) {
        newest.entry(&one.side).or_insert(one);
    }
    if newest.is_empty() {
        return vec![warning("backups", format!("{name} has no backup")).mended_by(make)];
    }
    let told = |one: &Backup| {
        if one.verified {
            return well("backups", format!("{name}:{} has one of {}", one.side, one.created_at));
        }
        let what = format!("the newest backup of {name}:{} was touched since it was verified", one.side);
        let path = std::path::Path::new(&one.path);
        let again = format!("{verify} looks at it again; where it is not sound: {make}");
        warning("backups", what).at(path).mended_by(again)
    };
    newest.into_values().map(told).collect()
}
