//! Locks by name in `sync_state/locks/`, for jobs and for files that several processes change.
//!
//! The kernel releases them when their holder ends, however it ends, so none is ever stuck. Since when stands in it, for
//! people; nobody decides by that. In the directory each may remove only what is his, so that a lock that the cron user made
//! is everybody's to take and nobody else's to take away.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::{holders, unusable};
use crate::clock;
use crate::config::Ownership;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;

/// All that there are, which the cron user's runs make where they are missing.
pub(super) const ALL: [&str; 12] = [
    "api_keys",
    "api_keys_withdrawn",
    "api_rate_limits",
    "api_sessions",
    "api_sessions_withdrawn",
    "events",
    "events-archive",
    "integrity",
    "integrity_alerts",
    "rate_limits",
    "security",
    "watch",
];

/// Between two tries (milliseconds).
const PAUSE_MS: u64 = 1;

/// So often others may remove what was just made.
const MAX_TRIES: u32 = 10;

/// Held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock of a name, and waits for whoever holds it, at most so long (milliseconds).
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] when it is held for longer.
    pub(crate) fn take(root: &Path, ownership: &Ownership, name: &str, wait_ms: u64) -> Result<Lock> {
        let state = root.join("sync_state");
        let directory = state.join("locks");
        super::state_directory(&state, ownership)?;
        super::apart_directory(&directory)?;
        let path = directory.join(format!("{name}.lock"));
        let began = clock::start();
        for _ in 0..MAX_TRIES {
            let file = open_or_make(&path)?;
            hold(&file, &path, &began, wait_ms)?;
            // Others may remove it while it is waited for: whoever comes then makes another one, and holds that.
            if !is_at(&file, &path).map_err(|cause| Error::io("look at the lock", &path, cause))? {
                continue;
            }
            // Whoever made it may have had a narrower mask; only its owner can and need mend that.
            let _ = file.set_permissions(fs::Permissions::from_mode(0o660));
            let lock = Lock(file);
            // What stands there is for people, so nothing depends on it.
            let _ = sign(&lock.0);
            return Ok(lock);
        }
        Err(Error::new(ErrorKind::Busy, "others remove again and again").at(path))
    }
}

/// Waits until an open lock is ours.
fn hold(file: &File, path: &Path, began: &clock::Stopwatch, wait_ms: u64) -> Result<()> {
    loop {
        match fs2::FileExt::try_lock_exclusive(file) {
            Ok(()) => return Ok(()),
            Err(cause) if cause.kind() == fs2::lock_contended_error().kind() => {
                if began.millis() >= wait_ms {
                    return Err(Error::new(ErrorKind::Locked, "another process holds the lock")
                        .at(path)
                        .hint(holders::words(path)));
                }
                interrupt::check()?;
                clock::pause(PAUSE_MS);
            }
            Err(cause) => return Err(Error::io("lock", path, cause)),
        }
    }
}

/// Whether a name is still that of an open file.
fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (open.dev(), open.ino())),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(cause),
    }
}

/// Writes into a lock who holds it.
/// What a lock says is shorter (bytes).
const MAX_TEXT: usize = 128;

fn sign(file: &File) -> std::io::Result<()> {
    let mut text = Vec::new();
    writeln!(text, "process {} since {}", std::process::id(), clock::stamp(clock::now()))?;
    file.write_all_at(&text, 0)?;
    file.set_len(u64::try_from(text.len()).unwrap_or(0))
}

/// Whether what is open is a lock: it is empty, or says who holds or held it.
pub(super) fn is_one(file: impl AsFd) -> bool {
    let mut text = [0; MAX_TEXT];
    let read = rustix::io::pread(file, &mut text, 0);
    read.is_ok_and(|length| length == 0 || (length < MAX_TEXT && text.starts_with(b"process ")))
}

/// Opens the file, and makes it where there is none.
fn open_or_make(path: &Path) -> Result<File> {
    for _ in 0..MAX_TRIES {
        match OpenOptions::new().read(true).write(true).custom_flags(super::wary()).open(path) {
            Ok(file) => return Ok(file),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => super::private_file(path)?,
            Err(cause) => return Err(unusable::refused(path, cause)),
        }
    }
    Err(Error::new(ErrorKind::Busy, "others remove again and again").at(path))
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing releases it too; a failure here changes nothing.
        let _ = fs2::FileExt::unlock(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    /// How often this process has a file open.
    fn open(path: &Path) -> usize {
        let Ok(all) = fs::read_dir("/proc/self/fd") else { return 0 };
        all.flatten().filter(|one| fs::read_link(one.path()).is_ok_and(|there| there == path)).count()
    }

    #[test]
    fn a_lock_that_was_removed_while_it_was_waited_for_is_not_held() -> Outcome {
        let directory = tempfile::tempdir()?;
        let root = directory.path().canonicalize()?;
        let config = Config::parse(br#"{"version": 1}"#, &root, None)?;
        let take = |wait: u64| Lock::take(&root, &config.ownership, "test", wait);
        let path = root.join("sync_state/locks/test.lock");
        let first = take(0)?;
        assert_eq!(take(0).err().map(|error| error.kind()), Some(ErrorKind::Locked));
        std::thread::scope(|scope| -> Outcome {
            let waiting = scope.spawn(|| take(2_000).map(drop).map_err(|error| error.kind()));
            // Until it waits for that file.
            while open(&path) < 2 && !waiting.is_finished() {
                clock::pause(1);
            }
            fs::remove_file(&path)?;
            let second = take(0)?;
            // What it waits for is free now, and is no lock any more.
            drop(first);
            let found = waiting.join().map_err(|_| "it panicked")?;
            assert_eq!(found, Err(ErrorKind::Locked));
            drop(second);
            Ok(())
        })?;
        take(0)?;
        Ok(())
    }

    #[test]
    fn who_held_it_before_is_not_said_to_hold_it() -> Outcome {
        let directory = tempfile::tempdir()?;
        let root = directory.path();
        let config = Config::parse(br#"{"version": 1}"#, root, None)?;
        drop(Lock::take(root, &config.ownership, "test", 0)?);
        let path = root.join("sync_state/locks/test.lock");
        fs::write(&path, "process 1313 since 2026-01-02T03:04:05.000Z\n")?;
        // As a page may, which writes nothing into it.
        let file = File::open(&path)?;
        fs2::FileExt::lock_exclusive(&file)?;
        let Err(error) = Lock::take(root, &config.ownership, "test", 0) else {
            return Err("it was taken twice".into());
        };
        let hint = error.hint_text().unwrap_or_default();
        let own = format!("it is held by process {}", std::process::id());
        assert!(hint == own || hint.contains("does not tell"), "{hint}");
        let told = holders::held(root).into_iter().map(|one| (one.process, one.since)).collect::<Vec<_>>();
        assert!(told.iter().all(|(process, since)| *process != Some(1313) && since.is_none()), "{told:?}");
        Ok(())
    }
}
