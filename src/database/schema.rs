//! What one database looks like: its tables, columns, keys and references, as SQLite reports them.
//!
//! Apart from `shape`, which merges the schemas of all sides. Only reads.

use rusqlite::Connection;

use super::companion::{Companion, Kind};
use super::key::Collation;
use super::sql::{Made, made_by, quote};
use super::virtual_table::{self, Found};

/// One table that can be synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its name as written.
    pub(crate) name: String,
    /// The statement that created it, in the owner's words.
    pub(crate) sql: String,
    /// The module that keeps its rows, in lower case; `None` for an ordinary table.
    pub(crate) module: Option<String>,
    /// How its rows are stored and addressed.
    pub(crate) storage: Storage,
    /// Whether its ids are never reused.
    pub(crate) autoincrement: bool,
    /// Every column that holds a value of its own (generated ones do not).
    pub(crate) columns: Vec<Column>,
    /// Column indexes and collations of the declared primary key; empty when there is none.
    pub(crate) primary_key: Vec<(usize, Collation)>,
    /// Full UNIQUE keys in order of declaration, the primary key among them unless it is the row id.
    pub(crate) uniques: Vec<Vec<(usize, Collation)>>,
    /// Declared references.
    pub(crate) references: Vec<Reference>,
    /// Created indexes: name and statement.
    pub(crate) indexes: Vec<(String, String)>,
}

/// How rows are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Storage {
    /// By a row id that a column shows (`INTEGER PRIMARY KEY`).
    Alias {
        /// That column.
        column: usize,
    },
    /// By a row id that no column shows; it is reached under this name.
    Hidden {
        /// `rowid`, `_rowid_` or `oid`, whichever no column is called.
        name: &'static str,
    },
    /// By the primary key (`WITHOUT ROWID`). Parts: column, collation, descending.
    Key {
        /// The order of the rows.
        order: Vec<(usize, Collation, Direction)>,
    },
}

/// Order of an index part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Rising.
    Rising,
    /// Falling.
    Falling,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name as written.
    pub(crate) name: String,
    /// Declared type, as written.
    pub(crate) declared: String,
    /// Whether NULL is refused.
    pub(crate) not_null: bool,
    /// How `=` compares it; BINARY also where the collation is not known here.
    pub(crate) collation: Collation,
}

/// A declared reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Referencing columns.
    pub(crate) columns: Vec<usize>,
    /// Referenced table.
    pub(crate) table: String,
    /// Referenced columns by name; empty means its primary key.
    pub(crate) parent_columns: Vec<String>,
}

/// What the schema of one database holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    /// Tables in order of creation.
    pub(crate) tables: Vec<Table>,
    /// Tables that are left alone, with the reason.
    pub(crate) skipped: Vec<(String, String)>,
    /// What stands beside the tables.
    pub(crate) companions: Vec<Companion>,
}

impl Schema {
    /// The table of that name, as SQLite matches names.
    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// The table whose rows a full-text index of that name is over.
    pub(crate) fn index_over(&self, name: &str) -> Option<&str> {
        let indexes = self.companions.iter().filter(|companion| companion.kind == Kind::Index);
        let mut found = indexes.filter(|index| index.name.eq_ignore_ascii_case(name));
        found.next().map(|index| index.of.as_str())
    }
}

impl Table {
    /// The index of the column of that name.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// Reads the schema of an attached database (`main` unless it is one of ours).
pub(crate) fn read(connection: &Connection, database: &str) -> rusqlite::Result<Schema> {
    let mut schema = Schema::default();
    // Virtual tables of modules that are not here: which tables are parts of them cannot be told.
    let mut strange: Vec<String> = Vec::new();
    let sql = format!(
        "SELECT t.name, t.type, t.wr, s.sql FROM pragma_table_list AS t
         JOIN {0}.sqlite_schema AS s ON s.type = 'table' AND s.name = t.name
         WHERE t.schema = ?1 ORDER BY s.rowid",
        quote(database)
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([database])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let kind: String = row.get(1)?;
        let without_rowid: bool = row.get(2)?;
        let sql: Option<String> = row.get(3)?;
        let sql = sql.unwrap_or_default();
        if name.to_ascii_lowercase().starts_with("sqlite_") {
            continue;
        }
        let found = match kind.as_str() {
            "table" if makes_table(&sql, &name) => {
                match read_table(connection, database, &name, without_rowid, sql)? {
                    Ok(table) => Found::Rows(virtual_table::unmasked(table)),
                    Err(reason) => Found::Skipped(reason),
                }
            }
            "virtual" if makes_table(&sql, &name) => virtual_table::read(connection, database, &name, sql)?,
            "table" | "virtual" => Found::Skipped("its definition cannot be read".into()),
            _ => continue,
        };
        match found {
            Found::Rows(table) => schema.tables.push(table),
            Found::Index(index) => schema.companions.push(index),
            Found::Skipped(reason) => schema.skipped.push((name, reason)),
            Found::Strange(reason) => {
                strange.push(name.clone());
                schema.skipped.push((name, reason));
            }
        }
    }
    virtual_table::set_aside_parts(&mut schema, &strange);
    schema.companions.extend(super::companion::read(connection, database)?);
    Ok(schema)
}

/// Whether a statement out of `sqlite_schema` makes the table it stands for: what another side is to run must not be
/// anything else, whoever wrote the file.
fn makes_table(sql: &str, table: &str) -> bool {
    matches!(made_by(sql), Some(Made::Table(name) | Made::Virtual(name)) if name.eq_ignore_ascii_case(table))
}

/// One table, or why it is left alone.
fn read_table(
    connection: &Connection,
    database: &str,
    name: &str,
    without_rowid: bool,
    sql: String,
) -> rusqlite::Result<Result<Table, String>> {
    let mut columns = Vec::new();
    let mut key: Vec<(i64, usize)> = Vec::new();
    let mut taken_names = Vec::new();
    let mut statement = connection.prepare_cached(
        "SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(?1, ?2) ORDER BY cid",
    )?;
    let mut rows = statement.query([name, database])?;
    while let Some(row) = rows.next()? {
        let column_name: String = row.get(0)?;
        let metadata = connection.column_metadata(Some(database), name, column_name.as_str());
        let collation = metadata.ok().and_then(|metadata| Collation::named(metadata.1?.to_str().ok()?));
        let column = Column {
            name: column_name,
            declared: row.get(1)?,
            not_null: row.get(2)?,
            collation: collation.unwrap_or(Collation::Binary),
        };
        taken_names.push(column.name.to_ascii_lowercase());
        let hidden: i64 = row.get(4)?;
        if hidden != 0 {
            continue;
        }
        let position: i64 = row.get(3)?;
        if position > 0 {
            key.push((position, columns.len()));
        }
        columns.push(column);
    }
    key.sort_unstable();

    let indexes = match read_indexes(connection, database, name, &columns)? {
        Ok(indexes) => indexes,
        Err(reason) => return Ok(Err(reason)),
    };
    let by_key = indexes.iter().find(|index| index.origin == Origin::PrimaryKey);
    let alias = match (key.as_slice(), by_key) {
        ([(_, column)], None) if !without_rowid => Some(*column),
        _ => None,
    };
    let storage = if without_rowid {
        match by_key {
            Some(index) => Storage::Key { order: index.parts.clone() },
            None => return Ok(Err("its primary key cannot be read".into())),
        }
    } else if let Some(column) = alias {
        Storage::Alias { column }
    } else {
        match ["rowid", "_rowid_", "oid"]
            .into_iter()
            .find(|name| !taken_names.iter().any(|taken| taken == name))
        {
            Some(name) => Storage::Hidden { name },
            None => return Ok(Err("its columns hide every name of the row id".into())),
        }
    };
    let primary_key = match (alias, by_key) {
        (Some(column), _) => vec![(column, Collation::Binary)],
        (None, Some(index)) => {
            // The declared order, which for WITHOUT ROWID and DESC is also that of the index.
            index.parts.iter().map(|(column, collation, _)| (*column, *collation)).collect()
        }
        (None, None) => Vec::new(),
    };
    let uniques = indexes
        .iter()
        .filter(|index| index.full_unique)
        .map(|index| index.parts.iter().map(|(column, collation, _)| (*column, *collation)).collect())
        .collect();
    let autoincrement = alias.is_some() && super::sql::has_autoincrement(&sql);
    Ok(Ok(Table {
        name: name.to_owned(),
        storage,
        autoincrement,
        primary_key,
        uniques,
        references: read_references(connection, database, name, &columns)?,
        indexes: indexes
            .into_iter()
            .filter_map(|index| Some((index.name, index.sql?)))
            .filter(|(_, sql)| matches!(made_by(sql), Some(Made::Index(_))))
            .collect(),
        columns,
        sql,
        module: None,
    }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    PrimaryKey,
    Unique,
    Created,
}

struct Index {
    name: String,
    sql: Option<String>,
    origin: Origin,
    /// UNIQUE over plain columns of the whole table.
    full_unique: bool,
    parts: Vec<(usize, Collation, Direction)>,
}

/// The indexes of a table in order of declaration, or why they cannot be used.
fn read_indexes(
    connection: &Connection,
    database: &str,
    table: &str,
    columns: &[Column],
) -> rusqlite::Result<Result<Vec<Index>, String>> {
    let mut indexes = Vec::new();
    let sql = format!(
        "SELECT l.name, l.\"unique\", l.origin, l.partial, s.sql, s.rowid FROM pragma_index_list(?1, ?2) AS l
         LEFT JOIN {}.sqlite_schema AS s ON s.type = 'index' AND s.name = l.name ORDER BY s.rowid NULLS FIRST",
        quote(database)
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([table, database])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let unique: bool = row.get(1)?;
        let origin = match row.get::<_, String>(2)?.as_str() {
            "pk" => Origin::PrimaryKey,
            "u" => Origin::Unique,
            _ => Origin::Created,
        };
        let partial: bool = row.get(3)?;
        let mut parts = Vec::new();
        let mut plain = true;
        let mut details = connection.prepare_cached(
            "SELECT name, \"desc\", coll, cid FROM pragma_index_xinfo(?1, ?2) WHERE \"key\" ORDER BY seqno",
        )?;
        let mut detail_rows = details.query([name.as_str(), database])?;
        while let Some(part) = detail_rows.next()? {
            let named: Option<String> = part.get(0)?;
            let column = named
                .and_then(|name: String| columns.iter().position(|c| c.name.eq_ignore_ascii_case(&name)));
            let collation_name: String = part.get(2)?;
            let collation = Collation::named(&collation_name);
            match (column, collation) {
                (Some(column), Some(collation)) => {
                    let direction = if part.get(1)? { Direction::Falling } else { Direction::Rising };
                    parts.push((column, collation, direction));
                }
                (Some(_), None) if unique => {
                    return Ok(Err(format!("its index {name} needs the unknown collation {collation_name}")));
                }
                _ => plain = false,
            }
        }
        indexes.push(Index {
            name,
            sql: row.get(4)?,
            origin,
            full_unique: unique && !partial && plain,
            parts,
        });
    }
    Ok(Ok(indexes))
}

/// The declared references of a table.
fn read_references(
    connection: &Connection,
    database: &str,
    table: &str,
    columns: &[Column],
) -> rusqlite::Result<Vec<Reference>> {
    let mut references: Vec<(i64, Reference)> = Vec::new();
    let mut statement = connection.prepare_cached(
        "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1, ?2) ORDER BY id, seq",
    )?;
    let mut rows = statement.query([table, database])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let from: String = row.get(2)?;
        let to: Option<String> = row.get(3)?;
        let Some(column) = columns.iter().position(|c| c.name.eq_ignore_ascii_case(&from)) else { continue };
        if references.last().is_none_or(|(last, _)| *last != id) {
            let reference = Reference { columns: Vec::new(), table: row.get(1)?, parent_columns: Vec::new() };
            references.push((id, reference));
        }
        if let Some((_, reference)) = references.last_mut() {
            reference.columns.push(column);
            reference.parent_columns.extend(to);
        }
    }
    Ok(references.into_iter().map(|(_, reference)| reference).collect())
}
