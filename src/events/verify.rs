//! Proves that the event log, and the archives before it, are what was written.

use std::io::{BufRead, BufReader};
use std::path::Path;

use super::archive::{Manifest, beginning, manifests, unpack};
use super::chain::{Break, Chain};
use super::log::{self, Place};
use crate::config::Config;
use crate::durable;
use crate::error::{Error, Result};
use crate::report::{EventsBreak, EventsVerifyReport, SCHEMA};

/// Follows the chain from the oldest archive to the last line.
///
/// # Errors
/// When the log cannot be read. What is wrong in it is in the report.
pub fn verify(config: &Config) -> Result<EventsVerifyReport> {
    // Nobody moves anything meanwhile.
    let _lock = log::lock(config)?;
    let path = &config.events.log;
    let mut all = Vec::new();
    let archives = manifests(config)?;
    let mut chain = Chain::from(Some(&beginning(config, archives.first().map(|(_, first)| first))));
    let mut checked = 0;
    for (file, manifest) in &archives {
        checked += 1;
        match unpack(file) {
            Ok(text) if manifest.fits(&text) => {
                follow(&mut chain, file, &mut text.as_slice(), &mut all)
                    .map_err(|cause| read(file, cause))?;
            }
            Ok(_) => {
                all.push(broken(file, manifest, "it is not what was archived"));
                chain.go_on(&manifest.after());
            }
            Err(cause) => {
                all.push(broken(file, manifest, &format!("it cannot be unpacked: {cause}")));
                chain.go_on(&manifest.after());
            }
        }
    }
    let lines = match durable::open_regular(path) {
        Ok(file) => follow(&mut chain, path, &mut BufReader::new(file), &mut all)
            .map_err(|cause| read(path, cause))?,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => 0,
        Err(cause) => return Err(read(path, cause)),
    };
    let known = Place::of(config)?.head;
    let end = chain.head();
    if known.seq > end.seq {
        all.push(EventsBreak {
            file: path.clone(),
            line: lines + 1,
            kind: "cut".to_owned(),
            reason: format!("the last {} events are not there", known.seq - end.seq),
        });
    }
    Ok(EventsVerifyReport {
        schema: SCHEMA,
        ok: all.is_empty(),
        events: chain.ours,
        others: chain.others,
        unheld: chain.unheld,
        archives: checked,
        breaks: u64::try_from(all.len()).unwrap_or(u64::MAX),
        first_break: all.into_iter().next(),
    })
}

fn read(path: &Path, cause: std::io::Error) -> Error {
    Error::io("read the event log", path, cause)
}

fn broken(file: &Path, manifest: &Manifest, why: &str) -> EventsBreak {
    EventsBreak {
        file: file.to_path_buf(),
        line: 1,
        kind: "archive".to_owned(),
        reason: format!("{why}: events {} to {}", manifest.first_seq, manifest.last_seq),
    }
}

/// Follows the lines of one file; returns how many there are.
fn follow(
    chain: &mut Chain,
    path: &Path,
    from: &mut dyn BufRead,
    all: &mut Vec<EventsBreak>,
) -> std::io::Result<u64> {
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Ok(number);
        }
        number += 1;
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let Some(found) = chain.next(text) else { continue };
        let (kind, reason) = match found {
            Break::Missing(1) => ("missing", "an event before it is not there".to_owned()),
            Break::Missing(count) => ("missing", format!("{count} events before it are not there")),
            Break::Again => ("again", "its number was there before".to_owned()),
            Break::Changed => ("changed", "the line before it is not the one that was there".to_owned()),
        };
        all.push(EventsBreak { file: path.to_path_buf(), line: number, kind: kind.to_owned(), reason });
    }
}
