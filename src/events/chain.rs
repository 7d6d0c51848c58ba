//! Whether lines of the event log follow each other, and what is wrong where they do not.
//!
//! Pure. Lines of ours count up, and name the digest of all that came since the line of ours before, with that: one digest
//! folded into the next, so that a place in the chain is one number and one digest, wherever a file ends. Lines of others
//! lie between; only those that were written in the moment in which ours was are not held.
//!
//! What is wrong with a line is often clear only at the next one: a line that was put in is one without which the next one
//! follows. So the last break is in doubt until then.

use std::collections::VecDeque;

use super::line;
use super::lines::Line;

/// What a line names as the one before it where it was not known what had been there.
pub(super) const UNKNOWN: &str = "unknown";
/// Lines of others that may have come in the same moment as one of ours.
const MOMENT: usize = 64;
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

/// What is known before a line.
#[derive(Debug, Clone)]
struct State {
    /// Of the last line of ours.
    seq: u64,
    at: At,
    /// The digest of that line, or all that is known of what came before the first.
    own: String,
    /// Since then: what is folded, and the digest of each line by itself.
    behind: VecDeque<(String, String)>,
    /// So many lines of others since then.
    count: u64,
    /// The last of them.
    last: At,
}

impl State {
    fn after(seq: u64, at: At, digest: String) -> State {
        State { seq, at, own: digest, behind: VecDeque::new(), count: 0, last: at }
    }

    fn fold(&self) -> &str {
        self.behind.back().map_or(self.own.as_str(), |(fold, _)| fold.as_str())
    }

    fn other(&mut self, at: At, digest: &str) {
        let fold = fold(self.fold(), digest);
        self.behind.push_back((fold, digest.to_owned()));
        if self.behind.len() > MOMENT {
            self.behind.pop_front();
        }
        self.count = self.count.saturating_add(1);
        self.last = at;
    }

    /// How many lines of others a line does not hold that names this one; none where it names nothing of this.
    fn unheld(&self, prev: &str) -> Option<u64> {
        let place = self.behind.iter().rposition(|(fold, _)| fold == prev);
        let behind = |place: usize| u64::try_from(self.behind.len() - place - 1).unwrap_or(0);
        if let Some(place) = place {
            return Some(behind(place));
        }
        if self.own == prev {
            return Some(self.count);
        }
        // As lines named the one before them once, which holds that one alone.
        let alone = self.behind.iter().rposition(|(_, digest)| digest == prev);
        alone.map(|_| self.count.saturating_sub(1))
    }
}

/// A line of ours.
#[derive(Debug)]
struct Own<'a> {
    seq: u64,
    prev: &'a str,
    at: At,
    digest: &'a str,
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
    /// Lines of others that no line of ours holds.
    pub(super) unheld: u64,
    found: Vec<Found>,
    pub(super) breaks: u64,
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
            unheld: 0,
            found: Vec::new(),
            breaks: 0,
        }
    }

    /// Goes on in a file of this number.
    pub(super) fn enter(&mut self, file: usize) {
        self.at = At { file, line: 0 };
    }

    /// Where the lines end that were followed.
    pub(super) fn head(&self) -> Head {
        Head { seq: self.state.seq, digest: self.state.fold().to_owned() }
    }

    /// The last line of ours, where it was seen: its place and digest.
    pub(super) fn last(&self) -> Option<(At, &str)> {
        self.is_seen.then_some((self.state.at, self.state.own.as_str()))
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
        let own = line.text.and_then(line::read).and_then(|read| Some((read.seq?, read.prev)));
        if let Some((seq, prev)) = own {
            return self.own(&Own { seq, prev: &prev, at, digest: &line.digest });
        }
        if line.text.is_none() {
            let (what, digest) = (Break::Long(line.bytes), line.digest.clone());
            self.tell(Found { at, seq: self.state.seq, what, by: at, digest });
        }
        self.others += 1;
        self.state.other(at, &line.digest);
        if let Some(doubt) = &mut self.doubt {
            doubt.without.other(at, &line.digest);
        }
    }

    fn own(&mut self, line: &Own<'_>) {
        self.ours += 1;
        let mut wrong = wrong(&self.state, line);
        if let Some(doubt) = self.doubt.take()
            && wrong.is_some()
            && self::wrong(&doubt.without, line).is_none()
        {
            // It follows where the line in doubt does not belong there, so that is what is wrong.
            if let Some(found) = doubt.told.and_then(|told| self.found.get_mut(told)) {
                (found.at, found.seq, found.what) = (found.by, doubt.seq, Break::Inserted);
            }
            self.state = doubt.without;
            self.ours -= 1;
            self.others += 1;
            wrong = None;
        }
        let mut seq = line.seq;
        if let Some((at, what)) = wrong {
            let mut without = self.state.clone();
            without.other(line.at, line.digest);
            if what == Break::Changed(line.at) && at == line.at {
                seq = self.state.seq.saturating_add(1);
            }
            let told = if self.is_told(line, &what) {
                None
            } else {
                // The line that is named is that of this number.
                let seq = if at == line.at { seq } else { self.state.seq };
                self.tell(Found { at, seq, what, by: line.at, digest: line.digest.to_owned() })
            };
            self.doubt = Some(Doubt { without, told, seq: line.seq });
        }
        self.unheld += self.state.unheld(line.prev).unwrap_or(0);
        self.state = State::after(seq, line.at, line.digest.to_owned());
        self.is_seen = true;
    }

    /// Whether a break before it shows it already.
    fn is_told(&mut self, line: &Own<'_>, what: &Break) -> bool {
        let own = self.state.at;
        match (what, self.found.last_mut()) {
            // A line that was changed fits neither the one before it nor the one behind it.
            (Break::Changed(until), Some(Found { what: Break::Changed(last), by, .. })) if *by == own => {
                *last = (*until).max(*last);
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

/// What is wrong with a line of ours, and from where on.
fn wrong(state: &State, line: &Own<'_>) -> Option<(At, Break)> {
    let fits = state.unheld(line.prev).is_some();
    let next = state.seq.checked_add(1);
    if line.prev == UNKNOWN {
        return Some((line.at, Break::Unknown));
    }
    if next == Some(line.seq) {
        let between = if state.at.line > 0 { (state.at, state.last) } else { (line.at, line.at) };
        return (!fits).then_some((between.0, Break::Changed(between.1)));
    }
    if fits && state.at.line > 0 {
        // It follows that line, and its number does not.
        return Some((line.at, Break::Changed(line.at)));
    }
    let missing = Break::Missing(next.unwrap_or(line.seq), line.seq.saturating_sub(1));
    Some((line.at, if line.seq <= state.seq { Break::Again } else { missing }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Event, Severity};

    /// Ten lines: 1 2 o o 3 4 5 o 6 7, of which those with o are of somebody else.
    fn lines() -> Vec<String> {
        let (mut lines, mut head) = (Vec::new(), Head::default());
        for n in 0..10 {
            let text = if [2, 3, 7].contains(&n) {
                let text = format!(r#"{{"type":"PAGE","n":{n}}}"#);
                head.digest = fold(&head.digest, &line::digest(text.as_bytes()));
                text
            } else {
                let event = Event {
                    kind: "TEST".to_owned(),
                    severity: Severity::Low,
                    details: serde_json::json!({ "n": n }),
                    ip: None,
                    session: None,
                };
                let text = line::line(&event, "now", head.seq + 1, &head.digest).unwrap_or_default();
                let text = text.trim_end().to_owned();
                head = Head { seq: head.seq + 1, digest: line::digest(text.as_bytes()) };
                text
            };
            lines.push(text);
        }
        lines
    }

    fn follow<'a>(lines: impl IntoIterator<Item = &'a String>, head: &Head) -> Chain {
        let mut chain = Chain::from(head);
        for text in lines {
            let text = text.as_bytes();
            chain.next(&Line { text: Some(text), digest: line::digest(text), bytes: 0, has_end: true });
        }
        chain
    }

    /// The first line that is named, the number of the event, and what is wrong.
    fn told(chain: &Chain) -> Vec<(u64, u64, Break)> {
        chain.found().iter().map(|found| (found.at.line, found.seq, found.what.clone())).collect()
    }

    #[test]
    fn lines_that_nobody_touched_follow_each_other_wherever_one_begins() {
        let lines = lines();
        let mut head = Head::default();
        for (at, text) in lines.iter().enumerate() {
            let chain = follow(&lines[at..], &head);
            assert_eq!((told(&chain), chain.unheld), (vec![], 0), "from line {at}");
            head = follow([text], &head).head();
        }
        let chain = follow(&lines, &Head::default());
        assert_eq!((chain.ours, chain.others, chain.head()), (7, 3, head));
        assert_eq!(
            chain.last().map(|(at, digest)| (at.line, digest.to_owned())),
            Some((10, line::digest(lines[9].as_bytes())))
        );
    }

    #[test]
    fn what_somebody_did_is_found_and_the_line_is_named() {
        let whole = lines();
        let order = |order: &[usize]| order.iter().map(|n| whole[*n].clone()).collect::<Vec<_>>();
        let edited = |n: usize, from: &str, to: &str| {
            let mut lines = whole.clone();
            assert!(lines[n].contains(from), "{}", lines[n]);
            lines[n] = lines[n].replacen(from, to, 1);
            lines
        };
        let with = |n: usize, text: &str| {
            let mut lines = whole.clone();
            lines.insert(n, text.to_owned());
            lines
        };
        let at = |line: u64| At { file: 0, line };
        let (changed, moved) = (|line: u64| Break::Changed(at(line)), |line: u64| Break::Moved(at(line)));
        let forged = whole[4].replace("\"seq\":3", "\"seq\":9223372036854775807");
        for (case, lines, expected) in [
            ("the first is gone", order(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), vec![(1, 2, Break::Missing(1, 1))]),
            ("one of ours is gone", order(&[0, 1, 2, 3, 4, 6, 7, 8, 9]), vec![(6, 5, Break::Missing(4, 4))]),
            ("two of ours are gone", order(&[0, 1, 2, 3, 6, 7, 8, 9]), vec![(5, 5, Break::Missing(3, 4))]),
            (
                "ours before others is gone",
                order(&[0, 2, 3, 4, 5, 6, 7, 8, 9]),
                vec![(4, 3, Break::Missing(2, 2))],
            ),
            ("the first of others is gone", order(&[0, 1, 3, 4, 5, 6, 7, 8, 9]), vec![(2, 2, changed(3))]),
            ("the last of others is gone", order(&[0, 1, 2, 4, 5, 6, 7, 8, 9]), vec![(2, 2, changed(3))]),
            ("all of others are gone", order(&[0, 1, 4, 5, 6, 7, 8, 9]), vec![(2, 2, changed(2))]),
            ("one of ours is edited", edited(5, "\"n\":5", "\"n\":6"), vec![(6, 4, changed(6))]),
            ("the first is edited", edited(0, "LOW", "INFO"), vec![(1, 1, changed(1))]),
            ("ours before others is edited", edited(1, "\"n\":1", "\"n\":2"), vec![(2, 2, changed(4))]),
            ("the first of others is edited", edited(2, "PAGE", "page"), vec![(2, 2, changed(4))]),
            ("the last of others is edited", edited(3, "PAGE", "page"), vec![(2, 2, changed(4))]),
            ("the number of one is edited", edited(5, "\"seq\":4", "\"seq\":8"), vec![(6, 4, changed(6))]),
            ("what one names is edited", edited(5, "\"prev\":\"", "\"prev\":\"0"), vec![(5, 3, changed(6))]),
            (
                "two are edited",
                edited(5, "\"n\":5", "\"n\":6")
                    .into_iter()
                    .enumerate()
                    .map(|(n, text)| if n == 6 { text.replace("\"n\":6", "\"n\":7") } else { text })
                    .collect(),
                vec![(6, 4, changed(8))],
            ),
            (
                "one is made one of others",
                edited(5, "\"seq\"", "\"sex\""),
                vec![(7, 5, Break::Missing(4, 4))],
            ),
            ("two of ours are swapped", order(&[0, 1, 2, 3, 5, 4, 6, 7, 8, 9]), vec![(5, 4, moved(6))]),
            ("two of others are swapped", order(&[0, 1, 3, 2, 4, 5, 6, 7, 8, 9]), vec![(2, 2, changed(4))]),
            ("one is there twice", order(&[0, 1, 2, 3, 4, 5, 4, 6, 7, 8, 9]), vec![(7, 3, Break::Inserted)]),
            (
                "one of before is put at the end",
                order(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 4]),
                vec![(11, 3, Break::Again)],
            ),
            (
                "one with a number without end is put in",
                with(6, &forged),
                vec![(7, 9_223_372_036_854_775_807, Break::Inserted)],
            ),
            ("one of others is put in", with(3, "{}"), vec![(2, 2, changed(5))]),
            (
                "one says that nobody knew",
                edited(5, &whole[5][whole[5].find("prev\":").unwrap()..], &format!("prev\":\"{UNKNOWN}\"}}")),
                vec![(6, 4, Break::Unknown), (6, 4, changed(6))],
            ),
        ] {
            assert_eq!(told(&follow(&lines, &Head::default())), expected, "{case}: {lines:#?}");
        }
    }

    #[test]
    fn a_line_that_came_in_the_same_moment_is_told_and_no_break() {
        let mut lines = lines();
        lines.insert(4, lines[2].replace("\"n\":2", "\"n\":9"));
        let chain = follow(&lines, &Head::default());
        assert_eq!((told(&chain), chain.unheld), (vec![], 1));
    }

    #[test]
    fn breaks_are_counted_and_not_all_told() {
        let lines: Vec<String> = (0..500).map(|n| format!(r#"{{"seq":{},"prev":"x"}}"#, n * 2 + 2)).collect();
        let chain = follow(&lines, &Head::default());
        assert_eq!((chain.found().len(), chain.breaks), (MAX_TOLD, 500));
    }
}
