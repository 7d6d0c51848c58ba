//! What runs did: the runs on record, what each did to the merged state, and what waits for a person since.
//!
//! Apart from `replicas`, which is what the next merge starts from. All of it may be forgotten without losing a row.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use super::{Store, encode_rows};
use crate::database::codec::{Decoder, Encoder, Malformed};
use crate::database::undo::Touched;
use crate::database::value::Row;

/// For how many runs it is remembered what they did, so that they can be taken back.
const UNDO_RUNS: i64 = 1_000;

/// How a run over one database ended.
pub(crate) struct Outcome<'a> {
    /// Database name.
    pub(crate) database: &'a str,
    /// Whether rows of it changed.
    pub(crate) changed: bool,
    /// Whether it waits for a person.
    pub(crate) held: Held<'a>,
    /// Tables that were left alone, with the reason; `None` where nobody looked.
    pub(crate) paused: Option<&'a BTreeMap<String, String>>,
    /// Sides that were looked at: why one is quarantined, or nothing where one is well.
    pub(crate) looked: &'a BTreeMap<String, Option<String>>,
    /// What there was to say of it, beside rows and conflicts.
    pub(crate) said: Option<String>,
}

/// Whether a database waits for a person.
pub(crate) enum Held<'a> {
    /// It does, and why.
    Yes(&'a str),
    /// It does not.
    No,
    /// Nobody looked.
    Unknown,
}

/// A run on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PastRun {
    /// Its number.
    pub(crate) number: i64,
    /// When it began.
    pub(crate) at: String,
    /// What was asked for.
    pub(crate) kind: String,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: u64,
    /// The databases' part of its report, as JSON.
    pub(crate) report: String,
}

impl PastRun {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<PastRun> {
        Ok(PastRun {
            number: row.get(0)?,
            at: row.get(1)?,
            kind: row.get(2)?,
            duration_ms: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
            report: row.get(4)?,
        })
    }
}

/// On which side of a run another one is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nearest {
    /// The last before it.
    Before,
    /// The first after it.
    After,
}

impl Store {
    /// Keeps what a run did to the merged state, and forgets that of runs long ago.
    pub(crate) fn keep_touched(&self, run: i64, database: &str, tables: &[Touched]) -> rusqlite::Result<()> {
        let mut keep = self
            .connection
            .prepare_cached("INSERT INTO touched_parts (run, database, rows) VALUES (?1, ?2, ?3)")?;
        for table in tables {
            keep.execute(params![run, database, encode_touched(table)])?;
        }
        self.connection
            .prepare_cached("DELETE FROM touched_parts WHERE run < ?1")?
            .execute([run.saturating_sub(UNDO_RUNS)])
            .map(drop)
    }

    /// The last runs that did something to the merged state of a database, newest first.
    pub(crate) fn recent_runs(&self, database: &str, most: usize) -> rusqlite::Result<Vec<i64>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT run FROM touched_parts WHERE database = ?1 ORDER BY run DESC LIMIT ?2",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        statement.query_map(params![database, most], |row| row.get(0))?.collect()
    }

    /// The run next to another one that did something to the merged state of a database.
    pub(crate) fn nearest_touched(
        &self,
        run: i64,
        database: &str,
        which: Nearest,
    ) -> rusqlite::Result<Option<i64>> {
        let sql = match which {
            Nearest::Before => "SELECT max(run) FROM touched_parts WHERE database = ?1 AND run < ?2",
            Nearest::After => "SELECT min(run) FROM touched_parts WHERE database = ?1 AND run > ?2",
        };
        self.connection.prepare_cached(sql)?.query_row(params![database, run], |row| row.get(0))
    }

    /// What a run did to the merged state of a database; tables that cannot be read any more are left out.
    pub(crate) fn touched(&self, run: i64, database: &str) -> rusqlite::Result<Vec<Touched>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT rows FROM touched_parts WHERE run = ?1 AND database = ?2 ORDER BY id")?;
        let rows = statement.query_map(params![run, database], |row| row.get::<_, Vec<u8>>(0))?;
        let mut tables = Vec::new();
        for blob in rows {
            tables.extend(decode_touched(&blob?));
        }
        Ok(tables)
    }

    /// The number that the next run gets.
    pub(crate) fn next_run(&self) -> rusqlite::Result<i64> {
        self.connection
            .prepare_cached("SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'runs'")?
            .query_row([], |row| row.get(0))
    }

    /// Puts a run on record.
    pub(crate) fn begin_run(&self, number: i64, at: &str, kind: &str) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO runs (number, at, kind) VALUES (?1, ?2, ?3)")?
            .execute(params![number, at, kind])
            .map(drop)
    }

    /// Closes a run: what it did, or nothing at all when it did nothing worth keeping. Notes when each database
    /// was looked at, and whether it changed.
    pub(crate) fn end_run(
        &self,
        number: i64,
        at: &str,
        duration_ms: u64,
        report: Option<&str>,
        databases: &[Outcome<'_>],
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        match report {
            Some(report) => {
                let duration = i64::try_from(duration_ms).unwrap_or(i64::MAX);
                self.connection
                    .prepare_cached("UPDATE runs SET duration_ms = ?2, report = ?3 WHERE number = ?1")?
                    .execute(params![number, duration, report])?;
            }
            None => {
                self.connection.prepare_cached("DELETE FROM runs WHERE number = ?1")?.execute([number])?;
            }
        }
        let mut note = self.connection.prepare_cached(
            "INSERT INTO databases (database, last_run, last_change, said) VALUES (?1, ?2, iif(?3, ?2, NULL), ?4)
             ON CONFLICT (database) DO UPDATE SET last_run = ?2, last_change = iif(?3, ?2, last_change), said = ?4",
        )?;
        for outcome in databases {
            note.execute(params![outcome.database, at, outcome.changed, outcome.said])?;
            match outcome.held {
                Held::Yes(reason) => self.keep_notice(outcome.database, "", reason, at)?,
                Held::No => self.drop_notices(outcome.database, |table| table.is_empty())?,
                Held::Unknown => {}
            }
            if let Some(paused) = outcome.paused {
                self.drop_notices(outcome.database, |table| {
                    !table.is_empty() && !paused.contains_key(table)
                })?;
                for (table, reason) in paused {
                    self.keep_notice(outcome.database, table, reason, at)?;
                }
            }
            for (side, reason) in outcome.looked {
                self.note_quarantine(outcome.database, side, reason.as_deref(), at)?;
            }
        }
        drop(note);
        transaction.commit()
    }

    fn keep_notice(&self, database: &str, table: &str, reason: &str, at: &str) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO notices VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (database, \"table\") DO UPDATE SET reason = ?3",
            )?
            .execute([database, table, reason, at])
            .map(drop)
    }

    /// Remembers since when a side is quarantined, or forgets it where the side is well.
    fn note_quarantine(
        &self,
        database: &str,
        side: &str,
        reason: Option<&str>,
        at: &str,
    ) -> rusqlite::Result<()> {
        if reason.is_some() {
            // Its pages prove nothing until all of it was found to be well.
            self.set_compared(database, side, None)?;
        }
        match reason {
            Some(reason) => self
                .connection
                .prepare_cached(
                    "INSERT INTO quarantines VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (database, side) DO UPDATE SET reason = ?3",
                )?
                .execute([database, side, reason, at]),
            None => self
                .connection
                .prepare_cached("DELETE FROM quarantines WHERE database = ?1 AND side = ?2")?
                .execute([database, side]),
        }
        .map(drop)
    }

    /// The sides of a database that are quarantined, with the reason and since when.
    pub(crate) fn quarantined(&self, database: &str) -> rusqlite::Result<Vec<(String, String, String)>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT side, reason, since FROM quarantines WHERE database = ?1")?;
        statement.query_map([database], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    }

    /// What the last run had to say of a database, beside rows and conflicts.
    pub(crate) fn said(&self, database: &str) -> rusqlite::Result<Option<String>> {
        self.connection
            .prepare_cached("SELECT said FROM databases WHERE database = ?1")?
            .query_row([database], |row| row.get(0))
            .optional()
            .map(Option::flatten)
    }

    fn drop_notices(&self, database: &str, which: impl Fn(&str) -> bool) -> rusqlite::Result<()> {
        for (table, ..) in self.notices(database)?.iter().filter(|(table, ..)| which(table)) {
            self.connection
                .prepare_cached("DELETE FROM notices WHERE database = ?1 AND \"table\" = ?2")?
                .execute([database, table])?;
        }
        Ok(())
    }

    /// What waits for a person: tables, the empty name for the whole database, with the reason and since when.
    pub(crate) fn notices(&self, database: &str) -> rusqlite::Result<Vec<(String, String, String)>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT \"table\", reason, since FROM notices WHERE database = ?1 ORDER BY 1")?;
        statement.query_map([database], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    }

    /// The runs on record, newest first.
    pub(crate) fn runs(&self) -> rusqlite::Result<Vec<PastRun>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, at, kind, coalesce(duration_ms, 0), coalesce(report, '{}') FROM runs ORDER BY number DESC",
        )?;
        statement.query_map([], PastRun::read)?.collect()
    }

    /// One run on record.
    pub(crate) fn past_run(&self, number: i64) -> rusqlite::Result<Option<PastRun>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, at, kind, coalesce(duration_ms, 0), coalesce(report, '{}') FROM runs WHERE number = ?1",
        )?;
        statement.query_row([number], PastRun::read).optional()
    }

    /// When a database was last looked at, and last changed.
    pub(crate) fn last(&self, database: &str) -> rusqlite::Result<(Option<String>, Option<String>)> {
        self.connection
            .prepare_cached("SELECT last_run, last_change FROM databases WHERE database = ?1")?
            .query_row([database], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map(Option::unwrap_or_default)
    }
}

pub(crate) fn encode_touched(touched: &Touched) -> Vec<u8> {
    let mut encoder = encode_rows(&touched.columns);
    encoder.text(&touched.table).integer(touched.contents).list(
        touched.rows.iter(),
        |encoder, (before, after)| {
            let known = before.as_deref().unwrap_or_default();
            let put = |encoder: &mut Encoder<'_>, row: &Row| {
                encoder.row(row);
            };
            encoder.option(before.as_ref(), put).option(after.as_ref(), |encoder, row| {
                encoder.row_after(known, row);
            });
        },
    );
    encoder.finish()
}

pub(crate) fn decode_touched(blob: &[u8]) -> std::result::Result<Touched, Malformed> {
    let mut decoder = Decoder::new(blob)?;
    Ok(Touched {
        columns: decoder.list(Decoder::text)?,
        table: decoder.text()?,
        contents: decoder.integer()?,
        rows: decoder.list(|decoder| {
            let before = decoder.option(Decoder::row)?;
            let known = before.as_deref().unwrap_or_default();
            let after = decoder.option(|decoder| decoder.row_after(known))?;
            Ok((before, after))
        })?,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_run_of_any_number_is_kept() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let store = Store::in_memory(Path::new("."))?;
        for run in [i64::MIN, 0, i64::MAX] {
            store.note_bounces("d", "bot", run, &[])?;
            store.keep_touched(run, "d", &[Touched { contents: 1, ..Touched::default() }])?;
            assert_eq!(store.recent_runs("d", 1)?, [run]);
        }
        Ok(())
    }
}
