//! The functions of the extension, one type each: its name, its parameters, and which operation of the library it is.
//!
//! No function knows anything that the library could know. Their documentation for PHP is `stubs/cr0sync.stub.php`.
//! Here is what PHP learns of them, and what is about nothing in particular.

mod access;
mod databases;
mod events;
mod integrity;
mod limits;
mod logs;
mod operation;
mod security;

use ext_php_rs::builders::FunctionBuilder;
use ext_php_rs::flags::DataType;
use ext_php_rs::types::Zval;
use serde_json::{json, to_value};

use crate::arguments::{Arguments, Kind, Parameter};
use crate::call::{self, Answer};
use crate::engine;
use crate::exceptions::Failure;
use crate::options::{Given, Key, config};

/// A function that PHP can call.
pub(crate) trait Function {
    /// Its name.
    const NAME: &'static str;
    /// What it takes.
    const PARAMETERS: &'static [Parameter];
    /// What it gives.
    const RESULT: DataType = DataType::Array;

    /// Does it.
    fn run(arguments: Arguments) -> Result<Answer, Failure>;
}

/// A function that is called so often that its answer is made without a document.
pub(crate) trait Direct: Function {
    /// What the library says.
    type Said;

    /// Does it.
    fn ask(arguments: Arguments) -> Result<Self::Said, Failure>;

    /// The answer for PHP: the same as that of [`Function::run`].
    fn value(said: &Self::Said) -> ext_php_rs::error::Result<Zval>;
}

/// How PHP learns of a function, and how `cr0_call` finds it.
struct Entry {
    name: &'static str,
    parameters: &'static [Parameter],
    builder: fn() -> FunctionBuilder<'static>,
    on_behalf: fn(Vec<Zval>) -> Result<Answer, Failure>,
}

const fn entry<F: Function>() -> Entry {
    Entry { name: F::NAME, parameters: F::PARAMETERS, builder: builder::<F>, on_behalf: call::on_behalf::<F> }
}

const fn direct<F: Direct>() -> Entry {
    Entry {
        name: F::NAME,
        parameters: F::PARAMETERS,
        builder: direct_builder::<F>,
        on_behalf: call::on_behalf::<F>,
    }
}

fn builder<F: Function>() -> FunctionBuilder<'static> {
    declared::<F>(FunctionBuilder::new(F::NAME, call::handler::<F>))
}

fn direct_builder<F: Direct>() -> FunctionBuilder<'static> {
    declared::<F>(FunctionBuilder::new(F::NAME, call::direct_handler::<F>))
}

fn declared<F: Function>(builder: FunctionBuilder<'static>) -> FunctionBuilder<'static> {
    let required = F::PARAMETERS.iter().filter(|parameter| parameter.default.is_none()).count();
    F::PARAMETERS
        .iter()
        .map(Parameter::declaration)
        .fold(builder, FunctionBuilder::arg)
        .required_args(required)
        .returns(F::RESULT, false, false)
}

/// Every function whose answer is a report.
const REPORTS: [Entry; 50] = [
    entry::<databases::Status>(),
    entry::<databases::Sync>(),
    entry::<databases::ForceSync>(),
    entry::<databases::Conflicts>(),
    entry::<databases::Resolve>(),
    entry::<databases::Acknowledge>(),
    entry::<databases::History>(),
    entry::<databases::Undo>(),
    entry::<databases::Backup>(),
    entry::<databases::Backups>(),
    entry::<databases::Restore>(),
    entry::<databases::CleanBackups>(),
    entry::<databases::Verify>(),
    entry::<databases::Enqueue>(),
    entry::<databases::Queue>(),
    entry::<logs::Status>(),
    entry::<logs::Merge>(),
    entry::<logs::Rotate>(),
    entry::<logs::Clean>(),
    entry::<logs::Verify>(),
    entry::<events::Record>(),
    entry::<events::Query>(),
    entry::<events::Archive>(),
    entry::<events::Verify>(),
    direct::<limits::RateLimit>(),
    entry::<limits::RateLimitCleanup>(),
    entry::<limits::RateLimitStatus>(),
    entry::<integrity::Status>(),
    entry::<integrity::Check>(),
    entry::<integrity::Baseline>(),
    entry::<integrity::Accept>(),
    entry::<integrity::Silence>(),
    entry::<integrity::Watch>(),
    entry::<access::KeyIssue>(),
    entry::<access::KeyVerify>(),
    entry::<access::KeyRevoke>(),
    entry::<access::KeyRotate>(),
    entry::<access::KeyList>(),
    entry::<access::SessionOpen>(),
    entry::<access::SessionVerify>(),
    entry::<access::SessionClose>(),
    entry::<access::SessionList>(),
    entry::<access::SessionCleanup>(),
    entry::<security::Run>(),
    entry::<Status>(),
    entry::<operation::Doctor>(),
    entry::<operation::Metrics>(),
    entry::<operation::Alerts>(),
    entry::<operation::AlertsTold>(),
    entry::<Configuration>(),
];

/// Makes what is kept between calls; in module startup.
pub(crate) fn open() {
    limits::open();
}

/// Closes what is kept between calls.
pub(crate) fn close() {
    limits::close();
}

/// Everything that PHP is to know.
pub(crate) fn builders() -> Vec<FunctionBuilder<'static>> {
    let others = [builder::<Call>(), builder::<Version>()];
    REPORTS.iter().map(|entry| (entry.builder)()).chain(others).collect()
}

/// Has traces of errors leave out what is secret. For the startup of the module, when PHP has the functions.
pub(crate) fn hide_secrets() {
    let all =
        REPORTS.iter().map(|entry| (entry.name, entry.parameters)).chain([(Call::NAME, Call::PARAMETERS)]);
    for (name, parameters) in all {
        for (number, parameter) in (0..).zip(parameters) {
            if parameter.is_secret {
                engine::hide_parameter(name, number);
            }
        }
    }
}

/// `cr0_status`: how everything is.
struct Status;

impl Function for Status {
    const NAME: &'static str = "cr0_status";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root])?;
        let report = cr0sync::status(&config(&given)?)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_config`: the configuration in force.
struct Configuration;

impl Function for Configuration {
    const NAME: &'static str = "cr0_config";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root])?;
        let config = config(&given)?;
        let source = config.source.as_ref().map(|path| path.to_string_lossy());
        Answer::new(Ok(json!({ "schema": 1, "source": source, "config": config.to_json() })), 0)
    }
}

/// `cr0_call`: calls one of the functions above and tells what a script needs to know.
struct Call;

impl Function for Call {
    const NAME: &'static str = "cr0_call";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::required("function", Kind::Text),
        // A key may be among them.
        Parameter { is_secret: true, ..Parameter::optional("arguments", Kind::Array, "[]") },
    ];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let name = arguments.text(0)?;
        let values = arguments.list(1)?;
        let Some(entry) = REPORTS.iter().find(|entry| entry.name == name) else {
            let names: Vec<&str> = REPORTS.iter().map(|entry| entry.name).collect();
            return Err(arguments.wrong_value(0, &format!("must be one of {}", names.join(", "))));
        };
        (entry.on_behalf)(values)
    }
}

/// `cr0_version`: the version of the extension.
struct Version;

impl Function for Version {
    const NAME: &'static str = "cr0_version";
    const PARAMETERS: &'static [Parameter] = &[];
    const RESULT: DataType = DataType::String;

    fn run(_arguments: Arguments) -> Result<Answer, Failure> {
        Answer::new(Ok(json!(env!("CARGO_PKG_VERSION"))), 0)
    }
}
