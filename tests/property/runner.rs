//! Carries a case out on real files and compares with the model after every run.
//!
//! Apart from the model, which never sees a file, and from `family`, which runs many cases and makes failures small.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::case::{ANCHOR, Case, Lock, Round};
use super::compare::{after, compare};
use super::expect::{Before, Expected, Frame, expect};
use super::merge::Meeting;
use super::model::{Snap, Token, observe};
use super::schema::{Domain, Orphan, Policy};
use crate::common::{Dump, NAME, Val, World, assert_agreed, differences, dump, is_empty_run, open};

pub(crate) const NAMES: [&str; 3] = ["bot", "central", "website"];
const OTHER_NAMES: [&str; 3] = ["zulu", "mike", "alfa"];

/// What went wrong, or nothing.
pub(crate) type Verdict = Result<(), String>;

pub(crate) fn tables_json(case: &Case) -> Map<String, Value> {
    case.tables.iter().filter_map(|table| Some((table.name.clone(), table.json()?))).collect()
}

/// Preference by side: named ones first, then the hub, then by name.
fn ranks(case: &Case) -> Vec<usize> {
    let mut order = case.prefer.clone();
    let mut rest: Vec<usize> = (0..case.sides).filter(|side| !order.contains(side)).collect();
    rest.sort_by_key(|side| (*side != case.hub, NAMES[*side]));
    order.extend(rest);
    (0..case.sides).map(|side| order.iter().position(|one| *one == side).unwrap()).collect()
}

/// A world for a case. The mirror has other names, other orders, and says its preference in full.
fn world(case: &Case, names: &[&str], mirrored: bool) -> World {
    let mut order: Vec<usize> = (0..case.sides).collect();
    if mirrored {
        order.reverse();
    }
    let listed: Vec<&str> = order.iter().map(|side| names[*side]).collect();
    let mut world = World::with_hub(&listed, names[case.hub]);
    world.json["guards"]["busy_timeout_ms"] = json!(25);
    let mut tables = tables_json(case);
    if mirrored {
        tables = tables.into_iter().rev().collect();
    }
    world.json["databases"][NAME]["tables"] = Value::Object(tables);
    let prefer: Vec<&str> = if mirrored {
        let rank = ranks(case);
        let mut order: Vec<usize> = (0..case.sides).collect();
        order.sort_by_key(|side| rank[*side]);
        order.iter().map(|side| names[*side]).collect()
    } else {
        case.prefer.iter().map(|side| names[*side]).collect()
    };
    if !prefer.is_empty() {
        world.json["databases"][NAME]["prefer"] = json!(prefer);
    }
    let mut setup: Vec<String> = case.tables.iter().map(|table| table.sql.clone()).collect();
    setup.push(format!("CREATE TABLE {ANCHOR}(k TEXT NOT NULL PRIMARY KEY)"));
    setup.push(format!("INSERT INTO {ANCHOR} VALUES('stays')"));
    setup.extend(case.seed_rows.iter().cloned());
    for (side, name) in names.iter().enumerate().take(case.sides) {
        if case.filled || side == case.hub {
            let db = open(&world.path(name));
            db.execute_batch("BEGIN").unwrap();
            for sql in &setup {
                edit(&db, sql);
            }
            db.execute_batch("COMMIT").unwrap();
        }
    }
    world
}

/// One edit; one that fails changes nothing.
fn edit(db: &Connection, sql: &str) {
    db.execute_batch("SAVEPOINT edit").unwrap();
    if let Err(error) = db.execute_batch(sql) {
        assert!(!error.to_string().contains("syntax"), "{sql}: {error}");
        db.execute_batch("ROLLBACK TO edit; DROP TABLE IF EXISTS temp.x").unwrap();
    }
    db.execute_batch("RELEASE edit").unwrap();
}

/// Everything a run left behind, to be compared with the same run under other names.
#[derive(PartialEq, Debug, Default)]
struct Trace {
    dumps: Vec<Vec<Dump>>,
    conflicts: Vec<Vec<String>>,
}

pub(crate) fn run(case: &Case) -> Verdict {
    let trace = play(case, &NAMES, false)?;
    if case.mirror {
        let mirror =
            play(case, &OTHER_NAMES, true).map_err(|problem| format!("under other names: {problem}"))?;
        for (n, (left, right)) in trace.dumps.iter().zip(&mirror.dumps).enumerate() {
            for (left, right) in left.iter().zip(right) {
                let lines = differences("first", left, "mirror", right);
                if !lines.is_empty() {
                    return Err(format!("run {n}: names and order of sides matter:\n{}", lines.join("\n")));
                }
            }
        }
        if trace.conflicts != mirror.conflicts {
            return Err(format!(
                "order of sides changes conflicts: {:?} or {:?}",
                trace.conflicts, mirror.conflicts
            ));
        }
    }
    Ok(())
}

fn play(case: &Case, names: &[&str], mirrored: bool) -> Result<Trace, String> {
    let world = world(case, names, mirrored);
    let frame = Frame { tables: &case.tables, hub: case.hub, rank: ranks(case) };
    let mut trace = Trace::default();
    let first = world.sync();
    if first["ok"] != json!(true) || first["conflicts"] != json!(0) {
        return Err(format!("the first run of equal sides: {first:#}"));
    }
    let owners: Vec<Connection> = names[..case.sides].iter().map(|name| open(&world.path(name))).collect();
    let mut ancestors: Vec<Option<Snap>> =
        dumps(&owners).iter().map(|dump| Some(super::model::ancestor(&case.tables, dump))).collect();
    let mut held = BTreeSet::new();
    let mut late = None;
    let mut said = BTreeSet::new();
    for (n, round) in case.rounds.iter().enumerate() {
        for (side, db) in owners.iter().enumerate() {
            db.execute_batch("BEGIN").unwrap();
            for (_, sql) in round.edits.iter().filter(|(at, _)| *at == side) {
                edit(db, sql);
            }
            db.execute_batch("COMMIT").unwrap();
        }
        let meeting = if round.forget {
            let state = world.root().join("sync_state");
            std::fs::remove_dir_all(&state).map_err(|error| format!("{}: {error}", state.display()))?;
            ancestors = vec![None; case.sides];
            said.clear();
            Meeting::First
        } else {
            Meeting::Usual
        };
        let was = dumps(&owners);
        let out = locked_sync(&world, &owners, round);
        let is = dumps(&owners);
        let quiet = out["conflicts"] == json!(0) && !case.seed.is_multiple_of(4);
        let news = if quiet { Vec::new() } else { new_conflicts(&world, &mut said) };
        let context = |lines: Vec<String>| {
            format!(
                "after the run of round {}:\n{}\nnew conflicts: {:#?}\nreport: {out:#}",
                n + 1,
                lines.join("\n"),
                news
            )
        };
        if out["ok"] != json!(true) {
            return Err(context(vec!["the run failed".into()]));
        }
        if out["conflicts"].as_u64() != Some(news.len() as u64) {
            return Err(context(vec!["the report counts other conflicts than the list shows".into()]));
        }
        if let Some((side, _)) = round.busy
            && was[side] != is[side]
        {
            return Err(context(vec!["a locked side was written".into()]));
        }
        if was.iter().all(|dump| orphans(case, dump).is_empty()) {
            let found = |side: usize| orphans(case, &is[side]).into_iter().map(move |row| (side, row));
            let lines: Vec<String> = (0..case.sides)
                .flat_map(found)
                .map(|(side, row)| format!("{}: {row} points at nothing now", names[side]))
                .collect();
            if !lines.is_empty() {
                return Err(context(lines));
            }
        }
        trace.dumps.push(is.clone());
        let mut lines: Vec<String> = news.iter().map(short).collect();
        lines.sort();
        trace.conflicts.push(lines);
        let now: Vec<Option<&Dump>> = was
            .iter()
            .enumerate()
            .map(|(side, dump)| (round.busy.is_none_or(|(busy, _)| busy != side)).then_some(dump))
            .collect();
        if case.loose {
            check_nothing_lost(case, &world, n, &was, &is, names).map_err(&context)?;
        } else {
            let before = Before {
                now: observe(&case.tables, &now, &ancestors),
                ancestors: ancestors.clone(),
                late: late.filter(|_| round.busy.is_none()),
                held: held.clone(),
                meeting,
            };
            let expected = expect(&frame, &before);
            if expected.undecided {
                check_nothing_lost(case, &world, n, &was, &is, names).map_err(&context)?;
                return settle(&world, &owners, &is, n).map(|()| trace);
            }
            let mut lines = Vec::new();
            for side in 0..case.sides {
                if let Some(want) = &expected.sides[side] {
                    let found = compare(&frame, want, &expected.exempt, &is[side]);
                    lines.extend(found.into_iter().map(|line| format!("{}: {line}", names[side])));
                }
            }
            lines.extend(check_converged(case, round, &expected, &is, names));
            lines.extend(check_conflicts(case, &expected, &news));
            if !lines.is_empty() {
                return Err(context(lines));
            }
            if !expected.exempt.is_empty() {
                return settle(&world, &owners, &is, n).map(|()| trace);
            }
            let (next, still) = after(&frame, before, &expected, &is);
            ancestors = next;
            held = still;
        }
        late = round.busy.map(|(side, _)| side);
        if round.busy.is_none() && (n + 1 == case.rounds.len() || case.seed.is_multiple_of(8)) {
            settle(&world, &owners, &is, n)?;
        }
    }
    Ok(trace)
}

/// Rows that point at a row which is not there.
fn orphans(case: &Case, dump: &Dump) -> Vec<String> {
    let mut found = Vec::new();
    for table in &case.tables {
        for (at, column) in table.columns.iter().enumerate() {
            let Domain::Ref(parent) = &column.domain else { continue };
            let id = case.tables.iter().find(|table| table.name == *parent).and_then(|parent| parent.id());
            let ids: BTreeSet<&Val> = dump[parent].rows.iter().map(|row| &row[id.unwrap()]).collect();
            let lost =
                dump[&table.name].rows.iter().filter(|row| row[at] != Val::Null && !ids.contains(&row[at]));
            found.extend(lost.map(|row| format!("{} {row:?}", table.name)));
        }
    }
    found
}

fn dumps(owners: &[Connection]) -> Vec<Dump> {
    owners.iter().map(dump).collect()
}

/// A run while somebody holds a lock on one side.
fn locked_sync(world: &World, owners: &[Connection], round: &Round) -> Value {
    let Some((side, lock)) = round.busy else { return world.sync() };
    let begin = if lock == Lock::Exclusive { "BEGIN EXCLUSIVE" } else { "BEGIN IMMEDIATE" };
    owners[side].execute_batch(begin).unwrap();
    let out = world.sync();
    owners[side].execute_batch("ROLLBACK").unwrap();
    out
}

fn settle(world: &World, owners: &[Connection], was: &[Dump], n: usize) -> Verdict {
    let out = world.sync();
    let is = dumps(owners);
    if !is_empty_run(&out) || was != is {
        let mut lines = Vec::new();
        for side in 0..was.len() {
            lines.extend(
                differences("first", &was[side], "second", &is[side]).iter().map(|l| format!("{side}: {l}")),
            );
        }
        let listed = world.conflicts();
        return Err(format!(
            "the second run after round {} did something:\n{}\n{out:#}\nconflicts: {listed:#?}",
            n + 1,
            lines.join("\n")
        ));
    }
    // A few milliseconds more, so not after every round.
    if n.is_multiple_of(4) {
        assert_agreed(world);
    }
    Ok(())
}

/// The conflicts that no earlier run had listed.
fn new_conflicts(world: &World, said: &mut BTreeSet<String>) -> Vec<Value> {
    let all = world.conflicts();
    let mut news = Vec::new();
    for conflict in all {
        if said.insert(format!("{} {}", conflict["id"], conflict["run"])) {
            news.push(conflict);
        }
    }
    news
}

fn short(conflict: &Value) -> String {
    format!("{} {} {} {}", conflict["table"], conflict["kind"], conflict["columns"], conflict["base"])
}

/// All sides that took part hold the same rows, but for what stays on its own side.
fn check_converged(
    case: &Case,
    round: &Round,
    expected: &Expected,
    is: &[Dump],
    names: &[&str],
) -> Vec<String> {
    if stays_apart(case) || !expected.exempt.is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let there: Vec<usize> =
        (0..case.sides).filter(|side| round.busy.is_none_or(|(busy, _)| busy != *side)).collect();
    for side in &there[1..] {
        lines.extend(differences(names[there[0]], &is[there[0]], names[*side], &is[*side]));
    }
    lines
}

/// Every conflict of the model is reported, and none was made up.
fn check_conflicts(case: &Case, expected: &Expected, news: &[Value]) -> Vec<String> {
    let mut found: Vec<Option<(String, String, Vec<String>)>> = news.iter().map(|c| Some(facts(c))).collect();
    let mut lines = Vec::new();
    let mut want: Vec<_> = expected.clashes.iter().collect();
    want.sort_by_key(|(_, _, clash)| clash.optional);
    for (table, token, clash) in want {
        let columns = &case.tables.iter().find(|one| one.name == *table).unwrap().columns;
        let mut names: Vec<String> = clash.columns.iter().map(|at| columns[*at].name.clone()).collect();
        names.sort();
        let at = found.iter().position(|one| {
            one.as_ref().is_some_and(|(t, kind, cols)| {
                t == table && kind == clash.kind && (names.is_empty() || clash.optional || *cols == names)
            })
        });
        match at {
            Some(at) => found[at] = None,
            None if clash.optional || expected.exempt.contains(&(table.clone(), token.clone())) => {}
            None => lines.push(format!("not reported: {table} {} {names:?} of {token:?}", clash.kind)),
        }
    }
    let restored: BTreeMap<&(String, Token), ()> = expected.restored.iter().map(|one| (one, ())).collect();
    let parents = found.iter().flatten().filter(|(_, kind, _)| kind == "foreign_key").count();
    if !restored.is_empty() && parents == 0 {
        lines.push(format!("a parent came back unreported: {:?}", expected.restored));
    }
    let unique = found.iter().flatten().filter(|(_, kind, _)| kind == "unique").count();
    if !expected.exempt.is_empty() && unique == 0 {
        lines.push(format!("rows collide unreported: {:?}", expected.exempt));
    }
    for (table, kind, columns) in found.into_iter().flatten() {
        let fine = (kind == "foreign_key" && !restored.is_empty()) || !expected.exempt.is_empty();
        if !fine {
            lines.push(format!("invented: {table} {kind} {columns:?}"));
        }
    }
    lines
}

/// Some policy keeps sides different on purpose.
fn stays_apart(case: &Case) -> bool {
    case.tables.iter().any(|table| {
        table.exclude
            || table.append_only
            || table.on_delete_update == Orphan::Hold
            || table.columns.iter().any(|column| column.policy == Some(Policy::Hold))
    })
}

fn facts(conflict: &Value) -> (String, String, Vec<String>) {
    let word = |name: &str| conflict[name].as_str().unwrap_or_default().to_owned();
    let columns = conflict["columns"].as_array().into_iter().flatten();
    let mut columns: Vec<String> = columns.filter_map(Value::as_str).map(str::to_owned).collect();
    columns.sort();
    (word("table"), word("kind"), columns)
}

/// Whatever somebody wrote is on every side, or still where it was written, or in a reported conflict.
fn check_nothing_lost(
    case: &Case,
    world: &World,
    n: usize,
    was: &[Dump],
    is: &[Dump],
    names: &[&str],
) -> Result<(), Vec<String>> {
    let mut lines = Vec::new();
    let listed = world.conflicts();
    let held = listed.iter().any(|conflict| conflict["status"] == json!("held"));
    let reported = json!(listed).to_string();
    let (before, texts): (Vec<_>, Vec<_>) = (was.iter().map(words).collect(), is.iter().map(words).collect());
    let round = &case.rounds[n];
    if round.busy.is_none() && !held && !stays_apart(case) {
        for side in 1..case.sides {
            lines.extend(differences(names[0], &is[0], names[side], &is[side]));
        }
    }
    let missed = n.checked_sub(1).map(|n| &case.rounds[n]).and_then(|last| match last.busy {
        Some((side, Lock::Exclusive)) => Some((last, side)),
        _ => None,
    });
    let late =
        missed.into_iter().flat_map(|(last, busy)| last.edits.iter().filter(move |(side, _)| *side == busy));
    for (side, sql) in round.edits.iter().chain(late) {
        for word in sql.split('\'').filter(|word| word.starts_with('b') && word[1..].parse::<u32>().is_ok()) {
            let written = before[*side].contains(word.as_bytes());
            let somewhere = texts.iter().any(|all| all.contains(word.as_bytes()));
            if written && !somewhere && !reported.contains(&format!("\"{word}\"")) {
                lines.push(format!("{word}, written on {} by {sql}, is lost without a word", names[*side]));
            }
        }
    }
    if lines.is_empty() { Ok(()) } else { Err(lines) }
}

fn words(dump: &Dump) -> BTreeSet<Vec<u8>> {
    let values = dump.values().flat_map(|rows| rows.rows.iter().flatten());
    values.filter_map(|value| if let Val::Text(bytes) = value { Some(bytes.clone()) } else { None }).collect()
}
