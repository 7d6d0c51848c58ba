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
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::Config;
use crate::doctor::Now;
use crate::durable::{self, Nascent};
use crate::error::{Error, ErrorKind, Result};
use crate::report::{MetricsReport, SCHEMA};

/// Everybody may read it: the node exporter is a user of its own.
const MODE: u32 = 0o644;

/// Files in the making have a number of their own in this process.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Says how it is.
///
/// # Errors
/// [`ErrorKind::Config`] where the root is not there: of nothing, nothing is told.
pub fn metrics(config: &Config) -> Result<MetricsReport> {
    durable::root_directory(&config.root)?;
    Ok(MetricsReport { schema: SCHEMA, text: text::text(&families::families(config, &Now::read())) })
}

/// The same, put in the place of a file, whole or not at all.
///
/// # Errors
/// As [`metrics`], [`ErrorKind::Usage`] where the path names no file, [`ErrorKind::Io`] or [`ErrorKind::Access`] when it
/// cannot be written; what was there before is still there then.
pub fn write(config: &Config, path: &Path) -> Result<MetricsReport> {
    if path.file_name().is_none() || path.is_dir() {
        return Err(Error::new(ErrorKind::Usage, "metrics are written into a file, not")
            .at(path)
            .hint("name a file, such as /var/lib/prometheus/node-exporter/cr0sync.prom"));
    }
    let path = std::path::absolute(path).map_err(|cause| Error::io("find", path, cause))?;
    let report = metrics(config)?;
    clean_up(&path);
    let nascent = Nascent::of_ours(&path, &tag())?;
    let mut file = nascent.file();
    file.write_all(report.text.as_bytes())
        .and_then(|()| file.set_permissions(std::fs::Permissions::from_mode(MODE)))
        .map_err(|cause| Error::io("write", &path, cause))?;
    nascent.supersede_among_others()?;
    Ok(report)
}

/// What a file in the making is called with behind its name: the three scripts of cron write the same file in the same minute.
fn tag() -> String {
    format!("metrics-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Removes what processes have left that were killed while they wrote.
fn clean_up(path: &Path) {
    let Some((directory, name)) = path.parent().zip(path.file_name()) else { return };
    let begin = format!("{}.new-metrics-", name.to_string_lossy());
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let of = entry.file_name().to_str().and_then(|name| {
            name.strip_prefix(&begin)?.split_once('-').and_then(|(process, _)| process.parse::<u32>().ok())
        });
        if of.is_some_and(|process| !Path::new("/proc").join(process.to_string()).exists()) {
            // Another run may have done it by now, or may alone be allowed to.
            let _ = std::fs::remove_file(entry.path());
        }
    }
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
        // Of a process that was killed; no process has such a number.
        std::fs::write(root.path().join("cr0sync.prom.new-metrics-4294967295-0"), "").unwrap();
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
