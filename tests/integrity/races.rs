//! What happens while files are looked at, and what changes without a trace.

use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use cr0sync::integrity::CheckOptions;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::world::{World, pipe};

fn full() -> CheckOptions {
    CheckOptions { full: true, ..CheckOptions::default() }
}

/// Does something again and again while something else is done.
fn meanwhile(disturb: impl Fn() + Sync, act: impl FnOnce()) {
    /// Also when that fails.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                disturb();
            }
        });
        let _over = Over(&is_over);
        act();
    });
}

fn exchange(left: &Path, right: &Path) {
    renameat_with(CWD, left, CWD, right, RenameFlags::EXCHANGE).unwrap();
}

#[test]
fn a_directory_that_is_swapped_for_a_symlink_leads_nowhere() {
    swap(300);
}

/// Swaps a directory for a symlink and back while both are looked at.
pub(crate) fn swap(times: usize) {
    let world = World::new();
    for number in 0..50 {
        world.write(&format!("web/core/{number}.php"), "inside");
        // With names of the same, and one that would stop whoever opened it.
        world.write(&format!("secret/{number}.php"), "outside!");
    }
    pipe(&world.path("secret/a.php"), 0o600).unwrap();
    world.baseline();
    let (directory, link) = (world.path("web/core"), world.path("link"));
    symlink(world.path("secret"), &link).unwrap();
    let mut seen = 0;
    meanwhile(
        || {
            exchange(&directory, &link);
            exchange(&directory, &link);
        },
        || {
            for _ in 0..times {
                let report = world.check_with(&full());
                for line in world.lines(&report).lines() {
                    seen += 1;
                    let is_fine = line.starts_with("modified web/core ")
                        || line.starts_with("removed web/core")
                        || line.starts_with("unstable web/core");
                    assert!(is_fine, "it was led outside: {line}");
                }
            }
        },
    );
    assert!(seen > 0, "nothing was ever swapped while it was looked at");
    let lines = world.lines(&world.check_with(&full()));
    assert_eq!(lines, "", "it is as it was");
}

#[test]
fn a_file_that_always_changes_is_unstable_and_one_that_goes_is_gone() {
    let world = World::new();
    world.write("web/core/big.php", vec![7; 40 << 20]);
    world.baseline();
    let path = world.path("web/core/big.php");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let mut unstable = 0;
    meanwhile(
        || file.write_all_at(b"7", 5).unwrap(),
        || {
            // Whoever disturbs may have to wait for a processor.
            for _ in 0..20 {
                let report = world.check_with(&full());
                if world.lines(&report).contains("unstable web/core/big.php") {
                    assert_eq!((report.exit_bits & 8, report.complete), (8, false));
                    unstable += 1;
                }
            }
        },
    );
    assert!(unstable > 0, "it was never seen to change");
    // One that grows.
    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    meanwhile(
        || (&file).write_all(b"more").unwrap(),
        || {
            for _ in 0..5 {
                let report = world.check_with(&full());
                kinds.extend(world.lines(&report).lines().map(str::to_owned));
            }
        },
    );
    file.flush().unwrap();
    assert!(kinds.contains("modified web/core/big.php content,size,mtime,ctime"), "{kinds:?}");
    // One that comes and goes.
    world.baseline();
    let (path, other) = (world.path("web/core/b.php"), world.path("web/away"));
    std::fs::create_dir(&other).unwrap();
    let other = other.join("b.log");
    meanwhile(
        || {
            std::fs::rename(&path, &other).unwrap();
            std::fs::rename(&other, &path).unwrap();
        },
        || {
            for _ in 0..100 {
                for line in world.lines(&world.check_with(&full())).lines() {
                    let is_fine = line == "removed web/core/b.php"
                        || line == "modified web/core/b.php ctime"
                        || line.starts_with("unstable web/core/b.php")
                        || line == "added web/away";
                    assert!(is_fine, "{line}");
                }
            }
        },
    );
}

/// A page of a file that another process has mapped and shared.
struct Mapped(std::process::Child);

/// Maps a page, and stores a byte for each line that it reads: where, and which.
const MAPS: &str = "
import mmap, sys
file = open(sys.argv[1], 'r+b')
page = mmap.mmap(file.fileno(), 4096)
for line in sys.stdin:
    at, value = line.split()
    page[int(at)] = ord(value)
    print('done', flush=True)
";

impl Mapped {
    fn of(path: &Path) -> Mapped {
        let child = Command::new("python3")
            .args(["-c", MAPS])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Mapped(child)
    }

    fn store(&mut self, at: usize, value: char) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{at} {value}").unwrap();
        let mut answer = [0; 5];
        self.0.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"done\n");
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn dirty(world: &World) -> (Mapped, std::fs::Metadata) {
    let path = world.path("web/core/a.php");
    std::fs::write(&path, vec![b'a'; 4096]).unwrap();
    let mut page = Mapped::of(&path);
    page.store(0, 'b');
    (page, std::fs::metadata(path).unwrap())
}

#[test]
fn a_second_store_into_a_dirty_page_is_found_as_the_file_was_young() {
    let world = World::new();
    let (mut page, before) = dirty(&world);
    world.baseline();
    page.store(1, 'c');
    let after = std::fs::metadata(world.path("web/core/a.php")).unwrap();
    let marks = |file: &std::fs::Metadata| (file.mtime_nsec(), file.ctime_nsec(), file.size(), file.ino());
    if marks(&before) != marks(&after) {
        println!("skipped: this file system notes every store");
        return;
    }
    assert_eq!(std::fs::read(world.path("web/core/a.php")).unwrap()[1], b'c');
    let report = world.check();
    assert_eq!(world.lines(&report), "modified web/core/a.php content\n");
    assert_eq!(report.exit_bits, 4);
}

#[test]
#[ignore = "it takes over a minute, as files must have been left alone for one"]
fn one_that_leaves_no_trace_is_found_in_its_turn_and_by_a_full_check() {
    // Where pages are never written back, so that no store is noted but the first.
    let Ok(memory) = tempfile::tempdir_in("/dev/shm") else {
        println!("skipped: there is no file system in memory");
        return;
    };
    let world = World::in_directory(memory, serde_json::json!({}));
    let (mut page, before) = dirty(&world);
    std::thread::sleep(std::time::Duration::from_secs(63));
    world.baseline();
    let first = world.check();
    assert!(first.ok && first.hashed_bytes < 4096, "all is believed but the part that is due: {first:?}");
    page.store(1, 'c');
    let after = std::fs::metadata(world.path("web/core/a.php")).unwrap();
    assert_eq!((before.ctime(), before.ctime_nsec()), (after.ctime(), after.ctime_nsec()), "it left a trace");
    // Each check reads one file at least: there are five.
    let found = (0..6).find(|_| world.lines(&world.check()) == "modified web/core/a.php content\n");
    assert!(found.is_some(), "not found in its turn");
    page.store(1, 'a');
    page.store(2, 'c');
    let report = world.check_with(&full());
    assert_eq!(world.lines(&report), "modified web/core/a.php content\n");
    assert!(report.guarantee.contains("every file was read"), "{}", report.guarantee);
}

#[test]
fn a_check_with_a_budget_goes_on_where_it_stopped() {
    let world = World::new();
    for number in 0..40 {
        world.write(&format!("web/core/{number}.bin"), vec![number; 1 << 20]);
    }
    world.baseline();
    let budget = CheckOptions { full: true, budget_ms: Some(8), ..CheckOptions::default() };
    let mut calls = 0;
    let mut bytes = 0;
    let last = loop {
        let report = world.check_with(&budget);
        calls += 1;
        bytes += report.hashed_bytes;
        assert!(report.ok, "{report:?}");
        if report.complete {
            break report;
        }
        assert!(report.guarantee.contains("the next call goes on"), "{}", report.guarantee);
        assert!(calls < 2000, "it never ends");
    };
    assert!(calls > 1, "one call was enough: {last:?}");
    // Nothing is read twice, but for files that the time ended in.
    assert!((40 << 20..160 << 20).contains(&bytes), "{bytes} in {calls} calls");
}
