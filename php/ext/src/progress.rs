//! How far a run is, told to PHP: the callable of the option `progress`, and what else PHP wants to do meanwhile.
//!
//! Apart from `call`, which runs when the library is done: here PHP code runs while the library has databases open. So
//! nothing may jump over its frames. Whatever ends the script in there (an exception, `exit`, a fatal error, a time
//! limit) is caught, the library is told to stop and gives everything back, and only then it goes on. The library calls
//! nobody while anything is locked for writing.
//!
//! PHP code may also fork in there. The run, its locks, connections and temporary files are the parent's, and giving them back
//! in order would take them from it. So a child that comes back ends as after a fatal error, which gives back nothing: PHP
//! runs its shutdown functions, the rest is forgotten.

use std::panic::AssertUnwindSafe;

use cr0sync::Result;
use cr0sync::database::Continue;
use ext_php_rs::types::Zval;
use ext_php_rs::zend::{ExecutorGlobals, try_catch};
use serde::Serialize;

use crate::engine;
use crate::exceptions::Failure;
use crate::interrupts;
use crate::values;

/// Who hears of a run, and what came of it.
#[derive(Debug)]
pub(crate) struct Listener {
    callable: Option<Zval>,
    end: Option<End>,
    /// Which process began the run.
    process: u32,
}

/// Why a run was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The callable said so.
    Asked,
    /// PHP has an exception, which waits; `exit` is one too.
    Thrown,
    /// PHP wants to end the script at once.
    Fatal,
}

impl Listener {
    /// One that calls what was given, if anything was, and lets signals and time limits through in any case.
    pub(crate) fn new(callable: Option<Zval>) -> Listener {
        Listener { callable, end: None, process: std::process::id() }
    }

    /// Hears how far a run is, or how watching over files is going: what the library says of it.
    pub(crate) fn hear(&mut self, news: &impl Serialize) -> Continue {
        if self.end.is_none() && interrupts::has_ended() {
            return Continue::Stop;
        }
        if self.end.is_none() {
            // A panic in there is one of ours; it ends the script like any other.
            self.end = try_catch(AssertUnwindSafe(|| self.tell(news))).unwrap_or(Some(End::Fatal));
            if std::process::id() != self.process {
                engine::end_child(self.end == Some(End::Fatal));
            }
        }
        if matches!(self.end, Some(End::Thrown | End::Fatal)) {
            interrupts::is_over();
        }
        if self.end.is_some() { Continue::Stop } else { Continue::Yes }
    }

    fn tell(&self, news: &impl Serialize) -> Option<End> {
        engine::serve_interrupt();
        if ExecutorGlobals::has_exception() {
            return Some(End::Thrown);
        }
        let callable = self.callable.as_ref()?;
        let document = serde_json::to_value(news).ok().and_then(|news| values::zval(&news).ok());
        let Some(document) = document else { return Some(End::Fatal) };
        let answer = engine::call(callable, document);
        if ExecutorGlobals::has_exception() {
            return Some(End::Thrown);
        }
        (answer.and_then(|answer| answer.bool()) == Some(false)).then_some(End::Asked)
    }

    /// What the run came to: its outcome, or whatever ended it.
    pub(crate) fn outcome<T>(self, outcome: Result<T>) -> Result<T, Failure> {
        match self.end {
            Some(End::Thrown) => Err(Failure::Pending),
            Some(End::Fatal) => Err(Failure::Fatal),
            Some(End::Asked) | None => outcome.map_err(Failure::Sync),
        }
    }
}
