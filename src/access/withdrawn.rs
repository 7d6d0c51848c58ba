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
//! - one copy may be lost, cut or changed at will, also so that it says that a newer version wrote it: the other one refuses
//!   the key, what is there is moved aside, and it is written again from the other one, with a CRITICAL event;
//! - where none is whole nobody can say who was revoked: then **all** are refused and none is given out, a CRITICAL event
//!   says what to do, and nothing is moved or written before somebody has done it. So it is where both are missing, and a
//!   third file, beside the log of events, says that there were some; and where a newer version wrote them. Which of these
//!   it is, is the table of `standing`;
//! - where that one is missing as well nobody was ever revoked, as far as a page can tell. Then the site's file is believed: a
//!   key that it calls revoked goes on both copies as soon as it is seen, so that no older copy of that file brings it back;
//! - the cron user's runs keep a third copy where nobody else may write (`remembered`). Whoever was in it and is in neither of
//!   the two, as somebody removed all three files or had them begin anew, is put back by the next change of that user, at the
//!   latest by the cleanup each hour, with a CRITICAL event. It is no reason to let anybody in where both copies are lost: a
//!   page may have revoked more since.
//!
//! A death between the two copies leaves the key in one of them, which is enough; the next change writes both, and the third
//! file after them.

use std::fs;
use std::io::ErrorKind as Cause;
use std::path::{Path, PathBuf};

use super::broken;
use super::copy::Found;
use super::grant::Digest;
use super::known::{self, Kept};
use super::ledger::{self, Copied, Entries, Entry};
use super::remembered::{self, Remembered};
use super::shelf::{self, Kind};
use super::standing::Before;
pub(super) use super::standing::{Standing, State};
use super::told::{self, is_lately, note};
use crate::clock;
use crate::config::Config;
use crate::durable::{self, Lock};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;

/// So long another process may write (milliseconds).
const WAIT_MS: u64 = 5_000;
/// After its last end nobody has an old copy of a session any more (seconds).
const SPARE: i64 = 7 * 86_400;
/// What cannot be mended is told so often by a process that cannot write that down (milliseconds).
const TELL_MS: u64 = 3_300_000;
/// After a failure it is tried again (milliseconds).
const AGAIN_MS: u64 = 60_000;

thread_local! {
    static FIRST: Kept<Copied> = const { Kept::new(Vec::new()) };
    static SECOND: Kept<Copied> = const { Kept::new(Vec::new()) };
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

fn state<'a>(config: &Config, kind: Kind, copies: [&'a Copied; 2]) -> State<'a> {
    let before = match copies {
        [Copied::Missing, Copied::Missing] => before(config, kind),
        _ => Before::Never,
    };
    State { copies, before }
}

/// Asks what is known now.
pub(super) fn ask<A>(config: &Config, kind: Kind, question: impl FnOnce(State<'_>) -> A) -> Result<A> {
    let by = (config.root.as_path(), kind);
    // By the site's file, which is another one where the configuration says so.
    let beside = (kind.path(config), kind);
    let both = |first: &Copied| {
        let answer = |second: &Copied| question(state(config, kind, [first, second]));
        SECOND.with(|kept| known::ask_anyway(kept, beside, || spare(config, kind), Copied::of, answer))
    };
    FIRST.with(|kept| known::ask_anyway(kept, by, || path(config, kind), Copied::of, both))?
}

/// Whether all of some are on record, and so count no longer whatever the site's file says.
pub(super) fn has(config: &Config, kind: Kind, all: &[Withdrawn]) -> Result<bool> {
    ask(config, kind, |state| {
        all.iter().all(|one| state.since(&one.digest).is_some_and(|from| from <= one.from))
    })
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
    change(config, kind, |entries| entries.retain(|_, entry| !is_over(entry, now)))
}

/// Whether nobody can bring it back any more.
pub(super) fn is_over(entry: &Entry, now: i64) -> bool {
    entry.until.is_some_and(|until| now >= until.saturating_add(SPARE))
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

/// Tries to put some on record, where somebody else was not at it for long lately. Says what went wrong.
pub(super) fn now_and_then(path: &Path, put: impl FnOnce() -> Result<Vec<String>>) -> Vec<String> {
    if is_lately(path, AGAIN_MS) {
        return Vec::new();
    }
    put().unwrap_or_else(|error| {
        if error.kind() == ErrorKind::Locked {
            note(path.to_path_buf());
        }
        vec![shelf::not_on_record(&error)]
    })
}

/// Refuses to go on where nobody knows who was withdrawn: what is given out then lets nobody in.
///
/// # Errors
/// [`ErrorKind::Corrupt`] then, with what to do.
pub(super) fn refuse_unknown(config: &Config, kind: Kind) -> Result<()> {
    match ask(config, kind, |state| state.standing())? {
        Standing::Whole | Standing::Uneven | Standing::Hurt => Ok(()),
        Standing::Newer => Err(newer(config, kind)),
        Standing::Lost => {
            let [why, help] = lost(config, kind);
            tell_lost(config, kind);
            Err(Error::new(ErrorKind::Corrupt, format!("gave out none, as {why}")).hint(help))
        }
    }
}

/// What people should know who look at all of them.
///
/// # Errors
/// When nobody can say what is there.
pub(super) fn warn(config: &Config, kind: Kind) -> Result<Vec<String>> {
    match ask(config, kind, |state| state.standing())? {
        Standing::Whole | Standing::Uneven | Standing::Hurt => Ok(Vec::new()),
        Standing::Lost | Standing::Newer => Ok(tell_lost(config, kind)),
    }
}

/// Says that nobody knows who was withdrawn, or that only a newer version does, and what to do.
pub(super) fn tell_lost(config: &Config, kind: Kind) -> Vec<String> {
    let [at, beside] = places(config, kind);
    let told = lost(config, kind).join("; ");
    let is_noted = match told::is_told(&told_at(config, kind), &config.ownership) {
        Ok(true) => return vec![told],
        Ok(false) => true,
        Err(_) => false,
    };
    if !is_noted && is_lately(&beside, TELL_MS) {
        return vec![told];
    }
    note(beside);
    vec![broken::tell_lost(config, &at, &told)]
}

/// Why nobody can be let in, and what to do.
pub(super) fn lost(config: &Config, kind: Kind) -> [String; 2] {
    let [at, beside] = places(config, kind);
    let seen = ask(config, kind, |state| (state.standing(), state.copies.map(reason), state.before));
    let (standing, [first, second], before) =
        seen.unwrap_or_else(|error| (Standing::Lost, [error.to_string(), error.to_string()], Before::Never));
    let before = match before {
        Before::Never => String::new(),
        Before::Were => format!(", and both were there, as {} says", marker(config, kind).display()),
        Before::Unclear => format!(
            ", and nobody may look at {}, which says whether they were ever there",
            marker(config, kind).display()
        ),
    };
    let what = kind.words();
    let help = match kind {
        Kind::Keys => {
            "revoke what must not come back (keys list, keys revoke ID of security_monitoring_script.php)"
        }
        Kind::Sessions => "empty the file of sessions, so that all sign in again",
    };
    let (why, first_of_all) = match standing {
        Standing::Newer => (
            format!("only a newer version of cr0sync can say which {what} were withdrawn"),
            "install that version again, on every machine that uses this root; where there never was one, somebody \
             changed these files: ",
        ),
        _ => (format!("nobody can say which {what} were withdrawn"), ""),
    };
    [
        format!(
            "{why}, so all are refused: {} ({first}) and {} ({second}){before}",
            at.display(),
            beside.display()
        ),
        format!(
            "{first_of_all}put a good copy of one of them back, or {help}, and then say that this is all: echo '[\"{}\"]' > {}",
            ledger::ANEW,
            beside.display()
        ),
    ]
}

fn reason(copy: &Copied) -> String {
    match copy {
        Copied::Missing => "it is missing".to_owned(),
        Copied::Broken(reason) => reason.clone(),
        Copied::Newer(_) => "it says that a newer version wrote it".to_owned(),
        Copied::Whole(..) => "it is whole".to_owned(),
    }
}

fn change(config: &Config, kind: Kind, alter: impl FnOnce(&mut Entries)) -> Result<Vec<String>> {
    let directory = config.root.join("sync_state");
    durable::state_directory(&directory, &config.ownership)?;
    let _lock = Lock::take(&config.root, &config.ownership, kind.withdrawn_lock(), WAIT_MS)?;
    let _quiet = interrupt::quiet();
    let [first, second] = places(config, kind);
    let [first, second] = [Found::look(first)?, Found::look(second)?];
    let state = state(config, kind, [&first.copy, &second.copy]);
    match state.standing() {
        Standing::Newer => return Err(newer(config, kind)),
        Standing::Lost => return Ok(tell_lost(config, kind)),
        Standing::Whole | Standing::Uneven | Standing::Hurt => {}
    }
    let mut entries = Entries::new();
    state.copies.iter().for_each(|copy| copy.add_to(&mut entries));
    let mut warnings = Vec::new();
    let remembered = Remembered::look(config, kind);
    if let Some(remembered) = &remembered {
        let lacking = remembered.lacking(&entries, clock::now().timestamp());
        if !lacking.is_empty() {
            warnings.push(broken::tell_put_back(
                config,
                &first.path,
                &remembered::ids(config, kind, &lacking),
            ));
            entries.extend(lacking);
        }
    }
    if let Some(anew) = [&first, &second].into_iter().find(|copy| copy.says_anew()) {
        let forgotten = remembered::forgotten(config, kind, &entries);
        warnings.push(broken::tell_anew(config, &anew.path, kind.words(), &forgotten));
    }
    alter(&mut entries);
    if entries.is_empty() && state.is_blank() {
        return Ok(Vec::new());
    }
    durable::private_directory(&directory.join("access"))?;
    // The first one is written first, so where only that one is there nothing is lost. Who cannot write it would tell of it
    // at every call.
    let is_gone = matches!((&first.copy, &second.copy), (Copied::Missing, Copied::Whole(..)));
    if is_gone && durable::may_replace(&first.path).is_ok() {
        warnings.push(broken::tell_missing(config, &first.path, &second.path));
    }
    if let Some(beside) = second.path.parent() {
        durable::owned_directory(beside, &config.ownership)?;
    }
    let text = ledger::text(&entries);
    // What is in one of them counts, so one is written whatever becomes of the other.
    let written = [&first, &second].map(|copy| copy.write(config, &text, &mut warnings));
    written.into_iter().collect::<Result<()>>()?;
    warnings.extend(remember(config, kind));
    warnings.extend(remembered.and_then(|remembered| remembered.keep(&text)));
    Ok(warnings)
}

/// Says for good that there are copies, and that nothing is to be told of them any more.
fn remember(config: &Config, kind: Kind) -> Option<String> {
    let told_at = told_at(config, kind);
    if fs::symlink_metadata(&told_at).is_ok() {
        // Where it stays, the next trouble is told an hour later.
        let _ = durable::remove(&told_at);
    }
    let marker = marker(config, kind);
    let directory =
        marker.parent().map_or(Ok(()), |parent| durable::owned_directory(parent, &config.ownership));
    let made = directory.and_then(|()| durable::private_file(&marker));
    made.err().map(|error| {
        format!("cannot say beside the log of events that there is a list of what was withdrawn: {error}")
    })
}

/// The error for copies of a newer version, which it tells as well.
pub(super) fn newer(config: &Config, kind: Kind) -> Error {
    tell_lost(config, kind);
    let [_, help] = lost(config, kind);
    let is_newer = |copy: &Copied| matches!(copy, Copied::Newer(_));
    let which = ask(config, kind, |state| state.copies.map(is_newer)).unwrap_or_default();
    let [at, beside] = places(config, kind);
    let named = if which == [false, true] { beside } else { at };
    Error::new(ErrorKind::Corrupt, "refused what a newer version of cr0sync wrote:").at(named).hint(help)
}

/// Where the first copy is.
fn path(config: &Config, kind: Kind) -> PathBuf {
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

/// What says that there were copies: a file in a third directory, so that both may be lost and nobody is let in again.
fn marker(config: &Config, kind: Kind) -> PathBuf {
    let mut name = config.events.log.as_os_str().to_owned();
    name.push(format!(".{}-withdrawn", kind.withdrawn_file()));
    PathBuf::from(name)
}

/// When it was last told that nobody knows.
fn told_at(config: &Config, kind: Kind) -> PathBuf {
    path(config, kind).with_extension("told")
}

fn before(config: &Config, kind: Kind) -> Before {
    match fs::symlink_metadata(marker(config, kind)) {
        Ok(_) => Before::Were,
        Err(cause) if matches!(cause.kind(), Cause::NotFound | Cause::NotADirectory) => Before::Never,
        Err(_) => Before::Unclear,
    }
}
