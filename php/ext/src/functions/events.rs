//! The functions over the security event log.

use cr0sync::events::{self, Event, Filter, Severity};
use cr0sync::security;
use serde_json::{Value, to_value};

use super::Function;
use crate::arguments::{Arguments, Kind, Parameter};
use crate::call::Answer;
use crate::exceptions::Failure;
use crate::options::{Given, Key, config};
use crate::values;

/// How deep arrays in the details may lie in each other; the library leaves out what lies that deep.
const MAX_DEPTH: usize = 16;
/// What every function knows.
const COMMON: [Key; 2] = [Key::Config, Key::Root];

/// `cr0_event`: puts something that happened on record.
pub(crate) struct Record;

impl Function for Record {
    const NAME: &'static str = "cr0_event";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::required("type", Kind::Text),
        Parameter::optional("details", Kind::Array, "[]"),
        Parameter::optional("severity", Kind::Text, "\"INFO\""),
        Parameter::optional("ip", Kind::Text, "\"\""),
        Parameter::optional("session", Kind::Text, "\"\""),
        Parameter::options(),
    ];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 5, &COMMON)?;
        let kind = arguments.text(0)?;
        let details = arguments.array(1)?.map_or(Value::Null, |details| values::lossy(details, MAX_DEPTH));
        let severity = match arguments.has(2) {
            true => severity(&mut arguments, 2)?,
            false => Severity::Info,
        };
        let ip = perhaps(&mut arguments, 3)?;
        let session = perhaps(&mut arguments, 4)?;
        let report = events::record(&config(&given)?, &Event { kind, severity, details, ip, session })?;
        Answer::new(to_value(&report), 0)
    }
}

fn severity(arguments: &mut Arguments, index: usize) -> Result<Severity, Failure> {
    let word = arguments.text(index)?;
    Severity::of(&word).ok_or_else(|| {
        let all: Vec<&str> = Severity::ALL.iter().map(|severity| severity.word()).collect();
        arguments.wrong_value(index, &format!("must be one of {}", all.join(", ")))
    })
}

/// A text of any bytes, as a client may have sent it; none where it is empty or left out.
fn perhaps(arguments: &mut Arguments, index: usize) -> Result<Option<String>, Failure> {
    if !arguments.has(index) {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&arguments.bytes(index)?).into_owned();
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// `cr0_event_query`: looks for events, the newest first.
pub(crate) struct Query;

impl Function for Query {
    const NAME: &'static str = "cr0_event_query";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::optional("filter", Kind::Array, "[]"), Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 1, &COMMON)?;
        let filter = Filter::parse(&arguments.object(0)?).map_err(|what| arguments.wrong_value(0, &what))?;
        Answer::new(to_value(events::query(&config(&given)?, &filter)?), 0)
    }
}

/// `cr0_event_archive`: moves the lines of past days away.
pub(crate) struct Archive;

impl Function for Archive {
    const NAME: &'static str = "cr0_event_archive";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &COMMON)?;
        let report = events::archive(&config(&given)?)?;
        let exit_code = report.exit_code();
        Answer::new(to_value(&report), exit_code)
    }
}

/// `cr0_event_verify`: proves that the log and its archives are what was written.
pub(crate) struct Verify;

impl Function for Verify {
    const NAME: &'static str = "cr0_event_verify";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root, Key::Acknowledge])?;
        let report = security::verify_events(&config(&given)?, given.look())?;
        let exit_code = report.exit_code();
        Answer::new(to_value(&report), exit_code)
    }
}
