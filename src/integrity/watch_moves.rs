//! What was found under another name: whatever happens to it there says something about the name that it had, too.
//!
//! Pure. A check of a few paths knows no others. Where a file was moved away and is now removed, only its new name is told of;
//! that it is missing under its old one, a check of the new name cannot say.

use std::collections::{BTreeMap, BTreeSet};

use super::model::is_within;
use super::names;
use crate::report::IntegrityFinding;

/// More are not remembered, but everything is looked at.
const MOST: usize = 10_000;

/// Names that something has, with those that it had.
#[derive(Debug, Default)]
pub(super) struct Moves(BTreeMap<Vec<u8>, Vec<u8>>);

impl Moves {
    /// Whether these are all.
    pub(super) fn is_complete(&self) -> bool {
        self.0.len() < MOST
    }

    /// To some paths, the other names of what lies there.
    pub(super) fn add_to(&self, paths: &mut BTreeSet<Vec<u8>>) {
        let mut more: BTreeSet<Vec<u8>> = BTreeSet::new();
        for (to, from) in &self.0 {
            let is_meant = |name: &[u8]| paths.iter().any(|path| is_within(name, path));
            match (is_meant(to), is_meant(from)) {
                (true, false) => drop(more.insert(from.clone())),
                (false, true) => drop(more.insert(to.clone())),
                (true, true) | (false, false) => {}
            }
        }
        paths.append(&mut more);
    }

    /// A check of some paths, or of everything, found these.
    pub(super) fn learn(&mut self, only: Option<&BTreeSet<Vec<u8>>>, findings: &[IntegrityFinding]) {
        match only {
            None => self.0.clear(),
            Some(paths) => self.0.retain(|to, _| !paths.iter().any(|path| is_within(to, path))),
        }
        for finding in findings {
            let Some(from) = &finding.from else { continue };
            if self.is_complete() {
                let to = names::exact(&finding.path, finding.path_b64.as_deref());
                self.0.insert(to, names::exact(from, finding.from_b64.as_deref()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::finding;
    use super::*;
    use crate::report::FindingKind;

    fn moved(to: &[u8], from: &[u8]) -> IntegrityFinding {
        finding(FindingKind::Moved, to, Some(from), Vec::new(), None)
    }

    fn added(moves: &Moves, paths: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut all: BTreeSet<Vec<u8>> = paths.iter().map(|path| path.to_vec()).collect();
        moves.add_to(&mut all);
        all.into_iter().collect()
    }

    #[test]
    fn both_names_are_looked_at_as_long_as_there_are_two() {
        let mut moves = Moves::default();
        moves.learn(None, &[moved(b"/w/b/x\xff", b"/w/a/x\xff"), moved(b"/w/c", b"/w/d")]);
        assert_eq!(added(&moves, &[b"/w/b"]), [&b"/w/a/x\xff"[..], b"/w/b"]);
        assert_eq!(added(&moves, &[b"/w/a/x\xff"]), [&b"/w/a/x\xff"[..], b"/w/b/x\xff"]);
        assert_eq!(added(&moves, &[b"/w/e"]), [b"/w/e"]);
        assert_eq!(added(&moves, &[b"/w"]), [b"/w"]);
        // A check of it found it no more.
        moves.learn(Some(&BTreeSet::from([b"/w/b".to_vec()])), &[]);
        assert_eq!(added(&moves, &[b"/w/b"]), [b"/w/b"]);
        assert_eq!(added(&moves, &[b"/w/c"]), [b"/w/c", b"/w/d"]);
        moves.learn(None, &[]);
        assert_eq!(added(&moves, &[b"/w/c"]), [b"/w/c"]);
    }
}
