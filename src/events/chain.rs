//! Whether lines of the event log follow each other, and what is wrong where they do not.
//!
//! Pure. Lines of ours count up, and name the digest of all that came since the line of ours before, with that: one digest
//! folded into the next, so that a place in the chain is one number and one digest, wherever a file ends. Lines of others
//! lie between. Those that came in the moment in which ours was written, after its writer had looked, stand directly before
//! it and are not in what it names; the writer sees them behind that, and the next line of ours names them first. So only
//! before the last line of ours others could stand that nothing proves, and no more than fit into a moment.
//!
//! Where others wrote more than a writer can read, its line says how many bytes it holds nothing of (`behind`): more or less
//! than that is not what was there.
//!
//! What is wrong with a line is often clear only at the next one: a line that was put in is one without which the next one
//! follows. So the last break is in doubt until then.

mod state;

use super::line;
use super::lines::Line;
use state::Fit;
pub(super) use state::State;

/// What a line names as the one before it where it was not known what had been there.
pub(super) const UNKNOWN: &str = "unknown";
/// Lines of others that may have come in the same moment as one of ours.
pub(super) const MOMENT: usize = 4096;
/// Where those have more than this (bytes), nothing holds them, as the writer would read for long.
pub(super) const MAX_MOMENT: u64 = 4 << 20;
/// More breaks are counted, and not told one by one.
const MAX_TOLD: usize = 100;

/// A place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// The number of the last line of ours; 0 before the first.
    pub(super) seq: u64,
    /// The digest of that line and of those of others behind it.
    pub(super) digest: String,
}

/// The digest of what came so far and one more line of others.
pub(super) fn fold(before: &str, digest: &str) -> String {
    line::digest(format!("{before}{digest}").as_bytes())
}

/// What the next line of ours names before anything else: the one before it, and those of others that came in its moment,
/// with their bytes.
pub(super) fn base<'a>(own: &str, moment: impl ExactSizeIterator<Item = &'a String>, bytes: u64) -> String {
    if moment.len() > MOMENT || bytes > MAX_MOMENT {
        return own.to_owned();
    }
    moment.fold(own.to_owned(), |before, digest| fold(&before, digest))
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct At {
    /// The number of its file among those that are followed.
    pub(super) file: usize,
    /// From 1 on; 0 before the first.
    pub(super) line: u64,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Break {
    /// These lines of ours are not there, before the line at which it is told.
    Missing(u64, u64),
    /// The line has a number that was there before.
    Again,
    /// It does not belong there: without it, the next one follows.
    Inserted,
    /// So many lines of others do not belong there, before the line of ours that is named.
    Put(u64),
    /// It belongs behind this one, and stands before it.
    Moved(At),
    /// Something from it to this one is not what was there.
    Changed(At),
    /// Nobody knew what was before it when it was written.
    Unknown,
    /// It is longer than any event (bytes).
    Long(u64),
}

/// A break, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) at: At,
    /// The number of the line of ours that is concerned.
    pub(super) seq: u64,
    pub(super) what: Break,
    /// The line that showed it.
    by: At,
    /// Its digest.
    digest: String,
    /// So many others that it tells of as well, as they cannot be told apart from it.
    more: u64,
}

impl Found {
    /// Of how many events or changes it is.
    pub(super) fn extent(&self) -> u64 {
        let events = match self.what {
            Break::Missing(first, last) => last.saturating_sub(first).saturating_add(1),
            Break::Put(count) => count,
            _ => 1,
        };
        events.saturating_add(self.more)
    }
}

/// A line that may not belong where it stands.
#[derive(Debug, Clone)]
struct Doubt {
    /// What is known where it does not.
    without: State,
    /// The place of its break among those that are told.
    told: Option<usize>,
    /// Its number.
    seq: u64,
}

/// A line of ours.
#[derive(Debug)]
struct Own<'a> {
    seq: u64,
    prev: &'a str,
    /// What it says that it does not hold (bytes).
    behind: Option<u64>,
    at: At,
    digest: &'a str,
    bytes: u64,
}

/// Follows the lines of one file after the other.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    state: State,
    at: At,
    /// Whether `state.own` is that of a line which was seen.
    is_seen: bool,
    /// Until the next line of ours, the one that showed a break.
    doubt: Option<Doubt>,
    pub(super) ours: u64,
    pub(super) others: u64,
    /// Lines of others that no line of ours holds, of those that came before the last one of ours; and the first of them.
    loose: (u64, Option<At>),
    found: Vec<Found>,
    pub(super) breaks: u64,
    /// The number and digest of a line of ours that is to come; whether a line of that number was it.
    wanted: Option<(u64, String)>,
    pub(super) is_wanted: Option<bool>,
}

impl Chain {
    /// From a place on.
    pub(super) fn from(head: &Head) -> Chain {
        let state = State::after(head.seq, At::default(), head.digest.clone());
        Chain {
            state,
            at: At::default(),
            is_seen: head.seq == 0,
            doubt: None,
            ours: 0,
            others: 0,
            loose: (0, None),
            found: Vec::new(),
            breaks: 0,
            wanted: None,
            is_wanted: None,
        }
    }

    /// A line of ours of this number and digest should come.
    pub(super) fn want(&mut self, seq: u64, digest: &str) {
        self.wanted = Some((seq, digest.to_owned()));
    }

    /// Goes on in a file of this number.
    pub(super) fn enter(&mut self, file: usize) {
        self.at = At { file, line: 0 };
        let state = &mut self.state;
        state.files.push((state.fold().to_owned(), state.bytes, state.count));
    }

    /// Where the lines end that were followed.
    pub(super) fn head(&self) -> Head {
        Head { seq: self.state.seq, digest: self.state.fold().to_owned() }
    }

    /// The last line of ours, where it was seen: its place and digest.
    pub(super) fn last(&self) -> Option<(At, &str)> {
        self.is_seen.then_some((self.state.at, self.state.own.as_str()))
    }

    /// What the next line of ours names before anything else, where that is known; and the first line of others that came
    /// in the moment of the last one of ours.
    pub(super) fn base(&self) -> Option<(&str, Option<At>)> {
        let moment = (self.state.moment.0 > 0).then_some(self.state.moment.1);
        (self.is_seen && self.state.fits && !self.state.is_told).then_some((self.state.base.as_str(), moment))
    }

    /// What came in the moment of the last line of ours is what was there.
    pub(super) fn prove(&mut self) {
        self.state.moment.0 = 0;
    }

    /// Lines of others that no line of ours holds, and the first of them.
    pub(super) fn unheld(&self) -> (u64, Option<At>) {
        let (moment, at) = self.state.moment;
        let count = self.loose.0.saturating_add(moment).saturating_add(self.state.count);
        let first = self.loose.1.or((moment > 0).then_some(at));
        (count, first.or((self.state.count > 0).then_some(self.state.first)))
    }

    /// Where it is.
    pub(super) fn at(&self) -> At {
        self.at
    }

    /// What is wrong, as far as it is told one by one.
    pub(super) fn found(&self) -> &[Found] {
        &self.found
    }

    /// Passes over lines that cannot be read, up to where they are known to have ended.
    pub(super) fn go_on(&mut self, head: &Head) {
        self.state = State::after(head.seq, self.at, head.digest.clone());
        self.is_seen = false;
        self.doubt = None;
    }

    /// The next line.
    pub(super) fn next(&mut self, line: &Line<'_>) {
        self.at.line += 1;
        let at = self.at;
        let own = line.text.and_then(line::read).and_then(|read| Some((read.seq?, read.prev, read.behind)));
        if let Some((seq, prev, behind)) = own {
            let (digest, bytes) = (&line.digest, line.bytes);
            return self.own(&Own { seq, prev: &prev, behind, at, digest, bytes });
        }
        if line.text.is_none() {
            let (what, digest) = (Break::Long(line.bytes), line.digest.clone());
            self.tell(Found { at, seq: self.state.seq, what, by: at, digest, more: 0 });
        }
        self.others += 1;
        self.state.other(at, &line.digest, line.bytes);
        if let Some(doubt) = &mut self.doubt {
            doubt.without.other(at, &line.digest, line.bytes);
        }
    }

    fn own(&mut self, line: &Own<'_>) {
        self.ours += 1;
        if let Some((_, digest)) = self.wanted.as_ref().filter(|(seq, _)| *seq == line.seq) {
            self.is_wanted = Some(self.is_wanted == Some(true) || digest == line.digest);
        }
        let (mut fit, mut wrong) = judged(&self.state, line);
        let mut is_told = false;
        if let Some(doubt) = self.doubt.take()
            && wrong.is_some()
            && let (without, None) = judged(&doubt.without, line)
        {
            // It follows where the line in doubt does not belong there, so that is what is wrong.
            if let Some(found) = doubt.told.and_then(|told| self.found.get_mut(told)) {
                (found.at, found.seq, found.what) = (found.by, doubt.seq, Break::Inserted);
            }
            self.state = doubt.without;
            self.ours -= 1;
            self.others += 1;
            (fit, wrong, is_told) = (without, None, true);
        }
        let mut seq = line.seq;
        let fits = wrong.as_ref().is_none_or(|(_, what)| matches!(what, Break::Put(_)));
        if let Some((at, what)) = wrong {
            let mut without = self.state.clone();
            without.other(line.at, line.digest, line.bytes);
            if what == Break::Changed(line.at) && at == line.at {
                seq = self.state.seq.saturating_add(1);
            }
            let put = if let Break::Put(count) = what { Some(count) } else { None };
            if let Some(count) = put {
                self.loosen(count, at);
            }
            let told = if self.is_told(line, &what) {
                None
            } else {
                // The line that is named is that of this number.
                let is_before = at == line.at || put.is_some() && self.state.first == at;
                let seq = if is_before { seq } else { self.state.seq };
                self.tell(Found { at, seq, what, by: line.at, digest: line.digest.to_owned(), more: 0 })
            };
            self.doubt = put.is_none().then_some(Doubt { without, told, seq: line.seq });
        }
        self.go_behind(line, seq, fit.filter(|_| fits));
        (self.state.fits, self.state.is_told) = (fits, is_told);
    }

    /// Goes on behind a line of ours.
    fn go_behind(&mut self, line: &Own<'_>, seq: u64, fit: Option<Fit>) {
        let before = &self.state;
        let count = fit.map_or(0, |fit| u64::try_from(fit.moment).unwrap_or(0));
        let from = before.behind.len().saturating_sub(fit.map_or(0, |fit| fit.moment));
        let at = before.behind.get(from).map_or(line.at, |other| other.at);
        let base = before.base_after(line.digest, fit);
        if let Some(behind) = fit.map(|fit| fit.behind).filter(|behind| *behind > 0) {
            let from = before.first;
            self.loosen(behind, from);
        }
        let state = State::after(seq, line.at, line.digest.to_owned());
        self.state = State { base, moment: (count, at), ..state };
        self.is_seen = true;
    }

    /// So many lines of others are held by nothing.
    fn loosen(&mut self, count: u64, first: At) {
        let (loose, at) = self.loose;
        self.loose = (loose.saturating_add(count), at.or(Some(first)));
    }

    /// Whether a break before it shows it already.
    fn is_told(&mut self, line: &Own<'_>, what: &Break) -> bool {
        let own = self.state.at;
        match (what, self.found.last_mut()) {
            // A line that was changed fits neither the one before it nor the one behind it.
            (Break::Changed(until), Some(Found { what: Break::Changed(last), by, more, .. }))
                if *by == own =>
            {
                *last = (*until).max(*last);
                *more = more.saturating_add(1);
                true
            }
            // It stood before the line that it belongs behind.
            (Break::Missing(first, last), Some(found))
                if first == last && found.what == Break::Inserted && found.digest == line.prev =>
            {
                found.what = Break::Moved(own);
                true
            }
            _ => false,
        }
    }

    /// Its place among those that are told one by one.
    fn tell(&mut self, found: Found) -> Option<usize> {
        self.breaks = self.breaks.saturating_add(1);
        if self.found.len() >= MAX_TOLD {
            return None;
        }
        self.found.push(found);
        self.found.len().checked_sub(1)
    }
}

/// How a line of ours follows; what is wrong with it where it does not, and from where on.
fn judged(state: &State, line: &Own<'_>) -> (Option<Fit>, Option<(At, Break)>) {
    if line.prev == UNKNOWN {
        return (None, Some((line.at, Break::Unknown)));
    }
    let next = state.seq.checked_add(1);
    let fit = state.fit(line.prev, line.behind);
    if next == Some(line.seq) {
        let (count, first) = state.moment;
        return match fit.map_or_else(|| Err(state.fit_without_moment(line.prev)), Ok) {
            Ok(fit) => (Some(fit), None),
            // A line that does not belong there is told already.
            Err(Some(fit)) if state.is_told => (Some(fit), None),
            Err(Some(fit)) => (Some(fit), Some((first, Break::Put(count)))),
            Err(None) if line.prev == state.base && line.behind.is_none() => {
                (None, Some((state.first, Break::Put(state.count))))
            }
            Err(None) if state.at.line == 0 => (None, Some((line.at, Break::Changed(line.at)))),
            Err(None) => (None, Some((if count > 0 { first } else { state.at }, Break::Changed(state.last)))),
        };
    }
    if fit.is_some() && state.at.line > 0 {
        // It follows that line, and its number does not.
        return (fit, Some((line.at, Break::Changed(line.at))));
    }
    let missing = Break::Missing(next.unwrap_or(line.seq), line.seq.saturating_sub(1));
    (None, Some((line.at, if line.seq <= state.seq { Break::Again } else { missing })))
}

#[cfg(test)]
mod tests;
