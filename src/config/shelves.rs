//! Where rotated files of logs may lie, and that no two copies take each other's for their own.
//!
//! Pure. Apart from `logs`, which reads one log at a time: this is about all of them. A rotated file is known by its
//! directory and its name alone, and of names by what stands behind the name of the log, or before its extension.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::json::Problem;
use super::parse::Read;

/// A copy that looks for its rotated files somewhere, and where in the document that is said.
type Looks = (PathBuf, String);

/// All places that are looked at, by directory and name of the copy's file.
#[derive(Default)]
pub(super) struct Shelves(BTreeMap<PathBuf, BTreeMap<Vec<u8>, Vec<Looks>>>);

impl Shelves {
    /// Adds a directory in which the rotated files of a copy may lie. `said` is where the document says so.
    pub(super) fn add(&mut self, directory: &Path, copy: &Path, said: String) {
        let name = copy.file_name().unwrap_or_default().as_bytes().to_vec();
        let names = self.0.entry(directory.to_path_buf()).or_default();
        names.entry(name).or_default().push((copy.to_path_buf(), said));
    }

    /// Refuses two copies whose rotated files would lie in one directory under names that are those of both.
    pub(super) fn check(&self) -> Read<()> {
        for (directory, names) in &self.0 {
            for (name, copies) in names {
                let begin = stem(name).to_vec();
                let near = names.range(begin.clone()..).take_while(|(other, _)| other.starts_with(&begin));
                let others: Vec<&Looks> =
                    near.filter(|(other, _)| may_mix(name, other)).flat_map(|(_, copies)| copies).collect();
                for (copy, first) in copies {
                    if let Some((_, said)) = others.iter().find(|(other, _)| other != copy) {
                        return Err(mixed_up(directory, said, first));
                    }
                }
            }
        }
        Ok(())
    }
}

fn mixed_up(directory: &Path, said: &str, first: &str) -> Problem {
    let what = format!(
        "its rotated files and those of {first} would be taken for each other: they lie in {} under the same names",
        directory.display()
    );
    Problem::new(said, what).hint("give one of the two an \"olddir\" of its own, or another file name")
}

/// With what the names of all rotated files of a log begin.
pub(crate) fn stem(live: &[u8]) -> &[u8] {
    let dot = live.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0);
    live.get(..dot.unwrap_or(live.len())).unwrap_or(live)
}

/// Whether what may be called a rotated file of the second may be one of the first: the second is called as the first, or
/// as a rotated file of it.
pub(crate) fn may_mix(first: &[u8], second: &[u8]) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let is_end = |rest: &[u8]| match rest {
        [] | b".gz" | b".zst" => true,
        [b'.' | b'-', rest @ ..] => is_digit(rest.first()),
        _ => false,
    };
    let is_date = |rest: &[u8]| match rest {
        [b'.' | b'-', rest @ ..] => rest.len() > 4 && rest.iter().take(4).all(u8::is_ascii_digit),
        _ => false,
    };
    let (before, extension) = first.split_at(stem(first).len());
    let inside = second.strip_prefix(before).and_then(|rest| rest.strip_suffix(extension));
    second.strip_prefix(first).is_some_and(is_end)
        || inside.filter(|_| !extension.is_empty()).is_some_and(is_date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_rotated_files_of_two_logs_may_have() {
        for (first, second, expected) in [
            ("bot.log", "bot.log", true),
            ("bot.log", "bot.log.1", true),
            ("bot.log", "bot.log-2025", true),
            ("bot.log", "bot.log.gz", true),
            ("bot.log", "bot-20250714.log", true),
            ("bot.log", "bot-2025-07.log", true),
            ("bot", "bot.1", true),
            ("bot.log", "bot-2025.log", false),
            ("bot.log", "bot-debug.log", false),
            ("bot.log", "bot.2.log", false),
            ("bot.log", "bot2.log", false),
            ("bot.log", "bot.log.merged", false),
            ("bot.log", "bot.err", false),
            ("bot", "bot.log", false),
        ] {
            assert_eq!(may_mix(first.as_bytes(), second.as_bytes()), expected, "{first} {second}");
        }
    }
}
