//! The shape all sides are brought to: one definition a table, what each side lacks of it, and the rules that
//! the configuration gives it.
//!
//! Apart from `schema`, which reads one side. A table whose sides cannot be brought together is paused, with the
//! reason; the others go on.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::config::{ColumnPolicy, Config, DatabaseConfig, PolicyOrigin, SchemaPolicy, TablePolicy};
use crate::error::{Error, ErrorKind, Result};

use super::key::Collation;
use super::model::{Identity, Reference, Rules};
use super::schema::{Schema, Storage, Table};
use super::sql::{column_definition, normalised, quote};
use super::value::Value;

/// One table as all sides are to have it.
#[derive(Debug, Clone)]
pub(crate) struct TableShape {
    /// The union of the sides' definitions.
    pub(crate) table: Table,
    /// The value a side without the column stands for, by column.
    pub(crate) defaults: Vec<Value>,
    /// How its rows are merged.
    pub(crate) rules: Rules,
    /// Statements that a side lacks, by side.
    pub(crate) missing: Vec<Vec<String>>,
}

/// What can be synced, and what cannot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    /// Parents before children, as far as references are without cycles.
    pub(crate) tables: Vec<TableShape>,
    /// Tables that are left alone this time: name and reason.
    pub(crate) paused: Vec<(String, String)>,
    /// What sides lack that they once had and others have.
    pub(crate) dropped: Vec<Dropped>,
    /// What people should know.
    pub(crate) warnings: Vec<String>,
}

/// Something that a side had when it was last merged, and that it lacks while others have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// The side.
    pub(crate) side: usize,
    /// The table, as the side's base calls it.
    pub(crate) table: String,
    /// The column; none where it is the whole table.
    pub(crate) column: Option<String>,
}

/// What sides lack that they once had and others have.
fn dropped(sides: &[SideSchema<'_>]) -> Vec<Dropped> {
    let mut dropped = Vec::new();
    for (index, side) in sides.iter().enumerate() {
        for base in side.base.into_iter().flat_map(|base| &base.tables) {
            let elsewhere: Vec<&Table> =
                sides.iter().filter_map(|other| other.now.table(&base.name)).collect();
            let gone = |column| Dropped { side: index, table: base.name.clone(), column };
            match side.now.table(&base.name) {
                None if elsewhere.is_empty() => {}
                None => dropped.push(gone(None)),
                Some(now) => {
                    let lacks = base.columns.iter().filter(|column| now.column(&column.name).is_none());
                    let lacks = lacks.filter(|lacking| {
                        elsewhere.iter().any(|other| other.column(&lacking.name).is_some())
                    });
                    dropped.extend(lacks.map(|column| gone(Some(column.name.clone()))));
                }
            }
        }
    }
    dropped
}

/// How a base's table differs from the live one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drift {
    /// Not in what matters.
    None,
    /// The live one has more columns, whose earlier values are known.
    Added,
    /// The live one has fewer columns.
    Dropped,
    /// It was made anew: what its rows were before cannot be told.
    Rebuilt,
}

/// Compares a base's table with the live one.
pub(crate) fn drift(base: Option<&Table>, live: &Table) -> Drift {
    let Some(base) = base else { return Drift::None };
    if base.module != live.module || (live.module.is_some() && !same_columns(base, live)) {
        return Drift::Rebuilt;
    }
    if std::mem::discriminant(&base.storage) != std::mem::discriminant(&live.storage)
        || key_names(base) != key_names(live)
    {
        return Drift::Rebuilt;
    }
    let dropped = base.columns.iter().any(|column| live.column(&column.name).is_none());
    let mut added = live.columns.iter().filter(|column| base.column(&column.name).is_none()).peekable();
    match (added.peek().is_some(), dropped) {
        (false, false) => Drift::None,
        (false, true) => Drift::Dropped,
        // Perhaps one was renamed to the other.
        (true, true) => Drift::Rebuilt,
        (true, false) => {
            let known = |column: &super::schema::Column| {
                let definition = column_definition(&live.sql, &column.name)?;
                default_of(&definition, &column.name).ok()
            };
            if added.all(|column| known(column).is_some()) { Drift::Added } else { Drift::Rebuilt }
        }
    }
}

/// One side's schemas: now, and as of its ancestor.
pub(crate) struct SideSchema<'a> {
    /// Its name.
    pub(crate) side: &'a str,
    /// Now.
    pub(crate) now: &'a Schema,
    /// When it was last merged.
    pub(crate) base: Option<&'a Schema>,
}

/// Brings the schemas of all sides together. `sides` is in order of preference, `hub` its index; `refused` are tables
/// that turned out not to take what was planned, with the reason.
pub(crate) fn build(
    config: &Config,
    name: &str,
    database: &DatabaseConfig,
    sides: &[SideSchema<'_>],
    hub: usize,
    refused: &[(String, String)],
) -> Result<Shape> {
    let mut shape = Shape { paused: refused.to_vec(), dropped: dropped(sides), ..Shape::default() };
    let mut names: Vec<&str> = Vec::new();
    let mut seen = BTreeSet::new();
    let order = sides.iter().skip(hub).take(1).chain(sides.iter());
    for side in order {
        for table in &side.now.tables {
            if seen.insert(table.name.to_ascii_lowercase()) {
                names.push(&table.name);
            }
        }
        for (table, reason) in &side.now.skipped {
            if !shape.paused.iter().any(|(name, _)| name.eq_ignore_ascii_case(table)) {
                shape.paused.push((table.clone(), format!("{reason} (on {})", side.side)));
            }
        }
    }
    for (wanted, policy) in database.tables.iter().filter(|(table, _)| !table.contains(['*', '?'])) {
        let there = |side: &SideSchema<'_>| {
            side.now.table(wanted).is_some()
                || side.now.skipped.iter().any(|(table, _)| table.eq_ignore_ascii_case(wanted))
        };
        if sides.iter().any(there) {
            continue;
        }
        match sides.iter().find_map(|side| side.now.index_over(wanted)) {
            None => {
                shape.warnings.push(format!("the configuration has a table {wanted}, which no side has"));
            }
            // It is made anew from the rows that it indexes: its row ids follow theirs, whatever becomes of them.
            Some(of) if says_only_what_holds(policy, of) => {}
            Some(of) => shape.warnings.push(format!(
                "the configuration has rules for {wanted}, which has no rows of its own but indexes those of {of}: only \
                 references to {of} mean something there"
            )),
        }
    }
    let mut candidates = Vec::new();
    for table in names {
        if shape.paused.iter().any(|(name, _)| name.eq_ignore_ascii_case(table)) {
            continue;
        }
        let policy = database.table_policy(name, table);
        if policy.exclude {
            continue;
        }
        match unite(database, table, sides, hub)? {
            Ok((table, defaults, missing)) => candidates.push((table, defaults, missing, policy)),
            Err(reason) => shape.paused.push((table.to_owned(), reason)),
        }
    }
    let with_policies: Vec<(&Table, &TablePolicy)> =
        candidates.iter().map(|(table, _, _, policy)| (table, policy)).collect();
    let orphans = waiting(&with_policies, &shape.paused, sides);
    candidates.retain(|(table, ..)| !orphans.iter().any(|(name, _)| *name == table.name));
    shape.paused.extend(orphans);
    let with_policies: Vec<(&Table, &TablePolicy)> =
        candidates.iter().map(|(table, _, _, policy)| (table, policy)).collect();
    let order = parents_first(&with_policies);
    let mut ordered: Vec<_> = candidates.into_iter().map(Some).collect();
    let candidates: Vec<_> = order.into_iter().filter_map(|index| ordered.get_mut(index)?.take()).collect();
    let tables: Vec<Table> = candidates.iter().map(|(table, ..)| table.clone()).collect();
    for (table, defaults, missing, policy) in candidates {
        let rules = rules_of(config, name, &table, &policy, &tables)?;
        shape.tables.push(TableShape { table, defaults, rules, missing });
    }
    let referenced: BTreeSet<usize> = shape
        .tables
        .iter()
        .flat_map(|table| &table.rules.references)
        .filter(|reference| {
            let id = shape.tables.get(reference.parent).and_then(|parent| parent.rules.id);
            reference.parent_columns.iter().any(|(column, _)| Some(*column) == id)
        })
        .map(|reference| reference.parent)
        .collect();
    for (index, table) in shape.tables.iter_mut().enumerate() {
        table.rules.id_is_referenced = referenced.contains(&index);
    }
    Ok(shape)
}

/// Whether all that a policy says of an index over the table `of` is that it points there.
fn says_only_what_holds(policy: &TablePolicy, of: &str) -> bool {
    let plain = TablePolicy {
        references: policy.references.clone(),
        origin: policy.origin,
        ..TablePolicy::default()
    };
    *policy == plain && policy.references.values().all(|(table, _)| table.eq_ignore_ascii_case(of))
}

type United = (Table, Vec<Value>, Vec<Vec<String>>);

/// One table from what the sides call by its name, or why that cannot be done.
fn unite(
    database: &DatabaseConfig,
    name: &str,
    sides: &[SideSchema<'_>],
    hub: usize,
) -> Result<Result<United, String>> {
    let having: Vec<(usize, &Table)> =
        sides.iter().enumerate().filter_map(|(index, side)| Some((index, side.now.table(name)?))).collect();
    let template = having.iter().find(|(index, _)| *index == hub).or(having.first());
    let Some((template_side, template)) = template.copied() else { return Ok(Err("no side has it".into())) };
    let side_name = |index: usize| sides.get(index).map_or("?", |side| side.side);
    for (index, side) in sides.iter().enumerate() {
        let Some(base) = side.base.and_then(|base| base.table(name)) else { continue };
        let Some((_, now)) = having.iter().find(|(having, _)| *having == index) else {
            return Ok(Err(format!(
                "it was dropped on {}; drop it everywhere, or create it there again",
                side.side
            )));
        };
        let gone = |column: &&super::schema::Column| {
            let elsewhere = |(_, other): &(usize, &Table)| other.column(&column.name).is_some();
            now.column(&column.name).is_none() && having.iter().any(elsewhere)
        };
        if let Some(gone) = base.columns.iter().find(gone) {
            return Ok(Err(format!(
                "column {} was dropped on {}; drop it everywhere, or add it there again",
                gone.name, side.side
            )));
        }
    }
    let mut table = template.clone();
    let mut defaults = vec![Value::Null; table.columns.len()];
    let mut added: Vec<(usize, String, String)> = Vec::new();
    for (index, other) in &having {
        let (a, b) = (side_name(template_side), side_name(*index));
        if other.module != template.module {
            let what = |table: &Table| match &table.module {
                Some(module) => format!("a virtual table of {module}"),
                None => "an ordinary table".to_owned(),
            };
            return Ok(Err(format!("it is {} on {a} and {} on {b}", what(template), what(other))));
        }
        if template.module.is_some() && !same_columns(template, other) {
            return Ok(Err(format!("its columns are not the same on {a} and {b}")));
        }
        if std::mem::discriminant(&other.storage) != std::mem::discriminant(&template.storage)
            || key_names(other) != key_names(template)
        {
            return Ok(Err(format!("its primary key is not the same on {a} and {b}")));
        }
        for column in &other.columns {
            match table.column(&column.name).and_then(|at| table.columns.get(at)) {
                Some(known) if !known.declared.eq_ignore_ascii_case(&column.declared) => {
                    return Ok(Err(format!(
                        "column {} is {} on {} and {} on {}",
                        column.name,
                        or_untyped(&known.declared),
                        side_name(template_side),
                        or_untyped(&column.declared),
                        side_name(*index)
                    )));
                }
                Some(_) => {}
                None => {
                    let Some(definition) = column_definition(&other.sql, &column.name) else {
                        return Ok(Err(format!("the definition of column {} cannot be read", column.name)));
                    };
                    added.push((*index, column.name.clone(), definition));
                    table.columns.push(column.clone());
                    defaults.push(Value::Null);
                }
            }
        }
    }
    // A column that the template has and another side lacks needs a definition too.
    for (index, _) in &having {
        for column in &template.columns {
            let lacks = having.iter().any(|(i, other)| i == index && other.column(&column.name).is_none());
            if lacks && !added.iter().any(|(_, name, _)| name.eq_ignore_ascii_case(&column.name)) {
                let Some(definition) = column_definition(&template.sql, &column.name) else {
                    return Ok(Err(format!("the definition of column {} cannot be read", column.name)));
                };
                added.push((template_side, column.name.clone(), definition));
            }
        }
    }
    // What a base lacks was its default there, too; where that cannot be told, the base is no ancestor (see `drift`).
    for (index, other) in &having {
        let base = sides.get(*index).and_then(|side| side.base).and_then(|base| base.table(name));
        let Some(base) = base.filter(|base| drift(Some(base), other) == Drift::Added) else { continue };
        for column in other.columns.iter().filter(|column| base.column(&column.name).is_none()) {
            let known = column_definition(&other.sql, &column.name)
                .and_then(|definition| default_of(&definition, &column.name).ok());
            if let (Some(value), Some(slot)) =
                (known, table.column(&column.name).and_then(|at| defaults.get_mut(at)))
            {
                *slot = value;
            }
        }
    }
    for (side, column, definition) in &added {
        match default_of(definition, column) {
            Ok(value) => {
                if let Some(slot) = table.column(column).and_then(|at| defaults.get_mut(at)) {
                    *slot = value;
                }
            }
            Err(cause) => {
                return Ok(Err(format!(
                    "column {column} is new on {} and cannot be added elsewhere: {cause}",
                    side_name(*side)
                )));
            }
        }
    }
    unite_keys(&mut table, &having);
    let mut missing = missing_statements(&table, &having, &added, sides.len());
    if database.schema == SchemaPolicy::None {
        let lacks = |side: &usize| {
            let own = having.iter().find(|(index, _)| index == side).map(|(_, own)| own);
            own.is_none_or(|own| table.columns.iter().any(|column| own.column(&column.name).is_none()))
        };
        if let Some(side) = (0..sides.len()).find(lacks) {
            return Ok(Err(format!("{} lacks a part of it, and schema is none", side_name(side))));
        }
        // Rows travel without the indexes of the other side.
        missing.iter_mut().for_each(Vec::clear);
    }
    Ok(Ok((table, defaults, missing)))
}

/// Keys and references that any side declares hold for all.
fn unite_keys(table: &mut Table, having: &[(usize, &Table)]) {
    for (_, other) in having {
        let at = |column: &usize| other.columns.get(*column).and_then(|c| table.column(&c.name));
        let uniques: Vec<Vec<(usize, Collation)>> = other
            .uniques
            .iter()
            .filter_map(|unique| {
                unique.iter().map(|(column, collation)| Some((at(column)?, *collation))).collect()
            })
            .collect();
        let references: Vec<_> = other
            .references
            .iter()
            .filter_map(|reference| {
                let columns = reference.columns.iter().map(at).collect::<Option<Vec<_>>>()?;
                Some(super::schema::Reference { columns, ..reference.clone() })
            })
            .collect();
        for unique in uniques {
            if !table.uniques.contains(&unique) {
                table.uniques.push(unique);
            }
        }
        for reference in references {
            if !table.references.contains(&reference) {
                table.references.push(reference);
            }
        }
        for index in &other.indexes {
            if !table.indexes.iter().any(|(name, _)| name.eq_ignore_ascii_case(&index.0)) {
                table.indexes.push(index.clone());
            }
        }
    }
}

/// The statements each side lacks.
fn missing_statements(
    table: &Table,
    having: &[(usize, &Table)],
    added: &[(usize, String, String)],
    sides: usize,
) -> Vec<Vec<String>> {
    (0..sides)
        .map(|side| {
            let mut statements = Vec::new();
            let own = having.iter().find(|(index, _)| *index == side).map(|(_, own)| *own);
            if own.is_none() {
                statements.push(table.sql.clone());
            }
            for (from, column, definition) in added {
                let has = match own {
                    Some(own) => own.column(column).is_some(),
                    // The table is created from the template; what the template lacks is added.
                    None => column_definition(&table.sql, column).is_some(),
                };
                if !has && (own.is_some() || *from != side) {
                    statements.push(format!("ALTER TABLE {} ADD COLUMN {definition}", quote(&table.name)));
                }
            }
            for (name, sql) in &table.indexes {
                let has = own.is_some_and(|own| {
                    own.indexes.iter().any(|(own_name, own_sql)| {
                        own_name.eq_ignore_ascii_case(name) || normalised(own_sql) == normalised(sql)
                    })
                });
                if !has {
                    statements.push(sql.clone());
                }
            }
            statements
        })
        .collect()
}

/// Whether two tables have columns of the same names, in whichever order.
fn same_columns(a: &Table, b: &Table) -> bool {
    a.columns.len() == b.columns.len() && a.columns.iter().all(|column| b.column(&column.name).is_some())
}

fn key_names(table: &Table) -> Vec<(String, Collation)> {
    let name =
        |column: &usize| table.columns.get(*column).map(|c| c.name.to_ascii_lowercase()).unwrap_or_default();
    table.primary_key.iter().map(|(column, collation)| (name(column), *collation)).collect()
}

fn or_untyped(declared: &str) -> &str {
    if declared.is_empty() { "without a type" } else { declared }
}

/// The value that rows get when the column is added; an error where SQLite refuses to add it.
fn default_of(definition: &str, column: &str) -> rusqlite::Result<Value> {
    let scratch = Connection::open_in_memory()?;
    scratch.execute_batch("CREATE TABLE scratch (\"cr0sync key\"); INSERT INTO scratch VALUES (1);")?;
    scratch.execute_batch(&format!("ALTER TABLE scratch ADD COLUMN {definition}"))?;
    scratch.query_row(&format!("SELECT {} FROM scratch", quote(column)), [], |row| {
        Ok(Value::from_ref(row.get_ref(0)?))
    })
}

/// The value that the rows of a table got when a column was added to it; none where that cannot be told.
pub(crate) fn added_value(table: &Table, column: &str) -> Option<Value> {
    default_of(&column_definition(&table.sql, column)?, column).ok()
}

/// What a table points at, declared and configured: table, and the column of a single one.
fn targets<'a>(
    table: &'a Table,
    policy: &'a TablePolicy,
) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
    let declared = table
        .references
        .iter()
        .map(|reference| (reference.table.as_str(), reference.parent_columns.first().map(String::as_str)));
    declared.chain(policy.references.values().map(|(table, column)| (table.as_str(), Some(column.as_str()))))
}

/// Tables that point at row ids of tables that are left alone: what those ids mean elsewhere is not known.
fn waiting(
    tables: &[(&Table, &TablePolicy)],
    paused: &[(String, String)],
    sides: &[SideSchema<'_>],
) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let is_row_id = |parent: &str, column: Option<&str>| {
        sides.iter().filter_map(|side| side.now.table(parent)).any(|table| match table.storage {
            Storage::Alias { column: id } => column.is_none_or(|name| table.column(name) == Some(id)),
            _ => false,
        })
    };
    loop {
        let before = found.len();
        for (table, policy) in tables {
            if found.iter().any(|(name, _)| *name == table.name) {
                continue;
            }
            let alone =
                |parent: &str| paused.iter().chain(&found).any(|(name, _)| name.eq_ignore_ascii_case(parent));
            let waits =
                targets(table, policy).find(|(parent, column)| alone(parent) && is_row_id(parent, *column));
            if let Some((parent, _)) = waits {
                found.push((table.name.clone(), format!("it points at {parent}, which is left alone")));
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// An order in which referenced tables come before the tables that point at them, cycles broken where they start.
fn parents_first(tables: &[(&Table, &TablePolicy)]) -> Vec<usize> {
    fn visit(
        tables: &[(&Table, &TablePolicy)],
        index: usize,
        seen: &mut BTreeSet<usize>,
        order: &mut Vec<usize>,
    ) {
        if !seen.insert(index) {
            return;
        }
        for (target, _) in tables.get(index).into_iter().flat_map(|(table, policy)| targets(table, policy)) {
            if let Some(parent) = tables.iter().position(|(t, _)| t.name.eq_ignore_ascii_case(target)) {
                visit(tables, parent, seen, order);
            }
        }
        order.push(index);
    }
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    for index in 0..tables.len() {
        visit(tables, index, &mut seen, &mut order);
    }
    order
}

/// The rules of one table: what the user wrote, else what the schema says.
fn rules_of(
    config: &Config,
    database: &str,
    table: &Table,
    policy: &TablePolicy,
    tables: &[Table],
) -> Result<Rules> {
    let fault = |what: String| {
        let place =
            config.source.as_ref().map(|path| format!(" (in {})", path.display())).unwrap_or_default();
        let message = format!("databases.{database}.tables.{}: {what}{place}", table.name);
        Error::new(ErrorKind::Config, message).hint("correct the name, or remove the entry")
    };
    let strict = policy.origin == PolicyOrigin::User;
    let find = |name: &str, what: &str| match table.column(name) {
        Some(column) => Ok(Some(column)),
        None if strict => Err(fault(format!("{what} names column {name}, which the table does not have"))),
        None => Ok(None),
    };
    for name in policy.identity.iter().flatten() {
        find(name, "identity")?;
    }
    for name in policy.columns.keys().filter(|name| !name.contains(['*', '?'])) {
        find(name, "columns")?;
    }
    let newest_by = match &policy.newest_by {
        Some(name) => find(name, "newest_by")?,
        None => None,
    };
    // Where `newest_by` is set it is the policy of all columns without one; of its own column the larger is taken.
    let policy_of = |(index, column): (usize, &super::schema::Column)| {
        policy.column(&column.name).unwrap_or(match newest_by {
            Some(newest) if newest == index => ColumnPolicy::Max,
            Some(_) => ColumnPolicy::Newest,
            None => ColumnPolicy::Prefer,
        })
    };
    let mut policies: Vec<ColumnPolicy> = table.columns.iter().enumerate().map(policy_of).collect();
    // An R-Tree rounds what it is given: a sum would never come to rest.
    if table.module.as_deref().is_some_and(|module| module.starts_with("rtree")) {
        if strict && policies.contains(&ColumnPolicy::Sum) {
            return Err(fault("columns: cells of an R-Tree cannot be summed".to_owned()));
        }
        policies
            .iter_mut()
            .filter(|policy| **policy == ColumnPolicy::Sum)
            .for_each(|p| *p = ColumnPolicy::Prefer);
    }
    let id = match table.storage {
        Storage::Alias { column } => Some(column),
        _ => None,
    };
    let mut references = Vec::new();
    for declared in &table.references {
        let Some(parent) = tables.iter().position(|t| t.name.eq_ignore_ascii_case(&declared.table)) else {
            continue;
        };
        references.extend(reference(tables, parent, &declared.columns, &declared.parent_columns));
    }
    for (column, (parent_table, parent_column)) in &policy.references {
        let Some(column) = find(column, "references")? else { continue };
        let Some(parent) = tables.iter().position(|t| t.name.eq_ignore_ascii_case(parent_table)) else {
            if strict {
                return Err(fault(format!("references names table {parent_table}, which does not exist")));
            }
            continue;
        };
        if tables.get(parent).is_some_and(|parent| parent.column(parent_column).is_none()) && strict {
            return Err(fault(format!(
                "references names column {parent_table}.{parent_column}, which does not exist"
            )));
        }
        let found = reference(tables, parent, &[column], std::slice::from_ref(parent_column));
        references.extend(found.filter(|found| !references.contains(found)));
    }
    Ok(Rules {
        name: table.name.clone(),
        columns: table.columns.iter().map(|column| column.name.clone()).collect(),
        identity: identity(table, policy),
        id,
        stored_by_key: match &table.storage {
            Storage::Key { order } => Some(order.iter().map(|(column, ..)| *column).collect()),
            _ => None,
        },
        uniques: table.uniques.clone(),
        policies,
        newest_by,
        on_delete_update: policy.on_delete_update,
        append_only: policy.append_only,
        rekey: policy.rekey,
        references,
        id_is_referenced: false,
        oscillating: BTreeSet::new(),
    })
}

fn reference(
    tables: &[Table],
    parent: usize,
    columns: &[usize],
    parent_columns: &[String],
) -> Option<Reference> {
    let table = tables.get(parent)?;
    let named: Vec<usize> = if parent_columns.is_empty() {
        table.primary_key.iter().map(|(column, _)| *column).collect()
    } else {
        parent_columns.iter().map(|name| table.column(name)).collect::<Option<_>>()?
    };
    let collation = |column: usize| {
        let keys = table.uniques.iter().chain(std::iter::once(&table.primary_key)).flatten();
        let declared = table.columns.get(column).map_or(Collation::Binary, |column| column.collation);
        keys.clone().find(|(c, _)| *c == column).map_or(declared, |(_, collation)| *collation)
    };
    (named.len() == columns.len()).then(|| Reference {
        columns: columns.to_vec(),
        parent,
        parent_columns: named.into_iter().map(|column| (column, collation(column))).collect(),
    })
}

/// Rules 1 to 5 of row identity.
pub(crate) fn identity(table: &Table, policy: &TablePolicy) -> Identity {
    let names = policy.identity.as_deref().unwrap_or_default();
    let configured: Option<Vec<usize>> = names.iter().map(|name| table.column(name)).collect();
    let alias = match table.storage {
        Storage::Alias { column } => Some(column),
        _ => None,
    };
    if let Some(columns) = configured.filter(|columns| !columns.is_empty()) {
        let mut sorted = columns.clone();
        sorted.sort_unstable();
        let indexed = table.uniques.iter().find(|unique| {
            let mut of_index: Vec<usize> = unique.iter().map(|(column, _)| *column).collect();
            of_index.sort_unstable();
            of_index == sorted
        });
        match indexed {
            Some(unique) => return Identity::Key(unique.clone()),
            None if policy.origin == PolicyOrigin::User => {
                let collation =
                    |column: usize| table.columns.get(column).map_or(Collation::Binary, |c| c.collation);
                return Identity::Key(
                    columns.into_iter().map(|column| (column, collation(column))).collect(),
                );
            }
            // A shipped policy is a guess about the schema: without the UNIQUE key it expects, it does not fit.
            None => {}
        }
    }
    if alias.is_none() && !table.primary_key.is_empty() {
        return Identity::Key(table.primary_key.clone());
    }
    let not_null = |(column, _): &(usize, Collation)| table.columns.get(*column).is_some_and(|c| c.not_null);
    let natural = table.uniques.iter().find(|unique| unique.iter().all(not_null));
    match (natural, alias, table.uniques.first()) {
        (Some(unique), _, _) => Identity::Key(unique.clone()),
        (None, Some(column), _) => Identity::Id(column),
        // As with a primary key, a row with NULL in it has no identity, that row only.
        (None, None, Some(unique)) => Identity::Key(unique.clone()),
        (None, None, None) => Identity::Content,
    }
}

/// The policy of a column in words, for `status --explain`.
pub(crate) fn policy_name(policy: ColumnPolicy) -> &'static str {
    match policy {
        ColumnPolicy::Prefer => "prefer",
        ColumnPolicy::Sum => "sum",
        ColumnPolicy::Max => "max",
        ColumnPolicy::Min => "min",
        ColumnPolicy::MinNonzero => "min_nonzero",
        ColumnPolicy::Newest => "newest",
        ColumnPolicy::Hold => "hold",
    }
}
