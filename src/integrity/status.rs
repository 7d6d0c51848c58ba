//! How it is with watched files, without looking at them.

use chrono::DateTime;
use serde_json::Value;

use super::beat;
use super::check;
use super::names;
use super::scope::Scope;
use super::store::{self, Loaded};
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
        Ok(loaded) => (believed(&loaded), loaded.flaws.iter().map(|flaw| flaw.reason.clone()).collect()),
        Err(broken) => (doubted(&broken.reason), Vec::new()),
    };
    warnings.extend(scope.warnings.iter().cloned());
    warnings.extend(durable::missing_owner(&config.ownership));
    let last_check = check::kept(config);
    let watch = beat::status(config);
    let problems = problems(&baseline, &last_check, &watch);
    Ok(IntegrityStatusReport {
        schema: SCHEMA,
        ok: problems.is_empty() && warnings.is_empty(),
        baseline,
        last_check,
        watch,
        locks: durable::locks_held(&config.root),
        roots: scope.roots.iter().map(|root| names::shown(root).0).collect(),
        excluded: scope.excluded(),
        problems,
        warnings,
    })
}

/// What is not as it should be, the worst first, each with the command that comes next.
fn problems(baseline: &BaselineStatus, last_check: &Value, watch: &WatchStatus) -> Vec<StatusProblem> {
    let mut all = Vec::new();
    let mut add = |problem: String, next| all.push(StatusProblem { problem, next });
    if let Some(problem) = &baseline.problem {
        add(format!("the baseline cannot be believed: {problem}"), "baseline");
    }
    let found = last_check.get("findings").and_then(Value::as_array).map_or(0, Vec::len);
    match last_check {
        Value::Object(report) if report.get("ok").and_then(Value::as_bool) != Some(true) => {
            let (word, at) = (if found == 1 { "finding" } else { "findings" }, text(report.get("at")));
            // Whose baseline is not believed is told of that already.
            if baseline.ok {
                add(format!("{found} {word} in the last check, at {at}"), "check");
            }
        }
        Value::Object(report) if report.get("complete").and_then(Value::as_bool) == Some(false) => {
            add(
                format!("the last check, at {}, did not look at everything", text(report.get("at"))),
                "check",
            );
        }
        Value::Object(_) => {}
        _ if baseline.ok => add("nothing was checked yet".to_owned(), "check"),
        _ => {}
    }
    if let Some(problem) = &watch.problem {
        add(problem.clone(), "status");
    }
    if watch.stale {
        let since = watch.heartbeat.as_deref().unwrap_or("an unknown time");
        add(format!("the watcher has said nothing since {since}"), "watch");
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
