//! How bad a finding is, and what the site's pages call it.
//!
//! Pure. By the names that the site's pages know; what they do not know is ours.

use super::model::{Entry, Kind};
use super::names;
use crate::events::Severity;
use crate::report::FindingKind;

/// Whoever changes one of these is in.
const CRITICAL: [&str; 3] = ["auth.php", "admin_panel.php", ".htaccess"];
/// The other files that keep people out.
const HIGH: [&str; 3] = ["security_middleware.php", "session_security.php", "input_sanitizer.php"];

/// How bad a finding is.
pub(super) fn of(kind: FindingKind, path: &[u8], from: Option<&[u8]>) -> Severity {
    if kind == FindingKind::Baseline {
        return Severity::Critical;
    }
    let is_new_code = matches!(kind, FindingKind::Added | FindingKind::Moved)
        && names::is_code(names::file_name(path))
        && names::is_data(path);
    if is_new_code {
        return Severity::Critical;
    }
    let least = match kind {
        FindingKind::Removed | FindingKind::Moved | FindingKind::Baseline => Severity::High,
        FindingKind::Added | FindingKind::Unreadable | FindingKind::Unstable => Severity::Medium,
        FindingKind::Modified => Severity::Low,
    };
    [Some(path), from].into_iter().flatten().map(by_name).max().unwrap_or(least).max(least)
}

fn by_name(path: &[u8]) -> Severity {
    let name = names::file_name(path);
    let is_one_of = |list: &[&str]| list.iter().any(|known| known.as_bytes() == name);
    if is_one_of(&CRITICAL) {
        Severity::Critical
    } else if is_one_of(&HIGH) {
        Severity::High
    } else {
        Severity::Low
    }
}

/// Sets the user or the group of whoever runs it.
const SET_ID: u32 = 0o6000;
/// Everybody may write to it.
const WORLD_WRITABLE: u32 = 0o002;

/// How bad it is what became of a file, whatever its name; nothing where only the name says so.
pub(super) fn of_change(before: Option<&Entry>, now: &Entry, changes: &[String]) -> Option<Severity> {
    let has = |name: &str| changes.iter().any(|change| change == name);
    let gained = match before {
        None => now.stat.mode,
        Some(before) if has("mode") => now.stat.mode & !before.stat.mode,
        Some(_) => 0,
    };
    let is_file = now.stat.kind == Kind::File;
    if is_file && gained & SET_ID != 0 {
        return Some(Severity::Critical);
    }
    // Everybody may write to a new pipe or socket, as a rule, and a symlink has no mode of its own.
    let has_mode = is_file || now.stat.kind == Kind::Directory;
    let is_other = before.is_some() && ["content", "type", "target"].into_iter().any(has);
    // Everything below it is something else then.
    let was_directory = before.is_some_and(|before| before.stat.kind == Kind::Directory) && has("type");
    let is_bad = was_directory
        || has_mode && gained & WORLD_WRITABLE != 0
        // Capabilities are kept there.
        || has("xattrs")
        || has("mount")
        || is_other && names::is_page_code(names::file_name(&now.path));
    is_bad.then_some(Severity::High)
}

/// What the site's pages call it; they know three words.
pub(super) fn word(kind: FindingKind, is_missing: bool) -> &'static str {
    match kind {
        FindingKind::Added => "NEW_FILE_DETECTED",
        FindingKind::Removed => "FILE_MISSING",
        FindingKind::Baseline if is_missing => "FILE_MISSING",
        FindingKind::Modified
        | FindingKind::Moved
        | FindingKind::Unreadable
        | FindingKind::Unstable
        | FindingKind::Baseline => "FILE_MODIFIED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_rights_away_or_changes_pages_is_bad_whatever_its_name() {
        use super::super::codec::tests::file;
        type Row = (&'static str, u32, Kind, &'static [&'static str], Option<Severity>);
        let (critical, high) = (Some(Severity::Critical), Some(Severity::High));
        let rows: [Row; 13] = [
            ("/w/a", 0o4755, Kind::File, &["mode"], critical),
            ("/w/a", 0o2755, Kind::File, &["mode"], critical),
            ("/w/a", 0o2755, Kind::Directory, &["mode"], None),
            ("/w/a", 0o666, Kind::File, &["mode"], high),
            ("/w/a", 0o777, Kind::Directory, &["mode"], high),
            ("/w/a", 0o600, Kind::File, &["mode"], None),
            ("/w/a", 0o644, Kind::File, &["content", "size"], None),
            ("/w/index.html", 0o644, Kind::File, &["content"], high),
            ("/w/a.PHP", 0o644, Kind::File, &["content"], high),
            ("/w/a.js", 0o777, Kind::Symlink, &["type", "target"], high),
            ("/w/index.html", 0o644, Kind::File, &["mtime", "ctime"], None),
            ("/w/a", 0o644, Kind::File, &["xattrs"], high),
            ("/w/a", 0o644, Kind::Directory, &["mount"], high),
        ];
        for (path, mode, kind, changes, expected) in rows {
            let mut now = file(path, 1);
            (now.stat.mode, now.stat.kind) = (mode, kind);
            let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
            let found = of_change(Some(&file(path, 1)), &now, &changes);
            assert_eq!(found, expected, "{path} {mode:o} {kind:?} {changes:?}");
        }
        let mut new = file("/w/a", 1);
        assert_eq!(of_change(None, &new, &[]), None);
        new.stat.mode = 0o4755;
        assert_eq!(of_change(None, &new, &[]), critical);
        let (mut before, mut now) = (file("/w/core", 1), file("/w/core", 1));
        (before.stat.kind, now.stat.kind) = (Kind::Directory, Kind::Symlink);
        let changes = ["type".to_owned()];
        assert_eq!(of_change(Some(&before), &now, &changes), high);
        assert_eq!(of_change(Some(&now), &before, &changes), None);
    }

    #[test]
    fn severities_are_those_of_the_site() {
        use FindingKind::{Added, Baseline, Modified, Moved, Removed, Unreadable, Unstable};
        for (kind, path, expected) in [
            (Modified, "/var/www/html/auth.php", Severity::Critical),
            (Removed, "/var/www/html/admin_panel.php", Severity::Critical),
            (Added, "/var/www/html/core/.htaccess", Severity::Critical),
            (Modified, "/var/www/html/session_security.php", Severity::High),
            (Removed, "/var/www/html/index.html", Severity::High),
            (Added, "/var/www/html/core/a.php", Severity::Medium),
            (Added, "/var/www/html/data/a.txt", Severity::Medium),
            (Added, "/var/www/html/data/a.php", Severity::Critical),
            (Added, "/x/Uploads/1/.user.ini", Severity::Critical),
            (Added, "/x/uploads/a.php.db-wal", Severity::Critical),
            (Added, "/x/uploads/a.php.log", Severity::Critical),
            (Added, "/x/uploads/b.php ", Severity::Critical),
            (Added, "/x/uploads/c.php.", Severity::Critical),
            (Modified, "/var/www/html/data/a.php", Severity::Low),
            (Moved, "/var/www/html/core/a.php", Severity::High),
            (Moved, "/x/uploads/a.phar", Severity::Critical),
            (Unreadable, "/x/a", Severity::Medium),
            (Unreadable, "/x/auth.php", Severity::Critical),
            (Unstable, "/x/a", Severity::Medium),
            (Baseline, "/x/a", Severity::Critical),
        ] {
            assert_eq!(of(kind, path.as_bytes(), None), expected, "{kind:?} {path}");
        }
        assert_eq!(of(Moved, b"/x/auth.php.old", Some(b"/x/auth.php")), Severity::Critical);
    }
}
