//! Makes a baseline of what is there now, or of a list that the site's pages wrote.

use std::borrow::Cow;
use std::path::Path;

use serde_json::{Value, json};

use super::accept;
use super::alerts;
use super::check::{lock, manner};
use super::codec::Baseline;
use super::compare::{self, Found};
use super::copies;
use super::export;
use super::hash::{self, Hashed, Limit, Outcome};
use super::last_check::{self, Known as KnownFinding};
use super::matching;
use super::memory::Memory;
use super::model::{Entry, Kind, Known, Look, Problem, order};
use super::names;
use super::private::{Made, Private, hex};
use super::published;
use super::scope::{Scope, Verdict, parent};
use super::seen::Seen;
use super::store::{self, Broken};
use super::walk::{self, Observation};
use crate::clock;
use crate::config::Config;
use crate::durable;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Event, Severity};
use crate::interrupt;
use crate::report::{FindingKind, IntegrityBaselineReport, IntegrityFinding, SCHEMA};

/// So long a check may take before this is turned away (milliseconds).
const WAIT_MS: u64 = 60_000;
/// More of what is otherwise than before is counted and not listed.
const MOST_CHANGED: usize = 1_000;

/// Reads every watched file and accepts it as it is; or, with `import`, as a list says that the site's pages wrote: then what
/// is otherwise now is a finding of the next check.
///
/// # Errors
/// [`ErrorKind::Access`] for everybody but the cron user and root, [`ErrorKind::Corrupt`] when `import` is no such list,
/// [`ErrorKind::Locked`], and when the disk fails. Then the last baseline is as it was.
pub fn baseline(config: &Config, import: Option<&Path>) -> Result<IntegrityBaselineReport> {
    let start = clock::start();
    // Before anything is made.
    let scope = Scope::read_to_accept(config)?;
    let _lock = lock(config, WAIT_MS)?;
    // Before anything of it is made again.
    let has_traces = store::has_traces(config);
    let private = Private::create(config)?;
    let list = import.map(imported).transpose()?;
    let loaded = store::load(config)?;
    let mut warnings = scope.warnings.clone();
    warnings.extend(durable::missing_owner(&config.ownership));
    let ungiven = durable::ungiven(config);
    warnings.extend(
        ungiven.map(|told| {
            [Some(told.problem), told.first].into_iter().flatten().collect::<Vec<_>>().join("; ")
        }),
    );
    let (last, previous) = store::last(&private, loaded.as_ref().ok())?;
    let (key, made) = private.key_or_new()?;
    // Where nothing at all was left behind there was none: that is no news to whoever makes the first one.
    let is_first = last == 0 && !has_traces;
    let source = if import.is_some() { Taken::List } else { Taken::Now };
    warnings.extend(about_the_last(loaded.as_ref().err().filter(|_| !is_first), last, &made, source));
    warnings.extend(make_places(config));
    let Observed { entries, problems, bytes } = observe(config, &scope, None)?;
    let (entries, imported) = match list {
        None => (entries, 0),
        Some(list) => {
            let before = loaded.as_ref().map_or(&[][..], |loaded| &loaded.baseline.entries);
            merge(&scope, entries, list, before, &mut warnings)
        }
    };
    let baseline = Baseline {
        generation: last.saturating_add(1),
        created: clock::now().timestamp(),
        previous,
        scope: scope.digest(),
        entries,
    };
    let mut changed = match &loaded {
        Ok(loaded) => changes(&loaded.baseline.entries, &baseline.entries, &problems),
        Err(_) => Vec::new(),
    };
    // From here on it is signed, which is put on record.
    let _quiet = interrupt::quiet();
    let saved = copies::save(config, &private, &key, &scope, &baseline)?;
    let is_everywhere = saved.unwritten.is_empty();
    warnings.extend(saved.unwritten);
    let memory = Memory::Private(&private);
    if let Err(error) = memory.set_seen(&Seen::of(&baseline).encode(&baseline)) {
        warnings.push(format!("every file is read again by the next check: {}", error.in_words()));
    }
    let (changed_count, new_key) = (count(changed.len()), made != Made::Before);
    changed.truncate(MOST_CHANGED);
    let compared_with = loaded.as_ref().ok().map(|loaded| loaded.baseline.generation);
    // What was compared with nothing may be anything.
    let is_much = changed_count > 0 || new_key || compared_with.is_none();
    let severity = if is_much { Severity::High } else { Severity::Low };
    let details = json!({
        "paths": baseline.entries.len(), "generation": baseline.generation, "compared_with": compared_with,
        "changed": changed_count, "new_key": new_key, "imported": import.map(|path| path.to_string_lossy()),
    });
    warnings.extend(put_on_record(config, "baseline_created", severity, details));
    let findings: Vec<IntegrityFinding> = problems.iter().map(told).collect();
    let is_accepted = |path: &[u8]| import.is_none() && !problems.iter().any(|problem| problem.path == path);
    let resolved = alerts::resolve(config, &memory, &is_accepted, &mut warnings);
    // Of what is as a list says, a check tells what is otherwise.
    let is_over = |known: &KnownFinding| known.kind == FindingKind::Baseline || is_accepted(&known.path);
    if let Err(error) = last_check::amend(config, Some(&private), &is_over, &[]) {
        warnings.push(format!("status does not know of it yet: {}", error.in_words()));
    }
    Ok(IntegrityBaselineReport {
        schema: SCHEMA,
        ok: findings.is_empty() && is_everywhere,
        generation: baseline.generation,
        sha256: hex(&saved.digest),
        entries: count(baseline.entries.len()),
        hashed_bytes: bytes,
        imported,
        findings,
        changed,
        changed_count,
        compared_with,
        new_key,
        resolved_alerts: resolved,
        excluded: scope.excluded(),
        warnings,
        duration_ms: start.millis(),
    })
}

/// Makes the directories of our outputs before anything is looked at: made later, they would be told as new.
fn make_places(config: &Config) -> Vec<String> {
    let outputs = [&config.events.log, &config.integrity.alerts, &config.integrity.baseline];
    let made = outputs.into_iter().filter_map(|path| path.parent());
    made.filter_map(|directory| durable::owned_directory(directory, &config.ownership).err())
        .map(|error| error.in_words())
        .collect()
}

/// Where what is accepted comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Now,
    List,
}

/// What whoever accepts everything must know of what was accepted before: what is not believed was not compared.
fn about_the_last(broken: Option<&Broken>, last: u64, made: &Made, source: Taken) -> Vec<String> {
    let mut said = Vec::new();
    let what = match source {
        Taken::Now => "everything is accepted as it is now",
        Taken::List => {
            "what the list says is accepted as it says, and directories, symlinks and all else as they are now"
        }
    };
    if let Some(Broken { reason, is_missing, .. }) = broken {
        let how = if *is_missing { "is not there to compare with" } else { "could not be believed" };
        said.push(format!(
            "the baseline before this one {how}: {reason}; {what}, and nobody knows what is otherwise than it was"
        ));
        if last == 0 {
            said.push(
                "what is remembered of the last generation is gone, so that they begin anew with 1"
                    .to_owned(),
            );
        }
    }
    match made {
        Made::Now if broken.is_some() => {
            said.push("the key was gone; a new one signs from now on".to_owned())
        }
        Made::Instead(why) => said.push(format!(
            "others may know the key that signed until now: {why}; a new one signs from now on"
        )),
        Made::Now | Made::Before => {}
    }
    said
}

/// What is otherwise than in the baseline before, without what could not be looked at.
fn changes(before: &[Entry], now: &[Entry], problems: &[Problem]) -> Vec<IntegrityFinding> {
    // Of what comes from a list of the site's pages, as much is compared as that says.
    let is_legacy = |entry: &Entry| {
        let place = now.binary_search_by(|known| order(&known.path, &entry.path)).ok();
        place.and_then(|place| now.get(place)).is_some_and(|known| known.known == Known::Legacy)
    };
    let mut before = Cow::Borrowed(before);
    if now.iter().any(|entry| entry.known == Known::Legacy) {
        before
            .to_mut()
            .iter_mut()
            .filter(|entry| is_legacy(entry))
            .for_each(|entry| entry.known = Known::Legacy);
    }
    let matched = matching::matched(now, &before, None, |_| true);
    let verdicts = accept::verdicts(now, &before, &matched);
    let found = Found { observed: now, baseline: &before, matched: &matched, verdicts: &verdicts, problems };
    let mut all = compare::findings(&found);
    all.retain(|finding| !matches!(finding.kind, FindingKind::Unreadable | FindingKind::Unstable));
    all
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Puts on record who signed what; what to say where that failed.
pub(super) fn put_on_record(
    config: &Config,
    kind: &str,
    severity: Severity,
    mut details: Value,
) -> Option<String> {
    let number = rustix::process::geteuid().as_raw();
    let user = durable::user_numbered(number).unwrap_or_else(|| number.to_string());
    if let Some(details) = details.as_object_mut() {
        details.insert("user".to_owned(), Value::from(user));
    }
    let event = Event { kind: kind.to_owned(), severity, details, ip: None, session: None };
    let failed = events::record(config, &event).err()?;
    Some(format!("it is signed, and could not be put on record: {failed}"))
}

/// What is there, read whole.
pub(super) struct Observed {
    pub(super) entries: Vec<Entry>,
    pub(super) problems: Vec<Problem>,
    pub(super) bytes: u64,
}

/// Looks at everything, or at some paths, and reads all of it.
pub(super) fn observe(config: &Config, scope: &Scope, only: Option<&[Vec<u8>]>) -> Result<Observed> {
    let walk::Manner { xattrs, threads } = manner(config);
    let Observation { mut entries, mut problems } = walk::walk(scope, only, manner(config));
    // What was not looked at, as somebody said that it stops, is not gone.
    interrupt::check()?;
    let wanted: Vec<usize> =
        entries.iter().enumerate().filter(|(_, entry)| entry.has_content()).map(|(index, _)| index).collect();
    let how = hash::Manner { xattrs, has_md5: config.integrity.legacy_md5, threads, limit: Limit::None };
    let Hashed { outcomes, bytes } = hash::hash(scope, &entries, &wanted, how);
    interrupt::check()?;
    let mut gone = std::collections::BTreeSet::new();
    for (index, outcome) in outcomes {
        let Some(entry) = entries.get_mut(index) else { continue };
        match outcome {
            Outcome::Read(content) => {
                entry.stat = content.stat;
                entry.content = Some(content.content);
                entry.md5 = content.md5;
                entry.xattrs = content.xattrs;
                entry.read_at = content.at;
            }
            Outcome::Other(Some(stat)) => compare::put(entry, stat),
            Outcome::Other(None) | Outcome::NotYet => drop(gone.insert(index)),
            Outcome::Problem(problem) => problems.push(problem),
        }
    }
    let entries =
        entries.into_iter().enumerate().filter(|(index, _)| !gone.contains(index)).map(|(_, entry)| entry);
    let mut entries: Vec<Entry> = entries.collect();
    problems.sort_by(|left, right| order(&left.path, &right.path));
    for problem in &problems {
        close(&mut entries, &problem.path);
    }
    Ok(Observed { entries, problems, bytes })
}

/// Remembers that not everything in a directory could be looked at: what is found there later may have been there.
fn close(entries: &mut [Entry], path: &[u8]) {
    let place = |path: &[u8]| entries.binary_search_by(|entry| order(&entry.path, path));
    let Ok(index) = place(path).or_else(|_| place(parent(path))) else { return };
    if let Some(entry) = entries.get_mut(index).filter(|entry| entry.stat.kind == Kind::Directory) {
        entry.look = Look::Closed;
    }
}

/// A problem as a finding.
pub(super) fn told(problem: &Problem) -> IntegrityFinding {
    let kind = match problem.kind {
        super::model::ProblemKind::Unreadable => FindingKind::Unreadable,
        super::model::ProblemKind::Unstable => FindingKind::Unstable,
    };
    compare::finding(kind, &problem.path, None, Vec::new(), Some(problem.reason.clone()))
}

fn imported(path: &Path) -> Result<Vec<Entry>> {
    let bytes = published::small_file(path)?.ok_or_else(|| {
        Error::new(ErrorKind::Usage, "there is nothing to import at").at(path).hint("name a file_hashes.json")
    })?;
    export::read(&bytes, path)
}

/// What the list says of regular files, and what is there of everything else.
fn merge(
    scope: &Scope,
    entries: Vec<Entry>,
    list: Vec<Entry>,
    before: &[Entry],
    warnings: &mut Vec<String>,
) -> (Vec<Entry>, u64) {
    let is_meant = |entry: &Entry| {
        let name = names::file_name(&entry.path);
        scope.watches(&entry.path, entry.stat.kind)
            && scope.inside(parent(&entry.path)).verdict(&entry.path, name, entry.stat.kind)
                == Verdict::Watch(Look::Whole)
    };
    let (list, others): (Vec<Entry>, Vec<Entry>) = list.into_iter().partition(is_meant);
    if !others.is_empty() {
        warnings.push(format!("{} files of the list are not watched, or not read", others.len()));
    }
    let imported = count(list.len());
    let mut all: Vec<Entry> = Vec::with_capacity(entries.len());
    let mut unnamed = Vec::new();
    for entry in entries {
        if !entry.has_content() {
            all.push(entry);
            continue;
        }
        if is_unnameable(&entry) {
            unnamed.push(entry.path);
            continue;
        }
        let known = list.binary_search_by(|known| order(&known.path, &entry.path)).ok();
        if let Some(known) = known.and_then(|index| list.get(index)) {
            let is_same = known.content == entry.content
                && known.stat.size == entry.stat.size
                && known.stat.mtime.seconds == entry.stat.mtime.seconds
                && known.stat.mode & 0o777 == entry.stat.mode & 0o777;
            // What is as the list says is taken with all that is known of it now.
            if is_same && entry.known == Known::All {
                all.push(entry);
            }
        }
    }
    for known in list {
        if all.binary_search_by(|entry| order(&entry.path, &known.path)).is_err() {
            let at = all.partition_point(|entry| order(&entry.path, &known.path).is_lt());
            all.insert(at, known);
        }
    }
    let kept: Vec<&Entry> = before.iter().filter(|entry| is_unnameable(entry) && is_meant(entry)).collect();
    for known in &kept {
        if let Err(at) = all.binary_search_by(|entry| order(&entry.path, &known.path)) {
            all.insert(at, (*known).clone());
        }
    }
    let is_new = |path: &&Vec<u8>| kept.binary_search_by(|known| order(&known.path, path)).is_err();
    let new = unnamed.iter().filter(is_new).count();
    if !kept.is_empty() || new > 0 {
        warnings.push(format!(
            "the list cannot name files whose names are no UTF-8: {} stay as the baseline before says, and {new} that it does \
             not know are told as new by the next check",
            kept.len()
        ));
    }
    (all, imported)
}

/// Whether a list of hashes has no name for it.
fn is_unnameable(entry: &Entry) -> bool {
    entry.has_content() && std::str::from_utf8(&entry.path).is_err()
}
