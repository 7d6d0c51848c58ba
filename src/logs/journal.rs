//! What the run that is under way is about to do, and how far it has come: for the run after a crash.
//!
//! `sync_state/logs/journal` is empty, or has a line with format and version, a line with the plans of all logs that are to
//! be changed, both on disk before anything is, and then one line for each thing that was done, as it is done. So a run
//! that dies leaves behind exactly what it had planned, and the next one finishes that (`settle`) instead of finding out
//! what to do anew: a redo log. Where the process died, only the last thing that was done may lack its line. Where the
//! machine did, any of them may, and what they tell of may not have come to disk either; content tells about that.

use std::cell::{OnceCell, RefCell, RefMut};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::durable;
use crate::error::{Error, ErrorKind, Result};

use super::state::{Cursor, LogState};

/// The first line; the number is its version. The plans were the first line before it had one.
const FORMAT: &str = "cr0sync journal of logs 1";

/// How a run was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The process was: everything that it had written is there.
    Process,
    /// Perhaps the machine was: any part of what was written, and of what was written down, may be missing.
    Machine,
}

/// Something that is to be taken from one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The side.
    pub(crate) side: String,
    /// Start and end of each piece of the file, in order.
    pub(crate) ranges: Vec<(u64, u64)>,
    /// Whether its last line gets an end from us.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) newline: bool,
    /// The end of the last piece, with proof.
    pub(crate) end: Cursor,
}

/// What is to be done with one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Planned {
    /// What will be on record when it is done, but for the end of the archive, which is the one before, and for what the
    /// copies get.
    pub(crate) state: LogState,
    /// What is to be appended to the archive, in order.
    pub(crate) parts: Vec<Part>,
    /// What the machine called itself since it was started; none where it does not tell.
    #[serde(default)]
    pub(crate) boot: Option<String>,
}

impl Deed {
    /// The copy that it is about.
    pub(crate) fn side(&self) -> Option<&str> {
        match self {
            Deed::About { side, .. } | Deed::Given { side, .. } => Some(side),
            Deed::Appended { .. } | Deed::CutOff { .. } | Deed::TakenBack => None,
        }
    }
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Deed {
    /// A range of a part is in the archive.
    Appended {
        part: usize,
        /// Where in the part it begins.
        place: u64,
        /// Where in the archive it begins, in bytes from the beginning of the archive.
        start: u64,
        length: u64,
    },
    /// The archive was cut off at a place, in bytes from its beginning.
    CutOff { end: u64 },
    /// What was appended was taken back, as not all of it could be.
    TakenBack,
    /// A copy is about to get ranges of the archive (start and end).
    About {
        side: String,
        /// The end of its file, with proof.
        end: Cursor,
        ranges: Vec<(u64, u64)>,
    },
    /// It has got them, or a part of them.
    Given {
        side: String,
        /// Where in its file they begin.
        start: u64,
        length: u64,
        /// Where that ends, with proof.
        end: Cursor,
        /// Up to where in the archive it has everything now.
        sent: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    log: std::borrow::Cow<'a, str>,
    deed: Deed,
}

/// More plans of the same run.
#[derive(Serialize, Deserialize)]
struct More {
    plans: BTreeMap<String, Planned>,
}

/// One log of a run that died: what it had planned, and how far it had come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfinished {
    pub(crate) planned: Planned,
    pub(crate) deeds: Vec<Deed>,
}

/// The file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: RefCell<Option<File>>,
    boot: OnceCell<Option<String>>,
}

impl Journal {
    pub(crate) fn of(directory: &Path) -> Journal {
        Journal { path: directory.join("journal"), file: RefCell::new(None), boot: OnceCell::new() }
    }

    /// What the machine calls itself since it was started.
    pub(crate) fn boot(&self) -> Option<String> {
        self.boot.get_or_init(|| Some(clock::boot().id).filter(|name| !name.is_empty())).clone()
    }

    /// How the run that had planned this was ended.
    pub(crate) fn ending(&self, planned: &Planned) -> Ending {
        match planned.boot.is_some() && planned.boot == self.boot() {
            true => Ending::Process,
            false => Ending::Machine,
        }
    }

    /// What the last run left undone. Plans that were not written to their end mean that nothing was done.
    pub(crate) fn unfinished(&self) -> Result<BTreeMap<String, Unfinished>> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(cause) => return Err(Error::io("read the journal of the logs in", &self.path, cause)),
        };
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        // Where the machine died, the file may have its size and not yet what is in it.
        let mut whole = || lines.next().filter(|line| line.ends_with(b"\n") && !line.contains(&0));
        let Some(mut first) = whole() else { return Ok(BTreeMap::new()) };
        if !first.starts_with(b"{") {
            if first != format!("{FORMAT}\n").as_bytes() {
                return Err(self.unreadable());
            }
            let Some(second) = whole() else { return Ok(BTreeMap::new()) };
            first = second;
        }
        let plans: BTreeMap<String, Planned> =
            serde_json::from_slice(first).map_err(|cause| self.unreadable().because(cause))?;
        let mut found: BTreeMap<String, Unfinished> = plans
            .into_iter()
            .map(|(name, planned)| (name, Unfinished { planned, deeds: Vec::new() }))
            .collect();
        for line in lines {
            // A line may have been cut off, or not have come to disk.
            let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else {
                if let Ok(more) = serde_json::from_slice::<More>(line) {
                    let new = more.plans.into_iter();
                    found
                        .extend(new.map(|(name, planned)| (name, Unfinished { planned, deeds: Vec::new() })));
                }
                continue;
            };
            if let Some(log) = found.get_mut(line.log.as_ref()) {
                match line.deed {
                    // What copies have got they keep.
                    Deed::TakenBack => log.deeds.retain(|deed| deed.side().is_some()),
                    Deed::CutOff { end } => log.deeds.retain_mut(|deed| is_left(deed, end)),
                    deed => log.deeds.push(deed),
                }
            }
        }
        Ok(found)
    }

    fn unreadable(&self) -> Error {
        Error::new(ErrorKind::Corrupt, "this is no journal of logs that this version can read:")
            .at(&self.path)
            .hint("a newer cr0sync may have written it; if it is damaged, move the directory away: the logs are then aligned by their content")
    }

    /// Puts on disk what is to be done now, and what of an older run is to be finished still.
    pub(crate) fn declare(
        &self,
        plans: &BTreeMap<String, Planned>,
        left: &BTreeMap<String, Unfinished>,
    ) -> Result<()> {
        let fail = |cause: io::Error| Error::io("write down what is to be done in", &self.path, cause);
        let mut all: BTreeMap<&str, &Planned> =
            plans.iter().map(|(name, plan)| (name.as_str(), plan)).collect();
        all.extend(left.iter().map(|(name, log)| (name.as_str(), &log.planned)));
        let mut text = Vec::new();
        if !all.is_empty() {
            text.extend_from_slice(FORMAT.as_bytes());
            text.push(b'\n');
            serde_json::to_writer(&mut text, &all).map_err(|cause| fail(cause.into()))?;
            text.push(b'\n');
        }
        for (name, log) in left {
            for deed in &log.deeds {
                line(&mut text, name, deed).map_err(fail)?;
            }
        }
        *self.file.borrow_mut() = None;
        durable::private_file(&self.path)?;
        if left.is_empty() {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o660)
                .open(&self.path)
                .map_err(fail)?;
            // That there is nothing to do may come to disk later: all of what was planned is found done.
            if !text.is_empty() {
                file.write_all(&text).and_then(|()| file.sync_all()).map_err(fail)?;
            }
        } else {
            durable::replace(&self.path, &text)?;
        }
        let file = OpenOptions::new().append(true).open(&self.path).map_err(fail)?;
        *self.file.borrow_mut() = Some(file);
        Ok(())
    }

    /// Puts on disk what else is to be done in this run; [`Self::declare`] comes first.
    pub(crate) fn declare_more(&self, plans: &BTreeMap<String, Planned>) -> Result<()> {
        let fail = |cause: io::Error| Error::io("write down what is to be done in", &self.path, cause);
        let mut text =
            serde_json::to_vec(&More { plans: plans.clone() }).map_err(|cause| fail(cause.into()))?;
        text.push(b'\n');
        self.append(&text).and_then(|file| file.sync_data()).map_err(fail)
    }

    /// Puts on record what was done. Not brought to disk: after a crash of the machine, content has to tell. What could be
    /// written of a line is taken back where not all of it could, so that the next one is a line of its own.
    pub(crate) fn done(&self, log: &str, deed: &Deed) -> io::Result<()> {
        let mut text = Vec::new();
        line(&mut text, log, deed)?;
        self.append(&text).map(drop)
    }

    /// All of it or nothing.
    fn append(&self, text: &[u8]) -> io::Result<RefMut<'_, File>> {
        let file = RefMut::filter_map(self.file.borrow_mut(), Option::as_mut);
        let mut file = file.map_err(|_| io::Error::other("nothing was declared"))?;
        let before = file.metadata()?.len();
        file.write_all(text).inspect_err(|_| drop(file.set_len(before)))?;
        Ok(file)
    }
}

/// Whether anything of a deed is left where the archive was cut off at a place.
fn is_left(deed: &mut Deed, end: u64) -> bool {
    let Deed::Appended { start, length, .. } = deed else { return true };
    *length = (*length).min(end.saturating_sub(*start));
    *length > 0
}

fn line(text: &mut Vec<u8>, log: &str, deed: &Deed) -> io::Result<()> {
    serde_json::to_writer(&mut *text, &Line { log: log.into(), deed: deed.clone() })?;
    text.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    fn planned() -> std::result::Result<Planned, serde_json::Error> {
        serde_json::from_str(
            r#"{"state":{"archive":{"id":{"dev":1,"ino":2,"born":3},"offset":0,"proof":{"head":"","tail":""},"written":4},
                "base":0,"ledger":0,"chain":"","copies":{}},"parts":[]}"#,
        )
    }

    #[test]
    fn what_was_written_down_is_read() -> Outcome {
        let plans = serde_json::to_string(&BTreeMap::from([("x", planned()?)]))?;
        let deed = Deed::Appended { part: 0, place: 0, start: 5, length: 6 };
        let mut done = Vec::new();
        line(&mut done, "x", &deed)?;
        let done = String::from_utf8(done)?;
        let begin = format!("{FORMAT}\n{plans}\n");
        // Of a line in the place of which the disk has nothing.
        let nothing = "\0".repeat(done.len());
        for (text, expected) in [
            (String::new(), Some(None)),
            (begin.clone(), Some(Some(0))),
            (format!("{begin}{done}"), Some(Some(1))),
            (format!("{begin}{done}{}", &done[..9]), Some(Some(1))),
            (format!("{begin}{nothing}"), Some(Some(0))),
            (format!("{begin}{done}{nothing}\n{done}"), Some(Some(2))),
            // As it was before it had a format.
            (format!("{plans}\n{done}"), Some(Some(1))),
            // Nothing is done before the plans are on disk.
            (FORMAT.to_owned(), Some(None)),
            (format!("{FORMAT}\n{}", &plans[..20]), Some(None)),
            ("\0".repeat(40) + "\n" + &plans + "\n", Some(None)),
            (format!("{FORMAT}\n{}\n", "\0".repeat(plans.len())), Some(None)),
            // Of a newer version, or of somebody else.
            (format!("cr0sync journal of logs 2\n{plans}\n"), None),
            (format!("{FORMAT}\nplans\n"), None),
        ] {
            let directory = tempfile::tempdir()?;
            std::fs::write(directory.path().join("journal"), &text)?;
            let found = Journal::of(directory.path()).unfinished().ok();
            let found = found.map(|found| found.get("x").map(|log| log.deeds.len()));
            assert_eq!(found, expected, "{text:?}");
        }
        Ok(())
    }

    #[test]
    fn what_copies_have_got_they_keep() -> Outcome {
        let directory = tempfile::tempdir()?;
        let journal = Journal::of(directory.path());
        let planned = planned()?;
        let end = planned.state.archive.clone();
        journal.declare(&BTreeMap::from([("x".to_owned(), planned)]), &BTreeMap::new())?;
        let about = Deed::About { side: "bot".to_owned(), end: end.clone(), ranges: vec![(0, 5)] };
        let given = Deed::Given { side: "bot".to_owned(), start: 0, length: 5, end, sent: 5 };
        let appended = |place| Deed::Appended { part: 0, place, start: 5 + place, length: 6 };
        for (deed, left) in [
            (appended(0), vec![appended(0)]),
            (about.clone(), vec![appended(0), about.clone()]),
            (given.clone(), vec![appended(0), about.clone(), given.clone()]),
            (appended(6), vec![appended(0), about.clone(), given.clone(), appended(6)]),
            (Deed::CutOff { end: 11 }, vec![appended(0), about.clone(), given.clone()]),
            (Deed::TakenBack, vec![about, given]),
        ] {
            journal.done("x", &deed)?;
            let found = journal.unfinished()?.remove("x").map(|log| log.deeds);
            assert_eq!(found, Some(left), "{deed:?}");
        }
        Ok(())
    }

    #[test]
    fn what_is_declared_has_a_format() -> Outcome {
        let directory = tempfile::tempdir()?;
        let journal = Journal::of(directory.path());
        journal.declare(&BTreeMap::from([("x".to_owned(), planned()?)]), &BTreeMap::new())?;
        let text = std::fs::read_to_string(directory.path().join("journal"))?;
        assert_eq!(text.lines().next(), Some(FORMAT));
        assert_eq!(journal.unfinished()?.len(), 1);
        Ok(())
    }

    #[test]
    fn a_machine_that_was_started_again_is_another_one() -> Outcome {
        let journal = Journal::of(Path::new("/nowhere"));
        let of = |boot: Option<&str>| {
            Ok::<_, serde_json::Error>(Planned { boot: boot.map(str::to_owned), ..planned()? })
        };
        assert_eq!(journal.ending(&of(None)?), Ending::Machine);
        assert_eq!(journal.ending(&of(Some("another"))?), Ending::Machine);
        if let Some(boot) = journal.boot() {
            assert_eq!(journal.ending(&of(Some(&boot))?), Ending::Process);
        }
        Ok(())
    }
}
