//! Whether an account gets at a file, by owners and modes of it and of every directory above.
//!
//! Computed, as only root could try it for others. An access list says more than the mode: where one stands in the way
//! that may be its doing, and the answer is that nobody knows.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::Ownership;
use crate::durable::{self, Account, mend};

/// To change something.
const WRITE: u32 = 2;
/// To go through a directory.
pub(super) const PASS: u32 = 1;
/// To read and write a file.
pub(super) const USE: u32 = 6;
/// To make and remove files in a directory.
pub(super) const FILL: u32 = 7;

/// Whose something is, and what its mode lets people do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) mode: u32,
}

/// What an account can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// All that was asked.
    Yes,
    /// Not that: this stands in the way, which would have to allow `bits`.
    No { path: PathBuf, found: Found, bits: u32 },
    /// It is not there.
    Missing(PathBuf),
    /// It has an access list, which may let it do that or keep it from that.
    Listed(PathBuf),
    /// Nobody here can say.
    Unknown(PathBuf, String),
}

/// Whether a mode lets an account do what `bits` say (4 read, 2 write, 1 pass). The first of owner, group and others that
/// fits counts, as for the kernel.
pub(super) fn may(account: &Account, found: &Found, bits: u32) -> bool {
    account.may_by(found.user, found.group, found.mode, bits)
}

/// Whether an account gets at a path, and can do there what `bits` say.
pub(super) fn reach(account: &Account, path: &Path, bits: u32) -> Reach {
    // Where links lead is what counts; a path that cannot be followed is looked at as it is written.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    let steps = above.into_iter().map(|directory| (directory, PASS)).chain([(path.as_path(), bits)]);
    for (place, bits) in steps {
        let found = match fs::metadata(place) {
            Ok(found) => Found { user: found.uid(), group: found.gid(), mode: found.mode() & 0o7777 },
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Reach::Missing(place.to_path_buf());
            }
            Err(cause) => return Reach::Unknown(place.to_path_buf(), cause.to_string()),
        };
        // With one, the bits of the group are its mask.
        if account.user != 0 && account.user != found.user && durable::has_list(place) {
            return Reach::Listed(place.to_path_buf());
        }
        if !may(account, &found, bits) {
            return Reach::No { path: place.to_path_buf(), found, bits };
        }
    }
    Reach::Yes
}

/// The user and the group that things of the system are of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared<'a> {
    /// The cron user, where this machine has him.
    pub(super) user: Option<(&'a str, u32)>,
    pub(super) group: (&'a str, u32),
}

impl Shared<'_> {
    /// Those of the configuration, as far as this machine has them.
    pub(super) fn of(ownership: &Ownership) -> Option<Shared<'_>> {
        let group = (ownership.group.as_str(), durable::group_numbered(&ownership.group)?);
        let user = durable::user_named(&ownership.user).map(|user| (ownership.user.as_str(), user));
        Some(Shared { user, group })
    }
}

/// The command that lets an account do it, by the narrowest way there is: as the owner, in its group, through the
/// configured group, else as anybody where it only has to pass. What was given to root and to root's group, and has to be
/// written, is given back to both, as what is made there is the owner's to keep and the group's to use.
pub(super) fn remedy(
    account: &Account,
    path: &Path,
    found: &Found,
    bits: u32,
    shared: Option<Shared<'_>>,
) -> String {
    let letters: String =
        [(4, 'r'), (2, 'w'), (1, 'x')].iter().filter(|(bit, _)| bits & bit != 0).map(|(_, c)| *c).collect();
    let chmod = |who: char, letters: &str, user: u32, group: u32| {
        mend::chmod(&format!("{who}+{letters}"), path, user, group)
    };
    let Found { user, group, .. } = *found;
    if account.user == user {
        return format!("as root: {}", chmod('u', &letters, user, group));
    }
    // All who are in a group of another kind, such as `adm`, could change it as well then.
    let is_for_this = bits & WRITE == 0
        || shared.is_none_or(|shared| shared.group.1 == group)
        || [user, account.user].into_iter().any(|one| durable::private_group(one) == Some(group));
    if account.groups.contains(&group) && is_for_this {
        return format!("as root: {}", chmod('g', &letters, user, group));
    }
    if bits == PASS {
        return format!("as root: {}", chmod('o', "x", user, group));
    }
    if let Some(Shared { user: Some((owner, number)), group: (name, shared) }) = shared
        && (user, group) == (0, 0)
        && number != 0
        && bits & WRITE != 0
    {
        // What is made in a directory is for its group.
        let down = if bits == FILL { "s" } else { "" };
        let chmod = mend::chmod(&format!("u+{letters},g+{letters}{down}"), path, number, shared);
        return format!("as root: {} && {chmod}", mend::chown(&format!("{owner}:{name}"), path));
    }
    match shared {
        Some(Shared { group: (name, number), .. }) => {
            let join = if account.groups.contains(&number) {
                String::new()
            } else {
                format!("usermod -aG {name} {} && ", account.name)
            };
            let chmod = chmod('g', &letters, user, number);
            format!("as root: {join}{} && {chmod}", mend::chgrp(name, path))
        }
        None => {
            let chmod = chmod('u', &letters, account.user, group);
            format!("as root: {} && {chmod}", mend::chown(&account.name, path))
        }
    }
}

/// What to do where an access list has the last word, which nobody here can read.
pub(super) fn by_list(account: &Account, path: &Path) -> String {
    let (name, place) = (&account.name, durable::quoted(path));
    format!("see what getfacl {place} lets {name} do")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    fn account(user: u32, groups: &[u32]) -> Account {
        Account { name: "somebody".to_owned(), user, groups: groups.to_vec() }
    }

    #[test]
    fn the_first_that_fits_of_owner_group_and_others_counts() {
        let found = |mode| Found { user: 1, group: 10, mode };
        for (user, groups, mode, bits, expected) in [
            (1, [9], 0o600, USE, true),
            (1, [10], 0o066, USE, false),
            (2, [10], 0o660, USE, true),
            (2, [10], 0o606, USE, false),
            (2, [9], 0o606, USE, true),
            (2, [9], 0o660, USE, false),
            (2, [10], 0o2770, FILL, true),
            (2, [10], 0o750, FILL, false),
            (2, [9], 0o711, PASS, true),
            (0, [9], 0o000, FILL, true),
        ] {
            assert_eq!(may(&account(user, &groups), &found(mode), bits), expected, "{user} {mode:o} {bits}");
        }
    }

    #[test]
    fn what_is_root_s_alone_is_given_back_whole_only_to_be_written() {
        let shared = Shared { user: Some(("cron", 1)), group: ("all", 10) };
        let found = Found { user: 0, group: 0, mode: 0o700 };
        let told = |bits, group| {
            let found = Found { group, ..found };
            remedy(&account(1, &[10]), Path::new("/srv/d"), &found, bits, Some(shared))
        };
        for (bits, group, expected) in [
            (FILL, 0, "as root: chown -h cron:all /srv/d && "),
            (USE, 0, "as root: chown -h cron:all /srv/d && "),
            (5, 0, "as root: chgrp -h all /srv/d && "),
            (FILL, 7, "as root: chgrp -h all /srv/d && "),
        ] {
            let told = told(bits, group);
            assert!(told.starts_with(expected), "{bits} {group}: {told}");
        }
        assert!(told(FILL, 0).contains("u+rwx,g+rwxs"), "{}", told(FILL, 0));
    }

    #[test]
    fn a_group_of_something_else_is_not_let_in() {
        let shared = |group| Some(Shared { user: None, group: ("all", group) });
        let found = Found { user: 65_533, group: 77, mode: 0o700 };
        let told = |bits, shared| {
            let account = Account { name: "cron".to_owned(), user: 65_532, groups: vec![65_532, 77, 10] };
            remedy(&account, Path::new("/srv/d"), &found, bits, shared)
        };
        let given = "as root: chgrp -h all /srv/d && ";
        assert!(told(FILL, shared(10)).starts_with(given), "{}", told(FILL, shared(10)));
        for (bits, group) in [(FILL, shared(77)), (FILL, None), (4, shared(10))] {
            assert!(!told(bits, group).contains("chgrp"), "{}", told(bits, group));
        }
    }

    /// What is computed is what the kernel says to two real users, for every mode of a file and of the directory above.
    #[test]
    fn the_kernel_says_the_same_to_real_users() {
        if !rustix::process::geteuid().is_root() || Command::new("setpriv").arg("--version").output().is_err()
        {
            // Only root can ask for other users.
            return;
        }
        let place = tempfile::Builder::new().prefix("reach").tempdir_in("/tmp").unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        mode(place.path(), 0o755);
        let directory = place.path().join("d");
        let file = directory.join("f");
        fs::create_dir(&directory).unwrap();
        fs::write(&file, "").unwrap();
        let mut both = (0, 0);
        for owner in [65_533, 65_532] {
            for group in [65_531, 65_530] {
                for path in [&directory, &file] {
                    std::os::unix::fs::chown(path, Some(owner), Some(group)).unwrap();
                }
                for (above, below) in [
                    (0o700, 0o600),
                    (0o710, 0o060),
                    (0o750, 0o660),
                    (0o701, 0o606),
                    (0o070, 0o666),
                    (0o775, 0o644),
                ] {
                    mode(&directory, above);
                    mode(&file, below);
                    let account = account(65_533, &[65_533, 65_531]);
                    let computed = reach(&account, &file, USE);
                    let script = "exec 3<>\"$0\"";
                    let real = Command::new("setpriv")
                        .args(["--reuid=65533", "--regid=65533", "--groups=65531", "sh", "-c", script])
                        .arg(&file)
                        .output()
                        .unwrap()
                        .status
                        .success();
                    assert_eq!(
                        computed == Reach::Yes,
                        real,
                        "{owner}:{group} {above:o} {below:o}: {computed:?}"
                    );
                    if real { both.0 += 1 } else { both.1 += 1 }
                }
            }
        }
        assert!(both.0 > 3 && both.1 > 3, "{both:?}");
    }
}
