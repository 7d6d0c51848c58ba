//! How everything is, in one document.

use serde::Serialize;

use super::{LogsStatusReport, SCHEMA, SecurityStatusReport, StatusReport};
use crate::error::{Error, Result};

/// How databases, logs, and watched files with the periodic jobs are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SystemStatusReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether every part could be told, and nothing is wrong in any.
    pub ok: bool,
    /// Databases; none where that could not be told.
    pub databases: Option<StatusReport>,
    /// Logs; none where that could not be told.
    pub logs: Option<LogsStatusReport>,
    /// Watched files, and what is done by the clock; none where that could not be told.
    pub security: Option<SecurityStatusReport>,
    /// Why a part could not be told.
    pub problems: Vec<String>,
}

impl SystemStatusReport {
    /// What each part came to.
    #[must_use]
    pub(crate) fn of(
        databases: Result<StatusReport>,
        logs: Result<LogsStatusReport>,
        security: Result<SecurityStatusReport>,
    ) -> SystemStatusReport {
        let mut problems = Vec::new();
        let mut failed = |part: &str, error: &Error| problems.push(format!("{part}: {}", error.in_words()));
        let databases = databases.inspect_err(|error| failed("databases", error)).ok();
        let logs = logs.inspect_err(|error| failed("logs", error)).ok();
        let security = security.inspect_err(|error| failed("security", error)).ok();
        let ok = databases.as_ref().is_some_and(is_well)
            && logs.as_ref().is_some_and(|logs| logs.ok)
            && security.as_ref().is_some_and(|security| security.files.ok);
        SystemStatusReport { schema: SCHEMA, ok, databases, logs, security, problems }
    }

    /// 2 where a part could not be told, else 0: looking is no failure.
    #[must_use]
    pub const fn exit_code(&self) -> i32 {
        if self.problems.is_empty() { 0 } else { 2 }
    }
}

/// Whether no database waits for a person. Conflicts do not count: they are decided.
fn is_well(report: &StatusReport) -> bool {
    report.databases.values().all(|database| {
        let works = !matches!(database.state.as_str(), "held" | "problem");
        works && database.held.is_none() && database.paused.is_empty() && database.quarantined.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::error::ErrorKind;
    use crate::report::{DatabaseStatus, Notice};

    fn databases(change: impl FnOnce(&mut DatabaseStatus)) -> StatusReport {
        let mut database = DatabaseStatus {
            state: "synced".to_owned(),
            held: None,
            paused: BTreeMap::new(),
            quarantined: BTreeMap::new(),
            last_run: None,
            last_change: None,
            open_conflicts: 3,
            sides: BTreeMap::new(),
            tables: None,
        };
        change(&mut database);
        StatusReport { schema: SCHEMA, databases: BTreeMap::from([("d".to_owned(), database)]) }
    }

    #[test]
    fn what_waits_for_a_person_is_not_well() {
        let notice = || Notice { reason: "it was emptied".to_owned(), since: "1".to_owned() };
        assert!(is_well(&databases(|_| {})));
        assert!(is_well(&databases(|database| database.state = "changed".to_owned())));
        assert!(!is_well(&databases(|database| database.state = "problem".to_owned())));
        assert!(!is_well(&databases(|database| database.held = Some(notice()))));
        assert!(!is_well(&databases(|database| drop(database.paused.insert("t".to_owned(), notice())))));
        assert!(!is_well(&databases(|database| drop(database.quarantined.insert("s".to_owned(), notice())))));
    }

    #[test]
    fn a_part_that_fails_takes_no_other() {
        let logs = || LogsStatusReport { schema: SCHEMA, ok: true, logs: BTreeMap::new() };
        let fault = |what: &str| Error::new(ErrorKind::Io, format!("cannot read {what}")).hint("look at it");
        let report = SystemStatusReport::of(Ok(databases(|_| {})), Ok(logs()), Err(fault("the list")));
        assert_eq!((report.ok, report.exit_code()), (false, 2));
        assert_eq!(report.problems, ["security: cannot read the list; look at it"]);
        assert!(report.security.is_none() && report.databases.is_some() && report.logs == Some(logs()));
        let report = SystemStatusReport::of(Err(fault("a")), Err(fault("b")), Err(fault("c")));
        let names: Vec<&str> = report.problems.iter().filter_map(|what| what.split(':').next()).collect();
        assert_eq!(names, ["databases", "logs", "security"]);
    }
}
