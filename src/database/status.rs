//! Looking without touching: where the sides are, how far behind, and by which rules they are merged.
//!
//! Apart from `run`, which changes things. Opens databases for reading only.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::config::{Config, DatabaseConfig, OnDeleteUpdate};
use crate::durable::{Account, AsOwner};
use crate::error::Result;
use crate::report::{DatabaseStatus, Notice, SideStatus, TableStatus};

use super::model::Identity;
use super::open;
use super::place;
use super::rest;
use super::schema::{self, Schema, Storage};
use super::shape::{self, SideSchema, TableShape};
use super::state_failure;
use super::store::Store;

/// How much to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Detail {
    /// The sides.
    #[default]
    Summary,
    /// The rules of every table too.
    Explain,
}

/// The state of a database that no side has yet.
pub(crate) const ABSENT: &str = "absent";
pub(crate) const MISSING: &str = "missing; the next run creates it";
pub(crate) const EMPTY: &str = "empty; the next run fills it";

/// Why nobody knows what is in a file.
const UNSEEN: &str = "not looked at: this user would leave files beside it that its owner cannot use; ask as the user of the runs or as root";

/// The status of one database.
pub(crate) fn of(
    config: &Config,
    store: Option<&Store>,
    name: &str,
    database: &DatabaseConfig,
    detail: Detail,
) -> Result<DatabaseStatus> {
    let mut sides = BTreeMap::new();
    let mut schemas: Vec<(String, Schema)> = Vec::new();
    let mut epochs = BTreeMap::new();
    let mut new = false;
    let mut changed = false;
    let runner = Account::of_runs(&config.root, &config.ownership);
    for side in database.ranked_sides(&config.hub) {
        let Some(path) = database.replicas.get(&side) else { continue };
        let remembered = match store {
            Some(store) => store.replica(name, &side).map_err(state_failure)?,
            None => None,
        };
        let mut status = look(path);
        let then = remembered.as_ref().and_then(|state| state.seen.as_ref());
        if let (Some(then), Some(MISSING)) = (then, status.problem.as_deref()) {
            // The next run refuses to make what may only be hidden.
            status.problem = open::elsewhere(path, then.device).or(status.problem);
        }
        // Before it is opened, which can leave files beside it.
        let now = open::fingerprint(path);
        let mut live = None;
        let mut opened = None;
        if let Some((real, file)) = content(path) {
            // Whoever looks: what the runs leave out is out of sync for everybody.
            let refused =
                runner.as_ref().and_then(|runner| open::may_write(runner, &real, &file, config).err());
            status.problem = status.problem.take().or(refused);
            opened = open::may_look(&real, &file).then(|| open_reader(path));
            status.unseen = (opened.is_none() && status.problem.is_none()).then(|| UNSEEN.to_owned());
        }
        match opened {
            Some(Ok((mode, schema, connection))) => {
                status.journal_mode = Some(mode);
                schemas.push((side.clone(), schema));
                live = Some(connection);
            }
            Some(Err(cause)) => {
                // Why the runs leave it out says what to do; only what keeps everybody from it says more.
                let known = status.problem.take();
                status.problem = Some(match open::unusable(path, &cause) {
                    open::Found::Quarantined(reason) => open::quarantine(path, &reason),
                    open::Found::Skipped(reason) | open::Found::Refused(reason) => known.unwrap_or(reason),
                    _ => known.unwrap_or_else(|| cause.to_string()),
                });
            }
            None => {}
        }
        match (remembered, store) {
            (Some(state), Some(store)) => {
                epochs.insert(side.clone(), state.epoch);
                let at_rest = |now: open::Fingerprint| {
                    rest::is_at_rest(config, store, &state, &now.text, live.as_ref(), status.bytes)
                };
                changed |= !now.is_some_and(at_rest);
            }
            _ => new = true,
        }
        sides.insert(side, status);
    }
    let newest = epochs.values().copied().max().unwrap_or(0);
    for (side, status) in &mut sides {
        status.lag = newest - epochs.get(side).copied().unwrap_or(0);
    }
    let mut quarantined = BTreeMap::new();
    let known = match store {
        Some(store) => store.quarantined(name).map_err(state_failure)?,
        None => Vec::new(),
    };
    for (side, reason, since) in known {
        // What can be seen now says more than what the last run found, such as that the file is gone.
        let Some(status) = sides.get_mut(&side) else { continue };
        status.problem.get_or_insert_with(|| reason.clone());
        quarantined.insert(side, Notice { reason, since });
    }
    // Where nothing was ever merged and no side has it, nobody misses it.
    let is_absent = epochs.is_empty()
        && sides.values().all(|side| matches!(side.problem.as_deref(), Some(MISSING | EMPTY)));
    if is_absent {
        sides.values_mut().for_each(|side| side.problem = None);
    }
    // A side that missed a merge has something to get, however quiet it is.
    changed |= sides.values().any(|side| side.lag > 0);
    let problem = sides.values().any(|side: &SideStatus| side.problem.is_some());
    let state = match (problem, new, changed) {
        (true, ..) => "problem",
        _ if is_absent => ABSENT,
        (_, true, _) => "new",
        (_, _, true) => "changed",
        _ => "synced",
    };
    let notices = match store {
        Some(store) => store.notices(name).map_err(state_failure)?,
        None => Vec::new(),
    };
    let (mut held, mut paused) = (None, BTreeMap::new());
    for (table, reason, since) in notices {
        let notice = Notice { reason, since };
        if table.is_empty() {
            held = Some(notice);
        } else {
            paused.insert(table, notice);
        }
    }
    let state = if held.is_some() && !problem { "held" } else { state };
    let (last_run, last_change) = match store {
        Some(store) => store.last(name).map_err(state_failure)?,
        None => (None, None),
    };
    let open_conflicts = match store {
        Some(store) => store.open_conflicts(name).map_err(state_failure)?,
        None => 0,
    };
    let tables = match detail {
        Detail::Summary => None,
        Detail::Explain => Some(explain(config, name, database, &schemas)?),
    };
    Ok(DatabaseStatus {
        state: state.to_owned(),
        held,
        paused,
        quarantined,
        last_run,
        last_change,
        open_conflicts,
        sides,
        tables,
    })
}

/// What `stat` says.
fn look(path: &Path) -> SideStatus {
    let file = std::fs::metadata(path);
    let problem = match &file {
        Ok(file) if !file.is_file() => Some("not a regular file".to_owned()),
        Ok(file) if file.len() == 0 => Some(EMPTY.to_owned()),
        Ok(file) => place::objection(path, file),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            Some(match path.parent().is_some_and(Path::is_dir) {
                true => MISSING.to_owned(),
                false => "its directory does not exist".to_owned(),
            })
        }
        Err(cause) => Some(cause.to_string()),
    };
    let file = file.ok();
    SideStatus {
        path: path.display().to_string(),
        exists: file.is_some(),
        bytes: file.as_ref().map_or(0, Metadata::len),
        journal_mode: None,
        owner: file.as_ref().map(|file| {
            let user = named("/etc/passwd", file.uid());
            let group = named("/etc/group", file.gid());
            format!("{user}:{group}")
        }),
        lag: 0,
        problem,
        unseen: None,
    }
}

/// The name of a number in one of the system's lists.
fn named(list: &str, number: u32) -> String {
    let text = std::fs::read_to_string(list).unwrap_or_default();
    let wanted = number.to_string();
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == wanted).then(|| name.to_owned())
    });
    found.unwrap_or(wanted)
}

/// Where links lead, and what lies there; `None` when there is nothing to open.
fn content(path: &Path) -> Option<(PathBuf, Metadata)> {
    let file = std::fs::metadata(path).ok().filter(|file| file.is_file() && file.len() > 0)?;
    Some((path.canonicalize().unwrap_or_else(|_| path.to_path_buf()), file))
}

/// Journal mode, schema and connection.
fn open_reader(path: &Path) -> rusqlite::Result<(String, Schema, Connection)> {
    if let Some((schema, connection)) = open::untouched(path) {
        return Ok(("wal".to_owned(), schema, connection));
    }
    // The first read makes an index beside a log that has none, and root would give an index that is there away.
    let _owner = AsOwner::of(path);
    let connection = open::reader(path)?;
    let schema = schema::read(&connection, "main")?;
    let mode = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    Ok((mode, schema, connection))
}

/// The rules of every table in words.
fn explain(
    config: &Config,
    name: &str,
    database: &DatabaseConfig,
    schemas: &[(String, Schema)],
) -> Result<BTreeMap<String, TableStatus>> {
    let sides: Vec<SideSchema<'_>> =
        schemas.iter().map(|(side, now)| SideSchema { side, now, base: None }).collect();
    let hub = sides.iter().position(|side| side.side == config.hub).unwrap_or(0);
    let shape = shape::build(config, name, database, &sides, hub, &[])?;
    let mut tables = BTreeMap::new();
    for table in &shape.tables {
        tables.insert(table.rules.name.clone(), table_status(table, &shape.tables));
    }
    for (table, reason) in shape.paused {
        let mut status = TableStatus {
            identity: Vec::new(),
            rule: "left alone".to_owned(),
            columns: BTreeMap::new(),
            references: BTreeMap::new(),
            on_delete_update: String::new(),
            append_only: false,
            paused: None,
        };
        status.paused = Some(reason);
        tables.insert(table, status);
    }
    Ok(tables)
}

fn table_status(shape: &TableShape, tables: &[TableShape]) -> TableStatus {
    let rules = &shape.rules;
    let name = |column: &usize| rules.columns.get(*column).cloned().unwrap_or_default();
    let (identity, rule) = match &rules.identity {
        Identity::Key(columns) => {
            let names: Vec<String> = columns.iter().map(|(column, _)| name(column)).collect();
            let rule = match (rules.surrogate(), &shape.table.storage) {
                (Some(id), _) => {
                    format!("a natural key; {} is a surrogate and may differ until merged", name(&id))
                }
                (None, Storage::Key { .. }) => "the primary key".to_owned(),
                (None, _) => "a key".to_owned(),
            };
            (names, rule)
        }
        Identity::Id(column) => (
            vec![name(column)],
            "an integer id: new rows with one id are different rows, and one gets a new id".into(),
        ),
        Identity::Content => (Vec::new(), "no key: rows are counted by their content".into()),
    };
    let columns = rules.columns.iter().zip(&rules.policies);
    let references = rules.references.iter().flat_map(|reference| {
        let parent = tables.get(reference.parent);
        reference.columns.iter().zip(&reference.parent_columns).filter_map(
            move |(column, (parent_column, _))| {
                let parent = parent?;
                let target = format!("{}.{}", parent.rules.name, parent.rules.columns.get(*parent_column)?);
                Some((rules.columns.get(*column)?.clone(), target))
            },
        )
    });
    TableStatus {
        identity,
        rule,
        columns: columns
            .map(|(name, policy)| (name.clone(), shape::policy_name(*policy).to_owned()))
            .collect(),
        references: references.collect(),
        on_delete_update: match rules.on_delete_update {
            OnDeleteUpdate::Keep => "keep",
            OnDeleteUpdate::Delete => "delete",
            OnDeleteUpdate::Hold => "hold",
        }
        .to_owned(),
        append_only: rules.append_only,
        paused: None,
    }
}
