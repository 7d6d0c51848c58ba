//! The table of attacks and accidents: what is done to a file, what must be found, with which exit bits.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::process::Command;

use base64::Engine;
use cr0sync::integrity::CheckOptions;
use cr0sync::report::FindingKind;
use rustix::fs::{FileType, makedev};
use serde_json::json;

use super::world::{World, pipe, special, tamper};

type Attack = (&'static str, fn(&World), &'static str, u32);

const TABLE: [Attack; 31] = [
    ("nothing", |_| {}, "", 0),
    (
        "content changed, with the modification time restored",
        |world| tamper(&world.path("web/auth.php"), "<?php // I am an adm"),
        "modified web/auth.php content,ctime\n",
        4,
    ),
    (
        "content changed",
        |world| world.write("web/index.html", "<h1>hacked by x</h1>"),
        "modified web/index.html content,size,mtime,ctime\n",
        4,
    ),
    ("a new file", |world| world.write("web/core/c.php", "x"), "added web/core/c.php\n", 1),
    (
        "a new directory with files",
        |world| world.write("web/core/d/e/f.php", "x"),
        "added web/core/d\nadded web/core/d/e\nadded web/core/d/e/f.php\n",
        1,
    ),
    (
        "a file is gone",
        |world| std::fs::remove_file(world.path("web/core/a.php")).unwrap(),
        "removed web/core/a.php\n",
        2,
    ),
    (
        "a directory is gone",
        |world| std::fs::remove_dir_all(world.path("web/data/uploads")).unwrap(),
        "removed web/data/uploads\nremoved web/data/uploads/picture.png\n",
        2,
    ),
    (
        "the whole site is gone",
        |world| std::fs::rename(world.web(), world.path("away")).unwrap(),
        "removed web\nremoved web/auth.php\nremoved web/core\nremoved web/core/a.php\nremoved web/core/b.php\n\
         removed web/core/link\nremoved web/data\nremoved web/data/pipe\nremoved web/data/uploads\n\
         removed web/data/uploads/picture.png\nremoved web/data/users.db\nremoved web/index.html\n",
        2,
    ),
    (
        "a file got another name",
        |world| std::fs::rename(world.path("web/core/a.php"), world.path("web/core/z.php")).unwrap(),
        "moved web/core/z.php from web/core/a.php\n",
        4,
    ),
    (
        "a picture becomes code",
        |world| {
            let name = world.path("web/data/uploads/picture.png");
            std::fs::rename(&name, name.with_file_name("picture.php")).unwrap();
        },
        "moved web/data/uploads/picture.php from web/data/uploads/picture.png\n",
        4,
    ),
    (
        "another name and other content, with the modification time restored",
        |world| {
            let name = world.path("web/core/z.php");
            std::fs::rename(world.path("web/core/a.php"), &name).unwrap();
            tamper(&name, "<?php // z");
        },
        "moved web/core/z.php from web/core/a.php\nmodified web/core/z.php content\n",
        4,
    ),
    (
        "another name and another mode",
        |world| {
            let name = world.path("web/core/z.php");
            std::fs::rename(world.path("web/core/a.php"), &name).unwrap();
            std::fs::set_permissions(name, std::fs::Permissions::from_mode(0o4755)).unwrap();
        },
        "moved web/core/z.php from web/core/a.php\nmodified web/core/z.php mode\n",
        4,
    ),
    (
        "a directory got another name, and a file in it other content",
        |world| {
            std::fs::rename(world.path("web/data/uploads"), world.path("web/data/u")).unwrap();
            tamper(&world.path("web/data/u/picture.png"), "jpg");
        },
        "moved web/data/u from web/data/uploads\n\
         moved web/data/u/picture.png from web/data/uploads/picture.png\n\
         modified web/data/u/picture.png content\n",
        4,
    ),
    (
        "a database got another name",
        |world| std::fs::rename(world.path("web/data/users.db"), world.path("web/data/u.db")).unwrap(),
        "moved web/data/u.db from web/data/users.db\n",
        4,
    ),
    (
        "replaced by identical content",
        |world| {
            let (path, other) = (world.path("web/core/a.php"), world.path("web/core/new"));
            std::fs::copy(&path, &other).unwrap();
            let before = std::fs::metadata(&path).unwrap().modified().unwrap();
            let times = std::fs::FileTimes::new().set_modified(before);
            std::fs::File::options().write(true).open(&other).unwrap().set_times(times).unwrap();
            std::fs::rename(other, path).unwrap();
        },
        "modified web/core/a.php inode,ctime\n",
        4,
    ),
    (
        "a symlink in place of a file",
        |world| {
            std::fs::rename(world.path("web/core/a.php"), world.path("outside.php")).unwrap();
            symlink(world.path("outside.php"), world.path("web/core/a.php")).unwrap();
        },
        "modified web/core/a.php type,mode,target\n",
        4,
    ),
    (
        "a symlink that leads elsewhere",
        |world| {
            // Made before the old one goes, or it could get that one's inode.
            symlink("/etc/passwd", world.path("other link")).unwrap();
            std::fs::rename(world.path("other link"), world.path("web/core/link")).unwrap();
        },
        "modified web/core/link target,inode,size,mtime,ctime\n",
        4,
    ),
    (
        "a directory is swapped for a symlink to another",
        |world| {
            std::fs::rename(world.path("web/core"), world.path("elsewhere")).unwrap();
            symlink(world.path("elsewhere"), world.path("web/core")).unwrap();
        },
        "modified web/core type,mode,target\nremoved web/core/a.php\nremoved web/core/b.php\nremoved web/core/link\n",
        6,
    ),
    (
        "a new symlink to a directory is not followed",
        |world| symlink("/etc", world.path("web/etc")).unwrap(),
        "added web/etc\n",
        1,
    ),
    (
        "a pipe in place of a file",
        |world| {
            let path = world.path("web/core/a.php");
            std::fs::remove_file(&path).unwrap();
            pipe(&path, 0o644).unwrap();
        },
        "modified web/core/a.php type\n",
        4,
    ),
    (
        "a socket",
        |world| drop(std::os::unix::net::UnixListener::bind(world.path("web/core/socket")).unwrap()),
        "added web/core/socket\n",
        1,
    ),
    (
        "something goes through a pipe",
        |world| {
            let path = world.path("web/data/pipe");
            let flags = std::fs::File::options().read(true).write(true).open(path).unwrap();
            std::io::Write::write_all(&mut &flags, b"x").unwrap();
        },
        "",
        0,
    ),
    (
        "a hard link to a watched file",
        |world| std::fs::hard_link(world.path("web/core/a.php"), world.path("held")).unwrap(),
        "modified web/core/a.php nlink,ctime\n",
        4,
    ),
    (
        "a file that runs as its owner",
        |world| {
            let path = world.path("web/core/a.php");
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o4755)).unwrap();
        },
        "modified web/core/a.php mode,ctime\n",
        4,
    ),
    (
        "a directory that everybody may write to",
        |world| {
            std::fs::set_permissions(world.path("web/core"), std::fs::Permissions::from_mode(0o777)).unwrap()
        },
        "modified web/core mode\n",
        4,
    ),
    (
        "a sparse file of two terabytes",
        |world| {
            let file = std::fs::File::create(world.path("web/data/hole")).unwrap();
            file.set_len(2 << 40).unwrap();
        },
        "added web/data/hole\n",
        1,
    ),
    (
        "a watched file becomes a sparse one of two terabytes",
        |world| {
            let file = std::fs::File::options().write(true).open(world.path("web/index.html")).unwrap();
            file.set_len(2 << 40).unwrap();
        },
        "modified web/index.html content,size,mtime,ctime\nunreadable web/index.html\n",
        12,
    ),
    (
        "a database is written to",
        |world| {
            let file = std::fs::File::options().write(true).open(world.path("web/data/users.db")).unwrap();
            file.write_all_at(b"more and more", 100).unwrap();
        },
        "",
        0,
    ),
    (
        "a database that everybody may read",
        |world| {
            let path = world.path("web/data/users.db");
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
        },
        "modified web/data/users.db mode\n",
        4,
    ),
    ("what is not watched", |world| world.write("web/x.log", "more"), "", 0),
    (
        "a directory and a symlink that are called like what is not watched",
        |world| {
            world.write("web/a.log/shell.php", "x");
            symlink("/etc", world.path("web/b.log")).unwrap();
        },
        "added web/a.log\nadded web/a.log/shell.php\nadded web/b.log\n",
        1,
    ),
];

#[test]
fn every_attack_is_found_as_what_it_is() {
    for (name, attack, expected, bits) in TABLE {
        for full in [false, true] {
            let world = World::new();
            let made = world.baseline();
            assert!(made.ok, "{name}: {made:?}");
            assert_eq!(world.lines(&world.check()), "", "{name}: before it");
            attack(&world);
            let report = world.check_with(&CheckOptions { full, ..CheckOptions::default() });
            assert_eq!(world.lines(&report), expected, "{name} (full: {full})");
            assert_eq!(report.exit_bits, bits, "{name}");
            assert_eq!(report.complete, bits & 8 == 0, "{name}");
            assert_eq!(report.exit_code(), i32::from(bits != 0), "{name}");
            // It stays found, and is told once.
            let again = world.check();
            assert_eq!(world.lines(&again), expected, "{name}: again");
            assert_eq!(again.new_findings, 0, "{name}: again");
            assert_eq!(again.exit_code(), report.exit_code(), "{name}: what is known is not well");
            assert_eq!(report.new_findings, u64::try_from(report.findings.len()).unwrap(), "{name}");
        }
    }
}

#[test]
fn a_database_is_not_opened_under_another_name() {
    let world = World::new();
    world.baseline();
    std::fs::rename(world.path("web/data/users.db"), world.path("web/data/users.txt")).unwrap();
    for full in [false, true] {
        let report = world.check_with(&CheckOptions { full, ..CheckOptions::default() });
        assert_eq!(world.lines(&report), "moved web/data/users.txt from web/data/users.db\n");
        let others = ["auth.php", "index.html", "core/a.php", "core/b.php", "data/uploads/picture.png"];
        let bytes: u64 =
            others.iter().map(|name| std::fs::metadata(world.web().join(name)).unwrap().len()).sum();
        assert_eq!(report.not_read, 1);
        assert!(!full || report.hashed_bytes == bytes, "{} of {bytes}", report.hashed_bytes);
    }
}

#[test]
fn severities_say_what_matters() {
    let world = World::new();
    world.baseline();
    world.write("web/auth.php", "x");
    world.write("web/core/new.php", "x");
    world.write("web/core/b.php", "x");
    world.write("web/data/uploads/shell.phtml", "x");
    world.write("web/data/uploads/.htaccess", "x");
    world.write("web/data/uploads/other.png", "x");
    std::fs::remove_file(world.path("web/core/a.php")).unwrap();
    let report = world.check();
    let all: Vec<String> = report
        .findings
        .iter()
        .map(|finding| format!("{} {}", finding.path.rsplit('/').next().unwrap(), finding.severity))
        .collect();
    let expected = [
        "auth.php CRITICAL",
        "a.php HIGH",
        "b.php HIGH",
        "new.php MEDIUM",
        ".htaccess CRITICAL",
        "other.png MEDIUM",
        "shell.phtml CRITICAL",
    ];
    assert_eq!(all, expected);
    assert_eq!(report.exit_bits, 7);
}

#[test]
fn any_name_is_told_exactly() {
    let world = World::new();
    world.baseline();
    let names: [&[u8]; 6] = [
        b"a\nb",
        b"\xff\xfe",
        b"\x1b[2J",
        b"quote\"\\",
        "\u{202e}php.gpj".as_bytes(),
        "caf\u{e9}".as_bytes(),
    ];
    for name in names {
        std::fs::write(world.web().join(OsStr::from_bytes(name)), "x").unwrap();
    }
    let report = world.check();
    assert_eq!(report.findings.len(), names.len());
    for name in names {
        let path = world.web().join(OsStr::from_bytes(name));
        let is_it = |finding: &&cr0sync::report::IntegrityFinding| match &finding.path_b64 {
            Some(exact) => {
                base64::engine::general_purpose::STANDARD.decode(exact).unwrap()
                    == path.as_os_str().as_bytes()
            }
            None => finding.path.as_bytes() == path.as_os_str().as_bytes(),
        };
        let found: Vec<_> = report.findings.iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{name:?}");
    }
    // And they are accepted and watched like all others.
    world.baseline();
    assert_eq!(world.lines(&world.check()), "");
    tamper(&world.web().join(OsStr::from_bytes(b"\xff\xfe")), "y");
    assert_eq!(world.lines(&world.check()), "modified web/\\xff\\xfe content,ctime\n");
}

#[test]
fn what_is_mounted_over_a_directory_is_found() {
    let world = World::new();
    world.baseline();
    let other = world.path("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("a.php"), "<?php // mine").unwrap();
    let mounted = Command::new("mount").arg("--bind").arg(&other).arg(world.path("web/core")).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: nothing can be mounted here");
        return;
    }
    let report = world.check();
    let unmounted = Command::new("umount").arg(world.path("web/core")).status().unwrap();
    assert!(unmounted.success());
    let lines = world.lines(&report);
    assert!(lines.starts_with("modified web/core "), "{lines}");
    assert!(lines.lines().next().unwrap().contains("mount"), "{lines}");
    assert!(lines.contains("removed web/core/b.php\n"), "{lines}");
    assert!(
        lines.contains("modified web/core/a.php content,") || lines.contains("added web/core/a.php"),
        "{lines}"
    );
    assert_eq!(world.lines(&world.check()), "");
}

#[test]
fn devices_are_looked_at_and_never_opened() {
    let world = World::new();
    let device = world.path("web/core/tape");
    let made = // A console that nobody has: to open it fails.
        special(&device, FileType::CharacterDevice, 0o600, makedev(4, 77));
    if made.is_err() {
        println!("skipped: no device can be made here");
        return;
    }
    assert!(world.baseline().ok);
    let report = world.check_with(&CheckOptions { full: true, ..CheckOptions::default() });
    assert_eq!((world.lines(&report).as_str(), report.complete), ("", true));
    std::fs::remove_file(&device).unwrap();
    special(&device, FileType::CharacterDevice, 0o600, makedev(1, 1)).unwrap();
    let lines = world.lines(&world.check());
    assert!(lines.starts_with("modified web/core/tape device"), "{lines}");
}

#[test]
fn extended_attributes_are_compared_when_asked() {
    for (asked, expected) in
        [(true, "modified web/core/a.php xattrs,ctime\nmodified web/data xattrs\n"), (false, "")]
    {
        let world = World::with(json!({ "xattrs": asked }));
        let set = |name: &str| {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(world.path(name), "user.cr0", b"x", flags)
        };
        if set("web/index.html").is_err() {
            println!("skipped: this file system has no extended attributes");
            return;
        }
        world.baseline();
        set("web/core/a.php").unwrap();
        set("web/data").unwrap();
        let lines = world.lines(&world.check());
        let lines = if asked { lines } else { lines.replace("modified web/core/a.php ctime\n", "") };
        assert_eq!(lines, expected);
        if asked {
            assert_eq!(world.lines(&world.check()), expected, "again, without reading it");
        }
    }
}

#[test]
fn only_what_is_asked_for_is_looked_at() {
    let world = World::new();
    world.baseline();
    world.write("web/core/a.php", "x");
    world.write("web/index.html", "y");
    let only = |name: &str| CheckOptions { paths: vec![world.path(name)], ..CheckOptions::default() };
    let report = world.check_with(&only("web/core"));
    assert_eq!(world.lines(&report), "modified web/core/a.php content,size,mtime,ctime\n");
    assert!(!report.complete && report.checked == 4, "{report:?}");
    let report = world.check_with(&only("web/core/a.php"));
    assert_eq!((report.findings.len(), report.new_findings), (1, 0));
    std::fs::remove_file(world.path("web/core/a.php")).unwrap();
    assert_eq!(world.lines(&world.check_with(&only("web/core/a.php"))), "removed web/core/a.php\n");
    let error = cr0sync::integrity::check(&world.config, &only("root")).unwrap_err();
    assert_eq!(error.kind(), cr0sync::ErrorKind::Usage);
    // What was not looked at is still open.
    let report = world.check();
    assert_eq!(report.findings.len(), 2);
    assert_eq!(report.new_findings, 1, "only index.html is new: {report:?}");
    assert!(report.findings.iter().any(|finding| finding.kind == FindingKind::Removed));
}
