//! A configuration, opened, as C sees it.
#![expect(unsafe_code, reason = "pointers of C programs")]

use std::ffi::{CString, c_char};
use std::path::PathBuf;
use std::process;
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::json;

use super::call;
use super::error::{Failure, text};
use super::options::Options;
use super::report::Report;
use crate::access::limits::{Check, Limiter};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::report::RateLimitReport;
use crate::status;

/// The environment variable that names the configuration file.
const ENVIRONMENT: &str = "CR0SYNC_CONFIG";

/// A configuration, opened. It belongs to the caller, who frees it with `cr0_system_free`.
///
/// Used by one thread at a time. A child of `fork` opens its own. What the configuration file says is read once, when
/// it is opened.
#[derive(Debug)]
pub struct System {
    pub(super) config: Config,
    limiter: Mutex<Option<Limiter>>,
    process: u32,
}

impl System {
    fn open(config: Option<PathBuf>, root: Option<PathBuf>) -> Result<System> {
        let environment =
            || std::env::var_os(ENVIRONMENT).filter(|value| !value.is_empty()).map(PathBuf::from);
        let file = config.or_else(environment);
        let config = Config::load(file.as_deref(), root.as_deref())?;
        Ok(System { config, limiter: Mutex::new(None), process: process::id() })
    }

    /// That it was not opened by a parent.
    pub(super) fn of_this_process(&self) -> Result<()> {
        if self.process == process::id() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Usage, "this system was opened by another process, before a fork")
            .hint("open one in the child with cr0_system_open"))
    }

    /// Asks limits, with the table that is kept open.
    pub(super) fn take(&self, checks: &[Check<'_>]) -> Result<RateLimitReport> {
        let mut kept = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let mut limiter = match kept.take() {
            Some(limiter) => limiter,
            None => Limiter::new(&self.config)?,
        };
        let report = limiter.take(checks);
        *kept = Some(limiter);
        report
    }
}

/// Opens a configuration.
///
/// `config` is the path of its file; `NULL` is the one that the environment variable `CR0SYNC_CONFIG` names, else
/// `cr0sync.json` below the root if it is there, else the shipped one. `root` is where relative paths begin, instead of
/// what the file says; `NULL` is what it says, else `/data/cr0_system`. Paths may be any bytes. No database is opened.
///
/// Fails with `CR0_ERROR_CONFIG` when the file cannot be read or makes no sense; the message names the place in it.
///
/// # Safety
/// `config` and `root` must be `NULL` or end with a zero byte; `system` must lead to where a pointer may be written,
/// `error` too, or be `NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_system_open(
    config: *const c_char,
    root: *const c_char,
    system: *mut *mut System,
    error: *mut *mut Failure,
) -> i32 {
    let work = || {
        if system.is_null() {
            return Err(call::null("system"));
        }
        // SAFETY: not null, and the caller says that it may be written.
        unsafe { system.write(ptr::null_mut()) };
        // SAFETY: as the function asks.
        let (config, root) = unsafe { (call::perhaps_path(config), call::perhaps_path(root)) };
        let opened = Box::new(System::open(config, root)?);
        // SAFETY: as above.
        unsafe { system.write(Box::into_raw(opened)) };
        Ok(())
    };
    // SAFETY: as the function asks.
    unsafe { call::status(error, work) }
}

/// Closes a system and frees it. Does nothing for `NULL`.
///
/// # Safety
/// `system` must be `NULL` or a system that was not freed, and that no call is using.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_system_free(system: *mut System) {
    if !system.is_null() {
        // SAFETY: it came out of a box, and the caller gives it back once.
        drop(unsafe { Box::from_raw(system) });
    }
}

/// Tells the configuration in force, with the path of the file that it was read from, as the member `config` and
/// `source` of the report.
///
/// # Safety
/// `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_config(
    system: *const System,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        let source = system.config.source.as_ref().map(|path| path.to_string_lossy());
        let document = json!({ "schema": 1, "source": source, "config": system.config.to_json() });
        Report::new(&document, 0)
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_config", &[], (system, ptr::null()), report, error, work) }
}

/// Tells how everything is: the members `databases`, `logs` and `security` are what `cr0_db_status`, `cr0_log_status` and
/// `cr0_integrity_status` tell. Changes nothing.
///
/// A part that cannot be told is null, `problems` says why, and the exit code of the report is 2. It is 0 otherwise; the
/// member `ok` says whether all is well.
///
/// # Safety
/// `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_status(
    system: *const System,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        let report = status::status(&system.config)?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_status", &[], (system, ptr::null()), report, error, work) }
}

/// Says the version of the library that is loaded, as in `0.1.0`. Lives as long as the process.
#[unsafe(no_mangle)]
pub extern "C" fn cr0_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Says the version of SQLite that it uses, as in `3.40.1`. Lives as long as the process.
#[unsafe(no_mangle)]
pub extern "C" fn cr0_sqlite_version() -> *const c_char {
    static VERSION: OnceLock<CString> = OnceLock::new();
    VERSION.get_or_init(|| text(rusqlite::version())).as_ptr()
}
