//! What lies in the directories of logs: listed once a run, as long as nothing has changed there; and what the
//! configuration says of the copy at a path.
//!
//! Apart from `find`, which says what a file that is listed there is.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use crate::clock;
use crate::config::{Config, LogConfig, may_mix};
use crate::durable;

use super::file::{Owners, in_words};
use super::plan::BESIDE;
use super::state::State;

/// The clock of a file system may stand still for so long, so that a change may not show in a directory's time.
const TICK: Duration = Duration::from_millis(20);
/// The same for one that only knows seconds, or every other one.
const COARSE_TICK: Duration = Duration::from_secs(3);
/// Who may own a copy of any log, beside root, the user who runs and the configured owner.
const WEB: &str = "www-data";

/// A file by where it is: the numbers of its directory's file system and of the directory, and its name.
type Place = (u64, u64, std::ffi::OsString);

/// Users that a log names: those that it allows, and the one for whom its files are made.
type Named<'a> = (&'a [String], Option<&'a str>);

/// The directories of all logs.
#[derive(Debug)]
pub(crate) struct Around<'a> {
    config: &'a Config,
    copies: OnceCell<HashMap<&'a Path, Known<'a>>>,
    /// Whose a file is: the archives first.
    claims: OnceCell<HashMap<Place, &'a Path>>,
    directories: RefCell<HashMap<PathBuf, Option<(u64, u64)>>>,
    listings: RefCell<HashMap<PathBuf, Listing>>,
    /// What is on record, of which only directories are asked for.
    record: OnceCell<Option<State>>,
    /// Who may own a file, by what a log adds.
    owners: RefCell<HashMap<Named<'a>, Rc<Owners>>>,
}

/// A copy in the configuration.
#[derive(Debug, Clone, Copy)]
struct Known<'a> {
    name: &'a str,
    log: &'a LogConfig,
    side: &'a str,
}

#[derive(Debug)]
struct Listing {
    /// When the directory was last changed.
    changed: SystemTime,
    names: Names,
}

/// Names in order.
pub(crate) type Names = Rc<Vec<Vec<u8>>>;

/// Why the files of a copy cannot be looked for where they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Nowhere {
    /// There is no such directory.
    Missing(String),
    /// There may be one, and nobody lets us look.
    Unreadable(String),
}

/// Two paths that are one file, in words.
pub(crate) fn one_file(path: &Path, other: &Path) -> String {
    format!(
        "{} is the same file as {}: take one of the two out of the configuration, or give it a file of its own",
        path.display(),
        other.display()
    )
}

/// Why a log is missing, where that is to be told: none of its copies is there, but for an archive that has nothing, as a run
/// makes it.
pub(crate) fn missing(log: &LogConfig, hub: &str) -> Option<String> {
    let is_gone = |path: &Path| {
        std::fs::symlink_metadata(path).is_err_and(|cause| cause.kind() == io::ErrorKind::NotFound)
    };
    let is_empty = |path: &Path| std::fs::symlink_metadata(path).is_ok_and(|file| file.len() == 0);
    let others: Vec<&Path> = log.others(hub).map(|(_, path)| path.as_path()).collect();
    let archive = log.copies.get(hub)?.as_path();
    let is_archive = is_gone(archive) || (is_empty(archive) && !others.is_empty());
    if log.rotate.missing_ok || !is_archive || !others.iter().all(|path| is_gone(path)) {
        return None;
    }
    let written = log.others(hub).filter(|(side, _)| !log.mirrors.contains(*side));
    let mut paths: Vec<String> = written.map(|(_, path)| path.display().to_string()).collect();
    if paths.is_empty() {
        paths.push(archive.display().to_string());
    }
    Some(format!(
        "nobody has written it yet: {} {} not there. Correct \"copies\" in the configuration, or set \"missingok\" of \"rotate\" where that is as it should be",
        paths.join(", "),
        if paths.len() == 1 { "is" } else { "are" }
    ))
}

impl<'a> Around<'a> {
    pub(crate) fn of(config: &'a Config) -> Around<'a> {
        Around {
            config,
            copies: OnceCell::new(),
            claims: OnceCell::new(),
            directories: RefCell::default(),
            listings: RefCell::default(),
            record: OnceCell::new(),
            owners: RefCell::default(),
        }
    }

    fn copies(&self) -> &HashMap<&'a Path, Known<'a>> {
        let of_log = |(name, log): (&'a String, &'a LogConfig)| {
            log.copies.iter().map(move |(side, path)| (path.as_path(), Known { name, log, side }))
        };
        self.copies.get_or_init(|| self.config.logs.iter().flat_map(of_log).collect())
    }

    /// Whose copy a path is, or lies beside for what others write.
    fn copy(&self, path: &Path) -> Option<Known<'a>> {
        let beside = || {
            let own = path.as_os_str().as_bytes().strip_suffix(BESIDE.as_bytes())?;
            self.copies().get(Path::new(std::ffi::OsStr::from_bytes(own)))
        };
        self.copies().get(path).or_else(beside).copied()
    }

    /// Whether a path is a copy of some log, and so no rotated file of another one.
    pub(crate) fn is_copy(&self, path: &Path) -> bool {
        self.copies().contains_key(path)
    }

    /// Who may own the files of the copy at a path.
    pub(crate) fn owners(&self, path: &Path) -> Rc<Owners> {
        let log = self.copy(path).map(|copy| copy.log);
        let added = log.map_or(&[][..], |log| log.allow_owners.as_slice());
        // Who gets what is made when it is rotated.
        let maker = log.and_then(|log| log.rotate.create.owner.as_ref()).map(|(user, _)| user.as_str());
        let mut known = self.owners.borrow_mut();
        let owners = known.entry((added, maker)).or_insert_with(|| {
            let always = [self.config.ownership.user.as_str(), WEB];
            let named = always.into_iter().chain(maker).chain(added.iter().map(String::as_str));
            let numbers = [0, rustix::process::geteuid().as_raw()];
            Rc::new(Owners(numbers.into_iter().chain(named.filter_map(durable::user_named)).collect()))
        });
        Rc::clone(owners)
    }

    /// Who is named among the owners of a log, and is no user of this machine, in words.
    pub(crate) fn strangers(&self, log: &LogConfig) -> Vec<String> {
        let unknown = log.allow_owners.iter().filter(|name| durable::user_named(name).is_none());
        unknown
            .map(|name| {
                format!(
                    "\"allow_owners\" names {name:?}, and this machine has no such user: nobody is allowed by that. Correct it, or take it out"
                )
            })
            .collect()
    }

    /// Where rotated files of the copy at a path may lie, beside its own directory.
    pub(crate) fn olddir(&self, path: &Path) -> Option<PathBuf> {
        let copy = self.copy(path)?;
        copy.log.olddir(&self.config.hub, copy.side).filter(|olddir| path.parent() != Some(olddir))
    }

    /// Where rotated files of the copy at a path may lie from the time before its configuration was changed.
    pub(crate) fn former_olddirs(&self, path: &Path) -> Vec<PathBuf> {
        let Some(copy) = self.copy(path) else { return Vec::new() };
        // Whoever cannot read what is on record does nothing at all, and has said so.
        let open = || State::open(&self.config.root.join("sync_state").join("logs")).ok();
        let Some(record) = self.record.get_or_init(open) else { return Vec::new() };
        let mut former = record.olddirs(copy.name).remove(copy.side).unwrap_or_default();
        let now = self.olddir(path);
        former.retain(|directory| now.as_ref() != Some(directory) && path.parent() != Some(directory));
        former
    }

    /// Another copy whose rotated files in a directory would be taken for those of the copy at a path, as the configuration
    /// names that directory for it now.
    pub(crate) fn taken_over(&self, directory: &Path, path: &Path) -> Option<&'a Path> {
        let name = |path: &Path| path.file_name().unwrap_or_default().as_bytes().to_vec();
        let own = name(path);
        self.copies().iter().find_map(|(other, copy)| {
            let looks = other.parent() == Some(directory)
                || copy.log.olddir(&self.config.hub, copy.side).as_deref() == Some(directory);
            let mixed = || may_mix(&own, &name(other)) || may_mix(&name(other), &own);
            (*other != path && looks && mixed()).then_some(*other)
        })
    }

    /// Why the directories of a copy that is not the archive cannot be looked at: where they are not there, nothing in them is
    /// taken for gone.
    pub(crate) fn obstacle(&self, path: &Path) -> Option<Nowhere> {
        let side = self.copy(path).map_or("the side", |copy| copy.side);
        let own =
            path.parent().map(|own| (own.to_path_buf(), format!("the directory of {}", path.display())));
        let olddir = self.olddir(path).map(|olddir| {
            let what = format!("the directory {} of rotated files of {}", olddir.display(), path.display());
            (olddir, what)
        });
        own.into_iter().chain(olddir).find_map(|(directory, what)| match std::fs::metadata(&directory) {
            Ok(found) if found.is_dir() => None,
            Ok(_) => Some(Nowhere::Unreadable(format!(
                "{what} is no directory: move away what lies there, or correct the path in the configuration"
            ))),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Some(Nowhere::Missing(format!(
                "{what} is not there; a mount may be missing. Make it, or take {side} out of the configuration"
            ))),
            Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => Some(Nowhere::Unreadable(format!(
                "{what} may not be looked at by this user: it needs the right to pass (x) each directory above {}",
                directory.display()
            ))),
            Err(cause) => Some(Nowhere::Unreadable(in_words("look at", &directory, &cause))),
        })
    }

    /// Another copy, of this log or another one, that is the same file, as its directory is the same by another name. Whether
    /// the file is there or not. Archives are what they are; the others are it.
    pub(crate) fn same(&self, path: &Path) -> Option<&'a Path> {
        let hub = &self.config.hub;
        let claims = self.claims.get_or_init(|| {
            let (mut claims, logs) = (HashMap::new(), self.config.logs.values());
            let archives = logs.clone().filter_map(|log| log.copies.get(hub));
            for path in archives.chain(logs.flat_map(|log| log.others(hub).map(|(_, path)| path))) {
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
        let whole = changed.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|at| at.subsec_nanos() == 0);
        let tick = if whole { COARSE_TICK } else { TICK };
        if now.duration_since(changed).is_ok_and(|ago| ago > tick) {
            let listing = Listing { changed, names: Rc::clone(&names) };
            self.listings.borrow_mut().insert(directory.to_path_buf(), listing);
        }
        Ok(names)
    }

    /// Lists a directory anew when it is asked for next.
    pub(crate) fn forget(&self, directory: &Path) {
        self.listings.borrow_mut().remove(directory);
    }
}
