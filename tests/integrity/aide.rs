//! The same trees, the same changes, and the same findings as AIDE's.
//!
//! Each round changes a tree by chance, has both look, and holds their findings equal: which paths were added, removed and
//! changed, and which attributes. A failure prints the seed, what was done, and the lines that only one of them has;
//! `CR0SYNC_SEED` does one seed again. AIDE 0.17 and newer; where it is not installed there is nothing to compare with.
//!
//! AIDE gets our rules: of each kind of file the attributes that we compare. What is known to differ, and is made equal here:
//! - what was moved, AIDE tells as removed and added;
//! - AIDE keeps times in whole seconds. What changed within the second is no change to it;
//! - of what has become another kind of file, AIDE tells every attribute that both kinds have, and we tell that it has.
//!
//! Not compared, as the changes here do not make it: what cannot be read, what changes while it is read, mounts, the numbers
//! of devices.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cr0sync::integrity::CheckOptions;
use cr0sync::report::{FindingKind, IntegrityReport};
use serde_json::{Value, json};

use super::mutations::Tree;
use super::world::World;

const SEEDS: std::ops::Range<u64> = 1..5;
const ROUNDS: usize = 30;

/// What AIDE calls what we call otherwise.
const ATTRIBUTES: [(&str, &str); 12] = [
    ("file_type", "type"),
    ("perm", "mode"),
    ("uid", "uid"),
    ("gid", "gid"),
    ("size", "size"),
    ("modify_time", "mtime"),
    ("change_time", "ctime"),
    ("inode", "inode"),
    ("link_count", "nlink"),
    ("link_name", "target"),
    ("sha256", "content"),
    ("xattrs", "xattrs"),
];

/// Of each path, what has become of it: one word, or the attributes that changed.
type Findings = BTreeMap<Vec<u8>, BTreeSet<&'static str>>;

/// When each path was modified and changed last, in whole seconds.
type Times = BTreeMap<Vec<u8>, (i64, i64)>;

struct Aide {
    directory: PathBuf,
}

impl Aide {
    fn new(directory: PathBuf, tree: &Path) -> Aide {
        fs::create_dir(&directory).unwrap();
        let (place, tree) = (directory.display(), tree.display().to_string().replace('.', "\\."));
        let rules = format!(
            "database_in=file:{place}/in\ndatabase_out=file:{place}/out\ngzip_dbout=no\nlog_level=error\n\
             report_format=json\nreport_url=stdout\n\
             {tree}/([^/]+/)*[^/]+\\.db$ f ftype+p+u+g+i+n\n\
             {tree} f ftype+p+u+g+s+m+c+i+n+sha256+xattrs\n\
             {tree} d ftype+p+u+g+i+xattrs\n\
             {tree} l ftype+p+u+g+s+m+c+i+n+l\n\
             {tree} s ftype+p+u+g\n\
             {tree} ftype+p+u+g+i+n\n"
        );
        fs::write(directory.join("aide.conf"), rules).unwrap();
        let aide = Aide { directory };
        assert_eq!(aide.run("--init").0, 0);
        aide
    }

    /// Its exit code and what it said; what it wrote down is what it compares with from now on.
    fn run(&self, what: &str) -> (i32, Vec<u8>) {
        let config = self.directory.join("aide.conf");
        let output = Command::new("aide").arg(what).arg("--config").arg(config).output().unwrap();
        let code = output.status.code().unwrap();
        assert!(code < 8, "aide failed: {}", String::from_utf8_lossy(&output.stderr));
        fs::rename(self.directory.join("out"), self.directory.join("in")).unwrap();
        (code, output.stdout)
    }

    fn update(&self) -> (i32, Findings) {
        let (code, said) = self.run("--update");
        // It writes names as they are, which need not be text: a letter for each byte.
        let text: String = said.iter().map(|byte| char::from(*byte)).collect();
        let report: Value = serde_json::from_str(&text).unwrap();
        let path =
            |text: &str| -> Vec<u8> { text.chars().map(|letter| u8::try_from(letter).unwrap()).collect() };
        let members = |name: &str| report[name].as_object().cloned().unwrap_or_default();
        let mut findings = Findings::new();
        for word in ["added", "removed"] {
            findings.extend(members(word).keys().map(|name| (path(name), BTreeSet::from([word]))));
        }
        let details = members("details");
        for name in members("changed").keys() {
            let attributes = details[name].as_object().unwrap().keys();
            findings.insert(path(name), attributes.map(|attribute| ours(attribute)).collect());
        }
        (code, findings)
    }
}

fn ours(attribute: &str) -> &'static str {
    let found = ATTRIBUTES.iter().find(|(theirs, _)| *theirs == attribute);
    found.unwrap_or_else(|| panic!("aide has an attribute {attribute}")).1
}

/// What we found, as AIDE tells it; and whether that is other than what we said.
fn as_aide_tells(report: &IntegrityReport, before: &Times, after: &Times) -> (Findings, bool) {
    let exact = |path: &str, base64: Option<&String>| match base64 {
        Some(base64) => STANDARD.decode(base64).unwrap(),
        None => path.as_bytes().to_vec(),
    };
    let mut findings = Findings::new();
    let mut is_other = false;
    let moved = report.findings.iter().filter(|finding| finding.kind == FindingKind::Moved);
    let moved: BTreeSet<&String> = moved.map(|finding| &finding.path).collect();
    for finding in &report.findings {
        let path = exact(&finding.path, finding.path_b64.as_ref());
        let words: BTreeSet<&'static str> = match finding.kind {
            FindingKind::Added => BTreeSet::from(["added"]),
            FindingKind::Removed => BTreeSet::from(["removed"]),
            FindingKind::Moved => {
                is_other = true;
                let from = exact(finding.from.as_ref().unwrap(), finding.from_b64.as_ref());
                assert!(findings.insert(from, BTreeSet::from(["removed"])).is_none(), "{finding:?}");
                BTreeSet::from(["added"])
            }
            // What else was changed of it: AIDE compares it with nothing.
            FindingKind::Modified if moved.contains(&finding.path) => continue,
            FindingKind::Modified => {
                let (was, is) = (before[&path], after[&path]);
                let is_told = |change: &&String| match change.as_str() {
                    "mtime" => was.0 != is.0,
                    "ctime" => was.1 != is.1,
                    _ => true,
                };
                let name = |change: &String| {
                    ATTRIBUTES
                        .iter()
                        .find(|(_, ours)| ours == change)
                        .unwrap_or_else(|| panic!("{finding:?}"))
                        .1
                };
                finding.changes.iter().filter(is_told).map(name).collect()
            }
            _ => panic!("{finding:?}"),
        };
        if words.is_empty() {
            is_other = true;
        } else {
            assert!(findings.insert(path, words).is_none(), "two findings of one path: {finding:?}");
        }
    }
    (findings, is_other)
}

/// Of what has become another kind of file, only that it has.
fn only_type(findings: Findings) -> Findings {
    let kind = BTreeSet::from(["type"]);
    findings
        .into_iter()
        .map(|(path, words)| (path, if words.contains("type") { kind.clone() } else { words }))
        .collect()
}

fn times(tree: &Tree) -> Times {
    let one = |path: PathBuf| {
        let found = fs::symlink_metadata(&path).unwrap();
        (path.as_os_str().as_bytes().to_vec(), (found.mtime(), found.ctime()))
    };
    tree.everything().into_iter().map(one).collect()
}

fn lines(findings: &Findings, others: &Findings) -> String {
    let only = findings.iter().filter(|(path, words)| others.get(*path) != Some(words));
    only.map(|(path, words)| format!("  {} {words:?}\n", path.escape_ascii())).collect()
}

/// Changes one tree again and again; gives back the words that both said.
fn story(seed: u64) -> BTreeSet<&'static str> {
    let world = World::with(json!({ "xattrs": true }));
    let place = world.path("tree");
    world.watch(&json!({ "monitored_files": [], "monitored_directories": [place], "ignore_patterns": [] }));
    let mut tree = Tree::new(&place, seed);
    let aide = Aide::new(world.path("aide"), &place);
    let mut said = BTreeSet::new();
    for round in 0..ROUNDS {
        world.baseline();
        let before = times(&tree);
        tree.change();
        let after = times(&tree);
        let report = world.check_with(&CheckOptions { full: round % 2 == 1, ..CheckOptions::default() });
        let (code, theirs) = aide.update();
        let (mine, is_other) = as_aide_tells(&report, &before, &after);
        let (mine, theirs) = (only_type(mine), only_type(theirs));
        assert!(
            mine == theirs,
            "seed {seed}, round {round}:\n{}\nonly we say\n{}only aide says\n{}",
            tree.done.join("\n"),
            lines(&mine, &theirs),
            lines(&theirs, &mine),
        );
        assert!(report.complete, "seed {seed}, round {round}");
        if !is_other {
            assert_eq!(report.exit_bits, u32::try_from(code).unwrap(), "seed {seed}, round {round}");
        }
        said.extend(mine.into_values().flatten());
    }
    world.baseline();
    assert_eq!(world.lines(&world.check()), "", "seed {seed}");
    assert_eq!(aide.update(), (0, Findings::new()), "seed {seed}");
    said
}

#[test]
fn findings_are_those_of_aide() {
    if Command::new("aide").arg("--version").output().is_err() {
        println!("skipped: aide is not installed (make test installs it)");
        return;
    }
    let seed: Option<u64> = std::env::var("CR0SYNC_SEED").ok().map(|seed| seed.parse().unwrap());
    if let Some(seed) = seed {
        story(seed);
        return;
    }
    let said: BTreeSet<&str> = SEEDS.flat_map(story).collect();
    // All of them were put to the test. Whether a whole second passes between two changes is not for us to say, what may be
    // changed depends on who runs this, and what a file system keeps on where.
    let not_always = ["ctime", "uid", "gid", "xattrs"];
    let expected = ATTRIBUTES.iter().map(|(_, ours)| *ours).filter(|ours| !not_always.contains(ours));
    for word in expected.chain(["added", "removed"]) {
        assert!(said.contains(word), "nothing was ever {word}: {said:?}");
    }
}
