//! The boundaries between the steps of a run over logs, for whoever wants to strike there.
//!
//! In production nobody is told and nothing is done; the simulation lets owners write and the process die at each.

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
}

/// Nobody.
pub(crate) struct Unwatched;

impl Steps for Unwatched {
    fn at(&self, _step: Step) {}
}
