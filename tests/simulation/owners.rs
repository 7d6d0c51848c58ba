//! The owners of the sides: what they write, when they are kept from it, and what they were promised.
//!
//! Apart from `world`, which runs the sync between them. An owner is another program: it has connections of its own,
//! does not wait for anybody, and tries again later what failed. Only what a COMMIT has acknowledged is in the ledger.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::rng::Rng;

/// What the owners' databases look like, in rollback mode; every side starts with it.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE counters(k TEXT PRIMARY KEY, n INTEGER, m INTEGER);
    CREATE TABLE cells(k TEXT PRIMARY KEY, s0, s1, s2, s3, s4);
    CREATE TABLE own(k TEXT PRIMARY KEY, v INTEGER) WITHOUT ROWID;
    CREATE TABLE shared(k TEXT PRIMARY KEY, v INTEGER);
    CREATE TABLE log(who TEXT, n INTEGER);
    CREATE TABLE parents(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);
    CREATE TABLE children(
        id INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER NOT NULL REFERENCES parents(id), body TEXT NOT NULL);
    INSERT INTO counters VALUES('a', 0, 0), ('b', 0, 0), ('c', 0, 0);
    INSERT INTO cells(k) VALUES('p'), ('q');
    INSERT INTO shared VALUES('x', 0), ('y', 0);";

/// One statement's worth of work, as it is asked for.
#[derive(Debug, Clone)]
enum Deed {
    /// Adds to a counter, or makes it.
    Count { key: String, column: &'static str, by: i64 },
    /// Writes a cell that nobody else writes.
    Cell { key: &'static str, value: i64 },
    /// Writes a row that nobody else writes, or takes it away.
    Own { key: String, value: Option<i64> },
    /// Writes a cell that anybody writes.
    Shared { key: &'static str, value: i64 },
    /// Adds a line to the log.
    Log { who: String, n: i64 },
    /// Makes a parent, at once with a child.
    Parent { name: String },
    /// Makes a child of some parent.
    Child { which: usize, number: i64 },
    /// Takes a parent of its own away, with all children that it sees.
    Orphanage { which: usize },
}

/// What an owner was promised.
#[derive(Debug)]
enum Fact {
    Counted(String, &'static str, i64),
    Cell(&'static str, i64),
    Own(String, Option<i64>),
    Shared(&'static str, i64),
    Logged(String, i64),
    Born(String),
    Child(String),
    Gone(String),
    ChildGone(String),
}

/// Everything that owners were promised.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Sums by key and column.
    pub(crate) counters: BTreeMap<(String, String), i64>,
    /// Last values by key and side.
    pub(crate) cells: BTreeMap<(String, usize), i64>,
    /// Last values by key; `None` where it was taken away.
    pub(crate) own: BTreeMap<String, Option<i64>>,
    /// All values by key.
    pub(crate) shared: BTreeMap<String, BTreeSet<i64>>,
    /// How often by line.
    pub(crate) log: BTreeMap<(String, i64), i64>,
    /// Parents by name, and whether each is still wanted.
    pub(crate) parents: BTreeMap<String, bool>,
    /// Children by what is in them, and whether each is still wanted.
    pub(crate) children: BTreeMap<String, bool>,
}

impl Ledger {
    fn enter(&mut self, side: usize, fact: Fact) {
        match fact {
            Fact::Counted(key, column, by) => *self.counters.entry((key, column.into())).or_default() += by,
            Fact::Cell(key, value) => drop(self.cells.insert((key.into(), side), value)),
            Fact::Own(key, value) => drop(self.own.insert(key, value)),
            Fact::Shared(key, value) => drop(self.shared.entry(key.into()).or_default().insert(value)),
            Fact::Logged(who, n) => *self.log.entry((who, n)).or_default() += 1,
            Fact::Born(name) => drop(self.parents.insert(name, true)),
            Fact::Child(body) => drop(self.children.insert(body, true)),
            Fact::Gone(name) => drop(self.parents.insert(name, false)),
            Fact::ChildGone(body) => drop(self.children.insert(body, false)),
        }
    }
}

/// One owner.
struct Owner {
    name: String,
    path: PathBuf,
    /// The connection of one that stays; others come and go with each write.
    stays: Option<Connection>,
    /// What it could not write yet, each one transaction.
    waiting: VecDeque<Vec<Deed>>,
    /// What it is in the middle of.
    busy: Option<Busy>,
    /// Whether nobody can reach its directory.
    away: bool,
}

/// A transaction that lasts.
struct Busy {
    connection: Connection,
    facts: Vec<Fact>,
    /// For how many steps more.
    steps: usize,
}

/// All of them.
pub(crate) struct Owners {
    pub(crate) rng: Rng,
    pub(crate) ledger: Ledger,
    /// What happened, one line each.
    pub(crate) script: Vec<String>,
    /// How many writes were kept waiting.
    pub(crate) waited: usize,
    sides: Vec<Owner>,
    last: i64,
}

impl Owners {
    pub(crate) fn new(rng: Rng) -> Owners {
        Owners { rng, ledger: Ledger::default(), script: Vec::new(), waited: 0, sides: Vec::new(), last: 0 }
    }

    /// One more side, with its file in place.
    pub(crate) fn join(&mut self, name: &str, path: PathBuf) {
        let wal = self.rng.chance(50);
        let mode = if wal { "wal" } else { "delete" };
        let db = open(&path);
        let set: String =
            db.query_row(&format!("PRAGMA journal_mode = {mode}"), [], |row| row.get(0)).unwrap();
        assert_eq!(set, mode);
        let stays = self.rng.chance(60);
        self.script.push(format!(
            "{name}: journal_mode {mode}, its owner {}",
            if stays { "stays" } else { "comes and goes" }
        ));
        self.sides.push(Owner {
            name: name.to_owned(),
            path,
            stays: stays.then_some(db),
            waiting: VecDeque::new(),
            busy: None,
            away: false,
        });
    }

    pub(crate) fn set_away(&mut self, side: usize, away: bool) {
        self.sides[side].away = away;
    }

    /// What happens at a boundary: whoever waits tries again, whoever is done ends, and perhaps somebody writes.
    pub(crate) fn act(&mut self, percent: usize) {
        for side in 0..self.sides.len() {
            self.end_busy(side, false);
            self.work_off(side);
        }
        if self.rng.chance(percent) {
            self.write_somewhere();
        }
    }

    /// Somebody writes something.
    pub(crate) fn write_somewhere(&mut self) {
        let side = self.rng.below(self.sides.len());
        let count = *self.rng.pick(&[1, 1, 2, 3]);
        let deeds = (0..count).map(|_| self.deed(side)).collect();
        self.sides[side].waiting.push_back(deeds);
        self.work_off(side);
    }

    /// Somebody begins something that lasts: writes without an end, or reads.
    pub(crate) fn linger(&mut self) {
        let side = self.rng.below(self.sides.len());
        let steps = 1 + self.rng.below(25);
        let writes = self.rng.chance(75);
        let deeds = vec![self.deed(side)];
        let owner = &mut self.sides[side];
        if owner.away || owner.busy.is_some() {
            return;
        }
        let connection = open(&owner.path);
        let begun = match writes {
            true => work(&connection, side, &deeds),
            false => {
                connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").map(|()| Vec::new())
            }
        };
        if let Some(facts) = unless_busy(begun) {
            self.script.push(format!(
                "{} lingers for {steps} steps over {:?}",
                owner.name,
                writes.then_some(deeds)
            ));
            owner.busy = Some(Busy { connection, facts, steps });
        }
    }

    /// Everybody ends what was begun and writes what waits.
    pub(crate) fn calm(&mut self) {
        for side in 0..self.sides.len() {
            self.end_busy(side, true);
            while !self.sides[side].waiting.is_empty() {
                assert!(self.work_off(side), "{} is kept from its own file", self.sides[side].name);
            }
        }
    }

    fn end_busy(&mut self, side: usize, now: bool) {
        let owner = &mut self.sides[side];
        let Some(busy) = &mut owner.busy else { return };
        busy.steps = busy.steps.saturating_sub(1);
        // What cannot be reached cannot be written either: its journal would lie there.
        if owner.away || (busy.steps > 0 && !now) {
            return;
        }
        // A reader of ours may be in its way; then it tries again.
        if unless_busy(busy.connection.execute_batch("COMMIT")).is_none() {
            return;
        }
        let Some(busy) = owner.busy.take() else { return };
        self.script.push(format!("{} ends what it lingered over", owner.name));
        for fact in busy.facts {
            self.ledger.enter(side, fact);
        }
    }

    /// Tries what has waited longest; whether it is done.
    fn work_off(&mut self, side: usize) -> bool {
        let owner = &mut self.sides[side];
        let Some(deeds) = owner.waiting.front() else { return true };
        if owner.away || owner.busy.is_some() {
            return false;
        }
        let come;
        let connection = match &owner.stays {
            Some(connection) => connection,
            None => {
                come = open(&owner.path);
                &come
            }
        };
        let done = work(connection, side, deeds)
            .and_then(|facts| connection.execute_batch("COMMIT").map(|()| facts));
        match unless_busy(done) {
            Some(facts) => {
                self.script.push(format!("{} writes {deeds:?}: {facts:?}", owner.name));
                owner.waiting.pop_front();
                for fact in facts {
                    self.ledger.enter(side, fact);
                }
                true
            }
            None => {
                if !connection.is_autocommit() {
                    connection.execute_batch("ROLLBACK").unwrap();
                }
                self.waited += 1;
                false
            }
        }
    }

    fn deed(&mut self, side: usize) -> Deed {
        self.last += 1;
        let (rng, last) = (&mut self.rng, self.last);
        match rng.below(100) {
            0..30 => Deed::Count {
                key: (*rng.pick(&["a", "a", "b", "c", "new", "newer"])).to_owned(),
                column: *rng.pick(&["n", "n", "m"]),
                by: *rng.pick(&[1, 1, 1, 5, 5, 70]),
            },
            30..45 => Deed::Cell { key: *rng.pick(&["p", "q"]), value: last },
            45..60 => {
                Deed::Own { key: format!("{side}-{}", rng.below(3)), value: rng.chance(70).then_some(last) }
            }
            60..70 => Deed::Shared { key: *rng.pick(&["x", "y"]), value: last },
            70..80 => Deed::Log {
                who: if rng.chance(50) { "all".into() } else { format!("s{side}") },
                n: i64::from(rng.chance(50)),
            },
            80..88 => Deed::Parent { name: format!("{side}-{last}") },
            88..96 => Deed::Child { which: rng.below(1 << 16), number: last },
            _ => Deed::Orphanage { which: rng.below(1 << 16) },
        }
    }
}

/// A connection of an owner's: it waits for nobody. That nothing is synced to a disk changes nothing that can be seen here.
fn open(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap_or_else(|error| panic!("open {}: {error}", path.display()));
    db.busy_timeout(Duration::ZERO).unwrap();
    db.execute_batch("PRAGMA synchronous = OFF").unwrap();
    db
}

/// What came of it, or nothing where somebody was in the way; owners meet no other error.
fn unless_busy<T>(result: rusqlite::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(cause) => {
            let code = cause.sqlite_error_code();
            assert!(
                matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)),
                "an owner is refused: {cause}"
            );
            None
        }
    }
}

/// Does all of it in one transaction, which stays open.
fn work(db: &Connection, side: usize, deeds: &[Deed]) -> rusqlite::Result<Vec<Fact>> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    let mut facts = Vec::new();
    for deed in deeds {
        carry_out(db, side, deed, &mut facts)?;
    }
    Ok(facts)
}

fn carry_out(db: &Connection, side: usize, deed: &Deed, facts: &mut Vec<Fact>) -> rusqlite::Result<()> {
    match deed {
        Deed::Count { key, column, by } => {
            let (n, m) = if *column == "n" { (*by, 0) } else { (0, *by) };
            db.execute(
                "INSERT INTO counters VALUES(?1, ?2, ?3) ON CONFLICT(k) DO UPDATE SET n = n + ?2, m = m + ?3",
                params![key, n, m],
            )?;
            facts.push(Fact::Counted(key.clone(), column, *by));
        }
        Deed::Cell { key, value } => {
            db.execute(&format!("UPDATE cells SET s{side} = ?2 WHERE k = ?1"), params![key, value])?;
            facts.push(Fact::Cell(key, *value));
        }
        Deed::Own { key, value } => {
            match value {
                Some(value) => db.execute(
                    "INSERT INTO own VALUES(?1, ?2) ON CONFLICT(k) DO UPDATE SET v = ?2",
                    params![key, value],
                )?,
                None => db.execute("DELETE FROM own WHERE k = ?1", [key])?,
            };
            facts.push(Fact::Own(key.clone(), *value));
        }
        Deed::Shared { key, value } => {
            db.execute("UPDATE shared SET v = ?2 WHERE k = ?1", params![key, value])?;
            facts.push(Fact::Shared(key, *value));
        }
        Deed::Log { who, n } => {
            db.execute("INSERT INTO log VALUES(?1, ?2)", params![who, n])?;
            facts.push(Fact::Logged(who.clone(), *n));
        }
        Deed::Parent { name } => {
            db.execute("INSERT INTO parents(name) VALUES(?1)", [name])?;
            let (id, body) = (db.last_insert_rowid(), format!("{name}/first"));
            db.execute("INSERT INTO children(parent, body) VALUES(?1, ?2)", params![id, body])?;
            facts.extend([Fact::Born(name.clone()), Fact::Child(body)]);
        }
        Deed::Child { which, number } => {
            let Some((id, name)) = some_parent(db, *which, "%")? else { return Ok(()) };
            let body = format!("{name}/{number}");
            db.execute("INSERT INTO children(parent, body) VALUES(?1, ?2)", params![id, body])?;
            facts.push(Fact::Child(body));
        }
        Deed::Orphanage { which } => {
            let Some((id, name)) = some_parent(db, *which, &format!("{side}-%"))? else { return Ok(()) };
            let mut children = db.prepare("DELETE FROM children WHERE parent = ?1 RETURNING body")?;
            let bodies =
                children.query_map([id], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
            db.execute("DELETE FROM parents WHERE id = ?1", [id])?;
            facts.push(Fact::Gone(name));
            facts.extend(bodies.into_iter().map(Fact::ChildGone));
        }
    }
    Ok(())
}

fn some_parent(db: &Connection, which: usize, like: &str) -> rusqlite::Result<Option<(i64, String)>> {
    db.query_row(
        "SELECT id, name FROM parents WHERE name LIKE ?1 ORDER BY name LIMIT 1
         OFFSET ?2 % max(1, (SELECT count(*) FROM parents WHERE name LIKE ?1))",
        params![like, which as i64],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
    .optional()
}
