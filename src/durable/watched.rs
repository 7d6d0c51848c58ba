//! A file that others change, read again whenever it is another.
//!
//! Apart from `document`, which changes such a file: here nothing is locked or written, and what is known is asked for at
//! every call. A look at the file's times tells whether it is the same, except where it is so new that the next change may
//! get the same times: then its bytes are compared, too. A reader may come upon a file that somebody is just writing: what
//! makes no sense is broken only if it stays so for a while.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::clock;
use crate::error::{Error, ErrorKind, Result};

/// Larger documents are none (bytes).
const MAX_BYTES: usize = 64 << 20;
/// Within so long two changes may get the same times: twice the longest tick of a kernel (milliseconds).
const TICK_MS: i64 = 20;
/// The same where a file system keeps whole seconds, or two of them (milliseconds).
const COARSE_TICK_MS: i64 = 3_000;
/// What makes no sense for so long is not just being written (milliseconds).
const SETTLE_MS: u64 = 250;
/// Whoever writes again and again is not waited for longer (milliseconds).
const MOST_MS: u64 = 3_000;
/// Between two looks (milliseconds).
const PAUSE_MS: u64 = 2;

/// What a file says.
#[derive(Debug)]
pub(crate) enum Reading {
    /// There is none.
    Missing,
    /// It makes no sense, and why.
    Broken(String),
    /// JSON.
    Whole(Value),
}

impl Reading {
    /// What bytes say.
    pub(crate) fn of(bytes: &[u8]) -> Reading {
        parse(bytes).map_or_else(Reading::Broken, Reading::Whole)
    }
}

/// What was made of a file, and of which state of it.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    stamp: Option<Stamp>,
    /// Whether the next change will show in the stamp.
    is_certain: bool,
    bytes: Vec<u8>,
    made: T,
}

/// What tells one state of a file from another, as long as the two are not of the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp([i64; 4], [u64; 3]);

impl Stamp {
    /// That of a file or of what a symlink names, and whether whatever changes it from now on will show; nothing where there
    /// is none. Where it does, what is read after this answer is good for as long as the stamp is the same.
    #[must_use]
    pub fn look(path: &Path) -> Option<(Stamp, bool)> {
        let now = clock::now();
        let stamp = Stamp::of(&fs::metadata(path).ok()?);
        Some((stamp, stamp.is_certain(now)))
    }

    fn of(file: &fs::Metadata) -> Stamp {
        Stamp(
            [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()],
            [file.dev(), file.ino(), file.size()],
        )
    }

    /// Whether a change after this moment gets other times.
    fn is_certain(self, now: DateTime<Utc>) -> bool {
        let Stamp([_, mtime_nsec, ctime, ctime_nsec], _) = self;
        let tick = if (mtime_nsec, ctime_nsec) == (0, 0) { COARSE_TICK_MS } else { TICK_MS };
        let changed = u32::try_from(ctime_nsec).ok().and_then(|nsec| DateTime::from_timestamp(ctime, nsec));
        changed.is_some_and(|changed| now - changed > TimeDelta::milliseconds(tick))
    }
}

impl<T> Watched<T> {
    /// What a file says now, which `make` turns into what is wanted of it. Brings `kept` up to date.
    ///
    /// # Errors
    /// When it cannot be read, or is no regular file.
    pub(crate) fn current<'a>(
        kept: &'a mut Option<Watched<T>>,
        path: &Path,
        make: impl FnOnce(Reading) -> T,
    ) -> Result<&'a T> {
        let stamp = match fs::symlink_metadata(path) {
            Ok(file) => Some(Stamp::of(&file)),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => None,
            Err(cause) => return Err(Error::io("look at", path, cause)),
        };
        let is_same =
            kept.as_ref().is_some_and(|kept| kept.stamp == stamp && (kept.is_certain || stamp.is_none()));
        if !is_same {
            // Nothing that is out of date stays behind an error.
            let old = kept.take();
            let fresh = read(path)?;
            *kept = Some(match old {
                Some(old) if old.stamp.is_some() && fresh.stamp.is_some() && old.bytes == fresh.bytes => {
                    Watched { stamp: fresh.stamp, is_certain: fresh.is_certain, ..old }
                }
                _ => Watched {
                    stamp: fresh.stamp,
                    is_certain: fresh.is_certain,
                    bytes: fresh.bytes,
                    made: make(fresh.reading),
                },
            });
        }
        let lost = || Error::new(ErrorKind::Internal, "cannot keep what was read of").at(path);
        kept.as_ref().map(|kept| &kept.made).ok_or_else(lost)
    }
}

/// All of a regular file of at most so many bytes that others write, when nobody is just writing it: what is no JSON yet is
/// waited for.
///
/// # Errors
/// As [`read_regular`](super::read_regular).
pub(crate) fn settled(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let (began, mut since) = (clock::start(), clock::start());
    let mut before: Option<Vec<u8>> = None;
    loop {
        let bytes = super::read_regular(path, most)?;
        if parse(&bytes).is_ok() {
            return Ok(bytes);
        }
        let is_same = before.as_ref() == Some(&bytes);
        if is_same && since.millis() >= SETTLE_MS || began.millis() >= MOST_MS {
            return Ok(bytes);
        }
        if !is_same {
            (before, since) = (Some(bytes), clock::start());
        }
        clock::pause(PAUSE_MS);
    }
}

struct Fresh {
    stamp: Option<Stamp>,
    is_certain: bool,
    bytes: Vec<u8>,
    reading: Reading,
}

/// Reads it until it makes sense, or has made none for a while.
fn read(path: &Path) -> Result<Fresh> {
    let began = clock::start();
    let mut since = clock::start();
    let mut before: Option<Vec<u8>> = None;
    loop {
        let now = clock::now();
        let Some(file) = open(path)? else {
            return Ok(Fresh { stamp: None, is_certain: true, bytes: Vec::new(), reading: Reading::Missing });
        };
        let found = file.metadata().map_err(|cause| Error::io("look at", path, cause))?;
        let stamp = Stamp::of(&found);
        let bytes = whole(&file, path)?;
        let reading = match parse(&bytes) {
            Ok(value) => Reading::Whole(value),
            Err(reason) => {
                if before.as_ref() != Some(&bytes) {
                    (before, since) = (Some(bytes.clone()), clock::start());
                }
                if since.millis() < SETTLE_MS && began.millis() < MOST_MS {
                    clock::pause(PAUSE_MS);
                    continue;
                }
                Reading::Broken(reason)
            }
        };
        return Ok(Fresh { stamp: Some(stamp), is_certain: stamp.is_certain(now), bytes, reading });
    }
}

/// Opens a document; `None` where there is none.
pub(super) fn open(path: &Path) -> Result<Option<File>> {
    let file = match OpenOptions::new().read(true).custom_flags(super::wary()).open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) if cause.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            let error = Error::new(ErrorKind::Io, "refused a symlink, which is not followed:").at(path);
            return Err(error.hint("put the file itself there, or name in the configuration where it is"));
        }
        Err(cause) => return Err(Error::io("open", path, cause)),
    };
    if file.metadata().is_ok_and(|found| found.is_file()) {
        return Ok(Some(file));
    }
    Err(Error::new(ErrorKind::Io, "refused what is no regular file:").at(path).hint("move it away"))
}

/// All of an open document, wherever it was read to before.
pub(super) fn whole(file: &File, path: &Path) -> Result<Vec<u8>> {
    let too_much = || {
        Error::new(ErrorKind::Corrupt, "refused a document of more than 64 MiB:")
            .at(path)
            .hint("move it away")
    };
    // Nobody reads all that before it is refused.
    let is_small = |size| usize::try_from(size).is_ok_and(|size| size <= MAX_BYTES);
    if !file.metadata().is_ok_and(|found| is_small(found.size())) {
        return Err(too_much());
    }
    let mut bytes = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        let at = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let count = match file.read_at(&mut piece, at) {
            Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => continue,
            count => count.map_err(|cause| Error::io("read", path, cause))?,
        };
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        if bytes.len() > MAX_BYTES {
            return Err(too_much());
        }
    }
}

/// The value of a document, or why it has none. A number or a word alone is none.
pub(super) fn parse(bytes: &[u8]) -> std::result::Result<Value, String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    match serde_json::from_slice(&super::numbers::hide(bytes)) {
        Ok(value @ (Value::Array(_) | Value::Object(_))) => Ok(value),
        Ok(_) => Err("it is neither a list nor an object".to_owned()),
        // Without what stands there, which may be secret.
        Err(cause) => Err(format!("it is no JSON (line {}, column {})", cause.line(), cause.column())),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn a_change_of_the_same_length_in_the_same_moment_is_seen() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a.json");
        let mut kept = None;
        for round in 0..2_000 {
            let text = format!("[{}]", 1000 + round);
            fs::write(&path, &text)?;
            let said = Watched::current(&mut kept, &path, |reading| match reading {
                Reading::Whole(value) => value.to_string(),
                other => format!("{other:?}"),
            })?;
            assert_eq!(*said, text);
        }
        Ok(())
    }

    #[test]
    fn what_is_just_being_written_is_waited_for() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a.json");
        // As a page does that writes in place: first it is empty, then half of it is there.
        fs::write(&path, "")?;
        std::thread::scope(|threads| -> Outcome {
            let writer = threads.spawn(|| -> std::io::Result<()> {
                clock::pause(20);
                fs::write(&path, r#"{"a": ["#)?;
                clock::pause(20);
                fs::write(&path, r#"{"a": []}"#)
            });
            assert_eq!(settled(&path, 100)?, br#"{"a": []}"#);
            writer.join().map_err(|_| "the writer panicked")??;
            Ok(())
        })?;
        // What stays as it is, is what there is.
        fs::write(&path, "{")?;
        assert_eq!(settled(&path, 100)?, b"{");
        assert!(settled(&path, 0).is_err() && settled(&path.with_extension("no"), 100).is_err());
        Ok(())
    }

    #[test]
    fn what_is_the_same_is_not_read_again() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a.json");
        let (mut kept, made) = (None, Cell::new(0));
        let mut look =
            || Watched::current(&mut kept, &path, |_| made.set(made.get() + 1)).map(|()| made.get());
        assert_eq!((look()?, look()?), (1, 1));
        fs::write(&path, "[]")?;
        assert_eq!((look()?, look()?), (2, 2), "the same bytes mean the same");
        fs::remove_file(&path)?;
        assert_eq!(look()?, 3);
        Ok(())
    }

    #[test]
    fn only_what_is_older_than_a_tick_is_known_by_its_times() {
        let at = |ms: i64| DateTime::from_timestamp_millis(1_000_000 + ms).unwrap_or_default();
        let fine = Stamp([1000, 0, 1000, 4_000_000], [1, 2, 3]);
        for (ms, expected) in [(0, false), (4, false), (24, false), (25, true), (-5_000, false)] {
            assert_eq!(fine.is_certain(at(ms)), expected, "{ms}");
        }
        let coarse = Stamp([1000, 0, 1000, 0], [1, 2, 3]);
        assert_eq!((coarse.is_certain(at(2_000)), coarse.is_certain(at(3_001))), (false, true));
    }

    #[test]
    fn what_makes_no_sense_is_broken_when_it_stays_so() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a.json");
        let says = |text: &str| -> std::result::Result<String, Box<dyn std::error::Error>> {
            fs::write(&path, text)?;
            Ok(Watched::current(&mut None, &path, |reading| match reading {
                Reading::Broken(reason) => reason,
                other => format!("{other:?}"),
            })?
            .clone())
        };
        assert_eq!(says("")?, "it is empty");
        assert_eq!(says("[1, crk_")?, "it is no JSON (line 1, column 5)");
        assert_eq!(says("7")?, "it is neither a list nor an object");
        fs::remove_file(&path)?;
        std::os::unix::fs::symlink("/dev/null", &path)?;
        assert!(Watched::current(&mut None, &path, |_| ()).is_err());
        Ok(())
    }
}
