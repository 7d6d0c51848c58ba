//! API keys and sessions, for C. What a client sends is bytes with a length: it may hold anything.
#![expect(unsafe_code, reason = "pointers of C programs")]

use std::ffi::c_char;
use std::ptr;

use super::call;
use super::error::Failure;
use super::options::Options;
use super::report::Report;
use super::system::System;
use crate::access::{Permission, keys, sessions};
use crate::error::Result;

/// Makes a key for a user; the report shows it, once. `permissions` are `count` of `read`, `write`, `admin`, `system`.
///
/// Options: expires_in.
///
/// Fails with `CR0_ERROR_USAGE` when the request makes no sense, `CR0_ERROR_LOCKED` when another process writes for
/// seconds. There is no key then.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `permissions` must be `NULL` or lead to `count`
/// texts, and texts must be `NULL` or end with a zero byte; `report` and `error` must be `NULL` or lead to where a
/// pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_api_key_issue(
    system: *const System,
    user_id: *const c_char,
    name: *const c_char,
    permissions: *const *const c_char,
    count: usize,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        // SAFETY: as the function asks.
        let (user_id, name) = unsafe { (call::text(user_id, "user_id")?, call::text(name, "name")?) };
        // SAFETY: as the function asks.
        let words = unsafe { call::texts(permissions, count, "permissions") }?;
        let permissions = words.into_iter().map(Permission::named).collect::<Result<Vec<_>>>()?;
        let (user_id, name) = (user_id.to_owned(), name.to_owned());
        let request = keys::Request { user_id, name, permissions, expires_in: options.expires_in() };
        Report::new(&keys::issue(&system.config, &request)?, 0)
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_api_key_issue", &["expires_in"], (system, options), report, error, work) }
}

/// Says whether a key, of `length` bytes as a client sent it, may do something.
///
/// The exit code of the report is 0 when it may and 1 when not; the reason in it is for the log, not for the client.
///
/// Fails with `CR0_ERROR_USAGE` for a permission that is none, `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when the file of
/// keys cannot be read. Let nobody in then.
///
/// # Safety
/// `system` must be `NULL` or a system; `key` must be `NULL` or lead to `length` bytes, and `permission` must be `NULL`
/// or end with a zero byte; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_api_key_verify(
    system: *const System,
    key: *const c_char,
    length: usize,
    permission: *const c_char,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        // SAFETY: as the function asks.
        let (key, permission) =
            unsafe { (call::bytes(key, length, "key")?, call::text(permission, "permission")?) };
        let verdict = keys::verify(&system.config, key, Permission::named(permission)?)?;
        Report::new(&verdict, i32::from(!verdict.granted))
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_api_key_verify", &[], (system, ptr::null()), report, error, work) }
}

/// Takes a key back, by its id; every process refuses it from then on.
///
/// Fails with `CR0_ERROR_USAGE` when no key has this id, `CR0_ERROR_LOCKED` when another process writes for seconds.
///
/// # Safety
/// `system` must be `NULL` or a system; texts must be `NULL` or end with a zero byte; `report` and `error` must be
/// `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_api_key_revoke(
    system: *const System,
    id: *const c_char,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        // SAFETY: as the function asks.
        let id = unsafe { call::text(id, "id") }?;
        Report::new(&keys::revoke(&system.config, id)?, 0)
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_api_key_revoke", &[], (system, ptr::null()), report, error, work) }
}

/// Makes a new key in place of another, which counts for `grace` seconds more. The report shows the new one, once.
///
/// Options: expires_in.
///
/// Fails with `CR0_ERROR_USAGE` when no key has this id or it counts no longer, `CR0_ERROR_LOCKED` when another process
/// writes for seconds.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; texts must be `NULL` or end with a zero byte;
/// `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_api_key_rotate(
    system: *const System,
    id: *const c_char,
    grace: u64,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        // SAFETY: as the function asks.
        let id = unsafe { call::text(id, "id") }?;
        Report::new(&keys::rotate(&system.config, id, grace, options.expires_in())?, 0)
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_api_key_rotate", &["expires_in"], (system, options), report, error, work) }
}

/// Lists the keys, of one user where `user_id` is not `NULL`, without anything that could be used as one.
///
/// Fails with `CR0_ERROR_CORRUPT` when the file makes no sense.
///
/// # Safety
/// `system` must be `NULL` or a system; `user_id` must be `NULL` or end with a zero byte; `report` and `error` must be
/// `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_api_key_list(
    system: *const System,
    user_id: *const c_char,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        // SAFETY: as the function asks.
        let user_id = unsafe { call::perhaps_text(user_id, "user_id") }?;
        let report = keys::list(&system.config, user_id)?;
        Report::new(&report, i32::from(!report.warnings.is_empty()))
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_api_key_list", &[], (system, ptr::null()), report, error, work) }
}

/// Opens a session for a user; the report shows its token, once. `permissions` are as for keys; `ip` and `user_agent`
/// are what the client says, or `NULL`; `minutes` is how long it counts, 0 being what the configuration says.
///
/// Fails with `CR0_ERROR_USAGE` when the request makes no sense, `CR0_ERROR_LOCKED` when another process writes for
/// seconds. There is no session then.
///
/// # Safety
/// `system` must be `NULL` or a system; `permissions` must be `NULL` or lead to `count` texts, and texts must be `NULL`
/// or end with a zero byte; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_session_open(
    system: *const System,
    user_id: *const c_char,
    permissions: *const *const c_char,
    count: usize,
    ip: *const c_char,
    user_agent: *const c_char,
    minutes: u32,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        // SAFETY: as the function asks.
        let user_id = unsafe { call::text(user_id, "user_id") }?;
        // SAFETY: as the function asks.
        let words = unsafe { call::texts(permissions, count, "permissions") }?;
        let permissions = words.into_iter().map(Permission::named).collect::<Result<Vec<_>>>()?;
        // SAFETY: as the function asks.
        let (ip, user_agent) = unsafe { (call::perhaps_lossy(ip), call::perhaps_lossy(user_agent)) };
        let request = sessions::Request {
            user_id: user_id.to_owned(),
            permissions,
            ip: ip.unwrap_or_default(),
            user_agent: user_agent.unwrap_or_default(),
            minutes: (minutes > 0).then_some(minutes),
        };
        Report::new(&sessions::open(&system.config, &request)?, 0)
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_session_open", &[], (system, ptr::null()), report, error, work) }
}

/// Says whether a session, by its token of `length` bytes, may do something.
///
/// The exit code of the report is 0 when it may and 1 when not.
///
/// Fails with `CR0_ERROR_USAGE` for a permission that is none, `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when the file of
/// sessions cannot be read. Let nobody in then.
///
/// # Safety
/// `system` must be `NULL` or a system; `token` must be `NULL` or lead to `length` bytes, and `permission` must be
/// `NULL` or end with a zero byte; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_session_verify(
    system: *const System,
    token: *const c_char,
    length: usize,
    permission: *const c_char,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        // SAFETY: as the function asks.
        let (token, permission) =
            unsafe { (call::bytes(token, length, "token")?, call::text(permission, "permission")?) };
        let verdict = sessions::verify(&system.config, token, Permission::named(permission)?)?;
        Report::new(&verdict, i32::from(!verdict.granted))
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_session_verify", &[], (system, ptr::null()), report, error, work) }
}

/// Ends a session, by its token or id of `length` bytes.
///
/// Fails with `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when a file cannot be read or written; it may be closed already.
/// That there is no such session is no error.
///
/// # Safety
/// `system` must be `NULL` or a system; `session` must be `NULL` or lead to `length` bytes; `report` and `error` must
/// be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_session_close(
    system: *const System,
    session: *const c_char,
    length: usize,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        // SAFETY: as the function asks.
        let session = unsafe { call::bytes(session, length, "session") }?;
        Report::new(&sessions::close(&system.config, session)?, 0)
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_session_close", &[], (system, ptr::null()), report, error, work) }
}

/// Lists the sessions, or those of a user, the newest first, without anything that lets somebody in; `NULL` as user is
/// everybody. The member `total` of the report says how many there are, those on other pages too.
///
/// Options: skip, limit (all unless given). The exit code of the report is 1 when something of the file makes no sense.
///
/// Fails with `CR0_ERROR_CORRUPT` when all of it makes none, `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when it cannot be read.
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `user_id` must be `NULL` or end with a zero byte;
/// `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_session_list(
    system: *const System,
    user_id: *const c_char,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        // SAFETY: as the function asks.
        let user_id = unsafe { call::perhaps_text(user_id, "user_id") }?;
        let report = sessions::list(&system.config, user_id, options.page())?;
        Report::new(&report, i32::from(!report.warnings.is_empty()))
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_session_list", &["skip", "limit"], (system, options), report, error, work) }
}

/// Removes the sessions whose time is over.
///
/// Fails with `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when a file cannot be read or written.
///
/// # Safety
/// `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_session_cleanup(
    system: *const System,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        let report = sessions::cleanup(&system.config)?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_session_cleanup", &[], (system, ptr::null()), report, error, work) }
}
