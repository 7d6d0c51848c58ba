//! Whether events can be written at all: looks at what that needs, and writes nothing.
//!
//! A page may have made the log so that others cannot append to it, and whoever may write in its directory may put something
//! else in its place. Then nothing is on record any more, which must be known before something happens.

use std::fs;
use std::io::{self, ErrorKind as Cause};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::Access;

use super::place;
use crate::config::Config;
use crate::durable::{self, mend};
use crate::error;

/// Why no event can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// In words.
    pub(crate) problem: String,
    /// What a person has to do.
    pub(crate) first: String,
}

/// All that keeps this user from writing events.
pub(crate) fn problems(config: &Config) -> Vec<Problem> {
    let head = place::file(config);
    [&config.events.log, &head].into_iter().filter_map(|path| of(config, path)).collect()
}

fn of(config: &Config, path: &Path) -> Option<Problem> {
    let problem = |what: String, first: String| {
        Some(Problem { problem: format!("no event can be put on record: {what}"), first })
    };
    let away = || format!("find out who put it there, and move {} away", path.display());
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => problem(format!("{} is no regular file", path.display()), away()),
        Ok(there) => match durable::open_to_append(path) {
            Ok(_) => None,
            Err(cause) if cause.kind() == Cause::PermissionDenied => {
                let owner = durable::user_numbered(there.uid()).unwrap_or_else(|| there.uid().to_string());
                let what = format!(
                    "this user may not write to {}, which belongs to {owner} (mode {:04o})",
                    path.display(),
                    there.mode() & 0o7777
                );
                problem(what, opened(config, path, &there, "660"))
            }
            Err(cause) => {
                // Where nobody can write, or there is no room, nobody has put anything there.
                let first = error::remedy(&cause).map_or_else(away, str::to_owned);
                problem(format!("{} cannot be opened: {cause}", path.display()), first)
            }
        },
        Err(cause) if cause.kind() == Cause::NotFound => {
            let directory = existing(path)?;
            let cause =
                io::Error::from(rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK).err()?);
            let what = format!(
                "{} is not there and cannot be made in {}: {cause}",
                path.display(),
                directory.display()
            );
            let found = fs::metadata(directory).ok()?;
            let first = error::remedy(&cause)
                .map_or_else(|| opened(config, directory, &found, "2770"), str::to_owned);
            problem(what, first)
        }
        Err(cause) => problem(format!("{} cannot be looked at: {cause}", path.display()), away()),
    }
}

/// What opens something to the configured group.
fn opened(config: &Config, path: &Path, found: &fs::Metadata, mode: &str) -> String {
    let name = &config.ownership.group;
    let group = durable::group_numbered(name).unwrap_or(found.gid());
    format!("as root: {} && {}", mend::chgrp(name, path), mend::chmod(mode, path, found.uid(), group))
}

/// The nearest directory above that is there.
fn existing(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|above| above.exists())
}
