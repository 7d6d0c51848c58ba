//! Where the beginning of a file can be taken out while its writer goes on, and taking it out.
//!
//! Apart from `segment`, which brings that beginning to safety before. A file system that can (ext4, XFS) moves its blocks, and
//! the size with them, while appending writers wait: whoever appends goes on at the new end.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::durable::Nascent;

use super::breaks::with_hint;
use super::file::{LogFile, digest, to_size};
use super::plan::Problem;

/// A file system that moves no blocks of this size moves none (bytes).
const MAX_BLOCK: u64 = 1 << 21;
/// So much of what follows a cut tells whether it was made (bytes).
const TELLING: u64 = 1 << 16;

/// A place to cut at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Bytes before it: whole lines, whole blocks, and not all of the file.
    pub(crate) at: u64,
    /// So many bytes behind it were looked at,
    pub(crate) telling: u64,
    /// and this is their digest. The file begins otherwise.
    pub(crate) digest: String,
}

/// Of which size the blocks are that the file system of a file's directory can take out; none where it cannot. Tries it out
/// on a file of our own.
pub(crate) fn block(path: &Path) -> Result<Option<u64>, Problem> {
    let nascent = Nascent::of_ours(path, "try").map_err(|cause| with_hint(&cause))?;
    let fail = |cause: io::Error| {
        format!("cannot try out what the file system of {} can do: {cause}", path.display())
    };
    let file = nascent.file();
    let mut block =
        rustix::fs::fstatfs(file).ok().and_then(|found| u64::try_from(found.f_bsize).ok()).unwrap_or(0);
    block = block.clamp(1, MAX_BLOCK).next_power_of_two();
    while block <= MAX_BLOCK {
        file.set_len(2 * block + 1).map_err(fail)?;
        match take_out(file, block) {
            Ok(()) => return Ok(Some(block)),
            Err(cause) if cause.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => block *= 2,
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

/// Takes so many bytes out at the beginning of a file.
pub(crate) fn take_out(file: &File, bytes: u64) -> io::Result<()> {
    Ok(rustix::fs::fallocate(file, FallocateFlags::COLLAPSE_RANGE, 0, bytes)?)
}

/// The last place of a file where whole blocks and whole lines end, and behind which it does not go on as it begins: after a
/// crash nobody could tell whether that beginning is still there.
pub(crate) fn place(file: &LogFile, block: u64) -> io::Result<Option<Place>> {
    let mut at = file.size.saturating_sub(1) / block * block;
    let mut last = [0_u8];
    while at > 0 {
        file.file().read_exact_at(&mut last, at - 1)?;
        if last == *b"\n" {
            let telling = TELLING.min(file.size - at);
            let digest = digest_of(file.file(), at, telling)?;
            if digest != digest_of(file.file(), 0, telling)? {
                return Ok(Some(Place { at, telling, digest }));
            }
        }
        at -= block;
    }
    Ok(None)
}

/// The digest of a few bytes.
pub(crate) fn digest_of(file: &File, from: u64, bytes: u64) -> io::Result<String> {
    let mut part = vec![0; to_size(bytes.min(TELLING))];
    file.read_exact_at(&mut part, from)?;
    Ok(digest(&part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::file::{Access, Owners};
    use crate::logs::names::Packing;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn where_a_file_can_be_cut() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a");
        // Lines of 8 bytes that differ, unless said otherwise.
        let lines = |count: usize| -> String { (0..count).map(|n| format!("{n:07}\n")).collect() };
        for (what, text, expected) in [
            ("empty", String::new(), None),
            ("less than a block", lines(511), None),
            ("a block and no more", lines(512), None),
            ("a block and a line", lines(513), Some(4096)),
            ("a block and a part of a line", format!("{}x", lines(512)), Some(4096)),
            ("some blocks", lines(1600), Some(12288)),
            ("no line ends with a block", format!("x{}", lines(1600)), None),
            ("one does", format!("{}x{}", lines(1024), lines(600)), Some(8192)),
            ("it goes on as it began", "tick...\n".repeat(2000), None),
            ("it begins again", format!("{0}{0}0000000\n", lines(512)), None),
            ("it begins again, and goes on", format!("{0}{0}0000001\n", lines(512)), Some(8192)),
        ] {
            std::fs::write(&path, &text)?;
            let file = LogFile::open(&path, Packing::Plain, Access::Read, &Owners::default())
                .map_err(|cause| format!("{cause:?}"))?;
            assert_eq!(place(&file, 4096)?.map(|place| place.at), expected, "{what}");
        }
        Ok(())
    }

    #[test]
    fn trying_it_out_leaves_nothing_behind() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a");
        if let Some(block) = block(&path)? {
            let text = vec![b'x'; to_size(block) + 5];
            std::fs::write(&path, &text)?;
            take_out(&File::options().write(true).open(&path)?, block)?;
            assert_eq!(std::fs::read(&path)?, b"xxxxx");
            std::fs::remove_file(&path)?;
        }
        assert_eq!(std::fs::read_dir(directory.path())?.count(), 0);
        Ok(())
    }
}
