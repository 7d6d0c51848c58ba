//! Two-way sync of live, unmodified SQLite databases.
//!
//! **open -> observe -> decide -> apply -> record.** `open` finds what lies at a path; `observe` reads what
//! changed since each side's base; `decide` (pure) works out the merged state; `apply` brings every side to it
//! under guards; `record` remembers exactly what was merged, and settles what a killed run left behind. `plan`
//! and `run` drive them; `schema` and `shape` say what tables look like on one side and on all; `store` is our
//! own state. `archive` and `restoration` make backups and bring them back, and `forecast` says what that would change. `queue` carries out what web pages asked for.
//!
//! Promise: no acknowledged row is lost, no edit is merged twice, every real conflict is on record, all sides end
//! equal, and no object, pragma or checkpoint of ours touches a database that is not ours.

mod accompany;
mod agreement;
mod apply;
mod archive;
mod base;
mod beside;
mod bounce;
mod bytes;
mod changes;
mod codec;
mod companion;
mod create;
mod decide;
mod evidence;
mod fit;
mod forecast;
mod guard;
mod intent;
mod json;
mod key;
mod log;
mod model;
mod native;
mod observe;
mod old_copy;
mod open;
mod page;
mod pages;
mod place;
mod plan;
mod progress;
mod queue;
mod record;
mod reentry;
mod references;
mod resolution;
mod rest;
mod restoration;
mod returned;
mod round;
mod run;
mod schema;
mod selection;
mod settle;
mod shape;
mod sharing;
mod sql;
mod status;
mod steps;
mod store;
mod undo;
mod value;
mod verification;
mod virtual_table;
mod watch;
mod write;

// It lies with the other tests, and is compiled in here for what it drives: nobody outside can reach that.
#[cfg(test)]
#[path = "../../tests/simulation/mod.rs"]
mod simulation;

// Likewise what the fuzzers drive; only a build for them (`--cfg fuzzing`) has it.
#[cfg(fuzzing)]
#[doc(hidden)]
#[path = "../../tests/fuzz/readers/mod.rs"]
pub mod fuzz;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::clock;
use crate::config::{Config, DatabaseConfig, glob};
use crate::durable::{self, RunLock};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;
use crate::report::{
    AcknowledgeReport, DatabaseReport, HistoryReport, QueuedRequest, Run, SCHEMA, SideReport, State,
    StatusReport, SyncReport,
};

pub use crate::interrupt::Continue;
pub use archive::{backup, backups, clean_backups};
pub(crate) use place::network_of;
pub use progress::{Phase, Progress};
pub use queue::{Action, Request, enqueue, queue, work_queue};
pub use resolution::Take;
pub use restoration::{Target, restore};
pub(crate) use selection::undecided;
pub use selection::{Selection, conflicts, conflicts_of};
pub use status::Detail;
pub(crate) use status::{ABSENT, EMPTY, MISSING};
pub(crate) use store::Undecided;
pub use verification::verify;

use progress::{Listener, Pace, Teller};
use resolution::Resolution;
use run::Job;
use store::Store;

/// Which databases, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Name patterns (`*`, `?`); empty means all.
    pub databases: Vec<String>,
    /// Whether anything is written.
    pub mode: Mode,
    /// Whether guards that wait for a person are overridden.
    pub force: Force,
    /// Whether values of secret columns are shown.
    pub secrets: Secrets,
    /// How often what the pages of a file tell is checked against all of its rows.
    pub verify: Verify,
}

/// How often a run compares all rows of a side with what was merged, beside what its pages tell of them. Where the two differ,
/// which must not be, the rows count, a warning and an event say so, and each run compares all rows until they agree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verify {
    /// Once a day for each side, also where its file has not changed.
    #[default]
    Daily,
    /// In this run.
    Now,
}

/// Whether anything is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Carry the plan out.
    #[default]
    Apply,
    /// Only plan; the report says what would be done.
    DryRun,
}

/// Whether guards that wait for a person are overridden.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Force {
    /// No.
    #[default]
    No,
    /// Yes, for the chosen databases.
    Yes,
}

/// Whether values of secret columns are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Secrets {
    /// They appear as `{"redacted": true}`.
    #[default]
    Redact,
    /// They are shown.
    Show,
}

/// Why a database, or one side of it, cannot be synced now.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The run cannot go on.
    Error(Error),
    /// The database cannot be synced.
    Failed(String),
    /// One table cannot be synced now; the others can.
    Table {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// One side cannot be used.
    Side {
        /// Which.
        name: String,
        /// `Skipped` or `Quarantined`.
        state: State,
        /// Why.
        reason: String,
        /// What it waits for.
        until: Until,
    },
}

/// What somebody waits for who was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The next run, which may find it otherwise.
    NextRun,
    /// A person, who has to mend something.
    Mended,
}

impl Until {
    /// Of what SQLite said: whoever keeps a file busy lets go of it, all else stays.
    pub(crate) fn of(cause: &rusqlite::Error) -> Until {
        match cause.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OperationInterrupted) => {
                Until::NextRun
            }
            _ => Until::Mended,
        }
    }
}

impl Fault {
    /// What whoever is left out for this reason waits for.
    pub(crate) fn until(&self) -> Until {
        match self {
            Fault::Side { until, .. } => *until,
            Fault::Error(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Cancelled) => {
                Until::NextRun
            }
            Fault::Error(_) | Fault::Failed(_) | Fault::Table { .. } => Until::Mended,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Error(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Error(error) => error.fmt(f),
            Fault::Failed(reason) | Fault::Table { reason, .. } | Fault::Side { reason, .. } => {
                f.write_str(reason)
            }
        }
    }
}

/// What an error of SQLite on a side's file means.
pub(crate) fn sql_error(cause: rusqlite::Error, side: &str) -> Fault {
    let until = Until::of(&cause);
    let aside = |state, reason| Fault::Side { name: side.to_owned(), state, reason, until };
    match cause.sqlite_error_code() {
        // Nobody but us interrupts our own connections.
        Some(ErrorCode::OperationInterrupted) => Fault::Error(interrupt::cancelled()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            aside(State::Skipped, format!("{side} stayed busy"))
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            aside(State::Quarantined, format!("{side} is damaged ({cause})"))
        }
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure,
        ) => aside(State::Skipped, format!("{side} cannot be used: {cause}")),
        Some(ErrorCode::DiskFull) => aside(
            State::Skipped,
            format!("{side} cannot be used: {cause}; make room on its disk, and the next run goes on"),
        ),
        _ => Fault::Failed(format!("{side}: {cause}")),
    }
}

/// An error on our own state.
pub(crate) fn state_error(cause: rusqlite::Error) -> Fault {
    Fault::Error(state_failure(cause))
}

fn state_failure(cause: rusqlite::Error) -> Error {
    if cause.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
        return interrupt::cancelled();
    }
    let (full, damage) = (cause.sqlite_error_code() == Some(ErrorCode::DiskFull), store::is_damage(&cause));
    let error = Error::new(ErrorKind::Io, "cannot use the state database").because(cause);
    match (full, damage) {
        (true, _) => error.hint("make room on the disk of sync_state; the next run goes on"),
        (_, true) => store::damaged(error),
        _ => error,
    }
}

/// Merges all sides of the chosen databases. Before it does, it carries out what waits in the queue, unless that is for
/// another user to do; what came of that is in the report, and told by [`queue()`]. A dry run tells what waits there.
///
/// Errors: `Usage` for a pattern that matches nothing, `Locked` when another run is at work, `Io` when our own
/// state cannot be written. Whatever is wrong with one database is in the report, and the others go on. Write
/// locks are held for the writing only; killed at any point, the next run finishes or forgets what was begun.
pub fn sync(config: &Config, options: &Options) -> Result<SyncReport> {
    sync_with(config, options, &mut |_| Continue::Yes)
}

/// Merges as [`sync`] does, and tells how far it is: at the beginning of each phase, and within one at most ten times a
/// second. Whoever is told is not called while anything is locked for writing, but readers of a database in rollback
/// mode may hold up its owner meanwhile, so it should be quick.
///
/// Errors: as [`sync`]; `Cancelled` when it was told to stop. A database that was being merged then is as it was;
/// those before it are merged and in the history.
pub fn sync_with(
    config: &Config,
    options: &Options,
    tell: &mut dyn FnMut(&Progress<'_>) -> Continue,
) -> Result<SyncReport> {
    let chosen = choose(config, options)?;
    let (requests, fault) = match options.mode {
        Mode::Apply => queue::work_before_run(config),
        Mode::DryRun => queue::waiting(config),
    };
    let mut report = over(config, options, "bidirectional", &chosen, tell, run::sync)?;
    // Whoever looks at this run looks at what it did on request, too.
    report.conflicts += requests.iter().map(QueuedRequest::new_conflicts).sum::<usize>();
    report.requests = Some(requests);
    if let (Some(error), Some(first)) = (fault, report.databases.values_mut().next()) {
        // A queue that somebody broke must not stop the sync, and must not go unnoticed.
        first.warnings.push(format!("the queue of requests was not carried out: {error}"));
    }
    Ok(report)
}

/// The same without a look at the queue, for the queue itself.
fn force(config: &Config, database: &str) -> Result<SyncReport> {
    let options = Options { databases: vec![database.to_owned()], force: Force::Yes, ..Options::default() };
    over(config, &options, "bidirectional", &choose(config, &options)?, &mut |_| Continue::Yes, run::sync)
}

/// Makes the hub equal to one side, deletions included, after an emergency copy of the hub. The other sides keep
/// their edits, which lose the next clash.
///
/// Errors: as [`sync`]; `Usage` for a side that no chosen database has, or for the hub itself.
pub fn sync_from(config: &Config, side: &str, options: &Options) -> Result<SyncReport> {
    sync_from_with(config, side, options, &mut |_| Continue::Yes)
}

/// Does what [`sync_from`] does, and tells how far it is.
///
/// Errors: as [`sync_from`] and [`sync_with`].
pub fn sync_from_with(
    config: &Config,
    side: &str,
    options: &Options,
    tell: &mut dyn FnMut(&Progress<'_>) -> Continue,
) -> Result<SyncReport> {
    if side == config.hub {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("{side} is the hub; name the side it should be made equal to"),
        ));
    }
    let mut chosen = choose(config, options)?;
    chosen.retain(|(_, database)| database.replicas.contains_key(side));
    if chosen.is_empty() {
        let sides: BTreeSet<&str> = choose(config, options)?
            .into_iter()
            .flat_map(|(_, database)| database.replicas.keys())
            .map(String::as_str)
            .filter(|name| *name != config.hub)
            .collect();
        let names: Vec<&str> = sides.into_iter().collect();
        return Err(Error::new(ErrorKind::Usage, format!("none of the chosen databases has a side {side}"))
            .hint(format!("their sides beside the hub are: {}", names.join(", "))));
    }
    let kind = format!("sync-from {side}");
    over(config, options, &kind, &chosen, tell, |job, name, database| {
        run::sync_from(job, name, database, side)
    })
}

/// Decides one conflict, as part of a merge of its database.
///
/// Errors: as [`sync`]; `Usage` for an unknown id or a choice that makes no sense, `Stale` when the row is no
/// longer what the conflict shows.
pub fn resolve(config: &Config, id: &str, take: Take, options: &Options) -> Result<SyncReport> {
    let store = existing_state(config)?;
    let found = store.and_then(|store| find_conflict(&store, id).transpose()).transpose()?;
    let conflict = found.ok_or_else(|| unknown_conflict(id))?;
    let (number, name) = (conflict.number, conflict.database.clone());
    let resolution = Resolution::new(conflict, take)?;
    let Some((name, database)) = config.databases.get_key_value(&*name) else {
        return Err(Error::new(ErrorKind::Usage, format!("database {name} is no longer configured")));
    };
    let chosen = vec![(name.as_str(), database)];
    over(config, options, "resolve", &chosen, &mut |_| Continue::Yes, |job, name, database| {
        let job = Job { resolution: Some(&resolution), ..*job };
        let report = run::sync(&job, name, database)?;
        let done = matches!(report.state, State::Synced | State::Unchanged | State::Quarantined);
        if job.mode == Mode::Apply && done {
            // A run that wrote has recorded it with the rows; one that found nothing to do has not.
            job.store.set_status(number, store::RESOLVED).map_err(state_failure)?;
        }
        Ok(report)
    })
}

/// Takes a run back, as a new one: the rows it touched are set to what they were before it, on every side, after an
/// emergency copy of each. Rows that have changed since are left and listed in the warnings.
///
/// Errors: as [`sync`]; `Usage` for a run that is not on record, or that has nothing that can be taken back: then the
/// hint says what can.
pub fn undo(config: &Config, run: &str, options: &Options) -> Result<SyncReport> {
    undo_telling(config, run, options, undo::Telling::Rows)
}

/// The same; warnings say of what is left as much as they may.
fn undo_telling(config: &Config, run: &str, options: &Options, telling: undo::Telling) -> Result<SyncReport> {
    let mut chosen = choose(config, options)?;
    let mut undos = BTreeMap::new();
    let unknown = || {
        Error::new(ErrorKind::Usage, format!("there is no run {run}"))
            .hint("`history` lists the runs with their numbers")
    };
    let store = existing_state(config)?.ok_or_else(unknown)?;
    let number: i64 = run.parse().map_err(|_| unknown())?;
    for (name, _) in &chosen {
        let tables = store.touched(number, name).map_err(state_failure)?;
        if !tables.is_empty() {
            undos.insert((*name).to_owned(), undo::Undo { tables, telling });
        }
    }
    if undos.is_empty() {
        let past = store.past_run(number).map_err(state_failure)?.ok_or_else(unknown)?;
        let names: Vec<&str> = chosen.iter().map(|(name, _)| *name).collect();
        return Err(undo::nothing(config, &store, &past, &names)?);
    }
    chosen.retain(|(name, _)| undos.contains_key(*name));
    over(config, options, &format!("undo {run}"), &chosen, &mut |_| Continue::Yes, |job, name, database| {
        run::sync(&Job { undo: undos.get(name), ..*job }, name, database)
    })
}

/// Marks conflicts as seen; they stay on record, and resolved ones stay resolved. A dry run only checks the ids.
///
/// Errors: `Usage` for an unknown id (nothing is marked then), `Locked` when a run is at work.
pub fn acknowledge(config: &Config, ids: &[String], mode: Mode) -> Result<AcknowledgeReport> {
    let directory = state_directory(config);
    let Some(store) = existing_state(config)? else {
        return Err(unknown_conflict(ids.first().map_or("", String::as_str)));
    };
    let _lock = match mode {
        Mode::Apply => Some(RunLock::take(&directory).map_err(|error| for_whom(config, error))?),
        Mode::DryRun => None,
    };
    let mut found = Vec::new();
    for id in ids {
        found.push(find_conflict(&store, id)?.ok_or_else(|| unknown_conflict(id))?);
    }
    let (resolved, waiting): (Vec<_>, Vec<_>) =
        found.iter().partition(|conflict| &*conflict.status == store::RESOLVED);
    if mode == Mode::Apply {
        for conflict in &waiting {
            store.set_status(conflict.number, "acknowledged").map_err(state_failure)?;
        }
    }
    let ids = |found: Vec<&store::StoredConflict>| {
        found.into_iter().map(|conflict| conflict.number.to_string()).collect()
    };
    Ok(AcknowledgeReport { schema: SCHEMA, acknowledged: ids(waiting), resolved: ids(resolved) })
}

/// The runs that did something, newest first, at most `limit`.
///
/// Errors: `Io` when the state cannot be read.
pub fn history(config: &Config, options: &Options, limit: usize) -> Result<HistoryReport> {
    let chosen = choose(config, options)?;
    let mut runs = Vec::new();
    if let Some(store) = existing_state(config)? {
        for past in store.runs().map_err(state_failure)? {
            if runs.len() >= limit {
                break;
            }
            let mut databases: serde_json::Value = serde_json::from_str(&past.report).unwrap_or_default();
            if let Some(map) = databases.as_object_mut() {
                map.retain(|name, _| chosen.iter().any(|(chosen, _)| chosen == name));
                if map.is_empty() && !options.databases.is_empty() {
                    continue;
                }
            }
            let (run, duration_ms) = (past.number.to_string(), past.duration_ms);
            runs.push(Run { run, at: past.at, kind: past.kind, duration_ms, databases });
        }
    }
    Ok(HistoryReport { schema: SCHEMA, runs })
}

/// What is known of every side, without changing anything.
///
/// Errors: `Io` when the state cannot be read; `Config` when a policy names what is not there.
pub fn status(config: &Config, options: &Options, detail: Detail) -> Result<StatusReport> {
    let chosen = choose(config, options)?;
    let store = existing_state(config)?;
    let mut databases = BTreeMap::new();
    for (name, database) in chosen {
        databases.insert(name.to_owned(), status::of(config, store.as_ref(), name, database, detail)?);
    }
    Ok(StatusReport { schema: SCHEMA, databases })
}

/// The state, if there is any, for looking only.
///
/// # Errors
/// [`ErrorKind::Access`] with the command that gives it, where it is not for this user.
pub(crate) fn existing_state(config: &Config) -> Result<Option<Store>> {
    let opened = Store::open_existing(&state_directory(config));
    match opened {
        // Why it cannot be opened, the one who owns it knows best.
        Err(error) => {
            Err(durable::withheld::refuse_look(&config.root, &config.ownership).err().unwrap_or(error))
        }
        opened => opened,
    }
}

/// How many super-journals killed runs have left beside the state.
pub(crate) fn super_journals(config: &Config) -> usize {
    store::super_journals(&state_directory(config)).len()
}

fn state_directory(config: &Config) -> PathBuf {
    config.root.join("sync_state")
}

/// How many databases are named to who asked for one that is not there.
const NAMED: usize = 5;

/// The chosen databases by name.
fn choose<'a>(config: &'a Config, options: &Options) -> Result<Vec<(&'a str, &'a DatabaseConfig)>> {
    for pattern in &options.databases {
        if !config.databases.keys().any(|name| glob(pattern, name)) {
            let names: Vec<&str> = config.databases.keys().map(String::as_str).take(NAMED).collect();
            let more = match config.databases.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more; `status` lists them"),
            };
            return Err(Error::new(ErrorKind::Usage, format!("no database is called {pattern}"))
                .hint(format!("databases are: {}{more}", names.join(", "))));
        }
    }
    let wanted = |name: &str| options.databases.is_empty() || options.databases.iter().any(|p| glob(p, name));
    Ok(config.databases.iter().filter(|(name, _)| wanted(name)).map(|(name, d)| (name.as_str(), d)).collect())
}

fn find_conflict(store: &Store, id: &str) -> Result<Option<store::StoredConflict>> {
    match selection::number(id) {
        Some(number) => store.conflict(number).map_err(state_failure),
        None => Ok(None),
    }
}

fn unknown_side(database: &str, side: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("{database} has no side {side}"))
        .hint("`status` lists the sides of each database")
}

fn unknown_conflict(id: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("there is no conflict {id}"))
        .hint("`conflicts` lists them with their ids")
}

/// Says who may, where an error says that this user may not.
fn for_whom(config: &Config, error: Error) -> Error {
    if error.kind() != ErrorKind::Access || error.hint_text().is_some() {
        return error;
    }
    let owner = &config.ownership;
    error.hint(format!(
        "run as {}, or as a user of the group {}, as `ownership` in the configuration says",
        owner.user, owner.group
    ))
}

/// Takes the run lock and opens the state. A dry run leaves nothing behind where nothing was, and has nothing to lock then.
///
/// No mode depends on the mask of the process: our own files are given theirs, and SQLite gives journals that of the database.
fn enter(config: &Config, mode: Mode) -> Result<(Store, Option<RunLock>)> {
    let directory = state_directory(config);
    durable::root_directory(&config.root)?;
    if mode == Mode::DryRun && !directory.join(store::FILE).is_file() {
        return Ok((Store::in_memory(&directory)?, None));
    }
    let allowed = |error| for_whom(config, error);
    match mode {
        Mode::DryRun => durable::usable(&directory, &config.ownership).map(|_| ()),
        Mode::Apply => durable::state_directory(&directory, &config.ownership),
    }
    .map_err(allowed)?;
    let lock = RunLock::take(&directory).map_err(allowed)?;
    match mode {
        Mode::DryRun => durable::withheld::refuse_look(&config.root, &config.ownership),
        Mode::Apply => durable::withheld::refuse_run(&config.root, &config.ownership),
    }?;
    Ok((Store::open(&directory).map_err(allowed)?, Some(lock)))
}

/// What is remembered of a run over one database.
fn outcome<'a>(name: &'a str, report: &'a DatabaseReport) -> store::Outcome<'a> {
    let held = match (report.state, &report.reason) {
        (State::Held, Some(reason)) => store::Held::Yes(reason),
        // Who has not looked at the rows does not know.
        _ if report.paused.is_some() => store::Held::No,
        _ => store::Held::Unknown,
    };
    store::Outcome {
        database: name,
        changed: changed_rows(report),
        held,
        paused: report.paused.as_ref(),
        looked: &report.looked,
        said: said(report),
    }
}

/// Does something to every chosen database under the run lock and puts it on record.
fn over(
    config: &Config,
    options: &Options,
    kind: &str,
    chosen: &[(&str, &DatabaseConfig)],
    tell: Listener<'_>,
    each: impl Fn(&Job<'_>, &str, &DatabaseConfig) -> Result<DatabaseReport>,
) -> Result<SyncReport> {
    let watch = clock::start();
    let at = clock::now();
    let (store, _lock) = enter(config, options.mode)?;
    let run = store.next_run().map_err(state_failure)?;
    let teller = Teller::new(chosen.len(), tell);
    let pace: &dyn Pace = &teller;
    let job = Job {
        config,
        pace,
        steps: &steps::Unwatched,
        store: &store,
        run,
        kind,
        at,
        mode: options.mode,
        force: options.force,
        verify: options.verify,
        resolution: None,
        undo: None,
    };
    let mut databases = BTreeMap::new();
    let mut fault = None;
    for (name, database) in chosen {
        match each(&job, name, database) {
            Ok(report) => {
                databases.insert((*name).to_owned(), report);
                if pace.is_stopped() {
                    fault = Some(interrupt::cancelled());
                    break;
                }
            }
            Err(error) => {
                fault = Some(error);
                break;
            }
        }
    }
    let conflicts = databases.values().map(|report| report.conflicts).sum();
    let ok = !databases.values().any(|report| matches!(report.state, State::Failed | State::Quarantined));
    let mut number = String::new();
    if options.mode == Mode::Apply {
        store.sweep_bases().map_err(state_failure)?;
        store.sweep_super_journals();
        if let Some(report) = databases.values_mut().find(|report| changed_rows(report)) {
            report.warnings.extend(archive::thin(&job));
        }
        // What was done before somebody stopped the run was done.
        let mut kept = false;
        for (name, report) in &databases {
            kept |= is_worth_keeping(&store, name, report)?;
        }
        let text = kept.then(|| serde_json::to_string(&databases).unwrap_or_default());
        let noted: Vec<store::Outcome<'_>> =
            databases.iter().map(|(name, report)| outcome(name, report)).collect();
        store
            .end_run(run, &clock::stamp(at), watch.millis(), text.as_deref(), &noted)
            .map_err(state_failure)?;
        if kept {
            number = run.to_string();
        }
    }
    match fault {
        Some(error) => Err(error),
        None => Ok(SyncReport {
            schema: SCHEMA,
            ok,
            run: number,
            duration_ms: watch.millis(),
            conflicts,
            databases,
            requests: None,
        }),
    }
}

/// Whether rows were written anywhere.
fn changed_rows(report: &DatabaseReport) -> bool {
    report.sides.values().any(|side| *side != SideReport::default())
}

/// What a run has to say of a database beside rows and conflicts; `None` where all is well.
fn said(report: &DatabaseReport) -> Option<String> {
    let is_well = matches!(report.state, State::Unchanged | State::Synced | State::Absent);
    let quiet = is_well && report.warnings.is_empty();
    let said = (report.state, &report.reason, &report.warnings);
    (!quiet).then(|| serde_json::to_string(&said).unwrap_or_default())
}

/// Whether a run did something that `history` should tell. What waits for a person is told once, not each minute;
/// `status` knows since when it waits.
fn is_worth_keeping(store: &Store, name: &str, report: &DatabaseReport) -> Result<bool> {
    if report.conflicts > 0 || changed_rows(report) {
        return Ok(true);
    }
    let said = said(report);
    Ok(said.is_some() && said != store.said(name).map_err(state_failure)?)
}
