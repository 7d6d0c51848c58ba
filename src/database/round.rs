//! One attempt at a plan: which rows matter, which of different sides are one, and what becomes of them.
//!
//! It asks every side for the rows that any side changed and lets `decide` do the rest. Parents come before
//! children, so that references can be read in terms of the merged state. Apart from `plan`, which repeats it with
//! the rows that turned out to be in the way.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::apply::Refusal;
use super::bounce::Oscillating;
use super::decide::cluster::Clusters;
use super::decide::constraints::{self, TableState};
use super::decide::contents::{Contents, SideContents};
use super::decide::decision::{Context, Decision, Draft, Kind, Winner, decide};
use super::decide::ids;
use super::key::{Collation, Key, key_of};
use super::model::{Ancestor, Cluster, Edit, Identity, Local, Reference, Rules, SideIndex, Slot, with_cell};
use super::observe;
use super::plan::{Observed, Task, exhausted};
use super::shape::{Shape, TableShape};
use super::store::{Bouncing, Ids, OverlayEntry};
use super::value::{Row, Value};
use super::{Fault, sql_error};
use crate::interrupt;

/// One attempt at a plan, with the rows that earlier attempts ran into.
pub(crate) struct Round<'a> {
    /// What is asked.
    pub(crate) task: &'a Task<'a>,
    /// The tables.
    pub(crate) shape: &'a Shape,
    /// What was read of them.
    pub(crate) observed: &'a [Observed],
    /// Rows to look at beside those that changed, by table.
    pub(crate) extra: &'a [BTreeSet<Key>],
    /// Row ids that are no use, since a row that stays where it is has them on one side, by table.
    pub(crate) avoid: &'a [BTreeSet<i64>],
    /// Keys under which a new row and a renamed one are one row, by table.
    pub(crate) joins: &'a [BTreeSet<Key>],
    /// What became of values that rows are referenced by, by table.
    pub(crate) renames: &'a [Renames],
    /// Row ids as the last attempt gave them, for references to tables that come later, or to the same one.
    pub(crate) later: &'a Translations,
    /// Cells whose changes no longer travel.
    pub(crate) bouncing: &'a [Bouncing],
    /// Rows of a run that is taken back which cannot go back, by table.
    pub(crate) stuck: &'a [BTreeSet<Key>],
}

/// New values of referenced columns: by side, columns and the key that the side knows.
pub(crate) type Renames = BTreeMap<(SideIndex, Vec<usize>, Key), Vec<Value>>;

/// Row ids of the merged state by table and side, where they differ.
pub(crate) type Translations = Vec<Vec<BTreeMap<i64, i64>>>;

/// What one round came to.
pub(crate) struct Decided {
    /// The tables.
    pub(crate) tables: Vec<TableState>,
    /// The slots that take part.
    pub(crate) taken: Taken,
    /// Keys under which a new row meets one that others renamed, by table.
    pub(crate) met: Vec<BTreeSet<Key>>,
    /// What became of values that rows are referenced by, by table.
    pub(crate) renames: Vec<Renames>,
    /// Row ids of the merged state.
    pub(crate) translations: Translations,
    /// Rows of a run that is taken back which stay as they are, with the reason.
    pub(crate) left: Vec<String>,
    /// Their keys, by table.
    pub(crate) stuck: Vec<BTreeSet<Key>>,
}

/// Slots that take part in a plan, by table and side.
pub(crate) type Taken = Vec<Vec<HashSet<Slot>>>;

impl Round<'_> {
    /// Matches, names and merges all rows.
    pub(crate) fn decide(&self) -> Result<Decided, Fault> {
        let sides = self.task.sides.len();
        let mut translations: Translations = Vec::new();
        let mut tables: Vec<TableState> = Vec::new();
        let mut all_taken = Vec::new();
        for (index, (shape, observed)) in self.shape.tables.iter().zip(self.observed).enumerate() {
            let (mut clusters, taken) = self.cluster(index, shape, observed, &translations)?;
            let last = self.assign_ids(index, &mut clusters, &taken)?;
            translations
                .push((0..sides).map(|side| ids::translation(&shape.rules, &clusters, side)).collect());
            tables.push(TableState {
                rules: shape.rules.clone(),
                clusters,
                decisions: Vec::new(),
                contents: Contents::default(),
                last,
            });
            all_taken.push(taken);
        }
        let at_rest: Vec<bool> = tables.iter().map(|table| table.clusters.is_empty()).collect();
        for (index, ((shape, observed), table)) in
            self.shape.tables.iter().zip(self.observed).zip(&mut tables).enumerate()
        {
            table.contents = self.contents(index, shape, observed, &translations, &at_rest)?;
        }
        let context = Context { hub: self.task.hub, now: self.task.now };
        for table in &mut tables {
            let oscillating = Oscillating::of(&table.rules, self.bouncing);
            let decided = table.clusters.iter().map(|cluster| {
                self.task.plans()?;
                let columns = oscillating.in_row(&table.rules, cluster);
                if columns.is_empty() {
                    return Ok(decide(&table.rules, cluster, context));
                }
                Ok(decide(&Rules { oscillating: columns, ..table.rules.clone() }, cluster, context))
            });
            table.decisions = decided.collect::<Result<_, Fault>>()?;
        }
        let met = tables.iter().map(met_in).collect();
        let resolved = match self.task.resolution {
            Some(resolution) => {
                resolution.impose(self.shape, &mut tables, (self.task.sides, self.task.hub))?
            }
            None => None,
        };
        let undone = match self.task.undo {
            Some(undo) => {
                let sides = (self.task.sides, self.task.hub);
                Some((undo, undo.impose(self.shape, &mut tables, sides, self.stuck)?))
            }
            None => None,
        };
        for refusal in self.task.refused {
            set_aside(&mut tables, refusal)?;
        }
        constraints::settle(&mut tables, sides);
        if let (Some(resolution), Some(place)) = (self.task.resolution, resolved) {
            resolution.refuse_unheld(&tables, place)?;
        }
        let stuck = undone.as_ref().map(|(_, imposed)| imposed.stuck(&tables)).unwrap_or_default();
        let left = undone.map(|(undo, imposed)| undo.left(imposed, &tables)).unwrap_or_default();
        let renames = (0..tables.len()).map(|parent| renames_in(&tables, parent)).collect();
        Ok(Decided { tables, taken: all_taken, met, renames, translations, left, stuck })
    }

    /// Whether any table points at itself or at one that comes later.
    pub(crate) fn reads_ahead(&self) -> bool {
        let tables = self.shape.tables.iter().enumerate();
        tables.into_iter().any(|(index, table)| table.rules.references.iter().any(|r| r.parent >= index))
    }

    /// A side's row in terms of the merged state.
    fn translate(
        &self,
        table: usize,
        side: SideIndex,
        before: &Ancestor,
        row: &Row,
        translations: &Translations,
    ) -> Row {
        let mut row = row.clone();
        let Some(rules) = self.shape.tables.get(table).map(|table| &table.rules) else { return row };
        for reference in &rules.references {
            let id = self.shape.tables.get(reference.parent).and_then(|parent| parent.rules.assigned_id());
            let map = self.ids_of(table, reference, side, translations);
            let unchanged = |column: usize| match before {
                Ancestor::Known(Some(before)) => before.get(column) == row.get(column),
                Ancestor::Known(None) | Ancestor::Unknown => false,
            };
            if !reference.columns.iter().all(|column| unchanged(*column))
                && let Some(values) = self.renamed(side, reference, &row)
            {
                for (column, value) in reference.columns.iter().zip(values) {
                    row = with_cell(&row, *column, value);
                }
                continue;
            }
            for (column, (parent_column, _)) in reference.columns.iter().zip(&reference.parent_columns) {
                let cell = row.get(*column).cloned().unwrap_or(Value::Null);
                let unchanged = match before {
                    Ancestor::Known(Some(before)) => before.get(*column) == Some(&cell),
                    Ancestor::Known(None) | Ancestor::Unknown => false,
                };
                if Some(*parent_column) != id || unchanged {
                    continue;
                }
                if let Some(merged) = cell.as_integer().and_then(|id| map?.get(&id)) {
                    row = with_cell(&row, *column, &Value::Integer(*merged));
                }
            }
        }
        row
    }

    /// How one side's ids of a referenced table read in the merged state: as found in this attempt, or in the last one.
    fn ids_of<'t>(
        &'t self,
        table: usize,
        reference: &Reference,
        side: SideIndex,
        translations: &'t Translations,
    ) -> Option<&'t BTreeMap<i64, i64>> {
        let found = if reference.parent < table { translations } else { self.later };
        found.get(reference.parent).and_then(|sides| sides.get(side))
    }

    /// What a row that points at a renamed row is to point at instead.
    fn renamed(&self, side: SideIndex, reference: &Reference, row: &Row) -> Option<&[Value]> {
        let renames = self.renames.get(reference.parent).filter(|renames| !renames.is_empty())?;
        let by = reference.pointers();
        let parent = reference.parent_columns.iter().map(|(column, _)| *column).collect();
        renames.get(&(side, parent, key_of(row, &by)?)).map(Vec::as_slice)
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
        let none = BTreeSet::new();
        let joins = self.joins.get(index).unwrap_or(&none);
        let mut clusters = Clusters::new(rules, self.task.hub, &observed.known, joins);
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
        for side in 0..self.task.sides.len() {
            let edits = self.edits_of(index, side, shape, observed, translations, &identity, &mut wanted)?;
            renamed.push(edits.renamed);
            for (canonical, edit) in edits.list {
                self.task.plans()?;
                clusters.add_edit(side, canonical, edit);
            }
        }
        wanted.extend(clusters.wanted());
        for (side, (open, renamed)) in self.task.sides.iter().zip(&renamed).enumerate() {
            let rows = observe::rows_by_key(shape, open.source(&rules.name), &identity, &wanted)
                .map_err(|e| sql_error(e, &open.name))?;
            for (slot, raw) in rows {
                self.task.plans()?;
                let Some(key) = rules.key(&raw) else { continue };
                let before = if is_known(observed, side) {
                    Ancestor::Known(Some(raw.clone()))
                } else {
                    Ancestor::Unknown
                };
                let row = self.translate(index, side, &before, &raw, translations);
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
            let mut row = self.translate(index, side, before, &raw, translations);
            if let (Some((from, to)), Some(column)) = (alias, rules.assigned_id())
                && row.get(column) == Some(&Value::Integer(from))
            {
                row = with_cell(&row, column, &Value::Integer(to));
            }
            Local { slot, raw, row }
        };
        let pairs = observed.edits.get(side).map(|edits| edits.pairs.as_slice()).unwrap_or_default();
        if !is_known(observed, side) {
            for (before, after) in pairs {
                self.task.plans()?;
                wanted.extend(before.as_ref().and_then(|row| rules.key(row)));
                if let Some(placed) = after {
                    let after = Some(local(&Ancestor::Unknown, placed.clone(), None));
                    result.list.push((None, Edit { before: Ancestor::Unknown, after }));
                }
            }
            result.list.extend(self.adopted_children(index, side, shape, translations, &result.list)?);
            return Ok(result);
        }
        let mut by_before: HashMap<Key, usize> = HashMap::new();
        let mut inserted: HashMap<Key, usize> = HashMap::new();
        for (position, (before, after)) in pairs.iter().enumerate() {
            self.task.plans()?;
            match (before.as_ref().and_then(|row| rules.key(row)), after) {
                (Some(key), _) => {
                    by_before.insert(key, position);
                }
                (None, Some((_, row))) => inserted.extend(rules.key(row).map(|key| (key, position))),
                (None, None) => {}
            }
        }

        let id = |row: &Row| rules.assigned_id().and_then(|id| row.get(id)).and_then(Value::as_integer);
        // Rows that the side still has under ids of its own say nothing about who has those ids in the merged state.
        let mut own_ids: HashSet<Key> = HashSet::new();
        for entry in observed.overlay.get(side).into_iter().flatten() {
            let OverlayEntry::Row { ancestor, mirror: Some((_, mirror)), merged, .. } = entry else {
                continue;
            };
            if merged.as_ref().or(ancestor.as_ref()).is_none_or(|row| id(row) != id(mirror)) {
                own_ids.extend(rules.key(mirror));
            }
        }
        let missed = observed.missed.get(side).map(|missed| missed.pairs.as_slice()).unwrap_or_default();
        for (before, after) in missed {
            let key = |row: Option<&Row>| row.and_then(|row| rules.key(row));
            if let (Some(before), Some(after)) =
                (key(before.as_ref()), key(after.as_ref().map(|(_, row)| row)))
                && !own_ids.contains(&before)
            {
                result.renamed.insert(before, after);
            }
        }
        let mut used: HashSet<usize> = HashSet::new();
        let mut covered: HashSet<Key> = HashSet::new();
        for entry in observed.overlay.get(side).into_iter().flatten() {
            let OverlayEntry::Row { ancestor, mirror, merged, ids } = entry else { continue };
            let canonical = merged.as_ref().or(ancestor.as_ref()).and_then(|row| rules.key(row));
            // The merged state may have renamed it since this side was merged.
            let canonical = canonical.map(|key| result.renamed.get(&key).cloned().unwrap_or(key));
            wanted.extend(canonical.clone());
            let alias = match (mirror, ancestor) {
                (Some((_, mirror)), Some(ancestor)) if *ids == Ids::Translated => {
                    id(mirror).zip(id(ancestor)).filter(|(a, b)| a != b)
                }
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
        for (before, after) in missed {
            wanted.extend(after.as_ref().and_then(|(_, row)| rules.key(row)));
            let Some(before) = before else { continue };
            let Some(key) = rules.key(before) else { continue };
            if covered.contains(&key) || by_before.contains_key(&key) {
                continue;
            }
            let known = Ancestor::Known(Some(before.clone()));
            let after = live_by_key(&key)?.map(|placed| local(&known, placed, None));
            let canonical = result.renamed.get(&key).cloned().unwrap_or(key);
            result.list.push((Some(canonical), Edit { before: known, after }));
        }
        for (position, (before, after)) in pairs.iter().enumerate() {
            self.task.plans()?;
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
        let mut taken: HashSet<Slot> = already
            .iter()
            .filter_map(|(_, edit)| edit.after.as_ref())
            .map(|local| local.slot.clone())
            .collect();
        let mut children = Vec::new();
        let Some(open) = self.task.sides.get(side) else { return Ok(children) };
        for reference in &shape.rules.references {
            let id = self.shape.tables.get(reference.parent).and_then(|parent| parent.rules.assigned_id());
            let Some(map) = self.ids_of(index, reference, side, translations) else { continue };
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
                        let row = self.translate(index, side, &Ancestor::Unknown, &raw, translations);
                        let after = Some(Local { slot, raw, row });
                        children.push((None, Edit { before: Ancestor::Unknown, after }));
                    }
                }
            }
        }
        Ok(children)
    }

    /// Gives the rows of one table their ids, and tells the highest that any side uses.
    fn assign_ids(
        &self,
        index: usize,
        clusters: &mut [Cluster],
        taken: &[HashSet<Slot>],
    ) -> Result<i64, Fault> {
        let Some(shape) = self.shape.tables.get(index) else { return Ok(0) };
        let Some(column) = shape.rules.assigned_id() else { return Ok(0) };
        if clusters.is_empty() {
            return Ok(0);
        }
        let wanted: BTreeSet<Key> = ids::wanted(&shape.rules, clusters)
            .into_iter()
            .map(|id| Key::from([super::key::KeyPart::Integer(id)]))
            .collect();
        let mut occupied = HashSet::new();
        let mut last = clusters
            .iter()
            .filter_map(|cluster| cluster.merged.as_ref())
            .fold(0, |last, row| last.max(row.get(column).and_then(Value::as_integer).unwrap_or(0)));
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
        let none = BTreeSet::new();
        let avoid = self.avoid.get(index).unwrap_or(&none);
        ids::assign(&shape.rules, clusters, &occupied, avoid, last)
            .map_err(|ids::Exhausted| exhausted(&shape.rules.name))?;
        Ok(last)
    }

    /// Reads the rows without identity that matter. `at_rest` tells in which tables no row with identity changed.
    fn contents(
        &self,
        index: usize,
        shape: &TableShape,
        observed: &Observed,
        translations: &Translations,
        at_rest: &[bool],
    ) -> Result<Contents, Fault> {
        if matches!(shape.rules.identity, Identity::Id(_)) {
            return Ok(Contents::default());
        }
        let adopting = observed.known.iter().any(|known| !known);
        let mut contents = Contents::default();
        for (side, edits) in observed.edits.iter().enumerate() {
            let known = is_known(observed, side);
            let mut differences = if known { edits.contents.clone() } else { BTreeMap::new() };
            for entry in observed.overlay.get(side).into_iter().flatten() {
                if let OverlayEntry::Content { row, count } = entry {
                    *differences.entry(row.clone()).or_default() += count;
                }
            }
            differences.retain(|_, count| *count != 0);
            let new = |row: &Row| {
                let merged = self.translate(index, side, &Ancestor::Unknown, row, translations);
                (merged != *row).then(|| (row.clone(), merged))
            };
            let translated =
                differences.iter().filter(|(_, count)| **count > 0).filter_map(|(row, _)| new(row));
            let translated = translated.collect();
            contents.sides.push(SideContents { known, differences, translated, ..SideContents::default() });
        }
        let mut wanted = contents.affected();
        wanted.extend(observed.missed.iter().flat_map(|missed| missed.contents.keys().cloned()));
        if wanted.is_empty() && !adopting {
            return Ok(contents);
        }
        // What all sides have equally often is merged as it is, unless what it points at moves. Then all of a side that
        // is adopted is looked at; a large table is not held in memory for nothing.
        let quiet = |reference: &Reference| at_rest.get(reference.parent) == Some(&true);
        let all = adopting && !shape.rules.references.iter().all(quiet);
        let unequal = if adopting && !all {
            let sources: Vec<_> = self.task.sides.iter().map(|side| side.source(&shape.rules.name)).collect();
            let name = |side: SideIndex| self.task.sides.get(side).map_or("", |side| side.name.as_str());
            observe::unequal_contents(shape, &sources).map_err(|(side, e)| sql_error(e, name(side)))?
        } else {
            HashSet::new()
        };
        if wanted.is_empty() && unequal.is_empty() && !all {
            return Ok(contents);
        }
        let matters = |row: &Row| {
            all || wanted.contains(row) || (!unequal.is_empty() && unequal.contains(&observe::digest(row)))
        };
        for (side, (open, own)) in self.task.sides.iter().zip(&mut contents.sides).enumerate() {
            let found = observe::rows_by_content(shape, open.source(&shape.rules.name), matters)
                .map_err(|e| sql_error(e, &open.name))?;
            own.counts = found
                .iter()
                .map(|(row, places)| (row.clone(), i64::try_from(places.len()).unwrap_or(i64::MAX)))
                .collect();
            if !own.known {
                let new = |row: &Row| {
                    let merged = self.translate(index, side, &Ancestor::Unknown, row, translations);
                    (merged != *row).then(|| (row.clone(), merged))
                };
                own.translated = own.counts.keys().filter_map(new).collect();
            }
            own.places = found;
            own.bound();
        }
        Ok(contents)
    }

    /// Row ids of the merged state that a row which stays where it is has on some side, by table.
    pub(crate) fn squatted(tables: &[TableState]) -> Vec<BTreeSet<i64>> {
        tables.iter().map(squatted_in).collect()
    }

    /// Rows that nobody changed but that stand in the way of what is planned, by table.
    pub(crate) fn strangers(
        &self,
        tables: &[TableState],
        taken: &Taken,
    ) -> Result<Vec<BTreeSet<Key>>, Fault> {
        let mut strangers = Vec::new();
        for ((shape, state), taken) in self.shape.tables.iter().zip(tables).zip(taken) {
            let mut found = BTreeSet::new();
            for unique in &shape.rules.uniques {
                for ((side, open), taken) in self.task.sides.iter().enumerate().zip(taken) {
                    let mut keys = BTreeSet::new();
                    for (cluster, decision) in state.clusters.iter().zip(&state.decisions) {
                        self.task.plans()?;
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

/// Keys that a renamed row and a new row would both have, where a side with the new row lost the old one.
fn met_in(table: &TableState) -> BTreeSet<Key> {
    let mut met = BTreeSet::new();
    if !matches!(table.rules.identity, Identity::Key(_)) {
        return met;
    }
    let mut renamed: HashMap<Key, &Cluster> = HashMap::new();
    let mut new: Vec<(Key, &Cluster)> = Vec::new();
    for (cluster, decision) in table.clusters.iter().zip(&table.decisions) {
        interrupt::serve_often();
        let row = decision.row(&table.rules, cluster);
        let Some(key) = row.and_then(|row| table.rules.key(&row)) else { continue };
        let mut known = cluster.seats.iter().filter_map(|seat| match &seat.before {
            Ancestor::Known(Some(row)) => table.rules.key(row),
            _ => None,
        });
        match known.next() {
            // A side that was away may know the row by a name that the others have changed since.
            Some(first) if first != key || known.any(|before| before != key) => {
                renamed.insert(key, cluster);
            }
            Some(_) => {}
            None => new.push((key, cluster)),
        }
    }
    for (key, cluster) in new {
        interrupt::serve_often();
        let Some(other) = renamed.get(&key) else { continue };
        let mut seats = cluster.seats.iter().zip(&other.seats);
        if seats.any(|(new, old)| new.after.is_some() && old.after.is_none()) {
            met.insert(key);
        }
    }
    met
}

/// What became of the values that rows of one table are referenced by, where another side renamed them. Ids that the
/// merge gives out have their own translation.
fn renames_in(tables: &[TableState], parent: usize) -> Renames {
    let mut renames = Renames::new();
    let Some(table) = tables.get(parent) else { return renames };
    let references = tables.iter().flat_map(|table| &table.rules.references);
    let named = |reference: &&Reference| {
        reference.parent == parent
            && !reference.parent_columns.iter().any(|(column, _)| Some(*column) == table.rules.assigned_id())
    };
    let columns: BTreeSet<&Vec<(usize, Collation)>> =
        references.filter(named).map(|reference| &reference.parent_columns).collect();
    for by in columns {
        for (cluster, decision) in table.clusters.iter().zip(&table.decisions) {
            interrupt::serve_often();
            let Some(row) = decision.row(&table.rules, cluster) else { continue };
            let Some(merged) = key_of(&row, by) else { continue };
            for (side, seat) in cluster.seats.iter().enumerate() {
                let Some(local) = seat.after.as_ref().and_then(|local| key_of(&local.row, by)) else {
                    continue;
                };
                if local != merged {
                    let plain = by.iter().map(|(column, _)| *column).collect();
                    let values = by.iter().filter_map(|(column, _)| row.get(*column).cloned()).collect();
                    renames.insert((side, plain, local), values);
                }
            }
        }
    }
    renames
}

fn squatted_in(table: &TableState) -> BTreeSet<i64> {
    let Some(column) = table.rules.assigned_id() else { return BTreeSet::new() };
    let mut resting: HashMap<i64, Vec<usize>> = HashMap::new();
    for (index, (cluster, decision)) in table.clusters.iter().zip(&table.decisions).enumerate() {
        interrupt::serve_often();
        for (side, seat) in cluster.seats.iter().enumerate() {
            let rests =
                decision.frozen || decision.blocked.contains(&side) || decision.ignored.contains(&side);
            let id = seat.after.as_ref().and_then(|local| local.raw.get(column)).and_then(Value::as_integer);
            if let (true, Some(id)) = (rests, id) {
                resting.entry(id).or_default().push(index);
            }
        }
    }
    let moving = table.clusters.iter().zip(&table.decisions).enumerate();
    moving
        .filter(|(_, (_, decision))| decision.merged.is_some() && !decision.frozen)
        .filter_map(|(index, (cluster, _))| Some((index, cluster.id?)))
        .filter(|(index, id)| resting.get(id).is_some_and(|rest| rest.iter().any(|other| other != index)))
        .map(|(_, id)| id)
        .collect()
}

/// Leaves a row where it is that some side's schema does not take.
fn set_aside(tables: &mut [TableState], refusal: &Refusal) -> Result<(), Fault> {
    let given_up = || Fault::Table {
        name: refusal.table.clone(),
        reason: format!("a side does not take a merged row: {}", refusal.message),
    };
    let table = tables.iter_mut().find(|table| table.rules.name == refusal.table).ok_or_else(given_up)?;
    let row = refusal.write.as_ref().and_then(|write| write.new.as_ref().or(write.old.as_ref()));
    let key = row.and_then(|(_, row)| table.rules.key(row)).ok_or_else(given_up)?;
    let (clusters, decisions, rules) = (&table.clusters, &mut table.decisions, &table.rules);
    let about = |cluster: &Cluster, decision: &Decision| {
        decision
            .row(rules, cluster)
            .or_else(|| cluster.merged.clone())
            .and_then(|row| rules.key(&row))
            .as_ref()
            == Some(&key)
    };
    let mut found = false;
    for (cluster, decision) in clusters.iter().zip(decisions.iter_mut()) {
        if decision.frozen || !about(cluster, decision) {
            continue;
        }
        found = true;
        *decision = Decision { frozen: true, ..Decision::default() };
        decision.report(Draft {
            kind: if refusal.unique { Kind::Unique } else { Kind::Schema },
            columns: Vec::new(),
            base: cluster.merged.clone(),
            winner: Winner::Nobody,
            reason: format!("the schema of a side does not take the row: {}", refusal.message).into(),
        });
    }
    if found { Ok(()) } else { Err(given_up()) }
}

fn is_known(observed: &Observed, side: SideIndex) -> bool {
    observed.known.get(side).copied().unwrap_or(false)
}

struct SideEdits {
    list: Vec<(Option<Key>, Edit)>,
    /// Keys of the side's ancestor that the merged state has renamed since.
    renamed: HashMap<Key, Key>,
}
