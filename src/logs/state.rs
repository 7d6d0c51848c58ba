//! What we remember of logs: `sync_state/logs/state`, a hint that the files themselves can always correct.
//!
//! One line a log, `NAME MARK JSON`, after a first line with format and version: a run over thousands of logs of which
//! none has changed compares marks and never parses the rest. `NAME.ledger` says where each range of an archive came from.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::durable;
use crate::error::{Error, ErrorKind, Result};

use super::file::{FileId, Proof, hex};
use super::journal::Deed;

/// The first line of the state; the number is its version.
const FORMAT: &str = "cr0sync logs 1";
/// A state larger than this is none (bytes): some 400 bytes for each of more logs than anybody has.
const MAX_STATE: u64 = 1 << 30;

/// A place in a file, with proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    pub(crate) id: FileId,
    /// Bytes before it are done with.
    pub(crate) offset: u64,
    pub(crate) proof: Proof,
    /// When the file was last written to, in nanoseconds.
    pub(crate) written: i64,
}

/// A range of a file that we wrote there ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Foreign {
    pub(crate) id: FileId,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// A file that was rotated away, and may still be written to, or is there still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watched {
    pub(crate) cursor: Cursor,
    /// Its size at the last look (bytes).
    pub(crate) size: u64,
    /// In how many runs in a row it has not changed.
    pub(crate) quiet: u32,
    /// Whether nobody has it open: it was read to its end, and is kept in mind while it is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) closed: bool,
}

/// One copy that is not the archive.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct CopyState {
    /// Where its file was read to.
    pub(crate) live: Option<Cursor>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) watched: Vec<Watched>,
    /// What we wrote into its files, as far as they were not read up to there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) foreign: Vec<Foreign>,
    /// When the youngest of its files that were read was last written to, in nanoseconds.
    #[serde(default)]
    pub(crate) seen: i64,
    /// Up to where in the archive, in bytes from its beginning, it has what others wrote.
    pub(crate) sent: u64,
    /// Whether it is being made anew, and so gets back what it wrote itself, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) refill: bool,
    /// In how many runs in a row something could not be given to it, as its last line had no end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) torn: u32,
    /// Whether what others write goes into a file beside it, as its writer does not append whole lines.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) aside: bool,
    /// How long that file was when we last wrote to it (bytes).
    #[serde(default)]
    pub(crate) beside: u64,
    /// The file whose writer was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) judged: Option<FileId>,
    /// What the journal says it was given by a run that did not come to its end, where that is still to be compared with its
    /// files: the machine died, or it was away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) open: Option<Vec<Deed>>,
    /// Bytes of others that we wrote into it, ever.
    #[serde(default)]
    pub(crate) foreign_bytes: u64,
    /// Whether what it had at first was found in the archive by so little that it may be an accident.
    #[serde(default)]
    pub(crate) weak: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogState {
    /// The end of the archive's live file that we know.
    pub(crate) archive: Cursor,
    /// Where in the archive its live file begins, in bytes from the beginning of the archive.
    pub(crate) base: u64,
    /// Bytes of the ledger that count.
    pub(crate) ledger: u64,
    /// The digest of its last entry.
    pub(crate) chain: String,
    pub(crate) copies: BTreeMap<String, CopyState>,
    /// The run that put this on record, in nanoseconds since 1970: what it had planned is done.
    #[serde(default)]
    pub(crate) run: i64,
    /// When lines were last merged, RFC 3339.
    #[serde(default)]
    pub(crate) merged_at: Option<String>,
}

impl LogState {
    /// Where in the archive the known end lies.
    pub(crate) fn end(&self) -> u64 {
        self.base + self.archive.offset
    }
}

/// All logs; what has not changed stays text.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Mark and JSON by name.
    logs: BTreeMap<String, (String, String)>,
    path: PathBuf,
}

impl State {
    /// Reads what there is.
    ///
    /// # Errors
    /// `Corrupt` when it is no state of ours, or a newer one.
    pub(crate) fn open(directory: &Path) -> Result<State> {
        let path = directory.join("state");
        let mut text = String::new();
        match File::open(&path) {
            Ok(file) => {
                file.take(MAX_STATE)
                    .read_to_string(&mut text)
                    .map_err(|cause| Error::io("read the state of the logs", &path, cause))?;
            }
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Ok(State { logs: BTreeMap::new(), path });
            }
            Err(cause) => return Err(Error::io("read the state of the logs", &path, cause)),
        }
        let mut lines = text.lines();
        if lines.next() != Some(FORMAT) {
            return Err(Error::new(ErrorKind::Corrupt, "this is no state of logs that this version can read:")
                .at(&path)
                .hint("a newer cr0sync may have written it; if it is damaged, move it away: the logs are then aligned by their content, and nothing is lost"));
        }
        let logs = lines.filter_map(|line| {
            let mut parts = line.splitn(3, '\t');
            Some((parts.next()?.to_owned(), (parts.next()?.to_owned(), parts.next()?.to_owned())))
        });
        Ok(State { logs: logs.collect(), path })
    }

    /// What the files of a log looked like when nothing was left to do.
    pub(crate) fn mark(&self, log: &str) -> Option<&str> {
        self.logs.get(log).map(|(mark, _)| mark.as_str())
    }

    /// What is remembered of a log; nothing where that makes no sense.
    pub(crate) fn log(&self, log: &str) -> Option<LogState> {
        self.logs.get(log).and_then(|(_, json)| serde_json::from_str(json).ok())
    }

    pub(crate) fn set(&mut self, log: &str, mark: String, state: &LogState) -> Result<()> {
        let json = serde_json::to_string(state).map_err(|cause| {
            Error::new(ErrorKind::Internal, "cannot write down what is known of a log").because(cause)
        })?;
        self.logs.insert(log.to_owned(), (mark, json));
        Ok(())
    }

    /// Puts it on disk, whole or not at all.
    pub(crate) fn save(&self) -> Result<()> {
        let mut text = String::from(FORMAT);
        text.push('\n');
        for (name, (mark, json)) in &self.logs {
            for part in [name.as_str(), "\t", mark, "\t", json, "\n"] {
                text.push_str(part);
            }
        }
        durable::replace(&self.path, text.as_bytes())
    }
}

/// Where one range of an archive came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Where it begins, in bytes from the beginning of the archive.
    pub(crate) from: u64,
    /// How long it is (bytes).
    pub(crate) length: u64,
    /// The side that wrote it.
    pub(crate) origin: String,
    /// The file it was taken from; none for what was in the archive already.
    pub(crate) file: Option<FileId>,
    /// Where in that file it began.
    pub(crate) offset: u64,
    /// The digest of its bytes.
    pub(crate) sha256: String,
    pub(crate) at: String,
    /// The digest of the entry before.
    pub(crate) before: String,
}

/// The ledger of one log: a chain of entries, each with the digest of the one before.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
}

impl Ledger {
    pub(crate) fn of(directory: &Path, log: &str) -> Ledger {
        Ledger { path: directory.join(format!("{log}.ledger")) }
    }

    /// Adds entries behind the bytes that count; returns how many count now, and the digest of the last entry.
    pub(crate) fn append(
        &self,
        length: u64,
        chain: &str,
        entries: &mut [Entry],
    ) -> Result<(u64, String, Option<File>)> {
        let fail = |cause| Error::io("write down where lines came from in", &self.path, cause);
        if entries.is_empty() {
            return Ok((length, chain.to_owned(), None));
        }
        let (mut text, mut chain) = (Vec::new(), chain.to_owned());
        for entry in entries {
            entry.before.clone_from(&chain);
            let line = serde_json::to_vec(entry).unwrap_or_default();
            chain = hex(&Sha256::digest(&line));
            text.extend_from_slice(&line);
            text.push(b'\n');
        }
        durable::private_file(&self.path)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o660)
            .open(&self.path)
            .map_err(fail)?;
        // What a run that died has added does not count.
        file.set_len(length).map_err(fail)?;
        std::os::unix::fs::FileExt::write_all_at(&file, &text, length).map_err(fail)?;
        Ok((length + u64::try_from(text.len()).unwrap_or(0), chain, Some(file)))
    }

    /// Reads what counts, oldest first; entries that do not follow each other end it.
    pub(crate) fn read(&self, length: u64) -> Result<Vec<Entry>> {
        Ok(self.follow(length)?.0)
    }

    /// Reads what counts, and proves that it is the chain that ends with a digest.
    ///
    /// # Errors
    /// `Corrupt` when it is not.
    pub(crate) fn read_whole(&self, length: u64, chain: &str) -> Result<Vec<Entry>> {
        let (entries, last) = self.follow(length)?;
        if last.unwrap_or_default() == chain {
            return Ok(entries);
        }
        Err(Error::new(ErrorKind::Corrupt, "what was written down of where lines came from was changed:")
            .at(&self.path)
            .hint("the archive itself may be whole; what was merged from where cannot be proved any more"))
    }

    /// The entries that follow each other, and the digest of the last one.
    fn follow(&self, length: u64) -> Result<(Vec<Entry>, Option<String>)> {
        let mut text = Vec::new();
        match File::open(&self.path) {
            Ok(file) => file
                .take(length)
                .read_to_end(&mut text)
                .map_err(|cause| Error::io("read where lines came from in", &self.path, cause))?,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), None)),
            Err(cause) => return Err(Error::io("read where lines came from in", &self.path, cause)),
        };
        let (mut entries, mut chain): (Vec<Entry>, Option<String>) = (Vec::new(), None);
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(entry) = serde_json::from_slice::<Entry>(line) else { break };
            if chain.as_ref().is_some_and(|chain| entry.before != *chain) {
                break;
            }
            chain = Some(hex(&Sha256::digest(line)));
            entries.push(entry);
        }
        Ok((entries, chain))
    }
}
