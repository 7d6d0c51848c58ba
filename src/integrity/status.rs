//! How it is with watched files, without looking at them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use chrono::DateTime;
use serde_json::Value;

use super::beat;
use super::check;
use super::names;
use super::private::{self, Absent, Private};
use super::published;
use super::scope::Scope;
use super::store::{self, Broken, Loaded};
use crate::clock;
use crate::config::Config;
use crate::durable;
use crate::error::Result;
use crate::report::{BaselineStatus, IntegrityStatusReport, SCHEMA, StatusProblem, WatchStatus};

/// Says whether the baseline can be believed, what the last check found, and whether a watcher is at work.
///
/// What the last check found is what the cron user's private directory says; for who may not look there, as the website's group
/// can write it, and its `source` says so.
///
/// # Errors
/// When the list of what to watch makes no sense, or the disk fails.
pub fn status(config: &Config) -> Result<IntegrityStatusReport> {
    let scope = Scope::read(config)?;
    let (baseline, mut warnings) = match store::load(config)? {
        Ok(loaded) => (Ok(believed(&loaded)), loaded.flaws.iter().map(|flaw| flaw.reason.clone()).collect()),
        Err(broken) => (Err(broken), Vec::new()),
    };
    warnings.extend(scope.warnings.iter().cloned());
    warnings.extend(durable::missing_owner(&config.ownership));
    let last_check = check::kept(config);
    let watch = beat::status(config);
    let mut problems: Vec<StatusProblem> =
        baseline.as_ref().err().map(|broken| of_baseline(config, broken)).into_iter().collect();
    problems.extend(of_check(baseline.is_ok(), &last_check));
    problems.extend(of_watcher(&watch));
    Ok(IntegrityStatusReport {
        schema: SCHEMA,
        ok: problems.is_empty() && warnings.is_empty(),
        baseline: baseline.unwrap_or_else(|broken| doubted(&broken.reason)),
        last_check,
        watch,
        locks: durable::locks_held(&config.root),
        roots: scope.roots.iter().map(|root| names::shown(root).0).collect(),
        excluded: scope.excluded(),
        problems,
        warnings,
    })
}

/// That the baseline cannot be believed, and what mends that: making another one is right where there was none.
fn of_baseline(config: &Config, broken: &Broken) -> StatusProblem {
    let problem = format!("the baseline cannot be believed: {}", broken.reason);
    let (first, next) = remedy(config, broken);
    StatusProblem { problem, first, next }
}

/// What a person does first, and the command after that.
fn remedy(config: &Config, broken: &Broken) -> (Option<String>, &'static str) {
    let path = broken.path.display();
    let who = "find out who did that";
    match Private::open(config) {
        Err(Absent::NotOurs) => return (Some(format!("become {}", config.ownership.user)), "status"),
        Err(Absent::Refused(_)) if is_only_open(config, &broken.path) => {
            return (Some(format!("{who}, and chmod 700 {path}")), "check");
        }
        Err(Absent::Refused(_)) => return (Some(format!("{who}, and move {path} away")), "baseline"),
        Err(Absent::Missing) | Ok(_) => {}
    }
    let place = store::place(config);
    let is_first = broken.is_missing && broken.path == place.join(store::BASELINE) && !has_had_one(config);
    if is_first {
        (None, "baseline")
    } else if broken.path == place || broken.path.ends_with(private::KEY) {
        (Some(format!("{who}, and move {path} away")), "baseline")
    } else {
        (Some(format!("{who}: see the event log, and who may write to {path}")), "baseline")
    }
}

/// Whether the private directory is whose it should be, and nothing but its mode is wrong.
fn is_only_open(config: &Config, path: &Path) -> bool {
    let Ok(found) = std::fs::symlink_metadata(path) else { return false };
    let of_root = std::fs::metadata(&config.root).map(|root| root.uid()).ok();
    let owner = durable::user(&config.ownership).or(of_root);
    found.is_dir() && (found.uid() == 0 || Some(found.uid()) == owner)
}

/// Whether a baseline was made here, as far as anything says so still.
fn has_had_one(config: &Config) -> bool {
    if std::fs::symlink_metadata(published::signature_path(config)).is_ok() {
        return true;
    }
    let head = Private::look(config).map(|private| private.head());
    !matches!(head, None | Some(Ok(Ok(None))))
}

fn of_check(is_believed: bool, last_check: &Value) -> Option<StatusProblem> {
    let say = |problem| Some(StatusProblem { problem, first: None, next: "check" });
    let found = last_check.get("findings").and_then(Value::as_array).map_or(0, Vec::len);
    let at = text(last_check.get("at"));
    match last_check {
        // Whose baseline is not believed is told of that already.
        _ if !is_believed => None,
        Value::Object(report) if report.get("ok").and_then(Value::as_bool) != Some(true) => {
            let word = if found == 1 { "finding" } else { "findings" };
            say(format!("{found} {word} in the last check, at {at}"))
        }
        Value::Object(report) if report.get("complete").and_then(Value::as_bool) == Some(false) => {
            say(format!("the last check, at {at}, did not look at everything"))
        }
        Value::Object(_) => None,
        _ => say("nothing was checked yet".to_owned()),
    }
}

fn of_watcher(watch: &WatchStatus) -> Vec<StatusProblem> {
    let mut all = Vec::new();
    if let Some(problem) = &watch.problem {
        let first = Some("find out who did that".to_owned());
        all.push(StatusProblem { problem: problem.clone(), first, next: "check" });
    }
    if watch.stale {
        let since = watch.heartbeat.as_deref().unwrap_or("an unknown time");
        let problem = format!("the watcher has said nothing since {since}");
        all.push(StatusProblem { problem, first: None, next: "watch" });
    }
    all
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or("an unknown time")
}

fn believed(loaded: &Loaded) -> BaselineStatus {
    let baseline = &loaded.baseline;
    BaselineStatus {
        ok: true,
        problem: None,
        generation: baseline.generation,
        created: DateTime::from_timestamp(baseline.created, 0).map(clock::stamp),
        entries: u64::try_from(baseline.entries.len()).unwrap_or(u64::MAX),
    }
}

fn doubted(reason: &str) -> BaselineStatus {
    BaselineStatus { ok: false, problem: Some(reason.to_owned()), generation: 0, created: None, entries: 0 }
}
