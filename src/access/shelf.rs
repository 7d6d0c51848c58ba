//! One of the two files, keys or sessions: asked who somebody is, and changed.
//!
//! Whatever changes a file here first puts right what an old copy brought back (`withdrawn`). A file that makes no sense
//! is moved aside and reported as CRITICAL, and until then nobody gets in.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::broken;
use super::grant::{Permission, Reason, Verdict, decide};
use super::known::{self, Index, Kept};
use super::record::{Expiry, Record, oddity_of_key, oddity_of_session, seconds};
use super::token::{self, Prefix};
use super::used::{self, Use};
use super::withdrawn::{self, AT_ONCE, Standing, State as Withdrawals, Withdrawn};
use crate::clock;
use crate::config::Config;
use crate::durable::{Altered, Document, Reading};
use crate::error::{Error, ErrorKind, Result};
use crate::hex::unhex;

/// So long another process may write (milliseconds).
pub(super) const WAIT_MS: u64 = 5_000;

/// So many that make no sense are named.
const MAX_TOLD: usize = 5;
/// More of a name is not told (characters).
const MAX_PLACE: usize = 80;

thread_local! {
    static KEPT: Kept<State> = const { Kept::new(Vec::new()) };
}

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Keys,
    Sessions,
}

impl Kind {
    pub(super) const fn prefix(self) -> Prefix {
        match self {
            Kind::Keys => Prefix::Key,
            Kind::Sessions => Prefix::Session,
        }
    }

    pub(super) fn path(self, config: &Config) -> &Path {
        match self {
            Kind::Keys => &config.access.keys,
            Kind::Sessions => &config.access.sessions,
        }
    }

    const fn lock(self) -> &'static str {
        match self {
            Kind::Keys => "api_keys",
            Kind::Sessions => "api_sessions",
        }
    }

    pub(super) const fn withdrawn_lock(self) -> &'static str {
        match self {
            Kind::Keys => "api_keys_withdrawn",
            Kind::Sessions => "api_sessions_withdrawn",
        }
    }

    pub(super) const fn withdrawn_file(self) -> &'static str {
        match self {
            Kind::Keys => "keys",
            Kind::Sessions => "sessions",
        }
    }

    /// What it has, in words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Kind::Keys => "API keys",
            Kind::Sessions => "sessions",
        }
    }

    pub(super) const fn hash(self) -> &'static str {
        match self {
            Kind::Keys => "key_hash",
            Kind::Sessions => "token_hash",
        }
    }
}

/// What the file says.
#[derive(Debug)]
pub(super) enum State {
    Known(Known),
    /// It makes no sense, and why.
    Broken(String),
}

/// What can be read of a file.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Who is in it.
    pub(super) index: Index<Record>,
    /// Whose keys it calls revoked.
    revoked: Vec<Withdrawn>,
    /// Whether they are on record.
    is_recorded: Rc<Cell<bool>>,
    /// Those that make no sense: where, and why.
    odd: Vec<(String, &'static str)>,
    /// How many there are.
    all: usize,
}

impl Known {
    /// What people should know of those that make no sense, which stay as they are.
    pub(super) fn warning(&self, path: &Path) -> Option<String> {
        if self.odd.is_empty() {
            return None;
        }
        let told = |(place, why): &(String, &str)| format!("{place} ({why})");
        let mut list: Vec<String> = self.odd.iter().take(MAX_TOLD).map(told).collect();
        if self.odd.len() > MAX_TOLD {
            list.push("and so on".to_owned());
        }
        Some(format!(
            "{} of {} in {} make no sense, let nobody in, and stay as they are: {}; mend or remove them there",
            self.odd.len(),
            self.all,
            path.display(),
            list.join(", ")
        ))
    }
}

impl State {
    fn of(kind: Kind, reading: Reading) -> State {
        let value = match reading {
            Reading::Missing => return State::Known(Known::default()),
            Reading::Broken(reason) => return State::Broken(reason),
            Reading::Whole(value) => value,
        };
        let mut known = Known::default();
        for (place, one) in named(&value) {
            known.all = known.all.saturating_add(1);
            let oddity = match kind {
                Kind::Keys => oddity_of_key(one),
                Kind::Sessions => oddity_of_session(one),
            };
            known.odd.extend(oddity.map(|why| (called(kind, &place, one), why)));
        }
        for record in records(kind, &value) {
            known.revoked.extend(called_revoked(kind, &record));
            known.index.add(record.digest, record);
        }
        State::Known(known)
    }
}

/// All that stands in a file, with its place.
fn named(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Array(list) => list.iter().enumerate().map(|(at, one)| (at.to_string(), one)).collect(),
        Value::Object(members) => members.iter().map(|(name, one)| (name.clone(), one)).collect(),
        _ => Vec::new(),
    }
}

/// What to look for where one makes no sense.
fn called(kind: Kind, place: &str, one: &Value) -> String {
    let id = one.get("id").and_then(Value::as_str).filter(|_| kind == Kind::Keys);
    let text = id.map_or_else(|| format!("the one at {place}"), str::to_owned);
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(MAX_PLACE).collect()
}

/// A key that the file calls revoked, for our record: an older copy of the file must not bring it back. One that is only
/// switched off may be switched on again.
fn called_revoked(kind: Kind, record: &Record) -> Option<Withdrawn> {
    let is_revoked = kind == Kind::Keys && record.members.get("revoked_at").is_some_and(|at| !at.is_null());
    is_revoked.then_some(Withdrawn { digest: record.digest, from: AT_ONCE, until: None })
}

/// What can be read of each; PHP writes a list with holes as an object, and an empty object as a list.
pub(super) fn records(kind: Kind, value: &Value) -> Vec<Record> {
    match (kind, value) {
        (Kind::Keys, Value::Array(list)) => list.iter().filter_map(Record::of_key).collect(),
        (Kind::Keys, Value::Object(members)) => members.values().filter_map(Record::of_key).collect(),
        (Kind::Sessions, Value::Object(members)) => {
            members.iter().filter_map(|(id, value)| Record::of_session(id, value)).collect()
        }
        _ => Vec::new(),
    }
}

/// The members of a file, to be changed; their names are the places in a list.
pub(super) fn members(value: &mut Value) -> Vec<&mut Map<String, Value>> {
    match value {
        Value::Array(list) => list.iter_mut().filter_map(Value::as_object_mut).collect(),
        Value::Object(members) => members.values_mut().filter_map(Value::as_object_mut).collect(),
        _ => Vec::new(),
    }
}

/// Asks whether somebody may do something; `answer` gets the verdict, and who it is where anybody has that text.
fn verify<A>(
    config: &Config,
    kind: Kind,
    text: &[u8],
    permission: Permission,
    answer: impl FnOnce(Verdict, Option<&Record>) -> A,
) -> Result<(A, Vec<String>)> {
    let Some(digest) = token::recognise(kind.prefix(), text) else {
        return Ok((answer(Verdict::Refused(Reason::Malformed), None), Vec::new()));
    };
    let now = clock::now().timestamp();
    let (standing, is_blank, since) =
        withdrawn::ask(config, kind, |state| (state.standing(), state.is_blank(), state.since(&digest)))?;
    let mut warnings = match standing {
        // Whoever changes something next makes them even.
        Standing::Whole | Standing::Uneven => Vec::new(),
        Standing::Hurt => withdrawn::mend(config, kind),
        Standing::Lost => {
            let told = withdrawn::tell_lost(config, kind);
            return Ok((answer(Verdict::Refused(Reason::Unavailable), None), told));
        }
        Standing::Newer => return Err(withdrawn::newer(config, kind)),
    };
    let mut answer = Some(answer);
    let asked = ask(config, kind, |state| {
        let State::Known(Known { index, revoked, is_recorded, .. }) = state else { return None };
        // Where two have the same text, the one that is refused counts.
        let mut all = index.find(&digest);
        let mut record = all.next();
        let mut verdict = decide(record, since, now, permission);
        for other in all {
            if verdict == Verdict::Granted {
                record = Some(other);
                verdict = decide(record, since, now, permission);
            }
        }
        // Somebody may have taken away all that was on record.
        let is_gone = is_blank || standing == Standing::Hurt;
        let is_due = (is_gone || !is_recorded.get()) && !revoked.is_empty();
        let due = is_due.then(|| (revoked.clone(), Rc::clone(is_recorded)));
        answer.take().map(|answer| (answer(verdict, record), due))
    })?;
    match (asked, answer) {
        (Some((said, due)), _) => {
            if let Some((revoked, is_recorded)) = due {
                warnings.extend(withdrawn::now_and_then(kind.path(config), || {
                    let told = put_on_record(config, kind, &revoked)?;
                    is_recorded.set(true);
                    Ok(told)
                }));
            }
            Ok((said, warnings))
        }
        (None, Some(answer)) => {
            warnings.extend(heal(config, kind));
            Ok((answer(Verdict::Refused(Reason::Unavailable), None), warnings))
        }
        (None, None) => Err(Error::new(ErrorKind::Internal, "cannot answer twice")),
    }
}

/// Puts those on record that the file calls revoked, where they are not. Says what people should know.
///
/// # Errors
/// When one of them is not on record afterwards: it is refused as long as the file says so.
fn put_on_record(config: &Config, kind: Kind, revoked: &[Withdrawn]) -> Result<Vec<String>> {
    if revoked.is_empty() {
        return Ok(Vec::new());
    }
    let fresh = || {
        withdrawn::ask(config, kind, |state| {
            let is_new = |one: &&Withdrawn| state.since(&one.digest).is_none_or(|at| at > one.from);
            revoked.iter().filter(is_new).copied().collect::<Vec<_>>()
        })
    };
    let told = withdrawn::add(config, kind, &fresh()?)?;
    if fresh()?.is_empty() {
        return Ok(told);
    }
    Err(Error::new(ErrorKind::Corrupt, told.join("; ")))
}

/// What is said where that failed.
pub(super) fn not_on_record(error: &Error) -> String {
    format!("what the file calls revoked is not on record: {error}")
}

/// The same for all that the file calls revoked now, whether or not somebody asks for a key.
pub(super) fn remember(config: &Config, kind: Kind) -> Result<Vec<String>> {
    let revoked = ask(config, kind, |state| match state {
        State::Known(known) => known.revoked.clone(),
        State::Broken(_) => Vec::new(),
    })?;
    Ok(put_on_record(config, kind, &revoked).unwrap_or_else(|error| vec![not_on_record(&error)]))
}

/// What somebody is told who asks whether a key or session lets in.
pub(super) struct Answer<F> {
    /// What is known of it, where it does.
    pub(super) facts: Option<F>,
    /// Why it does not, where that is known: for a log.
    pub(super) reason: Option<&'static str>,
    /// What people should know.
    pub(super) warnings: Vec<String>,
}

/// The same, and writes down that it was used.
pub(super) fn admit<F>(
    config: &Config,
    kind: Kind,
    text: &[u8],
    permission: Permission,
    facts: impl FnOnce(&Record) -> F,
) -> Result<Answer<F>> {
    let now = clock::now().timestamp();
    let (answer, mut warnings) =
        verify(config, kind, text, permission, |verdict, record| match (verdict, record) {
            (Verdict::Granted, Some(record)) => Ok((facts(record), used::count(kind, record, now))),
            (Verdict::Refused(reason), _) => Err(Some(reason.word())),
            (Verdict::Granted, None) => Err(None),
        })?;
    Ok(match answer {
        Ok((facts, used)) => {
            if let Use::Due(digest) = used {
                warnings.extend(used::write(config, kind, digest, now));
            }
            Answer { facts: Some(facts), reason: None, warnings }
        }
        Err(reason) => Answer { facts: None, reason, warnings },
    })
}

/// Asks what the file says now.
pub(super) fn ask<A>(config: &Config, kind: Kind, question: impl FnOnce(&State) -> A) -> Result<A> {
    let path = kind.path(config);
    let make = |reading| State::of(kind, reading);
    KEPT.with(|kept| known::ask(kept, (path, kind), || path.to_path_buf(), make, question))
}

/// Moves aside what makes no sense. What cannot be done is said: whoever asked is refused anyway.
fn heal(config: &Config, kind: Kind) -> Vec<String> {
    let mut warnings = Vec::new();
    match change(config, kind, WAIT_MS, |_| Ok(Altered::No(()))) {
        Ok(((), told)) => warnings.extend(told),
        Err(error) => warnings.push(error.to_string()),
    }
    warnings
}

/// Puts a file of keys right where it lets in whoever is on record; of sessions each cleanup changes the file anyway.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn catch_up(config: &Config, kind: Kind) -> Result<Vec<String>> {
    let now = clock::now().timestamp();
    let is_behind = ask(config, kind, |state| {
        let State::Known(known) = state else { return Ok(false) };
        let is_over = |state: Withdrawals<'_>, one: &Record| {
            one.is_active && state.since(&one.digest).is_some_and(|from| from <= now)
        };
        withdrawn::ask(config, kind, |state| known.index.all().any(|one| is_over(state, one)))
    })??;
    Ok(if is_behind { heal(config, kind) } else { Vec::new() })
}

/// What came of taking some back, which goes on record and into the file: it is done where either has it. Says what the file
/// said, where that was changed, and what is still to be done.
///
/// # Errors
/// Where neither has it.
pub(super) fn taken<T>(
    config: &Config,
    kind: Kind,
    all: &[Withdrawn],
    put: Result<Vec<String>>,
    changed: Result<(T, Vec<String>)>,
) -> Result<(Option<T>, Vec<String>)> {
    let is_on_record = withdrawn::has(config, kind, all).unwrap_or(false);
    let told = |error: &Error| {
        error.hint_text().map_or_else(|| error.to_string(), |hint| format!("{error}; {hint}"))
    };
    let mut warnings = put.unwrap_or_else(|error| {
        let (what, then) = match (is_on_record, kind) {
            (true, _) => {
                ("only one copy of what was withdrawn has it", "the next cleanup writes the other one")
            }
            (false, Kind::Keys) => ("it stands in the file only", "the next cleanup puts it on record"),
            (false, Kind::Sessions) => {
                ("it stands in the file only", "close it again where a page writes an old copy of that")
            }
        };
        vec![format!("{what}, and {then}: {}", told(&error))]
    });
    match changed {
        Ok((said, others)) => {
            warnings.extend(others);
            Ok((Some(said), warnings))
        }
        Err(error) if is_on_record => {
            warnings.push(format!(
                "it is on record and refused, though {} does not say so yet; the next cleanup writes that: {}",
                kind.path(config).display(),
                told(&error)
            ));
            Ok((None, warnings))
        }
        Err(error) => Err(error),
    }
}

/// Changes the file. Returns what `alter` said, and what people should know.
///
/// # Errors
/// As [`Document::change`].
pub(super) fn change<T>(
    config: &Config,
    kind: Kind,
    wait_ms: u64,
    mut alter: impl FnMut(&mut Value) -> Result<Altered<T>>,
) -> Result<(T, Vec<String>)> {
    let path = kind.path(config);
    let document =
        Document { path, root: &config.root, lock: kind.lock(), ownership: &config.ownership, wait_ms };
    let mut told = Vec::new();
    let (said, mut warnings) = broken::change(config, &document, |value| {
        let records = records(kind, value);
        let revoked: Vec<Withdrawn> =
            records.iter().filter_map(|record| called_revoked(kind, record)).collect();
        let put = put_on_record(config, kind, &revoked);
        told.extend(put.unwrap_or_else(|error| vec![not_on_record(&error)]));
        let (standing, is_right) =
            withdrawn::ask(config, kind, |state| (state.standing(), !put_right(kind, value, state)))?;
        match standing {
            Standing::Whole => {}
            Standing::Uneven | Standing::Hurt => told.extend(withdrawn::mend(config, kind)),
            Standing::Lost => told.extend(withdrawn::tell_lost(config, kind)),
            Standing::Newer => return Err(withdrawn::newer(config, kind)),
        }
        Ok(match alter(value)? {
            Altered::No(said) if is_right => Altered::No(said),
            Altered::No(said) | Altered::Yes(said) => Altered::Yes(said),
        })
    })?;
    told.dedup();
    warnings.extend(told);
    Ok((said, warnings))
}

/// Writes down what is withdrawn where the file says otherwise; whether it did.
fn put_right(kind: Kind, value: &mut Value, state: Withdrawals<'_>) -> bool {
    let now = clock::now().timestamp();
    let since = |member: &Map<String, Value>| {
        let digest = member.get(kind.hash()).and_then(Value::as_str).and_then(unhex);
        digest.and_then(|digest| state.since(&digest))
    };
    if let (Kind::Sessions, Value::Object(members)) = (kind, &mut *value) {
        let before = members.len();
        members.retain(|_, member| member.as_object().and_then(since).is_none());
        return members.len() < before;
    }
    if kind == Kind::Sessions {
        return false;
    }
    let mut has_changed = false;
    for member in members(value) {
        let Some(from) = since(member) else { continue };
        let Some(record) = Record::of_key(&Value::Object(member.clone())) else { continue };
        if from <= now && record.is_active {
            revoke(member, if from > AT_ONCE { from } else { now });
            has_changed = true;
        } else if from > now && !matches!(record.expiry, Expiry::At(time) if time <= from) {
            member.insert("expires_at".to_owned(), from.into());
            has_changed = true;
        }
    }
    has_changed
}

/// Writes down that a key counts no longer.
pub(super) fn revoke(member: &mut Map<String, Value>, at: i64) {
    member.insert("active".to_owned(), false.into());
    if member.get("revoked_at").and_then(seconds).is_none() {
        member.insert("revoked_at".to_owned(), at.into());
    }
}
