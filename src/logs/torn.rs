//! What a file that was copied, and then to be truncated, still has, where the machine may have died in between.
//!
//! Apart from `segment`, which acts on it. Only reads. Of what neither had on disk for sure any part may have come to disk, in
//! the one or in the other; NULs in its place, or the end of the file, are what did not.

use std::io;

use super::file::{BLOCK, LogFile};
use super::plan::Problem;
use super::stream::fill;

/// What a live file has of its copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// It was truncated.
    Nothing,
    /// Everything that is there of it.
    All,
    /// It was not truncated, and the copy has everything that it has, and more.
    Less,
    /// Either has something that the other has not.
    Neither,
}

/// Compares the two. Both had so many bytes on disk for `sure` before it was truncated.
pub(crate) fn left(live: &LogFile, copied: &LogFile, sure: u64) -> Result<Left, Problem> {
    compare(live, copied, sure).map_err(|cause| {
        format!("cannot compare {} with {}: {cause}", live.path.display(), copied.path.display())
    })
}

fn compare(live: &LogFile, copied: &LogFile, sure: u64) -> io::Result<Left> {
    if live.length()? < sure {
        return Ok(Left::Nothing);
    }
    let (mut a, mut b) = (live.reader(0)?, copied.reader(0)?);
    let (mut block_a, mut block_b) = (vec![0; BLOCK], vec![0; BLOCK]);
    let (mut at, mut live_lacks, mut copy_lacks) = (0_u64, false, false);
    loop {
        let (had_a, had_b) = (fill(&mut a, &mut block_a)?, fill(&mut b, &mut block_b)?);
        let had = had_a.max(had_b);
        block_a.get_mut(had_a..had).unwrap_or_default().fill(0);
        block_b.get_mut(had_b..had).unwrap_or_default().fill(0);
        let both = block_a.iter().zip(&block_b).take(had);
        for (place, (live, copied)) in (at..).zip(both).filter(|(_, (live, copied))| live != copied) {
            if place < sure {
                return Ok(Left::Nothing);
            }
            live_lacks |= *live == 0;
            copy_lacks |= *copied == 0;
            if (live_lacks && copy_lacks) || (*live != 0 && *copied != 0) {
                return Ok(Left::Neither);
            }
        }
        at += u64::try_from(had).unwrap_or(0);
        if had < BLOCK {
            return Ok(if live_lacks { Left::Less } else { Left::All });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::file::{Access, Owners};
    use crate::logs::names::Packing;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn what_a_file_has_of_its_copy() -> Outcome {
        let directory = tempfile::tempdir()?;
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text)?;
            LogFile::open(&path, Packing::Plain, Access::Read, &Owners::default())
                .map_err(|cause| std::io::Error::other(format!("{cause:?}")))
        };
        for (live, copied, expected) in [
            ("one\ntwo\n", "one\ntwo\n", Left::All),
            ("one\ntwo\nthree\n", "one\ntwo\n", Left::All),
            ("one\ntwo\nthree\n", "one\ntwo\n\0\0\0\0\0\0", Left::All),
            ("one\ntwo\nthree\n", "one\ntwo\nth\0\0\0\n", Left::All),
            ("one\ntwo\n", "one\ntwo\nthree\n", Left::Less),
            ("one\ntwo\n\0\0\0\0\0\0", "one\ntwo\nthree\n", Left::Less),
            ("one\ntwo\n\0\0\0\0\0\0own\n", "one\ntwo\nthree\n", Left::Neither),
            ("one\ntwo\nown\n", "one\ntwo\nthree\n", Left::Neither),
            ("", "one\ntwo\n", Left::Nothing),
            ("own\n", "one\ntwo\n", Left::Nothing),
            ("one\n", "one\ntwo\n", Left::Nothing),
            ("own\nand more\n", "one\ntwo\n", Left::Nothing),
        ] {
            assert_eq!(left(&file("live", live)?, &file("copied", copied)?, 8)?, expected, "{live:?}");
        }
        Ok(())
    }
}
