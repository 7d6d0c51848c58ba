//! Planning one database: what every side is to get, worked out from what every side did.
//!
//! The driver between `observe` (which reads) and `decide` (which does not): it reads what is different, lets a
//! `round` match and decide, again while rows nobody changed turn out to be in the way, and has `intent` spell the
//! outcome out. It writes nothing.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::config::{Config, DatabaseConfig};
use crate::error::Result;

use super::apply::Refusal;
use super::decide::edits::{Edits, Follow, resolve};
use super::guard;
use super::intent::spell_out;
use super::key::Key;
use super::model::{Change, SideIndex};
use super::observe::{self, Source};
use super::record::Intent;
use super::resolution::Resolution;
use super::round::{Decided, Renames, Round};
use super::schema::Schema;
use super::shape::{self, Shape, SideSchema, TableShape};
use super::store::{OverlayEntry, Store};
use super::value::Row;
use super::{Fault, sql_error};

/// One open side with what is remembered of it.
#[derive(Debug)]
pub(crate) struct Side {
    /// Its name.
    pub(crate) name: String,
    /// Its live database, in a read transaction while it is observed.
    pub(crate) live: Connection,
    /// The schema of the live database.
    pub(crate) schema: Schema,
    /// Its base: our copy of what it was, or, where it is new to us, of what it is.
    pub(crate) base: Base,
    /// Whether the base is an ancestor, or was made just now.
    pub(crate) known: bool,
    /// The merge it took part in last.
    pub(crate) epoch: i64,
}

/// A base.
#[derive(Debug)]
pub(crate) struct Base {
    /// Its file name.
    pub(crate) file: String,
    /// The open file.
    pub(crate) connection: Connection,
    /// Its schema.
    pub(crate) schema: Schema,
}

impl Side {
    pub(crate) fn base_source(&self, table: &str) -> Source<'_> {
        Source { connection: &self.base.connection, table: self.base.schema.table(table) }
    }

    /// The state that is merged: the live file, or the copy just made of it.
    pub(crate) fn source(&self, table: &str) -> Source<'_> {
        if self.known {
            Source { connection: &self.live, table: self.schema.table(table) }
        } else {
            self.base_source(table)
        }
    }
}

/// What planning needs to know beside the sides.
pub(crate) struct Task<'a> {
    /// The configuration.
    pub(crate) config: &'a Config,
    /// Database name.
    pub(crate) name: &'a str,
    /// Its configuration.
    pub(crate) database: &'a DatabaseConfig,
    /// Sides that take part, most preferred first.
    pub(crate) sides: &'a [Side],
    /// Index of the hub.
    pub(crate) hub: SideIndex,
    /// The state.
    pub(crate) store: &'a Store,
    /// The run.
    pub(crate) run: i64,
    /// Unix seconds.
    pub(crate) now: i64,
    /// The same for people.
    pub(crate) at: &'a str,
    /// A decision of a person's.
    pub(crate) resolution: Option<&'a Resolution>,
    /// Rows that a side's schema did not take.
    pub(crate) refused: &'a [Refusal],
    /// Whether one side is simply copied.
    pub(crate) kind: MergeKind,
}

/// What a merge starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MergeKind {
    /// Every side's own ancestor.
    ThreeWay,
    /// The hub as it is now: whatever the other side has or lacks is its edit, and nothing holds it back.
    Overwrite,
}

/// How many rows of a side a plan touches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// New there.
    pub(crate) inserted: usize,
    /// Changed there.
    pub(crate) updated: usize,
    /// Gone there.
    pub(crate) deleted: usize,
    /// Its own new rows that got another id.
    pub(crate) rekeyed: usize,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What the sides are brought to.
    pub(crate) shape: Shape,
    /// One for each side.
    pub(crate) intents: Vec<Intent>,
    /// One for each side.
    pub(crate) counts: Vec<Counts>,
    /// Highest row ids that AUTOINCREMENT must know of, by table.
    pub(crate) sequences: Vec<(String, i64)>,
    /// What people should know.
    pub(crate) warnings: Vec<String>,
    /// Why it must not be carried out without a person's word.
    pub(crate) held: Option<String>,
}

/// What is read once of one table.
pub(crate) struct Observed {
    /// From base to live, by side.
    pub(crate) changes: Vec<Vec<Change>>,
    /// What each side did; for an unknown side, how it differs from the hub.
    pub(crate) edits: Vec<Edits>,
    /// What the merged state did while a side was away, by side.
    pub(crate) missed: Vec<Edits>,
    /// Where a side's ancestor is not its base.
    pub(crate) overlay: Vec<Vec<OverlayEntry>>,
    /// Where the merged state is not the hub's base.
    pub(crate) merged_overlay: Vec<OverlayEntry>,
}

/// Plans a merge of all sides.
pub(crate) fn plan(task: &Task<'_>) -> Result<Plan, Fault> {
    let schemas: Vec<SideSchema<'_>> = task
        .sides
        .iter()
        .map(|side| SideSchema {
            side: &side.name,
            now: if side.known { &side.schema } else { &side.base.schema },
            base: side.known.then_some(&side.base.schema),
        })
        .collect();
    let mut shape = shape::build(task.config, task.name, task.database, &schemas, task.hub)?;
    if task.kind == MergeKind::Overwrite {
        for table in &mut shape.tables {
            table.rules.append_only = false;
        }
    }
    // Without the hub's ancestor there is none that all share.
    let all_known = task.sides.get(task.hub).is_some_and(|hub| hub.known);
    let known: Vec<bool> = task.sides.iter().map(|side| side.known && all_known).collect();

    let mut observed = Vec::new();
    let mut paused = Vec::new();
    for (index, table) in shape.tables.iter().enumerate() {
        match observe_table(task, table, &known)? {
            Some(table) => observed.push(table),
            None => paused.push(index),
        }
    }
    if !paused.is_empty() {
        // References to a paused table cannot be read; its rows stay as they are, and so do the others.
        let names: Vec<String> =
            paused.iter().filter_map(|index| Some(shape.tables.get(*index)?.rules.name.clone())).collect();
        let reason =
            "two of its rows share the configured identity; give it a UNIQUE key or another identity";
        let mut remapped = Shape { tables: Vec::new(), paused: shape.paused };
        let mut position = Vec::new();
        for (index, _) in shape.tables.iter().enumerate() {
            position.push(
                (!paused.contains(&index)).then_some(index - paused.iter().filter(|p| **p < index).count()),
            );
        }
        for (index, mut table) in shape.tables.into_iter().enumerate() {
            if paused.contains(&index) {
                continue;
            }
            table.rules.references.retain(|r| position.get(r.parent).copied().flatten().is_some());
            for reference in &mut table.rules.references {
                reference.parent = position.get(reference.parent).copied().flatten().unwrap_or_default();
            }
            remapped.tables.push(table);
        }
        remapped.paused.extend(names.into_iter().map(|name| (name, reason.to_owned())));
        shape = remapped;
    }

    let mut extra: Vec<BTreeSet<Key>> = vec![BTreeSet::new(); shape.tables.len()];
    if let Some(resolution) = task.resolution
        && let Some((index, key)) = resolution.target(&shape)
        && let Some(keys) = extra.get_mut(index)
    {
        keys.insert(key);
    }
    let mut avoid: Vec<BTreeSet<i64>> = vec![BTreeSet::new(); shape.tables.len()];
    let mut joins: Vec<BTreeSet<Key>> = vec![BTreeSet::new(); shape.tables.len()];
    let mut renames: Vec<Renames> = vec![Renames::new(); shape.tables.len()];
    loop {
        let round = Round {
            task,
            shape: &shape,
            observed: &observed,
            known: &known,
            extra: &extra,
            avoid: &avoid,
            joins: &joins,
            renames: &renames,
        };
        let Decided { tables, taken, met, renames: found } = round.decide()?;
        let strangers = round.strangers(&tables, &taken)?;
        let mut grown = grow(&mut joins, met);
        for (known, found) in renames.iter_mut().zip(found) {
            // The first answer stands, so that this ends.
            let before = known.len();
            for (from, to) in found {
                known.entry(from).or_insert(to);
            }
            grown |= known.len() > before;
        }
        grown |= grow(&mut extra, strangers);
        grown |= grow(&mut avoid, Round::squatted(&tables));
        if !grown {
            let held = match task.kind {
                MergeKind::ThreeWay => match guard::emptied(task) {
                    None => guard::mass_deletion(task, &shape, &tables)?,
                    emptied => emptied,
                },
                MergeKind::Overwrite => None,
            };
            return Ok(Plan { held, ..spell_out(task, shape, &observed, &tables)? });
        }
    }
}

/// Adds what was found to what is known; tells whether that made it more.
fn grow<T: Ord>(known: &mut [BTreeSet<T>], found: Vec<BTreeSet<T>>) -> bool {
    let size = |sets: &[BTreeSet<T>]| sets.iter().map(BTreeSet::len).sum::<usize>();
    let before = size(known);
    for (known, found) in known.iter_mut().zip(found) {
        known.extend(found);
    }
    size(known) > before
}

/// Reads what is different in one table; `None` when its identity is ambiguous.
fn observe_table(task: &Task<'_>, shape: &TableShape, known: &[bool]) -> Result<Option<Observed>, Fault> {
    let name = &shape.rules.name;
    let mut observed = Observed {
        changes: Vec::new(),
        edits: Vec::new(),
        missed: Vec::new(),
        overlay: Vec::new(),
        merged_overlay: overlay_of(task, shape, "")?,
    };
    let Some(hub) = task.sides.get(task.hub) else { return Ok(None) };
    for (index, side) in task.sides.iter().enumerate() {
        let known_side = known.get(index).copied().unwrap_or(false);
        let changes = if side.known {
            observe::diff(shape, side.base_source(name), side.source(name))
                .map_err(|e| sql_error(e, &side.name))?
        } else {
            Vec::new()
        };
        let resolved = if known_side {
            resolve(&shape.rules, changes.clone(), Follow::Renames)
        } else if index == task.hub {
            Ok(Edits::default())
        } else {
            let reference = if hub.known { hub.base_source(name) } else { hub.source(name) };
            let differences =
                observe::diff(shape, reference, side.source(name)).map_err(|e| sql_error(e, &side.name))?;
            resolve(&shape.rules, differences, Follow::Nothing)
        };
        let Ok(edits) = resolved else { return Ok(None) };
        let missed = if known_side && side.epoch != hub.epoch {
            let differences = observe::diff(shape, side.base_source(name), hub.base_source(name))
                .map_err(|e| sql_error(e, &side.name))?;
            match resolve(&shape.rules, differences, Follow::Renames) {
                Ok(missed) => missed,
                Err(_) => return Ok(None),
            }
        } else {
            Edits::default()
        };
        observed.overlay.push(if known_side { overlay_of(task, shape, &side.name)? } else { Vec::new() });
        observed.changes.push(changes);
        observed.edits.push(edits);
        observed.missed.push(missed);
    }
    if !known.get(task.hub).copied().unwrap_or(false) {
        observed.merged_overlay.clear();
    }
    Ok(Some(observed))
}

/// The overlay of a side for one table, its rows in the columns of the shape.
fn overlay_of(task: &Task<'_>, shape: &TableShape, side: &str) -> Result<Vec<OverlayEntry>, Fault> {
    if task.kind == MergeKind::Overwrite {
        return Ok(Vec::new());
    }
    let entries = task.store.overlay(task.name, side).map_err(super::state_error)?;
    let entries = entries.into_iter().filter(|overlay| overlay.table.eq_ignore_ascii_case(&shape.rules.name));
    Ok(entries
        .map(|overlay| {
            let fit = |row: Row| -> Row {
                let at =
                    |name: &String| overlay.columns.iter().position(|own| own.eq_ignore_ascii_case(name));
                let cells = shape.rules.columns.iter().zip(&shape.defaults);
                cells
                    .map(|(name, default)| {
                        at(name).and_then(|at| row.get(at)).cloned().unwrap_or(default.clone())
                    })
                    .collect()
            };
            match overlay.entry {
                OverlayEntry::Row { ancestor, mirror, merged, ids } => OverlayEntry::Row {
                    ids,
                    ancestor: ancestor.map(fit),
                    mirror: mirror.map(|(slot, row)| (slot, fit(row))),
                    merged: merged.map(fit),
                },
                OverlayEntry::Content { row, count } => OverlayEntry::Content { row: fit(row), count },
            }
        })
        .collect())
}

/// A table has no row id left to give.
pub(crate) fn exhausted(table: &str) -> Fault {
    Fault::Failed(format!("table {table} has used up its row ids"))
}
