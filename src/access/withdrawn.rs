//! What was revoked or closed by us, whatever the site's files say.
//!
//! The site's pages read a file, change it and write all of it. One that had read it before a key was revoked, and writes
//! it afterwards, makes the key good again without knowing. So it is written down apart, before the file is changed, and
//! wins; the next change of ours puts the file right.
//!
//! **What always holds.** There are two copies, in two directories: `sync_state/access/` has one, and the other lies beside
//! the site's file (`api_keys.json.withdrawn`). Each is replaced whole, and carries its checksum (`ledger`). Whoever is in
//! one of them counts no longer. From the moment that a call to revoke ends well, both have the key, and so:
//!
//! - one copy may be lost, cut or changed, as long as a regular file that can be read is there or nothing: the other one
//!   refuses the key, and the lost one is written again from it, with a CRITICAL event;
//! - where both are damaged, or one is and the other is missing, nobody can say who was revoked: then **all** are refused, a
//!   CRITICAL event says what to do, and nothing is moved or written before somebody has done it;
//! - where both are missing nobody was ever revoked, or somebody took both away. Then the site's file is believed: a key that
//!   it calls revoked goes on both copies as soon as it is seen, so that no older copy of that file brings it back.
//!
//! A death between the two copies leaves the key in one of them, which is enough; the next change writes both.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::broken;
use super::grant::Digest;
use super::known::{self, Kept};
use super::ledger::{self, Copied, Entries, Entry};
use super::shelf::Kind;
use crate::clock::{self, Stopwatch};
use crate::config::{Config, Ownership};
use crate::durable::{self, Judged, Lock, Nascent, Reading};
use crate::error::{Error, ErrorKind, Result};

/// So long another process may write (milliseconds).
const WAIT_MS: u64 = 5_000;
/// After its last end nobody has an old copy of a session any more (seconds).
const SPARE: i64 = 7 * 86_400;
/// A process tells of what it cannot mend so often (milliseconds).
const TELL_MS: u64 = 3_600_000;
/// After a failure it is tried again (milliseconds).
const AGAIN_MS: u64 = 60_000;

thread_local! {
    static FIRST: Kept<Copied> = const { Kept::new(Vec::new()) };
    static SECOND: Kept<Copied> = const { Kept::new(Vec::new()) };
    /// What went wrong lately, by what it is about.
    static LATELY: RefCell<Vec<(PathBuf, Stopwatch)>> = const { RefCell::new(Vec::new()) };
}

/// Since when something counts no longer that was taken back at once, wherever the clock is set to.
pub(super) const AT_ONCE: i64 = 0;

/// One that counts no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Withdrawn {
    pub(super) digest: Digest,
    /// From this second on, since 1970.
    pub(super) from: i64,
    /// Until it need not be remembered, as it ends by itself; `None` for ever.
    pub(super) until: Option<i64>,
}

/// What both copies say.
#[derive(Debug, Clone, Copy)]
pub(super) struct State<'a>([&'a Copied; 2]);

/// What the copies are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Both say the same, or nobody was ever withdrawn.
    Whole,
    /// Both are whole, and one knows more: somebody is just writing the other one, or died before that.
    Uneven,
    /// One is whole; the other is to be written again.
    Hurt,
    /// Nobody knows who was withdrawn.
    Lost,
    /// A newer version wrote them.
    Newer,
}

impl State<'_> {
    pub(super) fn standing(self) -> Standing {
        match self.0 {
            [Copied::Newer, _] | [_, Copied::Newer] => Standing::Newer,
            [Copied::Missing, Copied::Missing] => Standing::Whole,
            [first @ Copied::Whole(..), second @ Copied::Whole(..)] => {
                if first.is_as(second) {
                    Standing::Whole
                } else {
                    Standing::Uneven
                }
            }
            [Copied::Whole(..), _] | [_, Copied::Whole(..)] => Standing::Hurt,
            _ => Standing::Lost,
        }
    }

    /// Whether nothing is on record, nor ever was as far as anybody can tell.
    pub(super) fn is_blank(self) -> bool {
        matches!(self.0, [Copied::Missing, Copied::Missing])
    }

    /// Since when a digest counts no longer.
    pub(super) fn since(self, digest: &Digest) -> Option<i64> {
        self.0.iter().filter_map(|copy| copy.since(digest)).min()
    }
}

/// Asks what is known now.
pub(super) fn ask<A>(config: &Config, kind: Kind, question: impl FnOnce(State<'_>) -> A) -> Result<A> {
    let by = (config.root.as_path(), kind);
    // By the site's file, which is another one where the configuration says so.
    let beside = (kind.path(config), kind);
    let both = |first: &Copied| {
        let answer = |second: &Copied| question(State([first, second]));
        SECOND.with(|kept| known::ask(kept, beside, || spare(config, kind), Copied::of, answer))
    };
    FIRST.with(|kept| known::ask(kept, by, || path(config, kind), Copied::of, both))?
}

/// Puts some on record, for good. The first time counts. Says what people should know.
///
/// # Errors
/// When a copy cannot be written; the other one may have been.
pub(super) fn add(config: &Config, kind: Kind, all: &[Withdrawn]) -> Result<Vec<String>> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    change(config, kind, |entries| {
        for Withdrawn { digest, from, until } in all {
            ledger::add(entries, *digest, Entry { from: *from, until: *until });
        }
    })
}

/// Forgets those that nobody can bring back any more, and mends a copy.
pub(super) fn clean(config: &Config, kind: Kind, now: i64) -> Result<Vec<String>> {
    let is_over = |entry: &Entry| entry.until.is_some_and(|until| now >= until.saturating_add(SPARE));
    change(config, kind, |entries| entries.retain(|_, entry| !is_over(entry)))
}

/// Mends a copy, where that was not in vain lately.
pub(super) fn mend(config: &Config, kind: Kind) -> Vec<String> {
    let path = path(config, kind);
    if is_lately(&path, AGAIN_MS) {
        return Vec::new();
    }
    match change(config, kind, |_| {}) {
        Ok(warnings) => warnings,
        Err(error) => {
            note(path);
            vec![format!("what was revoked is in one copy only: {error}")]
        }
    }
}

/// Says that nobody knows who was withdrawn, and what to do.
pub(super) fn tell_lost(config: &Config, kind: Kind) -> Vec<String> {
    let why = ask(config, kind, |State(copies)| copies.map(reason));
    let [first, second] = why.unwrap_or_else(|error| [error.to_string(), error.to_string()]);
    let [at, beside] = places(config, kind);
    let what = kind.words();
    let help = match kind {
        Kind::Keys => {
            "revoke what must not come back (keys list, keys revoke ID of security_monitoring_script.php)"
        }
        Kind::Sessions => "empty the file of sessions, so that all sign in again",
    };
    let told = format!(
        "nobody can say which {what} were withdrawn, so all are refused: {} ({first}) and {} ({second}); put a good copy of \
         one of them back, or {help}, and then remove both",
        at.display(),
        beside.display()
    );
    if is_lately(&beside, TELL_MS) {
        return vec![told];
    }
    note(beside);
    vec![broken::tell_lost(config, &at, &told)]
}

fn reason(copy: &Copied) -> String {
    match copy {
        Copied::Missing => "it is missing".to_owned(),
        Copied::Broken(reason) => reason.clone(),
        Copied::Newer => "a newer version wrote it".to_owned(),
        Copied::Whole(..) => "it is whole".to_owned(),
    }
}

fn is_lately(path: &Path, within_ms: u64) -> bool {
    LATELY.with_borrow(|all| all.iter().any(|(own, since)| own == path && since.millis() < within_ms))
}

fn note(path: PathBuf) {
    LATELY.with_borrow_mut(|all| {
        all.retain(|(own, _)| *own != path);
        all.push((path, clock::start()));
    });
}

/// A copy as it lies there, under our lock.
struct Found {
    path: PathBuf,
    copy: Copied,
    /// Which file it is, and its bytes.
    file: Option<(fs::Metadata, Vec<u8>)>,
}

impl Found {
    fn look(path: PathBuf) -> Result<Found> {
        let file = match durable::open_regular(&path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Found { path, copy: Copied::Missing, file: None });
            }
            Err(cause) => return Err(Error::io("open", &path, cause)),
        };
        let read = |mut file: File| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok((file.metadata()?, bytes))
        };
        let (found, bytes) = read(file).map_err(|cause| Error::io("read", &path, cause))?;
        Ok(Found { copy: Copied::of(Reading::of(&bytes)), path, file: Some((found, bytes)) })
    }

    /// Puts entries in its place, unless they are there.
    fn write(&self, config: &Config, text: &str, warnings: &mut Vec<String>) -> Result<()> {
        if self.file.as_ref().is_some_and(|(_, bytes)| bytes == text.as_bytes()) {
            return Ok(());
        }
        if let (Copied::Broken(reason), Some((found, bytes))) = (&self.copy, &self.file) {
            let mut tell = |broken: &durable::Broken| warnings.push(broken::tell(config, &self.path, broken));
            durable::put_aside(&self.path, reason.clone(), Judged { found, bytes }, &mut tell)?;
        }
        let nascent = match &self.file {
            Some((found, _)) => Nascent::of_owner(&self.path, "copy", found)?,
            None => {
                let ownership = Ownership { file_mode: 0o660, ..config.ownership.clone() };
                Nascent::beside(&self.path, "copy", &ownership)?.0
            }
        };
        let fail = |cause| Error::io("write", nascent.path(), cause);
        nascent.file().write_all(text.as_bytes()).map_err(fail)?;
        nascent.supersede().map(drop)
    }
}

fn change(config: &Config, kind: Kind, alter: impl FnOnce(&mut Entries)) -> Result<Vec<String>> {
    let directory = config.root.join("sync_state");
    durable::state_directory(&directory, &config.ownership)?;
    let _lock = Lock::take(&config.root, &config.ownership, kind.withdrawn_lock(), WAIT_MS)?;
    let [first, second] = places(config, kind);
    let [first, second] = [Found::look(first)?, Found::look(second)?];
    let state = State([&first.copy, &second.copy]);
    match state.standing() {
        Standing::Newer => return Err(newer().at(&first.path)),
        Standing::Lost => return Ok(tell_lost(config, kind)),
        Standing::Whole | Standing::Uneven | Standing::Hurt => {}
    }
    let mut entries = Entries::new();
    state.0.iter().for_each(|copy| copy.add_to(&mut entries));
    alter(&mut entries);
    if entries.is_empty() && state.0.iter().all(|copy| matches!(copy, Copied::Missing)) {
        return Ok(Vec::new());
    }
    let mut warnings = Vec::new();
    // The first one is written first, so where only that one is there nothing is lost.
    if let (Copied::Missing, Copied::Whole(..)) = (&first.copy, &second.copy) {
        warnings.push(broken::tell_missing(config, &first.path, &second.path));
    }
    durable::private_directory(&directory.join("access"))?;
    if let Some(beside) = second.path.parent() {
        durable::owned_directory(beside, &config.ownership)?;
    }
    let text = ledger::text(&entries);
    // What is in one of them counts, so one is written whatever becomes of the other.
    let written = [&first, &second].map(|copy| copy.write(config, &text, &mut warnings));
    written.into_iter().collect::<Result<()>>()?;
    Ok(warnings)
}

/// The error for a file of a newer version.
pub(super) fn newer() -> Error {
    Error::new(ErrorKind::Corrupt, "refused what a newer version of cr0sync wrote:")
        .hint("install that version again, on every machine that uses this root")
}

/// Where the first copy is.
pub(super) fn path(config: &Config, kind: Kind) -> PathBuf {
    config.root.join("sync_state").join("access").join(kind.withdrawn_file())
}

/// Where the second copy is: whoever removes all that we remember does not remove this.
fn spare(config: &Config, kind: Kind) -> PathBuf {
    let mut name = kind.path(config).as_os_str().to_owned();
    name.push(".withdrawn");
    PathBuf::from(name)
}

fn places(config: &Config, kind: Kind) -> [PathBuf; 2] {
    [path(config, kind), spare(config, kind)]
}
