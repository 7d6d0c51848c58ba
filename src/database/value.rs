//! Values as SQLite stores them: compared by type and bytes, never by SQL equality.
//!
//! Apart from `key`, which compares the way an index does. A value never passes through text, JSON or a float on
//! its way from one side to another.

use std::cmp::Ordering;
use std::sync::Arc;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::bytes::Bytes;

/// One cell. Equality is identity of storage class and bytes, so `1` and `1.0` differ, and so do `a` and `A`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Value {
    /// SQL NULL.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// The bits of a double.
    Real(u64),
    /// Text as bytes in the database's UTF-8, valid or not.
    Text(Bytes),
    /// A blob.
    Blob(Bytes),
    /// No value at all: the ancestor of a cell that was held before it ever had an ancestor. Only in the overlay;
    /// it differs from every stored value.
    Held,
}

/// One row: its cells in the order of the table's shape.
pub(crate) type Row = Arc<[Value]>;

impl Value {
    /// Copies a cell out of a cursor.
    pub(crate) fn from_ref(value: ValueRef<'_>) -> Value {
        match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(i) => Value::Integer(i),
            ValueRef::Real(r) => Value::Real(r.to_bits()),
            ValueRef::Text(t) => Value::Text(t.into()),
            ValueRef::Blob(b) => Value::Blob(b.into()),
        }
    }

    /// A text value.
    #[cfg(test)]
    pub(crate) fn text(text: &str) -> Value {
        Value::Text(text.as_bytes().into())
    }

    /// How many bytes of text or blob it has.
    pub(crate) fn length(&self) -> usize {
        match self {
            Value::Text(bytes) | Value::Blob(bytes) => bytes.length(),
            _ => 0,
        }
    }

    /// Whether it can be added to.
    pub(crate) fn is_number(&self) -> bool {
        match self {
            Value::Integer(_) => true,
            Value::Real(bits) => f64::from_bits(*bits).is_finite(),
            _ => false,
        }
    }

    /// The integer, if it is one.
    pub(crate) fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(i) => Some(*i),
            _ => None,
        }
    }

    /// Where SQLite sorts this value's storage class.
    fn class(&self) -> u8 {
        match self {
            Value::Held | Value::Null => 0,
            Value::Integer(_) | Value::Real(_) => 1,
            Value::Text(_) => 2,
            Value::Blob(_) => 3,
        }
    }

    /// The order of `ORDER BY` under BINARY: NULL, numbers by size, text, blobs; ties (`1` and `1.0`) by the
    /// derived order, so that the order is total.
    pub(crate) fn sql_cmp(&self, other: &Value) -> Ordering {
        let numeric = match (self, other) {
            (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
            (Value::Real(a), Value::Real(b)) => f64::from_bits(*a).total_cmp(&f64::from_bits(*b)),
            (Value::Integer(a), Value::Real(b)) => integer_vs_real(*a, f64::from_bits(*b)),
            (Value::Real(a), Value::Integer(b)) => integer_vs_real(*b, f64::from_bits(*a)).reverse(),
            (Value::Text(a), Value::Text(b)) | (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
            _ => self.class().cmp(&other.class()),
        };
        numeric.then_with(|| self.cmp(other))
    }
}

/// Compares exactly: a double cannot hold every integer.
pub(crate) fn integer_vs_real(a: i64, b: f64) -> Ordering {
    /// 2^63, the first double above every integer.
    const TOP: f64 = 9_223_372_036_854_775_808.0;
    if b >= TOP {
        return Ordering::Less;
    }
    if b < -TOP {
        return Ordering::Greater;
    }
    #[expect(clippy::cast_possible_truncation, reason = "b was checked to lie within the range of i64")]
    let whole = b.trunc() as i64;
    a.cmp(&whole).then_with(|| 0.0_f64.total_cmp(&(b.fract() + 0.0)))
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null | Value::Held => ValueRef::Null,
            Value::Integer(i) => ValueRef::Integer(*i),
            Value::Real(bits) => ValueRef::Real(f64::from_bits(*bits)),
            Value::Text(t) => ValueRef::Text(t),
            Value::Blob(b) => ValueRef::Blob(b),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real(r: f64) -> Value {
        Value::Real(r.to_bits())
    }

    #[test]
    fn equality_is_by_type_and_bytes() {
        assert_ne!(Value::Integer(1), real(1.0));
        assert_ne!(Value::text("a"), Value::text("A"));
        assert_ne!(Value::text("a"), Value::Blob(b"a".as_slice().into()));
        assert_ne!(Value::Held, Value::Null);
    }

    #[test]
    fn order_is_that_of_sqlite() {
        let rising = [
            Value::Null,
            real(f64::NEG_INFINITY),
            Value::Integer(i64::MIN),
            real(-0.5),
            Value::Integer(0),
            real(0.5),
            Value::Integer(1),
            Value::Integer(i64::MAX),
            real(9_223_372_036_854_775_808.0),
            Value::text(""),
            Value::text("a"),
            Value::Blob(b"".as_slice().into()),
        ];
        for (i, a) in rising.iter().enumerate() {
            for (j, b) in rising.iter().enumerate() {
                assert_eq!(a.sql_cmp(b), i.cmp(&j), "{a:?} against {b:?}");
            }
        }
    }
}
