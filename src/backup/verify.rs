//! Whether a snapshot is sound: SQLite's own check of its structure.
//!
//! Apart from `snapshot` and `restore`, which both ask. Only reads; a snapshot is opened such that nothing appears
//! beside it. Rows that break a constraint of their own table are the owner's business and no damage.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use crate::error::{Error, ErrorKind};

use super::copy;

/// How many complaints are read at most. Those about rows are passed over, and must not hide one about structure.
const COMPLAINTS: u32 = 1_000_000;

/// How many complaints are told: a file can have as many as it has pages.
const TOLD: usize = 4;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It can be restored.
    Sound,
    /// It cannot, and why.
    Damaged(String),
}

/// Checks a snapshot that nobody writes.
pub(crate) fn file(path: &Path) -> Verdict {
    if let Some(reason) = disturbed(path) {
        return Verdict::Damaged(reason);
    }
    match copy::frozen(path).and_then(|connection| connection_is_sound(&connection)) {
        Ok(verdict) => verdict,
        Err(cause) => Verdict::Damaged(cause.to_string()),
    }
}

/// Why a file is not all there is of a database: a journal beside it has the rest.
pub(crate) fn disturbed(path: &Path) -> Option<String> {
    ["-wal", "-journal"].into_iter().find_map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let beside = std::fs::symlink_metadata(&name).ok()?;
        let name = Path::new(&name).display();
        (beside.len() > 0)
            .then(|| format!("somebody has written to it and not finished: {name} lies beside it"))
    })
}

/// Checks what an open connection shows.
pub(crate) fn connection_is_sound(connection: &Connection) -> rusqlite::Result<Verdict> {
    match complaint(connection, &format!("PRAGMA quick_check({COMPLAINTS})")) {
        // A schema that names what only its owner's program has: whatever else can be checked is.
        Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::Unknown) => table_by_table(connection),
        checked => checked,
    }
}

fn table_by_table(connection: &Connection) -> rusqlite::Result<Verdict> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let tables: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for table in tables {
        let quoted = table.replace('\'', "''");
        let checked = match complaint(connection, &format!("PRAGMA quick_check('{quoted}')")) {
            Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::Unknown) => {
                read_through(connection, &table)
            }
            checked => checked,
        };
        match checked? {
            Verdict::Sound => {}
            damaged @ Verdict::Damaged(_) => return Ok(damaged),
        }
    }
    Ok(Verdict::Sound)
}

/// Reads every row of a table; one that cannot even be read so, as a virtual one without its module, holds nothing.
fn read_through(connection: &Connection, table: &str) -> rusqlite::Result<Verdict> {
    let sql = format!("SELECT * FROM main.\"{}\" NOT INDEXED", table.replace('"', "\"\""));
    let Ok(mut statement) = connection.prepare(&sql) else { return Ok(Verdict::Sound) };
    let mut rows = statement.query([])?;
    loop {
        match rows.next() {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(Verdict::Sound),
            Err(cause) => return damage(cause),
        }
    }
}

/// The first complaint about structure.
fn complaint(connection: &Connection, sql: &str) -> rusqlite::Result<Verdict> {
    let mut statement = match connection.prepare(sql) {
        Ok(statement) => statement,
        Err(cause) => return damage(cause),
    };
    let mut rows = match statement.query([]) {
        Ok(rows) => rows,
        Err(cause) => return damage(cause),
    };
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                let line: String = row.get(0)?;
                if line != "ok" && !is_about_a_row(&line) {
                    return Ok(Verdict::Damaged(in_short(&line)));
                }
            }
            Ok(None) => return Ok(Verdict::Sound),
            Err(cause) => return damage(cause),
        }
    }
}

fn damage(cause: rusqlite::Error) -> rusqlite::Result<Verdict> {
    match cause.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Ok(Verdict::Damaged(cause.to_string())),
        _ => Err(cause),
    }
}

/// The first of the complaints, and how many there are beyond them.
fn in_short(lines: &str) -> String {
    let mut lines = lines.lines();
    let told: Vec<&str> = lines.by_ref().take(TOLD).collect();
    match lines.count() {
        0 => told.join("; "),
        more => format!("{}; and {more} more", told.join("; ")),
    }
}

/// "NULL value in t.x", "TEXT value in t.x": a row that its table would not take today.
fn is_about_a_row(line: &str) -> bool {
    let mut words = line.split(' ');
    let _kind = words.next();
    (words.next() == Some("value") && words.next() == Some("in"))
        || line.starts_with("CHECK constraint failed in ")
}

/// The error for a snapshot that must not be used.
pub(crate) fn refusal(path: &Path, reason: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the backup is not sound ({reason}):"))
        .at(path)
        .hint("nothing was changed; `backups` lists others, and `verify` says which of them are sound")
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use super::*;

    /// A database of one table with so many rows that it has many pages.
    fn made(path: &Path, schema: &str) -> Result<(), Box<dyn std::error::Error>> {
        let connection = Connection::open(path)?;
        connection.execute_batch(&format!(
            "{schema}; INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             SELECT i, printf('%0100d', i) FROM n"
        ))?;
        Ok(())
    }

    fn overwrite(path: &Path, at: u64) -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&[0x5a; 4096])
    }

    #[test]
    fn damage_is_found() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a.db");
        made(&path, "CREATE TABLE t(id INTEGER PRIMARY KEY, x)")?;
        assert_eq!(file(&path), Verdict::Sound);
        overwrite(&path, 8192)?;
        assert!(matches!(file(&path), Verdict::Damaged(_)));
        overwrite(&path, 0)?;
        assert_eq!(file(&path), Verdict::Damaged("file is not a database".into()));
        std::fs::remove_file(&path)?;
        assert!(matches!(file(&path), Verdict::Damaged(reason) if reason.contains("unable to open")));
        Ok(())
    }

    #[test]
    fn many_complaints_are_told_in_short() {
        assert_eq!(in_short("a"), "a");
        assert_eq!(in_short("a\nb\nc\nd"), "a; b; c; d");
        assert_eq!(in_short("a\nb\nc\nd\ne\nf"), "a; b; c; d; and 2 more");
    }

    #[test]
    fn an_unknown_collation_hides_no_damage() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a.db");
        made(&path, "CREATE TABLE t(id INTEGER PRIMARY KEY, x)")?;
        let connection = Connection::open(&path)?;
        connection.execute_batch(
            "CREATE TABLE u(x); CREATE INDEX u_x ON u(x); PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = 'CREATE INDEX u_x ON u(x COLLATE theirs)' WHERE name = 'u_x'",
        )?;
        drop(connection);
        assert_eq!(file(&path), Verdict::Sound);
        overwrite(&path, 8192)?;
        assert!(matches!(file(&path), Verdict::Damaged(_)));
        Ok(())
    }

    #[test]
    fn rows_against_their_constraints_are_no_damage() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a.db");
        let connection = Connection::open(&path)?;
        connection.execute_batch(
            "CREATE TABLE t(a, b); INSERT INTO t VALUES (NULL, 5); PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a NOT NULL, b CHECK (b < 3))' WHERE name = 't'",
        )?;
        drop(connection);
        let plain: String = Connection::open(&path)?.query_row("PRAGMA quick_check", [], |row| row.get(0))?;
        assert_ne!(plain, "ok");
        assert_eq!(file(&path), Verdict::Sound);
        Ok(())
    }

    #[test]
    fn a_journal_beside_it_is_noticed() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a.db");
        made(&path, "CREATE TABLE t(id INTEGER PRIMARY KEY, x)")?;
        std::fs::write(directory.path().join("a.db-wal"), b"x")?;
        assert!(
            matches!(file(&path), Verdict::Damaged(reason) if reason.ends_with("a.db-wal lies beside it"))
        );
        Ok(())
    }
}
