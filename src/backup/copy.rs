//! Copying a database whole, and opening the copies.
//!
//! All copies go through SQLite's backup interface in one read transaction, so that a copy is one moment of its source. A copy
//! is ours alone until it is published; it never follows a link, since others may write the directory it lies in.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

use crate::interrupt;

/// After so many pages whoever waits is asked whether it goes on.
const PAGES: i32 = 1_000;

/// Copies a whole database as it is at one moment; `Busy` when the source or the target stays locked.
pub(crate) fn whole(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    if !from.is_autocommit() {
        return pages(from, to);
    }
    from.execute_batch("BEGIN")?;
    // The copy is of the moment of this read, which needs nothing of a schema that may be damaged.
    let copied = from.query_row("PRAGMA schema_version", [], |_| Ok(())).and_then(|()| pages(from, to));
    // Nothing was written; where it ended by itself this fails.
    let _ = from.execute_batch("ROLLBACK");
    copied
}

/// Copies what the source shows in the transaction that it is in.
fn pages(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    let backup = Backup::new(from, to)?;
    loop {
        match backup.step(PAGES)? {
            StepResult::Done => return Ok(()),
            StepResult::More => interrupt::check_sql()?,
            _ => return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)),
        }
    }
}

/// Copies into a file of ours that is there and empty. The copy has a rollback journal, whatever its source has:
/// it is one file, and needs nothing beside it.
pub(crate) fn fill(from: &Connection, path: &Path) -> rusqlite::Result<Connection> {
    let mut target = own(path)?;
    whole(from, &mut target)?;
    target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    Ok(target)
}

/// Opens a file of ours for writing.
fn own(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(without_links(path), flags)?;
    harden(&connection)?;
    Ok(connection)
}

/// Opens a file that nobody writes: nothing is locked and nothing appears beside it. What a journal beside it
/// holds is not seen, see [`super::verify::disturbed`].
pub(crate) fn frozen(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri(&without_links(path)), flags)?;
    harden(&connection)?;
    Ok(connection)
}

/// A copy may come from anywhere: no code in its schema runs.
fn harden(connection: &Connection) -> rusqlite::Result<()> {
    interrupt::attend(connection)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.execute_batch("PRAGMA mmap_size = 0; PRAGMA ignore_check_constraints = ON;")
}

/// The path with the links of its directory resolved: those were there before us, one in place of the file was not.
fn without_links(path: &Path) -> PathBuf {
    match (path.parent().and_then(|parent| std::fs::canonicalize(parent).ok()), path.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => path.to_path_buf(),
    }
}

fn uri(path: &Path) -> OsString {
    let mut uri = OsString::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/_.-".contains(byte) {
            uri.push(OsStr::from_bytes(&[*byte]));
        } else {
            uri.push(format!("%{byte:02X}"));
        }
    }
    uri.push("?immutable=1");
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_opened_as_they_are() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a b?c#d%20\u{e4}.db");
        Connection::open(&path)?.execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES (7)")?;
        let seven: i64 = frozen(&path)?.query_row("SELECT x FROM t", [], |row| row.get(0))?;
        assert_eq!(seven, 7);
        Ok(())
    }

    #[test]
    fn a_link_in_place_of_a_copy_is_not_followed() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let (real, link) = (directory.path().join("real.db"), directory.path().join("link.db"));
        Connection::open(&real)?.execute_batch("CREATE TABLE t(x)")?;
        std::os::unix::fs::symlink(&real, &link)?;
        assert!(own(&real).is_ok() && frozen(&real).is_ok());
        assert!(own(&link).is_err() && frozen(&link).is_err());
        Ok(())
    }

    #[test]
    fn a_copy_of_a_wal_database_is_one_file() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let live = Connection::open(directory.path().join("live.db"))?;
        live.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        live.execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES (7)")?;
        let path = directory.path().join("copy.db");
        std::fs::File::create(&path)?;
        drop(fill(&live, &path)?);
        let copy = frozen(&path)?;
        let mode: String = copy.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        let seven: i64 = copy.query_row("SELECT x FROM t", [], |row| row.get(0))?;
        assert_eq!((mode.as_str(), seven), ("delete", 7));
        assert!(!directory.path().join("copy.db-wal").exists());
        Ok(())
    }
}
