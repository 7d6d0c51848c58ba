//! Opening replicas: what lies at a path, whether we may write it, and a connection that leaves no trace.
//!
//! Apart from `observe`, which reads rows. Never creates, renames or removes anything, and never opens a
//! descriptor of its own on a database.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::{Access, AtFlags, CWD};

use crate::backup::copy;
use crate::config::Config;
use crate::durable::{self, Account, AsOwner, mend};
use crate::interrupt;

use super::schema::{self, Schema};
use super::{beside, native, place, sharing};

/// What lies at the path of a replica.
#[derive(Debug)]
pub(crate) enum Found {
    /// A database.
    Replica(Box<Replica>),
    /// Nothing, in a directory that exists.
    Missing,
    /// A file without content.
    Empty,
    /// A file that must not be touched, with the reason.
    Quarantined(String),
    /// Something that cannot be used now, with the reason.
    Skipped(String),
    /// Something that cannot be used until a person has mended what the reason says.
    Refused(String),
}

/// An open replica.
#[derive(Debug)]
pub(crate) struct Replica {
    /// The connection.
    pub(crate) connection: Connection,
}

/// How long a busy database is waited for by whoever only looks.
const PATIENCE: Duration = Duration::from_millis(200);

/// Settings that keep a connection from leaving traces: no triggers, no checkpoints, no trust in the schema.
pub(crate) fn harden(connection: &Connection) -> rusqlite::Result<()> {
    interrupt::attend(connection)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // These speak to the connection only; nothing of the kind is stored in a file.
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0;")
}

/// Looks at a path and opens the replica there.
pub(crate) fn replica(path: &Path, wait: Duration, config: &Config) -> Found {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            return match path.parent().map(std::fs::metadata) {
                Some(Ok(parent)) if parent.is_dir() => Found::Missing,
                _ => Found::Skipped(format!("its directory does not exist: {}", path.display())),
            };
        }
        Err(cause) => return Found::Refused(format!("cannot look at {}: {cause}", path.display())),
    };
    if !metadata.is_file() {
        return Found::Refused(format!("{} is not a regular file", path.display()));
    }
    if metadata.len() == 0 {
        return Found::Empty;
    }
    if let Some(reason) = place::objection(path, &metadata) {
        return Found::Refused(reason);
    }
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if let Err(reason) = may_write(&Account::here(), &path, &metadata, config) {
        return Found::Refused(reason);
    }
    match connect(&path, wait) {
        Ok(connection) => Found::Replica(Box::new(Replica { connection })),
        Err(cause) => unusable(&path, &cause),
    }
}

/// Opens a file that exists. What lies beside it is looked at first, see [`beside`].
pub(crate) fn connect(path: &Path, wait: Duration) -> rusqlite::Result<Connection> {
    beside::check(path)?;
    // The first read makes a log and its index where there are none.
    let _owner = AsOwner::of(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    interrupt::patience(&connection, wait)?;
    harden(&connection)?;
    // The first read shows whether it is a database.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// Acts as the owner of an open database, for what makes a journal beside it.
pub(crate) fn as_owner(connection: &Connection) -> AsOwner {
    AsOwner::of(Path::new(connection.path().unwrap_or_default()))
}

/// Reads the schema as the first thing in a transaction, and as the owner: what a killed writer has left is rolled back
/// here, and a file removed that its journal names.
pub(crate) fn first_read(connection: &Connection) -> rusqlite::Result<Schema> {
    let _owner = as_owner(connection);
    schema::read(connection, "main")
}

/// The error of SQLite for a transaction that has ended by itself, as a disk failed.
pub(crate) fn ended() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR), None)
}

/// Opens a file that exists for looking only.
pub(crate) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    beside::check(path)?;
    let _owner = AsOwner::of(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    interrupt::patience(&connection, PATIENCE)?;
    harden(&connection)?;
    Ok(connection)
}

/// Looks at a database whose write-ahead log holds nothing, so that all of it is in its file: nothing is made beside it, and what
/// is there is not touched. `None` where that is not so, or no longer when it was looked at, and for all other databases.
pub(crate) fn untouched(path: &Path) -> Option<(Schema, Connection)> {
    let path = std::fs::canonicalize(path).ok()?;
    let before = at_rest(&path)?;
    beside::check(&path).ok()?;
    let connection = copy::frozen(&path).ok()?;
    if !native::keeps_log(&connection) {
        return None;
    }
    let schema = schema::read(&connection, "main").ok()?;
    (at_rest(&path)? == before).then_some((schema, connection))
}

/// How the file of a database looks beside which nothing waits to be put into it.
fn at_rest(path: &Path) -> Option<String> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::symlink_metadata(PathBuf::from(name))
    };
    let is_none = |found: std::io::Result<Metadata>| {
        found.map_or_else(
            |cause| cause.kind() == std::io::ErrorKind::NotFound,
            |found| found.is_file() && found.len() == 0,
        )
    };
    let waits = !is_none(beside("-wal")) || !is_none(beside("-journal"));
    (!waits).then(|| std::fs::metadata(path).ok().map(|file| durable::mark(&file)))?
}

/// What an error of SQLite says about the file.
pub(crate) fn unusable(path: &Path, cause: &rusqlite::Error) -> Found {
    let place = path.display();
    match cause.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            Found::Quarantined(format!("{place} is not a database, or is encrypted"))
        }
        Some(ErrorCode::DatabaseCorrupt) => Found::Quarantined(format!("{place} is damaged ({cause})")),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Found::Skipped(format!("{place} is busy"))
        }
        _ => Found::Refused(format!("cannot open {place}: {cause}")),
    }
}

/// What to say of a quarantined file: why, and what a person can do about it.
pub(crate) fn quarantine(path: &Path, reason: &str) -> String {
    format!(
        "{reason}; it is neither read nor written. Move {} away, with its -journal and -wal, and the next run makes it \
         again from the others; or restore a backup",
        path.display()
    )
}

/// Whether an account may write a file and what lies beside it, and what that leaves there is files that its owner can still
/// use.
pub(crate) fn may_write(
    account: &Account,
    path: &Path,
    file: &Metadata,
    config: &Config,
) -> Result<(), String> {
    if !may_write_file(account, path, file) {
        return Err(sharing::advice(account, path, file, config));
    }
    may_write_beside(account, path, file)
}

/// The same without words.
fn can_write(path: &Path, file: &Metadata) -> bool {
    let account = Account::here();
    may_write_file(&account, path, file) && may_write_beside(&account, path, file).is_ok()
}

/// What SQLite keeps beside a file has its owner and mode, unless somebody has changed that since, or made it as another.
fn may_write_beside(account: &Account, path: &Path, file: &Metadata) -> Result<(), String> {
    for suffix in ["-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let beside = PathBuf::from(name);
        // One that is no file, `beside` refuses; one that cannot be looked at is as its directory. With an access list, the
        // mode does not say.
        let Ok(found) = std::fs::symlink_metadata(&beside) else { continue };
        if account.may(&found, 0o6) || durable::has_list(&beside) {
            continue;
        }
        let owner = durable::user_numbered(file.uid()).unwrap_or_else(|| file.uid().to_string());
        let whom = format!("{owner}:{}", durable::group_named(file.gid()));
        let mode = format!("{:o}", file.mode() & 0o666);
        return Err(format!(
            "{} belongs to {}:{} (mode {:04o}), so that {} cannot read and write it, and so not use the database; as root: \
             {} && {}",
            beside.display(),
            durable::user_numbered(found.uid()).unwrap_or_else(|| found.uid().to_string()),
            durable::group_named(found.gid()),
            found.mode() & 0o7777,
            account.name,
            mend::chown(&whom, &beside),
            mend::chmod(&mode, &beside, file.uid(), file.gid()),
        ));
    }
    Ok(())
}

fn may_write_file(account: &Account, path: &Path, file: &Metadata) -> bool {
    if account.user == 0 || account.user == file.uid() {
        return true;
    }
    let above = path.parent().unwrap_or(Path::new("."));
    let directory = std::fs::metadata(above).ok();
    let own = account.groups.first().copied();
    let is_in = |group: u32| account.groups.contains(&group);
    let hands_down =
        directory.as_ref().is_some_and(|dir| dir.mode() & 0o2000 != 0 && dir.gid() == file.gid());
    is_in(file.gid()) && (own == Some(file.gid()) || hands_down) && file.mode() & 0o060 == 0o060
}

/// Whether a file is there, and this user may write it.
pub(crate) fn is_writable(path: &Path) -> bool {
    let Ok(file) = std::fs::metadata(path) else { return false };
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    can_write(&path, &file)
}

/// What to say of a missing file whose directory lies on another device than it did: a mount is missing, not the file.
pub(crate) fn elsewhere(path: &Path, then: u64) -> Option<String> {
    let is_moved = device(path).is_some_and(|now| now != then);
    is_moved.then(|| {
        format!(
            "{} is missing, and its directory is on another device than before: is a mount missing?",
            path.display()
        )
    })
}

/// Whether looking at a file leaves nothing that its owner cannot use: a log and its index are made beside one that has a
/// log, by whoever comes first and may make files there.
pub(crate) fn may_look(path: &Path, file: &Metadata) -> bool {
    let above = path.parent().unwrap_or(Path::new("."));
    let makes = Access::WRITE_OK | Access::EXEC_OK;
    can_write(path, file) || rustix::fs::accessat(CWD, above, makes, AtFlags::EACCESS).is_err()
}

/// Whether a database keeps a write-ahead log.
pub(crate) fn is_wal(connection: &Connection) -> rusqlite::Result<bool> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    // One that was opened as it is in its file alone does not say so of itself.
    Ok(mode.eq_ignore_ascii_case("wal") || native::keeps_log(connection))
}

/// The device of the directory that a path leads into.
pub(crate) fn device(path: &Path) -> Option<u64> {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    path.parent().and_then(|parent| std::fs::metadata(parent).ok()).map(|directory| directory.dev())
}

/// What tells a file from any other that lies or lay at the same path: numbers are given again, birth times are not. The
/// number of the device is no part of it, as it may be another one after each boot.
pub(crate) fn file_of(path: &Path) -> Option<String> {
    let file = std::fs::metadata(path).ok()?;
    let born = file.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    Some(format!("{}:{}", file.ino(), born.map_or(0, |born| born.as_nanos())))
}

/// The files of a database as `stat` shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// Everything that changes when the database does.
    pub(crate) text: String,
    /// The last change, in seconds: a file that changed this very moment may change again unseen.
    pub(crate) changed_at: i64,
}

/// Seconds after which a change cannot hide behind the resolution of file times.
pub(crate) const RACY_SECONDS: i64 = 2;

/// The fingerprint of a database; `None` when it cannot be looked at.
pub(crate) fn fingerprint(path: &Path) -> Option<Fingerprint> {
    let path = std::fs::canonicalize(path).ok()?;
    let mut text = String::new();
    let mut changed_at = i64::MIN;
    for suffix in ["", "-journal", "-wal"] {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        match std::fs::metadata(PathBuf::from(name)) {
            // An empty log holds nothing, and is made anew or touched by whoever only looks.
            Ok(file) if suffix == "-wal" && file.len() == 0 => text.push('-'),
            Ok(file) => {
                changed_at = changed_at.max(file.mtime()).max(file.ctime());
                text.push_str(&durable::mark(&file));
                text.push(';');
            }
            Err(_) if suffix.is_empty() => return None,
            Err(_) => text.push('-'),
        }
    }
    Some(Fingerprint { text, changed_at })
}
