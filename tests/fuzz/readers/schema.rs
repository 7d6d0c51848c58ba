//! The statements of a schema, in the words of whoever made it: what we read in them, and what SQLite makes of them.
//!
//! Apart from `files`, in which schemas are broken with everything else. Nothing but CREATE and ALTER is run, in memory.

use rusqlite::Connection;

use crate::database::sql::{self, Made, quote};

/// More than that is only slow.
const LONGEST: usize = 4_096;

/// A statement; whatever it is, it is read without a word.
pub fn schema(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let made = sql::made_by(text);
    let _ = (sql::event(text), sql::has_autoincrement(text), sql::declaration(text));
    let _ = (sql::column_definition(text, "a"), sql::last_constraint(text), sql::in_database(text, "base"));
    let normalised = sql::normalised(text);
    assert!(normalised.len() <= 2 * text.len(), "one space between words");
    // ATTACH and VACUUM would leave the memory; a query in it need not end.
    let lower = text.to_ascii_lowercase();
    let first = lower.trim_start();
    if made.is_some() && first.starts_with("create") && !lower.contains("recursive") && text.len() < LONGEST {
        compare(text).unwrap();
    }
}

/// What SQLite keeps of a statement that it accepts is what the product reads.
fn compare(statement: &str) -> rusqlite::Result<()> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch("CREATE TABLE t(a, b); CREATE TABLE u(a)")?;
    // What came before the first table of the product is not asked about.
    let known: i64 = connection.query_row("SELECT max(rowid) FROM sqlite_schema", [], |row| row.get(0))?;
    if connection.execute(statement, []).is_err() {
        return Ok(());
    }
    let mut made = connection.prepare(
        "SELECT type, name, sql FROM main.sqlite_schema WHERE rowid > ?1 AND sql IS NOT NULL ORDER BY rowid LIMIT 1",
    )?;
    let mut rows = made.query([known])?;
    let Some(row) = rows.next()? else { return Ok(()) };
    let (kind, name, sql): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let found = sql::made_by(&sql);
    let expected = match kind.as_str() {
        "table" if matches!(found, Some(Made::Virtual(_))) => Made::Virtual(name.clone()),
        "table" => Made::Table(name.clone()),
        "index" => Made::Index(name.clone()),
        "view" => Made::View(name.clone()),
        _ => Made::Trigger(name.clone()),
    };
    assert_eq!(found, Some(expected), "{sql}");
    if kind == "trigger" {
        assert!(sql::event(&sql).is_some(), "{sql}");
    }
    if kind != "table" {
        return Ok(());
    }
    if matches!(found, Some(Made::Virtual(_))) {
        assert!(sql::declaration(&sql).is_some(), "{sql}");
        return Ok(());
    }
    let mut columns = connection.prepare("SELECT name FROM pragma_table_xinfo(?1)")?;
    for column in columns.query_map([&name], |row| row.get::<_, String>(0))? {
        let column = column?;
        assert!(sql::column_definition(&sql, &column).is_some(), "{column} in {sql}");
    }
    // A base gets the table in the same words.
    connection.execute_batch("ATTACH ':memory:' AS base")?;
    connection.execute(&sql::in_database(&sql, "base"), []).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let there = format!("SELECT count(*) FROM base.{}", quote(&name));
    connection.prepare(&there).unwrap_or_else(|error| panic!("{sql}: {error}"));
    Ok(())
}
