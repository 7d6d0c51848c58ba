//! How the next rotated file is to be called. Pure.
//!
//! Apart from `names`, which reads such names. Names tell the order of what is in the files, so a new one always comes behind
//! all that there are, even when the clock has gone back, and is never taken.

use std::collections::{BTreeMap, BTreeSet};

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

/// How a numbered file can be put in place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    /// What is to be renamed before, in this order: each name, and the one that it gets.
    pub(crate) moves: Vec<(Vec<u8>, Vec<u8>)>,
    /// The name that is free then.
    pub(crate) first: Vec<u8>,
}

/// Makes room for a numbered file that is younger than all others: each gets a larger number, as far as it must, with what
/// stands behind the number. What is `fixed` is not ours to rename, so its numbers are passed over, packed or not.
pub(crate) fn shifted(live: &[u8], others: &[Vec<u8>], fixed: &[Vec<u8>]) -> Room {
    let number = |name: &Vec<u8>| match names::rotated(live, name)?.age {
        Age::Number(number) if name.starts_with(live) => Some(number),
        _ => None,
    };
    let taken: BTreeSet<u32> = fixed.iter().filter_map(number).collect();
    let free_from = |from: u32| (from..).find(|number| !taken.contains(number)).unwrap_or(from);
    // A packed file may lie beside the one that it was packed from.
    let mut numbered: BTreeMap<u32, Vec<&Vec<u8>>> = BTreeMap::new();
    for name in others {
        if let Some(number) = number(name) {
            numbered.entry(number).or_default().push(name);
        }
    }
    let first = free_from(1);
    let mut last = first;
    let mut moves: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (number, names) in numbered {
        // Those behind a gap need not make room.
        if number > last {
            break;
        }
        last = free_from(last.saturating_add(1));
        for name in names {
            moves.push((name.clone(), [live, format!(".{last}").as_bytes(), packing(name)].concat()));
        }
    }
    moves.reverse();
    Room { moves, first: [live, format!(".{first}").as_bytes()].concat() }
}

/// What stands behind the number.
fn packing(name: &[u8]) -> &'static [u8] {
    match name {
        _ if name.ends_with(b".gz") => b".gz",
        _ if name.ends_with(b".zst") => b".zst",
        _ => b"",
    }
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
        type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
        let table: &[Case<'_>] = &[
            (&[], &[], &[], "b.log.1"),
            (&["b.log.2"], &[], &[], "b.log.1"),
            (&["b.log.1"], &[], &[("b.log.1", "b.log.2")], "b.log.1"),
            (
                &["b.log.1", "b.log.2.gz", "b.log.4", "b.log.old"],
                &[],
                &[("b.log.2.gz", "b.log.3.gz"), ("b.log.1", "b.log.2")],
                "b.log.1",
            ),
            // Packed by a run that died, or by somebody else.
            (
                &["b.log.1", "b.log.1.gz", "b.log.2.gz", "b.log.2"],
                &[],
                &[
                    ("b.log.2", "b.log.3"),
                    ("b.log.2.gz", "b.log.3.gz"),
                    ("b.log.1.gz", "b.log.2.gz"),
                    ("b.log.1", "b.log.2"),
                ],
                "b.log.1",
            ),
            // What is not ours stays, and no order is lost for it.
            (&[], &["b.log.1"], &[], "b.log.2"),
            (&["b.log.1"], &["b.log.2"], &[("b.log.1", "b.log.3")], "b.log.1"),
            (
                &["b.log.1", "b.log.2.gz", "b.log.3", "b.log.6"],
                &["b.log.2", "b.log.4.gz"],
                &[
                    ("b.log.6", "b.log.7"),
                    ("b.log.3", "b.log.6"),
                    ("b.log.2.gz", "b.log.5.gz"),
                    ("b.log.1", "b.log.3"),
                ],
                "b.log.1",
            ),
        ];
        for (others, fixed, moves, first) in table {
            let (others, fixed) = (bytes(others), bytes(fixed));
            let room = shifted(b"b.log", &others, &fixed);
            let text = |name: &Vec<u8>| String::from_utf8_lossy(name).into_owned();
            let found: Vec<_> = room.moves.iter().map(|(from, to)| (text(from), text(to))).collect();
            let expected: Vec<_> =
                moves.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
            assert_eq!((found, text(&room.first)), (expected, (*first).to_owned()), "{others:?} {fixed:?}");
            // In this order nothing is ever written over.
            let mut there: Vec<Vec<u8>> = [others, fixed].concat();
            for (from, to) in room.moves {
                assert!(!there.contains(&to), "{to:?}");
                there.retain(|name| *name != from);
                there.push(to);
            }
            assert!(!there.contains(&room.first));
        }
    }
}
