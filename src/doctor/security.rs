//! What the status of files, keys and events says that a person should look at: taken over as it is.

use serde_json::Value;

use super::commands::Commands;
use super::finding::{failed, problem, warning, well};
use crate::config::Config;
use crate::integrity::{self, NOT_THERE};
use crate::report::{DoctorFinding, DoctorState, StatusProblem};
use crate::security;

pub(super) fn findings(config: &Config, commands: &Commands) -> Vec<DoctorFinding> {
    let status = match security::status(config) {
        Ok(status) => status,
        Err(error) => return vec![failed("security", &error)],
    };
    let found = status.files.last_check.get("findings").and_then(Value::as_array).map_or(0, Vec::len);
    // Before the first run nothing of it can be there.
    let private = config.root.join("sync_state").join("private");
    let is_new = std::fs::symlink_metadata(private)
        .is_err_and(|cause| cause.kind() == std::io::ErrorKind::NotFound)
        && status.last_runs.values().all(Option::is_none);
    // When a check ran is remembered apart from what it found.
    let checked = status.last_runs.get("check").cloned().flatten();
    let told = |one| told(truly(one, checked.as_deref()), found, commands);
    let mut all: Vec<DoctorFinding> = status.files.problems.into_iter().map(told).collect();
    if is_new {
        all.iter_mut().for_each(|one| one.state = DoctorState::Warning);
    }
    let (missing, others): (Vec<_>, Vec<_>) =
        status.files.warnings.into_iter().partition(|what| what.ends_with(NOT_THERE));
    all.extend(missing_files(&missing));
    all.extend(
        others.into_iter().map(|what| warning("security", what).mended_by(commands.security("status"))),
    );
    if all.is_empty() {
        all.push(well("security", "files, keys and events are as they should be"));
    }
    all
}

/// That nothing is remembered of checks is another thing where they ran: somebody has removed what they found.
fn truly(one: StatusProblem, checked: Option<&str>) -> StatusProblem {
    match checked {
        Some(at) if one.problem == integrity::FORGOTTEN => StatusProblem {
            problem: format!("files were checked at {at}, and what that found is gone from sync_state"),
            ..one
        },
        _ => one,
    }
}

/// Another check finds again what was found: it is gone when somebody has accepted or mended it.
fn told(one: StatusProblem, found: usize, commands: &Commands) -> DoctorFinding {
    let is_to_come =
        one.first.is_none() && (one.next == "baseline" || one.problem.starts_with(integrity::UNCHECKED));
    // The command says as whom.
    let first = one.first.filter(|first| !first.starts_with(integrity::BECOME));
    let next = match (one.next, &first, found) {
        ("check", None, 1..) => format!(
            "{} shows what; where that is as you want it, {} (or baseline, for all at once), else put it back as it was",
            commands.security("check"),
            commands.security("accept PATH")
        ),
        (next, ..) => commands.security(next),
    };
    let remedy = match first {
        Some(first) => format!("{first}; then {next}"),
        None => next,
    };
    // What was never done is no sign of anything, but that somebody has still to do it.
    let state = match is_to_come {
        true => DoctorState::Warning,
        false => DoctorState::Problem,
    };
    DoctorFinding { state, ..problem("security", one.problem).mended_by(remedy) }
}

/// What is to be watched and is not there, in one finding.
fn missing_files(warnings: &[String]) -> Option<DoctorFinding> {
    let names: Vec<&str> = warnings.iter().filter_map(|what| what.strip_suffix(NOT_THERE)).collect();
    let what = format!("to be watched, and not there: {}", names.join(", "));
    let remedy = "look for them, or say in shared_storage/integrity_config.json what is to be watched";
    (!names.is_empty()).then(|| warning("security", what).mended_by(remedy))
}
