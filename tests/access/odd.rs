//! Records that make no sense: they stay as they are, are told, and let nobody in.

use std::fs;

use cr0sync::access::{Permission, keys, sessions};

use super::world::{KEYS, OLD_HASH, OLD_KEY, SESSIONS, World, key, session};

/// Numbers that no type of ours holds, and some that one does.
const NUMBERS: [&str; 7] = [
    "18446744073709551616",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "0.1234567890123456789",
    "1e400",
    "18446744073709551615",
    "0.30000000000000004",
];

fn numbers() -> String {
    NUMBERS.map(|number| format!("{number}, {{\"n\": {number}}}")).join(", ")
}

/// Every part of `wanted` that stands in one line of its own is in the text.
fn keeps(text: &str, wanted: &[&str], told: &str) {
    for part in wanted {
        assert!(text.contains(part), "{told}: {part} is gone from {text}");
    }
    for number in NUMBERS {
        let lines = [format!("        {number}"), format!("\"n\": {number}\n")];
        for line in lines {
            assert!(text.contains(&line), "{told}: {line} is gone from {text}");
        }
    }
}

#[test]
fn keys_without_sense_stay_and_let_nobody_in() {
    let world = World::new();
    let config = world.config();
    let rest = format!(r#""name": "a", "permissions": ["system"], "active": true, "key_hash": "{OLD_HASH}""#);
    let text = format!(
        r#"["a text", null, 7, [{}], {{"id": 5, "user_id": 1, {rest}}}, {{"id": "key_list", "user_id": [7], {rest}}},
           {{"id": "key_bare", "user_id": 7}}, {{"id": "key_soon", "user_id": 7, {rest}, "expires_at": "soon"}},
           {{"id": "key_maybe", "user_id": 18446744073709551616, {rest}, "active": "maybe"}}]"#,
        numbers()
    );
    fs::write(world.shared(KEYS), text).unwrap();
    let wanted = ["\"a text\"", "null", "    7,", "\"key_bare\"", "\"key_soon\"", "\"maybe\"", "\"id\": 5"];
    let said = keys::verify(&config, OLD_KEY.as_bytes(), Permission::Read).unwrap();
    assert!(!said.granted && said.key.is_none(), "{said:?}");
    let listed = keys::list(&config, None).unwrap();
    let [warning] = listed.warnings.as_slice() else { panic!("{listed:?}") };
    assert!(warning.starts_with("9 of 9 in ") && warning.contains(KEYS), "{warning}");
    assert!(warning.contains("the one at 0 (it is no object)") && warning.contains("and so on"), "{warning}");
    let shown: Vec<_> = listed.keys.iter().map(|key| (key.facts.id.as_str(), key.state)).collect();
    assert_eq!(shown, [("key_list", "revoked"), ("key_soon", "expired"), ("key_maybe", "revoked")]);
    assert_eq!(listed.keys[2].facts.user_id, "18446744073709551616");
    // Every kind of change.
    let new = keys::issue(&config, &key()).unwrap();
    keeps(&fs::read_to_string(world.shared(KEYS)).unwrap(), &wanted, "issue");
    assert!(keys::verify(&config, new.key.as_bytes(), Permission::Read).unwrap().granted);
    let other = keys::rotate(&config, &new.id, 60, None).unwrap();
    keys::revoke(&config, &other.id).unwrap();
    keys::revoke(&config, "key_list").unwrap();
    keeps(&fs::read_to_string(world.shared(KEYS)).unwrap(), &wanted, "revoke");
    let said = keys::verify(&config, OLD_KEY.as_bytes(), Permission::Read).unwrap();
    assert!(!said.granted, "{said:?}");
    let mine = keys::list(&config, Some("7")).unwrap();
    let ids: Vec<_> = mine.keys.iter().map(|key| key.facts.id.as_str()).collect();
    assert_eq!(ids, ["key_soon", new.id.as_str(), other.id.as_str()], "only those of the user");
    assert!(mine.keys[1].replaced_until.is_some() && mine.keys[2].replaced_until.is_none(), "{mine:?}");
}

#[test]
fn sessions_without_sense_stay_and_let_nobody_in() {
    let world = World::new();
    let config = world.config();
    let rest = format!(r#""permissions": ["system"], "token_hash": "{OLD_HASH}""#);
    let text = format!(
        r#"{{"s1": "a text", "s2": {{"user_id": {{"a": 1}}, "expires_at": 4000000000, {rest}}}, "s3": {{"user_id": 7, "expires_at": 1e400, {rest}}},
           "s4": null, "s5": [{}], "gone": {{"user_id": 7, "expires_at": 5, {rest}}}}}"#,
        numbers()
    );
    fs::write(world.shared(SESSIONS), text).unwrap();
    let wanted = ["\"a text\"", "\"s2\"", "\"s3\"", "\"s4\": null", "\"expires_at\": 1e400"];
    let said = sessions::verify(&config, OLD_KEY.as_bytes(), Permission::Read).unwrap();
    assert!(!said.granted && said.session.is_none(), "{said:?}");
    sessions::open(&config, &session()).unwrap();
    keeps(&fs::read_to_string(world.shared(SESSIONS)).unwrap(), &wanted, "open");
    let cleaned = sessions::cleanup(&config).unwrap();
    assert_eq!((cleaned.removed, cleaned.open), (1, 6));
    let warnings = cleaned.warnings.join("\n");
    assert!(
        warnings.starts_with("5 of 6 in ") && warnings.contains("the one at s3 (its expires_at is no time)"),
        "{warnings}"
    );
    keeps(&fs::read_to_string(world.shared(SESSIONS)).unwrap(), &wanted, "clean");
}
