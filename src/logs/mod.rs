//! Exactly-once merge of logs.
//!
//! Every complete line that a side wrote reaches every other side exactly once, byte for byte, in its source's order,
//! whatever happens in between. The hub's copy is the archive: it only grows, and rotated segments are part of it. A
//! source's place in its file is known by content (`file::Proof`), so renamed, packed, truncated and copied files are
//! found again (`find`); what nothing is known of is aligned with the archive (`align`).
//!
//! - open: `file`, `names`
//! - observe: `find`, `take`, `archive`, `resume`
//! - decide: `align` (pure)
//! - apply: `merge`
//! - record: `state`

mod align;
mod archive;
mod file;
mod find;
mod merge;
mod names;
mod resume;
mod state;
mod steps;
mod stream;
mod take;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::clock;
use crate::config::{Config, LogConfig, glob};
use crate::durable::{self, RunLock};
use crate::error::{Error, ErrorKind, Result};
use crate::report::{LogReport, LogState as Ended, LogsReport, SCHEMA};

use file::Owners;
use merge::{Done, Plan, Setting};
use state::{Died, Intent, Ledger, LogState, State};
use steps::{Step, Steps, Unwatched};

/// So many logs are open at once.
const BATCH: usize = 256;
/// From so many files on, the file system is asked to bring everything to disk instead of file by file.
const MANY_FILES: usize = 8;

/// What a run over logs is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of logs, or patterns with `*` and `?`; all where there is none.
    pub logs: Vec<String>,
}

/// Merges logs both ways.
///
/// # Errors
/// [`ErrorKind::Locked`] when another run is at it, [`ErrorKind::Usage`] when a name fits no log. What goes wrong with one
/// log is in its report, and stops no other.
pub fn merge(config: &Config, options: &Options) -> Result<LogsReport> {
    merge_with(config, options, &Unwatched)
}

fn merge_with(config: &Config, options: &Options, steps: &dyn Steps) -> Result<LogsReport> {
    let began = clock::start();
    let now = clock::now();
    let at = clock::stamp(now);
    let chosen = chosen(config, options)?;
    let root = config.root.join("sync_state");
    durable::state_directory(&root, &config.ownership)?;
    let directory = root.join("logs");
    durable::private_directory(&directory)?;
    let _lock = RunLock::take(&directory)?;
    let mut state = State::open(&directory)?;
    let died = state::died(&directory);
    let owners = owners(config);
    let mut reports = BTreeMap::new();
    let mut todo = Vec::new();
    for (name, log) in chosen {
        if died.of(name).is_none() && state.mark(name).is_some_and(|known| *known == mark(log)) {
            reports.insert(name.to_owned(), quiet(log));
        } else {
            todo.push((name, log));
        }
    }
    let setting = Setting { hub: &config.hub, ownership: &config.ownership, owners: &owners, at: &at, steps, directory: &directory };
    let mut carried = Intent::default();
    if !matches!(died, Died::No) {
        let unsettled: Vec<_> = todo.iter().filter(|(name, _)| died.of(name).is_some()).copied().collect();
        settle(&setting, &directory, &unsettled, &died, &mut state, &mut carried, &mut reports)?;
        keep_other(&died, &todo, &mut carried);
        todo.retain(|(name, _)| !carried.logs.contains_key(*name));
        state::declare(&directory, &carried)?;
    }
    for batch in todo.chunks(BATCH) {
        run_batch(&setting, &directory, batch, &mut state, &mut carried, &mut reports)?;
    }
    if !todo.is_empty() {
        state::declare(&directory, &carried)?;
    }
    let ok = reports.values().all(|report| report.state != Ended::Failed);
    Ok(LogsReport {
        schema: SCHEMA,
        ok,
        run: now.timestamp_millis().to_string(),
        duration_ms: began.millis(),
        logs: reports,
    })
}

/// What a run that died was about to do to logs that this one was not asked for.
fn keep_other(died: &Died, done: &[(&str, &LogConfig)], carried: &mut Intent) {
    if let Died::In(intent) = died {
        for (name, log) in &intent.logs {
            if !done.iter().any(|(known, _)| known == name) {
                carried.logs.insert(name.clone(), log.clone());
            }
        }
    }
}

/// Puts on record what a run that died has done. Logs of which that cannot be told now wait.
fn settle(
    setting: &Setting<'_>,
    directory: &Path,
    logs: &[(&str, &LogConfig)],
    died: &Died,
    state: &mut State,
    carried: &mut Intent,
    reports: &mut BTreeMap<String, LogReport>,
) -> Result<()> {
    let mut touched = Vec::new();
    for (name, log) in logs {
        let ledger = Ledger::of(directory, name);
        let known = state.log(name);
        let length = known.as_ref().map_or(0, |state| state.ledger);
        let entries = || ledger.read(length).unwrap_or_default();
        let settled = merge::observe(setting, name, log, known, died.of(name), &entries)
            .and_then(|plan| if plan.is_new() { Ok(None) } else { plan.settle().map(Some) });
        match settled {
            // What nothing was known of is aligned by its content, whatever was appended.
            Ok(None) => {}
            Ok(Some(Done { state: known, mut entries, touched: files, .. })) => {
                touched.extend(files);
                let (length, chain, file) = ledger.append(known.ledger, &known.chain, &mut entries)?;
                touched.extend(file);
                state.set(name, "-".to_owned(), &LogState { ledger: length, chain, ..known })?;
            }
            Err(why) => {
                let intent = died.of(name).flatten().cloned().unwrap_or_default();
                carried.logs.insert((*name).to_owned(), intent);
                reports.insert((*name).to_owned(), failed(log, why));
            }
        }
    }
    sync(&touched).map_err(|cause| Error::io("bring the logs to disk in", directory, cause))?;
    state.save()
}

fn run_batch(
    setting: &Setting<'_>,
    directory: &Path,
    batch: &[(&str, &LogConfig)],
    state: &mut State,
    carried: &mut Intent,
    reports: &mut BTreeMap<String, LogReport>,
) -> Result<()> {
    let mut plans: Vec<(&str, &LogConfig, String, Option<LogState>, Plan<'_>)> = Vec::new();
    let mut intent = Intent { logs: carried.logs.clone() };
    for (name, log) in batch {
        let marked = mark(log);
        let known = state.log(name);
        match merge::observe(setting, name, log, known.clone(), None, &Vec::new) {
            Ok(plan) => {
                intent.logs.insert((*name).to_owned(), plan.intent());
                plans.push((name, log, marked, known, plan));
            }
            Err(why) => drop(reports.insert((*name).to_owned(), failed(log, why))),
        }
    }
    if plans.is_empty() {
        return Ok(());
    }
    setting.steps.at(Step::Observed);
    state::declare(directory, &intent)?;
    setting.steps.at(Step::Declared);
    let mut finished = Vec::new();
    let mut touched = Vec::new();
    for (name, log, marked, known, plan) in plans {
        let ledger = Ledger::of(directory, name);
        let length = known.as_ref().map_or(0, |state| state.ledger);
        match plan.carry_out(&|| ledger.read(length).unwrap_or_default()) {
            Ok(Done { state, mut entries, touched: files, report }) => {
                touched.extend(files);
                let (length, chain, file) = ledger.append(state.ledger, &state.chain, &mut entries)?;
                touched.extend(file);
                setting.steps.at(Step::Noted);
                finished.push((name, log, marked, LogState { ledger: length, chain, ..state }, report));
            }
            Err(why) => {
                if let Some(own) = intent.logs.get(name) {
                    carried.logs.insert(name.to_owned(), own.clone());
                }
                reports.insert(name.to_owned(), failed(log, why));
            }
        }
    }
    sync(&touched).map_err(|cause| Error::io("bring the logs to disk in", directory, cause))?;
    setting.steps.at(Step::Synced);
    for (name, log, marked, known, mut report) in finished {
        if report.sides.values().all(|side| side.read_bytes == 0 && side.appended_bytes == 0) {
            report.state = Ended::Unchanged;
        }
        // Who is still to get something, or was passed over, is looked at again, whatever the files look like.
        let settled = report.warnings.is_empty()
            && report.sides.values().all(|side| side.lag_bytes == 0)
            && known.copies.values().all(|copy| copy.watched.is_empty());
        let after = mark(log);
        let unchanged = report.state == Ended::Unchanged && marked == after;
        let mark = if settled && unchanged { after } else { String::from("-") };
        state.set(name, mark, &known)?;
        reports.insert(name.to_owned(), report);
    }
    state.save()?;
    setting.steps.at(Step::Saved);
    Ok(())
}

fn sync(files: &[File]) -> std::io::Result<()> {
    if files.len() < MANY_FILES {
        return files.iter().try_for_each(File::sync_all);
    }
    let mut devices = BTreeSet::new();
    for file in files {
        if devices.insert(file.metadata()?.dev()) {
            rustix::fs::syncfs(file)?;
        }
    }
    Ok(())
}

/// What the files of a log look like; changes whenever one of them does.
fn mark(log: &LogConfig) -> String {
    let mut text = String::new();
    for path in log.copies.values() {
        match std::fs::symlink_metadata(path) {
            Ok(file) => text.push_str(&durable::mark(&file)),
            Err(_) => text.push('-'),
        }
        text.push(';');
    }
    text
}

fn quiet(log: &LogConfig) -> LogReport {
    LogReport {
        state: Ended::Unchanged,
        reason: None,
        sides: log.copies.keys().map(|side| (side.clone(), Default::default())).collect(),
        adopted: None,
        warnings: Vec::new(),
    }
}

fn failed(log: &LogConfig, why: String) -> LogReport {
    LogReport { state: Ended::Failed, reason: Some(why), ..quiet(log) }
}

/// The logs that are meant.
fn chosen<'a>(config: &'a Config, options: &Options) -> Result<Vec<(&'a str, &'a LogConfig)>> {
    for wanted in &options.logs {
        if !config.logs.keys().any(|name| glob(wanted, name)) {
            return Err(Error::new(ErrorKind::Usage, format!("no log is called {wanted:?}")).hint(format!(
                "there are {}",
                config.logs.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
            )));
        }
    }
    let is_meant =
        |name: &&String| options.logs.is_empty() || options.logs.iter().any(|wanted| glob(wanted, name));
    Ok(config.logs.iter().filter(|(name, _)| is_meant(name)).map(|(name, log)| (name.as_str(), log)).collect())
}

/// Who may own a file of a log.
fn owners(config: &Config) -> Owners {
    let mut owners = vec![0, rustix::process::geteuid().as_raw()];
    let named = config.logs.values().flat_map(|log| &log.allow_owners).map(String::as_str);
    owners.extend([config.ownership.user.as_str(), "www-data"].into_iter().chain(named).filter_map(durable::user_named));
    Owners(owners)
}

// It lies with the other tests, and is compiled in here for what it drives: nobody outside can reach that.
#[cfg(test)]
#[path = "../../tests/log_scripts/mod.rs"]
mod scripts;
