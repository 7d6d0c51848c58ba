//! What is remembered of each replica: its base, how far it was merged, and where its ancestor is not what the base holds.
//!
//! Apart from the rest of the state, because all of it goes when a replica is adopted anew. What the entries mean is for
//! `record` and `plan` to know.

use std::collections::BTreeSet;

use rusqlite::{Error as Cause, params};

use super::{Store, encode_rows};
use crate::database::codec::{Decoder, Encoder, Malformed};
use crate::database::model::{Slot, Write};
use crate::database::value::Row;

/// Merges are counted from 0: what is as far out as this was never counted, but damaged.
const EPOCHS: u64 = 1 << 62;
/// More rows than this no database can hold: none has more bytes (sqlite.org/limits.html).
const ROWS: u64 = 1 << 48;

/// What is remembered of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplicaState {
    /// File name of its base below `bases/`.
    pub(crate) base: String,
    /// The merge it took part in last.
    pub(crate) epoch: i64,
    /// Its files when nothing was left to do, if that could be told.
    pub(crate) fingerprint: Option<String>,
    /// Its files when the last run was through with them, where nobody else had written. Too young to be trusted alone:
    /// what was written in the same moment may look the same.
    pub(crate) left_as: Option<String>,
    /// Its change counter when it was last looked at, and the device its directory lay on.
    pub(crate) seen: Option<Seen>,
    /// When all of its rows were last compared with its base, in unix seconds, and nothing was found that pages had not told.
    pub(crate) compared: Option<i64>,
}

/// What was seen of a file, to notice that it is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The change counter of its header.
    pub(crate) counter: u32,
    /// The device of its directory.
    pub(crate) device: u64,
    /// Which file it was.
    pub(crate) file: Option<String>,
}

/// Whether something adds to what is known, or is all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It adds.
    Before,
    /// It is all.
    Anew,
}

/// Where an ancestor differs from what the base holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OverlayEntry {
    /// A row with identity.
    Row {
        /// The ancestor.
        ancestor: Option<Row>,
        /// What the base holds instead.
        mirror: Option<(Slot, Row)>,
        /// The merged state.
        merged: Option<Row>,
        /// What a difference between the ids of ancestor and base means.
        ids: Ids,
    },
    /// A row without: by how many the base has more than the ancestor.
    Content {
        /// The row.
        row: Row,
        /// The difference.
        count: i64,
    },
}

/// What it means that a row has one id in the base and another in the ancestor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// The side changed it.
    Changed,
    /// The side knows the row under its own id until it is written.
    Translated,
}

/// One overlay entry with its table and the columns its rows are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Overlay {
    /// Table name.
    pub(crate) table: String,
    /// Column names of the rows.
    pub(crate) columns: Vec<String>,
    /// The entry.
    pub(crate) entry: OverlayEntry,
}

impl Store {
    /// What is remembered of a replica; nothing, where it cannot be what was stored.
    pub(crate) fn replica(&self, database: &str, side: &str) -> rusqlite::Result<Option<ReplicaState>> {
        self.connection
            .prepare_cached(
                "SELECT base, epoch, fingerprint, counter, device, left_as, file, compared
                 FROM replicas WHERE database = ?1 AND side = ?2",
            )?
            .query_row([database, side], |row| {
                let counter: Option<u32> = row.get(3)?;
                let device: Option<i64> = row.get(4)?;
                let file = row.get(6)?;
                let seen = counter.zip(device).map(|(counter, device)| Seen {
                    counter,
                    device: u64::from_ne_bytes(device.to_ne_bytes()),
                    file,
                });
                Ok(ReplicaState {
                    base: row.get(0)?,
                    epoch: row.get(1)?,
                    fingerprint: row.get(2)?,
                    left_as: row.get(5)?,
                    seen,
                    compared: row.get(7)?,
                })
            })
            .map(|state| Some(state).filter(|state| state.epoch.unsigned_abs() < EPOCHS))
            .or_else(|cause| match cause {
                Cause::QueryReturnedNoRows
                | Cause::IntegralValueOutOfRange(..)
                | Cause::InvalidColumnType(..)
                | Cause::FromSqlConversionFailure(..) => Ok(None),
                cause => Err(cause),
            })
    }

    /// Remembers which base a replica has and which merge it took part in; what was seen of its file stays.
    pub(crate) fn set_replica(
        &self,
        database: &str,
        side: &str,
        base: &str,
        epoch: i64,
    ) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO replicas (database, side, base, epoch) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (database, side) DO UPDATE SET base = ?3, epoch = ?4, fingerprint = NULL, left_as = NULL,
                     compared = CASE base WHEN ?3 THEN compared END",
            )?
            .execute(params![database, side, base, epoch])
            .map(drop)
    }

    /// Remembers what was seen of a replica's file.
    pub(crate) fn set_seen(&self, database: &str, side: &str, seen: Option<Seen>) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE replicas SET counter = ?3, device = ?4, file = ?5 WHERE database = ?1 AND side = ?2",
            )?
            .execute(params![
                database,
                side,
                seen.as_ref().map(|seen| seen.counter),
                seen.as_ref().map(|seen| i64::from_ne_bytes(seen.device.to_ne_bytes())),
                seen.and_then(|seen| seen.file)
            ])
            .map(drop)
    }

    /// Remembers what a replica's files were when a run was through with them.
    pub(crate) fn set_left(&self, database: &str, side: &str, left_as: Option<&str>) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE replicas SET left_as = ?3 WHERE database = ?1 AND side = ?2")?
            .execute(params![database, side, left_as])
            .map(drop)
    }

    /// Remembers when all rows of a replica were compared; nothing, where they are to be compared again.
    pub(crate) fn set_compared(&self, database: &str, side: &str, at: Option<i64>) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE replicas SET compared = ?3 WHERE database = ?1 AND side = ?2")?
            .execute(params![database, side, at])
            .map(drop)
    }

    /// Forgets all that is known of a replica: the next run adopts it.
    pub(crate) fn forget_replica(&self, database: &str, side: &str) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        for table in
            ["replicas", "overlay", "intents", "intent_parts", "merged_tables", "companions", "dropped"]
        {
            self.connection
                .prepare_cached(&format!("DELETE FROM {table} WHERE database = ?1 AND side = ?2"))?
                .execute([database, side])?;
        }
        transaction.commit()
    }

    /// Remembers a replica that was just made from another: it has no edits, and was merged as far as that one.
    pub(crate) fn set_new_replica(
        &self,
        database: &str,
        side: &str,
        base: &str,
        epoch: i64,
        from: &str,
    ) -> rusqlite::Result<()> {
        self.forget_replica(database, side)?;
        let transaction = self.connection.unchecked_transaction()?;
        self.set_replica(database, side, base, epoch)?;
        self.connection
            .prepare_cached(
                "INSERT INTO merged_tables (database, side, \"table\") SELECT database, ?2, \"table\" FROM merged_tables
                 WHERE database = ?1 AND side = ?3",
            )?
            .execute([database, side, from])?;
        self.connection
            .prepare_cached(
                "INSERT INTO companions SELECT database, ?2, title FROM companions WHERE database = ?1 AND side = ?3",
            )?
            .execute([database, side, from])?;
        transaction.commit()
    }

    /// The titles of what stood beside the tables of a replica when it was last merged.
    pub(crate) fn companions(&self, database: &str, side: &str) -> rusqlite::Result<BTreeSet<String>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT title FROM companions WHERE database = ?1 AND side = ?2")?;
        statement.query_map([database, side], |row| row.get(0))?.collect()
    }

    /// Remembers them anew.
    pub(crate) fn set_companions<'t>(
        &self,
        database: &str,
        side: &str,
        titles: impl Iterator<Item = &'t String>,
    ) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("DELETE FROM companions WHERE database = ?1 AND side = ?2")?
            .execute([database, side])?;
        let mut insert =
            self.connection.prepare_cached("INSERT OR IGNORE INTO companions VALUES (?1, ?2, ?3)")?;
        for title in titles {
            insert.execute([database, side, title])?;
        }
        Ok(())
    }

    /// The tables of a replica that have been merged, in lower case. Others have no ancestor, whatever the base holds.
    pub(crate) fn merged_tables(&self, database: &str, side: &str) -> rusqlite::Result<BTreeSet<String>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT lower(\"table\") FROM merged_tables WHERE database = ?1 AND side = ?2")?;
        statement.query_map([database, side], |row| row.get(0))?.collect()
    }

    /// Notes that tables of a replica were merged; with a new base they are the only ones that were.
    pub(crate) fn set_merged_tables(
        &self,
        database: &str,
        side: &str,
        tables: &[String],
        known: Known,
    ) -> rusqlite::Result<()> {
        if known == Known::Anew {
            self.connection
                .prepare_cached("DELETE FROM merged_tables WHERE database = ?1 AND side = ?2")?
                .execute([database, side])?;
        }
        let mut insert = self.connection.prepare_cached(
            "INSERT OR IGNORE INTO merged_tables (database, side, \"table\") VALUES (?1, ?2, ?3)",
        )?;
        for table in tables {
            insert.execute([database, side, table])?;
        }
        Ok(())
    }

    /// The tables of a replica that were left alone when it caught up with others, in lower case: its base lacks what it missed.
    pub(crate) fn tables_behind(&self, database: &str, side: &str) -> rusqlite::Result<BTreeSet<String>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT lower(\"table\") FROM merged_tables WHERE database = ?1 AND side = ?2 AND behind",
        )?;
        statement.query_map([database, side], |row| row.get(0))?.collect()
    }

    /// Notes that a replica has caught up in these tables, and in no other one where it `was_behind`.
    pub(crate) fn set_caught_up(
        &self,
        database: &str,
        side: &str,
        tables: &[String],
        was_behind: bool,
    ) -> rusqlite::Result<()> {
        if was_behind {
            // Also in tables that came while it was away.
            self.connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO merged_tables (database, side, \"table\")
                     SELECT database, ?2, \"table\" FROM merged_tables WHERE database = ?1 AND side <> ?2",
                )?
                .execute([database, side])?;
            self.connection
                .prepare_cached("UPDATE merged_tables SET behind = 1 WHERE database = ?1 AND side = ?2")?
                .execute([database, side])?;
        }
        let mut update = self.connection.prepare_cached(
            "UPDATE merged_tables SET behind = 0 WHERE database = ?1 AND side = ?2 AND \"table\" = ?3 AND behind",
        )?;
        for table in tables {
            update.execute([database, side, table])?;
        }
        Ok(())
    }

    /// A table is gone: one that is made anew under its name is no later state of it.
    pub(crate) fn forget_merged_table(
        &self,
        database: &str,
        side: &str,
        table: &str,
    ) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("DELETE FROM merged_tables WHERE database = ?1 AND side = ?2 AND \"table\" = ?3")?
            .execute([database, side, table])
            .map(drop)
    }

    /// A column is gone on a side while others have it.
    pub(crate) fn note_dropped(
        &self,
        database: &str,
        side: &str,
        table: &str,
        column: &str,
    ) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO dropped VALUES (?1, ?2, ?3, ?4)")?
            .execute([database, side, table, column])
            .map(drop)
    }

    /// The columns that were gone: table and column.
    pub(crate) fn dropped(&self, database: &str, side: &str) -> rusqlite::Result<Vec<(String, String)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT \"table\", \"column\" FROM dropped WHERE database = ?1 AND side = ?2 ORDER BY 1, 2",
        )?;
        statement.query_map([database, side], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// It is there again, with what it had.
    pub(crate) fn forget_dropped(
        &self,
        database: &str,
        side: &str,
        table: &str,
        column: &str,
    ) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "DELETE FROM dropped WHERE database = ?1 AND side = ?2 AND \"table\" = ?3 AND \"column\" = ?4",
            )?
            .execute([database, side, table, column])
            .map(drop)
    }

    /// Sets or clears the fingerprint alone.
    pub(crate) fn set_fingerprint(
        &self,
        database: &str,
        side: &str,
        fingerprint: Option<&str>,
    ) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE replicas SET fingerprint = ?3 WHERE database = ?1 AND side = ?2")?
            .execute(params![database, side, fingerprint])?;
        Ok(())
    }

    /// The overlay of a side; an empty name is the merged state itself.
    pub(crate) fn overlay(&self, database: &str, side: &str) -> rusqlite::Result<Vec<Overlay>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT \"table\", entry FROM overlay WHERE database = ?1 AND side = ?2 ORDER BY id",
        )?;
        let mut rows = statement.query([database, side])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            let table: String = row.get(0)?;
            let blob: Vec<u8> = row.get(1)?;
            entries.extend(decode_overlay(table, &blob));
        }
        Ok(entries)
    }

    /// Replaces the overlay of a side for some tables.
    pub(crate) fn set_overlay(
        &self,
        database: &str,
        side: &str,
        tables: &[String],
        entries: &[Overlay],
    ) -> rusqlite::Result<()> {
        let mut delete = self.connection.prepare_cached(
            "DELETE FROM overlay WHERE database = ?1 AND side = ?2 AND \"table\" = ?3 COLLATE NOCASE",
        )?;
        for table in tables {
            delete.execute([database, side, table])?;
        }
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO overlay (database, side, \"table\", entry) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for overlay in entries {
            insert.execute(params![database, side, overlay.table, encode_overlay(overlay)])?;
        }
        Ok(())
    }
}

pub(crate) fn encode_overlay(overlay: &Overlay) -> Vec<u8> {
    let mut encoder = encode_rows(&overlay.columns);
    let row = |encoder: &mut Encoder<'_>, row: &Row| {
        encoder.row(row);
    };
    match &overlay.entry {
        OverlayEntry::Row { ancestor, mirror, merged, ids } => {
            let mirror = Write { old: mirror.clone(), new: None };
            let kind = match ids {
                Ids::Changed => 0,
                Ids::Translated => 2,
            };
            encoder.integer(kind).option(ancestor.as_ref(), row).option(merged.as_ref(), row).write(&mirror);
        }
        OverlayEntry::Content { row, count } => {
            encoder.integer(1).row(row).integer(*count);
        }
    }
    encoder.finish()
}

pub(crate) fn decode_overlay(table: String, blob: &[u8]) -> std::result::Result<Overlay, Malformed> {
    let mut decoder = Decoder::new(blob)?;
    let columns = decoder.list(Decoder::text)?;
    let entry = match decoder.integer()? {
        kind @ (0 | 2) => {
            let ancestor = decoder.option(Decoder::row)?;
            let merged = decoder.option(Decoder::row)?;
            let ids = if kind == 2 { Ids::Translated } else { Ids::Changed };
            OverlayEntry::Row { ancestor, merged, mirror: decoder.write()?.old, ids }
        }
        1 => {
            let (row, count) = (decoder.row()?, decoder.integer()?);
            if count.unsigned_abs() > ROWS {
                return Err(Malformed);
            }
            OverlayEntry::Content { row, count }
        }
        _ => return Err(Malformed),
    };
    Ok(Overlay { table, columns, entry })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::database::value::Value;

    /// A damaged entry counts as absent, so that no sum has to reckon with it.
    #[test]
    fn what_was_never_counted_is_not_believed() -> Result<(), Box<dyn std::error::Error>> {
        let store = Store::in_memory(Path::new("."))?;
        for (epoch, known) in [(-1, true), (0, true), (1 << 40, true), (i64::MAX, false), (i64::MIN, false)] {
            store.set_replica("d", "bot", "base.db", epoch)?;
            assert_eq!(store.replica("d", "bot")?.is_some(), known, "{epoch}");
        }
        store.set_replica("d", "bot", "base.db", 1)?;
        for (counter, known) in [("NULL", true), ("7", true), ("-1", false), ("'seven'", false)] {
            store.connection.execute(&format!("UPDATE replicas SET counter = {counter}"), [])?;
            assert_eq!(store.replica("d", "bot")?.is_some(), known, "{counter}");
        }
        for (count, known) in [(-3, true), (1 << 48, true), (i64::MAX, false), (i64::MIN, false)] {
            let row = Row::from([Value::Integer(1)]);
            let entry = OverlayEntry::Content { row, count };
            let overlay = Overlay { table: "t".into(), columns: vec!["a".into()], entry };
            let read = decode_overlay("t".into(), &encode_overlay(&overlay));
            assert_eq!(read.ok(), known.then_some(overlay), "{count}");
        }
        Ok(())
    }
}
