//! The boundaries between the steps of a run over logs, for whoever wants to strike there.
//!
//! In production nothing is done at them; the simulation lets owners write and the process die at each. Apart from them,
//! whoever waits for a run hears which log it is at, and may stop it there: between two logs, or before what was found of one
//! is written.

use std::cell::RefCell;

use serde::Serialize;

use crate::error::Result;
use crate::interrupt::{self, Continue};

/// How far a run over logs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress<'a> {
    /// The log that it is at.
    pub log: &'a str,
    /// Which one that is of those that are looked at, counted from 1.
    pub number: usize,
    /// How many are looked at: those of which something seems to have changed.
    pub logs: usize,
    /// What is being done with it.
    pub phase: Phase,
}

/// What is being done with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Reading its copies for what is new.
    Looking,
    /// Writing that, and what each copy lacks.
    Writing,
    /// Rotating and packing its archive.
    Rotating,
}

impl Phase {
    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Looking => "looking",
            Phase::Writing => "writing",
            Phase::Rotating => "rotating",
        }
    }
}

/// What has just been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// All copies of all logs were looked at.
    Observed,
    /// What is to be done is on disk.
    Declared,
    /// A part of what is new is in the archive,
    Written,
    /// and that is in the journal.
    Appended,
    /// A copy has got something,
    Given,
    /// and that is in the journal.
    Sent,
    /// It is on disk where lines came from.
    Noted,
    /// Everything that was appended is on disk.
    Synced,
    /// The state is on disk.
    Saved,
    /// A rotation in place is on record.
    Recorded,
    /// Its segment is in its place.
    Segmented,
    /// What is in the segment was taken out of the live file.
    Cut,
    /// The live file has its rotated name.
    Renamed,
    /// A packed file is in its place, beside the plain one.
    Packed,
}

/// Who is at the boundaries.
pub(crate) trait Steps {
    /// A step was done.
    fn at(&self, step: Step);

    /// A run is at a log; whether it goes on.
    fn hear(&self, _progress: &Progress<'_>) -> Continue {
        Continue::Yes
    }
}

/// Tells where a run is.
///
/// # Errors
/// [`crate::ErrorKind::Cancelled`] where it is to stop.
pub(crate) fn tell(steps: &dyn Steps, progress: &Progress<'_>) -> Result<()> {
    // Whoever is to stop is told nothing more.
    interrupt::check()?;
    match steps.hear(progress) {
        Continue::Yes => Ok(()),
        Continue::Stop => Err(interrupt::cancelled()),
    }
}

/// Somebody who waits.
pub(crate) struct Listener<'a>(RefCell<&'a mut dyn FnMut(&Progress<'_>) -> Continue>);

impl<'a> Listener<'a> {
    pub(crate) fn new(tell: &'a mut dyn FnMut(&Progress<'_>) -> Continue) -> Listener<'a> {
        Listener(RefCell::new(tell))
    }
}

impl Steps for Listener<'_> {
    fn at(&self, _step: Step) {}

    fn hear(&self, progress: &Progress<'_>) -> Continue {
        // Whoever is told cannot come back here: the run that tells is not theirs to call.
        self.0.try_borrow_mut().map_or(Continue::Yes, |mut tell| tell(progress))
    }
}

/// Nobody.
pub(crate) struct Unwatched;

impl Steps for Unwatched {
    fn at(&self, _step: Step) {}
}
