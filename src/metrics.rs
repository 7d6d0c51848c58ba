//! How it is, as Prometheus reads it: the text format that the node exporter takes from files.
//!
//! Apart from the status reports, from which every number is taken: here is how they are called. Names follow the rules of
//! the node exporter: seconds and bytes, `_total` for what only grows. What is not known has no sample; a report that
//! cannot be made is `cr0sync_source_up` 0, and takes nothing else with it.

mod families;
mod text;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::clock;
use crate::config::Config;
use crate::doctor::Now;
use crate::durable::{Folder, Nascent};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;
use crate::report::{MetricsReport, SCHEMA};

/// Everybody may read it: the node exporter is a user of its own.
const MODE: u32 = 0o644;

/// Those who run in the same minute write one after another; nobody writes for so long (milliseconds).
const WAIT_MS: u64 = 10_000;
/// Between two tries (milliseconds).
const PAUSE_MS: u64 = 5;

/// Says how it is.
#[must_use]
pub fn metrics(config: &Config) -> MetricsReport {
    MetricsReport { schema: SCHEMA, text: text::text(&families::families(config, &Now::read())) }
}

/// The same, put in the place of a file, whole or not at all.
///
/// # Errors
/// [`ErrorKind::Usage`] where the path names no file, [`ErrorKind::Io`] or [`ErrorKind::Access`] when it cannot be written;
/// what was there before is still there then.
pub fn write(config: &Config, path: &Path) -> Result<MetricsReport> {
    if path.file_name().is_none() || path.is_dir() {
        return Err(Error::new(ErrorKind::Usage, "metrics are written into a file, not")
            .at(path)
            .hint("name a file, such as /var/lib/prometheus/node-exporter/cr0sync.prom"));
    }
    let path = std::path::absolute(path).map_err(|cause| Error::io("find", path, cause))?;
    let _alone = alone(path.parent().unwrap_or(&path))?;
    let report = metrics(config);
    let nascent = Nascent::of_ours(&path, "metrics")?;
    let mut file = nascent.file();
    file.write_all(report.text.as_bytes())
        .and_then(|()| file.set_permissions(std::fs::Permissions::from_mode(MODE)))
        .map_err(|cause| Error::io("write", &path, cause))?;
    nascent.supersede()?;
    Ok(report)
}

/// Keeps a directory for us alone, as what is in the making has one name there.
fn alone(directory: &Path) -> Result<Folder> {
    let real = directory.canonicalize().map_err(|cause| Error::io("find", directory, cause))?;
    let missing = || Error::new(ErrorKind::Io, "there is no directory").at(directory).hint("make it");
    let folder = Folder::open(&real)?.ok_or_else(missing)?;
    let began = clock::start();
    while !folder.try_lock()? {
        if began.millis() >= WAIT_MS {
            let what = format!("somebody else has kept this directory locked for {} seconds", WAIT_MS / 1000);
            return Err(Error::new(ErrorKind::Busy, what).at(directory).hint("see who in /proc/locks"));
        }
        interrupt::check()?;
        clock::pause(PAUSE_MS);
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The three scripts of cron write the same file in the same minute.
    #[test]
    fn many_write_one_file_at_once() {
        let root = tempfile::tempdir().unwrap();
        let config =
            Config::parse(br#"{"version": 1, "databases": {}, "logs": {}}"#, root.path(), None).unwrap();
        let path = root.path().join("cr0sync.prom");
        std::thread::scope(|scope| {
            let write = || (0..20).for_each(|_| drop(write(&config, &path).unwrap()));
            let all: Vec<_> = (0..4).map(|_| scope.spawn(write)).collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        });
        assert!(std::fs::read_to_string(&path).unwrap().ends_with('\n'));
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_appears_whole_and_for_everybody() {
        let root = tempfile::tempdir().unwrap();
        let config =
            Config::parse(br#"{"version": 1, "databases": {}, "logs": {}}"#, root.path(), None).unwrap();
        let path = root.path().join("cr0sync.prom");
        std::fs::write(&path, "before").unwrap();
        let report = write(&config, &path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), report.text);
        assert!(report.text.contains("cr0sync_build_info{") && report.text.ends_with('\n'));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o644);
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left beside it");
        for wrong in [root.path(), Path::new("/"), Path::new("..")] {
            assert_eq!(write(&config, wrong).unwrap_err().kind(), ErrorKind::Usage);
        }
        assert!(write(&config, &root.path().join("missing/x.prom")).is_err());
    }
}
