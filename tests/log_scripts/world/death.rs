//! How a run dies, alone or with its machine, and what of what it wrote is there then.
//!
//! Apart from the world, which says what happens besides.

use std::any::Any;
use std::fs::{self, File};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::time::Duration;

use crate::logs::steps::{Step, Steps};

use super::{SOURCES, World};

/// What the process leaves behind where it dies.
struct Death;

pub(super) fn died(cause: &(dyn Any + Send)) -> Result<(), String> {
    if cause.is::<Death>() { Ok(()) } else { Err(format!("a panic: {:?}", cause.downcast_ref::<String>())) }
}

impl World {
    /// What is on disk now stays.
    fn synced(&self) {
        let mut stable = self.stable.borrow_mut();
        for path in self.written_to() {
            stable.insert(path.clone(), fs::metadata(&path).map_or(0, |file| file.len()));
        }
    }

    /// The journal first.
    fn written_to(&self) -> Vec<PathBuf> {
        let journal = self.dir.path().join("sync_state/logs/journal");
        std::iter::once(journal)
            .chain(["central", "website", "bot", "other"].map(|side| self.path(side)))
            .collect()
    }

    /// The machine dies: of what was not brought to disk any part is there, or its size without what was in it.
    pub(super) fn lose_power(&self) {
        let stable = self.stable.take();
        for path in self.written_to() {
            let Ok(bytes) = fs::read(&path) else { continue };
            let Some(from) = stable.get(&path).map(|from| *from as usize).filter(|from| *from < bytes.len())
            else {
                continue;
            };
            self.has_places.set(true);
            let is_source = SOURCES.iter().any(|side| path == self.path(side));
            let at = from + self.roll(|rng| rng.below(bytes.len() - from));
            // Of a source little is known for sure.
            let at = if is_source { from } else { at };
            let mut kept = bytes.clone();
            match self.roll(|rng| rng.below(4)) {
                0 => continue,
                1 => kept.truncate(at),
                2 => kept[at..].fill(0),
                _ => {
                    let to = (at + self.roll(|rng| rng.below(6000))).min(bytes.len());
                    kept[at..if is_source { bytes.len() } else { to }].fill(0);
                }
            }
            fs::write(&path, &kept).unwrap();
            if path != self.written_to()[0] {
                self.touch(&path);
            }
            self.say(format!(
                "of {path:?}, {} bytes of which {from} were on disk, {at} come to disk whole, {} at all",
                bytes.len(),
                kept.len()
            ));
        }
        let journal = &self.written_to()[0];
        let text = fs::read_to_string(journal).unwrap_or_default();
        // Of every plan in it.
        let there = "\"boot\":\"";
        if text.contains(there) {
            fs::write(journal, text.replace(there, &format!("{there}x"))).unwrap();
        }
        let a_while = Duration::from_secs(120);
        // Nobody is in the midst of a line there.
        for path in [self.path("central"), self.path("website")].iter().filter(|path| path.exists()) {
            File::options().append(true).open(path).unwrap().set_modified(self.now() - a_while).unwrap();
        }
        self.say("the machine is started again".into());
    }

    /// The kernel may have written less of the last append than all of it.
    pub(super) fn cut_off(&self) {
        if self.last.get() != Some(Step::Written) || self.chatter.get() > 0 || self.roll(|rng| rng.chance(40))
        {
            return;
        }
        let path = self.path("central");
        let (before, now) = (self.known.get(), fs::metadata(&path).unwrap().len());
        // A write is stopped between two pages only.
        let pages: Vec<u64> = (before..now).filter(|place| *place % 4096 == 0).collect();
        if pages.is_empty() {
            return;
        }
        let to = self.roll(|rng| *rng.pick(&pages));
        File::options().write(true).open(&path).unwrap().set_len(to).unwrap();
        self.say(format!("its last {} bytes were not written", now - to));
    }
}

impl Steps for World {
    fn at(&self, step: Step) {
        self.last.set(Some(step));
        if matches!(step, Step::Declared | Step::Synced) {
            self.synced();
        }
        if matches!(step, Step::Written | Step::Given) {
            self.touch_written();
        }
        if self.roll(|rng| rng.chance(self.chatter.get())) {
            let writer = self.roll(|rng| rng.below(SOURCES.len()));
            match self.roll(|rng| rng.below(10)) {
                0..6 => self.append(writer),
                6 => self.part(writer),
                7 => self.late(writer),
                8 => self.rotate(writer),
                _ => self.edit_archive(),
            }
        }
        if step != Step::Written {
            self.known.set(fs::metadata(self.path("central")).map_or(0, |file| file.len()));
        }
        match self.dies_in.get() {
            Some(0) => {
                self.dies_in.set(None);
                self.say(format!("the run dies: {step:?}"));
                resume_unwind(Box::new(Death));
            }
            more => self.dies_in.set(more.map(|more| more - 1)),
        }
    }
}
