//! Logs that are larger than what a process may hold, and writers that go on while one is archived.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value;

use super::world::{Past, World, day, event, write_page};

/// Tells the child which configuration it is about.
const CHILD: &str = "CR0SYNC_EVENTS_CONFIG";
/// A line of this, which takes no place on the disk (bytes).
const HUGE: u64 = 800 << 20;
/// What a process may have in all (KiB).
const MEMORY: u64 = 500 << 10;

pub(crate) fn child() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let config = cr0sync::Config::load(Some(Path::new(&path)), None).unwrap();
    println!("\nreport {}", super::world::act(&config).unwrap());
}

/// What a child says that may hold little.
fn run(world: &World, act: &str) -> Value {
    let out = Command::new("sh")
        .args(["-c", &format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "reader", "--nocapture", "--test-threads=1"])
        .env(CHILD, world.ask(act))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{act}: {said}\n{}", String::from_utf8_lossy(&out.stderr));
    let report = said.lines().find_map(|line| line.strip_prefix("report "));
    serde_json::from_str(report.unwrap_or_else(|| panic!("{act}: {said}"))).unwrap()
}

#[test]
fn a_line_that_is_larger_than_memory_is_told() {
    let world = World::new();
    let log = OpenOptions::new().write(true).open(world.log()).unwrap();
    log.set_len(log.metadata().unwrap().len() + HUGE).unwrap();
    world.event(10).unwrap();
    let report = run(&world, "verify");
    assert_eq!(report["first_break"]["kind"], "long", "{report}");
    assert_eq!(report["first_break"]["line"], 11, "{report}");
    let report = run(&world, "query");
    assert_eq!(report["events"].as_array().map(Vec::len), Some(11), "{report}");
    assert_eq!(report["problems"].as_array().map(Vec::len), Some(1), "{report}");
    let report = run(&world, "archive");
    assert_eq!(report["archived"].as_array().map(Vec::len), Some(2), "{report}");
    run(&world, "11");
    let report = run(&world, "verify");
    assert_eq!(
        (&report["breaks"], &report["first_break"]["kind"]),
        (&Value::from(1), &Value::from("long")),
        "{report}"
    );
}

#[test]
fn an_archive_that_unpacks_to_more_than_memory_is_told() {
    let world = World::new();
    cr0sync::events::archive(&world.config()).unwrap();
    let file = world.root().join(format!("logs/security/archive/security_events.{}.json.gz", day(2)));
    let mut packer =
        flate2::write::GzEncoder::new(fs::File::create(&file).unwrap(), flate2::Compression::fast());
    let zeros = vec![0; 1 << 20];
    (0..HUGE >> 20).for_each(|_| packer.write_all(&zeros).unwrap());
    packer.finish().unwrap();
    let report = run(&world, "verify");
    assert_eq!(
        (&report["first_break"]["kind"], &report["breaks"]),
        (&Value::from("archive"), &Value::from(1)),
        "{report}"
    );
    let report = run(&world, "query");
    assert_eq!(report["events"].as_array().map(Vec::len), Some(7), "{report}");
}

/// Whatever the size of the log, nobody who writes is turned away or waits for the packing.
#[test]
fn writers_go_on_while_a_large_log_is_archived() {
    let (mut past, day) = (Past::default(), day(1));
    for n in 0..120_000 {
        past.event(&day, n);
        past.page(&day, n);
    }
    let world = World::of(&past);
    let size = past.text.len();
    let (is_over, next) = (AtomicBool::new(false), AtomicU64::new(1_000_000));
    let config = world.config();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    event(&config, next.fetch_add(1, Ordering::SeqCst)).unwrap();
                    // As the site's pages do: open, append, close.
                    write_page(&mut world.open(), next.fetch_add(1, Ordering::SeqCst));
                }
            });
        }
        let report = cr0sync::events::archive(&config);
        is_over.store(true, Ordering::SeqCst);
        let report = report.unwrap();
        assert_eq!((report.archived.len(), report.archived[0].lines), (1, 240_000), "{report:?}");
    });
    let written = next.load(Ordering::SeqCst) - 1_000_000;
    let log = fs::read_to_string(world.log()).unwrap();
    let mut numbers: Vec<u64> = log
        .lines()
        // What seems cut off for a moment, as its writer is at it, is ended.
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["details"]["n"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(1_000_000..1_000_000 + written), "{} of {written}", numbers.len());
    let found = cr0sync::events::verify(&config).unwrap();
    assert!(found.ok, "{found:?}");
    assert!(found.events + found.others >= 240_000 + written, "{found:?}");
    println!("{written} lines while {size} bytes were archived; {} of them not held", found.unheld);
}
