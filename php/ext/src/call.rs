//! How one call of a function runs and ends: arguments in, an answer or an exception out.
//!
//! The only place that throws, and the only one that makes PHP values of answers; it does both after everything that
//! the library did is over and dropped.

use std::panic::AssertUnwindSafe;

use cr0sync::{Error, ErrorKind};
use ext_php_rs::exception::PhpException;
use ext_php_rs::types::Zval;
use ext_php_rs::zend::{BailoutGuard, ExecuteData, run_handler};
use serde_json::{Value as Json, json};

use crate::arguments::Arguments;
use crate::exceptions::{self, Failure};
use crate::functions::{Direct, Function};
use crate::interrupts;
use crate::values;

/// What a function has to say.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The document.
    pub(crate) document: Json,
    /// What a script ends with.
    pub(crate) exit_code: i32,
}

impl Answer {
    /// An answer with a document that the library made.
    pub(crate) fn new(document: serde_json::Result<Json>, exit_code: i32) -> Result<Answer, Failure> {
        match document {
            Ok(document) => Ok(Answer { document, exit_code }),
            Err(cause) => {
                let error = Error::new(ErrorKind::Internal, "cannot write the report as JSON");
                Err(Failure::Sync(error.because(cause)))
            }
        }
    }

    /// The answer that stands for an error in scripts.
    fn of_error(error: &Error) -> Answer {
        let document = json!({
            "schema": 1,
            "ok": false,
            "error": {
                "kind": error.kind().name(),
                "message": error.to_string(),
                "path": error.path().map(|path| path.to_string_lossy()),
                "hint": error.hint_text(),
            },
        });
        Answer { document, exit_code: error.kind().exit_code() }
    }
}

/// The handler that PHP calls for a function.
pub(crate) extern "C" fn handler<F: Function>(call: &mut ExecuteData, result: &mut Zval) {
    run_handler(AssertUnwindSafe(|| {
        let arguments = Arguments::of(call, F::NAME, F::PARAMETERS);
        let answer = arguments.and_then(|arguments| interrupts::watched(|| F::run(arguments)));
        match answer {
            // Where PHP has no memory for it, it jumps away from here.
            Ok(answer) => give(&BailoutGuard::new(answer).document, result),
            Err(failure) => exceptions::throw(&failure),
        }
    }));
}

/// The same for a function that is called so often that its answer is no document first.
pub(crate) extern "C" fn direct_handler<F: Direct>(call: &mut ExecuteData, result: &mut Zval) {
    run_handler(AssertUnwindSafe(|| {
        let arguments = Arguments::of(call, F::NAME, F::PARAMETERS);
        match arguments.and_then(|arguments| interrupts::watched(|| F::ask(arguments))) {
            Ok(said) => match F::value(&said) {
                Ok(value) => *result = value,
                Err(cause) => PhpException::from(cause).throw(),
            },
            Err(failure) => exceptions::throw(&failure),
        }
    }));
}

/// Calls a function for a script, to which an error of the library is an answer too.
pub(crate) fn on_behalf<F: Function>(values: Vec<Zval>) -> Result<Answer, Failure> {
    let answer = match Arguments::new(F::NAME, F::PARAMETERS, values).and_then(F::run) {
        Ok(answer) => answer,
        Err(Failure::Sync(error)) => Answer::of_error(&error),
        Err(failure) => return Err(failure),
    };
    let (exit_code, json) = (answer.exit_code, answer.document.to_string());
    Ok(Answer {
        document: json!({ "exit_code": exit_code, "json": json, "report": answer.document }),
        exit_code,
    })
}

fn give(document: &Json, result: &mut Zval) {
    match values::zval(document) {
        Ok(value) => *result = value,
        Err(cause) => PhpException::from(cause).throw(),
    }
}
