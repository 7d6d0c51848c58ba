//! Values as SQLite stores them, and dumps of whole databases.
//!
//! Apart from the library's own value type so that the tests cannot share its mistakes. Two values are equal here
//! only when type and bytes are equal; nothing in this file may compare through SQL.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// One stored value. Reals are kept by their bits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Val {
    Null,
    Int(i64),
    Real(u64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Val {
    pub(crate) fn text(text: impl AsRef<str>) -> Val {
        Val::Text(text.as_ref().as_bytes().to_vec())
    }

    pub(crate) fn real(value: f64) -> Val {
        Val::Real(value.to_bits())
    }

    /// The number in it, when it is one.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Val::Int(value) => Some(*value as f64),
            Val::Real(bits) => Some(f64::from_bits(*bits)),
            _ => None,
        }
    }
}

impl From<ValueRef<'_>> for Val {
    fn from(value: ValueRef<'_>) -> Val {
        match value {
            ValueRef::Null => Val::Null,
            ValueRef::Integer(value) => Val::Int(value),
            ValueRef::Real(value) => Val::Real(value.to_bits()),
            ValueRef::Text(bytes) => Val::Text(bytes.to_vec()),
            ValueRef::Blob(bytes) => Val::Blob(bytes.to_vec()),
        }
    }
}

impl fmt::Debug for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Val::Null => f.write_str("NULL"),
            Val::Int(value) => write!(f, "{value}"),
            Val::Real(bits) => write!(f, "{:?}", f64::from_bits(*bits)),
            Val::Text(bytes) if bytes.len() > 80 => write!(f, "text of {} bytes", bytes.len()),
            Val::Text(bytes) => write!(f, "'{}'", bytes.escape_ascii()),
            Val::Blob(bytes) if bytes.len() > 40 => write!(f, "blob of {} bytes", bytes.len()),
            Val::Blob(bytes) => {
                write!(f, "x'{}'", bytes.iter().map(|b| format!("{b:02x}")).collect::<String>())
            }
        }
    }
}

/// The columns of a table, by name, and its rows in a fixed order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Val>>,
}

/// Every ordinary table of a database.
pub(crate) type Dump = BTreeMap<String, Rows>;

/// The tables that people made, with what kind of table each is.
fn tables(db: &Connection) -> Vec<(String, String)> {
    let mut tables = db
        .prepare(
            "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')
             AND name NOT LIKE 'sqlite_%' ORDER BY name",
        )
        .unwrap();
    let tables = tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    tables.map(Result::unwrap).collect()
}

/// The rows a query gives, in a fixed order.
pub(crate) fn query(db: &Connection, sql: &str) -> Rows {
    let mut all = select(db, sql);
    all.rows.sort();
    all
}

fn select(db: &Connection, sql: &str) -> Rows {
    let mut statement = db.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let width = columns.len();
    let rows: Vec<Vec<Val>> = statement
        .query_map([], |row| (0..width).map(|at| row.get_ref(at).map(Val::from)).collect())
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
        .map(Result::unwrap)
        .collect();
    Rows { columns, rows }
}

/// Every row of every table. Column order does not count: it may differ between sides after ADD COLUMN.
pub(crate) fn dump(db: &Connection) -> Dump {
    let mut dump = Dump::new();
    for (name, kind) in tables(db) {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let mut rows = match kind == "virtual" {
            false => select(db, &format!("SELECT * FROM {quoted}")),
            // A module that is not here has no rows to show.
            true if db.prepare(&format!("SELECT * FROM {quoted}")).is_err() => continue,
            true => select(db, &format!("SELECT rowid, * FROM {quoted}")),
        };
        let mut order: Vec<usize> = (0..rows.columns.len()).collect();
        order.sort_by(|a, b| rows.columns[*a].cmp(&rows.columns[*b]));
        rows.columns = order.iter().map(|at| rows.columns[*at].clone()).collect();
        rows.rows = rows.rows.iter().map(|row| order.iter().map(|at| row[*at].clone()).collect()).collect();
        rows.rows.sort();
        dump.insert(name, rows);
    }
    dump
}

/// What differs between two dumps, as lines a person can read.
pub(crate) fn differences(left_name: &str, left: &Dump, right_name: &str, right: &Dump) -> Vec<String> {
    let mut lines = Vec::new();
    for name in left.keys().chain(right.keys().filter(|name| !left.contains_key(*name))) {
        let (Some(l), Some(r)) = (left.get(name), right.get(name)) else {
            lines.push(format!("table {name} is on one side only"));
            continue;
        };
        if l.columns != r.columns {
            lines.push(format!(
                "{name}: columns {:?} on {left_name}, {:?} on {right_name}",
                l.columns, r.columns
            ));
        }
        lines.extend(bag_minus(&l.rows, &r.rows).map(|row| format!("{name}: only on {left_name}: {row:?}")));
        lines.extend(bag_minus(&r.rows, &l.rows).map(|row| format!("{name}: only on {right_name}: {row:?}")));
    }
    lines
}

/// The rows of `left` that `right` lacks, counting duplicates.
fn bag_minus<'a>(left: &'a [Vec<Val>], right: &[Vec<Val>]) -> impl Iterator<Item = &'a Vec<Val>> {
    let mut counts: BTreeMap<&Vec<Val>, usize> = BTreeMap::new();
    for row in right {
        *counts.entry(row).or_default() += 1;
    }
    let mut only = Vec::new();
    for row in left {
        match counts.get_mut(row) {
            Some(count) if *count > 0 => *count -= 1,
            _ => only.push(row),
        }
    }
    only.into_iter()
}
