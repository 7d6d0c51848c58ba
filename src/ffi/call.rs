//! The boundary: arguments of C in, a status out, and no panic across.
#![expect(unsafe_code, reason = "pointers of C programs")]

use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::ptr;
use std::slice;

use serde_json::{Map, Value as Json};

use super::error::{CR0_OK, Failure};
use super::options::{Known, Options};
use super::report::Report;
use super::system::System;
use crate::error::{Error, ErrorKind, Result};

/// Runs `work`, hands out its failure, and returns the status.
///
/// # Safety
/// `error` must be null or point to where a pointer may be written.
pub(super) unsafe fn status(error: *mut *mut Failure, work: impl FnOnce() -> Result<()>) -> i32 {
    let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Error::new(ErrorKind::Internal, format!("stopped by a bug in cr0sync: {said}"))
            .hint("what was begun is finished by the next run; please report this message"))
    });
    let (code, failure) = match &outcome {
        Ok(()) => (CR0_OK, ptr::null_mut()),
        Err(fault) => (fault.kind().number(), Box::into_raw(Box::new(Failure::from(fault)))),
    };
    if !error.is_null() {
        // SAFETY: the caller says that it may be written.
        unsafe { error.write(failure) };
    } else {
        // SAFETY: it was made above, and nobody else has seen it.
        unsafe { super::error::cr0_error_free(failure) };
    }
    code
}

/// An operation: a system and options in, a report out.
///
/// # Safety
/// The pointers must be null or what their types say, and nobody may write there meanwhile.
pub(super) unsafe fn operation(
    function: &str,
    known: Known,
    (system, options): (*const System, *const Options),
    report: *mut *mut Report,
    error: *mut *mut Failure,
    work: impl FnOnce(&System, &Options) -> Result<Report>,
) -> i32 {
    if !report.is_null() {
        // SAFETY: the caller says that it may be written.
        unsafe { report.write(ptr::null_mut()) };
    }
    let run = || {
        // SAFETY: as this function asks.
        let system = unsafe { system.as_ref() }.ok_or_else(|| null("system"))?;
        let none = Options::default();
        // SAFETY: as this function asks.
        let options = unsafe { options.as_ref() }.unwrap_or(&none);
        options.only(function, known)?;
        system.of_this_process()?;
        let made = work(system, options)?;
        if !report.is_null() {
            // SAFETY: the caller says that it may be written.
            unsafe { report.write(Box::into_raw(Box::new(made))) };
        }
        Ok(())
    };
    // SAFETY: as this function asks.
    unsafe { status(error, run) }
}

/// The error of a pointer that must lead somewhere.
pub(super) fn null(name: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("the argument {name} must not be NULL"))
}

/// A text of C as UTF-8.
///
/// # Safety
/// `pointer` must be null or lead to a text that ends with a zero byte.
pub(super) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str> {
    // SAFETY: as this function asks.
    let bytes = unsafe { perhaps_bytes(pointer) }.ok_or_else(|| null(name))?;
    utf8(bytes, name)
}

fn utf8<'a>(bytes: &'a [u8], name: &str) -> Result<&'a str> {
    std::str::from_utf8(bytes)
        .map_err(|_| Error::new(ErrorKind::Usage, format!("the argument {name} must be valid UTF-8")))
}

/// The same where there may be none.
///
/// # Safety
/// As [`text`].
pub(super) unsafe fn perhaps_text<'a>(pointer: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: as this function asks.
    unsafe { text(pointer, name) }.map(Some)
}

/// What a client said, which may be any bytes; none for null, and for nothing.
///
/// # Safety
/// As [`text`].
pub(super) unsafe fn perhaps_lossy(pointer: *const c_char) -> Option<String> {
    // SAFETY: as this function asks.
    let bytes = unsafe { perhaps_bytes(pointer) }?;
    Some(String::from_utf8_lossy(bytes).into_owned()).filter(|text| !text.is_empty())
}

/// A path, which may be any bytes.
///
/// # Safety
/// As [`text`].
pub(super) unsafe fn perhaps_path(pointer: *const c_char) -> Option<PathBuf> {
    // SAFETY: as this function asks.
    unsafe { perhaps_bytes(pointer) }.map(|bytes| Path::new(OsStr::from_bytes(bytes)).to_path_buf())
}

/// # Safety
/// As [`text`].
unsafe fn perhaps_bytes<'a>(pointer: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: not null, and it ends, as the caller says.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_bytes())
}

/// Bytes of a known length.
///
/// # Safety
/// `pointer` must be null or lead to `length` bytes.
pub(super) unsafe fn bytes<'a>(pointer: *const c_char, length: usize, name: &str) -> Result<&'a [u8]> {
    if pointer.is_null() {
        return Err(null(name));
    }
    if length > isize::MAX.unsigned_abs() {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("the argument {name} cannot be {length} bytes long"),
        ));
    }
    // SAFETY: not null, of this length as the caller says, and not longer than an allocation can be.
    Ok(unsafe { slice::from_raw_parts(pointer.cast(), length) })
}

/// A list of texts.
///
/// # Safety
/// `pointer` must be null or lead to `count` pointers, each as [`text`] asks.
pub(super) unsafe fn texts<'a>(
    pointer: *const *const c_char,
    count: usize,
    name: &str,
) -> Result<Vec<&'a str>> {
    // SAFETY: as this function asks.
    unsafe { elements(pointer, count, name) }?.into_iter().map(|bytes| utf8(bytes, name)).collect()
}

/// A list of paths, of any bytes.
///
/// # Safety
/// As [`texts`].
pub(super) unsafe fn paths(pointer: *const *const c_char, count: usize, name: &str) -> Result<Vec<PathBuf>> {
    // SAFETY: as this function asks.
    let elements = unsafe { elements(pointer, count, name) }?;
    Ok(elements.into_iter().map(|bytes| PathBuf::from(OsStr::from_bytes(bytes))).collect())
}

/// # Safety
/// As [`texts`].
unsafe fn elements<'a>(pointer: *const *const c_char, count: usize, name: &str) -> Result<Vec<&'a [u8]>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if pointer.is_null() {
        return Err(null(name));
    }
    (0..count)
        .map(|index| {
            // SAFETY: one of the `count` pointers that the caller says are there.
            let element = unsafe { pointer.add(index).read() };
            // SAFETY: as this function asks.
            unsafe { perhaps_bytes(element) }.ok_or_else(|| null(name))
        })
        .collect()
}

/// A JSON object.
pub(super) fn object(text: &str, name: &str) -> Result<Map<String, Json>> {
    let wrong = || Error::new(ErrorKind::Usage, format!("the argument {name} must be a JSON object"));
    match serde_json::from_str(text) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err(wrong()),
        Err(cause) => Err(wrong().because(cause)),
    }
}
