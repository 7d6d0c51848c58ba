//! Archiving and appending are killed at their first system call that writes, at their second, at their third, until none is
//! left: after each death every event is there once, the chain holds, its locks are free, and the next call goes on.
//!
//! Where tracing is not allowed a test says so and passes.

use std::collections::BTreeSet;

use super::world::{World, write_page};
use crate::trace::{Blow, End, run_until};

/// Kills the child at each of its writing calls; `make` makes what it finds, `judge` looks at what it left.
fn at_each_call<T>(
    act: &str,
    make: impl Fn() -> (World, T),
    judge: impl Fn(&World, T, &str),
) -> BTreeSet<String> {
    let (mut n, mut hit) = (1, BTreeSet::new());
    loop {
        let (world, rest) = make();
        let (end, said) = run_until(&world.ask(act), None, n, Blow::Death);
        let told = format!("{act} killed at writing call {n}: {end:?}");
        match end {
            End::NotAllowed => {
                println!("skipped: this machine does not let a process trace another");
                return hit;
            }
            End::Struck(struck) => {
                hit.extend(struck.rsplit('/').next().map(str::to_owned));
                judge(&world, rest, &told);
            }
            End::Finished => {
                assert!(said.contains("\nreport "), "{told}: {said}");
                judge(&world, rest, &told);
                println!("{act}: {} deaths, over {hit:?}", n - 1);
                return hit;
            }
        }
        n += 1;
    }
}

/// Nothing is left behind by a run that went on for one that died.
fn names() -> Vec<String> {
    let world = World::new();
    cr0sync::events::archive(&world.config()).unwrap();
    world.names()
}

fn go_on(world: &World, told: &str) {
    let report = cr0sync::events::archive(&world.config()).unwrap_or_else(|error| panic!("{told}: {error}"));
    assert_eq!(report.warnings, [""; 0], "{told}");
}

#[test]
fn archiving_may_die_at_any_call() {
    let names = names();
    let make = || {
        let world = World::new();
        let page = world.open();
        (world, page)
    };
    let hit = at_each_call("archive", make, |world, mut page, told| {
        assert_eq!(world.all(), (0..10).collect::<Vec<u64>>(), "{told}");
        world.verify(told);
        // A page that has had the log open all the time, and another process.
        write_page(&mut page, 10);
        drop(page);
        world.event(11).unwrap_or_else(|error| panic!("{told}: {error}"));
        go_on(world, told);
        assert_eq!(world.all(), (0..12).collect::<Vec<u64>>(), "{told}");
        world.event(12).unwrap();
        world.verify(told);
        assert_eq!(world.names(), names, "{told}");
    });
    let is_hit = |name: &str| hit.is_empty() || hit.iter().any(|hit| hit.contains(name));
    for name in ["moving", ".json.gz.new-archive", "manifest.json", ".new-cut", "following", "head"] {
        assert!(is_hit(name), "{name}: {hit:?}");
    }
}

/// What a page wrote to the log of before an archive, while that was cut.
#[test]
fn following_may_die_at_any_call() {
    let names = names();
    let make = || {
        let world = World::new();
        let mut page = world.open();
        let report = cr0sync::events::archive(&world.config()).unwrap();
        assert!(
            report.warnings.iter().any(|warning| warning.contains("keeps the event log open")),
            "{report:?}"
        );
        world.event(10).unwrap();
        write_page(&mut page, 11);
        write_page(&mut page, 12);
        (world, ())
    };
    at_each_call("archive", make, |world, (), told| {
        world.verify(told);
        world.event(13).unwrap();
        world.page(14);
        go_on(world, told);
        assert_eq!(world.all(), (0..15).collect::<Vec<u64>>(), "{told}");
        world.verify(told);
        assert_eq!(world.names(), names, "{told}");
    });
}

#[test]
fn appending_may_die_at_any_call() {
    for is_first in [true, false] {
        let make = || {
            let world = if is_first { World::of(&super::world::Past::default()) } else { World::new() };
            let all = world.all();
            (world, all)
        };
        at_each_call("100", make, |world, before, told| {
            let now = world.all();
            let after: Vec<u64> = before.iter().copied().chain([100]).collect();
            assert!(now == before || now == after, "{told}: {now:?}");
            world.verify(told);
            world.event(101).unwrap_or_else(|error| panic!("{told}: {error}"));
            world.page(102);
            world.event(103).unwrap();
            assert_eq!(world.all().len(), now.len() + 3, "{told}");
            world.verify(told);
        });
    }
}
