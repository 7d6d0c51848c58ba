//! The conflicts on record: rows whole, so that a loser can be taken back at any time.
//!
//! Apart from the rest of the state, because a conflict stays for ever. It stores and finds; what is a conflict, and who
//! won, is decided elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use super::{Store, encode_rows};
use crate::database::codec::{Decoder, Encoder, Malformed};
use crate::database::value::Row;

/// The status of a conflict that is settled.
pub(crate) const RESOLVED: &str = "resolved";

/// The kind of a conflict about a row of which nobody can tell whether a run wrote it.
pub(crate) const UNCERTAIN: &str = "uncertain";

/// What stands for the merged state where sides are named; no side can be called so.
pub(crate) const MERGED: &str = "merged";

/// A conflict as it is kept: rows whole, so that a loser can be taken back at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredConflict {
    /// Its number; 0 before it is stored.
    pub(crate) number: i64,
    /// Database name.
    pub(crate) database: Arc<str>,
    /// Table name.
    pub(crate) table: Arc<str>,
    /// Kind name.
    pub(crate) kind: Arc<str>,
    /// Winner: a side, `merged` or `none`.
    pub(crate) winner: Arc<str>,
    /// Why.
    pub(crate) reason: Arc<str>,
    /// `open`, `held`, `acknowledged`, `resolved`.
    pub(crate) status: Arc<str>,
    /// The run that found it.
    pub(crate) run: Arc<str>,
    /// When.
    pub(crate) at: Arc<str>,
    /// The rows.
    pub(crate) rows: ConflictRows,
}

/// A conflict that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undecided {
    pub(crate) number: i64,
    pub(crate) database: String,
    /// When it was found.
    pub(crate) at: String,
}

impl StoredConflict {
    /// Whether a side had a row.
    pub(crate) fn has_row_on(&self, side: &str) -> bool {
        self.rows.values.iter().any(|(name, row)| **name == *side && row.is_some())
    }
}

/// The rows of a conflict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConflictRows {
    /// All column names.
    pub(crate) columns: Arc<[String]>,
    /// Names of the columns that identify the row.
    pub(crate) key: Arc<[String]>,
    /// Names of the columns that clash; empty means the whole row.
    pub(crate) clashing: Arc<[String]>,
    /// The row that identifies, in the merged state.
    pub(crate) identity: Option<Row>,
    /// The ancestor.
    pub(crate) base: Option<Row>,
    /// Every side's row.
    pub(crate) values: Vec<(Arc<str>, Option<Row>)>,
    /// What it became.
    pub(crate) merged: Option<Row>,
    /// Whether both rows could be kept, one under a new id.
    pub(crate) both: bool,
}

/// A conflict of a plan. There may be many in one, so what they say alike is there once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundConflict {
    /// All but the rows; it names the sides in their order.
    pub(crate) alike: Arc<StoredConflict>,
    /// The row that identifies, in the merged state.
    pub(crate) identity: Option<Row>,
    /// The ancestor.
    pub(crate) base: Option<Row>,
    /// Every side's row.
    pub(crate) values: Box<[Option<Row>]>,
    /// What it became.
    pub(crate) merged: Option<Row>,
}

impl FoundConflict {
    /// Spelled out.
    pub(crate) fn spelled(&self) -> StoredConflict {
        let mut conflict = (*self.alike).clone();
        let rows = &mut conflict.rows;
        rows.identity.clone_from(&self.identity);
        rows.base.clone_from(&self.base);
        rows.merged.clone_from(&self.merged);
        rows.values.iter_mut().zip(&self.values).for_each(|((_, value), row)| value.clone_from(row));
        conflict
    }
}

impl From<StoredConflict> for FoundConflict {
    fn from(mut conflict: StoredConflict) -> FoundConflict {
        let rows = &mut conflict.rows;
        let (identity, base, merged) = (rows.identity.take(), rows.base.take(), rows.merged.take());
        let values = rows.values.iter_mut().map(|(_, row)| row.take()).collect();
        FoundConflict { alike: Arc::new(conflict), identity, base, values, merged }
    }
}

impl Store {
    /// Stores a conflict. One that still waits is only brought up to date: its row may have changed where it does
    /// not clash. Returns whether it is new.
    pub(crate) fn add_conflict(&self, conflict: &StoredConflict) -> rusqlite::Result<bool> {
        let rows = encode_conflict_rows(&conflict.rows);
        let fingerprint = fingerprint_of(conflict);
        let known = self
            .connection
            .prepare_cached(
                "UPDATE conflicts SET rows = ?4
                 WHERE database = ?1 AND fingerprint = ?2 AND run <> ?3 AND waits AND status <> 'resolved'",
            )?
            .execute(params![conflict.database, fingerprint, conflict.run, rows])?;
        if known > 0 {
            return Ok(false);
        }
        self.connection
            .prepare_cached(
                "INSERT INTO conflicts
                 (database, \"table\", kind, fingerprint, winner, reason, status, run, at, rows, waits)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?7 = 'held')",
            )?
            .execute(params![
                conflict.database,
                conflict.table,
                conflict.kind,
                fingerprint,
                conflict.winner,
                conflict.reason,
                conflict.status,
                conflict.run,
                conflict.at,
                rows
            ])?;
        Ok(true)
    }

    /// Whether a conflict is on record already and still waits, so that finding it again is nothing new.
    pub(crate) fn waits_already(&self, conflict: &StoredConflict) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM conflicts
                 WHERE database = ?1 AND fingerprint = ?2 AND run <> ?3 AND waits AND status <> 'resolved')",
            )?
            .query_row(params![conflict.database, fingerprint_of(conflict), conflict.run], |row| row.get(0))
    }

    /// Closes held conflicts of some tables that this run no longer found, where all sides they are about were there.
    pub(crate) fn close_held(
        &self,
        database: &str,
        tables: &[String],
        sides: &[String],
        still: &[FoundConflict],
    ) -> rusqlite::Result<()> {
        let mut held = self.connection.prepare_cached(
            "SELECT number, fingerprint, \"table\", rows FROM conflicts
             WHERE database = ?1 AND waits AND status <> 'resolved'",
        )?;
        let rows: Vec<(i64, String, String, Vec<u8>)> = held
            .query_map([database], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
            .collect::<rusqlite::Result<_>>()?;
        if rows.is_empty() {
            return Ok(());
        }
        let still: BTreeSet<String> = still.iter().map(|found| fingerprint_of(&found.spelled())).collect();
        for (number, fingerprint, table, rows) in rows {
            let about = decode_conflict_rows(&rows).unwrap_or_default().values;
            let there = about
                .iter()
                .filter(|(_, row)| row.is_some())
                .all(|(side, _)| sides.iter().any(|own| **own == **side));
            if there
                && !still.contains(&fingerprint)
                && tables.iter().any(|name| name.eq_ignore_ascii_case(&table))
            {
                self.set_status(number, RESOLVED)?;
            }
        }
        Ok(())
    }

    /// One conflict.
    pub(crate) fn conflict(&self, number: i64) -> rusqlite::Result<Option<StoredConflict>> {
        self.connection
            .prepare_cached(
                "SELECT number, database, \"table\", kind, winner, reason, status, run, at, rows FROM conflicts
                 WHERE number = ?1",
            )?
            .query_row([number], whole)
            .optional()
    }

    /// The numbers of those that fit, oldest first: `fits` is asked with database and status. No row of any is read.
    pub(crate) fn conflicts_that(
        &self,
        fits: impl Fn(&str, &str) -> bool,
        only: Option<&BTreeSet<i64>>,
    ) -> rusqlite::Result<Vec<i64>> {
        let mut numbers = Vec::new();
        let mut note = |row: &rusqlite::Row<'_>| -> rusqlite::Result<()> {
            let (database, status) = (row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
            if fits(database, status) {
                numbers.push(row.get(0)?);
            }
            Ok(())
        };
        match only {
            None => {
                let mut all = self
                    .connection
                    .prepare_cached("SELECT number, database, status FROM conflicts ORDER BY number")?;
                let mut rows = all.query([])?;
                while let Some(row) = rows.next()? {
                    note(row)?;
                }
            }
            Some(only) => {
                let mut one = self
                    .connection
                    .prepare_cached("SELECT number, database, status FROM conflicts WHERE number = ?1")?;
                for number in only {
                    let mut rows = one.query([number])?;
                    while let Some(row) = rows.next()? {
                        note(row)?;
                    }
                }
            }
        }
        Ok(numbers)
    }

    /// How many conflicts of a database wait for a person.
    pub(crate) fn open_conflicts(&self, database: &str) -> rusqlite::Result<usize> {
        self.connection
            .prepare_cached(
                "SELECT count(*) FROM conflicts WHERE database = ?1 AND status IN ('open', 'held')",
            )?
            .query_row([database], |row| row.get::<_, i64>(0))
            .map(|count| usize::try_from(count).unwrap_or(0))
    }

    /// Whether a conflict is settled.
    pub(crate) fn is_resolved(&self, number: i64) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM conflicts WHERE number = ?1 AND status = ?2)")?
            .query_row(params![number, RESOLVED], |row| row.get(0))
    }

    /// Changes the status of a conflict.
    pub(crate) fn set_status(&self, number: i64, status: &str) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE conflicts SET status = ?2 WHERE number = ?1")?
            .execute(params![number, status])?;
        Ok(())
    }

    /// Where conflicts wait for a person: databases, and when they were found.
    pub(crate) fn waiting(&self) -> rusqlite::Result<Vec<(String, String)>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT DISTINCT database, at FROM conflicts WHERE status IN ('open', 'held')")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// The conflicts that wait for a person, oldest first. No row of any is read.
    pub(crate) fn undecided(&self) -> rusqlite::Result<Vec<Undecided>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, database, at FROM conflicts WHERE status IN ('open', 'held') ORDER BY number",
        )?;
        let one = |row: &rusqlite::Row<'_>| {
            Ok(Undecided { number: row.get(0)?, database: row.get(1)?, at: row.get(2)? })
        };
        statement.query_map([], one)?.collect()
    }
}

/// A conflict as it is stored.
fn whole(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredConflict> {
    let blob: Vec<u8> = row.get(9)?;
    Ok(StoredConflict {
        number: row.get(0)?,
        database: row.get(1)?,
        table: row.get(2)?,
        kind: row.get(3)?,
        winner: row.get(4)?,
        reason: row.get(5)?,
        status: row.get(6)?,
        run: row.get(7)?,
        at: row.get(8)?,
        rows: decode_conflict_rows(&blob).unwrap_or_default(),
    })
}

pub(crate) fn encode_conflict_rows(rows: &ConflictRows) -> Vec<u8> {
    let mut encoder = encode_rows(&rows.columns);
    let text = |encoder: &mut Encoder<'_>, text: &String| {
        encoder.text(text);
    };
    let row = |encoder: &mut Encoder<'_>, row: &Row| {
        encoder.row(row);
    };
    encoder
        .list(rows.key.iter(), text)
        .list(rows.clashing.iter(), text)
        .option(rows.identity.as_ref(), row)
        .option(rows.base.as_ref(), row)
        .list(rows.values.iter(), |encoder, (side, value)| {
            encoder.text(side).option(value.as_ref(), row);
        })
        .option(rows.merged.as_ref(), row);
    // Left out where it is not so: conflicts are named by what they say, and the first ones ended here.
    if rows.both {
        encoder.integer(1);
    }
    encoder.finish()
}

pub(crate) fn decode_conflict_rows(blob: &[u8]) -> std::result::Result<ConflictRows, Malformed> {
    let mut decoder = Decoder::new(blob)?;
    Ok(ConflictRows {
        columns: decoder.list(Decoder::text)?.into(),
        key: decoder.list(Decoder::text)?.into(),
        clashing: decoder.list(Decoder::text)?.into(),
        identity: decoder.option(Decoder::row)?,
        base: decoder.option(Decoder::row)?,
        values: decoder.list(|decoder| Ok((decoder.text()?.into(), decoder.option(Decoder::row)?)))?,
        merged: decoder.option(Decoder::row)?,
        both: !decoder.is_at_end() && decoder.integer()? != 0,
    })
}

/// Names a conflict by the row and the columns that clash, so that a held one is not reported again each minute, nor
/// when its values change or a side is away.
fn fingerprint_of(conflict: &StoredConflict) -> String {
    use sha2::{Digest, Sha256};
    let rows = &conflict.rows;
    let key = |row: &Option<Row>| -> Option<Row> {
        let named = |name: &String| rows.key.is_empty() || rows.key.contains(name);
        let cells = row.as_ref()?.iter().zip(rows.columns.iter()).filter(|(_, name)| named(name));
        Some(cells.map(|(cell, _)| cell.clone()).collect())
    };
    let named = ConflictRows {
        key: rows.key.clone(),
        clashing: rows.clashing.clone(),
        identity: key(&rows.identity),
        ..ConflictRows::default()
    };
    let rows = encode_conflict_rows(&named);
    let mut hash = Sha256::new();
    for part in [conflict.table.as_bytes(), conflict.kind.as_bytes(), &rows] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::value::Value;

    #[test]
    fn what_is_found_is_spelled_as_it_was() {
        let row = |number| Some(Row::from([Value::Integer(number)]));
        let rows = ConflictRows {
            columns: ["a".to_owned()].into(),
            key: ["a".to_owned()].into(),
            clashing: [].into(),
            identity: row(1),
            base: row(2),
            values: vec![("bot".into(), row(3)), ("central".into(), None), ("web".into(), row(4))],
            merged: row(5),
            both: true,
        };
        assert_eq!(decode_conflict_rows(&encode_conflict_rows(&rows)), Ok(rows.clone()));
        let plain = ConflictRows { both: false, ..rows.clone() };
        assert_eq!(decode_conflict_rows(&encode_conflict_rows(&plain)), Ok(plain));
        let word = || "word".into();
        let conflict = StoredConflict {
            number: 0,
            database: "d".into(),
            table: "t".into(),
            kind: word(),
            winner: word(),
            reason: word(),
            status: word(),
            run: word(),
            at: word(),
            rows,
        };
        assert_eq!(FoundConflict::from(conflict.clone()).spelled(), conflict);
    }
}
