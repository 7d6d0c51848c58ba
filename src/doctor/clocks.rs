//! Whether the clock can be right: what we wrote down before is not later than now.

use std::collections::BTreeMap;
use std::path::Path;

use super::Now;
use super::databases::Known;
use super::finding::{problem, warning, well};
use super::stamps::Stamp;
use crate::report::DoctorFinding;

/// 2024: before that none of this was written.
const EARLIEST: i64 = 1_704_067_200;
/// A clock that is set by so little is being kept right (seconds).
const STEP: i64 = 300;
/// Where systemd's own service says whether it has set the clock.
const SERVICE: &str = "/run/systemd/timesync";
const SET_IT: &str = "as root: timedatectl set-ntp true (or set it by hand: date -s)";

pub(super) fn findings(
    now: &Now,
    stamps: &BTreeMap<&'static str, Stamp>,
    known: &Known,
) -> Vec<DoctorFinding> {
    let latest = stamps.values().filter_map(|stamp| stamp.last_run).chain(known.times()).max();
    let service = Path::new(SERVICE);
    let is_unset = service.is_dir() && !service.join("synchronized").exists();
    judge(now.unix, latest, is_unset)
}

fn judge(now: i64, latest: Option<i64>, is_unset: bool) -> Vec<DoctorFinding> {
    if now < EARLIEST {
        let what = "the clock says a year before 2024: backups get wrong names, and what is due is not known";
        return vec![problem("clock", what).mended_by(SET_IT)];
    }
    if let Some(ahead) = latest.map(|latest| latest.saturating_sub(now)).filter(|ahead| *ahead > STEP) {
        let what = format!(
            "the clock is {ahead} seconds before what was written here: it was set back, or was wrong before"
        );
        return vec![problem("clock", what).mended_by(SET_IT)];
    }
    if is_unset {
        let what = "the clock was not set from the network since the machine started";
        return vec![warning("clock", what).mended_by(SET_IT)];
    }
    vec![well("clock", "it is not before anything that was written here")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::DoctorState::{Ok, Problem, Warning};

    #[test]
    fn a_clock_that_is_behind_what_it_wrote_is_told() {
        let now = EARLIEST + 1000;
        for (now, latest, is_unset, state, word) in [
            (EARLIEST - 1, None, false, Problem, "before 2024"),
            (now, Some(now + STEP + 1), false, Problem, "301 seconds before"),
            (now, Some(now + STEP), false, Ok, ""),
            (now, Some(0), false, Ok, ""),
            (now, None, true, Warning, "from the network"),
            (now, None, false, Ok, ""),
        ] {
            let all = judge(now, latest, is_unset);
            assert!(matches!(&all[..], [one] if one.state == state && one.what.contains(word)), "{all:?}");
            assert_eq!(all[0].remedy.is_some(), state != Ok);
        }
    }
}
