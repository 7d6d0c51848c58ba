//! Where the snapshots of one side lie, and what they are called after.
//!
//! The hub's lie beside its file, a spoke's under `<root>/databases/backups/{side}/`, or all of them under
//! `backups.directory`. Only looks at the configuration, never at the disk: a file that is gone has its snapshots
//! still.

use std::path::{Path, PathBuf};

use crate::config::Config;

/// Where the snapshots of one side of a database lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Database name.
    pub(crate) database: String,
    /// Side name.
    pub(crate) side: String,
    /// The live file, as configured.
    pub(crate) live: PathBuf,
    /// Their directory.
    pub(crate) directory: PathBuf,
    /// The name that theirs begin with.
    pub(crate) file: String,
}

impl Place {
    /// The place of one side; `None` when the configuration does not have it.
    pub(crate) fn of(config: &Config, database: &str, side: &str) -> Option<Place> {
        let live = config.databases.get(database)?.replicas.get(side)?;
        let file = live.file_name()?.to_str()?.to_owned();
        let directory = match &config.backups.directory {
            None if side == config.hub => live.parent()?.to_path_buf(),
            None => below(config, &config.root.join("databases").join("backups"), database, side, live),
            Some(directory) => below(config, directory, database, side, live),
        };
        Some(Place {
            database: database.to_owned(),
            side: side.to_owned(),
            live: live.clone(),
            directory,
            file,
        })
    }

    /// The places of all sides of a database, by name.
    pub(crate) fn all(config: &Config, database: &str) -> Vec<Place> {
        let sides = config.databases.get(database).map(|database| database.replicas.keys());
        sides.into_iter().flatten().filter_map(|side| Place::of(config, database, side)).collect()
    }
}

/// A directory for each side, and one more for each database where two files of a side have one name.
fn below(config: &Config, directory: &Path, database: &str, side: &str, live: &Path) -> PathBuf {
    let namesake = config.databases.iter().any(|(other, theirs)| {
        other != database
            && theirs.replicas.get(side).is_some_and(|path| path.file_name() == live.file_name())
    });
    let directory = directory.join(side);
    if namesake { directory.join(database) } else { directory }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(backups: &str) -> Vec<String> {
        let json = format!(
            r#"{{"root": "/srv", "databases": {{
                "users": {{"replicas": {{"central": "databases/users.db", "web": "/w/users.db", "bot": "/b/users.db"}}}},
                "other": {{"replicas": {{"central": "databases/o.db", "bot": "/c/users.db"}}}}}} {backups}}}"#
        );
        let config = Config::parse(json.as_bytes(), Path::new("/"), None).unwrap();
        let all = ["users", "other"].into_iter().flat_map(|name| Place::all(&config, name));
        all.map(|p| format!("{} {} {} {}", p.database, p.side, p.directory.display(), p.file)).collect()
    }

    #[test]
    fn snapshots_have_their_place() {
        assert_eq!(
            places(""),
            [
                "users bot /srv/databases/backups/bot/users users.db",
                "users central /srv/databases users.db",
                "users web /srv/databases/backups/web users.db",
                "other bot /srv/databases/backups/bot/other users.db",
                "other central /srv/databases o.db",
            ]
        );
        assert_eq!(
            places(r#", "backups": {"directory": "saved"}"#),
            [
                "users bot /srv/saved/bot/users users.db",
                "users central /srv/saved/central users.db",
                "users web /srv/saved/web users.db",
                "other bot /srv/saved/bot/other users.db",
                "other central /srv/saved/central o.db",
            ]
        );
    }
}
