//! Whether a key or session may do something.
//!
//! Pure. Every question is answered by the first line of this table that fits:
//!
//! | | |
//! |---|---|
//! | nothing is known under its digest | unknown |
//! | it was withdrawn, or is not active | revoked |
//! | its time is over, or nobody can say when it is | expired |
//! | it has no permission for that | forbidden |
//! | else | granted |

use std::hint::black_box;

use super::record::{Expiry, Record};
use crate::error::{Error, ErrorKind, Result};

/// The digest of a key or token.
pub(super) type Digest = [u8; 32];

/// What a key or session may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// To look.
    Read,
    /// To change; not to look.
    Write,
    /// Both, and what only administrators may.
    Admin,
    /// Everything.
    System,
}

impl Permission {
    /// All of them.
    pub const ALL: [Permission; 4] =
        [Permission::Read, Permission::Write, Permission::Admin, Permission::System];

    /// The word in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Permission::Read => "read",
            Permission::Write => "write",
            Permission::Admin => "admin",
            Permission::System => "system",
        }
    }

    /// The one of a word.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where there is none.
    pub fn named(word: &str) -> Result<Permission> {
        Permission::of(word).ok_or_else(|| {
            Error::new(ErrorKind::Usage, "no permission has this name")
                .hint("permissions are: read, write, admin, system")
        })
    }

    pub(super) fn of(word: &str) -> Option<Permission> {
        Permission::ALL.into_iter().find(|permission| permission.word() == word)
    }

    fn implies(self, wanted: Permission) -> bool {
        match self {
            Permission::System => true,
            Permission::Admin => wanted != Permission::System,
            Permission::Read | Permission::Write => self == wanted,
        }
    }
}

/// Why somebody is refused. Not for him to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It cannot be a key at all; nothing was looked up.
    Malformed,
    /// Nobody has it.
    Unknown,
    /// It was taken back.
    Revoked,
    /// Its time is over.
    Expired,
    /// It is for other things.
    Forbidden,
    /// The file that says so is broken.
    Unavailable,
}

impl Reason {
    /// The word in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Reason::Malformed => "malformed",
            Reason::Unknown => "unknown",
            Reason::Revoked => "revoked",
            Reason::Expired => "expired",
            Reason::Forbidden => "forbidden",
            Reason::Unavailable => "unavailable",
        }
    }
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Granted,
    Refused(Reason),
}

/// Decides about one, at a time in seconds since 1970. `withdrawn` is since when it counts no longer, whatever its record
/// says.
pub(super) fn decide(
    record: Option<&Record>,
    withdrawn: Option<i64>,
    now: i64,
    permission: Permission,
) -> Verdict {
    let Some(record) = record else { return Verdict::Refused(Reason::Unknown) };
    let is_withdrawn = withdrawn.is_some_and(|from| now >= from);
    let is_over = match record.expiry {
        Expiry::Never => false,
        Expiry::At(time) => now >= time,
        Expiry::Unclear => true,
    };
    if is_withdrawn || !record.is_active {
        Verdict::Refused(Reason::Revoked)
    } else if is_over {
        Verdict::Refused(Reason::Expired)
    } else if !record.permissions.iter().any(|own| own.implies(permission)) {
        Verdict::Refused(Reason::Forbidden)
    } else {
        Verdict::Granted
    }
}

/// Whether two digests are one, in a time that says nothing about where they differ.
pub(super) fn is_same(a: &Digest, b: &Digest) -> bool {
    let differences = a.iter().zip(b).fold(0_u8, |all, (a, b)| black_box(all | (a ^ b)));
    black_box(differences) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000;

    fn record(permissions: &[Permission], expiry: Expiry, is_active: bool) -> Record {
        Record { digest: [7; 32], permissions: permissions.to_vec(), expiry, is_active, ..Record::default() }
    }

    #[test]
    fn every_line_of_the_table() {
        use Permission::{Admin, Read, System, Write};
        let granted = |own: &[Permission], wanted| {
            let record = record(own, Expiry::Never, true);
            decide(Some(&record), None, NOW, wanted) == Verdict::Granted
        };
        // Own permission against Read, Write, Admin, System.
        for (own, expected) in [
            (&[][..], [false, false, false, false]),
            (&[Read], [true, false, false, false]),
            (&[Write], [false, true, false, false]),
            (&[Read, Write], [true, true, false, false]),
            (&[Admin], [true, true, true, false]),
            (&[System], [true, true, true, true]),
        ] {
            assert_eq!(Permission::ALL.map(|wanted| granted(own, wanted)), expected, "{own:?}");
        }
        let at = Expiry::At;
        for (expiry, is_active, withdrawn, permission, expected) in [
            (Expiry::Never, true, None, Read, None),
            (at(NOW + 1), true, None, Read, None),
            (at(NOW), true, None, Read, Some(Reason::Expired)),
            (at(NOW - 1), true, None, Read, Some(Reason::Expired)),
            (Expiry::Unclear, true, None, Read, Some(Reason::Expired)),
            (Expiry::Never, false, None, Read, Some(Reason::Revoked)),
            (Expiry::Never, true, Some(NOW), Read, Some(Reason::Revoked)),
            (Expiry::Never, true, Some(NOW + 1), Read, None),
            (Expiry::Never, true, None, Write, Some(Reason::Forbidden)),
            // The first reason counts.
            (at(0), false, None, Write, Some(Reason::Revoked)),
            (at(0), true, Some(0), Write, Some(Reason::Revoked)),
            (at(0), true, None, Write, Some(Reason::Expired)),
        ] {
            let record = record(&[Read], expiry, is_active);
            let verdict = decide(Some(&record), withdrawn, NOW, permission);
            assert_eq!(
                verdict,
                expected.map_or(Verdict::Granted, Verdict::Refused),
                "{expiry:?} {is_active} {withdrawn:?} {permission:?}"
            );
        }
        assert_eq!(decide(None, None, NOW, Read), Verdict::Refused(Reason::Unknown));
    }

    #[test]
    fn digests_that_differ_in_one_bit_are_two() {
        let a = [0x5a; 32];
        assert!(is_same(&a, &a));
        for bit in 0..256 {
            let mut b = a;
            b[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_same(&a, &b), "{bit}");
        }
    }

    #[test]
    fn words_and_permissions_go_both_ways() {
        for permission in Permission::ALL {
            assert_eq!(Permission::of(permission.word()), Some(permission));
        }
        for word in ["", "READ", "read ", "root"] {
            assert_eq!(Permission::named(word).map_err(|error| error.kind()), Err(ErrorKind::Usage));
        }
    }
}
