//! The configuration: one JSON file, parsed once into a [`Config`] that can only hold valid combinations.
//!
//! Apart from the engines because shells, engines and tests share it. It reads one file and never looks at
//! databases: whether a policy names an existing column is for the engine to say. It never looks at the environment.
//!
//! Here are the types and the questions that engines ask of them; `parse` reads the file, `shipped` holds what we
//! ship, `write` says what is in force, `json` and `pattern` are their tools.

mod alerts;
mod json;
mod logs;
mod names;
mod parse;
mod pattern;
mod rotation;
mod security;
mod shelves;
mod shipped;
mod sides;
mod tables;
mod whose;
mod write;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

pub use alerts::Alerts;
pub(crate) use json::nearest;
pub use logs::LogConfig;
pub(crate) use pattern::glob;
pub use rotation::{Compress, Create, DateFormat, Naming, Rotation};
pub use security::{Access, Events, Integrity, Tier};
pub(crate) use shelves::{may_mix, stem};

/// A configuration larger than this is a mistake, not a configuration (bytes).
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Everything a run needs to know. Paths are absolute.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the infrastructure lives; relative paths of the file are below it.
    pub root: PathBuf,
    /// The side that must be reachable and whose commit decides a merge.
    pub hub: String,
    /// Databases by name.
    pub databases: BTreeMap<String, DatabaseConfig>,
    /// Logs by name.
    pub logs: BTreeMap<String, LogConfig>,
    /// Where backups lie and which of them stay.
    pub backups: Backups,
    /// Limits that stop a run from doing damage.
    pub guards: Guards,
    /// Who may own what we create.
    pub ownership: Ownership,
    /// Extra name patterns of columns whose values are never shown.
    pub secrets: Vec<String>,
    /// Which files are watched over.
    pub integrity: Integrity,
    /// API keys, sessions and rate limits.
    pub access: Access,
    /// The security event log.
    pub events: Events,
    /// Who is told of bad events.
    pub alerts: Alerts,
    /// The file this came from; `None` for the shipped defaults.
    pub source: Option<PathBuf>,
}

impl Config {
    /// The configuration in force: `path` if given, else `cr0sync.json` below the root if it is there, else the
    /// shipped one.
    ///
    /// A given `root` beats the one that the file names. Without either it is `/data/cr0_system`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the file cannot be read or makes no sense; the message names the JSON path.
    pub fn load(path: Option<&Path>, root: Option<&Path>) -> Result<Config> {
        let root = root.map(absolute).transpose()?;
        let default_root = root.clone().unwrap_or_else(|| PathBuf::from(shipped::ROOT));
        let (file, json) = match path {
            Some(path) => {
                let file = absolute(path)?;
                let json = read(&file, None)?;
                (file, json)
            }
            None => {
                let file = default_root.join(shipped::FILE_NAME);
                match read(&file, Some(&default_root)) {
                    Ok(json) => (file, json),
                    Err(Unread::Missing(_)) => return Ok(Config::shipped(&default_root)),
                    Err(unread) => return Err(unread.into()),
                }
            }
        };
        parse::config(&json, &default_root, root.as_deref(), Some(&file))
    }

    /// The file that [`Config::load`] would read, if it is there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the working directory that a relative path counts from is gone.
    pub fn file(path: Option<&Path>, root: Option<&Path>) -> Result<PathBuf> {
        match path {
            Some(path) => absolute(path),
            None => Ok(absolute(root.unwrap_or(Path::new(shipped::ROOT)))?.join(shipped::FILE_NAME)),
        }
    }

    /// Reads a configuration that was already loaded; `default_root` counts where the document names no root,
    /// `source` is the file it came from.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]; the message names the JSON path.
    pub fn parse(json: &[u8], default_root: &Path, source: Option<&Path>) -> Result<Config> {
        let source = source.map(absolute).transpose()?;
        parse::config(json, &absolute(default_root)?, None, source.as_deref())
    }

    /// What is in force, in the form of the configuration file; reading it again gives an equal configuration.
    ///
    /// The policies that we ship for known tables are not repeated in it: written down by a user they would have
    /// to fit the schema exactly.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        write::config(self)
    }

    fn shipped(root: &Path) -> Config {
        Config {
            root: root.to_path_buf(),
            hub: shipped::HUB.to_owned(),
            databases: shipped::databases(root),
            logs: shipped::logs(root),
            backups: shipped::backups(),
            guards: shipped::guards(),
            ownership: shipped::ownership(),
            secrets: Vec::new(),
            integrity: Integrity::shipped(root),
            access: Access::shipped(root),
            events: Events::shipped(root),
            alerts: Alerts::shipped(),
            source: None,
        }
    }
}

/// Why a configuration file was not read.
enum Unread {
    Missing(Error),
    Other(Error),
}

impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Missing(error) | Unread::Other(error) => error,
        }
    }
}

/// Reads a file; one that nobody named must be of somebody who may say what is done below this root.
fn read(path: &Path, below: Option<&Path>) -> Result<Vec<u8>, Unread> {
    let failed = |cause: std::io::Error| {
        let missing = cause.kind() == std::io::ErrorKind::NotFound;
        let error = Error::new(ErrorKind::Config, "cannot read the configuration")
            .at(path)
            .because(cause)
            .hint("put it there and let this user read it, or name another one");
        if missing { Unread::Missing(error) } else { Unread::Other(error) }
    };
    let mut json = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    if let Some(root) = below {
        whose::check(&file, path, root).map_err(Unread::Other)?;
    }
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut json).map_err(failed)?;
    if u64::try_from(json.len()).is_ok_and(|length| length <= MAX_FILE_BYTES) {
        return Ok(json);
    }
    Err(Unread::Other(Error::new(ErrorKind::Config, "refused a configuration of more than 4 MiB:").at(path)))
}

/// The path from `/` on; a relative one counts from the working directory.
fn absolute(path: &Path) -> Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(Error::new(ErrorKind::Config, "an empty path names no configuration and no root")
            .hint("name one, or leave it out"));
    }
    std::path::absolute(path).map_err(|cause| {
        Error::new(ErrorKind::Config, "cannot make absolute the path").at(path).because(cause)
    })
}

/// One database and its replicas.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseConfig {
    /// Side name to absolute path; at least two, the hub among them.
    pub replicas: BTreeMap<String, PathBuf>,
    /// Sides from most to least preferred; unnamed ones follow (hub first, then by name).
    pub prefer: Vec<String>,
    /// Which schema changes travel.
    pub schema: SchemaPolicy,
    /// Table policies by name pattern (`*` and `?`), most specific first.
    pub tables: Vec<(String, TablePolicy)>,
}

impl DatabaseConfig {
    /// The policy of a table: the user's for exactly this name, else the user's for the most specific pattern that
    /// fits, else the shipped one, else the default. A user's policy replaces the shipped one as a whole.
    #[must_use]
    pub fn table_policy(&self, database: &str, table: &str) -> TablePolicy {
        self.tables
            .iter()
            .filter(|(pattern, _)| glob(pattern, table))
            .min_by(|(a, _), (b, _)| pattern::specificity(a).cmp(&pattern::specificity(b)))
            .map(|(_, policy)| policy.clone())
            .or_else(|| shipped::table(database, table))
            .unwrap_or_default()
    }

    /// Every side once, from most to least preferred: as `prefer` says, then the hub, then by name.
    #[must_use]
    pub fn ranked_sides(&self, hub: &str) -> Vec<String> {
        let mut ranked: Vec<String> = Vec::with_capacity(self.replicas.len());
        let named = self.prefer.iter().map(String::as_str).chain([hub]);
        for side in named.chain(self.replicas.keys().map(String::as_str)) {
            if self.replicas.contains_key(side) && !ranked.iter().any(|known| known == side) {
                ranked.push(side.to_owned());
            }
        }
        ranked
    }
}

/// Which schema changes travel between sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SchemaPolicy {
    /// Nothing travels.
    None,
    /// New tables, columns and indexes.
    #[default]
    Additive,
    /// Triggers and views too.
    All,
}

/// How the rows of one table are matched and merged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TablePolicy {
    /// Columns that identify a row; `None` lets the schema decide.
    pub identity: Option<Vec<String>>,
    /// Merge policy by column name or pattern; ask [`TablePolicy::column`]. The rest is [`ColumnPolicy::Prefer`].
    pub columns: BTreeMap<String, ColumnPolicy>,
    /// The column that says which row is newer, for clashing cells without a policy of their own.
    pub newest_by: Option<String>,
    /// Columns that hold another table's key: column to (table, column).
    pub references: BTreeMap<String, (String, String)>,
    /// What happens when one side deletes what another updates.
    pub on_delete_update: OnDeleteUpdate,
    /// Only inserts travel.
    pub append_only: bool,
    /// The table is left alone.
    pub exclude: bool,
    /// Rows that got the same id on two sides are told apart by giving one a new id.
    pub rekey: Rekey,
    /// Who wrote this policy: a user's must fit the schema, a shipped one applies as far as it fits.
    pub origin: PolicyOrigin,
}

impl TablePolicy {
    /// The policy of a column: its own, else that of the most specific pattern that fits, else none.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<ColumnPolicy> {
        self.columns
            .iter()
            .filter(|(pattern, _)| glob(pattern, name))
            .min_by(|(a, _), (b, _)| pattern::specificity(a).cmp(&pattern::specificity(b)))
            .map(|(_, policy)| *policy)
    }
}

/// Who wrote a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PolicyOrigin {
    /// Ours: applies only to columns that exist.
    #[default]
    Shipped,
    /// The user's: naming a missing column is an error.
    User,
}

/// Whether two new rows under one id are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rekey {
    /// Keep both, one under a new id.
    #[default]
    Allow,
    /// They are one row in conflict.
    Forbid,
}

/// How clashing values of one column become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColumnPolicy {
    /// The preferred side's value; reported.
    #[default]
    Prefer,
    /// Ancestor plus every side's difference.
    Sum,
    /// The largest value.
    Max,
    /// The smallest value.
    Min,
    /// The smallest value that is neither 0 nor NULL.
    MinNonzero,
    /// The value of the row with the largest `newest_by`; reported.
    Newest,
    /// Every side keeps its own until a person decides; reported.
    Hold,
}

/// What happens when one side deletes a row that another updates. Always reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDeleteUpdate {
    /// The edit survives.
    #[default]
    Keep,
    /// The delete wins.
    Delete,
    /// Every side keeps what it has until a person decides.
    Hold,
}

/// Where backups lie, how often they are made, and which of them stay. Of one side each; the size is that of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backups {
    /// Where all of them lie; `None` puts the hub's beside its file and the others below the root.
    pub directory: Option<PathBuf>,
    /// All of this many last hours stay.
    pub keep_within_hours: u32,
    /// One stays for each of this many last hours that have any.
    pub keep_hourly: u32,
    /// One for each of this many last days that have any; emergency copies stay for as many days.
    pub keep_daily: u32,
    /// One for each of this many last weeks that have any.
    pub keep_weekly: u32,
    /// This many newest stay, whatever else is said.
    pub keep_min: u32,
    /// Above this the oldest go (bytes).
    pub max_total_bytes: Option<u64>,
    /// No second one is made within this time while a side is written again and again (minutes).
    pub every_minutes: u32,
}

/// Limits that stop a run from doing damage.
#[derive(Debug, Clone, PartialEq)]
pub struct Guards {
    /// A run that would delete more than this share of a table's rows is held (percent).
    pub max_delete_percent: u32,
    /// A write lock held longer than this is warned about (milliseconds).
    pub max_lock_ms: u64,
    /// How long a busy database is tried before its side is skipped (milliseconds).
    pub busy_timeout_ms: u64,
    /// No backup is written below this share of free disk space (percent).
    pub min_free_percent: u32,
}

/// Owner and modes of what we create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// User name.
    pub user: String,
    /// Group name.
    pub group: String,
    /// The user of the website's pages.
    pub website_user: String,
    /// Mode of directories.
    pub dir_mode: u32,
    /// Mode of files.
    pub file_mode: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_below_the_root_is_found_and_need_not_exist()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let root = tempfile::tempdir()?;
        let shipped = Config::load(None, Some(root.path()))?;
        assert_eq!(shipped, Config::shipped(root.path()));

        let file = root.path().join("cr0sync.json");
        std::fs::write(&file, r#"{"hub": "website", "root": "/named"}"#)?;
        let found = Config::load(None, Some(root.path()))?;
        assert_eq!((found.hub.as_str(), found.root.as_path()), ("website", root.path()));
        assert_eq!(found.source.as_deref(), Some(file.as_path()));
        assert_eq!(Config::load(Some(&file), None)?.root, Path::new("/named"));
        Ok(())
    }

    #[test]
    fn what_cannot_be_read_is_named() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let root = tempfile::tempdir()?;
        let file = root.path().join("other.json");
        let text =
            |path: &Path| Config::load(Some(path), None).map_err(|error| (error.kind(), error.to_string()));
        let shown = file.display().to_string();

        let missing =
            format!("cannot read the configuration {shown}: No such file or directory (os error 2)");
        assert_eq!(text(&file), Err((ErrorKind::Config, missing)));
        std::fs::write(&file, r#"{"guards": {"max_lock": 1}}"#)?;
        let wrong =
            format!("cannot use the configuration {shown}: guards.max_lock: unknown key \"max_lock\"");
        assert_eq!(text(&file), Err((ErrorKind::Config, wrong)));
        std::fs::write(&file, vec![b' '; 5 << 20])?;
        let large = format!("refused a configuration of more than 4 MiB: {shown}");
        assert_eq!(text(&file), Err((ErrorKind::Config, large)));
        Ok(())
    }

    #[test]
    fn sides_are_ranked_and_each_stands_once() {
        for (sides, prefer, hub, ranked) in [
            ("c b a", "", "c", "c a b"),
            ("a b c", "b", "c", "b c a"),
            ("a b c", "c b a", "a", "c b a"),
            ("a b", "c b", "a", "b a"),
        ] {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let database = DatabaseConfig {
                replicas: words(sides).into_iter().map(|side| (side.clone(), PathBuf::from(side))).collect(),
                prefer: words(prefer),
                schema: SchemaPolicy::default(),
                tables: Vec::new(),
            };
            assert_eq!(database.ranked_sides(hub).join(" "), ranked);
        }
    }
}
