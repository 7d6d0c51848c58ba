//! Paths that people name: what they copied from a report, or typed.
//!
//! A path that is nowhere is an error and no success without work: whoever mistypes one believes it checked, or accepted.

use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::check::plain;
use super::model::{Entry, Kind, is_within, order};
use super::names;
use super::scope::{Scope, parent};
use super::store;
use crate::config::{self, Config};
use crate::error::{Error, ErrorKind, Result};

/// More names of one directory are not looked through for one that was meant.
const MAX_NAMES: usize = 10_000;

/// The paths as they are in the file system, where they are in the baseline or there.
///
/// # Errors
/// [`ErrorKind::Usage`] for one that is neither, is left out, or could be two; and as for reading what is watched.
pub(super) fn paths(config: &Config, paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let scope = super::blind::scope(config)?;
    let loaded = store::load(config)?;
    let entries = loaded.as_ref().map_or(&[][..], |loaded| &loaded.baseline.entries);
    within(config, &scope, entries, paths)
}

/// The same, where all of that is known already.
pub(super) fn within(
    config: &Config,
    scope: &Scope,
    baseline: &[Entry],
    paths: &[PathBuf],
) -> Result<Vec<PathBuf>> {
    paths.iter().map(|path| one(config, scope, baseline, path)).collect()
}

fn one(config: &Config, scope: &Scope, baseline: &[Entry], path: &Path) -> Result<PathBuf> {
    let literal = plain(config, path)?;
    let printed = names::unshown(&literal);
    let is_known = |path: &[u8]| is_there(path).is_some() || is_accepted(path, baseline);
    let found = match (is_known(&literal), printed.filter(|path| is_known(path))) {
        (true, Some(_)) => {
            return Err(Error::new(ErrorKind::Usage, "two files are shown like this:")
                .at(path)
                .hint("name the one you mean by the path_b64 of its finding: --path-b64"));
        }
        (true, None) => literal,
        (false, Some(printed)) => printed,
        (false, None) => return Err(nowhere(config, path, &literal)),
    };
    let is_above = scope.roots.iter().any(|root| is_within(root, &found));
    let is_left = is_there(&found).is_some_and(|kind| !scope.watches(&found, kind));
    if is_left && !is_above && scope.root_of(&found).is_some() && !is_accepted(&found, baseline) {
        return Err(Error::new(ErrorKind::Usage, "this path is left out of what is watched:")
            .at(path)
            .hint("status --json says what is left out, and why (excluded)"));
    }
    Ok(PathBuf::from(OsString::from_vec(found)))
}

/// What is there.
fn is_there(path: &[u8]) -> Option<Kind> {
    let found = fs::symlink_metadata(Path::new(OsStr::from_bytes(path))).ok()?;
    Some(kind(found.file_type()))
}

fn kind(found: FileType) -> Kind {
    if found.is_dir() {
        Kind::Directory
    } else if found.is_symlink() {
        Kind::Symlink
    } else if found.is_fifo() {
        Kind::Fifo
    } else if found.is_socket() {
        Kind::Socket
    } else if found.is_block_device() {
        Kind::BlockDevice
    } else if found.is_char_device() {
        Kind::CharacterDevice
    } else {
        Kind::File
    }
}

/// Whether the baseline has it, or something below it.
fn is_accepted(path: &[u8], baseline: &[Entry]) -> bool {
    let at = baseline.partition_point(|entry| order(&entry.path, path).is_lt());
    baseline.get(at).is_some_and(|entry| is_within(&entry.path, path))
}

fn nowhere(config: &Config, path: &Path, plain: &[u8]) -> Error {
    let root = config.root.display();
    let meant = match meant(plain) {
        Some(meant) => format!("did you mean {}?", names::shown(&meant).0),
        None if path.is_relative() => {
            format!("a relative path begins at {root}, so this one is {}", names::shown(plain).0)
        }
        None => "name it as reports show it, or by its path_b64".to_owned(),
    };
    Error::new(ErrorKind::Usage, "there is no such file, and none was accepted:").at(path).hint(meant)
}

/// A path that is there and differs little, in the last name that is not there.
fn meant(path: &[u8]) -> Option<Vec<u8>> {
    let above = parent(path);
    if above == path {
        return None;
    }
    let directory = match is_there(above) {
        Some(_) => above.to_vec(),
        None => meant(above)?,
    };
    let names: Vec<String> = fs::read_dir(Path::new(OsStr::from_bytes(&directory)))
        .ok()?
        .take(MAX_NAMES)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let name = std::str::from_utf8(names::file_name(path)).ok()?;
    let near = config::nearest(name, &names).filter(|near| is_alike(name, near))?;
    Some([directory.strip_suffix(b"/").unwrap_or(&directory), b"/", near.as_bytes()].concat())
}

/// Whether two names begin and end alike for half of their length: short ones that differ little may have nothing in common.
fn is_alike(left: &str, right: &str) -> bool {
    let count = |all: &mut dyn Iterator<Item = (char, char)>| all.take_while(|(a, b)| a == b).count();
    let first = count(&mut left.chars().zip(right.chars()));
    let last = count(&mut left.chars().rev().zip(right.chars().rev()));
    first.saturating_add(last).saturating_mul(2) >= left.chars().count().max(right.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_it_is_meant() {
        for (name, other, expected) in [
            ("nope", "home", false),
            ("hoem", "home", true),
            ("uath.php", "auth.php", true),
            ("index.htm", "index.html", true),
            ("core", "cors", true),
            ("tmp", "opt", false),
            ("a", "b", false),
        ] {
            assert_eq!(is_alike(name, other), expected, "{name} {other}");
        }
    }
}
