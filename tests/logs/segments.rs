//! Rotated files of the archive that somebody else removes or replaces while a copy has not got all of them: where the others
//! lie in the archive cannot be told by their lengths any more, and nobody gets the wrong lines.
//!
//! Apart from `lost_archive`, where what was merged is gone at its end as well.

use std::fs;
use std::path::{Path, PathBuf};

use cr0sync::logs::{self, Options};
use serde_json::{Value, json};

use super::world::{Logs, NAME, pack, read};

/// Three rotated files; the bot has got nothing of the second one that others wrote, and could get it now.
fn lagging(rotate: Value) -> (Logs, Vec<PathBuf>) {
    let logs = Logs::new(&["bot", "other"]).rotated(rotate);
    let turn = || {
        let report = logs::rotate(&logs.config(), &Options { force: true, ..Options::default() }).unwrap();
        assert_eq!(report.exit_code(), 0, "{report:#?}");
    };
    logs.add("bot", 20);
    logs.add("other", 30);
    logs.settle();
    turn();
    logs.add("bot", 10);
    logs.add("other", 10);
    let line = logs.line("bot");
    let (half, rest) = line.split_at(20);
    std::io::Write::write_all(&mut logs.open("bot"), half.as_bytes()).unwrap();
    turn();
    logs.add("other", 10);
    turn();
    logs.add("other", 5);
    std::io::Write::write_all(&mut logs.open("bot"), rest.as_bytes()).unwrap();
    let mut files: Vec<PathBuf> = fs::read_dir(logs.directory("central"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| *path != logs.path("central"))
        .collect();
    files.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    assert_eq!(files.len(), 3);
    (logs, files)
}

/// Other lines, as many bytes as there were, or some more.
fn replace(path: &Path, more: usize) {
    let at = fs::metadata(path).unwrap().modified().unwrap();
    let length = read(path).len();
    let text: String = (0..length + more).map(|n| if n % 50 == 49 { '\n' } else { 'x' }).collect();
    let plain = path.with_extension("");
    let is_packed = path.extension().is_some_and(|end| end == "gz");
    fs::write(if is_packed { &plain } else { path }, text).unwrap();
    if is_packed {
        fs::remove_file(path).unwrap();
        pack(&plain);
    }
    fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

/// What is done to a file.
type Change = (&'static str, fn(&Path));

#[test]
fn nobody_gets_lines_of_another_place() {
    let changes: [Change; 3] = [
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("replaced", |path| replace(path, 0)),
        ("replaced by a longer one", |path| replace(path, 70)),
    ];
    for rotate in [json!({}), json!({"compress": false})] {
        for (change, make) in changes {
            let told = format!("{change}, {rotate}");
            let (logs, files) = lagging(rotate.clone());
            // The end that is on record lies in the third.
            let file = &files[1];
            let away = logs.root().join("away");
            fs::copy(file, &away).unwrap();
            let at = fs::metadata(file).unwrap().modified().unwrap();
            make(file);
            let before = fs::read(logs.path("bot")).unwrap();
            for _ in 0..2 {
                let report = logs.run();
                let warnings = report["logs"][NAME]["warnings"].to_string();
                assert!(warnings.contains("bot is passed over"), "{told}: {report:#}");
            }
            assert!(fs::read(logs.path("bot")).unwrap() == before, "{told}: wrong lines");
            let report = logs::verify(&logs.config(), &Options::default()).unwrap();
            assert!(report.logs[NAME].first_bad.is_some(), "{told}: {report:#?}");
            fs::copy(&away, file).unwrap();
            fs::File::options().write(true).open(file).unwrap().set_modified(at).unwrap();
            logs.settle();
            logs.judge(&told);
            logs.judge_sources(&told);
        }
    }
}
