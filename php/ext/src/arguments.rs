//! The arguments of one call, taken as PHP functions take them: standard coercion, standard errors.
//!
//! Apart from `options`, which reads what is inside the array that most functions take last. As in functions written
//! in PHP, `null` is not taken for a string. Text is bytes here: a path need not be UTF-8.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use ext_php_rs::args::Arg;
use ext_php_rs::flags::DataType;
use ext_php_rs::types::{ZendHashTable, Zval};
use ext_php_rs::zend::{ExecuteData, ExecutorGlobals};

use serde_json::{Map, Value as Json};

use crate::engine::{self, Coercion};
use crate::exceptions::{Failure, Misuse};
use crate::values;

/// How deep arrays in an argument may lie in each other: a list in a member is all that any function takes.
const MAX_DEPTH: usize = 4;

/// One parameter, as Reflection shows it.
#[derive(Debug)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) kind: Kind,
    /// What stands for it when it is left out, in PHP; `None` when it must be given.
    pub(crate) default: Option<&'static str>,
    /// Whether nobody may see it who sees where an error happened.
    pub(crate) is_secret: bool,
}

/// The types that our functions take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `string`.
    Text,
    /// `array`.
    Array,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::Array => "array",
        }
    }
}

impl Parameter {
    /// One that must be given.
    pub(crate) const fn required(name: &'static str, kind: Kind) -> Parameter {
        Parameter { name, kind, default: None, is_secret: false }
    }

    /// One that may be left out; what stands for it is as PHP would write it.
    pub(crate) const fn optional(name: &'static str, kind: Kind, default: &'static str) -> Parameter {
        Parameter { name, kind, default: Some(default), is_secret: false }
    }

    /// A text that must be given, and that traces of errors do not show.
    pub(crate) const fn secret(name: &'static str) -> Parameter {
        Parameter { name, kind: Kind::Text, default: None, is_secret: true }
    }

    /// The array of options that most functions take last.
    pub(crate) const fn options() -> Parameter {
        Parameter::optional("options", Kind::Array, "[]")
    }

    /// For PHP's own list of functions.
    pub(crate) fn declaration(&self) -> Arg<'static> {
        let kind = match self.kind {
            Kind::Text => DataType::String,
            Kind::Array => DataType::Array,
        };
        let argument = Arg::new(self.name, kind);
        match self.default {
            Some(default) => argument.default(default),
            None => argument,
        }
    }
}

/// What a function was called with; the values are ours, so that converting them changes nobody else's.
#[derive(Debug)]
pub(crate) struct Arguments {
    function: &'static str,
    parameters: &'static [Parameter],
    values: Vec<Zval>,
}

impl Arguments {
    /// Those of the call that runs.
    pub(crate) fn of(
        call: &mut ExecuteData,
        function: &'static str,
        parameters: &'static [Parameter],
    ) -> Result<Arguments, Failure> {
        // However many there are; `new` counts.
        let mut all = Arg::new("arguments", DataType::Mixed).is_variadic();
        if call.parser().arg(&mut all).required_args(0).parse().is_err() {
            return Err(Failure::Pending);
        }
        let values = all.variadic_vals::<&mut Zval>();
        Arguments::new(function, parameters, values.into_iter().map(|value| value.shallow_clone()).collect())
    }

    /// Those of a call on another's behalf.
    pub(crate) fn new(
        function: &'static str,
        parameters: &'static [Parameter],
        values: Vec<Zval>,
    ) -> Result<Arguments, Failure> {
        let required = parameters.iter().filter(|parameter| parameter.default.is_none()).count();
        let bound = match values.len() {
            given if given < required && required == parameters.len() => Some(("exactly", required)),
            given if given < required => Some(("at least", required)),
            given if given > parameters.len() && required == parameters.len() => Some(("exactly", required)),
            given if given > parameters.len() => Some(("at most", parameters.len())),
            _ => None,
        };
        if let Some((word, count)) = bound {
            let plural = if count == 1 { "" } else { "s" };
            let given = values.len();
            let message = format!("{function}() expects {word} {count} argument{plural}, {given} given");
            return Err(Failure::Call(Misuse::Count, message));
        }
        Ok(Arguments { function, parameters, values })
    }

    /// The function that was called.
    pub(crate) fn function(&self) -> &'static str {
        self.function
    }

    /// A string that need not be UTF-8.
    pub(crate) fn bytes(&mut self, index: usize) -> Result<Vec<u8>, Failure> {
        let value = self.values.get_mut(index);
        let bytes = value.and_then(|value| engine::as_text(value, Coercion::Caller)).map(<[u8]>::to_vec);
        bytes.ok_or_else(|| self.wrong_type(index))
    }

    /// Whether an argument was given.
    pub(crate) fn has(&self, index: usize) -> bool {
        index < self.values.len()
    }

    /// A string.
    pub(crate) fn text(&mut self, index: usize) -> Result<String, Failure> {
        String::from_utf8(self.bytes(index)?).map_err(|_| self.wrong_value(index, "must be valid UTF-8"))
    }

    /// An array; `None` when it was left out.
    pub(crate) fn array(&self, index: usize) -> Result<Option<&ZendHashTable>, Failure> {
        match self.values.get(index) {
            None => Ok(None),
            Some(value) => value.array().map(Some).ok_or_else(|| self.wrong_type(index)),
        }
    }

    /// The elements of an array that must be a list.
    pub(crate) fn list(&self, index: usize) -> Result<Vec<Zval>, Failure> {
        let Some(array) = self.array(index)? else { return Ok(Vec::new()) };
        if !values::is_list(array) {
            return Err(self.wrong_value(index, "must be a list"));
        }
        Ok(values::entries(array).map(|(_, value)| value.dereference().shallow_clone()).collect())
    }

    /// The elements of a list of strings.
    pub(crate) fn texts(&self, index: usize) -> Result<Vec<String>, Failure> {
        let mut texts = Vec::new();
        for mut value in self.list(index)? {
            let Some(bytes) = engine::as_text(&mut value, Coercion::Weak) else {
                return Err(self.wrong(Misuse::Type, index, "must be a list of strings"));
            };
            let text = String::from_utf8(bytes.to_vec());
            texts.push(text.map_err(|_| self.wrong_value(index, "must be valid UTF-8"))?);
        }
        Ok(texts)
    }

    /// The elements of a list of paths, which are bytes.
    pub(crate) fn paths(&self, index: usize) -> Result<Vec<PathBuf>, Failure> {
        let mut paths = Vec::new();
        for mut value in self.list(index)? {
            let Some(bytes) = engine::as_text(&mut value, Coercion::Weak) else {
                return Err(self.wrong(Misuse::Type, index, "must be a list of strings"));
            };
            paths.push(self.as_path(index, bytes.to_vec())?);
        }
        Ok(paths)
    }

    /// A path, or what may be one.
    pub(crate) fn path(&mut self, index: usize) -> Result<PathBuf, Failure> {
        let bytes = self.bytes(index)?;
        self.as_path(index, bytes)
    }

    fn as_path(&self, index: usize, bytes: Vec<u8>) -> Result<PathBuf, Failure> {
        if bytes.contains(&0) {
            return Err(self.wrong_value(index, "must not contain any null bytes"));
        }
        Ok(PathBuf::from(OsString::from_vec(bytes)))
    }

    /// The members of an array with names, as JSON; `null` is the same as leaving a member out.
    pub(crate) fn object(&self, index: usize) -> Result<Map<String, Json>, Failure> {
        let Some(array) = self.array(index)? else { return Ok(Map::new()) };
        match values::json(array, MAX_DEPTH) {
            Some(Json::Object(map)) => Ok(map.into_iter().filter(|(_, member)| !member.is_null()).collect()),
            Some(Json::Array(list)) if list.is_empty() => Ok(Map::new()),
            Some(_) => Err(self.wrong_value(index, "must have names as keys")),
            None => {
                Err(self
                    .wrong_value(index, "must hold nothing but text in UTF-8, integers, booleans and arrays"))
            }
        }
    }

    /// The error for an argument of the right type that makes no sense.
    pub(crate) fn wrong_value(&self, index: usize, what: &str) -> Failure {
        self.wrong(Misuse::Value, index, what)
    }

    fn wrong_type(&self, index: usize) -> Failure {
        let wanted = self.parameters.get(index).map_or("mixed", |parameter| parameter.kind.name());
        let given = self.values.get(index).map_or_else(|| "null".to_owned(), engine::type_name);
        self.wrong(Misuse::Type, index, &format!("must be of type {wanted}, {given} given"))
    }

    fn wrong(&self, misuse: Misuse, index: usize, what: &str) -> Failure {
        if ExecutorGlobals::has_exception() {
            return Failure::Pending;
        }
        let name = self.parameters.get(index).map_or("", |parameter| parameter.name);
        let (function, number) = (self.function, index.saturating_add(1));
        Failure::Call(misuse, format!("{function}(): Argument #{number} (${name}) {what}"))
    }
}
