//! Whether anything calls us: the block in the table of cron, and what the cron scripts wrote down of their last runs.
//!
//! Timers of systemd do as well as cron, so a script that ran lately is enough.

use std::collections::BTreeMap;
use std::path::Path;

use super::Now;
use super::finding::{problem, warning, well};
use super::stamps::{JOBS, Stamp};
use crate::report::DoctorFinding;

/// Each script is called every minute, and ended after ten; one that did not run for so long is not called (seconds).
const PATIENCE: i64 = 900;

/// What the block calls.
const SCRIPTS: [&str; 3] = ["cron_sync_databases", "cron_sync_logs", "cron_security_monitoring"];

pub(super) fn findings(
    root: &Path,
    crontab: Option<&str>,
    stamps: &BTreeMap<&'static str, Stamp>,
    now: &Now,
) -> Vec<DoctorFinding> {
    let is_called = |job: &&str| {
        stamps.get(*job).and_then(|stamp| stamp.last_run).is_some_and(|last| now.unix - last <= PATIENCE)
    };
    let called = JOBS.iter().filter(|job| is_called(job)).count();
    let mut all: Vec<DoctorFinding> = crontab.map(|text| block(root, text, called)).into_iter().collect();
    all.extend(JOBS.iter().map(|job| of_job(root, job, stamps.get(job), now.unix)));
    all
}

/// What the table of cron has of ours.
fn block(root: &Path, crontab: &str, called: usize) -> DoctorFinding {
    let (begin, end) =
        (format!("# BEGIN cr0sync {}", root.display()), format!("# END cr0sync {}", root.display()));
    let count = |wanted: &str| crontab.lines().filter(|line| line.trim_end() == wanted).count();
    let install = format!("sh {}/install_crontabs.sh", root.display());
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
        (0, 0) if called == JOBS.len() => {
            well("cron", "the table of cron has no block of ours, and something else calls the scripts")
        }
        (0, 0) => {
            problem("cron", "nothing calls us: the table of cron has no block of ours").mended_by(install)
        }
        _ => problem("cron", "the table of cron has half of our block, or more than one")
            .mended_by(format!("crontab -e, and remove the lines from {begin:?} to {end:?}; then {install}")),
    }
}

fn of_job(root: &Path, job: &str, stamp: Option<&Stamp>, now: i64) -> DoctorFinding {
    let [databases, logs, security] = SCRIPTS;
    let script = match job {
        "databases" => databases,
        "logs" => logs,
        _ => security,
    };
    let log = root.join("logs").join(match job {
        "databases" => "cron_database_sync.log",
        "logs" => "cron_log_sync.log",
        _ => "cron_security.log",
    });
    let look = format!("sh {}/test_cron_scripts.sh", root.display());
    let Some((stamp, last)) = stamp.and_then(|stamp| Some((stamp, stamp.last_run?))) else {
        let what = format!("{script}.sh has never run");
        return warning("cron", what)
            .mended_by(format!("sh {}/install_crontabs.sh, and {look}", root.display()));
    };
    let age = now.saturating_sub(last);
    if age > PATIENCE {
        let what = format!("{script}.sh ran last {} minutes ago, and should every minute", age / 60);
        return problem("cron", what)
            .at(&log)
            .mended_by(format!("see that cron runs (systemctl status cron), and {look}"));
    }
    match stamp.last_exit {
        Some(0 | 1) | None => well("cron", format!("{script}.sh ran {} seconds ago", age.max(0))),
        Some(75) => warning("cron", format!("{script}.sh waits for another run"))
            .at(&log)
            .mended_by("php security_monitoring_script.php status says who holds which lock"),
        Some(code) => problem("cron", format!("{script}.sh ended with {code} when it ran last"))
            .at(&log)
            .mended_by(format!("tail {}", log.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Boot;
    use crate::report::DoctorState::{self, Ok, Problem, Warning};

    fn judged(crontab: Option<&str>, last: &[(&'static str, i64, i64)]) -> Vec<(DoctorState, String)> {
        let now = Now { unix: 10_000, boot: Boot { id: String::new(), seconds: 0 } };
        let stamp = |(job, age, code): &(&'static str, i64, i64)| {
            let (last_run, last_exit) = (Some(10_000 - age), Some(*code));
            (*job, Stamp { last_run, last_exit, ..Stamp::default() })
        };
        let stamps = last.iter().map(stamp).collect();
        let all = findings(Path::new("/data/x"), crontab, &stamps, &now);
        for one in &all {
            assert_eq!(one.remedy.is_some(), one.state != Ok, "{one:?}");
        }
        all.into_iter().map(|one| (one.state, one.what)).collect()
    }

    #[test]
    fn a_block_or_something_else_must_call_the_scripts() {
        let lines = SCRIPTS.map(|script| format!("* * * * * '/data/x/{script}.sh'\n")).concat();
        let whole = format!("MAILTO=x\n# BEGIN cr0sync /data/x\n{lines}# END cr0sync /data/x\n");
        let whole = whole.as_str();
        let closed = whole.replace("* * * * * '/data/x/cron_sync_logs", "#* * * * * '/data/x/cron_sync_logs");
        let fresh = [("databases", 60, 0), ("logs", 900, 1), ("security", 0, 0)];
        for (crontab, last, state) in [
            (whole, &fresh[..], Ok),
            (whole, &[], Ok),
            ("", &fresh[..], Ok),
            ("", &fresh[..2], Problem),
            ("# BEGIN cr0sync /data/xy\n# END cr0sync /data/xy\n", &[], Problem),
            ("# BEGIN cr0sync /data/x\n* * * * * true\n", &fresh[..], Problem),
            (&whole.repeat(2), &fresh[..], Problem),
            (&closed, &fresh[..], Problem),
            (&format!("# END cr0sync /data/x\n{lines}# BEGIN cr0sync /data/x\n"), &fresh[..], Problem),
        ] {
            let all = judged(Some(crontab), last);
            assert_eq!((all.len(), all[0].0), (4, state), "{crontab}: {all:?}");
        }
        assert_eq!(judged(None, &fresh).len(), 3);
    }

    #[test]
    fn a_script_that_does_not_run_or_fails_is_told() {
        for (age, code, state, word) in [
            (0, 0, Ok, ""),
            (-100, 1, Ok, ""),
            (900, 0, Ok, ""),
            (901, 0, Problem, "15 minutes ago"),
            (60, 75, Warning, "another run"),
            (60, 2, Problem, "ended with 2"),
            (60, 124, Problem, "ended with 124"),
        ] {
            let all = judged(None, &[("logs", age, code)]);
            let (found, what) = &all[1];
            assert!(*found == state && what.contains(word), "{all:?}");
            assert_eq!(all[0].0, Warning, "the others never ran");
        }
    }
}
