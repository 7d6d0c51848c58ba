//! What may happen to a baseline, and who may make one: each is told, and none is made anew by itself.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use base64::Engine;
use cr0sync::integrity::{self, Accept, CheckOptions};
use cr0sync::{ErrorKind, report::FindingKind};
use serde_json::{Value, json};

use super::world::{World, tamper};

fn store(world: &World) -> PathBuf {
    world.path("root/sync_state/integrity/baseline")
}

type Case = (&'static str, fn(&World), &'static str);

/// What may happen to what everybody can read.
pub(super) const PUBLIC: [Case; 10] = [
    (
        "missing",
        |world| std::fs::remove_file(store(world)).unwrap(),
        "the baseline is gone; the last one was number 2",
    ),
    ("empty", |world| std::fs::write(store(world), "").unwrap(), "truncated or damaged"),
    (
        "truncated",
        |world| {
            let bytes = std::fs::read(store(world)).unwrap();
            std::fs::write(store(world), &bytes[..bytes.len() / 2]).unwrap();
        },
        "truncated or damaged",
    ),
    (
        "without its signature",
        |world| {
            let bytes = std::fs::read(store(world)).unwrap();
            std::fs::write(store(world), &bytes[..bytes.len() - 64]).unwrap();
        },
        "not signed",
    ),
    (
        "one byte is another",
        |world| {
            let mut bytes = std::fs::read(store(world)).unwrap();
            let last = bytes.len() - 70;
            bytes[last] ^= 1;
            std::fs::write(store(world), bytes).unwrap();
        },
        "forged",
    ),
    ("something else", |world| std::fs::write(store(world), [7; 500]).unwrap(), "no baseline of ours"),
    (
        "rolled back",
        |world| std::fs::copy(world.path("first"), store(world)).map(drop).unwrap(),
        "rolled back",
    ),
    (
        "a symlink to a good one",
        |world| {
            std::fs::rename(store(world), world.path("good")).unwrap();
            std::os::unix::fs::symlink(world.path("good"), store(world)).unwrap();
        },
        "no regular file",
    ),
    (
        "signed by somebody else",
        |world| {
            // Another system's, which is good there.
            let other = World::new();
            other.baseline();
            other.baseline();
            std::fs::copy(store(&other), store(world)).unwrap();
        },
        "forged",
    ),
    (
        "of a newer version",
        |world| {
            let mut bytes = std::fs::read(store(world)).unwrap();
            bytes[12] = 9;
            std::fs::write(store(world), bytes).unwrap();
        },
        "version 9",
    ),
];

/// What may happen to what only the cron user can read.
const PRIVATE: [Case; 5] = [
    (
        "another directory with another key",
        |world| {
            let other = World::new();
            other.baseline();
            let state = |world: &World| world.path("root/sync_state");
            std::fs::rename(state(world), world.path("old_state")).unwrap();
            std::fs::rename(state(&other), state(world)).unwrap();
            let private = state(world).join("private");
            std::fs::set_permissions(private, std::fs::Permissions::from_mode(0o750)).unwrap();
        },
        "cannot be believed",
    ),
    (
        "the key is gone",
        |world| std::fs::remove_file(world.path("root/sync_state/private/integrity.key")).unwrap(),
        "the key that signed the baseline is gone",
    ),
    (
        "the private directory is gone",
        |world| {
            std::fs::rename(world.path("root/sync_state/private"), world.path("stolen")).unwrap();
        },
        "the directory with the key",
    ),
    (
        "nobody knows the last one",
        |world| std::fs::remove_file(world.path("root/sync_state/private/integrity.head")).unwrap(),
        "what is remembered of the last baseline is gone",
    ),
    (
        "all of our state is gone",
        |world| std::fs::rename(world.path("root/sync_state"), world.path("gone")).unwrap(),
        "there is no baseline",
    ),
];

#[test]
fn a_baseline_that_is_not_the_last_one_is_told_and_never_made_anew() {
    // Where the cron user has his copy still, see `copies`.
    let alone = PUBLIC.into_iter().map(|case| (case, true));
    for ((name, harm, expected), is_alone) in alone.chain(PRIVATE.into_iter().map(|case| (case, false))) {
        let world = World::new();
        world.baseline();
        std::fs::copy(store(&world), world.path("first")).unwrap();
        world.baseline();
        assert!(world.check().ok, "{name}");
        harm(&world);
        if is_alone {
            std::fs::remove_file(world.path("root/sync_state/private/integrity.baseline")).unwrap();
        }
        world.write("web/auth.php", "hacked");
        for new in [1, 0] {
            let report = world.check();
            let [finding] = report.findings.as_slice() else { panic!("{name}: {report:?}") };
            assert_eq!(finding.kind, FindingKind::Baseline, "{name}");
            let reason = finding.reason.clone().unwrap();
            assert!(reason.contains(expected), "{name}: {reason}");
            assert_eq!(finding.severity, "CRITICAL", "{name}");
            let all = (report.exit_bits, report.complete, report.generation, report.new_findings);
            // Where our memory is gone as well, it is told again.
            let is_forgotten = all.3 == 1 && !world.path("root/sync_state/private").exists();
            assert!(all == (16, false, 0, new) || is_forgotten, "{name}: {all:?}");
            assert!(report.guarantee.starts_with("none"), "{name}");
        }
        let status = integrity::status(&world.config).unwrap();
        assert!(!status.ok && !status.baseline.ok, "{name}");
        assert!(status.baseline.problem.unwrap().contains(expected), "{name}");
        let first = status.problems[0].first.clone().unwrap_or_default();
        assert!(first.starts_with("find out who did that"), "{name}: {first}");
        let error = integrity::accept(&world.config, &[world.path("web/auth.php")], Accept::Sign);
        assert!(error.is_err(), "{name}: nothing can be accepted");
    }
}

#[test]
fn a_new_baseline_ends_it_and_counts_on() {
    let world = World::new();
    assert_eq!(world.check().findings[0].reason.as_deref(), Some("there is no baseline, make one"));
    assert_eq!((world.baseline().generation, world.baseline().generation), (1, 2));
    std::fs::write(store(&world), "forged").unwrap();
    std::fs::remove_file(world.path("root/sync_state/private/integrity.baseline")).unwrap();
    assert!(!world.check().ok);
    let made = world.baseline();
    assert_eq!(made.generation, 3);
    assert!(made.warnings.iter().any(|warning| warning.contains("could not be believed")), "{made:?}");
    assert!(world.check().ok);
}

#[test]
fn what_is_killed_between_the_baseline_and_its_record_goes_on() {
    let world = World::new();
    world.baseline();
    let head = world.path("root/sync_state/private/integrity.head");
    let before = std::fs::read(&head).unwrap();
    world.baseline();
    std::fs::write(&head, &before).unwrap();
    let report = world.check();
    // The new baseline is good, as it follows the last one that is remembered; the list was written since.
    assert_eq!(report.generation, 2);
    assert!(report.ok, "{report:?}");
    assert!(report.warnings.iter().any(|warning| warning.contains("is written now")), "{report:?}");
    let report = world.check();
    assert!(report.ok && report.warnings.is_empty(), "it is finished: {report:?}");
    assert_ne!(std::fs::read(&head).unwrap(), before);
    assert_eq!(world.baseline().generation, 3);
    assert!(world.check().ok);
}

#[test]
fn the_list_of_the_site_is_watched_as_well() {
    for (what, expected) in
        [("change", "is not what was signed"), ("remove", "is gone"), ("unsign", "its signature is gone")]
    {
        let world = World::new();
        world.baseline();
        let list = world.config.integrity.baseline.clone();
        let signature = list.with_file_name("file_hashes.json.sig");
        match what {
            "change" => std::fs::write(&list, "{}").unwrap(),
            "remove" => std::fs::remove_file(&list).unwrap(),
            _ => std::fs::remove_file(&signature).unwrap(),
        }
        world.write("web/core/a.php", "x");
        let report = world.check();
        assert_eq!((report.findings.len(), report.exit_bits), (2, 20), "the check goes on: {report:?}");
        assert!(report.findings[0].reason.as_ref().unwrap().contains(expected), "{what}: {report:?}");
        integrity::accept(&world.config, &[world.path("web/core/a.php")], Accept::Sign).unwrap();
        assert!(world.check().ok, "{what}");
    }
}

#[test]
fn what_is_watched_cannot_be_taken_out_unseen() {
    let world = World::new();
    world.baseline();
    world.watch(&json!({ "monitored_directories": [world.path("web/core")], "monitored_files": [] }));
    world.write("web/auth.php", "hacked");
    let report = world.check();
    let [finding] = report.findings.as_slice() else { panic!("{report:?}") };
    assert_eq!(
        (finding.kind, finding.changes.as_slice()),
        (FindingKind::Baseline, &["scope".to_owned()][..])
    );
    let reason = finding.reason.clone().unwrap();
    let (core, web) = (world.path("web/core"), world.web());
    let expected = format!("root added: {}; root removed: {}", core.display(), web.display());
    assert!(reason.ends_with(&expected), "{reason}");
    let list = world.config.integrity.config.clone();
    let accepted = integrity::accept(&world.config, &[list], Accept::Sign).unwrap();
    let [other, dropped @ ..] = accepted.accepted.as_slice() else { panic!("{accepted:?}") };
    assert_eq!(other.reason, finding.reason);
    let short = |path: &str| path.replace(&format!("{}/", world.path("").display()).replace("//", "/"), "");
    let dropped: Vec<String> = dropped
        .iter()
        .map(|one| format!("{:?} {} {}", one.kind, short(&one.path), one.changes.join(",")))
        .collect();
    let expected = [
        "web",
        "web/auth.php",
        "web/data",
        "web/data/pipe",
        "web/data/uploads",
        "web/data/uploads/picture.png",
        "web/data/users.db",
        "web/index.html",
    ];
    assert_eq!(dropped, expected.map(|path| format!("Removed {path} scope")));
    let report = world.check();
    assert!(report.ok && report.checked == 4, "{report:?}");
    std::fs::write(&world.config.integrity.config, "[1]").unwrap();
    let error = integrity::check(&world.config, &CheckOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn accepting_is_for_what_was_named_and_shows_it() {
    let world = World::new();
    world.baseline();
    world.write("web/core/a.php", "new");
    world.write("web/core/d/new.php", "new");
    std::fs::remove_file(world.path("web/core/b.php")).unwrap();
    world.write("web/auth.php", "hacked");
    let paths = [world.path("web/core")];
    let shown = integrity::accept(&world.config, &paths, Accept::DryRun).unwrap();
    assert_eq!((shown.accepted.len(), shown.generation), (4, 1), "{shown:?}");
    assert_eq!(world.check().findings.len(), 5, "nothing was accepted by showing it");
    let done = integrity::accept(&world.config, &paths, Accept::Sign).unwrap();
    assert_eq!((done.accepted, done.generation, done.ok), (shown.accepted, 2, true));
    let report = world.check();
    assert_eq!(world.lines(&report), "modified web/auth.php content,size,mtime,ctime\n");
    assert_eq!(
        integrity::accept(&world.config, &paths, Accept::Sign).unwrap().generation,
        2,
        "nothing to accept"
    );
    for (paths, kind) in [(vec![], ErrorKind::Usage), (vec![world.path("root")], ErrorKind::Usage)] {
        assert_eq!(integrity::accept(&world.config, &paths, Accept::Sign).unwrap_err().kind(), kind);
    }
    // What was accepted is watched from then on.
    tamper(&world.path("web/core/d/new.php"), "old");
    assert!(world.lines(&world.check()).contains("modified web/core/d/new.php content,ctime\n"));
}

#[test]
fn what_the_site_wrote_is_taken_over_when_asked() {
    let world = World::new();
    let path = world.config.integrity.baseline.clone();
    world.baseline();
    let mut list: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let names: Vec<String> = list["hashes"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 5, "databases are not in it: {names:?}");
    // As today's pages write it, days ago: with files that are otherwise now, or gone.
    let hashes = list["hashes"].as_object_mut().unwrap();
    for (name, hash) in hashes.iter_mut() {
        hash["md5"] = json!("0".repeat(32));
        hash["calculated_at"] = json!(1_700_000_000);
        if name.ends_with("auth.php") {
            hash["sha256"] = json!("a".repeat(64));
        }
    }
    let gone = format!("{}/core/gone.php", world.web().display());
    let one = hashes[&names[0]].clone();
    hashes.insert(gone, one);
    hashes.remove(&format!("{}/core/b.php", world.web().display()));
    std::fs::write(&path, list.to_string()).unwrap();
    // It is not believed because it lies there.
    assert!(world.check().findings.iter().all(|finding| finding.kind == FindingKind::Baseline));
    let made = integrity::baseline(&world.config, Some(&path)).unwrap();
    assert_eq!((made.imported, made.generation), (5, 2), "{made:?}");
    let report = world.check();
    assert_eq!(
        world.lines(&report),
        "modified web/auth.php content\nadded web/core/b.php\nremoved web/core/gone.php\n",
        "{report:?}"
    );
    assert_eq!(world.lines(&world.check()), world.lines(&report));
    let error = integrity::baseline(&world.config, Some(&world.path("web/index.html"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(world.check().findings.len() == 3, "the last baseline is as it was");
}

#[test]
fn the_signature_of_the_list_is_over_its_bytes() {
    use ed25519_dalek::{Signature, VerifyingKey};
    let world = World::with(json!({ "legacy_md5": true }));
    world.baseline();
    let decode = |path: PathBuf| {
        base64::engine::general_purpose::STANDARD
            .decode(std::fs::read_to_string(path).unwrap().trim())
            .unwrap()
    };
    let list = world.config.integrity.baseline.clone();
    let key = decode(world.path("root/sync_state/integrity/public_key"));
    let signature = decode(list.with_file_name("file_hashes.json.sig"));
    let key = VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap();
    let bytes = std::fs::read(&list).unwrap();
    assert!(key.verify_strict(&bytes, &Signature::from_slice(&signature).unwrap()).is_ok());
    let list: Value = serde_json::from_slice(&bytes).unwrap();
    let hash = &list["hashes"][format!("{}/data/uploads/picture.png", world.web().display())];
    // md5sum and sha256sum of "png".
    assert_eq!(hash["md5"], "bff139fa05ac583f685a523ab3d110a0");
    assert_eq!(hash["sha256"], "8f8cbb7dcf46e0bc7d53265749a6c17d116093a6ba95e442764060c76fd4a86c");
    let mode = |path: &str| std::fs::metadata(world.path(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("root/sync_state/private"), 0o700);
    assert_eq!(mode("root/sync_state/private/integrity.key"), 0o600);
}

#[test]
fn only_the_user_of_the_cron_jobs_signs() {
    let world = World::new();
    world.give_to(54_321);
    std::fs::write(
        world.path("root/cr0sync.json"),
        json!({ "version": 1, "root": world.path("root"), "databases": {}, "logs": {},
                "ownership": { "user": "daemon", "group": "daemon" } })
        .to_string(),
    )
    .unwrap();
    let Some(answer) = world.as_user(54_321, "baseline") else { return };
    assert_eq!(answer["kind"], "access", "{answer}");
    assert!(!world.path("root/sync_state/private").exists());
}
