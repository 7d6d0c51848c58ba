//! Whether a side is as the last run left it, for `status`, right after a run that wrote to it too.
//!
//! Apart from `run`, which skips a database only where its files have looked the same for so long that no change can
//! hide. Here somebody waits for an answer and the file is at hand, so it is asked itself: in rollback mode its change
//! counter, which every transaction moves; in WAL mode, where nothing so cheap tells, its rows against those of the base.
//! In doubt a side has changed.

use std::path::Path;

use rusqlite::Connection;

use crate::config::Config;

use super::observe::{self, Source};
use super::shape::{self, Drift};
use super::store::{ReplicaState, Store};
use super::{apply, forecast, native, open, schema};

/// Up to this size the rows of a file are compared for a status (bytes): a few hundredths of a second.
const LOOK_BYTES: u64 = 16 << 20;

/// The files of a side as they are now, where nobody but us has written since its data version was `version`.
pub(crate) fn left_as(live: &Connection, version: i64, path: &Path) -> Option<String> {
    // In this order: what is written after the look at the files does no harm, and what was before it is noticed here.
    let now = open::fingerprint(path)?;
    let ours = !native::has_moved(live) && apply::data_version(live).ok()? == version;
    ours.then_some(now.text)
}

/// Whether nothing has changed in a side. `now` is what its files were before it was opened.
pub(crate) fn is_at_rest(
    config: &Config,
    store: &Store,
    state: &ReplicaState,
    now: &str,
    live: Option<&Connection>,
    bytes: u64,
) -> bool {
    if state.fingerprint.as_ref().is_some_and(|then| then.starts_with(now)) {
        return true;
    }
    let Some(live) = live else { return false };
    let asked = || -> rusqlite::Result<bool> {
        live.execute_batch("BEGIN; SELECT 1 FROM sqlite_schema")?;
        if !open::is_wal(live)? {
            // The files have to look the same too: another file may have the same counter.
            let counter = state
                .seen
                .as_ref()
                .filter(|_| state.left_as.as_deref() == Some(now))
                .map(|seen| seen.counter);
            return Ok(counter.is_some() && native::change_counter(live) == counter);
        }
        // How they look is no help: when root opens a log, that alone changes its times.
        if bytes > LOOK_BYTES {
            return Ok(false);
        }
        let base = open::reader(&store.base_path(&state.base))?;
        has_rows_of(config, live, &base)
    };
    asked().unwrap_or(false)
}

/// Whether a file has the tables and rows of its base.
fn has_rows_of(config: &Config, live: &Connection, base: &Connection) -> rusqlite::Result<bool> {
    let (now, then) = (schema::read(live, "main")?, schema::read(base, "main")?);
    let same = |table: &schema::Table| shape::drift(then.table(&table.name), table) == Drift::None;
    if now.tables.len() != then.tables.len() || !now.tables.iter().all(same) {
        return Ok(false);
    }
    let Ok(shape) = forecast::plain_shape(config, [("the file", &now), ("its base", &then)]) else {
        return Ok(false);
    };
    for table in &shape.tables {
        let name = &table.rules.name;
        let before = Source { connection: base, table: then.table(name), cells: None };
        let after = Source { connection: live, table: now.table(name), cells: None };
        if !observe::diff(table, before, after, || Ok(()))?.is_empty() {
            return Ok(false);
        }
    }
    Ok(now.tables.len() == shape.tables.len())
}
