//! Telling whoever waits how far a run is, and hearing whether to go on.
//!
//! Apart from the steps that it is told of, so that each of them says in one line where it is. It never changes what a
//! run does, but for ending it: between two steps, or between two rows that are read. **Nobody is called while a
//! database is locked for writing**, so that nobody who takes his time makes owners wait, and nobody can end what has
//! been decided.

use std::cell::{Cell, RefCell};

use serde::Serialize;

use crate::clock::{self, Stopwatch};
use crate::interrupt::{self, Continue};

use super::Fault;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress<'a> {
    /// The database that it is at.
    pub database: &'a str,
    /// Which of the chosen databases that is, counted from 1.
    pub number: usize,
    /// How many databases are chosen.
    pub databases: usize,
    /// What is being done with it.
    pub phase: Phase,
    /// The side, where the phase has one.
    pub side: Option<&'a str>,
    /// The table, where the phase has one.
    pub table: Option<&'a str>,
    /// Rows of the table that were read on the way.
    pub rows: u64,
    /// About how many there are; `None` where nobody knows.
    pub of: Option<u64>,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Finding out what lies on each side.
    Looking,
    /// Copying a whole database: a side that is new, or missing.
    Copying,
    /// Reading a table of all sides for what changed.
    Comparing,
    /// Deciding what every side gets.
    Planning,
    /// Writing all sides and putting it on record. It cannot be stopped.
    Writing,
}

impl Phase {
    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Looking => "looking",
            Phase::Copying => "copying",
            Phase::Comparing => "comparing",
            Phase::Planning => "planning",
            Phase::Writing => "writing",
        }
    }
}

/// How long nothing is told after something was, in milliseconds, but for new phases.
const QUIET_MS: u64 = 100;
/// After how many rows the time is looked at.
const ROWS: u64 = 512;

/// Who is told.
pub(crate) type Listener<'a> = &'a mut dyn FnMut(&Progress<'_>) -> Continue;

/// The steps of a run, told to somebody.
pub(crate) trait Pace {
    /// Begins with the next database.
    fn next(&self, database: &str) -> Result<(), Fault>;
    /// Whether somebody said that it stops.
    fn is_stopped(&self) -> bool;
    /// Says what is being done, unless that was told just now. The beginning of a phase is always told.
    fn tell(&self, database: &str, phase: Phase, place: Place<'_>) -> Result<(), Fault>;
}

/// Tells nobody.
#[cfg(test)]
pub(crate) struct Silence;

#[cfg(test)]
impl Pace for Silence {
    fn next(&self, _database: &str) -> Result<(), Fault> {
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        false
    }

    fn tell(&self, _database: &str, _phase: Phase, _place: Place<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

/// Where in a phase a run is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place<'a> {
    side: Option<&'a str>,
    table: Option<&'a str>,
    rows: u64,
    of: Option<u64>,
}

impl dyn Pace + '_ {
    /// Says what is being done.
    pub(crate) fn at(&self, database: &str, phase: Phase, side: Option<&str>) -> Result<(), Fault> {
        self.tell(database, phase, Place { side, ..Place::default() })
    }

    /// A small step of planning was made: whoever waits is told from time to time.
    pub(crate) fn plans(&self, database: &str) -> Result<(), Fault> {
        if interrupt::is_worth_a_look() { self.at(database, Phase::Planning, None) } else { Ok(()) }
    }

    /// Follows the rows of one table that are read.
    pub(crate) fn table<'p>(&'p self, database: &'p str, table: &'p str, of: Option<u64>) -> Rows<'p> {
        Rows { pace: self, database, place: Place { table: Some(table), of, ..Place::default() } }
    }
}

/// The one who tells, for one run.
pub(crate) struct Teller<'a> {
    listener: RefCell<Listener<'a>>,
    databases: usize,
    number: Cell<usize>,
    told: Cell<Option<(Phase, Stopwatch)>>,
    stopped: Cell<bool>,
}

impl<'a> Teller<'a> {
    /// For a run over so many databases.
    pub(crate) fn new(databases: usize, listener: Listener<'a>) -> Teller<'a> {
        Teller {
            listener: RefCell::new(listener),
            databases,
            number: Cell::new(0),
            told: Cell::new(None),
            stopped: Cell::new(false),
        }
    }
}

impl Pace for Teller<'_> {
    fn next(&self, database: &str) -> Result<(), Fault> {
        self.number.set(self.number.get() + 1);
        self.told.set(None);
        self.tell(database, Phase::Looking, Place::default())
    }

    fn is_stopped(&self) -> bool {
        self.stopped.get() || interrupt::is_stopped()
    }

    fn tell(&self, database: &str, phase: Phase, place: Place<'_>) -> Result<(), Fault> {
        if self.stopped.get() || interrupt::check().is_err() {
            return Err(interrupt::cancelled().into());
        }
        let quiet = |(last, since): (Phase, Stopwatch)| last == phase && since.millis() < QUIET_MS;
        if self.told.get().is_some_and(quiet) {
            return Ok(());
        }
        let (number, databases) = (self.number.get(), self.databases);
        let Place { side, table, rows, of } = place;
        let progress = Progress { database, number, databases, phase, side, table, rows, of };
        // Whoever is told cannot come back here: the run that tells is not theirs to call.
        let said = self.listener.try_borrow_mut().map_or(Continue::Yes, |mut tell| tell(&progress));
        self.told.set(Some((phase, clock::start())));
        match said {
            Continue::Yes => Ok(()),
            Continue::Stop => {
                self.stopped.set(true);
                Err(interrupt::cancelled().into())
            }
        }
    }
}

/// The rows of one table, one after the other.
pub(crate) struct Rows<'p> {
    pace: &'p dyn Pace,
    database: &'p str,
    place: Place<'p>,
}

impl Rows<'_> {
    /// One more was read. The error is the one of SQLite for work that somebody interrupted.
    pub(crate) fn read(&mut self) -> rusqlite::Result<()> {
        self.place.rows += 1;
        if !self.place.rows.is_multiple_of(ROWS) {
            return Ok(());
        }
        self.tell().map_err(|_| interrupt::interrupted())
    }

    /// Says where it is.
    pub(crate) fn tell(&self) -> Result<(), Fault> {
        self.pace.tell(self.database, Phase::Comparing, self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_phases_are_told_and_a_stop_is_final() {
        let mut told = Vec::new();
        let mut listener = |progress: &Progress<'_>| {
            told.push(format!("{} {} {}", progress.database, progress.number, progress.phase.name()));
            if progress.phase == Phase::Planning { Continue::Stop } else { Continue::Yes }
        };
        let teller = Teller::new(2, &mut listener);
        let pace: &dyn Pace = &teller;
        assert!(pace.next("a").is_ok());
        assert!(pace.at("a", Phase::Looking, Some("bot")).is_ok());
        assert!(pace.at("a", Phase::Writing, None).is_ok());
        assert!(pace.next("b").is_ok());
        assert!(pace.at("b", Phase::Planning, None).is_err());
        assert!(pace.is_stopped());
        assert!(pace.at("b", Phase::Writing, None).is_err());
        assert_eq!(told, ["a 1 looking", "a 1 writing", "b 2 looking", "b 2 planning"]);
    }
}
