//! What is set in `cron.env` below the root, as the cron scripts read it: lines of NAME=value, no part of which is ever run.
//!
//! It says which PHP runs, so that the scripts believe it only where nobody else can have written it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::finding::{problem, well};
use crate::config::{Config, Ownership};
use crate::database::quoted;
use crate::durable;
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
}

impl Settings {
    pub(super) fn read(config: &Config) -> Settings {
        let path = config.root.join("cron.env");
        let Ok(found) = fs::symlink_metadata(&path) else { return Settings::default() };
        let scripts = Some(PathBuf::from(WEB));
        let ownership = &config.ownership;
        let owner =
            durable::user(ownership).or_else(|| fs::metadata(&config.root).ok().map(|root| root.uid()));
        let is_theirs = found.uid() == 0 || Some(found.uid()) == owner;
        if !found.is_file() || !is_theirs || found.mode() & 0o022 != 0 {
            return Settings { finding: Some(unbelieved(&path, &found, ownership)), scripts, metrics: None };
        }
        let bytes = match durable::read_regular(&path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(cause) => {
                let what = format!("the settings of the cron scripts cannot be read: {cause}");
                let finding = problem("cron", what).at(&path).mended_by(mend(&path, ownership));
                return Settings { finding: Some(finding), scripts, metrics: None };
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let last = |name: &str| {
            let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            values.next_back().filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        let finding = Some(well("cron", "the settings of the cron scripts are theirs alone").at(&path));
        Settings { finding, scripts: last("WEB").or(scripts), metrics: last("METRICS") }
    }
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
    problem("cron", what).at(path).mended_by(mend(path, ownership))
}

fn mend(path: &Path, ownership: &Ownership) -> String {
    let place = quoted(path);
    format!(
        "see what stands in it, then as root: chown {}:{} {place} && chmod 644 {place}",
        ownership.user, ownership.group
    )
}
