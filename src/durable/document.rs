//! A JSON file that we and programs of others change: read, change, replace.
//!
//! **What always holds:** whoever opens the file sees all of one state. Ours take turns by a lock of our own; others are
//! kept out by `flock` on the file, as PHP's `LOCK_EX` takes it, where they ask for that. Where they do not, what is there is
//! compared with what was read right before it is replaced, and the change is made again on what somebody else has put
//! there. Who waited for the file while it was replaced then writes into the old one: that is looked for afterwards, and
//! the change is made again on what he wrote. A death at any moment leaves the old state or the new one.
//!
//! Owner, group and mode stay as far as we may give them; so do members that mean nothing to us, and their order. It must
//! never take what somebody is just writing for broken, and never lose what is broken: that is moved aside.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::Value;

use super::aside::{self, Broken, Judged};
use super::{Lock, Nascent, pretty, watched};
use crate::clock;
use crate::config::Ownership;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;

/// So often others may come in between.
const MAX_TRIES: u32 = 50;
/// What makes no sense for so long is not just being written (milliseconds).
const SETTLE_MS: u64 = 250;
/// So often the kernel's list of locks is read before nobody is said to be in it.
const LISTINGS: u32 = 4;
/// Nobody has taken the lock, nor waits for it, at so many looks in a row, so that nobody will.
const QUIET_LOOKS: u32 = 20;
/// Who waited for the old file has written it after so long (milliseconds).
const LATE_MS: u64 = 500;
/// Between two looks (milliseconds).
const PAUSE_MS: u64 = 1;

/// A document and how it is shared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Document<'a> {
    /// Where it is.
    pub(crate) path: &'a Path,
    /// Where our lock is.
    pub(crate) root: &'a Path,
    /// The name of our lock.
    pub(crate) lock: &'a str,
    /// Who gets it when it is made.
    pub(crate) ownership: &'a Ownership,
    /// So long it is waited for (milliseconds).
    pub(crate) wait_ms: u64,
}

/// What became of a value that may have been changed.
#[derive(Debug)]
pub(crate) enum Altered<T> {
    /// Nothing.
    No(T),
    /// It is to be written.
    Yes(T),
}

/// The state that is to be changed.
struct Base {
    /// The open file with our `flock`; `None` where there is none.
    file: Option<(File, fs::Metadata)>,
    bytes: Vec<u8>,
    value: Value,
}

/// What somebody wrote into a file that had been replaced, and what we had put in its place.
struct Late {
    theirs: Value,
    ours: Vec<u8>,
}

impl Document<'_> {
    /// Changes it. `alter` may be called more than once, each time with another state; a missing document is an empty
    /// list. `tell` is called for each that makes no sense, right before it is moved aside: whoever dies in between tells
    /// of it once more, and never not at all. It is called again where it was not moved after all.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] when another process of ours is at it for longer, [`ErrorKind::Busy`] when others never leave
    /// it alone. After any error of the file system it is as it was, or changed.
    pub(crate) fn change<T>(
        &self,
        mut tell: impl FnMut(&Broken),
        mut alter: impl FnMut(&mut Value) -> Result<Altered<T>>,
    ) -> Result<T> {
        let _lock = Lock::take(self.root, self.ownership, self.lock, self.wait_ms)?;
        let _quiet = interrupt::quiet();
        let mut late = None::<Late>;
        for _ in 0..MAX_TRIES {
            let Some(mut base) = self.base(&mut tell)? else { continue };
            if let Some(late) = late.take().filter(|late| late.ours == base.bytes) {
                base.value = late.theirs;
            }
            let said = match alter(&mut base.value)? {
                Altered::No(said) => return Ok(said),
                Altered::Yes(said) => said,
            };
            let ours = pretty::text(&base.value).into_bytes();
            if !self.put(&base, &ours)? {
                continue;
            }
            match self.late_write(base)? {
                None => return Ok(said),
                Some(theirs) => late = Some(Late { theirs, ours }),
            }
        }
        Err(Error::new(ErrorKind::Busy, "cannot change what others write all the time:").at(self.path))
    }

    /// Opens and reads it; `None` when it is another one meanwhile. What makes no sense is moved aside.
    fn base(&self, tell: &mut impl FnMut(&Broken)) -> Result<Option<Base>> {
        let Some(file) = watched::open(self.path)? else {
            let value = Value::Array(Vec::new());
            return Ok(Some(Base { file: None, bytes: Vec::new(), value }));
        };
        self.lock_as_php(&file)?;
        let found = file.metadata().map_err(|cause| Error::io("look at", self.path, cause))?;
        if !self.is_there(&found)? {
            return Ok(None);
        }
        let (began, mut before) = (clock::start(), None);
        loop {
            let bytes = watched::whole(&file, self.path)?;
            match watched::parse(&bytes) {
                Ok(value) => return Ok(Some(Base { file: Some((file, found)), bytes, value })),
                Err(reason) if before.as_ref() == Some(&bytes) && began.millis() >= SETTLE_MS => {
                    aside::put_aside(self.path, reason, Judged { found: &found, bytes: &bytes }, tell)?;
                    return Ok(None);
                }
                Err(_) => before = Some(bytes),
            }
            if !self.is_there(&found)? {
                return Ok(None);
            }
            clock::pause(PAUSE_MS);
        }
    }

    /// Waits for whoever holds the file itself. Released with the file.
    fn lock_as_php(&self, file: &File) -> Result<()> {
        let began = clock::start();
        loop {
            match fs2::FileExt::try_lock_exclusive(file) {
                Ok(()) => return Ok(()),
                Err(cause) if cause.kind() != fs2::lock_contended_error().kind() => {
                    return Err(Error::io("lock", self.path, cause));
                }
                Err(_) if began.millis() >= self.wait_ms => {
                    return Err(
                        Error::new(ErrorKind::Locked, "another program holds the lock of").at(self.path)
                    );
                }
                Err(_) => clock::pause(PAUSE_MS),
            }
        }
    }

    fn is_there(&self, found: &fs::Metadata) -> Result<bool> {
        match fs::symlink_metadata(self.path) {
            Ok(there) => Ok((there.dev(), there.ino()) == (found.dev(), found.ino())),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(cause) => Err(Error::io("look at", self.path, cause)),
        }
    }

    /// Puts a new state in place; `false` when what is there is no longer what was read.
    fn put(&self, base: &Base, ours: &[u8]) -> Result<bool> {
        let fill = |nascent: &Nascent| {
            nascent.file().write_all(ours).map_err(|cause| Error::io("write", nascent.path(), cause))
        };
        let Some((file, found)) = &base.file else {
            if let Some(directory) = self.path.parent() {
                super::owned_directory(directory, self.ownership)?;
            }
            let (nascent, _) = Nascent::beside(self.path, "json", self.ownership)?;
            fill(&nascent)?;
            return match nascent.publish() {
                Ok(_) => Ok(true),
                // Somebody else has made it meanwhile.
                Err(_) if self.is_another(ours)? => Ok(false),
                Err(error) => Err(error),
            };
        };
        let nascent = Nascent::in_place_of(self.path, "json", found, self.ownership)?;
        fill(&nascent)?;
        let may = || Ok(self.is_there(found)? && watched::whole(file, self.path)? == base.bytes);
        Ok(nascent.supersede_if(may)?.is_some())
    }

    fn is_another(&self, ours: &[u8]) -> Result<bool> {
        match watched::open(self.path)? {
            Some(file) => Ok(watched::whole(&file, self.path)? != ours),
            None => Ok(false),
        }
    }

    /// What somebody wrote into the file that was replaced, who had opened it before.
    fn late_write(&self, base: Base) -> Result<Option<Value>> {
        let Some((file, found)) = base.file else { return Ok(None) };
        if !is_waited_for(&found) && watched::whole(&file, self.path)? == base.bytes {
            return Ok(None);
        }
        let fail = |cause| Error::io("unlock", self.path, cause);
        let (began, mut quiet) = (clock::start(), 0);
        while began.millis() < LATE_MS {
            // Whoever waits gets his turn, and the last of them counts: he has written over the others.
            fs2::FileExt::unlock(&file).map_err(fail)?;
            clock::pause(PAUSE_MS);
            if is_waited_for(&found) || fs2::FileExt::try_lock_exclusive(&file).is_err() {
                quiet = 0;
                continue;
            }
            let bytes = watched::whole(&file, self.path)?;
            if bytes == base.bytes {
                // Who was waked up neither waits nor has the lock before he runs again, which takes as long as others run.
                quiet += 1;
                if quiet < QUIET_LOOKS {
                    continue;
                }
                return Ok(None);
            }
            if let Ok(theirs) = watched::parse(&bytes) {
                return Ok(Some(theirs));
            }
        }
        Ok(None)
    }
}

/// Whether somebody waits for the `flock` of a file. Where the kernel does not say, nobody does.
fn is_waited_for(file: &fs::Metadata) -> bool {
    let inode = format!(":{}", file.ino());
    let is_it =
        |line: &str| line.contains("-> FLOCK") && line.split(' ').any(|word| word.ends_with(inode.as_str()));
    // The list is read in pieces, and who lets a lock go meanwhile moves another one out of sight.
    (0..LISTINGS).any(|_| fs::read_to_string("/proc/locks").unwrap_or_default().lines().any(is_it))
}

#[cfg(test)]
mod tests;
