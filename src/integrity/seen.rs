//! When each file was read last, and which ones to read now.
//!
//! Pure, but for nothing. That a file's size, inode and times are as they were says that its content is, with one exception:
//! a second store into a mapped page that is dirty already changes content and nothing else. So what was read is believed
//! only when the file had been left alone for a minute by then (the kernel writes dirty pages back within half of one, and
//! the first store after that is seen), and everything is read again once in a while.

use super::codec::Baseline;
use super::model::{Entry, Mark, Stamp, order};

/// What it begins with; the number behind it is its version.
const MAGIC: &[u8; 8] = b"cr0 seen";
const VERSION: u32 = 1;
/// A file must have been left alone for so long before it was read (seconds).
const QUIET: i64 = 60;

/// What was read, for each entry of one baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    generation: u64,
    /// When the last check ran (milliseconds since 1970).
    last: i64,
    /// Since when a check that reads everything is under way.
    pub(super) round: Option<i64>,
    readings: Vec<Reading>,
}

/// What reading one file said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    /// When it began; 0 for never.
    at: i64,
    mark: Mark,
    verdict: Verdict,
}

/// What is known of a file's content and extended attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) content: Same,
    pub(super) xattrs: Same,
}

/// Whether it is what the baseline says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Same {
    Yes,
    No,
    Unknown,
}

impl Verdict {
    pub(super) const UNKNOWN: Verdict = Verdict { content: Same::Unknown, xattrs: Same::Unknown };
    const GOOD: Verdict = Verdict { content: Same::Yes, xattrs: Same::Yes };
}

/// Which files to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// What cannot be believed, and the part that is due.
    Fast { reread_hours: u32, every_minutes: u32 },
    /// Everything; from where the last one stopped.
    Full,
    /// Everything, whatever was read.
    Anew,
}

/// What to read, by the number of the observed entry, in this order; and what is known of the others.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) read: Vec<usize>,
    /// Of each observed entry.
    pub(super) verdicts: Vec<Option<Verdict>>,
}

impl Seen {
    /// Nothing but what the baseline itself read.
    pub(super) fn of(baseline: &Baseline) -> Seen {
        let readings = baseline
            .entries
            .iter()
            .map(|entry| Reading { at: entry.read_at, mark: entry.stat.mark(), verdict: Verdict::GOOD })
            .collect();
        Seen {
            generation: baseline.generation,
            last: baseline.created.saturating_mul(1000),
            round: None,
            readings,
        }
    }

    /// Nothing is known: everything is read before anything is believed.
    fn none_of(baseline: &Baseline) -> Seen {
        let mut seen = Seen::of(baseline);
        for reading in &mut seen.readings {
            (reading.at, reading.verdict) = (0, Verdict::UNKNOWN);
        }
        seen
    }

    /// A check begins: what is not of this baseline says nothing. Nor does the baseline itself then, as what it took over from
    /// the one before was not read for it, and may have been found to be otherwise since.
    pub(super) fn or_of(bytes: Option<&[u8]>, baseline: &Baseline) -> Seen {
        bytes
            .and_then(|bytes| Seen::decode(bytes, baseline))
            .filter(|seen| {
                seen.generation == baseline.generation && seen.readings.len() == baseline.entries.len()
            })
            .unwrap_or_else(|| Seen::none_of(baseline))
    }

    /// What was read of a baseline, for the one that follows: of what that took over as it was, all stays known, so that
    /// accepting one file says nothing about others. What it took anew, it has read.
    pub(super) fn carried(bytes: Option<&[u8]>, before: &Baseline, next: &Baseline) -> Seen {
        let known = Seen::or_of(bytes, before);
        let mut seen = Seen::of(next);
        (seen.last, seen.round) = (known.last, known.round);
        for (reading, entry) in seen.readings.iter_mut().zip(&next.entries) {
            let place = before.entries.binary_search_by(|old| order(&old.path, &entry.path)).ok();
            let old = place.and_then(|place| before.entries.get(place).zip(known.readings.get(place)));
            if let Some((_, old)) = old.filter(|(old, _)| *old == entry) {
                *reading = *old;
            }
        }
        seen
    }

    /// Chooses what to read. `pairs` are the observed entries that are in the baseline with their number there, and whose
    /// content could be as it was.
    pub(super) fn plan(
        &self,
        pairs: &[(usize, usize)],
        observed: &[Entry],
        choice: Choice,
        now: i64,
    ) -> Plan {
        let mut plan = Plan { read: Vec::new(), verdicts: vec![None; observed.len()] };
        // What is believed, by when it was read.
        let mut believed: Vec<(i64, usize)> = Vec::new();
        for (ours, theirs) in pairs {
            let (Some(entry), Some(reading)) = (observed.get(*ours), self.readings.get(*theirs)) else {
                continue;
            };
            let is_same = reading.mark == entry.stat.mark();
            let is_believed = match choice {
                Choice::Anew => false,
                Choice::Full => {
                    is_same && self.round.is_some_and(|round| reading.at >= round && reading.at <= now)
                }
                Choice::Fast { .. } => is_same && is_quiet(entry.stat.ctime, reading.at, now),
            };
            if is_believed {
                if let Some(verdict) = plan.verdicts.get_mut(*ours) {
                    *verdict = Some(reading.verdict);
                }
                believed.push((reading.at, *ours));
            } else {
                plan.read.push(*ours);
            }
        }
        if let Choice::Fast { reread_hours, every_minutes } = choice {
            let slice = self.slice(believed.len(), reread_hours, now);
            believed.sort_unstable();
            let overdue =
                now.saturating_sub((i64::from(reread_hours) * 60 - i64::from(every_minutes)) * 60_000);
            let due =
                believed.iter().enumerate().take_while(|(index, (at, _))| *index < slice || *at < overdue);
            plan.read.extend(due.map(|(_, (_, ours))| *ours));
        }
        plan
    }

    /// How many files are read again now, so that all are within their time.
    fn slice(&self, count: usize, reread_hours: u32, now: i64) -> usize {
        let minutes = i64::from(reread_hours) * 60;
        let since = now.saturating_sub(self.last).div_euclid(60_000).clamp(1, minutes.max(1));
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let share = count.saturating_mul(since).div_euclid(minutes.max(1)).saturating_add(1);
        usize::try_from(share.min(count)).unwrap_or(0)
    }

    /// Remembers what reading an entry of the baseline came to.
    pub(super) fn note(&mut self, theirs: usize, at: i64, mark: Mark, verdict: Verdict) {
        if let Some(reading) = self.readings.get_mut(theirs) {
            *reading = Reading { at, mark, verdict };
        }
    }

    /// A check ends.
    pub(super) fn end(&mut self, now: i64, round: Option<i64>) {
        self.last = now;
        self.round = round;
    }

    /// When that was read which was read longest ago, of some entries of the baseline.
    pub(super) fn oldest(&self, theirs: impl Iterator<Item = usize>) -> Option<i64> {
        theirs.filter_map(|index| self.readings.get(index)).map(|reading| reading.at).min()
    }

    /// As bytes: of most files no more than when they were read.
    pub(super) fn encode(&self, baseline: &Baseline) -> Vec<u8> {
        let mut to = Vec::with_capacity(self.readings.len().saturating_mul(9).saturating_add(64));
        to.extend_from_slice(MAGIC);
        to.extend_from_slice(&VERSION.to_le_bytes());
        to.extend_from_slice(&self.generation.to_le_bytes());
        to.extend_from_slice(&self.last.to_le_bytes());
        to.extend_from_slice(&self.round.unwrap_or(i64::MIN).to_le_bytes());
        for (reading, entry) in self.readings.iter().zip(&baseline.entries) {
            let is_plain = reading.mark == entry.stat.mark() && reading.verdict == Verdict::GOOD;
            let bits = |same: Same| match same {
                Same::Yes => 0,
                Same::No => 1,
                Same::Unknown => 2,
            };
            let tag: u8 = if is_plain {
                255
            } else {
                bits(reading.verdict.content) << 2 | bits(reading.verdict.xattrs)
            };
            to.push(tag);
            to.extend_from_slice(&reading.at.to_le_bytes());
            if !is_plain {
                let mark = &reading.mark;
                to.extend_from_slice(&mark.inode.to_le_bytes());
                to.extend_from_slice(&mark.size.to_le_bytes());
                for stamp in [mark.mtime, mark.ctime] {
                    to.extend_from_slice(&stamp.seconds.to_le_bytes());
                    to.extend_from_slice(&stamp.nanos.to_le_bytes());
                }
            }
        }
        to
    }

    fn decode(bytes: &[u8], baseline: &Baseline) -> Option<Seen> {
        let mut from = bytes.strip_prefix(MAGIC)?;
        if u32::from_le_bytes(array(&mut from)?) != VERSION {
            return None;
        }
        let generation = u64::from_le_bytes(array(&mut from)?);
        let last = i64::from_le_bytes(array(&mut from)?);
        let round = Some(i64::from_le_bytes(array(&mut from)?)).filter(|round| *round != i64::MIN);
        let mut readings = Vec::with_capacity(baseline.entries.len());
        for entry in &baseline.entries {
            let [tag] = array(&mut from)?;
            let at = i64::from_le_bytes(array(&mut from)?);
            if tag == 255 {
                readings.push(Reading { at, mark: entry.stat.mark(), verdict: Verdict::GOOD });
                continue;
            }
            let same = |bits: u8| match bits & 3 {
                0 => Some(Same::Yes),
                1 => Some(Same::No),
                2 => Some(Same::Unknown),
                _ => None,
            };
            let verdict = Verdict { content: same(tag >> 2)?, xattrs: same(tag)? };
            let (inode, size) =
                (u64::from_le_bytes(array(&mut from)?), u64::from_le_bytes(array(&mut from)?));
            let (mtime, ctime) = (stamp(&mut from)?, stamp(&mut from)?);
            readings.push(Reading { at, mark: Mark { inode, size, mtime, ctime }, verdict });
        }
        from.is_empty().then_some(Seen { generation, last, round, readings })
    }
}

fn array<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*first)
}

fn stamp(from: &mut &[u8]) -> Option<Stamp> {
    Some(Stamp { seconds: i64::from_le_bytes(array(from)?), nanos: u32::from_le_bytes(array(from)?) })
}

/// Whether a file had been left alone for long enough when it was read, by a clock that says so now.
fn is_quiet(ctime: Stamp, read_at: i64, now: i64) -> bool {
    read_at <= now && ctime.seconds.saturating_add(QUIET) < read_at.div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::file;
    use super::*;

    const CTIME: i64 = 1_700_000_000;

    /// So many seconds after that (milliseconds).
    fn at(seconds: i64) -> i64 {
        (CTIME + seconds) * 1000
    }

    fn baseline(read_at: &[i64]) -> Baseline {
        let entries = read_at.iter().enumerate().map(|(index, at)| {
            let mut entry = file(&format!("/f{index:04}"), 1 + u64::try_from(index).unwrap());
            entry.read_at = *at;
            entry
        });
        Baseline {
            generation: 1,
            created: CTIME,
            previous: [0; 32],
            scope: [0; 32],
            entries: entries.collect(),
        }
    }

    fn pairs(baseline: &Baseline) -> Vec<(usize, usize)> {
        (0..baseline.entries.len()).map(|index| (index, index)).collect()
    }

    const FAST: Choice = Choice::Fast { reread_hours: 24, every_minutes: 5 };

    #[test]
    fn what_was_read_within_a_minute_of_a_change_is_read_again() {
        for (after, now, is_read) in [
            (0, 1000, true),
            (60, 1000, true),
            (61, 1000, false),
            (900, 1000, false),
            // The clock was set back since.
            (900, 800, true),
        ] {
            // Two that are as good as can be, so that the slice takes one of these.
            let baseline = baseline(&[at(after), at(100), at(100)]);
            let plan = Seen::of(&baseline).plan(&pairs(&baseline), &baseline.entries, FAST, at(now));
            let first: Vec<usize> =
                plan.read.iter().copied().filter(|index| *index == 0 && after != 61).collect();
            assert_eq!(!first.is_empty(), is_read, "{after} {now}: {:?}", plan.read);
        }
    }

    #[test]
    fn whatever_shows_a_change_is_read() {
        let baseline = baseline(&[at(5000); 4]);
        let mut observed = baseline.entries.clone();
        observed[1].stat.mtime.nanos += 1;
        observed[2].stat.ctime.nanos += 1;
        observed[3].stat.inode += 1;
        let plan = Seen::of(&baseline).plan(&pairs(&baseline), &observed, FAST, at(6000));
        // And the slice, which is one at least.
        assert_eq!(plan.read, [1, 2, 3, 0]);
        assert_eq!(plan.verdicts[1..], [None; 3]);
    }

    #[test]
    fn everything_is_read_within_its_time_however_checks_come() {
        for minutes in [1_i64, 5, 60, 7 * 60] {
            let baseline = baseline(&[at(1000); 1000]);
            let mut seen = Seen::of(&baseline);
            let mut now = at(1000);
            seen.end(now, None);
            let mut most = 0;
            for _ in 0..(3 * 24 * 60 / minutes) {
                now += minutes * 60_000;
                let plan = seen.plan(&pairs(&baseline), &baseline.entries, FAST, now);
                most = most.max(plan.read.len());
                for index in plan.read {
                    seen.note(index, now, baseline.entries[index].stat.mark(), Verdict::GOOD);
                }
                seen.end(now, None);
                let oldest = seen.oldest(0..1000).unwrap();
                assert!(now - oldest <= 24 * 3_600_000, "{minutes}: {}", now - oldest);
            }
            // And never many more at once than their share.
            let share = usize::try_from(1000 * minutes / (24 * 60)).unwrap() + 1;
            assert!(most <= share * 2 + 8, "{minutes}: {most} at once, of a share of {share}");
        }
    }

    #[test]
    fn a_full_check_that_was_stopped_goes_on() {
        let baseline = baseline(&[at(1000); 10]);
        let mut seen = Seen::of(&baseline);
        let start = at(5000);
        let plan = seen.plan(&pairs(&baseline), &baseline.entries, Choice::Full, start);
        assert_eq!(plan.read.len(), 10);
        for index in 0..6 {
            seen.note(index, start + 1, baseline.entries[index].stat.mark(), Verdict::GOOD);
        }
        seen.end(start + 2, Some(start));
        let plan = seen.plan(&pairs(&baseline), &baseline.entries, Choice::Full, start + 10);
        assert_eq!(plan.read, [6, 7, 8, 9]);
        assert_eq!(plan.verdicts.iter().flatten().count(), 6);
        assert_eq!(seen.plan(&pairs(&baseline), &baseline.entries, Choice::Anew, start + 10).read.len(), 10);
    }

    #[test]
    fn what_was_seen_comes_back_as_it_was() {
        let baseline = baseline(&[at(0), 0, at(9)]);
        let mut seen = Seen::of(&baseline);
        let mark =
            Mark { inode: 9, size: 8, mtime: Stamp { seconds: -1, nanos: 1 }, ctime: Stamp::default() };
        seen.note(1, 77, mark, Verdict { content: Same::No, xattrs: Same::Unknown });
        seen.end(88, Some(66));
        let bytes = seen.encode(&baseline);
        assert_eq!(Seen::or_of(Some(&bytes), &baseline), seen);
        for end in 0..bytes.len() {
            assert_eq!(Seen::or_of(Some(&bytes[..end]), &baseline), Seen::none_of(&baseline), "{end}");
        }
        let mut other = baseline.clone();
        other.generation = 2;
        let nothing = Seen::or_of(Some(&bytes), &other);
        assert_eq!(nothing, Seen::none_of(&other));
        let plan = nothing.plan(&pairs(&other), &other.entries, FAST, at(5000));
        assert_eq!(plan.read.len(), 3, "what is not known is read");
    }

    #[test]
    fn what_was_found_in_a_file_stays_known_when_another_is_accepted() {
        let before = baseline(&[at(1000); 3]);
        let mut seen = Seen::of(&before);
        let changed = Verdict { content: Same::No, xattrs: Same::Unknown };
        for index in [0, 2] {
            seen.note(index, at(2000), before.entries[index].stat.mark(), changed);
        }
        seen.end(at(2000), Some(at(1500)));
        let mut next = before.clone();
        next.generation = 2;
        // The first one is accepted, the second one is not watched any more.
        next.entries[0].read_at = at(3000);
        next.entries[0].content = Some([9; 32]);
        next.entries.remove(1);
        let carried = Seen::carried(Some(&seen.encode(&before)), &before, &next);
        let bytes = carried.encode(&next);
        let carried = Seen::or_of(Some(&bytes), &next);
        assert_eq!((carried.generation, carried.round), (2, Some(at(1500))));
        let verdicts: Vec<Verdict> = carried.readings.iter().map(|reading| reading.verdict).collect();
        assert_eq!(verdicts, [Verdict::GOOD, changed]);
        // Where nothing is known of the one before, only what was accepted is.
        let carried = Seen::carried(None, &before, &next);
        let verdicts: Vec<Verdict> = carried.readings.iter().map(|reading| reading.verdict).collect();
        assert_eq!(verdicts, [Verdict::GOOD, Verdict::UNKNOWN]);
    }
}
