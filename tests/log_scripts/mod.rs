//! Random scripts over logs: writers append, rotate, pack, truncate and write late, the run dies at any step, and a model
//! that only knows what was written says what must be where in the end. One seed is one script.
//!
//! Fault model. Two sources and a mirror. A writer appends whole lines or parts of them, keeps its file open over a
//! rotation or not; files are renamed (several times between two runs), packed, copied and truncated, truncated or made
//! anew after they were read. Somebody appends to the archive. A run dies between any two steps, its last write cut off
//! anywhere, and writers go on meanwhile. The machine dies with it: of what was not brought to disk any part is there, or
//! its size alone. The state may be lost.
//!
//! Invariant, when all is quiet and some runs have been: the archive has every complete line as often as it was written,
//! none that was not, those of one file in their order; the mirror equals the archive; each source has the lines of
//! all others as often as they were written, and its own. `CR0SYNC_SCRIPTS` sets how many there are (20,000),
//! `CR0SYNC_SEED` runs one and tells its story.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    reason = "a test fails by panicking and talks by printing"
)]

use crate::rng;
mod world;

use std::process::{Command, Stdio};

/// How many scripts there are unless told otherwise.
const SCRIPTS: u64 = 20_000;
/// Tells a child which scripts are its own.
const SHARE: &str = "CR0SYNC_SHARE";

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[test]
fn every_line_is_everywhere_once() {
    if let Ok(words) = std::env::var(SHARE) {
        let numbers: Vec<u64> = words.split(' ').map(|word| word.parse().unwrap()).collect();
        for seed in (numbers[0]..numbers[2]).step_by(numbers[1] as usize) {
            world::play(seed).unwrap_or_else(|story| panic!("{story}"));
        }
        return;
    }
    if let Some(seed) = number("CR0SYNC_SEED") {
        let story = world::play(seed).unwrap_or_else(|story| panic!("{story}"));
        println!("{story}");
        return;
    }
    let scripts = number("CR0SYNC_SCRIPTS").unwrap_or(SCRIPTS);
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let children: Vec<_> = (0..count)
        .map(|first| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "logs::scripts::every_line_is_everywhere_once", "--nocapture"])
                .env(SHARE, format!("{first} {count} {scripts}"))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut stories = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        if !output.status.success() {
            stories.push(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    assert!(stories.is_empty(), "{}", stories.join("\n\n"));
}
