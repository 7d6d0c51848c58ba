//! Bringing the sides together: which rows of different sides are one row.
//!
//! Rows that have an ancestor are matched by it, whatever they are called now; new rows by their identity. Apart
//! from `edits`, which looks at one side, and `merge`, which decides what the row becomes. No I/O, no SQL.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::config::Rekey;
use crate::database::key::Key;
use crate::database::model::{Ancestor, Cluster, Edit, Identity, Local, Rules, SideIndex, Slot};
use crate::database::value::Row;

/// Collects what the sides know about the rows of one table.
pub(crate) struct Clusters<'a> {
    rules: &'a Rules,
    hub: SideIndex,
    /// Whether a side has an ancestor at all.
    known: &'a [bool],
    list: Vec<Gathering>,
    by_ancestor: HashMap<Key, usize>,
    by_new: HashMap<Key, Vec<usize>>,
    /// Slots that belong to a gathered row, by side.
    taken: Vec<HashSet<Slot>>,
    inserts: Vec<(SideIndex, Key, Edit)>,
    /// Keys under which a new row and a renamed one turned out to meet.
    joins: &'a BTreeSet<Key>,
}

#[derive(Default)]
struct Gathering {
    /// The merged state, where it is not what the hub last had.
    merged: Option<Row>,
    /// By side; a list, since there are few and a map for each row would be most of what a large plan needs.
    seats: Vec<(SideIndex, Edit)>,
}

impl<'a> Clusters<'a> {
    /// An empty collection for sides of which some are known. New rows under one of the keys `joins` belong to the
    /// row that others renamed so.
    pub(crate) fn new(rules: &'a Rules, hub: SideIndex, known: &'a [bool], joins: &'a BTreeSet<Key>) -> Self {
        Clusters {
            rules,
            hub,
            known,
            list: Vec::new(),
            by_ancestor: HashMap::new(),
            by_new: HashMap::new(),
            taken: known.iter().map(|_| HashSet::new()).collect(),
            inserts: Vec::new(),
            joins,
        }
    }

    /// A row of the merged state that must be looked at.
    pub(crate) fn add_merged(&mut self, key: Key, row: &Row) {
        let index = self.at_ancestor(key);
        if let Some(gathering) = self.list.get_mut(index) {
            gathering.merged = Some(row.clone());
        }
    }

    /// What a side did. `canonical` is the key of the row's ancestor in the merged state, where it has one.
    pub(crate) fn add_edit(&mut self, side: SideIndex, canonical: Option<Key>, edit: Edit) {
        if let (Some(local), Some(taken)) = (&edit.after, self.taken.get_mut(side)) {
            taken.insert(local.slot.clone());
        }
        match canonical {
            Some(key) => {
                let index = self.at_ancestor(key);
                self.seat(index, side, edit);
            }
            None => {
                if let Some(key) = edit.after.as_ref().and_then(|local| self.rules.key(&local.row)) {
                    self.inserts.push((side, key, edit));
                }
            }
        }
    }

    /// A row that a side has and did not change.
    pub(crate) fn add_unchanged(&mut self, side: SideIndex, canonical: Key, mut local: Local) {
        if self.taken.get(side).is_some_and(|taken| taken.contains(&local.slot)) {
            return;
        }
        if let Some(gathering) = self.by_ancestor.get(&canonical).and_then(|index| self.list.get(*index)) {
            gathering.share(&mut local);
        }
        let known = self.known.get(side).copied().unwrap_or(false);
        let before = if known { Ancestor::Known(Some(local.row.clone())) } else { Ancestor::Unknown };
        let canonical = known.then_some(canonical);
        self.add_edit(side, canonical, Edit { before, after: Some(local) });
    }

    /// Keys that every side must be asked for.
    pub(crate) fn wanted(&self) -> BTreeSet<Key> {
        self.by_ancestor.keys().chain(self.inserts.iter().map(|(_, key, _)| key)).cloned().collect()
    }

    /// Matches the new rows and gives every cluster a seat for every side. Also gives the slots that take part,
    /// by side.
    pub(crate) fn finish(mut self) -> (Vec<Cluster>, Vec<HashSet<Slot>>) {
        let mut inserts = std::mem::take(&mut self.inserts);
        // Known sides first: what is established is what others are matched with.
        inserts.sort_by(|a, b| {
            let unknown = |side: SideIndex| !self.known.get(side).copied().unwrap_or(false);
            (unknown(a.0), a.0, &a.1).cmp(&(unknown(b.0), b.0, &b.1))
        });
        let mut renamed: HashMap<Key, Vec<usize>> = HashMap::new();
        for (index, gathering) in self.list.iter().enumerate() {
            for local in gathering.seats.iter().filter_map(|(_, seat)| seat.after.as_ref()) {
                if let Some(key) = self.rules.key(&local.row)
                    && self.by_ancestor.get(&key) != Some(&index)
                {
                    renamed.entry(key).or_default().push(index);
                }
            }
        }
        for (side, key, edit) in inserts {
            let established = self.by_ancestor.get(&key).copied().into_iter();
            let candidates = established
                .chain(renamed.get(&key).into_iter().flatten().copied())
                .chain(self.by_new.get(&key).into_iter().flatten().copied());
            let found = candidates.into_iter().find(|index| self.is_same(*index, side, &key, &edit));
            let index = found.unwrap_or_else(|| {
                self.list.push(Gathering::default());
                let index = self.list.len() - 1;
                self.by_new.entry(key.clone()).or_default().push(index);
                index
            });
            match self.list.get_mut(index).and_then(|gathering| gathering.seat_of(side)) {
                Some(seat) => seat.after = edit.after,
                None => self.seat(index, side, edit),
            }
        }
        let (hub, known) = (self.hub, self.known);
        (self.list.into_iter().map(|gathering| gathering.complete(hub, known)).collect(), self.taken)
    }

    /// Whether a new row is the row of that cluster.
    fn is_same(&self, index: usize, side: SideIndex, key: &Key, edit: &Edit) -> bool {
        let (Some(gathering), Some(local)) = (self.list.get(index), &edit.after) else { return false };
        let mut rows =
            gathering.seats.iter().filter_map(|(_, seat)| seat.after.as_ref()).map(|other| &other.row);
        if let Some((_, own)) = gathering.seats.iter().find(|(own, _)| *own == side) {
            // A side that lost the row and has one under the name that others gave it has renamed it too.
            return self.joins.contains(key) && own.after.is_none() && rows.any(|row| self.has_key(row, key));
        }
        match self.rules.identity {
            // A row that was renamed away has left its old key to whoever takes it.
            Identity::Key(_) => {
                let mut rows = rows.peekable();
                rows.peek().is_none() || rows.any(|row| self.has_key(row, key))
            }
            Identity::Id(_) if self.rules.rekey == Rekey::Forbid => true,
            Identity::Id(id) => match edit.before {
                Ancestor::Known(_) => rows.any(|row| *row == local.row),
                Ancestor::Unknown => {
                    rows.chain(gathering.merged.as_ref()).any(|row| agree_by_half(row, &local.row, id))
                }
            },
            Identity::Content => false,
        }
    }

    fn has_key(&self, row: &Row, key: &Key) -> bool {
        self.rules.key(row).as_ref() == Some(key)
    }

    fn at_ancestor(&mut self, key: Key) -> usize {
        if let Some(index) = self.by_ancestor.get(&key) {
            return *index;
        }
        self.list.push(Gathering::default());
        let index = self.list.len() - 1;
        self.by_ancestor.insert(key, index);
        index
    }

    fn seat(&mut self, index: usize, side: SideIndex, edit: Edit) {
        if let Some(gathering) = self.list.get_mut(index)
            && gathering.seat_of(side).is_none()
        {
            // No more than are needed: a vector that grows by itself starts with room for four.
            gathering.seats.reserve_exact(self.known.len().saturating_sub(gathering.seats.len()));
            gathering.seats.push((side, edit));
        }
    }
}

impl Gathering {
    fn seat_of(&mut self, side: SideIndex) -> Option<&mut Edit> {
        self.seats.iter_mut().find(|(own, _)| *own == side).map(|(_, seat)| seat)
    }

    /// Lets a row that equals one which is here already be that one: mostly it is what another side has changed.
    fn share(&self, local: &mut Local) {
        let rows = self.seats.iter().flat_map(|(_, seat)| {
            let before = match &seat.before {
                Ancestor::Known(row) => row.as_ref(),
                Ancestor::Unknown => None,
            };
            before.into_iter().chain(seat.after.as_ref().map(|other| &other.raw))
        });
        if let Some(same) = rows.into_iter().find(|row| **row == local.raw) {
            if local.row == local.raw {
                local.row = same.clone();
            }
            local.raw = same.clone();
        }
    }

    fn complete(mut self, hub: SideIndex, known: &[bool]) -> Cluster {
        let seats = known
            .iter()
            .enumerate()
            .map(|(side, known)| {
                let before = if *known { Ancestor::Known(None) } else { Ancestor::Unknown };
                let own = self.seats.iter().position(|(own, _)| *own == side);
                own.map_or(Edit { before, after: None }, |own| self.seats.swap_remove(own).1)
            })
            .collect::<Vec<_>>();
        let merged = self.merged.or_else(|| match seats.get(hub).map(|seat| &seat.before) {
            Some(Ancestor::Known(row)) => row.clone(),
            _ => None,
        });
        let mut cluster = Cluster { merged, seats, id: None };
        for seat in &mut cluster.seats {
            // An adopted side that has what is merged already has nothing to tell.
            let agrees = seat.after.as_ref().is_some_and(|local| Some(&local.row) == cluster.merged.as_ref());
            if seat.before == Ancestor::Unknown && agrees {
                seat.before = Ancestor::Known(cluster.merged.clone());
            }
        }
        cluster
    }
}

/// Whether at least half of the cells beside the id are equal.
fn agree_by_half(a: &Row, b: &Row, id: usize) -> bool {
    let others = a.iter().zip(b.iter()).enumerate().filter(|(column, _)| *column != id);
    let (equal, all) =
        others.fold((0_usize, 0_usize), |(equal, all), (_, (x, y))| (equal + usize::from(x == y), all + 1));
    equal * 2 >= all
}
