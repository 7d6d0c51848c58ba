//! The exception classes of PHP, and how a failure becomes one.
//!
//! There is one class for each kind of the library's error table, below one base class, and no list of them here. They
//! are plain PHP classes, so that they know file, line and trace and can be extended.

#![expect(unsafe_code, reason = "the engine owns classes for the life of the process")]

use std::os::unix::ffi::OsStrExt;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use cr0sync::{Error, ErrorKind};
use ext_php_rs::builders::ClassBuilder;
use ext_php_rs::zend::{ClassEntry, bailout, ce};

use crate::engine;

/// The class that all others extend.
const BASE: &str = "Cr0Sync\\Cr0SyncException";

const KINDS: usize = ErrorKind::ALL.len();

/// The base class and those of the kinds, in the order of the table.
static CLASSES: [AtomicPtr<ClassEntry>; KINDS + 1] = [const { AtomicPtr::new(null_mut()) }; KINDS + 1];

/// The class that was registered last.
static LATEST: AtomicPtr<ClassEntry> = AtomicPtr::new(null_mut());

/// Why a function gives no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library says so.
    Sync(Error),
    /// The function was called wrongly.
    Call(Misuse, String),
    /// PHP code that we called has thrown; that exception is pending.
    Pending,
    /// PHP code that we called has ended the script.
    Fatal,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Sync(error)
    }
}

/// What is wrong with a call, as PHP tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misuse {
    /// Too few or too many arguments.
    Count,
    /// A value of a wrong type.
    Type,
    /// A value that makes no sense.
    Value,
}

/// Makes the classes.
///
/// # Errors
/// When PHP has one of them already.
pub(crate) fn register() -> ext_php_rs::error::Result<()> {
    let base = ClassBuilder::new(BASE).extends((ce::exception, "\\Exception"));
    base.registration(|class, _| {
        for name in ["path", "hint"] {
            engine::declare_text_property(class, name);
        }
        LATEST.store(class, Ordering::Release);
    })
    .register()?;
    keep(0);
    for (index, kind) in ErrorKind::ALL.into_iter().enumerate() {
        ClassBuilder::new(format!("Cr0Sync\\{}", kind.exception()))
            .extends((base_class, BASE))
            .registration(|class, _| LATEST.store(class, Ordering::Release))
            .register()?;
        keep(index + 1);
    }
    Ok(())
}

fn keep(index: usize) {
    if let Some(class) = CLASSES.get(index) {
        class.store(LATEST.load(Ordering::Acquire), Ordering::Release);
    }
}

/// Throws what the failure calls for.
pub(crate) fn throw(failure: &Failure) {
    match failure {
        Failure::Sync(error) => {
            let position = ErrorKind::ALL.iter().position(|kind| *kind == error.kind());
            let class = position.map_or_else(base_class, |position| class(position + 1));
            let path = error.path().map(|path| path.as_os_str().as_bytes());
            let hint = error.hint_text().map(str::as_bytes);
            let properties = [(c"path", path), (c"hint", hint)];
            engine::throw(class, &error.to_string(), error.kind().number(), &properties);
        }
        Failure::Call(misuse, message) => {
            let class = match misuse {
                Misuse::Count => ce::argument_count_error(),
                Misuse::Type => ce::type_error(),
                Misuse::Value => ce::value_error(),
            };
            engine::throw(class, message, 0, &[]);
        }
        Failure::Pending => {}
        // SAFETY: nothing of ours is left but what stands on this stack, and that owns nothing.
        Failure::Fatal => unsafe { bailout() },
    }
}

fn base_class() -> &'static ClassEntry {
    class(0)
}

fn class(index: usize) -> &'static ClassEntry {
    let class = CLASSES.get(index).map_or(null_mut(), |class| class.load(Ordering::Acquire));
    // SAFETY: either null or a class of this module, which lives as long as the process.
    unsafe { class.as_ref() }.unwrap_or_else(ce::exception)
}
