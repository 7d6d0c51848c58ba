//! The configuration in force, kept from call to call, for functions that every request of a website calls.
//!
//! Apart from `options`, which says where it comes from: here it is read again only when its file is another. A file that
//! is so new that the next change may get the same times is read each time.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use cr0sync::{Config, Error, Stamp};

use crate::options::{self, Given, Source};

#[derive(Debug)]
struct Kept {
    source: Source,
    stamp: Option<Stamp>,
    /// Whether the next change will show in the stamp.
    is_certain: bool,
    config: Rc<Config>,
}

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// The same as [`options::config`].
pub(crate) fn config(given: &Given) -> Result<Rc<Config>, Error> {
    let source = options::source(given);
    // What a relative path means is for the working directory to say.
    let is_fixed = source.paths().all(Path::is_absolute);
    // Looked at before it is read.
    let (stamp, is_certain) =
        Stamp::look(&source.file()).map_or((None, true), |(stamp, is_certain)| (Some(stamp), is_certain));
    let kept = KEPT.with_borrow(|kept| {
        let same =
            kept.as_ref().filter(|kept| kept.is_certain && kept.source == source && kept.stamp == stamp);
        same.map(|kept| Rc::clone(&kept.config))
    });
    if let Some(config) = kept.filter(|_| is_fixed) {
        return Ok(config);
    }
    let config = Rc::new(options::config(given)?);
    let fresh = Kept { source, stamp, is_certain, config: Rc::clone(&config) };
    KEPT.with_borrow_mut(|kept| *kept = Some(fresh));
    Ok(config)
}
