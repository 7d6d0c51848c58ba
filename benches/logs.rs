//! How long a run over logs takes, beside tools that do a part of the same.
//!
//! `make bench`, or `cargo bench --bench logs [-- PART OF A NAME]`; `rounds` says how. All files are in the page cache. The
//! peers are programs, so their start counts for them: a run of ours is timed within this one, from the call to the return,
//! with everything on disk (fsync), which no peer but ours does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking and talks by printing"
)]

mod rounds;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use cr0sync::Config;
use cr0sync::logs::{self, Options};
use cr0sync::report::LogState;

use rounds::{compare, has, run, runner};

/// Rounds of the quick cases, and of those that move hundreds of MB.
const ROUNDS: usize = 15;
const LONG_ROUNDS: usize = 5;

fn main() {
    let cases: [(&str, &dyn Fn()); 5] = [
        ("no-op over 1,000 files", &|| no_op(1_000)),
        ("no-op over 49,000 files", &|| no_op(49_000)),
        ("1,000 files with 1 KiB more", &kilobyte_each),
        ("one file with 512 MB more", &bulk),
        ("adoption of 600 MB", &adoption),
    ];
    rounds::run_all(&cases);
}

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { directory: tempfile::Builder::new().prefix("cr0sync-bench-").tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A configuration with so many logs, from `bot/` to `central/`.
    fn config(&self, count: usize) -> Config {
        let logs: serde_json::Map<String, serde_json::Value> = (0..count)
            .map(|n| {
                let copies = serde_json::json!({
                    "bot": format!("bot/{n}.log"), "central": format!("central/{n}.log"),
                });
                (format!("log{n}"), serde_json::json!({"copies": copies, "rotate": {"maxsize": "100G"}}))
            })
            .collect();
        fs::create_dir_all(self.path("bot")).unwrap();
        fs::create_dir_all(self.path("central")).unwrap();
        let json = serde_json::json!({"version": 1, "hub": "central", "databases": {}, "logs": logs});
        Config::parse(json.to_string().as_bytes(), self.directory.path(), None).unwrap()
    }
}

fn merge(config: &Config, expected: LogState) {
    let report = logs::merge(config, &Options::default()).unwrap();
    assert!(report.ok);
    let log = report.logs.values().next().unwrap();
    assert_eq!(log.state, expected, "{log:?}");
}

/// Until nothing is left to look at.
fn settle(config: &Config) {
    for _ in 0..3 {
        logs::merge(config, &Options::default()).unwrap();
    }
    merge(config, LogState::Unchanged);
}

fn lines(path: &Path, bytes: u64, seed: u64) {
    let mut file = BufWriter::new(File::options().append(true).create(true).open(path).unwrap());
    let (mut written, mut n) = (0, seed * 1_000_000_000);
    while written < bytes {
        n += 1;
        let line = format!(
            "2025-07-14 09:{:02}:{:02} EDT - bot.rizon - INFO - message {n} of somebody who talks\n",
            n / 60 % 60,
            n % 60
        );
        file.write_all(line.as_bytes()).unwrap();
        written += u64::try_from(line.len()).unwrap();
    }
    file.flush().unwrap();
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn no_op(count: usize) {
    let place = Place::new();
    let config = place.config(count);
    for n in 0..count {
        fs::write(
            place.path(&format!("bot/{n}.log")),
            format!("2025-07-14 09:31:02 EDT - bot {n} - INFO - hello\n"),
        )
        .unwrap();
    }
    settle(&config);
    let (bot, peer) = (text(&place.path("bot")) + "/", text(&place.path("peer")));
    let mut runners = vec![runner("cr0sync", || {}, || merge(&config, LogState::Unchanged))];
    if has("rsync") {
        run("rsync", &["-a", &bot, &peer]);
        runners.push(runner("rsync --append", || {}, || run("rsync", &["-a", "--append", &bot, &peer])));
    }
    if has("logrotate") {
        let (rules, state) = (place.path("rules"), place.path("state"));
        fs::write(&rules, format!("{bot}*.log {{\n size 100M\n su root root\n}}\n")).unwrap();
        fs::set_permissions(&rules, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let (rules, state) = (text(&rules), text(&state));
        run("logrotate", &["-s", &state, &rules]);
        runners.push(runner(
            "logrotate, nothing due",
            || {},
            move || run("logrotate", &["-s", &state, &rules]),
        ));
    }
    if count <= 1_000 && has("logtail2") {
        let all = tail_all(&place, count);
        run("sh", &["-c", &all]);
        runners.push(runner("logtail2, one after the other", || {}, move || run("sh", &["-c", &all])));
    }
    compare(if count > 10_000 { LONG_ROUNDS } else { ROUNDS }, runners);
}

fn tail_all(place: &Place, count: usize) -> String {
    let (bot, offsets, peer) =
        (text(&place.path("bot")), text(&place.path("offsets")), text(&place.path("tails")));
    fs::create_dir_all(&offsets).unwrap();
    fs::create_dir_all(&peer).unwrap();
    let last = count - 1;
    format!("for n in $(seq 0 {last}); do logtail2 -f {bot}/$n.log -o {offsets}/$n >> {peer}/$n.log; done")
}

fn kilobyte_each() {
    let count = 1_000;
    let place = Place::new();
    let config = place.config(count);
    for n in 0..count {
        lines(&place.path(&format!("bot/{n}.log")), 1, 0);
    }
    settle(&config);
    let round = std::cell::Cell::new(1);
    let more = || {
        round.set(round.get() + 1);
        for n in 0..count {
            lines(&place.path(&format!("bot/{n}.log")), 1024, round.get());
        }
    };
    let (bot, peer) = (text(&place.path("bot")) + "/", text(&place.path("peer")));
    let mut runners = vec![runner("cr0sync", more, || merge(&config, LogState::Merged))];
    if has("rsync") {
        run("rsync", &["-a", &bot, &peer]);
        runners.push(runner("rsync --append", more, || run("rsync", &["-a", "--append", &bot, &peer])));
    }
    if has("logtail2") {
        let all = tail_all(&place, count);
        run("sh", &["-c", &all]);
        runners.push(runner("logtail2, one after the other", more, move || run("sh", &["-c", &all])));
    }
    compare(LONG_ROUNDS, runners);
}

fn bulk() {
    let bytes = 512 << 20;
    let place = Place::new();
    let config = place.config(1);
    let (bot, central) = (place.path("bot/0.log"), place.path("central/0.log"));
    lines(&bot, bytes, 1);
    let (source, target, peer) =
        (text(&place.path("all")), text(&place.path("cat.log")), text(&place.path("rsync.log")));
    // A line is there at first and known; all others are new.
    fs::rename(&bot, place.path("all")).unwrap();
    let all = fs::read(place.path("all")).unwrap();
    let first = 1 + all.iter().position(|byte| *byte == b'\n').unwrap();
    fs::write(&bot, &all[..first]).unwrap();
    settle(&config);
    run("cp", &["-a", &text(&place.path("sync_state")), &text(&place.path("known"))]);
    let forget = || {
        fs::remove_dir_all(place.path("sync_state")).unwrap();
        run("cp", &["-a", &text(&place.path("known")), &text(&place.path("sync_state"))]);
        for file in [&bot, &central] {
            File::options().write(true).open(file).unwrap().set_len(first as u64).unwrap();
        }
        File::options().append(true).open(&bot).unwrap().write_all(&all[first..]).unwrap();
    };
    let mut runners = vec![runner("cr0sync", forget, || merge(&config, LogState::Merged))];
    let append = format!("cat {source} >> {target}");
    let clear = |path: String| move || drop(fs::remove_file(&path));
    runners.push(runner("cat >>", clear(target.clone()), {
        let append = append.clone();
        move || run("sh", &["-c", &append])
    }));
    runners.push(runner("cat >>, then sync", clear(target.clone()), {
        let synced = format!("{append} && sync {target}");
        move || run("sh", &["-c", &synced])
    }));
    if has("rsync") {
        runners.push(runner("rsync --append", clear(peer.clone()), || {
            run("rsync", &["--append", &source, &peer])
        }));
    }
    if has("logtail2") {
        let offset = text(&place.path("offset"));
        let tail = format!("logtail2 -f {source} -o {offset} >> {target}");
        let (target, offset) = (target.clone(), offset);
        runners.push(runner(
            "logtail2",
            move || {
                let _ = (fs::remove_file(&target), fs::remove_file(&offset));
            },
            move || run("sh", &["-c", &tail]),
        ));
    }
    compare(LONG_ROUNDS, runners);
}

fn adoption() {
    let place = Place::new();
    let config = place.config(1);
    let (bot, central) = (place.path("bot/0.log"), place.path("central/0.log"));
    lines(&central, 600 << 20, 1);
    fs::copy(&central, &bot).unwrap();
    lines(&bot, 1 << 20, 2);
    let length = fs::metadata(&central).unwrap().len();
    let forget = || {
        let _ = fs::remove_dir_all(place.path("sync_state"));
        File::options().write(true).open(&central).unwrap().set_len(length).unwrap();
    };
    let mut runners = vec![runner("cr0sync", forget, || merge(&config, LogState::Merged))];
    let (a, b) = (text(&bot), text(&central));
    if has("rsync") {
        // Compares all of it as well, and takes the source for the truth.
        let verified = move || run("rsync", &["--append-verify", &a, &b]);
        runners.push(runner("rsync --append-verify", forget, verified));
    }
    compare(LONG_ROUNDS, runners);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    println!("  most memory of this process: {}", peak.trim());
}
