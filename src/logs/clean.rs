//! Removes rotated files of archives that are old, as `retention` says.
//!
//! Apart from `rotate`, which loses nothing. What is removed here is gone, so a file goes only when every other copy has all of
//! it, and the end of the archive that is on record lies behind it. What a copy still gets is proven by whole entries of the
//! ledger, so a file with the beginning of such an entry stays as well. Positions in the archive count from its beginning,
//! whether that is there or not. Entries of the ledger about nothing that is left go, too (`ledger`).

use std::collections::BTreeMap;
use std::rc::Rc;

use chrono::{DateTime, Utc};

use crate::clock;
use crate::config::{Config, LogConfig};
use crate::durable;
use crate::error::Result;
use crate::interrupt;
use crate::report::{CleanState, LogCleanReport, LogFileVerdict, LogsCleanReport, SCHEMA};

use super::Options;
use super::archive::Archive;
use super::around::Around;
use super::breaks::{hinted, with_hint};
use super::changed::changed;
use super::file::{Access, LogFile, in_words};
use super::find::{self, Found, Shelf};
use super::ledger::Ledger;
use super::plan::Problem;
use super::retention::{self, Segment, Verdict};
use super::segment;
use super::state::{LogState, State};

/// Removes rotated files of archives that are past their age and that every copy has got, oldest first.
///
/// # Errors
/// [`crate::ErrorKind::Locked`] when another run is at it, [`crate::ErrorKind::Usage`] when a name fits no log. What goes
/// wrong with one log is in its report, and stops no other.
pub fn clean(config: &Config, options: &Options) -> Result<LogsCleanReport> {
    clean_at(config, options, clock::now()).map_err(hinted)
}

pub(crate) fn clean_at(config: &Config, options: &Options, now: DateTime<Utc>) -> Result<LogsCleanReport> {
    let began = clock::start();
    let chosen = super::chosen(config, &options.logs)?;
    let directory = config.root.join("sync_state").join("logs");
    let lock = super::lock(config, options)?.filter(|_| !options.dry_run);
    let mut state = State::open(&directory)?;
    let unsettled = match &lock {
        Some(_) => segment::recover(&directory, &mut state, config)?,
        None => None,
    };
    let around = Around::of(config);
    // Of all logs there are: it is one clock.
    let seen = config.logs.keys().filter_map(|name| state.log(name)?.merged_at).max();
    let seen = seen.and_then(|at| DateTime::parse_from_rfc3339(&at).ok()).map(|at| at.to_utc());
    let mut logs = BTreeMap::new();
    for (name, log) in chosen {
        let (ledger, known) = (Ledger::of(&directory, name), state.log(name));
        let one = One { log, hub: &config.hub, around: &around, state: known.as_ref(), ledger: &ledger };
        let found = match &unsettled {
            Some((log, why)) if log == name => Err(why.clone()),
            _ => one.judge(seen, now),
        };
        // Before anything goes.
        interrupt::check()?;
        let report = match found {
            Ok(Judged { files, ends, warnings }) => {
                let mut report = carry_out(files, warnings, lock.is_some(), now);
                let gone = report.files.iter().filter(|file| !file.keep).count();
                if let Some(last) = gone.checked_sub(1).filter(|_| lock.is_some()) {
                    report.warnings.extend(one.record(name, ends.get(last).copied(), &mut state).err());
                }
                report
            }
            Err(why) => LogCleanReport {
                state: CleanState::Failed,
                reason: Some(why),
                files: Vec::new(),
                warnings: Vec::new(),
            },
        };
        logs.insert(name.to_owned(), report);
    }
    let ok = logs.values().all(|report| report.state != CleanState::Failed);
    Ok(LogsCleanReport {
        schema: SCHEMA,
        ok,
        run: now.timestamp_millis().to_string(),
        duration_ms: began.millis(),
        logs,
    })
}

type Files = Vec<(Rc<LogFile>, Segment, Verdict)>;

/// What is to become of the rotated files of a log.
struct Judged {
    files: Files,
    /// Where in the archive those end, where that was asked for.
    ends: Vec<u64>,
    warnings: Vec<String>,
}

/// One log, and what is known of it.
struct One<'a, 'b> {
    log: &'a LogConfig,
    hub: &'a str,
    around: &'a Around<'b>,
    state: Option<&'a LogState>,
    ledger: &'a Ledger,
}

impl One<'_, '_> {
    fn shelf(&self) -> std::result::Result<Shelf, Problem> {
        let path = self.log.copies.get(self.hub).ok_or_else(|| "the hub has no copy".to_owned())?;
        Ok(find::shelf(path, Access::Read, self.around)?)
    }

    fn unread(&self, cause: &std::io::Error) -> Problem {
        match self.log.copies.get(self.hub) {
            Some(path) => in_words("read", path, cause),
            None => cause.to_string(),
        }
    }

    fn judge(&self, seen: Option<DateTime<Utc>>, now: DateTime<Utc>) -> std::result::Result<Judged, Problem> {
        let shelf = self.shelf()?;
        let needed = self.needed(&shelf)?;
        let segments: Vec<Segment> = shelf
            .rotated
            .iter()
            .zip(needed)
            .map(|(file, needed)| Segment { written: time(file.written), needed })
            .collect();
        let mut verdicts = retention::judge(&segments, &self.log.rotate, seen, now);
        let going = verdicts.iter().take_while(|verdict| matches!(verdict, Verdict::Remove(_))).count();
        let mut ends = Vec::new();
        let stays = self.unproven(&shelf, going, &mut ends);
        if let Some((first, why)) = &stays {
            for verdict in verdicts.iter_mut().skip(*first) {
                if matches!(verdict, Verdict::Remove(_)) {
                    *verdict = Verdict::Keep(why.clone());
                }
            }
        }
        let files = shelf.rotated.iter().cloned().zip(segments).zip(verdicts);
        let mut warnings: Vec<String> =
            shelf.refused.iter().map(|refused| format!("passed over: {refused}")).collect();
        warnings.extend(stays.map(|(_, why)| format!("old rotated files stay: {why}")));
        let files = files.map(|((file, segment), verdict)| (file, segment, verdict)).collect();
        Ok(Judged { files, ends, warnings })
    }

    /// For each rotated file why it is still needed; none where every other copy has all of it.
    fn needed(&self, shelf: &Shelf) -> std::result::Result<Vec<Option<String>>, Problem> {
        let all = |why: Option<&str>| vec![why.map(str::to_owned); shelf.rotated.len()];
        let others: Vec<&String> = self.log.others(self.hub).map(|(side, _)| side).collect();
        let Some(state) = self.state else {
            return Ok(all((!others.is_empty()).then_some("it was never merged")));
        };
        let found = find::on_shelf(&state.archive, shelf, &[], 0);
        let first = match found.map_err(|cause| self.unread(&cause))? {
            Found::Live => shelf.rotated.len(),
            Found::Rotated(index) => index,
            Found::Lost => return Ok(all(Some("what is known of the archive is not there; merge first"))),
        };
        let mut sent = u64::MAX;
        let mut last = String::new();
        for side in others {
            match state.copies.get(side) {
                None => return Ok(all(Some(&format!("{side} was never merged")))),
                Some(copy) if copy.sent < sent => (sent, last) = (copy.sent, side.clone()),
                Some(_) => {}
            }
        }
        let mut needed = all(None);
        for needed in needed.iter_mut().skip(first) {
            *needed = Some("it was not merged since it was rotated".to_owned());
        }
        // Only where somebody is behind it has to be known how long each file is.
        if sent >= state.base {
            return Ok(needed);
        }
        let entries = self.ledger.since(state.ledger, &state.chain, sent).map_err(|why| with_hint(&why))?;
        let from = entries.first().map_or(sent, |entry| entry.from.min(sent));
        let mut end = state.base;
        for (file, needed) in shelf.rotated.iter().zip(&mut needed).take(first).rev() {
            if end <= from {
                break;
            }
            *needed = Some(format!("{last} has not got all of it"));
            let length = file.length().map_err(|cause| in_words("read", &file.path, &cause))?;
            end = end.saturating_sub(length);
        }
        Ok(needed)
    }

    /// From which of the first `going` files on they must stay, as they are not what was merged, or nobody can tell; and why.
    fn unproven(&self, shelf: &Shelf, going: usize, ends: &mut Vec<u64>) -> Option<(usize, Problem)> {
        let state = self.state.filter(|_| going > 0)?;
        self.first_changed(shelf, going, state, ends).unwrap_or_else(|why| Some((0, why)))
    }

    fn first_changed(
        &self,
        shelf: &Shelf,
        going: usize,
        state: &LogState,
        ends: &mut Vec<u64>,
    ) -> std::result::Result<Option<(usize, Problem)>, Problem> {
        let fail = |cause: std::io::Error| self.unread(&cause);
        let live = shelf.live.as_ref().ok_or("the archive has no file that is written to; merge first")?;
        let mut archive = Archive::find(shelf, live, Some(state)).map_err(fail)?;
        archive.reach_all().map_err(fail)?;
        *ends = archive.ends().map_err(fail)?;
        if ends.len() != shelf.rotated.len() + 1 {
            let whole = self.ledger.whole(state.ledger, &state.chain).map_err(|why| with_hint(&why))?;
            let files = changed(&archive, &whole.entries).map_err(fail)?;
            return Err(match files.is_empty() {
                true => "where they lie in the archive cannot be told; `verify` tells more".to_owned(),
                false => format!(
                    "where they lie in the archive cannot be told, as {} is not what was merged; put back what was there",
                    files.join(", ")
                ),
            });
        }
        let end = going.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0);
        let whole = self.ledger.whole(state.ledger, &state.chain).map_err(|why| with_hint(&why))?;
        // Of an entry whose beginning was cleaned away nobody can tell.
        let known = whole.entries.iter().filter(|entry| entry.from >= archive.begin() && entry.from < end);
        let mut walk = None;
        for entry in known {
            let walk = match &mut walk {
                Some(walk) => walk,
                none => none.insert(archive.walk(entry.from).map_err(fail)?),
            };
            if walk.digest(entry.length).map_err(fail)?.as_ref() != Some(&entry.sha256) {
                let first = ends.iter().position(|end| *end > entry.from).unwrap_or(0);
                let files = changed(&archive, &whole.entries).map_err(fail)?;
                return Ok(Some((
                    first,
                    format!(
                        "{} bytes from {} on in the archive are not what was merged: look at {}, and put back what was there; or, if that cannot be, move away yourself what is to go",
                        entry.length,
                        entry.from,
                        files.join(", ")
                    ),
                )));
            }
        }
        Ok(None)
    }

    /// Puts on record where the archive begins now, so that nobody waits for what was removed, and takes away what is
    /// written down of it.
    fn record(&self, name: &str, begin: Option<u64>, state: &mut State) -> std::result::Result<(), Problem> {
        let Some(known) = self.state else { return Ok(()) };
        let known = LogState { begin: begin.unwrap_or(0).max(known.begin), ..known.clone() };
        let mark = state.mark(name).unwrap_or_default().to_owned();
        state.set(name, mark, &known).and_then(|()| state.save()).map_err(|cause| with_hint(&cause))?;
        One { state: Some(&known), ..*self }.trim()
    }

    /// Takes away what is written down of lines that are gone and that every copy has got.
    fn trim(&self) -> std::result::Result<(), Problem> {
        let shelf = self.shelf()?;
        let (Some(state), Some(live)) = (self.state, &shelf.live) else { return Ok(()) };
        let fail = |cause: std::io::Error| self.unread(&cause);
        let mut archive = Archive::find(&shelf, live, Some(state)).map_err(fail)?;
        if archive.anew {
            return Ok(());
        }
        archive.reach_all().map_err(fail)?;
        let sent =
            self.log.others(self.hub).map(|(side, _)| state.copies.get(side).map_or(0, |copy| copy.sent));
        let place = sent.min().unwrap_or(u64::MAX).min(archive.begin());
        let entries = self.ledger.since(state.ledger, &state.chain, place).map_err(|why| with_hint(&why))?;
        // Where a file was removed or replaced by somebody else, what is left may begin elsewhere.
        let whole = entries.iter().find(|entry| entry.from >= archive.begin());
        if let Some(entry) = whole
            && archive.digest(entry.from..entry.end()).map_err(fail)? != entry.sha256
        {
            return Ok(());
        }
        self.ledger.trim(state.ledger, &state.chain, place).map_err(|why| with_hint(&why))
    }
}

fn time(written: i128) -> DateTime<Utc> {
    let nanoseconds = i64::try_from(written).unwrap_or(i64::MAX);
    DateTime::from_timestamp_nanos(nanoseconds)
}

fn carry_out(files: Files, mut warnings: Vec<String>, is_real: bool, now: DateTime<Utc>) -> LogCleanReport {
    let mut report = LogCleanReport {
        state: CleanState::Unchanged,
        reason: None,
        files: Vec::new(),
        warnings: Vec::new(),
    };
    for (file, segment, verdict) in files {
        let (mut keep, mut reason) = match verdict {
            Verdict::Keep(why) => (true, why),
            Verdict::Remove(why) => (false, why),
        };
        // What is behind a file that could not be removed stays, too.
        if !keep && report.state == CleanState::Failed {
            (keep, reason) = (true, "an older one stays".to_owned());
        }
        if !keep
            && is_real
            && let Err(cause) = durable::remove(&file.path)
        {
            keep = true;
            report.state = CleanState::Failed;
            report.reason = Some(with_hint(&cause));
            warnings.push(format!("{reason}, but it stays: {cause}"));
        }
        if !keep && report.state == CleanState::Unchanged {
            report.state = CleanState::Cleaned;
        }
        report.files.push(LogFileVerdict {
            path: file.path.clone(),
            bytes: file.size,
            age_days: retention::age_days(segment.written, now),
            keep,
            reason,
        });
    }
    report.warnings = warnings;
    report
}
