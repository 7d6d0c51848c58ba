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
use std::sync::atomic::{self, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};

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

impl Bytes {
    /// How many there are, without looking at them.
    pub(crate) fn length(&self) -> usize {
        match self {
            Bytes::Here(bytes) => bytes.len(),
            Bytes::Away(away) => usize::try_from(away.length).unwrap_or(usize::MAX),
        }
    }
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

/// Where cells are put away, in areas of [`AREA`] bytes, or of one cell that is larger. Where a file cannot be had,
/// nothing is.
#[derive(Debug)]
pub(crate) struct Attic {
    directory: PathBuf,
    views: Arc<Views>,
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
/// In how many windows one may look, in all areas together, before all of them are given back.
const WINDOWS: usize = 64;

impl Attic {
    /// For cells beyond a bound, in a directory of ours.
    pub(crate) fn new(directory: &Path, bound: usize) -> Attic {
        let (directory, views) = (directory.to_path_buf(), Arc::default());
        Attic { directory, views, bound, kept: 0, area: None, full: false }
    }

    /// Puts a large cell away, if it has come to that.
    pub(crate) fn put(&mut self, bytes: Bytes) -> Bytes {
        let length = bytes.len();
        if self.kept + length <= self.bound || self.full {
            self.kept += length;
            return bytes;
        }
        let room = self.area.as_ref().is_some_and(|(area, used)| used + length <= area.size);
        if !room {
            match Area::new(&self.directory, length.max(AREA), &self.views) {
                Some(area) => self.area = Some((Arc::new(area), 0)),
                None => self.full = true,
            }
        }
        let Some((area, used)) = self.area.as_mut().filter(|(area, used)| used + length <= area.size) else {
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

/// What has been looked at in all areas of one attic since it was last given back.
#[derive(Debug, Default)]
struct Views {
    /// The window that was looked at last, by its address.
    last: AtomicUsize,
    windows: AtomicUsize,
    /// Address and size of what is mapped.
    mapped: Mutex<Vec<(usize, usize)>>,
}

impl Views {
    /// Somebody is going to look at so many bytes.
    fn look(&self, address: *const u8, length: usize) {
        let window = address.addr() / WINDOW;
        let moved = self.last.swap(window, atomic::Ordering::Relaxed) != window;
        let more = length / WINDOW + usize::from(moved);
        if more == 0 || self.windows.fetch_add(more, atomic::Ordering::Relaxed) + more <= WINDOWS {
            return;
        }
        self.windows.store(more, atomic::Ordering::Relaxed);
        for (address, size) in self.mapped.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let address = std::ptr::with_exposed_provenance_mut(*address);
            // SAFETY: what is listed is mapped, ours and shared: what is given back is read from the file again when
            // somebody looks, slices that are held meanwhile included.
            unsafe {
                // Where it fails, they stay in memory.
                let _ = mm::madvise(address, *size, mm::Advice::LinuxDontNeed);
            }
        }
    }
}

/// A mapped file without a name.
#[derive(Debug)]
struct Area {
    address: *const u8,
    size: usize,
    /// Keeps the bytes; nobody else can reach it.
    file: File,
    views: Arc<Views>,
}

// SAFETY: the bytes of a part are written, through the file, before anybody is given that part, and never again.
unsafe impl Send for Area {}
// SAFETY: as above; what else changes is atomic or under a lock.
unsafe impl Sync for Area {}

impl Area {
    fn new(directory: &Path, size: usize, views: &Arc<Views>) -> Option<Area> {
        use rustix::fs::{FallocateFlags, Mode, OFlags};
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR).ok()?);
        // With its room reserved, no page of it can turn out not to be there.
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, u64::try_from(size).ok()?).ok()?;
        // SAFETY: a new mapping at an address of the kernel's choice, of a file that is as long as it.
        let address = unsafe {
            mm::mmap(std::ptr::null_mut(), size, mm::ProtFlags::READ, mm::MapFlags::SHARED, &file, 0).ok()?
        };
        views.mapped.lock().unwrap_or_else(PoisonError::into_inner).push((address.expose_provenance(), size));
        Some(Area { address: address.cast_const().cast(), size, file, views: Arc::clone(views) })
    }

    fn write(&self, start: usize, bytes: &[u8]) -> bool {
        use std::os::unix::fs::FileExt;
        u64::try_from(start).is_ok_and(|start| self.file.write_all_at(bytes, start).is_ok())
    }

    fn slice(&self, start: u32, length: u32) -> &[u8] {
        let (Ok(start), Ok(length)) = (usize::try_from(start), usize::try_from(length)) else { return &[] };
        if start.saturating_add(length) > self.size {
            return &[];
        }
        // SAFETY: within the mapping, which lives as long as the slice; see `Sync` for who writes.
        let (address, slice) = unsafe {
            let address = self.address.add(start);
            (address, std::slice::from_raw_parts(address, length))
        };
        self.views.look(address, length);
        slice
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        let mut mapped = self.views.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        mapped.retain(|(address, _)| *address != self.address.addr());
        // SAFETY: no slice outlives the area, nobody else has this mapping, and nobody gives back what it was: the list
        // is locked.
        unsafe {
            let _ = mm::munmap(self.address.cast_mut().cast(), self.size);
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
        Ok(())
    }

    #[test]
    fn a_cell_that_is_larger_than_an_area_has_its_own() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let mut attic = Attic::new(directory.path(), 0);
        let kept: Vec<Bytes> = [100, AREA + 1, 100].map(|length| attic.put(cell(length, length))).into();
        for (bytes, length) in kept.iter().zip([100, AREA + 1, 100]) {
            assert!(matches!(bytes, Bytes::Away(_)), "{length}");
            assert!(*bytes == cell(length, length), "{length}");
        }
        Ok(())
    }

    #[test]
    fn what_was_looked_at_is_given_back() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let mut attic = Attic::new(directory.path(), 0);
        let views = Arc::clone(&attic.views);
        // One of them in each area.
        let kept: Vec<Bytes> = (0..8).map(|number| attic.put(cell(number, AREA - 1))).collect();
        let resident = |of: &str| -> Result<u64, Box<dyn std::error::Error>> {
            let mut inside = false;
            let mut found = 0;
            for line in std::fs::read_to_string("/proc/self/smaps")?.lines() {
                if let Some((range, _)) = line.split_once(' ')
                    && let Some((start, _)) = range.split_once('-')
                {
                    inside = start == of;
                } else if let (true, Some(rss)) = (inside, line.strip_prefix("Rss:")) {
                    found += rss.trim().trim_end_matches(" kB").parse::<u64>()?;
                }
            }
            Ok(found)
        };
        for (number, bytes) in kept.iter().enumerate() {
            assert!(*bytes == cell(number, AREA - 1), "{number}");
        }
        let starts = views.mapped.lock().map(|mapped| mapped.clone()).unwrap_or_default();
        assert_eq!(starts.len(), 8);
        for (start, _) in &starts[..7] {
            assert!(resident(&format!("{start:x}"))? < 1_000, "{starts:x?}");
        }
        drop((kept, attic));
        assert_eq!(views.mapped.lock().map(|mapped| mapped.len()).ok(), Some(0));
        Ok(())
    }
}
