//! Requests from web pages: the website asks, cron acts.
//!
//! The website's user may write to `sync_state/queue/` and to no database. A request is a file there; the next run of
//! the user who runs the sync carries it out, before it syncs, and leaves what came of it in `queue/results/`. What the
//! website can write is taken for hostile: it is read by `request` alone, results are parsed as carefully as requests,
//! and no name of a file comes out of a file.
//!
//! Invariant: **while the file of a request is in the queue, nothing of it has been done.** Under a lock that only one
//! process has:
//!
//! 1. `results/ID.begun` is put in place: the request, and how often it was begun.
//! 2. `ID.json` is removed from the queue, and that is made last.
//! 3. It is carried out, by an operation that takes the run lock itself.
//! 4. `results/ID.json` is put in place: done or failed, and with what.
//! 5. `results/ID.begun` is removed.
//!
//! Killed anywhere, the next one tells what happened by what is there. A result: it is over. The request: nothing was
//! done, it is carried out. Only `ID.begun`: it may have been done, in part or as a whole. `resolve`, `acknowledge`,
//! `backup`, `clean-backups` and `verify` are done again, which does no more than doing them once; a resolved conflict
//! stays what it is, and that counts as done. `restore`, `sync-from`, `force` and `undo` could undo or force what people
//! did since, so they are reported as failed, for a person to look at. The sync that follows finishes what the killed run
//! wrote, as ever.
//!
//! Apart from the operations, which it only calls. It must never carry out what it did not write down first.

mod carry_out;
pub(super) mod request;
mod results;

use std::path::PathBuf;

use serde_json::{Map, Value as Json, json};

use crate::clock;
use crate::config::Config;
use crate::durable::{self, Content, Folder};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;
use crate::report::{QueueReport, QueuedReport, QueuedRequest, RequestState, SCHEMA};

use carry_out::{Outcome, Time};
use request::{Filed, MAX_REQUEST_BYTES};
use results::Finished;
pub(super) use results::finished;

pub use request::{Action, Request};

use super::{for_whom, state_directory};

/// The most requests that wait: more than people click between two runs, and few enough for one run.
const MAX_PENDING: usize = 100;
/// The most names that are looked at in a directory, should somebody fill it (about 1 MB of names).
const MAX_NAMES: usize = 10_000;
/// The most results that are kept.
const MAX_RESULTS: usize = 500;
/// How long results are kept (seconds): a week.
const RESULT_SECONDS: i64 = 7 * 24 * 60 * 60;
/// How old a file in the making must be for its maker to be dead (seconds): an hour, and it takes milliseconds.
const NASCENT_SECONDS: i64 = 60 * 60;
/// The longest result (bytes): a request, a report as `carry_out` cuts it, and what is around them.
const MAX_RESULT_BYTES: u64 = 256 << 10;
/// How often a request is begun that never gets to its end: what kills a run thrice will kill the next one.
const MAX_ATTEMPTS: u64 = 3;
/// Puts a request into the queue, for the next run to carry out. Nothing else is written, and no database is opened.
///
/// Errors: `Usage` for a database or side that is not configured, `Busy` when the queue is full, `Access` for a user
/// who may not write to it.
pub fn enqueue(config: &Config, request: &Request) -> Result<QueuedReport> {
    request.check(config)?;
    // Whoever makes the state directory or the queue owns it, and that should be the one who runs the sync.
    let owner = owner(config).ok_or_else(|| missing(config))?;
    let allowed = |error| for_whom(config, error);
    let queue = match Folder::open(&directory(config)).map_err(allowed)? {
        Some(queue) => queue,
        None if is_ours(config, owner) => make(config).map_err(allowed)?.0,
        None => return Err(missing(config)),
    };
    let waiting =
        queue.names(MAX_NAMES).map_err(allowed)?.iter().filter(|name| stem(name, ".json").is_some()).count();
    if waiting >= MAX_PENDING {
        return Err(Error::new(ErrorKind::Busy, format!("the queue is full: {waiting} requests wait"))
            .hint("the sync carries them out; look whether it runs"));
    }
    let at = clock::now();
    let filed = Filed { id: new_id(at)?, request: request.clone(), at };
    let json = Json::Object(filed.to_json()).to_string();
    // What could not be read again must not be written.
    if u64::try_from(json.len()).map_or(true, |length| length > MAX_REQUEST_BYTES) {
        return Err(Error::new(ErrorKind::Usage, "the request is too long"));
    }
    queue.put(&file(&filed.id), json.as_bytes()).map_err(allowed)?;
    Ok(QueuedReport { schema: SCHEMA, id: filed.id })
}

fn missing(config: &Config) -> Error {
    Error::new(ErrorKind::Access, "there is no queue yet in")
        .at(&config.root)
        .hint("run `bidirectional` once as the user who runs the sync; that makes it")
}

/// The requests that wait, at most as many as a run carries out, and those of the last days with what came of them, newest first. Changes nothing.
///
/// Errors: `Config` where the root is not there, `Io` or `Access` when the queue cannot be read. Files that are no requests
/// are left out.
pub fn queue(config: &Config) -> Result<QueueReport> {
    durable::root_directory(&config.root)?;
    let mut requests = Vec::new();
    if let Some(queue) = Folder::open(&directory(config))? {
        // First what waits: what moves on meanwhile is found again below.
        for id in ids(&queue, ".json")?.into_iter().take(MAX_PENDING) {
            if let Content::Bytes(bytes) = queue.read(&file(&id), MAX_REQUEST_BYTES)? {
                requests.extend(Filed::parse(&bytes, &id).ok().map(|filed| pending(&filed)));
            }
        }
        let trusted = trusted(config);
        if let Some(results) = queue.open_inside("results")?.filter(|results| results.is_of(&trusted)) {
            requests.extend(of_runs(&results, &trusted)?);
        }
    }
    // Of two with one id the one that is further on came last.
    requests.reverse();
    requests.sort_by(|a: &QueuedRequest, b| b.id.cmp(&a.id));
    requests.dedup_by(|a, b| a.id == b.id);
    Ok(QueueReport { schema: SCHEMA, requests })
}

/// What runs have begun, and the newest of what they have ended; what somebody else has left there is not theirs.
fn of_runs(results: &Folder, trusted: &[u32]) -> Result<Vec<QueuedRequest>> {
    let mut requests = Vec::new();
    for id in ids(results, ".begun")?.into_iter().take(MAX_PENDING) {
        if let Some(bytes) = of_run(results, &begun(&id), trusted)? {
            requests.extend(Filed::parse_begun(&bytes, &id).ok().map(|(filed, _)| pending(&filed)));
        }
    }
    for id in ids(results, ".json")?.into_iter().rev().take(MAX_RESULTS) {
        if let Some(bytes) = of_run(results, &file(&id), trusted)? {
            requests.extend(finished(&bytes, &id));
        }
    }
    Ok(requests)
}

fn of_run(results: &Folder, name: &str, trusted: &[u32]) -> Result<Option<Vec<u8>>> {
    if !results.owner_of(name).is_some_and(|owner| trusted.contains(&owner)) {
        return Ok(None);
    }
    Ok(match results.read(name, MAX_RESULT_BYTES)? {
        Content::Bytes(bytes) => Some(bytes),
        Content::Missing | Content::Refused(_) | Content::Other => None,
    })
}

/// Carries out what waits, in the order it was asked for, and gives what came of it, newest first. [`super::sync`] does
/// this by itself.
///
/// Nothing is done while another process does the same, and what another run keeps from being done waits on. Errors:
/// `Access` for a user who neither owns `sync_state` nor is the configured one, `Io` when the queue cannot be used; a request that fails is in the
/// report.
pub fn work_queue(config: &Config) -> Result<QueueReport> {
    let Some(owner) = owner(config) else { return Ok(QueueReport { schema: SCHEMA, requests: Vec::new() }) };
    if !is_ours(config, owner) {
        return Err(Error::new(
            ErrorKind::Access,
            "only the user who runs the sync carries out the queue of",
        )
        .at(state_directory(config))
        .hint("his next run does it"));
    }
    let (requests, fault) = carried_out(config)?;
    match fault {
        Some(error) => Err(error),
        None => Ok(QueueReport { schema: SCHEMA, requests }),
    }
}

/// What came of the queue, newest first, and the first error of a request that could not be filed.
type Worked = (Vec<QueuedRequest>, Option<Error>);

fn carried_out(config: &Config) -> Result<Worked> {
    let (mut requests, fault) = Work::begin(config)?.map_or_else(Worked::default, Work::finish);
    requests.reverse();
    Ok((requests, fault))
}

/// The same before a run, for whom it is to do; others leave it alone. What was carried out is given also where
/// something else went wrong, since it was.
pub(crate) fn work_before_run(config: &Config) -> Worked {
    let worked = match owner(config) {
        Some(owner) if is_ours(config, owner) => carried_out(config),
        // Made by the first run that may, so that the website has where to ask.
        None if config.root.is_dir() => make(config).map(|_| Worked::default()),
        Some(_) | None => Ok(Worked::default()),
    };
    worked.unwrap_or_else(|error| (Vec::new(), Some(error)))
}

/// What waits for the next run, newest first, for a dry run.
pub(crate) fn waiting(config: &Config) -> Worked {
    match queue(config) {
        Ok(report) => {
            let mut requests = report.requests;
            requests.retain(|request| request.state == RequestState::Pending);
            (requests, None)
        }
        Err(error) => (Vec::new(), Some(error)),
    }
}

fn directory(config: &Config) -> PathBuf {
    state_directory(config).join("queue")
}

/// Opens the queue and its results, and makes them first where they are missing. In the queue each may move only what is his,
/// so that nobody exchanges the results; and those only the one writes who carries requests out. What a `chmod` took from pages is
/// given back.
fn make(config: &Config) -> Result<(Folder, Folder)> {
    durable::state_directory(&state_directory(config), &config.ownership)?;
    let queue = Folder::create(&directory(config))?;
    // In a queue of somebody else's, the bit would keep requests from being taken out.
    if owner(config).is_some_and(|owner| queue.is_of(&[owner])) {
        queue.keep_apart();
    }
    let results = queue.create_inside_for_readers("results")?;
    if !results.is_of(&trusted(config)) {
        let error = Error::new(ErrorKind::Access, "refused results of somebody who does not run the sync:");
        return Err(error
            .at(directory(config).join("results"))
            .hint("move that directory away; it is made again"));
    }
    durable::shared::give_modes_back(&state_directory(config));
    Ok((queue, results))
}

/// Who may have written results: those who carry requests out.
fn trusted(config: &Config) -> Vec<u32> {
    [Some(0), durable::user(&config.ownership), owner(config)].into_iter().flatten().collect()
}

/// Who owns the state; `None` where there is none.
fn owner(config: &Config) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(state_directory(config)).ok().map(|directory| directory.uid())
}

/// Whether we are to carry requests out: a web page that happens to sync could not write every side.
fn is_ours(config: &Config, owner: u32) -> bool {
    let user = rustix::process::geteuid();
    let configured = durable::user(&config.ownership);
    user.is_root() || user.as_raw() == owner || Some(user.as_raw()) == configured
}

/// Our name for a request: when it was made, so that names sort, and something that no two have.
fn new_id(at: chrono::DateTime<chrono::Utc>) -> Result<String> {
    Ok(format!("{}-{}", at.format("%Y%m%dT%H%M%S%9fZ"), clock::chance()?))
}

/// Whether a name looks as if we had made it.
fn is_id(name: &str) -> bool {
    let shape = "dddddddd-ddddddddddddddd--hhhhhhhhhhhhhhhh";
    name.len() == shape.len()
        && name.bytes().zip(shape.bytes()).enumerate().all(|(at, (byte, kind))| match (kind, at) {
            (b'd', _) => byte.is_ascii_digit(),
            (b'h', _) => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            (_, 8) => byte == b'T',
            (_, 24) => byte == b'Z',
            _ => byte == b'-',
        })
}

fn file(id: &str) -> String {
    format!("{id}.json")
}

fn begun(id: &str) -> String {
    format!("{id}.begun")
}

fn stem<'a>(name: &'a str, end: &str) -> Option<&'a str> {
    name.strip_suffix(end).filter(|_| !Folder::is_nascent(name))
}

/// The requests of a directory, in order.
fn ids(folder: &Folder, end: &str) -> Result<Vec<String>> {
    let names = folder.names(MAX_NAMES)?;
    Ok(names.iter().filter_map(|name| stem(name, end)).filter(|id| is_id(id)).map(str::to_owned).collect())
}

fn pending(filed: &Filed) -> QueuedRequest {
    QueuedRequest {
        id: filed.id.clone(),
        action: filed.request.action.name().to_owned(),
        arguments: Json::Object(filed.request.action.arguments()),
        by: filed.request.by.clone(),
        at: clock::stamp(filed.at),
        state: RequestState::Pending,
        result: None,
        error: None,
        finished_at: None,
    }
}

fn in_json(error: &Error) -> Json {
    json!({
        "kind": error.kind().name(),
        "message": error.to_string(),
        "path": error.path().map(|path| path.to_string_lossy()),
        "hint": error.hint_text(),
    })
}

/// The queue, while only we may carry it out.
struct Work<'a> {
    config: &'a Config,
    queue: Folder,
    results: Folder,
    /// What came of requests so far, in order.
    over: Vec<QueuedRequest>,
}

/// Whether the next request can be carried out.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    Stop,
}

impl<'a> Work<'a> {
    /// Opens and locks the queue; `None` when somebody else has.
    fn begin(config: &'a Config) -> Result<Option<Work<'a>>> {
        let (queue, results) = make(config)?;
        let locked = results.try_lock()?;
        Ok(locked.then_some(Work { config, queue, results, over: Vec::new() }))
    }

    /// Carries all of it out.
    fn finish(mut self) -> Worked {
        let fault = self.go_through().err();
        (self.over, fault)
    }

    /// One request that cannot be filed must not stop the others, nor go unnoticed: the first such error is given when
    /// all of them are through.
    fn go_through(&mut self) -> Result<()> {
        let mut fault = None;
        let mut next = Next::Go;
        for id in ids(&self.results, ".begun")? {
            let step = self.recover(&id);
            if note(step, &mut fault) == Next::Stop {
                next = Next::Stop;
            }
        }
        if next == Next::Go {
            let names = self.queue.names(MAX_NAMES)?;
            for stem in names.iter().filter_map(|name| stem(name, ".json")).take(MAX_PENDING) {
                let step = self.take(stem);
                if note(step, &mut fault) == Next::Stop {
                    break;
                }
            }
        }
        note(self.sweep().map(|()| Next::Go), &mut fault);
        fault.map_or(Ok(()), Err)
    }

    /// Finds out how far a request got that was begun.
    fn recover(&mut self, id: &str) -> Result<Next> {
        // A result: it is over. The request itself: nothing was done yet.
        if self.results.has(&file(id)) || self.queue.has(&file(id)) {
            return self.results.remove(&begun(id)).map(|()| Next::Go);
        }
        let parsed = match self.results.read(&begun(id), MAX_RESULT_BYTES)? {
            Content::Bytes(bytes) => Filed::parse_begun(&bytes, id),
            Content::Refused(reason) => Err(Error::new(ErrorKind::Usage, reason)),
            Content::Missing | Content::Other => return Ok(Next::Go),
        };
        match parsed {
            Ok((filed, attempt))
                if carry_out::is_repeatable(&filed.request.action) && attempt < MAX_ATTEMPTS =>
            {
                self.results.put(&begun(id), &bytes(filed.begun(attempt.saturating_add(1))))?;
                match carry_out::carry_out(self.config, &filed.request.action, Time::Again) {
                    Outcome::NotNow => {
                        // That was no attempt.
                        self.results.put(&begun(id), &bytes(filed.begun(attempt)))?;
                        Ok(Next::Stop)
                    }
                    Outcome::Stopped => {
                        self.results.put(&begun(id), &bytes(filed.begun(attempt)))?;
                        Ok(Next::Stop)
                    }
                    outcome => self.conclude(pending(&filed), outcome).map(|()| Next::Go),
                }
            }
            Ok((filed, _)) => {
                let error = Error::new(ErrorKind::Stale, "it was interrupted; look at history")
                    .hint("ask again, if what it was to do is not done");
                self.conclude(pending(&filed), Outcome::Failed(error, None)).map(|()| Next::Go)
            }
            Err(error) => self.refuse(id, error).map(|()| Next::Go),
        }
    }

    /// Takes a request out of the queue and carries it out.
    fn take(&mut self, stem: &str) -> Result<Next> {
        let name = file(stem);
        let read = self.queue.read(&name, MAX_REQUEST_BYTES)?;
        if matches!(read, Content::Missing | Content::Other) {
            return Ok(Next::Go);
        }
        if is_id(stem) && self.results.has(&name) {
            // Over already; somebody put it back.
            return self.queue.remove(&name).map(|()| Next::Go);
        }
        let parsed = match read {
            _ if !is_id(stem) => Err(Error::new(ErrorKind::Usage, "its name is none that we give")),
            Content::Bytes(bytes) => Filed::parse(&bytes, stem),
            Content::Refused(reason) => Err(Error::new(ErrorKind::Usage, reason)),
            Content::Missing | Content::Other => return Ok(Next::Go),
        };
        match parsed {
            Ok(filed) => match filed.request.check(self.config) {
                Ok(()) => self.act(&filed),
                Err(error) => {
                    self.conclude(pending(&filed), Outcome::Failed(error, None))?;
                    self.queue.remove(&name).map(|()| Next::Go)
                }
            },
            Err(error) => {
                let id = if is_id(stem) { stem.to_owned() } else { new_id(clock::now())? };
                self.refuse(&id, error)?;
                // Kept beside its result, so that a person can look at it.
                self.queue.move_into(&name, &self.results, &format!("{id}.refused")).map(|()| Next::Go)
            }
        }
    }

    fn act(&mut self, filed: &Filed) -> Result<Next> {
        if interrupt::check().is_err() {
            return Ok(Next::Stop);
        }
        let id = &filed.id;
        self.results.put(&begun(id), &bytes(filed.begun(1)))?;
        self.queue.remove(&file(id))?;
        match carry_out::carry_out(self.config, &filed.request.action, Time::First) {
            Outcome::NotNow => {
                // Back into the queue first, since what is there has not been done.
                self.queue.put(&file(id), &bytes(filed.to_json()))?;
                self.results.remove(&begun(id))?;
                Ok(Next::Stop)
            }
            Outcome::Stopped => {
                // Nothing that got in its way: it is no attempt that the next run counts.
                self.results.put(&begun(id), &bytes(filed.begun(0)))?;
                Ok(Next::Stop)
            }
            outcome => self.conclude(pending(filed), outcome).map(|()| Next::Go),
        }
    }

    /// Files a request that nothing is known about but that it was refused.
    fn refuse(&mut self, id: &str, error: Error) -> Result<()> {
        let request = QueuedRequest {
            id: id.to_owned(),
            action: "unknown".to_owned(),
            arguments: Json::Object(Map::new()),
            by: String::new(),
            at: clock::stamp(clock::now()),
            state: RequestState::Pending,
            result: None,
            error: None,
            finished_at: None,
        };
        let message = format!("the request was refused: {}", error.message());
        let refusal = Error::new(error.kind(), message);
        let refusal = match error.hint_text() {
            Some(hint) => refusal.hint(hint),
            None => refusal,
        };
        self.conclude(request, Outcome::Failed(refusal, None))
    }

    /// Puts on record how a request ended.
    fn conclude(&mut self, mut request: QueuedRequest, outcome: Outcome) -> Result<()> {
        match outcome {
            Outcome::Done(report) => {
                request.state = RequestState::Done;
                request.result = Some(report);
            }
            Outcome::Failed(error, report) => {
                request.state = RequestState::Failed;
                request.error = Some(in_json(&error));
                request.result = report;
            }
            Outcome::NotNow | Outcome::Stopped => return Ok(()),
        }
        request.finished_at = Some(clock::stamp(clock::now()));
        let id = request.id.clone();
        let record = Finished::of(request);
        let json = serde_json::to_vec(&record)
            .map_err(|cause| Error::new(ErrorKind::Internal, "cannot write a result").because(cause))?;
        self.results.put(&file(&id), &json)?;
        self.results.remove(&begun(&id))?;
        self.over.push(record.request);
        Ok(())
    }

    /// Removes results that are old or too many, and what makers left behind that died.
    fn sweep(&self) -> Result<()> {
        let now = clock::now().timestamp();
        let older = |folder: &Folder, name: &str, seconds| {
            folder.written(name).is_some_and(|then| now.saturating_sub(then) > seconds)
        };
        for folder in [&self.queue, &self.results] {
            for name in folder.names(MAX_NAMES)?.iter().filter(|name| Folder::is_nascent(name)) {
                if older(folder, name, NASCENT_SECONDS) {
                    folder.remove(name)?;
                }
            }
        }
        for end in [".json", ".refused"] {
            let ids = ids(&self.results, end)?;
            let surplus = ids.len().saturating_sub(MAX_RESULTS);
            for (position, id) in ids.iter().enumerate() {
                let name = format!("{id}{end}");
                if position < surplus || older(&self.results, &name, RESULT_SECONDS) {
                    self.results.remove(&name)?;
                }
            }
        }
        Ok(())
    }
}

fn bytes(map: Map<String, Json>) -> Vec<u8> {
    Json::Object(map).to_string().into_bytes()
}

/// Keeps the first error and goes on.
fn note(step: Result<Next>, fault: &mut Option<Error>) -> Next {
    step.unwrap_or_else(|error| {
        fault.get_or_insert(error);
        Next::Go
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ours_are_told_from_others() {
        let ours = new_id(clock::now()).unwrap();
        assert!(is_id(&ours), "{ours}");
        for other in [
            "",
            "x",
            "..",
            "../../etc/passwd",
            "20250714T093102000000000Z-0123456789abcdeF",
            "20250714T093102000000000Z-0123456789abcde",
            "20250714 093102000000000Z-0123456789abcdef",
            "20250714T093102000000000Z/0123456789abcdef",
            "2025071éT93102000000000Z-0123456789abcdef",
        ] {
            assert!(!is_id(other), "{other}");
        }
        assert_eq!(stem("a.json", ".json"), Some("a"));
        assert_eq!(stem(".new-0.json", ".json"), None);
    }
}
