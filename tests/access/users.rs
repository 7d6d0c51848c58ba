//! Root, cron's user and the website change the same files at once, as they lie on a machine: `0664` in a directory `2775`
//! of the group that they share. No change is lost, and each can go on with what another one has written.
//!
//! Real users, by number: root makes the children run as them, so that this is skipped for everybody else.

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
/// So many keys and sessions each of them adds.
const ROUNDS: usize = 25;

pub(crate) fn child() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let config = Config::load(Some(Path::new(&path)), None).unwrap();
    println!("\nuser {} {}", geteuid(), getegid());
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

/// A child of a user that gives others nothing of what it makes unless it says so.
fn spawn(world: &World, user: Option<&User>) -> Child {
    let mut command = user.map_or_else(|| Command::new("sh"), |user| user.command("sh"));
    command
        .args(["-c", "umask 077; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "user", "--nocapture", "--test-threads=1"])
        .env(CHILD, world.config_file())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
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

fn is_root() -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        println!("skipped: only root can let children run as other users");
    }
    is_root
}

fn cron() -> User {
    User { uid: CRON, gid: CRON, groups: vec![SHARED] }
}

fn website() -> User {
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
