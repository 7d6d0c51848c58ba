//! Rows as they lie on a page: taking a leaf apart, and the bytes that SQLite makes of a row.
//!
//! Apart from `log`, which finds the pages. A page may be anything: nothing here panics or reads beyond it. Source:
//! the b-tree page and record formats of SQLite (sqlite.org/fileformat2.html sections 1.6 and 2.1).

use super::schema::{Storage, Table};
use super::value::Value;

/// A row on a leaf: its row id, unless it lies in an index or a table without row ids, and its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Cell<'a> {
    /// The row id.
    pub(crate) rowid: Option<i64>,
    /// The record, when all of it is on the page.
    pub(crate) record: &'a [u8],
}

/// The rows of a page that lie on it whole; none where it is not a leaf. Together they are no longer than the page.
pub(crate) fn cells(page: &[u8]) -> Vec<Cell<'_>> {
    let mut found = Vec::new();
    // A page 1 begins with the header of the file.
    let start = if page.starts_with(b"SQLite format 3\0") { 100 } else { 0 };
    let has_rowid = match page.get(start) {
        Some(0x0d) => true,
        Some(0x0a) => false,
        _ => return found,
    };
    let Some(count) = number(page, start + 3) else { return found };
    let mut room = page.len();
    for index in 0..count {
        let Some(at) = number(page, start + 8 + 2 * index) else { break };
        let Some(cell) = cell(page, at, has_rowid) else { continue };
        // Where cells overlap it is no page, and all of them together could be long beyond measure.
        let Some(rest) = room.checked_sub(cell.record.len()) else { return Vec::new() };
        room = rest;
        found.push(cell);
    }
    found
}

fn number(page: &[u8], at: usize) -> Option<usize> {
    let bytes = page.get(at..at.checked_add(2)?)?;
    Some(usize::from(u16::from_be_bytes(bytes.try_into().ok()?)))
}

fn cell(page: &[u8], at: usize, has_rowid: bool) -> Option<Cell<'_>> {
    let (length, at) = varint(page, at)?;
    let length = usize::try_from(length).ok()?;
    let (rowid, at) = match has_rowid {
        true => varint(page, at).map(|(rowid, at)| (Some(rowid), at))?,
        false => (None, at),
    };
    // What is longer goes on elsewhere; the smallest threshold of all pages of this size is good for both kinds.
    if length > inline_at_most(page.len()) {
        return None;
    }
    Some(Cell { rowid, record: page.get(at..at.checked_add(length)?)? })
}

/// How long a record may be so that a page of any kind keeps all of it, whatever is reserved at the end of the page.
pub(crate) fn inline_at_most(page_size: usize) -> usize {
    // X of section 1.6 for indexes, with the largest reserve, 255 bytes.
    (page_size.saturating_sub(255 + 12) * 64 / 255).saturating_sub(23)
}

/// A variable-length integer, and where the next byte is.
pub(super) fn varint(bytes: &[u8], mut at: usize) -> Option<(i64, usize)> {
    let mut value: u64 = 0;
    for _ in 0..8 {
        let byte = *bytes.get(at)?;
        at = at.checked_add(1)?;
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((i64::from_ne_bytes(value.to_ne_bytes()), at));
        }
    }
    let byte = *bytes.get(at)?;
    value = (value << 8) | u64::from(byte);
    Some((i64::from_ne_bytes(value.to_ne_bytes()), at.checked_add(1)?))
}

/// Writes one.
pub(super) fn put_varint(into: &mut Vec<u8>, value: usize) {
    // Lengths and types only, far below where the ninth byte is special.
    let mut shift = 7 * (usize::BITS.saturating_sub(value.leading_zeros()).div_ceil(7).max(1) - 1);
    while shift > 0 {
        into.extend(u8::try_from((value >> shift) & 0x7f).map(|byte| byte | 0x80));
        shift -= 7;
    }
    into.extend(u8::try_from(value & 0x7f));
}

/// The record that SQLite makes of a row of an ordinary table, its cells in the order of `columns`. `None` where that
/// cannot be said for certain: rows that do not have all columns, doubles that may be stored as integers, tables without row ids.
/// The caller knows that the table stores no generated columns, and that the database is of schema format 4 and UTF-8.
pub(crate) fn record(table: &Table, columns: &[String], row: &[Value]) -> Option<Vec<u8>> {
    if table.module.is_some() || matches!(table.storage, Storage::Key { .. }) {
        return None;
    }
    let (mut head, mut body) = (Vec::new(), Vec::new());
    for (index, column) in table.columns.iter().enumerate() {
        let at = columns.iter().position(|name| name.eq_ignore_ascii_case(&column.name))?;
        let value = match (&table.storage, row.get(at)?) {
            (Storage::Alias { column }, _) if *column == index => &Value::Null,
            (_, value) => value,
        };
        match value {
            Value::Null => put_varint(&mut head, 0),
            Value::Integer(number) => integer(*number, &mut head, &mut body)?,
            Value::Real(bits) => {
                let real = f64::from_bits(*bits);
                // A column of REAL affinity keeps whole numbers as integers.
                if real.fract() == 0.0 {
                    return None;
                }
                put_varint(&mut head, 7);
                body.extend(bits.to_be_bytes());
            }
            Value::Text(bytes) => {
                put_varint(&mut head, bytes.len().checked_mul(2)?.checked_add(13)?);
                body.extend(bytes.iter());
            }
            Value::Blob(bytes) => {
                put_varint(&mut head, bytes.len().checked_mul(2)?.checked_add(12)?);
                body.extend(bytes.iter());
            }
            Value::Held => return None,
        }
    }
    // The length of the header counts itself; beyond one byte it is not worth the trouble.
    let length = head.len().checked_add(1).filter(|length| *length < 128)?;
    let mut record = Vec::with_capacity(length + body.len());
    put_varint(&mut record, length);
    record.append(&mut head);
    record.append(&mut body);
    Some(record)
}

/// An integer in the fewest bytes (section 2.1).
fn integer(number: i64, head: &mut Vec<u8>, body: &mut Vec<u8>) -> Option<()> {
    let width = match number {
        0 | 1 => {
            put_varint(head, usize::try_from(8 + number).ok()?);
            return Some(());
        }
        -0x80..=0x7f => (1, 1),
        -0x8000..=0x7fff => (2, 2),
        -0x80_0000..=0x7f_ffff => (3, 3),
        -0x8000_0000..=0x7fff_ffff => (4, 4),
        -0x8000_0000_0000..=0x7fff_ffff_ffff => (5, 6),
        _ => (6, 8),
    };
    put_varint(head, width.0);
    body.extend(number.to_be_bytes().get(8 - width.1..)?);
    Some(())
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, params_from_iter};

    use super::*;
    use crate::database::{native, schema};

    /// The pages of a database that a statement filled.
    fn pages(connection: &Connection) -> Vec<Vec<u8>> {
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0)).unwrap();
        let (size, count) = (pragma("page_size") as usize, pragma("page_count") as usize);
        (0..count)
            .map(|number| {
                let mut page = vec![0; size];
                native::read_database(connection, i64::try_from(number * size).unwrap(), &mut page).unwrap();
                page
            })
            .collect()
    }

    /// SQLite itself says what a record is: whatever we claim must be on a page, under its row id.
    #[test]
    fn records_are_those_of_sqlite() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let mut claimed = 0;
        for page_size in [512, 4096, 65_536] {
            let connection = Connection::open(directory.path().join(format!("{page_size}.db")))?;
            connection.execute_batch(&format!(
                "PRAGMA page_size = {page_size};
                 CREATE TABLE t(a, id INTEGER PRIMARY KEY, b TEXT, c REAL, v AS (a), d INTEGER, e BLOB)"
            ))?;
            let table = schema::read(&connection, "main")?.table("t").ok_or("no table")?.clone();
            let columns: Vec<String> = ["a", "id", "b", "c", "d", "e"].map(String::from).into();
            let edges = [0, 1, 2, 7, 8, 15, 16, 23, 24, 31, 32, 39, 40, 47, 48, 62, 63];
            let integers = edges.into_iter().flat_map(|bits| {
                let power = 1_i64.checked_shl(bits).unwrap_or(0);
                [power, power.wrapping_sub(1), power.wrapping_neg(), power.wrapping_neg().wrapping_sub(1)]
            });
            let mut rows: Vec<Vec<Value>> = integers
                .map(|number| {
                    vec![
                        Value::Integer(number),
                        Value::Null,
                        Value::Null,
                        Value::Null,
                        Value::Integer(number),
                    ]
                })
                .collect();
            for length in [0, 1, 5, 50, 57, 58, 80, 100, 1_000, 8_185, 8_186, 9_000] {
                let bytes: Vec<u8> = (0..length).map(|n| b'a' + u8::try_from(n % 26).unwrap()).collect();
                let real = Value::Real((f64::from(length) + 0.5).to_bits());
                rows.push(vec![
                    Value::Text(bytes.as_slice().into()),
                    Value::text("é"),
                    real,
                    Value::Null,
                    Value::Null,
                ]);
                rows.push(vec![
                    Value::Blob(bytes.as_slice().into()),
                    Value::Null,
                    Value::Null,
                    Value::Integer(1),
                    Value::Null,
                ]);
            }
            rows.push(vec![
                Value::Null,
                Value::Null,
                Value::Real(f64::INFINITY.to_bits()),
                Value::Null,
                Value::Null,
            ]);
            rows.push(vec![
                Value::Null,
                Value::Null,
                Value::Real(4.0_f64.to_bits()),
                Value::Null,
                Value::Null,
            ]);
            let mut expected = Vec::new();
            for (id, mut row) in (-3_000_000_000_i64..).step_by(123_456_789).zip(rows) {
                row.insert(1, Value::Integer(id));
                connection.execute(
                    "INSERT INTO t(a, id, b, c, d, e) VALUES (?, ?, ?, ?, ?, ?)",
                    params_from_iter(row.iter().chain([Value::Null].iter()).take(6)),
                )?;
                expected.push((id, row));
            }
            let pages = pages(&connection);
            let found: Vec<Cell<'_>> = pages.iter().flat_map(|page| cells(page)).collect();
            for (id, row) in expected {
                match record(&table, &columns, &row) {
                    None => assert_eq!(row[3], Value::Real(4.0_f64.to_bits()), "{row:?}"),
                    Some(record) if record.len() <= inline_at_most(page_size) => {
                        let cell = Cell { rowid: Some(id), record: &record };
                        assert!(found.contains(&cell), "{page_size}: {row:?}");
                        claimed += 1;
                    }
                    Some(_) => {}
                }
            }
        }
        assert!(claimed > 200, "only {claimed} records were compared");
        Ok(())
    }

    #[test]
    fn other_tables_are_not_claimed() -> Result<(), Box<dyn std::error::Error>> {
        let connection = Connection::open_in_memory()?;
        connection
            .execute_batch("CREATE TABLE w(k TEXT PRIMARY KEY, a) WITHOUT ROWID; CREATE TABLE t(a, b)")?;
        let schema = schema::read(&connection, "main")?;
        let row = [Value::text("k"), Value::Integer(1)];
        let columns: Vec<String> = ["k", "a"].map(String::from).into();
        assert_eq!(record(schema.table("w").ok_or("w")?, &columns, &row), None);
        assert_eq!(record(schema.table("t").ok_or("t")?, &columns, &row), None, "a column is not known");
        Ok(())
    }

    /// A page may name one cell as often as there is room for pointers, each of them as long as a page.
    #[test]
    fn cells_that_overlap_are_none() {
        let mut page = vec![0x0d; 65_536];
        page[3..5].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(cells(&page), []);
    }

    /// Every page that is broken in one byte, or ends early, is read without a word.
    #[test]
    fn a_broken_page_is_no_trouble() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let connection = Connection::open(directory.path().join("a.db"))?;
        connection.execute_batch(
            "PRAGMA page_size = 512; CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'x'), (2, 'y')",
        )?;
        for page in pages(&connection) {
            let whole = cells(&page).len();
            for at in 0..page.len() {
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut broken = page.clone();
                    broken[at] = value;
                    assert!(cells(&broken).len() <= 0xffff);
                }
                assert!(cells(&page[..at]).len() <= whole);
            }
        }
        Ok(())
    }
}
