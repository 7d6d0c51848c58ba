//! API keys: `api_keys.json`.
//!
//! A key is shown once, when it is issued; the file has its digest. What was revoked is refused at the next call in every
//! process.

use serde_json::{Map, Value, json};

use super::grant::{Permission, Verdict, decide};
use super::record::{Expiry, Record, seconds, stamp};
use super::shelf::{self, Kind, State};
use super::token;
use super::withdrawn::{self, AT_ONCE, Withdrawn};
use crate::clock;
use crate::config::Config;
use crate::durable::{self, Altered, numbers};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Event, Severity};
use crate::hex::hex;
use crate::report::{KeyFacts, KeyIssued, KeyListed, KeyRevoked, KeyRotated, KeyVerdict, KeysReport, SCHEMA};

/// Longer names are texts (characters).
const MAX_NAME: usize = 100;
/// The member of a key that names the one in whose place it was issued.
const REPLACES: &str = "replaces";
/// A century is for ever (seconds).
const MAX_LIFE: u64 = 100 * 366 * 86_400;
/// Random bytes of a secret: some stand for nothing.
const RANDOM: usize = 96;

/// A key that is to be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose it is; a number is written down as one.
    pub user_id: String,
    /// What it is for, in the words of whom it is for.
    pub name: String,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// After so many seconds it counts no longer; `None` for never.
    pub expires_in: Option<u64>,
}

/// Issues a key. It is in the answer, and nowhere else.
///
/// # Errors
/// [`ErrorKind::Usage`] when the request makes no sense, [`ErrorKind::Locked`] when another process writes for seconds, and
/// whatever keeps the file or the event log from being written; then there is no key.
pub fn issue(config: &Config, request: &Request) -> Result<KeyIssued> {
    check(request)?;
    withdrawn::refuse_unknown(config, Kind::Keys)?;
    let now = clock::now().timestamp();
    let (made, member) = make(request, now)?;
    record(config, "API_KEY_ISSUED", &member)?;
    let issued = shelf::change(config, Kind::Keys, shelf::WAIT_MS, |value| {
        push(value, &member);
        Ok(Altered::Yes(()))
    });
    let warnings = settle(config, &made, &member, issued)?;
    Ok(KeyIssued { warnings, ..made })
}

/// What came of putting a key into the file. An error may come after that, too: a key that is there has to have an owner.
fn settle(
    config: &Config,
    made: &KeyIssued,
    member: &Map<String, Value>,
    put: Result<((), Vec<String>)>,
) -> Result<Vec<String>> {
    let error = match put {
        Ok(((), warnings)) => return Ok(warnings),
        Err(error) => error,
    };
    let digest = token::digest(made.key.as_bytes());
    let is_there = shelf::ask(config, Kind::Keys, |state| match state {
        State::Known(known) => known.index.find(&digest).next().is_some(),
        State::Broken(_) => false,
    });
    if is_there.unwrap_or(false) {
        return Ok(vec![format!("the key is in the file, though that did not end well: {error}")]);
    }
    // Who reads the log must not look for a key that nobody has; why it failed is what the caller is told.
    let _ = record(config, "API_KEY_NOT_ISSUED", member);
    Err(error)
}

/// Whether somebody who sends a key may do something.
///
/// Why not is for the log of whoever asks; it must not be shown.
///
/// # Errors
/// [`ErrorKind::Config`] where the root is not there, and when the file cannot be read. A file that makes no sense lets nobody
/// in, and is no error.
pub fn verify(config: &Config, key: &[u8], permission: Permission) -> Result<KeyVerdict> {
    durable::root_directory(&config.root)?;
    let answer = shelf::admit(config, Kind::Keys, key, permission, facts)?;
    Ok(KeyVerdict {
        schema: SCHEMA,
        granted: answer.facts.is_some(),
        reason: answer.reason,
        key: answer.facts,
        warnings: answer.warnings,
    })
}

/// Takes a key back, for good and at once.
///
/// It is done where either the record of what was withdrawn or the file has it; what is still to be written is told, and the
/// next cleanup writes it.
///
/// # Errors
/// [`ErrorKind::Usage`] when no key has this id; else as [`issue`], and then it still counts.
pub fn revoke(config: &Config, id: &str) -> Result<KeyRevoked> {
    let now = clock::now().timestamp();
    let known = find(config, id)?;
    let withdraw = |record: &Record| Withdrawn { digest: record.digest, from: AT_ONCE, until: None };
    let all: Vec<Withdrawn> = known.iter().map(withdraw).collect();
    let put = withdrawn::add(config, Kind::Keys, &all);
    let mut was_active = known.iter().any(|record| record.is_active);
    let mut warnings = Vec::new();
    // On record it is refused, whatever becomes of the file: the log has it before this goes on, or dies.
    let is_told = was_active && withdrawn::has(config, Kind::Keys, &all).unwrap_or(false);
    if is_told {
        warnings.extend(record_revoked(config, &known));
    }
    // What cannot be put on record is still written in the file.
    let changed = shelf::change(config, Kind::Keys, shelf::WAIT_MS, |value| {
        let mut was_active = false;
        for member in shelf::members(value).into_iter().filter(|member| is_called(member, id)) {
            was_active |= !matches!(member.get("active"), Some(Value::Bool(false)));
            shelf::revoke(member, now);
        }
        Ok(Altered::Yes(was_active))
    });
    let (was_active_there, told) = shelf::taken(config, Kind::Keys, &all, put, changed)?;
    warnings.extend(told);
    was_active |= was_active_there.unwrap_or(false);
    if was_active && !is_told {
        warnings.extend(record_revoked(config, &known));
    }
    warnings.extend(successors(config, id, now));
    Ok(KeyRevoked { schema: SCHEMA, id: id.to_owned(), revoked: was_active, warnings })
}

/// Puts on record that a key was taken back. It is, whatever the log says.
fn record_revoked(config: &Config, known: &[Record]) -> Option<String> {
    let member = known.first().map(|record| record.members.clone()).unwrap_or_default();
    let error = record(config, "API_KEY_REVOKED", &member).err()?;
    Some(format!("that is in no event log: {error}"))
}

/// The keys that were issued in place of one, and still count: whoever has that one may have been given these.
fn successors(config: &Config, id: &str, now: i64) -> Vec<String> {
    let all = every(config).map(|(all, _)| all).unwrap_or_default();
    let mut found = vec![id.to_owned()];
    let mut warnings = Vec::new();
    let mut at = 0;
    while let Some(replaced) = found.get(at).cloned() {
        at += 1;
        for one in all.iter().filter(|one| one.members.get(REPLACES) == Some(&json!(replaced))) {
            if found.contains(&one.id) {
                continue;
            }
            found.push(one.id.clone());
            let since = withdrawn::ask(config, Kind::Keys, |state| state.since(&one.digest)).unwrap_or(None);
            if state(one, since, now) == "active" {
                let (new, old) = (shown(&one.id), shown(&replaced));
                warnings.push(format!(
                    "{new} was issued in place of {old}, and still counts: revoke that as well where nobody should have it"
                ));
            }
        }
    }
    warnings
}

/// Issues a key in place of another, which counts for so many seconds more.
///
/// `expires_in` is for the new one; where it is `None` it lives as long as the old one was to.
///
/// # Errors
/// [`ErrorKind::Usage`] when no key has this id, or it counts no longer, also where it is revoked while this waits; else as
/// [`issue`].
pub fn rotate(config: &Config, id: &str, grace: u64, expires_in: Option<u64>) -> Result<KeyRotated> {
    withdrawn::refuse_unknown(config, Kind::Keys)?;
    let now = clock::now().timestamp();
    let known = find(config, id)?;
    let old = known.first().ok_or_else(|| unknown(id))?;
    refuse_over(config, old, now)?;
    let ends = now.saturating_add(i64::try_from(grace.min(MAX_LIFE)).unwrap_or(i64::MAX));
    let ends = match old.expiry {
        Expiry::At(time) => time.min(ends),
        Expiry::Never | Expiry::Unclear => ends,
    };
    let lifetime = match (old.expiry, old.time("created_at")) {
        (Expiry::At(end), Some(created)) => u64::try_from(end.saturating_sub(created)).ok(),
        _ => None,
    };
    let request = Request {
        user_id: text(old.members.get("user_id")),
        name: text(old.members.get("name")),
        permissions: old.permissions.clone(),
        expires_in: expires_in.or(lifetime.map(|life| life.clamp(1, MAX_LIFE))),
    };
    let (made, mut member) = make(&request, now)?;
    member.insert(REPLACES.to_owned(), json!(id));
    record(config, "API_KEY_ROTATED", &member)?;
    let put = shelf::change(config, Kind::Keys, shelf::WAIT_MS, |value| {
        // Others may have taken it back while this waited for its turn.
        withdrawn::refuse_unknown(config, Kind::Keys)?;
        let there = shelf::records(Kind::Keys, value).into_iter().find(|record| record.id == id);
        refuse_over(config, &there.ok_or_else(|| unknown(id))?, clock::now().timestamp())?;
        for member in shelf::members(value).into_iter().filter(|member| is_called(member, id)) {
            if ends <= now {
                shelf::revoke(member, now);
            } else if member.get("expires_at").and_then(seconds).is_none_or(|time| time > ends) {
                member.insert("expires_at".to_owned(), ends.into());
            }
        }
        push(value, &member);
        Ok(Altered::Yes(()))
    });
    let mut warnings = settle(config, &made, &member, put)?;
    let from = if grace == 0 { AT_ONCE } else { ends };
    let withdraw = |record: &Record| Withdrawn { digest: record.digest, from, until: None };
    let all: Vec<Withdrawn> = known.iter().map(withdraw).collect();
    // The new one is in the file: whoever asked for it must get it, or nobody has it. The file says of the old one that it
    // ends, and that goes on record when it is seen next.
    warnings.extend(withdrawn::add(config, Kind::Keys, &all).unwrap_or_else(|error| {
        vec![format!("that {id} is replaced stands in {} only: {error}", Kind::Keys.path(config).display())]
    }));
    let replaces = id.to_owned();
    let replaced_until = stamp(ends);
    Ok(KeyRotated { schema: SCHEMA, id: made.id, key: made.key, replaces, replaced_until, warnings })
}

/// Refuses to go on with a key that counts no longer.
fn refuse_over(config: &Config, record: &Record, now: i64) -> Result<()> {
    let since = withdrawn::ask(config, Kind::Keys, |state| state.since(&record.digest))?;
    if state(record, since, now) == "active" {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, "cannot rotate a key that counts no longer")
        .hint("issue a new one instead"))
}

/// All keys, or those of one user, in the order of the file, without anything that lets somebody in.
///
/// # Errors
/// [`ErrorKind::Config`] where the root is not there, [`ErrorKind::Corrupt`] when the file makes no sense, and when it cannot
/// be read.
pub fn list(config: &Config, user: Option<&str>) -> Result<KeysReport> {
    durable::root_directory(&config.root)?;
    let now = clock::now().timestamp();
    let (all, mut warnings) = every(config)?;
    warnings.extend(withdrawn::warn(config, Kind::Keys)?);
    let path = Kind::Keys.path(config);
    warnings.extend(durable::lying_aside(path).iter().map(|aside| {
        format!(
            "{} made no sense, and was put aside as {}: the keys in that let nobody in; take over from there what is \
             missing, and move it away",
            path.display(),
            aside.display()
        )
    }));
    let is_asked = |record: &&Record| user.is_none_or(|user| text(record.members.get("user_id")) == user);
    let keys = withdrawn::ask(config, Kind::Keys, |withdrawals| {
        let listed = |record: &Record| listed(record, withdrawals.since(&record.digest), now);
        all.iter().filter(is_asked).map(listed).collect()
    })?;
    Ok(KeysReport { schema: SCHEMA, keys, warnings })
}

fn listed(record: &Record, since: Option<i64>, now: i64) -> KeyListed {
    // One that was taken back at once was not replaced, or nobody had time to change over.
    let replaced = since.filter(|since| *since > AT_ONCE);
    let since = since.filter(|since| *since <= now);
    KeyListed {
        facts: facts(record),
        last_used_at: record.last_used.map(stamp),
        usage_count: record.members.get("usage_count").and_then(seconds).unwrap_or(0),
        state: state(record, since, now),
        replaced_until: replaced.map(stamp),
        revoked_at: record.time("revoked_at").or(since.filter(|since| *since > AT_ONCE)).map(stamp),
    }
}

/// `active`, `expired` or `revoked`.
fn state(record: &Record, since: Option<i64>, now: i64) -> &'static str {
    // Whatever it may do, it may do something that it has a permission for; without any it is active, and useless.
    let asked = Record { permissions: vec![Permission::System], ..record.clone() };
    match decide(Some(&asked), since, now, Permission::Read) {
        Verdict::Granted => "active",
        Verdict::Refused(reason) => reason.word(),
    }
}

fn facts(record: &Record) -> KeyFacts {
    KeyFacts {
        id: record.id.clone(),
        user_id: numbers::shown(record.members.get("user_id").cloned().unwrap_or_default()),
        name: text(record.members.get("name")),
        permissions: record.permissions.iter().map(|permission| permission.word()).collect(),
        created_at: record.created_at.clone(),
        expires_at: record.expires_at.clone(),
    }
}

fn check(request: &Request) -> Result<()> {
    let wrong = |what: &str, hint: &str| Err(Error::new(ErrorKind::Usage, what).hint(hint));
    if request.permissions.is_empty() {
        return wrong("a key needs a permission", "permissions are: read, write, admin, system");
    }
    if !is_plain(&request.user_id) || !is_plain(&request.name) {
        return wrong(
            "a user and a name of a key are lines of text",
            "up to 100 characters, none of them a control character",
        );
    }
    if request.expires_in.is_some_and(|life| !(1..=MAX_LIFE).contains(&life)) {
        return wrong(
            "a key lives for at least a second and at most a century",
            "leave it out for a key that never expires",
        );
    }
    Ok(())
}

pub(super) fn is_plain(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control)
}

/// A key, and what the file is to say of it.
fn make(request: &Request, now: i64) -> Result<(KeyIssued, Map<String, Value>)> {
    let (digits, key) = random(Kind::Keys)?;
    let id = format!("key_{digits}");
    let mut member = Map::new();
    let words: Vec<&str> = words(&request.permissions);
    for (name, value) in [
        ("id", json!(id)),
        ("user_id", user(&request.user_id)),
        ("name", json!(request.name)),
        (Kind::Keys.hash(), json!(hex(&token::digest(key.as_bytes())))),
        ("permissions", json!(words)),
        ("created_at", json!(now)),
        ("last_used_at", Value::Null),
        ("usage_count", json!(0)),
        ("active", json!(true)),
    ] {
        member.insert(name.to_owned(), value);
    }
    if let Some(life) = request.expires_in {
        let life = i64::try_from(life).unwrap_or(i64::MAX);
        member.insert("expires_at".to_owned(), now.saturating_add(life).into());
    }
    Ok((KeyIssued { schema: SCHEMA, id, key, warnings: Vec::new() }, member))
}

/// The digits of an id, and a key or token of them.
pub(super) fn random(kind: Kind) -> Result<(String, String)> {
    let digits = clock::chance()?;
    loop {
        if let Some(secret) = token::secret(&clock::random::<RANDOM>()?) {
            let text = token::compose(kind.prefix(), &digits, &secret);
            return Ok((digits, text));
        }
    }
}

/// Each permission once, from the least.
pub(super) fn words(permissions: &[Permission]) -> Vec<&'static str> {
    Permission::ALL.iter().filter(|one| permissions.contains(one)).map(|one| one.word()).collect()
}

/// The site's own users have numbers.
pub(super) fn user(id: &str) -> Value {
    match id.parse::<i64>() {
        Ok(number) if number.to_string() == id => number.into(),
        _ => id.into(),
    }
}

/// Adds a member at the end.
fn push(value: &mut Value, member: &Map<String, Value>) {
    match value {
        Value::Array(list) => list.push(Value::Object(member.clone())),
        // A list with holes, as PHP writes it.
        Value::Object(members) => {
            let next = members.keys().filter_map(|name| name.parse::<u64>().ok()).max();
            let next = next.map_or(0, |last| last.saturating_add(1));
            members.insert(next.to_string(), Value::Object(member.clone()));
        }
        _ => {}
    }
}

fn is_called(member: &Map<String, Value>, id: &str) -> bool {
    member.get("id").and_then(Value::as_str) == Some(id)
}

/// All that can be read, and what people should know of the rest.
fn every(config: &Config) -> Result<(Vec<Record>, Vec<String>)> {
    let path = Kind::Keys.path(config);
    let all = shelf::ask(config, Kind::Keys, |state| match state {
        State::Known(known) => {
            Ok((known.index.all().cloned().collect(), known.warning(path).into_iter().collect()))
        }
        State::Broken(reason) => Err(reason.clone()),
    })?;
    all.map_err(|reason| {
        Error::new(ErrorKind::Corrupt, format!("cannot list keys, as {reason}:"))
            .at(path)
            .hint("the next key that is verified or issued moves it aside; put a good copy in its place")
    })
}

fn find(config: &Config, id: &str) -> Result<Vec<Record>> {
    let found: Vec<Record> = every(config)?.0.into_iter().filter(|record| record.id == id).collect();
    if found.is_empty() { Err(unknown(id)) } else { Ok(found) }
}

fn unknown(id: &str) -> Error {
    // It may stand in logs from then on.
    if let Some(digits) = token::id_of_secret(id) {
        let its =
            if digits.is_empty() { String::new() } else { format!(", whose id is key_{}", shown(digits)) };
        return Error::new(ErrorKind::Usage, format!("that is no id of a key, but a key itself{its}"))
            .hint("revoke it by its id, as others may have read it; list the keys to see their ids");
    }
    Error::new(ErrorKind::Usage, format!("no key has the id {}", shown(id)))
        .hint("list the keys to see their ids")
}

/// An id that anybody may have written, in a message.
fn shown(id: &str) -> String {
    id.chars().map(|c| if c.is_control() { '?' } else { c }).take(MAX_NAME).collect()
}

/// A user or name, as text.
pub(super) fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(value) => match numbers::shown(value.clone()) {
            Value::String(text) => text,
            other => other.to_string(),
        },
    }
}

/// Puts on record what happens to a key.
fn record(config: &Config, kind: &str, member: &Map<String, Value>) -> Result<()> {
    let shown: Map<String, Value> = ["id", REPLACES, "user_id", "name", "permissions", "expires_at"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), member.get(name)?.clone())))
        .collect();
    let event = Event {
        kind: kind.to_owned(),
        severity: Severity::Info,
        details: Value::Object(shown),
        ip: None,
        session: None,
    };
    events::record(config, &event).map(drop)
}
