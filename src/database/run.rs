//! One run over one database: look, observe, plan, apply, and again when something changed meanwhile.
//!
//! Apart from `mod`, which offers the operations, and from `plan` and `apply`, the two halves it joins. A side
//! that is busy, missing or broken drops out with a reason; the others go on without it.

use std::collections::{BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::clock;
use crate::config::{Config, DatabaseConfig};
use crate::error::{ErrorKind, Result};
use crate::interrupt;
use crate::report::{DatabaseReport, SideReport, State};

use super::apply::{self, Done, Outcome, Refusal};
use super::archive::{self, Target};
use super::changes::{self, Reading};
use super::create::{self, Absence};
use super::fit;
use super::open::{self, Fingerprint, Found};
use super::plan::{self, MergeKind, Plan, Side, Task};
use super::progress::{Pace, Phase};
use super::record::{self, Intent};
use super::resolution::Resolution;
use super::rest;
use super::returned;
use super::steps::{Step, Steps};
use super::store::{Seen, Store};
use super::undo::Undo;
use super::watch::{self, Look, Watch};
use super::{Fault, Force, Mode, Until, Verify, base, settle, sql_error, state_error};

/// How often a plan is made anew because a planned row changed before it was locked.
const ATTEMPTS: u32 = 4;
/// How many refused rows are set aside before the database is given up for this run.
const REFUSALS: usize = 50;

/// What one run asks of every database.
pub(crate) struct Job<'a> {
    /// The configuration.
    pub(crate) config: &'a Config,
    /// Who is told how far it is.
    pub(crate) pace: &'a dyn Pace,
    /// Who is at the boundaries between its steps.
    pub(crate) steps: &'a dyn Steps,
    /// The state.
    pub(crate) store: &'a Store,
    /// The run.
    pub(crate) run: i64,
    /// What was asked for.
    pub(crate) kind: &'a str,
    /// When it began.
    pub(crate) at: chrono::DateTime<chrono::Utc>,
    /// Whether anything is written.
    pub(crate) mode: Mode,
    /// Whether guards that wait for a person are overridden.
    pub(crate) force: Force,
    /// How often rows are compared beside pages.
    pub(crate) verify: Verify,
    /// A person's decision about one conflict.
    pub(crate) resolution: Option<&'a Resolution>,
    /// A run to take back.
    pub(crate) undo: Option<&'a Undo>,
}

impl Job<'_> {
    /// Puts the run on record, once it is clear that there is something to do.
    fn begin(&self) -> Result<(), Fault> {
        match self.mode {
            Mode::DryRun => Ok(()),
            Mode::Apply => {
                self.store.begin_run(self.run, &clock::stamp(self.at), self.kind).map_err(state_error)
            }
        }
    }
}

/// A side that takes part, before it is observed.
pub(crate) struct Seat {
    /// Its name.
    pub(crate) name: String,
    /// Its live database.
    pub(crate) live: Connection,
    /// The file before it was opened, where that is of use.
    pub(crate) fingerprint: Option<Fingerprint>,
}

/// What a run needs a side for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Nothing goes without it.
    Hub,
    /// The hub is to be made equal to it.
    Source,
    /// The others can go on without it.
    Spoke,
}

impl Part {
    pub(crate) fn of(job: &Job<'_>, side: &str, kind: MergeKind) -> Part {
        match kind {
            _ if side == job.config.hub => Part::Hub,
            MergeKind::Overwrite => Part::Source,
            MergeKind::ThreeWay => Part::Spoke,
        }
    }
}

/// Syncs one database.
pub(crate) fn sync(job: &Job<'_>, name: &str, database: &DatabaseConfig) -> Result<DatabaseReport> {
    let mut report = DatabaseReport::new(State::Synced, None);
    let ended = attempt(job, name, database, &mut report);
    conclude(job, database, ended, report)
}

/// Turns what went wrong with one database into its report.
fn conclude(
    job: &Job<'_>,
    database: &DatabaseConfig,
    ended: Result<(), Fault>,
    mut report: DatabaseReport,
) -> Result<DatabaseReport> {
    match ended {
        Ok(()) => {}
        // Whatever else it was taken for.
        Err(_) if job.pace.is_stopped() => return Err(interrupt::cancelled()),
        Err(Fault::Error(error)) => match error.kind() {
            ErrorKind::Usage | ErrorKind::Stale | ErrorKind::Locked | ErrorKind::Cancelled => {
                return Err(error);
            }
            _ => {
                report.state = State::Failed;
                let hint = error.hint_text().map(|hint| format!(" ({hint})")).unwrap_or_default();
                report.reason = Some(format!("{error}{hint}"));
            }
        },
        Err(Fault::Failed(reason)) => {
            report.state = State::Failed;
            report.reason = Some(reason);
        }
        Err(Fault::Table { name, reason }) => {
            report.state = State::Failed;
            report.reason = Some(format!("{name}: {reason}"));
        }
        Err(Fault::Side { name, state: State::Quarantined, reason, .. }) => {
            report.state = State::Quarantined;
            report.looked.insert(name, Some(reason));
        }
        Err(Fault::Side { name, state, reason, until }) => {
            report.state = state;
            report.reason = Some(reason);
            if until == Until::Mended {
                report.refused.insert(name);
            }
        }
    }
    tell_quarantined(job, database, &mut report);
    Ok(report)
}

/// Says which files are not touched, why, and what to do about it.
fn tell_quarantined(job: &Job<'_>, database: &DatabaseConfig, report: &mut DatabaseReport) {
    let mut told = Vec::new();
    for (side, looked) in &mut report.looked {
        let (Some(reason), Some(path)) = (looked, database.replicas.get(side)) else { continue };
        *reason = open::quarantine(path, reason);
        told.push(match *side == job.config.hub {
            true => format!("the hub {side} cannot be used: {reason}"),
            false => format!("{side}: {reason}"),
        });
    }
    match report.state {
        State::Quarantined => report.reason = Some(told.join("; ")),
        // Something else keeps the whole database from being merged.
        _ => report.warnings.extend(told),
    }
}

fn attempt(
    job: &Job<'_>,
    name: &str,
    database: &DatabaseConfig,
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    job.pace.next(name)?;
    refuse_shared_files(database)?;
    let intents = record::pending(job.store, name)?;
    job.steps.at(Step::Began, "");
    let favoured = job.store.favoured(name).map_err(state_error)?;
    let plain = intents.is_empty() && favoured.is_none() && job.resolution.is_none() && job.undo.is_none();
    let skips = plain && job.verify == Verify::Daily;
    if skips && unchanged(job, name, database)? {
        report.state = State::Unchanged;
        return Ok(());
    }
    job.begin()?;
    let interrupted = !intents.is_empty();
    // Before the hub is looked at: a lost one is made anew from its base, which must have all of what was merged.
    let intents = match job.mode {
        Mode::Apply => settle::finish(job, name, intents, report)?,
        Mode::DryRun => intents,
    };
    let wait = Duration::from_millis(job.config.guards.busy_timeout_ms);
    let mut ranked = database.ranked_sides(&job.config.hub);
    if let Some(favoured) = &favoured {
        ranked.sort_by_key(|side| side != favoured);
    }
    let mut seats = Vec::new();
    let mut absent = Vec::new();
    for side in &ranked {
        let Some(path) = database.replicas.get(side) else { continue };
        job.pace.at(name, Phase::Looking, Some(side))?;
        let fingerprint = open::fingerprint(path);
        let mut found = open::replica(path, wait, job.config);
        let part = Part::of(job, side, MergeKind::ThreeWay);
        let is_hub = part == Part::Hub;
        if is_hub
            && matches!(found, Found::Missing)
            && let Some(reason) = elsewhere(job, name, side, path)?
        {
            found = Found::Refused(reason);
        }
        if is_hub && matches!(found, Found::Missing | Found::Empty) {
            if job.mode == Mode::DryRun {
                create::origin(job, name, database, &ranked)?;
                let (is, does) = match found {
                    Found::Empty => ("has no bytes yet", "fills"),
                    _ => ("is not there yet", "creates"),
                };
                let reason = format!("the hub {side} {is} ({}); a real run {does} it first", path.display());
                let (name, until) = (side.clone(), Until::NextRun);
                return Err(Fault::Side { name, state: State::Skipped, reason, until });
            }
            create::hub(job, name, database, &ranked, &found, report)?;
            found = open::replica(path, wait, job.config);
        }
        match found {
            Found::Replica(replica) => {
                seats.push(Seat { name: side.clone(), live: replica.connection, fingerprint });
            }
            Found::Missing => match elsewhere(job, name, side, path)? {
                Some(reason) => drop_side(side, MENDED, reason, part, report)?,
                None => absent.push((side.clone(), Absence::Missing)),
            },
            Found::Empty => absent.push((side.clone(), Absence::Empty)),
            Found::Quarantined(reason) => drop_side(side, QUARANTINED, reason, part, report)?,
            Found::Skipped(reason) => drop_side(side, SKIPPED, reason, part, report)?,
            Found::Refused(reason) => drop_side(side, MENDED, reason, part, report)?,
        }
    }
    report.looked.extend(absent.iter().map(|(side, _)| (side.clone(), None)));
    if job.mode == Mode::Apply {
        settle::settle(job, name, intents, &mut seats, report)?;
        if let Some(resolution) = job.resolution.filter(|_| interrupted) {
            resolution.refuse_decided(job.store)?;
        }
        for (side, _) in &absent {
            // What a lost file was can no longer be told from what its owner puts in its place.
            job.store.forget_replica(name, side).map_err(state_error)?;
        }
    } else if !intents.is_empty() {
        report
            .warnings
            .push("an interrupted run is to be finished first; the plan may look different then".into());
    }
    merge(job, name, database, seats, MergeKind::ThreeWay, report)?;
    if favoured.is_some() && job.mode == Mode::Apply && all_merged(job, name, database)? {
        job.store.set_favoured(name, None).map_err(state_error)?;
        job.store.set_unguarded(name, false).map_err(state_error)?;
    }
    if job.mode == Mode::Apply {
        for (side, absence) in absent {
            match create::spoke(job, name, database, &side, absence, report) {
                Ok(()) if report.state == State::Unchanged => report.state = State::Synced,
                Ok(()) => {}
                Err(Fault::Error(error)) if error.kind() == ErrorKind::Cancelled => {
                    // What was merged stays merged, and on record.
                    report.warnings.push(format!("{side} was not created: the run was stopped"));
                }
                Err(fault) => {
                    if fault.until() == Until::Mended {
                        report.refused.insert(side.clone());
                    }
                    report.warnings.push(format!("{side} was not created: {fault}"));
                }
            }
        }
    } else {
        report.warnings.extend(absent.into_iter().map(|(side, absence)| match absence {
            Absence::Missing => format!("{side} would be created"),
            Absence::Empty => format!("{side} would be filled"),
        }));
    }
    Ok(())
}

/// Whether a missing file's directory lies on another device than it did: then a mount is missing, not the file.
fn elsewhere(job: &Job<'_>, name: &str, side: &str, path: &Path) -> Result<Option<String>, Fault> {
    let then = job.store.replica(name, side).map_err(state_error)?.and_then(|state| state.seen);
    Ok(then.and_then(|then| open::elsewhere(path, then.device)))
}

/// Whether every side has taken part in the last merge.
fn all_merged(job: &Job<'_>, name: &str, database: &DatabaseConfig) -> Result<bool, Fault> {
    let mut epochs = Vec::new();
    for side in database.replicas.keys() {
        epochs.push(job.store.replica(name, side).map_err(state_error)?.map(|state| state.epoch));
    }
    Ok(epochs.iter().all(|epoch| epoch.is_some() && Some(epoch) == epochs.first()))
}

/// Makes the hub equal to one side.
pub(crate) fn sync_from(
    job: &Job<'_>,
    name: &str,
    database: &DatabaseConfig,
    side: &str,
) -> Result<DatabaseReport> {
    let mut report = DatabaseReport::new(State::Synced, None);
    let ended = overwrite(job, name, database, side, &mut report);
    conclude(job, database, ended, report)
}

fn overwrite(
    job: &Job<'_>,
    name: &str,
    database: &DatabaseConfig,
    side: &str,
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    job.pace.next(name)?;
    refuse_shared_files(database)?;
    job.begin()?;
    let wait = Duration::from_millis(job.config.guards.busy_timeout_ms);
    let mut seats = Vec::new();
    for own in database.ranked_sides(&job.config.hub) {
        let Some(path) = database.replicas.get(&own).filter(|_| own == job.config.hub || own == side) else {
            continue;
        };
        match open::replica(path, wait, job.config) {
            Found::Replica(replica) => {
                seats.push(Seat { name: own, live: replica.connection, fingerprint: None });
            }
            Found::Missing | Found::Empty => {
                return Err(Fault::Failed(format!("{own} has no database at {}", path.display())));
            }
            Found::Quarantined(reason) => {
                drop_side(&own, QUARANTINED, reason, Part::of(job, &own, MergeKind::Overwrite), report)?;
            }
            Found::Skipped(reason) => {
                drop_side(&own, SKIPPED, reason, Part::of(job, &own, MergeKind::Overwrite), report)?;
            }
            Found::Refused(reason) => {
                drop_side(&own, MENDED, reason, Part::of(job, &own, MergeKind::Overwrite), report)?;
            }
        }
    }
    if job.mode == Mode::Apply {
        let intents = settle::finish(job, name, record::pending(job.store, name)?, report)?;
        settle::settle(job, name, intents, &mut seats, report)?;
    }
    merge(job, name, database, seats, MergeKind::Overwrite, report)?;
    if job.mode == Mode::Apply {
        job.store.set_favoured(name, Some(&job.config.hub)).map_err(state_error)?;
    }
    Ok(())
}

/// What becomes of a side that is left out, and what it waits for.
const SKIPPED: (State, Until) = (State::Skipped, Until::NextRun);
const MENDED: (State, Until) = (State::Skipped, Until::Mended);
const QUARANTINED: (State, Until) = (State::Quarantined, Until::Mended);

/// Goes on without a side, unless it cannot be spared.
pub(crate) fn drop_side(
    side: &str,
    (state, until): (State, Until),
    reason: String,
    part: Part,
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    // A side that was not waited for, as somebody said that it stops, is none the worse for it.
    interrupt::check()?;
    let name = side.to_owned();
    match (part, state) {
        (Part::Spoke, State::Quarantined) => {
            report.state = State::Quarantined;
            report.looked.insert(name, Some(reason));
        }
        (Part::Spoke, _) => {
            report.warnings.push(format!("{side} was skipped: {reason}"));
            if until == Until::Mended {
                report.refused.insert(name);
            }
        }
        (Part::Hub | Part::Source, State::Quarantined) => {
            return Err(Fault::Side { name, state, reason, until });
        }
        (Part::Hub, _) => {
            let reason = format!("the hub {side} cannot be used: {reason}");
            return Err(Fault::Side { name, state, reason, until });
        }
        (Part::Source, _) => {
            let reason = format!("{side} cannot be used: {reason}");
            return Err(Fault::Side { name, state, reason, until });
        }
    }
    Ok(())
}

/// Two sides that are one file cannot be synced; nor can a file with more names than one.
fn refuse_shared_files(database: &DatabaseConfig) -> Result<(), Fault> {
    let mut seen: HashMap<(u64, u64), &str> = HashMap::new();
    for (side, path) in &database.replicas {
        let Ok(file) = std::fs::metadata(path) else { continue };
        if let Some(other) = seen.insert((file.dev(), file.ino()), side) {
            return Err(Fault::Failed(format!(
                "{other} and {side} are the same file ({}); give each side a file of its own",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Whether every file is as the last run left it.
fn unchanged(job: &Job<'_>, name: &str, database: &DatabaseConfig) -> Result<bool, Fault> {
    let mut epoch = None;
    for (side, path) in &database.replicas {
        let Some(state) = job.store.replica(name, side).map_err(state_error)? else { return Ok(false) };
        // A side that missed a merge has something to get, however quiet it is.
        if *epoch.get_or_insert(state.epoch) != state.epoch {
            return Ok(false);
        }
        // Also a file that was never touched is compared row by row from time to time: what was taken for unchanged may not be.
        if changes::is_due(state.compared, job.at.timestamp()) {
            return Ok(false);
        }
        let (Some(stored), Some(now)) = (state.fingerprint, open::fingerprint(path)) else {
            return Ok(false);
        };
        // The mode of a directory is in no fingerprint, and decides as well who can use what a run would leave there.
        if stored != marked(&now, database) || !open::is_writable(path) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A fingerprint that also changes when the rules do.
fn marked(fingerprint: &Fingerprint, database: &DatabaseConfig) -> String {
    use sha2::{Digest, Sha256};
    let rules = Sha256::digest(format!("{database:?}").as_bytes());
    let rules: String = rules.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}{rules}", fingerprint.text)
}

/// Observes, plans and applies, again while planned rows change under us.
fn merge(
    job: &Job<'_>,
    name: &str,
    database: &DatabaseConfig,
    mut seats: Vec<Seat>,
    kind: MergeKind,
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    let mut refused: Vec<Refusal> = Vec::new();
    let mut paused: Vec<(String, String)> = Vec::new();
    let mut sound = BTreeSet::new();
    let mut copied = HashMap::new();
    let mut attempts = 0;
    let at = clock::stamp(job.at);
    let reading = Reading::new(job, name, database.replicas.keys())?;
    loop {
        let Watch { sides, looks } = watch::observe(job, name, database, seats, kind, report)?;
        for (table, reason) in looks.iter().flat_map(|look| &look.waiting) {
            if !is_paused(&paused, table) {
                paused.push((table.clone(), reason.clone()));
            }
        }
        let hub = sides.iter().position(|side| side.name == job.config.hub);
        let Some(hub) = hub else { return Err(Fault::Failed("the hub cannot be used now".into())) };
        let versions: Vec<i64> = looks.iter().map(|look| look.version).collect();
        let mut misfit = None;
        let mut believed = BTreeSet::new();
        let planned = plan::plan(&Task {
            config: job.config,
            name,
            database,
            sides: &sides,
            hub,
            store: job.store,
            run: job.run,
            pace: job.pace,
            now: job.at.timestamp(),
            at: &at,
            resolution: job.resolution,
            undo: job.undo,
            refused: &refused,
            paused: &paused,
            kind,
            reading: &reading,
        });
        // In the transactions that it was made in.
        let planned = planned.and_then(|plan| {
            misfit = fit::misfit(&plan, &sides, &reading)?;
            if misfit.is_none() && job.mode == Mode::Apply && kind == MergeKind::ThreeWay {
                believed = reading.believed(&sides, &plan)?;
            }
            Ok(plan)
        });
        if let Some((side, table)) = &misfit {
            reading.distrust(side, table);
        }
        report.warnings.extend(reading.told(job, name));
        if job.mode == Mode::Apply {
            reading.note_misread(job, name)?;
        }
        for side in &sides {
            // Ends the read transaction, in which nothing was written; where it ended by itself this fails.
            let _ = side.live.execute_batch("ROLLBACK");
        }
        job.steps.at(Step::Planned, "");
        if misfit.is_some() {
            seats = sides.into_iter().map(Seat::again).collect();
            continue;
        }
        // Before anything is remembered of it, or said to wait for a person.
        let planned = planned.and_then(|plan| {
            if job.mode == Mode::Apply {
                watch::refuse_damage(&sides, &plan, &reading, &believed, &mut sound)?;
            }
            Ok(plan)
        });
        let mut plan = match planned {
            Ok(plan) => plan,
            // What we remember may be damaged instead of what it is about; not a copy that was made just now, which is as its
            // file is.
            Err(Fault::Side { name: side, state: State::Quarantined, .. })
                if kind == MergeKind::ThreeWay
                    && sides.iter().any(|own| {
                        own.name == side && own.known && base::is_damaged(&own.base.connection)
                    }) =>
            {
                base::forget(job, name, &side, report)?;
                seats = sides.into_iter().map(Seat::again).collect();
                continue;
            }
            Err(Fault::Side { name: side, state, reason, until }) => {
                drop_side(&side, (state, until), reason, Part::of(job, &side, kind), report)?;
                seats = sides.into_iter().filter(|own| own.name != side).map(Seat::again).collect();
                continue;
            }
            Err(Fault::Table { name: table, reason }) if !is_paused(&paused, &table) => {
                refused.retain(|refusal| refusal.table != table);
                paused.push((table, reason));
                seats = sides.into_iter().map(Seat::again).collect();
                continue;
            }
            Err(fault) => return Err(fault),
        };
        if job.mode == Mode::Apply {
            reading.note(job, name, &sides)?;
        }
        if job.mode == Mode::Apply && kind == MergeKind::ThreeWay {
            returned::note(job, name, &sides, &plan.shape.dropped)?;
        }
        if let (Some(reason), None, false) = (&plan.held, job.undo, passes_guards(job, name)?) {
            let (name, reason, until) = (job.config.hub.clone(), reason.clone(), Until::NextRun);
            return Err(Fault::Side { name, state: State::Held, reason, until });
        }
        if job.mode == Mode::DryRun {
            if is_quiet(&plan, &sides) && report.state == State::Synced && report.warnings.is_empty() {
                report.state = State::Unchanged;
            }
            for found in plan.intents.get(hub).iter().flat_map(|intent| &intent.conflicts) {
                let known = job.store.waits_already(&found.spelled()).map_err(state_error)?;
                report.conflicts += usize::from(!known);
            }
            book(&plan, &sides, None, report);
            return Ok(());
        }
        if is_quiet(&plan, &sides) {
            if report.state == State::Synced && report.warnings.is_empty() {
                report.state = State::Unchanged;
            }
            book(&plan, &sides, None, report);
            return remember(job, name, database, &sides, &looks, None);
        }
        job.pace.at(name, Phase::Writing, None)?;
        attempts += 1;
        let written = sides.iter().zip(&looks).zip(&plan.intents);
        let written = written
            .filter(|(_, intent)| intent.writes_anything())
            .map(|((side, look), _)| Target { side: &side.name, live: &side.live, version: look.version });
        let overridden = plan.held.is_some() || looks.iter().any(|look| look.overridden);
        // After it was observed, so that the copy has every row that the plan takes away.
        let mut bare = Vec::new();
        let secured = match (job.undo, kind, overridden) {
            (None, MergeKind::ThreeWay, false) => {
                archive::secure(job, name, written).map(|without| bare = without)
            }
            _ => archive::secure_for_certain(job, name, written, &mut copied, report),
        };
        job.steps.at(Step::Secured, "");
        let applied = secured.and_then(|()| apply::apply(job, &mut plan, &sides, hub, &versions));
        let outcome = match applied {
            Err(Fault::Side { name: side, state, reason, until }) if side != job.config.hub => {
                drop_side(&side, (state, until), reason, Part::of(job, &side, kind), report)?;
                seats = sides.into_iter().filter(|own| own.name != side).map(Seat::again).collect();
                continue;
            }
            applied => applied?,
        };
        match outcome {
            Outcome::Done(done) => {
                report.conflicts += done.new_conflicts;
                book(&plan, &sides, Some(&done), report);
                let locked = sides.iter().zip(&done.lock_ms).filter(|(_, held)| held.is_some());
                let written: Vec<&str> = locked.map(|(side, _)| side.name.as_str()).collect();
                archive::tell_bare(bare, |side| written.contains(&side), report);
                report.warnings.extend(done.notes.iter().cloned());
                warn_of_long_locks(report, job.config.guards.max_lock_ms);
                return remember(job, name, database, &sides, &looks, Some(&done));
            }
            Outcome::Changed if attempts < ATTEMPTS => {}
            Outcome::Changed => {
                let reason = "rows kept changing while they were merged; the next run tries again".to_owned();
                let (name, until) = (job.config.hub.clone(), Until::NextRun);
                return Err(Fault::Side { name, state: State::Skipped, reason, until });
            }
            Outcome::Refused(refusal) => {
                let before = refused.iter().filter(|known| known.table == refusal.table).count();
                if refusal.write.is_some() && before < REFUSALS {
                    refused.push(refusal);
                } else if is_paused(&paused, &refusal.table) {
                    return Err(Fault::Failed(format!("{}: {}", refusal.table, refusal.message)));
                } else {
                    // One row after the other, or no row at all: the table waits, the others need not.
                    refused.retain(|known| known.table != refusal.table);
                    let reason = format!("a side does not take what was merged: {}", refusal.message);
                    paused.push((refusal.table, reason));
                }
            }
        }
        seats = sides.into_iter().map(Seat::again).collect();
    }
}

/// Whether what would be held goes on: a person has said so, or has restored a backup.
pub(crate) fn passes_guards(job: &Job<'_>, name: &str) -> Result<bool, Fault> {
    Ok(job.force == Force::Yes || job.store.unguarded(name).map_err(state_error)?)
}

fn is_paused(paused: &[(String, String)], table: &str) -> bool {
    paused.iter().any(|(name, _)| name.eq_ignore_ascii_case(table))
}

impl Seat {
    fn again(side: Side) -> Seat {
        Seat { name: side.name, live: side.live, fingerprint: None }
    }
}

/// Whether there is nothing to do and nothing to record.
fn is_quiet(plan: &Plan, sides: &[Side]) -> bool {
    let idle = |intent: &Intent| {
        intent.observed.is_empty()
            && intent.base_statements.is_empty()
            && intent.remembered.is_none()
            && !intent.writes_anything()
    };
    let epoch = sides.first().map(|side| side.epoch);
    plan.intents.iter().all(idle) && sides.iter().all(|side| side.known && Some(side.epoch) == epoch)
}

/// Books a plan into the report.
fn book(plan: &Plan, sides: &[Side], done: Option<&Done>, report: &mut DatabaseReport) {
    report.warnings.extend(plan.warnings.iter().cloned());
    report.paused = Some(plan.shape.paused.iter().cloned().collect());
    report.looked.extend(sides.iter().map(|side| (side.name.clone(), None)));
    for (index, (side, counts)) in sides.iter().zip(&plan.counts).enumerate() {
        let unwritten = done.and_then(|done| done.unwritten.iter().find(|(side, _)| *side == index));
        if let Some((_, fault)) = unwritten {
            if fault.until() == Until::Mended {
                report.refused.insert(side.name.clone());
            }
            let text = format!("{} was skipped: {fault}; it catches up in the next run", side.name);
            report.warnings.push(text);
            report.sides.insert(side.name.clone(), SideReport::default());
            continue;
        }
        let lock_ms = done.and_then(|done| done.lock_ms.get(index).copied().flatten()).unwrap_or(0);
        let counts = SideReport {
            inserted: counts.inserted,
            updated: counts.updated,
            deleted: counts.deleted,
            rekeyed: counts.rekeyed,
            lock_ms,
        };
        report.sides.insert(side.name.clone(), counts);
    }
}

/// Says which sides were locked for longer than is meant to be.
fn warn_of_long_locks(report: &mut DatabaseReport, limit: u64) {
    for (side, counts) in &report.sides {
        if counts.lock_ms > limit {
            let text =
                format!("{side} was locked for {} ms, more than max_lock_ms ({limit})", counts.lock_ms);
            report.warnings.push(text);
        }
    }
}

/// Notes what the files of quiet sides look like, so that the next run need not open them.
fn remember(
    job: &Job<'_>,
    name: &str,
    database: &DatabaseConfig,
    sides: &[Side],
    looks: &[Look],
    done: Option<&Done>,
) -> Result<(), Fault> {
    for (index, (side, look)) in sides.iter().zip(looks).enumerate() {
        let device = database.replicas.get(&side.name).and_then(|path| open::device(path));
        let behind = done.is_some_and(|done| done.unwritten.iter().any(|(side, _)| *side == index));
        let committed =
            !behind && done.is_some_and(|done| done.lock_ms.get(index).copied().flatten().is_some());
        let written = behind || committed;
        // Our own commit has moved the counter by one, but for a WAL, which moves it some time later.
        let step = u32::from(committed && !open::is_wal(&side.live).map_err(|e| sql_error(e, &side.name))?);
        let counter = look.counter.map(|counter| counter.saturating_add(step));
        let path = database.replicas.get(&side.name);
        let file = look.file.clone().or_else(|| path.and_then(|path| open::file_of(path)));
        let seen = counter.zip(device).map(|(counter, device)| Seen { counter, device, file });
        job.store.set_seen(name, &side.name, seen).map_err(state_error)?;
        let left = database.replicas.get(&side.name).filter(|_| !behind);
        let left = left.and_then(|path| rest::left_as(&side.live, look.version, path));
        job.store.set_left(name, &side.name, left.as_deref()).map_err(state_error)?;
        job.steps.at(Step::Remembered, &side.name);
        let Some(fingerprint) = &look.fingerprint else { continue };
        // A file that changed in this very moment may change again without looking different.
        if written || fingerprint.changed_at >= job.at.timestamp() - open::RACY_SECONDS {
            continue;
        }
        let text = marked(fingerprint, database);
        job.store.set_fingerprint(name, &side.name, Some(&text)).map_err(state_error)?;
    }
    Ok(())
}
