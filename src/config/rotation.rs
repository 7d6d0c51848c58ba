//! How the archive of a log is rotated and what becomes of its rotated files: logrotate's names and meanings.
//!
//! Apart from `logs`, which says where the copies are. Two things differ from logrotate. The interval of `minsize` is a day, as
//! rotated files are named by the day. And where both `rotate` and `maxage` are given, neither alone removes: the newest `rotate`
//! stay whatever their age, and all others as long as `maxage` says.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::json::{Node, Place};
use super::names::{path_text, plain, texts};
use super::parse::{Read, mode, unless_null};

/// A log is rotated once it is larger than this, unless told otherwise (bytes; 50 MiB).
const MAX_SIZE: u64 = 50 << 20;
/// Rotated files are kept so long, unless told otherwise (days).
const MAX_AGE: u32 = 30;
/// So many rotated files stay in any case, unless told otherwise.
const KEPT: u32 = 5;
/// More files or days than this are a mistake in the configuration.
const MOST: u64 = 100_000;
/// How rotated files are named, unless told otherwise.
const DATE_FORMAT: &str = ".%Y-%m-%d";
/// The parts of a date format, in their order.
const DATE_PARTS: [&str; 6] = ["%Y", "%m", "%d", "%H", "%M", "%S"];

/// How a log is rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Rotated once it is larger than this (bytes): `size` or `maxsize`, the smaller one.
    pub max_bytes: u64,
    /// Rotated once a day if it is larger than this (bytes).
    pub min_bytes: Option<u64>,
    /// So many of the newest rotated files stay whatever their age.
    pub keep: u32,
    /// Others are removed when they are older than this (days); at once where there is none.
    pub max_age_days: Option<u32>,
    /// What rotated files are called.
    pub naming: Naming,
    /// When rotated files are packed.
    pub compress: Compress,
    /// Whom the new file is for.
    pub create: Create,
    /// Where rotated files go; absolute, or below the directory of the log. None: they stay beside it.
    pub olddir: Option<PathBuf>,
    /// Nothing is said of a log that is not there.
    pub missing_ok: bool,
    /// One without a byte is left alone even when asked.
    pub skip_empty: bool,
    /// Copying and truncating is allowed, which loses lines.
    pub copy_truncate: bool,
    /// A program and its arguments, to make the writer open its file again; none where it is empty.
    pub post_rotate: Vec<String>,
}

/// What rotated files are called: the log's name, and this behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// A date.
    Dated(DateFormat),
    /// `.1` for the newest, `.2` for the one before.
    Numbered,
}

/// When rotated files are packed with gzip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compress {
    /// Never.
    Never,
    /// All but the newest.
    Later,
    /// As soon as nobody writes to them.
    AtOnce,
}

/// Whom a new file is for. What is not said is as the configuration's `ownership` has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Create {
    /// Permission bits.
    pub mode: Option<u32>,
    /// User and group, by name.
    pub owner: Option<(String, String)>,
}

/// A date as names of rotated files have it, from the year down to the day or further, so that names sort as days do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateFormat {
    text: String,
    parts: usize,
}

impl DateFormat {
    /// Reads `.%Y-%m-%d` and its like: `.` or `-`, then year, month, day and at most hour, minute, second, all with a
    /// separator between them or none. None for anything else.
    #[must_use]
    pub fn new(text: &str) -> Option<DateFormat> {
        let mut rest = text.strip_prefix(['.', '-'])?.strip_prefix("%Y")?;
        let is_separated = rest.starts_with(|c| "-_.:T".contains(c));
        let mut parts = 1;
        while !rest.is_empty() {
            if is_separated {
                rest = rest.strip_prefix(|c| "-_.:T".contains(c))?;
            }
            rest = rest.strip_prefix(*DATE_PARTS.get(parts)?)?;
            parts += 1;
        }
        (parts >= 3).then(|| DateFormat { text: text.to_owned(), parts })
    }

    /// How many numbers it has: 3 for a day, 6 for a second.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// A date in this form: year, month, day, hour, minute, second, as many as it has. What is missing is 0.
    #[must_use]
    pub fn write(&self, date: &[u32]) -> String {
        let mut text = self.text.clone();
        for (index, part) in DATE_PARTS.iter().enumerate() {
            let value = date.get(index).copied().unwrap_or(0);
            let width = if index == 0 { 4 } else { 2 };
            text = text.replace(part, &format!("{value:0width$}"));
        }
        text
    }
}

impl Default for DateFormat {
    fn default() -> Self {
        DateFormat { text: DATE_FORMAT.to_owned(), parts: 3 }
    }
}

impl Default for Rotation {
    fn default() -> Self {
        Rotation {
            max_bytes: MAX_SIZE,
            min_bytes: None,
            keep: KEPT,
            max_age_days: Some(MAX_AGE),
            naming: Naming::Dated(DateFormat::default()),
            compress: Compress::AtOnce,
            create: Create::default(),
            olddir: None,
            missing_ok: false,
            skip_empty: true,
            copy_truncate: false,
            post_rotate: Vec::new(),
        }
    }
}

impl Rotation {
    /// The directory of its rotated files, where they do not stay beside the log at `path`.
    pub(crate) fn directory(&self, path: &Path) -> Option<PathBuf> {
        let olddir = self.olddir.as_ref()?;
        Some(path.parent().map_or_else(|| olddir.clone(), |parent| plain(&parent.join(olddir))))
    }
}

/// Reads the `rotate` object of a log.
pub(super) fn rotation(place: &Place<'_>) -> Read<Rotation> {
    let [
        size,
        maxsize,
        minsize,
        rotate,
        maxage,
        maxage_days,
        dateext,
        dateformat,
        compress,
        delaycompress,
        create,
        olddir,
        missingok,
        notifempty,
        copytruncate,
        postrotate,
    ] = place.fields([
        "size",
        "maxsize",
        "minsize",
        "rotate",
        "maxage",
        "maxage_days",
        "dateext",
        "dateformat",
        "compress",
        "delaycompress",
        "create",
        "olddir",
        "missingok",
        "notifempty",
        "copytruncate",
        "postrotate",
    ])?;
    let default = Rotation::default();
    if let (Some(_), Some(again)) = (&maxage, &maxage_days) {
        return Err(again.wrong("says the same as \"maxage\"").hint("keep one of the two"));
    }
    let count = |place: Place<'_>| place.whole(MOST).map(|value| u32::try_from(value).unwrap_or(u32::MAX));
    let flag = |place: Option<Place<'_>>, default| place.map_or(Ok(default), |place| place.boolean());
    let limits =
        [size, maxsize].into_iter().flatten().map(|place| bytes(&place)).collect::<Read<Vec<u64>>>()?;
    let max_age_days = match (maxage.or(maxage_days), &rotate) {
        (Some(place), _) => unless_null(Some(place)).map(count).transpose()?,
        // Counting alone, as logrotate does.
        (None, Some(_)) => None,
        (None, None) => default.max_age_days,
    };
    let naming = match (flag(dateext, true)?, dateformat) {
        (false, Some(place)) => {
            return Err(place
                .wrong("names no file where \"dateext\" is false")
                .hint("take one of the two out"));
        }
        (false, None) => Naming::Numbered,
        (true, None) => default.naming,
        (true, Some(place)) => Naming::Dated(date_format(&place)?),
    };
    let compress = match (flag(compress, true)?, flag(delaycompress, false)?) {
        (false, _) => Compress::Never,
        (true, true) => Compress::Later,
        (true, false) => Compress::AtOnce,
    };
    Ok(Rotation {
        max_bytes: limits.into_iter().min().unwrap_or(default.max_bytes),
        min_bytes: unless_null(minsize).map(|place| bytes(&place)).transpose()?,
        keep: rotate.map_or(Ok(default.keep), count)?,
        max_age_days,
        naming,
        compress,
        create: unless_null(create).map_or_else(|| Ok(Create::default()), |place| self::create(&place))?,
        olddir: unless_null(olddir)
            .map(|place| path_text(&place).map(|text| plain(Path::new(text))))
            .transpose()?,
        missing_ok: flag(missingok, default.missing_ok)?,
        skip_empty: flag(notifempty, default.skip_empty)?,
        copy_truncate: flag(copytruncate, default.copy_truncate)?,
        post_rotate: postrotate.map_or_else(|| Ok(Vec::new()), |place| command(&place))?,
    })
}

/// A size: a number of bytes, or a text with `k`, `M` or `G` (powers of 1024) behind the number.
fn bytes(place: &Place<'_>) -> Read<u64> {
    let wrong = || {
        place
            .wrong("must be a number of bytes or a size")
            .hint("for example 1048576, \"100k\", \"50M\" or \"1G\"")
    };
    match place.node {
        Node::Whole(bytes) => Ok(*bytes),
        Node::Text(text) => size(text).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(['k', 'K', 'M', 'G']);
    let factor = match text.strip_prefix(digits)? {
        "" => 1,
        "k" | "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse::<u64>().ok()?.checked_mul(factor)).flatten()
}

fn date_format(place: &Place<'_>) -> Read<DateFormat> {
    DateFormat::new(place.text()?).ok_or_else(|| {
        place.wrong("is no form of a date that sorts as days do").hint(
            "write . or - and then year, month, day and at most hour, minute, second, with separators or none: \".%Y-%m-%d\", \"-%Y%m%d\"",
        )
    })
}

/// `MODE OWNER GROUP`, of which the mode or the other two may be missing.
fn create(place: &Place<'_>) -> Read<Create> {
    let text = place.text()?;
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let owner = |user: &str, group: &str| Some((user.to_owned(), group.to_owned()));
    let is_mode = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    match words.as_slice() {
        [word] if is_mode(word) => Ok(Create { mode: Some(mode_of(place, word)?), owner: None }),
        [user, group] if !is_mode(user) => Ok(Create { mode: None, owner: owner(user, group) }),
        [word, user, group] => Ok(Create { mode: Some(mode_of(place, word)?), owner: owner(user, group) }),
        _ => Err(place
            .wrong(format!("{text:?} does not say whom the new file is for"))
            .hint("write \"MODE OWNER GROUP\", for example \"0640 cr0 www-data\"")),
    }
}

fn mode_of(place: &Place<'_>, word: &str) -> Read<u32> {
    mode(&Place { path: place.path.clone(), node: &Node::Text(word.to_owned()) })
}

/// A program and its arguments. No shell ever sees them.
fn command(place: &Place<'_>) -> Read<Vec<String>> {
    let words = texts(place)?;
    match words.first() {
        Some(program) if !Path::new(program).is_absolute() => {
            Err(place.wrong(format!("{program:?} is no absolute path")).hint(
                "write a list: the program with its whole path, then its arguments; no shell looks at them",
            ))
        }
        _ => Ok(words),
    }
}

/// What is in force, as the file would say it.
pub(super) fn written(rotation: &Rotation) -> Value {
    let mut object = Map::new();
    let mut say = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    say("maxsize", json!(rotation.max_bytes));
    if let Some(bytes) = rotation.min_bytes {
        say("minsize", json!(bytes));
    }
    say("rotate", json!(rotation.keep));
    say("maxage", json!(rotation.max_age_days));
    match &rotation.naming {
        Naming::Dated(format) => say("dateformat", json!(format.text)),
        Naming::Numbered => say("dateext", json!(false)),
    }
    say("compress", json!(rotation.compress != Compress::Never));
    say("delaycompress", json!(rotation.compress == Compress::Later));
    let Create { mode, owner } = &rotation.create;
    let words: Vec<String> = mode
        .iter()
        .map(|mode| format!("{mode:04o}"))
        .chain(owner.iter().flat_map(|(user, group)| [user.clone(), group.clone()]))
        .collect();
    if !words.is_empty() {
        say("create", json!(words.join(" ")));
    }
    if let Some(olddir) = &rotation.olddir {
        say("olddir", json!(olddir.to_string_lossy()));
    }
    say("missingok", json!(rotation.missing_ok));
    say("notifempty", json!(rotation.skip_empty));
    say("copytruncate", json!(rotation.copy_truncate));
    if !rotation.post_rotate.is_empty() {
        say("postrotate", json!(rotation.post_rotate));
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Rotation, String> {
        let node = Node::read(json.as_bytes()).map_err(|problem| problem.to_string())?;
        rotation(&Place { path: "logs.a.rotate".to_owned(), node: &node })
            .map_err(|problem| problem.to_string())
    }

    #[test]
    fn sizes_in_words() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("17", Some(17)),
            ("100k", Some(100 << 10)),
            ("100K", Some(100 << 10)),
            ("50M", Some(50 << 20)),
            ("1G", Some(1 << 30)),
            ("", None),
            ("M", None),
            ("5MM", None),
            ("5kM", None),
            ("5 M", None),
            ("5m", None),
            ("-5", None),
            ("+5", None),
            ("1.5G", None),
            ("5T", None),
            ("99999999999999G", None),
        ] {
            assert_eq!(size(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn forms_of_a_date() {
        for (text, parts, written) in [
            (".%Y-%m-%d", 3, ".2025-07-04"),
            ("-%Y%m%d", 3, "-20250704"),
            ("-%Y%m%d%H", 4, "-2025070409"),
            (".%Y-%m-%d_%H:%M:%S", 6, ".2025-07-04_09:05:00"),
        ] {
            let format = DateFormat::new(text).unwrap();
            assert_eq!(
                (format.parts(), format.write(&[2025, 7, 4, 9, 5])),
                (parts, written.to_owned()),
                "{text}"
            );
        }
        for text in [
            "",
            "%Y-%m-%d",
            ".%d-%m-%Y",
            ".%Y-%m",
            ".%Y",
            ".%Y%m-%d",
            ".%Y-%m%d",
            "-%Y%m%d-%H",
            "-%s",
            ".%Y/%m/%d",
            ".%Y-%m-%dx",
        ] {
            assert_eq!(DateFormat::new(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_in_force_reads_as_it_was_written() {
        for json in [
            "{}",
            r#"{"size": "1M", "minsize": 5, "rotate": 7, "compress": false, "create": "0640 cr0 adm"}"#,
            r#"{"dateext": false, "delaycompress": true, "olddir": "old", "postrotate": ["/bin/kill", "-HUP", "1"]}"#,
            r#"{"maxage": null, "rotate": 0, "missingok": true, "notifempty": false, "copytruncate": true, "create": "cr0 adm"}"#,
            r#"{"dateformat": "-%Y%m%d", "create": "0600", "minsize": null}"#,
        ] {
            let rotation = read(json).unwrap();
            assert_eq!(read(&written(&rotation).to_string()), Ok(rotation), "{json}");
        }
    }

    #[test]
    fn counting_alone_or_by_age() {
        for (json, keep, days) in [
            ("{}", 5, Some(30)),
            (r#"{"rotate": 7}"#, 7, None),
            (r#"{"maxage": 3}"#, 5, Some(3)),
            (r#"{"maxage_days": 3, "rotate": 7}"#, 7, Some(3)),
            (r#"{"maxage": null}"#, 5, None),
        ] {
            let rotation = read(json).unwrap();
            assert_eq!((rotation.keep, rotation.max_age_days), (keep, days), "{json}");
        }
        assert_eq!(read(r#"{"size": "2k", "maxsize": "1k"}"#).unwrap().max_bytes, 1024);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_path() {
        for (json, expected) in [
            ("[]", "logs.a.rotate: expected an object, found a list"),
            (r#"{"weekly": true}"#, "logs.a.rotate.weekly: unknown key \"weekly\""),
            (r#"{"size": "50 MB"}"#, "logs.a.rotate.size: must be a number of bytes or a size"),
            (r#"{"minsize": true}"#, "logs.a.rotate.minsize: must be a number of bytes or a size"),
            (
                r#"{"rotate": -1}"#,
                "logs.a.rotate.rotate: expected a whole number from 0 to 100000, found the number -1",
            ),
            (r#"{"maxage": 1, "maxage_days": 1}"#, "logs.a.rotate.maxage_days: says the same as \"maxage\""),
            (
                r#"{"compress": "yes"}"#,
                "logs.a.rotate.compress: expected true or false, found the text \"yes\"",
            ),
            (
                r#"{"dateformat": "-%s"}"#,
                "logs.a.rotate.dateformat: is no form of a date that sorts as days do",
            ),
            (
                r#"{"dateext": false, "dateformat": "-%Y%m%d"}"#,
                "logs.a.rotate.dateformat: names no file where \"dateext\" is false",
            ),
            (r#"{"create": "cr0"}"#, "logs.a.rotate.create: \"cr0\" does not say whom the new file is for"),
            (r#"{"create": "9999 cr0 adm"}"#, "logs.a.rotate.create: must be an octal mode in quotes"),
            (
                r#"{"postrotate": "kill -HUP 1"}"#,
                "logs.a.rotate.postrotate: expected a list, found the text \"kill -HUP 1\"",
            ),
            (r#"{"postrotate": ["kill"]}"#, "logs.a.rotate.postrotate: \"kill\" is no absolute path"),
            (r#"{"olddir": ""}"#, "logs.a.rotate.olddir: must not be empty"),
        ] {
            assert_eq!(read(json), Err(expected.to_owned()), "{json}");
        }
    }
}
