//! The nouns of a merge: slots, edits, clusters of rows that are one, and the rules of a table.
//!
//! Plain data without handles; the verbs are in `observe`, `decide` and `apply`.

use std::collections::BTreeSet;

use crate::config::{ColumnPolicy, OnDeleteUpdate, Rekey};

use super::key::{Collation, Key, key_of};
use super::value::{Row, Value};

/// A side by its preference: 0 is the most preferred.
pub(crate) type SideIndex = usize;

/// Where one database keeps a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Slot {
    /// At a row id.
    Rowid(i64),
    /// Under its primary key (`WITHOUT ROWID`).
    Key(Vec<Value>),
}

/// A difference between two states of one table at one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// The slot.
    pub(crate) slot: Slot,
    /// The row before.
    pub(crate) before: Option<Row>,
    /// The row after.
    pub(crate) after: Option<Row>,
}

/// How rows of a table are matched between sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// By these columns.
    Key(Vec<(usize, Collation)>),
    /// By the integer primary key alone: it names rows that are known, and says nothing about new ones.
    Id(usize),
    /// By everything: a multiset.
    Content,
}

/// What decides about the rows of one table.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Table name.
    pub(crate) name: String,
    /// Column names.
    pub(crate) columns: Vec<String>,
    /// How rows are matched.
    pub(crate) identity: Identity,
    /// The column that shows the row id, whether it identifies or is a surrogate.
    pub(crate) id: Option<usize>,
    /// Primary key columns of a `WITHOUT ROWID` table.
    pub(crate) stored_by_key: Option<Vec<usize>>,
    /// UNIQUE keys.
    pub(crate) uniques: Vec<Vec<(usize, Collation)>>,
    /// One policy a column.
    pub(crate) policies: Vec<ColumnPolicy>,
    /// The column that says which row is newer.
    pub(crate) newest_by: Option<usize>,
    /// A deletion against an edit.
    pub(crate) on_delete_update: OnDeleteUpdate,
    /// Whether only inserts travel.
    pub(crate) append_only: bool,
    /// Whether new rows under one id are told apart.
    pub(crate) rekey: Rekey,
    /// What its rows point at.
    pub(crate) references: Vec<Reference>,
    /// Whether other rows point at its row id.
    pub(crate) id_is_referenced: bool,
    /// Columns of the row at hand whose changes no longer travel, since a side takes them back each time.
    pub(crate) oscillating: BTreeSet<usize>,
}

/// A reference between two tables of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Referencing columns.
    pub(crate) columns: Vec<usize>,
    /// Index of the referenced table.
    pub(crate) parent: usize,
    /// Referenced columns, with the collation they match by.
    pub(crate) parent_columns: Vec<(usize, Collation)>,
}

impl Reference {
    /// The referencing columns, compared as the referenced ones are.
    pub(crate) fn pointers(&self) -> Vec<(usize, Collation)> {
        let columns = self.columns.iter().zip(&self.parent_columns);
        columns.map(|(column, (_, collation))| (*column, *collation)).collect()
    }
}

impl Rules {
    /// The surrogate id: shown, but not part of what identifies a row.
    pub(crate) fn surrogate(&self) -> Option<usize> {
        match &self.identity {
            Identity::Key(columns) => self.id.filter(|id| !columns.iter().any(|(column, _)| column == id)),
            Identity::Id(_) | Identity::Content => None,
        }
    }

    /// The column whose values the merge may choose: a surrogate, or an id that identifies known rows.
    pub(crate) fn assigned_id(&self) -> Option<usize> {
        match self.identity {
            Identity::Id(column) => Some(column),
            _ => self.surrogate(),
        }
    }

    /// The identity of a row; `None` when it has none (a NULL in its key, or no key at all).
    pub(crate) fn key(&self, row: &[Value]) -> Option<Key> {
        match &self.identity {
            Identity::Key(columns) => key_of(row, columns),
            Identity::Id(column) => key_of(row, &[(*column, Collation::Binary)]),
            Identity::Content => None,
        }
    }

    /// What counts as the content of a row without identity: all of it but a row id.
    pub(crate) fn content(&self, row: &Row) -> Row {
        match self.id {
            Some(id) => {
                row.iter().enumerate().map(|(i, v)| if i == id { Value::Null } else { v.clone() }).collect()
            }
            None => row.clone(),
        }
    }

    /// The slot that a row dictates; `None` where the row id is hidden.
    pub(crate) fn slot(&self, row: &[Value]) -> Option<Slot> {
        if let Some(columns) = &self.stored_by_key {
            return Some(Slot::Key(columns.iter().filter_map(|column| row.get(*column).cloned()).collect()));
        }
        self.id.and_then(|id| row.get(id)).and_then(Value::as_integer).map(Slot::Rowid)
    }
}

/// A row with one cell replaced; the same row where that is what it has.
pub(crate) fn with_cell(row: &Row, column: usize, value: &Value) -> Row {
    if row.get(column) == Some(value) {
        return row.clone();
    }
    row.iter().enumerate().map(|(i, v)| if i == column { value.clone() } else { v.clone() }).collect()
}

/// A row on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Local {
    /// Where it is.
    pub(crate) slot: Slot,
    /// As it is there: the guard of any write.
    pub(crate) raw: Row,
    /// The same with references in terms of the merged state.
    pub(crate) row: Row,
}

/// What a side's row was when it was last merged, in terms of the merged state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ancestor {
    /// This, or absent.
    Known(Option<Row>),
    /// Nobody remembers: the side is adopted.
    Unknown,
}

/// What one side did to one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Before.
    pub(crate) before: Ancestor,
    /// Now.
    pub(crate) after: Option<Local>,
}

/// One row of the merged state, with what every side knows of it.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// The merged state before this run.
    pub(crate) merged: Option<Row>,
    /// By side.
    pub(crate) seats: Vec<Edit>,
    /// The id it gets in the merged state, in tables where that is ours to choose.
    pub(crate) id: Option<i64>,
}

/// What must hold under the lock, and what is written if it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    /// The row that must be there, unchanged.
    pub(crate) old: Option<(Slot, Row)>,
    /// The row that is to be there; its slot must be free or the old one's.
    pub(crate) new: Option<(Slot, Row)>,
}
