//! A disk that is really full: a small file system in memory, which only root may mount.
//!
//! Apart from `world`, as few tests need one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::copy_below;

/// A disk of so many bytes in the place of a directory, with what was in it.
pub(crate) struct Disk {
    at: PathBuf,
    size: usize,
}

impl Disk {
    /// None, and why is told, where nothing can be mounted.
    pub(crate) fn mount(at: &Path, size: usize) -> Option<Disk> {
        let away = at.with_extension("away");
        copy_below(at, &away);
        let option = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "none"]).arg(at).output();
        if !mounted.is_ok_and(|out| out.status.success()) {
            println!("skipped: nothing can be mounted here");
            return None;
        }
        copy_below(&away, at);
        Some(Disk { at: at.to_path_buf(), size })
    }

    /// Takes all but so many bytes.
    pub(crate) fn fill(&self, left: usize) {
        let filler = self.at.join("filler");
        let mut bytes = vec![7_u8; self.size];
        while fs::write(&filler, &bytes).is_err() {
            bytes.truncate(bytes.len() - 8192);
        }
        bytes.truncate(bytes.len().saturating_sub(left));
        fs::write(&filler, &bytes).unwrap();
    }

    pub(crate) fn make_room(&self) {
        // Another test may be between fork and exec, with our file in its hands: what is empty takes no room.
        fs::File::create(self.at.join("filler")).unwrap();
        fs::remove_file(self.at.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
