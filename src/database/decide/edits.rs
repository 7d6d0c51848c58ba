//! From changed slots to changed rows: what one side did, told by identity.
//!
//! A slot is where a row happens to lie; `INSERT OR REPLACE`, VACUUM and renumbering move rows without changing
//! them, and a changed key moves an identity without changing the row. Apart from `cluster`, which brings the
//! sides together. No I/O, no SQL.

use std::collections::{BTreeMap, HashMap};

use crate::database::key::Key;
use crate::database::model::{Change, Identity, Rules, Slot};
use crate::database::value::{Row, Value};

/// A row before and after; the slot is that of the row after.
pub(crate) type Pair = (Option<Row>, Option<(Slot, Row)>);

/// What one side did to a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Edits {
    /// Rows with an identity. Those that were there before come first, in their order, so that two runs over the same
    /// edits say the same.
    pub(crate) pairs: Vec<Pair>,
    /// Rows without: by how many each content became more (or fewer).
    pub(crate) contents: BTreeMap<Row, i64>,
}

/// Whether a row whose key vanished may be found again under another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Yes: the states are two moments of one side.
    Renames,
    /// No: the states are two sides.
    Nothing,
}

/// Two rows of one state share an identity that should be unique.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous;

/// Matches the rows of changed slots by identity.
pub(crate) fn resolve(rules: &Rules, changes: Vec<Change>, follow: Follow) -> Result<Edits, Ambiguous> {
    let mut edits = Edits::default();
    if matches!(rules.identity, Identity::Id(_)) {
        edits.pairs =
            changes.into_iter().map(|c| (c.before, c.after.map(|row| (c.slot.clone(), row)))).collect();
        return Ok(edits);
    }
    let mut gone: HashMap<Key, Row> = HashMap::new();
    let mut come: HashMap<Key, (Slot, Row)> = HashMap::new();
    for change in changes {
        if let Some(row) = change.before {
            match rules.key(&row) {
                Some(key) => {
                    if gone.insert(key, row).is_some() {
                        return Err(Ambiguous);
                    }
                }
                None => *edits.contents.entry(rules.content(&row)).or_default() -= 1,
            }
        }
        if let Some(row) = change.after {
            match rules.key(&row) {
                Some(key) => {
                    if come.insert(key, (change.slot, row)).is_some() {
                        return Err(Ambiguous);
                    }
                }
                None => *edits.contents.entry(rules.content(&row)).or_default() += 1,
            }
        }
    }
    edits.contents.retain(|_, count| *count != 0);
    if follow == Follow::Renames && rules.id_is_referenced {
        follow_ids(rules, &mut gone, &mut come, &mut edits.pairs);
    }
    let mut vanished = Vec::new();
    for (key, before) in gone {
        match come.remove(&key) {
            Some((_, after)) if after == before => {}
            Some(after) => edits.pairs.push((Some(before), Some(after))),
            None => vanished.push(before),
        }
    }
    let mut fresh: Vec<(Slot, Row)> = come.into_values().collect();
    vanished.sort();
    fresh.sort();
    if follow == Follow::Renames {
        follow_renames(rules, &mut vanished, &mut fresh, &mut edits.pairs);
    }
    edits.pairs.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    edits.pairs.extend(vanished.into_iter().map(|before| (Some(before), None)));
    edits.pairs.extend(fresh.into_iter().map(|after| (None, Some(after))));
    Ok(edits)
}

/// Where others point at a row's id, the id says which row it is, even when another row has taken its old key.
fn follow_ids(
    rules: &Rules,
    gone: &mut HashMap<Key, Row>,
    come: &mut HashMap<Key, (Slot, Row)>,
    pairs: &mut Vec<Pair>,
) {
    let Some(id) = rules.surrogate() else { return };
    let ids: HashMap<Value, Key> =
        come.iter().filter_map(|(key, (_, row))| Some((row.get(id)?.clone(), key.clone()))).collect();
    let renamed: Vec<(Key, Key)> = gone
        .iter()
        .filter_map(|(key, row)| Some((key.clone(), ids.get(row.get(id)?)?.clone())))
        .filter(|(from, to)| from != to)
        .collect();
    for (from, to) in renamed {
        if let (Some(before), Some(after)) = (gone.remove(&from), come.remove(&to)) {
            pairs.push((Some(before), Some(after)));
        }
    }
}

/// Pairs rows whose key vanished with new rows that carry what else names them: the surrogate id, or, where there
/// is none, all other cells.
fn follow_renames(
    rules: &Rules,
    vanished: &mut Vec<Row>,
    fresh: &mut Vec<(Slot, Row)>,
    pairs: &mut Vec<Pair>,
) {
    let signature = |row: &Row| -> Option<Vec<Value>> {
        if let Some(id) = rules.surrogate() {
            return row.get(id).map(|value| vec![value.clone()]);
        }
        let Identity::Key(key) = &rules.identity else { return None };
        let others = row.iter().enumerate().filter(|(i, _)| !key.iter().any(|(column, _)| column == i));
        Some(others.map(|(_, value)| value.clone()).collect::<Vec<_>>()).filter(|cells| !cells.is_empty())
    };
    let mut found: HashMap<Vec<Value>, (Vec<usize>, Vec<usize>)> = HashMap::new();
    for (index, row) in vanished.iter().enumerate() {
        if let Some(signature) = signature(row) {
            found.entry(signature).or_default().0.push(index);
        }
    }
    for (index, (_, row)) in fresh.iter().enumerate() {
        if let Some(entry) = signature(row).and_then(|signature| found.get_mut(&signature)) {
            entry.1.push(index);
        }
    }
    let mut matched: Vec<(usize, usize)> = found
        .into_values()
        .filter_map(|(from, to)| match (from.as_slice(), to.as_slice()) {
            ([from], [to]) => Some((*from, *to)),
            _ => None,
        })
        .collect();
    matched.sort_unstable();
    for (from, to) in &matched {
        if let (Some(before), Some(after)) = (vanished.get(*from), fresh.get(*to)) {
            pairs.push((Some(before.clone()), Some(after.clone())));
        }
    }
    let mut index = 0;
    vanished.retain(|_| {
        index += 1;
        !matched.iter().any(|(from, _)| from + 1 == index)
    });
    let mut index = 0;
    fresh.retain(|_| {
        index += 1;
        !matched.iter().any(|(_, to)| to + 1 == index)
    });
}
