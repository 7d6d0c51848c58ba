//! What the files say, kept as long as they say it: who has which digest.
//!
//! Each thread keeps its own, so that nothing is shared with a child or locked while somebody waits. Whoever is looked for
//! is found by a hash that nobody outside can predict, and compared in a time that says nothing.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};

use super::grant::{Digest, is_same};
use super::shelf::Kind;
use crate::clock::Hashing;
use crate::durable::{Reading, Watched};
use crate::error::{Error, ErrorKind, Result};

/// More files than this are not kept at once: nobody has so many configurations in one process.
const MAX_FILES: usize = 16;

/// Things by their digest.
#[derive(Debug)]
pub(super) struct Index<T> {
    places: HashMap<u64, Vec<usize>>,
    hasher: Hashing,
    things: Vec<(Digest, T)>,
}

impl<T> Default for Index<T> {
    fn default() -> Index<T> {
        Index { places: HashMap::new(), hasher: Hashing::default(), things: Vec::new() }
    }
}

impl<T> Index<T> {
    pub(super) fn add(&mut self, digest: Digest, thing: T) {
        self.places.entry(self.hasher.hash_one(digest)).or_default().push(self.things.len());
        self.things.push((digest, thing));
    }

    /// All that have a digest.
    pub(super) fn find<'a>(&'a self, digest: &'a Digest) -> impl Iterator<Item = &'a T> {
        let places = self.places.get(&self.hasher.hash_one(digest)).map_or(&[][..], Vec::as_slice);
        let found = places.iter().filter_map(|place| self.things.get(*place));
        found.filter(|(own, _)| is_same(own, digest)).map(|(_, thing)| thing)
    }

    /// All with their digests.
    pub(super) fn each(&self) -> impl Iterator<Item = &(Digest, T)> {
        self.things.iter()
    }

    /// All, in the order of the file.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.things.iter().map(|(_, thing)| thing)
    }
}

/// What is kept of files.
pub(super) type Kept<T> = RefCell<Vec<Slot<T>>>;

/// What is kept of one file.
#[derive(Debug)]
pub(super) struct Slot<T> {
    /// What it is asked by: a path that is at hand, and which of the files that hang on it.
    by: (PathBuf, Kind),
    path: PathBuf,
    watched: Option<Watched<T>>,
}

/// The same where the question has an answer for a file that cannot be read: for that it is as one that makes no sense.
pub(super) fn ask_anyway<T, A>(
    kept: &Kept<T>,
    by: (&Path, Kind),
    path: impl FnOnce() -> PathBuf,
    make: fn(Reading) -> T,
    question: impl FnOnce(&T) -> A,
) -> Result<A> {
    with_slot(kept, by, path, |slot| match Watched::current(&mut slot.watched, &slot.path, make) {
        Ok(made) => question(made),
        Err(error) => question(&make(Reading::Broken(error.to_string()))),
    })
}

/// Asks what a file says now, whose path is made only once.
pub(super) fn ask<T, A>(
    kept: &Kept<T>,
    by: (&Path, Kind),
    path: impl FnOnce() -> PathBuf,
    make: impl FnOnce(Reading) -> T,
    question: impl FnOnce(&T) -> A,
) -> Result<A> {
    with_slot(kept, by, path, |slot| Watched::current(&mut slot.watched, &slot.path, make).map(question))?
}

fn with_slot<T, A>(
    kept: &Kept<T>,
    by: (&Path, Kind),
    path: impl FnOnce() -> PathBuf,
    act: impl FnOnce(&mut Slot<T>) -> A,
) -> Result<A> {
    let lost = |what| Error::new(ErrorKind::Internal, what).at(by.0);
    let mut slots = kept.try_borrow_mut().map_err(|_| lost("cannot ask while a question is open about"))?;
    let is_it = |slot: &Slot<T>| slot.by.1 == by.1 && slot.by.0 == by.0;
    if !slots.iter().any(is_it) {
        if slots.len() >= MAX_FILES {
            slots.clear();
        }
        slots.push(Slot { by: (by.0.to_path_buf(), by.1), path: path(), watched: None });
    }
    let slot = slots.iter_mut().find(|slot| is_it(slot));
    slot.map(act).ok_or_else(|| lost("cannot keep what was read of"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_digest_is_found_and_nobody_else() {
        let mut index = Index::default();
        for n in 0..1_000_u32 {
            index.add(super::super::token::digest(&n.to_le_bytes()), n);
        }
        index.add(super::super::token::digest(&7_u32.to_le_bytes()), 1_007);
        for n in 0..1_100_u32 {
            let digest = super::super::token::digest(&n.to_le_bytes());
            let found: Vec<u32> = index.find(&digest).copied().collect();
            let expected = match n {
                7 => vec![7, 1_007],
                n if n < 1_000 => vec![n],
                _ => vec![],
            };
            assert_eq!(found, expected);
        }
        assert_eq!(index.all().count(), 1_001);
    }
}
