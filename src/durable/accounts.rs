//! Who the users are that have to get at the files, by the system's own lists.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{getegid, geteuid, getgroups};

use crate::config::Ownership;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// What people call it; whoever asks is `this user`.
    pub(crate) name: String,
    pub(crate) user: u32,
    /// The numbers of all groups that it is in, its own first.
    pub(crate) groups: Vec<u32>,
}

impl Account {
    /// Whoever asks.
    pub(crate) fn here() -> Account {
        let mut groups = vec![getegid().as_raw()];
        groups.extend(getgroups().unwrap_or_default().iter().map(|group| group.as_raw()));
        Account { name: "this user".to_owned(), user: geteuid().as_raw(), groups }
    }

    /// Who carries out the runs: the configured user, or on a machine without him whoever the root belongs to. None where
    /// nothing says in which groups that user is.
    pub(crate) fn of_runs(root: &Path, ownership: &Ownership) -> Option<Account> {
        let user = super::user(ownership).or_else(|| fs::metadata(root).ok().map(|found| found.uid()))?;
        if user == geteuid().as_raw() {
            return Some(Account::here());
        }
        Account::named(&super::user_numbered(user)?)
    }

    /// Whether the mode of something lets it do what `bits` say (4 read, 2 write, 1 pass). The first of owner, group and others
    /// that fits counts, as for the kernel; access lists are not looked at.
    pub(crate) fn may(&self, found: &fs::Metadata, bits: u32) -> bool {
        self.may_by(found.uid(), found.gid(), found.mode(), bits)
    }

    /// The same of an owner, a group and a mode.
    pub(crate) fn may_by(&self, user: u32, group: u32, mode: u32, bits: u32) -> bool {
        let shift = match () {
            () if self.user == 0 => return true,
            () if self.user == user => 6,
            () if self.groups.contains(&group) => 3,
            () => 0,
        };
        mode >> shift & bits == bits
    }

    /// The account of this machine that has a name; none where there is none.
    pub(crate) fn named(name: &str) -> Option<Account> {
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        Account::of(name, &read("/etc/passwd"), &read("/etc/group"))
    }

    fn of(name: &str, passwd: &str, group: &str) -> Option<Account> {
        let fields: Vec<&str> = passwd
            .lines()
            .map(|line| line.split(':').collect())
            .find(|fields: &Vec<&str>| fields.first() == Some(&name))?;
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok());
        let mut groups = vec![number(3)?];
        groups.extend(group.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let is_member = fields.get(3)?.split(',').any(|member| member.trim() == name);
            is_member.then(|| fields.get(2)?.parse::<u32>().ok())?
        }));
        groups.dedup();
        Some(Account { name: name.to_owned(), user: number(2)?, groups })
    }
}

/// Whether something has an access list, so that its mode does not say who may do what.
pub(crate) fn has_list(path: &Path) -> bool {
    rustix::fs::getxattr_query(path, "system.posix_acl_access").is_ok_and(|length| length > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_in_its_own_group_and_in_those_that_name_it() {
        let passwd = "root:x:0:0::/:/bin/sh\ncr0:x:1001:1002:bot:/home/cr0:/bin/sh\nbroken:x:y\n";
        let group = "root:x:0:\nwww-data:x:33:cr0,web\nadm:x:4:cr00, cr0\nodd\n";
        let account = Account::of("cr0", passwd, group).unwrap();
        assert_eq!((account.user, account.groups), (1001, vec![1002, 33, 4]));
        assert_eq!(Account::of("broken", passwd, group), None);
        assert_eq!(Account::of("cr", passwd, group), None);
    }
}
