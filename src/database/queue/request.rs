//! What can be asked for, and the one reader of requests, whoever wrote them.
//!
//! Apart from the queue, which moves files, and from `carry_out`, which acts: this is pure, so that a table of hostile
//! texts can test it. It must never repeat what a request holds in its messages but for short names, since the bytes
//! may be those of a file that whoever put them there cannot read.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};

use crate::clock;
use crate::config::{Config, DatabaseConfig};
use crate::error::{Error, ErrorKind, Result};

use super::super::{Force, Take, Target};

/// The version of the files.
const VERSION: u64 = 1;
/// The longest request (bytes): a thousand conflict ids of the longest kind, with room to spare.
pub(crate) const MAX_REQUEST_BYTES: u64 = 64 << 10;
/// The longest name of a database, side or backup (bytes): those of files are not longer.
const MAX_NAME_BYTES: usize = 255;
/// The longest word on who asked (bytes): a name, an address, a reason in one line.
const MAX_BY_BYTES: usize = 200;
/// The most conflicts in one request: more than a page shows.
const MAX_CONFLICTS: usize = 1000;
/// The longest id of a conflict or run (digits): that of the largest number there can be.
const MAX_ID_DIGITS: usize = 19;
/// The longest name of a field that a message repeats (bytes).
const MAX_SHOWN_BYTES: usize = 40;

/// Something to do, as a web page may ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `resolve`.
    Resolve {
        /// The conflict's id.
        conflict: String,
        /// What to take.
        take: Take,
        /// Whether guards are overridden.
        force: Force,
    },
    /// `acknowledge`.
    Acknowledge {
        /// Ids of conflicts.
        conflicts: Vec<String>,
    },
    /// `restore`; of listed backups only, since a path would let the website have any file read.
    Restore {
        /// The backup's id.
        backup: String,
        /// Into which sides.
        target: Target,
        /// Whether a damaged file is overwritten.
        force: Force,
    },
    /// A sync of one database, with force.
    Force {
        /// Its name.
        database: String,
    },
    /// `sync-from`.
    SyncFrom {
        /// The side that the hub is made equal to.
        side: String,
        /// One database; `None` for all that have the side.
        database: Option<String>,
        /// Whether guards are overridden.
        force: Force,
    },
    /// `backup`.
    Backup {
        /// One database; `None` for all.
        database: Option<String>,
    },
    /// `clean-backups`.
    CleanBackups {
        /// One database; `None` for all.
        database: Option<String>,
    },
    /// `verify`.
    Verify {
        /// One database; `None` for all.
        database: Option<String>,
    },
    /// `undo`.
    Undo {
        /// The number of the run.
        run: String,
        /// One database; `None` for all that the run wrote.
        database: Option<String>,
    },
}

/// An action, and who asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(crate) action: Action,
    pub(crate) by: String,
}

/// A request with its name and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filed {
    pub(crate) id: String,
    pub(crate) request: Request,
    pub(crate) at: DateTime<Utc>,
}

impl Request {
    /// Reads an action with its arguments: `resolve` with `conflict`, `take` and perhaps `force`; `acknowledge` with
    /// `conflicts`; `restore` with `backup` and perhaps `side` or `all_sides`, and `force`; `force` with `database`;
    /// `sync-from` with `side` and perhaps `database` and `force`; `undo` with `run` and perhaps `database`; `backup`,
    /// `clean-backups` and `verify`, perhaps with `database`.
    ///
    /// `by` says who asks, in at most 200 bytes on one line. Errors: `Usage`; the message names what is wrong.
    pub fn new(action: &str, arguments: Map<String, Json>, by: &str) -> Result<Request> {
        let mut fields = Fields(arguments);
        let action = self::action(action, &mut fields)?;
        fields.end()?;
        let by = line("by", by, MAX_BY_BYTES, 0)?;
        Ok(Request { action, by })
    }

    /// Checks that it is about what is configured.
    pub(crate) fn check(&self, config: &Config) -> Result<()> {
        let database = match &self.action {
            Action::Force { database } => Some(database),
            Action::SyncFrom { database, .. }
            | Action::Backup { database }
            | Action::CleanBackups { database }
            | Action::Verify { database }
            | Action::Undo { database, .. } => database.as_ref(),
            Action::Resolve { .. } | Action::Acknowledge { .. } | Action::Restore { .. } => None,
        };
        if let Some(name) = database.filter(|name| !config.databases.contains_key(*name)) {
            let names: Vec<&str> = config.databases.keys().map(String::as_str).collect();
            return Err(usage(format!("no database is called {name}"))
                .hint(format!("databases are: {}", names.join(", "))));
        }
        let side = match &self.action {
            Action::SyncFrom { side, .. } | Action::Restore { target: Target::Side(side), .. } => Some(side),
            Action::Resolve { take: Take::Side(side), .. } => Some(side),
            _ => None,
        };
        let has = |side: &String| {
            let of = |database: &DatabaseConfig| database.replicas.contains_key(side);
            config.databases.values().any(of)
        };
        match side.filter(|side| !has(side)) {
            None => Ok(()),
            Some(side) => Err(usage(format!("no database has a side {side}"))
                .hint("`status` lists the sides of each database")),
        }
    }
}

impl Action {
    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Action::Resolve { .. } => "resolve",
            Action::Acknowledge { .. } => "acknowledge",
            Action::Restore { .. } => "restore",
            Action::Force { .. } => "force",
            Action::SyncFrom { .. } => "sync-from",
            Action::Backup { .. } => "backup",
            Action::CleanBackups { .. } => "clean-backups",
            Action::Verify { .. } => "verify",
            Action::Undo { .. } => "undo",
        }
    }

    /// Its arguments, as they are read.
    pub(crate) fn arguments(&self) -> Map<String, Json> {
        let mut map = Map::new();
        let mut put = |name: &str, value: Json| {
            map.insert(name.to_owned(), value);
        };
        let forced = match self {
            Action::Resolve { conflict, take, force } => {
                let take = match take {
                    Take::Base => "base",
                    Take::Both => "both",
                    Take::Side(side) => side,
                };
                put("conflict", json!(conflict));
                put("take", json!(take));
                *force
            }
            Action::Acknowledge { conflicts } => {
                put("conflicts", json!(conflicts));
                Force::No
            }
            Action::Restore { backup, target, force } => {
                put("backup", json!(backup));
                match target {
                    Target::Own => {}
                    Target::Side(side) => put("side", json!(side)),
                    Target::AllSides => put("all_sides", json!(true)),
                }
                *force
            }
            Action::Force { database } => {
                put("database", json!(database));
                Force::No
            }
            Action::SyncFrom { side, database, force } => {
                put("side", json!(side));
                if let Some(database) = database {
                    put("database", json!(database));
                }
                *force
            }
            Action::Undo { run, database } => {
                put("run", json!(run));
                if let Some(database) = database {
                    put("database", json!(database));
                }
                Force::No
            }
            Action::Backup { database } | Action::CleanBackups { database } | Action::Verify { database } => {
                if let Some(database) = database {
                    put("database", json!(database));
                }
                Force::No
            }
        };
        if forced == Force::Yes {
            put("force", json!(true));
        }
        map
    }
}

impl Filed {
    /// As a file.
    pub(crate) fn to_json(&self) -> Map<String, Json> {
        let mut map = Map::new();
        map.insert("version".to_owned(), json!(VERSION));
        map.insert("id".to_owned(), json!(self.id));
        map.insert("action".to_owned(), json!(self.request.action.name()));
        map.extend(self.request.action.arguments());
        map.insert("by".to_owned(), json!(self.request.by));
        map.insert("at".to_owned(), json!(clock::stamp(self.at)));
        map
    }

    /// Reads the file of a request, which must be called by its id.
    pub(crate) fn parse(bytes: &[u8], id: &str) -> Result<Filed> {
        Filed::of(Fields(object(bytes)?), id)
    }

    /// Reads what [`Filed::begun`] wrote: the request, and how often it was begun.
    pub(crate) fn parse_begun(bytes: &[u8], id: &str) -> Result<(Filed, u64)> {
        let mut fields = Fields(object(bytes)?);
        let attempt = fields.0.shift_remove("attempt").and_then(|attempt| attempt.as_u64());
        let attempt = attempt.ok_or_else(|| usage("\"attempt\" must be a number"))?;
        Ok((Filed::of(fields, id)?, attempt))
    }

    /// As a file, while it is carried out.
    pub(crate) fn begun(&self, attempt: u64) -> Map<String, Json> {
        let mut map = self.to_json();
        map.insert("attempt".to_owned(), json!(attempt));
        map
    }

    fn of(mut fields: Fields, id: &str) -> Result<Filed> {
        match fields.0.shift_remove("version").as_ref().and_then(Json::as_u64) {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => {
                return Err(usage(format!("it has version {newer}, and this program knows {VERSION}"))
                    .hint("update the program that carries requests out"));
            }
            _ => return Err(usage(format!("\"version\" must be {VERSION}"))),
        }
        if fields.text("id", MAX_NAME_BYTES)? != id {
            return Err(usage("its \"id\" is not the name of its file"));
        }
        let action = fields.text("action", MAX_NAME_BYTES)?;
        let by = match fields.0.shift_remove("by") {
            Some(Json::String(by)) => by,
            _ => return Err(usage("\"by\" must be text")),
        };
        let at = fields.text("at", MAX_NAME_BYTES)?;
        let at = DateTime::parse_from_rfc3339(&at)
            .map_err(|_| usage("\"at\" must be a time as in 2025-07-14T09:31:02Z"))?;
        Ok(Filed {
            id: id.to_owned(),
            request: Request::new(&action, fields.0, &by)?,
            at: at.with_timezone(&Utc),
        })
    }
}

fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, message)
}

/// The parser's own words would repeat what it has read, so only where it stopped is told.
fn object(bytes: &[u8]) -> Result<Map<String, Json>> {
    match serde_json::from_slice(bytes) {
        Ok(Json::Object(map)) => Ok(map),
        Ok(_) => Err(usage("it is no JSON object")),
        Err(cause) => {
            let (line, column) = (cause.line(), cause.column());
            Err(usage(format!("it is no JSON (line {line}, column {column})")))
        }
    }
}

fn action(name: &str, fields: &mut Fields) -> Result<Action> {
    Ok(match name {
        "resolve" => Action::Resolve {
            conflict: conflict(fields.0.shift_remove("conflict").as_ref(), "conflict")?,
            take: Take::from(fields.text("take", MAX_NAME_BYTES)?.as_str()),
            force: fields.force()?,
        },
        "acknowledge" => {
            let Some(Json::Array(list)) = fields.0.shift_remove("conflicts") else {
                return Err(usage("\"conflicts\" must be a list"));
            };
            if list.is_empty() || list.len() > MAX_CONFLICTS {
                return Err(usage(format!("\"conflicts\" must have 1 to {MAX_CONFLICTS} ids")));
            }
            let ids = list.iter().map(|id| conflict(Some(id), "conflicts"));
            Action::Acknowledge { conflicts: ids.collect::<Result<_>>()? }
        }
        "restore" => {
            let backup = fields.text("backup", MAX_NAME_BYTES)?;
            if backup.contains('/') {
                return Err(usage("\"backup\" must be an id, not a path")
                    .hint("`backups` lists them with their ids; a path works on the command line only"));
            }
            let target = match (fields.optional("side", MAX_NAME_BYTES)?, fields.flag("all_sides")?) {
                (None, false) => Target::Own,
                (None, true) => Target::AllSides,
                (Some(side), false) => Target::Side(side),
                (Some(_), true) => {
                    return Err(usage("\"side\" and \"all_sides\" exclude each other"));
                }
            };
            Action::Restore { backup, target, force: fields.force()? }
        }
        "force" => Action::Force { database: fields.text("database", MAX_NAME_BYTES)? },
        "sync-from" => Action::SyncFrom {
            side: fields.text("side", MAX_NAME_BYTES)?,
            database: fields.optional("database", MAX_NAME_BYTES)?,
            force: fields.force()?,
        },
        "backup" => Action::Backup { database: fields.optional("database", MAX_NAME_BYTES)? },
        "clean-backups" => Action::CleanBackups { database: fields.optional("database", MAX_NAME_BYTES)? },
        "verify" => Action::Verify { database: fields.optional("database", MAX_NAME_BYTES)? },
        "undo" => Action::Undo {
            run: run(fields.0.shift_remove("run").as_ref())?,
            database: fields.optional("database", MAX_NAME_BYTES)?,
        },
        unknown => {
            return Err(usage(format!("there is no action {}", shown(unknown))).hint(
                "actions are: resolve, acknowledge, restore, force, sync-from, backup, clean-backups, verify, undo",
            ));
        }
    })
}

/// The id of a conflict.
fn conflict(id: Option<&Json>, field: &str) -> Result<String> {
    digits(id).ok_or_else(|| usage(format!("\"{field}\" needs ids of conflicts, as text")))
}

/// The number of a run.
fn run(id: Option<&Json>) -> Result<String> {
    digits(id).ok_or_else(|| {
        usage("\"run\" needs the number of a run, as text")
            .hint("`history` lists the runs with their numbers")
    })
}

fn digits(id: Option<&Json>) -> Option<String> {
    let is_number =
        |id: &&str| (1..=MAX_ID_DIGITS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    id.and_then(Json::as_str).filter(is_number).map(str::to_owned)
}

/// A text that is one line, and not too long or too short.
fn line(field: &str, text: &str, most: usize, least: usize) -> Result<String> {
    if text.len() < least {
        return Err(usage(format!("\"{field}\" must not be empty")));
    }
    if text.len() > most {
        return Err(usage(format!("\"{field}\" must not have more than {most} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(usage(format!("\"{field}\" must not have control characters")));
    }
    Ok(text.to_owned())
}

/// A name from a request, so that it can be part of a message: short, and nothing that speaks to terminals.
fn shown(name: &str) -> String {
    let mut text: String = name.escape_debug().collect();
    if text.len() > MAX_SHOWN_BYTES {
        let end = (0..=MAX_SHOWN_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// What is left of an object to be read.
struct Fields(Map<String, Json>);

impl Fields {
    fn text(&mut self, name: &str, most: usize) -> Result<String> {
        self.optional(name, most)?.ok_or_else(|| usage(format!("\"{name}\" is missing")))
    }

    fn optional(&mut self, name: &str, most: usize) -> Result<Option<String>> {
        match self.0.shift_remove(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => line(name, &text, most, 1).map(Some),
            Some(_) => Err(usage(format!("\"{name}\" must be text"))),
        }
    }

    fn flag(&mut self, name: &str) -> Result<bool> {
        match self.0.shift_remove(name) {
            None | Some(Json::Null) => Ok(false),
            Some(Json::Bool(flag)) => Ok(flag),
            Some(_) => Err(usage(format!("\"{name}\" must be true or false"))),
        }
    }

    fn force(&mut self) -> Result<Force> {
        self.flag("force").map(|flag| if flag { Force::Yes } else { Force::No })
    }

    fn end(self) -> Result<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(usage(format!("it has an unknown field \"{}\"", shown(name)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "20250714T093102000000000Z-0123456789abcdef";

    fn text(fields: &str) -> String {
        let at = "2025-07-14T11:31:02+02:00";
        format!(r#"{{"version":1,"id":"{ID}","by":"ann","at":"{at}",{fields}}}"#)
    }

    #[test]
    fn what_is_written_is_read() {
        for fields in [
            r#""action":"resolve","conflict":"12","take":"website""#,
            r#""action":"resolve","conflict":"12","take":"base","force":true"#,
            r#""action":"acknowledge","conflicts":["1","2"]"#,
            r#""action":"restore","backup":"users:website:2025-07-14_09-31-02""#,
            r#""action":"restore","backup":"users:website:2025-07-14_09-31-02","side":"bot""#,
            r#""action":"restore","backup":"users:website:2025-07-14_09-31-02","all_sides":true,"force":true"#,
            r#""action":"force","database":"users""#,
            r#""action":"sync-from","side":"bot""#,
            r#""action":"sync-from","side":"bot","database":"users","force":true"#,
            r#""action":"backup""#,
            r#""action":"clean-backups","database":"users""#,
            r#""action":"verify""#,
            r#""action":"verify","database":"users""#,
            r#""action":"undo","run":"7""#,
            r#""action":"undo","run":"7","database":"users""#,
        ] {
            let filed = Filed::parse(text(fields).as_bytes(), ID).unwrap();
            let written = Json::Object(filed.to_json());
            assert_eq!(written["at"], "2025-07-14T09:31:02.000Z");
            assert_eq!(Filed::parse(written.to_string().as_bytes(), ID).unwrap(), filed);
            let begun = Json::Object(filed.begun(2)).to_string();
            assert_eq!(Filed::parse_begun(begun.as_bytes(), ID).unwrap(), (filed, 2));
            assert!(Filed::parse(begun.as_bytes(), ID).is_err(), "a request cannot say that it was begun");
        }
    }

    #[test]
    fn hostile_requests_are_refused() {
        let long = "x".repeat(300);
        let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        let ids = vec!["\"1\""; 1001].join(",");
        for (bytes, expected) in [
            (String::new(), "it is no JSON (line 1, column 0)"),
            ("root:$6$secret:1:0:99999".to_owned(), "it is no JSON (line 1, column 1)"),
            ("[1]".to_owned(), "it is no JSON object"),
            (deep.clone(), "it is no JSON (line 1, column 128)"),
            (text(&format!(r#""action":"force","database":{deep}"#)), "it is no JSON (line 1, column 262)"),
            ("{}".to_owned(), "\"version\" must be 1"),
            (text("\"x\":1").replace("\"version\":1", "\"version\":\"1\""), "\"version\" must be 1"),
            (text("\"x\":1").replace("\"version\":1", "\"version\":-1"), "\"version\" must be 1"),
            (
                text("\"x\":1").replace("\"version\":1", "\"version\":2"),
                "it has version 2, and this program knows 1",
            ),
            (text("\"x\":1").replace(ID, "../../etc/passwd"), "its \"id\" is not the name of its file"),
            (text("\"action\":\"backup\"").replace("\"ann\"", "7"), "\"by\" must be text"),
            (
                text("\"action\":\"backup\"").replace("ann", "a\\u001b[2J"),
                "\"by\" must not have control characters",
            ),
            (text("\"action\":\"backup\"").replace("ann", &long), "\"by\" must not have more than 200 bytes"),
            (
                text("\"action\":\"backup\"").replace("2025-07-14T", "yesterday "),
                "\"at\" must be a time as in 2025-07-14T09:31:02Z",
            ),
            (text("\"x\":1"), "\"action\" is missing"),
            (text("\"action\":null"), "\"action\" is missing"),
            (text("\"action\":{}"), "\"action\" must be text"),
            (text("\"action\":\"\""), "\"action\" must not be empty"),
            (text("\"action\":\"undo\""), "\"run\" needs the number of a run, as text"),
            (text("\"action\":\"undo\",\"run\":7"), "\"run\" needs the number of a run, as text"),
            (text("\"action\":\"undo\",\"run\":\"-1\""), "\"run\" needs the number of a run, as text"),
            (text("\"action\":\"undo\",\"run\":\"7 OR 1\""), "\"run\" needs the number of a run, as text"),
            (
                text("\"action\":\"undo\",\"run\":\"12345678901234567890\""),
                "\"run\" needs the number of a run, as text",
            ),
            (text("\"action\":\"undo\",\"run\":\"7\",\"force\":true"), "it has an unknown field \"force\""),
            (text("\"action\":\"verify\",\"database\":[]"), "\"database\" must be text"),
            (text("\"action\":\"verify\",\"backup\":\"b\""), "it has an unknown field \"backup\""),
            (text("\"action\":\"Backup\""), "there is no action Backup"),
            (
                text(&format!("\"action\":\"{}\"", "é".repeat(100))),
                "there is no action éééééééééééééééééééé...",
            ),
            (text(&format!("\"action\":\"{long}\"")), "\"action\" must not have more than 255 bytes"),
            (text("\"action\":\"backup\",\"path\":\"/etc\""), "it has an unknown field \"path\""),
            (text("\"action\":\"backup\",\"a\\u001bb\":1"), "it has an unknown field \"a\\u{1b}b\""),
            (text("\"action\":\"backup\",\"database\":[\"d\"]"), "\"database\" must be text"),
            (text("\"action\":\"backup\",\"database\":\"\""), "\"database\" must not be empty"),
            (
                text("\"action\":\"backup\",\"database\":\"a\\u0000b\""),
                "\"database\" must not have control characters",
            ),
            (text("\"action\":\"force\""), "\"database\" is missing"),
            (
                text("\"action\":\"resolve\",\"take\":\"base\""),
                "\"conflict\" needs ids of conflicts, as text",
            ),
            (
                text("\"action\":\"resolve\",\"conflict\":12,\"take\":\"base\""),
                "\"conflict\" needs ids of conflicts, as text",
            ),
            (
                text("\"action\":\"resolve\",\"conflict\":\"../1\",\"take\":\"base\""),
                "\"conflict\" needs ids of conflicts, as text",
            ),
            (text("\"action\":\"resolve\",\"conflict\":\"1\""), "\"take\" is missing"),
            (
                text("\"action\":\"resolve\",\"conflict\":\"1\",\"take\":\"bot\",\"force\":1"),
                "\"force\" must be true or false",
            ),
            (text("\"action\":\"acknowledge\",\"conflicts\":\"1\""), "\"conflicts\" must be a list"),
            (text("\"action\":\"acknowledge\",\"conflicts\":[]"), "\"conflicts\" must have 1 to 1000 ids"),
            (
                text(&format!("\"action\":\"acknowledge\",\"conflicts\":[{ids}]")),
                "\"conflicts\" must have 1 to 1000 ids",
            ),
            (
                text("\"action\":\"acknowledge\",\"conflicts\":[\"1\",null]"),
                "\"conflicts\" needs ids of conflicts, as text",
            ),
            (
                text("\"action\":\"restore\",\"backup\":\"/etc/shadow\""),
                "\"backup\" must be an id, not a path",
            ),
            (
                text("\"action\":\"restore\",\"backup\":\"b\",\"side\":\"s\",\"all_sides\":true"),
                "\"side\" and \"all_sides\" exclude each other",
            ),
            (text("\"action\":\"sync-from\""), "\"side\" is missing"),
        ] {
            let error = Filed::parse(bytes.as_bytes(), ID).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Usage, expected));
            assert!(!error.to_string().contains("secret"));
        }
        assert!(Filed::parse(b"{\"version\":1,\"id\":\"\xff\"}", ID).is_err());
        let begun = text("\"action\":\"backup\",\"attempt\":\"often\"");
        assert_eq!(
            Filed::parse_begun(begun.as_bytes(), ID).unwrap_err().to_string(),
            "\"attempt\" must be a number"
        );
    }
}
