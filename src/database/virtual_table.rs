//! Virtual tables: which hold rows of their own, and how those are told from the module's machinery.
//!
//! FTS3, FTS4, FTS5 and R-Tree tables are read and written through their module, row by row under the row id, like
//! any table with an `INTEGER PRIMARY KEY`; the module keeps its index. A base holds such rows in an ordinary table,
//! its *mirror*, which names the statement it stands for. Apart from `schema`, which reads ordinary tables. Must never
//! touch the tables that a module keeps its data in.

use rusqlite::{Connection, ErrorCode, OptionalExtension};

use super::companion::{Companion, Kind};
use super::key::Collation;
use super::schema::{Column, Schema, Storage, Table};
use super::sql::{self, Declaration, quote};

/// What a table turned out to be.
#[derive(Debug)]
pub(crate) enum Found {
    /// Rows.
    Rows(Table),
    /// An index over the rows of another table.
    Index(Companion),
    /// Nothing that can be synced, with the reason.
    Skipped(String),
    /// The same, of a module that this SQLite does not have.
    Strange(String),
}

/// What is shown as the row id of a full-text table.
const ROWID: &str = "rowid";

/// Reads one virtual table.
pub(crate) fn read(
    connection: &Connection,
    database: &str,
    name: &str,
    sql: String,
) -> rusqlite::Result<Found> {
    let Some(declaration) = sql::declaration(&sql) else {
        return Ok(Found::Skipped("its definition cannot be read".into()));
    };
    let module = declaration.module.as_str();
    if !is_registered(connection, module)? {
        return Ok(Found::Strange(format!("its module {module} is not known here")));
    }
    let content = match module {
        "fts4" | "fts5" => declaration.option("content"),
        "fts3" | "rtree" | "rtree_i32" => None,
        _ => return Ok(Found::Skipped(format!("virtual tables of the module {module} are not synced"))),
    };
    if content == Some("") {
        return Ok(Found::Skipped(
            "it keeps an index without the text (content=''), which nobody can read".into(),
        ));
    }
    if module == "fts4"
        && (declaration.option("compress").is_some() || declaration.option("uncompress").is_some())
    {
        return Ok(Found::Skipped("a function of its owner's compresses its text".into()));
    }
    if module == "fts5" && declaration.option("locale").is_some_and(|locale| locale != "0") {
        return Ok(Found::Skipped("its rows have locales, which cannot be read".into()));
    }
    let columns = match usable(columns(connection, database, name, &declaration))? {
        Ok(columns) => columns,
        Err(reason) => return Ok(Found::Skipped(reason)),
    };
    if let Some(of) = content {
        let (name, of) = (name.to_owned(), of.to_owned());
        return Ok(Found::Index(Companion { kind: Kind::Index, name, of, sql }));
    }
    // Options can be abbreviated in ways that only the module knows.
    if module.starts_with("fts") && !has_content(connection, database, name)? {
        return Ok(Found::Skipped("it has no text of its own".into()));
    }
    if columns.iter().skip(1).any(|column| column.name.eq_ignore_ascii_case(ROWID)) {
        return Ok(Found::Skipped("a column hides its row id".into()));
    }
    if let Err(reason) = usable(probe(connection, database, name, &columns))? {
        return Ok(Found::Skipped(reason));
    }
    Ok(Found::Rows(Table {
        name: name.to_owned(),
        sql,
        module: Some(declaration.module),
        storage: Storage::Alias { column: 0 },
        autoincrement: false,
        columns,
        primary_key: vec![(0, Collation::Binary)],
        uniques: Vec::new(),
        references: Vec::new(),
        indexes: Vec::new(),
    }))
}

fn is_registered(connection: &Connection, module: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM pragma_module_list WHERE name = ?1 COLLATE NOCASE)")?
        .query_row([module], |row| row.get(0))
}

/// Whether a full-text table keeps its text itself.
fn has_content(connection: &Connection, database: &str, name: &str) -> rusqlite::Result<bool> {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {}.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE)",
        quote(database)
    );
    connection.prepare_cached(&sql)?.query_row([format!("{name}_content")], |row| row.get(0))
}

/// The row id and every column that holds a value. They have no types: modules keep values as they come.
fn columns(
    connection: &Connection,
    database: &str,
    name: &str,
    declaration: &Declaration,
) -> rusqlite::Result<Vec<Column>> {
    let column = |name: String, declared: &str| Column {
        name,
        declared: declared.to_owned(),
        not_null: false,
        collation: Collation::Binary,
    };
    let mut columns = Vec::new();
    if !declaration.module.starts_with("rtree") {
        columns.push(column(ROWID.to_owned(), "INTEGER"));
    }
    let language = declaration.option("languageid").filter(|_| declaration.module == "fts4");
    let mut statement =
        connection.prepare_cached("SELECT name, hidden FROM pragma_table_xinfo(?1, ?2) ORDER BY cid")?;
    let mut rows = statement.query([name, database])?;
    while let Some(row) = rows.next()? {
        let (name, hidden): (String, i64) = (row.get(0)?, row.get(1)?);
        if hidden == 0 || language.is_some_and(|language| language.eq_ignore_ascii_case(&name)) {
            let declared = if columns.is_empty() { "INTEGER" } else { "" };
            columns.push(column(name, declared));
        }
    }
    Ok(columns)
}

/// Reads one row: some tables can be opened and not read, for want of a function.
fn probe(connection: &Connection, database: &str, name: &str, columns: &[Column]) -> rusqlite::Result<()> {
    let list: Vec<String> = columns.iter().map(|column| quote(&column.name)).collect();
    let sql = format!("SELECT {} FROM {}.{} LIMIT 1", list.join(", "), quote(database), quote(name));
    connection.prepare(&sql)?.query_row([], |_| Ok(())).optional().map(drop)
}

/// Tells a table that cannot be used here from a database that cannot be.
fn usable<T>(result: rusqlite::Result<T>) -> rusqlite::Result<Result<T, String>> {
    match result {
        Ok(found) => Ok(Ok(found)),
        Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::Unknown) || is_damaged(&cause) => {
            Ok(Err(format!("it cannot be used here: {cause}")))
        }
        Err(cause) => Err(cause),
    }
}

/// Whether the data of a virtual table is damaged, which says nothing about the file.
pub(crate) fn is_damaged(cause: &rusqlite::Error) -> bool {
    cause.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_CORRUPT_VTAB)
}

/// Leaves tables alone that may be parts of a virtual table whose module is not here: by custom they are called
/// `{table}_{part}`, and SQLite cannot say.
pub(crate) fn set_aside_parts(schema: &mut Schema, strange: &[String]) {
    let owner = |table: &str| {
        let table = table.to_ascii_lowercase();
        strange.iter().find(|owner| table.starts_with(&format!("{}_", owner.to_ascii_lowercase())))
    };
    for table in &schema.tables {
        if let Some(owner) = owner(&table.name) {
            let reason = format!("it may be a part of {owner}, whose module is not known here");
            schema.skipped.push((table.name.clone(), reason));
        }
    }
    schema.tables.retain(|table| owner(&table.name).is_none());
}

/// The statement that makes the table of a base which holds the rows of `table`: its own, or that of its mirror.
pub(crate) fn in_base(table: &Table) -> String {
    if table.module.is_none() {
        return table.sql.clone();
    }
    let columns = table.columns.iter().enumerate().map(|(index, column)| match index {
        0 => format!("{} INTEGER PRIMARY KEY", quote(&column.name)),
        _ => quote(&column.name),
    });
    let columns: Vec<String> = columns.collect();
    format!(
        "CREATE TABLE {}({}, CONSTRAINT {} CHECK (1))",
        quote(&table.name),
        columns.join(", "),
        quote(&table.sql)
    )
}

/// A mirror read as the virtual table it stands for; any other table as it is.
pub(crate) fn unmasked(table: Table) -> Table {
    let Some(sql) = sql::last_constraint(&table.sql) else { return table };
    let Some(declaration) = sql::declaration(&sql) else { return table };
    let found = Table { sql, module: Some(declaration.module), ..table.clone() };
    if in_base(&found) == table.sql { found } else { table }
}
