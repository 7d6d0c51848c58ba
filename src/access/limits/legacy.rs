//! `api_rate_limits.json`, which today's pages write: what of it nobody needs any more.
//!
//! Pure: a document in, and the same document without that. It must never touch what it does not understand, nor a
//! member that is not ours: other pages may keep what they like in there.

use serde_json::{Map, Value};

use super::super::record::seconds;

/// What was found and left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pruned {
    /// Clients that stay.
    pub(super) kept: u64,
    /// Clients that went.
    pub(super) removed: u64,
    /// Requests that went.
    pub(super) requests: u64,
}

/// A client that requests are on record of, or that is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client<'a> {
    /// What pages call it.
    pub(super) key: &'a str,
    /// Requests that are not too old.
    pub(super) requests: u64,
    /// Until when it is blocked, in seconds since 1970; `None` where it is not.
    pub(super) blocked_until: Option<i64>,
}

/// All clients that [`prune`] would leave for what they did: first those that are blocked, then those with the most requests.
/// `None` when the document is not of this shape.
pub(super) fn clients(document: &Value, now: i64, window: i64) -> Option<Vec<Client<'_>>> {
    let members = match document {
        Value::Object(members) => members,
        Value::Array(list) if list.is_empty() => return Some(Vec::new()),
        _ => return None,
    };
    let since = now.saturating_sub(window);
    let mut all: Vec<Client<'_>> = members
        .iter()
        .filter_map(|(key, client)| {
            let requests = client.get("requests").and_then(Value::as_array).map_or(0, |requests| {
                requests.iter().filter(|request| later(request, since) != Some(false)).count()
            });
            let until = client.get("blocked_until").filter(|until| later(until, now) == Some(true));
            let blocked_until = until.map(|until| seconds(until).unwrap_or(i64::MAX));
            let requests = u64::try_from(requests).unwrap_or(u64::MAX);
            (requests > 0 || blocked_until.is_some()).then_some(Client { key, requests, blocked_until })
        })
        .collect();
    all.sort_by(|a, b| {
        (b.blocked_until, b.requests).cmp(&(a.blocked_until, a.requests)).then_with(|| a.key.cmp(b.key))
    });
    Some(all)
}

/// Takes out requests of more than `window` seconds ago, and clients of which nothing else is left. `None` when the
/// document is not of this shape.
pub(super) fn prune(document: &mut Value, now: i64, window: i64) -> Option<Pruned> {
    let mut pruned = Pruned::default();
    let clients = match document {
        Value::Object(clients) => clients,
        // PHP writes an array without elements like that, whatever its keys would be.
        Value::Array(list) if list.is_empty() => return Some(pruned),
        _ => return None,
    };
    let since = now.saturating_sub(window);
    clients.retain(|_, client| {
        let stays =
            client.as_object_mut().is_none_or(|client| stays(client, now, since, &mut pruned.requests));
        let count = if stays { &mut pruned.kept } else { &mut pruned.removed };
        *count = count.saturating_add(1);
        stays
    });
    Some(pruned)
}

fn stays(client: &mut Map<String, Value>, now: i64, since: i64, gone: &mut u64) -> bool {
    let mut known = true;
    let mut idle = true;
    if let Some(requests) = client.get_mut("requests") {
        match requests {
            Value::Array(requests) => {
                let before = requests.len();
                requests.retain(|request| later(request, since) != Some(false));
                let went = before.saturating_sub(requests.len());
                *gone = gone.saturating_add(u64::try_from(went).unwrap_or(0));
                idle = requests.is_empty();
            }
            _ => known = false,
        }
    }
    let blocked = match client.get("blocked_until") {
        None | Some(Value::Null) => Some(false),
        Some(until) => later(until, now),
    };
    let others = client.keys().any(|name| name != "requests" && name != "blocked_until");
    !known || !idle || blocked != Some(false) || others
}

/// Whether a time is later; `None` when it is none.
fn later(time: &Value, than: i64) -> Option<bool> {
    let time = time.as_f64()?;
    #[expect(clippy::cast_precision_loss, reason = "seconds of this age of the world are exact")]
    let than = than as f64;
    Some(time > than)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_over_goes_and_what_is_not_ours_stays() {
        let now = 1_752_480_000;
        let old = now - 3600;
        for (before, after, counts) in [
            (json!({}), json!({}), (0, 0, 0)),
            (json!([]), json!([]), (0, 0, 0)),
            (
                json!({"a_x": {"requests": [old, now], "blocked_until": 0}}),
                json!({"a_x": {"requests": [now], "blocked_until": 0}}),
                (1, 0, 1),
            ),
            (
                json!({"a_x": {"requests": [old - 9, old], "blocked_until": null}, "b": {"requests": [now - 1]}}),
                json!({"b": {"requests": [now - 1]}}),
                (1, 1, 2),
            ),
            // Still blocked, until the very second.
            (
                json!({"a": {"requests": [old], "blocked_until": now + 1}}),
                json!({"a": {"requests": [], "blocked_until": now + 1}}),
                (1, 0, 1),
            ),
            (json!({"a": {"requests": [], "blocked_until": now}}), json!({}), (0, 1, 0)),
            // Of other pages.
            (
                json!({"a": {"requests": [old], "note": "vip"}}),
                json!({"a": {"requests": [], "note": "vip"}}),
                (1, 0, 1),
            ),
            (
                json!({"version": 2, "a": {"requests": {"x": 1}}, "b": {"requests": ["?", old, 1.5]}}),
                json!({"version": 2, "a": {"requests": {"x": 1}}, "b": {"requests": ["?"]}}),
                (3, 0, 2),
            ),
            (
                json!({"a": {"requests": [], "blocked_until": "soon"}}),
                json!({"a": {"requests": [], "blocked_until": "soon"}}),
                (1, 0, 0),
            ),
            // Times ahead of a clock that was set back.
            (json!({"a": {"requests": [now + 7200]}}), json!({"a": {"requests": [now + 7200]}}), (1, 0, 0)),
        ] {
            let mut document = before.clone();
            let pruned = prune(&mut document, now, 3600).unwrap();
            assert_eq!(document, after, "{before}");
            assert_eq!((pruned.kept, pruned.removed, pruned.requests), counts, "{before}");
        }
    }

    #[test]
    fn who_did_something_lately_or_is_blocked_is_listed() {
        let now = 1_752_480_000;
        let document = json!({
            "version": 2, "list": [now], "text": "x", "nobody": {}, "idle": {"requests": [now - 3600]},
            "odd": {"requests": {"x": now}, "blocked_until": "soon"},
            "b": {"requests": [now - 3600, now - 1]}, "a": {"requests": ["?"], "blocked_until": now},
            "busy": {"requests": [now, now - 1], "blocked_until": null},
            "out": {"requests": [], "blocked_until": now + 1}, "for ever": {"blocked_until": 1e300},
        });
        let told: Vec<(&str, u64, Option<i64>)> = clients(&document, now, 3600)
            .unwrap()
            .iter()
            .map(|client| (client.key, client.requests, client.blocked_until))
            .collect();
        let wanted = [
            ("for ever", 0, Some(i64::MAX)),
            ("out", 0, Some(now + 1)),
            ("busy", 2, None),
            ("a", 1, None),
            ("b", 1, None),
        ];
        assert_eq!(told, wanted);
        assert_eq!(clients(&json!([]), now, 3600), Some(Vec::new()));
        for other in [json!([1]), json!("x"), json!(7), json!(null)] {
            assert_eq!(clients(&other, now, 3600), None, "{other}");
        }
    }

    #[test]
    fn another_document_is_left_alone() {
        for mut document in [json!([1]), json!("x"), json!(7), json!(null)] {
            let before = document.clone();
            assert_eq!(prune(&mut document, 0, 3600), None);
            assert_eq!(document, before);
        }
    }
}
