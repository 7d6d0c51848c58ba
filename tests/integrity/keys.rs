//! What others may have read or written of what only the cron user should: the key that signs, what lies beside it, and the
//! public key that pages verify with. Nobody else's is believed or signs, and whatever is wrong is told.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use cr0sync::ErrorKind;
use cr0sync::integrity::{self, Accept, CheckOptions};
use cr0sync::report::{FindingKind, IntegrityReport};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

use super::world::World;

/// The website's user.
const WEBSITE: u32 = 33;

fn private(world: &World, name: &str) -> PathBuf {
    world.path("root/sync_state/private").join(name)
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn give(path: &Path) {
    chown(path, Some(WEBSITE), Some(WEBSITE)).unwrap();
}

/// Only root can give files away.
fn is_root() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        println!("skipped: only root can give files away");
    }
    is_root
}

/// The findings about what we remember, as where and why.
fn doubts(report: &IntegrityReport) -> Vec<(String, String)> {
    let all = report.findings.iter().filter(|finding| finding.kind == FindingKind::Baseline);
    all.map(|finding| (finding.path.clone(), finding.reason.clone().unwrap())).collect()
}

type Case = (&'static str, &'static str, fn(&Path), &'static str);

const REFUSED: [Case; 8] = [
    ("somebody else's key", "integrity.key", give, "belongs to another user (number 33)"),
    ("a key that the group may write", "integrity.key", |path| mode(path, 0o620), "others may write to it"),
    ("a key that all may write", "integrity.key", |path| mode(path, 0o602), "others may write to it"),
    (
        "a symlink to a key",
        "integrity.key",
        |path| {
            std::fs::rename(path, path.with_extension("away")).unwrap();
            symlink(path.with_extension("away"), path).unwrap();
        },
        "no regular file",
    ),
    ("somebody else's record", "integrity.head", give, "belongs to another user (number 33)"),
    ("a record that others may write", "integrity.head", |path| mode(path, 0o660), "others may write to it"),
    ("somebody else's directory", "", give, "not the cron user's alone (user 33, mode 700)"),
    ("a directory that others may write to", "", |path| mode(path, 0o722), "mode 722"),
];

#[test]
fn what_others_could_have_written_is_neither_believed_nor_does_it_sign() {
    if !is_root() {
        return;
    }
    for (name, file, harm, expected) in REFUSED {
        let world = World::new();
        world.baseline();
        assert!(world.check().ok, "{name}");
        let key = std::fs::read(private(&world, "integrity.key")).unwrap();
        harm(&private(&world, file));
        for _ in 0..2 {
            let report = world.check();
            let [(_, reason)] = &doubts(&report)[..] else { panic!("{name}: {report:?}") };
            assert!(reason.contains(expected), "{name}: {reason}");
            assert_eq!((report.findings.len(), report.exit_bits), (1, 16), "{name}");
            assert!(report.guarantee.starts_with("none"), "{name}");
        }
        let refused = integrity::accept(&world.config, &[world.web()], Accept::Sign).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{name}");
        if file == "integrity.head" {
            // It is written anew by whoever makes a baseline, and the key is as good as it was.
            world.baseline();
            assert!(world.check().ok, "{name}");
            continue;
        }
        let refused = integrity::baseline(&world.config, None).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{name}");
        // As it says.
        let place = private(&world, file);
        std::fs::rename(&place, world.path("moved away")).unwrap();
        world.baseline();
        assert!(world.check().ok, "{name}");
        assert_ne!(std::fs::read(private(&world, "integrity.key")).unwrap(), key, "{name}");
    }
}

/// Signs a baseline that follows the one that is there, as whoever knows the key can.
fn forge(world: &World, key: &str) {
    let store = world.path("root/sync_state/integrity/baseline");
    let bytes = std::fs::read(&store).unwrap();
    let unsigned = &bytes[..bytes.len() - 64];
    let mut next = unsigned.to_vec();
    let generation = u64::from_le_bytes(next[16..24].try_into().unwrap()) + 1;
    next[16..24].copy_from_slice(&generation.to_le_bytes());
    next[32..64].copy_from_slice(&Sha256::digest(unsigned));
    let seed: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).unwrap()).collect();
    let digest = Sha256::digest(&next);
    let signed = [&b"cr0sync baseline\0"[..], &digest].concat();
    let signature = SigningKey::from_bytes(&seed.try_into().unwrap()).sign(&signed);
    next.extend_from_slice(&signature.to_bytes());
    std::fs::write(store, next).unwrap();
}

#[test]
fn a_key_that_others_could_read_signs_nothing_more_and_is_told_until_there_is_another() {
    for seen in [0o644, 0o640, 0o604] {
        let world = World::new();
        world.baseline();
        let path = private(&world, "integrity.key");
        let text = std::fs::read_to_string(&path).unwrap();
        mode(&path, seen);
        world.write("web/core/a.php", "changed");
        let report = world.check();
        let [(place, reason)] = &doubts(&report)[..] else { panic!("{seen:o}: {report:?}") };
        assert!(place.ends_with("integrity.key") && reason.contains(&format!("(mode {seen:o})")), "{reason}");
        assert!(reason.contains("make a new baseline"), "{reason}");
        assert_eq!(report.exit_bits, 16 | 4, "what was accepted before is compared: {report:?}");
        // That nobody can read it now does not make it a secret.
        mode(&path, 0o600);
        let report = world.check();
        assert!(doubts(&report)[0].1.contains("could read it before"), "{report:?}");
        let refused = integrity::accept(&world.config, &[world.web()], Accept::Sign).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt);
        // Whoever knows it signs, and is not believed.
        let store = world.path("root/sync_state/integrity/baseline");
        let before = std::fs::read(&store).unwrap();
        forge(&world, text.split_whitespace().last().unwrap());
        let report = world.check();
        assert!(doubts(&report)[1].1.contains("others may have signed"), "{report:?}");
        assert_eq!((report.generation, report.exit_bits), (1, 16 | 4), "the last one counts: {report:?}");
        assert_eq!(std::fs::read(&store).unwrap(), before, "and was written again");
        let made = world.baseline();
        assert!(made.warnings.iter().any(|warning| warning.contains("a new one signs")), "{made:?}");
        assert_eq!(made.generation, 2);
        assert!(world.check().ok);
        assert_ne!(std::fs::read_to_string(&path).unwrap(), text);
        let now = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(now & 0o7777, 0o600);
    }
}

#[test]
fn a_key_that_was_open_with_its_directory_is_none_when_both_are_mended() {
    let world = World::new();
    world.baseline();
    let (path, directory) = (private(&world, "integrity.key"), private(&world, ""));
    mode(&directory, 0o755);
    assert!(!doubts(&world.check())[0].1.contains("could read the key"), "nobody could");
    mode(&path, 0o644);
    let report = world.check();
    let [(_, reason)] = &doubts(&report)[..] else { panic!("{report:?}") };
    assert!(reason.contains("mode 755") && reason.contains("others could read the key in it"), "{reason}");
    mode(&path, 0o600);
    mode(&directory, 0o700);
    let accept =
        || integrity::accept(&world.config, &[world.web()], Accept::Sign).map_err(|error| error.kind());
    assert!(doubts(&world.check())[0].1.contains("could read it before"));
    assert_eq!(accept().unwrap_err(), ErrorKind::Corrupt);
    // Whoever could write down that nobody could read it has it no better.
    std::fs::write(private(&world, "integrity.exposed"), "none").unwrap();
    mode(&private(&world, "integrity.exposed"), 0o666);
    assert!(doubts(&world.check()).iter().any(|(_, reason)| reason.contains("could read it is not known")));
    assert_eq!(accept().unwrap_err(), ErrorKind::Corrupt);
    assert!(world.baseline().new_key);
    assert!(world.check().ok && accept().is_ok());
}

#[test]
fn what_is_forged_with_a_key_that_nobody_knows_would_be_believed() {
    // Or the test above would prove nothing.
    let world = World::new();
    world.baseline();
    let text = std::fs::read_to_string(private(&world, "integrity.key")).unwrap();
    forge(&world, text.split_whitespace().last().unwrap());
    assert_eq!(world.check().generation, 2);
}

#[test]
fn what_is_remembered_beside_the_key_counts_for_nothing_when_others_could_have_written_it() {
    if !is_root() {
        return;
    }
    for name in ["integrity.seen", "integrity.open", "schedule"] {
        let world = World::new();
        world.baseline();
        world.write("web/core/a.php", "changed");
        assert_eq!((world.check().new_findings, world.check().new_findings), (1, 0), "{name}");
        std::fs::write(private(&world, "schedule"), "{}").unwrap();
        give(&private(&world, name));
        let report = world.check();
        let [(place, reason)] = &doubts(&report)[..] else { panic!("{name}: {report:?}") };
        assert!(place.ends_with(name) && reason.contains("another user (number 33)"), "{name}: {reason}");
        // Whoever could write down that it was told could keep it quiet.
        assert_eq!(report.new_findings, if name == "integrity.open" { 2 } else { 1 }, "{name}");
        if name != "schedule" {
            let report = world.check();
            assert_eq!((report.findings.len(), report.new_findings), (1, 0), "{name}: it is ours again");
        }
    }
}

#[test]
fn another_public_key_for_pages_is_told_and_written_again() {
    for (name, text) in [
        ("another", Some("5ikM2y0KXTXvAAWZ9GSFrs+JZUTbiUAG7Tci8hLMkHM=\n")),
        ("none", Some("x")),
        ("gone", None),
    ] {
        let world = World::new();
        world.baseline();
        let path = world.path("root/sync_state/integrity/public_key");
        let ours = std::fs::read(&path).unwrap();
        match text {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let harmed = std::fs::read(&path).ok();
        let status = integrity::status(&world.config).unwrap();
        let problem = status.problems.iter().find(|one| one.problem.contains("pages verify with")).unwrap();
        assert_eq!(
            (problem.first.as_deref(), problem.next),
            (Some("find out who did that"), "check"),
            "{name}"
        );
        // A check of some files writes nothing but what it remembers.
        let some = CheckOptions { paths: vec![world.web()], ..CheckOptions::default() };
        for options in [some, CheckOptions::default()] {
            assert_eq!(std::fs::read(&path).ok(), harmed, "{name}");
            let report = world.check_with(&options);
            let [(place, reason)] = &doubts(&report)[..] else { panic!("{name}: {report:?}") };
            assert!(place.ends_with("integrity/public_key"), "{name}: {place}");
            assert!(reason.contains("pages verify with"), "{name}: {reason}");
            assert_eq!((report.findings.len(), report.exit_bits, report.generation), (1, 16, 1), "{name}");
            let is_told =
                report.warnings.iter().any(|warning| warning.contains("public_key was written again"));
            assert_eq!(is_told, options.paths.is_empty(), "{name}: {report:?}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), ours, "{name}");
        assert!(world.check().ok, "{name}");
    }
}

#[test]
fn a_list_that_may_not_be_read_is_told_and_stops_no_check() {
    let user = 54_321;
    for name in ["file_hashes.json", "file_hashes.json.sig"] {
        let world = World::new();
        world.give_to(user);
        let Some(made) = world.as_user(user, "baseline") else { return };
        assert_eq!(made["ok"], true, "{made}");
        let path = world.config.integrity.baseline.with_file_name(name);
        chown(&path, Some(WEBSITE), Some(WEBSITE)).unwrap();
        mode(&path, 0o600);
        let report = world.as_user(user, "check").unwrap();
        let findings = report["findings"].as_array().unwrap();
        assert_eq!((findings.len(), &report["exit_bits"]), (1, &16.into()), "{report}");
        assert!(findings[0]["reason"].as_str().unwrap().contains("may not be read"), "{report}");
    }
}

/// Its owner may put an older private directory there, whatever its mode says.
#[test]
fn what_lies_in_a_directory_of_somebody_else_is_not_believed() {
    if !is_root() {
        return;
    }
    let world = World::new();
    world.baseline();
    let state = world.path("root/sync_state");
    let before = std::fs::metadata(&state).unwrap();
    chown(&state, Some(WEBSITE), None).unwrap();
    let report = world.check();
    let [(place, reason)] = &doubts(&report)[..] else { panic!("{report:?}") };
    assert!(place.ends_with("sync_state/private") && reason.contains("(user 33)"), "{place}: {reason}");
    let status = integrity::status(&world.config).unwrap();
    let first = status.problems[0].first.clone().unwrap();
    assert!(first.contains("as root: chown ") && first.ends_with("/sync_state"), "{status:?}");
    let error = integrity::baseline(&world.config, None).unwrap_err();
    assert!(error.hint_text().unwrap().contains("as root: chown "), "{error:?}");
    chown(&state, Some(std::os::unix::fs::MetadataExt::uid(&before)), None).unwrap();
    assert!(world.check().ok);
}
