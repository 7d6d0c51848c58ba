//! What PHP wants to do while the library works: signal handlers, and the end of its time.
//!
//! For every function, as each is called within `watched`. Apart from `progress`, which is about a callable that somebody
//! gave. Here too PHP code runs while the library has files open, and nothing may jump over its frames: whatever ends the
//! script in there is caught, the library is told to stop and gives everything back, and only then it goes on.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use cr0sync::interrupt::{self, Continue};
use ext_php_rs::zend::{ExecutorGlobals, try_catch};

use crate::engine;
use crate::exceptions::Failure;

thread_local! {
    /// Whether the script is about to end already, so that none of its code may run any more.
    static IS_OVER: Cell<bool> = const { Cell::new(false) };
}

/// Something else has ended the script, and the library is about to give everything back.
pub(crate) fn is_over() {
    IS_OVER.set(true);
}

/// Whether something has.
pub(crate) fn has_ended() -> bool {
    IS_OVER.get()
}

/// Does the work of a function, and whatever PHP wants to do meanwhile.
pub(crate) fn watched<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let end = Rc::new(Cell::new(None));
    let own = Rc::clone(&end);
    // A handler may call a function of ours too.
    let before = Before(IS_OVER.replace(false));
    let outcome = interrupt::watched(move || serve(&own), work);
    drop(before);
    match end.get() {
        Some(End::Thrown) => Err(Failure::Pending),
        Some(End::Fatal) => Err(Failure::Fatal),
        None => outcome,
    }
}

/// Puts back how it was for the call around, also when a call panics.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        IS_OVER.set(self.0);
    }
}

/// How the script ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// An exception waits; `exit` is one too.
    Thrown,
    /// At once.
    Fatal,
}

fn serve(end: &Cell<Option<End>>) -> Continue {
    if IS_OVER.get() {
        return Continue::Yes;
    }
    let process = std::process::id();
    let served = try_catch(AssertUnwindSafe(engine::serve_interrupt));
    // What the library has open is the parent's, as `progress` says.
    if std::process::id() != process {
        engine::end_child(served.is_err());
    }
    let ended = match served {
        Ok(()) if ExecutorGlobals::has_exception() => End::Thrown,
        Ok(()) => return Continue::Yes,
        Err(_) => End::Fatal,
    };
    end.set(Some(ended));
    // No callable is told anything more either.
    is_over();
    Continue::Stop
}
