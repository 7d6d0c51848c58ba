//! The configuration: one JSON file, parsed once into a [`Config`] that can only hold valid combinations.
//!
//! Apart from the engines because shells, engines and tests share it. It reads one file and never looks at
//! databases: whether a policy names an existing column is for the engine to say.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything a run needs to know. Paths are absolute.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the infrastructure lives; relative paths of the file are below it.
    pub root: PathBuf,
    /// The side that must be reachable and whose commit decides a merge.
    pub hub: String,
    /// Databases by name.
    pub databases: BTreeMap<String, DatabaseConfig>,
    /// Limits that stop a run from doing damage.
    pub guards: Guards,
    /// Who may own what we create.
    pub ownership: Ownership,
    /// Extra name patterns of columns whose values are never shown.
    pub secrets: Vec<String>,
    /// The file this came from; `None` for the shipped defaults.
    pub source: Option<PathBuf>,
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
    /// Merge policy by column; the rest is [`ColumnPolicy::Prefer`].
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
    /// Mode of directories.
    pub dir_mode: u32,
    /// Mode of files.
    pub file_mode: u32,
}
