//! What the status of logs says that a person should look at.

use super::commands::Commands;
use super::finding::{failed, problem, warning, well};
use crate::config::Config;
use crate::logs;
use crate::report::{DoctorFinding, LogProblem, LogProblemKind, LogStatus};

pub(super) fn findings(config: &Config, commands: &Commands) -> Vec<DoctorFinding> {
    match logs::status(config, &logs::Options::default()) {
        Ok(report) => report.logs.iter().flat_map(|(name, log)| of_log(name, log, commands)).collect(),
        Err(error) => vec![failed("logs", &error)],
    }
}

fn of_log(name: &str, log: &LogStatus, commands: &Commands) -> Vec<DoctorFinding> {
    let mut all: Vec<DoctorFinding> =
        log.problems.iter().filter_map(|one| told(name, log, one, commands)).collect();
    if all.is_empty() {
        all.push(well("logs", format!("{name} is as it should be")));
    }
    all
}

/// What the next run settles, and logs that are not there yet, are no findings. Of directories that are not there `sides`
/// tells.
fn told(name: &str, log: &LogStatus, one: &LogProblem, commands: &Commands) -> Option<DoctorFinding> {
    let side = one.side.as_deref();
    let of = side.map_or_else(|| name.to_owned(), |side| format!("{name}:{side}"));
    let what = format!("{of}: {}", one.message);
    let finding = match one.kind {
        LogProblemKind::Unsettled | LogProblemKind::Missing | LogProblemKind::DirectoryMissing => {
            return None;
        }
        LogProblemKind::Unreadable
        | LogProblemKind::ArchiveGone
        | LogProblemKind::Ledger
        | LogProblemKind::Unwritable => problem("logs", what),
        LogProblemKind::PassedOver | LogProblemKind::SameFile => warning("logs", what),
    };
    let path = side.and_then(|side| log.sides.get(side)).map(|side| side.path.as_path());
    let finding = match path {
        Some(path) => finding.at(path),
        None => finding,
    };
    let again = commands.logs(&format!("sync-all --log {name}"));
    Some(finding.mended_by(format!("do what is said there, then {again}")))
}
