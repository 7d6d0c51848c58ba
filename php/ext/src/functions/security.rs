//! The function that does what is due of the periodic jobs over files, keys and events.

use serde_json::to_value;

use super::Function;
use crate::arguments::{Arguments, Parameter};
use crate::call::Answer;
use crate::exceptions::Failure;
use crate::options::{Given, Key, config};

/// `cr0_security_run`: what cron calls each minute.
pub(crate) struct Run;

impl Function for Run {
    const NAME: &'static str = "cr0_security_run";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root])?;
        let report = cr0sync::security::run(&config(&given)?)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}
