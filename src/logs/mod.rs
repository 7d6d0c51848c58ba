//! Exactly-once merge of logs.
//!
//! Every complete line that a side wrote reaches every other side exactly once, byte for byte, in its source's order,
//! whatever happens in between. The hub's copy is the archive: it only grows, and rotated segments are part of it. A
//! source's place in its file is known by content (`file::Proof`), so renamed, packed, truncated and copied files are
//! found again (`find`); what nothing is known of is aligned with the archive (`align`).
//!
//! - open: `file`, `names`
//! - observe: `find`, `take`, `archive`
//! - decide: `align` (pure), `plan`
//! - apply: `work`, `send`; after a crash `settle`, with `resume`
//! - record: `journal` while it is done, `state` when it is
//!
//! The archive is kept from growing by rotation, which loses nothing, and by cleaning, which removes what is old and
//! merged: `rotate` (with `label`, `lease`, `segment`, `cut`, `reopen`, `pack`) and `clean` (with `retention`, which is pure).

mod align;
mod archive;
mod clean;
mod cut;
mod file;
mod find;
mod journal;
mod label;
mod lease;
mod names;
mod pack;
mod plan;
mod reopen;
mod resume;
mod retention;
mod rotate;
mod segment;
mod send;
mod settle;
mod state;
mod steps;
mod stream;
mod take;
mod work;

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
use journal::{Journal, Planned, Unfinished};
use plan::{Setting, Stop};
use state::{Ledger, LogState, State};
use steps::{Step, Steps, Unwatched};
use work::{Done, Failed, Work};

pub use clean::{CleanOptions, clean};
pub use rotate::{RotateOptions, rotate};

/// So many logs are open at once.
const BATCH: usize = 256;
/// From so many files on, the file system is asked to bring everything to disk instead of file by file.
const MANY_FILES: usize = 8;

/// What a run over logs is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of logs, or patterns with `*` and `?`; all where there is none.
    pub logs: Vec<String>,
    /// Looks at every file, also where nothing seems to have changed.
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
    merge_with(config, options, &Unwatched)
}

fn merge_with(config: &Config, options: &Options, steps: &dyn Steps) -> Result<LogsReport> {
    let began = clock::start();
    let now = clock::now();
    let at = clock::stamp(now);
    let chosen = chosen(config, options)?;
    let root = config.root.join("sync_state");
    let directory = root.join("logs");
    if !options.dry_run {
        durable::state_directory(&root, &config.ownership)?;
        durable::private_directory(&directory)?;
    }
    let _lock = if options.dry_run && !directory.is_dir() { None } else { Some(RunLock::take(&directory)?) };
    let journal = Journal::of(&directory);
    let owners = owners(config);
    let setting = Setting {
        hub: &config.hub,
        ownership: &config.ownership,
        owners: &owners,
        at: &at,
        run: now.timestamp_nanos_opt().unwrap_or_default(),
        steps,
        journal: &journal,
        dry: options.dry_run,
    };
    let mut state = State::open(&directory)?;
    let unsettled = match options.dry_run {
        true => None,
        false => segment::recover(&directory, &mut state, config)?,
    };
    let mut left = journal.unfinished()?;
    left.retain(|name, log| state.log(name).is_none_or(|state| state.run != log.planned.state.run));
    let mut run = Run { setting: &setting, directory: &directory, state, left, reports: BTreeMap::new() };
    let mut todo = Vec::new();
    for (name, log) in chosen {
        let is_known = !options.force && !run.left.contains_key(name);
        if let Some((_, why)) = unsettled.as_ref().filter(|(unsettled, _)| unsettled == name) {
            run.stopped(name, log, Stop::Fail(why.clone()));
        } else if is_known && run.state.mark(name).is_some_and(|known| *known == mark(log)) {
            run.reports.insert(name.to_owned(), plan::report(log));
        } else {
            todo.push((name, log));
        }
    }
    if options.dry_run {
        run.foretell(&todo);
    } else {
        let declared = run.finish(&todo)?;
        let mut changed = declared;
        for batch in todo.chunks(BATCH) {
            changed |= run.batch(batch)?;
        }
        if changed {
            journal.declare(&BTreeMap::new(), &run.left)?;
        }
    }
    let ok = run.reports.values().all(|report| report.state != Ended::Failed);
    Ok(LogsReport {
        schema: SCHEMA,
        ok,
        run: now.timestamp_millis().to_string(),
        duration_ms: began.millis(),
        logs: run.reports,
    })
}

/// One run.
struct Run<'a> {
    setting: &'a Setting<'a>,
    directory: &'a Path,
    state: State,
    /// What runs that died have left undone.
    left: BTreeMap<String, Unfinished>,
    reports: BTreeMap<String, LogReport>,
}

impl<'a> Run<'a> {
    fn stopped(&mut self, name: &str, log: &LogConfig, why: Stop) {
        let (state, reason) = match why {
            Stop::Wait(why) => (Ended::Skipped, why),
            Stop::Fail(why) => (Ended::Failed, why),
        };
        self.reports.insert(name.to_owned(), LogReport { state, reason: Some(reason), ..plan::report(log) });
    }

    /// What would be done.
    fn foretell(&mut self, todo: &[(&'a str, &'a LogConfig)]) {
        for (name, log) in todo {
            if self.left.contains_key(*name) {
                let why = "the last run was ended in its midst; the next one finishes what it had begun, which cannot be foretold";
                self.stopped(name, log, Stop::Wait(why.to_owned()));
                continue;
            }
            match plan::plan(self.setting, name, log, self.state.log(name)) {
                Ok(work) => drop(self.reports.insert((*name).to_owned(), work.foretell())),
                Err(why) => self.stopped(name, log, why),
            }
        }
    }

    /// Finishes what a run that died has left of the logs that are asked for. Returns whether the journal has changed.
    fn finish(&mut self, todo: &[(&'a str, &'a LogConfig)]) -> Result<bool> {
        let mine: Vec<_> = todo.iter().filter(|(name, _)| self.left.contains_key(*name)).collect();
        if mine.is_empty() {
            return Ok(false);
        }
        // What was written of the journal at last may have been cut off.
        self.setting.journal.declare(&BTreeMap::new(), &self.left)?;
        for (name, log) in mine {
            let Some(unfinished) = self.left.get(*name).cloned() else { continue };
            match settle::settle(self.setting, name, log, &unfinished) {
                // Nothing is there of what it was about: what is there is aligned.
                Ok(None) => drop(self.left.remove(*name)),
                Ok(Some(work)) => {
                    let length = work.state.ledger;
                    self.carry_out(vec![(name, log, String::new(), length, work)])?;
                }
                Err(why) => self.stopped(name, log, why),
            }
        }
        Ok(true)
    }

    /// Plans and carries out. Returns whether the journal has changed.
    fn batch(&mut self, logs: &[(&'a str, &'a LogConfig)]) -> Result<bool> {
        let mut works = Vec::new();
        let mut plans: BTreeMap<String, Planned> = BTreeMap::new();
        for (name, log) in logs {
            // What could not be finished waits for that.
            if self.left.contains_key(*name) {
                continue;
            }
            let marked = mark(log);
            let known = self.state.log(name);
            let length = known.as_ref().map_or(0, |state| state.ledger);
            match plan::plan(self.setting, name, log, known) {
                Ok(work) => {
                    if work.has_work() {
                        match work.planned() {
                            Ok(planned) => drop(plans.insert((*name).to_owned(), planned)),
                            Err(cause) => {
                                self.stopped(name, log, Stop::Fail(format!("cannot read its files: {cause}")));
                                continue;
                            }
                        }
                    }
                    works.push((*name, *log, marked, length, work));
                }
                Err(why) => self.stopped(name, log, why),
            }
        }
        if works.is_empty() {
            return Ok(false);
        }
        self.setting.steps.at(Step::Observed);
        let changed = !plans.is_empty();
        if changed {
            self.setting.journal.declare(&plans, &self.left)?;
            self.setting.steps.at(Step::Declared);
            for (name, planned) in plans {
                self.left.insert(name, Unfinished { planned, deeds: Vec::new() });
            }
        }
        self.carry_out(works)?;
        Ok(changed)
    }

    /// Carries out what is planned, and puts it on record.
    fn carry_out(&mut self, works: Vec<(&'a str, &'a LogConfig, String, u64, Work<'a>)>) -> Result<()> {
        let mut finished = Vec::new();
        let mut touched = Vec::new();
        for (name, log, marked, length, work) in works {
            let ledger = Ledger::of(self.directory, name);
            match work.carry_out(&|| ledger.read(length).unwrap_or_default()) {
                Ok(Done { state, mut entries, touched: files, report }) => {
                    touched.extend(files);
                    let (length, chain, file) = ledger.append(state.ledger, &state.chain, &mut entries)?;
                    touched.extend(file);
                    self.setting.steps.at(Step::Noted);
                    finished.push((name, log, marked, LogState { ledger: length, chain, ..state }, report));
                }
                Err(Failed { why, taken_back }) => {
                    if taken_back {
                        self.left.remove(name);
                    } else if let Some(deeds) = self.setting.journal.unfinished()?.remove(name) {
                        self.left.insert(name.to_owned(), deeds);
                    }
                    self.stopped(name, log, why);
                }
            }
        }
        sync(&touched).map_err(|cause| Error::io("bring the logs to disk in", self.directory, cause))?;
        self.setting.steps.at(Step::Synced);
        for (name, log, marked, known, mut report) in finished {
            // Who is still to get something, or was passed over, is looked at again, whatever the files look like.
            let settled = report.warnings.is_empty()
                && report.sides.values().all(|side| side.lag_bytes == 0)
                && known.copies.values().all(|copy| copy.watched.iter().all(|file| file.closed));
            let after = mark(log);
            let unchanged = report.state == Ended::Unchanged && marked == after;
            let mark = if settled && unchanged { after } else { String::from("-") };
            self.state.set(name, mark, &known)?;
            self.left.remove(name);
            if let Some(before) = self.reports.get(name) {
                report.add(before);
            }
            self.reports.insert(name.to_owned(), report);
        }
        self.state.save()?;
        self.setting.steps.at(Step::Saved);
        Ok(())
    }
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
            // It may be made, and rotated away, before anybody looks again.
            Err(_) => {
                let directory = path.parent().and_then(|parent| std::fs::symlink_metadata(parent).ok());
                text.push_str(&directory.map_or_else(|| "-".to_owned(), |directory| durable::mark(&directory)));
            }
        }
        text.push(';');
    }
    text
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

#[cfg(test)]
#[path = "../../tests/log_rotation/mod.rs"]
mod rotation;
