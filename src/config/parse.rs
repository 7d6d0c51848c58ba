//! From the bytes of a configuration file to a [`Config`], or to one clear problem and where it is.
//!
//! Parses, does not validate: what comes out can only hold valid combinations, so nobody has to check again. It
//! touches no file: `super` reads, this understands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::json::{Node, Place, Problem, unknown};
use super::names::{check_name, path_text, plain, side_name, texts};
use super::sides::{Taken, files};
use super::tables::tables;
use super::write::SCHEMA_POLICIES;
use super::{Access, Alerts, Backups, Config, DatabaseConfig, Events, Guards, Integrity, Ownership, shipped};
use crate::error::{Error, ErrorKind, Result};

/// The newest version of the file that we understand.
pub(super) const VERSION: u64 = 1;
/// A wait of more than this under one lock is a mistake in the configuration (milliseconds; ten minutes).
const MAX_WAIT_MS: u64 = 600_000;
/// More copies or hours than this are a mistake too (about a century of hours).
const MAX_KEPT: u64 = 1_000_000;

pub(super) type Read<T> = std::result::Result<T, Problem>;

/// Reads a document. `root` beats what the document says, `default_root` fills in where it says nothing.
pub(super) fn config(
    json: &[u8],
    default_root: &Path,
    root: Option<&Path>,
    source: Option<&Path>,
) -> Result<Config> {
    document(json, default_root, root, source).map_err(|problem| {
        let hint = problem.hint.clone();
        let error = match source {
            Some(source) => {
                Error::new(ErrorKind::Config, "cannot use the configuration").at(source).because(problem)
            }
            None => Error::new(ErrorKind::Config, "cannot use the configuration").because(problem),
        };
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })
}

fn document(
    json: &[u8],
    default_root: &Path,
    forced_root: Option<&Path>,
    source: Option<&Path>,
) -> Read<Config> {
    let node = Node::read(json)?;
    let [
        version,
        root,
        hub,
        databases,
        logs,
        backups,
        guards,
        secrets,
        ownership,
        integrity,
        access,
        events,
        alerts,
    ] = Place::top(&node).fields([
        "version",
        "root",
        "hub",
        "databases",
        "logs",
        "backups",
        "guards",
        "secrets",
        "ownership",
        "integrity",
        "access",
        "events",
        "alerts",
    ])?;
    if let Some(version) = version {
        match version.whole(u64::MAX)? {
            VERSION => {}
            newer if newer > VERSION => {
                return Err(version
                    .wrong(format!(
                        "version {newer} is newer than this program, which reads version {VERSION}"
                    ))
                    .hint("install a newer cr0sync, or write the file for version 1"));
            }
            _ => return Err(version.wrong("there is no such version").hint("write 1")),
        }
    }
    let named_root = root.map(|place| root_path(&place, source)).transpose()?;
    let root =
        forced_root.map(Path::to_path_buf).or(named_root).unwrap_or_else(|| default_root.to_path_buf());
    let named_hub = hub.as_ref().map(side_name).transpose()?;
    let hub = named_hub.unwrap_or_else(|| shipped::HUB.to_owned());
    let own_databases = databases.is_some();
    let databases = match databases {
        Some(place) => self::databases(&place, &root, &hub)?,
        None => shipped_databases(&root, &hub)?,
    };
    let logs = match logs {
        Some(place) => super::logs::logs(&place, &root, &hub)?,
        // Whoever says which databases there are has another infrastructure than the one we ship for.
        None if own_databases => BTreeMap::new(),
        None => super::logs::shipped(&root, &hub)?,
    };
    Ok(Config {
        hub,
        databases,
        logs,
        backups: backups.map_or_else(|| Ok(shipped::backups()), |place| self::backups(&place, &root))?,
        guards: guards.map_or_else(|| Ok(shipped::guards()), |place| self::guards(&place))?,
        ownership: ownership.map_or_else(|| Ok(shipped::ownership()), |place| self::ownership(&place))?,
        secrets: secrets.map_or_else(|| Ok(Vec::new()), |place| texts(&place))?,
        integrity: integrity
            .map_or_else(|| Ok(Integrity::shipped(&root)), |place| Integrity::read(&place, &root))?,
        access: access.map_or_else(|| Ok(Access::shipped(&root)), |place| Access::read(&place, &root))?,
        events: events.map_or_else(|| Ok(Events::shipped(&root)), |place| Events::read(&place, &root))?,
        alerts: alerts.map_or_else(|| Ok(Alerts::shipped()), |place| Alerts::read(&place))?,
        source: source.map(Path::to_path_buf),
        root,
    })
}

/// The root; a relative one counts from the directory of the file.
fn root_path(place: &Place<'_>, source: Option<&Path>) -> Read<PathBuf> {
    let text = path_text(place)?;
    let path = Path::new(text);
    match source.and_then(Path::parent) {
        _ if path.is_absolute() => Ok(plain(path)),
        Some(directory) => Ok(plain(&directory.join(path))),
        None => Err(place.wrong("must be an absolute path")),
    }
}

fn shipped_databases(root: &Path, hub: &str) -> Read<BTreeMap<String, DatabaseConfig>> {
    let databases = shipped::databases(root);
    match databases.iter().find(|(_, database)| !database.replicas.contains_key(hub)) {
        None => Ok(databases),
        Some((name, _)) => {
            Err(Problem::new("hub", format!("the shipped database {name:?} has no side {hub:?}"))
                .hint("choose central or website, or write your own databases"))
        }
    }
}

fn databases(place: &Place<'_>, root: &Path, hub: &str) -> Read<BTreeMap<String, DatabaseConfig>> {
    let mut databases = BTreeMap::new();
    let mut taken = Taken::new();
    for (name, place) in place.entries()? {
        check_name(&place.path, "database", name)?;
        databases.insert(name.to_owned(), database(&place, root, hub, &mut taken)?);
    }
    Ok(databases)
}

fn database(place: &Place<'_>, root: &Path, hub: &str, taken: &mut Taken) -> Read<DatabaseConfig> {
    let [replicas, prefer, schema, tables] = place.fields(["replicas", "prefer", "schema", "tables"])?;
    let Some(replicas_place) = replicas else {
        return Err(place
            .wrong("has no replicas")
            .hint("write \"replicas\": {\"central\": \"PATH\", \"website\": \"PATH\"}"));
    };
    let replicas = self::replicas(&replicas_place, root, hub, taken)?;
    Ok(DatabaseConfig {
        prefer: prefer.map_or_else(|| Ok(Vec::new()), |place| self::prefer(&place, &replicas))?,
        schema: schema.map(|place| place.choice(&SCHEMA_POLICIES)).transpose()?.unwrap_or_default(),
        tables: tables.map_or_else(|| Ok(Vec::new()), |place| self::tables(&place))?,
        replicas,
    })
}

fn replicas(place: &Place<'_>, root: &Path, hub: &str, taken: &mut Taken) -> Read<BTreeMap<String, PathBuf>> {
    let replicas = files(place, root, "replica", taken)?;
    if replicas.len() < 2 {
        return Err(place.wrong("needs at least two sides"));
    }
    if !replicas.contains_key(hub) {
        let sides: Vec<&str> = replicas.keys().map(String::as_str).collect();
        return Err(place
            .wrong(format!("the hub {hub:?} is not among the sides {}", sides.join(", ")))
            .hint("name the hub here, or set \"hub\" to one of these sides"));
    }
    Ok(replicas)
}

fn prefer(place: &Place<'_>, replicas: &BTreeMap<String, PathBuf>) -> Read<Vec<String>> {
    let sides: Vec<&str> = replicas.keys().map(String::as_str).collect();
    let mut prefer: Vec<String> = Vec::new();
    for item in place.items()? {
        let side = item.text()?;
        if !sides.contains(&side) {
            return Err(unknown(&item.path, "unknown side", side, &sides));
        }
        if prefer.iter().any(|known| known == side) {
            return Err(item.wrong(format!("{side:?} is named twice")));
        }
        prefer.push(side.to_owned());
    }
    Ok(prefer)
}

fn backups(place: &Place<'_>, root: &Path) -> Read<Backups> {
    let [directory, within, hourly, daily, weekly, min, total, every] = place.fields([
        "directory",
        "keep_within_hours",
        "keep_hourly",
        "keep_daily",
        "keep_weekly",
        "keep_min",
        "max_total_bytes",
        "every_minutes",
    ])?;
    let default = shipped::backups();
    let count = |place: Option<Place<'_>>, default: u32| {
        place.map_or(Ok(default), |place| {
            place.whole(MAX_KEPT).map(|value| u32::try_from(value).unwrap_or(default))
        })
    };
    Ok(Backups {
        directory: unless_null(directory)
            .map(|place| path_text(&place).map(|text| plain(&root.join(text))))
            .transpose()?,
        keep_within_hours: count(within, default.keep_within_hours)?,
        keep_hourly: count(hourly, default.keep_hourly)?,
        keep_daily: count(daily, default.keep_daily)?,
        keep_weekly: count(weekly, default.keep_weekly)?,
        keep_min: count(min, default.keep_min)?,
        max_total_bytes: unless_null(total).map(|place| place.whole(u64::MAX)).transpose()?,
        every_minutes: count(every, default.every_minutes)?,
    })
}

/// A value that may be left out by writing null, as the written configuration does.
pub(super) fn unless_null(place: Option<Place<'_>>) -> Option<Place<'_>> {
    place.filter(|place| !matches!(place.node, Node::Null))
}

fn guards(place: &Place<'_>) -> Read<Guards> {
    let [delete, lock, busy, free] =
        place.fields(["max_delete_percent", "max_lock_ms", "busy_timeout_ms", "min_free_percent"])?;
    let default = shipped::guards();
    let percent = |place: Option<Place<'_>>, default: u32| {
        place.map_or(Ok(default), |place| {
            place.whole(100).map(|value| u32::try_from(value).unwrap_or(default))
        })
    };
    let wait =
        |place: Option<Place<'_>>, default| place.map_or(Ok(default), |place| place.whole(MAX_WAIT_MS));
    Ok(Guards {
        max_delete_percent: percent(delete, default.max_delete_percent)?,
        max_lock_ms: wait(lock, default.max_lock_ms)?,
        busy_timeout_ms: wait(busy, default.busy_timeout_ms)?,
        min_free_percent: percent(free, default.min_free_percent)?,
    })
}

fn ownership(place: &Place<'_>) -> Read<Ownership> {
    let [user, group, website_user, dir_mode, file_mode] =
        place.fields(["user", "group", "website_user", "dir_mode", "file_mode"])?;
    let default = shipped::ownership();
    let text = |place: Option<Place<'_>>, default| {
        place.map_or(Ok(default), |place| place.text().map(str::to_owned))
    };
    let mode = |place: Option<Place<'_>>, default| place.map_or(Ok(default), |place| self::mode(&place));
    Ok(Ownership {
        user: text(user, default.user)?,
        group: text(group, default.group)?,
        website_user: text(website_user, default.website_user)?,
        dir_mode: mode(dir_mode, default.dir_mode)?,
        file_mode: mode(file_mode, default.file_mode)?,
    })
}

/// Permission bits. A JSON number would be read as decimal by anyone but the author, so only text will do.
pub(super) fn mode(place: &Place<'_>) -> Read<u32> {
    let wrong = || place.wrong("must be an octal mode in quotes").hint("for example \"0664\"");
    let Node::Text(text) = place.node else {
        return Err(wrong());
    };
    let octal = text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    if !(3..=4).contains(&text.len()) || !octal {
        return Err(wrong());
    }
    u32::from_str_radix(text, 8).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::super::{ColumnPolicy, PolicyOrigin, Rekey, TablePolicy};
    use super::*;

    fn read(json: &str) -> Result<Config> {
        config(json.as_bytes(), Path::new("/srv"), None, None)
    }

    /// A document with one database `d`: `more` goes beside its replicas.
    fn with(more: &str) -> String {
        format!(
            r#"{{"databases": {{"d": {{"replicas": {{"central": "c.db", "website": "/w/d.db", "bot": "b.db"}}{more}}}}}}}"#
        )
    }

    fn problem(json: &str) -> String {
        match read(json) {
            Ok(config) => format!("accepted: {config:?}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Config);
                let text = error.to_string();
                let text = text.strip_prefix("cannot use the configuration: ").unwrap_or(&text).to_owned();
                match error.hint_text() {
                    Some(hint) => format!("{text} ({hint})"),
                    None => text,
                }
            }
        }
    }

    #[test]
    fn everything_wrong_is_named_with_its_path() {
        let table: &[(&str, &str)] = &[
            ("[]", "expected an object, found a list"),
            (
                "{",
                "EOF while parsing an object at line 1 column 1 (it is no JSON there: correct that line (python3 -m json.tool FILE finds it as well))",
            ),
            (
                r#"{"alerts": {"command": []}}"#,
                "alerts.command: must name a program (write [\"/path/of/program\", \"argument\"], or null)",
            ),
            (r#"{"alerts": {"command": ["tell"]}}"#, "alerts.command[0]: must be an absolute path"),
            (
                r#"{"alerts": {"mail": "a@b\nBcc: c@d"}}"#,
                "alerts.mail: must be one address (write \"root@localhost\", or null)",
            ),
            (
                r#"{"alerts": {"severity": "WORST"}}"#,
                r#"alerts.severity: unknown value "WORST" (known are: INFO, LOW, MEDIUM, HIGH, CRITICAL)"#,
            ),
            (
                r#"{"alerts": {"per_hour": 0}}"#,
                "alerts.per_hour: expected a whole number from 1 to 3600, found the number 0",
            ),
            (r#"{"hub": 1}"#, "hub: expected a text, found the number 1"),
            (r#"{"hubb": "central"}"#, r#"hubb: unknown key "hubb" (did you mean "hub"?)"#),
            (r#"{"hub": "central", "hub": "bot"}"#, "hub: is given twice (keep one of the two)"),
            (r#"{"logs": {"a": [{"x": 1, "x": 2}]}}"#, "logs.a[0].x: is given twice (keep one of the two)"),
            (
                r#"{"logs": {"a": {}}}"#,
                r#"logs.a: has no copies (write "copies": {"bot": "PATH", "central": "PATH"})"#,
            ),
            (
                r#"{"logs": {"a": {"copies": {"bot": "/a"}}}}"#,
                r#"logs.a.copies: the hub "central" has no copy (its copy is the archive: name it here, or set "hub" to a side that has one)"#,
            ),
            (
                r#"{"logs": {"a": {"copies": {"central": "/a", "bot": "/b"}, "mirrors": ["bto"]}}}"#,
                r#"logs.a.mirrors[0]: unknown side "bto" (known are: bot)"#,
            ),
            (
                r#"{"logs": {"a": {"copies": {"central": "/a"}}, "b": {"copies": {"central": "/a"}}}}"#,
                "logs.b.copies.central: is the same file as logs.a.copies.central (every copy is a file of its own)",
            ),
            (r#"{"backups": []}"#, "backups: expected an object, found a list"),
            (
                r#"{"backups": {"keep_hourly": -1}}"#,
                "backups.keep_hourly: expected a whole number from 0 to 1000000, found the number -1",
            ),
            (
                r#"{"backups": {"keep_for": 1}}"#,
                r#"backups.keep_for: unknown key "keep_for" (did you mean "keep_min"?)"#,
            ),
            (r#"{"backups": {"directory": 5}}"#, "backups.directory: expected a text, found the number 5"),
            (r#"{"backups": {"directory": ""}}"#, "backups.directory: must not be empty"),
            (
                r#"{"backups": {"max_total_bytes": "1G"}}"#,
                "backups.max_total_bytes: expected a whole number from 0 to 18446744073709551615, found the text \"1G\"",
            ),
            (r#"{"version": 0}"#, "version: there is no such version (write 1)"),
            (
                r#"{"version": "1"}"#,
                "version: expected a whole number from 0 to 18446744073709551615, found the text \"1\"",
            ),
            (
                r#"{"version": 2}"#,
                "version: version 2 is newer than this program, which reads version 1 (install a newer cr0sync, or write the file for version 1)",
            ),
            (r#"{"root": "srv"}"#, "root: must be an absolute path"),
            (r#"{"root": ""}"#, "root: must not be empty"),
            (r#"{"root": "~/x"}"#, "root: \"~\" is not expanded (write the whole path)"),
            (
                r#"{"hub": "bot"}"#,
                r#"hub: the shipped database "breakout_completionists" has no side "bot" (choose central or website, or write your own databases)"#,
            ),
            (
                r#"{"hub": "base"}"#,
                r#"hub: "base" cannot be the name of a side: it means something else in reports"#,
            ),
            (
                r#"{"databases": {"../etc": {}}}"#,
                r#"databases["../etc"]: "../etc" cannot be the name of a database (use letters, digits, _ - and . and do not begin with . or -)"#,
            ),
            (
                r#"{"databases": {"d": {}}}"#,
                r#"databases.d: has no replicas (write "replicas": {"central": "PATH", "website": "PATH"})"#,
            ),
            (
                r#"{"databases": {"d": {"replicas": {"central": "a"}}}}"#,
                "databases.d.replicas: needs at least two sides",
            ),
            (
                r#"{"databases": {"d": {"replicas": {"a": "a", "b": "b"}}}}"#,
                r#"databases.d.replicas: the hub "central" is not among the sides a, b (name the hub here, or set "hub" to one of these sides)"#,
            ),
            (
                r#"{"databases": {"d": {"replicas": {"central": "a", "b": "/srv/./a"}}}}"#,
                "databases.d.replicas.b: is the same file as databases.d.replicas.central (every replica is a file of its own)",
            ),
            (
                r#"{"databases": {"d": {"replicas": {"central": "a", "b": "b"}}, "e": {"replicas": {"central": "c", "b": "b"}}}}"#,
                "databases.e.replicas.b: is the same file as databases.d.replicas.b (every replica is a file of its own)",
            ),
            (
                r#"{"databases": {"d": {"replicas": {"central": "a", ".b": "b"}}}}"#,
                r#"databases.d.replicas[".b"]: ".b" cannot be the name of a side (use letters, digits, _ - and . and do not begin with . or -)"#,
            ),
            (
                r#"{"databases": {"d": {"replicas": {"central": "a", "b": ".."}}}}"#,
                "databases.d.replicas.b: does not name a file",
            ),
            (
                &with(r#", "prefer": ["website", "bott"]"#),
                r#"databases.d.prefer[1]: unknown side "bott" (did you mean "bot"?)"#,
            ),
            (&with(r#", "prefer": ["bot", "bot"]"#), r#"databases.d.prefer[1]: "bot" is named twice"#),
            (
                &with(r#", "schema": "everything""#),
                r#"databases.d.schema: unknown value "everything" (known are: none, additive, all)"#,
            ),
            (
                &with(r#", "tables": {"t": {"exclude": 1}}"#),
                "databases.d.tables.t.exclude: expected true or false, found the number 1",
            ),
            (
                &with(r#", "tables": {"T": {}, "t": {}}"#),
                "databases.d.tables.t: is given twice; SQLite does not tell upper and lower case apart in names",
            ),
            (
                &with(r#", "tables": {"t": {"columns": {"score": "add"}}}"#),
                r#"databases.d.tables.t.columns.score: unknown value "add" (known are: prefer, sum, max, min, min_nonzero, newest, hold)"#,
            ),
            (
                &with(r#", "tables": {"t": {"columns": {"score": "newest"}}}"#),
                r#"databases.d.tables.t.columns.score: "newest" needs to know which column says when a row was changed (add "newest_by": "COLUMN" to the table)"#,
            ),
            (
                &with(r#", "tables": {"t": {"identity": []}}"#),
                "databases.d.tables.t.identity: must name at least one column (leave it out to let the schema decide)",
            ),
            (
                &with(r#", "tables": {"t": {"identity": ["a", "A"]}}"#),
                r#"databases.d.tables.t.identity[1]: "A" is named twice"#,
            ),
            (
                &with(r#", "tables": {"t": {"identity": ["a*"]}}"#),
                "databases.d.tables.t.identity[0]: must be one column, not a pattern",
            ),
            (
                &with(r#", "tables": {"t": {"references": {"uid": "users"}}}"#),
                r#"databases.d.tables.t.references.uid: must be written as "table.column""#,
            ),
            (
                &with(r#", "tables": {"t": {"refrences": {}}}"#),
                r#"databases.d.tables.t.refrences: unknown key "refrences" (did you mean "references"?)"#,
            ),
            (
                r#"{"guards": {"max_delete_percent": 101}}"#,
                "guards.max_delete_percent: expected a whole number from 0 to 100, found the number 101",
            ),
            (
                r#"{"guards": {"max_lock_ms": -1}}"#,
                "guards.max_lock_ms: expected a whole number from 0 to 600000, found the number -1",
            ),
            (
                r#"{"integrity": {"reread_hours": 0}}"#,
                "integrity.reread_hours: expected a whole number from 1 to 100000, found the number 0",
            ),
            (
                r#"{"ownership": {"file_mode": 664}}"#,
                "ownership.file_mode: must be an octal mode in quotes (for example \"0664\")",
            ),
            (
                r#"{"ownership": {"dir_mode": "0788"}}"#,
                "ownership.dir_mode: must be an octal mode in quotes (for example \"0664\")",
            ),
            (r#"{"secrets": ["a", 1]}"#, "secrets[1]: expected a text, found the number 1"),
            ("{\"ownership\": {\"user\": \"a\\u0000b\"}}", "ownership.user: must not hold a NUL character"),
        ];
        for (json, expected) in table {
            assert_eq!(&problem(json), expected, "{json}");
        }
    }

    #[test]
    fn nothing_given_is_the_shipped_configuration() -> Result<()> {
        let config = read("{}")?;
        assert_eq!(config, Config::shipped(Path::new("/srv")));
        let places = |name: &str| -> Vec<String> {
            let replicas =
                config.databases.get(name).map(|database| database.replicas.clone()).unwrap_or_default();
            replicas.iter().map(|(side, path)| format!("{side} {}", path.display())).collect()
        };
        assert_eq!(
            places("rizon_bot"),
            [
                "bot /home/cr0/cr0bot/rizon_bot.db",
                "central /srv/databases/rizon_bot.db",
                "website /var/www/html/data/rizon_bot.db"
            ]
        );
        assert_eq!(
            places("users"),
            ["central /srv/databases/users.db", "website /var/www/html/data/users.db"]
        );
        assert_eq!(config.databases.len(), 9);
        for (name, database) in &config.databases {
            let ranked = database.ranked_sides(&config.hub);
            assert_eq!(ranked.first().map(String::as_str), Some("website"), "{name}");
            assert_eq!(ranked.len(), database.replicas.len(), "{name}");
        }
        Ok(())
    }

    #[test]
    fn a_full_file_is_read_and_written_alike() -> Result<()> {
        let json = r#"{
            "version": 1, "root": "/data//x/.", "hub": "central",
            "databases": {"d": {
                "replicas": {"central": "databases/d.db", "website": "/w/d.db", "bot": "/b/d.db"},
                "prefer": ["website"], "schema": "all",
                "tables": {
                    "cache_*": {"exclude": true},
                    "*": {"rekey": false},
                    "t": {"identity": ["a", "b"], "columns": {"n": "sum", "t": "newest", "*_at": "max"}, "newest_by": "t",
                          "references": {"r": "other.id"}, "on_delete_update": "delete", "append_only": true}}}},
            "logs": {"x": {"copies": {"central": "logs/x.log", "website": "/w/x.log", "bot": "/b/x.log"},
                "mirrors": ["website"], "olddirs": {"bot": "old"}, "rotate": {}, "allow_owners": ["bots"]}},
            "integrity": {"config": "watch.json", "legacy_md5": true, "threads": 2, "reread_hours": 6},
            "access": {"session_minutes": 5, "tiers": {"upload": {"limit": 3, "period_seconds": 60}, "admin": {"limit": 0}}},
            "events": {"archive": "/var/old", "keep_days": null},
            "alerts": {"command": ["/usr/bin/tell", "-x"], "mail": "root@localhost", "severity": "HIGH", "per_hour": 3},
            "backups": {"directory": "saved/./here", "keep_within_hours": 1, "keep_daily": 0, "max_total_bytes": 5000000000},
            "guards": {"max_delete_percent": 0, "busy_timeout_ms": 10},
            "secrets": ["*api_secret*"],
            "ownership": {"user": "u", "file_mode": "600"}}"#;
        let config = read(json)?;
        let again = Config::parse(config.to_json().to_string().as_bytes(), Path::new("/elsewhere"), None)?;
        assert_eq!(config, again);
        assert_eq!(config.root, Path::new("/data/x"));
        let log = config.logs.get("x").cloned().unwrap_or_else(|| unreachable!("x was read"));
        assert_eq!(log.copies.get("central").map(PathBuf::as_path), Some(Path::new("/data/x/logs/x.log")));
        assert_eq!((log.mirrors.contains("website"), log.mirrors.len()), (true, 1));
        assert_eq!(log.allow_owners, ["bots"]);
        let backups = &config.backups;
        assert_eq!(backups.directory.as_deref(), Some(Path::new("/data/x/saved/here")));
        assert_eq!((backups.keep_within_hours, backups.keep_hourly, backups.keep_daily), (1, 48, 0));
        assert_eq!((backups.max_total_bytes, backups.every_minutes), (Some(5_000_000_000), 15));
        assert_eq!(config.ownership.file_mode, 0o600);
        assert_eq!(config.integrity.config, Path::new("/data/x/watch.json"));
        assert_eq!((config.integrity.legacy_md5, config.integrity.reread_hours), (true, 6));
        let tier = |name: &str| config.access.tiers.get(name).map(|tier| (tier.limit, tier.burst));
        assert_eq!(
            (tier("upload"), tier("admin"), tier("critical")),
            (Some((3, 3)), Some((0, 1)), Some((10, 10)))
        );
        assert_eq!((config.events.archive.as_path(), config.events.keep_days), (Path::new("/var/old"), None));
        let database = config.databases.get("d").cloned().unwrap_or_else(|| unreachable!("d was read"));
        assert_eq!(
            database.replicas.get("central").map(PathBuf::as_path),
            Some(Path::new("/data/x/databases/d.db"))
        );
        assert_eq!(database.ranked_sides("central"), ["website", "central", "bot"]);
        let order: Vec<&str> = database.tables.iter().map(|(pattern, _)| pattern.as_str()).collect();
        assert_eq!(order, ["t", "cache_*", "*"]);
        assert!(database.table_policy("d", "CACHE_x").exclude);
        assert_eq!(database.table_policy("d", "other").rekey, Rekey::Forbid);
        let t = database.table_policy("d", "T");
        assert_eq!(t.column("N"), Some(ColumnPolicy::Sum));
        assert_eq!(t.column("created_at"), Some(ColumnPolicy::Max));
        assert_eq!(t.column("unheard"), None);
        assert_eq!(t.origin, PolicyOrigin::User);
        Ok(())
    }

    #[test]
    fn the_shipped_configuration_is_read_and_written_alike() -> Result<()> {
        let config = read("{}")?;
        let again = read(&config.to_json().to_string())?;
        assert_eq!(config, again);
        Ok(())
    }

    #[test]
    fn a_users_policy_replaces_the_shipped_one_of_that_table_only() -> Result<()> {
        let json = r#"{"databases": {"rizon_bot": {"replicas": {"central": "c", "bot": "b"}, "tables": {"links": {"append_only": true}}}}}"#;
        let config = read(json)?;
        let database =
            config.databases.get("rizon_bot").cloned().unwrap_or_else(|| unreachable!("it was read"));
        assert_eq!(database.table_policy("rizon_bot", "links").identity, None);
        assert_eq!(
            database.table_policy("rizon_bot", "user_scores").column("score"),
            Some(ColumnPolicy::Sum)
        );
        assert_eq!(database.table_policy("rizon_bot", "unheard"), TablePolicy::default());
        Ok(())
    }

    #[test]
    fn the_command_line_root_beats_the_files_and_the_file_beats_the_default() -> Result<()> {
        let json = br#"{"root": "below"}"#;
        let source = Some(Path::new("/etc/cr0/cr0sync.json"));
        let named = config(json, Path::new("/srv"), None, source)?;
        assert_eq!(named.root, Path::new("/etc/cr0/below"));
        let forced = config(json, Path::new("/srv"), Some(Path::new("/forced")), source)?;
        assert_eq!(forced.root, Path::new("/forced"));
        assert_eq!(read("{}")?.root, Path::new("/srv"));
        Ok(())
    }

    #[test]
    fn the_example_of_the_readme_is_a_configuration() -> Result<()> {
        let readme = include_str!("../../README.md");
        let example =
            readme.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_default();
        let config = read(example)?;
        let database =
            config.databases.get("rizon_bot").cloned().unwrap_or_else(|| unreachable!("the example has it"));
        assert_eq!(
            database.table_policy("rizon_bot", "user_scores").column("last_played"),
            Some(ColumnPolicy::Max)
        );
        assert_eq!(config.backups, shipped::backups());
        assert_eq!(config.guards, shipped::guards());
        assert_eq!(config.ownership, shipped::ownership());
        Ok(())
    }
}
