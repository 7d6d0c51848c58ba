//! What people need who run all of it: what is wrong, how it is, and which events they are to be told of; for C.
#![expect(unsafe_code, reason = "pointers of C programs")]

use std::ffi::c_char;
use std::ptr;

use super::call;
use super::error::Failure;
use super::options::Options;
use super::report::Report;
use super::system::System;
use crate::{alerts, doctor, metrics};

/// Looks at the whole installation, and says of each thing how it is, and what to do; changes nothing.
///
/// Options: crontab. The exit code of the report is 1 with warnings and 2 with problems.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to where
/// a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_doctor(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = doctor::examine(&system.config, &options.shell());
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_doctor", &["crontab"], (system, options), report, error, work) }
}

/// Says how it is, as the member `text` of the report, in the text format of Prometheus.
///
/// Options: file. It is replaced, whole or not at all, and everybody may read it.
///
/// Fails with `CR0_ERROR_USAGE` when the path is no file's, `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when it cannot be written.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to where
/// a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_metrics(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = match options.file() {
            Some(file) => metrics::write(&system.config, file)?,
            None => metrics::metrics(&system.config)?,
        };
        Report::new(&report, 0)
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_metrics", &["file"], (system, options), report, error, work) }
}

/// Says which events somebody is to be told of who was not told yet, as bad as the section `alerts` of the configuration
/// says; and of no more than it allows in an hour. The same are given again until `cr0_alerts_told` is called with the
/// member `token` of the report.
///
/// Fails with `CR0_ERROR_ACCESS` for everybody but the user of the cron jobs and root.
///
/// # Safety
/// `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_alerts(
    system: *const System,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| Report::new(&alerts::due(&system.config)?, 0);
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_alerts", &[], (system, ptr::null()), report, error, work) }
}

/// Writes down that somebody was told of what `cr0_alerts` gave with this token.
///
/// Fails with `CR0_ERROR_USAGE` when it was not the last that was given, `CR0_ERROR_ACCESS` for everybody but the user of
/// the cron jobs and root.
///
/// # Safety
/// `system` must be `NULL` or a system; `token` must be `NULL` or end with a zero byte; `report` and `error` must be `NULL`
/// or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_alerts_told(
    system: *const System,
    token: *const c_char,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        // SAFETY: as the function asks.
        let token = unsafe { call::text(token, "token") }?;
        Report::new(&alerts::told(&system.config, token)?, 0)
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_alerts_told", &[], (system, ptr::null()), report, error, work) }
}
