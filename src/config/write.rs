//! A configuration as JSON: the same keys that the parser reads, every default spelled out.
//!
//! Apart from the parser so that neither hides behind the other; a test holds the two together. It never shows
//! values of databases, so there is nothing to redact.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{
    ColumnPolicy, Config, DatabaseConfig, LogConfig, OnDeleteUpdate, Rekey, SchemaPolicy, TablePolicy,
};

/// The words of the file for each column policy.
pub(super) const COLUMN_POLICIES: [(&str, ColumnPolicy); 7] = [
    ("prefer", ColumnPolicy::Prefer),
    ("sum", ColumnPolicy::Sum),
    ("max", ColumnPolicy::Max),
    ("min", ColumnPolicy::Min),
    ("min_nonzero", ColumnPolicy::MinNonzero),
    ("newest", ColumnPolicy::Newest),
    ("hold", ColumnPolicy::Hold),
];

/// The words of the file for what a delete against an update does.
pub(super) const ON_DELETE_UPDATE: [(&str, OnDeleteUpdate); 3] =
    [("keep", OnDeleteUpdate::Keep), ("delete", OnDeleteUpdate::Delete), ("hold", OnDeleteUpdate::Hold)];

/// The words of the file for which schema changes travel.
pub(super) const SCHEMA_POLICIES: [(&str, SchemaPolicy); 3] =
    [("none", SchemaPolicy::None), ("additive", SchemaPolicy::Additive), ("all", SchemaPolicy::All)];

pub(super) fn config(config: &Config) -> Value {
    let databases: Map<String, Value> =
        config.databases.iter().map(|(name, database)| (name.clone(), self::database(database))).collect();
    let logs: Map<String, Value> =
        config.logs.iter().map(|(name, log)| (name.clone(), self::log(log))).collect();
    json!({
        "version": super::parse::VERSION,
        "root": path(&config.root),
        "hub": config.hub,
        "databases": databases,
        "logs": logs,
        "backups": {
            "directory": config.backups.directory.as_deref().map(path),
            "keep_within_hours": config.backups.keep_within_hours,
            "keep_hourly": config.backups.keep_hourly,
            "keep_daily": config.backups.keep_daily,
            "keep_weekly": config.backups.keep_weekly,
            "keep_min": config.backups.keep_min,
            "max_total_bytes": config.backups.max_total_bytes,
            "every_minutes": config.backups.every_minutes,
        },
        "guards": {
            "max_delete_percent": config.guards.max_delete_percent,
            "max_lock_ms": config.guards.max_lock_ms,
            "busy_timeout_ms": config.guards.busy_timeout_ms,
            "min_free_percent": config.guards.min_free_percent,
        },
        "secrets": config.secrets,
        "integrity": config.integrity.written(),
        "access": config.access.written(),
        "events": config.events.written(),
        "alerts": config.alerts.written(),
        "ownership": {
            "user": config.ownership.user,
            "group": config.ownership.group,
            "website_user": config.ownership.website_user,
            "dir_mode": format!("{:04o}", config.ownership.dir_mode),
            "file_mode": format!("{:04o}", config.ownership.file_mode),
        },
    })
}

fn log(log: &LogConfig) -> Value {
    let copies: Map<String, Value> =
        log.copies.iter().map(|(side, copy)| (side.clone(), path(copy))).collect();
    let olddirs: Map<String, Value> =
        log.olddirs.iter().map(|(side, directory)| (side.clone(), path(directory))).collect();
    json!({
        "copies": copies,
        "mirrors": log.mirrors,
        "olddirs": olddirs,
        "allow_owners": log.allow_owners,
        "rotate": super::rotation::written(&log.rotate),
    })
}

fn database(database: &DatabaseConfig) -> Value {
    let replicas: Map<String, Value> =
        database.replicas.iter().map(|(side, replica)| (side.clone(), path(replica))).collect();
    let tables: Map<String, Value> =
        database.tables.iter().map(|(pattern, policy)| (pattern.clone(), table(policy))).collect();
    json!({
        "replicas": replicas,
        "prefer": database.prefer,
        "schema": word(&SCHEMA_POLICIES, database.schema),
        "tables": tables,
    })
}

/// Only what differs from the default: a table's policy is read by people, and most of it is usually default.
fn table(policy: &TablePolicy) -> Value {
    let mut object = Map::new();
    if let Some(identity) = &policy.identity {
        object.insert("identity".to_owned(), json!(identity));
    }
    if !policy.columns.is_empty() {
        let columns: Map<String, Value> = policy
            .columns
            .iter()
            .map(|(column, rule)| (column.clone(), json!(word(&COLUMN_POLICIES, *rule))))
            .collect();
        object.insert("columns".to_owned(), Value::Object(columns));
    }
    if let Some(column) = &policy.newest_by {
        object.insert("newest_by".to_owned(), json!(column));
    }
    if !policy.references.is_empty() {
        let references: Map<String, Value> = policy
            .references
            .iter()
            .map(|(column, (table, key))| (column.clone(), json!(format!("{table}.{key}"))))
            .collect();
        object.insert("references".to_owned(), Value::Object(references));
    }
    if policy.on_delete_update != OnDeleteUpdate::default() {
        let rule = word(&ON_DELETE_UPDATE, policy.on_delete_update);
        object.insert("on_delete_update".to_owned(), json!(rule));
    }
    for (key, set) in [("append_only", policy.append_only), ("exclude", policy.exclude)] {
        if set {
            object.insert(key.to_owned(), json!(true));
        }
    }
    if policy.rekey == Rekey::Forbid {
        object.insert("rekey".to_owned(), json!(false));
    }
    Value::Object(object)
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

fn path(path: &Path) -> Value {
    Value::String(path.to_string_lossy().into_owned())
}
