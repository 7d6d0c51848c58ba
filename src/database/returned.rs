//! Columns and tables that a side dropped and has again.
//!
//! What a side lacks is not dropped elsewhere, so its table waits; then somebody adds it there again, as he was told to,
//! and it is empty. That is no edit. A column first gets the values back that it had when it was last merged, wherever it
//! still is as it was added; a table that was made anew is adopted, so that nothing is deleted for what it lacks.

use rusqlite::{Connection, OptionalExtension, params_from_iter};

use crate::config::DatabaseConfig;
use crate::interrupt;
use crate::report::DatabaseReport;

use super::archive::{self, Target};
use super::plan::{Base, Side};
use super::run::{Job, Seat};
use super::schema::{Schema, Storage, Table};
use super::shape::{Dropped, added_value};
use super::sql::quote;
use super::value::Value;
use super::{Fault, apply, observe, open, sql_error, state_error};

/// Remembers what sides lack that they once had.
pub(crate) fn note(job: &Job<'_>, name: &str, sides: &[Side], dropped: &[Dropped]) -> Result<(), Fault> {
    for gone in dropped {
        let Some(side) = sides.get(gone.side) else { continue };
        match &gone.column {
            Some(column) => job.store.note_dropped(name, &side.name, &gone.table, column),
            None => job.store.forget_merged_table(name, &side.name, &gone.table),
        }
        .map_err(state_error)?;
    }
    Ok(())
}

/// Columns that were dropped and are there again: table and column.
pub(crate) fn back(
    job: &Job<'_>,
    name: &str,
    side: &str,
    now: &Schema,
) -> Result<Vec<(String, String)>, Fault> {
    let dropped = job.store.dropped(name, side).map_err(state_error)?;
    let is_back = |(table, column): &(String, String)| {
        now.table(table).is_some_and(|table| table.column(column).is_some())
    };
    Ok(dropped.into_iter().filter(is_back).collect())
}

/// Why their tables wait, where the columns cannot get their values back now.
pub(crate) fn in_words(side: &str, back: &[(String, String)]) -> Vec<(String, String)> {
    let why =
        |column| format!("column {column} is back on {side}; a run first gives it the values that it had");
    back.iter().map(|(table, column)| (table.clone(), why(column))).collect()
}

/// Gives columns that are back the values that they had. Done again after a crash, it finds nothing left to do.
pub(crate) fn refill(
    job: &Job<'_>,
    name: &str,
    database: &DatabaseConfig,
    seat: &Seat,
    base: &Base,
    (now, back): (&Schema, Vec<(String, String)>),
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    let fail = |cause| sql_error(cause, &seat.name);
    let version = apply::data_version(&seat.live).map_err(fail)?;
    let target = Target { side: &seat.name, live: &seat.live, version };
    let bare = archive::secure(job, name, [target].into_iter())?;
    for (table, column) in back {
        if let (Some(was), Some(is)) = (base.schema.table(&table), now.table(&table)) {
            let _owner = open::as_owner(&seat.live);
            let policy = database.table_policy(name, &table);
            let filled = fill(&base.connection, was, &seat.live, is, &column, policy.identity.as_deref())
                .map_err(fail)?;
            report.warnings.push(format!(
                "{table}: column {column} is back on {}: {filled} of its cells got the value that they had",
                seat.name
            ));
        }
        job.store.forget_dropped(name, &seat.name, &table, &column).map_err(state_error)?;
    }
    archive::tell_bare(bare, |_| true, report);
    Ok(())
}

/// Writes what a column was wherever it is what it was added with. Returns how many cells that were.
fn fill(
    base: &Connection,
    was: &Table,
    live: &Connection,
    is: &Table,
    column: &str,
    identity: Option<&[String]>,
) -> rusqlite::Result<usize> {
    let Some(added) = added_value(is, column) else { return Ok(0) };
    if was.column(column).is_none() {
        return Ok(0);
    }
    let names = key(was, is, column, identity).unwrap_or_default();
    let names: Vec<String> = names.iter().map(|name| quote(name)).collect();
    let row_id = |table: &Table| match table.storage {
        Storage::Key { .. } => None,
        Storage::Alias { .. } | Storage::Hidden { .. } => Some(observe::rowid_name(table)),
    };
    let (id_then, id_now) = (row_id(was), row_id(is));
    let (column, table) = (quote(column), quote(&is.name));
    let equal = |first: usize| -> String {
        let parts = names.iter().enumerate().map(|(n, name)| format!("{name} IS ?{}", n + first));
        parts.collect::<Vec<_>>().join(" AND ")
    };
    let mut list = vec![column.clone(), id_then.clone().unwrap_or_else(|| "NULL".to_owned())];
    list.extend(names.iter().cloned());
    let rows = format!("SELECT {} FROM {} WHERE {column} IS NOT ?1", list.join(", "), quote(&was.name));
    let mut rows = base.prepare(&rows)?;
    let mut rows = rows.query([&added])?;
    live.execute_batch("BEGIN IMMEDIATE")?;
    let _quiet = interrupt::quiet();
    let written = (|| {
        let set = format!("UPDATE main.{table} SET {column} = ?1 WHERE {column} IS ?2 AND ");
        let mut filled = 0;
        while let Some(row) = rows.next()? {
            let value = |at: usize| row.get_ref(at).map(Value::from_ref);
            let (then, id) = (value(0)?, value(1)?);
            let key = (0..names.len()).map(|at| value(at + 2)).collect::<rusqlite::Result<Vec<_>>>()?;
            if !key.is_empty() {
                let all = [&then, &added].into_iter().chain(&key);
                let found =
                    live.prepare_cached(&format!("{set}{}", equal(3)))?.execute(params_from_iter(all))?;
                filled += found;
                if found > 0 {
                    continue;
                }
            }
            // It may have got another key since, under its old number: unless that is the key of another row.
            let Some(id_now) = id_now.as_ref().filter(|_| id_then.is_some()) else { continue };
            if !key.is_empty() {
                let sql = format!("SELECT {} FROM main.{table} WHERE {id_now} = ?1", names.join(", "));
                let now = live.prepare_cached(&sql)?.query_row([&id], |row| {
                    (0..names.len())
                        .map(|at| row.get_ref(at).map(Value::from_ref))
                        .collect::<Result<Vec<_>, _>>()
                });
                let Some(now) = now.optional()? else { continue };
                let sql = format!("SELECT EXISTS (SELECT 1 FROM {} WHERE {})", quote(&was.name), equal(1));
                if base.prepare_cached(&sql)?.query_row(params_from_iter(&now), |row| row.get(0))? {
                    continue;
                }
            }
            filled += live.prepare_cached(&format!("{set}{id_now} = ?3"))?.execute([&then, &added, &id])?;
        }
        Ok(filled)
    })();
    let ended = live.execute_batch(if written.is_ok() { "COMMIT" } else { "ROLLBACK" });
    written.and_then(|filled| ended.map(|()| filled))
}

/// The columns by which a row is found: as configured, else the first key that is no mere number of the row; `None` where
/// its row id is all there is.
fn key(was: &Table, is: &Table, column: &str, identity: Option<&[String]>) -> Option<Vec<String>> {
    let usable = |names: &[String]| {
        !names.is_empty()
            && names.iter().all(|name| {
                !name.eq_ignore_ascii_case(column) && was.column(name).is_some() && is.column(name).is_some()
            })
    };
    let named = |key: &Vec<(usize, super::key::Collation)>| -> Vec<String> {
        key.iter().filter_map(|(at, _)| is.columns.get(*at)).map(|column| column.name.clone()).collect()
    };
    let declared = is.uniques.iter().map(named);
    identity.map(<[String]>::to_vec).into_iter().chain(declared).find(|names| usable(names))
}
