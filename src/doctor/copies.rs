//! What is loaded into this process: the library, the SQLite that it uses, and any second copy of SQLite.
//!
//! Two copies in one process do not know of each other's locks: when one closes a database, the kernel drops the locks of
//! the other, and two programs write at once. A copy is known by a text that every one has, in a library of SQLite as in a
//! program that SQLite was built into; two copies that have one database open at this moment also by its shared memory,
//! which each of them maps for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::Shell;
use super::finding::{problem, warning, well};
use crate::report::DoctorFinding;

/// A text of SQLite's own code, which has it in small letters, so that this library is no copy of it.
const TEXT: &str = "UNABLE TO DELETE/MODIFY USER-FUNCTION DUE TO ACTIVE STATEMENTS";
/// The end of the name of the memory that those share who use one database in WAL mode.
const SHARED: &str = "-shm";
/// No program is larger (bytes).
const MAX_FILE: u64 = 1 << 30;
/// So much of a file is looked at at once (bytes).
const BLOCK: usize = 1 << 20;
/// What lies in our own file.
static HERE: u8 = 0;

/// A piece of a file that is mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapping {
    from: usize,
    to: usize,
    is_code: bool,
    offset: u64,
    /// Device and inode, as the kernel writes them.
    file: (String, u64),
    path: String,
}

pub(super) fn findings(shell: &Shell) -> Vec<DoctorFinding> {
    let Ok(text) = fs::read_to_string("/proc/self/maps") else {
        let remedy = "mount /proc, and call it again";
        return vec![
            warning("sqlite", "what is loaded into this process cannot be looked at").mended_by(remedy),
        ];
    };
    let mapped: Vec<Mapping> = text.lines().filter_map(mapping).collect();
    let copies = copies(&mapped);
    let mut all = vec![versions(shell, &mapped, &copies)];
    all.push(of_copies(&copies));
    all.extend(twice(&mapped).into_iter().map(|path| {
        let what =
            "two copies of SQLite in this process have this database open, and drop each other's locks";
        problem("sqlite", what).at(Path::new(&path)).mended_by(ONE)
    }));
    all
}

const ONE: &str = "have everything use the system's SQLite: load pdo_sqlite and sqlite3 of the system's packages, and no \
                   extension or library that has a SQLite of its own";

fn versions(shell: &Shell, mapped: &[Mapping], copies: &BTreeSet<String>) -> DoctorFinding {
    let address = std::ptr::from_ref(&HERE).addr();
    let own = mapped.iter().find(|one| (one.from..one.to).contains(&address));
    let of = own.map_or("an unknown file", |own| own.path.as_str());
    let sqlite = copies.iter().next().map_or("an unknown file", String::as_str);
    let program = shell.program.as_ref().map(|program| format!(", {program}")).unwrap_or_default();
    let what = format!(
        "cr0sync {} ({of}), SQLite {} ({sqlite}){program}",
        env!("CARGO_PKG_VERSION"),
        rusqlite::version()
    );
    well("versions", what)
}

fn of_copies(copies: &BTreeSet<String>) -> DoctorFinding {
    let all: Vec<&str> = copies.iter().map(String::as_str).collect();
    match all.as_slice() {
        [_, _, ..] => {
            let what =
                format!("more than one copy of SQLite is loaded into this process: {}", all.join(", "));
            problem("sqlite", what).mended_by(ONE)
        }
        [] => warning(
            "sqlite",
            "no copy of SQLite can be seen in this process: its library was replaced or removed since it was loaded",
        )
        .mended_by("start this program anew (systemctl restart php*-fpm for pages), and call it again"),
        [_] => well("sqlite", "one copy of SQLite is loaded into this process"),
    }
}

/// The files with code of SQLite in them.
fn copies(mapped: &[Mapping]) -> BTreeSet<String> {
    let code: BTreeMap<&(String, u64), &str> = mapped
        .iter()
        .filter(|one| one.is_code && one.path.starts_with('/'))
        .map(|one| (&one.file, one.path.as_str()))
        .collect();
    let needle = TEXT.to_ascii_lowercase();
    let has = |path: &&str| holds(Path::new(path), needle.as_bytes()).unwrap_or(false);
    code.into_values().filter(has).map(str::to_owned).collect()
}

/// Whether a file has a text in it.
fn holds(path: &Path, needle: &[u8]) -> std::io::Result<bool> {
    let mut file = File::open(path)?.take(MAX_FILE);
    let finder = memchr::memmem::Finder::new(needle);
    let (mut block, mut kept) = (vec![0; BLOCK], Vec::new());
    loop {
        let count = file.read(&mut block)?;
        if count == 0 {
            return Ok(false);
        }
        kept.extend(block.iter().take(count));
        if finder.find(&kept).is_some() {
            return Ok(true);
        }
        let over = kept.len().saturating_sub(needle.len());
        kept.drain(..over);
    }
}

/// The shared memory of databases that is mapped twice, piece by piece: one copy of SQLite maps each piece once.
fn twice(mapped: &[Mapping]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let shared = mapped.iter().filter(|one| one.path.ends_with(SHARED));
    shared.filter(|one| !seen.insert((&one.file, one.offset))).map(|one| one.path.clone()).collect()
}

/// A line of the kernel's list: `from-to rwxp offset device inode path`.
fn mapping(line: &str) -> Option<Mapping> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.split_once(' ')?;
        rest = after.trim_start_matches(' ');
        Some(word)
    };
    let (from, to) = word()?.split_once('-')?;
    let is_code = word()?.contains('x');
    let offset = u64::from_str_radix(word()?, 16).ok()?;
    let device = word()?.to_owned();
    let inode = word()?.parse().ok()?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    Some(Mapping {
        from: number(from)?,
        to: number(to)?,
        is_code,
        offset,
        file: (device, inode),
        path: rest.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(offset: u64, inode: u64) -> String {
        format!("7f0000000000-7f0000008000 rw-s {offset:08x} fe:01 {inode} /srv/my db/a.db-shm")
    }

    #[test]
    fn a_piece_of_shared_memory_that_is_mapped_twice_is_of_two_copies() {
        for (lines, expected) in [
            (vec![shared(0, 5), shared(0x8000, 5)], 0),
            (vec![shared(0, 5), shared(0, 6)], 0),
            (vec![shared(0, 5), shared(0x8000, 5), shared(0, 5)], 1),
        ] {
            let mapped: Vec<Mapping> = lines.iter().filter_map(|line| mapping(line)).collect();
            assert_eq!((mapped.len(), twice(&mapped).len()), (lines.len(), expected), "{lines:?}");
        }
        assert_eq!(mapping(&shared(16, 5)).unwrap().path, "/srv/my db/a.db-shm");
        assert_eq!(mapping("7f00-7f01 r--p 00000000 00:00 0"), None);
    }

    #[test]
    fn every_file_with_sqlite_in_it_is_a_copy() {
        let place = tempfile::tempdir().unwrap();
        let text = TEXT.to_ascii_lowercase();
        let write = |name: &str, text: String| fs::write(place.path().join(name), text).unwrap();
        write("one.so", format!("{}{text}", "x".repeat(BLOCK - 10)));
        write("two.so", format!("{text}."));
        write("no.so", TEXT.repeat(3));
        let line = |(number, name): (u64, &str)| {
            mapping(&format!("7f00-7f01 r-xp 0 fe:01 {number} {}/{name}", place.path().display())).unwrap()
        };
        let mapped: Vec<Mapping> =
            [(1, "one.so"), (2, "no.so"), (1, "one.so")].into_iter().map(line).collect();
        assert_eq!(copies(&mapped).len(), 1);
        assert!(of_copies(&copies(&mapped)).remedy.is_none());
        let mapped: Vec<Mapping> = [(9, "gone.so (deleted)")].into_iter().map(line).collect();
        let told = of_copies(&copies(&mapped));
        assert!(told.what.contains("no copy") && told.remedy.is_some(), "{told:?}");
        let mapped: Vec<Mapping> = [(1, "one.so"), (3, "two.so")].into_iter().map(line).collect();
        let told = of_copies(&copies(&mapped));
        assert!(told.what.contains("one.so, ") && told.what.ends_with("two.so"), "{told:?}");
    }

    #[test]
    fn this_process_has_one_copy() {
        let all = findings(&Shell { program: Some("Test 1".to_owned()), ..Shell::default() });
        assert_eq!(all.len(), 2, "{all:?}");
        let versions = &all[0].what;
        assert!(versions.contains("libsqlite3.so") && versions.ends_with(", Test 1"), "{versions}");
        assert!(!versions.contains("unknown") && all.iter().all(|one| one.remedy.is_none()), "{all:?}");
    }
}
