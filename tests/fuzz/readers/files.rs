//! A whole infrastructure of which files were broken, and the operations of a person who has not noticed yet.
//!
//! The input is a list of mishaps: bytes of a file overwritten, a file cut short, a cell of the state database set to
//! something else, an intent left behind that nobody has written. Whatever becomes of it, every operation comes back with a
//! report or an error, nothing panics, and a side's file whose bytes were left alone stays sound.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::json;

use crate::Config;
use crate::database::{self, Detail, Mode, Options};

use super::input::Input;

const SIDES: [&str; 3] = ["bot", "central", "website"];
/// More mishaps at once than that say nothing more.
const MISHAPS: usize = 12;

const SCHEMA: &str = "
    CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, score INTEGER, note TEXT);
    CREATE TABLE posts(id INTEGER PRIMARY KEY, user INTEGER REFERENCES users(id), body BLOB);
    CREATE TABLE log(who TEXT, n REAL);
    CREATE TABLE state(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    INSERT INTO users(name, score, note) VALUES ('ann', 1, 'x'), ('bob', 2, NULL), ('cat', 3, 'z');
    INSERT INTO posts(user, body) VALUES (1, x'00ff'), (2, 'text'), (3, NULL);
    INSERT INTO log VALUES ('ann', 1), ('ann', 1), ('bob', 2.5);
    INSERT INTO state VALUES ('a', 1), ('b', 'two');";

/// What owners do between the first runs: cells that clash, one that is held, rows under one id, rows without a key.
const EDITS: [(&str, &str); 5] = [
    (
        "bot",
        "UPDATE users SET score = score + 5, note = 'bot' WHERE id = 1; INSERT INTO log VALUES ('bot', 1)",
    ),
    (
        "website",
        "UPDATE users SET score = score + 7, note = 'web' WHERE id = 1; DELETE FROM posts WHERE id = 2",
    ),
    ("bot", "INSERT INTO users(name, score) VALUES ('dan', 4); UPDATE posts SET body = 'bot' WHERE id = 2"),
    (
        "website",
        "INSERT INTO users(name, score) VALUES ('eve', 5); UPDATE state SET value = 9 WHERE name = 'b'",
    ),
    ("bot", "DELETE FROM log WHERE who = 'bob'; UPDATE state SET value = 8 WHERE name = 'b'"),
];
/// And what they have done since the last one.
const SINCE: [(&str, &str); 2] = [
    ("bot", "UPDATE users SET score = 50 WHERE id = 2; INSERT INTO log VALUES ('bot', 3)"),
    ("website", "INSERT INTO posts(user, body) VALUES (1, 'new'); DELETE FROM state WHERE name = 'a'"),
];

/// Where the files lie while one input is tried, and what lies there before it.
struct World {
    root: PathBuf,
    config: Config,
    /// Files by their path below the root.
    files: BTreeMap<PathBuf, Vec<u8>>,
}

thread_local! {
    static WORLD: World = World::new();
}

impl World {
    fn new() -> World {
        let root = std::env::temp_dir().join(format!("cr0sync-fuzz-{}", std::process::id()));
        let replicas: serde_json::Map<String, serde_json::Value> =
            SIDES.iter().map(|side| ((*side).to_owned(), json!(root.join(format!("{side}.db"))))).collect();
        let json = json!({
            "root": root,
            "databases": {"d": {"replicas": replicas, "tables": {
                "users": {"columns": {"score": "sum", "note": "hold"}},
                "posts": {"on_delete_update": "hold"}}}},
            "backups": {"every_minutes": 600},
            "guards": {"busy_timeout_ms": 100, "min_free_percent": 0},
        });
        let config = Config::parse(json.to_string().as_bytes(), &root, None).expect("a configuration");
        let mut world = World { root, config, files: BTreeMap::new() };
        world.clear();
        for side in SIDES {
            world.edit(side, SCHEMA);
        }
        world.sync();
        for (side, sql) in EDITS {
            world.edit(side, sql);
        }
        world.sync();
        for (side, sql) in SINCE {
            world.edit(side, sql);
        }
        // An owner who has his file open, in WAL mode.
        let owner = Connection::open(world.root.join("website.db")).unwrap();
        owner.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
        owner.execute_batch("UPDATE users SET score = 70 WHERE id = 3").unwrap();
        world.files = files_below(&world.root);
        assert!(world.files.len() >= 8, "{:?}", world.files.keys());
        world
    }

    fn clear(&self) {
        let _ = std::fs::remove_dir_all(&self.root);
        std::fs::create_dir_all(&self.root).unwrap();
    }

    fn edit(&self, side: &str, sql: &str) {
        Connection::open(self.root.join(format!("{side}.db"))).unwrap().execute_batch(sql).unwrap();
    }

    fn sync(&self) {
        database::sync(&self.config, &Options::default()).unwrap();
    }

    /// Everything as it was at first.
    fn lay_out(&self) {
        self.clear();
        for (path, bytes) in &self.files {
            let path = self.root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    fn state(&self) -> Option<Connection> {
        Connection::open(self.root.join("sync_state/state.db")).ok()
    }

    /// Does one mishap; returns the file it was done to, unless it is the state's.
    fn mishap(&self, input: &mut Input<'_>) -> Option<PathBuf> {
        match input.byte() % 5 {
            0 => {
                let path = self.file(input.byte());
                let mut bytes = std::fs::read(self.root.join(&path)).unwrap_or_default();
                // Most of what matters lies at the start of a page.
                let at = (input.byte() * 4_096 + input.short() % 4_096).min(bytes.len());
                let length = input.byte();
                let new = input.take(length);
                let end = (at + new.len()).min(bytes.len());
                bytes.splice(at..end, new.iter().copied());
                self.put(&path, &bytes);
                Some(path)
            }
            1 => {
                let path = self.file(input.byte());
                let bytes = std::fs::read(self.root.join(&path)).unwrap_or_default();
                let length = (input.byte() * 512).min(bytes.len());
                self.put(&path, &bytes[..length]);
                Some(path)
            }
            2 | 3 => {
                self.cell(input);
                None
            }
            _ => {
                self.intent(input);
                None
            }
        }
    }

    /// A file of the state or of a side. Names of backups tell the time, so the same input would break another one.
    fn file(&self, number: usize) -> PathBuf {
        let dated = |path: &&PathBuf| {
            ["backup", "emergency"].iter().any(|word| path.to_string_lossy().contains(word))
        };
        let mut paths: Vec<&PathBuf> = self.files.keys().filter(|path| !dated(path)).collect();
        paths.sort_by_key(|path| !path.starts_with("sync_state"));
        paths[number % paths.len()].clone()
    }

    fn put(&self, path: &Path, bytes: &[u8]) {
        // It may be a file that only its owner can write; that is who we are.
        let _ = std::fs::write(self.root.join(path), bytes);
    }

    /// Sets a cell of the state database.
    fn cell(&self, input: &mut Input<'_>) {
        let (table, column, row) = (input.byte(), input.byte(), input.byte());
        let value = match input.byte() % 5 {
            0 => Value::Null,
            1 => Value::Integer(input.integer()),
            2 => {
                let length = input.byte();
                Value::Text(String::from_utf8_lossy(input.take(length)).into_owned())
            }
            3 => {
                let length = input.short();
                Value::Blob(input.take(length).to_vec())
            }
            // Far out, where sums end.
            _ => Value::Integer(
                if input.byte() % 2 == 0 { i64::MAX } else { i64::MIN } ^ (input.integer() & 3),
            ),
        };
        let set = || -> rusqlite::Result<()> {
            let Some(state) = self.state() else { return Ok(()) };
            let names = |sql: &str| -> rusqlite::Result<Vec<String>> {
                state.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
            };
            let tables = names("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
            let Some(table) = tables.get(table % tables.len().max(1)) else { return Ok(()) };
            // Rows of another database or side are as good as none.
            let columns = names(&format!(
                "SELECT name FROM pragma_table_info('{table}') WHERE name NOT IN ('database', 'side')"
            ))?;
            let Some(column) = columns.get(column % columns.len().max(1)) else { return Ok(()) };
            let row = state.query_row(
                &format!("SELECT * FROM \"{table}\" LIMIT 1 OFFSET ?1 % (SELECT count(*) FROM \"{table}\")"),
                [i64::try_from(row).unwrap()],
                |row| {
                    (0..row.as_ref().column_count())
                        .map(|index| row.get(index))
                        .collect::<Result<Vec<Value>, _>>()
                },
            )?;
            // Not all of them have a row id.
            let all = names(&format!("SELECT name FROM pragma_table_info('{table}')"))?;
            let is_it: Vec<String> =
                all.iter().enumerate().map(|(index, name)| format!("\"{name}\" IS ?{}", index + 1)).collect();
            let set = format!(
                "UPDATE \"{table}\" SET \"{column}\" = ?{} WHERE {}",
                all.len() + 1,
                is_it.join(" AND ")
            );
            state.execute(&set, rusqlite::params_from_iter(row.into_iter().chain([value])))?;
            Ok(())
        };
        // What the schema refuses cannot be there either.
        let _ = set();
    }

    /// Leaves an intent behind.
    fn intent(&self, input: &mut Input<'_>) {
        let side = SIDES[input.byte() % SIDES.len()];
        let progress = i64::try_from(input.byte() % 5).unwrap();
        let length = input.short();
        let blob = input.take(length);
        if let Some(state) = self.state() {
            let put = "INSERT OR REPLACE INTO intents VALUES ('d', ?1, '9', ?2, ?3)";
            let _ = state.execute(put, rusqlite::params![side, progress, blob]);
        }
    }
}

fn files_below(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_path_buf(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn is_sound(path: &Path) -> bool {
    let check = || -> rusqlite::Result<String> {
        Connection::open(path)?.query_row("PRAGMA integrity_check", [], |row| row.get(0))
    };
    check().is_ok_and(|found| found == "ok")
}

/// A list of mishaps, and then the days of a person.
pub fn files(bytes: &[u8]) {
    WORLD.with(|world| {
        world.lay_out();
        let mut input = Input(bytes);
        let mut touched = BTreeSet::new();
        for _ in 0..MISHAPS {
            if input.is_empty() {
                break;
            }
            touched.extend(world.mishap(&mut input));
        }
        let (config, options) = (&world.config, Options::default());
        let _ = database::status(config, &options, Detail::Explain);
        let _ = database::conflicts(config, &options);
        let _ = database::history(config, &options, 10);
        let _ = database::sync(config, &Options { mode: Mode::DryRun, ..options.clone() });
        let _ = database::sync(config, &options);
        let _ = database::sync(config, &options);
        let _ = database::undo(config, "2", &options);
        for side in SIDES {
            let own = |path: &PathBuf| path.to_string_lossy().starts_with(side);
            if !touched.iter().any(own) {
                assert!(is_sound(&world.root.join(format!("{side}.db"))), "{side} was broken");
            }
        }
    });
}
