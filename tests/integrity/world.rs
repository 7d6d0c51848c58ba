//! A site whose files are watched, for one test.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cr0sync::Config;
use cr0sync::integrity::{self, CheckOptions};
use cr0sync::report::{IntegrityBaselineReport, IntegrityReport};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Says to the child which configuration it is about, and what to do.
pub(crate) const CHILD: &str = "CR0_INTEGRITY_CHILD";

pub(crate) struct World {
    directory: TempDir,
    pub(crate) config: Config,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(json!({}))
    }

    /// With more in the section `integrity` of the configuration.
    pub(crate) fn with(more: Value) -> World {
        World::in_directory(tempfile::tempdir().unwrap(), more)
    }

    pub(crate) fn in_directory(directory: TempDir, more: Value) -> World {
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let root = directory.path().join("root");
        std::fs::create_dir_all(root.join("shared_storage")).unwrap();
        // A user whom no machine has, so that files are those of whoever runs the test, also where there is a cr0.
        let nobody = json!({ "user": "nobody-of-the-tests" });
        let config = json!({ "version": 1, "root": root, "databases": {}, "logs": {}, "integrity": more, "ownership": nobody });
        std::fs::write(root.join("cr0sync.json"), config.to_string()).unwrap();
        let config = Config::load(Some(&root.join("cr0sync.json")), None).unwrap();
        let world = World { directory, config };
        world.watch(&json!({ "monitored_files": [], "monitored_directories": [world.web()], "ignore_patterns": ["*.log"] }));
        for (name, text) in [
            ("web/auth.php", "<?php // who are you"),
            ("web/index.html", "<h1>hello</h1>"),
            ("web/core/a.php", "<?php // a"),
            ("web/core/b.php", "<?php // b"),
            ("web/data/uploads/picture.png", "png"),
            ("web/data/users.db", "SQLite format 3"),
            ("web/x.log", "not watched"),
        ] {
            world.write(name, text);
        }
        std::os::unix::fs::symlink("a.php", world.path("web/core/link")).unwrap();
        pipe(&world.path("web/data/pipe"), 0o600).unwrap();
        world
    }

    /// Says what is watched.
    pub(crate) fn watch(&self, list: &Value) {
        std::fs::write(&self.config.integrity.config, list.to_string()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn web(&self) -> PathBuf {
        self.path("web")
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn baseline(&self) -> IntegrityBaselineReport {
        integrity::baseline(&self.config, None).unwrap()
    }

    pub(crate) fn check(&self) -> IntegrityReport {
        self.check_with(&CheckOptions::default())
    }

    pub(crate) fn check_with(&self, options: &CheckOptions) -> IntegrityReport {
        let report = integrity::check(&self.config, options).unwrap();
        valid(&report);
        report
    }

    /// The findings, a line each: kind, path below the site, changes.
    pub(crate) fn lines(&self, report: &IntegrityReport) -> String {
        let base = format!("{}/", self.directory.path().display());
        let short = |path: &str| path.replace(&base, "");
        report
            .findings
            .iter()
            .map(|finding| {
                let from =
                    finding.from.as_deref().map(|from| format!(" from {}", short(from))).unwrap_or_default();
                let kind = serde_json::to_value(finding.kind).unwrap();
                let changes = finding.changes.join(",");
                format!("{} {}{from} {changes}\n", kind.as_str().unwrap(), short(&finding.path))
                    .replace(" \n", "\n")
            })
            .collect()
    }

    /// Does something as another user, to whom all of this belongs, in another process; none where we are not root.
    pub(crate) fn as_user(&self, user: u32, what: &str) -> Option<Value> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: only root can become another user");
            return None;
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(CHILD, format!("{what} {}", self.path("root/cr0sync.json").display()))
            .uid(user)
            .gid(user)
            .output()
            .unwrap();
        Some(answer(&output))
    }

    /// What a child is to do.
    pub(crate) fn order(&self, what: &str) -> String {
        format!("{what} {}", self.path("root/cr0sync.json").display())
    }

    /// Begins to do something in another process.
    pub(crate) fn spawn(&self, what: &str) -> std::process::Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(CHILD, self.order(what))
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Gives everything to another user.
    pub(crate) fn give_to(&self, user: u32) {
        let mut waiting = vec![self.directory.path().to_path_buf()];
        while let Some(path) = waiting.pop() {
            let _ = std::os::unix::fs::lchown(&path, Some(user), Some(user));
            if std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
                waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }
}

/// What a child said.
pub(crate) fn answer(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.split_once("answer: "));
    let line = line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(line.1).unwrap()
}

/// Makes a pipe.
pub(crate) fn pipe(path: &Path, mode: u32) -> rustix::io::Result<()> {
    special(path, FileType::Fifo, mode, 0)
}

/// Makes a pipe or device.
pub(crate) fn special(path: &Path, kind: FileType, mode: u32, device: u64) -> rustix::io::Result<()> {
    mknodat(CWD, path, kind, Mode::from_raw_mode(mode), device)
}

/// Every report is valid JSON, and a finding whose path is not shown as it is has it in base64.
fn valid(report: &IntegrityReport) {
    let text = serde_json::to_string(report).unwrap();
    let back: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(back["schema"], 1);
    assert_eq!(back["findings"].as_array().unwrap().len(), report.findings.len());
    assert_eq!(report.ok, report.findings.is_empty());
    assert!(!report.guarantee.is_empty());
    assert!(report.findings.iter().all(|finding| !finding.path.chars().any(char::is_control)));
}

/// What `as_user` asked for.
pub(crate) fn child() {
    let Ok(asked) = std::env::var(CHILD) else { return };
    let (what, path) = asked.rsplit_once(' ').unwrap();
    let config = Config::load(Some(Path::new(path)), None).unwrap();
    let answer = match what {
        "baseline" => integrity::baseline(&config, None).map(|report| serde_json::to_value(report).unwrap()),
        watch if watch.starts_with("watch") => super::watch::child(&config, watch),
        "status" => integrity::status(&config).map(|report| serde_json::to_value(report).unwrap()),
        "run" => cr0sync::security::run(&config).map(|report| serde_json::to_value(report).unwrap()),
        _ => integrity::check(&config, &CheckOptions::default())
            .map(|report| serde_json::to_value(report).unwrap()),
    };
    let answer =
        answer.unwrap_or_else(|error| json!({ "error": error.to_string(), "kind": error.kind().name() }));
    println!("answer: {answer}");
}

/// Writes other bytes of the same length, and puts the modification time back.
pub(crate) fn tamper(path: &Path, text: &str) {
    let before = std::fs::metadata(path).unwrap();
    assert_eq!(before.size(), u64::try_from(text.len()).unwrap());
    std::fs::write(path, text).unwrap();
    let times = std::fs::FileTimes::new().set_modified(before.modified().unwrap());
    std::fs::File::options().write(true).open(path).unwrap().set_times(times).unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().mtime_nsec(), before.mtime_nsec());
}
