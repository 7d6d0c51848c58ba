//! Whether the file systems on which all of it lies can be relied on, and have room.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::commands::Commands;
use super::finding::{failed, problem, warning, well};
use crate::config::Config;
use crate::error::Error;
use crate::report::{DoctorFinding, DoctorState};
use rustix::fs::StatVfsMountFlags;

/// What is known of a kind of file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Locks are not what SQLite needs, or other machines write there.
    Shared(&'static str),
    /// What lies there is gone when the machine stops.
    Fleeting(&'static str),
    /// A program stands between, and nobody knows what it makes of locks.
    Through(&'static str),
    /// It is gone with its container.
    Layered,
    /// Nothing speaks against it.
    Plain,
}

/// Of the numbers that the kernel has for them (`statfs(2)`).
fn kind(magic: u64) -> Kind {
    match magic & 0xffff_ffff {
        0x6969 => Kind::Shared("NFS"),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Kind::Shared("CIFS"),
        0x6573_5546 => Kind::Through("FUSE"),
        0x0102_1997 => Kind::Shared("9P"),
        0x00c3_6400 => Kind::Shared("Ceph"),
        0x5346_414f | 0x6b41_4653 => Kind::Shared("AFS"),
        0x7375_7245 => Kind::Shared("Coda"),
        0x786f_4256 => Kind::Shared("vboxsf"),
        0x0102_1994 => Kind::Fleeting("tmpfs"),
        0x8584_58f6 => Kind::Fleeting("ramfs"),
        0x794c_7630 => Kind::Layered,
        _ => Kind::Plain,
    }
}

/// How much is left (percent); none where the file system does not count.
fn left(free: u64, of: u64) -> Option<u64> {
    free.saturating_mul(100).checked_div(of)
}

pub(super) fn findings(config: &Config, commands: &Commands) -> Vec<DoctorFinding> {
    let mut seen: BTreeMap<u64, PathBuf> = BTreeMap::new();
    for place in places(config) {
        if let Ok(found) = fs::metadata(&place) {
            seen.entry(found.dev()).or_insert(place);
        }
    }
    seen.values()
        .flat_map(|place| [of_kind(place), of_space(place, config.guards.min_free_percent, commands)])
        .collect()
}

/// Directories that something of ours lies in.
fn places(config: &Config) -> Vec<PathBuf> {
    let replicas = config.databases.values().flat_map(|database| database.replicas.values());
    let copies = config.logs.values().flat_map(|log| log.copies.values());
    let files = replicas.chain(copies).chain([&config.events.log, &config.integrity.baseline]);
    let mut all = vec![config.root.clone(), config.root.join("sync_state")];
    all.extend(config.backups.directory.clone());
    all.extend(files.filter_map(|file| file.parent().map(Path::to_path_buf)));
    all
}

fn unknown(check: &'static str, place: &Path, cause: rustix::io::Errno) -> DoctorFinding {
    let error = Error::io("look at the file system of", place, io::Error::from(cause));
    DoctorFinding { state: DoctorState::Warning, ..failed(check, &error) }
        .mended_by("as root: run doctor, or see what df says of it")
}

fn of_kind(place: &Path) -> DoctorFinding {
    let found = match rustix::fs::statfs(place) {
        Ok(found) => found,
        Err(cause) => return unknown("filesystems", place, cause),
    };
    let magic = u64::try_from(i128::from(found.f_type) & 0xffff_ffff).unwrap_or_default();
    match kind(magic) {
        Kind::Shared(name) => problem(
            "filesystems",
            format!("it is on {name}, where locks do not keep two programs from writing at once"),
        )
        .at(place)
        .mended_by("move it to a disk of this machine, and name that place in cr0sync.json"),
        Kind::Fleeting(name) => {
            warning("filesystems", format!("it is in memory ({name}), and gone when the machine stops"))
                .at(place)
                .mended_by("move it to a disk, and name that place in cr0sync.json")
        }
        Kind::Through(name) => warning(
            "filesystems",
            format!(
                "a program makes this file system ({name}), and it may not keep locks as SQLite needs them"
            ),
        )
        .at(place)
        .mended_by("move it to a disk of this machine, and name that place in cr0sync.json"),
        Kind::Layered => well("filesystems", "it is in a layer of a container, and goes with it").at(place),
        Kind::Plain => well("filesystems", "a file system of this machine").at(place),
    }
}

fn of_space(place: &Path, least: u32, commands: &Commands) -> DoctorFinding {
    let found = match rustix::fs::statvfs(place) {
        Ok(found) => found,
        Err(cause) => return unknown("space", place, cause),
    };
    if found.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let what = "it can only be read: nothing of ours can be written there";
        let remedy =
            "see why (dmesg; after an error the kernel does that), then as root: mount -o remount,rw it";
        return problem("space", what).at(place).mended_by(remedy);
    }
    let clean = format!(
        "remove what nobody needs ({} and {} say what is old), or make the file system larger",
        commands.database("clean-backups --dry-run"),
        commands.logs("clean --dry-run")
    );
    let space = left(found.f_bavail, found.f_blocks);
    let files = left(found.f_favail, found.f_files);
    let is_short = |left: Option<u64>| left.is_some_and(|left| left < u64::from(least));
    let of = |left: Option<u64>| left.unwrap_or(100);
    match (is_short(space), is_short(files)) {
        (false, false) => well("space", format!("{} percent are free", of(space))).at(place),
        (true, _) => problem(
            "space",
            format!(
                "{} percent are free, and no backup is written below {least}: databases are not written then",
                of(space)
            ),
        )
        .at(place)
        .mended_by(clean),
        (_, true) => {
            problem("space", format!("{} percent of the files that it can hold are left", of(files)))
                .at(place)
                .mended_by(clean)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_to_and_what_goes_with_the_machine_is_known() {
        for (magic, expected) in [
            (0x6969, Kind::Shared("NFS")),
            (0xff53_4d42, Kind::Shared("CIFS")),
            (0xffff_ffff_ff53_4d42, Kind::Shared("CIFS")),
            (0x6573_5546, Kind::Through("FUSE")),
            (0x0102_1994, Kind::Fleeting("tmpfs")),
            (0x794c_7630, Kind::Layered),
            (0xef53, Kind::Plain),
        ] {
            assert_eq!(kind(magic), expected, "{magic:x}");
        }
        assert_eq!((left(1, 200), left(5, 100), left(1, 0)), (Some(0), Some(5), None));
        // What is there for certain.
        let shared = Path::new("/dev/shm");
        assert!(of_kind(shared).what.contains("tmpfs") || !shared.exists());
    }

    #[test]
    fn what_cannot_be_looked_at_or_only_read_is_told() {
        let nowhere = of_kind(Path::new("/nowhere/at/all"));
        assert!(nowhere.state == DoctorState::Warning && nowhere.remedy.is_some(), "{nowhere:?}");
        // The kernel lets nobody write there, but in a container that was given all rights.
        let read_only = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let place = read_only.lines().find_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let is_so = words.get(3)?.split(',').any(|one| one == "ro") && Path::new(words.get(1)?).exists();
            is_so.then(|| PathBuf::from(words[1]))
        });
        if let Some(place) = place {
            let told = of_space(&place, 0, &Commands::default());
            assert!(told.what.contains("only be read"), "{told:?}");
        }
    }
}
