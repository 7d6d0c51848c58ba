//! Making companions on a side, and bringing full-text indexes over other tables up to date with what was written.
//!
//! A view or trigger that does not work there is not left there: a trigger would make its owner's own writes fail.
//!
//! In the side's own transaction, after its rows. Our connection fires no triggers, so an index that triggers keep
//! would miss what we write: it is rebuilt. Apart from `apply`, because nothing that goes wrong here may undo a merge:
//! it is taken back alone and told.

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::apply::is_refusal;
use super::companion::{Companion, Kind};
use super::record::{Intent, Statement};
use super::schema::{self, Schema};
use super::sql::{self, Event, event, made_by, quote};

/// Does so for one side. Gives what people should know.
pub(crate) fn write(live: &Connection, intent: &Intent) -> rusqlite::Result<Vec<String>> {
    let side = &intent.side;
    let Made { made, refused } = make(live, &intent.companions)?;
    let mut notes: Vec<String> = refused
        .into_iter()
        .map(|(companion, cause)| {
            format!(
                "{} was not made on {side}: {cause}; it is not tried again until all sides have dropped it",
                companion.table
            )
        })
        .collect();
    if intent.writes.is_empty() && made.is_empty() {
        return Ok(notes);
    }
    let schema = schema::read(live, "main")?;
    for index in schema.companions.iter().filter(|companion| companion.kind == Kind::Index) {
        let is_new = made.iter().any(|companion| companion.table == index.title());
        if !is_new && !is_stale(index, intent, &schema) {
            continue;
        }
        let name = quote(&index.name);
        let rebuild = format!("INSERT INTO main.{name} ({name}) VALUES ('rebuild')");
        if let Err(cause) = attempt(live, || live.execute(&rebuild, []).map(drop))? {
            notes.push(format!("the {} of {side} could not be rebuilt: {cause}", index.title()));
        }
    }
    Ok(notes)
}

/// What became of companions.
#[derive(Default)]
struct Made<'i> {
    made: Vec<&'i Statement>,
    refused: Vec<(&'i Statement, String)>,
}

/// Makes what can be made, again while something more can: views may need each other.
fn make<'i>(live: &Connection, companions: &'i [Statement]) -> rusqlite::Result<Made<'i>> {
    let mut outcome = Made::default();
    let mut waiting: Vec<&Statement> = companions.iter().collect();
    loop {
        let before = waiting.len();
        let mut refused = Vec::new();
        for companion in waiting {
            let working = || {
                live.execute(&companion.sql, [])?;
                check(live, &companion.sql)
            };
            match attempt(live, working)? {
                Ok(()) => outcome.made.push(companion),
                Err(cause) => refused.push((companion, cause)),
            }
        }
        if refused.is_empty() || refused.len() == before {
            return Ok(Made { refused, ..outcome });
        }
        waiting = refused.into_iter().map(|(companion, _)| companion).collect();
    }
}

/// Whether what was made works, as far as SQLite can tell without running it.
fn check(live: &Connection, sql: &str) -> rusqlite::Result<()> {
    match made_by(sql) {
        Some(sql::Made::View(name)) => {
            live.prepare(&format!("SELECT * FROM main.{}", quote(&name))).map(drop)
        }
        Some(sql::Made::Trigger(name)) => {
            let Some(statement) = firing(live, &name, sql)? else { return Ok(()) };
            // Only to see whether it compiles: nothing is run while triggers are on.
            live.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
            let compiled = live.prepare(&statement).map(drop);
            live.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
            compiled
        }
        _ => Ok(()),
    }
}

/// A statement that makes a trigger fire.
fn firing(live: &Connection, trigger: &str, sql: &str) -> rusqlite::Result<Option<String>> {
    let of: String = live.query_row(
        "SELECT tbl_name FROM main.sqlite_schema WHERE type = 'trigger' AND name = ?1 COLLATE NOCASE",
        [trigger],
        |row| row.get(0),
    )?;
    let table = format!("main.{}", quote(&of));
    Ok(match event(sql) {
        Some(Event::Insert) => Some(format!("INSERT INTO {table} DEFAULT VALUES")),
        Some(Event::Delete) => Some(format!("DELETE FROM {table}")),
        Some(Event::Update) => {
            let mut columns =
                live.prepare("SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 0")?;
            let columns = columns.query_map([&of], |row| row.get(0))?;
            let columns: Vec<String> = columns.collect::<rusqlite::Result<_>>()?;
            let sets: Vec<String> = columns.iter().map(|c| format!("{0} = {0}", quote(c))).collect();
            Some(format!("UPDATE {table} SET {}", sets.join(", ")))
        }
        None => None,
    })
}

/// Whether rows that an index is over were written; of a view nobody can say which they are.
fn is_stale(index: &Companion, intent: &Intent, schema: &Schema) -> bool {
    let written = intent.writes.iter().any(|table| table.table.eq_ignore_ascii_case(&index.of));
    written || (schema.table(&index.of).is_none() && !intent.writes.is_empty())
}

/// Does something, or takes back what it did and gives SQLite's words.
fn attempt(
    live: &Connection,
    act: impl FnOnce() -> rusqlite::Result<()>,
) -> rusqlite::Result<Result<(), String>> {
    live.execute_batch("SAVEPOINT cr0sync_companion")?;
    let outcome = match act() {
        Ok(()) => Ok(()),
        Err(cause) if is_refusal(&cause) => {
            live.execute_batch("ROLLBACK TO cr0sync_companion")?;
            Err(cause.to_string())
        }
        Err(cause) => return Err(cause),
    };
    live.execute_batch("RELEASE cr0sync_companion")?;
    Ok(outcome)
}
