//! A baseline as bytes: sorted entries, each with what its path shares with the one before left out, and a signature.
//!
//! Pure. What is read here lies where the website may write: nothing in it is believed before its signature was verified,
//! and nothing in it may make reading fail in any other way than [`Flaw`].

use sha2::{Digest as _, Sha256};

use super::model::{Digest, Entry, Kind, Known, Look, Stamp, Stat, order};

/// What a baseline begins with; the number behind it is its version.
const MAGIC: &[u8; 12] = b"cr0 baseline";
const VERSION: u32 = 1;
/// Of a signature.
pub(super) const SIGNATURE: usize = 64;

/// Bits of an entry.
const IS_OUTSIDE: u8 = 1;
const IS_LEGACY: u8 = 2;
const IS_MOUNT: u8 = 4;
const HAS_TARGET: u8 = 8;
const HAS_CONTENT: u8 = 16;
const HAS_MD5: u8 = 32;
const HAS_XATTRS: u8 = 64;
const IS_CLOSED: u8 = 128;

/// What was accepted, of all files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Baseline {
    /// Counts up with each one.
    pub(super) generation: u64,
    /// When it was made (seconds since 1970).
    pub(super) created: i64,
    /// The digest of the one before; zeros for the first.
    pub(super) previous: Digest,
    /// What was watched.
    pub(super) scope: Digest,
    /// In the order of paths.
    pub(super) entries: Vec<Entry>,
}

/// Why bytes are no baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// They are something else.
    NotOne,
    /// They end too early, or make no sense.
    Damaged,
    /// It is of a version that we do not know.
    Newer(u32),
}

/// The bytes of a baseline without their signature.
pub(super) fn encode(baseline: &Baseline) -> Vec<u8> {
    let mut to = Vec::with_capacity(baseline.entries.len().saturating_mul(160).saturating_add(128));
    to.extend_from_slice(MAGIC);
    to.extend_from_slice(&VERSION.to_le_bytes());
    to.extend_from_slice(&baseline.generation.to_le_bytes());
    to.extend_from_slice(&baseline.created.to_le_bytes());
    to.extend_from_slice(&baseline.previous);
    to.extend_from_slice(&baseline.scope);
    to.extend_from_slice(&long(baseline.entries.len()).to_le_bytes());
    let mut before: &[u8] = b"";
    for entry in &baseline.entries {
        let shared = before.iter().zip(&entry.path).take_while(|(left, right)| left == right).count();
        let rest = entry.path.get(shared..).unwrap_or_default();
        to.extend_from_slice(&short(shared).to_le_bytes());
        text(rest, &mut to);
        one(entry, &mut to);
        before = &entry.path;
    }
    to
}

fn one(entry: &Entry, to: &mut Vec<u8>) {
    let bit = |is: bool, bit: u8| if is { bit } else { 0 };
    let bits = bit(entry.look == Look::Outside, IS_OUTSIDE)
        | bit(entry.look == Look::Closed, IS_CLOSED)
        | bit(entry.known == Known::Legacy, IS_LEGACY)
        | bit(entry.stat.is_mount, IS_MOUNT)
        | bit(entry.target.is_some(), HAS_TARGET)
        | bit(entry.content.is_some(), HAS_CONTENT)
        | bit(entry.md5.is_some(), HAS_MD5)
        | bit(entry.xattrs.is_some(), HAS_XATTRS);
    let stat = &entry.stat;
    to.extend_from_slice(&[bits, stat.kind.number()]);
    for number in [stat.mode, stat.uid, stat.gid, stat.nlink] {
        to.extend_from_slice(&number.to_le_bytes());
    }
    for number in [stat.inode, stat.size, stat.device] {
        to.extend_from_slice(&number.to_le_bytes());
    }
    for stamp in [stat.mtime, stat.ctime] {
        to.extend_from_slice(&stamp.seconds.to_le_bytes());
        to.extend_from_slice(&stamp.nanos.to_le_bytes());
    }
    to.extend_from_slice(&entry.read_at.to_le_bytes());
    if let Some(target) = &entry.target {
        text(target, to);
    }
    to.extend(entry.content.iter().flatten());
    to.extend(entry.md5.iter().flatten());
    to.extend(entry.xattrs.iter().flatten());
}

fn text(bytes: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(&short(bytes.len()).to_le_bytes());
    to.extend_from_slice(bytes);
}

fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn long(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// What a signature is over.
pub(super) fn digest(unsigned: &[u8]) -> Digest {
    Sha256::digest(unsigned).into()
}

/// The bytes without their signature, and that.
pub(super) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8; SIGNATURE])> {
    bytes.split_last_chunk::<SIGNATURE>()
}

/// Reads the bytes of a baseline, without their signature.
pub(super) fn decode(unsigned: &[u8]) -> Result<Baseline, Flaw> {
    let mut from = Reader(unsigned);
    if from.0.len() < MAGIC.len() && MAGIC.starts_with(from.0) {
        return Err(Flaw::Damaged);
    }
    if from.array::<12>()? != *MAGIC {
        return Err(Flaw::NotOne);
    }
    let version = u32::from_le_bytes(from.array()?);
    if version != VERSION {
        return Err(if version > VERSION { Flaw::Newer(version) } else { Flaw::Damaged });
    }
    let generation = from.long()?;
    let created = i64::from_le_bytes(from.array()?);
    let (previous, scope) = (from.array()?, from.array()?);
    let count = usize::try_from(from.long()?).map_err(|_| Flaw::Damaged)?;
    // An entry has at least so many bytes: what it says of their number reserves no more than there is.
    let mut entries: Vec<Entry> = Vec::with_capacity(count.min(from.0.len() / 80));
    for _ in 0..count {
        let before = entries.last().map(|entry| entry.path.as_slice()).unwrap_or_default();
        let shared = usize::try_from(from.short()?).map_err(|_| Flaw::Damaged)?;
        let rest = from.text()?;
        let path = [before.get(..shared).ok_or(Flaw::Damaged)?, rest].concat();
        if !entries.is_empty() && order(before, &path).is_ge() {
            return Err(Flaw::Damaged);
        }
        entries.push(from.entry(path)?);
    }
    if !from.0.is_empty() {
        return Err(Flaw::Damaged);
    }
    Ok(Baseline { generation, created, previous, scope, entries })
}

/// Bytes that are still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or(Flaw::Damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    fn short(&mut self) -> Result<u32, Flaw> {
        self.array().map(u32::from_le_bytes)
    }

    fn long(&mut self) -> Result<u64, Flaw> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<&'a [u8], Flaw> {
        let length = usize::try_from(self.short()?).map_err(|_| Flaw::Damaged)?;
        let (first, rest) = self.0.split_at_checked(length).ok_or(Flaw::Damaged)?;
        self.0 = rest;
        Ok(first)
    }

    fn stamp(&mut self) -> Result<Stamp, Flaw> {
        Ok(Stamp { seconds: i64::from_le_bytes(self.array()?), nanos: self.short()? })
    }

    fn entry(&mut self, path: Vec<u8>) -> Result<Entry, Flaw> {
        let [bits, kind] = self.array()?;
        let has = |bit: u8| bits & bit != 0;
        let kind = Kind::of_number(kind).ok_or(Flaw::Damaged)?;
        let (mode, uid, gid, nlink) = (self.short()?, self.short()?, self.short()?, self.short()?);
        let (inode, size, device) = (self.long()?, self.long()?, self.long()?);
        let (mtime, ctime) = (self.stamp()?, self.stamp()?);
        let is_mount = has(IS_MOUNT);
        let stat = Stat { kind, mode, uid, gid, nlink, inode, size, mtime, ctime, is_mount, device };
        Ok(Entry {
            path,
            stat,
            look: match (has(IS_OUTSIDE), has(IS_CLOSED)) {
                (true, _) => Look::Outside,
                (false, true) => Look::Closed,
                (false, false) => Look::Whole,
            },
            known: if has(IS_LEGACY) { Known::Legacy } else { Known::All },
            read_at: i64::from_le_bytes(self.array()?),
            target: if has(HAS_TARGET) { Some(self.text()?.to_vec()) } else { None },
            content: if has(HAS_CONTENT) { Some(self.array()?) } else { None },
            md5: if has(HAS_MD5) { Some(self.array()?) } else { None },
            xattrs: if has(HAS_XATTRS) { Some(self.array()?) } else { None },
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file that nothing is wrong with.
    pub(in super::super) fn file(path: &str, inode: u64) -> Entry {
        let stamp = Stamp { seconds: 1_700_000_000, nanos: 5 };
        Entry {
            path: path.as_bytes().to_vec(),
            stat: Stat {
                kind: Kind::File,
                mode: 0o644,
                uid: 1,
                gid: 2,
                nlink: 1,
                inode,
                size: 10,
                mtime: stamp,
                ctime: stamp,
                is_mount: false,
                device: 0,
            },
            look: Look::Whole,
            known: Known::All,
            target: None,
            content: Some([7; 32]),
            md5: None,
            xattrs: None,
            read_at: 1_700_001_000_000,
        }
    }

    fn baseline() -> Baseline {
        let mut link = file("/a/link", 3);
        link.stat.kind = Kind::Symlink;
        link.target = Some(b"\xff\n".to_vec());
        link.content = None;
        let mut odd = file("/a/\u{1}", 2);
        (odd.md5, odd.xattrs, odd.look, odd.known) =
            (Some([1; 16]), Some([2; 32]), Look::Outside, Known::Legacy);
        odd.stat.mtime = Stamp { seconds: -5, nanos: 999_999_999 };
        let mut directory = file("/a", 1);
        (directory.stat.kind, directory.look, directory.content) = (Kind::Directory, Look::Closed, None);
        let entries = vec![directory, odd, file("/a/b", 9), link, file("/a.b", 4)];
        Baseline { generation: 7, created: -1, previous: [9; 32], scope: [8; 32], entries }
    }

    #[test]
    fn a_baseline_comes_back_as_it_was() {
        assert_eq!(decode(&encode(&baseline())), Ok(baseline()));
    }

    #[test]
    fn nothing_but_a_whole_baseline_is_one() {
        let bytes = encode(&baseline());
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), Err(Flaw::Damaged), "{end}");
        }
        assert_eq!(decode(&[&bytes[..], b"x"].concat()), Err(Flaw::Damaged));
        assert_eq!(decode(b"{\"created\": \"today\"}"), Err(Flaw::NotOne));
        let mut newer = bytes.clone();
        newer[12] = 2;
        assert_eq!(decode(&newer), Err(Flaw::Newer(2)));
        // Whatever is changed, reading it ends, and takes no more than there is.
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut other = bytes.clone();
                other[at] = value;
                let _ = decode(&other);
            }
        }
    }

    #[test]
    fn entries_that_are_out_of_order_are_no_baseline() {
        let mut other = baseline();
        other.entries.swap(0, 1);
        assert_eq!(decode(&encode(&other)), Err(Flaw::Damaged));
    }
}
