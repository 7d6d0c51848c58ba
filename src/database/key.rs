//! Keys: how an index compares, so that rows match exactly when SQLite would call them duplicates.
//!
//! Apart from `value`, which compares by type and bytes.

use std::cmp::Ordering;

use rusqlite::types::ValueRef;

use super::value::{Value, integer_vs_real};

/// A collation that SQLite has built in. Others cannot be computed here: their tables are left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Collation {
    /// Bytes.
    Binary,
    /// ASCII letters without case.
    Nocase,
    /// Trailing spaces do not count.
    Rtrim,
}

impl Collation {
    /// The collation of that name, if it is built in.
    pub(crate) fn named(name: &str) -> Option<Collation> {
        [Collation::Binary, Collation::Nocase, Collation::Rtrim]
            .into_iter()
            .find(|collation| collation.name().eq_ignore_ascii_case(name))
    }

    /// Its name in SQL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Collation::Binary => "BINARY",
            Collation::Nocase => "NOCASE",
            Collation::Rtrim => "RTRIM",
        }
    }

    /// Text such that two texts are equal under the collation exactly when these bytes are.
    fn fold(self, text: &[u8]) -> Vec<u8> {
        match self {
            Collation::Binary => text.to_vec(),
            Collation::Nocase => {
                // SQLite stops at the first NUL, then compares lengths.
                let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
                let mut folded: Vec<u8> = text.iter().take(end).map(u8::to_ascii_lowercase).collect();
                folded.resize(text.len(), 0);
                folded
            }
            Collation::Rtrim => {
                let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
                text.iter().take(end).copied().collect()
            }
        }
    }
}

/// One normalised part of a key; never NULL, since NULLs are never equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum KeyPart {
    /// An integer, or a double that is one.
    Integer(i64),
    /// Any other double.
    Real(u64),
    /// Text, folded.
    Text(Vec<u8>),
    /// A blob.
    Blob(Vec<u8>),
}

/// A whole key.
pub(crate) type Key = std::sync::Arc<[KeyPart]>;

/// The key part of a value; `None` for NULL.
pub(crate) fn key_part(value: &Value, collation: Collation) -> Option<KeyPart> {
    match value {
        Value::Null | Value::Held => None,
        Value::Integer(i) => Some(KeyPart::Integer(*i)),
        Value::Real(bits) => {
            let real = f64::from_bits(*bits);
            #[expect(clippy::cast_possible_truncation, reason = "checked to be exact in the next line")]
            let whole = real as i64;
            Some(match integer_vs_real(whole, real) {
                Ordering::Equal => KeyPart::Integer(whole),
                _ => KeyPart::Real(*bits),
            })
        }
        Value::Text(text) => Some(KeyPart::Text(collation.fold(text))),
        Value::Blob(blob) => Some(KeyPart::Blob(blob.to_vec())),
    }
}

/// The key of a row over some columns; `None` when one of them is NULL.
pub(crate) fn key_of(row: &[Value], columns: &[(usize, Collation)]) -> Option<Key> {
    columns.iter().map(|(column, collation)| key_part(row.get(*column)?, *collation)).collect()
}

/// How an index orders two cells of a cursor.
pub(crate) fn compare_cells(a: ValueRef<'_>, b: ValueRef<'_>, collation: Collation) -> Ordering {
    match (a, b) {
        (ValueRef::Text(a), ValueRef::Text(b)) => match collation {
            Collation::Binary => a.cmp(b),
            Collation::Nocase | Collation::Rtrim => collation.fold(a).cmp(&collation.fold(b)),
        },
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a.cmp(&b),
        (ValueRef::Integer(a), ValueRef::Real(b)) => integer_vs_real(a, b),
        (ValueRef::Real(a), ValueRef::Integer(b)) => integer_vs_real(b, a).reverse(),
        (ValueRef::Real(a), ValueRef::Real(b)) => a.total_cmp(&b),
        _ => class(a).cmp(&class(b)).then_with(|| match (a, b) {
            (ValueRef::Blob(a), ValueRef::Blob(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }),
    }
}

fn class(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::Null => 0,
        ValueRef::Integer(_) | ValueRef::Real(_) => 1,
        ValueRef::Text(_) => 2,
        ValueRef::Blob(_) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of values must be equal as keys exactly when SQLite says `=`.
    #[test]
    fn keys_are_equal_when_sqlite_says_so() -> rusqlite::Result<()> {
        let connection = rusqlite::Connection::open_in_memory()?;
        let values = [
            Value::Integer(1),
            Value::Real(1.0_f64.to_bits()),
            Value::Real(1.5_f64.to_bits()),
            Value::Integer(i64::MAX),
            Value::Real(9_223_372_036_854_775_807.0_f64.to_bits()),
            Value::Real(f64::INFINITY.to_bits()),
            Value::Integer(0),
            Value::Real((-0.0_f64).to_bits()),
            Value::text("a"),
            Value::text("A"),
            Value::text("a "),
            Value::text("a\0b"),
            Value::text("A\0c"),
            Value::text("a\0"),
            Value::text("ä"),
            Value::text("Ä"),
            Value::Blob(b"a".as_slice().into()),
        ];
        for collation in [Collation::Binary, Collation::Nocase, Collation::Rtrim] {
            let sql = format!("SELECT ?1 = ?2 COLLATE {}", collation.name());
            for a in &values {
                for b in &values {
                    let equal: bool = connection.query_row(&sql, [a, b], |row| row.get(0))?;
                    let ours = key_part(a, collation) == key_part(b, collation);
                    assert_eq!(ours, equal, "{a:?} = {b:?} under {collation:?}");
                }
            }
        }
        Ok(())
    }
}
