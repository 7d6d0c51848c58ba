//! In which files of an archive something is not what was merged.
//!
//! Apart from `archive`, which tells where files lie by their lengths, and from `verify` and `clean`, which ask. A file that was
//! made longer or shorter moves all that lies before it. So the files of the youngest range that is not what was merged are
//! the ones: what follows them is as it was, and so their end has its place for certain.

use std::io;
use std::ops::Range;

use super::archive::Archive;
use super::ledger::Entry;

/// Names of those files, oldest first; none where all that can be compared is what was merged. `entries` are about one range
/// after the other.
pub(crate) fn changed(archive: &Archive, entries: &[Entry]) -> io::Result<Vec<String>> {
    let mut walk = None;
    let mut youngest = None;
    for entry in entries.iter().filter(|entry| entry.from >= archive.begin()) {
        let walk = match &mut walk {
            Some(walk) => walk,
            none => none.insert(archive.walk(entry.from)?),
        };
        if walk.digest(entry.length)?.as_ref() != Some(&entry.sha256) {
            youngest = Some(entry.from..entry.end());
        }
    }
    match youngest {
        Some(range) => Ok(names(archive, range)),
        None => without_room(archive, entries),
    }
}

/// The file that is longer than what was merged before all others, and the one behind it where it may be that one instead.
fn without_room(archive: &Archive, entries: &[Entry]) -> io::Result<Vec<String>> {
    let Some(file) = archive.without_room()? else { return Ok(Vec::new()) };
    let at = archive.begin();
    let mut all = vec![file.path.display().to_string()];
    if entries.iter().any(|entry| entry.from < at && entry.end() > at) {
        all.extend(names(archive, at..at + 1));
    }
    Ok(all)
}

fn names(archive: &Archive, range: Range<u64>) -> Vec<String> {
    archive.files(range).iter().map(|file| file.path.display().to_string()).collect()
}
