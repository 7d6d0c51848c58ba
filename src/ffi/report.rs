//! What an operation returns, as C sees it: a JSON document, a few counts, and what a script would end with.
#![expect(unsafe_code, reason = "pointers of C programs")]

use std::ffi::{CString, c_char};
use std::ptr;

use serde::Serialize;
use serde_json::Value as Json;

use super::error::text;
use crate::error::{Error, ErrorKind, Result};

/// New conflicts of a run, or the conflicts of a list.
pub const CR0_COUNT_CONFLICTS: i32 = 1;
/// Rows that are new on some side, over all sides.
pub const CR0_COUNT_INSERTED: i32 = 2;
/// Rows that changed on some side, over all sides.
pub const CR0_COUNT_UPDATED: i32 = 3;
/// Rows that are gone from some side, over all sides.
pub const CR0_COUNT_DELETED: i32 = 4;
/// Lines that were appended to some copy of a log, over all copies.
pub const CR0_COUNT_LINES: i32 = 5;
/// Findings of a check of files.
pub const CR0_COUNT_FINDINGS: i32 = 6;
/// Events that were found.
pub const CR0_COUNT_EVENTS: i32 = 7;
/// Warnings for people, wherever they stand in the report.
pub const CR0_COUNT_WARNINGS: i32 = 8;
/// What a new baseline accepted that the one before it did not.
pub const CR0_COUNT_CHANGED: i32 = 9;
/// Places at which the chain of events does not hold, those that are acknowledged too.
pub const CR0_COUNT_BREAKS: i32 = 10;
/// Findings of a run of the periodic jobs, or of a check, that are new since the check before.
pub const CR0_COUNT_NEW_FINDINGS: i32 = 11;

/// Where in a document the numbers of a count stand; `*` is every member. A list counts its elements.
const COUNTS: [(i32, &[&[&str]]); 11] = [
    (CR0_COUNT_CONFLICTS, &[&["conflicts"]]),
    (CR0_COUNT_INSERTED, &[&["databases", "*", "sides", "*", "inserted"]]),
    (CR0_COUNT_UPDATED, &[&["databases", "*", "sides", "*", "updated"]]),
    (CR0_COUNT_DELETED, &[&["databases", "*", "sides", "*", "deleted"]]),
    (CR0_COUNT_LINES, &[&["logs", "*", "sides", "*", "lines"]]),
    (CR0_COUNT_FINDINGS, &[&["findings"]]),
    (CR0_COUNT_EVENTS, &[&["events"]]),
    (CR0_COUNT_WARNINGS, &[&["warnings"], &["databases", "*", "warnings"], &["logs", "*", "warnings"]]),
    (CR0_COUNT_CHANGED, &[&["changed_count"]]),
    (CR0_COUNT_BREAKS, &[&["breaks"]]),
    (CR0_COUNT_NEW_FINDINGS, &[&["new_findings"]]),
];

/// What every run over databases counts, also one that was about none.
pub(super) const OF_DATABASES: &[i32] =
    &[CR0_COUNT_CONFLICTS, CR0_COUNT_INSERTED, CR0_COUNT_UPDATED, CR0_COUNT_DELETED, CR0_COUNT_WARNINGS];
/// What every merge of logs counts.
pub(super) const OF_MERGES: &[i32] = &[CR0_COUNT_LINES, CR0_COUNT_WARNINGS];
/// What all else that is done to logs counts.
pub(super) const OF_LOGS: &[i32] = &[CR0_COUNT_WARNINGS];

/// What an operation returned. It belongs to the caller, who frees it with `cr0_report_free`.
#[derive(Debug)]
pub struct Report {
    document: Json,
    json: CString,
    exit_code: i32,
    /// What it counts also where it lists nothing that could be counted.
    counts: &'static [i32],
}

impl Report {
    /// The report of a document, and what a script would end with.
    pub(super) fn new(document: &impl Serialize, exit_code: i32) -> Result<Report> {
        let document = serde_json::to_value(document).map_err(|cause| {
            Error::new(ErrorKind::Internal, "cannot write the report as JSON").because(cause)
        })?;
        let json = text(document.to_string());
        Ok(Report { document, json, exit_code, counts: &[] })
    }

    /// The same for a kind of report that has these counts, be there nothing to count: a document that lists nothing
    /// looks the same as one that could not tell.
    pub(super) fn counting(self, counts: &'static [i32]) -> Report {
        Report { counts, ..self }
    }

    /// A count, where the document has it.
    pub(super) fn count(&self, what: i32) -> Option<i64> {
        let (_, paths) = COUNTS.iter().find(|(name, _)| *name == what)?;
        let mut sum = None;
        for path in *paths {
            if let Some(count) = counted(&self.document, path) {
                sum = Some(count.saturating_add(sum.unwrap_or(0)));
            }
        }
        sum.or_else(|| self.counts.contains(&what).then_some(0))
    }
}

fn counted(value: &Json, path: &[&str]) -> Option<i64> {
    let Some((name, rest)) = path.split_first() else {
        return match value {
            Json::Number(number) => number.as_i64(),
            Json::Array(list) => i64::try_from(list.len()).ok(),
            _ => None,
        };
    };
    let object = value.as_object()?;
    if *name == "*" {
        return object.values().filter_map(|value| counted(value, rest)).reduce(i64::saturating_add);
    }
    counted(object.get(*name)?, rest)
}

/// Hands out the whole report as one JSON document, UTF-8, with its version in the member `schema`. `NULL` for `NULL`.
///
/// The text belongs to the report and lives as long. Its shapes are those of the PHP functions and of the scripts'
/// `--json`.
///
/// # Safety
/// `report` must be `NULL` or a report that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_report_json(report: *const Report) -> *const c_char {
    // SAFETY: as the function asks.
    unsafe { report.as_ref() }.map_or(ptr::null(), |report| report.json.as_ptr())
}

/// Says what a script would end with: 0 where everything is well, 1 where somebody should look at it (conflicts,
/// findings, a key that is refused), 2 where a part failed. -1 for `NULL`.
///
/// # Safety
/// `report` must be `NULL` or a report that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_report_exit_code(report: *const Report) -> i32 {
    // SAFETY: as the function asks.
    unsafe { report.as_ref() }.map_or(-1, |report| report.exit_code)
}

/// Counts something in a report, `what` being one of the `CR0_COUNT_` numbers. -1 where such a report does not tell; 0 where
/// it does, also when it lists no database or log.
///
/// # Safety
/// `report` must be `NULL` or a report that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_report_count(report: *const Report, what: i32) -> i64 {
    // SAFETY: as the function asks.
    unsafe { report.as_ref() }.and_then(|report| report.count(what)).unwrap_or(-1)
}

/// Frees a report. Does nothing for `NULL`.
///
/// # Safety
/// `report` must be `NULL` or a report that was not freed; its JSON may not be used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_report_free(report: *mut Report) {
    if !report.is_null() {
        // SAFETY: it came out of a box, and the caller gives it back once.
        drop(unsafe { Box::from_raw(report) });
    }
}
