//! Reading a write-ahead log: how far it reaches, and which pages a transaction put into it.
//!
//! Apart from `native`, which hands out the bytes, and from `page`, which reads what is on a page. Whatever the bytes
//! are, nothing here panics or reads beyond them. Source: the WAL file format and the wal-index format of SQLite
//! (sqlite.org/fileformat2.html section 4, sqlite.org/walformat.html section 2).

use std::collections::HashMap;

use rusqlite::Connection;

use super::{native, open};

/// How far a log reached at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// What tells one log from the next that is written over it, as its header has it.
    pub(crate) salts: [u8; 8],
    /// The last frame that was committed.
    pub(crate) frames: u32,
}

/// What became of a log after a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Since {
    /// Nothing was committed.
    Nothing,
    /// The first transaction after it put these pages there, each as it was at the end of the transaction.
    Pages(Vec<Vec<u8>>),
    /// The log was empty, or has been started anew since. Its first transaction put these pages there, and may not be
    /// the first after the position.
    Restarted(Vec<Vec<u8>>),
    /// Nothing is known any more.
    Unknown,
}

/// The salts of a log that nobody has written to yet. The next one looks the same, after its owner has left and taken this
/// one along.
const NO_SALTS: [u8; 8] = [0; 8];
/// Bytes before the first frame.
const LOG_HEADER: u64 = 32;
/// Bytes before the page of each frame.
const FRAME_HEADER: usize = 24;
/// How much of one transaction is looked at (bytes); a larger one is not worth its memory.
const BYTES_AT_MOST: usize = 16 << 20;

/// How far the log of `main` reaches. The caller holds a transaction; `None` where there is no log.
pub(crate) fn position(connection: &Connection) -> Option<Position> {
    Some(header(connection)?.position)
}

/// The part of a wal-index header that is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// How far the log reaches.
    pub(crate) position: Position,
    /// Bytes of a page; 0 where nobody has written to the log yet.
    pub(crate) page_size: usize,
    /// Pages of the database.
    pub(crate) pages: u32,
    /// The checksum of the last frame, as it stands there.
    pub(crate) checksum: [u8; 8],
}

/// What the wal-index of `main` says now. The caller holds a transaction, or has had one on this connection; `None` where
/// there is no log.
pub(crate) fn header(connection: &Connection) -> Option<Header> {
    // Asked for the index of a database without a log, SQLite would make one.
    if !open::is_wal(connection).ok()? {
        return None;
    }
    parse(&native::index_header(connection)?)
}

/// Reads a wal-index header of two equal copies.
pub(super) fn parse(bytes: &[u8]) -> Option<Header> {
    let (first, second) = (bytes.get(..48)?, bytes.get(48..96)?);
    // Byte 12 tells whether it is filled in.
    if first != second || first.get(12) == Some(&0) {
        return None;
    }
    let size = u16::from_ne_bytes(first.get(14..16)?.try_into().ok()?);
    let page_size = match size {
        1 => 65_536,
        // Nobody has written to this log yet.
        0 => 0,
        size if size >= 512 && size.is_power_of_two() => usize::from(size),
        _ => return None,
    };
    let frames = u32::from_ne_bytes(first.get(16..20)?.try_into().ok()?);
    let pages = u32::from_ne_bytes(first.get(20..24)?.try_into().ok()?);
    // Two numbers, here as this machine writes them, in frames with the first byte first.
    let mut checksum: [u8; 8] = first.get(24..32)?.try_into().ok()?;
    if cfg!(target_endian = "little") {
        checksum.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    }
    let salts = first.get(32..40)?.try_into().ok()?;
    Some(Header { position: Position { salts, frames }, page_size, pages, checksum })
}

/// What was committed after a position. The caller holds a transaction, so that the log stays as it is.
pub(crate) fn since(connection: &Connection, then: Position) -> Since {
    let Some(Header { position: now, page_size, .. }) = header(connection) else { return Since::Unknown };
    if then.salts != NO_SALTS && now.salts == then.salts {
        return match now.frames.cmp(&then.frames) {
            std::cmp::Ordering::Equal => Since::Nothing,
            std::cmp::Ordering::Less => Since::Unknown,
            std::cmp::Ordering::Greater => first_transaction(connection, now, page_size, then.frames)
                .map_or(Since::Unknown, Since::Pages),
        };
    }
    if (then.salts == NO_SALTS || follows(then.salts, now.salts)) && now.frames > 0 {
        return first_transaction(connection, now, page_size, 0).map_or(Since::Unknown, Since::Restarted);
    }
    Since::Unknown
}

/// Whether a log is the next one: a restart adds one to the first salt and draws the second.
fn follows(then: [u8; 8], now: [u8; 8]) -> bool {
    let first = |salts: [u8; 8]| u32::from_be_bytes([salts[0], salts[1], salts[2], salts[3]]);
    first(then).wrapping_add(1) == first(now)
}

/// Where a frame begins; they are counted from 0.
fn offset(frame: u32, page_size: usize) -> Option<i64> {
    let length = u64::try_from(FRAME_HEADER + page_size).ok()?;
    i64::try_from(LOG_HEADER.checked_add(u64::from(frame).checked_mul(length)?)?).ok()
}

/// Reads the page of a frame, unless it is one of another page or of another log.
pub(crate) fn read_frame(
    connection: &Connection,
    of: &Header,
    (frame, number): (u32, u32),
    page: &mut [u8],
) -> Option<()> {
    let at = offset(frame, of.page_size)?;
    let mut head = [0; FRAME_HEADER];
    native::read_log(connection, at, &mut head)?;
    let is_it = head.get(..4)? == number.to_be_bytes() && head.get(8..16)? == of.position.salts;
    is_it.then_some(())?;
    native::read_log(connection, at.checked_add(i64::try_from(FRAME_HEADER).ok()?)?, page)
}

/// Where the log of `main` has each page last: its frame by its number. The caller holds a transaction that began when the
/// wal-index said this. `None` where the log is not the one that it speaks of. `each` is asked before each frame whether to go
/// on.
pub(crate) fn frames<E>(
    connection: &Connection,
    of: &Header,
    mut each: impl FnMut() -> Result<(), E>,
) -> Result<Option<HashMap<u32, u32>>, E> {
    let mut found = HashMap::new();
    let mut head = [0; FRAME_HEADER];
    for frame in 0..of.position.frames {
        each()?;
        let Some(number) = frame_head(connection, of, frame, &mut head) else { return Ok(None) };
        found.insert(number, frame);
    }
    // Checksums go on from frame to frame, so that the last one stands for all of them.
    let is_it = of.position.frames == 0
        || (head.get(16..24) == Some(&of.checksum) && head.get(4..8) == Some(&of.pages.to_be_bytes()));
    Ok(is_it.then_some(found))
}

/// Reads what stands before the page of a frame; the number of that page, unless it is a frame of another log.
fn frame_head(
    connection: &Connection,
    of: &Header,
    frame: u32,
    head: &mut [u8; FRAME_HEADER],
) -> Option<u32> {
    native::read_log(connection, offset(frame, of.page_size)?, head)?;
    let number = u32::from_be_bytes(head.get(..4)?.try_into().ok()?);
    (head.get(8..16)? == of.position.salts).then_some(number)
}

/// The pages of the transaction that begins after `skip` frames.
fn first_transaction(
    connection: &Connection,
    now: Position,
    page_size: usize,
    skip: u32,
) -> Option<Vec<Vec<u8>>> {
    if page_size == 0 {
        return None;
    }
    let mut pages: std::collections::BTreeMap<u32, Vec<u8>> = std::collections::BTreeMap::new();
    for frame in skip..now.frames {
        let offset = offset(frame, page_size)?;
        let mut bytes = vec![0; FRAME_HEADER + page_size];
        native::read_log(connection, offset, &mut bytes)?;
        let (head, page) = bytes.split_at_checked(FRAME_HEADER)?;
        // A frame of an older log that nothing has written over: then the index does not speak of this file.
        if head.get(8..16)? != now.salts {
            return None;
        }
        let number = u32::from_be_bytes(head.get(0..4)?.try_into().ok()?);
        pages.insert(number, page.to_vec());
        // The size of the database after a commit; zero in all other frames.
        if head.get(4..8)? != [0; 4] {
            return Some(pages.into_values().collect());
        }
        if pages.len().saturating_mul(page_size) > BYTES_AT_MOST {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Result<(tempfile::TempDir, Connection), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let connection = Connection::open(directory.path().join("a.db"))?;
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.execute_batch("PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(a)")?;
        Ok((directory, connection))
    }

    fn look<T>(connection: &Connection, of: impl FnOnce(&Connection) -> T) -> rusqlite::Result<T> {
        let transaction = connection.unchecked_transaction()?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let found = of(connection);
        transaction.commit()?;
        Ok(found)
    }

    #[test]
    fn a_position_moves_with_every_transaction() -> Result<(), Box<dyn std::error::Error>> {
        let (directory, connection) = database()?;
        let then = look(&connection, position)?.ok_or("no log")?;
        assert_eq!(look(&connection, |c| since(c, then))?, Since::Nothing);
        let other = Connection::open(directory.path().join("a.db"))?;
        other.execute_batch("INSERT INTO t VALUES ('first'); INSERT INTO t VALUES ('second')")?;
        let Since::Pages(pages) = look(&connection, |c| since(c, then))? else {
            return Err("no pages".into());
        };
        let has =
            |text: &str| pages.iter().any(|page| page.windows(text.len()).any(|w| w == text.as_bytes()));
        assert!(has("first") && !has("second"), "only the first transaction counts");
        let now = look(&connection, position)?.ok_or("no log")?;
        assert!(now.salts == then.salts && now.frames > then.frames);
        Ok(())
    }

    #[test]
    fn a_log_that_was_started_anew_is_told() -> Result<(), Box<dyn std::error::Error>> {
        let (directory, connection) = database()?;
        let then = look(&connection, position)?.ok_or("no log")?;
        let other = Connection::open(directory.path().join("a.db"))?;
        other.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
        other.execute_batch("INSERT INTO t VALUES ('first')")?;
        assert!(matches!(look(&connection, |c| since(c, then))?, Since::Restarted(_)));
        other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        other.execute_batch("INSERT INTO t VALUES ('second')")?;
        assert_eq!(look(&connection, |c| since(c, then))?, Since::Unknown);
        Ok(())
    }

    #[test]
    fn a_log_begins_empty() -> Result<(), Box<dyn std::error::Error>> {
        let (directory, connection) = database()?;
        drop(connection);
        let connection = Connection::open(directory.path().join("a.db"))?;
        connection.execute_batch("PRAGMA wal_autocheckpoint = 0")?;
        let then = look(&connection, position)?.ok_or("no log")?;
        assert_eq!(then, Position { salts: NO_SALTS, frames: 0 });
        assert_eq!(
            look(&connection, |c| since(c, then))?,
            Since::Unknown,
            "its owner may have come and gone"
        );
        connection.execute_batch("INSERT INTO t VALUES ('first')")?;
        assert!(matches!(look(&connection, |c| since(c, then))?, Since::Restarted(_)));
        Ok(())
    }

    #[test]
    fn a_spilled_and_rolled_back_transaction_is_none() -> Result<(), Box<dyn std::error::Error>> {
        let (directory, connection) = database()?;
        let then = look(&connection, position)?.ok_or("no log")?;
        let other = Connection::open(directory.path().join("a.db"))?;
        other.execute_batch(
            "PRAGMA cache_size = 2; BEGIN;
             INSERT INTO t WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 300)
             SELECT randomblob(900) FROM n",
        )?;
        assert_eq!(look(&connection, |c| since(c, then))?, Since::Nothing);
        other.execute_batch("ROLLBACK")?;
        assert_eq!(look(&connection, |c| since(c, then))?, Since::Nothing);
        Ok(())
    }

    #[test]
    fn other_databases_have_no_log() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let connection = Connection::open(directory.path().join("a.db"))?;
        connection.execute_batch("CREATE TABLE t(a)")?;
        assert_eq!(look(&connection, position)?, None);
        assert_eq!(std::fs::read_dir(directory.path())?.count(), 1, "nothing is made beside it");
        assert_eq!(look(&Connection::open_in_memory()?, position)?, None);
        assert_eq!(parse(&[0; 96]), None);
        assert_eq!(parse(&[1; 95]), None);
        Ok(())
    }
}
