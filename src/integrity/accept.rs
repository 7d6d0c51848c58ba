//! Accepts findings: some paths are from now on right as they are.
//!
//! Apart from `make`, which accepts everything: here what was accepted before stays, but for these paths, and whoever
//! accepts is shown what.

use std::path::PathBuf;

use serde_json::json;

use super::alerts;
use super::attributes::{self, Fate};
use super::check::{self, lock, plain, targets};
use super::codec::Baseline;
use super::compare::{self, Found};
use super::copies;
use super::last_check;
use super::make::{self, Observed};
use super::matching::{self, Matched};
use super::memory::Memory;
use super::model::{Entry, is_within, order};
use super::named;
use super::private::Private;
use super::published;
use super::scope::Scope;
use super::seen::{Seen, Verdict};
use super::store::{self, Loaded, Secrecy};
use crate::clock;
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::events::Severity;
use crate::interrupt;
use crate::report::{FindingKind, IntegrityAcceptReport, IntegrityFinding, SCHEMA};

/// So long a check may take before this is turned away (milliseconds).
const WAIT_MS: u64 = 60_000;

/// Accepts what is under some paths as it is now, and signs that; with `DryRun`, only shows it. The path of the list of what
/// to watch accepts that list; that of a file that is written of each baseline has it written again, and accepts nothing.
///
/// # Errors
/// [`ErrorKind::Usage`] without paths, or when one is not watched; [`ErrorKind::Access`] for everybody but the cron user and
/// root; [`ErrorKind::Corrupt`] when the baseline cannot be believed: then only a new one helps.
pub fn accept(config: &Config, paths: &[PathBuf], mode: Accept) -> Result<IntegrityAcceptReport> {
    if paths.is_empty() {
        let error = Error::new(ErrorKind::Usage, "nothing was named that is to be accepted");
        return Err(error.hint("name the paths of findings"));
    }
    let _lock = lock(config, WAIT_MS)?;
    let scope = Scope::read(config)?;
    let private = Private::create(config)?;
    let loaded = store::load(config)?.map_err(|broken| {
        Error::new(ErrorKind::Corrupt, format!("nothing can be accepted, as {}:", broken.reason))
            .at(&broken.path)
            .hint("find out who did that; status says what comes next")
    })?;
    if loaded.exposed == Secrecy::Lost {
        let error =
            Error::new(ErrorKind::Corrupt, "nothing can be accepted, as others may know the key that signs");
        return Err(error.hint("find out who read it; then make a new baseline, which makes a new key"));
    }
    let list = plain(config, &config.integrity.config)?;
    let ours = published::paths(config);
    let ours: Vec<Vec<u8>> = ours.iter().map(|path| plain(config, path)).collect::<Result<_>>()?;
    let (mut is_list, mut is_ours) = (false, false);
    let mut others = Vec::new();
    for path in paths {
        let plain = plain(config, path)?;
        if plain == list {
            is_list = true;
        } else if ours.contains(&plain) {
            is_ours = true;
        } else {
            others.push(path.clone());
        }
    }
    let others = named::within(config, &scope, &loaded.baseline.entries, &others)?;
    let only = targets(config, &scope, &others)?.unwrap_or_default();
    let mut report = IntegrityAcceptReport {
        schema: SCHEMA,
        ok: true,
        dry_run: mode == Accept::DryRun,
        generation: loaded.baseline.generation,
        accepted: Vec::new(),
        refused: Vec::new(),
        resolved_alerts: 0,
        warnings: scope.warnings.clone(),
    };
    let (mut next, unseen) = take(config, &scope, &loaded, &only, &mut report)?;
    if let Some(other) = check::other_scope(config, &scope, &loaded.baseline).filter(|_| is_list) {
        report.accepted.push(other);
        report.accepted.extend(narrow(&scope, &mut next));
    }
    report.ok = report.refused.is_empty();
    let mut is_saved = false;
    // From here on it is signed, which is put on record.
    let _quiet = interrupt::quiet();
    if report.accepted.is_empty() && loaded.flaws.is_empty() && !is_ours {
        report.warnings.push("there is nothing to accept under these paths".to_owned());
    } else if mode == Accept::Sign {
        let (key, _) = private.key_or_new()?;
        let saved = copies::save(config, &private, &key, &scope, &next)?;
        is_saved = true;
        report.ok &= saved.unwritten.is_empty();
        report.warnings.extend(saved.unwritten);
        report.generation = next.generation;
        if let Err(error) = carry(&private, &loaded.baseline, &next) {
            report.warnings.push(format!("every file is read again by the next check: {}", error.in_words()));
        }
        let details = json!({ "paths": report.accepted.len(), "generation": next.generation });
        report.warnings.extend(make::put_on_record(config, "integrity_accepted", Severity::Low, details));
    }
    if mode == Accept::Sign {
        let is_accepted = |path: &[u8]| {
            let is_meant = only.iter().any(|above| is_within(path, above)) || is_list && path == list;
            // Whatever is signed, these are written with it.
            let is_written = is_saved && ours.iter().any(|ours| ours == path);
            is_written || is_meant && !unseen.iter().any(|above| is_within(path, above))
        };
        let memory = Memory::Private(&private);
        report.resolved_alerts = alerts::resolve(config, &memory, &is_accepted, &mut report.warnings);
        let is_over = |known: &last_check::Known| is_accepted(&known.path);
        if let Err(error) = last_check::amend(config, Some(&private), &is_over, &[]) {
            report.warnings.push(format!("status does not know of it yet: {}", error.in_words()));
        }
    }
    Ok(report)
}

/// Takes out of a baseline what is not watched any more, and says what that is.
fn narrow(scope: &Scope, next: &mut Baseline) -> Vec<IntegrityFinding> {
    next.scope = scope.digest();
    let all = std::mem::take(&mut next.entries);
    let (kept, dropped): (Vec<Entry>, Vec<Entry>) =
        all.into_iter().partition(|entry| scope.watches(&entry.path, entry.stat.kind));
    next.entries = kept;
    let one = |entry: &Entry| {
        let mut finding = attributes::finding(Fate::Removed(entry), vec!["scope".to_owned()]);
        finding.reason = Some("it is not watched any more".to_owned());
        finding
    };
    dropped.iter().map(one).collect()
}

/// What was found in other files stays known.
fn carry(private: &Private, before: &Baseline, next: &Baseline) -> Result<()> {
    let memory = Memory::Private(private);
    let known = memory.seen()?;
    memory.set_seen(&Seen::carried(known.as_deref(), before, next).encode(next))
}

/// Whether it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// It is signed.
    Sign,
    /// It is only shown.
    DryRun,
}

/// The next baseline: with what is under these paths now, as far as that could be read; and what could not.
fn take(
    config: &Config,
    scope: &Scope,
    loaded: &Loaded,
    only: &[Vec<u8>],
    report: &mut IntegrityAcceptReport,
) -> Result<(Baseline, Vec<Vec<u8>>)> {
    let before = &loaded.baseline;
    let Observed { entries, problems, .. } =
        if only.is_empty() { empty() } else { make::observe(config, scope, Some(only))? };
    let is_meant = |path: &[u8]| only.iter().any(|above| is_within(path, above));
    let matched = matching::matched(&entries, &before.entries, Some(only), |_| true);
    let verdicts = verdicts(&entries, &before.entries, &matched);
    let found = Found {
        observed: &entries,
        baseline: &before.entries,
        matched: &matched,
        verdicts: &verdicts,
        problems: &problems,
    };
    let is_refused =
        |finding: &IntegrityFinding| matches!(finding.kind, FindingKind::Unreadable | FindingKind::Unstable);
    let (refused, accepted) = compare::findings(&found).into_iter().partition(is_refused);
    (report.refused, report.accepted) = (refused, accepted);
    // What could not be looked at stays as it was, with all that is below it.
    let is_unseen = |path: &[u8]| problems.iter().any(|problem| is_within(path, &problem.path));
    let mut next: Vec<Entry> = before
        .entries
        .iter()
        .filter(|entry| !is_meant(&entry.path) || is_unseen(&entry.path))
        .cloned()
        .chain(entries.iter().filter(|entry| !is_unseen(&entry.path)).cloned())
        .collect();
    next.sort_by(|left, right| order(&left.path, &right.path));
    let next = Baseline {
        generation: before.generation.saturating_add(1),
        created: clock::now().timestamp(),
        previous: loaded.digest,
        scope: before.scope,
        entries: next,
    };
    Ok((next, problems.into_iter().map(|problem| problem.path).collect()))
}

fn empty() -> Observed {
    Observed { entries: Vec::new(), problems: Vec::new(), bytes: 0 }
}

/// What is known of the content of entries that were all read.
pub(super) fn verdicts(entries: &[Entry], before: &[Entry], matched: &Matched) -> Vec<Option<Verdict>> {
    let mut verdicts = vec![None; entries.len()];
    for (ours, theirs) in matched.known() {
        let (Some(now), Some(known)) = (entries.get(ours), before.get(theirs)) else { continue };
        if let Some(verdict) = verdicts.get_mut(ours).filter(|_| now.has_content()) {
            *verdict = Some(compare::verdict(known, now.content, now.xattrs));
        }
    }
    verdicts
}
