//! Values and conflicts as JSON for people and programs: lossless, secrets hidden unless asked for.
//!
//! Only for output. Nothing is ever read back from it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};

use crate::config::{Config, glob};
use crate::report::Conflict;

use super::Secrets;
use super::resolution::Resolution;
use super::store::{ConflictRows, StoredConflict};
use super::value::{Row, Value};

/// Columns whose values are nobody's business, by name.
const SECRET_NAMES: [&str; 14] = [
    "*password*",
    "*passwd*",
    "pass",
    "pwd",
    "*secret*",
    "*token*",
    "*api_key*",
    "*apikey*",
    "*private_key*",
    "*_hash",
    "hash",
    "*credential*",
    "*backup_code*",
    "*session_id*",
];

/// What is hidden.
#[derive(Debug)]
pub(crate) struct Secrecy {
    patterns: Vec<String>,
}

impl Secrecy {
    /// The built-in list and the configured one, or nothing at all.
    pub(crate) fn new(config: &Config, secrets: Secrets) -> Secrecy {
        let built_in = SECRET_NAMES.iter().map(|name| (*name).to_owned());
        let patterns = match secrets {
            Secrets::Redact => built_in.chain(config.secrets.iter().cloned()).collect(),
            Secrets::Show => Vec::new(),
        };
        Secrecy { patterns }
    }

    fn hides(&self, column: &str) -> bool {
        let column = column.to_ascii_lowercase();
        self.patterns.iter().any(|pattern| glob(&pattern.to_ascii_lowercase(), &column))
    }
}

/// A value, without loss.
fn value(value: &Value) -> Json {
    match value {
        Value::Null | Value::Held => Json::Null,
        Value::Integer(i) => json!(i),
        Value::Real(bits) => match f64::from_bits(*bits) {
            f64::INFINITY => json!({"real": "inf"}),
            f64::NEG_INFINITY => json!({"real": "-inf"}),
            real => json!(real),
        },
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!({"text_base64": STANDARD.encode(&bytes[..])}),
        },
        Value::Blob(bytes) => json!({"blob_base64": STANDARD.encode(&bytes[..])}),
    }
}

fn object(rows: &ConflictRows, row: Option<&Row>, only: Option<&[String]>, secrecy: &Secrecy) -> Json {
    let Some(row) = row else { return Json::Null };
    let mut map = Map::new();
    for (name, cell) in rows.columns.iter().zip(row.iter()) {
        if only.is_some_and(|only| !only.contains(name)) {
            continue;
        }
        let shown = if secrecy.hides(name) { json!({"redacted": true}) } else { value(cell) };
        map.insert(name.clone(), shown);
    }
    Json::Object(map)
}

/// A conflict for the outside.
pub(crate) fn conflict(stored: StoredConflict, secrecy: &Secrecy) -> Conflict {
    let choices = Resolution::choices(&stored);
    let rows = stored.rows;
    let values: BTreeMap<String, Json> = rows
        .values
        .iter()
        .map(|(side, row)| (side.to_string(), object(&rows, row.as_ref(), None, secrecy)))
        .collect();
    let key = match object(&rows, rows.identity.as_ref(), Some(&rows.key), secrecy) {
        Json::Null => json!({}),
        key => key,
    };
    Conflict {
        id: stored.number.to_string(),
        database: stored.database.to_string(),
        table: stored.table.to_string(),
        key,
        kind: stored.kind.to_string(),
        base: object(&rows, rows.base.as_ref(), None, secrecy),
        columns: rows.clashing.to_vec(),
        values,
        choices,
        winner: stored.winner.to_string(),
        reason: stored.reason.to_string(),
        status: stored.status.to_string(),
        run: stored.run.to_string(),
        at: stored.at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_lossless() {
        for (stored, shown) in [
            (Value::Integer(i64::MAX), "9223372036854775807"),
            (Value::Real(0.1_f64.to_bits()), "0.1"),
            (Value::Real(f64::NEG_INFINITY.to_bits()), r#"{"real":"-inf"}"#),
            (Value::Text([0xff].as_slice().into()), r#"{"text_base64":"/w=="}"#),
            (Value::text("ä\0b"), r#""ä\u0000b""#),
            (Value::Blob([1, 2].as_slice().into()), r#"{"blob_base64":"AQI="}"#),
            (Value::Null, "null"),
        ] {
            assert_eq!(value(&stored).to_string(), shown);
        }
    }
}
