//! Making files: bases, missing replicas, the hub after a loss, emergency copies.
//!
//! The copying itself is `backup`'s. Apart from `run`, which decides when. Never replaces a file that is there.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, params_from_iter};

use crate::backup::copy;
use crate::config::DatabaseConfig;
use crate::durable::{self, AsOwner, Nascent};
use crate::error::{Error, ErrorKind};
use crate::interrupt;
use crate::report::{DatabaseReport, State};

use super::companion::Kind;
use super::open::{self, Found};
use super::plan::Base;
use super::progress::Phase;
use super::run::Job;
use super::schema::{self, Schema, Storage, Table};
use super::sql::quote;
use super::value::Value;
use super::{Fault, Mode, Until, sql_error, state_error, virtual_table};

/// Why a replica is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// There is no file.
    Missing,
    /// There is a file without content.
    Empty,
}

impl Absence {
    /// What was the matter, and what was done about it.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Absence::Missing => "was not there; it was created",
            Absence::Empty => "had no bytes; it was filled",
        }
    }
}

/// Makes a base of a side as it is in the caller's read transaction. In a dry run it goes with the run.
pub(crate) fn base(job: &Job<'_>, database: &str, side: &str, live: &Connection) -> Result<Base, Fault> {
    let fail = |cause| sql_error(cause, side);
    // Names hold no @, so that no two of them make one.
    let file = format!("{database}@{side}@{}.db", job.run);
    let mut connection = match job.mode {
        // A nameless database of SQLite's own: in memory while it is small, else in a file that nobody else sees.
        Mode::DryRun => Connection::open("").map_err(fail)?,
        Mode::Apply => {
            let path = job.store.base_path(&file);
            if let Some(directory) = path.parent() {
                durable::private_directory(directory)?;
            }
            // A leftover of a killed run of the same number.
            let _ = std::fs::remove_file(&path);
            durable::private_file(&path)?;
            Connection::open(&path).map_err(state_error)?
        }
    };
    // This also begins the read transaction, where the caller's BEGIN was the last word.
    let schema = open::first_read(live).map_err(fail)?;
    let encoding: String = live.pragma_query_value(None, "encoding", |row| row.get(0)).map_err(fail)?;
    if encoding == "UTF-8" {
        copy::whole(live, &mut connection).map_err(fail)?;
        open::harden(&connection).map_err(state_error)?;
        without_log(&connection)?;
        drop_indexes(&connection).map_err(state_error)?;
        mirror(live, &connection, &schema).map_err(fail)?;
    } else {
        // It is written together with the state, and two databases that are must have one encoding.
        open::harden(&connection).map_err(state_error)?;
        copy_rows(live, &connection, &schema).map_err(fail)?;
    }
    let schema = schema::read(&connection, "main").map_err(state_error)?;
    Ok(Base { file, connection, schema })
}

/// Sees to it that a base has no log, which a copy of a file that has one has as well: those of bases are written together with
/// the state, and only journals can be.
fn without_log(base: &Connection) -> Result<(), Fault> {
    let mode: String =
        base.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0)).map_err(state_error)?;
    // What has no name may have no file either.
    if matches!(mode.as_str(), "delete" | "memory") {
        return Ok(());
    }
    let message = format!("cannot remember what a side is: the copy of it stays in the mode {mode}");
    Err(Error::new(ErrorKind::Io, message)
        .at(Path::new(base.path().unwrap_or_default()))
        .hint("close whatever has that file open, and run again")
        .into())
}

/// Bases keep no indexes beside those that tables declare: they could only be in the way when rows are recorded.
fn drop_indexes(base: &Connection) -> rusqlite::Result<()> {
    let mut statement =
        base.prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    drop(statement);
    base.execute_batch("BEGIN")?;
    for name in names {
        base.execute_batch(&format!("DROP INDEX {}", quote(&name)))?;
    }
    base.execute_batch("COMMIT")
}

/// Puts mirrors in the place of virtual tables: what is recorded in a base are rows, without a module between.
fn mirror(live: &Connection, base: &Connection, schema: &Schema) -> rusqlite::Result<()> {
    base.execute_batch("BEGIN")?;
    for table in schema.tables.iter().filter(|table| table.module.is_some()) {
        base.execute(&format!("DROP TABLE {}", quote(&table.name)), [])?;
        keep_rows(live, base, table)?;
    }
    for index in schema.companions.iter().filter(|companion| companion.kind == Kind::Index) {
        // Nothing but weight here; where it cannot be dropped, it stays.
        let _ = base.execute(&format!("DROP TABLE {}", quote(&index.name)), []);
    }
    base.execute_batch("COMMIT")
}

/// A base with virtual tables in the place of their mirrors again, as the file of a side is to have them.
fn unmirrored(base: Connection) -> rusqlite::Result<Connection> {
    let schema = schema::read(&base, "main")?;
    if schema.tables.iter().all(|table| table.module.is_none()) {
        return Ok(base);
    }
    let mut copied = Connection::open("")?;
    copy::whole(&base, &mut copied)?;
    open::harden(&copied)?;
    copied.execute_batch("BEGIN")?;
    for table in schema.tables.iter().filter(|table| table.module.is_some()) {
        copied.execute(&format!("DROP TABLE {}", quote(&table.name)), [])?;
        copy_table(&base, &copied, table, &table.sql)?;
    }
    copied.execute_batch("COMMIT")?;
    Ok(copied)
}

/// Copies every table that can be synced, row by row, into an empty database of another encoding.
fn copy_rows(from: &Connection, to: &Connection, schema: &Schema) -> rusqlite::Result<()> {
    to.pragma_update(None, "ignore_check_constraints", true)?;
    to.execute_batch("BEGIN")?;
    for table in &schema.tables {
        keep_rows(from, to, table)?;
    }
    to.execute_batch("COMMIT")
}

/// Copies a table into a base. A virtual one that turns out to be damaged is as good as none.
fn keep_rows(from: &Connection, base: &Connection, table: &Table) -> rusqlite::Result<()> {
    match copy_table(from, base, table, &virtual_table::in_base(table)) {
        Err(cause) if virtual_table::is_damaged(&cause) => {
            base.execute(&format!("DROP TABLE {}", quote(&table.name)), []).map(drop)
        }
        copied => copied,
    }
}

/// Makes a table with `sql` and fills it.
fn copy_table(from: &Connection, to: &Connection, table: &Table, sql: &str) -> rusqlite::Result<()> {
    to.execute(sql, [])?;
    let mut names: Vec<String> = table.columns.iter().map(|column| quote(&column.name)).collect();
    if let Storage::Hidden { name } = table.storage {
        names.push(name.to_owned());
    }
    let places: Vec<String> = (1..=names.len()).map(|index| format!("?{index}")).collect();
    let (name, names, places) = (quote(&table.name), names.join(", "), places.join(", "));
    let mut insert = to.prepare(&format!("INSERT INTO {name} ({names}) VALUES ({places})"))?;
    let mut select = from.prepare(&format!("SELECT {names} FROM main.{name}"))?;
    let width = select.column_count();
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let cells = (0..width).map(|column| row.get_ref(column).map(Value::from_ref));
        insert.execute(params_from_iter(cells.collect::<rusqlite::Result<Vec<Value>>>()?))?;
    }
    Ok(())
}

/// Creates a spoke that is not there from the hub, which holds the merged state.
pub(crate) fn spoke(
    job: &Job<'_>,
    database: &str,
    config: &DatabaseConfig,
    side: &str,
    absence: Absence,
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    let hub_name = &job.config.hub;
    let (Some(hub), Some(path)) = (config.replicas.get(hub_name), config.replicas.get(side)) else {
        return Ok(());
    };
    job.pace.at(database, Phase::Copying, Some(side))?;
    let wait = Duration::from_millis(job.config.guards.busy_timeout_ms);
    let hub = open::connect(hub, wait).map_err(|e| sql_error(e, hub_name))?;
    let Some(merged) = job.store.replica(database, hub_name).map_err(state_error)? else { return Ok(()) };
    // File and base are copies of one moment, so that what its owner does from then on is an edit.
    let fail = |cause| sql_error(cause, hub_name);
    hub.execute_batch("BEGIN").map_err(fail)?;
    open::first_read(&hub).map_err(fail)?;
    // The base first: nobody looks for one that no file has come of, and once the file is there nobody is asked any more.
    let base = base(job, database, side, &hub)?;
    let mode = journal_mode(job, config, side);
    fill(job, &hub, path, Place { absence, side, mode }, report)?;
    hub.execute_batch("COMMIT").map_err(fail)?;
    // The hub's owner may have written since the merge: what is not merged yet reaches this side as to one that was away.
    let epoch = merged.epoch - 1;
    job.store.set_new_replica(database, side, &base.file, epoch, hub_name).map_err(state_error)?;
    report.warnings.push(format!("{side} {} ({})", absence.in_words(), path.display()));
    Ok(())
}

/// Where a hub that is not there comes from.
pub(crate) enum Origin {
    /// What was merged last.
    Base(Connection),
    /// A side, by its name.
    Side(Connection, String),
}

/// Looks for what a hub that is not there can be made from; an error that says so where there is nothing.
pub(crate) fn origin(
    job: &Job<'_>,
    database: &str,
    config: &DatabaseConfig,
    ranked: &[String],
) -> Result<Origin, Fault> {
    let hub = &job.config.hub;
    let wait = Duration::from_millis(job.config.guards.busy_timeout_ms);
    let remembered = job.store.replica(database, hub).map_err(state_error)?;
    if let Some(base) =
        remembered.and_then(|state| open::connect(&job.store.base_path(&state.base), wait).ok())
    {
        return Ok(Origin::Base(base));
    }
    let mut unusable = None;
    for side in ranked.iter().filter(|side| *side != hub) {
        let Some(path) = config.replicas.get(side) else { continue };
        match open::replica(path, wait, job.config) {
            Found::Replica(replica) => return Ok(Origin::Side(replica.connection, side.clone())),
            Found::Missing | Found::Empty => {}
            // Where there is no directory there is no file.
            Found::Skipped(_) | Found::Refused(_)
                if path.parent().is_some_and(|one| one.try_exists().is_ok_and(|is| !is)) => {}
            Found::Skipped(reason) => {
                unusable.get_or_insert((side, reason, Until::NextRun));
            }
            Found::Refused(reason) | Found::Quarantined(reason) => {
                unusable.get_or_insert((side, reason, Until::Mended));
            }
        }
    }
    let name = hub.clone();
    Err(match unusable {
        None => {
            let reason = "no side has a database yet".to_owned();
            Fault::Side { name, state: State::Absent, reason, until: Until::NextRun }
        }
        Some((side, reason, until)) => {
            let reason = format!("the hub {hub} has no database, and {side} cannot be used: {reason}");
            Fault::Side { name, state: State::Skipped, reason, until }
        }
    })
}

/// Brings back a hub that is not there: from its base, else from the most preferred side that is.
pub(crate) fn hub(
    job: &Job<'_>,
    database: &str,
    config: &DatabaseConfig,
    ranked: &[String],
    found: &Found,
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    let name = &job.config.hub;
    let Some(path) = config.replicas.get(name) else { return Ok(()) };
    let (source, from) = match origin(job, database, config, ranked)? {
        Origin::Base(base) => {
            // What stands beside tables is not in a base, so none of it was dropped.
            job.store.set_companions(database, name, [].iter()).map_err(state_error)?;
            (unmirrored(base).map_err(state_error)?, "what was merged last".to_owned())
        }
        Origin::Side(source, side) => (source, side),
    };
    job.pace.at(database, Phase::Copying, Some(name))?;
    let absence = if matches!(found, Found::Empty) { Absence::Empty } else { Absence::Missing };
    let mode = journal_mode(job, config, name);
    fill(job, &source, path, Place { absence, side: name, mode }, report)?;
    // It is another file now, with a change counter of its own.
    job.store.set_seen(database, name, None).map_err(state_error)?;
    report.warnings.push(format!("{name} {} from {from} ({})", absence.in_words(), path.display()));
    Ok(())
}

/// What a new file is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) absence: Absence,
    pub(super) side: &'a str,
    pub(super) mode: JournalMode,
}

/// How a database keeps what is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JournalMode {
    Delete,
    Wal,
}

impl JournalMode {
    fn pragma(self) -> &'static str {
        match self {
            JournalMode::Delete => "PRAGMA journal_mode = DELETE",
            JournalMode::Wal => "PRAGMA journal_mode = WAL",
        }
    }
}

/// The mode for a side that is made: a write-ahead log where every other side that is there has one, else the mode of SQLite
/// itself. What cannot be opened now says nothing for a log.
pub(super) fn journal_mode(job: &Job<'_>, config: &DatabaseConfig, side: &str) -> JournalMode {
    let wait = Duration::from_millis(job.config.guards.busy_timeout_ms);
    let others = config.replicas.iter().filter(|(name, _)| *name != side);
    let mut there =
        others.filter(|(_, path)| std::fs::metadata(path).is_ok_and(|file| file.len() > 0)).peekable();
    let keeps_log = |path: &Path| match open::replica(path, wait, job.config) {
        Found::Replica(replica) => open::is_wal(&replica.connection).unwrap_or(false),
        _ => false,
    };
    match there.peek().is_some() && there.all(|(_, path)| keeps_log(path)) {
        true => JournalMode::Wal,
        false => JournalMode::Delete,
    }
}

/// Puts a copy where no database is.
pub(super) fn fill(
    job: &Job<'_>,
    from: &Connection,
    path: &Path,
    Place { absence, side, mode }: Place<'_>,
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    for suffix in ["-journal", "-wal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        if std::fs::symlink_metadata(&name).is_ok() {
            let path = Path::new(&name).display();
            return Err(Fault::Failed(format!(
                "{path} is left over from a database that is gone and would be mixed into a new one; move it away"
            )));
        }
    }
    let fail = |cause| sql_error(cause, side);
    if absence == Absence::Empty {
        let wait = Duration::from_millis(job.config.guards.busy_timeout_ms);
        let mut target = open::connect(path, wait).map_err(fail)?;
        let _owner = AsOwner::of(path);
        let backup = Backup::new(from, &mut target).map_err(fail)?;
        interrupt::check()?;
        let _quiet = interrupt::quiet();
        // This takes the write lock of the target and copies nothing yet.
        backup.step(0).map_err(fail)?;
        if std::fs::metadata(path).map_or(true, |file| file.len() > 0) {
            let reason = "somebody has begun to fill it; the next run merges it".to_owned();
            let (name, until) = (side.to_owned(), Until::NextRun);
            return Err(Fault::Side { name, state: State::Skipped, reason, until });
        }
        let StepResult::Done = backup.step(-1).map_err(fail)? else {
            return Err(Fault::Side {
                name: side.to_owned(),
                state: State::Skipped,
                reason: "it stayed busy".into(),
                until: Until::NextRun,
            });
        };
        drop(backup);
        // A copy of a WAL database is one too. Its owner may be quicker than this; then it stays as it is, which is sound.
        let _ = target.query_row(mode.pragma(), [], |_| Ok(()));
        return Ok(());
    }
    let (nascent, warnings) = Nascent::beside(path, &job.run.to_string(), &job.config.ownership)?;
    report.warnings.extend(warnings);
    let target = copy::fill(from, nascent.path()).map_err(fail)?;
    if mode == JournalMode::Wal {
        // It is ours until it is published. Closing it takes its log away again: what is published is one file.
        target.query_row(mode.pragma(), [], |_| Ok(())).map_err(fail)?;
    }
    drop(target);
    is_alone(nascent.path())?;
    nascent.publish()?;
    Ok(())
}

/// That a file of ours that was closed is all there is of its database.
fn is_alone(path: &Path) -> Result<(), Fault> {
    for suffix in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        if std::fs::symlink_metadata(&name).is_ok() {
            let name = Path::new(&name).display();
            return Err(Fault::Failed(format!(
                "{name} was not put into its database, so that this is not put in place"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_that_keeps_its_log_is_none() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("base.db");
        let base = Connection::open(&path)?;
        base.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        base.execute_batch("CREATE TABLE t(a)")?;
        let other = Connection::open(&path)?;
        other.query_row("SELECT count(*) FROM t", [], |_| Ok(()))?;
        assert!(without_log(&base).is_err(), "somebody else has it open");
        drop(other);
        assert!(without_log(&base).is_ok());
        // What cannot be answered with what was asked for is answered with what is.
        base.execute_batch("PRAGMA journal_mode = PERSIST; BEGIN; INSERT INTO t VALUES(1)")?;
        let stays = without_log(&base).err().map(|fault| fault.to_string()).unwrap_or_default();
        assert!(stays.contains("stays in the mode persist") && stays.contains("base.db"), "{stays}");
        base.execute_batch("COMMIT")?;
        assert!(without_log(&base).is_ok());
        assert!(without_log(&Connection::open("")?).is_ok());
        Ok(())
    }
}
