//! What the operations over API keys and sessions return. No digest is in any of them.

use serde::Serialize;
use serde_json::Value;

/// A key that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyIssued {
    /// Version of this shape.
    pub schema: u32,
    /// For `revoke` and `rotate`.
    pub id: String,
    /// To be shown once.
    pub key: String,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// A key that was issued in place of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyRotated {
    /// Version of this shape.
    pub schema: u32,
    /// Of the new one.
    pub id: String,
    /// To be shown once.
    pub key: String,
    /// The id of the old one.
    pub replaces: String,
    /// When the old one counts no longer, RFC 3339 UTC.
    pub replaced_until: String,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// What is known of a key that was granted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyFacts {
    /// Its id.
    pub id: String,
    /// Whose it is, as the file has it: a number or a text; a number beyond 64 bits as a text.
    pub user_id: Value,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub permissions: Vec<&'static str>,
    /// RFC 3339 UTC.
    pub created_at: Option<String>,
    /// RFC 3339 UTC; absent for never.
    pub expires_at: Option<String>,
}

/// Whether a key may do something. Only `granted` is for the one who sent it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyVerdict {
    /// Version of this shape.
    pub schema: u32,
    /// Whether it may.
    pub granted: bool,
    /// Why not: `malformed`, `unknown`, `expired`, `revoked`, `forbidden`, `unavailable`. For a log.
    pub reason: Option<&'static str>,
    /// Whose it is, where it may.
    pub key: Option<KeyFacts>,
    /// What people should know. For a log.
    pub warnings: Vec<String>,
}

/// A key that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyRevoked {
    /// Version of this shape.
    pub schema: u32,
    /// Its id.
    pub id: String,
    /// Whether it counted until now.
    pub revoked: bool,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// A key in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyListed {
    /// What is known of it.
    #[serde(flatten)]
    pub facts: KeyFacts,
    /// RFC 3339 UTC, to a minute.
    pub last_used_at: Option<String>,
    /// At least so often it was used.
    pub usage_count: i64,
    /// `active`, `expired` or `revoked`.
    pub state: &'static str,
    /// RFC 3339 UTC.
    pub revoked_at: Option<String>,
    /// Until when it counts, or counted, beside the key that was issued in its place; RFC 3339 UTC.
    pub replaced_until: Option<String>,
}

/// All keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeysReport {
    /// Version of this shape.
    pub schema: u32,
    /// In the order of the file.
    pub keys: Vec<KeyListed>,
    /// What of the file makes no sense, and whether nobody can say who counts.
    pub warnings: Vec<String>,
}

/// A session that was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionOpened {
    /// Version of this shape.
    pub schema: u32,
    /// For `close`.
    pub id: String,
    /// For the client.
    pub token: String,
    /// RFC 3339 UTC.
    pub expires_at: String,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// What is known of a session that was granted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionFacts {
    /// Its id.
    pub id: String,
    /// Whose it is, as the file has it: a number or a text; a number beyond 64 bits as a text.
    pub user_id: Value,
    /// What it may do.
    pub permissions: Vec<&'static str>,
    /// RFC 3339 UTC.
    pub created_at: Option<String>,
    /// RFC 3339 UTC.
    pub expires_at: Option<String>,
    /// From where it was opened.
    pub ip: Option<String>,
    /// What the client said of itself.
    pub user_agent: Option<String>,
}

/// Whether a session may do something. Only `granted` is for the one who sent the token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionVerdict {
    /// Version of this shape.
    pub schema: u32,
    /// Whether it may.
    pub granted: bool,
    /// Why not: `malformed`, `unknown`, `expired`, `revoked`, `forbidden`, `unavailable`. For a log.
    pub reason: Option<&'static str>,
    /// Whose it is, where it may.
    pub session: Option<SessionFacts>,
    /// What people should know. For a log.
    pub warnings: Vec<String>,
}

/// What closing a session did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionClosed {
    /// Version of this shape.
    pub schema: u32,
    /// Whether there was one.
    pub closed: bool,
    /// Its id.
    pub id: Option<String>,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionListed {
    /// What is known of it.
    #[serde(flatten)]
    pub facts: SessionFacts,
    /// `open` or `expired`.
    pub state: &'static str,
}

/// Sessions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionsReport {
    /// Version of this shape.
    pub schema: u32,
    /// The newest first.
    pub sessions: Vec<SessionListed>,
    /// How many there are, those on other pages too.
    pub total: usize,
    /// What of the file makes no sense, and whether nobody can say who counts.
    pub warnings: Vec<String>,
}

/// What cleaning did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionsCleaned {
    /// Version of this shape.
    pub schema: u32,
    /// Whether nothing was damaged, missing or refused as a whole; the warnings say what.
    pub ok: bool,
    /// Sessions whose time was over.
    pub removed: usize,
    /// Those that are left.
    pub open: usize,
    /// What people should know.
    pub warnings: Vec<String>,
}

impl SessionsCleaned {
    /// 0 when all went well, else 2.
    #[must_use]
    pub const fn exit_code(&self) -> i32 {
        if self.ok { 0 } else { 2 }
    }
}
