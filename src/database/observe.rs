//! Reading rows: differences between two states of a table, and single rows by key, id or content.
//!
//! Apart from `decide`, which makes sense of what is read. Only SELECTs, on whatever connection it is given; the
//! caller holds the read transaction. Source of the algorithm: a merge-join of two cursors in slot order.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Statement, params_from_iter};

use super::bytes::{Attic, Bytes};
use super::key::{Collation, Key, KeyPart, compare_cells, key_of, key_part};
use super::model::{Change, Identity, Slot};
use super::schema::{Direction, Storage, Table};
use super::shape::TableShape;
use super::sql::quote;
use super::value::{Row, Value};

/// One state of a table: a connection, and what the table looks like there.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The connection; its `main` database is read.
    pub(crate) connection: &'a Connection,
    /// The table as it is there; `None` when it is not.
    pub(crate) table: Option<&'a Table>,
    /// What is in memory already, where that matters.
    pub(crate) cells: Option<&'a Cells>,
}

impl Source<'_> {
    /// Lets a row that is kept share its large cells.
    fn share(&self, row: &mut Row) {
        if let Some(cells) = self.cells {
            cells.share(row);
        }
    }
}

/// Large cells that were read already: what is read of a row on one side mostly is what was read of it on another.
#[derive(Debug)]
pub(crate) struct Cells(RefCell<(HashSet<Bytes>, Attic)>);

/// Cells below this size are not worth remembering, in bytes.
const LARGE_CELL: usize = 64;
/// How much large cells may take in memory before they are put away, in bytes.
const IN_MEMORY: usize = 8 << 20;

impl Cells {
    /// None yet. Many of them are put away in a directory of ours.
    pub(crate) fn new(directory: &Path) -> Cells {
        Cells(RefCell::new((HashSet::new(), Attic::new(directory, IN_MEMORY))))
    }

    /// Lets a row that was just read share its large cells with rows that were read before.
    fn share(&self, row: &mut Row) {
        let Some(row) = Arc::get_mut(row) else { return };
        let (known, attic) = &mut *self.0.borrow_mut();
        for value in row {
            let (Value::Text(bytes) | Value::Blob(bytes)) = value else { continue };
            if bytes.len() < LARGE_CELL {
                continue;
            }
            match known.get(bytes) {
                Some(same) => *bytes = same.clone(),
                None => {
                    *bytes = attic.put(std::mem::take(bytes));
                    known.insert(bytes.clone());
                }
            }
        }
    }
}

/// Beyond so many keys a table without an index over them is read once instead of searched for each.
const SCAN_FROM_KEYS: usize = 8;

/// The columns of the shape as this state can give them, and the parameters for those it lacks, numbered after
/// the `first` ones.
fn select_list(shape: &TableShape, have: &Table, first: usize) -> (String, Vec<Value>) {
    let mut parameters = Vec::new();
    let mut list: Vec<String> = Vec::new();
    for (column, default) in shape.table.columns.iter().zip(&shape.defaults) {
        match have.column(&column.name).and_then(|at| have.columns.get(at)) {
            Some(own) => list.push(quote(&own.name)),
            None => {
                parameters.push(default.clone());
                list.push(format!("?{}", first + parameters.len()));
            }
        }
    }
    if let Storage::Hidden { .. } = shape.table.storage {
        list.push(rowid_name(have));
    }
    (list.join(", "), parameters)
}

/// The name under which a state's row id is reached: that of the column which shows it, as another may be called `rowid`.
pub(crate) fn rowid_name(table: &Table) -> String {
    match table.storage {
        Storage::Hidden { name } => name.to_owned(),
        Storage::Alias { column } => {
            table.columns.get(column).map(|column| quote(&column.name)).unwrap_or_default()
        }
        Storage::Key { .. } => String::new(),
    }
}

/// A row of the shape out of a cursor.
fn read_row(shape: &TableShape, row: &rusqlite::Row<'_>) -> rusqlite::Result<(Slot, Row)> {
    let cells = (0..shape.table.columns.len())
        .map(|column| row.get_ref(column).map(Value::from_ref))
        .collect::<rusqlite::Result<Row>>()?;
    let slot = match shape.rules.slot(&cells) {
        Some(slot) => slot,
        None => Slot::Rowid(row.get(shape.table.columns.len())?),
    };
    Ok((slot, cells))
}

/// Everything that differs between two states of one table, slot by slot. `read` is called for each row of them; its
/// error ends the reading.
pub(crate) fn diff(
    shape: &TableShape,
    before: Source<'_>,
    after: Source<'_>,
    read: impl FnMut() -> rusqlite::Result<()>,
) -> rusqlite::Result<Vec<Change>> {
    let mut changes = Vec::new();
    each_change(shape, before, after, read, |change| changes.push(change))?;
    Ok(changes)
}

/// The same, one after the other, for who need not keep them.
pub(crate) fn each_change(
    shape: &TableShape,
    before: Source<'_>,
    after: Source<'_>,
    mut read: impl FnMut() -> rusqlite::Result<()>,
    mut each: impl FnMut(Change),
) -> rusqlite::Result<()> {
    if let Storage::Key { order } = &shape.table.storage
        && (is_utf16(before.connection)? || is_utf16(after.connection)?)
    {
        return diff_by_key(shape, order, before, after, each);
    }
    let mut old_cursor = Cursor::new(shape, before)?;
    let mut new_cursor = Cursor::new(shape, after)?;
    let mut old = old_cursor.open()?;
    let mut new = new_cursor.open()?;
    let (mut a, mut b) = (old.next()?, new.next()?);
    loop {
        read()?;
        let order = match (&a, &b) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => compare_slots(shape, a, b)?,
        };
        match (order, &a, &b) {
            (Ordering::Less, Some(row), _) => {
                let (slot, mut row) = read_row(shape, row)?;
                before.share(&mut row);
                each(Change { slot, before: Some(row), after: None });
            }
            (Ordering::Greater, _, Some(row)) => {
                let (slot, mut row) = read_row(shape, row)?;
                after.share(&mut row);
                each(Change { slot, before: None, after: Some(row) });
            }
            (Ordering::Equal, Some(x), Some(y)) => {
                if !same_cells(shape, x, y)? {
                    let (_, mut old) = read_row(shape, x)?;
                    let (slot, mut new) = read_row(shape, y)?;
                    before.share(&mut old);
                    after.share(&mut new);
                    keep_equal(&old, &mut new);
                    each(Change { slot, before: Some(old), after: Some(new) });
                }
            }
            _ => return Ok(()),
        }
        if order != Ordering::Greater {
            a = old.next()?;
        }
        if order != Ordering::Less {
            b = new.next()?;
        }
    }
}

/// What differs between two states at one slot, if anything does. `before` and `after` say whether they have a row there: `None`
/// where the row that is asked for is not found in one that has it, or is in one that has not, or another is found.
pub(crate) fn difference_at(
    shape: &TableShape,
    (before, had): (Source<'_>, bool),
    (after, has): (Source<'_>, bool),
    slot: &Slot,
) -> rusqlite::Result<Option<Option<Change>>> {
    let at = |source: Source<'_>| -> rusqlite::Result<Vec<(Slot, Row)>> {
        let Some(have) = source.table else { return Ok(Vec::new()) };
        let (condition, values) = slot_condition(&shape.table, have, slot);
        let mut found = Vec::new();
        rows_where(shape, source, &format!("WHERE {condition}"), &values, |slot, row| {
            found.push((slot, row));
        })?;
        Ok(found)
    };
    let (mut olds, mut news) = (at(before)?, at(after)?);
    let is_it = |(found, _): &(Slot, Row)| place(shape, found) == place(shape, slot);
    let as_told = (olds.len(), news.len()) == (usize::from(had), usize::from(has));
    if !as_told || !olds.iter().chain(&news).all(is_it) {
        return Ok(None);
    }
    let (old, mut new) = (olds.pop(), news.pop());
    let Some(slot) = new.as_ref().or(old.as_ref()).map(|(slot, _)| slot.clone()) else { return Ok(None) };
    let mut old = old.map(|(_, row)| row);
    if old.as_ref() == new.as_ref().map(|(_, row)| row) {
        return Ok(Some(None));
    }
    old.iter_mut().for_each(|row| before.share(row));
    new.iter_mut().for_each(|(_, row)| after.share(row));
    if let (Some(old), Some((_, new))) = (&old, &mut new) {
        keep_equal(old, new);
    }
    Ok(Some(Some(Change { slot, before: old, after: new.map(|(_, row)| row) })))
}

/// A slot as its table tells it from others: keys that differ in case alone may be one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    /// By row id, or by the bytes of a key that is none.
    Slot(Slot),
    /// By key.
    Key(Key),
}

/// The place of a slot.
pub(crate) fn place(shape: &TableShape, slot: &Slot) -> Place {
    let key = match (slot, &shape.table.storage) {
        (Slot::Key(values), Storage::Key { order }) if values.len() == order.len() => {
            let parts = values.iter().zip(order);
            parts.map(|(value, (_, collation, _))| key_part(value, *collation)).collect()
        }
        _ => None,
    };
    key.map_or_else(|| Place::Slot(slot.clone()), Place::Key)
}

/// Lets a row that was just read share the cells that are what they were.
fn keep_equal(old: &Row, new: &mut Row) {
    let Some(new) = Arc::get_mut(new) else { return };
    for (old, new) in old.iter().zip(new) {
        if old == new {
            new.clone_from(old);
        }
    }
}

fn is_utf16(connection: &Connection) -> rusqlite::Result<bool> {
    let encoding: String = connection.pragma_query_value(None, "encoding", |row| row.get(0))?;
    Ok(encoding != "UTF-8")
}

/// The same as [`each_change`] where the two states do not sort text alike, with one of them in memory.
fn diff_by_key(
    shape: &TableShape,
    order: &[(usize, Collation, Direction)],
    before: Source<'_>,
    after: Source<'_>,
    mut each: impl FnMut(Change),
) -> rusqlite::Result<()> {
    let by: Vec<(usize, Collation)> =
        order.iter().map(|(column, collation, _)| (*column, *collation)).collect();
    let mut old: BTreeMap<Option<Key>, (Slot, Row)> = BTreeMap::new();
    rows_where(shape, before, "", &[], |slot, row| drop(old.insert(key_of(&row, &by), (slot, row))))?;
    rows_where(shape, after, "", &[], |slot, row| {
        let before = old.remove(&key_of(&row, &by)).map(|(_, row)| row);
        if before.as_ref() != Some(&row) {
            each(Change { slot, before, after: Some(row) });
        }
    })?;
    for (slot, row) in old.into_values() {
        each(Change { slot, before: Some(row), after: None });
    }
    Ok(())
}

/// A statement over a whole table in slot order; none where the table is not.
struct Cursor<'a> {
    statement: Option<(Statement<'a>, Vec<Value>)>,
}

impl<'a> Cursor<'a> {
    fn new(shape: &TableShape, source: Source<'a>) -> rusqlite::Result<Cursor<'a>> {
        let Some(have) = source.table else { return Ok(Cursor { statement: None }) };
        let (list, parameters) = select_list(shape, have, 0);
        let order = match &shape.table.storage {
            Storage::Alias { .. } | Storage::Hidden { .. } => rowid_name(have),
            Storage::Key { order } => {
                let part = |(column, collation, direction): &(usize, Collation, Direction)| {
                    let name = shape.table.columns.get(*column).map(|c| quote(&c.name)).unwrap_or_default();
                    let direction = if *direction == Direction::Falling { " DESC" } else { "" };
                    format!("{name} COLLATE {}{direction}", collation.name())
                };
                order.iter().map(part).collect::<Vec<_>>().join(", ")
            }
        };
        let sql = format!("SELECT {list} FROM main.{} ORDER BY {order}", quote(&have.name));
        Ok(Cursor { statement: Some((source.connection.prepare(&sql)?, parameters)) })
    }

    fn open(&mut self) -> rusqlite::Result<OpenCursor<'_>> {
        Ok(OpenCursor(match &mut self.statement {
            Some((statement, parameters)) => Some(statement.query(params_from_iter(parameters.iter()))?),
            None => None,
        }))
    }
}

struct OpenCursor<'a>(Option<rusqlite::Rows<'a>>);

impl<'a> OpenCursor<'a> {
    fn next(&mut self) -> rusqlite::Result<Option<&rusqlite::Row<'a>>> {
        match &mut self.0 {
            Some(rows) => rows.next(),
            None => Ok(None),
        }
    }
}

fn compare_slots(
    shape: &TableShape,
    a: &rusqlite::Row<'_>,
    b: &rusqlite::Row<'_>,
) -> rusqlite::Result<Ordering> {
    match &shape.table.storage {
        Storage::Alias { column } => Ok(a.get::<_, i64>(*column)?.cmp(&b.get::<_, i64>(*column)?)),
        Storage::Hidden { .. } => {
            let last = shape.table.columns.len();
            Ok(a.get::<_, i64>(last)?.cmp(&b.get::<_, i64>(last)?))
        }
        Storage::Key { order } => {
            for (column, collation, direction) in order {
                let order = compare_cells(a.get_ref(*column)?, b.get_ref(*column)?, *collation);
                let order = if *direction == Direction::Falling { order.reverse() } else { order };
                if order != Ordering::Equal {
                    return Ok(order);
                }
            }
            Ok(Ordering::Equal)
        }
    }
}

fn same_cells(shape: &TableShape, a: &rusqlite::Row<'_>, b: &rusqlite::Row<'_>) -> rusqlite::Result<bool> {
    for column in 0..shape.table.columns.len() {
        let same = match (a.get_ref(column)?, b.get_ref(column)?) {
            (ValueRef::Null, ValueRef::Null) => true,
            (ValueRef::Integer(a), ValueRef::Integer(b)) => a == b,
            (ValueRef::Real(a), ValueRef::Real(b)) => a.to_bits() == b.to_bits(),
            (ValueRef::Text(a), ValueRef::Text(b)) | (ValueRef::Blob(a), ValueRef::Blob(b)) => a == b,
            _ => false,
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs a query for rows of the shape; `condition` uses `values` as `?1` and so on.
fn rows_where(
    shape: &TableShape,
    source: Source<'_>,
    condition: &str,
    values: &[Value],
    mut each: impl FnMut(Slot, Row),
) -> rusqlite::Result<()> {
    let Some(have) = source.table else { return Ok(()) };
    let (list, defaults) = select_list(shape, have, values.len());
    let sql = format!("SELECT {list} FROM main.{} {condition}", quote(&have.name));
    let mut statement = source.connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values.iter().chain(&defaults)))?;
    while let Some(row) = rows.next()? {
        let (slot, row) = read_row(shape, row)?;
        each(slot, row);
    }
    Ok(())
}

/// The rows whose key over `columns` is one of `keys`.
pub(crate) fn rows_by_key(
    shape: &TableShape,
    source: Source<'_>,
    columns: &[(usize, Collation)],
    keys: &BTreeSet<Key>,
) -> rusqlite::Result<Vec<(Slot, Row)>> {
    let mut found = Vec::new();
    let Some(have) = source.table else { return Ok(found) };
    // A key over a column that is not there yet can only be found by its default.
    let complete = columns.iter().all(|(column, _)| {
        shape.table.columns.get(*column).is_some_and(|column| have.column(&column.name).is_some())
    });
    if !complete || (keys.len() >= SCAN_FROM_KEYS && !is_indexed(shape, have, columns)) {
        rows_where(shape, source, "", &[], |slot, mut row| {
            if key_of(&row, columns).is_some_and(|key| keys.contains(&key)) {
                source.share(&mut row);
                found.push((slot, row));
            }
        })?;
        return Ok(found);
    }
    let condition_from = |first: usize| {
        let one = columns.iter().zip(first..).filter_map(|((column, collation), parameter)| {
            let column = shape.table.columns.get(*column)?;
            Some(format!("{} = ?{parameter} COLLATE {}", quote(&column.name), collation.name()))
        });
        one.collect::<Vec<_>>().join(" AND ")
    };
    // Each search without an index reads all of the table, so that all keys are searched for at once.
    let at_once = if is_indexed(shape, have, columns) { 1 } else { SCAN_FROM_KEYS };
    let keys: Vec<&Key> = keys.iter().collect();
    for keys in keys.chunks(at_once) {
        let conditions = (0..keys.len()).map(|index| condition_from(1 + index * columns.len()));
        let condition = format!("WHERE {}", conditions.collect::<Vec<_>>().join(" OR "));
        let values: Vec<Value> = keys.iter().flat_map(|key| key.iter().map(value_of)).collect();
        rows_where(shape, source, &condition, &values, |slot, mut row| {
            if key_of(&row, columns).is_some_and(|key| keys.contains(&&key)) {
                source.share(&mut row);
                found.push((slot, row));
            }
        })?;
    }
    Ok(found)
}

fn is_indexed(shape: &TableShape, have: &Table, columns: &[(usize, Collation)]) -> bool {
    let alias = shape.rules.id.is_some_and(|id| columns == [(id, Collation::Binary)]);
    let here = |(column, collation): &(usize, Collation)| {
        Some((have.column(&shape.table.columns.get(*column)?.name)?, *collation))
    };
    let own: Option<Vec<(usize, Collation)>> = columns.iter().map(here).collect();
    alias || own.is_some_and(|own| have.primary_key == own || have.uniques.contains(&own))
}

/// A value that equals the key part under its collation.
fn value_of(part: &KeyPart) -> Value {
    match part {
        KeyPart::Integer(i) => Value::Integer(*i),
        KeyPart::Real(bits) => Value::Real(*bits),
        KeyPart::Text(text) => Value::Text(text.as_slice().into()),
        KeyPart::Blob(blob) => Value::Blob(blob.as_slice().into()),
    }
}

/// The row at a slot.
pub(crate) fn row_at(shape: &TableShape, source: Source<'_>, slot: &Slot) -> rusqlite::Result<Option<Row>> {
    let Some(have) = source.table else { return Ok(None) };
    let mut found = None;
    let (condition, values) = slot_condition(&shape.table, have, slot);
    rows_where(shape, source, &format!("WHERE {condition}"), &values, |_, row| found = Some(row))?;
    Ok(found)
}

/// The condition that finds a slot, and its parameters from `?1` on.
pub(crate) fn slot_condition(table: &Table, have: &Table, slot: &Slot) -> (String, Vec<Value>) {
    match slot {
        Slot::Rowid(id) => (format!("{} = ?1", rowid_name(have)), vec![Value::Integer(*id)]),
        Slot::Key(values) => {
            let Storage::Key { order } = &table.storage else { return ("0".into(), Vec::new()) };
            let part = |((column, collation, _), parameter): (&(usize, Collation, Direction), usize)| {
                let name = table.columns.get(*column).map(|c| quote(&c.name)).unwrap_or_default();
                format!("{name} = ?{parameter} COLLATE {}", collation.name())
            };
            (order.iter().zip(1..).map(part).collect::<Vec<_>>().join(" AND "), values.clone())
        }
    }
}

/// The rows whose cell in `column` is one of these integers.
pub(crate) fn rows_pointing_at(
    shape: &TableShape,
    source: Source<'_>,
    column: usize,
    ids: &BTreeSet<i64>,
) -> rusqlite::Result<Vec<(Slot, Row)>> {
    let mut found = Vec::new();
    rows_where(shape, source, "", &[], |slot, mut row| {
        if row.get(column).and_then(Value::as_integer).is_some_and(|id| ids.contains(&id)) {
            source.share(&mut row);
            found.push((slot, row));
        }
    })?;
    Ok(found)
}

/// Where rows without identity lie, by content, for contents that are `wanted`.
pub(crate) fn rows_by_content(
    shape: &TableShape,
    source: Source<'_>,
    wanted: impl Fn(&Row) -> bool,
) -> rusqlite::Result<BTreeMap<Row, Vec<(Slot, Row)>>> {
    let mut found: BTreeMap<Row, Vec<(Slot, Row)>> = BTreeMap::new();
    contents_of(shape, source, |slot, mut row, content| {
        if wanted(&content) {
            let content = found.get_key_value(&content).map_or(content, |(known, _)| known.clone());
            row = if row == content { content.clone() } else { row };
            found.entry(content).or_default().push((slot, row));
        }
    })?;
    Ok(found)
}

/// What stands for a content of a table where millions of them are counted: no two that anybody can find have the same.
pub(crate) type Digest = [u8; 16];

/// The digest of a content.
pub(crate) fn digest(content: &Row) -> Digest {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for value in content.iter() {
        let (class, bytes): (u8, &[u8]) = match value {
            Value::Null | Value::Held => (0, &[]),
            Value::Integer(i) => (1, &i.to_le_bytes()),
            Value::Real(bits) => (2, &bits.to_le_bytes()),
            Value::Text(text) => (3, text),
            Value::Blob(blob) => (4, blob),
        };
        hash.update([class]);
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(bytes);
    }
    let mut digest = Digest::default();
    digest.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    digest
}

/// The contents of a table of which not all sides have equally many.
pub(crate) fn unequal_contents(
    shape: &TableShape,
    sources: &[Source<'_>],
) -> Result<HashSet<Digest>, (usize, rusqlite::Error)> {
    let all = |index: usize, source: &Source<'_>| {
        let mut digests = Vec::new();
        let read = contents_of(shape, *source, |_, _, content| digests.push(digest(&content)));
        read.map_err(|cause| (index, cause))?;
        digests.sort_unstable();
        Ok(digests)
    };
    let mut unequal = HashSet::new();
    let mut sources = sources.iter().enumerate();
    let Some((index, first)) = sources.next() else { return Ok(unequal) };
    let first = all(index, first)?;
    for (index, source) in sources {
        let other = all(index, source)?;
        let mut a = first.chunk_by(PartialEq::eq).peekable();
        let mut b = other.chunk_by(PartialEq::eq).peekable();
        loop {
            let order = match (a.peek(), b.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.first().cmp(&b.first()),
            };
            let left = a.next_if(|_| order != Ordering::Greater).unwrap_or_default();
            let right = b.next_if(|_| order != Ordering::Less).unwrap_or_default();
            if left.len() != right.len() {
                unequal.extend(left.first().or(right.first()));
            }
        }
    }
    Ok(unequal)
}

/// Reads all rows of a table.
pub(crate) fn each_row(
    shape: &TableShape,
    source: Source<'_>,
    mut each: impl FnMut(Row),
) -> rusqlite::Result<()> {
    rows_where(shape, source, "", &[], |_, row| each(row))
}

/// Reads all rows without identity: slot, row and content.
fn contents_of(
    shape: &TableShape,
    source: Source<'_>,
    mut each: impl FnMut(Slot, Row, Row),
) -> rusqlite::Result<()> {
    let condition = match &shape.rules.identity {
        // Only rows with a NULL in their key are without identity.
        Identity::Key(columns) => {
            let null = |(column, _): &(usize, Collation)| {
                let column = shape.table.columns.get(*column)?;
                source.table?.column(&column.name)?;
                Some(format!("{} IS NULL", quote(&column.name)))
            };
            let nulls: Vec<String> = columns.iter().filter_map(null).collect();
            if nulls.len() < columns.len() { String::new() } else { format!("WHERE {}", nulls.join(" OR ")) }
        }
        Identity::Id(_) | Identity::Content => String::new(),
    };
    rows_where(shape, source, &condition, &[], |slot, row| {
        if shape.rules.key(&row).is_none() {
            let content = shape.rules.content(&row);
            each(slot, row, content);
        }
    })
}

/// About how many rows a table has, without counting them; `None` where nothing tells.
pub(crate) fn about_rows(source: Source<'_>) -> rusqlite::Result<Option<u64>> {
    let Some(have) = source.table.filter(|have| !matches!(have.storage, Storage::Key { .. })) else {
        return Ok(None);
    };
    let rowid = rowid_name(have);
    let of = |which: &str| -> rusqlite::Result<Option<i64>> {
        let sql = format!("SELECT {which}({rowid}) FROM main.{}", quote(&have.name));
        source.connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))
    };
    let (first, last) = (of("min")?, of("max")?);
    Ok(first.zip(last).map(|(first, last)| last.abs_diff(first).saturating_add(1)))
}

/// The largest row id that was ever given, as far as the file tells; 0 when none.
pub(crate) fn last_rowid(shape: &TableShape, source: Source<'_>) -> rusqlite::Result<i64> {
    let Some(have) = source.table else { return Ok(0) };
    if matches!(have.storage, Storage::Key { .. }) {
        return Ok(0);
    }
    let sql = format!("SELECT max({}) FROM main.{}", rowid_name(have), quote(&have.name));
    let last: Option<i64> = source.connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
    let sequence = if shape.table.autoincrement { sequence(source.connection, &have.name)? } else { None };
    Ok(last.unwrap_or(0).max(sequence.unwrap_or(0)).max(0))
}

/// What AUTOINCREMENT of one state remembers of a table, 0 when nothing; `None` where the table is not.
pub(crate) fn sequence_of(shape: &TableShape, source: Source<'_>) -> rusqlite::Result<Option<i64>> {
    match source.table.filter(|have| shape.table.autoincrement && have.autoincrement) {
        Some(have) => Ok(Some(sequence(source.connection, &have.name)?.unwrap_or(0))),
        None => Ok(None),
    }
}

/// What sqlite_sequence says about a table; `None` when the table is not listed.
pub(crate) fn sequence(connection: &Connection, table: &str) -> rusqlite::Result<Option<i64>> {
    let known: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence')")?
        .query_row([], |row| row.get(0))?;
    if !known {
        return Ok(None);
    }
    connection
        .prepare_cached("SELECT max(seq) FROM main.sqlite_sequence WHERE name = ?1")?
        .query_row([table], |row| row.get(0))
        .optional()
        .map(Option::flatten)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::database::{forecast, schema};

    /// What is asked for by one column and found by another is not what was asked for; nor is a row where none is to be.
    #[test]
    fn only_the_row_that_is_asked_for_is_compared() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let config = Config::load(None, Some(directory.path()))?;
        let [old, new] = ["one", "another"].map(|v| {
            let connection = Connection::open_in_memory()?;
            connection.execute_batch(&format!(
                "CREATE TABLE t(id INTEGER PRIMARY KEY, other INTEGER, v);
                 INSERT INTO t VALUES(1, 2, '{v}'), (2, 3, 'same'), (5, 4, '{v}');
                 CREATE TABLE k(k TEXT COLLATE NOCASE PRIMARY KEY, v) WITHOUT ROWID;
                 INSERT INTO k VALUES('{v}', 1), ('Key', 1)"
            ))?;
            Ok::<_, rusqlite::Error>(connection)
        });
        let (old, new) = (old?, new?);
        new.execute_batch("UPDATE k SET k = 'KEY' WHERE k = 'key'")?;
        let schema = schema::read(&old, "main")?;
        let shape = forecast::plain_shape(&config, [("old", &schema), ("new", &schema)])?;
        let of = |name: &str| shape.tables.iter().find(|table| table.rules.name == name).ok_or("no table");
        let at = |name: &str, table: &Table, had, has, slot: Slot| {
            let state = |connection| Source { connection, table: Some(table), cells: None };
            Ok::<_, Box<dyn std::error::Error>>(difference_at(
                of(name)?,
                (state(&old), had),
                (state(&new), has),
                &slot,
            )?)
        };
        let (t, k) = (schema.table("t").ok_or("no t")?, schema.table("k").ok_or("no k")?);
        let row = Slot::Rowid;
        assert!(matches!(at("t", t, true, true, row(1))?, Some(Some(_))));
        assert_eq!(at("t", t, true, true, row(2))?, Some(None));
        assert_eq!(at("t", t, true, true, row(4))?, None, "there is none");
        for (had, has) in [(true, false), (false, true), (false, false)] {
            assert_eq!(at("t", t, had, has, row(1))?, None, "it is in both");
        }
        // Told that another column shows the ids, SQL finds another row.
        let mistaken = Table { storage: Storage::Alias { column: 1 }, ..t.clone() };
        for id in [2, 3, 4] {
            assert_eq!(
                at("t", &mistaken, true, true, row(id))?,
                None,
                "{id} is not the row that was asked for"
            );
        }
        let key = |text: &str| Slot::Key(vec![Value::text(text)]);
        assert!(
            matches!(at("k", k, true, true, key("key"))?, Some(Some(_))),
            "as the table compares its keys"
        );
        assert!(matches!(at("k", k, true, false, key("ONE"))?, Some(Some(_))));
        assert_eq!(at("k", k, true, true, key("one"))?, None);
        Ok(())
    }
}
