//! Files in directories that others may write to: a symlink is not followed, a pipe is not waited for, and what is no regular
//! file is refused. Apart from `watched`, which waits until nobody writes to one any more.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What such a file is opened with.
pub(super) fn wary() -> i32 {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    i32::try_from(flags.bits()).unwrap_or(0)
}

fn refused(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("it is {what}; move it away"))
}

/// Opens a regular file to be read.
///
/// # Errors
/// `InvalidInput` where something else has its name.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let file = match OpenOptions::new().read(true).custom_flags(wary()).open(path) {
        Err(cause) if cause.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(refused("a symlink, which is not followed"));
        }
        file => file?,
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused("no regular file")) }
}

/// Opens a regular file to be written over.
///
/// # Errors
/// `InvalidInput` where something else has its name.
pub(crate) fn open_to_write(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).custom_flags(wary()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused("no regular file")) }
}

/// Opens a regular file to be read and added to.
///
/// # Errors
/// `InvalidInput` where something else has its name.
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).append(true).custom_flags(wary()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused("no regular file")) }
}

/// All of a regular file of at most so many bytes.
///
/// # Errors
/// As [`open_regular`]; `InvalidData` where it has more.
pub(crate) fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = open_regular(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read <= most) {
        return Ok(bytes);
    }
    Err(io::Error::new(ErrorKind::InvalidData, format!("it has more than {most} bytes; move it away")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_is_read() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("file"), "text")?;
        std::os::unix::fs::symlink(path("file"), path("link"))?;
        std::fs::create_dir(path("directory"))?;
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )?;
        for (name, most, expected) in [
            ("file", 4, Ok("text")),
            ("file", 3, Err(ErrorKind::InvalidData)),
            ("link", 4, Err(ErrorKind::InvalidInput)),
            ("directory", 4, Err(ErrorKind::InvalidInput)),
            // Nobody ever writes into it.
            ("pipe", 4, Err(ErrorKind::InvalidInput)),
            ("none", 4, Err(ErrorKind::NotFound)),
        ] {
            let found = read_regular(&path(name), most).map_err(|cause| cause.kind());
            assert_eq!(found, expected.map(|text| text.as_bytes().to_vec()), "{name}");
        }
        Ok(())
    }
}
