//! Packed files that are broken: of a source, whose lines come as soon as a whole one is there, wherever it is put and however
//! long that takes; and of an archive, which waits for a whole one and says so.
//!
//! Apart from `hostile`, which is about what is no log at all, and from `segments`, which is about what an archive lacks.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::world::{Logs, pack};

/// A source whose packed file is broken, after a run that said so.
struct Source {
    logs: Logs,
    packed: PathBuf,
    whole: Vec<u8>,
    at: SystemTime,
}

impl Source {
    fn new() -> Source {
        let logs = Logs::new(&["bot"]);
        let at = SystemTime::now() - Duration::from_secs(86_400);
        // One that is whole lies before it.
        for (number, lines) in [(2, 30), (1, 20)] {
            logs.add("bot", lines);
            logs.rename("bot", &format!(".{number}"));
            let path = logs.rotated_path("bot", &format!(".{number}"));
            fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(at - Duration::from_secs(3600 * number))
                .unwrap();
            pack(&path);
        }
        let packed = logs.rotated_path("bot", ".1.gz");
        let whole = fs::read(&packed).unwrap();
        let source = Source { at: fs::metadata(&packed).unwrap().modified().unwrap(), logs, packed, whole };
        source.put(&source.packed, &source.whole[..source.whole.len() / 2]);
        source.logs.add("bot", 5);
        source.says("at first");
        source
    }

    fn put(&self, path: &Path, bytes: &[u8]) {
        fs::write(path, bytes).unwrap();
        fs::File::options().write(true).open(path).unwrap().set_modified(self.at).unwrap();
    }

    fn warnings(&self) -> String {
        let report: Value = self.logs.merge();
        report["logs"]["x"]["warnings"].to_string()
    }

    fn problems(&self) -> Vec<String> {
        let report = cr0sync::logs::status(&self.logs.config(), &cr0sync::logs::Options::default()).unwrap();
        report.logs["x"].problems.iter().map(|problem| problem.message.clone()).collect()
    }

    /// The run and `status` name it, with what to do.
    fn says(&self, told: &str) {
        let (warnings, problems) = (self.warnings(), self.problems().join("\n"));
        for text in [&warnings, &problems] {
            assert!(text.contains(self.packed.to_str().unwrap()), "{told}: {text}");
            assert!(text.contains("touch "), "{told}: {text}");
        }
    }

    /// All lines are there, once, and nothing is said any more.
    fn is_whole(&self, told: &str) {
        self.logs.add("bot", 1);
        self.logs.settle();
        let found = self.logs.written.borrow().judge(&self.logs.archive());
        assert_eq!((found.lost, found.twice, found.torn), (0, 0, 0), "{told}: {found:?}");
        assert_eq!(self.problems(), Vec::<String>::new(), "{told}");
        assert!(!self.warnings().contains("touch "), "{told}");
    }

    /// A rotation as of logrotate: all numbers go up, and the live file is packed.
    fn shift(&self) {
        for number in (1..9).rev() {
            let name = |number: u32| self.logs.rotated_path("bot", &format!(".{number}.gz"));
            if name(number).exists() {
                fs::rename(name(number), name(number + 1)).unwrap();
            }
        }
        self.logs.rename("bot", ".1");
        pack(&self.logs.rotated_path("bot", ".1"));
    }
}

#[test]
fn what_was_moved_away_is_taken_when_it_comes_back() {
    for way in ["of old", "younger", "unpacked", "another name"] {
        for runs in [0, 1, 3] {
            let source = Source::new();
            fs::rename(&source.packed, source.logs.root().join("away")).unwrap();
            for _ in 0..runs {
                source.logs.add("bot", 1);
                source.says(way);
            }
            match way {
                "of old" => source.put(&source.packed, &source.whole),
                "younger" => fs::write(&source.packed, &source.whole).unwrap(),
                "another name" => source.put(&source.logs.rotated_path("bot", ".7.gz"), &source.whole),
                _ => {
                    let mut lines = Vec::new();
                    let mut packed = flate2::read::MultiGzDecoder::new(&source.whole[..]);
                    std::io::Read::read_to_end(&mut packed, &mut lines).unwrap();
                    source.put(&source.packed.with_extension(""), &lines);
                }
            }
            source.is_whole(&format!("{way}, {runs}"));
        }
    }
}

#[test]
fn what_is_refused_for_a_while_is_kept_in_mind() {
    let source = Source::new();
    let other = source.logs.root().join("away");
    fs::hard_link(&source.packed, &other).unwrap();
    source.says("linked");
    fs::remove_file(&other).unwrap();
    source.says("not linked");
    source.put(&source.packed, &source.whole);
    source.is_whole("whole");
}

#[test]
fn a_whole_one_that_is_numbered_over_at_once_is_taken() {
    for shifts in 1..4 {
        let source = Source::new();
        source.put(&source.packed, &source.whole);
        for _ in 0..shifts {
            source.logs.add("bot", 3);
            source.shift();
        }
        source.logs.add("bot", 1);
        source.is_whole(&format!("{shifts}"));
    }
}

#[test]
fn a_broken_one_that_is_numbered_over_is_taken_once_it_is_whole() {
    for is_away in [false, true] {
        let source = Source::new();
        if is_away {
            fs::remove_file(&source.packed).unwrap();
        }
        for _ in 0..3 {
            source.logs.add("bot", 3);
            source.shift();
            source.logs.add("bot", 1);
            let told = source.warnings();
            assert!(told.contains("x.log.") && told.contains("touch "), "{told}");
        }
        source.put(&source.logs.rotated_path("bot", if is_away { ".8.gz" } else { ".4.gz" }), &source.whole);
        source.is_whole(&format!("{is_away}"));
    }
}

/// Whoever has no whole one says so.
#[test]
fn an_empty_file_in_its_place_ends_it() {
    for (is_away, is_shifted) in [(false, false), (true, false), (true, true)] {
        let source = Source::new();
        if is_away {
            fs::remove_file(&source.packed).unwrap();
        }
        if is_shifted {
            source.logs.add("bot", 3);
            source.shift();
            source.logs.add("bot", 1);
        }
        source.says("as long as nobody does anything");
        let told = source.warnings();
        let place = told.split("touch ").nth(1).unwrap().split(')').next().unwrap();
        fs::write(place, "").unwrap();
        source.logs.settle();
        assert_eq!(source.problems(), Vec::<String>::new(), "{place}");
        let found = source.logs.written.borrow().judge(&source.logs.archive());
        assert_eq!((found.lost, found.twice, found.torn), (20, 0, 0), "{place}: {found:?}");
    }
}

/// What an archive had in it waits for a whole one, which is named once.
#[test]
fn a_broken_one_of_an_archive_says_what_to_do() {
    for is_lost in [false, true] {
        let logs = Logs::new(&["bot"]);
        logs.add("bot", 40);
        logs.settle();
        logs.rename("central", ".1");
        let plain = logs.rotated_path("central", ".1");
        pack(&plain);
        let packed = logs.rotated_path("central", ".1.gz");
        if is_lost {
            logs.lose_state();
        }
        let whole = fs::read(&packed).unwrap();
        let at = fs::metadata(&packed).unwrap().modified().unwrap();
        fs::write(&packed, &whole[..whole.len() / 2]).unwrap();
        logs.add("bot", 5);
        let report = logs.run();
        let mut told = vec![report["logs"]["x"]["reason"].as_str().unwrap().to_owned()];
        let options = cr0sync::logs::Options::default();
        if !is_lost {
            let status = cr0sync::logs::status(&logs.config(), &options).unwrap();
            told.extend(status.logs["x"].problems.iter().map(|problem| problem.message.clone()));
            let verified = cr0sync::logs::verify(&logs.config(), &options).unwrap();
            told.extend(verified.logs["x"].reason.clone());
            assert_eq!(told.len(), 3, "{told:?}");
        }
        for text in told {
            assert_eq!(text.matches("x.log.1.gz").count(), 1, "{is_lost}: {text}");
            assert!(text.contains("backup") && text.contains("move it away"), "{is_lost}: {text}");
        }
        fs::write(&packed, &whole).unwrap();
        fs::File::options().write(true).open(&packed).unwrap().set_modified(at).unwrap();
        logs.settle();
        logs.judge(&format!("{is_lost}"));
    }
}

/// What was read of other packed files, and is not in the archive any more, does not come back with it.
#[test]
fn what_was_cleaned_away_stays_away() {
    let source = Source::new();
    source.logs.rename("central", ".1");
    source.says("rotated");
    fs::remove_file(source.logs.rotated_path("central", ".1")).unwrap();
    fs::rename(&source.packed, source.logs.root().join("away")).unwrap();
    source.says("cleaned");
    source.put(&source.logs.rotated_path("bot", ".3.gz"), &source.whole);
    source.logs.settle();
    assert_eq!(source.problems(), Vec::<String>::new());
    let found = source.logs.written.borrow().judge(&source.logs.archive());
    assert_eq!((found.lost, found.twice, found.torn), (35, 0, 0), "{found:?}");
}
