//! One file of a log: opened warily, read from any place, whether packed or not.
//!
//! Apart from `find`, which says which file it should be. A name may have been put there by somebody else, so a symlink
//! is not followed, a pipe is not waited for, and what is no regular file of its own name is refused in words.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::handles;
use super::names::Packing;
use super::stream::fill;
use crate::hex::hex;
use crate::interrupt;

/// How much of a file before a place proves that it is that file (bytes). On real chat logs the 4 KiB before a place
/// occur twice in 0.0002 % of all cases; first lines and markers of 32 bytes, in 12 to 54 %.
pub(crate) const PROOF: u64 = 4096;
/// How much is read at once (bytes).
pub(crate) const BLOCK: usize = 1 << 20;

/// What tells a file from others, whatever its name. Numbers are given again; birth times are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileId {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    /// Nanoseconds, where the file system knows it.
    pub(crate) born: Option<u64>,
}

impl FileId {
    fn of(file: &std::fs::Metadata) -> FileId {
        let born = file.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        FileId {
            dev: file.dev(),
            ino: file.ino(),
            born: born.and_then(|born| u64::try_from(born.as_nanos()).ok()),
        }
    }
}

/// Proof that a file has at a place what it had: a digest of its beginning and one of what lies before the place, both
/// of at most [`PROOF`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proof {
    head: String,
    tail: String,
}

impl Proof {
    /// The proof of two pieces.
    pub(crate) fn of(head: &[u8], tail: &[u8]) -> Proof {
        Proof { head: digest(head), tail: digest(tail) }
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct LogFile {
    file: File,
    pub(crate) path: PathBuf,
    pub(crate) id: FileId,
    /// Bytes on disk when it was opened.
    pub(crate) size: u64,
    /// The last write, in nanoseconds.
    pub(crate) written: i128,
    pub(crate) packing: Packing,
}

/// Why a file is not read.
#[derive(Debug)]
pub(crate) enum Unopened {
    /// There is none.
    Missing,
    /// It is not what it should be, or may not be read.
    Refused(String),
    /// Nothing is wrong with it: this process, or the machine, has too many files open.
    Full(String),
}

impl Unopened {
    /// What there is to say of the file at a path.
    pub(crate) fn in_words(&self, path: &Path) -> String {
        match self {
            Unopened::Missing => format!("{} is not there", path.display()),
            Unopened::Refused(why) | Unopened::Full(why) => format!("{} {why}", path.display()),
        }
    }
}

/// Who may own a file that we read: by number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owners(pub(crate) Vec<u32>);

/// What is to be done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    /// Reading one that is appended to afterwards.
    ReadFirst,
    /// Reading and appending.
    Append,
}

impl Access {
    fn in_words(self) -> &'static str {
        match self {
            Access::Read => "read it (r)",
            Access::ReadFirst | Access::Append => "read and write it (rw)",
        }
    }
}

impl LogFile {
    /// Opens a regular file with one name, of an owner who may have it.
    pub(crate) fn open(
        path: &Path,
        packing: Packing,
        access: Access,
        owners: &Owners,
    ) -> Result<LogFile, Unopened> {
        let refused = |cause: &io::Error| match cause.kind() {
            io::ErrorKind::NotFound => Unopened::Missing,
            io::ErrorKind::PermissionDenied => Unopened::Refused(format!(
                "may not be opened by this user: it needs the right to {}, and to pass (x) each directory above",
                access.in_words()
            )),
            _ if handles::are_used_up(cause) => Unopened::Full(handles::told(cause)),
            _ => Unopened::Refused(format!("cannot be opened: {}", with_remedy(cause))),
        };
        // Opening a device can do things, so it is looked at before.
        let before = std::fs::symlink_metadata(path).map_err(|cause| refused(&cause))?;
        check(&before, path, owners).map_err(Unopened::Refused)?;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        let file = std::fs::OpenOptions::new()
            .read(true)
            .append(access == Access::Append)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
            .open(path)
            .map_err(|cause| refused(&cause))?;
        let now = file.metadata().map_err(|cause| refused(&cause))?;
        check(&now, path, owners).map_err(Unopened::Refused)?;
        Ok(LogFile::of(file, path, &now, packing))
    }

    /// A file that is open already.
    pub(crate) fn of(file: File, path: &Path, now: &std::fs::Metadata, packing: Packing) -> LogFile {
        LogFile {
            file,
            path: path.to_path_buf(),
            id: FileId::of(now),
            size: now.len(),
            written: i128::from(now.mtime()) * 1_000_000_000 + i128::from(now.mtime_nsec()),
            packing,
        }
    }

    /// The same file once more, by its name, which must not be another one's by now.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn again(&self, access: Access, owners: &Owners) -> Result<LogFile, String> {
        let file = LogFile::open(&self.path, self.packing, access, owners)
            .map_err(|cause| cause.in_words(&self.path))?;
        if file.id == self.id {
            return Ok(file);
        }
        Err(format!("{} was changed while it was looked at", self.path.display()))
    }

    /// Whether it is what its name names now.
    pub(crate) fn has_its_name(&self) -> bool {
        std::fs::symlink_metadata(&self.path)
            .is_ok_and(|now| (now.dev(), now.ino()) == (self.id.dev, self.id.ino))
    }

    /// Whether another file has the same bytes on disk and was written at the same time. A program may begin two files alike,
    /// so the bytes alone do not say it.
    pub(crate) fn is_copied_to(&self, other: &LogFile) -> io::Result<bool> {
        if self.size != other.size || self.written != other.written {
            return Ok(false);
        }
        let (mut own, mut others) = (At { file: &self.file, at: 0 }, At { file: &other.file, at: 0 });
        let (mut block, mut other_block) = (vec![0; BLOCK], vec![0; BLOCK]);
        loop {
            let (had, other_had) = (fill(&mut own, &mut block)?, fill(&mut others, &mut other_block)?);
            if block.get(..had) != other_block.get(..other_had) {
                return Ok(false);
            }
            if had < block.len() {
                return Ok(true);
            }
        }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Bytes that it has now, unpacked.
    pub(crate) fn length(&self) -> io::Result<u64> {
        match self.packing {
            Packing::Plain => Ok(self.file.metadata()?.len()),
            Packing::Gzip | Packing::Zstandard => io::copy(&mut self.reader(0)?, &mut io::sink()),
        }
    }

    /// Reads from a place of the unpacked file to its end. What cannot be unpacked says in which file it lies: it may be one
    /// of many that are read as one.
    pub(crate) fn reader(&self, from: u64) -> io::Result<Box<dyn Read + '_>> {
        let plain = At { file: &self.file, at: if self.packing == Packing::Plain { from } else { 0 } };
        let unpacked: Box<dyn Read + '_> = match self.packing {
            Packing::Plain => return Ok(Box::new(plain)),
            Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::new(plain))),
            Packing::Zstandard => {
                let decoder = ruzstd::decoding::StreamingDecoder::new(io::BufReader::new(plain));
                let damaged =
                    |cause| InFile::wrap(&self.path, io::Error::new(io::ErrorKind::InvalidData, cause));
                Box::new(decoder.map_err(|cause| damaged(cause.to_string()))?)
            }
        };
        let mut unpacked = Unpacked { reader: unpacked, path: &self.path };
        skip(&mut unpacked, from)?;
        Ok(Box::new(unpacked))
    }

    /// What proves that the file is this one at a place; `None` when it is shorter.
    pub(crate) fn proof(&self, place: u64) -> io::Result<Option<Proof>> {
        let length = place.min(PROOF);
        let (mut head, mut tail) = (vec![0; to_size(length)], vec![0; to_size(length)]);
        let read = |mut from: Box<dyn Read + '_>, buffer: &mut [u8]| match from.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(cause) => Err(cause),
        };
        let whole = match self.reader(place - length) {
            Ok(reader) => read(reader, &mut tail)?,
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(cause) => return Err(cause),
        };
        if !whole || !read(self.reader(0)?, &mut head)? {
            return Ok(None);
        }
        Ok(Some(Proof::of(&head, &tail)))
    }

    /// Whether a line ends at a place of the unpacked file. At its beginning none was begun, and behind its end none ends.
    pub(crate) fn ends_a_line(&self, place: u64) -> io::Result<bool> {
        let Some(before) = place.checked_sub(1) else { return Ok(true) };
        let mut last = [0];
        match self.reader(before).and_then(|mut reader| reader.read_exact(&mut last)) {
            Ok(()) => Ok(last == *b"\n"),
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(cause) => Err(cause),
        }
    }

    /// The place behind the last newline before `end`, not before `from`. Only for files that are not packed.
    pub(crate) fn last_line_end(&self, from: u64, end: u64) -> io::Result<u64> {
        let mut buffer = vec![0; 1 << 16];
        let mut stop = end;
        while stop > from {
            let start = stop.saturating_sub(1 << 16).max(from);
            let Some(part) = buffer.get_mut(..to_size(stop - start)) else { break };
            self.file.read_exact_at(part, start)?;
            if let Some(at) = memchr::memrchr(b'\n', part) {
                return Ok(start + u64::try_from(at).unwrap_or(0) + 1);
            }
            stop = start;
        }
        Ok(from)
    }
}

/// Reads a file from a place on, without moving anybody's position.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        interrupt::check_io()?;
        let read = self.file.read_at(buffer, self.at)?;
        self.at += u64::try_from(read).unwrap_or(0);
        Ok(read)
    }
}

/// Reads a packed file.
struct Unpacked<'a> {
    reader: Box<dyn Read + 'a>,
    path: &'a Path,
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|cause| InFile::wrap(self.path, cause))
    }
}

/// Something wrong in one file of several.
#[derive(Debug)]
struct InFile {
    path: PathBuf,
    cause: io::Error,
}

impl InFile {
    fn wrap(path: &Path, cause: io::Error) -> io::Error {
        io::Error::new(cause.kind(), InFile { path: path.to_path_buf(), cause })
    }
}

impl fmt::Display for InFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.cause)
    }
}

impl std::error::Error for InFile {}

/// What could not be done with a file and why. Where the cause lies in another file than the one that was meant, it names
/// that one.
pub(crate) fn in_words(what: &str, path: &Path, cause: &io::Error) -> String {
    match cause.get_ref().and_then(|cause| cause.downcast_ref::<InFile>()) {
        Some(InFile { path, cause }) => format!("cannot {what} {}: {}", path.display(), with_remedy(cause)),
        None => format!("cannot {what} {}: {}", path.display(), with_remedy(cause)),
    }
}

/// Something wrong in a file of several, which is named once, with what is to be done about it where it is no question of
/// room or rights.
pub(crate) fn in_file(path: &Path, cause: &io::Error, advice: Option<&str>) -> io::Error {
    let inner = cause.get_ref().and_then(|cause| cause.downcast_ref::<InFile>());
    let inner = inner.map_or(cause, |inner| &inner.cause);
    let told = advice.map_or_else(|| with_remedy(inner), |advice| format!("{inner}; {advice}"));
    io::Error::other(InFile { path: path.to_path_buf(), cause: io::Error::other(told) })
}

/// A cause with what to do about it, where that is known.
fn with_remedy(cause: &io::Error) -> String {
    remedy(cause).map_or_else(|| cause.to_string(), |remedy| format!("{cause}; {remedy}"))
}

/// What a person can do about a failed call.
pub(crate) fn remedy(cause: &io::Error) -> Option<&'static str> {
    match cause.kind() {
        io::ErrorKind::FileTooLarge => {
            Some("raise the limit for the size of files (ulimit -f), or rotate it")
        }
        io::ErrorKind::PermissionDenied => {
            Some("give this user the right to do that, or run as one who has it")
        }
        io::ErrorKind::InvalidData => Some("it is damaged: put a sound one in its place, or move it away"),
        _ => crate::error::remedy(cause),
    }
}

/// Passes over bytes.
///
/// # Errors
/// `UnexpectedEof` where there are fewer.
fn skip(reader: &mut dyn Read, bytes: u64) -> io::Result<()> {
    let passed = io::copy(&mut reader.take(bytes), &mut io::sink())?;
    if passed < bytes { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn check(file: &std::fs::Metadata, path: &Path, owners: &Owners) -> Result<(), String> {
    let kind = file.file_type();
    if kind.is_symlink() {
        return Err(
            "is a symlink, and none is followed: name what it leads to in the configuration, or put the file itself there"
                .to_owned(),
        );
    }
    if kind.is_dir() {
        return Err("is a directory: move it away, or correct the path in the configuration".to_owned());
    }
    if !kind.is_file() {
        return Err("is no regular file: move it away, or correct the path in the configuration".to_owned());
    }
    if file.nlink() > 1 {
        return Err("has more names than one (hard links): remove the others (find -samefile names them), or replace it by a copy of its own".to_owned());
    }
    let directory =
        path.parent().and_then(|parent| std::fs::metadata(parent).ok()).map(|parent| parent.uid());
    if !owners.0.contains(&file.uid()) && directory != Some(file.uid()) {
        return Err(format!(
            "belongs to user {}, who is none of \"allow_owners\": add him there, or give the file to another owner (chown)",
            file.uid()
        ));
    }
    Ok(())
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// For lengths that were bounded before.
pub(crate) fn to_size(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    fn open(path: &Path, packing: Packing) -> std::result::Result<LogFile, String> {
        LogFile::open(path, packing, Access::Read, &Owners::default()).map_err(|cause| format!("{cause:?}"))
    }

    #[test]
    fn packed_or_not_a_file_reads_and_proves_alike() -> Outcome {
        let directory = tempfile::tempdir()?;
        let text: Vec<u8> = (0..2000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        let (plain, packed) = (directory.path().join("a"), directory.path().join("a.gz"));
        std::fs::write(&plain, &text)?;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&text)?;
        std::fs::write(&packed, encoder.finish()?)?;
        let (plain, packed) = (open(&plain, Packing::Plain)?, open(&packed, Packing::Gzip)?);
        let length = u64::try_from(text.len())?;
        assert_eq!((plain.length()?, packed.length()?), (length, length));
        for place in [0, 10, 4096, 9000, length] {
            assert_eq!(plain.proof(place)?, packed.proof(place)?, "{place}");
            let mut rest = Vec::new();
            packed.reader(place)?.read_to_end(&mut rest)?;
            assert_eq!(Some(rest.as_slice()), text.get(to_size(place)..), "{place}");
        }
        assert_eq!((plain.proof(length + 1)?, packed.proof(length + 1)?), (None, None));
        assert_ne!(plain.proof(5000)?, plain.proof(5001)?);
        Ok(())
    }

    #[test]
    fn what_is_no_log_is_refused_in_words() -> Outcome {
        let directory = tempfile::tempdir()?;
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("a"), "x\n")?;
        std::fs::hard_link(at("a"), at("b"))?;
        std::os::unix::fs::symlink(at("a"), at("link"))?;
        std::fs::create_dir(at("directory"))?;
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0)?;
        for (name, expected) in [
            ("b", "hard links"),
            ("link", "symlink"),
            ("directory", "is a directory"),
            ("pipe", "no regular file"),
            ("nothing", "Missing"),
        ] {
            let found = open(&at(name), Packing::Plain);
            assert!(found.as_ref().is_err_and(|text| text.contains(expected)), "{name}: {found:?}");
        }
        Ok(())
    }

    #[test]
    fn what_cannot_be_unpacked_is_named_itself() -> Outcome {
        let directory = tempfile::tempdir()?;
        for (name, packing) in [("a.1.gz", Packing::Gzip), ("a.1.zst", Packing::Zstandard)] {
            let path = directory.path().join(name);
            std::fs::write(&path, "not packed at all")?;
            let cause = open(&path, packing)?.length().err().ok_or("it was read")?;
            let told = in_words("read", Path::new("/somewhere/a"), &cause);
            assert!(told.starts_with(&format!("cannot read {}: ", path.display())), "{told}");
            assert!(!told.contains("somewhere"), "{told}");
        }
        let told = in_words("read", Path::new("/a"), &io::ErrorKind::NotFound.into());
        assert_eq!(told, "cannot read /a: entity not found");
        Ok(())
    }

    #[test]
    fn once_more_it_is_the_same_file_or_none() -> Outcome {
        let directory = tempfile::tempdir()?;
        let (path, other) = (directory.path().join("a"), directory.path().join("b"));
        std::fs::write(&path, "x\n")?;
        let file = open(&path, Packing::Plain)?;
        let again = || file.again(Access::Append, &Owners::default()).map(|again| again.id);
        assert_eq!(again(), Ok(file.id));
        std::fs::write(&other, "y\n")?;
        std::fs::rename(&other, &path)?;
        assert!(again().is_err_and(|why| why.contains("was changed")));
        std::fs::remove_file(&path)?;
        std::fs::write(&other, "y\n")?;
        std::os::unix::fs::symlink(&other, &path)?;
        assert!(again().is_err_and(|why| why.contains("is a symlink")));
        Ok(())
    }

    #[test]
    fn the_end_of_the_last_line() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a");
        let long = "x".repeat(200_000);
        for (text, from, expected) in [
            ("a\nb\nc".to_owned(), 0, 4),
            ("a\nb\n".to_owned(), 0, 4),
            ("abc".to_owned(), 0, 0),
            ("a\nb".to_owned(), 2, 2),
            (format!("a\n{long}"), 0, 2),
            (format!("a\n{long}\n"), 0, 200_003),
        ] {
            std::fs::write(&path, &text)?;
            let file = open(&path, Packing::Plain)?;
            assert_eq!(file.last_line_end(from, file.size)?, expected);
            assert_eq!(file.ends_a_line(file.size)?, text.ends_with('\n'));
            assert_eq!((file.ends_a_line(0)?, file.ends_a_line(file.size + 1)?), (true, false));
        }
        Ok(())
    }
}
