//! The power fails while a run writes: of what was not brought to disk any part is there, or its size without what was in
//! it, in the archive, in the mirror and in the journal alike.
//!
//! Apart from `deaths`, where only the process dies and everything that it had written is there. The random scripts cut
//! files at other places.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::deaths::die_midway;
use super::world::{Logs, MIRROR};

/// What becomes of the end of a file.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Nothing,
    /// So many percent of what was not on disk are there.
    Cut(usize),
    /// The rest is NUL.
    Nul(usize),
    /// Only of what lies in the midst of it nothing is there.
    Hole(usize, usize),
}

impl Loss {
    fn befall(self, path: &Path, stable: usize) {
        let mut bytes = fs::read(path).unwrap();
        let new = bytes.len().saturating_sub(stable);
        let at = |percent: usize| stable + new * percent / 100;
        match self {
            Loss::Nothing => {}
            _ if new == 0 => {}
            Loss::Cut(percent) => bytes.truncate(at(percent)),
            Loss::Nul(percent) => bytes[at(percent)..].fill(0),
            Loss::Hole(from, to) => bytes[at(from)..at(to)].fill(0),
        }
        fs::write(path, bytes).unwrap();
        let a_while_ago = SystemTime::now() - Duration::from_secs(120);
        File::options().append(true).open(path).unwrap().set_modified(a_while_ago).unwrap();
    }
}

/// The machine has another name for itself once it was started again.
fn start_again(logs: &Logs, journal: Loss) {
    let path = logs.root().join("sync_state/logs/journal");
    let text = fs::read_to_string(&path).unwrap();
    let stable: usize = text.split_inclusive('\n').take(2).map(str::len).sum();
    fs::write(&path, text.replacen("\"boot\":\"", "\"boot\":\"not", 1)).unwrap();
    journal.befall(&path, stable + 3);
}

/// Whether the run had planned something, and had not put it on record yet: before it does, it brings everything to disk, and
/// then nothing of it can be lost.
fn is_under_way(logs: &Logs) -> bool {
    let read = |name: &str| fs::read_to_string(logs.root().join("sync_state/logs").join(name)).unwrap();
    let run = |text: &str| {
        let (_, behind) = text.rsplit_once("\"run\":")?;
        behind.split(|c: char| !c.is_ascii_digit()).next().map(str::to_owned)
    };
    let planned = run(&read("journal"));
    planned.is_some() && planned != run(&read("state"))
}

#[test]
fn what_did_not_come_to_disk_is_written_again() {
    use Loss::{Cut, Hole, Nothing, Nul};
    let mut cases = 0;
    for (archive, mirror, journal) in [
        (Nothing, Nothing, Cut(0)),
        (Nothing, Nothing, Cut(50)),
        (Nothing, Nothing, Nul(30)),
        (Cut(0), Nothing, Nothing),
        (Cut(37), Nothing, Nothing),
        (Cut(99), Nothing, Cut(0)),
        (Nul(0), Nothing, Nothing),
        (Nul(41), Nothing, Nothing),
        (Nul(41), Nothing, Cut(0)),
        (Hole(20, 60), Nothing, Nothing),
        (Hole(20, 60), Nothing, Cut(0)),
        (Nothing, Cut(0), Nothing),
        (Nothing, Cut(63), Cut(0)),
        (Nothing, Nul(0), Nothing),
        (Nothing, Nul(17), Cut(0)),
        (Nothing, Hole(10, 90), Nothing),
        (Cut(10), Cut(80), Nul(0)),
        (Nul(10), Nul(80), Nul(50)),
        (Cut(80), Nul(20), Nothing),
    ] {
        let told =
            format!("of the archive {archive:?}, of the mirror {mirror:?}, of the journal {journal:?}");
        let logs = Logs::new(&["bot", "other"]);
        logs.add("bot", 100);
        logs.add("other", 100);
        logs.merge();
        logs.merge();
        let length = |side: &str| usize::try_from(fs::metadata(logs.path(side)).unwrap().len()).unwrap();
        let stable = (length("central"), length(MIRROR));
        logs.add("bot", 30_000);
        logs.add("other", 50);
        die_midway(&logs);
        if !is_under_way(&logs) {
            continue;
        }
        cases += 1;
        archive.befall(&logs.path("central"), stable.0);
        mirror.befall(&logs.path(MIRROR), stable.1);
        start_again(&logs, journal);
        logs.merge();
        logs.add("bot", 10);
        logs.settle();
        logs.judge(&told);
        logs.judge_sources(&told);
    }
    println!("{cases} runs died in time");
    assert!(cases > 5, "{cases}");
}
