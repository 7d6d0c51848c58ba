//! The operations over watched files, for C.
#![expect(unsafe_code, reason = "pointers of C programs")]

use std::ffi::c_char;
use std::ptr;

use super::call;
use super::error::Failure;
use super::options::Options;
use super::report::Report;
use super::system::System;
use crate::{integrity, security};

/// Tells whether the baseline can be believed, what the last check found, and how it is with the periodic jobs; changes
/// nothing.
///
/// The exit code of the report is always 0; the member `ok` says whether all is well, and `problems` what is not and
/// which command comes next.
///
/// Fails with `CR0_ERROR_CONFIG` when the list of what to watch makes no sense.
///
/// # Safety
/// `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_integrity_status(
    system: *const System,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        let report = security::status(&system.config)?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_integrity_status", &[], (system, ptr::null()), report, error, work) }
}

/// Compares watched files with the baseline.
///
/// Options: full, budget_ms, paths.
///
/// Fails with `CR0_ERROR_LOCKED` while another check is at work, `CR0_ERROR_CONFIG` when the list of what to watch
/// makes no sense, `CR0_ERROR_USAGE` when a path is not watched. What is wrong with a file or the baseline is a
/// finding.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_integrity_check(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = integrity::check(&system.config, &options.of_check())?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation(
            "cr0_integrity_check",
            &["full", "budget_ms", "paths"],
            (system, options),
            report,
            error,
            work,
        )
    }
}

/// Accepts everything as it is, or as the list in the file `import` says where that is not `NULL`.
///
/// Fails with `CR0_ERROR_ACCESS` for everybody but the user of the cron jobs and root, `CR0_ERROR_CORRUPT` when
/// `import` is no such list, `CR0_ERROR_LOCKED` while a check is at work. The baseline before is as it was then.
///
/// # Safety
/// `system` must be `NULL` or a system; texts must be `NULL` or end with a zero byte; `report` and `error` must be
/// `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_integrity_baseline(
    system: *const System,
    import: *const c_char,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        // SAFETY: as the function asks.
        let import = unsafe { call::perhaps_path(import) };
        let report = integrity::baseline(&system.config, import.as_deref())?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_integrity_baseline", &[], (system, ptr::null()), report, error, work) }
}

/// Accepts some paths as they are; `paths` are `count` of them, of any bytes.
///
/// Options: dry_run.
///
/// Fails with `CR0_ERROR_USAGE` without paths or when one is not watched, `CR0_ERROR_ACCESS` for everybody but the user
/// of the cron jobs and root, `CR0_ERROR_CORRUPT` when the baseline cannot be believed: only a new one helps then.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `paths` must be `NULL` or lead to `count` texts
/// that end with a zero byte; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_integrity_accept(
    system: *const System,
    paths: *const *const c_char,
    count: usize,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        // SAFETY: as the function asks.
        let paths = unsafe { call::paths(paths, count, "paths") }?;
        let report = integrity::accept(&system.config, &paths, options.accept())?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_integrity_accept", &["dry_run"], (system, options), report, error, work) }
}

/// Silences findings: the open alerts about `count` paths, of any bytes, become `acknowledged`. They stay findings, and a file
/// that changes again is told of anew. `by` says who asks, in his own words; it is put on record.
///
/// Fails with `CR0_ERROR_USAGE` without paths, and where `by` is longer than 200 bytes or more than a line;
/// `CR0_ERROR_ACCESS` or `CR0_ERROR_IO` where the event log or the alerts cannot be written. Nothing is silenced then.
///
/// # Safety
/// `system` must be `NULL` or a system; `paths` must be `NULL` or lead to `count` paths that end with a zero byte, and `by`
/// must be `NULL` or end with a zero byte; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_integrity_silence(
    system: *const System,
    paths: *const *const c_char,
    count: usize,
    by: *const c_char,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        // SAFETY: as the function asks.
        let (paths, by) = unsafe { (call::paths(paths, count, "paths")?, call::text(by, "by")?) };
        Report::new(&integrity::silence(&system.config, &paths, by)?, 0)
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_integrity_silence", &[], (system, ptr::null()), report, error, work) }
}

/// Watches over files, and checks at once what the kernel says has changed, until its time is over or the callback says
/// stop, which is called several times a second.
///
/// Options: seconds, progress.
///
/// Fails with `CR0_ERROR_LOCKED` while another watcher is at work, `CR0_ERROR_CONFIG` when the list of what to watch
/// makes no sense.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_integrity_watch(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let mut turn = |news: &integrity::WatchNews<'_>| options.tell(news);
        let report = integrity::watch(&system.config, options.watch(), &mut turn)?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation(
            "cr0_integrity_watch",
            &["seconds", "progress"],
            (system, options),
            report,
            error,
            work,
        )
    }
}

/// Does what is due of the periodic jobs over files, keys and events; what cron calls each minute.
///
/// Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_ACCESS` for everybody but the user of the
/// cron jobs and root. A job that fails is in the report, with exit code 2.
///
/// # Safety
/// `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_security_run(
    system: *const System,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        let report = security::run(&system.config)?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_security_run", &[], (system, ptr::null()), report, error, work) }
}
