//! Tests of what is found in lines of which somebody changed some.

use super::*;
use crate::events::{Event, Severity};

/// Ten lines: 1 2 o o 3 4 5 o 6 7, of which those with o are of somebody else.
fn lines() -> Vec<String> {
    let (mut lines, mut head) = (Vec::new(), Head::default());
    for n in 0..10 {
        let text = if [2, 3, 7].contains(&n) {
            let text = format!(r#"{{"type":"PAGE","n":{n}}}"#);
            head.digest = fold(&head.digest, &line::digest(text.as_bytes()));
            text
        } else {
            let event = Event {
                kind: "TEST".to_owned(),
                severity: Severity::Low,
                details: serde_json::json!({ "n": n }),
                ip: None,
                session: None,
            };
            let link = line::Link { seq: head.seq + 1, prev: &head.digest, behind: None };
            let text = line::line(&event, "now", link).unwrap_or_default();
            let text = text.trim_end().to_owned();
            head = Head { seq: head.seq + 1, digest: line::digest(text.as_bytes()) };
            text
        };
        lines.push(text);
    }
    lines
}

fn follow<'a>(lines: impl IntoIterator<Item = &'a String>, head: &Head) -> Chain {
    let mut chain = Chain::from(head);
    for text in lines {
        let text = text.as_bytes();
        chain.next(&Line {
            text: Some(text),
            digest: line::digest(text),
            bytes: u64::try_from(text.len() + 1).unwrap_or(0),
            has_end: true,
        });
    }
    chain
}

/// The first line that is named, the number of the event, and what is wrong.
fn told(chain: &Chain) -> Vec<(u64, u64, Break)> {
    chain.found().iter().map(|found| (found.at.line, found.seq, found.what.clone())).collect()
}

#[test]
fn lines_that_nobody_touched_follow_each_other_wherever_one_begins() {
    let lines = lines();
    let mut head = Head::default();
    for (at, text) in lines.iter().enumerate() {
        let chain = follow(&lines[at..], &head);
        assert_eq!((told(&chain), chain.unheld().0), (vec![], 0), "from line {at}");
        head = follow([text], &head).head();
    }
    let chain = follow(&lines, &Head::default());
    assert_eq!((chain.ours, chain.others, chain.head()), (7, 3, head));
    assert_eq!(
        chain.last().map(|(at, digest)| (at.line, digest.to_owned())),
        Some((10, line::digest(lines[9].as_bytes())))
    );
}

#[test]
fn what_somebody_did_is_found_and_the_line_is_named() {
    let whole = lines();
    let order = |order: &[usize]| order.iter().map(|n| whole[*n].clone()).collect::<Vec<_>>();
    let edited = |n: usize, from: &str, to: &str| {
        let mut lines = whole.clone();
        assert!(lines[n].contains(from), "{}", lines[n]);
        lines[n] = lines[n].replacen(from, to, 1);
        lines
    };
    let with = |n: usize, text: &str| {
        let mut lines = whole.clone();
        lines.insert(n, text.to_owned());
        lines
    };
    let at = |line: u64| At { file: 0, line };
    let (changed, moved) = (|line: u64| Break::Changed(at(line)), |line: u64| Break::Moved(at(line)));
    let forged = whole[4].replace("\"seq\":3", "\"seq\":9223372036854775807");
    for (case, lines, expected) in [
        ("the first is gone", order(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), vec![(1, 2, Break::Missing(1, 1))]),
        ("one of ours is gone", order(&[0, 1, 2, 3, 4, 6, 7, 8, 9]), vec![(6, 5, Break::Missing(4, 4))]),
        ("two of ours are gone", order(&[0, 1, 2, 3, 6, 7, 8, 9]), vec![(5, 5, Break::Missing(3, 4))]),
        (
            "ours before others is gone",
            order(&[0, 2, 3, 4, 5, 6, 7, 8, 9]),
            vec![(4, 3, Break::Missing(2, 2))],
        ),
        ("the first of others is gone", order(&[0, 1, 3, 4, 5, 6, 7, 8, 9]), vec![(2, 2, changed(3))]),
        ("the last of others is gone", order(&[0, 1, 2, 4, 5, 6, 7, 8, 9]), vec![(2, 2, changed(3))]),
        ("all of others are gone", order(&[0, 1, 4, 5, 6, 7, 8, 9]), vec![(2, 2, changed(2))]),
        ("one of ours is edited", edited(5, "\"n\":5", "\"n\":6"), vec![(6, 4, changed(6))]),
        ("the first is edited", edited(0, "LOW", "INFO"), vec![(1, 1, changed(1))]),
        ("ours before others is edited", edited(1, "\"n\":1", "\"n\":2"), vec![(2, 2, changed(4))]),
        ("the first of others is edited", edited(2, "PAGE", "page"), vec![(2, 2, changed(4))]),
        ("the last of others is edited", edited(3, "PAGE", "page"), vec![(2, 2, changed(4))]),
        ("the number of one is edited", edited(5, "\"seq\":4", "\"seq\":8"), vec![(6, 4, changed(6))]),
        ("what one names is edited", edited(5, "\"prev\":\"", "\"prev\":\"0"), vec![(5, 3, changed(6))]),
        (
            "two are edited",
            edited(5, "\"n\":5", "\"n\":6")
                .into_iter()
                .enumerate()
                .map(|(n, text)| if n == 6 { text.replace("\"n\":6", "\"n\":7") } else { text })
                .collect(),
            vec![(6, 4, changed(8))],
        ),
        ("one is made one of others", edited(5, "\"seq\"", "\"sex\""), vec![(7, 5, Break::Missing(4, 4))]),
        ("two of ours are swapped", order(&[0, 1, 2, 3, 5, 4, 6, 7, 8, 9]), vec![(5, 4, moved(6))]),
        ("two of others are swapped", order(&[0, 1, 3, 2, 4, 5, 6, 7, 8, 9]), vec![(2, 2, changed(4))]),
        ("one is there twice", order(&[0, 1, 2, 3, 4, 5, 4, 6, 7, 8, 9]), vec![(7, 3, Break::Inserted)]),
        (
            "one of before is put at the end",
            order(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 4]),
            vec![(11, 3, Break::Again)],
        ),
        (
            "one with a number without end is put in",
            with(6, &forged),
            vec![(7, 9_223_372_036_854_775_807, Break::Inserted)],
        ),
        ("one of others is put in", with(3, "{}"), vec![(2, 2, changed(5))]),
        (
            "one says that nobody knew",
            edited(5, &whole[5][whole[5].find("prev\":").unwrap()..], &format!("prev\":\"{UNKNOWN}\"}}")),
            vec![(6, 4, Break::Unknown), (6, 4, changed(6))],
        ),
    ] {
        assert_eq!(told(&follow(&lines, &Head::default())), expected, "{case}: {lines:#?}");
    }
}

/// The text of an event of ours.
fn ours(seq: u64, prev: &str, behind: Option<u64>) -> String {
    let (kind, details) = ("TEST".to_owned(), serde_json::json!({ "n": seq }));
    let event = Event { kind, severity: Severity::Low, details, ip: None, session: None };
    let text = line::line(&event, "now", line::Link { seq, prev, behind }).unwrap_or_default();
    text.trim_end().to_owned()
}

fn page(n: usize) -> String {
    format!(r#"{{"type":"PAGE","n":{n}}}"#)
}

fn all(before: &str, texts: &[String]) -> String {
    texts.iter().fold(before.to_owned(), |before, text| fold(&before, &line::digest(text.as_bytes())))
}

/// Two events, behind the first of which so many lines were held, and so many came in the moment of the second; and two more
/// events, the first of which knows of those.
fn moment(held: usize, moment: usize) -> Vec<String> {
    let first = ours(1, "", None);
    let pages: Vec<String> = (0..held + moment).map(page).collect();
    let own = line::digest(first.as_bytes());
    let second = ours(2, &all(&own, &pages[..held]), None);
    let moment = &pages[held..];
    let own = line::digest(second.as_bytes());
    let known = if moment.len() > MOMENT { own } else { all(&own, moment) };
    let third = ours(3, &known, None);
    let fourth = ours(4, &line::digest(third.as_bytes()), None);
    [vec![first], pages, vec![second, third, fourth]].concat()
}

#[test]
fn lines_that_came_in_a_moment_are_held_by_the_next_event_and_no_break() {
    for held in [0, 1, 5, 200] {
        for count in [0, 1, MOMENT] {
            let lines = moment(held, count);
            let chain = follow(&lines, &Head::default());
            assert_eq!((told(&chain), chain.unheld()), (vec![], (0, None)), "{held} {count}");
            // Before the last event nothing has proved them.
            let chain = follow(&lines[..lines.len() - 2], &Head::default());
            let first = At { file: 0, line: u64::try_from(held).unwrap_or(0) + 2 };
            let expected = (u64::try_from(count).unwrap_or(0), (count > 0).then_some(first));
            assert_eq!((told(&chain), chain.unheld()), (vec![], expected), "{held} {count}");
        }
    }
}

#[test]
fn lines_put_in_between_two_events_are_found_however_many() {
    for held in [0, 1, 5, 200] {
        for honest in [0, 1, 3] {
            for count in [1, 2, MOMENT, MOMENT + 1, 1_000] {
                for place in ["before", "behind", "among"] {
                    let mut lines = moment(held, honest);
                    let at = match place {
                        "before" => 1,
                        "among" => 1 + held / 2,
                        _ => 1 + held + honest,
                    };
                    lines.splice(at..at, (0..count).map(|n| page(10_000 + n)));
                    let chain = follow(&lines, &Head::default());
                    let found = told(&chain);
                    let case = format!("{count} {place} {held} held and {honest} of the moment: {found:?}");
                    assert!((1..=2).contains(&found.len()), "{case}");
                    if held == 0 && honest == 0 {
                        let put = Break::Put(u64::try_from(count).unwrap_or(0));
                        assert_eq!(found, [(2, 2, put)], "{case}");
                        assert_eq!(chain.unheld().0, u64::try_from(count).unwrap_or(0), "{case}");
                    }
                }
            }
        }
    }
}

#[test]
fn of_too_many_lines_an_event_says_how_many_bytes_it_does_not_hold() {
    let first = ours(1, "", None);
    let pages: Vec<String> = (0..1_000).map(page).collect();
    let size = |texts: &[String]| texts.iter().map(|text| u64::try_from(text.len() + 1).unwrap_or(0)).sum();
    let own = line::digest(first.as_bytes());
    // Three of them came in its moment.
    let second = ours(2, &own, Some(size(&pages[..997])));
    let third = ours(3, &all(&line::digest(second.as_bytes()), &pages[997..]), None);
    let lines = [vec![first], pages, vec![second, third]].concat();
    let chain = follow(&lines, &Head::default());
    assert_eq!((told(&chain), chain.unheld()), (vec![], (997, Some(At { file: 0, line: 2 }))));
    for (at, put) in [(5, true), (500, true), (1_001, true), (5, false), (1_000, false)] {
        let mut lines = lines.clone();
        if put {
            lines.insert(at, page(5_000));
        } else {
            lines.remove(at);
        }
        assert_eq!(told(&follow(&lines, &Head::default())).len(), 1, "{at} {put}");
    }
}

#[test]
fn breaks_are_counted_and_not_all_told() {
    let lines: Vec<String> = (0..500).map(|n| format!(r#"{{"seq":{},"prev":"x"}}"#, n * 2 + 2)).collect();
    let chain = follow(&lines, &Head::default());
    assert_eq!((chain.found().len(), chain.breaks), (MAX_TOLD, 500));
}
