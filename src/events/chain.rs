//! Whether lines of the event log follow each other, and what is wrong where they do not.
//!
//! Pure. Lines of ours name the digest of the line before and count up. Lines of others lie between them: the next line of
//! ours holds them as well, but for those that were written in the moment in which ours was.

use super::line;

/// A place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// The number of the last line of ours; 0 before the first.
    pub(super) seq: u64,
    /// The digest of the last line.
    pub(super) digest: String,
}

/// What is wrong at a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Break {
    /// So many lines of ours are missing before it.
    Missing(u64),
    /// It has a number that was there before.
    Again,
    /// What lies before it is not what was there when it was written.
    Changed,
}

/// Follows the lines of one file after the other.
#[derive(Debug)]
pub(super) struct Chain {
    /// None before the first line of ours, where nobody knows what was before.
    seq: Option<u64>,
    /// Digests of the last line of ours and of those of others behind it.
    before: Vec<String>,
    pub(super) ours: u64,
    pub(super) others: u64,
    /// Lines of others that no line of ours holds.
    pub(super) unheld: u64,
}

impl Chain {
    /// From a place on; from nowhere where that is not known, so that the first line is believed.
    pub(super) fn from(head: Option<&Head>) -> Chain {
        let seq = head.map(|head| head.seq);
        let before = head.map(|head| head.digest.clone()).into_iter().collect();
        Chain { seq, before, ours: 0, others: 0, unheld: 0 }
    }

    /// Where the lines end that were followed.
    pub(super) fn head(&self) -> Head {
        Head { seq: self.seq.unwrap_or(0), digest: self.before.last().cloned().unwrap_or_default() }
    }

    /// Passes over lines that cannot be read, up to where they are known to have ended.
    pub(super) fn go_on(&mut self, head: &Head) {
        self.seq = Some(head.seq);
        self.before = vec![head.digest.clone()];
    }

    /// The next line, without its newline.
    pub(super) fn next(&mut self, text: &[u8]) -> Option<Break> {
        let digest = line::digest(text);
        let Some((seq, prev)) = line::read(text).and_then(|read| Some((read.seq?, read.prev))) else {
            self.others += 1;
            self.before.push(digest);
            return None;
        };
        self.ours += 1;
        let found = match self.seq {
            None => None,
            Some(last) if seq <= last => Some(Break::Again),
            Some(last) if seq > last + 1 => Some(Break::Missing(seq - last - 1)),
            Some(_) if !self.before.is_empty() && !self.before.contains(&prev) => Some(Break::Changed),
            Some(_) => None,
        };
        let held = self.before.iter().position(|digest| *digest == prev);
        let behind = held.map_or(0, |held| self.before.len() - held - 1);
        self.unheld += u64::try_from(behind).unwrap_or(0);
        self.seq = Some(self.seq.unwrap_or(0).max(seq));
        self.before = vec![digest];
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Event, Severity};

    /// Six lines, of which the third and the fourth are of somebody else.
    fn lines() -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut seq = 0;
        for n in 0..6 {
            let prev = lines.last().map(|last| line::digest(last.as_bytes())).unwrap_or_default();
            if n == 2 || n == 3 {
                lines.push(format!("{{\"timestamp\":\"x\",\"type\":\"OLD\",\"n\":{n}}}"));
                continue;
            }
            seq += 1;
            let event = Event {
                kind: "TEST".to_owned(),
                severity: Severity::Info,
                details: serde_json::json!({ "n": n }),
                ip: None,
                session: None,
            };
            let line = line::line(&event, "now", seq, &prev).unwrap_or_default();
            lines.push(line.trim_end().to_owned());
        }
        lines
    }

    fn breaks(lines: &[String], from: Option<&Head>) -> (Vec<(usize, Break)>, Chain) {
        let mut chain = Chain::from(from);
        let found = lines.iter().enumerate();
        let found = found.filter_map(|(n, line)| Some((n, chain.next(line.as_bytes())?))).collect();
        (found, chain)
    }

    #[test]
    fn lines_that_nobody_touched_follow_each_other() {
        let lines = lines();
        let (found, chain) = breaks(&lines, Some(&Head::default()));
        assert_eq!((found, chain.ours, chain.others, chain.unheld), (vec![], 4, 2, 0));
        let head = chain.head();
        assert_eq!((head.seq, head.digest), (4, line::digest(lines[5].as_bytes())));
    }

    #[test]
    fn what_somebody_did_is_found() {
        let whole = lines();
        let without =
            |n: usize| whole.iter().enumerate().filter(|(at, _)| *at != n).map(|(_, l)| l.clone()).collect();
        let edited = |n: usize| {
            let mut lines = whole.clone();
            lines[n] = lines[n].replace("\"n\":", "\"n\": ");
            lines
        };
        let swapped: Vec<String> = [0, 1, 3, 2, 4, 5].map(|n| whole[n].clone()).to_vec();
        let again: Vec<String> = [0, 1, 1, 2, 3, 4, 5].map(|n| whole[n].clone()).to_vec();
        for (told, lines, expected) in [
            ("one of ours is gone", without(1), vec![(3, Break::Missing(1))]),
            ("the first is gone", without(0), vec![(0, Break::Missing(1))]),
            ("one of others is gone", without(3), vec![(3, Break::Changed)]),
            ("one of ours is edited", edited(0), vec![(1, Break::Changed)]),
            ("one of others is edited", edited(3), vec![(4, Break::Changed)]),
            ("one is there twice", again, vec![(2, Break::Again)]),
            // The last line that was there when ours was written is still there: no proof that somebody did it.
            ("two of others are swapped", swapped, vec![]),
        ] {
            assert_eq!(breaks(&lines, Some(&Head::default())).0, expected, "{told}");
        }
    }

    #[test]
    fn a_line_that_came_in_the_same_moment_is_told_and_no_break() {
        let mut lines = lines();
        let late = lines[2].replace("\"n\":2", "\"n\":9");
        lines.insert(5, late);
        let (found, chain) = breaks(&lines, Some(&Head::default()));
        assert_eq!((found, chain.unheld), (vec![], 1));
    }

    #[test]
    fn where_nobody_knows_what_was_before_the_first_line_is_believed() {
        assert_eq!(breaks(&lines()[1..], None).0, vec![]);
    }
}
