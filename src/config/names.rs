//! Names and paths, as a configuration may hold them.
//!
//! Apart from `parse`, which says where they stand.

use std::path::{Path, PathBuf};

use super::json::{Place, Problem};
use super::parse::Read;

/// Names become parts of file names, which end at 255 bytes on every file system we know.
const MAX_NAME_BYTES: usize = 100;
/// Words that stand beside side names in reports and in `resolve --take`.
const RESERVED_SIDES: [&str; 4] = ["base", "both", "merged", "none"];

pub(super) fn texts(place: &Place<'_>) -> Read<Vec<String>> {
    place.items()?.iter().map(|item| item.text().map(str::to_owned)).collect()
}

pub(super) fn path_text<'a>(place: &Place<'a>) -> Read<&'a str> {
    let text = place.text()?;
    if text.starts_with("~/") {
        return Err(place.wrong("\"~\" is not expanded").hint("write the whole path"));
    }
    Ok(text)
}

/// The path without doubled slashes and `.`; `..` stays, as a symlink may stand before it.
pub(super) fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

pub(super) fn side_name(place: &Place<'_>) -> Read<String> {
    let name = place.text()?;
    check_side(&place.path, name)?;
    Ok(name.to_owned())
}

pub(super) fn check_side(path: &str, name: &str) -> Read<()> {
    if RESERVED_SIDES.contains(&name) {
        return Err(Problem::new(
            path,
            format!("{name:?} cannot be the name of a side: it means something else in reports"),
        ));
    }
    check_name(path, "side", name)
}

/// Names become file names in the state directory and words on a command line.
pub(super) fn check_name(path: &str, what: &str, name: &str) -> Read<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.is_empty()
        || name.len() > MAX_NAME_BYTES
        || name.starts_with(['.', '-'])
        || !name.chars().all(fits)
    {
        return Err(Problem::new(path, format!("{name:?} cannot be the name of a {what}"))
            .hint("use letters, digits, _ - and . and do not begin with . or -"));
    }
    Ok(())
}
