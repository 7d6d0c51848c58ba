//! One script as it is carried out, and the model that it is judged by.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;
use tempfile::TempDir;

use crate::config::Config;
use crate::logs::steps::Step;
use crate::logs::{Options, merge_with, status, verify};
use crate::report::{LogProof, LogState as Ended};

use super::rng::Rng;

mod death;
use death::died;

const SOURCES: [&str; 2] = ["bot", "other"];
const HEADER: &str = "=== started ===\n";

/// A writer and its files.
struct Writer {
    side: &'static str,
    path: PathBuf,
    /// Kept open over a rotation.
    file: Option<File>,
    /// Open still, of the file that was rotated away.
    late: Option<File>,
    /// A line that has no end yet.
    partial: Option<String>,
    late_partial: Option<String>,
    /// Its file was truncated, and nothing was written since.
    truncated: bool,
    /// What was in its files is not there any more.
    lossy: bool,
    generation: usize,
}

struct World {
    dir: TempDir,
    config: Config,
    rng: RefCell<Rng>,
    writers: RefCell<Vec<Writer>>,
    /// Complete lines by side and file, in order.
    written: RefCell<BTreeMap<(String, usize), Vec<String>>>,
    script: RefCell<Vec<String>>,
    number: Cell<u64>,
    clock: Cell<SystemTime>,
    /// When files were last written to.
    stamps: RefCell<BTreeMap<PathBuf, SystemTime>>,
    dies_in: Cell<Option<usize>>,
    last: Cell<Option<Step>>,
    /// How long files were when they were last brought to disk.
    stable: RefCell<BTreeMap<PathBuf, u64>>,
    /// Whether files may have NULs in the place of what did not come to disk.
    has_places: Cell<bool>,
    /// Whether a ledger was lost once.
    has_lost_ledger: Cell<bool>,
    /// Whether the machine dies with this run.
    with_machine: Cell<bool>,
    /// Bytes of the archive before the last write of the run.
    known: Cell<u64>,
    chatter: Cell<usize>,
    repeats: bool,
    headers: bool,
}

pub(crate) fn play(seed: u64) -> Result<String, String> {
    let world = World::new(seed);
    let verdict = catch_unwind(AssertUnwindSafe(|| world.history()));
    let story = world.script.borrow().join("\n  ");
    let wrong = match verdict {
        Ok(Ok(())) => return Ok(story),
        Ok(Err(wrong)) => wrong,
        Err(cause) => format!("a panic: {:?}", cause.downcast_ref::<String>()),
    };
    Err(format!("CR0SYNC_SEED={seed}: {wrong}\n  {story}\n{wrong}"))
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng::new(seed);
        let within = tempfile::Builder::new().prefix("cr0sync-test-").tempdir_in("/dev/shm");
        let dir = within.or_else(|_| tempfile::tempdir()).unwrap();
        let copies: serde_json::Map<String, serde_json::Value> = ["central", "bot", "other", "website"]
            .iter()
            .map(|side| {
                fs::create_dir(dir.path().join(side)).unwrap();
                ((*side).to_owned(), json!(dir.path().join(side).join("x.log")))
            })
            .collect();
        let json = json!({
            "version": 1, "hub": "central", "databases": {},
            "logs": { "x": { "copies": copies, "mirrors": ["website"] } },
        });
        let config = Config::parse(json.to_string().as_bytes(), dir.path(), None).unwrap();
        let writers = SOURCES
            .iter()
            .map(|side| Writer {
                side,
                path: dir.path().join(side).join("x.log"),
                file: None,
                late: None,
                partial: None,
                late_partial: None,
                truncated: false,
                lossy: false,
                generation: 0,
            })
            .collect();
        let (chatter, repeats, headers) = (*rng.pick(&[0, 10, 40]), rng.chance(40), rng.chance(30));
        World {
            dir,
            config,
            rng: RefCell::new(rng),
            writers: RefCell::new(writers),
            written: RefCell::default(),
            script: RefCell::default(),
            number: Cell::new(0),
            clock: Cell::new(SystemTime::now()),
            stamps: RefCell::default(),
            dies_in: Cell::new(None),
            last: Cell::new(None),
            stable: RefCell::default(),
            has_lost_ledger: Cell::new(false),
            with_machine: Cell::new(false),
            has_places: Cell::new(false),
            known: Cell::new(0),
            chatter: Cell::new(chatter),
            repeats,
            headers,
        }
    }

    fn roll<T>(&self, ask: impl FnOnce(&mut Rng) -> T) -> T {
        ask(&mut self.rng.borrow_mut())
    }

    fn say(&self, line: String) {
        self.script.borrow_mut().push(line);
    }

    fn path(&self, side: &str) -> PathBuf {
        self.dir.path().join(side).join("x.log")
    }

    /// Time goes on, and a file was written now: the kernel's own clock stands still for milliseconds.
    fn touch(&self, path: &Path) {
        let at = self.now();
        File::options().append(true).open(path).unwrap().set_modified(at).unwrap();
        self.stamps.borrow_mut().insert(path.to_path_buf(), at);
    }

    /// The same for what the run has written.
    fn touch_written(&self) {
        for side in ["central", "bot", "other", "website"] {
            let path = self.path(side);
            let Ok(file) = fs::metadata(&path) else { continue };
            if self.stamps.borrow().get(&path) != file.modified().ok().as_ref() {
                self.touch(&path);
            }
        }
    }

    fn now(&self) -> SystemTime {
        self.clock.set(SystemTime::now().max(self.clock.get() + Duration::from_micros(1)));
        self.clock.get()
    }

    fn history(&self) -> Result<(), String> {
        let chatter = self.chatter.replace(0);
        self.run()?;
        self.chatter.set(chatter);
        for _ in 0..self.roll(|rng| 3 + rng.below(12)) {
            self.act()?;
        }
        self.chatter.set(0);
        self.say("all is quiet".into());
        self.finish_lines();
        // A file that was rotated away is given up after it has been quiet for some runs.
        for _ in 0..6 {
            self.run()?;
        }
        self.judge()
    }

    fn act(&self) -> Result<(), String> {
        let writer = self.roll(|rng| rng.below(SOURCES.len()));
        match self.roll(|rng| rng.below(100)) {
            0..30 => self.append(writer),
            30..38 => self.part(writer),
            38..50 => self.rotate(writer),
            50..56 => self.pack(writer),
            56..62 => self.late(writer),
            62..66 => self.copy_and_truncate(writer),
            66..69 => {
                self.settle()?;
                self.truncate(writer);
            }
            69..72 => {
                self.settle()?;
                self.make_anew(writer);
            }
            72..75 => self.edit_archive(),
            // Without it nobody knows what is no line, but the place of one.
            75..77 if !self.repeats && !self.headers && !self.has_places.get() => {
                self.settle()?;
                self.say("the state is lost".into());
                self.writers.borrow_mut().iter_mut().for_each(|writer| writer.lossy = true);
                fs::remove_dir_all(self.dir.path().join("sync_state")).unwrap();
            }
            77..79 if !self.repeats && !self.headers => {
                let removed = fs::remove_file(self.dir.path().join("sync_state/logs/x.ledger"));
                self.say(format!("the ledger is lost: {}", removed.is_ok()));
                self.has_lost_ledger.set(true);
                // It is begun anew once a run looks at the log.
                self.append(writer);
            }
            _ => {
                if self.roll(|rng| rng.chance(50)) {
                    self.dies_in.set(Some(self.roll(|rng| rng.below(12))));
                }
                // Where the machine dies, nobody can write meanwhile, and the next run comes before anybody does. Where it
                // does after the ledger was lost, a source may have lines of others twice; the archive has not.
                let is_told = self.dies_in.get().is_some() && !self.has_lost_ledger.get();
                let with_machine = is_told && self.roll(|rng| rng.chance(40));
                let chatter = if with_machine { self.chatter.replace(0) } else { self.chatter.get() };
                self.with_machine.set(with_machine);
                self.run()?;
                self.with_machine.set(false);
                if with_machine && self.dies_in.replace(None).is_none() {
                    self.lose_power();
                    self.run()?;
                }
                self.chatter.set(chatter);
                self.dies_in.set(None);
            }
        }
        Ok(())
    }

    /// What a file begins with after it was truncated is not what it began with before: else nobody could tell.
    fn next(&self, writer: &mut Writer) -> String {
        if std::mem::take(&mut writer.truncated) { self.unique(writer.side) } else { self.line(writer.side) }
    }

    fn line(&self, side: &str) -> String {
        if self.repeats && self.roll(|rng| rng.chance(40)) {
            return "lol\n".into();
        }
        self.unique(side)
    }

    fn unique(&self, side: &str) -> String {
        self.number.set(self.number.get() + 1);
        let length = self.roll(|rng| *rng.pick(&[0, 3, 20, 300, 3000]));
        format!("{side} {:06} {}\n", self.number.get(), "x".repeat(length))
    }

    fn note(&self, side: &str, generation: usize, line: String) {
        self.written.borrow_mut().entry((side.to_owned(), generation)).or_default().push(line);
    }

    fn append(&self, index: usize) {
        let count = self.roll(|rng| 1 + rng.below(4));
        let mut writers = self.writers.borrow_mut();
        let writer = &mut writers[index];
        let mut text = writer
            .partial
            .take()
            .map_or(String::new(), |line| self.rest(writer.side, writer.generation, &line));
        if !writer.path.exists() && writer.file.is_none() && self.headers {
            text.push_str(HEADER);
            self.note(writer.side, writer.generation, HEADER.into());
        }
        for _ in 0..count {
            let line = self.next(writer);
            text.push_str(&line);
            self.note(writer.side, writer.generation, line);
        }
        self.say(format!("{} writes {} bytes", writer.side, text.len()));
        if writer.file.is_none() {
            writer.file = Some(OpenOptions::new().append(true).create(true).open(&writer.path).unwrap());
        }
        writer.file.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
        if self.roll(|rng| rng.chance(50)) {
            writer.file = None;
        }
        self.touch(&writer.path);
    }

    /// The rest of a line whose beginning was written.
    fn rest(&self, side: &str, generation: usize, line: &str) -> String {
        self.note(side, generation, line.to_owned());
        line[line.len() / 2..].to_owned()
    }

    fn part(&self, index: usize) {
        let mut writers = self.writers.borrow_mut();
        let writer = &mut writers[index];
        if writer.partial.is_some() || (self.headers && !writer.path.exists()) {
            return;
        }
        let line = self.next(writer);
        let mut file = OpenOptions::new().append(true).create(true).open(&writer.path).unwrap();
        file.write_all(&line.as_bytes()[..line.len() / 2]).unwrap();
        self.say(format!("{} begins {line:.12?}", writer.side));
        writer.partial = Some(line);
        self.touch(&writer.path);
    }

    /// Renames; the writer may go on in the old file.
    fn rotate(&self, index: usize) {
        let mut writers = self.writers.borrow_mut();
        let writer = &mut writers[index];
        if !writer.path.exists() || writer.late_partial.is_some() {
            return;
        }
        let name = |n: usize, end: &str| writer.path.with_file_name(format!("x.log.{n}{end}"));
        for n in (1..9).rev() {
            for end in ["", ".gz"] {
                if name(n, end).exists() {
                    fs::rename(name(n, end), name(n + 1, end)).unwrap();
                }
            }
        }
        fs::rename(&writer.path, name(1, "")).unwrap();
        let keeps = writer.partial.is_some() || self.roll(|rng| rng.chance(40));
        self.say(format!("{} is rotated{}", writer.side, if keeps { ", and stays open" } else { "" }));
        writer.late = keeps.then(|| OpenOptions::new().append(true).open(name(1, "")).unwrap());
        writer.late_partial = writer.partial.take();
        writer.file = None;
        writer.generation += 1;
    }

    fn pack(&self, index: usize) {
        let mut writers = self.writers.borrow_mut();
        let writer = &mut writers[index];
        for n in 1..9 {
            let plain = writer.path.with_file_name(format!("x.log.{n}"));
            let is_open = n == 1 && writer.late.is_some();
            if plain.exists() && !is_open && self.roll(|rng| rng.chance(60)) {
                let at = fs::metadata(&plain).unwrap().modified().unwrap();
                let packed = plain.with_file_name(format!("x.log.{n}.gz"));
                let mut encoder = flate2::write::GzEncoder::new(
                    File::create(&packed).unwrap(),
                    flate2::Compression::fast(),
                );
                encoder.write_all(&fs::read(&plain).unwrap()).unwrap();
                encoder.finish().unwrap().set_modified(at).unwrap();
                fs::remove_file(&plain).unwrap();
                self.say(format!("{} .{n} is packed", writer.side));
            }
        }
    }

    fn late(&self, index: usize) {
        let mut writers = self.writers.borrow_mut();
        let writer = &mut writers[index];
        let (side, generation) = (writer.side, writer.generation - writer.generation.min(1));
        let Some(file) = &mut writer.late else { return };
        let mut text = match writer.late_partial.take() {
            Some(line) => self.rest(side, generation, &line),
            None => String::new(),
        };
        let line = self.line(side);
        text.push_str(&line);
        self.note(side, generation, line);
        file.write_all(text.as_bytes()).unwrap();
        file.set_modified(self.now()).unwrap();
        self.say(format!("{side} writes late"));
        if self.roll(|rng| rng.chance(50)) {
            writer.late = None;
        }
    }

    fn copy_and_truncate(&self, index: usize) {
        let mut writers = self.writers.borrow_mut();
        let writer = &mut writers[index];
        if !writer.path.exists() || writer.partial.is_some() || writer.late.is_some() {
            return;
        }
        let name = |n: usize, end: &str| writer.path.with_file_name(format!("x.log.{n}{end}"));
        for n in (1..9).rev() {
            for end in ["", ".gz"] {
                if name(n, end).exists() {
                    fs::rename(name(n, end), name(n + 1, end)).unwrap();
                }
            }
        }
        fs::copy(&writer.path, name(1, "")).unwrap();
        self.touch(&name(1, ""));
        File::options().write(true).open(&writer.path).unwrap().set_len(0).unwrap();
        self.touch(&writer.path);
        writer.truncated = true;
        self.say(format!("{} is copied and truncated", writer.side));
        writer.generation += 1;
        if self.headers {
            // What writes on does not begin anew.
            self.say("without a header".into());
        }
    }

    fn truncate(&self, index: usize) {
        let mut writers = self.writers.borrow_mut();
        let writer = &mut writers[index];
        if !writer.path.exists() || writer.partial.is_some() {
            return;
        }
        File::options().write(true).open(&writer.path).unwrap().set_len(0).unwrap();
        self.touch(&writer.path);
        writer.generation += 1;
        (writer.truncated, writer.lossy) = (true, true);
        self.say(format!("{} is truncated", writer.side));
    }

    fn make_anew(&self, index: usize) {
        let mut writers = self.writers.borrow_mut();
        let writer = &mut writers[index];
        if !writer.path.exists() || writer.partial.is_some() {
            return;
        }
        fs::remove_file(&writer.path).unwrap();
        writer.file = None;
        (writer.truncated, writer.lossy) = (true, true);
        writer.generation += 1;
        self.say(format!("{} is removed", writer.side));
    }

    fn edit_archive(&self) {
        let path = self.path("central");
        // Where a run has died in the middle of a line, a person waits as well.
        if !fs::read(&path).is_ok_and(|bytes| bytes.is_empty() || bytes.ends_with(b"\n")) {
            return;
        }
        // Nobody types what a bot writes.
        let line = self.unique("central");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(line.as_bytes()).unwrap();
        self.touch(&path);
        self.note("central", 0, line);
        self.say("somebody writes to the archive".into());
    }

    /// Ends all lines that were begun.
    fn finish_lines(&self) {
        for index in 0..SOURCES.len() {
            if self.writers.borrow()[index].partial.is_some() {
                self.append(index);
            }
            if self.writers.borrow()[index].late_partial.is_some() {
                self.late(index);
            }
        }
    }

    /// So many runs that everything that was written is merged.
    fn settle(&self) -> Result<(), String> {
        let chatter = self.chatter.replace(0);
        self.finish_lines();
        self.run()?;
        self.run()?;
        self.chatter.set(chatter);
        Ok(())
    }

    fn run(&self) -> Result<(), String> {
        self.last.set(None);
        self.stable.take();
        self.known.set(fs::metadata(self.path("central")).map_or(0, |file| file.len()));
        self.say("a run".into());
        let ended = catch_unwind(AssertUnwindSafe(|| merge_with(&self.config, &Options::default(), self)));
        if std::env::var_os("CR0SYNC_PEEK").is_some() {
            for name in ["state", "journal", "x.ledger"] {
                let text = fs::read_to_string(self.dir.path().join("sync_state/logs").join(name))
                    .unwrap_or_default();
                for l in text.lines() {
                    self.say(format!("    {name}: {l}"));
                }
            }
            for side in ["central", "bot", "other", "website"] {
                for e in fs::read_dir(self.dir.path().join(side)).unwrap().flatten() {
                    let m = e.metadata().unwrap();
                    let lines: Vec<String> = fs::read(e.path())
                        .unwrap()
                        .split_inclusive(|b| *b == b'\n')
                        .map(|l| String::from_utf8_lossy(&l[..l.len().min(12)]).into_owned())
                        .collect();
                    self.say(format!(
                        "    {side} {:?} ino {} len {} {:?} {lines:?}",
                        e.file_name(),
                        std::os::unix::fs::MetadataExt::ino(&m),
                        m.len(),
                        m.modified().unwrap()
                    ));
                }
            }
        }
        let report = match ended {
            Err(cause) => {
                died(&*cause)?;
                if !self.with_machine.get() {
                    self.cut_off();
                }
                return Ok(());
            }
            Ok(Err(error)) => return Err(format!("a run failed: {error}")),
            Ok(Ok(report)) => report,
        };
        let log = &report.logs["x"];
        self.say(format!("it ends: {:?} {:?} {:?}", log.state, log.reason, log.warnings));
        if matches!(log.state, Ended::Failed | Ended::Skipped) {
            return Err(format!("a run ends as {:?}: {:?}", log.state, log.reason));
        }
        Ok(())
    }

    fn judge(&self) -> Result<(), String> {
        let text = |side: &str| -> Vec<String> {
            let bytes = fs::read(self.path(side)).unwrap_or_default();
            String::from_utf8(bytes).unwrap().split_inclusive('\n').map(str::to_owned).collect()
        };
        let archive = text("central");
        let written = self.written.borrow();
        let all: Vec<&String> = written.values().flatten().collect();
        compare("central", &archive.iter().collect::<Vec<_>>(), &all)?;
        for ((side, generation), lines) in written.iter() {
            let unique: Vec<&String> =
                lines.iter().filter(|line| line.as_str() != "lol\n" && line.as_str() != HEADER).collect();
            let found: Vec<&String> = archive.iter().filter(|line| unique.contains(line)).collect();
            if found != unique {
                return Err(format!("the order of file {generation} of {side} is not kept: {found:.20?}"));
            }
        }
        let mirror = text("website");
        if mirror != archive {
            let at = mirror.iter().zip(&archive).take_while(|(one, other)| one == other).count();
            return Err(format!(
                "the mirror ({} lines) is not what the archive is ({} lines) from line {at} on: {:.40?}, {:.40?}",
                mirror.len(),
                archive.len(),
                mirror.get(at),
                archive.get(at)
            ));
        }
        // Somebody has seen that a ledger was lost.
        for entry in fs::read_dir(self.dir.path().join("sync_state/logs")).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("x.ledger.ledger-gone.") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        let proof = &verify(&self.config, &Options::default()).map_err(|error| error.to_string())?.logs["x"];
        if proof.state != LogProof::Ok {
            return Err(format!("the archive is not what was merged: {proof:?}"));
        }
        let status = &status(&self.config, &Options::default()).map_err(|error| error.to_string())?.logs["x"];
        if status.unfinished || status.sides.values().any(|side| side.unread_bytes > 0) {
            return Err(format!("all is merged, and status says {status:?}"));
        }
        for writer in self.writers.borrow().iter().filter(|writer| !writer.lossy && writer.path.exists()) {
            let found = self.everything_at(writer.side);
            compare(writer.side, &found.iter().collect::<Vec<_>>(), &all)?;
        }
        Ok(())
    }

    /// The lines of all files of a side, packed or not.
    fn everything_at(&self, side: &str) -> Vec<String> {
        let mut text = String::new();
        for entry in fs::read_dir(self.dir.path().join(side)).unwrap().flatten() {
            let file = File::open(entry.path()).unwrap();
            match entry.path().extension().is_some_and(|extension| extension == "gz") {
                true => flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap(),
                false => { file }.read_to_string(&mut text).unwrap(),
            };
        }
        // What did not come to disk before the machine died may have left its place.
        text.retain(|character| character != '\0');
        text.split_inclusive('\n').map(str::to_owned).collect()
    }
}

fn compare(what: &str, found: &[&String], wanted: &[&String]) -> Result<(), String> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for line in found {
        *counts.entry(line).or_default() += 1;
    }
    for line in wanted {
        *counts.entry(line).or_default() -= 1;
    }
    counts.retain(|_, count| *count != 0);
    if counts.is_empty() {
        Ok(())
    } else {
        Err(format!("{what}: too many (lost, if negative): {counts:.40?}"))
    }
}
