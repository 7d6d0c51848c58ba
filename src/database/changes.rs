//! What a side did to a table since its base: from the pages of both files where those tell for certain, else from all rows.
//!
//! Apart from `pages`, which names rows, and from `observe`, which compares them. Comparing all rows stays the measure: it
//! is done wherever pages leave a doubt or something fails, and where it is asked for beside them. Both must come to the same;
//! where they do not, what the rows say counts, it is told, and all rows are compared in each run until they agree again. Beside
//! that, whatever a plan touches is looked at where pages alone told before anything is written: see `fit`.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;

use rusqlite::{Connection, ErrorCode};
use serde_json::json;

use crate::events::{self, Event, Severity};
use crate::interrupt;

use super::key::Collation;
use super::model::Change;
use super::observe::{self, Source};
use super::pages::{
    Candidate, Differences, Ended, File, Moment, Order, Overlay, Roots, believe, candidates, compare,
};
use super::plan::{Plan, Side};
use super::progress::Rows;
use super::record::TableWrites;
use super::run::Job;
use super::schema::{Direction, Storage, Table};
use super::shape::TableShape;
use super::{Fault, Mode, Verify, open, sql_error, state_error};

/// How much of both files was compared, kept for the other tables of a side.
pub(crate) type Compared = OnceCell<Result<(Option<Overlay>, Differences), &'static str>>;

/// Why pages did not say what has changed.
#[derive(Debug)]
pub(crate) enum Unsaid {
    /// They cannot tell, for this reason: nobody is told but tests.
    Doubt(#[cfg_attr(not(test), expect(dead_code, reason = "for tests"))] &'static str),
    /// SQLite failed, or was stopped.
    Failed(rusqlite::Error),
}

/// After how many seconds all rows of a side are compared again.
const DAY: i64 = 86_400;

/// How one run reads what the sides of a database did.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Sides of which all rows are compared, whatever pages tell.
    all_rows: BTreeSet<String>,
    at: i64,
    /// Whether pages are not asked any more.
    distrusted: Cell<bool>,
    /// Sides of which pages alone told something.
    of_pages: RefCell<BTreeSet<String>>,
    /// Sides of which a change was told by rows, in the plan that is made.
    of_rows: RefCell<BTreeSet<String>>,
    /// Sides of which they told what is not so.
    misread: RefCell<BTreeSet<String>>,
    told: RefCell<Vec<Misread>>,
}

/// Pages and rows do not come to the same.
#[derive(Debug)]
struct Misread {
    side: String,
    table: String,
    /// What is the matter, for people.
    what: String,
    /// How many changed rows the pages tell of, and the rows; where that is known.
    changed: Option<(usize, usize)>,
}

/// Whether all rows of a side are to be compared, which was last done then.
pub(crate) fn is_due(then: Option<i64>, now: i64) -> bool {
    then.is_none_or(|then| now < then || now.saturating_sub(then) >= DAY)
}

/// The two states of a table on one side.
pub(crate) struct States<'s> {
    /// The side.
    pub(crate) side: &'s str,
    /// The base, to which nobody writes meanwhile.
    pub(crate) before: Source<'s>,
    /// The live file, in the read transaction that began at `moment`.
    pub(crate) after: Source<'s>,
    /// See there.
    pub(crate) moment: Moment,
    /// What a comparison of all their pages came to.
    pub(crate) compared: &'s Compared,
}

impl Reading {
    /// For one database.
    pub(crate) fn new<'s>(
        job: &Job<'_>,
        database: &str,
        sides: impl Iterator<Item = &'s String>,
    ) -> Result<Reading, Fault> {
        let at = job.at.timestamp();
        let mut all_rows = BTreeSet::new();
        for side in sides {
            let state = job.store.replica(database, side).map_err(state_error)?;
            if job.verify == Verify::Now || is_due(state.and_then(|state| state.compared), at) {
                all_rows.insert(side.clone());
            }
        }
        let (of_pages, of_rows, misread, told) = Default::default();
        Ok(Reading { all_rows, at, distrusted: Cell::new(false), of_pages, of_rows, misread, told })
    }

    /// What a side did to a table since its base.
    pub(crate) fn changes(
        &self,
        shape: &TableShape,
        states: &States<'_>,
        rows: &mut Rows<'_>,
    ) -> rusqlite::Result<Vec<Change>> {
        let (before, after) = (states.before, states.after);
        let of_pages = match self.distrusted.get() {
            true => Err(Unsaid::Doubt("pages were wrong before")),
            false => by_pages(shape, states, rows),
        };
        let of_pages = match of_pages {
            Ok(changes) if !self.all_rows.contains(states.side) => {
                self.of_pages.borrow_mut().insert(states.side.to_owned());
                return Ok(changes);
            }
            Ok(changes) => Some(changes),
            // Rows would be those of another moment, where a failure has ended the transaction.
            Err(Unsaid::Failed(cause)) if is_stop(&cause) || after.connection.is_autocommit() => {
                return Err(cause);
            }
            // Whatever failed, fails for whoever reads all rows too, unless it was pages that were at fault.
            Err(Unsaid::Failed(_) | Unsaid::Doubt(_)) => None,
        };
        if after.connection.is_autocommit() {
            return Err(open::ended());
        }
        let of_rows = observe::diff(shape, before, after, || rows.read())?;
        if !of_rows.is_empty() {
            self.of_rows.borrow_mut().insert(states.side.to_owned());
        }
        if let Some(of_pages) = of_pages
            && of_pages != of_rows
        {
            let changed = (of_pages.len(), of_rows.len());
            let what = format!(
                "its pages tell of {} changed rows and its rows of {}. What the rows say was taken",
                changed.0, changed.1
            );
            self.misread(states.side, &shape.rules.name, what, Some(changed));
        }
        Ok(of_rows)
    }

    /// Whether what a side did was told by pages alone, at least in part.
    pub(crate) fn is_of_pages(&self, side: &str) -> bool {
        self.of_pages.borrow().contains(side)
    }

    /// Whether all rows of a side are compared beside its pages.
    pub(crate) fn is_of_all_rows(&self, side: &str) -> bool {
        self.all_rows.contains(side)
    }

    /// The sides whose pages show that no damage has made or hidden what was observed on them, so that SQLite need not check the whole
    /// file. To be asked in the transactions in which that was observed.
    pub(crate) fn believed(&self, sides: &[Side], plan: &Plan) -> Result<BTreeSet<String>, Fault> {
        let mut believed = BTreeSet::new();
        let of_rows = self.of_rows.take();
        for (side, intent) in sides.iter().zip(&plan.intents) {
            let told = side.known && !intent.observed.is_empty() && self.is_of_pages(&side.name);
            if !told || self.is_of_all_rows(&side.name) || of_rows.contains(&side.name) {
                continue;
            }
            let changed = intent.observed.iter().filter(|table| !table.writes.is_empty());
            let tables = changed.map(|TableWrites { table, .. }| {
                side.recorded_from(table).table.zip(side.schema.table(table))
            });
            let Some(tables) = tables.collect::<Option<Vec<_>>>() else { continue };
            let look = &mut || interrupt::check_often().map_err(|_| Ended::Stopped);
            match pages_hold((&side.base.connection, &side.live), &side.compared, &tables, look) {
                Ok(()) => _ = believed.insert(side.name.clone()),
                Err(Unsaid::Doubt(_)) => {}
                Err(Unsaid::Failed(cause)) => return Err(sql_error(cause, &side.name)),
            }
        }
        Ok(believed)
    }

    /// What was planned from pages does not fit the rows of a side: from now on, all rows of all sides are compared.
    pub(crate) fn distrust(&self, side: &str, table: &str) {
        self.distrusted.set(true);
        let of_pages = self.of_pages.take();
        self.misread.borrow_mut().extend(of_pages);
        let what = "what its pages tell does not fit its rows. Nothing was written of that, and all rows were compared";
        self.misread(side, table, what.to_owned(), None);
    }

    fn misread(&self, side: &str, table: &str, what: String, changed: Option<(usize, usize)>) {
        self.misread.borrow_mut().insert(side.to_owned());
        let (side, table) = (side.to_owned(), table.to_owned());
        self.told.borrow_mut().push(Misread { side, table, what, changed });
    }

    /// What people should know, once; it is put on record unless nothing is.
    pub(crate) fn told(&self, job: &Job<'_>, database: &str) -> Vec<String> {
        let tell = |told: Misread| {
            let Misread { side, table, what, changed } = told;
            let warning = format!(
                "CRITICAL: {side}, {table}: {what}, so that nothing is lost now; please report this. Until they agree, each run \
                 compares all rows"
            );
            let (pages, rows) = changed.unzip();
            let details = json!({
                "database": database, "side": side, "table": table, "what": what,
                "rows_by_pages": pages, "rows_by_rows": rows,
            });
            let (kind, severity) = ("DATABASE_PAGES_MISREAD".to_owned(), Severity::Critical);
            let event = Event { kind, severity, details, ip: None, session: None };
            match job.mode {
                Mode::DryRun => warning,
                Mode::Apply => match events::record(job.config, &event) {
                    Ok(_) => warning,
                    Err(error) => format!("{warning}; that is in no event log: {error}"),
                },
            }
        };
        self.told.take().into_iter().map(tell).collect()
    }

    /// Remembers of which sides all rows were compared, as a plan was made of `sides`, and that they have to be compared again
    /// where pages were wrong.
    pub(crate) fn note(&self, job: &Job<'_>, database: &str, sides: &[Side]) -> Result<(), Fault> {
        let misread = self.misread.borrow();
        let agreeing =
            |side: &&Side| side.known && self.all_rows.contains(&side.name) && !misread.contains(&side.name);
        for side in sides.iter().filter(agreeing) {
            job.store.set_compared(database, &side.name, Some(self.at)).map_err(state_error)?;
        }
        Ok(())
    }

    /// Remembers that all rows are to be compared again where pages were wrong, whatever else became of the run.
    pub(crate) fn note_misread(&self, job: &Job<'_>, database: &str) -> Result<(), Fault> {
        for side in self.misread.borrow().iter() {
            job.store.set_compared(database, side, None).map_err(state_error)?;
        }
        Ok(())
    }
}

/// Whether nothing failed but that somebody wants it to end.
fn is_stop(cause: &rusqlite::Error) -> bool {
    cause.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

impl From<rusqlite::Error> for Unsaid {
    fn from(cause: rusqlite::Error) -> Unsaid {
        Unsaid::Failed(cause)
    }
}

impl From<Ended> for Unsaid {
    fn from(ended: Ended) -> Unsaid {
        match ended {
            Ended::Doubt(why) => Unsaid::Doubt(why),
            Ended::Stopped => Unsaid::Failed(interrupt::interrupted()),
        }
    }
}

/// The changes of one table, as far as pages tell for certain.
pub(crate) fn by_pages(
    shape: &TableShape,
    states: &States<'_>,
    rows: &mut Rows<'_>,
) -> Result<Vec<Change>, Unsaid> {
    let States { before, after, moment, compared, .. } = *states;
    #[cfg(test)]
    for side in ["bot", "central"].iter().filter(|side| **side == states.side) {
        if super::pages::is_planted(super::pages::Mistake::BlindOn(side)) {
            return Ok(Vec::new());
        }
    }
    let (Some(old), Some(new)) = (before.table, after.table) else {
        return Err(Unsaid::Doubt("it has the table in one state only"));
    };
    if old.module.is_some() || old.sql != new.sql || old.storage != new.storage {
        return Err(Unsaid::Doubt("its definitions do not read alike"));
    }
    let key = key_order(shape, new)?;
    let order = match &key {
        Some(parts) => Order::Key(parts),
        None => Order::Rowid,
    };
    // The pages of a base are only read as they lie in its file, where SQLite has none of its own: no log either.
    if open::is_wal(before.connection)? {
        return Err(Unsaid::Doubt("its base has a log"));
    }
    let reading = before.connection.unchecked_transaction()?;
    let roots = (root(before.connection, old)?, root(after.connection, new)?);
    let mut look = || rows.tell().map_err(|_| Ended::Stopped);
    if compared.get().is_none() {
        let found = match all_pages(before.connection, after.connection, moment, &mut look) {
            Err(Ended::Stopped) => return Err(Ended::Stopped.into()),
            Err(Ended::Doubt(why)) => Err(why),
            Ok(found) => Ok(found),
        };
        // It is empty, as nobody else fills it.
        let _ = compared.set(found);
    }
    let (overlay, differences) = match compared.get() {
        Some(Ok((overlay, differences))) => (overlay.as_ref(), differences),
        Some(Err(why)) => return Err(Unsaid::Doubt(why)),
        None => return Err(Unsaid::Doubt("nothing was compared")),
    };
    let (was, is) = (File::new(before.connection, None)?, File::new(after.connection, overlay)?);
    let found = candidates((&was, &is), differences, roots, order, &mut look)?;
    is.check()?;
    drop(reading);
    let mut changes = Vec::new();
    for Candidate { slot, before: had, after: has } in &found {
        rows.read()?;
        let change = observe::difference_at(shape, (before, *had), (after, *has), slot)?;
        // A cell has its row, so that one that SQL does not find was not read right.
        changes.extend(change.ok_or(Unsaid::Doubt("a row is not found by its key"))?);
    }
    Ok(changes)
}

/// Ends in a doubt unless pages show that no damage has changed rows of these tables, given as they were and are.
pub(crate) fn pages_hold(
    (base, live): (&Connection, &Connection),
    compared: &Compared,
    tables: &[(&Table, &Table)],
    look: &mut dyn FnMut() -> Result<(), Ended>,
) -> Result<(), Unsaid> {
    let Some(Ok((overlay, differences))) = compared.get() else {
        return Err(Unsaid::Doubt("pages were not compared"));
    };
    let reading = base.unchecked_transaction()?;
    let mut changed = Vec::new();
    for (old, new) in tables {
        if new.module.is_some() || matches!(new.storage, Storage::Key { .. }) {
            return Err(Unsaid::Doubt("its rows have no row ids"));
        }
        changed.push((root(base, old)?, root(live, new)?));
    }
    let mut others: Vec<u32> = live
        .prepare_cached("SELECT rootpage FROM main.sqlite_schema WHERE rootpage > 0")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    others.retain(|other| changed.iter().all(|(_, new)| new != other));
    let (was, is) = (File::new(base, None)?, File::new(live, overlay.as_ref())?);
    believe((&was, &is), differences, &Roots { changed, others }, look)?;
    is.check()?;
    drop(reading);
    Ok(())
}

/// The order of rows that are kept by their key; nothing where they have row ids.
fn key_order(shape: &TableShape, have: &Table) -> Result<Option<Vec<(Collation, Direction)>>, Unsaid> {
    let (Storage::Key { order }, Storage::Key { order: of_shape }) = (&have.storage, &shape.table.storage)
    else {
        return Ok(None);
    };
    let named = |table: &Table, (column, collation, direction): &(usize, Collation, Direction)| {
        let name = table.columns.get(*column).map(|column| column.name.to_ascii_lowercase());
        (name, *collation, *direction)
    };
    let own = order.iter().map(|part| named(have, part));
    if own.ne(of_shape.iter().map(|part| named(&shape.table, part))) {
        return Err(Unsaid::Doubt("its key is not that of the other sides"));
    }
    Ok(Some(order.iter().map(|(_, collation, direction)| (*collation, *direction)).collect()))
}

fn root(connection: &Connection, table: &Table) -> rusqlite::Result<u32> {
    connection
        .prepare_cached("SELECT rootpage FROM main.sqlite_schema WHERE type = 'table' AND name = ?1")?
        .query_row([&table.name], |row| row.get(0))
}

fn all_pages(
    base: &Connection,
    live: &Connection,
    moment: Moment,
    look: &mut dyn FnMut() -> Result<(), Ended>,
) -> Result<(Option<Overlay>, Differences), Ended> {
    let overlay = Overlay::of(live, moment, look)?;
    let (was, is) = (File::new(base, None)?, File::new(live, overlay.as_ref())?);
    let differences = compare(&was, &is, look)?;
    is.check()?;
    Ok((overlay, differences))
}

#[cfg(test)]
mod tests;
