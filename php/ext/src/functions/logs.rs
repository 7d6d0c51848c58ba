//! The functions over logs.

use cr0sync::logs;
use serde_json::to_value;

use super::Function;
use crate::arguments::{Arguments, Parameter};
use crate::call::Answer;
use crate::exceptions::Failure;
use crate::options::{Given, Key, config};

/// What every function knows that only looks at logs.
const READS: [Key; 3] = [Key::Config, Key::Root, Key::Logs];

/// `cr0_log_status`: how far each copy is.
pub(crate) struct Status;

impl Function for Status {
    const NAME: &'static str = "cr0_log_status";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &READS)?;
        let report = logs::status(&config(&given)?, &given.of_logs())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// What every function knows that writes lines.
const WRITES: [Key; 6] = [Key::Config, Key::Root, Key::Logs, Key::DryRun, Key::Force, Key::Progress];

/// `cr0_log_merge`: merges all copies.
pub(crate) struct Merge;

impl Function for Merge {
    const NAME: &'static str = "cr0_log_merge";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let mut given = Given::read(&arguments, 0, &WRITES)?;
        let (config, mut listener) = (config(&given)?, given.listener());
        let mut tell = |progress: &logs::Progress<'_>| listener.hear(progress);
        let outcome = logs::merge_watched(&config, &given.of_logs(), &mut tell);
        let report = listener.outcome(outcome)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_log_rotate`: merges, and rotates the archives that are large.
pub(crate) struct Rotate;

impl Function for Rotate {
    const NAME: &'static str = "cr0_log_rotate";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let mut given = Given::read(&arguments, 0, &WRITES)?;
        let (config, mut listener) = (config(&given)?, given.listener());
        let mut tell = |progress: &logs::Progress<'_>| listener.hear(progress);
        let outcome = logs::rotate_watched(&config, &given.of_logs(), &mut tell);
        let report = listener.outcome(outcome)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_log_clean`: removes rotated files that are old and that every copy has got.
pub(crate) struct Clean;

impl Function for Clean {
    const NAME: &'static str = "cr0_log_clean";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root, Key::Logs, Key::DryRun])?;
        let report = logs::clean(&config(&given)?, &given.of_logs())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_log_verify`: proves that the archives are what was merged.
pub(crate) struct Verify;

impl Function for Verify {
    const NAME: &'static str = "cr0_log_verify";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &READS)?;
        let report = logs::verify(&config(&given)?, &given.of_logs())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}
