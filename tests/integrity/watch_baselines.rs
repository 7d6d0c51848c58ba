//! A watcher that has read the baseline once must not go on with it when there is another one, or when something is wrong with
//! it.

use std::os::unix::fs::PermissionsExt;

use cr0sync::integrity::{self, Continue, WatchOptions};
use cr0sync::report::{FindingKind, WatchEnd};

use super::world::World;

/// What is done, and what the check of the next change must say: of which baseline it is, and a word of what is wrong with it.
type Step = (&'static str, fn(&World), u64, Option<&'static str>);

fn state(world: &World, name: &str) -> std::path::PathBuf {
    world.path("root/sync_state").join(name)
}

fn put_back(world: &World, from: &str, to: &str) {
    std::fs::copy(world.path(from), state(world, to)).unwrap();
}

const STEPS: [Step; 12] = [
    ("nothing", |_| {}, 1, None),
    ("another baseline", |world| drop(world.baseline()), 2, None),
    (
        "it is forged",
        |world| {
            put_back(world, "root/sync_state/integrity/baseline", "integrity/kept");
            let mut bytes = std::fs::read(state(world, "integrity/baseline")).unwrap();
            bytes[40] ^= 1;
            std::fs::write(state(world, "integrity/baseline"), bytes).unwrap();
        },
        2,
        Some("forged"),
    ),
    (
        "it is as it was",
        |world| put_back(world, "root/sync_state/integrity/kept", "integrity/baseline"),
        2,
        None,
    ),
    ("it is rolled back", |world| put_back(world, "first", "integrity/baseline"), 2, Some("rolled back")),
    (
        "it is as it was",
        |world| put_back(world, "root/sync_state/integrity/kept", "integrity/baseline"),
        2,
        None,
    ),
    (
        "its list is another",
        |world| std::fs::write(&world.config.integrity.baseline, "{}").unwrap(),
        2,
        Some("not what was signed"),
    ),
    ("a third baseline", |world| drop(world.baseline()), 3, None),
    (
        "others can read the key",
        |world| {
            let wide = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(state(world, "private/integrity.key"), wide).unwrap();
        },
        3,
        Some("others may know the key"),
    ),
    ("another key", |world| drop(world.baseline()), 4, None),
    (
        "the record is gone",
        |world| std::fs::remove_file(state(world, "private/integrity.head")).unwrap(),
        0,
        Some("what is remembered of the last baseline is gone"),
    ),
    ("a new one", |world| drop(world.baseline()), 1, None),
];

#[test]
fn what_was_read_of_a_baseline_counts_as_long_as_it_is_the_last_one() {
    let world = World::new();
    world.baseline();
    std::fs::copy(state(&world, "integrity/baseline"), world.path("first")).unwrap();
    let mut steps = STEPS.iter().enumerate();
    let mut wanted: Option<(usize, &Step)> = None;
    let limit = WatchOptions { seconds: Some(120), rescan_seconds: None };
    let report = integrity::watch(&world.config, limit, &mut |news| {
        let Some(report) = news.report else { return Continue::Yes };
        if let Some((number, (name, _, generation, word))) = wanted {
            let path = world.path(&format!("web/core/{number}.php"));
            let is_told = report.findings.iter().any(|finding| finding.path == path.to_string_lossy());
            if *generation != 0 && !is_told {
                return Continue::Yes;
            }
            assert_eq!(report.generation, *generation, "{number} {name}: {report:?}");
            let doubts = report.findings.iter().filter(|finding| finding.kind == FindingKind::Baseline);
            let doubts: Vec<&str> = doubts.filter_map(|finding| finding.reason.as_deref()).collect();
            assert_eq!(doubts.len(), usize::from(word.is_some()), "{number} {name}: {doubts:?}");
            assert!(word.is_none_or(|word| doubts[0].contains(word)), "{number} {name}: {doubts:?}");
        }
        let Some((number, step)) = steps.next() else { return Continue::Stop };
        (step.1)(&world);
        world.write(&format!("web/core/{number}.php"), "new");
        wanted = Some((number, step));
        Continue::Yes
    })
    .unwrap();
    assert_eq!(report.ended, WatchEnd::Asked, "{wanted:?}");
}
