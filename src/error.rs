//! The one public error, and the one table that maps its kinds to everything outside.
//!
//! Kinds are few and stable: shells turn them into status numbers, exception classes and exit codes through
//! [`ErrorKind::number`], [`ErrorKind::exception`] and [`ErrorKind::exit_code`], never by matching on their own.
//! A conflict or a broken file is *not* an error (see `report`): an `Err` means that a run could not be decided.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::interrupt;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the few kinds that a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A bug in this library.
    Internal,
    /// The caller asked for something that does not exist or makes no sense.
    Usage,
    /// The configuration is wrong.
    Config,
    /// Another run holds the lock.
    Locked,
    /// A database stayed busy for longer than allowed.
    Busy,
    /// A file is not what it should be.
    Corrupt,
    /// This user may not do that.
    Access,
    /// The operating system failed us.
    Io,
    /// The row or file changed since the caller looked at it.
    Stale,
    /// The caller's callback asked to stop.
    Cancelled,
}

impl ErrorKind {
    /// Every kind, in the order of [`ErrorKind::number`].
    pub const ALL: [ErrorKind; 10] = [
        ErrorKind::Internal,
        ErrorKind::Usage,
        ErrorKind::Config,
        ErrorKind::Locked,
        ErrorKind::Busy,
        ErrorKind::Corrupt,
        ErrorKind::Access,
        ErrorKind::Io,
        ErrorKind::Stale,
        ErrorKind::Cancelled,
    ];

    /// The table: stable number, name, PHP exception class (without namespace), exit code of the scripts.
    const fn row(self) -> (i32, &'static str, &'static str, i32) {
        match self {
            ErrorKind::Internal => (1, "internal", "InternalException", 2),
            ErrorKind::Usage => (2, "usage", "UsageException", 64),
            ErrorKind::Config => (3, "config", "ConfigException", 64),
            ErrorKind::Locked => (4, "locked", "LockedException", 75),
            ErrorKind::Busy => (5, "busy", "BusyException", 2),
            ErrorKind::Corrupt => (6, "corrupt", "CorruptException", 2),
            ErrorKind::Access => (7, "access", "AccessException", 2),
            ErrorKind::Io => (8, "io", "IoException", 2),
            ErrorKind::Stale => (9, "stale", "StaleException", 2),
            ErrorKind::Cancelled => (10, "cancelled", "CancelledException", 2),
        }
    }

    /// The status number of the C interface and the code of the PHP exception. Never reused.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.row().0
    }

    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().1
    }

    /// The class below `Cr0Sync\` that PHP throws.
    #[must_use]
    pub const fn exception(self) -> &'static str {
        self.row().2
    }

    /// The exit code of the scripts (sysexits.h where it has one).
    #[must_use]
    pub const fn exit_code(self) -> i32 {
        self.row().3
    }
}

/// A failure: what, where, and what to do next.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error whose message is lowercase and starts with the verb that failed.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), path: None, hint: None, source: None }
    }

    /// Names the file concerned.
    #[must_use]
    pub fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.path = Some(path.as_ref().to_path_buf());
        self
    }

    /// Says what a person can do about it; where the file system can only be read, that stays what is said, as no owner or mode
    /// is in the way then.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if self.hint.as_deref() != Some(READ_ONLY) {
            self.hint = Some(hint.into());
        }
        self
    }

    /// All of it on one line.
    #[must_use]
    pub(crate) fn in_words(&self) -> String {
        self.hint_text().map_or_else(|| self.to_string(), |hint| format!("{self}; {hint}"))
    }

    /// Keeps the cause.
    #[must_use]
    pub fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without path, cause and hint.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The file concerned.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What a person can do.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// A failed system call: `verb` names what was tried ("open", "replace").
    pub fn io(verb: &str, path: impl AsRef<Path>, cause: std::io::Error) -> Self {
        if interrupt::is_stop(&cause) {
            return interrupt::cancelled();
        }
        let kind = if cause.kind() == std::io::ErrorKind::PermissionDenied {
            ErrorKind::Access
        } else {
            ErrorKind::Io
        };
        let hint = remedy(&cause).map(str::to_owned);
        Error { hint, ..Error::new(kind, format!("cannot {verb}")).at(path).because(cause) }
    }
}

/// What a person can do where the kernel lets nobody write.
pub(crate) const READ_ONLY: &str = "its file system can only be read: see why (dmesg; after an error of the disk the kernel does that), \
                                    then as root mount it for writing (mount -o remount,rw)";

/// What a person can do about a failed call, whatever it was for.
pub(crate) fn remedy(cause: &std::io::Error) -> Option<&'static str> {
    match cause.kind() {
        std::io::ErrorKind::StorageFull => Some("free some space there"),
        std::io::ErrorKind::QuotaExceeded => Some("free some space there, or raise the quota of its owner"),
        std::io::ErrorKind::ReadOnlyFilesystem => Some(READ_ONLY),
        _ => None,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(path) = &self.path {
            write!(f, " {}", path.display())?;
        }
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_total_and_stable() {
        let rows: Vec<String> = ErrorKind::ALL
            .iter()
            .map(|kind| {
                format!("{} {} {} {}", kind.number(), kind.name(), kind.exception(), kind.exit_code())
            })
            .collect();
        assert_eq!(
            rows,
            [
                "1 internal InternalException 2",
                "2 usage UsageException 64",
                "3 config ConfigException 64",
                "4 locked LockedException 75",
                "5 busy BusyException 2",
                "6 corrupt CorruptException 2",
                "7 access AccessException 2",
                "8 io IoException 2",
                "9 stale StaleException 2",
                "10 cancelled CancelledException 2",
            ]
        );
    }

    #[test]
    fn a_message_says_what_where_and_why() {
        let error = Error::io("replace", "/x/y.json", std::io::Error::from_raw_os_error(28));
        assert_eq!(error.to_string(), "cannot replace /x/y.json: No space left on device (os error 28)");
        assert_eq!(error.hint_text(), Some("free some space there"));
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(error.hint("write less").hint_text(), Some("write less"));
    }

    #[test]
    fn where_nobody_can_write_no_owner_is_to_blame() {
        let error = Error::io("lock", "/x/y", std::io::Error::from_raw_os_error(30)).hint("chown it");
        let hint = error.hint_text().unwrap_or_default();
        assert!(
            hint.contains("can only be read") && hint.contains("dmesg") && !hint.contains("chown"),
            "{hint}"
        );
    }
}
