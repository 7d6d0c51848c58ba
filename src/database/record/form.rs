//! An intent as it lies on disk: fields in order, later ones added at the end, so that what an older version wrote is read.
//!
//! Apart from `record`, which says what an intent means. What is read may be damaged, and is refused as a whole then.

use super::{Intent, Statement, TableWrites};
use crate::database::codec::{Decoder, Encoder, Malformed, Pour};
use crate::database::log::Position;
use crate::database::store::{self, Bounce, FoundConflict, Overlay, StoredConflict};

/// Gives an intent away in parts.
pub(in crate::database) fn encode(intent: &Intent, pour: Pour<'_>) {
    let mut encoder = Encoder::pouring(pour);
    let text = |encoder: &mut Encoder<'_>, text: &String| {
        encoder.text(text);
    };
    let tables = |encoder: &mut Encoder<'_>, table: &TableWrites| {
        let number = |encoder: &mut Encoder<'_>, number: &usize| {
            encoder.count(*number);
        };
        encoder.text(&table.table).list(table.columns.iter(), text).list(table.summed.iter(), number).list(
            table.writes.iter(),
            |encoder, write| {
                encoder.write(write);
            },
        );
    };
    let overlay = |encoder: &mut Encoder<'_>, overlay: &Overlay| {
        encoder.text(&overlay.table).bytes(&store::encode_overlay(overlay));
    };
    let statement = |encoder: &mut Encoder<'_>, statement: &Statement| {
        encoder.text(&statement.table).text(&statement.sql);
    };
    encoder
        .text(&intent.database)
        .text(&intent.side)
        .text(&intent.base)
        .integer(intent.old_epoch)
        .integer(intent.new_epoch)
        .list(intent.base_statements.iter(), text)
        .list(intent.observed.iter(), tables)
        .integer(i64::from(intent.fresh))
        .list(intent.statements.iter(), statement)
        .list(intent.raised.iter(), |encoder, (table, last)| {
            encoder.text(table).integer(*last);
        })
        .list(intent.writes.iter(), tables)
        .list(intent.tables.iter(), text)
        .list(intent.overlay.iter(), overlay)
        .list(intent.overlay_unwritten.iter(), overlay)
        .list(intent.merged_overlay.iter(), overlay)
        .list(intent.conflicts.iter(), |encoder, conflict| {
            let conflict = conflict.spelled();
            for part in [
                &conflict.database,
                &conflict.table,
                &conflict.kind,
                &conflict.winner,
                &conflict.reason,
                &conflict.status,
                &conflict.run,
                &conflict.at,
            ] {
                encoder.text(part);
            }
            encoder.bytes(&store::encode_conflict_rows(&conflict.rows));
        })
        .list(intent.sides.iter(), text)
        .integer(intent.run)
        .list(intent.bounces.iter(), |encoder, cell| {
            encoder.text(&cell.table).bytes(&cell.key).text(&cell.column).bytes(&cell.before);
        })
        .list(intent.bouncing.iter(), |encoder, (table, key, column)| {
            encoder.text(table).bytes(key).text(column);
        })
        .list(intent.touched.iter(), |encoder, touched| {
            encoder.bytes(&store::encode_touched(touched));
        })
        .option(intent.counter, |encoder, counter| {
            encoder.integer(i64::from(counter));
        })
        .list(intent.mirrors.iter(), statement)
        .list(intent.companions.iter(), statement)
        .option(intent.remembered.as_ref(), |encoder, titles| {
            encoder.list(titles.iter(), text);
        })
        .option(intent.resolved, |encoder, number| {
            encoder.integer(number);
        })
        .option(intent.log, |encoder, log| {
            encoder.bytes(&log.salts).integer(i64::from(log.frames));
        })
        .list(intent.bounces.iter(), |encoder, cell| {
            encoder.integer(cell.times);
        });
    encoder.finish();
}

/// Reads what [`encode`] wrote, whichever version of it did.
pub(in crate::database) fn decode(blob: &[u8]) -> std::result::Result<Intent, Malformed> {
    let mut decoder = Decoder::new(blob)?;
    let tables = |decoder: &mut Decoder<'_>| {
        Ok(TableWrites {
            table: decoder.text()?,
            columns: decoder.list(Decoder::text)?,
            summed: decoder.list(|decoder| usize::try_from(decoder.integer()?).map_err(|_| Malformed))?,
            writes: decoder.list(Decoder::write)?,
        })
    };
    let overlay = |decoder: &mut Decoder<'_>| {
        let table = decoder.text()?;
        store::decode_overlay(table, decoder.bytes()?)
    };
    let statement =
        |decoder: &mut Decoder<'_>| Ok(Statement { table: decoder.text()?, sql: decoder.text()? });
    let mut intent = Intent {
        database: decoder.text()?,
        side: decoder.text()?,
        base: decoder.text()?,
        old_epoch: decoder.integer()?,
        new_epoch: decoder.integer()?,
        base_statements: decoder.list(Decoder::text)?,
        observed: decoder.list(tables)?,
        fresh: decoder.integer()? != 0,
        statements: decoder.list(statement)?,
        raised: decoder.list(|decoder| Ok((decoder.text()?, decoder.integer()?)))?,
        writes: decoder.list(tables)?,
        tables: decoder.list(Decoder::text)?,
        overlay: decoder.list(overlay)?,
        overlay_unwritten: decoder.list(overlay)?,
        merged_overlay: decoder.list(overlay)?,
        conflicts: decoder.list(|decoder| {
            Ok(FoundConflict::from(StoredConflict {
                number: 0,
                database: decoder.text()?.into(),
                table: decoder.text()?.into(),
                kind: decoder.text()?.into(),
                winner: decoder.text()?.into(),
                reason: decoder.text()?.into(),
                status: decoder.text()?.into(),
                run: decoder.text()?.into(),
                at: decoder.text()?.into(),
                rows: store::decode_conflict_rows(decoder.bytes()?)?,
            }))
        })?,
        sides: decoder.list(Decoder::text)?,
        run: decoder.integer()?,
        bounces: decoder.list(|decoder| {
            Ok(Bounce {
                table: decoder.text()?,
                key: decoder.bytes()?.to_vec(),
                column: decoder.text()?,
                before: decoder.bytes()?.to_vec(),
                times: 0,
            })
        })?,
        bouncing: decoder
            .list(|decoder| Ok((decoder.text()?, decoder.bytes()?.to_vec(), decoder.text()?)))?,
        touched: decoder.list(|decoder| store::decode_touched(decoder.bytes()?))?,
        counter: decoder.option(|decoder| u32::try_from(decoder.integer()?).map_err(|_| Malformed))?,
        ..Intent::default()
    };
    // The first intents ended here.
    if !decoder.is_at_end() {
        intent.mirrors = decoder.list(statement)?;
        intent.companions = decoder.list(statement)?;
        intent.remembered = decoder.option(|decoder| decoder.list(Decoder::text))?;
    }
    // The second ones here.
    if !decoder.is_at_end() {
        intent.resolved = decoder.option(Decoder::integer)?;
        intent.log = decoder.option(|decoder| {
            let salts = decoder.bytes()?.try_into().map_err(|_| Malformed)?;
            let frames = u32::try_from(decoder.integer()?).map_err(|_| Malformed)?;
            Ok(Position { salts, frames })
        })?;
        let times = decoder.list(Decoder::integer)?;
        intent.bounces.iter_mut().zip(times).for_each(|(cell, times)| cell.times = times);
    }
    Ok(intent)
}

#[cfg(test)]
mod tests {
    use super::super::tests::intent;
    use super::*;

    #[test]
    fn intents_that_end_earlier_are_read() -> std::result::Result<(), Malformed> {
        let new =
            Intent { remembered: Some(vec!["view v".into()]), resolved: Some(7), log: None, ..intent(0) };
        let mut blob = Vec::new();
        encode(&new, &mut |part| blob.extend_from_slice(part));
        assert_eq!(decode(&blob)?, new);
        // A number of a conflict takes nine bytes, no log one, and no cells eight.
        let second = blob.get(..blob.len() - 18).unwrap_or_default();
        assert_eq!(decode(second)?, Intent { resolved: None, ..new });
        Ok(())
    }
}
