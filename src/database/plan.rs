//! Planning one database: what every side is to get, worked out from what every side did.
//!
//! The driver between `observe` (which reads) and `decide` (which does not): it reads what is different, lets a
//! `round` match and decide, again while rows nobody changed turn out to be in the way, and has `intent` spell the
//! outcome out. It writes nothing.

use std::collections::BTreeSet;
use std::rc::Rc;

use rusqlite::Connection;

use crate::config::{Config, DatabaseConfig};
use crate::error::Result;

use super::apply::Refusal;
use super::changes::{Compared, Reading, States};
use super::decide::edits::{Edits, Follow, resolve};
use super::guard;
use super::intent::spell_out;
use super::key::Key;
use super::model::{Change, SideIndex};
use super::observe::{self, Cells, Source};
use super::old_copy::{self, Suspicion};
use super::pages::Moment;
use super::progress::{Pace, Phase};
use super::record::Intent;
use super::resolution::Resolution;
use super::round::{Decided, Renames, Round, Translations};
use super::schema::{Schema, Table};
use super::shape::{self, Drift, Shape, SideSchema, TableShape};
use super::store::{OverlayEntry, Store};
use super::undo::Undo;
use super::value::Row;
use super::{Fault, sql_error, virtual_table};

/// How often a plan is gone through again with what was found to be in the way. Each time something more is known,
/// except for ids of rows that point at each other, which settle in as many rounds as the chain is long.
const ROUNDS: usize = 1_000;

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
    /// Tables that have been merged, in lower case; others that the base holds are no ancestor.
    pub(crate) merged: BTreeSet<String>,
    /// Tables, in lower case, in which its base lacks what it missed, whatever its epoch.
    pub(crate) behind: BTreeSet<String>,
    /// What makes its file suspect.
    pub(crate) suspicion: Suspicion,
    /// Large cells that were read of this side or of another.
    pub(crate) cells: Rc<Cells>,
    /// Which state of its file its read transaction sees.
    pub(crate) moment: Moment,
    /// What a comparison of all pages of base and file came to, once there was one.
    pub(crate) compared: Compared,
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
        let table = self.base.schema.table(table);
        Source { connection: &self.base.connection, table, cells: Some(&self.cells) }
    }

    /// Whether the base tells what the table was when it was last merged, be it that there was none.
    fn remembers(&self, table: &str) -> bool {
        let Some(base) = self.base.schema.table(table) else { return self.known };
        let rebuilt = |live: &Table| shape::drift(Some(base), live) == Drift::Rebuilt;
        self.known
            && self.merged.contains(&table.to_ascii_lowercase())
            && !self.schema.table(table).is_some_and(rebuilt)
    }

    /// What the base will have been brought from when it is brought to the live state: nothing, for a table that is
    /// made anew there.
    pub(crate) fn recorded_from(&self, table: &str) -> Source<'_> {
        let base = self.base_source(table);
        let rebuilt =
            self.schema.table(table).is_some_and(|live| shape::drift(base.table, live) == Drift::Rebuilt);
        if rebuilt { Source { table: None, ..base } } else { base }
    }

    /// The state that is merged: the live file, or the copy just made of it.
    pub(crate) fn source(&self, table: &str) -> Source<'_> {
        if self.known {
            let table = self.schema.table(table);
            Source { connection: &self.live, table, cells: Some(&self.cells) }
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
    /// Who is told how far it is.
    pub(crate) pace: &'a dyn Pace,
    /// The run.
    pub(crate) run: i64,
    /// Unix seconds.
    pub(crate) now: i64,
    /// The same for people.
    pub(crate) at: &'a str,
    /// A decision of a person's.
    pub(crate) resolution: Option<&'a Resolution>,
    /// A run to take back.
    pub(crate) undo: Option<&'a Undo>,
    /// Rows that a side's schema did not take.
    pub(crate) refused: &'a [Refusal],
    /// Tables that are left alone this time, with the reason.
    pub(crate) paused: &'a [(String, String)],
    /// Whether one side is simply copied.
    pub(crate) kind: MergeKind,
    /// How what sides did is read.
    pub(crate) reading: &'a Reading,
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
    /// What people should know.
    pub(crate) warnings: Vec<String>,
    /// Why it must not be carried out without a person's word.
    pub(crate) held: Option<String>,
}

/// What is read once of one table.
pub(crate) struct Observed {
    /// Which sides have an ancestor.
    pub(crate) known: Vec<bool>,
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

impl Task<'_> {
    /// A small step was made.
    pub(crate) fn plans(&self) -> Result<(), Fault> {
        self.pace.plans(self.name)
    }
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
    let mut shape = shape::build(task.config, task.name, task.database, &schemas, task.hub, task.paused)?;
    if task.kind == MergeKind::Overwrite {
        for table in &mut shape.tables {
            table.rules.append_only = false;
        }
    }
    if let Some(hub) = task.sides.get(task.hub)
        && let Some(ahead) = task.sides.iter().find(|side| side.known && hub.known && side.epoch > hub.epoch)
    {
        return Err(Fault::Failed(format!(
            "{} was made the hub, but has missed what {} took part in: run once more with the former hub, then change it",
            hub.name, ahead.name
        )));
    }
    if let Some(hub) = task.sides.get(task.hub)
        && let Some(table) =
            shape.tables.iter().find(|table| hub.behind.contains(&table.rules.name.to_ascii_lowercase()))
    {
        return Err(Fault::Failed(format!(
            "{} was made the hub, but has missed what became of {} while that was left alone: run once more with the former hub, \
             then change it",
            hub.name, table.rules.name
        )));
    }
    let mut observed = Vec::new();
    let mut paused: Vec<usize> = Vec::new();
    for (index, table) in shape.tables.iter().enumerate() {
        match observe_table(task, table)? {
            Some(table) => observed.push(table),
            None => paused.push(index),
        }
    }
    if let Some(table) = paused.first().and_then(|index| shape.tables.get(*index)) {
        let reason =
            "two of its rows share the configured identity; give it a UNIQUE key or another identity";
        return Err(Fault::Table { name: table.rules.name.clone(), reason: reason.into() });
    }

    let mut extra: Vec<BTreeSet<Key>> = vec![BTreeSet::new(); shape.tables.len()];
    if let Some(resolution) = task.resolution
        && let Some((index, key)) = resolution.target(&shape)
        && let Some(keys) = extra.get_mut(index)
    {
        keys.insert(key);
    }
    if let Some(undo) = task.undo {
        grow(&mut extra, undo.targets(&shape));
    }
    let mut avoid: Vec<BTreeSet<i64>> = vec![BTreeSet::new(); shape.tables.len()];
    let mut joins: Vec<BTreeSet<Key>> = vec![BTreeSet::new(); shape.tables.len()];
    let mut stuck: Vec<BTreeSet<Key>> = vec![BTreeSet::new(); shape.tables.len()];
    let mut renames: Vec<Renames> = vec![Renames::new(); shape.tables.len()];
    let bouncing = task.store.bouncing(task.name).map_err(super::state_error)?;
    let mut later: Translations = Vec::new();
    for _ in 0..ROUNDS {
        task.pace.at(task.name, Phase::Planning, None)?;
        let round = Round {
            task,
            shape: &shape,
            observed: &observed,
            extra: &extra,
            avoid: &avoid,
            joins: &joins,
            renames: &renames,
            later: &later,
            bouncing: &bouncing,
            stuck: &stuck,
        };
        let Decided { tables, taken, met, renames: found, translations, left, stuck: fixed } =
            round.decide()?;
        let strangers = round.strangers(&tables, &taken)?;
        let reads_ahead = round.reads_ahead();
        let mut grown = grow(&mut joins, met);
        grown |= grow(&mut stuck, fixed);
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
        if reads_ahead {
            grown |= translations != later;
            later = translations;
        }
        if !grown {
            let held = match task.kind {
                MergeKind::ThreeWay => match guard::emptied(task) {
                    None => match old_copy::found(task, &shape, &observed)? {
                        None => guard::mass_deletion(task, &shape, &tables)?,
                        found => found,
                    },
                    emptied => emptied,
                },
                MergeKind::Overwrite => None,
            };
            drop(taken);
            let mut plan = spell_out(task, shape, observed, tables)?;
            plan.held = held;
            plan.warnings.extend(left.into_iter().map(|row| format!("left as it is: {row}")));
            return Ok(plan);
        }
    }
    Err(Fault::Failed("its rows depend on each other in a way that finds no end; please report this".into()))
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
fn observe_table(task: &Task<'_>, shape: &TableShape) -> Result<Option<Observed>, Fault> {
    let name = &shape.rules.name;
    let Some(hub) = task.sides.get(task.hub) else { return Ok(None) };
    // Without the hub's ancestor there is none that all share.
    let shared = hub.remembers(name);
    let mut observed = Observed {
        known: task.sides.iter().map(|side| shared && side.remembers(name)).collect(),
        changes: Vec::new(),
        edits: Vec::new(),
        missed: Vec::new(),
        overlay: Vec::new(),
        merged_overlay: if shared { overlay_of(task, shape, "")? } else { Vec::new() },
    };
    for (index, side) in task.sides.iter().enumerate() {
        let known = observed.known.get(index).copied().unwrap_or(false);
        let fail = |cause: rusqlite::Error| match virtual_table::is_damaged(&cause) {
            true => Fault::Table {
                name: name.clone(),
                reason: format!("it is damaged on {} ({cause})", side.name),
            },
            false => sql_error(cause, &side.name),
        };
        let diff = |before: Source<'_>, after: Source<'_>| {
            let of = observe::about_rows(after).map_err(fail)?;
            let mut rows = task.pace.table(task.name, name, of);
            rows.tell()?;
            observe::diff(shape, before, after, || rows.read()).map_err(fail)
        };
        let changes = if side.known { changes_of(task, shape, side, &fail)? } else { Vec::new() };
        let resolved = if known {
            resolve(&shape.rules, changes.clone(), Follow::Renames)
        } else if index == task.hub {
            Ok(Edits::default())
        } else {
            let reference = if shared { hub.base_source(name) } else { hub.source(name) };
            resolve(&shape.rules, diff(reference, side.source(name))?, Follow::Nothing)
        };
        let Ok(edits) = resolved else { return Ok(None) };
        let is_behind = side.epoch != hub.epoch || side.behind.contains(&name.to_ascii_lowercase());
        let missed = if known && is_behind {
            match resolve(&shape.rules, diff(side.base_source(name), hub.base_source(name))?, Follow::Renames)
            {
                Ok(missed) => missed,
                Err(_) => return Ok(None),
            }
        } else {
            Edits::default()
        };
        observed.overlay.push(if known { overlay_of(task, shape, &side.name)? } else { Vec::new() });
        observed.changes.push(changes);
        observed.edits.push(edits);
        observed.missed.push(missed);
    }
    Ok(Some(observed))
}

/// What differs between the base of a side and its file.
fn changes_of(
    task: &Task<'_>,
    shape: &TableShape,
    side: &Side,
    fail: &dyn Fn(rusqlite::Error) -> Fault,
) -> Result<Vec<Change>, Fault> {
    let name = &shape.rules.name;
    let (before, after) = (side.recorded_from(name), side.source(name));
    let of = observe::about_rows(after).map_err(fail)?;
    let mut rows = task.pace.table(task.name, name, of);
    rows.tell()?;
    let states = States { side: &side.name, before, after, moment: side.moment, compared: &side.compared };
    task.reading.changes(shape, &states, &mut rows).map_err(fail)
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
    Fault::Table { name: table.to_owned(), reason: "it has used up its row ids".into() }
}
