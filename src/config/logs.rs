//! The logs of a configuration: their copies on the sides.
//!
//! Apart from `parse`, which reads the rest of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::json::{Place, Problem, join, unknown};
use super::names::{check_name, path_text, plain, texts};
use super::parse::{Read, unless_null};
use super::rotation::{Rotation, rotation};
use super::shelves::Shelves;
use super::sides::{Taken, files};

/// One log and its copies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogConfig {
    /// Side name to absolute path; the hub among them. The hub's copy is the archive.
    pub copies: BTreeMap<String, PathBuf>,
    /// Sides to whose copy nobody writes but us. All others are sources.
    pub mirrors: BTreeSet<String>,
    /// Side name to the absolute directory in which rotated files of its copy may lie, beside the directory of the copy
    /// itself. The hub is not among them: `rotate` says where its rotated files go.
    pub olddirs: BTreeMap<String, PathBuf>,
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

    /// The directory in which rotated files of a side's copy may lie, beside that of the copy itself.
    pub(crate) fn olddir(&self, hub: &str, side: &str) -> Option<PathBuf> {
        if side != hub {
            return self.olddirs.get(side).cloned();
        }
        self.copies.get(side).and_then(|path| self.rotate.directory(path))
    }
}

pub(super) fn logs(place: &Place<'_>, root: &Path, hub: &str) -> Read<BTreeMap<String, LogConfig>> {
    let mut logs = BTreeMap::new();
    let (mut taken, mut shelves) = (Taken::new(), Shelves::default());
    for (name, place) in place.entries()? {
        check_name(&place.path, "log", name)?;
        let log = log(&place, root, hub, &mut taken)?;
        shelve(&place, &log, hub, &taken, &mut shelves);
        logs.insert(name.to_owned(), log);
    }
    shelves.check()?;
    Ok(logs)
}

fn log(place: &Place<'_>, root: &Path, hub: &str, taken: &mut Taken) -> Read<LogConfig> {
    let [copies, mirrors, olddirs, rotate, allow_owners] =
        place.fields(["copies", "mirrors", "olddirs", "rotate", "allow_owners"])?;
    let Some(copies_place) = copies else {
        return Err(place
            .wrong("has no copies")
            .hint("write \"copies\": {\"bot\": \"PATH\", \"central\": \"PATH\"}"));
    };
    let copies = files(&copies_place, root, "copy", taken)?;
    if !copies.contains_key(hub) {
        return Err(copies_place
            .wrong(format!("the hub {hub:?} has no copy"))
            .hint("its copy is the archive: name it here, or set \"hub\" to a side that has one"));
    }
    Ok(LogConfig {
        mirrors: mirrors.map_or_else(|| Ok(BTreeSet::new()), |place| self::mirrors(&place, &copies, hub))?,
        olddirs: unless_null(olddirs)
            .map_or_else(|| Ok(BTreeMap::new()), |place| self::olddirs(&place, &copies, hub))?,
        rotate: rotate.map_or_else(|| Ok(Rotation::default()), |place| rotation(&place))?,
        allow_owners: allow_owners.map_or_else(|| Ok(Vec::new()), |place| texts(&place))?,
        copies,
    })
}

/// Where rotated files of a log may lie.
fn shelve(place: &Place<'_>, log: &LogConfig, hub: &str, taken: &Taken, shelves: &mut Shelves) {
    for (side, path) in &log.copies {
        let said = taken.get(path).cloned().unwrap_or_default();
        if let Some(directory) = path.parent() {
            shelves.add(directory, path, said);
        }
        if let Some(directory) = log.olddir(hub, side) {
            let (key, of) = if side == hub { ("rotate", "olddir") } else { ("olddirs", side.as_str()) };
            shelves.add(&directory, path, join(&join(&place.path, key), of));
        }
    }
}

/// The sides that are not the hub.
fn other_sides<'a>(copies: &'a BTreeMap<String, PathBuf>, hub: &str) -> Vec<&'a str> {
    copies.keys().map(String::as_str).filter(|side| *side != hub).collect()
}

fn olddirs(
    place: &Place<'_>,
    copies: &BTreeMap<String, PathBuf>,
    hub: &str,
) -> Read<BTreeMap<String, PathBuf>> {
    let mut olddirs = BTreeMap::new();
    for (side, place) in place.entries()? {
        if side == hub {
            return Err(place
                .wrong("where the hub's rotated files go is said in \"rotate\"")
                .hint("write \"rotate\": {\"olddir\": \"PATH\"}"));
        }
        let Some(directory) = copies.get(side).and_then(|path| path.parent()) else {
            return Err(unknown(&place.path, "unknown side", side, &other_sides(copies, hub)));
        };
        olddirs.insert(side.to_owned(), plain(&directory.join(path_text(&place)?)));
    }
    Ok(olddirs)
}

fn mirrors(place: &Place<'_>, copies: &BTreeMap<String, PathBuf>, hub: &str) -> Read<BTreeSet<String>> {
    let sides = other_sides(copies, hub);
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

#[cfg(test)]
mod tests {
    use super::super::json::Node;
    use super::*;

    fn read(json: &str) -> Result<BTreeMap<String, LogConfig>, String> {
        let node = Node::read(json.as_bytes()).map_err(|problem| problem.to_string())?;
        logs(&Place { path: "logs".to_owned(), node: &node }, Path::new("/srv"), "central")
            .map_err(|problem| problem.to_string())
    }

    /// Two logs with these paths of central, and what else is said of them.
    fn two(first: (&str, &str), second: (&str, &str)) -> String {
        let log = |(path, more): (&str, &str)| {
            format!(r#"{{"copies": {{"central": "{path}", "bot": "/bot{path}"}}{more}}}"#)
        };
        format!(r#"{{"a": {}, "b": {}}}"#, log(first), log(second))
    }

    #[test]
    fn rotated_files_of_two_logs_are_never_mixed_up() {
        let old = |directory: &str| format!(r#", "rotate": {{"olddir": "{directory}"}}"#);
        let of_bot = |directory: &str| format!(r#", "olddirs": {{"bot": "{directory}"}}"#);
        let (shared, below, website) = (old("/old"), old("old"), old("/bot/b"));
        let (bots, beside) = (of_bot("/old"), of_bot("../b"));
        for (first, second, expected) in [
            (("/a/x.log", ""), ("/b/x.log", ""), None),
            (("/a/x.log", &*shared), ("/b/y.log", &*shared), None),
            (("/a/x.log", &*below), ("/b/x.log", &*below), None),
            (
                ("/a/x.log", &*shared),
                ("/b/x.log", &*shared),
                Some(("logs.b.rotate.olddir", "logs.a.rotate.olddir", "/old")),
            ),
            (
                ("/a/x.log", &*website),
                ("/b/x.log", ""),
                Some(("logs.b.copies.bot", "logs.a.rotate.olddir", "/bot/b")),
            ),
            (
                ("/a/x.log", &*bots),
                ("/b/x.log", &*shared),
                Some(("logs.b.rotate.olddir", "logs.a.olddirs.bot", "/old")),
            ),
            (
                ("/a/x.log", &*bots),
                ("/b/x.log", &*bots),
                Some(("logs.b.olddirs.bot", "logs.a.olddirs.bot", "/old")),
            ),
            (
                ("/a/x.log", ""),
                ("/a/x.log.1", ""),
                Some(("logs.b.copies.central", "logs.a.copies.central", "/a")),
            ),
            (("/a/x.log", &*beside), ("/b/y.log", ""), None),
        ] {
            let expected = expected.map(|(said, other, directory)| format!(
                "{said}: its rotated files and those of {other} would be taken for each other: they lie in {directory} under the same names"
            ));
            assert_eq!(read(&two(first, second)).err(), expected, "{first:?} {second:?}");
        }
        let one =
            r#"{"a": {"copies": {"central": "/a/x.log", "bot": "/b/x.log"}, "rotate": {"olddir": "/b"}}}"#;
        let why = read(one).err().unwrap_or_default();
        assert!(why.starts_with("logs.a.rotate.olddir: ") && why.contains("logs.a.copies.bot"), "{why}");
    }

    #[test]
    fn where_rotated_files_of_sources_lie() {
        let log = |olddirs: &str| {
            format!(
                r#"{{"a": {{"copies": {{"central": "/a", "bot": "/b/x.log", "website": "/w/x.log"}}, "olddirs": {olddirs}}}}}"#
            )
        };
        for (olddirs, side, expected) in [
            (r#"{"bot": "old"}"#, "bot", Some("/b/old")),
            (r#"{"bot": "/var/./old//logs"}"#, "bot", Some("/var/old/logs")),
            (r#"{"bot": "old"}"#, "website", None),
            ("null", "bot", None),
        ] {
            let logs = read(&log(olddirs)).unwrap();
            let found = logs.get("a").and_then(|log| log.olddir("central", side));
            assert_eq!(found.as_deref(), expected.map(Path::new), "{olddirs}");
        }
        for (olddirs, expected) in [
            (r#"{"bto": "/old"}"#, "logs.a.olddirs.bto: unknown side \"bto\""),
            (
                r#"{"central": "/old"}"#,
                "logs.a.olddirs.central: where the hub's rotated files go is said in \"rotate\"",
            ),
            (r#"{"bot": ""}"#, "logs.a.olddirs.bot: must not be empty"),
            (r#"{"bot": 1}"#, "logs.a.olddirs.bot: expected a text, found the number 1"),
            ("[]", "logs.a.olddirs: expected an object, found a list"),
        ] {
            assert_eq!(read(&log(olddirs)).err(), Some(expected.to_owned()), "{olddirs}");
        }
    }
}
