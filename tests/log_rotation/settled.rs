//! What is on record of a rotation in place stays there until it is settled, and is settled once; what is in the way of a
//! rotation does not stop it; and what the merge before it has to say is told.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use serde_json::json;

use super::{NOW, RotateState, Step, World, can_cut, lines, memory, temporary, time};
use crate::config::Config;
use crate::logs::rotate::rotate_with;
use crate::logs::steps::Steps;
use crate::logs::{Options, merge, verify};
use crate::report::LogProof;

/// Writes over the first byte of a file once a segment is in its place.
struct Meddles {
    path: PathBuf,
    done: Cell<bool>,
}

impl Steps for Meddles {
    fn at(&self, step: Step) {
        if step == Step::Segmented && !self.done.replace(true) {
            File::options().write(true).open(&self.path).unwrap().write_all_at(b"X", 0).unwrap();
        }
    }
}

#[test]
fn what_is_on_record_of_one_log_is_not_written_over_for_another() {
    let within = temporary();
    if !can_cut(&within) {
        return;
    }
    let dir = tempfile::Builder::new().prefix("cr0sync-test-").tempdir_in(&within).unwrap();
    let path = |name: &str| dir.path().join(format!("{name}.log"));
    let log = |name: &str| json!({ "copies": { "central": path(name) } });
    let json = json!({ "version": 1, "databases": {}, "logs": { "a": log("a"), "b": log("b") } });
    let config = Config::parse(json.to_string().as_bytes(), dir.path(), None).unwrap();
    let open = |name: &str| File::options().append(true).create(true).open(path(name)).unwrap();
    let mut writers = [open("a"), open("b")];
    for writer in &mut writers {
        writer.write_all(lines(0..5000).as_bytes()).unwrap();
    }
    let options = Options { force: true, ..Options::default() };
    let meddles = Meddles { path: path("a"), done: Cell::new(false) };
    let report = rotate_with(&config, &options, time(NOW), &meddles).unwrap();
    let (a, b) = (&report.logs["a"], &report.logs["b"]);
    assert!(a.reason.as_ref().is_some_and(|why| why.contains("was changed while it was copied")), "{a:?}");
    assert_eq!((a.state, b.state), (RotateState::Failed, RotateState::Skipped), "{b:?}");
    let record = fs::read_to_string(dir.path().join("sync_state/logs/rotation")).unwrap();
    assert!(record.contains(r#""log":"a""#), "{record}");
    assert_eq!(fs::read_to_string(path("b")).unwrap(), lines(0..5000));
    let report = rotate_with(&config, &options, time(NOW), &crate::logs::steps::Unwatched).unwrap();
    assert_eq!(report.logs["b"].state, RotateState::Rotated, "{report:?}");
}

#[test]
fn what_was_settled_may_be_settled_again() {
    let ways = [
        (Some(temporary()).filter(|within| can_cut(within)), json!({})),
        (memory(), json!({"copytruncate": true})),
    ];
    for (within, rotate) in ways {
        let Some(within) = within else { continue };
        for renamed in [false, true] {
            let world = World::new(&within, &["bot", "website"], rotate.clone());
            let mut writer = File::options().append(true).create(true).open(world.path("central")).unwrap();
            writer.write_all(lines(0..5000).as_bytes()).unwrap();
            assert!(world.dies_at(Step::Cut));
            let record = world.dir.path().join("sync_state/logs/rotation");
            let kept = fs::read(&record).unwrap();
            if renamed {
                // Somebody else rotates it before the next run.
                writer.write_all(lines(5000..5100).as_bytes()).unwrap();
                fs::rename(world.path("central"), world.dir.path().join("central/x.log.2031-07-15")).unwrap();
            }
            for round in 0..2 {
                merge(&world.config, &Options::default()).unwrap();
                assert!(!record.exists());
                let known = if renamed { 5100 } else { 5000 };
                assert!(world.archive() == lines(0..known), "{round}: {:?}", world.names());
                assert!(world.read("website") == lines(0..known), "{round}: {:?}", world.names());
                // The run that settled it died before it could forget it.
                fs::write(&record, &kept).unwrap();
            }
        }
    }
}

#[test]
fn a_file_that_was_renamed_before_it_was_settled_is_still_the_one() {
    let within = temporary();
    if !can_cut(&within) {
        return;
    }
    let world = World::new(&within, &["website"], json!({}));
    let mut writer = File::options().append(true).create(true).open(world.path("central")).unwrap();
    writer.write_all(lines(0..5000).as_bytes()).unwrap();
    assert!(world.dies_at(Step::Segmented));
    writer.write_all(lines(5000..5100).as_bytes()).unwrap();
    fs::rename(world.path("central"), world.dir.path().join("central/x.log.2031-07-15")).unwrap();
    drop(writer);
    world.append("central", &lines(5100..5200));
    world.merge();
    assert_eq!(world.names(), ["x.log", "x.log.2031-07-15"]);
    assert!(world.archive() == lines(0..5200) && world.read("website") == lines(0..5200));
}

#[test]
fn a_segment_that_somebody_packed_before_it_was_settled_is_told() {
    let within = temporary();
    if !can_cut(&within) {
        return;
    }
    let world = World::new(&within, &[], json!({}));
    let mut writer = File::options().append(true).create(true).open(world.path("central")).unwrap();
    writer.write_all(lines(0..5000).as_bytes()).unwrap();
    assert!(world.dies_at(Step::Segmented));
    let segment = world.dir.path().join("central/x.log.2031-07-14");
    let packed = world.dir.path().join("central/x.log.2031-07-14.gz");
    fs::rename(&segment, &packed).unwrap();
    let report = merge(&world.config, &Options::default()).unwrap();
    let why = report.logs["x"].reason.clone().unwrap_or_default();
    assert!(why.contains("was packed before that"), "{why}");
    fs::rename(&packed, &segment).unwrap();
    world.merge();
    assert_eq!(world.names(), ["x.log"]);
    assert!(world.archive() == lines(0..5000));
}

#[test]
fn what_has_a_number_and_is_not_read_stops_no_rotation() {
    let world = World::new(&temporary(), &["bot", "website"], json!({"dateext": false, "compress": false}));
    let at = |end: &str| world.dir.path().join(format!("central/x.log{end}"));
    let rotate = |n: usize| {
        world.append("bot", &lines(n * 100..n * 100 + 100));
        let report = world.rotate();
        assert_eq!(report.state, RotateState::Rotated, "{n}: {report:?} {:?}", world.names());
    };
    (0..2).for_each(rotate);
    fs::rename(at(".2"), at(".3")).unwrap();
    std::os::unix::fs::symlink("nowhere", at(".2")).unwrap();
    (2..6).for_each(rotate);
    assert_eq!(fs::read_link(at(".2")).unwrap().to_str(), Some("nowhere"));
    fs::remove_file(at(".2")).unwrap();
    // Packed by somebody who has not removed the plain one yet.
    let file = File::create(at(".1.gz")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(&fs::read(at(".1")).unwrap()).unwrap();
    encoder.finish().unwrap();
    (6..10).for_each(rotate);
    world.merge();
    assert!(world.archive() == lines(0..1000), "{:?}", world.names());
    assert!(world.read("website") == lines(0..1000));
}

#[test]
fn what_the_merge_before_it_says_is_told() {
    let world = World::new(&temporary(), &["bot", "website"], json!({}));
    world.append("central", &lines(0..10));
    fs::write(world.path("bot"), "of the bot\n").unwrap();
    fs::hard_link(world.path("bot"), world.dir.path().join("bot/twice")).unwrap();
    let report = world.rotate();
    assert_eq!(report.state, RotateState::Rotated);
    assert!(report.warnings.iter().any(|told| told.contains("bot is passed over")), "{report:?}");
    fs::remove_file(world.dir.path().join("bot/twice")).unwrap();
    world.append("central", "half of a line");
    let report = world.rotate();
    assert_eq!(report.state, RotateState::Skipped, "{report:?}");
    let why = report.reason.unwrap();
    assert!(why.starts_with("it was not merged, and so not rotated: somebody is writing a line"), "{why}");
}

#[test]
fn who_may_own_one_log_may_not_own_another() {
    let world = World::new(&temporary(), &["bot"], json!({}));
    let mut config = world.config.clone();
    let mut other = config.logs["x"].clone();
    other.copies.values_mut().for_each(|path| *path = path.with_file_name("y.log"));
    config.logs.insert("y".to_owned(), other);
    config.logs.get_mut("x").unwrap().allow_owners = vec!["daemon".to_owned(), "cr0sync-nobody".to_owned()];
    let around = super::super::around::Around::of(&config);
    let daemon = crate::durable::user_named("daemon").unwrap();
    for (name, expected) in [("x.log", true), ("x.log.merged", true), ("y.log", false)] {
        let owners = around.owners(&world.path("bot").with_file_name(name));
        assert_eq!(owners.0.contains(&daemon), expected, "{name}");
    }
    world.append("bot", "a\n");
    let report = merge(&config, &Options::default()).unwrap();
    let told = report.logs["x"].warnings.join("\n");
    assert!(told.contains("\"cr0sync-nobody\"") && !told.contains("daemon"), "{told}");
    assert_eq!(report.logs["y"].warnings, [""; 0]);
}

/// The machine has another name for itself once it was started again.
fn starts_again(world: &World) {
    let path = world.dir.path().join("sync_state/logs/rotation");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"boot\":\"", "\"boot\":\"not", 1)).unwrap();
}

/// Only the program died, so that nothing is lost of what anybody wrote: less than the copy has is a file that was truncated,
/// and began again as it had begun before.
#[test]
fn what_is_written_after_it_was_truncated_is_not_taken_for_what_was_before() {
    let Some(memory) = memory() else { return };
    for more in ["", "two\n"] {
        let world = World::new(&memory, &["website"], json!({"copytruncate": true}));
        let mut writer = File::options().append(true).create(true).open(world.path("central")).unwrap();
        writer.write_all(b"started\n").unwrap();
        assert!(world.dies_at(Step::Segmented));
        let at = world.dir.path().join("central/x.log.2031-07-14");
        File::options().append(true).open(&at).unwrap().write_all(b"one\n").unwrap();
        writer.set_len(0).unwrap();
        writer.write_all(format!("started\n{more}").as_bytes()).unwrap();
        world.merge();
        let all = format!("started\none\nstarted\n{more}");
        assert!(
            world.archive() == all && world.read("website") == all,
            "{:?} {:?}",
            world.archive(),
            world.names()
        );
    }
}

/// A power cut while it is copied: of what came after the first copy any part is on disk in either of the two.
#[test]
fn what_is_only_in_one_of_the_two_is_not_lost() {
    let Some(memory) = memory() else { return };
    let (more, nothing) = (lines(5000..5100), "\0".repeat(lines(5000..5100).len()));
    for (live, segment, stays) in [
        (&more, &nothing, "x.log"),
        (&nothing, &more, "x.log.2031-07-14.gz"),
        (&String::new(), &more, "x.log.2031-07-14.gz"),
    ] {
        let world = World::new(&memory, &["website"], json!({"copytruncate": true}));
        let mut writer = File::options().append(true).create(true).open(world.path("central")).unwrap();
        writer.write_all(lines(0..5000).as_bytes()).unwrap();
        assert!(world.dies_at(Step::Segmented));
        writer.write_all(live.as_bytes()).unwrap();
        let at = world.dir.path().join("central/x.log.2031-07-14");
        File::options().append(true).open(&at).unwrap().write_all(segment.as_bytes()).unwrap();
        starts_again(&world);
        world.merge();
        assert!(world.archive() == lines(0..5100), "{stays}: {:?}", world.names());
        assert!(world.read("website") == lines(0..5100), "{stays}");
        let is_there = world.names().contains(&stays.trim_end_matches(".gz").to_owned());
        assert!(
            is_there && !world.dir.path().join("sync_state/logs/rotation").exists(),
            "{:?}",
            world.names()
        );
        writer.write_all(lines(5100..5200).as_bytes()).unwrap();
        world.merge();
        assert!(world.archive() == lines(0..5200) && world.read("website") == lines(0..5200), "{stays}");
    }
}

#[test]
fn what_is_in_neither_of_the_two_as_a_whole_is_told() {
    let Some(memory) = memory() else { return };
    let world = World::new(&memory, &["website"], json!({"copytruncate": true}));
    let mut writer = File::options().append(true).create(true).open(world.path("central")).unwrap();
    writer.write_all(lines(0..5000).as_bytes()).unwrap();
    assert!(world.dies_at(Step::Segmented));
    writer.write_all(b"of somebody\n").unwrap();
    let at = world.dir.path().join("central/x.log.2031-07-14");
    File::options().append(true).open(&at).unwrap().write_all(b"of the one before\n").unwrap();
    starts_again(&world);
    let before = (world.names(), world.read("central"));
    for _ in 0..2 {
        let report = merge(&world.config, &Options::default()).unwrap();
        let why = report.logs["x"].reason.clone().unwrap_or_default();
        assert!(why.contains("lines that the other has not"), "{report:?}");
        assert_eq!((world.names(), world.read("central")), before);
    }
    // As it says.
    writer.write_all(b"of the one before\n").unwrap();
    fs::rename(&at, world.dir.path().join("moved")).unwrap();
    world.merge();
    let all = format!("{}of somebody\nof the one before\n", lines(0..5000));
    assert!(world.archive() == all && world.read("website") == all, "{:?}", world.names());
}

#[test]
fn what_is_being_rotated_is_not_damaged() {
    // Of such sizes that places before would be other ones.
    let ways = [
        (Some(temporary()).filter(|within| can_cut(within)), json!({}), [0, 0, 5000, 9000]),
        (memory(), json!({"copytruncate": true}), [0, 1000, 5000, 5900]),
    ];
    for (within, rotate, ends) in ways {
        let Some(within) = within else { continue };
        let mut interrupted = 0;
        for step in [Step::Recorded, Step::Segmented, Step::Cut] {
            let world = World::new(&within, &["website"], rotate.clone());
            let mut writer = File::options().append(true).create(true).open(world.path("central")).unwrap();
            for (n, range) in ends.windows(2).map(|pair| pair[0]..pair[1]).enumerate() {
                writer.write_all(lines(range.clone()).as_bytes()).unwrap();
                if n < 2 && !range.is_empty() {
                    let report = world.rotate_at(&format!("2031-07-1{n} 00:00:00"));
                    assert_eq!(report.state, RotateState::Rotated, "{report:?}");
                }
            }
            assert!(world.dies_at(step), "{step:?}");
            let report = verify(&world.config, &Options::default()).unwrap();
            let found = &report.logs["x"];
            let why = found.reason.clone().unwrap_or_default();
            match found.state {
                LogProof::Ok => assert_eq!(why, "", "{step:?}"),
                state => {
                    assert!(
                        state == LogProof::Unknown && why.starts_with("it is being rotated"),
                        "{step:?} {report:?}"
                    );
                    interrupted += 1;
                }
            }
            assert!(report.ok, "{report:?}");
            world.merge();
            let report = verify(&world.config, &Options::default()).unwrap();
            assert_eq!(report.logs["x"].state, LogProof::Ok, "{step:?} {report:?}");
        }
        assert!(interrupted > 0, "{}", within.display());
        // Of another log nothing is excused.
        let world = World::new(&within, &["website"], rotate.clone());
        world.append("central", &lines(0..5000));
        world.merge();
        let record = r#"{"version":1,"log":"y","live":"/y","segment":"/y.1","id":{"dev":1,"ino":2,"born":3},"size":1,"cut":1,"how":"truncate","known":null}"#;
        fs::write(world.dir.path().join("sync_state/logs/rotation"), record).unwrap();
        File::options().write(true).open(world.path("central")).unwrap().write_all_at(b"X", 40).unwrap();
        let report = verify(&world.config, &Options::default()).unwrap();
        assert_eq!(report.logs["x"].state, LogProof::Bad, "{report:?}");
    }
}

#[test]
fn whom_a_new_file_is_made_for_may_own_it() {
    if !rustix::process::geteuid().is_root() {
        println!("only root can give a file to somebody else");
        return;
    }
    let world = World::new(&temporary(), &["website"], json!({"create": "0640 daemon daemon"}));
    for n in 0..3 {
        world.append("central", &lines(n * 100..n * 100 + 100));
        assert_eq!(world.rotate().state, RotateState::Rotated);
        let made = fs::metadata(world.path("central")).unwrap();
        let daemon = crate::durable::user_named("daemon").unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), daemon);
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&made.permissions()) & 0o777, 0o640);
    }
    world.merge();
    assert!(world.archive() == lines(0..300) && world.read("website") == lines(0..300));
}

/// Whoever rotated the archive was quicker than who wrote it; the copy has the line as a whole.
#[test]
fn a_copy_that_goes_on_where_a_segment_ends_gives_whole_lines() {
    let world = World::new(&temporary(), &["bot", "website"], json!({}));
    let all = lines(0..60);
    let cut = lines(0..50).len() + 20;
    fs::write(world.dir.path().join("central/x.log.2031-07-01"), &all[..cut]).unwrap();
    world.append("bot", &all);
    let _ = merge(&world.config, &Options::default()).unwrap();
    world.merge();
    assert_eq!(world.archive(), [&all[..cut], &lines(50..60)].concat());
    assert_eq!(world.read("central"), lines(50..60));
    assert_eq!(world.read("bot"), all);
}
