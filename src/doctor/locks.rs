//! Locks that somebody holds for long.
//!
//! A lock goes with its process, so that none is ever left over; but a process can hang.

use std::fs;
use std::path::Path;

use super::Now;
use super::finding::{warning, well};
use crate::durable;
use crate::report::{DoctorFinding, LockHeld};

/// No run takes so long; the cron scripts end theirs after ten minutes (seconds).
const LONG: i64 = 900;
/// Who watches does so for ever.
const FOR_EVER: &str = "watch";
/// The kernel tells when a process started in hundredths of a second since the machine did.
const TICKS: u64 = 100;

pub(super) fn findings(root: &Path, now: &Now) -> Vec<DoctorFinding> {
    let held = durable::locks_held(root);
    let long = held.iter().filter(|lock| lock.name != FOR_EVER);
    let mut all: Vec<DoctorFinding> = long.filter_map(|lock| told(lock, held_seconds(lock, now)?)).collect();
    if all.is_empty() {
        all.push(well("locks", "nobody holds one for long"));
    }
    all
}

fn told(lock: &LockHeld, age: i64) -> Option<DoctorFinding> {
    if age <= LONG {
        return None;
    }
    let who = lock.process.map_or_else(|| "a process".to_owned(), |process| format!("process {process}"));
    let what = format!("{who} holds the lock {} for {} minutes", lock.name, age / 60);
    let remedy = match lock.process {
        Some(process) => format!(
            "see what it does (ps -o pid,user,etime,args -p {process}); where it hangs, end it: kill {process}"
        ),
        None => format!("find it (as root: fuser -v {}), and end it where it hangs", lock.path),
    };
    Some(warning("locks", what).at(Path::new(&lock.path)).mended_by(remedy))
}

/// How long it is held: since its holder wrote it down; where none did, at most since that process began.
pub(crate) fn held_seconds(lock: &LockHeld, now: &Now) -> Option<i64> {
    if let Some(age) = lock.since.as_deref().and_then(|since| now.age(since)) {
        return Some(age.max(0));
    }
    let text = fs::read_to_string(format!("/proc/{}/stat", lock.process?)).ok()?;
    let began = began(&text)?;
    i64::try_from(now.boot.seconds.saturating_sub(began)).ok()
}

/// When a process began, in seconds since the machine did: the twenty-second word; the second one may have spaces in it.
fn began(stat: &str) -> Option<u64> {
    let (_, after) = stat.rsplit_once(')')?;
    let ticks: u64 = after.split_whitespace().nth(19)?.parse().ok()?;
    ticks.checked_div(TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_held_for_long_is_told_with_its_holder() {
        let lock = LockHeld {
            name: "databases".to_owned(),
            path: "/x/sync_state/lock".to_owned(),
            process: Some(17),
            since: None,
        };
        assert_eq!(told(&lock, LONG), None);
        let one = told(&lock, LONG + 60).unwrap();
        assert_eq!(one.what, "process 17 holds the lock databases for 16 minutes");
        assert!(one.remedy.unwrap().ends_with("kill 17"));
    }

    #[test]
    fn when_a_process_began_is_read_whatever_it_is_called() {
        let stat = "17 (a ) b) S 1 17 17 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 99 1";
        assert_eq!(began(stat), Some(123));
        let now = Now::read();
        let process = Some(std::process::id());
        let lock = LockHeld { name: String::new(), path: String::new(), process, since: None };
        let age = held_seconds(&lock, &now).unwrap();
        assert!((0..86_400).contains(&age), "{age}");
        assert_eq!(held_seconds(&LockHeld { process: None, ..lock }, &now), None);
    }
}
