//! The boundaries between the steps of a run, for whoever wants to look or strike there.
//!
//! Apart from `progress`, which tells people how far a run is and never speaks while anything is locked: here every
//! boundary has its name, also those under lock, so that the simulation can let owners write and the process die at
//! each. In production nobody is told and nothing is done.

/// What has just been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// What is known of an interrupted run was read.
    Began,
    /// A side's file was asked whether an interrupted run had written it; the answer is not on record yet.
    Asked,
    /// An interrupted run was forgotten, as nothing of it had happened.
    Withdrawn,
    /// A side is under observation.
    Observed,
    /// What every side gets is decided, and nobody is observed any more.
    Planned,
    /// Every side that is to be written has a backup.
    Secured,
    /// A side is locked.
    Locked,
    /// Every locked side is what was planned from.
    Verified,
    /// A side has its rows, uncommitted.
    Written,
    /// The intents are on disk.
    Declared,
    /// A side has committed.
    Committed,
    /// It is on record that the hub has.
    Decided,
    /// It is on record which of the others have.
    Noted,
    /// A side's base has what was merged.
    Recorded,
    /// It is on record what a side's file looked like.
    Remembered,
}

/// Who is at the boundaries.
pub(crate) trait Steps {
    /// A step was done: with one side, or, where that is empty, with all.
    fn at(&self, step: Step, side: &str);
}

/// Nobody.
pub(crate) struct Unwatched;

impl Steps for Unwatched {
    fn at(&self, _step: Step, _side: &str) {}
}

/// A known mistake in the protocol, for showing that the simulation notices it.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Nothing is on disk before sides commit.
    NoIntent,
    /// What is locked is taken for what was planned from.
    NoGuard,
    /// Bases are brought up to date before the commit.
    EarlyBase,
    /// Whatever was begun is taken for written.
    TrustfulEvidence,
    /// Equal counters agree before they are added up.
    SumsAgree,
}

#[cfg(test)]
thread_local! {
    /// What is planted in this thread.
    static PLANTED: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Plants a mistake in this thread, or takes it out.
#[cfg(test)]
pub(crate) fn plant(mutant: Option<Mutant>) {
    PLANTED.set(mutant);
}

/// Whether a mistake is planted in this thread.
#[cfg(test)]
pub(crate) fn is_planted(mutant: Mutant) -> bool {
    PLANTED.get() == Some(mutant)
}
