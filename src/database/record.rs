//! Recording what was merged, and finding out after a crash what was.
//!
//! Invariant: **a side's base and overlay say exactly what of that side is part of the merged state.** Merges are
//! not idempotent (sums, new ids, counts), so they must never be applied to the same edit twice.
//!
//! - Before any commit, the intent of every side is on disk: what was observed, what is about to be written.
//! - The hub's commit decides the run. Before it, nothing was merged: intents are dropped, edits are still edits.
//! - After it, every observed edit is part of the merged state. A side that was written gets observation and
//!   writes into its base; a side that was not gets its observation only, keeps its old epoch, and the next run
//!   brings the difference between its base and the hub's. A table that was left alone when a side got the epoch of the
//!   others stays behind on that side, and its difference is brought when it goes on.
//! - What is known of the sides, that the hub or another one has committed, is noted with the intents in a transaction
//!   of a few bytes. Bases follow when no side is locked any more: owners do not wait for our copies.
//! - Each step is one transaction over the state and one base; repeating an interrupted one finds it undone.
//!
//! `settle` finishes at the start of each run what an earlier one has begun; where nothing is noted it asks the files
//! (`evidence`). When nothing decides, the write counts as done and is reported. Apart from `apply`, which does the
//! writing, and from `form`, which says what an intent looks like on disk.

mod form;

use rusqlite::{Connection, params};

use crate::error::{Error, ErrorKind, Result};

use super::codec::Malformed;
use super::log::Position;
use super::model::{Slot, Write};
use super::schema::{self, Schema};
use super::sql::{Made, made_by};
use super::store::{Bounce, Bouncing, FoundConflict, Known, Overlay, RESOLVED, Store, StoredConflict};
use super::undo::Touched;
use super::value::Row;
use super::write::{self, Updates};

pub(super) use form::{decode, encode};

/// Writes to one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TableWrites {
    /// Table name.
    pub(crate) table: String,
    /// Column names of the rows.
    pub(crate) columns: Vec<String>,
    /// Indexes of columns that are summed: an owner may come to the same value alone.
    pub(crate) summed: Vec<usize>,
    /// The writes.
    pub(crate) writes: Vec<Write>,
}

/// A schema statement, and the table it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Table name.
    pub(crate) table: String,
    /// In the owner's words.
    pub(crate) sql: String,
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
    /// Whether the base was made in this run: then nothing but the tables of this plan has been merged.
    pub(crate) fresh: bool,
    /// Schema statements for the side.
    pub(crate) statements: Vec<Statement>,
    /// Highest row ids that AUTOINCREMENT of the side must learn of, by table.
    pub(crate) raised: Vec<(String, i64)>,
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
    pub(crate) conflicts: Vec<FoundConflict>,
    /// The sides that took part; with the hub only.
    pub(crate) sides: Vec<String>,
    /// The run.
    pub(crate) run: i64,
    /// Cells that are written, to notice when the side takes them back.
    pub(crate) bounces: Vec<Bounce>,
    /// Cells that no longer travel since they were taken back too often; with the hub only.
    pub(crate) bouncing: Vec<Bouncing>,
    /// What becomes of the merged state, for taking it back; with the hub only.
    pub(crate) touched: Vec<Touched>,
    /// The change counter under the lock, in rollback mode.
    pub(crate) counter: Option<u32>,
    /// How far the write-ahead log reached under the lock, where there is one.
    pub(crate) log: Option<Position>,
    /// What the base holds instead of virtual tables that are made on the side.
    pub(crate) mirrors: Vec<Statement>,
    /// Views and the like that are made on the side, by their titles. One that is refused undoes nothing.
    pub(crate) companions: Vec<Statement>,
    /// The titles to remember beside those, when they are not what is remembered.
    pub(crate) remembered: Option<Vec<String>>,
    /// The number of the conflict that a person decided with this run; with the hub only.
    pub(crate) resolved: Option<i64>,
}

impl Intent {
    /// Whether the side is written at all.
    pub(crate) fn writes_anything(&self) -> bool {
        !self.statements.is_empty()
            || !self.companions.is_empty()
            || !self.raised.is_empty()
            || self.writes.iter().any(|table| !table.writes.is_empty())
    }
}

fn state_error(cause: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot write the state database").because(cause)
}

/// Puts the intents on disk.
pub(crate) fn declare(store: &Store, run: i64, intents: &[&Intent]) -> Result<()> {
    let put = || -> rusqlite::Result<()> {
        let transaction = store.connection.unchecked_transaction()?;
        for intent in intents {
            let (database, side) = (&intent.database, &intent.side);
            store
                .connection
                .prepare_cached("INSERT OR REPLACE INTO intents VALUES (?1, ?2, ?3, 0, x'')")?
                .execute(params![database, side, run.to_string()])?;
            clear_parts(&store.connection, database, side)?;
            let mut insert = store
                .connection
                .prepare_cached("INSERT INTO intent_parts (database, side, bytes) VALUES (?1, ?2, ?3)")?;
            let mut outcome = Ok(0);
            encode(intent, &mut |part| {
                if outcome.is_ok() {
                    outcome = insert.execute(params![database, side, part]);
                }
            });
            outcome?;
        }
        transaction.commit()
    };
    put().map_err(state_error)
}

/// What is known of an intent on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing but what was planned.
    Declared,
    /// The hub has committed, so the run counts; of this side nothing is known yet.
    Decided,
    /// This side has committed, or had nothing to write.
    Written,
    /// This side was not written.
    Unwritten,
}

impl Progress {
    fn stored(self) -> i64 {
        match self {
            Progress::Declared => 0,
            Progress::Decided => 1,
            Progress::Written => 2,
            Progress::Unwritten => 3,
        }
    }

    /// Of what is stored.
    fn of(stored: i64) -> Progress {
        match stored {
            0 => Progress::Declared,
            2 => Progress::Written,
            3 => Progress::Unwritten,
            _ => Progress::Decided,
        }
    }

    /// Whether the side was written, where that is known.
    pub(crate) fn written(self) -> Option<Written> {
        match self {
            Progress::Declared | Progress::Decided => None,
            Progress::Written => Some(Written::Yes),
            Progress::Unwritten => Some(Written::No),
        }
    }
}

/// Notes on disk that the hub has committed: from here on the run counts.
pub(crate) fn decide(store: &Store, hub: &Intent) -> Result<()> {
    let put = || -> rusqlite::Result<()> {
        store
            .connection
            .prepare_cached("UPDATE intents SET decided = iif(side = ?2, ?3, ?4) WHERE database = ?1")?
            .execute(params![hub.database, hub.side, Progress::Written.stored(), Progress::Decided.stored()])
            .map(drop)
    };
    put().map_err(state_error)
}

/// Notes on disk which sides were written.
pub(crate) fn note(store: &Store, sides: &[(&Intent, Written)]) -> Result<()> {
    let put = || -> rusqlite::Result<()> {
        let transaction = store.connection.unchecked_transaction()?;
        for (intent, written) in sides {
            let progress = match written {
                Written::Yes => Progress::Written,
                Written::No => Progress::Unwritten,
            };
            store
                .connection
                .prepare_cached("UPDATE intents SET decided = ?3 WHERE database = ?1 AND side = ?2")?
                .execute(params![intent.database, intent.side, progress.stored()])?;
        }
        transaction.commit()
    };
    put().map_err(state_error)
}

/// Drops the intents of a database that were not decided.
pub(crate) fn withdraw(store: &Store, database: &str) -> Result<()> {
    let drop = || -> rusqlite::Result<()> {
        let transaction = store.connection.unchecked_transaction()?;
        store.connection.execute("DELETE FROM intents WHERE database = ?1 AND NOT decided", [database])?;
        store.connection.execute(
            "DELETE FROM intent_parts WHERE database = ?1
             AND side NOT IN (SELECT side FROM intents WHERE database = ?1)",
            [database],
        )?;
        transaction.commit()
    };
    drop().map_err(state_error)
}

fn clear_parts(connection: &Connection, database: &str, side: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM intent_parts WHERE database = ?1 AND side = ?2")?
        .execute([database, side])
        .map(drop)
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

/// Records one side: base, overlay, epoch, and for the hub conflicts and the decision, in one transaction. Returns how
/// many conflicts were new.
pub(crate) fn record(store: &Store, intent: &Intent, written: Written, role: Role) -> Result<usize> {
    record_with(store, intent, written, role, &[])
}

/// The same, with what is in doubt about the side: once it is recorded, nothing asks again.
pub(crate) fn record_with(
    store: &Store,
    intent: &Intent,
    written: Written,
    role: Role,
    doubts: &[StoredConflict],
) -> Result<usize> {
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
    let result = record_attached(store, intent, written, role, needs_base, doubts);
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
    doubts: &[StoredConflict],
) -> rusqlite::Result<usize> {
    let connection = &store.connection;
    // A CHECK that the owner's rows break is not ours to enforce on a copy.
    connection.pragma_update(None, "ignore_check_constraints", true)?;
    // Renaming a table of a base must not reach into the tables that point at it.
    connection.pragma_update(None, "legacy_alter_table", true)?;
    let transaction = connection.unchecked_transaction()?;
    if needs_base {
        for statement in &intent.base_statements {
            on_base(connection, statement)?;
        }
        if written == Written::Yes {
            // Bases have no indexes of their own: they would only be in the way.
            let tables = intent.statements.iter().filter(|s| !is_index(&s.sql) && !is_virtual(&s.sql));
            for statement in tables.chain(&intent.mirrors) {
                on_base(connection, &statement.sql)?;
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
    store.set_replica(&intent.database, &intent.side, &intent.base, epoch)?;
    let known = if intent.fresh { Known::Anew } else { Known::Before };
    store.set_merged_tables(&intent.database, &intent.side, &intent.tables, known)?;
    if written == Written::Yes {
        // The hub has the epoch before this one.
        let was_behind = !intent.fresh && intent.old_epoch != intent.new_epoch - 1;
        store.set_caught_up(&intent.database, &intent.side, &intent.tables, was_behind)?;
    }
    if role == Role::Hub {
        // What is noted now was not known when it was planned what still waits; the hub is recorded first.
        store.forget_bounces(&intent.database, &intent.tables, &intent.bouncing)?;
    }
    if written == Written::Yes && !intent.bounces.is_empty() {
        store.note_bounces(&intent.database, &intent.side, intent.run, &intent.bounces)?;
    }
    if let Some(titles) = &intent.remembered {
        let made = intent.companions.iter().filter(|_| written == Written::Yes);
        let titles = titles.iter().chain(made.map(|companion| &companion.table));
        store.set_companions(&intent.database, &intent.side, titles)?;
    }
    let mut new_conflicts = 0;
    for doubt in doubts {
        new_conflicts += usize::from(store.add_conflict(doubt)?);
    }
    if role == Role::Hub {
        store.set_overlay(&intent.database, "", &intent.tables, &intent.merged_overlay)?;
        for conflict in &intent.conflicts {
            new_conflicts += usize::from(store.add_conflict(&conflict.spelled())?);
        }
        store.keep_touched(intent.run, &intent.database, &intent.touched)?;
        store.close_held(&intent.database, &intent.tables, &intent.sides, &intent.conflicts)?;
        if let Some(number) = intent.resolved {
            store.set_status(number, RESOLVED)?;
        }
        connection
            .prepare_cached("UPDATE intents SET decided = ?2 WHERE database = ?1 AND decided = ?3")?
            .execute(params![intent.database, Progress::Decided.stored(), Progress::Declared.stored()])?;
    }
    connection
        .prepare_cached("DELETE FROM intents WHERE database = ?1 AND side = ?2")?
        .execute([&intent.database, &intent.side])?;
    clear_parts(connection, &intent.database, &intent.side)?;
    transaction.commit()?;
    Ok(new_conflicts)
}

/// Runs a schema statement of the owner's on the attached base.
fn on_base(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.execute(&super::sql::in_database(statement, "base"), []).map(drop)
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
            summed: Vec::new(),
            writes: self.writes.iter().map(|w| Write { old: fit(&w.old), new: fit(&w.new) }).collect(),
        }
    }
}

/// Whether a statement makes an index.
pub(crate) fn is_index(statement: &str) -> bool {
    matches!(made_by(statement), Some(Made::Index(_)))
}

/// Whether a statement makes a virtual table.
pub(crate) fn is_virtual(statement: &str) -> bool {
    matches!(made_by(statement), Some(Made::Virtual(_)))
}

/// The intents of a database that are still on disk, with what is known of them.
pub(crate) fn pending(store: &Store, database: &str) -> Result<Vec<(Intent, Progress)>> {
    let connection = &store.connection;
    let sides = || -> rusqlite::Result<Vec<(String, Vec<u8>, i64)>> {
        let mut statement = connection
            .prepare_cached("SELECT side, intent, decided FROM intents WHERE database = ?1 ORDER BY side")?;
        statement.query_map([database], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    };
    // Version 1 of the state kept all of it in one blob, which is the first part then.
    let rest = |side: &str, blob: &mut Vec<u8>| -> rusqlite::Result<()> {
        let mut statement = connection
            .prepare_cached("SELECT bytes FROM intent_parts WHERE database = ?1 AND side = ?2 ORDER BY id")?;
        let mut rows = statement.query([database, side])?;
        while let Some(row) = rows.next()? {
            blob.extend_from_slice(row.get_ref(0)?.as_blob()?);
        }
        Ok(())
    };
    let mut intents = Vec::new();
    for (side, mut blob, progress) in sides().map_err(state_error)? {
        rest(&side, &mut blob).map_err(state_error)?;
        let intent = decode(&blob).map_err(|Malformed| {
            Error::new(
                ErrorKind::Corrupt,
                format!("an intent of {database} in the state database is damaged"),
            )
            .hint("move the state directory away: the next run adopts what it finds, deleting nothing")
        })?;
        intents.push((intent, Progress::of(progress)));
    }
    Ok(intents)
}

/// The sides of a database whose intents are still on disk.
pub(crate) fn waiting(store: &Store, database: &str) -> Result<Vec<String>> {
    let sides = || -> rusqlite::Result<Vec<String>> {
        let mut statement =
            store.connection.prepare_cached("SELECT side FROM intents WHERE database = ?1")?;
        statement.query_map([database], |row| row.get(0))?.collect()
    };
    sides().map_err(state_error)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::database::value::Value;

    pub(super) fn intent(cells: usize) -> Intent {
        let row: Row = (0..cells).map(|_| Value::Blob(vec![1; 1 << 20].into())).collect();
        let write = Write { old: None, new: Some((Slot::Rowid(1), row)) };
        let table = TableWrites {
            table: "t".into(),
            columns: vec!["a".into()],
            writes: vec![write],
            ..TableWrites::default()
        };
        Intent {
            database: "d".into(),
            side: "bot".into(),
            writes: vec![table],
            counter: Some(1),
            log: Some(Position { salts: *b"saltsalt", frames: 7 }),
            ..Intent::default()
        }
    }

    #[test]
    fn an_intent_in_many_parts_is_read_as_it_was_and_goes_whole() -> Result<()> {
        let store = Store::in_memory(std::path::Path::new("."))?;
        let (long, short) = (intent(3), Intent { side: "central".into(), ..intent(0) });
        declare(&store, 1, &[&long, &short])?;
        declare(&store, 2, &[&long, &short])?;
        assert_eq!(pending(&store, "d")?, [(long, Progress::Declared), (short, Progress::Declared)]);
        assert_eq!(waiting(&store, "d")?, ["bot", "central"]);
        withdraw(&store, "d")?;
        assert_eq!(pending(&store, "d")?, []);
        let left = "SELECT count(*) FROM intent_parts";
        assert_eq!(store.connection.query_row(left, [], |row| row.get(0)), Ok(0));
        Ok(())
    }

    #[test]
    fn what_is_known_of_each_side_is_noted() -> Result<()> {
        let store = Store::in_memory(std::path::Path::new("."))?;
        let sides = ["bot", "central", "website"].map(|side| Intent { side: side.into(), ..intent(0) });
        let [bot, central, website] = &sides;
        declare(&store, 1, &[bot, central, website])?;
        let known = |store: &Store| -> Result<Vec<Progress>> {
            Ok(pending(store, "d")?.into_iter().map(|(_, progress)| progress).collect())
        };
        decide(&store, central)?;
        withdraw(&store, "d")?;
        assert_eq!(known(&store)?, [Progress::Decided, Progress::Written, Progress::Decided]);
        note(&store, &[(bot, Written::No), (website, Written::Yes)])?;
        assert_eq!(known(&store)?, [Progress::Unwritten, Progress::Written, Progress::Written]);
        Ok(())
    }

    #[test]
    fn the_intents_of_the_first_version_are_read() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let old = intent(1);
        let mut blob = Vec::new();
        encode(&old, &mut |part| blob.extend_from_slice(part));
        blob[0] = 1;
        let store = Store::open(directory.path())?;
        store.connection.execute("INSERT INTO intents VALUES ('d', 'bot', '1', 0, ?1)", [blob])?;
        drop(store);
        let store = Store::open(directory.path())?;
        assert_eq!(pending(&store, "d")?, [(old, Progress::Declared)]);
        Ok(())
    }
}
