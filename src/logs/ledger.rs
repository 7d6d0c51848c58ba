//! Where each range of an archive came from: `sync_state/logs/NAME.ledger`, a chain of entries, each with the digest of the
//! one before.
//!
//! Apart from `state`, which the files can correct: nothing else tells which lines a copy wrote itself. So a ledger that is
//! not what the state says never counts for one that says less. It is not added to, and never written over.
//!
//! Where the oldest entries were trimmed, an anchor in the first line stands for them, with the digest of the last of them.
//! Lengths go on counting them, so that trimming replaces one file, at once, and the state need not hear of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::durable;
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;

use super::file::{FileId, to_size};

/// The origin of what was in the archive already when its ledger was lost.
pub(crate) const UNKNOWN: &str = "";
/// And of what is nobody's. Neither is the name of a side.
pub(crate) const NOBODY: &str = "(nobody)";
/// So much is read at once, at first: about the last entries (bytes).
const FIRST_LOOK: u64 = 4 << 10;
/// And at most (bytes).
const LOOK: u64 = 1 << 20;
/// An anchor is not longer (bytes).
const ANCHOR: u64 = 512;

/// Where one range of an archive came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Where it begins, in bytes from the beginning of the archive.
    pub(crate) from: u64,
    /// How long it is (bytes).
    pub(crate) length: u64,
    /// The side that wrote it; [`UNKNOWN`] where nobody can tell any more.
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

impl Entry {
    /// Where it ends.
    pub(crate) fn end(&self) -> u64 {
        self.from + self.length
    }
}

/// Stands for entries that were trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Anchor {
    /// The range of the archive that they were about.
    from: u64,
    to: u64,
    /// Bytes of the ledger that they were.
    trimmed: u64,
    /// The digest of the last of them.
    chain: String,
}

/// All of a ledger.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// The range of the archive that trimmed entries were about.
    pub(crate) trimmed: Option<Range<u64>>,
    /// Oldest first.
    pub(crate) entries: Vec<Entry>,
}

/// Whether a ledger is there, as far as a look at its last entry tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It ends with the entry that the state names; or the state names none.
    There,
    /// There is no such file.
    Missing,
}

/// The ledger of one log.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
}

impl Ledger {
    pub(crate) fn of(directory: &Path, log: &str) -> Ledger {
        Ledger { path: directory.join(format!("{log}.ledger")) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is one of which the first so many bytes end with an entry that has a digest.
    ///
    /// # Errors
    /// `Corrupt` when it is another one; when it cannot be read.
    pub(crate) fn standing(&self, length: u64, chain: &str) -> Result<Standing> {
        if length > 0 {
            let Some(opened) = self.open()? else { return Ok(Standing::Missing) };
            self.back(&opened, length, chain, &|_| true)?;
        }
        Ok(Standing::There)
    }

    /// Adds entries behind the bytes that count; returns how many count now, and the digest of the last entry. What lies
    /// behind those bytes was added by a run that died.
    ///
    /// # Errors
    /// As [`Ledger::standing`], and then nothing is written; `Corrupt` also where it is missing.
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
        let (file, end) = match self.open_to_write()? {
            Some(opened) if length > 0 => {
                self.back(&opened, length, chain, &|_| true)?;
                let end = opened.place(length).ok_or_else(|| self.damaged())?;
                (opened.file, end)
            }
            None if length > 0 => return Err(self.missing()),
            Some(opened) => (opened.file, 0),
            None => {
                durable::private_file(&self.path)?;
                (File::options().read(true).write(true).open(&self.path).map_err(fail)?, 0)
            }
        };
        let (mut text, mut chain) = (Vec::new(), chain.to_owned());
        for entry in entries {
            entry.before.clone_from(&chain);
            let line = serde_json::to_vec(entry).map_err(|cause| fail(cause.into()))?;
            chain = digest(&line);
            text.extend_from_slice(&line);
            text.push(b'\n');
        }
        file.set_len(end).map_err(fail)?;
        file.write_all_at(&text, end).map_err(fail)?;
        Ok((length + u64::try_from(text.len()).unwrap_or(0), chain, Some(file)))
    }

    /// The entries that are about what lies behind a place of the archive, oldest first; all of them are proven.
    ///
    /// # Errors
    /// `Corrupt` when they are not the ones that the state means, or do not go back that far; when they cannot be read.
    pub(crate) fn since(&self, length: u64, chain: &str, place: u64) -> Result<Vec<Entry>> {
        let whole = self.back_from(length, chain, &|entry| entry.from <= place)?;
        match (whole.entries.first(), whole.trimmed) {
            (Some(first), _) if first.from > place => Err(self.damaged()),
            (None, Some(trimmed)) if trimmed.end > place => Err(self.damaged()),
            _ => Ok(whole.entries),
        }
    }

    /// All of it, proven.
    ///
    /// # Errors
    /// As [`Ledger::since`].
    pub(crate) fn whole(&self, length: u64, chain: &str) -> Result<Whole> {
        self.back_from(length, chain, &|_| false)
    }

    fn back_from(&self, length: u64, chain: &str, is_enough: &dyn Fn(&Entry) -> bool) -> Result<Whole> {
        if length == 0 {
            return Ok(Whole { trimmed: None, entries: Vec::new() });
        }
        let opened = self.open()?.ok_or_else(|| self.missing())?;
        self.back(&opened, length, chain, is_enough)
    }

    /// Reads from the last entry back, as long as each has the digest that the one behind it names.
    fn back(
        &self,
        opened: &Opened,
        length: u64,
        chain: &str,
        is_enough: &dyn Fn(&Entry) -> bool,
    ) -> Result<Whole> {
        let mut whole = Whole { trimmed: None, entries: Vec::new() };
        let end = opened.place(length).ok_or_else(|| self.damaged())?;
        let mut lines = Backward::new(&opened.file, opened.first..end);
        let mut chain = chain.to_owned();
        let is_first = loop {
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => break true,
                // It ends before, or elsewhere than at the end of a line.
                Err(cause)
                    if matches!(cause.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) =>
                {
                    return Err(self.damaged());
                }
                Err(cause) => return Err(self.unreadable(cause)),
            };
            let entry = serde_json::from_slice::<Entry>(&line).ok().filter(|_| digest(&line) == chain);
            let entry = entry.ok_or_else(|| self.damaged())?;
            chain.clone_from(&entry.before);
            let enough = is_enough(&entry);
            whole.entries.push(entry);
            if enough {
                break false;
            }
        };
        if is_first {
            if chain != opened.anchor.as_ref().map_or("", |anchor| anchor.chain.as_str()) {
                return Err(self.damaged());
            }
            whole.trimmed = opened.anchor.as_ref().map(|anchor| anchor.from..anchor.to);
        }
        whole.entries.reverse();
        Ok(whole)
    }

    /// Takes the entries away that are about nothing behind a place of the archive, but for the last one of all.
    ///
    /// # Errors
    /// As [`Ledger::since`]; then all of it stays.
    pub(crate) fn trim(&self, length: u64, chain: &str, place: u64) -> Result<()> {
        let whole = self.whole(length, chain)?;
        let count = whole.entries.iter().take_while(|entry| entry.end() <= place).count();
        let count = count.min(whole.entries.len().saturating_sub(1));
        let (Some(last), Some(opened)) =
            (count.checked_sub(1).and_then(|at| whole.entries.get(at)), self.open()?)
        else {
            return Ok(());
        };
        let end = opened.place(length).ok_or_else(|| self.damaged())?;
        let fail = |cause| self.unreadable(cause);
        let mut text = vec![0; to_size(end.saturating_sub(opened.first))];
        opened.file.read_exact_at(&mut text, opened.first).map_err(fail)?;
        let cut = memchr::memchr_iter(b'\n', &text).nth(count - 1).map_or(0, |at| at + 1);
        let before = opened.anchor.as_ref();
        let anchor = Anchor {
            from: before
                .map(|anchor| anchor.from)
                .or(whole.entries.first().map(|entry| entry.from))
                .unwrap_or(0),
            to: last.end(),
            trimmed: before.map_or(0, |anchor| anchor.trimmed) + u64::try_from(cut).unwrap_or(0),
            chain: whole.entries.get(count).map(|entry| entry.before.clone()).unwrap_or_default(),
        };
        let mut kept = serde_json::to_vec(&anchor).map_err(|cause| fail(cause.into()))?;
        kept.push(b'\n');
        kept.extend_from_slice(text.get(cut..).unwrap_or_default());
        durable::replace(&self.path, &kept)
    }

    fn open(&self) -> Result<Option<Opened>> {
        self.opened(File::options().read(true))
    }

    fn open_to_write(&self) -> Result<Option<Opened>> {
        self.opened(File::options().read(true).write(true))
    }

    fn opened(&self, how: &OpenOptions) -> Result<Option<Opened>> {
        let file = match how.open(&self.path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(self.unreadable(cause)),
        };
        // With room for all of it, it is one read.
        let mut first = Vec::with_capacity(2 * to_size(ANCHOR));
        (&file).take(ANCHOR).read_to_end(&mut first).map_err(|cause| self.unreadable(cause))?;
        let line = memchr::memchr(b'\n', &first).and_then(|end| first.get(..end)).unwrap_or_default();
        let anchor = serde_json::from_slice::<Anchor>(line).ok();
        let first = anchor.as_ref().map_or(0, |_| u64::try_from(line.len()).unwrap_or(0) + 1);
        Ok(Some(Opened { file, anchor, first }))
    }

    fn unreadable(&self, cause: io::Error) -> Error {
        Error::io("read where lines came from in", &self.path, cause)
            .hint("let this user read it; what each copy lacks cannot be told before")
    }

    fn missing(&self) -> Error {
        Error::new(ErrorKind::Corrupt, "what was written down of where lines came from is not there:")
            .at(&self.path)
            .hint("put it back from a backup; where there is none, the next `sync-all` begins it anew")
    }

    fn damaged(&self) -> Error {
        Error::new(ErrorKind::Corrupt, "what was written down of where lines came from was cut off or changed:")
            .at(&self.path)
            .hint("put it back from a backup, or, where there is none, move it away: what each copy lacks is then found by its content, and nothing is there twice")
    }
}

/// An open ledger.
struct Opened {
    file: File,
    anchor: Option<Anchor>,
    /// Where in the file its first entry begins.
    first: u64,
}

impl Opened {
    /// Where in the file so many bytes end.
    fn place(&self, length: u64) -> Option<u64> {
        let trimmed = self.anchor.as_ref().map_or(0, |anchor| anchor.trimmed);
        Some(length.checked_sub(trimmed)? + self.first)
    }
}

/// Lines of a part of a file, the last one first.
struct Backward<'a> {
    file: &'a File,
    first: u64,
    /// Where what is held begins.
    at: u64,
    held: Vec<u8>,
    look: u64,
}

impl<'a> Backward<'a> {
    fn new(file: &'a File, part: Range<u64>) -> Backward<'a> {
        Backward { file, first: part.start, at: part.end, held: Vec::new(), look: FIRST_LOOK }
    }

    /// The next one, without its end.
    ///
    /// # Errors
    /// `UnexpectedEof` where the file is shorter, `InvalidData` where a line has no end.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some((last, body)) = self.held.split_last() {
                if *last != b'\n' {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                let begin = memchr::memrchr(b'\n', body).map(|before| before + 1);
                if let Some(begin) = begin.or_else(|| (self.at == self.first).then_some(0)) {
                    let line = body.get(begin..).unwrap_or_default().to_vec();
                    self.held.truncate(begin);
                    return Ok(Some(line));
                }
            } else if self.at <= self.first {
                return Ok(None);
            }
            let start = self.at.saturating_sub(self.look).max(self.first);
            let mut block = vec![0; to_size(self.at - start)];
            self.file.read_exact_at(&mut block, start)?;
            block.append(&mut self.held);
            (self.held, self.at, self.look) = (block, start, (self.look * 2).min(LOOK));
        }
    }
}

fn digest(line: &[u8]) -> String {
    hex(&Sha256::digest(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    fn entry(from: u64, length: u64) -> Entry {
        Entry {
            from,
            length,
            origin: "bot".to_owned(),
            file: None,
            offset: from,
            sha256: "x".repeat(64),
            at: "2031-07-14T12:00:00Z".to_owned(),
            before: String::new(),
        }
    }

    /// Entries of 10 bytes each, added three at a time.
    fn filled(ledger: &Ledger, count: u64) -> std::result::Result<(u64, String), Box<dyn std::error::Error>> {
        let (mut length, mut chain) = (0, String::new());
        for first in (0..count).step_by(3) {
            let mut entries: Vec<Entry> = (first..count.min(first + 3)).map(|n| entry(n * 10, 10)).collect();
            (length, chain, _) = ledger.append(length, &chain, &mut entries)?;
        }
        Ok((length, chain))
    }

    fn places(entries: &[Entry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.from).collect()
    }

    #[test]
    fn it_is_read_back_as_far_as_is_asked_for() -> Outcome {
        let directory = tempfile::tempdir()?;
        let ledger = Ledger::of(directory.path(), "x");
        assert_eq!(ledger.since(0, "", 0)?, []);
        let (length, chain) = filled(&ledger, 100)?;
        for (place, first) in [(0, 0), (5, 0), (10, 10), (555, 550), (990, 990), (5000, 990)] {
            let found = places(&ledger.since(length, &chain, place)?);
            let expected: Vec<u64> = (first..1000).step_by(10).collect();
            assert_eq!(found, expected, "{place}");
        }
        assert_eq!(ledger.whole(length, &chain)?.entries.len(), 100);
        // What a run that died has added does not count, and is written over.
        ledger.append(length, &chain, &mut [entry(1000, 7)])?;
        assert_eq!(ledger.since(length, &chain, 985)?.len(), 2);
        let (length, chain, _) = ledger.append(length, &chain, &mut [entry(1000, 3)])?;
        assert_eq!(ledger.since(length, &chain, 1001)?, ledger.whole(length, &chain)?.entries.split_off(100));
        Ok(())
    }

    #[test]
    fn trimming_keeps_what_is_behind_a_place_and_its_proof() -> Outcome {
        for trims in [&[500_u64][..], &[5, 10, 11, 495, 500], &[990, 1000, 5000], &[0]] {
            let directory = tempfile::tempdir()?;
            let ledger = Ledger::of(directory.path(), "x");
            let (length, chain) = filled(&ledger, 100)?;
            for place in trims {
                ledger.trim(length, &chain, *place)?;
            }
            let first = (trims.iter().max().map_or(0, |place| place / 10)).min(99);
            let whole = ledger.whole(length, &chain)?;
            assert_eq!(whole.entries.len(), 100 - to_size(first), "{trims:?}");
            assert_eq!(whole.trimmed, (first > 0).then_some(0..first * 10), "{trims:?}");
            assert_eq!(ledger.since(length, &chain, 0).is_ok(), first == 0, "{trims:?}");
            assert_eq!(ledger.since(length, &chain, 995)?.len(), 1);
            // It goes on as before.
            let (length, chain, _) = ledger.append(length, &chain, &mut [entry(1000, 3)])?;
            assert_eq!(places(&ledger.since(length, &chain, 990)?), [990, 1000]);
            let whole = ledger.whole(length, &chain)?;
            assert_eq!(whole.entries.len(), 101 - to_size(first), "{trims:?}");
        }
        Ok(())
    }

    #[test]
    fn one_that_is_not_what_it_was_is_not_believed_nor_added_to() -> Outcome {
        type Damage = fn(&str) -> String;
        let damages: [(&str, Damage); 6] = [
            ("emptied", |_| String::new()),
            ("cut off in a line", |text| text[..text.len() - 9].to_owned()),
            ("cut off behind a line", |text| text.lines().take(5).map(|line| format!("{line}\n")).collect()),
            ("its last entry changed", |text| text.replace("\"offset\":80", "\"offset\":81")),
            ("its first bytes gone", |text| text[9..].to_owned()),
            ("something else", |text| "x\n".repeat(text.len())),
        ];
        for trimmed in [0, 30] {
            for (what, damage) in damages {
                let directory = tempfile::tempdir()?;
                let ledger = Ledger::of(directory.path(), "x");
                let (length, chain) = filled(&ledger, 9)?;
                ledger.trim(length, &chain, trimmed)?;
                assert_eq!(ledger.standing(length, &chain)?, Standing::There);
                let damaged = damage(&std::fs::read_to_string(&ledger.path)?);
                std::fs::write(&ledger.path, &damaged)?;
                assert!(ledger.whole(length, &chain).is_err(), "{what}");
                assert!(ledger.standing(length, &chain).is_err(), "{what}");
                assert!(ledger.append(length, &chain, &mut [entry(90, 3)]).is_err(), "{what}");
                assert!(ledger.trim(length, &chain, 50).is_err(), "{what}");
                assert_eq!(std::fs::read_to_string(&ledger.path)?, damaged, "{what}");
            }
        }
        let directory = tempfile::tempdir()?;
        let ledger = Ledger::of(directory.path(), "x");
        assert_eq!(ledger.standing(0, "")?, Standing::There);
        assert_eq!(ledger.standing(9, "y")?, Standing::Missing);
        assert!(ledger.since(9, "y", 0).is_err());
        assert!(ledger.append(9, "y", &mut [entry(90, 3)]).is_err());
        assert!(!ledger.path.exists());
        Ok(())
    }
}
