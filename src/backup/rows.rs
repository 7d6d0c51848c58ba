//! Replacing the content of a live database row by row, in one transaction: the slow way of `restore`.
//!
//! Apart from `restore`, which says when. Tables, indexes, views and triggers whose SQL is the same stay; what
//! differs or is not in the source is dropped, what is missing is made. Of each table all rows are replaced, with
//! their rowids and AUTOINCREMENT counters; then `user_version` and `application_id`. Types and bytes go through
//! unchanged.
//!
//! Refused: virtual tables, here or there, whose rows are not all they hold. Not carried over: page size, encoding,
//! journal mode and `auto_vacuum`, which stay as the live file has them, and the statistics of ANALYZE. The caller's
//! connection must run no triggers and enforce no foreign keys.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, params_from_iter};

use crate::clock;
use crate::interrupt;

use super::restore::Obstacle;

/// The kinds of objects, in the order in which they can be made.
const KINDS: [&str; 4] = ["table", "index", "view", "trigger"];
/// Names under which a rowid can be reached, where no column has them.
const ROWIDS: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// One object of a schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    kind: String,
    name: String,
    sql: String,
}

/// Replaces the content of `live` by that of `source`. Returns for how long others could not write (milliseconds).
/// After an error, `live` is as it was.
pub(super) fn replace(source: &Connection, live: &Connection, patience: Duration) -> Result<u64, Obstacle> {
    for (connection, whose) in [(source, "the backup"), (live, "the file")] {
        if let Some(name) = virtual_table(connection)? {
            return Err(Obstacle::Refused(format!("{whose} has the virtual table {name}")));
        }
    }
    interrupt::patience(live, patience)?;
    live.execute_batch("BEGIN IMMEDIATE")?;
    let _quiet = interrupt::quiet();
    let watch = clock::start();
    let written = content(source, live, patience).and_then(|()| {
        live.execute_batch("COMMIT")?;
        Ok(watch.millis())
    });
    if written.is_err() {
        // Where SQLite has already ended the transaction, this fails, and nothing is left to undo.
        let _ = live.execute_batch("ROLLBACK");
    }
    written.map_err(Obstacle::from)
}

fn content(source: &Connection, live: &Connection, patience: Duration) -> rusqlite::Result<()> {
    // A cache that is full is written early, for which readers would have to go; without patience it just grows.
    live.busy_timeout(Duration::ZERO)?;
    live.execute_batch("PRAGMA ignore_check_constraints = ON")?;
    let wanted = objects(source)?;
    drop_others(live, &wanted)?;
    make(live, &wanted, &["table"])?;
    for object in wanted.iter().filter(|object| object.kind == "table") {
        rows(source, live, &object.name)?;
    }
    make(live, &wanted, &KINDS)?;
    if has_table(live, "sqlite_sequence")? {
        live.execute_batch("DELETE FROM main.sqlite_sequence")?;
        if has_table(source, "sqlite_sequence")? {
            transfer(source, live, "sqlite_sequence", &["name".into(), "seq".into()])?;
        }
    }
    for pragma in ["user_version", "application_id"] {
        let number: i64 = source.pragma_query_value(None, pragma, |row| row.get(0))?;
        live.pragma_update(None, pragma, number)?;
    }
    live.execute_batch("PRAGMA ignore_check_constraints = OFF")?;
    live.busy_timeout(patience)
}

/// Drops what the source has not, or has differently: first what hangs on others.
fn drop_others(live: &Connection, wanted: &BTreeSet<Object>) -> rusqlite::Result<()> {
    for kind in KINDS.iter().rev() {
        // Read anew for each kind: a table takes its indexes and triggers with it.
        for object in objects(live)?.difference(wanted).filter(|object| object.kind == *kind) {
            live.execute_batch(&format!("DROP {kind} main.{}", quote(&object.name)))?;
        }
    }
    Ok(())
}

fn make(live: &Connection, wanted: &BTreeSet<Object>, kinds: &[&str]) -> rusqlite::Result<()> {
    let there = objects(live)?;
    for kind in kinds {
        for object in wanted.difference(&there).filter(|object| object.kind == *kind) {
            live.execute_batch(&object.sql)?;
        }
    }
    Ok(())
}

fn rows(source: &Connection, live: &Connection, table: &str) -> rusqlite::Result<()> {
    live.execute_batch(&format!("DELETE FROM main.{}", quote(table)))?;
    let mut columns = Vec::new();
    let mut statement = source.prepare("SELECT name, hidden FROM pragma_table_xinfo(?1)")?;
    let mut found = statement.query([table])?;
    let mut all: Vec<String> = Vec::new();
    while let Some(row) = found.next()? {
        let name: String = row.get(0)?;
        // Generated columns make themselves.
        if row.get::<_, i64>(1)? == 0 {
            columns.push(name.clone());
        }
        all.push(name);
    }
    let without_rowid: bool = source.query_row(
        "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE",
        [table],
        |row| row.get(0),
    )?;
    let free = ROWIDS.iter().find(|rowid| !all.iter().any(|name| name.eq_ignore_ascii_case(rowid)));
    if let (false, Some(rowid)) = (without_rowid, free) {
        columns.push((*rowid).to_owned());
    }
    transfer(source, live, table, &columns)
}

fn transfer(source: &Connection, live: &Connection, table: &str, columns: &[String]) -> rusqlite::Result<()> {
    let table = quote(table);
    let names = columns.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ");
    let marks = vec!["?"; columns.len()].join(", ");
    let mut read = source.prepare(&format!("SELECT {names} FROM main.{table}"))?;
    let mut insert =
        live.prepare(&format!("INSERT OR ABORT INTO main.{table} ({names}) VALUES ({marks})"))?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<ToSqlOutput<'_>> = (0..columns.len())
            .map(|index| row.get_ref(index).map(ToSqlOutput::Borrowed))
            .collect::<rusqlite::Result<_>>()?;
        insert.execute(params_from_iter(values))?;
    }
    Ok(())
}

/// Everything that has SQL of its own.
fn objects(connection: &Connection) -> rusqlite::Result<BTreeSet<Object>> {
    let mut statement = connection.prepare(
        "SELECT type, name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let rows = statement
        .query_map([], |row| Ok(Object { kind: row.get(0)?, name: row.get(1)?, sql: row.get(2)? }))?;
    rows.collect()
}

fn virtual_table(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'virtual' ORDER BY name",
    )?;
    let mut names = statement.query_map([], |row| row.get(0))?;
    names.next().transpose()
}

fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) FROM main.sqlite_schema WHERE name = ?1", [name], |row| {
        row.get::<_, i64>(0).map(|count| count > 0)
    })
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a database holds, by type and bytes, with its schema and counters.
    fn all(connection: &Connection) -> Vec<String> {
        let mut lines = Vec::new();
        for object in objects(connection).unwrap() {
            lines.push(format!("{object:?}"));
            if object.kind != "table" {
                continue;
            }
            let mut statement =
                connection.prepare(&format!("SELECT * FROM {}", quote(&object.name))).unwrap();
            let count = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let cells: Vec<String> =
                    (0..count).map(|i| format!("{:?}", row.get_ref(i).unwrap())).collect();
                lines.push(cells.join(" "));
            }
        }
        for sql in ["SELECT rowid || ' ' || x FROM bag", "SELECT name || ' ' || seq FROM sqlite_sequence"] {
            let mut statement = connection.prepare(sql).unwrap();
            lines.extend(statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap));
        }
        for pragma in ["user_version", "application_id"] {
            let number: i64 = connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
            lines.push(format!("{pragma} {number}"));
        }
        lines
    }

    const RICH: &str = "
        PRAGMA user_version = 7; PRAGMA application_id = 9;
        CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, nick TEXT UNIQUE COLLATE NOCASE, n CHECK (n < 9));
        CREATE TABLE bag(x);
        CREATE TABLE kv(a, b, c, PRIMARY KEY (a, b)) WITHOUT ROWID;
        CREATE TABLE made(a INTEGER, b AS (a * 2) STORED, c AS (a + 1));
        CREATE TABLE hidden(rowid TEXT, _rowid_ TEXT, oid TEXT);
        CREATE TABLE \"odd \"\"name\"(\"a b\" TEXT);
        CREATE INDEX users_n ON users(n) WHERE n > 1;
        CREATE VIEW v AS SELECT nick FROM users;
        CREATE TRIGGER tr AFTER INSERT ON users BEGIN INSERT INTO bag VALUES ('trigger'); END;
        INSERT INTO kv VALUES (1, 'x', 2.5), (1, 'y', x'00ff'), (2, 'x', 9223372036854775807);
        INSERT INTO made(a) VALUES (4);
        INSERT INTO hidden VALUES ('r', 's', 't');
        INSERT INTO \"odd \"\"name\" VALUES (CAST(x'ff00fe' AS TEXT)), ('a' || char(0) || 'b'), (NULL), (9e999);
        INSERT INTO users VALUES (5, 'ann', 3), (90, 'bob', 4);
        DELETE FROM users WHERE id = 90;
        DELETE FROM bag;
        INSERT INTO bag(rowid, x) VALUES (-3, 'a'), (77, 1), (78, 1);";

    fn prepared(sql: &str) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(sql).unwrap();
        connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        connection
    }

    #[test]
    fn everything_comes_over() {
        let source = prepared(RICH);
        for live in [
            String::new(),
            RICH.to_owned(),
            format!(
                "{RICH}; UPDATE users SET n = 1; INSERT INTO bag VALUES ('more'); PRAGMA user_version = 1"
            ),
            format!("{RICH}; DROP TABLE bag; DROP VIEW v; DROP TRIGGER tr; DROP INDEX users_n"),
            format!(
                "{RICH}; CREATE TABLE more(x REFERENCES users); CREATE INDEX i ON bag(x); CREATE VIEW w AS SELECT 1"
            ),
            format!(
                "{RICH}; DROP TABLE kv; CREATE TABLE kv(a PRIMARY KEY); CREATE TRIGGER t2 AFTER DELETE ON kv BEGIN SELECT 1; END"
            ),
        ] {
            let live = prepared(&live);
            replace(&source, &live, Duration::ZERO).unwrap();
            assert_eq!(all(&live), all(&source));
        }
    }

    #[test]
    fn virtual_tables_are_refused_and_errors_leave_all_as_it_was() {
        let source = prepared(RICH);
        let live = prepared("CREATE VIRTUAL TABLE f USING fts5(x)");
        let refused = replace(&source, &live, Duration::ZERO);
        assert!(matches!(refused, Err(Obstacle::Refused(why)) if why == "the file has the virtual table f"));
        let refused = replace(&live, &source, Duration::ZERO);
        assert!(
            matches!(refused, Err(Obstacle::Refused(why)) if why == "the backup has the virtual table f")
        );

        let source = prepared(
            "CREATE TABLE a(x); INSERT INTO a VALUES (1); CREATE TABLE t(x); INSERT INTO t VALUES (NULL);
             PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE t(x NOT NULL)' WHERE name = 't'",
        );
        let live = prepared(RICH);
        let before = all(&live);
        assert!(matches!(replace(&source, &live, Duration::ZERO), Err(Obstacle::Sql(_))));
        assert_eq!(all(&live), before);
        assert!(live.is_autocommit());
    }
}
