//! The key of a row out of its record.
//!
//! Apart from `page`, which makes records and never reads what is in one. Source: sqlite.org/fileformat2.html section 2.1.

use super::Ended;
use crate::database::page::varint;
use crate::database::value::Value;

/// The first values of a record. In a table without row ids those are its key.
pub(super) fn first_values(record: &[u8], count: usize) -> Result<Vec<Value>, Ended> {
    const BROKEN: Ended = Ended::Doubt("a record is broken, or its key is long");
    let (head, mut at) = varint(record, 0).ok_or(BROKEN)?;
    let head = usize::try_from(head).map_err(|_| BROKEN)?;
    let mut body = head;
    let mut values = Vec::new();
    while values.len() < count {
        if at >= head {
            return Err(BROKEN);
        }
        let (kind, next) = varint(record, at).ok_or(BROKEN)?;
        at = next;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).map_err(|_| BROKEN)?,
            5 => 6,
            6 | 7 => 8,
            12.. => usize::try_from((kind - 12) / 2).map_err(|_| BROKEN)?,
            _ => return Err(BROKEN),
        };
        let end = body.checked_add(length).ok_or(BROKEN)?;
        let bytes = record.get(body..end).ok_or(BROKEN)?;
        body = end;
        values.push(match kind {
            0 => Value::Null,
            1..=6 => Value::Integer(integer(bytes)),
            7 => Value::Real(u64::from_be_bytes(bytes.try_into().map_err(|_| BROKEN)?)),
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            _ if kind % 2 == 0 => Value::Blob(bytes.into()),
            _ => Value::Text(bytes.into()),
        });
    }
    Ok(values)
}

/// A number with its sign in the first bit.
fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let start = if negative { -1_i64 } else { 0 };
    bytes.iter().fold(start, |number, byte| (number << 8) | i64::from(*byte))
}
