//! A limiter that a process keeps between calls: the configuration is read again only when its file has changed.
//!
//! Apart from `limiter`, which has one configuration for good. It never decides by an old configuration for longer than
//! the time within which it does not look.

use std::fs;
use std::path::{Path, PathBuf};

use super::limiter::{Check, Limiter};
use crate::clock;
use crate::config::Config;
use crate::durable;
use crate::error::{Error, ErrorKind, Result};
use crate::report::RateLimitReport;

/// So long the file of the configuration is not looked at again (nanoseconds).
const BELIEVED: u64 = 20_000_000;

/// Where a configuration comes from; another origin is another configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file, where one is named.
    pub config: Option<PathBuf>,
    /// The root, whatever the file says.
    pub root: Option<PathBuf>,
    /// The root where neither is said.
    pub default_root: Option<PathBuf>,
}

/// The limiter of the configuration that was used last.
#[derive(Debug, Default)]
pub struct Kept(Option<One>);

#[derive(Debug)]
struct One {
    origin: Origin,
    file: PathBuf,
    mark: Option<String>,
    looked_at: u64,
    limiter: Limiter,
}

impl Kept {
    /// None yet.
    #[must_use]
    pub const fn new() -> Kept {
        Kept(None)
    }

    /// [`Limiter::take`] with the configuration of an origin, which `load` reads where that is needed. A file that has
    /// changed counts within 20 milliseconds.
    ///
    /// # Errors
    /// As `load` and [`Limiter::take`].
    pub fn take(
        &mut self,
        origin: &Origin,
        load: impl FnOnce() -> Result<Config>,
        checks: &[Check<'_>],
    ) -> Result<RateLimitReport> {
        let now = clock::boot_nanos();
        if !self.0.as_mut().is_some_and(|one| one.still(origin, now)) {
            let root = origin.root.as_deref().or(origin.default_root.as_deref());
            let file = Config::file(origin.config.as_deref(), root)?;
            // Looked at before it is read: what changes in between is read again.
            let mark = mark(&file);
            let limiter = Limiter::new(&load()?)?;
            self.0 = Some(One { origin: origin.clone(), file, mark, looked_at: now, limiter });
        }
        match &mut self.0 {
            Some(one) => one.limiter.take_now(checks, now, clock::boot_nanos),
            None => Err(Error::new(ErrorKind::Internal, "a limiter is not where it was put")),
        }
    }
}

impl One {
    /// Whether its configuration is still the one that is asked for.
    fn still(&mut self, origin: &Origin, now: u64) -> bool {
        if self.origin != *origin {
            return false;
        }
        if now.saturating_sub(self.looked_at) < BELIEVED {
            return true;
        }
        self.looked_at = now;
        mark(&self.file) == self.mark
    }
}

fn mark(file: &Path) -> Option<String> {
    fs::metadata(file).ok().map(|found| durable::mark(&found))
}
