//! The options of a call: one array with known keys, and which configuration they lead to.
//!
//! Apart from `arguments` because a key has no number and no place in a signature. A key that the function does not
//! know is an error, and so is a wrong type. `null` is the same as leaving a key out. The configuration itself is
//! read by the library.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use cr0sync::access::limits::Origin;
use cr0sync::database::{self, Detail, Force, Mode, Secrets, Selection, Verify};
use cr0sync::doctor::Shell;
use cr0sync::integrity::{Accept, CheckOptions, WatchOptions};
use cr0sync::security::Look;
use cr0sync::{Config, Error, ErrorKind, Page, logs};
use ext_php_rs::types::Zval;
use ext_php_rs::zend::ExecutorGlobals;
use serde_json::Value as Json;

use crate::arguments::Arguments;
use crate::engine::{self, Coercion};
use crate::exceptions::{Failure, Misuse};
use crate::ini;
use crate::progress::Listener;
use crate::values;

/// The environment variable that names the configuration file.
const ENVIRONMENT: &str = "CR0SYNC_CONFIG";
/// Where the library looks for it otherwise: below the root, or below this one.
const FILE_NAME: &str = "cr0sync.json";
const ROOT: &str = "/data/cr0_system";

/// How many runs `cr0_db_history` tells of unless told.
const HISTORY: usize = 50;

/// How deep arrays in an option may lie in each other: a list of limits with numbers is all that any function takes.
const MAX_DEPTH: usize = 4;

/// Every key there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// string: the configuration file.
    Config,
    /// string: the root, instead of the one that the file names.
    Root,
    /// string or list of strings: only these databases.
    Database,
    /// string or list of strings: only these logs.
    Logs,
    /// bool: plan, and change nothing.
    DryRun,
    /// bool: override guards that wait for a person.
    Force,
    /// bool: show secret values.
    ShowSecrets,
    /// bool: compare all rows.
    Verify,
    /// bool: tell the rules of every table.
    Explain,
    /// int: at most so many.
    Limit,
    /// string: this side.
    Side,
    /// bool: every side.
    AllSides,
    /// string: who asks.
    By,
    /// int: for so many seconds.
    ExpiresIn,
    /// int: for so many seconds more.
    Grace,
    /// int: for so many minutes.
    Minutes,
    /// string: from where a client comes; any bytes.
    Ip,
    /// string: what a client says of itself; any bytes.
    UserAgent,
    /// callable: who is told how far it is.
    Progress,
    /// int: so many requests at once.
    Cost,
    /// array: numbers of a limit.
    Policy,
    /// list of arrays: further limits.
    Also,
    /// bool: read every file again.
    Full,
    /// int: stop after so many milliseconds.
    BudgetMs,
    /// path or list of paths: only these files.
    Paths,
    /// string: a list to take over.
    Import,
    /// int: end after so many seconds.
    Seconds,
    /// string: only what is this user's.
    UserId,
    /// bool: what is wrong is known.
    Acknowledge,
    /// string: a table of cron; any bytes.
    Crontab,
    /// string: which program asks.
    Program,
    /// path: the script that was called.
    Script,
    /// path: the program that takes mail.
    Mailer,
    /// path: what is told is written there.
    File,
    /// string or list of strings: only what is so.
    Status,
    /// string or list of strings: only these.
    Ids,
    /// int: not the first so many.
    Skip,
}

impl Key {
    fn name(self) -> &'static str {
        match self {
            Key::Config => "config",
            Key::Root => "root",
            Key::Database => "database",
            Key::Logs => "logs",
            Key::DryRun => "dry_run",
            Key::Force => "force",
            Key::ShowSecrets => "show_secrets",
            Key::Verify => "verify",
            Key::Explain => "explain",
            Key::Limit => "limit",
            Key::Side => "side",
            Key::AllSides => "all_sides",
            Key::By => "by",
            Key::ExpiresIn => "expires_in",
            Key::Grace => "grace",
            Key::Minutes => "minutes",
            Key::Ip => "ip",
            Key::UserAgent => "user_agent",
            Key::Progress => "progress",
            Key::Cost => "cost",
            Key::Policy => "policy",
            Key::Also => "also",
            Key::Full => "full",
            Key::BudgetMs => "budget_ms",
            Key::Paths => "paths",
            Key::Import => "import",
            Key::Seconds => "seconds",
            Key::UserId => "user_id",
            Key::Acknowledge => "acknowledge",
            Key::Crontab => "crontab",
            Key::Program => "program",
            Key::Script => "script",
            Key::Mailer => "mailer",
            Key::File => "file",
            Key::Status => "status",
            Key::Ids => "ids",
            Key::Skip => "skip",
        }
    }
}

/// What was given.
#[derive(Debug, Default)]
pub(crate) struct Given {
    config: Option<PathBuf>,
    root: Option<PathBuf>,
    databases: Vec<String>,
    logs: Vec<String>,
    dry_run: bool,
    force: bool,
    show_secrets: bool,
    verify: bool,
    explain: bool,
    limit: Option<usize>,
    side: Option<String>,
    all_sides: bool,
    by: String,
    pub(crate) expires_in: Option<u64>,
    pub(crate) grace: Option<u64>,
    pub(crate) minutes: Option<u64>,
    pub(crate) ip: String,
    pub(crate) user_agent: String,
    progress: Option<Zval>,
    cost: Option<usize>,
    policy: Option<Json>,
    also: Option<Json>,
    full: bool,
    budget_ms: Option<u64>,
    paths: Vec<PathBuf>,
    import: Option<PathBuf>,
    seconds: Option<u64>,
    pub(crate) user_id: Option<String>,
    acknowledge: bool,
    crontab: Option<String>,
    program: Option<String>,
    script: Option<PathBuf>,
    mailer: Option<PathBuf>,
    file: Option<PathBuf>,
    statuses: Vec<String>,
    ids: Vec<String>,
    skip: Option<usize>,
}

impl Given {
    /// Reads the array at `index`, of which the function knows `keys`.
    pub(crate) fn read(arguments: &Arguments, index: usize, keys: &[Key]) -> Result<Given, Failure> {
        let mut given = Given::default();
        let Some(array) = arguments.array(index)? else { return Ok(given) };
        for (name, value) in values::entries(array) {
            let name = match name.zend_str() {
                Some(name) => String::from_utf8_lossy(name.as_bytes()).into_owned(),
                None => name.long().unwrap_or_default().to_string(),
            };
            let Some(key) = keys.iter().copied().find(|key| key.name() == name) else {
                let known: Vec<&str> = keys.iter().map(|key| key.name()).collect();
                let known = known.join(", ");
                let what = format!("has no key \"{name}\", only: {known}");
                return Err(arguments.wrong_value(index, &what));
            };
            let value = value.dereference().shallow_clone();
            if !value.is_null() {
                given.set(key, Value { function: arguments.function(), key, value })?;
            }
        }
        Ok(given)
    }

    fn set(&mut self, key: Key, value: Value) -> Result<(), Failure> {
        match key {
            Key::Config => self.config = Some(value.path()?),
            Key::Root => self.root = Some(value.path()?),
            Key::Database => self.databases = value.texts()?,
            Key::Logs => self.logs = value.texts()?,
            Key::DryRun => self.dry_run = value.flag()?,
            Key::Acknowledge => self.acknowledge = value.flag()?,
            Key::Force => self.force = value.flag()?,
            Key::ShowSecrets => self.show_secrets = value.flag()?,
            Key::Verify => self.verify = value.flag()?,
            Key::Explain => self.explain = value.flag()?,
            Key::Limit => self.limit = Some(value.count()?),
            Key::Side => self.side = Some(value.word()?),
            Key::AllSides => self.all_sides = value.flag()?,
            Key::By => self.by = value.word()?,
            Key::ExpiresIn => self.expires_in = Some(value.whole()?),
            Key::Grace => self.grace = Some(value.whole()?),
            Key::Minutes => self.minutes = Some(value.whole()?),
            Key::Ip => self.ip = value.lossy()?,
            Key::UserAgent => self.user_agent = value.lossy()?,
            Key::Progress => self.progress = Some(value.callable()?),
            Key::Cost => self.cost = Some(value.count()?),
            Key::Policy => self.policy = Some(value.document()?),
            Key::Also => self.also = Some(value.document()?),
            Key::Full => self.full = value.flag()?,
            Key::BudgetMs => self.budget_ms = Some(u64::try_from(value.count()?).unwrap_or(u64::MAX)),
            Key::Paths => self.paths = value.paths()?,
            Key::Import => self.import = Some(value.path()?),
            Key::Seconds => self.seconds = Some(value.whole()?),
            Key::UserId => self.user_id = Some(value.word()?),
            Key::Crontab => self.crontab = Some(value.lossy()?),
            Key::Program => self.program = Some(value.word()?),
            Key::Script => self.script = Some(value.path()?),
            Key::Mailer => self.mailer = Some(value.path()?),
            Key::File => self.file = Some(value.path()?),
            Key::Status => self.statuses = value.texts()?,
            Key::Ids => self.ids = value.texts()?,
            Key::Skip => self.skip = Some(value.count()?),
        }
        Ok(())
    }

    /// Who is told how far a run is.
    pub(crate) fn listener(&mut self) -> Listener {
        Listener::new(self.progress.take())
    }

    /// For the library's operations over logs.
    pub(crate) fn of_logs(&self) -> logs::Options {
        logs::Options { logs: self.logs.clone(), force: self.force, dry_run: self.dry_run }
    }

    /// For a check of watched files.
    pub(crate) fn of_integrity(&self) -> CheckOptions {
        CheckOptions { full: self.full, budget_ms: self.budget_ms, paths: self.paths.clone() }
    }

    /// For watching over files.
    pub(crate) fn watch(&self) -> WatchOptions {
        WatchOptions { seconds: self.seconds, ..WatchOptions::default() }
    }

    /// Why the chain of events is looked at.
    pub(crate) fn look(&self) -> Look {
        if self.acknowledge { Look::Acknowledge } else { Look::Only }
    }

    /// Whether what was accepted is signed.
    pub(crate) fn accept(&self) -> Accept {
        if self.dry_run { Accept::DryRun } else { Accept::Sign }
    }

    /// What only the caller knows of an installation.
    pub(crate) fn shell(&self) -> Shell {
        Shell {
            crontab: self.crontab.clone(),
            program: self.program.clone(),
            script: self.script.clone(),
            mailer: self.mailer.clone(),
        }
    }

    /// Where what is told is written.
    pub(crate) fn told_to(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// A list to take over.
    pub(crate) fn import(&self) -> Option<&Path> {
        self.import.as_deref()
    }

    /// For those over databases.
    pub(crate) fn options(&self) -> database::Options {
        database::Options {
            databases: self.databases.clone(),
            mode: if self.dry_run { Mode::DryRun } else { Mode::Apply },
            force: if self.force { Force::Yes } else { Force::No },
            secrets: if self.show_secrets { Secrets::Show } else { Secrets::Redact },
            verify: if self.verify { Verify::Now } else { Verify::Daily },
        }
    }

    /// One side, and whether all are meant.
    pub(crate) fn target(&self) -> (Option<String>, bool) {
        (self.side.clone(), self.all_sides)
    }

    /// Who asks, in their own words.
    pub(crate) fn by(&self) -> &str {
        &self.by
    }

    /// How much a status tells.
    pub(crate) fn detail(&self) -> Detail {
        if self.explain { Detail::Explain } else { Detail::Summary }
    }

    /// For so many requests at once.
    pub(crate) fn cost(&self) -> usize {
        self.cost.unwrap_or(1)
    }

    /// Numbers of a limit, and further limits.
    pub(crate) fn limits(&self) -> (Option<&Json>, Option<&Json>) {
        (self.policy.as_ref(), self.also.as_ref())
    }

    /// Which page of a list.
    pub(crate) fn page(&self) -> Page {
        Page { skip: self.skip.unwrap_or(0), limit: self.limit }
    }

    /// Which conflicts.
    pub(crate) fn selection(&self) -> Selection {
        Selection { statuses: self.statuses.clone(), ids: self.ids.clone(), page: self.page() }
    }

    /// Which configuration is meant.
    pub(crate) fn origin(&self) -> Origin {
        Origin { config: file(self), root: self.root.clone(), default_root: ini::root() }
    }

    /// How many runs a history tells of.
    pub(crate) fn limit(&self) -> usize {
        self.limit.unwrap_or(HISTORY)
    }
}

/// The configuration in force: the file that the options name, else the environment, else the ini setting, else the
/// one below the root, else the shipped one.
///
/// A root in the options beats the file's own; the one of the ini setting stands in where the file names none.
pub(crate) fn config(given: &Given) -> Result<Config, Error> {
    let Source { file, root, standing_in } = source(given);
    match (file, root, standing_in) {
        (Some(file), None, Some(root)) => Config::parse(&read(&file)?, &root, Some(&file)),
        (file, Some(root), _) => Config::load(file.as_deref(), Some(&root)),
        (file, None, root) => Config::load(file.as_deref(), root.as_deref()),
    }
}

/// Where the configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The file, where one is named.
    file: Option<PathBuf>,
    /// The root that beats the file's own.
    root: Option<PathBuf>,
    /// The one that stands in where the file names none.
    standing_in: Option<PathBuf>,
}

impl Source {
    /// Every path that it is made of.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        [&self.file, &self.root, &self.standing_in].into_iter().flatten().map(PathBuf::as_path)
    }

    /// The file that is read, where there is one.
    pub(crate) fn file(&self) -> PathBuf {
        let below = || self.root.as_ref().or(self.standing_in.as_ref()).map(|root| root.join(FILE_NAME));
        self.file.clone().or_else(below).unwrap_or_else(|| Path::new(ROOT).join(FILE_NAME))
    }
}

/// Where it comes from in this call.
pub(crate) fn source(given: &Given) -> Source {
    Source { file: file(given), root: given.root.clone(), standing_in: ini::root() }
}

/// The file that is named anywhere.
fn file(given: &Given) -> Option<PathBuf> {
    let environment = || std::env::var_os(ENVIRONMENT).filter(|value| !value.is_empty()).map(PathBuf::from);
    given.config.clone().or_else(environment).or_else(ini::config)
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|cause| {
        Error::new(ErrorKind::Config, "cannot read the configuration")
            .at(file)
            .because(cause)
            .hint("put it there and let this user read it, or name another one")
    })
}

/// The value of one key.
struct Value {
    function: &'static str,
    key: Key,
    value: Zval,
}

impl Value {
    fn path(mut self) -> Result<PathBuf, Failure> {
        let Some(bytes) = engine::as_text(&mut self.value, Coercion::Weak) else {
            return Err(self.wrong_type("string"));
        };
        if bytes.contains(&0) {
            return Err(self.wrong(Misuse::Value, "must not contain any null bytes"));
        }
        Ok(PathBuf::from(OsString::from_vec(bytes.to_vec())))
    }

    fn texts(mut self) -> Result<Vec<String>, Failure> {
        let Some(list) = self.value.array() else {
            return Ok(vec![self.text("must be of type array|string")?]);
        };
        let elements: Vec<Zval> =
            values::entries(list).map(|(_, value)| value.dereference().shallow_clone()).collect();
        let mut texts = Vec::with_capacity(elements.len());
        for element in elements {
            self.value = element;
            texts.push(self.text("must be a list of strings")?);
        }
        Ok(texts)
    }

    fn paths(mut self) -> Result<Vec<PathBuf>, Failure> {
        let Some(list) = self.value.array() else { return Ok(vec![self.path()?]) };
        let elements: Vec<Zval> =
            values::entries(list).map(|(_, value)| value.dereference().shallow_clone()).collect();
        let mut paths = Vec::with_capacity(elements.len());
        for element in elements {
            self.value = element;
            paths.push(
                Value { function: self.function, key: self.key, value: self.value.shallow_clone() }.path()?,
            );
        }
        Ok(paths)
    }

    fn word(mut self) -> Result<String, Failure> {
        self.text("must be of type string")
    }

    fn text(&mut self, otherwise: &str) -> Result<String, Failure> {
        let given = engine::type_name(&self.value);
        let Some(bytes) = engine::as_text(&mut self.value, Coercion::Weak).map(<[u8]>::to_vec) else {
            return Err(self.wrong(Misuse::Type, &format!("{otherwise}, {given} given")));
        };
        String::from_utf8(bytes).map_err(|_| self.wrong(Misuse::Value, "must be valid UTF-8"))
    }

    fn flag(self) -> Result<bool, Failure> {
        engine::as_bool(&self.value).ok_or_else(|| self.wrong_type("bool"))
    }

    fn callable(self) -> Result<Zval, Failure> {
        if engine::is_callable(&self.value) { Ok(self.value) } else { Err(self.wrong_type("callable")) }
    }

    fn count(self) -> Result<usize, Failure> {
        let integer = engine::as_integer(&self.value).ok_or_else(|| self.wrong_type("int"))?;
        usize::try_from(integer).map_err(|_| self.wrong(Misuse::Value, "must be greater than or equal to 0"))
    }

    fn document(self) -> Result<Json, Failure> {
        let Some(array) = self.value.array() else { return Err(self.wrong_type("array")) };
        values::json(array, MAX_DEPTH).ok_or_else(|| {
            self.wrong(Misuse::Value, "must hold nothing but text in UTF-8, integers, booleans and arrays")
        })
    }

    fn whole(self) -> Result<u64, Failure> {
        Ok(u64::try_from(self.count()?).unwrap_or(u64::MAX))
    }

    /// Text of a client, which may be any bytes; it must not be able to make a call fail.
    fn lossy(mut self) -> Result<String, Failure> {
        let bytes = engine::as_text(&mut self.value, Coercion::Weak).map(<[u8]>::to_vec);
        let bytes = bytes.ok_or_else(|| self.wrong_type("string"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn wrong_type(&self, wanted: &str) -> Failure {
        let given = engine::type_name(&self.value);
        self.wrong(Misuse::Type, &format!("must be of type {wanted}, {given} given"))
    }

    fn wrong(&self, misuse: Misuse, what: &str) -> Failure {
        if ExecutorGlobals::has_exception() {
            return Failure::Pending;
        }
        let (function, key) = (self.function, self.key.name());
        Failure::Call(misuse, format!("{function}(): Option \"{key}\" {what}"))
    }
}
