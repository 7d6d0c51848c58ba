//! Bytes of what the state database keeps: rows, slots, writes.
//!
//! Apart from `value`, so that the format is in one place. Every blob opens with [`VERSION`]; newer ones are
//! refused. Lengths are little-endian. What is read may have been damaged: it never panics, it says so. What is
//! written may be larger than a blob or the memory can be, so it can be poured out in parts on the way.

use super::model::{Slot, Write};
use super::value::{Row, Value};

/// The format written here. Version 1 had no [`SAME`].
pub(crate) const VERSION: u8 = 2;
/// Stands for a cell of a new row that is what it was in the old one: a large cell is not written twice.
const SAME: u8 = 6;
/// How much is gathered before it is poured out. SQLite takes blobs of up to 1 GB, and copies each several times.
const PART: usize = 1 << 20;

/// A blob of the state database is not what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

type Result<T> = std::result::Result<T, Malformed>;

/// Takes a part of what is written.
pub(crate) type Pour<'a> = &'a mut dyn FnMut(&[u8]);

/// Writes.
pub(crate) struct Encoder<'a> {
    bytes: Vec<u8>,
    pour: Option<Pour<'a>>,
}

impl<'a> Encoder<'a> {
    /// Starts a blob.
    pub(crate) fn new() -> Encoder<'a> {
        Encoder { bytes: vec![VERSION], pour: None }
    }

    /// Starts a blob that is given away in parts, which are bounded and never empty.
    pub(crate) fn pouring(pour: Pour<'a>) -> Encoder<'a> {
        Encoder { bytes: vec![VERSION], pour: Some(pour) }
    }

    /// The blob, or what was not poured out yet.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.spill(1);
        self.bytes
    }

    /// Pours out what there is, if it is enough.
    fn spill(&mut self, enough: usize) {
        if let Some(pour) = &mut self.pour
            && self.bytes.len() >= enough
        {
            self.bytes.chunks(PART).for_each(pour);
            self.bytes = Vec::new();
        }
    }

    /// A count or length.
    pub(crate) fn count(&mut self, count: usize) -> &mut Self {
        self.integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// An integer.
    pub(crate) fn integer(&mut self, value: i64) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Bytes with their length.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.bytes.extend_from_slice(bytes);
        self.spill(PART);
        self
    }

    /// Text.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Something or nothing.
    pub(crate) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) -> &mut Self {
        self.bytes.push(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
        self
    }

    /// A list.
    pub(crate) fn list<T>(
        &mut self,
        values: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.count(values.len());
        for value in values {
            write(self, value);
        }
        self
    }

    /// One value.
    pub(crate) fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Null => self.bytes.push(0),
            Value::Integer(i) => {
                self.bytes.push(1);
                self.integer(*i);
            }
            Value::Real(bits) => {
                self.bytes.push(2);
                self.bytes.extend_from_slice(&bits.to_le_bytes());
            }
            Value::Text(text) => {
                self.bytes.push(3);
                self.bytes(text);
            }
            Value::Blob(blob) => {
                self.bytes.push(4);
                self.bytes(blob);
            }
            Value::Held => self.bytes.push(5),
        }
        self
    }

    /// One row.
    pub(crate) fn row(&mut self, row: &Row) -> &mut Self {
        self.row_after(&[], row)
    }

    /// One row that came of another.
    pub(crate) fn row_after(&mut self, before: &[Value], row: &Row) -> &mut Self {
        self.list(row.iter().enumerate(), |encoder, (column, value)| match value {
            Value::Text(_) | Value::Blob(_) if before.get(column) == Some(value) => encoder.bytes.push(SAME),
            _ => drop(encoder.value(value)),
        })
    }

    fn placed(&mut self, before: &[Value], placed: Option<&(Slot, Row)>) {
        self.option(placed, |encoder, (slot, row)| {
            match slot {
                Slot::Rowid(id) => {
                    encoder.bytes.push(0);
                    encoder.integer(*id);
                }
                Slot::Key(values) => {
                    encoder.bytes.push(1);
                    encoder.list(values.iter(), |encoder, value| {
                        encoder.value(value);
                    });
                }
            }
            encoder.row_after(before, row);
        });
    }

    /// One write.
    pub(crate) fn write(&mut self, write: &Write) -> &mut Self {
        let before = write.old.as_ref().map(|(_, row)| &**row).unwrap_or_default();
        self.placed(&[], write.old.as_ref());
        self.placed(before, write.new.as_ref());
        self
    }
}

/// Reads.
#[derive(Debug)]
pub(crate) struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    /// Opens a blob.
    pub(crate) fn new(blob: &'a [u8]) -> Result<Decoder<'a>> {
        let mut decoder = Decoder(blob);
        if (1..=VERSION).contains(&decoder.byte()?) { Ok(decoder) } else { Err(Malformed) }
    }

    /// Whether everything has been read.
    pub(crate) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.0.split_first().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn eight(&mut self) -> Result<[u8; 8]> {
        self.take(8)?.try_into().map_err(|_| Malformed)
    }

    /// An integer.
    pub(crate) fn integer(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.eight()?))
    }

    /// A count; never more than there are bytes left, so that damage cannot ask for much memory.
    pub(crate) fn count(&mut self) -> Result<usize> {
        let count = usize::try_from(self.integer()?).map_err(|_| Malformed)?;
        if count <= self.0.len() { Ok(count) } else { Err(Malformed) }
    }

    /// Bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let count = self.count()?;
        self.take(count)
    }

    /// Text.
    pub(crate) fn text(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Malformed)
    }

    /// Something or nothing.
    pub(crate) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Malformed),
        }
    }

    /// A list.
    pub(crate) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        (0..self.count()?).map(|_| read(self)).collect()
    }

    /// One value.
    pub(crate) fn value(&mut self) -> Result<Value> {
        Ok(match self.byte()? {
            0 => Value::Null,
            1 => Value::Integer(self.integer()?),
            2 => Value::Real(u64::from_le_bytes(self.eight()?)),
            3 => Value::Text(self.bytes()?.into()),
            4 => Value::Blob(self.bytes()?.into()),
            5 => Value::Held,
            _ => return Err(Malformed),
        })
    }

    /// One row.
    pub(crate) fn row(&mut self) -> Result<Row> {
        self.row_after(&[])
    }

    /// One row that came of another.
    pub(crate) fn row_after(&mut self, before: &[Value]) -> Result<Row> {
        let cell = |decoder: &mut Self, column: usize| match decoder.0.first() {
            Some(&SAME) => {
                decoder.byte()?;
                before.get(column).cloned().ok_or(Malformed)
            }
            _ => decoder.value(),
        };
        (0..self.count()?).map(|column| cell(self, column)).collect()
    }

    fn placed(&mut self, before: &[Value]) -> Result<Option<(Slot, Row)>> {
        self.option(|decoder| {
            let slot = match decoder.byte()? {
                0 => Slot::Rowid(decoder.integer()?),
                1 => Slot::Key(decoder.list(Self::value)?),
                _ => return Err(Malformed),
            };
            Ok((slot, decoder.row_after(before)?))
        })
    }

    /// One write.
    pub(crate) fn write(&mut self) -> Result<Write> {
        let old = self.placed(&[])?;
        let before = old.as_ref().map(|(_, row)| &**row).unwrap_or_default();
        let new = self.placed(before)?;
        Ok(Write { old, new })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let row: Row = [
            Value::Null,
            Value::Integer(i64::MIN),
            Value::Real(f64::INFINITY.to_bits()),
            Value::Text([0xff, 0, b'a'].as_slice().into()),
            Value::Blob([].as_slice().into()),
            Value::Held,
        ]
        .into();
        let write =
            Write { old: Some((Slot::Key(row.to_vec()), row.clone())), new: Some((Slot::Rowid(-1), row)) };
        let mut encoder = Encoder::new();
        encoder.write(&write).text("ä").option(None::<&str>, |e, t| {
            e.text(t);
        });
        let blob = encoder.finish();
        let read = |blob: &[u8]| -> Result<(Write, String, Option<String>)> {
            let mut decoder = Decoder::new(blob)?;
            Ok((decoder.write()?, decoder.text()?, decoder.option(Decoder::text)?))
        };
        assert_eq!(read(&blob), Ok((write, "ä".into(), None)));
        for end in 0..blob.len() {
            assert_eq!(read(&blob[..end]).err(), Some(Malformed), "cut at {end}");
        }
        for (index, _) in blob.iter().enumerate() {
            let mut damaged = blob.clone();
            damaged[index] ^= 0xff;
            let _ = read(&damaged);
        }
    }

    #[test]
    fn what_is_poured_out_is_the_same() {
        let row: Row = [Value::Integer(1), Value::Blob(vec![7; PART * 2 + 1].into())].into();
        let write = Write { old: Some((Slot::Rowid(1), row.clone())), new: Some((Slot::Rowid(2), row)) };
        let mut whole = Encoder::new();
        whole.write(&write).integer(1);
        let mut parts: Vec<Vec<u8>> = Vec::new();
        let mut pour = |part: &[u8]| parts.push(part.to_vec());
        let mut encoder = Encoder::pouring(&mut pour);
        encoder.write(&write).integer(1);
        assert!(encoder.finish().is_empty());
        assert!(parts.len() > 2 && parts.iter().all(|part| (1..=PART).contains(&part.len())));
        assert_eq!(parts.concat(), whole.finish());
        assert!(parts.concat().len() < PART * 2 + 200, "an equal cell is written once");
        assert_eq!(Decoder::new(&parts.concat()).and_then(|mut decoder| decoder.write()), Ok(write));
    }
}
