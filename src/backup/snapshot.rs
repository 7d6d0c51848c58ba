//! Making a snapshot: copy, check, put in place, point `latest` at it.
//!
//! Apart from `copy`, which knows nothing of names and places. What appears under its name is whole, sound and on
//! disk; what is killed before that leaves a file in the making, which the next one here removes.

use std::fs::Metadata;
use std::path::Path;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, ErrorCode};

use crate::config::Config;
use crate::durable::{self, Nascent};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;

use super::model::{Kind, Snapshot};
use super::place::Place;
use super::verify::{self, Verdict};
use super::{copy, names};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    /// Modes, and how much of the disk must stay free.
    pub(crate) config: &'a Config,
    /// Where it goes.
    pub(crate) place: &'a Place,
    /// Why it is made.
    pub(crate) kind: Kind,
    /// The moment it is named after.
    pub(crate) at: DateTime<Utc>,
    /// Tells the files in the making of one run from those of another.
    pub(crate) tag: &'a str,
    /// Whether a copy of a damaged source is kept.
    pub(crate) damage: Damage,
}

/// Whether a copy of a damaged source is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// No copy is made of it.
    Refuse,
    /// The copy is kept, and is not called verified.
    Keep,
}

/// A new snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// It.
    pub(crate) snapshot: Snapshot,
    /// What else people should know.
    pub(crate) warnings: Vec<String>,
}

/// Copies what a connection shows.
///
/// Errors: `Busy` when the source stays locked, `Corrupt` when the copy is not sound, `Io` when the disk is too full
/// for it or fails. The source is read in one step, under a read lock for as long as that takes.
pub(crate) fn take(live: &Connection, order: &Order<'_>) -> Result<Taken> {
    let place = order.place;
    let source = std::fs::metadata(&place.live)
        .map_err(|cause| Error::io("look at the source of a backup", &place.live, cause))?;
    durable::owned_directory(&place.directory, &order.config.ownership)?;
    sweep(place);
    room(live, order)?;
    let free = |at: &DateTime<Utc>| {
        let path = place.directory.join(names::format(&place.file, order.kind, *at));
        std::fs::symlink_metadata(path).is_err()
    };
    let at = names::free_second(order.at, |at| !free(&at)).ok_or_else(|| {
        Error::new(ErrorKind::Io, "cannot find a free name for a backup in")
            .at(&place.directory)
            .hint("a clock that was wrong may have left files of this minute there; move them away")
    })?;
    let path = place.directory.join(names::format(&place.file, order.kind, at));
    let nascent = Nascent::of_owner(&path, order.tag, &source)?;
    let verified = match write(live, &nascent).map_err(|cause| failure(place, cause))? {
        Verdict::Sound => true,
        Verdict::Damaged(_) if order.damage == Damage::Keep => false,
        Verdict::Damaged(reason) => {
            let what = format!("cannot make a sound backup ({reason}) of");
            return Err(Error::new(ErrorKind::Corrupt, what)
                .at(&place.live)
                .hint("the file itself is damaged; restore an earlier backup"));
        }
    };
    nascent.publish()?;
    let warnings = match order.kind {
        Kind::Regular if verified => {
            let link = place.directory.join(names::latest(&place.file));
            let name = path.file_name().unwrap_or_default();
            durable::point(&link, name, &source).err().map(|error| error.to_string())
        }
        _ => None,
    };
    let file = std::fs::symlink_metadata(&path).map_err(|cause| Error::io("look at", &path, cause))?;
    Ok(Taken {
        snapshot: snapshot(order, path, at, &file, verified),
        warnings: warnings.into_iter().collect(),
    })
}

fn snapshot(
    order: &Order<'_>,
    path: std::path::PathBuf,
    created_at: DateTime<Utc>,
    file: &Metadata,
    verified: bool,
) -> Snapshot {
    Snapshot {
        database: order.place.database.clone(),
        side: order.place.side.clone(),
        kind: order.kind,
        path,
        created_at,
        bytes: file.len(),
        mark: crate::durable::mark(file),
        verified,
    }
}

fn write(live: &Connection, nascent: &Nascent) -> rusqlite::Result<Verdict> {
    match copy::fill(live, nascent.path()) {
        Ok(copy) => {
            drop(copy);
            // Opened anew: what counts is what the file has.
            let verdict = verify::file(nascent.path());
            interrupt::check_sql()?;
            Ok(verdict)
        }
        // It is copied page by page, and looked at only then.
        Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            Ok(Verdict::Damaged(cause.to_string()))
        }
        Err(cause) => Err(cause),
    }
}

fn failure(place: &Place, cause: rusqlite::Error) -> Error {
    let kind = match cause.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => return interrupt::cancelled(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ErrorKind::Busy,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ErrorKind::Corrupt,
        _ => ErrorKind::Io,
    };
    Error::new(kind, "cannot make a backup of").at(&place.live).because(cause)
}

/// Refuses when the copy would leave less of the disk free than the guard says.
fn room(live: &Connection, order: &Order<'_>) -> Result<()> {
    let fail = |cause| failure(order.place, cause);
    let number = |name: &str| -> rusqlite::Result<u64> {
        let value: i64 = live.pragma_query_value(None, name, |row| row.get(0))?;
        Ok(u64::try_from(value).unwrap_or(0))
    };
    let needed = number("page_count").map_err(fail)?.saturating_mul(number("page_size").map_err(fail)?);
    let directory = &order.place.directory;
    let disk = fs2::statvfs(directory).map_err(|cause| Error::io("look at the disk of", directory, cause))?;
    let percent = order.config.guards.min_free_percent;
    if leaves_enough(disk.available_space(), disk.total_space(), needed, percent) {
        return Ok(());
    }
    let (place, mebibytes) = (order.place, needed.div_ceil(1 << 20));
    let what = format!(
        "cannot make a backup of {} on {}: its {mebibytes} MiB would leave less than {percent} percent of the disk free in",
        place.database, place.side
    );
    Err(Error::new(ErrorKind::Io, what)
        .at(directory)
        .hint("free some space, remove old backups with `clean-backups`, or lower guards.min_free_percent"))
}

fn leaves_enough(available: u64, total: u64, needed: u64, percent: u32) -> bool {
    let left = u128::from(available.saturating_sub(needed));
    available >= needed && left * 100 >= u128::from(total) * u128::from(percent)
}

/// Removes what killed runs left in the making. The run lock is held, so it is nobody's.
fn sweep(place: &Place) {
    for entry in std::fs::read_dir(&place.directory).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| names::is_unfinished(&place.file, name)) {
            // One that cannot be removed is tried again next time.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Removes a snapshot that is no longer wanted.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove the backup", path, cause))
        }
        _ => Ok(()),
    }
}

/// Points `latest` at the newest of what is left, when what it pointed at is gone.
pub(crate) fn mend_latest(place: &Place, left: &[Snapshot]) -> Result<()> {
    let link = place.directory.join(names::latest(&place.file));
    let dangling = std::fs::symlink_metadata(&link).is_ok_and(|there| there.is_symlink()) && !link.exists();
    let newest = left.iter().filter(|snapshot| snapshot.kind == Kind::Regular).max_by_key(|s| s.created_at);
    match newest
        .and_then(|snapshot| Some((snapshot.path.file_name()?, std::fs::metadata(&snapshot.path).ok()?)))
    {
        Some((name, owner)) if dangling => durable::point(&link, name, &owner),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_never_filled_beyond_the_guard() {
        for (available, total, needed, percent, enough) in [
            (50, 100, 10, 5, true),
            (15, 100, 10, 5, true),
            (14, 100, 10, 5, false),
            (5, 100, 10, 0, false),
            (10, 100, 10, 0, true),
            (u64::MAX, u64::MAX, 1, 100, false),
            (u64::MAX, u64::MAX, 0, 100, true),
        ] {
            let found = leaves_enough(available, total, needed, percent);
            assert_eq!(found, enough, "{available} of {total}, {needed} needed, {percent} percent");
        }
    }
}
