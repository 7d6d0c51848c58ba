//! Where the kernel has no `openat2`, or a filter keeps programs from it, as in some containers: all is found all the same, and
//! nothing leads outside.
//!
//! The filter is a real one, for one thread and those that it starts; everything else in this process goes on as before.

use std::os::unix::fs::symlink;

use cr0sync::integrity::CheckOptions;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use serde_json::json;

use super::mutations::Tree;
use super::races;
use super::world::World;

/// What the kernel says where it does not know the call, and what filters say.
const ANSWERS: [Errno; 3] = [Errno::NOSYS, Errno::PERM, Errno::ACCESS];

/// Does something where `openat2` is answered so.
fn refused<T: Send>(answer: Errno, act: impl FnOnce() -> T + Send) -> T {
    let number = u32::try_from(answer.raw_os_error()).unwrap();
    let rules = std::iter::once((libc::SYS_openat2, Vec::new())).collect();
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter: BpfProgram =
        SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(number), arch)
            .unwrap()
            .try_into()
            .unwrap();
    let work = || {
        seccompiler::apply_filter(&filter).unwrap();
        let opened = openat2(CWD, c".", OFlags::PATH, Mode::empty(), ResolveFlags::empty());
        assert_eq!(opened.map(drop), Err(answer), "the filter does not work");
        act()
    };
    std::thread::scope(|threads| threads.spawn(work).join().unwrap())
}

#[test]
fn the_same_is_found() {
    for seed in 1..4 {
        for answer in ANSWERS {
            let world = World::with(json!({ "xattrs": true }));
            let place = world.path("tree");
            world.watch(
                &json!({ "monitored_files": [], "monitored_directories": [place], "ignore_patterns": [] }),
            );
            let mut tree = Tree::new(&place, seed);
            let made = refused(answer, || world.baseline());
            assert!(made.ok && made.hashed_bytes > 0, "{answer}: {made:?}");
            assert_eq!(world.lines(&world.check()), "", "{answer}: what was accepted without it");
            tree.change();
            let expected = world.check();
            let report =
                refused(answer, || world.check_with(&CheckOptions { full: true, ..CheckOptions::default() }));
            assert_eq!(
                world.lines(&report),
                world.lines(&expected),
                "{answer}, seed {seed}: {:?}",
                tree.done
            );
            assert!(
                report.complete && !report.ok && report.checked == expected.checked,
                "{answer}: {report:?}"
            );
        }
    }
}

#[test]
fn symlinks_lead_nowhere() {
    for answer in ANSWERS {
        let world = World::new();
        world.baseline();
        // Where a directory was, and where something above it was.
        let core = world.path("web/core");
        std::fs::rename(&core, world.path("core")).unwrap();
        symlink(world.path("core"), &core).unwrap();
        for paths in [vec![], vec![core.join("a.php")], vec![core.clone()]] {
            let options = CheckOptions { paths, full: true, ..CheckOptions::default() };
            let expected = world.check_with(&options);
            let report = refused(answer, || world.check_with(&options));
            assert_eq!(world.lines(&report), world.lines(&expected), "{answer}");
            assert_eq!((report.ok, report.complete), (false, expected.complete), "{answer}");
        }
    }
    refused(Errno::NOSYS, || races::swap(60));
}
