//! Root, cron's user and the website change the same files at once, as they lie on a machine: `0664` in a directory `2775`
//! of the group that they share. No change is lost, and each can go on with what another one has written.
//!
//! Real users, by number: root makes the children run as them, so that this is skipped for everybody else.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cr0sync::Config;
use cr0sync::access::{Permission, keys, sessions};
use cr0sync::events;
use nix::unistd::{getegid, geteuid};

use super::world::{CRON, KEYS, SESSIONS, SHARED, WEBSITE, World, key, session};
use crate::trace::User;

/// Says to the child which configuration it is about.
const CHILD: &str = "CR0SYNC_ACCESS_USER";
/// The one thing that it is to do, where it is not all of them.
const ACT: &str = "CR0SYNC_ACCESS_ACT";
/// So many keys and sessions each of them adds.
const ROUNDS: usize = 25;

pub(crate) fn child() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let config = Config::load(Some(Path::new(&path)), None).unwrap();
    println!("\nuser {} {}", geteuid(), getegid());
    if let Ok(act) = std::env::var(ACT) {
        println!("\nsaid {}", one(&config, &act));
        return;
    }
    for _ in 0..ROUNDS {
        let issued = keys::issue(&config, &key()).unwrap();
        let opened = sessions::open(&config, &session()).unwrap();
        println!("\nmade {} {}", issued.key, opened.token);
        // Every other one goes again, so that all kinds of changes meet.
        let gone = keys::issue(&config, &key()).unwrap();
        keys::revoke(&config, &gone.id).unwrap();
        let gone = sessions::open(&config, &session()).unwrap();
        assert!(sessions::close(&config, gone.token.as_bytes()).unwrap().closed);
    }
}

/// Does one thing, and says what came of it.
fn one(config: &Config, act: &str) -> String {
    match act.split_once(' ') {
        Some(("verify", key)) => {
            let said = keys::verify(config, key.as_bytes(), Permission::Read);
            said.map_or_else(
                |error| format!("error {error}"),
                |said| format!("{} {:?}", said.reason.unwrap_or("granted"), said.warnings),
            )
        }
        Some(("revoke", id)) => format!("{:?}", keys::revoke(config, id)),
        _ => keys::issue(config, &key()).map_or_else(|error| format!("error {error}"), |made| made.key),
    }
}

/// Lets another process do one thing, as a user where one is named; what it said.
pub(crate) fn ask(world: &World, user: Option<&User>, act: &str) -> String {
    let out = command(world, user).env(ACT, act).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = said.lines().find_map(|line| line.strip_prefix("said "));
    line.unwrap_or_else(|| panic!("{act}: {said}\n{}", String::from_utf8_lossy(&out.stderr))).to_owned()
}

/// A child of a user that gives others nothing of what it makes unless it says so.
fn spawn(world: &World, user: Option<&User>) -> Child {
    command(world, user).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn command(world: &World, user: Option<&User>) -> Command {
    let mut command = user.map_or_else(|| Command::new("sh"), |user| user.command("sh"));
    command
        .args(["-c", "umask 077; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "user", "--nocapture", "--test-threads=1"])
        .env(CHILD, world.config_file());
    command
}

/// Lets them change the files at the same time; the keys and tokens that they got.
fn all_at_once(world: &World, users: &[Option<User>]) -> Vec<(String, String)> {
    let children: Vec<Child> = users.iter().map(|user| spawn(world, user.as_ref())).collect();
    let mut made = Vec::new();
    for (child, user) in children.into_iter().zip(users) {
        let out = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(out.status.success(), "{user:?}: {said}\n{}", String::from_utf8_lossy(&out.stderr));
        let (uid, gid) = user.as_ref().map_or((0, 0), |user| (user.uid, user.gid));
        assert!(said.contains(&format!("\nuser {uid} {gid}\n")), "{said}");
        let lines = said.lines().filter_map(|line| line.strip_prefix("made ")?.split_once(' '));
        made.extend(lines.map(|(key, token)| (key.to_owned(), token.to_owned())));
    }
    assert_eq!(made.len(), users.len() * ROUNDS);
    made
}

fn judge(world: &World, made: &[(String, String)], revoked: usize) {
    let config = world.config();
    for (key, token) in made {
        assert!(keys::verify(&config, key.as_bytes(), Permission::Read).unwrap().granted, "a key is lost");
        let said = sessions::verify(&config, token.as_bytes(), Permission::Read).unwrap();
        assert!(said.granted, "a session is lost");
    }
    let all = world.value(KEYS);
    let is_off = all.as_array().unwrap().iter().filter(|key| key["active"] == false).count();
    assert_eq!((all.as_array().unwrap().len(), is_off), (1 + made.len() + revoked, revoked));
    assert_eq!(world.value(SESSIONS).as_object().unwrap().len(), 2 + made.len(), "closed ones are gone");
    let chain = events::verify(&config).unwrap();
    assert!(chain.ok, "{chain:?}");
}

pub(crate) fn is_root() -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        println!("skipped: only root can let children run as other users");
    }
    is_root
}

fn cron() -> User {
    User { uid: CRON, gid: CRON, groups: vec![SHARED] }
}

pub(crate) fn website() -> User {
    User { uid: WEBSITE, gid: WEBSITE, groups: vec![SHARED] }
}

#[test]
fn users_lose_nothing_of_each_other() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let users = [None, Some(cron()), Some(website()), Some(website())];
    let mut made = all_at_once(&world, &users);
    judge(&world, &made, made.len());
    for name in [KEYS, SESSIONS] {
        let (uid, gid, mode) = world.owner(name);
        // Who is not root can only own what he writes.
        assert!([CRON, WEBSITE].contains(&uid), "{name}: {uid}");
        assert_eq!((gid, mode), (SHARED, 0o664), "{name}");
    }
    // Each alone, on what the others left.
    for user in [Some(website()), None, Some(cron()), Some(website())] {
        made.extend(all_at_once(&world, &[user]));
    }
    judge(&world, &made, made.len());
    let names = world.names();
    assert!(!names.iter().any(|name| name.contains(".new-") || name.contains(".corrupt-")), "{names:?}");
}

#[test]
fn root_and_the_owner_keep_owner_group_and_mode() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let made = all_at_once(&world, &[None, Some(cron()), None]);
    judge(&world, &made, made.len());
    for name in [KEYS, SESSIONS] {
        assert_eq!(world.owner(name), (CRON, SHARED, 0o664), "{name}");
    }
}

/// A group that every machine of this kind has, and its number.
fn shared_group() -> Option<(&'static str, u32)> {
    let text = std::fs::read_to_string("/etc/group").unwrap();
    let number =
        text.lines().find_map(|line| line.strip_prefix("www-data:x:")?.split(':').next()?.parse().ok());
    if number.is_none() {
        println!("skipped: this machine has no group www-data");
    }
    number.map(|number| ("www-data", number))
}

/// An empty root of cron's user, who begins everything, and then the website comes.
#[test]
fn what_one_user_makes_first_the_other_can_use() {
    let Some((name, group)) = shared_group().filter(|_| is_root()) else { return };
    let cron = User { uid: CRON, gid: CRON, groups: vec![group] };
    let website = User { uid: WEBSITE, gid: group, groups: vec![group] };
    for (first, second) in [(&cron, &website), (&website, &cron)] {
        let world = World::bare(name, first.uid);
        let made = ask(&world, Some(first), "issue");
        assert!(made.starts_with("crk_"), "{made}");
        let (uid, gid, mode) = world.owner(KEYS);
        assert_eq!((uid, gid, mode), (first.uid, group, 0o664));
        for directory in ["shared_storage", "logs/security", "sync_state", "sync_state/access"] {
            let Ok(found) = std::fs::metadata(world.root().join(directory)) else { continue };
            assert_eq!((found.gid(), found.mode() & 0o770), (group, 0o770), "{directory}");
        }
        for user in [second, first, second] {
            let said = ask(&world, Some(user), &format!("verify {made}"));
            assert_eq!(said, "granted []", "{user:?}");
            let gone = world.issue_as(user);
            assert!(ask(&world, Some(second), &format!("revoke {gone}")).starts_with("Ok"), "{user:?}");
            assert_eq!((world.owner(KEYS).1, world.owner(KEYS).2), (group, 0o664), "{user:?}");
        }
        assert_eq!(world.value(KEYS)[0]["usage_count"], 1, "its use is written down");
    }
}

/// It would own what the cron user keeps there, and could exchange it.
#[test]
fn a_page_does_not_make_what_is_for_the_cron_user_and_can_use_what_that_one_makes() {
    let Some((name, group)) = shared_group().filter(|_| is_root()) else { return };
    let cron = User { uid: CRON, gid: CRON, groups: vec![group] };
    let website = User { uid: WEBSITE, gid: group, groups: vec![group] };
    let world = World::bare(name, CRON);
    std::os::unix::fs::chown(world.root(), None, Some(group)).unwrap();
    std::fs::set_permissions(world.root(), std::fs::Permissions::from_mode(0o2775)).unwrap();
    let said = ask(&world, Some(&website), "issue");
    assert!(said.starts_with("error this is missing, and for root to make"), "{said}");
    assert!(!world.root().join("sync_state").exists());
    let made = ask(&world, Some(&cron), "issue");
    assert_eq!(ask(&world, Some(&website), &format!("verify {made}")), "granted []");
    let found = std::fs::metadata(world.root().join("sync_state")).unwrap();
    assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (CRON, group, 0o3770));
    // Nor may it take away or shut a lock that the other one has made.
    let lock = world.root().join("sync_state/locks/api_keys.lock");
    for command in [format!("rm -f {0}", lock.display()), format!("chmod 400 {0}", lock.display())] {
        let status = website.command("sh").args(["-c", &command]).stderr(Stdio::null()).status().unwrap();
        assert!(!status.success(), "{command}");
    }
    world.issue_as(&website);
}

/// A file of a group that the website is not in.
#[test]
fn whoever_could_use_a_file_before_still_can() {
    let Some((name, group)) = shared_group().filter(|_| is_root()) else { return };
    for (named, is_member, expected) in [(name, true, 0o664), ("cr0sync-test-nobody", false, 0o644)] {
        let world = World::bare(named, CRON);
        let groups = if is_member { vec![group] } else { vec![SHARED] };
        let website = User { uid: WEBSITE, gid: WEBSITE, groups: groups.clone() };
        let cron = User { uid: CRON, gid: CRON, groups };
        let made = ask(&world, Some(&cron), "issue");
        let path = world.shared(KEYS);
        for directory in [
            "",
            "shared_storage",
            "sync_state",
            "sync_state/locks",
            "logs",
            "logs/security",
            "sync_state/events",
        ] {
            let path = world.root().join(directory);
            if path.is_dir() {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
            }
        }
        for entry in ["sync_state/locks", "logs/security", "sync_state/events"] {
            for file in std::fs::read_dir(world.root().join(entry)).into_iter().flatten() {
                let path = file.unwrap().path();
                if path.is_file() {
                    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
                }
            }
        }
        std::os::unix::fs::chown(&path, Some(CRON), Some(CRON)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o664)).unwrap();
        world.issue_as(&website);
        let (uid, gid, mode) = world.owner(KEYS);
        let of = if is_member { group } else { WEBSITE };
        assert_eq!((uid, gid, format!("{mode:o}")), (WEBSITE, of, format!("{expected:o}")), "{named}");
        let said = ask(&world, Some(&cron), &format!("verify {made}"));
        assert!(said.starts_with("granted"), "{said}");
    }
}
