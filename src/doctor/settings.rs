//! What is set in `cron.env` below the root, as the cron scripts read it: lines of NAME=value, no part of which is ever run.
//!
//! It says which PHP runs, so that the scripts believe it only where nobody else can have written it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::finding::{problem, well};
use crate::config::{Config, Ownership};
use crate::durable::quoted;
use crate::durable::{self, Account, mend};
use crate::report::DoctorFinding;

/// A longer one is none (bytes).
const MAX_BYTES: u64 = 65_536;
/// Where scripts lie unless it says otherwise.
const WEB: &str = "/var/www/html";

/// What it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// How it is with the file itself; none where there is none.
    pub(super) finding: Option<DoctorFinding>,
    /// Where the scripts lie that cron runs; none where nothing is installed here.
    pub(super) scripts: Option<PathBuf>,
    /// Where metrics are written to.
    pub(super) metrics: Option<PathBuf>,
    /// Which PHP runs; none where it is looked for when it is called.
    pub(super) php: Option<PathBuf>,
}

impl Settings {
    pub(super) fn read(config: &Config) -> Settings {
        let path = config.root.join("cron.env");
        let Ok(found) = fs::symlink_metadata(&path) else { return Settings::default() };
        let scripts = Some(PathBuf::from(WEB));
        let ownership = &config.ownership;
        let runner = Account::of_runs(&config.root, ownership);
        let is_theirs = found.uid() == 0 || runner.is_some_and(|runner| runner.user == found.uid());
        if !found.is_file() || !is_theirs || found.mode() & 0o022 != 0 {
            return Settings {
                finding: Some(unbelieved(&path, &found, ownership)),
                scripts,
                ..Settings::default()
            };
        }
        let bytes = match durable::read_regular(&path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(cause) => {
                let what = format!("the settings of the cron scripts cannot be read: {cause}");
                let finding = problem("cron", what).at(&path).mended_by(remedy(&path, ownership));
                return Settings { finding: Some(finding), scripts, ..Settings::default() };
            }
        };
        let lines = Lines::of(&String::from_utf8_lossy(&bytes));
        let finding = match lines.wrong.as_slice() {
            [] => well("cron", "the settings of the cron scripts are theirs alone"),
            wrong => {
                let what = format!("the cron scripts pass over what they do not take: {}", wrong.join("; "));
                let remedy =
                    format!("correct it: {} takes lines of NAME=value, # and empty ones", quoted(&path));
                problem("cron", what).mended_by(remedy)
            }
        };
        Settings {
            finding: Some(finding.at(&path)),
            scripts: lines.web.or(scripts),
            metrics: lines.metrics,
            php: lines.php,
        }
    }
}

/// What the lines say, by the rules of `read_settings` in `settings.sh`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lines {
    web: Option<PathBuf>,
    metrics: Option<PathBuf>,
    php: Option<PathBuf>,
    wrong: Vec<String>,
}

impl Lines {
    fn of(text: &str) -> Lines {
        let mut lines = Lines::default();
        for (index, line) in text.split('\n').enumerate() {
            // As editors of other systems end a line.
            let line = line.strip_suffix('\r').unwrap_or(line);
            if let Err(why) = lines.take(line) {
                lines.wrong.push(format!("line {} {why}: {line}", index + 1));
            }
        }
        lines
    }

    fn take(&mut self, line: &str) -> Result<(), &'static str> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if has_quotes(line) {
            return Err("has quotes, which nothing here needs or takes away");
        }
        let (name, value) = line.split_once('=').ok_or("is not understood")?;
        let is_path = matches!(name, "WEB" | "CONFIG" | "METRICS");
        if is_path && !value.is_empty() && !value.starts_with('/') {
            return Err("has a path that does not begin with /");
        }
        let path = (!value.is_empty()).then(|| PathBuf::from(value));
        match (name, path) {
            ("WEB", Some(path)) => self.web = Some(path),
            ("METRICS", path) => self.metrics = path,
            ("PHP", Some(path)) => self.php = path.is_absolute().then_some(path),
            ("CONFIG", _) => {}
            ("TIMEOUT" | "LOG_BYTES" | "LOG_KEEP", _) if is_number(value) => {}
            ("TIMEOUT" | "LOG_BYTES" | "LOG_KEEP", _) => return Err("needs a number from 1 on"),
            _ => return Err("is not understood"),
        }
        Ok(())
    }
}

/// A value in quotes, whatever stands before it.
fn has_quotes(line: &str) -> bool {
    ['"', '\''].into_iter().any(|quote| {
        let opened = line.find(&format!("={quote}")).and_then(|at| line.get(at + 2..));
        opened.is_some_and(|rest| rest.ends_with(quote))
    })
}

fn is_number(value: &str) -> bool {
    !value.starts_with('0') && (1..=9).contains(&value.len()) && value.bytes().all(|one| one.is_ascii_digit())
}

fn unbelieved(path: &Path, found: &fs::Metadata, ownership: &Ownership) -> DoctorFinding {
    let who = durable::user_numbered(found.uid()).unwrap_or_else(|| found.uid().to_string());
    let what = if found.is_file() {
        format!(
            "the cron scripts do not read it, as others than root and {} could have written it (it belongs to {who}, mode {:o})",
            ownership.user,
            found.mode() & 0o7777
        )
    } else {
        "the cron scripts do not read it, as it is no regular file".to_owned()
    };
    problem("cron", what).at(path).mended_by(remedy(path, ownership))
}

fn remedy(path: &Path, ownership: &Ownership) -> String {
    let whom = format!("{}:{}", ownership.user, ownership.group);
    let (user, group) = durable::owner(ownership).unwrap_or((0, 0));
    format!(
        "see what stands in it, then as root: {} && {}",
        mend::chown(&whom, path),
        mend::chmod("644", path, user, group)
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    /// Each line is taken or refused as the shell that reads it for the jobs does.
    #[test]
    fn lines_are_read_as_the_cron_scripts_read_them() {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/php/system/settings.sh");
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("cron.env");
        for (text, is_taken) in [
            ("", true),
            ("# x\n\nPHP=/usr/bin/php\nWEB=/srv/a\nMETRICS=/m", true),
            ("WEB=/srv/a\r\nWEB=/srv/b\r\n", true),
            ("METRICS=/m\nMETRICS=\n", true),
            ("WEB=\"/srv/a\"\n", false),
            ("WEB=/srv/b\nWEB='/srv/a'\n", false),
            ("WEB=/srv/it's\n", true),
            ("WEB=\"\n", false),
            ("WEB=srv/a\nMETRICS=/m\n", false),
            ("CONFIG=x\n", false),
            ("WEB=\n", false),
            ("PHP=\n", false),
            ("CONFIG=\n", true),
            ("TIMEOUT=60\nLOG_BYTES=123456789\nLOG_KEEP=1\n", true),
            ("TIMEOUT=060\n", false),
            ("LOG_BYTES=1234567890\n", false),
            ("LOG_KEEP=x\n", false),
            ("TIMEOUT=\n", false),
            (" WEB=/srv/a\n", false),
            ("other=1\n", false),
            ("WEB\n", false),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            let said = Command::new("sh")
                .arg("-c")
                .arg(". \"$1\"; read_settings \"$2\"; printf '%s\\n' \"$WEB\" \"$METRICS\" \"$unsettled\"")
                .args(["sh", script])
                .arg(place.path())
                .output()
                .unwrap();
            let said = String::from_utf8(said.stdout).unwrap();
            let all: Vec<&str> = said.splitn(3, '\n').collect();
            let lines = Lines::of(text);
            let web = lines.web.unwrap_or_else(|| PathBuf::from(WEB));
            assert_eq!(
                (Path::new(all[0]), Path::new(all[1])),
                (web.as_path(), lines.metrics.as_deref().unwrap_or(Path::new(""))),
                "{text:?}"
            );
            assert_eq!(all[2].trim().is_empty(), is_taken, "{text:?}: {said}");
            assert_eq!(lines.wrong.is_empty(), is_taken, "{text:?}: {:?}", lines.wrong);
        }
    }
}
