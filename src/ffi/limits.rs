//! Rate limits, for C: no document, as a bot or a server asks them for each request.
#![expect(unsafe_code, reason = "pointers of C programs")]

use std::ffi::c_char;
use std::ptr;

use super::call;
use super::error::Failure;
use super::options::Options;
use super::report::Report;
use super::system::System;
use crate::access::limits::{self, Check, Policy, Rule};
use crate::error::{Error, ErrorKind, Result};
use crate::report::RateVerdict;

/// What a rate limit says to a request.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Verdict {
    /// 1 when it is let in, and was counted; 0 when not.
    pub allowed: i32,
    /// So many are, in each period.
    pub limit: u32,
    /// So many more would be right now.
    pub remaining: u32,
    /// When the same request would be, in milliseconds from now; 0 when it is, -1 when it never will be.
    pub retry_after_ms: i64,
    /// When the whole burst is there again, in seconds from now.
    pub reset: i64,
}

/// A limit that a request is measured by.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct RateCheck {
    /// Whose bucket, of any bytes: an address, a user, an API key, with or without the name of an endpoint.
    pub client: *const c_char,
    /// How many bytes `client` has.
    pub client_length: usize,
    /// The name of a tier of the configuration; `NULL` where the numbers below count.
    pub tier: *const c_char,
    /// So many requests in each period.
    pub limit: u32,
    /// How long a period is, in seconds.
    pub period_seconds: u32,
    /// So many at once; 0 is as many as `limit`.
    pub burst: u32,
    /// How many requests it counts for; 0 takes nothing, and tells whether one would be let in.
    pub cost: u32,
}

impl From<&RateVerdict> for Verdict {
    fn from(verdict: &RateVerdict) -> Verdict {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Verdict {
            allowed: i32::from(verdict.allowed),
            limit: verdict.limit,
            remaining: verdict.remaining,
            retry_after_ms: verdict.retry_after_ms.map_or(-1, signed),
            reset: signed(verdict.reset),
        }
    }
}

/// Lets a request in and counts it, or refuses it, by a tier of the configuration; `NULL` is the tier `default`.
///
/// `client` is whose bucket, of `length` bytes; `cost` is how many requests it counts for. Exact under any number of
/// processes and threads, the website's PHP among them.
///
/// Fails as `cr0_rate_limits` does.
///
/// # Safety
/// `system` must be `NULL` or a system; `client` must be `NULL` or lead to `length` bytes, `tier` must be `NULL` or end
/// with a zero byte; `verdict` and `error` must be `NULL` or lead to where one may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_rate_limit(
    system: *const System,
    client: *const c_char,
    length: usize,
    tier: *const c_char,
    cost: u32,
    verdict: *mut Verdict,
    error: *mut *mut Failure,
) -> i32 {
    let default = c"default".as_ptr();
    let tier = if tier.is_null() { default } else { tier };
    let check =
        RateCheck { client, client_length: length, tier, limit: 0, period_seconds: 0, burst: 0, cost };
    // SAFETY: as the function asks.
    unsafe { cr0_rate_limits(system, &raw const check, 1, verdict, ptr::null_mut(), error) }
}

/// Lets a request in and counts it by all of `count` limits, or by none.
///
/// `verdict` is of the limit that refuses for the longest, or else leaves the least; `each`, where it is not `NULL`, is
/// what every limit says, in the order of `checks`. Where the call fails, nothing is written to either.
///
/// Fails with `CR0_ERROR_USAGE` for a tier that is not configured or numbers that make no limit, `CR0_ERROR_IO` or
/// `CR0_ERROR_ACCESS` when the table cannot be used. Nothing was counted then; whether to let the request in is for the
/// caller to say.
///
/// # Safety
/// `system` must be `NULL` or a system; `checks` must be `NULL` or lead to `count` of them, whose pointers are as for
/// `cr0_rate_limit`; `verdict` and `error` must be `NULL` or lead to where one may be written, `each` `NULL` or to
/// where `count` may.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_rate_limits(
    system: *const System,
    checks: *const RateCheck,
    count: usize,
    verdict: *mut Verdict,
    each: *mut Verdict,
    error: *mut *mut Failure,
) -> i32 {
    let work = || {
        if checks.is_null() {
            return Err(call::null("checks"));
        }
        // SAFETY: as the function asks.
        let system = unsafe { system.as_ref() }.ok_or_else(|| call::null("system"))?;
        system.of_this_process()?;
        let report = match count {
            // Nothing is gathered for what most requests are measured by.
            // SAFETY: as the function asks.
            1 => system.take(&[unsafe { check(&*checks) }?])?,
            _ => {
                // SAFETY: `count` of them, as the function asks.
                let all = (0..count).map(|index| unsafe { check(&*checks.add(index)) });
                system.take(&all.collect::<Result<Vec<_>>>()?)?
            }
        };
        if !verdict.is_null() {
            // SAFETY: the caller says that it may be written.
            unsafe { verdict.write(Verdict::from(&report.verdict)) };
        }
        if !each.is_null() {
            let alone = std::slice::from_ref(&report.verdict);
            let all = report.limits.as_deref().unwrap_or(alone);
            for (index, said) in all.iter().take(count).enumerate() {
                // SAFETY: the caller says that `count` of them may be written.
                unsafe { each.add(index).write(Verdict::from(said)) };
            }
        }
        Ok(())
    };
    // SAFETY: as the function asks.
    unsafe { call::status(error, work) }
}

/// # Safety
/// The pointers in it must be as [`cr0_rate_limit`] asks.
unsafe fn check<'a>(check: &RateCheck) -> Result<Check<'a>> {
    // SAFETY: as this function asks.
    let client = unsafe { call::bytes(check.client, check.client_length, "client") }?;
    // SAFETY: as this function asks.
    let rule = match unsafe { call::perhaps_text(check.tier, "tier") }? {
        Some(tier) => Rule::Tier(tier),
        None if check.period_seconds == 0 => {
            let what = "a limit needs a tier, or a period of at least a second";
            return Err(Error::new(ErrorKind::Usage, what));
        }
        None => {
            let burst = if check.burst == 0 { check.limit.max(1) } else { check.burst };
            Rule::Policy(Policy::new(check.limit, check.period_seconds, burst)?)
        }
    };
    Ok(Check { client, rule, cost: check.cost })
}

/// Takes away what no limit needs any more.
///
/// Fails with `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when the table cannot be used.
///
/// # Safety
/// `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_rate_limit_cleanup(
    system: *const System,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, _: &Options| {
        let report = limits::cleanup(&system.config)?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe { call::operation("cr0_rate_limit_cleanup", &[], (system, ptr::null()), report, error, work) }
}

/// Says how full the table is, what each tier allows, and which clients are in the file that today's pages write; makes and
/// changes nothing. The table has nothing but digests of clients: `cr0_rate_limit` with a cost of 0 tells of one.
///
/// Options: skip, limit (of the clients in the file: 100 unless given).
///
/// # Safety
/// `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to where a
/// pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cr0_rate_limit_status(
    system: *const System,
    options: *const Options,
    report: *mut *mut Report,
    error: *mut *mut Failure,
) -> i32 {
    let work = |system: &System, options: &Options| {
        let report = limits::status(&system.config, options.page())?;
        Report::new(&report, report.exit_code())
    };
    // SAFETY: as the function asks.
    unsafe {
        call::operation("cr0_rate_limit_status", &["skip", "limit"], (system, options), report, error, work)
    }
}
