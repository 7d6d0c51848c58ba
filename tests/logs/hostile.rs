//! What should not lie in a log's place, what is in a log and should not be, and what may not be read or written. Whoever
//! looks at the report is told in words, the other logs are merged by the same run, and once it is mended nothing is
//! missing.
//!
//! Apart from `same_file`, which is about files that are there twice, and `full`, which is about room.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use serde_json::{Value, json};

use super::deaths::as_runner;
use super::verdict::Verdict;
use super::world::{Logs, MIRROR, append};
use crate::common::disk::Disk;
use crate::trace::User;

/// What a user is told of a log that something is wrong with.
fn told_of(report: &Value, name: &str) -> String {
    let log = &report["logs"][name];
    let mut words: Vec<&str> = log["reason"].as_str().into_iter().collect();
    words.extend(log["warnings"].as_array().unwrap().iter().map(|warning| warning.as_str().unwrap()));
    words.join("\n")
}

/// What lies in a place, and what it is called. False where it cannot be made here.
type Thing = (&'static str, fn(&Path, &Path) -> bool, &'static str);

const THINGS: &[Thing] = &[
    ("a symlink", |path, away| symlink(away, path).is_ok(), "is a symlink"),
    ("a hard link", |path, away| fs::hard_link(away, path).is_ok(), "more names than one"),
    ("a FIFO", |path, _| run("mkfifo", &[path]), "is no regular file"),
    ("a directory", |path, _| fs::create_dir(path).is_ok(), "is a directory"),
    ("a device", |path, _| run_with("mknod", path, &["c", "1", "5"]), "is no regular file"),
    ("a socket", |path, _| std::os::unix::net::UnixListener::bind(path).is_ok(), "is no regular file"),
];

fn run(program: &str, paths: &[&Path]) -> bool {
    Command::new(program).args(paths).status().is_ok_and(|status| status.success())
}

fn run_with(program: &str, path: &Path, arguments: &[&str]) -> bool {
    Command::new(program).arg(path).args(arguments).status().is_ok_and(|status| status.success())
}

/// Everybody has lines; then there is something new for all, and for another log.
fn begun() -> Logs {
    let logs = Logs::new(&["bot", "other"]);
    logs.add("bot", 50);
    logs.add("other", 50);
    logs.settle();
    let logs = logs.with_log_apart();
    logs.add("bot", 10);
    logs.add("other", 10);
    logs
}

/// Runs while something is wrong at a side, and when it is mended.
fn live_with(logs: &Logs, told: &str, side: &str, words: &str, mend: impl FnOnce()) {
    for _ in 0..3 {
        let report = logs.run();
        let said = told_of(&report, "x");
        let (word, at) = (said.contains(words), said.contains(logs.directory(side).to_str().unwrap()));
        assert!(word && at, "{told}: {report:#}");
        logs.judge_apart(told);
    }
    mend();
    logs.add("bot", 10);
    logs.settle();
    logs.judge(told);
    logs.judge_sources(told);
}

#[test]
fn what_is_no_log_is_left_alone() {
    for (thing, make, words) in THINGS {
        for side in ["bot", MIRROR, "central"] {
            let logs = begun();
            let (path, away) = (logs.path(side), logs.directory(side).join("away"));
            fs::rename(&path, &away).unwrap();
            if !make(&path, &away) {
                println!("skipped: {thing} cannot be made here");
                continue;
            }
            live_with(&logs, &format!("{thing} at {side}"), side, words, || {
                let is_directory = fs::symlink_metadata(&path).unwrap().is_dir();
                let remove = if is_directory { fs::remove_dir } else { fs::remove_file };
                remove(&path).unwrap();
                fs::rename(&away, &path).unwrap();
            });
        }
    }
}

/// Nor is it read where it lies beside the log, with the name of a rotated one.
#[test]
fn what_is_no_log_is_no_rotated_log() {
    let logs = begun();
    let secret = logs.root().join("secret");
    fs::write(&secret, "not for the archive\n").unwrap();
    symlink(&secret, logs.rotated_path("bot", ".1")).unwrap();
    assert!(run("mkfifo", &[&logs.rotated_path("bot", ".2")]));
    fs::create_dir(logs.rotated_path("bot", ".3")).unwrap();
    fs::hard_link(&secret, logs.rotated_path("bot", ".4")).unwrap();
    let report = logs.run();
    for number in 1..=4 {
        let path = logs.rotated_path("bot", &format!(".{number}"));
        assert!(told_of(&report, "x").contains(path.to_str().unwrap()), "{number}: {report:#}");
    }
    logs.judge_apart("beside");
    assert!(fs::symlink_metadata(logs.rotated_path("bot", ".2")).unwrap().file_type().is_fifo());
    for number in [1, 2, 4] {
        fs::remove_file(logs.rotated_path("bot", &format!(".{number}"))).unwrap();
    }
    fs::remove_dir(logs.rotated_path("bot", ".3")).unwrap();
    logs.settle();
    logs.judge("beside");
    logs.judge_sources("beside");
}

#[test]
fn a_directory_that_is_not_there_empties_nothing() {
    for side in ["bot", MIRROR] {
        let logs = begun();
        let away = logs.root().join("away");
        fs::rename(logs.directory(side), &away).unwrap();
        live_with(&logs, &format!("{side} not mounted"), side, "a mount may be missing", || {
            fs::rename(&away, logs.directory(side)).unwrap();
        });
    }
}

/// Its directory is made, as at the first run; then the file system is there again, with what it had.
#[test]
fn an_archive_that_is_not_mounted_is_not_made_anew() {
    let logs = begun();
    let away = logs.root().join("away");
    fs::rename(logs.directory("central"), &away).unwrap();
    logs.run();
    logs.judge_apart("not mounted");
    let _ = fs::remove_dir_all(logs.directory("central"));
    fs::rename(&away, logs.directory("central")).unwrap();
    logs.add("bot", 10);
    logs.settle();
    let found = logs.written.borrow().judge(&logs.archive());
    assert_eq!((found.lost, found.twice, found.torn), (0, 0, 0), "{found:?}");
}

/// What no text has, and what no line ends with.
#[test]
fn bytes_are_as_they_are() {
    let logs = Logs::new(&["bot", "other"]);
    for text in [
        "\u{feff}byte order mark\r\n".as_bytes(),
        b"\n\n\n",
        b"\0\0\0\n",
        b"\xff\xfe invalid \xc3\x28 \xed\xa0\x80\n",
        b"\r\r\n\x1b[31m\x07\x7f\n",
        b"$(reboot) `reboot` ; reboot\n%s%n\n",
    ] {
        logs.add_text("bot", text);
        logs.add("other", 1);
        logs.merge();
    }
    let all: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').chain(*b"\n").collect();
    logs.add_text("bot", &all);
    logs.settle();
    logs.judge("bytes");
    logs.judge_sources("bytes");
}

/// 200 MB without an end, and then with one; by a process that may not have so much memory.
#[test]
fn a_line_may_be_long() {
    const SIZE: usize = 200_000_000;
    let logs = Logs::new(&["bot"]);
    logs.add("bot", 3);
    logs.merge();
    let mut line = vec![b'x'; SIZE];
    line.push(b'\n');
    logs.note("bot", &line);
    let mut file = logs.open("bot");
    file.write_all(&line[..SIZE]).unwrap();
    let merge = || {
        let mut command = Command::new("sh");
        let script = "ulimit -v 180000; exec \"$0\" \"$@\"";
        let command = command.args(["-c", script]).arg(std::env::current_exe().unwrap());
        let out = as_runner(command, &logs.config_file()).output().unwrap();
        let words = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(words.contains("\"ok\":true"), "{words}");
    };
    merge();
    assert!(logs.archive().len() < 1000, "a part of a line was taken");
    file.write_all(&line[SIZE..]).unwrap();
    drop(line);
    merge();
    logs.add("bot", 3);
    merge();
    logs.settle();
    logs.judge("long");
}

#[test]
fn a_name_may_have_any_character() {
    for name in ["x\ny", "x y", "-x", "x'\"$(y)", "x\u{202e}\t\x07", "*?[", "x\\n"] {
        let mut logs = Logs::new(&["bot", "other"]);
        for side in logs.sides() {
            logs.json["logs"]["x"]["copies"][&side] = json!(logs.file(&side, name));
        }
        let file = |side: &str, end: &str| PathBuf::from(format!("{}{end}", logs.file(side, name).display()));
        for round in 0..3 {
            for side in ["bot", "other"] {
                append(&file(side, "")).write_all(logs.line(side).as_bytes()).unwrap();
            }
            logs.merge();
            fs::rename(file("bot", ""), file("bot", &format!(".2025-01-0{}", round + 1))).unwrap();
        }
        append(&file("bot", "")).write_all(logs.line("bot").as_bytes()).unwrap();
        logs.settle();
        let found = logs.written.borrow().judge(&fs::read(file("central", "")).unwrap());
        assert_eq!(found, Verdict::default(), "{name:?}");
        let status = cr0sync::logs::status(&logs.config(), &cr0sync::logs::Options::default()).unwrap();
        assert!(status.ok, "{name:?}: {status:#?}");
    }
}

/// A user by number who owns everything but what a test takes away.
const NOBODY: u32 = 4001;

pub(crate) fn give(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path());
        }
    }
}

/// A run of somebody who is not root.
pub(crate) fn run_as_nobody(logs: &Logs) -> Value {
    let user = User { uid: NOBODY, gid: NOBODY, groups: vec![NOBODY] };
    let out = as_runner(&mut user.command(std::env::current_exe().unwrap()), &logs.config_file())
        .spawn()
        .and_then(Child::wait_with_output)
        .unwrap();
    let words = String::from_utf8_lossy(&out.stdout).into_owned();
    let report = words.lines().find_map(|line| line.strip_prefix("report "));
    serde_json::from_str(report.unwrap_or_else(|| panic!("{words}"))).unwrap()
}

#[test]
fn what_may_not_be_read_or_written_is_told() {
    if !is_root() {
        println!("skipped: only root can be somebody else");
        return;
    }
    // A file of root's with this mode, at this side.
    for (side, mode) in [("bot", 0o600), ("central", 0o444), ("central", 0o600), (MIRROR, 0o444)] {
        let told = format!("{mode:o} at {side}");
        let mut logs = Logs::new(&["bot", "other"]);
        logs.json["ownership"] = json!({ "user": "cr0sync-test-nobody", "group": "cr0sync-test-nobody" });
        logs.add("bot", 50);
        logs.add("other", 50);
        let above = logs.root().parent().unwrap().to_path_buf();
        fs::set_permissions(&above, fs::Permissions::from_mode(0o755)).unwrap();
        give(&above);
        assert_eq!(run_as_nobody(&logs)["ok"], json!(true), "{told}");
        let logs = logs.with_log_apart();
        logs.add("bot", 10);
        logs.add("other", 10);
        give(&above);
        let path = logs.path(side);
        chown(&path, Some(0), Some(0)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for _ in 0..3 {
            let report = run_as_nobody(&logs);
            let said = told_of(&report, "x");
            let (word, at) = (said.contains("may not"), said.contains(path.to_str().unwrap()));
            assert!(word && at, "{told}: {report:#}");
            logs.judge_apart(&told);
        }
        give(&above);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        logs.add("bot", 10);
        for _ in 0..6 {
            assert_eq!(run_as_nobody(&logs)["ok"], json!(true), "{told}");
        }
        logs.settle();
        logs.judge(&told);
        logs.judge_sources(&told);
    }
}

/// It is there, and so nobody is told that a mount is missing.
#[test]
fn a_directory_that_may_not_be_passed_is_told() {
    if !is_root() {
        println!("skipped: only root can be somebody else");
        return;
    }
    let mut logs = Logs::new(&["bot", "other"]);
    let (above, deep) = (logs.root().parent().unwrap().to_path_buf(), logs.directory("bot").join("deep"));
    fs::create_dir(&deep).unwrap();
    logs.json["ownership"] = json!({ "user": "cr0sync-test-nobody", "group": "cr0sync-test-nobody" });
    logs.json["logs"]["x"]["copies"]["bot"] = json!(deep.join("x.log"));
    append(&deep.join("x.log")).write_all(logs.line("bot").as_bytes()).unwrap();
    fs::set_permissions(&above, fs::Permissions::from_mode(0o755)).unwrap();
    give(&above);
    chown(logs.directory("bot"), Some(0), Some(0)).unwrap();
    fs::set_permissions(logs.directory("bot"), fs::Permissions::from_mode(0o700)).unwrap();
    let said = told_of(&run_as_nobody(&logs), "x");
    let (word, at) =
        (said.contains("may not be looked at by this user"), said.contains(deep.to_str().unwrap()));
    assert!(word && at && !said.contains("mount"), "{said}");
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// A file system that may only be read, as one that has errors becomes.
#[test]
fn an_archive_that_may_only_be_read_is_told() {
    for side in ["central", MIRROR] {
        let logs = begun();
        let Some(_disk) = Disk::mount(&logs.directory(side), 1 << 20) else { return };
        let remount = |how: &str| {
            run_with(
                "mount",
                Path::new("-o"),
                &[&format!("remount,{how}"), logs.directory(side).to_str().unwrap()],
            )
        };
        assert!(remount("ro"));
        live_with(&logs, &format!("{side} read-only"), side, "Read-only", || assert!(remount("rw")));
    }
}

/// More rotated files than a process may have open. It lets itself have more where it may; where it may not, none of them
/// is passed over, and the log waits.
#[test]
fn there_may_be_more_rotated_files_than_may_be_open() {
    for (limit, is_enough) in [("ulimit -S -n 256", true), ("ulimit -n 256", false)] {
        for side in ["bot", "central"] {
            let told = format!("{limit}, at {side}");
            let logs = Logs::new(&["bot", "other"]).with_log_apart();
            logs.add("other", 5);
            for number in (1..=3000).rev() {
                append(&logs.rotated_path(side, &format!(".{number}")))
                    .write_all(logs.line(side).as_bytes())
                    .unwrap();
            }
            let mut command = Command::new("sh");
            let command = command.args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")]);
            let command = command.arg(std::env::current_exe().unwrap());
            let out = as_runner(command, &logs.config_file()).output().unwrap();
            let words = String::from_utf8_lossy(&out.stdout).into_owned();
            let report: Value = words
                .lines()
                .find_map(|line| line.strip_prefix("report "))
                .map_or_else(|| panic!("{told}: {words}"), |report| serde_json::from_str(report).unwrap());
            logs.judge_apart(&told);
            if !is_enough {
                let why = told_of(&report, "x");
                assert_eq!(report["logs"]["x"]["state"], "failed", "{told}: {report:#}");
                assert!(why.contains("Too many open files") && why.contains("ulimit"), "{told}: {why}");
                let size = |side| fs::metadata(logs.path(side)).map_or(0, |file| file.len());
                assert_eq!((size("central"), size(MIRROR)), (0, 0), "{told}: something was merged");
            } else {
                assert_eq!(report["ok"], json!(true), "{told}: {report:#}");
            }
            logs.settle();
            let found = logs.written.borrow().judge(&logs.archive());
            assert_eq!(found, Verdict::default(), "{told}");
        }
    }
}

/// A packed file of a source that is broken: its lines are in nobody's hands, and that is told until somebody sees to it.
#[test]
fn a_packed_file_that_is_broken_is_told_as_long_as_it_lies_there() {
    for mend in ["moved away", "whole again", "whole again, and younger"] {
        let logs = Logs::new(&["bot"]);
        let packed = PathBuf::from(format!("{}.gz", logs.rotated_path("bot", ".1").display()));
        logs.add("bot", 20);
        logs.rename("bot", ".1");
        super::world::pack(&logs.rotated_path("bot", ".1"));
        let (whole, at) = (fs::read(&packed).unwrap(), fs::metadata(&packed).unwrap().modified().unwrap());
        let put = |bytes: &[u8]| {
            fs::write(&packed, bytes).unwrap();
            fs::File::options().write(true).open(&packed).unwrap().set_modified(at).unwrap();
        };
        put(&whole[..whole.len() / 2]);
        logs.add("bot", 5);
        let status = || {
            cr0sync::logs::status(&logs.config(), &cr0sync::logs::Options::default()).unwrap().logs["x"]
                .clone()
        };
        for round in 0..6 {
            if round > 2 {
                logs.add("bot", 1);
            }
            let report = logs.merge();
            assert!(told_of(&report, "x").contains(packed.to_str().unwrap()), "{round}: {report:#}");
            let found = status();
            assert_eq!(found.problems.len(), 1, "{round}: {found:#?}");
            assert!(found.problems[0].message.contains(packed.to_str().unwrap()), "{round}: {found:#?}");
        }
        match mend {
            // Whoever has no whole one says so.
            "moved away" => {
                fs::rename(&packed, logs.root().join("away")).unwrap();
                fs::write(logs.rotated_path("bot", ".1"), "").unwrap();
            }
            "whole again" => put(&whole),
            _ => fs::write(&packed, &whole).unwrap(),
        }
        logs.settle();
        logs.rename("bot", ".0");
        logs.add("bot", 5);
        logs.settle();
        assert_eq!(status().problems, []);
        let found = logs.written.borrow().judge(&logs.archive());
        let lost = if mend == "moved away" { 20 } else { 0 };
        assert_eq!((found.lost, found.twice, found.torn), (lost, 0, 0), "{mend}: {found:?}");
    }
}

#[test]
fn a_directory_that_is_made_for_an_archive_is_named_once() {
    let mut logs = Logs::new(&["bot"]);
    let directory = logs.directory("elsewhere").join("deep");
    logs.json["logs"]["x"]["copies"]["central"] = json!(directory.join("x.log"));
    logs.add("bot", 5);
    let foretold = cr0sync::logs::Options { dry_run: true, ..Default::default() };
    cr0sync::logs::merge(&logs.config(), &foretold).unwrap();
    assert!(!directory.exists());
    let report = logs.merge();
    let words = told_of(&report, "x");
    assert!(words.contains(directory.to_str().unwrap()) && words.contains("was made"), "{report:#}");
    for _ in 0..2 {
        assert_eq!(told_of(&logs.merge(), "x"), "");
    }
}
