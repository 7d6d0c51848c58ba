//! Finding out after a crash whether an intent was carried out, by asking the file.
//!
//! A transaction happens whole or not at all, so anything that only we can have written says yes for all of it, and
//! anything that cannot be there if we had says no. Apart from `settle`, which acts on the answer. Only reads.

use rusqlite::Connection;

use super::model::{Slot, Write};
use super::record::{Intent, TableWrites};
use super::schema::{self, Schema};
use super::sql::{Made, made_by};
use super::value::Row;
use super::write::witness;
use super::{native, open};

/// What a file says about an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// It was carried out.
    Written,
    /// It was not.
    NotWritten,
    /// Nothing decides.
    Unclear,
}

/// Asks a side whether an intent was carried out.
///
/// A transaction happens whole or not at all, so one row can tell. A row that still is what it was before says no; a
/// row that is what was planned says yes, unless its owner could have come to that alone (a counter one higher, an
/// equal new row). A new row's place that another row has taken was free, which says no.
pub(crate) fn of(live: &Connection, intent: &Intent) -> rusqlite::Result<Evidence> {
    if !intent.writes_anything() {
        return Ok(Evidence::Written);
    }
    let transaction = live.unchecked_transaction()?;
    let schema = schema::read(live, "main")?;
    if !open::is_wal(live)? && intent.counter.is_some() && native::change_counter(live) == intent.counter {
        return Ok(Evidence::NotWritten);
    }
    for statement in &intent.statements {
        if !is_made(live, &schema, &statement.sql)? {
            return Ok(Evidence::NotWritten);
        }
    }
    let (mut yes, mut no, mut perhaps) = (0_usize, 0_usize, 0_usize);
    for table in &intent.writes {
        let have = schema.table(&table.table);
        let Some(have) = have.filter(|have| table.columns.iter().all(|name| have.column(name).is_some()))
        else {
            // What it lacks would have been added in the same transaction.
            return Ok(Evidence::NotWritten);
        };
        for write in &table.writes {
            match testimony(live, have, table, write)? {
                Testimony::Yes => yes += 1,
                Testimony::No => no += 1,
                Testimony::Perhaps => perhaps += 1,
                Testimony::Nothing => {}
            }
        }
    }
    drop(transaction);
    Ok(match (yes, no) {
        (0, 0) if perhaps == 0 && intent.writes.is_empty() => Evidence::Written,
        (0, 0) => Evidence::Unclear,
        (_, 0) => Evidence::Written,
        (0, _) => Evidence::NotWritten,
        // An owner has put rows back, or made what we planned: the larger number is right more often.
        (yes, no) if yes > no => Evidence::Written,
        _ => Evidence::NotWritten,
    })
}

/// What one row says about a write.
enum Testimony {
    Yes,
    No,
    Perhaps,
    Nothing,
}

fn testimony(
    live: &Connection,
    have: &schema::Table,
    table: &TableWrites,
    write: &Write,
) -> rusqlite::Result<Testimony> {
    let now = |placed: &Option<(Slot, Row)>| match placed {
        Some((slot, _)) => witness(live, have, &table.columns, slot),
        None => Ok(None),
    };
    let (old, new) = (write.old.as_ref().map(|(_, row)| row), write.new.as_ref().map(|(_, row)| row));
    let (at_old, at_new) = (now(&write.old)?, now(&write.new)?);
    Ok(match (old, new) {
        (Some(old), Some(new)) if at_new.as_ref() == Some(new) && old != new => {
            let only_sums = old
                .iter()
                .zip(new.iter())
                .enumerate()
                .all(|(column, (old, new))| old == new || table.summed.contains(&column));
            if only_sums { Testimony::Perhaps } else { Testimony::Yes }
        }
        (Some(old), _) if at_old.as_ref() == Some(old) => Testimony::No,
        (Some(_), None) if at_old.is_none() => Testimony::Yes,
        (None, Some(new)) => match at_new {
            // Anybody may add an equal row to a table without a key.
            Some(now) if now == *new && have.primary_key.is_empty() && have.uniques.is_empty() => {
                Testimony::Perhaps
            }
            Some(now) if now == *new => Testimony::Yes,
            Some(now) if differs_by_half(&now, new) => Testimony::No,
            _ => Testimony::Nothing,
        },
        _ => Testimony::Nothing,
    })
}

/// Whether most of two rows differs: then one did not come from the other.
fn differs_by_half(a: &Row, b: &Row) -> bool {
    let equal = a.iter().zip(b.iter()).filter(|(a, b)| a == b).count();
    equal * 2 <= a.len()
}

/// Whether what a schema statement makes is there.
fn is_made(live: &Connection, schema: &Schema, statement: &str) -> rusqlite::Result<bool> {
    match made_by(statement) {
        Some(Made::Table(name) | Made::Virtual(name) | Made::Index(name)) => live
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE)",
            )?
            .query_row([name], |row| row.get(0)),
        Some(Made::Column { table, column }) => {
            Ok(schema.table(&table).is_some_and(|table| table.column(&column).is_some()))
        }
        // Nothing tells; the rows will.
        Some(Made::View(_) | Made::Trigger(_)) | None => Ok(true),
    }
}
