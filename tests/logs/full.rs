//! No room: on a disk that is full, or for a file that may not grow. The run says so, other logs are merged, nothing is
//! lost, and there is no end of it when there is room again.
//!
//! Apart from `calls`, where a run dies: here it goes on.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::deaths::{as_runner, die_midway};
use super::world::{Logs, MIRROR};
use crate::common::disk::Disk;

/// What was said to a user of the log without room.
fn said(report: &serde_json::Value) -> String {
    let log = &report["logs"]["x"];
    format!("{} {}", log["reason"].as_str().unwrap_or_default(), log["warnings"])
}

#[test]
fn whatever_disk_is_full_nothing_is_lost() {
    let mut refusals = 0;
    for place in ["central", MIRROR, "bot", "state"] {
        for left in [0, 4_096, 20_000, 60_000, 130_000] {
            let told = format!("{place} with {left} bytes left");
            let logs = Logs::new(&["bot", "other"]).with_log_apart();
            logs.add("bot", 500);
            logs.add("other", 10);
            logs.merge();
            logs.add("bot", 100);
            logs.add("other", 2_500);
            let at = if place == "state" { logs.root().join("sync_state") } else { logs.directory(place) };
            let Some(disk) = Disk::mount(&at, 1 << 20) else { return };
            disk.fill(left);
            for _ in 0..2 {
                match cr0sync::logs::merge(&logs.config(), &cr0sync::logs::Options::default()) {
                    Ok(report) => {
                        let report = serde_json::to_value(report).unwrap();
                        let is_told = said(&report).contains("space");
                        refusals += usize::from(is_told);
                        let got_all = logs.archive().len() > 180_000;
                        assert!(is_told || report["ok"] == true && got_all, "{told}: {report:#}");
                        logs.judge_apart(&told);
                    }
                    Err(error) => {
                        refusals += 1;
                        assert!(place == "state", "{told}: {error}");
                        assert!(error.to_string().contains('/'), "{told}: {error}");
                        assert_eq!(error.hint_text(), Some("free some space there"), "{told}: {error}");
                    }
                }
                logs.add("bot", 20);
            }
            disk.make_room();
            logs.settle();
            logs.judge_apart(&told);
            logs.judge(&told);
            logs.judge_sources(&told);
        }
    }
    println!("{refusals} runs found no room");
    assert!(refusals > 10, "{refusals}");
}

/// As `ulimit -f` has it, which anybody may do.
#[test]
fn a_file_that_may_not_grow_is_grown_by_the_next_run() {
    for blocks in [0, 8, 9, 100, 200] {
        let told = format!("files of no more than {blocks} blocks");
        let logs = Logs::new(&["bot", "other"]).with_log_apart();
        logs.add("bot", 10);
        logs.merge();
        logs.add("bot", 2_500);
        logs.add("other", 10);
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        let command = command.args(["-c", &script]).arg(std::env::current_exe().unwrap());
        let out = as_runner(command, &logs.config_file()).output().unwrap();
        let words = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(words.contains("File too large"), "{told}: {words}");
        if let Some(report) = words.lines().find_map(|line| line.strip_prefix("report ")) {
            let report: serde_json::Value = serde_json::from_str(report).unwrap();
            assert_eq!(report["logs"]["x"]["state"], json!("failed"), "{told}: {report:#}");
            logs.judge_apart(&told);
        }
        assert!(fs::metadata(logs.path("central")).unwrap().len() <= 512 * blocks.max(2), "{told}");
        logs.add("bot", 10);
        logs.settle();
        logs.judge(&told);
        logs.judge_sources(&told);
    }
}

/// What was left by a run that died is finished by one that has no room, and by one that has.
#[test]
fn a_run_dies_and_the_next_one_finds_no_room() {
    for place in ["central", MIRROR, "bot", "state"] {
        for left in [0, 4_096, 60_000] {
            let told = format!("{place} with {left} bytes left");
            let logs = Logs::new(&["bot", "other"]);
            logs.add("bot", 100);
            logs.add("other", 100);
            logs.merge();
            logs.add("bot", 3_000);
            logs.add("other", 3_000);
            let at = if place == "state" { logs.root().join("sync_state") } else { logs.directory(place) };
            let Some(disk) = Disk::mount(&at, 2 << 20) else { return };
            die_midway(&logs);
            disk.fill(left);
            for _ in 0..2 {
                // What it says of that is looked at above.
                let _ = cr0sync::logs::merge(&logs.config(), &cr0sync::logs::Options::default());
                let journal = fs::read_to_string(logs.root().join("sync_state/logs/journal")).unwrap();
                let lines = journal.lines().skip(1);
                let torn = lines.filter(|line| serde_json::from_str::<serde_json::Value>(line).is_err());
                assert!(torn.count() <= 1, "{told}: lines are glued to each other: {journal}");
                // Where its own disk is full, the bot cannot write either.
                if place != "bot" {
                    logs.add("bot", 20);
                }
            }
            disk.make_room();
            logs.settle();
            logs.judge(&told);
        }
    }
}
