//! When it was last told that nobody can be let in, so that all processes together tell it about once an hour.
//!
//! The note lies where others may write, and must not silence anybody: it says which start of the machine it was made in,
//! and how long after that, so that neither its times nor an older one that is put back count. It counts only for whoever
//! made it, and for all where root or the configured user did; and only where nobody else may write to it. So what the
//! website does there silences the website, and not the cleanup of the cron jobs, which tells by itself.

use std::cell::RefCell;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::clock::{self, Boot, Stopwatch};
use crate::config::Ownership;
use crate::durable;
use crate::error::{Error, Result};

/// So long it counts (seconds): less than an hour, so that what runs every hour tells each time.
const COUNTS: u64 = 3_300;
/// Longer ones are none (bytes).
const MOST: u64 = 200;

thread_local! {
    /// What was done lately in this process, by what it is about.
    static LATELY: RefCell<Vec<(PathBuf, Stopwatch)>> = const { RefCell::new(Vec::new()) };
}

/// Whether it was told lately by anybody who can be believed; if not it counts as told from now on.
///
/// # Errors
/// When that cannot be written down.
pub(super) fn is_told(path: &Path, ownership: &Ownership) -> Result<bool> {
    let now = clock::boot();
    if read(path, ownership).is_some_and(|note| is_recent(&note, &now)) {
        return Ok(true);
    }
    if fs::symlink_metadata(path).is_ok() {
        durable::remove(path)?;
    }
    let fail = |cause| Error::io("write", path, cause);
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    let mut file = made.map_err(fail)?;
    file.set_permissions(fs::Permissions::from_mode(0o644)).map_err(fail)?;
    file.write_all(text(&now).as_bytes()).map_err(fail)?;
    Ok(false)
}

/// What a note says that can be believed.
fn read(path: &Path, ownership: &Ownership) -> Option<String> {
    let file = durable::open_regular(path).ok()?;
    let found = file.metadata().ok()?;
    let user = rustix::process::geteuid().as_raw();
    let owner = durable::owner(ownership).map(|(user, _)| user);
    let is_ours = found.uid() == 0 || found.uid() == user || Some(found.uid()) == owner;
    if !is_ours || found.mode() & 0o022 != 0 {
        return None;
    }
    let mut note = String::new();
    file.take(MOST).read_to_string(&mut note).ok()?;
    Some(note)
}

fn text(now: &Boot) -> String {
    format!("{} {}\n", now.id, now.seconds)
}

/// Whether a note was made in this start of the machine, and not long ago; in the future none was.
fn is_recent(note: &str, now: &Boot) -> bool {
    let Some((id, seconds)) = note.trim_end().rsplit_once(' ') else { return false };
    let age = seconds.parse::<u64>().ok().and_then(|then| now.seconds.checked_sub(then));
    id == now.id && age.is_some_and(|age| age < COUNTS)
}

/// Whether this process did something about it within so many milliseconds.
pub(super) fn is_lately(path: &Path, within_ms: u64) -> bool {
    LATELY.with_borrow(|all| all.iter().any(|(own, since)| own == path && since.millis() < within_ms))
}

/// It did now.
pub(super) fn note(path: PathBuf) {
    LATELY.with_borrow_mut(|all| {
        all.retain(|(own, _)| *own != path);
        all.push((path, clock::start()));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(id: &str, seconds: u64) -> Boot {
        Boot { id: id.to_owned(), seconds }
    }

    #[test]
    fn a_note_counts_for_less_than_an_hour_of_one_start_of_the_machine() {
        let now = boot("this", 10_000);
        for (note, expected) in [
            (text(&now), true),
            (text(&boot("this", 9_000)), true),
            (text(&boot("this", 10_001 - COUNTS)), true),
            (text(&boot("this", 10_000 - COUNTS)), false),
            (text(&boot("this", 10_001)), false),
            (text(&boot("that", 10_000)), false),
            (text(&boot("", 10_000)), false),
            ("told\n".to_owned(), false),
            ("this -1\n".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_recent(&note, &now), expected, "{note}");
        }
        assert!(COUNTS < 3_600);
        assert!(
            is_recent(&text(&boot("", 5)), &boot("", 6)),
            "where the machine does not say which start it is"
        );
    }
}
