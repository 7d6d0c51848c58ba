//! What copies have got of a run that died with its machine, where what is written down of that cannot be read, or is lost.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{CleanState, NOW, RotateState, Step, World, lines, merge, temporary, time};
use crate::logs::Options;
use crate::report::LogState;

#[test]
fn what_cannot_be_compared_waits_for_whoever_mends_the_ledger() {
    let world = World::new(&temporary(), &["bot", "website"], json!({}));
    world.append("bot", &lines(0..100));
    world.merge();
    world.append("bot", &lines(100..200));
    world.merge_dies_at(Step::Sent);
    world.starts_again();
    let (home, away) = (world.path("website").parent().unwrap().to_path_buf(), world.dir.path().join("away"));
    fs::rename(&home, &away).unwrap();
    let report = merge(&world.config, &Options::default()).unwrap();
    assert_eq!(report.logs["x"].state, LogState::Merged, "{report:?}");
    fs::rename(&away, &home).unwrap();
    let ledger = world.dir.path().join("sync_state/logs/x.ledger");
    let text = fs::read_to_string(&ledger).unwrap();
    fs::write(&ledger, text.replace("\"length\"", "\"lenght\"")).unwrap();
    for _ in 0..2 {
        let report = merge(&world.config, &Options::default()).unwrap();
        assert_eq!(report.logs["x"].state, LogState::Failed, "{report:?}");
        assert!(world.read("website") == lines(0..200));
    }
    fs::write(&ledger, text).unwrap();
    world.append("bot", &lines(200..300));
    world.merge();
    assert!(world.archive() == lines(0..300) && world.read("website") == lines(0..300));
}

/// A source has lines still that the archive has cleaned away.
#[test]
fn what_was_read_does_not_come_back_where_nobody_knows_who_wrote_what() {
    for rotated in [false, true] {
        let world =
            World::new(&temporary(), &["bot", "other", "website"], json!({"maxage": 30, "rotate": 0}));
        let at = |end: &str| world.dir.path().join(format!("bot/x.log{end}"));
        world.append("bot", &lines(0..50));
        world.merge();
        fs::rename(at(""), at(".1")).unwrap();
        world.append("bot", &lines(50..100));
        world.merge();
        let report = world.rotate_at("2031-05-01 00:00:00");
        assert_eq!(report.state, RotateState::Rotated, "{report:?}");
        world.append("other", "of the other\n");
        world.merge();
        let long_ago = SystemTime::from(time(NOW)) - Duration::from_secs(70 * 86_400);
        let segment = world.dir.path().join("central/x.log.2031-05-01.gz");
        File::options().append(true).open(segment).unwrap().set_modified(long_ago).unwrap();
        let report = world.clean_at(NOW, false);
        assert_eq!(report.state, CleanState::Cleaned, "{report:?}");
        // It cannot be given anything while it writes a line.
        world.append("bot", "of the bot: a line that");
        world.append("other", &lines(200..220));
        world.merge();
        world.append("bot", " has an end now\n");
        world.append("other", &lines(220..240));
        world.merge_dies_at(Step::Sent);
        world.starts_again();
        fs::remove_file(world.dir.path().join("sync_state/logs/x.ledger")).unwrap();
        if rotated {
            fs::rename(at(".1"), at(".2")).unwrap();
            fs::rename(at(""), at(".1")).unwrap();
        }
        world.append("bot", "of the bot: new\n");
        for _ in 0..3 {
            let report = merge(&world.config, &Options::default()).unwrap();
            let log = &report.logs["x"];
            assert!(matches!(log.state, LogState::Merged | LogState::Unchanged), "{report:?}");
        }
        let mut found: Vec<String> = world.archive().lines().map(str::to_owned).collect();
        found.sort();
        let all = format!(
            "{}of the bot: a line that has an end now\nof the bot: new\nof the other\n",
            lines(200..240)
        );
        let wanted: Vec<&str> = all.lines().collect();
        assert_eq!(found, wanted, "rotated: {rotated}");
        let bot: String =
            [".2", ".1", ""].iter().filter_map(|end| fs::read_to_string(at(end)).ok()).collect();
        for line in lines(200..240).lines() {
            assert!(
                bot.lines().filter(|there| *there == line).count() == 1,
                "rotated: {rotated}: {line} in {bot}"
            );
        }
    }
}

/// A disk of so many bytes in the place of an empty directory, as only root can have it.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf, size: usize) -> Option<Disk> {
        let option = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "none"]).arg(&at).output();
        mounted.is_ok_and(|out| out.status.success()).then_some(Disk(at))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Nothing of it came to disk in the archive, but in a copy; and it cannot be written again at once.
#[test]
fn what_a_copy_has_got_stays_known_while_there_is_no_room_for_the_rest() {
    let world = World::new(&temporary(), &["bot", "other", "website"], json!({}));
    let central = world.path("central").parent().unwrap().to_path_buf();
    let Some(_disk) = Disk::mount(central.clone(), 128 << 10) else {
        println!("skipped: nothing can be mounted here");
        return;
    };
    world.append("bot", &lines(0..100));
    world.append("other", "of the other\n");
    world.merge();
    let before = world.read("central");
    world.append("other", &lines(100..1000));
    world.merge_dies_at(Step::Sent);
    assert!(world.read("bot").ends_with(&lines(100..1000)));
    world.starts_again();
    world.keeps(before.len());
    let mut filler = File::create(central.join("filler")).unwrap();
    while filler.write(&[7; 4096]).is_ok_and(|written| written > 0) {}
    for _ in 0..2 {
        let report = merge(&world.config, &Options::default()).unwrap();
        assert_eq!(report.logs["x"].state, LogState::Failed, "{report:?}");
    }
    filler.set_len(0).unwrap();
    for _ in 0..3 {
        let report = merge(&world.config, &Options::default()).unwrap();
        assert_ne!(report.logs["x"].state, LogState::Failed, "{report:?}");
    }
    let all = before + &lines(100..1000);
    assert!(world.archive() == all, "{} bytes instead of {}", world.archive().len(), all.len());
    assert!(world.read("website") == all);
    assert!(world.read("bot").ends_with(&lines(100..1000)) && world.read("bot").len() == all.len());
}
