//! What a run that died has left of a line: it counts only where the rest can follow at once; elsewhere the line is written
//! again as a whole, and nothing of anybody's is glued to it.

use std::cell::Cell;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{Death, Step, Strikes, World, temporary};
use crate::logs::{Options, merge, merge_with, verify};
use crate::report::LogProof;

/// Long ones, so that a half of one is nobody else's.
fn long(range: std::ops::Range<usize>) -> String {
    range.map(|n| format!("2031-07-14 {n:07} {}\n", "x".repeat(130))).collect()
}

/// Bytes of one of them.
const LINE: usize = 150;

/// Without what is the same in all of them.
fn short(text: &str) -> String {
    text.replace(&"x".repeat(130), "..")
}

impl World {
    /// What two sides have.
    fn has(&self, archive: &[&str], website: &[&str], told: &str) {
        assert_eq!(short(&self.archive()), short(&archive.concat()), "{told}: the archive");
        assert_eq!(short(&self.read("website")), short(&website.concat()), "{told}: the mirror");
        let report = verify(&self.config, &Options::default()).unwrap();
        assert_eq!(report.logs["x"].state, LogProof::Ok, "{told}: {report:?}");
    }

    pub(super) fn merge_dies_at(&self, step: Step) {
        let strikes = Strikes { at: step, done: Cell::new(false) };
        let run = AssertUnwindSafe(|| merge_with(&self.config, &Options::default(), &strikes));
        assert!(matches!(catch_unwind(run), Err(cause) if cause.is::<Death>()), "{step:?}");
    }

    pub(super) fn journal(&self) -> std::path::PathBuf {
        self.dir.path().join("sync_state/logs/journal")
    }

    /// The machine was started again.
    pub(super) fn starts_again(&self) {
        let text = fs::read_to_string(self.journal()).unwrap();
        fs::write(self.journal(), text.replace("\"boot\":\"", "\"boot\":\"not")).unwrap();
    }

    /// Nothing of what was done is in the journal.
    fn forgets_deeds(&self) {
        let text = fs::read_to_string(self.journal()).unwrap();
        let plans: String = text.split_inclusive('\n').take(2).collect();
        fs::write(self.journal(), plans).unwrap();
    }

    /// So much of the archive came to disk.
    pub(super) fn keeps(&self, bytes: usize) {
        let file = File::options().write(true).open(self.path("central")).unwrap();
        file.set_len(u64::try_from(bytes).unwrap()).unwrap();
        self.is_quiet();
    }

    /// Nobody has written to the archive for a while.
    fn is_quiet(&self) {
        let a_while_ago = SystemTime::now() - Duration::from_secs(120);
        let file = File::options().append(true).open(self.path("central")).unwrap();
        file.set_modified(a_while_ago).unwrap();
    }
}

/// The machine died when ten more lines of bot's were appended, and was started again.
fn died() -> World {
    let world = World::new(&temporary(), &["bot", "website"], json!({}));
    world.append("bot", &long(0..10));
    world.merge();
    world.append("bot", &long(10..20));
    world.merge_dies_at(Step::Appended);
    world.starts_again();
    world
}

#[test]
fn a_half_that_somebody_has_written_behind_is_no_line() {
    for (deeds, half, again) in
        [(true, 100, false), (false, 100, false), (true, 149, false), (false, 149, true), (true, 100, true)]
    {
        let told = format!("with deeds: {deeds}, {half} bytes of the line, died once more: {again}");
        let world = died();
        world.keeps(15 * LINE + half);
        if !deeds {
            world.forgets_deeds();
        }
        if again {
            // It goes on with the line, and the machine dies before that comes to disk.
            world.merge_dies_at(Step::Appended);
            world.keeps(15 * LINE + half);
        }
        world.append("central", "of somebody\n");
        for _ in 0..3 {
            merge(&world.config, &Options::default()).unwrap();
        }
        let half = &long(15..16)[..half];
        let (before, behind) = (long(0..15), long(15..20));
        world.has(&[&before, half, "of somebody\n", &behind], &[&before, "of somebody\n", &behind], &told);
        assert_eq!(short(&world.read("bot")), short(&[&long(0..20), "of somebody\n"].concat()), "{told}");
    }
}

/// The run that finished it died as well, and nothing of what it wrote down came to disk.
#[test]
fn a_line_that_was_written_again_is_known_by_what_it_is() {
    let world = died();
    world.forgets_deeds();
    world.keeps(15 * LINE + 100);
    world.append("central", "of somebody\n");
    world.merge_dies_at(Step::Appended);
    world.forgets_deeds();
    merge(&world.config, &Options::default()).unwrap();
    let half = &long(15..16)[..100];
    let (before, behind) = (long(0..15), long(15..20));
    world.has(&[&before, half, "of somebody\n", &behind], &[&before, "of somebody\n", &behind], "once more");
}

/// What is there of it stays as it is, and so does what others give.
#[test]
fn nothing_is_glued_to_a_half_of_which_the_rest_is_gone() {
    for died in [false, true] {
        let world = World::new(&temporary(), &["bot", "other", "website"], json!({}));
        world.append("bot", &long(0..10));
        world.append("other", "of the other\n");
        world.merge();
        world.append("bot", &long(10..20));
        world.append("other", "more of it\n");
        world.merge_dies_at(Step::Written);
        let before = long(0..10).len() + "of the other\n".len();
        world.keeps(before + 5 * LINE + 100);
        let text = fs::read_to_string(world.journal()).unwrap();
        let deed = format!(
            "{{\"log\":\"x\",\"deed\":{{\"appended\":{{\"part\":0,\"place\":0,\"start\":{before},\"length\":{}}}}}}}\n",
            5 * LINE + 100
        );
        fs::write(world.journal(), text + &deed).unwrap();
        fs::remove_file(world.path("bot")).unwrap();
        world.append("bot", "begins anew\n");
        if died {
            world.merge_dies_at(Step::Appended);
        }
        for _ in 0..3 {
            merge(&world.config, &Options::default()).unwrap();
        }
        let half = &long(15..16)[..100];
        let (first, second) = (long(0..10), long(10..15));
        let all = [&first, "of the other\n", &second, half, "\nmore of it\nbegins anew\n"];
        world.has(&all, &all, &format!("died once more: {died}"));
        assert_eq!(world.read("bot"), "begins anew\nmore of it\n", "{died}");
    }
}

/// It is left as it was found, in the journal as well.
#[test]
fn what_was_found_before_something_stopped_it_stays_on_record() {
    let world = died();
    world.forgets_deeds();
    world.append("central", "somebody beg");
    let report = merge(&world.config, &Options::default()).unwrap();
    let why = report.logs["x"].reason.clone().unwrap_or_default();
    assert!(why.starts_with("somebody is writing a line at the end of"), "{report:?}");
    let text = fs::read_to_string(world.journal()).unwrap();
    assert!(text.contains("\"appended\""), "{text}");
    world.append("central", "ins a line\n");
    merge(&world.config, &Options::default()).unwrap();
    let all = [&long(0..20), "somebody begins a line\n"];
    world.has(&all, &all, "it goes on");
}
