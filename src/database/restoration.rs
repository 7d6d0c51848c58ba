//! Restoring: a backup's content goes into the live file of a side, or of all, and counts as that side's edit.
//!
//! Apart from `backup`, which writes the file, because of what follows: the ancestors stay as they are, so that the
//! next run sees what the restore changed, lets it win its clashes, and passes the guards once. What the backup
//! lacks is deleted everywhere then, what it has comes back everywhere.
//!
//! Killed at any point, a live file has its old content or the restored one, and what it had lies beside it. Killed
//! between the two, the next run sees an ordinary edit: a guard may hold it, and a person sees it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use crate::backup::copy;
use crate::backup::restore::{Source, Way};
use crate::backup::verify::{self, Verdict};
use crate::clock;
use crate::config::{Config, DatabaseConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;
use crate::report::{DatabaseReport, SideReport, State, SyncReport};

use super::archive::{self, Shelf, in_words};
use super::create::{self, Absence};
use super::forecast;
use super::open::{self, Found};
use super::run::Job;
use super::{
    Fault, Force, Mode, Options, choose, existing_state, over, state_directory, state_failure, unknown_side,
};

/// Which sides a backup goes into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Target {
    /// The side that it was made of.
    #[default]
    Own,
    /// This one.
    Side(String),
    /// All that can be reached.
    AllSides,
}

/// What is restored into what.
struct Request {
    name: String,
    /// The backup.
    path: PathBuf,
    /// What people call it.
    id: String,
    sides: Vec<String>,
}

/// Writes the content of a backup into the live file of one side, or of all, after an emergency copy of each. The
/// next run brings it to the other sides. `backup` is an id as `backups` lists them, or a path of any bytes; for a file that is
/// not listed there, and that nobody may be writing, `options` must choose one database.
///
/// A dry run checks the backup and says what would be done: the rows that would come, change and go, in all as the counts
/// of the side, and by table in the warnings. With force, a live file that is damaged is overwritten too. Errors: as `sync`; `Usage` for an unknown backup or side, `Corrupt` for a backup that is not sound, `Busy`
/// when others keep the live file locked, `Stale` while an interrupted run is to be finished; nothing is changed
/// then.
pub fn restore(
    config: &Config,
    backup: impl AsRef<OsStr>,
    target: &Target,
    options: &Options,
) -> Result<SyncReport> {
    let backup = backup.as_ref();
    let request = find(config, backup, target, options)?;
    let Some((name, database)) = config.databases.get_key_value(&request.name) else {
        return Err(unknown_backup(backup));
    };
    let chosen = vec![(name.as_str(), database)];
    over(config, options, "restore", &chosen, &mut |_| super::Continue::Yes, |job, _, database| {
        carry_out(job, database, &request)
    })
}

fn find(config: &Config, backup: &OsStr, target: &Target, options: &Options) -> Result<Request> {
    let chosen = choose(config, options)?;
    let store = existing_state(config)?;
    let shelf = Shelf::of(config, store.as_ref(), clock::now())?;
    let path = std::fs::canonicalize(backup).ok();
    let same = |other: &Path| path.is_some() && std::fs::canonicalize(other).ok() == path;
    let listed = shelf.snapshots.iter().find(|one| *one.id() == *backup || same(&one.path));
    let (name, own, path, id) = match (listed, path.filter(|path| path.is_file())) {
        (Some(one), _) => (one.database.clone(), Some(one.side.clone()), one.path.clone(), one.id()),
        (None, Some(path)) if is_live(config, &path) => {
            return Err(Error::new(ErrorKind::Usage, "this is no backup but a live file:")
                .at(path)
                .hint("`sync-from SIDE` makes the hub equal to a side; `backup` makes a backup of it"));
        }
        (None, Some(path)) => match chosen.as_slice() {
            [(name, _)] => ((*name).to_owned(), None, path.clone(), path.display().to_string()),
            _ => {
                return Err(Error::new(ErrorKind::Usage, "this file is none of the listed backups:")
                    .at(path)
                    .hint("say with --database what it is restored into"));
            }
        },
        (None, None) => return Err(unknown_backup(backup)),
    };
    let Some((_, database)) = chosen.iter().find(|(chosen, _)| *chosen == name) else {
        return Err(Error::new(ErrorKind::Usage, format!("{id} is a backup of {name}, which is not chosen")));
    };
    let sides = match (target, own.as_ref()) {
        (Target::AllSides, _) => hub_first(config, database),
        (Target::Side(side), _) | (Target::Own, Some(side)) if database.replicas.contains_key(side) => {
            vec![side.clone()]
        }
        (Target::Side(side), _) => return Err(unknown_side(&name, side)),
        (Target::Own, _) => {
            return Err(Error::new(ErrorKind::Usage, "this file does not say which side it is of:")
                .at(path)
                .hint("add --side SIDE or --all-sides"));
        }
    };
    Ok(Request { name, path, id, sides })
}

/// Whether a file is a replica. A backup is read without locks, which a live file must not be.
fn is_live(config: &Config, path: &Path) -> bool {
    let name = |path: &Path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let own = name(path);
    let mut replicas = config.databases.values().flat_map(|database| database.replicas.values());
    own.is_some() && replicas.any(|replica| name(replica) == own)
}

fn hub_first(config: &Config, database: &DatabaseConfig) -> Vec<String> {
    let mut sides = database.ranked_sides(&config.hub);
    sides.sort_by_key(|side| *side != config.hub);
    sides
}

fn unknown_backup(backup: &OsStr) -> Error {
    Error::new(ErrorKind::Usage, format!("there is no backup {}", backup.display()))
        .hint("`backups` lists them with their ids; the path of a file does as well")
}

fn carry_out(job: &Job<'_>, database: &DatabaseConfig, request: &Request) -> Result<DatabaseReport> {
    let mut report = DatabaseReport::new(State::Restored, None);
    if job.mode == Mode::DryRun {
        let verdict = verify::file(&request.path);
        interrupt::check()?;
        if let Verdict::Damaged(reason) = verdict {
            return Err(verify::refusal(&request.path, &reason));
        }
        for side in &request.sides {
            foretell(job, database, request, side, &mut report)?;
        }
        return Ok(report);
    }
    if job.store.is_interrupted(&request.name).map_err(state_failure)? {
        let what = format!("an interrupted run of {} is to be finished first", request.name);
        return Err(Error::new(ErrorKind::Stale, what).hint("run `bidirectional` once, then restore"));
    }
    let source = Source::of(&request.path, &state_directory(job.config))?;
    job.store.begin_run(job.run, &clock::stamp(job.at), job.kind).map_err(state_failure)?;
    let mut failures = Vec::new();
    for side in &request.sides {
        match into_side(job, database, request, side, &source, &mut report) {
            Ok(()) => {}
            Err(error) => failures.push((side, error)),
        }
    }
    if report.sides.is_empty() {
        if let Some((_, error)) = failures.into_iter().next() {
            return Err(error);
        }
    } else {
        let skipped =
            failures.iter().map(|(side, error)| in_words(&format!("{side} was not restored"), error));
        report.warnings.extend(skipped);
    }
    Ok(report)
}

/// Says what would happen to one side.
fn foretell(
    job: &Job<'_>,
    database: &DatabaseConfig,
    request: &Request,
    side: &str,
    report: &mut DatabaseReport,
) -> Result<()> {
    let (name, id) = (request.name.as_str(), request.id.as_str());
    let path = database.replicas.get(side).ok_or_else(|| unknown_side(name, side))?;
    let wait = Duration::from_millis(job.config.guards.busy_timeout_ms);
    let obstacle = match open::replica(path, wait, job.config) {
        Found::Replica(replica) => {
            let backup = copy::frozen(&request.path).map_err(|cause| plain(forecast::of_backup(cause)))?;
            refuse_another(job, request, side, &backup, &replica.connection)?;
            report.warnings.push(format!("{side} would get the content of {id}"));
            if let Verdict::Damaged(reason) = verify::connection_is_sound(&replica.connection)
                .unwrap_or_else(|cause| Verdict::Damaged(cause.to_string()))
            {
                report.warnings.push(format!(
                    "{side} is damaged ({reason}), so no sound copy of what it has can be made first: {FORCED}"
                ));
            }
            interrupt::check()?;
            match forecast::of(job.config, side, &backup, &replica.connection) {
                Ok(forecast) => {
                    report.warnings.extend(forecast.tables);
                    report.sides.insert(side.to_owned(), forecast.all);
                }
                Err(fault) => report.warnings.push(format!("{side} cannot be compared with it: {fault}")),
            }
            return Ok(());
        }
        Found::Missing | Found::Empty => {
            report.warnings.push(format!("{side} is not there and would be made from {id}"));
            return Ok(());
        }
        Found::Quarantined(reason) => format!("{reason}; {MOVE_AWAY}"),
        Found::Skipped(reason) | Found::Refused(reason) => reason,
    };
    report.warnings.push(format!("{side} could not get the content of {id} now: {obstacle}"));
    Ok(())
}

fn into_side(
    job: &Job<'_>,
    database: &DatabaseConfig,
    request: &Request,
    side: &str,
    source: &Source,
    report: &mut DatabaseReport,
) -> Result<()> {
    let (name, id) = (request.name.as_str(), request.id.as_str());
    let path = database.replicas.get(side).ok_or_else(|| unknown_side(name, side))?;
    let wait = Duration::from_millis(job.config.guards.busy_timeout_ms);
    let fill = |absence, report: &mut DatabaseReport| {
        let mode = create::journal_mode(job, database, side);
        let place = create::Place { absence, side, mode };
        create::fill(job, source.connection(), path, place, report).map_err(plain)?;
        let was = match absence {
            Absence::Missing => "was not there",
            Absence::Empty => "had no bytes",
        };
        report.warnings.push(format!("{side} {was} and has the content of {id} now"));
        Ok::<u64, Error>(0)
    };
    let mut counts = SideReport::default();
    let lock_ms = match open::replica(path, wait, job.config) {
        Found::Replica(mut replica) => {
            refuse_another(job, request, side, source.connection(), &replica.connection)?;
            let copy = archive::emergency(job, name, side, &replica.connection).map_err(|error| {
                if error.kind() == ErrorKind::Corrupt { error.hint(FORCED) } else { error }
            })?;
            let changed = forecast::of(job.config, side, source.connection(), &replica.connection);
            let restored = source.write_to(&mut replica.connection, path, wait)?;
            let how = match restored.way {
                Way::Pages => String::new(),
                Way::Rows(reason) => format!(", row by row because {reason}"),
            };
            let before = copy.path.display();
            report
                .warnings
                .push(format!("{side} has the content of {id} now{how}; what it had before is in {before}"));
            counts = match changed {
                Ok(changed) => {
                    report.warnings.extend(changed.tables);
                    changed.all
                }
                Err(fault) => {
                    report.warnings.push(format!("what changed in {side} could not be counted: {fault}"));
                    SideReport::default()
                }
            };
            let limit = job.config.guards.max_lock_ms;
            if restored.lock_ms > limit {
                let lock = restored.lock_ms;
                report
                    .warnings
                    .push(format!("{side} was locked for {lock} ms, more than max_lock_ms ({limit})"));
            }
            restored.lock_ms
        }
        Found::Missing => fill(Absence::Missing, report)?,
        Found::Empty => fill(Absence::Empty, report)?,
        Found::Quarantined(reason) => {
            return Err(Error::new(ErrorKind::Corrupt, format!("cannot restore into {side}: {reason}"))
                .hint(MOVE_AWAY));
        }
        Found::Skipped(reason) | Found::Refused(reason) => {
            return Err(Error::new(ErrorKind::Io, format!("cannot restore into {side}: {reason}")));
        }
    };
    if report.sides.is_empty() {
        job.store.set_favoured(name, Some(side)).map_err(state_failure)?;
        job.store.set_unguarded(name, true).map_err(state_failure)?;
    }
    report.sides.insert(side.to_owned(), SideReport { lock_ms, ..counts });
    report.looked.insert(side.to_owned(), None);
    Ok(())
}

/// What a person can do about a file that is no database.
const MOVE_AWAY: &str = "move the file away, with its -journal and -wal, and restore again";
/// What force does where a file is damaged.
const FORCED: &str =
    "with --force it is restored all the same, and a copy of the file is kept as it is, damage included";

/// Refuses a file that is of another database, unless a person says that it is not.
fn refuse_another(
    job: &Job<'_>,
    request: &Request,
    side: &str,
    backup: &Connection,
    live: &Connection,
) -> Result<()> {
    // What cannot be read is not known to be of another database.
    let (Ok(then), Ok(now)) = (tables(backup), tables(live)) else { return Ok(()) };
    if job.force == Force::Yes || now.is_empty() || !then.is_disjoint(&now) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, format!("no table of {side} is in"))
        .at(&request.path)
        .hint("is it of another database? with --force it is restored all the same, after an emergency copy"))
}

/// The names of the tables that somebody made.
fn tables(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = connection.prepare(
        "SELECT lower(name) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// What stopped one side, as the error of the whole.
fn plain(fault: Fault) -> Error {
    match fault {
        Fault::Error(error) => error,
        Fault::Failed(reason) | Fault::Table { reason, .. } | Fault::Side { reason, .. } => {
            Error::new(ErrorKind::Io, reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::Store;
    use super::*;

    #[test]
    fn the_next_run_is_told() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let json = br#"{"databases": {"d": {"replicas": {"central": "d.db", "web": "web.db"}}}}"#;
        let mut config = Config::parse(json, directory.path(), None)?;
        // However full the disk of this machine is.
        config.guards.min_free_percent = 0;
        for file in ["d.db", "web.db"] {
            Connection::open(directory.path().join(file))?.execute_batch("CREATE TABLE t(x)")?;
        }
        let options = Options::default();
        let made = archive::backup(&config, &options)?;
        let id =
            made.backups.iter().find(|one| one.side == "web").map(|one| one.id.clone()).unwrap_or_default();
        let told = || -> Result<(Option<String>, bool)> {
            let store = Store::open(&state_directory(&config))?;
            Ok((store.favoured("d").map_err(state_failure)?, store.unguarded("d").map_err(state_failure)?))
        };
        restore(&config, &id, &Target::Own, &Options { mode: Mode::DryRun, ..Options::default() })?;
        assert_eq!(told()?, (None, false));
        restore(&config, &id, &Target::Own, &options)?;
        assert_eq!(told()?, (Some("web".into()), true));
        restore(&config, &id, &Target::AllSides, &options)?;
        assert_eq!(told()?, (Some("central".into()), true));
        assert!(!state_directory(&config).join("restore.db.new-source").exists(), "nothing is left over");
        Ok(())
    }

    #[test]
    fn an_interrupted_run_comes_first() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let json = br#"{"databases": {"d": {"replicas": {"central": "d.db", "web": "web.db"}}}}"#;
        let mut config = Config::parse(json, directory.path(), None)?;
        // However full the disk of this machine is.
        config.guards.min_free_percent = 0;
        Connection::open(directory.path().join("d.db"))?.execute_batch("CREATE TABLE t(x)")?;
        let made = archive::backup(&config, &Options::default())?;
        let store = Store::open(&state_directory(&config))?;
        store.connection.execute_batch("INSERT INTO intents VALUES ('d', 'central', '1', 0, x'')")?;
        let id = made.backups.first().map(|one| one.id.clone()).unwrap_or_default();
        let error =
            restore(&config, &id, &Target::Own, &Options::default()).err().ok_or("it was restored")?;
        assert_eq!(
            (error.kind(), error.hint_text()),
            (ErrorKind::Stale, Some("run `bidirectional` once, then restore"))
        );
        Ok(())
    }
}
