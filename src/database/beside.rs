//! What lies beside a database and is read with it: whether it would do harm.
//!
//! Apart from `place`, which is about the file itself. SQLite takes a journal at its word: it waits for whatever lies
//! there to open, and removes the file that the journal calls its super-journal, with the rights of whoever opens the
//! database. Who may write to the directory must not make root wait for ever, nor take from others what is theirs. It
//! only looks, and opens nothing but what SQLite keeps no locks on.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::ffi;
use rustix::fs::{Mode, OFlags};

/// The end of a journal that belongs to a super-journal, and the start of any (SQLite file format, section 3).
const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// What follows the name of a super-journal: its length, its checksum, the magic bytes.
const TRAILER: usize = 16;
/// How long the name of a super-journal may be, in bytes; SQLite passes over those longer than 512.
const LONGEST_NAME: usize = 4096;
/// How large a super-journal may be, in bytes: it lists no more journals than a connection has databases.
const LARGEST_LIST: u64 = 1 << 20;

/// Fails, as on any other damage, where opening a database would do harm.
pub(crate) fn check(path: &Path) -> rusqlite::Result<()> {
    match objection(path) {
        Some(reason) => {
            Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(reason)))
        }
        None => Ok(()),
    }
}

fn objection(path: &Path) -> Option<String> {
    // SQLite looks beside the file, not beside a link to it.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let beside = |suffix: &str| {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    };
    if let Some(odd) = ["-journal", "-wal", "-shm"].map(beside).into_iter().find(|path| is_odd(path)) {
        return Some(format!("{} is not a regular file", odd.display()));
    }
    let list = super_journal(&beside("-journal"))?;
    let would = format!("its journal would have {} removed", list.display());
    if !is_name_of_super_journal(&list) || is_odd(&list) {
        return Some(would);
    }
    let file = open(&list)?;
    if file.metadata().ok()?.len() > LARGEST_LIST {
        return Some(would);
    }
    let mut names = Vec::new();
    file.take(LARGEST_LIST).read_to_end(&mut names).ok()?;
    let mut names = names.split(|byte| *byte == 0).map(|name| Path::new(OsStr::from_bytes(name)));
    let odd = names.find(|name| is_odd(name))?;
    Some(format!("its journal names {}, which is not a regular file", odd.display()))
}

/// Whether something lies there that is no regular file. Links count: SQLite follows none of these.
fn is_odd(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| !file.is_file())
}

/// Opens what was a regular file a moment ago, and does not wait should it be none any more.
fn open(path: &Path) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).ok().map(File::from)
}

/// The super-journal that a journal names, as SQLite reads it: up to the first zero byte.
fn super_journal(journal: &Path) -> Option<PathBuf> {
    let mut file = open(journal)?;
    let length = file.metadata().ok()?.len();
    let most = u64::try_from(LONGEST_NAME.saturating_add(TRAILER)).ok()?;
    file.seek(SeekFrom::Start(length.saturating_sub(most))).ok()?;
    let mut end = Vec::new();
    file.take(most).read_to_end(&mut end).ok()?;
    let (rest, magic) = end.split_last_chunk::<8>()?;
    let (rest, _checksum) = rest.split_last_chunk::<4>()?;
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    if *magic != MAGIC {
        return None;
    }
    let name = rest.get(rest.len().checked_sub(length)?..)?;
    let name = name.split(|byte| *byte == 0).next().filter(|name| !name.is_empty())?;
    Some(PathBuf::from(OsStr::from_bytes(name)))
}

/// Whether a name is one that SQLite gives: that of a database, `-mj`, six digits, a nine, two digits (vdbeaux.c).
pub(super) fn is_name_of_super_journal(path: &Path) -> bool {
    let Some((_, end)) = path.as_os_str().as_bytes().split_last_chunk::<12>() else { return false };
    let (mark, digits) = end.split_at(3);
    mark == b"-mj" && digits.iter().all(u8::is_ascii_hexdigit) && digits.get(6) == Some(&b'9')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_sqlite_gives_are_super_journals() {
        for (name, expected) in [
            ("/srv/a.db-mj0123AB9CD", true),
            ("-mj0000009FF", true),
            ("/etc/passwd", false),
            ("/srv/a.db-mj0123AB8CD", false),
            ("/srv/a.db-mj0123AB9CDE", false),
            ("/srv/a.db-mj0123ZZ9CD", false),
            ("", false),
        ] {
            assert_eq!(is_name_of_super_journal(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn a_name_ends_where_sqlite_ends_it() -> std::io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("journal");
        for (name, expected) in [
            (&b"/a-mj0000009FF"[..], Some("/a-mj0000009FF")),
            (b"/etc/passwd\0/a-mj0000009FF", Some("/etc/passwd")),
            (b"\0/etc/passwd", None),
            (b"", None),
        ] {
            let mut bytes = vec![7; 6000];
            bytes.extend_from_slice(name);
            bytes.extend(u32::try_from(name.len()).unwrap_or_default().to_be_bytes());
            bytes.extend([0, 0, 0, 0]);
            bytes.extend(MAGIC);
            std::fs::write(&path, &bytes)?;
            assert_eq!(super_journal(&path), expected.map(PathBuf::from), "{name:?}");
        }
        for bytes in [&MAGIC[..], &[0xff; 4], &[[0xff; 8], MAGIC].concat()] {
            std::fs::write(&path, bytes)?;
            assert_eq!(super_journal(&path), None, "{bytes:?}");
        }
        Ok(())
    }
}
