//! Root, cron's user and the website append to one log and archive it, as it lies on a machine: `0664` in a directory `2775` of
//! the group that they share.
//!
//! Real users, by number: root makes the children run as them, so that this is skipped for everybody else.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use super::world::{CRON, SHARED, WEBSITE, World};
use crate::trace::{Blow, End, User, run_until};

/// What the child reports.
fn run(world: &World, user: Option<&User>, act: &str) -> Option<Value> {
    let (end, said) = run_until(&world.ask(act), user, usize::MAX, Blow::Death);
    if end == End::NotAllowed {
        println!("skipped: this machine does not let a process trace another");
        return None;
    }
    let report = said.lines().find_map(|line| line.strip_prefix("report "));
    Some(serde_json::from_str(report.unwrap_or_else(|| panic!("{user:?} {act}: {said}"))).unwrap())
}

#[test]
fn whoever_archives_others_append_as_before_and_nobody_is_warned_of() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can let children run as other users");
        return;
    }
    let cron = User { uid: CRON, gid: CRON, groups: vec![SHARED] };
    let website = User { uid: WEBSITE, gid: WEBSITE, groups: vec![SHARED] };
    for owner in [CRON, WEBSITE] {
        for user in [None, Some(&cron), Some(&website)] {
            let told = format!("a log of {owner}, archived by {user:?}");
            let world = World::new();
            world.give(owner);
            let Some(report) = run(&world, user, "archive") else { return };
            assert_eq!(report["warnings"].as_array().map(Vec::len), Some(0), "{told}: {report}");
            assert_eq!(report["archived"].as_array().map(Vec::len), Some(2), "{told}: {report}");
            let log = fs::metadata(world.log()).unwrap();
            assert_eq!((log.gid(), log.mode() & 0o7777), (SHARED, 0o664), "{told}");
            // Only root can give a file away.
            let expected = user.map_or(owner, |user| user.uid);
            assert_eq!(log.uid(), expected, "{told}");
            for (n, user) in (10..).zip([Some(&cron), Some(&website), None]) {
                run(&world, user, &n.to_string());
            }
            assert_eq!(world.all(), (0..13).collect::<Vec<u64>>(), "{told}");
            world.verify(&told);
        }
    }
}
