//! Reads what came of requests, as carefully as requests are read: until the cron user has closed the directory of results,
//! pages may have written there.
//!
//! Apart from the queue, which moves files, and from `carry_out`, whose reports these are: this is pure. It must never take
//! for a result what no run writes, since whoever shows it relies on its shape.

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::report::{QueuedRequest, RequestState};

use super::request::Request;

/// The version of the files of results.
const VERSION: u32 = 1;

/// A result as a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Finished {
    version: u32,
    pub(super) request: QueuedRequest,
}

impl Finished {
    /// A result to be written.
    pub(super) const fn of(request: QueuedRequest) -> Finished {
        Finished { version: VERSION, request }
    }
}

/// What a field of a report must be.
enum Kind {
    Flag,
    Number,
    Text,
    /// A text, or nothing.
    Word,
    Texts,
    /// A list of objects with these fields.
    List(Fields),
    /// An object whose values are objects with these fields.
    Each(Fields),
}

/// Fields that an object has; others are no matter, as newer programs may write them.
type Fields = &'static [(&'static str, Kind)];

const ERROR: Fields =
    &[("kind", Kind::Text), ("message", Kind::Text), ("path", Kind::Word), ("hint", Kind::Word)];
const SIDE: Fields = &[("inserted", Kind::Number), ("updated", Kind::Number), ("deleted", Kind::Number)];
const DATABASE: Fields = &[
    ("state", Kind::Text),
    ("reason", Kind::Word),
    ("conflicts", Kind::Number),
    ("sides", Kind::Each(SIDE)),
    ("warnings", Kind::Texts),
];
const SYNC: Fields = &[
    ("schema", Kind::Number),
    ("ok", Kind::Flag),
    ("run", Kind::Text),
    ("duration_ms", Kind::Number),
    ("conflicts", Kind::Number),
    ("databases", Kind::Each(DATABASE)),
];
const ACKNOWLEDGE: Fields =
    &[("schema", Kind::Number), ("acknowledged", Kind::Texts), ("resolved", Kind::Texts)];
const ONE_BACKUP: Fields = &[
    ("id", Kind::Text),
    ("database", Kind::Text),
    ("side", Kind::Text),
    ("path", Kind::Text),
    ("created_at", Kind::Text),
    ("bytes", Kind::Number),
];
const BACKUP: Fields = &[
    ("schema", Kind::Number),
    ("ok", Kind::Flag),
    ("backups", Kind::List(ONE_BACKUP)),
    ("warnings", Kind::Texts),
];
const CLEAN: Fields = &[
    ("schema", Kind::Number),
    ("ok", Kind::Flag),
    ("freed_bytes", Kind::Number),
    ("kept", Kind::List(ONE_BACKUP)),
    ("removed", Kind::List(ONE_BACKUP)),
    ("warnings", Kind::Texts),
];
const VERIFY: Fields = &[
    ("schema", Kind::Number),
    ("ok", Kind::Flag),
    (
        "checked",
        Kind::List(&[
            ("id", Kind::Text),
            ("database", Kind::Text),
            ("side", Kind::Text),
            ("path", Kind::Text),
            ("ok", Kind::Flag),
            ("problem", Kind::Word),
        ]),
    ),
    ("warnings", Kind::Texts),
];
/// What is said of a conflict that had been resolved before.
const NOTE: Fields = &[("schema", Kind::Number), ("note", Kind::Text)];

/// Reads a result; `None` where it is none.
pub(in crate::database) fn finished(bytes: &[u8], id: &str) -> Option<QueuedRequest> {
    let Finished { version, request } = serde_json::from_slice(bytes).ok()?;
    let sound = version == VERSION && request.id == id && is_asked(&request) && is_over(&request);
    sound.then_some(request)
}

/// Whether it is about something that can be asked for, or was refused before anything was known about it.
fn is_asked(request: &QueuedRequest) -> bool {
    let Json::Object(arguments) = &request.arguments else { return false };
    if request.action == "unknown" {
        return arguments.is_empty() && request.by.is_empty() && request.state == RequestState::Failed;
    }
    Request::new(&request.action, arguments.clone(), &request.by).is_ok()
}

/// Whether it says how it ended, and when, as a run does.
fn is_over(request: &QueuedRequest) -> bool {
    let is_time = |text: &str| DateTime::parse_from_rfc3339(text).is_ok();
    let ended = match (request.state, &request.error, &request.result) {
        (RequestState::Done, None, Some(report)) => is_report(&request.action, report),
        (RequestState::Failed, Some(error), None) => is_error(error),
        (RequestState::Failed, Some(error), Some(report)) => {
            is_error(error) && is_report(&request.action, report)
        }
        _ => false,
    };
    ended && is_time(&request.at) && request.finished_at.as_deref().is_some_and(is_time)
}

fn is_error(error: &Json) -> bool {
    error.as_object().is_some_and(|error| has(error, ERROR))
}

fn is_report(action: &str, report: &Json) -> bool {
    let Json::Object(report) = report else { return false };
    let fields = match action {
        "resolve" if report.contains_key("note") => NOTE,
        "resolve" | "restore" | "force" | "sync-from" | "undo" => SYNC,
        "acknowledge" => ACKNOWLEDGE,
        "backup" => BACKUP,
        "clean-backups" => CLEAN,
        "verify" => VERIFY,
        _ => return false,
    };
    if report.get("shortened") == Some(&Json::Bool(true)) {
        let is_head = |kind: &Kind| !matches!(kind, Kind::Texts | Kind::List(_) | Kind::Each(_));
        return fields.iter().all(|(name, kind)| match report.get(*name) {
            None => !is_head(kind),
            Some(value) => is_head(kind) && is_kind(Some(value), kind),
        });
    }
    has(report, fields)
}

fn has(object: &Map<String, Json>, fields: Fields) -> bool {
    fields.iter().all(|(name, kind)| is_kind(object.get(*name), kind))
}

fn is_kind(value: Option<&Json>, kind: &Kind) -> bool {
    let one = |value: &Json, fields| value.as_object().is_some_and(|object| has(object, fields));
    match (kind, value) {
        (Kind::Flag, Some(Json::Bool(_)))
        | (Kind::Text | Kind::Word, Some(Json::String(_)))
        | (Kind::Word, None | Some(Json::Null)) => true,
        (Kind::Number, Some(number)) => number.is_u64(),
        (Kind::Texts, Some(Json::Array(list))) => list.iter().all(Json::is_string),
        (Kind::List(fields), Some(Json::Array(list))) => list.iter().all(|value| one(value, fields)),
        (Kind::Each(fields), Some(Json::Object(map))) => map.values().all(|value| one(value, fields)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "20250714T093102000000000Z-0123456789abcdef";

    fn told(change: &[(&str, Json)]) -> Option<QueuedRequest> {
        let mut request = json!({
            "id": ID, "action": "acknowledge", "arguments": {"conflicts": ["1"]}, "by": "ann",
            "at": "2025-07-14T09:31:02Z", "state": "done",
            "result": {"schema": 1, "acknowledged": ["1"], "resolved": []}, "error": null,
            "finished_at": "2025-07-14T09:32:02Z",
        });
        for (name, value) in change {
            request[*name] = value.clone();
        }
        finished(json!({"version": 1, "request": request}).to_string().as_bytes(), ID)
    }

    #[test]
    fn what_runs_write_is_told() {
        let backup =
            json!({"id": "b", "database": "d", "side": "s", "path": "/b", "created_at": "x", "bytes": 7});
        let error = json!({"kind": "io", "message": "it is full", "path": null, "hint": null});
        let database = json!({
            "state": "synced", "reason": null, "conflicts": 0, "warnings": [],
            "sides": {"bot": {"inserted": 1, "updated": 0, "deleted": 0}},
        });
        let sync = json!({
            "schema": 1, "ok": true, "run": "7", "duration_ms": 3, "conflicts": 0, "databases": {"d": database},
        });
        let of = |action: &str, arguments: Json, result: Json| {
            [("action", json!(action)), ("arguments", arguments), ("result", result)]
        };
        for change in [
            of("acknowledge", json!({"conflicts": ["1"]}), json!({"schema": 1, "shortened": true})),
            of("backup", json!({}), json!({"schema": 1, "ok": true, "backups": [backup], "warnings": []})),
            of("backup", json!({}), json!({"schema": 1, "ok": true, "shortened": true})),
            of(
                "clean-backups",
                json!({}),
                json!({
                    "schema": 1, "ok": true, "freed_bytes": 7, "kept": [], "removed": [backup], "warnings": ["w"],
                }),
            ),
            of("verify", json!({}), json!({"schema": 1, "ok": true, "checked": [], "warnings": []})),
            of("resolve", json!({"conflict": "1", "take": "bot"}), json!({"schema": 1, "note": "it was"})),
            of("force", json!({"database": "d"}), sync),
        ] {
            assert!(told(&change).is_some(), "{change:?}");
        }
        let failed = [("state", json!("failed")), ("error", error)];
        assert!(told(&failed).is_some());
        let refused = [
            ("action", json!("unknown")),
            ("arguments", json!({})),
            ("by", json!("")),
            ("result", Json::Null),
        ];
        assert!(told(&[&failed[..], &refused[..]].concat()).is_some());
    }

    #[test]
    fn what_no_run_writes_is_not_told() {
        assert!(told(&[]).is_some());
        let long = "x".repeat(201);
        for (name, value) in [
            ("result", json!("text")),
            ("result", Json::Null),
            ("result", json!({})),
            ("result", json!({"removed": []})),
            ("result", json!({"backups": 7})),
            ("result", json!({"schema": "1", "acknowledged": [], "resolved": []})),
            ("result", json!({"schema": 1, "acknowledged": [7], "resolved": []})),
            ("result", json!({"schema": 1, "acknowledged": "1", "resolved": []})),
            ("result", json!({"schema": 1, "note": "it was"})),
            ("result", json!({"schema": 1, "acknowledged": [7], "shortened": true})),
            ("arguments", json!("x")),
            ("arguments", json!([])),
            ("arguments", json!({})),
            ("arguments", json!({"conflicts": ["1"], "path": "/etc"})),
            ("error", json!("x")),
            ("error", json!({"kind": "io", "message": "m", "path": null, "hint": null})),
            ("action", json!("fly")),
            ("action", json!("unknown")),
            ("action", json!("backup")),
            ("by", json!(long)),
            ("by", json!("a\u{1b}[2J")),
            ("at", json!("yesterday")),
            ("at", json!(["x"])),
            ("finished_at", Json::Null),
            ("finished_at", json!("soon")),
            ("state", json!("pending")),
            ("state", json!("failed")),
            ("id", json!("other")),
        ] {
            assert!(told(&[(name, value.clone())]).is_none(), "{name}: {value}");
        }
        for error in [
            json!("x"),
            json!({}),
            json!({"kind": "io", "message": ["m"]}),
            json!({"kind": 7, "message": "m"}),
        ] {
            let change = [("state", json!("failed")), ("result", Json::Null), ("error", error)];
            assert!(told(&change).is_none(), "{change:?}");
        }
    }
}
