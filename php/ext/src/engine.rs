//! The functions of the PHP engine, of SQLite and of the loader that ext-php-rs does not wrap, made safe.
//!
//! Apart from its users so that each `unsafe` stands beside the declaration that it trusts. It holds no knowledge of
//! cr0sync, and decides nothing.

#![expect(unsafe_code, reason = "foreign functions")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ext_php_rs::ffi::{
    _call_user_function_impl, _zend_known_string_id_ZEND_STR_SENSITIVEPARAMETER, zend_atomic_bool,
    zend_hash_str_find, zend_internal_function, zend_interrupt_function, zend_known_strings, zend_long,
    zend_string, zend_throw_exception, zend_type,
};
use ext_php_rs::flags::{DataType, PropertyFlags};
use ext_php_rs::types::{ZendObject, ZendStr, Zval};
use ext_php_rs::zend::{ClassEntry, ExecutorGlobals, ModuleEntry, ZendType, bailout};

unsafe extern "C" {
    fn zend_atomic_bool_load(flag: *const zend_atomic_bool) -> bool;
    fn zend_timeout();
    fn zend_add_attribute(
        attributes: *mut *mut ext_php_rs::ffi::HashTable,
        name: *mut zend_string,
        arguments: u32,
        flags: u32,
        offset: u32,
        line: u32,
    ) -> *mut c_void;
    fn zend_error(kind: c_int, format: *const c_char, ...);
    fn zend_exception_error(exception: *mut ZendObject, severity: c_int) -> c_int;
    fn zend_parse_arg_str_slow(zval: *mut Zval, text: *mut *mut ZendStr, number: u32) -> bool;
    fn zend_parse_arg_str_weak(zval: *mut Zval, text: *mut *mut ZendStr, number: u32) -> bool;
    fn zend_parse_arg_bool_weak(zval: *const Zval, flag: *mut bool, number: u32) -> bool;
    fn zend_parse_arg_long_weak(zval: *const Zval, integer: *mut zend_long, number: u32) -> bool;
    fn zend_zval_type_name(zval: *const Zval) -> *const c_char;
    fn zend_ini_string_ex(
        name: *const c_char,
        length: usize,
        original: c_int,
        exists: *mut bool,
    ) -> *const c_char;
    fn zend_unregister_ini_entries_ex(module: c_int, kind: c_int);
    fn display_ini_entries(module: *mut ModuleEntry);
    fn zend_update_property_stringl(
        scope: *mut ClassEntry,
        object: *mut ZendObject,
        name: *const c_char,
        name_length: usize,
        value: *const c_char,
        length: usize,
    );
    fn zend_declare_typed_property(
        class: *mut ClassEntry,
        name: *mut ZendStr,
        default: *mut Zval,
        flags: c_int,
        comment: *mut ZendStr,
        kind: zend_type,
    ) -> *mut c_void;

    fn sqlite3_libversion() -> *const c_char;
    fn dladdr(address: *const c_void, found: *mut Found) -> c_int;
}

/// `Dl_info` of the C library.
#[repr(C)]
struct Found {
    file: *const c_char,
    base: *mut c_void,
    symbol: *const c_char,
    address: *mut c_void,
}

/// That an attribute lives as long as the process.
const PERSISTENT: u32 = 1;

/// `JSON_PARTIAL_OUTPUT_ON_ERROR` and `JSON_INVALID_UTF8_SUBSTITUTE`.
const PARTIAL_OUTPUT: i64 = 512;
const INVALID_UTF8_SUBSTITUTE: i64 = 1 << 21;

/// The kind of errors that end a script.
const E_ERROR: c_int = 1;

/// What the engine takes for the number of an argument where there is none to name, and nothing is to be told.
const NO_ARGUMENT: u32 = u32::MAX;
/// Any number of an argument: then the engine tells what a conversion loses, as it does for its own functions.
const SOME_ARGUMENT: u32 = 1;

/// Which of PHP's two ways to take a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coercion {
    /// As the calling file declares: strict with `strict_types=1`, else weak.
    Caller,
    /// Numbers, strings and booleans for each other.
    Weak,
}

/// The value as a string; `None` when PHP would not take it for one, or threw while it tried (`__toString`).
///
/// `null` is never taken for a string. The value is converted in place.
pub(crate) fn as_text(zval: &mut Zval, coercion: Coercion) -> Option<&[u8]> {
    if !zval.is_string() {
        if zval.is_null() {
            return None;
        }
        let mut text = std::ptr::null_mut();
        // SAFETY: `zval` is live and ours to convert; with null ruled out the number of the argument is not looked at.
        let taken = unsafe {
            match coercion {
                Coercion::Caller => zend_parse_arg_str_slow(zval, &raw mut text, NO_ARGUMENT),
                Coercion::Weak => zend_parse_arg_str_weak(zval, &raw mut text, NO_ARGUMENT),
            }
        };
        if !taken {
            return None;
        }
    }
    zval.zend_str().map(ZendStr::as_bytes)
}

/// The value as a boolean, weakly; `None` when PHP would not take it for one.
pub(crate) fn as_bool(zval: &Zval) -> Option<bool> {
    let mut flag = false;
    // SAFETY: `zval` is live and only read; with null ruled out the number of the argument is not looked at.
    (!zval.is_null() && unsafe { zend_parse_arg_bool_weak(zval, &raw mut flag, NO_ARGUMENT) }).then_some(flag)
}

/// The value as an integer, weakly; `None` when PHP would not take it for one, or threw while it told what is lost.
pub(crate) fn as_integer(zval: &Zval) -> Option<i64> {
    // The engine's function is for all that is no integer yet.
    zval.long().or_else(|| {
        let mut integer = 0;
        // SAFETY: as for `as_bool`; the number is looked at only for whether there is one.
        (!zval.is_null() && unsafe { zend_parse_arg_long_weak(zval, &raw mut integer, SOME_ARGUMENT) })
            .then_some(integer)
    })
}

/// Whether the value can be called from where PHP is now.
pub(crate) fn is_callable(zval: &Zval) -> bool {
    zval.is_callable()
}

/// Calls a callable with one argument; `None` when that was not possible. What it throws is pending afterwards. A fatal
/// error jumps over the caller, who must be within a `try_catch`.
pub(crate) fn call(callable: &Zval, argument: Zval) -> Option<Zval> {
    call_with(callable, &mut [argument])
}

fn call_with(callable: &Zval, arguments: &mut [Zval]) -> Option<Zval> {
    let mut answer = Zval::new();
    let count = u32::try_from(arguments.len()).ok()?;
    // SAFETY: the callable and the arguments are live and only read; the engine fills the answer.
    let code = unsafe {
        _call_user_function_impl(
            std::ptr::null_mut(),
            std::ptr::from_ref(callable).cast_mut(),
            &raw mut answer,
            count,
            arguments.as_mut_ptr(),
            std::ptr::null_mut(),
        )
    };
    (code >= 0).then_some(answer)
}

/// The name of an object's class; `None` for what is no object.
pub(crate) fn class_name(zval: &Zval) -> Option<String> {
    zval.object().map(|object| object.get_class_name().unwrap_or_default())
}

/// An object as JSON: as `json_encode` writes it, or its text where it has one and does not say what it is in JSON. `None` where
/// it throws meanwhile, which is over then. A fatal error in its methods jumps over the caller, who must hold nothing.
pub(crate) fn object_as_json(zval: &Zval) -> Option<Vec<u8>> {
    let object = zval.object()?;
    let is = |class: &str| ClassEntry::try_find(class).is_some_and(|class| object.instance_of(class));
    let mut function = Zval::new();
    function.set_string("json_encode", false).ok()?;
    let mut flags = Zval::new();
    flags.set_long(PARTIAL_OUTPUT | INVALID_UTF8_SUBSTITUTE);
    let mut value = zval.shallow_clone();
    if is("Stringable") && !is("JsonSerializable") {
        as_text(&mut value, Coercion::Weak);
    }
    let answer = call_with(&function, &mut [value, flags]);
    if ExecutorGlobals::take_exception().is_some() {
        return None;
    }
    answer?.zend_str().map(|text| text.as_bytes().to_vec())
}

/// Does what PHP was asked to do between two instructions: signal handlers, the end of its time. It may jump over the
/// caller, who must be within a `try_catch`.
pub(crate) fn serve_interrupt() {
    // The globals are given back before PHP runs again.
    let (timed_out, running) = {
        let globals = ExecutorGlobals::get();
        // SAFETY: the flag lives as long as PHP does.
        if !unsafe { zend_atomic_bool_load(&raw const globals.vm_interrupt) } {
            return;
        }
        // SAFETY: as above.
        (unsafe { zend_atomic_bool_load(&raw const globals.timed_out) }, globals.current_execute_data)
    };
    ExecutorGlobals::get_mut().cancel_interrupt();
    // SAFETY: what the engine itself does when it finds the flag set, with the frame that runs: ours.
    unsafe {
        if timed_out {
            zend_timeout();
        } else if let Some(serve) = zend_interrupt_function {
            serve(running);
        }
    }
}

/// Ends a child of fork that came back into a call of its parent: with what it threw, with `exit`, with its own fatal error
/// (which `is_fatal` says was told), or with one that says what is wrong. PHP's shutdown is all that follows; no frame of ours
/// is ever run again.
pub(crate) fn end_child(is_fatal: bool) -> ! {
    let thrown = ExecutorGlobals::take_exception();
    // SAFETY: the exception is live and owned here; the engine takes it. The messages are C strings. The jump leaves frames
    // behind whose values belong to the parent, and which nobody comes back to.
    unsafe {
        if let Some(exception) = thrown {
            zend_exception_error(exception.into_raw(), E_ERROR);
        } else if !is_fatal {
            zend_error(
                E_ERROR,
                c"%s".as_ptr(),
                c"a child of fork cannot go on with the call of its parent; end it with exit() inside the callable".as_ptr(),
            );
        }
        bailout()
    }
}

/// The name of a value's type, as in PHP's own errors.
pub(crate) fn type_name(zval: &Zval) -> String {
    // SAFETY: `zval` is live; the engine returns a static string.
    unsafe { CStr::from_ptr(zend_zval_type_name(zval)) }.to_string_lossy().into_owned()
}

/// The setting `name`; `None` when it is unknown or empty.
pub(crate) fn ini(name: &CStr) -> Option<PathBuf> {
    let mut exists = false;
    // SAFETY: the name is a C string of that length; what comes back is the engine's until the setting changes.
    let value = unsafe {
        let value = zend_ini_string_ex(name.as_ptr(), name.count_bytes(), 0, &raw mut exists);
        if value.is_null() {
            return None;
        }
        CStr::from_ptr(value).to_bytes()
    };
    (!value.is_empty()).then(|| Path::new(std::ffi::OsStr::from_bytes(value)).to_path_buf())
}

/// Takes back the settings of a module. By number, since the pointer to a module is gone at this point.
pub(crate) fn unregister_ini(module: i32, kind: i32) {
    // SAFETY: called from module shutdown with the numbers that PHP gave.
    unsafe { zend_unregister_ini_entries_ex(module, kind) };
}

/// Prints the settings of a module.
pub(crate) fn show_ini(module: *mut ModuleEntry) {
    // SAFETY: called from the module's info function with the pointer that PHP gave.
    unsafe { display_ini_entries(module) };
}

/// Throws an object of `class` with string properties; PHP fills in file, line and trace.
pub(crate) fn throw(class: &ClassEntry, message: &str, code: i32, properties: &[(&CStr, Option<&[u8]>)]) {
    // A NUL would end the message, so it is left out.
    let message = CString::new(message.replace('\0', "")).unwrap_or_default();
    let class = std::ptr::from_ref(class).cast_mut();
    // SAFETY: the class is registered and never freed, the message outlives the call, and a function of ours is
    // running. The object that comes back is alive as the pending exception; names and values carry their lengths.
    unsafe {
        let object = zend_throw_exception(class, message.as_ptr(), i64::from(code));
        for (name, value) in properties {
            if let (Some(value), false) = (value, object.is_null()) {
                let (start, length) = (value.as_ptr().cast(), value.len());
                zend_update_property_stringl(class, object, name.as_ptr(), name.count_bytes(), start, length);
            }
        }
    }
}

/// Marks a parameter of a function, counted from 0, with PHP's attribute `SensitiveParameter`. What is no function is left alone.
pub(crate) fn hide_parameter(function: &str, number: u32) {
    // SAFETY: called while the module starts, in the only thread there is: the table of functions and the known strings are
    // there and live as long as PHP; the entry that is found is a function of this module, whose attributes nobody else has.
    unsafe {
        let table = ext_php_rs::ffi::compiler_globals.function_table;
        let found = zend_hash_str_find(table, function.as_ptr().cast(), function.len());
        let Some(entry) =
            found.as_ref().and_then(|found| found.value.ptr.cast::<zend_internal_function>().as_mut())
        else {
            return;
        };
        let known = usize::try_from(_zend_known_string_id_ZEND_STR_SENSITIVEPARAMETER).unwrap_or(0);
        let name = *zend_known_strings.add(known);
        zend_add_attribute(&raw mut entry.attributes, name, 0, PERSISTENT, number + 1, 0);
    }
}

/// Declares a public property of type `?string` that is null at first.
pub(crate) fn declare_text_property(class: &mut ClassEntry, name: &str) {
    let Some(kind) = ZendType::empty_from_type(DataType::String, false, false, true) else { return };
    let mut null = Zval::null();
    let name = ZendStr::new_interned(name, true).into_raw();
    let flags = c_int::try_from(PropertyFlags::Public.bits()).unwrap_or(1);
    // SAFETY: called while the class is being registered; the name is interned for the life of the process, and the
    // default is copied.
    unsafe {
        zend_declare_typed_property(class, name, &raw mut null, flags, std::ptr::null_mut(), kind);
    }
}

/// A text that PHP keeps for as long as we are loaded, for keys that would be made anew in each call. For module startup
/// only: what is kept later lives as long as a request.
pub(crate) fn permanent(text: &str) -> &'static ZendStr {
    let text = ZendStr::new_interned(text, true).into_raw();
    // SAFETY: it was just made, and what is interned in module startup is changed and freed by nobody while we are loaded.
    unsafe { &*text }
}

/// The version of SQLite that runs.
pub(crate) fn sqlite_version() -> String {
    // SAFETY: returns a static string.
    unsafe { CStr::from_ptr(sqlite3_libversion()) }.to_string_lossy().into_owned()
}

/// The file that SQLite was loaded from.
pub(crate) fn sqlite_library() -> Option<String> {
    let mut found = Found {
        file: std::ptr::null(),
        base: std::ptr::null_mut(),
        symbol: std::ptr::null(),
        address: std::ptr::null_mut(),
    };
    // SAFETY: `found` is what the loader fills; the name it gives lives as long as the library, which is never
    // unloaded.
    unsafe {
        let address = sqlite3_libversion as unsafe extern "C" fn() -> *const c_char;
        if dladdr(address as *const c_void, &raw mut found) == 0 || found.file.is_null() {
            return None;
        }
        Some(CStr::from_ptr(found.file).to_string_lossy().into_owned())
    }
}
