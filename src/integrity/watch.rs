//! Checks at once what the kernel says has changed, for as long as it is told to.
//!
//! An accelerator: the check that runs by the clock is the guarantee, and finds what no watch tells (what is stored into
//! mapped pages, or written below the file system). So whenever it is not certain that all was told (at the beginning, when
//! more happened than the kernel keeps, when a watch is lost), everything in question is looked at. While what changed
//! cannot be checked there is no heartbeat, so that a watcher that does not do its work is missed like a dead one.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use serde::Serialize;

use super::alerts::{self, Hearer};
use super::beat::{self, Pulse};
use super::check::{self, CheckOptions};
use super::memory;
use super::private::Private;
use super::scope::Scope;
use super::store::Cache;
use super::watch_moves::Moves;
use super::watch_tree::{Changes, Shortage, Tree, coarse};
use crate::clock::{self, Stopwatch};
use crate::config::Config;
use crate::durable::{Lock, Stamp};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Severity;
use crate::interrupt::{self, Continue};
use crate::report::{IntegrityFinding, IntegrityReport, IntegrityWatchReport, SCHEMA, WatchEnd};

/// At least so often whoever called is asked whether to go on (milliseconds).
const TURN_MS: u32 = 100;
/// A change is checked when nothing more was told for so long (milliseconds): what changes does so in several steps,
const QUIET_MS: u64 = 50;
/// but not later than this (milliseconds).
const LATEST_MS: u64 = 500;
/// So often it is looked whether roots, and the list of what to watch, are what they were (milliseconds).
const LOOK_MS: u64 = 1_000;
/// So often everything is looked at while not all of it can be watched (seconds).
const RESCAN_S: u64 = 60;
/// After a check that was not possible (milliseconds): somebody else is at it, or something is wrong.
const BUSY_MS: u64 = 250;
const WRONG_MS: u64 = 5_000;
/// Between two looks at what is told while something is due (milliseconds).
const PAUSE_MS: u64 = 10;
/// More paths than this are checked by the directories that they lie in.
const MOST_PATHS: usize = 100;
/// So many findings and warnings the report of the whole keeps.
const MOST_TOLD: usize = 1_000;

/// How to watch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WatchOptions {
    /// For so long; else until told to stop.
    pub seconds: Option<u64>,
    /// So often everything is looked at while not all of it can be watched; each minute unless told.
    pub rescan_seconds: Option<u64>,
}

/// How it is going.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct WatchNews<'a> {
    /// Directories that are watched.
    pub watches: u64,
    /// A check that was just made, of everything or of what changed.
    pub report: Option<&'a IntegrityReport>,
    /// What people should know, as soon as it is known.
    pub warning: Option<&'a str>,
}

/// Watches over files until its time is over or `turn` says stop, which it asks several times a second, and whenever there is
/// something to tell.
///
/// # Errors
/// [`ErrorKind::Locked`] while another watcher is at work, [`ErrorKind::Config`] when the list of what to watch makes no sense
/// at the beginning, and when the kernel offers no way to watch. Later on, what goes wrong is a warning.
pub fn watch(
    config: &Config,
    options: WatchOptions,
    turn: &mut dyn FnMut(&WatchNews<'_>) -> Continue,
) -> Result<IntegrityWatchReport> {
    let _lock = Lock::take(&config.root, &config.ownership, "watch", 0)?;
    // First how the list looks: what changes it while it is read is seen by the next look.
    let list = list(config);
    let scope = Scope::read(config)?;
    // The last one may have died, which nobody has said yet.
    let said = beat::missed(config);
    let tree = planted(&scope)?;
    let start = clock::start();
    let report = IntegrityWatchReport {
        schema: SCHEMA,
        ok: true,
        ended: WatchEnd::Asked,
        watches: 0,
        events: 0,
        checks: 0,
        rescans: 0,
        overflows: 0,
        exit_bits: 0,
        new_findings: 0,
        findings: Vec::new(),
        warnings: said.err().map(|error| error.to_string()).into_iter().collect(),
        duration_ms: 0,
    };
    // Only of the user of the cron jobs it is believed that he watches.
    let private = Private::create(config).ok();
    beat::during(config, private.as_ref(), |pulse| {
        let due = Due { everything: true, first: Some(start), ..Due::default() };
        let known = BTreeSet::new();
        let looked = clock::start();
        let (rescanned, asked) = (looked, looked);
        let rescan_ms = options.rescan_seconds.unwrap_or(RESCAN_S).saturating_mul(1000);
        let watcher = Watcher {
            config,
            scope,
            list,
            tree,
            due,
            moves: Moves::default(),
            cache: Cache::default(),
            known,
            report,
            looked,
            rescanned,
            rescan_ms,
            asked,
            pulse,
            turn,
        };
        watcher.run(start, options.seconds.map(|seconds| seconds.saturating_mul(1000)))
    })
}

/// The state of the list of what to watch; none, too, while the next change of it need not show.
fn list(config: &Config) -> Option<Stamp> {
    Stamp::look(&config.integrity.config).and_then(|(stamp, is_certain)| is_certain.then_some(stamp))
}

fn planted(scope: &Scope) -> Result<Tree> {
    Tree::of(scope).map_err(|cause| {
        Error::new(ErrorKind::Io, "cannot watch files")
            .hint("the check that runs by the clock finds what changes all the same")
            .because(cause)
    })
}

/// What is to be checked.
#[derive(Debug, Default)]
struct Due {
    everything: bool,
    paths: BTreeSet<Vec<u8>>,
    /// When the first of it was told, and the last.
    first: Option<Stopwatch>,
    last: Option<Stopwatch>,
    /// Not before so many milliseconds after this: the check before failed, or took its time.
    after: Option<(Stopwatch, u64)>,
}

impl Due {
    fn is_empty(&self) -> bool {
        !self.everything && self.paths.is_empty()
    }

    fn note(&mut self) {
        let now = clock::start();
        self.first = self.first.or(Some(now));
        self.last = Some(now);
    }

    /// Whether to check now.
    fn is_ripe(&self) -> bool {
        let over = |since: Option<Stopwatch>, limit: u64| since.is_none_or(|since| since.millis() >= limit);
        let may = self.after.is_none_or(|(since, limit)| since.millis() >= limit);
        !self.is_empty()
            && may
            && (self.everything || over(self.last, QUIET_MS) || over(self.first, LATEST_MS))
    }
}

struct Watcher<'a> {
    config: &'a Config,
    scope: Scope,
    list: Option<Stamp>,
    tree: Tree,
    due: Due,
    moves: Moves,
    cache: Cache,
    /// The findings that were told.
    known: BTreeSet<String>,
    report: IntegrityWatchReport,
    looked: Stopwatch,
    rescanned: Stopwatch,
    rescan_ms: u64,
    /// When whoever called was asked last.
    asked: Stopwatch,
    pulse: &'a Pulse,
    turn: &'a mut dyn FnMut(&WatchNews<'_>) -> Continue,
}

impl Watcher<'_> {
    fn run(mut self, start: Stopwatch, limit_ms: Option<u64>) -> Result<IntegrityWatchReport> {
        self.report.ended = loop {
            self.pulse.is_alive();
            self.short();
            if self.due.is_ripe() && self.check() == Continue::Stop {
                break WatchEnd::Asked;
            }
            if limit_ms.is_some_and(|limit| start.millis() >= limit) {
                break WatchEnd::Time;
            }
            let is_turn = self.asked.millis() >= u64::from(TURN_MS);
            if interrupt::check().is_err() || is_turn && self.tell(None, None) == Continue::Stop {
                break WatchEnd::Asked;
            }
            if self.due.is_empty() {
                self.tree.wait(TURN_MS);
            } else {
                // More of the same is about to be told.
                clock::pause(PAUSE_MS);
            }
            self.hear();
            self.look();
        };
        // What was told is checked before it ends.
        self.hear();
        if !self.due.is_empty() && !interrupt::is_stopped() {
            self.check();
        }
        self.report.watches = count(self.tree.len());
        self.report.ok = self.report.findings.is_empty() && self.report.warnings.is_empty();
        self.report.duration_ms = start.millis();
        Ok(self.report)
    }

    fn tell(&mut self, report: Option<&IntegrityReport>, warning: Option<&str>) -> Continue {
        self.asked = clock::start();
        (self.turn)(&WatchNews { watches: count(self.tree.len()), report, warning })
    }

    /// What the kernel has told since.
    fn hear(&mut self) {
        let mut changes = Changes::default();
        self.tree.read(&self.scope, &mut changes);
        self.report.events = self.report.events.saturating_add(changes.events);
        if changes.has_overflowed {
            self.report.overflows = self.report.overflows.saturating_add(1);
            self.event(b"", "more changed at once than the kernel keeps, so that everything is looked at");
            self.anew();
        }
        for path in changes.lost {
            self.event(&path, "this directory cannot be watched any more, so that its root is looked at");
            if let Some(root) = self.scope.root_of(&path) {
                changes.dirty.insert(root.to_vec());
            }
        }
        self.mark(changes.dirty);
    }

    fn mark(&mut self, paths: BTreeSet<Vec<u8>>) {
        if !paths.is_empty() {
            self.due.paths.extend(paths);
            self.due.note();
        }
    }

    /// Now and then: what no watch tells.
    fn look(&mut self) {
        if self.looked.millis() < LOOK_MS {
            return;
        }
        self.looked = clock::start();
        let list = list(self.config);
        if list != self.list {
            self.list = list;
            match Scope::read(self.config) {
                Ok(scope) => {
                    let is_another = scope.digest() != self.scope.digest();
                    self.scope = scope;
                    if is_another {
                        self.anew();
                    }
                }
                Err(error) => self.warn(&error.to_string()),
            }
        }
        let others = self.tree.verify(&self.scope);
        self.mark(others.into_iter().collect());
    }

    /// Watches everything anew, and looks at it.
    fn anew(&mut self) {
        // The old watches first, as they count until they are gone.
        self.tree.clear();
        match Tree::of(&self.scope) {
            Ok(tree) => self.tree = tree,
            Err(cause) => {
                self.tree.shortage = Some(Shortage::Watchers);
                self.warn(&format!("cannot watch files: {cause}"));
            }
        }
        self.due.everything = true;
        self.due.note();
    }

    /// Where not everything can be watched, everything is looked at from time to time.
    fn short(&mut self) {
        let Some(shortage) = self.tree.shortage else { return };
        if self.is_new(shortage.words()) {
            self.event(b"", shortage.words());
            self.warn(shortage.words());
            self.rescanned = clock::start();
        } else if self.rescanned.millis() >= self.rescan_ms {
            self.rescanned = clock::start();
            self.anew();
        }
    }

    /// Checks what is due.
    fn check(&mut self) -> Continue {
        // Few first, as each of them is compared with all that has another name.
        let mut paths = coarse(&self.scope, std::mem::take(&mut self.due.paths), MOST_PATHS);
        self.moves.add_to(&mut paths);
        let paths = coarse(&self.scope, paths, MOST_PATHS);
        let everything = self.due.everything || !self.moves.is_complete();
        let began = clock::start();
        let only = if everything { Vec::new() } else { paths.iter().map(|path| as_path(path)).collect() };
        let options = CheckOptions { paths: only, ..CheckOptions::default() };
        match check::check_again(self.config, &options, &mut self.cache, Hearer::Watcher) {
            Ok(report) => {
                // As long as it took it lets others do something.
                self.due = Due { after: Some((clock::start(), began.millis())), ..Due::default() };
                self.pulse.is_well();
                self.moves.learn((!everything).then_some(&paths), &report.findings);
                self.found(&report, everything);
                self.tell(Some(&report), None)
            }
            Err(error) if error.kind() == ErrorKind::Cancelled => Continue::Stop,
            Err(error) => {
                self.due.paths = paths;
                // What is watched is not what it was.
                self.due.everything |= error.kind() == ErrorKind::Usage;
                let pause = if error.kind() == ErrorKind::Locked { BUSY_MS } else { WRONG_MS };
                self.due.after = Some((clock::start(), pause));
                self.pulse.is_ill();
                if error.kind() == ErrorKind::Locked {
                    return Continue::Yes;
                }
                self.warn(&format!("could not check what changed, and tries again: {error}"));
                Continue::Yes
            }
        }
    }

    fn found(&mut self, report: &IntegrityReport, everything: bool) {
        let all = &mut self.report;
        all.checks = all.checks.saturating_add(1);
        all.rescans = all.rescans.saturating_add(u64::from(everything));
        all.exit_bits |= report.exit_bits;
        all.new_findings = all.new_findings.saturating_add(report.new_findings);
        let fresh: Vec<IntegrityFinding> = report
            .findings
            .iter()
            .take(MOST_TOLD)
            .filter(|finding| self.known.len() < MOST_TOLD && self.known.insert(memory::mark(finding)))
            .cloned()
            .collect();
        all.findings.extend(fresh);
        for warning in &report.warnings {
            self.warn(warning);
        }
    }

    /// Puts on record that not everything was told.
    fn event(&mut self, path: &[u8], reason: &str) {
        if let Err(error) =
            alerts::about_watching(self.config, "watch_overflow", Severity::Medium, path, reason)
        {
            self.warn(&format!("could not put on record that {reason}: {error}"));
        }
    }

    fn is_new(&self, warning: &str) -> bool {
        !self.report.warnings.iter().any(|known| known == warning)
    }

    fn warn(&mut self, warning: &str) {
        if self.is_new(warning) {
            if self.report.warnings.len() < MOST_TOLD {
                self.report.warnings.push(warning.to_owned());
            }
            // Whether it goes on is asked at once again.
            self.tell(None, Some(warning));
        }
    }
}

fn as_path(path: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(path.to_vec()))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
