//! The files of sides: replicas of a database, copies of a log.
//!
//! Apart from `parse` and `logs`, which both have them and say what each must have beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::json::Place;
use super::names::{check_side, path_text, plain};
use super::parse::Read;

/// Which path stands where in the document.
pub(super) type Taken = BTreeMap<PathBuf, String>;

/// Side name to absolute path. None of the paths may be `taken`; `what` is what such a file is called.
pub(super) fn files(
    place: &Place<'_>,
    root: &Path,
    what: &str,
    taken: &mut Taken,
) -> Read<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for (side, place) in place.entries()? {
        check_side(&place.path, side)?;
        let path = plain(&root.join(path_text(&place)?));
        if path.file_name().is_none() {
            return Err(place.wrong("does not name a file"));
        }
        if let Some(other) = taken.insert(path.clone(), place.path.clone()) {
            return Err(place
                .wrong(format!("is the same file as {other}"))
                .hint(format!("every {what} is a file of its own")));
        }
        files.insert(side.to_owned(), path);
    }
    Ok(files)
}
