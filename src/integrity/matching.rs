//! Which file of the baseline each file is that was found: by its path, else by what a rename leaves as it was.
//!
//! Pure. Apart from `compare`, which tells what is otherwise, as what has another name must be read before that can be told.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Entry, Kind, Known, order};

/// What an entry of the baseline has become, and what was found.
#[derive(Debug, Default)]
pub(super) struct Matched {
    /// Numbers of the observed entry and of that in the baseline.
    pub(super) pairs: Vec<(usize, usize)>,
    /// The same of what has another name now.
    pub(super) moved: Vec<(usize, usize)>,
    /// Observed and not in the baseline.
    pub(super) added: Vec<usize>,
    /// In the baseline and not observed.
    pub(super) removed: Vec<usize>,
}

impl Matched {
    /// What is in both, under whatever name, in the order of observed entries.
    pub(super) fn known(&self) -> Vec<(usize, usize)> {
        let mut all: Vec<(usize, usize)> = self.pairs.iter().chain(&self.moved).copied().collect();
        all.sort_unstable();
        all
    }
}

/// Matches both by path, and the rest by what has another name now. Both are in the order of paths. Of the baseline's,
/// only what is meant can be gone.
pub(super) fn matched(observed: &[Entry], baseline: &[Entry], is_meant: impl Fn(&Entry) -> bool) -> Matched {
    let mut all = by_path(observed, baseline);
    all.removed.retain(|index| baseline.get(*index).is_some_and(&is_meant));
    all.moved = moved(observed, baseline, &all);
    let (targets, sources): (BTreeSet<usize>, BTreeSet<usize>) = all.moved.iter().copied().unzip();
    all.added.retain(|index| !targets.contains(index));
    all.removed.retain(|index| !sources.contains(index));
    all
}

fn by_path(observed: &[Entry], baseline: &[Entry]) -> Matched {
    let mut all = Matched::default();
    let (mut ours, mut theirs) = (0, 0);
    loop {
        match (observed.get(ours), baseline.get(theirs)) {
            (Some(found), Some(known)) if found.path == known.path => {
                all.pairs.push((ours, theirs));
                (ours, theirs) = (ours + 1, theirs + 1);
            }
            (Some(found), Some(known)) if order(&found.path, &known.path).is_lt() => {
                all.added.push(ours);
                ours += 1;
            }
            (Some(_), None) => {
                all.added.push(ours);
                ours += 1;
            }
            (_, Some(_)) => {
                all.removed.push(theirs);
                theirs += 1;
            }
            (None, None) => return all,
        }
    }
}

/// What has another name now: which observed entry, and which of the baseline.
///
/// Inodes are used again, so that a new file may have that of a removed one; what has the same modification time, too, was
/// not made since.
fn moved(observed: &[Entry], baseline: &[Entry], matched: &Matched) -> Vec<(usize, usize)> {
    let mut gone: BTreeMap<(u64, u8), Vec<usize>> = BTreeMap::new();
    for index in matched.removed.iter().rev() {
        let Some(entry) = baseline.get(*index).filter(|entry| entry.known == Known::All) else {
            continue;
        };
        gone.entry((entry.stat.inode, entry.stat.kind.number())).or_default().push(*index);
    }
    let mut all = Vec::new();
    for index in &matched.added {
        let Some(now) = observed.get(*index) else { continue };
        let Some(candidates) = gone.get_mut(&(now.stat.inode, now.stat.kind.number())) else { continue };
        let fits = |before: &Entry| {
            let is_same_size = now.stat.kind == Kind::Directory || before.stat.size == now.stat.size;
            before.stat.mtime == now.stat.mtime && is_same_size
        };
        let place = candidates.iter().rposition(|index| baseline.get(*index).is_some_and(fits));
        if let Some(place) = place {
            all.push((*index, candidates.remove(place)));
        }
    }
    all
}
