//! The functions for people who run all of it: what is wrong, how it is, and which events they are to be told of.

use cr0sync::{alerts, doctor, metrics};
use ext_php_rs::flags::DataType;
use serde_json::{json, to_value};

use super::Function;
use crate::arguments::{Arguments, Kind, Parameter};
use crate::call::Answer;
use crate::exceptions::Failure;
use crate::options::{Given, Key, config};

/// `cr0_doctor`: what is wrong with an installation, and what to do.
pub(crate) struct Doctor;

impl Function for Doctor {
    const NAME: &'static str = "cr0_doctor";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let keys = [Key::Config, Key::Root, Key::Crontab, Key::Program, Key::Script, Key::Mailer];
        let given = Given::read(&arguments, 0, &keys)?;
        let report = doctor::examine(&config(&given)?, &given.shell());
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_metrics`: how it is, for Prometheus.
pub(crate) struct Metrics;

impl Function for Metrics {
    const NAME: &'static str = "cr0_metrics";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];
    const RESULT: DataType = DataType::String;

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root, Key::File])?;
        let config = config(&given)?;
        let report = match given.told_to() {
            Some(file) => metrics::write(&config, file)?,
            None => metrics::metrics(&config)?,
        };
        Answer::new(Ok(json!(report.text)), 0)
    }
}

/// `cr0_alerts`: which events are to be told.
pub(crate) struct Alerts;

impl Function for Alerts {
    const NAME: &'static str = "cr0_alerts";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root])?;
        Answer::new(to_value(alerts::due(&config(&given)?)?), 0)
    }
}

/// `cr0_alerts_told`: that they were told.
pub(crate) struct AlertsTold;

impl Function for AlertsTold {
    const NAME: &'static str = "cr0_alerts_told";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::required("token", Kind::Text), Parameter::options()];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let token = arguments.text(0)?;
        let given = Given::read(&arguments, 1, &[Key::Config, Key::Root])?;
        Answer::new(to_value(alerts::told(&config(&given)?, &token)?), 0)
    }
}
