//! Making companions on a side, and bringing full-text indexes over other tables up to date with what was written.
//!
//! In the side's own transaction, after its rows. Our connection fires no triggers, so an index that triggers keep
//! would miss what we write: it is rebuilt. Apart from `apply`, because nothing that goes wrong here may undo a merge:
//! it is taken back alone and told.

use rusqlite::Connection;

use super::apply::is_refusal;
use super::companion::{Companion, Kind};
use super::record::{Intent, Statement};
use super::schema::{self, Schema};
use super::sql::quote;

/// Does so for one side. Gives what people should know.
pub(crate) fn write(live: &Connection, intent: &Intent) -> rusqlite::Result<Vec<String>> {
    let side = &intent.side;
    let mut notes = Vec::new();
    let mut made: Vec<&Statement> = Vec::new();
    for companion in &intent.companions {
        match attempt(live, &companion.sql)? {
            Ok(()) => made.push(companion),
            Err(cause) => {
                notes.push(format!(
                    "{} was not made on {side}: {cause}; it is not tried again until all sides have dropped it",
                    companion.table
                ));
            }
        }
    }
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
        if let Err(cause) = attempt(live, &format!("INSERT INTO main.{name} ({name}) VALUES ('rebuild')"))? {
            notes.push(format!("the {} of {side} could not be rebuilt: {cause}", index.title()));
        }
    }
    Ok(notes)
}

/// Whether rows that an index is over were written; of a view nobody can say which they are.
fn is_stale(index: &Companion, intent: &Intent, schema: &Schema) -> bool {
    let written = intent.writes.iter().any(|table| table.table.eq_ignore_ascii_case(&index.of));
    written || (schema.table(&index.of).is_none() && !intent.writes.is_empty())
}

/// Runs one statement, or takes back what it did and gives SQLite's words.
fn attempt(live: &Connection, sql: &str) -> rusqlite::Result<Result<(), String>> {
    live.execute_batch("SAVEPOINT cr0sync_companion")?;
    let outcome = live.execute(sql, []).map(drop);
    let outcome = match outcome {
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
