//! The end of a world: whether all sides are equal, and whether every promise was kept to the letter.
//!
//! Apart from `world`, which made the history. What was reported as `uncertain` is for a person, and exempt: by table and
//! key, and no further.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::database::store::{Store, StoredConflict};
use crate::database::value::{Row, Value};

use super::owners::Ledger;
use super::value::{Dump, Val, differences, dump, query};
use super::world::World;

/// Nothing, or everything that is wrong.
pub(crate) type Verdict = Result<(), Vec<String>>;

/// What nobody can be held to, by table and key.
type Exempt = BTreeSet<(String, String)>;

/// Judges a world at its end.
pub(crate) fn judge(world: &World) -> Verdict {
    let mut wrong = Vec::new();
    let first = &world.names[0];
    let dumps: Vec<Dump> = world.names.iter().map(|name| dump(&open(world, name))).collect();
    for (name, other) in world.names.iter().zip(&dumps).skip(1) {
        wrong.extend(differences(first, &dumps[0], name, other));
    }
    for name in &world.names {
        for pragma in ["quick_check", "foreign_key_check"] {
            let rows = query(&open(world, name), &format!("PRAGMA {pragma}")).rows;
            if rows.iter().any(|row| *row != [Val::text("ok")]) {
                wrong.push(format!("{name}: {pragma}: {rows:?}"));
            }
        }
    }
    let store = Store::open_existing(&world.state()).unwrap().expect("there were runs");
    let mut exempt = Exempt::new();
    for number in store.conflicts_that(|_, _| true, None).unwrap() {
        let conflict = store.conflict(number).unwrap().unwrap();
        match (conflict.kind.as_ref(), conflict.table.as_ref()) {
            ("uncertain", _) => exempt.extend(keys_of(&conflict)),
            // Cells that anybody writes, and a parent that one side takes away while another needs it.
            (_, "shared") | ("foreign_key", "parents") => {}
            (kind, table) => {
                wrong.push(format!("a conflict that should not be: {kind} in {table}: {:?}", conflict.rows))
            }
        }
    }
    let left: i64 = store.connection.query_row("SELECT count(*) FROM intents", [], |row| row.get(0)).unwrap();
    if left > 0 {
        wrong.push(format!("{left} intents are left"));
    }
    world.seen.borrow_mut().uncertain += usize::from(!exempt.is_empty());
    promises(&dumps[0], &world.owners.borrow().ledger, &exempt, &mut wrong);
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn open(world: &World, name: &str) -> Connection {
    Connection::open(world.path(name)).unwrap()
}

/// The keys that an uncertain write is about. Rows that got new ids may stand for others: all of those are.
fn keys_of(conflict: &StoredConflict) -> Vec<(String, String)> {
    let rows = &conflict.rows;
    let now = rows.values.iter().map(|(_, row)| row);
    let all = [&rows.identity, &rows.base, &rows.merged].into_iter().chain(now).flatten();
    let key = |row: &Row| match conflict.table.as_ref() {
        "parents" | "children" => "*".to_owned(),
        "log" => row.iter().map(text).collect::<Vec<_>>().join(" "),
        _ => row.first().map(text).unwrap_or_default(),
    };
    all.map(|row| (conflict.table.to_string(), key(row))).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

fn shown(value: &Val) -> String {
    match value {
        Val::Int(number) => number.to_string(),
        Val::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

/// Cells as text by key.
type Texts = BTreeMap<String, String>;

/// What is there against what was promised, one table after the other; both as text by key.
fn promises(dump: &Dump, ledger: &Ledger, exempt: &Exempt, wrong: &mut Vec<String>) {
    let cell = |table: &str, row: &[Val], column: &str| {
        let at = dump[table].columns.iter().position(|name| name == column).unwrap();
        shown(&row[at])
    };
    let mut compare = |table: &str, promised: BTreeMap<String, String>, there: BTreeMap<String, String>| {
        let keys: BTreeSet<&String> = promised.keys().chain(there.keys()).collect();
        for key in keys {
            let (promised, there) = (promised.get(key), there.get(key));
            // What stands before a colon is the key of a row.
            let row = key.split(':').next().unwrap_or_default();
            let is_exempt =
                ["*", row].iter().any(|key| exempt.contains(&(table.to_owned(), (*key).to_owned())));
            if promised != there && !is_exempt {
                wrong.push(format!("{table} {key}: promised {promised:?}, but there is {there:?}"));
            }
        }
    };
    let rows = |table: &str| dump[table].rows.iter();

    let mut there = BTreeMap::new();
    for row in rows("counters") {
        for column in ["n", "m"] {
            there.insert(format!("{}:{column}", cell("counters", row, "k")), cell("counters", row, column));
        }
    }
    let mut promised: BTreeMap<String, String> = BTreeMap::new();
    let known = ledger.counters.keys().map(|(key, _)| key.clone()).chain(["a", "b", "c"].map(String::from));
    for key in known.collect::<BTreeSet<_>>() {
        for column in ["n", "m"] {
            let sum = ledger.counters.get(&(key.clone(), column.to_owned())).copied().unwrap_or(0);
            promised.insert(format!("{key}:{column}"), sum.to_string());
        }
    }
    compare("counters", promised, there);

    let mut there = BTreeMap::new();
    for row in rows("cells") {
        for side in 0..5 {
            let value = cell("cells", row, &format!("s{side}"));
            there.insert(format!("{}:{side}", cell("cells", row, "k")), value);
        }
    }
    let mut promised = BTreeMap::new();
    for key in ["p", "q"] {
        for side in 0..5 {
            let value = ledger.cells.get(&(key.to_owned(), side)).map_or("NULL".into(), i64::to_string);
            promised.insert(format!("{key}:{side}"), value);
        }
    }
    compare("cells", promised, there);

    let there = rows("own").map(|row| (cell("own", row, "k"), cell("own", row, "v"))).collect();
    let own = ledger.own.iter().filter_map(|(key, value)| Some((key.clone(), (*value)?.to_string())));
    compare("own", own.collect(), there);

    let mut there = BTreeMap::new();
    let mut promised = BTreeMap::new();
    for row in rows("shared") {
        let (key, value) = (cell("shared", row, "k"), cell("shared", row, "v"));
        // The last of several writers is nobody in particular; but a writer it must be.
        let written =
            ledger.shared.get(&key).is_some_and(|all| all.iter().any(|one| one.to_string() == value));
        let untouched = value == "0" && !ledger.shared.contains_key(&key);
        promised.insert(
            key.clone(),
            if written || untouched { value.clone() } else { "one of the written".into() },
        );
        there.insert(key, value);
    }
    compare("shared", promised, there);

    let mut there: BTreeMap<String, i64> = BTreeMap::new();
    for row in rows("log") {
        *there.entry(format!("{} {}", cell("log", row, "who"), cell("log", row, "n"))).or_default() += 1;
    }
    let counts = |all: BTreeMap<String, i64>| all.into_iter().map(|(key, n)| (key, n.to_string())).collect();
    let promised = ledger.log.iter().map(|((who, n), count)| (format!("{who} {n}"), *count)).collect();
    compare("log", counts(promised), counts(there));

    family(dump, ledger, &mut compare, &cell);
}

/// Parents and children: each once, and every child with its own parent. A parent that was taken away is there again
/// where a child of it is.
fn family(
    dump: &Dump,
    ledger: &Ledger,
    compare: &mut dyn FnMut(&str, Texts, Texts),
    cell: &dyn Fn(&str, &[Val], &str) -> String,
) {
    let mut names = BTreeMap::new();
    let mut there: BTreeMap<String, usize> = BTreeMap::new();
    for row in &dump["parents"].rows {
        names.insert(cell("parents", row, "id"), cell("parents", row, "name"));
        *there.entry(cell("parents", row, "name")).or_default() += 1;
    }
    let alive: BTreeSet<&String> =
        ledger.children.iter().filter(|(_, wanted)| **wanted).map(|(body, _)| body).collect();
    let needed: BTreeSet<&str> = alive.iter().filter_map(|body| body.split('/').next()).collect();
    let wanted = ledger.parents.iter().filter(|(name, wanted)| **wanted || needed.contains(name.as_str()));
    compare(
        "parents",
        wanted.map(|(name, _)| (name.clone(), "1".to_owned())).collect(),
        there.into_iter().map(|(name, count)| (name, count.to_string())).collect(),
    );
    let mut there: BTreeMap<String, String> = BTreeMap::new();
    for row in &dump["children"].rows {
        let parent = names.get(&cell("children", row, "parent")).map_or("nobody", String::as_str);
        there.entry(cell("children", row, "body")).or_default().push_str(&format!("of {parent} "));
    }
    let promised = alive
        .iter()
        .map(|body| ((*body).clone(), format!("of {} ", body.split('/').next().unwrap_or_default())));
    compare("children", promised.collect(), there);
}
