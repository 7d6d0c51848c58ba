//! How many files this process may have open at once: all that a log was rotated into, and cron allows 1024.
//!
//! Apart from `file`, which opens one. A file that could not be opened for this reason is no bad file, and nobody goes on
//! without it.

use std::io;
use std::sync::Once;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process have as many files open as it may give itself, once. Where that fails it has what it had.
pub(crate) fn make_room() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let now = getrlimit(Resource::Nofile);
        // None is no limit.
        let is_less = now.current.is_some_and(|soft| now.maximum.is_none_or(|hard| soft < hard));
        if is_less {
            let _ = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum });
        }
    });
}

/// Whether something failed only as too many files are open.
pub(crate) fn are_used_up(cause: &io::Error) -> bool {
    let errors = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE];
    errors.iter().any(|error| cause.raw_os_error() == Some(error.raw_os_error()))
}

/// What is wrong then, and what to do.
pub(crate) fn told(cause: &io::Error) -> String {
    let limit =
        getrlimit(Resource::Nofile).current.map_or_else(|| "any".to_owned(), |limit| limit.to_string());
    format!(
        "cannot be opened: {cause}. This process may have {limit} files open, and nothing is done before it may have more: raise that (`ulimit -n`, or LimitNOFILE= of a service), or let `clean` remove old rotated files"
    )
}
