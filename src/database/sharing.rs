//! What to tell people of a database that the runs and its owner cannot both use: by which group they come to share it.
//!
//! That is the configured one, or one that is of the owner alone and has let the account in already. Others that an account
//! happens to be in, such as `adm` or `sudo`, are for something else: whoever is put into one of those may do far more.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::config::Config;
use crate::durable::{self, Account, apart, mend};

/// One of the two, with the group that is his alone.
struct Member {
    account: Account,
    own: Option<u32>,
}

impl Member {
    fn of(account: Account) -> Member {
        let own = durable::private_group(account.user)
            .filter(|own| *own != 0 && account.groups.first() == Some(own));
        Member { account, own }
    }

    /// Root needs no group.
    fn is_in(&self, group: u32) -> bool {
        self.account.user == 0 || self.account.groups.contains(&group)
    }
}

/// Why an account leaves a database alone, and what a person can do.
pub(super) fn advice(account: &Account, path: &Path, file: &Metadata, config: &Config) -> String {
    let named = |user: u32| durable::user_numbered(user).unwrap_or_else(|| user.to_string());
    let why = format!(
        "{} belongs to {}:{} (mode {:04o}), so that {} may not write to it, or would leave files beside it that its owner \
         cannot use",
        path.display(),
        named(file.uid()),
        durable::group_named(file.gid()),
        file.mode() & 0o7777,
        account.name,
    );
    let above = path.parent().unwrap_or(Path::new("."));
    let directory = std::fs::metadata(above).ok();
    let near: Vec<u32> =
        [Some(file.gid()), directory.as_ref().map(Metadata::gid)].into_iter().flatten().collect();
    // Whoever asks has no name yet.
    let runner = Member::of(Account { name: named(account.user), ..account.clone() });
    let owner = durable::user_numbered(file.uid()).and_then(|name| Account::named(&name)).map(Member::of);
    let wanted = durable::group_numbered(&config.ownership.group);
    let Some(group) = group(&near, &runner, owner.as_ref(), wanted) else {
        return format!("{why}; {}", none(&config.ownership.group, &runner, &named(file.uid())));
    };
    let name = durable::group_named(group);
    let joins: Vec<&str> = [Some(&runner), owner.as_ref()]
        .into_iter()
        .flatten()
        .filter(|member| !member.is_in(group))
        .map(|member| member.account.name.as_str())
        .collect();
    let mut cure: Vec<String> = joins.iter().map(|who| format!("usermod -aG {name} {who}")).collect();
    let mut change = |path: &Path, found: &Metadata, bits: u32, change: &str| {
        if found.gid() != group {
            cure.push(mend::chgrp(&name, path));
        }
        if found.mode() & bits != bits {
            cure.push(mend::chmod(change, path, found.uid(), group));
        }
    };
    change(path, file, 0o060, "g+rw");
    let mut rest = String::new();
    if let Some(found) = &directory {
        let has_it = found.gid() == group && found.mode() & 0o020 != 0;
        if has_it || apart::may_be_given(config, above) {
            change(above, found, 0o2020, "g+ws");
        } else {
            rest = format!("; and {}", apart::instead(config, above, &[path]));
        }
    }
    if !joins.is_empty() {
        rest = format!(
            "{rest}; then start anew what runs as {} (systemctl restart cron, php*-fpm or its own service), as a program keeps \
             the groups that it began with",
            joins.join(" and ")
        );
    }
    let cure = if cure.is_empty() { String::new() } else { format!("; as root: {}", cure.join(" && ")) };
    format!("{why}{cure}{rest}")
}

/// What to say where no group can be named that is for this.
fn none(configured: &str, runner: &Member, owner: &str) -> String {
    if configured == "root" {
        return "both need a group that they share: name one that is for this alone as group under ownership in cr0sync.json, and the \
                next run says what else is to be done"
            .to_owned();
    }
    let all: Vec<String> = [runner.account.name.as_str(), owner]
        .iter()
        .filter(|name| **name != "root")
        .map(|name| format!("usermod -aG {configured} {name}"))
        .collect();
    format!(
        "both need a group that they share, and this machine has none called {configured}: make it, as root: groupadd \
         {configured} && {}; or name another as group under ownership in cr0sync.json, one that is for this alone, and the next \
         run says what else is to be done",
        all.join(" && ")
    )
}

/// The group by which both can use a file that has the groups `near`, itself and its directory; none where only one would do
/// that is for something else.
fn group(near: &[u32], runner: &Member, owner: Option<&Member>, wanted: Option<u32>) -> Option<u32> {
    // Root's own is not for this, whatever is configured.
    let wanted = wanted.filter(|group| *group != 0);
    let of_owner = owner.and_then(|owner| owner.own);
    let is_shared = |group: u32| runner.is_in(group) && (Some(group) == wanted || Some(group) == of_owner);
    let of_both = |own: u32| runner.is_in(own) && owner.is_some_and(|owner| owner.is_in(own));
    near.iter()
        .copied()
        .find(|group| is_shared(*group))
        .or(wanted)
        .or_else(|| [of_owner, runner.own].into_iter().flatten().find(|own| of_both(*own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADM: u32 = 4;
    const WEB: u32 = 33;
    const BOT: u32 = 1001;
    const CRON: u32 = 1002;

    fn member(user: u32, groups: &[u32], own: Option<u32>) -> Member {
        Member { account: Account { name: user.to_string(), user, groups: groups.to_vec() }, own }
    }

    #[test]
    fn no_group_is_proposed_that_is_for_something_else() {
        let cron = |groups: &[u32]| member(CRON, groups, Some(CRON));
        let bot = |groups: &[u32]| Some(member(BOT, groups, Some(BOT)));
        let root = || Some(member(0, &[0], None));
        for (what, near, runner, owner, wanted, expected) in [
            ("the configured one", [BOT, BOT], cron(&[CRON, ADM, WEB]), bot(&[BOT]), Some(WEB), Some(WEB)),
            ("one of both", [BOT, BOT], cron(&[CRON, ADM]), bot(&[BOT, ADM]), Some(WEB), Some(WEB)),
            ("that of the file", [ADM, ADM], cron(&[CRON, ADM]), bot(&[BOT, ADM]), Some(WEB), Some(WEB)),
            ("that of the directory", [BOT, ADM], cron(&[CRON, ADM]), bot(&[BOT]), Some(WEB), Some(WEB)),
            ("who was let in", [BOT, BOT], cron(&[CRON, BOT, WEB]), bot(&[BOT]), Some(WEB), Some(BOT)),
            ("who would have to let in", [CRON, CRON], cron(&[CRON]), bot(&[BOT]), Some(WEB), Some(WEB)),
            ("none, and adm", [ADM, ADM], cron(&[CRON, ADM]), bot(&[BOT, ADM]), None, None),
            ("none, and let in", [ADM, ADM], cron(&[CRON, BOT]), bot(&[BOT]), None, Some(BOT)),
            ("none, and nobody let in", [BOT, BOT], cron(&[CRON]), bot(&[BOT]), None, None),
            ("root's", [0, 0], cron(&[CRON, 0]), root(), Some(0), Some(CRON)),
            ("root's file", [0, 0], cron(&[CRON, ADM]), root(), Some(WEB), Some(WEB)),
            ("an owner without a name", [ADM, ADM], cron(&[CRON, ADM]), None, None, None),
        ] {
            assert_eq!(group(&near, &runner, owner.as_ref(), wanted), expected, "{what}");
        }
    }

    #[test]
    fn without_a_group_it_is_said_that_one_is_needed() {
        let told = none("www-data", &member(CRON, &[CRON, ADM], Some(CRON)), "bot");
        for part in
            ["groupadd www-data && usermod -aG www-data 1002 && usermod -aG www-data bot", "ownership"]
        {
            assert!(told.contains(part), "{told}");
        }
        assert!(!none("web", &member(CRON, &[CRON], None), "root").contains("root &&"), "root needs none");
    }
}
