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
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};
use serde_json::Value;

use super::{Lock, Nascent, pretty, watched};
use crate::clock;
use crate::config::Ownership;
use crate::error::{Error, ErrorKind, Result};

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

/// A document that made no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Why.
    pub(crate) reason: String,
    /// Where it goes.
    pub(crate) moved_to: PathBuf,
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
    /// of it once more, and never not at all.
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
                    self.move_aside(reason, tell)?;
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

    fn move_aside(&self, reason: String, tell: &mut impl FnMut(&Broken)) -> Result<()> {
        let stamp = clock::now().format("%Y-%m-%d_%H-%M-%S%.6f");
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".corrupt-{stamp}"));
        let moved_to = PathBuf::from(name);
        // Whoever may not move it would tell of it at every call.
        let directory = self.path.parent().unwrap_or(self.path);
        rustix::fs::accessat(CWD, directory, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
            .map_err(|cause| Error::io("move aside what makes no sense:", self.path, cause.into()))?;
        tell(&Broken { reason, moved_to: moved_to.clone() });
        super::set_aside(self.path, &moved_to)
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
        let nascent = Nascent::like(self.path, "json", found)?;
        let made = nascent.file().metadata().map_err(|cause| Error::io("look at", nascent.path(), cause))?;
        if made.gid() == found.gid() {
            // Who is not root cannot keep the owner; those who could read it before still can.
            nascent.set_mode(found.mode() & 0o777 | 0o600)?;
        }
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
mod tests {
    use std::cell::Cell;
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    struct Place {
        directory: tempfile::TempDir,
        path: PathBuf,
        ownership: Ownership,
    }

    impl Place {
        fn new() -> std::io::Result<Place> {
            let directory = tempfile::tempdir()?;
            let path = directory.path().join("shared/a.json");
            fs::create_dir(directory.path().join("shared"))?;
            let ownership = Ownership {
                user: "nobody".into(),
                group: "nogroup".into(),
                dir_mode: 0o775,
                file_mode: 0o664,
            };
            Ok(Place { directory, path, ownership })
        }

        fn document(&self) -> Document<'_> {
            Document {
                path: &self.path,
                root: self.directory.path(),
                lock: "a",
                ownership: &self.ownership,
                wait_ms: 2_000,
            }
        }

        fn value(&self) -> std::result::Result<Value, Box<dyn std::error::Error>> {
            Ok(serde_json::from_slice(&fs::read(&self.path)?)?)
        }

        fn names(&self) -> std::io::Result<Vec<String>> {
            let entries = fs::read_dir(self.directory.path().join("shared"))?;
            entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
        }
    }

    fn quiet(_: &Broken) {}

    fn push(value: &mut Value, item: Value) -> Result<Altered<()>> {
        if let Value::Array(items) = value {
            items.push(item);
        }
        Ok(Altered::Yes(()))
    }

    #[test]
    fn it_is_made_and_changed_and_what_it_had_stays() -> Outcome {
        let place = Place::new()?;
        place.document().change(quiet, |_| Ok(Altered::No(())))?;
        assert!(!place.path.exists(), "nothing is written where nothing changes");
        place.document().change(quiet, |value| push(value, json!({"z": 1, "a": 2})))?;
        let made = fs::metadata(&place.path)?;
        assert_eq!(made.mode() & 0o777, 0o664);
        fs::set_permissions(&place.path, fs::Permissions::from_mode(0o640))?;
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&place.path, Some(4001), Some(4002))?;
        }
        let before = fs::metadata(&place.path)?;
        place.document().change(quiet, |value| push(value, json!("x/y")))?;
        let after = fs::metadata(&place.path)?;
        assert_eq!(
            (after.mode(), after.uid(), after.gid()),
            (before.mode(), before.uid(), before.gid()),
            "owner, group and mode"
        );
        let text = "[\n    {\n        \"z\": 1,\n        \"a\": 2\n    },\n    \"x\\/y\"\n]";
        assert_eq!(fs::read_to_string(&place.path)?, text);
        assert_eq!(place.names()?, ["a.json"]);
        Ok(())
    }

    #[test]
    fn what_somebody_writes_in_between_is_kept() -> Outcome {
        let place = Place::new()?;
        for replaces in [false, true] {
            fs::write(&place.path, "[1]")?;
            let times = Cell::new(0);
            place.document().change(quiet, |value| {
                times.set(times.get() + 1);
                if times.get() == 1 {
                    // Of the same length, and in the same moment.
                    let target =
                        if replaces { place.path.with_extension("theirs") } else { place.path.clone() };
                    let written = fs::write(&target, "[2]").and_then(|()| fs::rename(&target, &place.path));
                    assert!(written.is_ok());
                }
                push(value, json!("ours"))
            })?;
            assert_eq!((place.value()?, times.get()), (json!([2, "ours"]), 2), "replaces: {replaces}");
        }
        // Where there was nothing.
        fs::remove_file(&place.path)?;
        place.document().change(quiet, |value| {
            if !place.path.exists() {
                assert!(fs::write(&place.path, "[3]").is_ok());
            }
            push(value, json!("ours"))
        })?;
        assert_eq!(place.value()?, json!([3, "ours"]));
        Ok(())
    }

    #[test]
    fn what_a_program_writes_that_waited_for_the_old_file_is_kept() -> Outcome {
        let place = Place::new()?;
        fs::write(&place.path, "[1]")?;
        let file = fs::OpenOptions::new().write(true).open(&place.path)?;
        let inode = file.metadata()?;
        std::thread::scope(|scope| -> Outcome {
            let started = Cell::new(false);
            place.document().change(quiet, |value| {
                if !started.replace(true) {
                    // As file_put_contents() with LOCK_EX does it.
                    let mut file = file.try_clone().map_err(|cause| Error::io("x", "", cause))?;
                    scope.spawn(move || {
                        let _ = fs2::FileExt::lock_exclusive(&file);
                        let _ = file.set_len(0).and_then(|()| file.write_all(b"[\"theirs\"]"));
                        let _ = fs2::FileExt::unlock(&file);
                    });
                    while !is_waited_for(&inode) {
                        clock::pause(1);
                    }
                }
                push(value, json!("ours"))
            })?;
            Ok(())
        })?;
        assert_eq!(place.value()?, json!(["theirs", "ours"]));
        Ok(())
    }

    #[test]
    fn what_is_just_being_written_is_waited_for() -> Outcome {
        let place = Place::new()?;
        fs::write(&place.path, "[1, ")?;
        std::thread::scope(|scope| -> Outcome {
            scope.spawn(|| {
                clock::pause(100);
                let _ = fs::write(&place.path, "[1, 2]");
            });
            place.document().change(|broken| panic!("{broken:?}"), |value| push(value, json!(3)))?;
            Ok(())
        })?;
        assert_eq!(place.value()?, json!([1, 2, 3]));
        Ok(())
    }

    #[test]
    fn what_makes_no_sense_is_moved_aside_as_it_is() -> Outcome {
        for text in ["", "{\"half\": ", "null", "\u{fffd}", "[1] trailing"] {
            let place = Place::new()?;
            fs::write(&place.path, text)?;
            let mut told = Vec::new();
            place.document().change(
                |broken| {
                    assert!(place.path.exists(), "it is told before it is moved");
                    told.push(broken.clone());
                },
                |value| push(value, json!(1)),
            )?;
            let [broken] = told.as_slice() else { return Err(format!("{told:?}").into()) };
            assert_eq!(fs::read_to_string(&broken.moved_to)?, text);
            let name = broken.moved_to.file_name().unwrap_or_default().to_string_lossy().into_owned();
            assert!(name.starts_with("a.json.corrupt-2"), "{name}");
            assert_eq!(place.value()?, json!([1]));
        }
        Ok(())
    }

    #[test]
    fn what_is_no_file_is_left_alone() -> Outcome {
        let place = Place::new()?;
        let target = place.path.with_extension("target");
        fs::write(&target, "[1]")?;
        std::os::unix::fs::symlink(&target, &place.path)?;
        assert!(place.document().change(quiet, |value| push(value, json!(2))).is_err());
        assert_eq!(fs::read_to_string(&target)?, "[1]");
        Ok(())
    }

    #[test]
    fn who_holds_the_file_is_waited_for_and_then_named() -> Outcome {
        let place = Place::new()?;
        fs::write(&place.path, "[1]")?;
        let file = File::open(&place.path)?;
        fs2::FileExt::lock_exclusive(&file)?;
        let document = Document { wait_ms: 20, ..place.document() };
        let refused = document.change(quiet, |value| push(value, json!(2)));
        assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::Locked));
        assert_eq!(place.value()?, json!([1]));
        Ok(())
    }
}
