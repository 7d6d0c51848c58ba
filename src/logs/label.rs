//! How the next rotated file is to be called. Pure.
//!
//! Apart from `names`, which reads such names. Names tell the order of what is in the files, so a new one always comes behind
//! all that there are, even when the clock has gone back, and is never taken.

use crate::config::DateFormat;

use super::names::{self, Age};

/// The name for a file that is rotated at a date (year, month, day, hour, minute, second), next to others.
pub(crate) fn dated(live: &[u8], others: &[Vec<u8>], format: &DateFormat, date: &[u32]) -> Vec<u8> {
    let parts = format.parts();
    let today: Vec<u32> = date.iter().copied().take(parts).collect();
    let dates = others.iter().filter_map(|name| match names::rotated(live, name)?.age {
        Age::Date(date) => Some(date),
        Age::Number(_) | Age::Word => None,
    });
    let text = match dates.max() {
        Some(newest) if newest >= today => {
            // A second one of that time, or a clock that has gone back.
            let count = newest.get(parts).map_or(2, |count| count.saturating_add(1));
            let day: Vec<u32> = newest.into_iter().take(parts).collect();
            format!("{}-{count}", format.write(&day))
        }
        _ => format.write(&today),
    };
    [live, text.as_bytes()].concat()
}

/// What is to be renamed before a numbered file can be put in place, in this order: each number, with what is behind it, and
/// the name that it gets.
pub(crate) fn shifted(live: &[u8], others: &[Vec<u8>]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut numbered: Vec<(u32, &Vec<u8>)> = others
        .iter()
        .filter_map(|name| match names::rotated(live, name)?.age {
            Age::Number(number) if name.starts_with(live) => Some((number, name)),
            _ => None,
        })
        .collect();
    numbered.sort_unstable();
    // Those behind a gap need not make room.
    let mut room = 1;
    let mut moving: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (number, name) in numbered {
        if number > room {
            break;
        }
        let packing: &[u8] = if name.ends_with(b".gz") {
            b".gz"
        } else if name.ends_with(b".zst") {
            b".zst"
        } else {
            b""
        };
        let new = [live, format!(".{}", number.saturating_add(1)).as_bytes(), packing].concat();
        moving.push((name.clone(), new));
        room = number.saturating_add(1);
    }
    moving.reverse();
    moving
}

/// The name of the newest numbered file.
pub(crate) fn first(live: &[u8]) -> Vec<u8> {
    [live, b".1"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(names: &[&str]) -> Vec<Vec<u8>> {
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    #[test]
    fn the_next_dated_name_is_new_and_comes_last() {
        let day = ".%Y-%m-%d";
        let second = "-%Y%m%d%H%M%S";
        for (what, format, others, expected) in [
            ("the first", day, &[][..], "b.log.2025-07-14"),
            ("another day", day, &["b.log.2025-07-13"][..], "b.log.2025-07-14"),
            ("another count", day, &["b.log.2025-07-13-9"], "b.log.2025-07-14"),
            ("the second", day, &["b.log.2025-07-14"], "b.log.2025-07-14-2"),
            ("packed", day, &["b.log.2025-07-14.gz"], "b.log.2025-07-14-2"),
            ("the third", day, &["b.log.2025-07-14", "b.log.2025-07-14-2.gz"], "b.log.2025-07-14-3"),
            ("the tenth", day, &["b.log.2025-07-14-9", "b.log.2025-07-14-10"], "b.log.2025-07-14-11"),
            ("the clock went back", day, &["b.log.2025-07-20"], "b.log.2025-07-20-2"),
            ("and again", day, &["b.log.2025-07-20", "b.log.2025-07-20-2"], "b.log.2025-07-20-3"),
            ("of another's form", day, &["b.log-20250714"], "b.log.2025-07-14-2"),
            ("with an hour", day, &["b.log.2025-07-14_09-31-02"], "b.log.2025-07-14-10"),
            ("of another log", day, &["c.log.2025-07-14", "b.log.1"], "b.log.2025-07-14"),
            ("to the second", second, &["b.log.2025-07-14"], "b.log-20250714093102"),
            ("twice in a second", second, &["b.log-20250714093102"], "b.log-20250714093102-2"),
            ("a day that is later", second, &["b.log.2025-07-15"], "b.log-20250715000000-2"),
        ] {
            let format = DateFormat::new(format).unwrap();
            let others = bytes(others);
            let name = dated(b"b.log", &others, &format, &[2025, 7, 14, 9, 31, 2]);
            assert_eq!(String::from_utf8_lossy(&name), expected, "{what}");
            assert!(!others.contains(&name));
            let age = |name: &[u8]| names::rotated(b"b.log", name).map(|rotated| rotated.age);
            let Some(Age::Date(new)) = age(&name) else { panic!("{what}: {expected} is no rotated file") };
            for other in &others {
                if let Some(Age::Date(other)) = age(other) {
                    assert!(other < new, "{what}");
                }
            }
        }
    }

    #[test]
    fn numbers_make_room() {
        for (others, expected) in [
            (&[][..], &[][..]),
            (&["b.log.2"], &[]),
            (&["b.log.1"], &[("b.log.1", "b.log.2")]),
            (
                &["b.log.1", "b.log.2.gz", "b.log.4", "b.log.old"],
                &[("b.log.2.gz", "b.log.3.gz"), ("b.log.1", "b.log.2")],
            ),
        ] {
            let expected: Vec<(Vec<u8>, Vec<u8>)> =
                expected.iter().map(|(a, b)| (a.as_bytes().to_vec(), b.as_bytes().to_vec())).collect();
            assert_eq!(shifted(b"b.log", &bytes(others)), expected, "{others:?}");
        }
    }
}
