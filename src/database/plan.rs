//! Planning one database: what every side is to get, worked out from what every side did.
//!
//! The driver between `observe` (which reads) and `decide` (which does not): it asks every side for the rows that
//! matter, lets the pure functions decide, and spells the outcome out as intents. It writes nothing. Parents are
//! planned before children, so that references can be read in terms of the merged state.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rusqlite::Connection;

use crate::config::{Config, DatabaseConfig};
use crate::error::Result;

use super::decide::cluster::Clusters;
use super::decide::constraints::{self, TableState};
use super::decide::contents::{Contents, SideContents};
use super::decide::decision::{Context, Decision, Draft, Kind, Winner, decide};
use super::decide::edits::{Edits, Follow, resolve};
use super::apply::Refusal;
use super::decide::ids;
use super::key::{Collation, Key, key_of};
use super::model::{Ancestor, Change, Cluster, Edit, Identity, Local, SideIndex, Slot, Write, with_cell};
use super::observe::{self, Source};
use super::record::{Intent, TableWrites};
use super::resolution::Resolution;
use super::schema::Schema;
use super::shape::{self, Shape, SideSchema, TableShape};
use super::store::{ConflictRows, Overlay, OverlayEntry, Store, StoredConflict};
use super::value::{Row, Value};
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
    fn base_source(&self, table: &str) -> Source<'_> {
        Source { connection: &self.base.connection, table: self.base.schema.table(table) }
    }

    /// The state that is merged: the live file, or the copy just made of it.
    fn source(&self, table: &str) -> Source<'_> {
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
}

/// What is read once of one table.
struct Observed {
    /// From base to live, by side.
    changes: Vec<Vec<Change>>,
    /// What each side did; for an unknown side, how it differs from the hub.
    edits: Vec<Vec<(Option<Row>, Option<(Slot, Row)>)>>,
    contents: Vec<BTreeMap<Row, i64>>,
    /// What the merged state did while a side was away.
    missed: Vec<Edits>,
    overlay: Vec<Vec<OverlayEntry>>,
    merged_overlay: Vec<OverlayEntry>,
}

/// Row ids of the merged state by table and side, where they differ.
type Translations = Vec<Vec<BTreeMap<i64, i64>>>;

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
        let reason = "two of its rows share the configured identity; give it a UNIQUE key or another identity";
        let mut remapped = Shape { tables: Vec::new(), paused: shape.paused };
        let mut position = Vec::new();
        for (index, _) in shape.tables.iter().enumerate() {
            position.push((!paused.contains(&index)).then_some(index - paused.iter().filter(|p| **p < index).count()));
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
    loop {
        let mut round = Round { task, shape: &shape, observed: &observed, known: &known, extra: &extra };
        let (tables, taken) = round.decide()?;
        let found = round.strangers(&tables, &taken)?;
        if found.iter().all(BTreeSet::is_empty) {
            return spell_out(task, shape, &observed, &tables);
        }
        let mut grown = false;
        for (keys, found) in extra.iter_mut().zip(found) {
            let before = keys.len();
            keys.extend(found);
            grown |= keys.len() > before;
        }
        if !grown {
            return spell_out(task, shape, &observed, &tables);
        }
    }
}

/// Reads what is different in one table; `None` when its identity is ambiguous.
fn observe_table(task: &Task<'_>, shape: &TableShape, known: &[bool]) -> Result<Option<Observed>, Fault> {
    let name = &shape.rules.name;
    let mut observed = Observed {
        changes: Vec::new(),
        edits: Vec::new(),
        contents: Vec::new(),
        missed: Vec::new(),
        overlay: Vec::new(),
        merged_overlay: overlay_of(task, shape, "")?,
    };
    let Some(hub) = task.sides.get(task.hub) else { return Ok(None) };
    for (index, side) in task.sides.iter().enumerate() {
        let known_side = known.get(index).copied().unwrap_or(false);
        let changes = if side.known {
            observe::diff(shape, side.base_source(name), side.source(name)).map_err(|e| sql_error(e, &side.name))?
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
        observed.edits.push(edits.pairs);
        observed.contents.push(edits.contents);
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
                let at = |name: &String| overlay.columns.iter().position(|own| own.eq_ignore_ascii_case(name));
                let cells = shape.rules.columns.iter().zip(&shape.defaults);
                cells
                    .map(|(name, default)| at(name).and_then(|at| row.get(at)).cloned().unwrap_or(default.clone()))
                    .collect()
            };
            match overlay.entry {
                OverlayEntry::Row { ancestor, mirror, merged } => OverlayEntry::Row {
                    ancestor: ancestor.map(fit),
                    mirror: mirror.map(|(slot, row)| (slot, fit(row))),
                    merged: merged.map(fit),
                },
                OverlayEntry::Content { row, count } => OverlayEntry::Content { row: fit(row), count },
            }
        })
        .collect())
}

/// One attempt at a plan, with the rows that earlier attempts ran into.
struct Round<'a> {
    task: &'a Task<'a>,
    shape: &'a Shape,
    observed: &'a [Observed],
    known: &'a [bool],
    extra: &'a [BTreeSet<Key>],
}

/// Slots that take part in a plan, by table and side.
type Taken = Vec<Vec<HashSet<Slot>>>;

impl Round<'_> {
    /// Matches, names and merges all rows.
    fn decide(&mut self) -> Result<(Vec<TableState>, Taken), Fault> {
        let sides = self.task.sides.len();
        let mut translations: Translations = Vec::new();
        let mut tables: Vec<TableState> = Vec::new();
        let mut all_taken = Vec::new();
        for (index, (shape, observed)) in self.shape.tables.iter().zip(self.observed).enumerate() {
            let (mut clusters, taken) = self.cluster(index, shape, observed, &translations)?;
            let last = self.assign_ids(shape, &mut clusters, &taken)?;
            let contents = self.contents(index, shape, observed, &translations)?;
            translations.push((0..sides).map(|side| ids::translation(&shape.rules, &clusters, side)).collect());
            tables.push(TableState { rules: shape.rules.clone(), clusters, decisions: Vec::new(), contents, last });
            all_taken.push(taken);
        }
        let context = Context { hub: self.task.hub, now: self.task.now };
        for (index, table) in tables.iter_mut().enumerate() {
            for cluster in &mut table.clusters {
                for (side, seat) in cluster.seats.iter_mut().enumerate() {
                    let Some(local) = &mut seat.after else { continue };
                    // References to tables planned later, itself among them, can be read only now.
                    local.row = self.translate(index, side, &seat.before, &local.row, &translations, Later::Only);
                }
            }
            table.decisions =
                table.clusters.iter().map(|cluster| decide(&table.rules, cluster, context)).collect();
        }
        if let Some(resolution) = self.task.resolution {
            resolution.impose(self.shape, &mut tables, self.task.sides)?;
        }
        for refusal in self.task.refused {
            set_aside(&mut tables, refusal)?;
        }
        constraints::settle(&mut tables, sides);
        Ok((tables, all_taken))
    }

    /// A side's row in terms of the merged state.
    fn translate(
        &self,
        table: usize,
        side: SideIndex,
        before: &Ancestor,
        row: &Row,
        translations: &Translations,
        later: Later,
    ) -> Row {
        let mut row = row.clone();
        let Some(rules) = self.shape.tables.get(table).map(|table| &table.rules) else { return row };
        for reference in &rules.references {
            if (reference.parent >= table) != (later == Later::Only) {
                continue;
            }
            let id = self.shape.tables.get(reference.parent).and_then(|parent| parent.rules.assigned_id());
            let Some(map) = translations.get(reference.parent).and_then(|sides| sides.get(side)) else { continue };
            for (column, (parent_column, _)) in reference.columns.iter().zip(&reference.parent_columns) {
                let cell = row.get(*column).cloned().unwrap_or(Value::Null);
                let unchanged = match before {
                    Ancestor::Known(Some(before)) => before.get(*column) == Some(&cell),
                    Ancestor::Known(None) | Ancestor::Unknown => false,
                };
                if Some(*parent_column) != id || unchanged {
                    continue;
                }
                if let Some(merged) = cell.as_integer().and_then(|id| map.get(&id)) {
                    row = with_cell(&row, *column, &Value::Integer(*merged));
                }
            }
        }
        row
    }

    /// Gathers all rows of one table that any side changed, and matches them.
    fn cluster(
        &self,
        index: usize,
        shape: &TableShape,
        observed: &Observed,
        translations: &Translations,
    ) -> Result<(Vec<Cluster>, Vec<HashSet<Slot>>), Fault> {
        let rules = &shape.rules;
        let mut clusters = Clusters::new(rules, self.task.hub, self.known);
        let identity: Vec<(usize, Collation)> = match &rules.identity {
            Identity::Key(columns) => columns.clone(),
            Identity::Id(column) => vec![(*column, Collation::Binary)],
            Identity::Content => return Ok((Vec::new(), vec![HashSet::new(); self.task.sides.len()])),
        };
        let mut wanted: BTreeSet<Key> = self.extra.get(index).cloned().unwrap_or_default();
        for entry in &observed.merged_overlay {
            if let OverlayEntry::Row { ancestor: Some(row), .. } = entry
                && let Some(key) = rules.key(row)
            {
                clusters.add_merged(key, row);
            }
        }
        let mut renamed: Vec<HashMap<Key, Key>> = Vec::new();
        for (side, name) in self.task.sides.iter().enumerate() {
            let edits = self.edits_of(index, side, shape, observed, translations, &identity, &mut wanted)?;
            renamed.push(edits.renamed);
            for (canonical, edit) in edits.list {
                clusters.add_edit(side, canonical, edit);
            }
            let _ = name;
        }
        wanted.extend(clusters.wanted());
        for (side, (open, renamed)) in self.task.sides.iter().zip(&renamed).enumerate() {
            let rows = observe::rows_by_key(shape, open.source(&rules.name), &identity, &wanted)
                .map_err(|e| sql_error(e, &open.name))?;
            for (slot, raw) in rows {
                let Some(key) = rules.key(&raw) else { continue };
                let before = if self.is_known(side) { Ancestor::Known(Some(raw.clone())) } else { Ancestor::Unknown };
                let row = self.translate(index, side, &before, &raw, translations, Later::Not);
                let canonical = renamed.get(&key).cloned().unwrap_or(key);
                clusters.add_unchanged(side, canonical, Local { slot, raw, row });
            }
        }
        Ok(clusters.finish())
    }

    /// What one side did to one table, with the overlay and what it missed laid over.
    #[expect(clippy::too_many_arguments, reason = "one step of one loop, told apart to be readable")]
    fn edits_of(
        &self,
        index: usize,
        side: SideIndex,
        shape: &TableShape,
        observed: &Observed,
        translations: &Translations,
        identity: &[(usize, Collation)],
        wanted: &mut BTreeSet<Key>,
    ) -> Result<SideEdits, Fault> {
        let rules = &shape.rules;
        let mut result = SideEdits { list: Vec::new(), renamed: HashMap::new() };
        let Some(open) = self.task.sides.get(side) else { return Ok(result) };
        let source = open.source(&rules.name);
        let live_by_key = |key: &Key| -> Result<Option<(Slot, Row)>, Fault> {
            let rows = observe::rows_by_key(shape, source, identity, &BTreeSet::from([key.clone()]))
                .map_err(|e| sql_error(e, &open.name))?;
            Ok(rows.into_iter().next())
        };
        let local = |before: &Ancestor, (slot, raw): (Slot, Row), alias: Option<(i64, i64)>| {
            let mut row = self.translate(index, side, before, &raw, translations, Later::Not);
            if let (Some((from, to)), Some(column)) = (alias, rules.assigned_id())
                && row.get(column) == Some(&Value::Integer(from))
            {
                row = with_cell(&row, column, &Value::Integer(to));
            }
            Local { slot, raw, row }
        };
        let mut by_before: HashMap<Key, usize> = HashMap::new();
        let mut inserted: HashMap<Key, usize> = HashMap::new();
        let pairs = observed.edits.get(side).map(Vec::as_slice).unwrap_or_default();
        for (position, (before, after)) in pairs.iter().enumerate() {
            match (before.as_ref().and_then(|row| rules.key(row)), after) {
                (Some(key), _) => {
                    by_before.insert(key, position);
                }
                (None, Some((_, row))) => inserted.extend(rules.key(row).map(|key| (key, position))),
                (None, None) => {}
            }
        }
        if !self.is_known(side) {
            for (before, after) in pairs {
                wanted.extend(before.as_ref().and_then(|row| rules.key(row)));
                if let Some(placed) = after {
                    let after = Some(local(&Ancestor::Unknown, placed.clone(), None));
                    result.list.push((None, Edit { before: Ancestor::Unknown, after }));
                }
            }
            result.list.extend(self.adopted_children(index, side, shape, translations, &result.list)?);
            return Ok(result);
        }

        let mut used: HashSet<usize> = HashSet::new();
        let mut covered: HashSet<Key> = HashSet::new();
        for entry in observed.overlay.get(side).into_iter().flatten() {
            let OverlayEntry::Row { ancestor, mirror, merged } = entry else { continue };
            let canonical = merged.as_ref().or(ancestor.as_ref()).and_then(|row| rules.key(row));
            wanted.extend(canonical.clone());
            let id = |row: &Row| rules.assigned_id().and_then(|id| row.get(id)).and_then(Value::as_integer);
            let alias = match (mirror, ancestor) {
                (Some((_, mirror)), Some(ancestor)) => id(mirror).zip(id(ancestor)).filter(|(a, b)| a != b),
                _ => None,
            };
            let placed = match mirror {
                Some((_, mirror)) => {
                    let Some(key) = rules.key(mirror) else { continue };
                    covered.insert(key.clone());
                    match by_before.get(&key) {
                        Some(position) => {
                            used.insert(*position);
                            pairs.get(*position).and_then(|(_, after)| after.clone())
                        }
                        None => live_by_key(&key)?,
                    }
                }
                None => {
                    let found = ancestor.as_ref().and_then(|row| inserted.get(&rules.key(row)?)).copied();
                    used.extend(found);
                    found.and_then(|position| pairs.get(position)).and_then(|(_, after)| after.clone())
                }
            };
            if ancestor.is_none() && placed.is_none() {
                continue;
            }
            let before = Ancestor::Known(ancestor.clone());
            let after = placed.map(|placed| local(&before, placed, alias));
            let canonical = canonical.filter(|_| ancestor.is_some() || merged.is_some());
            let canonical = if ancestor.is_none() { None } else { canonical };
            result.list.push((canonical, Edit { before, after }));
        }
        for (before, after) in observed.missed.get(side).map(|missed| missed.pairs.as_slice()).unwrap_or_default() {
            let then = after.as_ref().and_then(|(_, row)| rules.key(row));
            wanted.extend(then.clone());
            let Some(before) = before else { continue };
            let Some(key) = rules.key(before) else { continue };
            if let Some(then) = then {
                result.renamed.insert(key.clone(), then);
            }
            if covered.contains(&key) || by_before.contains_key(&key) {
                continue;
            }
            let known = Ancestor::Known(Some(before.clone()));
            let after = live_by_key(&key)?.map(|placed| local(&known, placed, None));
            let canonical = result.renamed.get(&key).cloned().unwrap_or(key);
            result.list.push((Some(canonical), Edit { before: known, after }));
        }
        for (position, (before, after)) in pairs.iter().enumerate() {
            if used.contains(&position) {
                continue;
            }
            let key = before.as_ref().and_then(|row| rules.key(row));
            let canonical = key.map(|key| result.renamed.get(&key).cloned().unwrap_or(key));
            let before = Ancestor::Known(before.clone());
            let after = after.clone().map(|placed| local(&before, placed, None));
            result.list.push((canonical, Edit { before, after }));
        }
        Ok(result)
    }

    /// Rows of an adopted side that look like everybody's but point at rows that get another id.
    fn adopted_children(
        &self,
        index: usize,
        side: SideIndex,
        shape: &TableShape,
        translations: &Translations,
        already: &[(Option<Key>, Edit)],
    ) -> Result<Vec<(Option<Key>, Edit)>, Fault> {
        let mut taken: HashSet<Slot> =
            already.iter().filter_map(|(_, edit)| edit.after.as_ref()).map(|local| local.slot.clone()).collect();
        let mut children = Vec::new();
        let Some(open) = self.task.sides.get(side) else { return Ok(children) };
        for reference in shape.rules.references.iter().filter(|reference| reference.parent < index) {
            let id = self.shape.tables.get(reference.parent).and_then(|parent| parent.rules.assigned_id());
            let Some(map) = translations.get(reference.parent).and_then(|sides| sides.get(side)) else { continue };
            let pointing: BTreeSet<i64> = map.keys().copied().collect();
            if pointing.is_empty() {
                continue;
            }
            for (column, (parent_column, _)) in reference.columns.iter().zip(&reference.parent_columns) {
                if Some(*parent_column) != id {
                    continue;
                }
                let rows =
                    observe::rows_pointing_at(shape, open.source(&shape.rules.name), *column, &pointing)
                        .map_err(|e| sql_error(e, &open.name))?;
                for (slot, raw) in rows {
                    if taken.insert(slot.clone()) {
                        let row = self.translate(index, side, &Ancestor::Unknown, &raw, translations, Later::Not);
                        let after = Some(Local { slot, raw, row });
                        children.push((None, Edit { before: Ancestor::Unknown, after }));
                    }
                }
            }
        }
        Ok(children)
    }

    fn is_known(&self, side: SideIndex) -> bool {
        self.known.get(side).copied().unwrap_or(false)
    }

    /// Gives the rows of one table their ids, and tells the highest that any side uses.
    fn assign_ids(
        &self,
        shape: &TableShape,
        clusters: &mut [Cluster],
        taken: &[HashSet<Slot>],
    ) -> Result<i64, Fault> {
        let Some(column) = shape.rules.assigned_id() else { return Ok(0) };
        if clusters.is_empty() {
            return Ok(0);
        }
        let wanted: BTreeSet<Key> = ids::wanted(&shape.rules, clusters)
            .into_iter()
            .map(|id| vec![super::key::KeyPart::Integer(id)])
            .collect();
        let mut occupied = HashSet::new();
        let mut last = clusters.iter().filter_map(|cluster| cluster.merged.as_ref()).fold(0, |last, row| {
            last.max(row.get(column).and_then(Value::as_integer).unwrap_or(0))
        });
        for (open, taken) in self.task.sides.iter().zip(taken) {
            let source = open.source(&shape.rules.name);
            let rows = observe::rows_by_key(shape, source, &[(column, Collation::Binary)], &wanted)
                .map_err(|e| sql_error(e, &open.name))?;
            for (slot, row) in rows {
                if !taken.contains(&slot) {
                    occupied.extend(row.get(column).and_then(Value::as_integer));
                }
            }
            let of_live = observe::last_rowid(shape, source).map_err(|e| sql_error(e, &open.name))?;
            let of_base = observe::last_rowid(shape, open.base_source(&shape.rules.name));
            last = last.max(of_live).max(of_base.map_err(|e| sql_error(e, &open.name))?);
        }
        ids::assign(&shape.rules, clusters, &occupied, last).map_err(|ids::Exhausted| exhausted(&shape.rules.name))?;
        Ok(last)
    }

    /// Reads the rows without identity that matter.
    fn contents(
        &self,
        index: usize,
        shape: &TableShape,
        observed: &Observed,
        translations: &Translations,
    ) -> Result<Contents, Fault> {
        if matches!(shape.rules.identity, Identity::Id(_)) {
            return Ok(Contents::default());
        }
        let adopting = self.known.iter().any(|known| !known);
        let mut contents = Contents::default();
        for (side, differences) in observed.contents.iter().enumerate() {
            let known = self.is_known(side);
            let mut differences = if known { differences.clone() } else { BTreeMap::new() };
            for entry in observed.overlay.get(side).into_iter().flatten() {
                if let OverlayEntry::Content { row, count } = entry {
                    *differences.entry(row.clone()).or_default() += count;
                }
            }
            differences.retain(|_, count| *count != 0);
            let new = |row: &Row| {
                let merged = self.translate(index, side, &Ancestor::Unknown, row, translations, Later::Not);
                (merged != *row).then(|| (row.clone(), merged))
            };
            let translated = differences.iter().filter(|(_, count)| **count > 0).filter_map(|(row, _)| new(row));
            let translated = translated.collect();
            contents.sides.push(SideContents { known, differences, translated, ..SideContents::default() });
        }
        let mut wanted = contents.affected();
        wanted.extend(observed.missed.iter().flat_map(|missed| missed.contents.keys().cloned()));
        if wanted.is_empty() && !adopting {
            return Ok(contents);
        }
        for (side, (open, own)) in self.task.sides.iter().zip(&mut contents.sides).enumerate() {
            let found =
                observe::rows_by_content(shape, open.source(&shape.rules.name), (!adopting).then_some(&wanted))
                    .map_err(|e| sql_error(e, &open.name))?;
            own.counts = found
                .iter()
                .map(|(row, places)| (row.clone(), i64::try_from(places.len()).unwrap_or(i64::MAX)))
                .collect();
            if !own.known {
                let new = |row: &Row| {
                    let merged = self.translate(index, side, &Ancestor::Unknown, row, translations, Later::Not);
                    (merged != *row).then(|| (row.clone(), merged))
                };
                own.translated = own.counts.keys().filter_map(new).collect();
            }
            own.places = found;
        }
        Ok(contents)
    }

    /// Rows that nobody changed but that stand in the way of what is planned, by table.
    fn strangers(&self, tables: &[TableState], taken: &Taken) -> Result<Vec<BTreeSet<Key>>, Fault> {
        let mut strangers = Vec::new();
        for ((shape, state), taken) in self.shape.tables.iter().zip(tables).zip(taken) {
            let mut found = BTreeSet::new();
            for unique in &shape.rules.uniques {
                for ((side, open), taken) in self.task.sides.iter().enumerate().zip(taken) {
                    let mut keys = BTreeSet::new();
                    for (cluster, decision) in state.clusters.iter().zip(&state.decisions) {
                        let Some(row) = decision.row_on(&shape.rules, cluster, side) else { continue };
                        let current = cluster.seats.get(side).and_then(|seat| seat.after.as_ref());
                        let before = current.and_then(|local| key_of(&local.raw, unique));
                        keys.extend(key_of(&row, unique).filter(|key| Some(key) != before.as_ref()));
                    }
                    if keys.is_empty() {
                        continue;
                    }
                    let rows = observe::rows_by_key(shape, open.source(&shape.rules.name), unique, &keys)
                        .map_err(|e| sql_error(e, &open.name))?;
                    let outside = rows.into_iter().filter(|(slot, _)| !taken.contains(slot));
                    found.extend(outside.filter_map(|(_, row)| shape.rules.key(&row)));
                }
            }
            strangers.push(found);
        }
        Ok(strangers)
    }
}

/// Leaves a row where it is that some side's schema does not take.
fn set_aside(tables: &mut [TableState], refusal: &Refusal) -> Result<(), Fault> {
    let given_up = || Fault::Failed(format!("{} does not take a merged row: {}", refusal.table, refusal.message));
    let table = tables.iter_mut().find(|table| table.rules.name == refusal.table).ok_or_else(given_up)?;
    let row = refusal.write.as_ref().and_then(|write| write.new.as_ref().or(write.old.as_ref()));
    let key = row.and_then(|(_, row)| table.rules.key(row)).ok_or_else(given_up)?;
    let (clusters, decisions, rules) = (&table.clusters, &mut table.decisions, &table.rules);
    let about = |cluster: &Cluster, decision: &Decision| {
        decision.row(rules, cluster).or_else(|| cluster.merged.clone()).and_then(|row| rules.key(&row)).as_ref()
            == Some(&key)
    };
    let mut found = false;
    for (cluster, decision) in clusters.iter().zip(decisions.iter_mut()) {
        if decision.frozen || !about(cluster, decision) {
            continue;
        }
        found = true;
        *decision = Decision { frozen: true, ..Decision::default() };
        decision.conflicts.push(Draft {
            kind: if refusal.unique { Kind::Unique } else { Kind::Schema },
            columns: Vec::new(),
            base: cluster.merged.clone(),
            winner: Winner::Nobody,
            reason: format!("the schema of a side does not take the row: {}", refusal.message),
        });
    }
    if found { Ok(()) } else { Err(given_up()) }
}

/// Which references to translate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Later {
    /// Those to tables that were planned before.
    Not,
    /// Those to tables planned at the same time or later.
    Only,
}

struct SideEdits {
    list: Vec<(Option<Key>, Edit)>,
    /// Keys of the side's ancestor that the merged state has renamed since.
    renamed: HashMap<Key, Key>,
}

/// Turns decisions into intents.
fn spell_out(
    task: &Task<'_>,
    shape: Shape,
    observed: &[Observed],
    tables: &[TableState],
) -> Result<Plan, Fault> {
    let new_epoch = task.sides.iter().map(|side| side.epoch).max().unwrap_or(0) + 1;
    let mut intents: Vec<Intent> = Vec::new();
    for (index, side) in task.sides.iter().enumerate() {
        let mut statements: Vec<String> = Vec::new();
        for table in &shape.tables {
            statements.extend(table.missing.get(index).into_iter().flatten().cloned());
        }
        intents.push(Intent {
            database: task.name.to_owned(),
            side: side.name.clone(),
            base: side.base.file.clone(),
            old_epoch: side.epoch,
            new_epoch,
            base_statements: base_statements(&shape, side),
            statements,
            tables: shape.tables.iter().map(|table| table.rules.name.clone()).collect(),
            ..Intent::default()
        });
    }
    let mut plan = Plan {
        intents,
        counts: vec![Counts::default(); task.sides.len()],
        sequences: Vec::new(),
        warnings: shape.paused.iter().map(|(table, reason)| format!("{table} is left alone: {reason}")).collect(),
        shape: Shape::default(),
    };
    for ((shape, observed), state) in shape.tables.iter().zip(observed).zip(tables) {
        for (changes, intent) in observed.changes.iter().zip(&mut plan.intents) {
            let writes = changes.iter().map(|change| Write {
                old: change.before.clone().map(|row| (change.slot.clone(), row)),
                new: change.after.clone().map(|row| (change.slot.clone(), row)),
            });
            intent.observed.push(TableWrites {
                table: shape.rules.name.clone(),
                columns: shape.rules.columns.clone(),
                writes: writes.collect(),
            });
        }
        TableSpeller { task, shape, state, plan: &mut plan }.spell_out()?;
    }
    for intent in &mut plan.intents {
        intent.observed.retain(|table| !table.writes.is_empty());
        intent.writes.retain(|table| !table.writes.is_empty());
    }
    plan.shape = shape;
    Ok(plan)
}

/// What a base lacks of its side's schema.
fn base_statements(shape: &Shape, side: &Side) -> Vec<String> {
    let mut statements = Vec::new();
    if !side.known {
        return statements;
    }
    for table in &shape.tables {
        let Some(live) = side.schema.table(&table.rules.name) else { continue };
        match side.base.schema.table(&table.rules.name) {
            None => {
                statements.push(live.sql.clone());
                statements.extend(live.indexes.iter().map(|(_, sql)| sql.clone()));
            }
            Some(base) => {
                for column in live.columns.iter().filter(|column| base.column(&column.name).is_none()) {
                    let definition = super::sql::column_definition(&live.sql, &column.name);
                    statements.extend(definition.map(|definition| {
                        format!("ALTER TABLE {} ADD COLUMN {definition}", super::sql::quote(&live.name))
                    }));
                }
            }
        }
    }
    statements
}

struct TableSpeller<'a, 'p> {
    task: &'a Task<'a>,
    shape: &'a TableShape,
    state: &'a TableState,
    plan: &'p mut Plan,
}

impl TableSpeller<'_, '_> {
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
        let mut writes: Vec<Vec<Write>> = vec![Vec::new(); self.task.sides.len()];
        let mut ignored = 0_usize;
        for (cluster, decision) in self.state.clusters.iter().zip(&self.state.decisions) {
            ignored += decision.ignored.len();
            for (side, seat) in cluster.seats.iter().enumerate() {
                let target = decision.row_on(rules, cluster, side);
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
                "{}: {ignored} deletions or updates of rows were left where they are, since the table only grows",
                rules.name
            ));
        }
        let adopted: usize = self.state.decisions.iter().map(|decision| decision.adopted_sums).sum();
        if adopted > 0 {
            self.plan.warnings.push(format!(
                "{}: {adopted} totals differed without a common ancestor; the larger was taken",
                rules.name
            ));
        }
        self.contents(&mut writes, &mut next_rowid)?;
        for (intent, writes) in self.plan.intents.iter_mut().zip(writes) {
            intent.writes.push(TableWrites {
                table: rules.name.clone(),
                columns: rules.columns.clone(),
                writes,
            });
        }
        if self.shape.table.autoincrement {
            self.plan.sequences.push((rules.name.clone(), last));
        }
        Ok(())
    }

    /// Notes where ancestors will differ from what the bases hold.
    fn overlay(
        &mut self,
        cluster: &Cluster,
        decision: &Decision,
        side: SideIndex,
        write: &Write,
    ) {
        let rules = &self.shape.rules;
        let merged = decision.merged_after(rules, cluster);
        let ancestor = decision.ancestor_after(rules, cluster, side);
        let entry = |ancestor: Option<Row>, mirror: Option<(Slot, Row)>| Overlay {
            table: rules.name.clone(),
            columns: rules.columns.clone(),
            entry: OverlayEntry::Row { ancestor, mirror, merged: merged.clone() },
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

    fn conflict(
        &mut self,
        cluster: &Cluster,
        decision: &Decision,
        draft: &Draft,
    ) {
        let rules = &self.shape.rules;
        let name = |side: SideIndex| self.task.sides.get(side).map(|side| side.name.clone());
        let (winner, status) = match draft.winner {
            Winner::Side(side) => (name(side).unwrap_or_default(), if decision.frozen { "held" } else { "open" }),
            Winner::Merged => ("merged".to_owned(), if decision.frozen { "held" } else { "open" }),
            Winner::Nobody => ("none".to_owned(), "held"),
        };
        let columns = |indexes: &mut dyn Iterator<Item = usize>| -> Vec<String> {
            indexes.filter_map(|index| rules.columns.get(index).cloned()).collect()
        };
        let key = match &rules.identity {
            Identity::Key(key) => columns(&mut key.iter().map(|(column, _)| *column)),
            Identity::Id(column) => columns(&mut std::iter::once(*column)),
            Identity::Content => rules.columns.clone(),
        };
        let merged = decision.row(rules, cluster);
        let first = cluster.seats.iter().find_map(|seat| seat.after.as_ref()).map(|local| local.raw.clone());
        let values = cluster
            .seats
            .iter()
            .enumerate()
            .filter_map(|(side, seat)| Some((name(side)?, seat.after.as_ref().map(|local| local.raw.clone()))))
            .collect();
        let conflict = StoredConflict {
            number: 0,
            database: self.task.name.to_owned(),
            table: rules.name.clone(),
            kind: draft.kind.name().to_owned(),
            winner,
            reason: draft.reason.clone(),
            status: status.to_owned(),
            run: self.task.run.to_string(),
            at: self.task.at.to_owned(),
            rows: ConflictRows {
                columns: rules.columns.clone(),
                key,
                clashing: columns(&mut draft.columns.iter().copied()),
                identity: merged.clone().or_else(|| cluster.merged.clone()).or(first),
                base: draft.base.clone(),
                values,
                merged,
            },
        };
        if let Some(intent) = self.plan.intents.get_mut(self.task.hub) {
            intent.conflicts.push(conflict);
        }
    }

    /// Spells out what becomes of rows without identity.
    fn contents(&mut self, writes: &mut [Vec<Write>], next_rowid: &mut [i64]) -> Result<(), Fault> {
        let rules = &self.shape.rules;
        let mut contents = self.state.contents.clone();
        if rules.append_only {
            let lost = contents.keep_losses();
            if lost > 0 {
                self.plan.warnings.push(format!(
                    "{}: {lost} rows deleted on one side stay on the others, since the table only grows",
                    rules.name
                ));
            }
        }
        let (changes, adopted) = contents.plan(self.task.hub);
        if adopted > 0 {
            self.plan.warnings.push(format!(
                "{}: {adopted} rows without a key were there in different numbers; the larger was taken",
                rules.name
            ));
        }
        for (side, (changes, own)) in changes.into_iter().zip(&contents.sides).enumerate() {
            let (Some(writes), Some(next)) = (writes.get_mut(side), next_rowid.get_mut(side)) else { continue };
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

fn exhausted(table: &str) -> Fault {
    Fault::Failed(format!("table {table} has used up its row ids"))
}
