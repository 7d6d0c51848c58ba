//! What the site's files say of one key or session.
//!
//! Pure. The files are written by pages that mean well and may be written by anybody, so every member may be of any type.
//! What makes no sense never gives anybody more.

use chrono::DateTime;
use serde_json::{Map, Value};

use super::grant::{Digest, Permission};
use crate::clock;
use crate::hex::unhex;

/// Until when one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Expiry {
    /// For ever.
    Never,
    /// Not from this second on, since 1970.
    At(i64),
    /// What stands there is no time.
    #[default]
    Unclear,
}

/// One key or session.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) digest: Digest,
    pub(super) permissions: Vec<Permission>,
    pub(super) expiry: Expiry,
    pub(super) is_active: bool,
    /// When it was last used, in seconds since 1970.
    pub(super) last_used: Option<i64>,
    /// Its times as documents have them, which are asked for at every call.
    pub(super) created_at: Option<String>,
    pub(super) expires_at: Option<String>,
    /// All that stands there.
    pub(super) members: Map<String, Value>,
}

impl Record {
    /// A member of the list of keys; `None` for what can be no key.
    pub(super) fn of_key(value: &Value) -> Option<Record> {
        let members = value.as_object()?;
        let id = members.get("id")?.as_str()?;
        let is_unset = |name: &str| members.get(name).is_none_or(Value::is_null);
        // PHP code that compares loosely may have written 1.
        let is_on = matches!(members.get("active"), Some(Value::Bool(true)))
            || members.get("active").and_then(Value::as_i64) == Some(1);
        Some(Record {
            expiry: if is_unset("expires_at") { Expiry::Never } else { expiry(members) },
            is_active: is_on && is_unset("revoked_at") && is_user(members),
            ..Record::of(id, "key_hash", members)?
        })
    }

    /// A member of the object of sessions.
    pub(super) fn of_session(id: &str, value: &Value) -> Option<Record> {
        let members = value.as_object()?;
        let record = Record::of(id, "token_hash", members)?;
        Some(Record { expiry: expiry(members), is_active: is_user(members), ..record })
    }

    fn of(id: &str, hash: &str, members: &Map<String, Value>) -> Option<Record> {
        let permissions = members.get("permissions").and_then(Value::as_array);
        let words = permissions.into_iter().flatten().filter_map(Value::as_str);
        Some(Record {
            id: id.to_owned(),
            digest: unhex(members.get(hash)?.as_str()?)?,
            permissions: words.filter_map(Permission::of).collect(),
            created_at: members.get("created_at").and_then(seconds).map(stamp),
            expires_at: members.get("expires_at").and_then(seconds).map(stamp),
            last_used: members.get("last_used_at").and_then(seconds),
            members: members.clone(),
            ..Record::default()
        })
    }

    /// A time of it, in seconds since 1970.
    pub(super) fn time(&self, name: &str) -> Option<i64> {
        self.members.get(name).and_then(seconds)
    }
}

/// Whether it is somebody's: a number or a text; or nobody's.
fn is_user(members: &Map<String, Value>) -> bool {
    match members.get("user_id") {
        None | Some(Value::Null | Value::String(_)) => true,
        Some(Value::Number(number)) => number.is_i64() || number.is_u64(),
        Some(_) => false,
    }
}

/// What makes no sense about a key, so that it lets nobody in though its owner may think so.
pub(super) fn oddity_of_key(value: &Value) -> Option<&'static str> {
    let Some(members) = value.as_object() else { return Some("it is no object") };
    let is_on =
        |value: &Value| value.is_boolean() || value.is_null() || matches!(value.as_i64(), Some(0 | 1));
    if !members.get("id").is_some_and(Value::is_string) {
        Some("its id is no text")
    } else if members.get("active").is_some_and(|value| !is_on(value)) {
        Some("its active is neither true nor false")
    } else if members.get("expires_at").is_some_and(|end| !end.is_null() && seconds(end).is_none()) {
        Some("its expires_at is no time")
    } else {
        oddity(members, "key_hash")
    }
}

/// The same of a session.
pub(super) fn oddity_of_session(value: &Value) -> Option<&'static str> {
    let Some(members) = value.as_object() else { return Some("it is no object") };
    if expiry(members) == Expiry::Unclear {
        Some("its expires_at is no time")
    } else {
        oddity(members, "token_hash")
    }
}

fn oddity(members: &Map<String, Value>, hash: &str) -> Option<&'static str> {
    let digest = members.get(hash).and_then(Value::as_str).and_then(unhex);
    if digest.is_none() {
        Some("it has no digest")
    } else if !is_user(members) {
        Some("its user_id is neither a number nor a text")
    } else if !members.get("permissions").is_some_and(Value::is_array) {
        Some("its permissions are no list")
    } else {
        None
    }
}

fn expiry(members: &Map<String, Value>) -> Expiry {
    members.get("expires_at").and_then(seconds).map_or(Expiry::Unclear, Expiry::At)
}

/// A time in seconds since 1970, as documents have it; as a number where the calendar has no such day.
pub(super) fn stamp(time: i64) -> String {
    DateTime::from_timestamp(time, 0).map_or_else(|| time.to_string(), clock::stamp)
}

/// Seconds since 1970, as PHP code may have written them.
pub(super) fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(seconds), _) => Some(seconds),
            (None, Some(real)) if real.abs() < 9e15 => format!("{:.0}", real.floor()).parse().ok(),
            _ => None,
        },
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(more: &Value) -> Option<Record> {
        let mut value = json!({
            "id": "key_1", "user_id": 7, "name": "bot", "key_hash": "ab".repeat(32), "permissions": ["read"],
            "created_at": 1, "last_used_at": null, "usage_count": 0, "active": true, "theirs": [1],
        });
        for (name, member) in more.as_object().into_iter().flatten() {
            value[name] = member.clone();
        }
        Record::of_key(&value)
    }

    #[test]
    fn a_key_is_read_and_nothing_of_it_is_lost() {
        let record = key(&json!({})).unwrap();
        assert_eq!((record.id.as_str(), record.digest), ("key_1", [0xab; 32]));
        assert_eq!((record.expiry, record.is_active, record.last_used), (Expiry::Never, true, None));
        assert_eq!(record.permissions, [Permission::Read]);
        assert_eq!(record.members.get("theirs"), Some(&json!([1])));
    }

    #[test]
    fn what_makes_no_sense_gives_nobody_more() {
        for (more, is_active) in [
            (json!({"active": 1}), true),
            (json!({"active": false}), false),
            (json!({"active": null}), false),
            (json!({"active": "true"}), false),
            (json!({"active": 2}), false),
            (json!({"active": [true]}), false),
            (json!({"revoked_at": null}), true),
            (json!({"revoked_at": 0}), false),
            (json!({"revoked_at": false}), false),
            (json!({"revoked_at": "x"}), false),
        ] {
            assert_eq!(key(&more).map(|record| record.is_active), Some(is_active), "{more}");
        }
        for (more, expiry) in [
            (json!({"expires_at": null}), Expiry::Never),
            (json!({"expires_at": 12}), Expiry::At(12)),
            (json!({"expires_at": "12"}), Expiry::At(12)),
            (json!({"expires_at": 12.9}), Expiry::At(12)),
            (json!({"expires_at": -1}), Expiry::At(-1)),
            (json!({"expires_at": 1e300}), Expiry::Unclear),
            (json!({"expires_at": 18_446_744_073_709_551_615_u64}), Expiry::Unclear),
            (json!({"expires_at": "tomorrow"}), Expiry::Unclear),
            (json!({"expires_at": false}), Expiry::Unclear),
            (json!({"expires_at": {}}), Expiry::Unclear),
        ] {
            assert_eq!(key(&more).map(|record| record.expiry), Some(expiry), "{more}");
        }
        for permissions in
            [json!("admin"), json!({"admin": true}), json!([["admin"]]), json!(["Admin"]), json!(null)]
        {
            let record = key(&json!({ "permissions": permissions }));
            assert_eq!(record.map(|record| record.permissions), Some(vec![]), "{permissions}");
        }
        for more in [json!({"key_hash": "ab"}), json!({"key_hash": null}), json!({"id": 7})] {
            assert_eq!(key(&more), None, "{more}");
        }
        assert_eq!(Record::of_key(&json!("key")), None);
    }

    #[test]
    fn a_user_is_a_number_or_a_text() {
        for (user, is_one) in [
            (json!(7), true),
            (json!("alice"), true),
            (json!(null), true),
            (json!([7]), false),
            (json!({"id": 7}), false),
            (json!(true), false),
            (json!(7.5), false),
        ] {
            let record = key(&json!({ "user_id": user }));
            assert_eq!(record.map(|record| record.is_active), Some(is_one), "{user}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let hash = "ab".repeat(32);
        let good = json!({"id": "k", "user_id": 7, "key_hash": hash, "token_hash": hash, "permissions": [],
            "active": true, "expires_at": 5});
        assert_eq!((oddity_of_key(&good), oddity_of_session(&good)), (None, None));
        for (name, wrong, of_key, of_session) in [
            ("id", json!(7), true, false),
            ("active", json!("maybe"), true, false),
            ("active", json!(2), true, false),
            ("active", json!(1), false, false),
            ("expires_at", json!("soon"), true, true),
            ("expires_at", json!(null), false, true),
            ("user_id", json!([1]), true, true),
            ("permissions", json!("read"), true, true),
        ] {
            let mut value = good.clone();
            value[name] = wrong.clone();
            let found = (oddity_of_key(&value).is_some(), oddity_of_session(&value).is_some());
            assert_eq!(found, (of_key, of_session), "{name} {wrong}");
        }
        for value in [json!("key"), json!(null), json!({}), json!([[]])] {
            assert!(oddity_of_key(&value).is_some() && oddity_of_session(&value).is_some(), "{value}");
        }
    }

    #[test]
    fn a_session_needs_an_end() {
        let session = |value: Value| Record::of_session("s", &value).map(|record| record.expiry);
        let hash = "ab".repeat(32);
        assert_eq!(session(json!({"token_hash": hash})), Some(Expiry::Unclear));
        assert_eq!(session(json!({"token_hash": hash, "expires_at": null})), Some(Expiry::Unclear));
        assert_eq!(session(json!({"token_hash": hash, "expires_at": 5})), Some(Expiry::At(5)));
        assert_eq!(session(json!({"expires_at": 5})), None);
    }
}
