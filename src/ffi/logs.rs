//! The operations over logs, for C.
#![expect(unsafe_code, reason = "pointers of C programs")]

use super::call;
use super::error::Failure;
use super::options::Options;
use super::report::{OF_LOGS, OF_MERGES, Report};
use super::system::System;
use crate::logs;

/// Tells how far each copy of each log is, and changes nothing.
///
/// Options: logs.
///
/// Fails with `CR0_ERROR_USAGE` where a name fits no log, `CR0_ERROR_CORRUPT` when what is known cannot be read.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_log_status(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = logs::status(&system.config, &options.of_logs())?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_log_status", &["logs"], (system, options), report, error, work) }
}

/// Merges logs both ways, each line exactly once.
///
/// Options: logs, dry_run, force, progress.
///
/// Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no log,
/// `CR0_ERROR_CANCELLED` when the callback said stop: what is done by then stays done.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_log_merge(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let mut tell = |progress: &logs::Progress<'_>| options.tell(progress);
        let report = logs::merge_watched(&system.config, &options.of_logs(), &mut tell)?;
        Ok(Report::new(&report, report.exit_code())?.counting(OF_MERGES))
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation(
            "cr0_log_merge",
            &["logs", "dry_run", "force", "progress"],
            (system, options),
            report,
            error,
            work,
        )
    }
}

/// Merges logs, and rotates the archives that are due, or with force all.
///
/// Options: logs, dry_run, force, progress.
///
/// Fails as `cr0_log_merge` does.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_log_rotate(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let mut tell = |progress: &logs::Progress<'_>| options.tell(progress);
        let report = logs::rotate_watched(&system.config, &options.of_logs(), &mut tell)?;
        Ok(Report::new(&report, report.exit_code())?.counting(OF_LOGS))
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation(
            "cr0_log_rotate",
            &["logs", "dry_run", "force", "progress"],
            (system, options),
            report,
            error,
            work,
        )
    }
}

/// Removes rotated files that are old and that every copy has got.
///
/// Options: logs, dry_run.
///
/// Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no log.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_log_clean(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = logs::clean(&system.config, &options.of_logs())?;
        Ok(Report::new(&report, report.exit_code())?.counting(OF_LOGS))
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_log_clean", &["logs", "dry_run"], (system, options), report, error, work) }
}

/// Proves that the archives are what was merged.
///
/// Options: logs.
///
/// Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no log,
/// `CR0_ERROR_CORRUPT` when what is known cannot be read.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_log_verify(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = logs::verify(&system.config, &options.of_logs())?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_log_verify", &["logs"], (system, options), report, error, work) }
}
