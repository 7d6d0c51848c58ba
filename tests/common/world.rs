//! A playground: a root, some sides with one database each, and the configuration that binds them.
//!
//! Apart from `check` because building a world and judging it are different things. Files live in memory where the
//! machine offers that; a world removes itself when it is dropped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use cr0sync::database::{self, Detail, Mode, Options, Secrets, Take};
use cr0sync::{Config, Result};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Dump, Rows, dump, query};

/// The name of the database that most tests use.
pub(crate) const NAME: &str = "d";

/// A root directory with sides. `json` is the configuration; tests change it freely.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) sides: Vec<String>,
    pub(crate) json: Value,
}

impl World {
    /// Sides with one database called `d`; the hub is `central` when there is one, else the first side.
    pub(crate) fn new(sides: &[&str]) -> World {
        let hub = if sides.contains(&"central") { "central" } else { sides[0] };
        World::with_hub(sides, hub)
    }

    /// The usual two sides.
    pub(crate) fn two() -> World {
        World::new(&["bot", "central"])
    }

    /// The usual three sides.
    pub(crate) fn three() -> World {
        World::new(&["bot", "central", "website"])
    }

    /// The usual two sides with their files on a disk, for what is too large for memory.
    pub(crate) fn on_disk(directory: &Path) -> World {
        World::within(tempfile::tempdir_in(directory).unwrap(), &["bot", "central"], "central")
    }

    pub(crate) fn with_hub(sides: &[&str], hub: &str) -> World {
        World::within(scratch(), sides, hub)
    }

    fn within(dir: TempDir, sides: &[&str], hub: &str) -> World {
        let (user, group) = owner();
        let mut world = World {
            dir,
            sides: sides.iter().map(|side| (*side).to_owned()).collect(),
            json: json!({
                "version": 1,
                "hub": hub,
                "databases": {},
                "logs": {},
                // Backups are made however full the disk of this machine is.
                "guards": { "busy_timeout_ms": 2000, "min_free_percent": 0 },
                "ownership": { "user": user, "group": group, "dir_mode": "0755", "file_mode": "0644" }
            }),
        };
        std::fs::create_dir(world.root()).unwrap();
        for side in sides {
            std::fs::create_dir(world.dir.path().join(side)).unwrap();
        }
        world.add_database(NAME);
        world
    }

    /// The same world once more, in a place of its own: quicker than to start another.
    pub(crate) fn copy(&self) -> World {
        let dir = scratch();
        copy_below(self.dir.path(), dir.path());
        let json =
            self.json.to_string().replace(self.dir.path().to_str().unwrap(), dir.path().to_str().unwrap());
        World { dir, sides: self.sides.clone(), json: serde_json::from_str(&json).unwrap() }
    }

    /// Configures one more database on the same sides.
    pub(crate) fn add_database(&mut self, name: &str) {
        let replicas: serde_json::Map<String, Value> =
            self.sides.iter().map(|side| (side.clone(), json!(self.file(side, name)))).collect();
        self.json["databases"][name] = json!({ "replicas": replicas });
    }

    /// The table policies of `d`.
    pub(crate) fn tables(mut self, tables: Value) -> World {
        self.json["databases"][NAME]["tables"] = tables;
        self
    }

    /// The preference of `d`.
    pub(crate) fn prefer(mut self, sides: &[&str]) -> World {
        self.json["databases"][NAME]["prefer"] = json!(sides);
        self
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    pub(crate) fn file(&self, side: &str, name: &str) -> PathBuf {
        self.dir.path().join(side).join(format!("{name}.db"))
    }

    pub(crate) fn path(&self, side: &str) -> PathBuf {
        self.file(side, NAME)
    }

    /// A connection as an ordinary program would open it.
    pub(crate) fn open(&self, side: &str) -> Connection {
        open(&self.path(side))
    }

    /// Runs statements on one side, as its owner would.
    pub(crate) fn edit(&self, side: &str, sql: &str) {
        self.open(side).execute_batch(sql).unwrap_or_else(|error| panic!("{side}: {sql}: {error}"));
    }

    /// Runs the same statements on every side.
    pub(crate) fn edit_all(&self, sql: &str) {
        for side in &self.sides {
            self.edit(side, sql);
        }
    }

    /// Starts every side with the same content and lets a first run take note of it.
    pub(crate) fn start(self, sql: &str) -> World {
        self.edit_all(sql);
        let report = self.sync();
        assert_eq!(report["ok"], json!(true), "first run: {report:#}");
        assert_eq!(report["conflicts"], json!(0), "first run: {report:#}");
        self
    }

    pub(crate) fn dump(&self, side: &str) -> Dump {
        dump(&self.open(side))
    }

    pub(crate) fn query(&self, side: &str, sql: &str) -> Rows {
        query(&self.open(side), sql)
    }

    /// The rows a query gives, one short line each.
    pub(crate) fn lines(&self, side: &str, sql: &str) -> Vec<String> {
        let rows = self.query(side, sql).rows;
        rows.iter().map(|row| row.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(" ")).collect()
    }

    pub(crate) fn parse(&self) -> Result<Config> {
        Config::parse(self.json.to_string().as_bytes(), &self.root(), None)
    }

    pub(crate) fn config(&self) -> Config {
        self.parse().unwrap_or_else(|error| panic!("{error}\n{:#}", self.json))
    }

    /// One run, as the JSON a user sees.
    pub(crate) fn sync(&self) -> Value {
        self.run(&options()).unwrap_or_else(|error| panic!("sync: {error}"))
    }

    pub(crate) fn run(&self, options: &Options) -> Result<Value> {
        let report = database::sync(&self.config(), options).map(seen);
        self.trust_pages();
        let told = report.iter().flat_map(|report| report["databases"].as_object().into_iter().flatten());
        for (name, database) in told {
            let warnings = database["warnings"].to_string();
            assert!(!warnings.contains("CRITICAL: "), "pages and rows of {name} differ: {warnings}");
        }
        report
    }

    /// Lets pages alone tell from the second run on, as they mostly do: all rows are read once a day, and soon after a side
    /// was adopted.
    fn trust_pages(&self) {
        let state = self.root().join("sync_state/state.db");
        // One that a test has damaged, locked or hidden is left alone.
        if let Ok(state) = Connection::open_with_flags(state, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE) {
            let now = "UPDATE replicas SET compared = CAST(strftime('%s', 'now') AS INTEGER)";
            let _ = state.execute(now, []);
        }
    }

    pub(crate) fn dry_run(&self) -> Value {
        self.run(&Options { mode: Mode::DryRun, ..options() }).unwrap()
    }

    pub(crate) fn sync_from(&self, side: &str) -> Result<Value> {
        database::sync_from(&self.config(), side, &options()).map(seen)
    }

    pub(crate) fn status(&self, detail: Detail) -> Value {
        seen(database::status(&self.config(), &options(), detail).unwrap())
    }

    pub(crate) fn conflicts(&self) -> Vec<Value> {
        let report = seen(database::conflicts(&self.config(), &options()).unwrap());
        assert_eq!(report["schema"], json!(1));
        report["conflicts"].as_array().unwrap().clone()
    }

    pub(crate) fn resolve(&self, id: &str, take: Take) -> Result<Value> {
        database::resolve(&self.config(), id, take, &options()).map(seen)
    }

    pub(crate) fn acknowledge(&self, ids: &[String]) -> Result<Value> {
        database::acknowledge(&self.config(), ids, Mode::Apply).map(seen)
    }

    pub(crate) fn undo(&self, run: &str) -> Result<Value> {
        database::undo(&self.config(), run, &options()).map(seen)
    }

    pub(crate) fn history(&self, limit: usize) -> Value {
        seen(database::history(&self.config(), &options(), limit).unwrap())
    }
}

/// All databases, applied, nothing forced, secrets shown: tests look at values.
pub(crate) fn options() -> Options {
    Options { secrets: Secrets::Show, ..Options::default() }
}

/// A report as a user sees it.
pub(crate) fn seen(report: impl Serialize) -> Value {
    serde_json::to_value(report).unwrap()
}

/// A connection that waits for others and does not sync to disk, which no test here needs.
pub(crate) fn open(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap_or_else(|error| panic!("open {}: {error}", path.display()));
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    db.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF")
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    db
}

/// A directory in memory where there is such a thing.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir()
        && let Ok(dir) = tempfile::Builder::new().prefix("cr0sync-test-").tempdir_in(memory)
    {
        return dir;
    }
    tempfile::tempdir().unwrap()
}

/// Copies what lies in a directory.
pub(crate) fn copy_below(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_below(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Who runs the tests, so that files belong to someone who exists.
fn owner() -> &'static (String, String) {
    static OWNER: OnceLock<(String, String)> = OnceLock::new();
    OWNER.get_or_init(|| {
        let ask = |flag| {
            let out = Command::new("id").arg(flag).output().unwrap();
            String::from_utf8(out.stdout).unwrap().trim().to_owned()
        };
        (ask("-un"), ask("-gn"))
    })
}
