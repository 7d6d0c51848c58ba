//! Each way of breaking an installation, with what is said of it and what mends it.

use std::fs;

use rusqlite::Connection;
use serde_json::{Map, Value};

use super::super::*;
use super::world::{DAY, MINUTE, World, block, mode};
use crate::database::{self, Force, Options, Request};
use crate::durable::Lock;
use crate::events::{self, Event, Severity};
use crate::{alerts, integrity};

/// One broken world: what breaks it, what is said (check, state, words of it and of what to do), and what mends it.
pub(super) type Broken =
    (fn(&mut World), (&'static str, DoctorState, &'static str, &'static str), fn(&mut World));

pub(super) const BROKEN: [Broken; 31] = [
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
            "mkdir -m 755 /nowhere/metrics && chown -h root",
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
        ("access", DoctorState::Warning, "not there", "as root: mkdir -m 2775 "),
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
        (
            "databases",
            DoctorState::Problem,
            "notes waits for a person",
            "--dry-run --force --database notes --root",
        ),
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
        ("access", DoctorState::Warning, "left out: bot:bot", "as root: mkdir -m 2775 "),
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
        |world| {
            let place = world.root.join("sync_state/cron/logs");
            let text = fs::read_to_string(&place).unwrap();
            fs::write(&place, text + "cleanup_failed=1790000000\n").unwrap();
        },
        ("cron", DoctorState::Warning, "the cleanup of cron_sync_logs.sh failed at 2026-09-21", "grep ERROR"),
        |world| world.cron(0),
    ),
    (
        |world| {
            let place = world.root.join("tell");
            fs::create_dir(&place).unwrap();
            fs::write(place.join("tell"), "#!/bin/sh\n").unwrap();
            mode(&place.join("tell"), 0o755);
            mode(&place, 0o777);
            world.config.alerts.command = Some(vec![place.join("tell").display().to_string()]);
        },
        ("scripts", DoctorState::Problem, "in the place of", "chmod +t"),
        |world| {
            world.config.alerts.command = None;
            fs::remove_dir_all(world.root.join("tell")).unwrap();
        },
    ),
    (
        |world| {
            world.config.alerts.command = Some(vec!["/bin/true".to_owned()]);
            alerts::due(&world.config).unwrap();
            let (kind, details, severity) = ("BREACH".to_owned(), Value::Null, Severity::Critical);
            events::record(&world.config, &Event { kind, severity, details, ip: None, session: None })
                .unwrap();
            world.later = 6 * MINUTE;
        },
        ("alerts", DoctorState::Problem, "nobody was told of 1 event of severity", "run"),
        |world| {
            let token = alerts::due(&world.config).unwrap().token.unwrap();
            alerts::told(&world.config, &token).unwrap();
        },
    ),
    (
        |world| {
            world.config.alerts.command = Some(vec!["/bin/true".to_owned()]);
            world.config.alerts.per_hour = 1;
            let (kind, details, severity) = ("BREACH".to_owned(), Value::Null, Severity::Critical);
            events::record(&world.config, &Event { kind, severity, details, ip: None, session: None })
                .unwrap();
            world.later = 6 * MINUTE;
        },
        ("alerts", DoctorState::Warning, "wait for the rate limit until", "alerts.per_hour"),
        |world| world.config.alerts.command = None,
    ),
    (
        |world| {
            mode(&world.root.join("web/data"), 0o2775);
            let shm = format!("{}-shm", world.file("website").display());
            fs::write(&shm, "").unwrap();
            mode(std::path::Path::new(&shm), 0o600);
        },
        ("access", DoctorState::Problem, "daemon cannot read and write it (mode 600)", "as root: "),
        |world| fs::remove_file(format!("{}-shm", world.file("website").display())).unwrap(),
    ),
    (
        |world| mode(&world.root, 0o777),
        ("security", DoctorState::Problem, "put another sync_state in the place", "chmod +t"),
        |world| mode(&world.root, 0o755),
    ),
];
