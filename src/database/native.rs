//! The few calls that rusqlite has no safe form for: reading a database and its log through SQLite's own file handles.
//!
//! A descriptor of our own would do the same and, when closed, drop every lock this process holds on the file.
//! With `bytes` the only module of this crate that may contain `unsafe`. It reads, and never writes.
#![expect(unsafe_code, reason = "sqlite3_file has no safe wrapper")]

use std::ffi::{c_int, c_void};

use rusqlite::{Connection, ffi};

/// Offset of the version that a reader must know, in the header (SQLite file format, section 1.3.4).
const READ_VERSION: i64 = 19;
/// That of a database with a write-ahead log.
const WITH_LOG: u8 = 2;
/// Offset of the file change counter in the header (SQLite file format, section 1.3.9).
const CHANGE_COUNTER: i64 = 24;
/// Offset of the schema format number in the header (section 1.3.13).
const SCHEMA_FORMAT: i64 = 44;

/// A file that SQLite has open for a connection.
#[derive(Debug, Clone, Copy)]
enum Handle {
    /// The database.
    Database,
    /// Its write-ahead log, or its rollback journal.
    Log,
}

/// SQLite's handle of a file of `main`; `None` where it has none.
fn handle(connection: &Connection, which: Handle) -> Option<*mut ffi::sqlite3_file> {
    let mut file: *mut ffi::sqlite3_file = std::ptr::null_mut();
    let operation = match which {
        Handle::Database => ffi::SQLITE_FCNTL_FILE_POINTER,
        Handle::Log => ffi::SQLITE_FCNTL_JOURNAL_POINTER,
    };
    // SAFETY: the connection is open and ours; both operations store a pointer to a file object of `main`, which
    // lives as long as the connection. A file that is not open has no methods.
    unsafe {
        let code = ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            operation,
            (&raw mut file).cast::<c_void>(),
        );
        (code == ffi::SQLITE_OK && !file.is_null() && !(*file).pMethods.is_null()).then_some(file)
    }
}

fn read(connection: &Connection, which: Handle, offset: i64, bytes: &mut [u8]) -> Option<()> {
    let file = handle(connection, which)?;
    let length = c_int::try_from(bytes.len()).ok()?;
    // SAFETY: see `handle`; xRead is given a buffer of the length it is told.
    let code = unsafe {
        let read = (*(*file).pMethods).xRead?;
        read(file, bytes.as_mut_ptr().cast(), length, offset)
    };
    (code == ffi::SQLITE_OK).then_some(())
}

/// Whether the file of `main` says that a write-ahead log belongs to it.
pub(crate) fn keeps_log(connection: &Connection) -> bool {
    let mut version = [0];
    read(connection, Handle::Database, READ_VERSION, &mut version).is_some() && version == [WITH_LOG]
}

/// The file change counter of `main`, which every transaction in rollback mode moves. The caller holds at least a
/// read transaction. `None` when the file cannot tell.
pub(crate) fn change_counter(connection: &Connection) -> Option<u32> {
    field(connection, CHANGE_COUNTER)
}

/// How the schema of `main` is written; 4 since 2006, unless asked otherwise. Only what creates a file sets it.
pub(crate) fn schema_format(connection: &Connection) -> Option<u32> {
    field(connection, SCHEMA_FORMAT)
}

fn field(connection: &Connection, offset: i64) -> Option<u32> {
    let mut bytes = [0_u8; 4];
    read_database(connection, offset, &mut bytes)?;
    Some(u32::from_be_bytes(bytes))
}

/// Bytes of the file of `main` from an offset on, which are not what a transaction sees where there is a write-ahead log.
/// The caller holds at least a read transaction. `None` when there are not so many.
pub(crate) fn read_database(connection: &Connection, offset: i64, bytes: &mut [u8]) -> Option<()> {
    read(connection, Handle::Database, offset, bytes)
}

/// Bytes of the write-ahead log of `main` from an offset on. The caller holds at least a read transaction, so that the
/// log is open and does not start anew. `None` when there are not so many.
pub(crate) fn read_log(connection: &Connection, offset: i64, bytes: &mut [u8]) -> Option<()> {
    read(connection, Handle::Log, offset, bytes)
}

/// Bytes of the header at the start of a wal-index: two copies of it, 48 bytes each.
pub(crate) const INDEX_HEADER: usize = 96;
/// How SQLite maps a wal-index, in bytes: its first block, which it has mapped in any transaction (wal.c, `WALINDEX_PGSZ`).
const INDEX_BLOCK: c_int = 32_768;

/// The header of the wal-index of `main`. The caller holds at least a read transaction on a database in WAL mode: in any other
/// SQLite would make an index. `None` where the index is in the memory of one connection.
pub(crate) fn index_header(connection: &Connection) -> Option<[u8; INDEX_HEADER]> {
    let file = handle(connection, Handle::Database)?;
    let mut block: *mut c_void = std::ptr::null_mut();
    // SAFETY: see `handle`. A transaction in WAL mode has the first block mapped already, so that this only gives its
    // address (extend is 0: it makes nothing); it stays mapped until the connection closes. The header may be
    // written by another process while it is copied, which is why there are two of it: volatile reads, byte by byte.
    unsafe {
        if (*(*file).pMethods).iVersion < 2 {
            return None;
        }
        let map = (*(*file).pMethods).xShmMap?;
        if map(file, 0, INDEX_BLOCK, 0, &raw mut block) != ffi::SQLITE_OK || block.is_null() {
            return None;
        }
        let bytes = block.cast_const().cast::<u8>();
        let mut header = [0_u8; INDEX_HEADER];
        for (index, byte) in header.iter_mut().enumerate() {
            *byte = bytes.add(index).read_volatile();
        }
        Some(header)
    }
}

/// Whether the file of `main` has been renamed or removed since it was opened.
pub(crate) fn has_moved(connection: &Connection) -> bool {
    let mut moved: c_int = 0;
    // SAFETY: the connection is open and ours; HAS_MOVED stores an int.
    let code = unsafe {
        ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_HAS_MOVED,
            (&raw mut moved).cast(),
        )
    };
    code == ffi::SQLITE_OK && moved != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_moves_with_every_transaction() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a.db");
        let connection = Connection::open(&path)?;
        connection.execute_batch("CREATE TABLE t(a)")?;
        let first = change_counter(&connection);
        connection.execute_batch("INSERT INTO t VALUES (1)")?;
        let second = change_counter(&connection);
        assert!(first.is_some() && first.map(|count| count + 1) == second, "{first:?} {second:?}");
        assert!(!has_moved(&connection));
        std::fs::rename(&path, directory.path().join("b.db"))?;
        assert!(has_moved(&connection));
        Ok(())
    }
}
