//! Rows without identity: a multiset, merged by counts.
//!
//! The merged count is the ancestor's plus every side's difference, never below none. Apart from `decision`,
//! because such a row cannot be updated, only be more or fewer. No I/O, no SQL.

use std::collections::{BTreeMap, BTreeSet};

use crate::database::model::{SideIndex, Slot};
use crate::database::value::Row;

/// What the sides know about the contents of one table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    /// By side.
    pub(crate) sides: Vec<SideContents>,
}

/// What one side knows. Rows are as they are on that side.
#[derive(Debug, Clone, Default)]
pub(crate) struct SideContents {
    /// Whether the side has an ancestor.
    pub(crate) known: bool,
    /// How many there are now.
    pub(crate) counts: BTreeMap<Row, i64>,
    /// Where they are now.
    pub(crate) places: BTreeMap<Row, Vec<(Slot, Row)>>,
    /// How many more (or fewer) than in the ancestor.
    pub(crate) differences: BTreeMap<Row, i64>,
    /// Rows whose references read differently in the merged state.
    pub(crate) translated: BTreeMap<Row, Row>,
    /// Differences that do not count for now; they stay differences.
    pub(crate) kept: BTreeMap<Row, i64>,
}

impl SideContents {
    /// The row in terms of the merged state.
    pub(crate) fn translate<'a>(&'a self, row: &'a Row) -> &'a Row {
        self.translated.get(row).unwrap_or(row)
    }
}

impl SideContents {
    /// Nobody has added more than there is: whoever remembers it otherwise has a damaged memory, and those rows would be
    /// added to every other side.
    pub(crate) fn bound(&mut self) {
        for (row, difference) in &mut self.differences {
            *difference = (*difference).min(self.counts.get(row).copied().unwrap_or(0));
        }
        self.differences.retain(|_, difference| *difference != 0);
    }

    /// How many rows are fewer than there were, of contents that have become fewer.
    pub(crate) fn lost(&self) -> usize {
        let fewer = self.differences.values().filter(|count| **count < 0);
        fewer
            .map(|count| usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX))
            .fold(0, usize::saturating_add)
    }
}

impl Contents {
    /// Every content that may have to change somewhere.
    pub(crate) fn affected(&self) -> BTreeSet<Row> {
        self.sides
            .iter()
            .flat_map(|side| {
                let own = side.differences.keys().chain(side.counts.keys());
                own.chain(side.translated.values()).cloned()
            })
            .collect()
    }

    /// New rows: side, row there, row in the merged state.
    pub(crate) fn additions(&self) -> impl Iterator<Item = (SideIndex, &Row, &Row)> {
        self.sides.iter().enumerate().flat_map(|(index, side)| {
            let rows = if side.known { &side.differences } else { &side.counts };
            let more = rows.iter().filter(|(row, count)| **count > side.kept.get(*row).copied().unwrap_or(0));
            more.map(move |(row, _)| (index, row, side.translate(row)))
        })
    }

    /// Leaves a side's difference in one content for later.
    pub(crate) fn keep(&mut self, side: SideIndex, row: &Row) {
        if let Some(side) = self.sides.get_mut(side) {
            let count = if side.known { side.differences.get(row) } else { side.counts.get(row) };
            side.kept.insert(row.clone(), count.copied().unwrap_or(0));
        }
    }

    /// In a table that only grows, what a side has fewer of stays its own affair. Returns how many rows that is.
    pub(crate) fn keep_losses(&mut self) -> i64 {
        let mut lost = 0;
        for side in &mut self.sides {
            for (row, count) in side.differences.iter().filter(|(_, count)| **count < 0) {
                side.kept.insert(row.clone(), *count);
                lost -= count;
            }
        }
        lost
    }

    /// By how many each side must change each content, and how many contents had to be adopted by the larger
    /// count.
    pub(crate) fn plan(&self, hub: SideIndex) -> (Vec<BTreeMap<Row, i64>>, usize) {
        let mut merged: BTreeMap<Row, i64> = BTreeMap::new();
        for row in self.affected() {
            let before = self.sides.get(hub).filter(|side| side.known).map_or(0, |side| {
                let now = side.counts.get(&row).copied().unwrap_or(0);
                now - side.differences.get(&row).copied().unwrap_or(0)
            });
            merged.insert(row, before);
        }
        for side in self.sides.iter().filter(|side| side.known) {
            for (row, difference) in &side.differences {
                let difference = difference - side.kept.get(row).copied().unwrap_or(0);
                // What is gone was known under the merged name; what is new is not yet.
                let row = if difference > 0 { side.translate(row) } else { row };
                *merged.entry(row.clone()).or_default() += difference;
            }
        }
        let mut adopted = 0;
        let mut largest: BTreeMap<&Row, i64> = BTreeMap::new();
        let mut differing: BTreeSet<&Row> = BTreeSet::new();
        for side in self.sides.iter().filter(|side| !side.known) {
            let mut counts: BTreeMap<&Row, i64> = BTreeMap::new();
            for (row, count) in &side.counts {
                let count = count - side.kept.get(row).copied().unwrap_or(0);
                *counts.entry(side.translate(row)).or_default() += count;
            }
            for (row, count) in counts {
                let most = largest.entry(row).or_insert(count);
                if *most != count {
                    differing.insert(row);
                }
                *most = (*most).max(count);
            }
        }
        for (row, count) in merged.iter_mut() {
            let other = largest.get(row).copied().unwrap_or(0);
            adopted += usize::from((*count > 0 && other > 0 && *count != other) || differing.contains(row));
            *count = (*count).max(other).max(0);
        }
        let changes = self
            .sides
            .iter()
            .map(|side| {
                merged
                    .iter()
                    .map(|(row, count)| {
                        let now = side.counts.get(row).copied().unwrap_or(0);
                        (row.clone(), count + side.kept.get(row).copied().unwrap_or(0) - now)
                    })
                    .filter(|(_, change)| *change != 0)
                    .collect()
            })
            .collect();
        (changes, adopted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::value::Value;

    fn side(known: bool, count: i64, difference: i64) -> SideContents {
        let row: Row = [Value::Integer(1)].into();
        SideContents {
            known,
            counts: [(row.clone(), count)].into(),
            differences: if difference == 0 { BTreeMap::new() } else { [(row, difference)].into() },
            ..SideContents::default()
        }
    }

    #[test]
    fn counts_add_up() {
        for (name, sides, expected) in [
            ("both add two", vec![side(true, 3, 2), side(true, 3, 2)], vec![2, 2]),
            ("one takes, one adds", vec![side(true, 2, -1), side(true, 4, 1)], vec![1, -1]),
            ("both take the last", vec![side(true, 0, -1), side(true, 0, -1)], vec![0, 0]),
            (
                "never below none",
                vec![side(true, 0, -1), side(true, 0, -1), side(true, 1, 0)],
                vec![0, 0, -1],
            ),
            ("adoption takes the larger", vec![side(false, 2, 0), side(false, 5, 0)], vec![3, 0]),
            ("a new side loses nothing", vec![side(true, 2, 0), side(false, 5, 0)], vec![3, 0]),
        ] {
            let (changes, _) = Contents { sides }.plan(0);
            let changes: Vec<i64> = changes.iter().map(|side| side.values().sum()).collect();
            assert_eq!(changes, expected, "{name}");
        }
    }

    #[test]
    fn no_more_was_added_than_there_is() {
        for (count, difference, expected) in [(3, 2, 2), (3, 3, 3), (3, 1 << 40, 3), (0, 5, 0), (0, -5, -5)] {
            let mut side = side(true, count, difference);
            side.bound();
            assert_eq!(side.differences.values().sum::<i64>(), expected, "{count} {difference}");
        }
    }
}
