//! Writers as they are: programs that append through Python's logging, through PHP and through stdio, while merges run all
//! the time and give each of them what the others wrote.
//!
//! Apart from the other tests, where a writer is we ourselves and writes whole lines when it is told to.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::world::Logs;
use crate::rng::Rng;

/// So many lines of each.
const LINES: usize = 4_000;
/// Nothing takes so long.
const LIMIT: Duration = Duration::from_secs(60);

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs/writers").join(name)
}

/// A writer of a side, by the side's name.
fn start(logs: &Logs, side: &str, program: &[&str]) -> Child {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).arg(logs.path(side)).arg(side).arg(LINES.to_string());
    let child = command.spawn().unwrap_or_else(|cause| panic!("{program:?}: {cause}"));
    for n in 0..LINES {
        logs.note(side, format!("{side} {n:07} lorem ipsum dolor sit amet\n").as_bytes());
    }
    child
}

/// Merges every 20 to 50 ms until all writers are done. What a run says of it may be that it has to wait, and no more.
fn merge_meanwhile(logs: &Logs, mut writers: Vec<Child>, mut also: impl FnMut()) -> usize {
    let (mut rng, began, mut runs) = (Rng::new(1), Instant::now(), 0);
    while !writers.is_empty() {
        logs.merge();
        also();
        runs += 1;
        std::thread::sleep(Duration::from_millis(20 + rng.next() % 31));
        writers.retain_mut(|writer| match writer.try_wait().unwrap() {
            Some(status) => {
                assert!(status.success(), "a writer: {status}");
                false
            }
            None => true,
        });
        if began.elapsed() > LIMIT {
            for mut writer in writers {
                writer.kill().unwrap();
                writer.wait().unwrap();
            }
            panic!("the writers come to no end");
        }
    }
    runs
}

#[test]
fn programs_write_while_runs_merge() {
    let logs = Logs::new(&["python", "php", "locked", "stdio"]);
    let program = logs.root().join("writer");
    let compiled =
        Command::new("cc").args(["-O1", "-o"]).arg(&program).arg(script("writer.c")).status().unwrap();
    assert!(compiled.success());
    let (python, php) = (script("writer.py"), script("writer.php"));
    let writers = vec![
        start(&logs, "python", &["python3", python.to_str().unwrap(), "file"]),
        start(&logs, "php", &["php", "-n", php.to_str().unwrap(), "plain"]),
        start(&logs, "locked", &["php", "-n", php.to_str().unwrap(), "locked"]),
        start(&logs, "stdio", &[program.to_str().unwrap()]),
    ];
    let runs = merge_meanwhile(&logs, writers, || {});
    let told = format!("{runs} runs beside four writers");
    println!("{told}");
    assert!(runs > 10, "{told}");
    logs.settle();
    logs.judge(&told);
    logs.judge_sources(&told);
}

/// Whoever begins a line while we are about to write behind the one before gets our lines into the midst of it. Nobody can
/// help that in its own file, which is not judged; in the archive its line is whole.
#[test]
fn a_program_writes_lines_in_halves_while_runs_merge() {
    let logs = Logs::new(&["halves", "other"]);
    let python = script("writer.py");
    let writer = start(&logs, "halves", &["python3", python.to_str().unwrap(), "halves"]);
    let runs = merge_meanwhile(&logs, vec![writer], || logs.add("other", 3));
    logs.settle();
    let torn = logs.written.borrow().judge(&logs.content("halves"));
    let told = format!("{runs} runs beside a writer of halves, whose file has {torn:?}");
    println!("{told}");
    logs.judge(&told);
}

/// Three files are kept, so a line that is not read in time is gone: the source itself is not judged.
#[test]
fn a_program_rotates_its_files_while_runs_merge() {
    let logs = Logs::new(&["rotating", "other"]);
    let python = script("writer.py");
    let writer = start(&logs, "rotating", &["python3", python.to_str().unwrap(), "rotating"]);
    let runs = merge_meanwhile(&logs, vec![writer], || logs.add("other", 1));
    let told = format!("{runs} runs beside a writer that rotates");
    println!("{told}");
    assert!(logs.rotated_path("rotating", ".3").exists(), "{told}: it has not rotated");
    assert!(runs > 10, "{told}");
    logs.settle();
    logs.judge(&told);
}
