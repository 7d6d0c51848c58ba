//! Real processes that ask for the same buckets at the same time, and are killed while they do.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::access::limits::mapping::{HEADER, SET, SLOTS};
use crate::access::limits::word::{State, published};

const VARIABLE: &str = "CR0SYNC_LIMITS_CHILD";
const PROCESSES: usize = 16;

fn start(root: &Path, what: &str, number: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "access::limits::tests::child", "--nocapture"])
        .env(VARIABLE, format!("{what}:{number}:{}", root.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Lets all of them begin at once.
fn go(root: &Path, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while fs::read_dir(root).unwrap().flatten().filter(|entry| is_ready(&entry.file_name())).count() < count {
        assert!(Instant::now() < deadline, "the children do not start");
        std::thread::sleep(Duration::from_millis(2));
    }
    File::create(root.join("go")).unwrap();
}

fn is_ready(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().starts_with("ready")
}

/// How often each key was let in, by what the children wrote down.
fn admitted(root: &Path) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("admitted") {
            for key in fs::read_to_string(entry.path()).unwrap().lines() {
                *all.entry(key.to_owned()).or_default() += 1;
            }
        }
    }
    all
}

pub(super) fn child() {
    let Ok(task) = std::env::var(VARIABLE) else { return };
    let [what, number, root] = task.splitn(3, ':').collect::<Vec<_>>()[..] else { panic!("{task}") };
    let (root, number): (&Path, usize) = (Path::new(root), number.parse().unwrap());
    File::create(root.join(format!("ready{number}"))).unwrap();
    while !root.join("go").exists() {
        std::hint::spin_loop();
    }
    let path = root.join(format!("admitted{number}"));
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    let clients = if what == "crowd" { 64 } else { 4096 };
    let mut limiter = Limiter::new(&config(root, clients)).unwrap();
    match what {
        "one" => {
            for _ in 0..2000 {
                let check = Check { client: b"key", rule: Rule::Tier("week"), cost: 1 };
                if limiter.take(&[check]).unwrap().verdict.allowed {
                    file.write_all(b"key\n").unwrap();
                }
            }
        }
        "many" | "crowd" => {
            for round in 0..400 {
                for _ in 0..4 {
                    let key = format!("key{round}");
                    let check = Check { client: key.as_bytes(), rule: policy(3, 604_800, 3), cost: 1 };
                    if limiter.take(&[check]).unwrap().verdict.allowed {
                        writeln!(file, "{key}").unwrap();
                    }
                }
            }
        }
        "both" => loop {
            // Each pair has one bucket in common with the next.
            for pair in 0..8 {
                let names = [format!("key{pair}"), format!("key{}", (pair + 1) % 8)];
                let check = |index: usize, cost| Check {
                    client: names[index].as_bytes(),
                    rule: policy(100_000, 604_800, 100_000),
                    cost,
                };
                if limiter.take(&[check(0, 1), check(1, 2)]).unwrap().verdict.allowed {
                    // One write, so that a death leaves the whole of it or nothing.
                    let line = format!("{}\n{}\n{}\n", names[0], names[1], names[1]);
                    file.write_all(line.as_bytes()).unwrap();
                }
            }
        },
        "churn" => loop {
            for round in 0..5000 {
                let key = format!("key{}", (round * 7 + number * 13) % 900);
                let check = Check { client: key.as_bytes(), rule: policy(1_000_000, 1, 10), cost: 1 };
                limiter.take(&[check]).unwrap();
            }
        },
        "release" => {
            // Closed, let go of and opened again, it still lives through a table that is cut.
            for _ in 0..3 {
                let check = Check { client: b"key", rule: Rule::Tier("week"), cost: 1 };
                limiter.take(&[check]).unwrap();
                let open = OpenOptions::new().write(true).open(table(root)).unwrap();
                open.set_len(0).unwrap();
                assert!(limiter.take(&[check]).unwrap().verdict.allowed);
                file.write_all(b"key\n").unwrap();
                drop(limiter);
                crate::access::limits::release();
                limiter = Limiter::new(&config(root, clients)).unwrap();
            }
        }
        _ => panic!("{what}"),
    }
}

fn run(what: &str) -> (World, BTreeMap<String, u64>) {
    let world = World::new();
    let children: Vec<Child> = (0..PROCESSES).map(|number| start(world.root(), what, number)).collect();
    go(world.root(), PROCESSES);
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let admitted = admitted(world.root());
    (world, admitted)
}

#[test]
fn sixteen_processes_are_let_in_exactly_as_often_as_the_limit_says() {
    let (_, admitted) = run("one");
    assert_eq!(admitted, BTreeMap::from([("key".to_owned(), 1000)]));
}

#[test]
fn sixteen_processes_that_are_the_first_to_ask_for_a_key_share_one_bucket() {
    let (_, admitted) = run("many");
    assert_eq!(admitted.len(), 400);
    assert!(admitted.values().all(|count| *count == 3), "{admitted:?}");
}

#[test]
fn where_there_is_no_room_for_all_nobody_is_let_in_more_often() {
    let (world, admitted) = run("crowd");
    assert!(admitted.values().all(|count| *count <= 3), "{admitted:?}");
    assert!(admitted.len() >= 100, "{}", admitted.len());
    let _ = sound(&world.table());
}

#[test]
fn a_process_that_lets_go_of_the_signal_catches_it_again() {
    let world = World::new();
    let mut child = start(world.root(), "release", 0);
    go(world.root(), 1);
    assert!(child.wait().unwrap().success());
    assert_eq!(admitted(world.root()), BTreeMap::from([("key".to_owned(), 3)]));
}

/// Kills all of them at once after a while.
fn kill(children: Vec<Child>, after: Duration) {
    std::thread::sleep(after);
    for mut child in children {
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9), "it ended before");
    }
}

#[test]
fn killed_in_the_midst_of_several_limits_nobody_is_let_in_more_often() {
    let world = World::new();
    let rounds = 12;
    for round in 0..rounds {
        let _ = fs::remove_file(world.root().join("go"));
        for number in 0..4 {
            let _ = fs::remove_file(world.root().join(format!("ready{number}")));
        }
        let children: Vec<Child> = (0..4).map(|number| start(world.root(), "both", number)).collect();
        go(world.root(), 4);
        kill(children, Duration::from_millis(15 + round * 3));
    }
    let admitted = admitted(world.root());
    let mut limiter = world.limiter(4096);
    let mut lost = 0;
    for (key, count) in &admitted {
        // What the limit says is left, at the time of now: next to nothing comes back within the test.
        let check = Check { client: key.as_bytes(), rule: policy(100_000, 604_800, 100_000), cost: 0 };
        let left = u64::from(limiter.take(&[check]).unwrap().verdict.remaining);
        let taken = 100_000 - left;
        let back = 20;
        assert!(taken + back >= *count, "{key}: let in {count} times, counted {taken}");
        lost += taken.saturating_sub(*count);
    }
    assert!(admitted.values().sum::<u64>() > 1000, "{admitted:?}");
    // Each death may lose what was taken for one request: 3.
    assert!(lost <= 3 * 4 * rounds, "{lost} lost");
}

#[test]
fn killed_while_they_make_room_they_leave_a_sound_table() {
    let world = World::new();
    // A small table, in which every other request has to make room.
    let mut limiter = world.limiter(64);
    world.ask(&mut limiter, "key", policy(1, 1, 1), 1);
    let mut left = 0;
    for round in 0..8 {
        let _ = fs::remove_file(world.root().join("go"));
        for number in 0..4 {
            let _ = fs::remove_file(world.root().join(format!("ready{number}")));
        }
        let children: Vec<Child> = (0..4).map(|number| start(world.root(), "churn", number)).collect();
        go(world.root(), 4);
        kill(children, Duration::from_millis(40 + round * 7));
        left = sound(&world.table());
    }
    println!("{left} slots were left half filled");
    // What the dead have left is free again when they are known to be dead.
    std::thread::sleep(Duration::from_millis(1100));
    crate::access::limits::cleanup(&config(world.root(), 64)).unwrap();
    assert_eq!(sound(&world.table()), 0);
}

/// Checks the invariants of a table that nobody uses, and counts slots that are half filled.
fn sound(path: &Path) -> usize {
    let bytes = fs::read(path).unwrap();
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let mut half = 0;
    for set in (HEADER..bytes.len()).step_by(SET) {
        let control = word(set);
        let mut keys = Vec::new();
        for slot in 0..SLOTS {
            let at = set + 32 + slot * 32;
            let visible = match State::of(word(at)) {
                State::Free { .. } => {
                    assert!(!published(control, slot), "a free slot is published");
                    false
                }
                State::Live { .. } => {
                    assert!(published(control, slot), "a bucket is not published");
                    true
                }
                State::Filled { .. } if published(control, slot) => true,
                _ => {
                    half += 1;
                    false
                }
            };
            if visible {
                keys.push((word(at + 16), word(at + 24)));
            }
        }
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count, "a key has two buckets");
    }
    half
}
