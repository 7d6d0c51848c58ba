//! Tells people that the chain of events is broken, and once as long as that is so.
//!
//! Apart from the job that finds it: what was told is remembered where only the user of the cron jobs writes.

use serde_json::json;

use crate::config::Config;
use crate::error::Result;
use crate::events::{self, Event, Severity};
use crate::report::EventsBreak;
use crate::schedule::Schedule;

/// How it is with the chain of events.
#[derive(Debug, Clone)]
pub(super) enum Chain {
    /// Nobody looked.
    Unknown,
    Whole,
    /// Here for the first time.
    Broken(EventsBreak),
}

/// Tells people where the chain of events is broken, and once as long as that is so.
pub(super) fn tell(
    config: &Config,
    schedule: &mut Schedule,
    job: &str,
    chain: Chain,
) -> Result<Option<EventsBreak>> {
    let broken = match chain {
        Chain::Unknown => return Ok(None),
        Chain::Whole if schedule.told(job).is_none() => return Ok(None),
        Chain::Whole => return schedule.tell(job, None).map(|()| None),
        Chain::Broken(broken) => broken,
    };
    // The file is another one when its lines are archived, and its words are others when the next event is written.
    let mark = broken.seq.to_string();
    if schedule.told(job) == Some(&mark) {
        return Ok(None);
    }
    let details = json!({
        "file": broken.file.to_string_lossy(), "line": broken.line, "event": broken.seq, "kind": broken.kind,
        "reason": broken.reason,
    });
    let kind = "EVENT_CHAIN_BROKEN".to_owned();
    events::record(config, &Event { kind, severity: Severity::Critical, details, ip: None, session: None })?;
    schedule.tell(job, Some(mark))?;
    Ok(Some(broken))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::security::tests::World;

    const MINUTE: i64 = 60;
    const DAY: i64 = 86_400;

    #[test]
    fn a_broken_chain_of_events_is_told_once_as_long_as_it_is_the_same() {
        let mut world = World::new();
        let log = world.config.events.log.clone();
        let lines = || std::fs::read_to_string(&log).unwrap();
        let event = || {
            let (kind, severity, details) = ("TEST".to_owned(), Severity::Low, Value::Null);
            let event = Event { kind, severity, details, ip: None, session: None };
            events::record(&world.config, &event).unwrap();
        };
        (0..4).for_each(|_| event());
        let told = || lines().matches("EVENT_CHAIN_BROKEN").count();
        assert_eq!((world.run().exit_code(), told()), (0, 0));
        // The last line is cut off.
        let cut: Vec<String> = lines().split_inclusive('\n').map(str::to_owned).collect();
        std::fs::write(&log, cut[..cut.len() - 1].concat()).unwrap();
        world.wait(MINUTE);
        assert_eq!(world.run().exit_code(), 0, "it is not due");
        world.wait(DAY);
        let report = world.run();
        let found = report.new_break.clone().unwrap();
        assert_eq!((found.kind.as_str(), report.ok, report.exit_code(), told()), ("cut", false, 1, 1));
        assert_eq!(report.jobs["verify_events"].report["ok"], false);
        // Behind it now stands the event that tells of it.
        world.wait(DAY);
        let report = world.run();
        assert_eq!((report.new_break.clone(), report.ok, report.exit_code(), told()), (None, false, 0, 1));
        assert_eq!(report.jobs["verify_events"].report["first_break"]["kind"], "missing");
        // Another one, before it.
        std::fs::write(&log, lines().replacen("LOW", "INFO", 1)).unwrap();
        world.wait(DAY);
        let report = world.run();
        assert_eq!((report.new_break.unwrap().kind.as_str(), told()), ("changed", 2));
    }
}
