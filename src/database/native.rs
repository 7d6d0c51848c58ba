//! The one call that rusqlite has no safe form for: reading a database's header through SQLite's own file handle.
//!
//! A descriptor of our own would do the same and, when closed, drop every lock this process holds on the file.
//! The only module of this crate that may contain `unsafe`. It reads, and never writes.
#![expect(unsafe_code, reason = "sqlite3_file has no safe wrapper")]

use rusqlite::{Connection, ffi};

/// Offset of the file change counter in the header (SQLite file format, section 1.3.9).
const CHANGE_COUNTER: i64 = 24;

/// The file change counter of `main`, which every transaction in rollback mode moves. The caller holds at least a
/// read transaction. `None` when the file cannot tell.
pub(crate) fn change_counter(connection: &Connection) -> Option<u32> {
    let mut file: *mut ffi::sqlite3_file = std::ptr::null_mut();
    let mut bytes = [0_u8; 4];
    // SAFETY: the connection is open and ours; FILE_POINTER stores a pointer to the open file of `main`, which
    // lives as long as the connection; xRead is given a buffer of the length it is told.
    let read = unsafe {
        let code = ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_FILE_POINTER,
            (&raw mut file).cast(),
        );
        if code != ffi::SQLITE_OK || file.is_null() || (*file).pMethods.is_null() {
            return None;
        }
        let read = (*(*file).pMethods).xRead?;
        read(file, bytes.as_mut_ptr().cast(), 4, CHANGE_COUNTER)
    };
    (read == ffi::SQLITE_OK).then(|| u32::from_be_bytes(bytes))
}

/// Whether the file of `main` has been renamed or removed since it was opened.
pub(crate) fn has_moved(connection: &Connection) -> bool {
    let mut moved: std::ffi::c_int = 0;
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
