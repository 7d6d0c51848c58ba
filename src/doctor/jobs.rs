//! What the jobs of cron need beside the sides: their settings, their own logs, the place of metrics, and who tells people
//! of events.

use std::fs;
use std::path::Path;

use super::commands::Commands;
use super::finding::{problem, warning, well};
use super::reach::{self, FILL, Reach, Shared, USE};
use super::settings::Settings;
use super::{Now, Shell};
use crate::alerts::{self, Waiting};
use crate::config::Config;
use crate::durable::{Account, mend};
use crate::report::{DoctorFinding, counted};

/// What the cron scripts write.
const LOGS: [&str; 3] = ["cron_database_sync.log", "cron_log_sync.log", "cron_security.log"];
/// To run a program.
const RUN: u32 = 1;
/// What takes mail where nobody says otherwise.
const MAILER: &str = "/usr/sbin/sendmail";

/// Cron tells of events each minute; of those that happened before that somebody should have been told (seconds).
const PATIENCE: i64 = 300;

pub(super) fn findings(
    config: &Config,
    shell: &Shell,
    settings: &Settings,
    now: &Now,
    commands: &Commands,
) -> Vec<DoctorFinding> {
    let mut all: Vec<DoctorFinding> = settings.finding.iter().cloned().collect();
    let Some(runner) = Account::named(&config.ownership.user) else { return all };
    all.extend(LOGS.iter().filter_map(|name| of_log(config, &runner, &config.root.join("logs").join(name))));
    all.extend(settings.metrics.as_deref().map(|place| of_metrics(config, &runner, place)));
    if let Some(program) = config.alerts.command.as_ref().and_then(|command| command.first()) {
        all.push(of_alerts(&runner, Path::new(program), "name another under alerts in cr0sync.json"));
    }
    if config.alerts.mail.is_some() {
        let program = shell.mailer.as_deref().unwrap_or(Path::new(MAILER));
        let remedy = "install a mail server (Debian: apt-get install nullmailer), or set sendmail_path in php.ini, or take \
                      a program: alerts.command";
        all.push(of_alerts(&runner, program, remedy));
    }
    if config.alerts.command.is_some() || config.alerts.mail.is_some() {
        all.extend(
            alerts::waiting(config, now.unix, PATIENCE).map(|waiting| of_waiting(config, &waiting, commands)),
        );
    }
    all
}

fn of_waiting(config: &Config, waiting: &Waiting, commands: &Commands) -> DoctorFinding {
    let events = counted(waiting.count, "event", "events");
    let severity = &config.alerts.severity;
    let since = &waiting.since;
    match &waiting.next {
        Some(next) => {
            let what = format!(
                "{events} of severity {severity} or worse, the first of {since}, wait for the rate limit until {next}"
            );
            warning("alerts", what).at(&config.events.log).mended_by(format!(
                "see what they are; where so many are to be told, raise alerts.per_hour in cr0sync.json (it is {})",
                config.alerts.per_hour
            ))
        }
        None => {
            let what =
                format!("nobody was told of {events} of severity {severity} or worse, the first of {since}");
            let run = commands.security("run");
            problem("alerts", what)
                .at(&config.events.log)
                .mended_by(format!("{run} tries again, and says what is in the way"))
        }
    }
}

/// A log is appended to, and its directory takes those that were rotated.
fn of_log(config: &Config, runner: &Account, path: &Path) -> Option<DoctorFinding> {
    let directory = path.parent()?;
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        let what = "this log of cron is no regular file, and the cron scripts write to nothing else";
        return Some(problem("cron", what).at(path).mended_by("find out who put it there, and move it away"));
    }
    let shared = Shared::of(&config.ownership);
    [(directory, FILL, "make files in it"), (path, USE, "append to it")].into_iter().find_map(
        |(place, bits, verb)| {
            match reach::reach(runner, place, bits) {
                Reach::No { path, found, bits } => {
                    let what = format!(
                        "{} cannot {verb} (mode {:o}), so that cron tells nothing of its runs",
                        runner.name, found.mode
                    );
                    Some(
                        problem("cron", what)
                            .at(&path)
                            .mended_by(reach::remedy(runner, &path, &found, bits, shared)),
                    )
                }
                // Whoever cannot look at it himself is told so of the sides.
                Reach::Yes | Reach::Missing(_) | Reach::Listed(_) | Reach::Unknown(..) => None,
            }
        },
    )
}

fn of_metrics(config: &Config, runner: &Account, place: &Path) -> DoctorFinding {
    let ownership = &config.ownership;
    let another = format!("name another as METRICS= in {}", config.root.join("cron.env").display());
    let told = |what: String, remedy: String| problem("cron", what).at(place).mended_by(remedy);
    match reach::reach(runner, place, FILL) {
        Reach::Yes if place.is_dir() => well("cron", "metrics are written there").at(place),
        Reach::Yes => told(
            "metrics are to be written there, and it is no directory".to_owned(),
            format!("see what it is, and move it away; or {another}"),
        ),
        Reach::Missing(_) => told(
            "metrics are to be written there, and it is not there".to_owned(),
            // Nobody else has to write there: not pages, who could say there that all is well.
            format!("as root: {}; or {another}", mend::mkdir(&ownership.user, "755", place)),
        ),
        Reach::No { path, found, bits } => {
            let remedy = reach::remedy(runner, &path, &found, bits, None);
            told(
                format!(
                    "metrics are to be written there, and {} may not use {} (mode {:o})",
                    runner.name,
                    path.display(),
                    found.mode
                ),
                format!("{remedy}; or {another}"),
            )
        }
        Reach::Listed(path) => {
            let what = "whether metrics can be written there cannot be said, as there is an access list";
            warning("cron", what).at(place).mended_by(reach::by_list(runner, &path))
        }
        Reach::Unknown(_, cause) => {
            let what = format!("whether metrics can be written there cannot be said: {cause}");
            warning("cron", what).at(place).mended_by("as root: run doctor")
        }
    }
}

fn of_alerts(runner: &Account, program: &Path, remedy: &str) -> DoctorFinding {
    // One without a path is looked for when it is called.
    if !program.is_absolute() {
        return well("alerts", format!("{} is told of events", program.display()));
    }
    let told = |what: String| problem("alerts", what).at(program).mended_by(remedy);
    match reach::reach(runner, program, RUN) {
        Reach::Yes if program.is_file() => well("alerts", "this program is told of events").at(program),
        Reach::Yes => told("this is to be told of events, and is no program".to_owned()),
        Reach::Missing(_) => told("this program is to be told of events, and is not there".to_owned()),
        Reach::No { found, .. } => told(format!(
            "this program is to be told of events, and {} cannot run it (mode {:o})",
            runner.name, found.mode
        )),
        Reach::Listed(path) => {
            let what = "whether the program that is told of events can be run cannot be said, as there is an access list";
            warning("alerts", what).at(program).mended_by(reach::by_list(runner, &path))
        }
        Reach::Unknown(_, cause) => {
            let what =
                format!("whether the program that is told of events can be run cannot be said: {cause}");
            warning("alerts", what).at(program).mended_by("as root: run doctor")
        }
    }
}
