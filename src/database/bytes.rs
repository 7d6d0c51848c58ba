//! The bytes of a cell: in memory, or, where there are many large ones, in a file without a name.
//!
//! A plan is computed whole before anything is locked, so all cells that differ are at hand until the end. Beyond a bound
//! they are put away; they still read as slices, since the file is mapped, and count as memory only while they are
//! looked at. Apart from `value`, to which both are the same. The second module of this crate that may contain `unsafe`.
#![expect(unsafe_code, reason = "mapping a file has no safe wrapper")]

use std::cmp::Ordering;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{self, AtomicUsize};

use rustix::mm;

/// Bytes that never change. Equality, order and hash are those of the slice.
#[derive(Clone)]
pub(crate) enum Bytes {
    /// In memory.
    Here(Arc<[u8]>),
    /// Put away.
    Away(Away),
}

/// A part of an area.
#[derive(Clone)]
pub(crate) struct Away {
    area: Arc<Area>,
    start: u32,
    length: u32,
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Here(bytes) => bytes,
            Bytes::Away(away) => away.area.slice(away.start, away.length),
        }
    }
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes::Here(Arc::from([]))
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Bytes {
        Bytes::Here(bytes.into())
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes::Here(bytes.into())
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Bytes) -> bool {
        // Most cells that are equal are one, which nobody needs to look at.
        let same = match (self, other) {
            (Bytes::Here(a), Bytes::Here(b)) => Arc::ptr_eq(a, b),
            (Bytes::Away(a), Bytes::Away(b)) => {
                Arc::ptr_eq(&a.area, &b.area) && (a.start, a.length) == (b.start, b.length)
            }
            _ => false,
        };
        same || self[..] == other[..]
    }
}

impl Eq for Bytes {}

impl PartialOrd for Bytes {
    fn partial_cmp(&self, other: &Bytes) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bytes {
    fn cmp(&self, other: &Bytes) -> Ordering {
        self[..].cmp(&other[..])
    }
}

impl Hash for Bytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self[..].hash(state);
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self[..].fmt(formatter)
    }
}

/// Where cells are put away, in areas of [`AREA`] bytes. Where a file cannot be had, nothing is.
#[derive(Debug)]
pub(crate) struct Attic {
    directory: PathBuf,
    /// How much large cells may take in memory before any is put away.
    bound: usize,
    kept: usize,
    area: Option<(Arc<Area>, usize)>,
    /// No more room: what comes stays in memory.
    full: bool,
}

/// How much of a file is mapped at once.
const AREA: usize = 16 << 20;
/// What the kernel maps at once where somebody looks, in bytes: what lies around as well.
const WINDOW: usize = 64 << 10;
/// In how many windows one may look before all of them are given back.
const WINDOWS: usize = 16;

impl Attic {
    /// For cells beyond a bound, in a directory of ours.
    pub(crate) fn new(directory: &Path, bound: usize) -> Attic {
        Attic { directory: directory.to_path_buf(), bound, kept: 0, area: None, full: false }
    }

    /// Puts a large cell away, if it has come to that.
    pub(crate) fn put(&mut self, bytes: Bytes) -> Bytes {
        let length = bytes.len();
        if self.kept + length <= self.bound || self.full || length > AREA {
            self.kept += length;
            return bytes;
        }
        let room = self.area.as_ref().is_some_and(|(_, used)| used + length <= AREA);
        if !room {
            match Area::new(&self.directory) {
                Some(area) => self.area = Some((Arc::new(area), 0)),
                None => self.full = true,
            }
        }
        let Some((area, used)) = self.area.as_mut().filter(|(_, used)| used + length <= AREA) else {
            self.kept += length;
            return bytes;
        };
        let (Ok(start), Ok(short)) = (u32::try_from(*used), u32::try_from(length)) else { return bytes };
        if !area.write(*used, &bytes) {
            self.full = true;
            return bytes;
        }
        *used += length;
        Bytes::Away(Away { area: Arc::clone(area), start, length: short })
    }
}

/// A mapped file without a name, of [`AREA`] bytes.
#[derive(Debug)]
struct Area {
    address: *const u8,
    /// Keeps the bytes; nobody else can reach it.
    file: File,
    /// The window that was looked at last, and how many there have been.
    window: AtomicUsize,
    windows: AtomicUsize,
}

// SAFETY: the bytes of a part are written, through the file, before anybody is given that part, and never again.
unsafe impl Send for Area {}
// SAFETY: as above; the counters are atomic.
unsafe impl Sync for Area {}

impl Area {
    fn new(directory: &Path) -> Option<Area> {
        use rustix::fs::{FallocateFlags, Mode, OFlags};
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR).ok()?);
        // With its room reserved, no page of it can turn out not to be there.
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, u64::try_from(AREA).ok()?).ok()?;
        // SAFETY: a new mapping at an address of the kernel's choice, of a file that is as long as it.
        let address = unsafe {
            mm::mmap(std::ptr::null_mut(), AREA, mm::ProtFlags::READ, mm::MapFlags::SHARED, &file, 0).ok()?
        };
        let (window, windows) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Some(Area { address: address.cast_const().cast(), file, window, windows })
    }

    fn write(&self, start: usize, bytes: &[u8]) -> bool {
        use std::os::unix::fs::FileExt;
        u64::try_from(start).is_ok_and(|start| self.file.write_all_at(bytes, start).is_ok())
    }

    fn slice(&self, start: u32, length: u32) -> &[u8] {
        let (Ok(start), Ok(length)) = (usize::try_from(start), usize::try_from(length)) else { return &[] };
        if start.saturating_add(length) > AREA {
            return &[];
        }
        let window = start / WINDOW;
        let moved = self.window.swap(window, atomic::Ordering::Relaxed) != window;
        if moved && self.windows.fetch_add(1, atomic::Ordering::Relaxed) >= WINDOWS {
            self.windows.store(0, atomic::Ordering::Relaxed);
            // SAFETY: the mapping is ours and shared: what is given back is read from the file again when somebody
            // looks, slices that are held meanwhile included.
            unsafe {
                // Where it fails, they stay in memory.
                let _ = mm::madvise(self.address.cast_mut().cast(), AREA, mm::Advice::LinuxDontNeed);
            }
        }
        // SAFETY: within the mapping, which lives as long as the slice; see `Sync` for who writes.
        unsafe { std::slice::from_raw_parts(self.address.add(start), length) }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: no slice outlives the area, and nobody else has this mapping.
        unsafe {
            let _ = mm::munmap(self.address.cast_mut().cast(), AREA);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(number: usize, length: usize) -> Bytes {
        let text = format!("cell {number} ");
        text.bytes().cycle().take(length).collect::<Vec<u8>>().into()
    }

    #[test]
    fn what_is_put_away_reads_as_before() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let mut attic = Attic::new(directory.path(), 10_000);
        let kept: Vec<Bytes> = (0..3_000).map(|number| attic.put(cell(number, 10_000 + number))).collect();
        let away = kept.iter().filter(|bytes| matches!(bytes, Bytes::Away(_))).count();
        assert_eq!(away, 2_999, "all but the first");
        for (number, bytes) in kept.iter().enumerate().rev() {
            assert_eq!(*bytes, cell(number, 10_000 + number));
            assert_eq!(*bytes, bytes.clone());
            assert_ne!(*bytes, cell(number + 1, 10_000 + number));
        }
        let held = &kept[1][..];
        drop(attic);
        assert!(kept.iter().all(|bytes| bytes.starts_with(b"cell ")));
        assert_eq!(held, &cell(1, 10_001)[..], "a slice stays while others are given back");
        assert_eq!(std::fs::read_dir(directory.path())?.count(), 0, "the files have no names");
        Ok(())
    }

    #[test]
    fn without_a_directory_everything_stays_in_memory() -> Result<(), Box<dyn std::error::Error>> {
        let mut attic = Attic::new(Path::new("/nonexistent"), 0);
        assert!(matches!(attic.put(cell(1, 100)), Bytes::Here(_)));
        let directory = tempfile::tempdir()?;
        let mut attic = Attic::new(directory.path(), 0);
        assert!(matches!(attic.put(cell(1, AREA + 1)), Bytes::Here(_)), "one that no area can hold");
        Ok(())
    }
}
