//! Writing the content of a snapshot into a live file, under the eyes of everybody who has it open.
//!
//! Page by page through SQLite's backup interface: other connections keep working and see the new content in their
//! next transaction. Where that cannot be, row by row in one transaction (`rows`): a target in WAL mode keeps its
//! page size, one in another encoding its encoding, and a reader that does not end keeps the whole-file lock away.
//!
//! Invariant: the live file has its old content or the new one, never a part of each; SQLite's journal sees to it
//! when we are killed. It keeps its journal mode. What it held before is in an emergency copy that the caller made.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode};

use crate::clock;
use crate::durable::{AsOwner, Nascent};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;

use super::verify::{self, Verdict};
use super::{copy, rows};

/// The private copy while a restore is at work.
const COPY: &str = "restore.db";
/// Tells it from the finished file that it never becomes.
const COPY_TAG: &str = "source";
/// One try for the whole-file lock: while it is tried for, new readers are turned away (milliseconds).
const TRY_MS: u64 = 20;
/// Between two tries readers get through (milliseconds).
const PAUSE_MS: u64 = 30;
/// The share of the patience that goes into page by page; the rest is for row by row.
const PAGES_SHARE: u64 = 2;

/// How a live file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Page by page.
    Pages,
    /// Row by row, for this reason.
    Rows(&'static str),
}

/// A live file has its new content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Restored {
    /// How.
    pub(crate) way: Way,
    /// For how long others could not write, in milliseconds.
    pub(crate) lock_ms: u64,
}

/// A private, verified copy of a snapshot. What is checked is what is restored, whoever may write where it lies.
#[derive(Debug)]
pub(crate) struct Source {
    connection: Connection,
    /// Removed when dropped, after the connection: fields are dropped in their order.
    _file: Nascent,
}

impl Source {
    /// Copies a snapshot into `directory`, which is ours alone, and checks it.
    ///
    /// Errors: `Corrupt` when it is not sound, `Io` when it cannot be copied.
    pub(crate) fn of(snapshot: &Path, directory: &Path) -> Result<Source> {
        let fail = |cause: rusqlite::Error| match cause.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => interrupt::cancelled(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                verify::refusal(snapshot, &cause.to_string())
            }
            _ => Error::new(ErrorKind::Io, "cannot make a working copy of the backup")
                .at(snapshot)
                .because(cause),
        };
        let file = std::fs::symlink_metadata(snapshot)
            .map_err(|cause| Error::io("read the backup", snapshot, cause))?;
        if !file.is_file() || file.len() == 0 {
            return Err(verify::refusal(snapshot, "it is not a file with content"));
        }
        if let Some(reason) = verify::disturbed(snapshot) {
            return Err(verify::refusal(snapshot, &reason));
        }
        sweep(directory);
        let nascent = Nascent::of_ours(&directory.join(COPY), COPY_TAG)?;
        let connection = copy::fill(&copy::frozen(snapshot).map_err(fail)?, nascent.path()).map_err(fail)?;
        match verify::connection_is_sound(&connection).map_err(fail)? {
            Verdict::Sound => Ok(Source { connection, _file: nascent }),
            Verdict::Damaged(reason) => Err(verify::refusal(snapshot, &reason)),
        }
    }

    /// The copy; it has a rollback journal.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Writes the content into a live file, trying for as long as `patience`.
    ///
    /// Errors: `Busy` when others keep it locked, `Usage` when it can only be done row by row and `rows` refuses,
    /// `Io` for the rest. The file is as it was then.
    pub(crate) fn write_to(
        &self,
        live: &mut Connection,
        path: &Path,
        patience: Duration,
    ) -> Result<Restored> {
        let _owner = AsOwner::of(path);
        self.attempt(live, patience).map_err(|obstacle| failure(path, obstacle))
    }

    fn attempt(&self, live: &mut Connection, patience: Duration) -> std::result::Result<Restored, Obstacle> {
        let own = Layout::of(&self.connection)?;
        let theirs = Layout::of(live)?;
        let reason = if theirs.wal && own.page_size != theirs.page_size {
            "its page size is another, which a database in WAL mode cannot change"
        } else if own.encoding != theirs.encoding {
            "its text encoding is another"
        } else {
            match self.by_pages(live, patience)? {
                Some(restored) => return Ok(restored),
                None => "somebody kept reading it",
            }
        };
        let lock_ms = rows::replace(&self.connection, live, patience)?;
        Ok(Restored { way: Way::Rows(reason), lock_ms })
    }

    /// `None` when the lock was not to be had.
    fn by_pages(&self, live: &mut Connection, patience: Duration) -> rusqlite::Result<Option<Restored>> {
        let share = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX) / PAGES_SHARE;
        live.busy_timeout(Duration::from_millis(TRY_MS))?;
        let all = clock::start();
        loop {
            interrupt::check_sql()?;
            let watch = clock::start();
            let quiet = interrupt::quiet();
            let step = Backup::new(&self.connection, live)?.step(-1);
            drop(quiet);
            match step {
                Ok(StepResult::Done) => {
                    return Ok(Some(Restored { way: Way::Pages, lock_ms: watch.millis() }));
                }
                Ok(_) => {}
                Err(cause) if is_busy(&cause) => {}
                Err(cause) => return Err(cause),
            }
            if all.millis() >= share {
                return Ok(None);
            }
            clock::pause(PAUSE_MS);
        }
    }
}

/// What pages depend on.
struct Layout {
    page_size: i64,
    encoding: String,
    wal: bool,
}

impl Layout {
    fn of(connection: &Connection) -> rusqlite::Result<Layout> {
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        Ok(Layout {
            page_size: connection.pragma_query_value(None, "page_size", |row| row.get(0))?,
            encoding: connection.pragma_query_value(None, "encoding", |row| row.get(0))?,
            wal: mode == "wal",
        })
    }
}

/// Why nothing was written.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// SQLite says so.
    Sql(rusqlite::Error),
    /// It can only be done row by row, and this cannot.
    Refused(String),
}

impl From<rusqlite::Error> for Obstacle {
    fn from(cause: rusqlite::Error) -> Obstacle {
        Obstacle::Sql(cause)
    }
}

fn failure(live: &Path, obstacle: Obstacle) -> Error {
    match obstacle {
        Obstacle::Sql(cause) if is_busy(&cause) => {
            Error::new(ErrorKind::Busy, "others kept using the file, so nothing was restored into")
                .at(live)
                .because(cause)
                .hint("try again, or stop what keeps reading it")
        }
        Obstacle::Sql(cause) if cause.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            interrupt::cancelled()
        }
        Obstacle::Sql(cause) => Error::new(ErrorKind::Io, "cannot restore into")
            .at(live)
            .because(cause)
            .hint("the file is as it was"),
        Obstacle::Refused(why) => {
            Error::new(ErrorKind::Usage, format!("cannot restore row by row ({why}) into"))
                .at(live)
                .hint("the file is as it was; stop whoever has it open, move it away, and restore again")
        }
    }
}

/// Whether an error means that somebody else is at the file.
pub(super) fn is_busy(cause: &rusqlite::Error) -> bool {
    matches!(cause.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Removes what a killed restore left in `directory`; a journal of it would be mixed into the next copy. The run lock
/// is held, so it is nobody's.
pub(crate) fn sweep(directory: &Path) {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let _ = std::fs::remove_file(directory.join(format!("{COPY}.new-{COPY_TAG}{suffix}")));
    }
}
