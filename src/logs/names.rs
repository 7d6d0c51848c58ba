//! Names of rotated files: which belong to a log, and which is older.
//!
//! Pure. The schemes are those of logrotate (`.1`, `-20250714`, dateext with `extension`), of Python's handlers
//! (`.1`, `.2025-07-14`, `.2025-07-14_09-31-02`), of our own rotation (`.2025-07-14`, a second one `.2025-07-14-2`) and
//! of people (`.old`, `.yesterday`). Names are bytes.

use std::path::Path;

pub(crate) use crate::config::stem;

/// How a rotated file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Not at all.
    Plain,
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878.
    Zstandard,
}

/// Which rotated file it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Age {
    /// Counted: the larger, the older.
    Number(u32),
    /// Dated, with the digits of the name in order: the smaller, the older.
    Date(Vec<u32>),
    /// The only one of its kind.
    Word,
}

/// One rotated file of a log, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rotated {
    pub(crate) age: Age,
    pub(crate) packing: Packing,
}

/// Longer numbers than this are no count of rotations.
const MAX_DIGITS: usize = 5;

/// What a name says about a log whose file has the name `live`; `None` when it is no rotated file of it.
pub(crate) fn rotated(live: &[u8], name: &[u8]) -> Option<Rotated> {
    let (plain, packing) = match name {
        _ if name.ends_with(b".gz") => (name.get(..name.len() - 3)?, Packing::Gzip),
        _ if name.ends_with(b".zst") => (name.get(..name.len() - 4)?, Packing::Zstandard),
        _ => (name, Packing::Plain),
    };
    let behind = plain.strip_prefix(live).and_then(age);
    let inside = || {
        // The date before the extension: bot-20250714.log for bot.log.
        let (stem, extension) = live.split_at(stem(live).len());
        plain.strip_prefix(stem)?.strip_suffix(extension).filter(|_| !extension.is_empty()).and_then(age)
    };
    behind.or_else(inside).map(|age| Rotated { age, packing })
}

fn age(rest: &[u8]) -> Option<Age> {
    if rest == b".old" || rest == b".yesterday" {
        return Some(Age::Word);
    }
    let (first, rest) = rest.split_first()?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (first, digits) {
        (b'.', 1..=MAX_DIGITS) if digits == rest.len() => number(rest).map(Age::Number),
        (b'-' | b'.', 8..) => date(rest),
        (b'.' | b'-', 4) => date(rest),
        _ => None,
    }
}

/// Years, months and days, and whatever numbers follow to tell files of one day apart.
fn date(text: &[u8]) -> Option<Age> {
    let mut parts: Vec<u32> = Vec::new();
    let is_separator = |byte: &u8| b"-_.:T".contains(byte);
    for part in text.split(is_separator) {
        match (parts.len(), part.len()) {
            // All of it in one, with an hour or none.
            (0, 8 | 10 | 12 | 14) => {
                parts.push(number(part.get(..4)?)?);
                for pair in part.get(4..)?.chunks(2) {
                    parts.push(number(pair)?);
                }
            }
            (0, 4) | (1.., 1..=10) => parts.push(number(part)?),
            _ => return None,
        }
    }
    let (month, day) = (*parts.get(1)?, *parts.get(2)?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some(Age::Date(parts))
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
}

/// Brings rotated files in order, the oldest first. Names say it where all of them count or all of them have dates, and
/// numbers only within one directory; otherwise the time of the last write does, which renaming and packing keep. It also
/// does for the files of a day of which two have the same date.
pub(crate) fn oldest_first<T>(
    files: &mut [T],
    age: impl Fn(&T) -> &Age,
    written: impl Fn(&T) -> i128,
    directory: impl Fn(&T) -> Option<&Path>,
) {
    let all = |is: fn(&Age) -> bool| files.iter().all(|file| is(age(file)));
    let is_one = files.iter().zip(files.iter().skip(1)).all(|(a, b)| directory(a) == directory(b));
    if is_one && all(|age| matches!(age, Age::Number(_))) {
        files.sort_by_key(|file| match age(file) {
            Age::Number(number) => std::cmp::Reverse(*number),
            Age::Date(_) | Age::Word => std::cmp::Reverse(0),
        });
    } else if all(|age| matches!(age, Age::Date(_))) {
        files.sort_by(|a, b| match (age(a), age(b)) {
            (Age::Date(a), Age::Date(b)) => a.cmp(b),
            _ => std::cmp::Ordering::Equal,
        });
        for day in files.chunk_by_mut(|file, other| day(age(file)) == day(age(other))) {
            if day.iter().zip(day.iter().skip(1)).any(|(file, other)| age(file) == age(other)) {
                day.sort_by_key(&written);
            }
        }
    } else {
        files.sort_by_key(written);
    }
}

/// Year, month and day of a date.
fn day(age: &Age) -> Option<&[u32]> {
    match age {
        Age::Date(date) => date.get(..3),
        Age::Number(_) | Age::Word => None,
    }
}

/// Whether a rotated file of the log whose file has the name `live` is certainly older than another one, by their names.
pub(crate) fn is_older(live: &[u8], file: &Path, other: &Path) -> bool {
    let age = |path: &Path| Some(rotated(live, path.file_name()?.as_encoded_bytes())?.age);
    let is_one = file.parent() == other.parent();
    match (age(file), age(other)) {
        (Some(Age::Number(file_number)), Some(Age::Number(number))) => is_one && file_number > number,
        (Some(Age::Date(date)), Some(Age::Date(other))) if is_one => date < other,
        (Some(date), Some(other)) => day(&date) < day(&other) && day(&date).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_files() {
        let date = |parts: &[u32]| Some(Age::Date(parts.to_vec()));
        for (name, age, packing) in [
            ("bot.log.1", Some(Age::Number(1)), Packing::Plain),
            ("bot.log.12.gz", Some(Age::Number(12)), Packing::Gzip),
            ("bot.log-20250714", date(&[2025, 7, 14]), Packing::Plain),
            ("bot.log-2025071409.zst", date(&[2025, 7, 14, 9]), Packing::Zstandard),
            ("bot.log-20250714-1752480000", date(&[2025, 7, 14, 1_752_480_000]), Packing::Plain),
            ("bot.log.2025-07-14", date(&[2025, 7, 14]), Packing::Plain),
            ("bot.log.2025-07-14-2.gz", date(&[2025, 7, 14, 2]), Packing::Gzip),
            ("bot.log.2025-07-14_09-31-02", date(&[2025, 7, 14, 9, 31, 2]), Packing::Plain),
            ("bot-20250714.log", date(&[2025, 7, 14]), Packing::Plain),
            ("bot.1.log", Some(Age::Number(1)), Packing::Plain),
            ("bot.log.yesterday", Some(Age::Word), Packing::Plain),
            ("bot.log.old.gz", Some(Age::Word), Packing::Gzip),
        ] {
            let found = rotated(b"bot.log", name.as_bytes());
            assert_eq!(found.as_ref().map(|rotated| &rotated.age), age.as_ref(), "{name}");
            assert_eq!(found.map(|rotated| rotated.packing), Some(packing), "{name}");
        }
        for name in [
            "bot.log",
            "bot.log.gz",
            "bot.log.merged",
            "bot.log.123456",
            "bot.log.1.2",
            "bot.log-2025",
            "bot2.log.1",
            "bot.log.2025-13-01",
            "bot.log.1.gz.new-x",
            "x.bot.log.1",
            "bot.log.20a5-01-01",
            "bot.log.",
        ] {
            assert_eq!(rotated(b"bot.log", name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn the_oldest_comes_first() {
        let order = |names: &[(&'static str, i128)]| -> Vec<&'static str> {
            let mut files: Vec<_> = names
                .iter()
                .filter_map(|(name, at)| {
                    let file = Path::new(name).file_name()?.as_encoded_bytes();
                    Some((*name, rotated(b"b", file)?.age, *at))
                })
                .collect();
            oldest_first(&mut files, |file| &file.1, |file| file.2, |file| Path::new(file.0).parent());
            files.into_iter().map(|file| file.0).collect()
        };
        assert_eq!(order(&[("b.1", 1), ("b.10", 9), ("b.2.gz", 5)]), ["b.10", "b.2.gz", "b.1"]);
        assert_eq!(
            order(&[("b-20250102", 1), ("b.2025-01-01-2", 2), ("b.2025-01-01", 3)]),
            ["b.2025-01-01", "b.2025-01-01-2", "b-20250102"]
        );
        // Whoever begins to count anew elsewhere has the younger ones there.
        assert_eq!(
            order(&[("new/b.1", 9), ("old/b.1", 3), ("old/b.2", 1), ("new/b.2", 6)]),
            ["old/b.2", "old/b.1", "new/b.2", "new/b.1"]
        );
        // Nor do dates say it that are given again elsewhere.
        assert_eq!(
            order(&[
                ("new/b-20250102", 9),
                ("new/b-20250103", 10),
                ("old/b-20250101", 2),
                ("old/b-20250102", 4)
            ]),
            ["old/b-20250101", "old/b-20250102", "new/b-20250102", "new/b-20250103"]
        );
        assert_eq!(
            order(&[("new/b.2025-01-02", 9), ("old/b.2025-01-02", 3), ("old/b.2025-01-02-2", 4)]),
            ["old/b.2025-01-02", "old/b.2025-01-02-2", "new/b.2025-01-02"]
        );
        assert_eq!(order(&[("b.1", 9), ("b-20250102", 4), ("b.old", 5)]), ["b-20250102", "b.old", "b.1"]);
    }
}
