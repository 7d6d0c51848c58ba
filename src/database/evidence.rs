//! Finding out after a crash whether an intent was carried out, by asking the file.
//!
//! A transaction happens whole or not at all, so anything that only we can have written says yes for all of it, and
//! anything that cannot be there if we had says no. Apart from `settle`, which acts on the answer. Only reads.

use std::collections::HashSet;

use rusqlite::Connection;

use super::log::{self, Since};
use super::model::{Slot, Write};
use super::page::{self, Cell};
use super::record::{Intent, TableWrites};
use super::schema::{self, Schema, Storage};
use super::sql::{Made, made_by};
use super::value::{Row, Value};
use super::write::witness;
use super::{native, open};

/// So many counters are not as planned by chance.
const MANY: usize = 5;

/// What a file says about an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// It was carried out.
    Written,
    /// It was not.
    NotWritten,
    /// Nothing decides; it is taken as carried out.
    Unclear,
    /// Nothing decides; it is taken as not carried out, as else rows would be deleted that nobody has deleted.
    Doubtful,
}

/// Asks a side whether an intent was carried out.
///
/// A transaction happens whole or not at all, so one row can tell. One whose cells still are what they were before says no;
/// one whose cells are what was planned says yes, unless its owner could have come to that alone (a counter one higher, an
/// equal new row). A new row's place that is free, or that another row has taken, says no; so does a row that was to get
/// another id and is where it was. That some row has an id says nothing, as its owner gives out the next one as well.
pub(crate) fn of(live: &Connection, intent: &Intent) -> rusqlite::Result<Evidence> {
    if !intent.writes_anything() {
        return Ok(Evidence::Written);
    }
    let transaction = live.unchecked_transaction()?;
    let schema = open::first_read(live)?;
    if open::is_wal(live)? {
        if let Some(evidence) = of_log(live, &schema, intent)? {
            return Ok(evidence);
        }
    } else if let (Some(then), Some(now)) = (intent.counter, native::change_counter(live)) {
        if now == then {
            return Ok(Evidence::NotWritten);
        }
        if now == then.wrapping_add(1)
            && let Some(evidence) = of_rows(live, &schema, intent)?
        {
            return Ok(evidence);
        }
    }
    for statement in &intent.statements {
        if !is_made(live, &schema, &statement.sql)? {
            return Ok(Evidence::NotWritten);
        }
    }
    let (mut yes, mut no, mut perhaps) = (0_usize, 0_usize, 0_usize);
    let (mut likely, mut unsure) = (0_usize, 0_usize);
    for table in &intent.writes {
        let have = schema.table(&table.table);
        let Some(have) = have.filter(|have| table.columns.iter().all(|name| have.column(name).is_some()))
        else {
            // What it lacks would have been added in the same transaction.
            return Ok(Evidence::NotWritten);
        };
        for write in &table.writes {
            match testimony(live, have, table, write)? {
                Testimony::Yes => yes += 1,
                Testimony::No => no += 1,
                Testimony::Perhaps => perhaps += 1,
                Testimony::Likely => likely += 1,
                Testimony::Unsure => unsure += 1,
                Testimony::Nothing => {}
            }
        }
    }
    drop(transaction);
    Ok(match (yes, no) {
        (0, 0) if perhaps == 0 && likely == 0 && intent.writes.is_empty() => Evidence::Written,
        // Taken as written, a row that was not would be taken for one that its owner has deleted, everywhere. A few
        // counters may be as planned by chance; more of them say that it was written.
        (0, 0) if unsure > 0 && likely == 0 && perhaps < MANY => Evidence::Doubtful,
        (0, 0) => Evidence::Unclear,
        (_, 0) => Evidence::Written,
        (0, _) => Evidence::NotWritten,
        // An owner has put rows back, or made what we planned: the larger number is right more often.
        (yes, no) if yes > no => Evidence::Written,
        _ => Evidence::NotWritten,
    })
}

/// What the write-ahead log says: whether the first transaction after the place that was noted under the lock is ours.
/// `None` when it says nothing.
fn of_log(live: &Connection, schema: &Schema, intent: &Intent) -> rusqlite::Result<Option<Evidence>> {
    let Some(then) = intent.log else { return Ok(None) };
    let (pages, is_first) = match log::since(live, then) {
        Since::Nothing => return Ok(Some(Evidence::NotWritten)),
        Since::Pages(pages) => (pages, true),
        Since::Restarted(pages) => (pages, false),
        Since::Unknown => return Ok(None),
    };
    let encoding: String = live.pragma_query_value(None, "encoding", |row| row.get(0))?;
    if encoding != "UTF-8" || native::schema_format(live) != Some(4) {
        return Ok(None);
    }
    let cells: HashSet<Cell<'_>> = pages.iter().flat_map(|page| page::cells(page)).collect();
    let inline = pages.first().map_or(0, |page| page::inline_at_most(page.len()));
    let mut found = Found::default();
    for table in &intent.writes {
        let Some(have) = schema.table(&table.table) else { continue };
        // A table that has got a column since is not the one that was written.
        if have.columns.len() != table.columns.len() || stores_generated(live, have)? {
            continue;
        }
        for write in &table.writes {
            let Some((Slot::Rowid(rowid), new)) = &write.new else { continue };
            let record = page::record(have, &table.columns, new).filter(|record| record.len() <= inline);
            let Some(record) = record else { continue };
            let is_there = cells.contains(&Cell { rowid: Some(*rowid), record: &record });
            found.note(is_there, have, table, write);
        }
    }
    Ok(if is_first { found.verdict() } else { found.verdict().filter(|v| *v == Evidence::Written) })
}

/// What the rows say where they are as the first transaction after the lock left them. `None` when no row was to be new.
fn of_rows(live: &Connection, schema: &Schema, intent: &Intent) -> rusqlite::Result<Option<Evidence>> {
    let mut found = Found::default();
    for table in &intent.writes {
        let have = schema.table(&table.table);
        let Some(have) = have.filter(|have| table.columns.iter().all(|name| have.column(name).is_some()))
        else {
            continue;
        };
        for write in &table.writes {
            let Some((slot, new)) = &write.new else { continue };
            let is_there = witness(live, have, &table.columns, slot)?.as_ref() == Some(new);
            found.note(is_there, have, table, write);
        }
    }
    Ok(found.verdict())
}

/// Which of the planned rows the first transaction after the lock has written.
#[derive(Debug, Default)]
struct Found {
    /// Rows that only we would have written.
    ours: usize,
    /// Rows that the owner could have come to alone.
    anyones: usize,
    /// Rows that are not there.
    absent: usize,
}

impl Found {
    fn note(&mut self, is_there: bool, have: &schema::Table, table: &TableWrites, write: &Write) {
        if !is_there {
            self.absent += 1;
        } else if could_be_anyones(have, table, write) {
            self.anyones += 1;
        } else {
            self.ours += 1;
        }
    }

    fn verdict(&self) -> Option<Evidence> {
        match (self.absent, self.ours, self.anyones) {
            (0, 0, 0) => None,
            (0, 0, 1) => Some(Evidence::Unclear),
            // More than one that anybody could have written, in one transaction, are no chance any more.
            (0, _, _) => Some(Evidence::Written),
            _ => Some(Evidence::NotWritten),
        }
    }
}

/// Whether a table keeps the values of generated columns.
fn stores_generated(live: &Connection, have: &schema::Table) -> rusqlite::Result<bool> {
    live.prepare_cached("SELECT EXISTS (SELECT 1 FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 3)")?
        .query_row([&have.name], |row| row.get(0))
}

/// Whether the owner could have come to a write alone, such that it makes a difference: by adding the same to a counter,
/// or making it, or adding an equal row to a table without a key.
fn could_be_anyones(have: &schema::Table, table: &TableWrites, write: &Write) -> bool {
    match (&write.old, &write.new) {
        (Some((_, old)), Some((_, new))) => only_sums(table, old, new),
        (None, Some(_)) => has_no_key(have) || !table.summed.is_empty(),
        _ => false,
    }
}

/// Whether two rows differ in counters at most.
fn only_sums(table: &TableWrites, old: &Row, new: &Row) -> bool {
    let mut cells = old.iter().zip(new.iter()).enumerate();
    cells.all(|(column, (old, new))| old == new || table.summed.contains(&column))
}

fn has_no_key(have: &schema::Table) -> bool {
    have.primary_key.is_empty() && have.uniques.is_empty()
}

/// What one row says about a write.
enum Testimony {
    Yes,
    No,
    Perhaps,
    /// It is as planned, which is a chance only where its owner made the very row himself.
    Likely,
    /// A row was to be there, and what is there may have come from it, or be its owner's own.
    Unsure,
    Nothing,
}

fn testimony(
    live: &Connection,
    have: &schema::Table,
    table: &TableWrites,
    write: &Write,
) -> rusqlite::Result<Testimony> {
    let now = |placed: &Option<(Slot, Row)>| match placed {
        Some((slot, _)) => witness(live, have, &table.columns, slot),
        None => Ok(None),
    };
    let (old, new) = (write.old.as_ref().map(|(_, row)| row), write.new.as_ref().map(|(_, row)| row));
    let (at_old, at_new) = (now(&write.old)?, now(&write.new)?);
    let place = place(have, table);
    let alike = |a: &Row, b: &Row| alike(a, b, &table.summed, place);
    let moves = match (&write.old, &write.new) {
        (Some((from, _)), Some((to, _))) => from != to,
        _ => false,
    };
    Ok(match (old, new) {
        // A row that was to get another id: we would have taken it away from where it was.
        (Some(old), Some(new)) if moves => match (at_old, at_new) {
            (Some(now), _) if now == *old => Testimony::No,
            (_, Some(now)) if now == *new => Testimony::Yes,
            (Some(now), None) if alike(&now, old) == Some(true) => Testimony::No,
            _ => Testimony::Unsure,
        },
        (Some(old), Some(new)) => match at_new {
            Some(now) if alike(&now, new) == Some(false) && alike(&now, old) == Some(false) => {
                Testimony::Nothing
            }
            Some(now) => by_cell(table, old, new, &now),
            None => Testimony::Nothing,
        },
        (Some(old), None) => match at_old {
            None => Testimony::Yes,
            // What its owner changed is still there, unless it is another one.
            Some(now) if alike(&now, old) == Some(false) => Testimony::Nothing,
            Some(_) => Testimony::No,
        },
        (None, Some(new)) => match at_new {
            // Anybody may add an equal row to a table without a key, or make the same counter.
            Some(now) if now == *new && has_no_key(have) => Testimony::Perhaps,
            Some(now) if now == *new && could_be_anyones(have, table, write) => Testimony::Likely,
            Some(now) if now == *new => Testimony::Yes,
            Some(now) => match compared(&now, new, &table.summed, place) {
                (0, 1..) => Testimony::No,
                // It may have come from it, or share with it what many rows share.
                (1.., 1..) => Testimony::Unsure,
                // Its owner has counted on it, or made the same counter.
                (_, 0) => Testimony::Nothing,
            },
            // Its owner may have taken it away again; then it comes back, which loses nothing.
            None => Testimony::No,
        },
        (None, None) => Testimony::Nothing,
    })
}

/// What the cells say that were to be changed, whatever the owner has done to the others since.
fn by_cell(table: &TableWrites, old: &Row, new: &Row, now: &Row) -> Testimony {
    let changed = || old.iter().zip(new.iter()).enumerate().filter(|(_, (old, new))| old != new);
    let is_sum = |column: &usize| table.summed.contains(column);
    let sums_only = changed().all(|(column, _)| is_sum(&column));
    // A counter moves by itself: it is asked only where there is nothing else.
    let asked: Vec<usize> = changed().map(|(column, _)| column).filter(|c| sums_only || !is_sum(c)).collect();
    let all_as_in = |row: &Row| asked.iter().all(|column| now.get(*column) == row.get(*column));
    match (asked.is_empty(), all_as_in(new), all_as_in(old)) {
        (false, true, _) if sums_only => Testimony::Perhaps,
        (false, true, _) => Testimony::Yes,
        (false, _, true) => Testimony::No,
        _ => Testimony::Nothing,
    }
}

/// The column that shows where a row is. That a row is where it is says nothing of what it is: its owner gives out the next
/// id as we do.
fn place(have: &schema::Table, table: &TableWrites) -> Option<usize> {
    let Storage::Alias { column } = have.storage else { return None };
    let name = have.columns.get(column).map(|column| column.name.as_str())?;
    table.columns.iter().position(|own| own.eq_ignore_ascii_case(name))
}

/// Whether a row can have come from one that was planned.
pub(crate) fn is_alike(have: &schema::Table, table: &TableWrites, now: &Row, planned: &Row) -> bool {
    now == planned || alike(now, planned, &table.summed, place(have, table)) == Some(true)
}

/// Whether one of two rows can have come from the other: less than half of it differs. `None` where there is nothing to compare.
fn alike(a: &Row, b: &Row, summed: &[usize], place: Option<usize>) -> Option<bool> {
    let (equal, differing) = compared(a, b, summed, place);
    (equal + differing > 0).then_some(equal > differing)
}

/// How many cells of two rows are equal, and how many differ. Counters are made to differ, where a row lies is no cell of its own,
/// and that neither has a value makes nobody alike.
fn compared(a: &Row, b: &Row, summed: &[usize], place: Option<usize>) -> (usize, usize) {
    let cells = a.iter().zip(b.iter()).enumerate();
    let cells = cells.filter(|(column, (a, b))| {
        let is_empty = (*a, *b) == (&Value::Null, &Value::Null);
        !summed.contains(column) && place != Some(*column) && !is_empty
    });
    let (equal, differing): (Vec<_>, Vec<_>) = cells.partition(|(_, (a, b))| a == b);
    (equal.len(), differing.len())
}

/// Whether what a schema statement makes is there.
fn is_made(live: &Connection, schema: &Schema, statement: &str) -> rusqlite::Result<bool> {
    match made_by(statement) {
        Some(Made::Table(name) | Made::Virtual(name) | Made::Index(name)) => live
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE)",
            )?
            .query_row([name], |row| row.get(0)),
        Some(Made::Column { table, column }) => {
            Ok(schema.table(&table).is_some_and(|table| table.column(&column).is_some()))
        }
        // Nothing tells; the rows will.
        Some(Made::View(_) | Made::Trigger(_)) | None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cells_say() {
        let row = |cells: [i64; 4]| -> Row { cells.map(Value::Integer).into_iter().collect() };
        let table =
            TableWrites { table: "t".into(), columns: Vec::new(), summed: vec![3], writes: Vec::new() };
        let says = |old, new, now| match by_cell(&table, &row(old), &row(new), &row(now)) {
            Testimony::Yes => "yes",
            Testimony::No => "no",
            Testimony::Perhaps => "perhaps",
            Testimony::Likely | Testimony::Unsure | Testimony::Nothing => "nothing",
        };
        for (old, new, now, expected) in [
            ([1, 0, 0, 0], [1, 5, 0, 0], [1, 5, 0, 0], "yes"),
            ([1, 0, 0, 0], [1, 5, 0, 0], [1, 0, 0, 0], "no"),
            // The owner changed another cell.
            ([1, 0, 0, 0], [1, 5, 0, 0], [1, 5, 7, 0], "yes"),
            ([1, 0, 0, 0], [1, 5, 0, 0], [1, 0, 7, 9], "no"),
            // Or the same.
            ([1, 0, 0, 0], [1, 5, 0, 0], [1, 6, 0, 0], "nothing"),
            ([1, 0, 0, 0], [1, 5, 6, 0], [1, 5, 0, 0], "nothing"),
            // A counter is asked only where there is nothing else.
            ([1, 0, 0, 2], [1, 5, 0, 3], [1, 5, 0, 2], "yes"),
            ([1, 0, 0, 2], [1, 0, 0, 3], [1, 0, 0, 3], "perhaps"),
            ([1, 0, 0, 2], [1, 0, 0, 3], [1, 8, 0, 2], "no"),
            ([1, 0, 0, 2], [1, 0, 0, 3], [1, 0, 0, 4], "nothing"),
            ([1, 0, 0, 2], [1, 0, 0, 2], [1, 0, 0, 2], "nothing"),
        ] {
            assert_eq!(says(old, new, now), expected, "{old:?} -> {new:?}: {now:?}");
        }
    }
}
