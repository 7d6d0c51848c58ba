//! A writer that goes on as fast as it can while its file is rotated below it, again and again.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::{RotateMethod, RotateState, World, can_cut, temporary};

/// Lines that it writes at least.
const LINES: usize = 1_000_000;
/// Rotations that it goes on for,
const ROTATIONS: usize = 12;
/// but for no more lines than this.
const MOST_LINES: usize = 6_000_000;

/// Ends the writer when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn no_line_is_lost_below_the_fastest_writer() {
    let within = temporary();
    if !can_cut(&within) {
        println!("the file system of {} cannot take lines out in place", within.display());
        return;
    }
    let world = World::new(&within, &[], json!({"compress": false}));
    let path = world.path("central");
    let (rotations, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut file = File::options().append(true).create(true).open(&path).unwrap();
    let (written, tried) = std::thread::scope(|scope| {
        let (rotations, failed) = (&rotations, &failed);
        let writer = scope.spawn(move || {
            let mut number = 0_usize;
            let is_done = |number| {
                failed.load(Ordering::Relaxed)
                    || number >= MOST_LINES
                    || (number >= LINES && rotations.load(Ordering::Relaxed) >= ROTATIONS)
            };
            while !is_done(number) {
                let line = format!("{number:010} <nick> {}\n", "word ".repeat(number % 17));
                file.write_all(line.as_bytes()).unwrap();
                number += 1;
            }
            drop(file);
            number
        });
        let stop = Stop(failed);
        let mut tried = 0;
        while !writer.is_finished() {
            let report = world.rotate();
            tried += 1;
            match (report.state, report.method) {
                (RotateState::Rotated, Some(RotateMethod::InPlace)) => {
                    rotations.fetch_add(1, Ordering::Relaxed);
                }
                // Before it has written enough, or in the middle of a line.
                (RotateState::Unchanged | RotateState::Skipped, _) => {}
                (RotateState::Failed, _)
                    if report.reason.as_ref().is_some_and(|why| why.contains("somebody is writing it")) => {}
                // Its last line was written while we looked.
                (RotateState::Rotated, Some(RotateMethod::Rename)) => {}
                _ => panic!("{report:?}"),
            }
        }
        drop(stop);
        (writer.join().unwrap(), tried)
    });
    world.merge();
    world.rotate();
    let (mut next, mut torn) = (0_usize, 0_usize);
    for line in world.archive().lines() {
        let is_whole = line == format!("{next:010} <nick> {}", "word ".repeat(next % 17));
        torn += usize::from(!is_whole);
        next += 1;
    }
    println!("{written} lines, {tried} runs, {} rotations in place", rotations.load(Ordering::Relaxed));
    assert!(rotations.load(Ordering::Relaxed) > 0);
    assert_eq!(
        (next, torn),
        (written, 0),
        "lines in the archive, and those of them that are not in order or torn"
    );
}
