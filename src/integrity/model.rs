//! What is known of one file: its attributes, and which of them are compared.
//!
//! Pure. `walk` and `hash` fill it, `codec` writes it down, `compare` compares it. Names are bytes here and nowhere text.

use std::cmp::Ordering;

/// A SHA-256.
pub(super) type Digest = [u8; 32];

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink,
    Fifo,
    Socket,
    CharacterDevice,
    BlockDevice,
}

impl Kind {
    pub(super) const ALL: [Kind; 7] = [
        Kind::File,
        Kind::Directory,
        Kind::Symlink,
        Kind::Fifo,
        Kind::Socket,
        Kind::CharacterDevice,
        Kind::BlockDevice,
    ];

    /// Its number in a baseline.
    pub(super) const fn number(self) -> u8 {
        match self {
            Kind::File => 1,
            Kind::Directory => 2,
            Kind::Symlink => 3,
            Kind::Fifo => 4,
            Kind::Socket => 5,
            Kind::CharacterDevice => 6,
            Kind::BlockDevice => 7,
        }
    }

    pub(super) fn of_number(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// Whether what is in a file may be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Everything.
    Whole,
    /// A database: opening and closing it would drop the locks of this process on it, and it changes all day.
    Outside,
    /// A directory of which not all could be looked at when it was accepted.
    Closed,
}

/// A time of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    pub(super) seconds: i64,
    pub(super) nanos: u32,
}

/// What the file system says of a file, beside its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) kind: Kind,
    /// Permission bits, with those for set-user-id and the like.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) nlink: u32,
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) mtime: Stamp,
    pub(super) ctime: Stamp,
    /// Whether something is mounted at its name.
    pub(super) is_mount: bool,
    /// Of a device, which one.
    pub(super) device: u64,
}

impl Stat {
    /// What changes whenever its content does, unless somebody stores into a mapped page that is dirty already.
    pub(super) fn mark(&self) -> Mark {
        Mark { inode: self.inode, size: self.size, mtime: self.mtime, ctime: self.ctime }
    }
}

/// As long as it is the same, so most likely is the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) mtime: Stamp,
    pub(super) ctime: Stamp,
}

/// Which attributes of a file are known: today's pages write down few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// All that its kind has.
    All,
    /// Content, size, modification time in seconds, and permissions.
    Legacy,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Absolute.
    pub(super) path: Vec<u8>,
    pub(super) stat: Stat,
    pub(super) look: Look,
    pub(super) known: Known,
    /// Where a symlink leads.
    pub(super) target: Option<Vec<u8>>,
    pub(super) content: Option<Digest>,
    /// Only for pages that still compare it.
    pub(super) md5: Option<[u8; 16]>,
    /// Of its extended attributes, where these are compared.
    pub(super) xattrs: Option<Digest>,
    /// When it was read (milliseconds since 1970); 0 for never.
    pub(super) read_at: i64,
}

impl Entry {
    /// Whether its content is compared.
    pub(super) fn has_content(&self) -> bool {
        self.stat.kind == Kind::File && self.look == Look::Whole
    }
}

/// Something that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) path: Vec<u8>,
    pub(super) kind: ProblemKind,
    pub(super) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProblemKind {
    /// It cannot be read.
    Unreadable,
    /// It changed each time it was read.
    Unstable,
}

/// The order of paths: a directory, then all that is below it, then its next neighbour.
pub(super) fn order(left: &[u8], right: &[u8]) -> Ordering {
    match left.iter().zip(right).find(|(left, right)| left != right) {
        None => left.len().cmp(&right.len()),
        Some((b'/', _)) => Ordering::Less,
        Some((_, b'/')) => Ordering::Greater,
        Some((left, right)) => left.cmp(right),
    }
}

/// Whether a path is another, or lies below it.
pub(super) fn is_within(path: &[u8], directory: &[u8]) -> bool {
    match path.strip_prefix(directory) {
        Some([]) => true,
        Some([b'/', ..]) => true,
        Some(_) => directory == b"/",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_a_directory_follows_it() {
        let mut paths: Vec<&[u8]> =
            vec![b"/a.b", b"/a/b", b"/a", b"/a/b/c", b"/a b", b"/b", b"/a/\xff", b"/"];
        paths.sort_by(|left, right| order(left, right));
        assert_eq!(paths, [&b"/"[..], b"/a", b"/a/b", b"/a/b/c", b"/a/\xff", b"/a b", b"/a.b", b"/b"]);
        assert!(is_within(b"/a/b", b"/a") && is_within(b"/a", b"/a") && is_within(b"/a", b"/"));
        assert!(!is_within(b"/ab", b"/a") && !is_within(b"/", b"/a"));
    }
}
