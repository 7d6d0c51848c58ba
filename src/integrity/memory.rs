//! What is remembered from check to check: what was read when, and which findings are open.
//!
//! The cron user's lies in the private directory. Whoever may not look there, as a web page, has a memory of its own, which
//! says nothing to the cron user's checks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::names;
use super::private::{Kept, Private, hex};
use crate::config::Config;
use crate::durable::{Content, Folder};
use crate::error::Result;
use crate::report::{FindingKind, IntegrityFinding};

/// Nothing is larger (bytes).
const MAX_FILE: u64 = 1 << 30;
const SEEN: &str = "integrity.seen";
const OPEN: &str = "integrity.open";
/// The report of the last whole check.
const REPORT: &str = "integrity.report";
/// What the list of open findings begins with; the number is its version.
const OPEN_FORMAT: &str = "cr0sync-open-findings-2";
/// The one before knew which attributes had changed, and not to what.
const OLD_FORMAT: &str = "cr0sync-open-findings-1";
/// What became of an open finding: pages show it or not, and a check told it or only the watcher.
const SHOWN: &str = "shown";
const RECORDED: &str = "recorded";
const SHOWN_UNHEARD: &str = "shown-unheard";
const RECORDED_UNHEARD: &str = "recorded-unheard";
const OVER: &str = "over";
/// Stands for what is not known.
const UNKNOWN: &str = "-";

/// The findings that are open, by what they are about.
pub(super) type OpenFindings = BTreeMap<String, State>;

/// What an open finding was about when it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// Which attributes had changed.
    changes: String,
    /// What they were, but for content and times; `None` where it was not written down.
    attributes: Option<String>,
    times: Option<String>,
    content: Option<String>,
    /// Whether the site's pages know of it; else only the event log does.
    pub(super) is_shown: bool,
    /// Whether a check told it that somebody asked for; else only the watcher did, of whom cron mails nothing.
    pub(super) is_heard: bool,
    /// Whether it is none any more, and is kept until a check that somebody asked for has told that it was.
    pub(super) is_over: bool,
}

/// Where it is remembered.
#[derive(Debug)]
pub(super) enum Memory<'a> {
    Private(&'a Private),
    Own(Folder),
    /// Nothing is known, and nothing stays.
    None,
}

impl Memory<'_> {
    /// The memory of this user.
    pub(super) fn of<'a>(config: &Config, private: Option<&'a Private>) -> Result<Memory<'a>> {
        match private {
            Some(private) => {
                // What this user was told while there was none to be believed is over, and is told anew should it come again.
                if let Ok(Some(own)) = Folder::open(&own_place(config)) {
                    // Others may have put it there so that this fails.
                    let _ = own.remove(OPEN);
                }
                Ok(Memory::Private(private))
            }
            None => Folder::create(&own_place(config)).map(Memory::Own),
        }
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match self {
            Memory::Private(private) => private.read(name).map(Kept::bytes),
            Memory::Own(folder) => Ok(match folder.read(name, MAX_FILE)? {
                Content::Bytes(bytes) => Some(bytes),
                Content::Missing | Content::Refused(_) | Content::Other => None,
            }),
            Memory::None => Ok(None),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        match self {
            Memory::Private(private) => private.write(name, bytes),
            Memory::Own(folder) => folder.put(name, bytes),
            Memory::None => Ok(()),
        }
    }

    pub(super) fn seen(&self) -> Result<Option<Vec<u8>>> {
        self.read(SEEN)
    }

    pub(super) fn set_seen(&self, bytes: &[u8]) -> Result<()> {
        self.write(SEEN, bytes)
    }

    pub(super) fn report(&self) -> Result<Option<Vec<u8>>> {
        self.read(REPORT)
    }

    pub(super) fn set_report(&self, bytes: &[u8]) -> Result<()> {
        self.write(REPORT, bytes)
    }

    /// The findings that are open.
    pub(super) fn open(&self) -> Result<OpenFindings> {
        let text = String::from_utf8(self.read(OPEN)?.unwrap_or_default()).unwrap_or_default();
        let mut lines = text.lines();
        Ok(match lines.next() {
            Some(OPEN_FORMAT) => lines.filter_map(read_line).collect(),
            Some(OLD_FORMAT) => lines.filter_map(read_old_line).collect(),
            _ => OpenFindings::new(),
        })
    }

    pub(super) fn set_open(&self, open: &OpenFindings) -> Result<()> {
        let mut text = format!("{OPEN_FORMAT}\n");
        for (identity, state) in open {
            let known = |part: &Option<String>| part.as_deref().unwrap_or(UNKNOWN).to_owned();
            let parts = [known(&state.attributes), known(&state.times), known(&state.content)].join("\t");
            let shown = match (state.is_shown, state.is_heard) {
                _ if state.is_over => OVER,
                (true, true) => SHOWN,
                (false, true) => RECORDED,
                (true, false) => SHOWN_UNHEARD,
                (false, false) => RECORDED_UNHEARD,
            };
            text.push_str(&format!("{identity}\t{}\t{parts}\t{shown}\n", state.changes));
        }
        self.write(OPEN, text.as_bytes())
    }
}

impl State {
    /// Of what nothing is known but that it was told.
    const UNKNOWN: State = State {
        changes: String::new(),
        attributes: None,
        times: None,
        content: None,
        is_shown: true,
        is_heard: true,
        is_over: false,
    };

    /// That of a finding which the site's pages know of.
    pub(super) fn of(finding: &IntegrityFinding) -> State {
        let changes = finding.changes.join(",");
        let Some(mut now) = finding.after.clone() else {
            return State { changes, ..State::UNKNOWN };
        };
        let times = [now.mtime.take(), now.ctime.take()].map(Option::unwrap_or_default).join(" ");
        let content = now.sha256.take();
        State {
            changes,
            attributes: Some(hex(&Sha256::digest(format!("{now:?}")))),
            times: Some(times),
            content,
            ..State::UNKNOWN
        }
    }

    /// The same of what a report or an alert says of a finding: to be compared with others that were read like that. Times
    /// say nothing, as an alert is written once, and its file may be read afterwards and touched.
    pub(super) fn read(changes: Option<&Value>, after: Option<&Value>) -> State {
        let words = changes.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let changes = words.collect::<Vec<_>>().join(",");
        let Some(after) = after.and_then(Value::as_object) else {
            return State { changes, ..State::UNKNOWN };
        };
        let mut now: BTreeMap<&str, &Value> =
            after.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let content = now.remove("sha256").map(Value::to_string);
        now.retain(|name, _| !["mtime", "ctime"].contains(name));
        State { changes, attributes: Some(format!("{now:?}")), content, ..State::UNKNOWN }
    }

    /// Whether what is found now is what was told. Where both contents are known, times that are others say nothing.
    pub(super) fn is_still(&self, now: &State) -> bool {
        let differs = |before: &Option<String>, now: &Option<String>| {
            before.as_ref().zip(now.as_ref()).is_some_and(|(before, now)| before != now)
        };
        if self.changes != now.changes || differs(&self.attributes, &now.attributes) {
            return false;
        }
        match (&self.content, &now.content) {
            (Some(before), Some(now)) => before == now,
            _ => !differs(&self.times, &now.times),
        }
    }

    /// What is to be remembered of an open finding that is still the same.
    pub(super) fn and(&self, now: State) -> State {
        let content = now.content.or_else(|| self.content.clone());
        State { content, is_shown: self.is_shown, is_heard: self.is_heard, ..now }
    }
}

/// The memory of this user that lies where others may write, where there is one.
pub(super) fn own(config: &Config) -> Option<Memory<'static>> {
    Folder::open(&own_place(config)).ok().flatten().map(Memory::Own)
}

/// Where that of a user lies who may not look into the private directory.
fn own_place(config: &Config) -> PathBuf {
    config.root.join("sync_state").join(format!("integrity-{}", rustix::process::geteuid().as_raw()))
}

fn read_line(line: &str) -> Option<(String, State)> {
    let mut parts = line.rsplitn(6, '\t');
    let word = parts.next()?;
    let is_over = word == OVER;
    let is_shown = matches!(word, SHOWN | SHOWN_UNHEARD | OVER);
    let is_heard = !matches!(word, SHOWN_UNHEARD | RECORDED_UNHEARD | OVER);
    let mut known = || parts.next().map(|part| (part != UNKNOWN).then(|| part.to_owned()));
    let (content, times, attributes) = (known()?, known()?, known()?);
    let changes = parts.next()?.to_owned();
    Some((
        parts.next()?.to_owned(),
        State { changes, attributes, times, content, is_shown, is_heard, is_over },
    ))
}

fn read_old_line(line: &str) -> Option<(String, State)> {
    let (rest, changes) = line.rsplit_once('\t')?;
    let identity = if is_of_baseline(rest) { format!("{rest}\t{changes}") } else { format!("{rest}\t") };
    let changes = changes.to_owned();
    Some((identity, State { changes, ..State::UNKNOWN }))
}

/// What a finding is about. Its path comes first, without control characters.
pub(super) fn identity(finding: &IntegrityFinding) -> String {
    let exact = finding.path_b64.as_deref().unwrap_or_default();
    let from = finding.from.as_deref().unwrap_or_default();
    // Of one baseline several things can be wrong at once.
    let what = if finding.kind == FindingKind::Baseline { finding.changes.join(",") } else { String::new() };
    format!("{}\t{exact}\t{:?}\t{from}\t{what}", finding.path, finding.kind)
}

/// What a finding is known by: the same one is not told again.
pub(super) fn mark(finding: &IntegrityFinding) -> String {
    format!("{}\t{:?}", identity(finding), State::of(finding))
}

/// The path, as it is shown, that such an identity is about.
pub(super) fn path_of(identity: &str) -> &str {
    identity.split('\t').next().unwrap_or_default()
}

/// Whether it is about the baseline itself.
pub(super) fn is_of_baseline(identity: &str) -> bool {
    identity.split('\t').nth(2) == Some("Baseline")
}

/// The same, as it is.
pub(super) fn exact_path_of(identity: &str) -> Vec<u8> {
    let mut parts = identity.split('\t');
    let shown = parts.next().unwrap_or_default();
    names::exact(shown, parts.next().filter(|exact| !exact.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::super::compare;
    use super::*;
    use crate::report::FileAttributes;

    fn state(change: impl Fn(&mut FileAttributes)) -> State {
        let changes = vec!["content".to_owned(), "mode".to_owned()];
        let mut finding = compare::finding(FindingKind::Modified, b"/a", None, changes, None);
        let mut after = FileAttributes {
            mode: Some("0644".to_owned()),
            mtime: Some("1".to_owned()),
            sha256: Some("aa".to_owned()),
            ..FileAttributes::default()
        };
        change(&mut after);
        finding.after = Some(after);
        State::of(&finding)
    }

    #[test]
    fn what_is_found_is_the_same_unless_something_of_it_is_another() {
        let told = state(|_| {});
        type Row = (&'static str, fn(&mut FileAttributes), bool);
        let rows: [Row; 6] = [
            ("nothing", |_| {}, true),
            ("another mode", |after| after.mode = Some("4755".to_owned()), false),
            ("another content", |after| after.sha256 = Some("bb".to_owned()), false),
            ("the same content at another time", |after| after.mtime = Some("2".to_owned()), true),
            ("not read this time", |after| after.sha256 = None, true),
            (
                "not read, and another time",
                |after| (after.sha256, after.mtime) = (None, Some("2".to_owned())),
                false,
            ),
        ];
        for (name, change, expected) in rows {
            assert_eq!(told.is_still(&state(change)), expected, "{name}");
        }
        let unread = state(|after| after.sha256 = None);
        assert_eq!(told.and(unread), told, "what was read before is kept in mind");
    }

    #[test]
    fn a_line_comes_back_as_it_was_and_one_of_before_is_read() {
        let told = State { is_shown: false, is_heard: false, ..state(|_| {}) };
        let directory = tempfile::tempdir().unwrap();
        let memory = Memory::Own(Folder::create(&directory.path().join("a")).unwrap());
        let finding = compare::finding(FindingKind::Moved, b"/a\n", Some(b"/b"), Vec::new(), None);
        let unheard = State { is_heard: false, ..state(|_| {}) };
        let over = State { is_over: true, ..unheard.clone() };
        let open = OpenFindings::from([
            (identity(&finding), told),
            ("/a\t\tAdded\t\t".to_owned(), over),
            ("/b\t\tAdded\t\t".to_owned(), unheard),
            ("/c\t\tAdded\t\t".to_owned(), state(|_| {})),
        ]);
        memory.set_open(&open).unwrap();
        assert_eq!(memory.open().unwrap(), open);
        let old = format!("{OLD_FORMAT}\n/a\t\tModified\t\tcontent,mode\n/b\t\tBaseline\t\tscope\n");
        memory.write(OPEN, old.as_bytes()).unwrap();
        let open = memory.open().unwrap();
        assert!(open["/a\t\tModified\t\t"].is_still(&state(|_| {})));
        assert!(open.contains_key("/b\t\tBaseline\t\tscope"), "{open:?}");
    }
}
