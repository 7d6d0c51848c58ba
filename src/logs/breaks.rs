//! Where the chain of a ledger was begun anew, and what is left of the one before: files beside the ledger, which wait there
//! until somebody has seen to them and moves them away. `verify` names them.
//!
//! Apart from `ledger`, which is about the chain that goes on. Nothing here removes anything, or writes over it.

use std::io;
use std::path::{Path, PathBuf};

use crate::durable;
use crate::error::{Error, Result};

use super::file::remedy;
use super::ledger::{Ledger, Standing};
use super::plan::Problem;
use super::state::LogState;
use super::work::Work;

/// What was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The archive: what is there now is another one.
    Archive,
    /// What was known of the archive, which may be whole.
    State,
    /// The ledger itself.
    Ledger,
}

const ALL: [Lost; 3] = [Lost::Archive, Lost::State, Lost::Ledger];

impl Lost {
    /// A part of the file's name.
    fn word(self) -> &'static str {
        match self {
            Lost::Archive => "archive-gone",
            Lost::State => "state-gone",
            Lost::Ledger => "ledger-gone",
        }
    }

    /// What people have to know.
    pub(crate) fn told(self, file: &Path) -> String {
        let (what, left) = match self {
            Lost::Archive => (
                "the archive that was merged is gone, and what is there now was made anew from what the copies had",
                "what was in it is written down in",
            ),
            Lost::State => (
                "what was known of the archive was lost, and it was begun anew with what lay there",
                "what was written down before is in",
            ),
            Lost::Ledger => (
                "what was written down of where lines came from was lost, and was begun anew with what lay in the archive",
                "that it was is noted in",
            ),
        };
        format!("{what}; {left} {}: move that file away once you have seen to it", file.display())
    }
}

/// What waits for somebody: files, with what was lost.
pub(crate) fn left(ledger: &Ledger) -> io::Result<Vec<(Lost, PathBuf)>> {
    let (Some(directory), Some(name)) = (ledger.path().parent(), ledger.path().file_name()) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let end = file.strip_prefix(&*name.to_string_lossy()).and_then(|end| end.strip_prefix('.'));
        let is_of = |lost: &&Lost| {
            let day = end.and_then(|end| end.strip_prefix(lost.word())?.strip_prefix('.'));
            day.is_some_and(|day| day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
        };
        if let Some(lost) = ALL.iter().find(is_of) {
            found.push((*lost, path));
        }
    }
    found.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(found)
}

/// Makes sure, before anything of a plan is done, that what is written down of its log can be gone on with. Where that was
/// lost, or is about an archive that is gone, it is set aside, and begun anew. `before` is how many bytes of it counted until
/// now, `at` is now (RFC 3339).
///
/// # Errors
/// In words, where it is damaged or cannot be read: nothing must be done then.
pub(crate) fn ready(
    ledger: &Ledger,
    before: u64,
    at: &str,
    work: &mut Work<'_>,
) -> std::result::Result<(), Problem> {
    let found = std::fs::metadata(ledger.path());
    if found.is_ok() && !work.has_work() && !work.begins_ledger() {
        return Ok(());
    }
    let size = found.map_or(0, |file| file.len());
    let lost = match work.state.ledger {
        0 if before > 0 => Lost::Archive,
        0 if size > 0 => Lost::State,
        0 => return Ok(()),
        length => match ledger.standing(length, &work.state.chain).map_err(|why| with_hint(&why))? {
            Standing::There => return Ok(()),
            Standing::Missing => Lost::Ledger,
        },
    };
    all_is_seen(lost, work)?;
    set_aside(ledger, lost, size, at).map_err(|why| with_hint(&why))?;
    if lost == Lost::Ledger {
        begin_anew(&mut work.state);
    }
    Ok(())
}

/// What is written down anew begins with all that lies in the archive, so nothing of that may be hidden.
///
/// # Errors
/// In words, where it may.
fn all_is_seen(lost: Lost, work: &mut Work<'_>) -> std::result::Result<(), Problem> {
    match (lost, &work.archive.hidden) {
        (Lost::Archive, _) | (_, None) => Ok(()),
        (Lost::State, Some(hidden)) => Err(format!(
            "what was known of the archive was lost, and rotated files of it may lie where they cannot be seen: {hidden}. Mount it; or, if nothing ever lay there, make that directory"
        )),
        (Lost::Ledger, Some(_)) => work.archive.reach_all().map_err(|cause| cause.to_string()),
    }
}

/// The same for what a run that died had planned: where nothing counts yet, what lies there is its own. Returns whether the
/// plan has changed, which must be on record before anything is done.
///
/// # Errors
/// As [`ready`].
pub(crate) fn ready_to_finish(
    ledger: &Ledger,
    at: &str,
    planned: &mut LogState,
) -> std::result::Result<bool, Problem> {
    let standing = ledger.standing(planned.ledger, &planned.chain).map_err(|why| with_hint(&why))?;
    if standing == Standing::Missing {
        set_aside(ledger, Lost::Ledger, 0, at).map_err(|why| with_hint(&why))?;
        begin_anew(planned);
    }
    Ok(standing == Standing::Missing)
}

fn begin_anew(state: &mut LogState) {
    (state.ledger, state.chain, state.untold) = (0, String::new(), true);
}

/// An error with what to do about it, in one sentence.
pub(crate) fn with_hint(why: &Error) -> Problem {
    match why.hint_text().or_else(|| remedy_of(why)) {
        Some(hint) => format!("{why}; {hint}"),
        None => why.to_string(),
    }
}

/// The same error, which says what to do about it where that is known.
pub(crate) fn hinted(why: Error) -> Error {
    match remedy_of(&why).filter(|_| why.hint_text().is_none()) {
        Some(hint) => why.hint(hint),
        None => why,
    }
}

fn remedy_of(why: &Error) -> Option<&'static str> {
    std::error::Error::source(why)?.downcast_ref::<io::Error>().and_then(remedy)
}

/// Gives a ledger of so many bytes a name of its own; where there is none, a note takes its place.
fn set_aside(ledger: &Ledger, lost: Lost, size: u64, at: &str) -> Result<()> {
    // A run that died may have done it already.
    let is_done = || left(ledger).is_ok_and(|left| left.iter().any(|(there, _)| *there == lost));
    if size == 0 && is_done() {
        return Ok(());
    }
    let day = at.get(..10).unwrap_or(at);
    for number in 1_u32.. {
        let mut name = ledger.path().as_os_str().to_owned();
        name.push(format!(".{}.{day}", lost.word()));
        if number > 1 {
            name.push(format!("-{number}"));
        }
        let target = PathBuf::from(name);
        if std::fs::symlink_metadata(&target).is_ok() {
            continue;
        }
        return match size {
            0 => durable::replace(&target, format!("{at}: {}\n", lost.told(&target)).as_bytes()),
            _ => durable::set_aside(ledger.path(), &target),
        };
    }
    Ok(())
}
