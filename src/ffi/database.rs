//! The operations over databases, for C.
#![expect(unsafe_code, reason = "pointers of C programs")]

use std::ffi::c_char;
use std::ptr;

use super::call;
use super::error::Failure;
use super::options::Options;
use super::report::{OF_DATABASES, Report};
use super::system::System;
use crate::database::{self, Request, Take};
use crate::error::Result;
use crate::report::SyncReport;

/// The report of a run.
fn of_run(report: &SyncReport) -> Result<Report> {
    Ok(Report::new(report, report.exit_code())?.counting(OF_DATABASES))
}

/// Tells what is known of every side of every database, and changes nothing.
///
/// Options: database, explain.
///
/// Fails with `CR0_ERROR_USAGE` where a name fits no database, `CR0_ERROR_CONFIG` when a policy names what is not
/// there.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_status(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = database::status(&system.config, &options.of_databases(), options.detail())?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation("cr0_db_status", &["database", "explain"], (system, options), report, error, work)
    }
}

/// Merges all sides of the databases, both ways.
///
/// What is wrong with one database is in the report, and the others go on. Options: database, dry_run, force,
/// verify, progress.
///
/// Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no database,
/// `CR0_ERROR_CANCELLED` when the callback said stop: the database that it was at is as it was, those before it are
/// merged.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_sync(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let mut tell = |progress: &database::Progress<'_>| options.tell(progress);
        let report = database::sync_with(&system.config, &options.of_databases(), &mut tell)?;
        of_run(&report)
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation(
            "cr0_db_sync",
            &["database", "dry_run", "force", "verify", "progress"],
            (system, options),
            report,
            error,
            work,
        )
    }
}

/// Makes the hub equal to one side, deletions included, after an emergency copy.
///
/// Options: database, dry_run, force, progress.
///
/// Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no database or the
/// side is not configured, `CR0_ERROR_CANCELLED` when the callback said stop.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; texts must be `NULL` or end with a zero byte;
/// `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_force_sync(
    system: *const System,
    side: *const c_char,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        // SAFETY: as the function asks.
        let side = unsafe { call::text(side, "side") }?;
        let mut tell = |progress: &database::Progress<'_>| options.tell(progress);
        let report = database::sync_from_with(&system.config, side, &options.of_databases(), &mut tell)?;
        of_run(&report)
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation(
            "cr0_db_force_sync",
            &["database", "dry_run", "force", "progress"],
            (system, options),
            report,
            error,
            work,
        )
    }
}

/// Lists the conflicts on record, oldest first; the member `total` of the report says how many fit, those on other pages
/// too.
///
/// Options: database, show_secrets, status, ids, skip, limit (all unless given).
///
/// Fails with `CR0_ERROR_USAGE` where a name fits no database, or no conflict can be so.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_conflicts(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let selection = options.selection();
        let report = database::conflicts_of(&system.config, &options.of_databases(), &selection)?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation(
            "cr0_db_conflicts",
            &["database", "show_secrets", "status", "ids", "skip", "limit"],
            (system, options),
            report,
            error,
            work,
        )
    }
}

/// Decides a conflict differently: `take` is the name of a side, `base` or `both`.
///
/// Options: dry_run, force.
///
/// Fails with `CR0_ERROR_STALE` when the row has changed since, `CR0_ERROR_LOCKED` while another run is at work,
/// `CR0_ERROR_USAGE` for an id that is unknown or a choice that makes no sense; the hint says what can be taken.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; texts must be `NULL` or end with a zero byte;
/// `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_resolve(
    system: *const System,
    id: *const c_char,
    take: *const c_char,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        // SAFETY: as the function asks.
        let id = unsafe { call::text(id, "id") }?;
        // SAFETY: as the function asks.
        let take = unsafe { call::text(take, "take") }?;
        let report = database::resolve(&system.config, id, Take::from(take), &options.of_databases())?;
        of_run(&report)
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation("cr0_db_resolve", &["dry_run", "force"], (system, options), report, error, work)
    }
}

/// Marks conflicts as seen; `ids` are `count` of them.
///
/// Options: dry_run.
///
/// Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` for an id that is unknown: nothing is
/// marked then.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `ids` must be `NULL` or lead to `count` texts that
/// end with a zero byte; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_acknowledge(
    system: *const System,
    ids: *const *const c_char,
    count: usize,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        // SAFETY: as the function asks.
        let ids: Vec<String> =
            unsafe { call::texts(ids, count, "ids") }?.into_iter().map(str::to_owned).collect();
        let report = database::acknowledge(&system.config, &ids, options.of_databases().mode)?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_db_acknowledge", &["dry_run"], (system, options), report, error, work) }
}

/// Lists the runs that did something, newest first.
///
/// Options: database, limit.
///
/// Fails with `CR0_ERROR_USAGE` where a name fits no database.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_history(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = database::history(&system.config, &options.of_databases(), options.limit())?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation("cr0_db_history", &["database", "limit"], (system, options), report, error, work)
    }
}

/// Takes a run back, by its number in the history, after an emergency copy.
///
/// Options: database, dry_run.
///
/// Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no database, or when
/// the run is unknown or cannot be taken back: then the hint says what can.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; texts must be `NULL` or end with a zero byte;
/// `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_undo(
    system: *const System,
    run: *const c_char,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        // SAFETY: as the function asks.
        let run = unsafe { call::text(run, "run") }?;
        let report = database::undo(&system.config, run, &options.of_databases())?;
        of_run(&report)
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation("cr0_db_undo", &["database", "dry_run"], (system, options), report, error, work)
    }
}

/// Makes a verified backup of every side.
///
/// Options: database, dry_run.
///
/// Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no database. What
/// goes wrong with one side is in the report.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_backup(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = database::backup(&system.config, &options.of_databases())?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation("cr0_db_backup", &["database", "dry_run"], (system, options), report, error, work)
    }
}

/// Lists the backups there are, and why each is kept.
///
/// Options: database.
///
/// Fails with `CR0_ERROR_USAGE` where a name fits no database.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_backups(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = database::backups(&system.config, &options.of_databases())?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_db_backups", &["database"], (system, options), report, error, work) }
}

/// Writes a backup, by its id or by a path, which may be any bytes, into a live file, after an emergency copy.
///
/// Options: database, side, all_sides, dry_run, force.
///
/// Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` for a backup or side that is unknown,
/// `CR0_ERROR_CORRUPT` for a backup that is not sound, `CR0_ERROR_BUSY` when others keep the live file locked,
/// `CR0_ERROR_STALE` while a run that was interrupted is to be finished. Nothing is changed then.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; texts must be `NULL` or end with a zero byte;
/// `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_restore(
    system: *const System,
    backup: *const c_char,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        // SAFETY: as the function asks.
        let backup = unsafe { call::perhaps_path(backup) }.ok_or_else(|| call::null("backup"))?;
        let report = database::restore(&system.config, &backup, &options.target()?, &options.of_databases())?;
        of_run(&report)
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation(
            "cr0_db_restore",
            &["database", "side", "all_sides", "dry_run", "force"],
            (system, options),
            report,
            error,
            work,
        )
    }
}

/// Removes the backups that no rule keeps.
///
/// Options: database, dry_run.
///
/// Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no database.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_clean_backups(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = database::clean_backups(&system.config, &options.of_databases())?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation(
            "cr0_db_clean_backups",
            &["database", "dry_run"],
            (system, options),
            report,
            error,
            work,
        )
    }
}

/// Checks the newest backups, the sides, and that what is remembered of them agrees.
///
/// Options: database.
///
/// Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no database. A file
/// that is not sound is in the report.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
/// where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_verify(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = database::verify(&system.config, &options.of_databases())?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_db_verify", &["database"], (system, options), report, error, work) }
}

/// Asks for something that the user who runs the sync will do with his next run: `action` and `arguments`, a JSON
/// object, are those of the PHP function `cr0_db_enqueue`; `by` says who asks, in his own words.
///
/// Fails with `CR0_ERROR_USAGE` for an action, argument, database or side that makes no sense, `CR0_ERROR_BUSY` when
/// the queue is full, `CR0_ERROR_ACCESS` for a user who may not write to it.
///
/// # Safety
/// `system` must be `NULL` or a system; texts must be `NULL` or end with a zero byte; `report` and `error` must be
/// `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_enqueue(
    system: *const System,
    action: *const c_char,
    arguments: *const c_char,
    by: *const c_char,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        // SAFETY: as the function asks.
        let (action, arguments, by) = unsafe {
            (call::text(action, "action")?, call::text(arguments, "arguments")?, call::text(by, "by")?)
        };
        let request = Request::new(action, call::object(arguments, "arguments")?, by)?;
        let report = database::enqueue(&system.config, &request)?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_db_enqueue", &[], (system, ptr::null()), report, error, work) }
}

/// Lists what was asked for, and what came of it.
///
/// # Safety
/// `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_db_queue(
    system: *const System,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        let report = database::queue(&system.config)?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_db_queue", &[], (system, ptr::null()), report, error, work) }
}
