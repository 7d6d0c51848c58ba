//! What is otherwise than it was accepted: a baseline and what was found, matched, to findings.
//!
//! Pure. Each kind of file has attributes that say nothing: a directory's times and size change with what is in it, which
//! has findings of its own; a pipe's with what goes through it.

use std::collections::BTreeSet;

use super::attributes::{self, Fate};
use super::matching::Matched;
use super::model::{Digest, Entry, Kind, Known, Look, Problem, ProblemKind, Stat, order};
use super::names;
use super::scope::parent;
use super::seen::{Same, Verdict};
use super::severity;
use crate::report::{FindingKind, IntegrityFinding};

/// Whether reading a file can say something: its content could be what it was, its extended attributes are compared, which
/// are looked at with it, or nobody knows what it was.
pub(super) fn is_to_be_read(found: &Entry, known: &Entry) -> bool {
    let is_open = known.stat.size == found.stat.size || known.xattrs.is_some() || known.content.is_none();
    found.has_content() && known.stat.kind == Kind::File && is_open
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

impl Found<'_> {
    fn verdict(&self, ours: usize) -> Verdict {
        self.verdicts.get(ours).copied().flatten().unwrap_or(Verdict::UNKNOWN)
    }
}

/// The findings, in the order of paths.
pub(super) fn findings(found: &Found<'_>) -> Vec<IntegrityFinding> {
    let mut all: Vec<(Vec<u8>, IntegrityFinding)> = Vec::new();
    for (ours, theirs) in &found.matched.pairs {
        let (Some(now), Some(before)) = (found.observed.get(*ours), found.baseline.get(*theirs)) else {
            continue;
        };
        let changes = changes(before, now, found.verdict(*ours));
        if !changes.is_empty() {
            all.push((now.path.clone(), modified(before, now, changes)));
        }
    }
    for (ours, theirs) in &found.matched.moved {
        let (Some(now), Some(before)) = (found.observed.get(*ours), found.baseline.get(*theirs)) else {
            continue;
        };
        all.push((now.path.clone(), attributes::finding(Fate::Moved(before, now), Vec::new())));
        // Renaming changes that itself; everything else was changed beside.
        let mut changes = changes(before, now, found.verdict(*ours));
        changes.retain(|change| change != "ctime");
        if !changes.is_empty() {
            all.push((now.path.clone(), modified(before, now, changes)));
        }
    }
    let has_closed = found.baseline.iter().any(|entry| entry.look == Look::Closed);
    for now in &found.matched.added {
        let Some(now) = found.observed.get(*now) else { continue };
        let is_below_closed = has_closed && is_below_closed(&now.path, found.baseline);
        let mut one = attributes::finding(Fate::Added(now), Vec::new());
        one.reason = is_below_closed.then(|| {
            "its directory could not be looked into when the baseline was made, so that nobody knows whether it was there"
                .to_owned()
        });
        all.push((now.path.clone(), one));
    }
    // What cannot be looked at need not be gone.
    let unseen: BTreeSet<&[u8]> = found.problems.iter().map(|problem| problem.path.as_slice()).collect();
    for before in &found.matched.removed {
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

/// What was changed in a file; with a word where nobody knows what was in it.
fn modified(before: &Entry, now: &Entry, changes: Vec<String>) -> IntegrityFinding {
    let is_content = changes.iter().any(|change| change == "content");
    let mut one = attributes::finding(Fate::Modified(before, now), changes);
    one.reason = (is_content && before.content.is_none()).then(|| {
        match before.look {
            Look::Outside => "its content was left out when the baseline was made",
            Look::Whole | Look::Closed => {
                "it could not be read when the baseline was made, so that nobody knows what was in it"
            }
        }
        .to_owned()
    });
    one
}

/// Whether a new path lies in a directory that could not be looked into when it was accepted.
fn is_below_closed(path: &[u8], baseline: &[Entry]) -> bool {
    let mut above = parent(path);
    loop {
        if let Ok(index) = baseline.binary_search_by(|entry| order(&entry.path, above)) {
            return baseline.get(index).is_some_and(|entry| entry.look == Look::Closed);
        }
        if above == b"/" {
            return false;
        }
        above = parent(above);
    }
}

fn is_below_any(path: &[u8], unseen: &BTreeSet<&[u8]>) -> bool {
    if unseen.is_empty() {
        return false;
    }
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at.max(1));
    ends.chain([path.len()]).filter_map(|end| path.get(..end)).any(|above| unseen.contains(above))
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
    note(content && before.stat.kind == Kind::File && now.has_content(), "content");
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
        (Kind::File, Look::Whole | Look::Closed) | (Kind::Symlink, _) => {
            Compared { inode: true, links: true, times: true }
        }
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

/// What an observed entry is whose content and extended attributes are known. Content that nobody knew is not what was
/// accepted.
pub(super) fn verdict(before: &Entry, content: Option<Digest>, xattrs: Option<Digest>) -> Verdict {
    let same = |is: bool| if is { Same::Yes } else { Same::No };
    Verdict {
        content: content.map_or(Same::Unknown, |found| same(before.content == Some(found))),
        xattrs: match (before.xattrs, xattrs) {
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
    use super::super::matching::matched;
    use super::super::model::Stamp;
    use super::*;

    fn lines(
        baseline: &[Entry],
        observed: &[Entry],
        verdicts: &[Option<Verdict>],
        problems: &[Problem],
    ) -> String {
        let matched = matched(observed, baseline, None, |_| true);
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
    fn what_was_changed_beside_its_name_is_told_beside_it() {
        type Row = (&'static str, fn(&mut Entry), Verdict, &'static str, &'static str);
        let same = Verdict { content: Same::Yes, xattrs: Same::Yes };
        let other = |content, xattrs| Verdict { content, xattrs };
        let rows: [Row; 8] = [
            ("nothing", |_| {}, same, "", ""),
            ("content", |_| {}, other(Same::No, Same::Yes), "content", "LOW"),
            ("extended attributes", |_| {}, other(Same::Yes, Same::No), "xattrs", "HIGH"),
            ("mode", |entry| entry.stat.mode = 0o4755, same, "mode", "CRITICAL"),
            ("owner", |entry| (entry.stat.uid, entry.stat.gid) = (8, 9), same, "uid,gid", "LOW"),
            ("links", |entry| entry.stat.nlink = 2, same, "nlink", "LOW"),
            (
                "mode and content",
                |entry| entry.stat.mode = 0o600,
                other(Same::No, Same::Yes),
                "mode,content",
                "LOW",
            ),
            ("not read", |_| {}, Verdict::UNKNOWN, "", ""),
        ];
        for (name, change, verdict, changes, severity) in rows {
            let now = with("/w/b", 1, |entry| {
                entry.stat.ctime.nanos = 9;
                change(entry);
            });
            let beside = if changes.is_empty() {
                String::new()
            } else {
                format!("modified /w/b {changes} {severity}\n")
            };
            assert_eq!(
                lines(&[file("/w/a", 1)], &[now], &[Some(verdict)], &[]),
                format!("moved /w/b from /w/a  HIGH\n{beside}"),
                "{name}"
            );
        }
    }

    #[test]
    fn what_nobody_knew_is_not_what_was_accepted() {
        let reasons = |baseline: &[Entry], observed: &[Entry], verdicts: &[Option<Verdict>]| {
            let matched = matched(observed, baseline, None, |_| true);
            let found = Found { observed, baseline, matched: &matched, verdicts, problems: &[] };
            let all = findings(&found).into_iter();
            all.map(|finding| (finding.path, finding.reason.is_some())).collect::<Vec<_>>()
        };
        let unread = with("/w/a", 1, |entry| entry.content = None);
        assert!(is_to_be_read(&file("/w/a", 1), &unread));
        let read = verdict(&unread, Some([7; 32]), None);
        assert_eq!(read, Verdict { content: Same::No, xattrs: Same::Unknown });
        let baseline = std::slice::from_ref(&unread);
        assert_eq!(reasons(baseline, baseline, &[Some(read)]), [("/w/a".to_owned(), true)]);
        assert_eq!(reasons(baseline, baseline, &[None]), []);
        // What another one knew has no such word.
        let different = Some(Verdict { content: Same::No, xattrs: Same::Yes });
        let known = [file("/w/a", 1)];
        assert_eq!(reasons(&known, &known, &[different]), [("/w/a".to_owned(), false)]);
        // In a directory that could not be looked into, and beside it.
        let directory = |path: &str, look| {
            with(path, 9, |entry| {
                (entry.stat.kind, entry.look, entry.content) = (Kind::Directory, look, None)
            })
        };
        let before = [directory("/w", Look::Whole), directory("/w/closed", Look::Closed)];
        let now = [
            directory("/w", Look::Whole),
            file("/w/beside", 2),
            directory("/w/closed", Look::Whole),
            with("/w/closed/d", 3, |entry| entry.stat.kind = Kind::Directory),
            file("/w/closed/d/e", 4),
        ];
        let expected = [("/w/beside", false), ("/w/closed/d", true), ("/w/closed/d/e", true)];
        assert_eq!(
            reasons(&before, &now, &[None; 5]),
            expected.map(|(path, has_reason)| (path.to_owned(), has_reason))
        );
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
