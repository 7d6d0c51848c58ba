//! Merging one row: the decision table and the column policies.
//!
//! | left \ right | - | insert | update | delete |
//! |---|---|---|---|---|
//! | **-** | nothing | right | right | right |
//! | **insert** | left | cells merge | impossible | impossible |
//! | **update** | left | impossible | cells merge | `on_delete_update` |
//! | **delete** | left | impossible | `on_delete_update` | gone |
//!
//! Any number of sides folds the same way: a cell that one side changed is taken, a cell that several changed
//! goes by its column's policy. Apart from `plan`, which knows about other rows. No I/O, no clock, no SQL.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::config::{ColumnPolicy, OnDeleteUpdate};
use crate::database::model::{Rules, SideIndex};
#[cfg(test)]
use crate::database::steps::{Mutant, is_planted};
use crate::database::value::{Row, Value};

use super::newest::age;

/// Where a merged cell came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// A person decided it.
    Person,
    /// It was there before: nobody changed it.
    Ancestor,
    /// From this side.
    Side(SideIndex),
    /// Computed from several.
    Merged,
}

/// A row in the making: cells with their origins.
pub(crate) type Cells = Vec<(Value, Origin)>;

/// One version that differs from the ancestor.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    /// The row, or its absence.
    pub(crate) cells: Option<Cells>,
    /// Who deleted it, when it is absent.
    pub(crate) side: Origin,
}

impl Version {
    /// What one side has.
    pub(crate) fn of_side(side: SideIndex, row: Option<&Row>) -> Version {
        let cells = row.map(|row| row.iter().map(|value| (value.clone(), Origin::Side(side))).collect());
        Version { cells, side: Origin::Side(side) }
    }
}

/// What became of the row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Merged {
    /// The merged row; `None` is absent.
    pub(crate) cells: Option<Cells>,
    /// Columns that clashed and must be reported, with the winning origin.
    pub(crate) clashes: Vec<(usize, Origin)>,
    /// Columns where every side keeps its own.
    pub(crate) held: BTreeSet<usize>,
    /// A deletion met an edit; the value says what to do was decided by `on_delete_update`.
    pub(crate) deleted: Option<DeleteOutcome>,
}

/// How a deletion against an edit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeleteOutcome {
    /// The edit of this origin survived.
    Kept(Origin),
    /// The deletion by this origin won.
    Gone(Origin),
    /// Nobody moves.
    Held,
}

/// Merges versions that all descend from one ancestor. `versions` are those that differ from it.
pub(crate) fn merge(rules: &Rules, ancestor: Option<&Row>, versions: &[Version], latest: i64) -> Merged {
    if versions.is_empty() {
        let cells = ancestor.map(|row| row.iter().map(|value| (value.clone(), Origin::Ancestor)).collect());
        return Merged { cells, ..Merged::default() };
    }
    let edited: Vec<(&Cells, Origin)> =
        versions.iter().filter_map(|version| Some((version.cells.as_ref()?, version.side))).collect();
    if edited.is_empty() {
        return Merged::default();
    }
    let deleter = versions.iter().find(|version| version.cells.is_none()).map(|version| version.side);
    match (deleter, rules.on_delete_update) {
        (Some(deleter), OnDeleteUpdate::Delete) => {
            return Merged { deleted: Some(DeleteOutcome::Gone(deleter)), ..Merged::default() };
        }
        (Some(_), OnDeleteUpdate::Hold) => {
            return Merged { deleted: Some(DeleteOutcome::Held), ..Merged::default() };
        }
        _ => {}
    }
    let rows: Vec<&Cells> = edited.iter().map(|(cells, _)| *cells).collect();
    let mut merged = merge_cells(rules, ancestor, &rows, latest);
    if deleter.is_some() {
        let kept = edited.iter().map(|(_, side)| *side).min().unwrap_or(Origin::Merged);
        merged.deleted = Some(DeleteOutcome::Kept(kept));
    }
    merged
}

/// Merges rows cell by cell.
fn merge_cells(rules: &Rules, ancestor: Option<&Row>, rows: &[&Cells], latest: i64) -> Merged {
    let mut merged = Merged::default();
    let newest = Newest::of(rules, rows, latest);
    let mut cells = Vec::with_capacity(rules.columns.len());
    for column in 0..rules.columns.len() {
        let before = ancestor.and_then(|row| row.get(column));
        let changed: Vec<(&Value, Origin)> = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|(value, origin)| (value, *origin))
            .filter(|(value, _)| before != Some(*value))
            .collect();
        let cell = merge_cell(rules, column, before, &changed, &newest, &mut merged);
        cells.push(cell);
    }
    merged.cells = Some(cells);
    merged
}

/// Merges one cell. `changed` are the values that differ from `before`.
fn merge_cell(
    rules: &Rules,
    column: usize,
    before: Option<&Value>,
    changed: &[(&Value, Origin)],
    newest: &Newest,
    merged: &mut Merged,
) -> (Value, Origin) {
    let Some((first, _)) = changed.first() else {
        return (before.cloned().unwrap_or(Value::Null), Origin::Ancestor);
    };
    let assigned = rules.assigned_id() == Some(column);
    if rules.oscillating.contains(&column) && !assigned {
        merged.held.insert(column);
        merged.clashes.push((column, Origin::Merged));
        let before = before.filter(|value| **value != Value::Held);
        return (before.unwrap_or(first).clone(), Origin::Ancestor);
    }
    let policy = rules.policies.get(column).copied().unwrap_or_default();
    #[cfg(test)]
    let policy = match policy {
        ColumnPolicy::Sum if is_planted(Mutant::SumsAgree) && changed.iter().all(|(v, _)| v == first) => {
            ColumnPolicy::Prefer
        }
        policy => policy,
    };
    if changed.len() > 1
        && policy == ColumnPolicy::Sum
        && !assigned
        && let Some(sum) = sum(before, changed)
    {
        return (sum, Origin::Merged);
    }
    let best = |value: &Value| {
        let origins = changed.iter().filter(|(v, _)| *v == value).map(|(_, origin)| *origin);
        (value.clone(), origins.min().unwrap_or(Origin::Merged))
    };
    if changed.iter().all(|(value, _)| value == first) {
        return best(first);
    }
    let preferred = || {
        let value = changed.iter().min_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.sql_cmp(a.0)));
        value.map_or((Value::Null, Origin::Merged), |(value, origin)| ((*value).clone(), *origin))
    };
    if assigned {
        // Which id a row gets is decided with all rows in view.
        return preferred();
    }
    let largest =
        |candidates: &mut dyn Iterator<Item = &Value>| candidates.max_by(|a, b| a.sql_cmp(b)).map(best);
    let values = || changed.iter().map(|(value, _)| *value).filter(|value| **value != Value::Null);
    let silent = match policy {
        ColumnPolicy::Max => largest(&mut values()),
        ColumnPolicy::Min => values().min_by(|a, b| a.sql_cmp(b)).map(best),
        ColumnPolicy::MinNonzero => {
            let nonzero = values().filter(|value| !is_zero(value)).min_by(|a, b| a.sql_cmp(b));
            nonzero.or_else(|| values().min_by(|a, b| a.sql_cmp(b))).map(best)
        }
        _ => None,
    };
    if let Some(cell) = silent {
        return cell;
    }
    if policy == ColumnPolicy::Hold {
        merged.held.insert(column);
        merged.clashes.push((column, Origin::Merged));
        let before = before.filter(|value| **value != Value::Held);
        return before.map_or_else(preferred, |value| (value.clone(), Origin::Ancestor));
    }
    let (value, origin) = if policy == ColumnPolicy::Newest {
        newest.pick(changed).unwrap_or_else(preferred)
    } else {
        preferred()
    };
    merged.clashes.push((column, origin));
    (value, origin)
}

/// Ancestor plus all differences; `None` when something is not a number or the sum leaves the integers.
fn sum(before: Option<&Value>, changed: &[(&Value, Origin)]) -> Option<Value> {
    let zero = Value::Integer(0);
    let before = before.unwrap_or(&zero);
    if let Some(start) = before.as_integer()
        && let Some(values) =
            changed.iter().map(|(value, _)| value.as_integer()).collect::<Option<Vec<i64>>>()
    {
        let total = values.iter().try_fold(i128::from(start), |total, value| {
            total.checked_add(i128::from(*value) - i128::from(start))
        })?;
        return i64::try_from(total).ok().map(Value::Integer);
    }
    let start = as_real(before)?;
    let mut differences =
        changed.iter().map(|(v, _)| Some(as_real(v)? - start)).collect::<Option<Vec<f64>>>()?;
    // Floating sums depend on their order; the order of sides must not matter.
    differences.sort_by(f64::total_cmp);
    let total = start + differences.iter().sum::<f64>();
    total.is_finite().then(|| Value::Real(total.to_bits()))
}

fn as_real(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "a sum with a double is a double, as in SQL")]
        Value::Integer(i) => Some(*i as f64),
        Value::Real(bits) => Some(f64::from_bits(*bits)).filter(|real| real.is_finite()),
        _ => None,
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Integer(i) => *i == 0,
        Value::Real(bits) => f64::from_bits(*bits) == 0.0,
        _ => false,
    }
}

/// Which origins have the newest row.
struct Newest {
    /// The ages of the rows by origin of their newest_by cell, largest first.
    ages: Vec<(Origin, Option<f64>, Value)>,
}

impl Newest {
    fn of(rules: &Rules, rows: &[&Cells], latest: i64) -> Newest {
        let Some(column) = rules.newest_by else { return Newest { ages: Vec::new() } };
        let ages = rows
            .iter()
            .flat_map(|row| {
                let stamp = row.get(column).map(|(value, _)| value.clone()).unwrap_or(Value::Null);
                let origins: BTreeSet<Origin> = row.iter().map(|(_, origin)| *origin).collect();
                origins.into_iter().map(move |origin| (origin, age(&stamp, latest), stamp.clone()))
            })
            .collect();
        Newest { ages }
    }

    /// The changed value of the newest row; ties go by the larger stamp, then the larger value.
    fn pick(&self, changed: &[(&Value, Origin)]) -> Option<(Value, Origin)> {
        let stamp = |origin: Origin| {
            let found =
                self.ages.iter().filter(|(o, _, _)| *o == origin).max_by(|a, b| compare_ages(a.1, b.1));
            found.map(|(_, age, value)| (*age, value))
        };
        let best = changed.iter().max_by(|a, b| {
            let (x, y) = (stamp(a.1), stamp(b.1));
            compare_ages(x.and_then(|s| s.0), y.and_then(|s| s.0))
                .then_with(|| match (x, y) {
                    (Some(x), Some(y)) if x.0.is_some() => x.1.sql_cmp(y.1),
                    _ => Ordering::Equal,
                })
                .then_with(|| a.0.sql_cmp(b.0))
        })?;
        stamp(best.1).and_then(|s| s.0)?;
        Some((best.0.clone(), best.1))
    }
}

fn compare_ages(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::config::Rekey;
    use crate::database::key::Collation;
    use crate::database::model::Identity;

    /// Rules of a table (key, cell, stamp) whose cell has a policy.
    fn rules(policy: ColumnPolicy, newest_by: bool, on_delete_update: OnDeleteUpdate) -> Rules {
        Rules {
            name: "t".into(),
            columns: vec!["key".into(), "cell".into(), "stamp".into()],
            identity: Identity::Key(vec![(0, Collation::Binary)]),
            id: None,
            stored_by_key: None,
            uniques: Vec::new(),
            policies: vec![ColumnPolicy::Prefer, policy, ColumnPolicy::Prefer],
            newest_by: newest_by.then_some(2),
            on_delete_update,
            append_only: false,
            rekey: Rekey::Allow,
            references: Vec::new(),
            id_is_referenced: false,
            oscillating: BTreeSet::new(),
        }
    }

    fn row(cell: &Value, stamp: i64) -> Row {
        [Value::text("k"), cell.clone(), Value::Integer(stamp)].into()
    }

    fn integer(text: &str) -> Value {
        match text {
            "null" => Value::Null,
            number => number.parse().map_or_else(|_| Value::text(number), Value::Integer),
        }
    }

    /// What becomes of a cell: `before left right`, sides 0 and 1, `-` for no row.
    fn outcome(rules: &Rules, case: &str, stamps: [i64; 3]) -> String {
        let rows: Vec<Option<Row>> = case
            .split(' ')
            .zip(stamps)
            .map(|(cell, stamp)| (cell != "-").then(|| row(&integer(cell), stamp)))
            .collect();
        let versions: Vec<Version> = rows
            .iter()
            .skip(1)
            .enumerate()
            .filter(|(_, version)| **version != rows[0])
            .map(|(side, version)| Version::of_side(side, version.as_ref()))
            .collect();
        let reversed: Vec<Version> = versions.iter().rev().cloned().collect();
        let show = |merged: Merged| {
            let mut text = match &merged.cells {
                None => "-".to_owned(),
                Some(cells) => match &cells[1].0 {
                    Value::Integer(i) => i.to_string(),
                    Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    _ => "null".to_owned(),
                },
            };
            let clashes: Vec<&(usize, Origin)> =
                merged.clashes.iter().filter(|(column, _)| *column == 1).collect();
            if !clashes.is_empty() {
                text.push_str(if merged.held.contains(&1) { " held" } else { " clash" });
            }
            if let Some(deleted) = merged.deleted {
                write!(
                    text,
                    " {}",
                    match deleted {
                        DeleteOutcome::Kept(_) => "kept",
                        DeleteOutcome::Gone(_) => "gone",
                        DeleteOutcome::Held => "held",
                    }
                )
                .unwrap();
            }
            text
        };
        let text = show(merge(rules, rows[0].as_ref(), &versions, 1_000_000));
        let other = show(merge(rules, rows[0].as_ref(), &reversed, 1_000_000));
        assert_eq!(text, other, "{case}: the order of sides must not matter");
        text
    }

    #[test]
    fn the_decision_table() {
        let rules = rules(ColumnPolicy::Prefer, false, OnDeleteUpdate::Keep);
        for (case, expected) in [
            ("- - -", "-"),
            ("- - 1", "1"),
            ("- 1 -", "1"),
            ("- 1 1", "1"),
            ("- 1 2", "1 clash"),
            ("0 0 0", "0"),
            ("0 0 2", "2"),
            ("0 1 0", "1"),
            ("0 1 1", "1"),
            ("0 1 2", "1 clash"),
            ("0 0 -", "-"),
            ("0 - 0", "-"),
            ("0 - -", "-"),
            ("0 1 -", "1 kept"),
            ("0 - 2", "2 kept"),
        ] {
            assert_eq!(outcome(&rules, case, [0; 3]), expected, "{case}");
        }
    }

    #[test]
    fn deletions_against_edits() {
        for (policy, expected) in [
            (OnDeleteUpdate::Keep, "1 kept"),
            (OnDeleteUpdate::Delete, "- gone"),
            (OnDeleteUpdate::Hold, "- held"),
        ] {
            assert_eq!(outcome(&rules(ColumnPolicy::Prefer, false, policy), "0 1 -", [0; 3]), expected);
        }
    }

    #[test]
    fn column_policies() {
        use ColumnPolicy::{Hold, Max, Min, MinNonzero, Prefer, Sum};
        for (policy, case, expected) in [
            (Sum, "10 15 15", "20"),
            (Sum, "10 7 12", "9"),
            (Sum, "10 15 10", "15"),
            (Sum, "- 5 5", "10"),
            (Sum, "10 null 12", "null clash"),
            (Sum, "0 9223372036854775807 1", "9223372036854775807 clash"),
            (Max, "5 3 4", "4"),
            (Max, "5 3 5", "3"),
            (Max, "5 null 4", "4"),
            (Max, "5 9 a", "a"),
            (Min, "5 3 4", "3"),
            (MinNonzero, "5 0 4", "4"),
            (MinNonzero, "5 0 null", "0"),
            (Hold, "5 3 4", "5 held"),
            (Hold, "5 3 3", "3"),
            (Hold, "- 3 4", "3 held"),
            (Prefer, "5 5 4", "4"),
        ] {
            let rules = rules(policy, false, OnDeleteUpdate::Keep);
            assert_eq!(outcome(&rules, case, [0; 3]), expected, "{policy:?} {case}");
        }
    }

    #[test]
    fn an_oscillating_cell_stays_where_it_is() {
        let mut rules = rules(ColumnPolicy::Max, false, OnDeleteUpdate::Keep);
        rules.oscillating.insert(1);
        for (case, expected) in [("5 3 5", "5 held"), ("5 9 9", "5 held"), ("5 5 5", "5")] {
            assert_eq!(outcome(&rules, case, [0; 3]), expected, "{case}");
        }
    }

    #[test]
    fn the_newest_row_wins_its_clashes() {
        let rules = rules(ColumnPolicy::Newest, true, OnDeleteUpdate::Keep);
        for (case, stamps, expected) in [
            ("0 1 2", [10, 20, 30], "2 clash"),
            ("0 1 2", [10, 30, 20], "1 clash"),
            ("0 1 2", [10, 20, 20], "2 clash"),
            ("0 1 2", [10, 20, 90_000_000_000], "1 clash"),
            ("0 1 0", [10, 20, 30], "1"),
        ] {
            assert_eq!(outcome(&rules, case, stamps), expected, "{case} {stamps:?}");
        }
    }
}
