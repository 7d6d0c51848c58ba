//! What rate limits return.

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
