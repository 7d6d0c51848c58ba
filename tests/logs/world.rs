//! A playground of logs: a hub, sources and a mirror, each in a directory of its own; writers that number their lines; and
//! who judges it all.
//!
//! Apart from `common`, whose playground is about databases.
#![allow(dead_code, reason = "each kind of test uses its own part of this module")]

use std::cell::{Cell, RefCell};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use cr0sync::Config;
use cr0sync::logs::{self, Options};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::verdict::{Verdict, Written};
use crate::common::{scratch, seen};

/// The log that most tests use.
pub(crate) const NAME: &str = "x";
/// The side to which nobody writes but us.
pub(crate) const MIRROR: &str = "website";

/// Logs on sides. `json` is the configuration; tests change it freely.
pub(crate) struct Logs {
    dir: TempDir,
    sources: Vec<String>,
    pub(crate) json: Value,
    pub(crate) written: RefCell<Written>,
    number: Cell<usize>,
}

impl Logs {
    /// One log on the hub, these sources and a mirror, in memory where that can be.
    pub(crate) fn new(sources: &[&str]) -> Logs {
        Logs::within(scratch(), sources)
    }

    /// The same on a disk, where numbers of files are given again.
    pub(crate) fn on_disk(sources: &[&str]) -> Logs {
        Logs::within(tempfile::tempdir().unwrap(), sources)
    }

    fn within(dir: TempDir, sources: &[&str]) -> Logs {
        let logs = Logs {
            sources: sources.iter().map(|side| (*side).to_owned()).collect(),
            json: json!({ "version": 1, "root": dir.path().join("root"), "hub": "central", "databases": {}, "logs": {} }),
            written: RefCell::default(),
            number: Cell::new(0),
            dir,
        };
        fs::create_dir(logs.root()).unwrap();
        for side in logs.sides() {
            fs::create_dir(logs.directory(&side)).unwrap();
        }
        logs.with_log(NAME)
    }

    /// With one more log on the same sides.
    pub(crate) fn with_log(mut self, name: &str) -> Logs {
        let copies: serde_json::Map<String, Value> =
            self.sides().iter().map(|side| (side.clone(), json!(self.file(side, name)))).collect();
        self.json["logs"][name] = json!({ "copies": copies, "mirrors": [MIRROR] });
        self
    }

    /// With one more log, in directories that none of the others has; each of its sources gets a line.
    pub(crate) fn with_log_apart(mut self) -> Logs {
        let mut copies = serde_json::Map::new();
        for side in self.sides() {
            fs::create_dir_all(self.apart(&side).parent().unwrap()).unwrap();
            copies.insert(side.clone(), json!(self.apart(&side)));
        }
        self.json["logs"]["apart"] = json!({ "copies": copies, "mirrors": [MIRROR] });
        for side in &self.sources {
            append(&self.apart(side)).write_all(format!("of {side}\n").as_bytes()).unwrap();
        }
        self
    }

    /// A copy of that log.
    pub(crate) fn apart(&self, side: &str) -> PathBuf {
        self.dir.path().join("apart").join(side).join("apart.log")
    }

    /// That log has been merged, whatever became of the others.
    pub(crate) fn judge_apart(&self, told: &str) {
        let wanted: String = self.sources.iter().map(|side| format!("of {side}\n")).collect();
        for side in ["central", MIRROR] {
            let found = String::from_utf8(read(&self.apart(side))).unwrap();
            assert_eq!(found, wanted, "{told}: the other log at {side}");
        }
    }

    /// The rotation of the archive.
    pub(crate) fn rotated(mut self, rotate: Value) -> Logs {
        self.json["logs"][NAME]["rotate"] = rotate;
        self
    }

    pub(crate) fn sides(&self) -> Vec<String> {
        let others = ["central", MIRROR].map(str::to_owned);
        others.into_iter().chain(self.sources.iter().cloned()).collect()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    pub(crate) fn directory(&self, side: &str) -> PathBuf {
        self.dir.path().join(side)
    }

    pub(crate) fn file(&self, side: &str, name: &str) -> PathBuf {
        self.directory(side).join(format!("{name}.log"))
    }

    pub(crate) fn path(&self, side: &str) -> PathBuf {
        self.file(side, NAME)
    }

    /// The name of a rotated file.
    pub(crate) fn rotated_path(&self, side: &str, end: &str) -> PathBuf {
        self.directory(side).join(format!("{NAME}.log{end}"))
    }

    pub(crate) fn config(&self) -> Config {
        Config::parse(self.json.to_string().as_bytes(), &self.root(), None).unwrap()
    }

    /// The configuration as a file, for another process.
    pub(crate) fn config_file(&self) -> PathBuf {
        let file = self.root().join("crash.json");
        fs::write(&file, self.json.to_string()).unwrap();
        file
    }

    /// What a user sees of a run.
    pub(crate) fn run(&self) -> Value {
        seen(logs::merge(&self.config(), &Options::default()).unwrap())
    }

    /// A run in which nothing failed.
    pub(crate) fn merge(&self) -> Value {
        let report = self.run();
        assert_eq!(report["ok"], json!(true), "{report:#}");
        report
    }

    /// Runs until all is quiet: a rotated file is given up once it has not changed for some runs.
    pub(crate) fn settle(&self) {
        let mut quiet = 0;
        for _ in 0..12 {
            let report = self.merge();
            let is_quiet =
                report["logs"].as_object().unwrap().values().all(|log| log["state"] == "unchanged");
            quiet = if is_quiet { quiet + 1 } else { 0 };
            if quiet == 4 {
                return;
            }
        }
        panic!("there is no end of work: {:#}", self.merge());
    }

    /// A rotation where it is due, with all that is left to be packed.
    pub(crate) fn rotate(&self) {
        let report = logs::rotate(&self.config(), &Options::default()).unwrap();
        assert_eq!(report.exit_code(), 0, "{report:#?}");
    }

    /// What lies in a side's directory.
    pub(crate) fn names(&self, side: &str) -> Vec<String> {
        let entries = fs::read_dir(self.directory(side)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn lose_state(&self) {
        fs::remove_dir_all(self.root().join("sync_state")).unwrap();
    }

    // Writers.

    /// A line as chat logs have them, which nobody else has written; it is noted down.
    pub(crate) fn line(&self, key: &str) -> String {
        self.number.set(self.number.get() + 1);
        let n = self.number.get();
        let line = format!(
            "[{:02}:{:02}:{:02}] <nick{}> message {n:08} lorem ipsum dolor sit amet\n",
            n / 3600 % 24,
            n / 60 % 60,
            n % 60,
            n % 7
        );
        self.note(key, line.as_bytes());
        line
    }

    pub(crate) fn note(&self, key: &str, line: &[u8]) {
        self.written.borrow_mut().note(key, line);
    }

    /// Lines of one file, through somebody who has it open.
    pub(crate) fn write(&self, mut file: &File, key: &str, count: usize) {
        let text: String = (0..count).map(|_| self.line(key)).collect();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Lines of a side, at the end of its file, which is made where it is missing.
    pub(crate) fn add(&self, side: &str, count: usize) {
        self.write(&self.open(side), side, count);
    }

    /// Lines that are as they are.
    pub(crate) fn add_text(&self, side: &str, text: &[u8]) {
        for line in super::verdict::lines(text) {
            self.note(side, line);
        }
        (&self.open(side)).write_all(text).unwrap();
    }

    pub(crate) fn open(&self, side: &str) -> File {
        append(&self.path(side))
    }

    /// Renames a side's file.
    pub(crate) fn rename(&self, side: &str, end: &str) {
        fs::rename(self.path(side), self.rotated_path(side, end)).unwrap();
    }

    // What is there.

    /// All of a copy, with its rotated files, oldest first.
    pub(crate) fn content(&self, side: &str) -> Vec<u8> {
        let mut files = rotated(&self.path(side));
        files.extend(Some(self.path(side)).filter(|path| path.exists()));
        // What others wrote may lie in a file beside it.
        let mut merged = self.path(side).into_os_string();
        merged.push(".merged");
        files.extend(Some(PathBuf::from(merged)).filter(|path| path.exists()));
        files.iter().flat_map(|path| read(path)).collect()
    }

    pub(crate) fn archive(&self) -> Vec<u8> {
        self.content("central")
    }

    /// Everything that must be so once all is quiet: the archive and the mirror have every line once, each source has the
    /// lines of all others, and what is written down proves the archive.
    pub(crate) fn judge(&self, told: &str) {
        let written = self.written.borrow();
        let archive = self.archive();
        assert_eq!(written.judge(&archive), Verdict::default(), "{told}: the archive");
        assert!(written.count() > 0, "{told}: nobody wrote");
        let mirror = self.content(MIRROR);
        assert!(mirror == archive, "{told}: the mirror: {:?}", written.judge(&mirror));
        let report = logs::verify(&self.config(), &Options::default()).unwrap();
        assert_eq!(report.exit_code(), 0, "{told}: {report:#?}");
        let status = logs::status(&self.config(), &Options::default()).unwrap();
        assert!(status.ok, "{told}: {status:#?}");
        for (name, side) in status.logs.values().flat_map(|log| &log.sides) {
            assert_eq!((side.unread_bytes, side.lag_bytes), (0, 0), "{told}: {name}: {status:#?}");
        }
    }

    /// Sources have all lines, too, where nothing was taken out of them.
    pub(crate) fn judge_sources(&self, told: &str) {
        for side in &self.sources {
            let found = self.written.borrow().judge(&self.content(side));
            assert_eq!(found, Verdict::default(), "{told}: {side}");
        }
    }
}

pub(crate) fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

/// What a file has, unpacked.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
    text
}

/// Packs a file as gzip does it.
pub(crate) fn pack(path: &Path) {
    let at = fs::metadata(path).unwrap().modified().unwrap();
    let packed = PathBuf::from(format!("{}.gz", path.display()));
    let mut encoder =
        flate2::write::GzEncoder::new(File::create(&packed).unwrap(), flate2::Compression::best());
    encoder.write_all(&fs::read(path).unwrap()).unwrap();
    encoder.finish().unwrap().set_modified(at).unwrap();
    fs::remove_file(path).unwrap();
}

/// The rotated files of a log, oldest first: `.N` counts back, a date goes on, with `-2`, `-3` for a second file of a day.
/// Where a file lies there packed and as it was, as somebody died who packed it, the one that is not packed counts.
fn rotated(live: &Path) -> Vec<PathBuf> {
    let name = format!("{}.", live.file_name().unwrap().to_str().unwrap());
    let mut files: Vec<(Vec<i64>, PathBuf)> = fs::read_dir(live.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let end = path.file_name()?.to_str()?.strip_prefix(&name)?.trim_end_matches(".gz").to_owned();
            let parts: Vec<i64> = end.split('-').map(str::parse).collect::<Result<_, _>>().ok()?;
            Some((if parts.len() == 1 { vec![-parts[0]] } else { parts }, path))
        })
        .collect();
    // The packed one of two that have one place comes behind the other.
    files.sort();
    files.dedup_by(|second, first| second.0 == first.0);
    files.into_iter().map(|(_, path)| path).collect()
}
