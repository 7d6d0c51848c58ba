//! Pages against rows: whatever happened to a file, both must name the same changes.
//!
//! Random histories over page sizes, vacuum modes, journals and everything that moves pages about; told cases for what is easy
//! to miss; known mistakes that the histories must notice; and pages that nobody wrote. `CR0SYNC_CASES` sets how many
//! comparisons there are (20,000), `CR0SYNC_SEED` where they start; a seed alone runs one history.

mod sound;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};
use tempfile::TempDir;

use super::cell::{Cell as Row, Source as Chains};
use super::differences::Leaves;
use super::planted::{self, Mistake};
use super::tree::{Kind, walk};
use super::{Differences, Ended, Header, Look, Moment, Order, Overlay, Pages, STEPS, candidates, compare};
use crate::config::Config;
use crate::database::changes::{Compared, States, Unsaid, by_pages};
use crate::database::key::Collation;
use crate::database::model::{Change, Write};
use crate::database::observe::{self, Source};
use crate::database::progress::{Pace, Silence};
use crate::database::schema::{self, Direction, Schema};
use crate::database::write::{self, Updates};
use crate::database::{forecast, open};

/// How many pages comparisons of one history has.
const ROUNDS: u64 = 8;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn of(seed: u64) -> Dice {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| _ = dice.next());
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn id(&mut self, end: u64) -> i64 {
        i64::try_from(self.below(end)).unwrap()
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    fn bytes(&mut self, length: u64) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// A file with its owner, and a base of it.
struct World {
    directory: TempDir,
    owner: Connection,
    page_size: u64,
    config: Config,
}

/// What a comparison came to.
#[derive(Default)]
struct Tally {
    compared: u64,
    changes: usize,
    doubts: BTreeMap<&'static str, u64>,
    logged: u64,
    chained: u64,
}

fn memory() -> TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { tempfile::tempdir_in(shared).unwrap() } else { tempfile::tempdir().unwrap() }
}

impl World {
    fn new(page_size: u64, settings: &str, tables: &str) -> World {
        let directory = memory();
        let owner = Connection::open(directory.path().join("live.db")).unwrap();
        owner.execute_batch(&format!("PRAGMA page_size = {page_size}; PRAGMA synchronous = OFF;")).unwrap();
        owner.execute_batch(settings).unwrap();
        owner.execute_batch(tables).unwrap();
        let config = Config::load(None, Some(directory.path())).unwrap();
        World { directory, owner, page_size, config }
    }

    fn live(&self) -> PathBuf {
        self.directory.path().join("live.db")
    }

    fn base(&self) -> PathBuf {
        self.directory.path().join("base.db")
    }

    /// Makes the base anew, as a first run does.
    fn copy(&self) {
        let _ = std::fs::remove_file(self.base());
        let mut base = Connection::open(self.base()).unwrap();
        let backup = rusqlite::backup::Backup::new(&self.owner, &mut base).unwrap();
        backup.step(-1).unwrap();
        drop(backup);
        base.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = DELETE").unwrap();
        let of = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
        let names: Vec<String> =
            base.prepare(of).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for name in names {
            base.execute_batch(&format!("DROP INDEX {name}")).unwrap();
        }
    }

    /// Compares in both ways, all tables; those that pages tell of and `None` for those in doubt.
    fn compare(&self, tally: &mut Tally) -> Result<BTreeMap<String, Vec<Change>>, String> {
        let wait = std::time::Duration::from_secs(1);
        let live = open::connect(&self.live(), wait).unwrap();
        let base = open::connect(&self.base(), wait).unwrap();
        let moment = Moment::begin(&live).unwrap();
        let (now, then) = (schema::read(&live, "main").unwrap(), schema::read(&base, "main").unwrap());
        self.compare_at(tally, (&base, &then), (&live, &now), moment)
    }

    fn compare_at(
        &self,
        tally: &mut Tally,
        (base, then): (&Connection, &Schema),
        (live, now): (&Connection, &Schema),
        moment: Moment,
    ) -> Result<BTreeMap<String, Vec<Change>>, String> {
        let shape = forecast::plain_shape(&self.config, [("live", now), ("base", then)]).unwrap();
        let compared = Compared::default();
        let mut all = BTreeMap::new();
        let pace: &dyn Pace = &Silence;
        for table in &shape.tables {
            let name = &table.rules.name;
            let before = Source { connection: base, table: then.table(name), cells: None };
            let after = Source { connection: live, table: now.table(name), cells: None };
            let measure = observe::diff(table, before, after, || Ok(())).unwrap();
            tally.compared += 1;
            tally.changes += measure.len();
            let states = States { side: "live", before, after, moment, compared: &compared };
            match by_pages(table, &states, &mut pace.table("", name, None)) {
                Ok(found) if found == measure => {}
                Ok(found) => {
                    let lost = measure.iter().filter(|change| !found.contains(change)).count();
                    return Err(format!(
                        "{name}: {} changes by rows, {} by pages, {lost} lost",
                        measure.len(),
                        found.len()
                    ));
                }
                Err(Unsaid::Doubt(why)) => *tally.doubts.entry(why).or_default() += 1,
                Err(Unsaid::Failed(cause)) => return Err(format!("{name}: {cause}")),
            }
            all.insert(name.clone(), measure);
        }
        if let Some(Ok((overlay, differences))) = compared.get() {
            tally.logged += u64::from(overlay.is_some());
            tally.chained += u64::from(differences.chains);
        }
        Ok(all)
    }

    /// Brings the base to what was found, row by row, as a run records it.
    fn record(&self, changes: &BTreeMap<String, Vec<Change>>) {
        let base = Connection::open(self.base()).unwrap();
        base.execute_batch("PRAGMA synchronous = OFF; BEGIN").unwrap();
        let schema = schema::read(&base, "main").unwrap();
        for (name, changes) in changes {
            let have = schema.table(name).unwrap();
            let columns: Vec<String> = have.columns.iter().map(|column| column.name.clone()).collect();
            let placed = |change: &Change, row: &Option<_>| row.clone().map(|row| (change.slot.clone(), row));
            let writes: Vec<Write> = changes
                .iter()
                .map(|change| Write {
                    old: placed(change, &change.before),
                    new: placed(change, &change.after),
                })
                .collect();
            write::apply(&base, "main", have, &columns, &writes, Updates::Replace).unwrap();
        }
        base.execute_batch("COMMIT").unwrap();
    }

    /// Compares, expecting that pages tell, and brings the base along.
    fn expect(&self, expected: usize) {
        let mut tally = Tally::default();
        let found = self.compare(&mut tally).unwrap();
        assert_eq!(tally.doubts, BTreeMap::new());
        assert_eq!(found.values().map(Vec::len).sum::<usize>(), expected, "{found:?}");
        self.record(&found);
    }
}

const TABLES: &str = "
    CREATE TABLE a(id INTEGER PRIMARY KEY, b, n INTEGER);
    CREATE TABLE w(k TEXT, n INTEGER, v, z INTEGER, PRIMARY KEY (k, n)) WITHOUT ROWID;
    CREATE TABLE d(v, r REAL, k TEXT COLLATE NOCASE, PRIMARY KEY (k, r DESC)) WITHOUT ROWID;
    CREATE TABLE h(x TEXT UNIQUE, y, f REAL);
    CREATE TABLE t(id INTEGER PRIMARY KEY, rowid INTEGER, v);
    CREATE INDEX hy ON h(y); CREATE INDEX an ON a(n);";

/// A size such that rows lie on pages, go beyond them a little, or far.
fn size(dice: &mut Dice, page_size: u64) -> u64 {
    let page_size = page_size.min(4_096);
    match dice.below(12) {
        0..=8 => dice.below(60),
        9 => dice.below(page_size),
        10 => dice.below(4 * page_size),
        _ => dice.below(12 * page_size),
    }
}

/// One thing that an owner does.
fn edit(world: &World, dice: &mut Dice) -> rusqlite::Result<()> {
    let db = &world.owner;
    let id = dice.id(300);
    let length = size(dice, world.page_size);
    let value = dice.bytes(length);
    let text = |id: i64| format!("{}{}", if id % 11 == 0 { "long".repeat(90) } else { "k".into() }, id % 97);
    let run = |sql: &str, with: &[&dyn rusqlite::ToSql]| db.prepare_cached(sql)?.execute(with).map(drop);
    match dice.below(31) {
        0..=4 => run("INSERT OR REPLACE INTO a VALUES(?, ?, ?)", params![id, value, id % 5]),
        5..=6 => run("UPDATE a SET b = ? WHERE id = ?", params![value, id]),
        // As long as before, so that it is written over in place.
        7..=8 => run("UPDATE a SET b = randomblob(length(b)) WHERE id = ? AND length(b) > 50", params![id]),
        9 => run("UPDATE a SET n = n + 1 WHERE id = ?", params![id]),
        // Somewhere in a long value, whose beginning stays.
        10..=11 => {
            let sql = "SELECT id, b FROM a WHERE id >= ? AND typeof(b) = 'blob' AND length(b) > 600";
            let found: Option<(i64, Vec<u8>)> =
                db.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let Some((id, mut value)) = found else { return Ok(()) };
            let from_end = usize::try_from(dice.below(value.len() as u64 / 2)).unwrap();
            let at = value.len() - 1 - from_end;
            value[at] ^= 1;
            run("UPDATE a SET b = ? WHERE id = ?", params![value, id])?;
            Ok(())
        }
        12..=13 => run("DELETE FROM a WHERE id = ?", params![id]),
        14 => run("DELETE FROM a WHERE id BETWEEN ? AND ?", params![id, id + dice.id(60)]),
        15..=16 => run("INSERT OR REPLACE INTO w VALUES(?, ?, ?, ?)", params![text(id), id % 7, value, id]),
        17 => run("UPDATE w SET v = ? WHERE k = ? AND n = ?", params![value, text(id), id % 7]),
        18 => run("UPDATE w SET z = z + 1 WHERE k = ?", params![text(id)]),
        19 => run("DELETE FROM w WHERE k = ?", params![text(id)]),
        20 => run("UPDATE OR IGNORE w SET n = n + 10 WHERE k = ?", params![text(id)]),
        21 => run("INSERT OR REPLACE INTO d VALUES(?, ?, ?)", params![value, id % 13, text(id)]),
        22 => run("UPDATE d SET k = upper(k), v = v WHERE k = ?", params![text(id)]),
        23 => run("DELETE FROM d WHERE r = ?", params![id % 13]),
        24..=25 => run("INSERT OR REPLACE INTO h VALUES(?, ?, ?)", params![format!("x{id}"), value, id]),
        26 => run("DELETE FROM h WHERE rowid % 5 = ? AND rowid > ?", params![id % 5, id]),
        // Its `rowid` is no row id, and often the id of another row.
        27..=28 => run("INSERT OR REPLACE INTO t VALUES(?, ?, ?)", params![id, (id + 1) % 300, value]),
        29 => run("UPDATE t SET rowid = ?, v = ? WHERE id = ?", params![dice.id(300), value, id]),
        30 => run("DELETE FROM t WHERE rowid > ? AND id < ?", params![id, id + 30]),
        _ => run("UPDATE OR IGNORE a SET id = id + 1000 * (1 - 2 * (id > 900)) WHERE id = ?", params![id]),
    }
}

/// What moves pages about without changing a row, mostly.
fn shuffle(world: &World, dice: &mut Dice) -> rusqlite::Result<()> {
    let db = &world.owner;
    let batch = |sql: &str| db.execute_batch(sql);
    match dice.below(24) {
        0 => batch("VACUUM"),
        1 => batch("PRAGMA incremental_vacuum(5)"),
        2 => batch("DROP INDEX hy; CREATE INDEX hy ON h(y)"),
        3 => batch("REINDEX"),
        4 => batch("ANALYZE"),
        5 => {
            batch("CREATE TABLE IF NOT EXISTS aside(x); INSERT INTO aside SELECT b FROM a; DROP TABLE aside")
        }
        6 => batch(
            "CREATE TABLE c AS SELECT * FROM a; DELETE FROM a; INSERT INTO a SELECT * FROM c; DROP TABLE c",
        ),
        7 => batch("PRAGMA wal_checkpoint(PASSIVE)"),
        8 => batch("PRAGMA wal_checkpoint(TRUNCATE)"),
        9 => batch("UPDATE a SET b = b; UPDATE w SET v = v"),
        _ => Ok(()),
    }
}

/// One history from its seed on.
fn history(seed: u64, tally: &mut Tally) -> Result<(), String> {
    let dice = &mut Dice::of(seed);
    let page_size = dice.one_of(&[512, 512, 1_024, 4_096, 4_096, 65_536]);
    let journal = dice.one_of(&["WAL", "WAL", "WAL", "DELETE", "TRUNCATE", "PERSIST", "MEMORY"]);
    let settings = format!(
        "PRAGMA auto_vacuum = {}; PRAGMA secure_delete = {}; PRAGMA journal_mode = {journal};
         PRAGMA wal_autocheckpoint = {}; PRAGMA cache_size = {}",
        dice.below(3),
        dice.one_of(&["0", "1", "fast"]),
        dice.one_of(&[1, 20, 1_000]),
        dice.one_of(&[5, 2_000]),
    );
    let world = World::new(page_size, &settings, TABLES);
    let edits = |dice: &mut Dice, most: u64| {
        let in_one = dice.below(3) > 0;
        if in_one {
            world.owner.execute_batch("BEGIN").unwrap();
        }
        for _ in 0..=dice.below(most) {
            edit(&world, dice).unwrap();
        }
        if in_one {
            world.owner.execute_batch(if dice.below(8) == 0 { "ROLLBACK" } else { "COMMIT" }).unwrap();
        }
    };
    edits(dice, 400);
    world.copy();
    for round in 0..ROUNDS {
        for _ in 0..=dice.below(3) {
            let most = if dice.below(4) == 0 { 120 } else { 6 };
            edits(dice, most);
            shuffle(&world, dice).map_err(|cause| format!("seed {seed}, round {round}: {cause}"))?;
        }
        let found = world
            .compare(tally)
            .map_err(|what| format!("seed {seed}, round {round}: {what} ({page_size}, {settings})"))?;
        // A base goes along row by row and drifts apart from its file, is made anew now and then, or waits.
        match dice.below(8) {
            0 => world.copy(),
            1 => {}
            _ => world.record(&found),
        }
    }
    Ok(())
}

fn asked<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

#[test]
#[expect(clippy::print_stdout, reason = "what was compared, where somebody asks")]
fn histories() {
    const TABLES_EACH: u64 = 5;
    let (cases, seed): (Option<u64>, Option<u64>) = (asked("CR0SYNC_CASES"), asked("CR0SYNC_SEED"));
    let all = match (cases, seed) {
        (None, Some(_)) => 1,
        (cases, _) => cases.unwrap_or(20_000).div_ceil(ROUNDS).max(1),
    };
    let first = seed.unwrap_or(1);
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let share = |thread: u64| {
        let mut tally = Tally::default();
        let failed = (first + thread..first + all)
            .step_by(usize::try_from(threads).unwrap())
            .find_map(|seed| history(seed, &mut tally).err());
        (tally, failed)
    };
    let mut sum = Tally::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || share(thread))).collect();
        for worker in workers {
            let (tally, failed) = worker.join().unwrap();
            assert_eq!(failed, None);
            sum.compared += tally.compared;
            sum.changes += tally.changes;
            sum.logged += tally.logged;
            sum.chained += tally.chained;
            for (why, times) in tally.doubts {
                *sum.doubts.entry(why).or_default() += times;
            }
        }
    });
    println!(
        "{all} histories of {ROUNDS} rounds, {} tables compared, {} changed rows, {} rounds with a log, {} with chains, in doubt: {:?}",
        sum.compared, sum.changes, sum.logged, sum.chained, sum.doubts
    );
    if all > 100 {
        let doubts: u64 = sum.doubts.values().sum();
        assert_eq!(sum.compared, all * ROUNDS * TABLES_EACH);
        assert!(doubts * 50 < sum.compared, "pages hardly tell anything: {:?}", sum.doubts);
        assert!(sum.logged > all && sum.chained > all, "{} {}", sum.logged, sum.chained);
    }
}

/// What the histories are worth: each of these mistakes must show in some of them.
#[test]
fn the_histories_notice_mistakes() {
    for mistake in [Mistake::Membership, Mistake::Chains, Mistake::Starts, Mistake::Inner, Mistake::Log] {
        planted::plant(Some(mistake));
        let noticed = (1..=600).find_map(|seed| history(seed, &mut Tally::default()).err());
        planted::plant(None);
        assert!(noticed.is_some(), "{mistake:?} is not noticed");
    }
}

fn rows(first: i64, count: i64) -> String {
    format!(
        "INSERT INTO a WITH RECURSIVE n(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM n LIMIT {count})
         SELECT n, 'row ' || n || ' of many', n % 7 FROM n;"
    )
}

/// A page can be free, in use again and byte for byte what it was, and its rows have been away in between.
#[test]
fn a_run_that_was_deleted_and_inserted_again() {
    for secure in [0, 1] {
        let settings = format!("PRAGMA secure_delete = {secure}");
        let world = World::new(512, &settings, TABLES);
        world.owner.execute_batch(&rows(1, 2_000)).unwrap();
        world.copy();
        world.expect(0);
        world.owner.execute_batch("DELETE FROM a WHERE id BETWEEN 501 AND 900").unwrap();
        world.expect(400);
        world.owner.execute_batch(&rows(501, 400)).unwrap();
        world.expect(400);
        world.expect(0);
        world.owner.execute_batch("DELETE FROM a WHERE id > 1000").unwrap();
        world.owner.execute_batch(&rows(1_001, 1_000)).unwrap();
        world.expect(0);
    }
}

#[test]
fn a_chain_that_changes_while_its_leaf_does_not() {
    for table in ["a", "w"] {
        let world = World::new(1_024, "PRAGMA secure_delete = 1", TABLES);
        let (insert, update) = match table {
            "a" => ("INSERT INTO a VALUES(?1, zeroblob(20000), 0)", "UPDATE a SET b = ?2 WHERE id = ?1"),
            _ => ("INSERT INTO w VALUES('k', ?1, zeroblob(20000), 0)", "UPDATE w SET v = ?2 WHERE n = ?1"),
        };
        for id in 0..40 {
            world.owner.execute(insert, [id]).unwrap();
        }
        world.copy();
        world.expect(0);
        let mut value = vec![0_u8; 20_000];
        value[15_000] = 1;
        world.owner.execute(update, params![7, value]).unwrap();
        world.expect(1);
        value[15_000] = 2;
        let before = std::fs::read(world.live()).unwrap();
        world.owner.execute(update, params![7, value]).unwrap();
        let after = std::fs::read(world.live()).unwrap();
        let changed = before.chunks(1_024).zip(after.chunks(1_024)).skip(1).filter(|(old, new)| old != new);
        assert!(changed.count() >= 1);
        world.expect(1);
    }
}

#[test]
fn nothing_changes_by_moving_pages() {
    for settings in ["", "PRAGMA auto_vacuum = 1", "PRAGMA auto_vacuum = 2", "PRAGMA journal_mode = WAL"] {
        let world = World::new(1_024, settings, TABLES);
        world.owner.execute_batch(&rows(1, 3_000)).unwrap();
        world
            .owner
            .execute_batch(
                "INSERT INTO w SELECT 'k' || id, id, b, n FROM a WHERE id < 1500;
                 INSERT INTO h SELECT 'x' || id, zeroblob(id), n FROM a WHERE id % 50 = 0;
                 DELETE FROM a WHERE id % 3 = 0",
            )
            .unwrap();
        world.copy();
        for sql in ["VACUUM", "REINDEX", "DROP INDEX an", "CREATE INDEX an ON a(n, b)", "VACUUM"] {
            world.owner.execute_batch(sql).unwrap();
            world.expect(0);
            world.owner.execute_batch("UPDATE a SET n = n + 1 WHERE id IN (1, 1000, 2999)").unwrap();
            world.expect(3);
        }
    }
}

/// Case alone, in a key that does not tell it.
#[test]
fn a_key_that_changes_to_an_equal_one() {
    let world = World::new(4_096, "", TABLES);
    world
        .owner
        .execute_batch("INSERT INTO d VALUES(1, 2.0, 'Nick'), (1, 3.0, 'nick'), (1, 1, 'other')")
        .unwrap();
    world.copy();
    world.owner.execute_batch("UPDATE d SET k = 'NICK' WHERE r = 2").unwrap();
    world.expect(1);
}

/// What pages are not asked about.
#[test]
fn other_sizes_definitions_and_encodings_are_in_doubt() {
    let doubts = |world: &World| {
        let mut tally = Tally::default();
        world.compare(&mut tally).unwrap();
        tally.doubts.into_keys().collect::<Vec<_>>()
    };
    let world = World::new(1_024, "", "CREATE TABLE a(id INTEGER PRIMARY KEY, b, n)");
    world.owner.execute_batch(&rows(1, 100)).unwrap();
    world.copy();
    world.owner.execute_batch("PRAGMA page_size = 4096; VACUUM; DELETE FROM a WHERE id = 5").unwrap();
    assert_eq!(doubts(&world), ["the sizes of their pages differ"]);
    world.copy();
    world.owner.execute_batch("ALTER TABLE a ADD COLUMN c DEFAULT 7").unwrap();
    assert_eq!(doubts(&world), ["its definitions do not read alike"]);
    world.copy();
    assert_eq!(doubts(&world), [""; 0]);
    world.owner.execute_batch("UPDATE a SET n = n + 1").unwrap();
    assert_eq!(doubts(&world), [""; 0]);
    world.owner.execute_batch(&rows(1_000, 2_000).replace("INTO a ", "INTO a(id, b, n) ")).unwrap();
    assert_eq!(doubts(&world), ["too many rows differ"]);
    let world = World::new(1_024, "PRAGMA encoding = 'UTF-16'", "CREATE TABLE a(id INTEGER PRIMARY KEY, b)");
    world.copy();
    assert_eq!(doubts(&world), ["it is of an old format, or not in UTF-8"]);
}

/// The state that a transaction sees is what counts, whatever is written while it lasts.
#[test]
fn a_log_that_goes_on_is_read_as_far_as_the_transaction_sees() {
    let world = World::new(1_024, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0", TABLES);
    world.owner.execute_batch(&rows(1, 500)).unwrap();
    world.copy();
    world.owner.execute_batch("UPDATE a SET n = 100 WHERE id = 10").unwrap();
    let wait = std::time::Duration::from_secs(1);
    let compared = |meanwhile: &str, before: &str| {
        let live = open::connect(&world.live(), wait).unwrap();
        let base = open::connect(&world.base(), wait).unwrap();
        world.owner.execute_batch(before).unwrap();
        let moment = Moment::begin(&live).unwrap();
        assert!(matches!(moment, Moment::Log(_)));
        world.owner.execute_batch(meanwhile).unwrap();
        let (now, then) = (schema::read(&live, "main").unwrap(), schema::read(&base, "main").unwrap());
        let mut tally = Tally::default();
        let found = world.compare_at(&mut tally, (&base, &then), (&live, &now), moment).unwrap();
        (found["a"].len(), tally.doubts.into_keys().collect::<Vec<_>>())
    };
    assert_eq!(compared("UPDATE a SET n = 100 WHERE id < 100", ""), (1, vec![]));
    assert_eq!(compared("UPDATE a SET b = 'x'; PRAGMA wal_checkpoint(PASSIVE)", ""), (99, vec![]));
    // All of the log is in the file when it begins, so that the owner may start it anew.
    let anew = compared("UPDATE a SET n = 101 WHERE id = 500", "PRAGMA wal_checkpoint(PASSIVE)");
    assert_eq!(anew, (500, vec!["its log cannot be read"]));
    assert_eq!(compared("UPDATE a SET n = 5", "PRAGMA wal_checkpoint(TRUNCATE)"), (500, vec![]));
}

/// Pages out of memory, whatever they are.
struct Bytes {
    header: Header,
    bytes: Vec<u8>,
    reads: Cell<u64>,
}

impl Pages for Bytes {
    fn header(&self) -> Header {
        self.header
    }

    fn read(&self, first: u32, into: &mut [u8]) -> Option<()> {
        self.reads.set(self.reads.get() + 1);
        let start = usize::try_from(first - 1).ok()? * self.header.page_size;
        into.copy_from_slice(self.bytes.get(start..start + into.len())?);
        Some(())
    }
}

impl Bytes {
    fn new(bytes: Vec<u8>) -> Result<Bytes, Ended> {
        let header = Header::parse(&bytes)?;
        let count = u32::try_from(bytes.len() / header.page_size).unwrap();
        Ok(Bytes { header: Header { count, ..header }, bytes, reads: Cell::new(0) })
    }
}

/// Every file that is broken in a few bytes is read without a word, and not for ever.
#[test]
fn broken_pages_are_no_trouble() {
    let world = World::new(512, "PRAGMA auto_vacuum = 1", TABLES);
    let dice = &mut Dice::of(1);
    for _ in 0..600 {
        edit(&world, dice).unwrap();
    }
    let roots = ["a", "w", "d", "h"].map(|table| {
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?";
        world.owner.query_row(sql, [table], |row| row.get::<_, u32>(0)).unwrap()
    });
    let before = std::fs::read(world.live()).unwrap();
    for _ in 0..20 {
        edit(&world, dice).unwrap();
    }
    let after = std::fs::read(world.live()).unwrap();
    let key = [(Collation::Binary, Direction::Rising), (Collation::Nocase, Direction::Falling)];
    let (mut told, mut doubted) = (0, 0);
    for round in 0..6_000 {
        let (mut old, mut new) = (before.clone(), after.clone());
        if round > 0 {
            for _ in 0..=dice.below(6) {
                let broken = if dice.below(2) == 0 { &mut old } else { &mut new };
                let page = dice.below(broken.len() as u64 / 512) * 512;
                // Where a page says what it is, more often than elsewhere.
                let within = if dice.below(2) == 0 { dice.below(20) } else { dice.below(512) };
                broken[usize::try_from(page + within).unwrap()] = dice.bytes(1)[0];
            }
        }
        let (Ok(old), Ok(new)) = (Bytes::new(old), Bytes::new(new)) else { continue };
        let mut look = || Ok(());
        let Ok(differences) = compare(&old, &new, &mut look) else { continue };
        for (index, root) in roots.into_iter().enumerate() {
            let order = if index % 3 == 0 { Order::Rowid } else { Order::Key(&key) };
            match candidates((&old, &new), &differences, (root, root), order, &mut look) {
                Ok(_) => told += 1,
                Err(_) => doubted += 1,
            }
        }
        let pages = u64::from(old.header.count + new.header.count);
        assert!(old.reads.get() + new.reads.get() < 100 * pages, "{round}");
    }
    assert!(told > 1_000 && doubted > 1_000, "{told} told, {doubted} in doubt");
}

/// Reading what nobody uses takes longer than reading the rows.
#[test]
fn pages_that_are_mostly_free_are_not_compared() {
    let world = World::new(512, "", TABLES);
    let many = "INSERT INTO a WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 6000)
                SELECT n, zeroblob(400), n FROM n; DELETE FROM a WHERE id > 100";
    world.owner.execute_batch(many).unwrap();
    world.copy();
    world.owner.execute_batch("UPDATE a SET n = 0 WHERE id = 7").unwrap();
    let mut tally = Tally::default();
    let found = world.compare(&mut tally).unwrap();
    assert_eq!(found["a"].len(), 1);
    assert_eq!(tally.doubts, BTreeMap::from([("most of its pages are free", 5)]));
    world.owner.execute_batch("VACUUM").unwrap();
    world.copy();
    world.owner.execute_batch("UPDATE a SET n = 1 WHERE id = 7").unwrap();
    world.expect(1);
}

/// A tree that leads back to itself, or into depths that no tree has, ends.
#[test]
fn a_tree_without_end_is_in_doubt() {
    let header = Header { page_size: 512, usable: 512, count: 3, free: 0, unused: 0, has_maps: false };
    let mut bytes = vec![0; 3 * 512];
    // One inner page whose only child it is itself.
    bytes[512] = 0x05;
    bytes[512 + 8..512 + 12].copy_from_slice(&2_u32.to_be_bytes());
    let pages = Bytes { header, bytes, reads: Cell::new(0) };
    let differences = compare(&pages, &pages, &mut || Ok(())).unwrap();
    let found = candidates((&pages, &pages), &differences, (2, 2), Order::Rowid, &mut || Ok(()));
    assert_eq!(found, Err(Ended::Doubt("a tree is none")));
    let Differences { before: Leaves { table, .. }, .. } = differences;
    assert!(!table.has(2));
}

/// Whoever waits can end it.
#[test]
fn it_stops_when_it_is_told_to() {
    let world = World::new(512, "", TABLES);
    let bytes = std::fs::read(world.live()).unwrap();
    let pages = Bytes::new(bytes).unwrap();
    assert_eq!(compare(&pages, &pages, &mut || Err(Ended::Stopped)).err(), Some(Ended::Stopped));
}

/// Whoever waits is asked again and again, and ends it wherever it is: in trees, lists of free pages, logs and chains.
#[test]
fn every_long_loop_asks_whether_it_goes_on() {
    let stop = || Err(Ended::Stopped);
    let world = World::new(512, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0", TABLES);
    world.owner.execute_batch(&rows(1, 2_000)).unwrap();
    world.owner.execute_batch("INSERT INTO a VALUES(5000, zeroblob(20000), 0)").unwrap();
    let live = open::connect(&world.live(), std::time::Duration::from_secs(1)).unwrap();
    let moment = Moment::begin(&live).unwrap();
    let Moment::Log(log) = moment else { panic!("no log") };
    assert!(log.position.frames > STEPS);
    assert_eq!(Overlay::of(&live, moment, &mut { stop }).err(), Some(Ended::Stopped));
    let long = crate::database::log::Header {
        position: crate::database::log::Position { frames: (1 << 18) + 1, ..log.position },
        ..log
    };
    let doubt = Overlay::of(&live, Moment::Log(long), &mut || Ok(())).err();
    assert_eq!(doubt, Some(Ended::Doubt("its log is long")));
    live.execute_batch("ROLLBACK").unwrap();

    world.owner.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let pages = Bytes::new(std::fs::read(world.live()).unwrap()).unwrap();
    let differences = compare(&pages, &pages, &mut || Ok(())).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'a'";
    let root: u32 = world.owner.query_row(sql, [], |row| row.get(0)).unwrap();
    let (mut go_on, mut stop) = (|| Ok(()), stop);
    let (going_on, stopping) = (Look::new(&mut go_on), Look::new(&mut stop));
    let tree = walk(&pages, root, Kind::Table, &differences.after, &|| going_on.step()).unwrap();
    let stopped = walk(&pages, root, Kind::Table, &differences.after, &|| stopping.step()).err();
    assert_eq!(stopped, Some(Ended::Stopped));

    let last = super::page(&pages, tree.parts.last().unwrap().page()).unwrap();
    let cells = usize::from(u16::from_be_bytes([last[3], last[4]]));
    let row = Row::parse(&last, pages.header, cells - 1).unwrap();
    assert!(row.overflow > 0);
    let none = super::differences::Bits::none_of(pages.header.count);
    assert_eq!(row.meets(&Chains::new(&pages, &|| going_on.step()), &none), Ok(false));
    assert_eq!(row.meets(&Chains::new(&pages, &|| stopping.step()), &none), Err(Ended::Stopped));

    // Trunks of free pages, one after the other, and a page that may be one of a chain.
    let count = 3 * STEPS;
    let header = Header { page_size: 512, usable: 512, count, free: 2, unused: 0, has_maps: false };
    let mut bytes = vec![0; 512 * usize::try_from(count).unwrap()];
    for (page, next) in bytes.chunks_mut(512).skip(1).zip(3..count) {
        page[..4].copy_from_slice(&next.to_be_bytes());
    }
    let old = Bytes { header, bytes: bytes.clone(), reads: Cell::new(0) };
    *bytes.last_mut().unwrap() = 1;
    let new = Bytes { header, bytes, reads: Cell::new(0) };
    assert!(compare(&old, &new, &mut || Ok(())).unwrap().chains);
    let mut asked = 0;
    let ended = compare(&old, &new, &mut || {
        asked += 1;
        if asked > 1 { Err(Ended::Stopped) } else { Ok(()) }
    });
    assert_eq!((ended.err(), asked), (Some(Ended::Stopped), 2));
}

/// A page that says what others are for begins like one of a chain, and is none.
#[test]
fn pages_without_content_are_no_chains() {
    for vacuum in [0, 1, 2] {
        let world = World::new(512, &format!("PRAGMA auto_vacuum = {vacuum}"), TABLES);
        world.owner.execute_batch(&rows(1, 3_000)).unwrap();
        world.copy();
        let before = Bytes::new(std::fs::read(world.live()).unwrap()).unwrap();
        world.owner.execute_batch(&rows(5_000, 1_000)).unwrap();
        world.owner.execute_batch("DELETE FROM a WHERE id % 90 = 1").unwrap();
        let after = Bytes::new(std::fs::read(world.live()).unwrap()).unwrap();
        let found = compare(&before, &after, &mut || Ok(())).unwrap();
        assert!(found.differ.has(2), "a map is there, else the root of a table");
        assert!(!found.chains, "{vacuum}");
        world.owner.execute_batch("INSERT INTO a VALUES(0, zeroblob(3000), 0)").unwrap();
        let with_chain = Bytes::new(std::fs::read(world.live()).unwrap()).unwrap();
        world.owner.execute_batch("UPDATE a SET b = randomblob(3000) WHERE id = 0").unwrap();
        let other_chain = Bytes::new(std::fs::read(world.live()).unwrap()).unwrap();
        assert!(compare(&with_chain, &other_chain, &mut || Ok(())).unwrap().chains, "{vacuum}");
    }
}

/// Where they are: as SQLite says of its own files, and at the first gigabyte.
#[test]
fn pages_without_content_lie_where_sqlite_puts_them() {
    let maps = |page_size: usize, usable: usize, numbers: std::ops::Range<u32>| {
        let header = Header { page_size, usable, count: u32::MAX, free: 0, unused: 0, has_maps: true };
        numbers.filter(|number| header.is_no_content(*number)).collect::<Vec<_>>()
    };
    assert_eq!(maps(512, 512, 1..320), [2, 105, 208, 311]);
    assert_eq!(maps(512, 480, 1..200), [2, 99, 196]);
    assert_eq!(maps(4_096, 4_096, 1..1_700), [2, 822, 1_642]);
    assert_eq!(maps(65_536, 65_536, 1..20_000), [2, 13_110, 16_385]);
    assert_eq!(maps(512, 480, 2_097_140..2_097_160), [2_097_142, 2_097_153]);
    // Where a map would lie at the bytes that are locked, it lies behind them.
    assert_eq!(maps(1_024, 1_024, 1_048_570..1_048_590), [1_048_577, 1_048_578]);
    let header = Header { page_size: 512, usable: 512, count: u32::MAX, free: 0, unused: 0, has_maps: false };
    assert_eq!(
        (1..3_000_000).filter(|number| header.is_no_content(*number)).collect::<Vec<_>>(),
        [2_097_153]
    );
}

/// What a transaction begins with is done as the owner of the file, and whatever fails there is a doubt.
#[test]
fn a_moment_begins_as_the_owner() {
    use std::os::unix::fs::chown;
    use std::sync::{Arc, Mutex};
    for settings in ["PRAGMA journal_mode = WAL", "PRAGMA journal_mode = DELETE"] {
        let world = World::new(4_096, settings, TABLES);
        let me = rustix::process::geteuid().as_raw();
        // Only root can be somebody else.
        let owner = if me == 0 { 4_001 } else { me };
        if me == 0 {
            for entry in std::fs::read_dir(world.directory.path()).unwrap() {
                chown(entry.unwrap().path(), Some(owner), Some(owner)).unwrap();
            }
            chown(world.directory.path(), Some(owner), Some(owner)).unwrap();
        }
        let live = open::connect(&world.live(), std::time::Duration::ZERO).unwrap();
        let seen: Arc<Mutex<Vec<u32>>> = Arc::default();
        let own = Arc::clone(&seen);
        live.flush_prepared_statement_cache();
        live.authorizer(Some(move |_: rusqlite::hooks::AuthContext<'_>| {
            own.lock().unwrap().push(rustix::process::geteuid().as_raw());
            rusqlite::hooks::Authorization::Allow
        }))
        .unwrap();
        assert_ne!(Moment::begin(&live).unwrap(), Moment::Unknown);
        let seen = seen.lock().unwrap().clone();
        assert!(seen.len() >= 3 && seen.iter().all(|user| *user == owner), "{settings}: {seen:?}");
        live.execute_batch("ROLLBACK").unwrap();
    }
    let world = World::new(4_096, "PRAGMA journal_mode = DELETE", TABLES);
    let live = open::connect(&world.live(), std::time::Duration::ZERO).unwrap();
    world.owner.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(Moment::begin(&live), Ok(Moment::Unknown));
    assert!(open::first_read(&live).is_err(), "whoever reads meets it");
}
