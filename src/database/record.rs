//! Recording what was merged, and finding out after a crash what was.
//!
//! Invariant: **a side's base and overlay say exactly what of that side is part of the merged state.** Merges are
//! not idempotent (sums, new ids, counts), so they must never be applied to the same edit twice.
//!
//! - Before any commit, the intent of every side is on disk: what was observed, what is about to be written.
//! - The hub's commit decides the run. Before it, nothing was merged: intents are dropped, edits are still edits.
//! - After it, every observed edit is part of the merged state. A side that was written gets observation and
//!   writes into its base; a side that was not gets its observation only, keeps its old epoch, and the next run
//!   brings the difference between its base and the hub's.
//! - Each step is one transaction over the state and one base; repeating an interrupted one finds it undone.
//!
//! `settle` runs at the start of each run and asks the files: a change counter that has not moved means no;
//! otherwise the planned rows are witnesses. When nothing decides, the write counts as done and is reported.
//! Apart from `apply`, which does the writing.

use rusqlite::{Connection, params};

use crate::error::{Error, ErrorKind, Result};

use super::codec::{Decoder, Encoder, Malformed};
use super::model::{Slot, Write};
use super::schema::{self, Schema};
use super::sql::{Made, made_by};
use super::store::{Overlay, ReplicaState, Store, StoredConflict};
use super::value::Row;
use super::write::{self, Updates, witness};
use super::{native, store};

/// Writes to one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TableWrites {
    /// Table name.
    pub(crate) table: String,
    /// Column names of the rows.
    pub(crate) columns: Vec<String>,
    /// The writes.
    pub(crate) writes: Vec<Write>,
}

/// Everything that recording one side takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Intent {
    /// Database name.
    pub(crate) database: String,
    /// Side name.
    pub(crate) side: String,
    /// Base file.
    pub(crate) base: String,
    /// The epoch of the base.
    pub(crate) old_epoch: i64,
    /// The epoch when this is merged.
    pub(crate) new_epoch: i64,
    /// What the base's schema lacks of what was observed.
    pub(crate) base_statements: Vec<String>,
    /// What was observed: from the base to the side.
    pub(crate) observed: Vec<TableWrites>,
    /// Schema statements for the side.
    pub(crate) statements: Vec<String>,
    /// What is written to the side.
    pub(crate) writes: Vec<TableWrites>,
    /// Tables whose overlay is known anew.
    pub(crate) tables: Vec<String>,
    /// The overlay when the side was written.
    pub(crate) overlay: Vec<Overlay>,
    /// The overlay when it was not.
    pub(crate) overlay_unwritten: Vec<Overlay>,
    /// The overlay of the merged state; with the hub only.
    pub(crate) merged_overlay: Vec<Overlay>,
    /// Conflicts of the run; with the hub only.
    pub(crate) conflicts: Vec<StoredConflict>,
    /// The change counter under the lock, in rollback mode.
    pub(crate) counter: Option<u32>,
}

impl Intent {
    /// Whether the side is written at all.
    pub(crate) fn writes_anything(&self) -> bool {
        !self.statements.is_empty() || self.writes.iter().any(|table| !table.writes.is_empty())
    }
}

fn state_error(cause: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot write the state database").because(cause)
}

/// Puts the intents on disk. `decided` when the hub is not written.
pub(crate) fn declare(store: &Store, run: i64, intents: &[&Intent]) -> Result<()> {
    let put = || -> rusqlite::Result<()> {
        let transaction = store.connection.unchecked_transaction()?;
        for intent in intents {
            store
                .connection
                .prepare_cached("INSERT OR REPLACE INTO intents VALUES (?1, ?2, ?3, 0, ?4)")?
                .execute(params![intent.database, intent.side, run.to_string(), encode(intent)])?;
        }
        transaction.commit()
    };
    put().map_err(state_error)
}

/// Drops the intents of a database that were not decided.
pub(crate) fn withdraw(store: &Store, database: &str) -> Result<()> {
    store
        .connection
        .execute("DELETE FROM intents WHERE database = ?1 AND NOT decided", [database])
        .map(drop)
        .map_err(state_error)
}

/// Whether a side was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// Yes.
    Yes,
    /// No: it catches up in the next run.
    No,
}

/// Whether the side recorded is the hub, whose record decides the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It decides.
    Hub,
    /// It follows.
    Spoke,
}

/// Records one side: base, overlay, epoch, and for the hub conflicts and the decision, in one transaction.
/// Returns how many conflicts were new.
pub(crate) fn record(store: &Store, intent: &Intent, written: Written, role: Role) -> Result<usize> {
    let path = store.base_path(&intent.base);
    let fail = |cause: rusqlite::Error| {
        Error::new(ErrorKind::Io, "cannot record the merge in").at(&path).because(cause)
    };
    let needs_base = !intent.base_statements.is_empty()
        || intent.observed.iter().any(|table| !table.writes.is_empty())
        || (written == Written::Yes && intent.writes_anything());
    let connection = &store.connection;
    if needs_base {
        let name = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
        let name = super::value::Value::Text(name.into());
        connection.execute("ATTACH DATABASE ?1 AS base", [&name]).map_err(fail)?;
    }
    let result = record_attached(store, intent, written, role, needs_base);
    if needs_base {
        connection.execute_batch("DETACH DATABASE base").map_err(fail)?;
    }
    result.map_err(fail)
}

fn record_attached(
    store: &Store,
    intent: &Intent,
    written: Written,
    role: Role,
    needs_base: bool,
) -> rusqlite::Result<usize> {
    let connection = &store.connection;
    // A CHECK that the owner's rows break is not ours to enforce on a copy.
    connection.pragma_update(None, "ignore_check_constraints", true)?;
    let transaction = connection.unchecked_transaction()?;
    if needs_base {
        for statement in &intent.base_statements {
            on_base(connection, statement)?;
        }
        if written == Written::Yes {
            for statement in &intent.statements {
                on_base(connection, statement)?;
            }
        }
        let schema = schema::read(connection, "base")?;
        write_base(connection, &schema, &intent.observed)?;
        if written == Written::Yes {
            write_base(connection, &schema, &intent.writes)?;
        }
    }
    let overlay = match written {
        Written::Yes => &intent.overlay,
        Written::No => &intent.overlay_unwritten,
    };
    store.set_overlay(&intent.database, &intent.side, &intent.tables, overlay)?;
    let epoch = match written {
        Written::Yes => intent.new_epoch,
        Written::No => intent.old_epoch,
    };
    let state = ReplicaState { base: intent.base.clone(), epoch, fingerprint: None };
    store.set_replica(&intent.database, &intent.side, &state)?;
    let mut new_conflicts = 0;
    if role == Role::Hub {
        store.set_overlay(&intent.database, "", &intent.tables, &intent.merged_overlay)?;
        for conflict in &intent.conflicts {
            new_conflicts += usize::from(store.add_conflict(conflict)?);
        }
        store.close_held(&intent.database, &intent.tables, &intent.conflicts)?;
        connection
            .prepare_cached("UPDATE intents SET decided = 1 WHERE database = ?1")?
            .execute([&intent.database])?;
    }
    connection
        .prepare_cached("DELETE FROM intents WHERE database = ?1 AND side = ?2")?
        .execute([&intent.database, &intent.side])?;
    transaction.commit()?;
    Ok(new_conflicts)
}

/// Runs a schema statement of the owner's on the attached base.
fn on_base(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.execute_batch(&super::sql::in_database(statement, "base"))
}

fn write_base(connection: &Connection, schema: &Schema, tables: &[TableWrites]) -> rusqlite::Result<()> {
    for table in tables.iter().filter(|table| !table.writes.is_empty()) {
        let Some(have) = schema.table(&table.table) else { continue };
        let result = if table.columns.iter().all(|name| have.column(name).is_some()) {
            write::apply(connection, "base", have, &table.columns, &table.writes, Updates::Replace)
        } else {
            // A side that was not written lacks columns that the merge has; its rows show only their defaults.
            let table = table.only(|name| have.column(name).is_some());
            write::apply(connection, "base", have, &table.columns, &table.writes, Updates::Replace)
        };
        result.map_err(|refused| refused.cause)?;
    }
    Ok(())
}

impl TableWrites {
    /// The same writes without some columns.
    fn only(&self, keep: impl Fn(&str) -> bool) -> TableWrites {
        let kept: Vec<bool> = self.columns.iter().map(|name| keep(name)).collect();
        let fit = |placed: &Option<(Slot, Row)>| {
            placed.as_ref().map(|(slot, row)| {
                let cells = row.iter().zip(&kept).filter(|(_, kept)| **kept);
                (slot.clone(), cells.map(|(cell, _)| cell.clone()).collect::<Row>())
            })
        };
        TableWrites {
            table: self.table.clone(),
            columns: self.columns.iter().filter(|name| keep(name)).cloned().collect(),
            writes: self.writes.iter().map(|w| Write { old: fit(&w.old), new: fit(&w.new) }).collect(),
        }
    }
}

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
pub(crate) fn evidence(live: &Connection, intent: &Intent) -> rusqlite::Result<Evidence> {
    if !intent.writes_anything() {
        return Ok(Evidence::Written);
    }
    let transaction = live.unchecked_transaction()?;
    let schema = schema::read(live, "main")?;
    let mode: String = live.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal")
        && intent.counter.is_some()
        && native::change_counter(live) == intent.counter
    {
        return Ok(Evidence::NotWritten);
    }
    for statement in &intent.statements {
        if !is_made(live, &schema, statement)? {
            return Ok(Evidence::NotWritten);
        }
    }
    let (mut done, mut undone) = (0_usize, 0_usize);
    for table in &intent.writes {
        let have = schema.table(&table.table);
        let Some(have) = have.filter(|have| table.columns.iter().all(|name| have.column(name).is_some()))
        else {
            // What it lacks would have been added in the same transaction.
            return Ok(Evidence::NotWritten);
        };
        for write in &table.writes {
            for (slot, image, other) in [
                write.new.as_ref().map(|(slot, row)| (slot, row, write.old.as_ref())),
                write.old.as_ref().map(|(slot, row)| (slot, row, write.new.as_ref())),
            ]
            .into_iter()
            .flatten()
            {
                let now = witness(live, have, &table.columns, slot)?;
                let is_new = write.new.as_ref().is_some_and(|(s, r)| s == slot && r == image);
                let counterpart = other.filter(|(s, _)| s == slot).map(|(_, row)| row);
                let matches_image = now.as_ref() == Some(image);
                let matches_other = now.as_ref() == counterpart;
                match (is_new, matches_image, matches_other) {
                    (true, true, false) | (false, false, true) => done += 1,
                    (true, false, true) | (false, true, false) => undone += 1,
                    _ => {}
                }
            }
        }
    }
    drop(transaction);
    Ok(match done.cmp(&undone) {
        std::cmp::Ordering::Greater => Evidence::Written,
        std::cmp::Ordering::Less => Evidence::NotWritten,
        std::cmp::Ordering::Equal if done == 0 && intent.writes.is_empty() => Evidence::Written,
        std::cmp::Ordering::Equal => Evidence::Unclear,
    })
}

/// Whether what a schema statement makes is there.
fn is_made(live: &Connection, schema: &Schema, statement: &str) -> rusqlite::Result<bool> {
    match made_by(statement) {
        Some(Made::Object(name)) => live
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE)",
            )?
            .query_row([name], |row| row.get(0)),
        Some(Made::Column { table, column }) => {
            Ok(schema.table(&table).is_some_and(|table| table.column(&column).is_some()))
        }
        // Nothing tells; the rows will.
        None => Ok(true),
    }
}

/// The intents of a database that are still on disk, with whether they were decided.
pub(crate) fn pending(store: &Store, database: &str) -> Result<Vec<(Intent, bool)>> {
    let read = || -> rusqlite::Result<Vec<(Vec<u8>, bool)>> {
        let mut statement = store
            .connection
            .prepare_cached("SELECT intent, decided FROM intents WHERE database = ?1 ORDER BY side")?;
        statement.query_map([database], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    let mut intents = Vec::new();
    for (blob, decided) in read().map_err(state_error)? {
        let intent = decode(&blob).map_err(|Malformed| {
            Error::new(
                ErrorKind::Corrupt,
                format!("an intent of {database} in the state database is damaged"),
            )
            .hint("move the state directory away: the next run adopts what it finds, deleting nothing")
        })?;
        intents.push((intent, decided));
    }
    Ok(intents)
}

fn encode(intent: &Intent) -> Vec<u8> {
    let mut encoder = Encoder::new();
    let text = |encoder: &mut Encoder, text: &String| {
        encoder.text(text);
    };
    let tables = |encoder: &mut Encoder, table: &TableWrites| {
        encoder.text(&table.table).list(table.columns.iter(), text).list(
            table.writes.iter(),
            |encoder, write| {
                encoder.write(write);
            },
        );
    };
    let overlay = |encoder: &mut Encoder, overlay: &Overlay| {
        encoder.text(&overlay.table).bytes(&store::encode_overlay(overlay));
    };
    encoder
        .text(&intent.database)
        .text(&intent.side)
        .text(&intent.base)
        .integer(intent.old_epoch)
        .integer(intent.new_epoch)
        .list(intent.base_statements.iter(), text)
        .list(intent.observed.iter(), tables)
        .list(intent.statements.iter(), text)
        .list(intent.writes.iter(), tables)
        .list(intent.tables.iter(), text)
        .list(intent.overlay.iter(), overlay)
        .list(intent.overlay_unwritten.iter(), overlay)
        .list(intent.merged_overlay.iter(), overlay)
        .list(intent.conflicts.iter(), |encoder, conflict| {
            for part in [
                &conflict.database,
                &conflict.table,
                &conflict.kind,
                &conflict.winner,
                &conflict.reason,
                &conflict.status,
                &conflict.run,
                &conflict.at,
            ] {
                encoder.text(part);
            }
            encoder.bytes(&store::encode_conflict_rows(&conflict.rows));
        })
        .option(intent.counter, |encoder, counter| {
            encoder.integer(i64::from(counter));
        });
    encoder.finish()
}

fn decode(blob: &[u8]) -> std::result::Result<Intent, Malformed> {
    let mut decoder = Decoder::new(blob)?;
    let tables = |decoder: &mut Decoder<'_>| {
        Ok(TableWrites {
            table: decoder.text()?,
            columns: decoder.list(Decoder::text)?,
            writes: decoder.list(Decoder::write)?,
        })
    };
    let overlay = |decoder: &mut Decoder<'_>| {
        let table = decoder.text()?;
        store::decode_overlay(table, decoder.bytes()?)
    };
    Ok(Intent {
        database: decoder.text()?,
        side: decoder.text()?,
        base: decoder.text()?,
        old_epoch: decoder.integer()?,
        new_epoch: decoder.integer()?,
        base_statements: decoder.list(Decoder::text)?,
        observed: decoder.list(tables)?,
        statements: decoder.list(Decoder::text)?,
        writes: decoder.list(tables)?,
        tables: decoder.list(Decoder::text)?,
        overlay: decoder.list(overlay)?,
        overlay_unwritten: decoder.list(overlay)?,
        merged_overlay: decoder.list(overlay)?,
        conflicts: decoder.list(|decoder| {
            Ok(StoredConflict {
                number: 0,
                database: decoder.text()?,
                table: decoder.text()?,
                kind: decoder.text()?,
                winner: decoder.text()?,
                reason: decoder.text()?,
                status: decoder.text()?,
                run: decoder.text()?,
                at: decoder.text()?,
                rows: store::decode_conflict_rows(decoder.bytes()?)?,
            })
        })?,
        counter: decoder.option(|decoder| u32::try_from(decoder.integer()?).map_err(|_| Malformed))?,
    })
}
