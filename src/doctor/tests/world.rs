//! A small installation in a directory of its own, of two real users.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use super::super::*;
use crate::database::{self, Options};
use crate::durable;
use crate::report::DoctorFinding;
use crate::{integrity, security};

pub(super) const MINUTE: i64 = 60;
pub(super) const DAY: i64 = 86_400;
/// What a machine is like is not what these worlds are about.
const OF_MACHINE: [&str; 3] = ["clock", "filesystems", "space"];

pub(super) struct World {
    _directory: TempDir,
    pub(super) root: PathBuf,
    pub(super) config: Config,
    /// So many seconds later.
    pub(super) later: i64,
    pub(super) crontab: String,
    pub(super) held: Vec<Box<dyn std::any::Any>>,
}

pub(super) fn is_possible() -> bool {
    // Only root can make files of other users.
    rustix::process::geteuid().is_root() && durable::Account::named("daemon").is_some()
}

impl World {
    /// A small installation in which nothing was done yet.
    pub(super) fn installed() -> World {
        let directory = tempfile::Builder::new().prefix("doctor").tempdir_in("/tmp").unwrap();
        let root = directory.path().to_path_buf();
        mode(&root, 0o755);
        fs::create_dir(root.join("scripts")).unwrap();
        fs::write(root.join("scripts/database_sync_script.php"), "").unwrap();
        for name in ["databases", "web", "web/data", "shared_storage", "logs", "logs/security"] {
            fs::create_dir(root.join(name)).unwrap();
            give(&root.join(name));
            mode(&root.join(name), 0o2775);
        }
        let list = json!({ "monitored_files": [], "monitored_directories": [root.join("shared_storage")] });
        fs::write(root.join("shared_storage/integrity_config.json"), list.to_string()).unwrap();
        let config = json!({
            "version": 1,
            "databases": { "notes": { "replicas": { "central": "databases/notes.db", "website": "web/data/notes.db" } } },
            "logs": { "bot": { "copies": { "central": "databases/bot.log", "website": "web/data/bot.log" } } },
            "ownership": { "user": "root", "group": "daemon", "website_user": "daemon" },
            "guards": { "busy_timeout_ms": 10, "min_free_percent": 0 },
        });
        let config = Config::parse(config.to_string().as_bytes(), &root, None).unwrap();
        let crontab = block(&root);
        World { _directory: directory, root, config, later: 0, crontab, held: Vec::new() }
    }

    /// One that is as it should be.
    pub(super) fn new() -> World {
        let world = World::installed();
        let rows: Vec<String> = (0..60).map(|number| format!("({number}, 'a')")).collect();
        let rows = format!("INSERT INTO notes VALUES {}", rows.join(","));
        for side in ["central", "website"] {
            world.sql(side, "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)");
            give(&world.file(side));
            mode(&world.file(side), 0o664);
        }
        world.sync();
        world.sql("central", &rows);
        world.sync();
        integrity::baseline(&world.config, None).unwrap();
        security::run(&world.config).unwrap();
        world.cron(0);
        world
    }

    pub(super) fn file(&self, side: &str) -> PathBuf {
        self.config.databases["notes"].replicas[side].clone()
    }

    pub(super) fn sql(&self, side: &str, text: &str) {
        Connection::open(self.file(side)).unwrap().execute_batch(text).unwrap();
    }

    pub(super) fn sync(&self) {
        database::sync(&self.config, &Options::default()).unwrap();
    }

    /// What the cron scripts write down of a run.
    pub(super) fn cron(&self, code: i64) {
        let place = self.root.join("sync_state/cron");
        fs::create_dir_all(&place).unwrap();
        let now = Now::read().unix + self.later;
        for job in stamps::JOBS {
            fs::write(place.join(job), format!("cr0sync cron 1\nlast_run={now}\nlast_exit={code}\n"))
                .unwrap();
        }
    }

    pub(super) fn look(&self) -> DoctorReport {
        let script = Some(self.root.join("scripts/database_sync_script.php"));
        let shell = Shell { crontab: Some(self.crontab.clone()), script, ..Shell::default() };
        let mut now = Now::read();
        now.unix += self.later;
        examine_at(&self.config, &shell, &now)
    }

    /// What is not as it should be.
    pub(super) fn wrong(&self) -> Vec<DoctorFinding> {
        let all = self.look().findings.into_iter();
        all.filter(|one| one.state != DoctorState::Ok && !OF_MACHINE.contains(&one.check)).collect()
    }

    /// Whether the user of the pages really can write a side.
    pub(super) fn pages_can_write(&self, side: &str) -> bool {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=daemon", "--regid=daemon", "--clear-groups", "sh", "-c"]);
        command.arg("exec 3<>\"$0\" && : >\"$0-try\" && rm \"$0-try\"").arg(self.file(side));
        command.output().unwrap().status.success()
    }
}

/// What the table of cron has of ours.
pub(super) fn block(root: &Path) -> String {
    let root = root.display();
    let call = |script: &str| format!("* * * * * '{root}/{script}.sh'\n");
    let calls = ["cron_sync_databases", "cron_sync_logs", "cron_security_monitoring"].map(call).concat();
    format!("# BEGIN cr0sync {root}\n{calls}# END cr0sync {root}\n")
}

pub(super) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(super) fn give(path: &Path) {
    let group = durable::group_numbered("daemon");
    std::os::unix::fs::chown(path, Some(0), group).unwrap();
}

/// Does what a finding says, where that is a command.
pub(super) fn obey(finding: &DoctorFinding) {
    let remedy = finding.remedy.clone().unwrap();
    let command = remedy.strip_prefix("as root: ").unwrap_or_else(|| panic!("no command: {finding:?}"));
    let done = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(done.status.success(), "{command}: {done:?}");
}
