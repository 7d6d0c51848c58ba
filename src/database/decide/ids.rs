//! Which row id every row of the merged state gets.
//!
//! Both sides allocate the same next id for different rows; ids that are known stay, new ones give way. Apart
//! from `merge`, because an id is decided with all rows of the table in view. No I/O, no SQL.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::database::model::{Ancestor, Cluster, Rules, SideIndex};
use crate::database::value::{Row, Value};

/// The ids that clusters would like and that some side may have given to another row.
pub(crate) fn wanted(rules: &Rules, clusters: &[Cluster]) -> BTreeSet<i64> {
    let Some(column) = rules.assigned_id() else { return BTreeSet::new() };
    clusters.iter().filter_map(|cluster| Claim::of(rules, column, cluster).wanted).collect()
}

/// The ids in use are all taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// Gives every cluster its id. `occupied` are ids of rows outside the clusters; `avoid` are ids that a row has on
/// one side only, so that new rows better take others; ids above `last` are free everywhere.
pub(crate) fn assign(
    rules: &Rules,
    clusters: &mut [Cluster],
    occupied: &HashSet<i64>,
    avoid: &BTreeSet<i64>,
    last: i64,
) -> Result<(), Exhausted> {
    let Some(column) = rules.assigned_id() else { return Ok(()) };
    let claims: Vec<Claim> = clusters.iter().map(|cluster| Claim::of(rules, column, cluster)).collect();
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order
        .sort_by_key(|index| claims.get(*index).map(|claim| (claim.class, claim.side, claim.wanted, *index)));
    let mut taken = occupied.clone();
    let mut next = last;
    for index in order {
        let (Some(claim), Some(cluster)) = (claims.get(index), clusters.get_mut(index)) else { continue };
        if claim.class == Class::Gone {
            cluster.id = claim.established;
            continue;
        }
        let suits = |id: &i64| !taken.contains(id) && (Some(*id) == claim.established || !avoid.contains(id));
        let free = [claim.wanted, claim.established].into_iter().flatten().find(suits);
        let id = match free {
            Some(id) => id,
            None => {
                next = next.checked_add(1).ok_or(Exhausted)?;
                next
            }
        };
        taken.insert(id);
        cluster.id = Some(id);
    }
    Ok(())
}

/// How ids of one side translate to the merged state, where they differ.
pub(crate) fn translation(rules: &Rules, clusters: &[Cluster], side: SideIndex) -> BTreeMap<i64, i64> {
    let Some(column) = rules.assigned_id() else { return BTreeMap::new() };
    clusters
        .iter()
        .filter_map(|cluster| {
            let local = id_of(&cluster.seats.get(side)?.after.as_ref()?.raw, column)?;
            let merged = cluster.id?;
            (local != merged).then_some((local, merged))
        })
        .collect()
}

/// In which order claims are heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// A known row that keeps its id.
    Established,
    /// A known row that is gone, but that others may point at.
    Remembered,
    /// A known row that one side gave a new id.
    Moved,
    /// A new row.
    New,
    /// A known row that is gone.
    Gone,
}

struct Claim {
    class: Class,
    side: SideIndex,
    wanted: Option<i64>,
    established: Option<i64>,
}

impl Claim {
    fn of(rules: &Rules, column: usize, cluster: &Cluster) -> Claim {
        let known = |row: &Row| id_of(row, column);
        let established = cluster.merged.as_ref().and_then(known);
        let present = cluster.seats.iter().any(|seat| seat.after.is_some());
        let claim = |class, side, wanted| Claim { class, side, wanted, established };
        if established.is_none() {
            let first = cluster
                .seats
                .iter()
                .enumerate()
                .find_map(|(side, seat)| Some((side, known(&seat.after.as_ref()?.row)?)));
            return match first {
                Some((side, id)) => claim(Class::New, side, Some(id)),
                None => {
                    // Every side that ever had it deleted it, and the merged state never knew it.
                    claim(Class::Gone, 0, None)
                }
            };
        }
        if !present {
            let class = if rules.id_is_referenced { Class::Remembered } else { Class::Gone };
            return claim(class, 0, established);
        }
        let moved = cluster.seats.iter().enumerate().find_map(|(side, seat)| {
            let Ancestor::Known(Some(before)) = &seat.before else { return None };
            let now = known(&seat.after.as_ref()?.row)?;
            (known(before) != Some(now)).then_some((side, now))
        });
        match moved {
            Some((side, id)) if !rules.id_is_referenced && !rules.append_only && Some(id) != established => {
                claim(Class::Moved, side, Some(id))
            }
            _ => claim(Class::Established, 0, established),
        }
    }
}

fn id_of(row: &Row, column: usize) -> Option<i64> {
    row.get(column).and_then(Value::as_integer)
}
