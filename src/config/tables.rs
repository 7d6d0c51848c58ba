//! What a configuration says of tables: by what they are matched, and how their rows and cells are merged.
//!
//! Apart from `parse`, which reads the rest.

use std::collections::{BTreeMap, BTreeSet};

use super::json::Place;
use super::parse::Read;
use super::pattern::{is_pattern, specificity};
use super::write::{COLUMN_POLICIES, ON_DELETE_UPDATE};
use super::{ColumnPolicy, PolicyOrigin, Rekey, TablePolicy};

pub(super) fn tables(place: &Place<'_>) -> Read<Vec<(String, TablePolicy)>> {
    let mut tables = Vec::new();
    for (pattern, place) in named(place)? {
        tables.push((pattern.to_owned(), table(&place)?));
    }
    tables.sort_by(|(a, _), (b, _)| specificity(a).cmp(&specificity(b)));
    Ok(tables)
}

fn table(place: &Place<'_>) -> Read<TablePolicy> {
    let [identity, columns, newest_by, references, on_delete_update, append_only, exclude, rekey] = place
        .fields([
            "identity",
            "columns",
            "newest_by",
            "references",
            "on_delete_update",
            "append_only",
            "exclude",
            "rekey",
        ])?;
    let newest_by = newest_by.map(|place| place.text().map(str::to_owned)).transpose()?;
    let yes = |place: Option<Place<'_>>, default: bool| place.map_or(Ok(default), |place| place.boolean());
    Ok(TablePolicy {
        identity: identity.map(|place| self::identity(&place)).transpose()?,
        columns: match columns {
            Some(place) => self::columns(&place, newest_by.as_deref())?,
            None => BTreeMap::new(),
        },
        newest_by,
        references: references.map_or_else(|| Ok(BTreeMap::new()), |place| self::references(&place))?,
        on_delete_update: on_delete_update
            .map(|place| place.choice(&ON_DELETE_UPDATE))
            .transpose()?
            .unwrap_or_default(),
        append_only: yes(append_only, false)?,
        exclude: yes(exclude, false)?,
        rekey: if yes(rekey, true)? { Rekey::Allow } else { Rekey::Forbid },
        origin: PolicyOrigin::User,
    })
}

fn identity(place: &Place<'_>) -> Read<Vec<String>> {
    let mut identity: Vec<String> = Vec::new();
    for item in place.items()? {
        let column = item.text()?;
        if is_pattern(column) {
            return Err(item.wrong("must be one column, not a pattern"));
        }
        if identity.iter().any(|known| known.eq_ignore_ascii_case(column)) {
            return Err(item.wrong(format!("{column:?} is named twice")));
        }
        identity.push(column.to_owned());
    }
    if identity.is_empty() {
        return Err(place
            .wrong("must name at least one column")
            .hint("leave it out to let the schema decide"));
    }
    Ok(identity)
}

fn columns(place: &Place<'_>, newest_by: Option<&str>) -> Read<BTreeMap<String, ColumnPolicy>> {
    let mut columns = BTreeMap::new();
    for (column, place) in named(place)? {
        let policy = place.choice(&COLUMN_POLICIES)?;
        if policy == ColumnPolicy::Newest && newest_by.is_none() {
            return Err(place
                .wrong("\"newest\" needs to know which column says when a row was changed")
                .hint("add \"newest_by\": \"COLUMN\" to the table"));
        }
        columns.insert(column.to_owned(), policy);
    }
    Ok(columns)
}

fn references(place: &Place<'_>) -> Read<BTreeMap<String, (String, String)>> {
    let mut references = BTreeMap::new();
    for (column, place) in named(place)? {
        if is_pattern(column) {
            return Err(place.wrong("must be one column, not a pattern"));
        }
        let target = match place.text()?.split_once('.') {
            Some((table, key)) if !table.is_empty() && !key.is_empty() && !key.contains('.') => {
                (table.to_owned(), key.to_owned())
            }
            _ => return Err(place.wrong("must be written as \"table.column\"")),
        };
        references.insert(column.to_owned(), target);
    }
    Ok(references)
}

/// The entries of an object whose keys are SQL names: those do not differ by case alone.
fn named<'a>(place: &Place<'a>) -> Read<Vec<(&'a str, Place<'a>)>> {
    let entries = place.entries()?;
    let mut seen = BTreeSet::new();
    for (name, place) in &entries {
        if name.is_empty() || name.contains('\0') {
            return Err(place.wrong("is not a name"));
        }
        if !seen.insert(name.to_ascii_lowercase()) {
            return Err(
                place.wrong("is given twice; SQLite does not tell upper and lower case apart in names")
            );
        }
    }
    Ok(entries)
}
