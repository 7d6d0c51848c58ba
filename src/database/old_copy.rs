//! Noticing that an old copy was put in the place of a side's file.
//!
//! What such a copy has would count as edits, and roll back what the others did since without a conflict. Two things
//! tell: a change counter that is lower than it was, and, where the file is another one, rows that are what they were
//! before the last runs. Apart from `guard`, which counts what a plan would delete. Pure but for what it reads of
//! recent runs; nothing is read unless a file was replaced.

use std::collections::{HashMap, HashSet};

use super::Fault;
use super::key::Key;
use super::model::{Identity, Rules};
use super::plan::{Observed, Side, Task};
use super::shape::Shape;
use super::state_error;
use super::undo::Touched;
use super::value::{Row, Value};

/// How many runs are looked at: a copy that is older than that is told by the newest of them as well.
const RUNS: usize = 20;
/// How many rows have to be back where others stand: a copy has what its own owner wrote before the run merged it.
const CLEAR: usize = 3;

/// What makes a file suspect before any row of it was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Suspicion {
    /// Its change counter, then and now, where it is lower than it was.
    pub(crate) went_back: Option<(u32, u32)>,
    /// Whether it is another file than the one that was seen last.
    pub(crate) replaced: bool,
}

/// What became of the rows that recent runs merged, on one side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// Rows that differ from what was merged last.
    pub(crate) changed: usize,
    /// Those of them that are exactly what they were before the run that touched them last, of the newest runs that are
    /// [`gone`].
    pub(crate) back: usize,
    /// The oldest of those runs.
    pub(crate) since: Option<i64>,
}

/// Whether a file lacks a run: nothing of it stands, or much is back and no more stands than that.
fn gone(back: usize, stands: usize) -> bool {
    stands == 0 || (back >= CLEAR && back >= stands)
}

/// Why a side is to wait for a person; `None` when it need not.
pub(crate) fn verdict(suspicion: Suspicion, evidence: Evidence) -> Option<String> {
    match (suspicion.went_back, evidence) {
        // The same rows in another file, as after VACUUM INTO: nobody loses anything.
        (_, Evidence { changed: 0, .. }) => None,
        (Some((then, now)), _) => {
            Some(format!("has gone back in time (its change counter was {then} and is {now})"))
        }
        (None, Evidence { back, since: Some(run), .. }) if suspicion.replaced && back > 0 => Some(format!(
            "has gone back in time (another file lies in its place, in which {back} rows are what they were before run {run})"
        )),
        _ => None,
    }
}

/// What a person is told.
pub(crate) fn in_words(side: &str, why: &str) -> String {
    format!(
        "{side} {why}: an old copy seems to have been put in its place. Nothing was written. If what it has is to count \
         as edits, run once with --force; if not, move the file away, with its -wal and -journal, and the next run creates it \
         again"
    )
}

/// Looks at all sides whose files are suspect.
pub(crate) fn found(task: &Task<'_>, shape: &Shape, observed: &[Observed]) -> Result<Option<String>, Fault> {
    for (index, side) in task.sides.iter().enumerate() {
        if !side.known || side.suspicion == Suspicion::default() {
            continue;
        }
        let evidence = evidence(task, shape, observed, index, side)?;
        if let Some(why) = verdict(side.suspicion, evidence) {
            return Ok(Some(in_words(&side.name, &why)));
        }
    }
    Ok(None)
}

fn evidence(
    task: &Task<'_>,
    shape: &Shape,
    observed: &[Observed],
    index: usize,
    side: &Side,
) -> Result<Evidence, Fault> {
    let changes = |observed: &Observed| observed.changes.get(index).map_or(0, Vec::len);
    let mut evidence = Evidence { changed: observed.iter().map(changes).sum(), ..Evidence::default() };
    if !side.suspicion.replaced || evidence.changed == 0 {
        return Ok(evidence);
    }
    let tables: Vec<Now<'_>> = shape
        .tables
        .iter()
        .zip(observed)
        .filter(|(shape, _)| shape.rules.identity != Identity::Content)
        .map(|(shape, observed)| Now::of(&shape.rules, observed, index))
        .collect();
    let mut seen = HashSet::new();
    for run in task.store.recent_runs(task.name, RUNS).map_err(state_error)? {
        let touched = task.store.touched(run, task.name).map_err(state_error)?;
        let (mut back, mut stands) = (0, 0);
        for table in &touched {
            let Some(now) = tables.iter().find(|now| now.rules.name.eq_ignore_ascii_case(&table.table))
            else {
                continue;
            };
            now.compare(table, &mut seen, &mut back, &mut stands);
        }
        if !gone(back, stands) {
            break;
        }
        if back > 0 {
            evidence.back += back;
            evidence.since = Some(run);
        }
    }
    Ok(evidence)
}

/// What one table of a side is now, where it differs from what was merged.
struct Now<'a> {
    rules: &'a Rules,
    rows: HashMap<Key, Option<&'a Row>>,
}

impl<'a> Now<'a> {
    fn of(rules: &'a Rules, observed: &'a Observed, index: usize) -> Now<'a> {
        let pairs = observed.edits.get(index).map(|edits| edits.pairs.as_slice()).unwrap_or_default();
        let rows = pairs.iter().filter_map(|(before, after)| {
            let after = after.as_ref().map(|(_, row)| row);
            Some((rules.key(before.as_ref().or(after)?)?, after))
        });
        Now { rules, rows: rows.collect() }
    }

    /// Compares with what a run touched. A row that a newer run touched as well says nothing about this one.
    fn compare(
        &self,
        table: &Touched,
        seen: &mut HashSet<(String, Key)>,
        back: &mut usize,
        stands: &mut usize,
    ) {
        let fit = |row: &Row| -> Option<Row> {
            let at = |name: &String| table.columns.iter().position(|own| own.eq_ignore_ascii_case(name));
            self.rules.columns.iter().map(|name| at(name).and_then(|at| row.get(at)).cloned()).collect()
        };
        for (before, after) in &table.rows {
            let (before, after) = (before.as_ref().and_then(fit), after.as_ref().and_then(fit));
            let Some(key) = after.as_ref().or(before.as_ref()).and_then(|row| self.rules.key(row)) else {
                continue;
            };
            if !seen.insert((self.rules.name.clone(), key.clone())) {
                continue;
            }
            match self.rows.get(&key) {
                None => *stands += 1,
                Some(now) if self.same(*now, before.as_ref()) => *back += 1,
                Some(_) => {}
            }
        }
    }

    /// Whether two rows are one, whatever id the merge has given them.
    fn same(&self, a: Option<&Row>, b: Option<&Row>) -> bool {
        let plain = |row: &Row| -> Vec<Value> {
            let id = self.rules.surrogate();
            row.iter().enumerate().filter(|(column, _)| Some(*column) != id).map(|(_, v)| v.clone()).collect()
        };
        a.map(plain) == b.map(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_gone_where_nothing_or_less_than_what_is_back_stands() {
        for (back, stands, expected) in [
            (0, 0, true),
            (1, 0, true),
            (0, 1, false),
            (2, 1, false),
            (3, 1, true),
            (3, 3, true),
            (3, 4, false),
            (20, 21, false),
        ] {
            assert_eq!(gone(back, stands), expected, "{back} back, {stands} stand");
        }
    }

    #[test]
    fn the_verdict() {
        let other = Suspicion { replaced: true, ..Suspicion::default() };
        let lower = Suspicion { went_back: Some((9, 4)), ..Suspicion::default() };
        let both = Suspicion { replaced: true, ..lower };
        for (suspicion, changed, back, held) in [
            (Suspicion::default(), 5, 5, false),
            (other, 0, 0, false),
            (other, 5, 0, false),
            (other, 5, 1, true),
            (lower, 0, 0, false),
            (lower, 1, 0, true),
            (both, 0, 0, false),
            (both, 3, 0, true),
        ] {
            let evidence = Evidence { changed, back, since: (back > 0).then_some(7) };
            let found = verdict(suspicion, evidence);
            assert_eq!(found.is_some(), held, "{suspicion:?} {evidence:?}: {found:?}");
        }
    }
}
