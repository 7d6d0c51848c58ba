//! The functions over watched files.

use cr0sync::integrity;
use serde_json::to_value;

use super::Function;
use crate::arguments::{Arguments, Kind, Parameter};
use crate::call::Answer;
use crate::exceptions::Failure;
use crate::options::{Given, Key, config};

/// `cr0_integrity_status`: whether the baseline can be believed, and what the last check found.
pub(crate) struct Status;

impl Function for Status {
    const NAME: &'static str = "cr0_integrity_status";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root])?;
        let report = cr0sync::security::status(&config(&given)?)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_integrity_check`: compares watched files with the baseline.
pub(crate) struct Check;

impl Function for Check {
    const NAME: &'static str = "cr0_integrity_check";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let keys = [Key::Config, Key::Root, Key::Full, Key::BudgetMs, Key::Paths];
        let given = Given::read(&arguments, 0, &keys)?;
        let report = integrity::check(&config(&given)?, &given.of_integrity())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_integrity_baseline`: accepts everything as it is, or as a list says.
pub(crate) struct Baseline;

impl Function for Baseline {
    const NAME: &'static str = "cr0_integrity_baseline";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root, Key::Import])?;
        let report = integrity::baseline(&config(&given)?, given.import())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_integrity_accept`: accepts some paths as they are.
pub(crate) struct Accept;

impl Function for Accept {
    const NAME: &'static str = "cr0_integrity_accept";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::required("paths", Kind::Array), Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let paths = arguments.paths(0)?;
        let given = Given::read(&arguments, 1, &[Key::Config, Key::Root, Key::DryRun])?;
        let report = integrity::accept(&config(&given)?, &paths, given.accept())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_integrity_silence`: somebody on the website has seen some findings.
pub(crate) struct Silence;

impl Function for Silence {
    const NAME: &'static str = "cr0_integrity_silence";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::required("paths", Kind::Array), Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let paths = arguments.paths(0)?;
        let given = Given::read(&arguments, 1, &[Key::Config, Key::Root, Key::By])?;
        Answer::new(to_value(integrity::silence(&config(&given)?, &paths, given.by())?), 0)
    }
}

/// `cr0_integrity_watch`: checks at once what the kernel says has changed.
pub(crate) struct Watch;

impl Function for Watch {
    const NAME: &'static str = "cr0_integrity_watch";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let mut given = Given::read(&arguments, 0, &[Key::Config, Key::Root, Key::Seconds, Key::Progress])?;
        let (config, mut listener) = (config(&given)?, given.listener());
        let outcome = integrity::watch(&config, given.watch(), &mut |news| listener.hear(news));
        let report = listener.outcome(outcome)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}
