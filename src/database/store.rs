//! The state database: what was merged, what is held, what was about to be written, and what happened.
//!
//! `<root>/sync_state/state.db` and the bases beside it are ours alone: full fsync, our schema, our pragmas.
//! Here are its schema and what is kept for later; `conflicts`, `history` and `replicas` have their own tables.
//! Apart from `record`, which knows what the entries mean. Whoever may write the directory may have damaged it;
//! a malformed entry counts as absent, which leads to an adoption and never to a deletion.

mod conflicts;
mod history;
mod replicas;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use crate::backup::verify;
use crate::durable;
use crate::error::{Error, ErrorKind, Result};

use super::beside;
use super::codec::Encoder;

pub(crate) use conflicts::{
    ConflictRows, FoundConflict, MERGED, RESOLVED, StoredConflict, UNCERTAIN, Undecided,
    decode_conflict_rows, encode_conflict_rows,
};
pub(crate) use history::{Held, Nearest, Outcome, PastRun, decode_touched, encode_touched};
pub(crate) use replicas::{
    Ids, Known, Overlay, OverlayEntry, ReplicaState, Seen, decode_overlay, encode_overlay,
};

/// Marks the file as ours (`cr0s`).
const APPLICATION_ID: i32 = 0x6372_3073;
/// What makes the schema of each version from the one before. A state of an older version goes through what it
/// lacks; versions are never taken back, so nothing here is ever changed, only added to.
const STEPS: [&str; 12] = [
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
    "
ALTER TABLE replicas ADD COLUMN left_as TEXT;
",
    "
CREATE TABLE touched_parts (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL, database TEXT NOT NULL, rows BLOB NOT NULL);
CREATE INDEX touched_parts_by_run ON touched_parts (run, database);
INSERT INTO touched_parts (run, database, rows) SELECT run, database, rows FROM touched ORDER BY run, database;
DROP TABLE touched;
",
    "
CREATE TABLE notices (
    database TEXT NOT NULL, \"table\" TEXT NOT NULL, reason TEXT NOT NULL, since TEXT NOT NULL,
    PRIMARY KEY (database, \"table\")) WITHOUT ROWID;
",
    "
ALTER TABLE replicas ADD COLUMN file TEXT;
",
    "
CREATE TABLE dropped (
    database TEXT NOT NULL, side TEXT NOT NULL, \"table\" TEXT NOT NULL COLLATE NOCASE,
    \"column\" TEXT NOT NULL COLLATE NOCASE, PRIMARY KEY (database, side, \"table\", \"column\")) WITHOUT ROWID;
",
    "
CREATE TABLE quarantines (
    database TEXT NOT NULL, side TEXT NOT NULL, reason TEXT NOT NULL, since TEXT NOT NULL,
    PRIMARY KEY (database, side)) WITHOUT ROWID;
ALTER TABLE databases ADD COLUMN said TEXT;
",
    "
ALTER TABLE replicas ADD COLUMN compared INTEGER;
",
    "
ALTER TABLE merged_tables ADD COLUMN behind INTEGER NOT NULL DEFAULT 0;
",
];

/// The open state database.
#[derive(Debug)]
pub(crate) struct Store {
    /// The connection; `record` attaches bases to it.
    pub(crate) connection: Connection,
    directory: PathBuf,
}

/// What a person can do about a state that is damaged. Never said of one that is only out of reach.
pub(crate) const DAMAGED: &str = "it is damaged: move it away, with its -journal, and keep both, as whoever runs the sync and \
     while no run is at work; the next run makes it again from what it finds and deletes nothing: of rows that differ both \
     are kept or they are conflicts, and what was deleted on one side since the last run comes back";

thread_local! {
    /// Which state this thread has opened last, as an error of SQLite does not say where it happened.
    static OPENED: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// Where the damage is that SQLite tells of, and what to do: in the state that this thread has opened last, unless that is sound.
pub(crate) fn damaged(error: Error) -> Error {
    let Some(path) = OPENED.with_borrow(Option::clone) else { return error };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let looked = Connection::open_with_flags(&path, flags).and_then(|state| {
        verify::connection_is_sound(&state).map(|verdict| verdict == verify::Verdict::Sound)
    });
    let error = error.at(&path);
    match looked {
        Ok(true) => {
            error.hint("it is sound itself: run `verify`, which says what beside it (bases/) is damaged")
        }
        Ok(false) => error.hint(DAMAGED),
        Err(cause) if is_damage(&cause) => error.hint(DAMAGED),
        Err(_) => error.hint("run `verify`, which says what is damaged"),
    }
}

/// Whether SQLite says that a file is no longer what it wrote.
pub(crate) fn is_damage(cause: &rusqlite::Error) -> bool {
    matches!(cause.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// The file name of the state database.
pub(crate) const FILE: &str = "state.db";

/// A cell that has been taken back too often: table, encoded identity of its row, column.
pub(crate) type Bouncing = (String, Vec<u8>, String);

/// How often in a row a cell may be taken back before its changes no longer travel.
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
    /// In how many runs in a row what was written to it had been taken back until then.
    pub(crate) times: i64,
}

/// What is remembered of a cell that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Noted {
    /// The side that it was written on.
    pub(crate) side: String,
    /// The identity of its row, encoded.
    pub(crate) key: Vec<u8>,
    /// Column name.
    pub(crate) column: String,
    /// What it was, encoded.
    pub(crate) before: Vec<u8>,
    /// In how many runs in a row it had been taken back until then.
    pub(crate) times: i64,
    /// The run that wrote it last.
    pub(crate) run: i64,
}

impl Store {
    /// Opens or creates the state of a root. The caller holds the run lock when it is going to write.
    pub(crate) fn open(directory: &Path) -> Result<Store> {
        let path = directory.join(FILE);
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
        let path = directory.join(FILE);
        let fail = |cause: rusqlite::Error| {
            // What is only out of reach is not lost. Whose it is, the caller looks.
            let hint = match is_damage(&cause) {
                true => DAMAGED,
                false => {
                    "see what is wrong with it, as root: run doctor; leave it where it is, as without it what was deleted comes back"
                }
            };
            Error::new(ErrorKind::Io, "cannot open the state database").at(&path).because(cause).hint(hint)
        };
        OPENED.set(Some(path.clone()));
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
        let path = directory.join(FILE);
        match std::fs::metadata(&path) {
            Ok(_) => Store::open(directory).map(Some),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            // What cannot be seen is not the same as nothing.
            Err(cause) => Err(Error::io("look at the state database", &path, cause)
                .hint("run as a user who may read the state, or as the one who runs the sync")),
        }
    }

    /// Removes the super-journals that killed runs have left beside the state. One counts as long as a journal names it
    /// (SQLite, atomic commit): without any journal of ours none does. The caller holds the run lock, so that nobody else makes
    /// one.
    pub(crate) fn sweep_super_journals(&self) {
        let all = [self.directory.clone(), self.directory.join("bases")];
        if !all.iter().all(|directory| has_no_journal(directory)) {
            return;
        }
        for path in super_journals(&self.directory) {
            // One that cannot be removed is tried again next time.
            let _ = std::fs::remove_file(path);
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

    /// Where all of the state lies.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the state itself lies.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    /// Where a base file lies.
    pub(crate) fn base_path(&self, file: &str) -> PathBuf {
        self.directory.join("bases").join(file)
    }

    /// Notes that cells were written: what they were before, and how often in a row they had been taken back. Cells
    /// that were not written in the last runs are forgotten, unless they wait for a person.
    pub(crate) fn note_bounces(
        &self,
        database: &str,
        side: &str,
        run: i64,
        cells: &[Bounce],
    ) -> rusqlite::Result<()> {
        let mut note = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO bounces VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        for cell in cells {
            let Bounce { table, key, column, before, times } = cell;
            note.execute(params![database, side, table, key, column, before, times, run])?;
        }
        self.connection
            .prepare_cached("DELETE FROM bounces WHERE database = ?1 AND run < ?2 AND times < ?3")?
            .execute(params![database, run.saturating_sub(BOUNCE_RUNS), BOUNCE_TIMES])
            .map(drop)
    }

    /// What is remembered of the cells of a table that were written lately, but for those that wait for a person: when
    /// one of those is written, it is because it was decided.
    pub(crate) fn noted(&self, database: &str, table: &str) -> rusqlite::Result<Vec<Noted>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT side, key, \"column\", before, times, run FROM bounces
             WHERE database = ?1 AND \"table\" = ?2 AND times < ?3",
        )?;
        let rows = statement.query_map(params![database, table, BOUNCE_TIMES], |row| {
            Ok(Noted {
                side: row.get(0)?,
                key: row.get(1)?,
                column: row.get(2)?,
                before: row.get(3)?,
                times: row.get(4)?,
                run: row.get(5)?,
            })
        })?;
        rows.collect()
    }

    /// Cells that have been taken back too often: table, key and column.
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

/// Whether no journal lies in a directory; not where that cannot be seen.
fn has_no_journal(directory: &Path) -> bool {
    let is_none = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| !entry.file_name().as_bytes().ends_with(b"-journal"))
    };
    match std::fs::read_dir(directory) {
        Ok(mut entries) => entries.all(is_none),
        Err(cause) => cause.kind() == std::io::ErrorKind::NotFound,
    }
}

/// The super-journals beside the state: a killed run leaves one, and the next removes it.
pub(crate) fn super_journals(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_ours = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_bytes().starts_with(FILE.as_bytes()))
            && beside::is_name_of_super_journal(path)
    };
    entries.map(|entry| entry.path()).filter(is_ours).collect()
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
    fn super_journals_go_when_no_journal_can_name_them() -> std::result::Result<(), Box<dyn std::error::Error>>
    {
        let directory = tempfile::tempdir()?;
        let store = Store::open(directory.path())?;
        let at = |name: &str| directory.path().join(name);
        let (ours, others) =
            (["state.db-mj0123AB9CD", "state.db-mj000000900"], ["state.db-mjx", "users.db-mj0123AB9CD"]);
        std::fs::create_dir(at("bases"))?;
        for name in ours.iter().chain(&others).chain(&["bases/a.db-journal"]) {
            std::fs::write(at(name), "")?;
        }
        store.sweep_super_journals();
        assert_eq!(super_journals(directory.path()).len(), ours.len(), "a journal may name them");
        std::fs::remove_file(at("bases/a.db-journal"))?;
        store.sweep_super_journals();
        assert_eq!(super_journals(directory.path()), Vec::<PathBuf>::new());
        assert!(others.iter().all(|name| at(name).exists()), "what is not ours");
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
