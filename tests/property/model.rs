//! What a person would say is in a database: rows by identity, references by what they point at.
//!
//! Apart from `merge`, which decides. This is the model's own reading of the design, written without looking at the
//! engine: rows as dictionaries, every side as a whole, nothing incremental.

use std::collections::BTreeMap;

use super::schema::{Coll, Domain, Identity, Table};
use crate::common::{Dump, Val};

/// Which row this is, the same on every side.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Token {
    /// By key, folded by the key's collations.
    Key(Vec<Val>),
    /// By an integer that the ancestor knows.
    Id(i64),
    /// New under an integer; the number is the first side that has it.
    New(usize, i64),
}

/// One cell. A reference is what it points at, not its number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Cell {
    V(Val),
    To(Token),
    /// The ancestor of a cell that was held since its row was inserted: differs from everything.
    Missing,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    /// In column order; the integer key is masked.
    pub(crate) cells: Vec<Cell>,
    pub(crate) id: Option<i64>,
}

/// One table of one side.
#[derive(Clone, Default, Debug)]
pub(crate) struct Content {
    pub(crate) rows: BTreeMap<Token, Row>,
    /// Rows without identity, counted.
    pub(crate) bag: BTreeMap<Vec<Val>, i64>,
}

/// One side.
pub(crate) type Snap = BTreeMap<String, Content>;

/// Folds a value as an index with this collation would.
pub(crate) fn fold(coll: Coll, value: &Val) -> Val {
    match (value, coll) {
        (Val::Real(bits), _) => {
            let number = f64::from_bits(*bits);
            if number.fract() == 0.0 && number.abs() < 9e15 { Val::Int(number as i64) } else { value.clone() }
        }
        (Val::Text(bytes), Coll::NoCase) => Val::Text(bytes.to_ascii_lowercase()),
        (Val::Text(bytes), Coll::RTrim) => {
            let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |at| at + 1);
            Val::Text(bytes[..end].to_vec())
        }
        _ => value.clone(),
    }
}

/// The key of a row, or `None` when there is a NULL in it.
pub(crate) fn key_of(table: &Table, raw: &[Val]) -> Option<Vec<Val>> {
    let key: Vec<Val> = table.key().iter().map(|at| fold(table.columns[*at].coll, &raw[*at])).collect();
    (!key.contains(&Val::Null)).then_some(key)
}

fn id_of(table: &Table, raw: &[Val]) -> Option<i64> {
    table.id().map(|at| match &raw[at] {
        Val::Int(id) => *id,
        other => panic!("{} has id {other:?}", table.name),
    })
}

/// Numbers of a table to what they mean.
fn meanings(content: &Content) -> BTreeMap<i64, Token> {
    content.rows.iter().filter_map(|(token, row)| row.id.map(|id| (id, token.clone()))).collect()
}

/// A row as a person sees it: references become what they point at.
fn row(table: &Table, raw: &[Val], id: Option<i64>, mean: &impl Fn(&str, i64) -> Option<Token>) -> Row {
    let cells = table.columns.iter().zip(raw).map(|(column, value)| match (&column.domain, value) {
        (Domain::Id, _) => Cell::V(Val::Null),
        (Domain::Ref(parent), Val::Int(id)) => mean(parent, *id).map_or(Cell::V(value.clone()), Cell::To),
        _ => Cell::V(value.clone()),
    });
    Row { cells: cells.collect(), id }
}

/// The content of a side that agrees with what was merged: its rows are their own ancestors.
pub(crate) fn ancestor(tables: &[Table], dump: &Dump) -> Snap {
    let mut snap = Snap::new();
    for table in tables {
        let mut content = Content::default();
        let numbers: BTreeMap<String, BTreeMap<i64, Token>> =
            snap.iter().map(|(name, content)| (name.clone(), meanings(content))).collect();
        let mean = |parent: &str, id: i64| numbers.get(parent).and_then(|all| all.get(&id)).cloned();
        for raw in &dump[&table.name].rows {
            let id = id_of(table, raw);
            let token = match (&table.identity, key_of(table, raw)) {
                (Identity::Id(_), _) => Token::Id(id.unwrap()),
                (Identity::Bag, _) | (_, None) => {
                    *content.bag.entry(raw.clone()).or_default() += 1;
                    continue;
                }
                (_, Some(key)) => Token::Key(key),
            };
            let clash = content.rows.insert(token, row(table, raw, id, &mean));
            assert!(clash.is_none(), "{} has two rows of one key", table.name);
        }
        snap.insert(table.name.clone(), content);
    }
    snap
}

/// The content of every side at once. Rows keep the token of the ancestor row they come from.
pub(crate) fn observe(
    tables: &[Table],
    dumps: &[Option<&Dump>],
    ancestors: &[Option<Snap>],
) -> Vec<Option<Snap>> {
    let mut snaps: Vec<Option<Snap>> = dumps.iter().map(|dump| dump.map(|_| Snap::new())).collect();
    for table in tables {
        let contents: Vec<Option<Content>> = (0..dumps.len())
            .map(|side| {
                let dump = dumps[side]?;
                Some(one_table(table, side, dump, ancestors[side].as_ref(), snaps[side].as_ref()?))
            })
            .collect();
        let contents =
            if matches!(table.identity, Identity::Id(_)) { agree(table, contents) } else { contents };
        for (snap, content) in snaps.iter_mut().zip(contents) {
            if let (Some(snap), Some(content)) = (snap, content) {
                snap.insert(table.name.clone(), content);
            }
        }
    }
    snaps
}

fn one_table(table: &Table, side: usize, dump: &Dump, ancestor: Option<&Snap>, parents: &Snap) -> Content {
    let mean = |parent: &str, id: i64| {
        let now = parents.get(parent).and_then(|content| meanings(content).get(&id).cloned());
        let then = || ancestor.and_then(|snap| snap.get(parent)).and_then(|c| meanings(c).get(&id).cloned());
        now.or_else(then)
    };
    let old = ancestor.and_then(|snap| snap.get(&table.name));
    let mut content = Content::default();
    let mut keyed: BTreeMap<Vec<Val>, Row> = BTreeMap::new();
    for raw in &dump[&table.name].rows {
        let id = id_of(table, raw);
        let seen = row(table, raw, id, &mean);
        match (&table.identity, key_of(table, raw)) {
            (Identity::Id(_), _) => {
                let id = id.unwrap();
                let known = old.is_some_and(|old| old.rows.contains_key(&Token::Id(id)));
                content.rows.insert(if known { Token::Id(id) } else { Token::New(side, id) }, seen);
            }
            (Identity::Bag, _) | (_, None) => *content.bag.entry(raw.clone()).or_default() += 1,
            (_, Some(key)) => {
                assert!(keyed.insert(key, seen).is_none(), "{} has two rows of one key", table.name);
            }
        }
    }
    let renamed = renames(table, old, &keyed);
    for (key, row) in keyed {
        let token = renamed.get(&key).cloned().unwrap_or(Token::Key(key));
        content.rows.insert(token, row);
    }
    content
}

/// New keys that are old rows under a new name, to the old row.
fn renames(table: &Table, old: Option<&Content>, now: &BTreeMap<Vec<Val>, Row>) -> BTreeMap<Vec<Val>, Token> {
    let Some(old) = old else { return BTreeMap::new() };
    let vanished: Vec<(&Token, &Row)> = old
        .rows
        .iter()
        .filter(|(token, _)| !matches!(token, Token::Key(key) if now.contains_key(key)))
        .collect();
    let fresh: Vec<(&Vec<Val>, &Row)> =
        now.iter().filter(|(key, _)| !old.rows.contains_key(&Token::Key((*key).clone()))).collect();
    let rest = |row: &Row| -> Vec<Cell> { table.payload().iter().map(|at| row.cells[*at].clone()).collect() };
    let same = |was: &Row, is: &Row| match table.identity {
        Identity::Natural { .. } => was.id == is.id,
        _ => !table.payload().is_empty() && rest(was) == rest(is),
    };
    let mut found = BTreeMap::new();
    for (token, was) in &vanished {
        let mut heirs = fresh.iter().filter(|(_, is)| same(was, is));
        if let (Some((key, is)), None) = (heirs.next(), heirs.next())
            && vanished.iter().filter(|(_, was)| same(was, is)).count() == 1
        {
            found.insert((*key).clone(), (*token).clone());
        }
    }
    found
}

/// New rows under one integer are one row when they are identical, or when re-keying is forbidden.
fn agree(table: &Table, mut contents: Vec<Option<Content>>) -> Vec<Option<Content>> {
    let mut seen: Vec<(i64, Row, Token)> = Vec::new();
    for content in contents.iter_mut().flatten() {
        for (token, row) in std::mem::take(&mut content.rows) {
            let token = match token {
                Token::New(_, id) if !table.rekey => Token::Id(id),
                Token::New(_, id) => {
                    let same = seen.iter().find(|(other, twin, _)| *other == id && twin.cells == row.cells);
                    let first = same.map_or(token, |(_, _, first)| first.clone());
                    seen.push((id, row.clone(), first.clone()));
                    first
                }
                known => known,
            };
            content.rows.insert(token, row);
        }
    }
    contents
}
