//! What the status of files, keys and events says that a person should look at: taken over as it is.

use super::finding::{failed, problem, warning, well};
use crate::config::Config;
use crate::integrity::NOT_THERE;
use crate::report::{DoctorFinding, StatusProblem};
use crate::security;

pub(super) fn findings(config: &Config) -> Vec<DoctorFinding> {
    let status = match security::status(config) {
        Ok(status) => status,
        Err(error) => return vec![failed("security", &error)],
    };
    let mut all: Vec<DoctorFinding> = status.files.problems.into_iter().map(told).collect();
    let (missing, others): (Vec<_>, Vec<_>) =
        status.files.warnings.into_iter().partition(|what| what.ends_with(NOT_THERE));
    all.extend(missing_files(&missing));
    all.extend(
        others
            .into_iter()
            .map(|what| warning("security", what).mended_by("php security_monitoring_script.php status")),
    );
    if all.is_empty() {
        all.push(well("security", "files, keys and events are as they should be"));
    }
    all
}

fn told(one: StatusProblem) -> DoctorFinding {
    let next = format!("php security_monitoring_script.php {}", one.next);
    let remedy = match one.first {
        Some(first) => format!("{first}; then {next}"),
        None => next,
    };
    problem("security", one.problem).mended_by(remedy)
}

/// What is to be watched and is not there, in one finding.
fn missing_files(warnings: &[String]) -> Option<DoctorFinding> {
    let names: Vec<&str> = warnings.iter().filter_map(|what| what.strip_suffix(NOT_THERE)).collect();
    let what = format!("to be watched, and not there: {}", names.join(", "));
    let remedy = "look for them, or say in shared_storage/integrity_config.json what is to be watched";
    (!names.is_empty()).then(|| warning("security", what).mended_by(remedy))
}
