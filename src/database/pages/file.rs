//! The pages of a database as a transaction sees them, read through SQLite's own handles of its files.
//!
//! Apart from `native`, which hands out the bytes, and from `log`, which reads what a log says. In rollback mode a read
//! transaction keeps the file as it is. In WAL mode it keeps the frames of the log that it may read, and the file but for pages
//! that are among those frames, so that each page is read from its last frame, else from the file.

use std::collections::HashMap;

use rusqlite::Connection;

use super::{Ended, Header, Look, Pages, header};
use crate::database::{log, native, open};

/// A log of more frames is not worth the time that it takes to find the last one of each page.
const FRAMES_AT_MOST: u32 = 1 << 18;

/// Which state a read transaction sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// That of the file: there is no log.
    File,
    /// That of a log which reaches so far.
    Log(log::Header),
    /// Nobody knows: somebody wrote in the very moment it began, or something failed.
    Unknown,
}

impl Moment {
    /// Begins a read transaction. That it cannot be read yet is for whoever reads next to find out.
    pub(crate) fn begin(live: &Connection) -> rusqlite::Result<Moment> {
        // Acting as the owner, as the first read may make a log, or roll back what a killed writer has left.
        let _owner = open::as_owner(live);
        let before = log::header(live);
        live.execute_batch("BEGIN")?;
        let read = live.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
        // Every commit moves the header, so that where it is as it was there was none.
        let moment = match (before, log::header(live)) {
            _ if read.is_err() => Moment::Unknown,
            (None, None) if matches!(open::is_wal(live), Ok(false)) => Moment::File,
            (Some(before), Some(after)) if before == after => Moment::Log(after),
            _ => Moment::Unknown,
        };
        // A disk that fails ends a transaction, and whoever went on would read without one.
        if live.is_autocommit() { Err(read.err().unwrap_or_else(open::ended)) } else { Ok(moment) }
    }
}

/// What a log has of the pages of a database.
#[derive(Debug)]
pub(crate) struct Overlay {
    of: log::Header,
    frames: HashMap<u32, u32>,
}

/// The pages of one state.
pub(crate) struct File<'c> {
    connection: &'c Connection,
    header: Header,
    overlay: Option<&'c Overlay>,
}

impl Overlay {
    /// What a transaction sees of the log; nothing where there is none.
    pub(crate) fn of(
        connection: &Connection,
        moment: Moment,
        look: &mut dyn FnMut() -> Result<(), Ended>,
    ) -> Result<Option<Overlay>, Ended> {
        let look = Look::new(look);
        let of = match moment {
            Moment::Unknown => return Err(Ended::Doubt("somebody was writing")),
            Moment::File => return Ok(None),
            Moment::Log(of) if of.position.frames == 0 => return Ok(None),
            Moment::Log(of) if of.position.frames > FRAMES_AT_MOST => {
                return Err(Ended::Doubt("its log is long"));
            }
            Moment::Log(of) => of,
        };
        let frames =
            log::frames(connection, &of, || look.step())?.ok_or(Ended::Doubt("its log cannot be read"))?;
        #[cfg(test)]
        if super::planted::is(super::planted::Mistake::Log) {
            return Ok(Some(Overlay {
                of,
                frames: frames.into_iter().filter(|(page, _)| *page == 1).collect(),
            }));
        }
        Ok(Some(Overlay { of, frames }))
    }
}

impl<'c> File<'c> {
    /// The pages that a connection sees in the transaction it is in.
    pub(crate) fn new(connection: &'c Connection, overlay: Option<&'c Overlay>) -> Result<File<'c>, Ended> {
        // What has no name is kept in memory, or is not all in its file.
        if connection.is_autocommit() || connection.path().is_none_or(str::is_empty) {
            return Err(Ended::Doubt("it is no file in a transaction"));
        }
        let mut start = [0; header::LENGTH];
        native::read_database(connection, 0, &mut start).ok_or(Ended::Doubt("it cannot be read"))?;
        if let Some(overlay) = overlay.filter(|overlay| overlay.frames.contains_key(&1)) {
            let frame = overlay.frames.get(&1).copied().unwrap_or_default();
            log::read_frame(connection, &overlay.of, (frame, 1), &mut start)
                .ok_or(Ended::Doubt("its log cannot be read"))?;
        }
        let mut header = Header::parse(&start)?;
        if let Some(overlay) = overlay {
            if overlay.of.page_size != header.page_size {
                return Err(Ended::Doubt("the pages of its log are of another size"));
            }
            header.count = overlay.of.pages;
        }
        Ok(File { connection, header, overlay })
    }

    /// Whether the state still is the one that was read. A transaction that has ended says nothing of what was read in it,
    /// and a log that was started anew may have been written over.
    pub(crate) fn check(&self) -> Result<(), Ended> {
        let stands = self.overlay.is_none_or(|overlay| {
            log::header(self.connection).is_some_and(|now| now.position.salts == overlay.of.position.salts)
        });
        if stands && !self.connection.is_autocommit() {
            Ok(())
        } else {
            Err(Ended::Doubt("it has changed while it was read"))
        }
    }

    fn one(&self, number: u32, into: &mut [u8]) -> Option<()> {
        match self.frame(number) {
            Some((of, frame)) => log::read_frame(self.connection, of, (frame, number), into),
            None => native::read_database(self.connection, self.offset(number)?, into),
        }
    }

    fn frame(&self, number: u32) -> Option<(&log::Header, u32)> {
        let overlay = self.overlay?;
        overlay.frames.get(&number).map(|frame| (&overlay.of, *frame))
    }

    fn offset(&self, number: u32) -> Option<i64> {
        i64::try_from(u64::from(number.checked_sub(1)?) * u64::try_from(self.header.page_size).ok()?).ok()
    }
}

impl Pages for File<'_> {
    fn header(&self) -> Header {
        self.header
    }

    fn read(&self, first: u32, into: &mut [u8]) -> Option<()> {
        let size = self.header.page_size;
        let numbers = first..;
        let is_logged = |(number, _): (u32, _)| self.frame(number).is_some();
        if !numbers.clone().zip(into.chunks(size)).any(is_logged) {
            return native::read_database(self.connection, self.offset(first)?, into);
        }
        numbers.zip(into.chunks_mut(size)).try_for_each(|(number, page)| self.one(number, page))
    }
}
