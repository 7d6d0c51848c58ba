//! Whether what we remember lies in directories that have the modes they were made with.
//!
//! Whose they are, and whether somebody could exchange them, `security::status` says.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::finding::{failed, problem, warning, well};
use crate::config::Config;
use crate::error::Error;
use crate::report::DoctorFinding;

pub(super) fn findings(config: &Config) -> Vec<DoctorFinding> {
    let state = config.root.join("sync_state");
    let found = match fs::symlink_metadata(&state) {
        Ok(found) => found,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            let first = "php database_sync_script.php bidirectional";
            let what = "nothing is remembered yet: nothing was ever synced here";
            return vec![warning("state", what).at(&state).mended_by(first)];
        }
        Err(cause) => return vec![failed("state", &Error::io("look at", &state, cause))],
    };
    if !found.is_dir() {
        let what = "what should be a directory is something else";
        let remedy = format!("find out who did that, and move {} away", state.display());
        return vec![problem("state", what).at(&state).mended_by(remedy)];
    }
    let mode = found.mode() & 0o7777;
    let mut all = Vec::new();
    if mode & 0o007 != 0 {
        let what = format!("everybody on this machine may look into it (mode {mode:o})");
        all.push(
            warning("state", what).at(&state).mended_by(format!("as root: chmod o= {}", state.display())),
        );
    }
    if mode & 0o070 != 0o070 {
        let what =
            format!("pages can ask for nothing and see nothing: their group may not use it (mode {mode:o})");
        let remedy = format!("as root: chmod g+rwx {}", state.display());
        all.push(problem("state", what).at(&state).mended_by(remedy));
    }
    if all.is_empty() {
        all.push(well("state", format!("mode {mode:o}")).at(&state));
    }
    all
}
