//! Days of a channel, written again as a bot would have: lines without a date, many of them the same, a file that is
//! rotated at midnight, and packed now and then. The archive, itself rotated, must be the days one behind the other, byte by
//! byte.
//!
//! Apart from `scenarios`, where lines are numbered. Real logs are looked for beside the project and never copied into
//! it; without them the test says so and passes. Made ones of the same shape are always there.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::world::{Logs, pack, read};
use crate::rng::Rng;

/// How a bot's files are called after midnight.
#[derive(Clone, Copy, Debug)]
enum Names {
    Dated,
    Numbered,
}

/// Makes room for one more, as logrotate does it, and packs what is older than a day now and then.
fn midnight(logs: &Logs, names: Names, day: usize, rng: &mut Rng) {
    match names {
        Names::Dated => {
            let end = format!(".2025-01-{:02}", day + 1);
            logs.rename("bot", &end);
            if rng.chance(50) {
                pack(&logs.rotated_path("bot", &end));
            }
        }
        Names::Numbered => {
            for number in (1..=day).rev() {
                for packing in ["", ".gz"] {
                    let from = logs.rotated_path("bot", &format!(".{number}{packing}"));
                    if from.exists() {
                        fs::rename(from, logs.rotated_path("bot", &format!(".{}{packing}", number + 1)))
                            .unwrap();
                    }
                }
            }
            logs.rename("bot", ".1");
            let older = logs.rotated_path("bot", ".2");
            if rng.chance(70) && older.exists() {
                pack(&older);
            }
        }
    }
}

fn replay(told: &str, days: &[Vec<u8>], names: Names) {
    for seed in 1..=4 {
        let told = format!("{told}, {names:?}, seed {seed}");
        let mut rng = Rng::new(seed);
        let logs = Logs::new(&["bot"]).rotated(json!({ "size": 150_000, "compress": seed % 2 == 0 }));
        for (day, text) in days.iter().enumerate() {
            let mut rest = text.as_slice();
            while !rest.is_empty() {
                // As its buffer has it, wherever that ends.
                let (now, later) = rest.split_at(rest.len().min(1 + rng.below(20_000)));
                logs.open("bot").write_all(now).unwrap();
                rest = later;
                if rng.chance(40) {
                    logs.merge();
                }
            }
            midnight(&logs, names, day, &mut rng);
            if rng.chance(60) {
                logs.merge();
            }
            if seed == 3 && rng.chance(40) && logs.root().join("sync_state").exists() {
                logs.lose_state();
            }
        }
        logs.settle();
        let wanted = days.concat();
        for side in ["central", "website"] {
            let found = logs.content(side);
            let at = found.iter().zip(&wanted).take_while(|(a, b)| a == b).count();
            assert!(
                found == wanted,
                "{told}: {side} has {} of {}, same up to {at}",
                found.len(),
                wanted.len()
            );
        }
        let segments = logs.names("central").len();
        assert!(segments > 2, "{told}: the archive was not rotated, {segments}");
        let report = cr0sync::logs::verify(&logs.config(), &cr0sync::logs::Options::default()).unwrap();
        assert_eq!(report.exit_code(), 0, "{told}: {report:#?}");
    }
}

#[test]
fn real_days_are_the_archive() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/irc");
    let Ok(entries) = fs::read_dir(&directory) else {
        println!("skipped: no logs of channels at {}", directory.display());
        return;
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{}", directory.display());
    let days: Vec<Vec<u8>> = files.iter().map(|file| read(file)).collect();
    replay("real days", &days, Names::Dated);
    replay("real days", &days, Names::Numbered);
}

/// A day of a channel: few who talk, who often say the same in the same minute; bytes that are no text, and empty lines.
fn made_day(rng: &mut Rng) -> Vec<u8> {
    const NICKS: [&str; 6] = ["ann", "bob", "carl", "dora", "eve", "f00"];
    const WORDS: [&str; 8] = ["lol", "hi", "ok", "try apt-get", "no idea", "?", "thanks", "it does not work"];
    let mut text = b"=== started ===\n".to_vec();
    for line in 0..1500 {
        let (hour, minute) = (line / 63, line % 63 * 60 / 63);
        write!(text, "[{hour:02}:{minute:02}] ").unwrap();
        match rng.below(20) {
            0 => writeln!(text, "=== {} has joined #x", rng.pick(&NICKS)).unwrap(),
            1 => text.extend(b"<ann> caf\xe9 \0 \xff\xfe\r\n"),
            2 => text.extend(b"\n\n"),
            _ => {
                write!(text, "<{}>", rng.pick(&NICKS)).unwrap();
                for _ in 0..1 + rng.below(4) * rng.below(8) {
                    write!(text, " {}", rng.pick(&WORDS)).unwrap();
                }
                text.push(b'\n');
            }
        }
    }
    text
}

#[test]
fn made_days_are_the_archive() {
    let mut rng = Rng::new(1);
    let days: Vec<Vec<u8>> = (0..7).map(|_| made_day(&mut rng)).collect();
    replay("made days", &days, Names::Dated);
    replay("made days", &days, Names::Numbered);
}
