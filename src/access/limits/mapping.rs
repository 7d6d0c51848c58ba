//! The table's file as memory that all processes share.
//!
//! Apart from `table`, which says what the words mean, because here is all that the compiler cannot check.
//!
//! Whoever may write to the file may also make it shorter, and then the kernel sends a signal (SIGBUS) to everybody who
//! touches what is gone; by default that ends the process. No permission, seal or lock of the kernel's lets a user write
//! to a mapped file and not shorten it (only a `memfd` can be sealed, and that has no name that another process could
//! open). So this signal is caught: where it comes from one of our mappings, memory of zeros is put in the place of the
//! file, the instruction goes on, and the mapping is `lost`, which whoever used it finds out afterwards; what was decided
//! there then counts for nothing. Every other such signal goes where it would have gone without us. (Wayland's library
//! guards memory that clients share in the same way.) What another library puts in the place of our handler later has to
//! do the same for us: pass on what is not its own.
#![expect(unsafe_code, reason = "shared memory, and the signal that tells that it is gone")]

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};

use libc::{c_int, c_void, siginfo_t};
use rustix::mm::{MapFlags, ProtFlags};

/// What comes before the sets (bytes).
pub(super) const HEADER: usize = 4096;
/// Where in there the word lies that says that the table is no longer the one to use.
const RETIRED: usize = 2048;
/// Buckets in a set.
pub(super) const SLOTS: usize = 15;
/// Mappings that one process has at a time: one for each configuration that it uses. More is a mistake.
const MOST: usize = 64;

/// One bucket.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Slot {
    /// Whether it is in use, and when it is full: see `word`.
    pub(super) state: AtomicU64,
    /// The process that fills it.
    pub(super) owner: AtomicU64,
    /// Whose it is.
    pub(super) high: AtomicU64,
    pub(super) low: AtomicU64,
}

/// The buckets among which a key has its place. All zeros is one that is empty.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Set {
    /// Which slots are published, and how often that has changed: see `word`.
    pub(super) control: AtomicU64,
    /// Nobody who is new here begins with a bucket that is full before that.
    pub(super) floor: AtomicU64,
    spare: [AtomicU64; 2],
    pub(super) slots: [Slot; SLOTS],
}

/// The size of a set (bytes).
pub(super) const SET: usize = size_of::<Set>();

/// A file in memory.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<c_void>,
    length: usize,
    sets: usize,
    guard: usize,
}

// SAFETY: all that lies in there is atomic, and the mapping belongs to the process, not to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps a regular file that has a header and so many sets.
    ///
    /// # Errors
    /// Also when the file is shorter than that.
    pub(super) fn of(file: &File, sets: usize) -> std::io::Result<Mapping> {
        let length = sets.checked_mul(SET).and_then(|bytes| bytes.checked_add(HEADER));
        let length = length.ok_or(std::io::ErrorKind::InvalidInput)?;
        let found = file.metadata()?;
        if !found.is_file() || usize::try_from(found.size()).is_ok_and(|size| size < length) {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        catch()?;
        // SAFETY: a new mapping at a place of the kernel's choice, of which nobody knows yet.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                file,
                0,
            )
        }?;
        let start = NonNull::new(start).ok_or(std::io::ErrorKind::OutOfMemory)?;
        // It is unmapped again when that fails, as it is a value already.
        let mut mapping = Mapping { start, length, sets, guard: MOST };
        mapping.guard = guard(start.as_ptr() as usize, length).ok_or(std::io::ErrorKind::OutOfMemory)?;
        Ok(mapping)
    }

    /// All sets.
    pub(super) fn sets(&self) -> &[Set] {
        // SAFETY: the mapping holds a header and so many sets, and lives as long as `self`: what is lost of the file is
        // replaced by other memory at the same place. It begins at a page, so all words are aligned. Any bits make an
        // atomic integer, and other processes change them by atomic operations of the same size.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().byte_add(HEADER).cast::<Set>(), self.sets) }
    }

    /// Not 0 when another table is to be used.
    pub(super) fn retired(&self) -> &AtomicU64 {
        // SAFETY: as for the sets; it lies within the header.
        unsafe { &*self.start.as_ptr().byte_add(RETIRED).cast::<AtomicU64>() }
    }

    /// Whether a part of the file went while it was mapped.
    pub(super) fn lost(&self) -> bool {
        GUARDS.get(self.guard).is_none_or(|guard| guard.lost.load(SeqCst))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if let Some(guard) = GUARDS.get(self.guard) {
            guard.length.store(0, SeqCst);
            guard.start.store(0, SeqCst);
        }
        // SAFETY: nobody has a reference into it, as those borrow from it.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr(), self.length) };
    }
}

/// Where a mapping lies, for the handler.
struct Guard {
    /// 0 when there is none, 1 while it is being taken.
    start: AtomicUsize,
    length: AtomicUsize,
    lost: AtomicBool,
}

static GUARDS: [Guard; MOST] = [const {
    Guard { start: AtomicUsize::new(0), length: AtomicUsize::new(0), lost: AtomicBool::new(false) }
}; MOST];

/// Notes a mapping; `None` when there are too many.
fn guard(start: usize, length: usize) -> Option<usize> {
    let free = |guard: &Guard| guard.start.compare_exchange(0, 1, SeqCst, SeqCst).is_ok();
    let (index, guard) = GUARDS.iter().enumerate().find(|(_, guard)| free(guard))?;
    guard.lost.store(false, SeqCst);
    guard.length.store(length, SeqCst);
    guard.start.store(start, SeqCst);
    Some(index)
}

/// What was there before us.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();
/// Whether the handler was installed, and not taken back.
static INSTALLED: AtomicBool = AtomicBool::new(false);

const fn ours() -> extern "C" fn(c_int, *mut siginfo_t, *mut c_void) {
    handler
}

/// What is there now.
fn installed() -> std::io::Result<libc::sigaction> {
    // SAFETY: zeros are a `sigaction`, and the kernel fills it; nothing is changed.
    let (failed, found) = unsafe {
        let mut found: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut found) != 0, found)
    };
    if failed { Err(std::io::Error::last_os_error()) } else { Ok(found) }
}

/// Catches the signal, once in the life of a process; children inherit that.
fn catch() -> std::io::Result<()> {
    let found = installed()?;
    if found.sa_sigaction == ours() as usize || INSTALLED.swap(true, SeqCst) {
        return Ok(());
    }
    BEFORE.get_or_init(|| found);
    // SAFETY: the handler does nothing but atomic operations and system calls; the mask is empty as zeros.
    let failed = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = ours() as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) != 0
    };
    if failed { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

/// Puts back what was there for the signal before the first table was opened, unless somebody else has put something there
/// since: for a library that is about to be unloaded, whose tables are closed. The next table that is opened catches the
/// signal again.
pub fn release() {
    let still_ours = installed().is_ok_and(|found| found.sa_sigaction == ours() as usize);
    if let (true, true, Some(before)) = (INSTALLED.swap(false, SeqCst), still_ours, BEFORE.get()) {
        // SAFETY: what was there, and is valid as long as whoever put it there.
        let _ = unsafe { libc::sigaction(libc::SIGBUS, std::ptr::from_ref(before), std::ptr::null_mut()) };
    }
}

extern "C" fn handler(signal: c_int, information: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel hands over what it says.
    let (code, address) = unsafe { ((*information).si_code, (*information).si_addr() as usize) };
    // A signal that somebody sent has no address.
    if code > 0 {
        for guard in &GUARDS {
            let (start, length) = (guard.start.load(SeqCst), guard.length.load(SeqCst));
            if start > 1 && address >= start && address - start < length {
                guard.lost.store(true, SeqCst);
                // SAFETY: our own mapping, as a whole, becomes memory of zeros of this process; nothing that is not
                // atomic lies there.
                let replaced = unsafe {
                    libc::mmap(
                        start as *mut c_void,
                        length,
                        libc::PROT_READ | libc::PROT_WRITE,
                        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                        -1,
                        0,
                    )
                };
                if replaced != libc::MAP_FAILED {
                    return;
                }
            }
        }
    }
    pass_on(signal, code, information, context);
}

/// Does what would have been done without us.
fn pass_on(signal: c_int, code: c_int, information: *mut siginfo_t, context: *mut c_void) {
    let Some(before) = BEFORE.get() else { return };
    let action = before.sa_sigaction;
    // SAFETY: what was installed is what the flags say; putting it back and returning has the instruction raise the
    // signal again, and a signal that was sent is sent again.
    unsafe {
        if action == libc::SIG_DFL || action == libc::SIG_IGN {
            libc::sigaction(signal, std::ptr::from_ref(before), std::ptr::null_mut());
            if code <= 0 {
                libc::raise(signal);
            }
        } else if before.sa_flags & libc::SA_SIGINFO != 0 {
            let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = std::mem::transmute(action);
            handler(signal, information, context);
        } else {
            let handler: extern "C" fn(c_int) = std::mem::transmute(action);
            handler(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_cut_while_it_is_mapped_ends_no_process() -> std::io::Result<()> {
        let file = tempfile::tempfile()?;
        assert!(Mapping::of(&file, 4).is_err(), "it is too short");
        file.set_len(u64::try_from(HEADER + 4 * SET).unwrap_or(0))?;
        let (one, other) = (Mapping::of(&file, 4)?, Mapping::of(&file, 4)?);
        one.sets()[3].floor.store(7, SeqCst);
        assert_eq!(other.sets()[3].floor.load(SeqCst), 7);
        file.set_len(0)?;
        assert!(!one.lost());
        assert_eq!(one.sets()[3].floor.load(SeqCst), 0);
        one.sets()[0].slots[1].state.store(5, SeqCst);
        assert_eq!((one.lost(), other.lost()), (true, false));
        assert_eq!(other.retired().load(SeqCst), 0);
        assert!(other.lost());
        Ok(())
    }

    #[test]
    fn a_set_has_a_power_of_two_of_bytes() {
        assert_eq!(SET, 512);
    }
}
