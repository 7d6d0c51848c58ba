//! Where a file lies: under how many names, and on what kind of file system.
//!
//! Apart from `open`, which opens what is found there. It only looks: `stat` and the kernel's list of mounts.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// File systems whose locks other machines do not see, or see too late for SQLite.
const NETWORK: [&str; 18] = [
    "9p",
    "afs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "fuse.cephfs",
    "fuse.glusterfs",
    "fuse.s3fs",
    "fuse.sshfs",
    "fuse.rclone",
    "gfs2",
    "lustre",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
    "smbfs",
];

/// Why a database must not be used where it lies; `None` where nothing speaks against it.
pub(crate) fn objection(path: &Path, file: &Metadata) -> Option<String> {
    if file.nlink() > 1 {
        return Some(format!(
            "{} has {} names (hard links), and SQLite keeps a journal for each: remove the others, or copy the file",
            path.display(),
            file.nlink()
        ));
    }
    network_of(file.dev()).map(|kind| {
        format!(
            "{} lies on a network file system ({kind}), whose locks are not safe for SQLite: keep it on a local disk",
            path.display()
        )
    })
}

/// The kind of file system of a device, if a network is in the middle of it.
pub(crate) fn network_of(device: u64) -> Option<String> {
    // A machine that does not list its mounts has no network file systems that we know of.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    network(&mounts, device).map(str::to_owned)
}

/// The name of the file system of a device, if it is one that a network is in the middle of.
fn network(mounts: &str, device: u64) -> Option<&str> {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let of_device = format!("{major}:{minor}");
    mounts.lines().find_map(|line| {
        // Number, parent, device, root, place, options, any optional words, a dash, kind (proc(5)).
        let mut words = line.split(' ');
        if words.nth(2)? != of_device {
            return None;
        }
        let kind = words.skip_while(|word| *word != "-").nth(1)?;
        NETWORK.contains(&kind).then_some(kind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_by_their_device() {
        let mounts = "22 27 0:21 / /proc rw,relatime - proc proc rw\n\
                      27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n\
                      90 27 0:47 / /srv/share rw shared:2 master:7 - nfs4 host:/share rw,vers=4.2\n\
                      91 27 0:48 / /mnt rw - fuse.sshfs someone@host:/ rw\nbroken line\n";
        for (device, expected) in [
            (rustix::fs::makedev(254, 1), None),
            (rustix::fs::makedev(0, 47), Some("nfs4")),
            (rustix::fs::makedev(0, 48), Some("fuse.sshfs")),
            (rustix::fs::makedev(0, 99), None),
        ] {
            assert_eq!(network(mounts, device), expected, "{device}");
        }
        assert_eq!(network("", rustix::fs::makedev(0, 47)), None);
    }
}
