//! What a side did to a table since its base: from the pages of both files where those tell for certain, else from all rows.
//!
//! Apart from `pages`, which names rows, and from `observe`, which compares them. Comparing all rows stays the measure: it
//! is done wherever pages leave a doubt, and where it is asked for beside them. Both must come to the same; where they do not,
//! what the rows say counts, and it is told.

use std::cell::{Cell, OnceCell, RefCell};

use rusqlite::Connection;

use super::Verify;
use super::key::Collation;
use super::model::Change;
use super::observe::{self, Source};
use super::pages::{Differences, Ended, File, Moment, Order, Overlay, candidates, compare};
use super::progress::Rows;
use super::schema::{Direction, Storage, Table};
use super::shape::TableShape;
use super::store::Store;

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

/// After how many seconds all rows of a database are compared again.
const DAY: i64 = 86_400;

/// How one run reads what the sides of a database did.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Whether all rows are compared, whatever pages tell.
    all_rows: bool,
    at: i64,
    /// Whether there was a table of which pages told too.
    compared: Cell<bool>,
    told: RefCell<Vec<String>>,
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
    /// For a run at that time, in unix seconds.
    pub(crate) fn new(store: &Store, database: &str, verify: Verify, at: i64) -> rusqlite::Result<Reading> {
        let is_due = |then: i64| at < then || at - then >= DAY;
        let all_rows = verify == Verify::Now || store.compared(database)?.is_none_or(is_due);
        Ok(Reading { all_rows, at, compared: Cell::new(false), told: RefCell::default() })
    }

    /// What a side did to a table since its base.
    pub(crate) fn changes(
        &self,
        shape: &TableShape,
        states: &States<'_>,
        rows: &mut Rows<'_>,
    ) -> rusqlite::Result<Vec<Change>> {
        let (before, after) = (states.before, states.after);
        let of_pages = match by_pages(shape, states, rows) {
            Ok(changes) if !self.all_rows => return Ok(changes),
            Ok(changes) => Some(changes),
            Err(Unsaid::Failed(cause)) => return Err(cause),
            Err(Unsaid::Doubt(_)) => None,
        };
        let of_rows = observe::diff(shape, before, after, || rows.read())?;
        let Some(of_pages) = of_pages else { return Ok(of_rows) };
        self.compared.set(true);
        if of_pages != of_rows {
            self.told.borrow_mut().push(format!(
                "CRITICAL: {}, {}: its pages tell of {} changed rows and its rows of {}. What the rows say was taken, so that \
                 nothing is lost now; please report this, and run with --verify until it is mended",
                states.side,
                shape.rules.name,
                of_pages.len(),
                of_rows.len()
            ));
        }
        Ok(of_rows)
    }

    /// What people should know, once.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.take()
    }

    /// Remembers that all rows were compared beside pages, if they were.
    pub(crate) fn note(&self, store: &Store, database: &str) -> rusqlite::Result<()> {
        if self.all_rows && self.compared.get() { store.set_compared(database, self.at) } else { Ok(()) }
    }
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
            Ended::Stopped => Unsaid::Failed(crate::interrupt::interrupted()),
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
    // The pages of a base are only read as they lie in its file, where SQLite has none of its own.
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
    let slots = candidates((&was, &is), differences, roots, order, &mut look)?;
    is.check()?;
    drop(reading);
    let mut changes = Vec::new();
    for slot in &slots {
        rows.read()?;
        let change = observe::difference_at(shape, before, after, slot)?;
        // A cell has its row, so that one that SQL does not find was not read right.
        changes.extend(change.ok_or(Unsaid::Doubt("a row is not found by its key"))?);
    }
    Ok(changes)
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
    let overlay = Overlay::of(live, moment)?;
    let (was, is) = (File::new(base, None)?, File::new(live, overlay.as_ref())?);
    let differences = compare(&was, &is, look)?;
    is.check()?;
    Ok((overlay, differences))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::config::Config;
    use crate::database::pages::{Mistake, plant};
    use crate::database::{self, Options};
    use crate::report::DatabaseReport;

    struct World {
        directory: tempfile::TempDir,
        config: Config,
    }

    impl World {
        fn new() -> World {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path();
            let sides = ["bot", "central"].map(|side| {
                std::fs::create_dir(root.join(side)).unwrap();
                (side.to_owned(), json!(root.join(side).join("d.db")))
            });
            let replicas: serde_json::Map<_, _> = sides.into_iter().collect();
            let json = json!({
                "version": 1, "hub": "central", "guards": { "min_free_percent": 0 },
                "databases": { "d": { "replicas": replicas } },
            });
            let config = Config::parse(json.to_string().as_bytes(), root, None).unwrap();
            let world = World { directory, config };
            for side in ["bot", "central"] {
                let rows = "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);
                            WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 500)
                            INSERT INTO t SELECT n, 'row ' || n, 0 FROM n";
                world.open(side).execute_batch(rows).unwrap();
            }
            world.sync(Verify::Daily);
            world
        }

        fn open(&self, side: &str) -> Connection {
            Connection::open(self.directory.path().join(side).join("d.db")).unwrap()
        }

        fn edit(&self, to: i64) {
            self.open("bot").execute("UPDATE t SET b = ?1 WHERE id = 250", [to]).unwrap();
        }

        fn central(&self) -> i64 {
            self.open("central").query_row("SELECT b FROM t WHERE id = 250", [], |row| row.get(0)).unwrap()
        }

        fn sync(&self, verify: Verify) -> DatabaseReport {
            let options = Options { verify, ..Options::default() };
            let report = database::sync(&self.config, &options).unwrap();
            assert!(report.ok, "{report:?}");
            report.databases["d"].clone()
        }

        fn store(&self) -> Store {
            Store::open(&Path::new(&self.config.root).join("sync_state")).unwrap()
        }
    }

    fn is_told(report: &DatabaseReport) -> bool {
        report.warnings.iter().any(|warning| warning.starts_with("CRITICAL: bot, t: "))
    }

    /// Once a day all rows are compared; between that it is pages that are asked, as a mistake in them shows.
    #[test]
    fn pages_are_asked_and_checked_once_a_day() {
        let world = World::new();
        world.edit(1);
        assert!(!is_told(&world.sync(Verify::Daily)));
        assert_eq!(world.central(), 1);
        let now = world.store().compared("d").unwrap().unwrap();
        plant(Some(Mistake::Blind));
        world.edit(2);
        assert!(!is_told(&world.sync(Verify::Daily)));
        assert_eq!(world.central(), 1, "nobody but pages was asked");
        for then in [now - DAY, now + DAY] {
            world.store().set_compared("d", then).unwrap();
            world.edit(then);
            assert!(is_told(&world.sync(Verify::Daily)));
            assert_eq!(world.central(), then);
        }
        assert!(world.store().compared("d").unwrap().unwrap() >= now);
        plant(None);
        world.edit(5);
        assert_eq!(world.sync(Verify::Daily).warnings, [""; 0]);
        assert_eq!(world.central(), 5);
    }

    #[test]
    fn who_asks_has_all_rows_compared() {
        let world = World::new();
        world.edit(1);
        assert_eq!(world.sync(Verify::Now).warnings, [""; 0]);
        plant(Some(Mistake::Blind));
        world.edit(2);
        let report = world.sync(Verify::Now);
        plant(None);
        assert!(is_told(&report), "{report:?}");
        assert_eq!(world.central(), 2);
    }
}
