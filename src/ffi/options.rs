//! What a call is asked for beside its arguments, as C sees it: an object that is filled by setters.
//!
//! A function that is given an option which it does not know refuses it: a `dry_run` that nobody heeds would do what it
//! should only have told.
#![expect(unsafe_code, reason = "pointers of C programs")]

use std::ffi::{CString, c_char, c_void};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::call;
use super::error::{CR0_ERROR_USAGE, CR0_OK};
use crate::database::{self, Detail, Force, Mode, Secrets, Selection, Verify};
use crate::doctor::Shell;
use crate::error::{Error, ErrorKind, Result};
use crate::integrity::{Accept, CheckOptions, WatchOptions};
use crate::interrupt::Continue;
use crate::logs;
use crate::page::Page;
use crate::security::Look;

/// The names of options that a function knows.
pub(super) type Known = &'static [&'static str];

/// So many runs a history tells of unless told.
const HISTORY: usize = 50;

/// Whoever is told how far a long call is.
///
/// `progress` is a JSON document, UTF-8, that lives until the callback returns; `user` is what was given with the
/// callback. 0 goes on, anything else stops the call, which then returns `CR0_ERROR_CANCELLED` (but for
/// `cr0_integrity_watch`, which is done then). The callback runs in the thread of the call, must return (not jump), and
/// must not use the system or the options of the call. A child that is forked in there must end there, with `_exit`, or `exec`
/// another program: one that returns is aborted, before it takes from its parent what the call has open and locked.
pub type ProgressCallback = Option<unsafe extern "C" fn(progress: *const c_char, user: *mut c_void) -> i32>;

#[derive(Debug, Clone, Copy)]
struct Listener {
    callback: unsafe extern "C" fn(*const c_char, *mut c_void) -> i32,
    user: *mut c_void,
}

/// What a call is asked for beside its arguments. Belongs to the caller, who frees it with `cr0_options_free`; may be
/// used for any number of calls, one at a time. What is set to what it is without being set (no, nobody) asks for nothing.
#[derive(Debug, Default)]
pub struct Options {
    databases: Vec<String>,
    logs: Vec<String>,
    paths: Vec<PathBuf>,
    side: Option<String>,
    all_sides: bool,
    dry_run: bool,
    force: bool,
    show_secrets: bool,
    verify: bool,
    explain: bool,
    full: bool,
    acknowledge: bool,
    limit: Option<u64>,
    budget_ms: Option<u64>,
    seconds: Option<u64>,
    expires_in: Option<u64>,
    crontab: Option<String>,
    file: Option<PathBuf>,
    statuses: Vec<String>,
    ids: Vec<String>,
    skip: Option<u64>,
    listener: Option<Listener>,
}

impl Options {
    /// That nothing is asked which the function does not know.
    pub(super) fn only(&self, function: &str, known: Known) -> Result<()> {
        let Some(name) = self.asked().find(|name| !known.contains(name)) else { return Ok(()) };
        let hint = match known {
            [] => format!("{function} knows no options: give NULL"),
            known => format!("{function} knows: {}", known.join(", ")),
        };
        Err(Error::new(ErrorKind::Usage, format!("{function} does not know the option {name}")).hint(hint))
    }

    /// The names of what is asked for. What was set to what it is anyway asks for nothing.
    fn asked(&self) -> impl Iterator<Item = &'static str> {
        [
            ("database", !self.databases.is_empty()),
            ("logs", !self.logs.is_empty()),
            ("paths", !self.paths.is_empty()),
            ("side", self.side.is_some()),
            ("all_sides", self.all_sides),
            ("dry_run", self.dry_run),
            ("force", self.force),
            ("show_secrets", self.show_secrets),
            ("verify", self.verify),
            ("explain", self.explain),
            ("full", self.full),
            ("acknowledge", self.acknowledge),
            ("limit", self.limit.is_some()),
            ("budget_ms", self.budget_ms.is_some()),
            ("seconds", self.seconds.is_some()),
            ("expires_in", self.expires_in.is_some()),
            ("crontab", self.crontab.is_some()),
            ("file", self.file.is_some()),
            ("status", !self.statuses.is_empty()),
            ("ids", !self.ids.is_empty()),
            ("skip", self.skip.is_some()),
            ("progress", self.listener.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_asked)| is_asked.then_some(name))
    }

    pub(super) fn of_databases(&self) -> database::Options {
        database::Options {
            databases: self.databases.clone(),
            mode: if self.dry_run { Mode::DryRun } else { Mode::Apply },
            force: if self.force { Force::Yes } else { Force::No },
            secrets: if self.show_secrets { Secrets::Show } else { Secrets::Redact },
            verify: if self.verify { Verify::Now } else { Verify::Daily },
        }
    }

    pub(super) fn of_logs(&self) -> logs::Options {
        logs::Options { logs: self.logs.clone(), force: self.force, dry_run: self.dry_run }
    }

    pub(super) fn of_check(&self) -> CheckOptions {
        CheckOptions { full: self.full, budget_ms: self.budget_ms, paths: self.paths.clone() }
    }

    pub(super) fn watch(&self) -> WatchOptions {
        WatchOptions { seconds: self.seconds, ..WatchOptions::default() }
    }

    pub(super) fn accept(&self) -> Accept {
        if self.dry_run { Accept::DryRun } else { Accept::Sign }
    }

    pub(super) fn look(&self) -> Look {
        if self.acknowledge { Look::Acknowledge } else { Look::Only }
    }

    pub(super) fn detail(&self) -> Detail {
        if self.explain { Detail::Explain } else { Detail::Summary }
    }

    pub(super) fn page(&self) -> Page {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Page { skip: self.skip.map_or(0, number), limit: self.limit.map(number) }
    }

    pub(super) fn selection(&self) -> Selection {
        Selection { statuses: self.statuses.clone(), ids: self.ids.clone(), page: self.page() }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.map_or(HISTORY, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
    }

    pub(super) fn shell(&self) -> Shell {
        Shell { crontab: self.crontab.clone(), ..Shell::default() }
    }

    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    pub(super) fn expires_in(&self) -> Option<u64> {
        self.expires_in
    }

    pub(super) fn target(&self) -> Result<database::Target> {
        match (&self.side, self.all_sides) {
            (Some(_), true) => {
                Err(Error::new(ErrorKind::Usage, "the options side and all_sides exclude each other"))
            }
            (Some(side), false) => Ok(database::Target::Side(side.clone())),
            (None, true) => Ok(database::Target::AllSides),
            (None, false) => Ok(database::Target::Own),
        }
    }

    /// Tells whoever wants to know.
    ///
    /// A child of fork that comes back is aborted: what is open and held is the parent's, and giving it back would take it from
    /// the run.
    pub(super) fn tell(&self, progress: &impl Serialize) -> Continue {
        let Some(Listener { callback, user }) = self.listener else { return Continue::Yes };
        let process = std::process::id();
        let document =
            serde_json::to_vec(progress).ok().and_then(|text| CString::new(text).ok()).unwrap_or_default();
        // SAFETY: a function of the caller's, with what he gave for it; the document outlives the call.
        let said = unsafe { callback(document.as_ptr(), user) };
        if std::process::id() != process {
            std::process::abort();
        }
        if said == 0 { Continue::Yes } else { Continue::Stop }
    }
}

/// Makes options that ask for nothing. Never `NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn cr0_options_new() -> *mut Options {
    Box::into_raw(Box::default())
}

/// Frees options. Does nothing for `NULL`.
///
/// # Safety
/// `options` must be `NULL` or options that were not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_free(options: *mut Options) {
    if !options.is_null() {
        // SAFETY: it came out of a box, and the caller gives it back once.
        drop(unsafe { Box::from_raw(options) });
    }
}

/// Sets what `set` sets.
///
/// # Safety
/// `options` must be null or options that nobody else uses.
unsafe fn set(options: *mut Options, set: impl FnOnce(&mut Options)) -> i32 {
    // SAFETY: as this function asks.
    let Some(options) = (unsafe { options.as_mut() }) else { return CR0_ERROR_USAGE };
    set(options);
    CR0_OK
}

/// The same with a text.
///
/// # Safety
/// As [`set`], and `value` must be null or end with a zero byte.
unsafe fn set_text(
    options: *mut Options,
    name: &str,
    value: *const c_char,
    put: impl FnOnce(&mut Options, String),
) -> i32 {
    // SAFETY: as this function asks.
    match unsafe { call::text(value, name) } {
        // SAFETY: as this function asks.
        Ok(text) => unsafe { set(options, |options| put(options, text.to_owned())) },
        Err(_) => CR0_ERROR_USAGE,
    }
}

/// Chooses a database by name, `*` and `?` being understood; may be called more than once. All are chosen otherwise.
///
/// Returns `CR0_ERROR_USAGE` where an argument is `NULL` or the name is not UTF-8.
///
/// # Safety
/// `options` must be `NULL` or options; `name` must be `NULL` or end with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_add_database(options: *mut Options, name: *const c_char) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set_text(options, "database", name, |options, name| options.databases.push(name)) }
}

/// Chooses a log by name, `*` and `?` being understood; may be called more than once. All are chosen otherwise.
///
/// Returns `CR0_ERROR_USAGE` where an argument is `NULL` or the name is not UTF-8.
///
/// # Safety
/// `options` must be `NULL` or options; `name` must be `NULL` or end with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_add_log(options: *mut Options, name: *const c_char) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set_text(options, "logs", name, |options, name| options.logs.push(name)) }
}

/// Chooses a file or directory to check, of any bytes; may be called more than once. All are chosen otherwise.
///
/// Returns `CR0_ERROR_USAGE` where an argument is `NULL`.
///
/// # Safety
/// `options` must be `NULL` or options; `path` must be `NULL` or end with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_add_path(options: *mut Options, path: *const c_char) -> i32 {
    // SAFETY: as the function asks.
    let Some(path) = (unsafe { call::perhaps_path(path) }) else { return CR0_ERROR_USAGE };
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.paths.push(path)) }
}

/// Chooses conflicts that are so: `open`, `held`, `acknowledged` or `resolved`; may be called more than once. All are chosen
/// otherwise.
///
/// Returns `CR0_ERROR_USAGE` where an argument is `NULL` or the word is not UTF-8.
///
/// # Safety
/// `options` must be `NULL` or options; `status` must be `NULL` or end with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_add_status(options: *mut Options, status: *const c_char) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set_text(options, "status", status, |options, status| options.statuses.push(status)) }
}

/// Chooses a conflict by its id; may be called more than once. All are chosen otherwise.
///
/// Returns `CR0_ERROR_USAGE` where an argument is `NULL` or the id is not UTF-8.
///
/// # Safety
/// `options` must be `NULL` or options; `id` must be `NULL` or end with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_add_id(options: *mut Options, id: *const c_char) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set_text(options, "id", id, |options, id| options.ids.push(id)) }
}

/// Names the side that a backup goes into, instead of the one that it was made of.
///
/// Returns `CR0_ERROR_USAGE` where an argument is `NULL` or the name is not UTF-8.
///
/// # Safety
/// `options` must be `NULL` or options; `side` must be `NULL` or end with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_side(options: *mut Options, side: *const c_char) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set_text(options, "side", side, |options, side| options.side = Some(side)) }
}

/// Says whether a backup goes into every side that can be reached: 0 is no, anything else yes.
///
/// # Safety
/// `options` must be `NULL` or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_all_sides(options: *mut Options, yes: i32) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.all_sides = yes != 0) }
}

/// Says whether a call only tells what it would do: 0 is no, anything else yes.
///
/// # Safety
/// `options` must be `NULL` or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_dry_run(options: *mut Options, yes: i32) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.dry_run = yes != 0) }
}

/// Says whether what waits for a person is done all the same: 0 is no, anything else yes.
///
/// # Safety
/// `options` must be `NULL` or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_force(options: *mut Options, yes: i32) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.force = yes != 0) }
}

/// Says whether secret values are shown: 0 is no, anything else yes.
///
/// # Safety
/// `options` must be `NULL` or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_show_secrets(options: *mut Options, yes: i32) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.show_secrets = yes != 0) }
}

/// Says whether a run compares all rows of all sides with what was merged, beside what the pages of their files tell: 0 is
/// no, which is once a day, anything else yes.
///
/// # Safety
/// `options` must be `NULL` or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_verify(options: *mut Options, yes: i32) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.verify = yes != 0) }
}

/// Says whether a status tells the rules of every table: 0 is no, anything else yes.
///
/// # Safety
/// `options` must be `NULL` or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_explain(options: *mut Options, yes: i32) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.explain = yes != 0) }
}

/// Says whether a check reads every file again: 0 is no, anything else yes.
///
/// # Safety
/// `options` must be `NULL` or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_full(options: *mut Options, yes: i32) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.full = yes != 0) }
}

/// Says whether what is wrong with the chain of events is known from now on: it stays, and is no news any more. 0 is no,
/// anything else yes.
///
/// # Safety
/// `options` must be `NULL` or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_acknowledge(options: *mut Options, yes: i32) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.acknowledge = yes != 0) }
}

/// Says how many a list tells of at most; of runs a history tells of 50 otherwise, other lists of as many as their function
/// says.
///
/// # Safety
/// `options` must be `NULL` or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_limit(options: *mut Options, limit: u64) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.limit = Some(limit)) }
}

/// Says how many of a list are left out first, for a page after the first one; none otherwise.
///
/// # Safety
/// `options` must be `NULL` or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_skip(options: *mut Options, skip: u64) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.skip = (skip > 0).then_some(skip)) }
}

/// Says after how many milliseconds a check stops reading, for the next call to go on.
///
/// # Safety
/// `options` must be `NULL` or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_budget_ms(options: *mut Options, milliseconds: u64) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.budget_ms = Some(milliseconds)) }
}

/// Says after how many seconds watching ends.
///
/// # Safety
/// `options` must be `NULL` or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_seconds(options: *mut Options, seconds: u64) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.seconds = Some(seconds)) }
}

/// Says for how many seconds a new key counts; for good otherwise.
///
/// # Safety
/// `options` must be `NULL` or options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_expires_in(options: *mut Options, seconds: u64) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.expires_in = Some(seconds)) }
}

/// Hands over the table of cron of the user who runs the jobs, as `crontab -l` prints it; it is not looked at otherwise.
///
/// Returns `CR0_ERROR_USAGE` where an argument is `NULL` or the text is not UTF-8.
///
/// # Safety
/// `options` must be `NULL` or options; `text` must be `NULL` or end with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_crontab(options: *mut Options, text: *const c_char) -> i32 {
    // SAFETY: as the function asks.
    unsafe { set_text(options, "crontab", text, |options, text| options.crontab = Some(text)) }
}

/// Names a file that what is told is written into, whole or not at all, of any bytes.
///
/// Returns `CR0_ERROR_USAGE` where an argument is `NULL`.
///
/// # Safety
/// `options` must be `NULL` or options; `path` must be `NULL` or end with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_file(options: *mut Options, path: *const c_char) -> i32 {
    // SAFETY: as the function asks.
    let Some(path) = (unsafe { call::perhaps_path(path) }) else { return CR0_ERROR_USAGE };
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.file = Some(path)) }
}

/// Says who is told how far a long call is; `NULL` is nobody. `user` is handed to the callback as it is.
///
/// # Safety
/// `options` must be `NULL` or options; `callback` must be `NULL` or a function as `cr0_progress_callback` says, and
/// stay callable with `user` as long as the options are used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_options_set_progress(
    options: *mut Options,
    callback: ProgressCallback,
    user: *mut c_void,
) -> i32 {
    let listener = callback.map(|callback| Listener { callback, user });
    // SAFETY: as the function asks.
    unsafe { set(options, |options| options.listener = listener) }
}
