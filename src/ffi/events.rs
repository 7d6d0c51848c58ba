//! The security event log, for C.
#![expect(unsafe_code, reason = "pointers of C programs")]

use std::ffi::c_char;
use std::ptr;

use serde_json::{Map, Value as Json};

use super::call;
use super::error::Failure;
use super::options::Options;
use super::report::Report;
use super::system::System;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Event, Filter, Severity};
use crate::security;

fn of_word(word: &str) -> Result<Severity> {
    Severity::of(word).ok_or_else(|| {
        let all: Vec<&str> = Severity::ALL.iter().map(|severity| severity.word()).collect();
        Error::new(ErrorKind::Usage, format!("the severity must be one of {}", all.join(", ")))
    })
}

/// Puts something that happened on record.
///
/// `kind` is a word; `details` a JSON object, or `NULL`; `severity` is `INFO`, `LOW`, `MEDIUM`, `HIGH` or `CRITICAL`,
/// `NULL` being `INFO`; `ip` and `session` are what is known, or `NULL`. Values under names that say that they are
/// secret are hidden.
///
/// Fails with `CR0_ERROR_USAGE` when `kind` is no word or `details` no object, `CR0_ERROR_LOCKED` when another
/// process writes for seconds, `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when it cannot be written. Nothing of it is on
/// record then.
///
/// # Safety
/// `system` must be `NULL` or a system; texts must be `NULL` or end with a zero byte; `report` and `error` must be
/// `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_event(
    system: *const System,
    kind: *const c_char,
    details: *const c_char,
    severity: *const c_char,
    ip: *const c_char,
    session: *const c_char,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        // SAFETY: as the function asks.
        let (kind, details, word) = unsafe {
            (
                call::text(kind, "kind")?,
                call::perhaps_text(details, "details")?,
                call::perhaps_text(severity, "severity")?,
            )
        };
        // SAFETY: as the function asks.
        let (ip, session) = unsafe { (call::perhaps_lossy(ip), call::perhaps_lossy(session)) };
        let details =
            details.map_or(Ok(Json::Null), |details| call::object(details, "details").map(Json::Object))?;
        let severity = word.map_or(Ok(Severity::Info), of_word)?;
        let event = Event { kind: kind.to_owned(), severity, details, ip, session };
        Report::new(&events::record(&system.config, &event)?, 0)
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_event", &[], (system, ptr::null()), report, error, work) }
}

/// Looks for events, the newest first.
///
/// `filter` is a JSON object with any of `type` (a word or a list), `severity` (at least), `since` and `until` (as
/// `2025-07-14` or `2025-07-14T09:31:02Z`), `ip`, `session`, `text` (anywhere in it), `skip` and `limit` (1 to 10,000);
/// `NULL` is the newest hundred. Archives are looked through for half a minute at most; the member `problems` of the
/// report says what was not.
///
/// Fails with `CR0_ERROR_USAGE` when the filter or a time in it makes no sense.
///
/// # Safety
/// `system` must be `NULL` or a system; texts must be `NULL` or end with a zero byte; `report` and `error` must be
/// `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_event_query(
    system: *const System,
    filter: *const c_char,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        // SAFETY: as the function asks.
        let filter = unsafe { call::perhaps_text(filter, "filter") }?;
        let filter = filter.map_or_else(|| Ok(Map::new()), |filter| call::object(filter, "filter"))?;
        let filter = Filter::parse(&filter)
            .map_err(|what| Error::new(ErrorKind::Usage, format!("the argument filter {what}")))?;
        Report::new(&events::query(&system.config, &filter)?, 0)
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_event_query", &[], (system, ptr::null()), report, error, work) }
}

/// Moves the lines of past days from the log into its archive.
///
/// Fails with `CR0_ERROR_LOCKED` while another process archives or verifies. Nothing is lost then, and the next call
/// goes on.
///
/// # Safety
/// `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_event_archive(
    system: *const System,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        let report = events::archive(&system.config)?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_event_archive", &[], (system, ptr::null()), report, error, work) }
}

/// Proves that the log and its archives are what was written, and holds the event that was the last one when they were
/// verified before. Called by the user of the cron jobs, it is what `cr0_integrity_status` tells from then on.
///
/// Options: acknowledge. The exit code of the report is 1 where something is wrong that nobody has acknowledged.
///
/// Fails with `CR0_ERROR_LOCKED` while another process archives or verifies; to acknowledge, also while a run is at work,
/// and with `CR0_ERROR_ACCESS` for everybody but the user of the cron jobs and root. What is wrong in the log is in the
/// report.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to where
/// a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_event_verify(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = security::verify_events(&system.config, options.look())?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_event_verify", &["acknowledge"], (system, options), report, error, work) }
}
