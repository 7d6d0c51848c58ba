//! What lies in the directories of logs: listed once a run, as long as nothing has changed there.
//!
//! Apart from `find`, which says what a file that is listed there is.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use crate::clock;
use crate::config::{Config, LogConfig};

use super::file::Owners;

/// The clock of a file system may stand still for so long, so that a change may not show in a directory's time.
const TICK: Duration = Duration::from_millis(20);

/// A file by where it is: the numbers of its directory's file system and of the directory, and its name.
type Place = (u64, u64, std::ffi::OsString);

/// The directories of all logs.
#[derive(Debug)]
pub(crate) struct Around<'a> {
    /// Who may own a file.
    pub(crate) owners: Owners,
    logs: &'a BTreeMap<String, LogConfig>,
    hub: &'a str,
    copies: OnceCell<HashSet<&'a Path>>,
    /// Whose a file is: the archives first.
    claims: OnceCell<HashMap<Place, &'a Path>>,
    directories: RefCell<HashMap<PathBuf, Option<(u64, u64)>>>,
    listings: RefCell<HashMap<PathBuf, Listing>>,
}

#[derive(Debug)]
struct Listing {
    /// When the directory was last changed.
    changed: SystemTime,
    names: Names,
}

/// Names in order.
pub(crate) type Names = Rc<Vec<Vec<u8>>>;

impl<'a> Around<'a> {
    pub(crate) fn of(config: &'a Config) -> Around<'a> {
        Around {
            owners: super::owners(config),
            logs: &config.logs,
            hub: &config.hub,
            copies: OnceCell::new(),
            claims: OnceCell::new(),
            directories: RefCell::default(),
            listings: RefCell::default(),
        }
    }

    /// Whether a path is a copy of some log, and so no rotated file of another one.
    pub(crate) fn is_copy(&self, path: &Path) -> bool {
        let all = || self.logs.values().flat_map(|log| log.copies.values()).map(PathBuf::as_path).collect();
        self.copies.get_or_init(all).contains(path)
    }

    /// Another copy, of this log or another one, that is the same file, as its directory is the same by another name. Whether
    /// the file is there or not. Archives are what they are; the others are it.
    pub(crate) fn same(&self, path: &Path) -> Option<&'a Path> {
        let claims = self.claims.get_or_init(|| {
            let (mut claims, logs) = (HashMap::new(), self.logs.values());
            let archives = logs.clone().filter_map(|log| log.copies.get(self.hub));
            for path in archives.chain(logs.flat_map(|log| log.others(self.hub).map(|(_, path)| path))) {
                if let Some(place) = self.place(path) {
                    claims.entry(place).or_insert(path.as_path());
                }
            }
            claims
        });
        claims.get(&self.place(path)?).copied().filter(|other| *other != path)
    }

    fn place(&self, path: &Path) -> Option<Place> {
        let directory = path.parent()?;
        let mut known = self.directories.borrow_mut();
        let numbers = match known.get(directory) {
            Some(numbers) => *numbers,
            None => {
                let numbers = std::fs::metadata(directory).ok().map(|found| (found.dev(), found.ino()));
                known.insert(directory.to_path_buf(), numbers);
                numbers
            }
        };
        let (device, number) = numbers?;
        Some((device, number, path.file_name()?.to_owned()))
    }

    /// The names in a directory.
    pub(crate) fn names(&self, directory: &Path) -> io::Result<Names> {
        let changed = std::fs::metadata(directory)?.modified()?;
        if let Some(listing) =
            self.listings.borrow().get(directory).filter(|listing| listing.changed == changed)
        {
            return Ok(Rc::clone(&listing.names));
        }
        let now = SystemTime::from(clock::now());
        let mut names = std::fs::read_dir(directory)?
            .map(|entry| Ok(entry?.file_name().into_vec()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        let names = Rc::new(names);
        // Where it has just been changed, it may be changed again without another time.
        if now.duration_since(changed).is_ok_and(|ago| ago > TICK) {
            let listing = Listing { changed, names: Rc::clone(&names) };
            self.listings.borrow_mut().insert(directory.to_path_buf(), listing);
        }
        Ok(names)
    }
}
