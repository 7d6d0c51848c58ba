//! The logs of a configuration: their copies on the sides.
//!
//! Apart from `parse`, which reads the rest of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::json::{Place, Problem, unknown};
use super::names::{check_name, check_side, path_text, plain, texts};
use super::parse::Read;
use super::rotation::{Rotation, rotation};

/// One log and its copies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogConfig {
    /// Side name to absolute path; the hub among them. The hub's copy is the archive.
    pub copies: BTreeMap<String, PathBuf>,
    /// Sides to whose copy nobody writes but us. All others are sources.
    pub mirrors: BTreeSet<String>,
    /// Users who may own a copy, beside those who always may.
    pub allow_owners: Vec<String>,
    /// How the archive is rotated.
    pub rotate: Rotation,
}

impl LogConfig {
    /// The sides that are not the hub.
    pub(crate) fn others<'a>(&'a self, hub: &'a str) -> impl Iterator<Item = (&'a String, &'a PathBuf)> {
        self.copies.iter().filter(move |(side, _)| side.as_str() != hub)
    }
}

pub(super) fn logs(place: &Place<'_>, root: &Path, hub: &str) -> Read<BTreeMap<String, LogConfig>> {
    let mut logs = BTreeMap::new();
    let mut taken: BTreeMap<PathBuf, String> = BTreeMap::new();
    for (name, place) in place.entries()? {
        check_name(&place.path, "log", name)?;
        logs.insert(name.to_owned(), log(&place, root, hub, &mut taken)?);
    }
    Ok(logs)
}

fn log(place: &Place<'_>, root: &Path, hub: &str, taken: &mut BTreeMap<PathBuf, String>) -> Read<LogConfig> {
    let [copies, mirrors, rotate, allow_owners] =
        place.fields(["copies", "mirrors", "rotate", "allow_owners"])?;
    let Some(copies_place) = copies else {
        return Err(place
            .wrong("has no copies")
            .hint("write \"copies\": {\"bot\": \"PATH\", \"central\": \"PATH\"}"));
    };
    let mut copies = BTreeMap::new();
    for (side, place) in copies_place.entries()? {
        check_side(&place.path, side)?;
        let path = plain(&root.join(path_text(&place)?));
        if path.file_name().is_none() {
            return Err(place.wrong("does not name a file"));
        }
        if let Some(other) = taken.insert(path.clone(), place.path.clone()) {
            return Err(place
                .wrong(format!("is the same file as {other}"))
                .hint("every copy is a file of its own"));
        }
        copies.insert(side.to_owned(), path);
    }
    if !copies.contains_key(hub) {
        return Err(copies_place
            .wrong(format!("the hub {hub:?} has no copy"))
            .hint("its copy is the archive: name it here, or set \"hub\" to a side that has one"));
    }
    let mirrors = match mirrors {
        None => BTreeSet::new(),
        Some(place) => self::mirrors(&place, &copies, hub)?,
    };
    Ok(LogConfig {
        copies,
        mirrors,
        rotate: rotate.map_or_else(|| Ok(Rotation::default()), |place| rotation(&place))?,
        allow_owners: allow_owners.map_or_else(|| Ok(Vec::new()), |place| texts(&place))?,
    })
}

fn mirrors(place: &Place<'_>, copies: &BTreeMap<String, PathBuf>, hub: &str) -> Read<BTreeSet<String>> {
    let sides: Vec<&str> = copies.keys().map(String::as_str).filter(|side| *side != hub).collect();
    let mut mirrors = BTreeSet::new();
    for item in place.items()? {
        let side = item.text()?;
        if side == hub {
            return Err(item.wrong("the hub is the archive, and no mirror"));
        }
        if !sides.contains(&side) {
            return Err(unknown(&item.path, "unknown side", side, &sides));
        }
        mirrors.insert(side.to_owned());
    }
    Ok(mirrors)
}

/// A hub that a shipped log does not have cannot be its archive.
pub(super) fn shipped(root: &Path, hub: &str) -> Read<BTreeMap<String, LogConfig>> {
    let mut logs = super::shipped::logs(root);
    for log in logs.values_mut() {
        log.mirrors.remove(hub);
    }
    match logs.iter().find(|(_, log)| !log.copies.contains_key(hub)) {
        None => Ok(logs),
        Some((name, _)) => Err(Problem::new("hub", format!("the shipped log {name:?} has no side {hub:?}"))
            .hint("choose central, or write your own logs")),
    }
}
