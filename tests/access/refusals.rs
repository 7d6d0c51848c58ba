//! Whoever is refused cannot tell why: all refusals have one shape, and no secret is compared in a time that says anything.

use std::fs;
use std::path::Path;

use cr0sync::access::{Permission, keys, sessions};
use serde_json::{Value, json, to_value};

use super::world::{KEYS, SESSIONS, World, key, session};

/// What is told of a refusal beside its reason.
fn rest(said: Value, reason: &str) -> Value {
    let mut said = said;
    assert_eq!(said["reason"], reason, "{said}");
    said["reason"] = Value::Null;
    said
}

#[test]
fn all_refusals_are_alike_but_for_the_reason_in_the_log() {
    let world = World::new();
    let config = world.config();
    let [good, revoked, expired] = [(); 3].map(|()| keys::issue(&config, &key()).unwrap());
    keys::revoke(&config, &revoked.id).unwrap();
    let mut value = world.value(KEYS);
    let member =
        value.as_array_mut().unwrap().iter_mut().find(|key| key["id"] == expired.id.as_str()).unwrap();
    member["expires_at"] = 5.into();
    fs::write(world.shared(KEYS), value.to_string()).unwrap();
    let mut mistyped = good.key.clone().into_bytes();
    mistyped[30] ^= 1;
    let unknown = "0".repeat(64);
    for (text, permission, reason) in [
        (unknown.as_bytes(), Permission::Read, "unknown"),
        (expired.key.as_bytes(), Permission::Read, "expired"),
        (revoked.key.as_bytes(), Permission::Read, "revoked"),
        (good.key.as_bytes(), Permission::System, "forbidden"),
        (mistyped.as_slice(), Permission::Read, "malformed"),
        (b"\xff\0", Permission::Read, "malformed"),
    ] {
        let said = to_value(keys::verify(&config, text, permission).unwrap()).unwrap();
        let expected = json!({"schema": 1, "granted": false, "reason": null, "key": null, "warnings": []});
        assert_eq!(rest(said, reason).to_string(), expected.to_string(), "{reason}");
    }
    let [opened, closed, over] = [(); 3].map(|()| sessions::open(&config, &session()).unwrap());
    let mut value = world.value(SESSIONS);
    value[over.id.as_str()]["expires_at"] = 5.into();
    fs::write(world.shared(SESSIONS), value.to_string()).unwrap();
    sessions::close(&config, closed.token.as_bytes()).unwrap();
    for (text, permission, reason) in [
        (unknown.as_str(), Permission::Read, "unknown"),
        (closed.token.as_str(), Permission::Read, "unknown"),
        (over.token.as_str(), Permission::Read, "expired"),
        (opened.token.as_str(), Permission::System, "forbidden"),
        (good.key.as_str(), Permission::Read, "malformed"),
    ] {
        let said = to_value(sessions::verify(&config, text.as_bytes(), permission).unwrap()).unwrap();
        let expected =
            json!({"schema": 1, "granted": false, "reason": null, "session": null, "warnings": []});
        assert_eq!(rest(said, reason).to_string(), expected.to_string(), "{reason}");
    }
}

/// A comparison that ends at the first difference.
const HASTY: [&str; 7] = ["==", "!=", ".eq(", ".ne(", ".cmp(", ".starts_with(", ".ends_with("];
/// What such a comparison must not be about.
const SECRET: [&str; 6] = ["hash", "digest", "secret", "token", "sum", "key_"];
/// Neither side is known to anybody but the one who sent it: the checksum of what was sent, against what was sent.
const ALLOWED: [&str; 1] = ["&& format!(\"{:08x}\", checksum(body)).as_bytes() == sum"];

/// The lines outside tests that compare something secret hastily.
fn hasty(text: &str) -> Vec<&str> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    let is_hasty = |line: &&str| {
        // How long something is, is no secret.
        let small = line.to_lowercase().replace(".len() ==", "");
        HASTY.iter().any(|how| small.contains(how))
            && SECRET.iter().any(|what| small.contains(what))
            && !ALLOWED.contains(line)
    };
    lines.filter(is_hasty).collect()
}

#[test]
fn nothing_secret_is_compared_hastily() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/access");
    let (mut looked, mut careful) = (0, 0);
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            looked += 1;
            careful += text.matches("is_same(").count();
            assert_eq!(hasty(&text), [""; 0], "{}", path.display());
        }
    }
    assert!(looked > 10 && careful > 4, "{looked} files, {careful} careful comparisons");
    for wrong in ["if own == digest {", "a.token_hash != b", "hash.eq(&other)", "secret.starts_with(part)"] {
        assert_eq!(hasty(wrong), [wrong]);
    }
    assert!(hasty("// own == digest").is_empty() && hasty("is_same(&own, &digest)").is_empty());
}
