//! Spelling a plan out: writes, overlays, conflicts and counts for every side, as intents.
//!
//! Apart from `round`, which decides, and from `record`, which stores the intents. It reads nothing but the highest
//! row ids.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::config::ColumnPolicy;
use crate::interrupt;
use crate::report::{counted, rows};

use super::bounce::{self, TakenBack};
use super::companion::{self, Beside};
use super::decide::constraints::TableState;
use super::decide::decision::{Decision, Draft, Kind, Winner};
use super::model::{Ancestor, Change, Cluster, Identity, SideIndex, Slot, Write, with_cell};
use super::observe;
use super::plan::{Counts, MergeKind, Observed, Plan, Side, Task, exhausted};
use super::record::{self, Intent, Statement, TableWrites};
use super::schema::Storage;
use super::shape::{self, Drift, Shape, TableShape};
use super::sql::quote;
use super::store::{ConflictRows, FoundConflict, Ids, MERGED, Overlay, OverlayEntry, StoredConflict};
use super::undo::Touched;
use super::value::{Row, Value};
use super::{Fault, sql_error, state_error, virtual_table};

/// Turns decisions into intents.
pub(crate) fn spell_out(
    task: &Task<'_>,
    shape: Shape,
    observed: Vec<Observed>,
    tables: Vec<TableState>,
) -> Result<Plan, Fault> {
    let new_epoch = task.sides.iter().map(|side| side.epoch).max().unwrap_or(0) + 1;
    let mut intents: Vec<Intent> = Vec::new();
    for (index, side) in task.sides.iter().enumerate() {
        let mut statements: Vec<Statement> = Vec::new();
        let mut mirrors: Vec<Statement> = Vec::new();
        for table in &shape.tables {
            let about = |sql| Statement { table: table.rules.name.clone(), sql };
            let lacks = table.missing.get(index).into_iter().flatten();
            if lacks.clone().any(|sql| record::is_virtual(sql)) {
                mirrors.push(about(virtual_table::in_base(&table.table)));
            }
            statements.extend(lacks.cloned().map(about));
        }
        intents.push(Intent {
            database: task.name.to_owned(),
            side: side.name.clone(),
            base: side.base.file.clone(),
            old_epoch: side.epoch,
            new_epoch,
            base_statements: base_statements(&shape, side, task),
            fresh: !side.known || task.kind == MergeKind::Overwrite,
            statements,
            mirrors,
            tables: shape.tables.iter().map(|table| table.rules.name.clone()).collect(),
            sides: task.sides.iter().map(|side| side.name.clone()).collect(),
            run: task.run,
            ..Intent::default()
        });
    }
    let mut plan = Plan {
        intents,
        counts: vec![Counts::default(); task.sides.len()],
        warnings: shape
            .paused
            .iter()
            .map(|(table, reason)| format!("{table} is left alone: {reason}"))
            .chain(shape.warnings.iter().cloned())
            .collect(),
        shape: Shape::default(),
        held: None,
    };
    companions(task, &shape, &mut plan)?;
    // What is spelled out takes the place of what it is spelled from: a large plan is in memory once.
    let observed: Vec<(bool, Vec<Vec<Change>>)> = observed
        .into_iter()
        .map(|observed| (observed.known.iter().all(|known| *known), observed.changes))
        .collect();
    for ((shape, (known, changes)), mut state) in shape.tables.iter().zip(observed).zip(tables) {
        for (changes, intent) in changes.into_iter().zip(&mut plan.intents) {
            let writes = changes.into_iter().map(|change| {
                interrupt::serve_often();
                Write {
                    old: change.before.map(|row| (change.slot.clone(), row)),
                    new: change.after.map(|row| (change.slot, row)),
                }
            });
            intent.observed.push(TableWrites {
                table: shape.rules.name.clone(),
                columns: shape.rules.columns.clone(),
                summed: Vec::new(),
                writes: writes.collect(),
            });
        }
        // What was adopted had no ancestor to go back to.
        if known && let Some(intent) = plan.intents.get_mut(task.hub) {
            intent.touched.extend(touched(&state, task.hub));
        }
        TableSpeller::new(task, shape, &mut state, &mut plan).spell_out()?;
    }
    if let Some(intent) = plan.intents.get_mut(task.hub) {
        intent.resolved = task.resolution.map(|resolution| resolution.conflict.number);
    }
    for intent in &mut plan.intents {
        intent.observed.retain(|table| !table.writes.is_empty());
        intent.writes.retain(|table| !table.writes.is_empty());
    }
    plan.shape = shape;
    Ok(plan)
}

/// How many rows are kept in one piece, and how many bytes if they are large: what a run did may be more than the
/// memory, or a blob, can hold.
const TOUCHED_ROWS: usize = 500;
const TOUCHED_BYTES: usize = 1 << 20;

/// What becomes of the merged state of one table, in pieces.
fn touched(state: &TableState, hub: SideIndex) -> Vec<Touched> {
    let rules = &state.rules;
    let rows = state.clusters.iter().zip(&state.decisions).filter_map(|(cluster, decision)| {
        interrupt::serve_often();
        let after = decision.merged_after(rules, cluster).map(|row| shared(cluster, row));
        (after != cluster.merged).then(|| (cluster.merged.clone(), after))
    });
    let mut lots: Vec<Vec<(Option<Row>, Option<Row>)>> = Vec::new();
    let mut bytes = 0;
    for (before, after) in rows {
        let more = before.iter().chain(&after).flat_map(|row| row.iter()).map(Value::length).sum::<usize>();
        match lots.last_mut().filter(|lot| lot.len() < TOUCHED_ROWS && bytes + more <= TOUCHED_BYTES) {
            Some(lot) => lot.push((before, after)),
            None => {
                lots.push(vec![(before, after)]);
                bytes = 0;
            }
        }
        bytes += more;
    }
    let (changes, _) = state.contents.plan(hub);
    let own =
        state.contents.sides.get(hub).map(|own| own.differences.values().map(|count| count.abs()).sum());
    let theirs: i64 =
        changes.get(hub).into_iter().flat_map(|changes| changes.values()).map(|count| count.abs()).sum();
    let contents = theirs + own.unwrap_or(0);
    let piece = |rows, contents| Touched {
        table: rules.name.clone(),
        columns: rules.columns.clone(),
        rows,
        contents,
    };
    let mut pieces: Vec<Touched> = lots.into_iter().map(|rows| piece(rows, 0)).collect();
    match pieces.first_mut() {
        Some(first) => first.contents = contents,
        None if contents > 0 => pieces.push(piece(Vec::new(), contents)),
        None => {}
    }
    pieces
}

/// A row of the merged state, as it lies in memory already where a side has it.
fn shared(cluster: &Cluster, row: Row) -> Row {
    let locals = cluster.seats.iter().filter_map(|seat| seat.after.as_ref());
    let mut known = locals.flat_map(|local| [&local.raw, &local.row]).chain(&cluster.merged);
    known.find(|known| **known == row).cloned().unwrap_or(row)
}

/// Notes what is to be made beside the tables, and what is to be remembered of that.
fn companions(task: &Task<'_>, shape: &Shape, plan: &mut Plan) -> Result<(), Fault> {
    let tables: Vec<&str> = shape.tables.iter().map(|table| table.rules.name.as_str()).collect();
    let mut known = Vec::new();
    let mut beside = Vec::new();
    for side in task.sides {
        let stored = task.store.companions(task.name, &side.name).map_err(state_error)?;
        let had = if side.known { stored.clone() } else { Default::default() };
        beside.push(Beside { side: &side.name, now: &side.schema.companions, had });
        known.push(stored);
    }
    let settled = companion::settle(task.database.schema, &tables, &beside, task.hub);
    plan.warnings.extend(settled.warnings);
    let outcome = settled.missing.into_iter().zip(settled.have).zip(known);
    for (intent, ((missing, have), known)) in plan.intents.iter_mut().zip(outcome) {
        let made = missing.into_iter().map(|new| Statement { table: new.title(), sql: new.sql });
        intent.companions = made.collect();
        if !intent.companions.is_empty() || have != known {
            intent.remembered = Some(have.into_iter().collect());
        }
    }
    Ok(())
}

/// What makes a base's schema that of its side.
fn base_statements(shape: &Shape, side: &Side, task: &Task<'_>) -> Vec<String> {
    let mut statements = Vec::new();
    if !side.known {
        return statements;
    }
    for table in &shape.tables {
        let Some(live) = side.schema.table(&table.rules.name) else { continue };
        match (
            side.base.schema.table(&table.rules.name),
            shape::drift(side.base.schema.table(&live.name), live),
        ) {
            (None, _) => statements.push(virtual_table::in_base(live)),
            (Some(base), Drift::Rebuilt) => {
                statements.push(format!("DROP TABLE {}", quote(&base.name)));
                statements.push(virtual_table::in_base(live));
            }
            (Some(base), Drift::Dropped) => {
                let old = quote(&format!("cr0sync old {}", base.name));
                let mut names: Vec<String> = live
                    .columns
                    .iter()
                    .filter(|column| base.column(&column.name).is_some())
                    .map(|column| quote(&column.name))
                    .collect();
                if let Storage::Hidden { .. } = live.storage {
                    names.push(observe::rowid_name(live));
                }
                let names = names.join(", ");
                statements.push(format!("ALTER TABLE {} RENAME TO {old}", quote(&base.name)));
                statements.push(live.sql.clone());
                statements.push(format!(
                    "INSERT INTO base.{} ({names}) SELECT {names} FROM base.{old}",
                    quote(&live.name)
                ));
                statements.push(format!("DROP TABLE {old}"));
            }
            (Some(base), Drift::None | Drift::Added) => {
                for column in live.columns.iter().filter(|column| base.column(&column.name).is_none()) {
                    let definition = super::sql::column_definition(&live.sql, &column.name);
                    statements.extend(definition.map(|definition| {
                        format!("ALTER TABLE {} ADD COLUMN {definition}", quote(&live.name))
                    }));
                }
            }
        }
    }
    // What nobody has any more is forgotten, so that a table of that name is a new one.
    for base in &side.base.schema.tables {
        if task.sides.iter().all(|side| side.schema.table(&base.name).is_none()) {
            statements.push(format!("DROP TABLE {}", quote(&base.name)));
        }
    }
    statements
}

/// What decides what a conflict of one table says: kind, winner, status, reason and columns.
type About = (Kind, Winner, &'static str, Cow<'static, str>, Vec<usize>);

struct TableSpeller<'a, 'p> {
    task: &'a Task<'a>,
    shape: &'a TableShape,
    state: &'p mut TableState,
    plan: &'p mut Plan,
    /// What many conflicts say alike, once: they would be most of what a plan with many conflicts needs.
    alike: HashMap<About, Arc<StoredConflict>>,
    columns: Arc<[String]>,
    key: Arc<[String]>,
}

impl<'a, 'p> TableSpeller<'a, 'p> {
    fn new(task: &'a Task<'a>, shape: &'a TableShape, state: &'p mut TableState, plan: &'p mut Plan) -> Self {
        let rules = &shape.rules;
        let named = |column: &usize| rules.columns.get(*column).cloned();
        let key = match &rules.identity {
            Identity::Key(key) => key.iter().filter_map(|(column, _)| named(column)).collect(),
            Identity::Id(column) => named(column).into_iter().collect(),
            Identity::Content => rules.columns.as_slice().into(),
        };
        let columns = rules.columns.as_slice().into();
        TableSpeller { task, shape, state, plan, alike: HashMap::new(), columns, key }
    }

    fn spell_out(&mut self) -> Result<(), Fault> {
        let rules = &self.shape.rules;
        let mut last = 0;
        let mut next_rowid = Vec::new();
        for side in self.task.sides {
            let of_side = observe::last_rowid(self.shape, side.source(&rules.name))
                .map_err(|e| sql_error(e, &side.name))?;
            last = last.max(of_side);
            next_rowid.push(of_side);
        }
        for cluster in &self.state.clusters {
            last = last.max(cluster.id.unwrap_or(0));
        }
        if rules.id.is_some() {
            // Rows without identity must not take an id that a row with one gets.
            next_rowid.iter_mut().for_each(|next| *next = last);
        }
        let mut writes: Vec<Vec<Write>> = vec![Vec::new(); self.task.sides.len()];
        let mut ignored = 0_usize;
        let taken_back = self.taken_back()?;
        let clusters = std::mem::take(&mut self.state.clusters);
        let decisions = std::mem::take(&mut self.state.decisions);
        for (cluster, decision) in clusters.into_iter().zip(decisions) {
            self.task.plans()?;
            let (cluster, decision) = (&cluster, &decision);
            ignored += decision.ignored.len();
            for (side, seat) in cluster.seats.iter().enumerate() {
                let target = decision.row_on(rules, cluster, side).map(|row| shared(cluster, row));
                let current = seat.after.as_ref();
                let mut slot = None;
                if let Some(row) = &target {
                    slot = rules.slot(row).or_else(|| current.map(|local| local.slot.clone()));
                    if slot.is_none()
                        && let Some(next) = next_rowid.get_mut(side)
                    {
                        *next = next.checked_add(1).ok_or_else(|| exhausted(&rules.name))?;
                        slot = Some(Slot::Rowid(*next));
                    }
                }
                let write = Write {
                    old: current.map(|local| (local.slot.clone(), local.raw.clone())),
                    new: slot.zip(target),
                };
                self.overlay(cluster, decision, side, &write);
                if write.old == write.new {
                    continue;
                }
                self.count(cluster, side, &write);
                if let Some(writes) = writes.get_mut(side) {
                    writes.push(write);
                }
            }
            for draft in &decision.conflicts {
                self.conflict(cluster, decision, draft);
            }
        }
        if ignored > 0 {
            self.plan.warnings.push(format!(
                "{}: {} left where made, since the table only grows",
                rules.name,
                counted(ignored, "deletion or update", "deletions or updates")
            ));
        }
        self.contents(&mut writes, &mut next_rowid)?;
        for (intent, writes) in self.plan.intents.iter_mut().zip(writes) {
            intent.bounces.extend(bounce::of_writes(rules, &writes, &taken_back));
            let summed = rules.policies.iter().enumerate();
            let summed = summed.filter(|(_, policy)| **policy == ColumnPolicy::Sum).map(|(column, _)| column);
            intent.writes.push(TableWrites {
                table: rules.name.clone(),
                columns: rules.columns.clone(),
                summed: summed.collect(),
                writes,
            });
        }
        if self.shape.table.autoincrement {
            for (side, intent) in self.task.sides.iter().zip(&mut self.plan.intents) {
                let known = observe::sequence_of(self.shape, side.source(&rules.name))
                    .map_err(|e| sql_error(e, &side.name))?;
                // A side that gets rows is told in any case: they would raise it only as far as they reach.
                let gets_rows = intent.writes.last().is_some_and(|table| !table.writes.is_empty());
                if known.is_some_and(|known| known < last) || gets_rows {
                    intent.raised.push((rules.name.clone(), last));
                }
            }
        }
        Ok(())
    }

    /// How often in a row cells of this table have been taken back; what a person decides takes nothing back.
    fn taken_back(&self) -> Result<TakenBack, Fault> {
        if self.state.clusters.is_empty() || self.task.resolution.is_some() || self.task.undo.is_some() {
            return Ok(TakenBack::default());
        }
        let noted = self.task.store.noted(self.task.name, &self.shape.rules.name).map_err(state_error)?;
        let sides: Vec<&str> = self.task.sides.iter().map(|side| side.name.as_str()).collect();
        Ok(TakenBack::of(&self.shape.rules, &noted, &sides, &self.state.clusters))
    }

    /// Notes where ancestors will differ from what the bases hold.
    fn overlay(&mut self, cluster: &Cluster, decision: &Decision, side: SideIndex, write: &Write) {
        let rules = &self.shape.rules;
        let merged = decision.merged_after(rules, cluster);
        let ancestor = decision.ancestor_after(rules, cluster, side);
        let ids = match decision.frozen || decision.ignored.contains(&side) {
            true => Ids::Changed,
            false => Ids::Translated,
        };
        let entry = |ancestor: Option<Row>, mirror: Option<(Slot, Row)>| Overlay {
            table: rules.name.clone(),
            columns: rules.columns.clone(),
            entry: OverlayEntry::Row { ancestor, mirror, merged: merged.clone(), ids },
        };
        let Some(intent) = self.plan.intents.get_mut(side) else { return };
        let mirror = write.new.as_ref().map(|(_, row)| row);
        if ancestor.as_ref() != mirror || merged.as_ref() != mirror {
            intent.overlay.push(entry(ancestor.clone(), write.new.clone()));
        }
        if side == self.task.hub && merged.as_ref() != mirror {
            let of_merged = entry(merged.clone(), write.new.clone());
            intent.merged_overlay.push(of_merged);
        }
        let current = cluster.seats.get(side).and_then(|seat| seat.after.as_ref());
        let unwritten = if decision.frozen || decision.ignored.contains(&side) {
            ancestor
        } else {
            // Its edit is merged, but under the names of the merged state.
            current.map(|local| {
                let mut row = local.row.clone();
                if let (Some(column), Some(id)) = (rules.assigned_id(), cluster.id) {
                    row = with_cell(&row, column, &Value::Integer(id));
                }
                for column in &decision.held {
                    let cell = merged.as_ref().and_then(|row| row.get(*column)).cloned();
                    row = with_cell(&row, *column, &cell.unwrap_or(Value::Held));
                }
                row
            })
        };
        let mirror = current.map(|local| &local.raw);
        if unwritten.as_ref() != mirror || (decision.frozen && merged.as_ref() != mirror) {
            intent.overlay_unwritten.push(entry(unwritten, write.old.clone()));
        }
    }

    fn count(&mut self, cluster: &Cluster, side: SideIndex, write: &Write) {
        let Some(counts) = self.plan.counts.get_mut(side) else { return };
        match (&write.old, &write.new) {
            (None, Some(_)) => counts.inserted += 1,
            (Some(_), None) => counts.deleted += 1,
            (Some((_, old)), Some((_, new))) => {
                let id = self.shape.rules.assigned_id();
                let moved = id.is_some_and(|id| old.get(id) != new.get(id));
                let is_new = cluster
                    .seats
                    .get(side)
                    .is_some_and(|seat| matches!(seat.before, Ancestor::Known(None) | Ancestor::Unknown));
                if moved && is_new { counts.rekeyed += 1 } else { counts.updated += 1 }
            }
            (None, None) => {}
        }
    }

    fn conflict(&mut self, cluster: &Cluster, decision: &Decision, draft: &Draft) {
        let (rules, task) = (&self.shape.rules, self.task);
        let name = |side: SideIndex| task.sides.get(side).map(|side| side.name.as_str());
        let (winner, status) = match draft.winner {
            Winner::Side(side) => {
                (name(side).unwrap_or_default(), if decision.frozen { "held" } else { "open" })
            }
            Winner::Merged => (MERGED, if decision.frozen { "held" } else { "open" }),
            Winner::Nobody => ("none", "held"),
        };
        let sides = &task.sides;
        let about = (draft.kind, draft.winner, status, draft.reason.clone(), draft.columns.clone());
        let alike = self.alike.entry(about).or_insert_with(|| {
            let clashing = draft.columns.iter().filter_map(|column| rules.columns.get(*column).cloned());
            let rows = ConflictRows {
                columns: Arc::clone(&self.columns),
                key: Arc::clone(&self.key),
                clashing: clashing.collect(),
                values: sides.iter().map(|side| (side.name.as_str().into(), None)).collect(),
                both: matches!(draft.kind, Kind::InsertInsert | Kind::Adoption)
                    && matches!(rules.identity, Identity::Id(_)),
                ..ConflictRows::default()
            };
            Arc::new(StoredConflict {
                number: 0,
                database: task.name.into(),
                table: rules.name.as_str().into(),
                kind: draft.kind.name().into(),
                winner: winner.into(),
                reason: (*draft.reason).into(),
                status: status.into(),
                run: task.run.to_string().into(),
                at: task.at.into(),
                rows,
            })
        });
        let merged = decision.row(rules, cluster).map(|row| shared(cluster, row));
        let locals = || cluster.seats.iter().map(|seat| seat.after.as_ref().map(|local| local.raw.clone()));
        let conflict = FoundConflict {
            alike: Arc::clone(alike),
            identity: merged.clone().or_else(|| cluster.merged.clone()).or_else(|| locals().flatten().next()),
            base: draft.base.clone(),
            values: locals().collect(),
            merged,
        };
        if let Some(intent) = self.plan.intents.get_mut(task.hub) {
            if draft.kind == Kind::Oscillation
                && let Some(row) = &conflict.identity
            {
                intent.bouncing.extend(bounce::still(rules, row, &draft.columns.iter().copied().collect()));
            }
            intent.conflicts.push(conflict);
        }
    }

    /// Spells out what becomes of rows without identity.
    fn contents(&mut self, writes: &mut [Vec<Write>], next_rowid: &mut [i64]) -> Result<(), Fault> {
        let rules = &self.shape.rules;
        let mut contents = std::mem::take(&mut self.state.contents);
        if rules.append_only {
            let lost = contents.keep_losses();
            if lost > 0 {
                self.plan.warnings.push(format!(
                    "{}: {} deleted on one side, and kept on the others, since the table only grows",
                    rules.name,
                    rows(usize::try_from(lost).unwrap_or(usize::MAX))
                ));
            }
        }
        let (changes, adopted) = contents.plan(self.task.hub);
        if adopted > 0 {
            self.plan.warnings.push(format!(
                "{}: {} without a key, in different numbers on the sides; the larger was taken",
                rules.name,
                rows(adopted)
            ));
        }
        for (side, (changes, own)) in changes.into_iter().zip(&contents.sides).enumerate() {
            let (Some(writes), Some(next)) = (writes.get_mut(side), next_rowid.get_mut(side)) else {
                continue;
            };
            let Some(counts) = self.plan.counts.get_mut(side) else { continue };
            for (row, change) in changes {
                let number = usize::try_from(change.unsigned_abs()).unwrap_or(usize::MAX);
                if change < 0 {
                    let places = own.places.get(&row).into_iter().flatten().rev().take(number);
                    for (slot, row) in places {
                        counts.deleted += 1;
                        writes.push(Write { old: Some((slot.clone(), row.clone())), new: None });
                    }
                    continue;
                }
                for _ in 0..number {
                    *next = next.checked_add(1).ok_or_else(|| exhausted(&rules.name))?;
                    let row = rules.id.map_or(row.clone(), |id| with_cell(&row, id, &Value::Integer(*next)));
                    counts.inserted += 1;
                    writes.push(Write { old: None, new: Some((Slot::Rowid(*next), row)) });
                }
            }
            let Some(intent) = self.plan.intents.get_mut(side) else { continue };
            for (row, count) in own.kept.iter().filter(|(_, count)| **count != 0) {
                let entry = Overlay {
                    table: rules.name.clone(),
                    columns: rules.columns.clone(),
                    entry: OverlayEntry::Content { row: row.clone(), count: *count },
                };
                intent.overlay.push(entry.clone());
                intent.overlay_unwritten.push(entry);
            }
        }
        Ok(())
    }
}
