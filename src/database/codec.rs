//! Bytes of what the state database keeps: rows, slots, writes.
//!
//! Apart from `value`, so that the format is in one place. Every blob opens with [`VERSION`]; newer ones are
//! refused. Lengths are little-endian. What is read may have been damaged: it never panics, it says so.

use super::model::{Slot, Write};
use super::value::{Row, Value};

/// The format written here.
pub(crate) const VERSION: u8 = 1;

/// A blob of the state database is not what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

type Result<T> = std::result::Result<T, Malformed>;

/// Writes.
#[derive(Debug)]
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    /// Starts a blob.
    pub(crate) fn new() -> Encoder {
        Encoder(vec![VERSION])
    }

    /// The blob.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    /// A count or length.
    pub(crate) fn count(&mut self, count: usize) -> &mut Self {
        self.integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// An integer.
    pub(crate) fn integer(&mut self, value: i64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Bytes with their length.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Text.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Something or nothing.
    pub(crate) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) -> &mut Self {
        self.0.push(u8::from(value.is_some()));
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
            Value::Null => self.0.push(0),
            Value::Integer(i) => {
                self.0.push(1);
                self.integer(*i);
            }
            Value::Real(bits) => {
                self.0.push(2);
                self.0.extend_from_slice(&bits.to_le_bytes());
            }
            Value::Text(text) => {
                self.0.push(3);
                self.bytes(text);
            }
            Value::Blob(blob) => {
                self.0.push(4);
                self.bytes(blob);
            }
            Value::Held => self.0.push(5),
        }
        self
    }

    /// One row.
    pub(crate) fn row(&mut self, row: &Row) -> &mut Self {
        self.list(row.iter(), |encoder, value| {
            encoder.value(value);
        })
    }

    fn placed(&mut self, placed: Option<&(Slot, Row)>) {
        self.option(placed, |encoder, (slot, row)| {
            match slot {
                Slot::Rowid(id) => {
                    encoder.0.push(0);
                    encoder.integer(*id);
                }
                Slot::Key(values) => {
                    encoder.0.push(1);
                    encoder.list(values.iter(), |encoder, value| {
                        encoder.value(value);
                    });
                }
            }
            encoder.row(row);
        });
    }

    /// One write.
    pub(crate) fn write(&mut self, write: &Write) -> &mut Self {
        self.placed(write.old.as_ref());
        self.placed(write.new.as_ref());
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
        if decoder.byte()? == VERSION { Ok(decoder) } else { Err(Malformed) }
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
        Ok(self.list(Self::value)?.into())
    }

    fn placed(&mut self) -> Result<Option<(Slot, Row)>> {
        self.option(|decoder| {
            let slot = match decoder.byte()? {
                0 => Slot::Rowid(decoder.integer()?),
                1 => Slot::Key(decoder.list(Self::value)?),
                _ => return Err(Malformed),
            };
            Ok((slot, decoder.row()?))
        })
    }

    /// One write.
    pub(crate) fn write(&mut self) -> Result<Write> {
        Ok(Write { old: self.placed()?, new: self.placed()? })
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
}
