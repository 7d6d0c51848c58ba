//! Tells people that the chain of events is broken, and once as long as that is so.
//!
//! Apart from the job that finds it: what was told is remembered where only the user of the cron jobs writes.

use std::collections::BTreeMap;

use serde_json::json;

use crate::config::Config;
use crate::error::Result;
use crate::events::{self, Event, Severity};
use crate::report::{EventsBreak, EventsVerifyReport};
use crate::schedule::Schedule;

/// More breaks are only counted.
const MAX_REMEMBERED: usize = 1_000;

/// How it is with the chain of events.
#[derive(Debug, Clone)]
pub(super) enum Chain {
    /// Nobody looked.
    Unknown,
    Whole,
    Broken(Broken),
}

/// All that is wrong with it.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    /// With how many events or changes each is of.
    breaks: Vec<(EventsBreak, u64)>,
    /// So many more.
    more: u64,
}

impl Chain {
    /// As it was found.
    pub(super) fn of(report: &EventsVerifyReport) -> Chain {
        if report.ok {
            return Chain::Whole;
        }
        let breaks: Vec<_> = report.told.iter().take(MAX_REMEMBERED).cloned().collect();
        let more = report.breaks.saturating_sub(u64::try_from(breaks.len()).unwrap_or(0));
        Chain::Broken(Broken { breaks, more })
    }
}

/// What people were told of: how many events or changes by the number of the event, and how many more breaks. Neither file
/// nor kind, as the file is another one when its lines are archived, and an end that was cut off is missing events when the
/// next one is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Mark {
    events: BTreeMap<u64, u64>,
    more: u64,
}

impl Mark {
    fn of(broken: &Broken) -> Mark {
        let mut mark = Mark { events: BTreeMap::new(), more: broken.more };
        for (one, count) in &broken.breaks {
            let events = mark.events.entry(one.seq).or_default();
            *events = events.saturating_add(*count);
        }
        mark
    }

    fn text(&self) -> String {
        let mut words: Vec<String> =
            self.events.iter().map(|(seq, count)| format!("{seq}*{count}")).collect();
        words.push(format!("+{}", self.more));
        words.join(" ")
    }

    /// What makes no sense was not told.
    fn read(text: &str) -> Mark {
        let mut mark = Mark::default();
        for word in text.split(' ') {
            let (seq, count) = word.split_once('*').unwrap_or((word, "1"));
            match (word.strip_prefix('+').map(str::parse), seq.parse(), count.parse()) {
                (Some(Ok(more)), ..) => mark.more = more,
                (None, Ok(seq), Ok(count)) => drop(mark.events.insert(seq, count)),
                _ => {}
            }
        }
        mark
    }

    /// Whether there is more of an event than was told.
    fn is_new(&self, told: &Mark, seq: u64) -> bool {
        self.events.get(&seq) > told.events.get(&seq)
    }
}

/// Tells people where the chain of events is broken, each break once as long as it is there: the first that is new.
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
    let mark = Mark::of(&broken);
    let text = mark.text();
    let told = schedule.told(job).map(Mark::read).unwrap_or_default();
    let new: Vec<&EventsBreak> =
        broken.breaks.iter().map(|(one, _)| one).filter(|one| mark.is_new(&told, one.seq)).collect();
    let first = new.first().copied().or_else(|| {
        // Those that are only counted have no place of their own.
        broken.breaks.first().map(|(one, _)| one).filter(|_| mark.more > told.more)
    });
    let Some(broken) = first.cloned() else {
        if schedule.told(job) != Some(&text) {
            // What is over is told again when it comes back.
            schedule.tell(job, Some(text))?;
        }
        return Ok(None);
    };
    let details = json!({
        "file": broken.file.to_string_lossy(), "line": broken.line, "event": broken.seq, "kind": broken.kind,
        "reason": broken.reason, "new_breaks": new.len(),
    });
    let kind = "EVENT_CHAIN_BROKEN".to_owned();
    events::record(config, &Event { kind, severity: Severity::Critical, details, ip: None, session: None })?;
    schedule.tell(job, Some(text))?;
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
        let event = |world: &World| {
            let (kind, severity, details) = ("TEST".to_owned(), Severity::Low, Value::Null);
            let event = Event { kind, severity, details, ip: None, session: None };
            events::record(&world.config, &event).unwrap();
        };
        // Event 1 is that of the baseline.
        (0..4).for_each(|_| event(&world));
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
        // And one behind the first, which is told although that is still there; each once.
        let last = lines().lines().last().unwrap().to_owned();
        event(&world);
        event(&world);
        std::fs::write(&log, lines().replacen(&last, &last.replacen("CRITICAL", "INFO", 1), 1)).unwrap();
        world.wait(DAY);
        let report = world.run();
        let first = &report.jobs["verify_events"].report["first_break"];
        let found = report.new_break.clone().unwrap();
        assert_eq!(
            (first["seq"].as_u64(), found.kind.as_str(), found.seq),
            (Some(2), "changed", 7),
            "{found:?}"
        );
        world.wait(DAY);
        let report = world.run();
        assert_eq!((report.new_break, report.ok), (None, false));
    }

    #[test]
    fn what_was_told_is_read_as_it_was_written() {
        let one = |seq| {
            let (file, kind, reason) = (std::path::PathBuf::new(), String::new(), String::new());
            EventsBreak { file, line: 1, seq, kind, reason }
        };
        let broken = Broken { breaks: vec![(one(4), 2), (one(9), 1), (one(4), 1)], more: 7 };
        let mark = Mark::of(&broken);
        assert_eq!((mark.text().as_str(), &Mark::read(&mark.text())), ("4*3 9*1 +7", &mark));
        assert_eq!(Mark::read("4"), Mark { events: BTreeMap::from([(4, 1)]), more: 0 });
        for (told, seq, is_new) in
            [("4", 4, true), ("4*3", 4, false), ("4*3", 9, true), ("", 4, true), ("x +y", 9, true)]
        {
            assert_eq!(mark.is_new(&Mark::read(told), seq), is_new, "{told} {seq}");
        }
    }
}
