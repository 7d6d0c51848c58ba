//! What is otherwise than it was accepted: a baseline and what was found, to findings.
//!
//! Pure. Each kind of file has attributes that say nothing: a directory's times and size change with what is in it, which
//! has findings of its own; a pipe's with what goes through it.

use std::collections::{BTreeMap, BTreeSet};

use super::attributes::{self, Fate};
use super::model::{Entry, Kind, Known, Look, Problem, ProblemKind, Stat, order};
use super::names;
use super::seen::{Same, Verdict};
use super::severity;
use crate::report::{FindingKind, IntegrityFinding};

/// What an entry of the baseline has become, and what was found.
#[derive(Debug, Default)]
pub(super) struct Matched {
    /// Numbers of the observed entry and of that in the baseline.
    pub(super) pairs: Vec<(usize, usize)>,
    /// Observed and not in the baseline.
    pub(super) added: Vec<usize>,
    /// In the baseline and not observed.
    pub(super) removed: Vec<usize>,
}

/// Matches both by path. Both are in the order of paths.
pub(super) fn matched(observed: &[Entry], baseline: &[Entry]) -> Matched {
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

/// Whether reading a file can say something: its content could be what it was, or its extended attributes are compared,
/// which are looked at with it.
pub(super) fn is_to_be_read(found: &Entry, known: &Entry) -> bool {
    let is_open = known.stat.size == found.stat.size || known.xattrs.is_some();
    found.has_content() && known.content.is_some() && is_open
}

/// What was found, to be told.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) observed: &'a [Entry],
    pub(super) baseline: &'a [Entry],
    pub(super) matched: &'a Matched,
    /// Of each observed entry, what is known of its content.
    pub(super) verdicts: &'a [Option<Verdict>],
    pub(super) problems: &'a [Problem],
}

/// The findings, in the order of paths.
pub(super) fn findings(found: &Found<'_>) -> Vec<IntegrityFinding> {
    let mut all: Vec<(Vec<u8>, IntegrityFinding)> = Vec::new();
    for (ours, theirs) in &found.matched.pairs {
        let (Some(now), Some(before)) = (found.observed.get(*ours), found.baseline.get(*theirs)) else {
            continue;
        };
        let verdict = found.verdicts.get(*ours).copied().flatten().unwrap_or(Verdict::UNKNOWN);
        let changes = changes(before, now, verdict);
        if !changes.is_empty() {
            all.push((now.path.clone(), attributes::finding(Fate::Modified(before, now), changes)));
        }
    }
    let moved = moved(found);
    let (sources, targets): (BTreeSet<usize>, BTreeSet<usize>) =
        moved.iter().map(|(theirs, ours)| (*theirs, *ours)).unzip();
    for (theirs, ours) in moved {
        let (Some(now), Some(before)) = (found.observed.get(ours), found.baseline.get(theirs)) else {
            continue;
        };
        // Renaming changes that itself.
        let mut changes = changes(before, now, Verdict::UNKNOWN);
        changes.retain(|change| change != "ctime");
        all.push((now.path.clone(), attributes::finding(Fate::Moved(before, now), changes)));
    }
    for now in found.matched.added.iter().filter(|index| !targets.contains(index)) {
        let Some(now) = found.observed.get(*now) else { continue };
        all.push((now.path.clone(), attributes::finding(Fate::Added(now), Vec::new())));
    }
    // What cannot be looked at need not be gone.
    let unseen: BTreeSet<&[u8]> = found.problems.iter().map(|problem| problem.path.as_slice()).collect();
    for before in found.matched.removed.iter().filter(|index| !sources.contains(index)) {
        let Some(before) = found.baseline.get(*before) else { continue };
        if !is_below_any(&before.path, &unseen) {
            all.push((before.path.clone(), attributes::finding(Fate::Removed(before), Vec::new())));
        }
    }
    for problem in found.problems {
        let kind = match problem.kind {
            ProblemKind::Unreadable => FindingKind::Unreadable,
            ProblemKind::Unstable => FindingKind::Unstable,
        };
        let one = finding(kind, &problem.path, None, Vec::new(), Some(problem.reason.clone()));
        all.push((problem.path.clone(), one));
    }
    all.sort_by(|(left, _), (right, _)| order(left, right));
    all.into_iter().map(|(_, finding)| finding).collect()
}

fn is_below_any(path: &[u8], unseen: &BTreeSet<&[u8]>) -> bool {
    if unseen.is_empty() {
        return false;
    }
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at.max(1));
    ends.chain([path.len()]).filter_map(|end| path.get(..end)).any(|above| unseen.contains(above))
}

/// What has another name now: which entry of the baseline, and which observed.
///
/// Inodes are used again, so that a new file may have that of a removed one; what has the same modification time, too, was
/// not made since.
fn moved(found: &Found<'_>) -> Vec<(usize, usize)> {
    let mut gone: BTreeMap<(u64, u8), Vec<usize>> = BTreeMap::new();
    for index in found.matched.removed.iter().rev() {
        let Some(entry) = found.baseline.get(*index).filter(|entry| entry.known == Known::All) else {
            continue;
        };
        gone.entry((entry.stat.inode, entry.stat.kind.number())).or_default().push(*index);
    }
    let mut all = Vec::new();
    for index in &found.matched.added {
        let Some(now) = found.observed.get(*index) else { continue };
        let Some(candidates) = gone.get_mut(&(now.stat.inode, now.stat.kind.number())) else { continue };
        let fits = |before: &Entry| {
            let is_same_size = now.stat.kind == Kind::Directory || before.stat.size == now.stat.size;
            before.stat.mtime == now.stat.mtime && is_same_size
        };
        let place = candidates.iter().rposition(|index| found.baseline.get(*index).is_some_and(fits));
        if let Some(place) = place {
            all.push((candidates.remove(place), *index));
        }
    }
    all
}

/// Which attributes changed.
pub(super) fn changes(before: &Entry, now: &Entry, verdict: Verdict) -> Vec<String> {
    let (was, is) = (&before.stat, &now.stat);
    let mut all: Vec<&str> = Vec::new();
    let mut note = |is_changed: bool, name: &'static str| {
        if is_changed {
            all.push(name);
        }
    };
    note(was.kind != is.kind, "type");
    note(was.mode != is.mode && before.known == Known::All || was.mode & 0o777 != is.mode & 0o777, "mode");
    let content = verdict.content == Same::No || before.content.is_some() && was.size != is.size;
    note(content && before.has_content() && now.has_content(), "content");
    note(verdict.xattrs == Same::No, "xattrs");
    if before.known == Known::Legacy {
        note(was.size != is.size, "size");
        note(was.mtime.seconds != is.mtime.seconds, "mtime");
        return owned(all);
    }
    note(was.uid != is.uid, "uid");
    note(was.gid != is.gid, "gid");
    note(was.is_mount != is.is_mount, "mount");
    note(before.target != now.target, "target");
    note(was.device != is.device, "device");
    if was.kind != is.kind {
        return owned(all);
    }
    let compared = compared(is.kind, before.look);
    note(compared.inode && was.inode != is.inode, "inode");
    note(compared.links && was.nlink != is.nlink, "nlink");
    note(compared.times && was.size != is.size, "size");
    note(compared.times && was.mtime != is.mtime, "mtime");
    note(compared.times && was.ctime != is.ctime, "ctime");
    let has_xattrs = is.kind == Kind::Directory && before.xattrs.is_some() && now.xattrs.is_some();
    note(has_xattrs && before.xattrs != now.xattrs, "xattrs");
    owned(all)
}

fn owned(names: Vec<&str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// Which attributes say something, beside type, owner, mode and where it leads.
struct Compared {
    inode: bool,
    links: bool,
    /// Size and times.
    times: bool,
}

fn compared(kind: Kind, look: Look) -> Compared {
    match (kind, look) {
        (Kind::File, Look::Whole) | (Kind::Symlink, _) => Compared { inode: true, links: true, times: true },
        (Kind::File, Look::Outside) => Compared { inode: true, links: true, times: false },
        (Kind::Directory, _) => Compared { inode: true, links: false, times: false },
        (Kind::Fifo | Kind::CharacterDevice | Kind::BlockDevice, _) => {
            Compared { inode: true, links: true, times: false }
        }
        // Whoever listens makes it anew each time it starts.
        (Kind::Socket, _) => Compared { inode: false, links: false, times: false },
    }
}

/// One finding.
pub(super) fn finding(
    kind: FindingKind,
    path: &[u8],
    from: Option<&[u8]>,
    changes: Vec<String>,
    reason: Option<String>,
) -> IntegrityFinding {
    let severity = severity::of(kind, path, from).word();
    let (shown, path_b64) = names::shown(path);
    let (from, from_b64) = from.map(names::shown).map_or((None, None), |(from, exact)| (Some(from), exact));
    let (before, after) = (None, None);
    IntegrityFinding { kind, path: shown, path_b64, from, from_b64, changes, before, after, severity, reason }
}

/// What an observed entry is after it was read.
pub(super) fn verdict(before: &Entry, content: &super::hash::Content) -> Verdict {
    let same = |is: bool| if is { Same::Yes } else { Same::No };
    Verdict {
        content: before.content.map_or(Same::Unknown, |known| same(known == content.content)),
        xattrs: match (before.xattrs, content.xattrs) {
            (Some(known), Some(found)) => same(known == found),
            _ => Same::Unknown,
        },
    }
}

/// What a file is that was looked at again.
pub(super) fn put(entry: &mut Entry, stat: Stat) {
    entry.stat = stat;
    if stat.kind != Kind::Symlink {
        entry.target = None;
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::file;
    use super::super::model::Stamp;
    use super::*;

    fn lines(
        baseline: &[Entry],
        observed: &[Entry],
        verdicts: &[Option<Verdict>],
        problems: &[Problem],
    ) -> String {
        let matched = matched(observed, baseline);
        let found = Found { observed, baseline, matched: &matched, verdicts, problems };
        let line = |finding: &IntegrityFinding| {
            let kind = serde_json::to_value(finding.kind).unwrap();
            let from = finding.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
            let changes = finding.changes.join(",");
            format!("{} {}{from} {changes} {}\n", kind.as_str().unwrap(), finding.path, finding.severity)
        };
        findings(&found).iter().map(line).collect()
    }

    fn with(path: &str, inode: u64, change: impl Fn(&mut Entry)) -> Entry {
        let mut entry = file(path, inode);
        change(&mut entry);
        entry
    }

    #[test]
    fn what_changed_is_told_and_nothing_else() {
        type Row = (&'static str, fn(&mut Entry), &'static str);
        let rows: [Row; 12] = [
            ("nothing", |_| {}, ""),
            ("mode", |entry| entry.stat.mode = 0o4755, "modified /w/a mode CRITICAL\n"),
            ("owner", |entry| (entry.stat.uid, entry.stat.gid) = (8, 9), "modified /w/a uid,gid LOW\n"),
            ("size", |entry| entry.stat.size = 11, "modified /w/a content,size LOW\n"),
            ("mtime", |entry| entry.stat.mtime.nanos = 6, "modified /w/a mtime LOW\n"),
            ("ctime", |entry| entry.stat.ctime.nanos = 6, "modified /w/a ctime LOW\n"),
            ("inode", |entry| entry.stat.inode = 6, "modified /w/a inode LOW\n"),
            ("links", |entry| entry.stat.nlink = 2, "modified /w/a nlink LOW\n"),
            ("mount", |entry| entry.stat.is_mount = true, "modified /w/a mount HIGH\n"),
            ("pipe", |entry| entry.stat.kind = Kind::Fifo, "modified /w/a type LOW\n"),
            (
                "symlink",
                |entry| (entry.stat.kind, entry.target) = (Kind::Symlink, Some(b"/x".to_vec())),
                "modified /w/a type,target LOW\n",
            ),
            ("read at another time", |entry| entry.read_at = 1, ""),
        ];
        for (name, change, expected) in rows {
            assert_eq!(
                lines(&[file("/w/a", 1)], &[with("/w/a", 1, change)], &[None], &[]),
                expected,
                "{name}"
            );
        }
        let different = Verdict { content: Same::No, xattrs: Same::No };
        let text = lines(&[file("/w/a", 1)], &[file("/w/a", 1)], &[Some(different)], &[]);
        assert_eq!(text, "modified /w/a content,xattrs HIGH\n");
    }

    #[test]
    fn what_says_nothing_is_not_compared() {
        let all = |entry: &mut Entry| {
            (entry.stat.size, entry.stat.mtime, entry.stat.ctime) = (99, Stamp::default(), Stamp::default());
        };
        for kind in [Kind::Directory, Kind::Fifo, Kind::CharacterDevice, Kind::BlockDevice, Kind::Socket] {
            let before = with("/w/a", 1, |entry| (entry.stat.kind, entry.content) = (kind, None));
            let mut now = before.clone();
            all(&mut now);
            assert_eq!(lines(&[before], &[now], &[None], &[]), "", "{kind:?}");
        }
        let before = with("/w/a.db", 1, |entry| (entry.look, entry.content) = (Look::Outside, None));
        let mut now = before.clone();
        all(&mut now);
        assert_eq!(lines(&[before], &[now], &[None], &[]), "");
        // Of what today's pages wrote, what they write.
        let legacy = with("/w/a", 0, |entry| {
            entry.known = Known::Legacy;
            (entry.stat.uid, entry.stat.nlink) = (0, 0);
            entry.stat.mtime.nanos = 0;
        });
        assert_eq!(lines(std::slice::from_ref(&legacy), &[file("/w/a", 5)], &[None], &[]), "");
        let now = with("/w/a", 5, |entry| (entry.stat.mode, entry.stat.mtime.seconds) = (0o666, 1));
        assert_eq!(lines(&[legacy], &[now], &[None], &[]), "modified /w/a mode,mtime HIGH\n");
    }

    #[test]
    fn what_is_new_gone_or_moved_is_told() {
        let before = [file("/w/a", 1), file("/w/b", 2), file("/w/c", 3), file("/w/data/e", 5)];
        let now =
            [file("/w/a", 1), with("/w/b2", 2, |entry| entry.stat.ctime.nanos = 9), file("/w/data/e.php", 5)];
        let text =
            "moved /w/b2 from /w/b  HIGH\nremoved /w/c  HIGH\nmoved /w/data/e.php from /w/data/e  CRITICAL\n";
        assert_eq!(lines(&before, &now, &[None; 3], &[]), text);
        // An inode that was used again.
        let now = [file("/w/a", 1), with("/w/new", 2, |entry| entry.stat.mtime.seconds += 1)];
        let text = lines(&before[..2], &now, &[None; 2], &[]);
        assert_eq!(text, "removed /w/b  HIGH\nadded /w/new  MEDIUM\n");
        // Two names of one file.
        let text =
            lines(&[file("/w/a", 1), file("/w/b", 1)], &[file("/w/c", 1), file("/w/d", 1)], &[None; 2], &[]);
        assert_eq!(text, "moved /w/c from /w/a  HIGH\nmoved /w/d from /w/b  HIGH\n");
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_called_gone() {
        let before = [file("/w/a", 1), file("/w/a/b", 2), file("/w/a/b/c", 3), file("/w/ab", 4)];
        let problem = |kind| Problem { path: b"/w/a".to_vec(), kind, reason: "why".to_owned() };
        let text = lines(&before, &before[..1], &[None], &[problem(ProblemKind::Unreadable)]);
        assert_eq!(text, "unreadable /w/a  MEDIUM\nremoved /w/ab  HIGH\n");
        let text = lines(&before[3..], &[], &[], &[problem(ProblemKind::Unstable)]);
        assert_eq!(text, "unstable /w/a  MEDIUM\nremoved /w/ab  HIGH\n");
    }
}
