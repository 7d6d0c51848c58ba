//! Exactly-once merge of logs.
//!
//! Every complete line that a side wrote reaches every other side exactly once, byte for byte, in its source's order,
//! whatever happens in between. The hub's copy is the archive: it only grows, and rotated segments are part of it. A
//! source's place in its file is known by content (`file::Proof`), so renamed, packed, truncated and copied files are
//! found again (`find`); what nothing is known of is aligned with the archive (`align`).
//!
//! - open: `file`, `names`, `handles`
//! - observe: `find`, `around`, `take`, `adopt`, `broken`, `archive`, `against`, brought together in `plan`
//! - decide (pure): `align`, `names`, `label`, `due`, `retention`
//! - apply: `run`, `work`, `append` (with `writeback`), `lacks`, `send`; after a crash `settle`, with `behind`, `given` and
//!   `resume`
//! - record: `journal` while it is done, `state` when it is, and who wrote what in `ledger` (`breaks`: what is left of
//!   those before)
//!
//! `verify` proves the archive; `changed` names the files that are not what was merged.
//!
//! The archive is kept from growing by rotation, which loses nothing, and by cleaning, which removes what is old and
//! merged: `rotate` (with `due`, `label`, `segment`, `torn`, `cut`, `reopen`, `pack`) and `clean` (with `retention`, which is pure).

mod adopt;
mod against;
mod align;
mod append;
mod archive;
mod around;
mod behind;
mod breaks;
mod broken;
mod changed;
mod clean;
mod cut;
mod due;
mod file;
mod find;
mod given;
mod handles;
mod journal;
mod label;
mod lacks;
mod ledger;
mod names;
mod pack;
mod plan;
mod reopen;
mod resume;
mod retention;
mod rotate;
mod run;
mod segment;
mod send;
mod settle;
mod state;
mod status;
mod steps;
mod stream;
mod take;
mod torn;
mod verify;
mod work;
mod writeback;

use crate::clock;
use crate::config::{Config, LogConfig, glob};
use crate::durable::{self, RunLock};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;
use crate::report::{LogState as Ended, LogsReport, RotateState};

use around::Around;
use breaks::hinted;
use due::Demand;
use rotate::Turn;
use steps::{Listener, Steps, Unwatched};

pub use crate::interrupt::Continue;
pub use clean::clean;
pub use rotate::{rotate, rotate_watched};
pub use status::status;
pub use steps::{Phase, Progress};
pub use verify::verify;

/// What a run over logs is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of logs, or patterns with `*` and `?`; all where there is none.
    pub logs: Vec<String>,
    /// Looks at every file, also where nothing seems to have changed; rotates whatever the size.
    pub force: bool,
    /// Says what would be done, and does nothing.
    pub dry_run: bool,
}

/// Merges logs both ways.
///
/// # Errors
/// [`ErrorKind::Locked`] when another run is at it, [`ErrorKind::Usage`] when a name fits no log. What goes wrong with one
/// log is in its report, and stops no other.
pub fn merge(config: &Config, options: &Options) -> Result<LogsReport> {
    merge_with(config, options, &Unwatched).map_err(hinted)
}

/// Merges logs as [`merge`] does, and tells which one it is at.
///
/// # Errors
/// Those of [`merge`], and [`ErrorKind::Cancelled`] where `tell` says that it stops: what is done by then stays done.
pub fn merge_watched(
    config: &Config,
    options: &Options,
    tell: &mut dyn FnMut(&Progress<'_>) -> Continue,
) -> Result<LogsReport> {
    merge_with(config, options, &Listener::new(tell)).map_err(hinted)
}

fn merge_with(config: &Config, options: &Options, steps: &dyn Steps) -> Result<LogsReport> {
    let directory = config.root.join("sync_state").join("logs");
    let _lock = lock(config, options)?;
    let now = clock::now();
    let mut merged = run::merge(config, options, &directory, now, steps)?;
    if options.dry_run {
        return Ok(merged.report);
    }
    // Past its limit an archive is rotated without being asked.
    let around = Around::of(config);
    let turn = Turn {
        directory: &directory,
        hub: &config.hub,
        ownership: &config.ownership,
        around: &around,
        now,
        demand: Demand::Large,
        steps,
    };
    for (name, report) in &mut merged.report.logs {
        let Some(log) = config.logs.get(name).filter(|_| report.state == Ended::Merged) else { continue };
        let size = log
            .copies
            .get(&config.hub)
            .and_then(|path| std::fs::symlink_metadata(path).ok())
            .map_or(0, |file| file.len());
        if size <= log.rotate.max_bytes && log.rotate.min_bytes.is_none() {
            continue;
        }
        let rotated = turn.log(name, log, &mut merged.state);
        // What a stop has kept from being read is not wrong with it.
        interrupt::check()?;
        report.rotated = rotated.file.filter(|_| rotated.state == RotateState::Rotated).map(|file| {
            // As it is called now.
            let packed = rotated.compressed.into_iter().find(|packed| packed.with_extension("") == file);
            packed.unwrap_or(file)
        });
        report.warnings.extend(rotated.warnings);
        if let (RotateState::Skipped | RotateState::Failed, Some(why)) = (rotated.state, rotated.reason) {
            report
                .warnings
                .push(format!("{}: it is past its size limit, and cannot be rotated: {why}", config.hub));
        }
    }
    Ok(merged.report)
}

/// Nobody else is at it meanwhile. A dry run makes nothing that is not there.
fn lock(config: &Config, options: &Options) -> Result<Option<RunLock>> {
    let root = config.root.join("sync_state");
    let directory = root.join("logs");
    if options.dry_run && !directory.is_dir() {
        return Ok(None);
    }
    durable::state_directory(&root, &config.ownership)?;
    durable::private_directory(&directory)?;
    RunLock::take(&directory).map(Some)
}

/// The logs that are meant.
fn chosen<'a>(config: &'a Config, wanted: &[String]) -> Result<Vec<(&'a str, &'a LogConfig)>> {
    for wanted in wanted {
        if !config.logs.keys().any(|name| glob(wanted, name)) {
            let names = config.logs.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let hint = if names.is_empty() {
                "the configuration has none; add them to \"logs\"".to_owned()
            } else {
                format!("logs are: {names}")
            };
            return Err(Error::new(ErrorKind::Usage, format!("no log is called {wanted}")).hint(hint));
        }
    }
    let is_meant = |name: &&String| wanted.is_empty() || wanted.iter().any(|wanted| glob(wanted, name));
    Ok(config
        .logs
        .iter()
        .filter(|(name, _)| is_meant(name))
        .map(|(name, log)| (name.as_str(), log))
        .collect())
}

// It lies with the other tests, and is compiled in here for what it drives: nobody outside can reach that.
#[cfg(test)]
#[path = "../../tests/log_scripts/mod.rs"]
mod scripts;

#[cfg(test)]
#[path = "../../tests/log_rotation/mod.rs"]
mod rotation;
