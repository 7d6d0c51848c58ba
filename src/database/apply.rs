//! Carrying out a plan: lock, verify, declare, write, commit, record.
//!
//! Fault model: this process may be killed between any two instructions, the disk may fill up, other processes
//! read and write all replicas all the time. Kept at every point: **a row is written only while it still is what
//! it was planned from, and what was written can be told afterwards** (see `record` for the second half).
//!
//! Locks are taken in one order, the hub first, each attempt at most [`ATTEMPT_MS`]; whoever waits longer gives
//! all of them back first, so owners wait for milliseconds only. Apart from `plan`, which never holds a lock.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use crate::clock::{self, Stopwatch};
use crate::interrupt;
use crate::report::State;

use super::model::{SideIndex, Write};
use super::observe::Source;
use super::plan::{Plan, Side};
use super::record::{self, Intent, Role, Statement, Written};
use super::run::Job;
use super::steps::Step;
#[cfg(test)]
use super::steps::{self, Mutant};
use super::write::{self, Refused, Updates};
use super::{Fault, Until, accompany, log, native, open, sql_error, virtual_table};
use super::{references, schema};

/// How long one attempt at a lock may wait, in milliseconds: longer, and a second owner would queue behind us.
const ATTEMPT_MS: u64 = 20;
/// How often a COMMIT is tried while readers hold it up; new readers are kept out meanwhile.
const COMMIT_ATTEMPTS: u32 = 10;

/// How carrying out went.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Done.
    Done(Done),
    /// A planned row changed meanwhile: look again.
    Changed,
    /// A side's schema does not take a row.
    Refused(Refusal),
}

/// A row that a side's schema does not take.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// Table name.
    pub(crate) table: String,
    /// The write; `None` when it was not one row.
    pub(crate) write: Option<Write>,
    /// SQLite's words.
    pub(crate) message: String,
    /// Whether a UNIQUE key refused it.
    pub(crate) unique: bool,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Conflicts that were not on record yet.
    pub(crate) new_conflicts: usize,
    /// How long each side was locked, in milliseconds; `None` when it was not written.
    pub(crate) lock_ms: Vec<Option<u64>>,
    /// Sides that could not be written, with the reason.
    pub(crate) unwritten: Vec<(SideIndex, Fault)>,
    /// What people should know.
    pub(crate) notes: Vec<String>,
}

/// A side under lock.
struct Locked {
    side: SideIndex,
    since: Stopwatch,
}

/// Carries out a plan. `versions` are the data versions the plan was made from.
pub(crate) fn apply(
    job: &Job<'_>,
    plan: &mut Plan,
    sides: &[Side],
    hub: SideIndex,
    versions: &[i64],
) -> Result<Outcome, Fault> {
    let (store, steps) = (job.store, job.steps);
    let database = plan.intents.first().map(|intent| intent.database.clone()).unwrap_or_default();
    let mut done = Done { lock_ms: vec![None; sides.len()], ..Done::default() };
    let writing: BTreeSet<SideIndex> =
        plan.intents.iter().enumerate().filter(|(_, i)| i.writes_anything()).map(|(side, _)| side).collect();
    let mut order: Vec<SideIndex> = writing.iter().copied().collect();
    order.sort_by_key(|side| (*side != hub, sides.get(*side).map(|side| side.name.clone())));
    let locked = match lock_all(job, sides, hub, order, &mut done)? {
        Some(locked) => locked,
        None => return Err(busy(sides, hub, "stayed busy")),
    };
    // Nobody is asked while owners wait, nor before what was written is on record.
    let _quiet = interrupt::quiet();
    let guard = Rollback { sides, locked: locked.iter().map(|locked| locked.side).collect() };

    for locked in &locked {
        let Some(side) = sides.get(locked.side) else { continue };
        if native::has_moved(&side.live) || !verified(plan, sides, locked.side, versions)? {
            return Ok(Outcome::Changed);
        }
    }
    steps.at(Step::Verified, "");
    for locked in &locked {
        let (Some(side), Some(intent)) = (sides.get(locked.side), plan.intents.get_mut(locked.side)) else {
            continue;
        };
        let _owner = open::as_owner(&side.live);
        intent.counter = native::change_counter(&side.live);
        intent.log = log::position(&side.live);
        let fail = |cause| sql_error(cause, &side.name);
        if let Some(refusal) = write_side(&side.live, intent).map_err(fail)? {
            // What an owner wrote meanwhile may be in the way; the next look sees it.
            let quiet = versions.get(locked.side) == Some(&data_version(&side.live).map_err(fail)?);
            return Ok(if quiet { Outcome::Refused(refusal) } else { Outcome::Changed });
        }
        done.notes.extend(accompany::write(&side.live, intent).map_err(fail)?);
        steps.at(Step::Written, &side.name);
    }
    if !writing.is_empty() {
        let intents: Vec<&Intent> = plan.intents.iter().collect();
        record::declare(store, job.run, &intents)?;
        steps.at(Step::Declared, "");
    }

    let mut guard = guard;
    if let Some(first) = locked.iter().find(|locked| locked.side == hub) {
        match commit(sides, first.side) {
            Committed::Yes => {}
            Committed::No(cause) => {
                drop(guard);
                record::withdraw(store, &database)?;
                return Err(cause);
            }
            // The intents stay: the next run asks the file.
            Committed::Perhaps(cause) => return Err(cause),
        }
        guard.released(hub);
        set_lock_time(&mut done, first);
        steps.at(Step::Committed, &job.config.hub);
    }
    let Some(of_hub) = plan.intents.get(hub) else { return Ok(Outcome::Done(done)) };
    if !writing.is_empty() {
        record::decide(store, of_hub)?;
        steps.at(Step::Decided, "");
    }
    let unlocked: BTreeSet<SideIndex> = done.unwritten.iter().map(|(side, _)| *side).collect();
    let mut spokes: Vec<(&Intent, Written)> = Vec::new();
    for (index, intent) in plan.intents.iter().enumerate().filter(|(index, _)| *index != hub) {
        let mut written = if unlocked.contains(&index) { Written::No } else { Written::Yes };
        if let Some(own) = locked.iter().find(|locked| locked.side == index) {
            let outcome = commit(sides, index);
            guard.released(index);
            match outcome {
                Committed::Yes => {
                    set_lock_time(&mut done, own);
                    steps.at(Step::Committed, &intent.side);
                }
                Committed::No(cause) => {
                    written = Written::No;
                    done.unwritten.push((index, cause));
                    roll_back(sides, index);
                }
                Committed::Perhaps(cause) => {
                    done.unwritten.push((index, cause));
                    roll_back(sides, index);
                    // Its intent stays: the next run asks the file.
                    continue;
                }
            }
        }
        spokes.push((intent, written));
    }
    // Nobody waits for us any more; from here on it takes as long as it takes.
    if !writing.is_empty() {
        record::note(store, &spokes)?;
        steps.at(Step::Noted, "");
    }
    done.new_conflicts = record::record(store, of_hub, Written::Yes, Role::Hub)?;
    steps.at(Step::Recorded, &of_hub.side);
    for (intent, written) in spokes {
        record::record(store, intent, written, Role::Spoke)?;
        steps.at(Step::Recorded, &intent.side);
    }
    Ok(Outcome::Done(done))
}

fn busy(sides: &[Side], side: SideIndex, what: &str) -> Fault {
    let name = sides.get(side).map(|side| side.name.clone()).unwrap_or_default();
    let reason = format!("{name} {what}");
    Fault::Side { name, state: State::Skipped, reason, until: Until::NextRun }
}

fn set_lock_time(done: &mut Done, locked: &Locked) {
    if let Some(slot) = done.lock_ms.get_mut(locked.side) {
        *slot = Some(locked.since.millis());
    }
}

/// Rolls back whatever is still locked when a step fails.
struct Rollback<'a> {
    sides: &'a [Side],
    locked: BTreeSet<SideIndex>,
}

impl Rollback<'_> {
    fn released(&mut self, side: SideIndex) {
        self.locked.remove(&side);
    }
}

impl Drop for Rollback<'_> {
    fn drop(&mut self) {
        for side in &self.locked {
            roll_back(self.sides, *side);
        }
    }
}

fn roll_back(sides: &[Side], side: SideIndex) {
    if let Some(side) = sides.get(side)
        && !side.live.is_autocommit()
    {
        let _owner = open::as_owner(&side.live);
        // A failed ROLLBACK leaves nothing to do: closing the connection does the same.
        let _ = side.live.execute_batch("ROLLBACK");
    }
}

/// Locks all sides that are written, or gives the reason for each that cannot be. `None`: the hub cannot be.
fn lock_all(
    job: &Job<'_>,
    sides: &[Side],
    hub: SideIndex,
    mut order: Vec<SideIndex>,
    done: &mut Done,
) -> Result<Option<Vec<Locked>>, Fault> {
    let start = clock::start();
    let mut pause = 1;
    loop {
        interrupt::check()?;
        let _quiet = interrupt::quiet();
        let mut locked: Vec<Locked> = Vec::new();
        let mut stuck = None;
        for index in &order {
            let Some(side) = sides.get(*index) else { continue };
            let _ = side.live.busy_timeout(Duration::from_millis(ATTEMPT_MS));
            let since = clock::start();
            let _owner = open::as_owner(&side.live);
            match side.live.execute_batch("BEGIN IMMEDIATE") {
                Ok(()) => {
                    locked.push(Locked { side: *index, since });
                    job.steps.at(Step::Locked, &side.name);
                }
                Err(cause) if is_busy(&cause) => {
                    stuck = Some(*index);
                    break;
                }
                Err(cause) => {
                    drop(Rollback { sides, locked: locked.iter().map(|locked| locked.side).collect() });
                    return Err(sql_error(cause, &side.name));
                }
            }
        }
        let Some(index) = stuck else { return Ok(Some(locked)) };
        drop(Rollback { sides, locked: locked.iter().map(|locked| locked.side).collect() });
        if start.millis() < job.config.guards.busy_timeout_ms {
            clock::pause(pause);
            pause = (pause * 2).min(50);
            continue;
        }
        if index == hub {
            return Ok(None);
        }
        done.unwritten.push((index, busy(sides, index, "stayed busy")));
        order.retain(|side| *side != index);
    }
}

fn is_busy(cause: &rusqlite::Error) -> bool {
    matches!(cause.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether a locked side still is what was planned from.
fn verified(plan: &Plan, sides: &[Side], index: SideIndex, versions: &[i64]) -> Result<bool, Fault> {
    let (Some(side), Some(intent)) = (sides.get(index), plan.intents.get(index)) else { return Ok(false) };
    #[cfg(test)]
    if steps::is_planted(Mutant::NoGuard) {
        return Ok(true);
    }
    let check = || -> rusqlite::Result<bool> {
        if versions.get(index) == Some(&data_version(&side.live)?) {
            return Ok(true);
        }
        let schema = schema::read(&side.live, "main")?;
        for table in &plan.shape.tables {
            let now = schema.table(&table.rules.name);
            if now != side.schema.table(&table.rules.name) {
                return Ok(false);
            }
            let source = Source { connection: &side.live, table: now, cells: None };
            let writes = intent.writes.iter().find(|writes| writes.table == table.rules.name);
            if let Some(writes) = writes
                && !write::verify(table, source, &writes.writes)?
            {
                return Ok(false);
            }
        }
        references::hold(plan, side, intent)
    };
    check().map_err(|e| sql_error(e, &side.name))
}

/// A number that changes when another connection commits.
pub(crate) fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0))
}

/// Writes one side inside its transaction. Gives the row that the schema refuses, if it does.
fn write_side(live: &Connection, intent: &Intent) -> rusqlite::Result<Option<Refusal>> {
    let (indexes, others): (Vec<&Statement>, Vec<&Statement>) =
        intent.statements.iter().partition(|statement| record::is_index(&statement.sql));
    for statement in others {
        // One statement each: what else stands in an owner's schema is not run.
        if let Err(cause) = live.execute(&statement.sql, []) {
            return refusal(cause, &statement.table, None);
        }
    }
    let schema = schema::read(live, "main")?;
    for table in &intent.writes {
        let Some(have) = schema.table(&table.table) else { continue };
        if let Err(refused) = write_table(live, have, table)? {
            return refusal(refused.cause, &table.table, refused.write);
        }
    }
    // A UNIQUE index may only be possible with the rows as they are now.
    for statement in indexes {
        if let Err(cause) = live.execute(&statement.sql, []) {
            return refusal(cause, &statement.table, None);
        }
    }
    for (table, last) in &intent.raised {
        if schema.table(table).is_some_and(|have| have.autoincrement) {
            write::raise_sequence(live, table, *last)?;
        }
    }
    Ok(None)
}

/// Writes one table: in place, and where that runs into a UNIQUE key that is not over plain columns, by taking all old
/// rows out first. A row that breaks a CHECK already can only be changed in place, so that is tried first.
fn write_table(
    live: &Connection,
    have: &schema::Table,
    table: &record::TableWrites,
) -> rusqlite::Result<Result<(), Refused>> {
    let write = |updates| write::apply(live, "main", have, &table.columns, &table.writes, updates);
    live.execute_batch("SAVEPOINT cr0sync_table")?;
    let mut outcome = write(Updates::InPlace);
    if let Err(first) = &outcome
        && is_unique(&first.cause)
    {
        live.execute_batch("ROLLBACK TO cr0sync_table")?;
        if write(Updates::Replace).is_ok() {
            outcome = Ok(());
        }
    }
    match outcome {
        // A disk that is full, and other trouble of that kind, ends the whole transaction, savepoint and all.
        Err(refused) if live.is_autocommit() => Err(refused.cause),
        outcome => {
            live.execute_batch("RELEASE cr0sync_table")?;
            Ok(outcome)
        }
    }
}

fn is_unique(cause: &rusqlite::Error) -> bool {
    cause.sqlite_error().is_some_and(|error| {
        matches!(
            error.extended_code,
            rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
                | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                | rusqlite::ffi::SQLITE_CONSTRAINT_ROWID
        )
    })
}

fn refusal(cause: rusqlite::Error, table: &str, write: Option<Write>) -> rusqlite::Result<Option<Refusal>> {
    if !is_refusal(&cause) {
        return Err(cause);
    }
    let unique = is_unique(&cause);
    // A damaged index of a virtual table refuses any row, not this one.
    let write = write.filter(|_| !virtual_table::is_damaged(&cause));
    Ok(Some(Refusal { table: table.to_owned(), write, message: cause.to_string(), unique }))
}

/// Whether SQLite does not take what it was given, as opposed to not working at all.
pub(crate) fn is_refusal(cause: &rusqlite::Error) -> bool {
    matches!(
        cause.sqlite_error_code(),
        Some(
            ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::Unknown | ErrorCode::TooBig
        )
    ) || matches!(cause, rusqlite::Error::MultipleStatement)
        || virtual_table::is_damaged(cause)
}

/// What became of a COMMIT.
enum Committed {
    /// It happened.
    Yes,
    /// It did not, and will not.
    No(Fault),
    /// The disk failed on the way. What SQLite has written may still turn out to be a whole transaction: when it could
    /// not fill up the last sector of a log, or not tell that a journal is gone.
    Perhaps(Fault),
}

/// Commits one side, waiting for readers no longer than bearable.
fn commit(sides: &[Side], index: SideIndex) -> Committed {
    let Some(side) = sides.get(index) else { return Committed::Yes };
    let _owner = open::as_owner(&side.live);
    for attempt in 1..=COMMIT_ATTEMPTS {
        let Err(cause) = side.live.execute_batch("COMMIT") else { return Committed::Yes };
        if !is_busy(&cause) {
            return Committed::Perhaps(sql_error(cause, &side.name));
        }
        if attempt == COMMIT_ATTEMPTS || side.live.is_autocommit() {
            break;
        }
    }
    Committed::No(busy(sides, index, "has a reader that does not end"))
}
