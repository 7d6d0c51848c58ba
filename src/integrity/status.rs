//! How it is with watched files, without looking at them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use chrono::DateTime;
use serde_json::{Map, Value};

use super::beat;
use super::copies::is_in_the_way;
use super::last_check;
use super::names;
use super::private::{self, Absent, Kept, Private};
use super::published;
use super::scope::Scope;
use super::silence;
use super::store::{self, Broken, Loaded};
use crate::clock;
use crate::config::Config;
use crate::durable;
use crate::error::Result;
use crate::report::{BaselineStatus, IntegrityStatusReport, SCHEMA, StatusProblem, WatchStatus};

/// How the script is called.
const SCRIPT: &str = "php security_monitoring_script.php";
/// What comes before the name of the user who is to do it.
pub(crate) const BECOME: &str = "become ";
/// What is said where a baseline was never checked: it begins with this.
pub(crate) const UNCHECKED: &str = "nothing was checked";
/// What is said where nothing is remembered of any check.
pub(crate) const FORGOTTEN: &str = "nothing was checked yet, as far as anything is remembered";
/// Before a baseline that is compared with nothing.
const WARNING: &str = "compare the files with a backup, as baseline takes them as they are";

/// Says whether the baseline can be believed, what the last check found, and whether a watcher is at work.
///
/// What the last check found is what the cron user's private directory says; for who may not look there, as the website's group
/// can write it, and its `source` says so.
///
/// # Errors
/// When the list of what to watch makes no sense, or the disk fails.
pub fn status(config: &Config) -> Result<IntegrityStatusReport> {
    let scope = Scope::read(config)?;
    let (baseline, mut problems) = match store::load(config)? {
        Ok(loaded) => {
            let flaws = loaded.flaws.iter().map(|flaw| of_flaw(config, &loaded, flaw)).collect();
            (Ok(believed(&loaded)), flaws)
        }
        Err(broken) => {
            let problem = of_baseline(config, &broken);
            (Err(broken), vec![problem])
        }
    };
    let mut warnings = scope.warnings.clone();
    warnings.extend(durable::missing_owner(&config.ownership));
    let mut last_check = last_check::kept(config);
    warnings.extend(silence::mark(config, &mut last_check));
    let watch = beat::status(config);
    problems.extend(of_check(baseline.as_ref().ok(), &last_check));
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

/// What is wrong with what is written of a baseline that is believed, and what mends that.
fn of_flaw(config: &Config, loaded: &Loaded, flaw: &Broken) -> StatusProblem {
    let path = flaw.path.display();
    let who =
        if flaw.path.ends_with(private::KEY) { "find out who read it" } else { "find out who did that" };
    let mut first = vec![who.to_owned()];
    let next = if loaded.private.is_none() {
        first = vec![format!("{BECOME}{}", config.ownership.user)];
        "status"
    } else if flaw.path.ends_with(private::KEY) {
        "baseline"
    } else {
        if is_in_the_way(&flaw.path) {
            first.push(format!("move {path} away"));
        }
        let [baseline, key, list, signature] = published::paths(config);
        if [list, signature].contains(&flaw.path) {
            // A check leaves it, as pages may have written it for an import.
            first.push(format!("write it again: {SCRIPT} accept {path}"));
        } else if ![baseline, key].contains(&flaw.path) && flaw.path == store::place(config) {
            first.push(format!("move {path} away"));
        }
        "check"
    };
    StatusProblem { problem: flaw.reason.clone(), first: Some(first.join(", and ")), next }
}

/// What a person does first, and the command after that.
fn remedy(config: &Config, broken: &Broken) -> (Option<String>, &'static str) {
    let path = broken.path.display();
    let who = "find out who did that";
    if let Some(first) = durable::remedy(&config.root, &config.ownership) {
        return (Some(format!("{who}, and {first}")), "check");
    }
    match Private::open(config) {
        Err(Absent::NotOurs) => return (Some(format!("{BECOME}{}", config.ownership.user)), "status"),
        Err(Absent::Refused(_)) if is_only_open(config, &broken.path) => {
            return (Some(format!("{who}, and chmod 700 {path}")), "check");
        }
        Err(Absent::Refused(_)) => return (Some(format!("{who}, and move {path} away")), "baseline"),
        Err(Absent::Missing) | Ok(_) => {}
    }
    let place = store::place(config);
    let is_first = broken.is_missing && broken.path == place.join(store::BASELINE) && !has_had_one(config);
    let has_list = |private: Private| published::is_list_good(config, &private);
    if is_first {
        (None, "baseline")
    } else if Private::open(config).is_ok_and(has_list) {
        let list = config.integrity.baseline.display();
        let how = "what was accepted stands in the signed list of hashes still, so take that over";
        (Some(format!("{who}; {how}: {SCRIPT} baseline --import {list}")), "check")
    } else if broken.path == place || broken.path.ends_with(private::KEY) || is_in_the_way(&broken.path) {
        (Some(format!("{who}, and move {path} away; {WARNING}")), "baseline")
    } else {
        (Some(format!("{who}: see the event log, and who may write to {path}; {WARNING}")), "baseline")
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
    let Some(private) = Private::look(config) else { return false };
    !matches!(private.head(), Ok(Ok(None))) || !matches!(private.read(store::COPY), Ok(Kept::Missing))
}

fn of_check(baseline: Option<&BaselineStatus>, last_check: &Value) -> Option<StatusProblem> {
    let say = |problem| Some(StatusProblem { problem, first: None, next: "check" });
    // Whose baseline is not believed is told of that already.
    let baseline = baseline?;
    let found = last_check.get("findings").and_then(Value::as_array).map_or(0, Vec::len);
    let at = text(last_check.get("at"));
    match last_check {
        Value::Object(report) if report.get("ok").and_then(Value::as_bool) != Some(true) => {
            let word = if found == 1 { "finding" } else { "findings" };
            // By a watcher, or a check of some paths.
            let since = if report.contains_key("amended") { " and what was looked at since" } else { "" };
            say(format!("{found} {word} in the last check, at {at}{since}"))
        }
        // There was no baseline to compare with, and one was made since.
        Value::Object(report) if is_partial(report) && report.get("generation") == Some(&Value::from(0)) => {
            let created = baseline.created.as_deref().unwrap_or("an unknown time");
            say(format!("{UNCHECKED} since the baseline of {created}"))
        }
        Value::Object(report) if is_partial(report) => {
            say(format!("the last check, at {at}, did not look at everything"))
        }
        Value::Object(_) => None,
        _ => say(FORGOTTEN.to_owned()),
    }
}

fn is_partial(report: &Map<String, Value>) -> bool {
    report.get("complete").and_then(Value::as_bool) == Some(false)
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
