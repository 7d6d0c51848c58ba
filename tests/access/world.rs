//! A root with keys, sessions and the file of today's pages, for one test.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use cr0sync::Config;
use cr0sync::access::{Permission, keys, limits, sessions};
use serde_json::{Value, json};

/// Who runs cron, as a number that nobody else has.
pub(crate) const CRON: u32 = 4001;
/// The website.
pub(crate) const WEBSITE: u32 = 4002;
/// The group that they share.
pub(crate) const SHARED: u32 = 4003;

/// A key of the kind that the site's pages gave out.
pub(crate) const OLD_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// Its digest.
pub(crate) const OLD_HASH: &str = "2a8abfa8cb9906290437854193ca6bca41d4d4e26d1d454bd66a35158095e737";

pub(crate) const KEYS: &str = "api_keys.json";
pub(crate) const SESSIONS: &str = "api_sessions.json";
pub(crate) const LIMITS: &str = "api_rate_limits.json";

/// What a child changes.
pub(crate) const ACTS: [(&str, &str); 8] = [
    ("issue", KEYS),
    ("use", KEYS),
    ("revoke", KEYS),
    ("rotate", KEYS),
    ("open", SESSIONS),
    ("close", SESSIONS),
    ("clean", SESSIONS),
    ("limits", LIMITS),
];

pub(crate) struct World {
    directory: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> World {
        let directory = tempfile::Builder::new().prefix("cr0sync-access-").tempdir().unwrap();
        let world = World { directory };
        // No such users are known here: what is made anew gets the owner of its directory.
        let config = json!({
            "version": 1, "root": world.root(), "databases": {}, "logs": {},
            "ownership": { "user": "cr0sync-test-nobody", "group": "cr0sync-test-nobody" },
        });
        fs::write(world.config_file(), config.to_string()).unwrap();
        for name in ["shared_storage", "logs/security/archive", "sync_state/locks"] {
            fs::create_dir_all(world.root().join(name)).unwrap();
        }
        let (past, future) = (1_000, 4_000_000_000_i64);
        let text = json!([
            { "id": "key_old", "user_id": 7, "name": "a", "key_hash": OLD_HASH, "permissions": ["read"],
              "created_at": past, "last_used_at": null, "usage_count": 0, "active": true, "x": { "y": [1.5] } },
        ]);
        fs::write(world.shared(KEYS), text.to_string()).unwrap();
        let session = |until: i64, hash: &str| {
            json!({ "user_id": 7, "token_hash": hash, "permissions": ["read"],
            "created_at": past, "expires_at": until, "x": { "y": [1.5] } })
        };
        let text = json!({ "session_old": session(past, &"1".repeat(64)), "session_new": session(future, &"2".repeat(64)) });
        fs::write(world.shared(SESSIONS), text.to_string()).unwrap();
        let text =
            json!({ "a": { "requests": [past, future], "x": { "y": [1.5] } }, "b": { "requests": [past] } });
        fs::write(world.shared(LIMITS), text.to_string()).unwrap();
        world.give();
        world
    }

    /// One with nothing but a configuration, in a directory of a user, for a group.
    pub(crate) fn bare(group: &str, user: u32) -> World {
        let directory = tempfile::Builder::new().prefix("cr0sync-access-").tempdir().unwrap();
        let world = World { directory };
        let config = json!({
            "version": 1, "root": world.root(), "databases": {}, "logs": {},
            "ownership": { "user": "root", "group": group },
        });
        fs::write(world.config_file(), config.to_string()).unwrap();
        fs::set_permissions(world.config_file(), Permissions::from_mode(0o644)).unwrap();
        chown(world.root(), Some(user), Some(user)).unwrap();
        fs::set_permissions(world.root(), Permissions::from_mode(0o755)).unwrap();
        world
    }

    /// The id of a key that a user has issued.
    pub(crate) fn issue_as(&self, user: &crate::trace::User) -> String {
        let made = super::users::ask(self, Some(user), "issue");
        assert!(made.starts_with("crk_"), "{user:?}: {made}");
        format!("key_{}", &made[4..20])
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.root().join("cr0sync.json")
    }

    pub(crate) fn config(&self) -> Config {
        Config::load(Some(&self.config_file()), None).unwrap()
    }

    pub(crate) fn shared(&self, name: &str) -> PathBuf {
        self.root().join("shared_storage").join(name)
    }

    /// Gives all to those who share it, where we are root.
    pub(crate) fn give(&self) {
        let mut waiting = vec![self.root().to_path_buf()];
        while let Some(path) = waiting.pop() {
            if nix::unistd::geteuid().is_root() {
                chown(&path, Some(CRON), Some(SHARED)).unwrap();
            }
            let is_directory = path.is_dir();
            let mode = if is_directory { 0o2775 } else { 0o664 };
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            if is_directory {
                waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }

    /// Says what the child is to do.
    pub(crate) fn ask(&self, act: &str) -> PathBuf {
        fs::write(self.root().join("act"), act).unwrap();
        self.config_file()
    }

    pub(crate) fn value(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.shared(name)).unwrap()).unwrap()
    }

    /// Owner, group and mode of a file.
    pub(crate) fn owner(&self, name: &str) -> (u32, u32, u32) {
        let found = fs::metadata(self.shared(name)).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o7777)
    }

    /// The names in the shared directory and in those of ours.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let ours = ["sync_state", "sync_state/access", "sync_state/events", "sync_state/locks"];
        for directory in ["shared_storage", "logs/security"].into_iter().chain(ours) {
            let Ok(entries) = fs::read_dir(self.root().join(directory)) else { continue };
            names.extend(entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()));
        }
        names.sort();
        names
    }
}

/// Does what stands in the file `act`.
pub(crate) fn act(config: &Config) -> cr0sync::Result<Value> {
    let act = fs::read_to_string(config.root.join("act")).unwrap();
    perform(config, &act)
}

pub(crate) fn perform(config: &Config, act: &str) -> cr0sync::Result<Value> {
    let json = |value: Result<Value, serde_json::Error>| value.unwrap();
    Ok(match act {
        "issue" => json(serde_json::to_value(keys::issue(config, &key())?)),
        "use" => json(serde_json::to_value(keys::verify(config, OLD_KEY.as_bytes(), Permission::Read)?)),
        "revoke" => json(serde_json::to_value(keys::revoke(config, "key_old")?)),
        "rotate" => json(serde_json::to_value(keys::rotate(config, "key_old", 0, None)?)),
        "open" => json(serde_json::to_value(sessions::open(config, &session())?)),
        "close" => json(serde_json::to_value(sessions::close(config, b"session_new")?)),
        "clean" => json(serde_json::to_value(sessions::cleanup(config)?)),
        "limits" => json(serde_json::to_value(limits::cleanup(config)?)),
        other => panic!("{other}"),
    })
}

/// Whether an act is in its file as a whole.
pub(crate) fn is_done(act: &str, value: &Value) -> bool {
    let count = value.as_array().map_or_else(|| value.as_object().unwrap().len(), Vec::len);
    let is_off = || value[0]["active"] == false && value[0]["revoked_at"].is_i64();
    match act {
        "issue" => count == 2 && value[1]["active"] == true,
        "use" => count == 1 && value[0]["last_used_at"].is_i64() && value[0]["usage_count"] == 1,
        "revoke" => count == 1 && is_off(),
        "rotate" => count == 2 && is_off() && value[1]["active"] == true,
        "open" => count == 3 && value["session_new"].is_object() && value["session_old"].is_object(),
        "close" => count == 1 && value["session_old"].is_object(),
        "clean" => count == 1 && value["session_new"].is_object(),
        "limits" => count == 1 && value["a"]["requests"] == json!([4_000_000_000_i64]),
        other => panic!("{other}"),
    }
}

pub(crate) fn key() -> keys::Request {
    keys::Request {
        user_id: "7".into(),
        name: "a bot".into(),
        permissions: vec![Permission::Read],
        expires_in: None,
    }
}

pub(crate) fn session() -> sessions::Request {
    sessions::Request {
        user_id: "7".into(),
        permissions: vec![Permission::Read],
        ip: "192.0.2.7".into(),
        user_agent: "a browser".into(),
        minutes: None,
    }
}
