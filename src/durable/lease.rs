//! Whether somebody has a file open for writing.
//!
//! Apart from `file`, which opens and reads. Asks the kernel for a read lease, which it refuses while any descriptor of the
//! file is open for writing, ours too, and gives it back at once. It must never be waited for or killed by: the signal
//! that whoever opens the file in between would send us is one that nobody listens to.
#![expect(unsafe_code, reason = "leases have no safe wrapper")]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use crate::durable;

/// Of `fcntl`, which signal a lease sends (include/uapi/asm-generic/fcntl.h).
const F_SETSIG: libc::c_int = 10;

/// Whether a file is held open for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// By nobody.
    No,
    /// By somebody, or by ourselves.
    Yes,
    /// The kernel does not tell: the file belongs to somebody else and we are not root, or its file system has no leases.
    Unknown,
}

/// Asks about a file that was opened for reading only.
pub(crate) fn held(file: &File) -> Held {
    let descriptor = file.as_raw_fd();
    // SAFETY: the descriptor is open, as `file` lives; these three operations take an integer and touch no memory.
    unsafe {
        // Ignored unless somebody set a handler; the default one would end the process.
        if libc::fcntl(descriptor, F_SETSIG, libc::SIGURG) != 0 {
            return Held::Unknown;
        }
        if libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_RDLCK) == 0 {
            // Where that fails, closing the file gives it back.
            let _ = libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_UNLCK);
            return Held::No;
        }
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::EAGAIN) => Held::Yes,
        _ => Held::Unknown,
    }
}

/// Why the kernel does not tell whether somebody has a file open for writing, in words, with what helps.
pub(crate) fn why_unknown(file: &File) -> String {
    let cannot = "whether a writer keeps it open cannot be told";
    let user = rustix::process::geteuid();
    match file.metadata() {
        Ok(found) if !user.is_root() && found.uid() != user.as_raw() => {
            let name =
                durable::user_numbered(found.uid()).map_or_else(String::new, |name| format!(" ({name})"));
            format!(
                "{cannot}, as it belongs to user {}{name}, and the kernel tells only that user and root: run as one of them",
                found.uid()
            )
        }
        Ok(_) => format!("{cannot}, as its file system does not tell (it has no leases)"),
        Err(cause) => format!("{cannot}: {cause}"),
    }
}

/// A process that has a file open for writing without appending: it goes on at a place of its own, whatever is taken away
/// before that place, and leaves a hole. None where there is no such process that we may look at.
pub(crate) fn overwriter(file: &File) -> Option<String> {
    let file = file.metadata().ok()?;
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let name =
            process.file_name().into_string().ok().filter(|name| name.bytes().all(|b| b.is_ascii_digit()));
        let (Some(number), Ok(open)) = (name, std::fs::read_dir(process.path().join("fd"))) else { continue };
        for descriptor in open.flatten() {
            let is_it = std::fs::metadata(descriptor.path())
                .is_ok_and(|found| found.dev() == file.dev() && found.ino() == file.ino());
            if is_it && overwrites(&process.path().join("fdinfo").join(descriptor.file_name())) == Some(true)
            {
                return Some(number);
            }
        }
    }
    None
}

fn overwrites(information: &std::path::Path) -> Option<bool> {
    let text = std::fs::read_to_string(information).ok()?;
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
    let flags = libc::c_int::from_str_radix(flags.trim(), 8).ok()?;
    Some(flags & libc::O_ACCMODE != libc::O_RDONLY && flags & libc::O_APPEND == 0)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn a_writer_is_seen_while_it_has_the_file_open() -> std::io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a");
        let writer = OpenOptions::new().append(true).create(true).open(&path)?;
        let file = File::open(&path)?;
        assert_eq!((held(&file), overwriter(&file)), (Held::Yes, None));
        drop(writer);
        let other = File::open(&path)?;
        assert_eq!(held(&file), Held::No, "who only reads is no writer");
        assert_eq!(held(&file), Held::No, "the lease was given back");
        drop(other);
        let writer = OpenOptions::new().write(true).open(&path)?;
        assert_eq!((held(&file), overwriter(&file)), (Held::Yes, Some(std::process::id().to_string())));
        drop(writer);
        Ok(())
    }
}
