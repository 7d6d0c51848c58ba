//! What pages show: sessions, and how it is with rate limits.

use std::fs;

use cr0sync::access::limits::{self, Check, Rule};
use cr0sync::access::sessions;
use cr0sync::{Config, ErrorKind, Page};
use serde_json::{Value, json};

use super::world::{KEYS, LIMITS, OLD_HASH, SESSIONS, World, session};

const ALL: Page = Page { skip: 0, limit: None };

/// Ids with states, and how many there are.
fn told(config: &Config, user: Option<&str>, page: Page) -> String {
    let report = sessions::list(config, user, page).unwrap();
    let one = |one: &cr0sync::report::SessionListed| format!("{} {}", one.facts.id, one.state);
    let list: Vec<String> = report.sessions.iter().map(one).collect();
    format!("{} of {}", list.join(", "), report.total)
}

fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

#[test]
fn sessions_are_listed_the_newest_first_without_what_lets_in() {
    let world = World::new();
    let config = world.config();
    assert_eq!(told(&config, None, ALL), "session_new open, session_old expired of 2");
    fs::remove_file(world.shared(SESSIONS)).unwrap();
    assert_eq!(told(&config, None, ALL), " of 0");
    let one = |user: Value, created: i64, life: i64| {
        json!({"user_id": user, "token_hash": format!("{:064x}", created), "permissions": ["read"], "created_at": created,
            "expires_at": created + life, "ip": "192.0.2.1", "user_agent": "x".repeat(10_000)})
    };
    let start = now() - 1000;
    let file = json!({
        "b": one(json!(7), start, 5000), "old": one(json!("7"), start - 1, 10), "d": one(json!("ann"), start + 3, 5000),
        "e": one(json!("ann"), start + 3, 5000),
    });
    fs::write(world.shared(SESSIONS), file.to_string()).unwrap();
    assert_eq!(told(&config, None, ALL), "e open, d open, b open, old expired of 4");
    assert_eq!(told(&config, Some("7"), ALL), "b open, old expired of 2");
    assert_eq!(told(&config, Some("nobody"), ALL), " of 0");
    assert_eq!(told(&config, None, Page { skip: 1, limit: Some(2) }), "d open, b open of 4");
    assert_eq!(told(&config, None, Page { skip: 9, limit: Some(2) }), " of 4");
    let report = sessions::list(&config, None, ALL).unwrap();
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains("hash") && !text.contains(&"0".repeat(40)), "{text}");
    assert_eq!(report.sessions[0].facts.user_agent.as_ref().map(String::len), Some(256));
    // One that was closed is none, also where an old copy of the file has it.
    let new = sessions::open(&config, &session()).unwrap();
    let before = fs::read(world.shared(SESSIONS)).unwrap();
    assert!(told(&config, None, ALL).starts_with(&format!("{} open, ", new.id)));
    sessions::close(&config, new.id.as_bytes()).unwrap();
    fs::write(world.shared(SESSIONS), before).unwrap();
    assert_eq!(told(&config, None, ALL), "e open, d open, b open, old expired of 4");
}

#[test]
fn what_anybody_wrote_among_the_sessions_breaks_no_list() {
    let world = World::new();
    let config = world.config();
    let rest = format!(r#""token_hash": "{OLD_HASH}", "permissions": ["system"]"#);
    let later = now() + 1000;
    let text = format!(
        r#"{{"text": "x", "bare": {{}}, "list": [], "array": {{{rest}, "user_id": [1], "expires_at": {later}}},
        "soon": {{{rest}, "user_id": 1, "expires_at": "soon", "ip": {{}}, "user_agent": 123456789012345678901234}},
        "new\u0000\u001b": {{{rest}, "user_id": 18446744073709551616, "created_at": 1e300, "expires_at": {later},
            "ip": 7, "user_agent": "a\u001b[2J"}}}}"#
    );
    fs::write(world.shared(SESSIONS), text).unwrap();
    let report = sessions::list(&config, None, ALL).unwrap();
    let list = serde_json::to_value(&report.sessions).unwrap();
    assert_eq!(
        list,
        json!([
            {"id": "new\u{0}\u{1b}", "user_id": "18446744073709551616", "permissions": ["system"], "created_at": null,
                "expires_at": report.sessions[0].facts.expires_at, "ip": null, "user_agent": "a\u{1b}[2J", "state": "open"},
            {"id": "soon", "user_id": 1, "permissions": ["system"], "created_at": null, "expires_at": null, "ip": null,
                "user_agent": "123456789012345678901234", "state": "expired"},
        ])
    );
    let [warning] = report.warnings.as_slice() else { panic!("{report:?}") };
    assert!(warning.starts_with("5 of 6 in ") && warning.contains("array"), "{warning}");
    for broken in ["", "{", "7", "{\"a\": "] {
        fs::write(world.shared(SESSIONS), broken).unwrap();
        let error = sessions::list(&config, None, ALL).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{broken}: {error}");
        assert_eq!(fs::read_to_string(world.shared(SESSIONS)).unwrap(), broken, "it is left as it is");
    }
}

#[test]
fn how_it_is_with_limits_is_told_and_nothing_is_made() {
    let world = World::new();
    let config = world.config();
    let status = || serde_json::to_value(limits::status(&config, ALL).unwrap()).unwrap();
    let before = world.names();
    let table = world.root().join("sync_state/limits/rate_limits.table");
    let none = json!({"path": table, "exists": false, "clients": config.access.clients, "slots": 0, "in_use": 0,
        "problem": null});
    assert_eq!(status()["table"], none);
    assert_eq!((world.names(), table.exists()), (before, false), "nothing was made");
    assert_eq!(status()["tiers"]["critical"], json!({"limit": 10, "period_seconds": 3600, "burst": 10}));
    for client in ["a", "a", "b"] {
        let check = Check { client: client.as_bytes(), rule: Rule::Tier("default"), cost: 1 };
        limits::rate_limit(&config, &[check]).unwrap();
    }
    let bytes = fs::read(&table).unwrap();
    let told = status();
    assert_eq!((&told["table"]["exists"], &told["table"]["in_use"]), (&json!(true), &json!(2)));
    assert!(told["table"]["slots"].as_u64().unwrap() >= u64::from(config.access.clients), "{told}");
    assert_eq!(fs::read(&table).unwrap(), bytes, "nothing was changed");
    // One that is no table is told as none, and left as it is.
    fs::write(&table, "x").unwrap();
    assert_eq!(status()["table"], none);
    assert_eq!(fs::read(&table).unwrap(), b"x");
}

#[test]
fn whom_pages_count_is_told_whatever_stands_there() {
    let world = World::new();
    let config = world.config();
    let path = world.shared(LIMITS);
    let legacy = |page| serde_json::to_value(limits::status(&config, page).unwrap().legacy).unwrap();
    let none = json!({"path": path, "clients": [], "total": 0, "problem": null});
    let _ = fs::remove_file(&path);
    assert_eq!(legacy(ALL), none);
    let now = now();
    let mut file = json!({"192.0.2.7_login": {"requests": [now, now - 1, now - 90_000], "blocked_until": now + 1000},
        "x": 7, "y": {"requests": "many", "blocked_until": []}});
    for number in 0..150 {
        file[format!("c{number:03}{}", "z".repeat(1000))] = json!({"requests": [now]});
    }
    fs::write(&path, file.to_string()).unwrap();
    let told = legacy(ALL);
    let list = told["clients"].as_array().unwrap();
    assert_eq!((list.len(), &told["total"], &told["problem"]), (100, &json!(151), &Value::Null));
    assert_eq!((&list[0]["key"], &list[0]["requests"]), (&json!("192.0.2.7_login"), &json!(2)));
    assert!(list[0]["blocked_until"].as_str().unwrap().ends_with('Z'));
    assert_eq!(list[1]["key"].as_str().map(str::len), Some(256));
    let last = legacy(Page { skip: 150, limit: Some(50) });
    assert_eq!(last["clients"].as_array().unwrap().len(), 1);
    for (text, problem) in
        [("", "it is empty"), ("[1]", "it is no object of clients"), ("{", "it is no JSON")]
    {
        fs::write(&path, text).unwrap();
        let told = legacy(ALL);
        assert!(told["problem"].as_str().unwrap().starts_with(problem), "{told}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "it is left as it is");
    }
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(world.shared(KEYS), &path).unwrap();
    assert!(legacy(ALL)["problem"].as_str().unwrap().contains("symlink"));
}
