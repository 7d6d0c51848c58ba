//! Every long operation, stopped wherever it looks whether it is to go on.
//!
//! Compiled in, as only there everybody is asked at each look (`src/interrupt.rs`), so that no test depends on the time. An
//! operation is done once undisturbed, to count the looks and to see what it comes to. Then it is stopped at many of them,
//! each time in a world of its own. It must end as stopped, or be done; what people see must be as before or as it is when
//! it is done; nothing that was in the making may be left; and the next run must do all of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rusqlite::Connection;
use serde_json::json;

use crate::database::{self, Target};
use crate::integrity::{self, Accept, CheckOptions};
use crate::interrupt::{Continue, watched};
use crate::{Config, ErrorKind, Result, events, logs, security};

/// At so many looks each operation is stopped.
const STOPS: usize = 14;

struct World {
    directory: tempfile::TempDir,
    config: Config,
}

impl World {
    fn new() -> World {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        for side in ["bot", "central", "web", "shared_storage"] {
            std::fs::create_dir_all(root.join(side)).unwrap();
        }
        let user = crate::durable::user_numbered(rustix::process::geteuid().as_raw()).unwrap();
        let config = json!({
            "version": 1, "root": root, "hub": "central", "ownership": {"user": user, "group": user},
            "databases": {"d": {"replicas": {"bot": "bot/d.db", "central": "central/d.db"}}},
            "logs": {"x": {"copies": {"bot": "bot/x.log", "central": "central/x.log", "web": "web/x.log"}, "mirrors": ["web"],
                "rotate": {"compress": true}}},
            "backups": {"every_minutes": 1},
        });
        let config = Config::parse(config.to_string().as_bytes(), &root, None).unwrap();
        let list = json!({ "monitored_files": [], "monitored_directories": [root.join("site")], "ignore_patterns": [] });
        std::fs::write(&config.integrity.config, list.to_string()).unwrap();
        World { directory, config }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.config.root.join(path)
    }

    fn sql(&self, side: &str, sql: &str) {
        Connection::open(self.path(&format!("{side}/d.db"))).unwrap().execute_batch(sql).unwrap();
    }

    /// Every row of both sides.
    fn rows(&self) -> String {
        let mut all = String::new();
        for side in ["bot", "central"] {
            let path = self.path(&format!("{side}/d.db"));
            writeln!(all, "{side}").unwrap();
            if !path.exists() {
                continue;
            }
            let connection = Connection::open(path).unwrap();
            let Ok(mut rows) = connection.prepare("SELECT id, text FROM note ORDER BY id") else { continue };
            let mut rows = rows.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let (id, text): (i64, String) = (row.get(0).unwrap(), row.get(1).unwrap());
                writeln!(all, "{id} {text}").unwrap();
            }
        }
        all
    }

    fn backups(&self) -> Vec<String> {
        let report = database::backups(&self.config, &database::Options::default()).unwrap();
        assert!(report.backups.iter().all(|one| one.verified), "{report:?}");
        report.backups.iter().map(|one| one.id.clone()).collect()
    }

    /// Every line of every copy, from rotated files too.
    fn lines(&self) -> String {
        let mut all = String::new();
        for side in ["bot", "central", "web"] {
            let names = std::fs::read_dir(self.path(side)).unwrap().map(|entry| entry.unwrap().path());
            let mut lines: Vec<String> = Vec::new();
            for path in names.filter(|path| path.to_string_lossy().contains("x.log")) {
                let bytes = std::fs::read(&path).unwrap();
                let mut text = String::new();
                match path.extension().is_some_and(|extension| extension == "gz") {
                    true => {
                        flate2::read::MultiGzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
                    }
                    false => text = String::from_utf8(bytes).unwrap(),
                }
                lines.extend(text.lines().map(str::to_owned));
            }
            lines.sort();
            writeln!(all, "{side} {}", lines.join(" ")).unwrap();
        }
        all
    }

    fn packed(&self) -> bool {
        let mut names = std::fs::read_dir(self.path("central")).unwrap();
        names.any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(".gz"))
    }

    /// What is below the root and was in the making.
    fn nascent(&self) -> Vec<PathBuf> {
        fn below(directory: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    below(&path, found);
                } else if path.file_name().unwrap().to_string_lossy().contains(".new-") {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        below(self.directory.path(), &mut found);
        found
    }

    fn notes(&self, side: &str, from: usize, to: usize) {
        let values: Vec<String> = (from..to).map(|id| format!("({id}, 'note {id}')")).collect();
        let sql = format!("INSERT INTO note VALUES {}", values.join(","));
        self.sql(side, &sql);
    }

    fn synced(&self) {
        self.sql("bot", "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)");
        self.notes("bot", 0, 300);
        let report = database::sync(&self.config, &database::Options::default()).unwrap();
        assert!(report.ok, "{report:?}");
    }

    fn log(&self, from: usize, to: usize) {
        let mut text = String::new();
        for number in from..to {
            writeln!(text, "line {number:08}").unwrap();
        }
        let path = self.path("bot/x.log");
        let before = std::fs::read(&path).unwrap_or_default();
        std::fs::write(&path, [&before, text.as_bytes()].concat()).unwrap();
    }

    fn merged(&self) {
        self.log(0, 30_000);
        assert!(logs::merge(&self.config, &logs::Options::default()).unwrap().ok);
    }

    fn site(&self) {
        for number in 0..40 {
            let directory = self.path(&format!("site/{}", number % 7));
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join(format!("{number}.php")), format!("<?php // {number}")).unwrap();
        }
        std::fs::write(self.path("site/large"), vec![b'x'; 3 << 20]).unwrap();
    }

    fn accepted(&self) {
        self.site();
        integrity::baseline(&self.config, None).unwrap();
    }

    fn events(&self) {
        let path = &self.config.events.log;
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut text = String::new();
        for number in 0..3_000 {
            let day = 1 + number / 1_000;
            let line = json!({ "timestamp": format!("2025-07-0{day} 10:00:00"), "type": "PAGE", "severity": "INFO", "details": { "n": number } });
            writeln!(text, "{line}").unwrap();
        }
        // What is on record already stays.
        let before = std::fs::read(path).unwrap_or_default();
        std::fs::write(path, [&before, text.as_bytes()].concat()).unwrap();
        for number in 0..3 {
            let details = json!({ "n": number });
            let event = events::Event {
                kind: "T".to_owned(),
                severity: events::Severity::Low,
                details,
                ip: None,
                session: None,
            };
            events::record(&self.config, &event).unwrap();
        }
    }

    fn found(&self) -> String {
        let wanted =
            events::Filter { limit: 10_000, kinds: vec!["PAGE".to_owned()], ..events::Filter::default() };
        let found = events::query(&self.config, &wanted).unwrap();
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        let report = events::verify(&self.config).unwrap();
        assert!(report.ok, "{report:?}");
        found.events.len().to_string()
    }
}

/// One operation.
struct Operation {
    name: &'static str,
    prepare: fn(&World),
    act: fn(&World) -> Result<()>,
    /// What people see of it.
    view: fn(&World) -> String,
    /// Whether it may look so, between how it was before and how it is when all is done.
    is_between: fn(&str, &str, &str) -> bool,
}

impl Operation {
    /// Each line of what people see is as before, as after, or has a part of what is new: the first copy that has something is
    /// read by the others, in a later run too.
    fn growing(self) -> Operation {
        Operation { is_between: grows, ..self }
    }
}

/// All of it or nothing.
fn is_either(before: &str, now: &str, after: &str) -> bool {
    now == before || now == after
}

fn grows(before: &str, now: &str, after: &str) -> bool {
    let mut lines = now.lines().zip(before.lines().zip(after.lines()));
    let is_part = |(now, (before, after)): (&str, (&str, &str))| {
        is_either(before, now, after) || now.starts_with(before.trim_end()) && after.starts_with(now)
    };
    now.lines().count() == after.lines().count() && lines.all(is_part)
}

const fn operation(
    name: &'static str,
    prepare: fn(&World),
    act: fn(&World) -> Result<()>,
    view: fn(&World) -> String,
) -> Operation {
    Operation { name, prepare, act, view, is_between: is_either }
}

fn all() -> Vec<Operation> {
    vec![
        operation(
            "a first sync that makes a side",
            |world| {
                world.sql("bot", "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)");
                world.notes("bot", 0, 300);
            },
            sync,
            World::rows,
        ),
        operation(
            "sync",
            |world| {
                world.synced();
                world.notes("bot", 1_000, 1_400);
                world.sql("central", "UPDATE note SET text = text || '!' WHERE id < 200");
            },
            sync,
            World::rows,
        ),
        operation(
            "sync of a side that fills an empty one",
            |world| {
                world.synced();
                std::fs::remove_file(world.path("bot/d.db")).unwrap();
                std::fs::write(world.path("bot/d.db"), "").unwrap();
            },
            sync,
            World::rows,
        ),
        operation(
            "sync-from",
            |world| {
                world.synced();
                world.sql("bot", "DELETE FROM note WHERE id < 100");
                world.sql("central", "UPDATE note SET text = text || '!'");
            },
            |world| database::sync_from(&world.config, "bot", &database::Options::default()).map(drop),
            World::rows,
        ),
        operation(
            "undo",
            |world| {
                world.synced();
                world.sql("bot", "UPDATE note SET text = text || '!'");
                assert!(database::sync(&world.config, &database::Options::default()).unwrap().ok);
            },
            |world| {
                // A second time there is nothing to take back.
                let runs = database::history(&world.config, &database::Options::default(), 10)?;
                match database::undo(&world.config, "2", &database::Options::default()) {
                    Err(error) if error.kind() == ErrorKind::Usage && runs.runs.len() > 2 => Ok(()),
                    done => done.map(drop),
                }
            },
            World::rows,
        ),
        operation(
            "backup",
            |world| world.synced(),
            |world| database::backup(&world.config, &database::Options::default()).map(drop),
            |world| {
                let backups = world.backups();
                let sides: BTreeSet<bool> = backups.iter().map(|id| id.contains("bot")).collect();
                // Each side has its own; how many of them there are, is for whoever asks again.
                if sides.len() == 2 { "both".to_owned() } else { "not both".to_owned() }
            },
        ),
        operation(
            "restore",
            |world| {
                world.synced();
                database::backup(&world.config, &database::Options::default()).unwrap();
                world.sql("central", "DELETE FROM note WHERE id < 250");
            },
            |world| {
                let backups = database::backups(&world.config, &database::Options::default())?;
                let is_ours = |id: &str| id.contains("central") && !id.contains("emergency");
                let id = backups.backups.iter().map(|one| &one.id).find(|id| is_ours(id)).unwrap();
                database::restore(&world.config, id, &Target::Own, &database::Options::default()).map(drop)
            },
            World::rows,
        ),
        operation(
            "verify",
            |world| {
                world.synced();
                database::backup(&world.config, &database::Options::default()).unwrap();
            },
            |world| {
                let report = database::verify(&world.config, &database::Options::default())?;
                assert!(report.ok, "{report:?}");
                Ok(())
            },
            |world| {
                world.backups();
                world.rows()
            },
        ),
        operation("log merge", |world| world.log(0, 30_000), merge, World::lines).growing(),
        operation(
            "log merge of more",
            |world| {
                world.merged();
                world.log(30_000, 60_000);
            },
            merge,
            World::lines,
        )
        .growing(),
        operation(
            "log rotate",
            |world| {
                world.merged();
                world.log(30_000, 60_000);
            },
            |world| {
                let force = logs::Options { force: !world.packed(), ..logs::Options::default() };
                let report = logs::rotate(&world.config, &force)?;
                assert!(report.ok, "{report:?}");
                Ok(())
            },
            |world| format!("packed {}\n{}", world.packed(), world.lines()),
        )
        .growing(),
        operation(
            "log verify",
            |world| world.merged(),
            |world| {
                let report = logs::verify(&world.config, &logs::Options::default())?;
                assert!(report.ok, "{report:?}");
                Ok(())
            },
            World::lines,
        ),
        operation(
            "log clean",
            |world| {
                world.merged();
                let force = logs::Options { force: true, ..logs::Options::default() };
                assert!(logs::rotate(&world.config, &force).unwrap().ok);
            },
            |world| {
                logs::clean(&world.config, &logs::Options::default())
                    .map(|report| assert!(report.ok, "{report:?}"))
            },
            World::lines,
        ),
        operation(
            "baseline",
            World::site,
            |world| integrity::baseline(&world.config, None).map(drop),
            // Each that is made has the next number.
            |world| (generation(world) != "0").to_string(),
        ),
        operation(
            "check",
            |world| {
                world.accepted();
                std::fs::write(world.path("site/1/1.php"), "<?php // changed").unwrap();
            },
            |world| {
                let full = CheckOptions { full: true, ..CheckOptions::default() };
                let report = integrity::check(&world.config, &full)?;
                assert_eq!((report.findings.len(), report.complete), (1, true), "{report:?}");
                Ok(())
            },
            generation,
        ),
        operation(
            "accept",
            |world| {
                world.accepted();
                std::fs::write(world.path("site/large"), vec![b'y'; 3 << 20]).unwrap();
            },
            |world| integrity::accept(&world.config, &[world.path("site")], Accept::Sign).map(drop),
            generation,
        ),
        operation(
            "event query",
            World::events,
            |world| {
                let text =
                    events::Filter { text: Some("no such text".to_owned()), ..events::Filter::default() };
                let found = events::query(&world.config, &text)?;
                assert!(found.events.is_empty() && found.problems.is_empty(), "{found:?}");
                Ok(())
            },
            World::found,
        ),
        operation(
            "event verify",
            |world| {
                world.events();
                events::archive(&world.config).unwrap();
            },
            |world| events::verify(&world.config).map(|report| assert!(report.ok, "{report:?}")),
            World::found,
        ),
        operation(
            "event archive",
            World::events,
            |world| events::archive(&world.config).map(drop),
            |world| {
                let _ = events::archive(&world.config);
                world.found()
            },
        ),
        operation(
            "security run",
            |world| {
                world.accepted();
                world.events();
            },
            |world| {
                let report = security::run(&world.config)?;
                assert!(report.problems.is_empty() && !report.has_failed(), "{report:?}");
                Ok(())
            },
            World::found,
        ),
    ]
}

fn sync(world: &World) -> Result<()> {
    let report = database::sync(&world.config, &database::Options::default())?;
    assert!(report.ok, "{report:?}");
    Ok(())
}

fn merge(world: &World) -> Result<()> {
    let report = logs::merge(&world.config, &logs::Options::default())?;
    assert!(report.ok, "{report:?}");
    Ok(())
}

fn generation(world: &World) -> String {
    integrity::status(&world.config).unwrap().baseline.generation.to_string()
}

/// Does it, and stops it at a look; how often it looked, and whether it was stopped.
fn attempt(operation: &Operation, world: &World, stop_at: usize) -> (usize, Result<()>) {
    let looks = Rc::new(Cell::new(0));
    let own = Rc::clone(&looks);
    let hook = move || {
        own.set(own.get() + 1);
        if own.get() == stop_at { Continue::Stop } else { Continue::Yes }
    };
    let done = watched(hook, || (operation.act)(world));
    (looks.get(), done)
}

fn prepared(operation: &Operation) -> World {
    let world = World::new();
    (operation.prepare)(&world);
    world
}

fn stops(operation: &Operation) {
    let name = operation.name;
    let world = prepared(operation);
    let before = (operation.view)(&world);
    let (looks, done) = attempt(operation, &world, usize::MAX);
    done.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(looks > 0, "{name} never looks");
    let after = (operation.view)(&world);
    let mut cancelled = 0;
    for number in 0..STOPS {
        let stop_at = 1 + number * looks.saturating_sub(1) / (STOPS - 1);
        let world = prepared(operation);
        let (_, done) = attempt(operation, &world, stop_at);
        let told = format!("{name}, stopped at look {stop_at} of {looks}");
        match done {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{told}: {error}");
                cancelled += 1;
            }
        }
        assert_eq!(world.nascent(), Vec::<PathBuf>::new(), "{told}");
        let now = (operation.view)(&world);
        assert!(
            (operation.is_between)(&before, &now, &after),
            "{told}: neither as before nor as after:\n{now}"
        );
        (operation.act)(&world).unwrap_or_else(|error| panic!("{told}, the next run: {error}"));
        assert!((operation.view)(&world) == after, "{told}: the next run does not do all of it");
    }
    assert!(cancelled > 0, "{name}: a stop never stopped it");
}

#[test]
fn whatever_is_stopped_is_as_before_and_is_done_by_the_next_run() {
    let mut failed = Vec::new();
    for operation in all() {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stops(&operation)));
        if ended.is_err() {
            failed.push(operation.name);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}
