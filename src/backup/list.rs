//! Finding the snapshots of a side.
//!
//! Goes by names alone and opens nothing. A symlink with the name of a snapshot is none: others may write the
//! directory.

use std::io::ErrorKind::{NotADirectory, NotFound};

use chrono::{DateTime, Utc};

use crate::error::{Error, Result};

use super::model::{Kind, Snapshot};
use super::names;
use super::place::Place;

/// The snapshots at a place, newest first. A directory that does not exist has none.
///
/// Errors: when the directory cannot be read.
pub(crate) fn at(place: &Place) -> Result<Vec<Snapshot>> {
    let fail = |cause| Error::io("look for backups in", &place.directory, cause);
    let entries = match std::fs::read_dir(&place.directory) {
        Ok(entries) => entries,
        Err(cause) if matches!(cause.kind(), NotFound | NotADirectory) => return Ok(Vec::new()),
        Err(cause) => return Err(fail(cause)),
    };
    let mut snapshots = Vec::new();
    for entry in entries {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name();
        let Some((kind, created_at)) = name.to_str().and_then(|name| names::parse(&place.file, name)) else {
            continue;
        };
        // One that is gone by now, and whatever is not a file.
        let Some(file) = entry.metadata().ok().filter(std::fs::Metadata::is_file) else { continue };
        snapshots.push(Snapshot {
            database: place.database.clone(),
            side: place.side.clone(),
            kind,
            path: entry.path(),
            created_at,
            bytes: file.len(),
            mark: crate::durable::mark(&file),
            verified: false,
        });
    }
    snapshots.sort_by_key(|snapshot| std::cmp::Reverse((snapshot.created_at, snapshot.kind)));
    Ok(snapshots)
}

/// Whether a replica needs a new snapshot: none that is known to be sound was made within `minutes`.
///
/// One from the future counts as new only within the same time, so that a clock that was wrong once does not stop
/// all that follow.
pub(crate) fn is_due(snapshots: &[Snapshot], minutes: u32, now: DateTime<Utc>) -> bool {
    let limit = i64::from(minutes).saturating_mul(60);
    !snapshots.iter().any(|snapshot| {
        let age = now.signed_duration_since(snapshot.created_at).num_seconds();
        snapshot.kind == Kind::Regular && snapshot.verified && age.abs() < limit
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chrono::TimeDelta;

    use super::*;

    fn place(directory: &Path) -> Place {
        Place {
            database: "users".into(),
            side: "web".into(),
            live: directory.join("users.db"),
            directory: directory.to_path_buf(),
            file: "users.db".into(),
        }
    }

    #[test]
    fn only_files_of_ours_are_found_newest_first() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        for name in [
            "users.db",
            "users.db.backup.2025-07-14_09-31-02",
            "users.db.backup.2025-07-15_09-31-02",
            "users.db.emergency.2025-07-14_12-00-00",
            "users.db.backup.2025-07-15_09-31-02-journal",
            "other.db.backup.2025-07-15_09-31-02",
        ] {
            std::fs::write(directory.path().join(name), name)?;
        }
        let link = directory.path().join("users.db.backup.2025-07-16_00-00-00");
        std::os::unix::fs::symlink("users.db", link)?;
        std::fs::create_dir(directory.path().join("users.db.backup.2025-07-17_00-00-00"))?;
        let found = at(&place(directory.path()))?;
        let ids: Vec<String> = found.iter().map(Snapshot::id).collect();
        assert_eq!(
            ids,
            [
                "users:web:2025-07-15_09-31-02",
                "users:web:emergency:2025-07-14_12-00-00",
                "users:web:2025-07-14_09-31-02"
            ]
        );
        assert_eq!(found[0].bytes, 35);
        assert_eq!(at(&place(&directory.path().join("none")))?, []);
        Ok(())
    }

    #[test]
    fn a_snapshot_is_due_when_the_last_sound_one_is_old() {
        let now = DateTime::from_timestamp(1_752_485_462, 0).unwrap();
        let one = |age: i64, kind, verified| Snapshot {
            database: "d".into(),
            side: "s".into(),
            kind,
            path: "p".into(),
            created_at: now - TimeDelta::seconds(age),
            bytes: 1,
            mark: String::new(),
            verified,
        };
        for (snapshots, minutes, due) in [
            (vec![], 15, true),
            (vec![one(0, Kind::Regular, true)], 15, false),
            (vec![one(0, Kind::Regular, true)], 0, true),
            (vec![one(899, Kind::Regular, true)], 15, false),
            (vec![one(900, Kind::Regular, true)], 15, true),
            (vec![one(10, Kind::Regular, false)], 15, true),
            (vec![one(10, Kind::Emergency, true)], 15, true),
            (vec![one(-1, Kind::Regular, true)], 15, false),
            (vec![one(-86_400, Kind::Regular, true)], 15, true),
        ] {
            assert_eq!(is_due(&snapshots, minutes, now), due, "{snapshots:?} {minutes}");
        }
    }
}
