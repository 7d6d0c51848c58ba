//! The functions over rate limits.
//!
//! The only ones that keep something between calls: which configuration they read last, and its table. That is memory
//! that processes share, so a child of `fork` goes on with it.

use std::cell::{Cell, RefCell};

use cr0sync::access::limits::{self, Check, Kept, Policy, Rule};
use cr0sync::report::{RateLimitReport, RateVerdict};
use cr0sync::{Error, ErrorKind};
use ext_php_rs::types::{ArrayKey, ZendHashTable, ZendStr, Zval};
use serde_json::{Value as Json, to_value};

use super::{Direct, Function};
use crate::arguments::{Arguments, Kind, Parameter};
use crate::call::Answer;
use crate::engine;
use crate::exceptions::Failure;
use crate::options::{Given, Key, config};

/// The period of a policy that does not say it (seconds).
const HOUR: u32 = 3600;
/// The tier where none is named.
const DEFAULT: &str = "default";

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept::new()) };
    static NAMES: Cell<Option<[&'static ZendStr; 6]>> = const { Cell::new(None) };
}

/// What stands before each number of an answer.
const WORDS: [&str; 6] = ["schema", "allowed", "limit", "remaining", "retry_after_ms", "reset"];

/// Makes the keys of every answer once; in module startup.
pub(crate) fn open() {
    NAMES.set(Some(WORDS.map(engine::permanent)));
}

fn keys() -> [ArrayKey<'static>; 6] {
    NAMES.get().map_or_else(|| WORDS.map(ArrayKey::Str), |names| names.map(ArrayKey::ZendString))
}

/// Closes the table, when PHP is about to unload us.
pub(crate) fn close() {
    let _ = KEPT.try_with(|kept| kept.try_borrow_mut().map(|mut kept| *kept = Kept::new()));
    limits::release();
}

/// `cr0_rate_limit`: lets a request in and counts it, or refuses it.
pub(crate) struct RateLimit;

impl Function for RateLimit {
    const NAME: &'static str = "cr0_rate_limit";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::required("key", Kind::Text),
        Parameter::optional("tier", Kind::Text, "'default'"),
        Parameter::options(),
    ];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let report = RateLimit::ask(arguments)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

impl Direct for RateLimit {
    type Said = RateLimitReport;

    fn ask(mut arguments: Arguments) -> Result<RateLimitReport, Failure> {
        let client = arguments.bytes(0)?;
        let tier = if arguments.has(1) { arguments.text(1)? } else { DEFAULT.to_owned() };
        let keys = [Key::Config, Key::Root, Key::Cost, Key::Policy, Key::Also];
        let given = Given::read(&arguments, 2, &keys)?;
        let (policy, also) = given.limits();
        let rule = match policy {
            Some(numbers) => self::policy(numbers)?,
            None => Rule::Tier(&tier),
        };
        let first = Check { client: &client, rule, cost: cost(given.cost())? };
        let further = list(also)?;
        if further.is_empty() {
            return take(&given, &[first]);
        }
        let further = further.iter().map(|one| self::further(one, &client, &tier));
        take(&given, &std::iter::once(Ok(first)).chain(further).collect::<Result<Vec<_>, Failure>>()?)
    }

    fn value(said: &RateLimitReport) -> ext_php_rs::error::Result<Zval> {
        let mut table = ZendHashTable::new();
        let [schema, names @ ..] = keys();
        table.insert(schema, i64::from(said.schema))?;
        put(&mut table, names, &said.verdict)?;
        if let Some(limits) = &said.limits {
            let mut list = ZendHashTable::new();
            for one in limits {
                let mut zval = Zval::new();
                let mut table = ZendHashTable::new();
                let [_, names @ ..] = keys();
                put(&mut table, names, one)?;
                zval.set_hashtable(table);
                list.push(zval)?;
            }
            table.insert("limits", list)?;
        }
        let mut zval = Zval::new();
        zval.set_hashtable(table);
        Ok(zval)
    }
}

fn take(given: &Given, checks: &[Check<'_>]) -> Result<RateLimitReport, Failure> {
    let origin = given.origin();
    let report = KEPT.with(|kept| match kept.try_borrow_mut() {
        Ok(mut kept) => kept.take(&origin, || config(given), checks),
        Err(_) => Err(Error::new(ErrorKind::Internal, "a rate limit was asked for within another")),
    })?;
    Ok(report)
}

fn put(
    table: &mut ZendHashTable,
    names: [ArrayKey<'static>; 5],
    verdict: &RateVerdict,
) -> ext_php_rs::error::Result<()> {
    let [allowed, limit, remaining, retry_after_ms, reset] = names;
    let integer = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    table.insert(allowed, verdict.allowed)?;
    table.insert(limit, i64::from(verdict.limit))?;
    table.insert(remaining, i64::from(verdict.remaining))?;
    table.insert(retry_after_ms, verdict.retry_after_ms.map(integer))?;
    table.insert(reset, integer(verdict.reset))
}

/// `cr0_rate_limit_cleanup`: takes away what no limit needs any more.
pub(crate) struct RateLimitCleanup;

impl Function for RateLimitCleanup {
    const NAME: &'static str = "cr0_rate_limit_cleanup";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root])?;
        let report = limits::cleanup(&config(&given)?)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_rate_limit_status`: how full the table is, and what each tier allows.
pub(crate) struct RateLimitStatus;

impl Function for RateLimitStatus {
    const NAME: &'static str = "cr0_rate_limit_status";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root, Key::Skip, Key::Limit])?;
        let report = limits::status(&config(&given)?, given.page())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

fn wrong(what: impl Into<String>) -> Failure {
    Failure::Sync(Error::new(ErrorKind::Usage, what))
}

fn cost(cost: usize) -> Result<u32, Failure> {
    u32::try_from(cost).map_err(|_| wrong(format!("refused a cost of {cost}: that is more than any limit")))
}

/// Numbers of a limit.
fn policy(document: &Json) -> Result<Rule<'static>, Failure> {
    let members = members(document, "a policy", &["limit", "period_seconds", "burst"])?;
    let number = |name: &str| match members.get(name).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => match value.as_u64().and_then(|value| u32::try_from(value).ok()) {
            Some(value) => Ok(Some(value)),
            None => Err(wrong(format!("{name} of a policy must be an integer from 0 to {}", u32::MAX))),
        },
    };
    let limit = number("limit")?.ok_or_else(|| wrong("a policy needs a limit"))?;
    let burst = number("burst")?.unwrap_or(limit.max(1));
    Ok(Rule::Policy(Policy::new(limit, number("period_seconds")?.unwrap_or(HOUR), burst)?))
}

/// The elements of a list of further limits.
fn list(document: Option<&Json>) -> Result<&[Json], Failure> {
    match document {
        None => Ok(&[]),
        Some(Json::Array(list)) => Ok(list),
        Some(_) => Err(wrong("the option \"also\" must be a list of limits")),
    }
}

/// A further limit; what it does not say is as in the first.
fn further<'a>(document: &'a Json, client: &'a [u8], tier: &'a str) -> Result<Check<'a>, Failure> {
    let members = members(document, "a limit in \"also\"", &["key", "tier", "policy", "cost"])?;
    let text = |name: &str| match members.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(wrong(format!("{name} of a limit in \"also\" must be a string"))),
    };
    let rule = match members.get("policy").filter(|policy| !policy.is_null()) {
        Some(numbers) => policy(numbers)?,
        None => Rule::Tier(text("tier")?.unwrap_or(tier)),
    };
    let cost = match members.get("cost") {
        None | Some(Json::Null) => 1,
        Some(cost) => cost.as_u64().and_then(|cost| u32::try_from(cost).ok()).ok_or_else(|| {
            wrong(format!("cost of a limit in \"also\" must be an integer from 0 to {}", u32::MAX))
        })?,
    };
    Ok(Check { client: text("key")?.map_or(client, str::as_bytes), rule, cost })
}

fn members<'a>(
    document: &'a Json,
    what: &str,
    known: &[&str],
) -> Result<&'a serde_json::Map<String, Json>, Failure> {
    let expected = || wrong(format!("{what} must be an array with names as keys, of: {}", known.join(", ")));
    let members = document.as_object().ok_or_else(expected)?;
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(wrong(format!("{what} has no key {name:?}, only: {}", known.join(", ")))),
        None => Ok(members),
    }
}
