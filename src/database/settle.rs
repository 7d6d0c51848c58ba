//! Finishing what a killed run has begun.
//!
//! First what is known without a look at any file (`finish`), since a hub that is lost is made anew from its base; then,
//! with the files open, what they can tell (`settle`). Apart from `record`, which says what the state must be, and from
//! `evidence`, which reads the files. Writes nothing but our own state.

use rusqlite::Connection;

use crate::clock;
use crate::report::DatabaseReport;

use super::evidence::{self, Evidence};
use super::model::{Identity, Slot};
use super::record::{self, Intent, Progress, Role, Written};
use super::run::{Job, Part, Seat, drop_side};
use super::schema::{self, Storage, Table};
use super::steps::Step;
use super::store::{ConflictRows, MERGED, StoredConflict, UNCERTAIN};
use super::value::{Row, Value};
use super::{Fault, base, shape, sql_error, state_error, write};

/// Records the sides of which it is known whether they were written. Returns the other intents, the hub's first.
pub(crate) fn finish(
    job: &Job<'_>,
    name: &str,
    mut intents: Vec<(Intent, Progress)>,
    report: &mut DatabaseReport,
) -> Result<Vec<(Intent, Progress)>, Fault> {
    let hub = &job.config.hub;
    intents.sort_by_key(|(intent, _)| intent.side != *hub);
    let mut left = Vec::new();
    for (intent, progress) in intents {
        // One that cannot be looked at may well be there.
        let base = job.store.base_path(&intent.base);
        if std::fs::metadata(&base).is_err_and(|cause| cause.kind() == std::io::ErrorKind::NotFound) {
            forget(job, name, &intent, report)?;
            continue;
        }
        match progress.written() {
            Some(written) => conclude(job, name, &intent, written, &[], report)?,
            None => left.push((intent, progress)),
        }
    }
    Ok(left)
}

/// Goes on without what was remembered of a side: it is adopted anew. What the run has decided stays on record.
fn forget(job: &Job<'_>, name: &str, intent: &Intent, report: &mut DatabaseReport) -> Result<(), Fault> {
    for conflict in &intent.conflicts {
        report.conflicts += usize::from(job.store.add_conflict(&conflict.spelled()).map_err(state_error)?);
    }
    job.store.forget_replica(name, &intent.side).map_err(state_error)?;
    let side = &intent.side;
    report.warnings.push(format!("an interrupted run cannot be finished for {side}: it is adopted anew"));
    Ok(())
}

fn conclude(
    job: &Job<'_>,
    name: &str,
    intent: &Intent,
    written: Written,
    doubts: &[StoredConflict],
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    let role = if intent.side == job.config.hub { Role::Hub } else { Role::Spoke };
    match record::record_with(job.store, intent, written, role, doubts) {
        Ok(new) => report.conflicts += new,
        Err(_) if base::is_unusable(job, &intent.base) => return forget(job, name, intent, report),
        Err(cause) => return Err(cause.into()),
    }
    job.steps.at(Step::Recorded, &intent.side);
    report.warnings.push(format!("an interrupted run was finished for {}", intent.side));
    Ok(())
}

/// Records the other sides by what their files say; sides whose part cannot be settled now drop out.
pub(crate) fn settle(
    job: &Job<'_>,
    name: &str,
    intents: Vec<(Intent, Progress)>,
    seats: &mut Vec<Seat>,
    report: &mut DatabaseReport,
) -> Result<(), Fault> {
    let mut withdrawn = false;
    for (intent, progress) in intents {
        let is_hub = intent.side == job.config.hub;
        let decided = progress != Progress::Declared;
        if withdrawn && !decided {
            continue;
        }
        let Some(seat) = seats.iter().find(|seat| seat.name == intent.side) else {
            // Its part waits with it.
            continue;
        };
        let evidence = match evidence::of(&seat.live, &intent).map_err(|e| sql_error(e, &seat.name)) {
            Ok(evidence) => evidence,
            Err(Fault::Side { name: side, state, reason, until }) if !is_hub => {
                // It drops out below, as its intent stays.
                drop_side(&side, (state, until), reason, Part::Spoke, report)?;
                continue;
            }
            Err(fault) => return Err(fault),
        };
        job.steps.at(Step::Asked, &intent.side);
        let written = match evidence {
            Evidence::Written | Evidence::Unclear => Written::Yes,
            Evidence::NotWritten | Evidence::Doubtful => Written::No,
        };
        let doubts = match evidence {
            Evidence::Unclear | Evidence::Doubtful => uncertain(job, name, &intent, written, &seat.live)?,
            Evidence::Written | Evidence::NotWritten => Vec::new(),
        };
        if is_hub && !decided && written == Written::No {
            record::withdraw(job.store, name)?;
            job.steps.at(Step::Withdrawn, "");
            for doubt in &doubts {
                report.conflicts += usize::from(job.store.add_conflict(doubt).map_err(state_error)?);
            }
            withdrawn = true;
            continue;
        }
        conclude(job, name, &intent, written, &doubts, report)?;
    }
    let left = record::waiting(job.store, name)?;
    seats.retain(|seat| !left.contains(&seat.name));
    Ok(())
}

/// Every row of which nobody can say whether it was written, with what was there before, what was to be there, and
/// what is there now.
fn uncertain(
    job: &Job<'_>,
    name: &str,
    intent: &Intent,
    written: Written,
    live: &Connection,
) -> Result<Vec<StoredConflict>, Fault> {
    let taken = match written {
        Written::Yes => "taken as written",
        Written::No => "taken as not written",
    };
    let fail = |cause| sql_error(cause, &intent.side);
    let schema = schema::read(live, "main").map_err(fail)?;
    let mut conflicts = Vec::new();
    for table in &intent.writes {
        let Some(have) = schema.table(&table.table) else { continue };
        let names = key_names(job, name, have);
        let by_place = match have.storage {
            Storage::Alias { column } => names.as_ref().is_none_or(|names| {
                have.columns.get(column).is_some_and(|column| *names == [column.name.as_str()])
            }),
            Storage::Hidden { .. } | Storage::Key { .. } => names.is_none(),
        };
        for write in &table.writes {
            let Some((slot, identity)) = write.new.as_ref().or(write.old.as_ref()) else { continue };
            // Where it was to be, its owner may have put another one.
            let key: Option<Vec<(&str, &Value)>> = names.as_ref().and_then(|names| {
                let cell = |name: &String| {
                    let at = table.columns.iter().position(|own| own.eq_ignore_ascii_case(name))?;
                    identity.get(at).filter(|cell| **cell != Value::Null)
                };
                names.iter().map(|name| Some((name.as_str(), cell(name)?))).collect()
            });
            let is_known = key.is_some();
            let now = match key {
                Some(key) => write::witness_by(live, have, &table.columns, &key),
                None => write::witness(live, have, &table.columns, slot),
            };
            let now = now.map_err(fail)?;
            // A row that has its id may be another one.
            let is_another = (write.old.is_none() && by_place)
                && now.as_ref().is_some_and(|now| !evidence::is_alike(have, table, now, identity));
            let row = |placed: &Option<(Slot, Row)>| placed.as_ref().map(|(_, row)| row.clone());
            let found = (!is_another).then(|| (intent.side.as_str().into(), now));
            let values = found.into_iter().chain([(MERGED.into(), row(&write.new))]).collect();
            conflicts.push(StoredConflict {
                number: 0,
                database: name.into(),
                table: table.table.as_str().into(),
                kind: UNCERTAIN.into(),
                winner: MERGED.into(),
                reason: format!(
                    "a run was interrupted while it wrote {}, and nothing tells whether it did: {taken}",
                    intent.side
                )
                .into(),
                status: "open".into(),
                run: job.run.to_string().into(),
                at: clock::stamp(job.at).into(),
                rows: ConflictRows {
                    columns: table.columns.as_slice().into(),
                    key: names.as_ref().unwrap_or(&table.columns).as_slice().into(),
                    clashing: [].into(),
                    // What no key tells from others cannot be taken.
                    identity: is_known.then(|| identity.clone()),
                    base: row(&write.old),
                    values,
                    merged: row(&write.new),
                    both: false,
                },
            });
        }
    }
    Ok(conflicts)
}

/// The names of the columns that tell which row is which; `None` where only the whole row does.
fn key_names(job: &Job<'_>, name: &str, have: &Table) -> Option<Vec<String>> {
    let policy = job.config.databases.get(name)?.table_policy(name, &have.name);
    let columns = match shape::identity(have, &policy) {
        Identity::Key(columns) => columns.into_iter().map(|(column, _)| column).collect(),
        Identity::Id(column) => vec![column],
        Identity::Content => return None,
    };
    columns.into_iter().map(|at| have.columns.get(at).map(|column| column.name.clone())).collect()
}
