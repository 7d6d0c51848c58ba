//! Which numbers there are, and from which report each is taken.

use std::collections::BTreeMap;

use serde_json::Value;

use super::text::{Family, Kind, Sample};
use crate::config::Config;
use crate::database::{self, Detail};
use crate::doctor::{self, Now};
use crate::report::{DatabaseStatus, LogStatus, RequestState, SecurityStatusReport};
use crate::{durable, logs, security};

type Labels = Vec<(&'static str, String)>;

/// Families in the making.
struct Families(Vec<Family>);

impl Families {
    fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = (Labels, i64)>,
    ) {
        self.add(name, help, Kind::Gauge, samples);
    }

    fn add(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        samples: impl IntoIterator<Item = (Labels, i64)>,
    ) {
        let samples = samples.into_iter().map(|(labels, value)| Sample { labels, value }).collect();
        self.0.push(Family { name, help, kind, samples });
    }
}

pub(super) fn families(config: &Config, now: &Now) -> Vec<Family> {
    let mut all = Families(Vec::new());
    let versions =
        vec![("version", env!("CARGO_PKG_VERSION").to_owned()), ("sqlite", rusqlite::version().to_owned())];
    all.gauge("cr0sync_build_info", "Versions of cr0sync and of the SQLite that it uses.", [(versions, 1)]);
    let databases = database::status(config, &database::Options::default(), Detail::Summary);
    let queue = database::queue(config);
    let logs = logs::status(config, &logs::Options::default());
    let security = security::status(config);
    let sources = [
        ("databases", databases.is_ok()),
        ("queue", queue.is_ok()),
        ("logs", logs.is_ok()),
        ("security", security.is_ok()),
    ];
    let up = |(name, is_up): (&str, bool)| (vec![("source", name.to_owned())], i64::from(is_up));
    all.gauge("cr0sync_source_up", "Whether this part of the status could be read.", sources.map(up));
    if let Ok(report) = &databases {
        of_databases(&mut all, &report.databases);
    }
    if let Ok(report) = &queue {
        let waiting = report.requests.iter().filter(|one| one.state == RequestState::Pending).count();
        let help = "Requests of web pages that wait for the next run.";
        all.gauge("cr0sync_queue_requests_pending", help, [(Vec::new(), number(waiting))]);
    }
    if let Ok(report) = &logs {
        of_logs(&mut all, &report.logs);
    }
    if let Ok(report) = &security {
        of_security(&mut all, report);
    }
    of_cron(&mut all, config);
    let held = durable::locks_held(&config.root);
    let locks = held
        .iter()
        .filter_map(|lock| Some((vec![("lock", lock.name.clone())], doctor::held_seconds(lock, now)?)));
    all.gauge("cr0sync_lock_held_seconds", "For how long somebody holds this lock.", locks);
    all.0
}

fn of_databases(all: &mut Families, databases: &BTreeMap<String, DatabaseStatus>) {
    let label = |name: &String| vec![("database", name.clone())];
    let time = |of: fn(&DatabaseStatus) -> Option<&String>| {
        databases
            .iter()
            .filter_map(move |(name, one)| Some((label(name), doctor::unix(of(one)?)?)))
            .collect::<Vec<_>>()
    };
    let runs = time(|one| one.last_run.as_ref());
    let changes = time(|one| one.last_change.as_ref());
    let each = |of: fn(&DatabaseStatus) -> i64| {
        databases.iter().map(move |(name, one)| (label(name), of(one))).collect::<Vec<_>>()
    };
    all.gauge("cr0sync_database_last_run_timestamp_seconds", "When the database was last looked at.", runs);
    all.gauge(
        "cr0sync_database_last_change_timestamp_seconds",
        "When a run last changed the database.",
        changes,
    );
    let conflicts = each(|one| number(one.open_conflicts));
    all.gauge("cr0sync_database_conflicts_open", "Conflicts that wait for a person.", conflicts);
    let held = each(|one| i64::from(one.held.is_some()));
    all.gauge("cr0sync_database_held", "Whether the whole database waits for a person.", held);
    let paused = each(|one| number(one.paused.len()));
    all.gauge("cr0sync_database_tables_paused", "Tables that are left alone.", paused);
    let sides = |of: fn(&crate::report::SideStatus) -> i64| {
        // Nobody misses a side of what no side has yet.
        let present = databases.iter().filter(|(_, one)| one.state != database::ABSENT);
        let all = present.flat_map(move |(name, one)| {
            one.sides.iter().map(move |(side, status)| {
                (vec![("database", name.clone()), ("side", side.clone())], of(status))
            })
        });
        all.collect::<Vec<_>>()
    };
    let up = sides(|one| i64::from(one.exists && one.problem.is_none()));
    all.gauge("cr0sync_database_side_up", "Whether the side is there and nothing is wrong with it.", up);
    let missed = sides(|one| one.lag);
    all.gauge("cr0sync_database_side_missed_merges", "Merges that the side does not have yet.", missed);
    let bytes = sides(|one| i64::try_from(one.bytes).unwrap_or(i64::MAX));
    all.gauge("cr0sync_database_side_size_bytes", "Size of the file of the side.", bytes);
}

fn of_logs(all: &mut Families, logs: &BTreeMap<String, LogStatus>) {
    let copies = |of: fn(&crate::report::LogSideStatus) -> u64| {
        let all = logs.iter().flat_map(move |(name, one)| {
            one.sides.iter().map(move |(side, status)| {
                let labels = vec![("log", name.clone()), ("copy", side.clone())];
                (labels, i64::try_from(of(status)).unwrap_or(i64::MAX))
            })
        });
        all.collect::<Vec<_>>()
    };
    all.gauge(
        "cr0sync_log_lag_bytes",
        "Bytes of other copies that this copy does not have yet.",
        copies(|one| one.lag_bytes),
    );
    let unread = copies(|one| one.unread_bytes);
    all.gauge("cr0sync_log_unread_bytes", "Bytes of this copy that were not merged yet.", unread);
    let up = copies(|one| u64::from(one.exists && one.problem.is_none()));
    all.gauge("cr0sync_log_copy_up", "Whether the copy is there and nothing is wrong with it.", up);
}

fn of_security(all: &mut Families, report: &SecurityStatusReport) {
    let files = &report.files;
    let alone = |value: i64| [(Vec::new(), value)];
    let believed = alone(i64::from(files.baseline.ok));
    all.gauge(
        "cr0sync_integrity_baseline_ok",
        "Whether the baseline of watched files can be believed.",
        believed,
    );
    let findings =
        files.last_check.get("findings").and_then(Value::as_array).map(|all| (Vec::new(), number(all.len())));
    let help = "Findings of the last check of watched files that nobody accepted or mended.";
    all.gauge("cr0sync_integrity_findings_open", help, findings);
    let checked = files.last_check.get("at").and_then(Value::as_str).and_then(doctor::unix);
    let help = "When watched files were last checked.";
    all.gauge("cr0sync_integrity_last_check_timestamp_seconds", help, checked.map(|at| (Vec::new(), at)));
    let stale = alone(i64::from(files.watch.stale));
    all.gauge("cr0sync_integrity_watcher_missed", "Whether the watcher should be at work and is not.", stale);
    let problems = alone(number(files.problems.len()));
    all.gauge(
        "cr0sync_security_problems",
        "What the status of files, keys and events says is wrong.",
        problems,
    );
    let chain = report.chain.map(|chain| (Vec::new(), i64::from(chain != "broken")));
    let help = "Whether the chain of events was whole when it was last verified, or a break of it is known.";
    all.gauge("cr0sync_events_chain_whole", help, chain);
    let runs = report
        .last_runs
        .iter()
        .filter_map(|(job, at)| Some((vec![("job", (*job).to_owned())], doctor::unix(at.as_deref()?)?)));
    all.gauge("cr0sync_security_job_last_run_timestamp_seconds", "When the periodic job ran last.", runs);
}

fn of_cron(all: &mut Families, config: &Config) {
    let stamps = doctor::stamps(&config.root);
    let each = |of: fn(&doctor::Stamp) -> Option<i64>| {
        let all = stamps
            .iter()
            .filter_map(move |(job, stamp)| Some((vec![("job", (*job).to_owned())], of(stamp)?)));
        all.collect::<Vec<_>>()
    };
    let (runs, codes, counts) = (each(|one| one.last_run), each(|one| one.last_exit), each(|one| one.total));
    all.gauge("cr0sync_cron_last_run_timestamp_seconds", "When the cron script ran last.", runs);
    all.gauge("cr0sync_cron_last_exit_code", "What the cron script ended with when it ran last.", codes);
    all.add("cr0sync_cron_runs_total", "Runs of the cron script.", Kind::Counter, counts);
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
