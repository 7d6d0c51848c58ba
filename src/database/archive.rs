//! Backups of databases: making, listing, checking and cleaning them, and what runs do about them by themselves.
//!
//! Apart from `backup`, which knows one side at a time and remembers nothing, and from `restoration`, the way back.
//! Here configuration and state come together. Everything but looking happens under the run lock.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use serde_json::Value as Json;

use crate::backup::retention::{self, OpenConflict, Verdict};
use crate::backup::snapshot::{self, Damage, Order, Taken};
use crate::backup::{Kind, Place, Snapshot, list, restore};
use crate::clock;
use crate::config::Config;
use crate::durable;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;
use crate::report::{
    Backup, BackupReport, BackupsReport, CleanReport, DatabaseReport, RemovedBackup, SCHEMA, State,
};

use super::open::{self, Found};
use super::run::Job;
use super::store::Store;
use super::{
    Fault, Force, Mode, Options, Until, choose, enter, existing_state, state_directory, state_failure,
};

/// All snapshots of all databases with a verdict on each: the size limit is one for all.
pub(super) struct Shelf {
    places: Vec<Place>,
    pub(super) snapshots: Vec<Snapshot>,
    verdicts: Vec<Verdict>,
}

impl Shelf {
    /// Looks through all places.
    ///
    /// Errors: when one cannot be read, or our state cannot.
    pub(super) fn of(config: &Config, store: Option<&Store>, now: DateTime<Utc>) -> Result<Shelf> {
        let places: Vec<Place> = config.databases.keys().flat_map(|name| Place::all(config, name)).collect();
        let mut snapshots = Vec::new();
        for place in &places {
            snapshots.extend(at(place, store)?);
        }
        let conflicts = match store {
            Some(store) => store.waiting().map_err(state_failure)?,
            None => Vec::new(),
        };
        let conflicts: Vec<OpenConflict> = conflicts
            .into_iter()
            .filter_map(|(database, at)| {
                let at = DateTime::parse_from_rfc3339(&at).ok()?.with_timezone(&Utc);
                Some(OpenConflict { database, at })
            })
            .collect();
        let verdicts = retention::judge(&snapshots, &config.backups, &conflicts, now);
        Ok(Shelf { places, snapshots, verdicts })
    }

    fn judged(&self) -> impl Iterator<Item = (&Snapshot, &Verdict)> {
        self.snapshots.iter().zip(&self.verdicts)
    }

    /// Those of some databases, for the outside.
    fn listed(&self, wanted: impl Fn(&Snapshot) -> bool) -> Vec<Backup> {
        self.judged().filter(|(one, _)| wanted(one)).map(|(one, verdict)| shown(one, verdict)).collect()
    }
}

/// The snapshots at one place, with what is remembered of each.
fn at(place: &Place, store: Option<&Store>) -> Result<Vec<Snapshot>> {
    let mut snapshots = list::at(place)?;
    if let Some(store) = store {
        for one in &mut snapshots {
            one.verified = store.was_sound(&one.path.to_string_lossy(), &one.mark).map_err(state_failure)?;
        }
    }
    Ok(snapshots)
}

fn shown(one: &Snapshot, verdict: &Verdict) -> Backup {
    Backup {
        id: one.id(),
        database: one.database.clone(),
        side: one.side.clone(),
        path: one.path.display().to_string(),
        created_at: clock::stamp(one.created_at),
        bytes: one.bytes,
        verified: one.verified,
        kept_because: match verdict {
            Verdict::Keep(reasons) => reasons.clone(),
            Verdict::Remove(_) => Vec::new(),
        },
    }
}

/// The backups of the chosen databases, and why each is kept.
///
/// Errors: `Usage` for a pattern that matches nothing, `Config` where the root is not there, `Io` or `Access` when a directory
/// or our state cannot be read.
pub fn backups(config: &Config, options: &Options) -> Result<BackupsReport> {
    durable::root_directory(&config.root)?;
    let chosen = choose(config, options)?;
    let store = existing_state(config)?;
    let shelf = Shelf::of(config, store.as_ref(), clock::now())?;
    let backups = shelf.listed(|one| chosen.iter().any(|(name, _)| *name == one.database));
    Ok(BackupsReport { schema: SCHEMA, backups })
}

/// The emergency copies that a run names in its report, by their ids; none where they are gone.
pub(super) fn emergencies_of(config: &Config, store: &Store, report: &str) -> Result<Vec<String>> {
    let report: Json = serde_json::from_str(report).unwrap_or_default();
    let databases = report.as_object().into_iter().flat_map(|databases| databases.values());
    let told: Vec<&str> = databases
        .filter_map(|database| database.get("warnings")?.as_array())
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    let shelf = Shelf::of(config, Some(store), clock::now())?;
    let named = |one: &&Snapshot| {
        let path = one.path.display().to_string();
        one.kind == Kind::Emergency && told.iter().any(|line| line.ends_with(&path))
    };
    Ok(shelf.snapshots.iter().filter(named).map(Snapshot::id).collect())
}

/// Makes a verified backup of every reachable side of the chosen databases. A dry run says where they would go.
///
/// Errors: as `sync`. What goes wrong with one side is in the report, and the others go on.
pub fn backup(config: &Config, options: &Options) -> Result<BackupReport> {
    let chosen = choose(config, options)?;
    let now = clock::now();
    let (store, _lock) = enter(config, options.mode)?;
    let mut report = BackupReport { schema: SCHEMA, ok: true, backups: Vec::new(), warnings: Vec::new() };
    let mut made: Vec<String> = Vec::new();
    let tag = store.next_run().map_err(state_failure)?.to_string();
    let wait = Duration::from_millis(config.guards.busy_timeout_ms);
    for place in chosen.iter().flat_map(|(name, _)| Place::all(config, name)) {
        interrupt::check()?;
        let of = format!("{} on {}", place.database, place.side);
        let (live, path) = (open::replica(&place.live, wait, config), place.live.display());
        match live {
            Found::Replica(_) if options.mode == Mode::DryRun => {
                report.warnings.push(format!("{of} would be copied to {}", place.directory.display()));
            }
            Found::Replica(replica) => {
                let order = Order {
                    config,
                    place: &place,
                    kind: Kind::Regular,
                    at: now,
                    tag: &tag,
                    damage: Damage::Refuse,
                };
                match take(&store, &replica.connection, &order) {
                    Ok(taken) => {
                        report.warnings.extend(taken.warnings);
                        made.push(taken.snapshot.id());
                    }
                    Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                    Err(error) => {
                        report.ok = false;
                        report.warnings.push(in_words(&of, &error));
                    }
                }
            }
            Found::Missing | Found::Empty => {
                report.warnings.push(format!("{of} has no database yet ({path})"))
            }
            Found::Quarantined(reason) | Found::Skipped(reason) | Found::Refused(reason) => {
                report.ok = false;
                report.warnings.push(format!("{of}: {reason}"));
            }
        }
    }
    // Whoever stops while the last side is waited for finds it busy.
    interrupt::check()?;
    let shelf = Shelf::of(config, Some(&store), now)?;
    report.backups = shelf.listed(|one| made.contains(&one.id()));
    Ok(report)
}

/// Removes backups that no rule keeps, and says of each why it goes or stays. A dry run only says so.
///
/// Errors: as `sync`. One that cannot be removed is a warning.
pub fn clean_backups(config: &Config, options: &Options) -> Result<CleanReport> {
    let chosen = choose(config, options)?;
    let (store, _lock) = enter(config, options.mode)?;
    let shelf = Shelf::of(config, Some(&store), clock::now())?;
    let wanted = |one: &Snapshot| chosen.iter().any(|(name, _)| *name == one.database);
    let mut report = CleanReport {
        schema: SCHEMA,
        ok: true,
        freed_bytes: 0,
        kept: shelf
            .judged()
            .filter(|(one, verdict)| wanted(one) && matches!(verdict, Verdict::Keep(_)))
            .map(|(one, verdict)| shown(one, verdict))
            .collect(),
        removed: Vec::new(),
        warnings: Vec::new(),
    };
    let removed = clear(&store, &shelf, options.mode, wanted)?;
    for (one, reason) in removed.gone {
        report.freed_bytes = report.freed_bytes.saturating_add(one.bytes);
        report.removed.push(RemovedBackup {
            id: one.id(),
            database: one.database.clone(),
            side: one.side.clone(),
            path: one.path.display().to_string(),
            created_at: clock::stamp(one.created_at),
            bytes: one.bytes,
            removed_because: reason.to_owned(),
        });
    }
    report.ok = removed.problems.is_empty();
    report.warnings = removed.problems;
    Ok(report)
}

/// What a cleaning came to.
struct Cleared<'a> {
    gone: Vec<(&'a Snapshot, &'a str)>,
    problems: Vec<String>,
}

/// Removes what no rule keeps.
fn clear<'a>(
    store: &Store,
    shelf: &'a Shelf,
    mode: Mode,
    wanted: impl Fn(&Snapshot) -> bool,
) -> Result<Cleared<'a>> {
    let mut cleared = Cleared { gone: Vec::new(), problems: Vec::new() };
    for (one, verdict) in shelf.judged().filter(|(one, _)| wanted(one)) {
        let Verdict::Remove(reason) = verdict else { continue };
        interrupt::check()?;
        if mode == Mode::Apply {
            if let Err(error) = snapshot::remove(&one.path) {
                cleared.problems.push(in_words(&one.id(), &error));
                continue;
            }
            store.forget_snapshot(&one.path.to_string_lossy()).map_err(state_failure)?;
        }
        cleared.gone.push((one, reason));
    }
    if mode == Mode::Apply && !cleared.gone.is_empty() {
        for place in &shelf.places {
            if let Err(error) = list::at(place).and_then(|left| snapshot::mend_latest(place, &left)) {
                cleared.problems.push(in_words(&place.database, &error));
            }
        }
    }
    Ok(cleared)
}

/// Makes a snapshot and remembers that it is sound.
fn take(store: &Store, live: &Connection, order: &Order<'_>) -> Result<Taken> {
    let taken = snapshot::take(live, order)?;
    remember(store, &taken.snapshot, taken.snapshot.verified, order.at)?;
    Ok(taken)
}

pub(super) fn remember(store: &Store, one: &Snapshot, sound: bool, now: DateTime<Utc>) -> Result<()> {
    store.set_sound(&one.path.to_string_lossy(), &one.mark, sound, &clock::stamp(now)).map_err(state_failure)
}

/// A side that a run is about to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'s> {
    /// Its name.
    pub(crate) side: &'s str,
    /// Its file, not locked for writing.
    pub(crate) live: &'s Connection,
    /// A number that changes when others write to it.
    pub(crate) version: i64,
}

/// What a run does before it writes: a verified snapshot of each side that it is about to write, where one is due.
///
/// A side whose copy is not sound, or that stays busy, is a fault of that side. Where there is no room, the run goes on:
/// bases and intents still have what it changes. Returns the sides without one, each with what is to be said as soon as it was
/// written, and not before. Called again in the same run, it makes no second one.
pub(crate) fn secure<'s>(
    job: &Job<'_>,
    database: &str,
    targets: impl Iterator<Item = Target<'s>>,
) -> std::result::Result<Vec<(String, String)>, Fault> {
    let mut bare = Vec::new();
    for Target { side, live, .. } in targets {
        let Err(error) = before_write(job, database, side, live) else { continue };
        match fault_of(side, error) {
            Fault::Error(error) if error.kind() != ErrorKind::Cancelled => {
                let warning = in_words(&format!("{side} was written without a backup"), &error);
                bare.push((side.to_owned(), warning));
            }
            fault => return Err(fault),
        }
    }
    Ok(bare)
}

/// Says of those that were written that they have no backup, each thing once.
pub(crate) fn tell_bare(
    bare: Vec<(String, String)>,
    is_written: impl Fn(&str) -> bool,
    report: &mut DatabaseReport,
) {
    for (_, warning) in bare.into_iter().filter(|(side, _)| is_written(side)) {
        if !report.warnings.contains(&warning) {
            report.warnings.push(warning);
        }
    }
}

/// What a run does before it writes what a guard would have held, or what a person takes back or over: a verified
/// emergency copy of each side that it is about to write, however young the last backup is. Without one nothing is
/// written. `copied` says at which version a side was copied in this run already; one that nobody has written to since
/// is not copied again.
pub(crate) fn secure_for_certain<'s>(
    job: &Job<'_>,
    database: &str,
    targets: impl Iterator<Item = Target<'s>>,
    copied: &mut HashMap<String, i64>,
    report: &mut DatabaseReport,
) -> std::result::Result<(), Fault> {
    for Target { side, live, version } in targets {
        if copied.get(side) == Some(&version) {
            continue;
        }
        let place =
            Place::of(job.config, database, side).ok_or_else(|| super::unknown_side(database, side))?;
        let taken = make(job, &place, live, Kind::Emergency, Damage::Refuse);
        let copy = taken.map_err(|error| fault_of(side, error))?.snapshot;
        report.warnings.push(format!("{side} was copied to {} first", copy.path.display()));
        copied.insert(side.to_owned(), version);
    }
    Ok(())
}

/// What it means for a run that a side could not be copied.
fn fault_of(side: &str, error: Error) -> Fault {
    let (state, until) = match error.kind() {
        ErrorKind::Corrupt => (State::Quarantined, Until::Mended),
        ErrorKind::Busy => (State::Skipped, Until::NextRun),
        _ => return Fault::Error(error),
    };
    Fault::Side { name: side.to_owned(), state, reason: error.to_string(), until }
}

/// A verified snapshot of one side, unless one was made within `backups.every_minutes`, or with force, in this run.
/// `None` in a dry run, and when none is due.
///
/// `live` holds no write lock; what it shows now is what is kept. Errors: as [`snapshot::take`], with nothing made.
fn before_write(job: &Job<'_>, database: &str, side: &str, live: &Connection) -> Result<Option<Snapshot>> {
    let Some(place) = Place::of(job.config, database, side).filter(|_| job.mode == Mode::Apply) else {
        return Ok(None);
    };
    let snapshots = at(&place, Some(job.store))?;
    let of_this_run = |one: &Snapshot| one.verified && one.created_at.timestamp() >= job.at.timestamp();
    let due = match job.force {
        Force::Yes => !snapshots.iter().any(of_this_run),
        Force::No => list::is_due(&snapshots, job.config.backups.every_minutes, job.at),
    };
    if !due {
        return Ok(None);
    }
    make(job, &place, live, Kind::Regular, Damage::Refuse).map(|taken| Some(taken.snapshot))
}

/// A verified copy of a side before a backup is written into it. With force, a copy that is not sound is kept
/// too, since there is no better one.
///
/// Errors: as [`snapshot::take`], with nothing made.
pub(crate) fn emergency(job: &Job<'_>, database: &str, side: &str, live: &Connection) -> Result<Snapshot> {
    let place = Place::of(job.config, database, side).ok_or_else(|| super::unknown_side(database, side))?;
    let damage = match job.force {
        Force::Yes => Damage::Keep,
        Force::No => Damage::Refuse,
    };
    make(job, &place, live, Kind::Emergency, damage).map(|taken| taken.snapshot)
}

fn make(job: &Job<'_>, place: &Place, live: &Connection, kind: Kind, damage: Damage) -> Result<Taken> {
    let tag = job.run.to_string();
    take(job.store, live, &Order { config: job.config, place, kind, at: job.at, tag: &tag, damage })
}

/// What is done about old backups after a run that wrote: those that no rule keeps go, and what a killed restore has
/// left. What cannot be done now is
/// said, and done another time.
pub(crate) fn thin(job: &Job<'_>) -> Vec<String> {
    if job.mode == Mode::DryRun {
        return Vec::new();
    }
    restore::sweep(&state_directory(job.config));
    let cleared = Shelf::of(job.config, Some(job.store), job.at)
        .and_then(|shelf| clear(job.store, &shelf, job.mode, |_| true).map(|cleared| cleared.problems));
    cleared.unwrap_or_else(|error| vec![in_words("old backups were not cleaned", &error)])
}

/// An error as one line of a report.
pub(super) fn in_words(what: &str, error: &Error) -> String {
    let hint = error.hint_text().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{what}: {error}{hint}")
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    type Tested = std::result::Result<(), Box<dyn std::error::Error>>;

    struct World {
        directory: tempfile::TempDir,
        config: Config,
        store: Store,
    }

    /// One database on two sides, below a root of its own.
    fn world(more: &str) -> std::result::Result<World, Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let json = format!(
            r#"{{"databases": {{"d": {{"replicas": {{"central": "d.db", "web": "web.db"}}}}}} {more}}}"#
        );
        let mut config = Config::parse(json.as_bytes(), directory.path(), None)?;
        if !more.contains("min_free_percent") {
            // However full the disk of this machine is.
            config.guards.min_free_percent = 0;
        }
        for file in ["d.db", "web.db"] {
            let connection = Connection::open(directory.path().join(file))?;
            connection.execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES (1)")?;
        }
        std::fs::create_dir(directory.path().join("sync_state"))?;
        let store = Store::open(&directory.path().join("sync_state"))?;
        Ok(World { directory, config, store })
    }

    impl World {
        fn job(&self, minutes: i64, mode: Mode) -> Job<'_> {
            let at = DateTime::from_timestamp(1_752_485_462, 0).unwrap() + TimeDelta::minutes(minutes);
            let (config, store, force) = (&self.config, &self.store, Force::No);
            Job {
                config,
                pace: &crate::database::progress::Silence,
                steps: &crate::database::steps::Unwatched,
                store,
                run: 7,
                kind: "bidirectional",
                at,
                mode,
                force,
                verify: crate::database::Verify::Daily,
                resolution: None,
                undo: None,
            }
        }

        fn write(&self, minutes: i64) -> Result<Option<Snapshot>> {
            let live = Connection::open(self.directory.path().join("web.db")).unwrap();
            before_write(&self.job(minutes, Mode::Apply), "d", "web", &live)
        }
    }

    #[test]
    fn a_side_that_is_written_again_and_again_is_copied_now_and_then() -> Tested {
        let world = world("")?;
        let live = Connection::open(world.directory.path().join("web.db"))?;
        assert_eq!(before_write(&world.job(0, Mode::DryRun), "d", "web", &live)?, None);
        assert_eq!(before_write(&world.job(0, Mode::Apply), "d", "moon", &live)?, None);
        let first = world.write(0)?.ok_or("none was made")?;
        assert!(first.verified);
        assert_eq!(first.id(), "d:web:2025-07-14_09-31-02");
        for (minutes, made) in
            [(0, false), (1, false), (14, false), (15, true), (16, false), (-3, false), (90, true)]
        {
            assert_eq!(world.write(minutes)?.is_some(), made, "{minutes}");
        }
        // The one that counts is gone, or is no longer what was checked.
        let newest = world.write(120)?.ok_or("none was made")?;
        std::fs::write(&newest.path, "other")?;
        assert!(world.write(121)?.is_some());
        Ok(())
    }

    #[test]
    fn how_often_is_configured() -> Tested {
        let world = world(r#", "backups": {"every_minutes": 0}"#)?;
        assert!(world.write(0)?.is_some() && world.write(0)?.is_some());
        Ok(())
    }

    #[test]
    fn a_run_is_told_when_there_is_no_room() -> Tested {
        let world = world(r#", "guards": {"min_free_percent": 100}"#)?;
        let error = world.write(0).err().ok_or("it was made")?;
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(
            error.to_string().starts_with("cannot make a backup of d on web: its 1 MiB would leave"),
            "{error}"
        );
        Ok(())
    }

    #[test]
    fn force_makes_one_in_each_run() -> Tested {
        let world = world("")?;
        let live = Connection::open(world.directory.path().join("web.db"))?;
        let forced = |minutes| Job { force: Force::Yes, ..world.job(minutes, Mode::Apply) };
        for (minutes, made) in [(0, true), (0, false), (1, true), (1, false)] {
            assert_eq!(before_write(&forced(minutes), "d", "web", &live)?.is_some(), made, "{minutes}");
        }
        Ok(())
    }

    #[test]
    fn what_stands_in_the_way_is_a_fault_of_the_side_or_a_warning() -> Tested {
        let secured = |world: &World, live: &Connection| {
            let mut report = DatabaseReport::new(State::Synced, None);
            let sides = || [Target { side: "web", live, version: 1 }].into_iter();
            let mut state = None;
            for _ in 0..2 {
                match secure(&world.job(0, Mode::Apply), "d", sides()) {
                    Ok(bare) => {
                        // Not where nothing was written.
                        tell_bare(bare.clone(), |side| side != "web", &mut report);
                        assert!(!report.warnings.iter().any(|one| bare.iter().all(|(_, told)| told != one)));
                        tell_bare(bare, |side| side == "web", &mut report);
                    }
                    Err(Fault::Side { state: why, .. }) => state = Some(why),
                    Err(_) => {}
                }
            }
            (state, report.warnings.len())
        };
        let fine = world("")?;
        let live = Connection::open(fine.directory.path().join("web.db"))?;
        assert_eq!(secured(&fine, &live), (None, 0));

        let full = world(r#", "guards": {"min_free_percent": 100}"#)?;
        let live = Connection::open(full.directory.path().join("web.db"))?;
        assert_eq!(secured(&full, &live), (None, 1));

        let busy = world("")?;
        let other = Connection::open(busy.directory.path().join("web.db"))?;
        let live = Connection::open(busy.directory.path().join("web.db"))?;
        live.busy_timeout(Duration::ZERO)?;
        other.execute_batch("BEGIN EXCLUSIVE")?;
        assert_eq!(secured(&busy, &live), (Some(State::Skipped), 0));

        let damaged = world("")?;
        let path = damaged.directory.path().join("web.db");
        let mut bytes = std::fs::read(&path)?;
        bytes[4096..].fill(0x5a);
        std::fs::write(&path, bytes)?;
        assert_eq!(secured(&damaged, &Connection::open(&path)?), (Some(State::Quarantined), 0));
        Ok(())
    }

    #[test]
    fn old_ones_go_after_a_run() -> Tested {
        let world = world(
            r#", "backups": {"keep_within_hours": 0, "keep_hourly": 1, "keep_daily": 0, "keep_weekly": 0,
            "keep_min": 0}"#,
        )?;
        let made = [0, 20, 60].map(|minutes| world.write(minutes).ok().flatten().map(|one| one.path));
        let left = || made.iter().flatten().filter(|path| path.exists()).count();
        assert_eq!(thin(&world.job(61, Mode::DryRun)), [""; 0]);
        assert_eq!(left(), 3);
        assert_eq!(thin(&world.job(61, Mode::Apply)), [""; 0]);
        assert_eq!(left(), 1);
        assert_eq!(thin(&world.job(61, Mode::Apply)), [""; 0]);
        let link = made[2].as_ref().ok_or("none was made")?.with_file_name("web.db.backup.latest");
        assert!(link.exists(), "latest points at what is left");
        Ok(())
    }

    #[test]
    fn a_link_to_what_is_gone_is_mended() -> Tested {
        let world = world(
            r#", "backups": {"keep_within_hours": 0, "keep_hourly": 0, "keep_daily": 0, "keep_weekly": 0,
            "keep_min": 0}"#,
        )?;
        let old = world.write(0)?.ok_or("none was made")?;
        let new = world.write(20)?.ok_or("none was made")?;
        world.store.forget_snapshot(&new.path.to_string_lossy())?;
        assert_eq!(thin(&world.job(21, Mode::Apply)), [""; 0]);
        assert!(old.path.exists() && !new.path.exists(), "the verified one is worth more than the newest");
        let link = new.path.with_file_name("web.db.backup.latest");
        assert_eq!(std::fs::canonicalize(link)?, std::fs::canonicalize(&old.path)?);
        Ok(())
    }

    #[test]
    fn what_is_before_an_open_conflict_stays() -> Tested {
        let world = world(
            r#", "backups": {"keep_within_hours": 0, "keep_hourly": 0, "keep_daily": 0, "keep_weekly": 0,
            "keep_min": 0}"#,
        )?;
        let made = [0, 20, 40].map(|minutes| world.write(minutes).ok().flatten().map(|one| one.path));
        world.store.connection.execute_batch(
            "INSERT INTO conflicts VALUES (1, 'd', 't', 'k', 'f', 'w', 'r', 'open', '7', '2025-07-14T09:31:02.500Z', x'', 0)",
        )?;
        let left = || made.iter().flatten().map(|path| path.exists()).collect::<Vec<_>>();
        thin(&world.job(61, Mode::Apply));
        assert_eq!(left(), [true, false, true]);
        world.store.set_status(1, "resolved")?;
        thin(&world.job(62, Mode::Apply));
        assert_eq!(left(), [false, false, true]);
        Ok(())
    }
}
