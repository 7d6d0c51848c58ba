//! The record that we say SQLite makes of a row, for any row: SQLite itself says what is on the page.
//!
//! Apart from `page`, which reads pages that nobody wrote.

use rusqlite::{Connection, OpenFlags, params_from_iter};

use crate::database::codec::Decoder;
use crate::database::schema::{self, Table};
use crate::database::value::Value;
use crate::database::{native, page};

const COLUMNS: [&str; 6] = ["a", "id", "b", "c", "d", "e"];
const SIZES: [u32; 3] = [512, 4_096, 65_536];
/// Rows that fill more pages than that say nothing more.
const LARGEST: usize = 100_000;

struct Place {
    connection: Connection,
    table: Table,
    size: usize,
}

thread_local! {
    static PLACES: Vec<Place> = SIZES.into_iter().map(|size| place(size).unwrap()).collect();
}

fn place(size: u32) -> rusqlite::Result<Place> {
    // In memory, but with a file object that can be read.
    let name = format!("file:/record{size}?vfs=memdb");
    let connection = Connection::open_with_flags(name, OpenFlags::default() | OpenFlags::SQLITE_OPEN_URI)?;
    connection.execute_batch(&format!(
        "PRAGMA page_size = {size};
         CREATE TABLE t(a, id INTEGER PRIMARY KEY, b TEXT, c REAL, v AS (a), d INTEGER, e BLOB)"
    ))?;
    let table = schema::read(&connection, "main")?.table("t").unwrap().clone();
    Ok(Place { connection, table, size: usize::try_from(size).unwrap() })
}

/// The first byte chooses the page size, the rest is a row.
pub fn record(bytes: &[u8]) {
    let Some((size, blob)) = bytes.split_first().filter(|_| bytes.len() < LARGEST) else { return };
    let Ok(row) = Decoder::new(blob).and_then(|mut decoder| decoder.row()) else { return };
    let mut row = row.to_vec();
    row.resize(COLUMNS.len(), Value::Null);
    PLACES.with(|places| places[usize::from(*size) % places.len()].hold(&row).unwrap());
}

impl Place {
    fn hold(&self, row: &[Value]) -> rusqlite::Result<()> {
        let insert = "INSERT INTO t(a, id, b, c, d, e) VALUES (?, ?, ?, ?, ?, ?)";
        if self.connection.prepare_cached(insert)?.execute(params_from_iter(row)).is_err() {
            // No number, where a row id should be.
            return Ok(());
        }
        let rowid = self.connection.last_insert_rowid();
        let stored =
            self.connection.prepare_cached("SELECT a, id, b, c, d, e FROM t")?.query_row([], |row| {
                (0..COLUMNS.len())
                    .map(|index| Ok(Value::from_ref(row.get_ref(index)?)))
                    .collect::<Result<Vec<_>, _>>()
            })?;
        let columns = COLUMNS.map(str::to_owned);
        if let Some(record) = page::record(&self.table, &columns, &stored)
            && record.len() <= page::inline_at_most(self.size)
        {
            let mut bytes = vec![0; self.size];
            let offset = i64::try_from(self.size).unwrap();
            native::read_database(&self.connection, offset, &mut bytes).expect("the page of the table");
            let cell = page::Cell { rowid: Some(rowid), record: &record };
            assert_eq!(page::cells(&bytes), [cell], "{stored:?}");
        }
        self.connection.prepare_cached("DELETE FROM t")?.execute([]).map(drop)
    }
}
