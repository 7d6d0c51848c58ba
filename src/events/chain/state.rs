//! What is known before a line of the chain, and how a line fits to that.

use std::collections::VecDeque;

use super::{At, MOMENT, base, fold};

/// A line of others behind one of ours.
#[derive(Debug, Clone)]
pub(super) struct Other {
    /// Of all up to it.
    pub(super) fold: String,
    pub(super) digest: String,
    /// Of all up to it.
    pub(super) bytes: u64,
    pub(super) at: At,
}

/// What is known before a line.
#[derive(Debug, Clone)]
pub(in crate::events) struct State {
    /// Of the last line of ours.
    pub(super) seq: u64,
    pub(super) at: At,
    /// The digest of that line, or all that is known of what came before the first.
    pub(super) own: String,
    /// What the next one names before anything else.
    pub(super) base: String,
    /// Whether that line follows the one before it.
    pub(super) fits: bool,
    /// Lines of others in its moment, and the first of them; whether a break tells of one of them.
    pub(super) moment: (u64, At),
    pub(super) is_told: bool,
    /// Since then: the last lines of others.
    pub(super) behind: VecDeque<Other>,
    /// Where files began since then: what was folded, bytes and lines.
    pub(super) files: Vec<(String, u64, u64)>,
    /// So many lines of others since then, with so many bytes.
    pub(super) count: u64,
    pub(super) bytes: u64,
    /// The first of them, and the last.
    pub(super) first: At,
    pub(super) last: At,
}

/// How a line of ours holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::events) struct Fit {
    /// So many lines of others came in its moment.
    pub(super) moment: usize,
    /// So many it says that it does not hold.
    pub(super) behind: u64,
}

impl State {
    /// Behind a line of ours, of which it is known what the next one names.
    pub(in crate::events) fn after(seq: u64, at: At, digest: String) -> State {
        State {
            seq,
            at,
            base: digest.clone(),
            own: digest,
            fits: true,
            moment: (0, at),
            is_told: false,
            behind: VecDeque::new(),
            files: Vec::new(),
            count: 0,
            bytes: 0,
            first: at,
            last: at,
        }
    }

    /// What is folded of all that came so far.
    pub(in crate::events) fn fold(&self) -> &str {
        self.behind.back().map_or(self.base.as_str(), |other| other.fold.as_str())
    }

    /// What the next line of ours names before anything else, behind one that came now.
    pub(in crate::events) fn base_after(&self, digest: &str, fit: Option<Fit>) -> String {
        let moment = fit.map_or(0, |fit| fit.moment);
        let from = self.behind.len().saturating_sub(moment);
        // All of them came in the moment where none is before them.
        let before = from.checked_sub(1).and_then(|last| self.behind.get(last));
        let before = before.map_or(0, |other| other.bytes);
        let lines: Vec<&String> = self.behind.iter().skip(from).map(|other| &other.digest).collect();
        base(digest, lines.into_iter(), self.bytes.saturating_sub(before))
    }

    /// One more line of others.
    pub(in crate::events) fn other(&mut self, at: At, digest: &str, bytes: u64) {
        if self.count == 0 {
            self.first = at;
        }
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        let fold = fold(self.fold(), digest);
        self.behind.push_back(Other { fold, digest: digest.to_owned(), bytes: self.bytes, at });
        // One more than come in a moment, as what is before those is named.
        if self.behind.len() > MOMENT + 1 {
            self.behind.pop_front();
        }
        self.last = at;
    }

    /// How a line holds what came before it that names this; none where that is not what it should be.
    pub(in crate::events) fn fit(&self, prev: &str, behind: Option<u64>) -> Option<Fit> {
        if let Some(bytes) = behind {
            let mut starts = self.files.iter().rev().filter(|(fold, ..)| fold == prev);
            let start = starts.next().map(|(_, bytes, count)| (*bytes, *count));
            let (before, count) = start.or((self.base == prev).then_some((0, 0)))?;
            let end = before.checked_add(bytes)?;
            let place = self.behind.iter().rposition(|other| other.bytes == end)?;
            let moment = self.behind.len() - place - 1;
            let in_moment = u64::try_from(moment).unwrap_or(0);
            return Some(Fit { moment, behind: self.count.saturating_sub(count).saturating_sub(in_moment) });
        }
        if let Some(place) = self.behind.iter().rposition(|other| other.fold == prev) {
            return Some(Fit { moment: self.behind.len() - place - 1, behind: 0 });
        }
        let is_moment = self.base == prev && self.behind.len() <= MOMENT;
        is_moment.then_some(Fit { moment: self.behind.len(), behind: 0 })
    }

    /// The same where nothing came in the moment of the last line of ours.
    pub(super) fn fit_without_moment(&self, prev: &str) -> Option<Fit> {
        if self.moment.0 == 0 || self.behind.len() > MOMENT {
            return None;
        }
        let mut plain = State { base: self.own.clone(), moment: (0, self.at), ..self.clone() };
        plain.behind.clear();
        for other in &self.behind {
            plain.other(other.at, &other.digest, 0);
        }
        plain.fit(prev, None)
    }
}
