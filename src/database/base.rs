//! What is remembered of one side: its base, opened, and forgotten when it is lost or damaged.
//!
//! Apart from `create`, which makes bases, and from `watch`, which compares them with the files they are about. A base is
//! ours: that it is damaged says nothing against its side's file, which is then adopted as on the first run.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;

use crate::backup::verify::{self, Verdict};
use crate::durable;
use crate::report::{DatabaseReport, State};

use super::plan::Base;
use super::run::Job;
use super::schema;
use super::{Fault, Mode, Until, open, state_error};

/// Opens a base; `None` when it is gone or damaged, so that its side is adopted anew.
pub(crate) fn open(
    job: &Job<'_>,
    side: &str,
    file: &str,
    report: &mut DatabaseReport,
) -> Result<Option<Base>, Fault> {
    // It is not lost, only out of reach: to adopt its side anew would forget what was deleted. One that can only be read could
    // not be recorded in after its side was written.
    if is_shut(&job.store.base_path(file)) {
        let root = &job.config.root;
        return Err(Fault::Side {
            name: side.to_owned(),
            state: State::Skipped,
            reason: format!(
                "what is remembered of it is there and is not for this user to read and write; {}",
                durable::give_state(root, &job.config.ownership)
            ),
            until: Until::Mended,
        });
    }
    let opened = connect(job, file).and_then(|connection| {
        let schema = schema::read(&connection, "main")?;
        Ok(Base { file: file.to_owned(), connection, schema })
    });
    match opened {
        Ok(base) => Ok(Some(base)),
        Err(cause) if is_lost(&cause) => {
            report.warnings.push(format!(
                "what was remembered of {side} is lost or damaged ({cause}): it is adopted as on the first run, \
                 deleting nothing"
            ));
            Ok(None)
        }
        Err(cause) => Err(Fault::Side {
            name: side.to_owned(),
            state: State::Skipped,
            reason: format!("what is remembered of it cannot be read now: {cause}"),
            until: Until::of(&cause),
        }),
    }
}

fn connect(job: &Job<'_>, file: &str) -> rusqlite::Result<Connection> {
    let wait = Duration::from_millis(job.config.guards.busy_timeout_ms);
    open::connect(&job.store.base_path(file), wait)
}

/// Whether a file is there, or may be, and this user may not read and write it.
fn is_shut(path: &Path) -> bool {
    let both = Access::READ_OK | Access::WRITE_OK;
    rustix::fs::accessat(CWD, path, both, AtFlags::EACCESS) == Err(Errno::ACCESS)
}

fn is_lost(cause: &rusqlite::Error) -> bool {
    matches!(
        cause.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::CannotOpen)
    )
}

/// Whether an open base is damaged. Rows that a CHECK refuses, or a collation that only the owner has, are no damage.
pub(crate) fn is_damaged(base: &Connection) -> bool {
    matches!(verify::connection_is_sound(base), Ok(Verdict::Damaged(_)))
}

/// Whether a base cannot be recorded in, as it is gone or damaged.
pub(crate) fn is_unusable(job: &Job<'_>, file: &str) -> bool {
    match connect(job, file) {
        Ok(base) => is_damaged(&base),
        Err(cause) => is_lost(&cause) && !is_shut(&job.store.base_path(file)),
    }
}

/// Forgets what was remembered of a side whose base turned out to be damaged.
pub(crate) fn forget(
    job: &Job<'_>,
    name: &str,
    side: &str,
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    if job.mode == Mode::DryRun {
        let reason =
            "what is remembered of it is damaged: a run adopts it as on the first run, deleting nothing";
        let (name, reason, until) = (side.to_owned(), reason.into(), Until::NextRun);
        return Err(Fault::Side { name, state: State::Skipped, reason, until });
    }
    job.store.forget_replica(name, side).map_err(state_error)?;
    report.warnings.push(format!(
        "what was remembered of {side} is damaged: it is adopted as on the first run, deleting nothing"
    ));
    Ok(())
}
