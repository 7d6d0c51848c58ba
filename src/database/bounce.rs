//! Noticing that a side takes back what it is given: cells that go to and fro between two owners for ever.
//!
//! A cell that was written and comes back to what it was before, run after run, is not an edit of a person but of a
//! program that writes its own value each time. When what was written to a cell has been taken back in three runs in a
//! row that wrote it, whichever sides took it back, its changes no longer travel and a person is asked. One side that
//! changes its own mind takes nothing back. Apart from `decide`, which is told what oscillates. Pure.

use std::collections::{BTreeSet, HashMap};

use crate::config::ColumnPolicy;

use super::codec::Encoder;
use super::model::{Cluster, Identity, Rules, Write};
use super::store::{Bounce, Bouncing, Noted};
use super::value::{Row, Value};

/// More writes than this to one table in one run are somebody's bulk edit, which nobody takes back row by row.
const MOST: usize = 1_000;

/// The identity of a row as it is kept.
fn key_of(rules: &Rules, row: &Row) -> Vec<u8> {
    let columns: Vec<usize> = match &rules.identity {
        Identity::Key(columns) => columns.iter().map(|(column, _)| *column).collect(),
        Identity::Id(column) => vec![*column],
        Identity::Content => Vec::new(),
    };
    let cells: Row = columns.iter().filter_map(|column| row.get(*column).cloned()).collect();
    let mut encoder = Encoder::new();
    encoder.row(&cells);
    encoder.finish()
}

/// Whether a column holds values of which a side can take one back. What sides add to a sum is added up, and two that count up
/// and down in turn, as with who is online, come back to where they were for good reason.
fn is_given(rules: &Rules, column: usize) -> bool {
    rules.assigned_id() != Some(column) && rules.policies.get(column) != Some(&ColumnPolicy::Sum)
}

/// How often in a row what was written to cells has been taken back, by row and column, now included.
#[derive(Debug, Default)]
pub(crate) struct TakenBack(HashMap<(Vec<u8>, usize), i64>);

impl TakenBack {
    /// What the sides have now, against what was noted when the cells of this table were written.
    pub(crate) fn of(rules: &Rules, noted: &[Noted], sides: &[&str], clusters: &[Cluster]) -> TakenBack {
        let mut found = TakenBack::default();
        let mut by_row: HashMap<&[u8], Vec<(&Noted, usize)>> = HashMap::new();
        for cell in noted {
            let column = rules.columns.iter().position(|name| name.eq_ignore_ascii_case(&cell.column));
            by_row.entry(&cell.key).or_default().extend(column.map(|column| (cell, column)));
        }
        if by_row.is_empty() {
            return found;
        }
        for cluster in clusters {
            for (seat, side) in cluster.seats.iter().zip(sides) {
                let Some(row) = seat.after.as_ref().map(|local| &local.raw) else { continue };
                let key = key_of(rules, row);
                let cells = by_row.get(key.as_slice()).map(Vec::as_slice).unwrap_or_default();
                for (cell, column) in cells.iter().filter(|(cell, _)| cell.side == *side) {
                    // Runs that wrote the cell since, on whichever side, break the row.
                    let later = cells.iter().any(|(other, at)| at == column && other.run > cell.run);
                    if !later && row.get(*column).map(encoded).as_ref() == Some(&cell.before) {
                        let times = found.0.entry((key.clone(), *column)).or_default();
                        *times = cell.times.saturating_add(1).max(*times);
                    }
                }
            }
        }
        found
    }
}

/// Cells above this length, in bytes, are known again by their digest.
const LONG: usize = 256;
/// What stands before a digest; no encoding begins so.
const DIGEST: u8 = 0;

/// A cell as it is kept, for being compared alone.
fn encoded(value: &Value) -> Vec<u8> {
    if value.length() > LONG {
        use sha2::{Digest as _, Sha256};
        let (class, bytes): (u8, &[u8]) = match value {
            Value::Text(text) => (3, text),
            Value::Blob(blob) => (4, blob),
            _ => (0, &[]),
        };
        let digest = Sha256::new().chain_update([class]).chain_update(bytes).finalize();
        return std::iter::once(DIGEST).chain(digest).collect();
    }
    let mut encoder = Encoder::new();
    encoder.value(value);
    encoder.finish()
}

/// The cells that writes to one table change, row ids aside.
pub(crate) fn of_writes(rules: &Rules, writes: &[Write], taken_back: &TakenBack) -> Vec<Bounce> {
    if writes.len() > MOST || rules.identity == Identity::Content {
        return Vec::new();
    }
    let mut cells = Vec::new();
    for write in writes {
        let (Some((_, old)), Some((_, new))) = (&write.old, &write.new) else { continue };
        let key = key_of(rules, new);
        for (column, (old, new)) in old.iter().zip(new.iter()).enumerate() {
            if old == new || !is_given(rules, column) {
                continue;
            }
            let Some(name) = rules.columns.get(column) else { continue };
            cells.push(Bounce {
                table: rules.name.clone(),
                key: key.clone(),
                column: name.clone(),
                before: encoded(old),
                times: taken_back.0.get(&(key.clone(), column)).copied().unwrap_or_default(),
            });
        }
    }
    cells
}

/// What oscillates in one table: columns by row.
pub(crate) struct Oscillating(HashMap<Vec<u8>, BTreeSet<usize>>);

impl Oscillating {
    /// What is known to oscillate in one table.
    pub(crate) fn of(rules: &Rules, all: &[Bouncing]) -> Oscillating {
        let mut found: HashMap<Vec<u8>, BTreeSet<usize>> = HashMap::new();
        for (_, key, column) in all.iter().filter(|(table, ..)| table.eq_ignore_ascii_case(&rules.name)) {
            let column = rules.columns.iter().position(|name| name.eq_ignore_ascii_case(column));
            found.entry(key.clone()).or_default().extend(column.filter(|column| is_given(rules, *column)));
        }
        Oscillating(found)
    }

    /// The columns of one row that oscillate.
    pub(crate) fn in_row(&self, rules: &Rules, cluster: &Cluster) -> BTreeSet<usize> {
        if self.0.is_empty() {
            return BTreeSet::new();
        }
        let rows = cluster.seats.iter().filter_map(|seat| seat.after.as_ref()).map(|local| &local.raw);
        let found = rows.chain(cluster.merged.as_ref()).filter_map(|row| self.0.get(&key_of(rules, row)));
        found.flatten().copied().collect()
    }
}

/// The cells of one row that oscillate, as they are kept.
pub(crate) fn still(rules: &Rules, row: &Row, columns: &BTreeSet<usize>) -> Vec<Bouncing> {
    let names = columns.iter().filter_map(|column| rules.columns.get(*column));
    names.map(|name| (rules.name.clone(), key_of(rules, row), name.clone())).collect()
}
