//! Who holds which lock of ours, for people.
//!
//! Apart from `lock`, which takes them. The kernel's list says whether one is held, so that what a dead process left in a
//! lock's file holds up nobody and is not told; nothing is locked to find out, as that would turn others away.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::lock;
use crate::report::LockHeld;

/// More of a lock's file is not read (bytes).
const MAX_TEXT: u64 = 4_096;

/// The locks below a root that somebody holds now, by name. Where the kernel does not tell there are none.
pub(crate) fn held(root: &Path) -> Vec<LockHeld> {
    let state = root.join("sync_state");
    let list = kernels_list();
    // Pages may make files of any name there.
    let is_ours = |name: &str, path: &Path| match path.parent() == Some(&state.join("locks")) {
        true => lock::ALL.contains(&name) || name.starts_with("cron-"),
        false => true,
    };
    let ours = files(&state).into_iter().filter(|(name, path)| is_ours(name, path));
    let mut all: Vec<LockHeld> = ours.filter_map(|(name, path)| holder(&list, name, &path)).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Whether some process holds a lock or is about to, as the cron scripts do while they are at work: it has the file open. The
/// kernel's list of locks is no help there: the program that took it has ended, and what it took it for lives on. None where
/// that cannot be seen.
pub(crate) fn is_in_use(path: &Path) -> Option<bool> {
    let Ok(wanted) = fs::symlink_metadata(path) else { return Some(false) };
    let all = fs::read_dir("/proc").ok()?;
    let processes = all.flatten().filter(|entry| {
        entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let is_it = |open: fs::DirEntry| {
        fs::metadata(open.path())
            .is_ok_and(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()))
    };
    let has_it = |process: fs::DirEntry| {
        fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten().any(is_it)
    };
    if processes.into_iter().any(has_it) {
        return Some(true);
    }
    // What others have open only root may see; whose the file is are the processes that may open it.
    let here = rustix::process::geteuid();
    (here.is_root() || here.as_raw() == wanted.uid()).then_some(false)
}

/// Who holds a lock now, in words. What an earlier holder has left in it is not believed.
pub(super) fn words(path: &Path) -> String {
    let list = kernels_list();
    match holder(&list, String::new(), path) {
        Some(LockHeld { process: Some(process), since: Some(since), .. }) => {
            format!("it is held by process {process} since {since}")
        }
        Some(LockHeld { process: Some(process), .. }) => format!("it is held by process {process}"),
        _ => "which process holds it the kernel does not tell".to_owned(),
    }
}

/// The kernel's list of locks, twice: it is told in pieces, and where others lock and let go between two of them, a line can
/// be passed over.
fn kernels_list() -> String {
    let read = || fs::read_to_string("/proc/locks").unwrap_or_default();
    read() + &read()
}

/// All there may be: those with a name, and those of a run over databases and over logs.
pub(super) fn files(state: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(state.join("locks")).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some((name.strip_suffix(".lock")?.to_owned(), entry.path()))
    });
    let runs = [("databases", state.join("lock")), ("logs", state.join("logs").join("lock"))];
    named.chain(runs.map(|(name, path)| (name.to_owned(), path))).collect()
}

fn holder(list: &str, name: String, path: &Path) -> Option<LockHeld> {
    let found = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    let text = super::read_regular(path, MAX_TEXT).unwrap_or_default();
    let signed = signature(&String::from_utf8_lossy(&text));
    let device = format!("{:02x}:{:02x}", rustix::fs::major(found.dev()), rustix::fs::minor(found.dev()));
    let process = list.lines().find_map(|line| locks(line, found.ino(), &device, signed.as_ref()))?;
    // Who took it before may have signed it, and the one who holds it may not have come to it yet.
    let since = signed.filter(|(own, _)| process == Some(*own)).map(|(_, since)| since);
    Some(LockHeld { name, path: path.display().to_string(), process, since })
}

/// The process of a line of the kernel's list that is about a held lock of this file; no process where the kernel hides it.
fn locks(line: &str, inode: u64, device: &str, signed: Option<&(u32, String)>) -> Option<Option<u32>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, "FLOCK", _, _, process, place, ..] = words.as_slice() else { return None };
    let (on, number) = place.rsplit_once(':')?;
    let process = process.parse::<u32>().ok().filter(|process| *process > 0);
    // Layered file systems say another device there than to those who look at the file.
    let is_it = on == device || (process.is_some() && process == signed.map(|(own, _)| *own));
    (number.parse() == Ok(inode) && is_it).then_some(process)
}

/// What a holder writes into its lock.
fn signature(text: &str) -> Option<(u32, String)> {
    let (process, since) = text.trim().strip_prefix("process ")?.split_once(" since ")?;
    Some((process.parse().ok()?, since.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::Lock;
    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn who_holds_a_lock_is_told_and_who_held_it_is_not() -> Outcome {
        let directory = tempfile::tempdir()?;
        let root = directory.path();
        let ownership = crate::durable::of_nobody();
        assert_eq!(held(root), []);
        let lock = Lock::take(root, &ownership, "integrity", 0)?;
        let run = super::super::RunLock::take(&root.join("sync_state"))?;
        let path = root.join("sync_state/locks/integrity.lock");
        let all = held(root);
        let names: Vec<(&str, Option<u32>)> =
            all.iter().map(|one| (one.name.as_str(), one.process)).collect();
        let own = Some(std::process::id());
        assert_eq!(names, [("databases", own), ("integrity", own)]);
        let text = fs::read_to_string(&path)?;
        let since = all.iter().filter_map(|one| one.since.as_deref()).collect::<Vec<_>>();
        assert!(matches!(since.as_slice(), [one] if one.starts_with("20") && one.ends_with('Z')), "{all:?}");
        drop((lock, run));
        assert_eq!(held(root), [], "what is left in the file is nobody's");
        assert_eq!(fs::read_to_string(&path)?, text);
        // And it holds up nobody: not that of a process that is gone, nor any other text.
        for text in [format!("process {} since 1970-01-01T00:00:00Z\n", u32::MAX), "x".repeat(10_000)] {
            fs::write(&path, text)?;
            assert_eq!(held(root), []);
            let lock = Lock::take(root, &ownership, "integrity", 0)?;
            assert_eq!(held(root).len(), 1);
            drop(lock);
        }
        Ok(())
    }

    #[test]
    fn only_a_held_lock_of_this_file_counts() {
        let signed = Some((7, String::new()));
        for (line, expected) in [
            ("1: FLOCK  ADVISORY  WRITE 12 fe:00:99 0 EOF", Some(Some(12))),
            ("1: FLOCK  ADVISORY  WRITE 0 fe:00:99 0 EOF", Some(None)),
            ("1: FLOCK  ADVISORY  WRITE 7 00:1b:99 0 EOF", Some(Some(7))),
            ("1: FLOCK  ADVISORY  WRITE 12 00:1b:99 0 EOF", None),
            ("1: -> FLOCK  ADVISORY  WRITE 12 fe:00:99 0 EOF", None),
            ("1: POSIX  ADVISORY  WRITE 12 fe:00:99 0 EOF", None),
            ("1: FLOCK  ADVISORY  WRITE 12 fe:00:98 0 EOF", None),
            ("", None),
        ] {
            assert_eq!(locks(line, 99, "fe:00", signed.as_ref()), expected, "{line}");
        }
    }
}
