//! How long a check of 100,000 files takes, beside AIDE with the same attributes and `sha256sum` over the same files.
//!
//! `make bench`, or `cargo bench --bench integrity [-- PART OF A NAME]`; `rounds` says how. All files are in the page cache. The
//! peers are programs, so their start counts for them: a check of ours is timed within this one, from the call to the return,
//! with what it remembers on disk (fsync), which no peer does. AIDE makes one digest of its own database instead of eleven.
//!
//! Files must have been left alone for a minute before what was read of them is believed, so the bench waits for that first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking and talks by printing"
)]

mod rounds;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use cr0sync::Config;
use cr0sync::integrity::{self, CheckOptions};
use serde_json::{Value, json};

use rounds::{Runner, compare, has, run, runner};

const DIRECTORIES: usize = 1_000;
const FILES_EACH: usize = 100;
/// The largest file (bytes); sizes are spread evenly up to it.
const LARGEST: usize = 16 << 10;
/// So long files are left alone.
const QUIET: Duration = Duration::from_secs(62);
const ROUNDS: usize = 5;

fn main() {
    let site = Site::new();
    let cases: [(&str, &dyn Fn()); 3] = [
        ("every file is read", &|| full(&site)),
        ("nothing changed", &|| nothing_changed(&site)),
        ("a baseline is made", &|| baseline(&site)),
    ];
    rounds::run_all(&cases);
}

/// A tree, and those who watch over it.
struct Site {
    directory: tempfile::TempDir,
    /// With one thread.
    single: Config,
    /// With as many as there are processors, which is the default.
    several: Config,
    /// The same, but for reading files again in turn.
    no_slice: Config,
}

impl Site {
    fn new() -> Site {
        let directory = tempfile::Builder::new().prefix("cr0sync-bench-").tempdir().unwrap();
        let config = |name: &str, integrity: Value| {
            let root = directory.path().join(name);
            fs::create_dir_all(root.join("shared_storage")).unwrap();
            let json = json!({ "version": 1, "databases": {}, "logs": {}, "integrity": integrity });
            let config = Config::parse(json.to_string().as_bytes(), &root, None).unwrap();
            let tree = directory.path().join("tree");
            let list =
                json!({ "monitored_files": [], "monitored_directories": [tree], "ignore_patterns": [] });
            fs::write(&config.integrity.config, list.to_string()).unwrap();
            config
        };
        let single = config("single", json!({ "threads": 1 }));
        let several = config("several", json!({}));
        let no_slice = config("no-slice", json!({ "reread_hours": 100_000 }));
        let site = Site { directory, single, several, no_slice };
        site.make_tree();
        site.settle();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn make_tree(&self) {
        // Of some bytes that look like chance, each file has others.
        let mut state: u64 = 1;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        })
        .take(LARGEST * 2)
        .collect();
        for directory in 0..DIRECTORIES {
            let place = self.path(&format!("tree/{}/{directory}", directory % 20));
            fs::create_dir_all(&place).unwrap();
            for file in 0..FILES_EACH {
                let number = directory * FILES_EACH + file;
                let (from, length) = (number * 7919 % LARGEST, number * 104_729 % LARGEST);
                fs::write(place.join(format!("page-{file}.html")), &bytes[from..from + length]).unwrap();
            }
        }
    }

    /// Until everybody knows the tree, and the files are old enough to be believed.
    fn settle(&self) {
        println!("made {} files, now they are left alone for a minute", DIRECTORIES * FILES_EACH);
        std::thread::sleep(QUIET);
        for config in [&self.single, &self.several, &self.no_slice] {
            assert!(integrity::baseline(config, None).unwrap().ok);
        }
        let (place, tree) = (self.directory.path().display(), self.path("tree").display().to_string());
        for (name, digest) in [("full", "+sha256"), ("attributes", "")] {
            let rules = format!(
                "database_in=file:{place}/{name}.db\ndatabase_out=file:{place}/{name}.db\ngzip_dbout=no\n\
                 database_attrs=sha256\nreport_url=file:{place}/{name}.txt\n\
                 {tree} d ftype+p+u+g+i\n{tree} ftype+p+u+g+s+m+c+i+n+l{digest}\n"
            );
            fs::write(self.path(&format!("{name}.conf")), rules).unwrap();
        }
    }

    fn aide<'a>(&'a self, name: &'a str, rules: &'a str, what: &'a str) -> Runner<'a> {
        let config = self.path(&format!("{rules}.conf")).to_str().unwrap().to_owned();
        run("aide", &["--init", "--config", &config]);
        runner(name, || {}, move || run("aide", &[what, "--config", &config]))
    }
}

fn check(config: &Config, options: &CheckOptions) {
    let report = integrity::check(config, options).unwrap();
    assert!(report.ok && report.complete, "{:?} {:?}", report.findings, report.warnings);
    let is_all_read = report.hashed_bytes > 100 << 20;
    assert_eq!(is_all_read, options.full, "{} bytes were read", report.hashed_bytes);
}

fn full(site: &Site) {
    let options = CheckOptions { full: true, ..CheckOptions::default() };
    let mut runners = vec![
        runner("cr0sync, one thread", || {}, || check(&site.single, &options)),
        runner("cr0sync, as shipped", || {}, || check(&site.several, &options)),
    ];
    if has("aide") {
        runners.push(site.aide("aide --check", "full", "--check"));
    }
    if has("sha256sum") {
        let tree = site.path("tree").to_str().unwrap().to_owned();
        let all = format!("find {tree} -type f -print0 | xargs -0 sha256sum");
        runners.push(runner("sha256sum", || {}, move || run("sh", &["-c", &all])));
    }
    compare(ROUNDS, runners);
}

fn nothing_changed(site: &Site) {
    let options = CheckOptions::default();
    let mut runners = vec![
        runner("cr0sync, as shipped", || {}, || check(&site.several, &options)),
        runner("cr0sync, none read in turn", || {}, || check(&site.no_slice, &options)),
        runner("cr0sync, one thread", || {}, || check(&site.single, &options)),
    ];
    if has("aide") {
        runners.push(site.aide("aide --check, no digests", "attributes", "--check"));
    }
    compare(ROUNDS, runners);
}

fn baseline(site: &Site) {
    let make = |config: &Config| assert!(integrity::baseline(config, None).unwrap().ok);
    let mut runners = vec![
        runner("cr0sync, as shipped", || {}, || make(&site.several)),
        runner("cr0sync, one thread", || {}, || make(&site.single)),
    ];
    if has("aide") {
        runners.push(site.aide("aide --init", "full", "--init"));
    }
    compare(ROUNDS, runners);
}
