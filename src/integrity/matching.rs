//! Which file of the baseline each file is that was found: by its path, else by what a rename leaves as it was.
//!
//! Pure. Apart from `compare`, which tells what is otherwise, as what has another name must be read before that can be told.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Entry, Kind, Known, is_within, order};

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

/// Matches both by path, and the rest by what has another name now. Both are in the order of paths. Of the baseline, only
/// what lies below some paths counts, where these are named: in order, none within another. What was removed must be meant.
pub(super) fn matched(
    observed: &[Entry],
    baseline: &[Entry],
    only: Option<&[Vec<u8>]>,
    is_meant: impl Fn(&Entry) -> bool,
) -> Matched {
    let mut all = by_path(observed, baseline, &below(baseline, only));
    all.removed.retain(|index| baseline.get(*index).is_some_and(&is_meant));
    all.moved = moved(observed, baseline, &all);
    let (targets, sources): (BTreeSet<usize>, BTreeSet<usize>) = all.moved.iter().copied().unzip();
    all.added.retain(|index| !targets.contains(index));
    all.removed.retain(|index| !sources.contains(index));
    all
}

/// The numbers of the entries that lie below some paths; of all where none are named. A few among many are found without
/// looking at the others.
fn below(baseline: &[Entry], only: Option<&[Vec<u8>]>) -> Vec<usize> {
    let Some(paths) = only else { return (0..baseline.len()).collect() };
    let mut all = Vec::new();
    for path in paths {
        let begin = baseline.partition_point(|entry| order(&entry.path, path).is_lt());
        let rest = baseline.get(begin..).unwrap_or_default();
        let count = rest.iter().take_while(|entry| is_within(&entry.path, path)).count();
        all.extend(begin..begin.saturating_add(count));
    }
    all
}

fn by_path(observed: &[Entry], baseline: &[Entry], numbers: &[usize]) -> Matched {
    let mut all = Matched::default();
    let mut theirs = numbers.iter().copied().peekable();
    let mut ours = 0;
    loop {
        let known = theirs.peek().and_then(|index| Some((*index, baseline.get(*index)?)));
        match (observed.get(ours), known) {
            (Some(found), Some((index, known))) if found.path == known.path => {
                all.pairs.push((ours, index));
                ours += 1;
                theirs.next();
            }
            (Some(found), Some((_, known))) if order(&found.path, &known.path).is_lt() => {
                all.added.push(ours);
                ours += 1;
            }
            (Some(_), None) => {
                all.added.push(ours);
                ours += 1;
            }
            (_, Some((index, _))) => {
                all.removed.push(index);
                theirs.next();
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

#[cfg(test)]
mod tests {
    use super::super::codec::tests::file;
    use super::*;

    /// Matching what lies below some paths says of it what matching everything does.
    #[test]
    fn a_part_is_matched_as_it_is_in_the_whole() {
        let paths = ["/a", "/a/b", "/a/b/c", "/a/d", "/a b", "/a.b", "/ab", "/b", "/b/c"];
        let baseline: Vec<Entry> = paths.iter().zip(1..).map(|(path, inode)| file(path, inode)).collect();
        let lies_below = |path: &[u8], only: &[Vec<u8>]| only.iter().any(|above| is_within(path, above));
        for bits in 0..1_usize << paths.len() {
            let observed: Vec<Entry> = baseline
                .iter()
                .enumerate()
                .filter(|(at, _)| bits >> at & 1 == 1)
                .map(|(_, it)| it.clone())
                .collect();
            for only in [&["/a"][..], &["/a/b"], &["/a/b/c", "/b"], &["/a.b"], &["/nothing"], &["/"], &[]] {
                let only: Vec<Vec<u8>> = only.iter().map(|path| path.as_bytes().to_vec()).collect();
                let part: Vec<Entry> =
                    observed.iter().filter(|entry| lies_below(&entry.path, &only)).cloned().collect();
                let found = matched(&part, &baseline, Some(&only), |_| true);
                let whole = matched(&observed, &baseline, None, |entry| lies_below(&entry.path, &only));
                assert_eq!(found.removed, whole.removed, "{bits} {only:?}");
                assert_eq!(found.pairs.len(), part.len(), "{bits} {only:?}");
                assert!(found.added.is_empty() && found.moved.is_empty(), "{bits} {only:?}");
            }
        }
    }
}
