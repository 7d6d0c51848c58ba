//! Sessions of the API: `api_sessions.json`.
//!
//! A session is opened for somebody whom the site has let in, and known by a token from then on. It ends by itself at its
//! time, or when it is closed. Apart from keys, which people keep: nobody rotates these.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::grant::{Permission, Reason, Verdict, decide};
use super::keys::{self, is_plain, random, user, words};
use super::record::{Expiry, Record, stamp};
use super::shelf::{self, Kind, State};
use super::token;
use super::withdrawn::{self, AT_ONCE, Withdrawn};
use crate::clock;
use crate::config::Config;
use crate::durable::{self, Altered, numbers};
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::page::Page;
use crate::report::{
    SCHEMA, SessionClosed, SessionFacts, SessionListed, SessionOpened, SessionVerdict, SessionsCleaned,
    SessionsReport,
};

/// Longer addresses are none (characters).
const MAX_IP: usize = 64;
/// What a browser says of itself beyond this is not kept (characters).
const MAX_AGENT: usize = 256;
/// A week (minutes).
const MAX_MINUTES: u32 = 7 * 24 * 60;

/// A session that is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose it is; a number is written down as one.
    pub user_id: String,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// From where, as the client says; cut where it is long.
    pub ip: String,
    /// What the client says of itself; cut where it is long.
    pub user_agent: String,
    /// So long it lives; `None` for what the configuration says.
    pub minutes: Option<u32>,
}

/// Opens a session. Its token is in the answer, and nowhere else.
///
/// # Errors
/// [`ErrorKind::Usage`] when the request makes no sense, [`ErrorKind::Locked`] when another process writes for seconds, and
/// whatever keeps the file from being written; then there is no session.
pub fn open(config: &Config, request: &Request) -> Result<SessionOpened> {
    let minutes = request.minutes.unwrap_or(config.access.session_minutes);
    check(request, minutes)?;
    withdrawn::refuse_unknown(config, Kind::Sessions)?;
    let now = clock::now().timestamp();
    let expires = now.saturating_add(i64::from(minutes) * 60);
    let (digits, token) = random(Kind::Sessions)?;
    let id = format!("session_{digits}");
    let member = json!({
        "user_id": user(&request.user_id),
        "token_hash": hex(&token::digest(token.as_bytes())),
        "permissions": words(&request.permissions),
        "created_at": now,
        "expires_at": expires,
        "ip": cut(&request.ip, MAX_IP),
        "user_agent": cut(&request.user_agent, MAX_AGENT),
    });
    let ((), warnings) = shelf::change(config, Kind::Sessions, shelf::WAIT_MS, |value| {
        object(value).insert(id.clone(), member.clone());
        Ok(Altered::Yes(()))
    })?;
    Ok(SessionOpened { schema: SCHEMA, id, token, expires_at: stamp(expires), warnings })
}

/// Whether somebody who sends a token may do something.
///
/// Why not is for the log of whoever asks; it must not be shown.
///
/// # Errors
/// When the file cannot be read. A file that makes no sense lets nobody in, and is no error.
pub fn verify(config: &Config, token: &[u8], permission: Permission) -> Result<SessionVerdict> {
    let answer = shelf::admit(config, Kind::Sessions, token, permission, facts)?;
    Ok(SessionVerdict {
        schema: SCHEMA,
        granted: answer.facts.is_some(),
        reason: answer.reason,
        session: answer.facts,
        warnings: answer.warnings,
    })
}

/// Closes a session, named by its token or its id; no matter if there is none.
///
/// # Errors
/// When neither the record of what was closed nor the file can be written; it is not closed then.
pub fn close(config: &Config, session: &[u8]) -> Result<SessionClosed> {
    let digest = token::recognise(Kind::Sessions.prefix(), session);
    let is_meant = |record: &Record| {
        record.id.as_bytes() == session
            || digest.is_some_and(|digest| super::grant::is_same(&digest, &record.digest))
    };
    let found: Vec<Record> = shelf::ask(config, Kind::Sessions, |state| match state {
        State::Known(known) => known.index.all().filter(|record| is_meant(record)).cloned().collect(),
        State::Broken(_) => Vec::new(),
    })?;
    let withdraw = |record: &Record| {
        let until = match record.expiry {
            Expiry::At(time) => Some(time),
            Expiry::Never | Expiry::Unclear => None,
        };
        Withdrawn { digest: record.digest, from: AT_ONCE, until }
    };
    let all: Vec<Withdrawn> = found.iter().map(withdraw).collect();
    let put = withdrawn::add(config, Kind::Sessions, &all);
    if found.is_empty() {
        return Ok(SessionClosed { schema: SCHEMA, closed: false, id: None, warnings: Vec::new() });
    }
    // What is on record goes with any change; this one goes also where it is not.
    let changed = shelf::change(config, Kind::Sessions, shelf::WAIT_MS, |value| {
        let Value::Object(members) = value else { return Ok(Altered::No(())) };
        let before = members.len();
        members.retain(|id, member| !Record::of_session(id, member).is_some_and(|one| is_meant(&one)));
        Ok(if members.len() < before { Altered::Yes(()) } else { Altered::No(()) })
    });
    let (_, warnings) = shelf::taken(config, Kind::Sessions, &all, put, changed)?;
    let id = found.into_iter().next().map(|record| record.id);
    Ok(SessionClosed { schema: SCHEMA, closed: true, id, warnings })
}

/// The sessions in the file, or those of one user, the newest first, without anything that lets somebody in. One that was
/// closed is none, whatever an old copy of the file says.
///
/// # Errors
/// [`ErrorKind::Config`] where the root is not there, [`ErrorKind::Corrupt`] when the file makes no sense, and when it cannot
/// be read.
pub fn list(config: &Config, user: Option<&str>, page: Page) -> Result<SessionsReport> {
    durable::root_directory(&config.root)?;
    let now = clock::now().timestamp();
    let path = Kind::Sessions.path(config);
    let known = shelf::ask(config, Kind::Sessions, |state| match state {
        State::Known(known) => Ok((known.index.all().cloned().collect::<Vec<Record>>(), known.warning(path))),
        State::Broken(reason) => Err(reason.clone()),
    })?;
    let (mut all, odd) = known.map_err(|reason| {
        Error::new(ErrorKind::Corrupt, format!("cannot list sessions, as {reason}:"))
            .at(path)
            .hint("the next session that is verified or opened moves it aside; put a good copy in its place")
    })?;
    let mut warnings: Vec<String> = odd.into_iter().collect();
    warnings.extend(withdrawn::warn(config, Kind::Sessions)?);
    all.retain(|record| user.is_none_or(|user| keys::text(record.members.get("user_id")) == user));
    // Of the same moment, whoever stands last in the file came last.
    all.reverse();
    all.sort_by_key(|record| std::cmp::Reverse(record.time("created_at")));
    let listed: Vec<(&Record, &'static str)> = withdrawn::ask(config, Kind::Sessions, |withdrawals| {
        let state = |record| Some((record, state(record, withdrawals.since(&record.digest), now)?));
        all.iter().filter_map(state).collect()
    })?;
    let total = listed.len();
    let told = |(record, state): (&Record, &'static str)| {
        let facts = facts(record);
        let (ip, user_agent) =
            (facts.ip.map(|ip| cut(&ip, MAX_IP)), facts.user_agent.map(|agent| cut(&agent, MAX_AGENT)));
        SessionListed { facts: SessionFacts { ip, user_agent, ..facts }, state }
    };
    let sessions = page.of(listed).map(told).collect();
    Ok(SessionsReport { schema: SCHEMA, sessions, total, warnings })
}

/// `open` or `expired`; none for one that was closed, or that lets nobody in and is told among the warnings.
fn state(record: &Record, since: Option<i64>, now: i64) -> Option<&'static str> {
    // Whatever it may do, it may do something that it has a permission for; without any it is open, and useless.
    let asked = Record { permissions: vec![Permission::System], ..record.clone() };
    match decide(Some(&asked), since, now, Permission::Read) {
        Verdict::Granted => Some("open"),
        Verdict::Refused(Reason::Expired) => Some("expired"),
        Verdict::Refused(_) => None,
    }
}

/// Removes the sessions whose time is over.
///
/// # Errors
/// When a file cannot be read or written.
pub fn cleanup(config: &Config) -> Result<SessionsCleaned> {
    let now = clock::now().timestamp();
    let ((removed, open), mut warnings) = shelf::change(config, Kind::Sessions, shelf::WAIT_MS, |value| {
        let Value::Object(members) = value else { return Ok(Altered::No((0, 0))) };
        let before = members.len();
        members.retain(|id, member| !is_over(id, member, now));
        let counts = (before.saturating_sub(members.len()), members.len());
        Ok(if counts.0 > 0 { Altered::Yes(counts) } else { Altered::No(counts) })
    })?;
    let mut odd = Vec::new();
    for kind in [Kind::Sessions, Kind::Keys] {
        // Nobody else looks at those of keys every hour.
        warnings.extend(shelf::remember(config, kind)?);
        warnings.extend(withdrawn::clean(config, kind, now)?);
        if kind == Kind::Keys {
            warnings.extend(shelf::catch_up(config, kind)?);
        }
        let path = kind.path(config);
        let refused =
            |reason: &str| format!("{} lets nobody in: {reason}; put a good copy back", path.display());
        match shelf::ask(config, kind, |state| match state {
            State::Known(known) => Ok(known.warning(path)),
            State::Broken(reason) => Err(refused(reason)),
        })? {
            Ok(warning) => odd.extend(warning),
            Err(problem) => warnings.push(problem),
        }
    }
    let ok = warnings.is_empty();
    warnings.extend(odd);
    let mut seen = HashSet::new();
    warnings.retain(|warning| seen.insert(warning.clone()));
    Ok(SessionsCleaned { schema: SCHEMA, ok, removed, open, warnings })
}

/// Whether its time is over. What is no session, or nobody can say that of, lets nobody in, and is left to its owner.
fn is_over(id: &str, member: &Value, now: i64) -> bool {
    let expiry = Record::of_session(id, member).map(|record| record.expiry);
    matches!(expiry, Some(Expiry::At(time)) if now >= time)
}

fn check(request: &Request, minutes: u32) -> Result<()> {
    let wrong = |what: &str, hint: &str| Err(Error::new(ErrorKind::Usage, what).hint(hint));
    if request.permissions.is_empty() {
        return wrong("a session needs a permission", "permissions are: read, write, admin, system");
    }
    if !is_plain(&request.user_id) {
        return wrong("a user is a line of text", "up to 100 characters, none of them a control character");
    }
    if !(1..=MAX_MINUTES).contains(&minutes) {
        return wrong(
            "a session lives for at least a minute and at most a week",
            "leave it out for what the configuration says",
        );
    }
    Ok(())
}

fn facts(record: &Record) -> SessionFacts {
    let text = |name: &str| {
        let text = record.members.get(name).filter(|value| value.is_string()).cloned();
        text.map(numbers::shown).as_ref().and_then(Value::as_str).map(str::to_owned)
    };
    SessionFacts {
        id: record.id.clone(),
        user_id: numbers::shown(record.members.get("user_id").cloned().unwrap_or_default()),
        permissions: record.permissions.iter().map(|permission| permission.word()).collect(),
        created_at: record.created_at.clone(),
        expires_at: record.expires_at.clone(),
        ip: text("ip"),
        user_agent: text("user_agent"),
    }
}

/// The members of the file; PHP writes none of them as a list, and those named 0, 1, 2 too.
fn object(value: &mut Value) -> &mut Map<String, Value> {
    if let Value::Array(list) = value {
        let named = std::mem::take(list).into_iter().enumerate();
        *value = Value::Object(named.map(|(number, member)| (number.to_string(), member)).collect());
    }
    match value {
        Value::Object(members) => members,
        other => {
            *other = Value::Object(Map::new());
            object(other)
        }
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
