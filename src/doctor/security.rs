//! What the status of files, keys and events says that a person should look at: taken over as it is.

use super::finding::{failed, problem, warning, well};
use crate::config::Config;
use crate::report::{DoctorFinding, StatusProblem};
use crate::security;

pub(super) fn findings(config: &Config) -> Vec<DoctorFinding> {
    let status = match security::status(config) {
        Ok(status) => status,
        Err(error) => return vec![failed("security", &error)],
    };
    let mut all: Vec<DoctorFinding> = status.files.problems.into_iter().map(told).collect();
    all.extend(
        status
            .files
            .warnings
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
