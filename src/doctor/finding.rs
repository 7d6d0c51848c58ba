//! How a finding is put together.

use std::path::Path;

use crate::error::Error;
use crate::report::{DoctorFinding, DoctorState};

/// Something that is as it should be.
pub(super) fn well(check: &'static str, what: impl Into<String>) -> DoctorFinding {
    finding(check, DoctorState::Ok, what)
}

/// Something that somebody should look at.
pub(super) fn warning(check: &'static str, what: impl Into<String>) -> DoctorFinding {
    finding(check, DoctorState::Warning, what)
}

/// Something that does not work, or is not safe.
pub(super) fn problem(check: &'static str, what: impl Into<String>) -> DoctorFinding {
    finding(check, DoctorState::Problem, what)
}

/// What could not be looked at.
pub(super) fn failed(check: &'static str, error: &Error) -> DoctorFinding {
    DoctorFinding {
        place: error.path().map(|path| path.display().to_string()),
        remedy: error.hint_text().map(str::to_owned),
        ..problem(check, error.to_string())
    }
}

fn finding(check: &'static str, state: DoctorState, what: impl Into<String>) -> DoctorFinding {
    DoctorFinding { check, state, what: what.into(), place: None, remedy: None }
}

impl DoctorFinding {
    /// What it is about.
    pub(super) fn at(self, path: &Path) -> DoctorFinding {
        DoctorFinding { place: Some(path.display().to_string()), ..self }
    }

    /// What to do.
    pub(super) fn mended_by(self, what: impl Into<String>) -> DoctorFinding {
        DoctorFinding { remedy: Some(what.into()), ..self }
    }
}
