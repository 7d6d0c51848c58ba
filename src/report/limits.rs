//! What rate limits return.

use std::collections::BTreeMap;

use serde::Serialize;

/// What one limit says to a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RateVerdict {
    /// Whether it is let in.
    pub allowed: bool,
    /// So many are, in each period.
    pub limit: u32,
    /// So many more would be right now.
    pub remaining: u32,
    /// When the same request would be (milliseconds from now); 0 when it is, none when it never will be.
    pub retry_after_ms: Option<u64>,
    /// When the whole burst is there again (seconds from now).
    pub reset: u64,
}

/// What all limits of a request say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateLimitReport {
    /// Version of this document.
    pub schema: u32,
    /// The answer: of the limit that refuses for the longest, or else leaves the least.
    #[serde(flatten)]
    pub verdict: RateVerdict,
    /// What each says, where there are several. When one refuses, nothing was counted by any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Vec<RateVerdict>>,
}

impl RateLimitReport {
    /// 1 when the request is refused, as of a key that is.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        i32::from(!self.verdict.allowed)
    }
}

/// What was cleaned of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateTableCleaned {
    /// Where it lies.
    pub path: String,
    /// Buckets that were full again and went.
    pub removed: u64,
    /// Buckets that stay.
    pub kept: u64,
    /// Whether it was made anew in another size.
    pub resized: bool,
}

/// What was cleaned of the file that today's pages write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateFileCleaned {
    /// Where it lies.
    pub path: String,
    /// Clients that went.
    pub removed: u64,
    /// Clients that stay.
    pub kept: u64,
    /// Requests that went.
    pub requests: u64,
    /// Why nothing was done, where that needs saying.
    pub problem: Option<String>,
}

/// A cleanup of rate limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateCleanupReport {
    /// Version of this document.
    pub schema: u32,
    /// Whether there was no problem.
    pub ok: bool,
    /// Our own table.
    pub table: RateTableCleaned,
    /// `api_rate_limits.json`.
    pub legacy: RateFileCleaned,
}

impl RateCleanupReport {
    /// 0 when all went well, else 2.
    #[must_use]
    pub const fn exit_code(&self) -> i32 {
        if self.ok { 0 } else { 2 }
    }
}

/// How it is with the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateTableStatus {
    /// Where it lies.
    pub path: String,
    /// Whether there is one that can be used; the first request makes it.
    pub exists: bool,
    /// For so many clients a new one is made.
    pub clients: u32,
    /// So many it has room for.
    pub slots: u64,
    /// So many of these are taken, by clients whose burst is not all there again.
    pub in_use: u64,
    /// Why nobody can say, where that is so.
    pub problem: Option<String>,
}

/// What a tier allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RateTier {
    /// So many requests in each period; 0 lets nobody in.
    pub limit: u32,
    /// The period.
    pub period_seconds: u32,
    /// So many at once.
    pub burst: u32,
}

/// A client whom today's pages keep count of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateClient {
    /// What they call it, cut where it is long.
    pub key: String,
    /// Requests within the longest period of a tier.
    pub requests: u64,
    /// RFC 3339 UTC, a number where the calendar has no such day; absent where it is not blocked.
    pub blocked_until: Option<String>,
}

/// What is in the file that today's pages write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateFileStatus {
    /// Where it lies.
    pub path: String,
    /// First those that are blocked, then those with the most requests.
    pub clients: Vec<RateClient>,
    /// How many there are, those on other pages too.
    pub total: usize,
    /// Why nobody can say, where that is so.
    pub problem: Option<String>,
}

/// How it is with rate limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateStatusReport {
    /// Version of this document.
    pub schema: u32,
    /// Our own table.
    pub table: RateTableStatus,
    /// What each tier allows.
    pub tiers: BTreeMap<String, RateTier>,
    /// `api_rate_limits.json`.
    pub legacy: RateFileStatus,
}

impl RateStatusReport {
    /// Always 0: looking is never a failure.
    #[must_use]
    pub const fn exit_code(&self) -> i32 {
        0
    }
}
