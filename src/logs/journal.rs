//! What the run that is under way is about to do, and how far it has come: for the run after a crash.
//!
//! `sync_state/logs/journal` has a first line with the plans of all logs that are to be changed, on disk before anything
//! is, and then one line for each thing that was done, as it is done. So a run that dies leaves behind exactly what it
//! had planned, and the next one finishes that (`settle`) instead of finding out what to do anew: a redo log. Only the
//! last thing that was done may lack its line; content tells about that.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::durable;
use crate::error::{Error, ErrorKind, Result};

use super::state::{Cursor, LogState};

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
}

impl Journal {
    pub(crate) fn of(directory: &Path) -> Journal {
        Journal { path: directory.join("journal"), file: RefCell::new(None) }
    }

    /// What the last run left undone. A first line that was not written to its end means that nothing was done.
    pub(crate) fn unfinished(&self) -> Result<BTreeMap<String, Unfinished>> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(cause) => return Err(Error::io("read the journal of the logs in", &self.path, cause)),
        };
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let Some(first) = lines.next().filter(|line| line.ends_with(b"\n")) else {
            return Ok(BTreeMap::new());
        };
        let plans: BTreeMap<String, Planned> = serde_json::from_slice(first).map_err(|cause| {
            Error::new(ErrorKind::Corrupt, "this is no journal of logs that this version can read:")
                .at(&self.path)
                .because(cause)
                .hint("a newer cr0sync may have written it; if it is damaged, move the directory away: the logs are then aligned by their content")
        })?;
        let mut found: BTreeMap<String, Unfinished> = plans
            .into_iter()
            .map(|(name, planned)| (name, Unfinished { planned, deeds: Vec::new() }))
            .collect();
        for line in lines {
            // The last line may have been cut off.
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
                    Deed::TakenBack => log.deeds.clear(),
                    deed => log.deeds.push(deed),
                }
            }
        }
        Ok(found)
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
        match &mut *self.file.borrow_mut() {
            Some(file) => file.write_all(&text).and_then(|()| file.sync_data()).map_err(fail),
            None => Err(fail(io::Error::other("nothing was declared"))),
        }
    }

    /// Puts on record what was done. Not brought to disk: after a crash of the machine, content has to tell.
    pub(crate) fn done(&self, log: &str, deed: &Deed) -> io::Result<()> {
        let mut text = Vec::new();
        line(&mut text, log, deed)?;
        match &mut *self.file.borrow_mut() {
            Some(file) => file.write_all(&text),
            None => Err(io::Error::other("nothing was declared")),
        }
    }
}

fn line(text: &mut Vec<u8>, log: &str, deed: &Deed) -> io::Result<()> {
    serde_json::to_writer(&mut *text, &Line { log: log.into(), deed: deed.clone() })?;
    text.push(b'\n');
    Ok(())
}
