//! One run over logs: which are looked at, in which order things come to disk, and what is put on record.
//!
//! Apart from `plan` and `work`, which are about one log. Its caller holds the lock.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::clock;
use crate::config::{Config, LogConfig};
use crate::durable;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::report::{LogReport, LogState as Ended, LogsReport, SCHEMA};

use super::around::{self, Around};
use super::breaks::{self, with_hint};
use super::journal::{Journal, Planned, Unfinished};
use super::ledger::Ledger;
use super::plan::{self, Setting, Stop};
use super::state::{LogState, State};
use super::steps::{self, Phase, Progress, Step, Steps};
use super::work::{Done, Failed, Work};
use super::{Options, segment, settle};

/// So many logs are open at once.
const BATCH: usize = 256;
/// From so many files on, the file system is asked to bring everything to disk instead of file by file.
const MANY_FILES: usize = 8;

/// What a run has done, and what is on record now.
pub(crate) struct Merged {
    pub(crate) report: LogsReport,
    pub(crate) state: State,
    /// The log of which a rotation that died cannot be settled, and why.
    pub(crate) unsettled: Option<(String, String)>,
}

/// Merges the logs that are meant.
pub(crate) fn merge(
    config: &Config,
    options: &Options,
    directory: &Path,
    now: DateTime<Utc>,
    steps: &dyn Steps,
) -> Result<Merged> {
    let began = clock::start();
    let at = clock::stamp(now);
    let chosen = super::chosen(config, &options.logs)?;
    let journal = Journal::of(directory);
    let around = Around::of(config);
    let setting = Setting {
        hub: &config.hub,
        ownership: &config.ownership,
        around: &around,
        at: &at,
        run: now.timestamp_nanos_opt().unwrap_or_default(),
        steps,
        journal: &journal,
        dry: options.dry_run,
        made: RefCell::default(),
    };
    let mut state = State::open(directory)?;
    let unsettled = match options.dry_run {
        true => None,
        false => segment::recover(directory, &mut state, config)?,
    };
    let mut left = journal.unfinished()?;
    left.retain(|name, log| state.log(name).is_none_or(|state| state.run != log.planned.state.run));
    let mut run = Run {
        setting: &setting,
        directory,
        state,
        left,
        halted: BTreeSet::new(),
        missing: BTreeMap::new(),
        numbers: BTreeMap::new(),
        finished: Vec::new(),
        touched: Touched::default(),
        reports: BTreeMap::new(),
    };
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
    run.numbers = todo.iter().zip(1..).map(|((name, _), number)| (*name, number)).collect();
    run.miss(&todo);
    if options.dry_run {
        run.foretell(&todo)?;
    } else {
        for (name, log) in &todo {
            run.make_room(name, log);
        }
        let mut changed = run.finish(&todo)?;
        run.finish_copies(&todo)?;
        let done = todo.chunks(BATCH).try_for_each(|batch| run.batch(batch, &mut changed));
        // What somebody's stop has kept from being read is not wrong with a log.
        let done = done.and_then(|()| interrupt::check());
        // What was done before something stopped the run stays done.
        run.conclude()?;
        done?;
        if changed {
            journal.declare(&BTreeMap::new(), &run.left)?;
        }
    }
    for (name, why) in run.missing {
        // That a directory was made for it says nothing of who writes it.
        let archive = config.logs.get(name).and_then(|log| log.copies.get(&config.hub));
        let made = archive.and_then(|path| plan::made(&setting, path));
        let silent = |report: &&mut LogReport| {
            report.state == Ended::Unchanged && report.warnings.iter().all(|told| Some(told) == made.as_ref())
        };
        if let Some(report) = run.reports.get_mut(name).filter(silent) {
            report.reason = Some(why);
        }
    }
    let ok = run.reports.values().all(|report| report.state != Ended::Failed);
    let report = LogsReport {
        schema: SCHEMA,
        ok,
        run: now.timestamp_millis().to_string(),
        duration_ms: began.millis(),
        hub: config.hub.clone(),
        logs: run.reports,
    };
    Ok(Merged { report, state: run.state, unsettled })
}

/// One run.
struct Run<'a> {
    setting: &'a Setting<'a>,
    directory: &'a Path,
    state: State,
    /// What runs that died have left undone.
    left: BTreeMap<String, Unfinished>,
    /// Those of which nothing more can be done in this run.
    halted: BTreeSet<&'a str>,
    /// Those of which no copy is there, in words.
    missing: BTreeMap<&'a str, String>,
    /// Which one each is of those that are looked at.
    numbers: BTreeMap<&'a str, usize>,
    /// What is done, and is neither on disk for sure nor on record.
    finished: Vec<Finished<'a>>,
    touched: Touched,
    reports: BTreeMap<String, LogReport>,
}

/// A log of which everything is written.
struct Finished<'a> {
    name: &'a str,
    log: &'a LogConfig,
    /// What its files looked like before.
    marked: String,
    state: LogState,
    report: LogReport,
}

impl<'a> Run<'a> {
    fn stopped(&mut self, name: &str, log: &LogConfig, why: Stop) {
        let (state, reason) = match why {
            Stop::Wait(why) => (Ended::Skipped, why),
            Stop::Fail(why) | Stop::Full(why) => (Ended::Failed, why),
        };
        self.reports.insert(name.to_owned(), LogReport { state, reason: Some(reason), ..plan::report(log) });
    }

    /// Sees which logs nobody has written yet, before their archives are made.
    fn miss(&mut self, todo: &[(&'a str, &'a LogConfig)]) {
        for (name, log) in todo {
            let is_new = self.state.log(name).is_none_or(|known| known.end() == 0);
            if is_new && let Some(why) = around::missing(log, self.setting.hub) {
                self.missing.insert(name, why);
            }
        }
    }

    /// Tells where the run is, and hears whether it goes on. What is done stays done.
    fn tell(&self, log: &str, phase: Phase) -> Result<()> {
        let number = self.numbers.get(log).copied().unwrap_or(0);
        steps::tell(self.setting.steps, &Progress { log, number, logs: self.numbers.len(), phase })
    }

    /// Makes the archive's file where it is missing; whether that can be done is told where it is planned.
    fn make_room(&self, name: &str, log: &LogConfig) {
        let is_missing = |path: &&PathBuf| std::fs::symlink_metadata(path).is_err();
        if let Some(path) = log.copies.get(self.setting.hub).filter(is_missing)
            && plan::may_be_made(path, self.state.log(name).as_ref()).is_ok()
        {
            let _ = plan::create(self.setting, path);
        }
    }

    /// What would be done.
    fn foretell(&mut self, todo: &[(&'a str, &'a LogConfig)]) -> Result<()> {
        for (name, log) in todo {
            self.tell(name, Phase::Looking)?;
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
        Ok(())
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
            let Some(mut unfinished) = self.left.get(*name).cloned() else { continue };
            let ledger = Ledger::of(self.directory, name);
            match breaks::ready_to_finish(&ledger, self.setting.at, &mut unfinished.planned.state) {
                Ok(true) => {
                    self.left.insert((*name).to_owned(), unfinished.clone());
                    self.setting.journal.declare(&BTreeMap::new(), &self.left)?;
                }
                Ok(false) => {}
                Err(why) => {
                    self.stopped(name, log, Stop::Fail(why));
                    continue;
                }
            }
            match settle::settle(self.setting, name, log, &unfinished) {
                // Nothing is there of what it was about: what is there is aligned.
                Ok(None) => drop(self.left.remove(*name)),
                Ok(Some(work)) => {
                    self.carry_out(vec![(name, log, String::new(), work)])?;
                    // Before anything else is planned for it.
                    self.conclude()?;
                }
                Err(why) => {
                    self.look_again(name)?;
                    self.stopped(name, log, why);
                }
            }
        }
        Ok(true)
    }

    /// What was done of a log before something stopped it is in the journal.
    fn look_again(&mut self, name: &str) -> Result<()> {
        if let Some(log) = self.setting.journal.unfinished()?.remove(name) {
            self.left.insert(name.to_owned(), log);
        }
        Ok(())
    }

    /// Finishes what could not be told yet of copies then.
    fn finish_copies(&mut self, todo: &[(&'a str, &'a LogConfig)]) -> Result<()> {
        let mut has_changed = false;
        for (name, log) in todo {
            let known = self.state.log(name).filter(|_| !self.left.contains_key(*name));
            let Some(known) = known else { continue };
            let ledger = Ledger::of(self.directory, name);
            let since =
                |place| ledger.since(known.ledger, &known.chain, place).map_err(|why| with_hint(&why));
            match settle::copies(self.setting, name, log, &known, &since) {
                Ok(None) => {}
                Ok(Some(state)) => {
                    self.state.set(name, String::from("-"), &state)?;
                    has_changed = true;
                }
                Err(why) => {
                    self.stopped(name, log, why);
                    self.halted.insert(name);
                }
            }
        }
        if has_changed { self.state.save() } else { Ok(()) }
    }

    /// Plans and carries out. `changed` says whether there is something in the journal.
    fn batch(&mut self, logs: &[(&'a str, &'a LogConfig)], changed: &mut bool) -> Result<()> {
        let mut works = Vec::new();
        let mut plans: BTreeMap<String, Planned> = BTreeMap::new();
        for (name, log) in logs {
            // What could not be finished waits for that.
            if self.left.contains_key(*name) || self.halted.contains(name) {
                continue;
            }
            self.tell(name, Phase::Looking)?;
            let marked = mark(log);
            let known = self.state.log(name);
            let before = known.as_ref().map_or(0, |state| state.ledger);
            match plan::plan(self.setting, name, log, known) {
                Ok(mut work) => {
                    let ledger = Ledger::of(self.directory, name);
                    if let Err(why) = breaks::ready(&ledger, before, self.setting.at, &mut work) {
                        self.stopped(name, log, Stop::Fail(why));
                        continue;
                    }
                    if work.has_work() || work.begins_ledger() {
                        match work.planned() {
                            Ok(planned) => drop(plans.insert((*name).to_owned(), planned)),
                            Err(cause) => {
                                self.stopped(
                                    name,
                                    log,
                                    Stop::Fail(format!("cannot read its files: {cause}")),
                                );
                                continue;
                            }
                        }
                    }
                    works.push((*name, *log, marked, work));
                }
                Err(why) => self.stopped(name, log, why),
            }
        }
        if works.is_empty() {
            return Ok(());
        }
        self.setting.steps.at(Step::Observed);
        if !plans.is_empty() {
            match *changed {
                false => self.setting.journal.declare(&plans, &self.left)?,
                true => self.setting.journal.declare_more(&plans)?,
            }
            *changed = true;
            self.setting.steps.at(Step::Declared);
            for (name, planned) in plans {
                self.left.insert(name, Unfinished { planned, deeds: Vec::new() });
            }
        }
        self.carry_out(works)
    }

    /// Carries out what is planned.
    fn carry_out(&mut self, works: Vec<(&'a str, &'a LogConfig, String, Work<'a>)>) -> Result<()> {
        for (name, log, marked, work) in works {
            // What is planned of those that follow is in the journal, for the next run.
            self.tell(name, Phase::Writing)?;
            let ledger = Ledger::of(self.directory, name);
            let (length, chain) = (work.state.ledger, work.state.chain.clone());
            let since = |place| ledger.since(length, &chain, place).map_err(|why| with_hint(&why));
            match work.carry_out(&since) {
                Ok(Done { state, mut entries, touched: files, report }) => {
                    self.touch(files)?;
                    let (length, chain, file) = match ledger.append(state.ledger, &state.chain, &mut entries)
                    {
                        Ok(appended) => appended,
                        // It stays planned, and the next run finishes it; no other log waits for that.
                        Err(why) => {
                            self.look_again(name)?;
                            self.stopped(name, log, Stop::Fail(with_hint(&why)));
                            continue;
                        }
                    };
                    self.touch(file)?;
                    self.setting.steps.at(Step::Noted);
                    let state = LogState { ledger: length, chain, untold: false, ..state };
                    self.finished.push(Finished { name, log, marked, state, report });
                }
                Err(Failed { why, taken_back }) => {
                    if taken_back {
                        self.left.remove(name);
                    } else {
                        self.look_again(name)?;
                    }
                    self.stopped(name, log, why);
                }
            }
        }
        Ok(())
    }

    fn touch(&mut self, files: impl IntoIterator<Item = File>) -> Result<()> {
        let touched = files.into_iter().try_for_each(|file| self.touched.add(file));
        touched.map_err(|cause| Error::io("look at the logs in", self.directory, cause))
    }

    /// Brings what was done to disk, and puts it on record; once for all logs, as that takes the longest.
    fn conclude(&mut self) -> Result<()> {
        let _quiet = interrupt::quiet();
        if self.finished.is_empty() {
            return Ok(());
        }
        std::mem::take(&mut self.touched)
            .sync()
            .map_err(|cause| Error::io("bring the logs to disk in", self.directory, cause))?;
        self.setting.steps.at(Step::Synced);
        for Finished { name, log, marked, state: known, mut report } in std::mem::take(&mut self.finished) {
            // Who is still to get something, or was passed over, is looked at again, whatever the files look like.
            let settled = report.warnings.is_empty()
                && !self.missing.contains_key(name)
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

/// Files that were written to. Past some it keeps open one for each file system, however many there are.
#[derive(Default)]
struct Touched {
    few: Vec<File>,
    /// By number of the device.
    systems: BTreeMap<u64, File>,
}

impl Touched {
    fn add(&mut self, file: File) -> std::io::Result<()> {
        if self.few.len() < MANY_FILES && self.systems.is_empty() {
            self.few.push(file);
            return Ok(());
        }
        for file in self.few.drain(..).chain([file]) {
            self.systems.entry(file.metadata()?.dev()).or_insert(file);
        }
        Ok(())
    }

    fn sync(&self) -> std::io::Result<()> {
        self.few.iter().try_for_each(File::sync_all)?;
        self.systems.values().try_for_each(|file| Ok(rustix::fs::syncfs(file)?))
    }
}

/// What the files of a log look like; changes whenever one of them does.
fn mark(log: &LogConfig) -> String {
    // Some hundred bytes for each.
    let mut text = String::with_capacity(log.copies.len() * 96);
    for path in log.copies.values() {
        let found = std::fs::symlink_metadata(path).ok();
        // It may be made, and rotated away, before anybody looks again.
        let found = found.or_else(|| std::fs::symlink_metadata(path.parent()?).ok());
        match found {
            Some(found) => durable::add_mark(&mut text, &found),
            None => text.push('-'),
        }
        text.push(';');
    }
    text
}
