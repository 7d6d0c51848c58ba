//! Packs rotated files with gzip, verified before the plain one goes.
//!
//! Apart from `rotate`, which says which files. Invariant: the plain file is removed only when the packed one is on disk under
//! its name, gives back every byte of it, and nobody can write to the plain one any more. A run that dies in between leaves
//! both, of which the plain one counts, or a file in the making, which is made anew.

use std::fs::{File, FileTimes};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::durable::{self, Nascent};

use super::breaks::with_hint;
use super::file::{Access, BLOCK, LogFile, Owners, Unopened, in_words};
use super::names::Packing;
use super::plan::Problem;
use super::steps::{Step, Steps};
use super::stream::fill;
use crate::durable::lease::{self, Held};

/// Packs a plain file; returns what it is called now.
pub(crate) fn pack(file: &LogFile, owners: &Owners, steps: &dyn Steps) -> Result<PathBuf, Problem> {
    let target = packed_name(&file.path);
    let fail = |cause: io::Error| in_words("pack", &file.path, &cause);
    match LogFile::open(&target, Packing::Gzip, Access::Read, owners) {
        Err(Unopened::Missing) => {}
        Err(cause) => return Err(cause.in_words(&target)),
        Ok(there) if same(&mut *file.reader(0).map_err(fail)?, there.reader(0)).unwrap_or(false) => {
            // A run died before it removed the plain one.
            durable::remove(&file.path).map_err(|cause| with_hint(&cause))?;
            return Ok(target);
        }
        Ok(_) => {
            return Err(format!(
                "{} is in the way and holds something else than {}: move one of them away",
                target.display(),
                file.path.display()
            ));
        }
    }
    let before = file.file().metadata().map_err(fail)?;
    let nascent = Nascent::like(&target, "pack", &before).map_err(|cause| with_hint(&cause))?;
    fill_packed(file, nascent.file(), &before).map_err(fail)?;
    let made = nascent.file().try_clone().and_then(|made| Ok((made.metadata()?, made))).map_err(fail)?;
    let made = LogFile::of(made.1, nascent.path(), &made.0, Packing::Gzip);
    if !same(&mut *file.reader(0).map_err(fail)?, made.reader(0)).map_err(fail)? {
        return Err(format!(
            "cannot pack {}: what was packed does not give it back, so it stays as it is; the disk may be failing (dmesg tells)",
            file.path.display()
        ));
    }
    let now = file.file().metadata().map_err(fail)?;
    if (now.len(), now.mtime(), now.mtime_nsec()) != (before.len(), before.mtime(), before.mtime_nsec())
        || lease::held(file.file()) == Held::Yes
    {
        return Err(format!(
            "{} was written to while it was packed: the next rotation packs it once nobody writes to it",
            file.path.display()
        ));
    }
    nascent.publish().map_err(|cause| with_hint(&cause))?;
    steps.at(Step::Packed);
    durable::remove(&file.path).map_err(|cause| with_hint(&cause))?;
    Ok(target)
}

/// What a packed file is called.
pub(crate) fn packed_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    PathBuf::from(name)
}

fn fill_packed(file: &LogFile, made: &File, like: &std::fs::Metadata) -> io::Result<()> {
    let mut encoder = flate2::write::GzEncoder::new(io::BufWriter::new(made), flate2::Compression::default());
    io::copy(&mut io::BufReader::with_capacity(BLOCK, file.reader(0)?), &mut encoder)?;
    encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    made.set_times(FileTimes::new().set_accessed(like.accessed()?).set_modified(like.modified()?))?;
    made.sync_all()
}

/// Whether both give the same bytes.
pub(crate) fn same(a: &mut dyn Read, b: io::Result<Box<dyn Read + '_>>) -> io::Result<bool> {
    let mut b = b?;
    let (mut block_a, mut block_b) = (vec![0; BLOCK], vec![0; BLOCK]);
    loop {
        let (had_a, had_b) = (fill(a, &mut block_a)?, fill(&mut b, &mut block_b)?);
        if block_a.get(..had_a) != block_b.get(..had_b) {
            return Ok(false);
        }
        if had_a < BLOCK {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::steps::Unwatched;
    use std::os::unix::fs::PermissionsExt;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    fn open(path: &Path) -> Result<LogFile, String> {
        LogFile::open(path, Packing::Plain, Access::Read, &Owners::default())
            .map_err(|cause| format!("{cause:?}"))
    }

    fn read(path: &Path) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        flate2::read::MultiGzDecoder::new(File::open(path)?).read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn packed_it_is_the_same_file() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("b.log.2025-07-14");
        let text: Vec<u8> = (0..300_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        for text in [&text[..], b""] {
            std::fs::write(&path, text)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o664))?;
            let then = std::time::UNIX_EPOCH + std::time::Duration::new(1_750_000_000, 123_456_789);
            File::options().write(true).open(&path)?.set_modified(then)?;
            let packed = pack(&open(&path)?, &Owners::default(), &Unwatched)?;
            assert_eq!((packed.clone(), path.exists()), (packed_name(&path), false));
            assert_eq!(read(&packed)?, text);
            let now = std::fs::metadata(&packed)?;
            assert_eq!((now.modified()?, now.mode() & 0o777), (then, 0o664));
            std::fs::remove_file(packed)?;
        }
        Ok(())
    }

    #[test]
    fn leftovers_are_recognised_and_strangers_are_left() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("b.log.1");
        let packed = packed_name(&path);
        std::fs::write(&path, "a\nb\n")?;
        std::fs::write(directory.path().join("b.log.1.gz.new-pack"), "half of it")?;
        let keep = std::fs::read(&path)?;
        pack(&open(&path)?, &Owners::default(), &Unwatched)?;
        // It died before it removed the plain one.
        std::fs::write(&path, &keep)?;
        assert_eq!(pack(&open(&path)?, &Owners::default(), &Unwatched)?, packed);
        assert_eq!(std::fs::read_dir(directory.path())?.count(), 1);
        for stranger in [&b"no gzip"[..], b""] {
            std::fs::write(&path, "a\n")?;
            std::fs::write(&packed, stranger)?;
            let why = pack(&open(&path)?, &Owners::default(), &Unwatched);
            assert!(why.is_err_and(|why| why.contains("holds something else")));
            assert_eq!(
                (std::fs::read(&path)?, std::fs::read(&packed)?),
                (b"a\n".to_vec(), stranger.to_vec())
            );
        }
        Ok(())
    }

    #[test]
    fn what_is_held_open_is_not_packed() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("b.log.1");
        std::fs::write(&path, "a\n")?;
        let writer = File::options().append(true).open(&path)?;
        assert!(pack(&open(&path)?, &Owners::default(), &Unwatched).is_err());
        assert_eq!(std::fs::read_dir(directory.path())?.count(), 1, "nothing is left behind");
        drop(writer);
        pack(&open(&path)?, &Owners::default(), &Unwatched)?;
        Ok(())
    }

    /// Somebody who may write in the directory swaps what is in the making for a symlink, as fast as he can.
    #[test]
    fn what_a_symlink_points_at_is_never_written() -> Outcome {
        let directory = tempfile::tempdir()?;
        let (path, victim) = (directory.path().join("b.log.1"), directory.path().join("victim"));
        let (made, link) = (directory.path().join("b.log.1.gz.new-pack"), directory.path().join("link"));
        std::fs::write(&victim, "mine")?;
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = std::os::unix::fs::symlink(&victim, &link);
                    if std::fs::symlink_metadata(&made).is_ok_and(|made| made.is_file()) {
                        let _ = std::fs::rename(&link, &made);
                    }
                }
            });
            let tried = (0..500).try_for_each(|_| {
                std::fs::write(&path, "a\n".repeat(2000))?;
                if let Ok(packed) = pack(&open(&path)?, &Owners::default(), &Unwatched) {
                    assert_eq!(read(&packed)?, "a\n".repeat(2000).as_bytes());
                }
                let _ = std::fs::remove_file(packed_name(&path));
                Outcome::Ok(())
            });
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            tried
        })?;
        assert_eq!(std::fs::read(&victim)?, b"mine");
        Ok(())
    }
}
