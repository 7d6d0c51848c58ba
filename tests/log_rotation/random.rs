//! Random scripts of writers, rotations, deaths and merges, judged by what was written. `CR0SYNC_SEED` runs one.

use std::fs::File;
use std::io::Write;

use serde_json::json;

use super::rng::Rng;
use super::{RotateState, Step, World, can_cut, memory, temporary};

/// Scripts, half of them on each file system.
const SCRIPTS: u64 = 60;
const STEPS: [Step; 5] = [Step::Recorded, Step::Segmented, Step::Cut, Step::Renamed, Step::Packed];

#[test]
fn whatever_happens_every_line_is_there_once() {
    if let Ok(seed) = std::env::var("CR0SYNC_SEED") {
        return play(seed.parse().unwrap());
    }
    for seed in 0..SCRIPTS {
        if let Err(cause) = std::panic::catch_unwind(|| play(seed)) {
            println!("CR0SYNC_SEED={seed}");
            std::panic::resume_unwind(cause);
        }
    }
}

fn lines(who: &str, from: usize, count: usize) -> String {
    (from..from + count).map(|n| format!("{who} {n} {}\n", "y".repeat(n * 7 % 90))).collect()
}

fn play(seed: u64) {
    let mut rng = Rng::new(seed);
    let (within, mut rotate) = match memory().filter(|_| seed % 2 == 1) {
        Some(memory) => (memory, json!({"copytruncate": true})),
        None if can_cut(&temporary()) => (temporary(), json!({})),
        None => (temporary(), json!({"copytruncate": true})),
    };
    if rng.chance(30) {
        rotate["dateext"] = json!(false);
    }
    if rng.chance(30) {
        rotate["delaycompress"] = json!(true);
    }
    let world = World::new(&within, &["bot", "website"], rotate);
    let open = || File::options().append(true).create(true).open(world.path("central")).unwrap();
    let (mut held, mut bot, mut hub) = (None, 0, 0);
    let mut story = Vec::new();
    for _ in 0..14 {
        let count = rng.below(4000) + 1;
        match rng.below(8) {
            0 | 1 => {
                world.append("bot", &lines("bot", bot, count));
                bot += count;
                story.push(format!("the bot writes to {bot}"));
            }
            2 | 3 => {
                let text = lines("hub", hub, count);
                held.get_or_insert_with(open).write_all(text.as_bytes()).unwrap();
                hub += count;
                story.push(format!("the hub's own writer, which keeps it open, writes to {hub}"));
            }
            4 => {
                held = None;
                story.push("it closes it".to_owned());
            }
            5 => {
                world.merge();
                story.push("a merge".to_owned());
            }
            6 => {
                let report = world.rotate();
                assert_ne!(report.state, RotateState::Failed, "{seed} {story:#?} {report:?}");
                story.push(format!("{:?} {:?}", report.state, report.method));
            }
            _ => {
                let step = STEPS[rng.below(STEPS.len())];
                story.push(format!("a death at {step:?}: {}", world.dies_at(step)));
            }
        }
    }
    drop(held);
    world.merge();
    world.merge();
    let archive = world.archive();
    let of = |who: &str| -> String {
        archive.split_inclusive('\n').filter(|line| line.starts_with(who)).collect()
    };
    assert!(of("bot") == lines("bot", 0, bot), "{seed}: lines of the bot {story:#?} {:?}", world.names());
    assert!(of("hub") == lines("hub", 0, hub), "{seed}: lines of the hub {story:#?} {:?}", world.names());
    assert!(archive.lines().count() == bot + hub, "{seed}: others {story:#?}");
    assert!(world.read("website") == archive, "{seed}: the mirror {story:#?} {:?}", world.names());
}
