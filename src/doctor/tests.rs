//! Broken worlds: each finding appears, and is gone when what it says is done.
//!
//! Root is the cron user here, and `daemon` a real user for the website's pages; only root can make such a world.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use serde_json::{Map, json};
use tempfile::TempDir;

use super::*;
use crate::database::{self, Force, Options, Request};
use crate::durable::{self, Lock};
use crate::report::DoctorFinding;
use crate::{integrity, security};

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;
/// What a machine is like is not what these worlds are about.
const OF_MACHINE: [&str; 3] = ["clock", "filesystems", "space"];

struct World {
    _directory: TempDir,
    root: PathBuf,
    config: Config,
    /// So many seconds later.
    later: i64,
    crontab: String,
    held: Vec<Box<dyn std::any::Any>>,
}

fn is_possible() -> bool {
    // Only root can make files of other users.
    rustix::process::geteuid().is_root() && durable::Account::named("daemon").is_some()
}

impl World {
    /// A small installation in which nothing was done yet.
    fn installed() -> World {
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
    fn new() -> World {
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

    fn file(&self, side: &str) -> PathBuf {
        self.config.databases["notes"].replicas[side].clone()
    }

    fn sql(&self, side: &str, text: &str) {
        Connection::open(self.file(side)).unwrap().execute_batch(text).unwrap();
    }

    fn sync(&self) {
        database::sync(&self.config, &Options::default()).unwrap();
    }

    /// What the cron scripts write down of a run.
    fn cron(&self, code: i64) {
        let place = self.root.join("sync_state/cron");
        fs::create_dir_all(&place).unwrap();
        let now = Now::read().unix + self.later;
        for job in stamps::JOBS {
            fs::write(place.join(job), format!("cr0sync cron 1\nlast_run={now}\nlast_exit={code}\n"))
                .unwrap();
        }
    }

    fn look(&self) -> DoctorReport {
        let script = Some(self.root.join("scripts/database_sync_script.php"));
        let shell = Shell { crontab: Some(self.crontab.clone()), script, ..Shell::default() };
        let mut now = Now::read();
        now.unix += self.later;
        examine_at(&self.config, &shell, &now)
    }

    /// What is not as it should be.
    fn wrong(&self) -> Vec<DoctorFinding> {
        let all = self.look().findings.into_iter();
        all.filter(|one| one.state != DoctorState::Ok && !OF_MACHINE.contains(&one.check)).collect()
    }

    /// Whether the user of the pages really can write a side.
    fn pages_can_write(&self, side: &str) -> bool {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=daemon", "--regid=daemon", "--clear-groups", "sh", "-c"]);
        command.arg("exec 3<>\"$0\" && : >\"$0-try\" && rm \"$0-try\"").arg(self.file(side));
        command.output().unwrap().status.success()
    }
}

/// What the table of cron has of ours.
fn block(root: &Path) -> String {
    let root = root.display();
    let call = |script: &str| format!("* * * * * '{root}/{script}.sh'\n");
    let calls = ["cron_sync_databases", "cron_sync_logs", "cron_security_monitoring"].map(call).concat();
    format!("# BEGIN cr0sync {root}\n{calls}# END cr0sync {root}\n")
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn give(path: &Path) {
    let group = durable::group_numbered("daemon");
    std::os::unix::fs::chown(path, Some(0), group).unwrap();
}

/// Does what a finding says, where that is a command.
fn obey(finding: &DoctorFinding) {
    let remedy = finding.remedy.clone().unwrap();
    let command = remedy.strip_prefix("as root: ").unwrap_or_else(|| panic!("no command: {finding:?}"));
    let done = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(done.status.success(), "{command}: {done:?}");
}

#[test]
fn a_world_that_is_well_has_no_finding() {
    if !is_possible() {
        return;
    }
    let world = World::new();
    let report = world.look();
    assert_eq!(world.wrong(), []);
    let checks: std::collections::BTreeSet<&str> = report.findings.iter().map(|one| one.check).collect();
    let all = [
        "access",
        "backups",
        "clock",
        "conflicts",
        "cron",
        "databases",
        "filesystems",
        "locks",
        "logs",
        "queue",
        "scripts",
        "security",
        "space",
        "sqlite",
        "state",
        "versions",
    ];
    assert_eq!(checks.into_iter().collect::<Vec<_>>(), all);
}

#[test]
fn rights_that_are_missing_are_told_with_the_command_that_gives_them() {
    if !is_possible() {
        return;
    }
    let world = World::new();
    let other = durable::group_numbered("daemon").unwrap() + 1;
    let journal = |side: &str| PathBuf::from(format!("{}-journal", world.file(side).display()));
    type Breaks<'a> = Box<dyn Fn() + 'a>;
    let table: Vec<(&str, DoctorState, &str, Option<&str>, Breaks<'_>)> = vec![
        (
            "access",
            DoctorState::Problem,
            "make files in it",
            Some("website"),
            Box::new(|| mode(&world.root.join("web/data"), 0o2755)),
        ),
        (
            "access",
            DoctorState::Problem,
            "go through it",
            Some("website"),
            Box::new(|| mode(&world.root.join("web"), 0o2700)),
        ),
        (
            "access",
            DoctorState::Problem,
            "read and write it",
            Some("central"),
            Box::new(|| mode(&world.file("central"), 0o600)),
        ),
        (
            "access",
            DoctorState::Problem,
            "read and write it",
            Some("central"),
            Box::new(|| {
                std::os::unix::fs::chown(world.file("central"), None, Some(other)).unwrap();
                mode(&world.file("central"), 0o660);
            }),
        ),
        (
            "access",
            DoctorState::Problem,
            "read and write it",
            None,
            Box::new(|| {
                fs::write(journal("website"), "").unwrap();
                mode(&journal("website"), 0o600);
            }),
        ),
        (
            "state",
            DoctorState::Warning,
            "everybody",
            None,
            Box::new(|| mode(&world.root.join("sync_state"), 0o3775)),
        ),
        (
            "state",
            DoctorState::Problem,
            "their group may not use it",
            None,
            Box::new(|| mode(&world.root.join("sync_state"), 0o3750)),
        ),
    ];
    for (check, state, word, shut, breaks) in table {
        breaks();
        let all = world.wrong();
        let [one] = &all[..] else { panic!("{word}: {all:?}") };
        assert!(one.check == check && one.state == state && one.what.contains(word), "{one:?}");
        if let Some(side) = shut {
            assert!(!world.pages_can_write(side), "{one:?}");
        }
        obey(one);
        assert_eq!(world.wrong(), [], "{word}");
        for side in ["central", "website"] {
            assert!(world.pages_can_write(side), "{word}");
        }
    }
}

/// One broken world: what breaks it, what is said (check, state, words of it and of what to do), and what mends it.
type Broken = (fn(&mut World), (&'static str, DoctorState, &'static str, &'static str), fn(&mut World));

const BROKEN: [Broken; 26] = [
    (
        |world| mode(&world.root.join("scripts"), 0o777),
        ("scripts", DoctorState::Problem, "pages (daemon) may write here", "chmod +t "),
        |world| mode(&world.root.join("scripts"), 0o755),
    ),
    (
        |world| mode(&world.root.join("logs/security"), 0o755),
        (
            "access",
            DoctorState::Problem,
            "daemon cannot make files in it (mode 755), and so not use the events",
            "g+rwx",
        ),
        |world| mode(&world.root.join("logs/security"), 0o2775),
    ),
    (
        |world| mode(&world.root.join("sync_state"), 0o2770),
        ("state", DoctorState::Problem, "mode 2770, and should be 3770", "chmod 3770"),
        |world| mode(&world.root.join("sync_state"), 0o3770),
    ),
    (
        |world| {
            fs::write(world.root.join("cron.env"), "PHP=/usr/bin/php\n").unwrap();
            mode(&world.root.join("cron.env"), 0o664);
        },
        ("cron", DoctorState::Problem, "do not read it", "chmod 644"),
        |world| fs::remove_file(world.root.join("cron.env")).unwrap(),
    ),
    (
        |world| {
            fs::write(world.root.join("cron.env"), "WEB=/nowhere\nMETRICS=/nowhere/metrics\n").unwrap();
            mode(&world.root.join("cron.env"), 0o644);
        },
        (
            "cron",
            DoctorState::Problem,
            "metrics are to be written there, and it is not there",
            "install -d -o root",
        ),
        |world| fs::remove_file(world.root.join("cron.env")).unwrap(),
    ),
    (
        |world| fs::create_dir(world.root.join("logs/cron_security.log")).unwrap(),
        ("cron", DoctorState::Problem, "no regular file", "move it away"),
        |world| fs::remove_dir(world.root.join("logs/cron_security.log")).unwrap(),
    ),
    (
        |world| world.config.alerts.command = Some(vec!["/nowhere/tell".to_owned()]),
        ("alerts", DoctorState::Problem, "is not there", "under alerts"),
        |world| world.config.alerts.command = None,
    ),
    (
        |world| {
            fs::write(world.root.join("shared_storage/new"), "x").unwrap();
            integrity::check(&world.config, &integrity::CheckOptions::default()).unwrap();
        },
        ("security", DoctorState::Problem, "1 finding in the last check", "accept PATH"),
        |world| {
            fs::remove_file(world.root.join("shared_storage/new")).unwrap();
            integrity::check(&world.config, &integrity::CheckOptions::default()).unwrap();
        },
    ),
    (
        |world| fs::rename(world.root.join("web/data"), world.root.join("web/away")).unwrap(),
        ("access", DoctorState::Warning, "not there", "install -d -o root -g daemon -m 2775"),
        |world| fs::rename(world.root.join("web/away"), world.root.join("web/data")).unwrap(),
    ),
    (
        |world| world.config.ownership.website_user = "nobody-there".to_owned(),
        ("access", DoctorState::Warning, "no user nobody-there", "website_user"),
        |world| world.config.ownership.website_user = "daemon".to_owned(),
    ),
    (
        |world| fs::rename(world.root.join("sync_state"), world.root.join("away")).unwrap(),
        ("state", DoctorState::Warning, "nothing is remembered yet", "bidirectional"),
        |world| fs::rename(world.root.join("away"), world.root.join("sync_state")).unwrap(),
    ),
    (
        |world| {
            world.crontab = "* * * * * true\n".replace("true", "false")
                + "# BEGIN cr0sync "
                + &world.root.display().to_string()
        },
        ("cron", DoctorState::Problem, "half of our block", "crontab -e"),
        |world| world.crontab = block(&world.root),
    ),
    (|world| world.cron(2), ("cron", DoctorState::Problem, "ended with 2", "tail"), |world| world.cron(0)),
    (
        |world| world.later = 20 * MINUTE,
        ("cron", DoctorState::Problem, "ran last 20 minutes ago", "test_cron_scripts.sh"),
        |world| world.later = 0,
    ),
    (
        |world| world.later = 2 * DAY,
        ("databases", DoctorState::Problem, "notes was synced last at", "bidirectional"),
        |world| world.later = 0,
    ),
    (
        |world| {
            world.sql("central", "UPDATE notes SET text = 'b' WHERE id = 1");
            let busy = Connection::open(world.file("website")).unwrap();
            busy.execute_batch("BEGIN EXCLUSIVE").unwrap();
            world.sync();
            drop(busy);
            world.later = 2 * 3600;
        },
        (
            "databases",
            DoctorState::Warning,
            "notes:website has missed 1 merge, and does not catch up",
            "bidirectional",
        ),
        |world| {
            world.later = 0;
            world.sync();
        },
    ),
    (
        |world| {
            world.sql("website", "DELETE FROM notes");
            world.sync();
        },
        ("databases", DoctorState::Problem, "notes waits for a person", "--force"),
        |world| {
            let force = Options { force: Force::Yes, ..Options::default() };
            database::sync(&world.config, &force).unwrap();
        },
    ),
    (
        |world| {
            fs::write(world.file("website"), "x".repeat(5000)).unwrap();
            world.sync();
        },
        ("databases", DoctorState::Problem, "notes:website is not synced", "mend that"),
        |world| {
            fs::remove_file(world.file("website")).unwrap();
            world.sync();
        },
    ),
    (
        |world| {
            world.sql("central", "INSERT OR REPLACE INTO notes VALUES (7, 'c')");
            world.sync();
            world.sql("central", "UPDATE notes SET text = 'd' WHERE id = 7");
            world.sql("website", "UPDATE notes SET text = 'e' WHERE id = 7");
            world.sync();
            world.later = 8 * DAY;
        },
        (
            "conflicts",
            DoctorState::Warning,
            "conflicts of notes are open for more than a week",
            "acknowledge ",
        ),
        |world| {
            let all = database::conflicts(&world.config, &Options::default()).unwrap().conflicts;
            let ids: Vec<String> = all.into_iter().map(|one| one.id).collect();
            database::acknowledge(&world.config, &ids, database::Mode::Apply).unwrap();
        },
    ),
    (
        |world| {
            world.later = 11 * MINUTE;
            database::enqueue(&world.config, &Request::new("backup", Map::new(), "page").unwrap()).unwrap();
        },
        ("queue", DoctorState::Warning, "1 requests of pages wait", "bidirectional"),
        |world| {
            database::work_queue(&world.config).unwrap();
        },
    ),
    (
        |world| {
            fs::remove_dir_all(world.root.join("databases/backups")).unwrap();
            for entry in fs::read_dir(world.root.join("databases")).unwrap().flatten() {
                if entry.file_name().to_string_lossy().starts_with("notes.db.") {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
        },
        ("backups", DoctorState::Warning, "notes has no backup", "backup --database notes"),
        |world| {
            database::backup(&world.config, &Options::default()).unwrap();
        },
    ),
    (
        |world| {
            let backups = database::backups(&world.config, &Options::default()).unwrap().backups;
            let path = &backups.iter().find(|one| one.side == "website").unwrap().path;
            let mut bytes = fs::read(path).unwrap();
            bytes.push(0);
            fs::write(path, bytes).unwrap();
        },
        (
            "backups",
            DoctorState::Warning,
            "notes:website was touched since it was verified",
            "backup --database notes",
        ),
        |world| {
            let backups = database::backups(&world.config, &Options::default()).unwrap().backups;
            let changed = backups.iter().filter(|one| !one.verified);
            changed.for_each(|one| fs::remove_file(&one.path).unwrap());
            database::backup(&world.config, &Options::default()).unwrap();
        },
    ),
    (
        |world| {
            let path = world.root.join("nowhere/bot.log");
            world.config.logs.get_mut("bot").unwrap().copies.insert("bot".to_owned(), path);
            fs::write(world.root.join("databases/bot.log"), "one\n").unwrap();
        },
        ("access", DoctorState::Warning, "left out: bot:bot", "as root: install -d"),
        |world| {
            world.config.logs.get_mut("bot").unwrap().copies.remove("bot");
            fs::remove_file(world.root.join("databases/bot.log")).unwrap();
        },
    ),
    (
        |world| {
            let lock = Lock::take(&world.root, &world.config.ownership, "integrity", 0).unwrap();
            world.held.push(Box::new(lock));
            world.later = 16 * MINUTE;
        },
        ("locks", DoctorState::Warning, "holds the lock integrity for 16 minutes", "kill "),
        |world| world.held.clear(),
    ),
    (
        |world| mode(&world.root.join("sync_state/private"), 0o755),
        ("security", DoctorState::Problem, "the baseline cannot be believed", "chmod 700"),
        |world| mode(&world.root.join("sync_state/private"), 0o700),
    ),
    (
        |world| mode(&world.root, 0o777),
        ("security", DoctorState::Problem, "put another sync_state in the place", "chmod +t"),
        |world| mode(&world.root, 0o755),
    ),
];

#[test]
fn what_is_broken_is_told_and_no_more_when_it_is_mended() {
    if !is_possible() {
        return;
    }
    let mut world = World::new();
    for (breaks, (check, state, word, remedy), mends) in BROKEN {
        let is_told = |world: &World| {
            let told = |one: &DoctorFinding| {
                one.check == check
                    && one.state == state
                    && one.what.contains(word)
                    && one.remedy.as_ref().is_some_and(|one| one.contains(remedy))
            };
            world.wrong().iter().any(told)
        };
        assert!(!is_told(&world), "{word}");
        breaks(&mut world);
        assert!(is_told(&world), "{word}: {:?}", world.wrong());
        assert_ne!(world.look().exit_code(), 0);
        let is_odd = |one: &DoctorFinding| one.state == DoctorState::Ok && one.what.ends_with(" is problem");
        assert!(!world.look().findings.iter().any(is_odd), "{word}");
        mends(&mut world);
        assert!(!is_told(&world), "{word}: {:?}", world.wrong());
        world.later = 0;
        security::run(&world.config).unwrap();
        world.cron(0);
    }
    assert_eq!(world.wrong(), []);
}

#[test]
fn a_disk_that_is_full_and_a_clock_that_was_set_back_are_told() {
    if !is_possible() {
        return;
    }
    let mut world = World::new();
    let of = |world: &World, check: &str| {
        let all = world.look().findings;
        all.iter().any(|one| one.check == check && one.state == DoctorState::Problem)
    };
    assert!(!of(&world, "space") && !of(&world, "clock"));
    world.config.guards.min_free_percent = 100;
    world.later = -DAY;
    assert!(of(&world, "space") && of(&world, "clock"));
    assert_eq!(world.look().exit_code(), 2);
}

#[test]
fn what_nobody_has_yet_is_well_and_a_root_that_is_not_there_is_all_there_is_to_tell() {
    if !is_possible() {
        return;
    }
    let mut world = World::new();
    let mut none = world.config.databases["notes"].clone();
    for path in none.replicas.values_mut() {
        path.set_file_name("none.db");
    }
    world.config.databases.insert("none".to_owned(), none);
    assert_eq!(world.wrong(), []);
    let told = |one: &DoctorFinding| one.what == "no side has one yet of none";
    assert!(world.look().findings.iter().any(told), "{:?}", world.look());
    world.config.root = world.root.join("nowhere");
    let all = world.wrong();
    assert!(matches!(&all[..], [one] if one.check == "root" && one.state == DoctorState::Problem), "{all:?}");
}

/// What comes by itself in the next minute, or is still to be installed, is nothing that does not work.
#[test]
fn a_fresh_installation_has_no_problem() {
    if !is_possible() {
        return;
    }
    let mut world = World::installed();
    let block = std::mem::take(&mut world.crontab);
    let problems = |world: &World| {
        let all = world.wrong().into_iter();
        all.filter(|one| one.state == DoctorState::Problem).collect::<Vec<_>>()
    };
    assert_eq!(problems(&world), []);
    let told = |word: &str| {
        world.wrong().iter().any(|one| one.remedy.as_ref().is_some_and(|one| one.contains(word)))
    };
    assert!(told("install_crontabs.sh"), "{:?}", world.wrong());
    fs::create_dir(world.root.join("sync_state")).unwrap();
    give(&world.root.join("sync_state"));
    mode(&world.root.join("sync_state"), 0o3770);
    world.crontab = block;
    world.sql("central", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)");
    give(&world.file("central"));
    mode(&world.file("central"), 0o664);
    assert_eq!(problems(&world), []);
    let coming = "notes:website is missing; the next run creates it";
    assert!(world.look().findings.iter().any(|one| one.what == coming && one.state == DoctorState::Ok));
    world.sync();
    assert_eq!(problems(&world), []);
}

/// The first run makes what is missing. What a later one does not make it cannot, and each minute says so again.
#[test]
fn a_side_that_no_run_can_make_is_a_problem() {
    if !is_possible() {
        return;
    }
    let world = World::new();
    let told = |word: &str| {
        let is_told = |one: &DoctorFinding| one.state == DoctorState::Problem && one.what.contains(word);
        world.wrong().iter().any(is_told)
    };
    let run = || database::sync(&world.config, &Options::default()).unwrap();
    let journal = PathBuf::from(format!("{}-journal", world.file("website").display()));
    fs::remove_file(world.file("website")).unwrap();
    fs::write(&journal, "x").unwrap();
    let report = run();
    assert_eq!(report.exit_code(), 1, "{report:?}");
    assert!(told("notes:website is not synced: missing"), "{:?}", world.wrong());
    fs::remove_file(&journal).unwrap();
    assert_eq!(run().exit_code(), 0);
    world.sql("central", "UPDATE notes SET text = 'm' WHERE id = 2");
    world.sync();
    assert_eq!(world.wrong(), []);
    // A disk that is not mounted: the directory is there, on another device than it was.
    let state = Connection::open(world.root.join("sync_state/state.db")).unwrap();
    let moved = |by: i64| {
        let sql = "UPDATE replicas SET device = device + ?1 WHERE side = 'website'";
        assert_eq!(state.execute(sql, [by]).unwrap(), 1);
    };
    moved(1);
    let away = world.root.join("away.db");
    fs::rename(world.file("website"), &away).unwrap();
    assert!(told("is a mount missing?"), "{:?}", world.wrong());
    let report = run();
    assert_eq!(report.exit_code(), 1, "{report:?}");
    assert!(told("is a mount missing?") && !world.file("website").exists(), "{:?}", world.wrong());
    fs::rename(&away, world.file("website")).unwrap();
    moved(-1);
    assert_eq!(run().exit_code(), 0);
    assert_eq!(world.wrong(), []);
}

/// Whoever asks, what the runs would leave out is told: here root asks for a user who could not give what he makes to the
/// owner of the file.
#[test]
fn a_side_that_the_runs_leave_out_is_told_to_root_as_well() {
    let Some(runner) = durable::Account::named("bin").filter(|_| is_possible()) else { return };
    let mut world = World::new();
    world.config.ownership.user = runner.name;
    let place = world.root.join("web/data");
    assert!(
        world.wrong().iter().any(|one| one.what.contains("so that bin may not write to it")),
        "{:?}",
        world.wrong()
    );
    // That says what to do, and that it is busy now does not; that it is no database says more.
    let refused = |world: &World| {
        world
            .wrong()
            .iter()
            .any(|one| one.what.contains("website is not synced") && one.what.contains("so that bin may not"))
    };
    let busy = Connection::open(world.file("website")).unwrap();
    busy.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(refused(&world), "{:?}", world.wrong());
    drop(busy);
    let bytes = fs::read(world.file("website")).unwrap();
    fs::write(world.file("website"), "x".repeat(5000)).unwrap();
    assert!(!refused(&world), "{:?}", world.wrong());
    fs::write(world.file("website"), bytes).unwrap();
    world.config.ownership.user = "root".to_owned();
    mode(&place, 0o775);
    assert_eq!(world.wrong(), []);
}
