//! Whether the file systems on which all of it lies can be relied on, and have room.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::commands::Commands;
use super::finding::{failed, problem, warning, well};
use crate::config::Config;
use crate::database;
use crate::durable::quoted;
use crate::error::Error;
use crate::report::{DoctorFinding, DoctorState};
use rustix::fs::{AtFlags, CWD, StatVfsMountFlags, StatxFlags};

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
        0x7461_636f => Kind::Shared("OCFS2"),
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
    // What is written first, so that a mount that is for both is asked for that.
    let mut seen: BTreeMap<Mount, (PathBuf, Use)> = BTreeMap::new();
    for (place, used) in places(config) {
        if let Some(mount) = mount_of(&place) {
            let known = seen.entry(mount).or_insert_with(|| (place.clone(), used));
            if (known.1, used) == (Use::Read, Use::Written) {
                *known = (place, used);
            }
        }
    }
    let least = config.guards.min_free_percent;
    let of = |(place, used): &(PathBuf, Use)| {
        let space = (*used == Use::Written).then(|| of_space(place, least, commands));
        [Some(of_kind(place)), space].into_iter().flatten()
    };
    seen.values().flat_map(of).collect()
}

/// What is done in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Written,
    Read,
}

/// Directories that something of ours lies in.
fn places(config: &Config) -> Vec<(PathBuf, Use)> {
    let above = |file: &PathBuf| file.parent().map(Path::to_path_buf);
    let replicas = config.databases.values().flat_map(|database| database.replicas.values());
    let files = replicas.chain([&config.events.log, &config.integrity.baseline]);
    let mut all = vec![config.root.clone(), config.root.join("sync_state")];
    all.extend(config.backups.directory.clone());
    all.extend(files.filter_map(above));
    let mut all: Vec<(PathBuf, Use)> = all.into_iter().map(|place| (place, Use::Written)).collect();
    for log in config.logs.values() {
        // Others are only read.
        let used = |side: &String| match *side == config.hub || log.mirrors.contains(side) {
            true => Use::Written,
            false => Use::Read,
        };
        all.extend(log.copies.iter().filter_map(|(side, file)| Some((above(file)?, used(side)))));
    }
    all
}

/// The device of a place, and the mount by which it is seen: one device can be mounted at two places, and differently.
type Mount = (u32, u32, u64);

fn mount_of(place: &Path) -> Option<Mount> {
    let found = rustix::fs::statx(CWD, place, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
    // Older kernels do not tell.
    let mount = if found.stx_mask & StatxFlags::MNT_ID.bits() == 0 { 0 } else { found.stx_mnt_id };
    Some((found.stx_dev_major, found.stx_dev_minor, mount))
}

/// Where what a place lies on is mounted.
fn mounted_at(place: &Path) -> PathBuf {
    let place = fs::canonicalize(place).unwrap_or_else(|_| place.to_path_buf());
    let mount = mount_of(&place);
    let above = place.ancestors().take_while(|above| mount_of(above) == mount);
    above.last().unwrap_or(&place).to_path_buf()
}

fn unknown(check: &'static str, place: &Path, cause: rustix::io::Errno) -> DoctorFinding {
    let error = Error::io("look at the file system of", place, io::Error::from(cause));
    DoctorFinding { state: DoctorState::Warning, ..failed(check, &error) }
        .mended_by("as root: run doctor, or see what df says of it")
}

fn shared(place: &Path, name: &str) -> DoctorFinding {
    let what = format!("it is on {name}, where locks do not keep two programs from writing at once");
    let remedy = "move it to a disk of this machine, and name that place in cr0sync.json";
    problem("filesystems", what).at(place).mended_by(remedy)
}

fn of_kind(place: &Path) -> DoctorFinding {
    let found = match rustix::fs::statfs(place) {
        Ok(found) => found,
        Err(cause) => return unknown("filesystems", place, cause),
    };
    // What the runs refuse is refused here as well, by the same list.
    let listed = fs::metadata(place).ok().and_then(|found| database::network_of(found.dev()));
    if let Some(name) = listed {
        return shared(place, &name);
    }
    let magic = u64::try_from(i128::from(found.f_type) & 0xffff_ffff).unwrap_or_default();
    match kind(magic) {
        Kind::Shared(name) => shared(place, name),
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

fn read_only(place: &Path) -> DoctorFinding {
    let what = "it can only be read: nothing of ours can be written there";
    let remedy = format!(
        "see why (dmesg; after an error the kernel does that), then as root: mount -o remount,rw {}",
        quoted(&mounted_at(place))
    );
    problem("space", what).at(place).mended_by(remedy)
}

fn of_space(place: &Path, least: u32, commands: &Commands) -> DoctorFinding {
    let found = match rustix::fs::statvfs(place) {
        Ok(found) => found,
        Err(cause) => return unknown("space", place, cause),
    };
    if found.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return read_only(place);
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
                "{} percent are free, and no backup is made below {least}: runs write databases without one then, and what \
                 makes a copy first (undo, restore, sync-from, --force) writes nothing",
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
        let remedy = read_only(Path::new("/proc/self")).remedy.unwrap();
        assert!(remedy.ends_with(" as root: mount -o remount,rw /proc"), "{remedy}");
        let whole = of_space(Path::new("/"), 0, &Commands::default());
        let is_read_only = rustix::fs::statvfs("/").unwrap().f_flag.contains(StatVfsMountFlags::RDONLY);
        assert_eq!(whole.what.contains("only be read"), is_read_only, "{whole:?}");
    }

    /// What the kernel lists of mounts, among them those of one device at two places where there are such.
    #[test]
    fn a_mount_is_told_from_another_one_of_the_same_device() {
        let list = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mut looked = 0;
        for line in list.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let place = Path::new(words[4]);
            let hidden = list.lines().filter(|other| other.split(' ').nth(4) == Some(words[4])).count() > 1;
            let Some((_, _, mount)) = mount_of(place).filter(|(_, _, mount)| *mount != 0 && !hidden) else {
                continue;
            };
            assert_eq!(mount.to_string(), words[0], "{line}");
            assert_eq!(mounted_at(place), place, "{line}");
            looked += 1;
        }
        assert!(looked > 0, "{list}");
    }

    #[test]
    fn what_is_only_read_need_not_be_writable() {
        let config = br#"{"version": 1, "logs": {"x": {"mirrors": ["web"],
            "copies": {"central": "/c/x.log", "bot": "/b/x.log", "web": "/w/x.log"}}}}"#;
        let config = Config::parse(config, Path::new("/nowhere"), None).unwrap();
        let all = places(&config);
        let of = |place: &str| all.iter().find(|(path, _)| path == Path::new(place)).map(|(_, used)| *used);
        assert_eq!([of("/c"), of("/b"), of("/w")], [Some(Use::Written), Some(Use::Read), Some(Use::Written)]);
        assert_eq!(of("/nowhere"), Some(Use::Written));
    }
}
