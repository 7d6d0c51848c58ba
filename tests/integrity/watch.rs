//! A watcher at work: what really happens to real files, told by the kernel, must be found at once and whole.
//!
//! Whoever watches is asked several times a second whether it goes on. That is where these tests do what is to be found:
//! meanwhile nothing is read of what the kernel tells, so that its queue can be made to overflow.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use cr0sync::integrity::{self, Continue, WatchOptions};
use cr0sync::report::{IntegrityWatchReport, WatchEnd};
use serde_json::{Value, json};

use super::world::{World, answer};

/// What is not found by then is not found at all.
const LIMIT: WatchOptions = WatchOptions { seconds: Some(120), rescan_seconds: None };

/// Something that happens, and the lines that must be found then.
type Step<'a> = (Box<dyn Fn() + 'a>, Vec<String>);

fn step<'a>(act: impl Fn() + 'a, lines: &[&str]) -> Step<'a> {
    (Box::new(act), lines.iter().map(|line| (*line).to_owned()).collect())
}

/// Watches while one thing after the other happens, each when the one before was found. Returns the report, and all that was
/// found after the first look.
fn scene(world: &World, steps: &[Step<'_>]) -> (IntegrityWatchReport, BTreeSet<String>) {
    let mut waiting = steps.iter();
    let mut wanted: Option<&Vec<String>> = None;
    let (mut found, mut all) = (BTreeSet::new(), BTreeSet::new());
    let report = integrity::watch(&world.config, LIMIT, &mut |news| {
        let Some(report) = news.report else { return Continue::Yes };
        found.extend(world.lines(report).lines().map(str::to_owned));
        if wanted.is_some_and(|wanted| !wanted.iter().all(|line| found.contains(line))) {
            return Continue::Yes;
        }
        if wanted.is_some() {
            all.extend(std::mem::take(&mut found));
        }
        let Some((act, lines)) = waiting.next() else { return Continue::Stop };
        found.clear();
        wanted = Some(lines);
        act();
        Continue::Yes
    })
    .unwrap();
    assert_eq!(report.ended, WatchEnd::Asked, "wanted: {wanted:?}\nfound: {found:?}\n{report:?}");
    (report, all)
}

/// The events of a kind.
fn events(world: &World, kind: &str) -> Vec<Value> {
    let text = fs::read_to_string(&world.config.events.log).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|event| event.to_string().contains(kind)).collect()
}

#[test]
fn each_change_is_found_at_once() {
    let world = World::new();
    world.baseline();
    let path = |name: &str| world.path(&format!("web/{name}"));
    let (report, all) = scene(
        &world,
        &[
            step(|| world.write("web/new.php", "new"), &["added web/new.php"]),
            step(
                || world.write("web/core/a.php", "<?php // other"),
                &["modified web/core/a.php content,size,mtime,ctime"],
            ),
            step(|| fs::remove_file(path("index.html")).unwrap(), &["removed web/index.html"]),
            step(
                || fs::set_permissions(path("auth.php"), fs::Permissions::from_mode(0o600)).unwrap(),
                &["modified web/auth.php mode,ctime"],
            ),
            step(
                || fs::rename(path("core/b.php"), path("data/c.php")).unwrap(),
                &["moved web/data/c.php from web/core/b.php"],
            ),
            // A directory that cannot be read, for anybody but root, and then can.
            step(
                || fs::set_permissions(path("data"), fs::Permissions::from_mode(0o700)).unwrap(),
                &["modified web/data mode"],
            ),
            step(
                || {
                    // What is not watched: a pattern of what to ignore, and what is in a database.
                    world.write("web/x.log", "more");
                    world.write("web/data/users.db", "more");
                    world.write("web/last.php", "");
                },
                &["added web/last.php"],
            ),
        ],
    );
    assert!(!all.iter().any(|line| line.contains("x.log") || line.contains("users.db")), "{all:?}");
    assert_eq!((report.overflows, report.rescans, report.warnings.len()), (0, 1, 0), "{report:?}");
    // `web`, `core`, `data`, `uploads`, and what lies above.
    assert_eq!(report.watches, 5);
    let status = integrity::status(&world.config).unwrap().watch;
    assert_eq!((status.running, status.stale, status.heartbeat), (false, false, None), "it ended in order");
}

#[test]
fn directories_that_are_made_and_filled_in_one_go_are_found_whole_and_watched() {
    let world = World::new();
    world.baseline();
    let mut lines = Vec::new();
    for directory in 0..20 {
        for file in 0..30 {
            lines.push(format!("added web/a/{directory}/b/c/{file}.php"));
        }
    }
    let fill = || {
        for directory in 0..20 {
            for file in 0..30 {
                world.write(&format!("web/a/{directory}/b/c/{file}.php"), "x");
            }
        }
    };
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (report, _) = scene(
        &world,
        &[
            step(fill, &lines),
            step(|| world.write("web/a/17/b/c/later.php", ""), &["added web/a/17/b/c/later.php"]),
            step(|| world.write("web/a/3/b/x/y/z/deep.php", ""), &["added web/a/3/b/x/y/z/deep.php"]),
        ],
    );
    assert_eq!((report.overflows, report.rescans), (0, 1), "{report:?}");
}

#[test]
fn directories_that_are_renamed_are_known_by_their_new_names() {
    let world = World::new();
    for file in 0..5 {
        world.write(&format!("web/core/deep/down/{file}.php"), "x");
    }
    world.baseline();
    let path = |name: &str| world.path(&format!("web/{name}"));
    let (report, all) = scene(
        &world,
        &[
            step(
                || fs::rename(path("core"), path("other")).unwrap(),
                &[
                    "moved web/other from web/core",
                    "moved web/other/deep/down/4.php from web/core/deep/down/4.php",
                ],
            ),
            step(|| world.write("web/other/deep/down/new.php", ""), &["added web/other/deep/down/new.php"]),
            // Another takes its name, in one go, and is changed.
            step(
                || world.write("web/core/deep/down/0.php", "y!"),
                &["modified web/core/deep/down/0.php content,inode,size,mtime,ctime"],
            ),
            step(|| world.write("web/core/deep/down/other.php", ""), &["added web/core/deep/down/other.php"]),
            step(|| world.write("web/other/deep/again.php", ""), &["added web/other/deep/again.php"]),
            // Out of what is watched, and back.
            step(|| fs::rename(path("other"), world.path("outside")).unwrap(), &["removed web/core/a.php"]),
            step(
                || {
                    world.write("outside/deep/down/unseen.php", "");
                    world.write("web/seen.php", "");
                },
                &["added web/seen.php"],
            ),
            step(
                || fs::rename(world.path("outside"), path("back")).unwrap(),
                &["added web/back/deep/down/unseen.php"],
            ),
            step(|| world.write("web/back/deep/down/more.php", ""), &["added web/back/deep/down/more.php"]),
        ],
    );
    assert!(!all.iter().any(|line| line.contains("outside")), "{all:?}");
    assert_eq!((report.overflows, report.rescans), (0, 1), "{report:?}");
}

#[test]
fn directories_that_change_places_are_both_watched() {
    let world = World::new();
    world.write("web/a/in_a.php", "");
    world.write("web/b/in_b.php", "");
    world.baseline();
    let exchange = || {
        let (a, b) = (world.path("web/a"), world.path("web/b"));
        rustix::fs::renameat_with(rustix::fs::CWD, a, rustix::fs::CWD, b, rustix::fs::RenameFlags::EXCHANGE)
            .unwrap();
    };
    let (report, _) = scene(
        &world,
        &[
            step(
                exchange,
                &["moved web/a/in_b.php from web/b/in_b.php", "moved web/b/in_a.php from web/a/in_a.php"],
            ),
            step(|| world.write("web/a/new.php", ""), &["added web/a/new.php"]),
            step(|| world.write("web/b/new.php", ""), &["added web/b/new.php"]),
        ],
    );
    assert_eq!((report.overflows, report.rescans), (0, 1), "{report:?}");
}

#[test]
fn a_symlink_to_a_directory_is_found_and_not_followed() {
    let world = World::new();
    world.write("secret/a.php", "");
    world.baseline();
    let (report, all) = scene(
        &world,
        &[
            step(
                || symlink(world.path("secret"), world.path("web/core/out")).unwrap(),
                &["added web/core/out"],
            ),
            step(
                || {
                    world.write("secret/b.php", "");
                    world.write("web/c.php", "");
                },
                &["added web/c.php"],
            ),
        ],
    );
    assert!(!all.iter().any(|line| line.contains("b.php")), "{all:?}");
    assert_eq!(report.watches, 5);
}

#[test]
fn a_root_that_is_removed_and_made_anew_is_watched_again() {
    let world = World::new();
    world.baseline();
    let fill = || {
        world.write("web/auth.php", "other");
        world.write("web/deep/down/a.php", "");
    };
    scene(
        &world,
        &[
            step(|| fs::remove_dir_all(world.web()).unwrap(), &["removed web", "removed web/auth.php"]),
            step(fill, &["added web/deep/down/a.php"]),
            step(|| world.write("web/deep/down/b.php", ""), &["added web/deep/down/b.php"]),
            // Both in one go, and by renaming.
            step(
                || {
                    fs::remove_dir_all(world.web()).unwrap();
                    world.write("web/one.php", "");
                },
                &["added web/one.php"],
            ),
            step(|| world.write("web/two.php", ""), &["added web/two.php"]),
            step(
                || {
                    world.write("fresh/three.php", "");
                    fs::rename(world.web(), world.path("old")).unwrap();
                    fs::rename(world.path("fresh"), world.web()).unwrap();
                },
                &["added web/three.php"],
            ),
            step(|| world.write("web/four.php", ""), &["added web/four.php"]),
        ],
    );
}

#[test]
fn a_root_whose_directories_above_are_moved_is_found() {
    let world = World::new();
    let site = world.path("a/b/site");
    fs::create_dir_all(&site).unwrap();
    world.watch(&json!({ "monitored_files": [world.path("a/b/file.php")], "monitored_directories": [site] }));
    world.write("a/b/site/x.php", "");
    world.write("a/b/file.php", "");
    world.baseline();
    scene(
        &world,
        &[
            step(|| world.write("a/b/file.php", "more"), &["modified a/b/file.php content,size,mtime,ctime"]),
            step(|| fs::rename(world.path("a"), world.path("z")).unwrap(), &["removed a/b/site/x.php"]),
            step(
                || {
                    world.write("a/b/site/y.php", "");
                },
                &["added a/b/site/y.php"],
            ),
            step(|| world.write("a/b/site/down/z.php", ""), &["added a/b/site/down/z.php"]),
        ],
    );
}

#[test]
fn another_list_of_what_to_watch_counts_at_once() {
    let world = World::new();
    world.write("more/a.php", "");
    world.baseline();
    let list = || {
        world.watch(
            &json!({ "monitored_files": [], "monitored_directories": [world.web(), world.path("more")] }),
        );
    };
    scene(
        &world,
        &[step(list, &["added more/a.php"]), step(|| world.write("more/b.php", ""), &["added more/b.php"])],
    );
}

#[test]
fn a_burst_beyond_what_the_kernel_keeps_is_found_whole_by_one_rescan() {
    let world = World::new();
    for directory in 0..10 {
        world.write(&format!("web/full/{directory}/first.php"), "");
    }
    world.baseline();
    let kept = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let kept: usize = kept.trim().parse().unwrap();
    // Each is told at least twice: made, and closed.
    let files = 20_000.max(kept);
    let names: Vec<String> = (0..files).map(|file| format!("web/full/{}/{file}.php", file % 10)).collect();
    let lines: Vec<String> = names.iter().map(|name| format!("added {name}")).collect();
    let mut wanted: Vec<&str> = lines.iter().map(String::as_str).collect();
    // The last is made where nothing is watched yet.
    wanted.push("added web/full/new/deep/last.php");
    let burst = || {
        for name in &names {
            fs::write(world.path(name), "").unwrap();
        }
        world.write("web/full/new/deep/last.php", "");
    };
    let (report, all) = scene(
        &world,
        &[
            step(burst, &wanted),
            step(|| world.write("web/full/new/deep/after.php", ""), &["added web/full/new/deep/after.php"]),
        ],
    );
    assert_eq!(all.iter().filter(|line| line.ends_with(".php")).count(), files + 2);
    assert_eq!((report.overflows, report.rescans), (1, 2), "one look at everything: {}", report.checks);
    assert_eq!(events(&world, "watch_overflow").len(), 1);
}

#[test]
fn a_watcher_that_is_killed_is_missed_once_and_a_second_one_is_turned_away() {
    let world = World::new();
    world.baseline();
    let heartbeat = world.path("root/sync_state/private/watch");
    let mut watcher = world.spawn("watch 600");
    while !fs::read_to_string(&heartbeat).is_ok_and(|text| text.contains("beats")) {
        assert!(watcher.try_wait().unwrap().is_none(), "it ended");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let second = answer(&world.spawn("watch 600").wait_with_output().unwrap());
    assert_eq!(second["kind"], "locked");
    let run = || cr0sync::security::run(&world.config).unwrap();
    let report = run();
    assert_eq!((report.missed, report.watch.running, report.watch.stale), (None, true, false));
    watcher.kill().unwrap();
    watcher.wait().unwrap();
    // As if it were long ago.
    for path in [heartbeat.clone(), world.path("root/sync_state/integrity/watch")] {
        let text = fs::read_to_string(&path).unwrap();
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let up = (words[3].parse::<u64>().unwrap() - 61).to_string();
        words[3] = &up;
        fs::write(&path, words.join(" ") + "\n").unwrap();
    }
    let report = run();
    assert!(report.missed.is_some() && report.watch.stale, "{report:?}");
    assert_eq!((report.exit_code(), events(&world, "monitor_stale").len()), (1, 1));
    let report = run();
    let code = report.exit_code();
    assert_eq!((report.missed, code, events(&world, "monitor_stale").len()), (None, 0, 1));
    // It is started again, and ends in order.
    let report = answer(&world.spawn("watch 0").wait_with_output().unwrap());
    assert_eq!(report["ended"], "time", "{report}");
    let report = run();
    assert_eq!((report.watch.stale, report.watch.heartbeat), (false, None));
    assert!(!fs::read_to_string(&heartbeat).unwrap().contains("beats"));
}

/// Does something in a process that may mount, and whose limits are its own; none where there is no such thing.
fn apart(world: &World, setup: &str, what: &str) -> Option<Value> {
    let path = std::env::current_exe().unwrap();
    let shell = format!("{setup} && exec {} child --exact --nocapture", path.display());
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &shell]);
    let probe = Command::new("unshare").args(["--user", "--map-root-user", "--mount", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        println!("skipped: there are no namespaces for users here");
        return None;
    }
    Some(answer(&command.env(super::world::CHILD, world.order(what)).output().unwrap()))
}

#[test]
fn without_enough_watches_it_says_so_and_looks_at_everything_again_and_again() {
    let world = World::new();
    for directory in 0..20 {
        world.write(&format!("web/many/{directory}/a.php"), "");
    }
    world.baseline();
    let setup = "echo 3 > /proc/sys/user/max_inotify_watches";
    let Some(report) = apart(&world, setup, "watch-short") else { return };
    let text = report.to_string();
    assert!(text.contains("fs.inotify.max_user_watches"), "{text}");
    assert!(text.contains("many/19/unwatched.php"), "{text}");
    assert_eq!(events(&world, "watch_overflow").len(), 1);
    // Without a single watcher it is the same.
    let setup = "echo 0 > /proc/sys/user/max_inotify_instances";
    let Some(report) = apart(&world, setup, "watch-short") else { return };
    let text = report.to_string();
    assert!(text.contains("fs.inotify.max_user_instances") && text.contains("\"watches\":0"), "{text}");
}

#[test]
fn a_watch_that_is_lost_has_its_root_looked_at() {
    let world = World::new();
    world.write("web/mounted/here.php", "");
    world.baseline();
    let setup = format!("mount -t tmpfs none {}", world.path("web/mounted").display());
    let Some(report) = apart(&world, &setup, "watch-unmount") else { return };
    let text = report.to_string();
    assert!(text.contains("below.php"), "{text}");
    assert_eq!(report["ended"], "asked", "{text}");
    let events = events(&world, "watch_overflow");
    assert!(events.len() == 1 && events[0].to_string().contains("web/mounted"), "{events:?}");
}

/// What the children of these tests do.
pub(crate) fn child(config: &cr0sync::Config, what: &str) -> cr0sync::Result<Value> {
    let web = config.root.parent().unwrap().join("web");
    let value = |report: IntegrityWatchReport| serde_json::to_value(report).unwrap();
    if let Some(seconds) = what.strip_prefix("watch ") {
        let options = WatchOptions { seconds: seconds.parse().ok(), ..LIMIT };
        return integrity::watch(config, options, &mut |_| Continue::Yes).map(value);
    }
    // One thing after the other, each after a check, until this is found.
    let until = |name: &str, acts: &[&dyn Fn(&Path)]| {
        let options = WatchOptions { rescan_seconds: Some(0), ..LIMIT };
        let mut acts = acts.iter();
        let mut has_acted = false;
        integrity::watch(config, options, &mut |news| {
            let is_found = |report: &cr0sync::report::IntegrityReport| {
                report.findings.iter().any(|finding| finding.path.ends_with(name))
            };
            if has_acted && news.report.is_some_and(is_found) {
                return Continue::Stop;
            }
            if let Some(act) = news.report.and_then(|_| acts.next()) {
                has_acted = true;
                act(&web);
            }
            Continue::Yes
        })
        .map(value)
    };
    match what {
        "watch-short" => {
            until("unwatched.php", &[&|web| fs::write(web.join("many/19/unwatched.php"), "").unwrap()])
        }
        _ => until(
            "below.php",
            &[
                &|web| {
                    let unmounted = Command::new("umount").arg(web.join("mounted")).status().unwrap();
                    assert!(unmounted.success());
                },
                // When that was looked at: only a watch on what was hidden tells of it.
                &|web| fs::write(web.join("mounted/below.php"), "").unwrap(),
            ],
        ),
    }
}
