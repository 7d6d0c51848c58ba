//! A root with an event log of past days and of today, for one test.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use cr0sync::Config;
use cr0sync::events::{self, Event, Filter, Severity};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Who runs cron, as a number that nobody else has.
pub(crate) const CRON: u32 = 4001;
/// The website.
pub(crate) const WEBSITE: u32 = 4002;
/// The group that they share.
pub(crate) const SHARED: u32 = 4003;

pub(crate) struct World {
    directory: tempfile::TempDir,
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lines of past days, as they would have been written then.
#[derive(Default)]
pub(crate) struct Past {
    pub(crate) text: String,
    seq: u64,
    own: String,
    prev: String,
    end: usize,
}

impl Past {
    pub(crate) fn event(&mut self, day: &str, n: u64) {
        self.seq += 1;
        let line = json!({
            "timestamp": format!("{day}T10:00:00.000Z"), "type": "TEST", "severity": "LOW", "details": { "n": n },
            "session_id": null, "ip": null, "seq": self.seq, "prev": self.prev,
        });
        let line = line.to_string();
        (self.own, self.prev) = (digest(&line), digest(&line));
        self.put(&line);
        self.end = self.text.len();
    }

    pub(crate) fn page(&mut self, day: &str, n: u64) {
        let line = page(day, n);
        self.prev = digest(&format!("{}{}", self.prev, digest(&line)));
        self.put(&line);
    }

    fn put(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// As the site's pages write.
fn page(day: &str, n: u64) -> String {
    json!({ "timestamp": format!("{day} 11:00:00"), "type": "PAGE", "severity": "INFO", "details": { "n": n } }).to_string()
}

/// So many days ago.
pub(crate) fn day(ago: u64) -> String {
    let today = chrono::Utc::now().date_naive();
    today.checked_sub_days(chrono::Days::new(ago)).unwrap().to_string()
}

impl World {
    /// Of two past days and today: numbers from 0 to 9.
    pub(crate) fn new() -> World {
        let mut past = Past::default();
        past.event(&day(2), 0);
        past.page(&day(2), 1);
        past.event(&day(2), 2);
        past.page(&day(1), 3);
        past.event(&day(1), 4);
        past.page(&day(1), 5);
        let world = World::of(&past);
        world.event(6).unwrap();
        world.page(7);
        world.event(8).unwrap();
        world.page(9);
        world
    }

    pub(crate) fn of(past: &Past) -> World {
        let directory = tempfile::Builder::new().prefix("cr0sync-events-").tempdir().unwrap();
        let world = World { directory };
        // No such users are known here: what is made anew gets the owner of its directory.
        let config = json!({
            "version": 1, "root": world.root(), "databases": {}, "logs": {},
            "ownership": { "user": "cr0sync-test-nobody", "group": "cr0sync-test-nobody" },
        });
        fs::write(world.config_file(), config.to_string()).unwrap();
        for name in ["logs/security", "sync_state/locks", "sync_state/events"] {
            fs::create_dir_all(world.root().join(name)).unwrap();
        }
        if !past.text.is_empty() {
            fs::write(world.log(), &past.text).unwrap();
            let (own, inode) = (&past.own, fs::metadata(world.log()).unwrap().ino());
            let head = format!("cr0sync-events-2 {} {own} {own} {} {inode} - -\n", past.seq, past.end);
            fs::write(world.root().join("sync_state/events/head"), head).unwrap();
        }
        world
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.root().join("cr0sync.json")
    }

    pub(crate) fn config(&self) -> Config {
        Config::load(Some(&self.config_file()), None).unwrap()
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root().join("logs/security/security_events.json")
    }

    pub(crate) fn event(&self, n: u64) -> cr0sync::Result<()> {
        event(&self.config(), n)
    }

    /// The log as a page has it open.
    pub(crate) fn open(&self) -> File {
        OpenOptions::new().append(true).open(self.log()).unwrap()
    }

    pub(crate) fn page(&self, n: u64) {
        write_page(&mut self.open(), n);
    }

    /// The numbers of all events, wherever they lie, in order.
    pub(crate) fn all(&self) -> Vec<u64> {
        let found = events::query(&self.config(), &Filter { limit: 10_000, ..Filter::default() }).unwrap();
        assert_eq!(found.problems, [""; 0]);
        let mut all: Vec<u64> =
            found.events.iter().filter_map(|event| event.get("details")?.get("n")?.as_u64()).collect();
        all.sort_unstable();
        all
    }

    pub(crate) fn verify(&self, told: &str) {
        let found = events::verify(&self.config()).unwrap();
        assert!(found.ok, "{told}: {found:?}");
    }

    /// Gives all to those who share it, where we are root; all to cron's user, and the log to another one.
    pub(crate) fn give(&self, log: u32) {
        let mut waiting = vec![self.root().to_path_buf()];
        while let Some(path) = waiting.pop() {
            let is_directory = path.is_dir();
            let user = if path == self.log() { log } else { CRON };
            chown(&path, Some(user), Some(SHARED)).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(if is_directory { 0o2775 } else { 0o664 }))
                .unwrap();
            if is_directory {
                waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }

    /// Says what the child is to do.
    pub(crate) fn ask(&self, act: &str) -> PathBuf {
        fs::write(self.root().join("act"), act).unwrap();
        self.config_file()
    }

    /// The names of all files.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for directory in ["logs/security", "logs/security/archive", "sync_state/events"] {
            let Ok(entries) = fs::read_dir(self.root().join(directory)) else { continue };
            names.extend(entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()));
        }
        names.sort();
        names
    }
}

pub(crate) fn write_page(file: &mut File, n: u64) {
    file.write_all(format!("{}\n", page(&day(0), n)).as_bytes()).unwrap();
}

pub(crate) fn event(config: &Config, n: u64) -> cr0sync::Result<()> {
    let (kind, severity, details) = ("TEST".to_owned(), Severity::High, json!({ "n": n }));
    events::record(config, &Event { kind, severity, details, ip: None, session: None }).map(drop)
}

/// Does what stands in the file `act`.
pub(crate) fn act(config: &Config) -> cr0sync::Result<Value> {
    let act = fs::read_to_string(config.root.join("act")).unwrap();
    Ok(match act.as_str() {
        "archive" => serde_json::to_value(events::archive(config)?).unwrap(),
        "verify" => serde_json::to_value(events::verify(config)?).unwrap(),
        "query" => {
            serde_json::to_value(events::query(config, &Filter { limit: 100, ..Filter::default() })?).unwrap()
        }
        number => {
            event(config, number.parse().unwrap())?;
            json!({ "ok": true })
        }
    })
}
