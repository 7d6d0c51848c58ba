//! What a plan must not do without a person: delete much of a table because one side did, or lost everything.
//!
//! Apart from `plan`, which says what is to be done, and from `run`, which stops there. It counts and reads sizes of
//! bases; it never changes a plan.

use rusqlite::Connection;

use super::decide::constraints::TableState;
use super::model::{Ancestor, Cluster, SideIndex};
use super::plan::{Side, Task};
use super::shape::Shape;
use super::sql::quote;
use super::{Fault, state_error};

/// Deletions below this number are never held: people clean up by hand.
const MASS_DELETE_FROM: usize = 50;

/// Whether a side that had tables has none left; a file that was emptied or made anew is nobody's decision to delete.
pub(crate) fn emptied(task: &Task<'_>) -> Option<String> {
    let empty =
        |side: &&Side| side.known && !side.base.schema.tables.is_empty() && side.schema.tables.is_empty();
    task.sides.iter().find(empty).map(|side| {
        format!(
            "{0} has no table left of {1}; nothing was written. Move its file away, with its -wal and -journal, and \
             the next run creates it again, or put back what it had",
            side.name,
            side.base.schema.tables.len()
        )
    })
}

/// Why a plan waits for a person; `None` when it need not.
pub(crate) fn mass_deletion(
    task: &Task<'_>,
    shape: &Shape,
    tables: &[TableState],
) -> Result<Option<String>, Fault> {
    let percent = task.config.guards.max_delete_percent;
    let limit = usize::try_from(percent).unwrap_or(100);
    for (shape, state) in shape.tables.iter().zip(tables) {
        for (index, side) in task.sides.iter().enumerate().filter(|(_, side)| side.known) {
            let clusters = state.clusters.iter().zip(&state.decisions);
            let gone = clusters.filter(|(cluster, decision)| {
                decision.merged.is_none()
                    && !decision.frozen
                    && !decision.ignored.contains(&index)
                    && is_deleted_on(cluster, index)
                    && cluster.seats.iter().any(|seat| seat.after.is_some())
            });
            let lost = state.contents.sides.get(index).map(|own| own.lost()).unwrap_or_default();
            let gone = gone.count().saturating_add(lost);
            if gone < MASS_DELETE_FROM {
                continue;
            }
            let Some(base) = side.base.schema.table(&shape.rules.name) else { continue };
            let all = count(&side.base.connection, &base.name).map_err(state_error)?;
            if gone.saturating_mul(100) > all.saturating_mul(limit) {
                let keyless = match lost {
                    0 => "",
                    _ => " (without a key, a row that changed counts as deleted and added)",
                };
                return Ok(Some(format!(
                    "{} deleted {gone} of {all} rows of {}{keyless}, more than {percent} percent; nothing was written. If that \
                     is meant, run once with --force; if not, restore {} first",
                    side.name, shape.rules.name, side.name
                )));
            }
        }
    }
    Ok(None)
}

fn is_deleted_on(cluster: &Cluster, side: SideIndex) -> bool {
    cluster
        .seats
        .get(side)
        .is_some_and(|seat| matches!(seat.before, Ancestor::Known(Some(_))) && seat.after.is_none())
}

fn count(connection: &Connection, table: &str) -> rusqlite::Result<usize> {
    let sql = format!("SELECT count(*) FROM main.{}", quote(table));
    let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
    Ok(usize::try_from(rows).unwrap_or(0))
}
