//! What went wrong, as C sees it: a number, and an object that says the rest.
#![expect(unsafe_code, reason = "pointers of C programs")]

use std::ffi::{CString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use crate::error::{Error, ErrorKind};

/// It worked.
pub const CR0_OK: i32 = 0;
/// A bug in this library.
pub const CR0_ERROR_INTERNAL: i32 = 1;
/// The caller asked for something that does not exist or makes no sense.
pub const CR0_ERROR_USAGE: i32 = 2;
/// The configuration is wrong.
pub const CR0_ERROR_CONFIG: i32 = 3;
/// Another run holds the lock.
pub const CR0_ERROR_LOCKED: i32 = 4;
/// A database stayed busy for longer than allowed.
pub const CR0_ERROR_BUSY: i32 = 5;
/// A file is not what it should be.
pub const CR0_ERROR_CORRUPT: i32 = 6;
/// This user may not do that.
pub const CR0_ERROR_ACCESS: i32 = 7;
/// The operating system failed.
pub const CR0_ERROR_IO: i32 = 8;
/// The row or file changed since the caller looked at it.
pub const CR0_ERROR_STALE: i32 = 9;
/// The caller's callback asked to stop.
pub const CR0_ERROR_CANCELLED: i32 = 10;

/// The numbers are those of the one table.
const _: () = assert!(
    CR0_ERROR_INTERNAL == ErrorKind::Internal.number()
        && CR0_ERROR_USAGE == ErrorKind::Usage.number()
        && CR0_ERROR_CONFIG == ErrorKind::Config.number()
        && CR0_ERROR_LOCKED == ErrorKind::Locked.number()
        && CR0_ERROR_BUSY == ErrorKind::Busy.number()
        && CR0_ERROR_CORRUPT == ErrorKind::Corrupt.number()
        && CR0_ERROR_ACCESS == ErrorKind::Access.number()
        && CR0_ERROR_IO == ErrorKind::Io.number()
        && CR0_ERROR_STALE == ErrorKind::Stale.number()
        && CR0_ERROR_CANCELLED == ErrorKind::Cancelled.number()
);

/// A failure: what, where, and what to do next.
///
/// A function that fails returns a status other than `CR0_OK` and puts a new error where the caller said, which the
/// caller frees with `cr0_error_free`. Where it succeeds it puts `NULL` there. A caller who passes `NULL` gets the
/// status alone.
#[derive(Debug)]
pub struct Failure {
    kind: ErrorKind,
    message: CString,
    path: Option<CString>,
    hint: Option<CString>,
}

/// Text for C, which ends at the first zero byte: those within become `?`.
pub(super) fn text(bytes: impl Into<Vec<u8>>) -> CString {
    let bytes: Vec<u8> = bytes.into();
    CString::new(bytes).unwrap_or_else(|fault| {
        let bytes = fault.into_vec().into_iter().map(|byte| if byte == 0 { b'?' } else { byte });
        CString::new(bytes.collect::<Vec<u8>>()).unwrap_or_default()
    })
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Failure {
        Failure {
            kind: error.kind(),
            message: text(error.to_string()),
            path: error.path().map(|path| text(path.as_os_str().as_bytes())),
            hint: error.hint_text().map(text),
        }
    }
}

/// Says which kind of error it is: one of the `CR0_ERROR_` numbers, or `CR0_OK` for `NULL`.
///
/// # Safety
/// `error` must be `NULL` or an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_error_code(error: *const Failure) -> i32 {
    // SAFETY: as the function asks.
    unsafe { error.as_ref() }.map_or(CR0_OK, |error| error.kind.number())
}

/// Says in one sentence what went wrong, with the file concerned and the cause, UTF-8. `NULL` for `NULL`.
///
/// The text belongs to the error and lives as long.
///
/// # Safety
/// `error` must be `NULL` or an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_error_message(error: *const Failure) -> *const c_char {
    // SAFETY: as the function asks.
    unsafe { error.as_ref() }.map_or(ptr::null(), |error| error.message.as_ptr())
}

/// Names the file concerned, as the bytes of its path; `NULL` where there is none.
///
/// The text belongs to the error and lives as long.
///
/// # Safety
/// `error` must be `NULL` or an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_error_path(error: *const Failure) -> *const c_char {
    // SAFETY: as the function asks.
    unsafe { error.as_ref() }.and_then(|error| error.path.as_ref()).map_or(ptr::null(), |path| path.as_ptr())
}

/// Says what a person can do about it, UTF-8; `NULL` where there is nothing to say.
///
/// The text belongs to the error and lives as long.
///
/// # Safety
/// `error` must be `NULL` or an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_error_hint(error: *const Failure) -> *const c_char {
    // SAFETY: as the function asks.
    unsafe { error.as_ref() }.and_then(|error| error.hint.as_ref()).map_or(ptr::null(), |hint| hint.as_ptr())
}

/// Frees an error. Does nothing for `NULL`.
///
/// # Safety
/// `error` must be `NULL` or an error that was not freed; no text of it may be used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_error_free(error: *mut Failure) {
    if !error.is_null() {
        // SAFETY: it came out of a box, and the caller gives it back once.
        drop(unsafe { Box::from_raw(error) });
    }
}
