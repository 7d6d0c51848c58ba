//! A finding about a file, with what its attributes were and are.
//!
//! Pure. Apart from `compare`, which knows what differs: here is what people and pages are shown of it, and how bad it is.

use chrono::{DateTime, SecondsFormat};

use super::compare;
use super::model::{Entry, Kind, Known, Look, Stamp};
use super::names;
use super::private::hex;
use super::severity;
use crate::report::{FileAttributes, FindingKind, IntegrityFinding};

/// What became of a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate<'a> {
    Added(&'a Entry),
    Removed(&'a Entry),
    /// What it was and what it is, by the same name.
    Modified(&'a Entry, &'a Entry),
    /// The same, by another name.
    Moved(&'a Entry, &'a Entry),
}

/// A finding about it.
pub(super) fn finding(fate: Fate<'_>, changes: Vec<String>) -> IntegrityFinding {
    let (kind, path, from, before, now) = match fate {
        Fate::Added(now) => (FindingKind::Added, &now.path, None, None, Some(now)),
        Fate::Removed(before) => (FindingKind::Removed, &before.path, None, Some(before), None),
        Fate::Modified(before, now) => (FindingKind::Modified, &now.path, None, Some(before), Some(now)),
        Fate::Moved(before, now) => {
            (FindingKind::Moved, &now.path, Some(before.path.as_slice()), Some(before), Some(now))
        }
    };
    let by_name = severity::of(kind, path, from);
    let by_change = now.and_then(|now| severity::of_change(before, now, &changes)).unwrap_or(by_name);
    let both = before.is_some() && now.is_some();
    let told = |entry: &Entry| if both { some(entry, &changes) } else { all(entry) };
    let (was, is) = (before.map(told), now.map(told));
    let mut finding = compare::finding(kind, path, from, changes, None);
    finding.severity = by_name.max(by_change).word();
    (finding.before, finding.after) = (was, is);
    finding
}

/// All that says something of a file.
fn all(entry: &Entry) -> FileAttributes {
    let stat = &entry.stat;
    let has_times = matches!((stat.kind, entry.look), (Kind::File, Look::Whole) | (Kind::Symlink, _));
    let is_known = entry.known == Known::All;
    let mut all = FileAttributes {
        kind: Some(word(stat.kind)),
        mode: Some(mode(stat.mode)),
        size: has_times.then_some(stat.size),
        mtime: has_times.then(|| time(stat.mtime)),
        sha256: entry.content.as_ref().map(|content| hex(content)),
        ..FileAttributes::default()
    };
    if is_known {
        (all.uid, all.gid) = (Some(stat.uid), Some(stat.gid));
        all.ctime = has_times.then(|| time(stat.ctime));
    }
    set_target(entry, &mut all);
    all
}

/// Those that changed.
fn some(entry: &Entry, changes: &[String]) -> FileAttributes {
    let stat = &entry.stat;
    let mut some = FileAttributes::default();
    for change in changes {
        match change.as_str() {
            "type" => some.kind = Some(word(stat.kind)),
            "mode" => some.mode = Some(mode(stat.mode)),
            "uid" => some.uid = Some(stat.uid),
            "gid" => some.gid = Some(stat.gid),
            "size" => some.size = Some(stat.size),
            "mtime" => some.mtime = Some(time(stat.mtime)),
            "ctime" => some.ctime = Some(time(stat.ctime)),
            "inode" => some.inode = Some(stat.inode),
            "nlink" => some.nlink = Some(stat.nlink),
            "device" => some.device = Some(stat.device),
            "mount" => some.mount = Some(stat.is_mount),
            "content" => some.sha256 = entry.content.as_ref().map(|content| hex(content)),
            "target" => set_target(entry, &mut some),
            _ => {}
        }
    }
    some
}

fn set_target(entry: &Entry, attributes: &mut FileAttributes) {
    if let Some(target) = &entry.target {
        let (target, exact) = names::shown(target);
        (attributes.target, attributes.target_b64) = (Some(target), exact);
    }
}

fn mode(mode: u32) -> String {
    format!("{mode:04o}")
}

fn time(stamp: Stamp) -> String {
    let time = DateTime::from_timestamp(stamp.seconds, stamp.nanos).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Nanos, true)
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "symlink",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::CharacterDevice => "character device",
        Kind::BlockDevice => "block device",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::codec::tests::file;
    use super::*;

    fn members(fate: Fate<'_>, changes: &[&str]) -> (Value, Value) {
        let changes = changes.iter().map(|change| (*change).to_owned()).collect();
        let finding = serde_json::to_value(finding(fate, changes)).unwrap();
        (finding["before"].clone(), finding["after"].clone())
    }

    #[test]
    fn what_changed_is_told_as_it_was_and_as_it_is() {
        let before = file("/w/a", 1);
        let mut now = file("/w/a", 1);
        (now.stat.mode, now.stat.uid, now.stat.size, now.content) = (0o4755, 0, 11, Some([1; 32]));
        let told = members(Fate::Modified(&before, &now), &["mode", "uid", "content", "size"]);
        let was = json!({ "mode": "0644", "uid": before.stat.uid, "size": 10, "sha256": "07".repeat(32) });
        assert_eq!(told, (was, json!({ "mode": "4755", "uid": 0, "size": 11, "sha256": "01".repeat(32) })));
        (now.stat.kind, now.target) = (Kind::Symlink, Some(b"/x\n".to_vec()));
        let told = members(Fate::Modified(&before, &now), &["type", "target"]);
        let is = json!({ "type": "symlink", "target": "/x\\x0a", "target_b64": "L3gK" });
        assert_eq!(told, (json!({ "type": "file" }), is));
    }

    #[test]
    fn of_what_is_new_or_gone_everything_is_told() {
        let entry = file("/w/a", 1);
        let (before, after) = members(Fate::Added(&entry), &[]);
        assert_eq!((before, &after["type"], &after["size"]), (Value::Null, &json!("file"), &json!(10)));
        let (before, after) = members(Fate::Removed(&entry), &[]);
        assert_eq!((&before["sha256"], after), (&json!("07".repeat(32)), Value::Null));
        let mut directory = file("/w/d", 2);
        (directory.stat.kind, directory.content) = (Kind::Directory, None);
        let (_, after) = members(Fate::Added(&directory), &[]);
        assert_eq!(after.get("mtime"), None, "it changes with what is in it");
    }
}
