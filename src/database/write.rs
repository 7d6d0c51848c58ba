//! Writing rows into one database: deletions, updates, insertions, in that order, each aborting on any conflict.
//!
//! Apart from `apply`, which holds the locks, because bases are written the same way. The caller holds a write
//! transaction and has verified the guards.

use std::collections::{BTreeSet, HashSet};

use rusqlite::{Connection, params_from_iter};

use super::key::{Key, key_of};
use super::model::{Identity, Slot, Write};
use super::observe::{Place, Source, place, row_at, rowid_name, rows_by_key, slot_condition};
use super::schema::{Storage, Table};
use super::shape::TableShape;
use super::sql::quote;
use super::value::{Row, Value};

/// How rows that stay are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Updates {
    /// In place, unless a UNIQUE key moves (values may swap or rotate).
    InPlace,
    /// By taking all old rows out first: right for any set of changes, whatever the rows were.
    Replace,
}

/// A write that SQLite did not take.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Its words.
    pub(crate) cause: rusqlite::Error,
    /// The write.
    pub(crate) write: Option<Write>,
}

impl Refused {
    fn by(write: &Write) -> impl FnOnce(rusqlite::Error) -> Refused {
        move |cause| Refused { cause, write: Some(write.clone()) }
    }
}

/// Applies writes whose rows are made of `columns`.
pub(crate) fn apply(
    connection: &Connection,
    database: &str,
    have: &Table,
    columns: &[String],
    writes: &[Write],
    updates: Updates,
) -> Result<(), Refused> {
    let target = format!("{}.{}", quote(database), quote(&have.name));
    let keyed: BTreeSet<&str> = have
        .uniques
        .iter()
        .flatten()
        .filter_map(|(column, _)| have.columns.get(*column))
        .map(|column| column.name.as_str())
        .collect();
    let in_place = |write: &&Write| match (&write.old, &write.new, updates) {
        (Some((from, old)), Some((to, new)), Updates::InPlace) => {
            let moved = columns.iter().zip(old.iter().zip(new.iter())).any(|(name, (old, new))| {
                old != new && keyed.iter().any(|key| key.eq_ignore_ascii_case(name))
            });
            from == to && !moved
        }
        _ => false,
    };
    let run = |sql: &str, values: &[Value], write: &Write| -> Result<(), Refused> {
        let mut statement = connection.prepare_cached(sql).map_err(Refused::by(write))?;
        statement.execute(params_from_iter(values)).map(drop).map_err(Refused::by(write))
    };
    for write in writes.iter().filter(|write| !in_place(write)) {
        let Some((slot, _)) = &write.old else { continue };
        let (condition, values) = slot_condition(have, have, slot);
        run(&format!("DELETE FROM {target} WHERE {condition}"), &values, write)?;
    }
    for write in writes.iter().filter(in_place) {
        if let (Some((slot, old)), Some((_, new))) = (&write.old, &write.new)
            && let Some((sql, values)) = update(&target, have, columns, slot, old, new)
        {
            run(&sql, &values, write)?;
        }
    }
    let mut names: Vec<String> = columns.iter().map(|name| quote(name)).collect();
    if matches!(have.storage, Storage::Hidden { .. }) {
        names.push(rowid_name(have));
    }
    let places: Vec<String> = (1..=names.len()).map(|index| format!("?{index}")).collect();
    let insert =
        format!("INSERT OR ABORT INTO {target} ({}) VALUES ({})", names.join(", "), places.join(", "));
    for write in writes.iter().filter(|write| !in_place(write)) {
        let Some((slot, row)) = &write.new else { continue };
        let mut values: Vec<Value> = row.to_vec();
        if let (Storage::Hidden { .. }, Slot::Rowid(id)) = (&have.storage, slot) {
            values.push(Value::Integer(*id));
        }
        run(&insert, &values, write)?;
    }
    Ok(())
}

/// The statement that changes a row in place; `None` when nothing changes.
fn update(
    target: &str,
    have: &Table,
    columns: &[String],
    slot: &Slot,
    old: &Row,
    new: &Row,
) -> Option<(String, Vec<Value>)> {
    let (condition, mut values) = slot_condition(have, have, slot);
    let mut sets = Vec::new();
    for (name, (old, new)) in columns.iter().zip(old.iter().zip(new.iter())) {
        if old != new {
            values.push(new.clone());
            sets.push(format!("{} = ?{}", quote(name), values.len()));
        }
    }
    let sql = format!("UPDATE OR ABORT {target} SET {} WHERE {condition}", sets.join(", "));
    (!sets.is_empty()).then_some((sql, values))
}

/// Whether every row is still what the writes were planned from, and every new slot, identity and UNIQUE value free.
pub(crate) fn verify(shape: &TableShape, source: Source<'_>, writes: &[Write]) -> rusqlite::Result<bool> {
    let mut leaving: HashSet<Place> = HashSet::new();
    for (slot, row) in writes.iter().filter_map(|write| write.old.as_ref()) {
        if row_at(shape, source, slot)?.as_ref() != Some(row) {
            return Ok(false);
        }
        leaving.insert(place(shape, slot));
    }
    for (slot, _) in writes.iter().filter_map(|write| write.new.as_ref()) {
        if !leaving.contains(&place(shape, slot)) && row_at(shape, source, slot)?.is_some() {
            return Ok(false);
        }
    }
    let identity = match &shape.rules.identity {
        Identity::Key(columns) => Some(columns),
        Identity::Id(_) | Identity::Content => None,
    };
    for columns in shape.rules.uniques.iter().chain(identity.filter(|i| !shape.rules.uniques.contains(i))) {
        let moved = |write: &Write| {
            let key = |placed: &Option<(Slot, Row)>| key_of(&placed.as_ref()?.1, columns);
            key(&write.new).filter(|new| Some(new) != key(&write.old).as_ref())
        };
        let keys: BTreeSet<Key> = writes.iter().filter_map(moved).collect();
        if keys.is_empty() {
            continue;
        }
        let there = rows_by_key(shape, source, columns, &keys)?;
        if there.iter().any(|(slot, _)| !leaving.contains(&place(shape, slot))) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Raises what AUTOINCREMENT remembers of a table.
pub(crate) fn raise_sequence(connection: &Connection, table: &str, last: i64) -> rusqlite::Result<()> {
    let raised = connection
        .prepare_cached("UPDATE main.sqlite_sequence SET seq = ?2 WHERE name = ?1 AND seq < ?2")?
        .execute(rusqlite::params![table, last])?;
    if raised == 0 {
        connection
            .prepare_cached(
                "INSERT INTO main.sqlite_sequence (name, seq) SELECT ?1, ?2
                 WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = ?1)",
            )?
            .execute(rusqlite::params![table, last])?;
    }
    Ok(())
}

/// The row at a slot, made of `columns`, all of which are there; `None` when there is no row.
pub(crate) fn witness(
    connection: &Connection,
    have: &Table,
    columns: &[String],
    slot: &Slot,
) -> rusqlite::Result<Option<Row>> {
    let (condition, values) = slot_condition(have, have, slot);
    witness_where(connection, have, columns, &condition, &values)
}

/// The row with these values in these columns; `None` when there is no row.
pub(crate) fn witness_by(
    connection: &Connection,
    have: &Table,
    columns: &[String],
    key: &[(&str, &Value)],
) -> rusqlite::Result<Option<Row>> {
    let condition: Vec<String> = key.iter().map(|(name, _)| format!("{} = ?", quote(name))).collect();
    let values: Vec<Value> = key.iter().map(|(_, value)| (*value).clone()).collect();
    witness_where(connection, have, columns, &condition.join(" AND "), &values)
}

fn witness_where(
    connection: &Connection,
    have: &Table,
    columns: &[String],
    condition: &str,
    values: &[Value],
) -> rusqlite::Result<Option<Row>> {
    let list: Vec<String> = columns.iter().map(|name| quote(name)).collect();
    let sql = format!("SELECT {} FROM main.{} WHERE {condition}", list.join(", "), quote(&have.name));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    match rows.next()? {
        None => Ok(None),
        Some(row) => (0..columns.len())
            .map(|column| row.get_ref(column).map(Value::from_ref))
            .collect::<rusqlite::Result<Row>>()
            .map(Some),
    }
}
