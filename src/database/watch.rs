//! Sides under observation: each in a read transaction, with what is remembered of it, and what makes it suspect.
//!
//! Apart from `run`, which decides what follows from it, and from `observe`, which reads rows.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use crate::backup::verify::{self, Verdict};
use crate::config::DatabaseConfig;
use crate::interrupt;
use crate::report::{DatabaseReport, State};

use super::changes::{Compared, Reading};
use super::observe::Cells;
use super::old_copy::{self, Suspicion};
use super::open::{self, Fingerprint};
use super::pages::Moment;
use super::plan::{MergeKind, Plan, Side};
use super::progress::Phase;
use super::run::{Job, Part, Seat, drop_side, passes_guards};
use super::steps::Step;
use super::{Fault, Mode, Until, apply, base, create, native, returned, sql_error, state_error};

/// Sides under observation.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) sides: Vec<Side>,
    pub(crate) looks: Vec<Look>,
}

/// What was seen of a side's file when it was observed.
pub(crate) struct Look {
    /// Changes when another connection commits.
    pub(crate) version: i64,
    /// The file before it was opened, where that is still of use.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// The change counter of its header.
    pub(crate) counter: Option<u32>,
    /// Which file it was.
    pub(crate) file: Option<String>,
    /// Whether the file was to be held, and is not since a person has said so.
    pub(crate) overridden: bool,
    /// Tables that cannot be planned yet, with the reason.
    pub(crate) waiting: Vec<(String, String)>,
}

/// Opens a read transaction on every side and finds its base, or makes one.
pub(crate) fn observe(
    job: &Job<'_>,
    name: &str,
    database: &DatabaseConfig,
    seats: Vec<Seat>,
    kind: MergeKind,
    report: &mut DatabaseReport,
) -> Result<Watch, Fault> {
    if kind == MergeKind::Overwrite {
        return observe_overwrite(job, name, seats);
    }
    let mut watch = Watch::default();
    let cells = Rc::new(Cells::new(job.store.directory()));
    for seat in seats {
        let side_name = seat.name.clone();
        match observe_side(job, name, database, seat, &cells, report) {
            Ok((side, look)) => {
                job.steps.at(Step::Observed, &side.name);
                watch.sides.push(side);
                watch.looks.push(look);
            }
            Err(held @ Fault::Side { state: State::Held, .. }) => return Err(held),
            Err(Fault::Side { state, reason, until, .. }) => {
                let part = Part::of(job, &side_name, kind);
                drop_side(&side_name, (state, until), reason, part, report)?;
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(watch)
}

fn observe_side(
    job: &Job<'_>,
    name: &str,
    database: &DatabaseConfig,
    seat: Seat,
    cells: &Rc<Cells>,
    report: &mut DatabaseReport,
) -> Result<(Side, Look), Fault> {
    let fail = |cause| sql_error(cause, &seat.name);
    let wait = Duration::from_millis(job.config.guards.busy_timeout_ms);
    interrupt::patience(&seat.live, wait).map_err(fail)?;
    let mut moment = Moment::begin(&seat.live).map_err(fail)?;
    let mut schema = open::first_read(&seat.live).map_err(fail)?;
    let remembered = job.store.replica(name, &seat.name).map_err(state_error)?;
    let mut counter = native::change_counter(&seat.live);
    let seen = remembered.as_ref().and_then(|state| state.seen.as_ref());
    let went_back = seen.map(|seen| seen.counter).zip(counter).filter(|(then, now)| now < then);
    let file = database.replicas.get(&seat.name).and_then(|path| open::file_of(path));
    let then = seen.and_then(|seen| seen.file.as_ref());
    let replaced = then.zip(file.as_ref()).is_some_and(|(then, now)| then != now);
    let suspicion = Suspicion { went_back, replaced };
    let epoch = remembered.as_ref().map_or(0, |state| state.epoch);
    let known = match remembered {
        Some(state) => base::open(job, &seat.name, &state.base, report)?,
        None => None,
    };
    let back = returned::back(job, name, &seat.name, &schema)?;
    let mut waiting = Vec::new();
    // A file that may be an old copy is not written to.
    if job.mode == Mode::DryRun || suspicion != Suspicion::default() {
        waiting = returned::in_words(&seat.name, &back);
    } else if let Some(base) = known.as_ref().filter(|_| !back.is_empty()) {
        seat.live.execute_batch("ROLLBACK").map_err(fail)?;
        returned::refill(job, name, database, &seat, base, (&schema, back), report)?;
        moment = Moment::begin(&seat.live).map_err(fail)?;
        schema = open::first_read(&seat.live).map_err(fail)?;
        counter = native::change_counter(&seat.live);
    }
    let version = apply::data_version(&seat.live).map_err(fail)?;
    let (base, known) = match known {
        Some(base) => (base, true),
        // Without a base nobody can tell what it lacks.
        None if went_back.is_some() && !passes_guards(job, name)? => {
            let everything = old_copy::Evidence { changed: 1, ..Default::default() };
            let why = old_copy::verdict(suspicion, everything).unwrap_or_default();
            let reason = old_copy::in_words(&seat.name, &why);
            let (name, until) = (job.config.hub.clone(), Until::NextRun);
            return Err(Fault::Side { name, state: State::Held, reason, until });
        }
        None => {
            job.pace.at(name, Phase::Copying, Some(&seat.name))?;
            let base = create::base(job, name, &seat.name, &seat.live)?;
            // What is merged is the copy; the file itself can go on.
            seat.live.execute_batch("ROLLBACK").map_err(fail)?;
            (base, false)
        }
    };
    let overridden = !known && went_back.is_some();
    let look = Look { version, fingerprint: seat.fingerprint, counter, file, overridden, waiting };
    let epoch = if known { epoch } else { 0 };
    let merged = job.store.merged_tables(name, &seat.name).map_err(state_error)?;
    let behind = job.store.tables_behind(name, &seat.name).map_err(state_error)?;
    Ok((
        Side {
            name: seat.name,
            live: seat.live,
            schema,
            base,
            known,
            epoch,
            merged,
            behind,
            suspicion,
            cells: Rc::clone(cells),
            moment,
            compared: Compared::default(),
        },
        look,
    ))
}

/// Observes hub and side such that the hub as it is now is the ancestor of both.
fn observe_overwrite(job: &Job<'_>, name: &str, seats: Vec<Seat>) -> Result<Watch, Fault> {
    let mut watch = Watch::default();
    let cells = Rc::new(Cells::new(job.store.directory()));
    let hub = seats.iter().find(|seat| seat.name == job.config.hub);
    let Some(hub) = hub else { return Err(Fault::Failed("the hub cannot be used now".into())) };
    hub.live.execute_batch("BEGIN").map_err(|e| sql_error(e, &hub.name))?;
    let mut epoch = 0;
    let mut bases = Vec::new();
    for seat in &seats {
        let remembered = job.store.replica(name, &seat.name).map_err(state_error)?;
        epoch = remembered.map_or(epoch, |state| epoch.max(state.epoch));
        job.pace.at(name, Phase::Copying, Some(&seat.name))?;
        bases.push(create::base(job, name, &seat.name, &hub.live)?);
    }
    for (seat, base) in seats.into_iter().zip(bases) {
        let fail = |cause| sql_error(cause, &seat.name);
        if seat.name != job.config.hub {
            seat.live.execute_batch("BEGIN").map_err(fail)?;
        }
        let schema = open::first_read(&seat.live).map_err(fail)?;
        let version = apply::data_version(&seat.live).map_err(fail)?;
        let counter = native::change_counter(&seat.live);
        watch.looks.push(Look {
            version,
            fingerprint: None,
            counter,
            file: None,
            overridden: false,
            waiting: Vec::new(),
        });
        // The copy of the hub is the ancestor of all its tables.
        let merged = base.schema.tables.iter().map(|table| table.name.to_ascii_lowercase()).collect();
        watch.sides.push(Side {
            name: seat.name,
            live: seat.live,
            schema,
            base,
            known: true,
            epoch,
            merged,
            behind: BTreeSet::new(),
            suspicion: Suspicion::default(),
            cells: Rc::clone(&cells),
            // Base and file are of two sides, and have few pages in common.
            moment: Moment::Unknown,
            compared: Compared::default(),
        });
    }
    Ok(watch)
}

/// Checks each side that others would get something from, once in a run, and each whose rows are all compared. Rows that damage has
/// changed or hidden look like edits, and would be merged; only where pages show that there is none of that, as `believed` says, is
/// it left. A side that only gets something is looked at when it is copied, see [`archive::secure`].
pub(crate) fn refuse_damage(
    sides: &[Side],
    plan: &Plan,
    reading: &Reading,
    believed: &BTreeSet<String>,
    sound: &mut BTreeSet<String>,
) -> Result<(), Fault> {
    for (side, intent) in sides.iter().zip(&plan.intents) {
        let is_quiet = side.known && intent.observed.is_empty() && !reading.is_of_all_rows(&side.name);
        if is_quiet || believed.contains(&side.name) || sound.contains(&side.name) {
            continue;
        }
        let fail = |cause| sql_error(cause, &side.name);
        let _owner = open::as_owner(&side.live);
        // What a CHECK says of a row is no damage, and may take its time.
        side.live.execute_batch("PRAGMA ignore_check_constraints = ON").map_err(fail)?;
        let verdict = verify::connection_is_sound(&side.live);
        side.live.execute_batch("PRAGMA ignore_check_constraints = OFF").map_err(fail)?;
        if let Verdict::Damaged(reason) = verdict.map_err(fail)? {
            let reason = format!("{} is damaged ({reason})", side.name);
            let (name, until) = (side.name.clone(), Until::Mended);
            return Err(Fault::Side { name, state: State::Quarantined, reason, until });
        }
        sound.insert(side.name.clone());
    }
    Ok(())
}
