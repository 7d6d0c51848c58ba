//! What is written down of an archive while its oldest files are cleaned away: it goes with them, what is left still proves
//! the archive, and no copy misses what it needs.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{CleanState, NOW, Options, RotateState, World, lines, merge, temporary, time};
use crate::logs::verify;
use crate::report::{LogProof, LogVerifyReport};

/// All rotated files were written a hundred days ago, but in their order.
fn age(world: &World) {
    for (n, name) in world.names().iter().filter(|name| *name != "x.log").enumerate() {
        let file = File::options().write(true).open(world.path("central").with_file_name(name)).unwrap();
        let days = Duration::from_secs(100 * 86_400 - u64::try_from(n).unwrap());
        file.set_modified(SystemTime::from(time(NOW)) - days).unwrap();
    }
}

fn ledger(world: &World) -> String {
    fs::read_to_string(world.dir.path().join("sync_state/logs/x.ledger")).unwrap()
}

fn proof(world: &World) -> LogVerifyReport {
    verify(&world.config, &Options::default()).unwrap().logs.remove("x").unwrap()
}

/// Ten entries and a rotation.
fn round(world: &World, n: usize) {
    for part in 0..10 {
        let first = n * 100 + part * 10;
        world.append("bot", &lines(first..first + 10));
        let _ = merge(&world.config, &Options::default()).unwrap();
    }
    let day = format!("2031-05-{:02} 00:00:00", n + 1);
    assert_eq!(world.rotate_at(&day).state, RotateState::Rotated);
}

#[test]
fn it_does_not_grow_for_ever() {
    let world = World::new(&temporary(), &["bot", "website"], json!({"maxage": 30, "rotate": 2}));
    let mut sizes = Vec::new();
    for n in 0..12 {
        round(&world, n);
        age(&world);
        let report = world.clean_at(NOW, false);
        assert_eq!(report.warnings, [""; 0]);
        assert_eq!(report.state == CleanState::Cleaned, n >= 2, "{n}: {report:?}");
        let found = proof(&world);
        assert_eq!((found.state, found.reason.clone()), (LogProof::Ok, None), "{n}: {found:?}");
        let gone = lines(0..n.saturating_sub(1) * 100).len();
        assert_eq!(found.gone_bytes, u64::try_from(gone).unwrap(), "{n}");
        sizes.push(ledger(&world).lines().count());
    }
    assert!(sizes.iter().all(|size| *size <= 31), "{sizes:?}");
    assert!(world.read("website") == lines(0..1200));
}

#[test]
fn what_a_copy_needs_stays() {
    let world = World::new(&temporary(), &["bot", "website"], json!({"maxage": 30, "rotate": 1}));
    let (home, away) = (world.path("website").parent().unwrap().to_path_buf(), world.dir.path().join("away"));
    round(&world, 0);
    round(&world, 1);
    fs::rename(&home, &away).unwrap();
    for n in 2..6 {
        round(&world, n);
    }
    age(&world);
    let report = world.clean_at(NOW, false);
    let kept = report.files.iter().map(|file| file.keep).collect::<Vec<_>>();
    assert_eq!(kept, [false, false, true, true, true, true], "{report:?}");
    assert_eq!(ledger(&world).lines().count(), 41);
    fs::rename(&away, &home).unwrap();
    world.append("bot", &lines(600..610));
    world.merge();
    assert!(world.read("website") == lines(0..610));
    age(&world);
    world.clean_at(NOW, false);
    assert_eq!(ledger(&world).lines().count(), 12);
    assert_eq!(proof(&world).state, LogProof::Ok);
}

/// One entry may be about several files, and is proven as a whole.
#[test]
fn a_file_with_the_beginning_of_what_a_copy_needs_stays() {
    let world = World::new(&temporary(), &["website"], json!({"maxage": 30, "rotate": 1}));
    for (n, name) in ["x.log.2031-04-01", "x.log.2031-04-02", "x.log"].iter().enumerate() {
        fs::write(world.path("central").with_file_name(name), lines(n * 100..n * 100 + 100)).unwrap();
    }
    // It gets nothing more while its last line has no end.
    fs::write(world.path("website"), format!("{}part", lines(0..150))).unwrap();
    assert_eq!(world.rotate_at("2031-05-01 00:00:00").state, RotateState::Rotated);
    world.append("central", &lines(300..310));
    let _ = merge(&world.config, &Options::default()).unwrap();
    age(&world);
    let report = world.clean_at(NOW, false);
    assert!(report.files.len() == 3 && report.files.iter().all(|file| file.keep), "{report:?}");
    fs::write(world.path("website"), lines(0..150)).unwrap();
    world.append("central", &lines(310..320));
    let _ = merge(&world.config, &Options::default()).unwrap();
    assert!(world.read("website") == lines(0..320));
    world.merge();
    age(&world);
    assert_eq!(world.clean_at(NOW, false).state, CleanState::Cleaned);
    assert_eq!(proof(&world).state, LogProof::Ok, "{:?}", proof(&world));
}
