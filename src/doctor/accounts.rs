//! Who the users are that have to get at the files, by the system's own lists.

use std::fs;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) user: u32,
    /// The numbers of all groups that it is in, its own first.
    pub(super) groups: Vec<u32>,
}

impl Account {
    /// The account of this machine that has a name; none where there is none.
    pub(super) fn named(name: &str) -> Option<Account> {
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

/// The number of a group of this machine.
pub(super) fn group_named(name: &str) -> Option<u32> {
    let text = fs::read_to_string("/etc/group").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
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
