//! A check: look at everything, read what has to be read, compare, tell.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use chrono::DateTime;

use super::alerts::{self, Extent, Hearer};
use super::beat;
use super::blind;
use super::codec::Baseline;
use super::compare::{self, Found};
use super::copies;
use super::hash::{self, Limit, Outcome};
use super::last_check;
use super::matching::{self, Matched};
use super::memory::Memory;
use super::model::{Entry, Kind, Look, Problem, is_within, order};
use super::named;
use super::names;
use super::private::Private;
use super::scope::Scope;
use super::seen::{Choice, Seen, Verdict};
use super::store::{self, Broken, Cache, Loaded};
use super::walk::{self, Observation, Xattrs};
use crate::clock::{self, Stopwatch};
use crate::config::Config;
use crate::durable::Lock;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;
use crate::report::{FindingKind, IntegrityFinding, IntegrityReport, SCHEMA};

/// So long another check may take before this one is turned away (milliseconds).
pub(super) const WAIT_MS: u64 = 2_000;
/// More threads than this read no faster from one machine's disks.
const MAX_THREADS: usize = 8;

/// What to check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Whether every file is read again. With a budget, those since the last call that was stopped.
    pub full: bool,
    /// Reading stops after so long (milliseconds), and the next call goes on. Looking at all names is not stopped.
    pub budget_ms: Option<u64>,
    /// Only these, with all that is below them; everything where there are none.
    pub paths: Vec<PathBuf>,
}

/// Compares watched files with the baseline, and tells of what is new.
///
/// Nothing is changed but what we remember, the alerts and the event log; and where others made something else of the baseline
/// that everybody reads, or of its public key, a check of everything by the cron user tells that, and writes it again.
///
/// # Errors
/// [`ErrorKind::Locked`] while another check is at work, [`ErrorKind::Config`] when the list of what to watch makes no sense,
/// [`ErrorKind::Usage`] when a path is not watched or nowhere, and when the disk fails. That a file or the baseline is not what
/// it should be is a finding.
pub fn check(config: &Config, options: &CheckOptions) -> Result<IntegrityReport> {
    let paths = named::paths(config, &options.paths)?;
    let options = CheckOptions { paths, ..options.clone() };
    check_again(config, &options, &mut Cache::default(), Hearer::Caller)
}

/// The same, where a path may be gone again, for whoever has checked before.
pub(super) fn check_again(
    config: &Config,
    options: &CheckOptions,
    cache: &mut Cache,
    hearer: Hearer,
) -> Result<IntegrityReport> {
    let start = clock::start();
    let wait = options.budget_ms.map_or(WAIT_MS, |budget| budget.min(WAIT_MS));
    let _lock = lock(config, wait)?;
    let scope = blind::scope(config)?;
    let only = targets(config, &scope, &options.paths)?;
    let (done, loaded) = match store::load_again(config, cache)? {
        Err(broken) => (without(config, &scope, &broken, hearer), None),
        Ok(loaded) => {
            let check = Check { config, scope: &scope, options, only: only.as_deref(), hearer, start };
            (check.run(&loaded)?, Some(loaded))
        }
    };
    let _quiet = interrupt::quiet();
    let Done { mut report, mut unkept, is_other } = done;
    report.duration_ms = start.millis();
    let mut fail = |done: Result<()>| unkept = unkept.take().or(done.err());
    match (&only, loaded) {
        (None, loaded) => {
            let private = Private::open(config).ok();
            if let Some(private) = &private
                && let Err(error) = beat::miss(config, private)
            {
                report.warnings.push(format!("could not say whether the watcher is missed: {error}"));
            }
            // Not by a watcher, as the next check by the clock would not find what to tell.
            if let Some(loaded) = loaded.filter(|_| hearer == Hearer::Caller) {
                report.warnings.extend(copies::mend(config, &scope, &loaded));
            }
            fail(last_check::keep(config, private.as_ref(), &report));
        }
        (Some(only), Some(loaded)) if is_other => {
            let is_over = |known: &last_check::Known| {
                known.kind == FindingKind::Baseline || only.iter().any(|above| is_within(&known.path, above))
            };
            fail(last_check::amend(config, loaded.private.as_ref(), &is_over, &report.findings));
        }
        _ => {}
    }
    match unkept {
        // What cannot be remembered hides nothing that was found.
        Some(error) if report.findings.is_empty() => Err(error),
        Some(error) => {
            let said =
                format!("what was found cannot be remembered, and is told again: {}", error.in_words());
            report.warnings.push(said);
            Ok(report)
        }
        None => Ok(report),
    }
}

/// What a check came to.
struct Done {
    report: IntegrityReport,
    /// Why it could not be remembered.
    unkept: Option<Error>,
    /// Whether other findings are open than before.
    is_other: bool,
}

/// Whoever checks, makes a baseline or accepts holds this.
pub(super) fn lock(config: &Config, wait_ms: u64) -> Result<Lock> {
    Lock::take(&config.root, &config.ownership, "integrity", wait_ms)
}

/// Paths as the scope has them, in order, none within another; none where everything is meant.
pub(super) fn targets(config: &Config, scope: &Scope, paths: &[PathBuf]) -> Result<Option<Vec<Vec<u8>>>> {
    if paths.is_empty() {
        return Ok(None);
    }
    let mut all: Vec<Vec<u8>> = Vec::new();
    for path in paths {
        let plain = plain(config, path)?;
        let is_above = scope.roots.iter().any(|root| is_within(root, &plain));
        if scope.root_of(&plain).is_none() && !is_above {
            return Err(Error::new(ErrorKind::Usage, "this path is not watched:")
                .at(path)
                .hint(format!("what is watched stands in {}", config.integrity.config.display())));
        }
        if is_above {
            all.extend(scope.roots.iter().filter(|root| is_within(root, &plain)).cloned());
        } else {
            all.push(plain);
        }
    }
    all.sort_by(|left, right| order(left, right));
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for path in all {
        if !kept.last().is_some_and(|last| is_within(&path, last)) {
            kept.push(path);
        }
    }
    Ok(Some(kept))
}

/// An absolute path without `.`, doubled and last slashes.
pub(super) fn plain(config: &Config, path: &Path) -> Result<Vec<u8>> {
    if path.as_os_str().is_empty() {
        let error = Error::new(ErrorKind::Usage, "an empty path names nothing");
        return Err(error.hint("name a file or a directory; without any path everything is meant"));
    }
    let mut plain = Vec::new();
    for part in config.root.join(path).components() {
        match part {
            Component::Normal(name) => {
                plain.push(b'/');
                plain.extend_from_slice(name.as_bytes());
            }
            Component::ParentDir => {
                return Err(Error::new(ErrorKind::Usage, "refused a path with ..:").at(path));
            }
            _ => {}
        }
    }
    Ok(if plain.is_empty() { b"/".to_vec() } else { plain })
}

/// How names are looked at.
pub(super) fn manner(config: &Config) -> walk::Manner {
    let machine = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MAX_THREADS);
    let threads = usize::try_from(config.integrity.threads).ok().filter(|threads| *threads > 0);
    let xattrs = if config.integrity.xattrs { Xattrs::Read } else { Xattrs::Ignore };
    walk::Manner { xattrs, threads: threads.unwrap_or(machine) }
}

/// That something else is watched than was accepted, and what.
pub(super) fn other_scope(config: &Config, scope: &Scope, baseline: &Baseline) -> Option<IntegrityFinding> {
    if baseline.scope == scope.digest() {
        return None;
    }
    let path = config.integrity.config.as_os_str().as_bytes();
    let accepted = store::accepted_scope(config, &baseline.scope);
    let differs = accepted.map(|accepted| scope.differs_from(&accepted)).unwrap_or_default();
    let reason = format!("what is watched is not what it was when the baseline was made{differs}");
    let changes = vec!["scope".to_owned()];
    Some(compare::finding(FindingKind::Baseline, path, None, changes, Some(reason)))
}

/// What can be said without a baseline: that there is none.
fn without(config: &Config, scope: &Scope, broken: &Broken, hearer: Hearer) -> Done {
    let findings = vec![broken.finding()];
    let mut warnings = scope.warnings.clone();
    let private = Private::open(config).ok();
    let (memory, unkept) = memory_of(config, private.as_ref());
    let told = alerts::tell(config, Some(scope), &memory, &findings, Extent::Part, hearer, &mut warnings);
    let report = IntegrityReport {
        schema: SCHEMA,
        ok: false,
        exit_bits: FindingKind::Baseline.bit(),
        checked: 0,
        hashed_bytes: 0,
        complete: false,
        guarantee: "none: there is no baseline to compare with that can be believed".to_owned(),
        findings,
        new_findings: told.new,
        generation: 0,
        oldest_reading: None,
        not_read: 0,
        excluded: scope.excluded(),
        warnings,
        duration_ms: 0,
    };
    Done { report, unkept: unkept.or(told.unkept), is_other: told.is_other }
}

/// What is remembered; nothing where that cannot be, and why.
fn memory_of<'a>(config: &Config, private: Option<&'a Private>) -> (Memory<'a>, Option<Error>) {
    Memory::of(config, private).map_or_else(|error| (Memory::None, Some(error)), |memory| (memory, None))
}

/// What was a database is one under any name: opening and closing it would take from this process the locks that SQLite
/// holds on it.
fn leave_closed(observed: &mut [Entry], baseline: &[Entry], matched: &Matched) {
    for (ours, theirs) in &matched.moved {
        let was_database = baseline.get(*theirs).is_some_and(|known| known.look == Look::Outside);
        if let Some(found) = observed.get_mut(*ours).filter(|_| was_database) {
            found.look = Look::Outside;
        }
    }
}

struct Check<'a> {
    config: &'a Config,
    scope: &'a Scope,
    options: &'a CheckOptions,
    only: Option<&'a [Vec<u8>]>,
    hearer: Hearer,
    start: Stopwatch,
}

/// What reading came to.
struct Reading {
    observed: Vec<Entry>,
    matched: Matched,
    verdicts: Vec<Option<Verdict>>,
    problems: Vec<Problem>,
    bytes: u64,
    /// Files that there was no time for.
    left: usize,
}

impl Check<'_> {
    fn run(&self, loaded: &Loaded) -> Result<Done> {
        let baseline = &loaded.baseline;
        let (memory, mut unkept) = memory_of(self.config, loaded.private.as_ref());
        let known = memory.seen().unwrap_or_else(|error| {
            unkept = Some(error);
            None
        });
        let mut seen = Seen::or_of(known.as_deref(), baseline);
        let now = clock::now().timestamp_millis();
        let found = walk::walk(self.scope, self.only, manner(self.config));
        // What was not looked at, as somebody said that it stops, is not gone.
        interrupt::check()?;
        let reading = self.read(baseline, &mut seen, found, now);
        interrupt::check()?;
        // What was found is told, and remembered as told.
        let _quiet = interrupt::quiet();
        let round = match self.choice() {
            Choice::Full if reading.left > 0 => Some(seen.round.unwrap_or(now)),
            Choice::Full | Choice::Anew if self.only.is_none() => None,
            _ => seen.round,
        };
        if self.only.is_none() {
            seen.end(now, round);
        }
        let bytes = seen.encode(baseline);
        if known.as_ref() != Some(&bytes) {
            unkept = unkept.or(memory.set_seen(&bytes).err());
        }
        let findings = self.findings(loaded, &reading);
        let done = self.report(loaded, &memory, &seen, &reading, findings);
        Ok(Done { unkept: unkept.or(done.unkept), ..done })
    }

    fn choice(&self) -> Choice {
        let integrity = &self.config.integrity;
        match (self.options.full, self.options.budget_ms) {
            (true, None) => Choice::Anew,
            (true, Some(_)) => Choice::Full,
            (false, _) => {
                Choice::Fast { reread_hours: integrity.reread_hours, every_minutes: integrity.every_minutes }
            }
        }
    }

    fn read(&self, baseline: &Baseline, seen: &mut Seen, found: Observation, now: i64) -> Reading {
        let Observation { entries: mut observed, mut problems } = found;
        // What is not watched any more is not gone; that it is not, is a finding of its own.
        let is_meant = |entry: &Entry| self.scope.watches(&entry.path, entry.stat.kind);
        let mut matched = matching::matched(&observed, &baseline.entries, self.only, is_meant);
        leave_closed(&mut observed, &baseline.entries, &matched);
        if self.choice() == Choice::Full && seen.round.is_none() {
            seen.round = Some(now);
        }
        let known = matched.known();
        let mut pairs = Vec::with_capacity(known.len());
        for (ours, theirs) in &known {
            let (Some(now), Some(before)) = (observed.get(*ours), baseline.entries.get(*theirs)) else {
                continue;
            };
            if hash::is_too_large(now.stat.size) && now.has_content() {
                problems.push(hash::too_large(&now.path));
            } else if compare::is_to_be_read(now, before) {
                pairs.push((*ours, *theirs));
            }
        }
        let mut plan = seen.plan(&pairs, &observed, self.choice(), now);
        let limit = self.options.budget_ms.map_or(Limit::None, |budget| Limit::Budget(self.start, budget));
        let walk::Manner { xattrs, threads } = manner(self.config);
        let manner = hash::Manner { xattrs, has_md5: false, threads, limit };
        let hashed = hash::hash(self.scope, &observed, &plan.read, manner);
        let mut left = 0;
        let mut gone = BTreeSet::new();
        for (index, outcome) in hashed.outcomes {
            let theirs = known.binary_search_by_key(&index, |(ours, _)| *ours).ok();
            let theirs = theirs.and_then(|place| known.get(place)).map(|(_, theirs)| *theirs);
            let before = theirs.and_then(|theirs| Some((theirs, baseline.entries.get(theirs)?)));
            let (Some(entry), Some((theirs, before))) = (observed.get_mut(index), before) else { continue };
            match outcome {
                Outcome::Read(content) => {
                    let verdict = compare::verdict(before, Some(content.content), content.xattrs);
                    entry.stat = content.stat;
                    entry.content = Some(content.content);
                    if let Some(known) = plan.verdicts.get_mut(index) {
                        *known = Some(verdict);
                    }
                    seen.note(theirs, content.at, content.stat.mark(), verdict);
                }
                Outcome::Other(Some(stat)) => compare::put(entry, stat),
                Outcome::Other(None) => drop(gone.insert(index)),
                Outcome::Problem(problem) => problems.push(problem),
                Outcome::NotYet => left += 1,
            }
        }
        if !gone.is_empty() {
            let mut number = 0..observed.len();
            observed.retain(|_| number.next().is_none_or(|index| !gone.contains(&index)));
            let mut number = 0..plan.verdicts.len();
            plan.verdicts.retain(|_| number.next().is_none_or(|index| !gone.contains(&index)));
            matched = matching::matched(&observed, &baseline.entries, self.only, is_meant);
            leave_closed(&mut observed, &baseline.entries, &matched);
            // What is seen only now to have another name was not read.
            let is_left = |(ours, theirs): &&(usize, usize)| {
                let both = observed.get(*ours).zip(baseline.entries.get(*theirs));
                both.is_some_and(|(now, before)| compare::is_to_be_read(now, before))
                    && plan.verdicts.get(*ours).is_none_or(Option::is_none)
            };
            left += matched.moved.iter().filter(is_left).count();
        }
        let verdicts = plan.verdicts;
        Reading { observed, matched, verdicts, problems, bytes: hashed.bytes, left }
    }

    fn findings(&self, loaded: &Loaded, reading: &Reading) -> Vec<IntegrityFinding> {
        let baseline = &loaded.baseline;
        let mut findings: Vec<IntegrityFinding> = loaded.flaws.iter().map(Broken::finding).collect();
        findings.extend(other_scope(self.config, self.scope, baseline));
        findings.extend(compare::findings(&Found {
            observed: &reading.observed,
            baseline: &baseline.entries,
            matched: &reading.matched,
            verdicts: &reading.verdicts,
            problems: &reading.problems,
        }));
        findings
    }

    fn report(
        &self,
        loaded: &Loaded,
        memory: &Memory<'_>,
        seen: &Seen,
        reading: &Reading,
        findings: Vec<IntegrityFinding>,
    ) -> Done {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let mut warnings = self.scope.warnings.clone();
        if loaded.private.is_none() {
            warnings.push(
                "checked without the private key: a baseline that was rolled back is seen only by the cron user".to_owned(),
            );
        }
        // What is gone that was accepted is a finding; what never was there, was never looked at.
        let entries = &loaded.baseline.entries;
        let was_there = |path: &Vec<u8>| entries.binary_search_by(|entry| order(&entry.path, path)).is_ok();
        let is_complete = reading.left == 0
            && reading.problems.is_empty()
            && self.only.is_none()
            && self.scope.missing.iter().all(was_there);
        let paths: Option<Vec<String>> =
            self.only.map(|paths| paths.iter().map(|path| names::shown(path).0).collect());
        let extent = match &paths {
            Some(paths) => Extent::Paths(paths),
            None if reading.left == 0 => Extent::Whole,
            None => Extent::Part,
        };
        let told = alerts::tell(
            self.config,
            Some(self.scope),
            memory,
            &findings,
            extent,
            self.hearer,
            &mut warnings,
        );
        let contents = reading
            .matched
            .pairs
            .iter()
            .filter(|(ours, _)| reading.observed.get(*ours).is_some_and(|entry| entry.has_content()));
        let oldest = seen.oldest(contents.map(|(_, theirs)| *theirs));
        let databases = reading
            .observed
            .iter()
            .filter(|entry| entry.look == Look::Outside && entry.stat.kind == Kind::File)
            .count();
        let report = IntegrityReport {
            schema: SCHEMA,
            ok: findings.is_empty(),
            exit_bits: findings.iter().fold(0, |bits, finding| bits | finding.kind.bit()),
            checked: count(reading.observed.len()),
            hashed_bytes: reading.bytes,
            complete: is_complete,
            guarantee: self.guarantee(reading, databases),
            findings,
            new_findings: told.new,
            generation: loaded.baseline.generation,
            oldest_reading: oldest.and_then(DateTime::from_timestamp_millis).map(clock::stamp),
            not_read: count(databases),
            excluded: self.scope.excluded(),
            warnings,
            duration_ms: 0,
        };
        Done { report, unkept: told.unkept, is_other: told.is_other }
    }

    /// After how long a change is found at the latest, as far as this check can promise.
    fn guarantee(&self, reading: &Reading, databases: usize) -> String {
        let integrity = &self.config.integrity;
        let every = u64::from(integrity.every_minutes);
        let longest = u64::from(integrity.reread_hours).saturating_mul(60).saturating_add(every);
        let mut parts = Vec::new();
        if self.only.is_some() {
            parts.push("for the given paths only".to_owned());
        }
        if reading.left > 0 {
            parts.push(format!("none yet for the content of {} files: the next call goes on", reading.left));
        } else if self.options.full {
            parts.push("every file was read: content is as it was accepted, or is a finding".to_owned());
        }
        parts.push(format!(
            "a change of names, type, owner, mode, size, times, inode or links is found by the next check ({every} min); \
             content that changes and leaves all of these as they were is found within {longest} min, in which every file \
             is read again"
        ));
        if databases > 0 {
            parts.push(format!(
                "of {databases} databases only type, owner, mode, inode and links are compared"
            ));
        }
        if !reading.problems.is_empty() {
            parts.push(format!("none for the {} that could not be looked at", reading.problems.len()));
        }
        parts.join("; ")
    }
}
