//! Damage that SQLite's check finds is not believed where pages tell of it, and what owners do is.
//!
//! Apart from the histories, in which all files are sound. `CR0SYNC_DAMAGES` sets how often a file is damaged (3,000).

use std::time::Duration;

use rusqlite::Connection;

use super::planted::{self, Mistake};
use super::{Dice, Tally, World, asked, rows};
use crate::database::changes::{Compared, States, Unsaid, by_pages, pages_hold};
use crate::database::model::Change;
use crate::database::observe::Source;
use crate::database::pages::Moment;
use crate::database::progress::{Pace, Silence};
use crate::database::{forecast, open, schema};

const TABLES: &str = "
    CREATE TABLE a(id INTEGER PRIMARY KEY, b, n INTEGER);
    CREATE TABLE other(id INTEGER PRIMARY KEY, b, n INTEGER);
    CREATE TABLE w(k TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
    CREATE INDEX an ON a(n); CREATE INDEX ob ON other(b);";

fn world(dice: &mut Dice) -> World {
    let page_size = dice.one_of(&[512, 512, 1_024, 4_096]);
    let settings = format!("PRAGMA secure_delete = {}", dice.below(2));
    let world = World::new(page_size, &settings, TABLES);
    world.owner.execute_batch(&rows(1, 1_500)).unwrap();
    let more = "INSERT INTO other SELECT id * 3, b, n FROM a WHERE id % 3 = 0;
                INSERT INTO w SELECT b, n FROM a WHERE id % 40 = 0";
    world.owner.execute_batch(more).unwrap();
    if dice.below(2) == 0 {
        world.owner.execute_batch("DELETE FROM a WHERE id BETWEEN 300 AND 420").unwrap();
    }
    world.copy();
    world
}

/// Some edits as owners make them; none in the table whose keys are no row ids.
fn edit(world: &World, dice: &mut Dice) {
    let table = dice.one_of(&["a", "a", "other"]);
    for _ in 0..=dice.below(6) {
        let id = dice.id(1_500);
        let sql = match dice.below(6) {
            0 => format!("UPDATE {table} SET n = n + 1 WHERE id BETWEEN {id} AND {id} + 3"),
            1 => format!("UPDATE {table} SET b = hex(zeroblob({})) WHERE id = {id}", dice.below(40)),
            2 => format!("DELETE FROM {table} WHERE id = {id}"),
            3 => format!("DELETE FROM {table} WHERE id BETWEEN {id} AND {id} + 90"),
            4 => format!("INSERT OR REPLACE INTO {table} VALUES({id}, 'again', 1)"),
            _ => format!(
                "INSERT INTO {table} WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 40)
                 SELECT (SELECT max(id) FROM {table}) + n, 'new ' || n, n FROM n"
            ),
        };
        world.owner.execute_batch(&sql).unwrap();
    }
}

/// What pages tell of the tables, and whether they are believed; an error where anything is in doubt or fails.
fn told(world: &World) -> Result<Vec<(String, Vec<Change>)>, Unsaid> {
    let wait = Duration::from_secs(1);
    let base = open::connect(&world.base(), wait)?;
    let live = open::connect(&world.live(), wait)?;
    let moment = Moment::begin(&live)?;
    let (now, then) = (schema::read(&live, "main")?, schema::read(&base, "main")?);
    let shape = forecast::plain_shape(&world.config, [("live", &now), ("base", &then)])
        .map_err(|_| Unsaid::Doubt("the schemas are not alike"))?;
    let compared = Compared::default();
    let pace: &dyn Pace = &Silence;
    let (mut all, mut tables) = (Vec::new(), Vec::new());
    for table in &shape.tables {
        let name = &table.rules.name;
        let (old, new) = (then.table(name), now.table(name));
        let before = Source { connection: &base, table: old, cells: None };
        let after = Source { connection: &live, table: new, cells: None };
        let states = States { side: "live", before, after, moment, compared: &compared };
        let changes = by_pages(table, &states, &mut pace.table("", name, None))?;
        if !changes.is_empty() {
            tables.extend(old.zip(new));
            all.push((name.clone(), changes));
        }
    }
    pages_hold((&base, &live), &compared, &tables, &mut || Ok(()))?;
    Ok(all)
}

fn damage(bytes: &mut [u8], page_size: usize, dice: &mut Dice) -> String {
    let below = |dice: &mut Dice, end: usize| usize::try_from(dice.below(end as u64)).unwrap();
    let page = below(dice, bytes.len() / page_size) * page_size;
    match dice.below(8) {
        0 => {
            bytes[page..page + page_size].fill(0);
            format!("the page at {page} is all zero")
        }
        1 => {
            let to = below(dice, bytes.len() / page_size) * page_size;
            bytes.copy_within(page..page + page_size, to);
            format!("the page at {to} is that at {page}")
        }
        2..=3 => {
            let at = page + below(dice, 12);
            bytes[at] = dice.one_of(&[0, 1, 2, 5, 10, 13, 0x7f, 0xff]);
            format!("byte {at}, in the header of a page, is {}", bytes[at])
        }
        4 => {
            // Among its pointers, or those of its cells.
            let at = page + 8 + below(dice, 60);
            bytes[at] = bytes[at].wrapping_add(dice.one_of(&[1, 2, 0xff, 0x10]));
            format!("byte {at}, a pointer, is {}", bytes[at])
        }
        5 => {
            // A cell that holds together and is another one.
            let at = page + below(dice, page_size - 8);
            bytes.copy_within(at..at + 4, at + 4);
            format!("four bytes at {at} are there twice")
        }
        _ => {
            // In one place, as elsewhere it may be an edit that looks like any other.
            let at = page + below(dice, page_size - 8);
            let length = 1 + below(dice, 8);
            bytes[at..at + length].fill_with(|| dice.next().to_le_bytes()[0]);
            format!("{length} random bytes at {at}")
        }
    }
}

/// Some pages as they were before, as where a disk has lost what was written to them, or only the first ones as they are.
fn lose(bytes: &mut [u8], before: &[u8], page_size: usize, dice: &mut Dice) -> String {
    let written: Vec<usize> = (0..bytes.len() / page_size)
        .map(|page| page * page_size)
        .filter(|at| before.get(*at..at + page_size) != bytes.get(*at..at + page_size))
        .collect();
    let lost: Vec<usize> = match dice.below(3) {
        0 => {
            let from = dice.below(written.len() as u64 + 1);
            written[usize::try_from(from).unwrap()..].to_vec()
        }
        times if !written.is_empty() => (0..times).map(|_| dice.one_of(&written)).collect(),
        _ => Vec::new(),
    };
    for at in &lost {
        match before.get(*at..at + page_size) {
            Some(old) => bytes[*at..at + page_size].copy_from_slice(old),
            None => bytes[*at..at + page_size].fill(0),
        }
    }
    format!("what was written at {lost:?} is lost")
}

/// How often there was damage that SQLite finds, and how often of those pages were not believed.
fn damages(first: u64, count: u64) -> Result<(u64, u64), String> {
    let (mut unsound, mut refused) = (0, 0);
    for seed in first..first + count {
        let dice = &mut Dice::of(seed);
        let world = world(dice);
        let before = std::fs::read(world.live()).unwrap();
        edit(&world, dice);
        let expected = told(&world).unwrap_or_else(|why| panic!("seed {seed}: {why:?}"));
        // Nothing else travels than what the owner did.
        let did = |(table, changes): &(String, Vec<Change>)| {
            let own = expected.iter().find(|(own, _)| own == table);
            own.is_some_and(|(_, own)| changes.iter().all(|change| own.contains(change)))
        };
        let healthy = std::fs::read(world.live()).unwrap();
        for round in 0..10 {
            let mut bytes = healthy.clone();
            let page_size = usize::try_from(world.page_size).unwrap();
            let how = match round % 2 {
                0 => damage(&mut bytes, page_size, dice),
                _ => lose(&mut bytes, &before, page_size, dice),
            };
            std::fs::write(world.live(), &bytes).unwrap();
            let check = Connection::open(world.live())
                .and_then(|db| db.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)));
            if check.as_deref() == Ok("ok") {
                continue;
            }
            unsound += 1;
            match told(&world) {
                Err(_) => refused += 1,
                // It lies where no row of these tables is read from, as in an index; or what was lost is all of an edit.
                Ok(found) if found.iter().all(did) => {}
                Ok(found) => {
                    let lengths = found.iter().map(|(table, changes)| (table, changes.len()));
                    let lengths: Vec<_> = lengths.collect();
                    return Err(format!("seed {seed}: {how}: {check:?}, and yet {lengths:?} are believed"));
                }
            }
        }
        std::fs::write(world.live(), &healthy).unwrap();
    }
    Ok((unsound, refused))
}

#[test]
#[expect(clippy::print_stdout, reason = "what was damaged, where somebody asks")]
fn damage_is_not_believed() {
    let count = asked("CR0SYNC_DAMAGES").unwrap_or(3_000_u64).div_ceil(10);
    let (unsound, refused) = damages(asked("CR0SYNC_SEED").unwrap_or(1), count).unwrap();
    println!("{} damages, {unsound} that SQLite finds, {refused} of which are not believed", count * 10);
    assert!(unsound > count && refused * 4 > unsound, "{unsound} {refused}");
}

/// What that is worth.
#[test]
fn a_check_that_looks_at_nothing_is_noticed() {
    planted::plant(Some(Mistake::Credulous));
    let noticed = damages(1, 200);
    planted::plant(None);
    assert!(noticed.is_err(), "{noticed:?}");
}

/// Were it in doubt, SQLite would have to check all of the file each time.
#[test]
fn what_owners_do_is_believed() {
    let mut changed = 0;
    for seed in 1..=150 {
        let dice = &mut Dice::of(seed);
        let world = world(dice);
        for _ in 0..4 {
            edit(&world, dice);
            match dice.below(4) {
                0 => world.owner.execute_batch("DROP INDEX an; CREATE INDEX an ON a(n)").unwrap(),
                1 => world
                    .owner
                    .execute_batch("PRAGMA journal_mode = WAL; PRAGMA journal_mode = DELETE")
                    .unwrap(),
                2 => world.owner.execute_batch("CREATE TABLE x AS SELECT * FROM a; DROP TABLE x").unwrap(),
                _ => {}
            }
            let found = told(&world).unwrap_or_else(|why| panic!("seed {seed}: {why:?}"));
            changed += found.len();
            let mut tally = Tally::default();
            let all = world.compare(&mut tally).unwrap();
            if dice.below(3) > 0 {
                world.record(&all);
            }
        }
    }
    assert!(changed > 300, "{changed}");
}

/// Pages that are moved by somebody else than the table, rows longer than a page, keys that are none: SQLite checks those.
#[test]
fn what_takes_more_reading_is_left_to_sqlite() {
    let told_of = |settings: &str, sql: &str| {
        let world = World::new(1_024, settings, TABLES);
        world.owner.execute_batch(&rows(1, 300)).unwrap();
        world.copy();
        world.owner.execute_batch(sql).unwrap();
        match told(&world) {
            Err(Unsaid::Doubt(why)) => why,
            other => panic!("{sql}: {other:?}"),
        }
    };
    let edit = "UPDATE a SET n = 9 WHERE id = 7";
    assert_eq!(told_of("PRAGMA auto_vacuum = 1", edit), "pages say of others what they are for");
    assert_eq!(told_of("", "UPDATE a SET b = zeroblob(5000) WHERE id = 7"), "a row is longer than its page");
    assert_eq!(told_of("", "INSERT INTO w VALUES('k', 1)"), "its rows have no row ids");
}
