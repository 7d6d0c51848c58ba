//! The state database: what was merged, what is held, what was about to be written, and what happened.
//!
//! `<root>/sync_state/state.db` and the bases beside it are ours alone: full fsync, our schema, our pragmas.
//! Apart from `record`, which knows what the entries mean. Whoever may write the directory may have damaged it;
//! a malformed entry counts as absent, which leads to an adoption and never to a deletion.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::durable;
use crate::error::{Error, ErrorKind, Result};

use super::codec::{Decoder, Encoder, Malformed};
use super::model::Slot;
use super::undo::Touched;
use super::value::Row;

/// Marks the file as ours (`cr0s`).
const APPLICATION_ID: i32 = 0x6372_3073;
/// What makes the schema of each version from the one before. A state of an older version goes through what it
/// lacks; versions are never taken back, so nothing here is ever changed, only added to.
const STEPS: [&str; 4] = [
    "
CREATE TABLE replicas (
    database TEXT NOT NULL, side TEXT NOT NULL, base TEXT NOT NULL, epoch INTEGER NOT NULL, fingerprint TEXT,
    counter INTEGER, device INTEGER, PRIMARY KEY (database, side)) WITHOUT ROWID;
CREATE TABLE merged_tables (
    database TEXT NOT NULL, side TEXT NOT NULL, \"table\" TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (database, side, \"table\")) WITHOUT ROWID;
CREATE TABLE overlay (
    id INTEGER PRIMARY KEY, database TEXT NOT NULL, side TEXT NOT NULL, \"table\" TEXT NOT NULL, entry BLOB NOT NULL);
CREATE INDEX overlay_by_side ON overlay (database, side);
CREATE TABLE intents (
    database TEXT NOT NULL, side TEXT NOT NULL, run TEXT NOT NULL, decided INTEGER NOT NULL, intent BLOB NOT NULL,
    PRIMARY KEY (database, side)) WITHOUT ROWID;
CREATE TABLE touched (
    run INTEGER NOT NULL, database TEXT NOT NULL, \"table\" TEXT NOT NULL, rows BLOB NOT NULL,
    PRIMARY KEY (run, database, \"table\")) WITHOUT ROWID;
CREATE TABLE bounces (
    database TEXT NOT NULL, side TEXT NOT NULL, \"table\" TEXT NOT NULL COLLATE NOCASE, key BLOB NOT NULL,
    \"column\" TEXT NOT NULL COLLATE NOCASE, before BLOB NOT NULL, times INTEGER NOT NULL, run INTEGER NOT NULL,
    PRIMARY KEY (database, side, \"table\", key, \"column\")) WITHOUT ROWID;
CREATE TABLE conflicts (
    number INTEGER PRIMARY KEY AUTOINCREMENT, database TEXT NOT NULL, \"table\" TEXT NOT NULL, kind TEXT NOT NULL,
    fingerprint TEXT NOT NULL, winner TEXT NOT NULL, reason TEXT NOT NULL, status TEXT NOT NULL, run TEXT NOT NULL,
    at TEXT NOT NULL, rows BLOB NOT NULL, waits INTEGER NOT NULL);
CREATE INDEX conflicts_by_fingerprint ON conflicts (database, fingerprint);
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, kind TEXT NOT NULL, duration_ms INTEGER, report TEXT);
CREATE TABLE databases (
    database TEXT PRIMARY KEY, last_run TEXT, last_change TEXT, favoured TEXT) WITHOUT ROWID;
",
    "
ALTER TABLE databases ADD COLUMN unguarded INTEGER NOT NULL DEFAULT 0;
CREATE TABLE snapshots (
    path TEXT PRIMARY KEY, mark TEXT NOT NULL, sound INTEGER NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;
",
    "
CREATE TABLE companions (
    database TEXT NOT NULL, side TEXT NOT NULL, title TEXT NOT NULL, PRIMARY KEY (database, side, title)) WITHOUT ROWID;
",
    "
CREATE TABLE intent_parts (
    id INTEGER PRIMARY KEY, database TEXT NOT NULL, side TEXT NOT NULL, bytes BLOB NOT NULL);
CREATE INDEX intent_parts_by_side ON intent_parts (database, side);
",
];

/// The open state database.
#[derive(Debug)]
pub(crate) struct Store {
    /// The connection; `record` attaches bases to it.
    pub(crate) connection: Connection,
    directory: PathBuf,
}

/// What is remembered of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplicaState {
    /// File name of its base below `bases/`.
    pub(crate) base: String,
    /// The merge it took part in last.
    pub(crate) epoch: i64,
    /// Its files when nothing was left to do, if that could be told.
    pub(crate) fingerprint: Option<String>,
    /// Its change counter when it was last looked at, and the device its directory lay on.
    pub(crate) seen: Option<Seen>,
}

/// What was seen of a file, to notice that it is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The change counter of its header.
    pub(crate) counter: u32,
    /// The device of its directory.
    pub(crate) device: u64,
}

/// A cell that a side has taken back too often: table, encoded identity of its row, column.
pub(crate) type Bouncing = (String, Vec<u8>, String);

/// For how many runs it is remembered what they did, so that they can be taken back.
const UNDO_RUNS: i64 = 1_000;

/// How often in a row a side may take a cell back before its changes no longer travel.
const BOUNCE_TIMES: i64 = 3;
/// For how many runs a written cell is remembered: longer, and it was not taken back at once.
const BOUNCE_RUNS: i64 = 10;

/// One cell that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounce {
    /// Table name.
    pub(crate) table: String,
    /// The identity of its row, encoded.
    pub(crate) key: Vec<u8>,
    /// Column name.
    pub(crate) column: String,
    /// What it was, encoded.
    pub(crate) before: Vec<u8>,
}

/// Whether something adds to what is known, or is all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It adds.
    Before,
    /// It is all.
    Anew,
}

/// Where an ancestor differs from what the base holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OverlayEntry {
    /// A row with identity.
    Row {
        /// The ancestor.
        ancestor: Option<Row>,
        /// What the base holds instead.
        mirror: Option<(Slot, Row)>,
        /// The merged state.
        merged: Option<Row>,
        /// What a difference between the ids of ancestor and base means.
        ids: Ids,
    },
    /// A row without: by how many the base has more than the ancestor.
    Content {
        /// The row.
        row: Row,
        /// The difference.
        count: i64,
    },
}

/// What it means that a row has one id in the base and another in the ancestor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// The side changed it.
    Changed,
    /// The side knows the row under its own id until it is written.
    Translated,
}

/// One overlay entry with its table and the columns its rows are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Overlay {
    /// Table name.
    pub(crate) table: String,
    /// Column names of the rows.
    pub(crate) columns: Vec<String>,
    /// The entry.
    pub(crate) entry: OverlayEntry,
}

/// A run on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PastRun {
    /// Its number.
    pub(crate) number: i64,
    /// When it began.
    pub(crate) at: String,
    /// What was asked for.
    pub(crate) kind: String,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: u64,
    /// The databases' part of its report, as JSON.
    pub(crate) report: String,
}

/// A conflict as it is kept: rows whole, so that a loser can be taken back at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredConflict {
    /// Its number; 0 before it is stored.
    pub(crate) number: i64,
    /// Database name.
    pub(crate) database: String,
    /// Table name.
    pub(crate) table: String,
    /// Kind name.
    pub(crate) kind: String,
    /// Winner: a side, `merged` or `none`.
    pub(crate) winner: String,
    /// Why.
    pub(crate) reason: String,
    /// `open`, `held`, `acknowledged`, `resolved`.
    pub(crate) status: String,
    /// The run that found it.
    pub(crate) run: String,
    /// When.
    pub(crate) at: String,
    /// The rows.
    pub(crate) rows: ConflictRows,
}

impl StoredConflict {
    /// Whether a side had a row.
    pub(crate) fn has_row_on(&self, side: &str) -> bool {
        self.rows.values.iter().any(|(name, row)| name == side && row.is_some())
    }
}

/// The rows of a conflict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConflictRows {
    /// All column names.
    pub(crate) columns: Vec<String>,
    /// Names of the columns that identify the row.
    pub(crate) key: Vec<String>,
    /// Names of the columns that clash; empty means the whole row.
    pub(crate) clashing: Vec<String>,
    /// The row that identifies, in the merged state.
    pub(crate) identity: Option<Row>,
    /// The ancestor.
    pub(crate) base: Option<Row>,
    /// Every side's row.
    pub(crate) values: Vec<(String, Option<Row>)>,
    /// What it became.
    pub(crate) merged: Option<Row>,
}

impl Store {
    /// Opens or creates the state of a root. The caller holds the run lock when it is going to write.
    pub(crate) fn open(directory: &Path) -> Result<Store> {
        let path = directory.join("state.db");
        durable::private_file(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        Store::prepare(directory, Connection::open_with_flags(path, flags))
    }

    /// A state that remembers nothing and leaves nothing behind, for trying things out.
    pub(crate) fn in_memory(directory: &Path) -> Result<Store> {
        Store::prepare(directory, Connection::open_in_memory())
    }

    fn prepare(directory: &Path, connection: rusqlite::Result<Connection>) -> Result<Store> {
        let path = directory.join("state.db");
        let fail = |cause: rusqlite::Error| {
            Error::new(ErrorKind::Io, "cannot open the state database")
                .at(&path)
                .because(cause)
                .hint("if it is damaged, move the directory away: the next run adopts what it finds, deleting nothing")
        };
        let connection = connection.map_err(fail)?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(fail)?;
        super::open::harden(&connection).map_err(fail)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
        let version = version(&connection).map_err(fail)?;
        if version > STEPS.len() {
            let message = format!("the state has version {version}, newer than this library");
            return Err(Error::new(ErrorKind::Usage, message).at(&path).hint("update cr0sync"));
        }
        if version < STEPS.len() {
            upgrade(&connection).map_err(fail)?;
        }
        Ok(Store { connection, directory: directory.to_path_buf() })
    }

    /// Opens the state if there is any; for looking only.
    pub(crate) fn open_existing(directory: &Path) -> Result<Option<Store>> {
        let path = directory.join("state.db");
        match std::fs::metadata(&path) {
            Ok(_) => Store::open(directory).map(Some),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            // What cannot be seen is not the same as nothing.
            Err(cause) => Err(Error::io("look at the state database", &path, cause)
                .hint("run as a user who may read the state, or as the one who runs the sync")),
        }
    }

    /// Removes bases that nothing refers to any more.
    pub(crate) fn sweep_bases(&self) -> rusqlite::Result<()> {
        let intents: i64 = self.connection.query_row("SELECT count(*) FROM intents", [], |row| row.get(0))?;
        if intents > 0 {
            return Ok(());
        }
        let mut statement = self.connection.prepare_cached("SELECT base FROM replicas")?;
        let used: BTreeSet<String> =
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for entry in std::fs::read_dir(self.directory.join("bases")).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.ends_with(".db") && !used.contains(name)) {
                // One that cannot be removed is tried again next time.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Where a base file lies.
    pub(crate) fn base_path(&self, file: &str) -> PathBuf {
        self.directory.join("bases").join(file)
    }

    /// What is remembered of a replica.
    pub(crate) fn replica(&self, database: &str, side: &str) -> rusqlite::Result<Option<ReplicaState>> {
        self.connection
            .prepare_cached(
                "SELECT base, epoch, fingerprint, counter, device FROM replicas WHERE database = ?1 AND side = ?2",
            )?
            .query_row([database, side], |row| {
                let counter: Option<u32> = row.get(3)?;
                let device: Option<i64> = row.get(4)?;
                let seen = counter.zip(device).map(|(counter, device)| Seen { counter, device: u64::from_ne_bytes(device.to_ne_bytes()) });
                Ok(ReplicaState { base: row.get(0)?, epoch: row.get(1)?, fingerprint: row.get(2)?, seen })
            })
            .optional()
    }

    /// Remembers which base a replica has and which merge it took part in; what was seen of its file stays.
    pub(crate) fn set_replica(
        &self,
        database: &str,
        side: &str,
        base: &str,
        epoch: i64,
    ) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO replicas (database, side, base, epoch) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (database, side) DO UPDATE SET base = ?3, epoch = ?4, fingerprint = NULL",
            )?
            .execute(params![database, side, base, epoch])
            .map(drop)
    }

    /// Remembers what was seen of a replica's file.
    pub(crate) fn set_seen(&self, database: &str, side: &str, seen: Option<Seen>) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE replicas SET counter = ?3, device = ?4 WHERE database = ?1 AND side = ?2",
            )?
            .execute(params![
                database,
                side,
                seen.map(|seen| seen.counter),
                seen.map(|seen| i64::from_ne_bytes(seen.device.to_ne_bytes()))
            ])
            .map(drop)
    }

    /// Forgets all that is known of a replica: the next run adopts it.
    pub(crate) fn forget_replica(&self, database: &str, side: &str) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        for table in ["replicas", "overlay", "intents", "intent_parts", "merged_tables", "companions"] {
            self.connection
                .prepare_cached(&format!("DELETE FROM {table} WHERE database = ?1 AND side = ?2"))?
                .execute([database, side])?;
        }
        transaction.commit()
    }

    /// Remembers a replica that was just made from another: it has no edits, and was merged as far as that one.
    pub(crate) fn set_new_replica(
        &self,
        database: &str,
        side: &str,
        base: &str,
        epoch: i64,
        from: &str,
    ) -> rusqlite::Result<()> {
        self.forget_replica(database, side)?;
        let transaction = self.connection.unchecked_transaction()?;
        self.set_replica(database, side, base, epoch)?;
        self.connection
            .prepare_cached(
                "INSERT INTO merged_tables SELECT database, ?2, \"table\" FROM merged_tables
                 WHERE database = ?1 AND side = ?3",
            )?
            .execute([database, side, from])?;
        self.connection
            .prepare_cached(
                "INSERT INTO companions SELECT database, ?2, title FROM companions WHERE database = ?1 AND side = ?3",
            )?
            .execute([database, side, from])?;
        transaction.commit()
    }

    /// The titles of what stood beside the tables of a replica when it was last merged.
    pub(crate) fn companions(&self, database: &str, side: &str) -> rusqlite::Result<BTreeSet<String>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT title FROM companions WHERE database = ?1 AND side = ?2")?;
        statement.query_map([database, side], |row| row.get(0))?.collect()
    }

    /// Remembers them anew.
    pub(crate) fn set_companions<'t>(
        &self,
        database: &str,
        side: &str,
        titles: impl Iterator<Item = &'t String>,
    ) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("DELETE FROM companions WHERE database = ?1 AND side = ?2")?
            .execute([database, side])?;
        let mut insert =
            self.connection.prepare_cached("INSERT OR IGNORE INTO companions VALUES (?1, ?2, ?3)")?;
        for title in titles {
            insert.execute([database, side, title])?;
        }
        Ok(())
    }

    /// The tables of a replica that have been merged, in lower case. Others have no ancestor, whatever the base holds.
    pub(crate) fn merged_tables(&self, database: &str, side: &str) -> rusqlite::Result<BTreeSet<String>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT lower(\"table\") FROM merged_tables WHERE database = ?1 AND side = ?2")?;
        statement.query_map([database, side], |row| row.get(0))?.collect()
    }

    /// Notes that tables of a replica were merged; with a new base they are the only ones that were.
    pub(crate) fn set_merged_tables(
        &self,
        database: &str,
        side: &str,
        tables: &[String],
        known: Known,
    ) -> rusqlite::Result<()> {
        if known == Known::Anew {
            self.connection
                .prepare_cached("DELETE FROM merged_tables WHERE database = ?1 AND side = ?2")?
                .execute([database, side])?;
        }
        let mut insert =
            self.connection.prepare_cached("INSERT OR IGNORE INTO merged_tables VALUES (?1, ?2, ?3)")?;
        for table in tables {
            insert.execute([database, side, table])?;
        }
        Ok(())
    }

    /// Sets or clears the fingerprint alone.
    pub(crate) fn set_fingerprint(
        &self,
        database: &str,
        side: &str,
        fingerprint: Option<&str>,
    ) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE replicas SET fingerprint = ?3 WHERE database = ?1 AND side = ?2")?
            .execute(params![database, side, fingerprint])?;
        Ok(())
    }

    /// The overlay of a side; an empty name is the merged state itself.
    pub(crate) fn overlay(&self, database: &str, side: &str) -> rusqlite::Result<Vec<Overlay>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT \"table\", entry FROM overlay WHERE database = ?1 AND side = ?2 ORDER BY id",
        )?;
        let mut rows = statement.query([database, side])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            let table: String = row.get(0)?;
            let blob: Vec<u8> = row.get(1)?;
            entries.extend(decode_overlay(table, &blob));
        }
        Ok(entries)
    }

    /// Replaces the overlay of a side for some tables.
    pub(crate) fn set_overlay(
        &self,
        database: &str,
        side: &str,
        tables: &[String],
        entries: &[Overlay],
    ) -> rusqlite::Result<()> {
        let mut delete = self.connection.prepare_cached(
            "DELETE FROM overlay WHERE database = ?1 AND side = ?2 AND \"table\" = ?3 COLLATE NOCASE",
        )?;
        for table in tables {
            delete.execute([database, side, table])?;
        }
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO overlay (database, side, \"table\", entry) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for overlay in entries {
            insert.execute(params![database, side, overlay.table, encode_overlay(overlay)])?;
        }
        Ok(())
    }

    /// Notes that a cell was written: what it was before, and how often in a row a side had taken it back to that.
    /// Cells that were not written in the last runs are forgotten, unless they wait for a person.
    pub(crate) fn note_bounces(
        &self,
        database: &str,
        side: &str,
        run: i64,
        cells: &[Bounce],
    ) -> rusqlite::Result<()> {
        let mut note = self.connection.prepare_cached(
            "INSERT INTO bounces VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)
             ON CONFLICT DO UPDATE SET times = iif(before = ?6, times + 1, 0), before = ?6, run = ?7",
        )?;
        for cell in cells {
            note.execute(params![database, side, cell.table, cell.key, cell.column, cell.before, run])?;
        }
        self.connection
            .prepare_cached("DELETE FROM bounces WHERE database = ?1 AND run < ?2 AND times < ?3")?
            .execute(params![database, run - BOUNCE_RUNS, BOUNCE_TIMES])
            .map(drop)
    }

    /// Cells that a side has taken back too often: table, key and column.
    pub(crate) fn bouncing(&self, database: &str) -> rusqlite::Result<Vec<Bouncing>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT \"table\", key, \"column\" FROM bounces WHERE database = ?1 AND times >= ?2",
        )?;
        let rows = statement
            .query_map(params![database, BOUNCE_TIMES], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect()
    }

    /// Forgets how often cells came back that no longer wait for a person: all but these.
    pub(crate) fn forget_bounces(
        &self,
        database: &str,
        tables: &[String],
        still: &[Bouncing],
    ) -> rusqlite::Result<()> {
        for (table, key, column) in self.bouncing(database)? {
            let waits =
                still.iter().any(|(t, k, c)| t.eq_ignore_ascii_case(&table) && *k == key && *c == column);
            if !waits && tables.iter().any(|name| name.eq_ignore_ascii_case(&table)) {
                self.connection
                    .prepare_cached(
                        "DELETE FROM bounces WHERE database = ?1 AND \"table\" = ?2 AND key = ?3 AND \"column\" = ?4",
                    )?
                    .execute(params![database, table, key, column])?;
            }
        }
        Ok(())
    }

    /// Keeps what a run did to the merged state, and forgets that of runs long ago.
    pub(crate) fn keep_touched(&self, run: i64, database: &str, tables: &[Touched]) -> rusqlite::Result<()> {
        let mut keep =
            self.connection.prepare_cached("INSERT OR REPLACE INTO touched VALUES (?1, ?2, ?3, ?4)")?;
        for table in tables {
            keep.execute(params![run, database, table.table, encode_touched(table)])?;
        }
        self.connection
            .prepare_cached("DELETE FROM touched WHERE run < ?1")?
            .execute([run - UNDO_RUNS])
            .map(drop)
    }

    /// What a run did to the merged state of a database; tables that cannot be read any more are left out.
    pub(crate) fn touched(&self, run: i64, database: &str) -> rusqlite::Result<Vec<Touched>> {
        let mut statement =
            self.connection.prepare_cached("SELECT rows FROM touched WHERE run = ?1 AND database = ?2")?;
        let rows = statement.query_map(params![run, database], |row| row.get::<_, Vec<u8>>(0))?;
        let mut tables = Vec::new();
        for blob in rows {
            tables.extend(decode_touched(&blob?));
        }
        Ok(tables)
    }

    /// Stores a conflict. One that still waits is only brought up to date: its row may have changed where it does
    /// not clash. Returns whether it is new.
    pub(crate) fn add_conflict(&self, conflict: &StoredConflict) -> rusqlite::Result<bool> {
        let rows = encode_conflict_rows(&conflict.rows);
        let fingerprint = fingerprint_of(conflict);
        let known = self
            .connection
            .prepare_cached(
                "UPDATE conflicts SET rows = ?4
                 WHERE database = ?1 AND fingerprint = ?2 AND run <> ?3 AND waits AND status <> 'resolved'",
            )?
            .execute(params![conflict.database, fingerprint, conflict.run, rows])?;
        if known > 0 {
            return Ok(false);
        }
        self.connection
            .prepare_cached(
                "INSERT INTO conflicts
                 (database, \"table\", kind, fingerprint, winner, reason, status, run, at, rows, waits)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?7 = 'held')",
            )?
            .execute(params![
                conflict.database,
                conflict.table,
                conflict.kind,
                fingerprint,
                conflict.winner,
                conflict.reason,
                conflict.status,
                conflict.run,
                conflict.at,
                rows
            ])?;
        Ok(true)
    }

    /// Closes held conflicts of some tables that this run no longer found, where all sides they are about were there.
    pub(crate) fn close_held(
        &self,
        database: &str,
        tables: &[String],
        sides: &[String],
        still: &[StoredConflict],
    ) -> rusqlite::Result<()> {
        let still: BTreeSet<String> = still.iter().map(fingerprint_of).collect();
        let mut held = self.connection.prepare_cached(
            "SELECT number, fingerprint, \"table\", rows FROM conflicts
             WHERE database = ?1 AND waits AND status <> 'resolved'",
        )?;
        let rows: Vec<(i64, String, String, Vec<u8>)> = held
            .query_map([database], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (number, fingerprint, table, rows) in rows {
            let about = decode_conflict_rows(&rows).unwrap_or_default().values;
            let there = about.iter().filter(|(_, row)| row.is_some()).all(|(side, _)| sides.contains(side));
            if there
                && !still.contains(&fingerprint)
                && tables.iter().any(|name| name.eq_ignore_ascii_case(&table))
            {
                self.set_status(number, "resolved")?;
            }
        }
        Ok(())
    }

    /// All conflicts, oldest first.
    pub(crate) fn conflicts(&self) -> rusqlite::Result<Vec<StoredConflict>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, database, \"table\", kind, winner, reason, status, run, at, rows FROM conflicts ORDER BY number",
        )?;
        let mut rows = statement.query([])?;
        let mut conflicts = Vec::new();
        while let Some(row) = rows.next()? {
            let blob: Vec<u8> = row.get(9)?;
            conflicts.push(StoredConflict {
                number: row.get(0)?,
                database: row.get(1)?,
                table: row.get(2)?,
                kind: row.get(3)?,
                winner: row.get(4)?,
                reason: row.get(5)?,
                status: row.get(6)?,
                run: row.get(7)?,
                at: row.get(8)?,
                rows: decode_conflict_rows(&blob).unwrap_or_default(),
            });
        }
        Ok(conflicts)
    }

    /// How many conflicts of a database wait for a person.
    pub(crate) fn open_conflicts(&self, database: &str) -> rusqlite::Result<usize> {
        self.connection
            .prepare_cached(
                "SELECT count(*) FROM conflicts WHERE database = ?1 AND status IN ('open', 'held')",
            )?
            .query_row([database], |row| row.get::<_, i64>(0))
            .map(|count| usize::try_from(count).unwrap_or(0))
    }

    /// Changes the status of a conflict.
    pub(crate) fn set_status(&self, number: i64, status: &str) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE conflicts SET status = ?2 WHERE number = ?1")?
            .execute(params![number, status])?;
        Ok(())
    }

    /// The number that the next run gets.
    pub(crate) fn next_run(&self) -> rusqlite::Result<i64> {
        self.connection
            .prepare_cached("SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'runs'")?
            .query_row([], |row| row.get(0))
    }

    /// Puts a run on record.
    pub(crate) fn begin_run(&self, number: i64, at: &str, kind: &str) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO runs (number, at, kind) VALUES (?1, ?2, ?3)")?
            .execute(params![number, at, kind])
            .map(drop)
    }

    /// Closes a run: what it did, or nothing at all when it did nothing worth keeping. Notes when each database
    /// was looked at, and whether it changed.
    pub(crate) fn end_run(
        &self,
        number: i64,
        at: &str,
        duration_ms: u64,
        report: Option<&str>,
        databases: &[(&str, bool)],
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        match report {
            Some(report) => {
                let duration = i64::try_from(duration_ms).unwrap_or(i64::MAX);
                self.connection
                    .prepare_cached("UPDATE runs SET duration_ms = ?2, report = ?3 WHERE number = ?1")?
                    .execute(params![number, duration, report])?;
            }
            None => {
                self.connection.prepare_cached("DELETE FROM runs WHERE number = ?1")?.execute([number])?;
            }
        }
        let mut note = self.connection.prepare_cached(
            "INSERT INTO databases (database, last_run, last_change) VALUES (?1, ?2, iif(?3, ?2, NULL))
             ON CONFLICT (database) DO UPDATE SET last_run = ?2, last_change = iif(?3, ?2, last_change)",
        )?;
        for (database, changed) in databases {
            note.execute(params![database, at, changed])?;
        }
        drop(note);
        transaction.commit()
    }

    /// The runs on record, newest first.
    pub(crate) fn runs(&self) -> rusqlite::Result<Vec<PastRun>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, at, kind, coalesce(duration_ms, 0), coalesce(report, '{}') FROM runs ORDER BY number DESC",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(PastRun {
                number: row.get(0)?,
                at: row.get(1)?,
                kind: row.get(2)?,
                duration_ms: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
                report: row.get(4)?,
            })
        })?;
        rows.collect()
    }

    /// When a database was last looked at, and last changed.
    pub(crate) fn last(&self, database: &str) -> rusqlite::Result<(Option<String>, Option<String>)> {
        self.connection
            .prepare_cached("SELECT last_run, last_change FROM databases WHERE database = ?1")?
            .query_row([database], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map(Option::unwrap_or_default)
    }

    /// The side that wins the next clash of a database, after a restore or `sync-from`.
    pub(crate) fn favoured(&self, database: &str) -> rusqlite::Result<Option<String>> {
        self.connection
            .prepare_cached("SELECT favoured FROM databases WHERE database = ?1")?
            .query_row([database], |row| row.get(0))
            .optional()
            .map(Option::flatten)
    }

    /// Sets or clears the favoured side.
    pub(crate) fn set_favoured(&self, database: &str, side: Option<&str>) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO databases (database, favoured) VALUES (?1, ?2)
                 ON CONFLICT (database) DO UPDATE SET favoured = ?2",
            )?
            .execute(params![database, side])?;
        Ok(())
    }

    /// Whether the next merge of a database passes the guards once, after a restore.
    pub(crate) fn unguarded(&self, database: &str) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("SELECT unguarded FROM databases WHERE database = ?1")?
            .query_row([database], |row| row.get(0))
            .optional()
            .map(Option::unwrap_or_default)
    }

    /// Says whether the next merge passes the guards.
    pub(crate) fn set_unguarded(&self, database: &str, unguarded: bool) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO databases (database, unguarded) VALUES (?1, ?2)
                 ON CONFLICT (database) DO UPDATE SET unguarded = ?2",
            )?
            .execute(params![database, unguarded])
            .map(drop)
    }

    /// Whether a killed run of a database is to be finished.
    pub(crate) fn is_interrupted(&self, database: &str) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM intents WHERE database = ?1)")?
            .query_row([database], |row| row.get(0))
    }

    /// Where conflicts wait for a person: databases, and when they were found.
    pub(crate) fn waiting(&self) -> rusqlite::Result<Vec<(String, String)>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT DISTINCT database, at FROM conflicts WHERE status IN ('open', 'held')")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// What is remembered of a snapshot: whether it was found sound when its file was as `mark` says.
    pub(crate) fn was_sound(&self, path: &str, mark: &str) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("SELECT sound FROM snapshots WHERE path = ?1 AND mark = ?2")?
            .query_row([path, mark], |row| row.get(0))
            .optional()
            .map(Option::unwrap_or_default)
    }

    /// Remembers whether a snapshot was found sound.
    pub(crate) fn set_sound(&self, path: &str, mark: &str, sound: bool, at: &str) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO snapshots (path, mark, sound, at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![path, mark, sound, at])
            .map(drop)
    }

    /// Forgets a snapshot.
    pub(crate) fn forget_snapshot(&self, path: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached("DELETE FROM snapshots WHERE path = ?1")?.execute([path]).map(drop)
    }
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Brings a new or older state to the newest version, in one transaction; another process may be at it too.
fn upgrade(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let upgraded = version(connection).and_then(|version| {
        for step in STEPS.iter().skip(version) {
            connection.execute_batch(step)?;
        }
        connection.pragma_update(
            None,
            "user_version",
            i64::try_from(STEPS.len().max(version)).unwrap_or(i64::MAX),
        )?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.execute_batch("COMMIT")
    });
    if upgraded.is_err() {
        // Where SQLite has already ended the transaction, this fails, and nothing is left to undo.
        let _ = connection.execute_batch("ROLLBACK");
    }
    upgraded
}

fn encode_rows<'a>(columns: &[String]) -> Encoder<'a> {
    let mut encoder = Encoder::new();
    encoder.list(columns.iter(), |encoder, name| {
        encoder.text(name);
    });
    encoder
}

pub(crate) fn encode_overlay(overlay: &Overlay) -> Vec<u8> {
    let mut encoder = encode_rows(&overlay.columns);
    let row = |encoder: &mut Encoder<'_>, row: &Row| {
        encoder.row(row);
    };
    match &overlay.entry {
        OverlayEntry::Row { ancestor, mirror, merged, ids } => {
            let mirror = super::model::Write { old: mirror.clone(), new: None };
            let kind = match ids {
                Ids::Changed => 0,
                Ids::Translated => 2,
            };
            encoder.integer(kind).option(ancestor.as_ref(), row).option(merged.as_ref(), row).write(&mirror);
        }
        OverlayEntry::Content { row, count } => {
            encoder.integer(1).row(row).integer(*count);
        }
    }
    encoder.finish()
}

pub(crate) fn decode_overlay(table: String, blob: &[u8]) -> std::result::Result<Overlay, Malformed> {
    let mut decoder = Decoder::new(blob)?;
    let columns = decoder.list(Decoder::text)?;
    let entry = match decoder.integer()? {
        kind @ (0 | 2) => {
            let ancestor = decoder.option(Decoder::row)?;
            let merged = decoder.option(Decoder::row)?;
            let ids = if kind == 2 { Ids::Translated } else { Ids::Changed };
            OverlayEntry::Row { ancestor, merged, mirror: decoder.write()?.old, ids }
        }
        1 => OverlayEntry::Content { row: decoder.row()?, count: decoder.integer()? },
        _ => return Err(Malformed),
    };
    Ok(Overlay { table, columns, entry })
}

pub(crate) fn encode_touched(touched: &Touched) -> Vec<u8> {
    let mut encoder = encode_rows(&touched.columns);
    let row = |encoder: &mut Encoder<'_>, row: &Row| {
        encoder.row(row);
    };
    encoder.text(&touched.table).integer(touched.contents).list(
        touched.rows.iter(),
        |encoder, (before, after)| {
            encoder.option(before.as_ref(), row).option(after.as_ref(), row);
        },
    );
    encoder.finish()
}

pub(crate) fn decode_touched(blob: &[u8]) -> std::result::Result<Touched, Malformed> {
    let mut decoder = Decoder::new(blob)?;
    Ok(Touched {
        columns: decoder.list(Decoder::text)?,
        table: decoder.text()?,
        contents: decoder.integer()?,
        rows: decoder.list(|decoder| Ok((decoder.option(Decoder::row)?, decoder.option(Decoder::row)?)))?,
    })
}

pub(crate) fn encode_conflict_rows(rows: &ConflictRows) -> Vec<u8> {
    let mut encoder = encode_rows(&rows.columns);
    let text = |encoder: &mut Encoder<'_>, text: &String| {
        encoder.text(text);
    };
    let row = |encoder: &mut Encoder<'_>, row: &Row| {
        encoder.row(row);
    };
    encoder
        .list(rows.key.iter(), text)
        .list(rows.clashing.iter(), text)
        .option(rows.identity.as_ref(), row)
        .option(rows.base.as_ref(), row)
        .list(rows.values.iter(), |encoder, (side, value)| {
            encoder.text(side).option(value.as_ref(), row);
        })
        .option(rows.merged.as_ref(), row);
    encoder.finish()
}

pub(crate) fn decode_conflict_rows(blob: &[u8]) -> std::result::Result<ConflictRows, Malformed> {
    let mut decoder = Decoder::new(blob)?;
    Ok(ConflictRows {
        columns: decoder.list(Decoder::text)?,
        key: decoder.list(Decoder::text)?,
        clashing: decoder.list(Decoder::text)?,
        identity: decoder.option(Decoder::row)?,
        base: decoder.option(Decoder::row)?,
        values: decoder.list(|decoder| Ok((decoder.text()?, decoder.option(Decoder::row)?)))?,
        merged: decoder.option(Decoder::row)?,
    })
}

/// Names a conflict by the row and the columns that clash, so that a held one is not reported again each minute, nor
/// when its values change or a side is away.
fn fingerprint_of(conflict: &StoredConflict) -> String {
    use sha2::{Digest, Sha256};
    let rows = &conflict.rows;
    let key = |row: &Option<Row>| -> Option<Row> {
        let named = |name: &String| rows.key.is_empty() || rows.key.contains(name);
        let cells = row.as_ref()?.iter().zip(&rows.columns).filter(|(_, name)| named(name));
        Some(cells.map(|(cell, _)| cell.clone()).collect())
    };
    let named = ConflictRows {
        key: rows.key.clone(),
        clashing: rows.clashing.clone(),
        identity: key(&rows.identity),
        ..ConflictRows::default()
    };
    let rows = encode_conflict_rows(&named);
    let mut hash = Sha256::new();
    for part in [conflict.table.as_bytes(), conflict.kind.as_bytes(), &rows] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_the_first_version_is_upgraded_and_keeps_what_it_knows()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let old = Connection::open(directory.path().join("state.db"))?;
        old.execute_batch(STEPS[0])?;
        old.execute_batch(
            "PRAGMA user_version = 1; INSERT INTO databases (database, favoured) VALUES ('d', 'bot')",
        )?;
        drop(old);
        for _ in 0..2 {
            let store = Store::open(directory.path())?;
            assert_eq!(version(&store.connection)?, STEPS.len());
            assert_eq!((store.favoured("d")?.as_deref(), store.unguarded("d")?), (Some("bot"), false));
        }
        let store = Store::open(directory.path())?;
        store.set_unguarded("d", true)?;
        store.set_unguarded("e", true)?;
        assert_eq!((store.unguarded("d")?, store.favoured("d")?.as_deref()), (true, Some("bot")));
        assert_eq!((store.unguarded("e")?, store.unguarded("f")?), (true, false));
        Ok(())
    }

    #[test]
    fn a_state_from_the_future_is_refused() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        drop(Store::open(directory.path())?);
        let future = Connection::open(directory.path().join("state.db"))?;
        future.execute_batch(&format!("PRAGMA user_version = {}", STEPS.len() + 1))?;
        drop(future);
        assert_eq!(Store::open(directory.path()).err().map(|error| error.kind()), Some(ErrorKind::Usage));
        Ok(())
    }

    #[test]
    fn a_snapshot_is_known_until_its_file_changes() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let store = Store::open(directory.path())?;
        store.set_sound("/a", "1", true, "now")?;
        assert_eq!((store.was_sound("/a", "1")?, store.was_sound("/a", "2")?), (true, false));
        store.set_sound("/a", "2", false, "now")?;
        assert_eq!((store.was_sound("/a", "1")?, store.was_sound("/a", "2")?), (false, false));
        store.set_sound("/a", "2", true, "now")?;
        store.forget_snapshot("/a")?;
        assert!(!store.was_sound("/a", "2")?);
        Ok(())
    }
}
