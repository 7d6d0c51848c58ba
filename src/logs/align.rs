//! Which lines of a source an archive already has, told by content alone: for a log that is seen for the first time, or
//! whose place was lost.
//!
//! Pure. Identical lines are legitimate, so nothing is compared as a set. First one piece is looked for: the source
//! inside the archive, or its beginning at the archive's end (Knuth, Morris, Pratt 1977). Where there is none, lines
//! that occur once on both sides are anchors, in the longest order that both agree on (patience diff, Cohen 2003), and
//! what lies between two of them is matched from both ends, then by how often a line occurs. Lines of several writers may
//! lie in another order in the archive, so other lines that occur once on both sides count as well, with what is equal
//! around them.

use std::collections::HashMap;
use std::ops::Range;

/// From so many lines on a piece that both have is no accident.
const STRONG_LINES: usize = 8;
/// From so many bytes on, neither.
pub(crate) const STRONG_BYTES: u64 = 1024;

/// One line: its digest and its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// Half of it; two numbers, as one of that size would waste a third more memory.
    pub(crate) digest: [u64; 2],
    pub(crate) bytes: u64,
}

impl Line {
    pub(crate) fn of(digest: &[u8; 32], bytes: u64) -> Line {
        let number = |at: usize| {
            let part = digest.get(at..).and_then(<[u8]>::first_chunk::<8>);
            part.map_or(0, |part| u64::from_le_bytes(*part))
        };
        Line { digest: [number(0), number(8)], bytes }
    }
}

/// What is known of the source otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Nothing: a short piece that both have counts as well.
    Adopted,
    /// Nothing, but a short piece is an accident.
    Strong,
    /// It was read before, and what is there now came later: only what cannot be an accident was there before.
    Fresh,
}

/// How the two lie to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// The archive has all of the source.
    Contained,
    /// The source goes on where the archive ends.
    Overlap,
    /// Both have lines that the other lacks.
    Diverged,
    /// They have nothing in common.
    Apart,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alignment {
    pub(crate) relation: Relation,
    /// Whether it rests on so little that it may be an accident.
    pub(crate) weak: bool,
    /// Lines of the source that the archive lacks, in order.
    pub(crate) missing: Vec<Range<usize>>,
    /// Lines of the archive behind the last one that the source has as well.
    pub(crate) behind: usize,
}

/// Aligns a source with an archive.
pub(crate) fn align(archive: &[Line], source: &[Line], trust: Trust) -> Alignment {
    let all = 0..source.len();
    let apart =
        Alignment { relation: Relation::Apart, weak: false, missing: whole(&all), behind: archive.len() };
    if source.is_empty() || archive.is_empty() {
        return apart;
    }
    let (overlap, end) = piece(archive, source);
    let strong = is_strong(source.get(..overlap).unwrap_or_default());
    let contained = overlap == source.len();
    if contained && (strong || trust == Trust::Adopted) {
        let behind = archive.len() - end;
        return Alignment { relation: Relation::Contained, weak: !strong, missing: Vec::new(), behind };
    }
    if strong {
        let mut matched: Vec<bool> = (0..source.len()).map(|index| index < overlap).collect();
        if trust != Trust::Fresh {
            // What it was given by others it has in an order of its own.
            moved(archive, source, &mut matched);
        }
        return Alignment { relation: Relation::Overlap, weak: false, missing: missing(&matched), behind: 0 };
    }
    let (mut matched, mut last) = diverged(archive, source);
    if trust != Trust::Fresh {
        last = last.max(moved(archive, source, &mut matched));
    }
    let run = longest_run(source, &matched);
    if matched.iter().any(|m| *m) && (run || trust == Trust::Adopted) {
        return Alignment {
            relation: Relation::Diverged,
            weak: !run,
            missing: missing(&matched),
            behind: archive.len() - last,
        };
    }
    if overlap > 0 && trust == Trust::Adopted {
        let missing = whole(&(overlap..source.len()));
        return Alignment { relation: Relation::Overlap, weak: true, missing, behind: 0 };
    }
    apart
}

fn whole(range: &Range<usize>) -> Vec<Range<usize>> {
    if range.is_empty() { Vec::new() } else { vec![range.clone()] }
}

fn is_strong(lines: &[Line]) -> bool {
    lines.len() >= STRONG_LINES || lines.iter().map(|line| line.bytes).sum::<u64>() >= STRONG_BYTES
}

/// The whole source where the archive has it last, as its length and where it ends; else the longest beginning of the
/// source with which the archive ends.
fn piece(archive: &[Line], source: &[Line]) -> (usize, usize) {
    let at = |index: usize| source.get(index).map(|line| line.digest);
    // How long a beginning of the source ends at each of its lines.
    let mut border = vec![0_usize; source.len()];
    let mut length = 0;
    for index in 1..source.len() {
        while length > 0 && at(index) != at(length) {
            length = border.get(length - 1).copied().unwrap_or(0);
        }
        if at(index) == at(length) {
            length += 1;
        }
        if let Some(slot) = border.get_mut(index) {
            *slot = length;
        }
    }
    let (mut length, mut found) = (0, None);
    for (index, line) in archive.iter().enumerate() {
        if length == source.len() {
            length = border.get(length - 1).copied().unwrap_or(0);
        }
        while length > 0 && Some(line.digest) != at(length) {
            length = border.get(length - 1).copied().unwrap_or(0);
        }
        if Some(line.digest) == at(length) {
            length += 1;
        }
        if length == source.len() {
            found = Some(index + 1);
        }
    }
    found.map_or((length, archive.len()), |end| (source.len(), end))
}

/// Which lines of the source the archive has, and where in the archive the last of them ends.
fn diverged(archive: &[Line], source: &[Line]) -> (Vec<bool>, usize) {
    let mut matched = vec![false; source.len()];
    let mut last = 0;
    let anchors = anchors(archive, source);
    let (mut from_a, mut from_s) = (0, 0);
    let ends = anchors.iter().copied().chain([(archive.len(), source.len())]);
    for (to_a, to_s) in ends {
        let is_last = to_s == source.len();
        let (mut a, mut s) = (from_a, from_s);
        let same = |a: usize, s: usize| {
            archive.get(a).map(|line| line.digest) == source.get(s).map(|line| line.digest)
        };
        let mut hit = |s: usize| {
            if let Some(slot) = matched.get_mut(s) {
                *slot = true;
            }
        };
        // A beginning that has no anchor before it may be anything.
        while (from_s > 0 || anchors.is_empty()) && a < to_a && s < to_s && same(a, s) {
            hit(s);
            (a, s) = (a + 1, s + 1);
            last = last.max(a);
        }
        let (mut end_a, mut end_s) = (to_a, to_s);
        while !is_last && end_a > a && end_s > s && same(end_a - 1, end_s - 1) {
            (end_a, end_s) = (end_a - 1, end_s - 1);
            hit(end_s);
        }
        // Between two anchors order says no more; how often a line occurs does. Behind the last one a line that both
        // have may well be another one.
        if !is_last && from_s > 0 {
            let mut left: HashMap<[u64; 2], usize> = HashMap::new();
            for line in archive.get(a..end_a).unwrap_or_default() {
                *left.entry(line.digest).or_default() += 1;
            }
            for (index, line) in source.iter().enumerate().take(end_s).skip(s) {
                if let Some(count) = left.get_mut(&line.digest).filter(|count| **count > 0) {
                    *count -= 1;
                    hit(index);
                }
            }
        }
        if !is_last || anchors.last() == Some(&(to_a, to_s)) {
            hit(to_s);
            last = last.max(to_a + 1);
        }
        (from_a, from_s) = (to_a + 1, to_s + 1);
    }
    (matched, last.min(archive.len()))
}

/// Matches lines that occur once on both sides and are not matched yet, with what is equal next to them: blocks that
/// lie in another order. Returns where in the archive the last of them ends.
fn moved(archive: &[Line], source: &[Line], matched: &mut [bool]) -> usize {
    let mut last = 0;
    let same = |a: usize, s: usize| {
        let line = archive.get(a).map(|line| line.digest);
        line.is_some() && line == source.get(s).map(|line| line.digest)
    };
    let is_free = |matched: &[bool], s: usize| matched.get(s).is_some_and(|matched| !matched);
    for (a, s) in pairs(archive, source) {
        if !is_free(matched, s) {
            continue;
        }
        let mut before = 1;
        while s >= before && a >= before && is_free(matched, s - before) && same(a - before, s - before) {
            before += 1;
        }
        let mut after = 0;
        while is_free(matched, s + after) && same(a + after, s + after) {
            after += 1;
        }
        for index in s + 1 - before..s + after {
            if let Some(slot) = matched.get_mut(index) {
                *slot = true;
            }
        }
        last = last.max(a + after);
    }
    last
}

/// Lines that occur once on both sides, in the longest order that both agree on.
fn anchors(archive: &[Line], source: &[Line]) -> Vec<(usize, usize)> {
    longest_increasing(&pairs(archive, source))
}

/// Lines that occur once on both sides, in the order of the source.
fn pairs(archive: &[Line], source: &[Line]) -> Vec<(usize, usize)> {
    let mut seen: HashMap<[u64; 2], (usize, usize, usize, usize)> = HashMap::new();
    for (index, line) in source.iter().enumerate() {
        let entry = seen.entry(line.digest).or_default();
        (entry.0, entry.1) = (entry.0 + 1, index);
    }
    for (index, line) in archive.iter().enumerate() {
        if let Some(entry) = seen.get_mut(&line.digest) {
            (entry.2, entry.3) = (entry.2 + 1, index);
        }
    }
    let mut pairs: Vec<(usize, usize)> = seen
        .into_values()
        .filter(|entry| entry.0 == 1 && entry.2 == 1)
        .map(|entry| (entry.3, entry.1))
        .collect();
    pairs.sort_by_key(|pair| pair.1);
    pairs
}

/// The longest subsequence whose first members increase (Schensted 1961, by piles).
fn longest_increasing(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut piles: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let first = |index: &usize| pairs.get(*index).map_or(0, |pair| pair.0);
    for (index, pair) in pairs.iter().enumerate() {
        let pile = piles.partition_point(|top| first(top) < pair.0);
        before.push(pile.checked_sub(1).and_then(|below| piles.get(below).copied()));
        match piles.get_mut(pile) {
            Some(top) => *top = index,
            None => piles.push(index),
        }
    }
    let mut chain = Vec::with_capacity(piles.len());
    let mut next = piles.last().copied();
    while let Some(index) = next {
        chain.extend(pairs.get(index).copied());
        next = before.get(index).copied().flatten();
    }
    chain.reverse();
    chain
}

fn longest_run(source: &[Line], matched: &[bool]) -> bool {
    let mut from = 0;
    let runs = matched.split(|matched| !*matched).map(|run| {
        let range = from..from + run.len();
        from += run.len() + 1;
        range
    });
    runs.filter_map(|range| source.get(range)).any(is_strong)
}

fn missing(matched: &[bool]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (index, _) in matched.iter().enumerate().filter(|(_, matched)| !**matched) {
        match ranges.last_mut() {
            Some(range) if range.end == index => range.end += 1,
            _ => ranges.push(index..index + 1),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    fn lines(text: &str) -> Vec<Line> {
        text.chars().map(|c| Line { digest: [u64::from(u32::from(c)), 0], bytes: 1 }).collect()
    }

    #[test]
    fn how_two_lie_to_each_other() {
        use Relation::{Apart, Contained, Diverged, Overlap};
        let long = "abcdefghijkl";
        for (archive, source, trust, relation, weak, missing) in [
            ("", "abc", Trust::Adopted, Apart, false, "abc"),
            ("abc", "", Trust::Adopted, Apart, false, ""),
            ("abc", "abc", Trust::Adopted, Contained, true, ""),
            (long, long, Trust::Adopted, Contained, false, ""),
            ("xyabcdefghijz", "abcdefghij", Trust::Adopted, Contained, false, ""),
            ("xyabcdefghij", "abcdefghijklm", Trust::Adopted, Overlap, false, "klm"),
            ("xyab", "abc", Trust::Adopted, Diverged, true, "c"),
            ("xyll", "llo", Trust::Adopted, Overlap, true, "o"),
            // The source goes further back than the archive.
            ("cdefghijkl", "abcdefghijklm", Trust::Adopted, Diverged, false, "abm"),
            // A line was taken out of the archive by hand, another one put in.
            ("abcdefghZjkl", "abcdefghijklm", Trust::Adopted, Diverged, false, "im"),
            // Two sources in one archive.
            ("a1b2c3d4e5f6", "abcdef", Trust::Adopted, Diverged, true, ""),
            ("abc", "xyz", Trust::Adopted, Apart, false, "xyz"),
            // In another order.
            ("xabcdefghijyz", "ghijabcdefn", Trust::Adopted, Diverged, false, "n"),
            ("123abcdefghij", "abcdefghij123n", Trust::Adopted, Overlap, false, "n"),
            ("xabbcyz", "yabbcn", Trust::Adopted, Diverged, true, "n"),
            // Repeated lines keep their number.
            ("aaaaaaaaaa", "aaaaaaaaaaaaa", Trust::Adopted, Overlap, false, "aaa"),
            ("xaayaz", "xaaayaz", Trust::Adopted, Diverged, true, "a"),
            // What is known to be new is new, unless that cannot be.
            ("abcl", "labc", Trust::Fresh, Apart, false, "labc"),
            ("ll", "ll", Trust::Fresh, Apart, false, "ll"),
            ("xyabcdefghij", "abcdefghijklm", Trust::Fresh, Overlap, false, "klm"),
        ] {
            let (archive_lines, source_lines) = (lines(archive), lines(source));
            let found = align(&archive_lines, &source_lines, trust);
            let chars: Vec<char> = source.chars().collect();
            let text: String =
                found.missing.iter().flat_map(|range| chars.get(range.clone())).flatten().collect();
            assert_eq!(
                (found.relation, found.weak, text.as_str()),
                (relation, weak, missing),
                "{archive} {source}"
            );
        }
    }

    #[test]
    fn what_lies_behind_in_the_archive() {
        for (archive, source, behind) in [
            ("abcdefghijk", "abcdefgh", 3),
            ("abcdefgh", "abcdefghi", 0),
            ("abcdefghZ", "Yabcdefgh", 1),
            ("xy", "ab", 2),
        ] {
            assert_eq!(
                align(&lines(archive), &lines(source), Trust::Adopted).behind,
                behind,
                "{archive} {source}"
            );
        }
    }

    proptest! {
        // A source whose beginning was merged loses nothing that is new: lines are at most one of three, so that
        // repeats are everywhere, or all different.
        #[test]
        fn nothing_new_is_lost(
            old in prop::collection::vec(0_u32..40, 0..60),
            new in prop::collection::vec(0_u32..40, 0..20),
        ) {
            let archive: Vec<Line> = old.iter().map(|n| Line { digest: [u64::from(*n), 0], bytes: 200 }).collect();
            let mut source = archive.clone();
            source.extend(new.iter().map(|n| Line { digest: [u64::from(*n), 0], bytes: 200 }));
            let found = align(&archive, &source, Trust::Adopted);
            // Content alone may say that all of it was there twice already; else exactly the new lines are missing.
            let missing: usize = found.missing.iter().map(ExactSizeIterator::len).sum();
            if archive.len() >= 8 && found.relation == Relation::Overlap {
                prop_assert!(missing <= new.len());
            }
            let mut have: BTreeMap<[u64; 2], usize> = BTreeMap::new();
            for line in &archive { *have.entry(line.digest).or_default() += 1; }
            for range in &found.missing {
                for line in source.get(range.clone()).unwrap_or_default() {
                    *have.entry(line.digest).or_default() += 1;
                }
            }
            // As often as in the source, or more: never less.
            for line in &source {
                let wanted = source.iter().filter(|other| *other == line).count();
                prop_assert!(have.get(&line.digest).copied().unwrap_or(0) >= wanted);
            }
        }
    }
}
