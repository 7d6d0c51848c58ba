//! Runs that are killed at any moment, as many as it takes, over logs that are large.
//!
//! Apart from `calls`, where each dies at one system call: here nobody knows where.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cr0sync::Config;
use cr0sync::logs::{self, Options};

use super::world::{Logs, MIRROR};
use crate::rng::Rng;

/// Tells the child which configuration to run.
pub(crate) const RUNNER: &str = "CR0SYNC_LOGS_CONFIG";

/// One run, in a process of its own.
pub(crate) fn runner() {
    let Some(config) = std::env::var_os(RUNNER) else { return };
    let config = Config::load(Some(Path::new(&config)), None).unwrap();
    println!("\nbegins");
    match logs::merge(&config, &Options::default()) {
        Ok(report) => println!("\nreport {}", serde_json::to_string(&report).unwrap()),
        Err(error) => println!("\nerror {:?} {error}", error.kind()),
    }
}

/// Lets a command be such a child; what comes before is whatever starts it.
pub(crate) fn as_runner<'a>(command: &'a mut Command, config: &Path) -> &'a mut Command {
    command
        .args(["--exact", "runner", "--nocapture", "--test-threads=1"])
        .env(RUNNER, config)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
}

/// A child that has begun.
pub(crate) fn begun(config: &Path) -> Child {
    let mut child = as_runner(&mut Command::new(std::env::current_exe().unwrap()), config).spawn().unwrap();
    let mut words = BufReader::new(child.stdout.as_mut().unwrap());
    let mut line = String::new();
    while line.trim() != "begins" {
        line.clear();
        assert!(words.read_line(&mut line).unwrap() > 0, "the child says nothing");
    }
    child
}

/// 300,000 lines in all. The sources' own files are not judged: whoever writes behind a line that a death has cut off
/// goes on with that line, and nobody can help it there.
#[test]
fn a_run_may_be_killed_at_any_moment() {
    let seed = std::env::var("CR0SYNC_SEED").map_or(5, |seed| seed.parse().unwrap());
    let (mut rng, mut killed, mut midway) = (Rng::new(seed), 0, 0);
    let logs = Logs::new(&["bot", "other"]);
    let config = logs.config_file();
    // How long one takes that is left alone.
    let mut whole = None;
    for round in 0..20 {
        logs.add("bot", 10_000);
        logs.add("other", 4_900);
        let before = logs.archive().len();
        let mut child = begun(&config);
        let Some(whole) = whole else {
            let began = Instant::now();
            assert!(child.wait().unwrap().success());
            whole = Some(began.elapsed());
            logs.add("bot", 100);
            continue;
        };
        std::thread::sleep(Duration::mul_f64(
            whole,
            f64::from(u32::try_from(rng.below(1000)).unwrap()) / 1000.0,
        ));
        let is_over = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        killed += usize::from(!is_over);
        midway += usize::from(!is_over && logs.archive().len() > before);
        logs.add("bot", 50);
        logs.add("other", 50);
        if round % 2 == 0 {
            logs.merge();
        }
    }
    logs.settle();
    let told = format!("CR0SYNC_SEED={seed}, {killed} killed, {midway} of them after they had written");
    println!("{told}");
    assert_eq!(logs.written.borrow().count(), 300_000);
    logs.judge(&told);
    assert!(killed > 0, "{told}");
}

/// A run that dies while it writes to the archive or to copies.
pub(crate) fn die_midway(logs: &Logs) {
    let config = logs.config_file();
    let before = logs.archive().len();
    let mut child = begun(&config);
    while logs.archive().len() == before && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Whoever was only to get something is not waited for.
#[test]
fn a_copy_that_is_away_holds_up_nobody() {
    let logs = Logs::new(&["bot", "other"]);
    logs.add("bot", 1);
    logs.add("other", 1);
    logs.merge();
    logs.add("bot", 20_000);
    die_midway(&logs);
    let away = logs.directory("away");
    std::fs::rename(logs.directory(MIRROR), &away).unwrap();
    for _ in 0..2 {
        logs.add("other", 10);
        let report = logs.merge();
        assert_ne!(report["logs"]["x"]["state"], "skipped", "{report:#}");
        let told = report["logs"]["x"]["warnings"].to_string();
        assert!(told.contains("website is passed over"), "{told}");
    }
    assert_eq!(logs.written.borrow().judge(&logs.archive()), Default::default());
    std::fs::rename(&away, logs.directory(MIRROR)).unwrap();
    logs.settle();
    // In a source what was being written when it died may be torn.
    logs.judge("a copy was away");
}
