//! What we remember of logs: `sync_state/logs/state`, a hint that the files themselves can always correct.
//!
//! One line a log, name, mark and JSON with tabs between them, after a first line with format and version: a run over
//! thousands of logs of which none has changed compares marks and never parses the rest. Apart from `ledger`, which says
//! where each range of an archive came from, and which no file can correct.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::durable;
use crate::error::{Error, ErrorKind, Result};

use super::file::{FileId, Proof};
use super::journal::Deed;

/// The first line of the state; the number is its version.
const FORMAT: &str = "cr0sync logs 1";
/// No more of a state is read (bytes): a log takes some hundred bytes for each copy, so that this is more logs than anybody
/// has, and a file that is no state does not fill the memory.
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

/// A packed file that cannot be unpacked, so that nobody knows which of its lines the archive lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Broken {
    pub(crate) path: PathBuf,
    pub(crate) id: FileId,
    /// Bytes on disk.
    pub(crate) size: u64,
    /// When it was last written to, in nanoseconds.
    pub(crate) written: i64,
    /// What is wrong with it, in words.
    pub(crate) why: String,
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
    /// Its rotated files that could not be unpacked when their lines were to be taken, until whole ones were aligned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) broken: Vec<Broken>,
    /// While there are such: its packed files that were read, so that whole ones that are put there are told from them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) read: Vec<FileId>,
    /// Whether nobody knows any more what of its files it wrote itself behind where they were read to, so that content has to
    /// tell; up to where it got what others wrote is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) lost: bool,
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
    /// Bytes of the ledger that count, with those of entries that were trimmed.
    pub(crate) ledger: u64,
    /// The digest of its last entry.
    pub(crate) chain: String,
    /// Whether the ledger was lost, so that the next one begins with lines of which nobody knows who wrote them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) untold: bool,
    pub(crate) copies: BTreeMap<String, CopyState>,
    /// The run that put this on record, in nanoseconds since 1970: what it had planned is done.
    #[serde(default)]
    pub(crate) run: i64,
    /// When lines were last merged, RFC 3339.
    #[serde(default)]
    pub(crate) merged_at: Option<String>,
    /// Where in the archive begins what is left of it since files of it were removed by us.
    #[serde(default)]
    pub(crate) begin: u64,
    /// Directories in which rotated files of copies may lie beside those of the copies themselves, by side: what the
    /// configuration names now, and what it named before as long as some lie there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) olddirs: BTreeMap<String, Vec<PathBuf>>,
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
    /// The file as it was read.
    text: String,
    logs: BTreeMap<String, Remembered>,
    path: PathBuf,
}

/// One log in a state.
#[derive(Debug)]
enum Remembered {
    /// Where its mark and its JSON stand in what was read.
    Read(Range<usize>, Range<usize>),
    /// Mark and JSON.
    Set(String, String),
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
                // Room for all of it at once.
                let size = file.metadata().map_or(0, |found| found.len().min(MAX_STATE));
                text.reserve_exact(usize::try_from(size).unwrap_or_default().saturating_add(1));
                file.take(MAX_STATE)
                    .read_to_string(&mut text)
                    .map_err(|cause| Error::io("read the state of the logs", &path, cause))?;
            }
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Ok(State { path, ..State::default() });
            }
            Err(cause) => return Err(Error::io("read the state of the logs", &path, cause)),
        }
        if text.lines().next() != Some(FORMAT) {
            return Err(Error::new(ErrorKind::Corrupt, "this is no state of logs that this version can read:")
                .at(&path)
                .hint("a newer cr0sync may have written it; if it is damaged, move it away: the logs are then aligned by their content, and nothing is lost"));
        }
        let (mut logs, mut at) = (Vec::new(), 0);
        for line in text.split_inclusive('\n') {
            let (start, end) = (at, at + line.trim_end_matches('\n').len());
            at += line.len();
            let mut parts = line.trim_end_matches('\n').splitn(3, '\t');
            if let (Some(name), Some(mark), Some(json)) = (parts.next(), parts.next(), parts.next()) {
                let mark_at = start + name.len() + 1;
                let mark = mark_at..mark_at + mark.len();
                logs.push((name.to_owned(), Remembered::Read(mark, end - json.len()..end)));
            }
        }
        Ok(State { logs: logs.into_iter().collect(), text, path })
    }

    /// Mark and JSON of a log.
    fn get(&self, log: &str) -> Option<(&str, &str)> {
        self.parts(self.logs.get(log)?)
    }

    fn parts<'a>(&'a self, remembered: &'a Remembered) -> Option<(&'a str, &'a str)> {
        match remembered {
            Remembered::Read(mark, json) => {
                Some((self.text.get(mark.clone())?, self.text.get(json.clone())?))
            }
            Remembered::Set(mark, json) => Some((mark, json)),
        }
    }

    /// What the files of a log looked like when nothing was left to do.
    pub(crate) fn mark(&self, log: &str) -> Option<&str> {
        self.get(log).map(|(mark, _)| mark)
    }

    /// What is remembered of a log; nothing where that makes no sense.
    pub(crate) fn log(&self, log: &str) -> Option<LogState> {
        self.get(log).and_then(|(_, json)| serde_json::from_str(json).ok())
    }

    /// Where rotated files of a log's copies may lie, by side.
    pub(crate) fn olddirs(&self, log: &str) -> BTreeMap<String, Vec<PathBuf>> {
        // Most have none, and to see that takes no parsing.
        let named = self.get(log).is_some_and(|(_, json)| json.contains("\"olddirs\""));
        named.then(|| self.log(log)).flatten().map(|state| state.olddirs).unwrap_or_default()
    }

    pub(crate) fn set(&mut self, log: &str, mark: String, state: &LogState) -> Result<()> {
        let json = serde_json::to_string(state).map_err(|cause| {
            Error::new(ErrorKind::Internal, "cannot write down what is known of a log").because(cause)
        })?;
        self.logs.insert(log.to_owned(), Remembered::Set(mark, json));
        Ok(())
    }

    /// Puts it on disk, whole or not at all.
    pub(crate) fn save(&self) -> Result<()> {
        let mut text = String::with_capacity(self.text.len());
        text.push_str(FORMAT);
        text.push('\n');
        for (name, remembered) in &self.logs {
            let Some((mark, json)) = self.parts(remembered) else { continue };
            for part in [name.as_str(), "\t", mark, "\t", json, "\n"] {
                text.push_str(part);
            }
        }
        durable::replace(&self.path, text.as_bytes())
    }
}
