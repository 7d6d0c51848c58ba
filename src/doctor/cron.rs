//! Whether anything calls us: the block in the table of cron, and what the cron scripts wrote down of their runs.
//!
//! Timers of systemd do as well as cron.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::DateTime;

use super::commands::Commands;
use super::finding::{problem, warning, well};
use super::stamps::{self, JOBS, Stamp};
use super::{Now, Shell};
use crate::clock;
use crate::config::Config;
use crate::durable;
use crate::durable::quoted;
use crate::report::DoctorFinding;

/// Each script is called every minute; after so long without a run somebody should look (seconds),
const PATIENCE: i64 = 180;
/// and after so long nothing calls it.
const DEAD: i64 = 900;
/// After so long a run is ended, unless the script says otherwise,
const TIMEOUT: i64 = 600;
/// and that may take so long.
const GRACE: i64 = 60;

/// What the block calls.
const SCRIPTS: [&str; 3] = ["cron_sync_databases", "cron_sync_logs", "cron_security_monitoring"];
/// The timers that do the same, where systemd looks for them, and where it links those that begin with the machine.
const TIMERS: [&str; 3] = ["cr0sync-databases.timer", "cr0sync-logs.timer", "cr0sync-security.timer"];
const UNITS: &str = "/etc/systemd/system";
const BEGUN: &str = "/etc/systemd/system/timers.target.wants";

/// What there is of timers for a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timers {
    Absent,
    /// They are there, and do not begin with the machine.
    Off,
    /// They are there, and systemd is not what runs this machine.
    Idle,
    On,
}

/// Systemd makes it where it runs the machine (`sd_booted(3)`).
const SYSTEMD: &str = "/run/systemd/system";

impl Timers {
    fn look(root: &Path) -> Timers {
        let of = timer_of(root);
        let is_ours = |path: &Path| {
            fs::read_to_string(path).is_ok_and(|text| text.lines().any(|line| line.trim_end() == of))
        };
        if !TIMERS.first().is_some_and(|timer| is_ours(&Path::new(UNITS).join(timer))) {
            return Timers::Absent;
        }
        match TIMERS.iter().all(|timer| is_ours(&Path::new(BEGUN).join(timer))) {
            _ if !Path::new(SYSTEMD).is_dir() => Timers::Idle,
            true => Timers::On,
            false => Timers::Off,
        }
    }
}

/// The line of a unit that says whose it is. There a `%` is two.
fn timer_of(root: &Path) -> String {
    format!("# cr0sync {}", root.display().to_string().replace('%', "%%"))
}

/// What calls the scripts, as far as that can be seen.
struct Callers<'a> {
    crontab: Option<&'a str>,
    timers: Timers,
}

pub(super) fn findings(
    config: &Config,
    shell: &Shell,
    stamps: &BTreeMap<&'static str, Stamp>,
    now: &Now,
    commands: &Commands,
) -> Vec<DoctorFinding> {
    let callers = Callers { crontab: shell.crontab.as_deref(), timers: Timers::look(&config.root) };
    let alive = alive(&config.root, stamps, now.unix);
    judge(&config.root, &callers, &alive, now.unix, commands)
}

/// What the scripts wrote down, without the beginnings of runs that are at work no more: each holds its lock as long as it
/// is.
fn alive(root: &Path, stamps: &BTreeMap<&'static str, Stamp>, now: i64) -> BTreeMap<&'static str, Stamp> {
    let is_over = |job: &str| {
        let lock = root.join("sync_state/locks").join(format!("cron-{job}.lock"));
        durable::is_in_use(&lock) == Some(false)
    };
    let at_work = stamps.iter().filter(|(_, stamp)| stamp.at_work(now).is_some());
    let over: Vec<&str> = at_work.map(|(job, _)| *job).filter(|job| is_over(job)).collect();
    if over.is_empty() {
        return stamps.clone();
    }
    // One that ended just now has written that down before it let go of its lock.
    let mut again = stamps::stamps(root);
    for (_, stamp) in again.iter_mut().filter(|(job, _)| over.contains(job)) {
        if stamp.at_work(now).is_some() {
            stamp.started = None;
        }
    }
    again
}

fn judge(
    root: &Path,
    callers: &Callers<'_>,
    stamps: &BTreeMap<&'static str, Stamp>,
    now: i64,
    commands: &Commands,
) -> Vec<DoctorFinding> {
    let block = match (callers.timers, callers.crontab) {
        (Timers::On, _) => Some(well("cron", "timers of systemd call the scripts")),
        (Timers::Off | Timers::Idle, Some(text)) if has_block(root, text) => {
            Some(block(root, text, stamps, now))
        }
        (Timers::Idle, _) => {
            let what = "systemd has the timers, and does not run this machine: nothing that they would call is called";
            let remedy = format!("{}, for cron to call it", installed(root, "install_crontabs.sh"));
            Some(problem("cron", what).mended_by(remedy))
        }
        (Timers::Off, _) => {
            let what = "systemd has the timers, and does not begin all of them with the machine";
            let remedy = format!("as root: systemctl enable --now {}", TIMERS.join(" "));
            Some(warning("cron", what).mended_by(remedy))
        }
        (Timers::Absent, Some(text)) => Some(block(root, text, stamps, now)),
        (Timers::Absent, None) => None,
    };
    let is_called = block.as_ref().is_some_and(|one| one.remedy.is_none());
    let caller = match callers.timers {
        Timers::On => "see that the timers run (systemctl list-timers 'cr0sync-*')",
        _ => "see that cron runs (systemctl status cron)",
    };
    let called = Called { is_called, caller };
    let jobs = JOBS.iter().map(|job| of_job(root, job, stamps.get(job), now, &called, commands));
    let mut all: Vec<DoctorFinding> = jobs.collect();
    all.extend(JOBS.iter().filter_map(|job| of_cleanup(root, job, stamps.get(job)?)));
    if block.is_none() && all.iter().any(|one| one.remedy.is_some()) {
        let what = "whether the table of cron has our block was not looked at";
        all.push(
            warning("cron", what)
                .mended_by("run doctor as the user of the jobs or as root, where crontab -l works"),
        );
    }
    block.into_iter().chain(all).collect()
}

/// The first and the last line of our block.
fn marks(root: &Path) -> (String, String) {
    (format!("# BEGIN cr0sync {}", root.display()), format!("# END cr0sync {}", root.display()))
}

fn has_block(root: &Path, crontab: &str) -> bool {
    let (begin, end) = marks(root);
    crontab.lines().any(|line| [begin.as_str(), end.as_str()].contains(&line.trim_end()))
}

/// What the table of cron has of ours.
fn block(root: &Path, crontab: &str, stamps: &BTreeMap<&'static str, Stamp>, now: i64) -> DoctorFinding {
    let (begin, end) = marks(root);
    let is_fresh = |job: &str| stamps.get(job).is_some_and(|stamp| stamp.is_fresh(now));
    let count = |wanted: &str| crontab.lines().filter(|line| line.trim_end() == wanted).count();
    let install = installed(root, "install_crontabs.sh");
    let called_by = |script: &str| {
        let from = crontab.lines().skip_while(|line| line.trim_end() != begin);
        let mut block = from.take_while(|line| line.trim_end() != end);
        let suffix = format!("/{script}.sh'");
        block.any(|line| line.starts_with("* * * * * ") && line.trim_end().ends_with(&suffix))
    };
    match (count(&begin), count(&end)) {
        (1, 1) => match SCRIPTS.iter().find(|script| !called_by(script)) {
            None => well("cron", "the table of cron has our block"),
            Some(script) => {
                problem("cron", format!("our block in the table of cron does not call {script}.sh"))
                    .mended_by(install)
            }
        },
        (0, 0) if stamps.is_empty() => {
            warning("cron", "nothing calls us yet: the table of cron has no block of ours").mended_by(install)
        }
        (0, 0) if JOBS.iter().all(|job| is_fresh(job)) => warning(
            "cron",
            "the table of cron has no block of ours, and yet something calls the scripts: lines of your own, or another table?",
        )
        .mended_by(format!("take those lines out, and {install}; or leave them, and nobody keeps them up to date")),
        (0, 0) => problem(
            "cron",
            "the block of ours is gone from the table of cron, and nothing known calls the scripts",
        )
        .mended_by(format!("{install} (or install_timers.sh, where systemd is to call them)")),
        _ => problem("cron", "the table of cron has half of our block, or more than one")
            .mended_by(format!("crontab -e, and remove the lines from {begin:?} to {end:?}; then {install}")),
    }
}

/// A script of the installation, as one calls it.
fn installed(root: &Path, name: &str) -> String {
    format!("sh {}", quoted(&root.join(name)))
}

/// What is known of who calls the scripts.
struct Called {
    is_called: bool,
    /// How to look whether that works.
    caller: &'static str,
}

/// The script of a job, and its log.
fn files_of(root: &Path, job: &str) -> (&'static str, PathBuf) {
    let [databases, logs, security] = SCRIPTS;
    let (script, log) = match job {
        "databases" => (databases, "cron_database_sync.log"),
        "logs" => (logs, "cron_log_sync.log"),
        _ => (security, "cron_security.log"),
    };
    (script, root.join("logs").join(log))
}

/// A cleanup that failed is tried again each hour, and the runs between say nothing of it.
fn of_cleanup(root: &Path, job: &str, stamp: &Stamp) -> Option<DoctorFinding> {
    let at = DateTime::from_timestamp(stamp.cleanup_failed?, 0).map(clock::stamp)?;
    let (script, log) = files_of(root, job);
    let what = format!("the cleanup of {script}.sh failed at {at}, and is tried again each hour");
    let remedy = format!("grep ERROR {} | tail", quoted(&log));
    Some(warning("cron", what).at(&log).mended_by(remedy))
}

fn of_job(
    root: &Path,
    job: &str,
    stamp: Option<&Stamp>,
    now: i64,
    called: &Called,
    commands: &Commands,
) -> DoctorFinding {
    let (script, log) = files_of(root, job);
    let look = installed(root, "test_cron_scripts.sh");
    let see = format!("{}, and {look}", called.caller);
    let stamp = stamp.copied().unwrap_or_default();
    if let Some(begun) = stamp.at_work(now) {
        let limit = stamp.timeout.unwrap_or(TIMEOUT);
        if begun > limit.saturating_add(GRACE) {
            let what = format!(
                "{script}.sh began {} minutes ago and did not end, and should have been ended after {limit} seconds",
                begun / 60
            );
            let remedy = format!("see what it does (ps -ef | grep {script}), and end it; {look}");
            return problem("cron", what).at(&log).mended_by(remedy);
        }
    }
    let Some(last) = stamp.last_run else {
        return match (stamp.at_work(now), called.is_called) {
            (Some(begun), _) => well("cron", format!("{script}.sh is at work for {begun} seconds")),
            (None, true) => {
                warning("cron", format!("{script}.sh has not run yet; cron calls it within a minute"))
                    .mended_by(see)
            }
            (None, false) => warning("cron", format!("{script}.sh has never run"))
                .mended_by(format!("{}, and {look}", installed(root, "install_crontabs.sh"))),
        };
    };
    let age = now.saturating_sub(last);
    if stamp.at_work(now).is_none() && age > PATIENCE {
        let what = format!("{script}.sh ran last {} minutes ago, and should every minute", age / 60);
        let told = if age > DEAD { problem("cron", what) } else { warning("cron", what) };
        return told.at(&log).mended_by(see);
    }
    ended(script, &stamp, now, &log, commands)
}

/// How the last run ended.
fn ended(script: &str, stamp: &Stamp, now: i64, log: &Path, commands: &Commands) -> DoctorFinding {
    let since = stamp.last_success.and_then(|at| DateTime::from_timestamp(at, 0)).map(clock::stamp);
    let since =
        |word: &str| since.as_ref().map(|at| format!(", and has {word} since {at}")).unwrap_or_default();
    match (stamp.last_exit, stamp.at_work(now)) {
        (Some(0 | 1) | None, Some(begun)) => {
            well("cron", format!("{script}.sh is at work for {begun} seconds"))
        }
        (Some(0 | 1) | None, None) => {
            let age = stamp.last_run.map_or(0, |last| now.saturating_sub(last).max(0));
            well("cron", format!("{script}.sh ran {age} seconds ago"))
        }
        (Some(75), _) => {
            warning("cron", format!("{script}.sh waits for another run{}", since("done nothing")))
                .at(log)
                .mended_by(format!("{} says who holds which lock", commands.security("status")))
        }
        (Some(code), _) => {
            problem("cron", format!("{script}.sh ended with {code} when it ran last{}", since("failed")))
                .at(log)
                .mended_by(format!("tail {}", quoted(log)))
        }
    }
}

impl Stamp {
    /// Whether it runs as it should, or is at work.
    fn is_fresh(&self, now: i64) -> bool {
        self.at_work(now).is_some() || self.last_run.is_some_and(|last| now.saturating_sub(last) <= PATIENCE)
    }

    /// For how many seconds a run is at work that did not end yet. One that a clock tells of that was set back is none.
    fn at_work(&self, now: i64) -> Option<i64> {
        let started = self.started.filter(|started| *started <= now)?;
        (self.last_run.is_none_or(|last| started > last)).then(|| now.saturating_sub(started))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::DoctorState::{self, Ok, Problem, Warning};

    const NOW: i64 = 10_000;

    fn ran(age: i64, code: i64) -> Stamp {
        Stamp { last_run: Some(NOW - age), last_exit: Some(code), ..Stamp::default() }
    }

    fn judged(
        crontab: Option<&str>,
        timers: Timers,
        stamps: &[(&'static str, Stamp)],
    ) -> Vec<(DoctorState, String, String)> {
        let stamps = stamps.iter().copied().collect();
        let callers = Callers { crontab, timers };
        let all = judge(Path::new("/data/x"), &callers, &stamps, NOW, &Commands::default());
        for one in &all {
            assert_eq!(one.remedy.is_some(), one.state != Ok, "{one:?}");
        }
        all.into_iter().map(|one| (one.state, one.what, one.remedy.unwrap_or_default())).collect()
    }

    fn whole() -> String {
        let lines = SCRIPTS.map(|script| format!("* * * * * '/data/x/{script}.sh'\n")).concat();
        format!("MAILTO=x\n# BEGIN cr0sync /data/x\n{lines}# END cr0sync /data/x\n")
    }

    #[test]
    fn a_block_or_timers_must_call_the_scripts() {
        let whole = whole();
        let whole = whole.as_str();
        let closed = whole.replace("* * * * * '/data/x/cron_sync_logs", "#* * * * * '/data/x/cron_sync_logs");
        let turned = whole.replace("BEGIN", "x").replace("END", "BEGIN").replace("# x", "# END");
        let fresh = [("databases", ran(60, 0)), ("logs", ran(180, 1)), ("security", ran(0, 0))];
        let old = [("databases", ran(60, 0)), ("logs", ran(181, 1)), ("security", ran(0, 0))];
        for (crontab, stamps, state, word) in [
            (whole, &fresh[..], Ok, "has our block"),
            (whole, &[], Ok, "has our block"),
            // Lines of somebody's own.
            ("", &fresh[..], Warning, "and yet something calls"),
            ("", &old[..], Problem, "is gone"),
            ("", &fresh[..1], Problem, "is gone"),
            ("", &[], Warning, "calls us yet"),
            ("# BEGIN cr0sync /data/xy\n# END cr0sync /data/xy\n", &[], Warning, "calls us yet"),
            ("# BEGIN cr0sync /data/x\n* * * * * true\n", &fresh[..], Problem, "half of our block"),
            (&whole.repeat(2), &fresh[..], Problem, "more than one"),
            (&closed, &fresh[..], Problem, "does not call cron_sync_logs.sh"),
            (&turned, &fresh[..], Problem, "does not call"),
        ] {
            let all = judged(Some(crontab), Timers::Absent, stamps);
            assert_eq!((all.len(), all[0].0), (4, state), "{crontab}: {all:?}");
            assert!(all[0].1.contains(word), "{crontab}: {all:?}");
            assert_eq!(judged(Some(crontab), Timers::On, stamps)[0].0, Ok, "timers do as well");
            let off = judged(Some(crontab), Timers::Off, stamps)[0].clone();
            let is_block = crontab.contains("cr0sync /data/x\n");
            let expected = if is_block { state } else { Warning };
            assert!(off.0 == expected && off.2.contains("enable --now") != is_block, "{crontab}: {off:?}");
        }
        assert_eq!(judged(None, Timers::Absent, &fresh).len(), 3);
        let all = judged(None, Timers::Absent, &fresh[..2]);
        assert!(all.len() == 4 && all[3].1.contains("not looked at"), "{all:?}");
    }

    #[test]
    fn a_percent_sign_is_two_in_a_unit() {
        assert_eq!(timer_of(Path::new("/data/100%")), "# cr0sync /data/100%%");
    }

    /// A run that was killed, and no other one since.
    #[test]
    fn a_run_is_at_work_as_long_as_it_holds_its_lock() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        for name in ["sync_state/cron", "sync_state/locks"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let text = format!("cr0sync cron 1\nlast_run={}\nlast_exit=0\nstarted={}\n", NOW - 560, NOW - 500);
        fs::write(root.join("sync_state/cron/logs"), text).unwrap();
        let held = fs::File::create(root.join("sync_state/locks/cron-logs.lock")).unwrap();
        held.lock().unwrap();
        let told = || {
            let alive = alive(root, &stamps::stamps(root), NOW);
            let callers = Callers { crontab: None, timers: Timers::On };
            judge(root, &callers, &alive, NOW, &Commands::default())[2].clone()
        };
        let at_work = told();
        assert!(at_work.state == Ok && at_work.what.contains("at work for 500 seconds"), "{at_work:?}");
        drop(held);
        let dead = told();
        assert!(dead.state == Warning && dead.what.contains("ran last 9 minutes ago"), "{dead:?}");
    }

    #[test]
    fn what_cron_will_call_in_a_minute_is_not_to_be_installed_again() {
        let all = judged(Some(&whole()), Timers::Absent, &[]);
        for (state, what, remedy) in &all[1..] {
            assert!(*state == Warning && what.contains("within a minute"), "{what}");
            assert!(
                !remedy.contains("install_crontabs") && remedy.contains("systemctl status cron"),
                "{remedy}"
            );
        }
        let all = judged(Some(""), Timers::Absent, &[]);
        assert!(
            all[1..].iter().all(|(_, _, remedy)| remedy.contains("/data/x/install_crontabs.sh")),
            "{all:?}"
        );
    }

    #[test]
    fn a_script_that_does_not_run_or_fails_is_told() {
        let at_work = |began: i64, before: Stamp| Stamp { started: Some(NOW - began), ..before };
        let limited = |timeout: i64, stamp: Stamp| Stamp { timeout: Some(timeout), ..stamp };
        let failing = |stamp: Stamp| Stamp { last_success: Some(0), ..stamp };
        for (stamp, state, word) in [
            (ran(0, 0), Ok, "0 seconds ago"),
            (ran(-100, 1), Ok, ""),
            (ran(180, 0), Ok, ""),
            (ran(181, 0), Warning, "3 minutes ago"),
            (ran(901, 0), Problem, "15 minutes ago"),
            (ran(60, 75), Warning, "another run"),
            (failing(ran(60, 75)), Warning, "has done nothing since 1970-01-01T00:00:00"),
            (ran(60, 2), Problem, "ended with 2 when it ran last"),
            (
                failing(ran(60, 124)),
                Problem,
                "ended with 124 when it ran last, and has failed since 1970-01-01T00:00:00",
            ),
            // A run that takes long, and one that nobody ended.
            (at_work(500, ran(560, 0)), Ok, "at work for 500 seconds"),
            (at_work(660, ran(1000, 0)), Ok, "at work"),
            (at_work(661, ran(1000, 0)), Problem, "11 minutes ago and did not end"),
            (limited(60, at_work(121, ran(1000, 0))), Problem, "ended after 60 seconds"),
            (at_work(5, Stamp::default()), Ok, "at work"),
            (at_work(661, Stamp::default()), Problem, "did not end"),
            // What failed before is told while the next one is at work.
            (at_work(5, ran(30, 124)), Problem, "ended with 124"),
            // Over.
            (at_work(300, ran(290, 0)), Warning, "4 minutes ago"),
            // A clock that was set back.
            (at_work(-50, ran(60, 0)), Ok, "60 seconds ago"),
        ] {
            let all = judged(None, Timers::Absent, &[("logs", stamp)]);
            let (found, what, _) = &all[1];
            assert!(*found == state && what.contains(word), "{stamp:?}: {all:?}");
            assert_eq!(all[0].0, Warning, "the others never ran");
        }
    }
}
