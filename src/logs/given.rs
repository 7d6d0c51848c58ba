//! What one copy has got of a run that did not come to its end.
//!
//! Apart from `settle`, which asks, and from `resume`, which compares.
//!
//! Where only the process died, what the journal says was given is there, and of what was begun last all of it or a part.
//! Where the machine died, or the copy was away, what the journal says is compared with the file, what differs is looked for
//! as what was begun is, and so is what the journal does not tell of. That is done once the archive has everything again, as
//! a copy may have got what had not come to disk there.
//!
//! What was given and did not come to disk is given again. Where the file has NULs in its place, they are cut off from a file
//! that only we write to, if nothing of others lies behind them; from a source nothing is ever taken, and they are not read
//! as its own. Of a source, fewer bytes than `resume` is sure of are its own, as its owner may have written them: nothing of
//! his is lost for that, though what was ours may then come back as his.

use std::io;
use std::ops::Range;
use std::rc::Rc;

use super::append::{Appended, Wanted, append};
use super::archive::Archive;
use super::file::{Access, LogFile};
use super::find::{self, Found, Shelf};
use super::journal::{Deed, Ending};
use super::names::Packing;
use super::plan::{Setting, beside};
use super::resume::{self, Lies, SAME};
use super::send::{lines_of, note};
use super::state::{CopyState, Cursor, Foreign};
use super::stream::{Stream, agreement};
use super::take::cursor_at;
use super::work::{Target, wanted};

/// Something that a copy was to get.
struct Gift<'a> {
    /// The end of its file before, and the range of the archive; none where the journal has lost that.
    about: Option<(&'a Cursor, (u64, u64))>,
    /// What it has got, if the journal says so.
    given: Option<Given<'a>>,
}

struct Given<'a> {
    start: u64,
    length: u64,
    end: &'a Cursor,
    sent: u64,
}

fn gifts<'a>(deeds: &'a [Deed], to: &str) -> Vec<Gift<'a>> {
    let mut gifts: Vec<Gift<'a>> = Vec::new();
    for deed in deeds {
        match deed {
            Deed::About { side, end, ranges } if side == to => {
                gifts.push(Gift { about: ranges.first().map(|range| (end, *range)), given: None });
            }
            Deed::Given { side, start, length, end, sent } if side == to => {
                let given = Some(Given { start: *start, length: *length, end, sent: *sent });
                match gifts.last_mut() {
                    Some(last) if last.given.is_none() => last.given = given,
                    _ => gifts.push(Gift { about: None, given }),
                }
            }
            _ => {}
        }
    }
    gifts
}

/// Who gets something, and what there is of it.
pub(crate) struct Receiver<'a, 's> {
    pub(crate) setting: &'a Setting<'s>,
    pub(crate) name: &'a str,
    pub(crate) target: &'a Target<'a>,
    /// Its files.
    pub(crate) shelf: &'a Shelf,
    pub(crate) ending: Ending,
}

impl Receiver<'_, '_> {
    /// Puts on record what it has got. `origins` says where the archive has its lines from.
    pub(crate) fn settle(
        &self,
        archive: &mut Archive,
        deeds: &[Deed],
        origins: &[(Range<u64>, String)],
        then: &mut CopyState,
    ) -> io::Result<()> {
        // What it gets in a file beside it lies there.
        let aside = then.aside && !self.target.is_mirror;
        let near;
        let shelf = if aside {
            let around = self.setting.around;
            near = find::shelf(&beside(self.target.path), Access::Read, around)
                .map_err(|why| io::Error::other(String::from(why)))?;
            &near
        } else {
            self.shelf
        };
        let holder = Holder { receiver: self, shelf, aside, alone: aside || self.target.is_mirror };
        // The journal may lack any of its lines.
        let (mut has_all, mut told) = (true, then.sent);
        for gift in gifts(deeds, self.target.side) {
            if let (Some((_, (from, _))), Ending::Machine) = (gift.about, self.ending) {
                has_all &= holder.rest(archive, told..from.max(told), origins, then)?;
            }
            let sent = holder.settle(archive, &gift, then)?;
            // What comes behind something that it has not got is not taken for what comes next.
            if let (true, Some(sent)) = (has_all, sent) {
                then.sent = sent;
            }
            if let Some((_, (_, to))) = gift.about {
                has_all &= then.sent >= to;
                told = told.max(to);
            }
            told = told.max(then.sent);
        }
        if self.ending == Ending::Machine {
            holder.rest(archive, told..archive.known.max(told), origins, then)?;
        }
        Ok(())
    }
}

/// Where what it gets lies.
struct Holder<'a, 'b, 's> {
    receiver: &'a Receiver<'b, 's>,
    shelf: &'a Shelf,
    /// Whether that is beside its own file.
    aside: bool,
    /// Whether nobody else writes there.
    alone: bool,
}

impl Holder<'_, '_, '_> {
    /// Puts one thing on record; returns up to where in the archive it has everything, where that is known.
    fn settle(
        &self,
        archive: &mut Archive,
        gift: &Gift<'_>,
        then: &mut CopyState,
    ) -> io::Result<Option<u64>> {
        if let Some(given) = &gift.given
            && let Some(file) = self.confirmed(archive, gift, given)?
        {
            let place = Foreign { id: given.end.id, start: given.start, length: given.length };
            self.note(then, file.as_deref(), place)?;
            return Ok(Some(given.sent));
        }
        let Some((before, (from, to))) = gift.about else { return Ok(None) };
        archive.reach(from)?;
        let mut streams = lines_of(archive, from..to)?;
        let (Some((_, block)), true) = (streams.pop(), streams.is_empty()) else { return Ok(None) };
        let Some((file, lies)) = self.look_for(before, &block)? else { return Ok(None) };
        self.finish(before, (from, to), &block, &file, lies, then).map(Some)
    }

    /// The same for a range of the archive of which the journal does not tell; whether it has all of it.
    fn rest(
        &self,
        archive: &mut Archive,
        untold: Range<u64>,
        origins: &[(Range<u64>, String)],
        then: &mut CopyState,
    ) -> io::Result<bool> {
        archive.reach(untold.start)?;
        let mut has_all = then.sent >= untold.start;
        for range in wanted(untold, self.receiver.target.side, origins) {
            for (at, block) in lines_of(archive, range)? {
                let to = at + block.length() - u64::from(block.newline);
                let Some((before, file)) = self.reached(then)? else { return Ok(false) };
                let tail = Stream::of(&file, 0..file.length()?);
                let found = resume::find_ruined(&tail, before.offset, &block, self.alone)?;
                // Elsewhere a short line may be its owner's.
                let is_it = |lies: &Lies| self.alone || lies.start == before.offset || lies.length >= SAME;
                let Some(lies) = found.filter(is_it) else { return Ok(false) };
                let sent = self.finish(&before, (at, to), &block, &file, lies, then)?;
                if has_all {
                    then.sent = sent;
                }
                has_all &= sent == to;
            }
        }
        Ok(has_all)
    }

    /// Behind what is known of its file, and that file.
    fn reached(&self, then: &CopyState) -> io::Result<Option<(Cursor, Rc<LogFile>)>> {
        let Some(known) = then.live.as_ref().filter(|_| !self.aside) else {
            // Where nothing is known of it, it was made by that run.
            let place = if self.aside { then.beside } else { 0 };
            let live = self.shelf.live.as_ref().filter(|live| self.alone && live.size >= place);
            let Some(live) = live else { return Ok(None) };
            return Ok(Some((cursor_at(live, place, &[])?, Rc::clone(live))));
        };
        let Some(file) = found(self.shelf, find::on_shelf(known, self.shelf, &[], 0)?) else {
            return Ok(None);
        };
        let foreign = then.foreign.iter().filter(|foreign| foreign.id == known.id);
        let end = foreign.map(|foreign| foreign.start + foreign.length).max().unwrap_or(0);
        Ok(Some((Cursor { offset: known.offset.max(end), ..known.clone() }, file)))
    }

    fn note(&self, then: &mut CopyState, file: Option<&LogFile>, place: Foreign) -> io::Result<()> {
        if self.aside {
            then.foreign_bytes += place.length;
            then.beside = place.start + place.length;
            return Ok(());
        }
        note(then, file, place)
    }

    /// Whether the journal is to be believed; the file is the one that has it, which may have been rotated, packed or copied
    /// since.
    #[expect(clippy::option_option, reason = "it may be believed where the file is gone")]
    fn confirmed(
        &self,
        archive: &mut Archive,
        gift: &Gift<'_>,
        given: &Given<'_>,
    ) -> io::Result<Option<Option<Rc<LogFile>>>> {
        let file = found(self.shelf, find::on_shelf(given.end, self.shelf, &[], 0)?);
        if self.receiver.ending == Ending::Process {
            return Ok(Some(file));
        }
        let (Some(file), Some((_, (from, to)))) = (&file, gift.about) else {
            return Ok(file.map(Some));
        };
        let tail = Stream::of(file, given.start..given.start + given.length);
        archive.reach(from)?;
        let streams = lines_of(archive, from..to)?;
        let Some((_, block)) = streams.first() else { return Ok(None) };
        let same = agreement(&tail, 0, block, 0, given.length)?.bytes;
        Ok((same == given.length).then(|| Some(Rc::clone(file))))
    }

    /// Where a block lies.
    fn look_for(&self, before: &Cursor, block: &Stream) -> io::Result<Option<(Rc<LogFile>, Lies)>> {
        let likely = found(self.shelf, find::on_shelf(before, self.shelf, &[], 0)?);
        for file in likely.iter().chain(&self.shelf.live).chain(&self.shelf.rotated) {
            // What is being packed cannot be read.
            let Ok(end) = file.length() else { continue };
            let tail = Stream::of(file, 0..end);
            let lies = match self.receiver.ending {
                Ending::Process => resume::find_block(&tail, before.offset, block, self.alone)?,
                Ending::Machine => resume::find_ruined(&tail, before.offset, block, self.alone)?,
            };
            if let Some(lies) = lies {
                return Ok(Some((Rc::clone(file), lies)));
            }
        }
        Ok(None)
    }

    /// Brings to its end what lies there of a block, where nobody has written behind it.
    fn finish(
        &self,
        before: &Cursor,
        (from, to): (u64, u64),
        block: &Stream,
        file: &Rc<LogFile>,
        lies: Lies,
        then: &mut CopyState,
    ) -> io::Result<u64> {
        let Lies { start, mut length, mut nothing } = lies;
        let whole = self.whole(file)?;
        if let Some(whole) = whole.as_ref().filter(|_| self.alone && nothing > 0)
            && whole.size == start + length + nothing
        {
            whole.file().set_len(start + length)?;
            nothing = 0;
        }
        if nothing == 0
            && let Some(whole) = &whole
            && whole.length()? == start + length
            && !whole.ends_a_line(start + length)?
        {
            // It was cut off in the middle of a line, so it gets its end.
            let line_end = match resume::line(block, length)? {
                _ if length == 0 || length == block.length() => length,
                Some(rest) => length + rest,
                None => block.length(),
            };
            let (mut runs, mut written) = (Vec::new(), Appended::default());
            let (first, each) = (block.first(line_end), &mut |_, _, _| Ok(()));
            append(whole, &first, length, Wanted::Nothing, &mut runs, &mut written, each)?;
            length += written.bytes;
            whole.file().sync_all()?;
        }
        // What was cut off and could not be finished is given again.
        let sent = to.min(from + agreement(block, 0, block, 0, length)?.lines);
        let all = length + nothing;
        let proof = file.proof(start + all)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let end = Cursor { id: before.id, offset: start + all, proof, written: before.written };
        let side = self.receiver.target.side.to_owned();
        let given = Deed::Given { side, start, length: all, end, sent };
        // Otherwise content tells again.
        if self.receiver.ending == Ending::Process {
            self.receiver.setting.journal.done(self.receiver.name, &given)?;
        }
        self.note(then, Some(file), Foreign { id: before.id, start, length: all })?;
        Ok(sent)
    }

    /// The file for us to append to, if it is the one at the path still.
    fn whole(&self, file: &LogFile) -> io::Result<Option<LogFile>> {
        if file.packing != Packing::Plain {
            return Ok(None);
        }
        let owners = &self.receiver.setting.around.owners(self.receiver.target.path);
        let whole = LogFile::open(&file.path, Packing::Plain, Access::Append, owners).ok();
        let size = file.length()?;
        Ok(whole.filter(|whole| whole.id == file.id && whole.size == size))
    }
}

/// The file that was found.
pub(crate) fn found(shelf: &Shelf, found: Found) -> Option<Rc<LogFile>> {
    match found {
        Found::Live => shelf.live.clone(),
        Found::Rotated(index) => shelf.rotated.get(index).cloned(),
        Found::Lost => None,
    }
}
