//! Tells people that the chain of events is broken, and once as long as that is so.
//!
//! Apart from the job that finds it: what was told is remembered where only the user of the cron jobs writes.

use std::collections::BTreeMap;

use serde_json::json;

use crate::clock::Moment;
use crate::config::Config;
use crate::error::Result;
use crate::events::{self, Event, Passed, Severity};
use crate::report::{EventsBreak, EventsVerifyReport};
use crate::schedule::Schedule;

/// More breaks are only counted.
const MAX_REMEMBERED: usize = 1_000;

/// Where the schedule keeps what people have acknowledged, and what was verified last, by the name of the job.
const ACKNOWLEDGED: &str = "acknowledged";
const END: &str = "end";

/// How it is with the chain of events.
#[derive(Debug, Clone)]
pub(super) enum Chain {
    /// Nobody looked.
    Unknown,
    /// With the number and digest of its last event.
    Whole(Option<(u64, String)>),
    Broken(Broken),
}

/// All that is wrong with it.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    /// With how many events or changes each is of.
    breaks: Vec<(EventsBreak, u64)>,
    /// So many more.
    more: u64,
    /// The number and digest of the last event.
    end: Option<(u64, String)>,
}

impl Chain {
    /// As it was found.
    pub(super) fn of(report: &EventsVerifyReport) -> Chain {
        if report.ok {
            return Chain::Whole(report.end.clone());
        }
        let breaks: Vec<_> = report.told.iter().take(MAX_REMEMBERED).cloned().collect();
        let more = report.breaks.saturating_sub(u64::try_from(breaks.len()).unwrap_or(0));
        Chain::Broken(Broken { breaks, more, end: report.end.clone() })
    }

    /// The first break that nobody has acknowledged.
    pub(super) fn open(&self, schedule: &Schedule, job: &str) -> Option<EventsBreak> {
        let Chain::Broken(broken) = self else { return None };
        let (mark, known) = (Mark::of(broken), acknowledged(schedule, job));
        let mut breaks = broken.breaks.iter().map(|(one, _)| one);
        let open = breaks.clone().find(|one| mark.is_new(&known, one.seq));
        open.or_else(|| breaks.next().filter(|_| mark.more > known.more)).cloned()
    }

    /// How many breaks people have acknowledged.
    pub(super) fn count_acknowledged(&self, schedule: &Schedule, job: &str) -> u64 {
        let Chain::Broken(broken) = self else { return 0 };
        let (mark, known) = (Mark::of(broken), acknowledged(schedule, job));
        let count = broken.breaks.iter().filter(|(one, _)| !mark.is_new(&known, one.seq)).count();
        u64::try_from(count).unwrap_or(0).saturating_add(if mark.more > known.more { 0 } else { mark.more })
    }

    /// Remembers how far it was followed, where it is whole but for what people know of.
    pub(super) fn remember(&self, schedule: &mut Schedule, job: &str, now: &Moment) -> Result<()> {
        let end = match self {
            Chain::Unknown => return Ok(()),
            Chain::Whole(end) => end,
            Chain::Broken(_) if self.open(schedule, job).is_some() => return Ok(()),
            Chain::Broken(broken) => &broken.end,
        };
        let text = end.as_ref().map(|(seq, digest)| format!("{seq} {digest} {}", now.unix));
        schedule.tell(&key(job, END), text)
    }

    /// A person has looked at all that is wrong with it: it stays, and is no news.
    pub(super) fn acknowledge(&self, schedule: &mut Schedule, job: &str) -> Result<()> {
        let text = if let Chain::Broken(broken) = self { Some(Mark::of(broken).text()) } else { None };
        schedule.tell(&key(job, ACKNOWLEDGED), text)
    }
}

/// Whether people have acknowledged something.
pub(super) fn is_acknowledged(schedule: &Schedule, job: &str) -> bool {
    schedule.told(&key(job, ACKNOWLEDGED)).is_some()
}

/// What the chain must go through, as it was there when it was verified last.
pub(super) fn through(schedule: &Schedule, job: &str) -> Option<Passed> {
    let text = schedule.told(&key(job, END))?;
    let mut words = text.split(' ');
    let (seq, digest, at) =
        (words.next()?.parse().ok()?, words.next()?.to_owned(), words.next()?.parse().ok()?);
    Some(Passed { seq, digest, at })
}

fn key(job: &str, what: &str) -> String {
    format!("{job} {what}")
}

fn acknowledged(schedule: &Schedule, job: &str) -> Mark {
    schedule.told(&key(job, ACKNOWLEDGED)).map(Mark::read).unwrap_or_default()
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
    chain: &Chain,
) -> Result<Option<EventsBreak>> {
    let broken = match chain {
        Chain::Unknown => return Ok(None),
        Chain::Whole(_) if schedule.told(job).is_none() => return Ok(None),
        Chain::Whole(_) => return schedule.tell(job, None).map(|()| None),
        Chain::Broken(broken) => broken,
    };
    let mark = Mark::of(broken);
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

    fn schedule(world: &World) -> Schedule {
        Schedule::open(Box::new(crate::integrity::Private::create(&world.config).unwrap())).unwrap()
    }

    fn event(world: &World, details: Value) {
        let (kind, severity) = ("TEST".to_owned(), Severity::Low);
        let event = Event { kind, severity, details, ip: None, session: None };
        events::record(&world.config, &event).unwrap();
    }

    #[test]
    fn a_person_who_verifies_is_the_last_to_have_looked() {
        use crate::security::Look;
        use crate::security::status::status_at;
        use crate::security::verify::look_at;
        let mut world = World::new();
        (0..3).for_each(|n| event(&world, json!({ "n": n })));
        world.run();
        let log = world.config.events.log.clone();
        let good = std::fs::read_to_string(&log).unwrap();
        let look = |world: &World, look| look_at(&world.config, schedule(world), look, &world.now).unwrap();
        let chain = |world: &World| status_at(&world.config, &world.now).unwrap().chain;
        world.wait(MINUTE);
        std::fs::write(&log, good.replacen("LOW", "INFO", 1)).unwrap();
        assert_eq!((look(&world, Look::Only).exit_code(), chain(&world)), (1, Some("broken")));
        assert_eq!(world.events("EVENT_CHAIN_BROKEN"), 1);
        world.wait(MINUTE);
        let told = std::fs::read_to_string(&log).unwrap();
        std::fs::write(&log, told.replacen("INFO", "LOW", 1)).unwrap();
        assert_eq!((look(&world, Look::Only).exit_code(), chain(&world)), (0, Some("whole")));
        // Once more, and somebody knows why.
        let whole = std::fs::read_to_string(&log).unwrap();
        std::fs::write(&log, whole.replacen("LOW", "INFO", 1)).unwrap();
        let report = look(&world, Look::Acknowledge);
        assert_eq!((report.exit_code(), report.breaks, report.acknowledged), (0, 1, 1), "{report:?}");
        assert_eq!((chain(&world), world.problems().as_str()), (Some("acknowledged"), ""));
        assert_eq!(world.events("EVENT_CHAIN_ACKNOWLEDGED"), 1);
        world.wait(DAY);
        let report = world.run();
        assert_eq!((report.new_break, report.ok, world.problems().as_str()), (None, true, ""));
        // Another one is one more.
        event(&world, json!({ "n": 9 }));
        event(&world, json!({ "n": 10 }));
        let text = std::fs::read_to_string(&log).unwrap();
        std::fs::write(&log, text.replacen("{\"n\":9}", "{\"n\":8}", 1)).unwrap();
        world.wait(DAY);
        let report = world.run();
        assert!(report.new_break.is_some() && !report.ok, "{report:?}");
        let report = look(&world, Look::Only);
        assert_eq!((report.exit_code(), report.breaks, report.acknowledged), (1, 2, 1), "{report:?}");
    }

    #[test]
    fn what_was_verified_once_is_not_written_anew() {
        let state = |world: &World| world.config.root.join("sync_state/events");
        let forget = |world: &World| {
            std::fs::remove_file(&world.config.events.log).unwrap();
            std::fs::remove_dir_all(state(world)).unwrap();
        };
        // A chain that is whole, with fewer events, as many, and more.
        for count in [0, 1, 4, 5, 9] {
            let mut world = World::new();
            (0..4).for_each(|n| event(&world, json!({ "n": n })));
            world.run();
            forget(&world);
            (0..count).for_each(|_| event(&world, json!("forged")));
            world.wait(DAY);
            let report = world.run();
            let found = report.new_break.clone().unwrap_or_else(|| panic!("{count}: {report:?}"));
            assert_eq!((found.kind.as_str(), found.seq), ("rewritten", 5), "{count}: {found:?}");
        }
    }

    #[test]
    fn what_was_told_is_read_as_it_was_written() {
        let one = |seq| {
            let (file, kind, reason) = (std::path::PathBuf::new(), String::new(), String::new());
            EventsBreak { file, line: 1, seq, kind, reason }
        };
        let broken = Broken { breaks: vec![(one(4), 2), (one(9), 1), (one(4), 1)], more: 7, end: None };
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
