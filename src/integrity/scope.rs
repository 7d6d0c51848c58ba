//! Which files are watched over: `integrity_config.json` in the shape that the site's pages write, and what of it is left
//! out.
//!
//! Reads one file. What is left out is ours (our outputs, backups, logs, all that we remember), or named by a pattern; the
//! report lists it, as nobody should believe something watched that is not.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::model::{Digest, Kind, Look, is_within, order};
use super::names;
use crate::config::{self, Config};
use crate::durable;
use crate::error::{Error, ErrorKind, Result};
use crate::report::Excluded;

/// A longer list of what to watch is none (bytes).
const MAX_FILE: u64 = 4 << 20;
/// What the site's pages watch unless told.
const FILES: [&str; 7] = [
    "auth.php",
    "admin_panel.php",
    "security_middleware.php",
    "session_security.php",
    "input_sanitizer.php",
    ".htaccess",
    "index.html",
];
const SITE: &str = "/var/www/html/";
const DIRECTORIES: [&str; 2] = ["/var/www/html/core/", "/var/www/html/data/"];
const PATTERNS: [&str; 3] = ["*.log", "*.tmp", "*.cache"];
/// What our outputs are called with while they are written, behind their names (see `durable`).
const WRITING: [&str; 5] = [".new-copy", ".new-cut", ".new-integrity", ".new-json", ".new-log"];
/// The same for logs and their rotated files,
const WRITING_LOGS: [&str; 4] = [".new-log", ".new-pack", ".new-rotate", ".new-try"];
/// and for databases: behind it comes the number of the run.
const WRITING_DATABASES: &[u8] = b".new-";
/// What the site's pages never look at in a directory; but what a server might run is looked at.
const NEVER: [&str; 4] = ["*.log", "*.tmp", "*.cache", "*.lock"];

/// What is said behind the name of something that is to be watched, and is not there.
pub(crate) const NOT_THERE: &str = " is to be watched and is not there: look for it, or take it off the list";

/// So many names a sentence holds.
const MOST_NAMED: usize = 8;
/// What the list may say.
const KEYS: [&str; 7] = [
    "monitored_files",
    "monitored_directories",
    "ignore_patterns",
    "alert_on_new_files",
    "alert_on_missing_files",
    "auto_update_baseline",
    "check_interval_minutes",
];
/// One that makes sense.
const EXAMPLE: &str =
    r#"{"monitored_files": ["/var/www/html/auth.php"], "monitored_directories": ["/var/www/html/core/"]}"#;

/// What is watched over.
#[derive(Debug)]
pub(super) struct Scope {
    /// Absolute, in order, none within another.
    pub(super) roots: Vec<Vec<u8>>,
    /// Files that were named themselves, which no pattern leaves out.
    files: Vec<Vec<u8>>,
    patterns: Vec<Vec<u8>>,
    ours: Vec<Ours>,
    beside: Beside,
    /// Whether a new file is worth an alert.
    pub(super) alerts_on_new: bool,
    /// Whether a missing one is.
    pub(super) alerts_on_missing: bool,
    pub(super) warnings: Vec<String>,
    /// What somebody listed and is not there.
    pub(super) missing: Vec<Vec<u8>>,
}

/// Something that we write.
#[derive(Debug)]
struct Ours {
    path: Vec<u8>,
    extent: Extent,
    reason: &'static str,
}

/// How much of it is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// A directory: everything that is below it.
    Below,
    /// A regular file, and what it is called while it is written. A directory or symlink of that name could hold anything,
    /// and is watched.
    File,
}

impl Ours {
    /// Whether it is the name of a file of ours.
    fn has_name(&self, path: &[u8]) -> bool {
        let is_writing = |rest: &[u8]| WRITING.iter().any(|end| end.as_bytes() == rest);
        self.extent == Extent::File
            && path.strip_prefix(self.path.as_slice()).is_some_and(|rest| rest.is_empty() || is_writing(rest))
    }
}

/// Names in directories: exactly, or with what they begin.
type Beside = BTreeMap<Vec<u8>, Vec<(Vec<u8>, Role)>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A database itself.
    Database,
    /// With this, snapshots of a database begin.
    Snapshots,
    /// A log, and what its rotated files are called after.
    Log,
}

impl Role {
    fn number(self) -> u8 {
        match self {
            Role::Database => 1,
            Role::Snapshots => 2,
            Role::Log => 3,
        }
    }
}

/// What to do with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Watch(Look),
    Leave,
}

/// The rules for one directory.
#[derive(Debug)]
pub(super) struct Local<'a> {
    scope: &'a Scope,
    beside: &'a [(Vec<u8>, Role)],
    /// Whether something of ours, or a file that was named, lies in it.
    has_exact: bool,
}

impl Scope {
    /// Reads what is to be watched; as shipped where nobody has written it down.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it is there and makes no sense, or lists nothing: to watch something else would be silence.
    pub(super) fn read(config: &Config) -> Result<Scope> {
        let mut wanted = Wanted::read(config)?;
        let mut warnings = std::mem::take(&mut wanted.warnings);
        if wanted.updates_baseline {
            warnings.push(format!(
                "auto_update_baseline in {} is not done: it would accept what it finds; use accept",
                config.integrity.config.display()
            ));
        }
        let all = || wanted.files.iter().chain(&wanted.directories);
        let missing: Vec<Vec<u8>> = all().filter(|path| !is_there(path)).cloned().collect();
        warnings.extend(missing.iter().map(|path| {
            let path = names::shown(path).0;
            format!("{path}{NOT_THERE}")
        }));
        let mut roots: Vec<Vec<u8>> = wanted.files.iter().chain(&wanted.directories).cloned().collect();
        roots.sort_by(|left, right| order(left, right));
        let mut kept: Vec<Vec<u8>> = Vec::new();
        for root in roots {
            if !kept.last().is_some_and(|last| is_within(&root, last)) {
                kept.push(root);
            }
        }
        Ok(Scope {
            roots: kept,
            files: wanted.files,
            patterns: wanted.patterns,
            ours: ours(config),
            beside: beside(config),
            alerts_on_new: wanted.alerts_on_new,
            alerts_on_missing: wanted.alerts_on_missing,
            warnings,
            missing: if wanted.is_listed { missing } else { Vec::new() },
        })
    }

    /// The same for a baseline, which is made of something.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], too, where nothing of it is there.
    pub(super) fn read_to_accept(config: &Config) -> Result<Scope> {
        let scope = Scope::read(config)?;
        if scope.roots.iter().any(|root| is_there(root)) {
            return Ok(scope);
        }
        let path = config.integrity.config.display();
        Err(Error::new(
            ErrorKind::Config,
            "there is nothing to watch: none of the files and directories is there of",
        )
        .at(&config.integrity.config)
        .hint(format!("list what is to be watched in {path}, as {EXAMPLE}")))
    }

    /// What stands for it in a baseline, so that nobody takes a directory out unseen.
    pub(super) fn digest(&self) -> Digest {
        Sha256::digest(self.text()).into()
    }

    /// All that it says, as bytes.
    pub(super) fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for list in [&self.roots, &self.files, &self.patterns] {
            for item in list {
                text.extend_from_slice(item);
                text.push(0);
            }
            text.push(1);
        }
        for ours in &self.ours {
            text.extend_from_slice(&ours.path);
            text.push(0);
        }
        for (directory, names) in &self.beside {
            for (name, role) in names {
                text.extend([directory.as_slice(), b"/", name, &[0, role.number()]].concat());
            }
        }
        text
    }

    /// What is otherwise than such bytes say, in words that follow a sentence.
    pub(super) fn differs_from(&self, accepted: &[u8]) -> String {
        let now = self.text();
        let (mut was, mut is) = (accepted, now.as_slice());
        let mut parts = Vec::new();
        for what in ["root", "file named", "pattern to ignore"] {
            let (old, new) = (items(&mut was), items(&mut is));
            for (word, these, those) in [("added", &new, &old), ("removed", &old, &new)] {
                let only: Vec<String> = these
                    .iter()
                    .filter(|item| !those.contains(item))
                    .map(|item| names::shown(item).0)
                    .collect();
                if !only.is_empty() {
                    parts.push(format!("{what} {word}: {}", some(&only)));
                }
            }
        }
        if was != is {
            parts.push("what is ours and left out, by cr0sync.json, is otherwise".to_owned());
        }
        format!(": {}", parts.join("; "))
    }

    /// Whether what has this path is watched at all.
    pub(super) fn watches(&self, path: &[u8], kind: Kind) -> bool {
        self.root_of(path).is_some()
            && !self.is_ours(path)
            && self.inside(parent(path)).verdict(path, names::file_name(path), kind) != Verdict::Leave
    }

    /// The rules for a directory.
    pub(super) fn inside(&self, directory: &[u8]) -> Local<'_> {
        let is_in = |path: &[u8]| {
            path.strip_suffix(names::file_name(path)).and_then(|parent| parent.strip_suffix(b"/"))
                == Some(directory.strip_suffix(b"/").unwrap_or(directory))
        };
        Local {
            scope: self,
            beside: self.beside.get(directory).map(Vec::as_slice).unwrap_or_default(),
            has_exact: self.ours.iter().any(|ours| is_in(&ours.path))
                || self.files.iter().any(|path| is_in(path)),
        }
    }

    /// The root that a path lies in; none for what is not watched.
    pub(super) fn root_of(&self, path: &[u8]) -> Option<&[u8]> {
        self.roots.iter().find(|root| is_within(path, root)).map(Vec::as_slice)
    }

    /// Whether a path is, or lies in, a directory of ours.
    pub(super) fn is_ours(&self, path: &[u8]) -> bool {
        self.ours.iter().any(|ours| ours.extent == Extent::Below && is_within(path, &ours.path))
    }

    /// Whether a path is what a file of ours is called.
    pub(super) fn is_our_file(&self, path: &[u8]) -> bool {
        self.ours.iter().any(|ours| ours.has_name(path))
    }

    /// What is left out, for the report.
    pub(super) fn excluded(&self) -> Vec<Excluded> {
        let watched =
            |path: &[u8]| self.root_of(path).is_some() || self.roots.iter().any(|root| is_within(root, path));
        let one = |path: &[u8], reason: &str| {
            let (path, path_b64) = names::shown(path);
            Excluded { path, path_b64, reason: reason.to_owned() }
        };
        let mut all: Vec<Excluded> = Vec::new();
        for ours in self.ours.iter().filter(|ours| watched(&ours.path)) {
            all.push(one(&ours.path, ours.reason));
            if ours.extent == Extent::File {
                let writing = WRITING.map(|end| [&ours.path, end.as_bytes()].concat()).join(&b' ');
                all.push(one(&writing, "our output, while it is written"));
            }
        }
        for (directory, names) in self.beside.iter().filter(|(directory, _)| watched(directory)) {
            for (name, role) in names {
                let path = [directory.as_slice(), b"/", name].concat();
                match role {
                    Role::Database => all.push(one(&path, "a database: type, owner, mode and links only")),
                    Role::Snapshots => all.push(one(&[&path[..], b"*"].concat(), "backups of a database")),
                    Role::Log => all.push(one(&path, "a log that is merged, with its rotated files")),
                }
            }
        }
        all.push(one(b"*.db*", "databases: type, owner, mode and links only"));
        all.push(one(b"*.sqlite*", "databases: type, owner, mode and links only"));
        all.push(one(b"*.db-journal *.db-wal *.db-shm", "SQLite makes and removes them"));
        all.extend(self.patterns.iter().map(|pattern| {
            let always = "always ignored, but for names of code as a.php.tmp";
            one(pattern, if is_never(pattern) { always } else { "fits a pattern of what to ignore" })
        }));
        all
    }
}

impl Local<'_> {
    /// What to do with a name in this directory.
    pub(super) fn verdict(&self, path: &[u8], name: &[u8], kind: Kind) -> Verdict {
        if self.has_exact {
            let is_left = |ours: &Ours| match ours.extent {
                Extent::Below => ours.path == path,
                Extent::File => kind == Kind::File && ours.has_name(path),
            };
            if self.scope.ours.iter().any(is_left) {
                return Verdict::Leave;
            }
            if self.scope.files.iter().any(|file| file == path) {
                let is_database = names::is_database(name);
                return Verdict::Watch(if is_database { Look::Outside } else { Look::Whole });
            }
        }
        if kind != Kind::File {
            // By a whole path only: a directory or a symlink called like a log could hold anything.
            let by_path = |pattern: &&Vec<u8>| pattern.contains(&b'/') && names::fits(pattern, path);
            let is_left = self.scope.patterns.iter().any(|pattern| by_path(&pattern));
            return if is_left { Verdict::Leave } else { Verdict::Watch(Look::Whole) };
        }
        for (beginning, role) in self.beside {
            match role {
                Role::Database if beginning == name => return Verdict::Watch(Look::Outside),
                Role::Database if is_database_in_the_making(beginning, name) => return Verdict::Leave,
                Role::Database if names::is_beside(beginning, name) => return Verdict::Leave,
                Role::Snapshots
                    if name
                        .strip_prefix(beginning.as_slice())
                        .is_some_and(|rest| !names::makes_code(rest)) =>
                {
                    return Verdict::Leave;
                }
                Role::Log if is_log(beginning, name) => return Verdict::Leave,
                _ => {}
            }
        }
        if names::is_beside_database(name) {
            return Verdict::Leave;
        }
        let fits = |pattern: &Vec<u8>| {
            (names::fits(pattern, name) || pattern.contains(&b'/') && names::fits(pattern, path))
                && !(is_never(pattern) && names::is_code(name))
        };
        if self.scope.patterns.iter().any(fits) {
            return Verdict::Leave;
        }
        Verdict::Watch(if names::is_database(name) { Look::Outside } else { Look::Whole })
    }
}

/// The items of one list of such bytes, which is taken off.
fn items<'a>(from: &mut &'a [u8]) -> Vec<&'a [u8]> {
    let mut all = Vec::new();
    loop {
        match *from {
            [] => return all,
            [1, rest @ ..] => {
                *from = rest;
                return all;
            }
            text => {
                let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
                all.push(text.get(..end).unwrap_or_default());
                *from = text.get(end.saturating_add(1)..).unwrap_or_default();
            }
        }
    }
}

/// The first of some names, and how many more there are.
fn some(names: &[String]) -> String {
    let first = names.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// Whether a pattern is one that always counts.
fn is_never(pattern: &[u8]) -> bool {
    NEVER.iter().any(|never| never.as_bytes() == pattern)
}

/// Whether there is something, which may be a symlink that leads nowhere. What cannot be looked at is there.
fn is_there(path: &[u8]) -> bool {
    let found = std::fs::symlink_metadata(Path::new(OsStr::from_bytes(path)));
    !found.is_err_and(|cause| {
        matches!(cause.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
    })
}

/// The directory of a path.
pub(super) fn parent(path: &[u8]) -> &[u8] {
    let end = path.len().saturating_sub(names::file_name(path).len().saturating_add(1));
    path.get(..end.max(1)).unwrap_or(b"/")
}

/// Whether a name is what a database is called while it is made.
fn is_database_in_the_making(database: &[u8], name: &[u8]) -> bool {
    let run = name.strip_prefix(database).and_then(|rest| rest.strip_prefix(WRITING_DATABASES));
    run.is_some_and(|run| !run.is_empty() && run.iter().all(u8::is_ascii_digit))
}

/// Whether a name is that of a log or of one of its rotated files, also while that is written.
fn is_log(log: &[u8], name: &[u8]) -> bool {
    let whole = WRITING_LOGS.iter().find_map(|end| name.strip_suffix(end.as_bytes()));
    let name = whole.unwrap_or(name);
    if name == log {
        return true;
    }
    let stem = config::stem(log);
    let is_end = |rest: &[u8]| match rest {
        [b'.' | b'-', digit, ..] => digit.is_ascii_digit(),
        [b'.', rest @ ..] => matches!(rest, b"gz" | b"zst" | b"merged"),
        _ => false,
    };
    // What its own name holds is as it was configured.
    let is_its = |rest: &[u8]| is_end(rest) && !names::makes_code(rest);
    name.strip_prefix(log).is_some_and(is_its) || name.strip_prefix(stem).is_some_and(is_its)
}

/// What is ours, with the reason.
fn ours(config: &Config) -> Vec<Ours> {
    let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
    let below = |path: &Path, reason| Ours { path: bytes(path), extent: Extent::Below, reason };
    let file = |path: Vec<u8>| Ours { path, extent: Extent::File, reason: "our output" };
    let integrity = &config.integrity;
    let beside = |path: &Path, end: &str| file([&bytes(path), end.as_bytes()].concat());
    let mut all = vec![
        below(&config.root.join("sync_state"), "what this system remembers"),
        file(bytes(&integrity.baseline)),
        beside(&integrity.baseline, ".sig"),
        file(bytes(&integrity.alerts)),
        file(bytes(&config.events.log)),
        // The log of before the last archive, until what was still written to it has followed.
        beside(&config.events.log, ".before"),
        below(&config.events.archive, "our output"),
        file(bytes(&config.access.keys)),
        file(bytes(&config.access.sessions)),
        beside(&config.access.keys, ".withdrawn"),
        beside(&config.access.sessions, ".withdrawn"),
        beside(&config.events.log, ".keys-withdrawn"),
        beside(&config.events.log, ".sessions-withdrawn"),
        file(bytes(&config.access.rate_limits)),
        below(&config.root.join("databases").join("backups"), "backups of databases"),
    ];
    all.extend(config.backups.directory.iter().map(|path| below(path, "backups of databases")));
    all
}

/// Databases, their snapshots and logs, by directory.
fn beside(config: &Config) -> Beside {
    let mut all = Beside::new();
    let mut add = |directory: &Path, name: &[u8], role: Role| {
        let names = all.entry(directory.as_os_str().as_bytes().to_vec()).or_default();
        if !names.iter().any(|(known, as_what)| known == name && *as_what == role) {
            names.push((name.to_vec(), role));
        }
    };
    for path in config.databases.values().flat_map(|database| database.replicas.values()) {
        let (Some(directory), Some(file)) = (path.parent(), path.file_name()) else { continue };
        add(directory, file.as_bytes(), Role::Database);
        for tag in [".backup.", ".emergency."] {
            add(directory, &[file.as_bytes(), tag.as_bytes()].concat(), Role::Snapshots);
        }
    }
    for log in config.logs.values() {
        for (side, path) in &log.copies {
            let Some(name) = path.file_name() else { continue };
            let beside = path.parent().map(Path::to_path_buf);
            for directory in beside.into_iter().chain(log.olddir(&config.hub, side)) {
                add(&directory, name.as_bytes(), Role::Log);
            }
        }
    }
    all
}

/// What the file says.
struct Wanted {
    files: Vec<Vec<u8>>,
    directories: Vec<Vec<u8>>,
    patterns: Vec<Vec<u8>>,
    updates_baseline: bool,
    alerts_on_new: bool,
    alerts_on_missing: bool,
    /// Whether somebody wrote it down; else it is what is shipped.
    is_listed: bool,
    warnings: Vec<String>,
}

impl Wanted {
    fn read(config: &Config) -> Result<Wanted> {
        let path = &config.integrity.config;
        let fail = |cause| Error::io("read the list of what to watch in", path, cause);
        let (text, is_listed) = match durable::settled(path, MAX_FILE) {
            Ok(text) => (text, true),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => (b"{}".to_vec(), false),
            Err(cause) => return Err(fail(cause)),
        };
        let wrong = |what: &str| {
            Error::new(ErrorKind::Config, format!("the list of what to watch is wrong, {what}:"))
                .at(path)
                .hint("mend it or remove it; without one the shipped list counts")
        };
        let value: Value = serde_json::from_slice(&text).map_err(|cause| wrong(&cause.to_string()))?;
        let Value::Object(members) = value else { return Err(wrong("it is no object")) };
        let list = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<Vec<String>>>()
                .map(Some)
                .ok_or_else(|| wrong(&format!("{name} holds something that is no text"))),
            Some(_) => Err(wrong(&format!("{name} is no list"))),
        };
        let flag = |name: &str, default: bool| match members.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(is)) => Ok(*is),
            // As PHP may write it.
            Some(Value::Number(number)) if number.as_u64().is_some_and(|number| number < 2) => {
                Ok(number.as_u64() == Some(1))
            }
            Some(_) => Err(wrong(&format!("{name} is neither true nor false"))),
        };
        let mut warnings: Vec<String> = members.keys().filter_map(|key| unknown(path, key)).collect();
        for name in ["monitored_files", "monitored_directories"] {
            if is_listed && members.get(name).is_none_or(Value::is_null) {
                let path = path.display();
                warnings.push(format!(
                    "{name} is not in {path}, so that the shipped list counts; write [] for none"
                ));
            }
        }
        let files = list("monitored_files")?
            .unwrap_or_else(|| FILES.iter().map(|name| format!("{SITE}{name}")).collect());
        let directories = list("monitored_directories")?.unwrap_or_else(|| {
            let logs = config.root.join("logs").to_string_lossy().into_owned();
            DIRECTORIES.iter().map(|path| (*path).to_owned()).chain([logs]).collect()
        });
        let patterns = list("ignore_patterns")?;
        let patterns = patterns.unwrap_or_else(|| PATTERNS.map(str::to_owned).to_vec());
        let mut patterns: Vec<Vec<u8>> =
            patterns.into_iter().chain(NEVER.map(str::to_owned)).map(String::into_bytes).collect();
        patterns.sort();
        patterns.dedup();
        if files.is_empty() && directories.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "nothing is to be watched, as both lists are empty in",
            )
            .at(path)
            .hint(format!(
                "list something, as {EXAMPLE}, or remove the file: then the shipped list counts"
            )));
        }
        Ok(Wanted {
            files: places(config, files).map_err(|text| wrong(&text))?,
            directories: places(config, directories).map_err(|text| wrong(&text))?,
            patterns,
            updates_baseline: flag("auto_update_baseline", false)?,
            alerts_on_new: flag("alert_on_new_files", true)?,
            alerts_on_missing: flag("alert_on_missing_files", true)?,
            is_listed,
            warnings,
        })
    }
}

/// What is to be said of a key that means nothing.
fn unknown(path: &Path, key: &str) -> Option<String> {
    if KEYS.contains(&key) {
        return None;
    }
    let hint = config::nearest(key, &KEYS)
        .map_or_else(|| format!("known are: {}", KEYS.join(", ")), |near| format!("did you mean {near:?}?"));
    Some(format!("{} says {key:?}, which means nothing: {hint}", path.display()))
}

/// Paths in one form: absolute (else below the root), without `.`, doubled and last slashes.
fn places(config: &Config, texts: Vec<String>) -> Result<Vec<Vec<u8>>, String> {
    let mut all = Vec::new();
    for text in texts {
        if text.is_empty() || text.contains('\0') {
            return Err("it holds an empty path".to_owned());
        }
        let path = config.root.join(&text);
        let mut plain = Vec::new();
        for part in path.components() {
            match part {
                std::path::Component::Normal(name) => {
                    plain.push(b'/');
                    plain.extend_from_slice(name.as_bytes());
                }
                std::path::Component::ParentDir => return Err(format!("it holds a path with .. ({text})")),
                _ => {}
            }
        }
        all.push(if plain.is_empty() { b"/".to_vec() } else { plain });
    }
    all.sort();
    all.dedup();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_we_call_files_in_the_making_is_one() {
        for (log, name, expected) in [
            ("bot.log", "bot.log", true),
            ("bot.log", "bot.log.new-rotate", true),
            ("bot.log", "bot.log.1.gz.new-pack", true),
            ("bot.log", "bot.log.new-", false),
            ("bot.log", "bot.log.new-x", false),
            ("bot.log", "bot.log.new-rotate.php", false),
            ("bot.log", "bot.log.1.php.new-pack", false),
            ("bot.log", "shell.new-rotate", false),
        ] {
            assert_eq!(is_log(log.as_bytes(), name.as_bytes()), expected, "{name}");
        }
        for (name, expected) in [
            ("users.db.new-17", true),
            ("users.db", false),
            ("users.db.new-", false),
            ("users.db.new-1x", false),
            ("users.db.new-1.php", false),
            ("other.db.new-1", false),
        ] {
            assert_eq!(is_database_in_the_making(b"users.db", name.as_bytes()), expected, "{name}");
        }
    }
}
