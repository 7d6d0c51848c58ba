//! What a change costs a watcher among many files. It is measured and told, and decides nothing:
//! `cargo test --test integrity -- --ignored --nocapture what_a_change_costs`

use std::time::Instant;

use cr0sync::integrity::{self, Continue, WatchOptions};

use super::world::World;

const DIRECTORIES: usize = 1_000;
const FILES: usize = 100;
const CHANGES: usize = 30;

/// What this process has had of the processors, in hundredths of a second.
fn processor() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
#[ignore = "makes a hundred thousand files"]
fn what_a_change_costs() {
    let world = World::new();
    for directory in 0..DIRECTORIES {
        let path = world.path("web/many").join(directory.to_string());
        std::fs::create_dir_all(&path).unwrap();
        for file in 0..FILES {
            std::fs::write(path.join(format!("a file with a name of some length {file}.php")), "x").unwrap();
        }
    }
    world.baseline();
    let (mut told, mut begin, mut waits) = (0, (0, Instant::now()), Vec::new());
    let limit = WatchOptions { seconds: Some(500), rescan_seconds: None };
    let report = integrity::watch(&world.config, limit, &mut |news| {
        let Some(report) = news.report else { return Continue::Yes };
        if told == 0 {
            begin.0 = processor();
        } else {
            waits.push(begin.1.elapsed());
            assert_eq!(report.findings.len(), 1, "{report:?}");
        }
        if told == CHANGES {
            return Continue::Stop;
        }
        begin.1 = Instant::now();
        world.write(&format!("web/many/{told}/new"), "new");
        told += 1;
        Continue::Yes
    })
    .unwrap();
    let ticks = processor() - begin.0;
    waits.sort();
    println!("entries {} checks {}", DIRECTORIES * (FILES + 1), report.checks);
    println!("processor for each change {} ms", ticks * 10 / u64::try_from(waits.len()).unwrap());
    println!("until it is told, median {:?}", waits[waits.len() / 2]);
}
