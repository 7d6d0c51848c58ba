//! The configuration in force, kept from call to call, for functions that every request of a website calls.
//!
//! Apart from `options`, which says where it comes from: here it is read again only when its file is another, which is looked
//! for once a second. A file that is so new that the next change may get the same times is read each time.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use cr0sync::{Config, Error, Stamp, Stopwatch};

use crate::options::{self, Given, Source};

/// So long a configuration may be changed before that is seen (milliseconds): a look costs more than what it is for.
const LOOK_EVERY_MS: u64 = 1_000;

/// A configuration, and what its file was when it was read.
#[derive(Debug)]
struct InForce {
    source: Source,
    stamp: Option<Stamp>,
    /// Whether the next change will show in the stamp.
    is_certain: bool,
    looked: Stopwatch,
    config: Rc<Config>,
}

thread_local! {
    static KEPT: RefCell<Option<InForce>> = const { RefCell::new(None) };
}

/// The same as [`options::config`].
pub(crate) fn config(given: &Given) -> Result<Rc<Config>, Error> {
    let source = options::source(given);
    // What a relative path means is for the working directory to say.
    let is_fixed = source.paths().all(Path::is_absolute);
    let kept = KEPT.with_borrow(|kept| {
        let good = |kept: &&InForce| kept.is_certain && kept.looked.millis() < LOOK_EVERY_MS;
        let same = kept.as_ref().filter(|kept| kept.source == source).filter(good);
        same.map(|kept| Rc::clone(&kept.config))
    });
    if let Some(config) = kept.filter(|_| is_fixed) {
        return Ok(config);
    }
    // Looked at before it is read.
    let (stamp, is_certain) =
        Stamp::look(&source.file()).map_or((None, true), |(stamp, is_certain)| (Some(stamp), is_certain));
    let kept = KEPT.take().filter(|kept| is_fixed && kept.is_certain);
    let kept = kept.filter(|kept| kept.source == source && kept.stamp == stamp);
    let config = match kept {
        Some(kept) => kept.config,
        None => Rc::new(options::config(given)?),
    };
    let fresh = InForce { source, stamp, is_certain, looked: Stopwatch::start(), config: Rc::clone(&config) };
    KEPT.set(Some(fresh));
    Ok(config)
}
