//! How bad a finding is, and what the site's pages call it.
//!
//! Pure. By the names that the site's pages know; what they do not know is ours.

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

/// Whether it is code where no code belongs, which is worth an alert whatever was asked for.
pub(super) fn is_code_in_data(kind: FindingKind, path: &[u8]) -> bool {
    kind == FindingKind::Added && names::is_code(names::file_name(path)) && names::is_data(path)
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
