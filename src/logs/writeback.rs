//! Brings a file to disk while more is appended to it, so that the sync at the end has little left to wait for.

use std::fs::File;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::interrupt;

/// After so many bytes it is begun.
const STEP: u64 = 32 << 20;

/// A thread that does so.
pub(crate) struct Writeback {
    /// Whoever waits at it is told that there is more; that may be told once ahead.
    sender: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
    /// Appended since that was told (bytes).
    fresh: u64,
}

impl Writeback {
    /// None where so many bytes are not worth it, or there can be no thread: then the sync at the end does all.
    pub(crate) fn of(file: &File, bytes: u64) -> Option<Writeback> {
        if bytes <= STEP {
            return None;
        }
        let file = file.try_clone().ok()?;
        let (sender, messages) = sync_channel(1);
        let bring = move || messages.iter().try_for_each(|()| file.sync_data());
        let _deaf = interrupt::deaf();
        let thread = std::thread::Builder::new().spawn(bring).ok()?;
        Some(Writeback { sender, thread, fresh: 0 })
    }

    /// So many bytes were appended.
    pub(crate) fn appended(&mut self, bytes: u64) {
        self.fresh += bytes;
        // Where it is still at what was there before, it hears of it later.
        if self.fresh >= STEP && self.sender.try_send(()).is_ok() {
            self.fresh = 0;
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// What the disk said: the kernel tells it once, so whoever syncs after this does not hear it.
    pub(crate) fn finish(self) -> io::Result<()> {
        drop(self.sender);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("bringing it to disk failed")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_large_is_brought_to_disk_meanwhile() -> io::Result<()> {
        let file = tempfile::tempfile()?;
        assert!(Writeback::of(&file, STEP).is_none());
        let mut writeback = Writeback::of(&file, STEP + 1).ok_or(io::ErrorKind::Other)?;
        for _ in 0..4 {
            writeback.appended(STEP);
        }
        writeback.finish()
    }

    #[test]
    fn what_the_disk_says_is_heard() -> io::Result<()> {
        // A pipe cannot be synced.
        let (_reader, writer) = io::pipe()?;
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        let mut writeback = Writeback::of(&file, STEP + 1).ok_or(io::ErrorKind::Other)?;
        writeback.appended(STEP);
        assert!(writeback.finish().is_err());
        Ok(())
    }
}
