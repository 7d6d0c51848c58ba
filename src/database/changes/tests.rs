//! What pages tell is checked against rows: each day, before anything is written, and again after they were wrong.

use std::path::Path;

use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::clock;
use crate::config::Config;
use crate::database::pages::{Mistake, plant};
use crate::database::progress::Silence;
use crate::database::schema;
use crate::database::steps::Unwatched;
use crate::database::store::Store;
use crate::database::{self, Force, Options, forecast, run};
use crate::report::{DatabaseReport, State};

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
            "version": 1, "hub": "central", "guards": { "min_free_percent": 0, "busy_timeout_ms": 20 },
            "databases": { "d": { "replicas": replicas } },
        });
        let config = Config::parse(json.to_string().as_bytes(), root, None).unwrap();
        let world = World { directory, config };
        for side in ["bot", "central"] {
            let rows = "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);
                        CREATE TABLE child(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES t(id));
                        CREATE TABLE bag(n); INSERT INTO bag VALUES (1), (2), (2);
                        CREATE TABLE names(name TEXT PRIMARY KEY, v); INSERT INTO names VALUES('a', 1), ('b', 2);
                        WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 500)
                        INSERT INTO t SELECT n, 'row ' || n, 0 FROM n";
            world.execute(side, rows);
        }
        world.sync(Verify::Daily);
        world
    }

    /// One of which all rows were compared just now.
    fn compared() -> World {
        let world = World::new();
        assert_eq!(world.sync(Verify::Daily).warnings, [""; 0]);
        assert!(["bot", "central"].map(|side| world.when(side)).iter().all(Option::is_some));
        world
    }

    fn open(&self, side: &str) -> Connection {
        Connection::open(self.directory.path().join(side).join("d.db")).unwrap()
    }

    fn execute(&self, side: &str, sql: &str) {
        self.open(side).execute_batch(sql).unwrap();
    }

    fn edit(&self, to: i64) {
        self.open("bot").execute("UPDATE t SET b = ?1 WHERE id = 250", [to]).unwrap();
    }

    fn read(&self, side: &str, sql: &str) -> String {
        self.open(side)
            .query_row(&format!("SELECT coalesce(({sql}), 'nothing')"), [], |row| row.get(0))
            .unwrap()
    }

    fn central(&self) -> i64 {
        self.open("central").query_row("SELECT b FROM t WHERE id = 250", [], |row| row.get(0)).unwrap()
    }

    fn sync(&self, verify: Verify) -> DatabaseReport {
        self.sync_with(&Options { verify, ..Options::default() })
    }

    fn sync_with(&self, options: &Options) -> DatabaseReport {
        let report = database::sync(&self.config, options).unwrap();
        assert!(report.ok, "{report:?}");
        report.databases["d"].clone()
    }

    /// A run at another time, in seconds from now.
    fn sync_at(&self, seconds: i64) -> DatabaseReport {
        let store = self.store();
        let job = Job {
            config: &self.config,
            pace: &Silence,
            steps: &Unwatched,
            store: &store,
            run: store.next_run().unwrap(),
            kind: "bidirectional",
            at: clock::now() + TimeDelta::seconds(seconds),
            mode: Mode::Apply,
            force: Force::No,
            verify: Verify::Daily,
            resolution: None,
            undo: None,
        };
        run::sync(&job, "d", &self.config.databases["d"]).unwrap()
    }

    fn store(&self) -> Store {
        Store::open(&Path::new(&self.config.root).join("sync_state")).unwrap()
    }

    fn base(&self, side: &str) -> Connection {
        let store = self.store();
        let state = store.replica("d", side).unwrap().unwrap();
        Connection::open(store.base_path(&state.base)).unwrap()
    }

    /// When all rows of a side were compared last.
    fn when(&self, side: &str) -> Option<i64> {
        self.store().replica("d", side).unwrap().unwrap().compared
    }

    /// The events on record, each in a line.
    fn events(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.config.events.log).unwrap_or_default();
        text.lines().filter(|line| line.contains("DATABASE_PAGES_MISREAD")).map(str::to_owned).collect()
    }
}

fn is_told(report: &DatabaseReport, of: &str) -> bool {
    report.warnings.iter().any(|warning| warning.starts_with(&format!("CRITICAL: {of}: ")))
}

/// Once a day all rows of a side are compared; between that it is pages that are asked, as a mistake in them shows.
#[test]
fn pages_are_asked_and_checked_once_a_day() {
    let world = World::new();
    world.edit(1);
    assert!(!is_told(&world.sync(Verify::Daily), "bot, t"));
    assert_eq!(world.central(), 1);
    let now = world.when("bot").unwrap();
    plant(Some(Mistake::Blind));
    world.edit(2);
    assert!(!is_told(&world.sync(Verify::Daily), "bot, t"));
    assert_eq!(world.central(), 1, "nobody but pages was asked");
    assert_eq!(world.events(), [""; 0]);
    for then in [now - DAY, now + DAY] {
        world.store().set_compared("d", "bot", Some(then)).unwrap();
        world.edit(then);
        let report = world.sync(Verify::Daily);
        assert!(is_told(&report, "bot, t") && !is_told(&report, "central, t"), "{report:?}");
        assert_eq!(world.central(), then);
        assert_eq!((world.when("bot"), world.when("central")), (None, Some(now)));
        // Until they agree again.
        world.edit(7);
        assert!(is_told(&world.sync(Verify::Daily), "bot, t"));
        assert_eq!(world.central(), 7);
    }
    let events = world.events();
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|event| event.contains("CRITICAL") && event.contains("\"bot\"")), "{events:?}");
    plant(None);
    world.edit(5);
    assert_eq!(world.sync(Verify::Daily).warnings, [""; 0]);
    assert_eq!(world.central(), 5);
    assert!(world.when("bot").unwrap() >= now);
}

/// What is wrong with a page that no row was read from is found by the check of the whole file.
#[test]
fn damage_elsewhere_is_found_once_a_day() {
    let world = World::compared();
    let page = "SELECT CAST(rootpage AS TEXT) FROM sqlite_schema WHERE name = 'sqlite_autoindex_names_1'";
    let page: u64 = world.read("bot", page).parse().unwrap();
    let path = world.directory.path().join("bot/d.db");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    // So many bytes are said to be lost between its cells.
    std::os::unix::fs::FileExt::write_all_at(&file, &[99], (page - 1) * 4_096 + 7).unwrap();
    drop(file);
    world.edit(1);
    assert_eq!(world.sync(Verify::Daily).warnings, [""; 0]);
    assert_eq!(world.central(), 1);
    let yesterday = world.when("bot").map(|now| now - DAY);
    world.store().set_compared("d", "bot", yesterday).unwrap();
    // Also where nothing has changed, and from then on as often as something has.
    for value in [1, 2, 3] {
        world.edit(value);
        let report = database::sync(&world.config, &Options::default()).unwrap().databases["d"].clone();
        assert_eq!(report.state, State::Quarantined, "{report:?}");
        assert!(report.reason.as_ref().is_some_and(|reason| reason.contains("bot is damaged")), "{report:?}");
        assert_eq!((world.central(), world.when("bot")), (1, None));
    }
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
    assert!(is_told(&report, "bot, t"), "{report:?}");
    assert_eq!(world.central(), 2);
}

/// A side that was away is compared when it is back, whatever was compared meanwhile.
#[test]
fn each_side_has_its_own_day() {
    let world = World::compared();
    for side in ["bot", "central"] {
        world.store().set_compared("d", side, None).unwrap();
    }
    let busy = world.open("bot");
    busy.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let report = world.sync(Verify::Daily);
    assert!(report.warnings.iter().any(|warning| warning.starts_with("bot was skipped")), "{report:?}");
    assert!(world.when("central").is_some());
    assert_eq!(world.when("bot"), None);
    busy.execute_batch("ROLLBACK").unwrap();
    plant(Some(Mistake::Blind));
    world.edit(3);
    let report = world.sync(Verify::Daily);
    plant(None);
    assert!(is_told(&report, "bot, t"), "{report:?}");
    assert_eq!(world.central(), 3);
}

/// What pages once did not tell makes a file look unchanged from then on.
#[test]
fn files_that_look_unchanged_are_compared_as_well() {
    let world = World::compared();
    plant(Some(Mistake::Blind));
    world.edit(4);
    world.sync_at(60);
    plant(None);
    assert_eq!(world.sync_at(120).state, State::Unchanged);
    assert_eq!(world.central(), 0);
    world.sync_at(DAY + 180);
    assert_eq!(world.central(), 4);
    assert_eq!(world.sync_at(DAY + 240).state, State::Unchanged);
}

/// Pages that miss what a side did must not have that written over, nor decide anything: what is planned does not fit.
#[test]
fn what_pages_missed_is_not_written_over() {
    const OF_250: &str = "SELECT '' || b FROM t WHERE id = 250";
    const NEW: &str = "SELECT group_concat(a, ', ') FROM (SELECT a FROM t WHERE id >= 1000 ORDER BY id)";
    const CHILD: &str = "SELECT t.a || ', ' || child.id FROM t JOIN child ON t.id = child.parent";
    const BAG: &str = "SELECT group_concat(n, ', ') FROM (SELECT n FROM bag ORDER BY n)";
    const NAMES: &str = "SELECT group_concat(v, ', ') FROM (SELECT name || v AS v FROM names ORDER BY name)";
    let edit = "UPDATE t SET b = 7 WHERE id = 250";
    // What one side did, what was missed of the other, what is to come of both on both sides, and how many conflicts.
    let cases = [
        // One cell, edited twice.
        (edit, "UPDATE t SET b = 9 WHERE id = 250", OF_250, ["9", "7"], 1),
        // Two cells of one row.
        (edit, "UPDATE t SET a = 'x' WHERE id = 250", "SELECT a || b FROM t WHERE id = 250", ["x7", "x7"], 0),
        // An edit survives a deletion.
        ("DELETE FROM t WHERE id = 250", "UPDATE t SET b = 9 WHERE id = 250", OF_250, ["9", "9"], 1),
        (edit, "DELETE FROM t WHERE id = 250", OF_250, ["7", "7"], 1),
        // Two new rows under one id are two rows.
        (
            "INSERT INTO t VALUES(1000, 'bot', 1)",
            "INSERT INTO t VALUES(1000, 'hub', 1)",
            NEW,
            ["hub, bot", "bot, hub"],
            0,
        ),
        // A parent that got a child stays.
        (
            "DELETE FROM t WHERE id = 250",
            "INSERT INTO child VALUES(1, 250)",
            CHILD,
            ["row 250, 1", "row 250, 1"],
            1,
        ),
        // What has no key is counted.
        ("INSERT INTO bag VALUES(1)", "DELETE FROM bag WHERE n = 1", BAG, ["1, 2, 2", "1, 2, 2"], 0),
        ("INSERT INTO bag VALUES(2)", "DELETE FROM bag WHERE rowid = 2", BAG, ["1, 2, 2", "1, 2, 2"], 0),
        // A key that is not where the row is kept.
        (
            "UPDATE names SET v = 7 WHERE name = 'b'",
            "DELETE FROM names WHERE name = 'b'",
            NAMES,
            ["a1, b7", "a1, b7"],
            1,
        ),
        (
            "INSERT INTO names VALUES('c', 3)",
            "INSERT INTO names VALUES('c', 4)",
            NAMES,
            ["a1, b2, c4", "a1, b2, c3"],
            1,
        ),
    ];
    for (done, missed, question, answers, conflicts) in cases {
        for ((one, other), answer) in [("bot", "central"), ("central", "bot")].into_iter().zip(answers) {
            let case = format!("{one}: {done}; {other}: {missed}");
            let world = World::compared();
            world.execute(one, done);
            world.execute(other, missed);
            plant(Some(Mistake::BlindOn(other)));
            let told = |report: &DatabaseReport| {
                let own = format!("CRITICAL: {other}, ");
                report.warnings.iter().any(|warning| warning.starts_with(&own))
            };
            let dry = world.sync_with(&Options { mode: Mode::DryRun, ..Options::default() });
            assert!(told(&dry), "{case}: {dry:?}");
            assert_eq!(world.events(), [""; 0], "nothing is on record of a dry run");
            let report = world.sync(Verify::Daily);
            plant(None);
            assert!(told(&report), "{case}: {report:?}");
            for side in ["bot", "central"] {
                assert_eq!(world.read(side, question), answer, "{case}: {side}");
            }
            assert_eq!(report.conflicts, conflicts, "{case}: {report:?}");
            assert_eq!(world.events().len(), 1, "{case}: {:?}", world.events());
            assert_eq!((world.when("bot"), world.when("central")), (None, None));
            assert_eq!(world.sync(Verify::Daily).warnings, [""; 0], "{case}");
            assert!(world.when("bot").is_some() && world.when("central").is_some());
        }
    }
}

/// In a log of the base lies what its pages do not show.
#[test]
fn a_base_with_a_log_is_not_asked() {
    let world = World::compared();
    for side in ["bot", "central"] {
        let base = world.base(side);
        let mode: String = base.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
        base.execute_batch("PRAGMA wal_autocheckpoint = 0").unwrap();
        std::mem::forget(base);
    }
    for to in [1, 0, 2, 0] {
        world.edit(to);
        world.sync(Verify::Daily);
        assert_eq!(world.central(), to);
    }
}

/// Where pages cannot be asked, rows are read, and whoever reads them meets what is really wrong.
#[test]
fn what_fails_beside_rows_is_a_doubt() {
    let world = World::compared();
    world.edit(1);
    let (live, base) = (world.open("bot"), world.base("bot"));
    // It cannot be begun a second time.
    base.execute_batch("BEGIN").unwrap();
    let moment = Moment::begin(&live).unwrap();
    let (now, then) = (schema::read(&live, "main").unwrap(), schema::read(&base, "main").unwrap());
    let shape = forecast::plain_shape(&world.config, [("bot", &now), ("base", &then)]).unwrap();
    let shape = shape.tables.iter().find(|table| table.rules.name == "t").unwrap();
    let compared = Compared::default();
    let states = States {
        side: "bot",
        before: Source { connection: &base, table: then.table("t"), cells: None },
        after: Source { connection: &live, table: now.table("t"), cells: None },
        moment,
        compared: &compared,
    };
    let (all_rows, at, distrusted) = (BTreeSet::new(), 0, Cell::new(false));
    let (of_pages, of_rows, misread, told) = Default::default();
    let reading = Reading { all_rows, at, distrusted, of_pages, of_rows, misread, told };
    let pace: &dyn crate::database::progress::Pace = &Silence;
    let rows = || pace.table("d", "t", None);
    assert!(matches!(by_pages(shape, &states, &mut rows()), Err(Unsaid::Failed(_))));
    assert_eq!(reading.changes(shape, &states, &mut rows()).unwrap().len(), 1);
    assert!(!reading.is_of_pages("bot"));
    // A transaction that has ended by itself ends the reading: rows would be of another moment, whatever pages say.
    live.execute_batch("ROLLBACK").unwrap();
    assert!(reading.changes(shape, &states, &mut rows()).is_err());
    base.execute_batch("ROLLBACK").unwrap();
    assert!(matches!(by_pages(shape, &states, &mut rows()), Err(Unsaid::Doubt(_))));
    let ended =
        reading.changes(shape, &states, &mut rows()).err().and_then(|cause| cause.sqlite_error_code());
    assert_eq!(ended, Some(ErrorCode::SystemIoFailure));
}
